//! Boot modes, with packets each way: what passes until the service has its policy, and that nothing slips through when it does.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::Output;
use std::time::Duration;

use super::exempt::CLOSED;
use crate::daemon::{Daemon, Driver, program};
use crate::netns::{A, B, Namespace, World};
use crate::process::wait_until;
use crate::scratch::Scratch;

/// Time for what must arrive.
const ARRIVAL: Duration = Duration::from_secs(5);
/// Time after which it counts as lost.
const LOSS: Duration = Duration::from_millis(250);

/// A host of its own with files below a directory.
struct Host<'a> {
    namespace: &'a Namespace,
    root: Scratch,
}

impl<'a> Host<'a> {
    fn new(namespace: &'a Namespace, settings: &str, policy: Option<&str>) -> Self {
        let root = Scratch::new("boot");
        root.write("etc/policyagent/policyagent.toml", settings);
        if let Some(policy) = policy {
            root.write("etc/policyagent/policy.toml", policy);
        }
        Self { namespace, root }
    }

    fn try_boot_mode(&self, what: &str) -> Output {
        let root = self.root.path().display().to_string();
        self.namespace.output(&program().display().to_string(), &["--root", &root, "boot-mode", what])
    }

    #[track_caller]
    fn boot_mode(&self, what: &str) -> String {
        let output = self.try_boot_mode(what);
        assert!(output.status.success(), "boot-mode {what}: {output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

fn address(text: &str) -> Ipv4Addr {
    text.parse().expect("the wire has IPv4 addresses")
}

fn udp(namespace: &Namespace, ip: Ipv4Addr, port: u16) -> UdpSocket {
    namespace.within(move || UdpSocket::bind((ip, port))).expect("a UDP socket")
}

/// Whether a datagram from one socket comes to the other.
fn passes(from: &UdpSocket, to: &UdpSocket, expected: bool) -> bool {
    let sent = from.send_to(b"through", to.local_addr().expect("a bound socket"));
    to.set_read_timeout(Some(if expected { ARRIVAL } else { LOSS })).expect("a timeout");
    // A filter that drops what leaves is an error at once.
    sent.is_ok() && to.recv(&mut [0; 64]).is_ok()
}

/// Whether `from` reaches a TCP server of `to` and hears from it.
fn connects(from: &Namespace, to: &Namespace, ip: Ipv4Addr, port: u16, expected: bool) -> bool {
    let listener = to.within(move || TcpListener::bind((ip, port))).expect("a TCP socket");
    let serve = std::thread::spawn(move || {
        listener.set_nonblocking(true).expect("a socket");
        let mut stream = None;
        wait_until(if expected { ARRIVAL } else { LOSS * 2 }, || {
            stream = listener.accept().ok();
            stream.is_some()
        });
        if let Some((mut stream, _)) = stream {
            let _ = stream.write_all(b"hello");
        }
    });
    let wait = if expected { ARRIVAL } else { LOSS };
    let heard = from.within(move || {
        let mut stream = TcpStream::connect_timeout(&SocketAddr::from((ip, port)), wait).ok()?;
        stream.set_read_timeout(Some(wait)).ok()?;
        let mut heard = [0; 5];
        stream.read_exact(&mut heard).ok().map(|()| heard)
    });
    serve.join().expect("the server ends");
    heard == Some(*b"hello")
}

/// What passes in each mode: out and in, by UDP, TCP and pings.
pub fn each_mode() {
    let world = World::new();
    let (own, peer) = (address(A.wire), address(B.wire));
    // Mode; out, in; with exemptions for TCP 22 in and UDP 7777 out.
    for (mode, out, inside) in [("permit", true, true), ("block", false, false), ("stateful", true, false)] {
        for exempt in [false, true] {
            let list = "[\"TCP:0:22:inbound\", \"UDP:0:7777:outbound\", \"ICMP:inbound\"]";
            let exemptions = if exempt { format!("BootExemptions = {list}\n") } else { String::new() };
            let host = Host::new(&world.a, &format!("[IPsec]\nOperationMode = \"{mode}\"\n{exemptions}"), None);
            let shown = host.boot_mode("show");
            assert!(shown.contains(mode) && shown.contains("no boot mode is in force"), "{shown}");
            host.boot_mode("apply");
            host.boot_mode("apply");
            let shown = host.boot_mode("show");
            assert_eq!(shown.contains("in force until"), mode != "permit", "{shown}");
            let what = format!("{mode}, exemptions: {exempt}\n{shown}");

            let (ping, port_22) = (inside || exempt, inside || exempt);
            assert_eq!(world.b.pings(B.wire, A.wire, 1, "0.2", "1") == 1, ping, "a ping that comes, {what}");
            assert_eq!(world.a.pings(A.wire, B.wire, 1, "0.2", "1") == 1, out, "a ping that goes, {what}");
            assert_eq!(connects(&world.b, &world.a, own, 22, port_22), port_22, "TCP 22 that comes, {what}");
            assert_eq!(connects(&world.b, &world.a, own, 80, inside), inside, "TCP 80 that comes, {what}");
            assert_eq!(connects(&world.a, &world.b, peer, 80, out), out, "TCP 80 that goes, {what}");
            let [at_a, at_b] = [(&world.a, own), (&world.b, peer)].map(|(namespace, ip)| udp(namespace, ip, 7777));
            let stranger = udp(&world.b, peer, 7778);
            assert_eq!(passes(&stranger, &at_a, inside), inside, "UDP that comes, {what}");
            let out = out || exempt;
            assert_eq!(passes(&at_a, &at_b, out), out, "UDP that goes, {what}");
            // What answers passes with it.
            let answered = out || inside;
            assert_eq!(passes(&at_b, &at_a, answered), answered, "the answer, {what}");
            // DHCP, whatever the mode; and this host with itself.
            let [client, server] = [udp(&world.a, own, 68), udp(&world.b, peer, 67)];
            assert!(passes(&client, &server, true) && passes(&server, &client, true), "DHCP, {what}");
            assert_eq!(world.a.ping("127.0.0.1", "127.0.0.1", 1), 1, "loopback, {what}");
            // Neighbours of IPv6 are found, though nothing else need pass.
            if out && mode == "stateful" {
                assert_eq!(world.a.ping(A.wire6, B.wire6, 1), 1, "IPv6, {what}");
            }
            drop((client, server, at_a, at_b, stranger));
            host.boot_mode("lift");
            host.boot_mode("lift");
            assert!(connects(&world.b, &world.a, own, 80, true), "after its end, {what}");
            assert_eq!(host.namespace.run("nft", &["list", "tables"]), "", "{what}");
        }
    }
}

/// Without a word in the settings it is stateful once a policy is assigned; and what cannot be done is told.
pub fn the_usual_mode() {
    let world = World::new();
    for (policy, expected) in [
        (None, "permit: no policy is assigned"),
        (Some(CLOSED.replace("assigned = true", "assigned = false")), "permit: no policy is assigned"),
        (Some(CLOSED.to_owned()), "stateful: a policy is assigned"),
        // It might be.
        (Some(CLOSED.replace("\"block\"", "\"blokc\"")), "stateful: a policy is assigned"),
    ] {
        let host = Host::new(&world.a, "", policy.as_deref());
        let shown = host.boot_mode("show");
        assert!(shown.contains(expected), "{expected}: {shown}");
    }
    let host = Host::new(&world.a, "[IPsec]\nOperationMode = \"blokc\"\n", None);
    let output = host.try_boot_mode("apply");
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && error.contains("allowed: permit, block, stateful"), "{error}");
    // Without the program there is nothing that could carry it.
    let host = Host::new(&world.a, "[IPsec]\nOperationMode = \"block\"\n", None);
    let root = host.root.path().display().to_string();
    let without = |what: &str| {
        let program = program().display().to_string();
        world.a.output("env", &["PATH=/nonexistent", &program, "--root", &root, "boot-mode", what])
    };
    let output = without("apply");
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(1) && error.contains("nft (package nftables), which is not there"), "{error}");
    assert!(without("lift").status.success(), "there is nothing to lift");
}

/// The service lifts the boot mode once the driver holds to its policy, which blocks too: of all the pings that come meanwhile
/// none is answered. If it cannot start, or is killed before, the boot mode stays.
pub fn the_service_lifts_it_without_a_gap(driver: Driver) {
    let world = World::new();
    let settings = "[IPsec]\nOperationMode = \"block\"\n";
    let host = Host::new(&world.a, settings, None);
    assert!(world.b.ping_until_answered(B.wire, A.wire, ARRIVAL));
    host.boot_mode("apply");
    let is_in_force = || host.boot_mode("show").contains("in force until");
    let answered = std::thread::scope(|scope| {
        // One ping each 20 ms, from before the start until well after it.
        let pings = scope.spawn(|| world.b.pings(B.wire, A.wire, 300, "0.02", "1"));
        let mut daemon = Daemon::start_with_settings(&world.a, driver, CLOSED, settings);
        assert!(!is_in_force(), "{}", daemon.output());
        assert!(daemon.output().contains("the boot mode is lifted"), "{}", daemon.output());
        let answered = pings.join().expect("the pings end");
        // A service that is killed later does not bring it back, and the next start finds none.
        daemon.kill_and_restart();
        assert!(!is_in_force());
        daemon.stop();
        answered
    });
    assert_eq!(answered, 0, "pings that slipped through");
    assert!(world.b.ping_until_answered(B.wire, A.wire, ARRIVAL), "after the service has ended");

    host.boot_mode("apply");
    host.root.write("etc/policyagent/policy.toml", &CLOSED.replace("\"block\"", "\"blokc\""));
    let root = host.root.path().display().to_string();
    let output = world.a.output(&program().display().to_string(), &["--root", &root, "run", "--driver", driver.name()]);
    assert!(!output.status.success(), "a policy with a fault");
    assert!(is_in_force(), "the service did not start");
    assert_eq!(world.b.pings(B.wire, A.wire, 1, "0.2", "1"), 0);
}
