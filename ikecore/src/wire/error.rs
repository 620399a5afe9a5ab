//! What can be wrong with received octets: where, what stands there, what may stand there.
use super::codes::{Doi, ExchangeType, Flags, NotifyType, PayloadType, Situation};
use core::fmt;

/// Octets that cannot be decoded, or a message whose payloads break the rules of its exchange.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{part}, offset {offset}: {fault}")]
pub struct WireError {
    /// What was being decoded.
    pub part: Part,
    /// Where: octets from the start of what was given to the decoder that failed. Errors that come through
    /// [`super::chain::RawPayload::decode`] count from the first octet after the ISAKMP header.
    pub offset: usize,
    /// What is wrong.
    pub fault: Fault,
}

/// What a decoder was working on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part {
    /// The ISAKMP header (RFC 2408 §3.1).
    Header,
    /// The chain of payloads that follows the header.
    Chain,
    /// One payload.
    Payload(PayloadType),
    /// A data attribute (RFC 2408 §3.3).
    Attribute,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header => f.write_str("ISAKMP header"),
            Self::Chain => f.write_str("payload chain"),
            Self::Payload(kind) => write!(f, "{kind} payload"),
            Self::Attribute => f.write_str("data attribute"),
        }
    }
}

/// What is wrong with a [`Part`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The octets end inside a field.
    #[error("{field} needs {needed} octets, {there} are left")]
    Truncated {
        /// The field.
        field: &'static str,
        /// Octets that it needs.
        needed: usize,
        /// Octets that are left.
        there: usize,
    },
    /// Octets follow the end.
    #[error("{count} octets follow the end, none may")]
    Trailing {
        /// How many.
        count: usize,
    },
    /// The Length field of the ISAKMP header differs from the size of the message.
    #[error("the header states a length of {stated} octets, the message has {there}")]
    MessageLength {
        /// The field.
        stated: u32,
        /// Octets of the datagram.
        there: usize,
    },
    /// A major version other than 1.
    #[error("major version {} is not supported, 1 is", .0 >> 4)]
    MajorVersion(
        /// The whole Version octet.
        u8,
    ),
    /// A minor version above 0.
    #[error("minor version {} is not supported, 0 is", .0 & 0x0f)]
    MinorVersion(
        /// The whole Version octet.
        u8,
    ),
    /// The initiator's cookie is zero.
    #[error("the initiator cookie is zero")]
    ZeroCookie,
    /// An exchange type without a meaning.
    #[error("exchange type {0} is not known")]
    Exchange(ExchangeType),
    /// Flag bits without a meaning.
    #[error("flags {0} have bits other than E (1), C (2) and A (4)")]
    Flags(Flags),
    /// A message ID that the exchange cannot have.
    #[error("message ID {id:08x} in {exchange}: zero is for phase 1, every other value for phase 2")]
    MessageId {
        /// The message ID.
        id: u32,
        /// The exchange.
        exchange: ExchangeType,
    },
    /// The Payload Length field leaves its payload or what holds it.
    #[error("Payload Length is {stated}, allowed are {least} to {there} octets")]
    PayloadLength {
        /// The field.
        stated: u16,
        /// The least the payload can have.
        least: usize,
        /// Octets left, with the generic header.
        there: usize,
    },
    /// A RESERVED field that is not zero.
    #[error("RESERVED is {0:#x}, must be 0")]
    Reserved(
        /// What stands there.
        u32,
    ),
    /// A Next Payload field with a value that cannot stand there.
    #[error("Next Payload is {value}, allowed are {allowed}")]
    NextPayload {
        /// What stands there.
        value: PayloadType,
        /// What may.
        allowed: &'static str,
    },
    /// A field with a value that it cannot have.
    #[error("{field} is {value}, allowed is {allowed}")]
    Value {
        /// The field.
        field: &'static str,
        /// What stands there.
        value: u64,
        /// What may.
        allowed: &'static str,
    },
    /// A field with a length that it cannot have.
    #[error("{field} has {length} octets, allowed is {allowed}")]
    Length {
        /// The field.
        field: &'static str,
        /// Its length in octets.
        length: usize,
        /// What is allowed.
        allowed: &'static str,
    },
    /// SPIs whose size or number does not fit.
    #[error("{count} SPIs of {size} octets each do not fill the {there} octets that are there")]
    Spis {
        /// The SPI Size field.
        size: u8,
        /// The number of SPIs.
        count: u16,
        /// Octets left for them.
        there: usize,
    },
    /// A domain of interpretation that is not supported.
    #[error("DOI {0} is not supported, IPSEC (1) is")]
    Doi(Doi),
    /// A situation that is not supported.
    #[error("situation {0} is not supported, SIT_IDENTITY_ONLY (1) is")]
    Situation(Situation),
    /// More of something than any honest peer sends.
    #[error("more than {max} {what}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// The most that is read.
        max: usize,
    },
    /// The number of transforms differs from what the proposal says.
    #[error("the proposal announces {stated} transforms and has {found}, it needs at least one")]
    TransformCount {
        /// The # of Transforms field.
        stated: u8,
        /// How many there are.
        found: usize,
    },
    /// Too few payloads of a kind for this message.
    #[error("{found} {kind} payloads, at least {min} must be there")]
    Missing {
        /// The kind.
        kind: PayloadType,
        /// How many there must be.
        min: usize,
        /// How many there are.
        found: usize,
    },
    /// Too many payloads of a kind for this message.
    #[error("{found} {kind} payloads, at most {max} may be there")]
    Surplus {
        /// The kind.
        kind: PayloadType,
        /// How many there may be.
        max: usize,
        /// How many there are.
        found: usize,
    },
    /// A payload that has no place in this message.
    #[error("a {0} payload has no place in this message")]
    Unexpected(PayloadType),
    /// A payload type without a meaning that is not for private use either.
    #[error("payload type {0} is not known, allowed are known types and 128 to 255")]
    UnknownPayload(PayloadType),
}

