use super::super::{
    Attribute, AttributeValue, CertEncoding, ConfigType, Doi, IdType, NotifyType, ProtocolId, Situation, Writer,
};
use super::*;
use core::net::{Ipv4Addr, Ipv6Addr};
use proptest::collection::vec;
use proptest::prelude::*;

/// Asserts that a value survives encoding and decoding.
macro_rules! survives {
    ($value:expr, $type:ident) => {{
        let value = $value;
        let mut writer = Writer::new();
        value.encode(&mut writer);
        let octets = writer.into_vec();
        prop_assert_eq!($type::decode(&octets), Ok(value));
    }};
}

fn octets(range: core::ops::RangeInclusive<usize>) -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), range)
}

/// Attributes with their values owned.
fn attribute_parts() -> impl Strategy<Value = Vec<(u16, Result<u16, Vec<u8>>)>> {
    let value = prop_oneof![any::<u16>().prop_map(Ok), octets(0..=20).prop_map(Err)];
    vec((0..0x8000_u16, value), 0..=8)
}

fn attributes(parts: &[(u16, Result<u16, Vec<u8>>)]) -> Vec<Attribute<'_>> {
    fn value(held: &Result<u16, Vec<u8>>) -> AttributeValue<'_> {
        match held {
            &Ok(value) => AttributeValue::Basic(value),
            Err(octets) => AttributeValue::Variable(octets),
        }
    }
    parts.iter().map(|(kind, held)| Attribute { kind: *kind, value: value(held) }).collect()
}

type TransformParts = (u8, u8, Vec<(u16, Result<u16, Vec<u8>>)>);

fn proposal_parts() -> impl Strategy<Value = Vec<(u8, u8, Vec<u8>, Vec<TransformParts>)>> {
    let transforms = vec((any::<u8>(), any::<u8>(), attribute_parts()), 1..=5);
    vec((any::<u8>(), any::<u8>(), octets(0..=16), transforms), 1..=4)
}

proptest! {
    #[test]
    fn single_fields_survive(data in octets(1..=300)) {
        survives!(KeyExchange { data: &data }, KeyExchange);
        survives!(Hash { data: &data }, Hash);
        survives!(Signature { data: &data }, Signature);
        survives!(NatD { data: &data }, NatD);
        survives!(Vendor { data: &data }, Vendor);
    }

    #[test]
    fn nonces_survive(data in octets(8..=256)) {
        survives!(Nonce { data: &data }, Nonce);
    }

    #[test]
    fn certificates_survive(encoding: u8, data in octets(0..=300)) {
        survives!(Cert { encoding: CertEncoding(encoding), data: &data }, Cert);
        survives!(CertReq { encoding: CertEncoding(encoding), authority: &data }, CertReq);
    }

    #[test]
    fn identities_survive(kind in 0_u8..=20, protocol: u8, port: u16, data in octets(32..=32)) {
        let size = match kind { 1 => 4, 4 | 7 => 8, 5 => 16, _ => 32 };
        survives!(Id { id_type: IdType(kind), protocol, port, data: &data[..size] }, Id);
    }

    #[test]
    fn notifications_survive(doi: u32, protocol: u8, kind: u16, spi in octets(0..=255), data in octets(0..=40)) {
        let notify = Notify {
            doi: Doi(doi), protocol: ProtocolId(protocol), spi: &spi, notify_type: NotifyType(kind), data: &data,
        };
        survives!(notify, Notify);
    }

    #[test]
    fn deletes_survive(doi: u32, protocol: u8, spi_size in 1_u8..=16, count in 0_usize..=9, data in octets(144..=144)) {
        let octets = &data[..usize::from(spi_size) * count];
        let spi_size = if count == 0 { 0 } else { spi_size };
        let delete = Delete { doi: Doi(doi), protocol: ProtocolId(protocol), spi_size, octets };
        prop_assert_eq!(delete.spis().len(), count);
        prop_assert!(delete.spis().all(|spi| spi.len() == usize::from(spi_size)));
        survives!(delete, Delete);
    }

    #[test]
    fn original_addresses_survive(four: u32, six: u128) {
        survives!(NatOa { address: Ipv4Addr::from(four).into() }, NatOa);
        survives!(NatOa { address: Ipv6Addr::from(six).into() }, NatOa);
    }

    #[test]
    fn fragments_survive(id: u16, number in 1_u8.., flags: u8, data in octets(1..=600)) {
        survives!(Fragment { id, number, flags, data: &data }, Fragment);
    }

    #[test]
    fn transaction_attributes_survive(kind: u8, identifier: u16, parts in attribute_parts()) {
        let attributes = attributes(&parts);
        survives!(ConfigAttributes { config_type: ConfigType(kind), identifier, attributes }, ConfigAttributes);
    }

    #[test]
    fn security_associations_survive(parts in proposal_parts()) {
        let transform = |(number, id, list): &'_ TransformParts| (*number, *id, list.clone());
        let owned: Vec<Vec<TransformParts>> =
            parts.iter().map(|(.., list)| list.iter().map(transform).collect()).collect();
        let proposals = parts.iter().zip(&owned).map(|((number, protocol, spi, _), list)| Proposal {
            number: *number,
            protocol: ProtocolId(*protocol),
            spi,
            transforms: list
                .iter()
                .map(|(number, id, list)| Transform { number: *number, id: *id, attributes: attributes(list) })
                .collect(),
        });
        let sa = Sa { doi: Doi::IPSEC, situation: Situation::IDENTITY_ONLY, proposals: proposals.collect() };
        survives!(sa, Sa);
    }

    #[test]
    fn no_decoder_panics_and_what_decodes_encodes_the_same(kind: u8, body in octets(0..=400)) {
        if let Ok(encoded) = crate::fuzzing::reencode(PayloadType(kind), &body) {
            prop_assert_eq!(encoded, body);
        }
    }

    #[test]
    fn damaged_security_associations_never_panic(at in 0_usize..200, value: u8, cut in 0_usize..200) {
        let mut body = SA.to_vec();
        if let Some(octet) = body.get_mut(at) {
            *octet = value;
        }
        body.truncate(cut);
        if let Ok(encoded) = crate::fuzzing::reencode(PayloadType::SA, &body) {
            prop_assert_eq!(encoded, body);
        }
    }
}

