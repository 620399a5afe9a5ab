//! The agent's own events: what befalls the service, its policy and its settings. The journal and the audit tell of them in
//! the same words.
use std::fmt;
use std::path::PathBuf;
use std::time::SystemTime;
use tracing::Level;

use super::record::{Kind, Outcome, Record};
use crate::control::report::PolicyReport;

/// Something happened to the agent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum AgentEvent {
    /// It is ready.
    Started {
        /// The SA driver, and why this one.
        driver: String,
    },
    /// It has ended, and whether in good order.
    Stopped {
        /// Everything was deleted.
        clean: bool,
    },
    /// It could not start, or not serve on.
    Failed {
        /// Why.
        error: String,
    },
    /// The policy of the start is in force.
    PolicyApplied(InForce),
    /// Another policy is in force.
    PolicyChanged {
        /// What has changed.
        why: String,
        /// It.
        policy: InForce,
    },
    /// What was to be put in force is not; what was before stays in force.
    PolicyRefused {
        /// Why.
        error: String,
    },
    /// A store cannot be read, or has faults.
    StoreFault {
        /// Which.
        store: String,
        /// Its file, if it has one.
        path: Option<PathBuf>,
        /// The faults.
        error: String,
    },
    /// A setting is another.
    SettingChanged {
        /// Its name.
        name: &'static str,
        /// When the change takes effect.
        takes_effect: &'static str,
    },
    /// The settings file has faults.
    SettingsRefused {
        /// The faults.
        error: String,
    },
    /// The policy holds in place of the boot mode.
    BootModeLifted,
    /// The boot mode is still there.
    BootModeNotLifted {
        /// Why.
        error: String,
    },
    /// A driver took the place of one that was lost.
    DriverOpened {
        /// Its name.
        name: String,
        /// Why this one.
        why: String,
    },
    /// None could be opened.
    DriverNotOpened {
        /// Why.
        error: String,
    },
    /// The directory's policy was read: it is new, or has changed.
    DirectoryRead {
        /// The server.
        server: String,
        /// The policy.
        policy: String,
        /// What assigns it.
        assignment: String,
    },
    /// The directory assigns no policy.
    DirectoryUnassigned {
        /// The server.
        server: String,
    },
    /// The directory could not be read: the copy of its policy stays in force.
    DirectoryNotRead {
        /// Why.
        error: String,
        /// Until the next attempt.
        minutes: u32,
    },
}

/// A policy that is in force.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct InForce {
    path: PathBuf,
    version: u64,
    name: Option<String>,
    rules: usize,
}

impl From<&PolicyReport> for InForce {
    fn from(report: &PolicyReport) -> Self {
        let PolicyReport { path, version, name, rules, .. } = report;
        Self { path: path.clone(), version: *version, name: name.clone(), rules: rules.len() }
    }
}

impl InForce {
    fn name(&self) -> &str {
        self.name.as_deref().unwrap_or("no policy assigned")
    }

    fn fields(&self, record: Record) -> Record {
        record
            .with("policy", self.name())
            .with("path", self.path.display().to_string())
            .with("version", self.version)
            .with("rules", self.rules)
    }
}

impl fmt::Display for InForce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "version {} is in force: {}", self.version, self.name())
    }
}

impl fmt::Display for AgentEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Started { driver } => write!(f, "the service is ready, SA driver {driver}"),
            Self::Stopped { clean: true } => f.write_str("the service has ended"),
            Self::Stopped { clean: false } => f.write_str("the service has ended before all SAs were deleted"),
            Self::Failed { error } => write!(f, "the service cannot serve: {error}"),
            Self::PolicyApplied(policy) => {
                write!(f, "policy {}: {}, {} rules", policy.path.display(), policy.name(), policy.rules)
            }
            Self::PolicyChanged { why, policy } => write!(f, "{why}: {policy}"),
            Self::PolicyRefused { error } => f.write_str(error),
            Self::StoreFault { error, .. } => write!(f, "{error}\nwhat was in force before stays in force"),
            Self::SettingChanged { name, takes_effect } => {
                write!(f, "the setting {name} has changed, which takes effect {takes_effect}")
            }
            Self::SettingsRefused { error } => write!(f, "{error}\nthe settings before stay in force"),
            Self::BootModeLifted => f.write_str("the boot mode is lifted: the policy is in force"),
            Self::BootModeNotLifted { error } => write!(f, "the boot mode cannot be lifted: {error}"),
            Self::DriverOpened { name, why } => write!(f, "SA driver {name} opened again: {why}"),
            Self::DriverNotOpened { error } => write!(f, "no new SA driver: {error}"),
            Self::DirectoryRead { server, policy, assignment } => {
                write!(f, "{server}: policy {policy} was read: assigned by {assignment}")
            }
            Self::DirectoryUnassigned { server } => write!(f, "{server}: no policy is assigned to this host"),
            Self::DirectoryNotRead { error, minutes } => {
                write!(f, "{error}; the copy of its policy stays in force, next attempt in {minutes} min")
            }
        }
    }
}

