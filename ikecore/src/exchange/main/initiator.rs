//! Main mode, initiator.
use super::super::auth::{Credential, Judgement, PeerVerified, Proof, Proving, Unconfirmed};
use super::super::fresh;
use super::super::message::Incoming;
use super::super::mode::Phase1;
use super::super::phase1::{self, Closing, Contributions, Established, PeerKe, Phase1Keys, Settled};
use super::super::step::{Role as ExchangeRole, Step};
use super::super::vendor::Announced;
use super::super::work::{Answer, Ask, KeyExchange};
use super::super::{Cx, Path};
use super::msgs::{self, PeerId};
use crate::crypto::group::KeyPair;
use crate::crypto::iv::Iv;
use crate::event::{Failure, Reject};
use crate::ids::{Cookie, Cookies};
use crate::policy::rule::Rule;
use crate::proposal::suite::IkeSuite;
use crate::secret::Secret;
use crate::wire::{ExchangeType, PayloadType};
use std::sync::Arc;

/// What stays the same in all states.
pub struct Opening {
    path: Path,
    rule: Arc<Rule>,
    /// The body of the SA payload of message 1.
    sa: Vec<u8>,
    initial_contact: bool,
}

/// The initiator's states.
pub enum State {
    /// Message 1 is out.
    SentSa(Arc<Opening>),
    /// This host's key pair is being made.
    Deriving(Arc<Opening>, Arc<Settled>),
    /// Message 3 is out.
    SentKe(Arc<Opening>, Arc<Settled>, Box<SentKe>),
    /// The shared secret is being computed.
    Agreeing(Arc<Opening>, Arc<Settled>, Box<Agreement>),
    /// This host's proof is being made.
    Proving(Arc<Opening>, Arc<Settled>, Box<Agreed>),
    /// Message 5 is out.
    SentId(Arc<Opening>, Arc<Settled>, Arc<Agreed>),
    /// The peer's proof is being checked.
    Confirming(Arc<Opening>, Arc<Settled>, Box<Confirming>),
}

/// After message 3.
pub struct SentKe {
    pair: Arc<KeyPair>,
    nonce: Vec<u8>,
}

/// What the peer's message 4 added.
pub struct Agreement {
    pair: Arc<KeyPair>,
    nonce: Vec<u8>,
    peer: PeerKe,
    path: Path,
}

/// With the shared secret.
pub struct Agreed {
    agreement: Agreement,
    keys: Phase1Keys,
    credential: Credential,
}

/// After message 6.
pub struct Confirming {
    agreed: Arc<Agreed>,
    peer: Unconfirmed,
    initial_contact: bool,
    last_block: Iv,
}

/// Begins: message 1.
pub fn begin(
    rule: &Arc<Rule>,
    path: Path,
    cookie: Cookie,
    initial_contact: bool,
    cx: &mut Cx<'_>,
) -> Result<Step<State>, Failure> {
    let sa = phase1::offer(rule, path.peer())?;
    let cookies = Cookies { initiator: cookie, responder: Cookie::ZERO };
    let vendor_ids = phase1::announced(None, rule, path.peer(), cx);
    let message = msgs::sa(&msgs::envelope("main mode message 1", path, cookies), &sa, &vendor_ids);
    let opening = Opening { path, rule: Arc::clone(rule), sa, initial_contact };
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
            Self::Proving(..) => "its signature",
            Self::SentId(..) => "main mode message 6",
            Self::Confirming(..) => "the check of the peer's certificate",
        }
    }

    fn receive(&self, message: &Incoming<'_>, cx: &mut Cx<'_>) -> Result<Step<Self>, Reject> {
        if message.header.exchange != ExchangeType::MAIN {
            return Err(message.unexpected(self.waits_for()));
        }
        match self {
            Self::SentSa(opening) => receive_sa(opening, message, cx),
            Self::SentKe(opening, settled, state) => receive_ke(opening, settled, state, message, cx),
            Self::SentId(opening, settled, state) => receive_id(opening, settled, state, message, cx),
            Self::Deriving(..) | Self::Agreeing(..) | Self::Proving(..) | Self::Confirming(..) => {
                Err(message.unexpected(self.waits_for()))
            }
        }
    }

    fn answer(self, answer: Answer, cx: &mut Cx<'_>) -> Result<Step<Self>, Failure> {
        match self {
            Self::Deriving(opening, settled) => send_ke(opening, settled, phase1::key_exchange(answer)?.pair, cx),
            Self::Agreeing(opening, settled, agreement) => {
                let (_, shared) = phase1::shared_secret(answer)?;
                prove(opening, settled, *agreement, &shared, cx)
            }
            Self::Proving(opening, settled, agreed) => {
                let proof = settled.choice.authentication.proven(&agreed.credential, answer)?;
                send_id(opening, settled, *agreed, &proof, cx)
            }
            Self::Confirming(opening, settled, state) => {
                let Confirming { agreed, peer, initial_contact, last_block } = *state;
                let peer = settled.choice.authentication.confirm(peer, answer)?;
                Ok(finish(&opening, &settled, &agreed, peer, initial_contact, last_block, cx))
            }
            other @ (Self::SentSa(_) | Self::SentKe(..) | Self::SentId(..)) => Ok(Step::stay(other)),
        }
    }
}

