//! Dead peer detection: who is asked and answers, and what becomes of SAs with a peer that died without a word. SAs that
//! nobody uses, and a peer of another version.

use std::time::Duration;

use nix::sys::signal::Signal;

use super::{PATIENCE, Role, Setting, suiting};
use crate::charon::{Connection, Kernel, Mode};
use crate::daemon::Driver;
use crate::interop::Row;
use crate::netns::World;
use crate::policy_text::{Policy, RULE};
use crate::process::wait_until;

/// charon asks; the daemon answers each time, and charon keeps its SAs.
pub fn the_peer_asks(driver: Driver, peer: Kernel) {
    let _row = Row::charon("Dead peer detection: the peer asks", peer, driver, Role::Initiator.alone());
    let world = World::new();
    let (policy, connection) = suiting(driver, Mode::Tunnel);
    let connection = Connection { dpd_delay: 1, ..connection };
    let setting = Setting::start(&world, driver, peer, &policy, &connection);
    setting.negotiate(Role::Initiator);
    let first = setting.charon.installed().remove(0);
    let asked = |trace: &str| trace.matches("informational (R-U-THERE-ACK)").count();
    setting.daemon.wait_oakley("several answers", 2 * PATIENCE, |trace| asked(trace) >= 4);
    setting.exchange_traffic();
    assert_eq!(setting.charon.installed()[0].spi_in, first.spi_in);
    setting.charon.terminate();
    setting.wait_nothing_left();
}

/// The daemon asks again and again, and charon answers each time: nothing ends.
pub fn the_peer_answers(driver: Driver, peer: Kernel) {
    let _row = Row::charon("Dead peer detection: the daemon asks", peer, driver, Role::Responder.alone());
    let world = World::new();
    let (policy, connection) = suiting(driver, Mode::Tunnel);
    let policy = Policy { dpd: Some("{ delay = 1, timeout = 5, periodic = true }"), ..policy };
    let setting = Setting::start(&world, driver, peer, &policy, &connection);
    setting.negotiate(Role::Responder);
    let first = setting.charon.installed().remove(0);
    let asked = |trace: &str| trace.matches("informational (R-U-THERE)").count();
    setting.daemon.wait_oakley("many questions", 3 * PATIENCE, |trace| asked(trace) >= 12);
    assert!(!setting.daemon.oakley().contains("is dead"), "{}", setting.daemon.oakley());
    // charon is deaf for a while: what is asked meanwhile it answers afterwards.
    setting.charon.signal(Signal::SIGSTOP);
    let unanswered = |trace: &str| trace.contains(", unanswered 3");
    setting.daemon.wait_oakley("three questions without an answer", PATIENCE, unanswered);
    setting.charon.signal(Signal::SIGCONT);
    let before = asked(&setting.daemon.oakley());
    setting.daemon.wait_oakley("more questions", 2 * PATIENCE, |trace| asked(trace) >= before + 4);
    assert!(!setting.daemon.oakley().contains("is dead"), "{}", setting.daemon.oakley());
    setting.exchange_traffic();
    assert_eq!(setting.charon.installed()[0].spi_in, first.spi_in);
}

/// What an end does with the SAs that it had with a dead peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mourning {
    /// It clears them.
    Clear,
    /// It holds their traffic, which negotiates.
    Hold,
    /// It negotiates at once.
    Restart,
}

impl Mourning {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Clear, Self::Hold, Self::Restart];

    /// For the names of tests.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Clear => "clears",
            Self::Hold => "holds",
            Self::Restart => "restarts",
        }
    }
}

