//! NAT traversal: detection, the change of port, the numbers of both revisions, and NATs that forget.
use super::*;
use crate::event::{Detail, MessageEvent};
use crate::identity::Identity;
use crate::policy::selector::{Prefix, Selector};
use crate::proposal::suite::{Lifetime, Mode};
use crate::testing::network::Translation;
use crate::wire::payload::vendor::RFC_3947;
use crate::wire::{ExchangeType, Header, NatOa, Padding, PayloadType, parse};

const PUBLIC: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(203, 0, 113, 7));

/// The first host is behind a NAT.
fn behind_nat(seed: u64, change: impl Fn(usize, &mut TestPolicy)) -> Network {
    let config = Config { detail: Detail::Trace, ..Config::default() };
    let mut network = pair_with(seed, Weather::default(), &config, |index, policy| {
        if index == 1 {
            policy.remote = PUBLIC;
        }
        change(index, policy);
    });
    network.nat = Some(Translation { public: PUBLIC, offset: 20_000 });
    network
}

/// Takes RFC 3947 out of what a message announces, so that the drafts are left.
fn only_drafts(octets: &mut [u8]) {
    if let Some(at) = octets.windows(16).position(|window| window == RFC_3947) {
        octets[at] ^= 0xff;
    }
}

/// The Encapsulation Mode attribute of a quick mode message 1, as it went out.
fn encapsulation_mode(host: &Host) -> u16 {
    let sent = host.events.iter().find_map(|event| match &event.kind {
        EventKind::Message(MessageEvent::Sending { name: "quick mode message 1", octets, .. }) => Some(octets.clone()),
        _ => None,
    });
    let octets = sent.expect("quick mode message 1");
    let at = octets.windows(2).position(|pair| pair == [0x80, 0x04]).expect("the attribute");
    u16::from_be_bytes([octets[at + 2], octets[at + 3]])
}

#[test]
fn a_nat_is_found_and_esp_goes_in_udp() {
    for (draft, tunnel, number) in [(false, false, 4), (false, true, 3), (true, false, 61_444), (true, true, 61_443)] {
        let mut network = behind_nat(1, |index, policy| {
            policy.tunnel = tunnel;
            if tunnel {
                let inner = |host: u8| Prefix::new([10, host, 0, 0].into(), 16).expect("a prefix");
                policy.filters = vec![Selector::between(inner(index as u8), inner(1 - index as u8))];
            }
        });
        network.meddle = draft.then_some(only_drafts as fn(&mut [u8]));
        initiate(&mut network);
        network.run(Duration::from_secs(5));
        assert_eq!(twins(&network), 1, "{:?}", network.hosts.each_ref().map(Host::failures));
        assert_eq!(encapsulation_mode(&network.hosts[0]), number);
        let [a, b] = &network.hosts;
        let (ours, theirs) =
            (a.driver.pairs.values().next().expect("a pair"), b.driver.pairs.values().next().expect("one"));
        assert_eq!(ours.outbound.mode, if tunnel { Mode::Tunnel } else { Mode::Transport });
        let ports = |spec: &crate::sa::driver::SaSpec| {
            spec.encapsulation.map(|ports| (ports.source_port, ports.destination_port))
        };
        assert_eq!((ports(&ours.outbound), ports(&ours.inbound)), (Some((4500, 4500)), Some((4500, 4500))));
        assert_eq!((ports(&theirs.inbound), ports(&theirs.outbound)), (Some((24_500, 4500)), Some((4500, 24_500))));
        assert_eq!((theirs.inbound.source, theirs.outbound.destination), (PUBLIC, PUBLIC));
        let nat = |host: &Host| host.endpoint.snapshot().ike_sas[0].nat;
        assert_eq!((nat(a), nat(b)), ((true, false), (false, true)));
        assert_eq!(
            (a.endpoint.snapshot().ike_sas[0].local.port(), b.endpoint.snapshot().ike_sas[0].remote.port()),
            (4500, 24_500)
        );
        // From message 5 on with the marker, from the other port.
        let marked = network.log.iter().map(|(_, transmit)| transmit.marker).collect::<Vec<_>>();
        assert_eq!(marked, [false, false, false, false, true, true, true, true, true]);
        shut_down(&mut network);
    }
}

