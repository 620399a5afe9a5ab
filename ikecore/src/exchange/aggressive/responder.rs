//! Aggressive mode, responder.
use super::super::auth::{Credential, Judgement, PeerVerified, Proof, Proving, Unconfirmed};
use super::super::fresh;
use super::super::message::Incoming;
use super::super::mode::Phase1;
use super::super::natt::{self, Nat};
use super::super::phase1::{
    self, Choice, Closing, Contributions, Established, PeerKe, Phase1Keys, Ports, SaPayload, Settled,
};
use super::super::step::{Role as ExchangeRole, Step};
use super::super::vendor::Announced;
use super::super::work::Answer;
use super::super::{Cx, Path};
use super::msgs::{self, First};
use crate::crypto::group::KeyPair;
use crate::crypto::iv::Iv;
use crate::crypto::skeyid::HashInputs;
use crate::event::{EventKind, Failure, IkeSaEvent, Reject};
use crate::identity::{Identity, Required};
use crate::ids::{Cookie, Cookies};
use crate::policy::rule::Rule;
use crate::proposal::suite::IkeSuite;
use crate::secret::Secret;
use crate::wire::{Chain, ExchangeType};
use std::sync::Arc;

/// What message 1 settled.
pub struct Opening {
    path: Path,
    settled: Settled,
    rule: Arc<Rule>,
    /// Who the peer says it is, and the body of its ID payload.
    identity: Identity,
    peer_id: Vec<u8>,
    peer: PeerKe,
}

/// The responder's states.
pub enum State {
    /// The shared secret is being computed.
    Agreeing(Arc<Opening>),
    /// This host's proof is being made.
    Proving(Arc<Opening>, Box<Agreed>, Credential),
    /// Message 2 is out.
    SentReply(Arc<Opening>, Arc<Agreed>),
    /// The peer's proof is being checked.
    Confirming(Arc<Opening>, Arc<Agreed>, Box<(Closing, Unconfirmed)>),
}

/// With the shared secret.
pub struct Agreed {
    pair: Arc<KeyPair>,
    keys: Phase1Keys,
    nonce: Vec<u8>,
}

/// The rules for a peer of this identity: first those that require it, then those that require its form, then those that take
/// anybody.
fn meant_for(identity: &Identity, rules: &[Arc<Rule>]) -> Vec<Arc<Rule>> {
    let requiring = |one: bool| {
        let requires = move |required: &Required| required.is_one() == one && required.matches(identity);
        rules.iter().filter(move |rule| rule.remote_id.as_ref().is_some_and(requires))
    };
    let anybody = rules.iter().filter(|rule| rule.remote_id.is_none());
    requiring(true).chain(requiring(false)).chain(anybody).map(Arc::clone).collect()
}

/// Judges message 1. The key is that of the first rule for which the peer is who it says it is: those that name it come
/// before those that take anybody.
pub fn begin(
    message: &Incoming<'_>,
    rules: &[Arc<Rule>],
    cookie: Cookie,
    cx: &mut Cx<'_>,
) -> Result<Step<State>, Reject> {
    let chain = message.clear(msgs::FIRST_RULES)?;
    let offered = SaPayload::read(message, &chain)?;
    let (identity, peer_id) = phase1::peer_identity(message, &chain)?;
    let peer = message.path.peer();
    let allowed: Vec<Arc<Rule>> = rules.iter().filter_map(super::usable).collect();
    if allowed.is_empty() {
        return Err(Reject::Refused(Failure::AggressiveMode { peer }));
    }
    let fitting = meant_for(&identity, &allowed);
    if fitting.is_empty() {
        return Err(Reject::Refused(Failure::UnknownIdentity { peer, identity }));
    }
    let settled = Settled::choose(&offered, &fitting, cookie, message, &chain, cx)?;
    let chosen = &settled.choice.authentication.rule().name;
    let rule = rules.iter().find(|rule| rule.name == *chosen).ok_or(Reject::Local("finding the rule"))?;
    let rule = Arc::clone(rule);
    let suite = settled.choice.chosen.suite;
    let peer = PeerKe::read(message, &chain, &suite, None, cx)?;
    let ask =
        fresh::key_pair(suite.group, Some(&peer.public), cx).map_err(|_| Reject::Local("making a private value"))?;
    let opening = Opening { path: message.path, settled, rule, identity, peer_id, peer };
    Ok(Step::ask(State::Agreeing(Arc::new(opening)), vec![ask]))
}

