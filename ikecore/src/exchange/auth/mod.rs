//! Authentication of phase 1, apart from the mode: which methods a rule offers, how SKEYID comes about, what this host
//! sends to prove who it is, and what the peer must send.
//!
//! A proof may need what only others can do: a signature, the check of a certificate chain. Then [`Proving`] or
//! [`Judgement`] is an ask, and the exchange waits for its answer in a state of its own.
//!
//! In hybrid authentication the gateway signs, and the client sends its hash alone, which proves no more than that it did the
//! Diffie-Hellman computation. So what the client's ID payload says is not looked at: until its user has proven itself by
//! extended authentication the client is [`Identity::Nobody`], and it stays that beside its user.
mod methods;
mod proven;
mod psk;
mod signature;

use super::Cx;
use super::phase1::id_body;
use super::work::{Answer, Ask, Sign};
use crate::certificate::{Certificate, CertificateFault, Trust};
use crate::crypto::hash::HashAlg;
use crate::crypto::prf::Mac;
use crate::crypto::signature::SignatureAlg;
use crate::crypto::skeyid::{Inputs, Skeyid};
use crate::event::negotiation::Role;
use crate::event::{EventKind, Failure, IkeSaEvent, Reject};
use crate::identity::{Identity, IdentityError};
use crate::policy::rule::{AuthMethod, OwnCertificate, Rule};
use crate::secret::Secret;
use crate::wire::{AuthenticationMethod, Chain, ChainWriter, IdType, PayloadRule, PayloadType};
use methods::code;
pub use proven::Proven;
use std::net::IpAddr;
use std::sync::Arc;

/// The proof that a peer has authenticated itself, as far as the method wants it in phase 1. Only the modules of this
/// folder can make one, and an ISAKMP SA cannot be established without it.
#[derive(Debug)]
pub struct PeerVerified {
    identity: Identity,
}

impl PeerVerified {
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
    Signature {
        algorithm: SignatureAlg,
        /// What this host may sign by; none: it is the client of hybrid authentication, and sends its hash.
        own: Vec<Arc<OwnCertificate>>,
        /// Whose certificates the peer may have; none: it is the client, and sends its hash.
        trusts: Vec<Arc<Trust>>,
    },
}

/// Whom this host proves to be, and by what.
#[derive(Clone)]
pub struct Credential {
    id: Vec<u8>,
    means: Means,
}

#[derive(Clone)]
enum Means {
    Hash,
    Signature(Arc<OwnCertificate>),
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

/// The authorities of all methods of a rule, whose certificates a peer is asked for before a method is chosen.
pub struct Requests(Vec<Arc<Trust>>);

impl Requests {
    /// Adds a CERTREQ for each.
    pub fn push(&self, chain: &mut ChainWriter) {
        signature::push_requests(&self.0, chain);
    }
}

/// What the first message of aggressive mode says before a method is chosen.
pub struct Announcement {
    /// The rule with those of its methods by which this host proves what `id` says.
    pub rule: Arc<Rule>,
    /// The body of this host's ID payload.
    pub id: Vec<u8>,
    /// The authorities that it asks for.
    pub requests: Requests,
}

/// What this host at `local` says in the first message of aggressive mode: its identity is that of the rule's first method.
pub fn announce(rule: &Arc<Rule>, local: IpAddr) -> Option<Announcement> {
    let id = |method: &AuthMethod| {
        let own: &[_] = method.own().map_or(&[], core::slice::from_ref);
        credential(own, &[], rule.local_id.as_ref(), local, matches!(method, AuthMethod::Hybrid(_))).id
    };
    let first = id(rule.authentication.first()?);
    let methods: Vec<AuthMethod> = rule.authentication.iter().filter(|method| id(method) == first).cloned().collect();
    let requests = Requests(methods.iter().filter_map(AuthMethod::trust).map(Arc::clone).collect());
    let rule = if methods.len() == rule.authentication.len() {
        Arc::clone(rule)
    } else {
        Arc::new(Rule { authentication: methods, ..rule.as_ref().clone() })
    };
    Some(Announcement { rule, id: first, requests })
}

/// Whom this host at `local` proves to be. The client of hybrid authentication proves no identity, and names none unless it
/// is told to (draft-ietf-ipsec-isakmp-hybrid-auth-05 §4.2).
fn credential(
    own: &[Arc<OwnCertificate>],
    requests: &[Vec<u8>],
    configured: Option<&Identity>,
    local: IpAddr,
    hybrid: bool,
) -> Credential {
    let address = Identity::Address(local);
    signature::credential(own, requests, configured, &address).unwrap_or_else(|| {
        let default = if hybrid { &Identity::Nobody } else { &address };
        Credential { id: id_body(configured.unwrap_or(default)), means: Means::Hash }
    })
}

impl Authentication {
    /// The methods of a rule that were chosen as `code`. Of pre-shared keys the first counts: nothing in main mode says
    /// before the keys are needed which of several the peer has.
    pub fn chosen(rule: &Arc<Rule>, chosen: AuthenticationMethod, role: Role) -> Option<Self> {
        let all = || rule.authentication.iter().filter(|method| code(rule, method, role) == Some(chosen));
        let methods = match all().next()? {
            AuthMethod::PreSharedKey(key) => Methods::PreSharedKey(Arc::clone(key)),
            AuthMethod::Certificate(_) | AuthMethod::Hybrid(_) => {
                let own: Vec<_> = all().filter_map(AuthMethod::own).map(Arc::clone).collect();
                // Of hybrid authentication there is one kind.
                let algorithm = own.first().map_or(SignatureAlg::Rsa, |own| own.algorithm());
                let trusts = all().filter_map(AuthMethod::trust).map(Arc::clone).collect();
                Methods::Signature { algorithm, own, trusts }
            }
        };
        Some(Self { rule: Arc::clone(rule), methods })
    }

