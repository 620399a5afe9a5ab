//! Aggressive mode, responder.
use super::super::auth::{Judgement, PeerVerified, Proving};
use super::super::message::Incoming;
use super::super::natt::{self, Nat, Revision};
use super::super::phase1::{self, Choice, Established, PeerKe, Phase1Keys};
use super::super::step::{Role as ExchangeRole, Step};
use super::super::vendor::Announced;
use super::super::work::{Answer, Ask, KeyExchange};
use super::super::{Cx, Path};
use super::initiator::only_keys;
use super::msgs::{self, First};
use crate::crypto::group::{KeyPair, PrivateKey};
use crate::crypto::iv::Iv;
use crate::crypto::skeyid::{HashInputs, Inputs};
use crate::event::negotiation::Role;
use crate::event::{EventKind, Failure, IkeSaEvent, Reject};
use crate::identity::Identity;
use crate::ids::{Cookie, Cookies};
use crate::policy::rule::Rule;
use crate::proposal::suite::IkeSuite;
use crate::secret::Secret;
use crate::wire::{Chain, ExchangeType, PayloadType, Sa};
use std::sync::Arc;

/// What message 1 settled.
pub struct Opening {
    path: Path,
    cookies: Cookies,
    rule: Arc<Rule>,
    /// The body of the peer's SA payload: HASH_I and HASH_R cover all of it (RFC 2409 §5).
    sa: Vec<u8>,
    /// Who the peer says it is, and the body of its ID payload.
    identity: Identity,
    peer_id: Vec<u8>,
    choice: Choice,
    peer: PeerKe,
    revision: Option<Revision>,
    announced: Announced,
}

/// The responder's states.
pub enum State {
    /// The shared secret is being computed.
    Agreeing(Arc<Opening>),
    /// Message 2 is out.
    SentReply(Arc<Opening>, Box<SentReply>),
}

/// After message 2.
pub struct SentReply {
    pair: Arc<KeyPair>,
    keys: Phase1Keys,
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
    let raw = chain.one(PayloadType::SA).ok_or_else(|| message.unexpected("SA"))?;
    let offered = raw.decode(Sa::decode)?;
    let (identity, peer_id) = phase1::peer_identity(message, &chain)?;
    let peer = message.path.remote.ip();
    let allowed: Vec<Arc<Rule>> = rules.iter().filter_map(super::usable).collect();
    if allowed.is_empty() {
        return Err(Reject::Refused(Failure::AggressiveMode { peer }));
    }
    let names = |rule: &&Arc<Rule>| rule.remote_id.as_ref().is_some_and(|id| id.matches(&identity));
    let named = allowed.iter().filter(names);
    let anybody = allowed.iter().filter(|rule| rule.remote_id.is_none());
    let fitting: Vec<Arc<Rule>> = named.chain(anybody).map(Arc::clone).collect();
    if fitting.is_empty() {
        return Err(Reject::Refused(Failure::UnknownIdentity { peer, identity }));
    }
    phase1::trace_vendors(&chain, cx);
    let choice = phase1::choose(&offered, &fitting, peer, cx).map_err(Reject::Refused)?;
    let chosen = &choice.authentication.rule().name;
    let rule = rules.iter().find(|rule| rule.name == *chosen).ok_or(Reject::Local("finding the rule"))?;
    let cookies = Cookies { initiator: message.header.initiator, responder: cookie };
    let suite = choice.chosen.suite;
    let peer = PeerKe::read(message, &chain, &suite, None, cx)?;
    let private = PrivateKey::random(suite.group, cx.rng).map_err(|_| Reject::Local("making a private value"))?;
    let ask = Ask::KeyExchange(KeyExchange::Derive { private, peer: Some(peer.public.clone()) });
    let revision = Revision::announced(&chain).filter(|_| cx.settings.nat_traversal);
    let opening = Opening {
        path: message.path,
        cookies,
        rule: Arc::clone(rule),
        sa: raw.body.to_vec(),
        identity,
        peer_id,
        choice,
        peer,
        revision,
        announced: Announced::read(&chain),
    };
    Ok(Step::ask(State::Agreeing(Arc::new(opening)), vec![ask]))
}

impl ExchangeRole for State {
    type Outcome = Established;

    fn waits_for(&self) -> &'static str {
        match self {
            Self::Agreeing(_) => "the shared secret",
            Self::SentReply(..) => "aggressive mode message 3",
        }
    }

    fn receive(&self, message: &Incoming<'_>, cx: &mut Cx<'_>) -> Result<Step<Self>, Reject> {
        let (Self::Agreeing(opening) | Self::SentReply(opening, _)) = self;
        if message.header.exchange != ExchangeType::AGGRESSIVE || message.header.cookies() != opening.cookies {
            return Err(message.unexpected(self.waits_for()));
        }
        match self {
            Self::SentReply(opening, sent) => receive_last(opening, sent, message, cx),
            Self::Agreeing(_) => Err(message.unexpected(self.waits_for())),
        }
    }

    fn answer(self, answer: Answer, cx: &mut Cx<'_>) -> Result<Step<Self>, Failure> {
        match self {
            Self::Agreeing(opening) => {
                let (pair, shared) = phase1::shared_secret(answer)?;
                send_reply(opening, pair, &shared, cx)
            }
            other @ Self::SentReply(..) => Ok(Step::stay(other)),
        }
    }
}

impl State {
    pub(super) const fn keys(&self) -> Option<&Phase1Keys> {
        match self {
            Self::Agreeing(_) => None,
            Self::SentReply(_, state) => Some(&state.keys),
        }
    }

    pub(super) fn announced(&self) -> Announced {
        let (Self::Agreeing(opening) | Self::SentReply(opening, _)) = self;
        opening.announced
    }

