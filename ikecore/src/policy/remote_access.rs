//! What happens between phase 1 and quick mode when a host joins a network from outside: extended authentication (XAuth,
//! draft-beaulieu-ike-xauth-02) and configuration (Mode Config, draft-dukes-ike-mode-cfg-02).
use super::pool::Pool;
use super::rule::{HybridMethod, Rule};
use crate::crypto::signature::SignatureAlg;
use crate::secret::Secret;
use std::sync::Arc;

/// Extended authentication.
#[derive(Clone, Debug)]
pub enum Xauth {
    /// The peer must prove by name and password who its user is.
    Server,
    /// This host proves itself so.
    Client(XauthCredentials),
}

/// A user's name and password.
#[derive(Clone, Debug)]
pub struct XauthCredentials {
    /// The name.
    pub user: String,
    /// The password.
    pub password: Arc<Secret<Vec<u8>>>,
}

impl Xauth {
    /// True if both are the same; passwords are compared in constant time.
    pub fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Server, Self::Server) => true,
            (Self::Client(one), Self::Client(other)) => {
                one.user == other.user && one.password.ct_eq(other.password.expose())
            }
            _ => false,
        }
    }
}

impl HybridMethod {
    /// Whether the method is of the end that the rule's extended authentication makes this host, with a key of the one kind
    /// that there is.
    pub fn fits(&self, xauth: Option<&Xauth>) -> bool {
        match (self, xauth) {
            (Self::Gateway(own), Some(Xauth::Server)) => own.algorithm() == SignatureAlg::Rsa,
            (Self::Client(_), Some(Xauth::Client(_))) => true,
            _ => false,
        }
    }
}

/// Mode Config.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ModeConfig {
    /// This host gives addresses of the pool.
    Server {
        /// What there is to give.
        pool: Arc<Pool>,
        /// It gives unasked, by SET, instead of waiting for a REQUEST.
        push: bool,
    },
    /// This host gets an address.
    Client {
        /// It waits for a SET instead of asking by REQUEST.
        push: bool,
    },
}

impl Rule {
    /// True if only the peer can begin: it is a client of which neither the address nor the user is known before.
    pub fn peer_begins(&self) -> bool {
        matches!(self.xauth, Some(Xauth::Server)) || self.gives_addresses() || self.names_no_peer()
    }

    /// True if the rule is for peers at any address.
    pub fn names_no_peer(&self) -> bool {
        self.tunnel.is_some_and(|tunnel| tunnel.remote.is_none())
    }

    /// True if this host gives the peer an address.
    pub const fn gives_addresses(&self) -> bool {
        matches!(self.mode_config, Some(ModeConfig::Server { .. }))
    }

    /// True if this host gets an address of the peer.
    pub const fn gets_address(&self) -> bool {
        matches!(self.mode_config, Some(ModeConfig::Client { .. }))
    }

    /// True if both rules ask for the same between phase 1 and quick mode.
    pub fn prepares_like(&self, other: &Self) -> bool {
        let xauth = match (&self.xauth, &other.xauth) {
            (None, None) => true,
            (Some(one), Some(other)) => one.is_same(other),
            _ => false,
        };
        xauth && self.mode_config == other.mode_config
    }
}
