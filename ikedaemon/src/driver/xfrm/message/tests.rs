use super::{Keyed, address, alloc_spi, name_of, policy, policy_name, state_name};
use crate::driver::policy_table::PolicyDirection;
use ikecore::ids::Spi;
use ikecore::policy::selector::{Prefix, Selector};
use ikecore::proposal::suite::{EspCipher, Integrity, IpsecSuite, Lifetime, Mode, Protocols};
use ikecore::sa::driver::{Direction, OuterAh, SaSpec, TrafficAction, TrafficPolicy, UdpEncapsulation};
use ikecore::secret::Secret;
use ikecore::wire::codes::ProtocolId;
use netlink_packet_core::Emitable;
use netlink_packet_xfrm::state::ModifyMessage;
use netlink_packet_xfrm::{Address, UserTemplate, XFRM_INF, XFRM_STATE_ESN, XfrmAttrs};
use std::net::IpAddr;

const SUITE: IpsecSuite = IpsecSuite::Esp { cipher: EspCipher::Aes128Cbc, integrity: Some(Integrity::HmacSha1_96) };

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn prefix(text: &str, len: u8) -> Prefix {
    Prefix::new(ip(text), len).expect("a prefix")
}

/// A selector with different values everywhere.
fn telling_selector() -> Selector {
    Selector {
        local: prefix("0.0.0.0", 1),
        remote: prefix("10.1.2.0", 24),
        protocol: 6,
        local_port: 1000,
        remote_port: 2000,
        scope: ikecore::address::Scope::ANY,
        direction: None,
    }
}

/// The innermost layer.
fn state(spec: &SaSpec) -> Result<Keyed, String> {
    super::state(spec, &spec.layers().next().expect("one layer at least"))
}

fn spec(direction: Direction, suite: IpsecSuite) -> SaSpec {
    let (local, remote) = (ip("192.0.2.1"), ip("192.0.2.2"));
    let (source, destination) = match direction {
        Direction::Inbound => (remote, local),
        Direction::Outbound => (local, remote),
    };
    SaSpec {
        direction,
        spi: Spi(0xc123_4567),
        suite,
        mode: Mode::Tunnel,
        source,
        destination,
        scope: ikecore::address::Scope::ANY,
        selector: telling_selector(),
        encapsulation: None,
        encryption_key: Secret::new(vec![0xe1; suite.encryption_key_len()]),
        integrity_key: Secret::new(vec![0xa1; suite.integrity_key_len()]),
        cpi: None,
        outer: None,
        reqid: 9,
        replay_window: 32,
        extended_sequence_numbers: false,
        soft: Lifetime { seconds: 3000, kilobytes: 90 },
        hard: Lifetime { seconds: 3600, kilobytes: 0 },
    }
}

#[test]
fn an_sa_is_described_whole() {
    for (direction, window) in [(Direction::Inbound, 32), (Direction::Outbound, 0)] {
        let spec = spec(direction, SUITE);
        let info = state(&spec).expect("a good SA").take().user_sa_info;
        let octets = |text| Address::from_ip(&ip(text));
        let (local, remote) = (octets("192.0.2.1"), octets("192.0.2.2"));
        let (near, far) = ((octets("0.0.0.0"), 1, 1000), (octets("10.1.2.0"), 24, 2000));
        let inbound = direction == Direction::Inbound;
        assert_eq!((info.saddr, info.id.daddr), if inbound { (remote, local) } else { (local, remote) });
        let chosen = info.selector;
        let ends = [(chosen.saddr, chosen.prefixlen_s, chosen.sport), (chosen.daddr, chosen.prefixlen_d, chosen.dport)];
        assert_eq!(ends, if inbound { [far, near] } else { [near, far] });
        assert_eq!((chosen.sport_mask, chosen.dport_mask, chosen.proto, chosen.family), (0xffff, 0xffff, 6, 2));
        assert_eq!((info.id.spi, info.id.proto, info.mode, info.family), (0xc123_4567, 50, 1, 2));
        assert_eq!((info.reqid, info.replay_window, info.flags), (0x5041_0009, window, 0));
        let limits = info.lifetime_cfg;
        assert_eq!((limits.soft_byte_limit, limits.hard_byte_limit), (90 * 1024, XFRM_INF));
        assert_eq!((limits.soft_add_expires_seconds, limits.hard_add_expires_seconds), (3000, 3600));
        assert_eq!((limits.soft_packet_limit, limits.hard_packet_limit), (XFRM_INF, XFRM_INF));
        assert_eq!((limits.soft_use_expires_seconds, limits.hard_use_expires_seconds), (0, 0));
        assert_eq!(name_of(&info), Some(spec.name()));
        let name = state_name(spec.name()).expect("a name").user_sa_id;
        assert_eq!((name.daddr, name.spi, name.proto, name.family), (info.id.daddr, info.id.spi, 50, 2));
    }
}