    /// The rule.
    pub const fn rule(&self) -> &Arc<Rule> {
        &self.rule
    }

    /// SKEYID and what comes of it.
    pub fn skeyid(&self, hash: HashAlg, inputs: &Inputs<'_>) -> Skeyid {
        match &self.methods {
            Methods::PreSharedKey(key) => Skeyid::pre_shared_key(hash, key.expose(), inputs),
            Methods::Signature { algorithm, .. } => Skeyid::signature(hash, algorithm.hash().unwrap_or(hash), inputs),
        }
    }

    /// The payloads besides ID of the message by which the peer proves who it is.
    pub fn rules(&self) -> &'static [PayloadRule] {
        match &self.methods {
            Methods::Signature { trusts, .. } if !trusts.is_empty() => signature::RULES,
            Methods::PreSharedKey(_) | Methods::Signature { .. } => psk::RULES,
        }
    }

    /// Adds what asks the peer for certificates of the authorities that the rule trusts.
    pub fn push_requests(&self, chain: &mut ChainWriter) {
        if let Methods::Signature { trusts, .. } = &self.methods {
            signature::push_requests(trusts, chain);
        }
    }

    /// Whom this host is to prove to be at the address `local`; of certificates one of an authority that the peer asked
    /// for, if there is any.
    pub fn credential(&self, requests: &[Vec<u8>], local: IpAddr) -> Credential {
        let (own, hybrid): (&[_], _) = match &self.methods {
            Methods::PreSharedKey(_) => (&[], false),
            Methods::Signature { own, .. } => (own, own.is_empty()),
        };
        credential(own, requests, self.rule.local_id.as_ref(), local, hybrid)
    }

    /// Makes this host's proof; `hash` is HASH_I or HASH_R over its ID payload.
    pub fn prove(&self, credential: &Credential, hash: &Mac) -> Proving {
        match &credential.means {
            Means::Hash => Proving::Ready(psk::prove(hash)),
            Means::Signature(own) => {
                Proving::Ask(Ask::Sign(Sign { own: Arc::clone(own), hash: hash.as_ref().to_vec() }))
            }
        }
    }

    /// This host's proof, from the answer to what [`Self::prove`] asked.
    pub fn proven(&self, credential: &Credential, answer: Answer) -> Result<Proof, Failure> {
        match (&credential.means, answer) {
            (Means::Signature(own), Answer::Sign(signed)) => {
                signed.map(|signature| signature::proof(own, signature)).map_err(|fault| self.certificate(fault))
            }
            _ => Err(wrong_answer()),
        }
    }

    /// Reads the peer's proof from the payloads of a message that [`Self::rules`] allow.
    pub fn claim(&self, identity: Identity, chain: &Chain<'_>) -> Result<Claim, Reject> {
        match &self.methods {
            Methods::Signature { trusts, .. } if trusts.is_empty() => psk::claim(Identity::Nobody, chain),
            _ if identity == Identity::Nobody => Err(Reject::Identity(IdentityError::Type(IdType(0)).to_string())),
            Methods::PreSharedKey(_) => psk::claim(identity, chain),
            Methods::Signature { .. } => {
                signature::claim(identity, chain).map_err(|fault| Reject::Refused(self.certificate(fault)))
            }
        }
    }

    /// Judges a claim; `hash` is the HASH_I or HASH_R of that `name` as it must be.
    pub fn judge(&self, claim: Claim, hash: &Mac, name: &'static str) -> Result<Judgement, Reject> {
        match &self.methods {
            Methods::Signature { algorithm, trusts, .. } if !trusts.is_empty() => {
                signature::judge(trusts, *algorithm, claim, hash)
                    .map_err(|fault| Reject::Refused(self.certificate(fault)))
            }
            Methods::PreSharedKey(_) | Methods::Signature { .. } => {
                psk::verify(hash, claim, name).map(Judgement::Verified)
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

    /// Whether the rule wants this peer, which is at the address `peer`, behind a NAT or not; tells who it is. The identity
    /// is authentic, so a wrong one ends the negotiation.
    pub fn admit(
        &self,
        verified: &PeerVerified,
        peer: IpAddr,
        behind_nat: bool,
        cx: &mut Cx<'_>,
    ) -> Result<(), Failure> {
        let signed = matches!(&self.methods, Methods::Signature { trusts, .. } if !trusts.is_empty());
        let identity = verified.identity();
        admit(&self.rule, signed, identity, peer, behind_nat)?;
        if *identity != Identity::Nobody {
            cx.trace.step(|| EventKind::IkeSa(IkeSaEvent::Authenticated { identity: identity.clone() }));
        }
        Ok(())
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
