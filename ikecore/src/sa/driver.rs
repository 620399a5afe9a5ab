//! What the core asks of an SA driver, and what a driver tells the core.
use crate::address::Scope;
use crate::ids::{IpsecSaId, Spi};
pub use crate::policy::selector::Direction;
use crate::policy::selector::{Flow, Selector};
use crate::proposal::suite::{Integrity, IpsecSuite, Layer, Lifetime, Mode, ProtectionSuite, Protocols};
use crate::secret::Secret;
use crate::wire::codes::ProtocolId;
use core::fmt;
use std::net::{IpAddr, SocketAddr};

/// ESP in UDP (RFC 3948).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UdpEncapsulation {
    /// The UDP source port of packets of this SA.
    pub source_port: u16,
    /// The UDP destination port.
    pub destination_port: u16,
}

/// The SAs of one direction, ready to install: one SA, what compresses inside it, and AH around it.
#[derive(Debug)]
pub struct SaSpec {
    /// Inbound or outbound.
    pub direction: Direction,
    /// The SPI, chosen by the receiver of the packets.
    pub spi: Spi,
    /// ESP or AH and the algorithms.
    pub suite: IpsecSuite,
    /// Transport or tunnel.
    pub mode: Mode,
    /// The (outer) source address of packets of this SA.
    pub source: IpAddr,
    /// The (outer) destination address.
    pub destination: IpAddr,
    /// The link, where one of the two is link-local.
    pub scope: Scope,
    /// The traffic it is for, as seen from this host (local and remote, whatever the direction).
    pub selector: Selector,
    /// ESP in UDP, if a NAT is between the peers.
    pub encapsulation: Option<UdpEncapsulation>,
    /// [`IpsecSuite::encryption_key_len`] octets.
    pub encryption_key: Secret<Vec<u8>>,
    /// [`IpsecSuite::integrity_key_len`] octets.
    pub integrity_key: Secret<Vec<u8>>,
    /// IPComp inside: its CPI, one of [`CPIS`](crate::proposal::suite::CPIS), chosen by the receiver of the packets.
    pub cpi: Option<Spi>,
    /// AH around it.
    pub outer: Option<OuterAh>,
    /// Ties the SA to the driver's policies of its rule.
    pub reqid: u32,
    /// Packets of the anti-replay window; 0 is no replay protection.
    pub replay_window: u32,
    /// Sequence numbers have 64 bits (RFC 4303 §2.2.1); there is a window then, whatever [`Self::replay_window`] says, as
    /// the receiver finds the upper half by it.
    pub extended_sequence_numbers: bool,
    /// When the driver says that a new SA is due.
    pub soft: Lifetime,
    /// When the driver ends the SA.
    pub hard: Lifetime,
}

/// AH around another SA: it has the addresses, the life, the window and the kind of sequence numbers of that.
#[derive(Debug)]
pub struct OuterAh {
    /// Its SPI.
    pub spi: Spi,
    /// The algorithm.
    pub integrity: Integrity,
    /// [`Integrity::key_len`] octets.
    pub key: Secret<Vec<u8>>,
}

/// One protocol of a [`SaSpec`].
#[derive(Clone, Copy, Debug)]
pub struct SaLayer<'a> {
    /// The protocol with its algorithms.
    pub layer: Layer,
    /// Its SPI, or CPI.
    pub spi: Spi,
    /// The mode: in tunnel mode the innermost layer makes the tunnel, and the others protect its packets.
    pub mode: Mode,
    /// The encryption key; empty where there is none.
    pub encryption_key: &'a [u8],
    /// The integrity key; empty where there is none.
    pub integrity_key: &'a [u8],
}

/// What one quick mode made: an SA for each direction, and the policy that sends traffic to them. It is installed in two
/// steps, so that the SA for packets that arrive is there before the peer can send any, and the one for packets that leave
/// only once the peer can take them: see [`Self::steps`].
#[derive(Debug)]
pub struct SaPair {
    /// The core's handle.
    pub id: IpsecSaId,
    /// For packets that arrive.
    pub inbound: SaSpec,
    /// For packets that leave.
    pub outbound: SaSpec,
    /// In force while the pair is installed; it replaces a policy with the same selector and gives it back afterwards.
    pub policy: TrafficPolicy,
}

impl SaSpec {
    /// The name of ESP or, without it, AH.
    pub const fn name(&self) -> SaName {
        SaName { protocol: self.suite.protocol(), destination: self.destination, spi: self.spi }
    }

