//! The tables of the endpoint: ISAKMP SAs with their exchanges, pairs of IPsec SAs, negotiations.
use super::dos_cookie::Asked;
use super::dpd::Look;
use crate::crypto::hash::Digest;
use crate::crypto::iv::Iv;
use crate::event::negotiation::Role;
use crate::event::{self, Failure, MissingAddress};
use crate::exchange::Path;
use crate::exchange::config_mode::{self, Configuration};
use crate::exchange::dpd::Liveliness;
use crate::exchange::message::{Incoming, Outgoing};
use crate::exchange::mode::Mode;
use crate::exchange::phase1::Established;
use crate::exchange::quick::{IpsecSa, QuickMode};
use crate::exchange::retransmit::Retransmission;
use crate::exchange::runner::{BranchNumber, Exchange};
use crate::identity::Identity;
use crate::ids::{Cookies, IkeSaId, IpsecSaId, MessageId, NegotiationId};
use crate::policy::rule::Rule;
use crate::policy::selector::Selector;
use crate::sa::driver::{Acquire, SaName, SaOp, Usage};
use crate::time::Time;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// What tells one message 1 from another: where it came from, and a digest of all of it. CKY-I alone would not do: a forged
/// message that came first would take the place of the true one.
pub(super) type FirstMessage = (SocketAddr, [u8; 16]);

pub(super) fn first_message(message: &Incoming<'_>) -> FirstMessage {
    let digest = message.digest();
    (message.path.remote, digest.as_ref().first_chunk().copied().unwrap_or_default())
}

/// An ISAKMP SA, from its first message on.
pub(super) struct IkeSa {
    /// CKY-R is zero until message 2 has been accepted.
    pub(super) cookies: Cookies,
    pub(super) path: Path,
    pub(super) role: Role,
    /// The rule; a responder's until main mode is done is that of the first candidate.
    pub(super) rule: Arc<Rule>,
    /// The negotiation that it is, or began as, part of.
    pub(super) negotiation: NegotiationId,
    /// When its main mode began.
    pub(super) began: Time,
    /// Message 1, if the peer began.
    pub(super) first_message: Option<FirstMessage>,
    pub(super) phase: Phase,
    pub(super) quick_modes: u32,
    /// Its long messages go out in fragments, if the peer announced that it takes them.
    pub(super) fragmenting: bool,
    /// Octets of an IP datagram that the path to the peer takes, as far as that is known.
    pub(super) path_mtu: usize,
}

/// How far an ISAKMP SA is.
pub(super) enum Phase {
    Negotiating(Box<Negotiating>),
    Established(Box<Standing>),
}

/// A phase 1 under way.
pub(super) struct Negotiating {
    pub(super) exchange: Exchange<Mode>,
    pub(super) retransmission: Retransmission,
    /// Something has come that names this host's cookie: the peer speaks IKE, or somebody between the two.
    pub(super) answered: bool,
    /// What has been seen that explains why nothing better comes.
    pub(super) suspicion: Option<Failure>,
    /// The cookies of the message that was refused for it: its sender hears of it.
    pub(super) refused: Option<Cookies>,
    /// The ciphertext of the newest encrypted message of the peer, or its end: what protects a delete follows from it.
    pub(super) ciphertext: Vec<u8>,
    /// What is waiting for it.
    pub(super) waiting: Vec<NegotiationId>,
    /// A cookie that a flooded responder wants to see.
    pub(super) dos_cookie: Asked,
}

