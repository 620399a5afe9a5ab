//! Drives the transaction exchange, and with it what must happen under an ISAKMP SA before quick modes may: extended
//! authentication, then Mode Config.
mod giving;

use super::Endpoint;
use super::asks::Owner;
use super::quick_mode::check_unused;
use super::tables::{IkeSa, Preparation, Standing, Transaction};
use super::timers::Timer;
use crate::event::negotiation::Role;
use crate::event::{ConfigEvent, EventKind, Failure, MessageEvent, Reject};
use crate::exchange::config_mode::responder::{Peer, respond};
use crate::exchange::config_mode::{self, Answered, Asked, Configuration, Outcome, Plan};
use crate::exchange::message::Incoming;
use crate::exchange::retransmit::Retransmission;
use crate::exchange::runner::{BranchNumber, Exchange, Verdict};
use crate::exchange::step::Role as ExchangeRole;
use crate::exchange::work::{AddressOp, Answer, Ask};
use crate::identity::Identity;
use crate::ids::{IkeSaId, MessageId};
use crate::policy::lease::Owner as LeaseOwner;
use crate::policy::remote_access::{ModeConfig, Xauth};
use crate::policy::rule::Rule;
use crate::time::Duration;
use std::net::IpAddr;
use std::sync::Arc;

/// The most messages of a peer with one message ID.
const MESSAGES_OF_ONE: usize = 16;

/// A peer that begins Mode Config does so at once after what goes before. One that has not within this time waits for this
/// host to begin, whatever this host's policy says: so it does.
const OVERDUE: Duration = Duration::from_secs(5);

/// What is waited for then, for people.
const MODE_CONFIG: &str = "mode config";

/// What a peer waits for that is given addresses unasked, while there is none.
const ADDRESS: &str = "an address of the pool";

/// What comes next under an ISAKMP SA.
enum NextStep {
    /// This host begins a transaction.
    Begin(Asked),
    /// The peer must begin, or this host itself has something to do.
    Wait(&'static str),
    /// The peer must begin Mode Config, or else this host.
    WaitForConfig,
    /// Quick modes may begin.
    Ready,
}

impl Endpoint {
    /// Goes on with what must happen before quick modes; ready at once where nothing must.
    pub(super) fn prepare(&mut self, id: IkeSaId) {
        let now = self.shared.now;
        let Some(sa) = self.ike_sas.get_mut(&id) else { return };
        let rule = Arc::clone(&sa.rule);
        let Some(standing) = sa.standing_mut() else { return };
        let Some(preparation) = &mut standing.preparation else { return };
        let next = match (&rule.xauth, &rule.mode_config) {
            (Some(Xauth::Server), _) if !standing.admitted => Asked::User { rule: rule.name.clone() }.into(),
            (Some(Xauth::Client(_)), _) if !standing.admitted => NextStep::Wait("extended authentication"),
            _ if preparation.configured => NextStep::Ready,
            (_, Some(ModeConfig::Server { push: true, .. })) => return self.give_unasked(id),
            (_, Some(ModeConfig::Client { push })) if preparation.adding == 0 && (!push || preparation.overdue) => {
                let wants = |ipv4| rule.filters.iter().any(|filter| filter.remote.address().is_ipv4() == ipv4);
                let has = self.granted.iter().copied().collect();
                Asked::Addresses { ipv4: wants(true), ipv6: wants(false), has }.into()
            }
            (_, Some(ModeConfig::Client { .. })) if preparation.adding == 0 => NextStep::WaitForConfig,
            (_, Some(ModeConfig::Client { .. })) => NextStep::Wait("the addition of its address"),
            (_, Some(ModeConfig::Server { push: false, .. }) | None) => NextStep::Ready,
        };
        match next {
            NextStep::Ready => self.ready(id),
            NextStep::Wait(what) => {
                preparation.waits_for = what;
                self.timers.set(Timer::Preparation(id), now + self.plan.total());
            }
            NextStep::WaitForConfig => {
                preparation.waits_for = MODE_CONFIG;
                self.timers.set(Timer::Preparation(id), now + OVERDUE);
            }
            NextStep::Begin(asked) => self.begin_transaction(id, asked),
        }
    }

