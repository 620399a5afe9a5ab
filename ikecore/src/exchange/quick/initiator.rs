//! Quick mode, initiator.
use super::super::Cx;
use super::super::fresh;
use super::super::message::{Incoming, Outgoing};
use super::super::natt::OriginalAddresses;
use super::super::step::{Next, Role as ExchangeRole, Step};
use super::super::work::{Answer, Ask, KeyExchange};
use super::keys::{self, Seed};
use super::msgs::{self, Brought, Offer};
use super::{IpsecSa, Plan, installed};
use crate::crypto::group::{Group, KeyPair};
use crate::crypto::iv::Iv;
use crate::crypto::quick::{hash_1, hash_3, verify_hash_2};
use crate::event::negotiation::Role;
use crate::event::{EventKind, Failure, MessageEvent, QuickModeEvent, Reject};
use crate::ids::Spi;
use crate::policy::selector::Selector;
use crate::proposal::encode::encode_quick_mode;
use crate::proposal::select::{ChosenQuickMode, verify_quick_mode_reply};
use crate::proposal::suite::Lifetime;
use crate::sa::driver::{SaName, SaOp, SaPair};
use crate::secret::Secret;
use crate::wire::{Chain, ChainWriter, NotifyType, PayloadType, ProtocolId, Sa};
use std::sync::Arc;

/// The initiator's states.
pub enum State {
    /// SPIs, and with perfect forward secrecy a key pair, are being fetched.
    Gathering(Box<Gathering>),
    /// Message 1 is out.
    SentOffer(Arc<SentOffer>),
    /// The second shared secret is being computed.
    Agreeing(Arc<SentOffer>, Box<Reply>),
    /// The inbound SA is being installed; message 3 waits for it.
    Preparing(Box<Prepared>),
    /// Message 3 is out, and the peer set the commit bit: the outbound SA waits for its CONNECTED.
    Confirming(Box<Confirming>),
    /// Message 3 is out, the outbound SA is being installed.
    Installing(IpsecSa),
}

/// What is fetched before message 1, one after the other.
pub struct Gathering {
    plan: Plan,
    /// Protocols that still need an SPI; the last one's is on its way.
    missing: Vec<ProtocolId>,
    spis: Vec<(ProtocolId, Spi)>,
    pfs: Option<Group>,
}

/// What message 1 offered.
pub struct SentOffer {
    plan: Plan,
    sa: Vec<u8>,
    nonce: Vec<u8>,
    spis: Vec<(ProtocolId, Spi)>,
    pair: Option<Arc<KeyPair>>,
    iv: Iv,
}

/// What message 2 answered.
pub struct Reply {
    chosen: ChosenQuickMode,
    nonce: Vec<u8>,
    lifetime: Lifetime,
    iv: Iv,
    /// The peer set the commit bit.
    commit: bool,
}

/// What goes out once the inbound SA is installed.
pub struct Prepared {
    sa: IpsecSa,
    message: Outgoing,
    next: Committed,
}

/// What follows message 3.
enum Committed {
    /// The outbound SA.
    Install(SaOp),
    /// CONNECTED.
    Await(Box<Confirming>),
}

/// After message 3, if the peer set the commit bit: what the outbound SA is made of.
pub struct Confirming {
    sent: Arc<SentOffer>,
    reply: Reply,
    shared: Option<Secret<Vec<u8>>>,
    sa: IpsecSa,
    /// The IV of message 4.
    iv: Iv,
}

/// Begins by asking the driver for SPIs.
pub(super) fn begin(plan: Plan, cx: &mut Cx<'_>) -> Result<Step<State>, Failure> {
    let Some(policy) = plan.rule.quick_mode() else { return Err(Failure::PolicyChange) };
    cx.trace.step(|| {
        EventKind::QuickMode(QuickModeEvent::PolicyFound {
            rule: plan.rule.name.clone(),
            policy: policy.name.clone(),
            offers: policy.offers.clone(),
        })
    });
    let offers = plan.offers()?;
    let mut missing = Vec::new();
    for protocol in offers.iter().flat_map(|offer| offer.suite.protocols().iter()) {
        if !missing.contains(&protocol) {
            missing.push(protocol);
        }
    }
    let pfs = offers.first().and_then(|offer| offer.pfs);
    Gathering { missing, spis: Vec::new(), pfs, plan }.fetch(cx)
}

