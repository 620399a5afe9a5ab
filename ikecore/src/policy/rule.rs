//! The compiled policy objects: what the engine negotiates with whom.
use super::remote_access::{ModeConfig, Xauth};
use super::selector::{Direction, Flow, Prefix, Selector, transport_selector};
use crate::certificate::{Certificate, Trust};
use crate::crypto::signature::SignatureAlg;
use crate::identity::{Identity, Required};
use crate::proposal::offer::{MainModeOffer, QuickModeOffer};
use crate::proposal::suite::{Lifetime, Mode};
use crate::secret::Secret;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

/// How main mode is negotiated (the ISAKMP policy).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MainModePolicy {
    /// The name for people.
    pub name: String,
    /// At least one.
    pub offers: Vec<MainModeOffer>,
    /// The life of the ISAKMP SA.
    pub lifetime: Lifetime,
    /// How many quick modes one ISAKMP SA may serve; 0 is no limit.
    pub quick_mode_limit: u32,
    /// The life of soft SAs, seconds; 0 is no limit.
    pub soft_lifetime: u32,
}

/// How traffic is protected (the filter action "negotiate").
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct QuickModePolicy {
    /// The name for people.
    pub name: String,
    /// At least one; all with the same `pfs` (RFC 2409 §5.5 allows one group in a quick mode).
    pub offers: Vec<QuickModeOffer>,
    /// Clear-text packets that arrive and match are accepted (the answer will be protected).
    pub inbound_passthrough: bool,
    /// If the peer does not answer IKE at all, traffic with it passes in clear for a time (a soft SA). In transport mode
    /// only: a tunnel leads to hosts that clear packets would not reach.
    pub fallback_to_clear: bool,
    /// SAs that carry nothing for so many seconds end; 0: they live on.
    pub idle: u32,
}

/// A way to prove who one is.
#[derive(Clone, Debug)]
pub enum AuthMethod {
    /// A pre-shared key.
    PreSharedKey(Arc<Secret<Vec<u8>>>),
    /// Signatures by the keys of certificates.
    Certificate(Arc<CertificateMethod>),
    /// Only the gateway signs; the client's user proves itself by extended authentication
    /// (draft-ietf-ipsec-isakmp-hybrid-auth-05).
    Hybrid(HybridMethod),
}

impl AuthMethod {
    /// True if both prove the same by the same means.
    pub fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::PreSharedKey(one), Self::PreSharedKey(other)) => one.ct_eq(other.expose()),
            (Self::Certificate(one), Self::Certificate(other)) => one == other,
            (Self::Hybrid(one), Self::Hybrid(other)) => one == other,
            _ => false,
        }
    }

    /// True if what proves a peer by `used` proves it by this method too: the same key, or a certificate of the same
    /// authorities. What this host itself shows may differ.
    pub fn takes_proof_of(&self, used: &Self) -> bool {
        match (self, used) {
            // The client has proven nothing by it. What its user has is for the rule's extended authentication to say.
            (Self::Hybrid(HybridMethod::Gateway(_)), Self::Hybrid(HybridMethod::Gateway(_))) => true,
            _ => match (self.trust(), used.trust()) {
                (Some(one), Some(other)) => one.takes_the_same(other),
                _ => self.is_same(used),
            },
        }
    }

    /// Whose certificates the peer may have, if it must have one.
    pub fn trust(&self) -> Option<&Arc<Trust>> {
        match self {
            Self::Certificate(method) => Some(&method.trust),
            Self::Hybrid(HybridMethod::Client(trust)) => Some(trust),
            Self::PreSharedKey(_) | Self::Hybrid(HybridMethod::Gateway(_)) => None,
        }
    }

    /// By what this host signs, if it does.
    pub fn own(&self) -> Option<&Arc<OwnCertificate>> {
        match self {
            Self::Certificate(method) => Some(&method.own),
            Self::Hybrid(HybridMethod::Gateway(own)) => Some(own),
            Self::PreSharedKey(_) | Self::Hybrid(HybridMethod::Client(_)) => None,
        }
    }
}

/// How certificates authenticate the two ends.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CertificateMethod {
    /// By what this host proves who it is. The kind of its key is the kind of signature that both ends make.
    pub own: Arc<OwnCertificate>,
    /// Whose certificates the peer may have.
    pub trust: Arc<Trust>,
}

/// This host's end of hybrid authentication.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum HybridMethod {
    /// It signs, with an RSA key.
    Gateway(Arc<OwnCertificate>),
    /// It checks the gateway's certificate.
    Client(Arc<Trust>),
}

/// By what this host signs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OwnCertificate {
    /// This host's certificate.
    pub certificate: Certificate,
    /// The certificates of its issuers, as far as the peer may not have them.
    pub issuers: Vec<Certificate>,
    /// The file with the private key: it is read whenever a signature is made, and never kept.
    pub private_key: PathBuf,
}

impl OwnCertificate {
    /// The kind of signature that its key makes.
    pub fn algorithm(&self) -> SignatureAlg {
        self.certificate.key().algorithm()
    }
}

/// What a rule does with the traffic of its filters.
#[derive(Clone, Debug)]
pub enum RuleAction {
    /// Pass in clear.
    Permit,
    /// Drop.
    Block,
    /// Pass in clear what goes this way, and drop what goes the other.
    PermitOnly(Direction),
    /// Protect by negotiated SAs.
    Negotiate(Arc<QuickModePolicy>),
}

