//! The chain of payloads and their generic header (RFC 2408 §3.2), and whole messages.
use super::codes::PayloadType;
use super::error::{Fault, Part, WireError};
use super::header::Header;
use super::reader::Reader;
use super::writer::Writer;

#[cfg(test)]
mod tests;

/// Octets of the generic payload header.
pub const GENERIC_HEADER: usize = 4;

/// The most payloads that one message may have. The longest honest ones, message 1 with all vendor IDs and message 5
/// with a certificate chain, stay below 40; the bound keeps a forged 64 KB datagram from making 16,000.
pub const MAX_PAYLOADS: usize = 64;

/// One payload of a chain, not yet decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RawPayload<'a> {
    /// Its type.
    pub kind: PayloadType,
    /// Its octets without the generic header: what RFC 2409 §3.2 calls `<P>_b`.
    pub body: &'a [u8],
    /// Its octets with the generic header.
    pub whole: &'a [u8],
    /// Where `whole` begins: octets from the start of the chain.
    pub offset: usize,
}

impl<'a> RawPayload<'a> {
    /// Decodes the body; errors then count their offset from the start of the chain.
    pub fn decode<T>(&self, decode: impl FnOnce(&'a [u8]) -> Result<T, WireError>) -> Result<T, WireError> {
        decode(self.body).map_err(|error| error.moved(self.offset + GENERIC_HEADER))
    }
}

/// Whether octets may follow the last payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Padding {
    /// In a plain message: none.
    Forbidden,
    /// In a decrypted one: the cipher's (RFC 2409 Appendix B).
    Allowed,
}

/// The payloads of a message, in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain<'a> {
    /// The payloads.
    pub payloads: Vec<RawPayload<'a>>,
    /// What follows the last one.
    pub padding: &'a [u8],
}

/// Parses the chain in `octets`, whose first payload is a `first`.
pub fn parse(first: PayloadType, octets: &[u8], padding: Padding) -> Result<Chain<'_>, WireError> {
    let (chain, fault) = parse_lenient(first, octets, padding);
    fault.map_or(Ok(chain), Err)
}

/// Parses as far as possible: the payloads before the fault, and the fault.
pub fn parse_lenient(first: PayloadType, octets: &[u8], padding: Padding) -> (Chain<'_>, Option<WireError>) {
    let mut reader = Reader::new(Part::Chain, octets);
    let mut payloads = Vec::new();
    let mut kind = first;
    while kind != PayloadType::NONE {
        if payloads.len() == MAX_PAYLOADS {
            let fault = reader.fault(Fault::TooMany { what: "payloads", max: MAX_PAYLOADS });
            return (Chain { payloads, padding: &[] }, Some(fault));
        }
        let offset = reader.offset();
        match parse_one(kind, &mut reader) {
            Ok((next, whole, body)) => {
                payloads.push(RawPayload { kind, body, whole, offset });
                kind = next;
            }
            Err(fault) => return (Chain { payloads, padding: &[] }, Some(fault)),
        }
    }
    let fault = match (padding, reader.remaining()) {
        (Padding::Forbidden, count @ 1..) => Some(reader.fault(Fault::Trailing { count })),
        _ => None,
    };
    (Chain { payloads, padding: reader.rest() }, fault)
}

/// One payload: the type of the next, its octets, its body.
pub(super) fn parse_one<'a>(
    kind: PayloadType,
    reader: &mut Reader<'a>,
) -> Result<(PayloadType, &'a [u8], &'a [u8]), WireError> {
    let offset = reader.offset();
    let mut payload = Reader::new(Part::Payload(kind), reader.peek());
    let moved = |error: WireError| error.moved(offset);
    let header = generic_header(&mut payload).map_err(moved)?;
    let whole = reader.take(header.length.into())?;
    Ok((header.next, whole, whole.get(GENERIC_HEADER..).unwrap_or_default()))
}

/// The fields of a generic payload header.
pub(super) struct GenericHeader {
    pub(super) next: PayloadType,
    /// Octets of the payload with this header; at least its 4, at most what is there.
    pub(super) length: u16,
}

/// Reads a generic payload header; `reader` holds everything from its first octet on.
pub(super) fn generic_header(reader: &mut Reader<'_>) -> Result<GenericHeader, WireError> {
    let (start, there) = (reader.offset(), reader.remaining());
    let next = PayloadType(reader.field("Next Payload").u8()?);
    let reserved = reader.field("RESERVED").u8()?;
    let length = reader.field("Payload Length").u16()?;
    // RFC 2408 §5.3: RESERVED that is not zero discards the message.
    if reserved != 0 {
        return Err(reader.fault_at(start + 1, Fault::Reserved(reserved.into())));
    }
    if usize::from(length) < GENERIC_HEADER || usize::from(length) > there {
        let fault = Fault::PayloadLength { stated: length, least: GENERIC_HEADER, there };
        return Err(reader.fault_at(start + 2, fault));
    }
    Ok(GenericHeader { next, length })
}

impl<'a> Chain<'a> {
    /// The first payload of a kind. How many there may be is for [`super::rules::check`].
    pub fn one(&self, kind: PayloadType) -> Option<&RawPayload<'a>> {
        self.payloads.iter().find(|payload| payload.kind == kind)
    }

    /// Every payload of a kind, in order.
    pub fn all(&self, kind: PayloadType) -> impl Iterator<Item = &RawPayload<'a>> {
        self.payloads.iter().filter(move |payload| payload.kind == kind)
    }
}

/// Builds a chain of payloads.
#[derive(Debug, Default)]
pub struct ChainWriter {
    octets: Vec<u8>,
    first: PayloadType,
    /// Where the Next Payload field of the last payload stands.
    last: usize,
}

impl ChainWriter {
    /// An empty chain.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a payload at the end; `body` writes what follows the generic header.
    pub fn push(&mut self, kind: PayloadType, body: impl FnOnce(&mut Writer)) {
        let at = self.octets.len();
        match self.octets.get_mut(self.last) {
            Some(next) => *next = kind.0,
            None => self.first = kind,
        }
        self.last = at;
        self.octets.extend(payload(PayloadType::NONE, body));
    }

    /// Adds a payload at the front, as a HASH that covers what is already there needs it.
    pub fn prepend(&mut self, kind: PayloadType, body: impl FnOnce(&mut Writer)) {
        let head = payload(self.first, body);
        if !self.octets.is_empty() {
            self.last += head.len();
        }
        self.first = kind;
        self.octets.splice(..0, head);
    }

    /// The type of the first payload so far.
    pub const fn first(&self) -> PayloadType {
        self.first
    }

    /// The octets so far: a well-formed chain.
    pub fn octets(&self) -> &[u8] {
        &self.octets
    }

    /// The type of the first payload, and the octets.
    pub fn finish(self) -> (PayloadType, Vec<u8>) {
        (self.first, self.octets)
    }
}

/// One payload with its generic header.
fn payload(next: PayloadType, body: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.u8(next.0);
    // RFC 2408 §5.3: RESERVED is zero.
    writer.u8(0);
    let length = writer.length_from(0);
    body(&mut writer);
    writer.fill(length);
    writer.into_vec()
}

/// A whole message: `header` with its Next Payload and Length filled in, then `body`, plain or encrypted.
pub fn build_message(header: &Header, first: PayloadType, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(Header::LEN.saturating_add(body.len())).unwrap_or(u32::MAX);
    let mut writer = Writer::new();
    Header { next_payload: first, length, ..*header }.encode(&mut writer);
    writer.bytes(body);
    writer.into_vec()
}
