//! The messages of main mode: their payload rules, how they are built, and what is read from them.
use super::super::message::{Envelope, Incoming, Opened, Outgoing};
use super::super::natt::{self, Nat, Revision};
use super::super::work::{Answer, KeyExchangeAnswer};
use super::super::{Cx, Path};
use super::IkeKeys;
use crate::crypto::cipher::CipherKey;
use crate::crypto::iv::Iv;
use crate::crypto::prf::Mac;
use crate::crypto::skeyid::{Inputs, Skeyid};
use crate::event::{EventKind, Failure, IkeSaEvent, MessageEvent, Reject};
use crate::identity::Identity;
use crate::ids::{Cookies, MessageId};
use crate::policy::rule::Rule;
use crate::proposal::suite::IkeSuite;
use crate::wire::{
    Chain, ChainWriter, Doi, ExchangeType, Id, KeyExchange, Nonce, Notify, NotifyType, PayloadRule, PayloadType,
    ProtocolId, Vendor,
};
use bytes::Bytes;
use std::sync::Arc;

/// Octets of this host's nonces (RFC 2409 §5: between 8 and 256).
pub(super) const NONCE_LEN: usize = 32;

/// Messages 1 and 2.
pub(super) const SA_RULES: &[PayloadRule] = &[PayloadRule::one(PayloadType::SA)];
/// Messages 3 and 4.
pub(super) const KE_RULES: &[PayloadRule] = &[PayloadRule::one(PayloadType::KE), PayloadRule::one(PayloadType::NONCE)];
/// Messages 5 and 6.
const ID_RULES: &[PayloadRule] = &[PayloadRule::one(PayloadType::ID), PayloadRule::one(PayloadType::HASH)];

pub(super) const fn envelope(name: &'static str, path: Path, cookies: Cookies) -> Envelope {
    Envelope { name, path, cookies, exchange: ExchangeType::MAIN, message_id: MessageId::PHASE_1 }
}

/// Message 1 or 2.
pub(super) fn sa(envelope: &Envelope, body: &[u8], vendor_ids: &[&[u8]]) -> Outgoing {
    let mut chain = ChainWriter::new();
    chain.push(PayloadType::SA, |writer| writer.bytes(body));
    for id in vendor_ids {
        chain.push(PayloadType::VENDOR, |writer| writer.bytes(id));
    }
    envelope.clear(chain)
}

/// Tells which vendor IDs a message has.
pub(super) fn trace_vendors(chain: &Chain<'_>, cx: &mut Cx<'_>) {
    for payload in chain.all(PayloadType::VENDOR) {
        cx.trace.step(|| {
            let name = Vendor { data: payload.body }.name();
            EventKind::Message(MessageEvent::VendorId { name, octets: Bytes::copy_from_slice(payload.body) })
        });
    }
}

/// Message 3 or 4.
pub(super) fn ke(
    envelope: &Envelope,
    public: &[u8],
    nonce: &[u8],
    suite: &IkeSuite,
    natt: Option<Revision>,
) -> Outgoing {
    let mut chain = ChainWriter::new();
    chain.push(PayloadType::KE, |writer| writer.bytes(public));
    chain.push(PayloadType::NONCE, |writer| writer.bytes(nonce));
    if let Some(revision) = natt {
        natt::push(&mut chain, revision, suite.hash, &envelope.cookies, envelope.path);
    }
    envelope.clear(chain)
}

/// What message 3 or 4 holds.
pub(super) struct PeerKe {
    pub(super) public: Vec<u8>,
    pub(super) nonce: Vec<u8>,
    pub(super) nat: Nat,
}

impl PeerKe {
    /// Reads message 3 or 4, and looks at the peer's public value before a computation is spent on it.
    pub(super) fn read(
        message: &Incoming<'_>,
        suite: &IkeSuite,
        natt: Option<Revision>,
        cx: &mut Cx<'_>,
    ) -> Result<Self, Reject> {
        let chain = message.clear(KE_RULES)?;
        let cookies = message.header.cookies();
        let payload = |kind| chain.one(kind).ok_or_else(|| message.unexpected("KE and NONCE"));
        let public = payload(PayloadType::KE)?.decode(KeyExchange::decode)?.data;
        let nonce = payload(PayloadType::NONCE)?.decode(Nonce::decode)?.data;
        suite.group.check_public(public).map_err(|error| Reject::PublicValue(error.to_string()))?;
        let nat = natt
            .and_then(|revision| natt::detect(&chain, revision, suite.hash, &cookies, message.path))
            .unwrap_or_default();
        trace_vendors(&chain, cx);
        if natt.is_some() {
            cx.trace.step(|| EventKind::IkeSa(IkeSaEvent::NatDetected { local: nat.local, remote: nat.remote }));
        }
        Ok(Self { public: public.to_vec(), nonce: nonce.to_vec(), nat })
    }
}

/// The keys of phase 1.
pub(super) struct Phase1Keys {
    pub(super) skeyid: Arc<Skeyid>,
    cipher: Arc<CipherKey>,
    /// The IV of the next message.
    pub(super) iv: Iv,
}

impl Phase1Keys {
    /// RFC 2409 §5 and Appendix B.
    pub(super) fn derive(
        suite: &IkeSuite,
        psk: &[u8],
        inputs: &Inputs<'_>,
        g_xi: &[u8],
        g_xr: &[u8],
    ) -> Result<Self, Failure> {
        let skeyid = Skeyid::pre_shared_key(suite.hash, psk, inputs);
        let cipher = skeyid
            .cipher_key(suite.cipher)
            .map_err(|error| Failure::Crypto { operation: "the encryption key", reason: error.to_string() })?;
        let iv = Iv::phase_1(suite.hash, suite.cipher.block_len(), g_xi, g_xr);
        Ok(Self { skeyid: Arc::new(skeyid), cipher: Arc::new(cipher), iv })
    }

