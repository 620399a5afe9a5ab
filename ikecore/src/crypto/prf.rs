//! The pseudo-random function: HMAC with the negotiated hash (RFC 2409 §4, RFC 2104).
use core::fmt;

use openssl::hash::{Hasher, MessageDigest};
use ring::hmac;
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

use super::hash::{HashAlg, MAX_DIGEST_LEN};

#[cfg(test)]
mod tests;

/// The block of MD5 in octets, to which HMAC pads its key (RFC 2104 §2).
const MD5_BLOCK: usize = 64;

/// A key of the prf, prepared: the two padded key blocks of HMAC are hashed once, not once a message.
pub struct PrfKey {
    hash: HashAlg,
    state: State,
}

enum State {
    Ring(hmac::Key),
    /// MD5 that has absorbed `key ^ ipad`, and MD5 that has absorbed `key ^ opad`.
    Md5 {
        inner: Hasher,
        outer: Hasher,
    },
}

impl PrfKey {
    /// Prepares `key`, of any length, for the HMAC with `hash`.
    ///
    /// # Panics
    ///
    /// For MD5 where [`HashAlg::is_available`] says no.
    pub fn new(hash: HashAlg, key: &[u8]) -> Self {
        let state =
            hash.ring_hmac().map_or_else(|| Self::md5(key), |algorithm| State::Ring(hmac::Key::new(algorithm, key)));
        Self { hash, state }
    }

    fn md5(key: &[u8]) -> State {
        // RFC 2104 §2: keys longer than the block are hashed first.
        let digest;
        let key = if key.len() > MD5_BLOCK {
            digest = HashAlg::Md5.digest(&[key]);
            digest.as_ref()
        } else {
            key
        };
        let absorb = |pad: u8| {
            let mut block = Zeroizing::new([pad; MD5_BLOCK]);
            block.iter_mut().zip(key).for_each(|(octet, key)| *octet ^= key);
            let mut hasher = Hasher::new(MessageDigest::md5()).expect("libcrypto offers MD5");
            hasher.update(&*block).expect("MD5 takes any octets");
            hasher
        };
        State::Md5 { inner: absorb(0x36), outer: absorb(0x5c) }
    }

    /// The hash of this HMAC.
    pub const fn hash(&self) -> HashAlg {
        self.hash
    }

    /// The MAC of `parts`, as if they were one.
    pub fn sign(&self, parts: &[&[u8]]) -> Mac {
        match &self.state {
            State::Ring(key) => {
                let mut context = hmac::Context::with_key(key);
                for part in parts {
                    context.update(part);
                }
                Mac::of(context.sign().as_ref())
            }
            State::Md5 { inner, outer } => {
                let mut inner = inner.clone();
                for part in parts {
                    inner.update(part).expect("MD5 takes any octets");
                }
                let mut outer = outer.clone();
                outer.update(&inner.finish().expect("MD5 finishes")).expect("MD5 takes any octets");
                Mac::of(&outer.finish().expect("MD5 finishes"))
            }
        }
    }

    /// True if `received` is the whole MAC of `parts`; in constant time, but for the length of `received`.
    pub fn verify(&self, parts: &[&[u8]], received: &[u8]) -> bool {
        self.sign(parts).as_ref().ct_eq(received).into()
    }
}

impl fmt::Debug for PrfKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HMAC-{} <secret>", self.hash)
    }
}

/// The output of the prf, 16 to 64 octets; zeroized on drop, because outputs become keys.
pub struct Mac {
    octets: [u8; MAX_DIGEST_LEN],
    len: usize,
}

impl Mac {
    fn of(mac: &[u8]) -> Self {
        let mut octets = [0; MAX_DIGEST_LEN];
        octets.iter_mut().zip(mac).for_each(|(to, from)| *to = *from);
        Self { octets, len: mac.len().min(MAX_DIGEST_LEN) }
    }
}

impl AsRef<[u8]> for Mac {
    fn as_ref(&self) -> &[u8] {
        self.octets.get(..self.len).unwrap_or_default()
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<secret>")
    }
}

impl Drop for Mac {
    fn drop(&mut self) {
        self.octets.zeroize();
    }
}