/// Attribute, algorithm, bits of key, bits of ICV (0 where the attribute has none).
fn algorithms(message: &ModifyMessage) -> Vec<(&'static str, String, u32, u32)> {
    let text = |name: &[u8]| String::from_utf8_lossy(name).trim_end_matches('\0').to_owned();
    message
        .nlas
        .iter()
        .map(|attribute| match attribute {
            XfrmAttrs::EncryptionAlg(alg) => {
                assert!(alg.alg_key.iter().all(|octet| *octet == 0xe1));
                assert_eq!(alg.alg_key.len() * 8, usize::try_from(alg.alg_key_len).expect("small"));
                ("crypt", text(&alg.alg_name), alg.alg_key_len, 0)
            }
            XfrmAttrs::EncryptionAlgAead(alg) => {
                assert!(alg.alg_key.iter().all(|octet| *octet == 0xe1));
                assert_eq!(alg.alg_key.len() * 8, usize::try_from(alg.alg_key_len).expect("small"));
                ("aead", text(&alg.alg_name), alg.alg_key_len, alg.alg_icv_len)
            }
            XfrmAttrs::AuthenticationAlgTrunc(alg) => {
                assert!(alg.alg_key.iter().all(|octet| *octet == 0xa1));
                assert_eq!(alg.alg_key.len() * 8, usize::try_from(alg.alg_key_len).expect("small"));
                ("auth", text(&alg.alg_name), alg.alg_key_len, alg.alg_trunc_len)
            }
            _ => ("other", String::new(), 0, 0),
        })
        .collect()
}

#[test]
fn algorithms_have_the_kernels_names_and_lengths() {
    let esp = |cipher, integrity| IpsecSuite::Esp { cipher, integrity };
    let row = |kind, name: &str, key, icv| (kind, name.to_owned(), key, icv);
    let of = |suite| algorithms(&state(&spec(Direction::Outbound, suite)).expect("a good SA").take());
    use {EspCipher as C, Integrity as I};
    for (cipher, expected) in [
        (C::Null, row("crypt", "ecb(cipher_null)", 0, 0)),
        (C::DesCbc, row("crypt", "cbc(des)", 64, 0)),
        (C::TripleDesCbc, row("crypt", "cbc(des3_ede)", 192, 0)),
        (C::Aes128Cbc, row("crypt", "cbc(aes)", 128, 0)),
        (C::Aes192Cbc, row("crypt", "cbc(aes)", 192, 0)),
        (C::Aes256Cbc, row("crypt", "cbc(aes)", 256, 0)),
        (C::Camellia128Cbc, row("crypt", "cbc(camellia)", 128, 0)),
        (C::Camellia192Cbc, row("crypt", "cbc(camellia)", 192, 0)),
        (C::Camellia256Cbc, row("crypt", "cbc(camellia)", 256, 0)),
        // The nonce counts as key.
        (C::Aes128Ctr, row("crypt", "rfc3686(ctr(aes))", 160, 0)),
        (C::Aes192Ctr, row("crypt", "rfc3686(ctr(aes))", 224, 0)),
        (C::Aes256Ctr, row("crypt", "rfc3686(ctr(aes))", 288, 0)),
    ] {
        assert_eq!(of(esp(cipher, Some(I::HmacMd5_96))), [expected, row("auth", "hmac(md5)", 128, 96)]);
    }
    for (ciphers, icv) in [
        ([C::Aes128Gcm8, C::Aes192Gcm8, C::Aes256Gcm8], 64),
        ([C::Aes128Gcm12, C::Aes192Gcm12, C::Aes256Gcm12], 96),
        ([C::Aes128Gcm16, C::Aes192Gcm16, C::Aes256Gcm16], 128),
    ] {
        for (cipher, bits) in ciphers.into_iter().zip([160, 224, 288]) {
            // The salt counts as key.
            assert_eq!(of(esp(cipher, None)), [row("aead", "rfc4106(gcm(aes))", bits, icv)]);
        }
    }
    for (integrity, expected) in [
        (I::HmacMd5_96, row("auth", "hmac(md5)", 128, 96)),
        (I::HmacSha1_96, row("auth", "hmac(sha1)", 160, 96)),
        (I::HmacSha256_128, row("auth", "hmac(sha256)", 256, 128)),
        (I::HmacSha256_96, row("auth", "hmac(sha256)", 256, 96)),
        (I::HmacSha384_192, row("auth", "hmac(sha384)", 384, 192)),
        (I::HmacSha512_256, row("auth", "hmac(sha512)", 512, 256)),
        (I::AesXcbc96, row("auth", "xcbc(aes)", 128, 96)),
    ] {
        assert_eq!(of(IpsecSuite::Ah { integrity }), [expected]);
    }
}