#[test]
fn without_a_nat_nothing_changes() {
    let mut network = pair(2, Weather::default(), |_, _| {});
    initiate(&mut network);
    network.run(Duration::from_secs(5));
    assert!(network.log.iter().all(|(_, transmit)| !transmit.marker && transmit.local.port() == 500));
    assert!(
        network.hosts.iter().all(|host| host.driver.pairs.values().all(|pair| pair.inbound.encapsulation.is_none()))
    );
    assert_eq!(network.hosts[0].endpoint.snapshot().ike_sas[0].nat, (false, false));
}

#[test]
fn both_ends_rekey_through_the_nat() {
    for host in 0..2 {
        let mut network = behind_nat(3, |_, _| {});
        initiate(&mut network);
        network.run(Duration::from_secs(100));
        let sa = *network.hosts[host].endpoint.ike_sas.keys().next().expect("an SA");
        network.feed(host, Input::Command(Command::RekeyIkeSa(sa)));
        network.run(Duration::from_secs(100));
        let id = *network.hosts[host].endpoint.pairs.keys().next().expect("a pair");
        network.feed(host, Input::Command(Command::RekeyIpsecSa(id)));
        network.run(Duration::from_secs(100));
        assert_eq!(network.hosts.each_ref().map(Host::failures), [vec![], vec![]], "host {host}");
        assert_eq!(twins(&network), 1);
        assert_eq!(network.hosts.each_ref().map(|host| host.endpoint.ike_sas.len()), [1, 1]);
        network.hosts.iter().for_each(assert_settled);
        shut_down(&mut network);
    }
}

#[test]
fn a_nat_that_forgets_its_mapping_is_followed() {
    let mut network = behind_nat(4, |_, policy| {
        policy.quick_mode[0].lifetime = Lifetime { seconds: 600, kilobytes: 0 };
    });
    initiate(&mut network);
    network.run(Duration::from_secs(10));
    network.nat = Some(Translation { public: PUBLIC, offset: 30_000 });
    // The driver sees packets of the peer come from elsewhere.
    let pair = network.hosts[1].driver.pairs.values().next().expect("a pair");
    let sa = crate::sa::driver::SaName {
        protocol: pair.inbound.suite.protocol(),
        destination: pair.inbound.destination,
        spi: pair.inbound.spi,
    };
    let remote = std::net::SocketAddr::new(PUBLIC, 34_500);
    network.feed(1, Input::Mapping(crate::sa::driver::Mapping { sa, remote }));
    assert_eq!(network.hosts[1].endpoint.snapshot().ipsec_sas[0].remote, remote);
    // What the host has to say goes there at once.
    assert_eq!(network.hosts[1].endpoint.snapshot().ike_sas[0].remote, remote);
    // The next quick mode comes from the new port, and is answered there.
    network.run(Duration::from_secs(3_000));
    assert_eq!(network.hosts.each_ref().map(Host::failures), [vec![], vec![]]);
    assert_eq!(twins(&network), 1);
    assert_eq!(network.hosts[1].endpoint.snapshot().ike_sas[0].remote, remote);
    assert!(network.hosts[0].endpoint.snapshot().counters.quick_modes >= 5);
    shut_down(&mut network);
}

/// The keep-alives that each host sent: when, and from where to where.
fn keep_alives(network: &Network, host: usize) -> Vec<&Transmit> {
    let all = network.log.iter().filter(|(from, sent)| *from == host && *sent.octets == [0xff]);
    all.map(|(_, sent)| sent).collect()
}

