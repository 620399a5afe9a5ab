//! The SA payloads that this host sends as initiator (RFC 2408 §4.2, RFC 2409 §5, RFC 2407 §4.5).
use super::codes::{IpsecCodes, encryption, hash};
use super::offer::{MainModeOffer, QuickModeOffer};
use super::suite::{Layer, Lifetime};
use crate::ids::Spi;
use crate::wire::attribute::AttributeWriter;
use crate::wire::codes::{
    AuthenticationMethod, Doi, EncapsulationMode, ExtendedSequenceNumber, IkeAttribute, IkeTransform, IpsecAttribute,
    LifeType, ProtocolId, Situation,
};
use crate::wire::payload::sa::MAX_TRANSFORMS;
use crate::wire::payload::{Proposal, Sa, Transform};
use crate::wire::writer::Writer;

/// The body of main mode's SA payload: one proposal, for each offer and method one transform, in order of preference.
///
/// A life of zero is left out. What this host cannot run is not offered; transforms beyond the 255th are not either.
pub fn encode_main_mode(
    offers: &[MainModeOffer],
    authentication: &[AuthenticationMethod],
    lifetime: Lifetime,
) -> Vec<u8> {
    let lists = offers
        .iter()
        .filter(|offer| offer.cipher.is_available() && offer.hash.is_available() && offer.group.is_available())
        .flat_map(|offer| authentication.iter().map(|method| main_mode_attributes(offer, *method, lifetime)));
    let lists: Vec<AttributeWriter> = lists.take(MAX_TRANSFORMS).collect();
    let transforms = numbered(lists.iter().map(|list| (IkeTransform::KEY_IKE.0, list)));
    // RFC 2409 §5: in phase 1 one proposal with all transforms. RFC 2408 §3.5: the cookies are its SPI, none is sent.
    body(vec![Proposal { number: 1, protocol: ProtocolId::ISAKMP, spi: &[], transforms }])
}

/// The body of quick mode's SA payload.
///
/// Consecutive offers of the same protocols are the transforms of one proposal number; others begin the next one. Under a
/// number each protocol has a proposal (RFC 2408 §4.2), and what goes with ESP or AH has one transform there, as the peer
/// could combine several at will. The proposals have the SPIs that `spis` gives for their protocols; offers with a
/// protocol without one are left out.
pub fn encode_quick_mode(offers: &[QuickModeOffer], mode: EncapsulationMode, spis: &[(ProtocolId, Spi)]) -> Vec<u8> {
    let octets: Vec<(ProtocolId, Vec<u8>)> = spis.iter().map(|(of, spi)| (*of, spi_octets(*of, *spi))).collect();
    let spi = |protocol| octets.iter().find(|(of, _)| *of == protocol).map(|(_, spi)| spi.as_slice());
    let offered: Vec<QuickModeOffer> =
        offers.iter().filter(|offer| offer.suite.protocols().iter().all(|it| spi(it).is_some())).copied().collect();
    let runs: Vec<(u8, Layered)> = (1..=u8::MAX)
        .zip(offered.chunk_by(share_a_number))
        .flat_map(|(number, run)| layered(run, mode).into_iter().map(move |layer| (number, layer)))
        .collect();
    let proposals = runs.iter().filter_map(|(number, (protocol, lists))| {
        let transforms = numbered(lists.iter().map(|(transform, list)| (*transform, list)));
        Some(Proposal { number: *number, protocol: *protocol, spi: spi(*protocol)?, transforms })
    });
    body(proposals.collect())
}

/// An SPI as it stands in a proposal: RFC 3173 §4.1 has CPIs of 2 octets.
pub(super) fn spi_octets(protocol: ProtocolId, spi: Spi) -> Vec<u8> {
    let octets = spi.0.to_be_bytes();
    octets.into_iter().skip(if protocol == ProtocolId::IPCOMP { 2 } else { 0 }).collect()
}

/// True if two offers differ only in what the peer may choose by itself.
fn share_a_number(one: &QuickModeOffer, next: &QuickModeOffer) -> bool {
    let companions = |offer: &QuickModeOffer| {
        let QuickModeOffer { suite, lifetime, pfs, extended_sequence_numbers } = *offer;
        (suite.compression, suite.outer, lifetime, pfs, extended_sequence_numbers)
    };
    let protocols = one.suite.protocols();
    protocols == next.suite.protocols() && (protocols.iter().count() == 1 || companions(one) == companions(next))
}

