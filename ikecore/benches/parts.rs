//! The parts that every negotiation goes through: parsing a message, choosing among proposals, looking up policy.
#![allow(missing_docs, reason = "criterion's macros make a function without any")]

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ikecore::exchange::Path;
use ikecore::exchange::message::Incoming;
use ikecore::fuzzing::{fuzz_select, seeds, select_seeds};
use ikecore::policy::db::PolicyDb;
use ikecore::policy::selector::{Direction, Flow, Prefix, Selector};
use ikecore::proposal::select::select_main_mode;
use ikecore::testing::policy::{FAST, TestPolicy};
use ikecore::wire::{AuthenticationMethod, Header, Padding, Sa, parse};
use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

const OWN: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

fn address(number: u32) -> IpAddr {
    Ipv4Addr::from_bits(0x0a00_0000 + number).into()
}

fn messages(criterion: &mut Criterion) {
    let mut benchmarks = criterion.benchmark_group("parse a message");
    let path = Path { local: SocketAddr::new(OWN, 500), remote: SocketAddr::new(address(1), 500) };
    for seed in seeds().iter().filter(|seed| ["main-1", "main-3", "quick-1"].contains(&seed.name)) {
        benchmarks.throughput(Throughput::Bytes(seed.datagram.len() as u64));
        benchmarks.bench_function(seed.name, |bencher| {
            bencher.iter(|| {
                let octets = black_box(seed.datagram.as_slice());
                let message = Incoming::decode(octets, path).expect("a seed decodes");
                let body = octets.get(Header::LEN..).unwrap_or_default();
                let chain = parse(message.header.next_payload, body, Padding::Allowed).expect("a seed parses");
                black_box(chain.payloads.len())
            });
        });
    }
}

fn selection(criterion: &mut Criterion) {
    let mut benchmarks = criterion.benchmark_group("choose a proposal");
    let [(_, main_mode), (_, quick_mode)] = select_seeds();
    let policy = TestPolicy::new(OWN, address(1));
    benchmarks.bench_function("main mode, a peer that offers all", |bencher| {
        bencher.iter(|| {
            let sa = Sa::decode(black_box(&main_mode)).expect("a seed decodes");
            // All are refused but one at most: each mismatch is explained.
            select_main_mode(&sa, &[FAST], &[AuthenticationMethod::PRE_SHARED_KEY], policy.ike_lifetime).is_ok()
        });
    });
    benchmarks.bench_function("both modes, every check of a choice and its reply", |bencher| {
        bencher.iter(|| fuzz_select(black_box(&quick_mode)));
    });
}

/// A tunnel rule for each of `count` peers.
fn policy_of(count: u32) -> PolicyDb {
    let rules = (1..=count).map(|number| {
        let mut policy = TestPolicy::new(OWN, address(number));
        policy.tunnel = true;
        let inside = Prefix::new(Ipv4Addr::from_bits(0xac10_0000 + number * 16).into(), 28).expect("a prefix");
        let local = Prefix::new(Ipv4Addr::new(203, 0, 113, 0).into(), 24).expect("a prefix");
        policy.filters = vec![Selector::between(local, inside)];
        let mut rule = (*policy.database().rules[0]).clone();
        rule.name = format!("rule {number}");
        rule.reqid = number;
        Arc::new(rule)
    });
    PolicyDb::new(1, rules.collect(), vec![Prefix::host(OWN)]).expect("the policy is right")
}

fn policy(criterion: &mut Criterion) {
    let mut benchmarks = criterion.benchmark_group("look up policy");
    for count in [10, 1_000, 10_000] {
        let policy = policy_of(count);
        let flow = Flow {
            local: Ipv4Addr::new(203, 0, 113, 9).into(),
            remote: Ipv4Addr::from_bits(0xac10_0000 + count * 16 + 3).into(),
            protocol: 6,
            local_port: 1024,
            remote_port: 80,
            scope: ikecore::address::Scope::ANY,
        };
        assert!(policy.lookup_flow(&flow, Direction::Outbound).is_some());
        benchmarks.bench_function(BenchmarkId::new("a packet, last of rules", count), |bencher| {
            bencher.iter(|| policy.lookup_flow(black_box(&flow), Direction::Outbound).is_some());
        });
        benchmarks.bench_function(BenchmarkId::new("the same, filter by filter", count), |bencher| {
            bencher.iter(|| policy.ranked().find(|(_, filter)| filter.matches(black_box(&flow))).is_some());
        });
        let peer = address(count);
        assert_eq!(policy.main_mode_rules(OWN, peer).len(), 1);
        benchmarks.bench_function(BenchmarkId::new("main mode of a peer, last of rules", count), |bencher| {
            bencher.iter(|| policy.main_mode_rules(OWN, black_box(peer)).len());
        });
    }
}

/// `count` filters in ten rules: of 17 lengths of the remote prefix, with and without a protocol and ports.
fn many_filters(count: u32) -> PolicyDb {
    let filter = |number: u32| {
        let len = 16 + u8::try_from(number % 17).expect("below 17");
        let remote = Prefix::new(Ipv4Addr::from_bits(0x0a00_0000 + number * 97).into(), len).expect("a prefix");
        let (protocol, remote_port) = [(0, 0), (6, 0), (6, 443), (17, 53)][number as usize % 4];
        Selector { protocol, remote_port, ..Selector::between(Prefix::host(OWN), remote) }
    };
    let rules = (0..10).map(|number| {
        let mut rule = (*TestPolicy::new(OWN, address(1)).database().rules[0]).clone();
        rule.name = format!("rule {number}");
        rule.reqid = number + 1;
        rule.filters = (number..count).step_by(10).map(filter).collect();
        Arc::new(rule)
    });
    PolicyDb::new(1, rules.collect(), vec![Prefix::host(OWN)]).expect("the policy is right")
}

fn filters(criterion: &mut Criterion) {
    let mut benchmarks = criterion.benchmark_group("look up one of many filters");
    for count in [10_000, 100_000] {
        let policy = many_filters(count);
        let flows: Vec<Flow> = (0..count)
            .step_by(count as usize / 100)
            .map(|number| Flow {
                local: OWN,
                remote: Ipv4Addr::from_bits(0x0a00_0000 + number * 97).into(),
                protocol: 6,
                local_port: 1024,
                remote_port: 443,
                scope: ikecore::address::Scope::ANY,
            })
            .collect();
        for flow in &flows {
            let linear = policy.ranked().find(|(_, filter)| filter.matches(flow)).map(|(_, filter)| filter);
            assert_eq!(policy.lookup_flow(flow, Direction::Outbound).map(|(_, filter)| filter), linear);
        }
        benchmarks.throughput(Throughput::Elements(flows.len() as u64));
        benchmarks.bench_function(BenchmarkId::new("100 packets, by the index", count), |bencher| {
            bencher.iter(|| {
                flows.iter().filter(|flow| policy.lookup_flow(black_box(flow), Direction::Outbound).is_some()).count()
            });
        });
        benchmarks.bench_function(BenchmarkId::new("100 packets, filter by filter", count), |bencher| {
            let find = |flow: &Flow| policy.ranked().find(|(_, filter)| filter.matches(flow)).is_some();
            bencher.iter(|| flows.iter().filter(|flow| find(black_box(flow))).count());
        });
        benchmarks.bench_function(BenchmarkId::new("put a policy in force", count), |bencher| {
            bencher.iter(|| PolicyDb::new(1, policy.rules.clone(), policy.local_addresses.clone()).is_ok());
        });
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(2)).sample_size(20);
    targets = messages, selection, policy, filters
}
criterion_main!(benches);
