//! The cookie of a flooded Windows: an initiator sends it back, and a forged one does no harm.
use super::*;
use crate::ids::{Cookie, MessageId};
use crate::wire::{
    ChainWriter, Doi, ExchangeType, Flags, Header, Notify, NotifyType, PayloadType, ProtocolId, build_message,
};

/// What a responder says that wants its cookie in message 1.
fn asks(message_1: &Transmit, data: &[u8]) -> Vec<u8> {
    let header = Header::decode(&message_1.octets).expect("a header");
    let mut chain = ChainWriter::new();
    let notify = Notify {
        doi: Doi::IPSEC,
        protocol: ProtocolId::ISAKMP,
        spi: &[],
        notify_type: NotifyType::MS_DOS_COOKIE,
        data,
    };
    chain.push(PayloadType::NOTIFY, |writer| notify.encode(writer));
    let (first, body) = chain.finish();
    let exchange = ExchangeType::INFORMATIONAL;
    build_message(&Header { exchange, flags: Flags::NONE, message_id: MessageId(9), ..header }, first, &body)
}

fn begun(seed: u64) -> (Network, Transmit) {
    let mut network = pair(seed, Weather::default(), |_, _| {});
    let now = network.now;
    network.hosts[0].command(now, Command::InitiateRule { rule: "rule".to_owned(), peer: None });
    let message_1 = network.hosts[0].sent.pop_front().expect("message 1");
    (network, message_1)
}

fn give(network: &mut Network, message_1: &Transmit, octets: &[u8]) -> Vec<Transmit> {
    let now = network.now;
    network.hosts[0].receive(now, message_1.local, message_1.remote, octets);
    network.hosts[0].sent.drain(..).collect()
}

#[test]
fn message_1_goes_out_again_with_the_cookie() {
    let (mut network, message_1) = begun(1);
    let ask = asks(&message_1, b"a cookie");
    let sent = give(&mut network, &message_1, &ask);
    assert_eq!(sent.len(), 1);
    let mut expected = message_1.octets.to_vec();
    expected[8..16].copy_from_slice(b"a cookie");
    assert_eq!(sent[0].octets, expected);
    assert!(give(&mut network, &message_1, &ask).is_empty(), "the same again changes nothing");
    // It is repeated with and without: the one who asked may be somebody else.
    let now = network.now + Duration::from_secs(1);
    network.hosts[0].feed(now, Input::Timeout);
    let sent: Vec<_> = network.hosts[0].sent.drain(..).map(|sent| sent.octets.to_vec()).collect();
    assert_eq!(sent, [message_1.octets.to_vec(), expected]);
    // The responder takes it for message 1, and answers.
    network.hosts[1].receive(now, message_1.remote, message_1.local, &message_1.octets);
    network.now = now;
    network.run(Duration::from_secs(5));
    assert_eq!(twins(&network), 1);
    shut_down(&mut network);
}

#[test]
fn forged_cookies_do_no_harm() {
    let (mut network, message_1) = begun(2);
    let mut sent = 0;
    for number in 1..200_u64 {
        sent += give(&mut network, &message_1, &asks(&message_1, &number.to_be_bytes())).len();
    }
    assert_eq!(sent, 4);
    for data in [&[0; 8][..], &[1; 7], &[1; 9], &[]] {
        let (mut network, message_1) = begun(3);
        let ask = asks(&message_1, data);
        assert!(give(&mut network, &message_1, &ask).is_empty(), "{data:?}");
    }
    // Another address proves nothing.
    let (mut other, first) = begun(4);
    let now = other.now;
    let elsewhere = "198.51.100.66:500".parse().expect("an address");
    other.hosts[0].receive(now, first.local, elsewhere, &asks(&first, b"a cookie"));
    assert!(other.hosts[0].sent.is_empty());
    // The true responder knows nothing of cookies: the negotiation succeeds with the first repetition.
    network.run(Duration::from_secs(5));
    assert_eq!(twins(&network), 1);
    assert!(network.hosts[1].endpoint.snapshot().ike_sas.len() == 1);
    // Once message 2 is accepted there is no message 1 to send.
    assert!(give(&mut network, &message_1, &asks(&message_1, b"too late")).is_empty());
    assert_eq!(network.hosts[0].endpoint.by_cookie.get(&Cookie(*b"too late")), None);
    shut_down(&mut network);
}
