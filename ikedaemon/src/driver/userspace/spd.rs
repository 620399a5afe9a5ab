//! The security policy database (RFC 4301 §4.4.1): which packets are protected, dropped or let through.
use ikecore::ids::IpsecSaId;
use ikecore::policy::lookup::Filters;
use ikecore::policy::selector::{Flow, Prefix, Selector};
use ikecore::sa::driver::{Direction, TrafficAction, TrafficPolicy};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

#[cfg(test)]
mod tests;

/// The policies in force.
#[derive(Debug, Default)]
pub(super) struct Spd {
    standing: Vec<TrafficPolicy>,
    /// Those of pairs and of soft SAs, in the order of their installation.
    pairs: Vec<(IpsecSaId, TrafficPolicy)>,
    /// Those in force, the first to look at first.
    order: Vec<TrafficPolicy>,
    /// Their places in it.
    index: Filters<usize>,
}

/// Traffic to this block of addresses has to be looked at.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Capture {
    /// The peers' addresses.
    pub(super) remote: Prefix,
    /// The addresses of this side that it may come from.
    pub(super) local: Prefix,
    /// Nothing to that block may ever leave unprotected, whatever its protocol.
    pub(super) all: bool,
}

impl Spd {
    /// Replaces the standing policies.
    pub(super) fn set_standing(&mut self, policies: Vec<TrafficPolicy>) {
        self.standing = policies;
        self.sort();
    }

    /// True if a pair or soft SA with this handle has a policy.
    pub(super) fn contains(&self, id: IpsecSaId) -> bool {
        self.pairs.iter().any(|(own, _)| *own == id)
    }

    /// Puts the policy of a pair of SAs, or of a soft SA, in force: it replaces a standing one with the same selector.
    pub(super) fn add_pair(&mut self, id: IpsecSaId, policy: TrafficPolicy) {
        self.pairs.push((id, policy));
        self.sort();
    }

    /// Takes the policy of a pair back.
    pub(super) fn remove_pair(&mut self, id: IpsecSaId) {
        self.pairs.retain(|(own, _)| *own != id);
        self.sort();
    }

    fn sort(&mut self) {
        // The newest first, so that it is the one that stays among those with one selector.
        let all = self.pairs.iter().rev().map(|(_, policy)| policy).chain(&self.standing);
        let mut known = BTreeSet::new();
        self.order = all.filter(|policy| known.insert(policy.selector)).copied().collect();
        // The sort is stable: among equals, the newest pair and then the first standing policy.
        self.order.sort_by_key(|policy| (policy.priority, Reverse(specificity(&policy.selector))));
        self.index = Filters::default();
        for (place, policy) in self.order.iter().enumerate() {
            self.index.add(policy.selector, place);
        }
    }

    /// The policy for packets of `flow` that go one way, if any.
    pub(super) fn find(&self, flow: &Flow, direction: Direction) -> Option<&TrafficPolicy> {
        let packet = flow.selector().going(direction);
        let first = self.index.covering(&packet).map(|(_, place)| *place).min()?;
        self.order.get(first)
    }

    /// The policies in force, the first to look at first.
    pub(super) fn in_order(&self) -> &[TrafficPolicy] {
        &self.order
    }

    /// Which traffic has to be looked at when it leaves: each block once.
    pub(super) fn captures(&self) -> Vec<Capture> {
        let leaving = self.order.iter().filter(|policy| policy.selector.goes(Direction::Outbound));
        let (permits, others): (Vec<&TrafficPolicy>, Vec<&TrafficPolicy>) =
            leaving.partition(|policy| policy.action == TrafficAction::Permit);
        let permitted: BTreeSet<Prefix> = permits.iter().map(|policy| policy.selector.remote).collect();
        let permits_within =
            |remote: Prefix| permitted.iter().any(|other| remote.covers(*other) || other.covers(remote));
        let mut captures: BTreeMap<Prefix, Capture> = BTreeMap::new();
        for Selector { local, remote, protocol, .. } in others.into_iter().map(|policy| policy.selector) {
            let all = protocol == 0 && !permits_within(remote);
            captures.entry(remote).or_insert(Capture { remote, local, all: false }).all |= all;
        }
        // In order already: the blocks are what tells them apart.
        captures.into_values().collect()
    }
}

/// How much a selector says.
fn specificity(selector: &Selector) -> (u8, u16) {
    let named = [selector.protocol != 0, selector.local_port != 0, selector.remote_port != 0];
    let named = named.into_iter().filter(|named| *named).count();
    let bits = u16::from(selector.local.prefix_len()) + u16::from(selector.remote.prefix_len());
    (u8::try_from(named).unwrap_or(0), bits)
}
