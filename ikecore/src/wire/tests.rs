//! Whole messages: those the codec builds, cut and bent, and a recorded negotiation.
use super::*;
use crate::fuzzing::{fuzz_message, reencode, seeds};
use crate::ids::{Cookie, MessageId};
use serde_json::Value;

/// Decodes a datagram and every payload in it.
fn decode(datagram: &[u8]) -> Result<usize, WireError> {
    let header = Header::decode(datagram)?;
    header.check()?;
    decode_body(header.next_payload, datagram.get(Header::LEN..).unwrap_or_default(), Padding::Forbidden)
}

fn decode_body(first: PayloadType, body: &[u8], padding: Padding) -> Result<usize, WireError> {
    let chain = parse(first, body, padding)?;
    for raw in &chain.payloads {
        let encoded = raw.decode(|body| reencode(raw.kind, body))?;
        assert_eq!(encoded, raw.body, "{}", raw.kind);
    }
    Ok(chain.payloads.len())
}

#[test]
fn every_seed_is_valid() {
    for seed in seeds() {
        let payloads = decode(&seed.datagram).unwrap_or_else(|error| panic!("{}: {error}", seed.name));
        assert!(payloads > 0, "{}", seed.name);
        fuzz_message(&seed.datagram);
    }
}

#[test]
fn a_message_cut_anywhere_is_refused() {
    for seed in seeds() {
        for length in 0..seed.datagram.len() {
            assert!(decode(&seed.datagram[..length]).is_err(), "{} cut to {length}", seed.name);
        }
    }
}

#[test]
fn a_chain_cut_anywhere_is_refused() {
    // The header's length would refuse these first; here each cut reaches the chain and the payloads.
    for seed in seeds() {
        let (header, body) = seed.datagram.split_at(Header::LEN);
        let first = Header::read(header).expect("a header").next_payload;
        for length in 0..body.len() {
            assert!(decode_body(first, &body[..length], Padding::Forbidden).is_err(), "{} cut to {length}", seed.name);
            let mut cut = header.to_vec();
            cut.extend(&body[..length]);
            fuzz_message(&cut);
        }
    }
}

#[test]
fn a_message_with_any_octet_changed_never_panics() {
    for seed in seeds() {
        for at in 0..seed.datagram.len() {
            for bits in [0x01, 0x80, 0xff] {
                let mut bent = seed.datagram.clone();
                bent[at] ^= bits;
                fuzz_message(&bent);
            }
        }
    }
}

#[test]
fn a_built_message_has_its_length_and_first_payload() {
    let header = Header {
        initiator: Cookie([1; 8]),
        responder: Cookie::ZERO,
        next_payload: PayloadType::NONE,
        version: Header::VERSION,
        exchange: ExchangeType::QUICK,
        flags: Flags::ENCRYPTION,
        message_id: MessageId(7),
        length: 0,
    };
    let message = build_message(&header, PayloadType::HASH, &[0xee; 16]);
    let decoded = Header::decode(&message).expect("valid");
    assert_eq!(decoded, Header { next_payload: PayloadType::HASH, length: 44, ..header });
    assert_eq!(message[Header::LEN..], [0xee; 16]);
}

#[test]
fn errors_say_where_what_and_what_is_allowed() {
    let mut writer = ChainWriter::new();
    writer.push(PayloadType::VENDOR, |writer| writer.u8(1));
    writer.push(PayloadType::NONCE, |writer| writer.zeros(3));
    let (first, octets) = writer.finish();
    let chain = parse(first, &octets, Padding::Forbidden).expect("valid");
    let raw = chain.one(PayloadType::NONCE).expect("there");
    let error = raw.decode(Nonce::decode).expect_err("short");
    assert_eq!(error.to_string(), "NONCE (10) payload, offset 9: Nonce Data has 3 octets, allowed is 8 to 256");
}

fn unhex(text: &Value) -> Vec<u8> {
    let text = text.as_str().expect("a string of hexadecimal digits");
    let octet = |at| u8::from_str_radix(&text[at..at + 2], 16).expect("two hexadecimal digits");
    (0..text.len()).step_by(2).map(octet).collect()
}

#[test]
fn a_recorded_negotiation_decodes_and_encodes_identically() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/vectors/main_mode_psk.json");
    let Ok(text) = std::fs::read_to_string(path) else {
        #[expect(clippy::disallowed_macros, reason = "a test that is skipped says so")]
        {
            eprintln!("skipped: {path} is not there");
        }
        return;
    };
    let vectors: Value = serde_json::from_str(&text).expect("JSON");
    let datagrams = vectors["datagrams"].as_array().expect("a list");
    assert!(datagrams.len() >= 9);
    let mut payloads = Vec::new();
    for recorded in datagrams {
        let datagram = unhex(&recorded["datagram"]);
        let header = Header::decode(&datagram).expect("a valid header");
        header.check().expect("consistent fields");
        let encrypted = header.flags.contains(Flags::ENCRYPTION);
        let (body, padding) = match encrypted {
            true => (unhex(&recorded["plaintext"]), Padding::Allowed),
            false => (datagram[Header::LEN..].to_vec(), Padding::Forbidden),
        };
        assert_eq!(body.len(), datagram.len() - Header::LEN);
        payloads.push(decode_body(header.next_payload, &body, padding).expect("valid payloads"));
        let chain = parse(header.next_payload, &body, padding).expect("a valid chain");
        let mut writer = ChainWriter::new();
        for raw in &chain.payloads {
            let encoded = reencode(raw.kind, raw.body).expect("a valid payload");
            writer.push(raw.kind, |writer| writer.bytes(&encoded));
        }
        let (first, octets) = writer.finish();
        assert_eq!([octets.as_slice(), chain.padding].concat(), body);
        let rebuilt = build_message(&header, first, if encrypted { &datagram[Header::LEN..] } else { &octets });
        assert_eq!(rebuilt, datagram);
        let lines = dump::lines(&header, &body);
        assert!(!lines.iter().any(|line| line.text.contains("FAULT")), "{lines:#?}");
    }
    assert_eq!(payloads, [6, 5, 4, 4, 3, 2, 5, 5, 1]);

    // The body of the first SA payload is what both hashes cover.
    let first = unhex(&datagrams[0]["datagram"]);
    let chain = parse(PayloadType::SA, &first[Header::LEN..], Padding::Forbidden).expect("valid");
    let sa = chain.one(PayloadType::SA).expect("an SA payload");
    assert_eq!(sa.body, unhex(&vectors["phase1"]["sai_b"]));
    let sa = sa.decode(Sa::decode).expect("valid");
    let life = sa.proposals[0].transforms[0].attributes.last().expect("attributes");
    assert_eq!((life.kind, life.as_u64()), (IkeAttribute::LIFE_DURATION.0, Some(3600)));
}