    /// The same keys with the IV of the next message.
    pub(super) fn with_iv(&self, iv: Iv) -> Self {
        Self { skeyid: Arc::clone(&self.skeyid), cipher: Arc::clone(&self.cipher), iv }
    }

    /// What phase 2 needs of them; `last_block` is the last of phase 1 in ciphertext.
    pub(super) fn phase_2(&self, cookies: Cookies, suite: IkeSuite, last_block: Iv) -> IkeKeys {
        IkeKeys { cookies, suite, skeyid: Arc::clone(&self.skeyid), cipher: Arc::clone(&self.cipher), last_block }
    }
}

/// The answer to a Diffie-Hellman ask.
pub(super) fn key_exchange(answer: Answer) -> Result<KeyExchangeAnswer, Failure> {
    match answer {
        Answer::KeyExchange(Ok(answer)) => Ok(answer),
        Answer::KeyExchange(Err(error)) => {
            Err(Failure::Crypto { operation: "Diffie-Hellman", reason: error.to_string() })
        }
        _ => Err(Failure::Crypto { operation: "Diffie-Hellman", reason: "wrong answer".to_owned() }),
    }
}

/// The body of this host's ID payload: the identity of the rule, or the address.
pub(super) fn own_id(rule: &Rule, path: Path) -> Vec<u8> {
    let identity = rule.local_id.clone().unwrap_or_else(|| Identity::Address(path.local.ip()));
    let (id_type, data) = identity.encode();
    let mut writer = crate::wire::Writer::new();
    // RFC 2407 §4.6.2: protocol and port are both zero, or UDP and 500.
    Id { id_type, protocol: 0, port: 0, data: &data }.encode(&mut writer);
    writer.into_vec()
}

/// Message 5 or 6.
pub(super) fn id_hash(
    envelope: &Envelope,
    id: &[u8],
    hash: &Mac,
    initial_contact: bool,
    keys: &Phase1Keys,
) -> Result<(Outgoing, Iv), Failure> {
    let mut chain = ChainWriter::new();
    chain.push(PayloadType::ID, |writer| writer.bytes(id));
    chain.push(PayloadType::HASH, |writer| writer.bytes(hash.as_ref()));
    if initial_contact {
        // RFC 2407 §4.6.3.3: the SPI is the pair of cookies.
        let spi = [envelope.cookies.initiator.0, envelope.cookies.responder.0].concat();
        let notify = Notify {
            doi: Doi::IPSEC,
            protocol: ProtocolId::ISAKMP,
            spi: &spi,
            notify_type: NotifyType::INITIAL_CONTACT,
            data: &[],
        };
        chain.push(PayloadType::NOTIFY, |writer| notify.encode(writer));
    }
    envelope.sealed(chain, &keys.cipher, &keys.iv)
}

/// What message 5 or 6 holds; not yet verified.
pub(super) struct PeerId {
    pub(super) opened: Opened,
    pub(super) id_body: Vec<u8>,
    pub(super) hash: Vec<u8>,
    pub(super) identity: Identity,
    pub(super) initial_contact: bool,
}

/// Whether there is an INITIAL-CONTACT. HASH_I and HASH_R do not cover what follows them: a notification that cannot be
/// the peer's shows that somebody changed the message on its way.
fn initial_contact(message: &Incoming<'_>, chain: &Chain<'_>) -> Result<bool, Reject> {
    let mut found = false;
    for payload in chain.all(PayloadType::NOTIFY) {
        let notify = payload.decode(Notify::decode).map_err(Reject::Undecipherable)?;
        let Cookies { initiator, responder } = message.header.cookies();
        // RFC 2407 §4.6.3.3: the SPI is the pair of cookies. Some leave it out.
        if notify.notify_type == NotifyType::INITIAL_CONTACT {
            if !notify.spi.is_empty() && notify.spi != [initiator.0, responder.0].concat() {
                return Err(message.unexpected("the cookies as the SPI of INITIAL-CONTACT"));
            }
            found = true;
        } else if notify.doi != Doi::IPSEC && notify.doi.0 != 0 {
            return Err(message.unexpected("a notification of a known DOI"));
        }
    }
    Ok(found)
}

impl PeerId {
    /// Decrypts and reads message 5 or 6.
    pub(super) fn read(message: &Incoming<'_>, keys: &Phase1Keys, cx: &mut Cx<'_>) -> Result<Self, Reject> {
        let opened = message.open(&keys.cipher, &keys.iv, cx)?;
        // Until the hash is right, odd payloads are more likely the product of another key than of a strange peer.
        let chain = opened.chain(ID_RULES).map_err(Reject::Undecipherable)?;
        let payload = |kind| chain.one(kind).ok_or_else(|| message.unexpected("ID and HASH"));
        let raw_id = payload(PayloadType::ID)?;
        let id = raw_id.decode(Id::decode).map_err(Reject::Undecipherable)?;
        let identity = Identity::decode(&id).map_err(|error| Reject::Identity(error.to_string()))?;
        let hash = payload(PayloadType::HASH)?.body.to_vec();
        let initial_contact = initial_contact(message, &chain)?;
        let id_body = raw_id.body.to_vec();
        Ok(Self { id_body, hash, identity, initial_contact, opened })
    }
}
