//! Drives quick modes: begins them, gives them messages and answers, and does what comes of it.
use super::Endpoint;
use super::asks::Owner;
use super::tables::{Goal, IkeSa, OWN_LIMIT, Pair, Running, Standing, USED_LIMIT};
use super::timers::Timer;
use crate::crypto::hash::Digest;
use crate::event::negotiation::{Cause, Role};
use crate::event::{EventKind, Failure, IpsecSaEvent, MessageEvent, Phase, QuickModeEvent, Reject};
use crate::exchange::auth::Proven;
use crate::exchange::info::Information;
use crate::exchange::message::Incoming;
use crate::exchange::quick::{self, IpsecSa, Plan, QuickMode, responder};
use crate::exchange::retransmit::{Retransmission, WHOLE};
use crate::exchange::runner::{BranchNumber, Exchange, Verdict};
use crate::exchange::step::{Next, Role as ExchangeRole, Step};
use crate::exchange::work::{Answer, Ask};
use crate::ids::{IkeSaId, IpsecSaId, MessageId, NegotiationId};
use crate::policy::rule::Rule;
use crate::policy::selector::{Prefix, Selector};
use crate::sa::driver::{SaOp, Usage};
use std::net::IpAddr;
use std::sync::Arc;

/// So often message 3 goes out to a peer that set the commit bit before its SA is used without CONNECTED.
const BEFORE_CONNECTED: u32 = 3;

impl Endpoint {
    /// A message ID that this ISAKMP SA has not seen.
    pub(super) fn new_message_id(&mut self, id: IkeSaId) -> Option<MessageId> {
        let standing = self.ike_sas.get_mut(&id)?.standing_mut()?;
        if standing.used.len() >= OWN_LIMIT {
            return None;
        }
        if standing.used.len() >= USED_LIMIT / 4 * 3 && !standing.retired {
            // Before message IDs run out, a successor.
            self.timers.set(Timer::IkeSoft(id), self.shared.now);
        }
        let mut octets = [0; 4];
        for _ in 0..8 {
            self.shared.rng.fill(&mut octets).ok()?;
            let message_id = MessageId(u32::from_be_bytes(octets));
            if message_id != MessageId::PHASE_1 && standing.used.insert(message_id) {
                return Some(message_id);
            }
        }
        None
    }

    /// Begins a quick mode for a negotiation.
    pub(super) fn begin_quick_mode(
        &mut self,
        ike_sa: IkeSaId,
        rule: &Arc<Rule>,
        selector: Selector,
        replaces: Option<IpsecSaId>,
        negotiation: NegotiationId,
    ) {
        self.focus(ike_sa);
        self.shared.trace.context.negotiation = Some(negotiation);
        if let Some(reason) = self.driver_lost.clone() {
            return self.fail_negotiation(negotiation, Failure::DriverLost(reason));
        }
        let Some(message_id) = self.new_message_id(ike_sa) else {
            let failure = Failure::Crypto { operation: "making a message ID", reason: "none is free".to_owned() };
            return self.fail_negotiation(negotiation, failure);
        };
        let id = IpsecSaId(self.handle_number());
        let Some(sa) = self.ike_sas.get(&ike_sa) else { return };
        let Some(standing) = sa.standing() else { return };
        let (path, keys, encapsulation) = (sa.path, Arc::clone(&standing.sa.keys), standing.sa.revision);
        let selector = match own_address(rule, standing.addresses(), selector) {
            Ok(selector) => selector,
            Err(failure) => return self.fail_negotiation(negotiation, failure),
        };
        self.shared.trace.context.ipsec_sa = Some(id);
        let event = QuickModeEvent::Created { role: Role::Initiator, message_id, rule: rule.name.clone(), selector };
        self.tell(EventKind::QuickMode(event));
        let rule = Arc::clone(rule);
        let plan = Plan { id, keys, path, message_id, rule, selector, encapsulation, replaces };
        match quick::initiate(plan, &mut self.shared.cx()) {
            Ok(step) => self.insert_quick_mode(ike_sa, message_id, id, negotiation, None, step),
            Err(failure) => {
                self.tell(EventKind::QuickMode(QuickModeEvent::Failed(failure.clone())));
                self.counters.quick_modes_failed += 1;
                self.fail_negotiation(negotiation, failure);
            }
        }
    }

