//! Soft SAs: the traffic with a peer that does not answer IKE passes in clear for a time, where the policy allows it.
//!
//! One is made when a peer has been silent for [`super::Config::fallback_delay`] since a packet needed it, and only then: a
//! peer from which anything has come that names this host's cookie speaks IKE, and what it refuses does not pass. The
//! negotiation goes on meanwhile, as if there were none: a late answer still leads to SAs. It ends when its life is over, when
//! the policy no longer makes it, when the administrator ends it, and at once when the peer proves who it is, whichever end
//! began.
use super::Endpoint;
use super::asks::Owner;
use super::snapshot::SoftSaInfo;
use super::tables::{Goal, IkeSa};
use super::timers::Timer;
use crate::address::HostAddress;
use crate::event::negotiation::Role;
use crate::event::{EventKind, Failure, SoftSaEvent};
use crate::exchange::Path;
use crate::exchange::work::Ask;
use crate::ids::{IkeSaId, IpsecSaId, NegotiationId};
use crate::policy::rule::Rule;
use crate::policy::selector::Selector;
use crate::proposal::suite::Lifetime;
use crate::sa::driver::{DriverError, SaOp, TrafficPolicy};
use crate::time::{Duration, Time};
use std::sync::Arc;

/// The most that stand at once. Where packets that arrive in clear are answered, whoever forges their addresses has this
/// host make one for each; the oldest makes way, and is made again for the next packet that needs it.
pub(super) const MOST: usize = 4_096;

/// A soft SA.
pub(super) struct SoftSa {
    rule: String,
    path: Path,
    policy: TrafficPolicy,
    lifetime: u32,
    /// When the driver had it; `None` before.
    since: Option<Time>,
}

impl SoftSa {
    /// What is told of it, once it is installed.
    pub(super) fn info(&self, id: IpsecSaId) -> Option<SoftSaInfo> {
        let Self { rule, path, policy, lifetime, since } = self;
        Some(SoftSaInfo {
            id,
            local: path.local,
            remote: path.remote,
            selector: policy.selector,
            rule: rule.clone(),
            since: (*since)?,
            lifetime: *lifetime,
        })
    }
}

impl Endpoint {
    /// Something came that names the cookie of an ISAKMP SA of this host.
    pub(super) fn note_answer(&mut self, id: IkeSaId) {
        if let Some(negotiating) = self.ike_sas.get_mut(&id).and_then(IkeSa::negotiating_mut) {
            negotiating.answered = true;
        }
    }

    /// True if nothing says that the peer speaks IKE: what is under way with it was begun here and not answered, and
    /// nothing stands with it.
    fn is_silent(&self, peer: HostAddress) -> bool {
        let unanswered = |sa: &IkeSa| sa.role == Role::Initiator && sa.negotiating().is_some_and(|of| !of.answered);
        let mut sas = self.index.ike_sas.of(&peer).filter_map(|id| self.ike_sas.get(&id));
        self.index.pairs.count(&peer) == 0 && sas.all(unanswered)
    }

    fn has_soft_sa(&self, peer: HostAddress, selector: Selector) -> bool {
        let mut standing = self.index.soft_sas.of(&peer).filter_map(|id| self.soft_sas.get(&id));
        standing.any(|soft| soft.policy.selector == selector)
    }

    /// A packet needs what a negotiation is for: from now on its peer has the time to answer, unless that runs already. A
    /// negotiation under way for longer has had its soft SA, and that has ended.
    pub(super) fn await_fallback(&mut self, id: NegotiationId, rule: &Rule) {
        let goal = self.negotiations.get(&id).map(|of| &of.goal);
        let is_first = matches!(goal, Some(Goal::IpsecSa { replaces: None, .. }));
        if is_first && rule.falls_back() && !self.timers.is_set(Timer::Fallback(id)) {
            self.timers.set(Timer::Fallback(id), self.shared.now + self.config.fallback_delay);
        }
    }

