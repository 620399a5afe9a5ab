//! The choice among a peer's proposals, and the check of a peer's choice (RFC 2408 §4.2, RFC 2409 §5 and §5.5).
//!
//! As responder this host goes through the peer's transforms in the peer's order of preference and takes the first that
//! any of its own offers accepts: the offers say what is acceptable, the initiator says what is preferred. What this
//! host does not know, be it an attribute, a value or a protocol, makes the one transform unacceptable and never spoils
//! the others: an initiator lists its newest algorithms first. (RFC 2407 §4.5.3 would have the whole setup aborted.)
//!
//! Lives do not decide about a transform: both sides keep to the shorter one, see [`Lifetime::agreed`].
//!
//! [`Lifetime::agreed`]: super::suite::Lifetime::agreed
mod main_mode;
mod quick_mode;
mod reply;

pub use main_mode::{ChosenMainMode, select_main_mode, verify_main_mode_reply};
pub use quick_mode::{ChosenQuickMode, select_quick_mode, verify_quick_mode_reply};

use super::attributes::Fault;
use super::mismatch::Mismatch;
use crate::wire::codes::{NotifyType, ProtocolId};
use crate::wire::payload::{Proposal, Sa};

/// The most transforms that are looked at: RFC 2409 §5 allows a limit. An honest proposal has no more, a forged message
/// could have thousands.
const MAX_INSPECTED: usize = 255;

/// The result of comparing a transform with the offers, attribute by attribute.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Closest<T> {
    /// This offer agrees in everything.
    Accepted(T),
    /// No offer agrees. Of those that agree in most attributes: the first attribute that differs, and the offers that
    /// differ there.
    Differs { attribute: usize, near: Vec<T> },
}

/// Finds the offer that agrees in most of `N` attributes; each comes with in which of them it agrees.
fn closest<T, const N: usize>(offers: impl Iterator<Item = (T, [bool; N])>) -> Closest<T> {
    let (mut best, mut attribute, mut near) = (0, 0, Vec::new());
    for (offer, agrees) in offers {
        let Some(first) = agrees.iter().position(|agrees| !agrees) else { return Closest::Accepted(offer) };
        let count = agrees.iter().filter(|agrees| **agrees).count();
        if near.is_empty() || count > best {
            (best, attribute, near) = (count, first, vec![offer]);
        } else if count == best && first == attribute {
            near.push(offer);
        }
    }
    Closest::Differs { attribute, near }
}

/// The different ones of `values`, in order, for people.
fn alternatives(values: impl Iterator<Item = String>) -> String {
    let mut different: Vec<String> = Vec::new();
    for value in values {
        if !different.contains(&value) {
            different.push(value);
        }
    }
    if different.is_empty() { "nothing".to_owned() } else { different.join(", ") }
}

/// `AES-CBC (7)` with 128 bits is `AES-CBC-128 (7)`.
fn with_key_length(name: &str, bits: Option<&str>, variable: bool) -> String {
    match (name.split_once(' '), bits) {
        (Some((name, code)), Some(bits)) => format!("{name}-{bits} {code}"),
        (None, Some(bits)) => format!("{name}-{bits}"),
        (_, None) if variable => format!("{name} without Key Length"),
        (_, None) => name.to_owned(),
    }
}

/// A fault, with what the peer is told of it.
struct Refusal {
    fault: Fault,
    notify: NotifyType,
}

impl From<Fault> for Refusal {
    /// This host's policy has something else.
    fn from(fault: Fault) -> Self {
        Self { fault, notify: NotifyType::NO_PROPOSAL_CHOSEN }
    }
}

impl Refusal {
    /// Whatever the policy says, the attributes conflict, or are none that this host knows (RFC 2407 §4.5.2, §4.5.3).
    const fn attributes(fault: Fault) -> Self {
        Self { fault, notify: NotifyType::ATTRIBUTES_NOT_SUPPORTED }
    }

    /// The Key Exchange payload is not what the group needs (RFC 2408 §5.7).
    const fn key_exchange(fault: Fault) -> Self {
        Self { fault, notify: NotifyType::INVALID_KEY_INFORMATION }
    }

    /// The SPI is none (RFC 2408 §5.5).
    const fn spi(fault: Fault) -> Self {
        Self { fault, notify: NotifyType::INVALID_SPI }
    }
}

/// What proposals and transforms are refused for.
#[derive(Default)]
struct Refused(Vec<Mismatch>);

impl Refused {
    /// `transform` is 0 where the proposal as a whole is refused.
    fn add(&mut self, proposal: u8, transform: u8, refusal: impl Into<Refusal>) {
        self.0.push(mismatch(proposal, transform, refusal));
    }

    /// True once no more transforms are looked at.
    const fn is_full(&self) -> bool {
        self.0.len() >= MAX_INSPECTED
    }
}

fn mismatch(proposal: u8, transform: u8, refusal: impl Into<Refusal>) -> Mismatch {
    let Refusal { fault: Fault { attribute, received, allowed }, notify } = refusal.into();
    Mismatch { proposal, transform, attribute, received, allowed, notify }
}

/// The proposals of an SA payload by their numbers, in the order of each number's first. Those of one number are meant to be
/// used together (RFC 2408 §4.2).
fn by_number<'s, 'a>(sa: &'s Sa<'a>) -> Vec<Vec<&'s Proposal<'a>>> {
    let mut groups: Vec<Vec<&Proposal<'a>>> = Vec::new();
    for proposal in &sa.proposals {
        match groups.iter_mut().find(|group| group.iter().any(|other| other.number == proposal.number)) {
            Some(group) => group.push(proposal),
            None => groups.push(vec![proposal]),
        }
    }
    groups
}

/// The names of protocols that are meant to be used together.
fn together(protocols: impl Iterator<Item = ProtocolId>) -> String {
    let names: Vec<String> = protocols.map(|protocol| protocol.to_string()).collect();
    names.join(" together with ")
}

/// The refusal of proposals that share a number.
fn sharing(group: &[&Proposal<'_>], allowed: &str) -> Fault {
    let received = together(group.iter().map(|proposal| proposal.protocol));
    Fault { attribute: "Protocol-ID", received, allowed: allowed.to_owned() }
}

#[cfg(test)]
mod tests;