impl Gathering {
    /// Asks for the next thing that is missing.
    fn fetch(self, cx: &mut Cx<'_>) -> Result<Step<State>, Failure> {
        let ask = match (self.missing.last(), self.pfs) {
            (Some(protocol), _) => Ask::Sa(alloc_spi(&self.plan, *protocol)),
            (None, Some(group)) => fresh::key_pair(group, None, cx)?,
            (None, None) => return self.offer(None, cx),
        };
        Ok(Step::ask(State::Gathering(Box::new(self)), vec![ask]))
    }

    /// Message 1.
    fn offer(self, pair: Option<Arc<KeyPair>>, cx: &mut Cx<'_>) -> Result<Step<State>, Failure> {
        let Self { plan, spis, .. } = self;
        let sa = encode_quick_mode(&plan.offers()?, plan.encapsulation_mode(), &spis);
        let nonce = fresh::nonce(cx.rng)?;
        let (local, remote) = msgs::id_bodies(&plan.selector);
        let offer = Offer {
            sa: &sa,
            nonce: &nonce,
            public: pair.as_ref().map(|pair| pair.public()),
            ids: Some((&local, &remote)),
            original: plan.original(Role::Initiator),
            lifetime: None,
        };
        let envelope = msgs::envelope("quick mode message 1", &plan);
        let (message, iv) = offer.seal(&envelope, &plan, &plan.keys.first_iv(plan.message_id), |rest| {
            hash_1(plan.keys.a(), plan.message_id, rest)
        })?;
        Ok(Step::send(State::SentOffer(Arc::new(SentOffer { plan, sa, nonce, spis, pair, iv })), message))
    }
}

pub(super) fn alloc_spi(plan: &Plan, protocol: ProtocolId) -> SaOp {
    SaOp::AllocSpi {
        protocol,
        source: plan.path.peer().ip(),
        destination: plan.path.own().ip(),
        mode: plan.mode(),
        reqid: plan.rule.reqid,
    }
}

pub(super) fn release(plan: &Plan, spis: &[(ProtocolId, Spi)]) -> Vec<SaOp> {
    let destination = plan.path.own().ip();
    spis.iter().map(|&(protocol, spi)| SaOp::ReleaseSpi(SaName { protocol, destination, spi })).collect()
}

impl ExchangeRole for State {
    type Outcome = IpsecSa;

    fn waits_for(&self) -> &'static str {
        match self {
            Self::Gathering(_) => "an SPI",
            Self::SentOffer(_) => "quick mode message 2",
            Self::Agreeing(..) => "the shared secret",
            Self::Preparing(_) => "the inbound SA",
            Self::Confirming(_) => "CONNECTED",
            Self::Installing(_) => "the outbound SA",
        }
    }

    fn receive(&self, message: &Incoming<'_>, cx: &mut Cx<'_>) -> Result<Step<Self>, Reject> {
        match self {
            Self::SentOffer(sent) => sent.receive(message, cx),
            Self::Confirming(confirming) => confirming.receive(message, cx),
            _ => Err(message.unexpected(self.waits_for())),
        }
    }

    fn answer(self, answer: Answer, cx: &mut Cx<'_>) -> Result<Step<Self>, Failure> {
        match self {
            Self::Gathering(mut state) => match msgs::brought(answer)? {
                Brought::Spi(spi) => {
                    cx.trace.step(|| EventKind::QuickMode(QuickModeEvent::SpiAllocated(spi)));
                    state.spis.extend(state.missing.pop().map(|protocol| (protocol, spi)));
                    state.fetch(cx)
                }
                Brought::KeyExchange(answer) => state.offer(Some(answer.pair), cx),
            },
            Self::Agreeing(sent, reply) => match msgs::brought(answer)? {
                Brought::KeyExchange(answer) => sent.finish(*reply, answer.shared, cx),
                Brought::Spi(_) => Ok(Step::stay(Self::Agreeing(sent, reply))),
            },
            Self::Preparing(prepared) => {
                installed(answer)?;
                let Prepared { sa, message, next } = *prepared;
                Ok(match next {
                    Committed::Install(outbound) => {
                        let (next, asks) = (Next::Become(Self::Installing(sa)), vec![Ask::Sa(outbound)]);
                        Step { next, send: Some(message), asks }
                    }
                    Committed::Await(confirming) => {
                        cx.trace.step(|| EventKind::QuickMode(QuickModeEvent::CommitBit));
                        Step::send(Self::Confirming(confirming), message)
                    }
                })
            }
            Self::Installing(sa) => {
                installed(answer)?;
                Ok(Step::done(sa, None))
            }
            other @ (Self::SentOffer(_) | Self::Confirming(_)) => Ok(Step::stay(other)),
        }
    }

    fn without_answer(&self, cx: &mut Cx<'_>) -> Option<Step<Self>> {
        let Self::Confirming(confirming) = self else { return None };
        cx.trace.tell(EventKind::QuickMode(QuickModeEvent::NotConnected));
        Some(confirming.install(cx))
    }

    fn cleanup(&self) -> Vec<SaOp> {
        match self {
            Self::Gathering(state) => release(&state.plan, &state.spis),
            Self::SentOffer(sent) | Self::Agreeing(sent, _) => release(&sent.plan, &sent.spis),
            Self::Preparing(prepared) => vec![prepared.sa.removal()],
            Self::Confirming(confirming) => vec![confirming.sa.removal()],
            Self::Installing(sa) => vec![sa.removal()],
        }
    }
}