    fn insert_quick_mode(
        &mut self,
        ike_sa: IkeSaId,
        message_id: MessageId,
        id: IpsecSaId,
        negotiation: NegotiationId,
        received: Option<Digest>,
        step: Step<QuickMode>,
    ) {
        let (exchange, verdict) = Exchange::begin(1, received, step);
        let retransmission = Retransmission::begin(self.shared.now);
        let running = Running {
            exchange: Some(exchange),
            past: Vec::new(),
            negotiation,
            began: self.shared.now,
            retransmission,
            id,
            switch_over: None,
            tell_again: Vec::new(),
        };
        let plan = self.plan;
        let now = self.shared.now;
        if let Some(standing) = self.ike_sas.get_mut(&ike_sa).and_then(IkeSa::standing_mut) {
            standing.quick_modes.insert(message_id, running);
            // Also while it waits for this host's own driver: nothing waits for ever.
            self.timers.set(Timer::QuickMode(ike_sa, message_id), now + plan.interval(1));
            self.quick_mode_verdict(ike_sa, message_id, verdict);
        }
    }

    pub(super) fn quick_mode_message(&mut self, ike_sa: IkeSaId, message: &Incoming<'_>) -> Result<(), Reject> {
        let message_id = message.header.message_id;
        let Some(standing) = self.ike_sas.get_mut(&ike_sa).and_then(IkeSa::standing_mut) else { return Ok(()) };
        let Some(running) = standing.quick_modes.get_mut(&message_id) else {
            return self.first_quick_mode_message(ike_sa, message);
        };
        let negotiation = running.negotiation;
        self.shared.trace.context.negotiation = Some(negotiation);
        self.shared.trace.context.ipsec_sa = Some(running.id);
        match &mut running.exchange {
            None => {
                let digest = message.digest();
                let Some((_, reply)) = running.past.iter().find(|(past, _)| *past == digest) else {
                    return Err(message.unexpected("finished"));
                };
                let reply = reply.clone();
                let reply = self.follow(ike_sa, message.path, reply);
                self.quick_mode_verdict(ike_sa, message_id, Verdict::Repeat(reply));
            }
            Some(exchange) => {
                let mut verdict = exchange.receive(message, &mut self.shared.cx())?;
                let is_repeat = matches!(verdict, Verdict::Repeat(_));
                if let Verdict::Repeat(reply) = &mut verdict {
                    *reply = self.follow(ike_sa, message.path, reply.take());
                }
                if !is_repeat {
                    self.hear(ike_sa);
                }
                self.quick_mode_verdict(ike_sa, message_id, verdict);
                if is_repeat && !message.commits() {
                    // Of two copies of message 2 one has the commit bit and one has not: one was changed on its way.
                    self.without_connected(ike_sa, message_id);
                }
            }
        }
        Ok(())
    }

