//! Quick mode (RFC 2409 §5.5).
//!
//! ```text
//! 1  HDR*, HASH(1), SA, Ni [, KE] [, IDci, IDcr] -->
//! 2          <--  HDR*, HASH(2), SA, Nr [, KE] [, IDci, IDcr]
//! 3  HDR*, HASH(3) -->
//! 4          <--  HDR*, HASH, N/CONNECTED        only with the commit bit
//! ```
//!
//! With the commit bit (RFC 2408 §3.1) one end asks the other to wait with the SAs until it says that it has them. RFC 2408
//! has it say so in an informational exchange with the message ID of the quick mode; Windows and others do it in a fourth
//! message of the quick mode. Either is taken; a fourth message is sent. The bit stands in the header, which no hash covers:
//! whoever can change message 2 can make the initiator wait, so it does not wait for long, and not at all once a copy of
//! message 2 without the bit has come.
//!
//! Each end sends before its SA for packets that leave is in use only what the other needs to take them, and takes them
//! itself by then: the responder installs its inbound SA before message 2, the initiator before message 3, and both the
//! outbound SA with message 3. So no packet of the peer overtakes what it needs, and what this host's driver refuses of the
//! first step the peer hears before it has installed anything.
pub mod initiator;
mod keys;
mod msgs;
pub mod responder;

use super::message::Incoming;
use super::natt::{OriginalAddresses, Revision};
use super::phase1::IkeKeys;
use super::side::Side;
use super::step::Step;
use super::work::Answer;
use super::{Cx, Path};
use crate::event::negotiation::Role;
use crate::event::{Failure, Reject};
use crate::ids::{IpsecSaId, MessageId};
use crate::policy::rule::Rule;
use crate::policy::selector::Selector;
use crate::proposal::offer::QuickModeOffer;
use crate::proposal::suite::{Lifetime, Mode, ProtectionSuite};
use crate::sa::driver::{SaAnswer, SaName, SaOp, UdpEncapsulation};
use crate::wire::{EncapsulationMode, ProtocolId};
use std::sync::Arc;

/// What a quick mode is for: known before it begins, the same in all its states.
#[derive(Clone)]
pub struct Plan {
    /// The handle of the SA pair that it makes.
    pub id: IpsecSaId,
    /// The keys of the ISAKMP SA that protects it.
    pub keys: Arc<IkeKeys>,
    /// From where to where; without a NAT the ends of the SAs too.
    pub path: Path,
    /// Its message ID.
    pub message_id: MessageId,
    /// The rule.
    pub rule: Arc<Rule>,
    /// The traffic.
    pub selector: Selector,
    /// ESP goes in UDP, with the numbers of this revision.
    pub encapsulation: Option<Revision>,
    /// The pair that the new one takes over from.
    pub replaces: Option<IpsecSaId>,
}

impl Plan {
    /// The mode of the SAs.
    pub fn mode(&self) -> Mode {
        self.rule.mode()
    }

    /// The offers that can be used between the two peers, with what the rule says of them.
    fn offers(&self) -> Result<Vec<QuickModeOffer>, Failure> {
        let Some(policy) = self.rule.quick_mode() else { return Err(Failure::PolicyChange) };
        let passes = |offer: &&QuickModeOffer| self.encapsulation.is_none() || !offer.suite.protocols().ah;
        let offers: Vec<_> = policy.offers.iter().filter(passes).copied().collect();
        if offers.is_empty() { Err(Failure::AhThroughNat { rule: self.rule.name.clone() }) } else { Ok(offers) }
    }

    /// The Encapsulation Mode attribute.
    fn encapsulation_mode(&self) -> EncapsulationMode {
        match (self.encapsulation, self.mode()) {
            (Some(revision), mode) => revision.encapsulation_mode(mode),
            (None, Mode::Transport) => EncapsulationMode::TRANSPORT,
            (None, Mode::Tunnel) => EncapsulationMode::TUNNEL,
        }
    }

    /// What the NAT-OA payloads say: RFC 3947 §5.2 has both ends send them in transport mode, and neither in tunnel mode.
    fn original(&self, role: Role) -> Option<(Revision, OriginalAddresses)> {
        let revision = self.encapsulation.filter(|_| self.mode() == Mode::Transport)?;
        let (local, remote) = (self.path.own().ip(), self.path.peer().ip());
        let (initiator, responder) = match role {
            Role::Initiator => (local, remote),
            Role::Responder => (remote, local),
        };
        Some((revision, OriginalAddresses { initiator, responder }))
    }

