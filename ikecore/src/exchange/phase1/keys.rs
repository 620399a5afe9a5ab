//! The keys of phase 1, and what phase 2 uses of them.
use crate::crypto::cipher::CipherKey;
use crate::crypto::iv::Iv;
use crate::crypto::prf::PrfKey;
use crate::crypto::skeyid::Skeyid;
use crate::event::Failure;
use crate::ids::{Cookies, MessageId};
use crate::proposal::suite::IkeSuite;
use std::sync::Arc;

/// The keys of an ISAKMP SA, as phase 2 uses them.
pub struct IkeKeys {
    /// Its cookies.
    pub cookies: Cookies,
    /// Its algorithms.
    pub suite: IkeSuite,
    skeyid: Arc<Skeyid>,
    /// Encrypts the messages.
    pub cipher: Arc<CipherKey>,
    /// The last ciphertext block of phase 1: the IVs of phase 2 come from it (RFC 2409 Appendix B).
    pub last_block: Iv,
}

impl IkeKeys {
    /// SKEYID_d: keying material of other SAs comes from it.
    pub fn d(&self) -> &PrfKey {
        &self.skeyid.d
    }

    /// SKEYID_a: authenticates phase 2 messages.
    pub fn a(&self) -> &PrfKey {
        &self.skeyid.a
    }

    /// The first IV of a phase 2 exchange.
    pub fn first_iv(&self, message_id: MessageId) -> Iv {
        let block = self.suite.cipher.block_len();
        Iv::phase_2(self.suite.hash, block, self.last_block.as_ref(), message_id)
    }
}

/// The keys of phase 1.
#[derive(Clone)]
pub struct Phase1Keys {
    /// SKEYID, which HASH_I and HASH_R are made with, and what comes of it.
    pub skeyid: Arc<Skeyid>,
    /// Encrypts the messages that are encrypted.
    pub cipher: Arc<CipherKey>,
    /// The IV of the next message.
    pub iv: Iv,
}

impl Phase1Keys {
    /// The keys that come of SKEYID and the public values (RFC 2409 §5 and Appendix B).
    pub fn derive(suite: &IkeSuite, skeyid: Skeyid, g_xi: &[u8], g_xr: &[u8]) -> Result<Self, Failure> {
        let cipher = skeyid
            .cipher_key(suite.cipher)
            .map_err(|error| Failure::Crypto { operation: "the encryption key", reason: error.to_string() })?;
        let iv = Iv::phase_1(suite.hash, suite.cipher.block_len(), g_xi, g_xr);
        Ok(Self { skeyid: Arc::new(skeyid), cipher: Arc::new(cipher), iv })
    }

    /// The same keys with the IV of the next message.
    #[must_use]
    pub fn with_iv(&self, iv: Iv) -> Self {
        Self { iv, ..self.clone() }
    }

    /// What phase 2 needs of them; `last_block` is the last of phase 1 in ciphertext.
    pub fn phase_2(&self, cookies: Cookies, suite: IkeSuite, last_block: Iv) -> IkeKeys {
        IkeKeys { cookies, suite, skeyid: Arc::clone(&self.skeyid), cipher: Arc::clone(&self.cipher), last_block }
    }
}
