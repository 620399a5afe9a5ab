//! Security associations: what a driver installs, and the core's tables of them.
pub mod driver;
mod traffic;
