//! Quick mode, responder.
use super::super::fresh;
use super::super::message::{Incoming, Outgoing};
use super::super::step::{Next, Role as ExchangeRole, Step};
use super::super::work::{Answer, Ask};
use super::super::{Cx, Path, natt::Revision};
use super::initiator::{alloc_spi, release};
use super::keys::{self, Seed};
use super::msgs::{self, Brought, Offer};
use super::{IpsecSa, Plan, installed};
use crate::crypto::group::KeyPair;
use crate::crypto::iv::Iv;
use crate::crypto::quick::{hash_2, verify_hash_1, verify_hash_3};
use crate::event::negotiation::Role;
use crate::event::{EventKind, Failure, MissingAddress, QuickModeEvent, Reject};
use crate::exchange::auth::Proven;
use crate::exchange::phase1::IkeKeys;
use crate::ids::{IpsecSaId, Spi};
use crate::policy::rule::Rule;
use crate::policy::selector::{Prefix, Selector};
use crate::proposal::select::{ChosenQuickMode, select_quick_mode};
use crate::proposal::suite::{Lifetime, Mode};
use crate::sa::driver::{SaOp, SaPair};
use crate::secret::Secret;
use crate::wire::{Chain, EncapsulationMode, IpsecAttribute, PayloadType, ProtocolId, Sa};
use std::net::IpAddr;
use std::sync::Arc;

/// The peer and its ISAKMP SA.
pub struct Peer<'a> {
    /// The keys of the ISAKMP SA.
    pub keys: &'a Arc<IkeKeys>,
    /// From where to where.
    pub path: Path,
    /// ESP goes in UDP, with the numbers of this revision.
    pub encapsulation: Option<Revision>,
    /// The handle for the SA pair.
    pub id: IpsecSaId,
    /// What it has proven.
    pub proven: Proven<'a>,
    /// The addresses that Mode Config gave under the ISAKMP SA.
    pub addresses: &'a [IpAddr],
    /// Those that it had not.
    pub missing: &'a [MissingAddress],
}

impl Peer<'_> {
    /// Whether the peer may have SAs of `rule` for what it proposes. The error is what it may propose.
    fn may_use(&self, rule: &Rule, proposed: &Selector) -> Result<(), Vec<Selector>> {
        if rule.xauth.is_none() && rule.mode_config.is_none() {
            return Ok(());
        }
        // What another rule did not ask of the peer, it has not shown.
        if !rule.prepares_like(self.proven.under) {
            return Err(Vec::new());
        }
        let gives = rule.gives_addresses();
        let given = if gives { proposed.remote } else { proposed.local };
        let is_given = given.is_host() && self.addresses.contains(&given.address());
        if rule.mode_config.is_none() || is_given {
            return Ok(());
        }
        let filters = rule.filters.iter().flat_map(|filter| {
            self.addresses.iter().map(move |address| {
                let own = Prefix::host(*address);
                if gives { Selector { remote: own, ..*filter } } else { Selector { local: own, ..*filter } }
            })
        });
        Err(filters.collect())
    }

    /// Why it comes to that: a peer that got no address proposes its own, which no filter covers.
    fn explain(&self, failure: Failure) -> Failure {
        let Failure::SelectorMismatch { received, .. } = &failure else { return failure };
        let ipv4 = received.remote.address().is_ipv4();
        match self.missing.iter().find(|missing| missing.ipv4 == ipv4) {
            Some(missing) => Failure::NoAddressForPeer { missing: missing.clone(), proposed: Some(*received) },
            None => failure,
        }
    }
}

/// The responder's states.
pub enum State {
    /// An SPI, and with perfect forward secrecy the shared secret, are being fetched.
    Gathering(Box<Gathering>),
    /// The inbound SA is being installed; message 2 waits for it.
    Preparing(Box<Prepared>),
    /// Message 2 is out.
    SentReply(Box<SentReply>),
    /// The outbound SA is being installed; after it goes message 4, with the commit bit.
    Installing(Box<IpsecSa>, Option<Outgoing>),
}

/// What message 1 settled.
struct Accepted {
    plan: Plan,
    chosen: ChosenQuickMode,
    peer_nonce: Vec<u8>,
    peer_public: Option<Vec<u8>>,
    /// The ID payloads' bodies as received; they are sent back as they came.
    ids: Option<(Vec<u8>, Vec<u8>)>,
    iv: Iv,
    /// The commit bit is set, by the peer in message 1 or by this host in message 2.
    commit: bool,
}

/// While message 2 is being prepared.
pub struct Gathering {
    accepted: Accepted,
    /// Protocols that still need an SPI; the last one's is on its way.
    missing: Vec<ProtocolId>,
    spis: Vec<(ProtocolId, Spi)>,
}