    /// The peer did not begin in time.
    pub(super) fn preparation_timer(&mut self, id: IkeSaId) {
        let Some(sa) = self.ike_sas.get_mut(&id) else { return };
        let (peer, rule) = (sa.path.remote, Arc::clone(&sa.rule));
        let Some(preparation) = sa.standing_mut().and_then(|standing| standing.preparation.as_mut()) else {
            return self.give_overdue(id);
        };
        let what = preparation.waits_for;
        let is_to_ask = rule.gets_address() && preparation.adding == 0 && !preparation.overdue;
        if is_to_ask && what == MODE_CONFIG {
            preparation.overdue = true;
            self.focus(id);
            return self.prepare(id);
        }
        if what == ADDRESS {
            return self.prepare(id);
        }
        let seconds = self.plan.total().as_secs();
        self.end_ike_sa(id, Failure::PeerSilent { peer, what, seconds }, true);
    }

    /// Quick modes may begin.
    fn ready(&mut self, id: IkeSaId) {
        self.timers.cancel(Timer::Preparation(id));
        self.focus(id);
        if let Err(failure) = self.unite(id) {
            return self.end_ike_sa(id, failure, true);
        }
        let Some(sa) = self.ike_sas.get_mut(&id) else { return };
        let (rule, path, role, began, negotiation) = (Arc::clone(&sa.rule), sa.path, sa.role, sa.began, sa.negotiation);
        let Some(standing) = sa.standing_mut() else { return };
        let Some(preparation) = standing.preparation.take() else { return };
        // Of two that began at once, to ask and to give, one is enough.
        let open = standing.transactions.iter().filter(|(_, transaction)| transaction.exchange.is_some());
        let open: Vec<MessageId> = open.map(|(message_id, _)| *message_id).collect();
        let may_wait = rule.gives_addresses() && standing.leases.is_empty();
        for message_id in open {
            self.retire_transaction(id, message_id);
        }
        if may_wait {
            self.timers.set(Timer::Preparation(id), self.shared.now + OVERDUE);
        }
        if preparation.initial_contact {
            self.forget_peer(id, began);
        }
        self.retire_older(id, &rule, path, role);
        if role == Role::Responder {
            if let Some(negotiation) = self.negotiations.get_mut(&negotiation) {
                negotiation.rule = Some(rule);
            }
            self.succeed_negotiation(negotiation);
        }
        for negotiation in preparation.waiting {
            self.main_mode_is_there(negotiation, id);
        }
    }

    fn begin_transaction(&mut self, id: IkeSaId, asked: Asked) {
        self.focus(id);
        let Some(message_id) = self.new_message_id(id) else {
            let failure = Failure::Crypto { operation: "making a message ID", reason: "none is free".to_owned() };
            return self.end_ike_sa(id, failure, true);
        };
        let now = self.shared.now;
        let Some(sa) = self.ike_sas.get_mut(&id) else { return };
        let path = sa.path;
        let Some(standing) = sa.standing_mut() else { return };
        let keys = Arc::clone(&standing.sa.keys);
        // As good as any: what tells one transaction from another is the message ID.
        let [.., high, low] = message_id.0.to_be_bytes();
        let own = u16::from_be_bytes([high, low]);
        let identifier = standing.preparation.as_mut().map_or(own, |all| *all.identifier.get_or_insert(own));
        let step = match config_mode::begin(Plan { keys, path, message_id, identifier }, asked) {
            Ok(step) => step,
            Err(failure) => return self.end_ike_sa(id, failure, true),
        };
        let (exchange, verdict) = Exchange::begin(1, None, step);
        let retransmission = Retransmission::begin(now);
        let transaction = Transaction { exchange: Some(exchange), past: Vec::new(), retransmission, next_iv: None };
        standing.transactions.insert(message_id, transaction);
        self.timers.cancel(Timer::Preparation(id));
        self.transaction_verdict(id, message_id, verdict);
    }

