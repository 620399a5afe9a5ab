//! The Delete payload (RFC 2408 §3.15).
use super::super::codes::{Doi, PayloadType, ProtocolId};
use super::super::error::{Fault, Part, WireError};
use super::super::reader::Reader;
use super::super::writer::Writer;

/// SAs that their owner has deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delete<'a> {
    /// The domain of interpretation.
    pub doi: Doi,
    /// The protocol of the SAs.
    pub protocol: ProtocolId,
    /// Octets of one SPI: 16 for ISAKMP, 4 for ESP and AH.
    pub spi_size: u8,
    /// The SPIs one after the other; see [`Self::spis`].
    pub octets: &'a [u8],
}

impl<'a> Delete<'a> {
    /// Decodes a body.
    pub fn decode(body: &'a [u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(Part::Payload(PayloadType::DELETE), body);
        let doi = Doi(reader.field("DOI").u32()?);
        let protocol = ProtocolId(reader.field("Protocol-Id").u8()?);
        let spi_size = reader.field("SPI Size").u8()?;
        let count = reader.field("# of SPIs").u16()?;
        let there = reader.remaining();
        // An SPI without octets names nothing, and thousands of them would cost no room.
        if usize::from(spi_size) * usize::from(count) != there || (spi_size == 0) != (count == 0) {
            return Err(reader.fault(Fault::Spis { size: spi_size, count, there }));
        }
        Ok(Self { doi, protocol, spi_size, octets: reader.rest() })
    }

    /// Each SPI, of [`Self::spi_size`] octets.
    pub fn spis(&self) -> impl ExactSizeIterator<Item = &'a [u8]> {
        self.octets.chunks_exact(usize::from(self.spi_size).max(1))
    }

    /// Writes a body.
    pub fn encode(&self, writer: &mut Writer) {
        writer.u32(self.doi.0);
        writer.u8(self.protocol.0);
        writer.u8(self.spi_size);
        writer.u16(u16::try_from(self.spis().len()).unwrap_or(u16::MAX));
        writer.bytes(self.octets);
    }
}
