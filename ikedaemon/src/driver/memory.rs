//! A driver without a kernel: it keeps what it is given, and does what a script says. For tests, and for trying a policy
//! out without touching the host.
use super::{Capabilities, DriverMessage, SaDriver};
use ikecore::ids::{AskId, IpsecSaId, Spi};
use ikecore::proposal::offer::QuickModeOffer;
use ikecore::proposal::suite::{CPIS, Mode, ProtectionSuite};
use ikecore::sa::driver::{
    Acquire, DriverError, Expire, Mapping, SaAnswer, SaName, SaOp, SaPair, SaSpec, TrafficPolicy, Usage,
};
use ikecore::wire::codes::ProtocolId;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

#[cfg(test)]
mod tests;

/// The driver's name.
const NAME: &str = "memory";
/// The first SPI that it gives out.
pub const FIRST_SPI: Spi = Spi(0x1000);

/// The kinds of operations.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Kind {
    /// [`SaOp::AllocSpi`].
    AllocSpi,
    /// [`SaOp::ReleaseSpi`].
    ReleaseSpi,
    /// [`SaOp::InstallInbound`].
    InstallInbound,
    /// [`SaOp::InstallOutbound`].
    InstallOutbound,
    /// [`SaOp::InstallSoft`].
    InstallSoft,
    /// [`SaOp::DeleteOutbound`].
    DeleteOutbound,
    /// [`SaOp::Delete`].
    Delete,
    /// [`SaOp::Update`].
    Update,
    /// [`SaOp::Query`].
    Query,
    /// [`SaOp::SetPolicies`].
    SetPolicies,
}

impl Kind {
    /// The kind of `operation`.
    pub const fn of(operation: &SaOp) -> Self {
        match operation {
            SaOp::AllocSpi { .. } => Self::AllocSpi,
            SaOp::ReleaseSpi(_) => Self::ReleaseSpi,
            SaOp::InstallInbound { .. } => Self::InstallInbound,
            SaOp::InstallOutbound { .. } => Self::InstallOutbound,
            SaOp::InstallSoft { .. } => Self::InstallSoft,
            SaOp::DeleteOutbound(_) => Self::DeleteOutbound,
            SaOp::Delete { .. } => Self::Delete,
            SaOp::Update { .. } => Self::Update,
            SaOp::Query(_) => Self::Query,
            SaOp::SetPolicies(_) => Self::SetPolicies,
        }
    }
}

/// One operation that was submitted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    /// Its number.
    pub ask: AskId,
    /// Its kind.
    pub kind: Kind,
    /// What it names: the SA, the pair or the addresses.
    pub object: String,
}

/// What the driver and its script share.
#[derive(Default)]
struct State {
    /// Operations wait for [`Script::answer`].
    on_demand: bool,
    waiting: VecDeque<(AskId, SaOp)>,
    messages: VecDeque<DriverMessage>,
    waker: Option<Waker>,
    records: Vec<Record>,
    /// How many operations of a kind are still to come before one fails, and why.
    failures: Vec<(Kind, usize, String)>,
    /// What it does not support.
    unsupported: Vec<ProtectionSuite>,
    lost: bool,
    spis: u32,
    reserved: BTreeSet<SaName>,
    /// The inbound SAs of pairs of which the second step is not done.
    halves: BTreeMap<IpsecSaId, SaSpec>,
    /// Whole pairs.
    pairs: BTreeMap<IpsecSaId, SaPair>,
    softs: BTreeMap<IpsecSaId, TrafficPolicy>,
    usage: BTreeMap<IpsecSaId, Usage>,
    policies: Vec<TrafficPolicy>,
}

/// The driver.
pub struct MemoryDriver {
    state: Arc<Mutex<State>>,
}

/// The other end: what the driver was asked, and what it shall do.
#[derive(Clone)]
pub struct Script {
    state: Arc<Mutex<State>>,
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl MemoryDriver {
    /// A driver that answers at once, and its script.
    pub fn new() -> (Self, Script) {
        let state = Arc::new(Mutex::new(State::default()));
        (Self { state: Arc::clone(&state) }, Script { state })
    }
}

impl Script {
    /// Every operation so far, in order.
    pub fn records(&self) -> Vec<Record> {
        lock(&self.state).records.clone()
    }

    /// From now on the driver does not support `suite`.
    pub fn support_no(&self, suite: ProtectionSuite) {
        lock(&self.state).unsupported.push(suite);
    }

    /// The operations that wait for an answer.
    pub fn waiting(&self) -> usize {
        lock(&self.state).waiting.len()
    }

    /// From now on operations wait until [`Self::answer`] (true), or are done at once (false).
    pub fn set_on_demand(&self, on_demand: bool) {
        lock(&self.state).on_demand = on_demand;
    }

