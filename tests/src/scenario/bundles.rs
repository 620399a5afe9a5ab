//! Several protocols at once: IPComp inside ESP, AH around ESP.

use super::control::handle;
use super::{PATIENCE, Role, Setting, Trial, suiting};
use crate::capture::Kind;
use crate::charon::{Connection, Kernel, Mode};
use crate::daemon::{Daemon, Driver};
use crate::interop::Row;
use crate::netns::{A, B, World};
use crate::policy_text::{Policy, RULE};
use crate::process::wait_until;

/// Octets of a ping that compresses well, and what its ESP packet has at most then.
const LONG: &str = "1200";
const SHORT: usize = 400;

/// Three pings whose payload is the same octet again and again.
fn long_pings(trial: &Trial<'_>) -> String {
    let (from, to) = trial.ends;
    trial.world.a.run("ping", &["-n", "-c", "3", "-s", LONG, "-p", "2a", "-W", "5", "-I", from, to])
}

/// Such pings must be short on the wire, each way.
#[track_caller]
pub(super) fn long_pings_are_short_on_the_wire(trial: &Trial<'_>) {
    let before = trial.capture.packets().len();
    let report = long_pings(trial);
    assert!(report.contains(" 3 received"), "{report}\n{}", trial.daemon.oakley());
    let lengths = || {
        let packets = trial.capture.packets();
        let protected = packets.into_iter().skip(before).filter(|packet| packet.kind == trial.protected);
        protected.map(|packet| packet.payload.len()).collect::<Vec<_>>()
    };
    assert!(wait_until(PATIENCE, || lengths().len() >= 6), "{:?}", lengths());
    assert!(lengths().iter().all(|length| *length < SHORT), "not compressed: {:?}", lengths());
}

/// The packets of each SA of IPComp in the kernel of the peer.
fn compressed_packets(trial: &Trial<'_>) -> Vec<u64> {
    let states = format!("\n{}", trial.world.b.run("ip", &["-s", "xfrm", "state"]));
    let compression = states.split("\nsrc ").filter(|state| state.contains("proto comp"));
    let packets = compression.filter_map(|state| {
        let (_, current) = state.split_once("lifetime current:")?;
        current.split_once("(bytes), ")?.1.split('(').next()?.trim().parse().ok()
    });
    packets.collect()
}

/// From nothing to SAs with IPComp; short and long traffic, a rekey by each end, and the peer's delete.
pub fn compression(driver: Driver, mode: Mode, encap: bool, role: Role) {
    let in_udp = if encap { " in UDP" } else { "" };
    let what = format!("IPComp in ESP{in_udp}, {}: traffic, rekeys, delete by the peer", mode.name());
    let _row = Row::charon(what, Kernel::Netlink, driver, role.alone());
    let world = World::new();
    let (policy, connection) = suiting(driver, mode);
    let policy = Policy { compression: true, ..policy };
    let connection = Connection { ipcomp: true, encap, ..connection };
    let setting = Setting::start(&world, driver, Kernel::Netlink, &policy, &connection);
    setting.negotiate(role);
    // Too short to become shorter: they go without IPComp.
    setting.exchange_traffic();
    long_pings_are_short_on_the_wire(&setting);
    let used = compressed_packets(&setting);
    assert!(used.iter().filter(|packets| **packets >= 3).count() >= 2, "{used:?}");
    let status = setting.daemon.status().to_string();
    assert!(status.contains("with IPComp DEFLATE"), "{status}");

    let first = setting.charon.installed().remove(0);
    setting.charon.rekey_child();
    let second = setting.successor(&first);
    setting.exchange_traffic();
    long_pings_are_short_on_the_wire(&setting);
    setting.daemon.run(&["rekey", "--ipsec-sa", &handle(&setting, "ipsec_sas")]);
    setting.successor(&second);
    setting.exchange_traffic();
    long_pings_are_short_on_the_wire(&setting);

    setting.charon.terminate();
    setting.wait_nothing_left();
    setting.wait_kernels_empty();
}

