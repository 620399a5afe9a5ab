//! Rekeys under traffic: no packet is lost.

use std::time::Duration;

use super::control::handle;
use super::{PATIENCE, Role, Setting, suiting};
use crate::charon::{Kernel, Mode};
use crate::daemon::Driver;
use crate::netns::World;
use crate::process::wait_until;

/// Pings of the flood, and how far apart they are, in seconds.
const PINGS: u32 = 5_000;
const INTERVAL: &str = "0.01";

/// While pings flood, the daemon rekeys three times and then charon twice: every ping is answered.
pub fn lose_no_packet(driver: Driver, peer: Kernel, mode: Mode) {
    let world = World::new();
    let (policy, connection) = suiting(driver, mode);
    let setting = Setting::start(&world, driver, peer, &policy, &connection);
    setting.negotiate(Role::Initiator);
    let (from, to) = setting.ends;
    let answered = std::thread::scope(|scope| {
        let flood = scope.spawn(|| world.a.pings(from, to, PINGS, INTERVAL, "2"));
        for _ in 0..3 {
            let old = handle(&setting, "ipsec_sas");
            setting.daemon.run(&["rekey", "--ipsec-sa", &old]);
            wait_successor(&setting, &old);
            // Packets under way may still use the old pair for a while; then the daemon deletes it.
            setting.charon.wait_sas("one pair of IPsec SAs", PATIENCE, |sas| sas[0].children.len() == 1);
        }
        for _ in 0..2 {
            let old = handle(&setting, "ipsec_sas");
            setting.charon.rekey_child();
            wait_successor(&setting, &old);
            std::thread::sleep(Duration::from_secs(2));
        }
        assert!(!flood.is_finished(), "the rekeys took longer than the pings");
        flood.join().expect("ping does not panic")
    });
    assert_eq!(answered, PINGS, "answers:\n{}", setting.daemon.oakley());
    setting.assert_nothing_in_clear();
}

/// Waits until another pair carries the traffic of the pair `old`.
#[track_caller]
fn wait_successor(setting: &Setting<'_>, old: &str) {
    let held = wait_until(PATIENCE, || handle(setting, "ipsec_sas") != old);
    assert!(held, "no successor of {old}:\n{}", setting.daemon.oakley());
}
