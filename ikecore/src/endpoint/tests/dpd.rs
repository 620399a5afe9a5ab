//! Dead peer detection: who is asked, who answers, and what becomes of the dead.
use super::*;
use crate::event::{Detail, IkeSaEvent, IpsecSaEvent, MessageEvent, Reject};
use crate::policy::rule::{DeadPeerAction, DeadPeerDetection};
use crate::wire::payload::vendor::DPD;
use crate::wire::{Flags, Header};

const HOLD: DeadPeerDetection =
    DeadPeerDetection { delay: 30, timeout: 120, action: DeadPeerAction::Hold, periodic: false };

const CUT: Weather = Weather { loss: 100, duplicates: 0, reordered: 0 };

/// Two hosts with SAs; the first watches the second.
fn watching(seed: u64, dpd: DeadPeerDetection) -> Network {
    let config = Config { detail: Detail::Trace, ..Config::default() };
    let mut network = pair_with(seed, Weather::default(), &config, |index, policy| {
        policy.dpd = (index == 0).then_some(dpd);
    });
    initiate(&mut network);
    network.run(Duration::from_secs(2));
    assert_eq!(twins(&network), 1);
    network.log.clear();
    network
}

/// Packets went through every pair of the first host.
fn traffic(network: &mut Network, inbound: u64, outbound: u64) {
    let driver = &mut network.hosts[0].driver;
    for id in driver.pairs.keys() {
        let usage = driver.usage.entry(*id).or_default();
        usage.inbound_packets += inbound;
        usage.outbound_packets += outbound;
    }
}

fn sent(network: &Network, host: usize, wanted: &str) -> usize {
    let sending = |event: &&crate::event::Event| matches!(&event.kind, EventKind::Message(MessageEvent::Sending { name, .. }) if *name == wanted);
    network.hosts[host].events.iter().filter(sending).count()
}

const QUESTION: &str = "informational (R-U-THERE)";
const ANSWER: &str = "informational (R-U-THERE-ACK)";

fn ended_as_dead(host: &Host) -> usize {
    let dead = |event: &&crate::event::Event| {
        matches!(
            &event.kind,
            EventKind::IpsecSa(IpsecSaEvent::Ended { reason: Failure::DeadPeer { .. }, .. })
                | EventKind::IkeSa(IkeSaEvent::Ended { reason: Failure::DeadPeer { .. }, .. })
        )
    };
    host.events.iter().filter(dead).count()
}

#[test]
fn a_peer_is_asked_when_traffic_goes_out_and_none_comes_in() {
    for (inbound, outbound, asked) in [(0, 0, 0), (1, 1, 0), (1, 0, 0), (0, 1, 10)] {
        let mut network = watching(1, HOLD);
        for _ in 0..300 {
            traffic(&mut network, inbound, outbound);
            network.run(Duration::from_secs(1));
        }
        let count = sent(&network, 0, QUESTION);
        assert!(count >= asked && count <= asked + 1, "{count} for {inbound} in, {outbound} out");
        assert_eq!(sent(&network, 1, ANSWER), count);
        assert_eq!((sent(&network, 1, QUESTION), sent(&network, 0, ANSWER)), (0, 0));
        assert_eq!((twins(&network), ended_as_dead(&network.hosts[0])), (1, 0));
        shut_down(&mut network);
    }
}

#[test]
fn periodically_a_peer_is_asked_whatever_the_traffic_but_not_when_it_was_heard() {
    let mut network = watching(2, DeadPeerDetection { periodic: true, ..HOLD });
    network.run(Duration::from_secs(301));
    assert_eq!(sent(&network, 0, QUESTION), 10);
    // A rekey every 20 s is as good.
    for _ in 0..10 {
        let id = *network.hosts[1].endpoint.pairs.keys().next_back().expect("a pair");
        network.feed(1, Input::Command(Command::RekeyIpsecSa(id)));
        network.run(Duration::from_secs(20));
    }
    assert_eq!(sent(&network, 0, QUESTION), 10);
    assert_eq!(twins(&network), 1);
    shut_down(&mut network);
}

