//! The identities of quick mode: which traffic an SA is for (RFC 2407 §4.6.2, RFC 2409 §5.5).
use super::selector::Prefix;
use crate::identity::Identity;
use crate::identity::block::{self, bits, v4, v6};
use crate::wire::codes::IdType;
use crate::wire::payload::Id;
use std::net::IpAddr;

/// An ID payload that names no traffic that an SA can be for.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum TrafficIdError {
    /// A type that names no addresses.
    #[error(
        "ID type {0} does not name traffic, allowed are addresses, subnets and ranges of IPv4 and IPv6 (1, 4 to 8)"
    )]
    Type(IdType),
    /// Identification data of the wrong length.
    #[error("{id_type} has {length} octets, allowed is {allowed}")]
    Length {
        /// The type.
        id_type: IdType,
        /// Octets.
        length: usize,
        /// What is allowed.
        allowed: usize,
    },
    /// A mask with a zero bit before a one.
    #[error("mask {mask} of {address} is not contiguous, allowed are masks of one bits followed by zero bits")]
    Mask {
        /// The address.
        address: IpAddr,
        /// The mask.
        mask: IpAddr,
    },
    /// A range that is no subnet.
    #[error("the range {first} to {last} is not a subnet, allowed are ranges that a mask can describe")]
    Range {
        /// The first address.
        first: IpAddr,
        /// The last address.
        last: IpAddr,
    },
    /// A port of no protocol.
    #[error("port {0} without a protocol, allowed is 0")]
    Port(u16),
}

/// The addresses, the IP protocol and the port that `id` names; 0 is any protocol, any port. Bits of a subnet's address
/// that its mask does not cover are ignored.
pub fn decode(id: &Id<'_>) -> Result<(Prefix, u8, u16), TrafficIdError> {
    let prefix = match id.id_type {
        IdType::IPV4_ADDR => Prefix::host(v4(array(id)?)),
        IdType::IPV6_ADDR => Prefix::host(v6(array(id)?)),
        IdType::IPV4_ADDR_SUBNET => subnet(pair(id, v4)?)?,
        IdType::IPV6_ADDR_SUBNET => subnet(pair(id, v6)?)?,
        IdType::IPV4_ADDR_RANGE => range(pair(id, v4)?)?,
        IdType::IPV6_ADDR_RANGE => range(pair(id, v6)?)?,
        other => return Err(TrafficIdError::Type(other)),
    };
    // RFC 2407 §4.6.2: protocol 0 means that there is none to look at, and then a port has no meaning.
    if id.protocol == 0 && id.port != 0 {
        return Err(TrafficIdError::Port(id.port));
    }
    Ok((prefix, id.protocol, id.port))
}

/// The ID type, protocol, port and identification data that name traffic: an address where the block has one only, else
/// a subnet.
pub fn encode(prefix: Prefix, protocol: u8, port: u16) -> (IdType, u8, u16, Vec<u8>) {
    let address = prefix.address();
    let identity =
        if prefix.is_host() { Identity::Address(address) } else { Identity::Subnet(address, prefix.prefix_len()) };
    let (id_type, data) = identity.encode();
    (id_type, protocol, port, data)
}

/// One field that is all of the data.
fn array<const N: usize>(id: &Id<'_>) -> Result<[u8; N], TrafficIdError> {
    let length = || TrafficIdError::Length { id_type: id.id_type, length: id.data.len(), allowed: N };
    id.data.try_into().map_err(|_| length())
}

/// Two addresses that are all of the data.
fn pair<const N: usize>(id: &Id<'_>, address: fn([u8; N]) -> IpAddr) -> Result<[IpAddr; 2], TrafficIdError> {
    let length = || TrafficIdError::Length { id_type: id.id_type, length: id.data.len(), allowed: 2 * N };
    block::pair(id.data, address).ok_or_else(length)
}

/// RFC 2407 §4.6.2.5: one bits of the mask are fixed, zero bits any.
fn subnet([address, mask]: [IpAddr; 2]) -> Result<Prefix, TrafficIdError> {
    let prefix = block::prefix_len(mask).and_then(|len| Prefix::new(address, len).ok());
    prefix.ok_or(TrafficIdError::Mask { address, mask })
}

/// RFC 2407 §4.6.2.8: both ends belong to the range.
fn range([first, last]: [IpAddr; 2]) -> Result<Prefix, TrafficIdError> {
    let refused = || TrafficIdError::Range { first, last };
    let ((from, width), (to, _)) = (bits(first), bits(last));
    let same = (from ^ to).leading_zeros().min(width);
    let prefix = prefix(first, same).ok_or_else(refused)?;
    // Below the bits that both ends share, the first has only zeros and the last only ones.
    let hosts = u128::MAX.checked_shr(same).unwrap_or(0) & u128::MAX << (u128::BITS - width);
    if prefix.address() != first || from | hosts != to {
        return Err(refused());
    }
    Ok(prefix)
}

fn prefix(address: IpAddr, len: u32) -> Option<Prefix> {
    u8::try_from(len).ok().and_then(|len| Prefix::new(address, len).ok())
}

#[cfg(test)]
mod tests;