#[test]
fn transaction_attributes_may_be_padded() {
    // A reply with an address, and the netmask of no value.
    let body = [2, 0, 0, 7, 0, 1, 0, 4, 10, 99, 0, 0, 0, 2, 0, 0];
    let decoded = ConfigAttributes::decode(&body).expect("valid");
    assert_eq!(decoded.attributes.len(), 2);
    for count in 1..=3 {
        assert_eq!(ConfigAttributes::decode(&[&body, &[0; 3][..count]].concat()), Ok(decoded.clone()));
    }
    for rest in [[0_u8, 1].as_slice(), &[1, 0, 0], &[0, 0, 1]] {
        ConfigAttributes::decode(&[&body, rest].concat()).expect_err("it is no padding");
    }
}

/// One ISAKMP proposal with two transforms, of 8 and of 12 octets.
const SA: &[u8] = &[
    0, 0, 0, 1, 0, 0, 0, 1, // DOI, situation
    0, 0, 0, 32, 1, 1, 4, 2, 9, 9, 9, 9, // proposal 1, ISAKMP, SPI of 4, 2 transforms
    3, 0, 0, 8, 1, 1, 0, 0, // transform 1
    0, 0, 0, 12, 2, 1, 0, 0, 0x80, 1, 0, 7, // transform 2, AES
];

fn sa_with(at: usize, value: u8) -> WireError {
    let mut body = SA.to_vec();
    body[at] = value;
    Sa::decode(&body).expect_err("the changed octet spoils the payload")
}

#[test]
fn a_security_association_decodes_field_by_field() {
    let sa = Sa::decode(SA).expect("valid");
    let [proposal] = sa.proposals.as_slice() else { panic!("one proposal") };
    assert_eq!((proposal.number, proposal.protocol, proposal.spi), (1, ProtocolId::ISAKMP, [9; 4].as_slice()));
    assert_eq!(proposal.spi_value(), Some(crate::ids::Spi(0x0909_0909)));
    let [first, second] = proposal.transforms.as_slice() else { panic!("two transforms") };
    assert_eq!((first.number, first.id, first.attributes.len()), (1, 1, 0));
    assert_eq!(second.attributes, [Attribute { kind: 1, value: AttributeValue::Basic(7) }]);
}

