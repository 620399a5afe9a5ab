//! The operating system's randomness for the core.
use ikecore::rng::{RngError, SecureRandom};
use ring::rand::SecureRandom as _;

/// `getrandom` by way of ring.
#[derive(Debug)]
pub struct SystemRandom(ring::rand::SystemRandom);

impl SystemRandom {
    /// The source.
    pub fn new() -> Self {
        Self(ring::rand::SystemRandom::new())
    }
}

impl Default for SystemRandom {
    fn default() -> Self {
        Self::new()
    }
}

impl SecureRandom for SystemRandom {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), RngError> {
        self.0.fill(out).map_err(|_| RngError)
    }
}
