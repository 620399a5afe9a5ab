//! The keying material of IPsec SAs (RFC 2409 §5.5).
use zeroize::Zeroize;

use super::prf::{Mac, PrfKey};
use crate::ids::Spi;
use crate::secret::Secret;

#[cfg(test)]
mod tests;

/// The first `len` octets of KEYMAT (RFC 2409 §5.5).
///
/// `d` is SKEYID_d; `g_qm_xy` the shared secret of quick mode's own key exchange, with perfect forward secrecy only;
/// `protocol` and `spi` those of the SA that will use the keys, in the proposal of the end that receives on it; `ni`
/// and `nr` the bodies of quick mode's nonce payloads.
pub fn keymat(
    d: &PrfKey,
    g_qm_xy: Option<&[u8]>,
    protocol: u8,
    spi: Spi,
    ni: &[u8],
    nr: &[u8],
    len: usize,
) -> Secret<Vec<u8>> {
    // KEYMAT = prf(SKEYID_d, [g(qm)^xy |] protocol | SPI | Ni_b | Nr_b)
    let seed = [g_qm_xy.unwrap_or_default(), &[protocol], &spi.0.to_be_bytes(), ni, nr];
    expand(d, &seed, len)
}

/// K1 | K2 | .. cut to `len` octets, where K1 = prf(key, seed) and Kn = prf(key, Kn-1 | seed).
fn expand(key: &PrfKey, seed: &[&[u8]], len: usize) -> Secret<Vec<u8>> {
    feedback(key.sign(seed), len, |previous| {
        let mut parts = Vec::with_capacity(seed.len().saturating_add(1));
        parts.push(previous);
        parts.extend_from_slice(seed);
        key.sign(&parts)
    })
}

/// `first` and what `next` makes of each output in turn, cut to `len` octets: the feedback loop of RFC 2409 §5.5 and
/// Appendix B.
pub(super) fn feedback(first: Mac, len: usize, next: impl Fn(&[u8]) -> Mac) -> Secret<Vec<u8>> {
    let mut block = first;
    // Reserved at once: a vector that grows leaves copies of the key in freed memory.
    let mut octets = Vec::with_capacity(len.saturating_add(block.as_ref().len()));
    loop {
        octets.extend_from_slice(block.as_ref());
        if octets.len() >= len {
            break;
        }
        block = next(block.as_ref());
    }
    if let Some(surplus) = octets.get_mut(len..) {
        surplus.zeroize();
    }
    octets.truncate(len);
    Secret::new(octets)
}
