//! `policyagent audit`.
use serde_json::Value;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::SystemTime;

use super::args::AuditArgs;
use super::failed;
use super::style::Style;
use crate::audit::{Entry, Filter, Outcome, look};
use crate::calendar;
use crate::format::Format;
use crate::paths::Paths;
use crate::service::settings::Settings;

/// Shows entries of the audit.
pub(super) fn show(paths: &Paths, arguments: &AuditArgs, format: Format, style: Style) -> ExitCode {
    let settings = match Settings::read(&paths.settings()) {
        Ok(settings) => settings,
        Err(error) => return failed(error),
    };
    let Some(path) = settings.audit.file(paths) else {
        return failed(
            "the settings have no audit file (file = false); where there is a journal, it has the entries: \
             journalctl SYSLOG_IDENTIFIER=policyagent",
        );
    };
    let AuditArgs { since, until, peer, event, reason, success, failure, follow, lines, details } = arguments;
    let outcome = success.then_some(Outcome::Success).or_else(|| failure.then_some(Outcome::Failure));
    let filter = Filter {
        since: *since,
        until: *until,
        peers: peer.clone(),
        events: event.clone(),
        reason: reason.clone(),
        outcome,
    };
    let out = |entry: &Entry| {
        let text = match format {
            Format::Text => text(entry, *details, style),
            Format::Json => format!("{}\n", entry.line),
        };
        io::stdout().lock().write_all(text.as_bytes())
    };
    match look(&path, &filter, *lines, *follow, out) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(count) => failed(format!("{}: {count} lines are no entries", path.display())),
        // Whoever reads has read enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            failed(format!("{}: {error}; the service makes it with the first entry", path.display()))
        }
        Err(error) => failed(format!("{}: {error}", path.display())),
    }
}

/// An entry for people.
fn text(entry: &Entry, details: bool, style: Style) -> String {
    let outcome = entry.text("type");
    let shown = if outcome == Outcome::Failure.name() { style.bad(outcome) } else { outcome.to_owned() };
    // What a peer sends must not begin a line of its own, nor drive a terminal.
    let plain = |text: &str| {
        text.chars().fold(String::new(), |mut out, c| {
            match c.is_control() {
                true => out.extend(c.escape_default()),
                false => out.push(c),
            }
            out
        })
    };
    let mut out =
        format!("{}  {} {shown}  {}\n", calendar::local(entry.at), entry.number(), plain(entry.text("message")));
    if !details {
        return out;
    }
    let name = entry.text("name");
    // Writing to a String does not fail.
    let _ = writeln!(out, "    {:<22} {name}", "name");
    for (name, value) in entry.value.get("fields").and_then(Value::as_object).into_iter().flatten() {
        let value = value.as_str().map_or_else(|| value.to_string(), plain);
        let _ = writeln!(out, "    {name:<22} {value}");
    }
    out
}

/// Reads a time of the command line.
pub(super) fn time(text: &str) -> Result<SystemTime, String> {
    calendar::parse(text, SystemTime::now()).ok_or_else(|| format!("that is no time, allowed: {}", calendar::FORMS))
}
