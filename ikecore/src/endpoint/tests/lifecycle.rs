//! The lives of SAs: rekeys, limits, deletes, restarts, new policies, and days of it.
use super::super::tables::IkeSa;
use super::*;
use crate::event::negotiation::Role;
use crate::event::{IkeSaEvent, IpsecSaEvent};
use crate::policy::selector::{Prefix, Selector};
use crate::proposal::suite::{IpsecSuite, Lifetime, Mode};
use crate::sa::driver::{Expire, SaName};
use std::net::Ipv6Addr;

const fn seconds(seconds: u32) -> Lifetime {
    Lifetime { seconds, kilobytes: 0 }
}

fn negotiated(seed: u64, change: impl Fn(usize, &mut TestPolicy)) -> Network {
    let mut network = pair(seed, Weather::default(), change);
    initiate(&mut network);
    network.run(Duration::from_secs(2));
    assert_eq!(twins(&network), 1, "{:?}", network.hosts.each_ref().map(Host::failures));
    network
}

fn pairs(network: &Network) -> [usize; 2] {
    network.hosts.each_ref().map(|host| host.driver.pairs.len())
}

fn ike_sas(network: &Network) -> [usize; 2] {
    network.hosts.each_ref().map(|host| host.endpoint.ike_sas.len())
}

fn assert_no_failures(network: &Network) {
    assert_eq!(network.hosts.each_ref().map(Host::failures), [vec![], vec![]]);
}

fn inbound(network: &Network, host: usize) -> SaName {
    let pair = network.hosts[host].driver.pairs.values().next_back().expect("a pair");
    let inbound = &pair.inbound;
    SaName { protocol: inbound.suite.protocol(), destination: inbound.destination, spi: inbound.spi }
}

#[test]
fn ipsec_sas_are_rekeyed_before_they_end() {
    for seed in 0..5 {
        let mut network = negotiated(seed, |_, policy| policy.quick_mode[0].lifetime = seconds(600));
        for _ in 0..1_000 {
            network.run(Duration::from_secs(10));
            assert!(twins(&network) >= 1, "a gap at {:?}", network.now);
            assert!(pairs(&network).into_iter().all(|count| count <= 2));
        }
        assert_no_failures(&network);
        let served = network.hosts[0].endpoint.snapshot().counters.quick_modes;
        assert!((18..=21).contains(&served), "{served} quick modes in 10,000 s");
        shut_down(&mut network);
    }
}

#[test]
fn the_isakmp_sa_is_rekeyed_before_it_ends() {
    for seed in 0..5 {
        let mut network = negotiated(seed, |_, policy| policy.ike_lifetime = seconds(1_000));
        for _ in 0..1_000 {
            network.run(Duration::from_secs(10));
            for host in &network.hosts {
                let sas = host.endpoint.snapshot().ike_sas;
                assert!(sas.iter().any(|sa| sa.state == "established"), "a gap at {:?}", network.now);
                assert!(sas.len() <= 2);
            }
        }
        assert_no_failures(&network);
        let served = network.hosts[0].endpoint.snapshot().counters.main_modes;
        assert!((11..=13).contains(&served), "{served} main modes in 10,000 s");
        shut_down(&mut network);
    }
}

#[test]
fn the_driver_asks_for_a_successor_or_ends_a_pair() {
    for host in 0..2 {
        let mut network = negotiated(1, |_, _| {});
        let sa = inbound(&network, host);
        // Both of the same moment: one successor.
        for hard in [false, false] {
            network.feed(host, Input::Expire(Expire { sa, hard }));
        }
        // What leaves takes the new pair two seconds after message 3; the old one has its grace from then on.
        network.run(Duration::from_secs(3));
        assert_eq!(pairs(&network), [2, 2]);
        let marked = network.hosts[host].endpoint.snapshot().ipsec_sas.iter().filter(|sa| sa.replaced).count();
        assert_eq!(marked, 1);
        network.run(Duration::from_secs(100));
        assert_eq!((pairs(&network), twins(&network)), ([1, 1], 1));
        let sa = inbound(&network, host);
        network.feed(host, Input::Expire(Expire { sa, hard: true }));
        network.run(Duration::from_secs(1));
        assert_eq!(pairs(&network), [0, 0]);
        assert_no_failures(&network);
        shut_down(&mut network);
    }
}

