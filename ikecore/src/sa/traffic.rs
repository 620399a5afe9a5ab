//! The driver's policies, made of the rules.
use super::driver::{TrafficAction, TrafficPolicy};
use crate::policy::db::PolicyDb;
use crate::policy::rule::{QuickModePolicy, Rule, RuleAction};
use crate::policy::selector::{Direction, MAX_WEIGHT, Selector, weight};
use crate::proposal::suite::{Mode, ProtectionSuite};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// Bits of a priority below the weight: room for 2^18 filters of one weight, each with a number for its SAs.
const WITHIN_WEIGHT: u32 = 19;

impl PolicyDb {
    /// The standing policies for the driver, one a filter (two where a rule does not do the same both ways), in the order in which they must be looked at. Of filters that
    /// are the same the first counts and the others are left out. Before them all stands what is exempt from filters, as far
    /// as there are any that do not permit it; its priority is 0, which is no filter's.
    ///
    /// A priority is made of the filter's [`weight`] and of its place among those of equal weight, so that it seldom
    /// changes with a new policy. It is even: the number below it is for the policies of the SAs that are made for the
    /// filter, see [`Self::pair_policy`].
    pub fn traffic_policies(&self) -> Vec<TrafficPolicy> {
        let mut seen = BTreeSet::new();
        let different = self.priorities().filter(|(_, filter, _)| seen.insert(**filter));
        let of_filters = different.flat_map(|(rule, filter, priority)| self.standing(rule, *filter, priority));
        let of_filters: Vec<TrafficPolicy> = of_filters.collect();
        let restricts = |exempt: &&Selector| {
            of_filters.iter().any(|of| of.action != TrafficAction::Permit && of.selector.overlaps(exempt))
        };
        let permit = |selector: &Selector| TrafficPolicy {
            selector: *selector,
            action: TrafficAction::Permit,
            priority: 0,
            reqid: 0,
        };
        let exempt: Vec<TrafficPolicy> = self.exempt.iter().filter(restricts).map(permit).collect();
        exempt.into_iter().chain(of_filters).collect()
    }

    /// The policy that is in force while a pair of SAs of `rule` for `selector` is installed between this host's address
    /// `local` and the peer's, `remote`. It comes just before the standing policy of the filter that covers `selector`;
    /// if this database has none any more, before those of the weight of `selector`.
    pub fn pair_policy(
        &self,
        rule: &Rule,
        selector: Selector,
        suite: ProtectionSuite,
        local: IpAddr,
        remote: IpAddr,
    ) -> TrafficPolicy {
        let standing = self.places_covering(&selector).find(|(_, own, _)| own.reqid == rule.reqid);
        let standing = standing.map(|(place, _, filter)| priority(filter, self.before_among_equals(place)));
        let priority = standing.map_or_else(|| base(&selector), |standing| standing.saturating_sub(1));
        let mode = rule.mode();
        let action = TrafficAction::Protect {
            protocols: suite.protocols(),
            mode,
            endpoints: (mode == Mode::Tunnel).then_some((local, remote)),
            inbound_passthrough: rule.quick_mode().is_some_and(|policy| policy.inbound_passthrough),
        };
        TrafficPolicy { selector, action, priority, reqid: rule.reqid }
    }

    /// The policy that is in force while a soft SA of `rule` for `selector` stands: the traffic passes in clear. It comes just
    /// before the standing policy of the filter that it is made for, as that of a pair of SAs does, so that filters which
    /// are more specific count as before. `None` if the rule does not fall back, or not for this traffic.
    pub fn soft_policy(&self, rule: &Rule, selector: Selector) -> Option<TrafficPolicy> {
        let (place, own, filter) = self.places_covering(&selector).next()?;
        let falls_back = own.reqid == rule.reqid && own.falls_back();
        let priority = priority(filter, self.before_among_equals(place)).saturating_sub(1);
        falls_back.then_some(TrafficPolicy { selector, action: TrafficAction::Permit, priority, reqid: rule.reqid })
    }

    /// Every filter with its rule and priority, by rank.
    fn priorities(&self) -> impl Iterator<Item = (&Rule, &Selector, u32)> {
        let mut before: BTreeMap<u32, usize> = BTreeMap::new();
        self.ranked().map(move |(rule, filter)| {
            let equals = before.entry(weight(filter)).or_default();
            let priority = priority(filter, *equals);
            *equals = equals.saturating_add(1);
            (&**rule, filter, priority)
        })
    }

    fn standing(&self, rule: &Rule, selector: Selector, priority: u32) -> Vec<TrafficPolicy> {
        let one = |selector, action| TrafficPolicy { selector, action, priority, reqid: rule.reqid };
        match &rule.action {
            RuleAction::Permit => vec![one(selector, TrafficAction::Permit)],
            RuleAction::Block => vec![one(selector, TrafficAction::Block)],
            RuleAction::PermitOnly(permitted) => {
                let ways = Direction::BOTH.into_iter().filter(|direction| selector.goes(*direction));
                let action = |way| if way == *permitted { TrafficAction::Permit } else { TrafficAction::Block };
                ways.map(|way| one(selector.going(way), action(way))).collect()
            }
            RuleAction::Negotiate(policy) => {
                self.negotiated(rule, policy).map(|action| one(selector, action)).into_iter().collect()
            }
        }
    }

    fn negotiated(&self, rule: &Rule, policy: &QuickModePolicy) -> Option<TrafficAction> {
        // Nobody knows where such peers are before they begin, and until then nothing may go in clear.
        if rule.names_no_peer() {
            return Some(TrafficAction::Block);
        }
        Some(TrafficAction::Protect {
            // One offer may be for ESP and the next for AH: until SAs are there, the preferred one stands for all.
            protocols: policy.offers.first()?.suite.protocols(),
            mode: rule.mode(),
            endpoints: match rule.tunnel {
                Some(tunnel) => Some((tunnel.source(&self.local_addresses)?, tunnel.remote?)),
                None => None,
            },
            inbound_passthrough: policy.inbound_passthrough,
        })
    }
}

/// The lowest priority of a weight: it is nobody's.
fn base(selector: &Selector) -> u32 {
    MAX_WEIGHT.saturating_sub(weight(selector)) << WITHIN_WEIGHT
}

/// The priority of a filter before which so many of its weight come.
fn priority(filter: &Selector, before: usize) -> u32 {
    let place = u32::try_from(before).unwrap_or(u32::MAX).saturating_add(1).min((1 << (WITHIN_WEIGHT - 1)) - 1);
    base(filter) | place << 1
}

#[cfg(test)]
mod tests;