    /// Message 1 of a peer.
    fn first_quick_mode_message(&mut self, ike_sa: IkeSaId, message: &Incoming<'_>) -> Result<(), Reject> {
        let message_id = message.header.message_id;
        let id = IpsecSaId(self.handle_number());
        let Some(sa) = self.ike_sas.get(&ike_sa) else { return Ok(()) };
        let Some(standing) = sa.standing() else { return Ok(()) };
        // A NAT may have given the peer a new mapping: if the message is authentic, its addresses count.
        let path = if standing.is_behind_nat() { message.path } else { sa.path };
        check_unused(standing, message_id, message)?;
        // draft-beaulieu-ike-xauth-02 §6: not before extended authentication; nor before an address that is to come.
        if let Some(preparation) = &standing.preparation {
            return Err(message.unexpected(preparation.waits_for));
        }
        let keys = Arc::clone(&standing.sa.keys);
        let (rule, addresses) = (Arc::clone(&sa.rule), standing.addresses().to_vec());
        let encapsulation = standing.sa.revision;
        let identity = standing.sa.peer.identity().clone();
        let proven = Proven {
            under: &rule,
            method: keys.suite.authentication,
            role: sa.role,
            identity: &identity,
            peer: path.peer(),
            behind_nat: standing.sa.nat.remote,
        };
        let missing = standing.missing.clone();
        let peer =
            responder::Peer { keys: &keys, path, encapsulation, id, proven, addresses: &addresses, missing: &missing };
        // Before the hash is known to be right, nothing is created.
        let mut step = quick::respond(message, &peer, &mut self.shared.cx())?;
        let user = standing.user.clone();
        let failure = match (&self.driver_lost, accepted(&step)) {
            (Some(reason), Some(_)) => Some(Failure::DriverLost(reason.clone())),
            (None, Some(plan)) => self.same_ports(plan, &identity, user.as_deref()),
            (_, None) => None,
        };
        if let Some(failure) = failure {
            step = Step::fail(failure);
        }
        if let Some(standing) = self.ike_sas.get_mut(&ike_sa).and_then(IkeSa::standing_mut) {
            standing.used.insert(message_id);
        }
        self.confirm(ike_sa, message.path);
        self.focus(ike_sa);
        let (rule, selector) = accepted(&step).map(|plan| (Arc::clone(&plan.rule), plan.selector)).unzip();
        // The events of the judgement come first in the stream, though the negotiation is only created now.
        let judged = self.shared.trace.take();
        let goal = match selector {
            Some(selector) => Goal::IpsecSa { selector, replaces: None },
            None => Goal::IkeSa { replaces: None },
        };
        let negotiation = self.new_negotiation(Role::Responder, Cause::Peer, rule.clone(), goal, path);
        if let Some(negotiation) = self.negotiations.get_mut(&negotiation) {
            negotiation.phase = Phase::QuickMode;
            negotiation.ike_sa = Some(ike_sa);
        }
        self.shared.trace.context.ipsec_sa = Some(id);
        if let (Some(rule), Some(selector)) = (rule, selector) {
            let rule = rule.name.clone();
            let event = QuickModeEvent::Created { role: Role::Responder, message_id, rule, selector };
            self.tell(EventKind::QuickMode(event));
        }
        for event in judged {
            self.tell(event.kind);
        }
        self.insert_quick_mode(ike_sa, message_id, id, negotiation, Some(message.digest()), step);
        Ok(())
    }

    pub(super) fn quick_mode_answer(
        &mut self,
        ike_sa: IkeSaId,
        message_id: MessageId,
        branch: BranchNumber,
        answer: Answer,
    ) {
        self.focus_quick_mode(ike_sa, message_id);
        let Some(running) = self.running(ike_sa, message_id) else { return };
        let exposed = running.exchange.as_ref().and_then(Exchange::state).and_then(QuickMode::exposed);
        let standing = self.ike_sas.get_mut(&ike_sa).and_then(IkeSa::standing_mut);
        let Some(exchange) = standing
            .and_then(|standing| standing.quick_modes.get_mut(&message_id))
            .and_then(|running| running.exchange.as_mut())
        else {
            return;
        };
        let Some(verdict) = exchange.answer(branch, answer, &mut self.shared.cx()) else { return };
        if let (Verdict::Failed { .. }, Some(inbound)) = (&verdict, exposed) {
            self.take_back(ike_sa, message_id, inbound);
        }
        self.quick_mode_verdict(ike_sa, message_id, verdict);
    }

    fn quick_mode_verdict(&mut self, ike_sa: IkeSaId, message_id: MessageId, verdict: Verdict<IpsecSa>) {
        match verdict {
            Verdict::Repeat(reply) => {
                self.repeat(reply.as_ref());
                // Message 3 was lost: the peer has nothing yet that takes what leaves by the new SA.
                if self.running(ike_sa, message_id).is_some_and(|running| running.switch_over.is_some()) {
                    self.timers.set(Timer::SwitchOver(ike_sa, message_id), self.shared.now + self.plan.interval(2));
                }
            }
            Verdict::Progress { branch, send, asks, evicted: _ } => {
                if let Some(message) = &send {
                    let now = self.shared.now;
                    if let Some(running) = self.running(ike_sa, message_id) {
                        running.retransmission = Retransmission::begin(now);
                    }
                    self.send(message);
                    self.timers.set(Timer::QuickMode(ike_sa, message_id), now + self.plan.interval(1));
                }
                for ask in asks {
                    match ask {
                        Ask::Sa(operation @ SaOp::ReleaseSpi(_)) => self.tell_driver(operation),
                        // Message 3 has just left.
                        Ask::Sa(operation @ SaOp::InstallOutbound { .. }) if send.is_some() => {
                            self.install_outbound(ike_sa, message_id, branch, operation);
                        }
                        other => self.ask(Owner::QuickMode(ike_sa, message_id, branch), other),
                    }
                }
            }
            Verdict::Done { outcome, send, .. } => {
                if let Some(message) = &send {
                    self.send(message);
                }
                self.finish_quick_mode(ike_sa, message_id, *outcome);
            }
            Verdict::Failed { failure, send, cleanup } => {
                if let Some(message) = &send {
                    self.send(message);
                }
                self.fail_quick_mode(ike_sa, message_id, failure, cleanup, true);
            }
            // With one branch at a time there is no other to go on.
            Verdict::BranchFailed(failure) => self.fail_quick_mode(ike_sa, message_id, failure, Vec::new(), true),
        }
    }

