//! The XFRM driver: SAs and policies in the Linux kernel, by netlink.
//!
//! What it installs carries numbers of its own ([`mark`] says which), by which the next start finds and removes
//! what a crash left. There can be one daemon with this driver in a network namespace.
mod arriving;
mod discovery;
mod event;
mod installed;
mod leftover;
mod mark;
mod message;
mod netlink;
mod survey;

use crate::driver::kernel_socket;
use crate::driver::policy_table::{PolicyChange, PolicyTable};
use crate::driver::xfrm_stat::XfrmStat;
use crate::driver::{Capabilities, DriverMessage, Drops, SaDriver};
use arriving::Arriving;
use ikecore::ids::{AskId, IpsecSaId, Spi};
use ikecore::proposal::offer::QuickModeOffer;
use ikecore::proposal::suite::Mode;
use ikecore::sa::driver::{Direction, DriverError, SaAnswer, SaLayer, SaName, SaOp, SaSpec, TrafficPolicy, Usage};
use installed::Installed;
use netlink::{Kernel, Refusal};
use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE};
use netlink_packet_xfrm::policy::DelGetMessage as PolicyName;
use netlink_packet_xfrm::{UserSaInfo, XFRM_MSG_NEWSA, XfrmMessage};
use netlink_sys::protocols::NETLINK_XFRM;
use netlink_sys::{AsyncSocket, TokioSocket};
use nix::errno::Errno;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::io;
use std::net::Ipv4Addr;
use std::os::fd::BorrowedFd;
use std::task::{Context, Poll, Waker};

/// The driver's name.
const NAME: &str = "xfrm";
/// Octets of events that may wait for the engine; the kernel doubles it. An acquire is about 500.
const EVENT_BUFFER: u32 = 1 << 20;

/// Whether the kernel of this thread's network namespace can do what this driver is for; if not, why.
///
/// It adds and deletes a dummy SA: a kernel may take requests and yet have no ESP.
pub fn probe() -> Result<Capabilities, String> {
    let mut kernel = Kernel::open().map_err(|error| format!("cannot open a netlink socket: {error}"))?;
    let found = survey::survey(&mut kernel);
    match found.esp {
        Ok(()) => Ok(found.capabilities),
        Err(refusal) => Err(format!("the kernel refuses an ESP SA: {refusal}")),
    }
}

/// The driver.
pub struct XfrmDriver {
    kernel: Kernel,
    events: TokioSocket,
    capabilities: Capabilities,
    policies: PolicyTable,
    /// Those of one link.
    arriving: Arriving,
    /// Counts policies for their indices.
    policy_count: u32,
    /// What exempts neighbour discovery, once it is needed.
    exemptions: Option<Vec<PolicyName>>,
    pairs: BTreeMap<IpsecSaId, Installed>,
    /// The SAs of all pairs.
    names: BTreeSet<SaName>,
    /// SPIs given out, for which there is no SA yet.
    reserved: BTreeSet<SaName>,
    queue: VecDeque<DriverMessage>,
    waker: Option<Waker>,
    lost: bool,
    stat: XfrmStat,
}

impl fmt::Debug for XfrmDriver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("XfrmDriver")
            .field("names", &self.names)
            .field("reserved", &self.reserved)
            .finish_non_exhaustive()
    }
}

fn failed(operation: impl fmt::Display, reason: impl fmt::Display) -> DriverError {
    DriverError { driver: NAME, operation: operation.to_string(), reason: reason.to_string() }
}

impl XfrmDriver {
    /// Opens the driver in this thread's network namespace, within a tokio runtime, and removes what an earlier run left.
    ///
    /// It opens where [`probe`] fails, too: policies hold there, and SAs are refused one by one.
    pub fn open() -> Result<Self, DriverError> {
        let mut kernel = Kernel::open().map_err(|error| failed("open netlink socket", error))?;
        let (states, policies) =
            leftover::remove(&mut kernel).map_err(|refusal| failed("remove what an earlier run left", refusal))?;
        if states + policies > 0 {
            tracing::warn!(states, policies, "removed SAs and policies that an earlier run left in the kernel");
        }
        let events = open_events().map_err(|error| failed("open netlink socket for events", error))?;
        let capabilities = survey::survey(&mut kernel).capabilities;
        Ok(Self {
            kernel,
            events,
            capabilities,
            policies: PolicyTable::new(),
            arriving: Arriving::default(),
            policy_count: 0,
            exemptions: None,
            pairs: BTreeMap::new(),
            names: BTreeSet::new(),
            reserved: BTreeSet::new(),
            queue: VecDeque::new(),
            waker: None,
            lost: false,
            stat: XfrmStat::open(),
        })
    }

