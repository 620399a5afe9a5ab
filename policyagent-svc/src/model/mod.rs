//! The policy objects as administrators write them: policies, rules, filter lists, filter actions.
mod action;
pub(crate) mod algorithms;
mod authentication;
pub(crate) mod default_response;
mod filter;
mod proposal;
mod record;
mod remote_access;
mod rule;
#[cfg(test)]
pub(crate) mod tests;

pub(crate) use action::{Action, FilterAction, INBOUND_ACTION, Offer, Pfs};
pub(crate) use authentication::{Method, RootCa};
pub(crate) use filter::{Filter, FilterList, Server, Side, fault_of_port, parse_protocol, protocol_name, side_named};
pub(crate) use proposal::{main_mode_proposal, quick_mode_proposal};
pub(crate) use record::Record;
pub(crate) use remote_access::{ModeConfig, NamedPool};
pub(crate) use rule::{ConnectionType, Policy, Reference, Rule};

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::{Path, PathBuf};

use crate::document::{Document, DocumentError, Fault, Position, Table, Value, allowed, suggestion};
use crate::guid::Guid;

/// All objects of a policy file, each reference among them checked.
#[derive(Debug)]
pub(crate) struct PolicyFile {
    /// Where it was read from.
    pub(crate) path: PathBuf,
    /// The policies, in the order of the file.
    pub(crate) policies: Vec<Policy>,
    /// The filter lists.
    pub(crate) filter_lists: Vec<FilterList>,
    /// The filter actions.
    pub(crate) filter_actions: Vec<FilterAction>,
    /// The pools.
    pub(crate) pools: Vec<NamedPool>,
    /// What is allowed, but perhaps not meant.
    pub(crate) warnings: Vec<Fault>,
    index: Index,
}

/// Where the objects stand in their lists, by their names: a file may have thousands.
#[derive(Debug)]
struct Index {
    filter_lists: BTreeMap<String, usize>,
    filter_actions: BTreeMap<String, usize>,
}

impl PolicyFile {
    /// Reads a policy file.
    pub(crate) fn read(path: &Path) -> Result<Self, DocumentError> {
        Self::parse(&Document::read(path)?)
    }

    /// Reads a policy document, whether it is in a file or not.
    pub(crate) fn parse(document: &Document) -> Result<Self, DocumentError> {
        let (mut file, warnings) = document.parse("the file", |table| objects(document.path(), &table))?;
        file.warnings = warnings;
        let faults = file.faults();
        if faults.is_empty() { Ok(file) } else { Err(DocumentError::Faults(faults)) }
    }

    /// The policy in force, if any is assigned.
    pub(crate) fn assigned(&self) -> Option<&Policy> {
        self.policies.iter().find(|policy| policy.assigned)
    }

    /// The filter list of a rule.
    pub(crate) fn filter_list(&self, reference: &Reference) -> Option<&FilterList> {
        self.index.filter_lists.get(&reference.name).and_then(|at| self.filter_lists.get(*at))
    }

    /// The filter action of a rule.
    pub(crate) fn filter_action(&self, reference: &Reference) -> Option<&FilterAction> {
        self.index.filter_actions.get(&reference.name).and_then(|at| self.filter_actions.get(*at))
    }

    /// The pool of a rule.
    pub(crate) fn pool(&self, reference: &Reference) -> Option<&NamedPool> {
        self.pools.iter().find(|named| named.pool.name == reference.name)
    }

    /// A fault, or a warning, at a place of the file.
    pub(crate) fn at(&self, position: Position, message: String) -> Fault {
        Fault { path: self.path.clone(), position, message }
    }

