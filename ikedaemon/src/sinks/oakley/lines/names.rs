//! Algorithms and addresses in the words of this log.
use ikecore::crypto::cipher::CipherAlg;
use ikecore::crypto::hash::HashAlg;
use ikecore::event::Context;
use ikecore::policy::selector::Prefix;
use ikecore::proposal::suite::{EspCipher, Integrity, IpsecSuite, Layer, ProtectionSuite};
use ikecore::wire::{
    AuthenticationAlgorithm, AuthenticationMethod, EncapsulationMode, EncryptionAlgorithm, ExchangeType, HashAlgorithm,
    PayloadType,
};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The handle of an ISAKMP SA in packet lines.
pub(super) fn packet_sa(context: &Context) -> String {
    format!("0x{:08x}", context.ike_sa.map_or(0, |sa| sa.0))
}

/// The handle of an ISAKMP SA elsewhere.
pub(super) fn sa(context: &Context) -> String {
    format!("{:x}", context.ike_sa.map_or(0, |sa| sa.0))
}

/// The handle of a quick mode and of the SAs that it made.
pub(super) fn centry(context: &Context) -> String {
    format!("{:x}", context.ipsec_sa.map_or(0, |sa| sa.0))
}

/// `a.b.c.d.500`.
pub(super) fn with_port(address: Option<SocketAddr>) -> String {
    let address = address.unwrap_or_else(|| SocketAddr::from(([0; 4], 0)));
    format!("{}.{}", address.ip(), address.port())
}

/// `a.b.c.d.0500`.
pub(super) fn with_padded_port(address: Option<SocketAddr>) -> String {
    let address = address.unwrap_or_else(|| SocketAddr::from(([0; 4], 0)));
    padded(address.ip(), address.port())
}

/// `a.b.c.d.0500`.
pub(super) fn padded(address: IpAddr, port: u16) -> String {
    format!("{address}.{port:04}")
}

/// The address alone; `0.0.0.0` where there is none.
pub(super) fn ip(address: Option<SocketAddr>) -> IpAddr {
    address.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |address| address.ip())
}

/// The mask of a block of addresses.
pub(super) fn mask(prefix: Prefix) -> IpAddr {
    let len = u32::from(prefix.prefix_len());
    match prefix.address() {
        IpAddr::V4(_) => Ipv4Addr::from(!u32::MAX.checked_shr(len).unwrap_or(0)).into(),
        IpAddr::V6(_) => Ipv6Addr::from(!u128::MAX.checked_shr(len).unwrap_or(0)).into(),
    }
}

pub(super) const fn cipher(cipher: CipherAlg) -> &'static str {
    match cipher {
        CipherAlg::Des => "DES CBC",
        CipherAlg::TripleDes => "Triple DES CBC",
        CipherAlg::Aes128 => "AES CBC 128",
        CipherAlg::Aes192 => "AES CBC 192",
        CipherAlg::Aes256 => "AES CBC 256",
        CipherAlg::Camellia128 => "Camellia CBC 128",
        CipherAlg::Camellia192 => "Camellia CBC 192",
        CipherAlg::Camellia256 => "Camellia CBC 256",
    }
}

pub(super) const fn hash(hash: HashAlg) -> &'static str {
    match hash {
        HashAlg::Md5 => "MD5",
        HashAlg::Sha1 => "SHA",
        HashAlg::Sha256 => "SHA256",
        HashAlg::Sha384 => "SHA384",
        HashAlg::Sha512 => "SHA512",
    }
}

const fn integrity(integrity: Integrity) -> &'static str {
    match integrity {
        Integrity::HmacMd5_96 => hash(HashAlg::Md5),
        Integrity::HmacSha1_96 => hash(HashAlg::Sha1),
        Integrity::HmacSha256_128 => hash(HashAlg::Sha256),
        Integrity::HmacSha256_96 => "SHA256-96",
        Integrity::HmacSha384_192 => hash(HashAlg::Sha384),
        Integrity::HmacSha512_256 => hash(HashAlg::Sha512),
        Integrity::AesXcbc96 => "AES XCBC",
    }
}

const fn esp(cipher: EspCipher) -> &'static str {
    match cipher {
        EspCipher::Null => "NULL",
        EspCipher::DesCbc => "DES CBC",
        EspCipher::TripleDesCbc => "Triple DES CBC",
        EspCipher::Aes128Cbc => "AES CBC 128",
        EspCipher::Aes192Cbc => "AES CBC 192",
        EspCipher::Aes256Cbc => "AES CBC 256",
        EspCipher::Camellia128Cbc => "Camellia CBC 128",
        EspCipher::Camellia192Cbc => "Camellia CBC 192",
        EspCipher::Camellia256Cbc => "Camellia CBC 256",
        EspCipher::Aes128Ctr => "AES CTR 128",
        EspCipher::Aes192Ctr => "AES CTR 192",
        EspCipher::Aes256Ctr => "AES CTR 256",
        EspCipher::Aes128Gcm8 => "AES GCM 128 ICV 8",
        EspCipher::Aes192Gcm8 => "AES GCM 192 ICV 8",
        EspCipher::Aes256Gcm8 => "AES GCM 256 ICV 8",
        EspCipher::Aes128Gcm12 => "AES GCM 128 ICV 12",
        EspCipher::Aes192Gcm12 => "AES GCM 192 ICV 12",
        EspCipher::Aes256Gcm12 => "AES GCM 256 ICV 12",
        EspCipher::Aes128Gcm16 => "AES GCM 128",
        EspCipher::Aes192Gcm16 => "AES GCM 192",
        EspCipher::Aes256Gcm16 => "AES GCM 256",
    }
}