/// An ISAKMP SA that stands.
pub(super) struct Standing {
    pub(super) sa: Established,
    pub(super) since: Time,
    /// It serves no new quick modes.
    pub(super) retired: bool,
    /// The peer began it when this host began that one, which serves new quick modes for as long as it stands.
    pub(super) crosses: Option<IkeSaId>,
    /// How often a successor was tried in vain.
    pub(super) attempts: u32,
    /// Messages of its main mode, with their replies: a duplicate is answered again.
    pub(super) past: Vec<(Digest, Option<Outgoing>)>,
    pub(super) quick_modes: BTreeMap<MessageId, Running>,
    /// What waits for its turn to begin a quick mode.
    pub(super) waiting: VecDeque<NegotiationId>,
    /// No quick mode of this host begins before.
    pub(super) pause_until: Time,
    /// Message IDs of the peer: none may be used twice, or a recorded message could be replayed.
    pub(super) used: BTreeSet<MessageId>,
    /// SAs that the peer deleted before this host had them, while a quick mode is under way.
    pub(super) deleted: BTreeSet<SaName>,
    /// The peer has shown that it has this SA too: after message 3 of aggressive mode nothing does before phase 2.
    pub(super) confirmed: bool,
    /// What must happen before quick modes; `None` once it has.
    pub(super) preparation: Option<Box<Preparation>>,
    pub(super) transactions: BTreeMap<MessageId, Transaction>,
    /// Extended authentication, where the rule has it, is done.
    pub(super) admitted: bool,
    /// The peer's user, as extended authentication has proven it once `admitted`.
    pub(super) user: Option<String>,
    /// How often the peer has been told this host's user and password.
    pub(super) questions: u32,
    /// Addresses that the peer holds under this SA.
    pub(super) leases: Vec<IpAddr>,
    /// Those that it wanted and that there were not, when it last was given some.
    pub(super) missing: Vec<MissingAddress>,
    /// What the peer gave this host.
    pub(super) configuration: Option<Box<Configuration>>,
    /// What is known of the peer's liveliness.
    pub(super) liveliness: Liveliness,
    pub(super) look: Look,
}

/// What must happen under an ISAKMP SA before quick modes may: extended authentication, Mode Config.
pub(super) struct Preparation {
    /// What it waits for, for people.
    pub(super) waits_for: &'static str,
    /// The identifier of this host's configuration transactions, once there is one.
    pub(super) identifier: Option<u16>,
    /// It has been waited long enough: for the peer to begin Mode Config, or for an address to give.
    pub(super) overdue: bool,
    /// Mode Config is done.
    pub(super) configured: bool,
    /// Addresses that are being added to this host.
    pub(super) adding: usize,
    /// Why the peer is refused, while it is being told.
    pub(super) failure: Option<Failure>,
    /// The peer says that it has no earlier SA with this host.
    pub(super) initial_contact: bool,
    /// What is waiting for it.
    pub(super) waiting: Vec<NegotiationId>,
}

/// A transaction exchange, under way or just finished.
pub(super) struct Transaction {
    /// `None` once it is finished, or if the peer began it.
    pub(super) exchange: Option<Exchange<config_mode::State>>,
    pub(super) past: Vec<(Digest, Option<Outgoing>)>,
    pub(super) retransmission: Retransmission,
    /// The IV of what the peer may send next with the same message ID.
    pub(super) next_iv: Option<Iv>,
}

/// A quick mode, under way or just finished.
pub(super) struct Running {
    /// `None` once it is finished.
    pub(super) exchange: Option<Exchange<QuickMode>>,
    pub(super) past: Vec<(Digest, Option<Outgoing>)>,
    pub(super) negotiation: NegotiationId,
    pub(super) began: Time,
    pub(super) retransmission: Retransmission,
    pub(super) id: IpsecSaId,
    /// The second step of the installation, while it waits for its time.
    pub(super) switch_over: Option<SwitchOver>,
    /// The SAs of which the peer is told once more that they are gone.
    pub(super) tell_again: Vec<SaName>,
}

/// The second step of the installation of a pair that takes over from another.
#[derive(Debug)]
pub(super) struct SwitchOver {
    /// The branch that asks.
    pub(super) branch: BranchNumber,
    /// The traffic.
    pub(super) selector: Selector,
    /// What it asks.
    pub(super) operation: SaOp,
}

/// The most message IDs that are remembered for one ISAKMP SA. Then it serves no more: replays could not be told apart.
pub(super) const USED_LIMIT: usize = 16_384;

