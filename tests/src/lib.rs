//! The harness shared by the cross-crate tests: network namespaces, child processes, the peers, the daemon under
//! test, captures, and the guest with a kernel that has ESP.
//!
//! These are helpers for tests: what cannot be set up panics, with the command and its output in the message.
#![forbid(unsafe_code)]

pub mod capture;
pub mod certificates;
pub mod charon;
pub mod conformance;
pub mod daemon;
pub mod interop;
pub mod load;
pub mod netns;
pub mod pluto;
pub mod policy_text;
pub mod process;
pub mod relay;
pub mod samba;
pub mod scenario;
pub mod scratch;
pub mod slapd;
pub mod tshark;
pub mod uml;
pub mod vici;
pub mod xl2tpd;
