//! Our own ESP and AH, with IPComp inside where it was agreed on, over a TUN device, for machines whose kernel has none.
//!
//! # How packets travel
//!
//! A rule, `not fwmark MARK lookup TABLE` with priority [`PRIORITY`], has the kernel look into a table of its own first.
//! The table leads each policy's remote addresses to the TUN device; what it does not name is routed as ever. The
//! driver reads a packet from the device, finds its policy, and sends it on by a raw socket: as ESP or AH, or, where no
//! policy or one that permits matches, as it is. These sockets carry the mark, so that their packets take the host's
//! own routes and never come back; [`SaDriver::prepare_socket`] gives it to the sockets of IKE. ESP and AH that arrive are
//! read from raw sockets of protocols 50 and 51, and ESP in UDP comes by [`SaDriver::receive_encapsulated`]. What they held
//! is written to the device; those of IPv6 for this host itself go by a marked raw socket to the loopback device.
//!
//! # What is enforced, and what is not
//!
//! - Outgoing: what a policy names enters the device and is protected, held or dropped. If the device or a route is lost,
//!   or a socket is bound to another device, a second route that prohibits takes over for blocks that nothing permits
//!   and whose policies name no protocol. Packets of packet sockets, and of sockets with the same mark, pass by.
//! - Arriving in clear: where the kernel has XFRM policies (which work without ESP), they refuse packets for this host
//!   that should have been protected, and over IPv4 also those that it would forward. IPv6 packets that it would
//!   forward are not refused; nor is anything in a kernel without XFRM: [`Capabilities::description`] says so.
//!   Neighbour discovery is always accepted. Kernels check packets when they are given to a socket: what other programs
//!   capture shows them all the same.
//! - Policies for link-local addresses of IPv6 are refused: what a socket sends to one leaves by the device of its scope,
//!   whatever the routes say. Traffic between them, and to multicast or broadcast addresses, is neither protected nor refused;
//!   nor is what this host sends to itself.
//! - A strict reverse path filter would drop what peers send; if any interface has one, `conf/all/rp_filter` becomes 2
//!   (loose) while the driver runs.
//! - Routes are laid anew every few seconds, in case an address or the device's state took them away.
//! - The device's MTU is [`TUN_MTU`]. A protected packet that is still too long for its link, as the longest are with AH
//!   around ESP, is fragmented, whatever the packet in it says of that. Routers' complaints about the length of protected
//!   packets are not passed on.
//! - Options and extension headers of a packet are covered by AH and checked; what is given out in transport mode has none.
//! - One driver at a time can run in a network namespace: each start removes what carries the table, the rule's
//!   priority or the policies' priorities.
mod ah;
pub mod checksum;
mod device;
pub mod esp;
mod filter;
mod fragment;
mod fuzzing;
mod hold;
mod ipcomp;
mod packet;
mod plane;
mod reassembly;
mod replay;
mod routing;
mod sa;
mod spd;
mod worker;

#[cfg(test)]
mod vectors_tests;

pub use fuzzing::fuzz_esp;

use super::{Capabilities, DriverMessage, Drops, SaDriver, trial};
use bytes::Bytes;
use ikecore::ids::AskId;
use ikecore::proposal::offer::QuickModeOffer;
use ikecore::proposal::suite::Mode;
use ikecore::rng::{RngError, SecureRandom};
use ikecore::sa::driver::SaOp;
use ikecore::time::Time;
use ring::rand::SecureRandom as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::thread::JoinHandle;
use tokio::sync::mpsc;
use worker::{Channels, Encapsulated, Parts, Request};

/// The driver's name.
const NAME: &str = "userspace";
/// The devices' names: the lowest number that is free.
const DEVICE: &str = "pa%d";
/// The mark of packets that must not enter the device (again).
pub const MARK: u32 = 0x5041_4f55;
/// The mark of decrypted packets that are given to this host.
const INJECTED_MARK: u32 = 0x5041_494e;
/// The number of the routing table.
pub const TABLE: u32 = 0x5041;
/// The priority of the rule that leads to it: after the table `local`, before `main`.
pub const PRIORITY: u32 = 5041;
/// The priorities of the kernel's policies that refuse clear text.
const XFRM_PRIORITIES: std::ops::RangeInclusive<u32> = 0x5041_0000..=0x5041_ffff;
/// The MTU of the device in octets: 1500 without the headers of IPv6, UDP and ESP, an IV of 16, padding of 17 and an
/// ICV of 32.
pub const TUN_MTU: u32 = (1500 - (40 + 8 + 8 + 16 + 17 + 32)) & !3;
/// Packets of ESP in UDP that wait in each direction.
const QUEUE: usize = 512;

/// The system's randomness.
struct SystemRandom(ring::rand::SystemRandom);

impl SecureRandom for SystemRandom {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), RngError> {
        self.0.fill(out).map_err(|ring::error::Unspecified| RngError)
    }
}

/// The driver: a handle of the thread that does the work. Dropping it removes all that it changed in the kernel.
pub struct UserspaceDriver {
    capabilities: Capabilities,
    requests: Option<mpsc::UnboundedSender<Request>>,
    encapsulated: Option<mpsc::Sender<Encapsulated>>,
    messages: mpsc::UnboundedReceiver<DriverMessage>,
    outgoing: mpsc::Receiver<DriverMessage>,
    thread: Option<JoinHandle<()>>,
    /// The loss of the thread was told.
    lost: bool,
    dropped: Arc<plane::Dropped>,
}

