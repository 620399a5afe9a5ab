//! Packets that come and go.
use super::*;

#[test]
fn a_packet_in_clear_comes() {
    let expected = "
Receive: (get) SA = 0x0012fd20 from 10.0.0.2.500
ISAKMP Header: (V1.0), len = 226
  I-COOKIE 0102030405060708
  R-COOKIE 0000000000000000
  exchange: Oakley Main Mode
  flags: 0
  next payload: SA
  message ID: 00000000
processing payload SA
Received Phase 1 Transform 1
     Encryption Alg AES CBC(7)
     Key Length 256
     Hash Alg SHA2-256(4)
     Oakley Group 14
     Auth Method Preshared Key(1)
     Life type in Seconds
     Life duration of 28800
Received Phase 1 Transform 2
     Encryption Alg AES CBC(7)
     Key Length 256
     Hash Alg SHA2-256(4)
     Oakley Group 14
     Auth Method RSA Signature with Certificates(3)
     Life type in Seconds
     Life duration of 28800
processing payload VENDOR ID
Received VendorId MS NT5 ISAKMPOAKLEY
processing payload VENDOR ID
Received VendorId RFC 3947
processing payload VENDOR ID
Received VendorId draft-ietf-ipsec-nat-t-ike-02
processing payload VENDOR ID
Received VendorId Dead Peer Detection
processing payload VENDOR ID
Received VendorId unknown 756e6865617264206f66";
    assert_eq!(received("main-1"), expected);
}

#[test]
fn an_unknown_peer_has_the_handle_zero() {
    let context = Context { remote: Some("[2001:db8::2]:4500".parse().expect("an address")), ..Context::default() };
    let kind = EventKind::Message(MessageEvent::Received { octets: seed("main-3") });
    let lines = of(&Event { context, kind });
    assert_eq!(lines[..2], ["", "Receive: (get) SA = 0x00000000 from 2001:db8::2.4500"]);
}

#[test]
fn of_keys_and_nonces_the_length_is_told() {
    let shown = received("main-3");
    let nat = format!("processing payload NATDISC\nProcessing NatHash\nNat hash {}", "44".repeat(32));
    let expected = format!("processing payload KE\n  128 octets\nprocessing payload NONCE\n  32 octets\n{nat}\n{nat}",);
    assert!(shown.ends_with(&expected), "{shown}");
}

#[test]
fn a_packet_that_was_decrypted_has_its_payloads_apart() {
    let mut octets = seed("main-5-psk").to_vec();
    octets[19] = 1;
    let shown = text(EventKind::Message(MessageEvent::Received { octets: octets.into() }));
    let head = "  flags: 1 ( encrypted )\n  next payload: ID\n  message ID: 00000000";
    assert!(shown.ends_with(head), "what cannot be read is not guessed at: {shown}");
    let expected = "\
processing payload ID
  ID Type ID_IPV4_ADDR (1), protocol 17, port 500
  ID c0000201 (192.0.2.1)
processing payload HASH
  20 octets
processing payload NOTIFY
notify: INITIAL-CONTACT
  ISAKMP (1) SPI 03030303030303030303030303030303";
    assert_eq!(decrypted("main-5-psk"), expected);
}