/// ` Algo[0] Operation: ESP Algo: Triple DES CBC HMAC: SHA`, one for each protocol, from the inside out.
pub(super) fn operation(suite: ProtectionSuite) -> String {
    suite.layers().enumerate().fold(String::new(), |line, (index, layer)| {
        let what = match layer {
            Layer::Compression => "IPComp Algo: DEFLATE".to_owned(),
            Layer::Sa(IpsecSuite::Esp { cipher, integrity: hmac }) => {
                format!("ESP Algo: {} HMAC: {}", esp(cipher), hmac.map_or("none", integrity))
            }
            Layer::Sa(IpsecSuite::Ah { integrity: hmac }) => format!("AH Algo: {}", integrity(hmac)),
        };
        format!("{line} Algo[{index}] Operation: {what}")
    })
}

/// A name of this log with the number, or the name that the number has in its registry.
fn numbered(name: Option<&'static str>, number: u64, other: Option<&'static str>) -> String {
    format!("{}({number})", name.or(other).unwrap_or("unknown"))
}

pub(super) fn encryption(code: EncryptionAlgorithm) -> String {
    let name = match code {
        EncryptionAlgorithm::DES_CBC => Some("DES CBC"),
        EncryptionAlgorithm::TRIPLE_DES_CBC => Some("Triple DES CBC"),
        EncryptionAlgorithm::AES_CBC => Some("AES CBC"),
        _ => None,
    };
    numbered(name, code.0.into(), code.name())
}

pub(super) fn hash_code(code: HashAlgorithm) -> String {
    numbered(None, code.0.into(), code.name())
}

pub(super) fn authentication(code: AuthenticationMethod) -> String {
    let name = match code {
        AuthenticationMethod::PRE_SHARED_KEY => Some("Preshared Key"),
        AuthenticationMethod::RSA_SIGNATURES => Some("RSA Signature with Certificates"),
        _ => None,
    };
    numbered(name, code.0.into(), code.name())
}

pub(super) fn encapsulation(code: EncapsulationMode) -> String {
    let name = match code {
        EncapsulationMode::TUNNEL => Some("Tunnel Mode"),
        EncapsulationMode::TRANSPORT => Some("Transport Mode"),
        _ => None,
    };
    numbered(name, code.0.into(), code.name())
}

pub(super) fn hmac(code: AuthenticationAlgorithm) -> String {
    let name = match code {
        AuthenticationAlgorithm::HMAC_MD5 => Some("MD5"),
        AuthenticationAlgorithm::HMAC_SHA => Some("SHA"),
        _ => None,
    };
    numbered(name, code.0.into(), code.name())
}

/// The exchange as the header block names it.
pub(super) fn exchange(code: ExchangeType) -> String {
    match code {
        ExchangeType::MAIN => "Oakley Main Mode".to_owned(),
        ExchangeType::QUICK => "Oakley Quick Mode".to_owned(),
        ExchangeType::AGGRESSIVE => "Oakley Aggressive Mode".to_owned(),
        ExchangeType::NEW_GROUP => "Oakley New Group Mode".to_owned(),
        ExchangeType::INFORMATIONAL => "ISAKMP Informational Exchange".to_owned(),
        other => other.to_string(),
    }
}

/// A payload as `next payload:` and `processing payload` name it.
pub(super) fn payload(code: PayloadType) -> String {
    let name = match code {
        PayloadType::CERTREQ => "CRP",
        PayloadType::NOTIFY => "NOTIFY",
        PayloadType::DELETE => "DELETE",
        PayloadType::VENDOR => "VENDOR ID",
        PayloadType::NAT_D | PayloadType::NAT_D_DRAFT => "NATDISC",
        PayloadType::NAT_OA | PayloadType::NAT_OA_DRAFT => "NATOA",
        PayloadType::ATTRIBUTES => "CONFIG",
        PayloadType::FRAGMENT => "FRAGMENT",
        other => return other.name().map_or_else(|| format!("unknown ({})", other.0), ToOwned::to_owned),
    };
    name.to_owned()
}

/// Octets in lower-case hexadecimal.
pub(super) fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}
