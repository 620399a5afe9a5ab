//! The hashes that authenticate the messages of phase 2 (RFC 2409 §5.5 and §5.7).
//!
//! In all of them `a` is SKEYID_a, and `rest` the whole of the message after the HASH payload, payload headers
//! included and padding excluded, as received (RFC 2409 §5.5).
use super::prf::{Mac, PrfKey};
use crate::ids::MessageId;

#[cfg(test)]
mod tests;

/// HASH(1) = prf(SKEYID_a, M-ID | SA | Ni [ | KE ] [ | IDci | IDcr ]).
pub fn hash_1(a: &PrfKey, message_id: MessageId, rest: &[u8]) -> Mac {
    a.sign(&[&message_id.0.to_be_bytes(), rest])
}

/// True if `received` is [`hash_1`].
pub fn verify_hash_1(a: &PrfKey, message_id: MessageId, rest: &[u8], received: &[u8]) -> bool {
    a.verify(&[&message_id.0.to_be_bytes(), rest], received)
}

/// HASH(2) = prf(SKEYID_a, M-ID | Ni_b | SA | Nr [ | KE ] [ | IDci | IDcr ]). `ni` is the body of the initiator's nonce
/// payload.
pub fn hash_2(a: &PrfKey, message_id: MessageId, ni: &[u8], rest: &[u8]) -> Mac {
    a.sign(&[&message_id.0.to_be_bytes(), ni, rest])
}

/// True if `received` is [`hash_2`].
pub fn verify_hash_2(a: &PrfKey, message_id: MessageId, ni: &[u8], rest: &[u8], received: &[u8]) -> bool {
    a.verify(&[&message_id.0.to_be_bytes(), ni, rest], received)
}

/// HASH(3) = prf(SKEYID_a, 0 | M-ID | Ni_b | Nr_b), the zero one octet. `ni` and `nr` are the bodies of the nonce
/// payloads.
pub fn hash_3(a: &PrfKey, message_id: MessageId, ni: &[u8], nr: &[u8]) -> Mac {
    a.sign(&[&[0], &message_id.0.to_be_bytes(), ni, nr])
}

/// True if `received` is [`hash_3`].
pub fn verify_hash_3(a: &PrfKey, message_id: MessageId, ni: &[u8], nr: &[u8], received: &[u8]) -> bool {
    a.verify(&[&[0], &message_id.0.to_be_bytes(), ni, nr], received)
}

/// The hash of an informational exchange, prf(SKEYID_a, M-ID | N/D) (RFC 2409 §5.7); that of the transaction exchange
/// of configuration mode is the same.
pub fn informational(a: &PrfKey, message_id: MessageId, rest: &[u8]) -> Mac {
    a.sign(&[&message_id.0.to_be_bytes(), rest])
}

/// HASH(2) of an acknowledged delete, prf(SKEYID_a, Ni_b | M-ID | Nr | D), as Windows has it. `ni` is the body of the nonce
/// payload of the delete.
pub fn acknowledgement(a: &PrfKey, ni: &[u8], message_id: MessageId, rest: &[u8]) -> Mac {
    a.sign(&[ni, &message_id.0.to_be_bytes(), rest])
}

/// True if `received` is [`acknowledgement`].
pub fn verify_acknowledgement(a: &PrfKey, ni: &[u8], message_id: MessageId, rest: &[u8], received: &[u8]) -> bool {
    a.verify(&[ni, &message_id.0.to_be_bytes(), rest], received)
}

/// True if `received` is [`informational`].
pub fn verify_informational(a: &PrfKey, message_id: MessageId, rest: &[u8], received: &[u8]) -> bool {
    a.verify(&[&message_id.0.to_be_bytes(), rest], received)
}
