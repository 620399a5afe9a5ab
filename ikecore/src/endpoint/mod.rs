//! The endpoint: everything this host negotiates, driven by [`Input`]s and drained of [`Output`]s.
mod admission;
mod asks;
mod begin;
pub mod config;
mod config_mode;
mod deletes;
mod demux;
mod dos_cookie;
mod dos_protection;
mod dpd;
mod forge;
mod fragments;
mod idle;
mod index;
mod informational;
pub mod io;
mod keepalive;
pub mod key_log;
mod lifecycle;
mod main_mode;
mod negotiation;
mod one_nat;
mod policy;
mod quick_mode;
pub mod snapshot;
mod soft_sa;
mod switch_over;
mod tables;
#[cfg(test)]
mod tests;
mod timers;
mod turns;
mod unique;
mod versions;

pub use crate::exchange::work::{
    AddressOp, Answer, Ask, KeyExchange, KeyExchangeAnswer, Sign, VerifyChain, XauthCheck,
};
pub use config::Config;
pub use io::{Command, Input, Output, Transmit};
pub use key_log::LoggedKey;
pub use snapshot::{Counters, IkeSaInfo, IpsecSaInfo, QuickModeInfo, Sizes, Snapshot, SoftSaInfo};

use crate::event::{Context, EndpointEvent, EventKind, MessageEvent, Trace};
use crate::exchange::message::Outgoing;
use crate::exchange::retransmit::Plan;
use crate::exchange::{Cx, Path, Peers, Settings};
use crate::ids::{Cookie, IkeSaId, IpsecSaId, NegotiationId};
use crate::policy::db::PolicyDb;
use crate::policy::lease::Leases;
use crate::rng::SecureRandom;
use crate::sa::driver::DriverError;
use crate::time::Time;
use asks::Asks;
use index::Index;
use soft_sa::SoftSa;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;
use tables::{FirstMessage, IkeSa, Negotiation, Pair};
use timers::Timers;

/// What every step may look at.
struct Shared {
    now: Time,
    rng: Box<dyn SecureRandom>,
    policy: Arc<PolicyDb>,
    settings: Settings,
    peers: Peers,
    leases: Leases,
    trace: Trace,
}

impl Shared {
    fn cx(&mut self) -> Cx<'_> {
        Cx {
            now: self.now,
            rng: self.rng.as_mut(),
            policy: &self.policy,
            settings: &self.settings,
            peers: &self.peers,
            leases: &self.leases,
            trace: &mut self.trace,
        }
    }
}

/// The negotiating half of an IPsec host. One [`Self::handle`], then [`Self::poll`] until [`Output::Wait`].
pub struct Endpoint {
    config: Config,
    plan: Plan,
    shared: Shared,
    outputs: VecDeque<Output>,
    timers: Timers,
    asks: Asks,
    counters: Counters,
    /// The next handle of any kind.
    next_handle: u64,
    ike_sas: BTreeMap<IkeSaId, IkeSa>,
    /// ISAKMP SAs by this host's cookie, which no other has.
    by_cookie: BTreeMap<Cookie, IkeSaId>,
    /// ISAKMP SAs that a peer began, by its first message: that names no cookie of this host.
    by_first_message: BTreeMap<FirstMessage, IkeSaId>,
    /// First messages that were refused, with their answers: while the peer may repeat one, it is no new negotiation.
    refused: BTreeMap<FirstMessage, Option<Outgoing>>,
    pairs: BTreeMap<IpsecSaId, Pair>,
    soft_sas: BTreeMap<IpsecSaId, SoftSa>,
    index: Index,
    unproven: admission::Unproven,
    fragments: fragments::Fragments,
    versions: versions::Allowance,
    dos_key: dos_protection::Key,
    /// Deletes that wait for their acknowledgement.
    deletes: BTreeMap<deletes::Key, deletes::Delete>,
    /// Acknowledgements of the peers' deletes.
    acknowledged: BTreeMap<deletes::Key, deletes::Acknowledged>,
    negotiations: BTreeMap<NegotiationId, Negotiation>,
    /// Addresses that peers gave to this host.
    granted: BTreeSet<IpAddr>,
    /// Pairs that were lost with a dead peer, by their old handle.
    restarts: BTreeMap<IpsecSaId, dpd::Restart>,
    driver_lost: Option<String>,
    stopping: bool,
}

