//! Codes of the IPsec domain of interpretation (RFC 2407 and the registry that grew from it).
use super::isakmp::ProtocolId;
use core::fmt;

code! {
    /// The situation of an SA payload: a bit mask (RFC 2407 §4.2).
    Situation(u32) {
        IDENTITY_ONLY = 1 "SIT_IDENTITY_ONLY",
        SECRECY = 2 "SIT_SECRECY",
        INTEGRITY = 4 "SIT_INTEGRITY",
    }
}

code! {
    /// A cipher of ESP (RFC 2407 §4.4.4, RFC 3602, RFC 3686, RFC 4106, RFC 4309, RFC 4543).
    EspTransform(u8) {
        DES_IV64 = 1 "ESP_DES_IV64",
        DES = 2 "ESP_DES",
        TRIPLE_DES = 3 "ESP_3DES",
        RC5 = 4 "ESP_RC5",
        IDEA = 5 "ESP_IDEA",
        CAST = 6 "ESP_CAST",
        BLOWFISH = 7 "ESP_BLOWFISH",
        TRIPLE_IDEA = 8 "ESP_3IDEA",
        DES_IV32 = 9 "ESP_DES_IV32",
        RC4 = 10 "ESP_RC4",
        NULL = 11 "ESP_NULL",
        AES_CBC = 12 "ESP_AES-CBC",
        AES_CTR = 13 "ESP_AES-CTR",
        AES_CCM_8 = 14 "ESP_AES-CCM_8",
        AES_CCM_12 = 15 "ESP_AES-CCM_12",
        AES_CCM_16 = 16 "ESP_AES-CCM_16",
        AES_GCM_8 = 18 "ESP_AES-GCM_8",
        AES_GCM_12 = 19 "ESP_AES-GCM_12",
        AES_GCM_16 = 20 "ESP_AES-GCM_16",
        SEED_CBC = 21 "ESP_SEED_CBC",
        CAMELLIA = 22 "ESP_CAMELLIA",
        NULL_AUTH_AES_GMAC = 23 "ESP_NULL_AUTH_AES-GMAC",
    }
}

code! {
    /// A transform of AH (RFC 2407 §4.4.3, RFC 4868, RFC 4543).
    AhTransform(u8) {
        MD5 = 2 "AH_MD5",
        SHA = 3 "AH_SHA",
        DES = 4 "AH_DES",
        SHA2_256 = 5 "AH_SHA2-256",
        SHA2_384 = 6 "AH_SHA2-384",
        SHA2_512 = 7 "AH_SHA2-512",
        RIPEMD = 8 "AH_RIPEMD",
        AES_XCBC_MAC = 9 "AH_AES-XCBC-MAC",
        RSA = 10 "AH_RSA",
        AES_128_GMAC = 11 "AH_AES-128-GMAC",
        AES_192_GMAC = 12 "AH_AES-192-GMAC",
        AES_256_GMAC = 13 "AH_AES-256-GMAC",
    }
}

code! {
    /// A compression of IPComp (RFC 2407 §4.4.5).
    IpcompTransform(u8) {
        OUI = 1 "IPCOMP_OUI",
        DEFLATE = 2 "IPCOMP_DEFLATE",
        LZS = 3 "IPCOMP_LZS",
        LZJH = 4 "IPCOMP_LZJH",
    }
}

code! {
    /// An attribute of an IPsec transform (RFC 2407 §4.5; RFC 4304 for 11).
    IpsecAttribute(u16) {
        LIFE_TYPE = 1 "SA Life Type",
        LIFE_DURATION = 2 "SA Life Duration",
        GROUP_DESCRIPTION = 3 "Group Description",
        ENCAPSULATION_MODE = 4 "Encapsulation Mode",
        AUTHENTICATION_ALGORITHM = 5 "Authentication Algorithm",
        KEY_LENGTH = 6 "Key Length",
        KEY_ROUNDS = 7 "Key Rounds",
        COMPRESS_DICTIONARY_SIZE = 8 "Compress Dictionary Size",
        COMPRESS_PRIVATE_ALGORITHM = 9 "Compress Private Algorithm",
        ECN_TUNNEL = 10 "ECN Tunnel",
        EXTENDED_SEQUENCE_NUMBER = 11 "Extended (64-bit) Sequence Number",
    }
}

