//! What is allowed in a policy document, and yet should be looked at: contradictions, filters that never decide, objects
//! that nothing uses, and choices that protect less than others would.
mod algorithms;
mod filters;
mod keys;
#[cfg(test)]
mod tests;
mod unused;

use core::fmt;
use ikecore::policy::db::PolicyDb;
use serde::Serialize;

use crate::document::Position;
use crate::model::PolicyFile;

/// How much a finding matters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Severity {
    /// Good to know.
    Low,
    /// Traffic is protected less, or otherwise, than it looks.
    Medium,
    /// Traffic is within reach of an attacker, or falls under another rule than one that is written for it.
    High,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        })
    }
}

/// Something that should be looked at.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct Finding {
    /// How much it matters.
    pub(crate) severity: Severity,
    /// The kind, for programs.
    pub(crate) kind: &'static str,
    /// The object: `rule "to b"`.
    pub(crate) object: String,
    /// The line of the object in the document, if it is known.
    pub(crate) line: Option<usize>,
    /// What is found.
    pub(crate) message: String,
    /// What to do about it.
    pub(crate) mend: String,
}

/// Collects findings.
#[derive(Default)]
struct Findings(Vec<Finding>);

/// A kind of finding, with how much it matters and what to do about it.
#[derive(Clone, Copy)]
struct Kind {
    severity: Severity,
    name: &'static str,
    mend: &'static str,
}

impl Kind {
    const fn high(name: &'static str, mend: &'static str) -> Self {
        Self { severity: Severity::High, name, mend }
    }

    const fn medium(name: &'static str, mend: &'static str) -> Self {
        Self { severity: Severity::Medium, name, mend }
    }

    const fn low(name: &'static str, mend: &'static str) -> Self {
        Self { severity: Severity::Low, name, mend }
    }
}

impl Findings {
    fn add(&mut self, kind: Kind, object: &str, position: Option<Position>, message: String) {
        let finding = Finding {
            severity: kind.severity,
            kind: kind.name,
            object: object.to_owned(),
            line: position.map(|position| position.line),
            message,
            mend: kind.mend.to_owned(),
        };
        // A filter action that many rules name is found once.
        if !self.0.contains(&finding) {
            self.0.push(finding);
        }
    }
}

/// All findings of a document, whose assigned policy is compiled to `db` on this machine: what matters most first.
pub(crate) fn findings(file: &PolicyFile, db: &PolicyDb) -> Vec<Finding> {
    let mut findings = Findings::default();
    filters::check(file, db, &mut findings);
    algorithms::check(file, &mut findings);
    keys::check(file, &mut findings);
    unused::check(file, &mut findings);
    // Stable: what is equally important stays in the order of the document.
    findings.0.sort_by_key(|finding| core::cmp::Reverse(finding.severity));
    findings.0
}
