//! Which policy is in force for each selector, where the standing policies and those of installed pairs overlap.
//!
//! A kernel holds one policy for a selector and direction. Here they are layers: the policies of installed pairs and of
//! soft SAs, the newest on top, above the standing policy. What lies on top is in force; a change yields the fewest operations that
//! make the kernel follow. A standing policy for one direction counts there where it is to be looked at before what is in force
//! otherwise. The table itself touches no kernel: XFRM and PF_KEY drivers share it.
use ikecore::ids::IpsecSaId;
use ikecore::policy::selector::Selector;
use ikecore::proposal::suite::Mode;
use ikecore::sa::driver::{Direction, TrafficAction, TrafficPolicy};
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
    /// All of them.
    const ALL: [Self; 3] = [Self::Inbound, Self::Outbound, Self::Forward];

    /// Which way packets go that the kernel compares: those that are forwarded have arrived, and are compared once more when
    /// they leave.
    const fn way(self) -> Direction {
        match self {
            Self::Inbound | Self::Forward => Direction::Inbound,
            Self::Outbound => Direction::Outbound,
        }
    }

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
    /// There is none with this selector and direction yet. The selector itself names no direction.
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

/// The standing policies of one selector.
#[derive(Clone, Copy, Default, Debug)]
struct Standing {
    both_ways: Option<TrafficPolicy>,
    inbound: Option<TrafficPolicy>,
    outbound: Option<TrafficPolicy>,
}

impl Standing {
    fn add(&mut self, policy: TrafficPolicy) {
        let place = match policy.selector.direction {
            None => &mut self.both_ways,
            Some(Direction::Inbound) => &mut self.inbound,
            Some(Direction::Outbound) => &mut self.outbound,
        };
        if place.is_none_or(|known| policy.priority < known.priority) {
            *place = Some(policy);
        }
    }

    const fn one_way(&self, direction: Direction) -> Option<TrafficPolicy> {
        match direction {
            Direction::Inbound => self.inbound,
            Direction::Outbound => self.outbound,
        }
    }

    const fn is_empty(&self) -> bool {
        self.both_ways.is_none() && self.inbound.is_none() && self.outbound.is_none()
    }
}

/// The policies of one selector.
#[derive(Default, Debug)]
struct Layers {
    standing: Standing,
    /// In the order of installation.
    pairs: Vec<(IpsecSaId, TrafficPolicy)>,
}

impl Layers {
    fn in_force(&self, direction: PolicyDirection) -> Option<TrafficPolicy> {
        let both_ways = self.pairs.last().map(|(_, policy)| *policy).or(self.standing.both_ways);
        let both_ways = both_ways.filter(|policy| PolicyDirection::of(policy.action).contains(&direction));
        let one_way = self.standing.one_way(direction.way());
        let sooner = one_way.filter(|one| both_ways.is_none_or(|both| one.priority < both.priority));
        let policy = sooner.or(both_ways)?;
        Some(TrafficPolicy { selector: policy.selector.both_ways(), ..policy })
    }

    fn all_in_force(&self) -> [Option<TrafficPolicy>; 3] {
        PolicyDirection::ALL.map(|direction| self.in_force(direction))
    }

    fn is_empty(&self) -> bool {
        self.standing.is_empty() && self.pairs.is_empty()
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
        let mut wanted: BTreeMap<Selector, Standing> = BTreeMap::new();
        for policy in &policies {
            wanted.entry(policy.selector.both_ways()).or_default().add(*policy);
        }
        let mut changes = Vec::new();
        let gone: Vec<Selector> = self.standing.iter().map(|policy| policy.selector.both_ways()).collect();
        for (place, standing) in &wanted {
            changes.extend(self.alter(*place, |layers| layers.standing = *standing));
        }
        for place in gone.into_iter().filter(|known| !wanted.contains_key(known)) {
            changes.extend(self.alter(place, |layers| layers.standing = Standing::default()));
        }
        // A stable sort: deletions come last, nothing else moves.
        changes.sort_by_key(|change| matches!(change, PolicyChange::Delete { .. }));
        (std::mem::replace(&mut self.standing, policies), changes)
    }

    /// Everything in force.
    pub fn in_force(&self) -> impl Iterator<Item = (PolicyDirection, TrafficPolicy)> {
        let each = |layers: &Layers| PolicyDirection::ALL.into_iter().zip(layers.all_in_force());
        self.layers.values().flat_map(each).filter_map(|(direction, policy)| policy.map(|policy| (direction, policy)))
    }

    fn alter(&mut self, selector: Selector, change: impl FnOnce(&mut Layers)) -> Vec<PolicyChange> {
        let place = selector.both_ways();
        let layers = self.layers.entry(place).or_default();
        let old = layers.all_in_force();
        change(layers);
        let new = layers.all_in_force();
        if layers.is_empty() {
            self.layers.remove(&place);
        }
        difference(old, new)
    }
}

/// What takes the policies of one selector from `old` to `new`, each by direction.
fn difference(old: [Option<TrafficPolicy>; 3], new: [Option<TrafficPolicy>; 3]) -> Vec<PolicyChange> {
    let changes = PolicyDirection::ALL.into_iter().zip(old.into_iter().zip(new));
    changes
        .filter_map(|(direction, change)| match change {
            (old, new) if old == new => None,
            (None, Some(policy)) => Some(PolicyChange::Add { direction, policy }),
            (Some(policy), None) => Some(PolicyChange::Delete { direction, policy }),
            (Some(old), Some(new)) => Some(PolicyChange::Update { direction, old, new }),
            (None, None) => None,
        })
        .collect()
}
