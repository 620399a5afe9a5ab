//! The exchanges: each mode is a set of small states, and the runner is the only one who writes them.
//!
//! A state borrows itself to judge a message ([`step::Role::receive`] takes `&self`), so what it refuses leaves no mark.
pub mod aggressive;
pub mod answer;
pub mod auth;
pub mod config_mode;
pub mod dpd;
pub mod fragment;
pub mod fresh;
pub mod info;
pub mod main;
pub mod message;
pub mod mode;
pub mod natt;
pub mod phase1;
pub mod quick;
pub mod retransmit;
pub mod runner;
pub mod side;
pub mod step;
pub mod vendor;
pub mod work;

use crate::address::{HostAddress, Scope};
use crate::event::Trace;
use crate::policy::db::PolicyDb;
use crate::policy::lease::Leases;
use crate::rng::SecureRandom;
use crate::time::Time;
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// The settings that exchanges look at.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// The UDP port of NAT traversal.
    pub nat_t_port: u16,
    /// Speaks NAT traversal.
    pub nat_traversal: bool,
    /// Speaks IKE fragmentation.
    pub fragmentation: bool,
    /// As responder of quick mode, sets the commit bit.
    pub commit_bit: bool,
    /// Tells peers with which no SA stands that there is none.
    pub initial_contact: bool,
    /// Announces that it behaves as Windows does.
    pub as_windows: bool,
    /// Announces that it is a member of a cluster.
    pub of_cluster: bool,
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
    /// The peers with which SAs stand.
    pub peers: &'a Peers,
    /// Who has which address of the pools.
    pub leases: &'a Leases,
    /// Takes the events.
    pub trace: &'a mut Trace,
}

/// The peers with which ISAKMP SAs or IPsec SAs stand.
#[derive(Debug, Default)]
pub struct Peers(BTreeMap<HostAddress, usize>);

impl Peers {
    /// One more SA stands.
    pub fn add(&mut self, peer: HostAddress) {
        *self.0.entry(peer).or_default() += 1;
    }

    /// One SA is gone.
    pub fn remove(&mut self, peer: HostAddress) {
        if let Some(count) = self.0.get_mut(&peer) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.0.remove(&peer);
            }
        }
    }

    /// True if an SA with this peer stands.
    pub fn knows(&self, peer: HostAddress) -> bool {
        self.0.contains_key(&peer)
    }

    /// True if no SA stands at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Between which addresses and ports messages travel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Path {
    /// This host.
    pub local: SocketAddr,
    /// The peer.
    pub remote: SocketAddr,
}

impl Path {
    /// The peer's address.
    pub fn peer(&self) -> HostAddress {
        self.remote.into()
    }

    /// This host's address.
    pub fn own(&self) -> HostAddress {
        self.local.into()
    }

    /// The link that it is on, if one of the addresses is link-local.
    pub fn scope(&self) -> Scope {
        self.own().scope().max(self.peer().scope())
    }

    /// The same between the ports of NAT traversal.
    pub(crate) fn to_nat_t(mut self, port: u16) -> Self {
        self.local.set_port(port);
        self.remote.set_port(port);
        self
    }
}