impl State {
    /// What message 2 settled.
    const fn settled(&self) -> Option<&Arc<Settled>> {
        let (Self::Deriving(_, settled)
        | Self::SentKe(_, settled, _)
        | Self::Agreeing(_, settled, _)
        | Self::Proving(_, settled, _)
        | Self::SentId(_, settled, _)
        | Self::Confirming(_, settled, _)) = self
        else {
            return None;
        };
        Some(settled)
    }
}

impl Phase1 for State {
    fn progress(&self) -> (Option<IkeSuite>, Option<Cookies>) {
        self.settled().map(|settled| (settled.choice.chosen.suite, settled.cookies)).unzip()
    }

    fn keys(&self) -> Option<&Phase1Keys> {
        match self {
            Self::SentSa(_) | Self::Deriving(..) | Self::SentKe(..) | Self::Agreeing(..) => None,
            Self::Proving(_, _, agreed) => Some(&agreed.keys),
            Self::SentId(_, _, agreed) => Some(&agreed.keys),
            Self::Confirming(_, _, state) => Some(&state.agreed.keys),
        }
    }

    fn announced(&self) -> Announced {
        self.settled().map(|settled| settled.announced).unwrap_or_default()
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
    // A message 4 that no later state takes has other cookies than theirs.
    if message.header.responder.is_zero() || message.header.next_payload == PayloadType::KE {
        return Err(message.unexpected("main mode message 2"));
    }
    let chain = message.clear(msgs::SA_RULES)?;
    let settled = Settled::accept(&opening.sa, &opening.rule, message, &chain, cx)?;
    phase1::trace_vendors(&chain, cx);
    settled.choice.trace(cx);
    let group = settled.choice.chosen.suite.group;
    let ask = fresh::key_pair(group, None, cx).map_err(|_| Reject::Local("making a private value"))?;
    Ok(Step::ask(State::Deriving(Arc::clone(opening), Arc::new(settled)), vec![ask]))
}

fn send_ke(
    opening: Arc<Opening>,
    settled: Arc<Settled>,
    pair: Arc<KeyPair>,
    cx: &mut Cx<'_>,
) -> Result<Step<State>, Failure> {
    let nonce = fresh::nonce(cx.rng)?;
    let envelope = msgs::envelope("main mode message 3", opening.path, settled.cookies);
    let message = msgs::ke(&envelope, pair.public(), &nonce, &settled.choice.chosen.suite, settled.revision, None);
    Ok(Step::send(State::SentKe(opening, settled, Box::new(SentKe { pair, nonce })), message))
}

fn receive_ke(
    opening: &Arc<Opening>,
    settled: &Arc<Settled>,
    state: &SentKe,
    message: &Incoming<'_>,
    cx: &mut Cx<'_>,
) -> Result<Step<State>, Reject> {
    from_peer(opening, message)?;
    if message.header.cookies() != settled.cookies {
        return Err(message.unexpected("main mode message 4"));
    }
    let peer = msgs::read_ke(message, &settled.choice.chosen.suite, settled.revision, cx)?;
    let path = phase1::initiators_path(opening.path, peer.nat, cx);
    let ask = KeyExchange::Agree { pair: Arc::clone(&state.pair), peer: peer.public.clone() };
    let next = Agreement { pair: Arc::clone(&state.pair), nonce: state.nonce.clone(), peer, path };
    let next = State::Agreeing(Arc::clone(opening), Arc::clone(settled), Box::new(next));
    Ok(Step::ask(next, vec![Ask::KeyExchange(ask)]))
}

fn prove(
    opening: Arc<Opening>,
    settled: Arc<Settled>,
    agreement: Agreement,
    shared: &Secret<Vec<u8>>,
    cx: &mut Cx<'_>,
) -> Result<Step<State>, Failure> {
    let authentication = &settled.choice.authentication;
    let Agreement { pair, nonce, peer, path } = &agreement;
    let keys = settled.keys(&Contributions { pair, nonce, peer }, shared)?;
    let credential = authentication.credential(&peer.requests, path.own().ip());
    let hash = keys.skeyid.hash_i(&settled.hash_inputs(pair, peer, credential.id()));
    let proving = authentication.prove(&credential, &hash);
    let agreed = Agreed { agreement, keys, credential };
    match proving {
        Proving::Ready(proof) => send_id(opening, settled, agreed, &proof, cx),
        Proving::Ask(ask) => Ok(Step::ask(State::Proving(opening, settled, Box::new(agreed)), vec![ask])),
    }
}

fn send_id(
    opening: Arc<Opening>,
    settled: Arc<Settled>,
    mut agreed: Agreed,
    proof: &Proof,
    cx: &mut Cx<'_>,
) -> Result<Step<State>, Failure> {
    let path = agreed.agreement.path;
    let envelope = msgs::envelope("main mode message 5", path, settled.cookies);
    // Both ends may have begun at once: then what the peer began may stand by now, and must not be forgotten.
    let initial_contact = opening.initial_contact && !cx.peers.knows(path.peer());
    let requests = Some(&settled.choice.authentication);
    let id = agreed.credential.id();
    let (message, iv) = msgs::id(&envelope, id, proof, requests, initial_contact, &agreed.keys)?;
    agreed.keys.iv = iv;
    Ok(Step::send(State::SentId(opening, settled, Arc::new(agreed)), message))
}

fn receive_id(
    opening: &Arc<Opening>,
    settled: &Arc<Settled>,
    agreed: &Arc<Agreed>,
    message: &Incoming<'_>,
    cx: &mut Cx<'_>,
) -> Result<Step<State>, Reject> {
    let Agreed { agreement, keys, .. } = agreed.as_ref();
    if message.header.cookies() != settled.cookies {
        return Err(message.unexpected("main mode message 6"));
    }
    if message.path.remote != agreement.path.remote {
        return Err(Reject::WrongAddress { expected: agreement.path.remote });
    }
    let authentication = &settled.choice.authentication;
    let PeerId { id_body, claim, initial_contact, next_iv, .. } = PeerId::read(message, keys, authentication, cx)?;
    let computed = keys.skeyid.hash_r(&settled.hash_inputs(&agreement.pair, &agreement.peer, &id_body));
    Ok(match authentication.judge(claim, &computed, "HASH_R")? {
        Judgement::Verified(peer) => finish(opening, settled, agreed, peer, initial_contact, next_iv, cx),
        Judgement::Ask(peer, ask) => {
            let state = Confirming { agreed: Arc::clone(agreed), peer, initial_contact, last_block: next_iv };
            let next = State::Confirming(Arc::clone(opening), Arc::clone(settled), Box::new(state));
            Step::ask(next, vec![ask])
        }
    })
}

fn finish(
    opening: &Opening,
    settled: &Settled,
    agreed: &Agreed,
    peer: PeerVerified,
    initial_contact: bool,
    last_block: Iv,
    cx: &mut Cx<'_>,
) -> Step<State> {
    let (path, nat) = (agreed.agreement.path, agreed.agreement.peer.nat);
    let closing = Closing { path, nat, initial_contact, last_block };
    settled.finish(&agreed.keys, &opening.rule, closing, peer, None, cx)
}
