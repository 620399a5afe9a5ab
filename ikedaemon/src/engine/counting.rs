//! What the engine counts for the statistics: negotiations by their events, and the driver's operations and SAs.
use crate::driver::Drops;
use crate::statistics::{Figure, Statistics};
use ikecore::endpoint::{Counters, Sizes};
use ikecore::event::negotiation::{Cause, Role};
use ikecore::event::{
    EndpointEvent, Event, EventKind, IkeSaEvent, IpsecSaEvent, MessageEvent, NegotiationEvent, QuickModeEvent, Reject,
};
use ikecore::ids::{AskId, IpsecSaId, NegotiationId};
use ikecore::proposal::suite::{EspCipher, IpsecSuite, Mode};
use ikecore::sa::driver::{SaAnswer, SaOp, SaSpec, Usage};
use std::collections::{BTreeMap, BTreeSet};

/// Counts since the start.
#[derive(Debug, Default)]
pub(super) struct Counting {
    /// Negotiations under way that an acquire began.
    acquiring: BTreeSet<NegotiationId>,
    acquire_failures: u64,
    /// An acquire for which there is a rule is being handled, and no negotiation has begun for it so far.
    acquire: bool,
    acquires_joined: u64,
    invalid_cookies: u64,
    main_modes_started: u64,
    main_modes_of_peers: u64,
    quick_modes_started: u64,
    rekeys: u64,
    /// Operations that the driver has not answered.
    pending: BTreeMap<AskId, Operation>,
    get_spi: Tries,
    key_additions: Tries,
    key_updates: Tries,
    pairs: BTreeMap<IpsecSaId, Pair>,
    pairs_added: u64,
    pairs_deleted: u64,
    /// The traffic of the pairs that are no more.
    ended: Traffic,
    /// What the drivers that are no more have dropped.
    dropped: Drops,
}

/// How often something was tried, and failed.
#[derive(Clone, Copy, Debug, Default)]
struct Tries {
    all: u64,
    failed: u64,
}

/// An operation of the driver that is counted.
#[derive(Clone, Copy, Debug)]
enum Operation {
    GetSpi,
    Inbound(IpsecSaId),
    Outbound(IpsecSaId),
    Other,
}

/// A pair of SAs that the driver has, or is being given.
#[derive(Clone, Copy, Debug)]
struct Pair {
    kind: Protection,
    whole: bool,
    /// The most that was seen.
    usage: Usage,
}

/// As what the octets of a pair count.
#[derive(Clone, Copy, Debug)]
struct Protection {
    confidential: bool,
    authenticated: bool,
    tunnel: bool,
}

impl Protection {
    fn of(sa: &SaSpec) -> Self {
        let protection = sa.protection();
        let (confidential, authenticated) = match protection.main {
            IpsecSuite::Esp { cipher, integrity } => {
                (cipher != EspCipher::Null, integrity.is_some() || cipher.is_aead())
            }
            IpsecSuite::Ah { .. } => (false, true),
        };
        let authenticated = authenticated || protection.outer.is_some();
        Self { confidential, authenticated, tunnel: sa.mode == Mode::Tunnel }
    }
}

/// Octets sent and received.
type Octets = [u64; 2];

/// Sums over pairs.
#[derive(Clone, Copy, Debug, Default)]
struct Traffic {
    confidential: Octets,
    authenticated: Octets,
    transport: Octets,
    tunnel: Octets,
    replays: Option<u64>,
    integrity_failures: Option<u64>,
}

/// The sum of what is known; nothing if nothing is.
fn sum(a: Option<u64>, b: Option<u64>) -> Option<u64> {
    a.into_iter().chain(b).reduce(u64::saturating_add)
}

impl Traffic {
    fn add(&mut self, pair: &Pair) {
        let Pair { kind, usage, .. } = pair;
        let octets = [usage.outbound_octets, usage.inbound_octets];
        let by_mode = if kind.tunnel { &mut self.tunnel } else { &mut self.transport };
        let mut sums = vec![by_mode];
        sums.extend(kind.confidential.then_some(&mut self.confidential));
        sums.extend(kind.authenticated.then_some(&mut self.authenticated));
        for sum in sums {
            sum.iter_mut().zip(octets).for_each(|(sum, octets)| *sum = sum.saturating_add(octets));
        }
        self.replays = sum(self.replays, usage.replays);
        self.integrity_failures = sum(self.integrity_failures, usage.integrity_failures);
    }
}