    /// Does and answers the operation that waits longest; false if none waits.
    pub fn answer(&self) -> bool {
        let mut state = lock(&self.state);
        let Some((ask, operation)) = state.waiting.pop_front() else { return false };
        state.run(ask, operation);
        true
    }

    /// Has the `nth` operation of `kind` that is done from now on fail; 1 is the next.
    pub fn fail(&self, kind: Kind, nth: usize, reason: &str) {
        lock(&self.state).failures.push((kind, nth, reason.to_owned()));
    }

    /// The driver is gone: it says so, and answers nothing more.
    pub fn lose(&self, reason: &str) {
        let mut state = lock(&self.state);
        state.waiting.clear();
        state.messages.clear();
        state.tell(DriverMessage::Lost(reason.to_owned()));
        state.lost = true;
    }

    /// A packet needs an SA.
    pub fn acquire(&self, acquire: Acquire) {
        lock(&self.state).tell(DriverMessage::Acquire(acquire));
    }

    /// An SA reached a limit.
    pub fn expire(&self, sa: SaName, hard: bool) {
        lock(&self.state).tell(DriverMessage::Expire(Expire { sa, hard }));
    }

    /// A peer's mapping changed.
    pub fn mapping(&self, sa: SaName, remote: SocketAddr) {
        lock(&self.state).tell(DriverMessage::Mapping(Mapping { sa, remote }));
    }

    /// What queries for a pair are answered from now on.
    pub fn set_usage(&self, id: IpsecSaId, usage: Usage) {
        lock(&self.state).usage.insert(id, usage);
    }

    /// The pairs of which only the inbound SA is installed.
    pub fn halves(&self) -> Vec<IpsecSaId> {
        lock(&self.state).halves.keys().copied().collect()
    }

    /// The installed pairs.
    pub fn pairs(&self) -> Vec<IpsecSaId> {
        lock(&self.state).pairs.keys().copied().collect()
    }

    /// The soft SAs.
    pub fn softs(&self) -> BTreeMap<IpsecSaId, TrafficPolicy> {
        lock(&self.state).softs.clone()
    }

    /// Looks at an installed pair, keys and all.
    pub fn with_pair<T>(&self, id: IpsecSaId, look: impl FnOnce(&SaPair) -> T) -> Option<T> {
        lock(&self.state).pairs.get(&id).map(look)
    }

    /// The SPIs that were given out, and neither used nor given back.
    pub fn reserved(&self) -> Vec<SaName> {
        lock(&self.state).reserved.iter().copied().collect()
    }

    /// The standing policies.
    pub fn policies(&self) -> Vec<TrafficPolicy> {
        lock(&self.state).policies.clone()
    }
}

/// What an operation is about, in words for records and errors.
fn object(operation: &SaOp) -> String {
    match operation {
        SaOp::AllocSpi { protocol, source, destination, .. } => format!("{protocol} from {source} to {destination}"),
        SaOp::ReleaseSpi(name) => name.to_string(),
        SaOp::InstallInbound { sa, .. } | SaOp::InstallOutbound { sa, .. } => sa.name().to_string(),
        SaOp::InstallSoft { id, policy } => format!("soft SA {id} for {}", policy.selector),
        SaOp::Delete { id, inbound } => {
            let names: Vec<String> = inbound.iter().map(SaName::to_string).collect();
            format!("pair {id} with {}", names.join(", "))
        }
        SaOp::Update { id, local, remote } => format!("pair {id} to {local} and {remote}"),
        SaOp::Query(id) | SaOp::DeleteOutbound(id) => format!("pair {id}"),
        SaOp::SetPolicies(policies) => format!("{} policies", policies.len()),
    }
}

impl State {
    fn tell(&mut self, message: DriverMessage) {
        if !self.lost {
            self.messages.push_back(message);
            if let Some(waker) = self.waker.take() {
                waker.wake();
            }
        }
    }

    fn knows(&self, id: IpsecSaId) -> bool {
        self.halves.contains_key(&id) || self.pairs.contains_key(&id)
    }

    fn is_in_use(&self, id: IpsecSaId) -> bool {
        self.knows(id) || self.softs.contains_key(&id)
    }

    /// The reason for which this operation of `kind` has to fail.
    fn failure(&mut self, kind: Kind) -> Option<String> {
        let mut due = None;
        self.failures.retain_mut(|(of, left, reason)| {
            if *of != kind {
                return true;
            }
            *left = left.saturating_sub(1);
            if *left == 0 && due.is_none() {
                due = Some(std::mem::take(reason));
                return false;
            }
            true
        });
        due
    }

