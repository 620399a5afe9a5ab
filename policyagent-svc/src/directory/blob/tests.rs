use super::filter::{Filter1, Filter2, Names, RANGES, Side2};
use super::isakmp::{GROUP_2048, IsakmpMethod};
use super::negotiation::{AH, Algorithm, ESP, NegotiationOffer};
use super::nfa::{ALL, LAN, NfaMethod};
use super::*;
use proptest::prelude::*;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The octets of hexadecimal digits; spaces and line ends are for people.
fn hex(digits: &str) -> Vec<u8> {
    let digits: Vec<u32> = digits.chars().filter_map(|c| c.to_digit(16)).collect();
    digits.chunks(2).map(|pair| u8::try_from(pair[0] << 4 | pair[1]).unwrap()).collect()
}

fn whole<T: Blob + std::fmt::Debug>(octets: &[u8]) -> T {
    let Read { blob, extension, unknown } = T::read(octets).unwrap();
    assert_eq!((extension, unknown), (None, 0));
    blob
}

const POLICY: &str = "63212022 4c4f d111 863b 00a0248d3021  04000000  302a0000  00";

#[test]
fn a_policy_of_three_hours_has_25_octets() {
    let octets = hex(POLICY);
    assert_eq!(octets.len(), 25);
    assert_eq!(whole::<PolicyBlob>(&octets), PolicyBlob { polling_interval: 10_800 });
    assert_eq!(*PolicyBlob { polling_interval: 10_800 }.write(None), octets);
}

#[test]
fn lengths_are_read_as_tolerantly_as_they_are_written() {
    let octets = hex(POLICY);
    for length in [3, 4, 5] {
        let mut other = octets.clone();
        other[16] = length;
        assert_eq!(whole::<PolicyBlob>(&other).polling_interval, 10_800);
    }
    assert_eq!(whole::<PolicyBlob>(&octets[..24]).polling_interval, 10_800, "without the last zero");
    let told = |octets: &[u8]| PolicyBlob::read(octets).unwrap_err().to_string();
    let mut long = octets.clone();
    long[16] = 6;
    assert_eq!(told(&long), "ipsecData of ipsecPolicy, offset 16: the length is 6, allowed: 5, which follow");
    assert_eq!(told(&octets[..23]), "ipsecData of ipsecPolicy, offset 16: the length is 4, allowed: 3, which follow");
    let mut other = octets.clone();
    other[0] = 0;
    assert_eq!(
        told(&other),
        "ipsecData of ipsecPolicy, offset 0: the GUID of its kind is {22202100-4f4c-11d1-863b-00a0248d3021}, allowed: \
         {22202163-4f4c-11d1-863b-00a0248d3021}"
    );
    assert!(told(&[]).contains("offset 0: the GUID of its kind is 16 octets long"), "{}", told(&[]));
    let mut more = octets;
    more.extend([7, 7]);
    assert_eq!(PolicyBlob::read(&more).unwrap().unknown, 2);
}

const ISAKMP: &str = "b820dc80 c82e d111 a89e 00a0248d3021  80000000
    00112233445566778899aabbccddeeff 00000000  01000000 03000000  04000000  01000000 80700000
    0000000000000000000000000000000000000000  01000000
    00000000 0300000000000000 00000000 0200000000000000 000000000000000000000000 00 00000000000000 02000000
    01000000 00000000 80700000 01000000  00";

#[test]
fn main_mode_is_as_the_tables_say() {
    let blob = IsakmpBlob {
        guid: Guid(core::array::from_fn(|n| u8::try_from(n).unwrap() * 0x11)),
        master_pfs: true,
        options: 3,
        new_groups: [4, 0, 0, 0],
        quick_mode_limit: 1,
        seconds: 28_800,
        methods: vec![IsakmpMethod {
            cipher: 3,
            hash: 2,
            replacement: 0,
            group: 2,
            quick_mode_limit: 1,
            kilobytes: 0,
            seconds: 28_800,
            pfs: true,
        }],
    };
    let octets = hex(ISAKMP);
    assert_eq!(whole::<IsakmpBlob>(&octets), blob);
    assert_eq!(*blob.write(None), octets);
    // As in a policy with four methods that was seen: 0x140.
    let four = IsakmpBlob { methods: vec![blob.methods[0]; 4], ..blob };
    assert_eq!(four.write(None)[16..20], [0x40, 0x01, 0, 0]);
    let mut wrong = octets;
    wrong[48] = 5;
    let error = IsakmpBlob::read(&wrong).unwrap_err();
    assert_eq!((error.offset, error.value.as_str(), error.allowed.as_str()), (48, "5", "0 to 4"));
    wrong[48] = 4;
    wrong[80] = 200;
    let error = IsakmpBlob::read(&wrong).unwrap_err();
    assert_eq!((error.offset, error.allowed.as_str()), (80, "at most 1, for which there is room"));
    assert_eq!(GROUP_2048.to_le_bytes(), [1, 0, 0, 0x10]);
}

