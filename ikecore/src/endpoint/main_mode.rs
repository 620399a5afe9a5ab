//! Drives main modes: begins them, gives them messages and answers, and does what comes of it.
use super::Endpoint;
use super::asks::Owner;
use super::dos_cookie::Asked;
use super::dpd::Look;
use super::fragments::MOST_PATHS;
use super::tables::{FirstMessage, Goal, IkeSa, Negotiating, Phase, Preparation, Standing, first_message};
use super::timers::Timer;
use crate::event::negotiation::{Cause, Role};
use crate::event::{self, EventKind, Failure, IkeSaEvent, MessageEvent, NegotiationEvent, Reject};
use crate::exchange::aggressive::{self, AggressiveMode};
use crate::exchange::dpd::Liveliness;
use crate::exchange::main::{MainMode, initiator, responder};
use crate::exchange::message::Incoming;
use crate::exchange::mode::{Mode, Phase1};
use crate::exchange::phase1::{Established, IkeKeys};
use crate::exchange::retransmit::{Retransmission, WHOLE};
use crate::exchange::runner::{BRANCHES, BranchNumber, Exchange, Verdict};
use crate::exchange::work::Answer;
use crate::exchange::{Path, info};
use crate::identity::Identity;
use crate::ids::{Cookie, Cookies, IkeSaId, MessageId, NegotiationId};
use crate::policy::rule::Rule;
use crate::wire::{AuthenticationMethod, ExchangeType, Padding, parse};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// Octets of the longest block of an ISAKMP cipher.
const LONGEST_BLOCK: usize = 16;

impl Endpoint {
    /// A cookie that no other SA of this host has.
    fn new_cookie(&mut self) -> Option<Cookie> {
        let mut octets = [0; 8];
        for _ in 0..8 {
            self.shared.rng.fill(&mut octets).ok()?;
            let cookie = Cookie(octets);
            if !cookie.is_zero() && !self.by_cookie.contains_key(&cookie) {
                return Some(cookie);
            }
        }
        None
    }

    /// Begins a main mode for a negotiation.
    pub(super) fn begin_main_mode(&mut self, rule: &Arc<Rule>, path: Path, negotiation: NegotiationId) {
        if rule.peer_begins() {
            return self.fail_negotiation(negotiation, Failure::PeerBegins { rule: rule.name.clone() });
        }
        let Some(cookie) = self.new_cookie() else {
            let failure = Failure::Crypto { operation: "making a cookie", reason: crate::rng::RngError.to_string() };
            return self.fail_negotiation(negotiation, failure);
        };
        let id = IkeSaId(self.handle_number());
        self.shared.trace.context.ike_sa = Some(id);
        let first_contact = self.config.initial_contact && !self.shared.peers.knows(path.peer());
        self.shared.trace.step(|| EventKind::IkeSa(IkeSaEvent::policy_found(rule)));
        let cx = &mut self.shared.cx();
        let begun = if rule.aggressive_mode {
            let begun = aggressive::initiator::begin(rule, path, cookie, first_contact, cx);
            begun.map(|step| step.lift(AggressiveMode::Initiator).lift(Mode::Aggressive))
        } else {
            let begun = initiator::begin(rule, path, cookie, first_contact, cx);
            begun.map(|step| step.lift(MainMode::Initiator).lift(Mode::Main))
        };
        let step = match begun {
            Ok(step) => step,
            Err(failure) => return self.fail_negotiation(negotiation, failure),
        };
        let (exchange, verdict) = Exchange::begin(BRANCHES, None, step);
        let cookies = Cookies { initiator: cookie, responder: Cookie::ZERO };
        self.insert_ike_sa(id, cookies, path, None, rule, negotiation, exchange);
        if let Some(negotiating) = self.ike_sas.get_mut(&id).and_then(IkeSa::negotiating_mut) {
            negotiating.waiting.push(negotiation);
        }
        if let Some(negotiation) = self.negotiations.get_mut(&negotiation) {
            negotiation.ike_sa = Some(id);
        }
        self.main_mode_verdict(id, verdict);
    }

