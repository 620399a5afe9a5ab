//! A flooded responder asks Windows for its cookie, and keeps nothing until it comes.
use super::*;
use crate::event::MessageEvent;
use crate::ids::Cookie;
use crate::wire::{ExchangeType, Header};
use std::net::{Ipv4Addr, SocketAddr};

/// Where the responder's cookie stands.
const AT: core::ops::Range<usize> = 8..16;

/// Two hosts that say that they are Windows, of which the second wants the cookie from `from` half-open ones on.
fn begun(seed: u64, from: usize) -> Network {
    let config = Config { as_windows: true, half_open_cookie: from, half_open_total: 40, ..Config::default() };
    let mut network = pair_with(seed, Weather::default(), &config, |_, policy| {
        if policy.local == B {
            let anybody = Prefix::new(A, 0).expect("a prefix");
            let own = Prefix::host(B);
            policy.filters = vec![Selector::between(own, anybody)];
        }
    });
    initiate(&mut network);
    network
}

fn header(network: &Network, number: usize) -> Header {
    Header::decode(&network.log[number].1.octets).expect("a header")
}

fn run_until_sent(network: &mut Network, messages: usize) {
    let until = network.now + Duration::from_secs(60);
    while network.log.len() < messages {
        assert!(network.step(until), "no message {messages}");
    }
}

#[test]
fn nothing_is_kept_before_the_cookie_comes() {
    let mut network = begun(1, 0);
    run_until_sent(&mut network, 2);
    let demand = header(&network, 1);
    assert_eq!((demand.exchange, demand.responder), (ExchangeType::INFORMATIONAL, Cookie::ZERO));
    assert!(network.log[1].1.octets.len() < network.log[0].1.octets.len());
    let responder = &network.hosts[1].endpoint;
    assert!(responder.ike_sas.is_empty() && responder.refused.is_empty() && responder.negotiations.is_empty());
    run_until_sent(&mut network, 3);
    let again = network.log[2].1.octets.clone();
    assert_eq!(again[AT], network.log[1].1.octets[network.log[1].1.octets.len() - 8..]);
    network.run(Duration::from_secs(5));
    assert_agree(&network);
    assert_eq!(twins(&network), 1);
    // Six of main mode and three of quick mode, the first twice, and the demand.
    assert_eq!(network.log.len(), 11);
    assert!(network.hosts[1].endpoint.unproven.is_empty());
    network.hosts.iter().for_each(assert_settled);
    shut_down(&mut network);
}

#[test]
fn the_cookie_is_good_for_its_maker_its_sender_and_its_time_only() {
    let accepted = |change: &dyn Fn(&mut Vec<u8>, &mut SocketAddr), later: u64| {
        let mut network = begun(2, 0);
        run_until_sent(&mut network, 3);
        let message = network.log[2].1.clone();
        let (mut octets, mut from) = (message.octets.to_vec(), message.local);
        change(&mut octets, &mut from);
        let now = network.now + Duration::from_secs(later);
        let host = &mut network.hosts[1];
        let seen = host.events.len();
        host.receive(now, message.remote, from, &octets);
        let dropped =
            |event: &crate::event::Event| matches!(&event.kind, EventKind::Message(MessageEvent::Dropped { .. }));
        let accepted = host.endpoint.ike_sas.len() == 1;
        assert_eq!(host.events[seen..].iter().any(dropped), !accepted);
        accepted
    };
    assert!(accepted(&|_, _| (), 0));
    // Nothing happens at 150 s and 300 s but the change of the slices.
    assert!(accepted(&|_, _| (), 150) && !accepted(&|_, _| (), 300));
    assert!(!accepted(&|_, from| from.set_ip(Ipv4Addr::new(192, 0, 2, 9).into()), 0));
    assert!(!accepted(&|_, from| from.set_port(501), 0));
    for at in 0..16 {
        assert!(!accepted(&|octets, _| octets[at] ^= 1, 0), "octet {at}");
    }
    // In other exchanges it says nothing.
    assert!(!accepted(&|octets, _| octets[18] = ExchangeType::AGGRESSIVE.0, 0));
    // What nobody has asked for is no cookie.
    let mut network = begun(3, 1_000);
    run_until_sent(&mut network, 1);
    let message = network.log[0].1.clone();
    let mut octets = message.octets.to_vec();
    octets[AT].copy_from_slice(b"a cookie");
    let now = network.now;
    network.hosts[1].receive(now, message.remote, message.local, &octets);
    assert!(network.hosts[1].endpoint.ike_sas.is_empty());
}