impl Confirming {
    /// The pair that it makes.
    pub(super) const fn sa(&self) -> &IpsecSa {
        &self.sa
    }

    fn receive(&self, message: &Incoming<'_>, cx: &mut Cx<'_>) -> Result<Step<State>, Reject> {
        let notify = msgs::last_notify(message, &self.sent.plan, &self.iv, cx)?;
        cx.trace.tell(EventKind::Message(MessageEvent::Notification { notify, authenticated: true, text: None }));
        match notify {
            NotifyType::CONNECTED => Ok(self.install(cx)),
            notify if notify.is_error() => {
                let failure = Failure::PeerRefused { what: "quick mode message 3", notify, text: None };
                Ok(self.end(failure))
            }
            _ => Err(message.unexpected("CONNECTED")),
        }
    }

    fn install(&self, cx: &mut Cx<'_>) -> Step<State> {
        match self.sent.pair(&self.reply, self.shared.as_ref(), cx) {
            Ok((pair, sa)) => {
                let [_, outbound] = pair.steps();
                Step::ask(State::Installing(sa), vec![Ask::Sa(outbound)])
            }
            Err(failure) => self.end(failure),
        }
    }

    fn end(&self, failure: Failure) -> Step<State> {
        Step { next: Next::Fail(failure, vec![self.sa.removal()]), send: None, asks: Vec::new() }
    }
}

impl SentOffer {
    fn receive(self: &Arc<Self>, message: &Incoming<'_>, cx: &mut Cx<'_>) -> Result<Step<State>, Reject> {
        let plan = &self.plan;
        let opened = msgs::open(message, plan, &self.iv, cx)?;
        let payloads = opened.payloads()?;
        let (hash, rest) = opened.hashed(&payloads)?;
        // RFC 2409 §5.5: HASH(2) covers Ni_b too, for liveliness.
        if !verify_hash_2(plan.keys.a(), plan.message_id, &self.nonce, rest, hash) {
            return Err(Reject::Hash("HASH(2)"));
        }
        // From here on the message is authentic: what is wrong with it ends the quick mode.
        let fail = |failure| Ok(self.refuse(failure));
        let chain = match opened.chain(msgs::OFFER_RULES) {
            Ok(chain) => chain,
            Err(error) => return fail(Failure::Malformed(error)),
        };
        let (nonce, public) = match msgs::nonce_and_public(message, &chain) {
            Err(Reject::Malformed(error)) => return fail(Failure::Malformed(error)),
            other => other?,
        };
        let Some(raw) = chain.one(PayloadType::SA) else { return Err(message.unexpected("SA")) };
        let reply = match raw.decode(Sa::decode) {
            Ok(reply) => reply,
            Err(error) => return fail(Failure::Malformed(error)),
        };
        let offers = match plan.offers() {
            Ok(offers) => offers,
            Err(failure) => return fail(failure),
        };
        let chosen = match verify_quick_mode_reply(&reply, &offers, &self.sa) {
            Ok(chosen) => chosen,
            Err(mismatch) => return fail(Failure::ChoiceNotOffered(mismatch)),
        };
        if let Err(failure) = self.check_ids(&chain) {
            return fail(failure);
        }
        let announced = msgs::responder_lifetime(&chain);
        if let Some(lifetime) = announced {
            cx.trace.step(|| EventKind::QuickMode(QuickModeEvent::ResponderLifetime(lifetime)));
        }
        let lifetime = msgs::shorter(chosen.lifetime, announced.unwrap_or_default());
        cx.trace.step(|| {
            EventKind::QuickMode(QuickModeEvent::ProposalAccepted {
                proposal: chosen.proposal,
                transform: chosen.transform,
                suite: chosen.suite,
                mode: plan.mode(),
                lifetime,
                pfs: chosen.pfs,
            })
        });
        let reply =
            Reply { chosen, nonce: nonce.to_vec(), lifetime, iv: opened.next_iv.clone(), commit: message.commits() };
        match (&self.pair, public) {
            (Some(pair), Some(public)) => {
                if let Err(error) = pair.group().check_public(public) {
                    return fail(Failure::Crypto { operation: "Diffie-Hellman", reason: error.to_string() });
                }
                let ask = KeyExchange::Agree { pair: Arc::clone(pair), peer: public.to_vec() };
                let state = State::Agreeing(Arc::clone(self), Box::new(reply));
                Ok(Step::ask(state, vec![Ask::KeyExchange(ask)]))
            }
            (None, None) => Ok(self.finish(reply, None, cx).unwrap_or_else(|failure| self.refuse(failure))),
            (expected, _) => fail(Failure::KePayload { expected: expected.is_some() }),
        }
    }

