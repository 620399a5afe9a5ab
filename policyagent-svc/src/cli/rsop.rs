//! `policyagent rsop`.
use std::fmt::Write as _;
use std::process::ExitCode;

use super::args::RsopArgs;
use super::style::Style;
use super::{PATIENCE, failed, print};
use crate::control::client::{ClientError, ask};
use crate::control::request::{Reply, Request};
use crate::directory::{self, HostError};
use crate::document::DocumentError;
use crate::format::Format;
use crate::paths::Paths;
use crate::rsop::{
    ActionDetails, AssignedPolicy, DefaultResponseDetails, Mode, PolicyDetails, ResultantSet, RsopError, RuleDetails,
    logging, planning,
};
use crate::service::settings::{NoDirectory, Settings};

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Document(#[from] DocumentError),
    #[error(transparent)]
    Host(#[from] HostError),
    #[error(transparent)]
    NoDirectory(#[from] NoDirectory),
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error(transparent)]
    Rsop(#[from] RsopError),
}

/// Shows the resultant set of policy.
pub(super) fn rsop(paths: &Paths, arguments: &RsopArgs, format: Format, style: Style) -> ExitCode {
    match answer(paths, arguments) {
        Ok(set) => {
            print(format, &set, || text(&set, style));
            ExitCode::SUCCESS
        }
        Err(error) => failed(error),
    }
}

fn answer(paths: &Paths, arguments: &RsopArgs) -> Result<ResultantSet, Failure> {
    let settings = Settings::read(&paths.settings())?;
    if let Some(target) = &arguments.plan {
        return Ok(planning(settings.directory(paths)?, target)?);
    }
    let host = directory::host()?;
    match ask(&paths.socket(), Request::Status, PATIENCE) {
        // The service knows which file it was told to take.
        Ok(Reply::Status(status)) => {
            let local = Some(status.policy.path.as_path()).filter(|local| *local != paths.policy());
            Ok(logging(paths, local, host, true))
        }
        Ok(_) | Err(ClientError::NotRunning { .. }) => Ok(logging(paths, settings.policy.as_deref(), host, false)),
        Err(error) => Err(error.into()),
    }
}

fn text(set: &ResultantSet, style: Style) -> String {
    let mut out = String::new();
    // Writing to a String does not fail.
    let _ = write(&mut out, set, style);
    out
}

fn write(out: &mut String, set: &ResultantSet, style: Style) -> std::fmt::Result {
    let mode = match set.mode {
        Mode::Logging => "logging mode",
        Mode::Planning => "planning mode",
    };
    writeln!(out, "{}", style.heading(&format!("Resultant Set of Policy, {mode}: {}", set.target)))?;
    if set.service_runs == Some(false) {
        let note = "the service does not run: what follows is what it would put in force";
        writeln!(out, "  {} {note}", style.warning("warning:"))?;
    }
    set.policies.iter().try_for_each(|policy| assigned(out, policy, style))?;
    if set.policies.is_empty() {
        writeln!(out, "  nothing assigns a policy to it")?;
    }
    for applied in &set.applied {
        writeln!(out)?;
        let heading = format!("Applied: {:?} of the {} store", applied.policy.name, applied.store);
        writeln!(out, "{}", style.heading(&heading))?;
        policy(out, &applied.policy)?;
    }
    Ok(())
}

fn assigned(out: &mut String, assigned: &AssignedPolicy, style: Style) -> std::fmt::Result {
    let AssignedPolicy { store, source, name, description, last_modified, precedence, applies, why, error } = assigned;
    let name = name.as_ref().map_or_else(|| "no policy".to_owned(), |name| format!("{name:?}"));
    let rank = precedence.map(|rank| format!(", precedence {rank}")).unwrap_or_default();
    let state = if *applies { style.good("applies") } else { "does not apply".to_owned() };
    writeln!(out, "  {store}: {name}{rank}, {state}: {why}")?;
    writeln!(out, "      from {source}")?;
    if let Some(description) = description {
        writeln!(out, "      {description}")?;
    }
    if let Some(time) = last_modified {
        writeln!(out, "      last modified {time}")?;
    }
    match error {
        Some(error) => error.lines().try_for_each(|line| writeln!(out, "      {} {line}", style.bad("error:"))),
        None => Ok(()),
    }
}

fn described(description: &Option<String>) -> String {
    description.as_ref().map(|text| format!(": {text}")).unwrap_or_default()
}

fn policy(out: &mut String, policy: &PolicyDetails) -> std::fmt::Result {
    if let Some(description) = &policy.description {
        writeln!(out, "  {description}")?;
    }
    if let Some(time) = &policy.last_modified {
        writeln!(out, "  last modified {time}")?;
    }
    if let Some(guid) = &policy.guid {
        writeln!(out, "  GUID {guid}")?;
    }
    if let Some(main_mode) = &policy.main_mode {
        let limit = match main_mode.quick_mode_limit {
            0 => "no limit of quick modes".to_owned(),
            1 => "master PFS".to_owned(),
            limit => format!("{limit} quick modes"),
        };
        let offers = main_mode.offers.join(", ");
        writeln!(out, "  main mode: {offers}; {} s, {limit}", main_mode.lifetime)?;
    }
    policy.rules.iter().try_for_each(|of| rule(out, of))?;
    match &policy.default_response {
        Some(default) => default_response(out, default),
        None => Ok(()),
    }
}

fn rule(out: &mut String, rule: &RuleDetails) -> std::fmt::Result {
    let inactive = if rule.active { "" } else { ", not active" };
    writeln!(out, "  rule {:?}{inactive}{}", rule.name, described(&rule.description))?;
    writeln!(out, "    filter list {:?}", rule.filter_list)?;
    rule.filters.iter().try_for_each(|filter| writeln!(out, "      {filter}"))?;
    action(out, &rule.filter_action)?;
    if rule.filter_action.action == "negotiate" {
        match &rule.tunnel {
            Some(tunnel) => {
                let end = |end: Option<std::net::IpAddr>, other: &str| {
                    end.map_or_else(|| other.to_owned(), |end| end.to_string())
                };
                writeln!(out, "    tunnel {} <-> {}", end(tunnel.local, "this host"), end(tunnel.remote, "any"))?;
            }
            None => writeln!(out, "    transport mode")?,
        }
        writeln!(out, "    authentication: {}", rule.authentication.join("; or "))?;
    }
    if let Some(mode_config) = &rule.mode_config {
        writeln!(out, "    mode config: {mode_config}")?;
    }
    writeln!(out, "    connection type: {}", rule.connection_type)
}

fn action(out: &mut String, action: &ActionDetails) -> std::fmt::Result {
    let ActionDetails { name, action, offers, pfs, inbound_passthrough, fallback_to_clear } = action;
    writeln!(out, "    filter action {name:?}: {action}")?;
    offers.iter().try_for_each(|offer| writeln!(out, "      {offer}"))?;
    if *action == "negotiate" {
        writeln!(out, "      PFS: {pfs}")?;
    }
    if *inbound_passthrough {
        writeln!(out, "      clear packets that come in are accepted")?;
    }
    if *fallback_to_clear {
        writeln!(out, "      traffic with peers that do not answer goes in clear")?;
    }
    Ok(())
}

fn default_response(out: &mut String, default: &DefaultResponseDetails) -> std::fmt::Result {
    let inactive = if default.active { "" } else { ", not active" };
    writeln!(out, "  default response{inactive}")?;
    if let Some(of) = &default.filter_action {
        action(out, of)?;
    }
    writeln!(out, "    authentication: {}", default.authentication.join("; or "))
}
