//! Operations and their answers; no packet is needed.
use std::collections::BTreeSet;

use ikecore::ids::Spi;
use ikecore::proposal::suite::Mode;
use ikecore::sa::driver::{SaOp, TrafficAction, TrafficPolicy};

use super::bench::{Bench, Shape};
use super::{Case, Host, Needs};

pub(super) const CASES: &[Case] = &[
    Case::new("spis_are_distinct_and_can_be_given_back", Needs::Answers, spis),
    Case::new("policies_are_set_and_replaced", Needs::Answers, policies),
    Case::new("a_soft_sa_has_a_handle_and_can_be_deleted", Needs::Answers, soft),
    Case::new("what_is_not_there_can_be_deleted_but_not_queried", Needs::Answers, absent),
    Case::new("a_fresh_pair_has_no_traffic_until_it_is_deleted", Needs::Sas, life),
    Case::new("an_installation_is_all_or_nothing", Needs::Sas, all_or_nothing),
    Case::new("half_a_pair_can_be_queried_completed_and_deleted", Needs::Sas, half),
    Case::new("a_reserved_spi_waits_for_a_slow_negotiation", Needs::Sas, slow),
    Case::new("a_soft_sa_and_a_pair_for_the_same_traffic", Needs::Sas, soft_and_pair),
    Case::new("a_pair_outlives_its_successor_and_its_predecessor", Needs::Sas, overlap),
];

fn soft(bench: &mut Bench<'_>) {
    let shape = Shape::new(Mode::Transport);
    let soft = TrafficPolicy { action: TrafficAction::Permit, priority: 999, ..shape.policy(Host::A) };
    let id = bench.id();
    for _ in 0..2 {
        bench.must(Host::A, SaOp::InstallSoft { id, policy: soft });
        assert!(bench.done(Host::A, SaOp::InstallSoft { id, policy: soft }).is_err(), "one handle for two");
        assert!(bench.try_usage(Host::A, id).is_err(), "it is no pair");
        bench.must(Host::A, SaOp::Delete { id, inbound: vec![] });
    }
    bench.must(Host::A, SaOp::Delete { id, inbound: vec![] });
}

fn soft_and_pair(bench: &mut Bench<'_>) {
    let shape = Shape::new(Mode::Transport);
    let soft = TrafficPolicy { action: TrafficAction::Permit, priority: 999, ..shape.policy(Host::A) };
    let id = bench.id();
    bench.must(Host::A, SaOp::InstallSoft { id, policy: soft });
    let [own, peers] = Host::BOTH.map(|host| bench.alloc_spi(host, &shape));
    let [inbound, _] = shape.pair(Host::A, id, own, peers).steps();
    assert!(bench.done(Host::A, inbound).is_err(), "one handle for a soft SA and a pair");
    // The pair for the same traffic has another, and outlives the soft SA.
    let pair = bench.establish(&shape);
    assert!(bench.done(Host::A, SaOp::InstallSoft { id: pair.id, policy: soft }).is_err(), "the handle of a pair");
    bench.must(Host::A, SaOp::Delete { id, inbound: vec![] });
    bench.usage(Host::A, pair.id);
    bench.delete(Host::A, &shape, pair);
}

fn spis(bench: &mut Bench<'_>) {
    for mode in [Mode::Transport, Mode::Tunnel] {
        for ipv6 in [false, true] {
            let shape = Shape { ipv6, ..Shape::new(mode) };
            let spis: BTreeSet<Spi> = (0..20).map(|_| bench.alloc_spi(Host::A, &shape)).collect();
            assert_eq!(spis.len(), 20, "{spis:?}");
            // RFC 4303 §2.1: 0 to 255 are reserved.
            assert!(spis.first().is_some_and(|spi| spi.0 > 255), "{spis:?}");
            for spi in spis {
                bench.must(Host::A, SaOp::ReleaseSpi(shape.name(Host::A, spi)));
            }
        }
    }
}

fn policies(bench: &mut Bench<'_>) {
    let (transport, tunnel) = (Shape::new(Mode::Transport), Shape { ipv6_inside: true, ..Shape::new(Mode::Tunnel) });
    let (one, other) = (transport.policy(Host::A), tunnel.policy(Host::A));
    let block = TrafficPolicy { action: TrafficAction::Block, priority: 9, ..one };
    for list in [vec![one], vec![one, other], vec![block, other], vec![block, one, one], vec![], vec![other]] {
        bench.must(Host::A, SaOp::SetPolicies(list));
    }
}

fn absent(bench: &mut Bench<'_>) {
    let shape = Shape::new(Mode::Transport);
    let id = bench.id();
    let name = shape.name(Host::A, Spi(0x1234_5678));
    bench.must(Host::A, SaOp::Delete { id, inbound: vec![name] });
    bench.must(Host::A, SaOp::ReleaseSpi(name));
    let error = bench.try_usage(Host::A, id).expect_err("no such pair");
    assert_eq!(error.driver, bench.capabilities().name);
    assert!(error.operation.contains(&id.to_string()), "{error}");
    let (local, remote) = ((shape.outer(Host::A), 4500).into(), (shape.outer(Host::B), 4500).into());
    assert!(bench.done(Host::A, SaOp::Update { id, local, remote }).is_err());
}

