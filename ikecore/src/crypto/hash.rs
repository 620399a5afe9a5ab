//! The hash algorithms of RFC 2409 §4 and RFC 4868, and their digests.
use core::fmt;

use openssl::hash::{Hasher, MessageDigest};
use ring::{digest, hmac};

#[cfg(test)]
mod tests;

/// The longest digest, in octets: that of SHA-512.
pub(in crate::crypto) const MAX_DIGEST_LEN: usize = 64;

/// A hash algorithm. The prf of an ISAKMP SA is its HMAC, as no other prf is ever negotiated (RFC 2409 §4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HashAlg {
    /// MD5 (RFC 1321), 16 octets.
    Md5,
    /// SHA-1 (FIPS 180-4), 20 octets.
    Sha1,
    /// SHA-256 (FIPS 180-4), 32 octets.
    Sha256,
    /// SHA-384 (FIPS 180-4), 48 octets.
    Sha384,
    /// SHA-512 (FIPS 180-4), 64 octets.
    Sha512,
}

impl HashAlg {
    /// Every hash algorithm.
    pub const ALL: [Self; 5] = [Self::Md5, Self::Sha1, Self::Sha256, Self::Sha384, Self::Sha512];

    /// The length of a digest, and of a MAC of the HMAC with this hash, in octets.
    pub const fn output_len(self) -> usize {
        match self {
            Self::Md5 => 16,
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }

    /// The name for people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Sha1 => "SHA-1",
            Self::Sha256 => "SHA-256",
            Self::Sha384 => "SHA-384",
            Self::Sha512 => "SHA-512",
        }
    }

    /// True if this host's libraries offer the algorithm. False only for MD5 where libcrypto is confined to FIPS
    /// algorithms: such a host must not admit MD5 into a proposal.
    pub fn is_available(self) -> bool {
        self != Self::Md5 || Hasher::new(MessageDigest::md5()).is_ok()
    }

    /// The digest of `parts`, as if they were one.
    ///
    /// # Panics
    ///
    /// For MD5 where [`Self::is_available`] says no.
    pub fn digest(self, parts: &[&[u8]]) -> Digest {
        let algorithm = match self {
            Self::Md5 => return md5(parts),
            Self::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha256 => &digest::SHA256,
            Self::Sha384 => &digest::SHA384,
            Self::Sha512 => &digest::SHA512,
        };
        let mut context = digest::Context::new(algorithm);
        for part in parts {
            context.update(part);
        }
        Digest::of(context.finish().as_ref())
    }

    /// The algorithm of ring's HMAC; `None` for MD5.
    pub(super) fn ring_hmac(self) -> Option<hmac::Algorithm> {
        match self {
            Self::Md5 => None,
            Self::Sha1 => Some(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY),
            Self::Sha256 => Some(hmac::HMAC_SHA256),
            Self::Sha384 => Some(hmac::HMAC_SHA384),
            Self::Sha512 => Some(hmac::HMAC_SHA512),
        }
    }
}

impl fmt::Display for HashAlg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A message digest, 16 to 64 octets.
#[derive(Clone, PartialEq, Eq)]
pub struct Digest {
    octets: [u8; MAX_DIGEST_LEN],
    len: usize,
}

impl Digest {
    fn of(digest: &[u8]) -> Self {
        let mut octets = [0; MAX_DIGEST_LEN];
        octets.iter_mut().zip(digest).for_each(|(to, from)| *to = *from);
        Self { octets, len: digest.len().min(MAX_DIGEST_LEN) }
    }
}

impl AsRef<[u8]> for Digest {
    fn as_ref(&self) -> &[u8] {
        self.octets.get(..self.len).unwrap_or_default()
    }
}

impl fmt::Debug for Digest {
    /// Lower-case hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_ref().iter().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

fn md5(parts: &[&[u8]]) -> Digest {
    // There is nothing to do without it: a made-up digest would be a hole, and policy compiled on this host does not
    // offer MD5 where it is missing.
    let mut hasher = Hasher::new(MessageDigest::md5()).expect("libcrypto offers MD5");
    for part in parts {
        hasher.update(part).expect("MD5 takes any octets");
    }
    Digest::of(&hasher.finish().expect("MD5 finishes"))
}
