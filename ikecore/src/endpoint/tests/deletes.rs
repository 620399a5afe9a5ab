//! Deletes that are acknowledged: towards Windows they are repeated until then, and its own are answered.
use super::*;
use crate::crypto::quick::acknowledgement;
use crate::event::{Detail, MessageEvent};
use crate::wire::{ChainWriter, Flags, Header, Padding, PayloadType, build_message, parse};

const CUT: Weather = Weather { loss: 100, duplicates: 0, reordered: 0 };

/// Each end takes the other for Windows.
fn windows(seed: u64) -> Network {
    let config = Config { detail: Detail::Trace, as_windows: true, ..Config::default() };
    let mut network = pair_with(seed, Weather::default(), &config, |_, _| {});
    initiate(&mut network);
    network.run(Duration::from_secs(2));
    assert_eq!(twins(&network), 1);
    network.log.clear();
    network
}

fn waiting(network: &Network) -> [usize; 2] {
    network.hosts.each_ref().map(|host| host.endpoint.deletes.len())
}

fn delete_pair(network: &mut Network, host: usize) {
    let id = *network.hosts[host].endpoint.pairs.keys().next().expect("a pair");
    network.feed(host, Input::Command(Command::DeleteIpsecSa(id)));
}

fn delete_ike_sa(network: &mut Network, host: usize) {
    let id = *network.hosts[host].endpoint.ike_sas.keys().next().expect("an SA");
    network.feed(host, Input::Command(Command::DeleteIkeSa(id)));
}

#[test]
fn deletes_of_both_kinds_are_acknowledged_and_not_repeated() {
    for host in 0..2 {
        let mut network = windows(1);
        for delete in [delete_pair, delete_ike_sa] {
            delete(&mut network, host);
            assert_eq!(waiting(&network)[host], 1);
            network.run(Duration::from_secs(60));
            assert_eq!(waiting(&network), [0, 0]);
            assert_eq!(network.log.len(), 2, "a delete and its acknowledgement");
            assert_eq!(network.log.drain(..).map(|(from, _)| from).collect::<Vec<_>>(), [host, 1 - host]);
        }
        assert!(network.hosts.iter().all(|host| host.endpoint.ike_sas.is_empty() && host.driver.pairs.is_empty()));
        network.run(Duration::from_secs(60));
        assert!(network.hosts.iter().all(|host| host.endpoint.acknowledged.is_empty()));
        shut_down(&mut network);
    }
}

#[test]
fn to_others_a_delete_is_sent_once() {
    let mut network = pair(2, CUT, |_, _| {});
    network.weather = Weather::default();
    initiate(&mut network);
    network.run(Duration::from_secs(2));
    network.log.clear();
    network.weather = CUT;
    delete_pair(&mut network, 0);
    network.run(Duration::from_secs(100));
    assert_eq!((network.log.len(), waiting(&network)), (1, [0, 0]));
    shut_down(&mut network);
}

