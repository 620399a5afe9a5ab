//! What can go wrong in cryptography, by name, value and what is allowed.
use super::group::Group;
use crate::rng::RngError;

/// A cipher or a MAC refused its key or its data.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CryptoError {
    /// The key has the wrong length for the algorithm.
    #[error("{algorithm} takes a key of {allowed:?} octets, not of {got}")]
    KeyLength {
        /// The name of the algorithm.
        algorithm: &'static str,
        /// Octets given.
        got: usize,
        /// The lengths in octets that the algorithm takes.
        allowed: Vec<usize>,
    },
    /// The key is one that the algorithm's specification forbids.
    #[error("the key is one of the weak keys of {algorithm}")]
    WeakKey {
        /// The name of the algorithm.
        algorithm: &'static str,
    },
    /// The initialization vector or nonce has the wrong length for the algorithm.
    #[error("{algorithm} takes an initialization vector of {allowed} octets, not of {got}")]
    IvLength {
        /// The name of the algorithm.
        algorithm: &'static str,
        /// Octets given.
        got: usize,
        /// Octets that the algorithm takes.
        allowed: usize,
    },
    /// The data is not a whole number of blocks.
    #[error("{got} octets are not a multiple of {algorithm}'s block of {block} octets")]
    PartialBlock {
        /// The name of the algorithm.
        algorithm: &'static str,
        /// Octets given.
        got: usize,
        /// Octets of one block.
        block: usize,
    },
    /// The data is longer than the algorithm may process under one nonce.
    #[error("{got} octets are more than {algorithm} takes at once")]
    TooLong {
        /// The name of the algorithm.
        algorithm: &'static str,
        /// Octets given.
        got: usize,
    },
    /// The integrity check value does not fit key, nonce and data.
    #[error("the integrity check value of {algorithm} does not match")]
    Integrity {
        /// The name of the algorithm.
        algorithm: &'static str,
    },
    /// The cryptographic library failed, for example because its configuration disables the algorithm.
    #[error("the cryptographic library failed at {algorithm}: {reason}")]
    Library {
        /// The name of the algorithm.
        algorithm: &'static str,
        /// The library's own words.
        reason: String,
    },
}

impl CryptoError {
    pub(super) fn library(algorithm: &'static str, stack: &openssl::error::ErrorStack) -> Self {
        Self::Library { algorithm, reason: stack.to_string() }
    }
}

/// A Diffie-Hellman computation was refused or failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GroupError {
    /// No group of that number is implemented, or libcrypto does not offer its curve.
    #[error("Diffie-Hellman group {got} is not one of 1, 2, 5, 14 to 30 that this host offers")]
    Unknown {
        /// The IANA group number given.
        got: u16,
    },
    /// A public value has the wrong length.
    #[error("a public value of {got} octets, where {group} takes {allowed}", group = group.name())]
    PublicLength {
        /// The group.
        group: Group,
        /// Octets given.
        got: usize,
        /// Octets that the group takes.
        allowed: usize,
    },
    /// A MODP public value is not in 2 ..= p-2: whoever sends it knows or guesses the shared secret.
    #[error("the public value is outside of 2 to p-2 of {group}", group = group.name())]
    Degenerate {
        /// The group.
        group: Group,
    },
    /// A MODP public value is in no subgroup of the right order: whoever sends it learns of the private value.
    #[error("the public value is not in the subgroup of {group}", group = group.name())]
    OutsideSubgroup {
        /// The group.
        group: Group,
    },
    /// An ECP public value is not a point of the curve.
    #[error("the public value is not a point of {group}", group = group.name())]
    NotOnCurve {
        /// The group.
        group: Group,
    },
    /// A private value is outside of the range of the group.
    #[error("the private value is outside of the range of {group}", group = group.name())]
    PrivateRange {
        /// The group.
        group: Group,
    },
    /// More computations are wanted at once than wait for a worker.
    #[error("{waiting} key exchange computations wait already, no more are taken")]
    Busy {
        /// How many wait.
        waiting: usize,
    },
    /// The computation ended without a result.
    #[error("the key exchange computation was aborted")]
    Aborted,
    /// No randomness for a private value.
    #[error(transparent)]
    Random(#[from] RngError),
    /// The cryptographic library failed.
    #[error("the cryptographic library failed at {group}: {reason}", group = group.name())]
    Library {
        /// The group.
        group: Group,
        /// The library's own words.
        reason: String,
    },
}
