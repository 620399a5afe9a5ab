//! The IKE (ISAKMP/Oakley) protocol core of policyagent.
//!
//! Pure: no sockets, clock, files, threads or logging. Everything enters through
//! [`endpoint::Endpoint::handle`] and leaves through [`endpoint::Endpoint::poll`]; time and randomness are given.
//!
//! A module uses only those left of it:
//! `time address ids secret rng` < `wire` < `crypto` < `identity` < `certificate` < `proposal` < `policy` < `sa` < `event` <
//! `exchange` < `endpoint`.
#![forbid(unsafe_code)]

pub mod address;
pub mod certificate;
pub mod crypto;
pub mod endpoint;
pub mod event;
pub mod exchange;
pub mod fuzzing;
pub mod identity;
pub mod ids;
pub mod policy;
pub mod proposal;
pub mod rng;
pub mod sa;
pub mod secret;
pub mod testing;
pub mod time;
pub mod wire;
