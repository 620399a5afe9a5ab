//! The exchanges: each mode is a set of small states, and the runner is the only one who writes them.
//!
//! A state borrows itself to judge a message ([`step::Role::receive`] takes `&self`), so what it refuses leaves no mark.
pub mod auth;
pub mod info;
pub mod main;
pub mod message;
pub mod natt;
pub mod quick;
pub mod retransmit;
pub mod runner;
pub mod step;
pub mod work;

use crate::event::Trace;
use crate::policy::db::PolicyDb;
use crate::rng::SecureRandom;
use crate::time::Time;
use std::net::SocketAddr;

/// The settings that exchanges look at.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// The UDP port of NAT traversal.
    pub nat_t_port: u16,
    /// Speaks NAT traversal.
    pub nat_traversal: bool,
    /// Packets of the anti-replay window.
    pub replay_window: u32,
}

/// What a step may use.
pub struct Cx<'a> {
    /// The time.
    pub now: Time,
    /// Randomness.
    pub rng: &'a mut dyn SecureRandom,
    /// The policy in force.
    pub policy: &'a PolicyDb,
    /// The settings.
    pub settings: &'a Settings,
    /// Takes the events.
    pub trace: &'a mut Trace,
}

/// Between which addresses and ports messages travel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Path {
    /// This host.
    pub local: SocketAddr,
    /// The peer.
    pub remote: SocketAddr,
}
