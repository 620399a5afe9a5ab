//! Why a packet falls under one filter and not under the others.
use super::db::PolicyDb;
use super::rule::Rule;
use super::selector::{Direction, Flow, Selector, weight};
use crate::address::Scope;
use core::fmt;
use std::sync::Arc;

#[cfg(test)]
mod tests;

/// Why a rule does not decide about a packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WhyNot {
    /// A filter of it is for the packet, and another is more specific: the two weights, the other's first.
    LessSpecific(u32, u32),
    /// A filter of it is as specific; of such those in tunnel mode come first.
    AfterTunnel,
    /// A filter of it is as specific; of such that of the earlier rule comes first.
    Later,
    /// It has no filter for the packet: how the one that is closest differs.
    Differs(Difference),
    /// It has no filter at all: none of those that it names is for this machine.
    NoFilter,
}

/// How a filter is for something else than a packet is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Difference {
    /// The address on this side, or its family.
    LocalAddress,
    /// The address on the peer's side.
    RemoteAddress,
    /// The link.
    Link,
    /// The protocol.
    Protocol,
    /// The port on this side.
    LocalPort,
    /// The port on the peer's side.
    RemotePort,
    /// The way in which the packet goes.
    Direction,
}

impl fmt::Display for WhyNot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LessSpecific(other, own) => {
                write!(f, "another filter is more specific: its weight is {other}, not {own}")
            }
            Self::AfterTunnel => f.write_str("another filter of the same weight is of a rule in tunnel mode"),
            Self::Later => f.write_str("another filter of the same weight is of an earlier rule"),
            Self::Differs(difference) => write!(f, "its filter is for {difference}"),
            Self::NoFilter => f.write_str("none of its filters is for this machine"),
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LocalAddress => "another address on this side",
            Self::RemoteAddress => "another address on the peer's side",
            Self::Link => "another link",
            Self::Protocol => "another protocol",
            Self::LocalPort => "another port on this side",
            Self::RemotePort => "another port on the peer's side",
            Self::Direction => "the other direction",
        })
    }
}

/// A rule that does not decide about a packet, with the filter by which it came closest to that.
#[derive(Clone, Copy, Debug)]
pub struct Other<'a> {
    /// The rule.
    pub rule: &'a Arc<Rule>,
    /// Its filter; none if it has none.
    pub filter: Option<&'a Selector>,
    /// Why it does not decide.
    pub why: WhyNot,
}

impl PolicyDb {
    /// Why the rules but the one that [`Self::lookup_flow`] finds do not decide about a packet: those first that have a filter
    /// for it, by rank, then the others in order.
    pub fn why_not(&self, flow: &Flow, direction: Direction) -> Vec<Other<'_>> {
        let traffic = flow.selector().going(direction);
        let mut covering = self.covering(&traffic);
        let decides = covering.next();
        let mut others: Vec<Other<'_>> = Vec::new();
        for (rule, filter) in covering {
            let Some((first, best)) = decides else { break };
            // Of each rule the first is enough.
            if first.name == rule.name || others.iter().any(|other| other.rule.name == rule.name) {
                continue;
            }
            let why = match (weight(best), weight(filter)) {
                (best, own) if best != own => WhyNot::LessSpecific(best, own),
                _ if first.tunnel.is_some() && rule.tunnel.is_none() => WhyNot::AfterTunnel,
                _ => WhyNot::Later,
            };
            others.push(Other { rule, filter: Some(filter), why });
        }
        for rule in &self.rules {
            let is_known = decides.is_some_and(|(first, _)| first.name == rule.name)
                || others.iter().any(|other| other.rule.name == rule.name);
            if is_known {
                continue;
            }
            // The later it differs, the closer it is.
            let differs = rule.filters.iter().filter_map(|filter| Some((difference(filter, &traffic)?, filter)));
            let closest = differs.reduce(|one, other| if other.0 > one.0 { other } else { one });
            let (why, filter) = closest
                .map_or((WhyNot::NoFilter, None), |(difference, filter)| (WhyNot::Differs(difference), Some(filter)));
            others.push(Other { rule, filter, why });
        }
        others
    }
}

/// The first way in which a filter is not for the traffic, if there is one.
fn difference(filter: &Selector, traffic: &Selector) -> Option<Difference> {
    let differs = [
        (Difference::LocalAddress, !filter.local.covers(traffic.local)),
        (Difference::RemoteAddress, !filter.remote.covers(traffic.remote)),
        (Difference::Link, filter.scope != Scope::ANY && filter.scope != traffic.scope),
        (Difference::Protocol, filter.protocol != 0 && filter.protocol != traffic.protocol),
        (Difference::LocalPort, filter.local_port != 0 && filter.local_port != traffic.local_port),
        (Difference::RemotePort, filter.remote_port != 0 && filter.remote_port != traffic.remote_port),
        (Difference::Direction, filter.direction.is_some() && filter.direction != traffic.direction),
    ];
    differs.into_iter().find(|(_, differs)| *differs).map(|(difference, _)| difference)
}
