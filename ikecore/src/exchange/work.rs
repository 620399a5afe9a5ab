//! Asks: work that must leave the core and come back.
use crate::address::HostAddress;
use crate::certificate::{Certificate, CertificateFault, RevocationCheck, RevocationList, Trust};
use crate::crypto::error::GroupError;
use crate::crypto::group::{KeyPair, PrivateKey};
use crate::crypto::signature::SigningKey;
use crate::policy::rule::OwnCertificate;
use crate::sa::driver::{SaAnswer, SaOp};
use crate::secret::Secret;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

/// Work that must leave the core.
#[derive(Debug)]
pub enum Ask {
    /// A Diffie-Hellman computation, for a worker thread: [`KeyExchange::run`] does it.
    KeyExchange(KeyExchange),
    /// A signature of this host, for a worker thread, which reads the private key: [`Sign::run`] makes it.
    Sign(Sign),
    /// The check of the peer's certificates, for a worker thread, which knows the date and reads revocation lists:
    /// [`VerifyChain::run`] does it.
    VerifyChain(VerifyChain),
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
    /// To [`Ask::Sign`].
    Sign(Result<Vec<u8>, CertificateFault>),
    /// To [`Ask::VerifyChain`].
    VerifyChain(Result<(), CertificateFault>),
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
    pub peer: HostAddress,
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

/// A signature over HASH_I or HASH_R.
#[derive(Debug)]
pub struct Sign {
    /// Whose signature.
    pub own: Arc<OwnCertificate>,
    /// What is signed.
    pub hash: Vec<u8>,
}

impl Sign {
    /// Signs with the private key that `file` holds, the octets of its file. Takes up to some milliseconds.
    pub fn run(&self, file: &[u8]) -> Result<Vec<u8>, CertificateFault> {
        let sign = || {
            let key = SigningKey::from_file(file)?;
            key.check(self.own.certificate.key())?;
            key.sign(&self.hash)
        };
        sign().map_err(|error| self.no_key(error.to_string()))
    }

    /// The private key cannot be used.
    pub fn no_key(&self, reason: String) -> CertificateFault {
        CertificateFault::PrivateKey {
            subject: self.own.certificate.to_string(),
            file: self.own.private_key.display().to_string(),
            reason,
        }
    }
}

/// The check of a chain of certificates.
#[derive(Debug)]
pub struct VerifyChain {
    /// The peer's certificate, then those that may lead from it to an authority.
    pub chain: Vec<Certificate>,
    /// Whose certificates the peer may have: one of them is enough.
    pub trusts: Vec<Arc<Trust>>,
}

impl VerifyChain {
    /// Checks the chain at the time `now`, in seconds since 1970, with revocation lists that decide no less than `at_least`,
    /// whatever a rule says; `lists` reads a file or a directory of revocation lists.
    /// Takes up to some milliseconds for each certificate.
    pub fn run(
        &self,
        now: i64,
        at_least: RevocationCheck,
        lists: &mut dyn FnMut(&Path) -> Result<Vec<RevocationList>, CertificateFault>,
    ) -> Result<(), CertificateFault> {
        let mut check = |trust: &Trust| {
            let trust = trust.at_least(at_least);
            let mut known = Vec::new();
            if trust.revocation_check != RevocationCheck::Off {
                for path in &trust.revocation_lists {
                    known.extend(lists(path)?);
                }
            }
            trust.check(&self.chain, now, &known)
        };
        let mut first = None;
        for trust in &self.trusts {
            match check(trust) {
                Ok(()) => return Ok(()),
                // Of several faults that of the authority that the chain leads to says most.
                Err(fault) if first.is_none() || matches!(first, Some(CertificateFault::NoChain { .. })) => {
                    first = Some(fault);
                }
                Err(_) => {}
            }
        }
        Err(first.unwrap_or(CertificateFault::Missing))
    }
}
