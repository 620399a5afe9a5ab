//! Which policy is in force for each selector, where the standing policies and those of installed pairs overlap.
//!
//! A kernel holds one policy for a selector and direction. Here they are layers: the policies of installed pairs and of
//! soft SAs, the newest on top, above the standing policy. What lies on top is in force; a change yields the fewest operations that
//! make the kernel follow. The table itself touches no kernel: XFRM and PF_KEY drivers share it.
use ikecore::ids::IpsecSaId;
use ikecore::policy::selector::Selector;
use ikecore::proposal::suite::Mode;
use ikecore::sa::driver::{TrafficAction, TrafficPolicy};
use std::collections::BTreeMap;
use std::fmt;

#[cfg(test)]
mod tests;

/// Which packets a kernel compares with a policy.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum PolicyDirection {
    /// Packets for this host.
    Inbound,
    /// Packets that leave, forwarded ones too.
    Outbound,
    /// Packets that arrive to be forwarded.
    Forward,
}

impl PolicyDirection {
    /// The directions in which `action` has a policy. Transport mode protects this host's own packets only.
    pub const fn of(action: TrafficAction) -> &'static [Self] {
        match action {
            TrafficAction::Protect { mode: Mode::Transport, .. } => &[Self::Inbound, Self::Outbound],
            TrafficAction::Protect { mode: Mode::Tunnel, .. } | TrafficAction::Permit | TrafficAction::Block => {
                &[Self::Inbound, Self::Outbound, Self::Forward]
            }
        }
    }
}

impl fmt::Display for PolicyDirection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Inbound => "inbound",
            Self::Outbound => "outbound",
            Self::Forward => "forward",
        })
    }
}

/// One operation on the kernel's policies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PolicyChange {
    /// There is none with this selector and direction yet.
    Add {
        /// Where.
        direction: PolicyDirection,
        /// What is in force from now on.
        policy: TrafficPolicy,
    },
    /// Replace the one with the same selector and direction.
    Update {
        /// Where.
        direction: PolicyDirection,
        /// What was in force.
        old: TrafficPolicy,
        /// What is in force from now on; its selector is that of `old`.
        new: TrafficPolicy,
    },
    /// Take it away.
    Delete {
        /// Where.
        direction: PolicyDirection,
        /// What was in force.
        policy: TrafficPolicy,
    },
}

impl PolicyChange {
    /// The traffic that it is for.
    pub const fn selector(&self) -> Selector {
        match self {
            Self::Add { policy, .. } | Self::Update { new: policy, .. } | Self::Delete { policy, .. } => {
                policy.selector
            }
        }
    }

    /// What undoes this change.
    pub const fn inverse(self) -> Self {
        match self {
            Self::Add { direction, policy } => Self::Delete { direction, policy },
            Self::Update { direction, old, new } => Self::Update { direction, old: new, new: old },
            Self::Delete { direction, policy } => Self::Add { direction, policy },
        }
    }
}

impl fmt::Display for PolicyChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Add { direction, policy } => write!(f, "add {direction} policy {}", policy.selector),
            Self::Update { direction, new, .. } => write!(f, "update {direction} policy {}", new.selector),
            Self::Delete { direction, policy } => write!(f, "delete {direction} policy {}", policy.selector),
        }
    }
}

/// The policies of one selector.
#[derive(Default, Debug)]
struct Layers {
    standing: Option<TrafficPolicy>,
    /// In the order of installation.
    pairs: Vec<(IpsecSaId, TrafficPolicy)>,
}

impl Layers {
    fn in_force(&self) -> Option<TrafficPolicy> {
        self.pairs.last().map(|(_, policy)| *policy).or(self.standing)
    }
}

/// The layers of all selectors.
#[derive(Default, Debug)]
pub struct PolicyTable {
    standing: Vec<TrafficPolicy>,
    layers: BTreeMap<Selector, Layers>,
    pairs: BTreeMap<IpsecSaId, Selector>,
}

impl PolicyTable {
    /// No policies.
    pub fn new() -> Self {
        Self::default()
    }

