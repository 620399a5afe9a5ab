//! The engine's task.
use super::Counters;
use super::counting::{self, Counting};
use super::handle::{Control, DriverOpener, PolicyReply, ReplaceError};
use super::offers::{self, Unsupported};
use crate::addresses::Addresses;
use crate::asks::{UserChecks, Work, Workers};
use crate::clock::Clock;
use crate::driver::open::Opened;
use crate::driver::{Capabilities, DriverMessage, SaDriver};
use crate::listener::{self, Listener};
use crate::sinks::Observer;
use crate::sinks::keylog::KeyLog;
use crate::statistics::{Figure, Statistics};
use ikecore::certificate::RevocationCheck;
use ikecore::endpoint::{self, Answer, Ask, Command, Endpoint, Input, Output};
use ikecore::event::Event;
use ikecore::ids::{AskId, IpsecSaId};
use ikecore::policy::db::PolicyDb;
use ikecore::rng::SecureRandom;
use ikecore::sa::driver::{DriverError, SaAnswer, SaOp, Usage};
use ikecore::time::Time;
use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio::time::{Instant, Sleep};

/// Items of one source in one round.
const TURN: usize = 32;

/// How long a shutdown may take.
const GRACE: Duration = Duration::from_secs(3);

/// Set in the [`AskId`] of the engine's own questions to the driver; the endpoint counts from zero.
const OWN_ASK: u64 = 1 << 63;

/// The state of the task.
pub(super) struct Engine {
    endpoint: Endpoint,
    clock: Clock,
    /// `None` after it was lost.
    driver: Option<Box<dyn SaDriver>>,
    /// The driver that was lost: kept, because with it would go what still blocks unprotected traffic.
    lost: Option<Box<dyn SaDriver>>,
    owns_encapsulation: bool,
    listener: Listener,
    workers: Workers,
    user_checks: UserChecks,
    addresses: Addresses,
    requests: mpsc::UnboundedReceiver<Control>,
    events: broadcast::Sender<Arc<Event>>,
    key_log: Option<Arc<KeyLog>>,
    observer: Option<Arc<dyn Observer>>,
    /// Answers that came up while the endpoint was being drained.
    answers: VecDeque<(AskId, Answer)>,
    /// What is known of paths, and the endpoint has not heard yet.
    path_mtus: Vec<(SocketAddr, usize)>,
    /// When the endpoint wants its [`Input::Timeout`].
    deadline: Option<Time>,
    sleep: Pin<Box<Sleep>>,
    usages: BTreeMap<AskId, UsageQuery>,
    counting: Counting,
    /// Who waits until the driver has the policies of the policy being set, until the endpoint asks the driver.
    policy_setter: Option<PolicyReply>,
    /// Who waits for the driver's answer.
    policies: BTreeMap<AskId, PolicyReply>,
    /// The policy as it was set, and which of its offers the driver cannot run.
    policy: Arc<PolicyDb>,
    /// What revocation lists decide at least.
    revocation_check: RevocationCheck,
    unsupported: Vec<Unsupported>,
    next_ask: u64,
    drivers_lost: u64,
    stopping: Option<Stopping>,
    buffer: Vec<u8>,
}

/// Octets of a message that every path takes, with the headers of IPv4 and UDP and the non-ESP marker.
const SHORT: usize = 576 - 32;

/// The driver is asked for the traffic of a pair.
struct UsageQuery {
    id: IpsecSaId,
    /// Who wants to know, besides the statistics.
    reply: Option<oneshot::Sender<Result<Usage, DriverError>>>,
    /// The pair ends, whatever the answer.
    last: bool,
}

/// A shutdown under way.
struct Stopping {
    /// It ends here, done or not.
    until: Instant,
    replies: Vec<oneshot::Sender<bool>>,
}

