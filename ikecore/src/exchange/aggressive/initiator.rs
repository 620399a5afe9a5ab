//! Aggressive mode, initiator.
use super::super::auth::{self, Claim, Credential, Judgement, PeerVerified, Proof, Proving, Requests, Unconfirmed};
use super::super::fresh;
use super::super::message::Incoming;
use super::super::mode::Phase1;
use super::super::phase1::{self, Choice, Closing, Contributions, Established, PeerKe, Phase1Keys, Settled};
use super::super::step::{Role as ExchangeRole, Step};
use super::super::vendor::Announced;
use super::super::work::{Answer, Ask, KeyExchange};
use super::super::{Cx, Path};
use super::msgs::{self, First};
use crate::crypto::group::KeyPair;
use crate::event::{Failure, Reject};
use crate::ids::{Cookie, Cookies};
use crate::policy::rule::Rule;
use crate::proposal::suite::IkeSuite;
use crate::secret::Secret;
use crate::wire::ExchangeType;
use std::sync::Arc;

/// What stays the same in all states.
pub struct Opening {
    path: Path,
    rule: Arc<Rule>,
    /// The rule with what aggressive mode can negotiate of it.
    usable: Arc<Rule>,
    cookie: Cookie,
    /// The body of the SA payload of message 1.
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
pub struct Replied {
    settled: Settled,
    pair: Arc<KeyPair>,
    peer: PeerKe,
    path: Path,
}

/// What message 2 says.
pub struct Agreeing {
    replied: Replied,
    peer_id: Vec<u8>,
    claim: Claim,
}

/// With the shared secret.
pub struct Agreed {
    replied: Replied,
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
    let nonce = fresh::nonce(cx.rng)?;
    let opening = Opening { path, rule: Arc::clone(rule), usable, cookie, sa, id, requests, nonce, initial_contact };
    let ask = fresh::key_pair(group, None, cx)?;
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
                let peer = agreed.replied.settled.choice.authentication.confirm(peer, answer)?;
                prove(opening, agreed, peer, cx)
            }
            Self::Proving(opening, agreed, state) => {
                let (peer, credential) = *state;
                let proof = agreed.replied.settled.choice.authentication.proven(&credential, answer)?;
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
            Self::Agreeing(_, state) => Some(&state.replied.settled),
            Self::Confirming(_, agreed, _) | Self::Proving(_, agreed, _) => Some(&agreed.replied.settled),
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
    let settled = Settled::accept(&opening.sa, &opening.usable, message, &chain, cx)?;
    let Choice { authentication, chosen } = &settled.choice;
    // What the method of the choice has besides.
    let chain = message.clear(&[msgs::FIRST_RULES, authentication.rules()].concat())?;
    let (identity, peer_id) = phase1::peer_identity(message, &chain)?;
    let claim = authentication.claim(identity, &chain)?;
    let peer = PeerKe::read(message, &chain, &chosen.suite, settled.revision, cx)?;
    settled.choice.trace(cx);
    // With message 3 it changes the port.
    let path = phase1::initiators_path(opening.path, peer.nat, cx);
    let ask = KeyExchange::Agree { pair: Arc::clone(pair), peer: peer.public.clone() };
    let state = Agreeing { replied: Replied { settled, pair: Arc::clone(pair), peer, path }, peer_id, claim };
    Ok(Step::ask(State::Agreeing(Arc::clone(opening), Box::new(state)), vec![Ask::KeyExchange(ask)]))
}

/// Now message 2 can be judged.
fn judge(
    opening: Arc<Opening>,
    state: Agreeing,
    shared: &Secret<Vec<u8>>,
    cx: &mut Cx<'_>,
) -> Result<Step<State>, Failure> {
    let Agreeing { replied, peer_id, claim } = state;
    let Replied { settled, pair, peer, path } = &replied;
    let keys = settled.keys(&Contributions { pair, nonce: &opening.nonce, peer }, shared)?;
    let computed = keys.skeyid.hash_r(&settled.hash_inputs(pair, peer, &peer_id));
    // A forged message ends this branch only; that the true one is no better shows when no other comes.
    let judgement = settled.choice.authentication.judge(claim, &computed, "HASH_R").map_err(|reject| match reject {
        Reject::Refused(failure) => failure,
        _ => {
            let (peer, rule) = (path.peer(), opening.rule.name.clone());
            Failure::PreSharedKeyMismatch { peer, detail: "its HASH_R is wrong", rule }
        }
    })?;
    let agreed = Box::new(Agreed { replied, keys });
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
    let Replied { settled, pair, peer: peer_ke, .. } = &agreed.replied;
    let authentication = &settled.choice.authentication;
    // Whichever certificate it is, it has the name of message 1.
    let credential = authentication.credential(&peer_ke.requests, opening.path.own().ip());
    let hash = agreed.keys.skeyid.hash_i(&settled.hash_inputs(pair, peer_ke, &opening.id));
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
    let Agreed { replied: Replied { settled, peer, path, .. }, keys } = agreed;
    let envelope = msgs::envelope("aggressive mode message 3", path, settled.cookies);
    let first_contact = opening.initial_contact && !cx.peers.knows(path.peer());
    let suite = &settled.choice.chosen.suite;
    let (message, last_block) = msgs::last(&envelope, proof, &keys, suite, settled.revision, first_contact)?;
    // The responder has nothing left to say.
    let closing = Closing { path, nat: peer.nat, initial_contact: false, last_block };
    Ok(settled.finish(&keys, &opening.rule, closing, verified, Some(message), cx))
}
