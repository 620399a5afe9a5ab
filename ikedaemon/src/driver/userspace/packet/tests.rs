use super::*;
use proptest::prelude::*;

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn header(source: &str, destination: &str, class: u8, protocol: u8) -> NewHeader {
    NewHeader {
        source: ip(source),
        destination: ip(destination),
        traffic_class: class,
        hop_limit: 9,
        dont_fragment: true,
        protocol,
    }
}

#[test]
fn headers_are_read_as_they_were_written() {
    for (source, destination) in [("10.1.2.3", "10.4.5.6"), ("fd01::1", "fd02::2")] {
        let packet = header(source, destination, 0xba, protocol::UDP).packet(&[0x12, 0x34, 0x56, 0x78, 0, 8, 0, 0]);
        let packet = packet.expect("short enough");
        let parsed = Packet::parse(&packet).expect("a packet");
        assert_eq!((parsed.source, parsed.destination), (ip(source), ip(destination)));
        assert_eq!((parsed.traffic_class, parsed.hop_limit, parsed.dont_fragment), (0xba, 9, true));
        let flow = parsed.outbound_flow();
        assert_eq!((flow.local, flow.protocol, flow.local_port, flow.remote_port), (ip(source), 17, 0x1234, 0x5678));
        let flow = parsed.inbound_flow();
        assert_eq!(
            (flow.local, flow.protocol, flow.local_port, flow.remote_port),
            (ip(destination), 17, 0x5678, 0x1234)
        );
        if parsed.source.is_ipv4() {
            assert_eq!(internet_checksum(&[&packet[..20]]), 0);
        }
    }
}

#[test]
fn a_known_ipv4_checksum() {
    // The example of RFC 1071 §3: words 0001, f203, f4f5, f6f7 sum to ddf2.
    assert_eq!(internet_checksum(&[&[0x00, 0x01, 0xf2, 0x03], &[0xf4, 0xf5, 0xf6, 0xf7]]), !0xddf2);
    assert_eq!(internet_checksum(&[&[0xff]]), !0xff00);
}

#[test]
fn extension_headers_before_esp_and_behind_it() {
    // Hop-by-hop (8 octets), destination options (8 octets), TCP.
    let mut payload = vec![60, 0, 1, 4, 0, 0, 0, 0, 6, 0, 1, 4, 0, 0, 0, 0];
    payload.extend([0, 80, 1, 187]);
    payload.extend([0; 16]);
    let octets = header("fd01::1", "fd02::2", 0, protocol::HOP_BY_HOP).packet(&payload).expect("a packet");
    let packet = Packet::parse(&octets).expect("a packet");
    assert_eq!((packet.header, packet.protocol), (48, protocol::DESTINATION_OPTIONS));
    let flow = packet.outbound_flow();
    assert_eq!((flow.protocol, flow.local_port, flow.remote_port), (6, 80, 443));
    let protected = packet.replace_payload(protocol::ESP, &[1, 2, 3, 4]).expect("a packet");
    assert_eq!(protected[..6], [0x60, 0, 0, 0, 0, 12]);
    assert_eq!(protected[6], protocol::HOP_BY_HOP);
    assert_eq!(protected[40], protocol::ESP);
    assert_eq!(protected[48..], [1, 2, 3, 4]);
}

#[test]
fn ipv4_options_stay_in_front() {
    let mut octets = vec![0x46, 0, 0, 28, 0, 7, 0, 0, 64, 1, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 1, 1, 1, 0, 8, 0, 1, 2];
    set_length(&mut octets).expect("a packet");
    let packet = Packet::parse(&octets).expect("a packet");
    assert_eq!((packet.header, packet.payload()), (24, [8, 0, 1, 2].as_slice()));
    let protected = packet.replace_payload(protocol::ESP, &[9; 16]).expect("a packet");
    assert_eq!((protected[0], protected[3], protected[9]), (0x46, 40, 50));
    assert_eq!(internet_checksum(&[&protected[..24]]), 0);
}

#[test]
fn later_fragments_have_no_ports() {
    let mut octets = header("10.0.0.1", "10.0.0.2", 0, protocol::UDP).packet(&[0x12; 16]).expect("a packet");
    set_fragment(&mut octets, 5, 8, true).expect("a packet");
    let packet = Packet::parse(&octets).expect("a packet");
    assert_eq!(packet.fragment, Some(Fragment { identification: 5, offset: 8, more: true }));
    assert_eq!((packet.outbound_flow().local_port, packet.outbound_flow().remote_port), (0, 0));
    set_fragment(&mut octets, 5, 0, true).expect("a packet");
    let packet = Packet::parse(&octets).expect("a packet");
    assert_eq!(packet.outbound_flow().local_port, 0x1212);
}

