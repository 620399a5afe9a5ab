//! Randomness as the core sees it: given, so that tests replay and the core never asks the system.

/// The source of randomness could not deliver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the source of randomness failed")]
pub struct RngError;

/// A cryptographically secure source of random octets.
pub trait SecureRandom: Send {
    /// Fills `out` with random octets, all of it or none.
    fn fill(&mut self, out: &mut [u8]) -> Result<(), RngError>;
}
