//! The Security Association payload with its proposals and transforms (RFC 2408 §3.4 to §3.6, RFC 2407 §4.6.1).
use super::super::attribute::{Attribute, decode_list, encode_list};
use super::super::chain::{self, RawPayload};
use super::super::codes::{Doi, PayloadType, ProtocolId, Situation};
use super::super::error::{Fault, Part, WireError};
use super::super::reader::Reader;
use super::super::writer::Writer;
use crate::ids::Spi;

/// The most proposals that one SA payload may have. The Proposal # is one octet and honest peers send a dozen.
pub const MAX_PROPOSALS: usize = 64;

/// The most transforms that one proposal may have: its # of Transforms is one octet.
pub const MAX_TRANSFORMS: usize = 255;

/// An offer of SAs, or the answer to one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sa<'a> {
    /// The domain of interpretation. Decoded: always [`Doi::IPSEC`].
    pub doi: Doi,
    /// The situation. Decoded: always [`Situation::IDENTITY_ONLY`].
    pub situation: Situation,
    /// The proposals, in order of preference; those with one number belong together (RFC 2408 §4.2).
    pub proposals: Vec<Proposal<'a>>,
}

/// One protocol of an offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal<'a> {
    /// Proposal #.
    pub number: u8,
    /// The protocol.
    pub protocol: ProtocolId,
    /// The sender's SPI; what size the protocol needs is for the negotiation to judge. At most 255 octets.
    pub spi: &'a [u8],
    /// The alternatives, in order of preference. Decoded: at least one.
    pub transforms: Vec<Transform<'a>>,
}

/// One alternative of a proposal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transform<'a> {
    /// Transform #.
    pub number: u8,
    /// Transform-ID; its number space is the protocol's: [`super::super::codes::IkeTransform`],
    /// [`super::super::codes::EspTransform`], [`super::super::codes::AhTransform`],
    /// [`super::super::codes::IpcompTransform`].
    pub id: u8,
    /// The attributes; their types are [`super::super::codes::IkeAttribute`] for ISAKMP,
    /// [`super::super::codes::IpsecAttribute`] for all others.
    pub attributes: Vec<Attribute<'a>>,
}

impl<'a> Sa<'a> {
    /// Decodes a body.
    pub fn decode(body: &'a [u8]) -> Result<Self, WireError> {
        let (doi, situation, inner) = Self::head(body)?;
        let (raw, fault) = links(PayloadType::PROPOSAL, MAX_PROPOSALS, inner);
        fault.map_or(Ok(()), |fault| Err(fault.moved(HEAD)))?;
        let proposals = raw
            .iter()
            .map(|raw| raw.decode(Proposal::decode).map_err(|error| error.moved(HEAD)))
            .collect::<Result<_, _>>()?;
        Ok(Self { doi, situation, proposals })
    }

    /// The fields in front of the proposals, and the octets of those.
    pub(in super::super) fn head(body: &'a [u8]) -> Result<(Doi, Situation, &'a [u8]), WireError> {
        let mut reader = Reader::new(Part::Payload(PayloadType::SA), body);
        let doi = Doi(reader.field("DOI").u32()?);
        // RFC 2408 §5.4: the DOI first, since the form of the situation depends on it.
        if doi != Doi::IPSEC {
            return Err(reader.fault_at(0, Fault::Doi(doi)));
        }
        let situation = Situation(reader.field("Situation").u32()?);
        // RFC 2407 §4.2: secrecy and integrity would put labels between situation and proposals.
        if situation != Situation::IDENTITY_ONLY {
            return Err(reader.fault_at(4, Fault::Situation(situation)));
        }
        Ok((doi, situation, reader.rest()))
    }

    /// Writes a body.
    pub fn encode(&self, writer: &mut Writer) {
        writer.u32(self.doi.0);
        writer.u32(self.situation.0);
        encode_links(PayloadType::PROPOSAL, &self.proposals, writer, Proposal::encode);
    }
}

/// Octets of an SA payload's body in front of the first proposal.
const HEAD: usize = 8;

/// The fields of a proposal in front of its transforms.
pub(in super::super) struct ProposalHead<'a> {
    pub(in super::super) number: u8,
    pub(in super::super) protocol: ProtocolId,
    pub(in super::super) spi: &'a [u8],
    pub(in super::super) count: u8,
    pub(in super::super) inner: &'a [u8],
}

impl<'a> Proposal<'a> {
    fn decode(body: &'a [u8]) -> Result<Self, WireError> {
        let ProposalHead { number, protocol, spi, count, inner } = Self::head(body)?;
        let base = body.len() - inner.len();
        let (raw, fault) = links(PayloadType::TRANSFORM, MAX_TRANSFORMS, inner);
        fault.map_or(Ok(()), |fault| Err(fault.moved(base)))?;
        Self::check_count(body, count, raw.len())?;
        let transforms = raw
            .iter()
            .map(|raw| raw.decode(Transform::decode).map_err(|error| error.moved(base)))
            .collect::<Result<_, _>>()?;
        Ok(Self { number, protocol, spi, transforms })
    }

