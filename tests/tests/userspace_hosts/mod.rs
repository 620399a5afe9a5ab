//! Hosts that run the userspace driver, each served by a thread that stands for the engine and the listener.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::sync::{Arc, Condvar, Mutex};
use std::task::{Context, Poll, Waker};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use ikecore::ids::{AskId, IpsecSaId, Spi};
use ikecore::policy::selector::{Prefix, Selector};
use ikecore::proposal::suite::{EspCipher, Integrity, IpsecSuite, Lifetime, Mode, Protocols};
use ikecore::sa::driver::{
    Direction, SaAnswer, SaOp, SaPair, SaSpec, TrafficAction, TrafficPolicy, UdpEncapsulation, Usage,
};
use ikecore::secret::Secret;
use ikedaemon::driver::userspace::UserspaceDriver;
use ikedaemon::driver::{DriverMessage, SaDriver as _};
use tests::netns::{A, B, Namespace, World};

/// Whether ESP travels in UDP.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Encapsulated {
    No,
    Yes,
}

/// A suite with one pass over the data, and one with two.
pub(crate) const FAST_AND_SLOW: [IpsecSuite; 2] = [
    IpsecSuite::Esp { cipher: EspCipher::Aes128Gcm16, integrity: None },
    IpsecSuite::Esp { cipher: EspCipher::Aes128Cbc, integrity: Some(Integrity::HmacSha1_96) },
];

/// What two hosts protect, seen from one of them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Link {
    pub(crate) ends: (IpAddr, IpAddr),
    pub(crate) local: Prefix,
    pub(crate) remote: Prefix,
    pub(crate) mode: Mode,
    pub(crate) encapsulated: Encapsulated,
    pub(crate) protocol: u8,
    pub(crate) reqid: u32,
    pub(crate) soft: Lifetime,
    pub(crate) hard: Lifetime,
    /// Of what this host receives, and of what the other does.
    pub(crate) spis: (u32, u32),
}

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

impl Link {
    /// Between two addresses.
    pub(crate) fn hosts(local: &str, remote: &str, mode: Mode) -> Self {
        let (local, remote) = (ip(local), ip(remote));
        Self {
            ends: (local, remote),
            local: Prefix::host(local),
            remote: Prefix::host(remote),
            mode,
            encapsulated: Encapsulated::No,
            protocol: 0,
            reqid: 77,
            soft: Lifetime::default(),
            hard: Lifetime::default(),
            spis: (0x1001, 0x2002),
        }
    }

    /// A tunnel between two addresses for one address behind each.
    pub(crate) fn nets(ends: (&str, &str), inside: (&str, &str)) -> Self {
        let link = Self::hosts(ends.0, ends.1, Mode::Tunnel);
        Self { local: Prefix::host(ip(inside.0)), remote: Prefix::host(ip(inside.1)), ..link }
    }

    /// As the other host sees it.
    pub(crate) fn turned(&self) -> Self {
        Self {
            ends: (self.ends.1, self.ends.0),
            local: self.remote,
            remote: self.local,
            spis: (self.spis.1, self.spis.0),
            ..*self
        }
    }

    pub(crate) fn selector(&self) -> Selector {
        Selector { protocol: self.protocol, ..Selector::between(self.local, self.remote) }
    }

    pub(crate) fn policy(&self) -> TrafficPolicy {
        let endpoints = (self.mode == Mode::Tunnel).then_some(self.ends);
        let action = TrafficAction::Protect {
            protocols: Protocols::ESP,
            mode: self.mode,
            endpoints,
            inbound_passthrough: false,
        };
        TrafficPolicy { selector: self.selector(), action, priority: 1000, reqid: self.reqid }
    }

    fn spec(&self, direction: Direction, suite: IpsecSuite) -> SaSpec {
        let (spi, source, destination) = match direction {
            Direction::Inbound => (self.spis.0, self.ends.1, self.ends.0),
            Direction::Outbound => (self.spis.1, self.ends.0, self.ends.1),
        };
        let low = u8::try_from(spi & 0xff).expect("an octet");
        SaSpec {
            direction,
            spi: Spi(spi),
            suite,
            mode: self.mode,
            source,
            destination,
            scope: ikecore::address::Scope::ANY,
            selector: self.selector(),
            encapsulation: (self.encapsulated == Encapsulated::Yes)
                .then_some(UdpEncapsulation { source_port: 4500, destination_port: 4500 }),
            encryption_key: Secret::new(vec![low; suite.encryption_key_len()]),
            integrity_key: Secret::new(vec![low ^ 0x55; suite.integrity_key_len()]),
            cpi: None,
            outer: None,
            reqid: self.reqid,
            replay_window: 64,
            extended_sequence_numbers: false,
            soft: self.soft,
            hard: self.hard,
        }
    }

