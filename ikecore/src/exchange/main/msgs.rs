//! The messages of main mode: their payload rules, how they are built, and what is read from them.
use super::super::auth::{Authentication, Claim, Proof};
use super::super::message::{Envelope, Incoming, Outgoing};
use super::super::natt::{self, Revision};
use super::super::phase1::{self, PeerKe, Phase1Keys};
use super::super::{Cx, Path};
use crate::crypto::iv::Iv;
use crate::event::{Failure, Reject};
use crate::ids::{Cookies, MessageId};
use crate::proposal::suite::IkeSuite;
use crate::wire::{ChainWriter, ExchangeType, PayloadRule, PayloadType};

/// Messages 1 and 2.
pub(super) const SA_RULES: &[PayloadRule] = &[PayloadRule::one(PayloadType::SA)];
/// Messages 3 and 4.
const KE_RULES: &[PayloadRule] = &[PayloadRule::one(PayloadType::KE), PayloadRule::one(PayloadType::NONCE)];
/// Messages 5 and 6, besides what the authentication method has there.
const ID_RULE: PayloadRule = PayloadRule::one(PayloadType::ID);

pub(super) const fn envelope(name: &'static str, path: Path, cookies: Cookies) -> Envelope {
    Envelope { name, path, cookies, exchange: ExchangeType::MAIN, message_id: MessageId::PHASE_1 }
}

/// Message 1 or 2.
pub(super) fn sa(envelope: &Envelope, body: &[u8], vendor_ids: &[&[u8]]) -> Outgoing {
    let mut chain = ChainWriter::new();
    chain.push(PayloadType::SA, |writer| writer.bytes(body));
    phase1::push_vendors(&mut chain, vendor_ids);
    envelope.clear(chain)
}

/// Message 3 or 4. The responder asks for certificates here, so that the initiator has the right one for message 5.
pub(super) fn ke(
    envelope: &Envelope,
    public: &[u8],
    nonce: &[u8],
    suite: &IkeSuite,
    natt: Option<Revision>,
    requests: Option<&Authentication>,
) -> Outgoing {
    let mut chain = ChainWriter::new();
    phase1::push_ke(&mut chain, public, nonce);
    if let Some(authentication) = requests {
        authentication.push_requests(&mut chain);
    }
    if let Some(revision) = natt {
        natt::push(&mut chain, revision, suite.hash, &envelope.cookies, envelope.path);
    }
    envelope.clear(chain)
}

/// Reads message 3 or 4.
pub(super) fn read_ke(
    message: &Incoming<'_>,
    suite: &IkeSuite,
    natt: Option<Revision>,
    cx: &mut Cx<'_>,
) -> Result<PeerKe, Reject> {
    let chain = message.clear(KE_RULES)?;
    PeerKe::read(message, &chain, suite, natt, cx)
}

/// Message 5 or 6. The initiator asks for certificates here, where nobody else sees whom it trusts.
pub(super) fn id(
    envelope: &Envelope,
    id: &[u8],
    proof: &Proof,
    requests: Option<&Authentication>,
    initial_contact: bool,
    keys: &Phase1Keys,
) -> Result<(Outgoing, Iv), Failure> {
    let mut chain = ChainWriter::new();
    chain.push(PayloadType::ID, |writer| writer.bytes(id));
    proof.push(&mut chain);
    if let Some(authentication) = requests {
        authentication.push_requests(&mut chain);
    }
    if initial_contact {
        phase1::push_initial_contact(&mut chain, &envelope.cookies);
    }
    envelope.sealed(chain, &keys.cipher, &keys.iv)
}

/// What message 5 or 6 holds; not yet verified.
pub(super) struct PeerId {
    pub(super) id_body: Vec<u8>,
    pub(super) claim: Claim,
    pub(super) initial_contact: bool,
    pub(super) requests: Vec<Vec<u8>>,
    /// The IV of the next message, once this one is accepted.
    pub(super) next_iv: Iv,
}

impl PeerId {
    /// Decrypts and reads message 5 or 6.
    pub(super) fn read(
        message: &Incoming<'_>,
        keys: &Phase1Keys,
        authentication: &Authentication,
        cx: &mut Cx<'_>,
    ) -> Result<Self, Reject> {
        let opened = message.open(&keys.cipher, &keys.iv, cx)?;
        let read = || {
            let rules: Vec<PayloadRule> = core::iter::once(ID_RULE).chain(authentication.rules().to_vec()).collect();
            let chain = opened.chain(&rules)?;
            let (identity, id_body) = phase1::peer_identity(message, &chain)?;
            let claim = authentication.claim(identity, &chain)?;
            let initial_contact = phase1::initial_contact(message, &chain)?;
            let requests = phase1::requests(&chain);
            Ok(Self { id_body, claim, initial_contact, requests, next_iv: opened.next_iv.clone() })
        };
        // Until the proof is right, odd payloads are more likely the product of another key than of a strange peer.
        read().map_err(|reject| match reject {
            Reject::Malformed(error) => Reject::Undecipherable(error),
            other => other,
        })
    }
}
