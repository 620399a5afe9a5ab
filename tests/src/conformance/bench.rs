//! Two drivers side by side, and what the cases do with them.
use std::collections::{BTreeMap, VecDeque};
use std::future::{Future, poll_fn};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd;
use std::pin::pin;
use std::task::{Context, Poll};
use std::time::Duration;

use ikecore::ids::{AskId, IpsecSaId, Spi};
use ikecore::policy::selector::{Prefix, Selector};
use ikecore::proposal::offer::QuickModeOffer;
use ikecore::proposal::suite::{EspCipher, Integrity, IpsecSuite, Lifetime, Mode};
use ikecore::sa::driver::{
    Direction, DriverError, SaAnswer, SaName, SaOp, SaPair, SaSpec, TrafficAction, TrafficPolicy, UdpEncapsulation,
    Usage,
};
use ikecore::secret::Secret;
use ikedaemon::driver::{Capabilities, DriverMessage, Drops, SaDriver};
use tokio::net::UdpSocket;
use tokio::runtime::Runtime;

use super::{Host, Place};

/// Time for what must happen.
const PATIENCE: Duration = Duration::from_secs(10);
/// Time for a packet that must arrive.
const ARRIVAL: Duration = Duration::from_secs(3);
/// Time after which a packet counts as lost.
const LOSS: Duration = Duration::from_millis(200);

/// A driver with its host's NAT-T socket.
struct Site {
    driver: Box<dyn SaDriver>,
    answers: BTreeMap<AskId, SaAnswer>,
    told: VecDeque<DriverMessage>,
    natt: Vec<UdpSocket>,
}

impl Site {
    /// Takes what the driver has to say, and carries encapsulated packets for a driver that leaves this to the listener.
    fn poll(&mut self, context: &mut Context<'_>) {
        while let Poll::Ready(message) = self.driver.poll_message(context) {
            match message {
                DriverMessage::Answer(ask, answer) => {
                    assert!(self.answers.insert(ask, answer).is_none(), "two answers to {ask}");
                }
                DriverMessage::SendEncapsulated { local, remote, packet } => {
                    let from = self.natt.iter().find(|socket| socket.local_addr().is_ok_and(|own| own == local));
                    let socket = from.unwrap_or_else(|| panic!("no NAT-T socket on {local}"));
                    let _ = socket.try_send_to(&packet, remote);
                }
                other => self.told.push_back(other),
            }
        }
        for socket in &self.natt {
            let mut octets = [0; 65_536];
            let mut buffer = tokio::io::ReadBuf::new(&mut octets);
            while let Poll::Ready(Ok(from)) = socket.poll_recv_from(context, &mut buffer) {
                let local = socket.local_addr().expect("a bound socket");
                self.driver.receive_encapsulated(local, from, buffer.filled());
                buffer.clear();
            }
        }
    }
}

/// The SAs that a case wants.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    pub(super) suite: IpsecSuite,
    pub(super) mode: Mode,
    /// The addresses that the SAs run between.
    pub(super) ipv6: bool,
    /// The protected addresses of a tunnel.
    pub(super) ipv6_inside: bool,
    /// ESP in UDP between these ports of host A and host B.
    pub(super) encapsulation: Option<(u16, u16)>,
    /// Only this port, at host B.
    pub(super) port: u16,
    pub(super) reqid: u32,
    pub(super) window: u32,
    pub(super) extended: bool,
    pub(super) soft: Lifetime,
    pub(super) hard: Lifetime,
}

/// AES-128-CBC with HMAC-SHA-1-96.
pub(super) const USUAL: IpsecSuite =
    IpsecSuite::Esp { cipher: EspCipher::Aes128Cbc, integrity: Some(Integrity::HmacSha1_96) };

impl Shape {
    /// The usual suite, IPv4, without limits.
    pub(super) fn new(mode: Mode) -> Self {
        Self {
            suite: USUAL,
            mode,
            ipv6: false,
            ipv6_inside: false,
            encapsulation: None,
            port: 0,
            reqid: 7,
            window: 32,
            extended: false,
            soft: Lifetime::default(),
            hard: Lifetime::default(),
        }
    }

    /// The address between which the SAs run.
    pub(super) fn outer(&self, host: Host) -> IpAddr {
        let addresses = host.addresses();
        parse(if self.ipv6 { addresses.wire6 } else { addresses.wire })
    }

    /// The address of protected packets.
    pub(super) fn inner(&self, host: Host) -> IpAddr {
        let addresses = host.addresses();
        match (self.mode, self.ipv6_inside) {
            (Mode::Transport, _) => self.outer(host),
            (Mode::Tunnel, false) => parse(addresses.inside),
            (Mode::Tunnel, true) => parse(addresses.inside6),
        }
    }

