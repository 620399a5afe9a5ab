//! The Attribute payload of the transaction exchange (draft-dukes-ike-mode-cfg-02 §3.2).
use super::super::attribute::{Attribute, AttributeValue, decode_padded_list, encode_list};
use super::super::chain::{GENERIC_HEADER, Padding, parse_lenient};
use super::super::codes::{ConfigAttribute, ConfigType, PayloadType};
use super::super::error::{Fault, Part, WireError};
use super::super::header::Header;
use super::super::reader::Reader;
use super::super::writer::Writer;

/// A request, reply, order or acknowledgement of Mode Config or XAuth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigAttributes<'a> {
    /// Which of them.
    pub config_type: ConfigType,
    /// The transaction.
    pub identifier: u16,
    /// The attributes; their types are [`super::super::codes::ConfigAttribute`].
    pub attributes: Vec<Attribute<'a>>,
}

impl<'a> ConfigAttributes<'a> {
    /// Decodes a body. libreswan makes its length a multiple of four by zeros behind the attributes.
    pub fn decode(body: &'a [u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(Part::Payload(PayloadType::ATTRIBUTES), body);
        let config_type = ConfigType(reader.field("Type").u8()?);
        let reserved = reader.field("RESERVED").u8()?;
        let identifier = reader.field("Identifier").u16()?;
        // RFC 2408 §2.5.2.
        if reserved != 0 {
            return Err(reader.fault_at(1, Fault::Reserved(reserved.into())));
        }
        let base = reader.offset();
        let attributes = decode_padded_list(reader.rest()).map_err(|error| error.moved(base))?;
        Ok(Self { config_type, identifier, attributes })
    }

    /// Writes a body.
    pub fn encode(&self, writer: &mut Writer) {
        writer.u8(self.config_type.0);
        writer.u8(0);
        writer.u16(self.identifier);
        encode_list(&self.attributes, writer);
    }
}

/// A whole message in clear with the values of its secret attributes blotted out (see
/// [`super::super::codes::ConfigAttribute::is_secret`]): for those who show messages to people.
pub fn without_secrets(message: &[u8]) -> Vec<u8> {
    let mut shown = message.to_vec();
    let Ok(header) = Header::decode(message) else { return shown };
    let body = message.get(Header::LEN..).unwrap_or_default();
    let (chain, _) = parse_lenient(header.next_payload, body, Padding::Allowed);
    for payload in chain.all(PayloadType::ATTRIBUTES) {
        // Type, RESERVED and Identifier come before the attributes.
        let first = Header::LEN + payload.offset + GENERIC_HEADER + 4;
        let mut reader = Reader::new(Part::Attribute, payload.body.get(4..).unwrap_or_default());
        while let (begin, Ok(attribute)) = (reader.offset(), Attribute::decode(&mut reader)) {
            if ConfigAttribute(attribute.kind).is_secret() {
                // The type and the length, or the type alone, stay.
                let head = if matches!(attribute.value, AttributeValue::Basic(_)) { 2 } else { 4 };
                let value = shown.get_mut(first + begin + head..first + reader.offset()).unwrap_or_default();
                value.fill(0);
            }
        }
    }
    shown
}
