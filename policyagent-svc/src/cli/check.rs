//! `policyagent check`.
use ikecore::policy::remote_access::{ModeConfig, Xauth};
use ikecore::policy::rule::{Rule, RuleAction};
use serde::Serialize;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::args::CheckArgs;
use super::style::Style;
use super::{failed, print, status::count};
use crate::compile::{Machine, Reqids, compile};
use crate::document::{DocumentError, Fault};
use crate::format::Format;
use crate::link::named;
use crate::model::{Filter, PolicyFile, Side, protocol_name};
use crate::paths::Paths;
use crate::service::settings::Settings;

/// What a policy file is for this machine, or why it is none.
#[derive(Serialize)]
struct Report {
    path: PathBuf,
    faults: Vec<FaultReport>,
    warnings: Vec<FaultReport>,
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
    assigned: bool,
    rules: Vec<NamedRule>,
}

#[derive(Serialize)]
struct NamedRule {
    name: String,
    description: Option<String>,
    active: bool,
    filter_list: String,
    filter_action: String,
}

#[derive(Serialize)]
struct FilterListReport {
    name: String,
    description: Option<String>,
    filters: Vec<String>,
}

#[derive(Serialize)]
struct FilterActionReport {
    name: String,
    description: Option<String>,
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
    selectors: Vec<String>,
}

/// Checks a policy file, and shows it.
pub(super) fn check(paths: &Paths, arguments: &CheckArgs, format: Format, style: Style) -> ExitCode {
    let path = match policy_path(paths, arguments.policy.as_deref()) {
        Ok(path) => path,
        Err(error) => return failed(error),
    };
    match report(&path) {
        Ok(report) => {
            print(format, &report, || text(&report, style));
            ExitCode::SUCCESS
        }
        Err(DocumentError::Faults(faults)) if format == Format::Json => {
            let faults: Vec<FaultReport> = faults.iter().map(Into::into).collect();
            print(format, &serde_json::json!({ "path": path, "faults": faults }), String::new);
            ExitCode::FAILURE
        }
        Err(error) => failed(error),
    }
}

/// The policy file that is meant: `named`, or that of the settings.
pub(super) fn policy_path(paths: &Paths, named: Option<&Path>) -> Result<PathBuf, DocumentError> {
    match named {
        Some(path) => Ok(path.to_owned()),
        None => Ok(Settings::read(&paths.settings())?.policy.unwrap_or_else(|| paths.policy())),
    }
}

fn report(path: &Path) -> Result<Report, DocumentError> {
    let system = |error| DocumentError::File { path: path.to_owned(), error };
    let file = PolicyFile::read(path)?;
    let machine = Machine::this().map_err(system)?;
    let compiled =
        compile(&file, &machine, &mut Reqids::default()).map_err(|fault| DocumentError::Faults(vec![fault]))?;
    let rules = |policy: &crate::model::Policy| {
        let rule = |rule: &crate::model::Rule| NamedRule {
            name: rule.name.clone(),
            description: rule.description.clone(),
            active: rule.active,
            filter_list: rule.filter_list.name.clone(),
            filter_action: rule.filter_action.name.clone(),
        };
        policy.rules.iter().map(rule).collect()
    };
    let in_force = compiled.db.rules.iter().chain(compiled.db.default_response()).map(|rule| RuleReport {
        name: rule.name.clone(),
        action: match &rule.action {
            RuleAction::Permit => "permit".to_owned(),
            RuleAction::Block => "block".to_owned(),
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
        selectors: rule.filters.iter().map(|filter| named(&filter.to_string(), filter.scope)).collect(),
    });
    Ok(Report {
        path: path.to_owned(),
        faults: Vec::new(),
        warnings: compiled.warnings.iter().map(Into::into).collect(),
        policies: file
            .policies
            .iter()
            .map(|policy| PolicyReport {
                name: policy.name.clone(),
                description: policy.description.clone(),
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
                filters: list.filters.iter().map(filter).collect(),
            })
            .collect(),
        filter_actions: file
            .filter_actions
            .iter()
            .map(|action| FilterActionReport { name: action.name.clone(), description: action.description.clone() })
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

/// A filter as it is written.
fn filter(filter: &Filter) -> String {
    let side = |side: Side, port: u16| {
        let address = match side {
            Side::Me => "me".to_owned(),
            Side::Any => "any".to_owned(),
            Side::Pool => "pool".to_owned(),
            Side::Prefix(prefix) => prefix.to_string(),
            Side::OnLink(block, interface) if block.is_host() => format!("{block}%{interface}"),
            Side::OnLink(block, interface) => format!("{}%{interface}/{}", block.address(), block.prefix_len()),
        };
        if port == 0 { address } else { format!("{address}[{port}]") }
    };
    let arrow = if filter.mirrored { "<->" } else { "->" };
    let source = side(filter.source, filter.source_port);
    let destination = side(filter.destination, filter.destination_port);
    let description = filter.description.as_ref().map(|text| format!(" ({text})")).unwrap_or_default();
    format!("{source} {arrow} {destination}, {}{description}", protocol_name(filter.protocol))
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
        list.filters.iter().try_for_each(|filter| writeln!(out, "  {filter}"))?;
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
        rule.selectors.iter().try_for_each(|selector| writeln!(out, "    {selector}"))?;
    }
    Ok(())
}
