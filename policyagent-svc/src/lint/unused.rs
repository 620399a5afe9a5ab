//! Objects that nothing uses, and rules that do nothing.
use std::collections::BTreeSet;

use super::{Findings, Kind};
use crate::model::default_response::ResponseAction;
use crate::model::{ModeConfig, PolicyFile};

const UNUSED: Kind = Kind::low("unused", "take it out, or name it in a rule");
const NOT_ASSIGNED: Kind = Kind::medium("not-assigned", "set assigned = true in one of the policies");
const NO_RULE: Kind = Kind::medium("no-active-rule", "give it a rule, or set active = true in one");
const EMPTY_LIST: Kind = Kind::medium("empty-filter-list", "give the list a filter");

pub(super) fn check(file: &PolicyFile, findings: &mut Findings) {
    let rules = || file.policies.iter().flat_map(|policy| &policy.rules);
    let lists: BTreeSet<&str> = rules().map(|rule| rule.filter_list.name.as_str()).collect();
    for list in file.filter_lists.iter().filter(|list| !lists.contains(list.name.as_str())) {
        findings.add(UNUSED, &format!("filter list {:?}", list.name), None, "no rule names it".to_owned());
    }
    let defaults = file.policies.iter().filter_map(|policy| policy.default_response.as_ref());
    let defaults = defaults.filter_map(|default| match &default.action {
        ResponseAction::Named(action) => Some(action.name.as_str()),
        ResponseAction::Own(_) => None,
    });
    let actions: BTreeSet<&str> = rules().map(|rule| rule.filter_action.name.as_str()).chain(defaults).collect();
    for action in file.filter_actions.iter().filter(|action| !actions.contains(action.name.as_str())) {
        findings.add(UNUSED, &format!("filter action {:?}", action.name), None, "no rule names it".to_owned());
    }
    let pools: BTreeSet<&str> = rules()
        .filter_map(|rule| match &rule.mode_config {
            Some(ModeConfig::Server { pool, .. }) => Some(pool.name.as_str()),
            _ => None,
        })
        .collect();
    for named in file.pools.iter().filter(|named| !pools.contains(named.pool.name.as_str())) {
        findings.add(UNUSED, &format!("pool {:?}", named.pool.name), None, "no rule names it".to_owned());
    }
    for rule in rules() {
        if file.filter_list(&rule.filter_list).is_some_and(|list| list.filters.is_empty()) {
            let message = format!("its filter list {:?} has no filter: the rule does nothing", rule.filter_list.name);
            findings.add(EMPTY_LIST, &format!("rule {:?}", rule.name), Some(rule.position), message);
        }
    }
    match file.assigned() {
        None if !file.policies.is_empty() => {
            findings.add(NOT_ASSIGNED, "the document", None, "no policy is assigned: nothing is protected".to_owned());
        }
        Some(policy) if policy.default_response.is_none() && !policy.rules.iter().any(|rule| rule.active) => {
            let object = format!("policy {:?}", policy.name);
            findings.add(NO_RULE, &object, Some(policy.position), "it is assigned and does nothing".to_owned());
        }
        _ => {}
    }
}
