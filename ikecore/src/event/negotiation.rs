//! Negotiations, ISAKMP SAs, quick modes and IPsec SAs.
use super::failure::Failure;
use crate::crypto::group::Group;
use crate::crypto::signature::SignatureAlg;
use crate::identity::Identity;
use crate::ids::{Cookies, IpsecSaId, MessageId, Spi};
use crate::policy::rule::{AuthMethod, Rule};
use crate::policy::selector::{Flow, Selector};
use crate::proposal::mismatch::Mismatch;
use crate::proposal::offer::{MainModeOffer, QuickModeOffer};
use crate::proposal::suite::{IkeSuite, Lifetime, Mode, ProtectionSuite};
use crate::sa::driver::SaPair;
use core::fmt;
use std::net::IpAddr;

/// Which end began.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// This host.
    Initiator,
    /// The peer.
    Responder,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Initiator => "initiator",
            Self::Responder => "responder",
        })
    }
}

/// What made a negotiation begin.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cause {
    /// A packet that must be protected.
    Acquire(Flow),
    /// The administrator.
    Command,
    /// The peer.
    Peer,
    /// SAs near the end of their life.
    Rekey,
    /// The peer was dead, and its rule wants the SAs back.
    DeadPeer,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Acquire(flow) => write!(f, "traffic {flow}"),
            Self::Command => f.write_str("command"),
            Self::Peer => f.write_str("peer"),
            Self::Rekey => f.write_str("rekey"),
            Self::DeadPeer => f.write_str("dead peer"),
        }
    }
}

/// How far a negotiation got.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    /// Main mode.
    MainMode,
    /// Aggressive mode.
    AggressiveMode,
    /// Quick mode.
    QuickMode,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MainMode => "main mode",
            Self::AggressiveMode => "aggressive mode",
            Self::QuickMode => "quick mode",
        })
    }
}

/// A negotiation as the administrator sees it. It ends in exactly one [`Self::Succeeded`] or [`Self::Failed`].
#[derive(Clone, Debug)]
pub enum NegotiationEvent {
    /// It began.
    Started {
        /// Which end began.
        role: Role,
        /// Why.
        cause: Cause,
        /// The rule, if known yet.
        rule: Option<String>,
    },
    /// What was wanted is there: the SAs are installed, or (for main mode alone) the ISAKMP SA stands.
    Succeeded {
        /// Which end began.
        role: Role,
        /// Quick mode, or the mode of phase 1 if no quick mode was part of it.
        phase: Phase,
    },
    /// It failed.
    Failed {
        /// Which end began.
        role: Role,
        /// How far it got.
        phase: Phase,
        /// Why.
        failure: Failure,
        /// Seconds since it began.
        seconds: u64,
        /// The rule, if it was known.
        rule: Option<String>,
        /// The traffic that SAs were wanted for, if it was known.
        selector: Option<Box<Selector>>,
    },
}

