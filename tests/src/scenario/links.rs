//! Link-local addresses of IPv6, which mean a host only together with the interface.

use std::net::{SocketAddr, SocketAddrV6, UdpSocket};
use std::time::Duration;

use super::shapes::negotiate_and_delete;
use super::{Role, Setting};
use crate::capture::Kind;
use crate::charon::{Charon, Connection, Kernel};
use crate::daemon::{Daemon, Driver};
use crate::interop::Row;
use crate::netns::{A, Addresses, B, Namespace, World};
use crate::policy_text::{Policy, RULE};
use crate::process::wait_until;

/// The port of datagrams.
const PORT: u16 = 7777;

const PATIENCE: Duration = Duration::from_secs(20);

/// Host `a` and the peer on the second wire: they have the same addresses as `a` and `b` on the first.
const A_ELSEWHERE: (&str, &str) = ("fe80::9:1%wire1", "fe80::9:2%wire1");

/// The address without its link.
fn bare(address: &str) -> String {
    address.split('%').next().expect("a text has a first part").to_owned()
}

/// The address with [`PORT`], as sockets in `namespace` name it.
fn endpoint(namespace: &Namespace, address: &'static str) -> SocketAddr {
    let (address, link) = address.split_once('%').expect("an address with its link");
    let index = namespace.within(move || nix::net::if_::if_nametoindex(link)).expect("the link is there");
    SocketAddrV6::new(address.parse().expect("an address"), PORT, 0, index).into()
}

/// A socket in `namespace`.
fn socket(namespace: &Namespace, address: &'static str) -> UdpSocket {
    let bound = endpoint(namespace, address);
    let socket = namespace.within(move || UdpSocket::bind(bound)).expect("the port is free");
    socket.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    socket
}

/// charon's connection; an identity has no link.
fn connection(own: Addresses, other: Addresses) -> Connection {
    Connection { local_id: bare(own.wire), remote_id: bare(other.wire), ..Connection::between(own, other).transport() }
}

/// Two hosts that know each other by link-local addresses only.
pub fn transport(driver: Driver, role: Role) {
    let _row = Row::charon("IPv6 link-local, transport mode", Kernel::Netlink, driver, role.alone());
    let world = World::new();
    world.add_link_local();
    let (own, other) = (A.link_local(), B.link_local());
    let policy = Policy::between(own, other).transport();
    let setting = Setting::start(&world, driver, Kernel::Netlink, &policy, &connection(other, own));
    let hear = socket(&world.a, own.wire);
    let speak = socket(&world.b, other.wire);
    let to = endpoint(&world.b, own.wire);
    let say = |word: &'static [u8]| speak.send_to(word, to).expect("the datagram leaves");
    say(b"in clear");
    negotiate_and_delete(&setting, role, |setting| {
        // What came before it in clear was refused.
        say(b"protected");
        let mut heard = [0; 16];
        let (length, from) = hear.recv_from(&mut heard).expect("a datagram through ESP");
        assert_eq!((&heard[..length], from), (&b"protected"[..], endpoint(&world.a, other.wire)));
        let status = setting.daemon.status();
        assert_eq!(status["ike_sas"][0]["remote"], format!("[{}]:500", other.wire));
        let selector = &status["ipsec_sas"][0]["selector"];
        assert_eq!((&selector["local"], &selector["remote"]), (&own.wire.into(), &other.wire.into()));
        let packets = setting.capture.packets();
        let protected: Vec<_> = packets.iter().filter(|packet| packet.kind == Kind::Esp).collect();
        assert!(!protected.is_empty());
        let ends = [bare(own.wire), bare(other.wire)];
        assert!(protected.iter().all(|packet| ends.contains(&packet.source.to_string())), "{protected:?}");
    });
}

/// A second peer, on another wire, that has the same address as the first, and to which this host has the same address: each has SAs of its own.
pub fn one_address_on_two_interfaces() {
    let what = "IPv6 link-local: two peers with one address, on two interfaces";
    let _row = Row::charon(what, Kernel::Netlink, Driver::Xfrm, Role::Initiator.alone());
    let world = World::new();
    world.add_link_local();
    let c = Namespace::new("c");
    world.a.ip(&[
        &format!("link add wire1 type veth peer name wire0 netns {}", c.path()),
        &format!("addr add {}/64 dev wire1 nodad", bare(A_ELSEWHERE.0)),
        "link set wire1 up",
    ]);
    c.ip(&[&format!("addr add {}/64 dev wire0 nodad", bare(B.on_link)), "link set wire0 up"]);
    let (own, other) = (A.link_local(), B.link_local());
    let b = Charon::start(&world.b, Kernel::Netlink, &connection(other, own));
    let second = Charon::start(&c, Kernel::Netlink, &connection(other, own));
    let also = vec![(A_ELSEWHERE.0.to_owned(), A_ELSEWHERE.1.to_owned())];
    let policy = Policy { also, ..Policy::between(own, other).transport() };
    let daemon = Daemon::start(&world.a, Driver::Xfrm, &policy.text());
    let pings = |(from, to): (&str, &str)| world.a.ping_until_answered(from, to, PATIENCE);
    let first_ends = (own.wire, other.wire);

    // One by traffic, whose acquire tells the link, the other by the administrator.
    assert!(pings(first_ends), "{}\n{}", daemon.oakley(), b.log());
    assert_eq!((daemon.isakmp_sas(), second.list_sas().len()), (1, 0));
    daemon.run(&["initiate", &format!("{RULE} 2")]);
    assert!(pings(A_ELSEWHERE), "{}\n{}", daemon.oakley(), second.log());
    assert_eq!((daemon.isakmp_sas(), daemon.ipsec_sas()), (2, 2));
    let policies = world.a.run("ip", &["xfrm", "policy"]);
    assert!(["dev wire0", "dev wire1"].iter().all(|link| policies.contains(link)), "{policies}");
    for (ends, charon) in [(first_ends, &b), (A_ELSEWHERE, &second)] {
        let before = charon.installed()[0].packets_in;
        assert_eq!(world.a.ping(ends.0, ends.1, 3), 3, "{ends:?}");
        assert_eq!(charon.installed()[0].packets_in, before + 3, "{ends:?}");
    }

    // What ends with one stands with the other.
    b.terminate();
    assert!(wait_until(PATIENCE, || (daemon.isakmp_sas(), daemon.ipsec_sas()) == (1, 1)), "{}", daemon.oakley());
    assert_eq!(daemon.status()["ike_sas"][0]["remote"], format!("[{}]:500", A_ELSEWHERE.1));
    assert_eq!(world.a.ping(A_ELSEWHERE.0, A_ELSEWHERE.1, 3), 3);
    assert!(pings(first_ends), "{}\n{}", daemon.oakley(), b.log());
    assert_eq!((daemon.isakmp_sas(), daemon.ipsec_sas()), (2, 2));
    daemon.run(&["terminate", "--peer", A_ELSEWHERE.1]);
    second.wait_sas("no SAs after the daemon's delete", PATIENCE, <[_]>::is_empty);
    assert_eq!((daemon.isakmp_sas(), daemon.ipsec_sas(), b.installed().len()), (1, 1, 1));
}