/// What goes out once the inbound SA is installed.
pub struct Prepared {
    sent: Box<SentReply>,
    message: Outgoing,
}

/// After message 2.
pub struct SentReply {
    accepted: Accepted,
    sa: IpsecSa,
    spis: Vec<(ProtocolId, Spi)>,
    nonce: Vec<u8>,
    shared: Option<Secret<Vec<u8>>>,
    iv: Iv,
}

impl SentReply {
    /// The pair that it makes.
    pub(super) const fn sa(&self) -> &IpsecSa {
        &self.sa
    }
}

/// Judges message 1. `Err`: it is not authentic. A failed step: it is, but nothing can be agreed on.
pub(super) fn begin(message: &Incoming<'_>, peer: &Peer<'_>, cx: &mut Cx<'_>) -> Result<Step<State>, Reject> {
    let message_id = message.header.message_id;
    let opened = message.open(&peer.keys.cipher, &peer.keys.first_iv(message_id), cx)?;
    let payloads = opened.payloads()?;
    let (hash, rest) = opened.hashed(&payloads)?;
    if !verify_hash_1(peer.keys.a(), message_id, rest, hash) {
        return Err(Reject::Hash("HASH(1)"));
    }
    // From here on the message is authentic: what is wrong with it ends the quick mode, and the peer hears of it.
    let chain = match opened.chain(msgs::OFFER_RULES) {
        Ok(chain) => chain,
        Err(error) => return Ok(Step::fail(Failure::Malformed(error))),
    };
    Ok(match accept(message, &chain, opened.next_iv.clone(), peer, cx) {
        Ok(accepted) => {
            let missing: Vec<ProtocolId> = accepted.chosen.suite.protocols().iter().collect();
            let asks = missing.last().map(|protocol| Ask::Sa(alloc_spi(&accepted.plan, *protocol)));
            let gathering = Gathering { accepted, missing, spis: Vec::new() };
            Step::ask(State::Gathering(Box::new(gathering)), asks.into_iter().collect())
        }
        Err(failure) => Step::fail(peer.explain(failure)),
    })
}

fn accept(
    message: &Incoming<'_>,
    chain: &Chain<'_>,
    iv: Iv,
    peer: &Peer<'_>,
    cx: &mut Cx<'_>,
) -> Result<Accepted, Failure> {
    let malformed = |reject| match reject {
        Reject::Malformed(error) => Failure::Malformed(error),
        other => Failure::TrafficId(other.to_string()),
    };
    let (nonce, public) = msgs::nonce_and_public(message, chain).map_err(malformed)?;
    let raw = chain.one(PayloadType::SA).ok_or_else(|| malformed(message.unexpected("SA")))?;
    let offered = raw.decode(Sa::decode).map_err(Failure::Malformed)?;
    let ids = msgs::ids(chain);
    let mode = proposed_mode(&offered);
    let proposed = match (ids, peer.encapsulation, mode) {
        // RFC 2409 §5.5: without identities the SAs are for the addresses of the peers themselves.
        (None, ..) => Selector {
            scope: peer.path.scope(),
            ..Selector::between(Prefix::host(peer.path.own().ip()), Prefix::host(peer.path.peer().ip()))
        },
        // IDci is the initiator's, so the peer's; IDcr is this host's. Transport mode through a NAT is between the two
        // hosts themselves, by the addresses that they see of each other.
        (Some((initiator, responder)), Some(_), Mode::Transport) => {
            msgs::selector_of_hosts(responder, initiator, peer.path)?
        }
        (Some((initiator, responder)), ..) => msgs::selector(responder, initiator, peer.path.scope())?,
    };
    let is_proven = |rule: &Rule| peer.proven.satisfies(rule).is_ok();
    let (rule, selector) = cx
        .policy
        .quick_mode_rule_in_either(peer.path.peer(), peer.path.own(), &proposed, mode, is_proven)
        .map_err(|reason| Failure::no_rule(proposed, reason))?;
    let rule: Arc<Rule> = Arc::clone(rule);
    peer.proven.satisfies(&rule)?;
    peer.may_use(&rule, &proposed).map_err(|allowed| Failure::SelectorMismatch { received: proposed, allowed })?;
    let Some(policy) = rule.quick_mode() else {
        return Err(Failure::SelectorMismatch { received: proposed, allowed: Vec::new() });
    };
    cx.trace.step(|| {
        EventKind::QuickMode(QuickModeEvent::PolicyFound {
            rule: rule.name.clone(),
            policy: policy.name.clone(),
            offers: policy.offers.clone(),
        })
    });
    let plan = Plan {
        id: peer.id,
        keys: Arc::clone(peer.keys),
        path: peer.path,
        message_id: message.header.message_id,
        rule: Arc::clone(&rule),
        selector,
        encapsulation: peer.encapsulation,
        replaces: None,
    };
    let chosen = select_quick_mode(&offered, &plan.offers()?, &[plan.encapsulation_mode()], public.map(<[u8]>::len))
        .map_err(|mismatches| {
            for mismatch in &mismatches {
                cx.trace.step(|| EventKind::QuickMode(QuickModeEvent::TransformRefused(mismatch.clone())));
            }
            Failure::NoProposalChosen { phase: "quick mode", mismatches }
        })?;
    match (chosen.pfs, public) {
        (Some(group), Some(public)) => group
            .check_public(public)
            .map_err(|error| Failure::Crypto { operation: "Diffie-Hellman", reason: error.to_string() })?,
        (None, None) => {}
        (expected, _) => return Err(Failure::KePayload { expected: expected.is_some() }),
    }
    cx.trace.step(|| {
        EventKind::QuickMode(QuickModeEvent::ProposalAccepted {
            proposal: chosen.proposal,
            transform: chosen.transform,
            suite: chosen.suite,
            mode: rule.mode(),
            lifetime: chosen.lifetime,
            pfs: chosen.pfs,
        })
    });
    Ok(Accepted {
        plan,
        chosen,
        peer_nonce: nonce.to_vec(),
        peer_public: public.map(<[u8]>::to_vec),
        ids: ids.map(|(initiator, responder)| (initiator.to_vec(), responder.to_vec())),
        iv,
        commit: message.commits() || cx.settings.commit_bit,
    })
}

