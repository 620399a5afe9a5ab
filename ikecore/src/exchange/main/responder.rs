//! Main mode, responder.
use super::super::auth::{methods::with_pre_shared_key, psk};
use super::super::message::Incoming;
use super::super::natt::{Nat, Revision};
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
use crate::proposal::select::{ChosenMainMode, select_main_mode};
use crate::proposal::suite::IkeSuite;
use crate::secret::Secret;
use crate::wire::{ExchangeType, PayloadType, Sa};
use std::sync::Arc;

/// What messages 1 and 2 settled.
pub struct Opening {
    path: Path,
    cookies: Cookies,
    rule: Arc<Rule>,
    psk: Arc<Secret<Vec<u8>>>,
    /// The body of the peer's SA payload: HASH_I and HASH_R cover all of it (RFC 2409 §5).
    sa: Vec<u8>,
    chosen: ChosenMainMode,
    revision: Option<Revision>,
}

/// The responder's states.
pub enum State {
    /// Message 2 is out.
    SentSa(Arc<Opening>),
    /// The key pair and the shared secret are being computed.
    Agreeing(Arc<Opening>, Box<Agreeing>),
    /// Message 4 is out.
    SentKe(Arc<Opening>, Box<SentKe>),
}

/// While the shared secret is computed.
pub struct Agreeing {
    peer: PeerKe,
    path: Path,
}

/// After message 4.
pub struct SentKe {
    pair: Arc<KeyPair>,
    peer: PeerKe,
    keys: Phase1Keys,
}

/// Judges message 1: the first rule for this peer that accepts one of its transforms decides.
pub fn begin(
    message: &Incoming<'_>,
    rules: &[Arc<Rule>],
    cookie: Cookie,
    cx: &mut Cx<'_>,
) -> Result<Step<State>, Reject> {
    let chain = message.clear(msgs::SA_RULES)?;
    let raw = chain.one(PayloadType::SA).ok_or_else(|| message.unexpected("SA"))?;
    let offered = raw.decode(Sa::decode)?;
    msgs::trace_vendors(&chain, cx);
    let mut mismatches = Vec::new();
    for rule in rules {
        let Some(psk) = psk::key_of(rule) else { continue };
        let policy = &rule.main_mode;
        trace_policy(rule, psk.expose().len(), cx);
        match select_main_mode(&offered, &policy.offers, &[with_pre_shared_key(rule, Role::Responder)], policy.lifetime)
        {
            Ok(chosen) => {
                return Ok(choose(message, rule, psk, raw.body, chosen, cookie, Revision::announced(&chain), cx));
            }
            Err(refused) => {
                for mismatch in &refused {
                    cx.trace.step(|| EventKind::IkeSa(IkeSaEvent::TransformRefused(mismatch.clone())));
                }
                mismatches.extend(refused.into_iter().filter(|new| !mismatches.contains(new)).collect::<Vec<_>>());
            }
        }
    }
    Err(Reject::Refused(if rules.is_empty() {
        Failure::NoPolicyForPeer { peer: message.path.remote.ip() }
    } else {
        Failure::NoProposalChosen { phase: "main mode", mismatches }
    }))
}

fn trace_policy(rule: &Arc<Rule>, key_len: usize, cx: &mut Cx<'_>) {
    cx.trace.step(|| EventKind::IkeSa(IkeSaEvent::policy_found(rule, key_len)));
}