    /// A message of the transaction exchange.
    pub(super) fn transaction_message(&mut self, id: IkeSaId, message: &Incoming<'_>) -> Result<(), Reject> {
        let message_id = message.header.message_id;
        if message_id == MessageId::PHASE_1 {
            return Err(message.unexpected("established"));
        }
        let Some(standing) = self.ike_sas.get_mut(&id).and_then(IkeSa::standing_mut) else { return Ok(()) };
        let Some(transaction) = standing.transactions.get_mut(&message_id) else {
            check_unused(standing, message_id, message)?;
            let iv = standing.sa.keys.first_iv(message_id);
            return self.answer_transaction(id, message, &iv);
        };
        let mut verdict = if let Some(exchange) = &mut transaction.exchange {
            exchange.receive(message, &mut self.shared.cx())?
        } else {
            let digest = message.digest();
            let past = transaction.past.iter().find(|(past, _)| *past == digest).map(|(_, reply)| reply.clone());
            match (past, transaction.next_iv.clone()) {
                (Some(reply), _) => Verdict::Repeat(reply),
                // Another message with the same message ID: its IV follows from the last one's.
                (None, Some(iv)) if transaction.past.len() < MESSAGES_OF_ONE => {
                    return self.answer_transaction(id, message, &iv);
                }
                _ => return Err(message.unexpected("finished")),
            }
        };
        match &mut verdict {
            Verdict::Repeat(reply) => *reply = self.follow(id, message.path, reply.take()),
            _ => self.hear(id),
        }
        self.transaction_verdict(id, message_id, verdict);
        Ok(())
    }

    /// The peer begins, or goes on, and is answered at once.
    fn answer_transaction(
        &mut self,
        id: IkeSaId,
        message: &Incoming<'_>,
        iv: &crate::crypto::iv::Iv,
    ) -> Result<(), Reject> {
        let message_id = message.header.message_id;
        let now = self.shared.now;
        let Some(sa) = self.ike_sas.get(&id) else { return Ok(()) };
        let Some(standing) = sa.standing() else { return Ok(()) };
        let rule = Arc::clone(&sa.rule);
        let keys = Arc::clone(&standing.sa.keys);
        let peer = Peer {
            keys: &keys,
            // A NAT may have given the peer a new mapping: if the message is authentic, its addresses count.
            path: if standing.is_behind_nat() { message.path } else { sa.path },
            rule: &rule,
            iv,
            admitted: standing.admitted,
            questions: standing.questions,
            owner: &standing.owner(),
            expiry: standing.expiry(now),
        };
        let step = respond(message, &peer, &mut self.shared.cx())?;
        self.confirm(id, message.path);
        self.focus(id);
        let (exchange, verdict) = Exchange::begin(1, Some(message.digest()), step);
        let Some(standing) = self.ike_sas.get_mut(&id).and_then(IkeSa::standing_mut) else { return Ok(()) };
        standing.used.insert(message_id);
        let transaction = standing.transactions.entry(message_id).or_insert_with(|| Transaction {
            exchange: None,
            past: Vec::new(),
            retransmission: Retransmission::begin(now),
            next_iv: None,
        });
        transaction.past.extend(exchange.into_past());
        self.transaction_verdict(id, message_id, verdict);
        Ok(())
    }

    /// Takes the answer to an ask of a transaction.
    pub(super) fn transaction_answer(
        &mut self,
        id: IkeSaId,
        message_id: MessageId,
        branch: BranchNumber,
        answer: Answer,
    ) {
        self.focus(id);
        let standing = self.ike_sas.get_mut(&id).and_then(IkeSa::standing_mut);
        let transaction = standing.and_then(|standing| standing.transactions.get_mut(&message_id));
        let Some(exchange) = transaction.and_then(|transaction| transaction.exchange.as_mut()) else { return };
        let verdict = exchange.answer(branch, answer, &mut self.shared.cx());
        if let Some(verdict) = verdict {
            self.transaction_verdict(id, message_id, verdict);
        }
    }

    fn transaction(&mut self, id: IkeSaId, message_id: MessageId) -> Option<&mut Transaction> {
        self.ike_sas.get_mut(&id)?.standing_mut()?.transactions.get_mut(&message_id)
    }

