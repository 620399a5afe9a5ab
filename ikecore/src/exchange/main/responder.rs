//! Main mode, responder.
use super::super::auth::{Authentication, Credential, Judgement, PeerVerified, Proof, Proving, Unconfirmed};
use super::super::message::Incoming;
use super::super::mode::Phase1;
use super::super::natt::{Nat, Revision};
use super::super::phase1::{self, Choice, Established, PeerKe, Phase1Keys};
use super::super::step::{Role as ExchangeRole, Step};
use super::super::vendor::Announced;
use super::super::work::{Answer, Ask, KeyExchange};
use super::super::{Cx, Path};
use super::msgs::{self, PeerId};
use crate::address::HostAddress;
use crate::crypto::group::{KeyPair, PrivateKey};
use crate::crypto::skeyid::{HashInputs, Inputs};
use crate::event::negotiation::Role;
use crate::event::{Failure, Reject};
use crate::ids::{Cookie, Cookies};
use crate::policy::rule::Rule;
use crate::proposal::suite::IkeSuite;
use crate::secret::Secret;
use crate::wire::{ExchangeType, PayloadType, Sa};
use std::sync::Arc;

/// What messages 1 and 2 settled.
pub struct Opening {
    path: Path,
    cookies: Cookies,
    /// The body of the peer's SA payload: HASH_I and HASH_R cover all of it (RFC 2409 §5).
    sa: Vec<u8>,
    choice: Choice,
    revision: Option<Revision>,
    announced: Announced,
}

/// The responder's states.
pub enum State {
    /// Message 2 is out.
    SentSa(Arc<Opening>),
    /// The key pair and the shared secret are being computed.
    Agreeing(Arc<Opening>, Box<Agreeing>),
    /// Message 4 is out.
    SentKe(Arc<Opening>, Arc<SentKe>),
    /// The peer's proof is being checked.
    Confirming(Arc<Opening>, Box<Confirming>),
    /// This host's proof is being made.
    Proving(Arc<Opening>, Box<Authenticated>),
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

/// What message 5 settled, but for who the peer is.
pub struct Closing {
    sent: Arc<SentKe>,
    /// The addresses of message 5: after a port change those of NAT traversal.
    path: Path,
    nat: Nat,
    initial_contact: bool,
    /// The authorities whose certificates the peer asks for.
    requests: Vec<Vec<u8>>,
    /// With the IV of message 6.
    keys: Phase1Keys,
}

/// After message 5.
pub struct Confirming {
    closing: Closing,
    peer: Unconfirmed,
}

/// With the peer authenticated.
pub struct Authenticated {
    /// By the rule that is meant for the peer.
    authentication: Authentication,
    closing: Closing,
    peer: PeerVerified,
    credential: Credential,
}

/// Judges message 1.
pub fn begin(
    message: &Incoming<'_>,
    rules: &[Arc<Rule>],
    cookie: Cookie,
    cx: &mut Cx<'_>,
) -> Result<Step<State>, Reject> {
    let chain = message.clear(msgs::SA_RULES)?;
    let raw = chain.one(PayloadType::SA).ok_or_else(|| message.unexpected("SA"))?;
    let offered = raw.decode(Sa::decode)?;
    phase1::trace_vendors(&chain, cx);
    let choice = phase1::choose(&offered, rules, message.path.peer(), cx).map_err(Reject::Refused)?;
    let cookies = Cookies { initiator: message.header.initiator, responder: cookie };
    let revision = Revision::announced(&chain).filter(|_| cx.settings.nat_traversal);
    let envelope = msgs::envelope("main mode message 2", message.path, cookies);
    let vendor_ids = phase1::announced(Some(revision), choice.authentication.rule(), message.path.peer(), cx);
    let reply = msgs::sa(&envelope, &choice.chosen.body, &vendor_ids);
    let announced = Announced::read(&chain);
    let opening = Opening { path: message.path, cookies, sa: raw.body.to_vec(), choice, revision, announced };
    Ok(Step::send(State::SentSa(Arc::new(opening)), reply))
}

impl ExchangeRole for State {
    type Outcome = Established;

    fn waits_for(&self) -> &'static str {
        match self {
            Self::SentSa(_) => "main mode message 3",
            Self::Agreeing(..) => "the shared secret",
            Self::SentKe(..) => "main mode message 5",
            Self::Confirming(..) => "the check of the peer's certificate",
            Self::Proving(..) => "its signature",
        }
    }

