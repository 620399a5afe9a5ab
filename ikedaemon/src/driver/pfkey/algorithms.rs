//! The numbers of algorithms in PF_KEY, and which the kernel has.
use super::codec::{ExtensionType, Message};
use ikecore::crypto::cipher::CipherAlg;
use ikecore::crypto::esp::{GcmIcvLen, Integrity};
use ikecore::proposal::suite::{EspAlgorithm, EspCipher, IpsecSuite, Layer};
use ikecore::wire::codes::ProtocolId;
use std::collections::BTreeSet;

/// No encryption of its own (RFC 2367 §3.5): AH.
const ENCRYPTION_NONE: u8 = 0;
/// SADB_X_CALG_DEFLATE: that of the IPsec DOI (RFC 2407 §4.4.5), in the place of the cipher.
const DEFLATE: u8 = 2;
/// No integrity algorithm: AEAD ciphers and ESP without integrity.
const INTEGRITY_NONE: u8 = 0;

/// The numbers of a suite.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct SuiteNumbers {
    /// SADB_AALG_*.
    pub(super) integrity: u8,
    /// SADB_EALG_*.
    pub(super) encryption: u8,
}

/// A suite that cannot be had.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(super) enum AlgorithmError {
    /// It protects nothing, or authenticates twice.
    #[error("{0} is no suite for an SA")]
    Unsound(IpsecSuite),
    /// The kernel does not list it.
    #[error("this kernel offers no {name} (number {number}) over PF_KEY")]
    Missing {
        /// For people.
        name: &'static str,
        /// In PF_KEY.
        number: u8,
    },
    /// The kernel lists it but means something else.
    #[error(
        "Linux cuts the integrity check value of {0} to 96 bits when told over PF_KEY, and RFC 4868 demands 128: allowed: \
         {cut}, sha256_96 in policy files, with a peer that does the same",
        cut = Integrity::HmacSha256_96.name()
    )]
    Truncation(&'static str),
    /// PF_KEY has no way to say it.
    #[error("PF_KEY has no extended sequence numbers, allowed: those of 32 bits")]
    ExtendedSequenceNumbers,
    /// The kernel has no AH.
    #[error("this kernel offers no AH over PF_KEY")]
    NoAh,
}

/// What the kernel offered in its answer to REGISTER.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Supported {
    integrity: BTreeSet<u8>,
    encryption: BTreeSet<u8>,
    /// True if AH could be registered.
    pub(super) ah: bool,
}

impl Supported {
    /// From the answers for ESP and for AH.
    pub(super) fn new(esp: &Message, ah: Option<&Message>) -> Self {
        let numbers = |kind| esp.supported(kind).iter().map(|algorithm| algorithm.id).collect();
        Self {
            integrity: numbers(ExtensionType::SUPPORTED_AUTH),
            encryption: numbers(ExtensionType::SUPPORTED_ENCRYPT),
            ah: ah.is_some(),
        }
    }

    /// The numbers of `layer`, if the kernel has its algorithms. It does not list those of IPComp, and refuses what it has not.
    pub(super) fn numbers(&self, layer: Layer) -> Result<SuiteNumbers, AlgorithmError> {
        let suite = match layer {
            Layer::Sa(suite) => suite,
            Layer::Compression => return Ok(SuiteNumbers { integrity: INTEGRITY_NONE, encryption: DEFLATE }),
        };
        if suite.protocol() == ProtocolId::AH && !self.ah {
            return Err(AlgorithmError::NoAh);
        }
        let (cipher, integrity) = match suite {
            IpsecSuite::Esp { cipher, integrity } => (Some(cipher), integrity),
            IpsecSuite::Ah { integrity } => (None, Some(integrity)),
        };
        if !suite.is_sound() {
            return Err(AlgorithmError::Unsound(suite));
        }
        let encryption = match cipher.map(|cipher| (cipher, encryption_number(cipher))) {
            None => ENCRYPTION_NONE,
            Some((_, number)) if self.encryption.contains(&number) => number,
            Some((cipher, number)) => return Err(AlgorithmError::Missing { name: cipher.name(), number }),
        };
        let integrity = match integrity.map(|integrity| (integrity, integrity_number(integrity))) {
            None => INTEGRITY_NONE,
            Some((Integrity::HmacSha256_128, _)) => {
                return Err(AlgorithmError::Truncation(Integrity::HmacSha256_128.name()));
            }
            Some((_, number)) if self.integrity.contains(&number) => number,
            Some((integrity, number)) => return Err(AlgorithmError::Missing { name: integrity.name(), number }),
        };
        Ok(SuiteNumbers { integrity, encryption })
    }
}

/// SADB_EALG_*: those of the IPsec DOI (RFC 2407 §4.4.4).
const fn encryption_number(cipher: EspCipher) -> u8 {
    match cipher.algorithm() {
        EspAlgorithm::Cbc(CipherAlg::Des) => 2,
        EspAlgorithm::Cbc(CipherAlg::TripleDes) => 3,
        EspAlgorithm::Null => 11,
        EspAlgorithm::Cbc(CipherAlg::Aes128 | CipherAlg::Aes192 | CipherAlg::Aes256) => 12,
        EspAlgorithm::AesCtr => 13,
        EspAlgorithm::AesGcm(GcmIcvLen::Eight) => 18,
        EspAlgorithm::AesGcm(GcmIcvLen::Twelve) => 19,
        EspAlgorithm::AesGcm(GcmIcvLen::Sixteen) => 20,
        EspAlgorithm::Cbc(CipherAlg::Camellia128 | CipherAlg::Camellia192 | CipherAlg::Camellia256) => 22,
    }
}

/// SADB_AALG_*: those of AH in the IPsec DOI (RFC 2407 §4.4.3).
const fn integrity_number(integrity: Integrity) -> u8 {
    match integrity {
        Integrity::HmacMd5_96 => 2,
        Integrity::HmacSha1_96 => 3,
        Integrity::HmacSha256_128 | Integrity::HmacSha256_96 => 5,
        Integrity::HmacSha384_192 => 6,
        Integrity::HmacSha512_256 => 7,
        Integrity::AesXcbc96 => 9,
    }
}
