//! The initialization vectors of ISAKMP messages (RFC 2409 Appendix B).
use core::fmt;

use super::hash::{Digest, HashAlg};
use crate::ids::MessageId;

#[cfg(test)]
mod tests;

/// The longest block of an ISAKMP cipher in octets.
pub(super) const MAX_BLOCK_LEN: usize = 16;

/// An initialization vector: one cipher block, at most 16 octets. Not a secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Iv {
    octets: [u8; MAX_BLOCK_LEN],
    len: usize,
}

impl Iv {
    /// The IV of the first encrypted message of phase 1: the first `block_len` octets of hash(g^xi | g^xr).
    pub fn phase_1(hash: HashAlg, block_len: usize, g_xi: &[u8], g_xr: &[u8]) -> Self {
        Self::first(block_len, &hash.digest(&[g_xi, g_xr]))
    }

    /// The IV of the first message of an exchange in phase 2: the first `block_len` octets of
    /// hash(last phase 1 ciphertext block | message ID).
    pub fn phase_2(hash: HashAlg, block_len: usize, last_phase_1_block: &[u8], message_id: MessageId) -> Self {
        Self::first(block_len, &hash.digest(&[last_phase_1_block, &message_id.0.to_be_bytes()]))
    }

    /// The IV of the next message of the same exchange: the last block of this message's `ciphertext`. The IV stays
    /// where `ciphertext` is shorter than a block.
    pub fn next(&self, ciphertext: &[u8]) -> Self {
        let last = ciphertext.len().checked_sub(self.len).and_then(|start| ciphertext.get(start..));
        last.map_or_else(|| self.clone(), |block| Self::of(self.len, block))
    }

    fn first(block_len: usize, digest: &Digest) -> Self {
        Self::of(block_len, digest.as_ref())
    }

    fn of(block_len: usize, from: &[u8]) -> Self {
        let mut octets = [0; MAX_BLOCK_LEN];
        let len = block_len.min(MAX_BLOCK_LEN);
        octets.iter_mut().take(len).zip(from).for_each(|(to, from)| *to = *from);
        Self { octets, len }
    }
}

impl AsRef<[u8]> for Iv {
    fn as_ref(&self) -> &[u8] {
        self.octets.get(..self.len).unwrap_or_default()
    }
}

impl fmt::Debug for Iv {
    /// Lower-case hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_ref().iter().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}