impl AgentEvent {
    const fn kind(&self) -> Kind {
        match self {
            Self::Started { .. } => Kind::ServiceStarted,
            Self::Stopped { .. } => Kind::ServiceStopped,
            Self::Failed { .. } => Kind::ServiceFailed,
            Self::PolicyApplied(_) => Kind::PolicyApplied,
            Self::PolicyChanged { .. } => Kind::PolicyChanged,
            Self::PolicyRefused { .. } => Kind::PolicyRefused,
            Self::StoreFault { .. } => Kind::StoreFault,
            Self::SettingChanged { .. } => Kind::SettingChanged,
            Self::SettingsRefused { .. } => Kind::SettingsRefused,
            Self::BootModeLifted => Kind::BootModeLifted,
            Self::BootModeNotLifted { .. } => Kind::BootModeNotLifted,
            Self::DriverOpened { .. } => Kind::DriverOpened,
            Self::DriverNotOpened { .. } => Kind::DriverNotOpened,
            Self::DirectoryRead { .. } => Kind::DirectoryRead,
            Self::DirectoryUnassigned { .. } => Kind::DirectoryUnassigned,
            Self::DirectoryNotRead { .. } => Kind::DirectoryNotRead,
        }
    }

    /// The entry.
    pub(super) fn record(&self, at: SystemTime) -> Record {
        let record = Record::new(at, self.kind(), self.to_string());
        match self {
            Self::Started { driver } => {
                record.with("driver", driver.clone()).with("program_version", env!("CARGO_PKG_VERSION"))
            }
            Self::Stopped { clean } => record.with("clean", *clean),
            Self::PolicyApplied(policy) => policy.fields(record),
            Self::PolicyChanged { why, policy } => policy.fields(record).with("change", why.clone()),
            Self::StoreFault { store, path, error } => record
                .with("store", store.clone())
                .with_some("path", path.as_ref().map(|path| path.display().to_string()))
                .with("failure_reason", error.clone()),
            Self::SettingChanged { name, takes_effect } => {
                record.with("setting", *name).with("takes_effect", *takes_effect)
            }
            Self::BootModeLifted => record,
            Self::DriverOpened { name, why } => record.with("driver", name.clone()).with("change", why.clone()),
            Self::DirectoryRead { server, policy, assignment } => record
                .with("server", server.clone())
                .with("policy", policy.clone())
                .with("assignment", assignment.clone()),
            Self::DirectoryUnassigned { server } => record.with("server", server.clone()),
            Self::Failed { error }
            | Self::PolicyRefused { error }
            | Self::SettingsRefused { error }
            | Self::BootModeNotLifted { error }
            | Self::DriverNotOpened { error }
            | Self::DirectoryNotRead { error, .. } => record.with("failure_reason", error.clone()),
        }
    }

    /// Tells it the journal.
    pub(super) fn log(&self) {
        const TARGET: &str = "policyagent::service";
        let level = match self {
            // The engine has, of an end that was none.
            Self::Stopped { .. } => return,
            Self::DriverOpened { .. } => Level::WARN,
            event if event.kind().outcome() == Outcome::Failure => Level::ERROR,
            _ => Level::INFO,
        };
        match level {
            Level::ERROR => tracing::error!(target: TARGET, "{self}"),
            Level::WARN => tracing::warn!(target: TARGET, "{self}"),
            _ => tracing::info!(target: TARGET, "{self}"),
        }
    }
}
