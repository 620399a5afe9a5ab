//! The transaction exchange, begun by the peer: it is answered at once.
use super::super::message::Incoming;
use super::super::step::Step;
use super::super::{Cx, Path};
use super::configuration::{Gift, address, general};
use super::msgs::{self, Sealing};
use super::{Answered, Outcome, State, xauth};
use crate::address::HostAddress;
use crate::crypto::iv::Iv;
use crate::event::{Configuration, MissingAddress, Reject};
use crate::exchange::phase1::IkeKeys;
use crate::policy::lease::{Leases, Owner};
use crate::policy::pool::Pool;
use crate::policy::remote_access::{ModeConfig, Xauth};
use crate::policy::rule::Rule;
use crate::wire::{Attribute, AttributeValue, AttributeWriter, ConfigAttribute, ConfigAttributes, ConfigType};
use std::net::IpAddr;
use std::sync::Arc;

/// The most questions of one ISAKMP SA that are answered with the user's password: a gateway that asks again and again
/// does not like it.
pub const MAX_QUESTIONS: u32 = 3;

/// The peer, its ISAKMP SA, and how far that is.
pub struct Peer<'a> {
    /// The keys of the ISAKMP SA.
    pub keys: &'a IkeKeys,
    /// From where to where.
    pub path: Path,
    /// The rule of the ISAKMP SA.
    pub rule: &'a Rule,
    /// The IV of the message: the first of its message ID, or what the one before left.
    pub iv: &'a Iv,
    /// Extended authentication, where the rule has it, is done.
    pub admitted: bool,
    /// How often the peer has asked for the password.
    pub questions: u32,
    /// For whom addresses are.
    pub owner: &'a Owner,
    /// Seconds that the ISAKMP SA stands yet.
    pub expiry: u32,
}

/// Judges a message with which the peer begins, and answers it. Nothing has happened before the message is known to be
/// the peer's.
pub fn respond(message: &Incoming<'_>, peer: &Peer<'_>, cx: &mut Cx<'_>) -> Result<Step<State>, Reject> {
    let ((list, config_type, identifier, what), next_iv) =
        msgs::open(message, peer.keys, peer.iv, cx, |received, cx| {
            let (reply, list, what) = match (received.config_type, xauth::is_about(received)) {
                (ConfigType::REQUEST, true) => {
                    let (list, told) = peer.credentials(received);
                    (ConfigType::REPLY, list, Answered::Credentials(told))
                }
                (ConfigType::SET, true) => {
                    let status = xauth::read_status(received).ok_or_else(|| message.unexpected("XAUTH-STATUS"))?;
                    // draft-beaulieu-ike-xauth-02 §6.1: no attributes in the acknowledgement.
                    (ConfigType::ACK, AttributeWriter::new(), Answered::Status(status.0, status.1))
                }
                // draft-beaulieu-ike-xauth-02 §6: before it nothing else.
                (ConfigType::REQUEST | ConfigType::SET, false) if !peer.admitted => {
                    return Err(message.unexpected("extended authentication"));
                }
                (ConfigType::REQUEST, false) => {
                    let (list, what) = peer.give(received, cx);
                    (ConfigType::REPLY, list, what)
                }
                (ConfigType::SET, false) => {
                    let (list, what) = peer.take(received);
                    (ConfigType::ACK, list, what)
                }
                // draft-dukes-ike-mode-cfg-02 §3.3: other types are discarded.
                _ => return Err(message.unexpected("REQUEST or SET")),
            };
            Ok((list, reply, received.identifier, what))
        })?;
    let name = match (&what, config_type) {
        (Answered::Credentials(_), _) => "extended authentication reply",
        (Answered::Status(..), _) => "extended authentication acknowledgement",
        (_, ConfigType::REPLY) => "mode config reply",
        _ => "mode config acknowledgement",
    };
    let message_id = message.header.message_id;
    let sealing = Sealing { name, keys: peer.keys, path: peer.path, message_id, iv: &next_iv };
    let reply = ConfigAttributes { config_type, identifier, attributes: list.attributes() };
    let (reply, next_iv) = sealing.seal(&reply).map_err(|_| Reject::Local("encryption of a transaction message"))?;
    Ok(Step::done(Outcome::Answered { what, next_iv }, Some(reply)))
}