impl Accepted {
    /// Both SAs.
    fn pair(
        &self,
        spis: &[(ProtocolId, Spi)],
        nonce: &[u8],
        shared: Option<&Secret<Vec<u8>>>,
        cx: &Cx<'_>,
    ) -> Result<(SaPair, IpsecSa), Failure> {
        let seed = Seed { g_xy: shared, ni: &self.peer_nonce, nr: nonce };
        let window = cx.settings.replay_window;
        keys::make(&self.plan, &self.chosen, self.chosen.lifetime, spis, &seed, cx.policy, window)
    }
}

/// The mode that the peer asks for in its first transform. Absent: RFC 2407 §4.5 leaves it to the host; without a tunnel
/// endpoint to know, it is transport.
fn proposed_mode(sa: &Sa<'_>) -> Mode {
    let attributes = sa.proposals.iter().flat_map(|p| &p.transforms).flat_map(|t| &t.attributes);
    let modes = attributes.filter(|attribute| attribute.kind == IpsecAttribute::ENCAPSULATION_MODE.0);
    let value = modes.filter_map(|attribute| u16::try_from(attribute.as_u64()?).ok()).next();
    match value.map(EncapsulationMode) {
        Some(EncapsulationMode::TUNNEL | EncapsulationMode::UDP_TUNNEL | EncapsulationMode::UDP_TUNNEL_DRAFT) => {
            Mode::Tunnel
        }
        _ => Mode::Transport,
    }
}

impl ExchangeRole for State {
    type Outcome = IpsecSa;

