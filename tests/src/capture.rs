//! What crosses the wire: packet sockets at both ends.

use std::net::IpAddr;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::net::if_::if_nametoindex;
use nix::sys::socket::{
    AddressFamily, LinkAddr, SockFlag, SockProtocol, SockType, recvfrom, setsockopt, socket, sockopt,
};
use nix::sys::time::{TimeVal, TimeValLike as _};

use crate::netns::{Namespace, WIRE, World};
use crate::process::wait_until;

/// `PACKET_OUTGOING`: the type of a packet that this end sends.
const OUTGOING: u8 = 4;

/// How long a socket without packets is waited for before its thread looks whether it shall end.
const STEP_MILLISECONDS: i64 = 50;

/// Larger than any packet on the wire, segmentation offload included.
const LARGEST: usize = 1 << 17;

/// What a packet is, seen from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// IKE: UDP port 500, or port 4500 with the non-ESP marker.
    Ike,
    /// ESP directly in IP.
    Esp,
    /// ESP in UDP port 4500.
    EspInUdp,
    /// NAT keep-alive.
    KeepAlive,
    /// AH.
    Ah,
    /// L2TP in clear text: UDP port 1701.
    L2tp,
    /// An echo request or reply in clear text.
    Echo,
    /// Anything else, such as neighbour discovery.
    Other,
}

/// A captured IP packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet {
    /// When it was sent.
    pub time: Instant,
    /// What it is.
    pub kind: Kind,
    /// Source address.
    pub source: IpAddr,
    /// Destination address.
    pub destination: IpAddr,
    /// The octets after the IP header, and after the UDP header where there is one.
    pub payload: Vec<u8>,
}