    fn transaction_verdict(&mut self, id: IkeSaId, message_id: MessageId, verdict: Verdict<Outcome>) {
        let now = self.shared.now;
        match verdict {
            Verdict::Repeat(reply) => self.repeat(reply.as_ref()),
            Verdict::Progress { branch, send, asks, evicted: _ } => {
                if let Some(transaction) = self.transaction(id, message_id) {
                    transaction.retransmission = Retransmission::begin(now);
                }
                self.timers.set(Timer::Transaction(id, message_id), now + self.plan.interval(1));
                if let Some(message) = &send {
                    self.send(message);
                }
                for ask in asks {
                    self.ask(Owner::Transaction(id, message_id, branch), ask);
                }
            }
            Verdict::Done { outcome, send, .. } => {
                if let Some(message) = &send {
                    self.send(message);
                }
                self.retire_transaction(id, message_id);
                self.transaction_outcome(id, message_id, *outcome);
            }
            Verdict::Failed { failure, .. } | Verdict::BranchFailed(failure) => self.end_ike_sa(id, failure, true),
        }
    }

    /// The exchange is over; duplicates are still answered for a while.
    fn retire_transaction(&mut self, id: IkeSaId, message_id: MessageId) {
        self.timers.cancel(Timer::Transaction(id, message_id));
        let first = Owner::Transaction(id, message_id, 0);
        self.disown(first, Owner::Transaction(id, message_id, BranchNumber::MAX));
        if let Some(transaction) = self.transaction(id, message_id)
            && let Some(exchange) = transaction.exchange.take()
        {
            transaction.past.extend(exchange.into_past());
        }
        self.timers.set(Timer::ForgetTransaction(id, message_id), self.shared.now + self.plan.total());
    }

    pub(super) fn forget_transaction(&mut self, id: IkeSaId, message_id: MessageId) {
        if let Some(standing) = self.ike_sas.get_mut(&id).and_then(IkeSa::standing_mut) {
            standing.transactions.remove(&message_id);
        }
    }

    /// The retransmission timer of a transaction.
    pub(super) fn transaction_timer(&mut self, id: IkeSaId, message_id: MessageId) {
        self.focus(id);
        let (now, plan) = (self.shared.now, self.plan);
        let Some(peer) = self.ike_sas.get(&id).map(|sa| sa.path.remote) else { return };
        let Some(transaction) = self.transaction(id, message_id) else { return };
        let Some(exchange) = &transaction.exchange else { return };
        let messages: Vec<_> = exchange.unanswered().cloned().collect();
        if transaction.retransmission.sent >= plan.transmissions {
            let seconds = now.since(transaction.retransmission.since).as_secs();
            let failure = match messages.last() {
                Some(message) => {
                    let (message, sent) = (message.name, plan.transmissions);
                    Failure::TimedOut { peer, message, sent, seconds, hint: None }
                }
                None => {
                    let what = exchange.state().map_or("a message", ExchangeRole::waits_for);
                    Failure::Stalled { what, seconds }
                }
            };
            if self.ike_sas.get(&id).and_then(IkeSa::standing).is_some_and(|standing| standing.preparation.is_none()) {
                // It was an offer: a peer that does not take it has no need of it.
                return self.retire_transaction(id, message_id);
            }
            let known = self.refusal(id);
            return self.end_ike_sa(id, known.unwrap_or(failure), true);
        }
        transaction.retransmission.sent += 1;
        let count = transaction.retransmission.sent - 1;
        self.timers.set(Timer::Transaction(id, message_id), now + plan.interval(count + 1));
        for message in &messages {
            self.counters.retransmitted += 1;
            self.tell(EventKind::Message(MessageEvent::Retransmitted { message: message.name, count }));
            self.transmit(message);
        }
    }

    /// Why the peer is refused, if it is: that says more than how it took it.
    pub(super) fn refusal(&mut self, id: IkeSaId) -> Option<Failure> {
        let standing = self.ike_sas.get_mut(&id).and_then(IkeSa::standing_mut)?;
        let failure = standing.preparation.as_mut()?.failure.take()?;
        self.counters.authentication_failures += 1;
        Some(failure)
    }

