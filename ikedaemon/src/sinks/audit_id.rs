//! The numbers of audit events, as administrators know them from Windows, and what of their words the trace has too: one
//! table for the trace and the audit.
use ikecore::certificate::CertificateFault;
use ikecore::event::{Failure, Phase};

/// An ISAKMP SA or a pair of IPsec SAs was established.
pub const ESTABLISHED: u16 = 541;
/// A pair of IPsec SAs ended.
pub const IPSEC_SA_ENDED: u16 = 542;
/// An ISAKMP SA ended.
pub const IKE_SA_ENDED: u16 = 543;
/// No trust in the peer's certificate.
pub const NO_TRUST: u16 = 544;
/// The peer could not prove who it is.
pub const AUTHENTICATION_FAILED: u16 = 545;
/// The peer's answer breaks the proposal.
pub const INVALID_PROPOSAL: u16 = 546;
/// A negotiation failed for any other reason.
pub const NEGOTIATION_FAILED: u16 = 547;

/// The number of a failed negotiation.
pub const fn failed(failure: &Failure) -> u16 {
    match failure {
        // This host's own affair.
        Failure::Certificate { fault: CertificateFault::PrivateKey { .. } | CertificateFault::Aborted(_), .. } => {
            NEGOTIATION_FAILED
        }
        // The certificate may be good; it is not of who signed, or of who the peer says it is.
        Failure::Certificate {
            fault:
                CertificateFault::Missing
                | CertificateFault::Signature { .. }
                | CertificateFault::OtherNames { .. }
                | CertificateFault::OtherAddress { .. }
                | CertificateFault::OtherSubject { .. },
            ..
        } => AUTHENTICATION_FAILED,
        Failure::Certificate { .. } => NO_TRUST,
        Failure::PreSharedKeyMismatch { .. } | Failure::IdentityMismatch { .. } | Failure::XauthFailed { .. } => {
            AUTHENTICATION_FAILED
        }
        Failure::ChoiceNotOffered(_) => INVALID_PROPOSAL,
        _ => NEGOTIATION_FAILED,
    }
}

/// The mode.
pub const fn mode(phase: Phase) -> &'static str {
    match phase {
        Phase::MainMode => "Key Exchange Mode (Main Mode)",
        Phase::AggressiveMode => "Key Exchange Mode (Aggressive Mode)",
        Phase::QuickMode => "Data Protection Mode (Quick Mode)",
    }
}

/// The end that found the failure.
pub const fn point(failure: &Failure) -> &'static str {
    match failure {
        Failure::PeerRefused { .. }
        | Failure::XauthRefused { .. }
        | Failure::DeletedByPeer(_)
        | Failure::InitialContact => "Peer",
        _ => "Me",
    }
}
