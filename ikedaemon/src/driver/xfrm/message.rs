//! The kernel's structures from those of the contract, and back.
use super::mark;
use crate::driver::policy_table::PolicyDirection;
use ikecore::address::Scope;
use ikecore::crypto::cipher::CipherAlg;
use ikecore::ids::Spi;
use ikecore::policy::selector::Selector;
use ikecore::proposal::suite::{
    CPIS, EspAlgorithm, EspCipher, GcmIcvLen, Integrity, IpsecSuite, Layer, Lifetime, Mode,
};
use ikecore::sa::driver::{Direction, SaLayer, SaName, SaSpec, TrafficAction, TrafficPolicy, UdpEncapsulation};
use ikecore::wire::codes::ProtocolId;
use netlink_packet_xfrm as kernel;
use netlink_packet_xfrm::policy::{DelGetMessage as PolicyName, ModifyMessage as PolicyMessage};
use netlink_packet_xfrm::state::{AllocSpiMessage, DelGetMessage as StateName, ModifyMessage as StateMessage};
use netlink_packet_xfrm::{Address, XfrmAttrs};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use zeroize::Zeroize as _;

#[cfg(test)]
mod tests;

/// SPIs that the kernel may choose. The high ones leave room below for SAs that people install by hand.
const SPIS: (u32, u32) = (0xc000_0000, 0xcfff_ffff);
/// The narrowest one with extended sequence numbers: RFC 4303 §3.4.3 has no narrower.
const NARROWEST_WINDOW: u32 = 32;
/// The widest anti-replay window of the kernel, in packets (`XFRMA_REPLAY_ESN_MAX` words).
const WIDEST_WINDOW: u32 = 4096 * 32;

/// An SA with its keys, which are wiped if it goes unused.
pub(super) struct Keyed(StateMessage);

impl Keyed {
    /// The message. Whoever takes it has to wipe it.
    pub(super) fn take(mut self) -> StateMessage {
        std::mem::take(&mut self.0)
    }

    /// The attributes, to add or to leave out some that are no keys.
    pub(super) const fn attributes(&mut self) -> &mut Vec<XfrmAttrs> {
        &mut self.0.nlas
    }
}

impl Drop for Keyed {
    fn drop(&mut self) {
        wipe(&mut self.0.nlas);
    }
}

/// Wipes the keys among attributes.
pub(super) fn wipe(attributes: &mut [XfrmAttrs]) {
    for attribute in attributes {
        match attribute {
            XfrmAttrs::EncryptionAlg(alg) => alg.alg_key.zeroize(),
            XfrmAttrs::AuthenticationAlgTrunc(alg) => alg.alg_key.zeroize(),
            XfrmAttrs::EncryptionAlgAead(alg) => alg.alg_key.zeroize(),
            _ => {}
        }
    }
}

/// `AF_INET` or `AF_INET6`.
pub(super) const fn family(address: IpAddr) -> u16 {
    match address {
        IpAddr::V4(_) => kernel::AF_INET,
        IpAddr::V6(_) => kernel::AF_INET6,
    }
}

/// The address in a kernel structure of the given family.
pub(super) fn address(family: u16, address: &Address) -> Option<IpAddr> {
    match family {
        kernel::AF_INET => address.addr.first_chunk::<4>().map(|octets| Ipv4Addr::from(*octets).into()),
        kernel::AF_INET6 => Some(Ipv6Addr::from(address.addr).into()),
        _ => None,
    }
}

/// The IP protocol number of an IPsec protocol.
fn ip_protocol(protocol: ProtocolId) -> Result<u8, String> {
    match protocol {
        ProtocolId::ESP => Ok(kernel::IPPROTO_ESP),
        ProtocolId::AH => Ok(kernel::IPPROTO_AH),
        ProtocolId::IPCOMP => Ok(kernel::IPPROTO_COMP),
        other => Err(format!("protocol {other} has no SAs here, allowed: ESP, AH, IPCOMP")),
    }
}

