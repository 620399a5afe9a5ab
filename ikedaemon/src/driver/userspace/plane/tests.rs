//! Two planes whose packets go to each other.
mod authentication;
mod control;
mod numbers;

use super::*;
use crate::driver::userspace::packet::set_fragment;
use ikecore::crypto::esp::Integrity;
use ikecore::policy::selector::{Prefix, Selector};
use ikecore::proposal::suite::{CPIS, EspCipher, IpsecSuite, Lifetime, Protocols};
use ikecore::rng::RngError;
use ikecore::sa::driver::{Direction, DriverError, OuterAh, SaAnswer, SaOp, SaPair, SaSpec, UdpEncapsulation, Usage};
use ikecore::secret::Secret;
use ikecore::wire::codes::ProtocolId;

/// Different octets each time.
struct Counter(u8);

impl SecureRandom for Counter {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), RngError> {
        self.0 = self.0.wrapping_add(1);
        out.iter_mut().for_each(|octet| *octet = self.0);
        Ok(())
    }
}

const AES: IpsecSuite = IpsecSuite::Esp { cipher: EspCipher::Aes128Cbc, integrity: Some(Integrity::HmacSha1_96) };
const GCM: IpsecSuite = IpsecSuite::Esp { cipher: EspCipher::Aes256Gcm16, integrity: None };

const AH: IpsecSuite = IpsecSuite::Ah { integrity: Integrity::HmacSha1_96 };

/// What is protected, seen from one side.
#[derive(Clone, Copy, Debug)]
struct Link {
    mode: Mode,
    suite: IpsecSuite,
    ends: [IpAddr; 2],
    inside: [IpAddr; 2],
    outer: Option<Integrity>,
    in_udp: bool,
    compression: bool,
    extended: bool,
    spis: [u32; 2],
    soft: Lifetime,
    hard: Lifetime,
}

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

impl Link {
    fn new(mode: Mode, ends: [&str; 2], inside: [&str; 2]) -> Self {
        Self {
            mode,
            suite: AES,
            ends: ends.map(ip),
            inside: inside.map(ip),
            outer: None,
            in_udp: false,
            compression: false,
            extended: false,
            spis: [0x1111, 0x2222],
            soft: Lifetime::default(),
            hard: Lifetime::default(),
        }
    }

    fn transport() -> Self {
        Self::new(Mode::Transport, ["10.0.0.1", "10.0.0.2"], ["10.0.0.1", "10.0.0.2"])
    }

    fn turned(mut self) -> Self {
        self.ends.reverse();
        self.inside.reverse();
        self.spis.reverse();
        self
    }

    fn selector(&self) -> Selector {
        Selector::between(Prefix::host(self.inside[0]), Prefix::host(self.inside[1]))
    }

    fn policy(&self) -> TrafficPolicy {
        let endpoints = (self.mode == Mode::Tunnel).then_some((self.ends[0], self.ends[1]));
        let action = TrafficAction::Protect {
            protocols: self.spec(Direction::Outbound).protection().protocols(),
            mode: self.mode,
            endpoints,
            inbound_passthrough: false,
        };
        TrafficPolicy { selector: self.selector(), action, priority: 10, reqid: 7 }
    }

    fn spec(&self, direction: Direction) -> SaSpec {
        let (spi, source, destination) = match direction {
            Direction::Inbound => (self.spis[0], self.ends[1], self.ends[0]),
            Direction::Outbound => (self.spis[1], self.ends[0], self.ends[1]),
        };
        let key = |length| Secret::new(spi.to_be_bytes().into_iter().cycle().take(length).collect());
        SaSpec {
            direction,
            spi: Spi(spi),
            suite: self.suite,
            mode: self.mode,
            source,
            destination,
            scope: ikecore::address::Scope::ANY,
            selector: self.selector(),
            encapsulation: self.in_udp.then_some(UdpEncapsulation { source_port: 4500, destination_port: 4500 }),
            encryption_key: key(self.suite.encryption_key_len()),
            integrity_key: key(self.suite.integrity_key_len()),
            cpi: self.compression.then_some(Spi(spi & 0xfff)),
            outer: self.outer.map(|integrity| OuterAh {
                spi: Spi(spi + 1),
                integrity,
                key: key(IpsecSuite::Ah { integrity }.integrity_key_len()),
            }),
            reqid: 7,
            replay_window: 64,
            extended_sequence_numbers: self.extended,
            soft: self.soft,
            hard: self.hard,
        }
    }

