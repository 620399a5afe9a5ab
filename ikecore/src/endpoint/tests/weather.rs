//! A network that loses, doubles and reorders: every negotiation ends in one way, and nothing is left behind.
use super::*;
use crate::proposal::suite::Lifetime;
use core::cell::Cell;

const STORM: Weather = Weather { loss: 30, duplicates: 20, reordered: 30 };

/// Says which seed it was if the body panics.
struct Seed(Cell<u64>);

impl Drop for Seed {
    #[expect(clippy::disallowed_macros, reason = "a test that fails says with which seed")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the seed is {}", self.0.get());
        }
    }
}

fn over(seeds: core::ops::Range<u64>, mut body: impl FnMut(u64)) {
    let current = Seed(Cell::new(0));
    for seed in seeds {
        current.0.set(seed);
        body(seed);
    }
}

/// Every retransmission there can be is over after this.
const ALL_OVER: Duration = Duration::from_secs(600);

#[test]
fn in_a_storm_every_negotiation_ends_in_one_way() {
    let mut agreed = 0;
    over(0..1_000, |seed| {
        let mut network = pair(seed, STORM, |_, _| {});
        initiate(&mut network);
        network.run(ALL_OVER);
        network.hosts.iter().for_each(assert_settled);
        let ends: Vec<_> = network.hosts.iter().map(|host| outcomes(host).into_values().collect::<Vec<_>>()).collect();
        assert_eq!(ends[0].len(), 1, "the initiator has one negotiation: {ends:?}");
        let keys = twins(&network);
        // A main mode and a quick mode at the responder.
        if ends[0] == [Ok(())] && ends[1] == [Ok(()), Ok(())] {
            assert_eq!(keys, 1);
            agreed += 1;
        }
        shut_down(&mut network);
    });
    assert!(agreed >= 980, "only {agreed} of 1000 negotiations came to SAs");
}

#[test]
fn both_begin_at_once() {
    over(0..300, |seed| {
        let weather = if seed % 3 == 0 { Weather::default() } else { STORM };
        let mut network = pair(seed, weather, |_, _| {});
        network.feed(0, acquire(0));
        if seed % 2 == 1 {
            network.run(Duration::from_millis(seed * 7 % 60));
        }
        network.feed(1, acquire(1));
        network.run(ALL_OVER);
        network.hosts.iter().for_each(assert_settled);
        let pairs = network.hosts.each_ref().map(|host| host.driver.pairs.len());
        let sas = network.hosts.each_ref().map(|host| host.endpoint.snapshot().ike_sas.len());
        if seed % 3 == 0 {
            // What both began was meant to be one: one is left, the same at both ends.
            assert_eq!((pairs, sas, twins(&network)), ([1, 1], [1, 1], 1), "{:#?}", network.hosts[0].failures());
        } else if network.hosts.iter().all(|host| host.failures().is_empty()) {
            // A delete may be lost: then one end has more than the other, but what it needs is there.
            assert!(twins(&network) >= 1, "{pairs:?} {sas:?}");
        }
        shut_down(&mut network);
    });
}

#[test]
fn rekeys_in_a_storm() {
    over(0..40, |seed| {
        let mut network = pair(seed, STORM, |_, policy| {
            policy.ike_lifetime = Lifetime { seconds: 900, kilobytes: 0 };
            policy.quick_mode[0].lifetime = Lifetime { seconds: 400, kilobytes: 0 };
        });
        let mut without = 0;
        for _ in 0..240 {
            // Traffic asks whenever there is nothing to carry it.
            if network.hosts[0].driver.pairs.is_empty() {
                network.feed(0, acquire(0));
            }
            network.run(Duration::from_secs(30));
            twins(&network);
            without += usize::from(network.hosts[0].driver.pairs.is_empty());
            for host in &network.hosts {
                let snapshot = host.endpoint.snapshot();
                assert!(snapshot.ipsec_sas.len() <= 8, "{:#?}", snapshot.ipsec_sas);
                assert!(snapshot.ike_sas.len() <= 8, "{:#?}", snapshot.ike_sas);
            }
        }
        assert!(without <= 24, "no SAs in {without} of 240 looks");
        network.run(Duration::from_secs(30));
        // The policy changes: what is under way ends.
        for host in 0..2 {
            network.feed(host, Input::Policy(Arc::default()));
        }
        network.run(ALL_OVER);
        network.hosts.iter().for_each(assert_settled);
        shut_down(&mut network);
    });
}

#[test]
fn a_fair_sky_repeats_nothing() {
    let mut network = pair(7, Weather::default(), |_, _| {});
    initiate(&mut network);
    network.run(ALL_OVER);
    for host in &network.hosts {
        let counters = host.endpoint.snapshot().counters;
        assert_eq!((counters.retransmitted, counters.replies_repeated, counters.dropped), (0, 0, 0));
    }
    shut_down(&mut network);
}