impl Counting {
    /// Something happened.
    pub(super) fn event(&mut self, event: &Event) {
        match &event.kind {
            EventKind::Endpoint(EndpointEvent::Acquire { rule, .. }) => {
                self.acquire = rule.is_some();
                self.acquire_failures += u64::from(rule.is_none());
            }
            EventKind::Negotiation(NegotiationEvent::Started { cause: Cause::Acquire(_), .. }) => {
                self.acquire = false;
                self.acquiring.extend(event.context.negotiation);
            }
            EventKind::Negotiation(outcome) => {
                let acquired = event.context.negotiation.is_some_and(|id| self.acquiring.remove(&id));
                let failed = matches!(outcome, NegotiationEvent::Failed { .. });
                self.acquire_failures += u64::from(acquired && failed);
            }
            EventKind::IkeSa(IkeSaEvent::Created { role, .. }) => {
                self.main_modes_started += 1;
                self.main_modes_of_peers += u64::from(*role == Role::Responder);
            }
            EventKind::QuickMode(QuickModeEvent::Created { .. }) => self.quick_modes_started += 1,
            EventKind::IpsecSa(IpsecSaEvent::Established { replaces: Some(_), .. }) => self.rekeys += 1,
            EventKind::Message(MessageEvent::Dropped { reason: Reject::UnknownCookies { .. }, .. }) => {
                self.invalid_cookies += 1;
            }
            _ => {}
        }
    }

    /// All that follows from an acquire at once has been done.
    pub(super) fn acquire_handled(&mut self) {
        self.acquires_joined += u64::from(std::mem::take(&mut self.acquire));
    }

    /// The driver is given an operation. The pair whose traffic must be asked for before, as it will be lost.
    pub(super) fn submitted(&mut self, ask: AskId, operation: &SaOp) -> Option<IpsecSaId> {
        let (kind, ending) = match operation {
            SaOp::AllocSpi { .. } => (Operation::GetSpi, None),
            SaOp::InstallInbound { id, sa } => {
                let kind = Protection::of(sa);
                self.pairs.insert(*id, Pair { kind, whole: false, usage: Usage::default() });
                (Operation::Inbound(*id), None)
            }
            SaOp::InstallOutbound { id, .. } => (Operation::Outbound(*id), None),
            SaOp::DeleteOutbound(id) | SaOp::Delete { id, .. } => (Operation::Other, Some(*id)),
            SaOp::InstallSoft { .. } | SaOp::ReleaseSpi(_) | SaOp::Update { .. } => (Operation::Other, None),
            SaOp::Query(_) | SaOp::SetPolicies(_) => return None,
        };
        match kind {
            Operation::GetSpi => self.get_spi.all += 1,
            Operation::Inbound(_) => self.key_updates.all += 1,
            Operation::Outbound(_) => self.key_additions.all += 1,
            Operation::Other => {}
        }
        self.pending.insert(ask, kind);
        ending.filter(|id| self.pairs.contains_key(id))
    }

    /// The driver has answered an operation of the endpoint.
    pub(super) fn answered(&mut self, ask: AskId, answer: &SaAnswer) {
        let Some(operation) = self.pending.remove(&ask) else { return };
        let failed = matches!(answer, SaAnswer::Spi(Err(_)) | SaAnswer::Done(Err(_)));
        match operation {
            Operation::GetSpi => self.get_spi.failed += u64::from(failed),
            Operation::Inbound(id) => {
                self.key_updates.failed += u64::from(failed);
                if failed {
                    self.pairs.remove(&id);
                }
            }
            Operation::Outbound(_) if failed => self.key_additions.failed += 1,
            Operation::Outbound(id) => {
                if let Some(pair) = self.pairs.get_mut(&id) {
                    pair.whole = true;
                    self.pairs_added += 1;
                }
            }
            Operation::Other => {}
        }
    }

    /// What the driver has counted for a pair so far.
    pub(super) fn used(&mut self, id: IpsecSaId, now: Usage) {
        let Some(Pair { usage, .. }) = self.pairs.get_mut(&id) else { return };
        // An SA of a pair may have ended by itself, and its count with it.
        *usage = Usage {
            inbound_octets: usage.inbound_octets.max(now.inbound_octets),
            inbound_packets: usage.inbound_packets.max(now.inbound_packets),
            outbound_octets: usage.outbound_octets.max(now.outbound_octets),
            outbound_packets: usage.outbound_packets.max(now.outbound_packets),
            replays: usage.replays.max(now.replays),
            integrity_failures: usage.integrity_failures.max(now.integrity_failures),
        };
    }

    /// A pair is no more.
    pub(super) fn ended(&mut self, id: IpsecSaId) {
        if let Some(pair) = self.pairs.remove(&id) {
            self.ended.add(&pair);
            self.pairs_deleted += u64::from(pair.whole);
        }
    }