#[expect(clippy::too_many_arguments, reason = "each is one thing that message 1 settles; they live on in Opening")]
fn choose(
    message: &Incoming<'_>,
    rule: &Arc<Rule>,
    psk: Arc<Secret<Vec<u8>>>,
    sa: &[u8],
    chosen: ChosenMainMode,
    cookie: Cookie,
    revision: Option<Revision>,
    cx: &mut Cx<'_>,
) -> Step<State> {
    cx.trace.step(|| {
        EventKind::IkeSa(IkeSaEvent::ProposalAccepted {
            transform: chosen.transform,
            suite: chosen.suite,
            lifetime: chosen.lifetime,
        })
    });
    let cookies = Cookies { initiator: message.header.initiator, responder: cookie };
    let revision = revision.filter(|_| cx.settings.nat_traversal);
    // RFC 3947 §3.1: the responder announces only what the initiator announced too.
    let mut vendor_ids = match revision {
        Some(Revision::Rfc) => Revision::VENDOR_IDS[..1].to_vec(),
        Some(Revision::Draft) => Revision::VENDOR_IDS[1..].to_vec(),
        None => Vec::new(),
    };
    vendor_ids.extend(vendor::of_remote_access(rule));
    let envelope = msgs::envelope("main mode message 2", message.path, cookies);
    let reply = msgs::sa(&envelope, &chosen.body, &vendor_ids);
    let opening =
        Opening { path: message.path, cookies, rule: Arc::clone(rule), psk, sa: sa.to_vec(), chosen, revision };
    Step::send(State::SentSa(Arc::new(opening)), reply)
}

impl ExchangeRole for State {
    type Outcome = Established;

    fn waits_for(&self) -> &'static str {
        match self {
            Self::SentSa(_) => "main mode message 3",
            Self::Agreeing(..) => "the shared secret",
            Self::SentKe(..) => "main mode message 5",
        }
    }

    fn receive(&self, message: &Incoming<'_>, cx: &mut Cx<'_>) -> Result<Step<Self>, Reject> {
        let (Self::SentSa(opening) | Self::Agreeing(opening, _) | Self::SentKe(opening, _)) = self;
        if message.header.exchange != ExchangeType::MAIN || message.header.cookies() != opening.cookies {
            return Err(message.unexpected(self.waits_for()));
        }
        match self {
            Self::SentSa(opening) => receive_ke(opening, message, cx),
            Self::Agreeing(..) => Err(message.unexpected(self.waits_for())),
            Self::SentKe(opening, state) => receive_id(opening, state, message, cx),
        }
    }

    fn answer(self, answer: Answer, cx: &mut Cx<'_>) -> Result<Step<Self>, Failure> {
        let answer = msgs::key_exchange(answer)?;
        match (self, answer.shared) {
            (Self::Agreeing(opening, state), Some(shared)) => send_ke(opening, *state, answer.pair, &shared, cx),
            (Self::Agreeing(..), None) => {
                Err(Failure::Crypto { operation: "Diffie-Hellman", reason: "no shared secret".to_owned() })
            }
            (other, _) => Ok(Step::stay(other)),
        }
    }
}

impl State {
    /// True until the peer has shown that messages reach it at its address.
    pub(super) const fn is_unproven(&self) -> bool {
        matches!(self, Self::SentSa(_))
    }

    pub(super) fn progress(&self) -> (Option<IkeSuite>, Option<Cookies>) {
        let (Self::SentSa(opening) | Self::Agreeing(opening, _) | Self::SentKe(opening, _)) = self;
        (Some(opening.chosen.suite), Some(opening.cookies))
    }
}

fn receive_ke(opening: &Arc<Opening>, message: &Incoming<'_>, cx: &mut Cx<'_>) -> Result<Step<State>, Reject> {
    // Message 4 goes where message 3 came from: another port would be as wrong as another address.
    if message.path.remote != opening.path.remote {
        return Err(Reject::WrongAddress { expected: opening.path.remote });
    }
    let suite = &opening.chosen.suite;
    let peer = PeerKe::read(message, suite, opening.revision, cx)?;
    let private = PrivateKey::random(suite.group, cx.rng).map_err(|_| Reject::Local("making a private value"))?;
    let ask = Ask::KeyExchange(KeyExchange::Derive { private, peer: Some(peer.public.clone()) });
    let next = Agreeing { peer, path: message.path };
    Ok(Step::ask(State::Agreeing(Arc::clone(opening), Box::new(next)), vec![ask]))
}

