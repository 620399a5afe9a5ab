//! The signatures of phase 1: RSA (RFC 2409 §5.1) and ECDSA (RFC 4754), and the keys of certificates.
use super::error::CryptoError;
use super::hash::HashAlg;
use core::fmt;
use openssl::bn::BigNum;
use openssl::ec::EcKey;
use openssl::ecdsa::EcdsaSig;
use openssl::error::ErrorStack;
use openssl::nid::Nid;
use openssl::pkey::{HasPublic, Id, PKey, PKeyRef, Private, Public};
use openssl::rsa::Padding;
use subtle::ConstantTimeEq;

#[cfg(test)]
mod tests;

/// The fewest bits of an RSA modulus: what Windows Server 2003 made by default.
pub const MIN_RSA_BITS: u32 = 1_024;

/// The most bits of an RSA modulus: with longer ones a peer could make this host compute for long.
pub const MAX_RSA_BITS: u32 = 8_192;

/// The most bits of an RSA public exponent, for the same reason.
const MAX_EXPONENT_BITS: i32 = 64;

/// A way to sign HASH_I or HASH_R; a key has exactly one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum SignatureAlg {
    /// RSA, PKCS #1 block type 1, without the identifier of a hash (RFC 2409 §5.1).
    Rsa,
    /// ECDSA with SHA-256 on P-256 (RFC 4754).
    Ecdsa256,
    /// ECDSA with SHA-384 on P-384.
    Ecdsa384,
    /// ECDSA with SHA-512 on P-521.
    Ecdsa521,
}

impl SignatureAlg {
    /// The name for people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rsa => "RSA",
            Self::Ecdsa256 => "ECDSA P-256",
            Self::Ecdsa384 => "ECDSA P-384",
            Self::Ecdsa521 => "ECDSA P-521",
        }
    }

    /// The hash that the algorithm is tied to (RFC 4754 §4): then HASH_I and HASH_R are made with its HMAC, whatever was
    /// negotiated, and are themselves the digest that is signed (RFC 2409 §5.1).
    pub const fn hash(self) -> Option<HashAlg> {
        match self {
            Self::Rsa => None,
            Self::Ecdsa256 => Some(HashAlg::Sha256),
            Self::Ecdsa384 => Some(HashAlg::Sha384),
            Self::Ecdsa521 => Some(HashAlg::Sha512),
        }
    }

    /// Of ECDSA the octets of r and of s (RFC 4754 §7).
    const fn ecdsa(self) -> Option<usize> {
        match self {
            Self::Rsa => None,
            Self::Ecdsa256 => Some(32),
            Self::Ecdsa384 => Some(48),
            Self::Ecdsa521 => Some(66),
        }
    }

    fn of<T: HasPublic>(key: &PKeyRef<T>) -> Result<Self, KeyError> {
        match key.id() {
            Id::RSA => {
                let rsa = key.rsa().map_err(|stack| library(&stack))?;
                let bits = u32::try_from(rsa.n().num_bits()).unwrap_or(u32::MAX);
                if !(MIN_RSA_BITS..=MAX_RSA_BITS).contains(&bits) || rsa.e().num_bits() > MAX_EXPONENT_BITS {
                    return Err(KeyError::Size { bits });
                }
                Ok(Self::Rsa)
            }
            Id::EC => match key.ec_key().map_err(|stack| library(&stack))?.group().curve_name() {
                Some(Nid::X9_62_PRIME256V1) => Ok(Self::Ecdsa256),
                Some(Nid::SECP384R1) => Ok(Self::Ecdsa384),
                Some(Nid::SECP521R1) => Ok(Self::Ecdsa521),
                _ => Err(KeyError::Kind),
            },
            _ => Err(KeyError::Kind),
        }
    }
}

/// A key cannot be used.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum KeyError {
    /// Of another kind.
    #[error("the key is of another kind, allowed are RSA and ECDSA on P-256, P-384 and P-521")]
    Kind,
    /// Too short or too long.
    #[error("the RSA key has {bits} bits, allowed are {MIN_RSA_BITS} to {MAX_RSA_BITS} with an exponent of at most 64")]
    Size {
        /// Bits of the modulus.
        bits: u32,
    },
    /// Not a key, or an encrypted one.
    #[error("there is no unencrypted private key in PEM or DER (PKCS #8, PKCS #1 or SEC 1)")]
    NoKey,
    /// The private key of something else.
    #[error("the private key is not that of the certificate")]
    Mismatch,
    /// The cryptographic library failed.
    #[error(transparent)]
    Library(CryptoError),
}

