//! Forged, cut, changed and repeated messages: whatever comes, the true negotiation goes on as if it had not.
use super::certificates::World;
use super::*;
use crate::event::{MessageEvent, Reject};
use crate::ids::MessageId;
use crate::rng::SecureRandom;
use crate::testing::SeededRandom;
use crate::testing::authority::KeyKind;
use crate::time::Time;
use crate::wire::Header;
use std::net::SocketAddr;

/// What is injected at a message: whole datagrams, and whether they come from the peer's own address.
pub(super) struct Forgery {
    pub(super) octets: Vec<u8>,
    pub(super) true_address: bool,
}

/// Two hosts on a wire that delivers in order and at once, and somebody who sits on it.
pub(super) struct Wire {
    pub(super) hosts: [Host; 2],
    pub(super) now: Time,
    pub(super) log: Vec<(usize, Transmit)>,
}

/// Where the one on the wire acts: before or after the message of this number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum At {
    Before(usize),
    After(usize),
    Never,
}

impl Wire {
    pub(super) fn new(seed: u64) -> Self {
        let Network { hosts, .. } = pair(seed, Weather::default(), |_, _| {});
        Self::between(hosts)
    }

    /// Between two hosts, of which the first begins.
    pub(super) fn between(hosts: [Host; 2]) -> Self {
        let mut wire = Self { hosts, now: Time::from_secs(1), log: Vec::new() };
        wire.hosts[0].command(wire.now, Command::InitiateRule { rule: "rule".to_owned(), peer: None });
        wire
    }

    fn inject(&mut self, to: usize, like: &Transmit, forgeries: &[Forgery]) {
        for forgery in forgeries {
            let from = if forgery.true_address { like.local } else { "198.51.100.66:500".parse().expect("an address") };
            self.hosts[to].receive(self.now, like.remote, from, &forgery.octets);
        }
    }

    /// Runs for so long, and forges at one message.
    pub(super) fn run(&mut self, duration: Duration, at: At, forge: &dyn Fn(&[u8]) -> Vec<Forgery>) {
        let until = self.now + duration;
        loop {
            let next = (0..2).find_map(|host| Some((host, self.hosts[host].sent.pop_front()?)));
            if let Some((from, transmit)) = next {
                let number = self.log.len();
                let to = 1 - from;
                self.log.push((from, transmit.clone()));
                if at == At::Before(number) {
                    self.inject(to, &transmit, &forge(&transmit.octets));
                }
                self.hosts[to].receive(self.now, transmit.remote, transmit.local, &transmit.octets);
                if at == At::After(number) {
                    self.inject(to, &transmit, &forge(&transmit.octets));
                }
                continue;
            }
            let Some(wake) = self.hosts.iter().filter_map(|host| host.wake).min().filter(|wake| *wake <= until) else {
                self.now = until;
                return;
            };
            self.now = self.now.max(wake);
            for host in &mut self.hosts {
                if host.wake.is_some_and(|wake| wake <= self.now) {
                    host.feed(self.now, Input::Timeout);
                }
            }
        }
    }

    /// The true negotiation came to SAs with equal keys, and nothing else is left.
    pub(super) fn assert_agreed(self, what: &str) -> Self {
        let own: Vec<_> = outcomes(&self.hosts[0]).into_values().collect();
        assert_eq!(own[0], Ok(()), "{what}");
        let network = Network::new(self.hosts, Weather::default(), 0);
        network.hosts.iter().for_each(assert_settled);
        assert_eq!(twins(&network), 1, "{what}");
        for host in &network.hosts {
            assert_eq!(host.driver.pairs.len(), 1, "{what}");
            assert_eq!(host.endpoint.ike_sas.len(), 1, "{what}");
        }
        Self { hosts: network.hosts, ..self }
    }
}

/// Longer than anything that a forgery began can last.
pub(super) const ALL_OVER: Duration = Duration::from_secs(200);

/// Messages of a negotiation: six of main mode, three of quick mode.
const MESSAGES: usize = 9;

pub(super) fn nothing(_: &[u8]) -> Vec<Forgery> {
    Vec::new()
}

/// One octet changed: each of the header in two ways, and every seventh of the body.
pub(super) fn changes(len: usize) -> Vec<(usize, u8)> {
    let header = (0..Header::LEN).flat_map(|at| [(at, 0x01), (at, 0x80)]);
    header.chain((Header::LEN..len).step_by(7).map(|at| (at, 0xff))).collect()
}

