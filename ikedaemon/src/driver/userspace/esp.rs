//! ESP itself (RFC 4303): from a payload to the octets behind the IP header, and back.
use ikecore::crypto::cipher::CipherKey;
use ikecore::crypto::error::CryptoError;
use ikecore::crypto::esp::{AesCtr, AesGcm, GcmIcvLen, IcvKey, Integrity};
use ikecore::ids::Spi;
use ikecore::proposal::suite::{EspAlgorithm, EspCipher, IpsecSuite};
use zeroize::Zeroize as _;

#[cfg(test)]
mod tests;

/// Octets of SPI and sequence number.
const HEADER: usize = 8;
/// Octets of an explicit IV of AES-GCM (RFC 4106 §3.1).
const GCM_IV: usize = 8;
/// Octets of the salt, the end of AES-GCM's keying material (RFC 4106 §8.1).
const GCM_SALT: usize = 4;

/// The number of a packet (RFC 4303 §2.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sequence {
    /// All of it is in the packet.
    Short(u32),
    /// The packet has the lower half; the upper one is authenticated with it.
    Extended(u64),
}

impl Sequence {
    /// What the packet has.
    pub(super) const fn lower(self) -> [u8; 4] {
        match self {
            Self::Short(number) => number.to_be_bytes(),
            Self::Extended(number) => {
                let [_, _, _, _, lower @ ..] = number.to_be_bytes();
                lower
            }
        }
    }

    /// What is authenticated besides.
    pub(super) fn upper(self) -> Vec<u8> {
        match self {
            Self::Short(_) => Vec::new(),
            Self::Extended(number) => number.to_be_bytes().into_iter().take(4).collect(),
        }
    }
}

/// The algorithms of one SA with their keys.
#[derive(Debug)]
pub enum Transform {
    /// A cipher and an integrity algorithm, either of which can be missing.
    Combined {
        /// The cipher's key.
        cipher: Cipher,
        /// The integrity algorithm's key; without one nothing is authenticated (RFC 4303 §3.2.2).
        integrity: Option<IcvKey>,
    },
    /// AES-GCM (RFC 4106).
    Gcm {
        /// The key.
        key: AesGcm,
        /// The first octets of every nonce.
        salt: [u8; GCM_SALT],
    },
}

/// A cipher that does not authenticate, with its key.
#[derive(Debug)]
pub enum Cipher {
    /// NULL (RFC 2410).
    Null,
    /// A block cipher in CBC mode.
    Cbc(CipherKey),
    /// AES in counter mode (RFC 3686).
    Ctr {
        /// The key.
        key: AesCtr,
        /// The first octets of every counter block.
        nonce: [u8; AesCtr::NONCE_LEN],
    },
}

impl Cipher {
    const fn iv_len(&self) -> usize {
        match self {
            Self::Null => 0,
            Self::Cbc(key) => key.alg().block_len(),
            Self::Ctr { .. } => AesCtr::IV_LEN,
        }
    }

    fn encrypt(&self, iv: &[u8], text: &mut [u8]) -> Result<(), CryptoError> {
        match self {
            Self::Null => Ok(()),
            Self::Cbc(key) => key.encrypt(iv, text),
            Self::Ctr { key, nonce } => key.apply(nonce, iv, text),
        }
    }

    fn decrypt(&self, iv: &[u8], text: &mut [u8]) -> Result<(), CryptoError> {
        match self {
            Self::Null => Ok(()),
            Self::Cbc(key) => key.decrypt(iv, text),
            Self::Ctr { key, nonce } => key.apply(nonce, iv, text),
        }
    }
}

impl Drop for Cipher {
    fn drop(&mut self) {
        if let Self::Ctr { nonce, .. } = self {
            nonce.zeroize();
        }
    }
}

/// Why a packet was not opened.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum OpenError {
    /// Too short, or no whole number of blocks.
    #[error("a length of {0} octets is impossible")]
    Length(usize),
    /// Forged, damaged or for other keys.
    #[error("the integrity check failed")]
    Integrity,
    /// Not 1, 2, 3, ... (RFC 4303 §2.4).
    #[error("the padding is wrong")]
    Padding,
    /// The library failed.
    #[error(transparent)]
    Crypto(CryptoError),
}

/// What a packet held.
#[derive(Debug)]
pub struct Opened {
    /// The protocol of the payload.
    pub next_header: u8,
    /// The payload.
    pub payload: Vec<u8>,
}