/// What the driver could do here; the error says what is missing. Makes a device and removes it again, but changes no
/// routes.
pub fn probe() -> Result<Capabilities, String> {
    let tun = device::Tun::open()?;
    let sockets = device::RawSockets::open()?;
    let filters = crate::netlink::Netlink::open(netlink_sys::protocols::NETLINK_XFRM).is_ok();
    Ok(capabilities(&tun.name, sockets.has_ipv6(), filters))
}

fn capabilities(device: &str, ipv6: bool, filters: bool) -> Capabilities {
    let families = if ipv6 { "IPv4 and IPv6" } else { "IPv4 only" };
    let clear = if filters { "refused" } else { "NOT refused: the kernel has no XFRM policies" };
    Capabilities {
        name: NAME,
        ah: true,
        transport: true,
        udp_encapsulation: true,
        link_local: false,
        owns_encapsulation: false,
        description: format!(
            "own ESP and AH over TUN device {device}, {families}; clear text where protection is required is {clear}"
        ),
    }
}

impl UserspaceDriver {
    /// Makes the device, the rules and the sockets in the network namespace of the calling thread, after removing what
    /// a crash may have left. The error says what is missing.
    pub fn open() -> Result<Self, String> {
        let tun = device::Tun::open()?;
        let sockets = device::RawSockets::open()?;
        let routing = routing::Routing::new(&tun.name, sockets.has_ipv6())?;
        let filter = filter::Filter::new().ok();
        let capabilities = capabilities(&tun.name, sockets.has_ipv6(), filter.is_some());
        let plane = plane::Plane::new(Box::new(SystemRandom(ring::rand::SystemRandom::new())));
        let dropped = plane.dropped();
        let (request_sender, requests) = mpsc::unbounded_channel();
        let (encapsulated_sender, encapsulated) = mpsc::channel(QUEUE);
        let (messages, message_receiver) = mpsc::unbounded_channel();
        let (outgoing, outgoing_receiver) = mpsc::channel(QUEUE);
        let parts = Parts { plane, routing, filter, tun, sockets };
        let channels = Channels { requests, encapsulated, messages, outgoing };
        let thread = std::thread::Builder::new()
            .name("userspace-esp".to_owned())
            .spawn(move || worker::run(parts, channels))
            .map_err(|error| format!("start the thread of the data path: {error}"))?;
        Ok(Self {
            capabilities,
            requests: Some(request_sender),
            encapsulated: Some(encapsulated_sender),
            messages: message_receiver,
            outgoing: outgoing_receiver,
            thread: Some(thread),
            lost: false,
            dropped,
        })
    }
}

impl SaDriver for UserspaceDriver {
    fn capabilities(&self) -> Capabilities {
        self.capabilities.clone()
    }

    fn supports(&mut self, offer: &QuickModeOffer, mode: Mode) -> Result<(), String> {
        let spec = trial::sa(offer.suite, offer.extended_sequence_numbers, mode, Ipv4Addr::LOCALHOST.into());
        sa::Sa::new(&spec, Time::ZERO).map(drop)
    }

    fn submit(&mut self, ask: AskId, operation: SaOp) {
        if let Some(requests) = &self.requests {
            // If the thread is gone, `poll_message` says so.
            let _ = requests.send(Request::Operation(ask, operation));
        }
    }

    fn poll_message(&mut self, context: &mut Context<'_>) -> Poll<DriverMessage> {
        if let Poll::Ready(Some(message)) = self.messages.poll_recv(context) {
            self.lost |= matches!(message, DriverMessage::Lost(_));
            return Poll::Ready(message);
        }
        if let Poll::Ready(Some(message)) = self.outgoing.poll_recv(context) {
            return Poll::Ready(message);
        }
        if self.messages.is_closed() && !self.lost {
            self.lost = true;
            return Poll::Ready(DriverMessage::Lost(format!("{NAME}: the thread of the data path ended")));
        }
        Poll::Pending
    }

    fn receive_encapsulated(&mut self, local: SocketAddr, remote: SocketAddr, packet: &[u8]) {
        if let Some(encapsulated) = &self.encapsulated {
            // A full queue loses packets, as any network does.
            let _ = encapsulated.try_send(Encapsulated { local, remote, packet: Bytes::copy_from_slice(packet) });
        }
    }

    fn drops(&mut self) -> Drops {
        self.dropped.drops()
    }

    fn prepare_socket(&mut self, socket: BorrowedFd<'_>, ipv6: bool, _encapsulation: bool) -> std::io::Result<()> {
        nix::sys::socket::setsockopt(&socket, nix::sys::socket::sockopt::Mark, &MARK)?;
        filter::exempt_socket(socket, ipv6)
    }
}

impl Drop for UserspaceDriver {
    fn drop(&mut self) {
        drop(self.requests.take());
        drop(self.encapsulated.take());
        // The thread ends when it sees the closed channel, and takes routes, policies and the device with it.
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