pub(super) fn changed(octets: &[u8], (at, mask): (usize, u8)) -> Vec<u8> {
    let mut octets = octets.to_vec();
    octets[at] ^= mask;
    octets
}

/// The length of each message.
fn lengths() -> Vec<usize> {
    let mut wire = Wire::new(3);
    wire.run(ALL_OVER, At::Never, &nothing);
    assert_eq!(wire.log.len(), MESSAGES);
    wire.log.iter().map(|(_, message)| message.octets.len()).collect()
}

#[test]
fn one_changed_copy_of_any_message_changes_nothing() {
    for (number, len) in lengths().into_iter().enumerate() {
        for change in changes(len) {
            for at in [At::Before(number), At::After(number)] {
                let mut wire = Wire::new(3);
                wire.run(ALL_OVER, at, &|octets| vec![Forgery { octets: changed(octets, change), true_address: true }]);
                wire.assert_agreed(&format!("{change:?} {at:?}"));
            }
        }
    }
}

#[test]
fn many_changed_copies_of_any_message_change_nothing() {
    for (number, len) in lengths().into_iter().enumerate() {
        for at in [At::Before(number), At::After(number)] {
            let mut wire = Wire::new(4);
            wire.run(Duration::from_secs(600), at, &|octets| {
                let forge = |change| Forgery { octets: changed(octets, change), true_address: true };
                changes(len).into_iter().map(forge).collect()
            });
            let wire = wire.assert_agreed(&format!("{at:?}"));
            let dropped = wire.hosts.iter().map(|host| host.endpoint.counters.dropped).sum::<u64>();
            assert!(dropped > 20, "{at:?}: only {dropped} were dropped");
        }
    }
}

/// Neither HASH_I nor the signature over it covers certificates and requests for them.
#[test]
fn changed_and_cut_copies_of_messages_with_certificates_change_nothing() {
    let world = World::new(KeyKind::P256);
    let network = || world.network(|_, _, _| {});
    let mut wire = Wire::between(network().hosts);
    wire.run(ALL_OVER, At::Never, &nothing);
    let lengths: Vec<usize> = wire.log.iter().map(|(_, message)| message.octets.len()).collect();
    assert_eq!(lengths.len(), MESSAGES);
    for (number, len) in lengths.into_iter().enumerate() {
        for at in [At::Before(number), At::After(number)] {
            let mut wire = Wire::between(network().hosts);
            wire.run(Duration::from_secs(600), at, &|octets| {
                let changed = changes(len).into_iter().map(|change| changed(octets, change));
                let cut = (Header::LEN..len).step_by(16).map(|cut| {
                    let mut octets = octets[..cut].to_vec();
                    octets[24..28].copy_from_slice(&u32::try_from(cut).expect("short").to_be_bytes());
                    octets
                });
                changed.chain(cut).map(|octets| Forgery { octets, true_address: true }).collect()
            });
            wire.assert_agreed(&format!("{at:?}"));
        }
    }
}

#[test]
fn cut_copies_and_copies_from_elsewhere_change_nothing() {
    for (number, len) in lengths().into_iter().enumerate() {
        for at in [At::Before(number), At::After(number)] {
            let mut wire = Wire::new(5);
            wire.run(ALL_OVER, at, &|octets| {
                let cut = (0..len).map(|cut| Forgery { octets: octets[..cut].to_vec(), true_address: true });
                // Cut, with a length that fits what is left.
                let fitting = (Header::LEN..len).map(|cut| {
                    let mut octets = octets[..cut].to_vec();
                    octets[24..28].copy_from_slice(&u32::try_from(cut).expect("short").to_be_bytes());
                    Forgery { octets, true_address: false }
                });
                let copy = Forgery { octets: octets.to_vec(), true_address: false };
                let elsewhere = changes(len)
                    .into_iter()
                    .map(|change| Forgery { octets: changed(octets, change), true_address: false });
                cut.chain(fitting).chain([copy]).chain(elsewhere).collect()
            });
            let wire = wire.assert_agreed(&format!("{at:?}"));
            let malformed = wire.hosts.iter().map(|host| host.endpoint.counters.malformed).sum::<u64>();
            assert!(malformed >= len as u64, "{at:?}");
        }
    }
}

