//! Resultant Set of Policy: which policies are assigned to a computer, which of them apply, and why the others do not.
//!
//! In logging mode it is about this host as it is; in planning mode about what would apply at a place of the directory.
mod details;
#[cfg(test)]
mod tests;

pub(crate) use details::{ActionDetails, DefaultResponseDetails, PolicyDetails, RuleDetails};

use serde::{Deserialize, Serialize};
use std::path::Path;
use zeroize::Zeroizing;

use crate::directory::client::assignment::Gpo;
use crate::directory::settings::Settings as DirectorySettings;
use crate::directory::store::{DirectoryError, DirectoryStore};
use crate::document::{Document, DocumentError};
use crate::model::PolicyFile;
use crate::paths::Paths;
use crate::store::{Loaded, Location, Offer, Store, Verdict, Why, precedence};

/// Which question is answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Mode {
    /// What applies on this host.
    Logging,
    /// What would apply at a place of the directory.
    Planning,
}

/// The resultant set of policy.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct ResultantSet {
    /// Which question it answers.
    pub(crate) mode: Mode,
    /// This host's name, or the distinguished name of the place.
    pub(crate) target: String,
    /// Whether a service runs on this host; nothing in planning mode.
    pub(crate) service_runs: Option<bool>,
    /// The policies that are assigned: those of each store, in the order in which the stores' filters go before each other.
    pub(crate) policies: Vec<AssignedPolicy>,
    /// Those that apply, in full.
    pub(crate) applied: Vec<AppliedPolicy>,
}

/// A policy that is assigned to the computer, or a store without one.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct AssignedPolicy {
    /// The store.
    pub(crate) store: &'static str,
    /// Where it comes from: the store's file, or the group policy object with what it is linked to.
    pub(crate) source: String,
    /// Its name; nothing if none is assigned there.
    pub(crate) name: Option<String>,
    /// For people.
    pub(crate) description: Option<String>,
    /// When it was last changed, as its store says it.
    pub(crate) last_modified: Option<String>,
    /// Among those of which one applies: 1 is the one that does. Nothing in stores that apply beside all others.
    pub(crate) precedence: Option<u32>,
    /// It is in force, or would be.
    pub(crate) applies: bool,
    /// Why it applies, or does not.
    pub(crate) why: String,
    /// Why what applies is not what the store's file says now.
    pub(crate) error: Option<String>,
}

