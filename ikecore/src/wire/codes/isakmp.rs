//! Codes of ISAKMP itself (RFC 2408) and of its extensions: NAT traversal, fragmentation, dead peer detection.
use core::fmt;

code! {
    /// A payload's type: the Next Payload field (RFC 2408 §3.1; RFC 3947 §9; drafts of it for 130 and 131).
    PayloadType(u8) {
        NONE = 0 "NONE",
        SA = 1 "SA",
        PROPOSAL = 2 "P",
        TRANSFORM = 3 "T",
        KE = 4 "KE",
        ID = 5 "ID",
        CERT = 6 "CERT",
        CERTREQ = 7 "CR",
        HASH = 8 "HASH",
        SIG = 9 "SIG",
        NONCE = 10 "NONCE",
        NOTIFY = 11 "N",
        DELETE = 12 "D",
        VENDOR = 13 "VID",
        ATTRIBUTES = 14 "ATTR",
        NAT_D = 20 "NAT-D",
        NAT_OA = 21 "NAT-OA",
        GSS = 129 "GSS",
        NAT_D_DRAFT = 130 "NAT-D draft",
        NAT_OA_DRAFT = 131 "NAT-OA draft",
        FRAGMENT = 132 "FRAGMENT",
    }
}

impl Default for PayloadType {
    /// [`Self::NONE`]: no payload.
    fn default() -> Self {
        Self::NONE
    }
}

impl PayloadType {
    /// True for the numbers left to private use, 128 to 255 (RFC 2408 §3.1).
    pub const fn is_private(self) -> bool {
        self.0 >= 128
    }

    /// True for NAT-D in either number space (RFC 3947 §9; 130 in the drafts).
    pub const fn is_nat_d(self) -> bool {
        matches!(self, Self::NAT_D | Self::NAT_D_DRAFT)
    }

    /// True for NAT-OA in either number space (RFC 3947 §9; 131 in the drafts).
    pub const fn is_nat_oa(self) -> bool {
        matches!(self, Self::NAT_OA | Self::NAT_OA_DRAFT)
    }
}

code! {
    /// The exchange type of the ISAKMP header (RFC 2408 §3.1; RFC 2409 Appendix A for 32 and 33).
    ExchangeType(u8) {
        NONE = 0 "NONE",
        BASE = 1 "Base",
        MAIN = 2 "Main Mode",
        AUTH_ONLY = 3 "Authentication Only",
        AGGRESSIVE = 4 "Aggressive Mode",
        INFORMATIONAL = 5 "Informational",
        TRANSACTION = 6 "Transaction",
        QUICK = 32 "Quick Mode",
        NEW_GROUP = 33 "New Group Mode",
    }
}

/// The flags of the ISAKMP header (RFC 2408 §3.1), as received: unknown bits are kept.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Flags(pub u8);

impl Flags {
    /// No flag.
    pub const NONE: Self = Self(0);
    /// E: what follows the header is encrypted.
    pub const ENCRYPTION: Self = Self(1);
    /// C: wait for CONNECTED before using the SA.
    pub const COMMIT: Self = Self(2);
    /// A: authenticated, not encrypted; only for informational exchanges with key recovery.
    pub const AUTHENTICATION: Self = Self(4);
    /// Every bit that has a meaning.
    pub const KNOWN: Self = Self(7);

    /// True if every flag of `other` is set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The flags of both.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The flags of `self` without those of `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// The names of the set flags, as in `E C (3)`; `none (0)` for none. `None` if a bit without a meaning is set.
    pub const fn name(self) -> Option<&'static str> {
        match self.0 {
            0 => Some("none"),
            1 => Some("E"),
            2 => Some("C"),
            3 => Some("E C"),
            4 => Some("A"),
            5 => Some("E A"),
            6 => Some("C A"),
            7 => Some("E C A"),
            _ => None,
        }
    }
}

impl fmt::Display for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name().unwrap_or("unknown"), self.0)
    }
}

impl fmt::Debug for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Flags({})", self.0)
    }
}

code! {
    /// The domain of interpretation (RFC 2408 §3.4, RFC 2407 §4.2).
    Doi(u32) {
        ISAKMP = 0 "ISAKMP",
        IPSEC = 1 "IPSEC",
        GDOI = 2 "GDOI",
    }
}

code! {
    /// A security protocol (RFC 2407 §4.4.1).
    ProtocolId(u8) {
        NONE = 0 "NONE",
        ISAKMP = 1 "ISAKMP",
        AH = 2 "AH",
        ESP = 3 "ESP",
        IPCOMP = 4 "IPCOMP",
    }
}

code! {
    /// The transform ID of an ISAKMP proposal (RFC 2407 §4.4.2).
    IkeTransform(u8) {
        KEY_IKE = 1 "KEY_IKE",
    }
}