    fn waits_for(&self) -> &'static str {
        match self {
            Self::Gathering(_) => "an SPI",
            Self::Preparing(_) => "the inbound SA",
            Self::SentReply(_) => "quick mode message 3",
            Self::Installing(..) => "the outbound SA",
        }
    }

    fn receive(&self, message: &Incoming<'_>, cx: &mut Cx<'_>) -> Result<Step<Self>, Reject> {
        let Self::SentReply(sent) = self else { return Err(message.unexpected(self.waits_for())) };
        let plan = &sent.accepted.plan;
        let opened = msgs::open(message, plan, &sent.iv, cx)?;
        let chain = opened.chain(msgs::LAST_RULES)?;
        let (hash, _) = opened.hashed(&chain)?;
        if !verify_hash_3(plan.keys.a(), plan.message_id, &sent.accepted.peer_nonce, &sent.nonce, hash) {
            return Err(Reject::Hash("HASH(3)"));
        }
        // The peer has its inbound SA since before message 3, so what leaves can go this way from now on.
        let lifetime = sent.accepted.chosen.lifetime;
        let commit = sent.accepted.commit || message.commits();
        let connected = commit.then(|| msgs::connected(plan, sent.sa.inbound, &opened.next_iv)).transpose();
        let pair = sent.accepted.pair(&sent.spis, &sent.nonce, sent.shared.as_ref(), cx);
        Ok(match connected.and_then(|connected| Ok((pair?, connected))) {
            Ok(((pair, _), connected)) => {
                cx.trace.step(|| EventKind::QuickMode(QuickModeEvent::installing(&pair, lifetime)));
                let [_, outbound] = pair.steps();
                Step::ask(Self::Installing(Box::new(sent.sa.clone()), connected), vec![Ask::Sa(outbound)])
            }
            Err(failure) => Step { next: Next::Fail(failure, self.cleanup()), send: None, asks: Vec::new() },
        })
    }

    fn answer(self, answer: Answer, cx: &mut Cx<'_>) -> Result<Step<Self>, Failure> {
        match self {
            Self::Gathering(mut state) => match msgs::brought(answer)? {
                Brought::Spi(spi) => {
                    cx.trace.step(|| EventKind::QuickMode(QuickModeEvent::SpiAllocated(spi)));
                    state.spis.extend(state.missing.pop().map(|protocol| (protocol, spi)));
                    if let Some(protocol) = state.missing.last() {
                        let ask = Ask::Sa(alloc_spi(&state.accepted.plan, *protocol));
                        return Ok(Step::ask(Self::Gathering(state), vec![ask]));
                    }
                    match (state.accepted.chosen.pfs, state.accepted.peer_public.clone()) {
                        (Some(group), Some(peer)) => {
                            let ask = fresh::key_pair(group, Some(&peer), cx)?;
                            Ok(Step::ask(Self::Gathering(state), vec![ask]))
                        }
                        _ => state.reply(None, None, cx),
                    }
                }
                Brought::KeyExchange(answer) => state.reply(Some(&answer.pair), answer.shared, cx),
            },
            Self::Preparing(prepared) => {
                installed(answer)?;
                let Prepared { sent, message } = *prepared;
                Ok(Step::send(Self::SentReply(sent), message))
            }
            Self::Installing(sa, connected) => {
                installed(answer)?;
                Ok(Step::done(*sa, connected))
            }
            other @ Self::SentReply(_) => Ok(Step::stay(other)),
        }
    }

    fn cleanup(&self) -> Vec<SaOp> {
        match self {
            Self::Gathering(state) => release(&state.accepted.plan, &state.spis),
            Self::Preparing(prepared) => vec![prepared.sent.sa.removal()],
            Self::SentReply(sent) => vec![sent.sa.removal()],
            Self::Installing(sa, _) => vec![sa.removal()],
        }
    }
}

impl State {
    /// The rule and the traffic, once message 1 is accepted.
    pub const fn plan(&self) -> Option<&Plan> {
        match self {
            Self::Gathering(state) => Some(&state.accepted.plan),
            Self::Preparing(prepared) => Some(&prepared.sent.accepted.plan),
            Self::SentReply(sent) => Some(&sent.accepted.plan),
            Self::Installing(..) => None,
        }
    }
}

impl Gathering {
    /// Makes the SAs and message 2. The peer sends with its new SA as soon as it has message 2, so the inbound one is
    /// installed first.
    fn reply(
        self,
        pair: Option<&Arc<KeyPair>>,
        shared: Option<Secret<Vec<u8>>>,
        cx: &mut Cx<'_>,
    ) -> Result<Step<State>, Failure> {
        let Self { accepted, spis, .. } = self;
        let plan = &accepted.plan;
        let nonce = fresh::nonce(cx.rng)?;
        let sa = accepted.chosen.reply(&spis);
        let protocol = accepted.chosen.suite.main.protocol();
        let spi = keys::spi_of(&spis, protocol)?;
        let lifetime: Option<Lifetime> = accepted.chosen.notify_lifetime;
        let offer = Offer {
            sa: &sa,
            nonce: &nonce,
            public: pair.map(|pair| pair.public()),
            ids: accepted.ids.as_ref().map(|(initiator, responder)| (initiator.as_slice(), responder.as_slice())),
            original: plan.original(Role::Responder),
            lifetime: lifetime.map(|lifetime| (protocol, spi, lifetime)),
        };
        let envelope = msgs::envelope("quick mode message 2", plan);
        let (message, iv) = offer.seal(&envelope, plan, &accepted.iv, |rest| {
            hash_2(plan.keys.a(), plan.message_id, &accepted.peer_nonce, rest)
        })?;
        let message = if cx.settings.commit_bit { message.committing() } else { message };
        let (pair, record) = accepted.pair(&spis, &nonce, shared.as_ref(), cx)?;
        let [inbound, _] = pair.steps();
        let sent = Box::new(SentReply { accepted, sa: record, spis, nonce, shared, iv });
        Ok(Step::ask(State::Preparing(Box::new(Prepared { sent, message })), vec![Ask::Sa(inbound)]))
    }
}
