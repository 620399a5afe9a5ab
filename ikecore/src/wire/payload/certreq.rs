//! The Certificate Request payload (RFC 2408 §3.10).
use super::super::codes::{CertEncoding, PayloadType};
use super::super::error::{Part, WireError};
use super::super::reader::Reader;
use super::super::writer::Writer;

/// A request for a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CertReq<'a> {
    /// The kind that is wanted.
    pub encoding: CertEncoding,
    /// The authority that should have issued it, for X.509 its name in DER; empty: any.
    pub authority: &'a [u8],
}

impl<'a> CertReq<'a> {
    /// Decodes a body.
    pub fn decode(body: &'a [u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(Part::Payload(PayloadType::CERTREQ), body);
        let encoding = CertEncoding(reader.field("Cert. Type").u8()?);
        Ok(Self { encoding, authority: reader.rest() })
    }

    /// Writes a body.
    pub fn encode(&self, writer: &mut Writer) {
        writer.u8(self.encoding.0);
        writer.bytes(self.authority);
    }
}