    fn run(&mut self, operation: SaOp) -> SaAnswer {
        match operation {
            SaOp::AllocSpi { protocol, source, destination, mode, reqid } => {
                let operation = || format!("allocate SPI for {protocol} from {source} to {destination}");
                let outcome = message::alloc_spi(protocol, source, destination, mode, reqid)
                    .map_err(|reason| failed(operation(), reason))
                    .and_then(|request| {
                        self.ask_for_state(XfrmMessage::AllocSpi(request))
                            .map_err(|refusal| failed(operation(), refusal))
                    })
                    .map(|info| Spi(info.id.spi));
                if let Ok(spi) = outcome {
                    self.reserved.insert(SaName { protocol, destination, spi });
                }
                SaAnswer::Spi(outcome)
            }
            SaOp::ReleaseSpi(name) => {
                self.reserved.remove(&name);
                SaAnswer::Done(self.delete_state(format_args!("release {name}"), name))
            }
            SaOp::InstallInbound { id, sa } => SaAnswer::Done(self.install_inbound(id, *sa)),
            SaOp::InstallOutbound { id, sa, policy } => SaAnswer::Done(self.install_outbound(id, *sa, policy)),
            SaOp::InstallSoft { id, policy } => SaAnswer::Done(self.install_soft(id, policy)),
            SaOp::DeleteOutbound(id) => SaAnswer::Done(self.delete_outbound(id)),
            SaOp::Delete { id, inbound } => SaAnswer::Done(self.delete(id, &inbound)),
            SaOp::Update { id, local, remote } => SaAnswer::Done(self.update(id, local, remote)),
            SaOp::Query(id) => SaAnswer::Usage(self.usage(id)),
            SaOp::SetPolicies(policies) => SaAnswer::Done(self.set_policies(policies)),
        }
    }

    fn install_inbound(&mut self, id: IpsecSaId, spec: SaSpec) -> Result<(), DriverError> {
        let name = spec.name();
        if self.is_in_use(id) || self.names.contains(&name) {
            return Err(failed(format_args!("add inbound SA {name}"), "it is installed already"));
        }
        for (done, layer) in spec.layers().enumerate() {
            if let Err(error) = self.add_inbound(&spec, &layer) {
                self.withdraw(spec.names().take(done));
                return Err(error);
            }
        }
        self.names.extend(spec.names());
        self.pairs.insert(id, Installed::new(spec));
        Ok(())
    }

    /// Linux sends with the newest of the SAs that fit, so the new one takes over at once.
    fn install_outbound(&mut self, id: IpsecSaId, spec: SaSpec, policy: TrafficPolicy) -> Result<(), DriverError> {
        let name = spec.name();
        let waits = self.pairs.get(&id).is_some_and(|installed| !installed.is_whole());
        if !waits {
            return Err(failed(format_args!("add outbound SA {name}"), format_args!("pair {id} does not wait for it")));
        }
        for (done, layer) in spec.layers().enumerate() {
            if let Err(error) = self.add_state("outbound", &spec, &layer) {
                self.withdraw(spec.names().take(done));
                return Err(error);
            }
        }
        let changes = self.policies.install(id, policy);
        if let Err(error) = self.apply(&changes) {
            self.policies.remove(id);
            self.withdraw(spec.names());
            return Err(error);
        }
        self.names.extend(spec.names());
        if let Some(installed) = self.pairs.get_mut(&id) {
            installed.complete(spec, policy);
        }
        Ok(())
    }

    fn is_in_use(&self, id: IpsecSaId) -> bool {
        self.pairs.contains_key(&id) || self.policies.contains(id)
    }

    fn install_soft(&mut self, id: IpsecSaId, policy: TrafficPolicy) -> Result<(), DriverError> {
        if self.is_in_use(id) {
            return Err(failed(format_args!("add soft SA {id}"), "its handle is in use"));
        }
        let changes = self.policies.install(id, policy);
        self.apply(&changes).inspect_err(|_| {
            self.policies.remove(id);
        })
    }

    /// Undoes the addition of SAs, as far as the kernel lets it.
    fn withdraw(&mut self, names: impl Iterator<Item = SaName>) {
        for name in names {
            let _ = self.delete_state("", name);
        }
    }

