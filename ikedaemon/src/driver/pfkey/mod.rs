//! The PF_KEY driver: SAs and policies in the kernel over a key management socket (RFC 2367 with the extensions of KAME
//! and Linux), for kernels without the netlink interface to XFRM.
//!
//! Linux answers a request before its system call returns, so that operations are done while they are submitted.
//!
//! PF_KEY on Linux is narrower than XFRM over netlink; what that means here:
//! - AES-GCM cannot be had, and HMAC-SHA-256 is cut to 96 bits: what is to have 128 is refused (see [`algorithms`]);
//! - sequence numbers have 32 bits, and the anti-replay window is 32 packets at most;
//! - an SA's addresses cannot be changed, only its UDP ports: [`SaOp::Update`] to another address is refused;
//! - drops by replay or by integrity are not counted: [`Usage`] says 0;
//! - an ACQUIRE does not say which packet asked: protocol and ports, and in tunnel mode the addresses, are those of the
//!   policy's selector;
//! - SPIs wait for their SA as long as `net.core.xfrm_acq_expires` says (30 seconds); later the SA takes its SPI all the
//!   same if no other SA has got it;
//! - reqids are the driver's own (see [`reqids`]), and priorities are limited to 31 bits;
//! - an SA has the source half of its selector, and in transport mode none: what passes through which SA is for the policies
//!   to say.
mod algorithms;
mod codec;
mod events;
mod fuzzing;
mod link;
mod policies;
mod reqids;
mod sa;
#[cfg(test)]
mod tests;

pub use fuzzing::{fuzz_pfkey, pfkey_seeds};

use super::policy_table::PolicyTable;
use super::xfrm_stat::XfrmStat;
use super::{Capabilities, DriverMessage, Drops, SaDriver, kernel_socket, trial};
use crate::sys::set_socket_option;
use algorithms::{AlgorithmError, Supported};
use codec::{ExtensionType, Message, MessageType, PolicyDirection as Way};
use events::{Events, Word};
use ikecore::address::Scope;
use ikecore::ids::{AskId, IpsecSaId, Spi};
use ikecore::proposal::offer::QuickModeOffer;
use ikecore::proposal::suite::Mode;
use ikecore::sa::driver::{
    DriverError, Expire, Mapping, SaAnswer, SaLayer, SaName, SaOp, SaSpec, TrafficPolicy, Usage,
};
use ikecore::wire::codes::ProtocolId;
use link::{Link, LinkError};
use nix::errno::Errno;
use policies::Policies;
use reqids::{Reqids, Stream};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::{self, Display};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::fd::BorrowedFd;
use std::task::{Context, Poll, Waker};

/// The name of the driver.
const NAME: &str = "pfkey";

/// The socket options that take a policy of PF_KEY, from `linux/in.h` and `linux/in6.h`. They are there on kernels without
/// the netlink interface to XFRM, which has options of its own.
const IP_IPSEC_POLICY: libc::c_int = 16;
const IPV6_IPSEC_POLICY: libc::c_int = 34;

/// The PF_KEY driver.
pub struct PfkeyDriver {
    link: Link,
    events: Events,
    supported: Supported,
    description: String,
    table: PolicyTable,
    policies: Policies,
    reqids: Reqids,
    pairs: BTreeMap<IpsecSaId, Pair>,
    /// SPIs given out for which there is no SA yet.
    reserved: BTreeSet<SaName>,
    answers: VecDeque<DriverMessage>,
    waker: Option<Waker>,
    lost: bool,
    stat: XfrmStat,
}

/// The names of one direction.
#[derive(Debug)]
struct Names {
    /// Of ESP or, without it, AH.
    main: SaName,
    all: Vec<SaName>,
}

impl Names {
    fn of(spec: &SaSpec) -> Self {
        Self { main: spec.name(), all: spec.names().collect() }
    }
}

/// An installed pair.
#[derive(Debug)]
struct Pair {
    inbound: Names,
    /// Once the second step is done.
    outbound: Option<Names>,
    /// This host's address and the peer's.
    addresses: (IpAddr, IpAddr),
    stream: Stream,
}

impl Pair {
    /// Those of the outbound SA, if it is there, and of the inbound one.
    fn names(&self) -> impl Iterator<Item = SaName> {
        self.outbound.iter().chain([&self.inbound]).flat_map(|names| names.all.iter().copied())
    }
}

/// Makes an error that names what was tried.
/// Why nothing that is link-local is protected.
const NO_LINKS: &str = "PF_KEY of Linux cannot name the link of a link-local address; allowed: the driver xfrm";

