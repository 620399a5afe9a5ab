//! Rekeys under traffic: no packet is lost.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::control::handle;
use super::{PATIENCE, Role, Setting, suiting};
use crate::charon::{Kernel, Mode};
use crate::daemon::Driver;
use crate::interop::Row;
use crate::netns::World;
use crate::process::wait_until;

/// Pings of the flood, and how far apart they are, in seconds.
const PINGS: u32 = 5_000;
const BATCH: u32 = 200;
const INTERVAL: &str = "0.01";

/// While pings flood, charon rekeys twice and then the daemon three times: every ping is answered.
pub fn lose_no_packet(driver: Driver, peer: Kernel, mode: Mode) {
    let _row = Row::charon(format!("Rekeys by both ends lose no packet, {}", mode.name()), peer, driver, &Role::ALL);
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

/// Ends the pings when it goes.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The longest that two SAs which both ends began at once may both stand, with the time that their end takes.
const CROSSED: Duration = Duration::from_secs(45);

/// While pings flood, both ends rekey each phase at the same moment: every ping is answered, and of the ISAKMP SAs one is
/// left, at each end the same.
pub fn at_once(driver: Driver, peer: Kernel, mode: Mode, rounds: u32) {
    let what = format!("Both ends rekey each phase at once and lose no packet, {}", mode.name());
    let _row = Row::charon(what, peer, driver, &Role::ALL);
    let world = World::new();
    let (policy, connection) = suiting(driver, mode);
    let setting = Setting::start(&world, driver, peer, &policy, &connection);
    setting.negotiate(Role::Responder);
    let (from, to) = setting.ends;
    assert!(world.a.ping_until_answered(from, to, PATIENCE), "{}", setting.daemon.oakley());
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let flood = scope.spawn(|| {
            let (mut sent, mut answered) = (0, 0);
            while !over.load(Ordering::Relaxed) {
                answered += world.a.pings(from, to, BATCH, INTERVAL, "2");
                sent += BATCH;
            }
            (sent, answered)
        });
        // Also after a panic, or it would be waited for in vain.
        let ends = Ends(&over);
        let mut before = String::new();
        for _ in 0..rounds {
            let (ours, charons) = wait_one_ike_sa(&setting, &before);
            let pair = wait_one_pair(&setting);
            std::thread::scope(|both| {
                both.spawn(|| setting.charon.rekey_ike_sa(charons));
                both.spawn(|| drop(setting.daemon.run(&["rekey", "--ike-sa", &ours])));
            });
            setting.charon.wait_sas("successors", PATIENCE, |sas| {
                let begun = sas.iter().any(|sa| sa.id > charons);
                begun && sas.iter().all(|sa| sa.id <= charons || sa.state == "ESTABLISHED")
            });
            std::thread::scope(|both| {
                both.spawn(|| setting.charon.rekey_child());
                both.spawn(|| drop(setting.daemon.run(&["rekey", "--ipsec-sa", &pair])));
            });
            before = ours;
        }
        wait_one_ike_sa(&setting, &before);
        wait_one_pair(&setting);
        drop(ends);
        let (sent, answered) = flood.join().expect("ping does not panic");
        assert!(sent > 0);
        assert_eq!(answered, sent, "answers:\n{}", setting.daemon.oakley());
    });
    setting.assert_nothing_in_clear();
}

/// Waits until one ISAKMP SA is in use, the same at both ends and not that with the handle `before`; its handle, and
/// charon's number of it.
#[track_caller]
fn wait_one_ike_sa(setting: &Setting<'_>, before: &str) -> (String, u32) {
    let mut found = None;
    let mut last = Default::default();
    wait_until(CROSSED, || {
        let status = setting.daemon.status();
        let all = status["ike_sas"].as_array().into_iter().flatten();
        let ours: Vec<_> = all.filter(|sa| sa["state"] == "established").cloned().collect();
        // Those which charon is rekeying wait for their end.
        let charons: Vec<_> = setting.charon.list_sas().into_iter().filter(|sa| sa.state != "REKEYING").collect();
        if let ([ours], [charons]) = (&ours[..], &charons[..])
            && ours["initiator_cookie"] == charons.cookies.0.as_str()
        {
            let id = ours["id"].as_str().expect("a handle").to_owned();
            found = Some((id, charons.id)).filter(|(id, _)| id != before);
        }
        last = (ours, charons);
        found.is_some()
    });
    found.unwrap_or_else(|| panic!("not one ISAKMP SA: {last:#?}\n{}", setting.daemon.oakley()))
}

/// Waits until one pair of IPsec SAs has no successor; its handle.
#[track_caller]
fn wait_one_pair(setting: &Setting<'_>) -> String {
    let mut found = Vec::new();
    wait_until(CROSSED, || {
        let status = setting.daemon.status();
        let all = status["ipsec_sas"].as_array().into_iter().flatten().filter(|sa| sa["replaced"] == false);
        found = all.filter_map(|sa| sa["id"].as_str().map(str::to_owned)).collect();
        found.len() == 1
    });
    assert_eq!(found.len(), 1, "{found:?}\n{}", setting.daemon.oakley());
    found.remove(0)
}
