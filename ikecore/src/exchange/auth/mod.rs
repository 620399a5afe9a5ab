//! Authentication of phase 1, apart from the mode: which methods a rule offers, how SKEYID comes about, what this host
//! sends to prove who it is, and what the peer must send.
//!
//! A proof may need what only others can do: a signature, the check of a certificate chain. Then [`Proving`] or
//! [`Judgement`] is an ask, and the exchange waits for its answer in a state of its own.
mod methods;
mod proven;
mod psk;
mod signature;

use super::phase1::id_body;
use super::work::{Answer, Ask, Sign};
use crate::certificate::{Certificate, CertificateFault};
use crate::crypto::hash::HashAlg;
use crate::crypto::prf::Mac;
use crate::crypto::skeyid::{Inputs, Skeyid};
use crate::event::negotiation::Role;
use crate::event::{Failure, Reject};
use crate::identity::Identity;
use crate::policy::rule::{AuthMethod, CertificateMethod, Rule};
use crate::secret::Secret;
use crate::wire::{AuthenticationMethod, Chain, ChainWriter, PayloadRule, PayloadType};
use methods::code;
pub use proven::Proven;
use std::net::IpAddr;
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

/// How the two ends of one phase 1 prove who they are.
#[derive(Clone)]
pub struct Authentication {
    rule: Arc<Rule>,
    methods: Methods,
}

/// The methods of a rule that are offered as one: any of them may be it.
#[derive(Clone)]
enum Methods {
    PreSharedKey(Arc<Secret<Vec<u8>>>),
    Signature(Vec<Arc<CertificateMethod>>),
}

/// Whom this host proves to be, and by what.
#[derive(Clone)]
pub struct Credential {
    id: Vec<u8>,
    means: Means,
}

#[derive(Clone)]
enum Means {
    PreSharedKey,
    Signature(Arc<CertificateMethod>),
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
    /// The body of HASH or SIG.
    proof: Vec<u8>,
    certificates: Vec<Certificate>,
}

/// What comes of a claim.
pub enum Judgement {
    /// The peer is who it claims to be.
    Verified(PeerVerified),
    /// So far all is well; the answer goes to [`Authentication::confirm`].
    Ask(Unconfirmed, Ask),
}

/// A claim that was judged as far as it can be without asking.
pub struct Unconfirmed {
    identity: Identity,
}

/// As which IKE authentication methods a rule's methods are offered by this host in this role, in the rule's order.
pub fn offered(rule: &Rule, role: Role) -> Vec<AuthenticationMethod> {
    let mut codes = Vec::new();
    for code in rule.authentication.iter().filter_map(|method| code(rule, method, role)) {
        if !codes.contains(&code) {
            codes.push(code);
        }
    }
    codes
}

impl Authentication {
    /// The methods of a rule that were chosen as `code`. Of pre-shared keys the first counts: nothing in main mode says
    /// before the keys are needed which of several the peer has.
    pub fn chosen(rule: &Arc<Rule>, chosen: AuthenticationMethod, role: Role) -> Option<Self> {
        let mut certificates = Vec::new();
        for method in rule.authentication.iter().filter(|method| code(rule, method, role) == Some(chosen)) {
            match method {
                AuthMethod::PreSharedKey(key) => {
                    let methods = Methods::PreSharedKey(Arc::clone(key));
                    return Some(Self { rule: Arc::clone(rule), methods });
                }
                AuthMethod::Certificate(method) => certificates.push(Arc::clone(method)),
            }
        }
        let methods = Methods::Signature(certificates);
        matches!(&methods, Methods::Signature(some) if !some.is_empty())
            .then(|| Self { rule: Arc::clone(rule), methods })
    }

    /// The rule.
    pub const fn rule(&self) -> &Arc<Rule> {
        &self.rule
    }

    /// SKEYID and what comes of it.
    pub fn skeyid(&self, hash: HashAlg, inputs: &Inputs<'_>) -> Skeyid {
        match &self.methods {
            Methods::PreSharedKey(key) => Skeyid::pre_shared_key(hash, key.expose(), inputs),
            Methods::Signature(methods) => {
                let tied = methods.first().and_then(|method| method.certificate.key().algorithm().hash());
                Skeyid::signature(hash, tied.unwrap_or(hash), inputs)
            }
        }
    }

