//! Two daemons that rekey again and again under traffic: `make soak SECONDS=n`; a short run otherwise.

use std::time::{Duration, Instant};

use tests::capture::{Capture, Kind};
use tests::daemon::{Daemon, Driver};
use tests::netns::{A, B, World};
use tests::policy_text::Policy;

/// Lives short enough for many rekeys.
const MAIN_MODE_SECONDS: u32 = 20;
const QUICK_MODE_SECONDS: u32 = 10;

/// Growth of a daemon's memory that is no leak, in KiB.
const GROWTH: u64 = 8 * 1024;

/// Resident memory of the daemon, in KiB.
fn memory(daemon: &mut Daemon<'_>) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", daemon.process().id())).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("the kernel tells its memory");
    line.trim().trim_end_matches(" kB").parse().expect("a number of kB")
}

#[test]
fn rekeys_under_traffic_leave_nothing_behind() {
    let seconds = std::env::var("SOAK_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(25);
    let world = World::new();
    let capture = Capture::start(&world);
    let policy = |policy: Policy| {
        Policy { main_mode_seconds: MAIN_MODE_SECONDS, quick_mode_seconds: QUICK_MODE_SECONDS, ..policy }.text()
    };
    let mut a = Daemon::start(&world.a, Driver::Userspace, &policy(Policy::between(A, B)));
    let mut b = Daemon::start(&world.b, Driver::Userspace, &policy(Policy::between(B, A)));
    assert!(world.a.ping_until_answered(A.inside, B.inside, Duration::from_secs(15)), "{}", a.oakley());
    let before = (memory(&mut a), memory(&mut b));
    let end = Instant::now() + Duration::from_secs(seconds);
    let (mut sent, mut answered) = (0, 0);
    while Instant::now() < end {
        answered += world.a.ping(A.inside, B.inside, 25);
        sent += 25;
        // The old and the new one may stand side by side while they change.
        let sas = (a.isakmp_sas(), a.ipsec_sas(), b.isakmp_sas(), b.ipsec_sas());
        assert!([sas.0, sas.1, sas.2, sas.3].iter().all(|count| (1..=3).contains(count)), "{sas:?}\n{}", a.oakley());
        println!(
            "{sent} pings, {answered} answered, SAs {sas:?}, memory {} and {} KiB",
            memory(&mut a),
            memory(&mut b)
        );
    }
    // A rekey may lose a packet that is under way, not more.
    assert!(answered * 50 >= sent * 49, "{answered} of {sent} pings answered:\n{}", a.oakley());
    assert_eq!(capture.count(Kind::Echo), 0, "pings in clear");
    let after = (memory(&mut a), memory(&mut b));
    assert!(after.0 <= before.0 + GROWTH && after.1 <= before.1 + GROWTH, "memory grew from {before:?} to {after:?}");
}
