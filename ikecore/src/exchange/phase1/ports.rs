//! Where a phase 1 goes on once a NAT is seen: the initiator changes to the ports of NAT traversal, the responder follows
//! (RFC 3947 §4).
use super::super::message::Incoming;
use super::super::natt::Nat;
use super::super::{Cx, Path};
use super::Settled;
use crate::address::HostAddress;
use crate::event::Reject;

/// From where to where the initiator goes on. RFC 3947 §4: once a NAT is known to be there, it changes to the other port. A
/// successor begins there, and the peer's port is then the one that its NAT gave it.
pub fn initiators_path(path: Path, nat: Nat, cx: &Cx<'_>) -> Path {
    if nat.between() && path.local.port() != cx.settings.nat_t_port {
        path.to_nat_t(cx.settings.nat_t_port)
    } else {
        path
    }
}

/// Whether the initiator goes on where it began, or has changed to the port of NAT traversal, as it does with its last
/// message if it sees a NAT (RFC 3947 §4); a NAT then gave it another port.
#[derive(Clone, Copy)]
pub enum Ports {
    /// It began on the port of NAT traversal.
    BeganThere,
    /// It has changed.
    Changed,
    /// It stays on the port of IKE.
    Stayed,
}

impl Ports {
    /// Looks at the initiator's last message, where the phase 1 began on a path.
    pub fn seen(settled: &Settled, began: Path, message: &Incoming<'_>, cx: &Cx<'_>) -> Result<Self, Reject> {
        let (remote, expected) = (message.path.remote, began.remote);
        let on_nat_t_port = |port| port == cx.settings.nat_t_port && settled.revision.is_some();
        let ports = match (on_nat_t_port(began.local.port()), on_nat_t_port(message.path.local.port())) {
            (true, _) => Self::BeganThere,
            (false, true) => Self::Changed,
            (false, false) => Self::Stayed,
        };
        let same_port = remote.port() == expected.port() || matches!(ports, Self::Changed);
        if HostAddress::from(remote) != HostAddress::from(expected) || !same_port {
            return Err(Reject::WrongAddress { expected });
        }
        Ok(ports)
    }

    /// Whether a NAT is between the two, as the initiator sees it too. No hash covers NAT-D payloads: if somebody changed
    /// them on the way the two ends see different things. But an initiator that sees a NAT changes to the other port, and
    /// one that sees none does not.
    pub fn nat(self, seen: Nat) -> Nat {
        match self {
            Self::Changed if !seen.between() => Nat { local: false, remote: true },
            Self::Changed | Self::BeganThere => seen,
            Self::Stayed => Nat::default(),
        }
    }
}
