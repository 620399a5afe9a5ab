//! The commit bit (RFC 2408 §3.1): the initiator uses its SAs once the responder has said that it has them, and nobody can
//! make it wait for long.
use super::injection::{ALL_OVER, At, Forgery, Wire, changed, changes, nothing};
use super::*;
use crate::event::QuickModeEvent;
use crate::ids::MessageId;
use crate::testing::network::Rewrite;
use crate::wire::{
    ChainWriter, Doi, ExchangeType, Flags, Header, Notify, NotifyType, PayloadType, ProtocolId, build_message,
};

/// Where messages stand in the log: six of main mode come before.
const MESSAGE_1: usize = 6;
const MESSAGE_2: usize = 7;
const MESSAGE_4: usize = 9;

fn committing() -> Config {
    Config { commit_bit: true, ..Config::default() }
}

/// A responder that sets the bit.
fn begun(seed: u64) -> Network {
    let mut network = pair_with(seed, Weather::default(), &committing(), |_, _| {});
    initiate(&mut network);
    network
}

fn run_until_sent(network: &mut Network, messages: usize) {
    let until = network.now + Duration::from_secs(60);
    while network.log.len() < messages {
        assert!(network.step(until), "no message {messages}");
    }
}

/// Pairs of the initiator: those that take what arrives only, and whole ones.
fn installed(network: &Network) -> (usize, usize) {
    let driver = &network.hosts[0].driver;
    (driver.halves.len(), driver.pairs.len())
}

fn went_without(host: &Host) -> bool {
    host.events.iter().any(|event| matches!(event.kind, EventKind::QuickMode(QuickModeEvent::NotConnected)))
}

fn header(network: &Network, number: usize) -> Header {
    Header::decode(&network.log[number].1.octets).expect("a header")
}

fn assert_done(network: &mut Network) {
    network.run(ALL_OVER);
    assert_eq!(network.hosts.each_ref().map(Host::failures), [vec![], vec![]]);
    network.hosts.iter().for_each(assert_settled);
    assert_eq!(twins(network), 1);
    shut_down(network);
}

/// Sets the bit in the messages of this exchange from this host.
pub(super) fn set_bit(of: usize, when: impl Fn(&[u8]) -> bool + 'static) -> Option<Rewrite> {
    Some(Box::new(move |from, octets| {
        let mut octets = octets.to_vec();
        if from == of && octets[18] == ExchangeType::QUICK.0 && when(&octets) {
            octets[Header::FLAGS] |= Flags::COMMIT.0;
        }
        octets
    }))
}

#[test]
fn the_initiator_waits_until_the_responder_is_connected() {
    let mut network = begun(1);
    run_until_sent(&mut network, MESSAGE_4 + 1);
    assert_eq!(header(&network, MESSAGE_2).flags, Flags::ENCRYPTION.union(Flags::COMMIT));
    assert_eq!(header(&network, MESSAGE_4).exchange, ExchangeType::QUICK);
    assert_eq!(header(&network, MESSAGE_4).message_id, header(&network, MESSAGE_1).message_id);
    assert_eq!(installed(&network), (1, 0));
    network.run(Duration::from_millis(100));
    assert_eq!(installed(&network), (0, 1));
    assert_eq!(network.log.len(), MESSAGE_4 + 1);
    assert!(!went_without(&network.hosts[0]));
    assert_agree(&network);
    assert_done(&mut network);
}

#[test]
fn a_lost_message_is_asked_for_by_message_3() {
    // Message 3; message 4.
    for (lost, seconds) in [(MESSAGE_4 - 1, 1), (MESSAGE_4, 1)] {
        let mut network = begun(2);
        network.lost.push(lost);
        network.run(Duration::from_millis(900));
        assert_eq!(installed(&network), (1, 0));
        network.run(Duration::from_secs(seconds));
        assert_eq!(installed(&network), (0, 1), "without message {lost}");
        assert!(!went_without(&network.hosts[0]));
        assert_done(&mut network);
    }
}

