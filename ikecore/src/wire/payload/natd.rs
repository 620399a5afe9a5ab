//! The NAT-D payload (RFC 3947 §3.2, type 20; its drafts, type 130).
use super::super::codes::PayloadType;
use super::super::error::WireError;
use super::super::writer::Writer;

/// A hash of the cookies, an address and a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NatD<'a> {
    /// The hash; its length is that of the negotiated one.
    pub data: &'a [u8],
}

impl<'a> NatD<'a> {
    /// Decodes a body.
    pub fn decode(body: &'a [u8]) -> Result<Self, WireError> {
        super::some_octets(PayloadType::NAT_D, "HASH", body).map(|data| Self { data })
    }

    /// Writes a body.
    pub fn encode(&self, writer: &mut Writer) {
        writer.bytes(self.data);
    }
}
