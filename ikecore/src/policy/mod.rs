//! Policy: which traffic is protected how, and with whom.
pub mod rule;
pub mod selector;
