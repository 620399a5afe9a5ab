//! The wire's numbers of the algorithms, and the names of both for people.
use super::suite::{EspAlgorithm, EspCipher, IpsecSuite, Layer, ProtectionSuite};
use crate::crypto::cipher::CipherAlg;
use crate::crypto::esp::{GcmIcvLen, Integrity};
use crate::crypto::group::Group;
use crate::crypto::hash::HashAlg;
use crate::wire::codes::{
    AhTransform, AuthenticationAlgorithm, EncryptionAlgorithm, EspTransform, GroupDescription, HashAlgorithm,
    IkeTransform, IpcompTransform, ProtocolId,
};

/// Encryption Algorithm and, for ciphers of variable key length, Key Length in bits (RFC 2409 Appendix A).
pub(super) const fn encryption(cipher: CipherAlg) -> (EncryptionAlgorithm, Option<u16>) {
    match cipher {
        CipherAlg::Des => (EncryptionAlgorithm::DES_CBC, None),
        CipherAlg::TripleDes => (EncryptionAlgorithm::TRIPLE_DES_CBC, None),
        // RFC 3602 §5.3: the Key Length must be specified in both phases.
        CipherAlg::Aes128 => (EncryptionAlgorithm::AES_CBC, Some(128)),
        CipherAlg::Aes192 => (EncryptionAlgorithm::AES_CBC, Some(192)),
        CipherAlg::Aes256 => (EncryptionAlgorithm::AES_CBC, Some(256)),
        // RFC 4312 §3: likewise.
        CipherAlg::Camellia128 => (EncryptionAlgorithm::CAMELLIA_CBC, Some(128)),
        CipherAlg::Camellia192 => (EncryptionAlgorithm::CAMELLIA_CBC, Some(192)),
        CipherAlg::Camellia256 => (EncryptionAlgorithm::CAMELLIA_CBC, Some(256)),
    }
}

/// Hash Algorithm (RFC 2409 Appendix A, RFC 4868 §4).
pub(super) const fn hash(hash: HashAlg) -> HashAlgorithm {
    match hash {
        HashAlg::Md5 => HashAlgorithm::MD5,
        HashAlg::Sha1 => HashAlgorithm::SHA,
        HashAlg::Sha256 => HashAlgorithm::SHA2_256,
        HashAlg::Sha384 => HashAlgorithm::SHA2_384,
        HashAlg::Sha512 => HashAlgorithm::SHA2_512,
    }
}

/// What a transform for an IPsec SA says of the algorithms.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct IpsecCodes {
    /// Protocol-ID of the proposal.
    pub(super) protocol: ProtocolId,
    /// Transform-ID.
    pub(super) transform: u8,
    /// Key Length in bits, for ciphers of variable key length.
    pub(super) key_length: Option<u16>,
    /// Authentication Algorithm.
    pub(super) authentication: Option<AuthenticationAlgorithm>,
}

impl ProtectionSuite {
    /// True if nothing on the wire tells the two apart: a peer that is offered one cannot know that it is not the other.
    pub fn looks_like(self, other: Self) -> bool {
        self.layers().map(IpsecCodes::of).eq(other.layers().map(IpsecCodes::of))
    }
}

impl IpsecCodes {
    pub(super) const fn of(layer: Layer) -> Self {
        match layer {
            // RFC 2394 §3.1: DEFLATE has no parameters.
            Layer::Compression => Self {
                protocol: ProtocolId::IPCOMP,
                transform: IpcompTransform::DEFLATE.0,
                key_length: None,
                authentication: None,
            },
            Layer::Sa(IpsecSuite::Esp { cipher, integrity }) => Self {
                protocol: ProtocolId::ESP,
                transform: esp_transform(cipher).0,
                key_length: cipher.key_length_attribute(),
                // RFC 2407 §4.5: ESP without authentication must not have the attribute.
                authentication: match integrity {
                    Some(integrity) => Some(authentication(integrity)),
                    None => None,
                },
            },
            Layer::Sa(IpsecSuite::Ah { integrity }) => Self {
                protocol: ProtocolId::AH,
                transform: ah_transform(integrity).0,
                key_length: None,
                // RFC 2407 §4.4.3: the attribute must agree with the transform.
                authentication: Some(authentication(integrity)),
            },
        }
    }
}

