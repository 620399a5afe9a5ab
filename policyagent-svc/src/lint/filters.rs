//! Filters that never decide, and filters that contradict each other.
use ikecore::policy::db::PolicyDb;
use ikecore::policy::review::Shadow;
use ikecore::policy::rule::Rule;
use ikecore::policy::selector::Selector;
use std::collections::BTreeMap;

use super::{Findings, Kind};
use crate::document::Position;
use crate::link::named;
use crate::model::PolicyFile;

const CONTRADICTION: Kind = Kind::high(
    "contradiction",
    "keep the filter in one of the two rules, or make one of them more specific by addresses, protocol or ports",
);
const DUPLICATE: Kind = Kind::low("duplicate-filter", "take it out of one of the two rules");
const SHADOWED: Kind = Kind::medium("shadowed-filter", "take it out, or one of the parts");
const CROSSING: Kind = Kind::medium(
    "crossing-filters",
    "add a filter for what both are for, with the action that is meant: it is more specific than either",
);
const UNUSED_RULE: Kind = Kind::high("rule-never-used", "take the rule out, or the filters that are before its own");
const TOO_MANY: Kind = Kind::low("too-many-filters", "none is needed: only this search is given up");

/// So many filters of one kind are listed.
const LISTED: usize = 100;

pub(super) fn check(file: &PolicyFile, db: &PolicyDb, findings: &mut Findings) {
    let shadowed = db.shadowed();
    let mut of_rule: BTreeMap<&str, usize> = BTreeMap::new();
    for one in &shadowed {
        *of_rule.entry(&one.rule.name).or_default() += 1;
    }
    for one in shadowed.iter().take(LISTED) {
        let (object, position) = rule(file, one.rule);
        let filter = shown(one.filter);
        match one.by {
            Shadow::Same(first) => {
                let (own, other) =
                    (one.rule.action.words(one.filter.direction), first.action.words(one.filter.direction));
                let same = own == other && one.rule.tunnel == first.tunnel;
                let kind = if same { DUPLICATE } else { CONTRADICTION };
                let what = if same { "as well" } else { "but" };
                let why = if first.tunnel.is_some() && one.rule.tunnel.is_none() {
                    "tunnel rules come first"
                } else {
                    "it comes first"
                };
                let message = format!(
                    "its filter {filter} is to {own}, {what} the same filter of rule {:?} is to {other}, and decides: {why}",
                    first.name
                );
                findings.add(kind, &object, position, message);
            }
            Shadow::Parts => {
                let message =
                    format!("its filter {filter} never decides: more specific filters are all of its traffic");
                findings.add(SHADOWED, &object, position, message);
            }
        }
    }
    for never in db.rules.iter().filter(|rule| of_rule.get(rule.name.as_str()) == Some(&rule.filters.len())) {
        let (object, position) = rule(file, never);
        findings.add(UNUSED_RULE, &object, position, "none of its filters ever decides about a packet".to_owned());
    }
    let (crossings, too_many) = db.crossings();
    for crossing in crossings.iter().take(LISTED) {
        let ((first, filter), (other, of_other)) = (crossing.decides, crossing.other);
        let (object, position) = rule(file, other);
        let message = format!(
            "its filter {} is to {}, and meets {} of rule {:?}, which is to {} and as specific: for traffic of both the latter \
             decides, by its place only",
            shown(of_other),
            other.action.words(of_other.direction),
            shown(filter),
            first.name,
            first.action.words(filter.direction)
        );
        findings.add(CROSSING, &object, position, message);
    }
    if too_many {
        let message = "there are too many filters of one weight to compare each with each".to_owned();
        findings.add(TOO_MANY, "the policy", None, message);
    }
}

/// What a rule of the database is called, and where it stands.
fn rule(file: &PolicyFile, rule: &Rule) -> (String, Option<Position>) {
    let mut rules = file.assigned().into_iter().flat_map(|policy| &policy.rules);
    let position = rules.find(|written| written.name == rule.name).map(|written| written.position);
    (format!("rule {:?}", rule.name), position)
}

fn shown(filter: &Selector) -> String {
    named(&filter.to_string(), filter.scope)
}
