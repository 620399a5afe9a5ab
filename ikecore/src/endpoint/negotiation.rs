//! Negotiations: from what was wanted to exactly one end.
use super::Endpoint;
use super::tables::{Goal, IkeSa, Negotiation, Pair, Standing};
use super::timers::Timer;
use crate::event::negotiation::{Cause, Role};
use crate::event::{EventKind, Failure, NegotiationEvent, Phase};
use crate::exchange::Path;
use crate::ids::{IkeSaId, IpsecSaId, NegotiationId};
use crate::policy::rule::Rule;
use crate::policy::selector::Selector;
use crate::sa::driver::Acquire;
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
        match (role, &goal, &rule) {
            (Role::Initiator, Goal::IpsecSa { selector, .. }, Some(rule)) => {
                self.index.wanted.insert((rule.reqid, *selector), id);
            }
            (Role::Responder, Goal::IpsecSa { selector, .. }, Some(rule)) => {
                self.index.offered.insert((rule.reqid, *selector), id);
            }
            _ => {}
        }
        // Where the peer begins, its first message says it.
        let aggressive = rule.as_ref().is_some_and(|rule| rule.aggressive_mode && role == Role::Initiator);
        let phase = if aggressive { Phase::AggressiveMode } else { Phase::MainMode };
        let negotiation = Negotiation { role, rule, goal, path, started, phase, ike_sa: None, acquire: None };
        self.negotiations.insert(id, negotiation);
        id
    }

    fn take_negotiation(&mut self, id: NegotiationId) -> Option<Negotiation> {
        let negotiation = self.negotiations.remove(&id)?;
        self.timers.cancel(Timer::Fallback(id));
        if let (Goal::IpsecSa { selector, .. }, Some(rule)) = (&negotiation.goal, &negotiation.rule) {
            let key = (rule.reqid, *selector);
            if self.index.wanted.get(&key) == Some(&id) {
                self.index.wanted.remove(&key);
            }
            self.index.offered.remove(&key, id);
        }
        Some(negotiation)
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

    pub(super) fn succeed_negotiation(&mut self, id: NegotiationId) {
        self.focus_negotiation(id);
        if let Some(Negotiation { role, phase, .. }) = self.take_negotiation(id) {
            self.tell(EventKind::Negotiation(NegotiationEvent::Succeeded { role, phase }));
        }
    }

    pub(super) fn fail_negotiation(&mut self, id: NegotiationId, failure: Failure) {
        self.focus_negotiation(id);
        let Some(negotiation) = self.take_negotiation(id) else { return };
        let Negotiation { role, rule, phase, started, goal, acquire, .. } = negotiation;
        // What a packet of this host waited for will not come from the peer.
        let acquire = acquire.filter(|_| {
            matches!(failure, Failure::TimedOut { .. } | Failure::PeerRefused { .. } | Failure::DeletedByPeer(_))
        });
        let seconds = self.shared.now.since(started).as_secs();
        // The peer is not to be found any more where the pair has it.
        let is_hopeless = matches!(failure, Failure::OtherPeer { .. });
        let selector = match &goal {
            Goal::IpsecSa { selector, .. } => Some(Box::new(*selector)),
            Goal::IkeSa { .. } => None,
        };
        let rule = rule.map(|rule| rule.name.clone());
        self.tell(EventKind::Negotiation(NegotiationEvent::Failed { role, phase, failure, seconds, rule, selector }));
        match goal {
            Goal::IpsecSa { replaces: Some(_), .. } if is_hopeless => {}
            Goal::IpsecSa { replaces: Some(old), .. } => self.retry_rekey_of_pair(old),
            Goal::IkeSa { replaces: Some(old) } => self.retry_rekey_of_ike_sa(old),
            Goal::IpsecSa { replaces: None, .. } | Goal::IkeSa { replaces: None } => {}
        }
        if let Some(acquire) = acquire {
            self.begin_for_acquire(acquire);
        }
    }

    /// True if a peer is negotiating the pair that a packet of this host needs: a second pair would have no use. If it
    /// comes to nothing, this host begins.
    pub(super) fn join_offered(&mut self, rule: &Rule, selector: Selector, path: Path, acquire: Acquire) -> bool {
        let offered = self
            .index
            .offered
            .of(&(rule.reqid, selector))
            .find(|id| self.negotiations.get(id).is_some_and(|negotiation| negotiation.path.peer() == path.peer()));
        let Some(negotiation) = offered.and_then(|id| self.negotiations.get_mut(&id)) else { return false };
        negotiation.acquire = Some(acquire);
        true
    }

    /// Begins what leads to a pair of IPsec SAs, unless it is under way already; false if nothing was begun.
    pub(super) fn want_ipsec_sa(
        &mut self,
        cause: Cause,
        rule: &Arc<Rule>,
        path: Path,
        selector: Selector,
        replaces: Option<IpsecSaId>,
    ) -> bool {
        if self.stopping {
            return false;
        }
        if let Some(under_way) = self.index.wanted.get(&(rule.reqid, selector)).copied() {
            self.await_fallback(under_way, rule);
            return false;
        }
        let goal = Goal::IpsecSa { selector, replaces };
        let id = self.new_negotiation(Role::Initiator, cause, Some(Arc::clone(rule)), goal, path);
        if let Some(reason) = self.driver_lost.clone() {
            self.fail_negotiation(id, Failure::DriverLost(reason));
        } else {
            self.await_fallback(id, rule);
            self.lead_to_main_mode(id);
        }
        true
    }

    /// Begins what leads to an ISAKMP SA in place of one that stands, unless it is under way already; false if nothing
    /// was begun.
    pub(super) fn want_ike_sa(&mut self, cause: Cause, rule: &Arc<Rule>, path: Path, replaces: IkeSaId) -> bool {
        if self.stopping || self.main_mode_under_way(rule, path).is_some() {
            return false;
        }
        let goal = Goal::IkeSa { replaces: Some(replaces) };
        let id = self.new_negotiation(Role::Initiator, cause, Some(Arc::clone(rule)), goal, path);
        self.begin_main_mode(rule, path, id);
        true
    }

    /// An ISAKMP SA that this host began, that may serve a rule, and that is not ready for it yet.
    fn main_mode_under_way(&self, rule: &Rule, path: Path) -> Option<IkeSaId> {
        let under_way = |sa: &IkeSa| sa.standing().is_none_or(|standing| standing.preparation.is_some());
        let fits = |sa: &IkeSa| under_way(sa) && self.same_host(sa.path, path) && serves(sa, rule, path);
        self.index
            .ike_sas
            .of(&path.peer())
            .find(|id| self.ike_sas.get(id).is_some_and(|sa| sa.role == Role::Initiator && fits(sa)))
    }

    /// Whether a main mode on `under_way` is with the host that `wanted` leads to: behind one NAT may be several, each with
    /// a port of its own. The port in which main mode begins names none of them.
    const fn same_host(&self, under_way: Path, wanted: Path) -> bool {
        let (under_way, wanted) = (under_way.remote.port(), wanted.remote.port());
        let (ike, nat_t) = (self.config.ike_port, self.config.nat_t_port);
        under_way == wanted || wanted == ike || (wanted == nat_t && under_way == ike)
    }

    /// Finds an ISAKMP SA for a negotiation, joins a main mode under way, or begins one.
    pub(super) fn lead_to_main_mode(&mut self, id: NegotiationId) {
        let Some(negotiation) = self.negotiations.get(&id) else { return };
        let (Some(rule), Goal::IpsecSa { replaces, .. }) = (&negotiation.rule, &negotiation.goal) else { return };
        let (rule, path, replaces) = (&Arc::clone(rule), negotiation.path, *replaces);
        if let Some(ike_sa) = self.standing_sa_for(rule, path, replaces) {
            return self.main_mode_is_there(id, ike_sa);
        }
        let Some(ike_sa) = self.main_mode_under_way(rule, path) else { return self.begin_main_mode(rule, path, id) };
        if let Some(waiting) = self.ike_sas.get_mut(&ike_sa).and_then(IkeSa::waiting_mut) {
            waiting.push(id);
        }
        if let Some(negotiation) = self.negotiations.get_mut(&id) {
            negotiation.ike_sa = Some(ike_sa);
        }
    }

    /// The newest standing ISAKMP SA that may serve a rule; for a successor of a pair, one with the same peer.
    pub(super) fn standing_sa_for(&self, rule: &Rule, path: Path, replaces: Option<IpsecSaId>) -> Option<IkeSaId> {
        let pair = replaces.and_then(|old| self.pairs.get(&old));
        let fits = |standing: &Standing| {
            let same_peer = |pair: &Pair| pair.identity == *standing.sa.peer.identity() && pair.user == standing.user;
            let crossed = standing.crosses.is_some_and(|own| self.ike_sas.contains_key(&own));
            !(standing.retired || crossed) && standing.preparation.is_none() && pair.is_none_or(same_peer)
        };
        self.index
            .ike_sas
            .of(&path.peer())
            .rev()
            .find(|id| self.ike_sas.get(id).is_some_and(|sa| serves(sa, rule, path) && sa.standing().is_some_and(fits)))
    }

    /// The failure, if the pair that is to be replaced is of another peer than the ISAKMP SA is with: a NAT may have given the
    /// address and port to another host since.
    fn other_peer(&self, ike_sa: IkeSaId, replaces: Option<IpsecSaId>) -> Option<Failure> {
        let pair = self.pairs.get(&replaces?)?;
        let sa = self.ike_sas.get(&ike_sa)?;
        let standing = sa.standing()?;
        let now = standing.sa.peer.identity();
        let same = pair.identity == *now && pair.user == standing.user;
        (!same).then(|| Failure::OtherPeer { peer: sa.path.remote, now: now.clone(), before: pair.identity.clone() })
    }

    /// Goes on now that the ISAKMP SA stands.
    pub(super) fn main_mode_is_there(&mut self, id: NegotiationId, ike_sa: IkeSaId) {
        let Some(negotiation) = self.negotiations.get_mut(&id) else { return };
        negotiation.ike_sa = Some(ike_sa);
        match negotiation.goal {
            Goal::IkeSa { .. } => self.succeed_negotiation(id),
            Goal::IpsecSa { selector, replaces } => {
                let Some(rule) = negotiation.rule.clone() else { return };
                if let Some(failure) = self.other_peer(ike_sa, replaces) {
                    return self.fail_negotiation(id, failure);
                }
                if self.waits_for_turn(ike_sa, id) {
                    return;
                }
                if let Some(negotiation) = self.negotiations.get_mut(&id) {
                    negotiation.phase = Phase::QuickMode;
                }
                self.begin_quick_mode(ike_sa, &rule, selector, replaces, id);
            }
        }
    }
}

/// Whether an ISAKMP SA may protect the quick modes of a rule: the same peers, proven in the same way.
pub(super) fn serves(sa: &IkeSa, rule: &Rule, path: Path) -> bool {
    let same_peers = sa.path.peer() == path.peer() && sa.path.own() == path.own();
    let same_way = sa.rule.name == rule.name
        || (sa.rule.main_mode == rule.main_mode
            && sa.rule.authenticates_like(rule)
            && sa.rule.local_id == rule.local_id
            && sa.rule.remote_id == rule.remote_id);
    same_peers && same_way && sa.rule.prepares_like(rule)
}
