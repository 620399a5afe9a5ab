//! The signatures on certificates and revocation lists that are checked: RSA with PKCS #1 padding and ECDSA on the three
//! curves, by libcrypto, since ring has neither P-521 nor RSA keys below 2048 bits nor SHA-1.
use openssl::bn::BigNumContext;
use openssl::ec::{EcGroup, EcKey, EcPoint};
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Public};
use openssl::rsa::Rsa;
use openssl::sign::Verifier;
use rustls_pki_types::{AlgorithmIdentifier, InvalidSignature, SignatureVerificationAlgorithm, alg_id};

/// sha1WithRSAEncryption (RFC 3279 §2.2.1).
const RSA_PKCS1_SHA1: AlgorithmIdentifier =
    AlgorithmIdentifier::from_slice(&[0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x05, 0x05, 0x00]);

/// What a key is.
#[derive(Clone, Copy, Debug)]
enum Key {
    Rsa,
    Ec(Nid),
}

#[derive(Clone, Copy, Debug)]
enum Hash {
    Sha1,
    Sha256,
    Sha384,
    Sha512,
}

/// One algorithm.
#[derive(Debug)]
struct Algorithm {
    key: Key,
    key_id: AlgorithmIdentifier,
    hash: Hash,
    signature_id: AlgorithmIdentifier,
}

const fn rsa(hash: Hash, signature_id: AlgorithmIdentifier) -> Algorithm {
    Algorithm { key: Key::Rsa, key_id: alg_id::RSA_ENCRYPTION, hash, signature_id }
}

const fn ecdsa(curve: Nid, key_id: AlgorithmIdentifier, hash: Hash) -> Algorithm {
    let signature_id = match hash {
        Hash::Sha384 => alg_id::ECDSA_SHA384,
        Hash::Sha512 => alg_id::ECDSA_SHA512,
        Hash::Sha1 | Hash::Sha256 => alg_id::ECDSA_SHA256,
    };
    Algorithm { key: Key::Ec(curve), key_id, hash, signature_id }
}

static P256_SHA256: Algorithm = ecdsa(Nid::X9_62_PRIME256V1, alg_id::ECDSA_P256, Hash::Sha256);
static P256_SHA384: Algorithm = ecdsa(Nid::X9_62_PRIME256V1, alg_id::ECDSA_P256, Hash::Sha384);
static P256_SHA512: Algorithm = ecdsa(Nid::X9_62_PRIME256V1, alg_id::ECDSA_P256, Hash::Sha512);
static P384_SHA256: Algorithm = ecdsa(Nid::SECP384R1, alg_id::ECDSA_P384, Hash::Sha256);
static P384_SHA384: Algorithm = ecdsa(Nid::SECP384R1, alg_id::ECDSA_P384, Hash::Sha384);
static P384_SHA512: Algorithm = ecdsa(Nid::SECP384R1, alg_id::ECDSA_P384, Hash::Sha512);
static P521_SHA256: Algorithm = ecdsa(Nid::SECP521R1, alg_id::ECDSA_P521, Hash::Sha256);
static P521_SHA384: Algorithm = ecdsa(Nid::SECP521R1, alg_id::ECDSA_P521, Hash::Sha384);
static P521_SHA512: Algorithm = ecdsa(Nid::SECP521R1, alg_id::ECDSA_P521, Hash::Sha512);
static RSA_SHA256: Algorithm = rsa(Hash::Sha256, alg_id::RSA_PKCS1_SHA256);
static RSA_SHA384: Algorithm = rsa(Hash::Sha384, alg_id::RSA_PKCS1_SHA384);
static RSA_SHA512: Algorithm = rsa(Hash::Sha512, alg_id::RSA_PKCS1_SHA512);
static RSA_SHA1: Algorithm = rsa(Hash::Sha1, RSA_PKCS1_SHA1);

/// The algorithms; with `legacy` also SHA-1.
pub(super) fn algorithms(legacy: bool) -> Vec<&'static dyn SignatureVerificationAlgorithm> {
    let mut all: Vec<&'static dyn SignatureVerificationAlgorithm> = vec![
        &P256_SHA256,
        &P256_SHA384,
        &P256_SHA512,
        &P384_SHA256,
        &P384_SHA384,
        &P384_SHA512,
        &P521_SHA256,
        &P521_SHA384,
        &P521_SHA512,
        &RSA_SHA256,
        &RSA_SHA384,
        &RSA_SHA512,
    ];
    if legacy {
        all.push(&RSA_SHA1);
    }
    all
}

impl Algorithm {
    /// The key from the content of SubjectPublicKeyInfo's bit string.
    fn public_key(&self, octets: &[u8]) -> Result<PKey<Public>, ErrorStack> {
        match self.key {
            Key::Rsa => PKey::from_rsa(Rsa::public_key_from_der_pkcs1(octets)?),
            Key::Ec(curve) => {
                let group = EcGroup::from_curve_name(curve)?;
                let mut context = BigNumContext::new()?;
                let point = EcPoint::from_bytes(&group, octets, &mut context)?;
                PKey::from_ec_key(EcKey::from_public_key(&group, &point)?)
            }
        }
    }

    fn verify(&self, key: &[u8], message: &[u8], signature: &[u8]) -> Result<bool, ErrorStack> {
        let digest = match self.hash {
            Hash::Sha1 => MessageDigest::sha1(),
            Hash::Sha256 => MessageDigest::sha256(),
            Hash::Sha384 => MessageDigest::sha384(),
            Hash::Sha512 => MessageDigest::sha512(),
        };
        let key = self.public_key(key)?;
        Verifier::new(digest, &key)?.verify_oneshot(signature, message)
    }
}

impl SignatureVerificationAlgorithm for Algorithm {
    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        self.key_id
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        self.signature_id
    }

    fn verify_signature(&self, public_key: &[u8], message: &[u8], signature: &[u8]) -> Result<(), InvalidSignature> {
        if self.verify(public_key, message, signature).unwrap_or(false) { Ok(()) } else { Err(InvalidSignature) }
    }
}
