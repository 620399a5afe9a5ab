//! In-memory pairs of endpoints with virtual time, by topic.
mod addresses;
mod aggressive;
mod bundles;
mod certificates;
mod commit_bit;
mod config_mode;
mod default_response;
mod deletes;
mod dos_cookie;
mod dos_protection;
mod dpd;
mod failures;
mod fragments;
mod hybrid;
mod identities;
mod idle;
mod injection;
mod key_log;
mod lifecycle;
mod links;
mod misconfigured;
mod nat;
mod negotiate;
mod other_rule;
mod soft_sas;
mod steps;
mod suspended;
mod transcript;
mod transitions;
mod turns;
mod unique;
mod versions;
mod weather;

use super::*;
use crate::event::Failure;
use crate::event::NegotiationEvent;
use crate::ids::NegotiationId;
use crate::policy::selector::{Prefix, Selector};
use crate::testing::host::Host;
use crate::testing::network::{Network, Weather};
use crate::testing::policy::TestPolicy;
use crate::time::Duration;
use std::net::IpAddr;

pub(super) const A: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
pub(super) const B: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

/// Two hosts with policies that fit, changed by `change`: the index of the host, its policy.
pub(super) fn pair(seed: u64, weather: Weather, change: impl Fn(usize, &mut TestPolicy)) -> Network {
    pair_with(seed, weather, &Config::default(), change)
}

pub(super) fn pair_with(
    seed: u64,
    weather: Weather,
    config: &Config,
    change: impl Fn(usize, &mut TestPolicy),
) -> Network {
    let host = |index: usize, local, remote| {
        let mut policy = TestPolicy::new(local, remote);
        change(index, &mut policy);
        Host::new(config.clone(), seed.wrapping_mul(2).wrapping_add(index as u64), policy.database())
    };
    Network::new([host(0, A, B), host(1, B, A)], weather, seed ^ 0x5eed)
}

/// Filters for UDP between the two hosts, each for one port.
pub(super) fn port_filters(policy: &TestPolicy, ports: u16) -> Vec<Selector> {
    let host = Prefix::host;
    let filter = |port| Selector {
        protocol: 17,
        local_port: 10_000 + port,
        remote_port: 10_000 + port,
        ..Selector::between(host(policy.local), host(policy.remote))
    };
    (0..ports).map(filter).collect()
}

/// The administrator of the first host begins.
pub(super) fn initiate(network: &mut Network) {
    network.feed(0, Input::Command(Command::InitiateRule { rule: "rule".to_owned(), peer: None }));
}

/// Both hosts have the same pairs with the same keys, and nothing else.
pub(super) fn assert_agree(network: &Network) {
    let [a, b] = &network.hosts;
    assert_eq!(a.driver.pairs.len(), b.driver.pairs.len(), "{:?}\n{:?}", a.failures(), b.failures());
    for pair in a.driver.pairs.values() {
        let twin = b
            .driver
            .pairs
            .values()
            .find(|twin| twin.inbound.spi == pair.outbound.spi && twin.outbound.spi == pair.inbound.spi)
            .unwrap_or_else(|| panic!("no twin of {pair:?}"));
        for (ours, theirs) in [(&pair.outbound, &twin.inbound), (&pair.inbound, &twin.outbound)] {
            assert_eq!(ours.suite, theirs.suite);
            assert_eq!(ours.mode, theirs.mode);
            assert_eq!(ours.extended_sequence_numbers, theirs.extended_sequence_numbers);
            assert_eq!((ours.source, ours.destination), (theirs.source, theirs.destination));
            assert_eq!(ours.encryption_key.expose(), theirs.encryption_key.expose());
            assert_eq!(ours.integrity_key.expose(), theirs.integrity_key.expose());
            assert_eq!(ours.encryption_key.expose().len(), ours.suite.encryption_key_len());
        }
        assert_eq!(pair.inbound.selector.local, twin.inbound.selector.remote);
        let keys = |spec: &crate::sa::driver::SaSpec| {
            [spec.encryption_key.expose().as_slice(), spec.integrity_key.expose()].concat()
        };
        assert_ne!(keys(&pair.inbound), keys(&pair.outbound));
    }
    for host in &network.hosts {
        assert!(host.driver.larval.is_empty(), "SPIs left behind: {:?}", host.driver.larval);
    }
}

/// How each negotiation of a host ended; every one that began must have ended exactly once.
pub(super) fn outcomes(host: &Host) -> BTreeMap<NegotiationId, Result<(), Failure>> {
    let mut started = BTreeMap::new();
    let mut ended = BTreeMap::new();
    for event in &host.events {
        let EventKind::Negotiation(kind) = &event.kind else { continue };
        let id = event.context.negotiation.expect("a negotiation event without its negotiation");
        let end = match kind {
            NegotiationEvent::Started { .. } => {
                assert!(started.insert(id, ()).is_none(), "{id} began twice");
                continue;
            }
            NegotiationEvent::Succeeded { .. } => Ok(()),
            NegotiationEvent::Failed { failure, .. } => Err(failure.clone()),
        };
        assert!(started.contains_key(&id), "{id} ended before it began");
        assert!(ended.insert(id, end).is_none(), "{id} ended twice");
    }
    assert_eq!(started.len(), ended.len(), "not all that began has ended: {started:?} {ended:?}");
    ended
}

