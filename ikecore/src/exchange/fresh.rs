//! What an exchange draws anew: nonces and private values.
use super::Cx;
use super::work::{Ask, KeyExchange};
use crate::crypto::group::{Group, PrivateKey};
use crate::event::Failure;
use crate::rng::SecureRandom;

/// Octets of this host's nonces (RFC 2409 §5: between 8 and 256).
const NONCE_LEN: usize = 32;

/// A nonce of this host.
pub fn nonce(rng: &mut dyn SecureRandom) -> Result<Vec<u8>, Failure> {
    let mut nonce = vec![0; NONCE_LEN];
    rng.fill(&mut nonce).map_err(|error| Failure::Crypto { operation: "making a nonce", reason: error.to_string() })?;
    Ok(nonce)
}

/// Asks for a key pair of this host and, with the public value of the peer, for the shared secret.
pub fn key_pair(group: Group, peer: Option<&[u8]>, cx: &mut Cx<'_>) -> Result<Ask, Failure> {
    let private = PrivateKey::random(group, cx.rng)
        .map_err(|error| Failure::Crypto { operation: "making a private value", reason: error.to_string() })?;
    Ok(Ask::KeyExchange(KeyExchange::Derive { private, peer: peer.map(<[u8]>::to_vec) }))
}
