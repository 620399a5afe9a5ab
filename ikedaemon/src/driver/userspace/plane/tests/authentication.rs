//! AH: by itself, around ESP, and with IPComp inside.
use super::*;

const V4: [&str; 2] = ["10.0.0.1", "10.0.0.2"];
const V6: [&str; 2] = ["fd01::1", "fd01::2"];

/// The packet of a link on the wire, and the side that it is for.
fn sent(link: &Link) -> (Vec<u8>, Plane) {
    let (mut a, b) = sides(link);
    a.host_packet(Time::ZERO, &link.packet(100));
    (network(&mut a), b)
}

/// What a packet becomes at the other side.
fn received(plane: &mut Plane, wire: &[u8]) -> Option<Vec<u8>> {
    arrive(plane, Time::ZERO, wire);
    host(plane)
}

fn links() -> Vec<Link> {
    let modes = [V4, V6].map(|ends| Link::new(Mode::Transport, ends, ends));
    let tunnels = [V4, V6].map(|ends| Link::new(Mode::Tunnel, ends, ["192.168.1.1", "192.168.2.1"]));
    modes.into_iter().chain(tunnels).collect()
}

#[test]
fn every_algorithm_alone_and_around_esp() {
    for link in links() {
        for integrity in Integrity::ALL {
            let ah = IpsecSuite::Ah { integrity };
            for (suite, outer) in [(ah, None), (AES, Some(integrity)), (GCM, Some(integrity))] {
                for (extended, compression) in [(false, false), (true, false), (false, true)] {
                    let link = Link { suite, outer, extended, compression, ..link };
                    let (mut a, mut b) = sides(&link);
                    for _ in 0..3 {
                        a.host_packet(Time::ZERO, &link.packet(200));
                        let wire = network(&mut a);
                        let outer = Packet::parse(&wire).expect("a packet");
                        assert_eq!(outer.protocol, protocol::AH);
                        // RFC 4302 §2.2: whole words, in IPv6 pairs of them.
                        let length = (usize::from(outer.payload()[1]) + 2) * 4;
                        let needed = 12 + integrity.icv_len();
                        let unit = if outer.source.is_ipv4() { 4 } else { 8 };
                        assert_eq!(length, needed.next_multiple_of(unit));
                        let got = received(&mut b, &wire).expect("it is delivered");
                        let packet = link.packet(200);
                        let (sent, got) = (Packet::parse(&packet).expect("sent"), Packet::parse(&got).expect("got"));
                        assert_eq!((got.payload(), got.outbound_flow()), (sent.payload(), sent.outbound_flow()));
                    }
                    let usage = usage(&mut b, 1);
                    assert_eq!((usage.inbound_packets, usage.replays, usage.integrity_failures), (3, Some(0), Some(0)));
                }
            }
        }
    }
}

#[test]
fn what_changes_on_the_way_is_not_covered_and_all_else_is() {
    for link in links() {
        let link = Link { suite: AH, ..link };
        let ipv4 = link.ends[0].is_ipv4();
        // Service type, flags, time to live, checksum; traffic class, flow label, hop limit.
        let may_change: &[usize] = if ipv4 { &[1, 6, 8, 10, 11] } else { &[1, 2, 3, 7] };
        let (wire, _) = sent(&link);
        for at in 0..wire.len() {
            let (mut wire, mut b) = sent(&link);
            wire[at] ^= if ipv4 && at == 6 { 0x40 } else { 0x08 };
            let header = if ipv4 { 20 } else { 40 };
            // Version, length and next header, a fragment's place, the addresses that name the SA, and AH's own length and SPI: then it is another
            // packet, or one of another SA.
            let named = [header + 1, header + 4, header + 5, header + 6, header + 7];
            let addressed = if ipv4 { 16..20 } else { 24..40 };
            let lengths: &[usize] = if ipv4 { &[0, 2, 3, 7, 9] } else { &[0, 4, 5, 6] };
            if lengths.contains(&at) || named.contains(&at) || addressed.contains(&at) {
                continue;
            }
            let accepted = received(&mut b, &wire).is_some();
            assert_eq!(accepted, may_change.contains(&at), "octet {at} of {link:?}");
            let failures = usage(&mut b, 1).integrity_failures;
            assert_eq!(failures, Some(u64::from(!accepted)), "octet {at}");
        }
    }
}

#[test]
fn an_identification_that_the_kernel_would_choose_is_chosen_before() {
    let link = Link { suite: AH, ..Link::transport() };
    let (wire, _) = sent(&link);
    assert_ne!(wire[4..6], [0, 0]);
    let mut packet = link.packet(4);
    packet[4..6].copy_from_slice(&[7, 8]);
    let (mut a, _) = sides(&link);
    a.host_packet(Time::ZERO, &packet);
    assert_eq!(network(&mut a)[4..6], [7, 8]);
}

#[test]
fn esp_must_come_in_the_ah_of_its_pair() {
    let link = Link { outer: Some(Integrity::HmacSha1_96), ..Link::transport() };
    let (wire, mut b) = sent(&link);
    let arrival = Arrival::raw(link.ends[0], link.ends[1], 0, 64);
    let outer = Packet::parse(&wire).expect("a packet");
    let inside = outer.payload()[24..].to_vec();
    b.esp_packet(Time::ZERO, &arrival, &inside);
    assert!(effects(&mut b).is_empty(), "ESP alone");
    assert_eq!(usage(&mut b, 1).inbound_packets, 0);
    assert!(received(&mut b, &wire).is_some());
    arrive(&mut b, Time::ZERO, &wire);
    assert!(effects(&mut b).is_empty());
    assert_eq!(usage(&mut b, 1).replays, Some(1));
    // The AH of one pair around the ESP of another, which is to have AH too.
    let other = Link { spis: [0x3333, 0x4444], ..link };
    let (mut a, mut b) = sides(&link);
    install(&mut a, Time::ZERO, other.pair(2)).expect("installed");
    install(&mut b, Time::ZERO, other.turned().pair(2)).expect("installed");
    a.host_packet(Time::ZERO, &link.packet(100));
    let of_other = network(&mut a);
    let esp = Packet::parse(&of_other).expect("a packet").payload()[24..].to_vec();
    let plain = NewHeader {
        source: link.ends[0],
        destination: link.ends[1],
        traffic_class: 0,
        hop_limit: 64,
        dont_fragment: false,
        protocol: protocol::ESP,
    };
    let plain = plain.packet(&esp).expect("a packet");
    let key: Vec<u8> = link.spis[1].to_be_bytes().into_iter().cycle().take(20).collect();
    let ah = ah::Ah::new(Integrity::HmacSha1_96, &key).expect("a key");
    let mixed = ah.seal(&plain, Spi(link.spis[1] + 1), Sequence::Short(1)).expect("sealed");
    arrive(&mut b, Time::ZERO, &mixed);
    assert!(effects(&mut b).is_empty());
    let counted = [1, 2].map(|id| usage(&mut b, id).integrity_failures);
    assert_eq!(counted, [Some(0), Some(0)], "it is authentic, and yet nobody's");
    assert!(received(&mut b, &of_other).is_some());
}

#[test]
fn ah_does_not_travel_in_udp() {
    let link = Link { suite: AH, in_udp: true, ..Link::transport() };
    let refused = install(&mut plane(), Time::ZERO, link.pair(1)).expect_err("AH in UDP");
    assert!(refused.to_string().contains("AH does not travel in UDP"), "{refused}");
}
