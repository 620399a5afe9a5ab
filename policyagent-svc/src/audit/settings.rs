//! What of the settings is about the audit, but for `DisableIKEAudits`, which is one of the registry's.
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::sinks::SyslogFormat;
use crate::document::{Table, Value};
use crate::paths::Paths;

/// `[audit]` of the settings.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Settings {
    /// Successes are written.
    success: bool,
    /// Failures are written.
    failure: bool,
    /// The file.
    file: Place,
    /// Kilobytes of a full file.
    file_kilobytes: u32,
    /// How many full ones are kept.
    files_kept: u32,
    /// The journal.
    journal: Place,
    /// Syslog; nothing: where there is no journal, which else passes it on.
    syslog: Option<Place>,
    syslog_format: SyslogFormat,
    /// Seconds after which it is told how often a failure was repeated.
    interval: u32,
}

/// Whether something is written to, and where.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Place {
    Off,
    /// At its usual place.
    Usual,
    At(PathBuf),
}

impl Place {
    fn read(value: &Value<'_>) -> Option<Self> {
        if value.is_boolean() {
            return value.boolean().map(|on| if on { Self::Usual } else { Self::Off });
        }
        value.path().map(Self::At)
    }

    /// The path, if it is written to.
    fn path(&self, usual: impl FnOnce() -> PathBuf) -> Option<PathBuf> {
        match self {
            Self::Off => None,
            Self::Usual => Some(usual()),
            Self::At(path) => Some(path.clone()),
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            success: true,
            failure: true,
            file: Place::Usual,
            file_kilobytes: 10_240,
            files_kept: 5,
            journal: Place::Usual,
            syslog: None,
            syslog_format: SyslogFormat::default(),
            interval: 60,
        }
    }
}

impl Settings {
    /// Reads what stands in the table; what is not there stays as it is.
    pub(crate) fn read(&mut self, table: &Table<'_>) {
        let flag = |key| table.get(key).and_then(|value| value.boolean());
        let place = |key| table.get(key).and_then(|value| Place::read(&value));
        let integer = |key, range| table.get(key).and_then(|value| value.integer(range));
        self.success = flag("success").unwrap_or(self.success);
        self.failure = flag("failure").unwrap_or(self.failure);
        self.file = place("file").unwrap_or_else(|| self.file.clone());
        self.file_kilobytes = integer("file_kilobytes", 16..=4_194_304).unwrap_or(self.file_kilobytes);
        self.files_kept = integer("files_kept", 1..=1_000).unwrap_or(self.files_kept);
        self.journal = place("journal").unwrap_or_else(|| self.journal.clone());
        self.syslog = place("syslog").or_else(|| self.syslog.clone());
        if let Some(value) = table.get("syslog_format") {
            let formats = [("rfc3164", SyslogFormat::Rfc3164), ("rfc5424", SyslogFormat::Rfc5424)];
            self.syslog_format = value.one_of(&formats).unwrap_or(self.syslog_format);
        }
        self.interval = integer("interval_seconds", 1..=86_400).unwrap_or(self.interval);
    }

    /// What they come to below a root.
    pub(crate) fn config(&self, paths: &Paths, disable_ike_audits: bool) -> Config {
        let journal = self.journal.path(|| paths.journal());
        let syslog = match &self.syslog {
            Some(place) => place.path(|| paths.syslog()),
            // It has what the journal passes on, if there is one.
            None => Some(paths.syslog()).filter(|_| !journal.as_deref().is_some_and(Path::exists)),
        };
        Config {
            ike: !disable_ike_audits,
            success: self.success,
            failure: self.failure,
            file: self.file(paths),
            file_octets: u64::from(self.file_kilobytes) * 1024,
            files_kept: self.files_kept,
            journal,
            syslog,
            syslog_format: self.syslog_format,
            interval: Duration::from_secs(self.interval.into()),
        }
    }

    /// The file, if one is written.
    pub(crate) fn file(&self, paths: &Paths) -> Option<PathBuf> {
        self.file.path(|| paths.audit())
    }
}

/// What is audited, and where to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Config {
    /// Negotiations and SAs, besides the agent's own events.
    pub(crate) ike: bool,
    /// Successes.
    pub(crate) success: bool,
    /// Failures.
    pub(crate) failure: bool,
    /// The file.
    pub(crate) file: Option<PathBuf>,
    /// Octets of a full one.
    pub(crate) file_octets: u64,
    /// How many full ones are kept.
    pub(crate) files_kept: u32,
    /// The socket of the journal.
    pub(crate) journal: Option<PathBuf>,
    /// The socket of syslog.
    pub(crate) syslog: Option<PathBuf>,
    /// How it is written to.
    pub(crate) syslog_format: SyslogFormat,
    /// After which it is told how often a failure was repeated.
    pub(crate) interval: Duration,
}
