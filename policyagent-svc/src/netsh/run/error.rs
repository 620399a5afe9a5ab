//! Why a command was not carried out: one wording for each reason.
use std::path::PathBuf;

use super::document::Kind;
use crate::document::{allowed, suggestion};
use crate::guid::NoRandomness;

/// Why a command was not carried out. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RunError {
    /// A new object gets no GUID.
    #[error(transparent)]
    Guid(#[from] NoRandomness),
    /// Of several stores not all could be written, and not all put back.
    #[error("{error}; {left}")]
    PartlyDone {
        /// Why one was not written.
        error: Box<Self>,
        /// Which stay changed, and why.
        left: String,
    },
    /// The name is taken.
    #[error("the {kind} {name:?} exists already")]
    Exists {
        /// The kind of object.
        kind: Kind,
        /// Its name.
        name: String,
    },
    /// Nothing has the name, or the GUID.
    #[error("there is no {kind} {name:?}{hint}")]
    NotFound {
        /// The kind of object.
        kind: Kind,
        /// What was named.
        name: String,
        /// What was probably meant, and what there is.
        hint: String,
    },
    /// The policy has a rule of this name.
    #[error("policy {policy:?} has a rule {rule:?} already")]
    RuleExists {
        /// The policy.
        policy: String,
        /// The rule.
        rule: String,
    },
    /// The policy has no such rule.
    #[error("policy {policy:?} has no rule {rule}{hint}")]
    NoRule {
        /// The policy.
        policy: String,
        /// What was named: a name in quotes, or a number.
        rule: String,
        /// What was probably meant, and what there is.
        hint: String,
    },
    /// Others refer to it.
    #[error("the {kind} {name:?} is in use by {}; allowed: objects that nothing refers to", .users.join(", "))]
    InUse {
        /// The kind of object.
        kind: Kind,
        /// Its name.
        name: String,
        /// Who refers to it.
        users: Vec<String>,
    },
    /// Every policy has its default response.
    #[error(
        "the default response rule of policy {policy:?} cannot be deleted; allowed: `set defaultrule policy=... activate=no`"
    )]
    DefaultRule {
        /// The policy.
        policy: String,
    },
    /// No name for an object.
    #[error("{name:?} is no name for a {kind}: {reason}")]
    Name {
        /// The kind of object.
        kind: Kind,
        /// What was to be its name.
        name: String,
        /// Why not, and what is allowed.
        reason: &'static str,
    },
    /// The list has the filter.
    #[error("the filter list {list:?} has this filter already: {filter}")]
    FilterExists {
        /// The list.
        list: String,
        /// The filter.
        filter: String,
    },
    /// The list does not have the filter.
    #[error("the filter list {list:?} has no filter {filter}; all of its parts must be the same, those left out too")]
    NoFilter {
        /// The list.
        list: String,
        /// What was looked for.
        filter: String,
    },
    /// A DNS name without addresses.
    #[error("{name:?} has no address: {reason}")]
    Resolve {
        /// The name.
        name: String,
        /// Why not.
        reason: String,
    },
    /// Two sides that have nothing in common.
    #[error("{source_name:?} and {destination:?} have no addresses of one family")]
    Families {
        /// From.
        source_name: String,
        /// To.
        destination: String,
    },
    /// The document is not well formed, or says what no document may.
    #[error("{0}")]
    Document(String),
    /// A file could not be read or written.
    #[error("{path}: {error}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// The file is not one of ours.
    #[error(
        "{path} is no export of `exportpolicy`: its first line is not {magic:?}; the .ipsec files of Windows have a form of \
         their own that is not documented, allowed: a file that `exportpolicy` of this program has written"
    )]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What its first line should be.
        magic: &'static str,
    },
    /// An import has an object whose name is another's here.
    #[error(
        "the {kind} {name:?} of the file has another GUID than the {kind} of this name in the store; allowed: rename or \
         delete one of them"
    )]
    Clash {
        /// The kind of object.
        kind: Kind,
        /// The name.
        name: String,
    },
    /// The store changed while edits were held back.
    #[error("the store was changed by somebody else while edits were held back; they were not written")]
    Overtaken,
    /// It happens at once, or not at all.
    #[error("{what} cannot be held back; allowed: a run that is not atomic")]
    NotHeldBack {
        /// What was to be done.
        what: &'static str,
    },
    /// For one store only.
    #[error("{what} is for the {allowed} store only; the store is {store}")]
    WrongStore {
        /// What was to be done.
        what: &'static str,
        /// Where that can be done.
        allowed: &'static str,
        /// The present one.
        store: &'static str,
    },
    /// There is no domain.
    #[error("the domain store cannot be reached: {0}")]
    NoDomain(String),
    /// The directory was not read or changed.
    #[error("{0}")]
    Directory(String),
    /// What the model cannot express.
    #[error("{0}")]
    Unsupported(String),
    /// The service could not be asked, or has refused.
    #[error("{0}")]
    Service(String),
}

impl RunError {
    /// Nothing of a kind has the name; `names` has what there is.
    pub(crate) fn not_found(kind: Kind, name: &str, names: &[&str]) -> Self {
        Self::NotFound { kind, name: name.to_owned(), hint: hint(name, names) }
    }
}

/// What was probably meant by `name`, and what there is.
pub(crate) fn hint(name: &str, names: &[&str]) -> String {
    let hint = suggestion(name, names.iter().copied());
    let hint = if hint.is_empty() { ";".to_owned() } else { hint };
    format!("{hint} there are: {}", allowed(names.iter().copied()))
}
