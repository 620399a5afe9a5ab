//! `show` of both contexts: as lists, as tables and as JSON.
pub(crate) mod layout;
mod objects;
pub(crate) mod view;
pub(crate) mod words;

use serde::Serialize;

use self::layout::Lines;
use self::view::{PolicyView, RuleView, StoreView};
use super::Session;
use super::document::Kind;
use super::error::{RunError, hint};
use crate::format::Format;
use crate::netsh::command::{Lists, OneOrAll, RuleNamed, ShowRules, ShowStatic};

/// A value as JSON, or as text.
pub(super) fn print<T: Serialize>(
    format: Format,
    value: &T,
    text: impl FnOnce(&T) -> String,
) -> Result<String, RunError> {
    match format {
        Format::Text => Ok(text(value)),
        Format::Json => serde_json::to_string_pretty(value)
            .map(|text| text + "\n")
            .map_err(|error| RunError::Service(error.to_string())),
    }
}

/// The store, as `show store` tells it.
#[derive(Serialize)]
struct StoreReport {
    location: &'static str,
    /// The document, or the domain.
    name: String,
}

/// Which policy is in force, and by which group policy object.
#[derive(Serialize)]
struct AssignedReport {
    source_machine: String,
    gpo: Option<String>,
    /// `domain` or `local`.
    from: &'static str,
    policy: Option<String>,
    description: Option<String>,
    last_modified: Option<String>,
    gpo_dn: Option<String>,
}

impl Session {
    pub(super) fn show_static(&mut self, show: &ShowStatic) -> Result<String, RunError> {
        let format = self.format;
        match show {
            ShowStatic::Store => {
                let report = self.store_report();
                return print(format, &report, |report: &StoreReport| {
                    let mut lines = Lines::default();
                    lines.field("Store", format!("{} Store", capital(report.location)));
                    lines.field(if report.location == "domain" { "Domain" } else { "File" }, &report.name);
                    lines.into_text()
                });
            }
            ShowStatic::GpoAssignedPolicy { gpo } => return self.show_assigned(gpo.as_deref()),
            _ => {}
        }
        let view = self.store_view()?;
        match show {
            ShowStatic::All(layout) => print(format, &view, |view| objects::all(view, *layout)),
            ShowStatic::Policy { which, layout } => {
                let found = one_or_all(Kind::Policy, &view.policies, which, |policy| Some(&policy.name))?;
                print(format, &found, |found| objects::policies(found, *layout))
            }
            ShowStatic::FilterList { which, layout } => {
                let found = match which {
                    Lists::One(name) => {
                        let one = OneOrAll::One(name.clone());
                        one_or_all(Kind::FilterList, &view.filter_lists, &one, |list| Some(&list.name))?
                    }
                    Lists::OfRule(rule) => {
                        let rules = rules_named(&view, rule)?;
                        rules.into_iter().filter_map(|rule| rule.filter_list.as_ref()).collect()
                    }
                    Lists::All => view.filter_lists.iter().collect(),
                };
                print(format, &found, |found| objects::filter_lists(found, *layout))
            }
            ShowStatic::FilterAction { which, layout } => {
                let found = match which {
                    Lists::One(name) => {
                        let one = OneOrAll::One(name.clone());
                        one_or_all(Kind::FilterAction, &view.filter_actions, &one, |action| action.name.as_deref())?
                    }
                    Lists::OfRule(rule) => {
                        let rules = rules_named(&view, rule)?;
                        rules.into_iter().filter_map(|rule| rule.filter_action.as_ref()).collect()
                    }
                    Lists::All => view.filter_actions.iter().collect(),
                };
                print(format, &found, |found| objects::filter_actions(found, *layout))
            }
            ShowStatic::Rule { which, policy, tunnel, layout } => {
                let found = rules(&view, policy, which, *tunnel)?;
                print(format, &found, |found| objects::rules(found, *layout))
            }
            ShowStatic::GpoAssignedPolicy { .. } | ShowStatic::Store => Ok(String::new()),
        }
    }

    /// What the store holds.
    fn store_view(&mut self) -> Result<StoreView, RunError> {
        let document = self.document()?;
        let report = self.store_report();
        let label = match report.location {
            "domain" => format!("Domain Store <{}>", report.name),
            location => format!("{} Store <{}>", capital(location), host_name()),
        };
        Ok(StoreView::of(&document, &label))
    }

    fn store_report(&mut self) -> StoreReport {
        let path = self.place.store.path().display().to_string();
        let name = self.place.store.domain().map_or(path, |domain| domain.name().to_owned());
        StoreReport { location: self.place.name, name }
    }