impl WireError {
    /// The same error counted from octets that begin `base` octets earlier.
    #[must_use]
    pub fn moved(mut self, base: usize) -> Self {
        self.offset = self.offset.saturating_add(base);
        self
    }

    /// The notification that RFC 2408 §5 assigns to the fault; `None` where it assigns none.
    pub fn notify(&self) -> Option<NotifyType> {
        Some(match &self.fault {
            // RFC 2408 §5.1: lengths that differ.
            Fault::MessageLength { .. } => NotifyType::UNEQUAL_PAYLOAD_LENGTHS,
            // RFC 2408 §5.2, in the order of its list.
            Fault::ZeroCookie => NotifyType::INVALID_COOKIE,
            Fault::NextPayload { .. } if self.in_proposal() => NotifyType::BAD_PROPOSAL_SYNTAX,
            Fault::NextPayload { .. } | Fault::Unexpected(_) | Fault::UnknownPayload(_) => {
                NotifyType::INVALID_PAYLOAD_TYPE
            }
            Fault::MajorVersion(_) => NotifyType::INVALID_MAJOR_VERSION,
            Fault::MinorVersion(_) => NotifyType::INVALID_MINOR_VERSION,
            Fault::Exchange(_) => NotifyType::INVALID_EXCHANGE_TYPE,
            Fault::Flags(_) => NotifyType::INVALID_FLAGS,
            Fault::MessageId { .. } => NotifyType::INVALID_MESSAGE_ID,
            // RFC 2408 §5.4.
            Fault::Doi(_) => NotifyType::DOI_NOT_SUPPORTED,
            Fault::Situation(_) => NotifyType::SITUATION_NOT_SUPPORTED,
            // RFC 2408 §5.5, §5.6.
            Fault::TransformCount { .. } => NotifyType::BAD_PROPOSAL_SYNTAX,
            // RFC 2408 §5.15.
            Fault::Spis { .. } => NotifyType::INVALID_SPI,
            // A datagram too short for a header names no exchange to answer in.
            Fault::Truncated { .. } if self.part == Part::Header => return None,
            // RFC 2408 §5.3 and, for what a payload holds, §5.7 to §5.15.
            Fault::Truncated { .. }
            | Fault::Trailing { .. }
            | Fault::PayloadLength { .. }
            | Fault::Reserved(_)
            | Fault::Value { .. }
            | Fault::Length { .. }
            | Fault::TooMany { .. }
            | Fault::Missing { .. }
            | Fault::Surplus { .. } => match self.part {
                Part::Payload(PayloadType::ID) => NotifyType::INVALID_ID_INFORMATION,
                _ if self.in_proposal() => NotifyType::BAD_PROPOSAL_SYNTAX,
                _ => NotifyType::PAYLOAD_MALFORMED,
            },
        })
    }

    fn in_proposal(&self) -> bool {
        matches!(self.part, Part::Payload(PayloadType::PROPOSAL | PayloadType::TRANSFORM))
    }
}
