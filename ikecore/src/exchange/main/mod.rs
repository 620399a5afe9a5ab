//! Main mode (RFC 2409 §5, the Identity Protection Exchange of ISAKMP), authenticated with a pre-shared key (§5.4).
//!
//! ```text
//! 1  HDR, SA          -->
//! 2               <--  HDR, SA
//! 3  HDR, KE, Ni      -->
//! 4               <--  HDR, KE, Nr
//! 5  HDR*, IDii, HASH_I -->
//! 6               <--  HDR*, IDir, HASH_R
//! ```
pub mod initiator;
mod msgs;
pub mod responder;

use super::auth::PeerVerified;
use super::message::Incoming;
use super::natt::{Nat, Revision};
use super::step::{Role as ExchangeRole, Step};
use super::vendor::Announced;
use super::work::Answer;
use super::{Cx, Path};
use crate::crypto::cipher::CipherKey;
use crate::crypto::iv::Iv;
use crate::crypto::prf::PrfKey;
use crate::crypto::skeyid::Skeyid;
use crate::event::negotiation::Role;
use crate::event::{Failure, Reject};
use crate::ids::{Cookies, MessageId};
use crate::policy::rule::Rule;
use crate::proposal::suite::{IkeSuite, Lifetime};
use std::sync::Arc;

/// The keys of an ISAKMP SA, as phase 2 uses them.
pub struct IkeKeys {
    /// Its cookies.
    pub cookies: Cookies,
    /// Its algorithms.
    pub suite: IkeSuite,
    skeyid: Arc<Skeyid>,
    /// Encrypts the messages.
    pub cipher: Arc<CipherKey>,
    /// The last ciphertext block of phase 1: the IVs of phase 2 come from it (RFC 2409 Appendix B).
    pub last_block: Iv,
}

impl IkeKeys {
    /// SKEYID_d: keying material of other SAs comes from it.
    pub fn d(&self) -> &PrfKey {
        &self.skeyid.d
    }

    /// SKEYID_a: authenticates phase 2 messages.
    pub fn a(&self) -> &PrfKey {
        &self.skeyid.a
    }

    /// The first IV of a phase 2 exchange.
    pub fn first_iv(&self, message_id: MessageId) -> Iv {
        let block = self.suite.cipher.block_len();
        Iv::phase_2(self.suite.hash, block, self.last_block.as_ref(), message_id)
    }
}

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

/// Main mode in either role.
pub enum MainMode {
    /// This host began.
    Initiator(initiator::State),
    /// The peer began.
    Responder(responder::State),
}

impl ExchangeRole for MainMode {
    type Outcome = Established;

    fn waits_for(&self) -> &'static str {
        match self {
            Self::Initiator(state) => state.waits_for(),
            Self::Responder(state) => state.waits_for(),
        }
    }

    fn receive(&self, message: &Incoming<'_>, cx: &mut Cx<'_>) -> Result<Step<Self>, Reject> {
        match self {
            Self::Initiator(state) => Ok(state.receive(message, cx)?.lift(Self::Initiator)),
            Self::Responder(state) => Ok(state.receive(message, cx)?.lift(Self::Responder)),
        }
    }

    fn answer(self, answer: Answer, cx: &mut Cx<'_>) -> Result<Step<Self>, Failure> {
        match self {
            Self::Initiator(state) => Ok(state.answer(answer, cx)?.lift(Self::Initiator)),
            Self::Responder(state) => Ok(state.answer(answer, cx)?.lift(Self::Responder)),
        }
    }
}

impl MainMode {
    /// True for a responder whose peer has not shown yet that messages reach it at its address.
    pub const fn is_unproven(&self) -> bool {
        match self {
            Self::Initiator(_) => false,
            Self::Responder(state) => state.is_unproven(),
        }
    }

    /// The algorithms and the responder's cookie, as far as they are chosen.
    pub fn progress(&self) -> (Option<IkeSuite>, Option<Cookies>) {
        match self {
            Self::Initiator(state) => state.progress(),
            Self::Responder(state) => state.progress(),
        }
    }
}
