//! Proposals: the algorithms this daemon runs, its offers, and the choice among a peer's.
mod attributes;
mod codes;
pub mod encode;
pub mod mismatch;
pub mod offer;
pub mod select;
pub mod suite;

pub use encode::{encode_main_mode, encode_quick_mode};
pub use mismatch::Mismatch;
pub use offer::{MainModeOffer, QuickModeOffer};
pub use select::{
    ChosenMainMode, ChosenQuickMode, select_main_mode, select_quick_mode, verify_main_mode_reply,
    verify_quick_mode_reply,
};