#[test]
fn the_tunnel_header_follows_the_packet() {
    for (inner_source, inner_destination) in [("10.0.0.1", "10.0.0.2"), ("fd01::1", "fd02::2")] {
        for (source, destination) in [("192.0.2.1", "192.0.2.2"), ("2001:db8::1", "2001:db8::2")] {
            let inner = header(inner_source, inner_destination, 0xb9, 17).packet(&[0; 8]).expect("a packet");
            let inner = Packet::parse(&inner).expect("a packet");
            let outer =
                tunnel_header(&inner, ip(source), ip(destination), protocol::ESP).packet(&[0; 32]).expect("a packet");
            let outer = Packet::parse(&outer).expect("a packet");
            assert_eq!((outer.source, outer.destination, outer.protocol), (ip(source), ip(destination), 50));
            assert_eq!((outer.traffic_class, outer.hop_limit, outer.dont_fragment), (0xb9, HOP_LIMIT, true));
        }
    }
    let mut may_fragment = header("10.0.0.1", "10.0.0.2", 0, 17);
    may_fragment.dont_fragment = false;
    let inner = may_fragment.packet(&[0; 8]).expect("a packet");
    let inner = Packet::parse(&inner).expect("a packet");
    assert!(!tunnel_header(&inner, ip("192.0.2.1"), ip("192.0.2.2"), protocol::ESP).dont_fragment);
}

#[test]
fn congestion_is_told_to_the_inner_packet() {
    for (source, destination) in [("10.0.0.1", "10.0.0.2"), ("fd01::1", "fd02::2")] {
        let leave = |inner: u8, outer: u8| {
            let octets = header(source, destination, inner, 17).packet(&[1; 8]).expect("a packet");
            let left = leave_tunnel(octets.clone(), outer)?;
            let packet = Packet::parse(&left).expect("a packet");
            if packet.source.is_ipv4() {
                assert_eq!(internet_checksum(&[&left[..20]]), 0);
            }
            assert_eq!(packet.payload(), [1; 8]);
            Some(packet.traffic_class)
        };
        // ECT(0), ECT(1) and CE become CE; what does not know ECN is dropped; all else stays. DSCP is not touched.
        assert_eq!(leave(0xba, 0x03), Some(0xbb));
        assert_eq!(leave(0xb9, 0xff), Some(0xbb));
        assert_eq!(leave(0xbb, 0x03), Some(0xbb));
        assert_eq!(leave(0xb8, 0x03), None);
        assert_eq!(leave(0xb8, 0x02), Some(0xb8));
        assert_eq!(leave(0xba, 0x00), Some(0xba));
    }
}

#[test]
fn what_was_appended_to_hide_the_length_is_cut_off() {
    let octets = header("10.0.0.1", "10.0.0.2", 0, 17).packet(&[1; 8]).expect("a packet");
    let padded = [octets.as_slice(), &[0; 50]].concat();
    assert_eq!(leave_tunnel(padded, 0), Some(octets));
}

#[test]
fn checksums_follow_changed_addresses() {
    for (source, moved, destination) in [("10.0.0.1", "192.0.2.9", "10.0.0.2"), ("fd01::1", "fd09::9", "fd02::2")] {
        for (protocol, at) in [(protocol::UDP, 6), (protocol::TCP, 16)] {
            let mut segment = vec![0x11; 33];
            segment[at] = 0;
            segment[at + 1] = 0;
            let sum = checksum::pseudo_header_checksum(ip(source), ip(destination), protocol, &segment);
            segment[at..at + 2].copy_from_slice(&sum.to_be_bytes());
            // The packet arrives from another address than it was sent from.
            let mut octets = header(moved, destination, 0, protocol).packet(&segment).expect("a packet");
            renew_upper_checksum(&mut octets);
            let segment = &octets[octets.len() - 33..];
            assert_eq!(checksum::pseudo_header_checksum(ip(moved), ip(destination), protocol, segment), 0);
        }
    }
    let mut none =
        header("10.0.0.1", "10.0.0.2", 0, protocol::UDP).packet(&[0, 1, 0, 2, 0, 8, 0, 0]).expect("a packet");
    let before = none.clone();
    renew_upper_checksum(&mut none);
    assert_eq!(none, before);
}

proptest! {
    #[test]
    fn any_octets_are_read_without_panic(mut octets in proptest::collection::vec(any::<u8>(), 0..160), version in 4_u8..7) {
        if let Some(first) = octets.first_mut() {
            *first = version << 4 | *first & 0x0f;
        }
        if let Some(packet) = Packet::parse(&octets) {
            prop_assert!(packet.header <= packet.octets.len());
            let _ = (packet.outbound_flow(), packet.whole_headers(), packet.replace_payload(50, &[0; 9]));
        }
        renew_upper_checksum(&mut octets);
        let _ = leave_tunnel(octets, 3);
    }
}
