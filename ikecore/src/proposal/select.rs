//! The choice among a peer's proposals, and the check of a peer's choice.
use super::mismatch::Mismatch;
use super::offer::{MainModeOffer, QuickModeOffer};
use super::suite::{IkeSuite, IpsecSuite, Lifetime};
use crate::crypto::group::Group;
use crate::ids::Spi;
use crate::wire::codes::{AuthenticationMethod, EncapsulationMode};
use crate::wire::payload::Sa;

/// What main mode agreed on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChosenMainMode {
    /// Proposal #.
    pub proposal: u8,
    /// Transform #.
    pub transform: u8,
    /// The algorithms.
    pub suite: IkeSuite,
    /// The life of the ISAKMP SA: the shorter of both sides'.
    pub lifetime: Lifetime,
    /// The body of the reply's SA payload.
    pub body: Vec<u8>,
}

/// What quick mode agreed on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChosenQuickMode {
    /// Proposal #.
    pub proposal: u8,
    /// Transform #.
    pub transform: u8,
    /// The algorithms.
    pub suite: IpsecSuite,
    /// The life of the SAs: the shorter of both sides'.
    pub lifetime: Lifetime,
    /// The group of the second Diffie-Hellman exchange.
    pub pfs: Option<Group>,
    /// How packets are wrapped.
    pub mode: EncapsulationMode,
    /// The peer's SPI: that of packets that leave.
    pub peer_spi: Spi,
    /// This host's life is shorter than the peer's: what to tell it in RESPONDER-LIFETIME.
    pub notify_lifetime: Option<Lifetime>,
}

impl ChosenQuickMode {
    /// The body of the reply's SA payload.
    pub fn reply(&self, own_spi: Spi) -> Vec<u8> {
        let _ = own_spi;
        Vec::new()
    }
}

/// The responder's choice in main mode.
pub fn select_main_mode(
    sa: &Sa<'_>,
    offers: &[MainModeOffer],
    authentication: &[AuthenticationMethod],
    lifetime: Lifetime,
) -> Result<ChosenMainMode, Vec<Mismatch>> {
    let _ = (sa, offers, authentication, lifetime);
    Err(Vec::new())
}

fn nothing() -> Mismatch {
    Mismatch { proposal: 0, transform: 0, attribute: "SA", received: String::new(), allowed: String::new() }
}

/// The initiator's check of the responder's choice in main mode.
pub fn verify_main_mode_reply(reply: &Sa<'_>, offered: &[u8]) -> Result<ChosenMainMode, Mismatch> {
    let _ = (reply, offered);
    Err(nothing())
}

/// The responder's choice in quick mode.
pub fn select_quick_mode(
    sa: &Sa<'_>,
    offers: &[QuickModeOffer],
    modes: &[EncapsulationMode],
    ke_len: Option<usize>,
) -> Result<ChosenQuickMode, Vec<Mismatch>> {
    let _ = (sa, offers, modes, ke_len);
    Err(Vec::new())
}

/// The initiator's check of the responder's choice in quick mode.
pub fn verify_quick_mode_reply(reply: &Sa<'_>, offered: &[u8]) -> Result<ChosenQuickMode, Mismatch> {
    let _ = (reply, offered);
    Err(nothing())
}
