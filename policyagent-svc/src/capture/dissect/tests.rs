use super::*;
use crate::capture::file::LinkType;
use crate::capture::fuzzing::{frames, ipv4, packet, udp};
use crate::capture::view;

fn raw(octets: Vec<u8>) -> Frame {
    Frame { time: None, link: LinkType::RAW, interface: None, original: octets.len(), octets }
}

fn shown(frame: &Frame) -> String {
    view::tree(&packet(frame))
}

#[track_caller]
fn has(frame: &Frame, lines: &[&str]) {
    let shown = shown(frame);
    let mut rest = shown.lines().map(str::trim);
    for line in lines {
        assert!(rest.any(|there| there == *line), "{line} is not in its place in\n{shown}");
    }
}

fn named(name: &str) -> Frame {
    frames().into_iter().find(|(known, _)| *known == name).expect("a frame of this name").1
}

#[test]
fn every_layer_is_shown_in_its_order() {
    has(
        &named("main-1"),
        &[
            "Ethernet",
            "Type: IPv4 (0x0800)",
            "IPv4: 192.0.2.1 to 192.0.2.2",
            "Flags, Fragment Offset: don't fragment, 0 octets",
            "Protocol: udp (17)",
            "UDP: port 500 to port 500",
            "ISAKMP: Main Mode (2)",
            "SA (1) payload: 100 octets",
        ],
    );
    has(
        &named("ah-esp"),
        &[
            "VLAN: 5",
            "Protocol: ah (51)",
            "AH: SPI 0xc0000009",
            "Next Header: esp (50)",
            "Payload Len: 4: 24 octets",
            "Sequence Number: 9",
            "Integrity Check Value (ICV): 12 octets, aaaaaaaaaaaaaaaaaaaaaaaa",
            "ESP: SPI 0xc0000001",
            "Sequence Number: 7",
            "encrypted: 8 octets, 0102030405060708",
        ],
    );
    has(&named("in-nat-t"), &["UDP: port 4500 to port 4500", "Non-ESP Marker: 00000000", "ISAKMP: Main Mode (2)"]);
    has(&named("esp-in-udp"), &["UDP: port 4500 to port 4500", "ESP: SPI 0xc0000001"]);
    has(&named("keep-alive"), &["UDP: port 4500 to port 4500", "NAT-keepalive"]);
    assert!(frames().iter().all(|(name, frame)| packet(frame).faults().is_empty() || *name == "cut"));
}

