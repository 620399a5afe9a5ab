//! Policies of one link for packets that arrive.
//!
//! When a packet arrives the kernel compares the interface of a policy with the loopback interface, so such a policy can
//! have none, and those of two links with the same addresses are one policy of the kernel: it takes the SAs of either,
//! and counts with the first of their priorities. Which link a packet came on the kernel tells by itself to whom gets it.
use crate::driver::policy_table::{PolicyChange, PolicyDirection};
use ikecore::address::Scope;
use ikecore::policy::selector::Selector;
use ikecore::sa::driver::TrafficPolicy;
use std::collections::BTreeMap;

/// The policies of each link, by direction and by the traffic without its link.
#[derive(Debug, Default)]
pub(super) struct Arriving(BTreeMap<(PolicyDirection, Selector), BTreeMap<Scope, TrafficPolicy>>);

/// A change that is not made yet.
#[derive(Debug)]
pub(super) struct Planned {
    /// What the kernel is to be told, if anything.
    pub(super) change: Option<PolicyChange>,
    key: (PolicyDirection, Selector),
    links: BTreeMap<Scope, TrafficPolicy>,
}

impl Arriving {
    /// What `change` is for the kernel; nothing if it is no policy of one link for packets that arrive. The error says why it
    /// cannot be.
    pub(super) fn plan(&self, change: &PolicyChange) -> Result<Option<Planned>, String> {
        let (direction, wanted) = match *change {
            PolicyChange::Add { direction, policy } | PolicyChange::Update { direction, new: policy, .. } => {
                (direction, Some(policy))
            }
            PolicyChange::Delete { direction, .. } => (direction, None),
        };
        let selector = change.selector();
        if direction == PolicyDirection::Outbound || selector.scope == Scope::ANY {
            return Ok(None);
        }
        let key = (direction, Selector { scope: Scope::ANY, ..selector });
        let mut links = self.0.get(&key).cloned().unwrap_or_default();
        let before = first(&links);
        match wanted {
            Some(policy) => drop(links.insert(selector.scope, policy)),
            None => drop(links.remove(&selector.scope)),
        }
        let other = links.values().find(|other| wanted.is_some_and(|wanted| wanted.action != other.action));
        if let Some(other) = other {
            return Err(format!(
                "the kernel does not tell links apart when packets arrive, and {} is protected otherwise; allowed: the same \
                 filter action for both",
                other.selector
            ));
        }
        let change = match (before, first(&links)) {
            (before, after) if before == after => None,
            (None, Some(policy)) => Some(PolicyChange::Add { direction, policy }),
            (Some(old), Some(new)) => Some(PolicyChange::Update { direction, old, new }),
            (Some(policy), None) => Some(PolicyChange::Delete { direction, policy }),
            (None, None) => None,
        };
        Ok(Some(Planned { change, key, links }))
    }

    /// The change is made.
    pub(super) fn made(&mut self, planned: Planned) {
        if planned.links.is_empty() {
            self.0.remove(&planned.key);
        } else {
            self.0.insert(planned.key, planned.links);
        }
    }
}

/// What stands for all of them.
fn first(links: &BTreeMap<Scope, TrafficPolicy>) -> Option<TrafficPolicy> {
    links.values().min_by_key(|policy| policy.priority).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ikecore::policy::selector::Prefix;
    use ikecore::sa::driver::TrafficAction;

    fn policy(link: u32, priority: u32, action: TrafficAction) -> TrafficPolicy {
        let host = |text: &str| Prefix::host(text.parse().expect("an address"));
        let selector = Selector { scope: Scope(link), ..Selector::between(host("fe80::1"), host("fe80::2")) };
        TrafficPolicy { selector, action, priority, reqid: link }
    }

    fn make(arriving: &mut Arriving, change: PolicyChange) -> Option<PolicyChange> {
        let planned = arriving.plan(&change).expect("it can be").expect("it is of one link");
        let told = planned.change;
        arriving.made(planned);
        told
    }

    #[test]
    fn those_of_two_links_are_one_for_the_kernel() {
        let direction = PolicyDirection::Inbound;
        let of = |link, priority| policy(link, priority, TrafficAction::Permit);
        let (add, delete) =
            (|policy| PolicyChange::Add { direction, policy }, |policy| PolicyChange::Delete { direction, policy });
        let mut arriving = Arriving::default();
        assert_eq!(make(&mut arriving, add(of(2, 10))), Some(add(of(2, 10))));
        assert_eq!(make(&mut arriving, add(of(3, 12))), None);
        // The second gets a pair, whose priority comes first.
        let update = PolicyChange::Update { direction, old: of(3, 12), new: of(3, 9) };
        assert_eq!(
            make(&mut arriving, update),
            Some(PolicyChange::Update { direction, old: of(2, 10), new: of(3, 9) })
        );
        let back = Some(PolicyChange::Update { direction, old: of(3, 9), new: of(2, 10) });
        assert_eq!(make(&mut arriving, update.inverse()), back);
        let blocks = PolicyChange::Add { direction, policy: policy(4, 1, TrafficAction::Block) };
        let refused = arriving.plan(&blocks).unwrap_err();
        assert!(refused.contains("fe80::1%2 <-> fe80::2%2 is protected otherwise"), "{refused}");
        assert_eq!(
            make(&mut arriving, delete(of(2, 10))),
            Some(PolicyChange::Update { direction, old: of(2, 10), new: of(3, 12) })
        );
        assert_eq!(make(&mut arriving, delete(of(3, 12))), Some(delete(of(3, 12))));
        assert!(arriving.0.is_empty());
    }

    #[test]
    fn what_leaves_and_what_has_no_link_is_not_its_affair() {
        let outbound = PolicyDirection::Outbound;
        let change = PolicyChange::Add { direction: outbound, policy: policy(2, 1, TrafficAction::Permit) };
        assert!(Arriving::default().plan(&change).unwrap().is_none());
        let anywhere = policy(0, 1, TrafficAction::Permit);
        let change = PolicyChange::Add { direction: PolicyDirection::Inbound, policy: anywhere };
        assert!(Arriving::default().plan(&change).unwrap().is_none());
    }
}
