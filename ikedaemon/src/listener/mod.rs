//! The UDP sockets of IKE and of NAT traversal: who is addressed answers, and what is not IKE is told apart
//! (RFC 3948 §2).
mod bind;
mod path;
mod socket;
#[cfg(test)]
mod tests;

pub use bind::BindError;
pub use path::path_mtu;

use crate::driver::SaDriver;
use ikecore::address::HostAddress;
use socket::{Socket, Taken};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::task::{Context, Poll};

/// Octets that a datagram can have at most.
pub const MAX_DATAGRAM: usize = 65_535;

/// The four zero octets before IKE on the NAT-T port, where an ESP packet has its SPI (RFC 3948 §2.2).
const NON_ESP_MARKER: [u8; 4] = [0; 4];

/// Where to listen.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Config {
    /// Addresses with ports; `0.0.0.0` and `[::]` stand for every address of their family.
    pub addresses: Vec<SocketAddr>,
    /// The port among them where messages carry the non-ESP marker.
    pub nat_t_port: u16,
}

impl Config {
    /// Every address of both families, with the port of IKE and that of NAT traversal.
    pub fn everywhere(ike_port: u16, nat_t_port: u16) -> Self {
        let any = [IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::UNSPECIFIED)];
        let ports = [ike_port, nat_t_port];
        let addresses = any.iter().flat_map(|address| ports.map(|port| SocketAddr::new(*address, port))).collect();
        Self { addresses, nat_t_port }
    }
}

/// Counts since the start.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counters {
    /// Datagrams that came, of every kind.
    pub received: u64,
    /// NAT keep-alives (RFC 3948 §2.3).
    pub keep_alives: u64,
    /// ESP in UDP.
    pub encapsulated: u64,
    /// Datagrams to the NAT-T port that are too short to be anything.
    pub short: u64,
    /// Datagrams to a broadcast or multicast address, which nobody may answer.
    pub not_unicast: u64,
    /// Errors that reading a socket gave, those of ICMP apart.
    pub receive_errors: u64,
    /// Datagrams that could not be sent.
    pub send_errors: u64,
    /// ICMP errors about datagrams sent earlier.
    pub icmp_errors: u64,
}

/// What came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// An ISAKMP message, its marker taken off.
    Ike,
    /// An ESP packet.
    Encapsulated,
    /// Nothing to act upon; it has been counted.
    Ignored,
}

/// A datagram that came; its octets are in the buffer that was given.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Received {
    /// What it is.
    pub kind: Kind,
    /// The address that it was sent to, and the socket's port.
    pub local: SocketAddr,
    /// Where it came from.
    pub remote: SocketAddr,
    /// Where in the buffer it begins.
    pub start: usize,
    /// Where it ends.
    pub end: usize,
}

/// Why a datagram was not sent.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// No socket has this address and port.
    #[error("nothing listens on {0}, so nothing can be sent from there")]
    NoSocket(SocketAddr),
    /// The system refused.
    #[error("cannot send {length} octets from {local} to {remote}: {error}")]
    System {
        /// From.
        local: SocketAddr,
        /// To.
        remote: SocketAddr,
        /// Octets.
        length: usize,
        /// Why.
        error: io::Error,
    },
}

/// All sockets.
#[derive(Debug)]
pub struct Listener {
    sockets: Vec<Socket>,
    /// The socket that is looked at first, so that a flood on one does not silence the others.
    next: usize,
    counters: Counters,
}

impl Listener {
    /// Opens the sockets, has `driver` prepare each, and binds them. To be called inside a tokio runtime.
    ///
    /// Where the system has no IPv6, `[::]` is left out if another address is there; all other failures are errors.
    pub fn bind(config: &Config, driver: &mut dyn SaDriver) -> Result<Self, BindError> {
        let sockets = bind::all(config, driver)?;
        Ok(Self { sockets, next: 0, counters: Counters::default() })
    }

    /// Has another driver prepare the sockets that are open.
    pub fn prepare(&self, driver: &mut dyn SaDriver) -> Result<(), BindError> {
        self.sockets.iter().try_for_each(|socket| bind::prepare(socket, driver))
    }

