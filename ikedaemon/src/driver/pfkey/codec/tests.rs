//! Messages against octets written by hand from RFC 2367's figures, round trips, and octets from nowhere.
use super::*;
use proptest::prelude::*;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

fn header(kind: MessageType, sa_type: SaType) -> Header {
    Header { kind, errno: 0, sa_type, sequence: 0x0102_0304, process: 77 }
}

fn address(kind: ExtensionType, address: &str, prefix_len: u8) -> Extension {
    Extension::Address(kind, AddressExtension { protocol: 0, prefix_len, address: address.parse().unwrap() })
}

/// One field of the host's order.
fn n16(value: u16) -> [u8; 2] {
    value.to_ne_bytes()
}

fn n32(value: u32) -> [u8; 4] {
    value.to_ne_bytes()
}

#[test]
fn getspi_is_as_in_the_figures() {
    let message = Message {
        header: header(MessageType::GETSPI, SaType::ESP),
        extensions: vec![
            address(ExtensionType::ADDRESS_SRC, "192.0.2.1:0", 32),
            address(ExtensionType::ADDRESS_DST, "[2001:db8::5]:0", 128),
            Extension::SpiRange { min: 0x100, max: 0xffff_ffff },
            Extension::Sa2 { mode: MODE_TUNNEL, sequence: 0, reqid: 0x2001 },
        ],
    };
    let expected = [
        &[2, 1, 0, 3][..],
        &n16(14),
        &[0, 0],
        &n32(0x0102_0304),
        &n32(77),
        // Source address: 3 units.
        &n16(3),
        &n16(5),
        &[0, 32, 0, 0],
        &n16(2),
        &[0, 0, 192, 0, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0],
        // Destination address: 5 units, of which the last 4 octets are padding.
        &n16(5),
        &n16(6),
        &[0, 128, 0, 0],
        &n16(10),
        &[0, 0, 0, 0, 0, 0, 0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0],
        // SPI range.
        &n16(2),
        &n16(16),
        &n32(0x100),
        &n32(0xffff_ffff),
        &n32(0),
        // SA2.
        &n16(2),
        &n16(19),
        &[2, 0, 0, 0],
        &n32(0),
        &n32(0x2001),
    ]
    .concat();
    assert_eq!(message.encode().as_slice(), expected);
}

#[test]
fn a_policy_measures_its_requests_in_octets() {
    let ends = ("10.0.0.1:0".parse().unwrap(), "10.0.0.2:0".parse().unwrap());
    let request =
        IpsecRequest { protocol: 50, mode: MODE_TUNNEL, level: Level::UNIQUE, reqid: 0x2001, endpoints: Some(ends) };
    let policy = PolicyExtension {
        action: PolicyType::IPSEC,
        direction: PolicyDirection::OUT,
        id: 0,
        priority: 0x5000_0001,
        requests: vec![request],
    };
    let message = Message {
        header: header(MessageType::SPDADD, SaType::UNSPECIFIED),
        extensions: vec![Extension::Policy(policy)],
    };
    let octets = message.encode();
    let expected = [
        // 8 units: 16 octets of the policy and 48 of the request.
        &n16(8)[..],
        &n16(18),
        &n16(2),
        &[2, 0],
        &n32(0),
        &n32(0x5000_0001),
        &n16(48),
        &n16(50),
        &[2, 3, 0, 0],
        &n32(0x2001),
        &n32(0),
        &n16(2),
        &[0, 0, 10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0],
        &n16(2),
        &[0, 0, 10, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0],
    ]
    .concat();
    assert_eq!(&octets[16..], expected);
}

#[test]
fn keys_ports_and_spis_are_in_network_order_and_padded() {
    let message = Message {
        header: header(MessageType::ADD, SaType::AH),
        extensions: vec![
            Extension::Key(ExtensionType::KEY_AUTH, Secret::new((1..=20).collect())),
            Extension::NatPort(ExtensionType::NAT_DPORT, 4500),
            Extension::Sa(SaExtension {
                spi: Spi(0x0a0b_0c0d),
                replay_window: 32,
                state: STATE_MATURE,
                integrity: 3,
                encryption: 12,
                flags: 0,
            }),
        ],
    };
    let octets = message.encode();
    let key: Vec<u8> = (1..=20).collect();
    let expected = [
        &n16(4)[..],
        &n16(8),
        &n16(160),
        &[0, 0],
        &key,
        &[0; 4],
        &n16(1),
        &n16(22),
        &[0x11, 0x94, 0, 0],
        &n16(2),
        &n16(1),
        &[10, 11, 12, 13, 32, 1, 3, 12],
        &n32(0),
    ]
    .concat();
    assert_eq!(&octets[16..], expected);
    assert!(!format!("{message:?}").contains("1, 2, 3"), "keys are not printed");
    let read = Message::decode(&octets).unwrap();
    let Some(Extension::Key(_, read)) = read.extensions.first() else { panic!("{read:?}") };
    assert!(read.ct_eq(&key));
}