/// The IPsec protocol of an IP protocol number.
pub(super) const fn ipsec_protocol(number: u8) -> Option<ProtocolId> {
    match number {
        kernel::IPPROTO_ESP => Some(ProtocolId::ESP),
        kernel::IPPROTO_AH => Some(ProtocolId::AH),
        kernel::IPPROTO_COMP => Some(ProtocolId::IPCOMP),
        _ => None,
    }
}

const fn mode(mode: Mode) -> u8 {
    match mode {
        Mode::Transport => kernel::XFRM_MODE_TRANSPORT,
        Mode::Tunnel => kernel::XFRM_MODE_TUNNEL,
    }
}

/// The name of an SA, for deletion and look-up.
pub(super) fn state_name(name: SaName) -> Result<StateName, String> {
    let user_sa_id = kernel::UserSaId {
        daddr: Address::from_ip(&name.destination),
        spi: name.spi.0,
        family: family(name.destination),
        proto: ip_protocol(name.protocol)?,
    };
    Ok(StateName { user_sa_id, nlas: Vec::new() })
}

/// The request for an SPI.
pub(super) fn alloc_spi(
    protocol: ProtocolId,
    source: IpAddr,
    destination: IpAddr,
    of_mode: Mode,
    reqid: u32,
) -> Result<AllocSpiMessage, String> {
    same_family(source, destination)?;
    let mut info = kernel::UserSaInfo {
        saddr: Address::from_ip(&source),
        family: family(destination),
        mode: mode(of_mode),
        reqid: mark::reqid(reqid)?,
        ..kernel::UserSaInfo::default()
    };
    info.id.daddr = Address::from_ip(&destination);
    info.id.proto = ip_protocol(protocol)?;
    let (min, max) = if protocol == ProtocolId::IPCOMP { CPIS.into_inner() } else { SPIS };
    Ok(AllocSpiMessage { spi_info: kernel::UserSpiInfo { info, min, max }, nlas: Vec::new() })
}

/// One layer of a direction, with its keys.
pub(super) fn state(spec: &SaSpec, layer: &SaLayer<'_>) -> Result<Keyed, String> {
    same_family(spec.source, spec.destination)?;
    if spec.scope != Scope::ANY && spec.mode == Mode::Tunnel {
        return Err(
            "the kernel has no tunnels between link-local addresses: it would look for the way to the other end \
                    without the link; allowed: transport mode"
                .to_owned(),
        );
    }
    let protocol = ip_protocol(layer.layer.protocol())?;
    let main = layer.layer == Layer::Sa(spec.suite);
    // One life for all: it ends with that of the main SA.
    let (soft, hard) = if main { (spec.soft, spec.hard) } else { Default::default() };
    let mut info = kernel::UserSaInfo {
        selector: selector(&spec.selector, spec.direction == Direction::Outbound)?,
        saddr: Address::from_ip(&spec.source),
        lifetime_cfg: lifetime(soft, hard),
        family: family(spec.destination),
        mode: mode(layer.mode),
        reqid: mark::reqid(spec.reqid)?,
        ..kernel::UserSaInfo::default()
    };
    info.id = kernel::Id { daddr: Address::from_ip(&spec.destination), spi: layer.spi.0, proto: protocol };
    if protocol == kernel::IPPROTO_AH && spec.destination.is_ipv4() {
        // RFC 4302 §3.3.3.2.1: in IPv4 the ICV is padded to 32 bits; the kernel's default is 64.
        info.flags |= kernel::XFRM_STATE_ALIGN4;
    }
    let mut keyed = Keyed(StateMessage { user_sa_info: info, nlas: algorithms(layer)? });
    let StateMessage { user_sa_info: info, nlas } = &mut keyed.0;
    if layer.layer == Layer::Compression {
        // It has no sequence numbers.
        return Ok(keyed);
    }
    let extended = spec.extended_sequence_numbers;
    if extended {
        info.flags |= kernel::XFRM_STATE_ESN;
    }
    match spec.replay_window {
        window if window > WIDEST_WINDOW => {
            return Err(format!("anti-replay window {window} is too wide, allowed: 0 to {WIDEST_WINDOW}"));
        }
        // The kernel keeps the upper half of a number beside a window, and wants one in both directions.
        window if extended => nlas.push(XfrmAttrs::ReplayStateEsn(wide_window(window.max(NARROWEST_WINDOW)))),
        // The sender keeps no window: it only counts.
        _ if spec.direction == Direction::Outbound => {}
        window @ 0..=32 => info.replay_window = u8::try_from(window).unwrap_or(32),
        window => nlas.push(XfrmAttrs::ReplayStateEsn(wide_window(window))),
    }
    if let Some(encapsulation) = spec.encapsulation {
        if protocol == kernel::IPPROTO_AH {
            // RFC 3948 defines no AH in UDP: a NAT breaks AH in any case.
            return Err("AH cannot be encapsulated in UDP".to_owned());
        }
        nlas.push(XfrmAttrs::EncapsulationTemplate(encapsulation_template(encapsulation)));
    }
    Ok(keyed)
}