/// A policy that applies.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct AppliedPolicy {
    /// The store.
    pub(crate) store: &'static str,
    /// The policy.
    pub(crate) policy: PolicyDetails,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RsopError {
    /// The directory.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// What it has is no policy.
    #[error(transparent)]
    Document(#[from] DocumentError),
}

/// What was last read of the group policy objects for this host.
#[derive(Deserialize)]
struct Looked {
    gpos: Vec<Gpo>,
}

/// What a store has.
#[derive(Debug)]
pub(crate) struct Found {
    /// Where it is.
    source: String,
    /// Its objects.
    file: Option<PolicyFile>,
    /// Why these are not those that the file has now, or none at all.
    error: Option<String>,
}

/// Logging mode: this host. The file of its local store is `local`, or the usual one; without a service that runs nothing is
/// in the dynamic store.
pub(crate) fn logging(paths: &Paths, local: Option<&Path>, target: String, service_runs: bool) -> ResultantSet {
    let found = Location::ALL.map(|location| match location {
        Location::Local => found(&Store::local(paths, local), true),
        Location::Persistent => found(&Store::persistent(paths), true),
        Location::Directory => found(&Store::directory(paths), true),
        Location::Dynamic => found(&Store::dynamic(paths), service_runs),
    });
    // Only what the directory's part of the service wrote; without it the cache tells what there is.
    let looked =
        std::fs::read(paths.directory_gpos()).ok().and_then(|text| serde_json::from_slice::<Looked>(&text).ok());
    let gpos = looked.map(|looked| looked.gpos).unwrap_or_default();
    set(Mode::Logging, target, Some(service_runs), &found, &gpos)
}

fn found(store: &Store, is_there: bool) -> Found {
    let source = store.path().display().to_string();
    if !is_there {
        return Found { source, file: None, error: None };
    }
    match store.load() {
        Ok(Loaded { file, error, .. }) => Found { source, file, error: error.map(|error| error.to_string()) },
        Err(error) => Found { source, file: None, error: Some(error.to_string()) },
    }
}

/// Planning mode: a computer, or an organisational unit, of the directory by its distinguished name.
pub(crate) fn planning(directory: &DirectorySettings, target: &str) -> Result<ResultantSet, RsopError> {
    let (gpos, text) = DirectoryStore::new(directory)?.planned(target)?;
    let read = |text: Zeroizing<String>| {
        let path = Path::new("the directory's document");
        PolicyFile::parse(&Document::from_text(path, Path::new("/"), text)?)
    };
    let file = text.map(read).transpose()?;
    let mut file = file;
    let found = Location::ALL.map(|location| Found {
        source: "the directory".to_owned(),
        file: if location == Location::Directory { file.take() } else { None },
        error: None,
    });
    let mut set = set(Mode::Planning, target.to_owned(), None, &found, &gpos);
    // What the other stores of a computer have is not in the directory.
    set.policies.retain(|policy| policy.store == Location::Directory.name());
    Ok(set)
}

/// Puts together what is found in the stores, in the order of [`Location::ALL`].
fn set(mode: Mode, target: String, service_runs: Option<bool>, found: &[Found; 4], gpos: &[Gpo]) -> ResultantSet {
    let at = |location: Location| Location::ALL.iter().position(|one| *one == location).and_then(|at| found.get(at));
    let verdicts = precedence(|location| match at(location) {
        Some(Found { file: None, error: Some(_), .. }) => Offer::Failed,
        Some(found) => Offer::of(location, found.file.as_ref()),
        None => Offer::Absent,
    });
    let mut policies = Vec::new();
    let mut applied = Vec::new();
    let mut next = 1;
    for (verdict, found) in verdicts.iter().zip(found) {
        let competes = matches!(verdict.location, Location::Directory | Location::Local);
        if verdict.location == Location::Directory && !gpos.is_empty() {
            for gpo in gpos {
                policies.push(of_gpo(gpo, verdict, found, gpo.policy.as_ref().map(|_| counted(&mut next))));
            }
        } else {
            let names: Vec<Option<&str>> = match verdict.policies.as_slice() {
                [] => vec![None],
                names => names.iter().map(|name| Some(name.as_str())).collect(),
            };
            for name in names {
                let rank = (competes && name.is_some()).then(|| counted(&mut next));
                policies.push(of_store(name, verdict, found, rank));
            }
        }
        if let Some(file) = found.file.as_ref().filter(|_| verdict.applies()) {
            let of = file.policies.iter().filter(|policy| verdict.policies.contains(&policy.name));
            applied.extend(
                of.map(|policy| AppliedPolicy {
                    store: verdict.location.name(),
                    policy: details::policy(file, policy),
                }),
            );
        }
    }
    ResultantSet { mode, target, service_runs, policies, applied }
}

fn counted(next: &mut u32) -> u32 {
    let rank = *next;
    *next += 1;
    rank
}

fn of_store(name: Option<&str>, verdict: &Verdict, found: &Found, precedence: Option<u32>) -> AssignedPolicy {
    let policies = found.file.iter().flat_map(|file| &file.policies);
    let policy = policies.into_iter().find(|policy| Some(policy.name.as_str()) == name);
    AssignedPolicy {
        store: verdict.location.name(),
        source: found.source.clone(),
        name: name.map(str::to_owned),
        description: policy.and_then(|policy| policy.description.clone()),
        last_modified: policy.and_then(|policy| policy.record.last_modified).map(|time| time.to_string()),
        precedence,
        applies: verdict.applies(),
        why: verdict.why.to_string(),
        error: found.error.clone(),
    }
}

/// A group policy object: the one that decides is what the directory's store has.
fn of_gpo(gpo: &Gpo, verdict: &Verdict, found: &Found, precedence: Option<u32>) -> AssignedPolicy {
    let decides = gpo.why_not.is_none();
    let why = match (&gpo.why_not, &verdict.why) {
        (Some(why_not), _) => why_not.clone(),
        // It has the last word, yet what it assigns could not be read.
        (None, Why::Absent | Why::Unassigned) => "its policy has not been read yet".to_owned(),
        (None, why) => why.to_string(),
    };
    let enforced = if gpo.enforced { ", enforced" } else { "" };
    AssignedPolicy {
        store: verdict.location.name(),
        source: format!("{:?}, linked to {}{enforced}", gpo.name, gpo.linked_to),
        name: gpo.policy.as_ref().map(|policy| policy.name.clone()),
        description: gpo.policy.as_ref().and_then(|policy| policy.description.clone()),
        last_modified: gpo.policy.as_ref().and_then(|policy| policy.changed.clone()),
        precedence,
        applies: decides && verdict.applies(),
        why,
        error: found.error.clone().filter(|_| decides),
    }
}
