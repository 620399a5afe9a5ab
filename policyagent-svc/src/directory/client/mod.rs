//! The directory's client: connections, searches, changes.
pub(crate) mod assignment;
mod connect;
mod entry;
mod policies;
mod referral;
mod search;
mod write;

pub(crate) use connect::Client;
pub(crate) use entry::Entry;

use super::blob::MAX_OCTETS;
use super::objects::ObjectFaults;
use super::objects::difference::DifferenceError;
use crate::guid::Guid;
use std::path::PathBuf;

/// Why the directory could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    /// None of the servers.
    #[error("no server of the directory can be used: {}", .0.join("; "))]
    NoServer(Vec<String>),
    /// A file of the settings.
    #[error("{path}: {error}")]
    File {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        error: String,
    },
    /// The connection, or its TLS.
    #[error("{what}: {error}")]
    Connection {
        /// What was tried.
        what: String,
        /// What the library said.
        error: String,
    },
    /// The server refuses.
    #[error("{what}: the server says {} ({code}){}", name_of(*.code), if .text.is_empty() { String::new() } else { format!(": {}", .text) })]
    Refused {
        /// What was tried.
        what: String,
        /// LDAP's number.
        code: u32,
        /// The server's own words.
        text: String,
    },
    /// An answer that is none.
    #[error("{what}: {found}, allowed: {allowed}")]
    Answer {
        /// Of what.
        what: String,
        /// What came.
        found: String,
        /// What may come.
        allowed: String,
    },
    /// Servers that send from one to another.
    #[error("{what}: more than {} referrals one after the other, the last one to {last}", referral::MOST)]
    Referrals {
        /// What was tried.
        what: String,
        /// The last one.
        last: String,
    },
    /// What the objects say.
    #[error("the policy of the directory cannot be used:\n{0}")]
    Objects(#[from] ObjectFaults),
    /// What they are to say.
    #[error("the directory cannot hold the policy:\n{0}")]
    Difference(#[from] DifferenceError),
    /// A filter list, filter action or main mode that is to be deleted.
    #[error("{dn} is still used by {by}; nothing was changed")]
    InUse {
        /// The object.
        dn: String,
        /// By which other.
        by: String,
    },
}

impl ClientError {
    fn connection(what: impl Into<String>, error: impl ToString) -> Self {
        Self::Connection { what: what.into(), error: error.to_string() }
    }

    fn answer(what: impl Into<String>, found: impl Into<String>, allowed: impl Into<String>) -> Self {
        Self::Answer { what: what.into(), found: found.into(), allowed: allowed.into() }
    }
}

/// What an assignment says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Assigned {
    /// The assignment object.
    pub(crate) assignment: String,
    /// The policy's distinguished name.
    pub(crate) policy: String,
    /// What it calls the policy.
    pub(crate) name: String,
    /// For people.
    pub(crate) description: Option<String>,
}

/// There is no such object.
const NO_SUCH_OBJECT: u32 = 32;
/// Another server has it.
const REFERRAL: u32 = 10;

/// The names of LDAP's numbers (RFC 4511 §4.1.9) that one may see here.
const fn name_of(code: u32) -> &'static str {
    match code {
        1 => "operationsError",
        2 => "protocolError",
        3 => "timeLimitExceeded",
        4 => "sizeLimitExceeded",
        7 => "authMethodNotSupported",
        8 => "strongerAuthRequired",
        11 => "adminLimitExceeded",
        13 => "confidentialityRequired",
        16 => "noSuchAttribute",
        17 => "undefinedAttributeType",
        19 => "constraintViolation",
        20 => "attributeOrValueExists",
        21 => "invalidAttributeSyntax",
        32 => "noSuchObject",
        34 => "invalidDNSyntax",
        48 => "inappropriateAuthentication",
        49 => "invalidCredentials",
        50 => "insufficientAccessRights",
        51 => "busy",
        52 => "unavailable",
        53 => "unwillingToPerform",
        64 => "namingViolation",
        65 => "objectClassViolation",
        66 => "notAllowedOnNonLeaf",
        68 => "entryAlreadyExists",
        _ => "an error",
    }
}

/// The object of a group policy object that says which policy is assigned.
pub(crate) fn assignment_dn(gpo_dn: &str) -> String {
    format!("CN=ipsec,CN=Windows,CN=Microsoft,CN=Machine,{gpo_dn}")
}

/// The distinguished name of a group policy object.
pub(crate) fn gpo_dn(gpo: Guid, base: &str) -> String {
    format!("CN={},CN=Policies,CN=System,{base}", gpo.to_string().to_uppercase())
}
