//! What the rest of the process holds of the engine.
use super::Counters;
use super::offers::Unsupported;
use crate::clock::Clock;
use crate::driver::Capabilities;
use crate::driver::open::{OpenError, Opened};
use crate::listener::BindError;
use crate::statistics::Statistics;
use ikecore::certificate::RevocationCheck;
use ikecore::endpoint::{Command, Snapshot};
use ikecore::event::{Detail, Event};
use ikecore::ids::IpsecSaId;
use ikecore::policy::db::PolicyDb;
use ikecore::sa::driver::{DriverError, Usage};
use ikecore::time::Time;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::sync::{broadcast, mpsc, oneshot};

/// What the driver said of the policies, and which offers it cannot run.
pub(super) type PolicyReply = oneshot::Sender<Result<Vec<Unsupported>, DriverError>>;

/// What opens a driver, on the engine's thread.
pub(super) type DriverOpener = Box<dyn FnOnce() -> Result<Opened, OpenError> + Send>;

/// A driver could not take the place of another.
#[derive(Debug, thiserror::Error)]
pub enum ReplaceError {
    /// It could not be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// It could not prepare a socket of the listener.
    #[error(transparent)]
    Prepare(#[from] BindError),
}

/// A request to the engine. Those with a reply are answered when all that followed from them at once is done.
pub(super) enum Control {
    Command(Command, Option<oneshot::Sender<()>>),
    Policy(Arc<PolicyDb>, PolicyReply),
    RevocationCheck(RevocationCheck),
    Snapshot(oneshot::Sender<Snapshot>),
    Usage(IpsecSaId, oneshot::Sender<Result<Usage, DriverError>>),
    Counters(oneshot::Sender<Counters>),
    Statistics(oneshot::Sender<Statistics>),
    ReplaceDriver(DriverOpener, oneshot::Sender<Result<(Capabilities, String), ReplaceError>>),
    Shutdown(oneshot::Sender<bool>),
}

/// The engine has ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the engine has ended")]
pub struct EngineGone;

/// The way to the engine. Cheap to clone; the engine goes on when the last one is dropped.
#[derive(Clone, Debug)]
pub struct EngineHandle {
    control: mpsc::UnboundedSender<Control>,
    events: broadcast::Sender<Arc<Event>>,
    addresses: Arc<[SocketAddr]>,
    clock: Clock,
}

impl EngineHandle {
    pub(super) fn new(
        control: mpsc::UnboundedSender<Control>,
        events: broadcast::Sender<Arc<Event>>,
        addresses: Vec<SocketAddr>,
        clock: Clock,
    ) -> Self {
        Self { control, events, addresses: addresses.into(), clock }
    }

    /// Now, as instants of the snapshot and of events count.
    pub fn now(&self) -> Time {
        self.clock.now()
    }

    /// The addresses that the sockets are bound to.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    async fn ask<T>(&self, make: impl FnOnce(oneshot::Sender<T>) -> Control) -> Result<T, EngineGone> {
        let (sender, receiver) = oneshot::channel();
        self.control.send(make(sender)).map_err(|_| EngineGone)?;
        receiver.await.map_err(|_| EngineGone)
    }

    /// Gives the endpoint a command; returns when it has begun to carry it out. What becomes of it is in the events.
    pub async fn command(&self, command: Command) -> Result<(), EngineGone> {
        self.ask(|reply| Control::Command(command, Some(reply))).await
    }

    /// Puts a policy in force. Returns when the driver holds to it, with the offers that it cannot run, or with why it does
    /// not.
    pub async fn set_policy(&self, policy: Arc<PolicyDb>) -> Result<Result<Vec<Unsupported>, DriverError>, EngineGone> {
        self.ask(|reply| Control::Policy(policy, reply)).await
    }

    /// From the next check of certificates on, revocation lists decide no less than `check`, whatever rules say. Does not
    /// wait.
    pub fn set_revocation_check(&self, check: RevocationCheck) {
        // An engine that has ended checks nothing.
        let _ = self.control.send(Control::RevocationCheck(check));
    }

    /// What stands at the moment.
    pub async fn snapshot(&self) -> Result<Snapshot, EngineGone> {
        self.ask(Control::Snapshot).await
    }

    /// The traffic through a pair of IPsec SAs, as the driver counts it.
    pub async fn usage(&self, pair: IpsecSaId) -> Result<Result<Usage, DriverError>, EngineGone> {
        self.ask(|reply| Control::Usage(pair, reply)).await
    }

    /// Counts of the engine itself; those of the endpoint are in the snapshot.
    pub async fn counters(&self) -> Result<Counters, EngineGone> {
        self.ask(Control::Counters).await
    }

    /// The figures of the statistics. The traffic in them is that which [`Self::usage`] has last told of each pair that
    /// stands, and all of those that have ended.
    pub async fn statistics(&self) -> Result<Statistics, EngineGone> {
        self.ask(Control::Statistics).await
    }

    /// Puts another driver in the place of one that was lost, or of a living one, which goes with its SAs before `open`
    /// is called. The policy in force reaches the new one. Gives what it can do and why it is that one.
    pub async fn replace_driver(
        &self,
        open: impl FnOnce() -> Result<Opened, OpenError> + Send + 'static,
    ) -> Result<Result<(Capabilities, String), ReplaceError>, EngineGone> {
        self.ask(|reply| Control::ReplaceDriver(Box::new(open), reply)).await
    }

    /// Tells more, or less, in events. Does not wait.
    pub fn set_detail(&self, detail: Detail) {
        // An engine that has ended tells nothing anyway.
        let _ = self.control.send(Control::Command(Command::SetDetail(detail), None));
    }

    /// Lets the trace decide how much the endpoint tells: all while the trace is on, outcomes while it is off.
    pub fn attach(&self, oakley: &crate::sinks::oakley::OakleyHandle) {
        let handle = self.clone();
        oakley.on_switch(move |enabled| handle.set_detail(if enabled { Detail::Trace } else { Detail::Outcomes }));
    }

    /// The events from now on.
    pub fn subscribe(&self) -> EventStream {
        EventStream { receiver: self.events.subscribe(), lost: 0 }
    }

    /// Deletes all SAs, tells the peers, and ends the engine; true if everything was done within the few seconds that
    /// it is given. An engine that has ended already is no error.
    pub async fn shutdown(&self) -> bool {
        let clean = self.ask(Control::Shutdown).await.unwrap_or(false);
        self.ended().await;
        clean
    }

    /// Returns when the engine has ended.
    pub async fn ended(&self) {
        self.control.closed().await;
    }
}

/// Events of one subscriber. A slow one loses the oldest; the negotiations never wait for it.
#[derive(Debug)]
pub struct EventStream {
    receiver: broadcast::Receiver<Arc<Event>>,
    lost: u64,
}

impl EventStream {
    /// The next event; `None` when the engine and all its handles are gone.
    pub async fn next(&mut self) -> Option<Arc<Event>> {
        loop {
            match self.receiver.recv().await {
                Ok(event) => return Some(event),
                Err(broadcast::error::RecvError::Lagged(count)) => self.lost += count,
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    }

    /// How many events this subscriber has lost because it was slow.
    pub const fn lost(&self) -> u64 {
        self.lost
    }
}
