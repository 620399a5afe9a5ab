//! A peer without IKE: traffic with it passes in clear after a delay, where the policy allows that, until the peer comes up.

use std::time::{Duration, Instant};

use super::{PATIENCE, Role, suiting};
use crate::capture::{Capture, Kind, count};
use crate::charon::{Charon, Kernel, Mode};
use crate::daemon::{Daemon, Driver};
use crate::interop::Row;
use crate::netns::{A, B, World};
use crate::policy_text::{Policy, RULE};
use crate::process::wait_until;

/// The settings' default.
const DELAY: Duration = Duration::from_secs(3);

/// Nothing passes before the delay is over, and then all that the filter is for does, both ways. What the administrator ends
/// begins anew with the next packet.
fn fall_back(world: &World, daemon: &Daemon<'_>) {
    let soft_sas = |daemon: &Daemon<'_>| daemon.status()["soft_sas"].as_array().expect("a list").clone();
    for round in 1..=2 {
        let begin = Instant::now();
        assert!(world.a.ping_until_answered(A.wire, B.wire, PATIENCE), "no ping was answered:\n{}", daemon.oakley());
        assert!(begin.elapsed() >= DELAY, "it passed after {:?}", begin.elapsed());
        let status = daemon.status();
        assert_eq!(status["counters"]["soft_sas"], round, "{status}");
        let soft = &soft_sas(daemon)[0];
        assert_eq!((&soft["rule"], &soft["lifetime_seconds"]), (&RULE.into(), &28_800.into()), "{status}");
        assert_eq!((&soft["selector"]["local"], &soft["selector"]["remote"]), (&A.wire.into(), &B.wire.into()));
        let capture = Capture::start(world);
        assert_eq!(world.a.ping(A.wire, B.wire, 3), 3, "in clear");
        assert_eq!(world.b.ping(B.wire, A.wire, 3), 3, "in clear, begun by the peer");
        let packets = capture.finish();
        assert!(count(&packets, Kind::Echo) >= 12 && count(&packets, Kind::Esp) == 0, "{packets:?}");
        if round == 1 {
            let id = soft["id"].as_str().expect("a handle").to_owned();
            daemon.run(&["terminate", "--ipsec-sa", &id]);
            assert!(soft_sas(daemon).is_empty());
            assert_eq!(world.b.pings(B.wire, A.wire, 1, "0.2", "1"), 0, "in clear after its end");
        }
    }
    let trace = daemon.oakley();
    assert!(trace.contains("Loading soft SA.") && trace.contains("Soft SA torn down."), "{trace}");
    assert!(daemon.output().contains("traffic passes in clear, for "), "{}", daemon.output());
}

/// The peer speaks IKE now, and has begun: there is no clear traffic any more.
fn assert_replaced(world: &World, daemon: &Daemon<'_>) {
    let replaced = wait_until(PATIENCE, || {
        let status = daemon.status();
        status["soft_sas"] == serde_json::json!([]) && status["ipsec_sas"].as_array().is_some_and(|all| !all.is_empty())
    });
    assert!(replaced, "{}\n{}", daemon.status(), daemon.oakley());
    assert!(world.a.ping_until_answered(A.wire, B.wire, PATIENCE), "{}", daemon.oakley());
    let capture = Capture::start(world);
    assert_eq!(world.a.ping(A.wire, B.wire, 3), 3, "through ESP");
    let packets = capture.finish();
    assert!(count(&packets, Kind::Esp) >= 6 && count(&packets, Kind::Echo) == 0, "{packets:?}");
}

/// charon comes up on the other host, and begins.
pub fn until_charon_comes(driver: Driver) {
    let what = "Soft SA: clear traffic with a silent peer, until it comes up and begins, transport";
    let _row = Row::charon(what, Kernel::Netlink, driver, Role::Responder.alone());
    let world = World::new();
    // A kernel that has asked for an SA does not ask again as long as it waits for it; half a minute is long for a test.
    let impatient = || std::fs::write("/proc/sys/net/core/xfrm_acq_expires", "1");
    world.a.within(impatient).expect("the namespace's own setting");
    let (policy, connection) = suiting(driver, Mode::Transport);
    let daemon = Daemon::start(&world.a, driver, &Policy { fallback_to_clear: true, ..policy }.text());
    fall_back(&world, &daemon);
    let charon = Charon::start(&world.b, Kernel::Netlink, &connection);
    if let Err(error) = charon.initiate() {
        panic!("charon: {error}\nOakley.log:\n{}", daemon.oakley());
    }
    charon.wait_installed();
    assert_replaced(&world, &daemon);
}

/// Another daemon comes up there; and the same in namespaces of this host, whose kernel may have no ESP.
pub fn until_a_daemon_comes(driver: Driver) {
    let world = World::new();
    let policy = Policy { fallback_to_clear: true, ..suiting(driver, Mode::Transport).0 };
    let daemon = Daemon::start(&world.a, driver, &policy.text());
    if driver == Driver::Userspace {
        // It holds the packet until it may pass.
        let begin = Instant::now();
        assert_eq!(world.a.pings(A.wire, B.wire, 1, "0.2", "10"), 1, "{}", daemon.oakley());
        assert!(begin.elapsed() >= DELAY, "it passed after {:?}", begin.elapsed());
        daemon.run(&["terminate", "--peer", B.wire]);
        assert_eq!(daemon.status()["soft_sas"], serde_json::json!([]));
    }
    let policy = Policy { own: B, other: A, local: B.wire.to_owned(), remote: A.wire.to_owned(), ..policy };
    let peer = Daemon::start(&world.b, driver, &policy.text());
    peer.run(&["initiate", RULE]);
    assert_replaced(&world, &daemon);
    assert_eq!(peer.status()["counters"]["soft_sas"], 0, "it was answered");
}

/// The peer is there, but has another key: nothing passes.
pub fn not_with_a_peer_that_is_refused(driver: Driver) {
    let world = World::new();
    let policy = Policy { fallback_to_clear: true, ..suiting(driver, Mode::Transport).0 };
    let other = Policy { own: B, other: A, local: B.wire.to_owned(), remote: A.wire.to_owned(), ..policy.clone() };
    let daemon = Daemon::start_with_settings(&world.a, driver, &policy.text(), super::IMPATIENT);
    let peer = Daemon::start_with_settings(&world.b, driver, &other.psk("another key").text(), super::IMPATIENT);
    let capture = Capture::start(&world);
    assert_eq!(world.a.pings(A.wire, B.wire, 40, "0.2", "1"), 0, "{}", daemon.oakley());
    let failed = |daemon: &Daemon<'_>| daemon.status()["counters"]["main_modes_failed"].as_u64() > Some(0);
    assert!(wait_until(PATIENCE, || failed(&daemon)), "{}", daemon.status());
    assert_eq!(capture.count(Kind::Echo), 0, "in clear");
    for daemon in [&daemon, &peer] {
        assert_eq!(daemon.status()["counters"]["soft_sas"], 0, "{}", daemon.oakley());
    }
}
