//! The Notification payload (RFC 2408 §3.14, RFC 2407 §4.6.3).
use super::super::codes::{Doi, NotifyType, PayloadType, ProtocolId};
use super::super::error::{Part, WireError};
use super::super::reader::Reader;
use super::super::writer::Writer;

/// An error or a status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Notify<'a> {
    /// The domain of interpretation.
    pub doi: Doi,
    /// The protocol of the SA.
    pub protocol: ProtocolId,
    /// The SA: both cookies for ISAKMP, 4 octets for ESP and AH, or nothing. At most 255 octets.
    pub spi: &'a [u8],
    /// The message.
    pub notify_type: NotifyType,
    /// What the message has to say beyond its type.
    pub data: &'a [u8],
}

impl<'a> Notify<'a> {
    /// Decodes a body.
    pub fn decode(body: &'a [u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(Part::Payload(PayloadType::NOTIFY), body);
        let doi = Doi(reader.field("DOI").u32()?);
        let protocol = ProtocolId(reader.field("Protocol-ID").u8()?);
        let spi_size = reader.field("SPI Size").u8()?;
        let notify_type = NotifyType(reader.field("Notify Message Type").u16()?);
        let spi = reader.field("SPI").take(spi_size.into())?;
        Ok(Self { doi, protocol, spi, notify_type, data: reader.rest() })
    }

    /// Writes a body.
    pub fn encode(&self, writer: &mut Writer) {
        let (size, spi) = super::sized(self.spi);
        writer.u32(self.doi.0);
        writer.u8(self.protocol.0);
        writer.u8(size);
        writer.u16(self.notify_type.0);
        writer.bytes(spi);
        writer.bytes(self.data);
    }
}
