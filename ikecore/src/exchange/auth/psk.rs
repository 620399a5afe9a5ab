//! Authentication with a pre-shared key (RFC 2409 §5.4): HASH_I and HASH_R themselves are the proof, since SKEYID comes
//! from the key.
use super::PeerVerified;
use crate::crypto::prf::Mac;
use crate::event::{Failure, Reject};
use crate::identity::Identity;
use crate::policy::rule::{AuthMethod, Rule};
use crate::secret::Secret;
use std::sync::Arc;
use subtle::ConstantTimeEq;

/// The pre-shared key of a rule.
pub fn key_of(rule: &Rule) -> Option<Arc<Secret<Vec<u8>>>> {
    rule.authentication.iter().map(|AuthMethod::PreSharedKey(key)| Arc::clone(key)).next()
}

/// Compares the peer's hash with the one computed; then the identity that it covers is the peer's.
pub fn verify(computed: &Mac, received: &[u8], name: &'static str, identity: Identity) -> Result<PeerVerified, Reject> {
    if bool::from(computed.as_ref().ct_eq(received)) { Ok(PeerVerified { identity }) } else { Err(Reject::Hash(name)) }
}

/// Whether the rule wants this peer. The identity is authentic, so a wrong one ends the negotiation.
pub fn admit(verified: &PeerVerified, rule: &Rule) -> Result<(), Failure> {
    match &rule.remote_id {
        Some(allowed) if !allowed.matches(verified.identity()) => Err(Failure::IdentityMismatch {
            received: verified.identity().clone(),
            allowed: allowed.clone(),
            rule: rule.name.clone(),
        }),
        _ => Ok(()),
    }
}
