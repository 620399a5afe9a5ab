//! Bodies of the fuzz targets. They live here so that ordinary tests replay the corpus.
use crate::wire::chain::GENERIC_HEADER;
use crate::wire::{
    Cert, CertReq, ChainWriter, ConfigAttributes, Delete, Fragment, Hash, Header, Id, KeyExchange, NatD, NatOa, Nonce,
    Notify, Padding, PayloadType, Sa, Signature, Vendor, WireError, Writer, build_message, dump, parse,
};

mod certificate;
mod endpoint;
mod seeds;
mod select;

pub use certificate::{certificate_seeds, fuzz_certificate};
pub use endpoint::{endpoint_seeds, fuzz_endpoint};
pub use seeds::{Seed, seeds};
pub use select::{fuzz_select, select_seeds};

/// Any octets as a datagram: nothing panics, and whatever decodes encodes to the same octets.
///
/// # Panics
/// If it does not.
pub fn fuzz_message(datagram: &[u8]) {
    // Every line of the picture must be printable on one line.
    for line in dump::lines_datagram(datagram) {
        assert!(!line.text.contains(char::is_control), "control character in {:?}", line.text);
    }
    check_places(&dump::tree_datagram(datagram), datagram.len());
    let Ok(header) = Header::read(datagram) else { return };
    let mut writer = Writer::new();
    header.encode(&mut writer);
    assert!(datagram.starts_with(writer.as_slice()), "the header encodes differently");
    let body = datagram.get(Header::LEN..).unwrap_or_default();
    if header.check().is_ok() && Header::decode(datagram).is_ok() {
        assert_eq!(build_message(&header, header.next_payload, body), datagram, "the message builds differently");
    }
    fuzz_chain(header.next_payload, body);
    dump::lines(&header, body);
    dump::lines_encrypted(&header);
}

/// Every part stands within what holds it, and this within the `end` octets that there are.
fn check_places(node: &dump::Node, end: usize) {
    assert!(node.at.start <= node.at.end && node.at.end <= end, "{} at {:?} of {end}", node.name, node.at);
    for child in &node.children {
        let inside = child.name == dump::FAULT || child.at.start >= node.at.start && child.at.end <= node.at.end;
        assert!(inside, "{} at {:?} in {} at {:?}", child.name, child.at, node.name, node.at);
        check_places(child, end);
    }
}

/// Any octets as the plain body of a message.
///
/// # Panics
/// If whatever decodes encodes to other octets.
pub fn fuzz_chain(first: PayloadType, body: &[u8]) {
    let strict = parse(first, body, Padding::Forbidden);
    let Ok(chain) = parse(first, body, Padding::Allowed) else {
        assert!(strict.is_err(), "padding may only make more messages valid");
        return;
    };
    assert_eq!(strict.is_ok(), chain.padding.is_empty(), "padding is all that makes the difference");
    let mut writer = ChainWriter::new();
    for payload in &chain.payloads {
        assert_eq!(payload.whole.get(GENERIC_HEADER..), Some(payload.body));
        if let Ok(encoded) = reencode(payload.kind, payload.body) {
            assert_eq!(encoded, payload.body, "the {} payload encodes differently", payload.kind);
        }
        writer.push(payload.kind, |writer| writer.bytes(payload.body));
    }
    let (kind, octets) = writer.finish();
    assert_eq!(kind, first);
    assert_eq!([octets.as_slice(), chain.padding].concat(), body, "the chain encodes differently");
}

/// What a body becomes when it is decoded and encoded.
pub fn reencode(kind: PayloadType, body: &[u8]) -> Result<Vec<u8>, WireError> {
    let mut writer = Writer::new();
    match kind {
        PayloadType::SA => Sa::decode(body)?.encode(&mut writer),
        PayloadType::KE => KeyExchange::decode(body)?.encode(&mut writer),
        PayloadType::ID => Id::decode(body)?.encode(&mut writer),
        PayloadType::CERT => Cert::decode(body)?.encode(&mut writer),
        PayloadType::CERTREQ => CertReq::decode(body)?.encode(&mut writer),
        PayloadType::HASH => Hash::decode(body)?.encode(&mut writer),
        PayloadType::SIG => Signature::decode(body)?.encode(&mut writer),
        PayloadType::NONCE => Nonce::decode(body)?.encode(&mut writer),
        PayloadType::NOTIFY => Notify::decode(body)?.encode(&mut writer),
        PayloadType::DELETE => Delete::decode(body)?.encode(&mut writer),
        PayloadType::VENDOR => Vendor::decode(body)?.encode(&mut writer),
        PayloadType::ATTRIBUTES => {
            ConfigAttributes::decode(body)?.encode(&mut writer);
            // The zeros that may stand behind the attributes are not kept.
            let behind = body.len().saturating_sub(writer.len()).min(3);
            writer.bytes(&[0; 3][..behind]);
        }
        PayloadType::NAT_D | PayloadType::NAT_D_DRAFT => NatD::decode(body)?.encode(&mut writer),
        PayloadType::NAT_OA | PayloadType::NAT_OA_DRAFT => NatOa::decode(body)?.encode(&mut writer),
        PayloadType::FRAGMENT => Fragment::decode(body)?.encode(&mut writer),
        _ => writer.bytes(body),
    }
    Ok(writer.into_vec())
}
