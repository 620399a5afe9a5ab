//! Authentication of phase 1, apart from the mode: which methods a rule offers, how SKEYID comes about, what this host
//! sends to prove who it is, and what the peer must send.
//!
//! A proof may need what only others can do: a signature, the check of a certificate chain. Then [`Proving`] or
//! [`Judgement`] is an ask, and the exchange waits for its answer in a state of its own.
mod methods;
pub mod psk;

use super::work::{Answer, Ask};
use crate::crypto::hash::HashAlg;
use crate::crypto::prf::Mac;
use crate::crypto::skeyid::{Inputs, Skeyid};
use crate::event::negotiation::Role;
use crate::event::{Failure, Reject};
use crate::identity::Identity;
use crate::policy::rule::{AuthMethod, Rule};
use crate::wire::{AuthenticationMethod, Chain, ChainWriter, PayloadRule, PayloadType};
use methods::code;
use std::sync::Arc;

/// The proof that a peer has authenticated itself. Only the modules of this folder can make one, and an ISAKMP SA
/// cannot be established without it.
#[derive(Debug)]
pub struct PeerVerified {
    identity: Identity,
}

impl PeerVerified {
    /// Who the peer is.
    pub fn into_identity(self) -> Identity {
        self.identity
    }

    /// Who the peer is.
    pub const fn identity(&self) -> &Identity {
        &self.identity
    }
}

/// How the two ends of one phase 1 prove who they are: a method of a rule.
#[derive(Clone)]
pub struct Authentication {
    rule: Arc<Rule>,
    method: AuthMethod,
}

/// The payloads by which this host proves who it is.
#[derive(Clone)]
pub struct Proof {
    payloads: Vec<(PayloadType, Vec<u8>)>,
}

impl Proof {
    /// Adds them behind ID.
    pub fn push(&self, chain: &mut ChainWriter) {
        for (kind, body) in &self.payloads {
            chain.push(*kind, |writer| writer.bytes(body));
        }
    }
}

/// This host's proof, or what must be asked for it.
pub enum Proving {
    /// It is ready.
    Ready(Proof),
    /// The answer goes to [`Authentication::proven`].
    Ask(Ask),
}

/// By what the peer proves who it is, as received: nothing of it is verified.
#[derive(Clone)]
pub struct Claim {
    identity: Identity,
    proof: Vec<u8>,
}

/// What comes of a claim.
pub enum Judgement {
    /// The peer is who it claims to be.
    Verified(PeerVerified),
    /// So far all is well; the answer goes to [`Unconfirmed::confirm`].
    Ask(Unconfirmed, Ask),
}

/// A claim that was judged as far as it can be without asking.
pub struct Unconfirmed;

/// As which IKE authentication methods a rule's methods are offered by this host in this role, in the rule's order.
pub fn offered(rule: &Rule, role: Role) -> Vec<AuthenticationMethod> {
    let mut codes = Vec::new();
    for code in rule.authentication.iter().map(|method| code(rule, method, role)) {
        if !codes.contains(&code) {
            codes.push(code);
        }
    }
    codes
}

impl Authentication {
    /// The method of a rule that was chosen as `code`; of several that are offered as one, the first.
    pub fn chosen(rule: &Arc<Rule>, chosen: AuthenticationMethod, role: Role) -> Option<Self> {
        let method = rule.authentication.iter().find(|method| code(rule, method, role) == chosen)?;
        Some(Self { rule: Arc::clone(rule), method: method.clone() })
    }

    /// The rule.
    pub const fn rule(&self) -> &Arc<Rule> {
        &self.rule
    }

    /// SKEYID and what comes of it.
    pub fn skeyid(&self, hash: HashAlg, inputs: &Inputs<'_>) -> Skeyid {
        match &self.method {
            AuthMethod::PreSharedKey(key) => Skeyid::pre_shared_key(hash, key.expose(), inputs),
        }
    }

    /// The payloads besides ID of the message by which the peer proves who it is.
    pub const fn rules(&self) -> &'static [PayloadRule] {
        match &self.method {
            AuthMethod::PreSharedKey(_) => psk::RULES,
        }
    }

    /// Makes this host's proof; `hash` is HASH_I or HASH_R over its ID payload.
    pub fn prove(&self, hash: &Mac) -> Proving {
        match &self.method {
            AuthMethod::PreSharedKey(_) => Proving::Ready(psk::prove(hash)),
        }
    }

    /// This host's proof, from the answer to what [`Self::prove`] asked.
    pub fn proven(&self, answer: Answer) -> Result<Proof, Failure> {
        match (&self.method, answer) {
            (AuthMethod::PreSharedKey(_), _) => Err(wrong_answer()),
        }
    }

    /// Reads the peer's proof from the payloads of a message that [`Self::rules`] allow.
    pub fn claim(&self, identity: Identity, chain: &Chain<'_>) -> Result<Claim, Reject> {
        match &self.method {
            AuthMethod::PreSharedKey(_) => psk::claim(identity, chain),
        }
    }

    /// Judges a claim; `hash` is the HASH_I or HASH_R of that `name` as it must be.
    pub fn judge(&self, claim: Claim, hash: &Mac, name: &'static str) -> Result<Judgement, Reject> {
        match &self.method {
            AuthMethod::PreSharedKey(_) => psk::verify(hash, claim, name).map(Judgement::Verified),
        }
    }

    /// Whether the rule wants this peer. The identity is authentic, so a wrong one ends the negotiation.
    pub fn admit(&self, verified: &PeerVerified) -> Result<(), Failure> {
        match &self.rule.remote_id {
            Some(allowed) if !allowed.matches(verified.identity()) => Err(Failure::IdentityMismatch {
                received: verified.identity().clone(),
                allowed: allowed.clone(),
                rule: self.rule.name.clone(),
            }),
            _ => Ok(()),
        }
    }
}

impl Unconfirmed {
    /// Takes the answer to the ask that came with it.
    pub fn confirm(self, answer: Answer) -> Result<PeerVerified, Failure> {
        match answer {
            Answer::KeyExchange(_) | Answer::Sa(_) | Answer::Xauth(_) | Answer::Address(_) => Err(wrong_answer()),
        }
    }
}

fn wrong_answer() -> Failure {
    Failure::Crypto { operation: "authentication", reason: "wrong answer".to_owned() }
}
