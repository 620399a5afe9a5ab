//! Negotiations: from what was wanted to exactly one end.
use super::Endpoint;
use super::tables::{Goal, IkeSa, Negotiation};
use crate::event::negotiation::{Cause, Role};
use crate::event::{EventKind, Failure, NegotiationEvent, Phase};
use crate::exchange::Path;
use crate::ids::{IkeSaId, IpsecSaId, NegotiationId};
use crate::policy::rule::Rule;
use crate::policy::selector::Selector;
use std::net::IpAddr;
use std::sync::Arc;

impl Endpoint {
    pub(super) fn new_negotiation(
        &mut self,
        role: Role,
        cause: Cause,
        rule: Option<Arc<Rule>>,
        goal: Goal,
        path: Path,
    ) -> NegotiationId {
        let id = NegotiationId(self.handle_number());
        let context = &mut self.shared.trace.context;
        context.negotiation = Some(id);
        context.local = Some(path.local);
        context.remote = Some(path.remote);
        self.tell_started(role, cause, rule.as_ref().map(|rule| rule.name.clone()));
        let started = self.shared.now;
        let negotiation = Negotiation { role, rule, goal, path, started, in_quick_mode: false, ike_sa: None };
        self.negotiations.insert(id, negotiation);
        id
    }

    fn focus_negotiation(&mut self, id: NegotiationId) {
        let context = &mut self.shared.trace.context;
        context.negotiation = Some(id);
        if let Some(negotiation) = self.negotiations.get(&id) {
            context.ike_sa = negotiation.ike_sa;
            context.local = Some(negotiation.path.local);
            context.remote = Some(negotiation.path.remote);
        }
    }

    pub(super) fn succeed_negotiation(&mut self, id: NegotiationId, phase: Phase) {
        self.focus_negotiation(id);
        if let Some(Negotiation { role, .. }) = self.negotiations.remove(&id) {
            self.tell(EventKind::Negotiation(NegotiationEvent::Succeeded { role, phase }));
        }
    }

    pub(super) fn fail_negotiation(&mut self, id: NegotiationId, failure: Failure) {
        self.focus_negotiation(id);
        let Some(negotiation) = self.negotiations.remove(&id) else { return };
        let Negotiation { role, in_quick_mode, started, goal, .. } = negotiation;
        let phase = if in_quick_mode { Phase::QuickMode } else { Phase::MainMode };
        let seconds = self.shared.now.since(started).as_secs();
        self.tell(EventKind::Negotiation(NegotiationEvent::Failed { role, phase, failure, seconds }));
        if let Goal::IpsecSa { replaces: Some(old), .. } = goal
            && let Some(pair) = self.pairs.get_mut(&old)
        {
            // The old pair lives on to its end; traffic after that asks anew.
            pair.rekeying = false;
        }
    }

    /// Begins what leads to a pair of IPsec SAs, unless it is under way already.
    pub(super) fn want_ipsec_sa(
        &mut self,
        cause: Cause,
        rule: &Arc<Rule>,
        path: Path,
        selector: Selector,
        replaces: Option<IpsecSaId>,
    ) {
        let under_way = self.negotiations.values().any(|other| {
            other.role == Role::Initiator
                && other.rule.as_ref().is_some_and(|of| of.name == rule.name)
                && matches!(&other.goal, Goal::IpsecSa { selector: of, .. } if *of == selector)
        });
        if under_way || self.stopping {
            return;
        }
        let goal = Goal::IpsecSa { selector, replaces };
        let id = self.new_negotiation(Role::Initiator, cause, Some(Arc::clone(rule)), goal, path);
        if let Some(reason) = self.driver_lost.clone() {
            return self.fail_negotiation(id, Failure::DriverLost(reason));
        }
        self.lead_to_main_mode(id, rule, path);
    }

    /// Begins what leads to an ISAKMP SA.
    pub(super) fn want_ike_sa(&mut self, cause: Cause, rule: &Arc<Rule>, path: Path) {
        if self.stopping {
            return;
        }
        let id = self.new_negotiation(Role::Initiator, cause, Some(Arc::clone(rule)), Goal::IkeSa, path);
        self.begin_main_mode(rule, path, id);
    }

    /// Finds an ISAKMP SA for a negotiation, joins a main mode under way, or begins one.
    fn lead_to_main_mode(&mut self, id: NegotiationId, rule: &Arc<Rule>, path: Path) {
        if let Some(ike_sa) = self.standing_sa_for(rule, path) {
            return self.main_mode_is_there(id, ike_sa);
        }
        let joined = self.ike_sas.iter_mut().find_map(|(sa_id, sa)| {
            let fits = sa.role == Role::Initiator && serves(sa, rule, path);
            let negotiating = sa.negotiating_mut().filter(|_| fits)?;
            negotiating.waiting.push(id);
            Some(*sa_id)
        });
        match joined {
            Some(ike_sa) => {
                if let Some(negotiation) = self.negotiations.get_mut(&id) {
                    negotiation.ike_sa = Some(ike_sa);
                }
            }
            None => self.begin_main_mode(rule, path, id),
        }
    }

    /// The newest standing ISAKMP SA that may serve a rule.
    fn standing_sa_for(&self, rule: &Arc<Rule>, path: Path) -> Option<IkeSaId> {
        let mut serving = self
            .ike_sas
            .iter()
            .rev()
            .filter(|(_, sa)| serves(sa, rule, path) && sa.standing().is_some_and(|standing| !standing.retired));
        serving.next().map(|(id, _)| *id)
    }

    /// Goes on now that the ISAKMP SA stands.
    pub(super) fn main_mode_is_there(&mut self, id: NegotiationId, ike_sa: IkeSaId) {
        let Some(negotiation) = self.negotiations.get_mut(&id) else { return };
        negotiation.ike_sa = Some(ike_sa);
        match negotiation.goal {
            Goal::IkeSa => self.succeed_negotiation(id, Phase::MainMode),
            Goal::IpsecSa { selector, replaces } => {
                negotiation.in_quick_mode = true;
                let Some(rule) = negotiation.rule.clone() else { return };
                self.begin_quick_mode(ike_sa, &rule, selector, replaces, id);
            }
        }
    }

    /// True if an ISAKMP SA with the peer stands.
    pub(super) fn has_standing_sa(&self, peer: IpAddr) -> bool {
        self.ike_sas.values().any(|sa| sa.path.remote.ip() == peer && sa.standing().is_some())
    }
}

/// Whether an ISAKMP SA may protect the quick modes of a rule: the same peers, proven in the same way.
pub(super) fn serves(sa: &IkeSa, rule: &Rule, path: Path) -> bool {
    let same_peers = sa.path.remote.ip() == path.remote.ip() && sa.path.local.ip() == path.local.ip();
    let same_way = sa.rule.name == rule.name
        || (sa.rule.main_mode == rule.main_mode
            && sa.rule.local_id == rule.local_id
            && sa.rule.remote_id == rule.remote_id);
    same_peers && same_way
}
