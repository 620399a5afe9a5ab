use super::*;
use ikecore::proposal::suite::{Mode, Protocols};
use proptest::prelude::*;

fn prefix(text: &str, len: u8) -> Prefix {
    Prefix::new(text.parse().expect("an address"), len).expect("a length")
}

const PROTECT: TrafficAction = TrafficAction::Protect {
    protocols: Protocols::ESP,
    mode: Mode::Transport,
    endpoints: None,
    inbound_passthrough: false,
};

fn policy(remote: Prefix, action: TrafficAction, priority: u32, reqid: u32) -> TrafficPolicy {
    TrafficPolicy { selector: Selector::between(prefix("10.0.0.1", 32), remote), action, priority, reqid }
}

fn flow(remote: &str) -> Flow {
    let local = "10.0.0.1".parse().expect("an address");
    Flow {
        local,
        remote: remote.parse().expect("an address"),
        protocol: 17,
        local_port: 1,
        remote_port: 2,
        scope: ikecore::address::Scope::ANY,
    }
}

fn found(spd: &Spd, remote: &str) -> Option<u32> {
    spd.find(&flow(remote), Direction::Outbound).map(|policy| policy.reqid)
}

#[test]
fn lower_priority_first_and_then_the_more_specific() {
    let mut spd = Spd::default();
    spd.set_standing(vec![
        policy(prefix("10.0.0.0", 8), PROTECT, 10, 1),
        policy(prefix("10.1.0.0", 16), TrafficAction::Block, 10, 2),
        policy(prefix("10.1.2.0", 24), TrafficAction::Permit, 20, 3),
    ]);
    assert_eq!(found(&spd, "10.9.9.9"), Some(1));
    assert_eq!(found(&spd, "10.1.2.3"), Some(2));
    assert_eq!(found(&spd, "11.1.2.3"), None);
}

#[test]
fn the_policy_of_a_pair_replaces_and_is_given_back() {
    let mut spd = Spd::default();
    let remote = prefix("10.1.0.0", 16);
    spd.set_standing(vec![policy(remote, TrafficAction::Block, 10, 1)]);
    spd.add_pair(IpsecSaId(1), policy(remote, PROTECT, 10, 2));
    spd.add_pair(IpsecSaId(2), policy(remote, PROTECT, 10, 3));
    assert_eq!((found(&spd, "10.1.2.3"), spd.in_order().len()), (Some(3), 1));
    spd.remove_pair(IpsecSaId(2));
    assert_eq!(found(&spd, "10.1.2.3"), Some(2));
    spd.set_standing(vec![policy(remote, TrafficAction::Block, 10, 9)]);
    assert_eq!(found(&spd, "10.1.2.3"), Some(2));
    spd.remove_pair(IpsecSaId(1));
    assert_eq!(found(&spd, "10.1.2.3"), Some(9));
}

#[test]
fn captures_name_each_block_once_and_tell_what_is_protected_as_a_whole() {
    let mut spd = Spd::default();
    let mut part = policy(prefix("10.3.0.0", 16), PROTECT, 10, 3);
    part.selector.protocol = 6;
    spd.set_standing(vec![
        policy(prefix("10.1.0.0", 16), PROTECT, 10, 1),
        policy(prefix("10.2.0.0", 16), PROTECT, 10, 2),
        policy(prefix("10.2.2.2", 32), TrafficAction::Permit, 5, 2),
        part,
    ]);
    let captures: Vec<(String, bool)> =
        spd.captures().into_iter().map(|capture| (capture.remote.to_string(), capture.all)).collect();
    let expected = [("10.1.0.0/16", true), ("10.2.0.0/16", false), ("10.3.0.0/16", false)];
    assert_eq!(captures, expected.map(|(remote, all)| (remote.to_owned(), all)));
}

#[test]
fn a_policy_for_what_arrives_is_nothing_to_what_leaves() {
    let mut spd = Spd::default();
    let [there, back] = [prefix("10.1.0.0", 16), prefix("10.2.0.0", 16)];
    let one_way =
        |policy: TrafficPolicy, direction| TrafficPolicy { selector: policy.selector.going(direction), ..policy };
    spd.set_standing(vec![
        one_way(policy(there, TrafficAction::Block, 10, 1), Direction::Outbound),
        one_way(policy(back, TrafficAction::Block, 10, 2), Direction::Inbound),
        one_way(policy(there, TrafficAction::Permit, 5, 3), Direction::Inbound),
    ]);
    assert_eq!((found(&spd, "10.1.2.3"), found(&spd, "10.2.2.3")), (Some(1), None));
    let captures = spd.captures();
    assert_eq!(captures.iter().map(|capture| (capture.remote, capture.all)).collect::<Vec<_>>(), [(there, true)]);
}

/// Few values, so that policies meet.
fn any_policy() -> impl Strategy<Value = TrafficPolicy> {
    let block = || (0_u32..4, prop_oneof![Just(0_u8), 29_u8..=32]);
    let direction = prop_oneof![Just(None), Just(Some(Direction::Inbound)), Just(Some(Direction::Outbound))];
    let action = prop_oneof![Just(TrafficAction::Permit), Just(TrafficAction::Block), Just(PROTECT)];
    (block(), block(), prop_oneof![Just(0_u8), Just(17)], 0_u16..2, direction, action, 0_u32..3).prop_map(
        |((local, local_len), (remote, remote_len), protocol, port, direction, action, priority)| {
            let block = |bits: u32, len| {
                Prefix::new(std::net::Ipv4Addr::from_bits(0x0a00_0000 | bits).into(), len).expect("a length")
            };
            let ends = Selector::between(block(local, local_len), block(remote, remote_len));
            let remote_port = if protocol == 0 { 0 } else { port };
            let selector = Selector { protocol, remote_port, direction, ..ends };
            TrafficPolicy { selector, action, priority, reqid: 1 }
        },
    )
}

proptest! {
    #[test]
    fn what_the_index_finds_is_what_one_finds_policy_by_policy(
        standing in proptest::collection::vec(any_policy(), 0..30),
        pairs in proptest::collection::vec(any_policy(), 0..5),
    ) {
        let mut spd = Spd::default();
        spd.set_standing(standing);
        for (id, policy) in (1..).zip(pairs) {
            spd.add_pair(IpsecSaId(id), policy);
        }
        for (local, remote) in (0..4_u32).flat_map(|local| (0..4_u32).map(move |remote| (local, remote))) {
            let [local, remote] = [local, remote].map(|bits| std::net::Ipv4Addr::from_bits(0x0a00_0000 | bits).into());
            for (protocol, remote_port) in [(6, 1), (17, 1), (17, 2)] {
                let flow = Flow { local, remote, protocol, remote_port, ..flow("10.0.0.1") };
                for direction in Direction::BOTH {
                    let packet = flow.selector().going(direction);
                    let first = spd.in_order().iter().find(|policy| policy.selector.covers(&packet));
                    prop_assert_eq!(spd.find(&flow, direction), first);
                }
            }
        }
    }
}
