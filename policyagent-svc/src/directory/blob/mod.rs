//! The binary values that the objects of an IPsec policy have in a directory: their attribute `ipsecData`.
//!
//! Each is a GUID that says of what kind it is, the length of the body, the body, and one zero octet that the length does not
//! count. Integers are little-endian; addresses are in network order. Reading is tolerant where writers are known to differ
//! (lengths, texts without their end, what stands behind the last field), writing has one form only.
pub(crate) mod filter;
pub(crate) mod isakmp;
pub(crate) mod negotiation;
pub(crate) mod nfa;
pub(crate) mod policy;
mod reader;
mod seeds;
#[cfg(test)]
mod tests;
mod writer;

pub(crate) use filter::FilterBlob;
pub(crate) use isakmp::IsakmpBlob;
pub(crate) use negotiation::NegotiationBlob;
pub(crate) use nfa::NfaBlob;
pub(crate) use policy::PolicyBlob;
use reader::Reader;
pub(crate) use seeds::seeds;
use writer::Writer;

use crate::guid::Guid;
use zeroize::Zeroizing;

/// Octets before the body: the GUID and the length.
const HEADER: usize = 20;

/// Octets that a value may have at most. Active Directory itself takes no more than 10 MiB of one object.
pub(crate) const MAX_OCTETS: usize = 10 << 20;

/// What is wrong with a value. It never has what may be a secret in it.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("ipsecData of {class}, offset {offset}: {what} is {value}, allowed: {allowed}")]
pub(crate) struct BlobError {
    /// The class of the object.
    pub(crate) class: &'static str,
    /// Where in the value, from 0.
    pub(crate) offset: usize,
    /// The field.
    pub(crate) what: &'static str,
    /// What it is.
    pub(crate) value: String,
    /// What it may be.
    pub(crate) allowed: String,
}

/// The section in which this project keeps what the published fields cannot express: a marker, a length, text in UTF-8. It
/// stands behind everything else, where readers that do not know it read no further.
const EXTENSION: Guid = Guid::new(0x8d1c_5f6e, 0x3b7a, 0x4e52, [0x9c, 0x41, 0x70, 0x6f, 0x6c, 0x69, 0x63, 0x79]);

/// A value with what stands behind its published fields.
#[derive(PartialEq, Eq, Debug)]
pub(crate) struct Read<T> {
    /// The published fields.
    pub(crate) blob: T,
    /// The text of this project's section.
    pub(crate) extension: Option<Zeroizing<String>>,
    /// Octets behind it all that nobody knows.
    pub(crate) unknown: usize,
}

/// A kind of value.
pub(crate) trait Blob: Sized {
    /// The class whose objects have it.
    const CLASS: &'static str;
    /// Its GUID.
    const GUID: Guid;

    /// Reads the body, and what of later versions stands behind it.
    fn read_body(reader: &mut Reader<'_>) -> Result<Self, BlobError>;

    /// Writes the body.
    fn write_body(&self, writer: &mut Writer);

    /// Writes what later versions have behind the body.
    fn write_later(&self, _writer: &mut Writer) {}

    /// Reads a value.
    fn read(octets: &[u8]) -> Result<Read<Self>, BlobError> {
        let mut reader = Reader::new(Self::CLASS, octets);
        if octets.len() > MAX_OCTETS {
            return Err(reader.error(
                0,
                "the whole",
                format!("{} octets", octets.len()),
                format!("{MAX_OCTETS} octets"),
            ));
        }
        let guid = reader.guid("the GUID of its kind")?;
        if guid != Self::GUID {
            return Err(reader.error(0, "the GUID of its kind", guid.to_string(), Self::GUID.to_string()));
        }
        let length = reader.u32("the length")? as usize;
        let there = octets.len() - HEADER;
        if length > there {
            return Err(reader.error(16, "the length", length.to_string(), format!("{there}, which follow")));
        }
        reader.body_ends(HEADER + length);
        let blob = Self::read_body(&mut reader)?;
        let extension = extension(&mut reader)?;
        // One zero octet ends it, whether or not a section stands before it.
        let unknown = reader.rest().iter().filter(|octet| **octet != 0).count();
        Ok(Read { blob, extension, unknown })
    }

    /// Writes a value; `extension` is the text of this project's section.
    fn write(&self, extension: Option<&str>) -> Zeroizing<Vec<u8>> {
        let mut body = Writer::default();
        self.write_body(&mut body);
        let mut out = Writer::default();
        out.guid(Self::GUID);
        out.length(body.octets().len());
        out.bytes(body.octets());
        self.write_later(&mut out);
        if let Some(text) = extension {
            out.guid(EXTENSION);
            out.length(text.len());
            out.bytes(text.as_bytes());
        }
        out.u8(0);
        out.finish()
    }
}

/// This project's section, which may stand behind a zero octet.
fn extension(reader: &mut Reader<'_>) -> Result<Option<Zeroizing<String>>, BlobError> {
    if !reader.skip_marker(EXTENSION) {
        return Ok(None);
    }
    let length = reader.u32("the length of the extension")? as usize;
    let at = reader.offset();
    let octets = reader.bytes(length, "the extension")?;
    let text = std::str::from_utf8(octets).map_err(|error| {
        let wrong = format!("no UTF-8 at its octet {}", error.valid_up_to());
        reader.error(at, "the extension", wrong, "UTF-8".to_owned())
    })?;
    Ok(Some(Zeroizing::new(text.to_owned())))
}