/// Nothing is under way: no exchange, no ask, no SPI without its SA; the tables and the driver have the same pairs.
pub(super) fn assert_settled(host: &Host) {
    let endpoint = &host.endpoint;
    outcomes(host);
    assert!(endpoint.negotiations.is_empty() && endpoint.index.wanted.is_empty());
    assert_eq!(endpoint.index.offered.len(), 0);
    assert_eq!(endpoint.asks.len(), 0, "asks without an answer");
    assert!(host.driver.larval.is_empty(), "SPIs left behind: {:?}", host.driver.larval);
    assert!(host.driver.halves.is_empty(), "half-installed pairs: {:?}", host.driver.halves);
    assert_eq!(endpoint.index.half_open.len(), 0);
    assert!(endpoint.refused.is_empty());
    for sa in endpoint.ike_sas.values() {
        let standing = sa.standing().expect("a main mode under way");
        assert!(standing.quick_modes.values().all(|running| running.exchange.is_none()));
    }
    let pairs = |keys: &mut dyn Iterator<Item = IpsecSaId>| keys.collect::<Vec<_>>();
    assert_eq!(pairs(&mut endpoint.pairs.keys().copied()), pairs(&mut host.driver.pairs.keys().copied()));
    assert_eq!(pairs(&mut endpoint.soft_sas.keys().copied()), pairs(&mut host.driver.softs.keys().copied()));
    assert_eq!(endpoint.index.soft_sas.len(), endpoint.soft_sas.len());
    assert_eq!(endpoint.by_cookie.len(), endpoint.ike_sas.len());
    assert_eq!(endpoint.index.ike_sas.len(), endpoint.ike_sas.len());
    for len in [endpoint.index.pairs.len(), endpoint.index.traffic.len()] {
        assert_eq!(len, endpoint.pairs.len());
    }
    let names = endpoint.pairs.values().map(|pair| pair.sa.inbound_names().count());
    assert_eq!(endpoint.index.inbound.len(), names.sum::<usize>());
}

/// After its end a host has nothing left, and wants nothing.
pub(super) fn assert_gone(host: &Host) {
    assert_settled(host);
    let endpoint = &host.endpoint;
    assert!(endpoint.is_stopped());
    assert!(endpoint.ike_sas.is_empty() && endpoint.by_cookie.is_empty() && endpoint.by_first_message.is_empty());
    assert!(endpoint.index.is_empty() && endpoint.shared.peers.is_empty());
    assert_eq!(endpoint.timers.len(), 0);
    assert_eq!(host.wake, None);
    assert!(host.driver.pairs.is_empty() && host.driver.policies.is_empty(), "{:?}", host.driver);
    let snapshot = endpoint.snapshot();
    assert!(snapshot.ike_sas.is_empty() && snapshot.ipsec_sas.is_empty() && snapshot.quick_modes.is_empty());
}

/// Both hosts end; nothing is left behind.
pub(super) fn shut_down(network: &mut Network) {
    for host in 0..2 {
        network.feed(host, Input::Command(Command::Shutdown));
    }
    network.run(Duration::from_secs(5));
    network.hosts.iter().for_each(assert_gone);
}

/// Where both hosts have both ends of a pair its keys are equal; gives the number of such pairs.
pub(super) fn twins(network: &Network) -> usize {
    let [a, b] = &network.hosts;
    let mut count = 0;
    for pair in a.driver.pairs.values() {
        let fits = |twin: &&crate::sa::driver::SaPair| {
            twin.inbound.spi == pair.outbound.spi && twin.outbound.spi == pair.inbound.spi
        };
        let Some(twin) = b.driver.pairs.values().find(fits) else { continue };
        count += 1;
        for (ours, theirs) in [(&pair.outbound, &twin.inbound), (&pair.inbound, &twin.outbound)] {
            assert_eq!(ours.suite, theirs.suite);
            assert_eq!(ours.encryption_key.expose(), theirs.encryption_key.expose());
            assert_eq!(ours.integrity_key.expose(), theirs.integrity_key.expose());
        }
    }
    count
}

/// A packet from one host to the other.
pub(super) fn acquire(host: usize) -> Input<'static> {
    let (local, remote) = if host == 0 { (A, B) } else { (B, A) };
    let flow = crate::policy::selector::Flow {
        local,
        remote,
        protocol: 1,
        local_port: 0,
        remote_port: 0,
        scope: crate::address::Scope::ANY,
    };
    Input::Acquire(crate::sa::driver::Acquire { flow, reqid: 1 })
}

/// Compares with a file beside the tests; with `UPDATE=1` in the environment writes it.
#[expect(clippy::disallowed_methods, reason = "a test that writes what it is compared with")]
pub(super) fn compare(name: &str, expected: &str, actual: &str) {
    if std::env::var_os("UPDATE").is_some() {
        let path = format!("{}/src/endpoint/tests/expected/{name}.txt", env!("CARGO_MANIFEST_DIR"));
        std::fs::write(&path, actual).expect("the file written");
        return;
    }
    for (number, (expected, actual)) in expected.lines().zip(actual.lines()).enumerate() {
        assert_eq!(expected, actual, "{name}, line {}; UPDATE=1 accepts the change", number + 1);
    }
    assert_eq!(expected.lines().count(), actual.lines().count(), "{name}; UPDATE=1 accepts the change");
}
