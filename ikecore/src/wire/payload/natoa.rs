//! The NAT-OA payload (RFC 3947 §5.2, type 21; its drafts, type 131).
use super::super::codes::{IdType, PayloadType};
use super::super::error::{Fault, Part, WireError};
use super::super::reader::Reader;
use super::super::writer::Writer;
use core::net::IpAddr;

/// An address as it was before a NAT translated it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NatOa {
    /// The address.
    pub address: IpAddr,
}

impl NatOa {
    /// Decodes a body.
    pub fn decode(body: &[u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(Part::Payload(PayloadType::NAT_OA), body);
        let id_type = IdType(reader.field("ID Type").u8()?);
        let reserved = reader.field("RESERVED").array::<3>()?;
        // RFC 2408 §2.5.2.
        if reserved != [0; 3] {
            let [a, b, c] = reserved;
            return Err(reader.fault_at(1, Fault::Reserved(u32::from_be_bytes([0, a, b, c]))));
        }
        reader.field("original address");
        let address = match id_type {
            IdType::IPV4_ADDR => IpAddr::from(reader.array::<4>()?),
            IdType::IPV6_ADDR => IpAddr::from(reader.array::<16>()?),
            _ => {
                let allowed = "ID_IPV4_ADDR (1) or ID_IPV6_ADDR (5)";
                return Err(reader.fault_at(0, Fault::Value { field: "ID Type", value: id_type.0.into(), allowed }));
            }
        };
        reader.finish()?;
        Ok(Self { address })
    }

    /// Writes a body.
    pub fn encode(&self, writer: &mut Writer) {
        let id_type = if self.address.is_ipv4() { IdType::IPV4_ADDR } else { IdType::IPV6_ADDR };
        writer.u8(id_type.0);
        writer.zeros(3);
        match self.address {
            IpAddr::V4(address) => writer.bytes(&address.octets()),
            IpAddr::V6(address) => writer.bytes(&address.octets()),
        }
    }
}
