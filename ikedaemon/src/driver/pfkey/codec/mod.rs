//! PF_KEY version 2 messages as Linux speaks them (RFC 2367 §2 and §3, and the extensions that Linux took from KAME).
//!
//! A message is a header and a row of extensions, all in units of 8 octets. Numbers are in the host's order, but for
//! SPIs, ports and addresses. [`Message::encode`] and [`Message::decode`] know nothing of sockets.
mod octets;
mod read;
#[cfg(test)]
mod tests;
mod write;

use ikecore::ids::Spi;
use ikecore::secret::Secret;
use std::net::SocketAddr;

pub(super) use write::bypass;

/// The protocol's version (RFC 2367 §2.1).
pub(super) const VERSION: u8 = 2;

/// The octets of the unit in which lengths are counted.
const UNIT: usize = 8;

/// Defines a newtype of a number with its known values.
macro_rules! numbers {
    ($(#[$doc:meta])* $name:ident($int:ty) { $($(#[$value_doc:meta])* $value:ident = $number:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
        pub(super) struct $name(pub(super) $int);

        impl $name {
            $($(#[$value_doc])* pub(super) const $value: Self = Self($number);)*
        }
    };
}

numbers! {
    /// What a message is about (RFC 2367 §3.1).
    MessageType(u8) {
        GETSPI = 1,
        UPDATE = 2,
        ADD = 3,
        DELETE = 4,
        GET = 5,
        ACQUIRE = 6,
        REGISTER = 7,
        EXPIRE = 8,
        DUMP = 10,
        SPDUPDATE = 13,
        SPDADD = 14,
        SPDDUMP = 18,
        SPDDELETE2 = 22,
        NEW_MAPPING = 23,
    }
}

numbers! {
    /// The protocol of an SA (RFC 2367 §3.2); 0 where a message is about none.
    SaType(u8) {
        UNSPECIFIED = 0,
        AH = 2,
        ESP = 3,
        /// Of KAME and Linux.
        IPCOMP = 9,
    }
}

numbers! {
    /// The type of an extension (RFC 2367 §2.3).
    ExtensionType(u16) {
        SA = 1,
        LIFETIME_CURRENT = 2,
        LIFETIME_HARD = 3,
        LIFETIME_SOFT = 4,
        ADDRESS_SRC = 5,
        ADDRESS_DST = 6,
        /// On Linux: which packets an SA is for, by their source address.
        ADDRESS_PROXY = 7,
        KEY_AUTH = 8,
        KEY_ENCRYPT = 9,
        SUPPORTED_AUTH = 14,
        SUPPORTED_ENCRYPT = 15,
        SPIRANGE = 16,
        POLICY = 18,
        SA2 = 19,
        NAT_TYPE = 20,
        NAT_SPORT = 21,
        NAT_DPORT = 22,
        NAT_OA = 23,
    }
}

numbers! {
    /// What a policy does with its traffic.
    PolicyType(u16) {
        DISCARD = 0,
        NONE = 1,
        IPSEC = 2,
        BYPASS = 4,
    }
}

numbers! {
    /// Which packets a policy is for.
    PolicyDirection(u8) {
        IN = 1,
        OUT = 2,
        FORWARD = 3,
    }
}

numbers! {
    /// What a policy demands of a packet.
    Level(u8) {
        /// Protected if there is an SA; also in clear.
        USE = 1,
        /// Protected by an SA with the given reqid.
        UNIQUE = 3,
    }
}

/// The mode of transport in SA2 and in policies.
pub(super) const MODE_TRANSPORT: u8 = 1;
/// The mode of tunnels.
pub(super) const MODE_TUNNEL: u8 = 2;
/// "Any protocol" of an address in a policy.
pub(super) const PROTOCOL_ANY: u8 = 255;
/// The only state in which an SA may be handed over (RFC 2367 §3.1.3).
pub(super) const STATE_MATURE: u8 = 1;
/// ESP in UDP by RFC 3948, in the NAT type.
pub(super) const NAT_ESP_IN_UDP: u8 = 2;

/// The header (RFC 2367 §2.1) without its length.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Header {
    /// What the message is about.
    pub(super) kind: MessageType,
    /// In an answer: the system's error number, 0 where all went well.
    pub(super) errno: u8,
    /// The protocol of the SA.
    pub(super) sa_type: SaType,
    /// Ties an answer to its request.
    pub(super) sequence: u32,
    /// The process that asked; 0 in the kernel's own messages.
    pub(super) process: u32,
}

/// One message.
#[derive(Debug)]
pub(super) struct Message {
    /// The header.
    pub(super) header: Header,
    /// What follows it, in order.
    pub(super) extensions: Vec<Extension>,
}

/// One extension.
#[derive(Debug)]
pub(super) enum Extension {
    /// The SA itself (RFC 2367 §2.3.1).
    Sa(SaExtension),
    /// A current, hard or soft lifetime (RFC 2367 §2.3.2).
    Lifetime(ExtensionType, LifetimeExtension),
    /// A source, destination, proxy or original address (RFC 2367 §2.3.3).
    Address(ExtensionType, AddressExtension),
    /// An integrity or encryption key (RFC 2367 §2.3.4).
    Key(ExtensionType, Secret<Vec<u8>>),
    /// The algorithms of the kernel (RFC 2367 §2.3.8).
    Supported(ExtensionType, Vec<Algorithm>),
    /// From which SPIs to choose, both included (RFC 2367 §2.3.9).
    SpiRange {
        /// The lowest.
        min: u32,
        /// The highest.
        max: u32,
    },
    /// Mode and reqid of an SA.
    Sa2 {
        /// [`MODE_TRANSPORT`] or [`MODE_TUNNEL`].
        mode: u8,
        /// Of the last packet.
        sequence: u32,
        /// The SA's reqid.
        reqid: u32,
    },
    /// A policy.
    Policy(PolicyExtension),
    /// Which encapsulation: [`NAT_ESP_IN_UDP`].
    NatType(u8),
    /// The UDP source or destination port.
    NatPort(ExtensionType, u16),
    /// Anything else, left unread.
    Other(ExtensionType),
}

/// RFC 2367 §2.3.1.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct SaExtension {
    /// The SPI.
    pub(super) spi: Spi,
    /// Packets of the anti-replay window.
    pub(super) replay_window: u8,
    /// Larval, mature, dying or dead.
    pub(super) state: u8,
    /// The integrity algorithm.
    pub(super) integrity: u8,
    /// The encryption algorithm.
    pub(super) encryption: u8,
    /// Flags.
    pub(super) flags: u32,
}

/// A limit or a count (RFC 2367 §2.3.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct LifetimeExtension {
    /// Packets, on Linux.
    pub(super) allocations: u32,
    /// Octets.
    pub(super) octets: u64,
    /// Seconds since the SA was made; in the current lifetime when it was made.
    pub(super) add_time: u64,
    /// Seconds since it was first used; in the current lifetime when that was.
    pub(super) use_time: u64,
}

