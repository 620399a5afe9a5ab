use super::*;
use crate::fuzzing::seeds;
use crate::wire::{ChainWriter, PayloadType};

fn picture(lines: &[Line]) -> String {
    lines.iter().map(|line| format!("{}{}\n", "  ".repeat(line.depth), line.text)).collect()
}

fn seed(name: &str) -> Vec<u8> {
    seeds().into_iter().find(|seed| seed.name == name).expect("a seed of this name").datagram
}

#[test]
fn a_message_is_shown_by_name() {
    let shown = picture(&lines_datagram(&seed("main-2")));
    let expected = "\
ISAKMP: Main Mode (2)
  header
    Initiator Cookie: 0102030405060708
    Responder Cookie: 0807060504030201
    Next Payload: SA (1)
    Version: 1.0
    Exchange Type: Main Mode (2)
    Flags: none (0)
    Message ID: 00000000
    Length: 186
  SA (1) payload: 60 octets
    DOI: IPSEC (1)
    Situation: SIT_IDENTITY_ONLY (1)
    P (2) payload: 48 octets
      Proposal #: 1
      Protocol-Id: ISAKMP (1)
      SPI Size: 0
      # of Transforms: 1
      T (3) payload: 40 octets
        Transform #: 1
        Transform-Id: KEY_IKE (1)
        Encryption Algorithm (1): AES-CBC (7)
        Key Length (14): 256 bits
        Hash Algorithm (2): SHA2-256 (4)
        Group Description (4): modp2048 (14)
        Authentication Method (3): RSA signatures (3)
        Life Type (11): seconds (1)
        Life Duration (12): 28800
";
    assert!(shown.starts_with(expected), "{shown}");
    assert!(shown.contains("Vendor ID: MS NT5 ISAKMPOAKLEY (1e2b516905991c7d7c96fcbfb587e46100000004)"), "{shown}");
    assert!(shown.contains("Vendor ID: unknown (756e6865617264206f66)"), "{shown}");
}

#[test]
fn every_seed_is_shown_without_fault_and_with_every_payload() {
    for seed in seeds() {
        let header = Header::read(&seed.datagram).expect("a header");
        let tree = tree_datagram(&seed.datagram);
        assert!(!picture(&tree.lines()).contains("FAULT"), "{}\n{}", seed.name, picture(&tree.lines()));
        let chain = crate::wire::parse(header.next_payload, &seed.datagram[28..], Padding::Forbidden).expect("valid");
        assert_eq!(tree.children.len(), chain.payloads.len() + 1, "{}", seed.name);
        for (node, raw) in tree.children.iter().skip(1).zip(&chain.payloads) {
            assert_eq!(node.name, format!("{} payload", raw.kind));
            assert!(!node.children.is_empty(), "{}: {}", seed.name, node.name);
        }
    }
}

#[test]
fn quick_mode_and_others_are_shown_by_name() {
    let shows = |name: &str, expected: &[&str]| {
        let shown = picture(&lines_datagram(&seed(name)));
        for line in expected {
            assert!(shown.lines().any(|there| there.trim() == *line), "{line} is not in\n{shown}");
        }
    };
    shows(
        "quick-1",
        &[
            "Protocol-Id: ESP (3)",
            "SPI: c0000001",
            "Transform-Id: ESP_AES-CBC (12)",
            "Encapsulation Mode (4): UDP-Encapsulated-Tunnel draft (61443)",
            "Authentication Algorithm (5): HMAC-SHA2-256 (5)",
            "SA Life Type (1): kilobytes (2)",
            "SA Life Duration (2): 250000",
            "Extended (64-bit) Sequence Number (11): 64-bit (1)",
            "Transform-Id: IPCOMP_DEFLATE (2)",
            "Identification Data: 10.0.0.0/255.0.0.0",
            "ID Type: ID_IPV4_ADDR_SUBNET (4)",
        ],
    );
    shows(
        "quick-2-nat",
        &[
            "Identification Data: \"client.example\"",
            "original address: 10.0.0.1",
            "Notify Message Type: RESPONDER-LIFETIME (24576)",
            "SA Life Duration (2): 1000000",
        ],
    );
    shows(
        "info-alive",
        &["Notification Data: sequence number 12345", "Notification Data: replay detection enabled (1)"],
    );
    shows("info-refusal", &["Notification Data: \"no group in common\""]);
    shows("info-delete", &["# of SPIs: 2", "SPI: c0000002", "SPI: 03030303030303030303030303030303"]);
    shows(
        "transaction-address",
        &[
            "INTERNAL_IP4_ADDRESS (1): 10.1.2.3",
            "INTERNAL_IP4_SUBNET (13): 10.0.0.0/255.0.0.0",
            "INTERNAL_IP6_SUBNET (15): 2020:2020:2020:2020:2020:2020:2020:2020/32",
            "INTERNAL_ADDRESS_EXPIRY (5): 3600 seconds",
            "UNITY_BANNER (28672): \"Hello\"",
        ],
    );
    shows("fragment", &["fragment number: 2", "last: yes", "fragment data: 21 octets"]);
}

#[test]
fn keys_nonces_hashes_signatures_and_passwords_are_not_shown() {
    for seed in seeds() {
        let shown = picture(&lines_datagram(&seed.datagram));
        for hidden in ["4b4b", "4e4e", "4848", "5353", "KKKK", "correct horse", "636f7272656374", "a token"] {
            assert!(!shown.contains(hidden), "{hidden} of {} in\n{shown}", seed.name);
        }
    }
    let login = picture(&lines_datagram(&seed("transaction-login")));
    assert!(login.contains("XAUTH-USER-PASSWORD (16522): 13 octets, not shown"), "{login}");
    assert!(login.contains("XAUTH-USER-NAME (16521): \"user\""), "{login}");
}

