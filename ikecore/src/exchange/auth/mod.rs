//! Authentication of main mode, apart from the mode itself.
pub mod methods;
pub mod psk;

use crate::identity::Identity;

/// The proof that a peer has authenticated itself. Only the modules of this folder can make one, and an ISAKMP SA
/// cannot be established without it.
#[derive(Debug)]
pub struct PeerVerified {
    identity: Identity,
}

impl PeerVerified {
    /// Who the peer is.
    pub fn into_identity(self) -> Identity {
        self.identity
    }

    /// Who the peer is.
    pub const fn identity(&self) -> &Identity {
        &self.identity
    }
}
