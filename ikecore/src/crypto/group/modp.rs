//! Exponentiation modulo a safe prime, with the generator 2.
use core::ops::Deref;

use openssl::bn::{BigNum, BigNumContext};
use openssl::error::ErrorStack;

use super::{Group, primes};
use crate::crypto::error::GroupError;
use crate::rng::{RngError, SecureRandom};
use crate::secret::Secret;

/// A MODP group.
#[derive(Clone, Copy)]
pub(super) struct Modp {
    /// The length of the prime in bits.
    pub(super) bits: usize,
    /// The offset of the prime, see [`primes`].
    pub(super) k: u64,
    /// The length of our exponents in bits: twice the strength, at least 256. Longer ones cost time and add nothing.
    pub(super) exponent_bits: usize,
}

/// How often a source of randomness may deliver what cannot be used before it counts as broken.
pub(super) const DRAWS: usize = 64;

/// A secret number, cleared on drop, which `BigNum` is not.
pub(super) struct SecretNumber(pub(super) BigNum);

impl Deref for SecretNumber {
    type Target = BigNum;

    fn deref(&self) -> &BigNum {
        &self.0
    }
}

impl Drop for SecretNumber {
    fn drop(&mut self) {
        self.0.clear();
    }
}

impl Modp {
    pub(super) const fn len(self) -> usize {
        self.bits / 8
    }

    pub(super) fn prime(self) -> Vec<u8> {
        primes::prime(self.bits, self.k)
    }

    pub(super) fn random(self, random: &mut dyn SecureRandom) -> Result<Secret<Vec<u8>>, GroupError> {
        for _ in 0..DRAWS {
            let mut octets = vec![0; self.exponent_bits / 8];
            let filled = random.fill(&mut octets);
            let octets = Secret::new(octets);
            filled?;
            if octets.expose().iter().any(|octet| *octet != 0) {
                return Ok(octets);
            }
        }
        Err(GroupError::Random(RngError))
    }

    /// Refuses everything but 2 <= y <= p-2: 0, 1 and p-1 make g^xy a number that everybody can guess.
    pub(super) fn check_public(self, group: Group, public: &[u8]) -> Result<(), GroupError> {
        let one = public.split_last().is_none_or(|(last, rest)| *last <= 1 && rest.iter().all(|octet| *octet == 0));
        let mut below = self.prime();
        // The prime is odd, so this makes it p-1. Octet strings of one length compare as numbers do.
        if let Some(last) = below.last_mut() {
            *last &= 0xfe;
        }
        if one || public >= below.as_slice() { Err(GroupError::Degenerate { group }) } else { Ok(()) }
    }

    pub(super) fn public(self, group: Group, private: &[u8]) -> Result<Vec<u8>, GroupError> {
        let public = self.power(&[2], private).map_err(|stack| library(group, &stack))?;
        // Only a private value that is a multiple of (p-1)/2 gets here, and no peer would take its public value.
        self.check_public(group, &public)?;
        Ok(public)
    }

    pub(super) fn agree(self, group: Group, private: &[u8], peer: &[u8]) -> Result<Secret<Vec<u8>>, GroupError> {
        self.power(peer, private).map(Secret::new).map_err(|stack| library(group, &stack))
    }

    /// base^exponent mod p in constant time, padded to the length of the prime, which RFC 2409 §5 asks of public
    /// values; the shared secret goes into the prf in the same form.
    fn power(self, base: &[u8], exponent: &[u8]) -> Result<Vec<u8>, ErrorStack> {
        let prime = BigNum::from_slice(&self.prime())?;
        let base = BigNum::from_slice(base)?;
        let mut exponent = SecretNumber(BigNum::from_slice(exponent)?);
        exponent.0.set_const_time();
        let mut power = SecretNumber(BigNum::new()?);
        let mut context = BigNumContext::new_secure()?;
        power.0.mod_exp(&base, &exponent, &prime, &mut context)?;
        power.to_vec_padded(i32::try_from(self.len()).unwrap_or(i32::MAX))
    }
}

pub(super) fn library(group: Group, stack: &ErrorStack) -> GroupError {
    GroupError::Library { group, reason: stack.to_string() }
}
