//! Whole negotiations between two endpoints in memory: main mode and quick mode, both ends together and the responder
//! alone, and the responder alone with many peers that it already has SAs with.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a benchmark reads the clock; ikecore does not"
)]
#![allow(missing_docs, reason = "criterion's macros make a function without any")]

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use ikecore::crypto::group::Group;
use ikecore::endpoint::{Command, Config};
use ikecore::policy::selector::{Prefix, Selector};
use ikecore::testing::host::Host;
use ikecore::testing::policy::TestPolicy;
use ikecore::time::Time;
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

const RESPONDER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const GROUPS: [(&str, Group); 2] = [("ecp256", Group::Ecp256), ("modp2048", Group::Modp2048)];

/// The address of the initiator of a number: one of 10.0.0.0/8.
fn address(number: u32) -> IpAddr {
    Ipv4Addr::from_bits(0x0a00_0000 + number).into()
}

fn initiator(number: u32, group: Group) -> Host {
    let mut policy = TestPolicy::new(address(number), RESPONDER);
    policy.main_mode[0].group = group;
    Host::new(Config::default(), 0x1_0000_0000 + u64::from(number), policy.database())
}

/// One rule for every peer in 10.0.0.0/8.
fn responder(group: Group) -> Host {
    let mut policy = TestPolicy::new(RESPONDER, address(0));
    policy.main_mode[0].group = group;
    let peers = Prefix::new(address(0), 8).expect("8 is a prefix length of IPv4");
    policy.filters = vec![Selector::between(Prefix::host(RESPONDER), peers)];
    Host::new(Config::default(), 7, policy.database())
}

/// One negotiation, from the administrator's command to installed SAs at both ends; returns what the responder took of
/// it.
fn negotiate(initiator: &mut Host, responder: &mut Host) -> Duration {
    let now = Time::from_secs(1);
    initiator.command(now, Command::InitiateRule { rule: "rule".to_owned(), peer: None });
    let mut spent = Duration::ZERO;
    loop {
        if let Some(sent) = initiator.sent.pop_front() {
            let start = Instant::now();
            responder.receive(now, sent.remote, sent.local, &sent.octets);
            spent += start.elapsed();
        } else if let Some(sent) = responder.sent.pop_front() {
            initiator.receive(now, sent.remote, sent.local, &sent.octets);
        } else {
            break;
        }
    }
    assert_eq!(initiator.driver.pairs.len(), 1, "{:?}", initiator.failures());
    initiator.events.clear();
    responder.events.clear();
    spent
}

/// Ends what a negotiation led to; the delete is not delivered.
fn forget(responder: &mut Host, number: u32) {
    responder.command(Time::from_secs(1), Command::DeletePeer(address(number).into()));
    responder.sent.clear();
    responder.events.clear();
}

fn both_ends(criterion: &mut Criterion) {
    let mut benchmarks = criterion.benchmark_group("main mode and quick mode, both ends");
    for (name, group) in GROUPS {
        let mut responder = responder(group);
        let mut number = 0;
        benchmarks.bench_function(name, |bencher| {
            bencher.iter_custom(|count| {
                let mut spent = Duration::ZERO;
                for _ in 0..count {
                    number += 1;
                    let mut initiator = initiator(number, group);
                    let start = Instant::now();
                    negotiate(&mut initiator, &mut responder);
                    spent += start.elapsed();
                    forget(&mut responder, number);
                }
                spent
            });
        });
    }
}

fn responder_alone(criterion: &mut Criterion) {
    let mut benchmarks = criterion.benchmark_group("main mode and quick mode, responder alone");
    for (name, group) in GROUPS {
        let held: &[u32] = if group == Group::Ecp256 { &[0, 100, 1_000, 10_000] } else { &[0] };
        let mut responder = responder(group);
        let mut number = 0;
        for held in held {
            while number < *held {
                number += 1;
                negotiate(&mut initiator(number, group), &mut responder);
            }
            assert_eq!(responder.driver.pairs.len(), *held as usize);
            benchmarks.bench_function(BenchmarkId::new(name, format!("{held} held")), |bencher| {
                let mut next = 0x10_0000;
                bencher.iter_custom(|count| {
                    let mut spent = Duration::ZERO;
                    for _ in 0..count {
                        next += 1;
                        spent += negotiate(&mut initiator(next, group), &mut responder);
                        forget(&mut responder, next);
                    }
                    spent
                });
            });
        }
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(4)).sample_size(20);
    targets = both_ends, responder_alone
}
criterion_main!(benches);