fn failed(operation: impl Display) -> impl FnOnce(&dyn Display) -> DriverError {
    move |reason| DriverError { driver: NAME, operation: operation.to_string(), reason: reason.to_string() }
}

/// What is no longer there needs no deletion.
fn unless_gone(result: Result<Message, LinkError>) -> Result<(), LinkError> {
    match result {
        Err(error) if !error.is(Errno::ESRCH) => Err(error),
        _ => Ok(()),
    }
}

impl PfkeyDriver {
    /// Opens the sockets, registers for ESP and AH, and removes what an earlier life left behind after a crash. Needs
    /// CAP_NET_ADMIN, a kernel with `af_key`, and tokio's runtime.
    pub fn open() -> Result<Self, DriverError> {
        let mut link = Link::open().map_err(|error| failed("open a PF_KEY socket")(&error))?;
        let (events, esp, ah) = Events::open().map_err(|error| failed("register for ESP and AH")(&error))?;
        let supported = Supported::new(&esp, ah.as_ref());
        let policies =
            policies::clean_up(&mut link).map_err(|error| failed("remove policies of a former run")(&error))?;
        let sas = sa::clean_up(&mut link).map_err(|error| failed("remove SAs of a former run")(&error))?;
        if (policies, sas) != (0, 0) {
            tracing::info!("driver {NAME}: removed {policies} policies and {sas} SAs of a former run");
        }
        let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        let protocols = if supported.ah { "ESP and AH" } else { "ESP" };
        Ok(Self {
            link,
            events,
            supported,
            description: format!("Linux {} with {protocols} over PF_KEY version 2", release.trim()),
            table: PolicyTable::new(),
            policies: Policies::default(),
            reqids: Reqids::default(),
            pairs: BTreeMap::new(),
            reserved: BTreeSet::new(),
            answers: VecDeque::new(),
            waker: None,
            lost: false,
            stat: XfrmStat::open(),
        })
    }

    fn alloc_spi(
        &mut self,
        protocol: ProtocolId,
        source: IpAddr,
        destination: IpAddr,
        mode: Mode,
    ) -> Result<Spi, DriverError> {
        let reservation = sa::reservation(protocol, source, destination, mode, reqids::LARVAL);
        let answer = self.link.ask(MessageType::GETSPI, sa::sa_type(protocol), reservation);
        let spi = answer.and_then(|answer| answer.sa().ok_or(LinkError::Lacks("the SPI"))).map(|sa| sa.spi).map_err(
            |error| failed(format_args!("choose an SPI for {protocol} from {source} to {destination}"))(&error),
        )?;
        self.reserved.insert(SaName { protocol, destination, spi });
        Ok(spi)
    }

    fn install_inbound(&mut self, id: IpsecSaId, spec: &SaSpec) -> Result<(), DriverError> {
        let inbound = spec.name();
        if self.is_in_use(id) {
            return Err(failed(format_args!("add inbound SA {inbound}"))(&"it is installed already"));
        }
        let stream = Stream::new(spec.reqid, spec.mode, spec.selector);
        let reqid = self.reqids.of(stream).map_err(|error| failed(format_args!("add inbound SA {inbound}"))(&error));
        let done = reqid.and_then(|reqid| self.add(spec, "inbound", reqid));
        if done.is_ok() {
            let addresses = (spec.destination, spec.source);
            self.pairs.insert(id, Pair { inbound: Names::of(spec), outbound: None, addresses, stream });
        }
        self.forget_unused_reqids();
        done
    }

    /// Adds the outbound SA and then the policy, or nothing. Linux sends with the newest of the SAs that fit, so the new
    /// one takes over at once.
    fn install_outbound(&mut self, id: IpsecSaId, spec: &SaSpec, policy: TrafficPolicy) -> Result<(), DriverError> {
        let outbound = spec.name();
        let waiting = self.pairs.get(&id).filter(|pair| pair.outbound.is_none());
        let Some(stream) = waiting.map(|pair| pair.stream) else {
            return Err(failed(format_args!("add outbound SA {outbound}"))(&format_args!(
                "pair {id} does not wait for it"
            )));
        };
        let reqid =
            self.reqids.of(stream).map_err(|error| failed(format_args!("add outbound SA {outbound}"))(&error))?;
        self.add(spec, "outbound", reqid)?;
        let changes = self.table.install(id, policy);
        let done = self.policies.apply(&mut self.link, &mut self.reqids, &changes).inspect_err(|_| {
            // The kernel's policies are as they were; so is the table after this.
            self.table.remove(id);
            self.withdraw(spec.names());
        });
        if let (Ok(()), Some(pair)) = (&done, self.pairs.get_mut(&id)) {
            pair.outbound = Some(Names::of(spec));
        }
        tracing::debug!("driver {NAME}: install {id}: policy {}: {done:?}", policy.selector);
        self.forget_unused_reqids();
        done
    }