/// A running capture of the wire.
///
/// At each end it takes what that end sends: an end that receives shows, after the ESP packet, also the packet that
/// the kernel took out of it, which was never on the wire.
#[derive(Debug)]
pub struct Capture {
    packets: Arc<Mutex<Vec<Packet>>>,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Capture {
    /// Starts to capture; what is sent after the return is in it.
    pub fn start(world: &World) -> Self {
        let packets = Arc::new(Mutex::new(Vec::new()));
        let stop = Arc::new(AtomicBool::new(false));
        let threads = [&world.a, &world.b]
            .map(|namespace| {
                let (fd, interface) = open(namespace);
                let (packets, stop) = (Arc::clone(&packets), Arc::clone(&stop));
                std::thread::spawn(move || follow(&fd, interface, &packets, &stop))
            })
            .into();
        Self { packets, stop, threads }
    }

    /// The packets captured so far, in order of time.
    pub fn packets(&self) -> Vec<Packet> {
        let mut all = self.packets.lock().expect("no thread panics with the lock").clone();
        all.sort_by_key(|packet| packet.time);
        all
    }

    /// How many packets of `kind` there are so far.
    pub fn count(&self, kind: Kind) -> usize {
        count(&self.packets(), kind)
    }

    /// The pings that crossed the wire in clear and should not have. A peer may take its inbound SA into use before it
    /// protects the way back: a reply of its host in between goes in clear, and is its own affair. So these are those from
    /// the addresses `own`, and from others those after `settled`, since when the peer protects its side, too.
    pub fn in_clear(&self, own: &[&str], settled: Option<Instant>) -> Vec<Packet> {
        let echoes = self.packets().into_iter().filter(|packet| packet.kind == Kind::Echo);
        let own = |packet: &Packet| own.contains(&packet.source.to_string().as_str());
        echoes.filter(|packet| own(packet) || settled.is_some_and(|settled| packet.time > settled)).collect()
    }

    /// Waits until there are at least `count` packets of `kind`; false when `patience` is over first.
    pub fn wait_count(&self, kind: Kind, count: usize, patience: Duration) -> bool {
        wait_until(patience, || self.count(kind) >= count)
    }

    /// Ends the capture and returns all packets.
    pub fn finish(mut self) -> Vec<Packet> {
        self.end();
        self.packets()
    }

    fn end(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        self.end();
    }
}

/// How many of `packets` are of `kind`.
pub fn count(packets: &[Packet], kind: Kind) -> usize {
    packets.iter().filter(|packet| packet.kind == kind).count()
}

/// A packet socket in `namespace`, and the number of the interface to look at.
fn open(namespace: &Namespace) -> (OwnedFd, usize) {
    let opened = namespace.within(|| {
        let interface = if_nametoindex(WIRE)?;
        let fd = socket(AddressFamily::Packet, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::EthAll)?;
        setsockopt(&fd, sockopt::ReceiveTimeout, &TimeVal::milliseconds(STEP_MILLISECONDS))?;
        Ok::<_, Errno>((fd, interface as usize))
    });
    opened.unwrap_or_else(|e| panic!("{}: cannot open a packet socket: {e}", namespace.name()))
}

/// Collects packets until `stop` is set and the socket has no more.
fn follow(fd: &OwnedFd, interface: usize, packets: &Mutex<Vec<Packet>>, stop: &AtomicBool) {
    let mut buffer = vec![0; LARGEST];
    loop {
        // Before the read: what was sent before the order to stop is in the socket and still read.
        let last = stop.load(Ordering::Relaxed);
        match recvfrom::<LinkAddr>(fd.as_raw_fd(), &mut buffer) {
            Ok((length, Some(from))) if from.ifindex() == interface && from.pkttype() == OUTGOING => {
                let found = packet(Instant::now(), &buffer[..length]);
                packets.lock().expect("no thread panics with the lock").extend(found);
            }
            Ok(_) | Err(Errno::EINTR) => {}
            Err(Errno::EAGAIN) if !last => {}
            Err(_) => return,
        }
    }
}

/// Takes an Ethernet frame apart; `None` when it is not a whole IP packet.
fn packet(time: Instant, frame: &[u8]) -> Option<Packet> {
    let (ethernet, ip) = frame.split_at_checked(14)?;
    let (protocol, source, destination, payload): (u8, IpAddr, IpAddr, &[u8]) = match ethernet[12..] {
        [0x08, 0x00] => {
            let header = usize::from(ip.first()? & 0x0f) * 4;
            let total = usize::from(u16::from_be_bytes(ip.get(2..4)?.try_into().ok()?));
            let source: [u8; 4] = ip.get(12..16)?.try_into().ok()?;
            let destination: [u8; 4] = ip.get(16..20)?.try_into().ok()?;
            (*ip.get(9)?, source.into(), destination.into(), ip.get(header..total)?)
        }
        [0x86, 0xdd] => {
            let total = 40 + usize::from(u16::from_be_bytes(ip.get(4..6)?.try_into().ok()?));
            let source: [u8; 16] = ip.get(8..24)?.try_into().ok()?;
            let destination: [u8; 16] = ip.get(24..40)?.try_into().ok()?;
            (*ip.get(6)?, source.into(), destination.into(), ip.get(40..total)?)
        }
        _ => return None,
    };
    let (kind, payload) = classify(protocol, payload)?;
    Some(Packet { time, kind, source, destination, payload: payload.to_vec() })
}

fn classify(protocol: u8, payload: &[u8]) -> Option<(Kind, &[u8])> {
    let kind = match (protocol, payload) {
        (17, _) => {
            let (ports, data) = payload.split_at_checked(8)?;
            let port = |at: usize| u16::from_be_bytes([ports[at], ports[at + 1]]);
            let kind = match (port(0), port(2), data) {
                (500, ..) | (_, 500, _) => Kind::Ike,
                (4500, _, [0, 0, 0, 0, ..]) | (_, 4500, [0, 0, 0, 0, ..]) => Kind::Ike,
                (4500, _, [0xff]) | (_, 4500, [0xff]) => Kind::KeepAlive,
                (4500, ..) | (_, 4500, _) => Kind::EspInUdp,
                (1701, ..) | (_, 1701, _) => Kind::L2tp,
                _ => Kind::Other,
            };
            return Some((kind, data));
        }
        (50, _) => Kind::Esp,
        (51, _) => Kind::Ah,
        (1, [0 | 8, ..]) | (58, [128 | 129, ..]) => Kind::Echo,
        _ => Kind::Other,
    };
    Some((kind, payload))
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::{Kind, classify, packet};

    #[test]
    fn packets_are_told_apart() {
        let udp = |from: u16, to: u16, data: &[u8]| {
            let mut datagram = Vec::new();
            datagram.extend(from.to_be_bytes());
            datagram.extend(to.to_be_bytes());
            datagram.extend([0; 4]);
            datagram.extend(data);
            datagram
        };
        for (protocol, payload, kind) in [
            (17, udp(500, 500, &[1; 28]), Kind::Ike),
            (17, udp(4500, 30_000, &[0, 0, 0, 0, 1]), Kind::Ike),
            (17, udp(30_000, 4500, &[0xff]), Kind::KeepAlive),
            (17, udp(4500, 4500, &[0, 0, 1, 0, 1]), Kind::EspInUdp),
            (17, udp(30_000, 1701, &[0xc8, 2, 0, 12]), Kind::L2tp),
            (17, udp(53, 1024, &[0; 12]), Kind::Other),
            (50, vec![0; 40], Kind::Esp),
            (51, vec![0; 40], Kind::Ah),
            (1, vec![8, 0], Kind::Echo),
            (58, vec![129, 0], Kind::Echo),
            (58, vec![135, 0], Kind::Other),
        ] {
            assert_eq!(classify(protocol, &payload).map(|(kind, _)| kind), Some(kind), "{protocol} {payload:?}");
        }
        assert_eq!(classify(17, &[0; 7]), None);
    }

    #[test]
    fn a_frame_is_taken_apart_without_its_padding() {
        let mut frame = vec![0; 12];
        frame.extend([0x08, 0x00, 0x45, 0, 0, 24, 0, 0, 0, 0, 64, 50, 0, 0, 10, 9, 0, 1, 10, 9, 0, 2]);
        frame.extend([1, 2, 3, 4, 0, 0]);
        let found = packet(Instant::now(), &frame).expect("an IPv4 packet");
        assert_eq!((found.kind, found.payload.as_slice()), (Kind::Esp, [1, 2, 3, 4].as_slice()));
        assert_eq!(found.destination.to_string(), "10.9.0.2");
        assert!((0..frame.len() - 2).all(|end| packet(Instant::now(), &frame[..end]).is_none()), "cut short");
    }
}