impl Endpoint {
    /// An endpoint without policy: it negotiates with nobody before the first [`Input::Policy`].
    pub fn new(config: Config, rng: Box<dyn SecureRandom>, now: Time) -> Self {
        let settings = Settings {
            nat_t_port: config.nat_t_port,
            nat_traversal: config.nat_traversal,
            fragmentation: config.fragmentation,
            commit_bit: config.commit_bit,
            initial_contact: config.initial_contact,
            as_windows: config.as_windows,
            of_cluster: config.of_cluster,
            replay_window: config.replay_window,
        };
        let trace = Trace::new(config.detail, Context::default());
        Self {
            plan: Plan { first: config.retransmit_first, transmissions: config.transmissions },
            config,
            shared: Shared {
                now,
                rng,
                policy: Arc::default(),
                settings,
                peers: Peers::default(),
                leases: Leases::default(),
                trace,
            },
            outputs: VecDeque::new(),
            timers: Timers::default(),
            asks: Asks::default(),
            counters: Counters::default(),
            next_handle: 1,
            ike_sas: BTreeMap::new(),
            by_cookie: BTreeMap::new(),
            by_first_message: BTreeMap::new(),
            refused: BTreeMap::new(),
            pairs: BTreeMap::new(),
            soft_sas: BTreeMap::new(),
            index: Index::default(),
            unproven: admission::Unproven::default(),
            fragments: fragments::Fragments::default(),
            versions: versions::Allowance::default(),
            dos_key: dos_protection::Key::default(),
            deletes: BTreeMap::new(),
            acknowledged: BTreeMap::new(),
            negotiations: BTreeMap::new(),
            granted: BTreeSet::new(),
            restarts: BTreeMap::new(),
            driver_lost: None,
            stopping: false,
        }
    }

    /// Takes one input. No peer can make it fail or panic.
    pub fn handle(&mut self, now: Time, input: Input<'_>) {
        self.shared.now = now.max(self.shared.now);
        self.shared.trace.context = Context::default();
        match input {
            Input::Datagram { local, remote, octets } => self.datagram(Path { local, remote }, octets),
            Input::Timeout => {}
            Input::Acquire(acquire) => self.acquire(acquire),
            Input::Expire(expire) => self.expire(expire),
            Input::Mapping(mapping) => self.mapping(mapping),
            Input::PathMtu { remote, octets } => self.path_mtu(remote, octets),
            Input::DriverLost(reason) => self.lose_driver(reason),
            Input::DriverReplaced => self.replace_driver(),
            Input::Answer(id, answer) => self.answered(id, answer),
            Input::Command(command) => self.command(command),
            Input::Policy(policy) => self.set_policy(policy),
        }
        while let Some(timer) = self.timers.pop(self.shared.now) {
            self.shared.trace.context = Context::default();
            self.fire(timer);
        }
        self.flush();
    }

    /// The next output; [`Output::Wait`] says that there is no more.
    pub fn poll(&mut self) -> Output {
        self.outputs.pop_front().unwrap_or_else(|| Output::Wait(self.timers.next()))
    }

    /// True once a [`Command::Shutdown`] is done.
    pub fn is_stopped(&self) -> bool {
        self.stopping && self.outputs.is_empty() && !self.asks.driver_is_busy()
    }

    /// Puts the events of the steps so far among the outputs, in their place.
    fn flush(&mut self) {
        self.outputs.extend(self.shared.trace.take().into_iter().map(Output::Event));
    }

    fn tell(&mut self, kind: EventKind) {
        self.shared.trace.tell(kind);
    }

    /// Sends a message for the first time.
    fn send(&mut self, message: &Outgoing) {
        self.shared.trace.step(|| {
            EventKind::Message(MessageEvent::Sending {
                octets: message.plain.clone(),
                encrypted: message.encrypted,
                name: message.name,
            })
        });
        self.transmit(message);
    }

    /// Sends a message, for the first time or again.
    fn transmit(&mut self, message: &Outgoing) {
        self.flush();
        let Path { local, remote } = message.path;
        let marker = local.port() == self.config.nat_t_port;
        for octets in self.cut(message).unwrap_or_else(|| vec![message.octets.clone()]) {
            self.outputs.push_back(Output::Transmit(Transmit { local, remote, octets, marker }));
        }
    }

    fn handle_number(&mut self) -> u64 {
        let number = self.next_handle;
        self.next_handle += 1;
        number
    }

    /// What follows is about this ISAKMP SA.
    fn focus(&mut self, id: IkeSaId) {
        let context = &mut self.shared.trace.context;
        context.ike_sa = Some(id);
        context.ipsec_sa = None;
        if let Some(sa) = self.ike_sas.get(&id) {
            context.negotiation = Some(sa.negotiation);
            context.local = Some(sa.path.local);
            context.remote = Some(sa.path.remote);
        }
    }

    fn driver_failed(&mut self, error: DriverError) {
        self.tell(EventKind::Endpoint(EndpointEvent::DriverFailed(error)));
    }
}