#[test]
fn the_end_behind_the_nat_keeps_its_mapping_alive_and_no_other_does() {
    let mut network = behind_nat(5, |_, _| {});
    initiate(&mut network);
    network.run(Duration::from_secs(301));
    let sent = keep_alives(&network, 0);
    assert_eq!((sent.len(), keep_alives(&network, 1).len()), (15, 0));
    for one in sent {
        assert_eq!((one.local.to_string(), one.remote.to_string()), ("192.0.2.1:4500".into(), "192.0.2.2:4500".into()));
        assert!(!one.marker, "it is told from IKE by its length");
    }
    // Of several SAs one stream; a pair alone is reason enough; without any there is none.
    let sa = *network.hosts[0].endpoint.ike_sas.keys().next().expect("an SA");
    network.feed(0, Input::Command(Command::RekeyIkeSa(sa)));
    network.run(Duration::from_secs(2));
    network.log.clear();
    network.run(Duration::from_secs(100));
    assert_eq!(keep_alives(&network, 0).len(), 5);
    let sa = *network.hosts[0].endpoint.ike_sas.keys().next_back().expect("an SA");
    network.feed(0, Input::Command(Command::DeleteIkeSa(sa)));
    assert!(network.hosts[0].endpoint.ike_sas.is_empty());
    network.log.clear();
    network.run(Duration::from_secs(100));
    assert_eq!(keep_alives(&network, 0).len(), 5);
    network.feed(0, Input::Command(Command::DeleteAll));
    network.run(Duration::from_secs(1));
    network.log.clear();
    network.run(Duration::from_secs(100));
    assert_eq!(network.log.len(), 0);
    shut_down(&mut network);
}

#[test]
fn a_responder_behind_a_nat_keeps_its_mapping_alive_too() {
    let mut network = behind_nat(6, |_, _| {});
    network.forwarded = Some(("203.0.113.8".parse().expect("an address"), B));
    let public = network.forwarded.expect("an address").0;
    let mut policy = TestPolicy::new(A, public);
    policy.version = 2;
    network.feed(0, Input::Policy(Arc::new(policy.database())));
    initiate(&mut network);
    network.run(Duration::from_secs(101));
    assert_eq!(network.hosts.each_ref().map(Host::failures), [vec![], vec![]]);
    // Each knows the other by the address before its NAT.
    let [a, b] = network.hosts.each_ref().map(|host| host.driver.pairs.values().next().expect("a pair"));
    assert_eq!((a.outbound.source, a.outbound.destination), (A, public));
    assert_eq!((b.outbound.source, b.outbound.destination), (B, PUBLIC));
    let hosts = |pair: &crate::sa::driver::SaPair| (pair.inbound.selector.local, pair.inbound.selector.remote);
    assert_eq!(hosts(a), (Prefix::host(A), Prefix::host(public)));
    assert_eq!(hosts(b), (Prefix::host(B), Prefix::host(PUBLIC)));
    assert_eq!(a.outbound.encryption_key.expose(), b.inbound.encryption_key.expose());
    let nat = |host: &Host| host.endpoint.snapshot().ike_sas[0].nat;
    assert_eq!(network.hosts.each_ref().map(nat), [(true, true), (true, true)]);
    assert_eq!([0, 1].map(|host| keep_alives(&network, host).len()), [5, 5]);
    let original = |host: usize, name: &str| original_addresses(&network.hosts[host], name);
    // RFC 3947 §5.2, example 2.
    assert_eq!(original(0, "quick mode message 1"), [(PayloadType::NAT_OA, A), (PayloadType::NAT_OA, public)]);
    assert_eq!(original(1, "quick mode message 2"), [(PayloadType::NAT_OA, PUBLIC), (PayloadType::NAT_OA, B)]);
    shut_down(&mut network);
}

