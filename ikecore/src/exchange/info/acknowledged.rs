//! Deletes that are acknowledged, as Windows has them among its own kind.
//!
//! ```text
//! 1  HDR*, HASH(1), Ni, D -->     HASH(1) = prf(SKEYID_a, M-ID | Ni | D)
//! 2          <--  HDR*, HASH(2), Nr, D     HASH(2) = prf(SKEYID_a, Ni_b | M-ID | Nr | D)
//! ```
//!
//! HASH(1) is that of any informational exchange: who does not know of acknowledgements takes it for a plain delete with
//! a nonce beside it.
use super::super::fresh;
use super::super::message::{Envelope, Incoming, Outgoing};
use super::super::phase1::IkeKeys;
use super::super::{Cx, Path};
use super::{Information, envelope, push};
use crate::crypto::iv::Iv;
use crate::crypto::quick::{acknowledgement, informational, verify_acknowledgement};
use crate::event::{Failure, Reject};
use crate::ids::MessageId;
use crate::rng::SecureRandom;
use crate::wire::{ChainWriter, PayloadRule, PayloadType};
use std::sync::Arc;

const RULES: &[PayloadRule] =
    &[PayloadRule::one(PayloadType::HASH), PayloadRule::one(PayloadType::NONCE), PayloadRule::one(PayloadType::DELETE)];

/// A delete whose sender waits for an acknowledgement.
pub struct Question {
    /// The body of the nonce payload.
    pub(super) nonce: Vec<u8>,
    /// The body of the Delete payload.
    pub(super) delete: Vec<u8>,
    /// The IV of the acknowledgement.
    pub(super) iv: Iv,
}

impl Question {
    /// The acknowledgement.
    pub fn answer(
        &self,
        path: Path,
        keys: &IkeKeys,
        message_id: MessageId,
        rng: &mut dyn SecureRandom,
    ) -> Result<Outgoing, Failure> {
        let mut chain = ChainWriter::new();
        let nonce = fresh::nonce(rng)?;
        chain.push(PayloadType::NONCE, |writer| writer.bytes(&nonce));
        chain.push(PayloadType::DELETE, |writer| writer.bytes(&self.delete));
        let hash = acknowledgement(keys.a(), &self.nonce, message_id, chain.octets());
        chain.prepend(PayloadType::HASH, |writer| writer.bytes(hash.as_ref()));
        let envelope: Envelope = envelope("informational (delete acknowledged)", path, keys.cookies, message_id);
        Ok(envelope.sealed(chain, &keys.cipher, &self.iv)?.0)
    }
}

/// A delete of this host that is not acknowledged yet.
pub struct Unacknowledged {
    keys: Arc<IkeKeys>,
    message_id: MessageId,
    nonce: Vec<u8>,
    iv: Iv,
}

impl Unacknowledged {
    /// Makes a delete that is to be acknowledged.
    pub fn new(
        path: Path,
        keys: &Arc<IkeKeys>,
        message_id: MessageId,
        delete: &Information,
        rng: &mut dyn SecureRandom,
    ) -> Result<(Outgoing, Self), Failure> {
        let nonce = fresh::nonce(rng)?;
        let mut chain = ChainWriter::new();
        chain.push(PayloadType::NONCE, |writer| writer.bytes(&nonce));
        push(&mut chain, delete);
        let hash = informational(keys.a(), message_id, chain.octets());
        chain.prepend(PayloadType::HASH, |writer| writer.bytes(hash.as_ref()));
        let envelope = envelope("informational (delete)", path, keys.cookies, message_id);
        let (message, iv) = envelope.sealed(chain, &keys.cipher, &keys.first_iv(message_id))?;
        Ok((message, Self { keys: Arc::clone(keys), message_id, nonce, iv }))
    }

    /// Whether a message acknowledges it.
    pub fn check(&self, message: &Incoming<'_>, cx: &mut Cx<'_>) -> Result<(), Reject> {
        let opened = message.open(&self.keys.cipher, &self.iv, cx)?;
        let chain = opened.chain(RULES)?;
        let (hash, rest) = opened.hashed(&chain)?;
        // Some put the Delete first, though the hash covers the nonce before it.
        let turned: Vec<u8> = [PayloadType::NONCE, PayloadType::DELETE]
            .iter()
            .filter_map(|kind| chain.one(*kind))
            .flat_map(|payload| payload.whole.to_vec())
            .collect();
        let fits = |covered: &[u8]| verify_acknowledgement(self.keys.a(), &self.nonce, self.message_id, covered, hash);
        if fits(rest) || fits(&turned) { Ok(()) } else { Err(Reject::Hash("HASH(2) of the acknowledged delete")) }
    }
}