/// charon has IPComp and the daemon has not: they do without.
pub fn the_peer_alone_compresses(driver: Driver, role: Role) {
    let _row = Row::charon("IPComp wanted by the peer alone: without", Kernel::Netlink, driver, role.alone());
    let world = World::new();
    let (policy, connection) = suiting(driver, Mode::Tunnel);
    let connection = Connection { ipcomp: true, ..connection };
    let setting = Setting::start(&world, driver, Kernel::Netlink, &policy, &connection);
    setting.negotiate(role);
    setting.exchange_traffic();
    let report = long_pings(&setting);
    assert!(report.contains(" 3 received"), "{report}\n{}", setting.daemon.oakley());
    // A CPI that charon asked for and did not need may wait in the kernel for its end.
    let used = compressed_packets(&setting);
    assert!(used.iter().all(|packets| *packets == 0), "{used:?}");
    setting.charon.terminate();
    setting.wait_nothing_left();
}

/// The daemon insists on IPComp and charon has none: nothing is agreed on, and the reason is told.
pub fn the_daemon_alone_compresses(driver: Driver, role: Role) {
    let _row = Row::charon("IPComp insisted on by us alone: refused", Kernel::Netlink, driver, role.alone());
    let world = World::new();
    let (policy, connection) = suiting(driver, Mode::Tunnel);
    let policy = Policy { compression: true, ..policy };
    let setting = Setting::start(&world, driver, Kernel::Netlink, &policy, &connection);
    let reason = match role {
        Role::Initiator => {
            assert_eq!(world.a.ping(setting.ends.0, setting.ends.1, 1), 0);
            "offered were ESP AES-256-CBC HMAC-SHA-256-128 with IPComp DEFLATE"
        }
        Role::Responder => {
            setting.charon.initiate().expect_err("the daemon wants IPComp");
            "Protocol-ID is ESP (3), allowed: ESP (3) together with IPCOMP (4)"
        }
    };
    setting.daemon.wait_oakley("the difference", PATIENCE, |log| log.contains(reason));
    assert_eq!(setting.daemon.ipsec_sas(), 0);
}

/// AH around ESP, and IPComp inside both: no peer has it, so the daemon stands at both ends, each with another driver.
pub fn ah_around_esp(drivers: [Driver; 2], mode: Mode, compression: bool) {
    let world = World::new();
    let policy = |own, other| {
        let policy = Policy { outer_ah: Some("sha1"), compression, ..Policy::between(own, other) };
        policy.proposals("aes128-sha1-modp1024", "aes128-sha1-modp1024").mode(mode)
    };
    let (trial, peer) = Trial::start(&world, drivers[0], &policy(A, B), "", Kind::Ah, || {
        Daemon::start(&world.b, drivers[1], &policy(B, A).text())
    });
    if drivers[0] == Driver::Userspace {
        // A packet that waited would leave with message 3, be there before the peer has its outbound SA, and have the answer
        // negotiate a pair of its own.
        trial.daemon.run(&["initiate", RULE]);
        assert!(wait_until(PATIENCE, || peer.ipsec_sas() == 1), "{}", peer.oakley());
    } else {
        trial.traffic_negotiates(|| peer.oakley());
    }
    trial.settle();
    trial.exchange_traffic();
    if compression {
        long_pings_are_short_on_the_wire(&trial);
    }
    let hosts = [&world.a, &world.b].into_iter().zip(drivers);
    // In user space the kernel has no SAs.
    for (host, _) in hosts.filter(|(_, driver)| *driver != Driver::Userspace) {
        let states = host.run("ip", &["xfrm", "state"]);
        for (protocol, wanted) in [("esp", 2), ("ah", 2), ("comp", if compression { 2 } else { 0 })] {
            assert_eq!(states.matches(&format!("proto {protocol} ")).count(), wanted, "{protocol}:\n{states}");
        }
    }
    // AH is outside: nobody sees ESP as such.
    assert_eq!(trial.capture.count(Kind::Esp), 0);
    for daemon in [&trial.daemon, &peer] {
        let status = daemon.status().to_string();
        assert!(status.contains("AH HMAC-SHA-1-96 with ESP AES-128-CBC"), "{status}");
    }
    let old = handle(&trial, "ipsec_sas");
    trial.daemon.run(&["rekey", "--ipsec-sa", &old]);
    assert!(wait_until(PATIENCE, || handle(&trial, "ipsec_sas") != old), "{}", trial.daemon.oakley());
    trial.exchange_traffic();
    peer.run(&["terminate", "--all"]);
    trial.wait_daemon_has_none();
    trial.wait_kernels_empty();
}
