//! The packet analyser: `policyagent capture`.
pub(crate) mod dissect;
pub(crate) mod file;
pub(crate) mod filter;
mod fuzzing;
mod live;
mod run;
pub(crate) mod view;

pub(crate) use fuzzing::{capture_seeds, fuzz_capture};
pub(crate) use run::{CaptureArgs, run};