/// charon is killed, and traffic goes on: the daemon finds out by its driver's counters, ends the SAs, and then negotiates
/// anew once charon is there again: by itself, or for the next packet.
pub fn the_peer_dies(driver: Driver, peer: Kernel, mourning: Mourning) {
    let what = format!("Dead peer detection: the peer dies, the daemon {}", mourning.name());
    let _row = Row::charon(what, peer, driver, Role::Initiator.alone());
    let world = World::new();
    let (policy, connection) = suiting(driver, Mode::Tunnel);
    let dpd = match mourning {
        Mourning::Clear => "{ delay = 2, timeout = 5, action = \"clear\" }",
        Mourning::Hold => "{ delay = 2, timeout = 5, action = \"hold\" }",
        Mourning::Restart => "{ delay = 2, timeout = 5, action = \"restart\" }",
    };
    let policy = Policy { dpd: Some(dpd), ..policy };
    let mut setting = Setting::start_with_settings(&world, driver, peer, &policy, &connection, super::IMPATIENT);
    setting.negotiate(Role::Initiator);
    setting.exchange_traffic();
    setting.charon.kill();
    if peer == Kernel::Netlink {
        world.b.ip(&["xfrm state flush", "xfrm policy flush"]);
    }
    // Without traffic nobody cares.
    assert!(!wait_until(Duration::from_secs(4), || setting.daemon.oakley().contains("R-U-THERE)")));
    let (from, to) = setting.ends;
    let _ = world.a.ping(from, to, 10);
    setting.daemon.wait_oakley("a dead peer", 2 * PATIENCE, |trace| trace.contains("is dead: no answer to"));
    setting.wait_daemon_ipsec_sas(0);
    setting.restart_charon(peer, &setting_connection(&connection, peer));
    if mourning == Mourning::Restart {
        setting.charon.wait_sas("SAs anew", 4 * PATIENCE, |sas| {
            sas.iter().any(|sa| sa.children.iter().any(|child| child.state == "INSTALLED"))
        });
    } else {
        assert!(!wait_until(Duration::from_secs(2), || !setting.charon.list_sas().is_empty()), "nobody asked for SAs");
        setting.negotiate(Role::Initiator);
    }
    setting.wait_daemon_ipsec_sas(1);
    assert_eq!(setting.daemon.oakley().contains("cause: dead peer"), mourning == Mourning::Restart);
    setting.exchange_traffic();
    setting.charon.terminate();
    setting.wait_nothing_left();
}

/// The daemon falls silent, and charon finds out; then there is a new daemon.
pub fn the_daemon_dies(driver: Driver, mourning: Mourning) {
    let what = format!("Dead peer detection: the daemon dies, the peer {}", mourning.name());
    let _row = Row::charon(what, Kernel::Netlink, driver, &Role::ALL);
    let world = World::new();
    let (policy, connection) = suiting(driver, Mode::Tunnel);
    let dpd_action = match mourning {
        Mourning::Clear => "clear",
        Mourning::Hold => "trap",
        Mourning::Restart => "restart",
    };
    let connection = Connection { dpd_delay: 1, dpd_action, ..connection };
    let mut setting = Setting::start(&world, driver, Kernel::Netlink, &policy, &connection);
    setting.negotiate(Role::Initiator);
    setting.exchange_traffic();
    let cookies = setting.charon.list_sas()[0].cookies.clone();
    setting.daemon.process().signal(Signal::SIGSTOP);
    setting.charon.wait_sas("what it had is gone", 2 * PATIENCE, |sas| sas.iter().all(|sa| sa.cookies != cookies));
    if mourning == Mourning::Restart {
        setting.charon.wait_sas("an attempt", PATIENCE, |sas| sas.iter().any(|sa| sa.state == "CONNECTING"));
    }
    setting.daemon.kill_and_restart();
    let (here, there) = setting.ends;
    match mourning {
        Mourning::Clear => {
            assert!(setting.charon.list_sas().is_empty(), "nobody asked for SAs");
            setting.negotiate(Role::Initiator);
        }
        Mourning::Hold => {
            let answered = world.b.ping_until_answered(there, here, PATIENCE);
            assert!(answered, "{}\n{}", setting.daemon.oakley(), setting.charon.log());
        }
        Mourning::Restart => {}
    }
    setting.wait_daemon_ipsec_sas(1);
    setting.charon.wait_installed();
    assert_eq!(setting.charon.list_sas()[0].initiator, mourning != Mourning::Clear);
    setting.exchange_traffic();
    setting.charon.terminate();
    setting.wait_nothing_left();
}

/// As [`Setting::start`] gives it to charon.
fn setting_connection(connection: &Connection, peer: Kernel) -> Connection {
    Connection { encap: connection.encap || peer == Kernel::Libipsec, ..connection.clone() }
}

