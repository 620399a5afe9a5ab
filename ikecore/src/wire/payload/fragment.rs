//! The Fragment payload, type 132, of Microsoft's and others' IKE fragmentation.
use super::super::codes::PayloadType;
use super::super::error::{Fault, Part, WireError};
use super::super::reader::Reader;
use super::super::writer::Writer;

/// A piece of a message. It stands alone in its own message, never encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fragment<'a> {
    /// The same for all pieces of one message.
    pub id: u16,
    /// The place of the piece, from 1.
    pub number: u8,
    /// Bit 0: the last piece. Other bits are sent as 0 and ignored.
    pub flags: u8,
    /// Octets of the whole message, its ISAKMP header among them.
    pub data: &'a [u8],
}

impl<'a> Fragment<'a> {
    /// The flag of the last piece.
    pub const LAST: u8 = 1;

    /// True for the last piece.
    pub const fn is_last(&self) -> bool {
        self.flags & Self::LAST != 0
    }

    /// Decodes a body.
    pub fn decode(body: &'a [u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(Part::Payload(PayloadType::FRAGMENT), body);
        let id = reader.field("fragment id").u16()?;
        let number = reader.field("fragment number").u8()?;
        let flags = reader.field("fragment flags").u8()?;
        if number == 0 {
            let fault = Fault::Value { field: "fragment number", value: 0, allowed: "1 to 255" };
            return Err(reader.fault_at(2, fault));
        }
        if reader.is_empty() {
            return Err(reader.fault(Fault::Length { field: "fragment data", length: 0, allowed: "at least 1" }));
        }
        Ok(Self { id, number, flags, data: reader.rest() })
    }

    /// Writes a body.
    pub fn encode(&self, writer: &mut Writer) {
        writer.u16(self.id);
        writer.u8(self.number);
        writer.u8(self.flags);
        writer.bytes(self.data);
    }
}
