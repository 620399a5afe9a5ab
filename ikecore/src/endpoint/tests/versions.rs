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

/// What a host that speaks IKEv2 alone may answer to main mode message 1 (RFC 7296 §2.5, §3.1): a response of IKE_SA_INIT,
/// with an SPI of its own or, as refusals have it, without.
fn of_version_2(octets: &[u8], responder: u8) -> Vec<u8> {
    let mut octets = octets.to_vec();
    octets[8..16].fill(responder);
    octets[17..20].copy_from_slice(&[0x20, 34, 0x20]);
    octets
}

#[test]
fn a_peer_that_answers_in_another_version() {
    for responder in [0, 7] {
        let mut network = pair(4, Weather::default(), |_, _| {});
        network.rewrite = Some(Box::new(move |from, octets| match from {
            1 => of_version_2(octets, responder),
            _ => octets.to_vec(),
        }));
        initiate(&mut network);
        network.run(Duration::from_secs(400));
        let failures = network.hosts[0].failures();
        let [failure] = failures.as_slice() else { panic!("one failure: {failures:?}") };
        assert_eq!(
            failure.to_string(),
            "the peer's message is malformed: ISAKMP header, offset 17: major version 2 is not supported, 1 is"
        );
        network.hosts.iter().for_each(assert_settled);
    }
}

#[test]
fn a_forged_answer_in_another_version_changes_nothing() {
    let mut network = pair(5, Weather::default(), |_, _| {});
    initiate(&mut network);
    let forged = of_version_2(&network.log[0].1.octets, 7);
    let (local, remote) = (network.log[0].1.local, network.log[0].1.remote);
    let now = network.now;
    network.hosts[0].receive(now, local, remote, &forged);
    network.run(Duration::from_secs(1));
    // In the midst of it, and afterwards.
    let now = network.now;
    network.hosts[0].receive(now, local, remote, &forged);
    network.run(Duration::from_secs(400));
    assert_eq!(network.hosts[0].failures(), []);
    assert_eq!(twins(&network), 1);
    shut_down(&mut network);
}

/// Once the peer has answered in version 1 it speaks that: what fails later fails for another reason.
#[test]
fn another_version_after_an_answer_is_no_reason() {
    let mut network = pair(6, Weather::default(), |_, _| {});
    let mut answers = 0;
    network.rewrite = Some(Box::new(move |from, octets| {
        answers += usize::from(from == 1);
        if from == 1 && answers > 1 { of_version_2(octets, octets[8]) } else { octets.to_vec() }
    }));
    initiate(&mut network);
    network.run(Duration::from_secs(400));
    let failures = network.hosts[0].failures();
    let [Failure::TimedOut { message: "main mode message 3", .. }] = failures.as_slice() else {
        panic!("{failures:?}")
    };
}
