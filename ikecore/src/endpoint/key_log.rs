//! The key log: the keys by which a recording of the traffic can be read, for whoever has asked for them.
//!
//! While [`super::Config::key_log`] is not set, nothing here takes a key out of its [`Secret`].
use super::Endpoint;
use super::io::Output;
use super::tables::IkeSa;
use crate::exchange::mode::Phase1;
use crate::exchange::phase1::Phase1Keys;
use crate::ids::{Cookie, IkeSaId, Spi};
use crate::proposal::suite::{EspCipher, Integrity, IpsecSuite};
use crate::sa::driver::SaSpec;
use crate::secret::Secret;
use std::net::IpAddr;

/// A key, and what it belongs to.
#[derive(Debug)]
pub enum LoggedKey {
    /// Of the encrypted messages of an ISAKMP SA and of all exchanges under it (Ka of RFC 2409 Appendix B).
    Isakmp {
        /// CKY-I.
        initiator: Cookie,
        /// The key.
        key: Secret<Vec<u8>>,
    },
    /// Of an ESP SA.
    Esp(EspKey),
}

/// The keys of an ESP SA.
#[derive(Debug)]
pub struct EspKey {
    /// The (outer) source address of its packets.
    pub source: IpAddr,
    /// The (outer) destination address.
    pub destination: IpAddr,
    /// True if a NAT is between the peers: then the addresses are such as this host sees them now.
    pub encapsulated: bool,
    /// The SPI.
    pub spi: Spi,
    /// The cipher.
    pub cipher: EspCipher,
    /// The integrity algorithm; `None` if the cipher authenticates by itself, or nothing does.
    pub integrity: Option<Integrity>,
    /// [`EspCipher::key_len`] octets.
    pub encryption_key: Secret<Vec<u8>>,
    /// [`IpsecSuite::integrity_key_len`] octets.
    pub integrity_key: Secret<Vec<u8>>,
}

impl Endpoint {
    fn log_key(&mut self, key: LoggedKey) {
        self.flush();
        self.outputs.push_back(Output::Key(key));
    }

    /// Main mode has come to its end. Its key is told then and not before: of several branches one was right, and a reader
    /// of the log takes the key that stands by the cookie.
    pub(super) fn log_phase_1_key(&mut self, initiator: Cookie, key: impl FnOnce() -> Secret<Vec<u8>>) {
        if self.config.key_log {
            self.log_key(LoggedKey::Isakmp { initiator, key: key() });
        }
    }

    /// A main mode fails. If it has come as far as encrypted messages, they show why.
    pub(super) fn log_key_of_failed(&mut self, id: IkeSaId) {
        if !self.config.key_log {
            return;
        }
        let Some((sa, negotiating)) = self.ike_sas.get(&id).and_then(|sa| Some((sa, IkeSa::negotiating(sa)?))) else {
            return;
        };
        let initiator = sa.cookies.initiator;
        let key = negotiating.exchange.state().and_then(Phase1::keys).map(Phase1Keys::cipher_octets);
        if let Some(key) = key {
            self.log_key(LoggedKey::Isakmp { initiator, key });
        }
    }

    /// An IPsec SA goes to the driver. AH has nothing that would have to be deciphered.
    pub(super) fn log_ipsec_key(&mut self, sa: &SaSpec) {
        if let (true, IpsecSuite::Esp { cipher, integrity }) = (self.config.key_log, sa.suite) {
            self.log_key(LoggedKey::Esp(EspKey {
                source: sa.source,
                destination: sa.destination,
                encapsulated: sa.encapsulation.is_some(),
                spi: sa.spi,
                cipher,
                integrity,
                encryption_key: sa.encryption_key.duplicate(),
                integrity_key: sa.integrity_key.duplicate(),
            }));
        }
    }
}