/// A protocol and its transforms.
type Layered = (ProtocolId, Vec<(u8, AttributeWriter)>);

/// The protocols of offers that share a number, from the outside in.
fn layered(run: &[QuickModeOffer], mode: EncapsulationMode) -> Vec<Layered> {
    let Some(first) = run.first() else { return Vec::new() };
    let transform = |offer: &QuickModeOffer, layer: Layer| {
        (IpsecCodes::of(layer).transform, quick_mode_attributes(offer, layer, mode))
    };
    let layers = first.suite.layers().rev().map(|layer| {
        let transforms = if layer == Layer::Sa(first.suite.main) {
            run.iter().map(|offer| transform(offer, Layer::Sa(offer.suite.main))).collect()
        } else {
            vec![transform(first, layer)]
        };
        (layer.protocol(), transforms)
    });
    layers.collect()
}

fn main_mode_attributes(offer: &MainModeOffer, method: AuthenticationMethod, lifetime: Lifetime) -> AttributeWriter {
    let (algorithm, key_length) = encryption(offer.cipher);
    let mut list = AttributeWriter::new();
    list.number(IkeAttribute::ENCRYPTION_ALGORITHM, algorithm.0.into());
    if let Some(bits) = key_length {
        list.number(IkeAttribute::KEY_LENGTH, bits.into());
    }
    list.number(IkeAttribute::HASH_ALGORITHM, hash(offer.hash).0.into())
        .number(IkeAttribute::GROUP_DESCRIPTION, offer.group.id().into())
        .number(IkeAttribute::AUTHENTICATION_METHOD, method.0.into());
    life(&mut list, lifetime, IkeAttribute::LIFE_TYPE.0, IkeAttribute::LIFE_DURATION.0);
    list
}

fn quick_mode_attributes(offer: &QuickModeOffer, layer: Layer, mode: EncapsulationMode) -> AttributeWriter {
    let codes = IpsecCodes::of(layer);
    let mut list = AttributeWriter::new();
    life(&mut list, offer.lifetime, IpsecAttribute::LIFE_TYPE.0, IpsecAttribute::LIFE_DURATION.0);
    list.number(IpsecAttribute::ENCAPSULATION_MODE, mode.0.into());
    if let Some(algorithm) = codes.authentication {
        list.number(IpsecAttribute::AUTHENTICATION_ALGORITHM, algorithm.0.into());
    }
    if let Some(bits) = codes.key_length {
        list.number(IpsecAttribute::KEY_LENGTH, bits.into());
    }
    if let Some(group) = offer.pfs {
        list.number(IpsecAttribute::GROUP_DESCRIPTION, group.id().into());
    }
    // RFC 4304 §2: without the attribute, sequence numbers have 32 bits.
    if offer.extended_sequence_numbers && layer != Layer::Compression {
        list.number(IpsecAttribute::EXTENDED_SEQUENCE_NUMBER, ExtendedSequenceNumber::EXTENDED.0.into());
    }
    list
}

/// Adds the limits that are set, each a pair of type and duration (RFC 2407 §4.5).
fn life(list: &mut AttributeWriter, lifetime: Lifetime, life_type: u16, life_duration: u16) {
    let limits = [(LifeType::SECONDS, lifetime.seconds), (LifeType::KILOBYTES, lifetime.kilobytes)];
    for (unit, limit) in limits.into_iter().filter(|(_, limit)| *limit != 0) {
        list.number(life_type, unit.0.into()).long(life_duration, limit);
    }
}

/// Transforms numbered from 1; those beyond the 255th are left out.
fn numbered<'a>(lists: impl Iterator<Item = (u8, &'a AttributeWriter)>) -> Vec<Transform<'a>> {
    (1..=u8::MAX)
        .zip(lists)
        .map(|(number, (id, list))| Transform { number, id, attributes: list.attributes() })
        .collect()
}

/// The body of an SA payload with these proposals.
pub(super) fn body(proposals: Vec<Proposal<'_>>) -> Vec<u8> {
    let mut writer = Writer::new();
    Sa { doi: Doi::IPSEC, situation: Situation::IDENTITY_ONLY, proposals }.encode(&mut writer);
    writer.into_vec()
}

#[cfg(test)]
mod tests;
