//! While a computation is under way elsewhere: duplicates, forgeries, time, and the end.
use super::*;
use crate::crypto::group::Group;

/// Runs until a host has a computation that is kept back, the `nth` of the negotiation.
pub(super) fn until_held(network: &mut Network, host: usize, nth: usize) {
    for round in 1..=nth {
        network.hosts[host].hold = true;
        let until = network.now + Duration::from_secs(5);
        while network.hosts[host].held.is_empty() {
            assert!(network.step(until), "computation {round} never came");
        }
        if round < nth {
            let now = network.now;
            network.hosts[host].do_held(now);
        }
    }
}

/// The computations of each host: those of main mode, and that of quick mode with perfect forward secrecy.
const COMPUTATIONS: [usize; 2] = [4, 2];

fn each(mut body: impl FnMut(Network, usize, usize)) {
    for (host, count) in COMPUTATIONS.into_iter().enumerate() {
        for nth in 1..=count {
            let mut network = pair(1, Weather::default(), |_, policy| policy.quick_mode[0].pfs = Some(Group::Ecp256));
            initiate(&mut network);
            until_held(&mut network, host, nth);
            body(network, host, nth);
        }
    }
}

#[test]
fn a_slow_computation_only_takes_longer() {
    each(|mut network, host, nth| {
        let to_come = network.log.len();
        network.run(Duration::from_secs(20));
        // What the peer repeats is not computed again.
        assert_eq!(network.hosts[host].held.len(), 1, "host {host}, computation {nth}");
        assert!(network.log.len() > to_come || host == 0);
        let now = network.now;
        network.hosts[host].release(now);
        network.feed(host, Input::Timeout);
        network.run(Duration::from_secs(200));
        network.hosts.iter().for_each(assert_settled);
        assert_eq!(network.hosts.each_ref().map(Host::failures), [vec![], vec![]], "host {host}, computation {nth}");
        assert_eq!(twins(&network), 1);
        shut_down(&mut network);
    });
}

#[test]
fn a_computation_that_never_ends_ends_the_negotiation() {
    each(|mut network, host, nth| {
        network.run(Duration::from_secs(400));
        network.hosts.iter().for_each(assert_settled);
        let failures = network.hosts[host].failures();
        let only = matches!(failures.as_slice(), [Failure::Stalled { .. }]);
        assert!(only, "host {host}, computation {nth}: {failures:?}");
        assert!(network.hosts[host].held.is_empty(), "it was not cancelled");
        shut_down(&mut network);
    });
}

#[test]
fn an_end_cancels_computations() {
    each(|mut network, host, _| {
        network.feed(host, Input::Command(Command::Shutdown));
        assert!(network.hosts[host].held.is_empty());
        assert_gone(&network.hosts[host]);
        network.run(Duration::from_secs(400));
        network.hosts.iter().for_each(assert_settled);
        shut_down(&mut network);
    });
}
