//! The transaction exchange, begun by this host.
use super::super::Cx;
use super::super::message::Incoming;
use super::super::step::{Role, Step};
use super::super::work::{Answer, Ask, XauthCheck};
use super::configuration::{Gift, request};
use super::msgs::{self, Sealing};
use super::xauth::{self, Reply};
use super::{Outcome, Plan};
use crate::address::HostAddress;
use crate::crypto::iv::Iv;
use crate::event::Configuration;
use crate::event::{Failure, Reject};
use crate::policy::pool::Pool;
use crate::wire::{ConfigAttributes, ConfigType, ExchangeType};
use std::net::IpAddr;
use std::sync::Arc;

/// What this host wants of the peer.
pub enum Asked {
    /// To know its user's name and password.
    User {
        /// The rule that wants it.
        rule: String,
    },
    /// That it knows whether its user is admitted.
    Status {
        /// Whether it is.
        admitted: bool,
    },
    /// An address of each of these families.
    Addresses {
        /// Of IPv4.
        ipv4: bool,
        /// Of IPv6.
        ipv6: bool,
        /// Addresses that this host had before.
        has: Vec<IpAddr>,
    },
    /// That it takes addresses of a pool.
    Take {
        /// The pool.
        pool: Arc<Pool>,
        /// The addresses.
        addresses: Vec<IpAddr>,
        /// Seconds that they are the peer's at least.
        expiry: u32,
    },
}

/// The states.
pub enum State {
    /// The request, or the order, is out.
    Sent(Box<Sent>),
    /// The name and the password are being checked.
    Checking {
        /// Where they came from.
        peer: HostAddress,
        /// The name.
        user: String,
    },
}

/// After the first message.
pub struct Sent {
    plan: Plan,
    asked: Asked,
    iv: Iv,
}

/// Sends the first message.
pub fn begin(plan: Plan, asked: Asked) -> Result<Step<State>, Failure> {
    let first_iv = plan.keys.first_iv(plan.message_id);
    let seal = |name, attributes: &ConfigAttributes<'_>| {
        let Plan { keys, path, message_id, .. } = &plan;
        Sealing { name, keys, path: *path, message_id: *message_id, iv: &first_iv }.seal(attributes)
    };
    let identifier = plan.identifier;
    let config = |config_type, list: &crate::wire::AttributeWriter, name| {
        seal(name, &ConfigAttributes { config_type, identifier, attributes: list.attributes() })
    };
    let (message, iv) = match &asked {
        Asked::User { .. } => seal("extended authentication request", &xauth::request(identifier))?,
        Asked::Status { admitted } => seal("extended authentication status", &xauth::status(identifier, *admitted))?,
        Asked::Addresses { ipv4, ipv6, has } => {
            config(ConfigType::REQUEST, &request(*ipv4, *ipv6, has), "mode config request")?
        }
        Asked::Take { pool, addresses, expiry } => {
            let gift = Gift { pool, addresses, expiry: *expiry };
            config(ConfigType::SET, &gift.whole(), "mode config order")?
        }
    };
    Ok(Step::send(State::Sent(Box::new(Sent { plan, asked, iv })), message))
}

impl Role for State {
    type Outcome = Outcome;

    fn waits_for(&self) -> &'static str {
        match self {
            Self::Sent(sent) => match sent.asked {
                Asked::User { .. } => "extended authentication reply",
                Asked::Status { .. } => "extended authentication acknowledgement",
                Asked::Addresses { .. } => "mode config reply",
                Asked::Take { .. } => "mode config acknowledgement",
            },
            Self::Checking { .. } => "the check of name and password",
        }
    }

    fn receive(&self, message: &Incoming<'_>, cx: &mut Cx<'_>) -> Result<Step<Self>, Reject> {
        match self {
            Self::Sent(sent) => sent.receive(message, cx),
            Self::Checking { .. } => Err(message.unexpected(self.waits_for())),
        }
    }

    fn answer(self, answer: Answer, _: &mut Cx<'_>) -> Result<Step<Self>, Failure> {
        Ok(match (self, answer) {
            (Self::Checking { peer, user }, Answer::Xauth(result)) => {
                let verdict = match result {
                    Ok(()) => Ok(user),
                    Err(reason) => Err(Failure::XauthFailed { peer, user: Some(user), reason }),
                };
                Step::done(Outcome::User(verdict), None)
            }
            (other, _) => Step::stay(other),
        })
    }
}

impl Sent {
    fn receive(&self, message: &Incoming<'_>, cx: &mut Cx<'_>) -> Result<Step<State>, Reject> {
        let plan = &self.plan;
        if message.header.exchange != ExchangeType::TRANSACTION || message.header.message_id != plan.message_id {
            return Err(message.unexpected("transaction"));
        }
        let (step, _) = msgs::open(message, &plan.keys, &self.iv, cx, |attributes, _| {
            // draft-dukes-ike-mode-cfg-02 §2: a REPLY to a REQUEST, an ACK to a SET. That it is to this one, the message ID
            // says and the HASH proves; strongSwan answers with an identifier of zero.
            let expected = match self.asked {
                Asked::User { .. } | Asked::Addresses { .. } => ConfigType::REPLY,
                Asked::Status { .. } | Asked::Take { .. } => ConfigType::ACK,
            };
            if attributes.config_type != expected {
                return Err(message.unexpected(expected.name().unwrap_or("reply")));
            }
            Ok(match &self.asked {
                Asked::User { rule } => self.check(rule, xauth::read_reply(attributes)),
                Asked::Status { .. } => Step::done(Outcome::StatusKnown, None),
                Asked::Addresses { .. } => {
                    let configuration = Configuration::read(&attributes.attributes);
                    Step::done(Outcome::Configured(Box::new(configuration)), None)
                }
                Asked::Take { .. } => Step::done(Outcome::Taken, None),
            })
        })?;
        Ok(step)
    }

    fn check(&self, rule: &str, reply: Reply) -> Step<State> {
        let peer = self.plan.path.peer();
        match reply {
            Reply::Credentials(user, password) => {
                let ask = XauthCheck { peer, rule: rule.to_owned(), user: user.clone(), password };
                Step::ask(State::Checking { peer, user }, vec![Ask::Xauth(ask)])
            }
            Reply::Unusable(reason) => {
                let failure = Failure::XauthFailed { peer, user: None, reason: reason.to_owned() };
                Step::done(Outcome::User(Err(failure)), None)
            }
        }
    }
}
