//! Display filters: which packets are shown.
mod parse;
#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::str::FromStr;

use ikecore::ids::{Cookie, MessageId, Spi};
use ikecore::policy::selector::Prefix;
use ikecore::wire::{ExchangeType, Flags, NotifyType, PayloadType};

use super::dissect::{Facts, Isakmp, Packet};

/// A display filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Filter {
    /// One of them fits.
    Any(Vec<Self>),
    /// All of them fit.
    All(Vec<Self>),
    /// It does not fit.
    Not(Box<Self>),
    /// This fits.
    Term(Term),
}

/// What a packet can be asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Term {
    /// An IP header from or to an address of the block.
    Peer(Prefix),
    /// An IP header from an address of the block.
    Source(Prefix),
    /// An IP header to an address of the block.
    Destination(Prefix),
    /// A UDP header from or to this port.
    Port(u16),
    /// An ISAKMP message with this cookie, whosever it is.
    Cookie(Cookie),
    /// ESP or AH with this SPI, or an ISAKMP message that speaks of it.
    Spi(Spi),
    /// An ISAKMP message of this exchange.
    Exchange(ExchangeType),
    /// An ISAKMP message with this message ID.
    MessageId(MessageId),
    /// An ISAKMP message with such a payload.
    Payload(PayloadType),
    /// An ISAKMP message with this notification.
    Notify(NotifyType),
    /// An ISAKMP message with a known vendor ID whose name has this text in it, in whatever case.
    Vendor(String),
    /// A packet of this protocol.
    Protocol(Protocol),
    /// An ISAKMP message with the E flag.
    Encrypted,
    /// Something is wrong with the packet.
    Fault,
}

/// A protocol that can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// ISAKMP.
    Isakmp,
    /// ESP, also in UDP.
    Esp,
    /// AH.
    Ah,
    /// Keep-alives of NAT traversal.
    KeepAlive,
}

impl Protocol {
    /// Each with its name.
    const ALL: [(&'static str, Self); 4] =
        [("isakmp", Self::Isakmp), ("esp", Self::Esp), ("ah", Self::Ah), ("nat-keepalive", Self::KeepAlive)];
}

impl Filter {
    /// True if the packet is to be shown.
    pub(crate) fn fits(&self, packet: &Packet) -> bool {
        match self {
            Self::Any(filters) => filters.iter().any(|filter| filter.fits(packet)),
            Self::All(filters) => filters.iter().all(|filter| filter.fits(packet)),
            Self::Not(filter) => !filter.fits(packet),
            Self::Term(term) => term.fits(packet),
        }
    }
}

impl FromStr for Filter {
    type Err = FilterError;

    fn from_str(text: &str) -> Result<Self, FilterError> {
        parse::filter(text)
    }
}

/// A text that is no display filter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("character {}: {fault}", at + 1)]
pub(crate) struct FilterError {
    /// Octets before the place.
    at: usize,
    /// What is wrong there.
    fault: String,
}

impl Term {
    fn fits(&self, packet: &Packet) -> bool {
        match self {
            Self::Fault => !packet.faults().is_empty(),
            _ => packet.facts().any(|facts| self.fits_layer(facts)),
        }
    }

    fn fits_layer(&self, facts: &Facts) -> bool {
        match facts {
            Facts::Ip { source, destination } => self.fits_addresses(*source, *destination),
            Facts::Udp { source, destination } => [*source, *destination].map(Self::Port).contains(self),
            Facts::Isakmp(message) => self.fits_message(message),
            Facts::Ah { spi, .. } => *self == Self::Spi(*spi) || *self == Self::Protocol(Protocol::Ah),
            Facts::Esp { spi, .. } => *self == Self::Spi(*spi) || *self == Self::Protocol(Protocol::Esp),
            Facts::KeepAlive => *self == Self::Protocol(Protocol::KeepAlive),
            Facts::Link | Facts::Encrypted | Facts::Unreadable(_) | Facts::Other(_) | Facts::Fault => false,
        }
    }

    fn fits_addresses(&self, source: IpAddr, destination: IpAddr) -> bool {
        match self {
            Self::Peer(block) => block.contains(source) || block.contains(destination),
            Self::Source(block) => block.contains(source),
            Self::Destination(block) => block.contains(destination),
            _ => false,
        }
    }

    fn fits_message(&self, message: &Isakmp) -> bool {
        let header = &message.header;
        match self {
            Self::Cookie(cookie) => [header.initiator, header.responder].contains(cookie),
            Self::Spi(spi) => message.spis.contains(spi),
            Self::Exchange(exchange) => header.exchange == *exchange,
            Self::MessageId(id) => header.message_id == *id,
            Self::Payload(kind) => message.payloads.contains(kind),
            Self::Notify(kind) => message.notifications.contains(kind),
            Self::Vendor(text) => message.vendors.iter().any(|name| name.to_ascii_lowercase().contains(text)),
            Self::Protocol(protocol) => *protocol == Protocol::Isakmp,
            Self::Encrypted => header.flags.contains(Flags::ENCRYPTION),
            Self::Peer(_) | Self::Source(_) | Self::Destination(_) | Self::Port(_) | Self::Fault => false,
        }
    }
}
