//! The default response: how this host answers a peer for whom no rule names filters.
use super::check::{PolicyError, PolicyFault, check};
use super::db::{PolicyDb, between};
use super::rule::Rule;
use super::selector::{Prefix, Selector};
use crate::address::HostAddress;
use crate::proposal::suite::Mode;
use std::sync::Arc;

#[cfg(test)]
mod tests;

impl PolicyDb {
    /// The same policy with a default response. The rule has no filters, as they are made of what the peer proposes; it
    /// negotiates, in transport mode. It only answers: no packet makes this host begin by it, and the driver has no
    /// standing policies of it.
    pub fn with_default_response(mut self, rule: Rule) -> Result<Self, PolicyError> {
        if rule.quick_mode().is_none() || rule.tunnel.is_some() || !rule.filters.is_empty() {
            return Err(PolicyError { rule: rule.name, fault: PolicyFault::DefaultResponse });
        }
        let rule = Arc::new(rule);
        let all: Vec<Arc<Rule>> = self.rules.iter().chain([&rule]).map(Arc::clone).collect();
        check(&all, &self.local_addresses)?;
        self.default_response = Some(rule);
        Ok(self)
    }

    /// The default response, if there is one.
    pub const fn default_response(&self) -> Option<&Arc<Rule>> {
        self.default_response.as_ref()
    }

    /// True for the rule of the default response.
    pub fn is_default_response(&self, rule: &Rule) -> bool {
        self.default_response.as_ref().is_some_and(|default| default.name == rule.name)
    }

    /// The default response to main mode between these hosts: if no filter decides on all of their traffic already.
    pub(super) fn default_main_mode(&self, local: HostAddress, remote: HostAddress) -> Option<&Arc<Rule>> {
        self.default_for(&between(local, remote))
    }

    /// The default response to a proposal of quick mode: for the two hosts themselves, if no filter covers it.
    pub(super) fn default_quick_mode(
        &self,
        local: HostAddress,
        remote: HostAddress,
        proposed: &Selector,
        mode: Mode,
    ) -> Option<&Arc<Rule>> {
        let between_hosts = proposed.local == Prefix::host(local.ip()) && proposed.remote == Prefix::host(remote.ip());
        if mode == Mode::Transport && between_hosts { self.default_for(proposed) } else { None }
    }

    fn default_for(&self, traffic: &Selector) -> Option<&Arc<Rule>> {
        let default = self.default_response.as_ref()?;
        self.covering(traffic).next().is_none().then_some(default)
    }

    /// True if `rule`, one of this policy, may have SAs for `selector`.
    pub fn is_for(&self, rule: &Rule, selector: &Selector) -> bool {
        if self.is_default_response(rule) {
            return self.default_for(selector).is_some();
        }
        self.covering(selector).any(|(other, _)| other.name == rule.name)
    }

    /// True if `rule`, one of this policy, may have an ISAKMP SA between these hosts. With the default response only while no
    /// other rule negotiates with the peer: that may want other proof of who the peer is.
    pub fn is_between(&self, rule: &Rule, local: HostAddress, remote: HostAddress) -> bool {
        !self.is_default_response(rule) || self.main_mode_rules(local, remote).iter().any(|own| own.name == rule.name)
    }
}
