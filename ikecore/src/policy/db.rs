//! The policy database: immutable and numbered; a new policy is a new database.
use super::check::{PolicyError, check};
use super::lookup::Index;
use super::rule::{QuickModePolicy, Rule, RuleAction};
use super::selector::{Direction, Flow, Prefix, Selector, weight};
use crate::address::HostAddress;
use crate::proposal::offer::QuickModeOffer;
use crate::proposal::suite::Mode;
use core::cmp::Reverse;
use std::sync::Arc;

/// All rules in force.
///
/// Filters are ranked: the highest [`weight`] first; of equal weight those of tunnel rules before others, since they
/// name their peer; then in order of creation. The first filter that matches decides, be it to permit, to block or to
/// negotiate. One for one direction competes with those for both, and is as specific.
#[derive(Clone, Debug, Default)]
pub struct PolicyDb {
    /// The number of this version; a later one is higher.
    pub version: u64,
    /// The rules; the order decides only between filters of equal weight.
    pub rules: Vec<Arc<Rule>>,
    /// The addresses of this host, for `me` and for transport-mode rules.
    pub local_addresses: Vec<Prefix>,
    /// The link-local addresses of this host.
    pub(crate) on_links: Vec<HostAddress>,
    /// Traffic that no filter is for.
    pub(crate) exempt: Vec<Selector>,
    /// Answers peers for whom no rule names filters.
    pub(super) default_response: Option<Arc<Rule>>,
    /// Every filter, by rank: the index of its rule and its index in that.
    ranking: Vec<(usize, usize)>,
    /// Finds rules in it.
    index: Arc<Index>,
}

/// Why no rule negotiates what a peer proposes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum NoRule {
    /// It is all permitted, or blocked, by this filter of another rule.
    Excepted {
        /// The rule.
        rule: String,
        /// Its filter.
        filter: Selector,
        /// True if it blocks.
        blocks: bool,
    },
    /// No filter covers it; these are what the policy has for the peer in this mode, most specific first.
    Uncovered(Vec<Selector>),
}

impl PolicyDb {
    /// Checks the rules and ranks their filters.
    pub fn new(version: u64, rules: Vec<Arc<Rule>>, local_addresses: Vec<Prefix>) -> Result<Self, PolicyError> {
        check(&rules, &local_addresses)?;
        let mut ranked: Vec<_> = rules
            .iter()
            .enumerate()
            .flat_map(|(index, rule)| {
                rule.filters.iter().enumerate().map(move |(at, filter)| (index, rule, at, filter))
            })
            .collect();
        // The sort is stable: what is equal stays in order of creation.
        ranked.sort_by_key(|(_, rule, _, filter)| (Reverse(weight(filter)), rule.tunnel.is_none()));
        let ranking: Vec<_> = ranked.into_iter().map(|(index, _, at, _)| (index, at)).collect();
        let index = Arc::new(Index::new(&rules, &ranking));
        Ok(Self {
            version,
            rules,
            local_addresses,
            on_links: Vec::new(),
            exempt: Vec::new(),
            default_response: None,
            ranking,
            index,
        })
    }

    /// The same policy for a host that has these link-local addresses, too.
    #[must_use]
    pub fn with_link_local(self, on_links: Vec<HostAddress>) -> Self {
        Self { on_links, ..self }
    }

    /// The same with only those quick-mode offers that `keep` wants. A rule of which it wants none stays as it is.
    #[must_use]
    pub fn keep_offers(&self, mut keep: impl FnMut(&Rule, &QuickModeOffer) -> bool) -> Self {
        let mut keep_of = |rule: &Arc<Rule>| {
            let Some(quick_mode) = rule.quick_mode() else { return Arc::clone(rule) };
            let offers: Vec<_> = quick_mode.offers.iter().filter(|offer| keep(rule, offer)).copied().collect();
            if offers.is_empty() || offers.len() == quick_mode.offers.len() {
                return Arc::clone(rule);
            }
            let action = RuleAction::Negotiate(Arc::new(QuickModePolicy { offers, ..(**quick_mode).clone() }));
            Arc::new(Rule { action, ..(**rule).clone() })
        };
        let rules = self.rules.iter().map(&mut keep_of).collect();
        let default_response = self.default_response.as_ref().map(keep_of);
        Self { rules, default_response, ..self.clone() }
    }