#[test]
fn a_delete_is_repeated_until_it_is_acknowledged_or_long_enough() {
    let mut network = windows(3);
    network.weather = CUT;
    delete_pair(&mut network, 0);
    let began = network.now;
    let mut times = vec![0];
    let until = began + Duration::from_secs(200);
    let mut seen = network.log.len();
    while network.step(until) {
        if network.log.len() > seen {
            seen = network.log.len();
            times.push(network.now.since(began).as_secs());
        }
    }
    assert_eq!(times, [0, 1, 3, 7, 15, 31, 47]);
    assert_eq!(waiting(&network), [0, 0], "after that nothing is waited for");
    network.weather = Weather::default();
    shut_down(&mut network);
    // Only the acknowledgement gets lost: the delete comes again, and is answered again by the same.
    let mut network = windows(4);
    network.weather = CUT;
    delete_pair(&mut network, 0);
    let delete = network.log.pop().expect("a delete").1;
    let mut answers = Vec::new();
    for _ in 0..3 {
        network.hosts[1].receive(network.now, delete.remote, delete.local, &delete.octets);
        answers.push(network.hosts[1].sent.pop_front().expect("an answer"));
        assert!(network.hosts[1].driver.pairs.is_empty());
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    network.hosts[0].receive(network.now, answers[0].remote, answers[0].local, &answers[0].octets);
    assert_eq!(waiting(&network), [0, 0]);
    network.weather = Weather::default();
    shut_down(&mut network);
}

#[test]
fn a_forged_acknowledgement_is_none_and_a_forged_delete_is_not_answered() {
    let mut network = windows(5);
    network.weather = CUT;
    delete_pair(&mut network, 0);
    let delete = network.log.pop().expect("a delete").1;
    let changed = |octets: &[u8]| {
        let mut all: Vec<Vec<u8>> = (0..octets.len()).map(|cut| octets[..cut].to_vec()).collect();
        for at in 0..octets.len() {
            for mask in [0x01, 0x80, 0xff] {
                let mut copy = octets.to_vec();
                copy[at] ^= mask;
                // The flags of an encrypted message are covered by no hash.
                if at != 19 || copy[at] & Flags::ENCRYPTION.0 == 0 {
                    all.push(copy);
                }
            }
        }
        all
    };
    let now = network.now;
    for forged in changed(&delete.octets) {
        network.hosts[1].receive(now, delete.remote, delete.local, &forged);
        assert_eq!((network.hosts[1].sent.len(), network.hosts[1].driver.pairs.len()), (0, 1), "{forged:02x?}");
    }
    network.hosts[1].receive(now, delete.remote, delete.local, &delete.octets);
    let answer = network.hosts[1].sent.pop_front().expect("an answer");
    for forged in changed(&answer.octets) {
        network.hosts[0].receive(now, answer.remote, answer.local, &forged);
        assert_eq!(waiting(&network)[0], 1, "{forged:02x?}");
    }
    // Its own delete, sent back to it.
    network.hosts[0].receive(now, answer.remote, answer.local, &delete.octets);
    assert_eq!(waiting(&network)[0], 1);
    network.hosts[0].receive(now, answer.remote, answer.local, &answer.octets);
    assert_eq!(waiting(&network)[0], 0);
    assert_eq!(network.hosts[1].endpoint.acknowledged.len(), 1);
    network.weather = Weather::default();
    shut_down(&mut network);
}

#[test]
fn the_end_of_the_service_waits_for_no_acknowledgement() {
    let mut network = windows(6);
    network.weather = CUT;
    network.feed(0, Input::Command(Command::Shutdown));
    assert_eq!(waiting(&network), [0, 0]);
    let deletes = network.log.iter().filter(|(_, sent)| {
        Header::decode(&sent.octets).is_ok_and(|header| header.exchange == crate::wire::ExchangeType::INFORMATIONAL)
    });
    assert_eq!(deletes.count(), 2);
    assert_gone(&network.hosts[0]);
}

#[test]
fn what_waits_is_bounded() {
    let mut network = windows(7);
    network.weather = CUT;
    let id = *network.hosts[0].endpoint.ike_sas.keys().next().expect("an SA");
    for spi in 0..3_000 {
        let spis = vec![crate::ids::Spi(spi)];
        let delete = crate::exchange::info::Information::DeleteIpsec { protocol: crate::wire::ProtocolId::ESP, spis };
        network.hosts[0].endpoint.inform(id, &delete);
        assert!(network.hosts[0].endpoint.deletes.len() <= 1_024);
    }
    network.feed(0, Input::Timeout);
    network.run(Duration::from_secs(100));
    assert_eq!(waiting(&network), [0, 0]);
    let repeated = network.hosts[0].events.iter().filter(|event| {
        matches!(&event.kind, EventKind::Message(MessageEvent::Retransmitted { message: "informational (delete)", .. }))
    });
    assert_eq!(repeated.count(), 6 * 1_024);
    network.weather = Weather::default();
    shut_down(&mut network);
}

/// Some put the Delete before the nonce, though the hash covers them the other way round.
#[test]
fn an_acknowledgement_may_have_its_payloads_in_either_order() {
    for delete_first in [true, false] {
        let mut network = windows(8);
        network.weather = CUT;
        delete_pair(&mut network, 0);
        let delete = network.log.pop().expect("a delete").1;
        let plain = network.hosts[0].events.iter().rev().find_map(|event| match &event.kind {
            EventKind::Message(MessageEvent::Sending { name: "informational (delete)", octets, .. }) => {
                Some(octets.clone())
            }
            _ => None,
        });
        let plain = plain.expect("it was sent");
        let asked = parse(PayloadType::HASH, &plain[Header::LEN..], Padding::Allowed).expect("payloads");
        let body = |kind| asked.one(kind).expect("the payload").body;
        let sa = network.hosts[1].endpoint.ike_sas.values().next().expect("an SA");
        let keys = &sa.standing().expect("it stands").sa.keys;
        let header = Header::decode(&delete.octets).expect("a header");
        let mut chain = ChainWriter::new();
        let mut kinds = [(PayloadType::DELETE, body(PayloadType::DELETE)), (PayloadType::NONCE, [7; 32].as_slice())];
        if !delete_first {
            kinds.reverse();
        }
        for (kind, body) in kinds {
            chain.push(kind, |writer| writer.bytes(body));
        }
        let octets = chain.octets().to_vec();
        let made = parse(chain.first(), &octets, Padding::Forbidden).expect("payloads");
        let whole = |kind| made.one(kind).expect("the payload").whole;
        let covered = [whole(PayloadType::NONCE), whole(PayloadType::DELETE)].concat();
        let hash = acknowledgement(keys.a(), body(PayloadType::NONCE), header.message_id, &covered);
        chain.prepend(PayloadType::HASH, |writer| writer.bytes(hash.as_ref()));
        let (first, mut octets) = chain.finish();
        octets.resize(octets.len().next_multiple_of(16), 0);
        let iv = keys.first_iv(header.message_id).next(&delete.octets[Header::LEN..]);
        keys.cipher.encrypt(iv.as_ref(), &mut octets).expect("whole blocks");
        let answer = build_message(&header, first, &octets);
        network.hosts[0].receive(network.now, delete.local, delete.remote, &answer);
        assert_eq!(waiting(&network), [0, 0], "Delete first: {delete_first}");
        network.weather = Weather::default();
        shut_down(&mut network);
    }
}
