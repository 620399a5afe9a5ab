//! `policyagent check`.
use ikecore::policy::remote_access::{ModeConfig, Xauth};
use ikecore::policy::rule::{Rule, RuleAction};
use ikecore::policy::selector::weight;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::args::CheckArgs;
use super::style::Style;
use super::{failed, policy, print, status::count};
use crate::document::{DocumentError, Fault, Position};
use crate::format::Format;
use crate::link::named;
use crate::lint::{self, Finding, Severity};
use crate::model::{Filter, Record};
use crate::paths::Paths;

/// What a policy file is for this machine, or why it is none.
#[derive(Serialize)]
struct Report {
    path: PathBuf,
    faults: Vec<FaultReport>,
    warnings: Vec<FaultReport>,
    findings: Vec<Finding>,
    policies: Vec<PolicyReport>,
    filter_lists: Vec<FilterListReport>,
    filter_actions: Vec<FilterActionReport>,
    pools: Vec<PoolReport>,
    in_force: Vec<RuleReport>,
}

#[derive(Serialize)]
struct FaultReport {
    path: PathBuf,
    line: usize,
    column: usize,
    message: String,
}

impl From<&Fault> for FaultReport {
    fn from(fault: &Fault) -> Self {
        let Fault { path, position, message } = fault;
        Self { path: path.clone(), line: position.line, column: position.column, message: message.clone() }
    }
}

#[derive(Serialize)]
struct PolicyReport {
    name: String,
    description: Option<String>,
    #[serde(flatten)]
    record: RecordReport,
    polling_interval: u32,
    assigned: bool,
    rules: Vec<NamedRule>,
}

/// What stores keep of an object.
#[derive(Serialize)]
struct RecordReport {
    guid: Option<String>,
    last_modified: Option<String>,
}

impl From<&Record> for RecordReport {
    fn from(record: &Record) -> Self {
        Self {
            guid: record.guid.map(|guid| guid.to_string()),
            last_modified: record.last_modified.map(|time| time.to_string()),
        }
    }
}

#[derive(Serialize)]
struct NamedRule {
    name: String,
    description: Option<String>,
    #[serde(flatten)]
    record: RecordReport,
    connection_type: &'static str,
    active: bool,
    filter_list: String,
    filter_action: String,
}

#[derive(Serialize)]
struct FilterListReport {
    name: String,
    description: Option<String>,
    #[serde(flatten)]
    record: RecordReport,
    filters: Vec<FilterReport>,
}

#[derive(Serialize)]
struct FilterReport {
    guid: Option<String>,
    line: usize,
    filter: String,
}

#[derive(Serialize)]
struct FilterActionReport {
    name: String,
    description: Option<String>,
    #[serde(flatten)]
    record: RecordReport,
}

#[derive(Serialize)]
struct PoolReport {
    name: String,
    description: Option<String>,
    addresses: Vec<String>,
}

/// A rule as this machine sees it.
#[derive(Serialize)]
struct RuleReport {
    name: String,
    action: String,
    tunnel: Option<String>,
    /// Aggressive mode, extended authentication and Mode Config.
    remote_access: Vec<String>,
    filters: Vec<Generic>,
}

/// A filter as it is written, and what it is for on this machine.
#[derive(Serialize)]
struct Generic {
    line: usize,
    generic: String,
    specific: Vec<Specific>,
}

/// A filter as the engine has it.
#[derive(Serialize)]
struct Specific {
    filter: String,
    weight: u32,
}

/// Checks a policy file, and shows it.
pub(super) fn check(paths: &Paths, arguments: &CheckArgs, format: Format, style: Style) -> ExitCode {
    let path = match policy::path(paths, arguments.policy.as_deref()) {
        Ok(path) => path,
        Err(error) => return failed(error),
    };
    match report(paths, &path) {
        Ok(report) => {
            print(format, &report, || text(&report, style));
            let fails = |finding: &Finding| arguments.fail_on.is_some_and(|severity| finding.severity >= severity);
            if report.findings.iter().any(fails) { ExitCode::FAILURE } else { ExitCode::SUCCESS }
        }
        Err(DocumentError::Faults(faults)) if format == Format::Json => {
            let faults: Vec<FaultReport> = faults.iter().map(Into::into).collect();
            print(format, &serde_json::json!({ "path": path, "faults": faults }), String::new);
            ExitCode::FAILURE
        }
        Err(error) => failed(error),
    }
}

