//! The messages of quick mode: their payload rules, how they are built, and what is read from them.
use super::super::message::{Envelope, Incoming, Opened, Outgoing};
use super::super::natt::{OriginalAddresses, Revision};
use super::super::work::{Answer, KeyExchangeAnswer};
use super::super::{Cx, Path};
use super::Plan;
use crate::address::Scope;
use crate::crypto::iv::Iv;
use crate::crypto::prf::Mac;
use crate::crypto::quick::{informational, verify_informational};
use crate::event::{Failure, Reject};
use crate::ids::Spi;
use crate::policy::selector::{Prefix, Selector};
use crate::policy::traffic_id;
use crate::proposal::suite::Lifetime;
use crate::sa::driver::{SaAnswer, SaName};
use crate::wire::{
    AttributeWriter, Chain, ChainWriter, Doi, ExchangeType, Id, IpsecAttribute, KeyExchange, LifeType, Nonce, Notify,
    NotifyType, PayloadRule, PayloadType, ProtocolId, Writer, attribute,
};
use std::net::IpAddr;

/// Messages 1 and 2.
pub(super) const OFFER_RULES: &[PayloadRule] = &[
    PayloadRule::one(PayloadType::HASH),
    PayloadRule::one(PayloadType::SA),
    PayloadRule::one(PayloadType::NONCE),
    PayloadRule::optional(PayloadType::KE),
    PayloadRule::up_to(PayloadType::ID, 2),
];
/// Message 3.
pub(super) const LAST_RULES: &[PayloadRule] = &[PayloadRule::one(PayloadType::HASH)];

/// Message 4.
const CONNECTED_RULES: &[PayloadRule] = &[PayloadRule::one(PayloadType::HASH), PayloadRule::one(PayloadType::NOTIFY)];

pub(super) fn envelope(name: &'static str, plan: &Plan) -> Envelope {
    Envelope {
        name,
        path: plan.path,
        cookies: plan.keys.cookies,
        exchange: ExchangeType::QUICK,
        message_id: plan.message_id,
    }
}

/// The parts of message 1 or 2 behind its HASH.
pub(super) struct Offer<'a> {
    pub(super) sa: &'a [u8],
    pub(super) nonce: &'a [u8],
    pub(super) public: Option<&'a [u8]>,
    /// IDci and IDcr: the initiator's comes first.
    pub(super) ids: Option<(&'a [u8], &'a [u8])>,
    /// NAT-OAi and NAT-OAr.
    pub(super) original: Option<(Revision, OriginalAddresses)>,
    /// RESPONDER-LIFETIME, for the SA with this SPI.
    pub(super) lifetime: Option<(ProtocolId, Spi, Lifetime)>,
}

impl Offer<'_> {
    /// The chain without HASH.
    fn chain(&self) -> ChainWriter {
        let mut chain = ChainWriter::new();
        chain.push(PayloadType::SA, |writer| writer.bytes(self.sa));
        chain.push(PayloadType::NONCE, |writer| writer.bytes(self.nonce));
        if let Some(public) = self.public {
            chain.push(PayloadType::KE, |writer| writer.bytes(public));
        }
        if let Some((initiator, responder)) = self.ids {
            chain.push(PayloadType::ID, |writer| writer.bytes(initiator));
            chain.push(PayloadType::ID, |writer| writer.bytes(responder));
        }
        if let Some((revision, original)) = self.original {
            original.push(&mut chain, revision);
        }
        if let Some((protocol, spi, lifetime)) = self.lifetime {
            let data = lifetime_attributes(lifetime);
            let notify = Notify {
                doi: Doi::IPSEC,
                protocol,
                spi: &spi.0.to_be_bytes(),
                notify_type: NotifyType::RESPONDER_LIFETIME,
                data: &data,
            };
            chain.push(PayloadType::NOTIFY, |writer| notify.encode(writer));
        }
        chain
    }

    /// The message; `hash` computes HASH(1) or HASH(2) over what follows the HASH payload.
    pub(super) fn seal(
        &self,
        envelope: &Envelope,
        plan: &Plan,
        iv: &Iv,
        hash: impl FnOnce(&[u8]) -> Mac,
    ) -> Result<(Outgoing, Iv), Failure> {
        let mut chain = self.chain();
        let hash = hash(chain.octets());
        chain.prepend(PayloadType::HASH, |writer| writer.bytes(hash.as_ref()));
        envelope.sealed(chain, &plan.keys.cipher, iv)
    }
}

