//! The closed sets of algorithms that this daemon can run: what is left after the wire's open numbers were checked.
use crate::crypto::cipher::CipherAlg;
pub use crate::crypto::esp::{GcmIcvLen, Integrity};
use crate::crypto::group::Group;
use crate::crypto::hash::HashAlg;
use crate::wire::codes::{AuthenticationMethod, ProtocolId};
use core::fmt;
use core::ops::RangeInclusive;

/// What protects an ISAKMP SA (RFC 2409 §4: the four mandatory attributes).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IkeSuite {
    /// The cipher of encrypted messages.
    pub cipher: CipherAlg,
    /// The hash; the prf is HMAC with it.
    pub hash: HashAlg,
    /// The Diffie-Hellman group.
    pub group: Group,
    /// How the peers prove who they are.
    pub authentication: AuthenticationMethod,
}

impl IkeSuite {
    /// What an offer of main mode names; the rest is the authentication method's.
    pub const fn algorithms(&self) -> (CipherAlg, HashAlg, Group) {
        (self.cipher, self.hash, self.group)
    }
}

/// The cipher of an ESP SA.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum EspCipher {
    /// No encryption (RFC 2410).
    Null,
    /// DES in CBC mode (RFC 2405): within reach of anybody.
    DesCbc,
    /// Triple DES in CBC mode (RFC 2451).
    TripleDesCbc,
    /// AES in CBC mode (RFC 3602) with a 128-bit key.
    Aes128Cbc,
    /// AES in CBC mode with a 192-bit key.
    Aes192Cbc,
    /// AES in CBC mode with a 256-bit key.
    Aes256Cbc,
    /// Camellia in CBC mode (RFC 4312) with a 128-bit key.
    Camellia128Cbc,
    /// Camellia in CBC mode with a 192-bit key.
    Camellia192Cbc,
    /// Camellia in CBC mode with a 256-bit key.
    Camellia256Cbc,
    /// AES in counter mode (RFC 3686) with a 128-bit key.
    Aes128Ctr,
    /// AES in counter mode with a 192-bit key.
    Aes192Ctr,
    /// AES in counter mode with a 256-bit key.
    Aes256Ctr,
    /// AES in Galois/counter mode with an 8-octet ICV (RFC 4106) and a 128-bit key.
    Aes128Gcm8,
    /// AES-GCM-8 with a 192-bit key.
    Aes192Gcm8,
    /// AES-GCM-8 with a 256-bit key.
    Aes256Gcm8,
    /// AES-GCM with a 12-octet ICV and a 128-bit key.
    Aes128Gcm12,
    /// AES-GCM-12 with a 192-bit key.
    Aes192Gcm12,
    /// AES-GCM-12 with a 256-bit key.
    Aes256Gcm12,
    /// AES-GCM with a 16-octet ICV and a 128-bit key.
    Aes128Gcm16,
    /// AES-GCM-16 with a 192-bit key.
    Aes192Gcm16,
    /// AES-GCM-16 with a 256-bit key.
    Aes256Gcm16,
}

/// A cipher of ESP apart from the length of its key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EspAlgorithm {
    /// No encryption.
    Null,
    /// A block cipher in CBC mode.
    Cbc(CipherAlg),
    /// AES in counter mode.
    AesCtr,
    /// AES in Galois/counter mode, which authenticates, too.
    AesGcm(GcmIcvLen),
}

impl EspCipher {
    /// Every cipher.
    pub const ALL: [Self; 21] = [
        Self::Null,
        Self::DesCbc,
        Self::TripleDesCbc,
        Self::Aes128Cbc,
        Self::Aes192Cbc,
        Self::Aes256Cbc,
        Self::Camellia128Cbc,
        Self::Camellia192Cbc,
        Self::Camellia256Cbc,
        Self::Aes128Ctr,
        Self::Aes192Ctr,
        Self::Aes256Ctr,
        Self::Aes128Gcm8,
        Self::Aes192Gcm8,
        Self::Aes256Gcm8,
        Self::Aes128Gcm12,
        Self::Aes192Gcm12,
        Self::Aes256Gcm12,
        Self::Aes128Gcm16,
        Self::Aes192Gcm16,
        Self::Aes256Gcm16,
    ];