    /// The addresses that are bound, with the ports as they are.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.sockets.iter().map(|socket| socket.bound).collect()
    }

    /// Counts since the start.
    pub const fn counters(&self) -> Counters {
        self.counters
    }

    /// Takes one datagram off one of the sockets, in turn; `buffer` should have [`MAX_DATAGRAM`] octets.
    pub fn poll_receive(&mut self, context: &mut Context<'_>, buffer: &mut [u8]) -> Poll<Received> {
        let count = self.sockets.len();
        for step in 0..count {
            let index = (self.next + step) % count;
            let Some(socket) = self.sockets.get(index) else { continue };
            let Poll::Ready(taken) = socket.poll_receive(context, buffer) else { continue };
            self.next = index + 1;
            return Poll::Ready(self.judge(index, taken, buffer));
        }
        Poll::Pending
    }

    /// Tells what came apart.
    fn judge(&mut self, index: usize, taken: Taken, buffer: &[u8]) -> Received {
        let bound = self.sockets.get(index).map_or_else(|| SocketAddr::from(([0; 4], 0)), |socket| socket.bound);
        let ignored = Received { kind: Kind::Ignored, local: bound, remote: bound, start: 0, end: 0 };
        let (local, remote, length) = match taken {
            Taken::Datagram { local, remote, length } => (local, remote, length),
            Taken::NotUnicast => {
                self.counters.received += 1;
                self.counters.not_unicast += 1;
                return ignored;
            }
            Taken::Icmp(count) => {
                self.counters.icmp_errors += count;
                return ignored;
            }
            Taken::Error(error) => {
                self.counters.receive_errors += 1;
                tracing::debug!(target: "policyagent::listener", "cannot receive on {bound}: {error}");
                return ignored;
            }
        };
        self.counters.received += 1;
        let whole = Received { kind: Kind::Ike, local, remote, start: 0, end: length };
        if !self.sockets.get(index).is_some_and(|socket| socket.encapsulation) {
            return whole;
        }
        match buffer.get(..length).unwrap_or_default() {
            // RFC 3948 §2.2.
            [0, 0, 0, 0, ..] => Received { start: NON_ESP_MARKER.len(), ..whole },
            // RFC 3948 §2.3: the receiver SHOULD ignore it.
            [0xff] => {
                self.counters.keep_alives += 1;
                Received { kind: Kind::Ignored, ..whole }
            }
            [_, _, _, _, ..] => {
                self.counters.encapsulated += 1;
                Received { kind: Kind::Encapsulated, ..whole }
            }
            _ => {
                self.counters.short += 1;
                Received { kind: Kind::Ignored, ..whole }
            }
        }
    }

    /// Sends a datagram from `local`; with the non-ESP marker before it if `marker`. Never waits: where the system
    /// has no room now, the datagram is lost as it could be on its way.
    pub fn send(
        &mut self,
        local: SocketAddr,
        remote: SocketAddr,
        marker: bool,
        octets: &[u8],
    ) -> Result<(), SendError> {
        let result = self.try_send(local, remote, marker, octets);
        if result.is_err() {
            self.counters.send_errors += 1;
        }
        result
    }

    fn try_send(
        &mut self,
        local: SocketAddr,
        remote: SocketAddr,
        marker: bool,
        octets: &[u8],
    ) -> Result<(), SendError> {
        let socket = self.socket_for(local).ok_or(SendError::NoSocket(local))?;
        let head: &[u8] = if marker { &NON_ESP_MARKER } else { &[] };
        let (result, icmp) = socket.send(local, remote, head, octets);
        self.counters.icmp_errors += icmp;
        result.map_err(|error| SendError::System { local, remote, length: head.len() + octets.len(), error })
    }

    /// The socket that is bound to this address, or else to every address of its family.
    fn socket_for(&self, local: SocketAddr) -> Option<&Socket> {
        let right = |socket: &&Socket| socket.bound.port() == local.port() && socket.bound.is_ipv4() == local.is_ipv4();
        let mut all = self.sockets.iter().filter(right);
        let exact = all.clone().find(|socket| HostAddress::from(socket.bound) == HostAddress::from(local));
        exact.or_else(|| all.find(|socket| socket.bound.ip().is_unspecified() || local.ip().is_unspecified()))
    }
}
