//! Mode Config where each end waits for the other, where both begin, and where there is no address.
use super::config_mode::{Case, LEASE, USUAL, assert_leased, pool, prefix, said};
use super::*;
use crate::event::{ConfigEvent, Detail, IkeSaEvent, MissingAddress};
use crate::exchange::config_mode::Configuration;
use crate::identity::Identity;
use crate::policy::lease::Owner;
use crate::policy::selector::{Prefix, Selector};
use crate::wire::NotifyType;

/// A client and a gateway of which each has its own idea of who begins.
fn network(case: Case, client_waits: bool, gateway_gives: bool, change: fn(usize, &mut TestPolicy)) -> Network {
    seeded(1, case, client_waits, gateway_gives, change)
}

fn seeded(
    seed: u64,
    case: Case,
    client_waits: bool,
    gateway_gives: bool,
    change: fn(usize, &mut TestPolicy),
) -> Network {
    let config = Config { detail: Detail::Trace, ..Config::default() };
    let mut network = pair_with(seed, Weather::default(), &config, |index, policy| {
        let push = if index == 0 { client_waits } else { gateway_gives };
        Case { push, ..case }.change(index, policy);
        change(index, policy);
    });
    network.hosts[1].users.insert("joe".to_owned(), b"foobar".to_vec());
    network
}

const UNCHANGED: fn(usize, &mut TestPolicy) = |_, _| {};

/// The gateway's rule has no pool.
const WITHOUT_POOL: fn(usize, &mut TestPolicy) = |index, policy| {
    if index == 1 {
        policy.mode_config = None;
    }
};

/// The pool's only address is somebody else's.
fn exhaust(network: &mut Network) {
    let other = Owner::new(&Identity::Address(A), Some("other"));
    network.hosts[1].endpoint.shared.leases.hold(LEASE, &other, A.into());
}

const ONE: Case = Case { ranges: &["10.99.0.1"], ..USUAL };

fn missing(ipv4: bool, ranges: Option<&[&str]>) -> MissingAddress {
    MissingAddress { ipv4, rule: "rule".to_owned(), pool: ranges.map(pool) }
}

/// What a gateway says of addresses that it does not have.
fn told(host: &Host) -> Vec<MissingAddress> {
    let events = host.events.iter().filter_map(|event| match &event.kind {
        EventKind::Config(ConfigEvent::NoAddress(missing)) => Some(missing.clone()),
        _ => None,
    });
    events.collect()
}

/// Why ISAKMP SAs of a host ended.
fn ended(host: &Host) -> Vec<Failure> {
    let events = host.events.iter().filter_map(|event| match &event.kind {
        EventKind::IkeSa(IkeSaEvent::Ended { established: true, reason, .. }) => Some(reason.clone()),
        _ => None,
    });
    events.collect()
}

/// The client knows of no fault: it has the lease, and begins its quick mode with it.
fn believe(network: &mut Network, address: IpAddr) {
    let client = &mut network.hosts[0].endpoint;
    let (id, sa) = client.ike_sas.iter_mut().next().expect("an SA");
    let (id, standing) = (*id, sa.standing_mut().expect("it stands"));
    standing.configuration = Some(Box::new(Configuration { addresses: vec![address], ..Configuration::default() }));
    let preparation = standing.preparation.take().expect("not ready");
    client.granted.insert(address);
    for negotiation in preparation.waiting {
        client.main_mode_is_there(negotiation, id);
    }
    network.feed(0, Input::Timeout);
}

/// strongSwan's clients that ask answer what they are given besides by nothing that acknowledges it.
#[test]
fn a_client_that_asks_need_not_acknowledge() {
    let is_ready = |host: &Host| {
        host.endpoint.ike_sas.values().any(|sa| sa.standing().is_some_and(|standing| standing.preparation.is_none()))
    };
    let mut unacknowledged = 0;
    for seed in 0..10 {
        let mut network = seeded(seed, USUAL, false, true, UNCHANGED);
        initiate(&mut network);
        while !is_ready(&network.hosts[1]) {
            assert!(network.step(Time::from_secs(60)), "the gateway waits on");
        }
        assert!(said(&network.hosts[1]).contains(&"mode config order"));
        unacknowledged += u32::from(!said(&network.hosts[0]).contains(&"mode config acknowledgement"));
        network.run(Duration::from_secs(3));
        assert_leased(&network, LEASE);
        network.run(Duration::from_secs(120));
        let orders = said(&network.hosts[1]).iter().filter(|name| **name == "mode config order").count();
        assert_eq!((orders, network.hosts.each_ref().map(Host::failures)), (1, [vec![], vec![]]));
        network.hosts.iter().for_each(assert_settled);
        shut_down(&mut network);
        assert_eq!(network.hosts[1].endpoint.shared.leases.held(), 0);
    }
    assert!(unacknowledged > 0, "each had acknowledged before");
}

#[test]
fn where_both_wait_both_begin() {
    let mut network = network(USUAL, true, false, UNCHANGED);
    initiate(&mut network);
    network.run(Duration::from_secs(4));
    assert_eq!(twins(&network), 0);
    network.run(Duration::from_secs(3));
    assert_leased(&network, LEASE);
    network.run(Duration::from_secs(200));
    assert_eq!(network.hosts.each_ref().map(Host::failures), [vec![], vec![]]);
    network.hosts.iter().for_each(assert_settled);
    shut_down(&mut network);
    assert_eq!(network.hosts[1].endpoint.shared.leases.held(), 0);
}