    /// True if a pair or soft SA with this handle has a policy.
    pub fn contains(&self, id: IpsecSaId) -> bool {
        self.pairs.contains_key(&id)
    }

    /// The policy of the installed pair or soft SA `id`, from now on. It goes on top of those with the same selector; that of a pair
    /// already known keeps its place if it keeps its selector.
    pub fn install(&mut self, id: IpsecSaId, policy: TrafficPolicy) -> Vec<PolicyChange> {
        let mut changes = Vec::new();
        if self.pairs.get(&id).is_some_and(|selector| *selector != policy.selector) {
            changes = self.remove(id);
        }
        self.pairs.insert(id, policy.selector);
        changes.extend(self.alter(policy.selector, |layers| {
            match layers.pairs.iter_mut().find(|(known, _)| *known == id) {
                Some((_, known)) => *known = policy,
                None => layers.pairs.push((id, policy)),
            }
        }));
        changes
    }

    /// The pair `id` is no longer installed; what lay below its policy is in force again.
    pub fn remove(&mut self, id: IpsecSaId) -> Vec<PolicyChange> {
        match self.pairs.remove(&id) {
            Some(selector) => self.alter(selector, |layers| layers.pairs.retain(|(known, _)| *known != id)),
            None => Vec::new(),
        }
    }

    /// Replaces all standing policies; returns the former ones and what changes. Of several with the same selector, the
    /// one that is looked at first counts. New protection comes before old goes.
    pub fn set_standing(&mut self, policies: Vec<TrafficPolicy>) -> (Vec<TrafficPolicy>, Vec<PolicyChange>) {
        let mut wanted: BTreeMap<Selector, TrafficPolicy> = BTreeMap::new();
        for policy in &policies {
            wanted
                .entry(policy.selector)
                .and_modify(|known| {
                    if policy.priority < known.priority {
                        *known = *policy;
                    }
                })
                .or_insert(*policy);
        }
        let mut changes = Vec::new();
        for (selector, policy) in &wanted {
            changes.extend(self.alter(*selector, |layers| layers.standing = Some(*policy)));
        }
        let gone: Vec<Selector> =
            self.standing.iter().map(|policy| policy.selector).filter(|known| !wanted.contains_key(known)).collect();
        for selector in gone {
            changes.extend(self.alter(selector, |layers| layers.standing = None));
        }
        // A stable sort: deletions come last, nothing else moves.
        changes.sort_by_key(|change| matches!(change, PolicyChange::Delete { .. }));
        (std::mem::replace(&mut self.standing, policies), changes)
    }

    /// Everything in force.
    pub fn in_force(&self) -> impl Iterator<Item = (PolicyDirection, TrafficPolicy)> {
        self.layers
            .values()
            .filter_map(Layers::in_force)
            .flat_map(|policy| PolicyDirection::of(policy.action).iter().map(move |direction| (*direction, policy)))
    }

    fn alter(&mut self, selector: Selector, change: impl FnOnce(&mut Layers)) -> Vec<PolicyChange> {
        let layers = self.layers.entry(selector).or_default();
        let old = layers.in_force();
        change(layers);
        let new = layers.in_force();
        if layers.standing.is_none() && layers.pairs.is_empty() {
            self.layers.remove(&selector);
        }
        difference(old, new)
    }
}

/// What takes the policies of one selector from `old` to `new`.
fn difference(old: Option<TrafficPolicy>, new: Option<TrafficPolicy>) -> Vec<PolicyChange> {
    if old == new {
        return Vec::new();
    }
    let within = |policy: Option<TrafficPolicy>, direction| {
        policy.filter(|policy| PolicyDirection::of(policy.action).contains(&direction))
    };
    [PolicyDirection::Inbound, PolicyDirection::Outbound, PolicyDirection::Forward]
        .into_iter()
        .filter_map(|direction| match (within(old, direction), within(new, direction)) {
            (None, None) => None,
            (None, Some(policy)) => Some(PolicyChange::Add { direction, policy }),
            (Some(policy), None) => Some(PolicyChange::Delete { direction, policy }),
            (Some(old), Some(new)) => Some(PolicyChange::Update { direction, old, new }),
        })
        .collect()
}