#[test]
fn message_1_with_and_without_the_cookie_is_one_message() {
    let mut network = begun(4, 0);
    run_until_sent(&mut network, 4);
    let (first, with_cookie) = (network.log[0].1.octets.to_vec(), network.log[2].1.octets.to_vec());
    let (local, remote) = (network.log[0].1.remote, network.log[0].1.local);
    let message_2 = network.log[3].1.octets.clone();
    for octets in [first, with_cookie] {
        let now = network.now;
        network.hosts[1].sent.clear();
        network.hosts[1].receive(now, local, remote, &octets);
        let sent: Vec<_> = network.hosts[1].sent.drain(..).map(|sent| sent.octets).collect();
        assert_eq!(sent, std::slice::from_ref(&message_2));
        assert_eq!(network.hosts[1].endpoint.ike_sas.len(), 1);
    }
    network.run(Duration::from_secs(5));
    assert_eq!(twins(&network), 1);
    shut_down(&mut network);
}

/// Others know nothing of the cookie: for them all is as it was, flooded or not.
#[test]
fn only_windows_is_asked() {
    for aggressive in [false, true] {
        let config = Config { half_open_cookie: 0, ..Config::default() };
        let mut network = pair_with(5, Weather::default(), &config, |_, policy| policy.aggressive_mode = aggressive);
        initiate(&mut network);
        network.run(Duration::from_secs(5));
        assert_eq!(twins(&network), 1);
        assert_eq!(network.log.len(), if aggressive { 6 } else { 9 });
        shut_down(&mut network);
    }
    // Nor is somebody for whom there is no policy.
    let mut network = begun(6, 0);
    run_until_sent(&mut network, 1);
    network.hosts[1].feed(network.now, Input::Policy(Arc::default()));
    network.run(Duration::from_secs(100));
    assert!(network.log.iter().all(|(from, _)| *from == 0));
}

/// Forged first messages, each from another address, in numbers that without the cookie shut a true peer out.
#[test]
fn a_flood_of_windows_fills_no_table_and_keeps_no_peer_out() {
    let mut network = begun(7, 20);
    run_until_sent(&mut network, 1);
    let forged = network.log[0].1.octets.to_vec();
    let local = network.log[0].1.remote;
    let mut number = 0_u32;
    let until = network.now + Duration::from_secs(30);
    loop {
        let now = network.now;
        let host = &mut network.hosts[1];
        for _ in 0..200 {
            number += 1;
            let mut octets = forged.clone();
            octets[..4].copy_from_slice(&number.to_be_bytes());
            let from = SocketAddr::new(Ipv4Addr::from_bits(0x0a00_0000 + number).into(), 500);
            let waiting = host.sent.len();
            host.receive(now, local, from, &octets);
            // What is sent to forged addresses is lost.
            host.sent.truncate(waiting);
            assert!(host.endpoint.ike_sas.len() <= 21, "{} half-open", host.endpoint.ike_sas.len());
        }
        if twins(&network) == 1 || !network.step(until) {
            break;
        }
    }
    assert_eq!(twins(&network), 1, "after {number} forged messages: {:?}", network.hosts[0].failures());
    network.run(Duration::from_secs(400));
    assert_eq!(network.hosts[0].failures(), []);
    network.hosts.iter().for_each(assert_settled);
    shut_down(&mut network);
}
