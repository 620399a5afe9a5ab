//! Which payloads a message may have, and how many: a table a message, checked before any payload is decoded.
use super::chain::Chain;
use super::codes::PayloadType;
use super::error::{Fault, Part, WireError};

#[cfg(test)]
mod tests;

/// How many payloads of one kind a message must and may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PayloadRule {
    /// The kind.
    pub kind: PayloadType,
    /// At least.
    pub min: usize,
    /// At most.
    pub max: usize,
}

impl PayloadRule {
    /// Exactly one.
    pub const fn one(kind: PayloadType) -> Self {
        Self { kind, min: 1, max: 1 }
    }

    /// None or one.
    pub const fn optional(kind: PayloadType) -> Self {
        Self { kind, min: 0, max: 1 }
    }

    /// Any number from none to `max`.
    pub const fn up_to(kind: PayloadType, max: usize) -> Self {
        Self { kind, min: 0, max }
    }
}

/// What a known payload without a rule does to a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unlisted {
    /// It is passed over.
    Ignore,
    /// It spoils the message.
    Reject,
}

/// Checks the payloads of a message against its rules.
///
/// Whatever `unlisted` says, without a rule of their own
/// - vendor IDs are passed over: they may stand in any message (RFC 2408 §3.16);
/// - private payloads, 128 to 255, are passed over;
/// - other unknown payloads spoil the message (RFC 2408 §5.3), and so do proposals and transforms, which live in an
///   SA payload only.
pub fn check(chain: &Chain<'_>, rules: &[PayloadRule], unlisted: Unlisted) -> Result<(), WireError> {
    for payload in &chain.payloads {
        let kind = payload.kind;
        if kind == PayloadType::VENDOR || kind.is_private() || rules.iter().any(|rule| rule.kind == kind) {
            continue;
        }
        let fault = match (kind, unlisted) {
            (PayloadType::PROPOSAL | PayloadType::TRANSFORM, _) => Fault::Unexpected(kind),
            (_, _) if kind.name().is_none() => Fault::UnknownPayload(kind),
            (_, Unlisted::Reject) => Fault::Unexpected(kind),
            (_, Unlisted::Ignore) => continue,
        };
        return Err(WireError { part: Part::Chain, offset: payload.offset, fault });
    }
    for &PayloadRule { kind, min, max } in rules {
        let found = chain.all(kind).count();
        let surplus = chain.all(kind).nth(max);
        if let Some(payload) = surplus {
            let fault = Fault::Surplus { kind, max, found };
            return Err(WireError { part: Part::Chain, offset: payload.offset, fault });
        }
        if found < min {
            return Err(WireError { part: Part::Chain, offset: 0, fault: Fault::Missing { kind, min, found } });
        }
    }
    Ok(())
}
