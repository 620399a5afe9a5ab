//! Child processes with their output kept, never left behind.

use std::fs::File;
use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::netns::Namespace;
use crate::scratch::Scratch;

/// How often conditions are looked at again.
const STEP: Duration = Duration::from_millis(20);

/// How long a process may take to end after SIGTERM before it is killed.
const GRACE: Duration = Duration::from_secs(5);

/// Lines of a process's output that are shown when its test fails.
const SHOWN_LINES: usize = 60;

/// How long a port may be taken after the socket that had it was closed.
const FREE_IN: Duration = Duration::from_secs(5);

/// A socket of a port that this test has had before.
///
/// A program that another test starts at this moment keeps a closed socket open until it is executed: that is waited for.
pub fn bind_again(address: SocketAddr) -> UdpSocket {
    let mut socket = UdpSocket::bind(address);
    wait_until(FREE_IN, || {
        if matches!(&socket, Err(error) if error.kind() == ErrorKind::AddrInUse) {
            socket = UdpSocket::bind(address);
        }
        socket.is_ok()
    });
    socket.unwrap_or_else(|error| panic!("{address}: {error}"))
}

/// Waits until `condition` holds; false when `patience` is over first.
pub fn wait_until(patience: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + patience;
    loop {
        if condition() {
            return true;
        }
        if Instant::now() >= end {
            return false;
        }
        std::thread::sleep(STEP);
    }
}

/// The last `count` lines of `text`.
pub fn tail(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

/// A running program; its standard output and standard error go to one file.
///
/// On drop it is asked to end by SIGTERM, then killed; when the test is failing, the end of its output is printed.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
    ended: Option<ExitStatus>,
}

impl Process {
    /// Starts `program` with `arguments` in `namespace`. `name` must be unique in `scratch`, which gets the output
    /// as `name.out`.
    ///
    /// The kernel kills the program when the thread of the namespace ends, so that not even a killed test leaves it.
    pub fn start(namespace: &Namespace, scratch: &Scratch, name: &str, program: &str, arguments: &[&str]) -> Self {
        let log = scratch.join(&format!("{name}.out"));
        let file = File::create(&log).unwrap_or_else(|e| panic!("cannot make {}: {e}", log.display()));
        let copy = file.try_clone().expect("a file can be shared");
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--", program]).args(arguments);
        command.stdin(Stdio::null()).stdout(file).stderr(copy);
        let child = namespace.spawn(command);
        Self { name: format!("{name} in {}", namespace.name()), child, log, ended: None }
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it has taken of the processors so far, its threads together; as precise as a hundredth of a second.
    pub fn processor_time(&self) -> Duration {
        let text = std::fs::read_to_string(format!("/proc/{}/stat", self.id())).unwrap_or_default();
        // The name, in parentheses, may hold spaces; utime and stime are the 12th and 13th fields behind it (proc(5)).
        let fields = text.rsplit(')').next().unwrap_or_default().split_whitespace();
        let ticks: u64 = fields.skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
        Duration::from_millis(ticks * 10)
    }

    /// Its resident memory, KiB.
    #[track_caller]
    pub fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("the kernel tells its memory");
        line.trim().trim_end_matches(" kB").parse().expect("a number of kB")
    }

    /// All that it has written so far.
    pub fn log(&self) -> String {
        std::fs::read(&self.log).map(|octets| String::from_utf8_lossy(&octets).into_owned()).unwrap_or_default()
    }

    /// Whether it has not ended yet.
    pub fn is_running(&mut self) -> bool {
        if self.ended.is_none() {
            self.ended = self.child.try_wait().unwrap_or(None);
        }
        self.ended.is_none()
    }

    /// Waits until `condition` holds; panics with the output when the process ends or `patience` is over first.
    /// `what` is what is waited for.
    #[track_caller]
    pub fn wait_until(&mut self, what: &str, patience: Duration, mut condition: impl FnMut() -> bool) {
        let mut held = false;
        let done = wait_until(patience, || {
            held = condition();
            held || !self.is_running()
        });
        if held {
            return;
        }
        let why = match self.ended {
            Some(status) => format!("ended ({status})"),
            None if done => "ended".to_owned(),
            None => format!("did not within {patience:?}"),
        };
        panic!("waiting for {}: {what}: it {why}; its output:\n{}", self.name, tail(&self.log(), SHOWN_LINES));
    }

    /// Waits until the output satisfies `condition`, as [`Process::wait_until`] does.
    #[track_caller]
    pub fn wait_for(&mut self, what: &str, patience: Duration, condition: impl Fn(&str) -> bool) {
        let log = self.log.clone();
        self.wait_until(what, patience, || {
            std::fs::read(&log).is_ok_and(|octets| condition(&String::from_utf8_lossy(&octets)))
        });
    }

    /// Sends `signal`.
    pub fn signal(&self, signal: Signal) {
        if self.ended.is_none() {
            let _ = i32::try_from(self.child.id()).map(|id| kill(Pid::from_raw(id), signal));
        }
    }

    /// Waits up to `patience` for the end; `None` when it still runs then.
    pub fn wait_end(&mut self, patience: Duration) -> Option<ExitStatus> {
        wait_until(patience, || !self.is_running());
        self.ended
    }

    /// Asks it to end, kills it when it does not within 5 s, and returns its exit status.
    pub fn stop(&mut self) -> Option<ExitStatus> {
        if self.is_running() {
            self.signal(Signal::SIGTERM);
            if self.wait_end(GRACE).is_none() {
                eprintln!("{} did not end on SIGTERM within {GRACE:?}: killed", self.name);
                let _ = self.child.kill();
                self.ended = self.child.wait().ok();
            }
        }
        self.ended
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- {} ---\n{}\n---", self.name, tail(&self.log(), SHOWN_LINES));
        }
        self.stop();
    }
}
