//! Proposals: the algorithms this daemon runs, its offers, and the choice among a peer's.
pub mod mismatch;
pub mod offer;
pub mod suite;
