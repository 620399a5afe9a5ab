//! Main mode, initiator.
use super::super::auth::{methods::with_pre_shared_key, psk};
use super::super::info;
use super::super::message::{Incoming, Outgoing};
use super::super::natt::Revision;
use super::super::step::{Role as ExchangeRole, Step};
use super::super::work::{Answer, Ask, KeyExchange};
use super::super::{Cx, Path, vendor};
use super::Established;
use super::msgs::{self, PeerId, PeerKe, Phase1Keys};
use crate::crypto::group::{KeyPair, PrivateKey};
use crate::crypto::skeyid::{HashInputs, Inputs};
use crate::event::negotiation::Role;
use crate::event::{EventKind, Failure, IkeSaEvent, Reject};
use crate::ids::{Cookie, Cookies};
use crate::policy::rule::Rule;
use crate::proposal::encode::encode_main_mode;
use crate::proposal::select::{ChosenMainMode, verify_main_mode_reply};
use crate::proposal::suite::IkeSuite;
use crate::secret::Secret;
use crate::wire::{ExchangeType, PayloadType, Sa};
use core::net::SocketAddr;
use std::sync::Arc;

/// What stays the same in all states.
pub struct Opening {
    path: Path,
    rule: Arc<Rule>,
    psk: Arc<Secret<Vec<u8>>>,
    /// The body of the SA payload of message 1: HASH_I and HASH_R cover all of it (RFC 2409 §5).
    sa: Vec<u8>,
    initial_contact: bool,
}

/// What message 2 settled.
#[derive(Clone)]
struct Choice {
    cookies: Cookies,
    chosen: ChosenMainMode,
    revision: Option<Revision>,
}

/// What the peer's message 4 added.
struct Agreement {
    pair: Arc<KeyPair>,
    nonce: Vec<u8>,
    peer: PeerKe,
    path: Path,
}

/// The initiator's states.
pub enum State {
    /// Message 1 is out.
    SentSa(Arc<Opening>),
    /// This host's key pair is being made.
    Deriving(Arc<Opening>, Box<MakingPair>),
    /// Message 3 is out.
    SentKe(Arc<Opening>, Box<SentKe>),
    /// The shared secret is being computed.
    Agreeing(Arc<Opening>, Box<Agreeing>),
    /// Message 5 is out.
    SentId(Arc<Opening>, Box<SentId>),
}

/// While the key pair is made.
pub struct MakingPair(Choice);

/// After message 3.
pub struct SentKe {
    choice: Choice,
    pair: Arc<KeyPair>,
    nonce: Vec<u8>,
}

/// While the shared secret is computed.
pub struct Agreeing {
    choice: Choice,
    agreement: Agreement,
}

/// After message 5.
pub struct SentId {
    choice: Choice,
    agreement: Agreement,
    keys: Phase1Keys,
}

/// Begins: message 1.
pub fn begin(
    rule: &Arc<Rule>,
    path: Path,
    cookie: Cookie,
    initial_contact: bool,
    cx: &mut Cx<'_>,
) -> Result<Step<State>, Failure> {
    let Some(psk) = psk::key_of(rule) else {
        return Err(Failure::NoPolicyForPeer { peer: path.remote.ip() });
    };
    let policy = &rule.main_mode;
    let sa = encode_main_mode(&policy.offers, &[with_pre_shared_key(rule, Role::Initiator)], policy.lifetime);
    let cookies = Cookies { initiator: cookie, responder: Cookie::ZERO };
    let mut vendor_ids = if cx.settings.nat_traversal { Revision::VENDOR_IDS.to_vec() } else { Vec::new() };
    vendor_ids.extend(vendor::of_remote_access(rule));
    let message = msgs::sa(&msgs::envelope("main mode message 1", path, cookies), &sa, &vendor_ids);
    let opening = Opening { path, rule: Arc::clone(rule), psk, sa, initial_contact };
    Ok(Step::send(State::SentSa(Arc::new(opening)), message))
}

impl ExchangeRole for State {
    type Outcome = Established;

