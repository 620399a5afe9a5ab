//! An end that dies without a word, and comes back.

use super::{PATIENCE, Role, Setting, suiting};
use crate::charon::{Kernel, Mode};
use crate::daemon::Driver;
use crate::interop::Row;
use crate::netns::World;

/// charon forgets everything and begins anew: by its INITIAL-CONTACT the daemon removes what it had with it.
pub fn the_peer_restarts(driver: Driver) {
    let _row = Row::charon("The peer dies and returns: INITIAL-CONTACT", Kernel::Netlink, driver, &Role::ALL);
    let world = World::new();
    let (policy, connection) = suiting(driver, Mode::Tunnel);
    let mut setting = Setting::start(&world, driver, Kernel::Netlink, &policy, &connection);
    setting.negotiate(Role::Initiator);
    setting.exchange_traffic();
    let first = setting.charon.installed().remove(0);

    setting.charon.kill();
    world.b.ip(&["xfrm state flush", "xfrm policy flush"]);
    setting.restart_charon(Kernel::Netlink, &connection);
    setting.negotiate(Role::Responder);
    setting.exchange_traffic();
    let trace = setting.daemon.oakley();
    assert!(trace.contains("INITIAL-CONTACT"), "{trace}");
    setting.wait_daemon_ipsec_sas(1);
    assert_eq!(setting.daemon.isakmp_sas(), 1);
    assert_ne!(setting.charon.installed()[0].spi_in, first.spi_in);
    // What was the peer's is gone, here from the kernel too.
    let old = format!("{:#010x}", first.spi_in);
    if driver != Driver::Userspace {
        let states = world.a.run("ip", &["xfrm", "state"]);
        assert!(!states.contains(&old), "{old} in {states}");
    }
    setting.charon.terminate();
    setting.wait_nothing_left();
}

/// The daemon is killed: its next start removes what the dead one left, negotiates again, and by its INITIAL-CONTACT
/// charon too has only the new SAs.
pub fn the_daemon_is_killed(driver: Driver, peer: Kernel, mode: Mode) {
    let what = format!("The daemon dies and returns: INITIAL-CONTACT, {}", mode.name());
    let _row = Row::charon(what, peer, driver, Role::Initiator.alone());
    let world = World::new();
    let (policy, connection) = suiting(driver, mode);
    let mut setting = Setting::start(&world, driver, peer, &policy, &connection);
    setting.negotiate(Role::Initiator);
    setting.exchange_traffic();
    let (first, cookies) = (setting.charon.installed().remove(0), setting.charon.list_sas()[0].cookies.clone());

    setting.daemon.kill_and_restart();
    assert_eq!((setting.daemon.isakmp_sas(), setting.daemon.ipsec_sas()), (0, 0));
    if peer == Kernel::Netlink {
        assert_eq!(world.a.run("ip", &["xfrm", "state"]), "", "SAs of the dead");
    }
    setting.negotiate(Role::Initiator);
    setting.exchange_traffic();
    setting.charon.wait_sas("only the new SAs", PATIENCE, |sas| {
        sas.len() == 1 && sas[0].cookies != cookies && sas[0].children.len() == 1
    });
    assert_ne!(setting.charon.installed()[0].spi_in, first.spi_in);
    setting.charon.terminate();
    setting.wait_nothing_left();
}
