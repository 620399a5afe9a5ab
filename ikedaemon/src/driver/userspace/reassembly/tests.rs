use super::super::fragment::fragments;
use super::super::packet::NewHeader;
use super::*;

fn packet(source: &str, destination: &str, length: u16) -> Vec<u8> {
    let header = NewHeader {
        source: source.parse().expect("an address"),
        destination: destination.parse().expect("an address"),
        traffic_class: 0x12,
        hop_limit: 64,
        dont_fragment: false,
        protocol: 17,
    };
    let payload: Vec<u8> = (0..length).map(|n| n.to_be_bytes()[1]).collect();
    header.packet(&payload).expect("a packet")
}

fn add(reassembly: &mut Reassembly, now: Time, part: &[u8]) -> Option<Vec<u8>> {
    reassembly.add(now, &Packet::parse(part).expect("a packet"))
}

/// What is left when IPv4's identification and the checksum, which follows it, are cut out.
fn without_identification(packet: Option<Vec<u8>>) -> Vec<u8> {
    let mut packet = packet.expect("a packet");
    if packet[0] >> 4 == 4 {
        packet.drain(10..12);
        packet.drain(4..6);
    }
    packet
}

#[test]
fn fragments_in_any_order_make_the_packet() {
    for (source, destination) in [("10.0.0.1", "10.0.0.2"), ("fd01::1", "fd02::2")] {
        let whole = packet(source, destination, 333);
        let mut parts = fragments(&Packet::parse(&whole).expect("a packet"), 140);
        assert_eq!(parts.len(), if source.contains(':') { 4 } else { 3 });
        assert!(parts.iter().all(|part| part.len() <= 140));
        parts.rotate_left(2);
        let mut reassembly = Reassembly::default();
        let mut made = None;
        for part in &parts {
            assert_eq!(made, None);
            made = add(&mut reassembly, Time::ZERO, part);
        }
        assert_eq!(without_identification(made), without_identification(Some(whole)), "{source}");
        assert!(reassembly.is_empty());
    }
}

#[test]
fn doubled_parts_do_not_harm_and_holes_are_not_filled() {
    let whole = packet("10.0.0.1", "10.0.0.2", 300);
    let parts = fragments(&Packet::parse(&whole).expect("a packet"), 100);
    let mut reassembly = Reassembly::default();
    assert_eq!(add(&mut reassembly, Time::ZERO, &parts[0]), None);
    assert_eq!(add(&mut reassembly, Time::ZERO, &parts[0]), None);
    assert_eq!(add(&mut reassembly, Time::ZERO, &parts[3]), None);
    assert_eq!(add(&mut reassembly, Time::ZERO, &parts[3]), None);
    assert_eq!(add(&mut reassembly, Time::ZERO, &parts[1]), None);
    let made = add(&mut reassembly, Time::ZERO, &parts[2]);
    assert_eq!(without_identification(made), without_identification(Some(whole)));
}

#[test]
fn parts_are_forgotten_and_bounded() {
    let mut reassembly = Reassembly::default();
    for host in 0..100 {
        let whole = packet("10.0.0.1", &format!("10.0.1.{host}"), 3000);
        let parts = fragments(&Packet::parse(&whole).expect("a packet"), 1000);
        add(&mut reassembly, Time::ZERO, &parts[0]);
    }
    assert_eq!(reassembly.partial.len(), MOST_PACKETS);
    reassembly.drop_old(Time::from_secs(2));
    assert!(reassembly.is_empty());
}