    /// CONNECTED, for which message 3 waits, is not to be expected any more; true if it was waited for.
    fn without_connected(&mut self, ike_sa: IkeSaId, message_id: MessageId) -> bool {
        let now = self.shared.now;
        let standing = self.ike_sas.get_mut(&ike_sa).and_then(IkeSa::standing_mut);
        let Some(running) = standing.and_then(|standing| standing.quick_modes.get_mut(&message_id)) else {
            return false;
        };
        let Some(exchange) = running.exchange.as_mut() else { return false };
        let Some(verdict) = exchange.without_answer(&mut self.shared.cx()) else { return false };
        // Not for ever for this host's own driver either.
        running.retransmission = Retransmission::begin(now);
        self.timers.set(Timer::QuickMode(ike_sa, message_id), now + self.plan.interval(1));
        self.quick_mode_verdict(ike_sa, message_id, verdict);
        true
    }

    pub(super) fn running(&mut self, ike_sa: IkeSaId, message_id: MessageId) -> Option<&mut Running> {
        self.ike_sas.get_mut(&ike_sa)?.standing_mut()?.quick_modes.get_mut(&message_id)
    }

    pub(super) fn focus_quick_mode(&mut self, ike_sa: IkeSaId, message_id: MessageId) {
        self.focus(ike_sa);
        if let Some((negotiation, id)) =
            self.running(ike_sa, message_id).map(|running| (running.negotiation, running.id))
        {
            self.shared.trace.context.negotiation = Some(negotiation);
            self.shared.trace.context.ipsec_sa = Some(id);
        }
    }

    /// The retransmission timer of a quick mode.
    pub(super) fn quick_mode_timer(&mut self, ike_sa: IkeSaId, message_id: MessageId) {
        self.focus_quick_mode(ike_sa, message_id);
        let now = self.shared.now;
        let plan = self.plan;
        let Some(remote) = self.ike_sas.get(&ike_sa).map(|sa| sa.path.remote) else { return };
        let Some(running) = self.running(ike_sa, message_id) else { return };
        let Some(exchange) = &running.exchange else { return };
        let messages: Vec<_> = exchange.unanswered().cloned().collect();
        let sent = running.retransmission.sent;
        if sent >= plan.transmissions.min(BEFORE_CONNECTED) && self.without_connected(ike_sa, message_id) {
            return;
        }
        let Some(running) = self.running(ike_sa, message_id) else { return };
        let Some(exchange) = &running.exchange else { return };
        if sent >= plan.transmissions {
            let waits_for = exchange.state().map_or("a message", ExchangeRole::waits_for);
            let seconds = now.since(running.retransmission.since).as_secs();
            let failure = match messages.last() {
                Some(message) => Failure::TimedOut {
                    peer: remote,
                    message: message.name,
                    sent: plan.transmissions,
                    seconds,
                    hint: None,
                },
                // With one branch at a time a message is unanswered, or this host waits for itself.
                None => Failure::Stalled { what: waits_for, seconds },
            };
            let cleanup = exchange.cleanup();
            self.fail_quick_mode(ike_sa, message_id, failure.clone(), cleanup, false);
            let standing = self.ike_sas.get(&ike_sa).and_then(IkeSa::standing);
            if standing.is_some_and(|standing| !standing.confirmed) {
                // The peer never had it: the next negotiation needs another.
                self.end_ike_sa(ike_sa, failure, false);
            }
            return;
        }
        running.retransmission.sent += 1;
        let count = running.retransmission.sent - 1;
        self.timers.set(Timer::QuickMode(ike_sa, message_id), now + plan.interval(count + 1));
        if count > WHOLE {
            self.fragment_from_now(ike_sa);
        }
        for message in &messages {
            self.counters.retransmitted += 1;
            self.tell(EventKind::Message(MessageEvent::Retransmitted { message: message.name, count }));
            self.transmit(message);
        }
    }