fn send_ke(
    opening: Arc<Opening>,
    state: Agreeing,
    pair: Arc<KeyPair>,
    shared: &Secret<Vec<u8>>,
    cx: &mut Cx<'_>,
) -> Result<Step<State>, Failure> {
    let Agreeing { peer, path } = state;
    let mut nonce = vec![0; msgs::NONCE_LEN];
    cx.rng.fill(&mut nonce).map_err(|e| Failure::Crypto { operation: "making a nonce", reason: e.to_string() })?;
    let suite = &opening.chosen.suite;
    let inputs = Inputs { cookies: &opening.cookies, ni: &peer.nonce, nr: &nonce, g_xy: shared.expose() };
    let keys = Phase1Keys::derive(suite, opening.psk.expose(), &inputs, &peer.public, pair.public())?;
    let envelope = msgs::envelope("main mode message 4", path, opening.cookies);
    let message = msgs::ke(&envelope, pair.public(), &nonce, suite, opening.revision);
    Ok(Step::send(State::SentKe(opening, Box::new(SentKe { pair, peer, keys })), message))
}

/// Whether a NAT is between the two, as the initiator sees it too. No hash covers NAT-D payloads: if somebody changed them
/// on the way the two ends see different things. But an initiator that sees a NAT changes to the other port with message
/// 5 (RFC 3947 §4), and one that sees none does not.
fn nat_in_force(opening: &Opening, seen: Nat, message: &Incoming<'_>, cx: &Cx<'_>) -> Result<Nat, Reject> {
    let (remote, expected) = (message.path.remote, opening.path.remote);
    let on_nat_t_port = |port| port == cx.settings.nat_t_port && opening.revision.is_some();
    let began_there = on_nat_t_port(opening.path.local.port());
    let changed_port = !began_there && on_nat_t_port(message.path.local.port());
    if remote.ip() != expected.ip() || (remote.port() != expected.port() && !changed_port) {
        return Err(Reject::WrongAddress { expected });
    }
    Ok(match (changed_port, seen.between()) {
        (true, true) => seen,
        (true, false) => Nat { local: false, remote: true },
        (false, _) if began_there => seen,
        (false, _) => Nat::default(),
    })
}

fn receive_id(
    opening: &Arc<Opening>,
    state: &SentKe,
    message: &Incoming<'_>,
    cx: &mut Cx<'_>,
) -> Result<Step<State>, Reject> {
    let SentKe { pair, peer: peer_ke, keys } = state;
    let nat = nat_in_force(opening, peer_ke.nat, message, cx)?;
    let peer = PeerId::read(message, keys, cx)?;
    let inputs = |id_b| HashInputs {
        g_xi: &peer_ke.public,
        g_xr: pair.public(),
        cookies: &opening.cookies,
        sai_b: &opening.sa,
        id_b,
    };
    let verified = psk::verify(&keys.skeyid.hash_i(&inputs(&peer.id_body)), &peer.hash, "HASH_I", peer.identity)?;
    if let Err(failure) = psk::admit(&verified, &opening.rule) {
        return Ok(Step::fail(failure));
    }
    cx.trace.step(|| EventKind::IkeSa(IkeSaEvent::Authenticated { identity: verified.identity().clone() }));
    let id = msgs::own_id(&opening.rule, message.path);
    let hash = keys.skeyid.hash_r(&inputs(&id));
    let envelope = msgs::envelope("main mode message 6", message.path, opening.cookies);
    let reply_keys = keys.with_iv(peer.opened.next_iv);
    let sealed = msgs::id_hash(&envelope, &id, &hash, false, &reply_keys);
    let Ok((reply, last_block)) = sealed else { return Err(Reject::Local("encryption of main mode message 6")) };
    let established = Established {
        keys: Arc::new(keys.phase_2(opening.cookies, opening.chosen.suite, last_block)),
        role: Role::Responder,
        rule: Arc::clone(&opening.rule),
        lifetime: opening.chosen.lifetime,
        peer: verified,
        // The addresses of a message that has been authenticated: after a port change those of NAT traversal.
        path: message.path,
        nat,
        revision: opening.revision.filter(|_| nat.between()),
        initial_contact: peer.initial_contact,
    };
    Ok(Step::done(established, Some(reply)))
}