impl Peer<'_> {
    /// The user's name and password, if the rule has them for this peer.
    fn credentials(&self, request: &ConfigAttributes<'_>) -> (AttributeWriter, bool) {
        let credentials = match &self.rule.xauth {
            Some(Xauth::Client(credentials)) if self.questions < MAX_QUESTIONS => Some(credentials),
            _ => None,
        };
        let (reply, told) = xauth::reply(request, credentials);
        let mut list = AttributeWriter::new();
        for Attribute { kind, value } in reply.attributes {
            match value {
                AttributeValue::Basic(value) => list.number(kind, value.into()),
                AttributeValue::Variable(octets) => list.variable(kind, octets),
            };
        }
        (list, told)
    }

    /// What the peer asks for. draft-dukes-ike-mode-cfg-02 §2: a REQUEST is always answered, if need be with nothing.
    fn give(&self, request: &ConfigAttributes<'_>, cx: &Cx<'_>) -> (AttributeWriter, Answered) {
        let mut list = AttributeWriter::new();
        let pool = match &self.rule.mode_config {
            Some(ModeConfig::Server { pool, .. }) => Some(pool),
            Some(ModeConfig::Client { .. }) | None => None,
        };
        let (mut given, mut missing) = (Vec::new(), Vec::new());
        for (kind, ipv4) in
            [(ConfigAttribute::INTERNAL_IP4_ADDRESS, true), (ConfigAttribute::INTERNAL_IP6_ADDRESS, false)]
        {
            let Some(wanted) = request.attributes.iter().find(|wanted| wanted.kind == kind.0) else { continue };
            let wish = match wanted.value {
                AttributeValue::Variable(octets) => address(octets, ipv4),
                AttributeValue::Basic(_) => None,
            };
            match pool.and_then(|pool| cx.leases.choose(pool, self.owner, self.path.peer(), ipv4, wish)) {
                Some(address) => given.push(address),
                None => missing.push(MissingAddress { ipv4, rule: self.rule.name.clone(), pool: pool.cloned() }),
            }
        }
        let gift = pool.map(|pool| Gift { pool, addresses: &given, expiry: self.expiry });
        let mut answered = Vec::new();
        for wanted in &request.attributes {
            // Of each kind all at once, however often it is asked for.
            if !answered.contains(&wanted.kind) {
                answered.push(wanted.kind);
                match &gift {
                    Some(gift) => gift.answer(ConfigAttribute(wanted.kind), &mut list),
                    None => general(ConfigAttribute(wanted.kind), &mut list),
                }
            }
        }
        let what = match given.is_empty() && missing.is_empty() {
            true => Answered::Nothing,
            false => Answered::Addresses { given, missing },
        };
        (list, what)
    }

    /// What the peer gives unasked. draft-dukes-ike-mode-cfg-02 §2: what is accepted comes back with a length of zero.
    fn take(&self, set: &ConfigAttributes<'_>) -> (AttributeWriter, Answered) {
        let mut list = AttributeWriter::new();
        if !self.rule.gets_address() {
            return (list, Answered::Nothing);
        }
        let configuration = Configuration::read(&set.attributes);
        if configuration.addresses.is_empty() {
            return (list, Answered::Nothing);
        }
        for taken in &set.attributes {
            list.variable(taken.kind, &[]);
        }
        (list, Answered::Configuration(Box::new(configuration)))
    }
}

/// The addresses of the rule's pool for a client that is to take them unasked, one of each family that the pool has, and
/// those of which none is left.
pub fn to_push(
    rule: &Rule,
    pool: &Arc<Pool>,
    owner: &Owner,
    peer: HostAddress,
    leases: &Leases,
) -> (Vec<IpAddr>, Vec<MissingAddress>) {
    let (mut addresses, mut missing) = (Vec::new(), Vec::new());
    for ipv4 in [true, false].into_iter().filter(|ipv4| pool.has(*ipv4)) {
        match leases.choose(pool, owner, peer, ipv4, None) {
            Some(address) => addresses.push(address),
            None => missing.push(MissingAddress { ipv4, rule: rule.name.clone(), pool: Some(Arc::clone(pool)) }),
        }
    }
    (addresses, missing)
}