    fn is_in_use(&self, id: IpsecSaId) -> bool {
        self.pairs.contains_key(&id) || self.table.contains(id)
    }

    fn install_soft(&mut self, id: IpsecSaId, policy: TrafficPolicy) -> Result<(), DriverError> {
        if self.is_in_use(id) {
            return Err(failed(format_args!("add soft SA {id}"))(&"its handle is in use"));
        }
        let changes = self.table.install(id, policy);
        let done = self.policies.apply(&mut self.link, &mut self.reqids, &changes).inspect_err(|_| {
            self.table.remove(id);
        });
        self.forget_unused_reqids();
        done
    }

    /// Adds all SAs of a direction, or none; if an SPI was given out, the SA takes its place, and the SPI is gone in case of
    /// failure, too.
    fn add(&mut self, spec: &SaSpec, direction: &str, reqid: u32) -> Result<(), DriverError> {
        for (done, layer) in spec.layers().enumerate() {
            let name = spec.name_of(&layer);
            let reserved = self.reserved.remove(&name);
            if let Err(error) = self.add_sa(spec, &layer, direction, reqid, reserved) {
                self.withdraw(spec.names().take(done + usize::from(reserved)));
                return Err(error);
            }
        }
        Ok(())
    }

    fn add_sa(
        &mut self,
        spec: &SaSpec,
        layer: &SaLayer<'_>,
        direction: &str,
        reqid: u32,
        reserved: bool,
    ) -> Result<(), DriverError> {
        let name = spec.name_of(layer);
        let failed = |error: &dyn Display| failed(format_args!("add {direction} SA {name} ({})", layer.layer))(error);
        if spec.scope != Scope::ANY {
            return Err(failed(&NO_LINKS));
        }
        if spec.extended_sequence_numbers {
            return Err(failed(&AlgorithmError::ExtendedSequenceNumbers));
        }
        let numbers = self.supported.numbers(layer.layer).map_err(|error| failed(&error))?;
        let sa_type = sa::sa_type(name.protocol);
        let mut add = |kind| self.link.ask(kind, sa_type, sa::whole(spec, layer, numbers, reqid)).map(drop);
        let done = if reserved {
            match add(MessageType::UPDATE) {
                // The SPI's time was over.
                Err(error) if error.is(Errno::ESRCH) => add(MessageType::ADD),
                other => other,
            }
        } else {
            add(MessageType::ADD)
        };
        done.map_err(|error| failed(&error))
    }

    fn delete_sa(&mut self, name: SaName) -> Result<(), DriverError> {
        unless_gone(self.link.ask(MessageType::DELETE, sa::sa_type(name.protocol), sa::naming(name)))
            .map_err(|error| failed(format_args!("delete SA {name}"))(&error))
    }

    /// Undoes the addition of SAs.
    fn withdraw(&mut self, names: impl Iterator<Item = SaName>) {
        for name in names {
            if let Err(error) = self.delete_sa(name) {
                tracing::warn!("{error}");
            }
        }
    }

    /// Removes all that there is, and reports the first failure.
    fn delete(&mut self, id: IpsecSaId, inbound: &[SaName]) -> Result<(), DriverError> {
        let changes = self.table.remove(id);
        let policy = self.policies.apply(&mut self.link, &mut self.reqids, &changes);
        let names: Vec<SaName> = match self.pairs.remove(&id) {
            Some(pair) => pair.names().collect(),
            None => {
                let others: BTreeSet<SaName> = self.pairs.values().flat_map(Pair::names).collect();
                inbound.iter().copied().filter(|name| !others.contains(name)).collect()
            }
        };
        self.reserved.retain(|name| !inbound.contains(name));
        let done = names.into_iter().map(|name| self.delete_sa(name)).fold(policy, Result::and);
        self.forget_unused_reqids();
        done
    }