/// RFC 2407 §4.6.3.1: the lifetimes as attributes.
fn lifetime_attributes(lifetime: Lifetime) -> Vec<u8> {
    let mut attributes = AttributeWriter::default();
    for (kind, value) in [(LifeType::SECONDS, lifetime.seconds), (LifeType::KILOBYTES, lifetime.kilobytes)] {
        if value != 0 {
            attributes.number(IpsecAttribute::LIFE_TYPE, u32::from(kind.0));
            attributes.number(IpsecAttribute::LIFE_DURATION, value);
        }
    }
    attributes.to_vec()
}

/// The lifetimes of a RESPONDER-LIFETIME notification in a message.
pub(super) fn responder_lifetime(chain: &Chain<'_>) -> Option<Lifetime> {
    let notify = chain
        .all(PayloadType::NOTIFY)
        .filter_map(|payload| payload.decode(Notify::decode).ok())
        .find(|notify| notify.notify_type == NotifyType::RESPONDER_LIFETIME)?;
    let mut lifetime = Lifetime::default();
    let mut kind = None;
    for attribute in attribute::decode_list(notify.data).ok()? {
        let value = u32::try_from(attribute.as_u64()?).unwrap_or(u32::MAX);
        match IpsecAttribute(attribute.kind) {
            IpsecAttribute::LIFE_TYPE => kind = u16::try_from(value).ok().map(LifeType),
            IpsecAttribute::LIFE_DURATION if kind == Some(LifeType::SECONDS) => lifetime.seconds = value,
            IpsecAttribute::LIFE_DURATION if kind == Some(LifeType::KILOBYTES) => lifetime.kilobytes = value,
            _ => {}
        }
    }
    Some(lifetime)
}

/// The shorter of two lifetimes in each kind; zero is none.
pub(super) fn shorter(a: Lifetime, b: Lifetime) -> Lifetime {
    let least = |a: u32, b: u32| match (a, b) {
        (0, other) | (other, 0) => other,
        (a, b) => a.min(b),
    };
    Lifetime { seconds: least(a.seconds, b.seconds), kilobytes: least(a.kilobytes, b.kilobytes) }
}

/// The bodies of the ID payloads of a selector: this host's, the peer's.
pub(super) fn id_bodies(selector: &Selector) -> (Vec<u8>, Vec<u8>) {
    let body = |prefix, port| {
        let (id_type, protocol, port, data) = traffic_id::encode(prefix, selector.protocol, port);
        let mut writer = Writer::new();
        Id { id_type, protocol, port, data: &data }.encode(&mut writer);
        writer.into_vec()
    };
    (body(selector.local, selector.local_port), body(selector.remote, selector.remote_port))
}

/// The ID payloads of a message, if it has both: their bodies, the initiator's first.
pub(super) fn ids<'a>(chain: &Chain<'a>) -> Option<(&'a [u8], &'a [u8])> {
    let mut ids = chain.all(PayloadType::ID).map(|payload| payload.body);
    Some((ids.next()?, ids.next()?))
}

/// The selector that two ID payloads name, seen from this host. An ID has no link: a link-local address is one of the link
/// that the exchange runs on.
pub(super) fn selector(local: &[u8], remote: &[u8], link: Scope) -> Result<Selector, Failure> {
    let decode = |body| {
        let id = Id::decode(body).map_err(Failure::Malformed)?;
        traffic_id::decode(&id).map_err(|error| Failure::TrafficId(error.to_string()))
    };
    let (local, protocol, local_port) = decode(local)?;
    let (remote, remote_protocol, remote_port) = decode(remote)?;
    if protocol != remote_protocol {
        return Err(Failure::TrafficId(format!(
            "the ID payloads name protocol {protocol} on this side and {remote_protocol} on the peer's"
        )));
    }
    let scope = if local.is_link_local() || remote.is_link_local() { link } else { Scope::ANY };
    Ok(Selector { local, remote, protocol, local_port, remote_port, scope, direction: None })
}