/// What a gateway gives unasked to one that may have asked is an offer.
#[test]
fn an_offer_that_is_not_answered_ends_nothing() {
    let mut network = network(USUAL, true, false, UNCHANGED);
    initiate(&mut network);
    network.run(Duration::from_secs(4));
    network.weather.loss = 100;
    network.run(Duration::from_secs(200));
    let gateway = &network.hosts[1];
    assert!(said(gateway).contains(&"mode config order"));
    assert!(gateway.endpoint.counters.retransmitted > 3);
    assert_eq!((ended(gateway), gateway.endpoint.ike_sas.len()), (vec![], 1));
    assert_settled(gateway);
}

#[test]
fn a_gateway_without_a_pool_says_so() {
    let mut network = network(USUAL, false, false, WITHOUT_POOL);
    initiate(&mut network);
    network.run(Duration::from_secs(70));
    assert_eq!(network.hosts[0].failures(), [Failure::NoAddressGiven { family: "IPv4" }]);
    let gateway = &network.hosts[1];
    assert_eq!(told(gateway), [missing(true, None)]);
    assert_eq!(told(gateway)[0].to_string(), "rule \"rule\" has no pool to give an IPv4 address of");
    assert_eq!(ended(gateway), [Failure::NoAddressForPeer { missing: missing(true, None), proposed: None }]);
    network.hosts.iter().for_each(assert_settled);
}

#[test]
fn an_exhausted_pool_and_one_of_the_other_family_say_which() {
    for (ranges, text) in [
        (&["10.99.0.1"], "pool \"office\" (10.99.0.1) of rule \"rule\" has no IPv4 address left"),
        (&["2001:db8::1"], "pool \"office\" (2001:db8::1) of rule \"rule\" has no IPv4 addresses"),
    ] {
        let mut network = network(Case { ranges, ..USUAL }, false, false, UNCHANGED);
        exhaust(&mut network);
        initiate(&mut network);
        network.run(Duration::from_secs(70));
        assert_eq!(network.hosts[0].failures(), [Failure::NoAddressGiven { family: "IPv4" }]);
        let expected = missing(true, Some(ranges));
        assert_eq!(expected.to_string(), text);
        assert_eq!(told(&network.hosts[1]), std::slice::from_ref(&expected));
        assert_eq!(ended(&network.hosts[1]), [Failure::NoAddressForPeer { missing: expected, proposed: None }]);
        network.hosts.iter().for_each(assert_settled);
    }
}

/// A client that goes on without an address hears that its traffic is not allowed, and the gateway says why it is so.
#[test]
fn a_quick_mode_without_an_address_fails_for_want_of_it() {
    let mut network = network(ONE, false, false, UNCHANGED);
    exhaust(&mut network);
    initiate(&mut network);
    while told(&network.hosts[1]).is_empty() {
        assert!(network.step(Time::from_secs(60)), "no address is missing");
    }
    believe(&mut network, A);
    network.run(Duration::from_secs(10));
    let proposed = Selector::between(prefix("10.10.1.0/24"), Prefix::host(A));
    let expected = Failure::NoAddressForPeer { missing: missing(true, Some(ONE.ranges)), proposed: Some(proposed) };
    assert_eq!(network.hosts[1].failures(), std::slice::from_ref(&expected));
    assert_eq!(expected.notify(), Some(NotifyType::INVALID_ID_INFORMATION));
    assert!(network.hosts[1].driver.pairs.is_empty());
}

#[test]
fn a_gateway_that_gives_unasked_and_has_nothing_says_so() {
    let mut network = network(ONE, true, true, UNCHANGED);
    exhaust(&mut network);
    initiate(&mut network);
    network.run(Duration::from_secs(70));
    let expected = Failure::NoAddressForPeer { missing: missing(true, Some(ONE.ranges)), proposed: None };
    assert_eq!(told(&network.hosts[1])[..1], [missing(true, Some(ONE.ranges))]);
    assert_eq!(ended(&network.hosts[1]), [expected]);
    assert_eq!(network.hosts[0].failures(), [Failure::NoAddressGiven { family: "IPv4" }]);
    network.hosts.iter().for_each(assert_settled);
}

/// Of two families the one that there is makes a tunnel.
#[test]
fn one_family_is_better_than_none() {
    let networks = &[("0.0.0.0/0", "10.10.1.0/24"), ("::/0", "2001:db8:1::/64")];
    for (push, ranges) in [(false, &["10.99.0.2", "2001:db8:99::5"]), (true, &["10.99.0.1", "2001:db8:99::5"])] {
        let mut network = network(Case { ranges, networks, ..USUAL }, push, push, UNCHANGED);
        exhaust(&mut network);
        initiate(&mut network);
        network.run(Duration::from_secs(5));
        let gives_both = !push;
        assert_eq!(twins(&network), if gives_both { 2 } else { 1 }, "{:?}", network.hosts[0].failures());
        let expected: &[MissingAddress] = if gives_both { &[] } else { &[missing(true, Some(ranges))] };
        assert_eq!(told(&network.hosts[1]), expected);
    }
}