#[test]
fn bypass_is_one_policy_extension() {
    let expected = [&n16(2)[..], &n16(18), &n16(4), &[1, 0], &n32(0), &n32(0)].concat();
    assert_eq!(bypass(PolicyDirection::IN).as_slice(), expected);
}

/// The octets of a header with a body.
fn with_header(body: &[u8]) -> Vec<u8> {
    let units = u16::try_from(2 + body.len() / 8).unwrap();
    [&[2, 1, 0, 3][..], &n16(units), &[0; 10], body].concat()
}

#[test]
fn malformed_messages_are_named() {
    let error = |octets: &[u8]| Message::decode(octets).unwrap_err().to_string();
    assert_eq!(error(&[]), "the header needs 1 octets, 0 are left");
    assert_eq!(error(&[1; 16]), "version 1 of PF_KEY, only 2 is known");
    let mut octets = with_header(&[0; 8]);
    octets.truncate(16);
    assert_eq!(error(&octets), "the header says 24 octets, 16 came");
    assert_eq!(error(&with_header(&[0; 8])), "extension 0 has a length of 0 octets, at least 8 are allowed");
    let beyond = [&n16(9)[..], &n16(1), &[0; 4]].concat();
    assert_eq!(error(&with_header(&beyond)), "an extension needs 68 octets, 4 are left");
    let family = [&n16(3)[..], &n16(5), &[0; 4], &n16(7), &[0; 14]].concat();
    assert_eq!(error(&with_header(&family)), "address family 7, only 2 (IPv4) and 10 (IPv6) are known");
    let key = [&n16(2)[..], &n16(8), &n16(72), &[0; 10]].concat();
    assert_eq!(error(&with_header(&key)), "a key of 72 bits in an extension with 8 octets of key");
    let short = [&n16(1)[..], &n16(1), &[0; 4]].concat();
    assert_eq!(error(&with_header(&short)), "the SA needs 1 octets, 0 are left");
}

#[test]
fn unknown_extensions_are_passed_over() {
    let body = [&n16(2)[..], &n16(200), &[7; 12], &n16(1), &n16(20), &[2, 0, 0, 0]].concat();
    let message = Message::decode(&with_header(&body)).unwrap();
    assert!(matches!(
        message.extensions.as_slice(),
        [Extension::Other(ExtensionType(200)), Extension::NatType(NAT_ESP_IN_UDP)]
    ));
}

fn any_socket_address() -> impl Strategy<Value = SocketAddr> {
    let ip = prop_oneof![
        any::<u32>().prop_map(|bits| IpAddr::from(Ipv4Addr::from(bits))),
        any::<u128>().prop_map(|bits| IpAddr::from(Ipv6Addr::from(bits))),
    ];
    (ip, any::<u16>()).prop_map(|(ip, port)| SocketAddr::new(ip, port))
}

fn any_request() -> impl Strategy<Value = IpsecRequest> {
    let pair = (any::<bool>(), any::<[u128; 2]>()).prop_map(|(v6, bits)| {
        let end = |bits: u128| {
            let ip = if v6 { IpAddr::from(Ipv6Addr::from(bits)) } else { IpAddr::from(Ipv4Addr::from(bits as u32)) };
            SocketAddr::new(ip, 0)
        };
        (end(bits[0]), end(bits[1]))
    });
    (any::<u16>(), any::<u8>(), any::<u8>(), any::<u32>(), proptest::option::of(pair)).prop_map(
        |(protocol, mode, level, reqid, endpoints)| IpsecRequest {
            protocol,
            mode,
            level: Level(level),
            reqid,
            endpoints,
        },
    )
}