    /// The algorithm.
    pub const fn algorithm(self) -> EspAlgorithm {
        match self {
            Self::Null => EspAlgorithm::Null,
            Self::DesCbc => EspAlgorithm::Cbc(CipherAlg::Des),
            Self::TripleDesCbc => EspAlgorithm::Cbc(CipherAlg::TripleDes),
            Self::Aes128Cbc => EspAlgorithm::Cbc(CipherAlg::Aes128),
            Self::Aes192Cbc => EspAlgorithm::Cbc(CipherAlg::Aes192),
            Self::Aes256Cbc => EspAlgorithm::Cbc(CipherAlg::Aes256),
            Self::Camellia128Cbc => EspAlgorithm::Cbc(CipherAlg::Camellia128),
            Self::Camellia192Cbc => EspAlgorithm::Cbc(CipherAlg::Camellia192),
            Self::Camellia256Cbc => EspAlgorithm::Cbc(CipherAlg::Camellia256),
            Self::Aes128Ctr | Self::Aes192Ctr | Self::Aes256Ctr => EspAlgorithm::AesCtr,
            Self::Aes128Gcm8 | Self::Aes192Gcm8 | Self::Aes256Gcm8 => EspAlgorithm::AesGcm(GcmIcvLen::Eight),
            Self::Aes128Gcm12 | Self::Aes192Gcm12 | Self::Aes256Gcm12 => EspAlgorithm::AesGcm(GcmIcvLen::Twelve),
            Self::Aes128Gcm16 | Self::Aes192Gcm16 | Self::Aes256Gcm16 => EspAlgorithm::AesGcm(GcmIcvLen::Sixteen),
        }
    }

    /// True if this host's libcrypto offers the cipher, see [`CipherAlg::is_available`].
    pub fn is_available(self) -> bool {
        match self.algorithm() {
            EspAlgorithm::Cbc(alg) => alg.is_available(),
            EspAlgorithm::Null | EspAlgorithm::AesCtr | EspAlgorithm::AesGcm(_) => true,
        }
    }

    /// Octets of KEYMAT that the cipher takes; the 4 octets of nonce or salt of the counter modes included
    /// (RFC 3686 §5.1, RFC 4106 §8.1).
    pub const fn key_len(self) -> usize {
        match self {
            Self::Null => 0,
            Self::DesCbc => 8,
            Self::TripleDesCbc | Self::Aes192Cbc | Self::Camellia192Cbc => 24,
            Self::Aes128Cbc | Self::Camellia128Cbc => 16,
            Self::Aes256Cbc | Self::Camellia256Cbc => 32,
            Self::Aes128Ctr | Self::Aes128Gcm8 | Self::Aes128Gcm12 | Self::Aes128Gcm16 => 20,
            Self::Aes192Ctr | Self::Aes192Gcm8 | Self::Aes192Gcm12 | Self::Aes192Gcm16 => 28,
            Self::Aes256Ctr | Self::Aes256Gcm8 | Self::Aes256Gcm12 | Self::Aes256Gcm16 => 36,
        }
    }

    /// True if the cipher authenticates by itself, so that no integrity algorithm is negotiated.
    pub const fn is_aead(self) -> bool {
        matches!(self.algorithm(), EspAlgorithm::AesGcm(_))
    }