    pub(crate) fn pair(&self, id: u64) -> SaPair {
        self.pair_of(id, FAST_AND_SLOW[1])
    }

    pub(crate) fn pair_of(&self, id: u64, suite: IpsecSuite) -> SaPair {
        SaPair {
            id: IpsecSaId(id),
            inbound: self.spec(Direction::Inbound, suite),
            outbound: self.spec(Direction::Outbound, suite),
            policy: self.policy(),
        }
    }
}

enum Job {
    Operate(SaOp),
    Prepare(UdpSocket),
    SendFrom(UdpSocket),
}

#[derive(Default)]
struct Shared {
    jobs: VecDeque<Job>,
    messages: Vec<DriverMessage>,
    answers: Vec<SaAnswer>,
    prepared: usize,
    stop: bool,
}

/// A host with the driver.
pub(crate) struct Host<'a> {
    namespace: &'a Namespace,
    shared: Arc<(Mutex<Shared>, Condvar)>,
    thread: Option<JoinHandle<()>>,
}

/// Both hosts of a world, with the policy of `link`.
pub(crate) fn both<'a>(world: &'a World, link: &Link) -> (Host<'a>, Host<'a>) {
    let hosts = (Host::new(&world.a), Host::new(&world.b));
    hosts.0.set_policies(&[link.policy()]);
    hosts.1.set_policies(&[link.turned().policy()]);
    hosts
}

impl<'a> Host<'a> {
    /// Starts the driver, and sockets of port 4500.
    pub(crate) fn new(namespace: &'a Namespace) -> Self {
        let mut driver =
            namespace.within(UserspaceDriver::open).unwrap_or_else(|e| panic!("{}: {e}", namespace.name()));
        let sockets = ["0.0.0.0:4500", "[::]:4500"].map(|address| Self::socket(namespace, address));
        for socket in &sockets {
            let ipv6 = socket.local_addr().expect("it is bound").is_ipv6();
            driver.prepare_socket(socket.as_fd(), ipv6, true).expect("a socket is prepared");
            socket.set_nonblocking(true).expect("a socket");
        }
        let shared = Arc::new((Mutex::new(Shared::default()), Condvar::new()));
        let own = Arc::clone(&shared);
        let thread = std::thread::spawn(move || serve(driver, sockets, &own));
        Self { namespace, shared, thread: Some(thread) }
    }

    /// A socket of the namespace; an IPv6 one is for IPv6 only.
    pub(crate) fn socket(namespace: &Namespace, address: &str) -> UdpSocket {
        let address: SocketAddr = address.parse().expect("an address");
        namespace.within(move || {
            use nix::sys::socket::{
                AddressFamily, SockFlag, SockType, SockaddrStorage, bind, setsockopt, socket, sockopt,
            };
            let family = if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
            let socket = socket(family, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None).expect("a socket");
            if address.is_ipv6() {
                setsockopt(&socket, sockopt::Ipv6V6Only, &true).expect("an option");
            }
            bind(socket.as_raw_fd(), &SockaddrStorage::from(address)).expect("a free port");
            socket.into()
        })
    }

    /// Sends one ESP packet, as it is.
    pub(crate) fn send_raw(namespace: &Namespace, to: IpAddr, packet: &[u8]) {
        let packet = packet.to_vec();
        namespace.within(move || {
            use nix::sys::socket::{
                AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrStorage, sendto, socket,
            };
            let socket = socket(AddressFamily::Inet, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::Raw)
                .expect("a raw socket");
            // IPPROTO_RAW wants the IP header; the kernel fills source, identification and checksum in.
            let IpAddr::V4(v4) = to else { panic!("IPv4 only") };
            let mut octets = vec![0x45, 0, 0, 0, 0, 0, 0, 0, 64, 50, 0, 0, 0, 0, 0, 0];
            octets.extend(v4.octets());
            octets.extend(packet);
            let to = SockaddrStorage::from(SocketAddr::new(to, 0));
            sendto(socket.as_raw_fd(), &octets, &to, MsgFlags::empty()).expect("it is sent");
        });
    }

    fn push(&self, job: Job) {
        self.shared.0.lock().expect("no panic").jobs.push_back(job);
    }