    /// Removes the outbound SA and the policy, and reports the first failure.
    fn delete_outbound(&mut self, id: IpsecSaId) -> Result<(), DriverError> {
        let Some(outbound) = self.pairs.get_mut(&id).and_then(|pair| pair.outbound.take()) else { return Ok(()) };
        let changes = self.table.remove(id);
        let policy = self.policies.apply(&mut self.link, &mut self.reqids, &changes);
        let done = outbound.all.into_iter().map(|name| self.delete_sa(name)).fold(policy, Result::and);
        self.forget_unused_reqids();
        done
    }

    fn update(&mut self, id: IpsecSaId, local: SocketAddr, remote: SocketAddr) -> Result<(), DriverError> {
        let operation = format!("update {id} to {local} and {remote}");
        let Some(pair) = self.pairs.get(&id) else {
            return Err(failed(operation)(&"no such pair is installed"));
        };
        let (inbound, Some(outbound)) = (pair.inbound.main, pair.outbound.as_ref().map(|names| names.main)) else {
            return Err(failed(operation)(&"its outbound SA is not installed"));
        };
        if pair.addresses != (local.ip(), remote.ip()) {
            return Err(failed(operation)(&format_args!(
                "PF_KEY cannot change the addresses {} and {} of an SA, only its ports",
                pair.addresses.0, pair.addresses.1
            )));
        }
        let ends = [(inbound, remote.port(), local.port()), (outbound, local.port(), remote.port())];
        for (name, source_port, destination_port) in ends {
            let sa_type = sa::sa_type(name.protocol);
            let told = self.link.ask(MessageType::GET, sa_type, sa::naming(name));
            told.and_then(|told| {
                if told.nat_port(ExtensionType::NAT_SPORT).is_none() {
                    return Err(LinkError::Lacks("UDP encapsulation"));
                }
                let changed = sa::with_ports(told.extensions, source_port, destination_port);
                self.link.ask(MessageType::UPDATE, sa_type, changed)
            })
            .map_err(|error| failed(format_args!("{operation}: SA {name}"))(&error))?;
        }
        Ok(())
    }

    fn query(&mut self, id: IpsecSaId) -> Result<Usage, DriverError> {
        let Some(pair) = self.pairs.get(&id) else {
            return Err(failed(format_args!("query {id}"))(&"no such pair is installed"));
        };
        let (inbound, outbound) = (pair.inbound.main, pair.outbound.as_ref().map(|names| names.main));
        let mut current = |name: SaName| {
            self.link
                .ask(MessageType::GET, sa::sa_type(name.protocol), sa::naming(name))
                .and_then(|told| {
                    told.lifetime(ExtensionType::LIFETIME_CURRENT).ok_or(LinkError::Lacks("the current lifetime"))
                })
                .map_err(|error| failed(format_args!("query SA {name}"))(&error))
        };
        let (inbound, outbound) = (current(inbound)?, outbound.map(current).transpose()?);
        Ok(Usage {
            inbound_octets: inbound.octets,
            inbound_packets: inbound.allocations.into(),
            outbound_octets: outbound.map_or(0, |outbound| outbound.octets),
            outbound_packets: outbound.map_or(0, |outbound| outbound.allocations.into()),
            replays: None,
            integrity_failures: None,
        })
    }

    fn set_policies(&mut self, policies: Vec<TrafficPolicy>) -> Result<(), DriverError> {
        let (former, changes) = self.table.set_standing(policies);
        let done = self.policies.apply(&mut self.link, &mut self.reqids, &changes).inspect_err(|_| {
            // The kernel's policies are as they were; so is the table after this.
            self.table.set_standing(former);
        });
        self.forget_unused_reqids();
        done
    }

    fn forget_unused_reqids(&mut self) {
        let mut in_use: Vec<Stream> =
            self.table.in_force().filter_map(|(_, policy)| policies::stream(&policy)).collect();
        in_use.extend(self.pairs.values().map(|pair| pair.stream));
        self.reqids.keep(&in_use);
    }

    /// What the engine is to know of a word of the kernel.
    fn message(&mut self, word: Word) -> Option<DriverMessage> {
        match word {
            Word::Acquire { policy, source, destination } => {
                self.policies.acquire(policy, source, destination).map(DriverMessage::Acquire)
            }
            // The SA may come all the same.
            Word::Forget(name) => {
                self.reserved.remove(&name);
                None
            }
            // Others' SAs expire too.
            Word::Expire { sa, hard } => {
                let ours = self.pairs.values().flat_map(Pair::names).any(|name| name == sa);
                ours.then_some(DriverMessage::Expire(Expire { sa, hard }))
            }
            Word::Mapping { spi, remote } => {
                let pair = self.pairs.values().find(|pair| pair.inbound.main.spi == spi)?;
                Some(DriverMessage::Mapping(Mapping { sa: pair.inbound.main, remote }))
            }
        }
    }
}