    /// The value of the Key Length attribute in bits, for ciphers of variable key length.
    pub const fn key_length_attribute(self) -> Option<u16> {
        match self {
            Self::Null | Self::DesCbc | Self::TripleDesCbc => None,
            Self::Camellia128Cbc
            | Self::Aes128Cbc
            | Self::Aes128Ctr
            | Self::Aes128Gcm8
            | Self::Aes128Gcm12
            | Self::Aes128Gcm16 => Some(128),
            Self::Camellia192Cbc
            | Self::Aes192Cbc
            | Self::Aes192Ctr
            | Self::Aes192Gcm8
            | Self::Aes192Gcm12
            | Self::Aes192Gcm16 => Some(192),
            Self::Camellia256Cbc
            | Self::Aes256Cbc
            | Self::Aes256Ctr
            | Self::Aes256Gcm8
            | Self::Aes256Gcm12
            | Self::Aes256Gcm16 => Some(256),
        }
    }

    /// The name for people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Null => "NULL",
            Self::DesCbc => "DES-CBC",
            Self::TripleDesCbc => "3DES-CBC",
            Self::Aes128Cbc => "AES-128-CBC",
            Self::Aes192Cbc => "AES-192-CBC",
            Self::Aes256Cbc => "AES-256-CBC",
            Self::Camellia128Cbc => "Camellia-128-CBC",
            Self::Camellia192Cbc => "Camellia-192-CBC",
            Self::Camellia256Cbc => "Camellia-256-CBC",
            Self::Aes128Ctr => "AES-128-CTR",
            Self::Aes192Ctr => "AES-192-CTR",
            Self::Aes256Ctr => "AES-256-CTR",
            Self::Aes128Gcm8 => "AES-128-GCM-8",
            Self::Aes192Gcm8 => "AES-192-GCM-8",
            Self::Aes256Gcm8 => "AES-256-GCM-8",
            Self::Aes128Gcm12 => "AES-128-GCM-12",
            Self::Aes192Gcm12 => "AES-192-GCM-12",
            Self::Aes256Gcm12 => "AES-256-GCM-12",
            Self::Aes128Gcm16 => "AES-128-GCM-16",
            Self::Aes192Gcm16 => "AES-192-GCM-16",
            Self::Aes256Gcm16 => "AES-256-GCM-16",
        }
    }
}

/// The algorithms of one IPsec SA.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum IpsecSuite {
    /// ESP (RFC 4303).
    Esp {
        /// The cipher.
        cipher: EspCipher,
        /// The integrity algorithm; `None` only with an AEAD cipher.
        integrity: Option<Integrity>,
    },
    /// AH (RFC 4302).
    Ah {
        /// The integrity algorithm.
        integrity: Integrity,
    },
}

impl IpsecSuite {
    /// Every suite that can be negotiated: those that [`Self::is_sound`].
    pub fn all() -> impl Iterator<Item = Self> {
        let integrities = || Integrity::ALL.into_iter().map(Some).chain([None]);
        let esp = EspCipher::ALL
            .into_iter()
            .flat_map(move |cipher| integrities().map(move |integrity| Self::Esp { cipher, integrity }));
        let ah = Integrity::ALL.into_iter().map(|integrity| Self::Ah { integrity });
        esp.chain(ah).filter(|suite| suite.is_sound())
    }

    /// False for what cannot be negotiated: an AEAD cipher with an integrity algorithm besides (RFC 4106 §1), and without
    /// one the NULL cipher (RFC 2407 §4.5, RFC 2410 §1) and counter mode, in which any change of the ciphertext is the
    /// same change of the clear text (RFC 3686 §3.3).
    pub const fn is_sound(self) -> bool {
        match self {
            Self::Esp { cipher, integrity: Some(_) } => !cipher.is_aead(),
            Self::Esp { cipher, integrity: None } => {
                !matches!(cipher.algorithm(), EspAlgorithm::Null | EspAlgorithm::AesCtr)
            }
            Self::Ah { .. } => true,
        }
    }

    /// ESP or AH.
    pub const fn protocol(self) -> ProtocolId {
        match self {
            Self::Esp { .. } => ProtocolId::ESP,
            Self::Ah { .. } => ProtocolId::AH,
        }
    }

