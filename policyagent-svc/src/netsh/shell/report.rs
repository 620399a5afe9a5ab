//! What is told: results on standard output, what went wrong on standard error.
use serde::Serialize;
use std::io::Write as _;
use std::path::Path;

use crate::document::Position;
use crate::format::Format;
use crate::netsh::language::LanguageError;

/// Tells, and counts what failed.
pub(super) struct Reporter {
    format: Format,
    verbose: bool,
    failures: usize,
}

/// Where something stands that is told of: in a script, or nowhere, as the command line.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    script: Option<&'a Path>,
    at: Position,
}

impl<'a> Place<'a> {
    pub(super) const fn in_script(script: &'a Path, at: Position) -> Self {
        Self { script: Some(script), at }
    }

    /// A line that is before the reader's eyes.
    pub(super) const fn here() -> Self {
        Self { script: None, at: Position { line: 1, column: 1 } }
    }

    /// Line and column.
    pub(super) const fn position(self) -> Position {
        self.at
    }

    /// Another place of the same.
    pub(super) const fn at(self, at: Position) -> Self {
        Self { at, ..self }
    }
}

/// An error, for programs.
#[derive(Serialize)]
struct ErrorReport<'a> {
    error: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<&'a Path>,
    line: usize,
    column: usize,
}

impl Reporter {
    pub(super) const fn new(format: Format, verbose: bool) -> Self {
        Self { format, verbose, failures: 0 }
    }

    /// How many commands failed.
    pub(super) const fn failures(&self) -> usize {
        self.failures
    }

    pub(super) const fn format(&self) -> Format {
        self.format
    }

    /// What a command prints.
    pub(super) fn printed(&self, text: &str) {
        let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
        // A reader that has gone away wants nothing more.
        let _ = std::io::stdout().lock().write_all(format!("{text}{end}").as_bytes());
    }

    /// A value for programs.
    pub(super) fn json(&self, value: &impl Serialize) {
        self.printed(&serde_json::to_string_pretty(value).unwrap_or_default());
    }

    /// A line that is no command.
    pub(super) fn wrong(&mut self, place: Place<'_>, error: &LanguageError) {
        self.error(place.at(error.at), &error.to_string(), error.usage.as_deref());
    }

    /// A command that failed.
    pub(super) fn error(&mut self, place: Place<'_>, message: &str, usage: Option<&str>) {
        let Position { line, column } = place.at;
        if self.format == Format::Json {
            self.json(&ErrorReport { error: message, usage, path: place.script, line, column });
        }
        self.told(place, message, usage);
    }

    /// A command that failed, to people only.
    pub(super) fn told(&mut self, place: Place<'_>, message: &str, usage: Option<&str>) {
        self.failures += 1;
        let Position { line, column } = place.at;
        match place.script {
            Some(script) => eprintln!("{}:{line}:{column}: {message}", script.display()),
            None => eprintln!("policyagent: {message}"),
        }
        if let Some(usage) = usage {
            eprintln!("    usage: {usage}");
        }
    }

    /// What is worth knowing.
    pub(super) fn warning(&self, place: Place<'_>, message: &str) {
        match place.script {
            Some(script) => eprintln!("{}:{}:{}: warning: {message}", script.display(), place.at.line, place.at.column),
            None => eprintln!("policyagent: warning: {message}"),
        }
    }

    /// A part of a script that is left out.
    pub(super) fn skipped(&self, place: Place<'_>, why: &str) {
        if let (true, Some(script)) = (self.verbose, place.script) {
            eprintln!("{}:{}:{}: left out: {why}", script.display(), place.at.line, place.at.column);
        }
    }

    /// Why nothing was done at all.
    pub(super) fn failed(&mut self, message: &str) {
        self.failures += 1;
        if self.format == Format::Json {
            self.json(&serde_json::json!({ "error": message }));
        }
        eprintln!("policyagent: {message}");
    }
}
