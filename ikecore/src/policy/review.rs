//! What is odd between the filters of a policy: those that never decide, and those that meet with only their order to decide.
use super::db::PolicyDb;
use super::rule::Rule;
use super::selector::{Direction, Prefix, Selector, weight};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

#[cfg(test)]
mod tests;

/// A filter that decides about no packet.
#[derive(Clone, Copy, Debug)]
pub struct Shadowed<'a> {
    /// Its rule.
    pub rule: &'a Arc<Rule>,
    /// The filter.
    pub filter: &'a Selector,
    /// What is before it.
    pub by: Shadow<'a>,
}

/// What is before a filter that decides about no packet.
#[derive(Clone, Copy, Debug)]
pub enum Shadow<'a> {
    /// The same filter, of this rule.
    Same(&'a Arc<Rule>),
    /// Filters for parts of its addresses, which together are all of them.
    Parts,
}

/// Two filters of the same weight for traffic that both are for, and for other traffic besides, with different actions: which
/// of the two decides about it is a matter of order.
#[derive(Clone, Copy, Debug)]
pub struct Crossing<'a> {
    /// The rule and the filter that decides.
    pub decides: (&'a Arc<Rule>, &'a Selector),
    /// The other rule and its filter.
    pub other: (&'a Arc<Rule>, &'a Selector),
}

/// How many pairs of filters are compared at most to find those that cross.
const MAX_PAIRS: usize = 20_000_000;

impl PolicyDb {
    /// The filters that never decide, by rank.
    ///
    /// Rules for peers that differ by what they prove have the same filters for good reason: those are none. Parts are looked
    /// for that halve the filter's addresses on one side, and halve the halves, and are the same in all else.
    pub fn shadowed(&self) -> Vec<Shadowed<'_>> {
        let mut first: BTreeMap<Selector, &Arc<Rule>> = BTreeMap::new();
        let parts = Parts::of(self.ranked().map(|(_, filter)| filter));
        let mut shadowed = Vec::new();
        for (rule, filter) in self.ranked() {
            let ways: Vec<Selector> = each_way(filter).collect();
            let earlier: Option<Vec<&Arc<Rule>>> = ways.iter().map(|way| first.get(way).copied()).collect();
            let by = match earlier.as_ref().and_then(|earlier| earlier.first()) {
                Some(earlier) if tell_peers_apart(earlier, rule) => None,
                Some(earlier) => Some(Shadow::Same(earlier)),
                None => parts.are_all_of(filter).then_some(Shadow::Parts),
            };
            for way in ways {
                first.entry(way).or_insert(rule);
            }
            shadowed.extend(by.map(|by| Shadowed { rule, filter, by }));
        }
        shadowed
    }

    /// The filters that cross, by rank; and whether there were too many to compare each with each.
    pub fn crossings(&self) -> (Vec<Crossing<'_>>, bool) {
        let all: Vec<(&Arc<Rule>, &Selector)> = self.ranked().collect();
        let mut crossings = Vec::new();
        let mut left = MAX_PAIRS;
        for equals in all.chunk_by(|(_, one), (_, other)| weight(one) == weight(other)) {
            // Filters that name the same of traffic are the same, or have none in common.
            let mut shapes: BTreeMap<_, Vec<usize>> = BTreeMap::new();
            for (place, (_, filter)) in equals.iter().enumerate() {
                shapes.entry(shape(filter)).or_default().push(place);
            }
            let shapes: Vec<Vec<usize>> = shapes.into_values().collect();
            for (index, one) in shapes.iter().enumerate() {
                for other in shapes.iter().skip(index + 1) {
                    let pairs = one.len().saturating_mul(other.len());
                    if pairs > left {
                        return (crossings, true);
                    }
                    left -= pairs;
                    for (a, b) in one.iter().flat_map(|a| other.iter().map(move |b| (*a.min(b), *a.max(b)))) {
                        let (Some(decides), Some(other)) = (equals.get(a), equals.get(b)) else { continue };
                        // An exception for one direction comes first on purpose: nothing could make it more specific.
                        let excepts = decides.1.both_ways() == other.1.both_ways();
                        if !excepts && decides.1.overlaps(other.1) && differ(*decides, *other) {
                            crossings.push(Crossing { decides: *decides, other: *other });
                        }
                    }
                }
            }
        }
        (crossings, false)
    }
}

/// True if peers prove to one of the two rules what they do not prove to the other, so that traffic has to be for both.
fn tell_peers_apart(one: &Rule, other: &Rule) -> bool {
    one.quick_mode().is_some() && other.quick_mode().is_some() && one.name != other.name && {
        one.remote_id != other.remote_id || one.names_no_peer() || other.names_no_peer()
    }
}

/// The filter, or the two that it stands for, one a direction.
fn each_way(filter: &Selector) -> impl Iterator<Item = Selector> {
    Direction::BOTH.into_iter().filter(|direction| filter.goes(*direction)).map(|direction| filter.going(direction))
}

/// True if one lets through, or protects, what the other does not, of packets that both are for.
fn differ((one, filter): (&Arc<Rule>, &Selector), (other, of_other): (&Arc<Rule>, &Selector)) -> bool {
    let both = |direction: &Direction| filter.goes(*direction) && of_other.goes(*direction);
    Direction::BOTH.iter().filter(|way| both(way)).any(|way| one.action.word(*way) != other.action.word(*way))
}

/// What a filter names of traffic: how long its prefixes are, and whether there is a link, a protocol, each port, and a direction.
fn shape(filter: &Selector) -> (u8, u8, [bool; 4], Option<Direction>) {
    let Selector { local, remote, scope, protocol, local_port, remote_port, direction } = *filter;
    let link = scope != crate::address::Scope::ANY;
    (local.prefix_len(), remote.prefix_len(), [link, protocol != 0, local_port != 0, remote_port != 0], direction)
}

/// The other half of the block that this one is a half of, and that block.
fn sibling(half: Prefix) -> Option<(Prefix, Prefix)> {
    let len = half.prefix_len();
    let whole = Prefix::new(half.address(), len.checked_sub(1)?).ok()?;
    let address = match half.address() {
        IpAddr::V4(v4) => IpAddr::V4((v4.to_bits() ^ (1 << (32 - u32::from(len)))).into()),
        IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() ^ (1 << (128 - u32::from(len)))).into()),
    };
    Some((Prefix::new(address, len).ok()?, whole))
}

/// The filters that others are halves of, and halves of halves.
struct Parts(BTreeSet<Selector>);

impl Parts {
    fn of<'a>(filters: impl Iterator<Item = &'a Selector>) -> Self {
        let filters: BTreeSet<Selector> = filters.copied().collect();
        let mut wholes = BTreeSet::new();
        type Side = fn(&mut Selector) -> &mut Prefix;
        let sides: [Side; 2] = [|filter| &mut filter.local, |filter| &mut filter.remote];
        for side in sides {
            // What is covered on this side, be it by a filter or by halves of it; the smallest blocks first.
            let mut covered = filters.clone();
            let mut open: Vec<Selector> = filters.iter().copied().collect();
            while let Some(filter) = open.pop() {
                let Some((other, whole)) = sibling(*side(&mut filter.clone())) else { continue };
                let with = |block| {
                    let mut with = filter;
                    *side(&mut with) = block;
                    with
                };
                if covered.contains(&with(other)) && wholes.insert(with(whole)) && covered.insert(with(whole)) {
                    open.push(with(whole));
                }
            }
        }
        Self(wholes)
    }

    fn are_all_of(&self, filter: &Selector) -> bool {
        self.0.contains(filter)
    }
}
