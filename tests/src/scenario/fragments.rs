//! IKE fragmentation with a peer whose path takes short datagrams only.

use std::net::IpAddr;

use super::{PATIENCE, Role, Setting};
use crate::capture::Kind;
use crate::charon::{Connection, Kernel};
use crate::daemon::Driver;
use crate::interop::Row;
use crate::netns::{A, B, WIRE, World};
use crate::policy_text::Policy;

/// The type of the Fragment payload, in the header of a message that is one.
const FRAGMENT: u8 = 132;

/// The daemon's route to charon takes 600 octets: what is longer goes in fragments of that length, though no router said
/// anything and nothing was lost.
pub fn of_a_short_route(driver: Driver, peer: Kernel) {
    const MTU: usize = 600;
    let _row = Row::charon("IKE fragmentation by the path MTU of a route", peer, driver, Role::Initiator.alone());
    let suite = "aes256-sha256-modp4096";
    let world = World::new();
    let mtu = MTU.to_string();
    world.a.run("ip", &["route", "replace", B.wire, "dev", WIRE, "mtu", &mtu]);
    let policy = Policy::between(A, B).proposals(suite, suite);
    let connection = Connection::between(B, A).proposals(suite, suite);
    let setting = Setting::start(&world, driver, peer, &policy, &connection);
    setting.negotiate(Role::Initiator);
    let a: IpAddr = A.wire.parse().expect("an address");
    let packets = setting.capture.packets().into_iter();
    let sent = packets.filter(|packet| packet.kind == Kind::Ike && packet.source == a);
    let longest = sent
        .filter(|packet| {
            let message = packet.payload.strip_prefix(&[0; 4]).unwrap_or(&packet.payload);
            message.get(16) == Some(&FRAGMENT)
        })
        .map(|packet| packet.payload.len())
        .max();
    // All of the room, or all but what the non-ESP marker takes of it.
    assert_eq!(longest, Some(MTU - 28), "{}", setting.daemon.oakley());
    setting.charon.terminate();
    setting.wait_nothing_left();
}

/// Both ends begin and rekey with messages of more than 576 octets. charon sends them in fragments, and by that the daemon
/// knows that it has to.
pub fn in_fragments(driver: Driver, peer: Kernel, role: Role) {
    let _row = Row::charon("IKE fragmentation", peer, driver, role.alone());
    let suite = "aes256-sha256-modp4096";
    let world = World::new();
    let policy = Policy::between(A, B).proposals(suite, suite);
    let connection = Connection { fragment_size: 576, ..Connection::between(B, A).proposals(suite, suite) };
    let setting = Setting::start(&world, driver, peer, &policy, &connection);
    setting.negotiate(role);
    setting.exchange_traffic();
    let fragments = |from: &str| {
        let from: IpAddr = from.parse().expect("an address");
        let packets = setting.capture.packets().into_iter();
        let ike = packets.filter(|packet| packet.kind == Kind::Ike && packet.source == from);
        ike.filter(|packet| {
            let message = packet.payload.strip_prefix(&[0; 4]).unwrap_or(&packet.payload);
            message.get(16) == Some(&FRAGMENT) && packet.payload.len() <= 576 - 28
        })
        .count()
    };
    assert!(fragments(B.wire) >= 4, "charon sent {}", fragments(B.wire));
    assert!(fragments(A.wire) >= 2, "the daemon sent {}\n{}", fragments(A.wire), setting.daemon.oakley());
    let first = setting.charon.installed().remove(0);
    let before = fragments(A.wire);
    setting.charon.rekey_child();
    setting.successor(&first);
    setting.exchange_traffic();
    assert!(fragments(A.wire) > before, "quick mode message 2");
    // A main mode of charon's, which is in fragments from its message 3 on.
    let cookies = setting.charon.list_sas()[0].cookies.clone();
    setting.charon.rekey_ike();
    setting.charon.wait_sas("a new IKE SA", PATIENCE, |now| {
        now.iter().any(|sa| sa.state == "ESTABLISHED" && sa.cookies != cookies)
    });
    setting.exchange_traffic();
    setting.charon.terminate();
    setting.wait_nothing_left();
}
