//! The Key Exchange payload (RFC 2408 §3.7).
use super::super::codes::PayloadType;
use super::super::error::WireError;
use super::super::writer::Writer;

/// A public Diffie-Hellman value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyExchange<'a> {
    /// The value; its length, that of the group, is for the group to judge.
    pub data: &'a [u8],
}

impl<'a> KeyExchange<'a> {
    /// Decodes a body.
    pub fn decode(body: &'a [u8]) -> Result<Self, WireError> {
        super::some_octets(PayloadType::KE, "Key Exchange Data", body).map(|data| Self { data })
    }

    /// Writes a body.
    pub fn encode(&self, writer: &mut Writer) {
        writer.bytes(self.data);
    }
}