#[test]
fn both_ends_rekey_the_same_pair_at_once() {
    for seed in 0..30 {
        let mut network = negotiated(seed, |_, _| {});
        network.run(Duration::from_secs(100));
        for host in 0..2 {
            let sa = inbound(&network, host);
            network.feed(host, Input::Expire(Expire { sa, hard: false }));
        }
        // Neither end ends one of the two before both have a successor: the peer may no longer send with either.
        network.run(Duration::from_secs(11));
        assert_eq!((pairs(&network), twins(&network)), ([2, 2], 2), "seed {seed}");
        network.run(Duration::from_secs(100));
        assert_eq!((pairs(&network), twins(&network)), ([1, 1], 1), "seed {seed}");
        let sas = network.hosts.each_ref().map(|host| *host.endpoint.ike_sas.keys().next().expect("an SA"));
        for (host, sa) in sas.into_iter().enumerate() {
            network.feed(host, Input::Command(Command::RekeyIkeSa(sa)));
        }
        // Neither end ends one of the two before both have a successor: the peer may count its IPsec SAs as parts of it.
        network.run(Duration::from_secs(11));
        assert_eq!(ike_sas(&network), [2, 2], "seed {seed}");
        network.run(Duration::from_secs(100));
        assert_eq!(ike_sas(&network), [1, 1], "seed {seed}");
        assert_no_failures(&network);
        shut_down(&mut network);
    }
}

/// A peer may end the ISAKMP SA of the two that it began: then the other one stays and needs no successor.
#[test]
fn of_two_isakmp_sas_at_once_the_peer_ends_one() {
    for seed in 0..20 {
        let mut network = pair(seed, Weather::default(), |_, _| {});
        for host in 0..2 {
            network.feed(host, acquire(host));
        }
        network.run(Duration::from_secs(6));
        assert_eq!(ike_sas(&network), [2, 2], "seed {seed}");
        let began = |sa: &&IkeSa| sa.role == Role::Initiator;
        let theirs = network.hosts[1].endpoint.ike_sas.values().find(began).expect("it began one").cookies.initiator;
        let id = network.hosts[1].endpoint.by_cookie[&theirs];
        network.feed(1, Input::Command(Command::DeleteIkeSa(id)));
        network.run(Duration::from_secs(100));
        assert_eq!((ike_sas(&network), twins(&network)), ([1, 1], 1), "seed {seed}");
        assert!(network.hosts.iter().all(|host| host.endpoint.counters.main_modes == 2), "seed {seed}");
        assert_no_failures(&network);
        shut_down(&mut network);
    }
}

/// Where the peer does not end the pair that it began, this host does.
#[test]
fn of_two_pairs_for_the_same_one_is_left_if_only_one_end_cares() {
    for seed in 0..20 {
        let mut network = pair(seed, Weather::default(), |_, _| {});
        initiate(&mut network);
        network.run(Duration::from_secs(2));
        let [own, _] = network.hosts.each_ref().map(|host| host.endpoint.pairs.keys().copied().collect::<Vec<_>>());
        // The first host no longer knows that it has the traffic, and begins again; nor does it see that there are two.
        for id in own {
            let pair = network.hosts[0].endpoint.pairs.get_mut(&id).expect("it is there");
            pair.role = Role::Responder;
            pair.replaced = true;
        }
        let twin = network.hosts[1].endpoint.pairs.values_mut().next().expect("a pair");
        twin.role = Role::Initiator;
        initiate(&mut network);
        network.run(Duration::from_secs(3));
        assert_eq!(pairs(&network), [2, 2], "seed {seed}");
        network.run(Duration::from_secs(100));
        assert_eq!((pairs(&network), twins(&network)), ([1, 1], 1), "seed {seed}");
        assert_no_failures(&network);
        shut_down(&mut network);
    }
}

