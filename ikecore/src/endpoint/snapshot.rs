//! What stands at the moment, for status, monitor and tests. No secrets.
use crate::event::negotiation::Role;
use crate::identity::Identity;
use crate::ids::{Cookies, IkeSaId, IpsecSaId, NegotiationId, Spi};
use crate::policy::selector::Selector;
use crate::proposal::suite::{IkeSuite, IpsecSuite, Lifetime, Mode};
use crate::time::Time;
use std::net::SocketAddr;

/// Everything that stands.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// The number of the policy in force.
    pub policy_version: u64,
    /// ISAKMP SAs, those being negotiated included.
    pub ike_sas: Vec<IkeSaInfo>,
    /// Quick modes under way.
    pub quick_modes: Vec<QuickModeInfo>,
    /// Installed IPsec SA pairs.
    pub ipsec_sas: Vec<IpsecSaInfo>,
    /// Since the start.
    pub counters: Counters,
}

/// An ISAKMP SA.
#[derive(Clone, Debug)]
pub struct IkeSaInfo {
    /// Its handle.
    pub id: IkeSaId,
    /// Its cookies.
    pub cookies: Cookies,
    /// This host.
    pub local: SocketAddr,
    /// The peer.
    pub remote: SocketAddr,
    /// Which end began.
    pub role: Role,
    /// `established`, or what it waits for.
    pub state: &'static str,
    /// The rule.
    pub rule: String,
    /// The algorithms, once chosen.
    pub suite: Option<IkeSuite>,
    /// Who the peer is, once proven.
    pub identity: Option<Identity>,
    /// When it was established, or begun.
    pub since: Time,
    /// Its life.
    pub lifetime: Lifetime,
    /// How many quick modes it served.
    pub quick_modes: u32,
    /// A NAT is before this host, before the peer.
    pub nat: (bool, bool),
}

/// A quick mode under way.
#[derive(Clone, Debug)]
pub struct QuickModeInfo {
    /// The negotiation that it is part of.
    pub negotiation: NegotiationId,
    /// The peer.
    pub remote: SocketAddr,
    /// Which end began.
    pub role: Role,
    /// What it waits for.
    pub state: &'static str,
    /// The rule.
    pub rule: String,
}

/// An installed IPsec SA pair.
#[derive(Clone, Debug)]
pub struct IpsecSaInfo {
    /// Its handle.
    pub id: IpsecSaId,
    /// This host (outer).
    pub local: SocketAddr,
    /// The peer (outer).
    pub remote: SocketAddr,
    /// SPI for packets that arrive.
    pub inbound: Spi,
    /// SPI for packets that leave.
    pub outbound: Spi,
    /// The algorithms.
    pub suite: IpsecSuite,
    /// The mode.
    pub mode: Mode,
    /// ESP in UDP.
    pub encapsulated: bool,
    /// The traffic.
    pub selector: Selector,
    /// The rule.
    pub rule: String,
    /// When it was installed.
    pub since: Time,
    /// Its life.
    pub lifetime: Lifetime,
    /// True while it waits for its end because a newer pair has taken over.
    pub replaced: bool,
}

/// Counts since the start.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counters {
    /// Datagrams that came.
    pub datagrams: u64,
    /// Datagrams that were dropped.
    pub dropped: u64,
    /// Datagrams that were dropped because they were malformed.
    pub malformed: u64,
    /// Messages repeated for want of an answer.
    pub retransmitted: u64,
    /// Replies repeated to duplicates.
    pub replies_repeated: u64,
    /// Acquires of the driver.
    pub acquires: u64,
    /// Main modes that succeeded.
    pub main_modes: u64,
    /// Main modes that failed.
    pub main_modes_failed: u64,
    /// Quick modes that succeeded.
    pub quick_modes: u64,
    /// Quick modes that failed.
    pub quick_modes_failed: u64,
    /// Messages that could not be authenticated.
    pub authentication_failures: u64,
}