#[test]
fn cut_copies_with_a_fitting_length_change_nothing() {
    for (number, len) in lengths().into_iter().enumerate() {
        for cut in (Header::LEN..len).step_by(9) {
            for at in [At::Before(number), At::After(number)] {
                let mut wire = Wire::new(6);
                wire.run(ALL_OVER, at, &|octets| {
                    let mut octets = octets[..cut].to_vec();
                    octets[24..28].copy_from_slice(&u32::try_from(cut).expect("short").to_be_bytes());
                    vec![Forgery { octets, true_address: true }]
                });
                wire.assert_agreed(&format!("{cut} {at:?}"));
            }
        }
    }
}

#[test]
fn every_copied_message_again_at_every_step_changes_nothing() {
    let record = {
        let mut wire = Wire::new(7);
        wire.run(ALL_OVER, At::Never, &nothing);
        wire.log
    };
    for number in 0..MESSAGES {
        // The same hosts with the same randomness say the same: what was recorded is what is yet to come, too.
        let mut wire = Wire::new(7);
        wire.run(ALL_OVER, At::After(number), &|_| {
            record[..=number]
                .iter()
                .map(|(_, old)| Forgery { octets: old.octets.to_vec(), true_address: true })
                .collect()
        });
        wire.assert_agreed(&format!("after {number}"));
    }
}

#[test]
fn what_was_recorded_does_nothing_after_the_end() {
    let mut wire = Wire::new(8);
    wire.run(ALL_OVER, At::Never, &nothing);
    // Two rekeys, so that there are deletes and more quick modes in the record.
    for _ in 0..2 {
        let id = *wire.hosts[0].endpoint.pairs.keys().next().expect("a pair");
        wire.hosts[0].command(wire.now, Command::RekeyIpsecSa(id));
        wire.run(ALL_OVER, At::Never, &nothing);
    }
    let mut wire = wire.assert_agreed("two rekeys");
    let record = wire.log.clone();
    assert_eq!(record.len(), MESSAGES + 2 * 3 + 2, "nine messages, three a rekey, a delete each");
    let before = wire.hosts.each_ref().map(|host| host.endpoint.pairs.keys().copied().collect::<Vec<_>>());
    let events = wire.hosts.each_ref().map(|host| host.events.len());
    for round in 0..2 {
        for (from, old) in &record {
            let host = &mut wire.hosts[1 - from];
            host.receive(wire.now, old.remote, old.local, &old.octets);
            // To who sent it, as if it had come back from a mirror.
            let host = &mut wire.hosts[*from];
            host.receive(wire.now, old.local, old.remote, &old.octets);
        }
        wire.hosts.iter_mut().for_each(|host| host.sent.clear());
        wire.run(ALL_OVER, At::Never, &nothing);
        let after = wire.hosts.each_ref().map(|host| host.endpoint.pairs.keys().copied().collect::<Vec<_>>());
        assert_eq!(before, after, "round {round}");
        wire.hosts.iter().for_each(assert_settled);
    }
    for (host, seen) in wire.hosts.iter().zip(events) {
        let dropped = host.events[seen..].iter().filter(|event| {
            matches!(&event.kind, EventKind::Message(MessageEvent::Dropped { reason: Reject::Unexpected { .. }, .. }))
        });
        assert!(dropped.count() > 5, "what was played again was not dropped");
    }
    wire.assert_agreed("replays");
}