    /// Octets of the encryption key; it comes first in KEYMAT.
    pub const fn encryption_key_len(self) -> usize {
        match self {
            Self::Esp { cipher, .. } => cipher.key_len(),
            Self::Ah { .. } => 0,
        }
    }

    /// Octets of the integrity key; it follows the encryption key in KEYMAT.
    pub const fn integrity_key_len(self) -> usize {
        match self {
            Self::Esp { integrity: Some(integrity), .. } | Self::Ah { integrity } => integrity.key_len(),
            Self::Esp { integrity: None, .. } => 0,
        }
    }
}

impl fmt::Display for IpsecSuite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Esp { cipher, integrity: Some(integrity) } => write!(f, "ESP {} {}", cipher.name(), integrity.name()),
            Self::Esp { cipher, integrity: None } if cipher.is_aead() => write!(f, "ESP {}", cipher.name()),
            Self::Esp { cipher, integrity: None } => write!(f, "ESP {} without integrity", cipher.name()),
            Self::Ah { integrity } => write!(f, "AH {}", integrity.name()),
        }
    }
}

/// The CPIs of IPComp that are negotiated; those below belong to IANA, those above to whoever agrees on them (RFC 3173 §3.3).
pub const CPIS: RangeInclusive<u32> = 256..=61_439;

/// What is done to a packet, all of it or nothing: the protection suite of RFC 2408 §2.1, of which each protocol has an SA of
/// its own. From the inside out: IPComp, the SA that every suite has, AH around it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ProtectionSuite {
    /// IPComp (RFC 3173) with DEFLATE (RFC 2394) comes first.
    pub compression: bool,
    /// ESP or AH: its SPI stands for the whole suite wherever one is told.
    pub main: IpsecSuite,
    /// AH around ESP; `None` if [`Self::main`] is AH itself.
    pub outer: Option<Integrity>,
}

/// One protocol of a [`ProtectionSuite`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Layer {
    /// IPComp with DEFLATE.
    Compression,
    /// ESP or AH.
    Sa(IpsecSuite),
}

/// Which protocols are applied to a packet.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Protocols {
    /// IPComp.
    pub compression: bool,
    /// ESP.
    pub esp: bool,
    /// AH; if not ESP, then this.
    pub ah: bool,
}

impl Protocols {
    /// ESP alone.
    pub const ESP: Self = Self { compression: false, esp: true, ah: false };
    /// AH alone.
    pub const AH: Self = Self { compression: false, esp: false, ah: true };

    /// From the inside out.
    pub fn iter(self) -> impl DoubleEndedIterator<Item = ProtocolId> {
        let all = [(self.compression, ProtocolId::IPCOMP), (self.esp, ProtocolId::ESP), (self.ah, ProtocolId::AH)];
        all.into_iter().filter_map(|(applied, protocol)| applied.then_some(protocol))
    }
}

impl fmt::Display for Protocols {
    /// From the outside in, as the headers stand.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, protocol) in self.iter().rev().enumerate() {
            write!(f, "{}{protocol}", if index == 0 { "" } else { " with " })?;
        }
        Ok(())
    }
}

impl Layer {
    /// IPComp, ESP or AH.
    pub const fn protocol(self) -> ProtocolId {
        match self {
            Self::Compression => ProtocolId::IPCOMP,
            Self::Sa(suite) => suite.protocol(),
        }
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Compression => f.write_str("IPComp DEFLATE"),
            Self::Sa(suite) => write!(f, "{suite}"),
        }
    }
}

impl IpsecSuite {
    /// Without IPComp and without AH around it.
    pub const fn alone(self) -> ProtectionSuite {
        ProtectionSuite { compression: false, main: self, outer: None }
    }
}

impl From<IpsecSuite> for ProtectionSuite {
    fn from(suite: IpsecSuite) -> Self {
        suite.alone()
    }
}

