//! NAT traversal: detection, the change of port, the numbers of both revisions, and NATs that forget.
use super::*;
use crate::event::{Detail, MessageEvent};
use crate::policy::selector::{Prefix, Selector};
use crate::proposal::suite::{Lifetime, Mode};
use crate::testing::network::Translation;
use crate::wire::payload::vendor::RFC_3947;

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
    // The next quick mode comes from the new port, and is answered there.
    network.run(Duration::from_secs(3_000));
    assert_eq!(network.hosts.each_ref().map(Host::failures), [vec![], vec![]]);
    assert_eq!(twins(&network), 1);
    assert_eq!(network.hosts[1].endpoint.snapshot().ike_sas[0].remote, remote);
    assert!(network.hosts[0].endpoint.snapshot().counters.quick_modes >= 5);
    shut_down(&mut network);
}
