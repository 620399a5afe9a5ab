//! Integrity check values: truncated HMACs (RFC 2403, RFC 2404, RFC 4868).
use core::fmt;

use subtle::ConstantTimeEq;

use crate::crypto::error::CryptoError;
use crate::crypto::hash::HashAlg;
use crate::crypto::prf::{Mac, PrfKey};

#[cfg(test)]
mod tests;

/// An integrity algorithm of ESP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Integrity {
    /// HMAC-MD5-96 (RFC 2403).
    HmacMd5_96,
    /// HMAC-SHA-1-96 (RFC 2404).
    HmacSha1_96,
    /// HMAC-SHA-256-128 (RFC 4868).
    HmacSha256_128,
    /// HMAC-SHA-256 cut to 96 bits, as drafts of RFC 4868 had it and some systems still do. Nothing on the wire tells it
    /// from [`Self::HmacSha256_128`].
    HmacSha256_96,
    /// HMAC-SHA-384-192 (RFC 4868).
    HmacSha384_192,
    /// HMAC-SHA-512-256 (RFC 4868).
    HmacSha512_256,
}

impl Integrity {
    /// Every integrity algorithm.
    pub const ALL: [Self; 6] = [
        Self::HmacMd5_96,
        Self::HmacSha1_96,
        Self::HmacSha256_128,
        Self::HmacSha256_96,
        Self::HmacSha384_192,
        Self::HmacSha512_256,
    ];

    /// The hash of the HMAC.
    pub const fn hash(self) -> HashAlg {
        match self {
            Self::HmacMd5_96 => HashAlg::Md5,
            Self::HmacSha1_96 => HashAlg::Sha1,
            Self::HmacSha256_128 | Self::HmacSha256_96 => HashAlg::Sha256,
            Self::HmacSha384_192 => HashAlg::Sha384,
            Self::HmacSha512_256 => HashAlg::Sha512,
        }
    }

    /// The length of the key in octets: that of the hash (RFC 2403 §3, RFC 2404 §3, RFC 4868 §2.1.1).
    pub const fn key_len(self) -> usize {
        self.hash().output_len()
    }

    /// The length of the integrity check value in octets.
    pub const fn icv_len(self) -> usize {
        match self {
            Self::HmacMd5_96 | Self::HmacSha1_96 | Self::HmacSha256_96 => 12,
            Self::HmacSha256_128 => 16,
            Self::HmacSha384_192 => 24,
            Self::HmacSha512_256 => 32,
        }
    }

    /// The name for people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::HmacMd5_96 => "HMAC-MD5-96",
            Self::HmacSha1_96 => "HMAC-SHA-1-96",
            Self::HmacSha256_128 => "HMAC-SHA-256-128",
            Self::HmacSha256_96 => "HMAC-SHA-256-96",
            Self::HmacSha384_192 => "HMAC-SHA-384-192",
            Self::HmacSha512_256 => "HMAC-SHA-512-256",
        }
    }
}

impl fmt::Display for Integrity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A key of an integrity algorithm, prepared.
#[derive(Debug)]
pub struct IcvKey {
    alg: Integrity,
    prf: PrfKey,
}

impl IcvKey {
    /// Prepares `key`, which must be [`Integrity::key_len`] octets.
    pub fn new(alg: Integrity, key: &[u8]) -> Result<Self, CryptoError> {
        if key.len() != alg.key_len() {
            return Err(CryptoError::KeyLength { algorithm: alg.name(), got: key.len(), allowed: vec![alg.key_len()] });
        }
        Ok(Self { alg, prf: PrfKey::new(alg.hash(), key) })
    }

    /// The algorithm.
    pub const fn alg(&self) -> Integrity {
        self.alg
    }

    /// The integrity check value of `parts`, as if they were one.
    pub fn sign(&self, parts: &[&[u8]]) -> Icv {
        Icv { mac: self.prf.sign(parts), len: self.alg.icv_len() }
    }

    /// True if `received` is the whole integrity check value of `parts`; in constant time, but for the length of
    /// `received`.
    pub fn verify(&self, parts: &[&[u8]], received: &[u8]) -> bool {
        self.sign(parts).as_ref().ct_eq(received).into()
    }
}

/// An integrity check value, [`Integrity::icv_len`] octets.
pub struct Icv {
    mac: Mac,
    len: usize,
}

impl AsRef<[u8]> for Icv {
    fn as_ref(&self) -> &[u8] {
        self.mac.as_ref().get(..self.len).unwrap_or_default()
    }
}
