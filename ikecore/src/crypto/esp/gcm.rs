//! AES-GCM with an integrity check value of 16 octets (RFC 4106).
use core::fmt;

use openssl::cipher::Cipher;
use openssl::cipher_ctx::CipherCtx;
use openssl::error::ErrorStack;
use ring::aead;

use crate::crypto::error::CryptoError;

#[cfg(test)]
mod tests;

/// The length of the integrity check value in octets.
const ICV_LEN: usize = 16;

/// The length of a nonce in octets: 4 of salt and 8 of IV (RFC 4106 §4).
const NONCE_LEN: usize = 12;

/// A key of AES-GCM-16, prepared; 16, 24 or 32 octets. The salt is not part of it.
pub struct AesGcm16 {
    name: &'static str,
    key: Key,
}

enum Key {
    Ring(Box<aead::LessSafeKey>),
    /// ring has no AES-192. One context for each direction.
    Library {
        encrypt: CipherCtx,
        decrypt: CipherCtx,
    },
}

impl AesGcm16 {
    /// The length of the integrity check value in octets.
    pub const ICV_LEN: usize = ICV_LEN;
    /// The length of a nonce in octets: the salt, which is the end of the KEYMAT, and then the packet's IV.
    pub const NONCE_LEN: usize = NONCE_LEN;

    /// Prepares `key` of 16, 24 or 32 octets.
    pub fn new(key: &[u8]) -> Result<Self, CryptoError> {
        let (name, algorithm) = match key.len() {
            16 => ("AES-GCM-16-128", &aead::AES_128_GCM),
            24 => return Self::library(key),
            32 => ("AES-GCM-16-256", &aead::AES_256_GCM),
            got => return Err(CryptoError::KeyLength { algorithm: "AES-GCM-16", got, allowed: vec![16, 24, 32] }),
        };
        let key = aead::UnboundKey::new(algorithm, key)
            .map_err(|ring::error::Unspecified| CryptoError::Library { algorithm: name, reason: "key".to_owned() })?;
        Ok(Self { name, key: Key::Ring(Box::new(aead::LessSafeKey::new(key))) })
    }

    fn library(key: &[u8]) -> Result<Self, CryptoError> {
        let name = "AES-GCM-16-192";
        let prepare = || -> Result<_, ErrorStack> {
            // The length of the nonce is left at libcrypto's default, which is 12 octets.
            let mut encrypt = CipherCtx::new()?;
            encrypt.encrypt_init(Some(Cipher::aes_192_gcm()), Some(key), None)?;
            let mut decrypt = CipherCtx::new()?;
            decrypt.decrypt_init(Some(Cipher::aes_192_gcm()), Some(key), None)?;
            Ok(Self { name, key: Key::Library { encrypt, decrypt } })
        };
        prepare().map_err(|stack| CryptoError::library(name, &stack))
    }

    /// Encrypts `data` in place and returns the integrity check value of `aad` and `data`.
    ///
    /// A nonce must never be used twice under one key.
    pub fn seal(&self, nonce: &[u8; NONCE_LEN], aad: &[u8], data: &mut [u8]) -> Result<[u8; ICV_LEN], CryptoError> {
        self.check(data)?;
        let mut icv = [0; ICV_LEN];
        match &self.key {
            Key::Ring(key) => {
                let nonce = aead::Nonce::assume_unique_for_key(*nonce);
                let tag = key
                    .seal_in_place_separate_tag(nonce, aead::Aad::from(aad), data)
                    .map_err(|ring::error::Unspecified| self.too_long(data))?;
                icv.iter_mut().zip(tag.as_ref()).for_each(|(to, from)| *to = *from);
            }
            Key::Library { encrypt, .. } => {
                let mut run = || -> Result<(), ErrorStack> {
                    let mut ctx = CipherCtx::new()?;
                    ctx.copy(encrypt)?;
                    ctx.encrypt_init(None, None, Some(nonce))?;
                    ctx.cipher_update(aad, None)?;
                    ctx.cipher_update_inplace(data, data.len())?;
                    ctx.cipher_final(&mut [])?;
                    ctx.tag(&mut icv)
                };
                run().map_err(|stack| CryptoError::library(self.name, &stack))?;
            }
        }
        Ok(icv)
    }

    /// Verifies `icv` over `aad` and `data` and decrypts `data` in place. After an error the octets of `data` are
    /// meaningless and must be dropped.
    pub fn open(&self, nonce: &[u8; NONCE_LEN], aad: &[u8], data: &mut [u8], icv: &[u8]) -> Result<(), CryptoError> {
        self.check(data)?;
        let integrity = CryptoError::Integrity { algorithm: self.name };
        let Ok(icv) = <[u8; ICV_LEN]>::try_from(icv) else {
            return Err(integrity);
        };
        match &self.key {
            Key::Ring(key) => {
                let nonce = aead::Nonce::assume_unique_for_key(*nonce);
                key.open_in_place_separate_tag(nonce, aead::Aad::from(aad), aead::Tag::from(icv), data, 0..)
                    .map_err(|ring::error::Unspecified| integrity)?;
            }
            Key::Library { decrypt, .. } => {
                let mut run = || -> Result<bool, ErrorStack> {
                    let mut ctx = CipherCtx::new()?;
                    ctx.copy(decrypt)?;
                    ctx.decrypt_init(None, None, Some(nonce))?;
                    ctx.cipher_update(aad, None)?;
                    ctx.cipher_update_inplace(data, data.len())?;
                    ctx.set_tag(&icv)?;
                    Ok(ctx.cipher_final(&mut []).is_ok())
                };
                if !run().map_err(|stack| CryptoError::library(self.name, &stack))? {
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
        CryptoError::TooLong { algorithm: self.name, got: data.len() }
    }
}

impl fmt::Debug for AesGcm16 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} <secret>", self.name)
    }
}