/// An address with what a policy selects by (RFC 2367 §2.3.3).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct AddressExtension {
    /// The upper protocol; 0 or [`PROTOCOL_ANY`] for any.
    pub(super) protocol: u8,
    /// The number of leading bits that count.
    pub(super) prefix_len: u8,
    /// The address and port; port 0 is any.
    pub(super) address: SocketAddr,
}

/// One algorithm of the kernel (RFC 2367 §2.3.8).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Algorithm {
    /// Its number.
    pub(super) id: u8,
    /// Octets of its IV.
    pub(super) iv_len: u8,
    /// The shortest key, in bits.
    pub(super) min_bits: u16,
    /// The longest key, in bits.
    pub(super) max_bits: u16,
}

/// A policy.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct PolicyExtension {
    /// What it does.
    pub(super) action: PolicyType,
    /// For which packets.
    pub(super) direction: PolicyDirection,
    /// The kernel's number of the policy.
    pub(super) id: u32,
    /// The lower, the sooner looked at.
    pub(super) priority: u32,
    /// What protects the traffic.
    pub(super) requests: Vec<IpsecRequest>,
}

/// What a policy demands of its packets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct IpsecRequest {
    /// The IP protocol: 50, 51 or 108.
    pub(super) protocol: u16,
    /// [`MODE_TRANSPORT`] or [`MODE_TUNNEL`].
    pub(super) mode: u8,
    /// Required, or only used.
    pub(super) level: Level,
    /// The reqid of the SAs.
    pub(super) reqid: u32,
    /// In tunnel mode the outer source and destination.
    pub(super) endpoints: Option<(SocketAddr, SocketAddr)>,
}