    fn transaction_outcome(&mut self, id: IkeSaId, message_id: MessageId, outcome: Outcome) {
        self.focus(id);
        let Some(sa) = self.ike_sas.get_mut(&id) else { return };
        let rule = Arc::clone(&sa.rule);
        let Some(standing) = sa.standing_mut() else { return };
        match outcome {
            Outcome::User(verdict) => {
                let admitted = verdict.is_ok();
                match (verdict, &mut standing.preparation) {
                    (Ok(user), _) => standing.user = Some(user),
                    (Err(failure), Some(preparation)) => preparation.failure = Some(failure),
                    (Err(_), None) => {}
                }
                self.begin_transaction(id, Asked::Status { admitted });
            }
            Outcome::StatusKnown => {
                // draft-beaulieu-ike-xauth-02 §6: after a failure the ISAKMP SA is deleted at once.
                if let Some(failure) = self.refusal(id) {
                    return self.end_ike_sa(id, failure, true);
                }
                let Some(standing) = self.ike_sas.get_mut(&id).and_then(IkeSa::standing_mut) else { return };
                standing.admitted = true;
                let user = standing.user.clone();
                self.close_half_open(id);
                if let Some(user) = user {
                    self.tell(EventKind::Config(ConfigEvent::UserAdmitted { user }));
                }
                self.prepare(id);
            }
            Outcome::Configured(configuration) => self.configured(id, &rule, *configuration),
            Outcome::Taken => {
                if let Some(preparation) = &mut standing.preparation {
                    preparation.configured = true;
                }
                self.prepare(id);
            }
            Outcome::Answered { what, next_iv } => {
                if let Some(transaction) = standing.transactions.get_mut(&message_id) {
                    transaction.next_iv = Some(next_iv);
                }
                self.answered_peer(id, &rule, what);
            }
        }
    }

    /// What follows from what the peer wanted.
    fn answered_peer(&mut self, id: IkeSaId, rule: &Arc<Rule>, what: Answered) {
        let now = self.shared.now;
        let Some(standing) = self.ike_sas.get_mut(&id).and_then(IkeSa::standing_mut) else { return };
        match what {
            Answered::Credentials(told) => {
                standing.questions = standing.questions.saturating_add(u32::from(told));
                if standing.preparation.is_some() && !standing.admitted {
                    self.timers.set(Timer::Preparation(id), now + self.plan.total());
                }
            }
            Answered::Status(false, text) => {
                let user = match &rule.xauth {
                    Some(Xauth::Client(credentials)) => Some(credentials.user.clone()),
                    _ => None,
                };
                self.end_ike_sa(id, Failure::XauthRefused { user, text }, true);
            }
            Answered::Status(true, message) => {
                if matches!(rule.xauth, Some(Xauth::Client(_))) && !standing.admitted {
                    standing.admitted = true;
                    self.tell(EventKind::Config(ConfigEvent::AdmittedByPeer { message }));
                    self.prepare(id);
                }
            }
            Answered::Addresses { given, missing } => {
                let pool = match &rule.mode_config {
                    Some(ModeConfig::Server { pool, .. }) => pool.name.clone(),
                    Some(ModeConfig::Client { .. }) | None => String::new(),
                };
                let is_given = !given.is_empty();
                self.give(id, pool, given, missing);
                let standing = self.ike_sas.get_mut(&id).and_then(IkeSa::standing_mut);
                let preparation = standing.and_then(|standing| standing.preparation.as_mut());
                if let (true, Some(preparation)) = (is_given, preparation) {
                    // It was to be given them unasked.
                    preparation.configured = true;
                    self.prepare(id);
                }
            }
            Answered::Configuration(configuration) => self.configured(id, rule, *configuration),
            Answered::Nothing => {}
        }
    }

