//! IKEv2 messages: their senders are told that this host speaks version 1, and not too often.
use super::*;
use crate::event::MessageEvent;
use crate::event::Reject;
use crate::wire::{ExchangeType, Header, Notify, NotifyType, Padding, PayloadType, parse};
use std::net::SocketAddr;

/// The beginning of an IKE_SA_INIT request (RFC 7296 §3.1), with `len` octets in all.
fn request(len: usize) -> Vec<u8> {
    let mut octets = vec![0; len];
    octets[..8].copy_from_slice(b"ikev2spi");
    octets[16..20].copy_from_slice(&[33, 0x20, 34, 0x08]);
    octets[24..28].copy_from_slice(&u32::try_from(len).expect("short").to_be_bytes());
    octets
}

fn answers(network: &mut Network, octets: &[u8]) -> Vec<Transmit> {
    let (local, remote): (SocketAddr, SocketAddr) =
        ("192.0.2.2:500".parse().expect("an address"), "192.0.2.1:500".parse().expect("an address"));
    let now = network.now;
    network.hosts[1].receive(now, local, remote, octets);
    network.hosts[1].sent.drain(..).collect()
}

#[test]
fn a_request_of_ikev2_is_told_the_version() {
    let mut network = pair(1, Weather::default(), |_, _| {});
    let sent = answers(&mut network, &request(200));
    assert_eq!(sent.len(), 1);
    let header = Header::decode(&sent[0].octets).expect("a header of version 1");
    assert_eq!(header.cookies(), Header::read(&request(200)).expect("a header").cookies());
    assert_eq!(header.exchange, ExchangeType::INFORMATIONAL);
    let chain = parse(header.next_payload, &sent[0].octets[Header::LEN..], Padding::Forbidden).expect("payloads");
    let notify = chain.one(PayloadType::NOTIFY).expect("a notification").decode(Notify::decode).expect("one");
    assert_eq!(notify.notify_type, NotifyType::INVALID_MAJOR_VERSION);
    assert_eq!(sent[0].remote.to_string(), "192.0.2.1:500");
    // It is dropped all the same.
    let dropped = network.hosts[1].events.iter().filter(|event| {
        matches!(&event.kind, EventKind::Message(MessageEvent::Dropped { reason: Reject::Malformed(_), .. }))
    });
    assert_eq!(dropped.count(), 1);
    assert_settled(&network.hosts[1]);
}

#[test]
fn what_is_no_first_request_of_ikev2_is_not_answered() {
    for (what, at, value) in [
        ("a response", 19, 0x20),
        ("another exchange", 18, 35),
        ("version 3", 17, 0x30),
        ("version 0", 17, 0x00),
        ("no cookie", 0, 0),
        ("with the responder's SPI", 8, 1),
        ("a wrong length", 27, 1),
    ] {
        let mut network = pair(2, Weather::default(), |_, _| {});
        let mut octets = request(200);
        octets[at] = value;
        if what == "no cookie" {
            octets[..8].fill(0);
        }
        assert_eq!(answers(&mut network, &octets), [], "{what}");
    }
    let mut network = pair(2, Weather::default(), |_, _| {});
    for len in 0..40 {
        let octets = if len < 28 { request(28)[..len].to_vec() } else { request(len) };
        assert_eq!(answers(&mut network, &octets), [], "{len} octets: the answer would be longer");
    }
    assert_eq!(answers(&mut network, &request(40)).len(), 1);
}

#[test]
fn a_flood_is_answered_ten_times_a_second() {
    let mut network = pair(3, Weather::default(), |_, _| {});
    for second in 0..5 {
        let count: usize = (0..1_000).map(|_| answers(&mut network, &request(100)).len()).sum();
        assert_eq!(count, 10, "second {second}");
        network.now = network.now + Duration::from_secs(1);
    }
    // A pause saves nothing up.
    network.now = network.now + Duration::from_secs(1_000);
    let count: usize = (0..1_000).map(|_| answers(&mut network, &request(100)).len()).sum();
    assert_eq!(count, 10);
    // The negotiation of a true peer goes on.
    initiate(&mut network);
    network.run(Duration::from_secs(2));
    assert_eq!(twins(&network), 1);
    shut_down(&mut network);
}