#[test]
fn faults_in_a_security_association_are_named_where_they_stand() {
    let error = |at, value| {
        let error = sa_with(at, value);
        (error.part, error.offset, error.fault.clone(), error.notify())
    };
    let (proposal, transform) = (Part::Payload(PayloadType::PROPOSAL), Part::Payload(PayloadType::TRANSFORM));
    let bad = Some(NotifyType::BAD_PROPOSAL_SYNTAX);
    assert_eq!(
        error(3, 0),
        (Part::Payload(PayloadType::SA), 0, Fault::Doi(Doi::ISAKMP), Some(NotifyType::DOI_NOT_SUPPORTED))
    );
    let situation = Fault::Situation(Situation::SECRECY);
    assert_eq!(error(7, 2), (Part::Payload(PayloadType::SA), 4, situation, Some(NotifyType::SITUATION_NOT_SUPPORTED)));
    // A second proposal is announced but missing.
    let missing = Fault::Truncated { field: "Next Payload", needed: 1, there: 0 };
    assert_eq!(error(8, 2), (proposal, 40, missing, bad));
    let next = Fault::NextPayload { value: PayloadType::TRANSFORM, allowed: "P (2) or NONE (0)" };
    assert_eq!(error(8, 3), (proposal, 8, next, bad));
    assert_eq!(error(9, 1), (proposal, 9, Fault::Reserved(1), bad));
    let long = Fault::PayloadLength { stated: 33, least: 4, there: 32 };
    assert_eq!(error(11, 33), (proposal, 10, long, bad));
    let count = Fault::TransformCount { stated: 3, found: 2 };
    assert_eq!(error(15, 3), (proposal, 15, count, bad));
    let spi = Fault::Truncated { field: "SPI", needed: 200, there: 24 };
    assert_eq!(error(14, 200), (proposal, 16, spi, bad));
    let next = Fault::NextPayload { value: PayloadType::PROPOSAL, allowed: "T (3) or NONE (0)" };
    assert_eq!(error(20, 2), (transform, 20, next, bad));
    assert_eq!(error(20, 0), (transform, 28, Fault::Trailing { count: 12 }, bad));
    assert_eq!(error(27, 1), (transform, 26, Fault::Reserved(1), bad));
    let value = Fault::Truncated { field: "variable attribute value", needed: 7, there: 0 };
    assert_eq!(error(36, 0), (Part::Attribute, 40, value, Some(NotifyType::PAYLOAD_MALFORMED)));
}

#[test]
fn a_proposal_without_transforms_and_an_sa_without_proposals_are_refused() {
    assert_eq!(Sa::decode(&SA[..8]).map_err(|error| error.offset), Err(8));
    let mut body = SA[..16].to_vec();
    body[11] = 8;
    body[14] = 0;
    body[15] = 0;
    let error = Sa::decode(&body).expect_err("no transform");
    assert_eq!(error.notify(), Some(NotifyType::BAD_PROPOSAL_SYNTAX), "{error}");
}

#[test]
fn proposals_and_transforms_are_bounded() {
    let sa = |proposals: usize| {
        let transforms = vec![Transform { number: 1, id: 1, attributes: Vec::new() }];
        let proposal = Proposal { number: 1, protocol: ProtocolId::ESP, spi: &[], transforms };
        let mut writer = Writer::new();
        let sa = Sa { doi: Doi::IPSEC, situation: Situation::IDENTITY_ONLY, proposals: vec![proposal; proposals] };
        sa.encode(&mut writer);
        writer.into_vec()
    };
    assert_eq!(Sa::decode(&sa(sa::MAX_PROPOSALS)).map(|sa| sa.proposals.len()), Ok(sa::MAX_PROPOSALS));
    let error = Sa::decode(&sa(sa::MAX_PROPOSALS + 1)).expect_err("one too many");
    assert_eq!(error.fault, Fault::TooMany { what: "proposals", max: sa::MAX_PROPOSALS });
}

#[test]
fn nonces_have_8_to_256_octets() {
    for (length, valid) in [(0, false), (7, false), (8, true), (256, true), (257, false)] {
        assert_eq!(Nonce::decode(&vec![1; length]).is_ok(), valid, "{length}");
    }
}

