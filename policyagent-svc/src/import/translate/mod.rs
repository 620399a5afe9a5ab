//! Connections as a policy document.
mod main_mode;
mod pools;
mod write;

pub(crate) use pools::{networks, pool_addresses, servers};

use std::collections::BTreeMap;
use std::path::Path;
use zeroize::Zeroizing;

use super::connection::{Child, Connection, Everything, Filter, Key, LeftOut, ModeConfig, What};
use super::{ImportError, Request, Syntax};
use crate::document::{Document, DocumentError, Fault, directory_of};
use crate::model::PolicyFile;

/// A key that is no text, and cannot stand in a document.
pub(crate) struct KeyFile {
    /// The name of the file, beside the document.
    pub(crate) name: String,
    /// What it holds.
    pub(crate) key: Key,
}

/// A document, and what its parts come from.
pub(crate) struct Made {
    /// The text.
    pub(crate) document: Zeroizing<String>,
    /// The keys that are no text.
    pub(crate) key_files: Vec<KeyFile>,
    /// The rules.
    pub(crate) rules: Vec<MadeRule>,
    /// The pools of which they give addresses.
    pub(crate) pools: Vec<String>,
}

/// A rule of the document.
pub(crate) struct MadeRule {
    /// Which connection it comes from.
    pub(crate) connection: usize,
    /// Its name.
    pub(crate) name: String,
    /// Why it is not active; none: it is.
    pub(crate) doubts: Vec<String>,
}

/// A rule as it is going to be written.
struct Rule<'a> {
    connection: &'a Connection,
    index: usize,
    child: &'a Child,
    name: String,
    filters: Vec<Filter>,
    mode_config: Option<ModeConfig>,
    doubts: Vec<String>,
    /// It answers whoever begins, as the policy's default response does.
    is_default_response: bool,
}

/// Reads a document as the service would; the result is what it warns of.
pub(crate) fn check(path: &Path, text: &str) -> Result<Vec<Fault>, DocumentError> {
    let document = Document::from_text(path, &directory_of(path), Zeroizing::new(text.to_owned()))?;
    PolicyFile::parse(&document).map(|file| file.warnings)
}

/// A document with what was made at its end; what stands in it stays as it is. Names that it has already are an error.
pub(crate) fn append(path: &Path, text: &str, made: &str) -> Result<String, String> {
    if text.trim().is_empty() {
        return Ok(made.to_owned());
    }
    let read = |text: &str| {
        let document = Document::from_text(path, &directory_of(path), Zeroizing::new(text.to_owned()));
        document.and_then(|document| PolicyFile::parse(&document)).map_err(|error| error.to_string())
    };
    let (old, new) = (read(text)?, read(made)?);
    let names = |file: &PolicyFile| {
        let policies = file.policies.iter().map(|policy| ("policy", policy.name.clone()));
        let lists = file.filter_lists.iter().map(|list| ("filter list", list.name.clone()));
        let actions = file.filter_actions.iter().map(|action| ("filter action", action.name.clone()));
        let pools = file.pools.iter().map(|named| ("pool", named.pool.name.clone()));
        policies.chain(lists).chain(actions).chain(pools).collect::<Vec<_>>()
    };
    let taken = names(&old);
    let twice = names(&new).into_iter().filter(|name| taken.contains(name));
    let twice: Vec<String> = twice.map(|(kind, name)| format!("{kind} {name:?}")).collect();
    if !twice.is_empty() {
        return Err(format!(
            "{} has these already, and they are not overwritten: {}",
            path.display(),
            twice.join(", ")
        ));
    }
    let end = if text.ends_with('\n') { "" } else { "\n" };
    Ok(format!("{text}{end}\n{made}"))
}