const fn encapsulation_template(encapsulation: UdpEncapsulation) -> kernel::EncapTmpl {
    kernel::EncapTmpl {
        encap_type: kernel::UDP_ENCAP_ESPINUDP,
        encap_sport: encapsulation.source_port,
        encap_dport: encapsulation.destination_port,
        encap_oa: Address { addr: [0; 16] },
    }
}

/// A window of any width, and a number of 64 bits; without the flag for extended sequence numbers it is for ordinary ones.
fn wide_window(window: u32) -> kernel::ReplayEsn {
    let words = window.div_ceil(32);
    kernel::ReplayEsn {
        bmp_len: words,
        replay_window: window,
        bmp: (0..words).map(|_| 0).collect(),
        ..kernel::ReplayEsn::default()
    }
}

fn algorithms(layer: &SaLayer<'_>) -> Result<Vec<XfrmAttrs>, String> {
    let (encryption, integrity) = (layer.encryption_key, layer.integrity_key);
    let suite = match layer.layer {
        Layer::Sa(suite) => suite,
        Layer::Compression => {
            let deflate = kernel::Alg { alg_name: name("deflate"), alg_key_len: 0, alg_key: Vec::new() };
            return Ok(vec![XfrmAttrs::CompressionAlg(deflate)]);
        }
    };
    for (of, key, wanted) in
        [("encryption", encryption, suite.encryption_key_len()), ("integrity", integrity, suite.integrity_key_len())]
    {
        if key.len() != wanted {
            return Err(format!("the {of} key of {suite} has {} octets, allowed: {wanted}", key.len()));
        }
    }
    match suite {
        IpsecSuite::Ah { integrity: alg } => Ok(vec![authentication(alg, integrity)]),
        IpsecSuite::Esp { cipher, integrity: Some(alg) } if !cipher.is_aead() => {
            Ok(vec![encrypt(cipher, encryption), authentication(alg, integrity)])
        }
        suite @ IpsecSuite::Esp { cipher, integrity: None } if suite.is_sound() => {
            Ok(vec![encrypt(cipher, encryption)])
        }
        suite @ IpsecSuite::Esp { .. } => {
            Err(format!("{suite}: an AEAD cipher goes without integrity algorithm, NULL and counter mode with one"))
        }
    }
}