    /// The rule of a name; the default response is one, too.
    pub fn rule(&self, name: &str) -> Option<&Arc<Rule>> {
        let named = self.index.named(name).and_then(|place| self.rules.get(place));
        named.or_else(|| self.default_response.as_ref().filter(|rule| rule.name == name))
    }

    /// Every filter with its rule, by rank.
    pub fn ranked(&self) -> impl Iterator<Item = (&Arc<Rule>, &Selector)> {
        (0..self.ranking.len()).filter_map(|place| self.at(place))
    }

    /// The filter at a place of the ranking, with its rule.
    fn at(&self, place: usize) -> Option<(&Arc<Rule>, &Selector)> {
        let (rule, filter) = *self.ranking.get(place)?;
        let rule = self.rules.get(rule)?;
        rule.filters.get(filter).map(|filter| (rule, filter))
    }

    /// The filters that cover all of the traffic, with their rules, by rank.
    pub fn covering(&self, traffic: &Selector) -> impl Iterator<Item = (&Arc<Rule>, &Selector)> {
        self.places_covering(traffic).map(|(_, rule, filter)| (rule, filter))
    }

    /// The same with their places in the ranking.
    pub(crate) fn places_covering(&self, traffic: &Selector) -> impl Iterator<Item = (usize, &Arc<Rule>, &Selector)> {
        let places = self.index.covering(traffic).into_iter();
        places.filter_map(|place| self.at(place).map(|(rule, filter)| (place, rule, filter)))
    }

    /// How many filters of the same weight come before the one at a place of the ranking.
    pub(crate) fn before_among_equals(&self, place: usize) -> usize {
        let weight_at = |(rule, filter): &(usize, usize)| {
            self.rules.get(*rule).and_then(|rule| rule.filters.get(*filter)).map(weight)
        };
        let Some(own) = self.ranking.get(place).and_then(weight_at) else { return 0 };
        let first = self.ranking.partition_point(|other| weight_at(other) > Some(own));
        place.saturating_sub(first)
    }

    /// The rule and the filter that the packets of a flow that go one way fall under.
    pub fn lookup_flow(&self, flow: &Flow, direction: Direction) -> Option<(&Arc<Rule>, &Selector)> {
        self.covering(&flow.selector().going(direction)).next()
    }

    /// The rules by which this host, at its address `local`, negotiates with `remote`: those whose tunnel ends there or
    /// anywhere, and those in transport mode that have a filter for both addresses. The one that names the two most specifically comes
    /// first, a tunnel's end being as specific as it can be; the rest in order of creation.
    ///
    /// Where there are none, the default response may answer.
    ///
    /// As responder, main mode is negotiated by the first rule whose offers accept one of the peer's. Which rule's
    /// filters the peer's traffic falls under shows in quick mode only.
    pub fn main_mode_rules(&self, local: impl Into<HostAddress>, remote: impl Into<HostAddress>) -> Vec<&Arc<Rule>> {
        let (local, remote) = (local.into(), remote.into());
        let near = self.index.negotiating(&between(local, remote));
        let near = near.into_iter().filter_map(|(place, specificity)| Some((specificity, self.rules.get(place)?)));
        let mut rules: Vec<(u32, &Arc<Rule>)> = near.collect();
        rules.sort_by_key(|(specificity, _)| Reverse(*specificity));
        if rules.is_empty() {
            return self.default_main_mode(local, remote).into_iter().collect();
        }
        rules.into_iter().map(|(_, rule)| rule).collect()
    }

