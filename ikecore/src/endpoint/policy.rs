//! A new policy: what it allows goes on untouched, what it forbids ends.
use super::Endpoint;
use super::tables::{Goal, IkeSa, Running};
use crate::event::{EndpointEvent, EventKind, Failure, Phase};
use crate::exchange::quick::IpsecSa;
use crate::exchange::runner::Exchange;
use crate::ids::{IkeSaId, IpsecSaId};
use crate::policy::db::PolicyDb;
use crate::policy::rule::Rule;
use crate::policy::selector::Selector;
use crate::proposal::offer::QuickModeOffer;
use crate::proposal::suite::ProtectionSuite;
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
                !policy.rule(&sa.rule.name).is_some_and(|now| allows_pair(&policy, now, sa))
            })
            .map(|(id, _)| *id)
            .collect();
        self.tell_peers_deleted(&pairs);
        for id in pairs {
            self.remove_pair(id, Failure::PolicyChange, false);
        }
        self.review_soft_sas();
        self.end_forbidden_negotiations(&policy);
        let sas: Vec<IkeSaId> = self
            .ike_sas
            .iter()
            .filter(|(_, sa)| {
                let (local, remote) = (sa.path.own(), sa.path.peer());
                let allows = |now: &Arc<Rule>| allows_ike_sa(now, &sa.rule) && policy.is_between(now, local, remote);
                !policy.rule(&sa.rule.name).is_some_and(allows)
            })
            .map(|(id, _)| *id)
            .collect();
        for id in sas {
            self.end_ike_sa(id, Failure::PolicyChange, true);
        }
        for id in self.ike_sas.keys().copied().collect::<Vec<_>>() {
            self.watch(id);
        }
        self.tell_driver(SaOp::SetPolicies(policy.traffic_policies()));
    }

    /// Ends what is being negotiated for traffic that the policy does not protect in this way any more, or with an offer
    /// that it does not make any more: the peer may choose that one.
    fn end_forbidden_negotiations(&mut self, policy: &PolicyDb) {
        let forbidden = self.negotiations.iter().filter_map(|(id, negotiation)| {
            let Goal::IpsecSa { selector, .. } = &negotiation.goal else { return None };
            let then = negotiation.rule.as_ref()?;
            let allowed = policy.rule(&then.name).is_some_and(|now| {
                let offers = then.quick_mode().map_or(&[][..], |policy| &policy.offers);
                offers.iter().all(|offer| has_offer(now, offer.suite, offer.extended_sequence_numbers))
                    && allows_traffic(policy, now, then, selector)
            });
            (!allowed).then_some((*id, negotiation.ike_sa.filter(|_| negotiation.phase == Phase::QuickMode)))
        });
        for (id, ike_sa) in forbidden.collect::<Vec<_>>() {
            let standing = ike_sa.and_then(|ike_sa| self.ike_sas.get(&ike_sa)).and_then(IkeSa::standing);
            let running = standing.and_then(|standing| {
                standing.quick_modes.iter().find(|(_, running)| running.negotiation == id && running.exchange.is_some())
            });
            let cleanup = |running: &Running| running.exchange.as_ref().map(Exchange::cleanup).unwrap_or_default();
            match (ike_sa, running.map(|(message_id, running)| (*message_id, cleanup(running)))) {
                (Some(ike_sa), Some((message_id, cleanup))) => {
                    self.fail_quick_mode(ike_sa, message_id, Failure::PolicyChange, cleanup, true);
                }
                _ => self.fail_negotiation(id, Failure::PolicyChange),
            }
        }
    }
}

fn allows_pair(policy: &PolicyDb, now: &Rule, sa: &IpsecSa) -> bool {
    has_offer(now, sa.suite, sa.extended_sequence_numbers) && allows_traffic(policy, now, &sa.rule, &sa.selector)
}

fn has_offer(rule: &Rule, suite: ProtectionSuite, extended_sequence_numbers: bool) -> bool {
    let offers = rule.quick_mode().map_or(&[][..], |policy| &policy.offers);
    let fits =
        |offer: &QuickModeOffer| offer.suite == suite && offer.extended_sequence_numbers == extended_sequence_numbers;
    offers.iter().any(fits)
}

pub(super) fn allows_traffic(policy: &PolicyDb, now: &Rule, then: &Rule, selector: &Selector) -> bool {
    now.quick_mode().is_some()
        && now.reqid == then.reqid
        && now.tunnel == then.tunnel
        && policy.is_for(now, selector)
        && allows_ike_sa(now, then)
}

fn allows_ike_sa(now: &Rule, then: &Rule) -> bool {
    now.quick_mode().is_some()
        && now.authenticates_like(then)
        && now.aggressive_mode == then.aggressive_mode
        && now.prepares_like(then)
        && now.main_mode == then.main_mode
        && now.local_id == then.local_id
        && now.remote_id == then.remote_id
}
