//! Why a transform was refused: the first attribute that differs, with both values.
use crate::wire::codes::NotifyType;
use core::fmt;

/// The first difference between one transform of a peer and one offer of this host's policy.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mismatch {
    /// The number of the peer's proposal.
    pub proposal: u8,
    /// The number of the peer's transform; 0 where the proposal as a whole was refused.
    pub transform: u8,
    /// The attribute, by the name of its registry: `Encryption Algorithm`.
    pub attribute: &'static str,
    /// The value that the peer sent, by name: `3DES-CBC (5)`.
    pub received: String,
    /// The value, or values, that this host's policy allows there.
    pub allowed: String,
    /// What RFC 2407 and RFC 2408 have the peer told of it.
    pub notify: NotifyType,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "proposal {}", self.proposal)?;
        if self.transform != 0 {
            write!(f, " transform {}", self.transform)?;
        }
        write!(f, ": {} is {}, allowed: {}", self.attribute, self.received, self.allowed)
    }
}
