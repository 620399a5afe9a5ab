//! Packets that meet policies; no SA is needed.
use std::time::Duration;

use ikecore::ids::Spi;
use ikecore::policy::selector::{Flow, Prefix, Selector};
use ikecore::proposal::suite::Mode;
use ikecore::sa::driver::{Direction, SaOp, TrafficAction, TrafficPolicy};
use ikedaemon::driver::DriverMessage;

use super::bench::{Bench, Shape};
use super::{Case, Host, Needs};

pub(super) const CASES: &[Case] = &[
    Case::new("a_packet_without_sa_asks_for_one", Needs::Policies, acquire),
    Case::new("block_drops_and_permit_before_it_passes", Needs::Policies, block),
    Case::new("a_policy_for_one_direction_is_nothing_to_the_other", Needs::Policies, one_way),
    Case::new("clear_packets_are_dropped_where_protection_is_due", Needs::Policies, inbound),
    Case::new("a_soft_sa_passes_its_traffic_until_it_ends", Needs::Policies, soft),
    Case::new("policies_replaced_are_gone", Needs::Policies, replaced),
    Case::new("the_daemons_own_sockets_are_exempt", Needs::Policies, exempt),
    Case::new("a_driver_that_ends_takes_its_policies_along", Needs::Policies, end),
    Case::new("a_reserved_spi_is_nobodys_traffic", Needs::Policies, reserved),
];

/// UDP.
const UDP: u8 = 17;

fn acquire(bench: &mut Bench<'_>) {
    for (mode, ipv6, reqid) in [
        (Mode::Transport, false, 7),
        (Mode::Transport, true, 8),
        (Mode::Tunnel, false, 9),
        (Mode::Tunnel, true, 65_535),
    ] {
        let shape = Shape { ipv6, ipv6_inside: ipv6, reqid, ..Shape::new(mode) };
        bench.must(Host::A, SaOp::SetPolicies(vec![shape.policy(Host::A)]));
        let from = bench.socket(Host::A, shape.inner(Host::A), 0);
        let to = bench.socket(Host::B, shape.inner(Host::B), 7777);
        assert!(bench.is_lost(&from, &to, 100), "{shape:?}: in clear");
        let acquire = bench.told(Host::A, "that an SA is needed", |message| match message {
            // Neighbour discovery matches such a policy, too.
            DriverMessage::Acquire(acquire) if acquire.flow.protocol == UDP => Some(*acquire),
            _ => None,
        });
        let flow = Flow {
            local: shape.inner(Host::A),
            remote: shape.inner(Host::B),
            protocol: UDP,
            local_port: from.local_addr().expect("a bound socket").port(),
            remote_port: 7777,
            scope: ikecore::address::Scope::ANY,
        };
        assert_eq!((acquire.flow, acquire.reqid), (flow, reqid));
        bench.must(Host::A, SaOp::SetPolicies(vec![]));
    }
}

fn block(bench: &mut Bench<'_>) {
    let shape = Shape::new(Mode::Transport);
    let block = TrafficPolicy { action: TrafficAction::Block, priority: 2000, ..shape.policy(Host::A) };
    let permit = TrafficPolicy {
        action: TrafficAction::Permit,
        priority: 1000,
        ..Shape { port: 7777, ..shape }.policy(Host::A)
    };
    let from = bench.socket(Host::A, shape.inner(Host::A), 0);
    let to = bench.socket(Host::B, shape.inner(Host::B), 7777);
    let other = bench.socket(Host::B, shape.inner(Host::B), 7778);
    assert!(bench.arrives(&from, &to, 100));
    bench.must(Host::A, SaOp::SetPolicies(vec![block]));
    assert!(bench.is_lost(&from, &to, 100), "out");
    assert!(bench.is_lost(&to, &from, 100), "in");
    bench.must(Host::A, SaOp::SetPolicies(vec![block, permit]));
    assert!(bench.arrives(&from, &to, 100));
    assert!(bench.arrives(&to, &from, 100));
    assert!(bench.is_lost(&from, &other, 100));
    // The other way round, permission comes too late.
    let late = TrafficPolicy { priority: 3000, ..permit };
    bench.must(Host::A, SaOp::SetPolicies(vec![block, late]));
    assert!(bench.is_lost(&from, &to, 100));
    assert_eq!(bench.told_within(Host::A, Duration::from_millis(50)).len(), 0, "nothing is needed");
}

