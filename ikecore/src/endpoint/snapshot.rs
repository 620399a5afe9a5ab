//! What stands at the moment, for status, monitor and tests. No secrets.
use super::tables::{IkeSa, Pair, Phase};
use crate::crypto::group::Group;
use crate::event::negotiation::Role;
use crate::exchange::mode::Phase1;
use crate::exchange::step::Role as ExchangeRole;
use crate::identity::Identity;
use crate::ids::{Cookies, IkeSaId, IpsecSaId, NegotiationId, Spi};
use crate::policy::selector::Selector;
use crate::proposal::suite::{IkeSuite, Lifetime, Mode, ProtectionSuite};
use crate::time::Time;
use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

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
    /// Soft SAs.
    pub soft_sas: Vec<SoftSaInfo>,
    /// Addresses that peers gave to this host.
    pub granted: BTreeSet<IpAddr>,
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
    /// The peer's user, once extended authentication has proven it.
    pub user: Option<String>,
    /// The addresses that Mode Config gave: to the peer, or to this host.
    pub addresses: Vec<IpAddr>,
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
    pub suite: ProtectionSuite,
    /// The mode.
    pub mode: Mode,
    /// ESP in UDP.
    pub encapsulated: bool,
    /// Sequence numbers have 64 bits.
    pub extended_sequence_numbers: bool,
    /// The traffic.
    pub selector: Selector,
    /// The rule.
    pub rule: String,
    /// The quick-mode policy that it was negotiated by.
    pub policy: String,
    /// The group of quick mode's own Diffie-Hellman exchange, if it had one.
    pub pfs: Option<Group>,
    /// When it was installed.
    pub since: Time,
    /// Its life.
    pub lifetime: Lifetime,
    /// True while it waits for its end because a newer pair has taken over.
    pub replaced: bool,
}

/// A soft SA: traffic that passes in clear because its peer does not answer IKE.
#[derive(Clone, Debug)]
pub struct SoftSaInfo {
    /// Its handle.
    pub id: IpsecSaId,
    /// This host.
    pub local: SocketAddr,
    /// The peer.
    pub remote: SocketAddr,
    /// The traffic.
    pub selector: Selector,
    /// The rule.
    pub rule: String,
    /// When it was installed.
    pub since: Time,
    /// Its life, seconds; 0 is no limit.
    pub lifetime: u32,
}

/// How much stands at the moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Sizes {
    /// ISAKMP SAs, those being negotiated included.
    pub ike_sas: usize,
    /// ISAKMP SAs that stand.
    pub established: usize,
    /// Main modes under way that peers began.
    pub half_open: usize,
    /// Quick modes under way.
    pub quick_modes: usize,
    /// Soft SAs.
    pub soft_sas: usize,
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
    /// Soft SAs: times that traffic passed in clear because the peer did not answer.
    pub soft_sas: u64,
}

impl super::Endpoint {
    /// Counts since the start.
    pub const fn counters(&self) -> Counters {
        self.counters
    }

    /// How much stands at the moment.
    pub fn sizes(&self) -> Sizes {
        let mut sizes = Sizes { ike_sas: self.ike_sas.len(), soft_sas: self.soft_sas.len(), ..Sizes::default() };
        for sa in self.ike_sas.values() {
            match &sa.phase {
                Phase::Established(standing) => {
                    sizes.established += 1;
                    let under_way = standing.quick_modes.values().filter(|running| running.exchange.is_some());
                    sizes.quick_modes += under_way.count();
                }
                Phase::Negotiating(_) => sizes.half_open += usize::from(sa.role == Role::Responder),
            }
        }
        sizes
    }

    /// What stands at the moment.
    pub fn snapshot(&self) -> Snapshot {
        let mut snapshot =
            Snapshot { policy_version: self.shared.policy.version, counters: self.counters, ..Snapshot::default() };
        snapshot.granted.clone_from(&self.granted);
        for (id, sa) in &self.ike_sas {
            snapshot.ike_sas.push(ike_sa(*id, sa, self));
            for running in sa.standing().iter().flat_map(|standing| standing.quick_modes.values()) {
                let Some(exchange) = &running.exchange else { continue };
                let negotiation = self.negotiations.get(&running.negotiation);
                snapshot.quick_modes.push(QuickModeInfo {
                    negotiation: running.negotiation,
                    remote: sa.path.remote,
                    role: negotiation.map_or(Role::Responder, |negotiation| negotiation.role),
                    state: exchange.state().map_or("finished", ExchangeRole::waits_for),
                    rule: negotiation.and_then(|n| n.rule.as_ref()).map_or_else(String::new, |rule| rule.name.clone()),
                });
            }
        }
        snapshot.ipsec_sas = self.pairs.values().map(ipsec_sa).collect();
        snapshot.soft_sas = self.soft_sas.iter().filter_map(|(id, soft)| soft.info(*id)).collect();
        snapshot
    }
}

fn ike_sa(id: IkeSaId, sa: &IkeSa, endpoint: &super::Endpoint) -> IkeSaInfo {
    let (state, suite, identity, since, lifetime, nat) = match &sa.phase {
        Phase::Established(standing) => (
            match &standing.preparation {
                Some(preparation) => standing.awaits(preparation),
                None if standing.retired => "retired",
                None => "established",
            },
            Some(standing.sa.keys.suite),
            Some(standing.sa.peer.identity()).filter(|identity| **identity != Identity::Nobody).cloned(),
            standing.since,
            standing.sa.lifetime,
            (standing.sa.nat.local, standing.sa.nat.remote),
        ),
        Phase::Negotiating(negotiating) => {
            let state = negotiating.exchange.state();
            let since =
                endpoint.negotiations.get(&sa.negotiation).map_or(Time::ZERO, |negotiation| negotiation.started);
            let suite = state.and_then(|state| state.progress().0);
            let name = state.map_or("finished", ExchangeRole::waits_for);
            (name, suite, None, since, sa.rule.main_mode.lifetime, (false, false))
        }
    };
    IkeSaInfo {
        id,
        cookies: sa.cookies,
        local: sa.path.local,
        remote: sa.path.remote,
        role: sa.role,
        state,
        rule: sa.rule.name.clone(),
        suite,
        identity,
        since,
        lifetime,
        quick_modes: sa.quick_modes,
        nat,
        user: sa.standing().filter(|standing| standing.admitted).and_then(|standing| standing.user.clone()),
        addresses: sa.standing().map_or_else(Vec::new, |standing| standing.addresses().to_vec()),
    }
}

fn ipsec_sa(pair: &Pair) -> IpsecSaInfo {
    let sa = &pair.sa;
    let policy = sa.rule.quick_mode();
    IpsecSaInfo {
        id: sa.id,
        local: sa.path.local,
        remote: sa.path.remote,
        inbound: sa.inbound.spi,
        outbound: sa.outbound.spi,
        suite: sa.suite,
        mode: sa.mode,
        encapsulated: sa.encapsulated,
        extended_sequence_numbers: sa.extended_sequence_numbers,
        selector: sa.selector,
        rule: sa.rule.name.clone(),
        policy: policy.map(|policy| policy.name.clone()).unwrap_or_default(),
        pfs: policy.and_then(|policy| policy.offers.first()).and_then(|offer| offer.pfs),
        since: pair.since,
        lifetime: sa.lifetime,
        replaced: pair.replaced,
    }
}