#[test]
fn keep_alives_can_be_turned_off_and_are_not_sent_without_a_nat() {
    let config = Config { nat_keep_alive: Duration::ZERO, ..Config::default() };
    let mut network = pair_with(7, Weather::default(), &config, |index, policy| {
        if index == 1 {
            policy.remote = PUBLIC;
        }
    });
    network.nat = Some(Translation { public: PUBLIC, offset: 20_000 });
    let direct = pair(7, Weather::default(), |_, _| {});
    for mut network in [network, direct] {
        initiate(&mut network);
        network.run(Duration::from_secs(100));
        assert_eq!(network.log.len(), 9);
        shut_down(&mut network);
    }
}

/// The payloads of a message as it was sent, without its HASH.
fn payloads(host: &Host, wanted: &str) -> (PayloadType, Vec<u8>) {
    let sent = host.events.iter().find_map(|event| match &event.kind {
        EventKind::Message(MessageEvent::Sending { name, octets, .. }) if *name == wanted => Some(octets.clone()),
        _ => None,
    });
    let octets = sent.expect("the message was sent");
    let body = &octets[Header::LEN..];
    let chain = parse(PayloadType::HASH, body, Padding::Allowed).expect("payloads");
    let hash = chain.payloads[0].whole.len();
    (chain.payloads[1].kind, body[hash..].to_vec())
}

/// The NAT-OA payloads of a message.
fn original_addresses(host: &Host, name: &str) -> Vec<(PayloadType, IpAddr)> {
    let (first, body) = payloads(host, name);
    let chain = parse(first, &body, Padding::Allowed).expect("payloads");
    let all = chain.payloads.iter().filter(|payload| payload.kind.is_nat_oa());
    all.map(|payload| (payload.kind, payload.decode(NatOa::decode).expect("an address").address)).collect()
}

#[test]
fn in_transport_mode_both_ends_tell_the_addresses_that_they_see() {
    for (draft, kind) in [(false, PayloadType::NAT_OA), (true, PayloadType::NAT_OA_DRAFT)] {
        for tunnel in [false, true] {
            let mut network = behind_nat(8, |index, policy| {
                policy.tunnel = tunnel;
                if tunnel {
                    let inner = |host: u8| Prefix::new([10, host, 0, 0].into(), 16).expect("a prefix");
                    policy.filters = vec![Selector::between(inner(index as u8), inner(1 - index as u8))];
                }
            });
            network.meddle = draft.then_some(only_drafts as fn(&mut [u8]));
            initiate(&mut network);
            network.run(Duration::from_secs(5));
            assert_eq!(twins(&network), 1);
            let own = |seen| if tunnel { Vec::new() } else { vec![(kind, seen), (kind, B)] };
            assert_eq!(original_addresses(&network.hosts[0], "quick mode message 1"), own(A));
            assert_eq!(original_addresses(&network.hosts[1], "quick mode message 2"), own(PUBLIC));
            shut_down(&mut network);
        }
    }
}

/// An L2TP client behind a NAT: UDP 1701, its own address as IDci; and one that sends a name in its place.
#[test]
fn a_client_behind_a_nat_names_itself_as_it_likes() {
    let mut network = behind_nat(9, |_, policy| {
        let l2tp = Selector { protocol: 17, local_port: 1701, remote_port: 1701, ..policy_filter(policy) };
        policy.filters = vec![l2tp];
    });
    initiate(&mut network);
    network.run(Duration::from_secs(5));
    assert_eq!(twins(&network), 1, "{:?}", network.hosts.each_ref().map(Host::failures));
    let selector = |host: &Host| host.driver.pairs.values().next_back().expect("a pair").inbound.selector;
    let of_client = Selector {
        protocol: 17,
        local_port: 1701,
        remote_port: 1701,
        ..Selector::between(Prefix::host(B), Prefix::host(PUBLIC))
    };
    assert_eq!(selector(&network.hosts[1]), of_client);
    let (first, body) = payloads(&network.hosts[0], "quick mode message 1");
    let at = {
        let chain = parse(first, &body, Padding::Allowed).expect("payloads");
        let id = chain.one(PayloadType::ID).expect("IDci");
        id.offset + 4
    };
    for (id_type, expected) in [(1, true), (2, true), (9, true), (200, true)] {
        let mut body = body.clone();
        body[at] = id_type;
        let message_id = crate::ids::MessageId(0x100 + u32::from(id_type));
        let (path, octets) =
            network.hosts[0].endpoint.forge(ExchangeType::QUICK, message_id, first, &body).expect("an SA");
        let public = std::net::SocketAddr::new(PUBLIC, path.local.port() + 20_000);
        let before = network.hosts[1].sent.len();
        let now = network.now;
        network.hosts[1].receive(now, path.remote, public, &octets);
        assert_eq!(network.hosts[1].sent.len() - before, usize::from(expected), "ID type {id_type}");
        assert!(network.hosts[1].failures().is_empty(), "{:?}", network.hosts[1].failures());
    }
}