    /// Ends a quick mode without SAs; `notify`: the peer is told why.
    pub(super) fn fail_quick_mode(
        &mut self,
        ike_sa: IkeSaId,
        message_id: MessageId,
        failure: Failure,
        cleanup: Vec<SaOp>,
        notify: bool,
    ) {
        self.focus_quick_mode(ike_sa, message_id);
        let Some(negotiation) = self.running(ike_sa, message_id).map(|running| running.negotiation) else { return };
        let state = self.running(ike_sa, message_id).and_then(|running| running.exchange.as_ref()?.state());
        let exposed = state.and_then(QuickMode::exposed);
        self.retire_quick_mode(ike_sa, message_id);
        if let Some(inbound) = exposed.filter(|_| !matches!(failure, Failure::DeletedByPeer(_))) {
            self.take_back(ike_sa, message_id, inbound);
        }
        for operation in cleanup {
            self.tell_driver(operation);
        }
        let mut answer = None;
        if let (true, Some(notify)) = (notify, failure.notify()) {
            let information = Information::Notify {
                protocol: crate::wire::ProtocolId::ESP,
                spi: Vec::new(),
                notify,
                // As Windows does it: the message ID tells which quick mode failed.
                data: message_id.0.to_be_bytes().to_vec(),
            };
            answer = self.inform(ike_sa, &information);
        }
        if let Some(running) = self.running(ike_sa, message_id) {
            // From now on this is the answer to duplicates: the notification may be lost like any other message.
            running.past.iter_mut().for_each(|(_, reply)| reply.clone_from(&answer));
        }
        self.counters.quick_modes_failed += 1;
        self.tell(EventKind::QuickMode(QuickModeEvent::Failed(failure.clone())));
        self.fail_negotiation(negotiation, failure.clone());
        if let Failure::TimedOut { .. } = failure {
            // The peer is silent: whoever waits need not find that out once more.
            for negotiation in self.take_waiting(ike_sa) {
                self.fail_negotiation(negotiation, failure.clone());
            }
        }
        self.end_turn(ike_sa);
    }

    /// The exchange is over; duplicates are still answered for a while.
    fn retire_quick_mode(&mut self, ike_sa: IkeSaId, message_id: MessageId) {
        self.timers.cancel(Timer::QuickMode(ike_sa, message_id));
        self.timers.cancel(Timer::SwitchOver(ike_sa, message_id));
        self.disown_quick_mode(ike_sa, message_id);
        if let Some(standing) = self.ike_sas.get_mut(&ike_sa).and_then(IkeSa::standing_mut) {
            let is_open = |(of, running): (&MessageId, &Running)| *of != message_id && running.exchange.is_some();
            if !standing.deleted.is_empty() && !standing.quick_modes.iter().any(is_open) {
                standing.deleted.clear();
            }
        }
        if let Some(running) = self.running(ike_sa, message_id) {
            running.past = running.exchange.take().map(Exchange::into_past).unwrap_or_default();
            running.switch_over = None;
        }
        let forget = self.shared.now + self.plan.total();
        self.timers.set(Timer::Forget(ike_sa, message_id), forget);
    }

    pub(super) fn forget_quick_mode(&mut self, ike_sa: IkeSaId, message_id: MessageId) {
        if let Some(standing) = self.ike_sas.get_mut(&ike_sa).and_then(IkeSa::standing_mut) {
            standing.quick_modes.remove(&message_id);
        }
        self.timers.cancel(Timer::TellAgain(ike_sa, message_id));
    }