#[test]
fn a_dead_peer_loses_its_sas_in_time_and_the_next_packet_negotiates() {
    let mut network = watching(3, HOLD);
    network.weather = CUT;
    let since = network.now;
    while !network.hosts[0].endpoint.ike_sas.is_empty() {
        traffic(&mut network, 0, 1);
        network.run(Duration::from_secs(1));
        assert!(network.now.since(since) < Duration::from_secs(155), "{:?}", network.now);
    }
    assert!(network.now.since(since) > Duration::from_secs(140));
    assert_eq!(ended_as_dead(&network.hosts[0]), 2, "the pair and the ISAKMP SA");
    assert!(network.hosts[0].driver.pairs.is_empty() && !network.hosts[0].driver.policies.is_empty());
    // 0, 1, 3, 7, 15, 31, 63 s after the first.
    assert_eq!(sent(&network, 0, QUESTION), 7);
    let names = network.log.iter().filter(|(host, _)| *host == 0).count();
    assert_eq!(names, 7, "nothing but R-U-THERE was sent");
    assert_settled(&network.hosts[0]);
    network.run(Duration::from_secs(600));
    assert!(network.hosts[0].endpoint.ike_sas.is_empty(), "without a packet nothing begins");
    network.weather = Weather::default();
    network.feed(0, acquire(0));
    network.run(Duration::from_secs(2));
    // The other end knows of the restart by INITIAL-CONTACT.
    assert_eq!((twins(&network), network.hosts[1].driver.pairs.len()), (1, 1));
    shut_down(&mut network);
}

#[test]
fn what_was_lost_is_negotiated_until_it_is_there() {
    for minutes in [5, 60] {
        let mut network = watching(4, DeadPeerDetection { action: DeadPeerAction::Restart, periodic: true, ..HOLD });
        network.weather = CUT;
        network.run(Duration::from_secs(minutes * 60));
        assert_eq!(ended_as_dead(&network.hosts[0]), 2);
        assert!(network.hosts[0].driver.pairs.is_empty());
        network.weather = Weather::default();
        network.run(Duration::from_secs(400));
        assert_eq!(twins(&network), 1, "after {minutes} minutes");
        network.run(Duration::from_secs(400));
        assert!(network.hosts[0].endpoint.restarts.is_empty());
        assert!(network.hosts[0].failures().iter().all(|failure| matches!(failure, Failure::TimedOut { .. })));
        assert_settled(&network.hosts[0]);
        shut_down(&mut network);
    }
}

#[test]
fn restarts_end_with_their_policy_with_the_administrators_word_and_with_the_service() {
    for how in 0..3 {
        let mut network = watching(5, DeadPeerDetection { action: DeadPeerAction::Restart, periodic: true, ..HOLD });
        network.weather = CUT;
        network.run(Duration::from_secs(200));
        assert_eq!(network.hosts[0].endpoint.restarts.len(), 1);
        match how {
            0 => network.feed(0, Input::Policy(Arc::default())),
            1 => network.feed(0, Input::Command(Command::DeletePeer(B.into()))),
            _ => {}
        }
        if how < 2 {
            network.run(Duration::from_secs(400));
            assert!(network.hosts[0].endpoint.restarts.is_empty());
            assert_settled(&network.hosts[0]);
            let before = network.log.len();
            network.run(Duration::from_secs(3_600));
            assert_eq!(network.log[before..].iter().filter(|(host, _)| *host == 0).count(), 0);
        }
        shut_down(&mut network);
    }
}

/// Spoils the announcement of dead peer detection.
fn without_dpd(octets: &mut [u8]) {
    if let Some(at) = octets.windows(DPD.len()).position(|window| window == DPD) {
        octets[at] ^= 0xff;
    }
}

#[test]
fn a_peer_that_does_not_announce_it_is_not_asked_but_answered() {
    let mut network = pair_with(6, Weather::default(), &Config::default(), |_, policy| {
        policy.dpd = Some(DeadPeerDetection { periodic: true, ..HOLD });
    });
    network.meddle = Some(without_dpd);
    initiate(&mut network);
    network.run(Duration::from_secs(2));
    network.meddle = None;
    assert_eq!(twins(&network), 1);
    network.log.clear();
    network.run(Duration::from_secs(600));
    assert_eq!(network.log.len(), 0);
    shut_down(&mut network);
}

#[test]
fn a_new_policy_begins_and_ends_the_watch() {
    let mut network = watching(7, HOLD);
    let mut policy = TestPolicy::new(A, B);
    for (periodic, version) in [(true, 2), (false, 3)] {
        policy.version = version;
        policy.dpd = periodic.then_some(DeadPeerDetection { periodic, ..HOLD });
        network.feed(0, Input::Policy(Arc::new(policy.database())));
        let before = sent(&network, 0, QUESTION);
        network.run(Duration::from_secs(305));
        assert_eq!(sent(&network, 0, QUESTION) - before, if periodic { 10 } else { 0 });
        assert_eq!(twins(&network), 1);
    }
    shut_down(&mut network);
}