/// SAs that carry nothing end at both ends, by the driver's counters; those that do live on.
pub fn idle_sas_end(driver: Driver, peer: Kernel) {
    let _row = Row::charon("SAs without traffic end", peer, driver, Role::Initiator.alone());
    let world = World::new();
    let (policy, connection) = suiting(driver, Mode::Tunnel);
    let policy = Policy { idle: 3, ..policy };
    let setting = Setting::start(&world, driver, peer, &policy, &connection);
    setting.negotiate(Role::Initiator);
    let first = setting.charon.installed().remove(0);
    let (from, to) = setting.ends;
    // 8 s of traffic: longer than twice the time.
    assert!(world.a.ping(from, to, 40) >= 38);
    assert_eq!(setting.charon.installed()[0].spi_in, first.spi_in, "{}", setting.daemon.oakley());
    setting
        .charon
        .wait_sas("no IPsec SAs, and the IKE SA still", PATIENCE, |sas| sas.len() == 1 && sas[0].children.is_empty());
    setting.wait_daemon_ipsec_sas(0);
    assert!(setting.daemon.oakley().contains("no packet in 3 s"));
    setting.negotiate(Role::Initiator);
    assert_eq!(setting.daemon.isakmp_sas(), 1, "the ISAKMP SA served again");
}

/// charon begins with IKEv2: it is told that the daemon speaks version 1, and nothing is left of it.
pub fn the_peer_speaks_another_version(driver: Driver, peer: Kernel) {
    let _row = Row::charon("IKEv2 is answered with INVALID-MAJOR-VERSION", peer, driver, Role::Responder.alone());
    let world = World::new();
    let (policy, connection) = suiting(driver, Mode::Tunnel);
    let connection = Connection { version: 2, ..connection };
    let setting = Setting::start(&world, driver, peer, &policy, &connection);
    assert!(setting.charon.initiate().is_err());
    let from_daemon = |packet: &crate::capture::Packet| packet.source.to_string() == crate::netns::A.wire;
    let packets = setting.capture.packets();
    let answers: Vec<_> = packets.iter().filter(|packet| from_daemon(packet)).collect();
    // Version 1.0, informational; the notification's type, INVALID-MAJOR-VERSION, is the last field.
    let told = |packet: &&crate::capture::Packet| {
        packet.kind == crate::capture::Kind::Ike
            && packet.payload.get(17..19) == Some(&[0x10, 5])
            && packet.payload.get(38..40) == Some(&[0, 5])
    };
    assert!(answers.iter().any(told), "{answers:?}\n{}", setting.daemon.oakley());
    setting.daemon.wait_oakley("why", PATIENCE, |trace| trace.contains("major version 2 is not supported, 1 is"));
    assert_eq!((setting.daemon.isakmp_sas(), setting.daemon.ipsec_sas()), (0, 0));
    // And with version 1 it goes on.
    setting.charon.load(&setting_connection(&Connection { version: 1, ..connection }, peer));
    setting.negotiate(Role::Responder);
    setting.exchange_traffic();
}

/// The daemon begins, and charon has a connection of IKEv2 alone: it says so as it says that no proposal suits it.
pub fn the_peer_speaks_another_version_alone(driver: Driver, peer: Kernel) {
    let what = "Refused, the reason is told: the peer has IKEv2 alone";
    let _row = Row::charon(what, peer, driver, Role::Initiator.alone());
    let world = World::new();
    let (policy, connection) = suiting(driver, Mode::Tunnel);
    let connection = setting_connection(&Connection { version: 2, ..connection }, peer);
    let setting = Setting::start_with_settings(&world, driver, peer, &policy, &connection, super::IMPATIENT);
    let output = setting.daemon.command(&["initiate", RULE]);
    let reason = "the peer refused the main mode proposal with NO-PROPOSAL-CHOSEN (14): offered were ";
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && told.contains(reason), "{told}\n{}", setting.charon.log());
    assert_eq!((setting.daemon.isakmp_sas(), setting.daemon.ipsec_sas()), (0, 0));
    assert!(setting.charon.list_sas().is_empty());
    // And with version 1 it goes on.
    setting.charon.load(&Connection { version: 1, ..connection });
    setting.negotiate(Role::Initiator);
    setting.exchange_traffic();
}