const NEGOTIATION: &str = "b920dc80 c82e d111 a89e 00a0248d3021  54000000  01000000
    84030000 a0860100 00000000 01000000 02000000
    02000000 00000000 01000000 0000000000000000
    03000000 02000000 02000000 0000000000000000
    00000000 00000000 00000000 0000000000000000  00";

#[test]
fn quick_mode_is_as_the_tables_say() {
    let ah = Algorithm { algorithm: 2, integrity: 0, kind: AH };
    let esp = Algorithm { algorithm: 3, integrity: 2, kind: ESP };
    let offer = NegotiationOffer { seconds: 900, kilobytes: 100_000, pfs: true, algorithms: vec![ah, esp] };
    let blob = NegotiationBlob { offers: vec![offer.clone()] };
    let octets = hex(NEGOTIATION);
    assert_eq!(whole::<NegotiationBlob>(&octets), blob);
    assert_eq!(*blob.write(None), octets);
    // As in a policy with six offers that was seen: 0x1e4.
    assert_eq!(NegotiationBlob { offers: vec![offer; 6] }.write(None)[16..20], [0xe4, 0x01, 0, 0]);
    let mut wrong = octets.clone();
    wrong[40] = 4;
    let error = NegotiationBlob::read(&wrong).unwrap_err();
    assert_eq!((error.offset, error.what, error.allowed.as_str()), (40, "the number of algorithms", "0 to 3"));
    let mut surplus = octets;
    surplus[84] = 0xff;
    assert_eq!(whole::<NegotiationBlob>(&surplus), blob, "a slot that is not used");
}

const NFA: &str = "00acbb11 8d49 d111 8639 00a0248d3021  2a000000
    01000000  05000000 02000000 0000  fdffffff  02000000 0000  00000000 00000000 01000000  02000000 0000  00";

fn kerberos() -> NfaBlob {
    NfaBlob {
        methods: vec![NfaMethod::Kerberos],
        interfaces: ALL,
        interface: String::new(),
        tunnel: None,
        tunnel_name: String::new(),
        is_active: true,
        flags: Vec::new(),
    }
}

#[test]
fn a_rule_with_kerberos_is_of_the_length_that_was_seen() {
    let octets = hex(NFA);
    assert_eq!(octets[16], 0x2a);
    assert_eq!(whole::<NfaBlob>(&octets), kerberos());
    assert_eq!(*kerberos().write(None), octets);
}

#[test]
fn a_rule_with_a_key_a_certificate_and_a_tunnel_is_read_as_it_was_written() {
    let blob = NfaBlob {
        methods: vec![
            NfaMethod::PresharedKey(Zeroizing::new("schlüssel".to_owned())),
            NfaMethod::Certificate("C=CH, O=Example, CN=Root".to_owned()),
            NfaMethod::Kerberos,
        ],
        interfaces: LAN,
        tunnel: Some("192.0.2.1".parse().unwrap()),
        is_active: false,
        ..kerberos()
    };
    let octets = blob.write(None);
    assert_eq!(octets[20..32], hex("03000000 01000000 14000000"));
    assert_eq!(octets[32..36], hex("7300 6300"), "UTF-16");
    assert_eq!(whole::<NfaBlob>(&octets), blob);
    assert!(!format!("{blob:?}").contains("schl"), "no key is printed");
    // Half a character where the key ends.
    let mut wrong = octets.to_vec();
    wrong[50] = 0;
    wrong[51] = 0xd8;
    let error = NfaBlob::read(&wrong).unwrap_err();
    assert_eq!((error.what, error.value.as_str()), ("the pre-shared key", "20 octets with half a character"));
}

#[test]
fn what_later_versions_say_of_a_rule_is_read() {
    let marker = |number: &str| format!("01010101 0101 0101 0101 0101{number}");
    let flags = format!("{} 00000000 03000000", marker("01010102"));
    let tunnel = format!("{} 20010db8000000000000000000000001", marker("01010103"));
    let alternative = format!("{} 01000000 05000000 02000000 0000", marker("01010101"));
    let body = NFA.trim_end().strip_suffix("00").unwrap();
    let octets = hex(&format!("{body} {alternative} {flags} {tunnel} 00"));
    let blob = whole::<NfaBlob>(&octets);
    assert_eq!(blob.flags, [3]);
    assert_eq!(blob.tunnel, Some("2001:db8::1".parse().unwrap()));
    assert_eq!(blob.methods, [NfaMethod::Kerberos]);
    // The two octets that the published text lacks, at the other end.
    let octets = hex(&format!("{body} 01010101 0101 0101 0101 010101020101 00000000 02000000 00"));
    assert_eq!(whole::<NfaBlob>(&octets).flags, [2]);
}