fn one_way(bench: &mut Bench<'_>) {
    for ipv6 in [false, true] {
        let shape = Shape { ipv6, ..Shape::new(Mode::Transport) };
        let from = bench.socket(Host::A, shape.inner(Host::A), 0);
        let to = bench.socket(Host::B, shape.inner(Host::B), 7777);
        let both = shape.policy(Host::A);
        let going = |action, priority, direction| TrafficPolicy {
            selector: both.selector.going(direction),
            action,
            priority,
            ..both
        };
        let (block, permit) = (TrafficAction::Block, TrafficAction::Permit);
        bench.must(Host::A, SaOp::SetPolicies(vec![going(block, 1000, Direction::Inbound)]));
        assert!(bench.arrives(&from, &to, 100), "out");
        assert!(bench.is_lost(&to, &from, 100), "in");
        bench.must(Host::A, SaOp::SetPolicies(vec![going(block, 1000, Direction::Outbound)]));
        assert!(bench.is_lost(&from, &to, 100), "out");
        assert!(bench.arrives(&to, &from, 100), "in");
        // An exception for one direction, before and after what it is an exception from.
        let all = TrafficPolicy { action: block, ..both };
        bench.must(Host::A, SaOp::SetPolicies(vec![going(permit, 900, Direction::Inbound), all]));
        assert!(bench.is_lost(&from, &to, 100), "out");
        assert!(bench.arrives(&to, &from, 100), "in");
        bench.must(Host::A, SaOp::SetPolicies(vec![going(permit, 1100, Direction::Inbound), all]));
        assert!(bench.is_lost(&to, &from, 100), "it comes too late");
        // Each its own way.
        let each = vec![going(permit, 1000, Direction::Outbound), going(block, 1000, Direction::Inbound)];
        bench.must(Host::A, SaOp::SetPolicies(each));
        assert!(bench.arrives(&from, &to, 100), "out");
        assert!(bench.is_lost(&to, &from, 100), "in");
        bench.must(Host::A, SaOp::SetPolicies(vec![]));
        assert!(bench.arrives(&from, &to, 100));
        assert!(bench.arrives(&to, &from, 100));
    }
}

fn soft(bench: &mut Bench<'_>) {
    for ipv6 in [false, true] {
        let shape = Shape { ipv6, ..Shape::new(Mode::Transport) };
        let hosts = shape.policy(Host::A);
        let len = if ipv6 { 64 } else { 24 };
        let net = Prefix::new(hosts.selector.remote.address(), len).expect("a prefix");
        let protect = TrafficPolicy { priority: 2000, ..hosts };
        let protect_net = TrafficPolicy { selector: Selector { remote: net, ..hosts.selector }, ..protect };
        let block = TrafficPolicy {
            action: TrafficAction::Block,
            priority: 1000,
            ..Shape { port: 7778, ..shape }.policy(Host::A)
        };
        let from = bench.socket(Host::A, shape.inner(Host::A), 0);
        let to = bench.socket(Host::B, shape.inner(Host::B), 7777);
        let blocked = bench.socket(Host::B, shape.inner(Host::B), 7778);
        // The filter is for the two hosts alone, or for more.
        for standing in [protect, protect_net] {
            bench.must(Host::A, SaOp::SetPolicies(vec![standing, block]));
            // What a driver holds back arrives when it may: so each time it is for another socket.
            let early = bench.socket(Host::B, shape.inner(Host::B), 0);
            assert!(bench.is_lost(&from, &early, 100), "{standing:?}");
            let id = bench.id();
            let soft = TrafficPolicy { action: TrafficAction::Permit, priority: 1999, ..hosts };
            bench.must(Host::A, SaOp::InstallSoft { id, policy: soft });
            assert!(bench.arrives(&from, &to, 100), "out, {standing:?}");
            assert!(bench.arrives(&to, &from, 100), "in, {standing:?}");
            assert!(bench.is_lost(&from, &blocked, 100), "a filter that comes before, {standing:?}");
            // New standing policies leave it as it is.
            bench.must(Host::A, SaOp::SetPolicies(vec![block, standing]));
            assert!(bench.arrives(&from, &to, 100), "{standing:?}");
            bench.must(Host::A, SaOp::Delete { id, inbound: vec![] });
            let late = bench.socket(Host::B, shape.inner(Host::B), 0);
            assert!(bench.is_lost(&from, &late, 100), "out after its end, {standing:?}");
            assert!(bench.is_lost(&to, &from, 100), "in after its end, {standing:?}");
        }
        bench.must(Host::A, SaOp::SetPolicies(vec![]));
        assert!(bench.arrives(&from, &to, 100));
    }
}

