//! The Hash payload (RFC 2408 §3.11).
use super::super::codes::PayloadType;
use super::super::error::WireError;
use super::super::writer::Writer;

/// A digest that proves integrity or identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hash<'a> {
    /// The digest; its length is for the negotiated hash to judge.
    pub data: &'a [u8],
}

impl<'a> Hash<'a> {
    /// Decodes a body.
    pub fn decode(body: &'a [u8]) -> Result<Self, WireError> {
        super::some_octets(PayloadType::HASH, "Hash Data", body).map(|data| Self { data })
    }

    /// Writes a body.
    pub fn encode(&self, writer: &mut Writer) {
        writer.bytes(self.data);
    }
}
