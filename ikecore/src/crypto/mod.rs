//! The IKE key schedule and its primitives.
//!
//! [`ring`] computes the SHA digests, their HMACs and AES-GCM; libcrypto computes what ring does not have: MD5, the
//! CBC ciphers, the signatures of phase 1 and the Diffie-Hellman groups (ring has P-256 and P-384, but lets nobody bring a private key of his own,
//! so all groups go one way). Nothing here keeps state, reads a clock or asks the system for randomness.
pub mod cipher;
pub mod error;
pub mod esp;
pub mod group;
pub mod hash;
pub mod iv;
pub mod keymat;
pub mod natd;
pub mod prf;
pub mod quick;
pub mod signature;
pub mod skeyid;

#[cfg(test)]
mod recorded_tests;
#[cfg(test)]
mod test_vectors;

pub use cipher::{CipherAlg, CipherKey};
pub use error::{CryptoError, GroupError};
pub use group::{Group, KeyPair, PrivateKey};
pub use hash::{Digest, HashAlg};
pub use iv::Iv;
pub use prf::{Mac, PrfKey};
pub use skeyid::Skeyid;
