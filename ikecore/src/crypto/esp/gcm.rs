//! AES-GCM with integrity check values of 8, 12 and 16 octets (RFC 4106).
use core::fmt;

use openssl::cipher::Cipher;
use openssl::cipher_ctx::CipherCtx;
use openssl::error::ErrorStack;
use ring::aead;

use super::icv::Icv;
use crate::crypto::error::CryptoError;

#[cfg(test)]
mod tests;

/// The length of a whole integrity check value in octets.
const TAG_LEN: usize = 16;

/// The length of a nonce in octets: 4 of salt and 8 of IV (RFC 4106 §4).
const NONCE_LEN: usize = 12;

/// How far the integrity check value is cut (RFC 4106 §6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GcmIcvLen {
    /// 8 octets.
    Eight,
    /// 12 octets.
    Twelve,
    /// 16 octets, the whole value.
    Sixteen,
}

impl GcmIcvLen {
    /// The length in octets.
    pub const fn octets(self) -> usize {
        match self {
            Self::Eight => 8,
            Self::Twelve => 12,
            Self::Sixteen => TAG_LEN,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Eight => "AES-GCM-8",
            Self::Twelve => "AES-GCM-12",
            Self::Sixteen => "AES-GCM-16",
        }
    }
}

/// A key of AES-GCM, prepared; 16, 24 or 32 octets. The salt is not part of it.
pub struct AesGcm {
    icv: GcmIcvLen,
    key: Key,
}

enum Key {
    Ring(Box<aead::LessSafeKey>),
    /// ring has no AES-192 and verifies whole values only. One context for each direction.
    Library {
        encrypt: CipherCtx,
        decrypt: CipherCtx,
    },
}

impl AesGcm {
    /// The length of a nonce in octets: the salt, which is the end of the KEYMAT, and then the packet's IV.
    pub const NONCE_LEN: usize = NONCE_LEN;

    /// Prepares `key` of 16, 24 or 32 octets.
    pub fn new(key: &[u8], icv: GcmIcvLen) -> Result<Self, CryptoError> {
        let algorithm = icv.name();
        let cipher = match (key.len(), icv) {
            (16, GcmIcvLen::Sixteen) => return Self::ring(&aead::AES_128_GCM, key),
            (32, GcmIcvLen::Sixteen) => return Self::ring(&aead::AES_256_GCM, key),
            (16, _) => Cipher::aes_128_gcm(),
            (24, _) => Cipher::aes_192_gcm(),
            (32, _) => Cipher::aes_256_gcm(),
            (got, _) => return Err(CryptoError::KeyLength { algorithm, got, allowed: vec![16, 24, 32] }),
        };
        let prepare = || -> Result<_, ErrorStack> {
            // The length of the nonce is left at libcrypto's default, which is 12 octets.
            let mut encrypt = CipherCtx::new()?;
            encrypt.encrypt_init(Some(cipher), Some(key), None)?;
            let mut decrypt = CipherCtx::new()?;
            decrypt.decrypt_init(Some(cipher), Some(key), None)?;
            Ok(Self { icv, key: Key::Library { encrypt, decrypt } })
        };
        prepare().map_err(|stack| CryptoError::library(algorithm, &stack))
    }

    fn ring(algorithm: &'static aead::Algorithm, key: &[u8]) -> Result<Self, CryptoError> {
        let icv = GcmIcvLen::Sixteen;
        let key = aead::UnboundKey::new(algorithm, key).map_err(|ring::error::Unspecified| CryptoError::Library {
            algorithm: icv.name(),
            reason: "key".to_owned(),
        })?;
        Ok(Self { icv, key: Key::Ring(Box::new(aead::LessSafeKey::new(key))) })
    }

    /// The length of the integrity check value in octets.
    pub const fn icv_len(&self) -> usize {
        self.icv.octets()
    }

    /// Encrypts `data` in place and returns the integrity check value of `aad` and `data`.
    ///
    /// A nonce must never be used twice under one key.
    pub fn seal(&self, nonce: &[u8; NONCE_LEN], aad: &[u8], data: &mut [u8]) -> Result<Icv, CryptoError> {
        self.check(data)?;
        let mut tag = [0; TAG_LEN];
        match &self.key {
            Key::Ring(key) => {
                let nonce = aead::Nonce::assume_unique_for_key(*nonce);
                let whole = key
                    .seal_in_place_separate_tag(nonce, aead::Aad::from(aad), data)
                    .map_err(|ring::error::Unspecified| self.too_long(data))?;
                tag.iter_mut().zip(whole.as_ref()).for_each(|(to, from)| *to = *from);
            }
            Key::Library { encrypt, .. } => {
                let mut run = || -> Result<(), ErrorStack> {
                    let mut ctx = CipherCtx::new()?;
                    ctx.copy(encrypt)?;
                    ctx.encrypt_init(None, None, Some(nonce))?;
                    ctx.cipher_update(aad, None)?;
                    ctx.cipher_update_inplace(data, data.len())?;
                    ctx.cipher_final(&mut [])?;
                    ctx.tag(&mut tag)
                };
                run().map_err(|stack| CryptoError::library(self.icv.name(), &stack))?;
            }
        }
        Ok(Icv::cut(&tag, self.icv_len()))
    }

    /// Verifies `icv` over `aad` and `data` and decrypts `data` in place. After an error the octets of `data` are
    /// meaningless and must be dropped.
    pub fn open(&self, nonce: &[u8; NONCE_LEN], aad: &[u8], data: &mut [u8], icv: &[u8]) -> Result<(), CryptoError> {
        self.check(data)?;
        let integrity = CryptoError::Integrity { algorithm: self.icv.name() };
        // A shorter value would be easier to guess.
        if icv.len() != self.icv_len() {
            return Err(integrity);
        }
        match &self.key {
            Key::Ring(key) => {
                let Ok(tag) = aead::Tag::try_from(icv) else { return Err(integrity) };
                let nonce = aead::Nonce::assume_unique_for_key(*nonce);
                key.open_in_place_separate_tag(nonce, aead::Aad::from(aad), tag, data, 0..)
                    .map_err(|ring::error::Unspecified| integrity)?;
            }
            Key::Library { decrypt, .. } => {
                let mut run = || -> Result<bool, ErrorStack> {
                    let mut ctx = CipherCtx::new()?;
                    ctx.copy(decrypt)?;
                    ctx.decrypt_init(None, None, Some(nonce))?;
                    ctx.cipher_update(aad, None)?;
                    ctx.cipher_update_inplace(data, data.len())?;
                    ctx.set_tag(icv)?;
                    Ok(ctx.cipher_final(&mut []).is_ok())
                };
                if !run().map_err(|stack| CryptoError::library(self.icv.name(), &stack))? {
                    return Err(integrity);
                }
            }
        }
        Ok(())
    }

    fn check(&self, data: &[u8]) -> Result<(), CryptoError> {
        if i32::try_from(data.len()).is_err() { Err(self.too_long(data)) } else { Ok(()) }
    }

    fn too_long(&self, data: &[u8]) -> CryptoError {
        CryptoError::TooLong { algorithm: self.icv.name(), got: data.len() }
    }
}

impl fmt::Debug for AesGcm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} <secret>", self.icv.name())
    }
}
