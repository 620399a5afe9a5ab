//! The ISAKMP header (RFC 2408 §3.1).
use super::codes::{ExchangeType, Flags, PayloadType};
use super::error::{Fault, Part, WireError};
use super::reader::Reader;
use super::writer::Writer;
use crate::ids::{Cookie, Cookies, MessageId};

#[cfg(test)]
mod tests;

/// The ISAKMP header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// CKY-I.
    pub initiator: Cookie,
    /// CKY-R; zero in an initiator's first message.
    pub responder: Cookie,
    /// The type of the first payload; of the first plain one if the body is encrypted.
    pub next_payload: PayloadType,
    /// Major version in the high four bits, minor in the low four.
    pub version: u8,
    /// The exchange.
    pub exchange: ExchangeType,
    /// The flags.
    pub flags: Flags,
    /// The message ID.
    pub message_id: MessageId,
    /// Octets of the whole message, with this header.
    pub length: u32,
}

impl Header {
    /// Octets of a header.
    pub const LEN: usize = 28;
    /// Where the flags stand.
    pub const FLAGS: usize = 19;
    /// Version 1.0, the only one spoken.
    pub const VERSION: u8 = 0x10;

    /// Decodes and checks the header of a whole message.
    pub fn decode(octets: &[u8]) -> Result<Self, WireError> {
        let header = Self::read(octets)?;
        let fault = |offset, fault| Err(WireError { part: Part::Header, offset, fault });
        // Version first: the rest of the header has no meaning that we know in another version.
        if header.version >> 4 != Self::VERSION >> 4 {
            return fault(17, Fault::MajorVersion(header.version));
        }
        // RFC 2408 §3.1: SHOULD never accept a minor version larger than its own.
        if header.version & 0x0f > Self::VERSION & 0x0f {
            return fault(17, Fault::MinorVersion(header.version));
        }
        // RFC 2408 §5.1: a message whose length is not the one in the header MUST be rejected.
        if usize::try_from(header.length).ok() != Some(octets.len()) {
            return fault(24, Fault::MessageLength { stated: header.length, there: octets.len() });
        }
        Ok(header)
    }

    /// Reads the fields without judging them: for replies to, and pictures of, what [`Self::decode`] refuses.
    pub fn read(octets: &[u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(Part::Header, octets);
        Ok(Self {
            initiator: Cookie(reader.field("Initiator Cookie").array()?),
            responder: Cookie(reader.field("Responder Cookie").array()?),
            next_payload: PayloadType(reader.field("Next Payload").u8()?),
            version: reader.field("Version").u8()?,
            exchange: ExchangeType(reader.field("Exchange Type").u8()?),
            flags: Flags(reader.field("Flags").u8()?),
            message_id: MessageId(reader.field("Message ID").u32()?),
            length: reader.field("Length").u32()?,
        })
    }

    /// Checks the fields against each other (RFC 2408 §5.2).
    pub fn check(&self) -> Result<(), WireError> {
        let fault = |offset, fault| Err(WireError { part: Part::Header, offset, fault });
        if self.initiator.is_zero() {
            return fault(0, Fault::ZeroCookie);
        }
        if self.exchange.name().is_none() || self.exchange == ExchangeType::NONE {
            return fault(18, Fault::Exchange(self.exchange));
        }
        if !Flags::KNOWN.contains(self.flags) {
            return fault(Self::FLAGS, Fault::Flags(self.flags));
        }
        // RFC 2408 §3.1: zero in phase 1. An informational message may belong to either phase.
        let phase_1 = match self.exchange {
            ExchangeType::BASE | ExchangeType::MAIN | ExchangeType::AUTH_ONLY | ExchangeType::AGGRESSIVE => true,
            ExchangeType::QUICK | ExchangeType::NEW_GROUP | ExchangeType::TRANSACTION => false,
            _ => return Ok(()),
        };
        if (self.message_id == MessageId::PHASE_1) != phase_1 {
            return fault(20, Fault::MessageId { id: self.message_id.0, exchange: self.exchange });
        }
        Ok(())
    }

    /// Both cookies.
    pub const fn cookies(&self) -> Cookies {
        Cookies { initiator: self.initiator, responder: self.responder }
    }

    /// Writes the fields as they are.
    pub fn encode(&self, writer: &mut Writer) {
        writer.bytes(&self.initiator.0);
        writer.bytes(&self.responder.0);
        writer.u8(self.next_payload.0);
        writer.u8(self.version);
        writer.u8(self.exchange.0);
        writer.u8(self.flags.0);
        writer.u32(self.message_id.0);
        writer.u32(self.length);
    }
}
