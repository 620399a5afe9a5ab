//! The numbers of audit events, as administrators know them from Windows: one table for the trace and the audit.
use ikecore::event::Failure;

/// An ISAKMP SA or a pair of IPsec SAs was established.
pub const ESTABLISHED: u16 = 541;
/// A pair of IPsec SAs ended.
pub const IPSEC_SA_ENDED: u16 = 542;
/// An ISAKMP SA ended.
pub const IKE_SA_ENDED: u16 = 543;

/// The number of a failed negotiation.
pub const fn failed(failure: &Failure) -> u16 {
    match failure {
        // The peer's identity could not be proven.
        Failure::PreSharedKeyMismatch { .. } | Failure::IdentityMismatch { .. } => 545,
        // The peer's answer breaks the proposal.
        Failure::ChoiceNotOffered(_) => 546,
        _ => 547,
    }
}