const FILTER: &str = "b520dc80 c82e d111 a89e 00a0248d3021  4a000000  01000000
    02000000 0000  02000000 0000  02000000 0000
    00112233445566778899aabbccddeeff  01000000
    00000000 ffffffff  0a010000 ffff0000  00000000  06000000  0000 5000  00 00 0000  00";

fn filter1() -> Filter1 {
    Filter1 {
        names: Names {
            source: String::new(),
            destination: String::new(),
            description: String::new(),
            guid: Guid(core::array::from_fn(|n| u8::try_from(n).unwrap() * 0x11)),
            mirrored: true,
        },
        source: (Ipv4Addr::UNSPECIFIED, Ipv4Addr::BROADCAST),
        destination: (Ipv4Addr::new(10, 1, 0, 0), Ipv4Addr::new(255, 255, 0, 0)),
        tunnel: None,
        protocol: 6,
        source_port: 0,
        destination_port: 80,
        special: 0,
    }
}

#[test]
fn a_filter_is_of_the_length_that_was_seen() {
    let octets = hex(FILTER);
    let blob = FilterBlob { first: vec![filter1()], second: Vec::new() };
    assert_eq!(whole::<FilterBlob>(&octets), blob);
    assert_eq!(*blob.write(None), octets);
    let mut wrong = octets;
    let at = wrong.len() - 4;
    wrong[at] = 0x85;
    let error = FilterBlob::read(&wrong).unwrap_err();
    assert_eq!((error.offset, error.value.as_str(), error.allowed.as_str()), (at, "0x85", "0 to 4, 0x81 to 0x84"));
}

#[test]
fn the_second_version_stands_behind_the_first() {
    let range = Side2::Range("2001:db8::1".parse().unwrap(), "2001:db8::9".parse().unwrap());
    let second = Filter2 {
        names: filter1().names,
        source: Side2::Named(8, 3),
        destination: range,
        source_ports: None,
        destination_ports: Some((80, 88)),
        protocol: 6,
        flags: RANGES,
    };
    let blob = FilterBlob { first: vec![filter1()], second: vec![second] };
    let octets = blob.write(None);
    assert_eq!(octets[16], 0x4a, "the length counts the first version");
    let part = &octets[94..];
    assert_eq!(part[..16], hex("3dcdfe35 29ae 7343 8a6a c5d8fab2fb08"));
    // Its length; the numbers of filters; three empty texts; GUID and mirroring.
    assert_eq!(part[16..28], hex("96000000 01000000 01000000"));
    assert_eq!(part[28 + 18 + 20..][..8], hex("08000000 03000000"));
    assert_eq!(part[28 + 18 + 20 + 40..][..24], hex("02000000 02000000 20010db8000000000000000000000001"));
    assert_eq!(octets.len(), 94 + 20 + 0x96 + 1);
    assert_eq!(whole::<FilterBlob>(&octets), blob);
    // A number of filters that only the second version tells.
    let mut hidden = octets.to_vec();
    hidden[20] = 0;
    assert!(FilterBlob::read(&hidden).unwrap().blob.first.is_empty(), "the marker is not where it must be");
}

#[test]
fn what_this_project_keeps_stands_last_and_comes_back() {
    let octets = PolicyBlob { polling_interval: 60 }.write(Some("pfs = \"modp2048\"\n"));
    let read = PolicyBlob::read(&octets).unwrap();
    assert_eq!((read.blob.polling_interval, read.unknown), (60, 0));
    assert_eq!(read.extension.unwrap().as_str(), "pfs = \"modp2048\"\n");
    let mut wrong = octets.to_vec();
    wrong[24 + 20] = 0xff;
    assert_eq!(PolicyBlob::read(&wrong).unwrap_err().value, "no UTF-8 at its octet 0");
}

fn text() -> impl Strategy<Value = String> {
    "[^\0]{0,12}"
}

fn names() -> impl Strategy<Value = Names> {
    (text(), text(), text(), any::<[u8; 16]>(), any::<bool>()).prop_map(
        |(source, destination, description, guid, mirrored)| Names {
            source,
            destination,
            description,
            guid: Guid(guid),
            mirrored,
        },
    )
}

fn side() -> impl Strategy<Value = Side2> {
    prop_oneof![
        (prop_oneof![Just(0), Just(8), Just(0x10), Just(0x80)], 1..4_u32).prop_map(|(kind, f)| Side2::Named(kind, f)),
        any::<IpAddr>().prop_map(Side2::Single),
        any::<(Ipv4Addr, Ipv4Addr)>().prop_map(|(a, b)| Side2::Range(a.into(), b.into())),
        any::<(Ipv6Addr, Ipv6Addr)>().prop_map(|(a, b)| Side2::Range(a.into(), b.into())),
        any::<(Ipv4Addr, Ipv4Addr)>().prop_map(|(a, m)| Side2::Masked(a, m)),
        (any::<Ipv6Addr>(), 0..=128_u8).prop_map(|(a, n)| Side2::Prefix(a, n)),
    ]
}

