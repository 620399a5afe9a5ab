//! Asks: work that must leave the core and come back.
use crate::crypto::error::GroupError;
use crate::crypto::group::{KeyPair, PrivateKey};
use crate::sa::driver::{SaAnswer, SaOp};
use crate::secret::Secret;
use std::sync::Arc;

/// Work that must leave the core.
#[derive(Debug)]
pub enum Ask {
    /// A Diffie-Hellman computation, for a worker thread: [`KeyExchange::run`] does it.
    KeyExchange(KeyExchange),
    /// An operation of the SA driver.
    Sa(SaOp),
}

/// The answer to an [`Ask`].
#[derive(Debug)]
pub enum Answer {
    /// To [`Ask::KeyExchange`].
    KeyExchange(Result<KeyExchangeAnswer, GroupError>),
    /// To [`Ask::Sa`].
    Sa(SaAnswer),
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