impl ExchangeRole for State {
    type Outcome = Established;

    fn waits_for(&self) -> &'static str {
        match self {
            Self::Agreeing(_) => "the shared secret",
            Self::Proving(..) => "its signature",
            Self::SentReply(..) => "aggressive mode message 3",
            Self::Confirming(..) => "the check of the peer's certificate",
        }
    }

    fn receive(&self, message: &Incoming<'_>, cx: &mut Cx<'_>) -> Result<Step<Self>, Reject> {
        let opening = self.opening();
        if message.header.exchange != ExchangeType::AGGRESSIVE || message.header.cookies() != opening.settled.cookies {
            return Err(message.unexpected(self.waits_for()));
        }
        match self {
            Self::SentReply(opening, sent) => receive_last(opening, sent, message, cx),
            Self::Agreeing(_) | Self::Proving(..) | Self::Confirming(..) => Err(message.unexpected(self.waits_for())),
        }
    }

    fn answer(self, answer: Answer, cx: &mut Cx<'_>) -> Result<Step<Self>, Failure> {
        match self {
            Self::Agreeing(opening) => {
                let (pair, shared) = phase1::shared_secret(answer)?;
                prove(opening, pair, &shared, cx)
            }
            Self::Proving(opening, agreed, credential) => {
                let proof = opening.settled.choice.authentication.proven(&credential, answer)?;
                Ok(send_reply(opening, *agreed, &credential, &proof, cx))
            }
            Self::Confirming(opening, agreed, state) => {
                let (closing, peer) = *state;
                let peer = opening.settled.choice.authentication.confirm(peer, answer)?;
                Ok(finish(&opening, &agreed, closing, peer, cx))
            }
            other @ Self::SentReply(..) => Ok(Step::stay(other)),
        }
    }
}

impl State {
    const fn opening(&self) -> &Arc<Opening> {
        let (Self::Agreeing(opening)
        | Self::Proving(opening, ..)
        | Self::SentReply(opening, _)
        | Self::Confirming(opening, ..)) = self;
        opening
    }
}

impl Phase1 for State {
    // Message 3 is the last: until it comes nothing is proven.
    fn is_unproven(&self) -> bool {
        true
    }

