//! SA drivers: what installs security associations and policies, and tells when one is needed or ends.
mod kernel_socket;
pub mod memory;
pub mod open;
pub mod pfkey;
pub mod policy_table;
pub mod select;
mod trial;
pub mod userspace;
pub mod xfrm;
mod xfrm_stat;

use ikecore::ids::AskId;
use ikecore::proposal::offer::QuickModeOffer;
use ikecore::proposal::suite::Mode;
use ikecore::sa::driver::{Acquire, Expire, Mapping, SaAnswer, SaOp};
use std::task::{Context, Poll};

/// What a driver can do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Capabilities {
    /// The name: `xfrm`, `pfkey`, `userspace`, `memory`.
    pub name: &'static str,
    /// AH SAs.
    pub ah: bool,
    /// Transport mode.
    pub transport: bool,
    /// ESP in UDP.
    pub udp_encapsulation: bool,
    /// Traffic with link-local addresses, which have links.
    pub link_local: bool,
    /// The driver itself takes ESP in UDP off the NAT-T socket (a kernel does). If not, the listener must hand such
    /// datagrams to [`SaDriver::receive_encapsulated`] and send those of [`DriverMessage::SendEncapsulated`].
    pub owns_encapsulation: bool,
    /// What kind of system it stands on, for people: `Linux 6.1 with esp4, esp6, ah4`.
    pub description: String,
}

/// Packets that a driver has dropped since it was opened, by their cause. `None`: it cannot know.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Drops {
    /// No SA has their SPI.
    pub bad_spi: Option<u64>,
    /// They could not be decrypted, or their integrity check failed.
    pub not_decrypted: Option<u64>,
    /// Their integrity check failed, where the driver does not count it for each pair ([`Usage`](ikecore::sa::driver::Usage)).
    pub not_authenticated: Option<u64>,
    /// Their number was seen before, or is too old, where the driver does not count it for each pair.
    pub replayed: Option<u64>,
}

impl Drops {
    /// The sum of two drivers'; what neither knows is not known.
    pub(crate) fn plus(self, other: Self) -> Self {
        let sum = |a: Option<u64>, b: Option<u64>| a.into_iter().chain(b).reduce(u64::saturating_add);
        Self {
            bad_spi: sum(self.bad_spi, other.bad_spi),
            not_decrypted: sum(self.not_decrypted, other.not_decrypted),
            not_authenticated: sum(self.not_authenticated, other.not_authenticated),
            replayed: sum(self.replayed, other.replayed),
        }
    }
}

/// What a driver tells the engine.
#[derive(Debug)]
pub enum DriverMessage {
    /// The answer to a submitted operation.
    Answer(AskId, SaAnswer),
    /// An SA is needed.
    Acquire(Acquire),
    /// An SA reached a limit.
    Expire(Expire),
    /// A peer's mapping changed.
    Mapping(Mapping),
    /// Send this ESP packet in UDP from the NAT-T socket.
    SendEncapsulated {
        /// From.
        local: std::net::SocketAddr,
        /// To.
        remote: std::net::SocketAddr,
        /// The ESP packet, from its SPI on.
        packet: bytes::Bytes,
    },
    /// The driver is gone and answers nothing more.
    Lost(String),
}

/// Installs SAs and policies. Object-safe; owned by the engine's task.
pub trait SaDriver: Send {
    /// What it can do; constant.
    fn capabilities(&self) -> Capabilities;

    /// Whether it can run what `offer` is for in `mode`; the error says what is missing. Beforehand, so that an offer which
    /// it cannot run is not agreed on in place of another.
    fn supports(&mut self, offer: &QuickModeOffer, mode: Mode) -> Result<(), String>;

    /// Begins an operation. It is answered by exactly one [`DriverMessage::Answer`] with the same `ask`, unless
    /// [`DriverMessage::Lost`] comes first. Never blocks for long.
    fn submit(&mut self, ask: AskId, operation: SaOp);

    /// The next message, in the order things happened.
    fn poll_message(&mut self, context: &mut Context<'_>) -> Poll<DriverMessage>;

    /// What it has dropped so far.
    fn drops(&mut self) -> Drops {
        Drops::default()
    }

    /// A datagram of ESP in UDP came to the NAT-T socket. Only where `owns_encapsulation` is false.
    fn receive_encapsulated(&mut self, _local: std::net::SocketAddr, _remote: std::net::SocketAddr, _packet: &[u8]) {}

    /// Prepares a socket of the listener, before it is used: exempts it from the policies, and for the NAT-T socket
    /// (`encapsulation`) has the kernel take ESP out of UDP.
    fn prepare_socket(
        &mut self,
        _socket: std::os::fd::BorrowedFd<'_>,
        _ipv6: bool,
        _encapsulation: bool,
    ) -> std::io::Result<()> {
        Ok(())
    }
}
