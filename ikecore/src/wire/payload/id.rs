//! The Identification payload (RFC 2408 §3.8, RFC 2407 §4.6.2).
use super::super::codes::{IdType, PayloadType};
use super::super::error::{Fault, Part, WireError};
use super::super::reader::Reader;
use super::super::writer::Writer;

/// An identity: of a peer in phase 1, of the traffic in phase 2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Id<'a> {
    /// What `data` is.
    pub id_type: IdType,
    /// The IP protocol; 0: any.
    pub protocol: u8,
    /// The port; 0: any.
    pub port: u16,
    /// The identity: 4 or 16 octets for an address, two of them for a subnet (address, mask) or a range (first, last),
    /// text, DER, or anything for the other types.
    pub data: &'a [u8],
}

impl<'a> Id<'a> {
    /// Decodes a body. The length of addresses is checked.
    pub fn decode(body: &'a [u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(Part::Payload(PayloadType::ID), body);
        let id_type = IdType(reader.field("ID Type").u8()?);
        let protocol = reader.field("Protocol ID").u8()?;
        let port = reader.field("Port").u16()?;
        let data = reader.peek();
        // RFC 2407 §4.6.2.2 to §4.6.2.9: the sizes that are fixed.
        let (length, allowed) = match id_type {
            IdType::IPV4_ADDR => (4, "4"),
            IdType::IPV4_ADDR_SUBNET | IdType::IPV4_ADDR_RANGE => (8, "8"),
            IdType::IPV6_ADDR => (16, "16"),
            IdType::IPV6_ADDR_SUBNET | IdType::IPV6_ADDR_RANGE => (32, "32"),
            _ => (data.len(), ""),
        };
        if data.len() != length {
            return Err(reader.fault(Fault::Length { field: "Identification Data", length: data.len(), allowed }));
        }
        Ok(Self { id_type, protocol, port, data })
    }

    /// Writes a body.
    pub fn encode(&self, writer: &mut Writer) {
        writer.u8(self.id_type.0);
        writer.u8(self.protocol);
        writer.u16(self.port);
        writer.bytes(self.data);
    }
}