    /// Completes the SA of a reserved SPI.
    fn add_inbound(&mut self, spec: &SaSpec, layer: &SaLayer<'_>) -> Result<(), DriverError> {
        let name = spec.name_of(layer);
        let operation = || format!("add inbound SA {name}");
        if self.reserved.remove(&name) {
            let request = message::state(spec, layer).map_err(|reason| failed(operation(), reason));
            let outcome = request.and_then(|request| {
                match self.kernel.request(XfrmMessage::UpdateSa(request.take()), NLM_F_REPLACE) {
                    Ok(()) => Ok(true),
                    // The kernel keeps a reserved SPI for net.core.xfrm_acq_expires seconds only.
                    Err(Refusal { errno: Errno::ESRCH, .. }) => Ok(false),
                    Err(refusal) => Err(failed(operation(), refusal)),
                }
            });
            match outcome {
                Ok(true) => return Ok(()),
                Ok(false) => {}
                Err(error) => {
                    let _ = self.delete_state("", name);
                    return Err(error);
                }
            }
        }
        self.add_state("inbound", spec, layer)
    }

    fn add_state(&mut self, direction: &str, spec: &SaSpec, layer: &SaLayer<'_>) -> Result<(), DriverError> {
        let name = spec.name_of(layer);
        let operation = || format!("add {direction} SA {name}");
        let request = message::state(spec, layer).map_err(|reason| failed(operation(), reason))?;
        self.kernel
            .request(XfrmMessage::AddSa(request.take()), NLM_F_CREATE | NLM_F_EXCL)
            .map_err(|refusal| failed(operation(), refusal))
    }

    /// Deletes one SA or reserved SPI; that it is gone already is no error.
    fn delete_state(&mut self, operation: impl fmt::Display, name: SaName) -> Result<(), DriverError> {
        match message::state_name(name) {
            Ok(request) => leftover::gone_is_fine(self.kernel.request(XfrmMessage::DeleteSa(request), 0))
                .map_err(|refusal| failed(operation, refusal)),
            Err(reason) => Err(failed(operation, reason)),
        }
    }

    fn delete(&mut self, id: IpsecSaId, inbound: &[SaName]) -> Result<(), DriverError> {
        let names: Vec<SaName> = match self.pairs.remove(&id) {
            // An update may have changed the names.
            Some(installed) => installed.names().collect(),
            None => inbound.iter().copied().filter(|name| !self.names.contains(name)).collect(),
        };
        self.reserved.retain(|name| !inbound.contains(name));
        self.delete_states(id, names)
    }

    fn delete_outbound(&mut self, id: IpsecSaId) -> Result<(), DriverError> {
        let names = self.pairs.get_mut(&id).and_then(Installed::halve).map(|outbound| outbound.names().collect());
        names.map_or(Ok(()), |names| self.delete_states(id, names))
    }

    /// Deletes the policy of a pair, and SAs of it; reports the first failure.
    fn delete_states(&mut self, id: IpsecSaId, names: Vec<SaName>) -> Result<(), DriverError> {
        // First the policy: while it holds, packets without SA would ask for a new one.
        let changes = self.policies.remove(id);
        let mut outcome = changes.iter().map(|change| self.apply_one(change)).fold(Ok(()), Result::and);
        for name in names {
            self.names.remove(&name);
            let deleted = self.delete_state(format_args!("delete SA {name}"), name);
            outcome = outcome.and(deleted);
        }
        outcome
    }

    fn usage(&mut self, id: IpsecSaId) -> Result<Usage, DriverError> {
        let Some(pair) = self.pairs.get(&id).map(Installed::main_names).map(Iterator::collect::<Vec<_>>) else {
            return Err(failed(format_args!("query pair {id}"), "no such pair is installed"));
        };
        let mut usage = Usage::default();
        for (direction, name) in [Direction::Inbound, Direction::Outbound].into_iter().zip(pair) {
            let found = message::state_name(name).map_err(|reason| failed(format_args!("query SA {name}"), reason));
            let found = found.and_then(|request| {
                self.ask_for_state(XfrmMessage::GetSa(request))
                    .map_err(|refusal| failed(format_args!("query SA {name}"), refusal))
            })?;
            let (octets, packets) = (found.lifetime_cur.bytes, found.lifetime_cur.packets);
            match direction {
                Direction::Inbound => {
                    (usage.inbound_octets, usage.inbound_packets) = (octets, packets);
                    // Seen before, and too old for the window.
                    usage.replays = Some(u64::from(found.stats.replay) + u64::from(found.stats.replay_window));
                    usage.integrity_failures = Some(found.stats.integrity_failed.into());
                }
                Direction::Outbound => (usage.outbound_octets, usage.outbound_packets) = (octets, packets),
            }
        }
        Ok(usage)
    }

