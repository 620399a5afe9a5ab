//! Captures in files: pcap and pcapng are read, pcapng is written.
//!
//! A damaged file is read as far as it goes; what is wrong then is said with the place where it stands.
mod read;
#[cfg(test)]
mod tests;
mod write;

use std::fmt;

pub(crate) use read::{ReadError, Reader};
pub(crate) use write::Writer;

/// What a frame begins with: a link-layer type of pcap's registry, any value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LinkType(pub(crate) u32);

impl LinkType {
    /// BSD loopback: the address family in the order of the machine that captured.
    pub(crate) const NULL: Self = Self(0);
    /// Ethernet.
    pub(crate) const ETHERNET: Self = Self(1);
    /// An IP packet, as some systems number it.
    pub(crate) const RAW_12: Self = Self(12);
    /// An IP packet.
    pub(crate) const RAW: Self = Self(101);
    /// OpenBSD loopback: the address family in network order.
    pub(crate) const LOOP: Self = Self(108);
    /// Linux cooked, as `-i any` makes it.
    pub(crate) const LINUX_SLL: Self = Self(113);
    /// An IPv4 packet.
    pub(crate) const IPV4: Self = Self(228);
    /// An IPv6 packet.
    pub(crate) const IPV6: Self = Self(229);
    /// Linux cooked with the number of the interface.
    pub(crate) const LINUX_SLL2: Self = Self(276);
}

impl fmt::Display for LinkType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match *self {
            Self::NULL => "BSD loopback",
            Self::ETHERNET => "Ethernet",
            Self::RAW | Self::RAW_12 => "raw IP",
            Self::LOOP => "OpenBSD loopback",
            Self::LINUX_SLL => "Linux cooked",
            Self::IPV4 => "raw IPv4",
            Self::IPV6 => "raw IPv6",
            Self::LINUX_SLL2 => "Linux cooked v2",
            _ => "unknown",
        };
        write!(f, "{name} ({})", self.0)
    }
}

/// When a frame was captured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Timestamp {
    /// Seconds since 1970-01-01 00:00:00 UTC.
    pub(crate) seconds: u64,
    /// Below 1,000,000,000.
    pub(crate) nanoseconds: u32,
}

/// A frame as it was captured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    /// When; `None` if the file does not say.
    pub(crate) time: Option<Timestamp>,
    /// What it begins with.
    pub(crate) link: LinkType,
    /// The name of the interface, if it is known.
    pub(crate) interface: Option<String>,
    /// How many octets it had on the wire; more than `octets` if the capture cut it.
    pub(crate) original: usize,
    /// What was captured of it.
    pub(crate) octets: Vec<u8>,
}
