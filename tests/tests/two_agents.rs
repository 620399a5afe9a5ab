//! Two of our own daemons against each other in network namespaces, with ESP in user space.

use std::time::Duration;

use tests::capture::{Capture, Kind};
use tests::daemon::{Daemon, Driver};
use tests::netns::{A, B, World};
use tests::policy_text::Policy;
use tests::process::wait_until;
use tests::scenario::soft_sas;

const PATIENCE: Duration = Duration::from_secs(15);

/// Negotiates by traffic between `from` and `to`, exchanges pings, and ends one end: nothing may be left at the other.
fn negotiate(policy: impl Fn(Policy) -> Policy, from: &str, to: &str) {
    let world = World::new();
    let capture = Capture::start(&world);
    let mut a = Daemon::start(&world.a, Driver::Userspace, &policy(Policy::between(A, B)).text());
    let b = Daemon::start(&world.b, Driver::Userspace, &policy(Policy::between(B, A)).text());
    assert!(world.a.ping_until_answered(from, to, PATIENCE), "no ping was answered:\n{}", a.oakley());
    assert_eq!(world.a.ping(from, to, 5), 5, "pings through ESP:\n{}", a.oakley());
    assert_eq!(world.b.ping(to, from, 5), 5, "pings back through ESP:\n{}", b.oakley());
    for daemon in [&a, &b] {
        assert_eq!((daemon.isakmp_sas(), daemon.ipsec_sas()), (1, 1), "{}", daemon.oakley());
    }
    a.stop();
    let gone = wait_until(PATIENCE, || (b.isakmp_sas(), b.ipsec_sas()) == (0, 0));
    assert!(gone, "the peer's deletes were not followed:\n{}", b.oakley());
    // No encapsulation: there is no NAT.
    let packets = capture.finish();
    let count = |kind| tests::capture::count(&packets, kind);
    assert!(count(Kind::Esp) >= 22, "{} ESP packets", count(Kind::Esp));
    assert_eq!((count(Kind::EspInUdp), count(Kind::Echo)), (0, 0));
}

#[test]
fn tunnel_mode() {
    negotiate(|policy| policy, A.inside, B.inside);
}

#[test]
fn transport_mode() {
    negotiate(Policy::transport, A.wire, B.wire);
}

/// Both ends want SAs at the same moment.
#[test]
fn both_ends_at_once() {
    let world = World::new();
    let a = Daemon::start(&world.a, Driver::Userspace, &Policy::between(A, B).text());
    let b = Daemon::start(&world.b, Driver::Userspace, &Policy::between(B, A).text());
    std::thread::scope(|scope| {
        scope.spawn(|| world.a.ping(A.inside, B.inside, 2));
        scope.spawn(|| world.b.ping(B.inside, A.inside, 2));
    });
    assert!(world.a.ping_until_answered(A.inside, B.inside, PATIENCE), "{}", a.oakley());
    assert_eq!(world.a.ping(A.inside, B.inside, 3), 3, "{}", a.oakley());
    assert_eq!(world.b.ping(B.inside, A.inside, 3), 3, "{}", b.oakley());
}

/// A daemon that was killed and starts again finds its way back, though the peer still has the old SAs.
#[test]
fn a_crashed_end_comes_back() {
    let world = World::new();
    let mut a = Daemon::start(&world.a, Driver::Userspace, &Policy::between(A, B).text());
    let b = Daemon::start(&world.b, Driver::Userspace, &Policy::between(B, A).text());
    assert!(world.a.ping_until_answered(A.inside, B.inside, PATIENCE), "{}", a.oakley());
    a.process().signal(nix::sys::signal::Signal::SIGKILL);
    assert!(a.process().wait_end(PATIENCE).is_some());
    drop(a);
    let a = Daemon::start(&world.a, Driver::Userspace, &Policy::between(A, B).text());
    assert!(world.a.ping_until_answered(A.inside, B.inside, PATIENCE), "{}", a.oakley());
    let one = wait_until(PATIENCE, || (b.isakmp_sas(), b.ipsec_sas()) == (1, 1));
    assert!(one, "INITIAL-CONTACT did not remove the old SAs:\n{}", b.oakley());
}

#[test]
fn clear_traffic_until_the_peer_comes_up() {
    soft_sas::until_a_daemon_comes(Driver::Userspace);
}

#[test]
fn no_clear_traffic_with_a_peer_that_is_refused() {
    soft_sas::not_with_a_peer_that_is_refused(Driver::Userspace);
}