    /// The driver is no more, and its SAs neither.
    pub(super) fn driver_lost(&mut self, drops: Drops) {
        for operation in std::mem::take(&mut self.pending).into_values() {
            match operation {
                Operation::GetSpi => self.get_spi.failed += 1,
                Operation::Inbound(_) => self.key_updates.failed += 1,
                Operation::Outbound(_) => self.key_additions.failed += 1,
                Operation::Other => {}
            }
        }
        for id in self.pairs.keys().copied().collect::<Vec<_>>() {
            self.ended(id);
        }
        self.dropped = self.dropped.plus(drops);
    }

    /// The figures that are counted here and by the driver, which has dropped `drops`.
    pub(super) fn write(&self, drops: Drops, to: &mut Statistics) {
        let mut traffic = self.ended;
        self.pairs.values().for_each(|pair| traffic.add(pair));
        let drops = self.dropped.plus(drops);
        let whole = || self.pairs.values().filter(|pair| pair.whole);
        for (figure, value) in [
            (Figure::ActiveAcquire, count(self.acquiring.len())),
            (Figure::AcquireFailures, self.acquire_failures),
            (Figure::AcquiresJoined, self.acquires_joined),
            (Figure::InvalidCookies, self.invalid_cookies),
            (Figure::MainModesStarted, self.main_modes_started),
            (Figure::MainModesOfPeers, self.main_modes_of_peers),
            (Figure::QuickModesStarted, self.quick_modes_started),
            (Figure::GetSpis, self.get_spi.all),
            (Figure::GetSpiFailures, self.get_spi.failed),
            (Figure::KeyAdditions, self.key_additions.all),
            (Figure::KeyAdditionFailures, self.key_additions.failed),
            (Figure::KeyUpdates, self.key_updates.all),
            (Figure::KeyUpdateFailures, self.key_updates.failed),
            (Figure::PendingKeys, count(self.pending.len())),
            (Figure::ActiveSas, count(whole().count())),
            (Figure::ActiveTunnels, count(whole().filter(|pair| pair.kind.tunnel).count())),
            (Figure::SasAdded, self.pairs_added),
            (Figure::SasDeleted, self.pairs_deleted),
            (Figure::Rekeys, self.rekeys),
        ] {
            to.set(figure, value);
        }
        to.set(Figure::BadSpi, drops.bad_spi);
        to.set(Figure::NotDecrypted, drops.not_decrypted);
        to.set(Figure::NotAuthenticated, drops.not_authenticated.or(traffic.integrity_failures));
        to.set(Figure::Replays, drops.replayed.or(traffic.replays));
        for (figures, [sent, received]) in [
            ([Figure::ConfidentialSent, Figure::ConfidentialReceived], traffic.confidential),
            ([Figure::AuthenticatedSent, Figure::AuthenticatedReceived], traffic.authenticated),
            ([Figure::TransportSent, Figure::TransportReceived], traffic.transport),
            ([Figure::TunnelSent, Figure::TunnelReceived], traffic.tunnel),
        ] {
            to.set(figures[0], sent);
            to.set(figures[1], received);
        }
    }
}

/// The figures that the endpoint counts.
pub(super) fn of_endpoint(counters: &Counters, sizes: &Sizes, to: &mut Statistics) {
    for (figure, value) in [
        (Figure::MainModes, counters.main_modes),
        (Figure::QuickModes, counters.quick_modes),
        (Figure::SoftSas, counters.soft_sas),
        (Figure::AuthenticationFailures, counters.authentication_failures),
        (Figure::NegotiationFailures, counters.main_modes_failed + counters.quick_modes_failed),
        (Figure::MainModesFailed, counters.main_modes_failed),
        (Figure::QuickModesFailed, counters.quick_modes_failed),
        (Figure::Acquires, counters.acquires),
        (Figure::InvalidPackets, counters.malformed),
        (Figure::Datagrams, counters.datagrams),
        (Figure::Dropped, counters.dropped),
        (Figure::Retransmitted, counters.retransmitted),
        (Figure::RepliesRepeated, counters.replies_repeated),
        (Figure::IsadbListSize, count(sizes.ike_sas + sizes.soft_sas)),
        (Figure::ConnectionListSize, count(sizes.quick_modes)),
        (Figure::ActiveMainModes, count(sizes.established)),
        (Figure::HalfOpenMainModes, count(sizes.half_open)),
    ] {
        to.set(figure, value);
    }
}

/// A number of things as a figure.
pub(super) fn count(number: usize) -> u64 {
    number as u64
}
