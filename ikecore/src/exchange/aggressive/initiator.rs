//! Aggressive mode, initiator.
use super::super::auth::{self, Claim, Credential, Judgement, PeerVerified, Proof, Proving, Requests, Unconfirmed};
use super::super::message::Incoming;
use super::super::mode::Phase1;
use super::super::natt::Revision;
use super::super::phase1::{self, Choice, Established, PeerKe, Phase1Keys};
use super::super::step::{Role as ExchangeRole, Step};
use super::super::vendor::Announced;
use super::super::work::{Answer, Ask, KeyExchange};
use super::super::{Cx, Path, info};
use super::msgs::{self, First};
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

/// What stays the same in all states.
pub struct Opening {
    path: Path,
    rule: Arc<Rule>,
    /// The rule with what aggressive mode can negotiate of it.
    usable: Arc<Rule>,
    cookie: Cookie,
    /// The body of the SA payload of message 1: HASH_I and HASH_R cover all of it (RFC 2409 §5).
    sa: Vec<u8>,
    /// The body of this host's ID payload.
    id: Vec<u8>,
    requests: Requests,
    nonce: Vec<u8>,
    initial_contact: bool,
}

/// The initiator's states.
pub enum State {
    /// This host's key pair is being made.
    Deriving(Arc<Opening>),
    /// Message 1 is out.
    SentFirst(Arc<Opening>, Arc<KeyPair>),
    /// The shared secret is being computed; until then nothing of message 2 is verified.
    Agreeing(Arc<Opening>, Box<Agreeing>),
    /// The peer's proof is being checked.
    Confirming(Arc<Opening>, Box<Agreed>, Unconfirmed),
    /// This host's proof is being made.
    Proving(Arc<Opening>, Box<Agreed>, Box<(PeerVerified, Credential)>),
}

/// What message 2 settled, but for who the peer is.
pub struct Settled {
    pair: Arc<KeyPair>,
    cookies: Cookies,
    choice: Choice,
    peer: PeerKe,
    path: Path,
    revision: Option<Revision>,
    announced: Announced,
}

/// What message 2 says.
pub struct Agreeing {
    settled: Settled,
    peer_id: Vec<u8>,
    claim: Claim,
}

/// With the shared secret.
pub struct Agreed {
    settled: Settled,
    keys: Phase1Keys,
}

/// Begins: a key pair must be made before message 1.
pub fn begin(
    rule: &Arc<Rule>,
    path: Path,
    cookie: Cookie,
    initial_contact: bool,
    cx: &mut Cx<'_>,
) -> Result<Step<State>, Failure> {
    let peer = path.peer();
    let usable = super::usable(rule).ok_or(Failure::NoPolicyForPeer { peer })?;
    let auth::Announcement { rule: usable, id, requests } =
        auth::announce(&usable, path.own().ip()).ok_or(Failure::NoPolicyForPeer { peer })?;
    let group = usable.main_mode.offers.first().ok_or(Failure::NoPolicyForPeer { peer })?.group;
    let sa = phase1::offer(&usable, peer)?;
    let nonce = phase1::nonce(cx.rng)?;
    let private = PrivateKey::random(group, cx.rng)
        .map_err(|error| Failure::Crypto { operation: "making a private value", reason: error.to_string() })?;
    let opening = Opening { path, rule: Arc::clone(rule), usable, cookie, sa, id, requests, nonce, initial_contact };
    let ask = Ask::KeyExchange(KeyExchange::Derive { private, peer: None });
    Ok(Step::ask(State::Deriving(Arc::new(opening)), vec![ask]))
}

impl ExchangeRole for State {
    type Outcome = Established;