    /// Sends a request that is answered with one SA. The keys in the answer are not looked at.
    fn ask_for_state(&mut self, request: XfrmMessage) -> Result<UserSaInfo, Refusal> {
        let mut found = None;
        self.kernel.exchange(request, 0, &mut |message_type, payload| {
            if message_type == XFRM_MSG_NEWSA {
                found = UserSaInfo::parse(payload).ok();
            }
        })?;
        found.ok_or_else(|| Refusal { errno: Errno::EPROTO, text: Some("the kernel's answer has no SA".to_owned()) })
    }

    fn set_policies(&mut self, policies: Vec<TrafficPolicy>) -> Result<(), DriverError> {
        let (former, changes) = self.policies.set_standing(policies);
        self.apply(&changes).inspect_err(|_| {
            self.policies.set_standing(former);
        })
    }

    /// Makes all changes or none.
    fn apply(&mut self, changes: &[PolicyChange]) -> Result<(), DriverError> {
        for (done, change) in changes.iter().enumerate() {
            if let Err(error) = self.apply_one(change) {
                for change in changes.iter().take(done).rev() {
                    if let Err(error) = self.apply_one(&change.inverse()) {
                        tracing::error!(%error, "could not undo the change of a policy");
                    }
                }
                return Err(error);
            }
        }
        Ok(())
    }

    fn apply_one(&mut self, change: &PolicyChange) -> Result<(), DriverError> {
        match self.arriving.plan(change).map_err(|reason| failed(change, reason))? {
            None => self.tell_kernel(change),
            Some(planned) => {
                planned.change.iter().try_for_each(|change| self.tell_kernel(change))?;
                self.arriving.made(planned);
                Ok(())
            }
        }
    }

    fn tell_kernel(&mut self, change: &PolicyChange) -> Result<(), DriverError> {
        if let PolicyChange::Add { policy, .. } = change
            && policy.selector.local.address().is_ipv6()
        {
            self.exempt_discovery()?;
        }
        self.policy_count = self.policy_count.wrapping_add(1);
        let count = self.policy_count;
        let outcome = match change {
            PolicyChange::Add { direction, policy } => message::policy(*direction, policy, count)
                .map(|request| self.kernel.request(XfrmMessage::AddPolicy(request), NLM_F_CREATE | NLM_F_EXCL)),
            PolicyChange::Update { direction, new, .. } => message::policy(*direction, new, count)
                .map(|request| self.kernel.request(XfrmMessage::UpdatePolicy(request), NLM_F_REPLACE)),
            PolicyChange::Delete { direction, policy } => message::policy_name(*direction, &policy.selector)
                .map(|request| leftover::gone_is_fine(self.kernel.request(XfrmMessage::DeletePolicy(request), 0))),
        };
        match outcome {
            Ok(Ok(())) => Ok(()),
            Ok(Err(refusal)) => Err(failed(change, refusal)),
            Err(reason) => Err(failed(change, reason)),
        }
    }

    /// Adds what exempts neighbour discovery, if it is not there yet.
    fn exempt_discovery(&mut self) -> Result<(), DriverError> {
        if self.exemptions.is_some() {
            return Ok(());
        }
        let mut names = Vec::new();
        for (policy, name) in discovery::exemptions(self.policy_count.wrapping_add(1)) {
            self.policy_count = self.policy_count.wrapping_add(1);
            match self.kernel.request(XfrmMessage::AddPolicy(policy), NLM_F_CREATE | NLM_F_EXCL) {
                Ok(()) => names.push(name),
                // Somebody exempts it already; then it is for them to end that.
                Err(Refusal { errno: Errno::EEXIST, .. }) => {}
                Err(refusal) => return Err(failed("exempt neighbour discovery", refusal)),
            }
        }
        self.exemptions = Some(names);
        Ok(())
    }

