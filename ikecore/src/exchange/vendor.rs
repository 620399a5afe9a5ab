//! What hosts announce by vendor IDs in messages 1 and 2, beside the revision of NAT traversal.
use super::Settings;
use super::natt::Revision;
use crate::wire::payload::vendor::{DPD, DPD_1_0};
use crate::wire::{Chain, PayloadType};

/// What a peer announces. No hash covers vendor IDs, so nothing that matters for protection may hang on them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Announced {
    /// It answers R-U-THERE (RFC 3706 §5.1).
    pub dpd: bool,
}

impl Announced {
    /// Reads message 1 or 2.
    pub fn read(chain: &Chain<'_>) -> Self {
        let mut announced = Self::default();
        for payload in chain.all(PayloadType::VENDOR) {
            // A later minor version speaks this one too.
            announced.dpd |= payload.body.starts_with(&DPD);
        }
        announced
    }
}

/// The vendor IDs of this host: those of NAT traversal, then the others.
pub fn own(revisions: &[&'static [u8]], settings: &Settings) -> Vec<&'static [u8]> {
    let mut all = if settings.nat_traversal { revisions.to_vec() } else { Vec::new() };
    // RFC 3706 §5.1: both ends must send it before either may ask. Asked, this host always answers.
    all.push(&DPD_1_0);
    all
}

/// The vendor IDs of NAT traversal with which a responder answers: RFC 3947 §3.1 wants only what the initiator announced
/// too.
pub const fn answered(revision: Option<Revision>) -> &'static [&'static [u8]] {
    match revision {
        Some(Revision::Rfc) => Revision::VENDOR_IDS.split_at(1).0,
        Some(Revision::Draft) => Revision::VENDOR_IDS.split_at(1).1,
        None => &[],
    }
}
