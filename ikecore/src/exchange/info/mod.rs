//! The informational exchange (RFC 2408 §4.8, RFC 2409 §5.7): notifications and deletes, one message each.
pub mod acknowledged;

use super::message::{Envelope, Incoming, Outgoing};
use super::phase1::IkeKeys;
use super::{Cx, Path};
use crate::crypto::quick::{informational, verify_informational};
use crate::event::{Failure, Reject};
use crate::ids::{Cookies, MessageId, Spi};
use crate::rng::SecureRandom;
use crate::wire::{ChainWriter, Delete, Doi, ExchangeType, Notify, NotifyType, PayloadRule, PayloadType, ProtocolId};
use acknowledged::Question;

/// What an informational message says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Information {
    /// A notification.
    Notify {
        /// What it is about.
        protocol: ProtocolId,
        /// Of which SA.
        spi: Vec<u8>,
        /// Its type.
        notify: NotifyType,
        /// Its data.
        data: Vec<u8>,
    },
    /// The sender has deleted SAs: for IPsec SAs, those that it received with (RFC 2408 §3.15).
    DeleteIpsec {
        /// ESP or AH.
        protocol: ProtocolId,
        /// The SPIs.
        spis: Vec<Spi>,
    },
    /// The sender has deleted ISAKMP SAs.
    DeleteIke {
        /// Their cookies.
        cookies: Vec<Cookies>,
    },
}

const RULES: &[PayloadRule] = &[];
const PROTECTED_RULES: &[PayloadRule] = &[PayloadRule::one(PayloadType::HASH)];

/// Reads a message in clear. It proves nothing.
pub fn read_clear(message: &Incoming<'_>) -> Result<Vec<Information>, Reject> {
    let chain = message.clear(RULES)?;
    read(&chain)
}

/// A message that an ISAKMP SA protects.
pub struct Protected {
    /// What it says.
    pub all: Vec<Information>,
    /// It is a delete whose sender waits for an acknowledgement.
    pub question: Option<Question>,
}

/// Reads a message that an ISAKMP SA protects (RFC 2409 §5.7).
pub fn read_protected(message: &Incoming<'_>, keys: &IkeKeys, cx: &mut Cx<'_>) -> Result<Protected, Reject> {
    let message_id = message.header.message_id;
    let opened = message.open(&keys.cipher, &keys.first_iv(message_id), cx)?;
    let chain = opened.chain(PROTECTED_RULES)?;
    let (hash, rest) = opened.hashed(&chain)?;
    if !verify_informational(keys.a(), message_id, rest, hash) {
        return Err(Reject::Hash("HASH of the informational message"));
    }
    let all = read(&chain)?;
    let body = |kind| chain.one(kind).map(|payload| payload.body.to_vec());
    let question = body(PayloadType::NONCE).zip(body(PayloadType::DELETE));
    let question = question.map(|(nonce, delete)| Question { nonce, delete, iv: opened.next_iv.clone() });
    Ok(Protected { all, question })
}

fn read(chain: &crate::wire::Chain<'_>) -> Result<Vec<Information>, Reject> {
    let mut all = Vec::new();
    for payload in &chain.payloads {
        match payload.kind {
            PayloadType::NOTIFY => {
                let notify = payload.decode(Notify::decode)?;
                all.push(Information::Notify {
                    protocol: notify.protocol,
                    spi: notify.spi.to_vec(),
                    notify: notify.notify_type,
                    data: notify.data.to_vec(),
                });
            }
            PayloadType::DELETE => all.extend(read_delete(&payload.decode(Delete::decode)?)),
            _ => {}
        }
    }
    Ok(all)
}

fn read_delete(delete: &Delete<'_>) -> Option<Information> {
    match delete.protocol {
        ProtocolId::ISAKMP => {
            let cookies = delete.spis().filter_map(|spi| {
                let (initiator, rest) = spi.split_first_chunk::<8>()?;
                let responder = rest.first_chunk::<8>()?;
                Some(Cookies { initiator: crate::ids::Cookie(*initiator), responder: crate::ids::Cookie(*responder) })
            });
            Some(Information::DeleteIke { cookies: cookies.collect() })
        }
        ProtocolId::AH | ProtocolId::ESP => {
            let spis = delete.spis().filter_map(|spi| Some(Spi(u32::from_be_bytes(spi.try_into().ok()?))));
            Some(Information::DeleteIpsec { protocol: delete.protocol, spis: spis.collect() })
        }
        _ => None,
    }
}