#[test]
fn the_wait_ends() {
    // A responder that never says it; the bit set on the way in every copy of message 2.
    for flipped in [false, true] {
        let mut network = if flipped {
            let mut network = pair(3, Weather::default(), |_, _| {});
            initiate(&mut network);
            network.rewrite = set_bit(1, |_| true);
            network
        } else {
            begun(3)
        };
        run_until_sent(&mut network, MESSAGE_4);
        // From here on nothing of the responder arrives.
        network.lost.extend(MESSAGE_4..MESSAGE_4 + 6);
        let start = network.now;
        while installed(&network) != (0, 1) {
            assert!(network.step(start + Duration::from_secs(60)), "it waits for ever");
        }
        assert_eq!(network.now.since(start).as_secs(), 7);
        assert!(went_without(&network.hosts[0]));
        network.lost.clear();
        assert_done(&mut network);
    }
}

/// Whoever can only add messages does not delay anything: the true message 2 has no bit.
#[test]
fn a_copy_with_the_bit_does_not_delay() {
    for at in [At::Before(MESSAGE_2), At::After(MESSAGE_2)] {
        let mut wire = Wire::new(4);
        wire.run(Duration::from_millis(1), at, &|octets| {
            vec![Forgery { octets: changed(octets, (Header::FLAGS, Flags::COMMIT.0)), true_address: true }]
        });
        assert_eq!(wire.hosts[0].driver.pairs.len(), 1, "{at:?}");
        wire.run(ALL_OVER, At::Never, &nothing);
        wire.assert_agreed("a copy with the bit");
    }
}

#[test]
fn changed_copies_of_each_message_change_nothing() {
    let wire = || {
        let Network { hosts, .. } = pair_with(5, Weather::default(), &committing(), |_, _| {});
        Wire::between(hosts)
    };
    let mut whole = wire();
    whole.run(ALL_OVER, At::Never, &nothing);
    let lengths: Vec<_> = whole.log.iter().map(|(_, message)| message.octets.len()).collect();
    assert_eq!(lengths.len(), MESSAGE_4 + 1);
    for (number, len) in lengths.into_iter().enumerate().skip(MESSAGE_1) {
        for change in changes(len).into_iter().chain([(Header::FLAGS, Flags::COMMIT.0)]) {
            for at in [At::Before(number), At::After(number)] {
                let mut wire = wire();
                let what = format!("{change:?} {at:?}");
                wire.run(ALL_OVER, at, &|octets| vec![Forgery { octets: changed(octets, change), true_address: true }]);
                wire.assert_agreed(&what);
            }
        }
    }
}

/// What says CONNECTED.
fn says_connected() -> (PayloadType, Vec<u8>) {
    let mut chain = ChainWriter::new();
    let notify = Notify {
        doi: Doi::IPSEC,
        protocol: ProtocolId::ESP,
        spi: &[0; 4],
        notify_type: NotifyType::CONNECTED,
        data: &[],
    };
    chain.push(PayloadType::NOTIFY, |writer| notify.encode(writer));
    chain.finish()
}

#[test]
fn connected_in_clear_says_nothing() {
    let mut network = begun(6);
    run_until_sent(&mut network, MESSAGE_4 + 1);
    let message_4 = network.log[MESSAGE_4].1.clone();
    let (first, body) = says_connected();
    for exchange in [ExchangeType::QUICK, ExchangeType::INFORMATIONAL] {
        for message_id in [header(&network, MESSAGE_4).message_id, MessageId(9)] {
            let header = Header { exchange, flags: Flags::NONE, message_id, ..header(&network, MESSAGE_4) };
            let forged = build_message(&header, first, &body);
            let now = network.now;
            network.hosts[0].receive(now, message_4.remote, message_4.local, &forged);
            assert_eq!(installed(&network), (1, 0), "{exchange} {message_id}");
        }
    }
    assert_done(&mut network);
}