    /// All that it applies.
    pub fn protection(&self) -> ProtectionSuite {
        let outer = self.outer.as_ref().map(|outer| outer.integrity);
        ProtectionSuite { compression: self.cpi.is_some(), main: self.suite, outer }
    }

    /// Its layers, from the inside out.
    pub fn layers(&self) -> impl Iterator<Item = SaLayer<'_>> {
        let bare = |layer, spi| SaLayer { layer, spi, mode: self.mode, encryption_key: &[], integrity_key: &[] };
        let compression = self.cpi.map(|cpi| bare(Layer::Compression, cpi));
        let main = SaLayer {
            encryption_key: self.encryption_key.expose(),
            integrity_key: self.integrity_key.expose(),
            ..bare(Layer::Sa(self.suite), self.spi)
        };
        let outer = self.outer.as_ref().map(|outer| SaLayer {
            integrity_key: outer.key.expose(),
            ..bare(Layer::Sa(IpsecSuite::Ah { integrity: outer.integrity }), outer.spi)
        });
        let layers = compression.into_iter().chain([main]).chain(outer).enumerate();
        layers.map(|(index, layer)| if index == 0 { layer } else { SaLayer { mode: Mode::Transport, ..layer } })
    }

    /// The name of one of its layers.
    pub const fn name_of(&self, layer: &SaLayer<'_>) -> SaName {
        SaName { protocol: layer.layer.protocol(), destination: self.destination, spi: layer.spi }
    }

    /// The names of all its layers, from the inside out.
    pub fn names(&self) -> impl Iterator<Item = SaName> {
        self.layers().map(|layer| self.name_of(&layer))
    }
}

impl SaPair {
    /// The two operations that install it, in their order.
    pub fn steps(self) -> [SaOp; 2] {
        let Self { id, inbound, outbound, policy } = self;
        [
            SaOp::InstallInbound { id, sa: Box::new(inbound) },
            SaOp::InstallOutbound { id, sa: Box::new(outbound), policy },
        ]
    }
}

/// The name of one installed SA (RFC 4301 §4.1).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SaName {
    /// ESP, AH or IPComp.
    pub protocol: ProtocolId,
    /// The (outer) destination address.
    pub destination: IpAddr,
    /// The SPI; of IPComp the CPI.
    pub spi: Spi,
}

impl fmt::Display for SaName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} SPI {} to {}", self.protocol, self.spi, self.destination)
    }
}

/// What the driver does with traffic.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TrafficAction {
    /// Pass in clear.
    Permit,
    /// Drop.
    Block,
    /// Send through an SA; where there is none, acquire one.
    Protect {
        /// What must be applied to each packet; of those that arrive, short ones may come without IPComp.
        protocols: Protocols,
        /// Transport or tunnel.
        mode: Mode,
        /// The tunnel's endpoints, this host's first; in transport mode `None`: the packet's own addresses.
        endpoints: Option<(IpAddr, IpAddr)>,
        /// Clear-text packets that arrive and match are accepted.
        inbound_passthrough: bool,
    },
}

/// A policy of the driver. What it does with packets that leave it does with forwarded ones, too; with packets that arrive, it
/// does not to forwarded ones in transport mode. Only one that permits or blocks can be for one direction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TrafficPolicy {
    /// Which packets.
    pub selector: Selector,
    /// What to do.
    pub action: TrafficAction,
    /// The lower, the sooner looked at.
    pub priority: u32,
    /// The rule's number.
    pub reqid: u32,
}