    /// Message 1 of a peer; `reached`: it has shown that what is sent to its address reaches it.
    pub(super) fn begin_main_mode_as_responder(&mut self, message: &Incoming<'_>, reached: bool) -> Result<(), Reject> {
        let first = first_message(message);
        if let Some(reply) = self.refused.get(&first).cloned() {
            self.repeat(reply.as_ref());
            return Ok(());
        }
        let policy = Arc::clone(&self.shared.policy);
        let rules: Vec<Arc<Rule>> =
            policy.main_mode_rules(message.path.own(), message.path.peer()).into_iter().map(Arc::clone).collect();
        if !reached && !rules.is_empty() && self.demand_dos_cookie(message) {
            return Ok(());
        }
        let cookie = self.new_cookie().ok_or(Reject::Local("making a cookie"))?;
        let cx = &mut self.shared.cx();
        let begun = if message.header.exchange == ExchangeType::AGGRESSIVE {
            let begun = aggressive::responder::begin(message, &rules, cookie, cx);
            begun.map(|step| step.lift(AggressiveMode::Responder).lift(Mode::Aggressive))
        } else {
            let begun = responder::begin(message, &rules, cookie, cx);
            begun.map(|step| step.lift(MainMode::Responder).lift(Mode::Main))
        };
        let initiator = message.header.initiator;
        let step = match begun {
            Ok(step) => step,
            Err(Reject::Refused(failure)) => {
                return self.refuse_peer(message, failure);
            }
            Err(Reject::Malformed(error)) => {
                let failure = Failure::Malformed(error.clone());
                return self.refuse_first(message, failure, Reject::Malformed(error));
            }
            Err(reject) => return Err(reject),
        };
        // The rule that chose is known to the state; the first candidate stands for it until the SA is established.
        let Some(rule) = rules.first() else { return Ok(()) };
        self.admit(message.path)?;
        let id = IkeSaId(self.handle_number());
        let negotiation = self.new_negotiation(
            Role::Responder,
            Cause::Peer,
            Some(Arc::clone(rule)),
            Goal::IkeSa { replaces: None },
            message.path,
        );
        self.note_mode(negotiation, message);
        let cookies = Cookies { initiator, responder: cookie };
        let (exchange, verdict) = Exchange::begin(BRANCHES, Some(message.digest()), step);
        self.insert_ike_sa(id, cookies, message.path, Some(first), rule, negotiation, exchange);
        if reached {
            self.unproven.remove(id);
        }
        self.main_mode_verdict(id, verdict);
        Ok(())
    }

    /// A first message that cannot be judged. A peer that the policy knows is told what is wrong with it (RFC 2408 §5.2 to
    /// §5.6); others hear nothing.
    pub(super) fn refuse_first(
        &mut self,
        message: &Incoming<'_>,
        failure: Failure,
        reject: Reject,
    ) -> Result<(), Reject> {
        if let Some(reply) = self.refused.get(&first_message(message)).cloned() {
            self.repeat(reply.as_ref());
            return Ok(());
        }
        let (local, remote) = (message.path.own(), message.path.peer());
        // What has no payloads is noise, not a message of somebody who goes by other rules.
        let has_payloads = parse(message.header.next_payload, message.body(), Padding::Forbidden).is_ok();
        if !has_payloads || self.shared.policy.main_mode_rules(local, remote).is_empty() {
            return Err(reject);
        }
        self.refuse_peer(message, failure)
    }

    /// Message 1 was understood but nothing could be agreed on: the peer is told, in clear. All that is kept is the answer
    /// to its repetitions.
    pub(super) fn refuse_peer(&mut self, message: &Incoming<'_>, failure: Failure) -> Result<(), Reject> {
        let limit = self.config.half_open_total;
        if self.refused.len() >= limit {
            return Err(Reject::TooMany { what: "refused main modes", count: self.refused.len(), limit });
        }
        let negotiation =
            self.new_negotiation(Role::Responder, Cause::Peer, None, Goal::IkeSa { replaces: None }, message.path);
        self.note_mode(negotiation, message);
        let mut reply = None;
        // RFC 2408 §5.4, §5.5. Not to a peer that the policy does not know: there is nothing to tell it.
        if let (false, Some(notify)) = (matches!(failure, Failure::NoPolicyForPeer { .. }), failure.notify()) {
            let message_id = MessageId::PHASE_1;
            let cookies = Cookies { initiator: message.header.initiator, responder: Cookie::ZERO };
            let outgoing = info::clear(message.path, cookies, message_id, notify);
            // Whoever forges addresses gets no more octets out of this host than went in.
            if outgoing.octets.len() <= message.octets.len() {
                self.send(&outgoing);
                reply = Some(outgoing);
            }
        }
        let first = first_message(message);
        self.refused.insert(first, reply);
        self.timers.set(Timer::ForgetRefused(first), self.shared.now + self.plan.total());
        self.counters.main_modes_failed += 1;
        self.fail_negotiation(negotiation, failure);
        Ok(())
    }

