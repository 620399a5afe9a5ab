use super::*;
use crate::capture::fuzzing::{ethernet, frames, ipv4, packet, udp};
use ikecore::wire::dump::FAULT;

/// The summary, the tree with the octets, and the JSON of a frame.
fn views(frame: &Frame) -> (String, String, serde_json::Value) {
    let packet = packet(frame);
    let start = Timestamp { seconds: 0, nanoseconds: 999_000_000 };
    let seen = Seen { number: 12, frame, packet: &packet, start: Some(start) };
    (summary(&seen), tree(&packet) + &octets(&packet), json(&seen))
}

#[test]
fn a_packet_in_a_line() {
    let lines: Vec<String> = frames().iter().map(|(_, frame)| views(frame).0).collect();
    let of = |about: &str| format!("   12     0.001000  192.0.2.1       > 192.0.2.2        {about}");
    let cookies = "0102030405060708:0000000000000000";
    assert!(lines[0].starts_with(&of(&format!("ISAKMP    Main Mode {cookies} id 00000000 SA VID*"))), "{}", lines[0]);
    assert!(lines[1].contains("ISAKMP    Informational 0102030405060708:0807060504030201 id "), "{}", lines[1]);
    assert!(lines[1].ends_with(" HASH D*2"), "{}", lines[1]);
    assert_eq!(lines[3], of("NAT-T     keep-alive"));
    assert_eq!(lines[4], of("ESP       SPI 0xc0000001, number 7"));
    assert_eq!(lines[6], of("AH        SPI 0xc0000009, number 9 | ESP SPI 0xc0000001, number 7"));
    assert_eq!(lines[7], of("ESP         FAULT: Sequence Number needs 4 octets, 1 are left"));
}

#[test]
fn octets_are_shown_by_lines() {
    let mut out = String::new();
    hex::dump(b"0123456789abcdef\x00\xffxyz", &[18..19, 19..20], &mut out);
    assert_eq!(
        out,
        "    0000  30 31 32 33 34 35 36 37  38 39 61 62 63 64 65 66  0123456789abcdef\n    \
         0010  00 ff ** ** 7a                                    ..**z\n"
    );
}

#[test]
fn json_has_every_field_with_its_place_and_octets() {
    let (_, frame) = &frames()[4];
    let (_, _, json) = views(frame);
    assert_eq!(json["number"], 12);
    assert_eq!(json["time"], "1.000000002");
    assert_eq!((&json["source"], &json["protocol"]), (&"192.0.2.1".into(), &"ESP".into()));
    let esp = &json["layers"][3];
    assert_eq!((&esp["name"], &esp["in"]), (&"ESP".into(), &"frame".into()));
    let spi = &esp["fields"][0];
    assert_eq!(spi["name"], "Security Parameters Index (SPI)");
    assert_eq!((&spi["offset"], &spi["length"], &spi["octets"]), (&42.into(), &4.into(), &"c0000001".into()));
    assert_eq!(json["faults"], serde_json::json!([]));
}

#[test]
fn no_view_has_a_password() {
    let login = ikecore::fuzzing::seeds().into_iter().find(|seed| seed.name == "transaction-login").expect("a seed");
    let (line, tree, json) = views(&ethernet([8, 0], &ipv4(17, &udp(500, 500, &login.datagram))));
    let digits: String = b"correct horse".iter().map(|octet| format!("{octet:02x}")).collect();
    for view in [&line, &tree, &json.to_string()] {
        assert!(!view.contains("correct horse") && !view.contains(&digits), "{view}");
        assert!(!view.contains("63 6f 72 72"), "{view}");
    }
    assert!(tree.contains("XAUTH-USER-PASSWORD (16522): 13 octets, not shown"), "{tree}");
    assert!(tree.contains("** ** **"), "{tree}");
    assert!(!tree.contains(FAULT), "{tree}");
}