/// ESP's Transform-ID (RFC 2407 §4.4.4, RFC 3602, RFC 3686, RFC 4106, RFC 4312).
pub(super) const fn esp_transform(cipher: EspCipher) -> EspTransform {
    match cipher.algorithm() {
        EspAlgorithm::Null => EspTransform::NULL,
        EspAlgorithm::Cbc(CipherAlg::Des) => EspTransform::DES,
        EspAlgorithm::Cbc(CipherAlg::TripleDes) => EspTransform::TRIPLE_DES,
        EspAlgorithm::Cbc(CipherAlg::Aes128 | CipherAlg::Aes192 | CipherAlg::Aes256) => EspTransform::AES_CBC,
        EspAlgorithm::Cbc(CipherAlg::Camellia128 | CipherAlg::Camellia192 | CipherAlg::Camellia256) => {
            EspTransform::CAMELLIA
        }
        EspAlgorithm::AesCtr => EspTransform::AES_CTR,
        EspAlgorithm::AesGcm(GcmIcvLen::Eight) => EspTransform::AES_GCM_8,
        EspAlgorithm::AesGcm(GcmIcvLen::Twelve) => EspTransform::AES_GCM_12,
        EspAlgorithm::AesGcm(GcmIcvLen::Sixteen) => EspTransform::AES_GCM_16,
    }
}

/// AH's Transform-ID (RFC 2407 §4.4.3, RFC 4868, RFC 3566).
const fn ah_transform(integrity: Integrity) -> AhTransform {
    match integrity {
        Integrity::HmacMd5_96 => AhTransform::MD5,
        Integrity::HmacSha1_96 => AhTransform::SHA,
        Integrity::HmacSha256_128 | Integrity::HmacSha256_96 => AhTransform::SHA2_256,
        Integrity::HmacSha384_192 => AhTransform::SHA2_384,
        Integrity::HmacSha512_256 => AhTransform::SHA2_512,
        Integrity::AesXcbc96 => AhTransform::AES_XCBC_MAC,
    }
}

/// Authentication Algorithm (RFC 2407 §4.5, RFC 4868 §4, RFC 3566 §5).
const fn authentication(integrity: Integrity) -> AuthenticationAlgorithm {
    match integrity {
        Integrity::HmacMd5_96 => AuthenticationAlgorithm::HMAC_MD5,
        Integrity::HmacSha1_96 => AuthenticationAlgorithm::HMAC_SHA,
        // How far the value is cut is not negotiated: both have RFC 4868's number.
        Integrity::HmacSha256_128 | Integrity::HmacSha256_96 => AuthenticationAlgorithm::HMAC_SHA2_256,
        Integrity::HmacSha384_192 => AuthenticationAlgorithm::HMAC_SHA2_384,
        Integrity::HmacSha512_256 => AuthenticationAlgorithm::HMAC_SHA2_512,
        Integrity::AesXcbc96 => AuthenticationAlgorithm::AES_XCBC_MAC,
    }
}

/// A Transform-ID by name; its number space is the protocol's.
pub(super) fn transform_name(protocol: ProtocolId, id: u8) -> String {
    match protocol {
        ProtocolId::ISAKMP => IkeTransform(id).to_string(),
        ProtocolId::ESP => EspTransform(id).to_string(),
        ProtocolId::AH => AhTransform(id).to_string(),
        ProtocolId::IPCOMP => IpcompTransform(id).to_string(),
        _ => id.to_string(),
    }
}

/// A group's name with its number, also of groups that this daemon does not run.
pub(super) fn group_name(id: u16) -> String {
    Group::try_from(id).map_or_else(|_| GroupDescription(id).to_string(), |group| group.name().to_owned())
}
