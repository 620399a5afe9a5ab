//! The messages of aggressive mode: their payload rules, and how they are built.
use super::super::Path;
use super::super::auth::{Authentication, Proof, Requests};
use super::super::message::{Envelope, Outgoing};
use super::super::natt::{self, Revision};
use super::super::phase1::{self, Phase1Keys};
use crate::crypto::iv::Iv;
use crate::event::Failure;
use crate::ids::{Cookies, MessageId};
use crate::proposal::suite::IkeSuite;
use crate::wire::{ChainWriter, ExchangeType, PayloadRule, PayloadType};

/// Message 1, and message 2 besides what the authentication method has there.
pub(super) const FIRST_RULES: &[PayloadRule] = &[
    PayloadRule::one(PayloadType::SA),
    PayloadRule::one(PayloadType::KE),
    PayloadRule::one(PayloadType::NONCE),
    PayloadRule::one(PayloadType::ID),
];

pub(super) const fn envelope(name: &'static str, path: Path, cookies: Cookies) -> Envelope {
    Envelope { name, path, cookies, exchange: ExchangeType::AGGRESSIVE, message_id: MessageId::PHASE_1 }
}

/// What messages 1 and 2 have in common.
pub(super) struct First<'a> {
    pub(super) sa: &'a [u8],
    pub(super) public: &'a [u8],
    pub(super) nonce: &'a [u8],
    pub(super) id: &'a [u8],
    pub(super) vendor_ids: &'a [&'a [u8]],
}

impl First<'_> {
    fn chain(&self) -> ChainWriter {
        let mut chain = ChainWriter::new();
        chain.push(PayloadType::SA, |writer| writer.bytes(self.sa));
        phase1::push_ke(&mut chain, self.public, self.nonce);
        chain.push(PayloadType::ID, |writer| writer.bytes(self.id));
        chain
    }

    /// Message 1. `requests` are the authorities whose certificates the responder may have, whichever method it chooses.
    pub(super) fn offer(&self, envelope: &Envelope, requests: &Requests) -> Outgoing {
        let mut chain = self.chain();
        requests.push(&mut chain);
        phase1::push_vendors(&mut chain, self.vendor_ids);
        envelope.clear(chain)
    }

    /// Message 2. It asks for certificates, so that the initiator has the right one for message 3.
    pub(super) fn reply(
        &self,
        envelope: &Envelope,
        proof: &Proof,
        suite: &IkeSuite,
        revision: Option<Revision>,
        requests: &Authentication,
    ) -> Outgoing {
        let mut chain = self.chain();
        proof.push(&mut chain);
        requests.push_requests(&mut chain);
        phase1::push_vendors(&mut chain, self.vendor_ids);
        // RFC 3947 §3.2: in aggressive mode the responder's NAT-D come in message 2, the initiator's in message 3.
        if let Some(revision) = revision {
            natt::push(&mut chain, revision, suite.hash, &envelope.cookies, envelope.path);
        }
        envelope.clear(chain)
    }
}

/// Message 3.
pub(super) fn last(
    envelope: &Envelope,
    proof: &Proof,
    keys: &Phase1Keys,
    suite: &IkeSuite,
    revision: Option<Revision>,
    initial_contact: bool,
) -> Result<(Outgoing, Iv), Failure> {
    let mut chain = ChainWriter::new();
    proof.push(&mut chain);
    if let Some(revision) = revision {
        natt::push(&mut chain, revision, suite.hash, &envelope.cookies, envelope.path);
    }
    if initial_contact {
        phase1::push_initial_contact(&mut chain, &envelope.cookies);
    }
    envelope.sealed(chain, &keys.cipher, &keys.iv)
}