/// Makes a document that the model reads without a fault. A connection of which it finds one is left out.
pub(crate) fn translate(
    syntax: Syntax,
    request: &Request<'_>,
    everything: &mut Everything,
) -> Result<Made, ImportError> {
    loop {
        main_mode::agree(&mut everything.connections);
        let rules = rules(everything);
        let writer = write::Writer::new(syntax, request, everything, &rules);
        // Keys in files are not there yet: for the check something stands for them.
        let tried = writer.document(true);
        let Err(error) = check(Path::new("the document"), &tried.text) else {
            let written = writer.document(false);
            let rule = |rule: &Rule<'_>| MadeRule {
                connection: rule.index,
                name: rule.name.clone(),
                doubts: rule.doubts.clone(),
            };
            let pools = rules.iter().filter_map(|rule| match &rule.mode_config {
                Some(ModeConfig::Server { pool, .. }) => Some(pool.clone()),
                Some(ModeConfig::Client { .. }) | None => None,
            });
            let pools = pools.collect();
            let made = rules.iter().map(rule).collect();
            return Ok(Made { document: written.text, key_files: written.key_files, rules: made, pools });
        };
        let DocumentError::Faults(faults) = &error else { return Err(ImportError::Document(error)) };
        let of = |fault: &Fault| {
            let line = fault.position.line;
            let part = tried.parts.iter().find(|(lines, _)| lines.contains(&line))?;
            Some((part.1, fault.message.clone()))
        };
        // The first fault of each.
        let faulty: BTreeMap<usize, String> = faults.iter().rev().filter_map(of).collect();
        if faulty.is_empty() {
            return Err(ImportError::Document(error));
        }
        for (index, why) in faulty.into_iter().rev() {
            let connection = everything.connections.remove(index);
            let entries: Vec<_> = connection.options.into_iter().map(|(entry, _)| entry).collect();
            everything.left_out.push(LeftOut::new(&connection.name, &connection.at, why, &entries));
        }
    }
}

/// The rules of all connections, with names that are theirs alone.
fn rules(everything: &Everything) -> Vec<Rule<'_>> {
    let mut rules: Vec<Rule<'_>> = Vec::new();
    let mut names = std::collections::BTreeSet::new();
    for (index, connection) in everything.connections.iter().enumerate() {
        for child in &connection.children {
            let single = connection.children.len() == 1;
            let base = if single { connection.name.clone() } else { format!("{}/{}", connection.name, child.name) };
            let mut name: String = base.chars().take(240).collect();
            let mut number = 2;
            while !names.insert(name.clone()) {
                name = format!("{} {number}", base.chars().take(240).collect::<String>());
                number += 1;
            }
            rules.push(rule(everything, connection, index, child, name));
        }
    }
    // A policy has one default response.
    for extra in rules.iter_mut().filter(|rule| rule.is_default_response).skip(1) {
        extra.is_default_response = false;
        extra.doubts.push("it would block all traffic with whoever does not negotiate, and another connection is the default response".to_owned());
    }
    rules
}

fn rule<'a>(
    everything: &Everything,
    connection: &'a Connection,
    index: usize,
    child: &'a Child,
    name: String,
) -> Rule<'a> {
    let mut filters = child.filters.clone();
    let mut doubts = [&*connection.doubts, &*connection.traffic_doubts].concat();
    let mut mode_config = connection.mode_config.clone();
    let mut is_default_response = false;
    match &child.what {
        What::Permit | What::Block => {
            mode_config = None;
            // It negotiates with nobody: all that counts is which traffic it is about.
            doubts.clone_from(&connection.traffic_doubts);
        }
        What::Protect(protection) => {
            if let Some(ModeConfig::Server { pool, .. }) = &mode_config {
                let pool = everything.pools.iter().find(|own| own.name == *pool);
                let is_pool = |side: &String| pool.is_some_and(|pool| pool.addresses.contains(side));
                filters
                    .iter_mut()
                    .filter(|filter| is_pool(&filter.destination))
                    .for_each(|filter| filter.destination = "pool".to_owned());
            }
            let has_pool = filters.iter().any(|filter| filter.source == "pool" || filter.destination == "pool");
            if mode_config.is_some() && (!has_pool || !protection.tunnel) {
                mode_config = None;
                doubts.push("its traffic is not with the address that is given by Mode Config".to_owned());
            }
            let everybody = |filter: &Filter| {
                filter.destination == "any" || (connection.remote.is_none() && filter.destination.ends_with("/0"))
            };
            let all = |filter: &Filter| filter.protocol == 0 && filter.source_port == 0 && filter.destination_port == 0;
            if connection.remote.is_none() && filters.iter().any(|filter| everybody(filter) && all(filter)) {
                is_default_response = !protection.tunnel && connection.xauth.is_none();
                if is_default_response {
                    if connection.remote_id.is_some() {
                        doubts.push("the default response does not look at the peer's identity".to_owned());
                    }
                } else {
                    doubts.push("it would block all traffic while no peer is there".to_owned());
                }
            }
        }
    }
    doubts.sort();
    doubts.dedup();
    Rule { connection, index, child, name, filters, mode_config, doubts, is_default_response }
}