    /// The payloads besides ID of the message by which the peer proves who it is.
    pub const fn rules(&self) -> &'static [PayloadRule] {
        match &self.methods {
            Methods::PreSharedKey(_) => psk::RULES,
            Methods::Signature(_) => signature::RULES,
        }
    }

    /// Adds what asks the peer for certificates of the authorities that the rule trusts.
    pub fn push_requests(&self, chain: &mut ChainWriter) {
        if let Methods::Signature(methods) = &self.methods {
            signature::push_requests(methods, chain);
        }
    }

    /// Whom this host is to prove to be at the address `local`; of certificates one of an authority that the peer asked
    /// for, if there is any.
    pub fn credential(&self, requests: &[Vec<u8>], local: IpAddr) -> Credential {
        let own = || Identity::Address(local);
        let configured = self.rule.local_id.as_ref();
        match &self.methods {
            Methods::PreSharedKey(_) => {
                Credential { id: id_body(&configured.cloned().unwrap_or_else(own)), means: Means::PreSharedKey }
            }
            Methods::Signature(methods) => signature::credential(methods, requests, configured, &own()),
        }
    }

    /// Makes this host's proof; `hash` is HASH_I or HASH_R over its ID payload.
    pub fn prove(&self, credential: &Credential, hash: &Mac) -> Proving {
        match &credential.means {
            Means::PreSharedKey => Proving::Ready(psk::prove(hash)),
            Means::Signature(method) => {
                Proving::Ask(Ask::Sign(Sign { method: Arc::clone(method), hash: hash.as_ref().to_vec() }))
            }
        }
    }

    /// This host's proof, from the answer to what [`Self::prove`] asked.
    pub fn proven(&self, credential: &Credential, answer: Answer) -> Result<Proof, Failure> {
        match (&credential.means, answer) {
            (Means::Signature(method), Answer::Sign(signed)) => {
                signed.map(|signature| signature::proof(method, signature)).map_err(|fault| self.certificate(fault))
            }
            _ => Err(wrong_answer()),
        }
    }

    /// Reads the peer's proof from the payloads of a message that [`Self::rules`] allow.
    pub fn claim(&self, identity: Identity, chain: &Chain<'_>) -> Result<Claim, Reject> {
        match &self.methods {
            Methods::PreSharedKey(_) => psk::claim(identity, chain),
            Methods::Signature(_) => {
                signature::claim(identity, chain).map_err(|fault| Reject::Refused(self.certificate(fault)))
            }
        }
    }

    /// Judges a claim; `hash` is the HASH_I or HASH_R of that `name` as it must be.
    pub fn judge(&self, claim: Claim, hash: &Mac, name: &'static str) -> Result<Judgement, Reject> {
        match &self.methods {
            Methods::PreSharedKey(_) => psk::verify(hash, claim, name).map(Judgement::Verified),
            Methods::Signature(methods) => {
                signature::judge(methods, claim, hash).map_err(|fault| Reject::Refused(self.certificate(fault)))
            }
        }
    }

    /// Takes the answer to what [`Self::judge`] asked.
    pub fn confirm(&self, claim: Unconfirmed, answer: Answer) -> Result<PeerVerified, Failure> {
        match answer {
            Answer::VerifyChain(Ok(())) => Ok(PeerVerified { identity: claim.identity }),
            Answer::VerifyChain(Err(fault)) => Err(self.certificate(fault)),
            _ => Err(wrong_answer()),
        }
    }

    /// Whether the rule wants this peer, which is at the address `peer`, behind a NAT or not. The identity is authentic, so
    /// a wrong one ends the negotiation.
    pub fn admit(&self, verified: &PeerVerified, peer: IpAddr, behind_nat: bool) -> Result<(), Failure> {
        let signed = matches!(&self.methods, Methods::Signature(_));
        admit(&self.rule, signed, verified.identity(), peer, behind_nat)
    }

    fn certificate(&self, fault: CertificateFault) -> Failure {
        Failure::Certificate { fault, rule: self.rule.name.clone() }
    }
}

impl Credential {
    /// The body of this host's ID payload.
    pub fn id(&self) -> &[u8] {
        &self.id
    }
}

/// Whether `rule` wants a peer that has proven this identity; `signed`: by a certificate.
fn admit(rule: &Rule, signed: bool, identity: &Identity, peer: IpAddr, behind_nat: bool) -> Result<(), Failure> {
    match &rule.remote_id {
        // RFC 4945 §3.1.1: by default an address must be the peer's own. Behind a NAT it cannot be.
        None if signed && !behind_nat && matches!(identity, Identity::Address(address) if *address != peer) => {
            let fault = CertificateFault::OtherAddress { identity: identity.clone(), peer };
            Err(Failure::Certificate { fault, rule: rule.name.clone() })
        }
        Some(allowed) if !allowed.matches(identity) => Err(Failure::IdentityMismatch {
            received: identity.clone(),
            allowed: allowed.clone(),
            rule: rule.name.clone(),
        }),
        _ => Ok(()),
    }
}

fn wrong_answer() -> Failure {
    Failure::Crypto { operation: "authentication", reason: "wrong answer".to_owned() }
}