#[test]
fn what_cannot_be_is_refused_in_words_without_keys() {
    let good = || spec(Direction::Inbound, SUITE);
    let ah = IpsecSuite::Ah { integrity: Integrity::HmacSha1_96 };
    let lonely = IpsecSuite::Esp { cipher: EspCipher::Null, integrity: None };
    let doubled = IpsecSuite::Esp { cipher: EspCipher::Aes128Gcm16, integrity: Some(Integrity::HmacSha1_96) };
    let encapsulation = Some(UdpEncapsulation { source_port: 4500, destination_port: 4500 });
    let mixed = Selector::between(prefix("10.0.0.0", 8), prefix("fd00::", 8));
    for (wrong, reason) in [
        (SaSpec { destination: ip("fd00::1"), ..good() }, "not of one family"),
        (SaSpec { selector: mixed, ..good() }, "not of one family"),
        (SaSpec { reqid: 70_000, ..good() }, "70000"),
        (SaSpec { replay_window: 200_000, ..good() }, "200000"),
        (SaSpec { encryption_key: Secret::new(vec![0xe1; 15]), ..good() }, "15 octets, allowed: 16"),
        (SaSpec { integrity_key: Secret::new(vec![]), ..good() }, "0 octets, allowed: 20"),
        (SaSpec { encapsulation, ..spec(Direction::Inbound, ah) }, "AH"),
        (spec(Direction::Inbound, lonely), "AEAD"),
        (spec(Direction::Inbound, doubled), "AEAD"),
    ] {
        let text = state(&wrong).err().unwrap_or_else(|| panic!("{reason}"));
        assert!(text.contains(reason), "{text}");
        assert!(!text.contains("e1e1") && !text.contains("225"), "{text}");
    }
    let alloc = |protocol, source| alloc_spi(protocol, ip(source), ip("192.0.2.1"), Mode::Transport, 1);
    assert!(alloc(ProtocolId::ISAKMP, "192.0.2.2").is_err());
    assert!(alloc(ProtocolId::ESP, "fd00::1").is_err());
    let request = alloc(ProtocolId::AH, "192.0.2.2").expect("a good request").spi_info;
    assert_eq!((request.info.id.proto, request.info.mode, request.info.reqid), (51, 0, 0x5041_0001));
    assert!(request.min > 255 && request.min < request.max);
}

