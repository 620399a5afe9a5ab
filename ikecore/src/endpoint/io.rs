//! What enters the endpoint and what leaves it.
use super::key_log::LoggedKey;
use crate::address::HostAddress;
use crate::event::{Detail, Event};
use crate::exchange::work::{Answer, Ask};
use crate::ids::{AskId, IkeSaId, IpsecSaId};
use crate::policy::db::PolicyDb;
use crate::policy::selector::Flow;
use crate::sa::driver::{Acquire, Expire, Mapping};
use crate::time::Time;
use bytes::Bytes;
use std::net::SocketAddr;
use std::sync::Arc;

/// What enters the endpoint.
#[derive(Debug)]
pub enum Input<'a> {
    /// A datagram came. On the NAT-T port the non-ESP marker has been taken off, and what is no IKE is not given here.
    Datagram {
        /// The address that it was sent to, and the port of the socket.
        local: SocketAddr,
        /// Where it came from.
        remote: SocketAddr,
        /// The ISAKMP message.
        octets: &'a [u8],
    },
    /// The time given by the last [`Output::Wait`] has come.
    Timeout,
    /// The driver needs an SA.
    Acquire(Acquire),
    /// An SA reached a limit.
    Expire(Expire),
    /// A NAT gave the peer a new mapping.
    Mapping(Mapping),
    /// As far as the system knows, the path to a peer takes IP datagrams of so many octets, header included.
    PathMtu {
        /// The peer.
        remote: SocketAddr,
        /// Octets.
        octets: usize,
    },
    /// The driver is gone; its outstanding operations will not be answered.
    DriverLost(String),
    /// There is a driver again after [`Self::DriverLost`]: a new one, without SAs and policies.
    DriverReplaced,
    /// An [`Ask`] was done.
    Answer(AskId, Answer),
    /// The administrator wants something.
    Command(Command),
    /// A new policy.
    Policy(Arc<PolicyDb>),
}

/// What leaves the endpoint. After each [`Input`], drain with `poll` until [`Output::Wait`].
#[derive(Debug)]
pub enum Output {
    /// Send a datagram.
    Transmit(Transmit),
    /// Do this and bring the answer.
    Ask(AskId, Ask),
    /// The answer is not wanted any more; it may still come. Never for [`Ask::Sa`], which must be carried out.
    Cancel(AskId),
    /// Something happened.
    Event(Event),
    /// A key for the key log; none leaves unless [`super::Config::key_log`] is set.
    Key(LoggedKey),
    /// Nothing more to do before this instant; `None`: before the next input.
    Wait(Option<Time>),
}

/// A datagram to send.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Transmit {
    /// The address and port to send from.
    pub local: SocketAddr,
    /// Where to.
    pub remote: SocketAddr,
    /// The ISAKMP message, without the non-ESP marker.
    pub octets: Bytes,
    /// Put the non-ESP marker (four zero octets) before it: it goes out from the NAT-T port (RFC 3948 §2.2).
    pub marker: bool,
}

/// What an administrator can ask of the endpoint.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Command {
    /// Negotiate as if a packet of this flow had asked. `NegotiationId` of the result is in the events.
    InitiateFlow(Flow),
    /// Negotiate the first filter of a rule. `peer` is needed where the rule's filters do not name one address.
    InitiateRule {
        /// The rule's name.
        rule: String,
        /// The peer, in transport mode with a filter for many.
        peer: Option<HostAddress>,
    },
    /// Replace an IPsec SA pair by a new one now.
    RekeyIpsecSa(IpsecSaId),
    /// Replace an ISAKMP SA by a new one now.
    RekeyIkeSa(IkeSaId),
    /// Delete an IPsec SA pair and tell the peer, or end a soft SA.
    DeleteIpsecSa(IpsecSaId),
    /// Delete an ISAKMP SA and tell the peer; its IPsec SAs stay.
    DeleteIkeSa(IkeSaId),
    /// Delete everything with a peer and tell it.
    DeletePeer(HostAddress),
    /// Delete everything with everybody and tell them.
    DeleteAll,
    /// Tell more, or less.
    SetDetail(Detail),
    /// Delete everything, tell the peers, remove what was installed. Done when `Endpoint::is_stopped`.
    Shutdown,
}