    fn keys(&self) -> Option<&Phase1Keys> {
        match self {
            Self::Agreeing(_) => None,
            Self::Proving(_, agreed, _) => Some(&agreed.keys),
            Self::SentReply(_, agreed) | Self::Confirming(_, agreed, _) => Some(&agreed.keys),
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

impl Opening {
    fn hash_inputs<'a>(&'a self, pair: &'a KeyPair, id_b: &'a [u8]) -> HashInputs<'a> {
        self.settled.hash_inputs(pair, &self.peer, id_b)
    }
}

fn prove(
    opening: Arc<Opening>,
    pair: Arc<KeyPair>,
    shared: &Secret<Vec<u8>>,
    cx: &mut Cx<'_>,
) -> Result<Step<State>, Failure> {
    let authentication = &opening.settled.choice.authentication;
    let nonce = fresh::nonce(cx.rng)?;
    let keys = opening.settled.keys(&Contributions { pair: &pair, nonce: &nonce, peer: &opening.peer }, shared)?;
    let credential = authentication.credential(&opening.peer.requests, opening.path.own().ip());
    let proving = authentication.prove(&credential, &keys.skeyid.hash_r(&opening.hash_inputs(&pair, credential.id())));
    let agreed = Agreed { pair, keys, nonce };
    Ok(match proving {
        Proving::Ready(proof) => send_reply(opening, agreed, &credential, &proof, cx),
        Proving::Ask(ask) => Step::ask(State::Proving(opening, Box::new(agreed), credential), vec![ask]),
    })
}

fn send_reply(
    opening: Arc<Opening>,
    agreed: Agreed,
    credential: &Credential,
    proof: &Proof,
    cx: &Cx<'_>,
) -> Step<State> {
    let Settled { cookies, choice: Choice { authentication, chosen }, revision, .. } = &opening.settled;
    let vendor_ids = phase1::announced(Some(*revision), authentication.rule(), opening.path.peer(), cx);
    let envelope = msgs::envelope("aggressive mode message 2", opening.path, *cookies);
    let first = First {
        sa: &chosen.body,
        public: agreed.pair.public(),
        nonce: &agreed.nonce,
        id: credential.id(),
        vendor_ids: &vendor_ids,
    };
    let message = first.reply(&envelope, proof, &chosen.suite, *revision, authentication);
    Step::send(State::SentReply(opening, Arc::new(agreed)), message)
}

fn receive_last(
    opening: &Arc<Opening>,
    sent: &Arc<Agreed>,
    message: &Incoming<'_>,
    cx: &mut Cx<'_>,
) -> Result<Step<State>, Reject> {
    let Settled { cookies, choice: Choice { authentication, chosen }, revision, .. } = &opening.settled;
    let ports = Ports::seen(&opening.settled, opening.path, message, cx)?;
    let judge = |chain: &Chain<'_>| -> Result<(Judgement, Nat, bool), Reject> {
        let claim = authentication.claim(opening.identity.clone(), chain)?;
        let computed = sent.keys.skeyid.hash_i(&opening.hash_inputs(&sent.pair, &opening.peer_id));
        let judgement = authentication.judge(claim, &computed, "HASH_I")?;
        let seen =
            revision.and_then(|revision| natt::detect(chain, revision, chosen.suite.hash, cookies, message.path));
        Ok((judgement, seen.unwrap_or_default(), phase1::initial_contact(message, chain)?))
    };
    // RFC 2409 §5: message 3 may be in clear; then the IV of phase 2 comes from the one that it would have had.
    let (judgement, seen, initial_contact, last_block): (_, _, _, Iv) = if message.is_encrypted() {
        let opened = message.open(&sent.keys.cipher, &sent.keys.iv, cx)?;
        let chain = opened.chain(authentication.rules()).map_err(Reject::Undecipherable)?;
        let (judgement, seen, initial_contact) = judge(&chain).map_err(|reject| match reject {
            Reject::Malformed(error) => Reject::Undecipherable(error),
            other => other,
        })?;
        (judgement, seen, initial_contact, opened.next_iv.clone())
    } else {
        // Nothing covers what stands behind the proof, and here anybody could add to it.
        let (judgement, seen, _) = judge(&message.clear(authentication.rules())?)?;
        (judgement, seen, false, sent.keys.iv.clone())
    };
    let closing = Closing { path: message.path, nat: ports.nat(seen), initial_contact, last_block };
    Ok(match judgement {
        Judgement::Verified(peer) => finish(opening, sent, closing, peer, cx),
        Judgement::Ask(peer, ask) => {
            Step::ask(State::Confirming(Arc::clone(opening), Arc::clone(sent), Box::new((closing, peer))), vec![ask])
        }
    })
}

fn finish(opening: &Opening, agreed: &Agreed, closing: Closing, peer: PeerVerified, cx: &mut Cx<'_>) -> Step<State> {
    let Closing { path, nat, .. } = closing;
    if opening.settled.revision.is_some() {
        cx.trace.step(|| EventKind::IkeSa(IkeSaEvent::NatDetected { local: nat.local, remote: nat.remote }));
    }
    if let Err(failure) = opening.settled.admit(&peer, path, nat, cx) {
        return Step::fail(failure);
    }
    Step::done(opening.settled.established(&agreed.keys, &opening.rule, closing, peer), None)
}