#[test]
fn a_rekey_that_fails_is_tried_again_until_the_end() {
    let mut network = negotiated(2, |_, policy| policy.quick_mode[0].lifetime = seconds(3_600));
    // The peer has gone without a word: nothing comes from it any more.
    network.hosts[1].endpoint.config.half_open_total = 0;
    network.hosts[1].endpoint.handle(network.now, Input::Command(Command::Shutdown));
    network.run(Duration::from_secs(3_700));
    let failures = network.hosts[0].failures();
    assert!((4..=12).contains(&failures.len()), "{} attempts", failures.len());
    assert!(failures.iter().all(|failure| matches!(failure, Failure::TimedOut { .. })), "{failures:?}");
    let ended = network.hosts[0].events.iter().filter(|event| {
        matches!(&event.kind, EventKind::IpsecSa(IpsecSaEvent::Ended { reason: Failure::LifetimeEnded(_), .. }))
    });
    assert_eq!(ended.count(), 1);
    assert!(network.hosts[0].driver.pairs.is_empty());
    network.run(Duration::from_secs(600));
    assert_settled(&network.hosts[0]);
}

#[test]
fn a_rekey_that_fails_once_succeeds_later() {
    let mut network = negotiated(3, |_, policy| policy.quick_mode[0].lifetime = seconds(3_600));
    for host in 0..2 {
        network.hosts[host].driver.fail_spis = 2;
    }
    for _ in 0..360 {
        network.run(Duration::from_secs(10));
        assert!(twins(&network) >= 1, "a gap at {:?}", network.now);
    }
    network.run(Duration::from_secs(600));
    assert!(!network.hosts[0].failures().is_empty());
    assert_eq!((pairs(&network), twins(&network)), ([1, 1], 1));
    shut_down(&mut network);
}

/// Filters for ports of the two hosts.
#[test]
fn one_main_mode_serves_several_quick_modes() {
    let mut network = pair(4, Weather::default(), |_, policy| policy.filters = port_filters(policy, 5));
    // Twice: what is under way is not begun again.
    initiate(&mut network);
    initiate(&mut network);
    for port in 10_000..10_005 {
        let flow = crate::policy::selector::Flow {
            local: A,
            remote: B,
            protocol: 17,
            local_port: port,
            remote_port: port,
            scope: crate::address::Scope::ANY,
        };
        network.feed(0, Input::Acquire(crate::sa::driver::Acquire { flow, reqid: 1 }));
    }
    network.run(Duration::from_secs(5));
    assert_eq!((pairs(&network), ike_sas(&network), twins(&network)), ([5, 5], [1, 1], 5));
    assert_eq!(outcomes(&network.hosts[0]).len(), 5);
    assert_eq!(network.hosts[0].endpoint.snapshot().ike_sas[0].quick_modes, 5);
    assert_no_failures(&network);
    shut_down(&mut network);
}

#[test]
fn a_thousand_pairs() {
    let config = Config { quick_modes_at_once: 100, ..Config::default() };
    let change = |_, policy: &mut TestPolicy| policy.filters = port_filters(policy, 1_000);
    let mut network = pair_with(5, Weather::default(), &config, change);
    initiate(&mut network);
    network.run(Duration::from_secs(5));
    assert_eq!((pairs(&network), ike_sas(&network), twins(&network)), ([1_000, 1_000], [1, 1], 1_000));
    let before = network.log.len();
    network.feed(0, Input::Command(Command::DeletePeer(B.into())));
    network.run(Duration::from_secs(5));
    assert_eq!(network.log.len() - before, 8 + 1, "deletes of many SPIs each, and one of the ISAKMP SA");
    // That of the ISAKMP SA may have overtaken others: then the peer's pairs live on to their end.
    assert_eq!(pairs(&network)[0], 0);
    assert_eq!(ike_sas(&network), [0, 0]);
    assert_no_failures(&network);
    shut_down(&mut network);
}

