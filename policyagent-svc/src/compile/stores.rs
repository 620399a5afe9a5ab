//! Documents of several stores that are in force together.
use ikecore::policy::db::PolicyDb;
use ikecore::policy::rule::MainModePolicy;
use ikecore::policy::selector::Prefix;
use ikecore::proposal::suite::Lifetime;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::tunnel::Halves;
use super::{Compiled, Compiler, Machine, Reqids, reqid};
use crate::document::Fault;
use crate::model::default_response::{self, DefaultResponse};
use crate::model::{Policy, PolicyFile, Rule};

/// A document, and the store that it is of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part<'a> {
    /// What the store is called.
    pub(crate) store: &'a str,
    /// The objects.
    pub(crate) file: &'a PolicyFile,
    /// Every policy is in force, not only the one that is assigned.
    pub(crate) everything: bool,
}

impl<'a> Part<'a> {
    /// The policies in force.
    pub(crate) fn policies(self) -> impl Iterator<Item = &'a Policy> {
        let all = self.everything.then_some(&self.file.policies);
        let one = if self.everything { None } else { self.file.assigned() };
        all.into_iter().flatten().chain(one)
    }
}

/// Compiles the assigned policy of `file` for `machine`, as [`compile_all`].
pub(crate) fn compile(file: &PolicyFile, machine: &Machine, reqids: &mut Reqids) -> Result<Compiled, Fault> {
    compile_all(&[Part { store: "local", file, everything: false }], machine, reqids)
}

/// Compiles for `machine` what is in force of all these documents together. Of filters that are equally specific those of an
/// earlier document go first. The fault is one that only shows when all is put together; it names the document.
pub(crate) fn compile_all(parts: &[Part<'_>], machine: &Machine, reqids: &mut Reqids) -> Result<Compiled, Fault> {
    let mut warnings: Vec<Fault> = parts.iter().flat_map(|part| part.file.warnings.iter().cloned()).collect();
    let mut policies: Vec<(Part<'_>, &Policy)> = Vec::new();
    for part in parts {
        policies.extend(part.policies().map(|policy| (*part, policy)));
    }
    let Some((_, last)) = policies.last() else {
        return Ok(Compiled { db: PolicyDb::default(), origins: BTreeMap::new(), warnings });
    };
    let rules: Vec<(Part<'_>, &Policy, &Rule)> = policies
        .iter()
        .flat_map(|(part, policy)| policy.rules.iter().map(move |rule| (*part, *policy, rule)))
        .filter(|(.., rule)| rule.active)
        .collect();
    let places: Vec<_> =
        rules.iter().map(|(part, policy, rule)| (part.store, policy.name.as_str(), rule.name.as_str())).collect();
    let default = default_response(&policies, &mut warnings);
    let names = reqids.names.assign(&places, default.map(|_| default_response::NAME));
    let known = names.iter().map(String::as_str).chain(default.map(|_| default_response::NAME));
    let numbers = reqids.assign(known).ok_or_else(|| {
        let (name, count) = (&last.name, rules.len());
        let part = policies.last().map_or(parts[0], |(part, _)| *part);
        let message = match policies.len() {
            1 => format!("policy {name:?} has {count} active rules, allowed: {}", reqid::MAX),
            _ => format!("with policy {name:?} there are {count} active rules, allowed: {}", reqid::MAX),
        };
        part.file.at(last.position, message)
    })?;

    let mut compiled = Vec::with_capacity(rules.len());
    let mut origins = BTreeMap::new();
    let mut compiled_default = None;
    let mut named = names.iter().zip(&numbers);
    for (part, policy) in &policies {
        // Permit and block need no main mode; the database wants one with each rule all the same.
        let no_main_mode = || MainModePolicy {
            name: policy.name.clone(),
            offers: Vec::new(),
            lifetime: Lifetime::default(),
            quick_mode_limit: 0,
            soft_lifetime: 0,
        };
        let main_mode = policy.main_mode.clone().unwrap_or_else(|| Arc::new(no_main_mode()));
        let mut compiler = Compiler {
            file: part.file,
            machine,
            main_mode,
            halves: Halves::of(policy, part.file, machine),
            quick_modes: BTreeMap::new(),
            warnings: &mut warnings,
        };
        for (rule, (name, reqid)) in policy.rules.iter().filter(|rule| rule.active).zip(&mut named) {
            let Some((rule, of)) = compiler.rule(rule, *reqid) else { continue };
            compiled.push(Arc::new(ikecore::policy::rule::Rule { name: name.clone(), ..rule }));
            origins.insert(name.clone(), of);
        }
        if let Some((_, of, default)) = default
            && std::ptr::eq(of, *policy)
            && let Some(reqid) = numbers.last()
        {
            compiled_default = compiler.default_response(default, *reqid);
        }
    }
    warnings.sort();
    warnings.dedup();
    let local_addresses = machine.addresses.iter().copied().map(Prefix::host).collect();
    let db = PolicyDb::new(0, compiled, local_addresses).and_then(|db| match compiled_default {
        Some(default) => db.with_default_response(default),
        None => Ok(db),
    });
    let db = db.map_err(|error| {
        let rule = names.iter().position(|name| *name == error.rule).and_then(|at| rules.get(at));
        let place = rule.map(|(part, _, rule)| (part.file, rule.position));
        let place = place.or_else(|| default.map(|(part, _, default)| (part.file, default.position)));
        let (file, position) = place.unwrap_or((parts[0].file, last.position));
        file.at(position, error.to_string())
    })?;
    Ok(Compiled { db: db.with_link_local(machine.on_links.iter().copied().collect()), origins, warnings })
}

/// The default response of the first policy that has one: it answers peers that nothing else is for, so there can be one.
fn default_response<'a>(
    policies: &[(Part<'a>, &'a Policy)],
    warnings: &mut Vec<Fault>,
) -> Option<(Part<'a>, &'a Policy, &'a DefaultResponse)> {
    let active = |(part, policy): &(Part<'a>, &'a Policy)| {
        let default = policy.default_response.as_ref().filter(|default| default.active)?;
        Some((*part, *policy, default))
    };
    let mut all = policies.iter().filter_map(active);
    let (first, policy, default) = all.next()?;
    warnings.extend(all.map(|(part, other, default)| {
        let message = format!(
            "the default response of policy {:?} ({} store) is not in force: that of policy {:?} ({} store) goes before it",
            other.name, part.store, policy.name, first.store
        );
        part.file.at(default.position, message)
    }));
    Some((first, policy, default))
}