    fn waits_for(&self) -> &'static str {
        match self {
            Self::SentSa(_) => "main mode message 2",
            Self::Deriving(..) => "its key pair",
            Self::SentKe(..) => "main mode message 4",
            Self::Agreeing(..) => "the shared secret",
            Self::SentId(..) => "main mode message 6",
        }
    }

    fn receive(&self, message: &Incoming<'_>, cx: &mut Cx<'_>) -> Result<Step<Self>, Reject> {
        if message.header.exchange != ExchangeType::MAIN {
            return Err(message.unexpected(self.waits_for()));
        }
        match self {
            Self::SentSa(opening) => receive_sa(opening, message, cx),
            Self::SentKe(opening, state) => receive_ke(opening, state, message, cx),
            Self::SentId(opening, state) => receive_id(opening, state, message, cx),
            Self::Deriving(..) | Self::Agreeing(..) => Err(message.unexpected(self.waits_for())),
        }
    }

    fn answer(self, answer: Answer, cx: &mut Cx<'_>) -> Result<Step<Self>, Failure> {
        let answer = msgs::key_exchange(answer)?;
        match self {
            Self::Deriving(opening, choice) => send_ke(opening, choice.0, answer.pair, cx),
            Self::Agreeing(opening, state) => match answer.shared {
                Some(shared) => send_id(opening, *state, &shared, cx),
                None => Err(Failure::Crypto { operation: "Diffie-Hellman", reason: "no shared secret".to_owned() }),
            },
            other => Ok(Step::stay(other)),
        }
    }
}

impl State {
    pub(super) fn progress(&self) -> (Option<IkeSuite>, Option<Cookies>) {
        let choice = match self {
            Self::SentSa(_) => return (None, None),
            Self::Deriving(_, choice) => &choice.0,
            Self::SentKe(_, state) => &state.choice,
            Self::Agreeing(_, state) => &state.choice,
            Self::SentId(_, state) => &state.choice,
        };
        (Some(choice.chosen.suite), Some(choice.cookies))
    }
}

/// In clear, a message counts only from the address that message 1 went to.
fn from_peer(opening: &Opening, message: &Incoming<'_>) -> Result<(), Reject> {
    if message.path.remote == opening.path.remote {
        Ok(())
    } else {
        Err(Reject::WrongAddress { expected: opening.path.remote })
    }
}

fn receive_sa(opening: &Arc<Opening>, message: &Incoming<'_>, cx: &mut Cx<'_>) -> Result<Step<State>, Reject> {
    from_peer(opening, message)?;
    if message.header.responder.is_zero() {
        return Err(message.unexpected("main mode message 2"));
    }
    let chain = message.clear(msgs::SA_RULES)?;
    let raw = chain.one(PayloadType::SA).ok_or_else(|| message.unexpected("SA"))?;
    let reply = raw.decode(Sa::decode)?;
    let chosen = verify_main_mode_reply(&reply, &opening.sa)
        .map_err(|mismatch| Reject::Refused(Failure::ChoiceNotOffered(mismatch)))?;
    msgs::trace_vendors(&chain, cx);
    let revision = Revision::announced(&chain).filter(|_| cx.settings.nat_traversal);
    cx.trace.step(|| {
        EventKind::IkeSa(IkeSaEvent::ProposalAccepted {
            transform: chosen.transform,
            suite: chosen.suite,
            lifetime: chosen.lifetime,
        })
    });
    let private =
        PrivateKey::random(chosen.suite.group, cx.rng).map_err(|_| Reject::Local("making a private value"))?;
    let choice = Choice { cookies: message.header.cookies(), chosen, revision };
    let ask = Ask::KeyExchange(KeyExchange::Derive { private, peer: None });
    Ok(Step::ask(State::Deriving(Arc::clone(opening), Box::new(MakingPair(choice))), vec![ask]))
}

fn send_ke(opening: Arc<Opening>, choice: Choice, pair: Arc<KeyPair>, cx: &mut Cx<'_>) -> Result<Step<State>, Failure> {
    let mut nonce = vec![0; msgs::NONCE_LEN];
    cx.rng.fill(&mut nonce).map_err(|e| Failure::Crypto { operation: "making a nonce", reason: e.to_string() })?;
    let envelope = msgs::envelope("main mode message 3", opening.path, choice.cookies);
    let message = msgs::ke(&envelope, pair.public(), &nonce, &choice.chosen.suite, choice.revision);
    Ok(Step::send(State::SentKe(opening, Box::new(SentKe { choice, pair, nonce })), message))
}