fn encrypt(cipher: EspCipher, key: &[u8]) -> XfrmAttrs {
    let plain = |alg| {
        XfrmAttrs::EncryptionAlg(kernel::Alg { alg_name: name(alg), alg_key_len: bits(key), alg_key: key.to_vec() })
    };
    let aead = |icv_len: GcmIcvLen| {
        XfrmAttrs::EncryptionAlgAead(kernel::AlgAead {
            alg_name: name("rfc4106(gcm(aes))"),
            alg_key_len: bits(key),
            alg_icv_len: icv_bits(icv_len.octets()),
            alg_key: key.to_vec(),
        })
    };
    match cipher.algorithm() {
        EspAlgorithm::Null => plain("ecb(cipher_null)"),
        EspAlgorithm::Cbc(CipherAlg::Des) => plain("cbc(des)"),
        EspAlgorithm::Cbc(CipherAlg::TripleDes) => plain("cbc(des3_ede)"),
        EspAlgorithm::Cbc(CipherAlg::Aes128 | CipherAlg::Aes192 | CipherAlg::Aes256) => plain("cbc(aes)"),
        EspAlgorithm::Cbc(CipherAlg::Camellia128 | CipherAlg::Camellia192 | CipherAlg::Camellia256) => {
            plain("cbc(camellia)")
        }
        EspAlgorithm::AesCtr => plain("rfc3686(ctr(aes))"),
        EspAlgorithm::AesGcm(icv_len) => aead(icv_len),
    }
}

fn authentication(integrity: Integrity, key: &[u8]) -> XfrmAttrs {
    let algorithm = match integrity {
        Integrity::HmacMd5_96 => "hmac(md5)",
        Integrity::HmacSha1_96 => "hmac(sha1)",
        Integrity::HmacSha256_128 | Integrity::HmacSha256_96 => "hmac(sha256)",
        Integrity::HmacSha384_192 => "hmac(sha384)",
        Integrity::HmacSha512_256 => "hmac(sha512)",
        Integrity::AesXcbc96 => "xcbc(aes)",
    };
    // The kernel's own default for SHA-256 is 96 bits, which no RFC has: the length is always named.
    XfrmAttrs::AuthenticationAlgTrunc(kernel::AlgAuth {
        alg_name: name(algorithm),
        alg_key_len: bits(key),
        alg_trunc_len: icv_bits(integrity.icv_len()),
        alg_key: key.to_vec(),
    })
}

fn icv_bits(octets: usize) -> u32 {
    u32::try_from(octets * 8).unwrap_or(u32::MAX)
}

fn bits(key: &[u8]) -> u32 {
    u32::try_from(key.len() * 8).unwrap_or(u32::MAX)
}

/// A name in the kernel's field of 64 octets.
fn name(text: &str) -> [u8; 64] {
    let mut field = [0; 64];
    field.iter_mut().zip(text.bytes()).for_each(|(octet, value)| *octet = value);
    field
}

fn lifetime(soft: Lifetime, hard: Lifetime) -> kernel::LifetimeConfig {
    let bytes = |limit: Lifetime| match limit.kilobytes {
        0 => kernel::XFRM_INF,
        kilobytes => u64::from(kilobytes) * 1024,
    };
    kernel::LifetimeConfig {
        soft_byte_limit: bytes(soft),
        hard_byte_limit: bytes(hard),
        // Zero is no limit for the kernel, too.
        soft_add_expires_seconds: soft.seconds.into(),
        hard_add_expires_seconds: hard.seconds.into(),
        ..kernel::LifetimeConfig::default()
    }
}

/// A selector in the kernel's order: source, then destination.
fn selector(selector: &Selector, outbound: bool) -> Result<kernel::Selector, String> {
    same_family(selector.local.address(), selector.remote.address())?;
    let (local, remote) = ((selector.local, selector.local_port), (selector.remote, selector.remote_port));
    let ((source, source_port), (destination, destination_port)) =
        if outbound { (local, remote) } else { (remote, local) };
    let mask = |port| if port == 0 { 0 } else { u16::MAX };
    Ok(kernel::Selector {
        daddr: Address::from_ip(&destination.address()),
        saddr: Address::from_ip(&source.address()),
        dport: destination_port,
        dport_mask: mask(destination_port),
        sport: source_port,
        sport_mask: mask(source_port),
        family: family(source.address()),
        prefixlen_d: destination.prefix_len(),
        prefixlen_s: source.prefix_len(),
        proto: selector.protocol,
        // For packets that arrive here the kernel compares it with the loopback interface.
        ifindex: if outbound { selector.scope.0.cast_signed() } else { 0 },
        user: 0,
    })
}

