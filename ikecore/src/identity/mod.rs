//! Identities of peers: what the ID payload of main mode names (RFC 2407 §4.6.2).
pub mod block;
pub mod dn;
mod required;

pub use required::Required;

use crate::wire::codes::IdType;
use crate::wire::payload::Id;
use core::fmt;
use core::str::FromStr;
use std::net::IpAddr;

/// The identity of a peer in phase 1.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Identity {
    /// ID_IPV4_ADDR or ID_IPV6_ADDR.
    Address(IpAddr),
    /// ID_IPV4_ADDR_SUBNET or ID_IPV6_ADDR_SUBNET: the first address, and how many bits all of them share.
    Subnet(IpAddr, u8),
    /// ID_IPV4_ADDR_RANGE or ID_IPV6_ADDR_RANGE: the first address and the last.
    Range(IpAddr, IpAddr),
    /// ID_FQDN; compared without regard to case.
    Fqdn(String),
    /// ID_USER_FQDN; compared without regard to case.
    UserFqdn(String),
    /// ID_DER_ASN1_DN: the encoded name.
    DerAsn1Dn(Vec<u8>),
    /// ID_KEY_ID: octets that only the two peers understand.
    KeyId(Vec<u8>),
    /// ID type 0 without data: the client of hybrid authentication, which proves its user only
    /// (draft-ietf-ipsec-isakmp-hybrid-auth-05 §4.2).
    Nobody,
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hex = |f: &mut fmt::Formatter<'_>, octets: &[u8]| octets.iter().try_for_each(|o| write!(f, "{o:02x}"));
        match self {
            Self::Address(address) => write!(f, "{address}"),
            Self::Subnet(first, len) => write!(f, "{first}/{len}"),
            Self::Range(first, last) => write!(f, "{first}-{last}"),
            Self::Fqdn(name) => write!(f, "fqdn:{name}"),
            Self::UserFqdn(name) => write!(f, "user-fqdn:{name}"),
            Self::DerAsn1Dn(octets) => match dn::text(octets) {
                Some(text) => write!(f, "dn:{text}"),
                None => f.write_str("dn:#").and_then(|()| hex(f, octets)),
            },
            Self::KeyId(octets) => f.write_str("key-id:").and_then(|()| hex(f, octets)),
            Self::Nobody => f.write_str("nobody"),
        }
    }
}

impl FromStr for Identity {
    type Err = IdentityTextError;

    /// Reads what [`fmt::Display`] writes: `10.9.0.1`, `10.9.0.0/16`, `10.9.0.1-10.9.0.9`, `fqdn:host.example`, `user-fqdn:a@b.example`,
    /// `dn:C=CH, O=Example, CN=host`, `dn:#3000` and `key-id:0a0b` (the last two in hexadecimal digits).
    fn from_str(text: &str) -> Result<Self, IdentityTextError> {
        let refuse = |reason| IdentityTextError { text: text.to_owned(), reason };
        if let Some(addresses) = Self::addresses(text) {
            return Ok(addresses);
        }
        let (kind, value) = text.split_once(':').ok_or_else(|| refuse(IdentityTextFault::Form))?;
        let name = || match check_name(value.as_bytes()) {
            Ok(name) => Ok(name),
            Err(reason) => Err(refuse(IdentityTextFault::Name(reason))),
        };
        let octets =
            |value| hex(value).filter(|octets| !octets.is_empty()).ok_or_else(|| refuse(IdentityTextFault::Hex));
        match kind {
            "fqdn" => Ok(Self::Fqdn(name()?)),
            "user-fqdn" => Ok(Self::UserFqdn(name()?)),
            "key-id" => Ok(Self::KeyId(octets(value)?)),
            "dn" => match value.strip_prefix('#') {
                Some(digits) => Ok(Self::DerAsn1Dn(octets(digits)?)),
                None => dn::encode(value).map(Self::DerAsn1Dn).map_err(|fault| refuse(IdentityTextFault::Dn(fault))),
            },
            _ => Err(refuse(IdentityTextFault::Form)),
        }
    }
}

/// Text that is no identity.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("identity {text:?}: {reason}")]
pub struct IdentityTextError {
    /// The text.
    pub text: String,
    /// What is wrong with it.
    pub reason: IdentityTextFault,
}