#[test]
fn identities_of_a_fixed_size_have_it() {
    for (kind, size) in [(1, 4), (4, 8), (5, 16), (6, 32), (7, 8), (8, 32)] {
        let body = [vec![kind, 0, 0, 0], vec![7; size + 1]].concat();
        assert!(Id::decode(&body[..4 + size]).is_ok(), "{kind}");
        for wrong in [&body[..], &body[..3 + size]] {
            let error = Id::decode(wrong).expect_err("wrong size");
            assert_eq!(error.notify(), Some(NotifyType::INVALID_ID_INFORMATION));
        }
    }
}

#[test]
fn deletes_name_as_many_spis_as_they_hold() {
    let delete = |size, count, spis: &[u8]| {
        let body = [&[0, 0, 0, 1, 3, size, 0, count], spis].concat();
        Delete::decode(&body).map(|delete| delete.spis().len()).map_err(|error| error.notify())
    };
    assert_eq!(delete(4, 2, &[1; 8]), Ok(2));
    assert_eq!(delete(0, 0, &[]), Ok(0));
    for wrong in [delete(4, 2, &[1; 7]), delete(4, 1, &[1; 8]), delete(0, 9, &[]), delete(4, 0, &[])] {
        assert_eq!(wrong, Err(Some(NotifyType::INVALID_SPI)));
    }
}

#[test]
fn original_addresses_are_of_one_of_two_kinds() {
    assert_eq!(NatOa::decode(&[1, 0, 0, 0, 10, 0, 0, 1]), Ok(NatOa { address: Ipv4Addr::new(10, 0, 0, 1).into() }));
    let fault = |body: &[u8]| NatOa::decode(body).expect_err("refused").fault;
    assert!(matches!(fault(&[2, 0, 0, 0, 10, 0, 0, 1]), Fault::Value { field: "ID Type", value: 2, .. }));
    assert_eq!(fault(&[1, 0, 2, 0, 10, 0, 0, 1]), Fault::Reserved(0x200));
    assert_eq!(fault(&[1, 0, 0, 0, 10, 0, 0, 1, 0]), Fault::Trailing { count: 1 });
    assert!(matches!(fault(&[5, 0, 0, 0, 10, 0, 0, 1]), Fault::Truncated { needed: 16, there: 4, .. }));
}

#[test]
fn fragments_are_numbered_from_one() {
    assert!(Fragment::decode(&[0, 1, 0, 0, 7]).is_err());
    assert!(Fragment::decode(&[0, 1, 1, 0]).is_err(), "no data");
    assert_eq!(Fragment::decode(&[0, 1, 2, 0xfe, 7]).map(|fragment| fragment.is_last()), Ok(false));
    assert_eq!(Fragment::decode(&[0, 1, 2, 0xff, 7]).map(|fragment| fragment.is_last()), Ok(true));
}

#[test]
fn ip_compression_has_short_spis() {
    let proposal = |protocol, spi| Proposal { number: 1, protocol, spi, transforms: Vec::new() };
    assert_eq!(proposal(ProtocolId::IPCOMP, &[1, 2]).spi_value(), Some(crate::ids::Spi(0x0102)));
    assert_eq!(proposal(ProtocolId::ESP, &[1, 2]).spi_value(), None);
    assert_eq!(proposal(ProtocolId::ESP, &[]).spi_value(), None);
}

#[test]
fn vendor_ids_are_known_by_their_beginning() {
    let name = |data: &[u8]| Vendor { data }.name();
    assert_eq!(name(&vendor::RFC_3947), Some("RFC 3947"));
    assert_eq!(name(&[vendor::MS_NT5.as_slice(), &[0, 0, 0, 4]].concat()), Some("MS NT5 ISAKMPOAKLEY"));
    assert_eq!(name(&vendor::MS_NT5[..15]), None);
    assert_eq!(name(b"OE-Libreswan-4.10"), Some("libreswan"));
    assert_eq!(name(&[]), None);
    // Most are the MD5 of their names.
    let hashed = |name: &str| crate::crypto::HashAlg::Md5.digest(&[name.as_bytes()]);
    let derived = vendor::KNOWN.iter().filter(|(id, name)| *id == hashed(name).as_ref()).count();
    assert_eq!(derived, 26, "of {}", vendor::KNOWN.len());
}
