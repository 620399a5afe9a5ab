//! A new policy: what it allows goes on untouched, what it forbids ends.
use super::Endpoint;
use crate::event::{EndpointEvent, EventKind, Failure};
use crate::ids::{IkeSaId, IpsecSaId};
use crate::policy::db::PolicyDb;
use crate::policy::rule::{AuthMethod, Rule};
use crate::policy::selector::Selector;
use crate::proposal::suite::IpsecSuite;
use crate::sa::driver::SaOp;
use std::sync::Arc;

impl Endpoint {
    pub(super) fn set_policy(&mut self, policy: Arc<PolicyDb>) {
        if self.stopping {
            return;
        }
        self.shared.policy = policy;
        let policy = Arc::clone(&self.shared.policy);
        let (version, rules) = (policy.version, policy.rules.len());
        self.tell(EventKind::Endpoint(EndpointEvent::PolicyInForce { version, rules }));
        let pairs: Vec<IpsecSaId> = self
            .pairs
            .iter()
            .filter(|(_, pair)| {
                let sa = &pair.sa;
                !policy.rule(&sa.rule.name).is_some_and(|now| allows_pair(now, &sa.rule, &sa.selector, sa.suite))
            })
            .map(|(id, _)| *id)
            .collect();
        for id in pairs {
            self.remove_pair(id, Failure::PolicyChange, true);
        }
        let sas: Vec<IkeSaId> = self
            .ike_sas
            .iter()
            .filter(|(_, sa)| !policy.rule(&sa.rule.name).is_some_and(|now| allows_ike_sa(now, &sa.rule)))
            .map(|(id, _)| *id)
            .collect();
        for id in sas {
            self.end_ike_sa(id, Failure::PolicyChange, true);
        }
        self.tell_driver(SaOp::SetPolicies(policy.traffic_policies()));
    }
}

fn allows_pair(now: &Rule, then: &Rule, selector: &Selector, suite: IpsecSuite) -> bool {
    let offered = now.quick_mode().is_some_and(|policy| policy.offers.iter().any(|offer| offer.suite == suite));
    offered
        && now.reqid == then.reqid
        && now.tunnel == then.tunnel
        && now.filters.iter().any(|filter| filter.covers(selector))
        && allows_ike_sa(now, then)
}

fn allows_ike_sa(now: &Rule, then: &Rule) -> bool {
    let same_keys = now.authentication.len() == then.authentication.len()
        && now
            .authentication
            .iter()
            .zip(&then.authentication)
            .all(|(AuthMethod::PreSharedKey(now), AuthMethod::PreSharedKey(then))| now.ct_eq(then.expose()));
    now.quick_mode().is_some()
        && same_keys
        && now.main_mode == then.main_mode
        && now.local_id == then.local_id
        && now.remote_id == then.remote_id
}
