//! For tests only: a source of randomness that repeats itself. Nothing of a running service may use it.
pub mod authority;
pub mod host;
pub mod network;
pub mod policy;

use ring::digest;

use crate::rng::{RngError, SecureRandom};

#[cfg(test)]
mod tests;

/// A deterministic source of randomness: SHA-256 over a seed and a counter. Two with the same seed deliver the same
/// octets, however they are asked for them.
#[derive(Debug, Clone)]
pub struct SeededRandom {
    seed: u64,
    counter: u64,
    block: Vec<u8>,
}

impl SeededRandom {
    /// A source that depends on `seed` alone.
    pub const fn new(seed: u64) -> Self {
        Self { seed, counter: 0, block: Vec::new() }
    }
}

impl SecureRandom for SeededRandom {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), RngError> {
        for octet in out {
            if self.block.is_empty() {
                let input = [self.seed.to_be_bytes(), self.counter.to_be_bytes()].concat();
                self.block = digest::digest(&digest::SHA256, &input).as_ref().to_vec();
                self.counter = self.counter.wrapping_add(1);
            }
            *octet = self.block.pop().unwrap_or_default();
        }
        Ok(())
    }
}
