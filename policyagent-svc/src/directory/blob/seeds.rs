//! Values to begin with for the fuzzer, one of each kind.
use super::filter::{Filter1, Filter2, Names, RANGES, Side2};
use super::isakmp::{GROUP_2048, IsakmpMethod, MAP_CERTIFICATES};
use super::negotiation::{AH, Algorithm, ESP, NegotiationOffer};
use super::nfa::{ALL, NfaMethod};
use super::{Blob as _, FilterBlob, IsakmpBlob, NegotiationBlob, NfaBlob, PolicyBlob};
use crate::guid::Guid;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use zeroize::Zeroizing;

/// The values, by name.
pub(crate) fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let names = Names {
        source: String::new(),
        destination: "host.example".to_owned(),
        description: "web".to_owned(),
        guid: Guid([7; 16]),
        mirrored: true,
    };
    let first = Filter1 {
        names: names.clone(),
        source: (Ipv4Addr::UNSPECIFIED, Ipv4Addr::BROADCAST),
        destination: (Ipv4Addr::new(192, 0, 2, 1), Ipv4Addr::BROADCAST),
        tunnel: None,
        protocol: 6,
        source_port: 0,
        destination_port: 80,
        special: 0,
    };
    let second = Filter2 {
        names,
        source: Side2::Named(8, 3),
        destination: Side2::Range(Ipv6Addr::LOCALHOST.into(), Ipv6Addr::UNSPECIFIED.into()),
        source_ports: None,
        destination_ports: Some((80, 88)),
        protocol: 6,
        flags: RANGES,
    };
    let method = IsakmpMethod {
        cipher: 3,
        hash: 2,
        replacement: 0,
        group: GROUP_2048,
        quick_mode_limit: 0,
        kilobytes: 0,
        seconds: 28_800,
        pfs: false,
    };
    let main_mode = IsakmpBlob {
        guid: Guid([9; 16]),
        master_pfs: false,
        options: MAP_CERTIFICATES,
        new_groups: [4, 3, 0, 0],
        quick_mode_limit: 0,
        seconds: 28_800,
        methods: vec![method],
    };
    let ah = Algorithm { algorithm: 2, integrity: 0, kind: AH };
    let esp = Algorithm { algorithm: 3, integrity: 2, kind: ESP };
    let offer = NegotiationOffer { seconds: 900, kilobytes: 100_000, pfs: true, algorithms: vec![ah, esp] };
    let rule = NfaBlob {
        methods: vec![
            NfaMethod::PresharedKey(Zeroizing::new("example".to_owned())),
            NfaMethod::Certificate("CN=Root".to_owned()),
            NfaMethod::Kerberos,
        ],
        interfaces: ALL,
        interface: String::new(),
        tunnel: Some(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2))),
        tunnel_name: String::new(),
        is_active: true,
        flags: Vec::new(),
    };
    // Behind it what later versions have, which nothing here writes.
    let mut later = rule.write(None).to_vec();
    for (number, part) in [(2, vec![0; 16]), (3, vec![0x20; 16])] {
        later.extend([1; 15]);
        later.push(number);
        later.extend(part);
    }
    let both = FilterBlob { first: vec![first.clone()], second: vec![second] };
    vec![
        ("policy", PolicyBlob { polling_interval: 10_800 }.write(None).to_vec()),
        ("main-mode", main_mode.write(None).to_vec()),
        ("quick-mode", NegotiationBlob { offers: vec![offer] }.write(Some("pfs = \"modp2048\"\n")).to_vec()),
        ("rule", rule.write(None).to_vec()),
        ("rule-later", later),
        ("filters", FilterBlob { first: vec![first], second: Vec::new() }.write(None).to_vec()),
        ("filters-both", both.write(Some("filters = []\n")).to_vec()),
    ]
}
