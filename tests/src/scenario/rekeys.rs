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

/// While pings flood, charon rekeys twice and then the daemon three times: every ping is answered.
pub fn lose_no_packet(driver: Driver, peer: Kernel, mode: Mode) {
    let world = World::new();
    let (policy, connection) = suiting(driver, mode);
    let setting = Setting::start(&world, driver, peer, &policy, &connection);
    setting.negotiate(Role::Responder);
    let (from, to) = setting.ends;
    assert!(world.a.ping_until_answered(from, to, PATIENCE), "{}", setting.daemon.oakley());
    let answered = std::thread::scope(|scope| {
        let flood = scope.spawn(|| world.a.pings(from, to, PINGS, INTERVAL, "2"));
        for begun_by in [Role::Responder, Role::Responder, Role::Initiator, Role::Initiator, Role::Initiator] {
            let old = handle(&setting, "ipsec_sas");
            match begun_by {
                Role::Initiator => drop(setting.daemon.run(&["rekey", "--ipsec-sa", &old])),
                Role::Responder => setting.charon.rekey_child(),
            }
            let held = wait_until(PATIENCE, || handle(&setting, "ipsec_sas") != old);
            assert!(held, "no successor of {old}:\n{}", setting.daemon.oakley());
            // Longer than the daemon keeps a pair that it has replaced.
            std::thread::sleep(Duration::from_secs(6));
        }
        assert!(!flood.is_finished(), "the rekeys took longer than the pings");
        flood.join().expect("ping does not panic")
    });
    assert_eq!(answered, PINGS, "answers:\n{}", setting.daemon.oakley());
    setting.assert_nothing_in_clear();
}
