//! Integrity check values: truncated HMACs (RFC 2403, RFC 2404, RFC 4868) and AES-XCBC-MAC-96 (RFC 3566).
use core::fmt;

use subtle::ConstantTimeEq;

use crate::crypto::error::CryptoError;
use crate::crypto::hash::{HashAlg, MAX_DIGEST_LEN};
use crate::crypto::prf::PrfKey;

use super::xcbc::Xcbc;

#[cfg(test)]
mod tests;

/// An integrity algorithm of ESP and AH.
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
    /// AES-XCBC-MAC-96 (RFC 3566).
    AesXcbc96,
}

impl Integrity {
    /// Every integrity algorithm.
    pub const ALL: [Self; 7] = [
        Self::HmacMd5_96,
        Self::HmacSha1_96,
        Self::HmacSha256_128,
        Self::HmacSha256_96,
        Self::HmacSha384_192,
        Self::HmacSha512_256,
        Self::AesXcbc96,
    ];

    /// The hash of the HMAC; `None` for what is no HMAC.
    pub const fn hash(self) -> Option<HashAlg> {
        match self {
            Self::HmacMd5_96 => Some(HashAlg::Md5),
            Self::HmacSha1_96 => Some(HashAlg::Sha1),
            Self::HmacSha256_128 | Self::HmacSha256_96 => Some(HashAlg::Sha256),
            Self::HmacSha384_192 => Some(HashAlg::Sha384),
            Self::HmacSha512_256 => Some(HashAlg::Sha512),
            Self::AesXcbc96 => None,
        }
    }

    /// True if this host's libraries offer the algorithm, see [`HashAlg::is_available`].
    pub fn is_available(self) -> bool {
        self.hash().is_none_or(HashAlg::is_available)
    }

    /// The length of the key in octets: that of the hash (RFC 2403 §3, RFC 2404 §3, RFC 4868 §2.1.1), or 128 bits
    /// (RFC 3566 §4.1).
    pub const fn key_len(self) -> usize {
        match self.hash() {
            Some(hash) => hash.output_len(),
            None => 16,
        }
    }

    /// The length of the integrity check value in octets.
    pub const fn icv_len(self) -> usize {
        match self {
            Self::HmacMd5_96 | Self::HmacSha1_96 | Self::HmacSha256_96 | Self::AesXcbc96 => 12,
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
            Self::AesXcbc96 => "AES-XCBC-MAC-96",
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
    key: Key,
}

#[derive(Debug)]
enum Key {
    Hmac(PrfKey),
    Xcbc(Box<Xcbc>),
}

impl IcvKey {
    /// Prepares `key`, which must be [`Integrity::key_len`] octets.
    pub fn new(alg: Integrity, key: &[u8]) -> Result<Self, CryptoError> {
        if key.len() != alg.key_len() {
            return Err(CryptoError::KeyLength { algorithm: alg.name(), got: key.len(), allowed: vec![alg.key_len()] });
        }
        let key = match alg.hash() {
            Some(hash) => Key::Hmac(PrfKey::new(hash, key)),
            None => Key::Xcbc(Box::new(Xcbc::new(key)?)),
        };
        Ok(Self { alg, key })
    }

    /// The algorithm.
    pub const fn alg(&self) -> Integrity {
        self.alg
    }

    /// The integrity check value of `parts`, as if they were one.
    pub fn sign(&self, parts: &[&[u8]]) -> Icv {
        let len = self.alg.icv_len();
        match &self.key {
            Key::Hmac(key) => Icv::cut(key.sign(parts).as_ref(), len),
            Key::Xcbc(key) => Icv::cut(&key.sign(parts), len),
        }
    }

    /// True if `received` is the whole integrity check value of `parts`; in constant time, but for the length of
    /// `received`.
    pub fn verify(&self, parts: &[&[u8]], received: &[u8]) -> bool {
        self.sign(parts).as_ref().ct_eq(received).into()
    }
}

/// An integrity check value: the first octets of a MAC.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Icv {
    octets: [u8; MAX_DIGEST_LEN],
    len: usize,
}

impl Icv {
    /// The first `len` octets of `mac`.
    pub(super) fn cut(mac: &[u8], len: usize) -> Self {
        let mut octets = [0; MAX_DIGEST_LEN];
        octets.iter_mut().zip(mac).take(len).for_each(|(to, from)| *to = *from);
        Self { octets, len: len.min(mac.len()) }
    }
}

impl AsRef<[u8]> for Icv {
    fn as_ref(&self) -> &[u8] {
        self.octets.get(..self.len).unwrap_or_default()
    }
}
