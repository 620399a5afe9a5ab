//! Asks: work that must leave the core and come back.
use crate::crypto::error::GroupError;
use crate::crypto::group::{KeyPair, PrivateKey};
use crate::sa::driver::{SaAnswer, SaOp};
use crate::secret::Secret;
use std::net::IpAddr;
use std::sync::Arc;

/// Work that must leave the core.
#[derive(Debug)]
pub enum Ask {
    /// A Diffie-Hellman computation, for a worker thread: [`KeyExchange::run`] does it.
    KeyExchange(KeyExchange),
    /// An operation of the SA driver.
    Sa(SaOp),
    /// A user's name and password to check.
    Xauth(XauthCheck),
    /// An address of this host that a peer gave, or takes back.
    Address(AddressOp),
}

/// The answer to an [`Ask`].
#[derive(Debug)]
pub enum Answer {
    /// To [`Ask::KeyExchange`].
    KeyExchange(Result<KeyExchangeAnswer, GroupError>),
    /// To [`Ask::Sa`].
    Sa(SaAnswer),
    /// To [`Ask::Xauth`]: why the user is not admitted. The reason is for the administrator; the peer never hears it.
    Xauth(Result<(), String>),
    /// To [`Ask::Address`]: why not, in the words of the system.
    Address(Result<(), String>),
}

/// A user's name and password.
#[derive(Debug)]
pub struct XauthCheck {
    /// Where they came from.
    pub peer: IpAddr,
    /// The rule that wants them.
    pub rule: String,
    /// The name.
    pub user: String,
    /// The password.
    pub password: Secret<Vec<u8>>,
}

/// What becomes of an address that a peer gave to this host.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AddressOp {
    /// It is this host's from now on; that it is already is no error.
    Add(IpAddr),
    /// It is no more; that it was not is no error.
    Remove(IpAddr),
}

/// A Diffie-Hellman computation.
pub enum KeyExchange {
    /// Compute the public value, and with the peer's (if it is here already) the shared secret too.
    Derive {
        /// The private value.
        private: PrivateKey,
        /// The peer's public value, checked for its form already.
        peer: Option<Vec<u8>>,
    },
    /// Compute the shared secret.
    Agree {
        /// This host's pair.
        pair: Arc<KeyPair>,
        /// The peer's public value.
        peer: Vec<u8>,
    },
}

impl core::fmt::Debug for KeyExchange {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Derive { .. } => "Derive",
            Self::Agree { .. } => "Agree",
        })
    }
}

/// What a Diffie-Hellman computation gave.
pub struct KeyExchangeAnswer {
    /// This host's pair.
    pub pair: Arc<KeyPair>,
    /// The shared secret, if the peer's public value was given.
    pub shared: Option<Secret<Vec<u8>>>,
}

impl core::fmt::Debug for KeyExchangeAnswer {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("KeyExchangeAnswer")
    }
}

impl KeyExchange {
    /// Does the computation; takes up to several milliseconds.
    pub fn run(self) -> Result<KeyExchangeAnswer, GroupError> {
        let (pair, peer) = match self {
            Self::Derive { private, peer } => (Arc::new(KeyPair::derive(private)?), peer),
            Self::Agree { pair, peer } => (pair, Some(peer)),
        };
        let shared = peer.map(|peer| pair.agree(&peer)).transpose()?;
        Ok(KeyExchangeAnswer { pair, shared })
    }
}
