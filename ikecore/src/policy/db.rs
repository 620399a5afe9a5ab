//! The policy database: immutable and numbered; a new policy is a new database.
use super::rule::Rule;
use super::selector::{Flow, Prefix, Selector};
use crate::proposal::suite::Mode;
use std::net::IpAddr;
use std::sync::Arc;

/// All rules in force.
#[derive(Clone, Debug, Default)]
pub struct PolicyDb {
    /// The number of this version; a later one is higher.
    pub version: u64,
    /// The rules; the order decides only between filters of equal weight.
    pub rules: Vec<Arc<Rule>>,
    /// The addresses of this host, for `me` and for transport-mode rules.
    pub local_addresses: Vec<Prefix>,
}

/// Rules that cannot be in force together.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PolicyError {
    /// Two rules have one name.
    #[error("two rules are named {0:?}")]
    DuplicateName(String),
}

impl PolicyDb {
    /// Checks the rules.
    pub fn new(version: u64, rules: Vec<Arc<Rule>>, local_addresses: Vec<Prefix>) -> Result<Self, PolicyError> {
        Ok(Self { version, rules, local_addresses })
    }

    /// The rule of a name.
    pub fn rule(&self, name: &str) -> Option<&Arc<Rule>> {
        self.rules.iter().find(|rule| rule.name == name)
    }

    /// The rule and the filter that a packet falls under: the most specific filter that matches.
    pub fn lookup_flow(&self, flow: &Flow) -> Option<(&Arc<Rule>, &Selector)> {
        let _ = flow;
        None
    }

    /// The rules under which this host negotiates with `remote`, most specific first.
    pub fn main_mode_rules(&self, local: IpAddr, remote: IpAddr) -> Vec<&Arc<Rule>> {
        let _ = (local, remote);
        Vec::new()
    }

    /// The rule for the traffic that a peer proposes, and the selector of the SAs. The error is what it may have.
    pub fn quick_mode_rule(
        &self,
        peer: IpAddr,
        local: IpAddr,
        proposed: &Selector,
        mode: Mode,
    ) -> Result<(&Arc<Rule>, Selector), Vec<Selector>> {
        let _ = (peer, local, proposed, mode);
        Err(Vec::new())
    }
}

/// The priority of an installed pair's policy.
pub fn pair_priority(selector: &Selector, mode: Mode) -> u32 {
    let _ = (selector, mode);
    0
}
