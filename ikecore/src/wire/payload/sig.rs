//! The Signature payload (RFC 2408 §3.12).
use super::super::codes::PayloadType;
use super::super::error::WireError;
use super::super::writer::Writer;

/// A signature over HASH_I or HASH_R.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signature<'a> {
    /// The signature.
    pub data: &'a [u8],
}

impl<'a> Signature<'a> {
    /// Decodes a body.
    pub fn decode(body: &'a [u8]) -> Result<Self, WireError> {
        super::some_octets(PayloadType::SIG, "Signature Data", body).map(|data| Self { data })
    }

    /// Writes a body.
    pub fn encode(&self, writer: &mut Writer) {
        writer.bytes(self.data);
    }
}