    fn waits_for(&self) -> &'static str {
        match self {
            Self::Deriving(_) => "its key pair",
            Self::SentFirst(..) => "aggressive mode message 2",
            Self::Agreeing(..) => "the shared secret",
            Self::Confirming(..) => "the check of the peer's certificate",
            Self::Proving(..) => "its signature",
        }
    }

    fn receive(&self, message: &Incoming<'_>, cx: &mut Cx<'_>) -> Result<Step<Self>, Reject> {
        match self {
            Self::SentFirst(opening, pair) if message.header.exchange == ExchangeType::AGGRESSIVE => {
                receive_reply(opening, pair, message, cx)
            }
            _ => Err(message.unexpected(self.waits_for())),
        }
    }

    fn answer(self, answer: Answer, cx: &mut Cx<'_>) -> Result<Step<Self>, Failure> {
        match self {
            Self::Deriving(opening) => Ok(send_first(opening, phase1::key_exchange(answer)?.pair, cx)),
            Self::Agreeing(opening, state) => {
                let (_, shared) = phase1::shared_secret(answer)?;
                judge(opening, *state, &shared, cx)
            }
            Self::Confirming(opening, agreed, peer) => {
                let peer = agreed.settled.choice.authentication.confirm(peer, answer)?;
                prove(opening, agreed, peer, cx)
            }
            Self::Proving(opening, agreed, state) => {
                let (peer, credential) = *state;
                let proof = agreed.settled.choice.authentication.proven(&credential, answer)?;
                finish(&opening, *agreed, peer, &proof, cx)
            }
            other @ Self::SentFirst(..) => Ok(Step::stay(other)),
        }
    }
}

impl State {
    /// What message 2 settled.
    const fn settled(&self) -> Option<&Settled> {
        match self {
            Self::Agreeing(_, state) => Some(&state.settled),
            Self::Confirming(_, agreed, _) | Self::Proving(_, agreed, _) => Some(&agreed.settled),
            Self::Deriving(_) | Self::SentFirst(..) => None,
        }
    }
}

impl Phase1 for State {
    fn keys(&self) -> Option<&Phase1Keys> {
        match self {
            Self::Confirming(_, agreed, _) | Self::Proving(_, agreed, _) => Some(&agreed.keys),
            Self::Deriving(_) | Self::SentFirst(..) | Self::Agreeing(..) => None,
        }
    }

    fn announced(&self) -> Announced {
        self.settled().map(|settled| settled.announced).unwrap_or_default()
    }

    fn progress(&self) -> (Option<IkeSuite>, Option<Cookies>) {
        self.settled().map(|settled| (settled.choice.chosen.suite, settled.cookies)).unzip()
    }
}

fn send_first(opening: Arc<Opening>, pair: Arc<KeyPair>, cx: &Cx<'_>) -> Step<State> {
    let cookies = Cookies { initiator: opening.cookie, responder: Cookie::ZERO };
    let vendor_ids = phase1::announced(None, &opening.rule, opening.path.peer(), cx);
    let first = First {
        sa: &opening.sa,
        public: pair.public(),
        nonce: &opening.nonce,
        id: &opening.id,
        vendor_ids: &vendor_ids,
    };
    let message = first.offer(&msgs::envelope("aggressive mode message 1", opening.path, cookies), &opening.requests);
    Step::send(State::SentFirst(opening, pair), message)
}

fn receive_reply(
    opening: &Arc<Opening>,
    pair: &Arc<KeyPair>,
    message: &Incoming<'_>,
    cx: &mut Cx<'_>,
) -> Result<Step<State>, Reject> {
    if message.path.remote != opening.path.remote {
        return Err(Reject::WrongAddress { expected: opening.path.remote });
    }
    if message.header.responder.is_zero() {
        return Err(message.unexpected("aggressive mode message 2"));
    }
    let chain = message.clear(msgs::FIRST_RULES)?;
    let raw = chain.one(PayloadType::SA).ok_or_else(|| message.unexpected("SA"))?;
    let choice = phase1::accept_reply(&raw.decode(Sa::decode)?, &opening.sa, &opening.usable)?;
    // What the method of the choice has besides.
    let chain = message.clear(&[msgs::FIRST_RULES, choice.authentication.rules()].concat())?;
    let (identity, peer_id) = phase1::peer_identity(message, &chain)?;
    let claim = choice.authentication.claim(identity, &chain)?;
    let revision = Revision::announced(&chain).filter(|_| cx.settings.nat_traversal);
    let peer = PeerKe::read(message, &chain, &choice.chosen.suite, revision, cx)?;
    choice.trace(cx);
    // RFC 3947 §4: once a NAT is known to be there, the initiator changes to the other port, with message 3.
    let mut path = opening.path;
    if peer.nat.between() && path.local.port() != cx.settings.nat_t_port {
        path = path.to_nat_t(cx.settings.nat_t_port);
    }
    let ask = KeyExchange::Agree { pair: Arc::clone(pair), peer: peer.public.clone() };
    let settled = Settled {
        pair: Arc::clone(pair),
        cookies: message.header.cookies(),
        choice,
        peer,
        path,
        revision,
        announced: Announced::read(&chain),
    };
    let state = Agreeing { settled, peer_id, claim };
    Ok(Step::ask(State::Agreeing(Arc::clone(opening), Box::new(state)), vec![Ask::KeyExchange(ask)]))
}