#[test]
fn replay_windows_beyond_32_have_an_attribute() {
    let of = |replay_window, direction| {
        let message = state(&SaSpec { replay_window, ..spec(direction, SUITE) }).expect("a good SA").take();
        let wide = message.nlas.iter().find_map(|attribute| match attribute {
            XfrmAttrs::ReplayStateEsn(wide) => Some((wide.replay_window, wide.bmp_len, wide.bmp.len())),
            _ => None,
        });
        (message.user_sa_info.replay_window, wide)
    };
    assert_eq!(of(0, Direction::Inbound), (0, None));
    assert_eq!(of(32, Direction::Inbound), (32, None));
    assert_eq!(of(33, Direction::Inbound), (0, Some((33, 2, 2))));
    assert_eq!(of(1024, Direction::Inbound), (0, Some((1024, 32, 32))));
    assert_eq!(of(1024, Direction::Outbound), (0, None));
}

#[test]
fn extended_sequence_numbers_have_a_window_in_both_directions() {
    for direction in [Direction::Inbound, Direction::Outbound] {
        for (replay_window, expected) in [(0, (32, 1)), (32, (32, 1)), (64, (64, 2))] {
            let spec = SaSpec { replay_window, extended_sequence_numbers: true, ..spec(direction, SUITE) };
            let message = state(&spec).expect("a good SA").take();
            assert_eq!(message.user_sa_info.flags & XFRM_STATE_ESN, XFRM_STATE_ESN);
            assert_eq!(message.user_sa_info.replay_window, 0);
            let window = message.nlas.iter().find_map(|attribute| match attribute {
                XfrmAttrs::ReplayStateEsn(window) => Some((window.replay_window, window.bmp_len)),
                _ => None,
            });
            assert_eq!(window, Some(expected), "{direction:?}");
        }
        let short = state(&spec(direction, SUITE)).expect("a good SA").take();
        assert_eq!(short.user_sa_info.flags & XFRM_STATE_ESN, 0);
    }
}

#[test]
fn encapsulation_names_both_ports() {
    let encapsulation = Some(UdpEncapsulation { source_port: 4501, destination_port: 4500 });
    let message = state(&SaSpec { encapsulation, ..spec(Direction::Inbound, SUITE) }).expect("a good SA").take();
    let template = message.nlas.iter().find_map(|attribute| match attribute {
        XfrmAttrs::EncapsulationTemplate(template) => Some(*template),
        _ => None,
    });
    let mut octets = vec![0; 24];
    template.expect("a template").emit(&mut octets);
    // struct xfrm_encap_tmpl: type in host order, ports in network order.
    assert_eq!(octets[..2], 2_u16.to_ne_bytes());
    assert_eq!(octets[2..6], [0x11, 0x95, 0x11, 0x94]);
}

#[test]
fn ah_in_ipv4_is_aligned_to_32_bits() {
    let ah = IpsecSuite::Ah { integrity: Integrity::HmacSha256_128 };
    let flags = |spec: &SaSpec| state(spec).expect("a good SA").take().user_sa_info.flags;
    assert_eq!(flags(&spec(Direction::Outbound, ah)), 64);
    let ipv6 = SaSpec { source: ip("fd00::1"), destination: ip("fd00::2"), ..spec(Direction::Outbound, ah) };
    assert_eq!(flags(&ipv6), 0);
}

fn template(direction: PolicyDirection, action: TrafficAction) -> UserTemplate {
    let wanted = TrafficPolicy { selector: telling_selector(), action, priority: 5, reqid: 3 };
    let message = policy(direction, &wanted, 1).expect("a good policy");
    match message.nlas.as_slice() {
        [XfrmAttrs::Template(templates)] if templates.len() == 1 => templates[0],
        _ => panic!("one template"),
    }
}

#[test]
fn policies_point_the_right_way() {
    let wanted = |action| TrafficPolicy { selector: telling_selector(), action, priority: 5, reqid: 3 };
    for (direction, number) in
        [(PolicyDirection::Inbound, 0), (PolicyDirection::Outbound, 1), (PolicyDirection::Forward, 2)]
    {
        for (action, code) in [(TrafficAction::Permit, 0), (TrafficAction::Block, 1)] {
            let message = policy(direction, &wanted(action), 77).expect("a good policy");
            let info = message.user_policy_info;
            assert_eq!((info.action, info.direction, info.priority), (code, number, 5));
            assert_eq!(info.index & 7, u32::from(number));
            assert!(message.nlas.is_empty());
            let source = if direction == PolicyDirection::Outbound { "0.0.0.0" } else { "10.1.2.0" };
            assert_eq!(address(2, &info.selector.saddr), Some(ip(source)));
            let name = policy_name(direction, &telling_selector()).expect("a good policy").user_policy_id;
            assert_eq!((name.selector, name.direction), (info.selector, number));
        }
    }
}

