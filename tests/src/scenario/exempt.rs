//! What no filter is for: the default exemptions, under a rule that blocks everything.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use crate::daemon::{Daemon, Driver};
use crate::netns::{A, Addresses, B, Namespace, WIRE, World};

/// A policy that blocks all traffic.
pub const CLOSED: &str = r#"[[policy]]
name = "closed"
assigned = true

[[policy.rule]]
name = "nothing passes"
filter_list = "all"
filter_action = "block"

[[filter_list]]
name = "all"
filters = [{ source = "any", destination = "any" }]

[[filter_action]]
name = "block"
action = "block"
"#;

/// Time for a packet that must arrive.
const ARRIVAL: Duration = Duration::from_secs(5);
/// Time after which a packet counts as lost.
const LOSS: Duration = Duration::from_millis(250);

const GROUP: Ipv4Addr = Ipv4Addr::new(239, 1, 2, 3);

fn socket(namespace: &Namespace, address: SocketAddr) -> UdpSocket {
    let socket = namespace.within(move || UdpSocket::bind(address));
    let socket = socket.unwrap_or_else(|error| panic!("{}: UDP socket on {address}: {error}", namespace.name()));
    socket.set_broadcast(true).expect("a UDP socket may broadcast");
    socket
}

fn wire(addresses: Addresses) -> Ipv4Addr {
    addresses.wire.parse().expect("the wire has IPv4 addresses")
}

/// Whether a packet that `from` sends to `address` comes to `to`.
fn passes(from: &UdpSocket, address: impl Into<Ipv4Addr>, to: &UdpSocket, expected: bool) -> bool {
    let port = to.local_addr().expect("a bound socket").port();
    // A policy that blocks is an error at once.
    if from.send_to(b"through", (address.into(), port)).is_err() {
        return false;
    }
    to.set_read_timeout(Some(if expected { ARRIVAL } else { LOSS })).expect("a timeout");
    to.recv(&mut [0; 64]).is_ok()
}

/// With each value of `NoDefaultExempt` passes what it says, and nothing else.
pub fn each_value(driver: Driver) {
    let world = World::new();
    for namespace in [&world.a, &world.b] {
        namespace.ip(&[&format!("route add 239.0.0.0/8 dev {WIRE}")]);
    }
    let [a, b] = [A, B].map(wire);
    let broadcast = Ipv4Addr::from_bits(a.to_bits() | 0xff);
    let any = |port| SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
    let (at_a, at_b) = (socket(&world.a, (a, 0).into()), socket(&world.b, (b, 0).into()));
    let (plain, kerberos) = (socket(&world.b, (b, 7777).into()), socket(&world.b, (b, 88).into()));
    let [all_of_a, all_of_b] = [&world.a, &world.b].map(|namespace| socket(namespace, any(5353)));
    all_of_a.join_multicast_v4(&GROUP, &a).expect("a group on the wire");
    all_of_b.join_multicast_v4(&GROUP, &b).expect("a group on the wire");
    for value in 0..=3 {
        let settings = format!("[IPsec]\nNoDefaultExempt = {value}\n");
        let mut daemon = Daemon::start_with_settings(&world.a, driver, CLOSED, &settings);
        let many = value < 2 || driver == Driver::Userspace;
        let services = value % 2 == 0;
        for (what, from, address, to, expected) in [
            ("a packet to one host", &at_a, b, &plain, false),
            ("multicast that leaves", &at_a, GROUP, &all_of_b, many),
            ("multicast that arrives", &at_b, GROUP, &all_of_a, true),
            ("broadcast that leaves", &at_a, broadcast, &all_of_b, many),
            ("broadcast that arrives", &at_b, broadcast, &all_of_a, true),
            ("the broadcast to everybody", &at_a, Ipv4Addr::BROADCAST, &all_of_b, many),
            ("Kerberos", &at_a, b, &kerberos, services),
            ("the answer of Kerberos", &kerberos, a, &at_a, services),
        ] {
            assert_eq!(passes(from, address, to, expected), expected, "{value}: {what}\n{}", daemon.output());
        }
        daemon.stop();
        assert!(passes(&at_a, b, &plain, true), "after the end of the service");
    }
}
