//! Main mode, responder.
use super::super::auth::{Authentication, Credential, Judgement, PeerVerified, Proof, Proving, Unconfirmed};
use super::super::fresh;
use super::super::message::Incoming;
use super::super::mode::Phase1;
use super::super::natt::Nat;
use super::super::phase1::{
    self, Choice, Closing, Contributions, Established, PeerKe, Phase1Keys, Ports, SaPayload, Settled,
};
use super::super::step::{Role as ExchangeRole, Step};
use super::super::vendor::Announced;
use super::super::work::Answer;
use super::super::{Cx, Path};
use super::msgs::{self, PeerId};
use crate::crypto::group::KeyPair;
use crate::event::{Failure, Reject};
use crate::ids::{Cookie, Cookies};
use crate::policy::rule::Rule;
use crate::proposal::suite::IkeSuite;
use crate::secret::Secret;
use crate::wire::ExchangeType;
use std::sync::Arc;

/// What messages 1 and 2 settled.
pub struct Opening {
    path: Path,
    settled: Settled,
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

/// What message 5 says, but for who the peer is.
pub struct Last {
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
    last: Last,
    peer: Unconfirmed,
}

/// With the peer authenticated.
pub struct Authenticated {
    /// By the rule that is meant for the peer.
    authentication: Authentication,
    last: Last,
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
    let offered = SaPayload::read(message, &chain)?;
    let settled = Settled::choose(&offered, rules, cookie, message, &chain, cx)?;
    let Choice { authentication, chosen } = &settled.choice;
    let envelope = msgs::envelope("main mode message 2", message.path, settled.cookies);
    let vendor_ids = phase1::announced(Some(settled.revision), authentication.rule(), message.path.peer(), cx);
    let reply = msgs::sa(&envelope, &chosen.body, &vendor_ids);
    let opening = Opening { path: message.path, settled };
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
        if message.header.exchange != ExchangeType::MAIN || message.header.cookies() != self.opening().settled.cookies {
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
                let Confirming { last, peer } = *state;
                let peer = opening.settled.choice.authentication.confirm(peer, answer)?;
                prove(&opening, last, peer, cx)
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
            Self::Confirming(_, state) => Some(&state.last.keys),
            Self::Proving(_, state) => Some(&state.last.keys),
        }
    }

    fn announced(&self) -> Announced {
        self.opening().settled.announced
    }

    fn progress(&self) -> (Option<IkeSuite>, Option<Cookies>) {
        let settled = &self.opening().settled;
        (Some(settled.choice.chosen.suite), Some(settled.cookies))
    }
}

fn receive_ke(opening: &Arc<Opening>, message: &Incoming<'_>, cx: &mut Cx<'_>) -> Result<Step<State>, Reject> {
    // Message 4 goes where message 3 came from: another port would be as wrong as another address.
    if message.path.remote != opening.path.remote {
        return Err(Reject::WrongAddress { expected: opening.path.remote });
    }
    let suite = &opening.settled.choice.chosen.suite;
    let peer = msgs::read_ke(message, suite, opening.settled.revision, cx)?;
    let ask =
        fresh::key_pair(suite.group, Some(&peer.public), cx).map_err(|_| Reject::Local("making a private value"))?;
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
    let settled = &opening.settled;
    let Choice { authentication, chosen } = &settled.choice;
    let nonce = fresh::nonce(cx.rng)?;
    let keys = settled.keys(&Contributions { pair: &pair, nonce: &nonce, peer: &peer }, shared)?;
    let envelope = msgs::envelope("main mode message 4", path, settled.cookies);
    let message = msgs::ke(&envelope, pair.public(), &nonce, &chosen.suite, settled.revision, Some(authentication));
    Ok(Step::send(State::SentKe(opening, Arc::new(SentKe { pair, peer, keys })), message))
}

fn receive_id(
    opening: &Arc<Opening>,
    sent: &Arc<SentKe>,
    message: &Incoming<'_>,
    cx: &mut Cx<'_>,
) -> Result<Step<State>, Reject> {
    let settled = &opening.settled;
    let nat = Ports::seen(settled, opening.path, message, cx)?.nat(sent.peer.nat);
    let authentication = &settled.choice.authentication;
    let peer = PeerId::read(message, &sent.keys, authentication, cx)?;
    let PeerId { id_body, claim, initial_contact, requests: more, next_iv } = peer;
    let computed = sent.keys.skeyid.hash_i(&settled.hash_inputs(&sent.pair, &sent.peer, &id_body));
    let keys = sent.keys.with_iv(next_iv);
    let requests = [sent.peer.requests.as_slice(), more.as_slice()].concat();
    let last = Last { sent: Arc::clone(sent), path: message.path, nat, initial_contact, requests, keys };
    match authentication.judge(claim, &computed, "HASH_I")? {
        Judgement::Verified(peer) => {
            prove(opening, last, peer, cx).map_err(|_| Reject::Local("making main mode message 6"))
        }
        Judgement::Ask(peer, ask) => {
            let next = State::Confirming(Arc::clone(opening), Box::new(Confirming { last, peer }));
            Ok(Step::ask(next, vec![ask]))
        }
    }
}

fn prove(opening: &Arc<Opening>, last: Last, peer: PeerVerified, cx: &mut Cx<'_>) -> Result<Step<State>, Failure> {
    let settled = &opening.settled;
    let authentication = match settled.meant_for(&peer, last.path, last.nat, cx) {
        Ok(authentication) => authentication,
        Err(failure) => return Ok(Step::fail(failure)),
    };
    let credential = authentication.credential(&last.requests, last.path.own().ip());
    let SentKe { pair, peer: peer_ke, .. } = last.sent.as_ref();
    let hash = last.keys.skeyid.hash_r(&settled.hash_inputs(pair, peer_ke, credential.id()));
    let proving = authentication.prove(&credential, &hash);
    let state = Authenticated { authentication, last, peer, credential };
    match proving {
        Proving::Ready(proof) => finish(opening, state, &proof),
        Proving::Ask(ask) => Ok(Step::ask(State::Proving(Arc::clone(opening), Box::new(state)), vec![ask])),
    }
}

fn finish(opening: &Opening, state: Authenticated, proof: &Proof) -> Result<Step<State>, Failure> {
    let Authenticated { authentication, last, peer, credential } = state;
    let Last { path, nat, initial_contact, keys, .. } = last;
    let settled = &opening.settled;
    let envelope = msgs::envelope("main mode message 6", path, settled.cookies);
    let (reply, last_block) = msgs::id(&envelope, credential.id(), proof, None, false, &keys)?;
    // The addresses are those of a message that has been authenticated.
    let closing = Closing { path, nat, initial_contact, last_block };
    let established = settled.established(&keys, authentication.rule(), closing, peer);
    Ok(Step::done(established, Some(reply)))
}
