//! Quick modes that this host begins take turns.
//!
//! A peer may keep track of few exchanges at once with one ISAKMP SA, and be unable to decrypt the others: strongSwan by default
//! of three, informational ones and those of both ends included. And what arrives within a moment it may take in any order.
use super::Endpoint;
use super::tables::{Goal, IkeSa, Running};
use super::timers::Timer;
use crate::event::Failure;
use crate::event::negotiation::Role;
use crate::ids::{IkeSaId, NegotiationId};
use crate::time::Duration;

/// Between the last message of a quick mode and the first of the next, where there is one at a time: so that the peer takes
/// them in this order.
const PAUSE: Duration = Duration::from_millis(20);

impl Endpoint {
    /// True if a negotiation must wait before it begins its quick mode; it is called then.
    pub(super) fn waits_for_turn(&mut self, ike_sa: IkeSaId, id: NegotiationId) -> bool {
        if !self.is_busy(ike_sa) {
            return false;
        }
        if let Some(standing) = self.ike_sas.get_mut(&ike_sa).and_then(IkeSa::standing_mut) {
            standing.waiting.push_back(id);
        }
        true
    }

    /// True if no quick mode of this host may begin at the moment.
    fn is_busy(&self, ike_sa: IkeSaId) -> bool {
        let Some(standing) = self.ike_sas.get(&ike_sa).and_then(IkeSa::standing) else { return false };
        let began = |running: &Running| {
            let negotiation = self.negotiations.get(&running.negotiation);
            negotiation.is_some_and(|negotiation| negotiation.role == Role::Initiator)
        };
        // With message 3 it is over for the peer, whatever this host waits for then.
        let under_way = |running: &&Running| running.exchange.is_some() && running.switch_over.is_none();
        let own = standing.quick_modes.values().filter(under_way).filter(|running| began(running));
        self.shared.now < standing.pause_until || own.count() >= self.config.quick_modes_at_once.max(1)
    }

    /// A quick mode of this host or of the peer is over: what waits has its turn soon.
    pub(super) fn end_turn(&mut self, ike_sa: IkeSaId) {
        let pause = if self.config.quick_modes_at_once > 1 { Duration::ZERO } else { PAUSE };
        let until = self.shared.now + pause;
        if let Some(standing) = self.ike_sas.get_mut(&ike_sa).and_then(IkeSa::standing_mut) {
            standing.pause_until = until;
            self.timers.set(Timer::Turn(ike_sa), until);
        }
    }

    /// What waits has its turn. An ISAKMP SA that serves no new quick modes hands it on.
    pub(super) fn next_turn(&mut self, ike_sa: IkeSaId) {
        while !self.is_busy(ike_sa) {
            let standing = self.ike_sas.get_mut(&ike_sa).and_then(IkeSa::standing_mut);
            let Some((id, retired)) =
                standing.and_then(|standing| Some((standing.waiting.pop_front()?, standing.retired)))
            else {
                return;
            };
            if retired {
                self.lead_to_main_mode(id);
            } else {
                self.main_mode_is_there(id, ike_sa);
            }
        }
    }

    /// What waits under an ISAKMP SA, and does so no longer.
    pub(super) fn take_waiting(&mut self, ike_sa: IkeSaId) -> Vec<NegotiationId> {
        let standing = self.ike_sas.get_mut(&ike_sa).and_then(IkeSa::standing_mut);
        standing.map(|standing| core::mem::take(&mut standing.waiting).into()).unwrap_or_default()
    }

    /// What waited under an ISAKMP SA that is gone goes on with another that stands, or ends.
    pub(super) fn hand_on(&mut self, waiting: Vec<NegotiationId>, reason: &Failure) {
        for id in waiting {
            let Some(negotiation) = self.negotiations.get(&id) else { continue };
            let (Some(rule), Goal::IpsecSa { replaces, .. }) = (&negotiation.rule, &negotiation.goal) else { continue };
            match self.standing_sa_for(rule, negotiation.path, *replaces) {
                Some(ike_sa) => self.main_mode_is_there(id, ike_sa),
                None => self.fail_negotiation(id, Failure::IkeSaEnded(reason.to_string())),
            }
        }
    }
}
