//! The driver's standing policies, made of the rules.
use super::driver::TrafficPolicy;
use crate::policy::db::PolicyDb;
use crate::policy::rule::Rule;
use crate::policy::selector::Selector;
use crate::proposal::suite::IpsecSuite;
use std::net::IpAddr;

impl PolicyDb {
    /// The standing policies for the driver: one a filter.
    pub fn traffic_policies(&self) -> Vec<TrafficPolicy> {
        Vec::new()
    }

    /// The policy that goes with a pair of SAs for `selector` between `local` and `remote` (the SAs' own addresses).
    pub fn pair_policy(
        &self,
        rule: &Rule,
        selector: Selector,
        suite: IpsecSuite,
        local: IpAddr,
        remote: IpAddr,
    ) -> Option<TrafficPolicy> {
        let _ = (rule, selector, suite, local, remote);
        None
    }
}