#[test]
fn templates_name_endpoints_in_tunnel_mode_only() {
    let (local, remote) = (ip("fd00::1"), ip("fd00::2"));
    let protect = |mode, endpoints, inbound_passthrough| TrafficAction::Protect {
        protocols: Protocols::AH,
        mode,
        endpoints,
        inbound_passthrough,
    };
    let tunnel = protect(Mode::Tunnel, Some((local, remote)), true);
    for (direction, source, destination, optional) in [
        (PolicyDirection::Outbound, local, remote, 0),
        (PolicyDirection::Inbound, remote, local, 1),
        (PolicyDirection::Forward, remote, local, 1),
    ] {
        let template = template(direction, tunnel);
        assert_eq!((template.saddr, template.id.daddr), (Address::from_ip(&source), Address::from_ip(&destination)));
        assert_eq!((template.family, template.mode, template.optional), (10, 1, optional));
        assert_eq!((template.id.proto, template.id.spi, template.reqid), (51, 0, 0x5041_0003));
        // Any algorithm: which, the SA says.
        assert_eq!([template.aalgos, template.ealgos, template.calgos], [u32::MAX; 3]);
    }
    let transport = template(PolicyDirection::Inbound, protect(Mode::Transport, None, false));
    assert_eq!((transport.saddr, transport.id.daddr), (Address::default(), Address::default()));
    assert_eq!((transport.family, transport.mode, transport.optional), (2, 0, 0));
    for wrong in [protect(Mode::Tunnel, None, false), protect(Mode::Transport, Some((local, remote)), false)] {
        let wanted = TrafficPolicy { selector: telling_selector(), action: wrong, priority: 5, reqid: 3 };
        assert!(policy(PolicyDirection::Outbound, &wanted, 1).is_err(), "{wrong:?}");
    }
}

/// IPComp in ESP in AH.
fn nested(mode: Mode) -> SaSpec {
    let outer = OuterAh { spi: Spi(0x4321), integrity: Integrity::HmacSha1_96, key: Secret::new(vec![0xa1; 20]) };
    SaSpec { mode, cpi: Some(Spi(0x1234)), outer: Some(outer), ..spec(Direction::Outbound, SUITE) }
}

#[test]
fn each_layer_is_an_sa_of_its_own() {
    for mode in [Mode::Transport, Mode::Tunnel] {
        let spec = SaSpec { soft: Lifetime { seconds: 1, kilobytes: 1 }, ..nested(mode) };
        let states = spec.layers().map(|layer| super::state(&spec, &layer).expect("a good SA").take());
        let states: Vec<ModifyMessage> = states.collect();
        let seen: Vec<_> = states.iter().map(|it| (it.user_sa_info.id.proto, it.user_sa_info.id.spi)).collect();
        assert_eq!(seen, [(108, 0x1234), (50, spec.spi.0), (51, 0x4321)]);
        let modes: Vec<u8> = states.iter().map(|it| it.user_sa_info.mode).collect();
        assert_eq!(modes, if mode == Mode::Tunnel { [1, 0, 0] } else { [0, 0, 0] });
        // The main SA alone has a life; what is with it goes with it.
        let limits = states.iter().map(|it| it.user_sa_info.lifetime_cfg.soft_add_expires_seconds);
        assert_eq!(limits.collect::<Vec<_>>(), [0, 1, 0]);
        let [XfrmAttrs::CompressionAlg(algorithm)] = states[0].nlas.as_slice() else { panic!("{:?}", states[0].nlas) };
        assert!(algorithm.alg_name.starts_with(b"deflate\0") && algorithm.alg_key.is_empty());
        let [XfrmAttrs::AuthenticationAlgTrunc(algorithm)] = states[2].nlas.as_slice() else { panic!("AH") };
        assert_eq!(algorithm.alg_key, [0xa1; 20]);
        assert_eq!(
            states.iter().map(|it| name_of(&it.user_sa_info)).collect::<Vec<_>>(),
            spec.names().map(Some).collect::<Vec<_>>()
        );
    }
}