const fn envelope(name: &'static str, path: Path, cookies: Cookies, message_id: MessageId) -> Envelope {
    Envelope { name, path, cookies, exchange: ExchangeType::INFORMATIONAL, message_id }
}

fn push(chain: &mut ChainWriter, information: &Information) {
    match information {
        Information::Notify { protocol, spi, notify, data } => {
            let notify = Notify { doi: Doi::IPSEC, protocol: *protocol, spi, notify_type: *notify, data };
            chain.push(PayloadType::NOTIFY, |writer| notify.encode(writer));
        }
        Information::DeleteIpsec { protocol, spis } => {
            let octets: Vec<u8> = spis.iter().flat_map(|spi| spi.0.to_be_bytes()).collect();
            let delete = Delete { doi: Doi::IPSEC, protocol: *protocol, spi_size: 4, octets: &octets };
            chain.push(PayloadType::DELETE, |writer| delete.encode(writer));
        }
        Information::DeleteIke { cookies } => {
            let octets: Vec<u8> = cookies.iter().flat_map(|c| [c.initiator.0, c.responder.0].concat()).collect();
            let delete = Delete { doi: Doi::IPSEC, protocol: ProtocolId::ISAKMP, spi_size: 16, octets: &octets };
            chain.push(PayloadType::DELETE, |writer| delete.encode(writer));
        }
    }
}

/// A notification in clear, for an exchange that has no keys.
pub fn clear(path: Path, cookies: Cookies, message_id: MessageId, notify: NotifyType) -> Outgoing {
    clear_with(path, cookies, message_id, notify, Vec::new())
}

/// The same with data.
pub fn clear_with(path: Path, cookies: Cookies, message_id: MessageId, notify: NotifyType, data: Vec<u8>) -> Outgoing {
    let mut chain = ChainWriter::new();
    let information = Information::Notify { protocol: ProtocolId::ISAKMP, spi: Vec::new(), notify, data };
    push(&mut chain, &information);
    envelope("informational (notify)", path, cookies, message_id).clear(chain)
}

/// A protected message.
pub fn protected(
    path: Path,
    keys: &IkeKeys,
    message_id: MessageId,
    information: &Information,
) -> Result<Outgoing, Failure> {
    let mut chain = ChainWriter::new();
    push(&mut chain, information);
    let hash = informational(keys.a(), message_id, chain.octets());
    chain.prepend(PayloadType::HASH, |writer| writer.bytes(hash.as_ref()));
    let name = match information {
        Information::Notify { notify: NotifyType::R_U_THERE, .. } => "informational (R-U-THERE)",
        Information::Notify { notify: NotifyType::R_U_THERE_ACK, .. } => "informational (R-U-THERE-ACK)",
        Information::Notify { .. } => "informational (notify)",
        Information::DeleteIpsec { .. } | Information::DeleteIke { .. } => "informational (delete)",
    };
    let envelope = envelope(name, path, keys.cookies, message_id);
    Ok(envelope.sealed(chain, &keys.cipher, &keys.first_iv(message_id))?.0)
}

/// The delete of the ISAKMP SA that protects it, with a message ID of its own.
pub fn delete_ike(path: Path, keys: &IkeKeys, rng: &mut dyn SecureRandom) -> Result<Outgoing, Failure> {
    let mut octets = [0; 4];
    let failed = |reason: String| Failure::Crypto { operation: "making a message ID", reason };
    rng.fill(&mut octets).map_err(|error| failed(error.to_string()))?;
    // Zero is the message ID of phase 1.
    let message_id = MessageId(u32::from_be_bytes(octets).max(1));
    protected(path, keys, message_id, &Information::DeleteIke { cookies: vec![keys.cookies] })
}
