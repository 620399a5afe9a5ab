//! A policy file as this machine would have it in force: for commands that need no running service.
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::compile::{Compiled, Hosts, Machine, Needs, Reqids, compile};
use crate::document::DocumentError;
use crate::hosts;
use crate::model::PolicyFile;
use crate::paths::Paths;
use crate::service::settings::Settings;

/// How long names of hosts are looked up.
const LOOK_UP: Duration = Duration::from_secs(5);

/// The policy file that is meant: `named`, or that of the settings.
pub(super) fn path(paths: &Paths, named: Option<&Path>) -> Result<PathBuf, DocumentError> {
    match named {
        Some(path) => Ok(path.to_owned()),
        None => Ok(Settings::read(&paths.settings())?.policy.unwrap_or_else(|| paths.policy())),
    }
}

/// Reads the policy file at `path` and compiles it for this machine.
pub(super) fn compiled(paths: &Paths, path: &Path) -> Result<(PolicyFile, Compiled), DocumentError> {
    let system = |error| DocumentError::File { path: path.to_owned(), error };
    let file = PolicyFile::read(path)?;
    let needs = Needs::of([&file]);
    // Whoever may not read the settings can have a policy of his own checked that does not go by them.
    let by_settings = needs.certificates || !needs.servers.is_empty();
    let settings = if by_settings { Settings::read(&paths.settings())? } else { Settings::default() };
    let hosts = if needs.hosts.is_empty() { Hosts::new() } else { hosts::look_up(&needs.hosts, LOOK_UP) };
    let machine = Machine::this(&needs, &settings.sources(paths), &hosts).map_err(system)?;
    let compiled = compile(&file, &machine, &mut Reqids::default());
    compiled.map(|compiled| (file, compiled)).map_err(|fault| DocumentError::Faults(vec![fault]))
}