    fn receive(&self, message: &Incoming<'_>, cx: &mut Cx<'_>) -> Result<Step<Self>, Reject> {
        if message.header.exchange != ExchangeType::MAIN || message.header.cookies() != self.opening().cookies {
            return Err(message.unexpected(self.waits_for()));
        }
        match self {
            Self::SentSa(opening) => receive_ke(opening, message, cx),
            Self::SentKe(opening, state) => receive_id(opening, state, message, cx),
            Self::Agreeing(..) | Self::Confirming(..) | Self::Proving(..) => Err(message.unexpected(self.waits_for())),
        }
    }

    fn answer(self, answer: Answer, cx: &mut Cx<'_>) -> Result<Step<Self>, Failure> {
        match self {
            Self::Agreeing(opening, state) => {
                let (pair, shared) = phase1::shared_secret(answer)?;
                send_ke(opening, *state, pair, &shared, cx)
            }
            Self::Confirming(opening, state) => {
                let Confirming { closing, peer } = *state;
                let peer = opening.choice.authentication.confirm(peer, answer)?;
                prove(&opening, closing, peer, cx)
            }
            Self::Proving(opening, state) => {
                let proof = state.authentication.proven(&state.credential, answer)?;
                finish(&opening, *state, &proof)
            }
            other @ (Self::SentSa(_) | Self::SentKe(..)) => Ok(Step::stay(other)),
        }
    }
}

impl State {
    const fn opening(&self) -> &Arc<Opening> {
        let (Self::SentSa(opening)
        | Self::Agreeing(opening, _)
        | Self::SentKe(opening, _)
        | Self::Confirming(opening, _)
        | Self::Proving(opening, _)) = self;
        opening
    }
}

impl Phase1 for State {
    fn is_unproven(&self) -> bool {
        matches!(self, Self::SentSa(_))
    }

    fn keys(&self) -> Option<&Phase1Keys> {
        match self {
            Self::SentSa(_) | Self::Agreeing(..) => None,
            Self::SentKe(_, state) => Some(&state.keys),
            Self::Confirming(_, state) => Some(&state.closing.keys),
            Self::Proving(_, state) => Some(&state.closing.keys),
        }
    }

    fn announced(&self) -> Announced {
        self.opening().announced
    }

    fn progress(&self) -> (Option<IkeSuite>, Option<Cookies>) {
        let opening = self.opening();
        (Some(opening.choice.chosen.suite), Some(opening.cookies))
    }
}

fn receive_ke(opening: &Arc<Opening>, message: &Incoming<'_>, cx: &mut Cx<'_>) -> Result<Step<State>, Reject> {
    // Message 4 goes where message 3 came from: another port would be as wrong as another address.
    if message.path.remote != opening.path.remote {
        return Err(Reject::WrongAddress { expected: opening.path.remote });
    }
    let suite = &opening.choice.chosen.suite;
    let peer = msgs::read_ke(message, suite, opening.revision, cx)?;
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
    let Choice { authentication, chosen } = &opening.choice;
    let nonce = phase1::nonce(cx.rng)?;
    let inputs = Inputs { cookies: &opening.cookies, ni: &peer.nonce, nr: &nonce, g_xy: shared.expose() };
    let skeyid = authentication.skeyid(chosen.suite.hash, &inputs);
    let keys = Phase1Keys::derive(&chosen.suite, skeyid, &peer.public, pair.public())?;
    let envelope = msgs::envelope("main mode message 4", path, opening.cookies);
    let message = msgs::ke(&envelope, pair.public(), &nonce, &chosen.suite, opening.revision, Some(authentication));
    Ok(Step::send(State::SentKe(opening, Arc::new(SentKe { pair, peer, keys })), message))
}

