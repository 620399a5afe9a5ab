//! The typed event stream: one value feeds the trace, the audit, the statistics and the monitor.
//!
//! Events are produced by the endpoint only. Those marked (trace) are produced only while [`Detail::Trace`] is asked
//! for, so that a trace that is off costs nothing.
pub mod config;
pub mod failure;
pub mod message;
pub mod negotiation;
pub mod status;
pub mod trace;

use crate::ids::{IkeSaId, IpsecSaId, NegotiationId};
use std::net::SocketAddr;

pub use config::{ConfigEvent, Configuration, MissingAddress};
pub use failure::{Failure, Reject};
pub use message::MessageEvent;
pub use negotiation::{IkeSaEvent, IpsecSaEvent, NegotiationEvent, Phase, QuickModeEvent, SoftSaEvent};
pub use status::Status;
pub use trace::Trace;

/// How much is told.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum Detail {
    /// Outcomes: negotiations, SAs, failures, drops.
    #[default]
    Outcomes,
    /// Also each message with its payloads and each step: what Oakley.log needs.
    Trace,
}

/// Where an event belongs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Context {
    /// The negotiation, if the event belongs to one.
    pub negotiation: Option<NegotiationId>,
    /// The ISAKMP SA, if one is known.
    pub ike_sa: Option<IkeSaId>,
    /// The IPsec SA pair, soft SA or quick mode, if one is known.
    pub ipsec_sa: Option<IpsecSaId>,
    /// This host's address and port, if a peer is involved.
    pub local: Option<SocketAddr>,
    /// The peer's address and port.
    pub remote: Option<SocketAddr>,
}

/// Something that happened.
#[derive(Clone, Debug)]
pub struct Event {
    /// Where it belongs.
    pub context: Context,
    /// What it was.
    pub kind: EventKind,
}

/// What happened, by subject.
#[derive(Clone, Debug)]
pub enum EventKind {
    /// A datagram came, went, or was dropped.
    Message(MessageEvent),
    /// A negotiation began, moved on, or ended.
    Negotiation(NegotiationEvent),
    /// An ISAKMP SA and its main mode.
    IkeSa(IkeSaEvent),
    /// Extended authentication and Mode Config.
    Config(ConfigEvent),
    /// A quick mode under way.
    QuickMode(QuickModeEvent),
    /// An IPsec SA pair.
    IpsecSa(IpsecSaEvent),
    /// A soft SA.
    SoftSa(SoftSaEvent),
    /// The endpoint itself: policy, driver, start and stop.
    Endpoint(EndpointEvent),
}

/// What happens to the endpoint as a whole.
#[derive(Clone, Debug)]
pub enum EndpointEvent {
    /// A new policy is in force.
    PolicyInForce {
        /// The database's number.
        version: u64,
        /// How many rules it has.
        rules: usize,
    },
    /// The driver asked for an SA.
    Acquire {
        /// The packet that asked.
        flow: crate::policy::selector::Flow,
        /// The rule that covers it; `None`: no rule does, nothing is negotiated.
        rule: Option<String>,
    },
    /// The driver reported that an SA reached a limit.
    Expire {
        /// Which SA.
        sa: crate::sa::driver::SaName,
        /// True if the driver has ended it.
        hard: bool,
    },
    /// The driver is gone; all that needed it has ended.
    DriverLost {
        /// Why.
        reason: String,
    },
    /// A driver operation failed outside a negotiation.
    DriverFailed(crate::sa::driver::DriverError),
    /// Deletes go out, SAs are being removed.
    ShuttingDown,
}