/// The selector for the two hosts themselves that two ID payloads name behind a NAT: only protocol and ports count. An
/// address there is one that the other end does not know its peer by (RFC 3947 §5.2), and some send a name in its place.
pub(super) fn selector_of_hosts(local: &[u8], remote: &[u8], path: Path) -> Result<Selector, Failure> {
    let addressed = |body, address: IpAddr| {
        let id = Id::decode(body).map_err(Failure::Malformed)?;
        let (id_type, _, _, data) = traffic_id::encode(Prefix::host(address), id.protocol, id.port);
        let id = Id { id_type, data: &data, ..id };
        let mut writer = Writer::new();
        id.encode(&mut writer);
        Ok(writer.into_vec())
    };
    selector(&addressed(local, path.own().ip())?, &addressed(remote, path.peer().ip())?, path.scope())
}

/// The nonce and the public value of message 1 or 2.
pub(super) fn nonce_and_public<'a>(
    message: &Incoming<'_>,
    chain: &Chain<'a>,
) -> Result<(&'a [u8], Option<&'a [u8]>), Reject> {
    let nonce = chain.one(PayloadType::NONCE).ok_or_else(|| message.unexpected("NONCE"))?;
    let nonce = nonce.decode(Nonce::decode)?.data;
    let public = chain.one(PayloadType::KE).map(|payload| payload.decode(KeyExchange::decode)).transpose()?;
    Ok((nonce, public.map(|ke| ke.data)))
}

/// CONNECTED: the sender has its SAs, `name` the one that it receives with.
pub(super) fn connected(plan: &Plan, name: SaName, iv: &Iv) -> Result<Outgoing, Failure> {
    let mut chain = ChainWriter::new();
    let notify = Notify {
        doi: Doi::IPSEC,
        protocol: name.protocol,
        spi: &name.spi.0.to_be_bytes(),
        notify_type: NotifyType::CONNECTED,
        data: &[],
    };
    chain.push(PayloadType::NOTIFY, |writer| notify.encode(writer));
    let hash = informational(plan.keys.a(), plan.message_id, chain.octets());
    chain.prepend(PayloadType::HASH, |writer| writer.bytes(hash.as_ref()));
    Ok(envelope("quick mode message 4", plan).sealed(chain, &plan.keys.cipher, iv)?.0)
}

/// The notification of message 4, which follows `iv`, or of an informational exchange with the same message ID.
pub(super) fn last_notify(message: &Incoming<'_>, plan: &Plan, iv: &Iv, cx: &mut Cx<'_>) -> Result<NotifyType, Reject> {
    // Of the informational exchange some begin the IV anew, and some go on with that of the message ID.
    let first_iv = plan.keys.first_iv(plan.message_id);
    let opened = match message.header.exchange {
        _ if message.header.message_id != plan.message_id => return Err(message.unexpected("quick mode")),
        ExchangeType::QUICK => message.open(&plan.keys.cipher, iv, cx)?,
        ExchangeType::INFORMATIONAL => {
            message.open(&plan.keys.cipher, &first_iv, cx).or_else(|_| message.open(&plan.keys.cipher, iv, cx))?
        }
        _ => return Err(message.unexpected("quick mode")),
    };
    let chain = opened.chain(CONNECTED_RULES)?;
    let (hash, rest) = opened.hashed(&chain)?;
    if !verify_informational(plan.keys.a(), plan.message_id, rest, hash) {
        return Err(Reject::Hash("HASH of CONNECTED"));
    }
    let notify = chain.one(PayloadType::NOTIFY).ok_or_else(|| message.unexpected("CONNECTED"))?;
    Ok(notify.decode(Notify::decode)?.notify_type)
}

/// Decrypts a message of this quick mode.
pub(super) fn open(message: &Incoming<'_>, plan: &Plan, iv: &Iv, cx: &mut Cx<'_>) -> Result<Opened, Reject> {
    if message.header.exchange != ExchangeType::QUICK || message.header.message_id != plan.message_id {
        return Err(message.unexpected("quick mode"));
    }
    message.open(&plan.keys.cipher, iv, cx)
}

/// What an answer brought.
pub(super) enum Brought {
    Spi(Spi),
    KeyExchange(KeyExchangeAnswer),
}

pub(super) fn brought(answer: Answer) -> Result<Brought, Failure> {
    match answer {
        Answer::Sa(SaAnswer::Spi(spi)) => spi.map(Brought::Spi).map_err(Failure::Driver),
        Answer::KeyExchange(Ok(answer)) => Ok(Brought::KeyExchange(answer)),
        Answer::KeyExchange(Err(error)) => {
            Err(Failure::Crypto { operation: "Diffie-Hellman", reason: error.to_string() })
        }
        _ => Err(Failure::Crypto { operation: "quick mode", reason: "wrong answer".to_owned() }),
    }
}