    /// The traffic, seen from `host`.
    pub(super) fn selector(&self, host: Host) -> Selector {
        let (local, remote) = (Prefix::host(self.inner(host)), Prefix::host(self.inner(host.peer())));
        let mut selector = Selector::between(local, remote);
        if self.port != 0 {
            selector.protocol = 17;
            match host {
                Host::A => selector.remote_port = self.port,
                Host::B => selector.local_port = self.port,
            }
        }
        selector
    }

    /// The policy that sends the traffic to the SAs.
    pub(super) fn policy(&self, host: Host) -> TrafficPolicy {
        let endpoints = match self.mode {
            Mode::Transport => None,
            Mode::Tunnel => Some((self.outer(host), self.outer(host.peer()))),
        };
        let action = TrafficAction::Protect {
            protocols: self.suite.alone().protocols(),
            mode: self.mode,
            endpoints,
            inbound_passthrough: false,
        };
        TrafficPolicy { selector: self.selector(host), action, priority: 1000, reqid: self.reqid }
    }

    fn spec(&self, host: Host, direction: Direction, spi: Spi) -> SaSpec {
        let sender = match direction {
            Direction::Inbound => host.peer(),
            Direction::Outbound => host,
        };
        let encapsulation = self.encapsulation.map(|(a, b)| match sender {
            Host::A => UdpEncapsulation { source_port: a, destination_port: b },
            Host::B => UdpEncapsulation { source_port: b, destination_port: a },
        });
        SaSpec {
            direction,
            spi,
            suite: self.suite,
            mode: self.mode,
            source: self.outer(sender),
            destination: self.outer(sender.peer()),
            scope: ikecore::address::Scope::ANY,
            selector: self.selector(host),
            encapsulation,
            encryption_key: key(self.suite.encryption_key_len(), 0x10, spi),
            integrity_key: key(self.suite.integrity_key_len(), 0xa0, spi),
            cpi: None,
            outer: None,
            reqid: self.reqid,
            replay_window: self.window,
            extended_sequence_numbers: self.extended,
            soft: self.soft,
            hard: self.hard,
        }
    }

    /// The name of the SA with `spi` that `receiver` receives.
    pub(super) fn name(&self, receiver: Host, spi: Spi) -> SaName {
        SaName { protocol: self.suite.protocol(), destination: self.outer(receiver), spi }
    }

    /// The pair of `host`: its SPI first, then the peer's.
    pub(super) fn pair(&self, host: Host, id: IpsecSaId, own: Spi, peers: Spi) -> SaPair {
        SaPair {
            id,
            inbound: self.spec(host, Direction::Inbound, own),
            outbound: self.spec(host, Direction::Outbound, peers),
            policy: self.policy(host),
        }
    }
}

/// A key of its own for each SA, the same at both ends; the parts of a 3DES key differ.
fn key(length: usize, seed: u8, spi: Spi) -> Secret<Vec<u8>> {
    let spice = spi.0.to_be_bytes();
    Secret::new((0_u8..).zip(spice.iter().cycle()).map(|(n, s)| n.wrapping_mul(7) ^ seed ^ s).take(length).collect())
}

/// An address of the harness.
pub(super) fn parse(text: &str) -> IpAddr {
    text.parse().expect("a constant address")
}

/// A pair of SAs at both hosts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Established {
    pub(super) id: IpsecSaId,
    /// The SPIs that host A and host B chose.
    pub(super) spis: [Spi; 2],
}

/// Two hosts.
pub(super) struct Bench<'a> {
    // Before the runtime, so that drivers end within it.
    sites: [Site; 2],
    place: &'a mut dyn Place,
    runtime: Runtime,
    last: u64,
}

impl<'a> Bench<'a> {
    pub(super) fn new(place: &'a mut dyn Place) -> Self {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime can be made");
        let sites = {
            let _in_runtime = runtime.enter();
            Host::BOTH.map(|host| Site {
                driver: place.open(host),
                answers: BTreeMap::new(),
                told: VecDeque::new(),
                natt: Vec::new(),
            })
        };
        Self { sites, place, runtime, last: 0 }
    }

    fn site(&mut self, host: Host) -> &mut Site {
        &mut self.sites[usize::from(host == Host::B)]
    }

    pub(super) fn capabilities(&mut self) -> Capabilities {
        self.site(Host::A).driver.capabilities()
    }

    /// Runs `future` while both drivers are served.
    fn serve<T>(&mut self, future: impl Future<Output = T>) -> T {
        let sites = &mut self.sites;
        self.runtime.block_on(async {
            let mut future = pin!(future);
            poll_fn(|context| {
                sites.iter_mut().for_each(|site| site.poll(context));
                future.as_mut().poll(context)
            })
            .await
        })
    }

