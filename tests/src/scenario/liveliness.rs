//! Dead peer detection: who is asked and answers, and what becomes of SAs with a peer that died without a word.

use std::time::Duration;

use super::{PATIENCE, Role, Setting, suiting};
use crate::charon::{Connection, Kernel, Mode};
use crate::daemon::Driver;
use crate::interop::Row;
use crate::netns::World;
use crate::policy_text::Policy;
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
    setting.charon.signal(nix::sys::signal::Signal::SIGSTOP);
    let unanswered = |trace: &str| trace.contains(", unanswered 3");
    setting.daemon.wait_oakley("three questions without an answer", PATIENCE, unanswered);
    setting.charon.signal(nix::sys::signal::Signal::SIGCONT);
    let before = asked(&setting.daemon.oakley());
    setting.daemon.wait_oakley("more questions", 2 * PATIENCE, |trace| asked(trace) >= before + 4);
    assert!(!setting.daemon.oakley().contains("is dead"), "{}", setting.daemon.oakley());
    setting.exchange_traffic();
    assert_eq!(setting.charon.installed()[0].spi_in, first.spi_in);
}

/// charon is killed, and traffic goes on: the daemon finds out by its driver's counters, ends the SAs, and negotiates
/// anew once charon is there again, without a packet that asks for it.
pub fn the_peer_dies(driver: Driver, peer: Kernel) {
    let _row = Row::charon("Dead peer detection: the peer dies", peer, driver, Role::Initiator.alone());
    let world = World::new();
    let (policy, connection) = suiting(driver, Mode::Tunnel);
    let policy = Policy { dpd: Some("{ delay = 2, timeout = 5, action = \"restart\" }"), ..policy };
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
    setting.restart_charon(peer, &setting_connection(&connection, peer));
    setting.charon.wait_sas("SAs anew", 4 * PATIENCE, |sas| {
        sas.iter().any(|sa| sa.children.iter().any(|child| child.state == "INSTALLED"))
    });
    setting.wait_daemon_ipsec_sas(1);
    assert!(setting.daemon.oakley().contains("cause: dead peer"));
    setting.exchange_traffic();
    setting.charon.terminate();
    setting.wait_nothing_left();
}

/// As [`Setting::start`] gives it to charon.
fn setting_connection(connection: &Connection, peer: Kernel) -> Connection {
    Connection { encap: connection.encap || peer == Kernel::Libipsec, ..connection.clone() }
}