#[test]
fn a_damaged_message_is_shown_up_to_its_fault() {
    let mut datagram = seed("main-2");
    // The length of the life duration: behind header, SA, proposal, transform and six short attributes.
    datagram[28 + 12 + 8 + 8 + 24 + 3] = 5;
    let shown = picture(&lines_datagram(&datagram));
    assert!(shown.contains("Life Type (11): seconds (1)\n        FAULT: data attribute, offset 56: "), "{shown}");
    assert!(shown.contains("variable attribute value needs 5 octets, 4 are left"), "{shown}");
    assert!(shown.contains("VID (13) payload"), "the payloads behind it are shown: {shown}");

    let cut = picture(&lines_datagram(&seed("main-2")[..60]));
    assert!(
        cut.contains(
            "Length: 186\n  FAULT: SA (1) payload, offset 2: Payload Length is 60, allowed are 4 to 32 octets"
        )
    );
    assert!(cut.contains("FAULT: ISAKMP header, offset 24: the header states a length of 186 octets"), "{cut}");
    assert_eq!(lines_datagram(&[0; 27]).len(), 2);
}

#[test]
fn a_wrong_number_of_transforms_is_shown() {
    let mut datagram = seed("main-2");
    datagram[28 + 12 + 7] = 9;
    let shown = picture(&lines_datagram(&datagram));
    let fault = "FAULT: P (2) payload, offset 19: the proposal announces 9 transforms and has 1";
    assert!(shown.contains(fault), "{shown}");
    let error = crate::wire::parse(PayloadType::SA, &datagram[28..], Padding::Forbidden)
        .and_then(|chain| chain.payloads[0].decode(crate::wire::Sa::decode).map(|_| ()))
        .expect_err("refused");
    assert_eq!(error.offset, 19, "the dump counts as the decoder does");
}

#[test]
fn encrypted_bodies_are_opaque_until_they_are_given_in_plain() {
    let mut datagram = seed("quick-3");
    datagram[19] = Flags::ENCRYPTION.0;
    let shown = picture(&lines_datagram(&datagram));
    assert!(shown.contains("Flags: E (1)") && shown.ends_with("  encrypted: 36 octets\n"), "{shown}");
    let header = Header::decode(&datagram).expect("valid");
    let plain = [&datagram[28..], &[0; 4]].concat();
    let shown = picture(&lines(&header, &plain));
    assert!(shown.contains("Hash Data: 32 octets") && shown.ends_with("  padding: 4 octets\n"), "{shown}");
    assert!(!shown.contains("FAULT"));
}

#[test]
fn text_of_a_peer_cannot_break_lines() {
    let mut writer = ChainWriter::new();
    writer.push(PayloadType::ID, |writer| writer.bytes(b"\x02\x00\x00\x00evil\nFAULT: none\x1b[2J"));
    let (first, octets) = writer.finish();
    let header = Header { next_payload: first, ..Header::read(&seed("main-2")).expect("a header") };
    let shown = lines(&header, &octets);
    assert!(shown.iter().all(|line| !line.text.contains(char::is_control)), "{shown:?}");
    assert!(shown.iter().any(|line| line.text == "Identification Data: 6576696c0a4641554c543a206e6f6e651b5b324a"));
}

#[test]
fn long_data_is_shortened() {
    assert_eq!(hex(&[0xab; 65]), format!("{}... and 1 more octets", "ab".repeat(64)));
    assert_eq!(hex(&[]), "empty");
    assert_eq!(text(&[b'a'; 257]), format!("{}... and 193 more octets", "61".repeat(64)));
    assert_eq!(text(b"a b"), "\"a b\"");
}

/// The node of this name that `path` leads to.
fn find<'n>(node: &'n Node, path: &[&str]) -> &'n Node {
    path.iter().fold(node, |node, name| {
        node.children.iter().find(|child| child.name == *name).unwrap_or_else(|| panic!("no {name} in {node:?}"))
    })
}

#[test]
fn every_part_says_where_it_stands() {
    let datagram = seed("quick-1");
    let tree = tree_datagram(&datagram);
    assert_eq!(tree.at, 0..datagram.len());
    assert_eq!(find(&tree, &["header", "Message ID"]).at, 20..24);
    let spi = find(&tree, &["SA (1) payload", "P (2) payload", "SPI"]);
    assert_eq!(spi.value, hex(&datagram[spi.at.clone()]));
    let id = find(&tree, &["ID (5) payload", "Identification Data"]);
    assert_eq!(datagram[id.at.clone()], [10, 0, 0, 0, 255, 0, 0, 0]);
    let nonce = find(&tree, &["NONCE (10) payload", "Nonce Data"]);
    assert_eq!((nonce.at.len(), nonce.shown), (datagram[nonce.at.clone()].len(), Shown::Length));
    let attributes = &find(&tree, &["SA (1) payload", "P (2) payload", "T (3) payload"]).children;
    let mode = attributes.iter().find(|node| node.name == "Encapsulation Mode (4)").expect("a mode");
    assert_eq!(datagram[mode.at.clone()], [0x80, 4, 0, 1]);

    let login = tree_datagram(&seed("transaction-login"));
    assert_eq!(find(&login, &["ATTR (14) payload", "XAUTH-USER-PASSWORD (16522)"]).shown, Shown::Secret);
}