/// An ISAKMP SA and its main mode.
#[derive(Clone, Debug)]
pub enum IkeSaEvent {
    /// Policy for the peer was found (trace).
    PolicyFound {
        /// The rule.
        rule: String,
        /// The main-mode policy's name.
        policy: String,
        /// Its offers.
        offers: Vec<MainModeOffer>,
        /// Its lifetime.
        lifetime: Lifetime,
        /// Its quick-mode limit; 0 is none.
        quick_mode_limit: u32,
        /// The life of its soft SAs, seconds; 0 is no limit.
        soft_lifetime: u32,
        /// The names of the authentication methods (of certificates, of their signatures) and, for a pre-shared key, its
        /// length in octets.
        authentication: Vec<(&'static str, usize)>,
    },
    /// A main mode began.
    Created {
        /// Which end began.
        role: Role,
        /// CKY-I, and CKY-R as far as it is known.
        cookies: Cookies,
    },
    /// A transform of the peer's proposal is not acceptable (trace).
    TransformRefused(Mismatch),
    /// A proposal was chosen (trace).
    ProposalAccepted {
        /// The number of the transform.
        transform: u8,
        /// The algorithms.
        suite: IkeSuite,
        /// The life.
        lifetime: Lifetime,
    },
    /// What NAT detection found (trace).
    NatDetected {
        /// A NAT is before this host.
        local: bool,
        /// A NAT is before the peer.
        remote: bool,
    },
    /// The peer has proven who it is (trace).
    Authenticated {
        /// The identity.
        identity: Identity,
    },
    /// A proof of the peer was refused. It may have been somebody else's, so the main mode goes on.
    ProofRefused(Failure),
    /// It stands.
    Established {
        /// Which end began.
        role: Role,
        /// Its cookies.
        cookies: Cookies,
        /// The algorithms.
        suite: IkeSuite,
        /// The life as negotiated.
        lifetime: Lifetime,
        /// Who the peer is.
        identity: Identity,
        /// The rule.
        rule: String,
    },
    /// The peer is asked whether it lives (trace).
    Probing {
        /// The sequence number.
        sequence: u32,
        /// 1 for the first that is not answered.
        count: u32,
    },
    /// A delete for it goes out (trace).
    DeleteSent,
    /// It is gone.
    Ended {
        /// Its cookies.
        cookies: Cookies,
        /// True if it had been established.
        established: bool,
        /// Why.
        reason: Failure,
        /// How many quick modes it served.
        quick_modes: u32,
        /// Who the peer is, if it had been established.
        identity: Option<Identity>,
        /// The rule.
        rule: String,
    },
}

impl IkeSaEvent {
    /// The policy of a rule.
    pub fn policy_found(rule: &Rule) -> Self {
        let policy = &rule.main_mode;
        let method = |method: &AuthMethod| match method {
            AuthMethod::PreSharedKey(key) => ("PresharedKey", key.expose().len()),
            AuthMethod::Certificate(method) => match method.own.algorithm() {
                SignatureAlg::Rsa => ("RSA Sig", 0),
                SignatureAlg::Ecdsa256 => ("ECDSA-256 Sig", 0),
                SignatureAlg::Ecdsa384 => ("ECDSA-384 Sig", 0),
                SignatureAlg::Ecdsa521 => ("ECDSA-521 Sig", 0),
            },
            AuthMethod::Hybrid(_) => ("Hybrid RSA Sig", 0),
        };
        Self::PolicyFound {
            rule: rule.name.clone(),
            policy: policy.name.clone(),
            offers: policy.offers.clone(),
            lifetime: policy.lifetime,
            quick_mode_limit: policy.quick_mode_limit,
            soft_lifetime: policy.soft_lifetime,
            authentication: rule.authentication.iter().map(method).collect(),
        }
    }
}

/// A quick mode under way.
#[derive(Clone, Debug)]
pub enum QuickModeEvent {
    /// It began.
    Created {
        /// Which end began.
        role: Role,
        /// Its message ID.
        message_id: MessageId,
        /// The rule.
        rule: String,
        /// The traffic that it is for.
        selector: Selector,
    },
    /// The offers of its policy (trace).
    PolicyFound {
        /// The rule.
        rule: String,
        /// The quick-mode policy's name.
        policy: String,
        /// Its offers.
        offers: Vec<QuickModeOffer>,
    },
    /// The driver gave an SPI (trace).
    SpiAllocated(Spi),
    /// A transform of the peer's proposal is not acceptable (trace).
    TransformRefused(Mismatch),
    /// A proposal was chosen (trace).
    ProposalAccepted {
        /// The number of the proposal.
        proposal: u8,
        /// The number of the transform.
        transform: u8,
        /// The algorithms.
        suite: ProtectionSuite,
        /// The mode.
        mode: Mode,
        /// The life.
        lifetime: Lifetime,
        /// The group, with perfect forward secrecy.
        pfs: Option<Group>,
    },
    /// The responder announced shorter lifetimes (RFC 2407 §4.6.3.1).
    ResponderLifetime(Lifetime),
    /// The peer set the commit bit (RFC 2408 §3.1): what leaves waits for its CONNECTED (trace).
    CommitBit,
    /// Its CONNECTED did not come; the SAs are used without.
    NotConnected,
    /// SAs are given to the driver (trace).
    Installing {
        /// This host's end, outer.
        local: IpAddr,
        /// The peer's end, outer.
        remote: IpAddr,
        /// SPI for packets that arrive.
        inbound: Spi,
        /// SPI for packets that leave.
        outbound: Spi,
        /// The algorithms.
        suite: ProtectionSuite,
        /// The mode.
        mode: Mode,
        /// The traffic.
        selector: Selector,
        /// The life.
        lifetime: Lifetime,
    },
    /// It ended without SAs.
    Failed(Failure),
}

impl QuickModeEvent {
    /// A pair goes to the driver.
    pub fn installing(pair: &SaPair, lifetime: Lifetime) -> Self {
        Self::Installing {
            local: pair.inbound.destination,
            remote: pair.inbound.source,
            inbound: pair.inbound.spi,
            outbound: pair.outbound.spi,
            suite: pair.inbound.protection(),
            mode: pair.inbound.mode,
            selector: pair.inbound.selector,
            lifetime,
        }
    }
}

/// A soft SA: traffic that passes in clear because its peer does not answer IKE.
#[derive(Clone, Debug)]
pub enum SoftSaEvent {
    /// The traffic passes from now on.
    Established {
        /// The traffic.
        selector: Selector,
        /// The rule.
        rule: String,
        /// Its life in seconds; 0 is no limit.
        lifetime: u32,
    },
    /// It is gone: the traffic needs SAs again.
    Ended {
        /// The traffic.
        selector: Selector,
        /// The rule.
        rule: String,
        /// Why.
        reason: Failure,
    },
}

/// An IPsec SA pair.
#[derive(Clone, Debug)]
pub enum IpsecSaEvent {
    /// It is installed and in use.
    Established {
        /// SPI for packets that arrive.
        inbound: Spi,
        /// SPI for packets that leave.
        outbound: Spi,
        /// The algorithms.
        suite: ProtectionSuite,
        /// The mode.
        mode: Mode,
        /// The traffic.
        selector: Selector,
        /// The life.
        lifetime: Lifetime,
        /// The rule.
        rule: String,
        /// The pair that it takes over from.
        replaces: Option<IpsecSaId>,
    },
    /// A delete for it goes out (trace).
    DeleteSent(Spi),
    /// It is gone.
    Ended {
        /// SPI for packets that arrive.
        inbound: Spi,
        /// SPI for packets that leave.
        outbound: Spi,
        /// Why.
        reason: Failure,
        /// The traffic.
        selector: Selector,
        /// The rule.
        rule: String,
    },
}