#[test]
fn templates_stand_from_the_inside_out_and_compression_is_optional_for_what_arrives() {
    let protocols = Protocols { compression: true, esp: true, ah: true };
    let endpoints = Some((ip("192.0.2.1"), ip("192.0.2.2")));
    let action = TrafficAction::Protect { protocols, mode: Mode::Tunnel, endpoints, inbound_passthrough: false };
    let of = TrafficPolicy { selector: telling_selector(), action, priority: 5, reqid: 7 };
    for (direction, optional) in [
        (PolicyDirection::Outbound, [0, 0, 0]),
        (PolicyDirection::Inbound, [1, 0, 0]),
        (PolicyDirection::Forward, [1, 0, 0]),
    ] {
        let message = policy(direction, &of, 1).expect("a good policy");
        let [XfrmAttrs::Template(templates)] = message.nlas.as_slice() else { panic!("{:?}", message.nlas) };
        assert_eq!(templates.iter().map(|it| it.id.proto).collect::<Vec<_>>(), [108, 50, 51]);
        assert_eq!(templates.iter().map(|it| it.mode).collect::<Vec<_>>(), [1, 0, 0]);
        assert_eq!(templates.iter().map(|it| it.optional).collect::<Vec<_>>(), optional);
        let ends: Vec<_> = templates.iter().map(|it| address(it.family, &it.id.daddr)).collect();
        let peer = if direction == PolicyDirection::Outbound { "192.0.2.2" } else { "192.0.2.1" };
        assert_eq!(ends, [Some(ip(peer)), Some(ip("0.0.0.0")), Some(ip("0.0.0.0"))]);
    }
}

#[test]
fn unused_keys_are_wiped() {
    let gcm = IpsecSuite::Esp { cipher: EspCipher::Aes128Gcm16, integrity: None };
    for suite in [SUITE, gcm] {
        let mut attributes = state(&spec(Direction::Outbound, suite)).expect("a good SA").take().nlas;
        assert!(!attributes.is_empty());
        super::wipe(&mut attributes);
        for attribute in attributes {
            let key = match attribute {
                XfrmAttrs::EncryptionAlg(alg) => alg.alg_key,
                XfrmAttrs::AuthenticationAlgTrunc(alg) => alg.alg_key,
                XfrmAttrs::EncryptionAlgAead(alg) => alg.alg_key,
                _ => panic!("no algorithm"),
            };
            assert!(key.is_empty());
        }
    }
}

#[test]
fn a_link_is_that_of_what_leaves() {
    let link = ikecore::address::Scope(7);
    let host = |text| Prefix::host(ip(text));
    let selector = Selector { scope: link, ..Selector::between(host("fe80::1"), host("fe80::2")) };
    let wanted = TrafficPolicy { selector, action: TrafficAction::Permit, priority: 5, reqid: 3 };
    for (direction, index) in
        [(PolicyDirection::Outbound, 7), (PolicyDirection::Inbound, 0), (PolicyDirection::Forward, 0)]
    {
        let installed = policy(direction, &wanted, 1).expect("a good policy").user_policy_info.selector;
        let named = policy_name(direction, &selector).expect("a good selector").user_policy_id.selector;
        assert_eq!((installed.ifindex, named), (index, installed), "{direction}");
    }
    for (direction, index) in [(Direction::Outbound, 7), (Direction::Inbound, 0)] {
        let (own, other) = (ip("fe80::1"), ip("fe80::2"));
        let (source, destination) = if direction == Direction::Inbound { (other, own) } else { (own, other) };
        let spec =
            SaSpec { selector, scope: link, source, destination, mode: Mode::Transport, ..spec(direction, SUITE) };
        assert_eq!(state(&spec).expect("a good SA").take().user_sa_info.selector.ifindex, index);
        let Err(refused) = state(&SaSpec { mode: Mode::Tunnel, ..spec }) else { panic!("a tunnel between them") };
        assert!(refused.contains("allowed: transport mode"), "{refused}");
    }
}
