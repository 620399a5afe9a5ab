//! The messages of the transaction exchange.
use super::super::message::{Envelope, Incoming, Outgoing};
use super::super::{Cx, Path};
use crate::crypto::iv::Iv;
use crate::crypto::quick::{informational, verify_informational};
use crate::event::{Failure, Reject};
use crate::exchange::phase1::IkeKeys;
use crate::ids::MessageId;
use crate::wire::payload::attributes::without_secrets;
use crate::wire::{ChainWriter, ConfigAttributes, ExchangeType, PayloadRule, PayloadType};

/// Both messages. draft-dukes-ike-mode-cfg-02 §3.1.1: a single ATTR payload.
const RULES: &[PayloadRule] = &[PayloadRule::one(PayloadType::HASH), PayloadRule::one(PayloadType::ATTRIBUTES)];

/// Where a message goes, and what encrypts it.
pub(super) struct Sealing<'a> {
    pub(super) name: &'static str,
    pub(super) keys: &'a IkeKeys,
    pub(super) path: Path,
    pub(super) message_id: MessageId,
    pub(super) iv: &'a Iv,
}

impl Sealing<'_> {
    /// The message, and the IV of the next one with its message ID.
    pub(super) fn seal(&self, attributes: &ConfigAttributes<'_>) -> Result<(Outgoing, Iv), Failure> {
        let Self { name, keys, path, message_id, iv } = *self;
        let mut chain = ChainWriter::new();
        chain.push(PayloadType::ATTRIBUTES, |writer| attributes.encode(writer));
        // draft-dukes-ike-mode-cfg-02 §3.1.1: HASH = prf(SKEYID_a, M-ID | ATTR).
        let hash = informational(keys.a(), message_id, chain.octets());
        chain.prepend(PayloadType::HASH, |writer| writer.bytes(hash.as_ref()));
        let envelope = Envelope { name, path, cookies: keys.cookies, exchange: ExchangeType::TRANSACTION, message_id };
        let (message, next_iv) = envelope.sealed(chain, &keys.cipher, iv)?;
        // The copy in clear is for the trace.
        let plain = without_secrets(&message.plain).into();
        Ok((Outgoing { plain, ..message }, next_iv))
    }
}

/// Decrypts a message, checks that it is the peer's, and has `read` judge its attributes. Gives the IV of the next one
/// besides.
pub(super) fn open<T>(
    message: &Incoming<'_>,
    keys: &IkeKeys,
    iv: &Iv,
    cx: &mut Cx<'_>,
    read: impl FnOnce(&ConfigAttributes<'_>, &mut Cx<'_>) -> Result<T, Reject>,
) -> Result<(T, Iv), Reject> {
    let opened = message.open(&keys.cipher, iv, cx)?;
    let chain = opened.chain(RULES)?;
    let (hash, rest) = opened.hashed(&chain)?;
    if !verify_informational(keys.a(), message.header.message_id, rest, hash) {
        return Err(Reject::Hash("HASH of the transaction message"));
    }
    let raw = chain.one(PayloadType::ATTRIBUTES).ok_or_else(|| message.unexpected("ATTR"))?;
    // draft-dukes-ike-mode-cfg-02 §3.2: a payload whose length does not fit its attributes is discarded.
    let attributes = raw.decode(ConfigAttributes::decode)?;
    let read = read(&attributes, cx)?;
    Ok((read, opened.next_iv.clone()))
}