#[test]
fn a_message_of_another_sa_is_not_taken() {
    // Two ISAKMP SAs between the same hosts; what one protects is given the cookies of the other.
    let mut wire = Wire::new(9);
    wire.run(ALL_OVER, At::Never, &nothing);
    let first = *wire.hosts[0].endpoint.ike_sas.keys().next().expect("an SA");
    let [initiator, responder] = {
        let cookies = wire.hosts[0].endpoint.ike_sas[&first].cookies;
        [cookies.initiator, cookies.responder]
    };
    wire.hosts[0].command(wire.now, Command::RekeyIkeSa(first));
    wire.run(Duration::from_secs(1), At::Never, &nothing);
    let id = *wire.hosts[0].endpoint.pairs.keys().next().expect("a pair");
    let begin = wire.log.len();
    wire.hosts[0].command(wire.now, Command::RekeyIpsecSa(id));
    wire.run(Duration::from_secs(1), At::Never, &nothing);
    let second = *wire.hosts[0].endpoint.ike_sas.keys().next_back().expect("an SA");
    assert_ne!(first, second);
    wire.hosts[0].command(wire.now, Command::DeleteIpsecSa(id));
    wire.run(Duration::from_millis(1), At::Never, &nothing);
    let before = wire.hosts.each_ref().map(|host| host.endpoint.pairs.keys().copied().collect::<Vec<_>>());
    let record = wire.log.split_off(begin);
    for (from, message) in record {
        let mut octets = message.octets.to_vec();
        octets[..8].copy_from_slice(&initiator.0);
        octets[8..16].copy_from_slice(&responder.0);
        let host = &mut wire.hosts[1 - from];
        let authentication_failures = host.endpoint.counters.authentication_failures;
        host.receive(wire.now, message.remote, message.local, &octets);
        assert_eq!(host.endpoint.counters.authentication_failures, authentication_failures + 1);
    }
    let after = wire.hosts.each_ref().map(|host| host.endpoint.pairs.keys().copied().collect::<Vec<_>>());
    assert_eq!(before, after);
    wire.run(ALL_OVER, At::Never, &nothing);
    wire.assert_agreed("another SA");
}

#[test]
fn random_datagrams_leave_no_trace() {
    let mut wire = Wire::new(10);
    wire.run(ALL_OVER, At::Never, &nothing);
    let genuine = wire.log[0].1.octets.to_vec();
    let mut random = SeededRandom::new(10);
    let mut octets = [0; 300];
    let peer: SocketAddr = wire.log[0].1.local;
    let local: SocketAddr = wire.log[0].1.remote;
    for round in 0..5_000 {
        random.fill(&mut octets).expect("randomness");
        let len = usize::from(octets[0]) + 20;
        let mut datagram = octets[..len.min(300)].to_vec();
        if round % 2 == 0 && datagram.len() >= Header::LEN {
            // A header that is in order, so that it gets further.
            let rest = datagram.split_off(Header::LEN);
            datagram = genuine[..Header::LEN].to_vec();
            datagram[16] = rest.first().copied().unwrap_or(1);
            datagram.extend(rest);
            let len = u32::try_from(datagram.len()).expect("short");
            datagram[24..28].copy_from_slice(&len.to_be_bytes());
        }
        wire.hosts[1].receive(wire.now, local, peer, &datagram);
    }
    assert!(wire.hosts[1].endpoint.counters.dropped >= 4_900);
    wire.run(ALL_OVER, At::Never, &nothing);
    wire.assert_agreed("random datagrams");
}

#[test]
fn a_flood_of_first_messages_is_bounded_and_shuts_nobody_out() {
    let config = Config { half_open_per_peer: 10, half_open_total: 30, ..Config::default() };
    let Network { hosts, .. } = pair_with(11, Weather::default(), &config, |_, policy| {
        // The whole network may negotiate, so that the flood gets past the policy.
        if policy.local == B {
            let anybody = Prefix::new(A, 0).expect("a prefix");
            let own = Prefix::host(B);
            policy.filters = vec![Selector::between(own, anybody)];
        }
    });
    let mut wire = Wire { hosts, now: Time::from_secs(1), log: Vec::new() };
    wire.hosts[0].command(wire.now, Command::InitiateRule { rule: "rule".to_owned(), peer: None });
    let first = wire.hosts[0].sent[0].clone();
    let flood = |wire: &mut Wire, count: u32| {
        for number in 0..count {
            let mut octets = first.octets.to_vec();
            octets[..4].copy_from_slice(&number.to_be_bytes());
            // Half from the peer's own address, half from everywhere.
            let from = if number % 2 == 0 { first.local } else { SocketAddr::from(([10, 0, 0, number as u8], 500)) };
            wire.hosts[1].receive(wire.now, first.remote, from, &octets);
            assert!(wire.hosts[1].endpoint.ike_sas.len() <= 31);
            assert!(wire.hosts[1].endpoint.index.half_open.len() <= 30);
        }
        wire.hosts[1].sent.clear();
    };
    flood(&mut wire, 500);
    // The true one comes in the middle of it, and again between its messages 2 and 3.
    let message = wire.hosts[0].sent.pop_front().expect("message 1");
    wire.hosts[1].receive(wire.now, message.remote, message.local, &message.octets);
    let reply = wire.hosts[1].sent.pop_front().expect("message 2");
    wire.hosts[0].receive(wire.now, reply.remote, reply.local, &reply.octets);
    let message = wire.hosts[0].sent.pop_front().expect("message 3");
    wire.hosts[1].receive(wire.now, message.remote, message.local, &message.octets);
    let reply = wire.hosts[1].sent.pop_front().expect("message 4");
    flood(&mut wire, 500);
    wire.hosts[0].receive(wire.now, reply.remote, reply.local, &reply.octets);
    wire.run(ALL_OVER, At::Never, &nothing);
    wire.assert_agreed("a flood");
}

