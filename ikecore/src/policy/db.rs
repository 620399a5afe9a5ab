//! The policy database: immutable and numbered; a new policy is a new database.
use super::rule::Rule;
use super::selector::Prefix;
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
