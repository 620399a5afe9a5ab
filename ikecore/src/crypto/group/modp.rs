//! Exponentiation modulo a prime.
use core::ops::Deref;

use openssl::bn::{BigNum, BigNumContext};
use openssl::error::ErrorStack;

use super::{Group, primes, subgroups};
use crate::crypto::error::GroupError;
use crate::rng::{RngError, SecureRandom};
use crate::secret::Secret;

/// A MODP group.
#[derive(Clone, Copy)]
pub(super) struct Modp {
    /// The length of the prime in bits.
    pub(super) bits: usize,
    /// The length of our exponents in bits. With a safe prime twice the strength, at least 256: longer ones cost time and
    /// add nothing. With a subgroup that of its order.
    pub(super) exponent_bits: usize,
    /// The prime and the generator.
    pub(super) field: Field,
}

/// What is computed modulo and from.
#[derive(Clone, Copy)]
pub(super) enum Field {
    /// A safe prime with the generator 2.
    Safe {
        /// The offset of the prime, see [`primes`].
        k: u64,
    },
    /// A prime with a generator of a subgroup.
    Subgroup(subgroups::Parameters),
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
        match self.field {
            Field::Safe { k } => primes::prime(self.bits, k),
            Field::Subgroup(parameters) => parameters.prime(),
        }
    }

    pub(super) fn generator(self) -> Vec<u8> {
        match self.field {
            Field::Safe { .. } => vec![2],
            Field::Subgroup(parameters) => parameters.generator(),
        }
    }

    /// True if a private value may be this: with a subgroup 0 < x < q, as RFC 5114 §2 has it.
    pub(super) fn is_private(self, octets: &[u8]) -> bool {
        let significant = octets.iter().position(|octet| *octet != 0).map(|at| octets.split_at(at).1);
        significant.is_some_and(|significant| match self.field {
            Field::Safe { .. } => octets.len() <= self.len(),
            Field::Subgroup(parameters) => {
                let order = parameters.order();
                // The order's first octet is not zero: of two lengths the shorter is the smaller number.
                (significant.len(), significant) < (order.len(), order.as_slice())
            }
        })
    }

    pub(super) fn random(self, random: &mut dyn SecureRandom) -> Result<Secret<Vec<u8>>, GroupError> {
        for _ in 0..DRAWS {
            let mut octets = vec![0; self.exponent_bits / 8];
            let filled = random.fill(&mut octets);
            let octets = Secret::new(octets);
            filled?;
            // Drawing again, instead of reducing, keeps every value equally likely.
            if self.is_private(octets.expose()) {
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
        let public = self.power(&self.generator(), private).map_err(|stack| library(group, &stack))?;
        // Only a private value that is a multiple of (p-1)/2 gets here, and no peer would take its public value.
        self.check_public(group, &public)?;
        Ok(public)
    }

    pub(super) fn agree(self, group: Group, private: &[u8], peer: &[u8]) -> Result<Secret<Vec<u8>>, GroupError> {
        let agree = || -> Result<_, ErrorStack> {
            if let Field::Subgroup(parameters) = self.field {
                // y^q = 1 for the members of the subgroup, and for no other number (RFC 2785 §2.3, RFC 6989 §2.2).
                let one = self.power(peer, &parameters.order())?;
                if one.split_last().is_none_or(|(last, rest)| *last != 1 || rest.iter().any(|octet| *octet != 0)) {
                    return Ok(None);
                }
            }
            self.power(peer, private).map(Secret::new).map(Some)
        };
        agree().map_err(|stack| library(group, &stack))?.ok_or(GroupError::OutsideSubgroup { group })
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