/// What the core asks of the driver. Each is answered by exactly one [`SaAnswer`].
#[derive(Debug)]
pub enum SaOp {
    /// Choose an SPI for packets from `source` (the peer) to `destination` (this host) and keep it for an inbound SA.
    /// Answer: [`SaAnswer::Spi`].
    AllocSpi {
        /// ESP, AH or IPComp, whose CPIs are of [`CPIS`](crate::proposal::suite::CPIS).
        protocol: ProtocolId,
        /// The peer.
        source: IpAddr,
        /// This host.
        destination: IpAddr,
        /// Transport or tunnel.
        mode: Mode,
        /// The rule's number.
        reqid: u32,
    },
    /// Give back an SPI for which no SA was installed. Answer: [`SaAnswer::Done`].
    ReleaseSpi(SaName),
    /// The first step of a pair: install its SA for packets that arrive. From the answer on such packets are taken, as far
    /// as the standing policies let them pass; what leaves goes on as before. After a failure nothing of the pair is there,
    /// except perhaps the SPI, which [`Self::Delete`] gives back. Answer: [`SaAnswer::Done`].
    InstallInbound {
        /// The handle of the pair; no other has it.
        id: IpsecSaId,
        /// The inbound SA. Its SPIs are of [`Self::AllocSpi`], and are not given back any more by themselves.
        sa: Box<SaSpec>,
    },
    /// The second step: install the SA for packets that leave and the policy of the pair, both or neither. From now on
    /// traffic that leaves takes this SA rather than an older one. After a failure the inbound SA stays, until it is
    /// deleted. It is refused for a handle without the first step, or with both. Answer: [`SaAnswer::Done`].
    InstallOutbound {
        /// The handle of the first step.
        id: IpsecSaId,
        /// The outbound SA.
        sa: Box<SaSpec>,
        /// The policy.
        policy: TrafficPolicy,
    },
    /// A soft SA: put the policy in force as that of a pair of SAs would be, but without SAs; its action is to permit. It
    /// ends by [`Self::Delete`], which names no SAs then. It is refused for a handle that is in use. Answer:
    /// [`SaAnswer::Done`].
    InstallSoft {
        /// The handle; no pair has it.
        id: IpsecSaId,
        /// The policy.
        policy: TrafficPolicy,
    },
    /// The first step of the end of a pair: remove the outbound SA and the policy of the pair. What leaves takes the SA of
    /// another pair; what arrives is taken as after the first step. What is not there is no error. Answer:
    /// [`SaAnswer::Done`].
    DeleteOutbound(IpsecSaId),
    /// Remove what there is of a pair or soft SA: the inbound SA, or the SPIs that were kept for it, and, if the second step was done,
    /// the outbound SA and the policy. What is not there, or no longer, is no error. Answer: [`SaAnswer::Done`].
    Delete {
        /// The handle given at installation.
        id: IpsecSaId,
        /// The names of the inbound SA's layers: they go by themselves if the handle is not known. A soft SA has none.
        inbound: Vec<SaName>,
    },
    /// Change the outer addresses and ports of a pair of which both steps are done (a NAT gave the peer a new mapping).
    /// Answer: [`SaAnswer::Done`].
    Update {
        /// The handle given at installation.
        id: IpsecSaId,
        /// This host's address and UDP port.
        local: SocketAddr,
        /// The peer's address and UDP port.
        remote: SocketAddr,
    },
    /// How much traffic went through a pair; before its second step, none has left. Answer: [`SaAnswer::Usage`].
    Query(IpsecSaId),
    /// Replace all standing policies by these. Answer: [`SaAnswer::Done`].
    SetPolicies(Vec<TrafficPolicy>),
}

/// Traffic through one pair of SAs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Usage {
    /// Octets that arrived.
    pub inbound_octets: u64,
    /// Packets that arrived.
    pub inbound_packets: u64,
    /// Octets that left.
    pub outbound_octets: u64,
    /// Packets that left.
    pub outbound_packets: u64,
    /// Packets dropped as replays; `None`: the driver does not count them for each pair.
    pub replays: Option<u64>,
    /// Packets dropped because their integrity check failed; `None`: the driver does not count them for each pair.
    pub integrity_failures: Option<u64>,
}

/// The driver refused or failed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("driver {driver}: {operation}: {reason}")]
pub struct DriverError {
    /// The driver's name.
    pub driver: &'static str,
    /// What was tried, with its object: `add inbound SA ESP SPI 0x… to …`.
    pub operation: String,
    /// Why not, in the words of the system where it has any.
    pub reason: String,
}

/// The driver's answer to a [`SaOp`].
#[derive(Debug)]
pub enum SaAnswer {
    /// To [`SaOp::AllocSpi`].
    Spi(Result<Spi, DriverError>),
    /// To operations without a result.
    Done(Result<(), DriverError>),
    /// To [`SaOp::Query`].
    Usage(Result<Usage, DriverError>),
}

/// The driver needs an SA for a packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Acquire {
    /// The packet that asked.
    pub flow: Flow,
    /// The policy that it matched.
    pub reqid: u32,
}

/// An SA reached a limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Expire {
    /// Which.
    pub sa: SaName,
    /// True: the driver has ended it. False: time to negotiate a new one.
    pub hard: bool,
}

/// The peer's UDP-encapsulated packets come from a new address or port.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mapping {
    /// The inbound SA.
    pub sa: SaName,
    /// Where they come from now.
    pub remote: SocketAddr,
}