/// The filter for all traffic between the two hosts of a policy.
fn policy_filter(policy: &TestPolicy) -> Selector {
    Selector::between(Prefix::host(policy.local), Prefix::host(policy.remote))
}

/// The end before which no NAT is asks the other whether it lives, after the NAT has forgotten its mapping.
#[test]
fn a_peer_with_a_new_mapping_is_not_taken_for_dead() {
    use crate::policy::rule::{DeadPeerAction, DeadPeerDetection};
    for public in [PUBLIC, "203.0.113.99".parse().expect("an address")] {
        let mut network = behind_nat(10, |index, policy| {
            let (action, periodic) = (DeadPeerAction::Hold, true);
            policy.dpd = (index == 1).then_some(DeadPeerDetection { delay: 30, timeout: 60, action, periodic });
        });
        initiate(&mut network);
        network.run(Duration::from_secs(10));
        network.nat = Some(Translation { public, offset: 30_000 });
        let pair = network.hosts[1].driver.pairs.values().next().expect("a pair");
        let protocol = pair.inbound.suite.protocol();
        let (destination, spi) = (pair.inbound.destination, pair.inbound.spi);
        let sa = crate::sa::driver::SaName { protocol, destination, spi };
        let remote = std::net::SocketAddr::new(public, 34_500);
        network.feed(1, Input::Mapping(crate::sa::driver::Mapping { sa, remote }));
        network.run(Duration::from_secs(600));
        let snapshot = network.hosts[1].endpoint.snapshot();
        assert_eq!((snapshot.ike_sas.len(), snapshot.ipsec_sas.len()), (1, 1), "{public}");
        assert_eq!(snapshot.ike_sas[0].remote, remote);
        shut_down(&mut network);
    }
}

/// A second host behind the first one's NAT, as it would be after `first`: its identity, and the NAT's next port.
fn second_behind_the_nat(network: &mut Network, identity: IpAddr, offset: u16) {
    second_with(network, identity, offset, &[]);
    network.run(Duration::from_secs(10));
}

/// The same with `filters` of its own, if there are any; it has only begun.
fn second_with(network: &mut Network, identity: IpAddr, offset: u16, filters: &[Selector]) {
    let mut policy = TestPolicy::new(A, B);
    policy.local_id = Some(Identity::Address(identity));
    if !filters.is_empty() {
        policy.filters = filters.to_vec();
    }
    network.hosts[0] = Host::new(Config { initial_contact: false, ..Config::default() }, 99, policy.database());
    network.nat = Some(Translation { public: PUBLIC, offset });
    initiate(network);
}