    /// The peer began this negotiation, in the mode of its message.
    fn note_mode(&mut self, negotiation: NegotiationId, message: &Incoming<'_>) {
        if let Some(negotiation) = self.negotiations.get_mut(&negotiation)
            && message.header.exchange == ExchangeType::AGGRESSIVE
        {
            negotiation.phase = event::Phase::AggressiveMode;
        }
    }

    #[expect(clippy::too_many_arguments, reason = "each is a field of the new row")]
    fn insert_ike_sa(
        &mut self,
        id: IkeSaId,
        cookies: Cookies,
        path: Path,
        first_message: Option<FirstMessage>,
        rule: &Arc<Rule>,
        negotiation: NegotiationId,
        exchange: Exchange<Mode>,
    ) {
        let retransmission = Retransmission::begin(self.shared.now);
        let phase = Phase::Negotiating(Box::new(Negotiating {
            exchange,
            retransmission,
            answered: false,
            suspicion: None,
            refused: None,
            ciphertext: Vec::new(),
            waiting: Vec::new(),
            dos_cookie: Asked::default(),
        }));
        let rule = Arc::clone(rule);
        let role = if first_message.is_some() { Role::Responder } else { Role::Initiator };
        let began = self.shared.now;
        let sa = IkeSa {
            cookies,
            path,
            role,
            rule,
            negotiation,
            began,
            first_message,
            phase,
            quick_modes: 0,
            fragmenting: false,
            path_mtu: MOST_PATHS,
        };
        self.add_ike_sa(id, sa);
        // Also while this host itself is waited for: nothing waits for ever.
        self.timers.set(Timer::MainMode(id), began + self.plan.interval(1));
        self.focus(id);
        self.tell(EventKind::IkeSa(IkeSaEvent::Created { role, cookies }));
    }

    pub(super) fn main_mode_message(&mut self, id: IkeSaId, message: &Incoming<'_>) -> Result<(), Reject> {
        let Some(sa) = self.ike_sas.get_mut(&id) else { return Ok(()) };
        let rule = Arc::clone(&sa.rule);
        let method = sa.negotiating().and_then(|negotiating| negotiating.exchange.state()).and_then(authentication);
        match &mut sa.phase {
            Phase::Established(standing) => {
                let digest = message.digest();
                let Some((_, reply)) = standing.past.iter().find(|(past, _)| *past == digest) else {
                    return Err(message.unexpected("established"));
                };
                let reply = reply.clone();
                let reply = self.follow(id, message.path, reply);
                self.main_mode_verdict(id, Verdict::Repeat(reply));
                Ok(())
            }
            Phase::Negotiating(negotiating) => {
                if message.is_encrypted() {
                    let end = message.octets.len().saturating_sub(LONGEST_BLOCK);
                    negotiating.ciphertext = message.octets.get(end..).unwrap_or_default().to_vec();
                }
                let verdict = negotiating.exchange.receive(message, &mut self.shared.cx());
                match verdict {
                    Ok(verdict) => {
                        self.main_mode_verdict(id, verdict);
                        Ok(())
                    }
                    Err(reject) => {
                        if let Some(failure) = explanation(&reject, message, &rule, method) {
                            negotiating.suspicion = Some(failure);
                            negotiating.refused = Some(message.header.cookies());
                        }
                        Err(reject)
                    }
                }
            }
        }
    }

    /// A message that no state can judge seems to belong to a main mode under way: it may tell why no better one comes.
    pub(super) fn suspect(&mut self, id: IkeSaId, message: &Incoming<'_>, failure: Failure) {
        let Some(sa) = self.ike_sas.get_mut(&id) else { return };
        let cookies = message.header.cookies();
        let fits = sa.cookies == cookies || sa.cookies.responder.is_zero();
        if sa.path.remote != message.path.remote || !fits || cookies.responder.is_zero() {
            return;
        }
        if let Some(negotiating) = sa.negotiating_mut() {
            negotiating.suspicion = Some(failure);
            negotiating.refused = Some(cookies);
        }
    }