fn library(stack: &ErrorStack) -> KeyError {
    KeyError::Library(CryptoError::library("the signature", stack))
}

/// The public key of a certificate.
#[derive(Clone)]
pub struct PublicKey {
    key: PKey<Public>,
    algorithm: SignatureAlg,
}

impl PublicKey {
    /// From the DER of SubjectPublicKeyInfo (RFC 5280 §4.1.2.7).
    pub fn from_der(der: &[u8]) -> Result<Self, KeyError> {
        let key = PKey::public_key_from_der(der).map_err(|_| KeyError::Kind)?;
        let algorithm = SignatureAlg::of(&key)?;
        Ok(Self { key, algorithm })
    }

    /// How it signs.
    pub const fn algorithm(&self) -> SignatureAlg {
        self.algorithm
    }

    /// Bits of the modulus, or of the curve.
    pub fn bits(&self) -> u32 {
        self.key.bits()
    }

    /// True if `signature` is this key's over `hash`, a HASH_I or HASH_R.
    pub fn verify(&self, hash: &[u8], signature: &[u8]) -> bool {
        match self.algorithm.ecdsa() {
            None => self.verify_rsa(hash, signature).unwrap_or(false),
            Some(len) => self.verify_ecdsa(hash, len, signature).unwrap_or(false),
        }
    }

    fn verify_rsa(&self, hash: &[u8], signature: &[u8]) -> Result<bool, ErrorStack> {
        let rsa = self.key.rsa()?;
        let len = usize::try_from(rsa.size()).unwrap_or_default();
        if signature.len() != len {
            return Ok(false);
        }
        let mut opened = vec![0; len];
        // RFC 2409 §5.1: block type 1 of PKCS #1 around the hash alone.
        let opened_len = rsa.public_decrypt(signature, &mut opened, Padding::PKCS1)?;
        Ok(opened.get(..opened_len).is_some_and(|opened| bool::from(opened.ct_eq(hash))))
    }

    fn verify_ecdsa(&self, digest: &[u8], len: usize, signature: &[u8]) -> Result<bool, ErrorStack> {
        // RFC 4754 §7: r and s, each as long as the curve, one after the other.
        let Some((r, s)) = signature.split_at_checked(len).filter(|(_, s)| s.len() == len) else { return Ok(false) };
        let signature = EcdsaSig::from_private_components(BigNum::from_slice(r)?, BigNum::from_slice(s)?)?;
        signature.verify(digest, self.key.ec_key()?.as_ref())
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} with {} bits", self.algorithm.name(), self.bits())
    }
}

/// The private key of a certificate, for the time that a signature takes.
pub struct SigningKey {
    key: PKey<Private>,
    algorithm: SignatureAlg,
}

impl SigningKey {
    /// From a file: PEM or DER, PKCS #8, PKCS #1 or SEC 1, not encrypted.
    pub fn from_file(octets: &[u8]) -> Result<Self, KeyError> {
        // A key that needs a pass phrase is none: nobody is there to type it.
        let key = PKey::private_key_from_pem_callback(octets, |_| Err(ErrorStack::get()))
            .or_else(|_| PKey::private_key_from_der(octets))
            .map_err(|_| KeyError::NoKey)?;
        let algorithm = SignatureAlg::of(&key)?;
        Ok(Self { key, algorithm })
    }

    /// Whether this is the private key of `public`.
    pub fn check(&self, public: &PublicKey) -> Result<(), KeyError> {
        if self.algorithm == public.algorithm && self.key.public_eq(&public.key) {
            Ok(())
        } else {
            Err(KeyError::Mismatch)
        }
    }

    /// Signs a HASH_I or HASH_R.
    pub fn sign(&self, hash: &[u8]) -> Result<Vec<u8>, KeyError> {
        let sign = || match self.algorithm.ecdsa() {
            None => {
                let rsa = self.key.rsa()?;
                let mut signature = vec![0; usize::try_from(rsa.size()).unwrap_or_default()];
                let len = rsa.private_encrypt(hash, &mut signature, Padding::PKCS1)?;
                signature.truncate(len);
                Ok(signature)
            }
            Some(len) => {
                let key: EcKey<Private> = self.key.ec_key()?;
                let signature = EcdsaSig::sign(hash, &key)?;
                let len = i32::try_from(len).unwrap_or_default();
                Ok([signature.r().to_vec_padded(len)?, signature.s().to_vec_padded(len)?].concat())
            }
        };
        sign().map_err(|stack: ErrorStack| library(&stack))
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey")
    }
}