#[test]
fn quick_mode_comes() {
    let shown = decrypted("quick-1");
    let expected = "\
processing HASH (QM)
  32 octets
processing payload SA
Checking Proposal 1: Proto= ESP(3), num trans=2 Next=2
 SPI is 3221225473
Checking Transform # 1: ID=AES CBC(12)
 tunnel mode is Tunnel Mode(1)
 HMAC algorithm is HMAC-SHA2-256(5)
 key length is 128
 SA life type in seconds
 SA life duration of 3600
 SA life type in kilobytes
 SA life duration of 250000
 Extended (64-bit) Sequence Number (11) is 1
Checking Transform # 2: ID=AES CBC(12)
 tunnel mode is UDP-Encapsulated-Tunnel draft(61443)
 HMAC algorithm is HMAC-SHA2-256(5)
 key length is 128
 SA life type in seconds
 SA life duration of 3600
 SA life type in kilobytes
 SA life duration of 1
 Extended (64-bit) Sequence Number (11) is 1
Checking Proposal 1: Proto= IPCOMP(4), num trans=1 Next=0
 SPI is 1234
Checking Transform # 1: ID=IPCOMP_DEFLATE(2)
 tunnel mode is Tunnel Mode(1)
processing payload KE
  128 octets
processing payload NONCE
  32 octets
processing payload ID
  ID Type ID_IPV4_ADDR_SUBNET (4), protocol 6, port 80
  ID 0a000000ff000000 (10.0.0.0/255.0.0.0)
processing payload ID
  ID Type ID_IPV6_ADDR_RANGE (8), protocol 0, port 0
  ID 2020202020202020202020202020202020202020202020202020202020202020 \
(2020:2020:2020:2020:2020:2020:2020:2020-2020:2020:2020:2020:2020:2020:2020:2020)";
    assert_eq!(shown, expected);
}

#[test]
fn deletes_and_fragments_come() {
    let shown = decrypted("info-delete");
    let expected = "\
processing HASH (QM)
  32 octets
processing payload DELETE
Deleting SPI 3221225473
Deleting SPI 3221225474
processing payload DELETE
Deleting ISAKMP (1) SPI 03030303030303030303030303030303";
    assert_eq!(shown, expected);
    let shown = received("fragment");
    let end = "processing payload FRAGMENT\nReceived fragment\n  Frag id 1 num 2 last, 21 octets";
    assert!(shown.ends_with(end) && shown.contains("next payload: FRAGMENT"), "{shown}");
}

#[test]
fn main_mode_goes() {
    let expected = "\
constructing ISAKMP Header
constructing ID
MM ID Type 1
MM ID c0000201
constructing HASH
constructing NOTIFY 24578 INITIAL-CONTACT

Sending: SA = 0x0012fd20 to 10.0.0.2:Type 2.500
  main mode message 5
ISAKMP Header: (V1.0), len = 92
  I-COOKIE 0102030405060708
  R-COOKIE 0807060504030201
  exchange: Oakley Main Mode
  flags: 1 ( encrypted )
  next payload: ID
  message ID: 00000000";
    assert_eq!(sending("main-5-psk", true), expected);
    let shown = sending("main-1", false);
    let begin = "constructing ISAKMP Header\nconstructing SA (ISAKMP)\nSending Phase 1 Transform 1\n";
    assert!(shown.starts_with(begin), "{shown}");
    assert!(shown.contains("\nConstructing Vendor MS NT5 ISAKMPOAKLEY\n"), "{shown}");
    let shown = sending("main-3", false);
    let begin = "constructing ISAKMP Header\nconstructing KE\nconstructing NONCE (ISAKMP)\nConstructing NatDisc\n";
    assert!(shown.starts_with(begin), "{shown}");
}

#[test]
fn quick_mode_and_informational_messages_go() {
    let shown = sending("quick-2-nat", true);
    for line in [
        "constructing HASH (QM)",
        "constructing SA (IPSEC)",
        "Sending Proposal 1: Proto= ESP(3), num trans=1 Next=0",
        "Sending Transform # 1: ID=Triple DES CBC(3)",
        "constructing NONCE (IPSEC)",
        "constructing ID (proxy)",
        "constructing NATOA",
        "constructing NOTIFY 24576 RESPONDER-LIFETIME",
        "Sending: SA = 0x0012fd20 to 10.0.0.2:Type 32.500",
        "  exchange: Oakley Quick Mode",
        "  message ID: 12345678",
    ] {
        assert!(shown.lines().any(|there| there == line), "{line} is not in\n{shown}");
    }
    assert!(sending("quick-1", true).contains("\nconstructing QM KE\n"));
    let shown = sending("info-delete", true);
    let begin = "\
constructing ISAKMP Header
constructing HASH (QM)
constructing DELETE. Protocol 3, SPI c0000001
constructing DELETE. Protocol 3, SPI c0000002
constructing DELETE. MM 12fd20

";
    assert!(shown.starts_with(begin), "{shown}");
}