impl Drop for PfkeyDriver {
    /// Removes what it installed, and nothing else.
    fn drop(&mut self) {
        if let Err(error) = self.policies.remove_all(&mut self.link) {
            tracing::error!("driver {NAME}: policies stay behind in the kernel until the next start: {error}");
        }
        let pairs = std::mem::take(&mut self.pairs);
        let reserved = std::mem::take(&mut self.reserved);
        self.withdraw(pairs.values().flat_map(Pair::names).chain(reserved));
    }
}

impl fmt::Debug for PfkeyDriver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PfkeyDriver")
            .field("pairs", &self.pairs)
            .field("reserved", &self.reserved)
            .finish_non_exhaustive()
    }
}

impl SaDriver for PfkeyDriver {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            name: NAME,
            ah: self.supported.ah,
            transport: true,
            udp_encapsulation: true,
            link_local: false,
            owns_encapsulation: true,
            description: self.description.clone(),
        }
    }

    fn supports(&mut self, offer: &QuickModeOffer, mode: Mode) -> Result<(), String> {
        let spec = trial::sa(offer.suite, offer.extended_sequence_numbers, mode, Ipv4Addr::LOCALHOST.into());
        let added = self.add(&spec, "trial", reqids::LARVAL).map_err(|error| error.reason);
        if added.is_ok() {
            self.withdraw(spec.names());
        }
        added
    }

    fn submit(&mut self, ask: AskId, operation: SaOp) {
        let answer = match operation {
            // The rule's reqid must wait: what traffic the SA will be for is not known yet.
            SaOp::AllocSpi { protocol, source, destination, mode, reqid: _ } => {
                SaAnswer::Spi(self.alloc_spi(protocol, source, destination, mode))
            }
            SaOp::ReleaseSpi(name) => {
                self.reserved.remove(&name);
                SaAnswer::Done(self.delete_sa(name))
            }
            SaOp::InstallInbound { id, sa } => SaAnswer::Done(self.install_inbound(id, &sa)),
            SaOp::InstallOutbound { id, sa, policy } => SaAnswer::Done(self.install_outbound(id, &sa, policy)),
            SaOp::InstallSoft { id, policy } => SaAnswer::Done(self.install_soft(id, policy)),
            SaOp::DeleteOutbound(id) => SaAnswer::Done(self.delete_outbound(id)),
            SaOp::Delete { id, inbound } => SaAnswer::Done(self.delete(id, &inbound)),
            SaOp::Update { id, local, remote } => SaAnswer::Done(self.update(id, local, remote)),
            SaOp::Query(id) => SaAnswer::Usage(self.query(id)),
            SaOp::SetPolicies(policies) => SaAnswer::Done(self.set_policies(policies)),
        };
        self.answers.push_back(DriverMessage::Answer(ask, answer));
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    fn poll_message(&mut self, context: &mut Context<'_>) -> Poll<DriverMessage> {
        if let Some(answer) = self.answers.pop_front() {
            return Poll::Ready(answer);
        }
        while !self.lost {
            match self.events.poll_word(context) {
                Poll::Ready(Ok(word)) => {
                    if let Some(message) = self.message(word) {
                        return Poll::Ready(message);
                    }
                }
                Poll::Ready(Err(error)) => {
                    self.lost = true;
                    return Poll::Ready(DriverMessage::Lost(format!("the PF_KEY socket failed: {error}")));
                }
                Poll::Pending => break,
            }
        }
        self.waker = Some(context.waker().clone());
        Poll::Pending
    }

    fn drops(&mut self) -> Drops {
        self.stat.drops()
    }

    fn prepare_socket(&mut self, socket: BorrowedFd<'_>, ipv6: bool, encapsulation: bool) -> io::Result<()> {
        let (level, name) =
            if ipv6 { (libc::IPPROTO_IPV6, IPV6_IPSEC_POLICY) } else { (libc::IPPROTO_IP, IP_IPSEC_POLICY) };
        for direction in [Way::IN, Way::OUT] {
            set_socket_option(socket, level, name, &codec::bypass(direction))?;
        }
        if encapsulation {
            kernel_socket::encapsulate(socket)?;
        }
        Ok(())
    }
}