code! {
    /// The encoding of a certificate or certificate request (RFC 2408 §3.9).
    CertEncoding(u8) {
        NONE = 0 "NONE",
        PKCS7 = 1 "PKCS #7 wrapped X.509",
        PGP = 2 "PGP",
        DNS_SIGNED_KEY = 3 "DNS Signed Key",
        X509_SIGNATURE = 4 "X.509 - Signature",
        X509_KEY_EXCHANGE = 5 "X.509 - Key Exchange",
        KERBEROS = 6 "Kerberos Tokens",
        CRL = 7 "CRL",
        ARL = 8 "ARL",
        SPKI = 9 "SPKI",
        X509_ATTRIBUTE = 10 "X.509 - Attribute",
    }
}

code! {
    /// A notification (RFC 2408 §3.14.1, RFC 2407 §4.6.3, RFC 3706 §5.1; 40003 to 40005 are Microsoft's).
    NotifyType(u16) {
        INVALID_PAYLOAD_TYPE = 1 "INVALID-PAYLOAD-TYPE",
        DOI_NOT_SUPPORTED = 2 "DOI-NOT-SUPPORTED",
        SITUATION_NOT_SUPPORTED = 3 "SITUATION-NOT-SUPPORTED",
        INVALID_COOKIE = 4 "INVALID-COOKIE",
        INVALID_MAJOR_VERSION = 5 "INVALID-MAJOR-VERSION",
        INVALID_MINOR_VERSION = 6 "INVALID-MINOR-VERSION",
        INVALID_EXCHANGE_TYPE = 7 "INVALID-EXCHANGE-TYPE",
        INVALID_FLAGS = 8 "INVALID-FLAGS",
        INVALID_MESSAGE_ID = 9 "INVALID-MESSAGE-ID",
        INVALID_PROTOCOL_ID = 10 "INVALID-PROTOCOL-ID",
        INVALID_SPI = 11 "INVALID-SPI",
        INVALID_TRANSFORM_ID = 12 "INVALID-TRANSFORM-ID",
        ATTRIBUTES_NOT_SUPPORTED = 13 "ATTRIBUTES-NOT-SUPPORTED",
        NO_PROPOSAL_CHOSEN = 14 "NO-PROPOSAL-CHOSEN",
        BAD_PROPOSAL_SYNTAX = 15 "BAD-PROPOSAL-SYNTAX",
        PAYLOAD_MALFORMED = 16 "PAYLOAD-MALFORMED",
        INVALID_KEY_INFORMATION = 17 "INVALID-KEY-INFORMATION",
        INVALID_ID_INFORMATION = 18 "INVALID-ID-INFORMATION",
        INVALID_CERT_ENCODING = 19 "INVALID-CERT-ENCODING",
        INVALID_CERTIFICATE = 20 "INVALID-CERTIFICATE",
        CERT_TYPE_UNSUPPORTED = 21 "CERT-TYPE-UNSUPPORTED",
        INVALID_CERT_AUTHORITY = 22 "INVALID-CERT-AUTHORITY",
        INVALID_HASH_INFORMATION = 23 "INVALID-HASH-INFORMATION",
        AUTHENTICATION_FAILED = 24 "AUTHENTICATION-FAILED",
        INVALID_SIGNATURE = 25 "INVALID-SIGNATURE",
        ADDRESS_NOTIFICATION = 26 "ADDRESS-NOTIFICATION",
        NOTIFY_SA_LIFETIME = 27 "NOTIFY-SA-LIFETIME",
        CERTIFICATE_UNAVAILABLE = 28 "CERTIFICATE-UNAVAILABLE",
        UNSUPPORTED_EXCHANGE_TYPE = 29 "UNSUPPORTED-EXCHANGE-TYPE",
        UNEQUAL_PAYLOAD_LENGTHS = 30 "UNEQUAL-PAYLOAD-LENGTHS",
        CONNECTED = 16384 "CONNECTED",
        RESPONDER_LIFETIME = 24576 "RESPONDER-LIFETIME",
        REPLAY_STATUS = 24577 "REPLAY-STATUS",
        INITIAL_CONTACT = 24578 "INITIAL-CONTACT",
        R_U_THERE = 36136 "R-U-THERE",
        R_U_THERE_ACK = 36137 "R-U-THERE-ACK",
        MS_STATUS = 40003 "NOTIFY_STATUS",
        MS_DOS_COOKIE = 40004 "NOTIFY_DOS_COOKIE",
        MS_EXCHANGE_INFO = 40005 "EXCHANGE_INFO",
    }
}

impl NotifyType {
    /// True for the numbers of errors, 1 to 16383 (RFC 2408 §3.14.1).
    pub const fn is_error(self) -> bool {
        self.0 >= 1 && self.0 <= 16383
    }
}