fn report(paths: &Paths, path: &Path) -> Result<Report, DocumentError> {
    let (file, compiled) = policy::compiled(paths, path)?;
    let rules = |policy: &crate::model::Policy| {
        let rule = |rule: &crate::model::Rule| NamedRule {
            name: rule.name.clone(),
            description: rule.description.clone(),
            record: (&rule.record).into(),
            connection_type: rule.connection_type.name(),
            active: rule.active,
            filter_list: rule.filter_list.name.clone(),
            filter_action: rule.filter_action.name.clone(),
        };
        policy.rules.iter().map(rule).collect()
    };
    let all = file.filter_lists.iter().flat_map(|list| &list.filters);
    let filters: BTreeMap<Position, &Filter> = all.map(|filter| (filter.position, filter)).collect();
    let in_force = compiled.db.rules.iter().chain(compiled.db.default_response()).map(|rule| RuleReport {
        name: rule.name.clone(),
        action: match &rule.action {
            clear @ (RuleAction::Permit | RuleAction::Block | RuleAction::PermitOnly(_)) => {
                clear.words(None).to_owned()
            }
            RuleAction::Negotiate(policy) => {
                let offers: Vec<String> = policy.offers.iter().map(|offer| offer.suite.to_string()).collect();
                format!("negotiate {}", offers.join(", or "))
            }
        },
        tunnel: rule.tunnel.map(|tunnel| {
            let local = tunnel.local.map_or_else(|| "this host".to_owned(), |local| local.to_string());
            let remote = tunnel.remote.map_or_else(|| "any".to_owned(), |remote| remote.to_string());
            format!("{local} <-> {remote}")
        }),
        remote_access: remote_access(rule),
        filters: generic(rule, compiled.origins.get(&rule.name), &filters),
    });
    Ok(Report {
        path: path.to_owned(),
        faults: Vec::new(),
        warnings: compiled.warnings.iter().map(Into::into).collect(),
        findings: lint::findings(&file, &compiled.db),
        policies: file
            .policies
            .iter()
            .map(|policy| PolicyReport {
                name: policy.name.clone(),
                description: policy.description.clone(),
                record: (&policy.record).into(),
                polling_interval: policy.polling_interval,
                assigned: policy.assigned,
                rules: rules(policy),
            })
            .collect(),
        filter_lists: file
            .filter_lists
            .iter()
            .map(|list| FilterListReport {
                name: list.name.clone(),
                description: list.description.clone(),
                record: (&list.record).into(),
                filters: list.filters.iter().map(written).collect(),
            })
            .collect(),
        filter_actions: file
            .filter_actions
            .iter()
            .map(|action| FilterActionReport {
                name: action.name.clone(),
                description: action.description.clone(),
                record: (&action.record).into(),
            })
            .collect(),
        pools: file
            .pools
            .iter()
            .map(|named| PoolReport {
                name: named.pool.name.clone(),
                description: named.description.clone(),
                addresses: named.pool.ranges.iter().map(ToString::to_string).collect(),
            })
            .collect(),
        in_force: in_force.collect(),
    })
}

fn written(filter: &Filter) -> FilterReport {
    FilterReport {
        guid: filter.guid.map(|guid| guid.to_string()),
        line: filter.position.line,
        filter: filter.to_string(),
    }
}

/// The filters of a rule, beneath those that they were made of.
fn generic(rule: &Rule, origins: Option<&Vec<Position>>, filters: &BTreeMap<Position, &Filter>) -> Vec<Generic> {
    let mut all: Vec<Generic> = Vec::new();
    let mut last = None;
    for (specific, origin) in rule.filters.iter().zip(origins.into_iter().flatten()) {
        if last != Some(origin) {
            let generic = filters.get(origin).map(ToString::to_string).unwrap_or_default();
            all.push(Generic { line: origin.line, generic, specific: Vec::new() });
            last = Some(origin);
        }
        let specific = Specific { filter: named(&specific.to_string(), specific.scope), weight: weight(specific) };
        if let Some(generic) = all.last_mut() {
            generic.specific.push(specific);
        }
    }
    all
}

