//! The Nonce payload (RFC 2408 §3.13).
use super::super::codes::PayloadType;
use super::super::error::{Fault, Part, WireError};
use super::super::reader::Reader;
use super::super::writer::Writer;

/// Random octets of one peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Nonce<'a> {
    /// 8 to 256 octets.
    pub data: &'a [u8],
}

impl<'a> Nonce<'a> {
    /// Decodes a body.
    pub fn decode(body: &'a [u8]) -> Result<Self, WireError> {
        // RFC 2409 §5: the length of nonce payload MUST be between 8 and 256 bytes inclusive.
        if !(8..=256).contains(&body.len()) {
            let fault = Fault::Length { field: "Nonce Data", length: body.len(), allowed: "8 to 256" };
            return Err(Reader::new(Part::Payload(PayloadType::NONCE), body).fault(fault));
        }
        Ok(Self { data: body })
    }

    /// Writes a body.
    pub fn encode(&self, writer: &mut Writer) {
        writer.bytes(self.data);
    }
}
