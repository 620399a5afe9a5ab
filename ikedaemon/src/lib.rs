//! The IKE daemon around `ikecore`: listener, engine, SA drivers, asks, sinks.
mod addresses;
pub mod asks;
pub mod clock;
pub mod driver;
pub mod engine;
pub mod fuzzing;
pub mod listener;
mod netlink;
pub mod network;
pub mod random;
pub mod sinks;
pub mod statistics;
pub mod sys;