/// What is wrong with the text of an identity.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum IdentityTextFault {
    /// Neither an address nor one of the known kinds.
    #[error(
        "allowed is an IP address, a subnet ADDRESS/LENGTH, a range FIRST-LAST, fqdn:NAME, user-fqdn:NAME@DOMAIN, dn:C=CH, CN=NAME or key-id:HEX"
    )]
    Form,
    /// Not a name.
    #[error("the name {0}")]
    Name(NameFault),
    /// Not a distinguished name.
    #[error("the distinguished name has {0}")]
    Dn(dn::DnFault),
    /// Not octets.
    #[error("allowed are pairs of hexadecimal digits, at least one")]
    Hex,
}

/// What is wrong with a domain name or the name of a user.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NameFault {
    /// Too short or too long.
    #[error("has {0} octets, allowed are 1 to {MAX_NAME}")]
    Length(usize),
    /// A space, a control character, or none of ASCII.
    #[error("has the octet {0:#04x}, allowed are the printable characters of ASCII without space")]
    Octet(u8),
}

/// An ID payload that names no peer.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum IdentityError {
    /// A type that names no single peer, or is not known.
    #[error(
        "ID type {0} does not name a peer, allowed are addresses, subnets and ranges of IPv4 and IPv6, ID_FQDN, \
         ID_USER_FQDN, ID_DER_ASN1_DN and ID_KEY_ID"
    )]
    Type(IdType),
    /// A protocol and port that main mode does not allow.
    #[error("protocol {protocol} port {port} in a main mode identity, allowed are 0/0, 17/0 and 17/500")]
    Port {
        /// The IP protocol.
        protocol: u8,
        /// The port.
        port: u16,
    },
    /// Identification data of the wrong length.
    #[error("{id_type} has {length} octets, allowed is {allowed}")]
    Length {
        /// The type.
        id_type: IdType,
        /// Octets.
        length: usize,
        /// What is allowed.
        allowed: &'static str,
    },
    /// A mask with a zero bit before a one.
    #[error("mask {mask} of {address} is not contiguous, allowed are masks of one bits followed by zero bits")]
    Mask {
        /// The address.
        address: IpAddr,
        /// The mask.
        mask: IpAddr,
    },
    /// A range that ends before it begins.
    #[error("the range {first} to {last} is empty, allowed are ranges whose last address is not before the first")]
    Range {
        /// The first address.
        first: IpAddr,
        /// The last address.
        last: IpAddr,
    },
    /// Text that is no name.
    #[error("{id_type}: the name {reason}")]
    Name {
        /// The type.
        id_type: IdType,
        /// What is wrong with it.
        reason: NameFault,
    },
}

/// The most octets of a name: DNS allows no more (RFC 1035 §2.3.4).
const MAX_NAME: usize = 255;

/// UDP.
const UDP: u8 = 17;

/// The port of IKE.
const IKE_PORT: u16 = 500;

impl Identity {
    /// An address, a subnet, or a range, as [`fmt::Display`] writes them.
    pub fn addresses(text: &str) -> Option<Self> {
        if let Some((first, len)) = text.split_once('/') {
            let (first, len) = (first.parse::<IpAddr>().ok()?, len.parse::<u8>().ok()?);
            let fits = u32::from(len) <= block::bits(first).1 && block::masked(first, len) == first;
            return fits.then_some(Self::Subnet(first, len));
        }
        if let Some((first, last)) = text.split_once('-') {
            let (first, last) = (first.parse::<IpAddr>().ok()?, last.parse::<IpAddr>().ok()?);
            return (first.is_ipv4() == last.is_ipv4() && first <= last).then_some(Self::Range(first, last));
        }
        text.parse().ok().map(Self::Address)
    }