fn filters() -> impl Strategy<Value = FilterBlob> {
    let ports = || any::<Option<(u16, u16)>>();
    let special = prop_oneof![0..5_u8, 0x81..0x85_u8];
    let first = (names(), any::<[Ipv4Addr; 4]>(), any::<Option<Ipv4Addr>>(), any::<(u32, u16, u16)>(), special)
        .prop_map(|(names, a, tunnel, (protocol, source_port, destination_port), special)| Filter1 {
            names,
            source: (a[0], a[1]),
            destination: (a[2], a[3]),
            tunnel,
            protocol,
            source_port,
            destination_port,
            special,
        });
    let second = (names(), side(), side(), ports(), ports(), any::<(u32, u32)>()).prop_map(
        |(names, source, destination, source_ports, destination_ports, (protocol, flags))| Filter2 {
            names,
            source,
            destination,
            source_ports,
            destination_ports,
            protocol,
            flags,
        },
    );
    (prop::collection::vec(first, 0..4), prop::collection::vec(second, 0..4))
        .prop_map(|(first, second)| FilterBlob { first, second })
}

fn rules() -> impl Strategy<Value = NfaBlob> {
    let method = prop_oneof![
        text().prop_map(|key| NfaMethod::PresharedKey(Zeroizing::new(key))),
        text().prop_map(NfaMethod::Certificate),
        Just(NfaMethod::Kerberos),
    ];
    (prop::collection::vec(method, 0..4), any::<(u32, Option<Ipv4Addr>, bool)>(), text(), text()).prop_map(
        |(methods, (interfaces, tunnel, is_active), interface, tunnel_name)| NfaBlob {
            methods,
            interfaces,
            interface,
            tunnel: tunnel.map(IpAddr::V4),
            tunnel_name,
            is_active,
            flags: Vec::new(),
        },
    )
}

fn main_modes() -> impl Strategy<Value = IsakmpBlob> {
    let method = (any::<[u32; 6]>(), 0..5_u8, any::<bool>()).prop_map(|(n, replacement, pfs)| IsakmpMethod {
        cipher: n[0],
        hash: n[1],
        replacement,
        group: n[2],
        quick_mode_limit: n[3],
        kilobytes: n[4],
        seconds: n[5],
        pfs,
    });
    (any::<([u8; 16], bool, [u32; 3])>(), [0..5_u8, 0..5, 0..5, 0..5], prop::collection::vec(method, 0..5)).prop_map(
        |((guid, master_pfs, [options, quick_mode_limit, seconds]), new_groups, methods)| IsakmpBlob {
            guid: Guid(guid),
            master_pfs,
            options,
            new_groups,
            quick_mode_limit,
            seconds,
            methods,
        },
    )
}

fn quick_modes() -> impl Strategy<Value = NegotiationBlob> {
    let algorithm = any::<[u32; 3]>().prop_map(|[algorithm, integrity, kind]| Algorithm { algorithm, integrity, kind });
    let offer = (any::<(u32, u32, bool)>(), prop::collection::vec(algorithm, 0..=3))
        .prop_map(|((seconds, kilobytes, pfs), algorithms)| NegotiationOffer { seconds, kilobytes, pfs, algorithms });
    prop::collection::vec(offer, 0..8).prop_map(|offers| NegotiationBlob { offers })
}

fn comes_back<T: Blob + PartialEq + std::fmt::Debug>(blob: &T, extension: Option<String>) {
    let octets = blob.write(extension.as_deref());
    let read = T::read(&octets).unwrap();
    assert_eq!((&read.blob, read.unknown), (blob, 0));
    assert_eq!(read.extension.map(|text| text.to_string()), extension);
}

proptest! {
    #[test]
    fn whatever_is_written_comes_back(
        filters in filters(), rule in rules(), main_mode in main_modes(), quick_mode in quick_modes(),
        polling_interval: u32, extension in prop::option::of(".{0,40}")
    ) {
        comes_back(&filters, extension.clone());
        comes_back(&rule, extension.clone());
        comes_back(&main_mode, extension.clone());
        comes_back(&quick_mode, extension.clone());
        comes_back(&PolicyBlob { polling_interval }, extension);
    }

    #[test]
    fn a_value_that_is_cut_or_changed_is_no_panic(filters in filters(), cut in 0..400_usize, at in 0..400_usize, to: u8) {
        let mut octets = filters.write(None).to_vec();
        octets.truncate(cut.max(20));
        let length = octets.len();
        octets[at % length] = to;
        crate::fuzzing::blob(&octets);
    }
}