    /// Takes one datagram of events.
    fn receive(&mut self, datagram: &[u8]) {
        for (message_type, _, _, payload) in netlink::messages(datagram) {
            let Some(message) = event::decode(message_type, payload) else { continue };
            let concerns_us = match &message {
                DriverMessage::Expire(expire) => {
                    // The kernel gives up a reserved SPI after some time, too.
                    self.reserved.remove(&expire.sa);
                    self.names.contains(&expire.sa)
                }
                DriverMessage::Mapping(mapping) => self.names.contains(&mapping.sa),
                _ => true,
            };
            if concerns_us {
                self.queue.push_back(message);
            }
        }
    }

    /// Events were lost: looks for SAs that have ended meanwhile. Acquires come again with the next packets.
    fn look_for_ended(&mut self) {
        tracing::warn!("the kernel had more events than the buffer holds; some are lost");
        for sa in self.names.clone() {
            let Ok(request) = message::state_name(sa) else { continue };
            if let Err(Refusal { errno: Errno::ESRCH, .. }) = self.ask_for_state(XfrmMessage::GetSa(request)) {
                self.queue.push_back(DriverMessage::Expire(ikecore::sa::driver::Expire { sa, hard: true }));
            }
        }
    }
}

fn open_events() -> io::Result<TokioSocket> {
    let mut events = TokioSocket::new(NETLINK_XFRM)?;
    let socket = events.socket_mut();
    socket.bind_auto()?;
    socket.set_rx_buf_sz(EVENT_BUFFER)?;
    for group in event::GROUPS {
        socket.add_membership(group)?;
    }
    Ok(events)
}

impl SaDriver for XfrmDriver {
    fn capabilities(&self) -> Capabilities {
        self.capabilities.clone()
    }

    fn supports(&mut self, offer: &QuickModeOffer, mode: Mode) -> Result<(), String> {
        let (suite, extended) = (offer.suite, offer.extended_sequence_numbers);
        survey::try_suite(&mut self.kernel, suite, extended, mode, Ipv4Addr::LOCALHOST.into())
            .map_err(|refusal| format!("the kernel refuses it: {refusal}"))
    }

    fn submit(&mut self, ask: AskId, operation: SaOp) {
        let answer = self.run(operation);
        self.queue.push_back(DriverMessage::Answer(ask, answer));
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    fn poll_message(&mut self, context: &mut Context<'_>) -> Poll<DriverMessage> {
        loop {
            if let Some(message) = self.queue.pop_front() {
                return Poll::Ready(message);
            }
            if self.lost {
                return Poll::Pending;
            }
            match self.events.poll_recv_from_full(context) {
                // The kernel's own port is 0: nobody else has a say.
                Poll::Ready(Ok((datagram, from))) if from.port_number() == 0 => self.receive(&datagram),
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) if error.raw_os_error() == Some(libc::ENOBUFS) => self.look_for_ended(),
                Poll::Ready(Err(error)) => {
                    self.lost = true;
                    return Poll::Ready(DriverMessage::Lost(format!("no more events from the kernel: {error}")));
                }
                Poll::Pending => {
                    self.waker = Some(context.waker().clone());
                    return Poll::Pending;
                }
            }
        }
    }

    fn drops(&mut self) -> Drops {
        self.stat.drops()
    }

    fn prepare_socket(&mut self, socket: BorrowedFd<'_>, ipv6: bool, encapsulation: bool) -> io::Result<()> {
        kernel_socket::prepare_socket(socket, ipv6, encapsulation)
    }
}

impl Drop for XfrmDriver {
    /// Removes what it installed, and nothing else.
    fn drop(&mut self) {
        let in_force: Vec<PolicyChange> =
            self.policies.in_force().map(|(direction, policy)| PolicyChange::Delete { direction, policy }).collect();
        let mut outcome = in_force.iter().map(|change| self.apply_one(change)).fold(Ok(()), Result::and);
        for name in self.exemptions.take().unwrap_or_default() {
            let deleted = leftover::gone_is_fine(self.kernel.request(XfrmMessage::DeletePolicy(name), 0))
                .map_err(|refusal| failed("delete exemption of neighbour discovery", refusal));
            outcome = outcome.and(deleted);
        }
        for name in self.names.union(&self.reserved).copied().collect::<Vec<_>>() {
            let deleted = self.delete_state(format_args!("delete SA {name}"), name);
            outcome = outcome.and(deleted);
        }
        if let Err(error) = outcome {
            tracing::error!(%error, "something stays behind in the kernel until the next start");
        }
    }
}