    fn show_assigned(&mut self, gpo: Option<&str>) -> Result<String, RunError> {
        let report = if let Some(domain) = self.place.store.domain() {
            let assigned = domain.assigned(gpo)?.unwrap_or_default();
            let some = |text: String| Some(text).filter(|text| !text.is_empty());
            AssignedReport {
                source_machine: host_name(),
                gpo: some(assigned.gpo),
                from: "domain",
                policy: some(assigned.policy),
                description: assigned.description,
                last_modified: assigned.last_modified,
                gpo_dn: some(assigned.gpo_dn),
            }
        } else {
            if gpo.is_some() {
                let store = self.place.name;
                return Err(RunError::WrongStore { what: "show gpoassignedpolicy name=", allowed: "domain", store });
            }
            let view = self.store_view()?;
            let policy = view.policies.into_iter().find(|policy| policy.assigned);
            AssignedReport {
                source_machine: host_name(),
                gpo: None,
                from: self.place.name,
                policy: policy.as_ref().map(|policy| policy.name.clone()),
                description: policy.as_ref().and_then(|policy| policy.description.clone()),
                last_modified: policy.and_then(|policy| policy.last_modified),
                gpo_dn: None,
            }
        };
        print(self.format, &report, |report| {
            let mut lines = Lines::default();
            lines.field("Source Machine", &report.source_machine);
            lines.optional("GPO Name", report.gpo.as_deref());
            lines.optional(&format!("{} Policy Name", capital(report.from)), report.policy.as_deref());
            lines.optional("Description", report.description.as_deref());
            lines.optional("Last Modified", report.last_modified.as_deref());
            lines.optional("GPO DN", report.gpo_dn.as_deref());
            lines.into_text()
        })
    }
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect()
}

/// This machine's name, as far as it has one.
fn host_name() -> String {
    nix::unistd::gethostname().map_or_else(|_| String::new(), |name| name.to_string_lossy().into_owned())
}

/// The object of a name, or all.
pub(super) fn one_or_all<'a, T>(
    kind: Kind,
    all: &'a [T],
    which: &OneOrAll,
    name: impl Fn(&'a T) -> Option<&'a str>,
) -> Result<Vec<&'a T>, RunError> {
    let OneOrAll::One(wanted) = which else { return Ok(all.iter().collect()) };
    let found: Vec<&T> = all.iter().filter(|object| name(object) == Some(wanted)).collect();
    if found.is_empty() {
        let names: Vec<&str> = all.iter().filter_map(name).collect();
        return Err(RunError::not_found(kind, wanted, &names));
    }
    Ok(found)
}

/// The rules of a name, of whatever policy.
fn rules_named<'a>(view: &'a StoreView, name: &str) -> Result<Vec<&'a RuleView>, RunError> {
    let all: Vec<&RuleView> = view.policies.iter().flat_map(|policy| &policy.rules).collect();
    let found: Vec<&RuleView> = all.iter().copied().filter(|rule| rule.name.as_deref() == Some(name)).collect();
    if found.is_empty() {
        let names: Vec<&str> = all.iter().filter_map(|rule| rule.name.as_deref()).collect();
        return Err(RunError::not_found(Kind::Rule, name, &names));
    }
    Ok(found)
}

/// The rules of a policy that are meant.
fn rules<'a>(
    view: &'a StoreView,
    policy: &str,
    which: &ShowRules,
    tunnel: Option<bool>,
) -> Result<Vec<&'a RuleView>, RunError> {
    let one = OneOrAll::One(policy.to_owned());
    let policies = one_or_all(Kind::Policy, &view.policies, &one, |policy| Some(&policy.name))?;
    let of_policy = policies.into_iter().flat_map(|policy: &PolicyView| &policy.rules);
    let rules: Vec<&RuleView> = of_policy.collect();
    let names: Vec<&str> = rules.iter().filter_map(|rule| rule.name.as_deref()).collect();
    let (found, text): (Vec<&RuleView>, String) = match which {
        ShowRules::All => (rules, String::new()),
        ShowRules::Default => {
            (rules.into_iter().filter(|rule| rule.name.is_none()).collect(), "for the default response".to_owned())
        }
        ShowRules::One(RuleNamed::Name(name)) => {
            (rules.into_iter().filter(|rule| rule.name.as_deref() == Some(name)).collect(), format!("{name:?}"))
        }
        ShowRules::One(RuleNamed::Id(id)) => {
            let is = |rule: &&RuleView| u32::try_from(rule.id).is_ok_and(|own| own == *id);
            (rules.into_iter().filter(is).collect(), format!("number {id}"))
        }
    };
    if found.is_empty() && !matches!(which, ShowRules::All) {
        let hint = hint(&text, &names);
        return Err(RunError::NoRule { policy: policy.to_owned(), rule: text, hint });
    }
    Ok(found.into_iter().filter(|rule| tunnel.is_none_or(|tunnel| rule.tunnel.is_some() == tunnel)).collect())
}

/// How many there are, as the last line of a list.
pub(super) fn count(what: &str, number: usize) -> String {
    format!("No. of {what}: {number}")
}
