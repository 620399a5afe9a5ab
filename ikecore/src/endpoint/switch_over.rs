//! When traffic that leaves takes the SA of a new pair, and what happens if that comes to nothing.
use super::Endpoint;
use super::asks::Owner;
use super::tables::{IkeSa, Running, SwitchOver};
use super::timers::Timer;
use crate::address::HostAddress;
use crate::event::negotiation::Role;
use crate::exchange::runner::BranchNumber;
use crate::exchange::work::Ask;
use crate::ids::{IkeSaId, MessageId};
use crate::policy::selector::Selector;
use crate::sa::driver::{SaName, SaOp};

impl Endpoint {
    /// The second step of a pair.
    ///
    /// Where this host began, message 3 has just left. A responder may install its inbound SA only on that message, and a
    /// packet that comes before is lost; and if message 3 was lost, so are all packets until the peer repeats message 2.
    /// So if another pair carries the traffic, it goes on to do so for a while.
    pub(super) fn install_outbound(
        &mut self,
        ike_sa: IkeSaId,
        message_id: MessageId,
        branch: BranchNumber,
        operation: SaOp,
    ) {
        let SaOp::InstallOutbound { sa, .. } = &operation else { return };
        let (selector, peer) = (sa.selector, HostAddress::new(sa.destination, sa.scope));
        let began = self.running(ike_sa, message_id).map(|running| running.negotiation);
        let began = began.and_then(|id| self.negotiations.get(&id));
        let began = began.is_some_and(|negotiation| negotiation.role == Role::Initiator);
        if !(began && self.is_carried(peer, &selector)) {
            return self.ask(Owner::QuickMode(ike_sa, message_id, branch), Ask::Sa(operation));
        }
        if let Some(running) = self.running(ike_sa, message_id) {
            running.switch_over = Some(SwitchOver { branch, selector, operation });
        }
        self.end_turn(ike_sa);
        // The peer's first repetition of message 2 comes before, and begins the wait anew.
        self.timers.set(Timer::SwitchOver(ike_sa, message_id), self.shared.now + self.plan.interval(2));
    }

    /// True while a pair with `peer` is there for this traffic.
    fn is_carried(&self, peer: HostAddress, selector: &Selector) -> bool {
        let mut pairs = self.index.traffic.of(selector).filter_map(|id| self.pairs.get(&id));
        pairs.any(|pair| pair.sa.path.peer() == peer)
    }

    /// The time of a second step has come.
    pub(super) fn switch_over(&mut self, ike_sa: IkeSaId, message_id: MessageId) {
        self.focus_quick_mode(ike_sa, message_id);
        let waiting = self.running(ike_sa, message_id).and_then(|running| running.switch_over.take());
        if let Some(SwitchOver { branch, operation, .. }) = waiting {
            self.ask(Owner::QuickMode(ike_sa, message_id, branch), Ask::Sa(operation));
        }
    }

    /// The pair that carried this traffic is gone: its successor waits no longer.
    pub(super) fn hasten_successor(&mut self, peer: HostAddress, selector: &Selector) {
        if self.is_carried(peer, selector) {
            return;
        }
        let now = self.shared.now;
        for id in self.index.ike_sas.of(&peer) {
            let Some(standing) = self.ike_sas.get(&id).and_then(IkeSa::standing) else { continue };
            let waits = |running: &Running| running.switch_over.as_ref().is_some_and(|own| own.selector == *selector);
            for (message_id, _) in standing.quick_modes.iter().filter(|(_, running)| waits(running)) {
                self.timers.set(Timer::SwitchOver(id, *message_id), now);
            }
        }
    }

    /// Nothing under this ISAKMP SA waits any longer; true if something is still to be installed of which message 3 is
    /// out.
    pub(super) fn hasten_all(&mut self, id: IkeSaId) -> bool {
        let now = self.shared.now;
        let Some(standing) = self.ike_sas.get(&id).and_then(IkeSa::standing) else { return false };
        let mut waiting = standing.quick_modes.iter().filter(|(_, running)| running.switch_over.is_some()).peekable();
        let any = waiting.peek().is_some();
        for (message_id, _) in waiting {
            self.timers.set(Timer::SwitchOver(id, *message_id), now);
        }
        any
    }

    /// A quick mode failed of which the peer may have installed its end. What tells it so may overtake message 3, or be
    /// lost: then the peer would keep a pair that nobody serves. So it is told twice.
    pub(super) fn take_back(&mut self, ike_sa: IkeSaId, message_id: MessageId, inbound: Vec<SaName>) {
        self.tell_peer_deleted(ike_sa, &inbound);
        if let Some(running) = self.running(ike_sa, message_id) {
            running.tell_again = inbound;
            self.timers.set(Timer::TellAgain(ike_sa, message_id), self.shared.now + self.plan.interval(1));
        }
    }

    /// Tells the peer the second time.
    pub(super) fn tell_again(&mut self, ike_sa: IkeSaId, message_id: MessageId) {
        self.focus_quick_mode(ike_sa, message_id);
        let again = self.running(ike_sa, message_id).map(|running| core::mem::take(&mut running.tell_again));
        self.tell_peer_deleted(ike_sa, &again.unwrap_or_default());
    }
}
