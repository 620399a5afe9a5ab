//! AES in counter mode, as ESP has it (RFC 3686).
use core::fmt;

use openssl::cipher::Cipher;
use openssl::cipher_ctx::CipherCtx;
use openssl::error::ErrorStack;

use crate::crypto::error::CryptoError;

#[cfg(test)]
mod tests;

/// A name for people.
const NAME: &str = "AES-CTR";

/// The block length of AES in octets.
const BLOCK: usize = 16;

/// A key of AES-CTR, prepared; 16, 24 or 32 octets. The nonce is not part of it.
pub struct AesCtr(CipherCtx);

impl AesCtr {
    /// The length of the nonce, the end of the KEYMAT, in octets (RFC 3686 §5.1).
    pub const NONCE_LEN: usize = 4;
    /// The length of a packet's IV in octets (RFC 3686 §3.1).
    pub const IV_LEN: usize = 8;

    /// Prepares `key` of 16, 24 or 32 octets.
    pub fn new(key: &[u8]) -> Result<Self, CryptoError> {
        let cipher = match key.len() {
            16 => Cipher::aes_128_ctr(),
            24 => Cipher::aes_192_ctr(),
            32 => Cipher::aes_256_ctr(),
            got => return Err(CryptoError::KeyLength { algorithm: NAME, got, allowed: vec![16, 24, 32] }),
        };
        let prepare = || -> Result<_, ErrorStack> {
            let mut context = CipherCtx::new()?;
            context.encrypt_init(Some(cipher), Some(key), None)?;
            Ok(Self(context))
        };
        prepare().map_err(|stack| CryptoError::library(NAME, &stack))
    }

    /// Encrypts or decrypts `data` in place, which in counter mode is the same. `iv` is [`Self::IV_LEN`] octets.
    ///
    /// An IV must never be used twice for encryption under one key.
    pub fn apply(&self, nonce: &[u8; Self::NONCE_LEN], iv: &[u8], data: &mut [u8]) -> Result<(), CryptoError> {
        if i32::try_from(data.len()).is_err() {
            return Err(CryptoError::TooLong { algorithm: NAME, got: data.len() });
        }
        // RFC 3686 §4: the counter block is nonce, IV, and a block counter that begins with one.
        let counter = [nonce, iv, &[0, 0, 0, 1]].concat();
        if counter.len() != BLOCK {
            return Err(CryptoError::IvLength { algorithm: NAME, got: iv.len(), allowed: Self::IV_LEN });
        }
        let mut run = || -> Result<(), ErrorStack> {
            let mut context = CipherCtx::new()?;
            context.copy(&self.0)?;
            context.encrypt_init(None, None, Some(&counter))?;
            context.cipher_update_inplace(data, data.len())?;
            Ok(())
        };
        run().map_err(|stack| CryptoError::library(NAME, &stack))
    }
}

impl fmt::Debug for AesCtr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{NAME} <secret>")
    }
}