/// With those that this host chose: more than [`USED_LIMIT`], so that deletes can still be sent.
pub(super) const OWN_LIMIT: usize = USED_LIMIT + 1_024;

/// The most SAs that are remembered as deleted before they were there.
pub(super) const DELETED_LIMIT: usize = 64;

/// A pair of IPsec SAs.
pub(super) struct Pair {
    pub(super) sa: IpsecSa,
    pub(super) since: Time,
    /// When its quick mode began.
    pub(super) began: Time,
    /// Which end began the quick mode.
    pub(super) role: Role,
    /// Who the peer is.
    pub(super) identity: Identity,
    /// Its user, after extended authentication.
    pub(super) user: Option<String>,
    /// How often a successor was tried in vain.
    pub(super) attempts: u32,
    /// A successor is being negotiated.
    pub(super) rekeying: bool,
    /// A successor has taken over.
    pub(super) replaced: bool,
    /// The peer has been told that it is gone.
    pub(super) told: bool,
    /// It ends when it carries nothing for so many seconds; 0: it does not.
    pub(super) idle: u32,
    /// Packets in and out when that was last looked at.
    pub(super) carried: (u64, u64),
    /// The traffic through it at the last look.
    pub(super) usage: Usage,
}

/// What a negotiation is for.
#[derive(Clone, Debug)]
pub(super) enum Goal {
    /// An ISAKMP SA.
    IkeSa {
        /// In place of this one.
        replaces: Option<IkeSaId>,
    },
    /// A pair of IPsec SAs.
    IpsecSa {
        /// For this traffic.
        selector: Selector,
        /// In place of this pair.
        replaces: Option<IpsecSaId>,
    },
}

/// What an administrator sees: it ends in exactly one way.
#[derive(Clone, Debug)]
pub(super) struct Negotiation {
    pub(super) role: Role,
    pub(super) rule: Option<Arc<Rule>>,
    pub(super) goal: Goal,
    pub(super) path: Path,
    pub(super) started: Time,
    /// How far it is.
    pub(super) phase: event::Phase,
    pub(super) ike_sa: Option<IkeSaId>,
    /// A packet of this host that waits for what the peer began.
    pub(super) acquire: Option<Acquire>,
}

impl Standing {
    /// True if the peer is behind a NAT, and its port what the NAT makes it.
    pub(super) const fn is_behind_nat(&self) -> bool {
        self.sa.revision.is_some() && self.sa.nat.remote
    }
}

impl IkeSa {
    /// The standing SA.
    pub(super) fn standing(&self) -> Option<&Standing> {
        match &self.phase {
            Phase::Established(standing) => Some(standing),
            Phase::Negotiating(_) => None,
        }
    }

    /// The standing SA.
    pub(super) fn standing_mut(&mut self) -> Option<&mut Standing> {
        match &mut self.phase {
            Phase::Established(standing) => Some(standing),
            Phase::Negotiating(_) => None,
        }
    }

    /// The negotiations that wait until it is ready for quick modes; `None` if it is.
    pub(super) fn waiting_mut(&mut self) -> Option<&mut Vec<NegotiationId>> {
        match &mut self.phase {
            Phase::Negotiating(negotiating) => Some(&mut negotiating.waiting),
            Phase::Established(standing) => standing.preparation.as_mut().map(|preparation| &mut preparation.waiting),
        }
    }

    /// The main mode under way.
    pub(super) fn negotiating(&self) -> Option<&Negotiating> {
        match &self.phase {
            Phase::Negotiating(negotiating) => Some(negotiating),
            Phase::Established(_) => None,
        }
    }

    /// The main mode under way.
    pub(super) fn negotiating_mut(&mut self) -> Option<&mut Negotiating> {
        match &mut self.phase {
            Phase::Negotiating(negotiating) => Some(negotiating),
            Phase::Established(_) => None,
        }
    }
}
