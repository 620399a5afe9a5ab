//! Load on a responder: clients that negotiate one SA after another, and floods of datagrams that lead to nothing.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use ikecore::crypto::group::Group;
use ikecore::endpoint::{Command, Config, Input};
use ikecore::event::{EventKind, IkeSaEvent};
use ikecore::fuzzing::seeds;
use ikecore::rng::SecureRandom as _;
use ikecore::testing::SeededRandom;
use ikecore::testing::host::Host;
use ikecore::testing::policy::TestPolicy;
use ikecore::time::Time;

use crate::netns::Namespace;

/// The exchange type in an ISAKMP header, and quick mode's.
const EXCHANGE_AT: usize = 18;
const QUICK_MODE: u8 = 32;

/// How far a client negotiates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// Main mode only: its quick mode is never sent.
    MainMode,
    /// Main mode and quick mode.
    QuickMode,
}

/// An initiator with a socket of its own; its IPsec SAs exist only in its memory.
pub struct Client {
    host: Host,
    socket: UdpSocket,
    local: SocketAddr,
    peer: IpAddr,
    extent: Extent,
    origin: Instant,
}

impl Client {
    /// A client with the address `local`, which must be one of `namespace`, for the responder `peer` with the key and
    /// algorithms of [`Policy::between`](crate::policy_text::Policy::between).
    pub fn new(namespace: &Namespace, local: IpAddr, peer: IpAddr, group: Group, extent: Extent) -> Self {
        let mut policy = TestPolicy::new(local, peer);
        policy.main_mode[0].group = group;
        let local = SocketAddr::new(local, 500);
        let socket = namespace.within(move || UdpSocket::bind(local)).unwrap_or_else(|e| panic!("{local}: {e}"));
        let config = Config { initial_contact: false, ..Config::default() };
        let seed = u64::from(std::process::id()) << 32 | u64::from(rand_octet(local.ip()));
        let host = Host::new(config, seed, policy.database());
        Self { host, socket, local, peer, extent, origin: Instant::now() }
    }

    /// Its first message of a main mode, as [`Flood`] wants it; the main mode is given up.
    pub fn first_message(&mut self) -> Vec<u8> {
        let now = self.now();
        self.host.command(now, Command::InitiateRule { rule: "rule".to_owned(), peer: None });
        let first = self.host.sent.pop_front().expect("a first message");
        self.end();
        first.octets.to_vec()
    }

    fn now(&self) -> Time {
        Time::from_secs(1) + self.origin.elapsed()
    }

    fn send(&mut self) {
        while let Some(sent) = self.host.sent.pop_front() {
            let wanted = self.extent == Extent::QuickMode || sent.octets.get(EXCHANGE_AT) != Some(&QUICK_MODE);
            if wanted {
                // What the network does not take is repeated as if it were lost.
                let _ = self.socket.send_to(&sent.octets, sent.remote);
            }
        }
    }

    fn is_done(&self) -> bool {
        match self.extent {
            Extent::QuickMode => !self.host.driver.pairs.is_empty(),
            Extent::MainMode => self
                .host
                .events
                .iter()
                .any(|event| matches!(event.kind, EventKind::IkeSa(IkeSaEvent::Established { .. }))),
        }
    }

    /// Negotiates and returns how long it took; `None` when it fails or `patience` is over first.
    pub fn negotiate(&mut self, patience: Duration) -> Option<Duration> {
        let start = Instant::now();
        let now = self.now();
        self.host.events.clear();
        self.host.command(now, Command::InitiateRule { rule: "rule".to_owned(), peer: None });
        let mut buffer = vec![0; 4096];
        loop {
            self.send();
            if self.is_done() {
                return Some(start.elapsed());
            }
            if start.elapsed() > patience || !self.host.failures().is_empty() {
                return None;
            }
            let wait = self.host.wake.map_or(patience, |wake| wake.since(self.now())).max(Duration::from_millis(1));
            self.socket.set_read_timeout(Some(wait.min(patience))).expect("a time above zero");
            match self.socket.recv_from(&mut buffer) {
                Ok((len, from)) => {
                    let (now, local) = (self.now(), self.local);
                    self.host.receive(now, local, from, &buffer[..len]);
                }
                Err(_) => {
                    let now = self.now();
                    self.host.feed(now, Input::Timeout);
                }
            }
        }
    }

    /// Ends whatever stands between the two, and tells the peer.
    pub fn end(&mut self) {
        let (now, peer) = (self.now(), self.peer);
        self.host.command(now, Command::DeletePeer(peer.into()));
        self.send();
        self.host.events.clear();
    }
}

