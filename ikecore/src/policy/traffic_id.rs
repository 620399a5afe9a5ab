//! The identities of quick mode: which traffic an SA is for (RFC 2407 §4.6.2).
use super::selector::Prefix;
use crate::wire::codes::IdType;
use crate::wire::payload::Id;

/// An ID payload that names no traffic.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum TrafficIdError {
    /// A type that names no traffic.
    #[error("ID type {0} does not name traffic")]
    Type(IdType),
}

/// The addresses, the protocol and the port that `id` names.
pub fn decode(id: &Id<'_>) -> Result<(Prefix, u8, u16), TrafficIdError> {
    Err(TrafficIdError::Type(id.id_type))
}

/// ID type, protocol, port and identification data for traffic of `prefix`.
pub fn encode(prefix: Prefix, protocol: u8, port: u16) -> (IdType, u8, u16, Vec<u8>) {
    let _ = prefix;
    (IdType::IPV4_ADDR, protocol, port, Vec::new())
}
