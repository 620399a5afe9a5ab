//! Transport mode through a NAT that hides each end from the other, as between an L2TP client and its server.

use std::time::Instant;

use crate::capture::{Capture, Kind};
use crate::charon::{Charon, Connection, Kernel};
use crate::daemon::{Daemon, Driver};
use crate::interop::Row;
use crate::netns::{A, Addresses, B, Namespace, World};
use crate::policy_text::Policy;
use crate::relay::Relay;

use super::{PATIENCE, Role, SUITES};

/// The client's address, and that of the NAT on its side.
const CLIENT: &str = "10.20.0.2";
const NAT: &str = "10.20.0.1";

/// The daemon is behind the NAT and begins; charon knows it by the NAT's address only, and it charon.
pub fn transport_through_a_nat(driver: Driver) {
    let _row = Row::charon("Transport mode, both behind NAT", Kernel::Netlink, driver, Role::Initiator.alone());
    let world = World::new();
    let client = Namespace::new("client");
    world.a.ip(&[
        &format!("link add lan0 type veth peer name lan0 netns {}", client.path()),
        &format!("addr add {NAT}/24 dev lan0"),
        "link set lan0 up",
    ]);
    client.ip(&[&format!("addr add {CLIENT}/24 dev lan0"), "link set lan0 up"]);
    let suite = SUITES[1].for_driver(driver);
    let (own, other) = (Addresses { wire: CLIENT, ..A }, Addresses { wire: NAT, ..B });
    let policy = Policy::between(own, other).transport().proposals(suite.main_mode, suite.quick_mode);
    let connection = Connection::between(B, A).transport().proposals(suite.main_mode, suite.quick_mode);
    let connection = Connection { remote_id: CLIENT.to_owned(), ..connection };
    let capture = Capture::start(&world);
    let charon = Charon::start(&world.b, Kernel::Netlink, &connection);
    let daemon = Daemon::start_with_settings(&client, driver, &policy.text(), "[ike]\nnat_keep_alive_seconds = 1\n");
    let _relay = Relay::start((&world.a, NAT), (&world.a, A.wire), B.wire);
    assert!(
        client.ping_until_answered(CLIENT, NAT, PATIENCE),
        "no ping was answered\n{}\n{}",
        daemon.oakley(),
        charon.log()
    );
    charon.wait_installed();
    let settled = Instant::now();
    assert_eq!(client.ping(CLIENT, NAT, 3), 3, "pings through ESP in UDP:\n{}", daemon.oakley());
    let child = charon.installed().remove(0);
    assert_eq!((child.mode.as_str(), child.encapsulated), ("TRANSPORT", true));
    let trace = daemon.oakley();
    assert!(trace.contains("I am behind NAT") && trace.contains("Peer behind NAT"), "{trace}");
    // Three pings and their replies at least; the NAT's own host sends none.
    assert!(capture.wait_count(Kind::EspInUdp, 6, PATIENCE), "{trace}");
    assert_eq!(capture.count(Kind::Esp), 0);
    let clear = capture.in_clear(&[A.wire, CLIENT, NAT], Some(settled));
    assert!(clear.is_empty(), "pings in clear: {clear:#?}\n{trace}");
    assert!(capture.wait_count(Kind::KeepAlive, 3, PATIENCE), "keep-alives");
    let first = charon.installed().remove(0);
    charon.rekey_child();
    charon.wait_sas("a new pair of IPsec SAs", PATIENCE, |sas| {
        let mut children = sas.iter().flat_map(|sa| &sa.children);
        children.any(|child| child.state == "INSTALLED" && child.spi_in != first.spi_in)
    });
    assert!(client.ping_until_answered(CLIENT, NAT, PATIENCE), "{}", daemon.oakley());
    charon.terminate();
    charon.wait_sas("no SAs left", PATIENCE, <[_]>::is_empty);
}