    fn until<T>(&self, patience: Duration, mut look: impl FnMut(&mut Shared) -> Option<T>) -> T {
        let end = Instant::now() + patience;
        let mut shared = self.shared.0.lock().expect("no panic");
        loop {
            if let Some(found) = look(&mut shared) {
                return found;
            }
            let left = end.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "{}: nothing came; messages: {:?}", self.namespace.name(), shared.messages);
            shared = self.shared.1.wait_timeout(shared, left).expect("no panic").0;
        }
    }

    /// Does one operation.
    pub(crate) fn operate(&self, operation: SaOp) -> SaAnswer {
        self.push(Job::Operate(operation));
        self.until(Duration::from_secs(5), |shared| shared.answers.pop())
    }

    /// Installs a pair; the answer is that of the last step that was taken.
    pub(crate) fn install(&self, pair: SaPair) -> SaAnswer {
        let [inbound, outbound] = pair.steps();
        match self.operate(inbound) {
            SaAnswer::Done(Ok(())) => self.operate(outbound),
            refused => refused,
        }
    }

    pub(crate) fn set_policies(&self, policies: &[TrafficPolicy]) {
        match self.operate(SaOp::SetPolicies(policies.to_vec())) {
            SaAnswer::Done(Ok(())) => {}
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn usage(&self, id: u64) -> Usage {
        match self.operate(SaOp::Query(IpsecSaId(id))) {
            SaAnswer::Usage(Ok(usage)) => usage,
            other => panic!("{other:?}"),
        }
    }

    /// Waits for a message, and takes it.
    pub(crate) fn wait<T>(&self, patience: Duration, mut look: impl FnMut(&DriverMessage) -> Option<T>) -> T {
        self.until(patience, |shared| {
            let (at, found) =
                shared.messages.iter().enumerate().find_map(|(at, message)| Some((at, look(message)?)))?;
            shared.messages.remove(at);
            Some(found)
        })
    }

    /// True if there was no such message.
    pub(crate) fn none(&self, look: impl Fn(&DriverMessage) -> bool) -> bool {
        !self.shared.0.lock().expect("no panic").messages.iter().any(look)
    }

    /// Exempts a socket.
    pub(crate) fn prepare(&self, socket: &UdpSocket) {
        self.push(Job::Prepare(socket.try_clone().expect("a socket")));
        self.until(Duration::from_secs(5), |shared| (shared.prepared > 0).then_some(()));
    }

    /// Sends ESP in UDP over IPv4 from another port, as if a NAT had moved it; also takes what comes there.
    pub(crate) fn send_from(&self, port: u16) {
        let socket = Self::socket(self.namespace, &format!("0.0.0.0:{port}"));
        socket.set_nonblocking(true).expect("a socket");
        self.push(Job::SendFrom(socket));
    }
}

impl Drop for Host<'_> {
    fn drop(&mut self) {
        self.shared.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).stop = true;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// What an engine and a listener do.
fn serve(mut driver: UserspaceDriver, mut sockets: [UdpSocket; 2], shared: &(Mutex<Shared>, Condvar)) {
    let mut asks = 0;
    let mut room = vec![0; 1 << 16];
    loop {
        let mut busy = false;
        let jobs = {
            let mut shared = shared.0.lock().expect("no panic");
            if shared.stop {
                return;
            }
            std::mem::take(&mut shared.jobs)
        };
        for job in jobs {
            match job {
                Job::Operate(operation) => {
                    asks += 1;
                    driver.submit(AskId(asks), operation);
                }
                Job::Prepare(socket) => {
                    let ipv6 = socket.local_addr().expect("it is bound").is_ipv6();
                    driver.prepare_socket(socket.as_fd(), ipv6, false).expect("a socket is prepared");
                    shared.0.lock().expect("no panic").prepared += 1;
                }
                Job::SendFrom(socket) => {
                    driver.prepare_socket(socket.as_fd(), false, true).expect("a socket is prepared");
                    sockets[0] = socket;
                }
            }
        }
        while let Poll::Ready(message) = driver.poll_message(&mut Context::from_waker(Waker::noop())) {
            busy = true;
            let mut shared_now = shared.0.lock().expect("no panic");
            match message {
                DriverMessage::Answer(ask, answer) => {
                    assert_eq!(ask, AskId(asks));
                    shared_now.answers.push(answer);
                }
                DriverMessage::SendEncapsulated { remote, packet, .. } => {
                    let socket = &sockets[usize::from(remote.is_ipv6())];
                    let _ = socket.send_to(&packet, remote);
                }
                other => shared_now.messages.push(other),
            }
            shared.1.notify_all();
        }
        for socket in &sockets {
            while let Ok((read, remote)) = socket.recv_from(&mut room) {
                busy = true;
                // There is one address of each family on the wire, and the peer has the other.
                let local = match remote.ip() {
                    peer if peer == ip(A.wire) => B.wire,
                    peer if peer == ip(B.wire) => A.wire,
                    peer if peer == ip(A.wire6) => B.wire6,
                    _ => A.wire6,
                };
                driver.receive_encapsulated(SocketAddr::new(ip(local), 4500), remote, &room[..read]);
            }
        }
        if !busy {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}