/// RFC 2408 has the peer say it in an informational exchange with the message ID of the quick mode.
#[test]
fn connected_comes_in_an_informational_exchange_too() {
    for (notify, ends) in [(NotifyType::CONNECTED, false), (NotifyType::NO_PROPOSAL_CHOSEN, true)] {
        let mut network = begun(7);
        network.lost.push(MESSAGE_4);
        run_until_sent(&mut network, MESSAGE_4 + 1);
        let message_4 = network.log[MESSAGE_4].1.clone();
        let (first, mut body) = says_connected();
        body[10..12].copy_from_slice(&notify.0.to_be_bytes());
        let message_id = header(&network, MESSAGE_4).message_id;
        let (_, octets) = network.hosts[1]
            .endpoint
            .forge(ExchangeType::INFORMATIONAL, message_id, first, &body)
            .expect("an ISAKMP SA");
        let now = network.now;
        network.hosts[0].receive(now, message_4.remote, message_4.local, &octets);
        if ends {
            assert_eq!(installed(&network), (0, 0));
            let failure = Failure::PeerRefused { what: "quick mode message 3", notify, text: None };
            assert_eq!(network.hosts[0].failures(), [failure]);
            continue;
        }
        assert_eq!(installed(&network), (0, 1));
        assert_done(&mut network);
    }
}

/// Some initiators set the bit and wait for the responder's word all the same.
#[test]
fn an_initiator_that_sets_the_bit_hears_when_the_responder_is_connected() {
    for of_message in [1, 3] {
        let mut network = pair(8, Weather::default(), |_, _| {});
        initiate(&mut network);
        // Message 3 is the only short one.
        network.rewrite = set_bit(0, move |octets| (octets.len() < 100) == (of_message == 3));
        network.run(Duration::from_secs(1));
        assert_eq!(network.log.len(), MESSAGE_4 + 1, "message {of_message}");
        assert_eq!(header(&network, MESSAGE_4).exchange, ExchangeType::QUICK);
        assert_eq!(network.hosts[1].driver.pairs.len(), 1);
        assert_done(&mut network);
    }
}

/// What comes when all is over is not for anything new.
#[test]
fn connected_comes_again() {
    let mut network = begun(9);
    network.run(Duration::from_secs(1));
    let message_4 = network.log[MESSAGE_4].1.clone();
    let now = network.now;
    network.hosts[0].receive(now, message_4.remote, message_4.local, &message_4.octets);
    assert!(network.hosts[0].sent.is_empty());
    assert_done(&mut network);
}

/// In a rekey the old pair carries the traffic until the new one is known to stand, and no longer.
#[test]
fn a_successor_takes_over_with_connected() {
    let mut network = begun(10);
    network.run(Duration::from_secs(1));
    let old = *network.hosts[0].endpoint.pairs.keys().next().expect("a pair");
    network.lost.push(network.log.len() + 3);
    let start = network.now;
    network.feed(0, Input::Command(Command::RekeyIpsecSa(old)));
    while network.hosts[0].driver.pairs.len() < 2 {
        assert!(network.hosts[0].driver.pairs.contains_key(&old));
        assert!(network.step(start + Duration::from_secs(60)), "no successor");
    }
    assert_eq!(network.now.since(start).as_secs(), 1);
    assert_done(&mut network);
}

#[test]
fn of_what_the_responder_cannot_install_nothing_stays() {
    let mut network = begun(11);
    network.hosts[1].driver.fail_outbound = 1;
    network.run(ALL_OVER);
    let notify = NotifyType::NO_PROPOSAL_CHOSEN;
    let failure = Failure::PeerRefused { what: "quick mode message 3", notify, text: None };
    assert_eq!(network.hosts[0].failures(), [failure]);
    network.hosts.iter().for_each(assert_settled);
    assert_eq!(network.hosts[0].driver.pairs.len() + network.hosts[1].driver.pairs.len(), 0);
    shut_down(&mut network);
}

#[test]
fn bad_weather_only_delays() {
    for seed in 0..150 {
        let weather = Weather { loss: 25, duplicates: 20, reordered: 30 };
        let mut network = pair_with(seed, weather, &committing(), |_, _| {});
        initiate(&mut network);
        network.run(Duration::from_secs(400));
        network.hosts.iter().for_each(assert_settled);
        let [a, b] = &network.hosts;
        if outcomes(a).values().all(Result::is_ok) && outcomes(b).values().all(Result::is_ok) {
            assert_eq!(twins(&network), 1, "seed {seed}");
        }
    }
}
