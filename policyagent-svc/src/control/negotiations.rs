//! The last negotiations: the shape of `--format json`.
use serde::{Deserialize, Serialize};

use super::report::StatusCode;
use crate::link::NamedSocket;

/// A negotiation, under way or ended.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct NegotiationReport {
    /// Its handle.
    pub(crate) negotiation: String,
    /// Since it began.
    pub(crate) age_seconds: u64,
    /// `initiator` or `responder`.
    pub(crate) role: String,
    /// What made it begin.
    pub(crate) cause: String,
    /// The rule, as soon as it is known.
    pub(crate) rule: Option<String>,
    /// This host.
    pub(crate) local: Option<NamedSocket>,
    /// The peer.
    pub(crate) remote: Option<NamedSocket>,
    /// How far it got, once it has ended.
    pub(crate) phase: Option<String>,
    /// What became of it.
    pub(crate) outcome: Outcome,
    /// How long it took, or takes so far.
    pub(crate) seconds: u64,
    /// Why it failed, in the one wording of trace and audit.
    pub(crate) failure: Option<String>,
    /// The status that administrators know from Windows.
    pub(crate) status: Option<StatusCode>,
}

/// What became of a negotiation.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    /// Nothing so far.
    UnderWay,
    /// What was wanted is there.
    Succeeded,
    /// It failed.
    Failed,
}