/// Nothing went through a pair, as far as the driver counts.
#[track_caller]
fn assert_unused(usage: ikecore::sa::driver::Usage, what: &str) {
    let ikecore::sa::driver::Usage { replays, integrity_failures, .. } = usage;
    let unused = ikecore::sa::driver::Usage { replays, integrity_failures, ..Default::default() };
    assert_eq!(usage, unused, "{what}");
    assert_eq!((replays.unwrap_or(0), integrity_failures.unwrap_or(0)), (0, 0), "{what}");
}

fn life(bench: &mut Bench<'_>) {
    for mode in [Mode::Transport, Mode::Tunnel] {
        let shape = Shape::new(mode);
        let pair = bench.establish(&shape);
        for host in Host::BOTH {
            let usage = bench.usage(host, pair.id);
            assert_unused(usage, &format!("{host:?}"));
            bench.delete(host, &shape, pair);
            assert!(bench.try_usage(host, pair.id).is_err());
            // Once more: what is no longer there is no error.
            bench.delete(host, &shape, pair);
        }
    }
}

fn all_or_nothing(bench: &mut Bench<'_>) {
    let shape = Shape::new(Mode::Transport);
    let first = bench.establish(&shape);
    let id = bench.id();
    let own = bench.alloc_spi(Host::A, &shape);
    // The outbound SA is there already.
    let error = bench.install(Host::A, shape.pair(Host::A, id, own, first.spis[1])).expect_err("two SAs with one name");
    assert!(error.operation.contains(&shape.name(Host::B, first.spis[1]).to_string()), "{error}");
    assert!(bench.try_usage(Host::A, id).is_err());
    bench.usage(Host::A, first.id);
    // Of the failed attempt nothing stands in the way of another with the same handle.
    let own = bench.alloc_spi(Host::A, &shape);
    let peers = bench.alloc_spi(Host::B, &shape);
    bench.must_install(Host::A, shape.pair(Host::A, id, own, peers));
    bench.usage(Host::A, id);
    for step in shape.pair(Host::A, id, bench.alloc_spi(Host::A, &shape), Spi(0x1234_5678)).steps() {
        assert!(bench.done(Host::A, step).is_err(), "one handle for two pairs");
    }
    bench.usage(Host::A, id);
}

fn half(bench: &mut Bench<'_>) {
    for mode in [Mode::Transport, Mode::Tunnel] {
        let shape = Shape::new(mode);
        let first = bench.establish(&shape);
        let id = bench.id();
        let own = bench.alloc_spi(Host::A, &shape);
        let inbound = shape.name(Host::A, own);
        let [_, early] = shape.pair(Host::A, id, own, Spi(0x1234_5678)).steps();
        assert!(bench.done(Host::A, early).is_err(), "the second step before the first");
        // The SPI that was kept for it goes with it, though there is no SA.
        bench.must(Host::A, SaOp::Delete { id, inbound: vec![inbound] });
        let own = bench.alloc_spi(Host::A, &shape);
        let inbound = shape.name(Host::A, own);
        // The outbound SA of another pair has the name that this one's would have.
        let [one, other] = shape.pair(Host::A, id, own, first.spis[1]).steps();
        bench.must(Host::A, one);
        assert_unused(bench.usage(Host::A, id), "with both SAs");
        let (local, remote) = ((shape.outer(Host::A), 4500).into(), (shape.outer(Host::B), 4500).into());
        assert!(bench.done(Host::A, SaOp::Update { id, local, remote }).is_err(), "half a pair does not move");
        assert!(bench.done(Host::A, other).is_err(), "two SAs with one name");
        assert_unused(bench.usage(Host::A, id), "the inbound SA stays");
        bench.must(Host::A, SaOp::Delete { id, inbound: vec![inbound] });
        assert!(bench.try_usage(Host::A, id).is_err());
        bench.usage(Host::A, first.id);
        // The name is free again.
        let [one, other] = shape.pair(Host::A, id, own, Spi(0x1234_5678)).steps();
        bench.must(Host::A, one);
        bench.must(Host::A, other);
        bench.must(Host::A, SaOp::Delete { id, inbound: vec![inbound] });
        bench.delete(Host::A, &shape, first);
    }
}

fn overlap(bench: &mut Bench<'_>) {
    let shape = Shape::new(Mode::Tunnel);
    bench.must(Host::A, SaOp::SetPolicies(vec![shape.policy(Host::A)]));
    let pairs = [bench.establish(&shape), bench.establish(&shape), bench.establish(&shape)];
    for gone in [1, 0, 2] {
        for pair in pairs {
            bench.usage(Host::A, pair.id);
        }
        bench.delete(Host::A, &shape, pairs[gone]);
        assert!(bench.try_usage(Host::A, pairs[gone].id).is_err());
        // Its place is taken, so that all three are there again.
        let own = bench.alloc_spi(Host::A, &shape);
        bench.must_install(Host::A, shape.pair(Host::A, pairs[gone].id, own, pairs[gone].spis[1]));
    }
}

fn slow(bench: &mut Bench<'_>) {
    let shape = Shape::new(Mode::Transport);
    let id = bench.id();
    let [own, peers] = Host::BOTH.map(|host| bench.alloc_spi(host, &shape));
    bench.told_within(Host::A, std::time::Duration::from_millis(2500));
    bench.must_install(Host::A, shape.pair(Host::A, id, own, peers));
    bench.usage(Host::A, id);
}