code! {
    /// How packets are wrapped (RFC 2407 §4.5, RFC 3947 §5.1; its drafts for 61443 and 61444).
    EncapsulationMode(u16) {
        TUNNEL = 1 "Tunnel",
        TRANSPORT = 2 "Transport",
        UDP_TUNNEL = 3 "UDP-Encapsulated-Tunnel",
        UDP_TRANSPORT = 4 "UDP-Encapsulated-Transport",
        UDP_TUNNEL_DRAFT = 61443 "UDP-Encapsulated-Tunnel draft",
        UDP_TRANSPORT_DRAFT = 61444 "UDP-Encapsulated-Transport draft",
    }
}

code! {
    /// An integrity algorithm of ESP or AH (RFC 2407 §4.5, RFC 4868 §4, RFC 3566, RFC 4543).
    AuthenticationAlgorithm(u16) {
        HMAC_MD5 = 1 "HMAC-MD5",
        HMAC_SHA = 2 "HMAC-SHA",
        DES_MAC = 3 "DES-MAC",
        KPDK = 4 "KPDK",
        HMAC_SHA2_256 = 5 "HMAC-SHA2-256",
        HMAC_SHA2_384 = 6 "HMAC-SHA2-384",
        HMAC_SHA2_512 = 7 "HMAC-SHA2-512",
        HMAC_RIPEMD = 8 "HMAC-RIPEMD",
        AES_XCBC_MAC = 9 "AES-XCBC-MAC",
        SIG_RSA = 10 "SIG-RSA",
        AES_128_GMAC = 11 "AES-128-GMAC",
        AES_192_GMAC = 12 "AES-192-GMAC",
        AES_256_GMAC = 13 "AES-256-GMAC",
    }
}

code! {
    /// The value of [`IpsecAttribute::EXTENDED_SEQUENCE_NUMBER`] (RFC 4304 §2).
    ExtendedSequenceNumber(u16) {
        SHORT = 0 "32-bit",
        EXTENDED = 1 "64-bit",
    }
}

code! {
    /// The kind of an identity (RFC 2407 §4.6.2.1).
    IdType(u8) {
        IPV4_ADDR = 1 "ID_IPV4_ADDR",
        FQDN = 2 "ID_FQDN",
        USER_FQDN = 3 "ID_USER_FQDN",
        IPV4_ADDR_SUBNET = 4 "ID_IPV4_ADDR_SUBNET",
        IPV6_ADDR = 5 "ID_IPV6_ADDR",
        IPV6_ADDR_SUBNET = 6 "ID_IPV6_ADDR_SUBNET",
        IPV4_ADDR_RANGE = 7 "ID_IPV4_ADDR_RANGE",
        IPV6_ADDR_RANGE = 8 "ID_IPV6_ADDR_RANGE",
        DER_ASN1_DN = 9 "ID_DER_ASN1_DN",
        DER_ASN1_GN = 10 "ID_DER_ASN1_GN",
        KEY_ID = 11 "ID_KEY_ID",
    }
}

/// A transform ID, whose number space is its proposal's protocol's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct TransformId(pub(crate) ProtocolId, pub(crate) u8);

impl fmt::Display for TransformId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            ProtocolId::ISAKMP => fmt::Display::fmt(&super::IkeTransform(self.1), f),
            ProtocolId::AH => fmt::Display::fmt(&AhTransform(self.1), f),
            ProtocolId::ESP => fmt::Display::fmt(&EspTransform(self.1), f),
            ProtocolId::IPCOMP => fmt::Display::fmt(&IpcompTransform(self.1), f),
            _ => write!(f, "unknown ({})", self.1),
        }
    }
}