#[test]
fn the_quick_mode_limit_makes_new_main_modes() {
    let mut network = negotiated(6, |_, policy| policy.quick_mode_limit = 2);
    for _ in 0..5 {
        let id = *network.hosts[0].endpoint.pairs.keys().next_back().expect("a pair");
        network.feed(0, Input::Command(Command::RekeyIpsecSa(id)));
        network.run(Duration::from_secs(100));
        assert!(network.hosts[0].endpoint.snapshot().ike_sas.iter().all(|sa| sa.quick_modes <= 2));
    }
    assert_eq!(network.hosts[0].endpoint.snapshot().counters.main_modes, 3);
    assert_no_failures(&network);
    assert_eq!((pairs(&network), ike_sas(&network)), ([1, 1], [1, 1]));
    shut_down(&mut network);
}

#[test]
fn the_shorter_life_counts_at_both_ends() {
    for shorter in 0..2 {
        let mut network = negotiated(7, |index, policy| {
            if index == shorter {
                policy.quick_mode[0].lifetime = Lifetime { seconds: 900, kilobytes: 5_000 };
                policy.ike_lifetime = seconds(7_200);
            }
        });
        for host in &network.hosts {
            let snapshot = host.endpoint.snapshot();
            assert_eq!(snapshot.ipsec_sas[0].lifetime, Lifetime { seconds: 900, kilobytes: 5_000 });
            let pair = host.driver.pairs.values().next().expect("a pair");
            assert_eq!((pair.inbound.soft.kilobytes, pair.inbound.hard.kilobytes), (4_500, 5_000));
        }
        assert_eq!(network.hosts[shorter].endpoint.snapshot().ike_sas[0].lifetime, seconds(7_200));
        shut_down(&mut network);
    }
}

#[test]
fn either_side_deletes() {
    for host in 0..2 {
        let mut network = negotiated(8, |_, _| {});
        let id = *network.hosts[host].endpoint.pairs.keys().next().expect("a pair");
        network.feed(host, Input::Command(Command::DeleteIpsecSa(id)));
        network.run(Duration::from_secs(1));
        assert_eq!((pairs(&network), ike_sas(&network)), ([0, 0], [1, 1]));
        let id = *network.hosts[host].endpoint.ike_sas.keys().next().expect("an SA");
        network.feed(host, Input::Command(Command::DeleteIkeSa(id)));
        network.run(Duration::from_secs(1));
        assert_eq!(ike_sas(&network), [0, 0]);
        let reasons: Vec<_> = network.hosts[1 - host]
            .events
            .iter()
            .filter_map(|event| match &event.kind {
                EventKind::IpsecSa(IpsecSaEvent::Ended { reason, .. }) => Some(reason.clone()),
                EventKind::IkeSa(IkeSaEvent::Ended { reason, .. }) => Some(reason.clone()),
                _ => None,
            })
            .collect();
        assert_eq!(reasons, [Failure::DeletedByPeer("IPsec"), Failure::DeletedByPeer("ISAKMP")]);
        network.run(Duration::from_secs(200));
        network.hosts.iter().for_each(assert_settled);
        // And from here it begins anew.
        network.feed(1 - host, acquire(1 - host));
        network.run(Duration::from_secs(2));
        assert_eq!(twins(&network), 1);
        network.feed(host, Input::Command(Command::DeleteAll));
        network.run(Duration::from_secs(1));
        assert_eq!((pairs(&network), ike_sas(&network)), ([0, 0], [0, 0]));
        shut_down(&mut network);
    }
}

#[test]
fn a_restarted_peer_announces_itself() {
    for restarted in 0..2 {
        let mut network = negotiated(9, |_, _| {});
        network.run(Duration::from_secs(100));
        let (local, remote) = if restarted == 0 { (A, B) } else { (B, A) };
        network.hosts[restarted] = Host::new(Config::default(), 99, TestPolicy::new(local, remote).database());
        network.feed(restarted, acquire(restarted));
        network.run(Duration::from_secs(5));
        assert_eq!((pairs(&network), ike_sas(&network), twins(&network)), ([1, 1], [1, 1], 1));
        let forgotten = network.hosts[1 - restarted].events.iter().filter(|event| {
            matches!(
                &event.kind,
                EventKind::IpsecSa(IpsecSaEvent::Ended { reason: Failure::InitialContact, .. })
                    | EventKind::IkeSa(IkeSaEvent::Ended { reason: Failure::InitialContact, .. })
            )
        });
        assert_eq!(forgotten.count(), 2);
        shut_down(&mut network);
    }
}