    fn pair(&self, id: u64) -> SaPair {
        SaPair {
            id: IpsecSaId(id),
            inbound: self.spec(Direction::Inbound),
            outbound: self.spec(Direction::Outbound),
            policy: self.policy(),
        }
    }

    /// A UDP packet of the link.
    fn packet(&self, length: u8) -> Vec<u8> {
        self.packet_of(protocol::UDP, length)
    }

    fn packet_of(&self, protocol: u8, length: u8) -> Vec<u8> {
        let [source, destination] = self.inside;
        let [high, low] = (8 + u16::from(length)).to_be_bytes();
        let mut payload = vec![0x30, 0x39, 0, 53, high, low, 0, 0];
        payload.extend(0..length);
        let header = NewHeader { source, destination, traffic_class: 0, hop_limit: 64, dont_fragment: true, protocol };
        header.packet(&payload).expect("a packet")
    }
}

fn done(answer: SaAnswer) -> Result<(), DriverError> {
    match answer {
        SaAnswer::Done(result) => result,
        other => panic!("{other:?}"),
    }
}

fn plane() -> Plane {
    Plane::new(Box::new(Counter(0)))
}

fn install(plane: &mut Plane, now: Time, pair: SaPair) -> Result<(), DriverError> {
    pair.steps().into_iter().try_for_each(|step| done(plane.apply(now, step)))
}

/// Both sides, with the SAs of `link`.
fn sides(link: &Link) -> (Plane, Plane) {
    let (mut a, mut b) = (plane(), plane());
    install(&mut a, Time::ZERO, link.pair(1)).expect("installed");
    install(&mut b, Time::ZERO, link.turned().pair(1)).expect("installed");
    (a, b)
}

fn effects(plane: &mut Plane) -> Vec<Effect> {
    std::iter::from_fn(|| plane.next_effect()).collect()
}

/// The one IP packet that the plane sends.
fn network(plane: &mut Plane) -> Vec<u8> {
    match effects(plane).as_mut_slice() {
        [Effect::Network(packet)] => std::mem::take(packet),
        other => panic!("{other:?}"),
    }
}

fn host(plane: &mut Plane) -> Option<Vec<u8>> {
    effects(plane).into_iter().find_map(|effect| match effect {
        Effect::Host(packet) => Some(packet),
        _ => None,
    })
}

fn messages(plane: &mut Plane) -> Vec<DriverMessage> {
    let messages = effects(plane).into_iter().filter_map(|effect| match effect {
        Effect::Message(message) => Some(message),
        _ => None,
    });
    messages.collect()
}

fn expires(plane: &mut Plane) -> Vec<(u32, bool)> {
    let expires = messages(plane).into_iter().filter_map(|message| match message {
        DriverMessage::Expire(expire) => Some((expire.sa.spi.0, expire.hard)),
        _ => None,
    });
    expires.collect()
}

/// Brings a packet of the network to a plane.
fn arrive(plane: &mut Plane, now: Time, octets: &[u8]) {
    let packet = Packet::parse(octets).expect("a packet");
    let arrival = Arrival::raw(packet.source, packet.destination, packet.traffic_class, packet.hop_limit);
    match packet.protocol {
        protocol::ESP => plane.esp_packet(now, &arrival, packet.payload()),
        protocol::AH => plane.ah_packet(now, &arrival, octets),
        other => panic!("protocol {other} on the wire"),
    }
}

