//! Multiplication of points on the curves of NIST and of the Brainpool.
use openssl::bn::{BigNum, BigNumContext};
use openssl::ec::{EcGroup, EcPoint, EcPointRef};
use openssl::error::ErrorStack;
use openssl::nid::Nid;

use super::Group;
use super::modp::{DRAWS, SecretNumber, library};
use crate::crypto::error::GroupError;
use crate::rng::{RngError, SecureRandom};
use crate::secret::Secret;
use std::sync::OnceLock;

/// An ECP group.
#[derive(Clone, Copy)]
pub(super) struct Ecp {
    /// The length of a field element and of the order in bits.
    pub(super) bits: usize,
    /// Its name in libcrypto.
    nid: Nid,
    /// Its place among [`CURVES`].
    place: usize,
}

pub(super) const P192: Ecp = Ecp { bits: 192, nid: Nid::X9_62_PRIME192V1, place: 0 };
pub(super) const P224: Ecp = Ecp { bits: 224, nid: Nid::SECP224R1, place: 1 };
pub(super) const P256: Ecp = Ecp { bits: 256, nid: Nid::X9_62_PRIME256V1, place: 2 };
pub(super) const P384: Ecp = Ecp { bits: 384, nid: Nid::SECP384R1, place: 3 };
pub(super) const P521: Ecp = Ecp { bits: 521, nid: Nid::SECP521R1, place: 4 };
pub(super) const BRAINPOOL_224: Ecp = Ecp { bits: 224, nid: Nid::BRAINPOOL_P224R1, place: 5 };
pub(super) const BRAINPOOL_256: Ecp = Ecp { bits: 256, nid: Nid::BRAINPOOL_P256R1, place: 6 };
pub(super) const BRAINPOOL_384: Ecp = Ecp { bits: 384, nid: Nid::BRAINPOOL_P384R1, place: 7 };
pub(super) const BRAINPOOL_512: Ecp = Ecp { bits: 512, nid: Nid::BRAINPOOL_P512R1, place: 8 };

/// The curves, each set up once: that costs as much as a multiplication.
static CURVES: [OnceLock<EcGroup>; 9] = [const { OnceLock::new() }; 9];

impl Ecp {
    /// The length of a field element and of the order in octets.
    pub(super) const fn len(self) -> usize {
        self.bits.div_ceil(8)
    }

    /// The curve.
    fn curve(self) -> Result<&'static EcGroup, ErrorStack> {
        let curve = CURVES.get(self.place).ok_or_else(ErrorStack::get)?;
        match curve.get() {
            Some(curve) => Ok(curve),
            None => {
                let new = EcGroup::from_curve_name(self.nid)?;
                Ok(curve.get_or_init(|| new))
            }
        }
    }

    pub(super) fn is_available(self) -> bool {
        self.curve().is_ok()
    }

    fn order(self, group: Group) -> Result<Vec<u8>, GroupError> {
        let order = || -> Result<_, ErrorStack> {
            let (mut order, mut context) = (BigNum::new()?, BigNumContext::new()?);
            self.curve()?.order(&mut order, &mut context)?;
            order.to_vec_padded(self.octets())
        };
        order().map_err(|stack| library(group, &stack))
    }

    pub(super) fn random(self, group: Group, random: &mut dyn SecureRandom) -> Result<Secret<Vec<u8>>, GroupError> {
        let order = self.order(group)?;
        for _ in 0..DRAWS {
            let mut octets = vec![0; self.len()];
            let filled = random.fill(&mut octets);
            // Of the first octet of P-521 only the lowest bit counts.
            if let Some(first) = octets.first_mut() {
                *first &= u8::MAX >> (8 * self.len()).saturating_sub(self.bits);
            }
            let octets = Secret::new(octets);
            filled?;
            // Drawing again, instead of reducing, keeps every value equally likely.
            if is_below(octets.expose(), &order) {
                return Ok(octets);
            }
        }
        Err(GroupError::Random(RngError))
    }

    pub(super) fn is_private(self, group: Group, octets: &[u8]) -> Result<bool, GroupError> {
        Ok(octets.len() == self.len() && is_below(octets, &self.order(group)?))
    }

    pub(super) fn check_public(self, group: Group, public: &[u8]) -> Result<(), GroupError> {
        let parse = || -> Result<_, ErrorStack> { Ok((self.curve()?, BigNumContext::new()?)) };
        let (curve, mut context) = parse().map_err(|stack| library(group, &stack))?;
        point(curve, public, &mut context).map(drop).map_err(|_| GroupError::NotOnCurve { group })
    }

    pub(super) fn public(self, group: Group, private: &[u8]) -> Result<Vec<u8>, GroupError> {
        let multiply = || -> Result<_, ErrorStack> {
            let curve = self.curve()?;
            let mut context = BigNumContext::new_secure()?;
            let private = SecretNumber(BigNum::from_slice(private)?);
            let mut public = EcPoint::new(curve)?;
            public.mul_generator2(curve, &private, &mut context)?;
            let (x, y) = self.coordinates(curve, &public, &mut context)?;
            Ok([x.expose().as_slice(), y.expose()].concat())
        };
        multiply().map_err(|stack| library(group, &stack))
    }

    pub(super) fn agree(self, group: Group, private: &[u8], peer: &[u8]) -> Result<Secret<Vec<u8>>, GroupError> {
        let multiply = || -> Result<_, ErrorStack> {
            let curve = self.curve()?;
            let mut context = BigNumContext::new_secure()?;
            let private = SecretNumber(BigNum::from_slice(private)?);
            // The cofactor of these curves is 1: a point of the curve that is not infinity has the full order.
            let peer = point(curve, peer, &mut context)?;
            let mut shared = EcPoint::new(curve)?;
            shared.mul2(curve, &peer, &private, &mut context)?;
            let (x, _) = self.coordinates(curve, &shared, &mut context)?;
            Ok(x)
        };
        multiply().map_err(|stack| library(group, &stack))
    }

    /// x and y, padded to the length of the field.
    #[expect(clippy::type_complexity, reason = "a pair of secrets is no type of its own")]
    fn coordinates(
        self,
        curve: &EcGroup,
        point: &EcPointRef,
        context: &mut BigNumContext,
    ) -> Result<(Secret<Vec<u8>>, Secret<Vec<u8>>), ErrorStack> {
        let (mut x, mut y) = (SecretNumber(BigNum::new()?), SecretNumber(BigNum::new()?));
        point.affine_coordinates(curve, &mut x.0, &mut y.0, context)?;
        Ok((Secret::new(x.to_vec_padded(self.octets())?), Secret::new(y.to_vec_padded(self.octets())?)))
    }

    fn octets(self) -> i32 {
        i32::try_from(self.len()).unwrap_or(i32::MAX)
    }
}

/// The point with the coordinates `public`; an error if it is not one of the curve.
fn point(curve: &EcGroup, public: &[u8], context: &mut BigNumContext) -> Result<EcPoint, ErrorStack> {
    // SEC 1 §2.3.3: an uncompressed point begins with 4. RFC 5903 §7 leaves it out.
    EcPoint::from_bytes(curve, &[&[4], public].concat(), context)
}

/// True if 0 < `octets` < `limit`, both of one length.
fn is_below(octets: &[u8], limit: &[u8]) -> bool {
    octets.iter().any(|octet| *octet != 0) && octets < limit
}