    /// The peer gave this host addresses and more.
    fn configured(&mut self, id: IkeSaId, rule: &Rule, configuration: Configuration) {
        let Some(standing) = self.ike_sas.get_mut(&id).and_then(IkeSa::standing_mut) else { return };
        // What comes later changes nothing: SAs stand with what came first.
        let Some(preparation) = standing.preparation.as_mut().filter(|preparation| preparation.adding == 0) else {
            return;
        };
        let needs = |ipv4| rule.filters.iter().any(|filter| filter.remote.address().is_ipv4() == ipv4);
        let gives = |ipv4| needs(ipv4) && configuration.address(ipv4).is_some();
        if !gives(true) && !gives(false) {
            let family = if needs(true) { "IPv4" } else { "IPv6" };
            return self.end_ike_sa(id, Failure::NoAddressGiven { family }, true);
        }
        preparation.adding = configuration.addresses.len();
        let addresses = configuration.addresses.clone();
        let configuration = Box::new(configuration);
        standing.configuration = Some(configuration.clone());
        self.tell(EventKind::Config(ConfigEvent::Configured(configuration)));
        for address in addresses {
            self.granted.insert(address);
            self.ask(Owner::Address(id), Ask::Address(AddressOp::Add(address)));
        }
        // Until this host has the address.
        self.prepare(id);
    }

    /// An address has become this host's, or could not.
    pub(super) fn address_added(&mut self, id: IkeSaId, result: Result<(), String>) {
        let Some(standing) = self.ike_sas.get_mut(&id).and_then(IkeSa::standing_mut) else { return };
        let Some(preparation) = &mut standing.preparation else { return };
        match result {
            Ok(()) => {
                preparation.adding = preparation.adding.saturating_sub(1);
                if preparation.adding == 0 {
                    preparation.configured = true;
                    self.prepare(id);
                }
            }
            Err(reason) => {
                let addresses = standing.configuration.iter().flat_map(|configuration| &configuration.addresses);
                let Some(address) = addresses.copied().next() else { return };
                self.end_ike_sa(id, Failure::AddressNotAdded { address, reason }, true);
            }
        }
    }

    /// Takes the addresses off this host that no SA needs any more.
    pub(super) fn return_addresses(&mut self) {
        if self.granted.is_empty() {
            return;
        }
        let configurations = self.ike_sas.values().filter_map(|sa| sa.standing()?.configuration.as_ref());
        let mut needed: Vec<IpAddr> = configurations.flat_map(|all| all.addresses.iter().copied()).collect();
        let pairs = self.pairs.values().filter(|pair| pair.sa.rule.gets_address());
        needed.extend(pairs.map(|pair| pair.sa.selector.local.address()));
        let gone: Vec<IpAddr> = self.granted.iter().copied().filter(|address| !needed.contains(address)).collect();
        for address in gone {
            self.granted.remove(&address);
            self.tell(EventKind::Config(ConfigEvent::AddressReturned(address)));
            self.ask(Owner::Nobody, Ask::Address(AddressOp::Remove(address)));
        }
    }
}

impl From<Asked> for NextStep {
    fn from(asked: Asked) -> Self {
        Self::Begin(asked)
    }
}

impl Standing {
    /// For whom addresses of a pool are.
    pub(super) fn owner(&self) -> LeaseOwner {
        LeaseOwner::new(self.sa.peer.identity(), self.user.as_deref())
    }

    /// False while the peer has proven nothing at all: the client of hybrid authentication, before its user has.
    pub(super) fn has_proven_something(&self) -> bool {
        self.admitted || *self.sa.peer.identity() != Identity::Nobody
    }

    /// True if both are with the same peer, and the same user of it.
    pub(super) fn is_with_peer_of(&self, other: &Self) -> bool {
        self.sa.peer.identity() == other.sa.peer.identity() && self.user == other.user
    }

    /// What its preparation waits for: a message, or something else.
    pub(super) fn awaits(&self, preparation: &Preparation) -> &'static str {
        let states = self.transactions.values().filter_map(|transaction| transaction.exchange.as_ref()?.state());
        states.map(ExchangeRole::waits_for).next().unwrap_or(preparation.waits_for)
    }

    /// Seconds that the SA stands yet.
    fn expiry(&self, now: crate::time::Time) -> u32 {
        let passed = u32::try_from(now.since(self.since).as_secs()).unwrap_or(u32::MAX);
        match self.sa.lifetime.seconds {
            0 => u32::MAX,
            life => life.saturating_sub(passed),
        }
    }

    /// The addresses that the traffic of SAs under this one must be from, or to: given to the peer, or to this host.
    pub(super) fn addresses(&self) -> &[IpAddr] {
        self.configuration.as_ref().map_or(&self.leases, |configuration| &configuration.addresses)
    }
}
