//! What is said over the control socket: one JSON object on one line each way.
use serde::{Deserialize, Serialize};

use crate::link::NamedAddress;

use super::in_force::InForceReport;
use super::negotiations::NegotiationReport;
use super::report::{InitiateReport, Status};

/// The version of what is said; another version is refused by name.
pub(crate) const VERSION: u32 = 1;

/// Octets that a line of a client may have at most.
pub(crate) const MAX_LINE: usize = 64 * 1024;

/// Octets that a document behind a line may have at most.
pub(crate) const MAX_DOCUMENT: usize = 16 << 20;

/// A request, as it stands on a line: `{"version":1,"command":"status"}`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct RequestLine {
    /// [`VERSION`].
    pub(crate) version: u32,
    /// What is wanted.
    #[serde(flatten)]
    pub(crate) request: Request,
}

/// What a client can ask.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub(crate) enum Request {
    /// What stands: answered by [`Reply::Status`].
    Status,
    /// The policies and filters in force: answered by [`Reply::InForce`].
    InForce,
    /// The last negotiations: answered by [`Reply::Negotiations`].
    Negotiations,
    /// End the service; answered when all is deleted.
    Stop,
    /// Read the policy file again.
    Reload,
    /// Ask the directory for its policy now.
    PollDirectory,
    /// Negotiate a rule; answered by [`Reply::Initiate`] when it is done, or has failed, or the time is over.
    Initiate {
        /// The rule's name.
        rule: String,
        /// The peer, for a rule for many.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        peer: Option<NamedAddress>,
        /// How long to wait at most.
        wait_seconds: u32,
    },
    /// Delete SAs and tell the peers.
    Terminate(Target),
    /// Replace an SA by a new one now.
    Rekey(Target),
    /// Switch Oakley.log on or off.
    Log {
        /// On or off.
        enabled: bool,
    },
    /// The document of the dynamic policy store: answered by [`Reply::DynamicPolicy`].
    DynamicPolicy,
    /// Put another document in its place, if it is still of this revision; otherwise answered by [`Reply::OtherRevision`].
    SetDynamicPolicy {
        /// The revision that the other document was made of.
        revision: u64,
        /// How many octets of document follow the line.
        octets: usize,
    },
}

impl Request {
    /// How many octets of document follow the line.
    pub(crate) fn octets(&self) -> usize {
        if let Self::SetDynamicPolicy { octets, .. } = self { *octets } else { 0 }
    }
}

/// What is to be deleted or replaced.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Target {
    /// Everything with a peer.
    Peer(NamedAddress),
    /// An ISAKMP SA, by its handle.
    IkeSa(Handle),
    /// An IPsec SA pair, by its handle.
    IpsecSa(Handle),
    /// Everything.
    All,
}

/// The handle of an SA: hexadecimal digits, as in the trace.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Handle(pub(crate) u64);

/// No handle.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0:?} is no handle of an SA, allowed: up to 16 hexadecimal digits, as `policyagent status` shows")]
pub(crate) struct NoHandle(String);

impl std::str::FromStr for Handle {
    type Err = NoHandle;

    fn from_str(text: &str) -> Result<Self, NoHandle> {
        let digits = text.strip_prefix("0x").unwrap_or(text);
        let plain = !digits.is_empty() && digits.chars().all(|c| c.is_ascii_hexdigit());
        let number = if plain { u64::from_str_radix(digits, 16).ok() } else { None };
        number.map(Self).ok_or_else(|| NoHandle(text.to_owned()))
    }
}

impl TryFrom<String> for Handle {
    type Error = NoHandle;

    fn try_from(text: String) -> Result<Self, NoHandle> {
        text.parse()
    }
}

impl From<Handle> for String {
    fn from(handle: Handle) -> Self {
        handle.to_string()
    }
}

impl std::fmt::Display for Handle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:x}", self.0)
    }
}

/// An answer, as it stands on a line.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct ReplyLine {
    /// [`VERSION`].
    pub(crate) version: u32,
    /// The answer.
    #[serde(flatten)]
    pub(crate) reply: Reply,
}

/// What the service answers.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "reply", rename_all = "snake_case")]
pub(crate) enum Reply {
    /// To [`Request::Status`].
    Status(Box<Status>),
    /// To [`Request::InForce`].
    InForce(Box<InForceReport>),
    /// To [`Request::Negotiations`].
    Negotiations {
        /// The newest first.
        negotiations: Vec<NegotiationReport>,
    },
    /// To [`Request::Initiate`].
    Initiate(Box<InitiateReport>),
    /// It was done, or begun.
    Done {
        /// What, for people.
        message: String,
        /// What is allowed, but perhaps not meant.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        warnings: Vec<String>,
    },
    /// To [`Request::DynamicPolicy`].
    DynamicPolicy {
        /// Changes with the document.
        revision: u64,
        /// How many octets of document follow the line.
        octets: usize,
    },
    /// The document is of another revision; nothing was changed.
    OtherRevision {
        /// Of which.
        revision: u64,
    },
    /// It was not done.
    Error {
        /// Why not, and what is allowed.
        message: String,
    },
}

impl Reply {
    /// How many octets of document follow the line.
    pub(crate) fn octets(&self) -> usize {
        if let Self::DynamicPolicy { octets, .. } = self { *octets } else { 0 }
    }

    /// Something was done.
    pub(crate) fn done(message: impl Into<String>) -> Self {
        Self::Done { message: message.into(), warnings: Vec::new() }
    }

    /// Something was not done.
    pub(crate) fn error(message: impl ToString) -> Self {
        Self::Error { message: message.to_string() }
    }
}
