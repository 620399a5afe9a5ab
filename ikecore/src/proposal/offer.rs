//! What this host offers and accepts, in order of preference.
use super::suite::{Lifetime, ProtectionSuite};
use crate::crypto::group::Group;
use crate::crypto::{cipher::CipherAlg, hash::HashAlg};

/// One main-mode offer; the order of offers is the order of preference.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MainModeOffer {
    /// The cipher.
    pub cipher: CipherAlg,
    /// The hash.
    pub hash: HashAlg,
    /// The Diffie-Hellman group.
    pub group: Group,
}

/// One quick-mode offer; the order of offers is the order of preference.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct QuickModeOffer {
    /// The protocols and their algorithms.
    pub suite: ProtectionSuite,
    /// The life of the SAs.
    pub lifetime: Lifetime,
    /// The group of the second Diffie-Hellman exchange; `None` is no perfect forward secrecy.
    pub pfs: Option<Group>,
    /// Sequence numbers have 64 bits (RFC 4304) instead of 32.
    pub extended_sequence_numbers: bool,
}