fn receive_ke(
    opening: &Arc<Opening>,
    state: &SentKe,
    message: &Incoming<'_>,
    cx: &mut Cx<'_>,
) -> Result<Step<State>, Reject> {
    from_peer(opening, message)?;
    if message.header.cookies() != state.choice.cookies {
        return Err(message.unexpected("main mode message 4"));
    }
    let peer = PeerKe::read(message, &state.choice.chosen.suite, state.choice.revision, cx)?;
    // RFC 3947 §4: once a NAT is known to be there, the initiator changes to the other port. A successor begins there,
    // and the peer's port is then the one that its NAT gave it.
    let mut path = opening.path;
    if peer.nat.between() && path.local.port() != cx.settings.nat_t_port {
        path.local = SocketAddr::new(path.local.ip(), cx.settings.nat_t_port);
        path.remote = SocketAddr::new(path.remote.ip(), cx.settings.nat_t_port);
    }
    let ask = KeyExchange::Agree { pair: Arc::clone(&state.pair), peer: peer.public.clone() };
    let agreement = Agreement { pair: Arc::clone(&state.pair), nonce: state.nonce.clone(), peer, path };
    let next = Agreeing { choice: state.choice.clone(), agreement };
    Ok(Step::ask(State::Agreeing(Arc::clone(opening), Box::new(next)), vec![Ask::KeyExchange(ask)]))
}

fn send_id(
    opening: Arc<Opening>,
    state: Agreeing,
    shared: &Secret<Vec<u8>>,
    cx: &mut Cx<'_>,
) -> Result<Step<State>, Failure> {
    let Agreeing { choice, agreement } = state;
    let Agreement { pair, nonce, peer, path } = &agreement;
    let inputs = Inputs { cookies: &choice.cookies, ni: nonce, nr: &peer.nonce, g_xy: shared.expose() };
    let mut keys =
        Phase1Keys::derive(&choice.chosen.suite, opening.psk.expose(), &inputs, pair.public(), &peer.public)?;
    let id = msgs::own_id(&opening.rule, *path);
    let hash = keys.skeyid.hash_i(&HashInputs {
        g_xi: pair.public(),
        g_xr: &peer.public,
        cookies: &choice.cookies,
        sai_b: &opening.sa,
        id_b: &id,
    });
    let envelope = msgs::envelope("main mode message 5", *path, choice.cookies);
    // Both ends may have begun at once: then what the peer began may stand by now, and must not be forgotten.
    let initial_contact = opening.initial_contact && !cx.peers.knows(path.remote.ip());
    let (message, iv): (Outgoing, _) = msgs::id_hash(&envelope, &id, &hash, initial_contact, &keys)?;
    keys.iv = iv;
    Ok(Step::send(State::SentId(opening, Box::new(SentId { choice, agreement, keys })), message))
}

fn receive_id(
    opening: &Arc<Opening>,
    state: &SentId,
    message: &Incoming<'_>,
    cx: &mut Cx<'_>,
) -> Result<Step<State>, Reject> {
    let SentId { choice, agreement, keys } = state;
    if message.header.cookies() != choice.cookies {
        return Err(message.unexpected("main mode message 6"));
    }
    if message.path.remote != agreement.path.remote {
        return Err(Reject::WrongAddress { expected: agreement.path.remote });
    }
    let peer = PeerId::read(message, keys, cx)?;
    let computed = keys.skeyid.hash_r(&HashInputs {
        g_xi: agreement.pair.public(),
        g_xr: &agreement.peer.public,
        cookies: &choice.cookies,
        sai_b: &opening.sa,
        id_b: &peer.id_body,
    });
    let verified = psk::verify(&computed, &peer.hash, "HASH_R", peer.identity)?;
    let phase_2 = keys.phase_2(choice.cookies, choice.chosen.suite, peer.opened.next_iv);
    if let Err(failure) = psk::admit(&verified, &opening.rule) {
        // For the responder the ISAKMP SA stands: it must hear that it does not.
        let send = info::delete_ike(agreement.path, &phase_2, cx.rng).ok();
        return Ok(Step { send, ..Step::fail(failure) });
    }
    cx.trace.step(|| EventKind::IkeSa(IkeSaEvent::Authenticated { identity: verified.identity().clone() }));
    Ok(Step::done(
        Established {
            keys: Arc::new(phase_2),
            role: Role::Initiator,
            rule: Arc::clone(&opening.rule),
            lifetime: choice.chosen.lifetime,
            peer: verified,
            path: agreement.path,
            nat: agreement.peer.nat,
            revision: choice.revision.filter(|_| agreement.peer.nat.between()),
            initial_contact: peer.initial_contact,
        },
        None,
    ))
}