impl Engine {
    pub(super) fn new(
        config: super::Config,
        rng: Box<dyn SecureRandom>,
        driver: Box<dyn SaDriver>,
        listener: Listener,
        requests: mpsc::UnboundedReceiver<Control>,
        events: broadcast::Sender<Arc<Event>>,
        clock: Clock,
    ) -> Self {
        let addresses = Addresses;
        addresses.clean();
        // Keys leave the endpoint only if somebody takes them.
        let endpoint = endpoint::Config { key_log: config.key_log.is_some(), ..config.endpoint };
        Self {
            endpoint: Endpoint::new(endpoint, rng, clock.now()),
            clock,
            owns_encapsulation: driver.capabilities().owns_encapsulation,
            driver: Some(driver),
            lost: None,
            listener,
            workers: Workers::new(),
            user_checks: UserChecks::new(config.users),
            addresses,
            requests,
            events,
            key_log: config.key_log,
            observer: config.observer,
            answers: VecDeque::new(),
            path_mtus: Vec::new(),
            deadline: None,
            sleep: Box::pin(tokio::time::sleep(Duration::ZERO)),
            usages: BTreeMap::new(),
            counting: Counting::default(),
            policy_setter: None,
            policies: BTreeMap::new(),
            policy: Arc::default(),
            revocation_check: RevocationCheck::default(),
            unsupported: Vec::new(),
            next_ask: OWN_ASK,
            drivers_lost: 0,
            stopping: None,
            buffer: vec![0; listener::MAX_DATAGRAM],
        }
    }

    /// Gives the endpoint one input and does all that follows.
    fn handle(&mut self, input: Input<'_>) {
        self.endpoint.handle(self.clock.now(), input);
        self.drain();
        loop {
            let input = if let Some((ask, answer)) = self.answers.pop_front() {
                Input::Answer(ask, answer)
            } else if let Some((remote, octets)) = self.path_mtus.pop() {
                Input::PathMtu { remote, octets }
            } else {
                return;
            };
            self.endpoint.handle(self.clock.now(), input);
            self.drain();
        }
    }

    /// Looks whether a datagram that has been sent was too long for its path.
    fn look_at_path(&mut self, transmit: &endpoint::Transmit) {
        let endpoint::Transmit { local, remote, octets, .. } = transmit;
        if octets.len() <= SHORT {
            return;
        }
        let Some(driver) = self.driver.as_mut() else { return };
        match listener::path_mtu(*local, *remote, driver.as_mut()) {
            Ok(mtu) => self.path_mtus.push((*remote, mtu)),
            Err(error) => {
                tracing::debug!(target: "policyagent::listener", "the path MTU to {remote} is not known: {error}");
            }
        }
    }

    fn drain(&mut self) {
        loop {
            match self.endpoint.poll() {
                Output::Transmit(transmit) => {
                    let endpoint::Transmit { local, remote, octets, marker } = &transmit;
                    if let Err(error) = self.listener.send(*local, *remote, *marker, octets) {
                        tracing::debug!(target: "policyagent::listener", "{error}");
                    }
                    self.look_at_path(&transmit);
                }
                Output::Ask(ask, Ask::KeyExchange(work)) => self.workers.submit(ask, Work::KeyExchange(work)),
                Output::Ask(ask, Ask::Sign(work)) => self.workers.submit(ask, Work::Sign(work)),
                Output::Ask(ask, Ask::VerifyChain(work)) => {
                    self.workers.submit(ask, Work::VerifyChain(work, self.revocation_check));
                }
                Output::Ask(ask, Ask::Xauth(check)) => self.user_checks.submit(ask, check),
                Output::Ask(ask, Ask::Address(operation)) => {
                    let result = self.addresses.carry_out(operation);
                    self.answers.push_back((ask, Answer::Address(result)));
                }
                Output::Ask(ask, Ask::Sa(operation)) => {
                    if matches!(operation, SaOp::SetPolicies(_)) {
                        self.policies.extend(self.policy_setter.take().map(|reply| (ask, reply)));
                    }
                    self.submit(ask, operation);
                }
                Output::Cancel(ask) => self.workers.cancel(ask),
                Output::Event(event) => self.publish(event),
                Output::Key(key) => {
                    if let Some(Err(error)) = self.key_log.as_ref().map(|log| log.write(&key)) {
                        tracing::error!(target: "policyagent::keylog", "a key is not written: {error}");
                    }
                }
                Output::Wait(deadline) => {
                    self.deadline = deadline;
                    return;
                }
            }
        }
    }

