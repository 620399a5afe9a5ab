//! The transaction exchange (draft-dukes-ike-mode-cfg-02 §3), with what it is used for here: extended authentication
//! (XAuth, draft-beaulieu-ike-xauth-02) and the configuration of hosts that join from outside (Mode Config).
//!
//! ```text
//! 1  HDR*, HASH, ATTR(REQUEST or SET)  -->
//! 2                               <--  HDR*, HASH, ATTR(REPLY or ACK)
//! ```
//!
//! Either end of an ISAKMP SA may begin one. Each that this host begins has a message ID of its own; a peer may put several
//! into one, and then the IVs follow on (RFC 2409 Appendix B).
pub mod configuration;
pub mod initiator;
mod msgs;
pub mod responder;
pub mod xauth;

pub use crate::event::Configuration;
pub use initiator::{Asked, State, begin};

use super::Path;
use super::phase1::IkeKeys;
use crate::crypto::iv::Iv;
use crate::event::{Failure, MissingAddress};
use crate::ids::MessageId;
use std::net::IpAddr;
use std::sync::Arc;

/// What a transaction that this host begins is sent with.
#[derive(Clone)]
pub struct Plan {
    /// The keys of the ISAKMP SA that protects it.
    pub keys: Arc<IkeKeys>,
    /// From where to where.
    pub path: Path,
    /// Its message ID.
    pub message_id: MessageId,
    /// The identifier of the configuration transaction; all of one extended authentication have the same
    /// (draft-beaulieu-ike-xauth-02 §6).
    pub identifier: u16,
}

/// What came of a transaction.
#[derive(Debug)]
pub enum Outcome {
    /// This host asked who the user is: its name, if it has proven it.
    User(Result<String, Failure>),
    /// This host told how the extended authentication ended, and the peer knows it.
    StatusKnown,
    /// This host asked for an address.
    Configured(Box<Configuration>),
    /// This host gave an address unasked, and the peer has taken it.
    Taken,
    /// The peer began, and was answered.
    Answered {
        /// What it wanted.
        what: Answered,
        /// The IV of what the peer may send next with the same message ID.
        next_iv: Iv,
    },
}

/// What the peer wanted.
#[derive(Debug)]
pub enum Answered {
    /// To know who this host's user is; true if it was told.
    Credentials(bool),
    /// To tell how the extended authentication ended: true if well; and what it said besides.
    Status(bool, Option<String>),
    /// Addresses.
    Addresses {
        /// What it got.
        given: Vec<IpAddr>,
        /// What it did not get.
        missing: Vec<MissingAddress>,
    },
    /// To give this host an address.
    Configuration(Box<Configuration>),
    /// Something else, which was answered as far as there is an answer.
    Nothing,
}