#[test]
fn a_new_policy_ends_what_it_forbids_and_nothing_else() {
    let mut network = negotiated(10, |_, policy| policy.filters = port_filters(policy, 1));
    let mut policy = TestPolicy::new(A, B);
    policy.filters = port_filters(&policy, 2);
    policy.version = 2;
    // One filter more: what stands goes on.
    let before = network.log.len();
    network.feed(0, Input::Policy(Arc::new(policy.database())));
    network.run(Duration::from_secs(1));
    assert_eq!((pairs(&network), ike_sas(&network), network.log.len()), ([1, 1], [1, 1], before));
    assert_eq!(network.hosts[0].driver.policies.len(), 2);
    assert_eq!(network.hosts[0].endpoint.snapshot().policy_version, 2);
    // Another suite: the pair ends, the ISAKMP SA does not.
    policy.quick_mode[0].suite = IpsecSuite::Ah { integrity: crate::proposal::suite::Integrity::HmacSha1_96 }.alone();
    network.feed(0, Input::Policy(Arc::new(policy.database())));
    network.run(Duration::from_secs(1));
    assert_eq!((pairs(&network), ike_sas(&network)), ([0, 0], [1, 1]));
    // Another key: all ends.
    policy.psk = b"a new key";
    network.feed(0, Input::Policy(Arc::new(policy.database())));
    network.run(Duration::from_secs(1));
    assert_eq!(ike_sas(&network), [0, 0]);
    network.run(Duration::from_secs(200));
    shut_down(&mut network);
}

#[test]
fn a_new_policy_for_other_sequence_numbers_ends_the_pair() {
    for (before, after) in [(false, true), (true, false)] {
        let mut network = negotiated(10, |_, policy| policy.quick_mode[0].extended_sequence_numbers = before);
        let told = network.hosts[0].endpoint.snapshot().ipsec_sas[0].extended_sequence_numbers;
        assert_eq!(told, before);
        let mut policy = TestPolicy::new(A, B);
        policy.version = 2;
        policy.quick_mode[0].extended_sequence_numbers = before;
        network.feed(0, Input::Policy(Arc::new(policy.database())));
        network.run(Duration::from_secs(1));
        assert_eq!(pairs(&network), [1, 1]);
        policy.quick_mode[0].extended_sequence_numbers = after;
        network.feed(0, Input::Policy(Arc::new(policy.database())));
        network.run(Duration::from_secs(1));
        assert_eq!((pairs(&network), ike_sas(&network)), ([0, 0], [1, 1]));
        shut_down(&mut network);
    }
}

#[test]
fn a_new_policy_ends_negotiations_that_it_forbids() {
    for step in 0..14 {
        let mut network = pair(11, Weather::default(), |_, _| {});
        initiate(&mut network);
        let until = network.now + Duration::from_secs(60);
        for _ in 0..step {
            network.step(until);
        }
        let mut policy = TestPolicy::new(A, B);
        policy.filters = port_filters(&policy, 1);
        network.feed(0, Input::Policy(Arc::new(policy.database())));
        network.run(Duration::from_secs(300));
        network.hosts.iter().for_each(assert_settled);
        assert_eq!(pairs(&network), [0, 0], "step {step}");
        for failure in network.hosts[0].failures() {
            assert_eq!(failure, Failure::PolicyChange, "step {step}");
        }
        shut_down(&mut network);
    }
}

#[test]
fn without_a_limit_in_seconds_the_default_counts() {
    let mut network = negotiated(12, |_, policy| {
        policy.ike_lifetime = Lifetime::default();
        policy.quick_mode[0].lifetime = Lifetime::default();
    });
    for host in &network.hosts {
        let snapshot = host.endpoint.snapshot();
        assert_eq!((snapshot.ike_sas[0].lifetime, snapshot.ipsec_sas[0].lifetime), (seconds(28_800), seconds(28_800)));
    }
    for _ in 0..100 {
        network.run(Duration::from_secs(1_000));
        assert!(twins(&network) >= 1);
    }
    assert_no_failures(&network);
    shut_down(&mut network);
}