#[test]
fn refused_first_messages_are_bounded() {
    let config = Config { half_open_total: 20, ..Config::default() };
    let Network { mut hosts, .. } = pair_with(12, Weather::default(), &config, |index, policy| {
        policy.main_mode[0].hash = [crate::crypto::hash::HashAlg::Sha1, crate::crypto::hash::HashAlg::Sha256][index];
    });
    let now = Time::from_secs(1);
    hosts[0].command(now, Command::InitiateRule { rule: "rule".to_owned(), peer: None });
    let first = hosts[0].sent[0].clone();
    for number in 0_u32..200 {
        let mut octets = first.octets.to_vec();
        octets[..4].copy_from_slice(&number.to_be_bytes());
        for _ in 0..2 {
            hosts[1].receive(now, first.remote, first.local, &octets);
        }
    }
    assert_eq!(hosts[1].endpoint.refused.len(), 20);
    assert_eq!(outcomes(&hosts[1]).len(), 20, "a repetition is no new negotiation");
    assert_eq!(hosts[1].endpoint.ike_sas.len(), 0);
    hosts[1].feed(now + Duration::from_secs(64), Input::Timeout);
    assert_settled(&hosts[1]);
}

#[test]
fn a_notification_in_clear_ends_nothing() {
    for number in 0..MESSAGES {
        let mut wire = Wire::new(13);
        wire.run(ALL_OVER, At::Before(number), &|octets| {
            let header = Header::decode(octets).expect("a header");
            let path = Path {
                local: "192.0.2.1:500".parse().expect("an address"),
                remote: "192.0.2.2:500".parse().expect("an address"),
            };
            let all = [14_u16, 18, 23, 24, 9, 4, 16, 30, 24_578].map(crate::wire::NotifyType);
            let forge = |notify| {
                let message = crate::exchange::info::clear(path, header.cookies(), MessageId(7), notify);
                Forgery { octets: message.octets.to_vec(), true_address: true }
            };
            all.into_iter().map(forge).collect()
        });
        wire.assert_agreed(&format!("notifications before {number}"));
    }
}

#[test]
fn changed_and_cut_copies_of_deletes_delete_nothing() {
    let mut wire = Wire::new(77);
    wire.run(Duration::from_secs(5), At::Never, &nothing);
    wire.hosts[0].command(wire.now, Command::DeletePeer(B.into()));
    let deletes: Vec<Transmit> = wire.hosts[0].sent.drain(..).collect();
    assert_eq!(deletes.len(), 2, "one for the IPsec SAs, one for the ISAKMP SA");
    let stands = |host: &Host| (host.driver.pairs.len(), host.endpoint.snapshot().ike_sas.len());
    let mut expected = (1, 1);
    for delete in &deletes {
        let octets = &delete.octets;
        let all = (0..octets.len()).flat_map(|at| [(at, 0x01), (at, 0x80), (at, 0xff)]);
        let mut forgeries: Vec<Vec<u8>> = all.map(|change| changed(octets, change)).collect();
        forgeries.extend((0..octets.len()).map(|len| octets[..len].to_vec()));
        for forgery in forgeries {
            for from in [delete.local, "198.51.100.66:500".parse().expect("an address")] {
                wire.hosts[1].receive(wire.now, delete.remote, from, &forgery);
                assert_eq!(stands(&wire.hosts[1]), expected, "{forgery:02x?} from {from}");
            }
        }
        // The true one is still taken.
        wire.hosts[1].receive(wire.now, delete.remote, delete.local, octets);
        expected = if expected == (1, 1) { (0, 1) } else { (0, 0) };
        assert_eq!(stands(&wire.hosts[1]), expected);
    }
}
