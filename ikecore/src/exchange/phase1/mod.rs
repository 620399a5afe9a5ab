//! What the modes of phase 1 share: choosing the rule, the algorithms and the authentication method, the payloads and
//! what is read from them, the keys, and the ISAKMP SA that comes of it. How a mode arranges them in messages is its own.
mod choice;
mod keys;
mod payloads;
mod ports;
mod settled;

pub use choice::{Choice, offer};
pub use keys::{IkeKeys, Phase1Keys};
pub use payloads::{
    PeerKe, announced, id_body, initial_contact, key_exchange, peer_identity, push_initial_contact, push_ke,
    push_vendors, requests, shared_secret, trace_vendors,
};
pub use ports::{Ports, initiators_path};
pub use settled::{Closing, Contributions, SaPayload, Settled};

use super::Path;
use super::auth::PeerVerified;
use super::natt::{Nat, Revision};
use super::vendor::Announced;
use crate::event::negotiation::Role;
use crate::policy::rule::Rule;
use crate::proposal::suite::Lifetime;
use std::sync::Arc;

/// An ISAKMP SA that stands.
pub struct Established {
    /// Its keys.
    pub keys: Arc<IkeKeys>,
    /// Which end began.
    pub role: Role,
    /// The rule.
    pub rule: Arc<Rule>,
    /// Its life.
    pub lifetime: Lifetime,
    /// Who the peer is.
    pub peer: PeerVerified,
    /// From where to where.
    pub path: Path,
    /// What NAT detection found.
    pub nat: Nat,
    /// The revision of NAT traversal that both speak.
    pub revision: Option<Revision>,
    /// The peer says that it has no earlier SA with this host.
    pub initial_contact: bool,
    /// What the peer's vendor IDs announce.
    pub announced: Announced,
}