    /// Gives the driver an operation of the endpoint.
    fn submit(&mut self, ask: AskId, operation: SaOp) {
        let ending = self.counting.submitted(ask, &operation);
        let last = matches!(operation, SaOp::Delete { .. });
        match (&mut self.driver, ending) {
            (Some(_), Some(id)) => self.query(UsageQuery { id, reply: None, last }),
            (None, Some(id)) if last => self.counting.ended(id),
            _ => {}
        }
        match &mut self.driver {
            Some(driver) => driver.submit(ask, operation),
            None => {
                let answer = no_driver(&operation);
                self.counting.answered(ask, &answer);
                self.answers.push_back((ask, Answer::Sa(answer)));
            }
        }
    }

    /// Asks the driver, if there is one, for the traffic of a pair.
    fn query(&mut self, query: UsageQuery) {
        let Some(driver) = &mut self.driver else { return };
        let ask = AskId(self.next_ask);
        self.next_ask = self.next_ask.wrapping_add(1) | OWN_ASK;
        driver.submit(ask, SaOp::Query(query.id));
        self.usages.insert(ask, query);
    }

    fn statistics(&mut self) -> Statistics {
        let mut statistics = Statistics::default();
        counting::of_endpoint(&self.endpoint.counters(), &self.endpoint.sizes(), &mut statistics);
        let drops = self.driver.as_mut().map(|driver| driver.drops()).unwrap_or_default();
        self.counting.write(drops, &mut statistics);
        let (computing, waiting) = self.workers.load();
        statistics.set(Figure::ActiveReceive, counting::count(computing + waiting));
        let listener = self.listener.counters();
        statistics.set(Figure::ReceiveFailures, listener.receive_errors);
        statistics.set(Figure::SendFailures, listener.send_errors);
        statistics
    }

    fn publish(&mut self, event: Event) {
        self.counting.event(&event);
        crate::sinks::publish(&event);
        if let Some(observer) = &self.observer {
            observer.observe(&event);
        }
        if self.events.receiver_count() > 0 {
            // All receivers may have gone in between.
            let _ = self.events.send(Arc::new(event));
        }
    }

    /// A turn of each source; true if one of them may have more.
    fn round(&mut self, context: &mut Context<'_>) -> bool {
        let requests = self.turn_of_requests(context);
        let answers = self.turn_of_workers(context) | self.turn_of_user_checks(context);
        let driver = self.turn_of_driver(context);
        let timer = self.turn_of_timer(context);
        let datagrams = self.turn_of_datagrams(context);
        requests || answers || driver || timer || datagrams
    }

    fn turn_of_requests(&mut self, context: &mut Context<'_>) -> bool {
        for _ in 0..TURN {
            match self.requests.poll_recv(context) {
                Poll::Ready(Some(request)) => self.request(request),
                // Without a handle left it serves on; nobody can ask any more.
                Poll::Ready(None) | Poll::Pending => return false,
            }
        }
        true
    }

    fn turn_of_workers(&mut self, context: &mut Context<'_>) -> bool {
        for _ in 0..TURN {
            match self.workers.poll_answer(context) {
                Poll::Ready((ask, answer)) => self.handle(Input::Answer(ask, answer)),
                Poll::Pending => return false,
            }
        }
        true
    }

    fn turn_of_user_checks(&mut self, context: &mut Context<'_>) -> bool {
        for _ in 0..TURN {
            match self.user_checks.poll_answer(context) {
                Poll::Ready((ask, answer)) => self.handle(Input::Answer(ask, answer)),
                Poll::Pending => return false,
            }
        }
        true
    }

    fn turn_of_driver(&mut self, context: &mut Context<'_>) -> bool {
        for _ in 0..TURN {
            let Some(driver) = &mut self.driver else { return false };
            match driver.poll_message(context) {
                Poll::Ready(message) => self.driver_message(message),
                Poll::Pending => return false,
            }
        }
        true
    }

    fn turn_of_timer(&mut self, context: &mut Context<'_>) -> bool {
        let wanted = self.deadline.map(|deadline| self.clock.instant(deadline));
        let until = self.stopping.as_ref().map(|stopping| stopping.until);
        let Some(next) = wanted.into_iter().chain(until).min() else { return false };
        if self.sleep.deadline() != next {
            self.sleep.as_mut().reset(next);
        }
        if self.sleep.as_mut().poll(context).is_pending() {
            return false;
        }
        if wanted.is_some_and(|wanted| wanted <= Instant::now()) {
            self.handle(Input::Timeout);
        }
        // The next deadline has to be waited for.
        true
    }