#[test]
fn ipv6_is_read_with_its_extension_headers() {
    let esp = [[0xc0, 0, 0, 3], [0, 0, 0, 1]].concat();
    let packet = |fragment: [u8; 2], payload: &[u8]| {
        let extensions = [&[44, 0, 1, 4, 0, 0, 0, 0][..], &[50, 0], &fragment, &[0, 0, 0, 8]].concat();
        let length = u8::try_from(extensions.len() + payload.len()).expect("short");
        let mut octets = vec![0x60, 0, 0, 0, 0, length, 0, 64];
        octets.extend([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        octets.extend([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]);
        raw([octets, extensions, payload.to_vec()].concat())
    };
    has(
        &packet([0, 1], &esp),
        &[
            "IPv6: 2001:db8::1 to 2001:db8::2",
            "Next Header: hop-by-hop options (0)",
            "Next Header: fragment header (44)",
            "Next Header: esp (50)",
            "Fragment Offset: 0 octets, more fragments",
            "Identification: 0x00000008",
            "ESP: SPI 0xc0000003",
        ],
    );
    has(
        &packet([0, 8], &esp),
        &["Fragment Offset: 8 octets", "a later fragment of esp (50): 8 octets, c000000300000001"],
    );
}

#[test]
fn every_form_of_frame_leads_to_ip() {
    let inner = ipv4(50, &[0xc0, 0, 0, 4, 0, 0, 0, 1]);
    let with = |link: LinkType, head: &[u8]| Frame { link, ..raw([head, &inner].concat()) };
    let cooked = [0, 4, 0, 1, 0, 6, 2, 2, 2, 2, 2, 2, 0, 0, 8, 0];
    let cooked_2 = [8, 0, 0, 0, 0, 0, 0, 3, 0, 1, 4, 6, 2, 2, 2, 2, 2, 2, 0, 0];
    for frame in [
        with(LinkType::LINUX_SLL, &cooked),
        with(LinkType::LINUX_SLL2, &cooked_2),
        with(LinkType::NULL, &[2, 0, 0, 0]),
        with(LinkType::NULL, &[0, 0, 0, 2]),
        with(LinkType::LOOP, &[0, 0, 0, 2]),
        with(LinkType::RAW, &[]),
        with(LinkType::IPV4, &[]),
    ] {
        has(&frame, &["IPv4: 192.0.2.1 to 192.0.2.2", "ESP: SPI 0xc0000004"]);
        assert!(packet(&frame).faults().is_empty());
    }
    let other = packet(&with(LinkType(105), &[]));
    assert_eq!(other.faults(), ["frames of the link type unknown (105) are not read"]);
}

#[test]
fn what_is_cut_is_shown_up_to_there_with_the_fault() {
    let whole = named("main-1");
    let full = shown(&whole);
    for end in 0..whole.octets.len() {
        let cut = Frame { octets: whole.octets[..end].to_vec(), ..whole.clone() };
        let packet = packet(&cut);
        let faults = packet.faults();
        let last = format!("the frame had {} octets, {end} of them were captured", whole.octets.len());
        assert_eq!(faults.last(), Some(&last.as_str()));
        // All fields before are as in the whole frame: those of Ethernet, IPv4, UDP and the ISAKMP header.
        let tree = view::tree(&packet);
        let same = full.lines().take_while(|line| tree.lines().any(|there| there == *line)).count();
        let least = [(14, 4), (34, 15), (42, 20), (70, 30)].iter().rfind(|(octets, _)| end >= *octets);
        assert!(same >= least.map_or(0, |(_, lines)| *lines), "{end}: {same} lines of\n{full}\n{tree}");
    }
    assert_eq!(packet(&named("cut")).faults(), ["Sequence Number needs 4 octets, 1 are left"]);
}

#[test]
fn contradictions_are_named() {
    let faults = |octets: Vec<u8>| -> Vec<String> {
        packet(&raw(octets)).faults().iter().map(|&fault| fault.to_owned()).collect()
    };
    let mut long = ipv4(50, &[0xc0, 0, 0, 4, 0, 0, 0, 1]);
    long[3] = 200;
    assert_eq!(faults(long), ["the header states 180 octets behind it, 8 are there"]);
    let mut short = ipv4(17, &udp(500, 500, &[0; 28]));
    short[0] = 0x44;
    assert_eq!(faults(short), ["Internet Header Length is 16 octets, allowed are 20 to 60"]);
    let mut small = ipv4(17, &udp(9, 9, &[]));
    small[25] = 7;
    assert_eq!(faults(small), ["Length is 7, allowed are 8 to 8 octets"]);
    assert_eq!(faults(vec![0x50]), ["the version is 5, allowed are 4 and 6"]);
    assert_eq!(
        faults(ipv4(51, &[50, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1])),
        ["Payload Len states 8 octets, the fields before the ICV have 12"]
    );
    // Another version of IKE on the same port.
    let mut other = ikecore::fuzzing::seeds().remove(0).datagram;
    other[17] = 0x20;
    assert_eq!(
        faults(ipv4(17, &udp(500, 500, &other))),
        ["ISAKMP header, offset 17: major version 2 is not supported, 1 is"]
    );
    // Wrapped without end.
    let deep = (0..40).fold(vec![0xc0, 0, 0, 4, 0, 0, 0, 1], |packet, _| ipv4(4, &packet));
    assert!(shown(&raw(deep)).contains("more layers: "));
}