/// SPI and sequence number of a packet.
pub(super) fn header(packet: &[u8]) -> Option<(Spi, u32)> {
    let (spi, rest) = packet.split_first_chunk()?;
    let sequence = rest.first_chunk()?;
    Some((Spi(u32::from_be_bytes(*spi)), u32::from_be_bytes(*sequence)))
}

impl Transform {
    /// Prepares the keys of `suite`; the error says what does not fit.
    pub fn new(suite: IpsecSuite, encryption_key: &[u8], integrity_key: &[u8]) -> Result<Self, String> {
        let IpsecSuite::Esp { cipher, integrity } = suite else {
            return Err(format!("{suite} is not ESP"));
        };
        if let EspAlgorithm::AesGcm(icv) = cipher.algorithm() {
            return Self::gcm(cipher, icv, integrity, encryption_key, integrity_key);
        }
        if !suite.is_sound() {
            return Err(format!("{} without an integrity algorithm protects nothing", cipher.name()));
        }
        let said = |error: CryptoError| error.to_string();
        let cipher = match cipher.algorithm() {
            EspAlgorithm::Cbc(alg) => Cipher::Cbc(CipherKey::new(alg, encryption_key).map_err(said)?),
            EspAlgorithm::AesCtr => {
                let (key, nonce) = split_material(cipher, "nonce", encryption_key)?;
                Cipher::Ctr { key: AesCtr::new(key).map_err(said)?, nonce }
            }
            _ if encryption_key.is_empty() => Cipher::Null,
            _ => return Err(format!("NULL takes no key, not one of {} octets", encryption_key.len())),
        };
        let integrity = match integrity {
            Some(integrity) => Some(IcvKey::new(integrity, integrity_key).map_err(said)?),
            None if integrity_key.is_empty() => None,
            None => {
                return Err(format!("without integrity there is no key, not one of {} octets", integrity_key.len()));
            }
        };
        Ok(Self::Combined { cipher, integrity })
    }

    fn gcm(
        cipher: EspCipher,
        icv: GcmIcvLen,
        integrity: Option<Integrity>,
        material: &[u8],
        integrity_key: &[u8],
    ) -> Result<Self, String> {
        if integrity.is_some() || !integrity_key.is_empty() {
            return Err(format!("{} takes no integrity algorithm and no key for one", cipher.name()));
        }
        let (key, salt) = split_material(cipher, "salt", material)?;
        Ok(Self::Gcm { key: AesGcm::new(key, icv).map_err(|error| error.to_string())?, salt })
    }

    /// Octets of the IV in each packet.
    pub const fn iv_len(&self) -> usize {
        match self {
            Self::Combined { cipher, .. } => cipher.iv_len(),
            Self::Gcm { .. } => GCM_IV,
        }
    }

    /// True if an IV must be unpredictable (CBC; RFC 3602 §3), false if a counter does.
    pub(super) const fn wants_random_iv(&self) -> bool {
        matches!(self, Self::Combined { cipher: Cipher::Cbc(_), .. })
    }

    /// The encrypted part is a multiple of this many octets (RFC 4303 §2.4).
    const fn alignment(&self) -> usize {
        match self {
            Self::Combined { cipher: Cipher::Cbc(key), .. } => key.alg().block_len(),
            Self::Combined { .. } | Self::Gcm { .. } => 4,
        }
    }

    /// Octets of the integrity check value in each packet.
    pub const fn icv_len(&self) -> usize {
        match self {
            Self::Combined { integrity: Some(integrity), .. } => integrity.alg().icv_len(),
            Self::Combined { integrity: None, .. } => 0,
            Self::Gcm { key, .. } => key.icv_len(),
        }
    }

