//! Authentication with a pre-shared key (RFC 2409 §5.4): HASH_I and HASH_R themselves are the proof, since SKEYID comes
//! from the key.
use super::{Claim, PeerVerified, Proof};
use crate::crypto::prf::Mac;
use crate::event::Reject;
use crate::identity::Identity;
use crate::wire::{Chain, PayloadRule, PayloadType};
use subtle::ConstantTimeEq;

/// What the peer sends besides ID.
pub(super) const RULES: &[PayloadRule] = &[PayloadRule::one(PayloadType::HASH)];

/// This host's proof.
pub(super) fn prove(hash: &Mac) -> Proof {
    Proof { payloads: vec![(PayloadType::HASH, hash.as_ref().to_vec())] }
}

/// Reads the peer's proof.
pub(super) fn claim(identity: Identity, chain: &Chain<'_>) -> Result<Claim, Reject> {
    let hash = chain.one(PayloadType::HASH).ok_or(Reject::Hash("the message, which has no HASH,"))?;
    Ok(Claim { identity, proof: hash.body.to_vec(), certificates: Vec::new() })
}

/// Compares the peer's hash with the one computed; then the identity that it covers is the peer's.
pub(super) fn verify(computed: &Mac, claim: Claim, name: &'static str) -> Result<PeerVerified, Reject> {
    let Claim { identity, proof, .. } = claim;
    if bool::from(computed.as_ref().ct_eq(&proof)) { Ok(PeerVerified { identity }) } else { Err(Reject::Hash(name)) }
}
