//! The payloads of phase 1: how they are written, and what is read from them.
use super::super::Cx;
use super::super::message::Incoming;
use super::super::natt::{self, Nat, Revision};
use super::super::vendor;
use super::super::work::{Answer, KeyExchangeAnswer};
use crate::address::HostAddress;
use crate::crypto::group::KeyPair;
use crate::event::{EventKind, Failure, IkeSaEvent, MessageEvent, Reject};
use crate::identity::Identity;
use crate::ids::Cookies;
use crate::policy::rule::Rule;
use crate::proposal::suite::IkeSuite;
use crate::secret::Secret;
use crate::wire::{
    CertEncoding, CertReq, Chain, ChainWriter, Doi, Id, KeyExchange, Nonce, Notify, NotifyType, PayloadType,
    ProtocolId, Vendor, Writer,
};
use bytes::Bytes;
use std::sync::Arc;

/// Adds vendor IDs.
pub fn push_vendors(chain: &mut ChainWriter, vendor_ids: &[&[u8]]) {
    for id in vendor_ids {
        chain.push(PayloadType::VENDOR, |writer| writer.bytes(id));
    }
}

/// The vendor IDs that this host announces: of NAT traversal as initiator (`peer` is `None`) all that it speaks, as
/// responder only what the initiator announced too (RFC 3947 §3.1); then what `rule` has besides. They go to `to`.
pub fn announced(peer: Option<Option<Revision>>, rule: &Rule, to: HostAddress, cx: &Cx<'_>) -> Vec<&'static [u8]> {
    let natt: &[&[u8]] = match peer {
        _ if !cx.settings.nat_traversal => &[],
        None => &Revision::VENDOR_IDS,
        Some(Some(Revision::Rfc)) => &Revision::VENDOR_IDS[..1],
        Some(Some(Revision::Draft)) => &Revision::VENDOR_IDS[1..],
        Some(None) => &[],
    };
    let own = vendor::own(cx.settings, !cx.peers.knows(to));
    natt.iter().copied().chain(own).chain(vendor::of_remote_access(rule)).collect()
}

/// Tells which vendor IDs a message has.
pub fn trace_vendors(chain: &Chain<'_>, cx: &mut Cx<'_>) {
    for payload in chain.all(PayloadType::VENDOR) {
        cx.trace.step(|| {
            let name = Vendor { data: payload.body }.name();
            EventKind::Message(MessageEvent::VendorId { name, octets: Bytes::copy_from_slice(payload.body) })
        });
    }
}

/// Adds the key exchange and the nonce.
pub fn push_ke(chain: &mut ChainWriter, public: &[u8], nonce: &[u8]) {
    chain.push(PayloadType::KE, |writer| writer.bytes(public));
    chain.push(PayloadType::NONCE, |writer| writer.bytes(nonce));
}

/// What the peer says of the key exchange.
#[derive(Clone)]
pub struct PeerKe {
    /// Its public value: the body of KE.
    pub public: Vec<u8>,
    /// The body of NONCE.
    pub nonce: Vec<u8>,
    /// What NAT detection found.
    pub nat: Nat,
    /// The authorities whose certificates it asks for.
    pub requests: Vec<Vec<u8>>,
}

impl PeerKe {
    /// Reads KE, NONCE and NAT-D, and looks at the peer's public value before a computation is spent on it.
    pub fn read(
        message: &Incoming<'_>,
        chain: &Chain<'_>,
        suite: &IkeSuite,
        natt: Option<Revision>,
        cx: &mut Cx<'_>,
    ) -> Result<Self, Reject> {
        let cookies = message.header.cookies();
        let payload = |kind| chain.one(kind).ok_or_else(|| message.unexpected("KE and NONCE"));
        let public = payload(PayloadType::KE)?.decode(KeyExchange::decode)?.data;
        let nonce = payload(PayloadType::NONCE)?.decode(Nonce::decode)?.data;
        suite.group.check_public(public).map_err(|error| Reject::PublicValue(error.to_string()))?;
        let nat = natt
            .and_then(|revision| natt::detect(chain, revision, suite.hash, &cookies, message.path))
            .unwrap_or_default();
        trace_vendors(chain, cx);
        if natt.is_some() {
            cx.trace.step(|| EventKind::IkeSa(IkeSaEvent::NatDetected { local: nat.local, remote: nat.remote }));
        }
        Ok(Self { public: public.to_vec(), nonce: nonce.to_vec(), nat, requests: requests(chain) })
    }
}

/// The answer to a Diffie-Hellman ask.
pub fn key_exchange(answer: Answer) -> Result<KeyExchangeAnswer, Failure> {
    let failed = |reason| Failure::Crypto { operation: "Diffie-Hellman", reason };
    match answer {
        Answer::KeyExchange(Ok(answer)) => Ok(answer),
        Answer::KeyExchange(Err(error)) => Err(failed(error.to_string())),
        _ => Err(failed("wrong answer".to_owned())),
    }
}

/// The answer to a Diffie-Hellman ask that had the peer's public value: this host's pair and g^xy.
pub fn shared_secret(answer: Answer) -> Result<(Arc<KeyPair>, Secret<Vec<u8>>), Failure> {
    let KeyExchangeAnswer { pair, shared } = key_exchange(answer)?;
    let missing = || Failure::Crypto { operation: "Diffie-Hellman", reason: "no shared secret".to_owned() };
    Ok((pair, shared.ok_or_else(missing)?))
}

/// The body of an ID payload that names this host.
pub fn id_body(identity: &Identity) -> Vec<u8> {
    let (id_type, data) = identity.encode();
    let mut writer = Writer::new();
    // RFC 2407 §4.6.2: protocol and port are both zero, or UDP and 500.
    Id { id_type, protocol: 0, port: 0, data: &data }.encode(&mut writer);
    writer.into_vec()
}

/// The authorities whose certificates the peer asks for (RFC 2408 §3.10): their encoded names; an empty one is any.
pub fn requests(chain: &Chain<'_>) -> Vec<Vec<u8>> {
    let requests = chain.all(PayloadType::CERTREQ).filter_map(|payload| payload.decode(CertReq::decode).ok());
    // RFC 4945 §3.2.1: PKCS #7 is asked for by name as well.
    let x509 =
        requests.filter(|request| matches!(request.encoding, CertEncoding::X509_SIGNATURE | CertEncoding::PKCS7));
    x509.map(|request| request.authority.to_vec()).collect()
}

/// Who the peer says it is, and the body of the ID payload that says so.
pub fn peer_identity(message: &Incoming<'_>, chain: &Chain<'_>) -> Result<(Identity, Vec<u8>), Reject> {
    let raw = chain.one(PayloadType::ID).ok_or_else(|| message.unexpected("ID"))?;
    let id = raw.decode(Id::decode)?;
    let identity = Identity::decode(&id).map_err(|error| Reject::Identity(error.to_string()))?;
    Ok((identity, raw.body.to_vec()))
}

/// Adds an INITIAL-CONTACT.
pub fn push_initial_contact(chain: &mut ChainWriter, cookies: &Cookies) {
    // RFC 2407 §4.6.3.3: the SPI is the pair of cookies.
    let spi = [cookies.initiator.0, cookies.responder.0].concat();
    let notify = Notify {
        doi: Doi::IPSEC,
        protocol: ProtocolId::ISAKMP,
        spi: &spi,
        notify_type: NotifyType::INITIAL_CONTACT,
        data: &[],
    };
    chain.push(PayloadType::NOTIFY, |writer| notify.encode(writer));
}

/// Whether there is an INITIAL-CONTACT. HASH_I and HASH_R do not cover what follows them: a notification that cannot be
/// the peer's shows that somebody changed the message on its way.
pub fn initial_contact(message: &Incoming<'_>, chain: &Chain<'_>) -> Result<bool, Reject> {
    let mut found = false;
    for payload in chain.all(PayloadType::NOTIFY) {
        let notify = payload.decode(Notify::decode)?;
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
