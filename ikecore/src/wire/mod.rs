//! The ISAKMP wire format.
pub mod codes;

pub use codes::*;
