use super::*;
use crate::wire::{NotifyType, dump};
use proptest::collection::vec;
use proptest::prelude::*;

fn chain(kinds: &[(u8, Vec<u8>)]) -> (PayloadType, Vec<u8>) {
    let mut writer = ChainWriter::new();
    for (kind, body) in kinds {
        writer.push(PayloadType(*kind), |writer| writer.bytes(body));
    }
    writer.finish()
}

#[test]
fn payloads_are_found_by_kind_with_body_and_whole() {
    let (first, octets) = chain(&[(13, vec![7]), (4, vec![1, 2]), (13, vec![])]);
    assert_eq!(octets, [4, 0, 0, 5, 7, 13, 0, 0, 6, 1, 2, 0, 0, 0, 4]);
    let chain = parse(first, &octets, Padding::Forbidden).expect("valid");
    let ke = chain.one(PayloadType::KE).expect("there");
    assert_eq!((ke.body, ke.whole, ke.offset), ([1, 2].as_slice(), [13, 0, 0, 6, 1, 2].as_slice(), 5));
    assert_eq!(chain.all(PayloadType::VENDOR).map(|raw| raw.offset).collect::<Vec<_>>(), [0, 11]);
    assert_eq!(chain.one(PayloadType::SA), None);
}

#[test]
fn a_payload_in_front_leads_to_the_others() {
    let mut writer = ChainWriter::new();
    writer.push(PayloadType::NONCE, |writer| writer.u8(1));
    writer.push(PayloadType::ID, |writer| writer.u8(2));
    let before = writer.octets().to_vec();
    writer.prepend(PayloadType::HASH, |writer| writer.u16(3));
    assert_eq!(writer.octets()[6..], before, "what the hash covers is unchanged");
    writer.push(PayloadType::NOTIFY, |writer| writer.u8(4));
    let (first, octets) = writer.finish();
    let chain = parse(first, &octets, Padding::Forbidden).expect("valid");
    let kinds: Vec<_> = chain.payloads.iter().map(|raw| raw.kind).collect();
    assert_eq!(kinds, [PayloadType::HASH, PayloadType::NONCE, PayloadType::ID, PayloadType::NOTIFY]);
}

#[test]
fn a_lone_payload_in_front_is_the_last_too() {
    let mut writer = ChainWriter::new();
    writer.prepend(PayloadType::HASH, |writer| writer.u8(1));
    writer.push(PayloadType::DELETE, |writer| writer.u8(2));
    assert_eq!(writer.first(), PayloadType::HASH);
    assert_eq!(writer.octets(), [12, 0, 0, 5, 1, 0, 0, 0, 5, 2]);
}

#[test]
fn octets_after_the_last_payload_are_padding_or_a_fault() {
    let (first, mut octets) = chain(&[(10, vec![1])]);
    octets.extend([0, 0, 0]);
    assert_eq!(parse(first, &octets, Padding::Allowed).map(|chain| chain.padding), Ok([0; 3].as_slice()));
    let error = parse(first, &octets, Padding::Forbidden).expect_err("trailing");
    assert_eq!((error.offset, error.fault), (5, Fault::Trailing { count: 3 }));
}

#[test]
fn an_empty_chain_has_no_payloads() {
    assert_eq!(parse(PayloadType::NONE, &[], Padding::Forbidden).map(|chain| chain.payloads.len()), Ok(0));
    assert!(parse(PayloadType::NONE, &[0], Padding::Forbidden).is_err());
}

#[test]
fn generic_headers_are_checked() {
    let error = |octets: &[u8]| parse(PayloadType::KE, octets, Padding::Allowed).expect_err("refused");
    let length = |stated, there| Fault::PayloadLength { stated, least: 4, there };
    assert_eq!(error(&[0, 0, 0, 3, 9]).fault, length(3, 5));
    assert_eq!(error(&[0, 0, 0, 6, 9]).fault, length(6, 5));
    assert_eq!(error(&[0, 0, 0, 0]).fault, length(0, 4));
    assert_eq!(error(&[0, 1, 0, 4]).fault, Fault::Reserved(1));
    let second = error(&[5, 0, 0, 4, 0, 0, 0, 9]);
    assert_eq!((second.part, second.offset), (Part::Payload(PayloadType::ID), 6));
    assert_eq!(second.notify(), Some(NotifyType::INVALID_ID_INFORMATION));
    assert_eq!(error(&[]).notify(), Some(NotifyType::PAYLOAD_MALFORMED));
}

#[test]
fn the_number_of_payloads_is_bounded() {
    let of = |count| chain(&vec![(13, Vec::new()); count]);
    let (first, octets) = of(MAX_PAYLOADS);
    assert_eq!(parse(first, &octets, Padding::Forbidden).map(|chain| chain.payloads.len()), Ok(MAX_PAYLOADS));
    let (first, octets) = of(MAX_PAYLOADS + 1);
    let error = parse(first, &octets, Padding::Forbidden).expect_err("one too many");
    assert_eq!(error.fault, Fault::TooMany { what: "payloads", max: MAX_PAYLOADS });
}

#[test]
fn a_payload_too_long_for_its_length_is_refused_by_its_receiver() {
    let (first, octets) = chain(&[(6, vec![0; 65_532])]);
    assert!(parse(first, &octets, Padding::Allowed).is_err(), "{} octets", octets.len());
    let (first, octets) = chain(&[(6, vec![0; 65_531])]);
    assert!(parse(first, &octets, Padding::Forbidden).is_ok());
}

proptest! {
    #[test]
    fn chains_survive(payloads in vec((1_u8.., vec(any::<u8>(), 0..40)), 0..20)) {
        let (first, octets) = chain(&payloads);
        let chain = parse(first, &octets, Padding::Forbidden).expect("what the writer makes is valid");
        let found: Vec<_> = chain.payloads.iter().map(|raw| (raw.kind.0, raw.body.to_vec())).collect();
        prop_assert_eq!(found, payloads);
    }

    #[test]
    fn no_octets_make_a_chain_panic(first: u8, octets in vec(any::<u8>(), 0..400)) {
        crate::fuzzing::fuzz_chain(PayloadType(first), &octets);
    }

    #[test]
    fn no_octets_make_the_dump_panic(octets in vec(any::<u8>(), 0..400)) {
        dump::lines_datagram(&octets);
    }
}