    fn turn_of_datagrams(&mut self, context: &mut Context<'_>) -> bool {
        let mut buffer = std::mem::take(&mut self.buffer);
        let mut more = true;
        for _ in 0..TURN {
            let Poll::Ready(received) = self.listener.poll_receive(context, &mut buffer) else {
                more = false;
                break;
            };
            let listener::Received { kind, local, remote, start, end } = received;
            let octets = buffer.get(start..end).unwrap_or_default();
            match (kind, &mut self.driver) {
                (listener::Kind::Ike, _) => self.handle(Input::Datagram { local, remote, octets }),
                (listener::Kind::Encapsulated, Some(driver)) if !self.owns_encapsulation => {
                    driver.receive_encapsulated(local, remote, octets);
                }
                // Where the kernel takes ESP off the socket, what still comes belongs to no SA.
                (listener::Kind::Encapsulated | listener::Kind::Ignored, _) => {}
            }
        }
        self.buffer = buffer;
        more
    }

    fn driver_message(&mut self, message: DriverMessage) {
        match message {
            DriverMessage::Answer(ask, answer) => match (self.usages.remove(&ask), answer) {
                (Some(UsageQuery { id, reply, last }), SaAnswer::Usage(usage)) => {
                    if let Ok(usage) = usage {
                        self.counting.used(id, usage);
                    }
                    if last {
                        self.counting.ended(id);
                    }
                    // Who asked may have gone.
                    let _ = reply.map(|reply| reply.send(usage));
                }
                (Some(_), answer) => {
                    tracing::error!(target: "policyagent::engine", "the SA driver answered a query with {answer:?}");
                }
                (None, answer) => {
                    if let (Some(reply), SaAnswer::Done(result)) = (self.policies.remove(&ask), &answer) {
                        let _ = reply.send(result.clone().map(|()| self.unsupported.clone()));
                    }
                    self.counting.answered(ask, &answer);
                    self.handle(Input::Answer(ask, Answer::Sa(answer)));
                }
            },
            DriverMessage::Acquire(acquire) => {
                self.handle(Input::Acquire(acquire));
                self.counting.acquire_handled();
            }
            DriverMessage::Expire(expire) => self.handle(Input::Expire(expire)),
            DriverMessage::Mapping(mapping) => self.handle(Input::Mapping(mapping)),
            DriverMessage::SendEncapsulated { local, remote, packet } => {
                if let Err(error) = self.listener.send(local, remote, false, &packet) {
                    tracing::trace!(target: "policyagent::listener", "{error}");
                }
            }
            DriverMessage::Lost(reason) => self.lose_driver(reason),
        }
    }

    /// The driver is no more: what waits for it is answered.
    fn lose_driver(&mut self, reason: String) {
        let drops = self.driver.as_mut().map(|driver| driver.drops()).unwrap_or_default();
        self.counting.driver_lost(drops);
        self.lost = self.driver.take();
        self.drivers_lost += 1;
        for (_, query) in std::mem::take(&mut self.usages) {
            let _ = query.reply.map(|reply| reply.send(Err(lost("query"))));
        }
        for (_, reply) in std::mem::take(&mut self.policies) {
            let _ = reply.send(Err(lost("set policies")));
        }
        self.handle(Input::DriverLost(reason));
    }

