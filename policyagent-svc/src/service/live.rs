//! Settings that are changed while the service runs.
use std::path::PathBuf;

use super::settings::Settings;
use super::settings::registry::{Name, Registry, TakesEffect};
use crate::control::report::SettingsReport;
use crate::stamp::{Stamp, stamp};

/// The settings in force, and what the file says meanwhile.
#[derive(Debug)]
pub(crate) struct Live {
    path: PathBuf,
    seen: Stamp,
    /// What the file said at the start.
    started_with: Settings,
    in_force: Registry,
    /// What takes effect later.
    pending: Vec<Pending>,
    error: Option<String>,
}

/// What a change of the file does at once.
#[derive(Debug)]
pub(crate) struct Change {
    /// The settings that are in force now.
    pub(crate) in_force: Registry,
    /// Those of them that are new.
    pub(crate) at_once: Vec<Name>,
    /// What else the file changes.
    pub(crate) later: Vec<Pending>,
}

/// A setting, or a table of them, that was changed and takes effect later.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Pending {
    /// What it is called.
    pub(crate) name: &'static str,
    /// When it does.
    pub(crate) takes_effect: TakesEffect,
}

impl Live {
    /// The settings of a service that starts, as the file has them.
    pub(crate) fn new(path: PathBuf, settings: Settings) -> Self {
        let in_force = settings.registry.clone();
        Self { seen: stamp(&path), path, started_with: settings, in_force, pending: Vec::new(), error: None }
    }

    /// The file.
    pub(crate) fn path(&self) -> &PathBuf {
        &self.path
    }

    /// True if the file is not as it was.
    pub(crate) fn has_changed(&self) -> bool {
        stamp(&self.path) != self.seen
    }

    /// Reads the file again. The error says what is wrong with it; then everything stays as it is.
    pub(crate) fn look(&mut self) -> Result<Change, String> {
        self.seen = stamp(&self.path);
        let said = Settings::read(&self.path).map_err(|error| error.to_string());
        self.error = said.as_ref().err().cloned();
        let settings = said?;
        let others = settings.differences(&self.started_with);
        let said = settings.registry;
        let (at_once, later): (Vec<Name>, Vec<Name>) =
            said.differences(&self.in_force).into_iter().partition(|name| name.takes_effect() == TakesEffect::AtOnce);
        self.in_force.enable_logging = said.enable_logging;
        self.in_force.strong_crl_check = said.strong_crl_check;
        let at_start = others.into_iter().map(|name| Pending { name, takes_effect: TakesEffect::ServiceStart });
        let named = |name: Name| Pending { name: name.place().1, takes_effect: name.takes_effect() };
        let later: Vec<Pending> = later.into_iter().map(named).chain(at_start).collect();
        let new = later.iter().copied().filter(|setting| !self.pending.contains(setting)).collect();
        self.pending = later;
        Ok(Change { in_force: self.in_force.clone(), at_once, later: new })
    }

    /// What is told of it.
    pub(crate) fn report(&self) -> SettingsReport {
        let pending = self.pending.iter().map(|it| format!("{}: {}", it.name, it.takes_effect.text())).collect();
        SettingsReport { path: self.path.clone(), pending, error: self.error.clone() }
    }
}