impl RuleAction {
    /// What becomes of packets that go one way: `permit`, `block` or `negotiate`.
    pub fn word(&self, direction: Direction) -> &'static str {
        match self {
            Self::Permit => "permit",
            Self::Block => "block",
            Self::PermitOnly(way) => {
                if *way == direction {
                    "permit"
                } else {
                    "block"
                }
            }
            Self::Negotiate(_) => "negotiate",
        }
    }

    /// The same of all packets that a filter with this `direction` can be for, for people.
    pub fn words(&self, direction: Option<Direction>) -> &'static str {
        match (self, direction) {
            (Self::PermitOnly(Direction::Inbound), None) => "permit inbound, block outbound",
            (Self::PermitOnly(Direction::Outbound), None) => "permit outbound, block inbound",
            _ => self.word(direction.unwrap_or(Direction::Outbound)),
        }
    }
}

/// The ends of a tunnel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TunnelEndpoints {
    /// This host's end; `None`: whatever address the route to `remote` gives.
    pub local: Option<IpAddr>,
    /// The peer; `None`: any that proves who it is. Then this host never begins.
    pub remote: Option<IpAddr>,
}

impl TunnelEndpoints {
    /// This host's end: the address that is given, else the first of `local_addresses` that is of the peer's family.
    pub fn source(&self, local_addresses: &[Prefix]) -> Option<IpAddr> {
        let mut addresses = local_addresses.iter().map(|prefix| prefix.address());
        let fits = |address: &IpAddr| self.remote.is_none_or(|remote| address.is_ipv4() == remote.is_ipv4());
        self.local.or_else(|| addresses.find(fits))
    }
}

/// How a rule's peers are watched (RFC 3706).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DeadPeerDetection {
    /// A peer of which nothing was heard for so many seconds is asked; not 0.
    pub delay: u32,
    /// It is dead when it does not answer for so many seconds; not 0.
    pub timeout: u32,
    /// What becomes of what was negotiated with it.
    pub action: DeadPeerAction,
    /// It is asked even if no traffic went to it.
    pub periodic: bool,
}

/// What happens when a peer is dead. The policy stays in force in any case.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DeadPeerAction {
    /// The SAs end; the next packet has new ones negotiated.
    Hold,
    /// The SAs end, and new ones are negotiated at once, until they are there.
    Restart,
}

/// What happens to ISAKMP SAs of a rule whose peers prove the same identity from different addresses.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Uniqueness {
    /// They stand side by side.
    #[default]
    Keep,
    /// The older ends, with its IPsec SAs.
    Replace,
    /// The newer ends.
    Refuse,
}

/// A rule: filters, what to do with their traffic, and with whom.
#[derive(Clone, Debug)]
pub struct Rule {
    /// The name for people, unique in the database.
    pub name: String,
    /// The specific filters, as seen from this host.
    pub filters: Vec<Selector>,
    /// What to do.
    pub action: RuleAction,
    /// How main mode is negotiated with the peers of this rule.
    pub main_mode: Arc<MainModePolicy>,
    /// In order of preference; at least one if the action is to negotiate.
    pub authentication: Vec<AuthMethod>,
    /// Tunnel mode between these endpoints; `None` is transport mode.
    pub tunnel: Option<TunnelEndpoints>,
    /// The identity to send in main mode; `None`: this host's address.
    pub local_id: Option<Identity>,
    /// The identity that the peer must prove; `None`: any.
    pub remote_id: Option<Required>,
    /// Phase 1 is aggressive mode where this host begins, and may be where the peer begins. It exposes the pre-shared key to
    /// guessing.
    pub aggressive_mode: bool,
    /// Extended authentication after phase 1.
    pub xauth: Option<Xauth>,
    /// Mode Config after that.
    pub mode_config: Option<ModeConfig>,
    /// How its peers are watched; `None`: not at all.
    pub dpd: Option<DeadPeerDetection>,
    /// Whether an identity may be at several addresses.
    pub uniqueness: Uniqueness,
    /// The number that ties the driver's policies to the SAs of this rule; unique in the database, not 0.
    pub reqid: u32,
}

impl Rule {
    /// True if both authenticate by the same methods, in the same order.
    pub fn authenticates_like(&self, other: &Self) -> bool {
        self.authentication.len() == other.authentication.len()
            && self.authentication.iter().zip(&other.authentication).all(|(one, other)| one.is_same(other))
    }

    /// The mode of the rule's SAs.
    pub const fn mode(&self) -> Mode {
        if self.tunnel.is_some() { Mode::Tunnel } else { Mode::Transport }
    }

    /// What an SA is for that a packet of `flow`, which falls under `filter` of this rule, needs: in tunnel mode the
    /// filter itself, in transport mode [`transport_selector`].
    pub const fn sa_selector(&self, filter: &Selector, flow: &Flow) -> Selector {
        match self.mode() {
            Mode::Tunnel => *filter,
            Mode::Transport => transport_selector(filter, flow),
        }
    }

    /// True if traffic with a peer that does not answer passes in clear: see [`QuickModePolicy::fallback_to_clear`].
    pub fn falls_back(&self) -> bool {
        self.tunnel.is_none() && self.quick_mode().is_some_and(|policy| policy.fallback_to_clear)
    }

    /// The quick-mode policy, if the rule negotiates.
    pub const fn quick_mode(&self) -> Option<&Arc<QuickModePolicy>> {
        match &self.action {
            RuleAction::Negotiate(policy) => Some(policy),
            RuleAction::Permit | RuleAction::Block | RuleAction::PermitOnly(_) => None,
        }
    }
}
