//! The lines of Wireshark's tables.
use ikecore::crypto::cipher::CipherAlg;
use ikecore::endpoint::key_log::EspKey;
use ikecore::ids::Cookie;
use ikecore::proposal::suite::{EspAlgorithm, EspCipher, GcmIcvLen, Integrity};
use ikecore::secret::Secret;
use std::fmt::Write as _;
use std::net::IpAddr;
use zeroize::Zeroizing;

/// A line of the table of ISAKMP SAs: the initiator's cookie and the key.
pub(super) fn isakmp(initiator: Cookie, key: &Secret<Vec<u8>>) -> Zeroizing<String> {
    Zeroizing::new(format!("{initiator},{}\n", hexadecimal(key).as_str()))
}

/// A line of the table of ESP SAs; `None` where Wireshark does not know the cipher.
pub(super) fn esp(key: &EspKey) -> Option<Zeroizing<String>> {
    let family = if key.destination.is_ipv4() { "IPv4" } else { "IPv6" };
    // A NAT changes the addresses on the way, and may do so again: then any will do.
    let address = |address: IpAddr| if key.encapsulated { "*".to_owned() } else { address.to_string() };
    let number = |key: &Secret<Vec<u8>>| {
        let digits = hexadecimal(key);
        Zeroizing::new(if digits.is_empty() { String::new() } else { format!("0x{}", digits.as_str()) })
    };
    Some(Zeroizing::new(format!(
        "\"{family}\",\"{}\",\"{}\",\"{}\",\"{}\",\"{}\",\"{}\",\"{}\"\n",
        address(key.source),
        address(key.destination),
        key.spi,
        encryption(key.cipher)?,
        number(&key.encryption_key).as_str(),
        key.integrity.map_or("NULL", authentication),
        number(&key.integrity_key).as_str(),
    )))
}

fn hexadecimal(key: &Secret<Vec<u8>>) -> Zeroizing<String> {
    // All of it at once: a string that grows leaves copies behind.
    let mut digits = Zeroizing::new(String::with_capacity(key.expose().len() * 2));
    for octet in key.expose() {
        // A string takes everything.
        let _ = write!(digits, "{octet:02x}");
    }
    digits
}

/// The cipher as Wireshark names it.
pub(super) const fn encryption(cipher: EspCipher) -> Option<&'static str> {
    Some(match cipher.algorithm() {
        EspAlgorithm::Null => "NULL",
        EspAlgorithm::Cbc(CipherAlg::Des) => "DES-CBC [RFC2405]",
        EspAlgorithm::Cbc(CipherAlg::TripleDes) => "TripleDES-CBC [RFC2451]",
        EspAlgorithm::Cbc(CipherAlg::Aes128 | CipherAlg::Aes192 | CipherAlg::Aes256) => "AES-CBC [RFC3602]",
        EspAlgorithm::Cbc(CipherAlg::Camellia128 | CipherAlg::Camellia192 | CipherAlg::Camellia256) => return None,
        EspAlgorithm::AesCtr => "AES-CTR [RFC3686]",
        EspAlgorithm::AesGcm(GcmIcvLen::Eight) => "AES-GCM with 8 octet ICV [RFC4106]",
        EspAlgorithm::AesGcm(GcmIcvLen::Twelve) => "AES-GCM with 12 octet ICV [RFC4106]",
        EspAlgorithm::AesGcm(GcmIcvLen::Sixteen) => "AES-GCM with 16 octet ICV [RFC4106]",
    })
}

/// The integrity algorithm as Wireshark names it.
pub(super) const fn authentication(integrity: Integrity) -> &'static str {
    match integrity {
        Integrity::HmacMd5_96 => "HMAC-MD5-96 [RFC2403]",
        Integrity::HmacSha1_96 => "HMAC-SHA-1-96 [RFC2404]",
        Integrity::HmacSha256_128 => "HMAC-SHA-256-128 [RFC4868]",
        Integrity::HmacSha256_96 => "HMAC-SHA-256-96 [draft-ietf-ipsec-ciph-sha-256-00]",
        Integrity::HmacSha384_192 => "HMAC-SHA-384-192 [RFC4868]",
        Integrity::HmacSha512_256 => "HMAC-SHA-512-256 [RFC4868]",
        // Wireshark has no AES-XCBC-MAC, but deciphers what it does not check.
        Integrity::AesXcbc96 => "ANY 96 bit authentication [no checking]",
    }
}
