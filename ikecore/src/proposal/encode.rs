//! The SA payloads that this host sends as initiator.
use super::offer::{MainModeOffer, QuickModeOffer};
use super::suite::Lifetime;
use crate::ids::Spi;
use crate::wire::codes::{AuthenticationMethod, EncapsulationMode, ProtocolId};

/// The body of main mode's SA payload.
pub fn encode_main_mode(
    offers: &[MainModeOffer],
    authentication: &[AuthenticationMethod],
    lifetime: Lifetime,
) -> Vec<u8> {
    let _ = (offers, authentication, lifetime);
    Vec::new()
}

/// The body of quick mode's SA payload.
pub fn encode_quick_mode(offers: &[QuickModeOffer], mode: EncapsulationMode, spis: &[(ProtocolId, Spi)]) -> Vec<u8> {
    let _ = (offers, mode, spis);
    Vec::new()
}