/// What the rule has besides main mode and quick mode.
fn remote_access(rule: &Rule) -> Vec<String> {
    let xauth = rule.xauth.as_ref().map(|xauth| match xauth {
        Xauth::Server => "extended authentication: the peer's user".to_owned(),
        Xauth::Client(credentials) => format!("extended authentication: as user {:?}", credentials.user),
    });
    let how = |push: bool| if push { "push" } else { "pull" };
    let mode_config = rule.mode_config.as_ref().map(|mode_config| match mode_config {
        ModeConfig::Server { pool, push } => {
            format!("mode config, {}: gives addresses of pool {:?}", how(*push), pool.name)
        }
        ModeConfig::Client { push } => format!("mode config, {}: gets an address", how(*push)),
    });
    let aggressive = rule.aggressive_mode.then(|| "aggressive mode: exposes the pre-shared key to guessing".to_owned());
    aggressive.into_iter().chain(xauth).chain(mode_config).collect()
}

fn text(report: &Report, style: Style) -> String {
    let mut out = String::new();
    // Writing to a String does not fail.
    let _ = write(&mut out, report, style);
    out
}

fn write(out: &mut String, report: &Report, style: Style) -> std::fmt::Result {
    let described = |description: &Option<String>| description.as_ref().map(|d| format!(": {d}")).unwrap_or_default();
    for warning in &report.warnings {
        let FaultReport { path, line, column, message } = warning;
        writeln!(out, "{}:{line}:{column}: {} {message}", path.display(), style.warning("warning:"))?;
    }
    for finding in &report.findings {
        let Finding { severity, object, line, message, mend, .. } = finding;
        let at = line.map(|line| format!(":{line}")).unwrap_or_default();
        let severity = match severity {
            Severity::High => style.bad("high:"),
            Severity::Medium => style.warning("medium:"),
            Severity::Low => "low:".to_owned(),
        };
        writeln!(out, "{}{at}: {severity} {object}: {message}", report.path.display())?;
        writeln!(out, "    {mend}")?;
    }
    for policy in &report.policies {
        let assigned = if policy.assigned { style.good("assigned") } else { "not assigned".to_owned() };
        let heading = style.heading(&format!("Policy {:?}", policy.name));
        writeln!(out, "{heading}, {assigned}{}", described(&policy.description))?;
        for rule in &policy.rules {
            let inactive = if rule.active { "" } else { ", not active" };
            let (list, action) = (&rule.filter_list, &rule.filter_action);
            writeln!(out, "  rule {:?}: {list:?} -> {action:?}{inactive}{}", rule.name, described(&rule.description))?;
        }
    }
    for list in &report.filter_lists {
        writeln!(out, "{}{}", style.heading(&format!("Filter list {:?}", list.name)), described(&list.description))?;
        list.filters.iter().try_for_each(|filter| writeln!(out, "  {}", filter.filter))?;
    }
    for action in report.filter_actions.iter().filter(|action| action.description.is_some()) {
        writeln!(
            out,
            "{}{}",
            style.heading(&format!("Filter action {:?}", action.name)),
            described(&action.description)
        )?;
    }
    for pool in &report.pools {
        writeln!(out, "{}{}", style.heading(&format!("Pool {:?}", pool.name)), described(&pool.description))?;
        pool.addresses.iter().try_for_each(|range| writeln!(out, "  {range}"))?;
    }
    writeln!(out, "{}", style.heading(&format!("In force on this machine: {}", count(report.in_force.len(), "rule"))))?;
    for rule in &report.in_force {
        writeln!(out, "  rule {:?}: {}", rule.name, rule.action)?;
        match &rule.tunnel {
            Some(tunnel) => writeln!(out, "    tunnel {tunnel}")?,
            None if rule.action.starts_with("negotiate") => writeln!(out, "    transport mode")?,
            None => {}
        }
        rule.remote_access.iter().try_for_each(|line| writeln!(out, "    {line}"))?;
        for filter in &rule.filters {
            writeln!(out, "    {}", filter.generic)?;
            filter.specific.iter().try_for_each(|one| writeln!(out, "      {}, weight {}", one.filter, one.weight))?;
        }
    }
    Ok(())
}
