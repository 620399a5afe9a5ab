//! Two hosts on a wire: network namespaces joined by a veth pair.
//!
//! A namespace here is a thread that lives in it. It has no name in `/run/netns`, so nothing can collide with it and
//! nothing is left behind, however the test ends; and a command started by that thread is in the namespace without
//! the cost of `ip netns exec`. From outside it can be entered with
//! `nsenter --net=$(the path that Namespace::path gives) COMMAND`.

mod recorder;

use std::io::Write as _;
use std::net::IpAddr;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use nix::sched::{CloneFlags, unshare};

use recorder::Recorder;
pub use recorder::recorded;

/// The name of the veth end in each namespace.
pub const WIRE: &str = "wire0";

/// How many pings are sent one by one.
const FEW: u32 = 5;

/// Seconds between pings.
const INTERVAL: &str = "0.2";

/// A job that the thread of a namespace runs.
type Job = Box<dyn FnOnce() + Send>;

/// One network namespace.
#[derive(Debug)]
pub struct Namespace {
    name: String,
    path: String,
    jobs: Option<mpsc::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Namespace {
    /// Makes a namespace with its loopback interface up. `name` is for messages only.
    pub fn new(name: &str) -> Self {
        let (jobs, inbox) = mpsc::channel::<Job>();
        let (report, started) = mpsc::channel();
        let thread = std::thread::Builder::new()
            .name(format!("netns {name}"))
            .spawn(move || {
                let made = unshare(CloneFlags::CLONE_NEWNET);
                let thread = nix::unistd::gettid();
                let _ = report.send(made.map(|()| format!("/proc/{}/task/{thread}/ns/net", std::process::id())));
                for job in inbox {
                    job();
                }
            })
            .unwrap_or_else(|e| panic!("cannot start the thread of namespace {name}: {e}"));
        let path = match started.recv() {
            Ok(Ok(path)) => path,
            other => panic!(
                "cannot make network namespace {name} ({other:?}): be root, or run the tests by `make test` or inside \
                 `unshare -Urm`"
            ),
        };
        let namespace = Self { name: name.to_owned(), path, jobs: Some(jobs), thread: Some(thread) };
        namespace.ip(&["link set lo up"]);
        namespace
    }

    /// The name given to [`Namespace::new`].
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The namespace's file below `/proc`, as `nsenter --net=` and `ip link set ... netns` take it.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Runs `job` on a thread inside the namespace: sockets it opens and commands it starts belong there.
    ///
    /// Jobs run one after another: a job that waits makes the others wait.
    pub fn within<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> T {
        let (report, done) = mpsc::channel();
        let boxed: Job = Box::new(move || {
            let _ = report.send(job());
        });
        self.jobs.as_ref().and_then(|jobs| jobs.send(boxed).ok()).expect("the thread of a namespace serves until drop");
        done.recv().unwrap_or_else(|_| panic!("a job in namespace {} panicked", self.name))
    }

    /// Starts `command` inside the namespace.
    pub fn spawn(&self, mut command: Command) -> Child {
        let shown = format!("{command:?}");
        self.within(move || command.spawn()).unwrap_or_else(|e| panic!("{}: cannot start {shown}: {e}", self.name))
    }

    /// Runs `program` with `arguments` inside the namespace to its end, whatever its exit status.
    pub fn output(&self, program: &str, arguments: &[&str]) -> Output {
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        self.spawn(command).wait_with_output().unwrap_or_else(|e| panic!("{}: {program}: {e}", self.name))
    }

    /// Runs `program` with `arguments` and returns its standard output; panics with both outputs if it fails.
    #[track_caller]
    pub fn run(&self, program: &str, arguments: &[&str]) -> String {
        let output = self.output(program, arguments);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            output.status.success(),
            "{}: {program} {arguments:?}: {}\n{text}{}",
            self.name,
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
        text
    }

    /// Runs lines of `ip` commands (without the word `ip`) in one process.
    #[track_caller]
    pub fn ip(&self, lines: &[&str]) {
        let mut command = Command::new("ip");
        command.args(["-batch", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = self.spawn(command);
        if let Some(mut input) = child.stdin.take() {
            input.write_all((lines.join("\n") + "\n").as_bytes()).expect("ip reads its batch");
        }
        let output = child.wait_with_output().expect("ip ends");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: ip -batch: {errors}\nof\n{}", self.name, lines.join("\n"));
    }

    /// Sends `count` pings from `from` to `to` and returns how many were answered: a few one after another, for each of
    /// which a slow machine has 3 s; more of them 0.2 s apart.
    pub fn ping(&self, from: &str, to: &str, count: u32) -> u32 {
        // A series that was answered before waits for its last answer no longer than an interval.
        if count <= FEW {
            (0..count).map(|_| self.pings(from, to, 1, INTERVAL, "3")).sum()
        } else {
            self.pings(from, to, count, INTERVAL, "1")
        }
    }

    /// Sends `count` pings, one each `interval` seconds, and waits for each answer at least `wait` seconds; returns how many
    /// were answered.
    pub fn pings(&self, from: &str, to: &str, count: u32, interval: &str, wait: &str) -> u32 {
        let count = count.to_string();
        let output = self.output("ping", &["-n", "-c", &count, "-i", interval, "-W", wait, "-I", from, to]);
        let text = String::from_utf8_lossy(&output.stdout);
        // "3 packets transmitted, 2 received, ..." and, with errors, "3 packets transmitted, 2 received, +1 errors, ...".
        text.lines()
            .find(|line| line.contains("packets transmitted"))
            .and_then(|line| line.split(", ").find_map(|part| part.strip_suffix(" received")))
            .and_then(|number| number.parse().ok())
            .unwrap_or_else(|| {
                panic!("{}: ping {to}: {text}{}", self.name, String::from_utf8_lossy(&output.stderr));
            })
    }

    /// Pings until one is answered or `patience` is over, and says whether one was.
    ///
    /// The first packets of a flow that must first negotiate are lost: no kernel queues them.
    pub fn ping_until_answered(&self, from: &str, to: &str, patience: Duration) -> bool {
        let end = std::time::Instant::now() + patience;
        while std::time::Instant::now() < end {
            if self.pings(from, to, 1, INTERVAL, "1") == 1 {
                return true;
            }
        }
        false
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The addresses of one host of a [`World`].
#[derive(Debug, Clone, Copy)]
pub struct Addresses {
    /// IPv4 on the wire.
    pub wire: &'static str,
    /// IPv6 on the wire.
    pub wire6: &'static str,
    /// An IPv4 address in the net that a tunnel protects.
    pub inside: &'static str,
    /// That net.
    pub net: &'static str,
    /// An IPv6 address in the net that a tunnel protects.
    pub inside6: &'static str,
    /// That net.
    pub net6: &'static str,
    /// A link-local address on the wire, with its link: not there before [`World::add_link_local`].
    pub on_link: &'static str,
}

/// The addresses of host `a`.
pub const A: Addresses = Addresses {
    wire: "10.9.0.1",
    wire6: "fd09::1",
    inside: "10.10.1.1",
    net: "10.10.1.0/24",
    inside6: "fd10:1::1",
    net6: "fd10:1::/64",
    on_link: "fe80::9:1%wire0",
};

/// The addresses of host `b`.
pub const B: Addresses = Addresses {
    wire: "10.9.0.2",
    wire6: "fd09::2",
    inside: "10.10.2.1",
    net: "10.10.2.0/24",
    inside6: "fd10:2::1",
    net6: "fd10:2::/64",
    on_link: "fe80::9:2%wire0",
};

impl Addresses {
    /// The same host with IPv6 in the places of IPv4.
    #[must_use]
    pub fn ipv6(self) -> Self {
        Self { wire: self.wire6, inside: self.inside6, net: self.net6, ..self }
    }

    /// The same host with IPv6 on the wire and IPv4 in the net behind it.
    #[must_use]
    pub fn ipv4_inside_ipv6(self) -> Self {
        Self { wire: self.wire6, ..self }
    }

    /// The same host with IPv4 on the wire and IPv6 in the net behind it.
    #[must_use]
    pub fn ipv6_inside_ipv4(self) -> Self {
        Self { inside: self.inside6, net: self.net6, ..self }
    }

    /// The same host with its link-local address in the place of the one on the wire.
    #[must_use]
    pub fn link_local(self) -> Self {
        Self { wire: self.on_link, ..self }
    }

    /// The IPv4 address on the wire, parsed.
    pub fn wire_ip(&self) -> IpAddr {
        self.wire.parse().expect("a constant address")
    }
}

/// Two hosts, [`A`] and [`B`], on one wire; each has a protected net behind it, routed by way of the other host.
#[derive(Debug)]
pub struct World {
    /// Ends before the hosts do.
    recorder: Option<Recorder>,
    /// The host with the addresses [`A`].
    pub a: Namespace,
    /// The host with the addresses [`B`].
    pub b: Namespace,
}

impl World {
    /// Makes both hosts and the wire.
    pub fn new() -> Self {
        let mut world = Self { recorder: None, a: Namespace::new("a"), b: Namespace::new("b") };
        let join = format!("link add {WIRE} type veth peer name {WIRE} netns {}", world.b.path());
        world.a.ip(&[&join]);
        for (namespace, own, other) in [(&world.a, A, B), (&world.b, B, A)] {
            // No duplicate address detection: the addresses shall be usable at once.
            namespace.ip(&[
                &format!("addr add {}/24 dev {WIRE}", own.wire),
                &format!("addr add {}/64 dev {WIRE} nodad", own.wire6),
                &format!("addr add {}/24 dev lo", own.inside),
                &format!("addr add {}/64 dev lo nodad", own.inside6),
                &format!("link set {WIRE} up"),
                &format!("route add {} via {}", other.net, other.wire),
                &format!("route add {} via {}", other.net6, other.wire6),
            ]);
        }
        world.recorder = Recorder::wanted(&world.a);
        world
    }

    /// Gives both hosts their link-local addresses on the wire.
    pub fn add_link_local(&self) {
        for (namespace, own) in [(&self.a, A), (&self.b, B)] {
            let (address, _) = own.on_link.split_once('%').expect("a constant address with its link");
            namespace.ip(&[&format!("addr add {address}/64 dev {WIRE} nodad")]);
        }
    }
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}
