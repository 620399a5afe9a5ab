use super::{PolicyChange, PolicyDirection, PolicyTable};
use PolicyDirection::{Forward, Inbound, Outbound};
use ikecore::ids::IpsecSaId;
use ikecore::policy::selector::{Prefix, Selector};
use ikecore::proposal::suite::{Mode, Protocols};
use ikecore::sa::driver::{Direction, TrafficAction, TrafficPolicy};
use proptest::prelude::*;
use std::collections::BTreeMap;

const TRANSPORT: TrafficAction = TrafficAction::Protect {
    protocols: Protocols::ESP,
    mode: Mode::Transport,
    endpoints: None,
    inbound_passthrough: false,
};

fn tunnel() -> TrafficAction {
    let address = |text: &str| text.parse().expect("an address");
    TrafficAction::Protect {
        protocols: Protocols::ESP,
        mode: Mode::Tunnel,
        endpoints: Some((address("192.0.2.1"), address("192.0.2.2"))),
        inbound_passthrough: false,
    }
}

fn selector(number: u8) -> Selector {
    Selector::between(Prefix::host([10, 0, 0, 1].into()), Prefix::host([10, 0, 1, number].into()))
}

fn policy(number: u8, action: TrafficAction) -> TrafficPolicy {
    TrafficPolicy { selector: selector(number), action, priority: 100, reqid: 7 }
}

fn add(direction: PolicyDirection, policy: TrafficPolicy) -> PolicyChange {
    PolicyChange::Add { direction, policy }
}

fn delete(direction: PolicyDirection, policy: TrafficPolicy) -> PolicyChange {
    PolicyChange::Delete { direction, policy }
}

#[test]
fn a_pair_adds_its_policies_and_takes_them_away() {
    let mut table = PolicyTable::new();
    let (transport, tunnel) = (policy(1, TRANSPORT), policy(2, tunnel()));
    assert_eq!(table.install(IpsecSaId(1), transport), [add(Inbound, transport), add(Outbound, transport)]);
    assert_eq!(
        table.install(IpsecSaId(2), tunnel),
        [add(Inbound, tunnel), add(Outbound, tunnel), add(Forward, tunnel)]
    );
    assert_eq!(table.in_force().count(), 5);
    assert_eq!(table.remove(IpsecSaId(1)), [delete(Inbound, transport), delete(Outbound, transport)]);
    assert_eq!(table.remove(IpsecSaId(1)), []);
    assert_eq!(table.in_force().count(), 3);
}

#[test]
fn a_rekeyed_pair_changes_nothing() {
    let mut table = PolicyTable::new();
    let policy = policy(1, TRANSPORT);
    table.install(IpsecSaId(1), policy);
    assert_eq!(table.install(IpsecSaId(2), policy), []);
    assert_eq!(table.remove(IpsecSaId(1)), []);
    assert_eq!(table.remove(IpsecSaId(2)).len(), 2);
}

#[test]
fn a_pair_hides_the_standing_policy_and_gives_it_back() {
    let mut table = PolicyTable::new();
    let standing = policy(1, TrafficAction::Block);
    let of_pair = TrafficPolicy { priority: 50, ..policy(1, TRANSPORT) };
    let (_, changes) = table.set_standing(vec![standing]);
    assert_eq!(changes, [add(Inbound, standing), add(Outbound, standing), add(Forward, standing)]);
    assert_eq!(
        table.install(IpsecSaId(1), of_pair),
        [
            PolicyChange::Update { direction: Inbound, old: standing, new: of_pair },
            PolicyChange::Update { direction: Outbound, old: standing, new: of_pair },
            delete(Forward, standing),
        ]
    );
    // While it is hidden, a change of the standing policy does not reach the kernel.
    let other = TrafficPolicy { priority: 7, ..standing };
    assert_eq!(table.set_standing(vec![other]), (vec![standing], vec![]));
    assert_eq!(
        table.remove(IpsecSaId(1)),
        [
            PolicyChange::Update { direction: Inbound, old: of_pair, new: other },
            PolicyChange::Update { direction: Outbound, old: of_pair, new: other },
            add(Forward, other),
        ]
    );
}

#[test]
fn a_known_pair_keeps_its_place() {
    let mut table = PolicyTable::new();
    table.install(IpsecSaId(1), policy(1, TRANSPORT));
    table.install(IpsecSaId(2), policy(1, tunnel()));
    assert_eq!(table.install(IpsecSaId(1), policy(1, TrafficAction::Permit)), []);
    let changes = table.install(IpsecSaId(2), policy(2, tunnel()));
    assert!(changes.contains(&PolicyChange::Update {
        direction: Inbound,
        old: policy(1, tunnel()),
        new: policy(1, TrafficAction::Permit)
    }));
    assert!(changes.contains(&add(Forward, policy(2, tunnel()))));
}

#[test]
fn of_two_with_one_selector_the_first_in_order_counts() {
    let mut table = PolicyTable::new();
    let (late, early) = (policy(1, TRANSPORT), TrafficPolicy { priority: 1, ..policy(1, TrafficAction::Block) });
    table.set_standing(vec![late, early, late]);
    assert_eq!(table.in_force().collect::<Vec<_>>(), [(Inbound, early), (Outbound, early), (Forward, early)]);
}