    /// The identity that a main-mode ID payload names.
    pub fn decode(id: &Id<'_>) -> Result<Self, IdentityError> {
        // RFC 2407 §4.6.2: zero or UDP port 500; anything else must abort the setup. UDP without a port says no more
        // than zero does.
        if !matches!((id.protocol, id.port), (0, 0) | (UDP, 0 | IKE_PORT)) {
            return Err(IdentityError::Port { protocol: id.protocol, port: id.port });
        }
        let length = |allowed| IdentityError::Length { id_type: id.id_type, length: id.data.len(), allowed };
        let name = || check_name(id.data).map_err(|reason| IdentityError::Name { id_type: id.id_type, reason });
        let octets = || if id.data.is_empty() { Err(length("at least 1")) } else { Ok(id.data.to_vec()) };
        let pair = || match id.id_type {
            IdType::IPV4_ADDR_SUBNET | IdType::IPV4_ADDR_RANGE => {
                block::pair(id.data, block::v4).ok_or_else(|| length("8"))
            }
            _ => block::pair(id.data, block::v6).ok_or_else(|| length("32")),
        };
        match id.id_type {
            IdType::IPV4_ADDR => {
                let octets: [u8; 4] = id.data.try_into().map_err(|_| length("4"))?;
                Ok(Self::Address(octets.into()))
            }
            IdType::IPV6_ADDR => {
                let octets: [u8; 16] = id.data.try_into().map_err(|_| length("16"))?;
                Ok(Self::Address(octets.into()))
            }
            IdType::IPV4_ADDR_SUBNET | IdType::IPV6_ADDR_SUBNET => {
                let [address, mask] = pair()?;
                let len = block::prefix_len(mask).ok_or(IdentityError::Mask { address, mask })?;
                Ok(Self::Subnet(block::masked(address, len), len))
            }
            IdType::IPV4_ADDR_RANGE | IdType::IPV6_ADDR_RANGE => {
                let [first, last] = pair()?;
                if first <= last { Ok(Self::Range(first, last)) } else { Err(IdentityError::Range { first, last }) }
            }
            IdType::FQDN => Ok(Self::Fqdn(name()?)),
            IdType::USER_FQDN => Ok(Self::UserFqdn(name()?)),
            IdType::DER_ASN1_DN => Ok(Self::DerAsn1Dn(octets()?)),
            IdType::KEY_ID => Ok(Self::KeyId(octets()?)),
            IdType(0) if id.data.is_empty() => Ok(Self::Nobody),
            other => Err(IdentityError::Type(other)),
        }
    }

    /// The ID type and the identification data that name this identity; protocol and port go out as zero.
    pub fn encode(&self) -> (IdType, Vec<u8>) {
        let pick = |address: &IpAddr, v4, v6| if address.is_ipv4() { v4 } else { v6 };
        match self {
            Self::Address(address) => (pick(address, IdType::IPV4_ADDR, IdType::IPV6_ADDR), block::octets(*address)),
            Self::Subnet(first, len) => {
                let data = [block::octets(*first), block::octets(block::mask(*first, *len))].concat();
                (pick(first, IdType::IPV4_ADDR_SUBNET, IdType::IPV6_ADDR_SUBNET), data)
            }
            Self::Range(first, last) => {
                let data = [block::octets(*first), block::octets(*last)].concat();
                (pick(first, IdType::IPV4_ADDR_RANGE, IdType::IPV6_ADDR_RANGE), data)
            }
            Self::Fqdn(name) => (IdType::FQDN, name.clone().into_bytes()),
            Self::UserFqdn(name) => (IdType::USER_FQDN, name.clone().into_bytes()),
            Self::DerAsn1Dn(octets) => (IdType::DER_ASN1_DN, octets.clone()),
            Self::KeyId(octets) => (IdType::KEY_ID, octets.clone()),
            Self::Nobody => (IdType(0), Vec::new()),
        }
    }

    /// True if both name the same peer: of one kind, names without regard to case (RFC 4945 §3.1.2, §3.1.3),
    /// distinguished names as [`dn::same`] says, all else octet by octet.
    pub fn matches(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Fqdn(one), Self::Fqdn(other)) | (Self::UserFqdn(one), Self::UserFqdn(other)) => {
                one.eq_ignore_ascii_case(other)
            }
            (Self::DerAsn1Dn(one), Self::DerAsn1Dn(other)) => dn::same(one, other),
            _ => self == other,
        }
    }
}

/// A name that can be shown to people and compared without regard to case. RFC 2407 §4.6.2.3: no terminators.
fn check_name(octets: &[u8]) -> Result<String, NameFault> {
    if octets.is_empty() || octets.len() > MAX_NAME {
        return Err(NameFault::Length(octets.len()));
    }
    match octets.iter().find(|octet| !octet.is_ascii_graphic()) {
        Some(octet) => Err(NameFault::Octet(*octet)),
        None => Ok(octets.iter().copied().map(char::from).collect()),
    }
}

/// The octets that pairs of hexadecimal digits write.
fn hex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text.chars().map(|digit| u8::try_from(digit.to_digit(16)?).ok()).collect();
    let digits = digits?;
    let (pairs, rest) = digits.as_chunks::<2>();
    rest.is_empty().then(|| pairs.iter().map(|[high, low]| high << 4 | low).collect())
}

#[cfg(test)]
mod tests;