    fn run(&mut self, ask: AskId, operation: SaOp) {
        let kind = Kind::of(&operation);
        let object = object(&operation);
        let refuse = |reason: &str| DriverError {
            driver: NAME,
            operation: format!("{kind:?} {object}"),
            reason: reason.to_owned(),
        };
        let result = match self.failure(kind) {
            Some(reason) => Err(refuse(&reason)),
            None => Ok(()),
        };
        let answer = match operation {
            SaOp::AllocSpi { protocol, destination, .. } => SaAnswer::Spi(result.map(|()| {
                let spi = Spi(match protocol {
                    ProtocolId::IPCOMP => CPIS.start() + self.spis % (CPIS.end() - CPIS.start()),
                    _ => FIRST_SPI.0.saturating_add(self.spis),
                });
                self.spis += 1;
                self.reserved.insert(SaName { protocol, destination, spi });
                spi
            })),
            SaOp::ReleaseSpi(name) => SaAnswer::Done(result.map(|()| {
                self.reserved.remove(&name);
            })),
            SaOp::InstallInbound { id, sa } => SaAnswer::Done(result.and_then(|()| {
                let inbound: Vec<SaName> = sa.names().collect();
                let others = self.halves.values().chain(self.pairs.values().map(|pair| &pair.inbound));
                let taken = others.flat_map(SaSpec::names).any(|other| inbound.contains(&other));
                if taken || self.is_in_use(id) {
                    return Err(refuse("it is installed already"));
                }
                self.reserved.retain(|name| !inbound.contains(name));
                self.halves.insert(id, *sa);
                Ok(())
            })),
            SaOp::InstallOutbound { id, sa, policy } => SaAnswer::Done(result.and_then(|()| {
                let outbound: Vec<SaName> = sa.names().collect();
                let taken =
                    self.pairs.values().flat_map(|pair| pair.outbound.names()).any(|name| outbound.contains(&name));
                if self.pairs.contains_key(&id) || taken {
                    return Err(refuse("it is installed already"));
                }
                let inbound = self.halves.remove(&id).ok_or_else(|| refuse("its inbound SA is not installed"))?;
                self.pairs.insert(id, SaPair { id, inbound, outbound: *sa, policy });
                Ok(())
            })),
            SaOp::InstallSoft { id, policy } => SaAnswer::Done(result.and_then(|()| {
                if self.is_in_use(id) {
                    return Err(refuse("it is installed already"));
                }
                self.softs.insert(id, policy);
                Ok(())
            })),
            SaOp::DeleteOutbound(id) => SaAnswer::Done(result.map(|()| {
                if let Some(pair) = self.pairs.remove(&id) {
                    self.halves.insert(id, pair.inbound);
                }
            })),
            SaOp::Delete { id, inbound } => SaAnswer::Done(result.map(|()| {
                self.reserved.retain(|name| !inbound.contains(name));
                self.halves.remove(&id);
                self.pairs.remove(&id);
                self.softs.remove(&id);
                self.usage.remove(&id);
            })),
            SaOp::Update { id, local, remote } => SaAnswer::Done(result.and_then(|()| {
                let pair = self.pairs.get_mut(&id).ok_or_else(|| refuse("no such pair is installed"))?;
                move_sa(&mut pair.inbound, remote, local);
                move_sa(&mut pair.outbound, local, remote);
                Ok(())
            })),
            SaOp::Query(id) => SaAnswer::Usage(result.and_then(|()| match self.knows(id) {
                true => Ok(self.usage.get(&id).copied().unwrap_or_default()),
                false => Err(refuse("no such pair is installed")),
            })),
            SaOp::SetPolicies(policies) => SaAnswer::Done(result.map(|()| self.policies = policies)),
        };
        self.tell(DriverMessage::Answer(ask, answer));
    }
}

fn move_sa(spec: &mut SaSpec, source: SocketAddr, destination: SocketAddr) {
    (spec.source, spec.destination) = (source.ip(), destination.ip());
    if let Some(encapsulation) = &mut spec.encapsulation {
        (encapsulation.source_port, encapsulation.destination_port) = (source.port(), destination.port());
    }
}

impl SaDriver for MemoryDriver {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            name: NAME,
            ah: true,
            transport: true,
            udp_encapsulation: true,
            link_local: true,
            owns_encapsulation: true,
            description: "memory: protects nothing".to_owned(),
        }
    }

    fn supports(&mut self, offer: &QuickModeOffer, _mode: Mode) -> Result<(), String> {
        let refused = lock(&self.state).unsupported.contains(&offer.suite);
        if refused { Err("told not to have it".to_owned()) } else { Ok(()) }
    }

    fn submit(&mut self, ask: AskId, operation: SaOp) {
        let mut state = lock(&self.state);
        state.records.push(Record { ask, kind: Kind::of(&operation), object: object(&operation) });
        if state.lost {
            return;
        }
        if state.on_demand {
            state.waiting.push_back((ask, operation));
        } else {
            state.run(ask, operation);
        }
    }

    fn poll_message(&mut self, context: &mut Context<'_>) -> Poll<DriverMessage> {
        let mut state = lock(&self.state);
        match state.messages.pop_front() {
            Some(message) => Poll::Ready(message),
            None => {
                state.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}