    pub(super) fn main_mode_answer(&mut self, id: IkeSaId, branch: BranchNumber, answer: Answer) {
        self.focus(id);
        let Some(negotiating) = self.ike_sas.get_mut(&id).and_then(IkeSa::negotiating_mut) else { return };
        if let Some(verdict) = negotiating.exchange.answer(branch, answer, &mut self.shared.cx()) {
            self.main_mode_verdict(id, verdict);
        }
    }

    fn main_mode_verdict(&mut self, id: IkeSaId, verdict: Verdict<Established>) {
        match verdict {
            Verdict::Repeat(reply) => self.repeat(reply.as_ref()),
            Verdict::Progress { branch, send, asks, evicted } => {
                if let Some(gone) = evicted {
                    self.disown(Owner::MainMode(id, gone), Owner::MainMode(id, gone));
                }
                if let Some(message) = &send {
                    let now = self.shared.now;
                    self.move_ike_sa(id, message.path);
                    if let Some(sa) = self.ike_sas.get_mut(&id)
                        && let Phase::Negotiating(negotiating) = &mut sa.phase
                    {
                        negotiating.retransmission = Retransmission::begin(now);
                        if let Some((_, Some(cookies))) = negotiating.exchange.state().map(Phase1::progress) {
                            sa.cookies = cookies;
                        }
                    }
                    self.send(message);
                    self.timers.set(Timer::MainMode(id), now + self.plan.interval(1));
                }
                for ask in asks {
                    self.ask(Owner::MainMode(id, branch), ask);
                }
            }
            Verdict::Done { outcome, send, .. } => {
                if let Some(message) = &send {
                    self.send(message);
                }
                self.establish(id, *outcome);
            }
            Verdict::Failed { failure, send, .. } => {
                // The notification first, so that the peer knows why when it loses the SA with the delete.
                self.fail_main_mode(id, failure);
                if let Some(message) = &send {
                    self.send(message);
                }
            }
            Verdict::BranchFailed(failure) => {
                if failure.is_authentication() {
                    self.counters.authentication_failures += 1;
                    self.tell(EventKind::IkeSa(IkeSaEvent::ProofRefused(failure.clone())));
                }
                if let Some(negotiating) = self.ike_sas.get_mut(&id).and_then(IkeSa::negotiating_mut) {
                    negotiating.suspicion = Some(failure);
                }
            }
        }
    }

    /// A duplicate came: its reply goes out again.
    pub(super) fn repeat(&mut self, reply: Option<&crate::exchange::message::Outgoing>) {
        let Some(reply) = reply else { return };
        self.counters.replies_repeated += 1;
        self.tell(EventKind::Message(MessageEvent::ReplyRepeated { message: reply.name }));
        self.fragment_what_is_repeated(reply);
        self.transmit(reply);
    }

    /// The retransmission timer of a main mode.
    pub(super) fn main_mode_timer(&mut self, id: IkeSaId) {
        self.focus(id);
        let now = self.shared.now;
        let Some(sa) = self.ike_sas.get_mut(&id) else { return };
        let (path, remote, sa_cookies) = (sa.path, sa.path.remote, sa.cookies);
        let Some(negotiating) = sa.negotiating_mut() else { return };
        let messages: Vec<_> = negotiating.exchange.unanswered().cloned().collect();
        let dos_cookie = negotiating.dos_cookie;
        if negotiating.retransmission.sent >= self.plan.transmissions {
            let waits_for = negotiating.exchange.state().map_or("a message", crate::exchange::step::Role::waits_for);
            let seconds = now.since(negotiating.retransmission.since).as_secs();
            let failure = negotiating.suspicion.take().unwrap_or_else(|| match messages.last() {
                _ if negotiating.exchange.is_suspended() => Failure::Stalled { what: waits_for, seconds },
                Some(message) => Failure::TimedOut {
                    peer: remote,
                    message: message.name,
                    sent: transmissions(message.name).min(self.plan.transmissions),
                    seconds,
                    hint: hint(message.name, negotiating.exchange.state().and_then(authentication)),
                },
                None => Failure::TimedOut { peer: remote, message: waits_for, sent: 0, seconds, hint: None },
            });
            return self.fail_main_mode(id, failure);
        }
        negotiating.retransmission.sent += 1;
        let count = negotiating.retransmission.sent - 1;
        let last = negotiating.retransmission.sent >= self.plan.transmissions;
        let suspicion = negotiating.suspicion.as_ref().filter(|_| last);
        let cookies = negotiating.refused.unwrap_or(sa_cookies);
        let warning = suspicion.and_then(Failure::notify).map(|notify| (cookies, notify));
        self.timers.set(Timer::MainMode(id), now + self.plan.interval(count + 1));
        if count > WHOLE {
            self.fragment_from_now(id);
        }
        for message in &messages {
            if count >= transmissions(message.name) {
                continue;
            }
            self.counters.retransmitted += 1;
            self.tell(EventKind::Message(MessageEvent::Retransmitted { message: message.name, count }));
            self.transmit(message);
            if let Some(message) = dos_cookie.message_1(message) {
                self.transmit(&message);
            }
        }
        // Told while the peer still listens: if this host waited to the end, the peer would have given up without a word.
        if let Some((cookies, notify)) = warning {
            let message = info::clear(path, cookies, MessageId::PHASE_1, notify);
            self.send(&message);
        }
    }