    /// The rule for what the peer at `peer` proposes to this host at `local`, and what the SAs will be for.
    ///
    /// `proposed` must be a filter of the rule or a part of one. If a more specific filter permits or blocks all of it,
    /// it is not for this peer: SAs for it would never carry a packet. In transport mode `proposed` must be for the two
    /// hosts themselves, by the addresses that the exchange runs between: behind a NAT the caller puts these in place of
    /// those that the peer names.
    ///
    /// Of several rules with the same filter, as those for peers with names of their own, it is the first that `is_proven`
    /// says the peer has proven itself for; if there is none, the first.
    pub fn quick_mode_rule(
        &self,
        peer: impl Into<HostAddress>,
        local: impl Into<HostAddress>,
        proposed: &Selector,
        mode: Mode,
        is_proven: impl Fn(&Rule) -> bool,
    ) -> Result<(&Arc<Rule>, Selector), NoRule> {
        let (peer, local) = (peer.into(), local.into());
        let near: Vec<&Arc<Rule>> = self.main_mode_rules(local, peer);
        let candidate = |rule: &Arc<Rule>| rule.mode() == mode && near.iter().any(|near| Arc::ptr_eq(near, rule));
        let between_hosts = proposed.local == Prefix::host(local.ip()) && proposed.remote == Prefix::host(peer.ip());
        // A filter that is equal to `proposed` has the highest weight of all that cover it.
        let mut covering = self.covering(proposed).filter(|(rule, _)| candidate(rule) || rule.quick_mode().is_none());
        match covering.next() {
            Some((rule, filter)) if rule.quick_mode().is_some() && (mode == Mode::Tunnel || between_hosts) => {
                let with_same_filter = covering.filter(|(_, other)| *other == filter).map(|(rule, _)| rule);
                let mut equal = core::iter::once(rule).chain(with_same_filter);
                let proven = equal.find(|rule| rule.quick_mode().is_some() && is_proven(rule));
                Ok((proven.unwrap_or(rule), *proposed))
            }
            Some((rule, filter)) if rule.quick_mode().is_none() => {
                // What passes one way only needs no SAs either.
                let blocks = !matches!(rule.action, RuleAction::Permit);
                Err(NoRule::Excepted { rule: rule.name.clone(), filter: *filter, blocks })
            }
            _ => self.default_quick_mode(local, peer, proposed, mode).map(|rule| (rule, *proposed)).ok_or_else(|| {
                NoRule::Uncovered(
                    self.ranked()
                        .filter(|(rule, filter)| {
                            candidate(rule) && (mode == Mode::Tunnel || is_between(filter, local, peer))
                        })
                        .map(|(_, filter)| *filter)
                        .collect(),
                )
            }),
        }
    }

    /// The same in the other mode if there is no rule in this one: the offers of such a rule refuse the transforms, and the
    /// peer hears why.
    pub fn quick_mode_rule_in_either(
        &self,
        peer: HostAddress,
        local: HostAddress,
        proposed: &Selector,
        mode: Mode,
        is_proven: impl Fn(&Rule) -> bool,
    ) -> Result<(&Arc<Rule>, Selector), NoRule> {
        let find = |mode| self.quick_mode_rule(peer, local, proposed, mode, &is_proven);
        find(mode).or_else(|reason| find(mode.other()).map_err(|_| reason))
    }
}

/// All traffic between the two hosts.
pub(super) fn between(local: HostAddress, remote: HostAddress) -> Selector {
    let scope = local.scope().max(remote.scope());
    Selector { scope, ..Selector::between(Prefix::host(local.ip()), Prefix::host(remote.ip())) }
}

/// True if traffic between the two hosts can fall under the filter.
fn is_between(filter: &Selector, local: HostAddress, remote: HostAddress) -> bool {
    let scope = local.scope().max(remote.scope());
    filter.local.contains(local.ip()) && filter.remote.contains(remote.ip()) && filter.scope.covers(scope)
}

#[cfg(test)]
mod tests;
