//! Offers that the driver cannot run are left out of the policy, so that none is agreed on in place of one that it can.
use crate::driver::SaDriver;
use ikecore::policy::db::PolicyDb;
use ikecore::policy::rule::Rule;
use ikecore::proposal::offer::QuickModeOffer;
use ikecore::proposal::suite::{Mode, ProtectionSuite};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// An offer of quick mode that the driver cannot run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unsupported {
    /// The rule.
    pub rule: String,
    /// What was to be offered.
    pub suite: ProtectionSuite,
    /// The driver.
    pub driver: &'static str,
    /// Why not.
    pub reason: String,
    /// The rule has an offer that the driver can run.
    pub has_others: bool,
}

impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rule, suite, driver, reason, has_others } = self;
        let effect = if *has_others { "left out" } else { "kept, for there is no other, but it will fail" };
        write!(f, "rule {rule:?}: the offer {suite} is {effect}: driver {driver}: {reason}")
    }
}

/// The policy as far as `driver` can run it, and what it cannot.
pub(super) fn supported(policy: &Arc<PolicyDb>, driver: &mut dyn SaDriver) -> (Arc<PolicyDb>, Vec<Unsupported>) {
    let name = driver.capabilities().name;
    // Many rules have the same offers.
    let mut asked: Vec<(QuickModeOffer, Mode, Result<(), String>)> = Vec::new();
    let mut unsupported: Vec<Unsupported> = Vec::new();
    let supported = policy.keep_offers(|rule, offer| {
        let mode = rule.mode();
        let known = asked.iter().position(|(of, in_mode, _)| (of, *in_mode) == (offer, mode));
        let known = known.unwrap_or_else(|| {
            asked.push((*offer, mode, driver.supports(offer, mode)));
            asked.len() - 1
        });
        let Some((_, _, Err(reason))) = asked.get(known) else { return true };
        let (rule, reason) = (rule.name.clone(), reason.clone());
        unsupported.push(Unsupported { rule, suite: offer.suite, driver: name, reason, has_others: false });
        false
    });
    let rules = supported.rules.iter().chain(supported.default_response());
    let rules: BTreeMap<&str, &Rule> = rules.map(|rule| (rule.name.as_str(), &**rule)).collect();
    for of in &mut unsupported {
        let left = rules.get(of.rule.as_str()).and_then(|rule| rule.quick_mode());
        of.has_others = left.is_some_and(|left| left.offers.iter().all(|offer| offer.suite != of.suite));
    }
    (Arc::new(supported), unsupported)
}