    pub(super) fn progress(&self) -> (Option<IkeSuite>, Option<Cookies>) {
        let (Self::Agreeing(opening) | Self::SentReply(opening, _)) = self;
        (Some(opening.choice.chosen.suite), Some(opening.cookies))
    }
}

impl Opening {
    fn hash_inputs<'a>(&'a self, pair: &'a KeyPair, id_b: &'a [u8]) -> HashInputs<'a> {
        HashInputs { g_xi: &self.peer.public, g_xr: pair.public(), cookies: &self.cookies, sai_b: &self.sa, id_b }
    }
}

fn send_reply(
    opening: Arc<Opening>,
    pair: Arc<KeyPair>,
    shared: &Secret<Vec<u8>>,
    cx: &mut Cx<'_>,
) -> Result<Step<State>, Failure> {
    let Choice { authentication, chosen } = &opening.choice;
    let nonce = phase1::nonce(cx.rng)?;
    let inputs = Inputs { cookies: &opening.cookies, ni: &opening.peer.nonce, nr: &nonce, g_xy: shared.expose() };
    let skeyid = authentication.skeyid(chosen.suite.hash, &inputs);
    let keys = Phase1Keys::derive(&chosen.suite, skeyid, &opening.peer.public, pair.public())?;
    let credential = authentication.credential(&[], opening.path.local.ip());
    let id = credential.id();
    let proof = match authentication.prove(&credential, &keys.skeyid.hash_r(&opening.hash_inputs(&pair, id))) {
        Proving::Ready(proof) => proof,
        Proving::Ask(_) => return Err(only_keys()),
    };
    let vendor_ids = phase1::announced(Some(opening.revision), authentication.rule(), opening.path.remote.ip(), cx);
    let envelope = msgs::envelope("aggressive mode message 2", opening.path, opening.cookies);
    let first = First { sa: &chosen.body, public: pair.public(), nonce: &nonce, id, vendor_ids: &vendor_ids };
    let message = first.reply(&envelope, &proof, &chosen.suite, opening.revision);
    Ok(Step::send(State::SentReply(opening, Box::new(SentReply { pair, keys })), message))
}

fn receive_last(
    opening: &Arc<Opening>,
    sent: &SentReply,
    message: &Incoming<'_>,
    cx: &mut Cx<'_>,
) -> Result<Step<State>, Reject> {
    let Choice { authentication, chosen } = &opening.choice;
    // RFC 3947 §4: with message 3 the initiator may have changed to the other port; a NAT then gave it another.
    let (remote, expected) = (message.path.remote, opening.path.remote);
    let on_nat_t_port = |port| port == cx.settings.nat_t_port && opening.revision.is_some();
    let began_there = on_nat_t_port(opening.path.local.port());
    let changed_port = !began_there && on_nat_t_port(message.path.local.port());
    if remote.ip() != expected.ip() || (remote.port() != expected.port() && !changed_port) {
        return Err(Reject::WrongAddress { expected });
    }
    let judge = |chain: &Chain<'_>| -> Result<(PeerVerified, Nat, bool), Reject> {
        let claim = authentication.claim(opening.identity.clone(), chain)?;
        let computed = sent.keys.skeyid.hash_i(&opening.hash_inputs(&sent.pair, &opening.peer_id));
        let Judgement::Verified(verified) = authentication.judge(claim, &computed, "HASH_I")? else {
            return Err(Reject::Local("aggressive mode with another method than pre-shared keys"));
        };
        let seen = opening
            .revision
            .and_then(|revision| natt::detect(chain, revision, chosen.suite.hash, &opening.cookies, message.path));
        Ok((verified, seen.unwrap_or_default(), phase1::initial_contact(message, chain)?))
    };
    // RFC 2409 §5: message 3 may be in clear; then the IV of phase 2 comes from the one that it would have had.
    let (verified, seen, initial_contact, last_block): (_, _, _, Iv) = if message.is_encrypted() {
        let opened = message.open(&sent.keys.cipher, &sent.keys.iv, cx)?;
        let chain = opened.chain(authentication.rules()).map_err(Reject::Undecipherable)?;
        let (verified, seen, initial_contact) = judge(&chain).map_err(|reject| match reject {
            Reject::Malformed(error) => Reject::Undecipherable(error),
            other => other,
        })?;
        (verified, seen, initial_contact, opened.next_iv.clone())
    } else {
        // Nothing covers what stands behind HASH_I, and here anybody could add to it.
        let (verified, seen, _) = judge(&message.clear(authentication.rules())?)?;
        (verified, seen, false, sent.keys.iv.clone())
    };
    let nat = match (changed_port, seen.between()) {
        (true, true) => seen,
        (true, false) => Nat { local: false, remote: true },
        (false, _) if began_there => seen,
        (false, _) => Nat::default(),
    };
    if opening.revision.is_some() {
        cx.trace.step(|| EventKind::IkeSa(IkeSaEvent::NatDetected { local: nat.local, remote: nat.remote }));
    }
    if let Err(failure) = authentication.admit(&verified, message.path.remote.ip(), nat.remote) {
        return Ok(Step::fail(failure));
    }
    cx.trace.step(|| EventKind::IkeSa(IkeSaEvent::Authenticated { identity: verified.identity().clone() }));
    let established = Established {
        keys: Arc::new(sent.keys.phase_2(opening.cookies, chosen.suite, last_block)),
        role: Role::Responder,
        rule: Arc::clone(&opening.rule),
        lifetime: chosen.lifetime,
        peer: verified,
        path: message.path,
        nat,
        revision: opening.revision.filter(|_| nat.between()),
        initial_contact,
        announced: opening.announced,
    };
    Ok(Step::done(established, None))
}