    fn establish(&mut self, id: IkeSaId, outcome: Established) {
        let now = self.shared.now;
        let Some(sa) = self.ike_sas.get_mut(&id) else { return };
        let cookies = outcome.keys.cookies;
        let keys = Arc::clone(&outcome.keys);
        let (suite, lifetime, role, path) = (outcome.keys.suite, outcome.lifetime, outcome.role, outcome.path);
        let identity = outcome.peer.identity().clone();
        let initial_contact = outcome.initial_contact;
        let behind_nat = outcome.nat.local && outcome.revision.is_some();
        sa.cookies = cookies;
        sa.rule = Arc::clone(&outcome.rule);
        let rule = Arc::clone(&sa.rule);
        let standing = Standing {
            sa: outcome,
            since: now,
            retired: false,
            crosses: None,
            attempts: 0,
            past: Vec::new(),
            quick_modes: BTreeMap::new(),
            waiting: VecDeque::new(),
            pause_until: now,
            used: BTreeSet::new(),
            deleted: BTreeSet::new(),
            confirmed: role == Role::Responder || !rule.aggressive_mode,
            preparation: Some(Box::new(Preparation {
                waits_for: "its preparation",
                identifier: None,
                overdue: false,
                configured: false,
                adding: 0,
                failure: None,
                initial_contact,
                waiting: Vec::new(),
            })),
            transactions: BTreeMap::new(),
            admitted: rule.xauth.is_none(),
            user: None,
            questions: 0,
            leases: Vec::new(),
            missing: Vec::new(),
            configuration: None,
            liveliness: Liveliness::new(now),
            look: Look::default(),
        };
        let phase = core::mem::replace(&mut sa.phase, Phase::Established(Box::new(standing)));
        if let (Phase::Negotiating(negotiating), Some(standing)) = (phase, sa.standing_mut()) {
            standing.past = negotiating.exchange.into_past();
            if let Some(preparation) = &mut standing.preparation {
                preparation.waiting = negotiating.waiting;
            }
        }
        // Who has proven nothing counts with the others that have not, until its user has.
        if identity != Identity::Nobody {
            self.close_half_open(id);
        }
        if let Some(sa) = self.ike_sas.get(&id) {
            self.shared.peers.add(sa.path.peer());
        }
        self.move_ike_sa(id, path);
        self.disown_main_mode(id);
        self.timers.cancel(Timer::MainMode(id));
        self.counters.main_modes += 1;
        self.focus(id);
        self.log_phase_1_key(cookies.initiator, || keys.cipher_octets());
        let event = IkeSaEvent::Established { role, cookies, suite, lifetime, identity, rule: rule.name.clone() };
        self.tell(EventKind::IkeSa(event));
        // What passed in clear because it was silent is for what it now negotiates to protect.
        self.end_soft_sas(Some(path.peer()), &Failure::PeerProven);
        self.focus(id);
        self.schedule_ike_sa(id, lifetime, role);
        self.watch(id);
        if behind_nat {
            self.keep_alive(path);
        }
        self.prepare(id);
    }