/// What HASH_I covers with this host's ID, and HASH_R with the peer's.
fn hash_inputs<'a>(opening: &'a Opening, settled: &'a Settled, id_b: &'a [u8]) -> HashInputs<'a> {
    let Settled { pair, peer, cookies, .. } = settled;
    HashInputs { g_xi: pair.public(), g_xr: &peer.public, cookies, sai_b: &opening.sa, id_b }
}

/// Now message 2 can be judged.
fn judge(
    opening: Arc<Opening>,
    state: Agreeing,
    shared: &Secret<Vec<u8>>,
    cx: &mut Cx<'_>,
) -> Result<Step<State>, Failure> {
    let Agreeing { settled, peer_id, claim } = state;
    let Choice { authentication, chosen } = &settled.choice;
    let inputs =
        Inputs { cookies: &settled.cookies, ni: &opening.nonce, nr: &settled.peer.nonce, g_xy: shared.expose() };
    let skeyid = authentication.skeyid(chosen.suite.hash, &inputs);
    let keys = Phase1Keys::derive(&chosen.suite, skeyid, settled.pair.public(), &settled.peer.public)?;
    let computed = keys.skeyid.hash_r(&hash_inputs(&opening, &settled, &peer_id));
    // A forged message ends this branch only; that the true one is no better shows when no other comes.
    let judgement = authentication.judge(claim, &computed, "HASH_R").map_err(|reject| match reject {
        Reject::Refused(failure) => failure,
        _ => {
            let (peer, rule) = (settled.path.peer(), opening.rule.name.clone());
            Failure::PreSharedKeyMismatch { peer, detail: "its HASH_R is wrong", rule }
        }
    })?;
    let agreed = Box::new(Agreed { settled, keys });
    match judgement {
        Judgement::Verified(peer) => prove(opening, agreed, peer, cx),
        Judgement::Ask(peer, ask) => Ok(Step::ask(State::Confirming(opening, agreed, peer), vec![ask])),
    }
}

fn prove(
    opening: Arc<Opening>,
    agreed: Box<Agreed>,
    peer: PeerVerified,
    cx: &mut Cx<'_>,
) -> Result<Step<State>, Failure> {
    let settled = &agreed.settled;
    let authentication = &settled.choice.authentication;
    // Whichever certificate it is, it has the name of message 1.
    let credential = authentication.credential(&settled.peer.requests, opening.path.own().ip());
    let hash = agreed.keys.skeyid.hash_i(&hash_inputs(&opening, settled, &opening.id));
    match authentication.prove(&credential, &hash) {
        Proving::Ready(proof) => finish(&opening, *agreed, peer, &proof, cx),
        Proving::Ask(ask) => Ok(Step::ask(State::Proving(opening, agreed, Box::new((peer, credential))), vec![ask])),
    }
}

/// Message 3, after which this host has the ISAKMP SA.
fn finish(
    opening: &Opening,
    agreed: Agreed,
    verified: PeerVerified,
    proof: &Proof,
    cx: &mut Cx<'_>,
) -> Result<Step<State>, Failure> {
    let Agreed { settled: Settled { cookies, choice, peer, path, revision, announced, .. }, keys } = agreed;
    let Choice { authentication, chosen } = &choice;
    let envelope = msgs::envelope("aggressive mode message 3", path, cookies);
    let initial_contact = opening.initial_contact && !cx.peers.knows(path.peer());
    let (message, last_block) = msgs::last(&envelope, proof, &keys, &chosen.suite, revision, initial_contact)?;
    let phase_2 = keys.phase_2(cookies, chosen.suite, last_block);
    if let Err(failure) = authentication.admit(&verified, path.peer().ip(), peer.nat.remote, cx) {
        let send = info::delete_ike(path, &phase_2, cx.rng).ok();
        return Ok(Step { send, ..Step::fail(failure) });
    }
    let established = Established {
        keys: Arc::new(phase_2),
        role: Role::Initiator,
        rule: Arc::clone(&opening.rule),
        lifetime: chosen.lifetime,
        peer: verified,
        path,
        nat: peer.nat,
        revision: revision.filter(|_| peer.nat.between()),
        initial_contact: false,
        announced,
    };
    Ok(Step::done(established, Some(message)))
}