fn any_extension() -> impl Strategy<Value = Extension> {
    let lifetime = (2..=4u16, any::<(u32, u64, u64, u64)>()).prop_map(|(kind, numbers)| {
        let (allocations, octets, add_time, use_time) = numbers;
        Extension::Lifetime(ExtensionType(kind), LifetimeExtension { allocations, octets, add_time, use_time })
    });
    let address = (prop_oneof![Just(5), Just(6), Just(7), Just(23)], any::<(u8, u8)>(), any_socket_address()).prop_map(
        |(kind, (protocol, prefix_len), address)| {
            Extension::Address(ExtensionType(kind), AddressExtension { protocol, prefix_len, address })
        },
    );
    let algorithm = any::<(u8, u8, u16, u16)>().prop_map(|(id, iv_len, min_bits, max_bits)| Algorithm {
        id,
        iv_len,
        min_bits,
        max_bits,
    });
    let policy = (any::<(u16, u8, u32, u32)>(), proptest::collection::vec(any_request(), 0..4)).prop_map(
        |((action, direction, id, priority), requests)| {
            let (action, direction) = (PolicyType(action), PolicyDirection(direction));
            Extension::Policy(PolicyExtension { action, direction, id, priority, requests })
        },
    );
    prop_oneof![
        any::<(u32, [u8; 4], u32)>().prop_map(|(spi, [replay_window, state, integrity, encryption], flags)| {
            Extension::Sa(SaExtension { spi: Spi(spi), replay_window, state, integrity, encryption, flags })
        }),
        lifetime,
        address,
        (8..=9u16, proptest::collection::vec(any::<u8>(), 0..80))
            .prop_map(|(kind, key)| Extension::Key(ExtensionType(kind), Secret::new(key))),
        (14..=15u16, proptest::collection::vec(algorithm, 0..20))
            .prop_map(|(kind, list)| Extension::Supported(ExtensionType(kind), list)),
        any::<(u32, u32)>().prop_map(|(min, max)| Extension::SpiRange { min, max }),
        any::<(u8, u32, u32)>().prop_map(|(mode, sequence, reqid)| Extension::Sa2 { mode, sequence, reqid }),
        policy,
        any::<u8>().prop_map(Extension::NatType),
        (21..=22u16, any::<u16>()).prop_map(|(kind, port)| Extension::NatPort(ExtensionType(kind), port)),
        (27..u16::MAX).prop_map(|kind| Extension::Other(ExtensionType(kind))),
    ]
}

proptest! {
    #[test]
    fn messages_survive_a_round_trip(
        numbers in any::<(u8, u8, u8, u32, u32)>(),
        extensions in proptest::collection::vec(any_extension(), 0..12),
    ) {
        let (kind, errno, sa_type, sequence, process) = numbers;
        let header = Header { kind: MessageType(kind), errno, sa_type: SaType(sa_type), sequence, process };
        let message = Message { header, extensions };
        let octets = message.encode();
        prop_assert_eq!(octets.len() % 8, 0);
        let read = Message::decode(&octets).unwrap();
        prop_assert_eq!(read.header, message.header);
        // Debug hides keys, so that the octets are compared too.
        prop_assert_eq!(format!("{:?}", read.extensions), format!("{:?}", message.extensions));
        prop_assert!(*read.encode() == *octets);
    }

    #[test]
    fn octets_from_nowhere_never_panic(octets in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = Message::decode(&octets);
    }

    #[test]
    fn damaged_messages_never_panic(
        extensions in proptest::collection::vec(any_extension(), 0..8),
        damage in proptest::collection::vec(any::<(proptest::sample::Index, u8)>(), 0..6),
        cut in any::<proptest::sample::Index>(),
    ) {
        let message = Message { header: header(MessageType::ADD, SaType::ESP), extensions };
        let mut octets = message.encode();
        for (place, value) in damage {
            let at = place.index(octets.len());
            octets[at] = value;
        }
        let _ = Message::decode(&octets);
        // Cut, with a length that agrees.
        let len = (cut.index(octets.len()) / 8 * 8).max(16);
        octets.truncate(len);
        let units = u16::try_from(octets.len() / 8).unwrap();
        octets[4..6].copy_from_slice(&n16(units));
        octets[0] = VERSION;
        let _ = Message::decode(&octets);
    }
}