#[test]
fn of_two_hosts_with_the_same_ports_behind_one_nat_the_second_is_refused() {
    for (identity, refused) in [("192.0.2.77", true), ("192.0.2.1", false)] {
        let mut network = behind_nat(11, |_, _| {});
        initiate(&mut network);
        network.run(Duration::from_secs(10));
        assert_eq!(twins(&network), 1, "{:?}", network.hosts.each_ref().map(Host::failures));
        second_behind_the_nat(&mut network, identity.parse().expect("an address"), 30_000);
        let taken = |failure: &Failure| {
            matches!(failure, Failure::SamePorts { identity: Identity::Address(A), peer, .. }
                if *peer == std::net::SocketAddr::new(PUBLIC, 24_500))
        };
        assert_eq!(network.hosts[1].failures().iter().any(taken), refused, "{:?}", network.hosts[1].failures());
        // The same host again, whose old SAs nobody deleted, is served.
        assert_eq!(network.hosts[0].driver.pairs.len(), usize::from(!refused));
        let ports: Vec<u16> =
            network.hosts[1].endpoint.snapshot().ipsec_sas.iter().map(|sa| sa.remote.port()).collect();
        assert_eq!(ports.contains(&24_500), refused || ports.len() == 2, "{ports:?}");
        assert_eq!(ports.contains(&34_500), !refused, "{ports:?}");
        let told = network.hosts[0].failures();
        assert_eq!(
            told.iter().any(|failure| failure.to_string().contains("INVALID-ID-INFORMATION")),
            refused,
            "{told:?}"
        );
    }
}

/// RFC 3948 §5.2.
#[test]
fn of_two_hosts_behind_one_nat_with_traffic_in_common_the_second_is_refused() {
    let all = Selector::between(Prefix::host(A), Prefix::host(B));
    let udp = |local_port| Selector { protocol: 17, local_port, remote_port: 1701, ..all };
    let tcp = Selector { protocol: 6, ..udp(1701) };
    for (first, second, refused) in [
        (udp(1701), udp(1701), true),
        (udp(1701), udp(0), true),
        (udp(0), udp(1701), true),
        (all, udp(1701), true),
        (udp(1702), all, true),
        (udp(1701), udp(1702), false),
        (udp(1701), tcp, false),
    ] {
        let mut network = behind_nat(12, |index, policy| {
            if index == 0 {
                policy.filters = vec![first];
            }
        });
        initiate(&mut network);
        network.run(Duration::from_secs(10));
        assert_eq!(twins(&network), 1, "{:?}", network.hosts.each_ref().map(Host::failures));
        second_with(&mut network, "192.0.2.77".parse().expect("an address"), 30_000, &[second]);
        network.run(Duration::from_secs(10));
        let of_first = Selector {
            local: Prefix::host(B),
            remote: Prefix::host(PUBLIC),
            local_port: first.remote_port,
            remote_port: first.local_port,
            ..first
        };
        let failures = network.hosts[1].failures();
        let told = |failure: &Failure| matches!(failure, Failure::SamePorts { selector, .. } if *selector == of_first);
        assert_eq!(failures.iter().any(told), refused, "{first}, then {second}: {failures:?}");
        let ports: Vec<u16> =
            network.hosts[1].endpoint.snapshot().ipsec_sas.iter().map(|sa| sa.remote.port()).collect();
        let expected: &[u16] = if refused { &[24_500] } else { &[24_500, 34_500] };
        assert_eq!(ports, expected, "{first}, then {second}");
    }
}

/// Both begin before either has its SAs.
#[test]
fn two_hosts_behind_one_nat_that_ask_at_once_do_not_both_get_the_traffic() {
    let mut network = behind_nat(13, |_, _| {});
    initiate(&mut network);
    let answered = |network: &Network| network.hosts[1].endpoint.snapshot().quick_modes.len() == 1;
    while !answered(&network) {
        network.run(Duration::from_millis(1));
    }
    // The first one's message 3 does not come: where it was is the second now.
    second_with(&mut network, "192.0.2.77".parse().expect("an address"), 30_000, &[]);
    network.run(Duration::from_secs(5));
    let failures = network.hosts[1].failures();
    let under_way = |failure: &Failure| {
        matches!(failure, Failure::SamePorts { identity: Identity::Address(A), peer, .. }
            if *peer == std::net::SocketAddr::new(PUBLIC, 24_500))
    };
    assert!(failures.iter().any(under_way), "{failures:?}");
    assert_eq!(network.hosts[1].endpoint.snapshot().ipsec_sas.len(), 0);
    // When it has been waited for in vain, the second is served.
    network.run(Duration::from_secs(200));
    initiate(&mut network);
    network.run(Duration::from_secs(10));
    assert_eq!(twins(&network), 1, "{:?}", network.hosts.each_ref().map(Host::failures));
}