/// Whether a NAT is between the two, as the initiator sees it too. No hash covers NAT-D payloads: if somebody changed them
/// on the way the two ends see different things. But an initiator that sees a NAT changes to the other port with message
/// 5 (RFC 3947 §4), and one that sees none does not.
fn nat_in_force(opening: &Opening, seen: Nat, message: &Incoming<'_>, cx: &Cx<'_>) -> Result<Nat, Reject> {
    let (remote, expected) = (message.path.remote, opening.path.remote);
    let on_nat_t_port = |port| port == cx.settings.nat_t_port && opening.revision.is_some();
    let began_there = on_nat_t_port(opening.path.local.port());
    let changed_port = !began_there && on_nat_t_port(message.path.local.port());
    if HostAddress::from(remote) != HostAddress::from(expected) || (remote.port() != expected.port() && !changed_port) {
        return Err(Reject::WrongAddress { expected });
    }
    Ok(match (changed_port, seen.between()) {
        (true, true) => seen,
        (true, false) => Nat { local: false, remote: true },
        (false, _) if began_there => seen,
        (false, _) => Nat::default(),
    })
}

/// What HASH_I covers with the peer's ID, and HASH_R with this host's.
fn hash_inputs<'a>(opening: &'a Opening, sent: &'a SentKe, id_b: &'a [u8]) -> HashInputs<'a> {
    let SentKe { pair, peer, .. } = sent;
    HashInputs { g_xi: &peer.public, g_xr: pair.public(), cookies: &opening.cookies, sai_b: &opening.sa, id_b }
}

fn receive_id(
    opening: &Arc<Opening>,
    sent: &Arc<SentKe>,
    message: &Incoming<'_>,
    cx: &mut Cx<'_>,
) -> Result<Step<State>, Reject> {
    let nat = nat_in_force(opening, sent.peer.nat, message, cx)?;
    let authentication = &opening.choice.authentication;
    let peer = PeerId::read(message, &sent.keys, authentication, cx)?;
    let PeerId { id_body, claim, initial_contact, requests: more, next_iv } = peer;
    let computed = sent.keys.skeyid.hash_i(&hash_inputs(opening, sent, &id_body));
    let keys = sent.keys.with_iv(next_iv);
    let requests = [sent.peer.requests.as_slice(), more.as_slice()].concat();
    let closing = Closing { sent: Arc::clone(sent), path: message.path, nat, initial_contact, requests, keys };
    match authentication.judge(claim, &computed, "HASH_I")? {
        Judgement::Verified(peer) => {
            prove(opening, closing, peer, cx).map_err(|_| Reject::Local("making main mode message 6"))
        }
        Judgement::Ask(peer, ask) => {
            let next = State::Confirming(Arc::clone(opening), Box::new(Confirming { closing, peer }));
            Ok(Step::ask(next, vec![ask]))
        }
    }
}

fn prove(
    opening: &Arc<Opening>,
    closing: Closing,
    peer: PeerVerified,
    cx: &mut Cx<'_>,
) -> Result<Step<State>, Failure> {
    let Choice { authentication, chosen } = &opening.choice;
    let meant = authentication.of_identity(&chosen.suite, &peer, closing.path, closing.nat.remote, cx);
    let authentication = match meant {
        Ok(authentication) => authentication,
        Err(failure) => return Ok(Step::fail(failure)),
    };
    let credential = authentication.credential(&closing.requests, closing.path.own().ip());
    let hash = closing.keys.skeyid.hash_r(&hash_inputs(opening, &closing.sent, credential.id()));
    let proving = authentication.prove(&credential, &hash);
    let state = Authenticated { authentication, closing, peer, credential };
    match proving {
        Proving::Ready(proof) => finish(opening, state, &proof),
        Proving::Ask(ask) => Ok(Step::ask(State::Proving(Arc::clone(opening), Box::new(state)), vec![ask])),
    }
}

fn finish(opening: &Opening, state: Authenticated, proof: &Proof) -> Result<Step<State>, Failure> {
    let Authenticated { authentication, closing, peer, credential } = state;
    let Closing { path, nat, initial_contact, keys, .. } = closing;
    let chosen = &opening.choice.chosen;
    let envelope = msgs::envelope("main mode message 6", path, opening.cookies);
    let (reply, last_block) = msgs::id(&envelope, credential.id(), proof, None, false, &keys)?;
    let established = Established {
        keys: Arc::new(keys.phase_2(opening.cookies, chosen.suite, last_block)),
        role: Role::Responder,
        rule: Arc::clone(authentication.rule()),
        lifetime: chosen.lifetime,
        peer,
        // The addresses of a message that has been authenticated.
        path,
        nat,
        revision: opening.revision.filter(|_| nat.between()),
        initial_contact,
        announced: opening.announced,
    };
    Ok(Step::done(established, Some(reply)))
}