fn usage(plane: &mut Plane, id: u64) -> Usage {
    match plane.apply(Time::ZERO, SaOp::Query(IpsecSaId(id))) {
        SaAnswer::Usage(usage) => usage.expect("a pair"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn packets_go_through_in_every_mode_family_and_suite() {
    let (v4, v6) = (["10.0.0.1", "10.0.0.2"], ["fd01::1", "fd01::2"]);
    let (in4, in6) = (["192.168.1.1", "192.168.2.1"], ["fd11::1", "fd12::1"]);
    let tunnels = [(v4, in4), (v4, in6), (v6, in4), (v6, in6)];
    let mut links = [v4, v6].map(|ends| Link::new(Mode::Transport, ends, ends)).to_vec();
    links.extend(tunnels.map(|(ends, inside)| Link::new(Mode::Tunnel, ends, inside)));
    for mut link in links {
        for suite in [AES, GCM, AH] {
            link.suite = suite;
            let (mut a, mut b) = sides(&link);
            for length in 0..20 {
                let sent = link.packet(length);
                a.host_packet(Time::ZERO, &sent);
                let wire = network(&mut a);
                let outer = Packet::parse(&wire).expect("a packet");
                assert_eq!([outer.source, outer.destination], link.ends);
                arrive(&mut b, Time::ZERO, &wire);
                let got = host(&mut b).expect("it is delivered");
                let (sent, got) = (Packet::parse(&sent).expect("a packet"), Packet::parse(&got).expect("a packet"));
                assert_eq!(got.payload(), sent.payload());
                assert_eq!(got.outbound_flow(), sent.outbound_flow());
                assert_eq!(got.hop_limit, sent.hop_limit);
            }
            assert_eq!((usage(&mut a, 1).outbound_packets, usage(&mut b, 1).inbound_packets), (20, 20));
            assert_eq!(usage(&mut a, 1).outbound_octets, usage(&mut b, 1).inbound_octets);
        }
    }
}

#[test]
fn what_the_sa_is_not_for_is_dropped() {
    // B believes that the tunnel is for another address of A's.
    let link = Link::new(Mode::Tunnel, ["10.0.0.1", "10.0.0.2"], ["192.168.1.1", "192.168.2.1"]);
    let (mut a, mut b) = (plane(), plane());
    install(&mut a, Time::ZERO, link.pair(1)).expect("installed");
    let mut other = link.turned().pair(1);
    other.inbound.selector.remote = Prefix::host(ip("192.168.1.99"));
    install(&mut b, Time::ZERO, other).expect("installed");
    a.host_packet(Time::ZERO, &link.packet(4));
    let wire = network(&mut a);
    arrive(&mut b, Time::ZERO, &wire);
    assert!(effects(&mut b).is_empty());
    assert_eq!(usage(&mut b, 1).inbound_packets, 1);
    // Transport mode, with a protocol that the SA is not for.
    let link = Link::transport();
    let (mut a, mut b) = (plane(), plane());
    install(&mut a, Time::ZERO, link.pair(1)).expect("installed");
    let mut other = link.turned().pair(1);
    other.inbound.selector.protocol = protocol::TCP;
    install(&mut b, Time::ZERO, other).expect("installed");
    a.host_packet(Time::ZERO, &link.packet(4));
    let wire = network(&mut a);
    arrive(&mut b, Time::ZERO, &wire);
    assert!(effects(&mut b).is_empty());
}

#[test]
fn esp_in_udp_is_apart_from_esp_and_tells_a_new_mapping_once() {
    let link = Link { in_udp: true, ..Link::transport() };
    let (mut a, mut b) = sides(&link);
    let mut sealed = Vec::new();
    for _ in 0..6 {
        a.host_packet(Time::ZERO, &link.packet(5));
        match messages(&mut a).pop() {
            Some(DriverMessage::SendEncapsulated { local, remote, packet }) => {
                assert_eq!((local, remote), ((link.ends[0], 4500).into(), (link.ends[1], 4500).into()));
                sealed.push(packet);
            }
            other => panic!("{other:?}"),
        }
    }
    // Not in UDP: not for this SA.
    b.esp_packet(Time::ZERO, &Arrival::raw(link.ends[0], link.ends[1], 0, 64), &sealed[0]);
    assert!(effects(&mut b).is_empty());
    let known: SocketAddr = (link.ends[0], 4500).into();
    let moved: SocketAddr = ("192.0.2.7".parse::<IpAddr>().expect("an address"), 1024).into();
    let local: SocketAddr = (link.ends[1], 4500).into();
    let mut mappings = |source, packet: &[u8]| {
        b.esp_packet(Time::ZERO, &Arrival::in_udp(source, local), packet);
        let remotes = messages(&mut b).into_iter().filter_map(|message| match message {
            DriverMessage::Mapping(mapping) => Some(mapping.remote),
            _ => None,
        });
        remotes.collect::<Vec<_>>()
    };
    assert_eq!(mappings(known, &sealed[0]), []);
    let mut forged = sealed[1].to_vec();
    forged[20] ^= 1;
    assert_eq!(mappings(moved, &forged), []);
    assert_eq!(mappings(moved, &sealed[1]), [moved]);
    assert_eq!(mappings(moved, &sealed[2]), []);
    let update = SaOp::Update { id: IpsecSaId(1), local, remote: moved };
    done(b.apply(Time::ZERO, update)).expect("moved");
    let mut mappings = |source, packet: &[u8]| {
        b.esp_packet(Time::ZERO, &Arrival::in_udp(source, local), packet);
        messages(&mut b).len()
    };
    assert_eq!(mappings(moved, &sealed[3]), 0);
    assert_eq!(mappings(known, &sealed[4]), 1);
    b.host_packet(Time::ZERO, &link.turned().packet(1));
    match messages(&mut b).pop() {
        Some(DriverMessage::SendEncapsulated { remote, .. }) => assert_eq!(remote, moved),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_nat_that_changed_the_address_does_not_break_the_checksum() {
    let link = Link { in_udp: true, ..Link::transport() };
    let (mut a, mut b) = sides(&link);
    // Whatever source the packet seems to come from, the SA of B is for it.
    b.pairs.get_mut(&IpsecSaId(1)).expect("a pair").inbound.selector.remote =
        Prefix::new(ip("0.0.0.0"), 0).expect("a prefix");
    let mut sent = link.packet(6);
    sent[26] = 0xaa;
    a.host_packet(Time::ZERO, &sent);
    let Some(DriverMessage::SendEncapsulated { packet, .. }) = messages(&mut a).pop() else { panic!("nothing sent") };
    let arrival = Arrival::in_udp((ip("192.0.2.7"), 4500).into(), (link.ends[1], 4500).into());
    b.esp_packet(Time::ZERO, &arrival, &packet);
    let got = host(&mut b).expect("delivered");
    let segment = &got[20..];
    let sum = super::super::checksum::pseudo_header_checksum(ip("192.0.2.7"), link.ends[1], protocol::UDP, segment);
    assert_eq!(sum, 0);
}

#[test]
fn what_compresses_goes_compressed_and_the_rest_as_it_is() {
    let (v4, v6) = (["10.0.0.1", "10.0.0.2"], ["fd01::1", "fd01::2"]);
    let links = [
        Link::transport(),
        Link::new(Mode::Transport, v6, v6),
        Link::new(Mode::Tunnel, v4, ["192.168.1.1", "192.168.2.1"]),
        Link::new(Mode::Tunnel, v4, ["fd11::1", "fd12::1"]),
    ];
    for link in links.map(|link| Link { compression: true, ..link }) {
        let (mut a, mut b) = sides(&link);
        let [source, destination] = link.inside;
        let udp = protocol::UDP;
        let header =
            NewHeader { source, destination, traffic_class: 0, hop_limit: 64, dont_fragment: true, protocol: udp };
        let long = header.packet(&[7; 1_200]).expect("a packet");
        for (packet, compresses) in [(long, true), (link.packet(20), false), (link.packet(200), false)] {
            a.host_packet(Time::ZERO, &packet);
            let sent = network(&mut a);
            assert_eq!(sent.len() < packet.len(), compresses, "{} octets of {}", sent.len(), packet.len());
            arrive(&mut b, Time::ZERO, &sent);
            let got = host(&mut b).expect("it arrives");
            assert_eq!(
                Packet::parse(&got).expect("a packet").payload(),
                Packet::parse(&packet).expect("one").payload()
            );
        }
        assert_eq!((usage(&mut a, 1).outbound_packets, usage(&mut b, 1).inbound_packets), (3, 3));
        // The other end has no such CPI: nothing is given to the host.
        let other = Link { compression: false, ..link };
        let mut c = plane();
        install(&mut c, Time::ZERO, other.turned().pair(1)).expect("installed");
        a.host_packet(Time::ZERO, &header.packet(&[7; 1_200]).expect("a packet"));
        arrive(&mut c, Time::ZERO, &network(&mut a));
        assert_eq!(host(&mut c).filter(|_| link.mode == Mode::Tunnel), None);
    }
}

#[test]
fn dummy_packets_vanish_and_wrong_inner_versions_too() {
    let link = Link::transport();
    let (mut a, mut b) = sides(&link);
    a.host_packet(Time::ZERO, &link.packet_of(protocol::NONE, 3));
    let wire = network(&mut a);
    arrive(&mut b, Time::ZERO, &wire);
    assert!(effects(&mut b).is_empty());
    assert_eq!(usage(&mut b, 1).inbound_packets, 1);
}

#[test]
fn fragments_are_joined_before_transport_mode() {
    let link = Link::transport();
    let (mut a, mut b) = sides(&link);
    let whole = link.packet(100);
    let cut = 20 + 48;
    let mut first = whole[..cut].to_vec();
    set_fragment(&mut first, 9, 0, true).expect("a packet");
    let mut second = [&whole[..20], &whole[cut..]].concat();
    set_fragment(&mut second, 9, 48, false).expect("a packet");
    a.host_packet(Time::ZERO, &second);
    assert!(effects(&mut a).is_empty());
    a.host_packet(Time::ZERO, &first);
    let wire = network(&mut a);
    arrive(&mut b, Time::ZERO, &wire);
    let got = host(&mut b).expect("delivered");
    assert_eq!(got[20..], whole[20..]);
}

mod random_octets {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn never_panic_and_never_pass(octets in proptest::collection::vec(any::<u8>(), 0..120)) {
            let link = Link::transport();
            let (mut a, _) = sides(&link);
            let arrival = Arrival::raw(link.ends[1], link.ends[0], 3, 64);
            let packet = [&[0, 0, 0x11, 0x11], octets.as_slice()].concat();
            a.esp_packet(Time::ZERO, &arrival, &packet);
            prop_assert!(effects(&mut a).is_empty());
            a.host_packet(Time::ZERO, &octets);
        }

        /// Headers with options or extensions, then AH of the SA.
        #[test]
        fn with_ah_neither(
            headers in proptest::collection::vec(any::<u8>(), 60),
            extension in prop_oneof![Just(protocol::HOP_BY_HOP), Just(protocol::ROUTING), Just(protocol::AH)],
            words in 0_u8..12,
            octets in proptest::collection::vec(any::<u8>(), 0..120),
        ) {
            let ah = [&[protocol::UDP, words, 0, 0, 0, 0, 0x11, 0x11], octets.as_slice()].concat();
            for (ends, units) in [(["10.0.0.1", "10.0.0.2"], 5..16_usize), (["fd01::1", "fd01::2"], 0..3)] {
                let link = Link { suite: AH, ..Link::new(Mode::Transport, ends, ends) };
                let (mut a, _) = sides(&link);
                let arrival = Arrival::raw(link.ends[1], link.ends[0], 3, 64);
                for unit in units {
                    let mut packet = headers.clone();
                    if arrival.source.is_ipv4() {
                        packet.truncate(unit * 4);
                        (packet[0], packet[9]) = (0x40 | u8::try_from(unit).expect("4 bits"), protocol::AH);
                        packet[6..8].fill(0);
                    } else {
                        packet.truncate(40 + unit * 8);
                        (packet[0], packet[6]) = (0x60, if unit == 0 { protocol::AH } else { extension });
                        if unit > 0 {
                            (packet[40], packet[41]) = (protocol::AH, u8::try_from(unit - 1).expect("short"));
                        }
                    }
                    packet.extend_from_slice(&ah);
                    crate::driver::userspace::packet::set_length(&mut packet);
                    a.ah_packet(Time::ZERO, &arrival, &packet);
                    prop_assert!(effects(&mut a).is_empty());
                    a.host_packet(Time::ZERO, &packet);
                    while a.next_effect().is_some() {}
                }
            }
        }
    }
}