    /// The peer of a negotiation has had the time to answer.
    pub(super) fn fall_back(&mut self, negotiation: NegotiationId) {
        let Some(of) = self.negotiations.get(&negotiation) else { return };
        let (Goal::IpsecSa { selector, .. }, Some(then)) = (&of.goal, &of.rule) else { return };
        let (selector, path) = (*selector, of.path);
        let peer = path.peer();
        if self.stopping || self.has_soft_sa(peer, selector) || !self.is_silent(peer) {
            return;
        }
        let policy = Arc::clone(&self.shared.policy);
        let Some(rule) = policy.rule(&then.name) else { return };
        let Some(traffic_policy) = policy.soft_policy(rule, selector) else { return };
        if self.soft_sas.len() >= MOST
            && let Some(oldest) = self.soft_sas.keys().next().copied()
        {
            let failure = Failure::TooMany { what: "soft SAs", count: self.soft_sas.len(), limit: MOST };
            self.end_soft_sa(oldest, failure);
        }
        let id = IpsecSaId(self.handle_number());
        let lifetime = rule.main_mode.soft_lifetime;
        let soft = SoftSa { rule: rule.name.clone(), path, policy: traffic_policy, lifetime, since: None };
        self.index.soft_sas.insert(peer, id);
        self.soft_sas.insert(id, soft);
        self.ask(Owner::SoftSa(id), Ask::Sa(SaOp::InstallSoft { id, policy: traffic_policy }));
    }

    /// The driver has taken a soft SA, or not.
    pub(super) fn soft_sa_installed(&mut self, id: IpsecSaId, result: Result<(), DriverError>) {
        let now = self.shared.now;
        // It may have ended meanwhile.
        let Some(soft) = self.soft_sas.get_mut(&id) else { return };
        if let Err(error) = result {
            self.take_soft_sa(id);
            return self.driver_failed(error);
        }
        soft.since = Some(now);
        let (selector, rule, lifetime, path) = (soft.policy.selector, soft.rule.clone(), soft.lifetime, soft.path);
        if lifetime != 0 {
            self.timers.set(Timer::SoftSa(id), now + Duration::from_secs(lifetime.into()));
        }
        self.counters.soft_sas += 1;
        self.focus_soft_sa(id, path);
        self.tell(EventKind::SoftSa(SoftSaEvent::Established { selector, rule, lifetime }));
    }

    /// The life of a soft SA is over.
    pub(super) fn soft_sa_timer(&mut self, id: IpsecSaId) {
        let Some(soft) = self.soft_sas.get(&id) else { return };
        let lifetime = Lifetime { seconds: soft.lifetime, kilobytes: 0 };
        self.end_soft_sa(id, Failure::LifetimeEnded(lifetime));
    }

    /// Ends those with a peer (`None`: with everybody).
    pub(super) fn end_soft_sas(&mut self, peer: Option<HostAddress>, reason: &Failure) {
        let ids: Vec<IpsecSaId> = match peer {
            Some(peer) => self.index.soft_sas.of(&peer).collect(),
            None => self.soft_sas.keys().copied().collect(),
        };
        for id in ids {
            self.end_soft_sa(id, reason.clone());
        }
    }

    /// Ends those that the policy would not make any more, or would make otherwise.
    pub(super) fn review_soft_sas(&mut self) {
        let policy = Arc::clone(&self.shared.policy);
        let as_before = |soft: &SoftSa| {
            let now = policy.rule(&soft.rule).and_then(|rule| policy.soft_policy(rule, soft.policy.selector));
            now == Some(soft.policy)
        };
        let gone = self.soft_sas.iter().filter(|(_, soft)| !as_before(soft)).map(|(id, _)| *id);
        for id in gone.collect::<Vec<_>>() {
            self.end_soft_sa(id, Failure::PolicyChange);
        }
    }

    /// Ends a soft SA: from now on its traffic needs SAs again.
    pub(super) fn end_soft_sa(&mut self, id: IpsecSaId, reason: Failure) {
        let Some(soft) = self.take_soft_sa(id) else { return };
        self.tell_driver(SaOp::Delete { id, inbound: Vec::new() });
        if soft.since.is_some() {
            self.focus_soft_sa(id, soft.path);
            let SoftSa { rule, policy, .. } = soft;
            self.tell(EventKind::SoftSa(SoftSaEvent::Ended { selector: policy.selector, rule, reason }));
        }
    }

    fn take_soft_sa(&mut self, id: IpsecSaId) -> Option<SoftSa> {
        let soft = self.soft_sas.remove(&id)?;
        self.index.soft_sas.remove(&soft.path.peer(), id);
        self.timers.cancel(Timer::SoftSa(id));
        Some(soft)
    }

    fn focus_soft_sa(&mut self, id: IpsecSaId, path: Path) {
        let context = &mut self.shared.trace.context;
        context.ike_sa = None;
        context.ipsec_sa = Some(id);
        context.local = Some(path.local);
        context.remote = Some(path.remote);
    }
}
