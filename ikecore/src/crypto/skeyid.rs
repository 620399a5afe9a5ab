//! SKEYID and what is derived from it (RFC 2409 §5 and Appendix B).
use core::fmt;

use super::cipher::{CipherAlg, CipherKey};
use super::error::CryptoError;
use super::hash::HashAlg;
use super::keymat::feedback;
use super::prf::{Mac, PrfKey};
use crate::ids::Cookies;
use crate::secret::Secret;

#[cfg(test)]
mod tests;

/// What SKEYID is made of, besides the secret of the authentication method.
#[derive(Clone, Copy)]
pub struct Inputs<'a> {
    /// CKY-I and CKY-R.
    pub cookies: &'a Cookies,
    /// Ni_b, the body of the initiator's nonce payload.
    pub ni: &'a [u8],
    /// Nr_b, the body of the responder's nonce payload.
    pub nr: &'a [u8],
    /// g^xy, the Diffie-Hellman shared secret, padded to the length of the group.
    pub g_xy: &'a [u8],
}

/// What HASH_I or HASH_R covers (RFC 2409 §5), as it was on the wire.
#[derive(Clone, Copy, Debug)]
pub struct HashInputs<'a> {
    /// g^xi, the body of the initiator's key exchange payload.
    pub g_xi: &'a [u8],
    /// g^xr, the body of the responder's key exchange payload.
    pub g_xr: &'a [u8],
    /// CKY-I and CKY-R.
    pub cookies: &'a Cookies,
    /// SAi_b: the whole body of the SA payload that the initiator sent, every proposal and transform of it.
    pub sai_b: &'a [u8],
    /// IDii_b for HASH_I, IDir_b for HASH_R: the body of the identification payload, from its type octet on.
    pub id_b: &'a [u8],
}

/// The secrets of an ISAKMP SA.
#[derive(Debug)]
pub struct Skeyid {
    /// SKEYID.
    pub skeyid: PrfKey,
    /// SKEYID as the key of HASH_I and HASH_R: the same, but for signatures that are tied to a hash with its HMAC.
    proof: PrfKey,
    /// SKEYID_d, from which the keys of IPsec SAs are derived.
    pub d: PrfKey,
    /// SKEYID_a, which authenticates the messages of phase 2.
    pub a: PrfKey,
    /// SKEYID_e, from which the cipher key of the ISAKMP SA is derived.
    pub e: Secret<Vec<u8>>,
}

impl Skeyid {
    /// For pre-shared keys: SKEYID = prf(pre-shared-key, Ni_b | Nr_b).
    pub fn pre_shared_key(hash: HashAlg, psk: &[u8], inputs: &Inputs<'_>) -> Self {
        Self::derive(hash, hash, &PrfKey::new(hash, psk).sign(&[inputs.ni, inputs.nr]), inputs)
    }

    /// For signatures: SKEYID = prf(Ni_b | Nr_b, g^xy). HASH_I and HASH_R are made with the HMAC of `proof`, the hash that
    /// the signature is tied to, or else the negotiated one (RFC 2409 §5.1).
    pub fn signature(hash: HashAlg, proof: HashAlg, inputs: &Inputs<'_>) -> Self {
        let nonces = Secret::new([inputs.ni, inputs.nr].concat());
        Self::derive(hash, proof, &PrfKey::new(hash, nonces.expose()).sign(&[inputs.g_xy]), inputs)
    }

    /// For public key encryption: SKEYID = prf(hash(Ni_b | Nr_b), CKY-I | CKY-R).
    pub fn public_key_encryption(hash: HashAlg, inputs: &Inputs<'_>) -> Self {
        let key = hash.digest(&[inputs.ni, inputs.nr]);
        let Cookies { initiator, responder } = inputs.cookies;
        Self::derive(hash, hash, &PrfKey::new(hash, key.as_ref()).sign(&[&initiator.0, &responder.0]), inputs)
    }

    fn derive(hash: HashAlg, proof: HashAlg, skeyid: &Mac, inputs: &Inputs<'_>) -> Self {
        let proof = PrfKey::new(proof, skeyid.as_ref());
        let skeyid = PrfKey::new(hash, skeyid.as_ref());
        let Cookies { initiator, responder } = inputs.cookies;
        let sign =
            |previous: &[u8], number: u8| skeyid.sign(&[previous, inputs.g_xy, &initiator.0, &responder.0, &[number]]);
        // SKEYID_d = prf(SKEYID, g^xy | CKY-I | CKY-R | 0)
        let d = sign(&[], 0);
        // SKEYID_a = prf(SKEYID, SKEYID_d | g^xy | CKY-I | CKY-R | 1)
        let a = sign(d.as_ref(), 1);
        // SKEYID_e = prf(SKEYID, SKEYID_a | g^xy | CKY-I | CKY-R | 2)
        let e = sign(a.as_ref(), 2);
        Self {
            d: PrfKey::new(hash, d.as_ref()),
            a: PrfKey::new(hash, a.as_ref()),
            e: Secret::new(e.as_ref().to_vec()),
            skeyid,
            proof,
        }
    }

    /// The hash that was negotiated for the ISAKMP SA.
    pub const fn hash(&self) -> HashAlg {
        self.skeyid.hash()
    }

    /// The key of the ISAKMP SA's cipher (RFC 2409 Appendix B). A weak or semi-weak DES key is refused: the negotiation
    /// fails and the next one has other keys.
    pub fn cipher_key(&self, cipher: CipherAlg) -> Result<CipherKey, CryptoError> {
        let key = stretch(self.hash(), self.e.expose(), cipher.key_len());
        // RFC 2409 Appendix B: the key of DES-CBC is made of non-weak and non-semi-weak octets.
        cipher.check_key(key.expose())?;
        CipherKey::new(cipher, key.expose())
    }

    /// HASH_I = prf(SKEYID, g^xi | g^xr | CKY-I | CKY-R | SAi_b | IDii_b) (RFC 2409 §5).
    pub fn hash_i(&self, inputs: &HashInputs<'_>) -> Mac {
        let HashInputs { g_xi, g_xr, cookies: Cookies { initiator, responder }, sai_b, id_b } = *inputs;
        self.proof.sign(&[g_xi, g_xr, &initiator.0, &responder.0, sai_b, id_b])
    }

    /// HASH_R = prf(SKEYID, g^xr | g^xi | CKY-R | CKY-I | SAi_b | IDir_b) (RFC 2409 §5).
    pub fn hash_r(&self, inputs: &HashInputs<'_>) -> Mac {
        let HashInputs { g_xi, g_xr, cookies: Cookies { initiator, responder }, sai_b, id_b } = *inputs;
        self.proof.sign(&[g_xr, g_xi, &responder.0, &initiator.0, sai_b, id_b])
    }
}

impl fmt::Debug for Inputs<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inputs").field("cookies", self.cookies).finish_non_exhaustive()
    }
}

/// The first `len` octets of SKEYID_e where it is long enough, else of K1 | K2 | .. with K1 = prf(SKEYID_e, 0) and
/// Kn = prf(SKEYID_e, Kn-1) (RFC 2409 Appendix B).
pub fn stretch(hash: HashAlg, skeyid_e: &[u8], len: usize) -> Secret<Vec<u8>> {
    if let Some(key) = skeyid_e.get(..len) {
        return Secret::new(key.to_vec());
    }
    let prf = PrfKey::new(hash, skeyid_e);
    feedback(prf.sign(&[&[0]]), len, |previous| prf.sign(&[previous]))
}
