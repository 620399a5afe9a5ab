//! The security policy database (RFC 4301 §4.4.1): which packets are protected, dropped or let through.
use ikecore::ids::IpsecSaId;
use ikecore::policy::selector::{Flow, Prefix, Selector};
use ikecore::sa::driver::{TrafficAction, TrafficPolicy};
use std::cmp::Reverse;

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
        self.order.clear();
        // The newest first, so that it is the one that stays among those with one selector.
        for policy in self.pairs.iter().rev().map(|(_, policy)| policy).chain(&self.standing) {
            if !self.order.iter().any(|other| other.selector == policy.selector) {
                self.order.push(*policy);
            }
        }
        // The sort is stable: among equals, the newest pair and then the first standing policy.
        self.order.sort_by_key(|policy| (policy.priority, Reverse(specificity(&policy.selector))));
    }

    /// The policy for `flow`, if any.
    pub(super) fn find(&self, flow: &Flow) -> Option<&TrafficPolicy> {
        self.order.iter().find(|policy| policy.selector.matches(flow))
    }

    /// The policies in force, the first to look at first.
    pub(super) fn in_order(&self) -> &[TrafficPolicy] {
        &self.order
    }

    /// Which traffic has to be looked at: each block once.
    pub(super) fn captures(&self) -> Vec<Capture> {
        let mut captures: Vec<Capture> = Vec::new();
        for policy in self.order.iter().filter(|policy| policy.action != TrafficAction::Permit) {
            let Selector { local, remote, protocol, .. } = policy.selector;
            let all = protocol == 0 && !self.permits_within(remote);
            match captures.iter_mut().find(|capture| capture.remote == remote) {
                Some(capture) => capture.all |= all,
                None => captures.push(Capture { remote, local, all }),
            }
        }
        captures.sort_unstable();
        captures
    }

    fn permits_within(&self, remote: Prefix) -> bool {
        let overlap = |other: Prefix| remote.covers(other) || other.covers(remote);
        self.order.iter().any(|policy| policy.action == TrafficAction::Permit && overlap(policy.selector.remote))
    }
}

/// How much a selector says.
fn specificity(selector: &Selector) -> (u8, u16) {
    let named = [selector.protocol != 0, selector.local_port != 0, selector.remote_port != 0];
    let named = named.into_iter().filter(|named| *named).count();
    let bits = u16::from(selector.local.prefix_len()) + u16::from(selector.remote.prefix_len());
    (u8::try_from(named).unwrap_or(0), bits)
}