    /// The UDP ports of packets in one direction.
    fn ports(&self, inbound: bool) -> Option<UdpEncapsulation> {
        self.encapsulation.map(|_| {
            let (local, remote) = (self.path.local.port(), self.path.remote.port());
            let (source_port, destination_port) = if inbound { (remote, local) } else { (local, remote) };
            UdpEncapsulation { source_port, destination_port }
        })
    }
}

/// An installed pair of SAs: what quick mode leaves behind.
#[derive(Clone, Debug)]
pub struct IpsecSa {
    /// The handle.
    pub id: IpsecSaId,
    /// From where to where.
    pub path: Path,
    /// For packets that arrive: ESP or, without it, AH.
    pub inbound: SaName,
    /// For packets that leave: the same protocol.
    pub outbound: SaName,
    /// The other protocols of the suite.
    pub companions: Box<Companions>,
    /// The protocols and their algorithms.
    pub suite: ProtectionSuite,
    /// The mode.
    pub mode: Mode,
    /// The traffic.
    pub selector: Selector,
    /// The life.
    pub lifetime: Lifetime,
    /// The rule.
    pub rule: Arc<Rule>,
    /// ESP goes in UDP.
    pub encapsulated: bool,
    /// Sequence numbers have 64 bits.
    pub extended_sequence_numbers: bool,
    /// The pair that it takes over from.
    pub replaces: Option<IpsecSaId>,
}

/// What goes with the SAs of a pair: IPComp inside them, AH around them.
#[derive(Clone, Default, Debug)]
pub struct Companions {
    /// For packets that arrive.
    pub inbound: Vec<SaName>,
    /// For packets that leave.
    pub outbound: Vec<SaName>,
}

impl IpsecSa {
    /// All for packets that arrive.
    pub fn inbound_names(&self) -> impl Iterator<Item = SaName> {
        core::iter::once(self.inbound).chain(self.companions.inbound.iter().copied())
    }

    /// All for packets that leave.
    pub fn outbound_names(&self) -> impl Iterator<Item = SaName> {
        core::iter::once(self.outbound).chain(self.companions.outbound.iter().copied())
    }

    /// What a peer is told when it is gone: with the SA that it belongs to, IPComp goes by itself.
    pub fn deleted_names(&self) -> Vec<SaName> {
        self.inbound_names().filter(|name| name.protocol != ProtocolId::IPCOMP).collect()
    }

    /// The operation that removes it.
    pub fn removal(&self) -> SaOp {
        SaOp::Delete { id: self.id, inbound: self.inbound_names().collect() }
    }
}

/// Quick mode in either role.
pub type QuickMode = Side<initiator::State, responder::State>;

/// Begins as initiator.
pub fn initiate(plan: Plan, cx: &mut Cx<'_>) -> Result<Step<QuickMode>, Failure> {
    Ok(initiator::begin(plan, cx)?.lift(QuickMode::Initiator))
}

/// Begins as responder, with message 1.
pub fn respond(message: &Incoming<'_>, peer: &responder::Peer<'_>, cx: &mut Cx<'_>) -> Result<Step<QuickMode>, Reject> {
    Ok(responder::begin(message, peer, cx)?.lift(QuickMode::Responder))
}

impl QuickMode {
    /// The SAs for packets that arrive, once the peer may have installed its end: if this host fails, the peer must hear.
    pub fn exposed(&self) -> Option<Vec<SaName>> {
        match self {
            Self::Initiator(initiator::State::Installing(sa)) => Some(sa.deleted_names()),
            Self::Responder(responder::State::Installing(sa, _)) => Some(sa.deleted_names()),
            Self::Initiator(initiator::State::Confirming(sent)) => Some(sent.sa().deleted_names()),
            Self::Responder(responder::State::SentReply(sent)) => Some(sent.sa().deleted_names()),
            _ => None,
        }
    }
}

/// The answer to an installation.
fn installed(answer: Answer) -> Result<(), Failure> {
    match answer {
        Answer::Sa(SaAnswer::Done(result)) => result.map_err(Failure::Driver),
        _ => Err(Failure::Crypto { operation: "installing the SAs", reason: "wrong answer".to_owned() }),
    }
}
