use super::super::tests::{A, B, pair_with};
use super::super::{Command, Config, Input, Transmit};
use super::*;
use crate::policy::selector::{Prefix, Selector};
use crate::testing::host::Host;
use crate::testing::network::{Network, Weather};
use crate::time::{Duration, Time};
use std::net::{Ipv4Addr, SocketAddr};

const LIMIT: usize = 40;

/// An initiator, a responder that negotiates with everybody, and the initiator's first message.
fn hosts(seed: u64) -> ([Host; 2], Transmit) {
    let config = Config { half_open_per_peer: 5, half_open_total: LIMIT, ..Config::default() };
    let Network { mut hosts, .. } = pair_with(seed, Weather::default(), &config, |_, policy| {
        if policy.local == B {
            let anybody = Prefix::new(A, 0).unwrap();
            policy.filters = vec![Selector::between(Prefix::host(B), anybody)];
        }
    });
    hosts[0].command(NOW, Command::InitiateRule { rule: "rule".to_owned(), peer: None });
    let first = hosts[0].sent.pop_front().unwrap();
    (hosts, first)
}

const NOW: Time = Time::from_secs(1);

/// First messages with the numbers of `range` for cookies, each from another address; what is sent to them is lost.
fn flood(host: &mut Host, first: &Transmit, range: std::ops::Range<u32>) {
    for number in range {
        let mut octets = first.octets.to_vec();
        octets[..4].copy_from_slice(&number.to_be_bytes());
        let from = SocketAddr::new(Ipv4Addr::from_bits(0x0a00_0000 + number).into(), 500);
        let waiting = host.sent.len();
        host.receive(NOW, first.remote, from, &octets);
        host.sent.truncate(waiting);
        assert!(host.endpoint.ike_sas.len() <= LIMIT + 1);
        assert!(host.endpoint.unproven.peers.len() <= LIMIT);
    }
}

/// Lets time pass until all that stood at [`NOW`] has been given up.
fn give_up(host: &mut Host) -> Time {
    let gone = NOW + Duration::from_secs(64);
    while let Some(wake) = host.wake.filter(|wake| *wake <= gone) {
        host.feed(wake, Input::Timeout);
    }
    gone
}

/// Delivers what the hosts have sent until they are silent, with `between` at the responder in each round trip; false if
/// the initiator has no SAs then.
fn negotiate(hosts: &mut [Host; 2], first: Transmit, mut between: impl FnMut(&mut Host)) -> bool {
    let mut under_way = Some((0, first));
    while let Some((from, sent)) = under_way {
        let to = 1 - from;
        hosts[to].receive(NOW, sent.remote, sent.local, &sent.octets);
        between(&mut hosts[1]);
        under_way = (0..2).find_map(|host| Some((host, hosts[host].sent.pop_front()?)));
    }
    hosts[0].driver.pairs.len() == 1
}

#[test]
fn a_true_peer_gets_through_when_fewer_than_the_limit_are_forged_in_a_round_trip() {
    let (mut hosts, first) = hosts(21);
    flood(&mut hosts[1], &first, 0..10_000);
    let mut number = 10_000;
    let mut rounds = 0;
    let through = negotiate(&mut hosts, first.clone(), |responder| {
        // The first round trip leaves it just in; once it has proven itself, ten times as many change nothing.
        let count = if rounds < 2 { LIMIT as u32 / 2 - 1 } else { 10 * LIMIT as u32 };
        rounds += 1;
        flood(responder, &first, number..number + count);
        number += count;
    });
    assert!(through, "{:?} {:?}", hosts[0].failures(), hosts[1].failures().last());
}

#[test]
fn a_true_peer_that_is_slower_than_the_flood_tries_again_and_gets_through_after_it() {
    let (mut hosts, first) = hosts(22);
    let mut number = 0;
    let through = negotiate(&mut hosts, first.clone(), |responder| {
        flood(responder, &first, number..number + LIMIT as u32 + 1);
        number += LIMIT as u32 + 1;
    });
    assert!(!through, "the limit has no effect");
    // The flood ends; what it left makes way at once, not after its time-out.
    let gone = give_up(&mut hosts[0]);
    assert_eq!(hosts[0].failures().len(), 1);
    hosts[0].sent.clear();
    hosts[0].command(gone, Command::InitiateRule { rule: "rule".to_owned(), peer: None });
    let first = hosts[0].sent.pop_front().expect("a new first message");
    assert_eq!(hosts[1].endpoint.index.half_open.len(), LIMIT);
    assert!(negotiate(&mut hosts, first, |_| {}), "{:?}", hosts[1].failures().last());
}

#[test]
fn the_oldest_makes_way_and_what_has_proven_itself_never_does() {
    let (mut hosts, first) = hosts(23);
    // Main modes that stop after message 4: proven, and no more.
    for number in 0..3 {
        let mut policy = crate::testing::policy::TestPolicy::new(Ipv4Addr::new(10, 9, 9, number).into(), B);
        policy.psk = b"another key";
        let mut other = Host::new(Config::default(), 100 + u64::from(number), policy.database());
        other.command(NOW, Command::InitiateRule { rule: "rule".to_owned(), peer: None });
        for _ in 0..2 {
            let sent = other.sent.pop_front().unwrap();
            hosts[1].receive(NOW, sent.remote, sent.local, &sent.octets);
            let sent = hosts[1].sent.pop_front().unwrap();
            other.receive(NOW, sent.remote, sent.local, &sent.octets);
        }
    }
    let proven: Vec<IkeSaId> = hosts[1].endpoint.ike_sas.keys().copied().collect();
    assert_eq!(proven.len(), 3);
    flood(&mut hosts[1], &first, 0..200);
    let kept: Vec<IkeSaId> = hosts[1].endpoint.ike_sas.keys().copied().collect();
    assert_eq!(kept.len(), LIMIT);
    assert_eq!(kept[..3], proven);
    // Of the others, the last ones are there.
    let cookies: Vec<[u8; 8]> = hosts[1].endpoint.ike_sas.values().skip(3).map(|sa| sa.cookies.initiator.0).collect();
    for (cookie, number) in cookies.iter().zip(200 - (LIMIT as u32 - 3)..) {
        assert_eq!(cookie[..4], number.to_be_bytes());
    }
}

#[test]
fn one_address_pushes_out_its_own_only() {
    let (mut hosts, first) = hosts(24);
    flood(&mut hosts[1], &first, 0..10);
    for number in 100_u32..200 {
        let mut octets = first.octets.to_vec();
        octets[..4].copy_from_slice(&number.to_be_bytes());
        let from = SocketAddr::from(([203, 0, 113, 1], number as u16));
        hosts[1].receive(NOW, first.remote, from, &octets);
    }
    assert_eq!(hosts[1].endpoint.ike_sas.len(), 15);
    assert_eq!(hosts[1].endpoint.unproven.of_peer.count(&std::net::IpAddr::from([203, 0, 113, 1]).into()), 5);
    give_up(&mut hosts[1]);
    assert!(hosts[1].endpoint.unproven.is_empty() && hosts[1].endpoint.ike_sas.is_empty());
}
