//! Main mode (RFC 2409 §5, the Identity Protection Exchange of ISAKMP).
//!
//! ```text
//! 1  HDR, SA          -->
//! 2               <--  HDR, SA
//! 3  HDR, KE, Ni      -->
//! 4               <--  HDR, KE, Nr
//! 5  HDR*, IDii, proof -->
//! 6               <--  HDR*, IDir, proof
//! ```
//!
//! What the proof is, the authentication method says: HASH_I and HASH_R with a pre-shared key (§5.4), certificates and
//! signatures (§5.1).
pub mod initiator;
mod msgs;
pub mod responder;

use super::Cx;
use super::message::Incoming;
use super::phase1::Established;
use super::step::{Role as ExchangeRole, Step};
use super::vendor::Announced;
use super::work::Answer;
use crate::event::{Failure, Reject};
use crate::ids::Cookies;
use crate::proposal::suite::IkeSuite;

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

    /// What the peer has announced so far.
    pub fn announced(&self) -> Announced {
        match self {
            Self::Initiator(state) => state.announced(),
            Self::Responder(state) => state.announced(),
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