    fn finish_quick_mode(&mut self, ike_sa: IkeSaId, message_id: MessageId, mut sa: IpsecSa) {
        self.focus_quick_mode(ike_sa, message_id);
        let running = self.running(ike_sa, message_id).map(|running| (running.negotiation, running.began));
        let Some((negotiation, began)) = running else { return };
        let role = self.negotiations.get(&negotiation).map_or(Role::Responder, |negotiation| negotiation.role);
        let standing = self.ike_sas.get_mut(&ike_sa).and_then(IkeSa::standing_mut);
        if standing.is_some_and(|standing| sa.outbound_names().any(|name| standing.deleted.remove(&name))) {
            let failure = Failure::DeletedByPeer("IPsec");
            return self.fail_quick_mode(ike_sa, message_id, failure, vec![sa.removal()], false);
        }
        self.retire_quick_mode(ike_sa, message_id);
        if let Some(ike) = self.ike_sas.get_mut(&ike_sa) {
            ike.quick_modes = ike.quick_modes.saturating_add(1);
            let limit = ike.rule.main_mode.quick_mode_limit;
            let served = ike.quick_modes;
            if let Some(standing) = ike.standing_mut() {
                // At the limit it is not deleted, but serves no new quick modes.
                standing.retired |= limit != 0 && served >= limit;
            }
        }
        self.counters.quick_modes += 1;
        self.schedule_pair(&sa, role);
        if let Some(old) = sa.replaces {
            self.supersede_pair(old, role);
        }
        let Some(standing) = self.ike_sas.get(&ike_sa).and_then(IkeSa::standing) else { return };
        let (identity, user) = (standing.sa.peer.identity().clone(), standing.user.clone());
        let id = sa.id;
        let since = self.shared.now;
        let pair = Pair {
            since,
            began,
            role,
            identity,
            user,
            attempts: 0,
            rekeying: false,
            replaced: false,
            told: false,
            usage: Usage::default(),
            idle: 0,
            carried: (0, 0),
            sa: sa.clone(),
        };
        self.add_pair(pair);
        let idle = sa.rule.quick_mode().map_or(0, |policy| policy.idle);
        let standing = self.ike_sas.get(&ike_sa).and_then(IkeSa::standing);
        let cluster = standing.is_some_and(|standing| standing.sa.announced.cluster);
        self.watch_traffic(id, idle, cluster);
        // A peer that rekeys does not say which pair it replaces: the one for the same traffic.
        let twin = self.supersede_twins(id);
        sa.replaces = sa.replaces.or(twin);
        self.tell(EventKind::IpsecSa(IpsecSaEvent::Established {
            inbound: sa.inbound.spi,
            outbound: sa.outbound.spi,
            suite: sa.suite,
            mode: sa.mode,
            selector: sa.selector,
            lifetime: sa.lifetime,
            rule: sa.rule.name.clone(),
            replaces: sa.replaces,
        }));
        self.succeed_negotiation(negotiation);
        self.end_turn(ike_sa);
    }
}

/// What a peer's message 1 was accepted for.
fn accepted(step: &Step<QuickMode>) -> Option<&Plan> {
    match &step.next {
        Next::Become(QuickMode::Responder(state)) => state.plan(),
        _ => None,
    }
}

/// What the SAs will be for: under a rule that gets an address of the peer, traffic from that address.
fn own_address(rule: &Rule, addresses: &[IpAddr], selector: Selector) -> Result<Selector, Failure> {
    if !rule.gets_address() {
        return Ok(selector);
    }
    let ipv4 = selector.remote.address().is_ipv4();
    let own = addresses.iter().find(|address| address.is_ipv4() == ipv4);
    let family = if ipv4 { "IPv4" } else { "IPv6" };
    own.map(|own| Selector { local: Prefix::host(*own), ..selector }).ok_or(Failure::NoAddressGiven { family })
}

/// A message ID serves one exchange only: what was recorded cannot be played again.
pub(super) fn check_unused(standing: &Standing, message_id: MessageId, message: &Incoming<'_>) -> Result<(), Reject> {
    if standing.used.contains(&message_id) {
        return Err(message.unexpected("finished"));
    }
    if standing.used.len() >= USED_LIMIT {
        return Err(Reject::TooMany {
            what: "exchanges under one ISAKMP SA",
            count: standing.used.len(),
            limit: USED_LIMIT,
        });
    }
    Ok(())
}