    pub(in super::super) fn head(body: &'a [u8]) -> Result<ProposalHead<'a>, WireError> {
        let mut reader = Reader::new(Part::Payload(PayloadType::PROPOSAL), body);
        let number = reader.field("Proposal #").u8()?;
        let protocol = ProtocolId(reader.field("Protocol-Id").u8()?);
        let spi_size = reader.field("SPI Size").u8()?;
        let count = reader.field("# of Transforms").u8()?;
        let spi = reader.field("SPI").take(spi_size.into())?;
        Ok(ProposalHead { number, protocol, spi, count, inner: reader.rest() })
    }

    /// Compares the # of Transforms field of the proposal in `body` with the transforms that it has.
    pub(in super::super) fn check_count(body: &[u8], stated: u8, found: usize) -> Result<(), WireError> {
        // RFC 2408 §3.5: # of Transforms specifies the number of transforms for the proposal.
        if found == usize::from(stated) && stated != 0 {
            return Ok(());
        }
        let fault = Fault::TransformCount { stated, found };
        Err(Reader::new(Part::Payload(PayloadType::PROPOSAL), body).fault_at(3, fault))
    }

    /// The SPI as a number if it has the 4 octets of ESP and AH, or the 2 of an IPComp CPI (RFC 3173 §4.1).
    pub fn spi_value(&self) -> Option<Spi> {
        match *self.spi {
            [a, b, c, d] => Some(Spi(u32::from_be_bytes([a, b, c, d]))),
            [a, b] if self.protocol == ProtocolId::IPCOMP => Some(Spi(u32::from_be_bytes([0, 0, a, b]))),
            _ => None,
        }
    }

    fn encode(&self, writer: &mut Writer) {
        let (size, spi) = super::sized(self.spi);
        writer.u8(self.number);
        writer.u8(self.protocol.0);
        writer.u8(size);
        writer.u8(u8::try_from(self.transforms.len()).unwrap_or(u8::MAX));
        writer.bytes(spi);
        encode_links(PayloadType::TRANSFORM, &self.transforms, writer, Transform::encode);
    }
}

impl<'a> Transform<'a> {
    fn decode(body: &'a [u8]) -> Result<Self, WireError> {
        let (number, id, inner) = Self::head(body)?;
        let attributes = decode_list(inner).map_err(|error| error.moved(body.len() - inner.len()))?;
        Ok(Self { number, id, attributes })
    }

    /// Transform #, Transform-ID, and the octets of the attributes.
    pub(in super::super) fn head(body: &'a [u8]) -> Result<(u8, u8, &'a [u8]), WireError> {
        let mut reader = Reader::new(Part::Payload(PayloadType::TRANSFORM), body);
        let number = reader.field("Transform #").u8()?;
        let id = reader.field("Transform-Id").u8()?;
        let reserved = reader.field("RESERVED2").u16()?;
        // RFC 2408 §2.5.2.
        if reserved != 0 {
            return Err(reader.fault_at(2, Fault::Reserved(reserved.into())));
        }
        Ok((number, id, reader.rest()))
    }

    fn encode(&self, writer: &mut Writer) {
        writer.u8(self.number);
        writer.u8(self.id);
        writer.u16(0);
        encode_list(&self.attributes, writer);
    }
}

/// The proposals of an SA payload or the transforms of a proposal, which must fill `octets`: those before a fault,
/// and the fault.
pub(in super::super) fn links<'a>(
    kind: PayloadType,
    max: usize,
    octets: &'a [u8],
) -> (Vec<RawPayload<'a>>, Option<WireError>) {
    let (what, allowed) = match kind {
        PayloadType::PROPOSAL => ("proposals", "P (2) or NONE (0)"),
        _ => ("transforms", "T (3) or NONE (0)"),
    };
    let mut found = Vec::new();
    let mut reader = Reader::new(Part::Payload(kind), octets);
    loop {
        let offset = reader.offset();
        if found.len() == max {
            return (found, Some(reader.fault(Fault::TooMany { what, max })));
        }
        let payload = match chain::parse_one(kind, &mut reader) {
            Ok((next, whole, body)) => (next, RawPayload { kind, body, whole, offset }),
            Err(fault) => return (found, Some(fault)),
        };
        found.push(payload.1);
        let fault = match payload.0 {
            // RFC 2408 §3.5, §3.6: only the same kind may follow, and 0 marks the last.
            next if next == kind => continue,
            PayloadType::NONE if reader.is_empty() => None,
            PayloadType::NONE => Some(reader.fault(Fault::Trailing { count: reader.remaining() })),
            value => Some(reader.fault_at(offset, Fault::NextPayload { value, allowed })),
        };
        return (found, fault);
    }
}

/// Writes nested payloads of one kind, each with its generic header.
fn encode_links<T>(kind: PayloadType, items: &[T], writer: &mut Writer, encode: impl Fn(&T, &mut Writer)) {
    for (index, item) in items.iter().enumerate() {
        let start = writer.len();
        let next = if index + 1 == items.len() { PayloadType::NONE } else { kind };
        writer.u8(next.0);
        // RFC 2408 §5.3: RESERVED is zero.
        writer.u8(0);
        let length = writer.length_from(start);
        encode(item, writer);
        writer.fill(length);
    }
}