/// Octets that are no message.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(super) enum CodecError {
    /// Octets are missing.
    #[error("{what} needs {needed} octets, {got} are left")]
    Short {
        /// Of what.
        what: &'static str,
        /// How many it takes.
        needed: usize,
        /// How many there are.
        got: usize,
    },
    /// Not the version that we speak.
    #[error("version {0} of PF_KEY, only {VERSION} is known")]
    Version(u8),
    /// The length in the header is not that of the message.
    #[error("the header says {said} octets, {got} came")]
    Length {
        /// In the header.
        said: usize,
        /// That came.
        got: usize,
    },
    /// An extension without a body would never end.
    #[error("extension {kind} has a length of {octets} octets, at least 8 are allowed")]
    Extension {
        /// Its type.
        kind: u16,
        /// Its length.
        octets: usize,
    },
    /// An address of neither IPv4 nor IPv6.
    #[error("address family {0}, only 2 (IPv4) and 10 (IPv6) are known")]
    Family(u16),
    /// More key bits than the extension holds.
    #[error("a key of {bits} bits in an extension with {octets} octets of key")]
    Key {
        /// By its header.
        bits: u16,
        /// That it holds.
        octets: usize,
    },
}

impl Message {
    /// The SA.
    pub(super) fn sa(&self) -> Option<SaExtension> {
        self.extensions.iter().find_map(|extension| match extension {
            Extension::Sa(sa) => Some(*sa),
            _ => None,
        })
    }

    /// The address of a kind.
    pub(super) fn address(&self, kind: ExtensionType) -> Option<AddressExtension> {
        self.extensions.iter().find_map(|extension| match extension {
            Extension::Address(found, address) if *found == kind => Some(*address),
            _ => None,
        })
    }

    /// The lifetime of a kind.
    pub(super) fn lifetime(&self, kind: ExtensionType) -> Option<LifetimeExtension> {
        self.extensions.iter().find_map(|extension| match extension {
            Extension::Lifetime(found, lifetime) if *found == kind => Some(*lifetime),
            _ => None,
        })
    }

    /// The UDP port of a kind.
    pub(super) fn nat_port(&self, kind: ExtensionType) -> Option<u16> {
        self.extensions.iter().find_map(|extension| match extension {
            Extension::NatPort(found, port) if *found == kind => Some(*port),
            _ => None,
        })
    }

    /// The algorithms of a kind.
    pub(super) fn supported(&self, kind: ExtensionType) -> &[Algorithm] {
        self.extensions
            .iter()
            .find_map(|extension| match extension {
                Extension::Supported(found, algorithms) if *found == kind => Some(algorithms.as_slice()),
                _ => None,
            })
            .unwrap_or_default()
    }

    /// The reqid of the SA.
    pub(super) fn reqid(&self) -> Option<u32> {
        self.extensions.iter().find_map(|extension| match extension {
            Extension::Sa2 { reqid, .. } => Some(*reqid),
            _ => None,
        })
    }

    /// The policy.
    pub(super) fn policy(&self) -> Option<&PolicyExtension> {
        self.extensions.iter().find_map(|extension| match extension {
            Extension::Policy(policy) => Some(policy),
            _ => None,
        })
    }
}