fn inbound(bench: &mut Bench<'_>) {
    for mode in [Mode::Transport, Mode::Tunnel] {
        let shape = Shape::new(mode);
        let to = bench.socket(Host::A, shape.inner(Host::A), 7777);
        let from = bench.socket(Host::B, shape.inner(Host::B), 0);
        assert!(bench.arrives(&from, &to, 100));
        let strict = shape.policy(Host::A);
        bench.must(Host::A, SaOp::SetPolicies(vec![strict]));
        assert!(bench.is_lost(&from, &to, 100), "{mode}: a clear packet");
        let TrafficAction::Protect { protocols, mode, endpoints, .. } = strict.action else { unreachable!() };
        let lax = TrafficAction::Protect { protocols, mode, endpoints, inbound_passthrough: true };
        bench.must(Host::A, SaOp::SetPolicies(vec![TrafficPolicy { action: lax, ..strict }]));
        assert!(bench.arrives(&from, &to, 100), "{mode}: a clear packet with inbound pass-through");
        assert!(bench.is_lost(&to, &from, 100), "{mode}: the answer in clear");
        bench.must(Host::A, SaOp::SetPolicies(vec![]));
    }
}

fn replaced(bench: &mut Bench<'_>) {
    let shape = Shape::new(Mode::Transport);
    let from = bench.socket(Host::A, shape.inner(Host::A), 0);
    let to = bench.socket(Host::B, shape.inner(Host::B), 7777);
    for action in [TrafficAction::Block, shape.policy(Host::A).action] {
        bench.must(Host::A, SaOp::SetPolicies(vec![TrafficPolicy { action, ..shape.policy(Host::A) }]));
        assert!(bench.is_lost(&from, &to, 100), "{action:?}");
        let permit = TrafficPolicy { action: TrafficAction::Permit, ..shape.policy(Host::A) };
        bench.must(Host::A, SaOp::SetPolicies(vec![permit]));
        assert!(bench.arrives(&from, &to, 100), "{action:?}");
    }
    bench.must(Host::A, SaOp::SetPolicies(vec![]));
    assert!(bench.arrives(&from, &to, 100));
}

fn exempt(bench: &mut Bench<'_>) {
    for ipv6 in [false, true] {
        let shape = Shape { ipv6, ..Shape::new(Mode::Transport) };
        for host in Host::BOTH {
            bench.must(host, SaOp::SetPolicies(vec![shape.policy(host)]));
        }
        let [a, b] = Host::BOTH.map(|host| bench.prepared(host, shape.outer(host), 500, false));
        // IPv6: neighbour discovery must not need what is being negotiated.
        assert!(bench.arrives(&a, &b, 100), "IKE, IPv6: {ipv6}");
        assert!(bench.arrives(&b, &a, 100), "IKE, IPv6: {ipv6}");
        for host in Host::BOTH {
            bench.must(host, SaOp::SetPolicies(vec![]));
        }
    }
}

fn end(bench: &mut Bench<'_>) {
    let shape = Shape::new(Mode::Transport);
    let from = bench.socket(Host::A, shape.inner(Host::A), 0);
    let to = bench.socket(Host::B, shape.inner(Host::B), 7777);
    for action in [TrafficAction::Block, shape.policy(Host::A).action] {
        bench.must(Host::A, SaOp::SetPolicies(vec![TrafficPolicy { action, ..shape.policy(Host::A) }]));
        assert!(bench.is_lost(&from, &to, 100));
        bench.reopen(Host::A);
        assert!(bench.arrives(&from, &to, 100), "{action:?}");
    }
}

fn reserved(bench: &mut Bench<'_>) {
    let shape = Shape::new(Mode::Transport);
    bench.must(Host::A, SaOp::SetPolicies(vec![shape.policy(Host::A)]));
    let spi = bench.alloc_spi(Host::A, &shape);
    assert_ne!(spi, Spi(0));
    let from = bench.socket(Host::A, shape.inner(Host::A), 0);
    let to = bench.socket(Host::B, shape.inner(Host::B), 7777);
    assert!(bench.is_lost(&from, &to, 100));
    bench.told(Host::A, "that an SA is needed", |message| {
        matches!(message, DriverMessage::Acquire(acquire) if acquire.flow.protocol == UDP).then_some(())
    });
}
