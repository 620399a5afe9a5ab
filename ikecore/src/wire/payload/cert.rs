//! The Certificate payload (RFC 2408 §3.9).
use super::super::codes::{CertEncoding, PayloadType};
use super::super::error::{Part, WireError};
use super::super::reader::Reader;
use super::super::writer::Writer;

/// A certificate, a chain of them, or a revocation list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cert<'a> {
    /// What `data` is.
    pub encoding: CertEncoding,
    /// The certificate.
    pub data: &'a [u8],
}

impl<'a> Cert<'a> {
    /// Decodes a body.
    pub fn decode(body: &'a [u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(Part::Payload(PayloadType::CERT), body);
        let encoding = CertEncoding(reader.field("Cert Encoding").u8()?);
        Ok(Self { encoding, data: reader.rest() })
    }

    /// Writes a body.
    pub fn encode(&self, writer: &mut Writer) {
        writer.u8(self.encoding.0);
        writer.bytes(self.data);
    }
}
