//! Finding rules by traffic and by peer without looking at all of them.
//!
//! Filters have shapes: the lengths of their two prefixes, and what else they name. Traffic, cut down to a shape, is the one
//! filter of that shape that covers it. So a look-up is a search in a sorted map for each shape that a policy has: of those
//! there are few, however many filters there are.
use super::rule::Rule;
use super::selector::{Direction, Prefix, Selector, weight};
use crate::address::Scope;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

#[cfg(test)]
mod tests;

/// What a filter names of traffic.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Shape {
    local: u8,
    remote: u8,
    link: bool,
    protocol: bool,
    local_port: bool,
    remote_port: bool,
    direction: Option<Direction>,
}

impl Shape {
    fn of(filter: &Selector) -> Self {
        Self {
            local: filter.local.prefix_len(),
            remote: filter.remote.prefix_len(),
            link: filter.scope != Scope::ANY,
            protocol: filter.protocol != 0,
            local_port: filter.local_port != 0,
            remote_port: filter.remote_port != 0,
            direction: filter.direction,
        }
    }

    /// The filter of this shape that covers the traffic; none if the traffic is for more than such filters are.
    fn cut(self, traffic: &Selector) -> Option<Selector> {
        let shorter = |prefix: Prefix, len: u8| {
            let block = Prefix::new(prefix.address(), len).ok()?;
            block.covers(prefix).then_some(block)
        };
        if self.direction.is_some() && self.direction != traffic.direction {
            return None;
        }
        let named = |names: bool, value: u16| if names { (value != 0).then_some(value) } else { Some(0) };
        Some(Selector {
            local: shorter(traffic.local, self.local)?,
            remote: shorter(traffic.remote, self.remote)?,
            scope: if self.link { traffic.scope } else { Scope::ANY },
            protocol: if self.protocol { (traffic.protocol != 0).then_some(traffic.protocol)? } else { 0 },
            local_port: named(self.local_port, traffic.local_port)?,
            remote_port: named(self.remote_port, traffic.remote_port)?,
            direction: self.direction,
        })
    }
}

/// Filters with what belongs to each, found by traffic: drivers that look packets up have one, too.
#[derive(Clone, Debug)]
pub struct Filters<T> {
    shapes: BTreeMap<Shape, BTreeMap<Selector, Vec<T>>>,
}

impl<T> Default for Filters<T> {
    fn default() -> Self {
        Self { shapes: BTreeMap::new() }
    }
}

impl<T> Filters<T> {
    /// Adds what belongs to a filter; a filter can have several.
    pub fn add(&mut self, filter: Selector, of: T) {
        self.shapes.entry(Shape::of(&filter)).or_default().entry(filter).or_default().push(of);
    }

    /// The filters that cover the traffic, with what belongs to them; of one filter in the order in which it was added.
    pub fn covering(&self, traffic: &Selector) -> impl Iterator<Item = (Selector, &T)> {
        let found = self.shapes.iter().filter_map(|(shape, filters)| {
            let filter = shape.cut(traffic)?;
            filters.get(&filter).map(|all| (filter, all))
        });
        found.flat_map(|(filter, all)| all.iter().map(move |of| (filter, of)))
    }
}

/// An index of the rules of a policy.
#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    /// The place of each filter in the ranking.
    places: Filters<usize>,
    /// The rules, by their own places, that negotiate in transport mode, by their filters' addresses.
    between: Filters<usize>,
    /// Those with a tunnel, by its other end, with this host's if it is named.
    tunnels: BTreeMap<IpAddr, Vec<(usize, Option<IpAddr>)>>,
    /// Those with a tunnel to anywhere.
    anywhere: Vec<(usize, Option<IpAddr>)>,
    /// The rules by name.
    names: BTreeMap<String, usize>,
}

impl Index {
    /// Of rules whose filters have this ranking: the place of a rule, and of a filter in it.
    pub(super) fn new(rules: &[Arc<Rule>], ranking: &[(usize, usize)]) -> Self {
        let mut index = Self::default();
        for (place, (rule, filter)) in ranking.iter().enumerate() {
            if let Some(filter) = rules.get(*rule).and_then(|rule| rule.filters.get(*filter)) {
                index.places.add(*filter, place);
            }
        }
        for (place, rule) in rules.iter().enumerate() {
            index.names.insert(rule.name.clone(), place);
            if rule.quick_mode().is_none() {
                continue;
            }
            match rule.tunnel.map(|tunnel| (tunnel.remote, (place, tunnel.local))) {
                Some((Some(end), of)) => index.tunnels.entry(end).or_default().push(of),
                Some((None, of)) => index.anywhere.push(of),
                None => {
                    let ends = |filter: &Selector| Selector {
                        scope: filter.scope,
                        ..Selector::between(filter.local, filter.remote)
                    };
                    // Filters that differ in their ports only are one here.
                    for ends in rule.filters.iter().map(ends).collect::<BTreeSet<_>>() {
                        index.between.add(ends, place);
                    }
                }
            }
        }
        index
    }

    /// The places in the ranking of the filters that cover the traffic, in this order.
    pub(super) fn covering(&self, traffic: &Selector) -> Vec<usize> {
        let mut places: Vec<usize> = self.places.covering(traffic).map(|(_, place)| *place).collect();
        places.sort_unstable();
        places
    }

    /// The places of the rules, in order, that negotiate between two hosts: with a tunnel between them, or a filter for both;
    /// and how specifically each names the two. `hosts` is all traffic between them.
    pub(super) fn negotiating(&self, hosts: &Selector) -> BTreeMap<usize, u32> {
        let (local, remote) = (hosts.local.address(), hosts.remote);
        let specific = |end: Prefix| weight(&Selector::between(remote, end));
        let ends_here = |own: &Option<IpAddr>| own.is_none_or(|own| own == local);
        let to_it = self.tunnels.get(&remote.address()).into_iter().flatten().map(|of| (of, specific(remote)));
        let any = Prefix::new(remote.address(), 0).map_or(0, specific);
        let tunnels = to_it.chain(self.anywhere.iter().map(|of| (of, any)));
        let tunnels =
            tunnels.filter(|((_, own), _)| ends_here(own)).map(|((place, _), specificity)| (*place, specificity));
        let between = self.between.covering(hosts);
        let between = between.map(|(ends, place)| (*place, weight(&Selector::between(ends.local, ends.remote))));
        let mut specificity = BTreeMap::new();
        for (place, specific) in tunnels.chain(between) {
            let most = specificity.entry(place).or_insert(specific);
            *most = specific.max(*most);
        }
        specificity
    }

    /// The place of the rule with a name.
    pub(super) fn named(&self, name: &str) -> Option<usize> {
        self.names.get(name).copied()
    }
}