    /// Serves both drivers until `done`, for a limited time.
    fn serve_until<T>(&mut self, mut done: impl FnMut(&mut [Site; 2]) -> Option<T>) -> Option<T> {
        let sites = &mut self.sites;
        self.runtime.block_on(async {
            let end = poll_fn(|context| {
                sites.iter_mut().for_each(|site| site.poll(context));
                done(sites).map_or(Poll::Pending, Poll::Ready)
            });
            tokio::time::timeout(PATIENCE, end).await.ok()
        })
    }

    fn fresh(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    /// A handle that was not used yet.
    pub(super) fn id(&mut self) -> IpsecSaId {
        IpsecSaId(self.fresh())
    }

    /// Submits `operation` and waits for its answer.
    #[track_caller]
    fn ask(&mut self, host: Host, operation: SaOp) -> SaAnswer {
        let shown = format!("{host:?}: {operation:?}");
        let ask = AskId(self.fresh());
        let index = usize::from(host == Host::B);
        {
            let _in_runtime = self.runtime.enter();
            self.sites[index].driver.submit(ask, operation);
        }
        self.serve_until(|sites| sites[index].answers.remove(&ask)).unwrap_or_else(|| panic!("no answer to {shown}"))
    }

    /// As [`Self::ask`], for operations without a result.
    #[track_caller]
    pub(super) fn done(&mut self, host: Host, operation: SaOp) -> Result<(), DriverError> {
        let shown = format!("{operation:?}");
        match self.ask(host, operation) {
            SaAnswer::Done(outcome) => outcome,
            other => panic!("{other:?} answers {shown}"),
        }
    }

    /// As [`Self::done`], where it must succeed.
    #[track_caller]
    pub(super) fn must(&mut self, host: Host, operation: SaOp) {
        let shown = format!("{host:?}: {operation:?}");
        if let Err(error) = self.done(host, operation) {
            panic!("{shown}: {error}");
        }
    }

    #[track_caller]
    pub(super) fn alloc_spi(&mut self, host: Host, shape: &Shape) -> Spi {
        let operation = SaOp::AllocSpi {
            protocol: shape.suite.protocol(),
            source: shape.outer(host.peer()),
            destination: shape.outer(host),
            mode: shape.mode,
            reqid: shape.reqid,
        };
        match self.ask(host, operation) {
            SaAnswer::Spi(Ok(spi)) => spi,
            other => panic!("{other:?} answers the request for an SPI"),
        }
    }

    #[track_caller]
    pub(super) fn try_usage(&mut self, host: Host, id: IpsecSaId) -> Result<Usage, DriverError> {
        match self.ask(host, SaOp::Query(id)) {
            SaAnswer::Usage(outcome) => outcome,
            other => panic!("{other:?} answers a query"),
        }
    }

    /// What the driver of `host` has dropped.
    pub(super) fn drops(&mut self, host: Host) -> Drops {
        self.sites[usize::from(host == Host::B)].driver.drops()
    }

    #[track_caller]
    pub(super) fn usage(&mut self, host: Host, id: IpsecSaId) -> Usage {
        self.try_usage(host, id).unwrap_or_else(|error| panic!("{host:?}: {error}"))
    }

    /// Installs a pair in its two steps; if one is refused, what there is goes.
    #[track_caller]
    pub(super) fn install(&mut self, host: Host, pair: SaPair) -> Result<(), DriverError> {
        let (id, inbound) = (pair.id, pair.inbound.name());
        for step in pair.steps() {
            if let Err(error) = self.done(host, step) {
                self.must(host, SaOp::Delete { id, inbound: vec![inbound] });
                return Err(error);
            }
        }
        Ok(())
    }

    /// As [`Self::install`], where it must succeed.
    #[track_caller]
    pub(super) fn must_install(&mut self, host: Host, pair: SaPair) {
        let shown = format!("{host:?}: {pair:?}");
        if let Err(error) = self.install(host, pair) {
            panic!("{shown}: {error}");
        }
    }

    /// Installs SAs of this shape at both hosts, B's first.
    #[track_caller]
    pub(super) fn establish(&mut self, shape: &Shape) -> Established {
        let id = self.id();
        let spis = Host::BOTH.map(|host| self.alloc_spi(host, shape));
        self.must_install(Host::B, shape.pair(Host::B, id, spis[1], spis[0]));
        self.must_install(Host::A, shape.pair(Host::A, id, spis[0], spis[1]));
        Established { id, spis }
    }

    /// Deletes them again at `host`.
    #[track_caller]
    pub(super) fn delete(&mut self, host: Host, shape: &Shape, pair: Established) {
        let inbound = shape.name(host, pair.spis[usize::from(host == Host::B)]);
        self.must(host, SaOp::Delete { id: pair.id, inbound: vec![inbound] });
    }

    /// A socket of `host`.
    pub(super) fn socket(&mut self, host: Host, address: IpAddr, port: u16) -> UdpSocket {
        let socket = self.place.socket(host, address, port);
        socket.set_nonblocking(true).expect("a socket can be made non-blocking");
        let _in_runtime = self.runtime.enter();
        UdpSocket::from_std(socket).expect("tokio takes a socket")
    }

    /// A socket of `host` as the listener makes them.
    #[track_caller]
    pub(super) fn prepared(&mut self, host: Host, address: IpAddr, port: u16, encapsulation: bool) -> UdpSocket {
        let socket = self.socket(host, address, port);
        self.site(host)
            .driver
            .prepare_socket(socket.as_fd(), address.is_ipv6(), encapsulation)
            .unwrap_or_else(|error| panic!("{host:?}: prepare socket on {address}: {error}"));
        socket
    }

    /// Opens the NAT-T socket of `host`.
    #[track_caller]
    pub(super) fn open_natt(&mut self, host: Host, address: IpAddr, port: u16) {
        let socket = self.prepared(host, address, port, true);
        self.site(host).natt.push(socket);
    }

    /// Sends a datagram of `size` octets and says whether it arrived.
    pub(super) fn arrives(&mut self, from: &UdpSocket, to: &UdpSocket, size: usize) -> bool {
        self.arrives_within(from, to, size, ARRIVAL)
    }

    /// Sends a datagram of `size` octets and says whether it did not arrive.
    pub(super) fn is_lost(&mut self, from: &UdpSocket, to: &UdpSocket, size: usize) -> bool {
        !self.arrives_within(from, to, size, LOSS)
    }

    fn arrives_within(&mut self, from: &UdpSocket, to: &UdpSocket, size: usize, wait: Duration) -> bool {
        let destination = to.local_addr().expect("a bound socket");
        let sent: Vec<u8> = (0..=250_u8).cycle().take(size).collect();
        // A policy that blocks may be an error at once.
        self.serve(async {
            if from.send_to(&sent, destination).await.is_err() {
                return false;
            }
            let mut octets = vec![0; 65_536];
            match tokio::time::timeout(wait, to.recv_from(&mut octets)).await {
                Ok(received) => {
                    let (length, _) = received.expect("a socket receives");
                    assert_eq!(octets.get(..length), Some(&*sent), "another datagram arrived than was sent");
                    true
                }
                Err(_) => false,
            }
        })
    }

    /// Sends a datagram and does not wait.
    pub(super) fn send(&mut self, from: &UdpSocket, to: SocketAddr, size: usize) {
        let sent = vec![0x55; size];
        self.serve(async {
            let _ = from.send_to(&sent, to).await;
        });
    }

    /// Waits for a message of the driver of `host` (no answer) of which `take` takes something. Others are passed over.
    #[track_caller]
    pub(super) fn told<T>(&mut self, host: Host, what: &str, mut take: impl FnMut(&DriverMessage) -> Option<T>) -> T {
        let index = usize::from(host == Host::B);
        let found = self.serve_until(|sites| {
            while let Some(message) = sites[index].told.pop_front() {
                if let Some(found) = take(&message) {
                    return Some(found);
                }
            }
            None
        });
        found.unwrap_or_else(|| panic!("{host:?}: the driver did not tell {what}"))
    }

    /// What the driver of `host` told in the time `wait`, besides answers.
    pub(super) fn told_within(&mut self, host: Host, wait: Duration) -> Vec<DriverMessage> {
        self.serve(async { tokio::time::sleep(wait).await });
        self.site(host).told.drain(..).collect()
    }

    /// Ends the driver of `host` and opens a new one.
    pub(super) fn reopen(&mut self, host: Host) {
        let _in_runtime = self.runtime.enter();
        let site = &mut self.sites[usize::from(host == Host::B)];
        // The old one must be gone before.
        site.driver = Box::new(Nothing);
        site.driver = self.place.open(host);
    }
}

/// No driver: stands in while one is exchanged.
struct Nothing;

impl SaDriver for Nothing {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            name: "nothing",
            ah: false,
            transport: false,
            udp_encapsulation: false,
            link_local: false,
            owns_encapsulation: false,
            description: String::new(),
        }
    }

    fn supports(&mut self, _offer: &QuickModeOffer, _mode: Mode) -> Result<(), String> {
        Ok(())
    }

    fn submit(&mut self, ask: AskId, operation: SaOp) {
        panic!("{ask}: {operation:?} without a driver");
    }

    fn poll_message(&mut self, _: &mut Context<'_>) -> Poll<DriverMessage> {
        Poll::Pending
    }
}