    /// Ends a main mode that did not come to an ISAKMP SA.
    pub(super) fn fail_main_mode(&mut self, id: IkeSaId, failure: Failure) {
        self.focus(id);
        let Some(sa) = self.ike_sas.get(&id) else { return };
        let (cookies, path, negotiation, rule) = (sa.cookies, sa.path, sa.negotiation, sa.rule.name.clone());
        let (waiting, unproven, known, keys) = match &sa.phase {
            Phase::Negotiating(negotiating) => {
                let unproven = negotiating.exchange.state().is_some_and(Phase1::is_unproven);
                let keys = keys_of_peer(negotiating, cookies);
                (negotiating.waiting.clone(), unproven, negotiating.refused.unwrap_or(cookies), keys)
            }
            Phase::Established(_) => return,
        };
        // Told at the end only, so that a forged message cannot make this host say to the peer that all is lost.
        if let (false, Some(notify)) = (known.responder.is_zero() || unproven, failure.notify()) {
            let message = info::clear(path, known, MessageId::PHASE_1, notify);
            self.send(&message);
        }
        if let Some(Ok(message)) = keys.map(|keys| info::delete_ike(path, &keys, &mut *self.shared.rng)) {
            self.send(&message);
        }
        self.counters.main_modes_failed += 1;
        self.log_key_of_failed(id);
        self.remove_ike_sa(id);
        let reason = failure.clone();
        self.tell(EventKind::IkeSa(IkeSaEvent::Ended {
            cookies,
            established: false,
            reason,
            quick_modes: 0,
            identity: None,
            rule,
        }));
        self.fail_negotiation(negotiation, failure.clone());
        for negotiation in waiting {
            self.fail_negotiation(negotiation, failure.clone());
        }
    }

    /// A negotiation began: tells it.
    pub(super) fn tell_started(&mut self, role: Role, cause: Cause, rule: Option<String>) {
        self.tell(EventKind::Negotiation(NegotiationEvent::Started { role, cause, rule }));
    }
}

/// The keys by which the peer understands a delete, if it has an SA while this host refuses its last message: it has sent
/// what it takes for the end of the exchange. A forged message only makes the delete one that the peer cannot read.
fn keys_of_peer(negotiating: &Negotiating, cookies: Cookies) -> Option<IkeKeys> {
    let state = negotiating.exchange.state()?;
    let is_last = matches!(state, Mode::Main(MainMode::Initiator(_)) | Mode::Aggressive(AggressiveMode::Responder(_)));
    if !is_last || negotiating.ciphertext.is_empty() {
        return None;
    }
    let keys = state.keys()?;
    Some(keys.phase_2(cookies, state.progress().0?, keys.iv.next(&negotiating.ciphertext)))
}

/// The method that was chosen.
fn authentication(main: &Mode) -> Option<AuthenticationMethod> {
    main.progress().0.map(|suite| suite.authentication)
}

/// What a refused message says about why no better one will come.
fn explanation(
    reject: &Reject,
    message: &Incoming<'_>,
    rule: &Rule,
    method: Option<AuthenticationMethod>,
) -> Option<Failure> {
    let detail = match reject {
        Reject::Refused(failure) => return Some(failure.clone()),
        Reject::Malformed(error) => return Some(Failure::Malformed(error.clone())),
        Reject::PublicValue(reason) => {
            return Some(Failure::Crypto { operation: "Diffie-Hellman", reason: reason.clone() });
        }
        Reject::Identity(reason) => return Some(Failure::PeerId(reason.clone())),
        // With another method the keys come from nothing that the two could have configured differently.
        _ if !method.is_some_and(AuthenticationMethod::is_pre_shared_key) => return None,
        Reject::Undecipherable(_) => "its encrypted message does not decrypt to payloads",
        Reject::Hash(_) => "its hash is wrong",
        _ => return None,
    };
    let peer = message.path.peer();
    Some(Failure::PreSharedKeyMismatch { peer, detail, rule: rule.name.clone() })
}

/// How often a message may be sent. Message 2 goes to an address that has proven nothing: repeating it would serve those
/// who forge addresses. But that of aggressive mode is not asked for again by who has it and lost its own message 3.
fn transmissions(message: &str) -> u32 {
    match message {
        "main mode message 2" => 1,
        "aggressive mode message 2" => 3,
        _ => u32::MAX,
    }
}

/// What usually keeps a peer silent at this point.
fn hint(message: &str, method: Option<AuthenticationMethod>) -> Option<&'static str> {
    match message {
        "main mode message 1" | "aggressive mode message 1" => {
            Some("the peer is not there, a firewall drops UDP 500, or its policy does not know us")
        }
        "main mode message 5" | "aggressive mode message 2"
            if !method.is_some_and(AuthenticationMethod::is_pre_shared_key) =>
        {
            Some("the peer probably refuses our certificate or our identity, or has another kind of authentication")
        }
        "main mode message 5" | "aggressive mode message 2" => {
            Some("the pre-shared key probably differs from the peer's, or it refuses our identity")
        }
        _ => None,
    }
}