/// The NAT is a host, too, and nothing is between it and the other end.
#[test]
fn a_nat_and_a_host_behind_it_do_not_both_get_the_traffic() {
    for nat_first in [false, true] {
        let mut network = behind_nat(14, |_, _| {});
        let through = network.nat.take();
        let config = || Config { initial_contact: false, ..Config::default() };
        for (local, seed) in if nat_first { [(PUBLIC, 1), (A, 2)] } else { [(A, 1), (PUBLIC, 2)] } {
            network.hosts[0] = Host::new(config(), seed, TestPolicy::new(local, B).database());
            network.nat = through.filter(|_| local == A);
            initiate(&mut network);
            network.run(Duration::from_secs(10));
        }
        let failures = network.hosts[1].failures();
        assert!(failures.iter().any(|failure| matches!(failure, Failure::SamePorts { .. })), "{failures:?}");
        let ports: Vec<u16> =
            network.hosts[1].endpoint.snapshot().ipsec_sas.iter().map(|sa| sa.remote.port()).collect();
        assert_eq!(ports, [if nat_first { 500 } else { 24_500 }]);
    }
}

/// The ISAKMP SA with one of them is made anew while the pair of the other needs a successor.
#[test]
fn of_two_hosts_behind_one_nat_neither_is_asked_for_the_traffic_of_the_other() {
    let udp = |local_port| Selector {
        protocol: 17,
        local_port,
        remote_port: 1701,
        ..Selector::between(Prefix::host(A), Prefix::host(B))
    };
    let mut network = behind_nat(15, |index, policy| {
        if index == 0 {
            policy.filters = vec![udp(1701)];
        }
    });
    initiate(&mut network);
    network.run(Duration::from_secs(10));
    second_with(&mut network, "192.0.2.77".parse().expect("an address"), 30_000, &[udp(1702)]);
    network.run(Duration::from_secs(10));
    let server = &network.hosts[1].endpoint;
    let [first, second] = [24_500, 34_500].map(|port| {
        let snapshot = server.snapshot();
        let sa = snapshot.ike_sas.iter().find(|sa| sa.remote.port() == port).expect("an ISAKMP SA");
        let pair = snapshot.ipsec_sas.iter().find(|pair| pair.remote.port() == port).expect("a pair");
        (sa.id, pair.id)
    });
    network.hosts[0].events.clear();
    network.hosts[1].events.clear();
    network.log.clear();
    network.feed(1, Input::Command(Command::DeleteIkeSa(first.0)));
    network.feed(1, Input::Command(Command::RekeyIkeSa(second.0)));
    network.feed(1, Input::Command(Command::RekeyIpsecSa(first.1)));
    network.run(Duration::from_secs(10));
    assert_eq!(network.hosts[0].failures(), vec![], "the second is asked for its own only");
    let main_modes = network.hosts[0].endpoint.snapshot().ike_sas.len();
    assert_eq!(main_modes, 1, "the second has the new ISAKMP SA alone");
    let to_first = |(from, sent): &&(usize, Transmit)| *from == 1 && sent.remote.port() == 24_500;
    // The delete, and message 1 with its repetitions.
    assert!(network.log.iter().filter(to_first).count() >= 3, "the first is asked, where it was");
}