#[test]
fn a_damaged_packet_is_shown_up_to_its_fault() {
    let mut octets = seed("main-3").to_vec();
    // The length of the second payload.
    octets[28 + 132 + 2] = 0xff;
    let shown = text(EventKind::Message(MessageEvent::Received { octets: octets.into() }));
    assert!(shown.contains("\nInvalid payload: NONCE (10) payload, offset 134: Payload Length is"), "{shown}");
    assert!(shown.contains("\n    KE (4) payload: 132 octets\n"), "{shown}");
    let shown = text(EventKind::Message(MessageEvent::Received { octets: vec![1, 2, 3].into() }));
    assert!(shown.contains("\nInvalid header: ISAKMP header, offset 0: Initiator Cookie needs 8 octets"), "{shown}");
}

#[test]
fn no_secret_is_written() {
    for seed in seeds() {
        let octets = bytes::Bytes::from(seed.datagram.clone());
        let mut cut = seed.datagram.clone();
        cut.truncate(seed.datagram.len() - 1);
        for event in [
            MessageEvent::Received { octets: octets.clone() },
            MessageEvent::Decrypted { octets: octets.clone() },
            MessageEvent::Decrypted { octets: cut.into() },
            MessageEvent::Sending { octets: octets.clone(), encrypted: true, name: "message" },
        ] {
            let shown = text(EventKind::Message(event));
            for hidden in ["4b4b", "4e4e", "4848", "5353", "KKKK", "correct horse", "636f7272656374", "a token"] {
                assert!(!shown.contains(hidden), "{hidden} of {} in\n{shown}", seed.name);
            }
        }
    }
    // A pre-shared key is told by its length.
    let shown = text(EventKind::IkeSa(IkeSaEvent::PolicyFound {
        rule: "servers".into(),
        policy: "4".into(),
        offers: vec![],
        lifetime: lifetime(),
        quick_mode_limit: 0,
        soft_lifetime: 28_800,
        authentication: vec![("PresharedKey", 16), ("Kerberos", 0)],
    }));
    assert!(shown.ends_with("\nAuth[0]:PresharedKey KeyLen 16\nAuth[1]:Kerberos"), "{shown}");
}

#[test]
fn messages_that_come_again_or_are_dropped() {
    let shown = text(EventKind::Message(MessageEvent::Retransmitted { message: "main mode message 1", count: 2 }));
    assert_eq!(shown, "retransmit: sa = 12fd20 centry 7 , count = 2\n  main mode message 1 to 10.0.0.2.500");
    let shown = text(EventKind::Message(MessageEvent::ReplyRepeated { message: "main mode message 2" }));
    assert_eq!(shown, "duplicate from 10.0.0.2.500: sa = 12fd20, main mode message 2 is sent again");
    let reason = Reject::Hash("HASH(1)");
    let shown = text(EventKind::Message(MessageEvent::Dropped { cookies: Some(cookies()), reason, len: 76 }));
    let expected = "\
Dropping packet of 76 octets from 10.0.0.2.500: HASH(1) is wrong
  I-COOKIE abababababababab
  R-COOKIE cdcdcdcdcdcdcdcd";
    assert_eq!(shown, expected);
    let shown = text(EventKind::Message(MessageEvent::Notification {
        notify: NotifyType::NO_PROPOSAL_CHOSEN,
        authenticated: false,
        text: Some("no group in common".into()),
    }));
    let expected =
        "notify from 10.0.0.2.500: NO-PROPOSAL-CHOSEN (14), not authenticated, only a hint: no group in common";
    assert_eq!(shown, expected);
}