    fn request(&mut self, request: Control) {
        // Replies: who asked may have gone, and that is all right.
        match request {
            Control::Command(command, reply) => {
                self.handle(Input::Command(command));
                let _ = reply.map(|reply| reply.send(()));
            }
            Control::Policy(policy, reply) => {
                self.policy_setter = Some(reply);
                self.policy = policy;
                let supported = self.supported_policy();
                self.handle(Input::Policy(supported));
                // Still here: the endpoint had nothing to tell a driver, because it is stopping or has none.
                if let Some(reply) = self.policy_setter.take() {
                    let _ = reply.send(Err(lost("set policies")));
                }
            }
            Control::RevocationCheck(check) => self.revocation_check = check,
            Control::Snapshot(reply) => {
                let _ = reply.send(self.endpoint.snapshot());
            }
            Control::Usage(_, reply) if self.driver.is_none() => {
                let _ = reply.send(Err(lost("query")));
            }
            Control::Usage(id, reply) => self.query(UsageQuery { id, reply: Some(reply), last: false }),
            Control::Statistics(reply) => {
                let _ = reply.send(self.statistics());
            }
            Control::Counters(reply) => {
                let (computing, waiting) = self.workers.load();
                let listener = self.listener.counters();
                let _ = reply.send(Counters { listener, computing, waiting, drivers_lost: self.drivers_lost });
            }
            Control::ReplaceDriver(open, reply) => {
                let _ = reply.send(self.replace_driver(open));
            }
            Control::Shutdown(reply) => match &mut self.stopping {
                Some(stopping) => stopping.replies.push(reply),
                None => {
                    self.stopping = Some(Stopping { until: Instant::now() + GRACE, replies: vec![reply] });
                    self.handle(Input::Command(Command::Shutdown));
                }
            },
        }
    }

    /// What of the policy the driver can run.
    fn supported_policy(&mut self) -> Arc<PolicyDb> {
        // Without a driver nothing can be run, and the reason is not in the offers.
        let Some(driver) = &mut self.driver else { return Arc::clone(&self.policy) };
        let (policy, unsupported) = offers::supported(&self.policy, driver.as_mut());
        self.unsupported = unsupported;
        policy
    }

    fn replace_driver(&mut self, open: DriverOpener) -> Result<(Capabilities, String), ReplaceError> {
        if self.driver.is_some() {
            self.lose_driver("another driver takes its place".to_owned());
        }
        // Two would stand in each other's way.
        self.lost = None;
        let Opened { mut driver, why } = open()?;
        self.listener.prepare(driver.as_mut())?;
        let capabilities = driver.capabilities();
        self.owns_encapsulation = capabilities.owns_encapsulation;
        self.driver = Some(driver);
        let before = std::mem::take(&mut self.unsupported);
        let policy = self.supported_policy();
        self.handle(Input::DriverReplaced);
        if self.unsupported != before {
            for offer in &self.unsupported {
                tracing::warn!(target: "policyagent::engine", "{offer}");
            }
            self.handle(Input::Policy(policy));
        }
        Ok((capabilities, why))
    }

    /// `Some` when it is time to end: whether all was done.
    fn ended(&self) -> Option<bool> {
        let stopping = self.stopping.as_ref()?;
        let done = self.endpoint.is_stopped();
        (done || stopping.until <= Instant::now()).then_some(done)
    }
}

impl Future for Engine {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let more = self.round(context);
        if let Some(clean) = self.ended() {
            crate::sinks::stopped(clean);
            for reply in self.stopping.take().into_iter().flat_map(|stopping| stopping.replies) {
                let _ = reply.send(clean);
            }
            return Poll::Ready(());
        }
        if more {
            // Others have their turn before the next round.
            context.waker().wake_by_ref();
        }
        Poll::Pending
    }
}

fn lost(operation: &str) -> DriverError {
    DriverError { driver: "none", operation: operation.to_owned(), reason: "the SA driver was lost".to_owned() }
}

/// The answer to an operation when there is no driver.
fn no_driver(operation: &SaOp) -> SaAnswer {
    match operation {
        SaOp::AllocSpi { .. } => SaAnswer::Spi(Err(lost("allocate an SPI"))),
        SaOp::Query(_) => SaAnswer::Usage(Err(lost("query"))),
        // SAs and policies went with the driver.
        SaOp::ReleaseSpi(_) | SaOp::DeleteOutbound(_) | SaOp::Delete { .. } => SaAnswer::Done(Ok(())),
        SaOp::InstallInbound { .. } | SaOp::InstallOutbound { .. } => SaAnswer::Done(Err(lost("install SAs"))),
        SaOp::InstallSoft { .. } => SaAnswer::Done(Err(lost("install a soft SA"))),
        SaOp::Update { .. } => SaAnswer::Done(Err(lost("update SAs"))),
        SaOp::SetPolicies(_) => SaAnswer::Done(Err(lost("set policies"))),
    }
}
