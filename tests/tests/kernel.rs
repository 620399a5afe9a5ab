//! Interoperation on a real kernel with ESP: the cases run inside a User-Mode Linux guest.

use std::process::ExitCode;
use std::time::Duration;

use tests::capture::{Capture, Kind, count};
use tests::charon::{Charon, Connection, Kernel};
use tests::netns::{A, B, World};
use tests::uml::{self, Case};

fn main() -> ExitCode {
    let mut cases = Vec::new();
    for transport in [false, true] {
        let mode = if transport { "transport" } else { "tunnel" };
        cases.push(Case::new(format!("harness_two_charons_{mode}"), move || harness_two_charons(transport)));
    }
    uml::main(cases)
}

/// The harness itself, proven with a peer at both ends: what fails elsewhere is then ours.
fn harness_two_charons(transport: bool) {
    let world = World::new();
    let shape = |connection: Connection| if transport { connection.transport() } else { connection };
    let a = Charon::start(&world.a, Kernel::Netlink, &shape(Connection::between(A, B)));
    let b = Charon::start(&world.b, Kernel::Netlink, &shape(Connection::between(B, A)));
    let capture = Capture::start(&world);
    let (from, to) = if transport { (A.wire, B.wire) } else { (A.inside, B.inside) };
    a.initiate().expect("two charons agree");
    b.wait_installed();
    assert_eq!(world.a.ping(from, to, 3), 3, "pings through ESP");
    for charon in [&a, &b] {
        let child = &charon.installed()[0];
        assert_eq!((child.packets_in, child.packets_out), (3, 3));
        assert_eq!((child.mode.as_str(), child.encapsulated), (if transport { "TRANSPORT" } else { "TUNNEL" }, false));
    }
    assert!(world.b.run("ip", &["xfrm", "state"]).contains("proto esp"));
    b.terminate();
    a.wait_sas("no SAs after the peer's delete", Duration::from_secs(10), <[_]>::is_empty);
    assert_eq!(world.a.run("ip", &["xfrm", "state"]), "");
    let packets = capture.finish();
    assert_eq!(
        (count(&packets, Kind::Esp), count(&packets, Kind::Echo)),
        (6, 0),
        "3 pings and 3 replies, none in clear"
    );
}
