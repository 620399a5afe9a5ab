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

use super::side::Side;

/// Main mode in either role.
pub type MainMode = Side<initiator::State, responder::State>;