    /// What is wrong between the objects.
    fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        let mut assigned = self.policies.iter().filter(|policy| policy.assigned);
        if let Some(first) = assigned.next() {
            faults.extend(assigned.map(|second| {
                let message =
                    format!("policy {:?} is assigned, but {:?} is too; allowed: one", second.name, first.name);
                self.at(second.position, message)
            }));
        }
        for policy in &self.policies {
            for rule in &policy.rules {
                self.check_rule(policy, rule, &mut faults);
            }
            self.check_default_response(policy, &mut faults);
        }
        faults.sort();
        faults
    }

    /// `who` names an object that is not there.
    fn dangling(&self, who: &str, kind: &str, reference: &Reference, names: Vec<&str>) -> Fault {
        let hint = suggestion(&reference.name, names.iter().copied());
        let hint = if hint.is_empty() { ",".to_owned() } else { hint };
        let message = format!(
            "{who} names the {kind} {:?}, which the file does not have{hint} allowed: {}",
            reference.name,
            allowed(names)
        );
        self.at(reference.position, message)
    }

    fn check_rule(&self, policy: &Policy, rule: &Rule, faults: &mut Vec<Fault>) {
        let who = format!("rule {:?}", rule.name);
        let dangling = |kind, reference, names| self.dangling(&who, kind, reference, names);
        let list = self.filter_list(&rule.filter_list);
        if list.is_none() {
            let names = self.filter_lists.iter().map(|list| list.name.as_str()).collect();
            faults.push(dangling("filter list", &rule.filter_list, names));
        }
        if let Some(ModeConfig::Server { pool, .. }) = &rule.mode_config
            && self.pool(pool).is_none()
        {
            let names = self.pools.iter().map(|named| named.pool.name.as_str()).collect();
            faults.push(dangling("pool", pool, names));
        }
        let Some(action) = self.filter_action(&rule.filter_action) else {
            let names = self.filter_actions.iter().map(|action| action.name.as_str()).collect();
            faults.push(dangling("filter action", &rule.filter_action, names));
            return;
        };
        let is_of_pool = |filter: &&Filter| filter.sides().contains(&&Side::Pool);
        let filters = list.map(|list| list.filters.as_slice()).unwrap_or_default();
        match (&rule.mode_config, filters.iter().find(is_of_pool)) {
            (None, Some(filter)) => {
                let message = format!(
                    "the filter has \"pool\", but rule {:?} has no mode_config; allowed: a rule that has",
                    rule.name
                );
                faults.push(self.at(filter.position, message));
            }
            (Some(_), None) if !filters.is_empty() => {
                let message = format!(
                    "rule {:?} has mode_config, but no filter of its list has \"pool\" as source or destination",
                    rule.name
                );
                faults.push(self.at(rule.position, message));
            }
            _ => {}
        }
        let mut fault = |message: String| faults.push(self.at(rule.position, message));
        if !matches!(action.action, Action::Negotiate { .. }) {
            if rule.tunnel.is_some() {
                fault(format!(
                    "rule {:?} has a tunnel, but its filter action {:?} does not negotiate; allowed: a filter action that does",
                    rule.name, action.name
                ));
            }
            return;
        }
        if rule.authentication.is_empty() {
            fault(format!(
                "rule {:?} has no authentication, which is required: its filter action {:?} negotiates",
                rule.name, action.name
            ));
        }
        if policy.main_mode.is_none() {
            fault(format!("rule {:?} negotiates, but policy {:?} has no main_mode", rule.name, policy.name));
        }
        for filter in list.map(|list| list.filters.as_slice()).unwrap_or_default() {
            for side in filter.sides() {
                if side.is_multicast() {
                    let message = format!(
                        "rule {:?} negotiates for {side}, but multicast can be permitted or blocked only",
                        rule.name
                    );
                    faults.push(self.at(filter.position, message));
                }
            }
        }
    }
}

fn objects(path: &Path, table: &Table<'_>) -> Option<PolicyFile> {
    let format = table.get("format").map_or(Some(FORMAT), |value| format(&value));
    let policies = each(table, "policy", rule::policy);
    let filter_lists = each(table, "filter_list", filter::filter_list);
    let filter_actions = each(table, "filter_action", action::filter_action);
    let pools = each(table, "pool", remote_access::pool);
    table.finish();
    format?;
    let (filter_lists, filter_actions) = (filter_lists?, filter_actions?);
    let index = Index {
        filter_lists: (0..).zip(&filter_lists).map(|(at, list)| (list.name.clone(), at)).collect(),
        filter_actions: (0..).zip(&filter_actions).map(|(at, action)| (action.name.clone(), at)).collect(),
    };
    Some(PolicyFile {
        path: path.to_owned(),
        policies: policies?,
        filter_lists,
        filter_actions,
        pools: pools?,
        warnings: Vec::new(),
        index,
    })
}

/// The format of policy documents that this program reads.
const FORMAT: u32 = 1;

fn format(value: &Value<'_>) -> Option<u32> {
    let found = value.integer(0..=u32::MAX)?;
    if found != FORMAT {
        value.fault(format!("{} is {found}, which this program does not know; allowed: {FORMAT}", value.what()));
        return None;
    }
    Some(found)
}

fn each<T>(table: &Table<'_>, key: &'static str, read: impl Fn(&Value<'_>) -> Option<T>) -> Option<Vec<T>> {
    let Some(value) = table.get(key) else { return Some(Vec::new()) };
    let values = value.list(key)?;
    unique(&values);
    // Each is read, so that all faults are found, before the first wrong one ends it.
    let read: Vec<Option<T>> = values.iter().map(read).collect();
    read.into_iter().collect()
}

/// Faults each name, and each GUID, that an earlier table of the list has already.
fn unique(values: &[Value<'_>]) {
    let mut names: BTreeMap<&str, Position> = BTreeMap::new();
    let mut guids: BTreeMap<Guid, Position> = BTreeMap::new();
    for value in values {
        if let Some(name) = value.text_inside("name") {
            match names.entry(name) {
                Entry::Occupied(first) => value
                    .fault(format!("the name {name:?} is taken, by line {}; allowed: another name", first.get().line)),
                Entry::Vacant(free) => {
                    free.insert(value.position());
                }
            }
        }
        if let Some(guid) = value.text_inside("guid").and_then(|text| text.parse::<Guid>().ok()) {
            match guids.entry(guid) {
                Entry::Occupied(first) => value.fault(format!(
                    "the guid {guid} is taken, by line {}; allowed: another one, or none",
                    first.get().line
                )),
                Entry::Vacant(free) => {
                    free.insert(value.position());
                }
            }
        }
    }
}

/// The `name` of a table, by which messages call it from now on.
fn named(table: &mut Table<'_>, kind: &str) -> Option<String> {
    let name = table.require("name").and_then(|value| value.name());
    if let Some(name) = name {
        table.rename(format!("{kind} {name:?}"));
    }
    name.map(str::to_owned)
}

/// The `description` of a table. Outer: whether it is right. Inner: whether it is there.
fn description(table: &Table<'_>) -> Option<Option<String>> {
    match table.get("description") {
        None => Some(None),
        Some(value) => value.text().map(|text| Some(text.to_owned())),
    }
}