    fn refuse(&self, failure: Failure) -> Step<State> {
        Step { next: Next::Fail(failure, release(&self.plan, &self.spis)), send: None, asks: Vec::new() }
    }

    /// The responder must answer with the identities that it was offered (RFC 2409 §5.5).
    fn check_ids(&self, chain: &Chain<'_>) -> Result<(), Failure> {
        let Some((initiator, responder)) = msgs::ids(chain) else { return Ok(()) };
        let received = msgs::selector(initiator, responder, self.plan.path.scope())?;
        if received == self.plan.selector || self.is_translated(&received, chain) {
            Ok(())
        } else {
            Err(Failure::SelectorsChanged { received, proposed: self.plan.selector })
        }
    }

    /// Behind a NAT the responder may name the hosts by the addresses that it knows them by.
    fn is_translated(&self, received: &Selector, chain: &Chain<'_>) -> bool {
        let revision = self.plan.original(Role::Initiator).map(|(revision, _)| revision);
        let original = revision.and_then(|revision| OriginalAddresses::read(chain, revision));
        original.is_some_and(|original| original.fit(received, &self.plan.selector))
    }

    /// Makes the SAs and message 3. The responder sends with its new SA as soon as it has message 3, so the inbound one is
    /// installed first; if that fails, message 3 is never sent, and the responder has nothing that nobody serves.
    fn finish(
        self: &Arc<Self>,
        reply: Reply,
        shared: Option<Secret<Vec<u8>>>,
        cx: &mut Cx<'_>,
    ) -> Result<Step<State>, Failure> {
        let plan = &self.plan;
        let (pair, sa) = self.pair(&reply, shared.as_ref(), cx)?;
        let hash = hash_3(plan.keys.a(), plan.message_id, &self.nonce, &reply.nonce);
        let mut chain = ChainWriter::new();
        chain.push(PayloadType::HASH, |writer| writer.bytes(hash.as_ref()));
        let envelope = msgs::envelope("quick mode message 3", plan);
        let (message, iv): (Outgoing, _) = envelope.sealed(chain, &plan.keys.cipher, &reply.iv)?;
        cx.trace.step(|| EventKind::QuickMode(QuickModeEvent::installing(&pair, reply.lifetime)));
        let [inbound, outbound] = pair.steps();
        let mut asks = vec![Ask::Sa(inbound)];
        let used = |protocol| reply.chosen.suite.protocols().iter().any(|used| used == protocol);
        let unused: Vec<_> = self.spis.iter().copied().filter(|(protocol, _)| !used(*protocol)).collect();
        let released = release(plan, &unused);
        asks.extend(released.into_iter().map(Ask::Sa));
        let next = if reply.commit {
            let sent = Arc::clone(self);
            Committed::Await(Box::new(Confirming { sent, reply, shared, sa: sa.clone(), iv }))
        } else {
            Committed::Install(outbound)
        };
        Ok(Step::ask(State::Preparing(Box::new(Prepared { sa, message, next })), asks))
    }

    /// Both SAs.
    fn pair(&self, reply: &Reply, shared: Option<&Secret<Vec<u8>>>, cx: &Cx<'_>) -> Result<(SaPair, IpsecSa), Failure> {
        let Reply { chosen, nonce, lifetime, .. } = reply;
        let seed = Seed { g_xy: shared, ni: &self.nonce, nr: nonce };
        keys::make(&self.plan, chosen, *lifetime, &self.spis, &seed, cx.policy, cx.settings.replay_window)
    }
}