const fn direction(direction: PolicyDirection) -> u8 {
    match direction {
        PolicyDirection::Inbound => kernel::XFRM_POLICY_IN,
        PolicyDirection::Outbound => kernel::XFRM_POLICY_OUT,
        PolicyDirection::Forward => kernel::XFRM_POLICY_FWD,
    }
}

/// A policy; `count` makes its index.
pub(super) fn policy(to: PolicyDirection, policy: &TrafficPolicy, count: u32) -> Result<PolicyMessage, String> {
    let outbound = to == PolicyDirection::Outbound;
    let user_policy_info = kernel::UserPolicyInfo {
        selector: selector(&policy.selector, outbound)?,
        priority: policy.priority,
        index: mark::index(count, direction(to)),
        direction: direction(to),
        action: match policy.action {
            TrafficAction::Permit | TrafficAction::Protect { .. } => kernel::XFRM_POLICY_ALLOW,
            TrafficAction::Block => kernel::XFRM_POLICY_BLOCK,
        },
        ..kernel::UserPolicyInfo::default()
    };
    let mut nlas = Vec::new();
    if let TrafficAction::Protect { protocols, mode: of_mode, endpoints, inbound_passthrough } = policy.action {
        let mut templates = Vec::new();
        // One for all links, when packets arrive: any reqid.
        let of_all_links = !outbound && policy.selector.scope != Scope::ANY;
        let reqid = if of_all_links { 0 } else { mark::reqid(policy.reqid)? };
        // From the inside out: the innermost makes the tunnel, the others protect its packets.
        for (index, protocol) in protocols.iter().enumerate() {
            let of_mode = if index == 0 { of_mode } else { Mode::Transport };
            // RFC 3173 §2.2: what would not become shorter comes without IPComp.
            let optional = inbound_passthrough || protocol == ProtocolId::IPCOMP;
            let mut template = kernel::UserTemplate {
                family: endpoints.map_or_else(|| family(policy.selector.local.address()), |(local, _)| family(local)),
                reqid,
                mode: mode(of_mode),
                optional: u8::from(optional && !outbound),
                ..kernel::UserTemplate::default()
            };
            template.id.proto = ip_protocol(protocol)?;
            if let (Mode::Tunnel, Some((local, remote))) = (of_mode, endpoints) {
                same_family(local, remote)?;
                let (source, destination) = if outbound { (local, remote) } else { (remote, local) };
                template.saddr = Address::from_ip(&source);
                template.id.daddr = Address::from_ip(&destination);
            }
            templates.push(template);
        }
        match (of_mode, endpoints) {
            (Mode::Transport, Some(_)) => return Err("a policy in transport mode has no endpoints".to_owned()),
            (Mode::Tunnel, None) => return Err("a policy in tunnel mode needs its endpoints".to_owned()),
            _ => nlas.push(XfrmAttrs::Template(templates)),
        }
    }
    Ok(PolicyMessage { user_policy_info, nlas })
}

/// The name of a policy, for deletion.
pub(super) fn policy_name(to: PolicyDirection, of: &Selector) -> Result<PolicyName, String> {
    let user_policy_id = kernel::UserPolicyId {
        selector: selector(of, to == PolicyDirection::Outbound)?,
        index: 0,
        direction: direction(to),
    };
    Ok(PolicyName { user_policy_id, nlas: Vec::new() })
}

/// The name of the SA that a kernel structure describes.
pub(super) fn name_of(info: &kernel::UserSaInfo) -> Option<SaName> {
    Some(SaName {
        protocol: ipsec_protocol(info.id.proto)?,
        destination: address(info.family, &info.id.daddr)?,
        spi: Spi(info.id.spi),
    })
}

fn same_family(one: IpAddr, other: IpAddr) -> Result<(), String> {
    if one.is_ipv4() == other.is_ipv4() { Ok(()) } else { Err(format!("{one} and {other} are not of one family")) }
}