/// A month: nothing grows.
#[test]
fn a_month_leaves_no_more_than_a_day() {
    let mut network = negotiated(13, |_, _| {});
    let mut sizes = Vec::new();
    for _ in 0..30 {
        for _ in 0..24 {
            network.run(Duration::from_secs(3_600));
            assert!(twins(&network) >= 1);
            network.log.clear();
            network.hosts.iter_mut().for_each(|host| host.events.clear());
        }
        let size = |host: &Host| {
            let endpoint = &host.endpoint;
            assert!(endpoint.negotiations.len() <= 1 && endpoint.asks.is_empty());
            let used = endpoint.ike_sas.values().filter_map(IkeSa::standing).map(|standing| standing.used.len());
            (endpoint.ike_sas.len(), endpoint.pairs.len(), endpoint.timers.len(), used.max().unwrap_or_default())
        };
        sizes.push(network.hosts.each_ref().map(size));
    }
    for [a, b] in sizes {
        for (sas, pairs, timers, used) in [a, b] {
            assert!(sas <= 2 && pairs <= 2 && timers <= 16 && used <= 64, "{:?}", (sas, pairs, timers, used));
        }
    }
    let served = network.hosts[0].endpoint.snapshot().counters;
    assert!(served.quick_modes > 700 && served.main_modes > 80, "{served:?}");
    assert_eq!((served.quick_modes_failed, served.main_modes_failed), (0, 0));
    shut_down(&mut network);
}

/// More quick modes than message IDs are remembered: the ISAKMP SA has a successor in time.
#[test]
fn message_ids_do_not_run_out() {
    let mut network = negotiated(14, |_, _| {});
    let rekeys = tables::USED_LIMIT * 3 / 4 / 2 + 100;
    for _ in 0..rekeys {
        let id = *network.hosts[0].endpoint.pairs.keys().next_back().expect("a pair");
        network.feed(0, Input::Command(Command::RekeyIpsecSa(id)));
        network.run(Duration::from_secs(6));
    }
    assert_no_failures(&network);
    assert_eq!(network.hosts[0].endpoint.snapshot().counters.main_modes, 2);
    network.run(Duration::from_secs(100));
    assert_eq!((pairs(&network), ike_sas(&network)), ([1, 1], [1, 1]));
    shut_down(&mut network);
}

#[test]
fn every_suite_in_both_modes_and_families() {
    let v6 = [1, 2].map(|host| IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, host)));
    for family in [[A, B], v6] {
        for tunnel in [false, true] {
            for suite in IpsecSuite::all() {
                let mut network = negotiated(15, |index, policy| {
                    (policy.local, policy.remote) = (family[index], family[1 - index]);
                    policy.tunnel = tunnel;
                    policy.quick_mode[0].suite = suite.alone();
                    if tunnel {
                        let inner = |host: usize| match family[0] {
                            IpAddr::V4(_) => Prefix::new(([10, host as u8, 0, 0]).into(), 16).expect("a prefix"),
                            IpAddr::V6(_) => {
                                Prefix::new(Ipv6Addr::new(0xfd00, host as u16, 0, 0, 0, 0, 0, 0).into(), 32)
                                    .expect("a prefix")
                            }
                        };
                        policy.filters = vec![Selector::between(inner(index), inner(1 - index))];
                    }
                });
                assert_agree(&network);
                let pair = network.hosts[0].driver.pairs.values().next().expect("a pair");
                assert_eq!(pair.inbound.suite, suite);
                assert_eq!(pair.inbound.mode, if tunnel { Mode::Tunnel } else { Mode::Transport });
                assert_eq!((pair.outbound.source, pair.outbound.destination), (family[0], family[1]));
                assert_eq!(pair.inbound.integrity_key.expose().len(), suite.integrity_key_len());
                shut_down(&mut network);
            }
        }
    }
}
