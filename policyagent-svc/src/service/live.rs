//! Settings that are changed while the service runs.
use std::path::PathBuf;

use super::held::{Stamp, stamp};
use super::settings::Settings;
use super::settings::registry::{Name, Registry, TakesEffect};
use crate::control::report::SettingsReport;

/// The settings in force, and what the file says meanwhile.
#[derive(Debug)]
pub(crate) struct Live {
    path: PathBuf,
    seen: Stamp,
    in_force: Registry,
    /// What takes effect later.
    pending: Vec<Name>,
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
    pub(crate) later: Vec<Name>,
}

impl Live {
    /// The settings of a service that starts.
    pub(crate) fn new(path: PathBuf, in_force: Registry) -> Self {
        Self { seen: stamp(&path), path, in_force, pending: Vec::new(), error: None }
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
        let said = said?.registry;
        let (at_once, later): (Vec<Name>, Vec<Name>) =
            said.differences(&self.in_force).into_iter().partition(|name| name.takes_effect() == TakesEffect::AtOnce);
        self.in_force.enable_logging = said.enable_logging;
        self.in_force.strong_crl_check = said.strong_crl_check;
        let new = later.iter().copied().filter(|name| !self.pending.contains(name)).collect();
        self.pending = later;
        Ok(Change { in_force: self.in_force.clone(), at_once, later: new })
    }

    /// What is told of it.
    pub(crate) fn report(&self) -> SettingsReport {
        let pending = self.pending.iter().map(|name| pending(*name)).collect();
        SettingsReport { path: self.path.clone(), pending, error: self.error.clone() }
    }
}

/// A setting that takes effect later, for people.
pub(super) fn pending(name: Name) -> String {
    format!("{}: {}", name.place().1, name.takes_effect().text())
}