impl ProtectionSuite {
    /// From the inside out.
    pub fn layers(self) -> impl DoubleEndedIterator<Item = Layer> {
        let compression = self.compression.then_some(Layer::Compression);
        let outer = self.outer.map(|integrity| Layer::Sa(IpsecSuite::Ah { integrity }));
        compression.into_iter().chain([Layer::Sa(self.main)]).chain(outer)
    }

    /// Its protocols.
    pub const fn protocols(self) -> Protocols {
        let esp = matches!(self.main, IpsecSuite::Esp { .. });
        Protocols { compression: self.compression, esp, ah: !esp || self.outer.is_some() }
    }

    /// True if all packets are authenticated. If not, nothing tells a repeated or forged one from others: there can be neither
    /// an anti-replay window (RFC 4303 §3.4.3) nor extended sequence numbers, whose upper half only the ICV checks.
    pub const fn authenticates(self) -> bool {
        match self.main {
            IpsecSuite::Esp { cipher, integrity: None } => cipher.is_aead() || self.outer.is_some(),
            _ => true,
        }
    }

    /// True if its SAs can be negotiated: no AH around AH, and [`IpsecSuite::is_sound`].
    pub const fn is_sound(self) -> bool {
        self.main.is_sound() && (self.outer.is_none() || matches!(self.main, IpsecSuite::Esp { .. }))
    }
}

impl fmt::Display for ProtectionSuite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(integrity) = self.outer {
            write!(f, "AH {} with ", integrity.name())?;
        }
        write!(f, "{}", self.main)?;
        f.write_str(if self.compression { " with IPComp DEFLATE" } else { "" })
    }
}

/// Whether an IPsec SA protects the payload or the whole packet (RFC 4301 §4.1).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Mode {
    /// Between the two hosts themselves.
    Transport,
    /// Packets travel inside packets of the tunnel endpoints.
    Tunnel,
}

impl Mode {
    /// The one that it is not.
    pub const fn other(self) -> Self {
        match self {
            Self::Transport => Self::Tunnel,
            Self::Tunnel => Self::Transport,
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Transport => "transport",
            Self::Tunnel => "tunnel",
        })
    }
}

/// The life in seconds where neither side gives one (RFC 2407 §4.5).
pub const DEFAULT_LIFE_SECONDS: u32 = 28_800;

/// A limit of an SA's life; zero means no limit of that kind. On the wire a life of zero seconds is left out, which
/// the peer takes for [`DEFAULT_LIFE_SECONDS`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Lifetime {
    /// Seconds.
    pub seconds: u32,
    /// Kilobytes (1,024 octets) of protected traffic.
    pub kilobytes: u32,
}

impl Lifetime {
    /// The life that two sides agree on: of each kind the shorter limit, where a side that sets none does not count.
    /// `received` is what came in a transform. An SA without any limit in seconds lives [`DEFAULT_LIFE_SECONDS`].
    #[must_use]
    pub fn agreed(self, received: Self) -> Self {
        let received = received.effective();
        Self {
            seconds: shorter(self.seconds, received.seconds),
            kilobytes: shorter(self.kilobytes, received.kilobytes),
        }
    }

    /// What a transform's attributes mean: without seconds it is the default (RFC 2407 §4.5).
    pub(super) const fn effective(self) -> Self {
        match self.seconds {
            0 => Self { seconds: DEFAULT_LIFE_SECONDS, ..self },
            _ => self,
        }
    }
}

/// The lower of two limits, zero being none.
const fn shorter(one: u32, other: u32) -> u32 {
    match (one, other) {
        (0, limit) | (limit, 0) => limit,
        (one, other) if one < other => one,
        (_, other) => other,
    }
}

impl fmt::Display for Lifetime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.seconds, self.kilobytes) {
            (0, 0) => f.write_str("unlimited"),
            (seconds, 0) => write!(f, "{seconds} s"),
            (0, kilobytes) => write!(f, "{kilobytes} kB"),
            (seconds, kilobytes) => write!(f, "{seconds} s, {kilobytes} kB"),
        }
    }
}

#[cfg(test)]
mod tests;