/// Different for the clients of one test.
fn rand_octet(address: IpAddr) -> u32 {
    match address {
        IpAddr::V4(v4) => v4.to_bits(),
        IpAddr::V6(v6) => v6.to_bits() as u32,
    }
}

/// What a flood consists of.
#[derive(Debug, Clone)]
pub enum Flow {
    /// This first message of a main mode, each time with another cookie.
    FirstMessages(Vec<u8>),
    /// Noise, cut and changed messages of every kind, forged headers, ESP and keepalives.
    Garbage,
}

/// Datagrams to one responder from many addresses and ports, until dropped.
pub struct Flood {
    stop: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl Flood {
    /// Sends about `rate` datagrams a second from the sockets of `from`, in turn, to `to`.
    pub fn start(from: Vec<UdpSocket>, to: IpAddr, flow: Flow, rate: u32) -> Self {
        let (stop, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (stopped, count) = (Arc::clone(&stop), Arc::clone(&sent));
        let thread = std::thread::spawn(move || {
            let mut random = SeededRandom::new(4_711);
            let seeds: Vec<Vec<u8>> = seeds().into_iter().map(|seed| seed.datagram).collect();
            let start = Instant::now();
            for (number, socket) in from.iter().cycle().enumerate() {
                let due = Duration::from_secs_f64(number as f64 / f64::from(rate));
                std::thread::sleep(due.saturating_sub(start.elapsed()));
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
                let (datagram, port) = match &flow {
                    Flow::FirstMessages(first) => (with_cookie(first, &mut random), 500),
                    Flow::Garbage => garbage(&seeds, number, &mut random),
                };
                let _ = socket.send_to(&datagram, SocketAddr::new(to, port));
                count.fetch_add(1, Ordering::Relaxed);
            }
        });
        Self { stop, sent, thread: Some(thread) }
    }

    /// How many it has sent.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn octets<const N: usize>(random: &mut SeededRandom) -> [u8; N] {
    let mut octets = [0; N];
    random.fill(&mut octets).expect("it never fails");
    octets
}

fn with_cookie(message: &[u8], random: &mut SeededRandom) -> Vec<u8> {
    let mut message = message.to_vec();
    message[..8].copy_from_slice(&octets::<8>(random));
    message
}

/// The datagram of a number, and the port that it goes to.
fn garbage(seeds: &[Vec<u8>], number: usize, random: &mut SeededRandom) -> (Vec<u8>, u16) {
    let [choice, place, value, port] = octets::<4>(random);
    let mut datagram = seeds[number % seeds.len()].clone();
    match choice % 6 {
        0 => datagram = octets::<64>(random)[..usize::from(value % 64)].to_vec(),
        1 => datagram.truncate(usize::from(place)),
        2 => {
            let at = usize::from(place) % datagram.len();
            datagram[at] = value;
        }
        // Valid, of an exchange that does not exist.
        3 => datagram = with_cookie(&datagram, random),
        // "Encrypted".
        4 => {
            datagram[19] = 1;
            let text = octets::<64>(random);
            let room = datagram.len().min(28 + 64) - 28;
            datagram[28..28 + room].copy_from_slice(&text[..room]);
        }
        _ => {}
    }
    if port % 4 != 0 {
        return (datagram, 500);
    }
    // To the port of NAT traversal: IKE behind the marker, ESP, a keepalive.
    match value % 3 {
        0 => datagram = vec![0xff],
        1 => datagram.splice(0..0, [0; 4]).for_each(drop),
        _ => {}
    }
    (datagram, 4500)
}

/// Sockets with `count` different addresses of the `/16` that begins with `net`, all of which the namespace is made to
/// own.
pub fn sockets(namespace: &Namespace, net: [u8; 2], count: u16) -> Vec<UdpSocket> {
    let [first, second] = net;
    namespace.ip(&[&format!("route add local {first}.{second}.0.0/16 dev lo")]);
    namespace.within(move || {
        let address = |number: u16| {
            let [high, low] = (number + 1).to_be_bytes();
            SocketAddr::from(([first, second, high, low], 0))
        };
        (0..count)
            .map(|number| {
                let socket = UdpSocket::bind(address(number)).unwrap_or_else(|e| panic!("{}: {e}", address(number)));
                socket.set_nonblocking(true).expect("a socket can be nonblocking");
                socket
            })
            .collect()
    })
}
