//! Data attributes (RFC 2408 §3.3): of transforms, of RESPONDER-LIFETIME, of the transaction exchange.
use super::error::{Fault, Part, WireError};
use super::reader::Reader;
use super::writer::Writer;

#[cfg(test)]
mod tests;

/// The most attributes that one list may have. A transform with a private group has 16, a long Mode Config reply some
/// dozens.
pub const MAX_ATTRIBUTES: usize = 256;

/// The bit of the type field that marks a value of two octets in place of a length.
const FORMAT: u16 = 0x8000;

/// One attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attribute<'a> {
    /// Its type, without the format bit: 0 to 32767.
    pub kind: u16,
    /// Its value, in the form it has on the wire.
    pub value: AttributeValue<'a>,
}

/// The value of an attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttributeValue<'a> {
    /// Two octets in place of the length (AF = 1).
    Basic(u16),
    /// Octets after a length (AF = 0).
    Variable(&'a [u8]),
}

impl<'a> Attribute<'a> {
    /// The value as a number: basic, or variable with 1 to 8 octets in network order.
    pub fn as_u64(&self) -> Option<u64> {
        match self.value {
            AttributeValue::Basic(value) => Some(value.into()),
            AttributeValue::Variable(octets @ [_, ..]) if octets.len() <= 8 => {
                Some(octets.iter().fold(0, |value, octet| value << 8 | u64::from(*octet)))
            }
            AttributeValue::Variable(_) => None,
        }
    }

    /// Decodes one attribute and leaves `reader` behind it.
    pub fn decode(reader: &mut Reader<'a>) -> Result<Self, WireError> {
        let kind = reader.field("attribute type").u16()?;
        if kind & FORMAT != 0 {
            let value = reader.field("basic attribute value").u16()?;
            return Ok(Self { kind: kind & !FORMAT, value: AttributeValue::Basic(value) });
        }
        let length = reader.field("attribute length").u16()?;
        let value = reader.field("variable attribute value").take(length.into())?;
        Ok(Self { kind, value: AttributeValue::Variable(value) })
    }

    /// Writes the attribute. A value of more than 65535 octets does not fit, nor does the payload around it then: that
    /// one's length makes the receiver refuse the message.
    pub fn encode(&self, writer: &mut Writer) {
        match self.value {
            AttributeValue::Basic(value) => {
                writer.u16(self.kind | FORMAT);
                writer.u16(value);
            }
            AttributeValue::Variable(octets) => {
                writer.u16(self.kind & !FORMAT);
                let start = writer.len() + 2;
                let length = writer.length_from(start);
                writer.bytes(octets);
                writer.fill(length);
            }
        }
    }
}

/// Decodes the attributes that fill `octets`.
pub fn decode_list(octets: &[u8]) -> Result<Vec<Attribute<'_>>, WireError> {
    decode_until(octets, &[])
}

/// Decodes the attributes that fill `octets`, perhaps but for fewer than four zeros behind them.
pub fn decode_padded_list(octets: &[u8]) -> Result<Vec<Attribute<'_>>, WireError> {
    decode_until(octets, &[0; 3])
}

/// Decodes attributes until what is left is the end of `padding`.
fn decode_until<'a>(octets: &'a [u8], padding: &[u8]) -> Result<Vec<Attribute<'a>>, WireError> {
    let mut reader = Reader::new(Part::Attribute, octets);
    let mut attributes = Vec::new();
    while !padding.ends_with(reader.peek()) {
        if attributes.len() == MAX_ATTRIBUTES {
            return Err(reader.fault(Fault::TooMany { what: "attributes", max: MAX_ATTRIBUTES }));
        }
        attributes.push(Attribute::decode(&mut reader)?);
    }
    Ok(attributes)
}

/// Writes each of `attributes`.
pub fn encode_list(attributes: &[Attribute<'_>], writer: &mut Writer) {
    attributes.iter().for_each(|attribute| attribute.encode(writer));
}

/// Builds a list of attributes and holds their values.
#[derive(Debug, Default, Clone)]
pub struct AttributeWriter(Vec<(u16, Held)>);

#[derive(Debug, Clone)]
enum Held {
    Basic(u16),
    Variable(Vec<u8>),
}

impl AttributeWriter {
    /// An empty list.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// A number: basic if it fits 16 bits, else variable with 4 octets.
    pub fn number(&mut self, kind: impl Into<u16>, value: u32) -> &mut Self {
        let held = u16::try_from(value).map_or_else(|_| Held::Variable(value.to_be_bytes().to_vec()), Held::Basic);
        self.0.push((kind.into(), held));
        self
    }

    /// A number, always variable with 4 octets, as Windows sends life durations.
    pub fn long(&mut self, kind: impl Into<u16>, value: u32) -> &mut Self {
        self.variable(kind, &value.to_be_bytes())
    }

    /// Octets.
    pub fn variable(&mut self, kind: impl Into<u16>, octets: &[u8]) -> &mut Self {
        self.0.push((kind.into(), Held::Variable(octets.to_vec())));
        self
    }

    /// The attributes so far.
    pub fn attributes(&self) -> Vec<Attribute<'_>> {
        let borrow = |held| match held {
            &Held::Basic(value) => AttributeValue::Basic(value),
            Held::Variable(octets) => AttributeValue::Variable(octets),
        };
        self.0.iter().map(|(kind, held)| Attribute { kind: *kind, value: borrow(held) }).collect()
    }

    /// The octets of the list.
    pub fn to_vec(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        encode_list(&self.attributes(), &mut writer);
        writer.into_vec()
    }
}