#[test]
fn a_policy_for_one_direction_is_in_force_there_only() {
    let mut table = PolicyTable::new();
    let block = TrafficPolicy { priority: 1, ..policy(1, TrafficAction::Block) };
    let inbound = TrafficPolicy { selector: block.selector.going(Direction::Inbound), ..block };
    let protect = policy(1, TRANSPORT);
    let (_, changes) = table.set_standing(vec![inbound, protect]);
    assert_eq!(changes, [add(Inbound, block), add(Outbound, protect), add(Forward, block)]);
    // The policy of a pair is for what is left; one that comes sooner stays in force.
    let of_pair = TrafficPolicy { priority: 99, ..protect };
    let leaving = PolicyChange::Update { direction: Outbound, old: protect, new: of_pair };
    assert_eq!(table.install(IpsecSaId(1), of_pair), [leaving]);
    assert_eq!(table.remove(IpsecSaId(1)), [leaving.inverse()]);
    // One that comes later never counts.
    let late = TrafficPolicy { priority: 200, ..inbound };
    let (_, changes) = table.set_standing(vec![protect, late]);
    let old = block;
    assert_eq!(
        changes,
        [
            PolicyChange::Update { direction: Inbound, old, new: protect },
            PolicyChange::Update { direction: Forward, old, new: TrafficPolicy { priority: 200, ..block } },
        ]
    );
    let (_, changes) = table.set_standing(Vec::new());
    assert_eq!(changes.len(), 3);
    assert_eq!(table.in_force().count(), 0);
}

#[test]
fn new_protection_comes_before_old_goes() {
    let mut table = PolicyTable::new();
    table.set_standing(vec![policy(1, TRANSPORT)]);
    let (_, changes) = table.set_standing(vec![policy(2, TRANSPORT)]);
    assert_eq!(
        changes,
        [
            add(Inbound, policy(2, TRANSPORT)),
            add(Outbound, policy(2, TRANSPORT)),
            delete(Inbound, policy(1, TRANSPORT)),
            delete(Outbound, policy(1, TRANSPORT)),
        ]
    );
}

/// A kernel that refuses what a kernel refuses.
#[derive(Default, PartialEq, Eq, Debug)]
struct Kernel(BTreeMap<(PolicyDirection, Selector), TrafficPolicy>);

impl Kernel {
    fn apply(&mut self, changes: impl IntoIterator<Item = PolicyChange>) {
        for change in changes {
            let previous = match change {
                PolicyChange::Add { direction, policy } => {
                    assert_eq!(self.0.insert((direction, policy.selector), policy), None, "{change}");
                    continue;
                }
                PolicyChange::Update { direction, old, new } => {
                    assert_eq!(old.selector, new.selector);
                    (self.0.insert((direction, new.selector), new), old)
                }
                PolicyChange::Delete { direction, policy } => (self.0.remove(&(direction, policy.selector)), policy),
            };
            assert_eq!(previous.0, Some(previous.1), "{change}");
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    Install(u64, TrafficPolicy),
    Remove(u64),
    Standing(Vec<TrafficPolicy>),
}

fn any_policy() -> impl Strategy<Value = TrafficPolicy> {
    let actions = prop_oneof![Just(TRANSPORT), Just(tunnel()), Just(TrafficAction::Permit), Just(TrafficAction::Block)];
    (0..4_u8, actions, 0..3_u32)
        .prop_map(|(number, action, priority)| TrafficPolicy { priority, ..policy(number, action) })
}

/// Also for one direction, if it permits or blocks.
fn any_standing() -> impl Strategy<Value = TrafficPolicy> {
    let direction = prop_oneof![Just(None), Just(Some(Direction::Inbound)), Just(Some(Direction::Outbound))];
    (any_policy(), direction).prop_map(|(policy, direction)| {
        let protects = matches!(policy.action, TrafficAction::Protect { .. });
        let direction = direction.filter(|_| !protects);
        TrafficPolicy { selector: Selector { direction, ..policy.selector }, ..policy }
    })
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..5_u64, any_policy()).prop_map(|(id, policy)| Step::Install(id, policy)),
        (0..5_u64).prop_map(Step::Remove),
        proptest::collection::vec(any_standing(), 0..8).prop_map(Step::Standing),
    ]
}

proptest! {
    #[test]
    fn the_kernel_always_holds_what_is_in_force(steps in proptest::collection::vec(any_step(), 1..40)) {
        let (mut table, mut kernel) = (PolicyTable::new(), Kernel::default());
        for step in steps {
            let before = Kernel(kernel.0.clone());
            let changes = match step {
                Step::Install(id, policy) => table.install(IpsecSaId(id), policy),
                Step::Remove(id) => table.remove(IpsecSaId(id)),
                Step::Standing(policies) => table.set_standing(policies).1,
            };
            kernel.apply(changes.iter().copied());
            // The inverses in reverse lead back.
            kernel.apply(changes.iter().rev().map(|change| change.inverse()));
            prop_assert_eq!(&kernel, &before);
            kernel.apply(changes);
            let wanted = table.in_force().map(|(direction, policy)| ((direction, policy.selector), policy)).collect();
            prop_assert_eq!(&kernel, &Kernel(wanted));
        }
    }
}
