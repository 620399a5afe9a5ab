//! AES-XCBC-MAC (RFC 3566 §4).
use core::fmt;

use zeroize::Zeroizing;

use crate::crypto::cipher::{CipherAlg, CipherKey};
use crate::crypto::error::CryptoError;

/// The block length of AES in octets.
const BLOCK: usize = 16;

/// A key of AES-XCBC-MAC: the three keys that are derived from it.
pub(super) struct Xcbc {
    /// K1, with which the blocks are chained.
    chain: CipherKey,
    /// K2, for a last block that is whole.
    whole: Zeroizing<[u8; BLOCK]>,
    /// K3, for a last block that was padded.
    padded: Zeroizing<[u8; BLOCK]>,
}

impl Xcbc {
    /// Prepares `key` of 16 octets.
    pub(super) fn new(key: &[u8]) -> Result<Self, CryptoError> {
        let root = CipherKey::new(CipherAlg::Aes128, key)?;
        // §4: K1, K2 and K3 are blocks of 1, 2 and 3, encrypted. One block in CBC mode without IV is that block alone.
        let derive = |octet| -> Result<_, CryptoError> {
            let mut block = Zeroizing::new([octet; BLOCK]);
            root.encrypt(&[0; BLOCK], &mut *block)?;
            Ok(block)
        };
        let chain = CipherKey::new(CipherAlg::Aes128, &*derive(1)?)?;
        Ok(Self { chain, whole: derive(2)?, padded: derive(3)? })
    }

    /// The MAC of `parts`, as if they were one.
    pub(super) fn sign(&self, parts: &[&[u8]]) -> [u8; BLOCK] {
        let mut data = parts.concat();
        // §4: a message of whole blocks ends with K2, any other, the empty one too, with 80 00 00 ... and K3.
        let last_key = if data.is_empty() || !data.len().is_multiple_of(BLOCK) {
            data.push(0x80);
            data.resize(data.len().next_multiple_of(BLOCK), 0);
            &self.padded
        } else {
            &self.whole
        };
        data.iter_mut().rev().zip(last_key.iter().rev()).for_each(|(octet, key)| *octet ^= key);
        // A packet is far below the 2 GiB that libcrypto takes at once.
        self.chain.encrypt(&[0; BLOCK], &mut data).expect("AES takes whole blocks");
        data.last_chunk().copied().unwrap_or_default()
    }
}

impl fmt::Debug for Xcbc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AES-XCBC-MAC <secret>")
    }
}