    /// The packet from its SPI on. `iv` is [`Self::iv_len`] octets; a sequence number or a GCM IV must never come twice
    /// with one key.
    pub(super) fn seal(
        &self,
        spi: Spi,
        sequence: Sequence,
        iv: &[u8],
        next_header: u8,
        payload: &[u8],
    ) -> Result<Vec<u8>, CryptoError> {
        let mut packet = Vec::with_capacity(HEADER + iv.len() + payload.len() + 2 * 16 + self.icv_len());
        packet.extend_from_slice(&spi.0.to_be_bytes());
        packet.extend_from_slice(&sequence.lower());
        packet.extend_from_slice(iv);
        packet.extend_from_slice(payload);
        let alignment = self.alignment();
        let padding = (alignment - (payload.len() + 2) % alignment) % alignment;
        // RFC 4303 §2.4: the padding is 1, 2, 3, ...
        packet.extend((1..=padding).map_while(|octet| u8::try_from(octet).ok()));
        packet.extend(u8::try_from(padding).ok());
        packet.push(next_header);
        let (clear, text) = packet.split_at_mut(HEADER + iv.len());
        match self {
            Self::Combined { cipher, integrity } => {
                cipher.encrypt(iv, text)?;
                if let Some(integrity) = integrity {
                    // RFC 4303 §2.2.1: the upper half follows the packet.
                    let icv = integrity.sign(&[&packet, &sequence.upper()]);
                    packet.extend_from_slice(icv.as_ref());
                }
            }
            Self::Gcm { key, salt } => {
                let nonce = gcm_nonce(salt, iv)?;
                let icv = key.seal(&nonce, &gcm_aad(clear, sequence), text)?;
                packet.extend_from_slice(icv.as_ref());
            }
        }
        Ok(packet)
    }

    /// Verifies and decrypts a packet from its SPI on, whose number is `sequence`. Nothing is decrypted before the ICV was
    /// verified, if there is one.
    pub fn open(&self, packet: &[u8], sequence: Sequence) -> Result<Opened, OpenError> {
        let length = || OpenError::Length(packet.len());
        let (signed, icv) =
            packet.len().checked_sub(self.icv_len()).map(|at| packet.split_at(at)).ok_or_else(length)?;
        let (head, rest) = signed.split_at_checked(HEADER).ok_or_else(length)?;
        let (iv, text) = rest.split_at_checked(self.iv_len()).ok_or_else(length)?;
        if text.len() < 2 || !text.len().is_multiple_of(self.alignment()) {
            return Err(length());
        }
        let mut payload = text.to_vec();
        match self {
            Self::Combined { cipher, integrity } => {
                let verifies = |key: &IcvKey| key.verify(&[signed, &sequence.upper()], icv);
                if !integrity.as_ref().is_none_or(verifies) {
                    return Err(OpenError::Integrity);
                }
                cipher.decrypt(iv, &mut payload).map_err(OpenError::Crypto)?;
            }
            Self::Gcm { key, salt } => {
                let nonce = gcm_nonce(salt, iv).map_err(OpenError::Crypto)?;
                key.open(&nonce, &gcm_aad(head, sequence), &mut payload, icv).map_err(|error| match error {
                    CryptoError::Integrity { .. } => OpenError::Integrity,
                    other => OpenError::Crypto(other),
                })?;
            }
        }
        let next_header = payload.pop().ok_or_else(length)?;
        let padding = usize::from(payload.pop().ok_or_else(length)?);
        let end = payload.len().checked_sub(padding).ok_or(OpenError::Padding)?;
        let pad = payload.get(end..).unwrap_or_default();
        // RFC 4303 §2.4: the receiver SHOULD inspect the padding.
        if !pad.iter().zip(1_u8..).all(|(octet, expected)| *octet == expected) {
            return Err(OpenError::Padding);
        }
        payload.truncate(end);
        Ok(Opened { next_header, payload })
    }
}

impl Drop for Transform {
    fn drop(&mut self) {
        if let Self::Gcm { salt, .. } = self {
            salt.zeroize();
        }
    }
}

/// The key of a counter mode and the octets behind it, its `extra`.
fn split_material<'m, const N: usize>(
    cipher: EspCipher,
    extra: &str,
    material: &'m [u8],
) -> Result<(&'m [u8], [u8; N]), String> {
    let fits = material.len() == cipher.key_len();
    material.split_last_chunk().filter(|_| fits).map(|(key, extra)| (key, *extra)).ok_or_else(|| {
        format!("{} takes {} octets of key and {extra}, not {}", cipher.name(), cipher.key_len(), material.len())
    })
}

/// SPI and sequence number, which are authenticated with the text (RFC 4106 §5). `head` begins with the SPI.
fn gcm_aad(head: &[u8], sequence: Sequence) -> Vec<u8> {
    let spi = head.get(..4).unwrap_or_default();
    [spi, &sequence.upper(), &sequence.lower()].concat()
}

fn gcm_nonce(salt: &[u8; GCM_SALT], iv: &[u8]) -> Result<[u8; AesGcm::NONCE_LEN], CryptoError> {
    let wrong = CryptoError::IvLength { algorithm: "AES-GCM", got: iv.len(), allowed: GCM_IV };
    [salt.as_slice(), iv].concat().try_into().map_err(|_| wrong)
}
