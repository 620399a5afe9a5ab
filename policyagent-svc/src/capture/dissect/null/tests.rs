use super::*;
use crate::capture::dissect::Dissector;
use crate::capture::file::{Frame, LinkType};
use crate::capture::fuzzing::{ipv4, udp};
use crate::capture::view;

const SOURCE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
const DESTINATION: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

/// The octets behind the sequence number, with this payload.
fn packed(form: Null, next_header: u8, payload: &[u8]) -> Vec<u8> {
    let padding = u8::try_from((4 - (payload.len() + 2) % 4) % 4).expect("small");
    let trailer: Vec<u8> = (1..=padding).chain([padding, next_header]).collect();
    [&vec![0xa5; form.iv], payload, &trailer, &vec![0xc3; form.icv]].concat()
}

/// Payloads of every protocol that is known, with their checksums.
fn payloads() -> Vec<(u8, Vec<u8>)> {
    let with_sum = |protocol: u8, at: usize, mut octets: Vec<u8>| {
        let sum = match protocol {
            ICMP => internet_checksum(&[&octets]),
            _ => pseudo_header_checksum(SOURCE, DESTINATION, protocol, &octets),
        };
        octets[at..at + 2].copy_from_slice(&sum.to_be_bytes());
        (protocol, octets)
    };
    let mut inner = ipv4(17, &udp(5, 6, b"hello"));
    let sum = internet_checksum(&[&inner[..20]]);
    inner[10..12].copy_from_slice(&sum.to_be_bytes());
    let tcp = [&[0, 80, 0x12, 0x34, 0, 0, 0, 1, 0, 0, 0, 2, 0x50, 0x18, 1, 0, 0, 0, 0, 0][..], b"GET"].concat();
    vec![
        with_sum(UDP, 6, udp(5, 6, b"hello")),
        (UDP, udp(5, 6, b"no checksum")),
        with_sum(TCP, 16, tcp),
        with_sum(ICMP, 2, vec![8, 0, 0, 0, 0, 1, 0, 2, 3, 4, 5]),
        (IPIP, inner),
    ]
}

#[test]
fn packets_that_are_not_encrypted_show_it_whatever_their_check_value() {
    for form in FORMS {
        for (protocol, payload) in payloads() {
            let octets = packed(form, protocol, &payload);
            assert_eq!(Null::recognise(SOURCE, DESTINATION, &octets), Some(form), "{protocol} with {form:?}");
            let trailer = form.trailer(&octets).expect("a trailer");
            assert_eq!((trailer.payload, trailer.next_header), (payload.len(), protocol));
        }
    }
}

#[test]
fn what_is_not_right_to_the_last_bit_is_taken_for_encrypted() {
    for (protocol, payload) in payloads() {
        let octets = packed(FORMS[0], protocol, &payload);
        for at in 0..payload.len() {
            let mut bent = octets.clone();
            bent[at] ^= 0x10;
            // A checksum of zero is none, and an inner header has its own only.
            let covered = match protocol {
                UDP => payload[6..8] != [0, 0] || (4..8).contains(&at),
                IPIP => at < 20,
                _ => true,
            };
            assert_eq!(Null::recognise(SOURCE, DESTINATION, &bent).is_none(), covered, "{protocol} at {at}");
        }
    }
    // What a cipher makes: a simple generator of numbers will do.
    let mut state = 1_u64;
    let mut octets = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state.to_be_bytes()
    };
    for _ in 0..20_000 {
        let packet: Vec<u8> = (0..12).flat_map(|_| octets()).collect();
        assert_eq!(Null::recognise(SOURCE, DESTINATION, &packet), None, "{packet:02x?}");
    }
}

#[test]
fn one_packet_tells_how_the_others_of_its_sa_are_made() {
    let mut dissector = Dissector::default();
    let mut shown = |spi: u8, inside: &[u8]| {
        let octets = ipv4(50, &[&[0, 0, 1, spi, 0, 0, 0, 1][..], inside].concat());
        let frame = Frame { time: None, link: LinkType::RAW, interface: None, original: octets.len(), octets };
        view::tree(&dissector.packet(&frame))
    };
    // OSPF, of which nothing is checked.
    let other = packed(FORMS[1], 89, &[2, 1, 0, 4]);
    assert!(shown(1, &other).contains("encrypted: "));
    let (protocol, payload) = payloads().remove(0);
    let first = shown(1, &packed(FORMS[1], protocol, &payload));
    for line in [
        "ESP: SPI 0x00000101, not encrypted (recognised)",
        "Integrity Check Value (ICV): 16 octets, c3c3",
        "ESP trailer: udp (17)",
        "Pad Length: 1",
        "UDP: port 5 to port 6",
    ] {
        assert!(first.contains(line), "{line} is not in\n{first}");
    }
    let second = shown(1, &other);
    assert!(second.contains("not encrypted (recognised)") && second.contains("ESP trailer: ospf (89)"), "{second}");
    assert!(shown(2, &other).contains("encrypted: "), "another SA");
}