#[test]
fn a_driver_that_does_not_answer_or_goes_ends_no_watch() {
    let mut network = watching(8, HOLD);
    traffic(&mut network, 0, 1);
    network.hosts[0].driver.mute = true;
    network.run(Duration::from_secs(300));
    assert_eq!((sent(&network, 0, QUESTION), network.hosts[0].unanswered.len()), (0, 1));
    network.feed(0, Input::DriverLost("told to".to_owned()));
    network.hosts[0].driver = crate::testing::host::TestDriver::default();
    network.feed(0, Input::DriverReplaced);
    network.run(Duration::from_secs(1));
    network.feed(0, acquire(0));
    network.run(Duration::from_secs(5));
    assert_eq!(network.hosts[0].driver.pairs.len(), 1);
    traffic(&mut network, 0, 1);
    network.run(Duration::from_secs(60));
    assert_eq!((sent(&network, 0, QUESTION), sent(&network, 1, ANSWER)), (1, 1));
    shut_down(&mut network);
}

/// Whether the first host still waits for an answer.
fn waits(network: &Network) -> bool {
    let standing = network.hosts[0].endpoint.ike_sas.values().next().and_then(IkeSa::standing);
    standing.expect("an SA").liveliness.probing().is_some()
}

#[test]
fn no_forged_or_recorded_message_proves_or_disproves_life() {
    let mut network = watching(9, DeadPeerDetection { periodic: true, ..HOLD });
    network.run(Duration::from_secs(40));
    let record: Vec<Transmit> = network.log.drain(..).map(|(_, transmit)| transmit).collect();
    assert_eq!(record.len(), 2, "a question and its answer");
    network.weather = CUT;
    network.run(Duration::from_secs(30));
    assert!(waits(&network));
    // The next question and its answer, taken off the wire.
    let question = network.log.last().expect("a question").1.clone();
    network.hosts[1].receive(network.now, question.remote, question.local, &question.octets);
    let answer = network.hosts[1].sent.pop_front().expect("an answer");
    let now = network.now;
    for (true_one, to) in [(&question, 1), (&answer, 0)] {
        let octets = true_one.octets.to_vec();
        let mut forgeries: Vec<Vec<u8>> = (0..octets.len()).map(|cut| octets[..cut].to_vec()).collect();
        for at in 0..octets.len() {
            for mask in [0x01, 0x80, 0xff] {
                let mut changed = octets.clone();
                changed[at] ^= mask;
                // The flags of an encrypted message are covered by no hash; without the first it is none.
                if at != 19 || changed[at] & Flags::ENCRYPTION.0 == 0 {
                    forgeries.push(changed);
                }
            }
        }
        forgeries.extend(record.iter().map(|old| old.octets.to_vec()));
        for forgery in forgeries {
            network.hosts[to].receive(now, true_one.remote, true_one.local, &forgery);
            assert!(waits(&network), "{forgery:02x?}");
        }
    }
    // In clear, as anybody can say it (RFC 3706 §5.2).
    let header = Header::decode(&answer.octets).expect("a header");
    for notify in [crate::wire::NotifyType::R_U_THERE, crate::wire::NotifyType::R_U_THERE_ACK] {
        let path = Path { local: answer.local, remote: answer.remote };
        let clear = crate::exchange::info::clear(path, header.cookies(), crate::ids::MessageId(9), notify);
        let sent = network.hosts[0].sent.len();
        network.hosts[0].receive(now, answer.remote, answer.local, &clear.octets);
        assert!(waits(&network));
        assert_eq!(network.hosts[0].sent.len(), sent);
    }
    assert_eq!(network.hosts[1].sent.len(), 0, "none of it was answered");
    network.hosts[0].receive(now, answer.remote, answer.local, &answer.octets);
    assert!(!waits(&network));
    network.weather = Weather::default();
    network.run(Duration::from_secs(300));
    assert_eq!((twins(&network), ended_as_dead(&network.hosts[0])), (1, 0));
    shut_down(&mut network);
}

#[test]
fn an_old_sequence_number_is_not_answered() {
    let mut network = watching(10, DeadPeerDetection { periodic: true, ..HOLD });
    let id = *network.hosts[0].endpoint.ike_sas.keys().next().expect("an SA");
    network.run(Duration::from_secs(70));
    let answered = sent(&network, 1, ANSWER);
    assert_eq!(answered, 2);
    let cookies = network.hosts[0].endpoint.ike_sas[&id].cookies;
    let question = crate::exchange::dpd::information(crate::wire::NotifyType::R_U_THERE, cookies, 0xffff_ff00);
    network.hosts[0].endpoint.inform(id, &question);
    network.feed(0, Input::Timeout);
    network.run(Duration::from_secs(1));
    assert_eq!(sent(&network, 1, ANSWER), answered);
    assert!(network.hosts[1].events.iter().any(|event| matches!(
        &event.kind,
        EventKind::Message(MessageEvent::Dropped { reason: Reject::Unexpected { .. }, .. })
    )));
    shut_down(&mut network);
}
