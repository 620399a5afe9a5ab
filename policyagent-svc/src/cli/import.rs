//! `policyagent import`.
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::net::{IpAddr, ToSocketAddrs as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::args::{ImportArgs, ImportStore, ImportSyntax};
use super::{failed, print};
use crate::compile::{Hosts, Machine, Needs};
use crate::document::directory_of;
use crate::format::Format;
use crate::import::{Context, Imported, KeyFile, Request, Syntax, System, append, check, import};
use crate::paths::Paths;
use crate::service::settings::Settings;
use crate::store::Store;

/// Everything was translated but for something that matters.
const INCOMPLETE: u8 = 3;

/// Makes a policy document of configurations of other programs.
pub(super) fn run(paths: &Paths, arguments: &ImportArgs, format: Format) -> ExitCode {
    match carry_out(paths, arguments, format) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(INCOMPLETE),
        Err(error) => failed(error),
    }
}

/// True if nothing that matters was without a counterpart.
fn carry_out(paths: &Paths, arguments: &ImportArgs, format: Format) -> Result<bool, String> {
    let settings = Settings::read(&paths.settings()).map_err(|error| error.to_string())?;
    let sources = settings.sources(paths);
    let addresses: BTreeSet<IpAddr> = if arguments.host.is_empty() {
        let machine = Machine::this(&Needs::default(), &sources, &Hosts::new());
        machine.map_err(|error| error.to_string())?.addresses
    } else {
        arguments.host.iter().copied().collect()
    };
    let context = Context::new(&System, &resolve, &addresses, &sources.own, &sources.authorities);
    let request = Request {
        syntax: match arguments.from {
            ImportSyntax::Auto => None,
            ImportSyntax::Swanctl => Some(Syntax::Swanctl),
            ImportSyntax::IpsecConf => Some(Syntax::IpsecConf),
            ImportSyntax::Libreswan => Some(Syntax::Libreswan),
        },
        files: &arguments.files,
        secrets: &arguments.secrets,
        policy: &arguments.name,
        assign: arguments.assign,
    };
    let imported = import(&context, &request).map_err(|error| error.to_string())?;
    match (&arguments.output, arguments.to_store) {
        (Some(output), _) => to_file(output, &imported)?,
        (None, Some(ImportStore::Local)) => to_store(paths, settings.policy.as_deref(), &imported)?,
        (None, None) => {
            if let Some(file) = imported.key_files.first() {
                return Err(format!(
                    "the key that goes to the file {:?} is no text: name the document's file with --output",
                    file.name
                ));
            }
            // The document is what others read; the report is for whoever called.
            io::stdout().lock().write_all(imported.document.as_bytes()).map_err(|error| error.to_string())?;
            let report = match format {
                Format::Text => imported.report.text(),
                Format::Json => {
                    serde_json::to_string_pretty(&imported.report).map_err(|error| error.to_string())? + "\n"
                }
            };
            eprint!("{report}");
            return Ok(imported.report.is_complete());
        }
    }
    print(format, &imported.report, || imported.report.text());
    Ok(imported.report.is_complete())
}

fn resolve(name: &str) -> Option<IpAddr> {
    (name, 0).to_socket_addrs().ok()?.next().map(|address| address.ip())
}

/// Writes the files of keys beside the document; the result are those that were made. What is there already stays.
fn write_keys(directory: &Path, files: &[KeyFile]) -> Result<Vec<PathBuf>, String> {
    let mut made = Vec::new();
    for file in files {
        let path = directory.join(&file.name);
        let written = match fs::read(&path) {
            Ok(octets) if octets == **file.key.octets() => continue,
            Ok(_) => Err(io::Error::from(io::ErrorKind::AlreadyExists)),
            Err(_) => create(&path, file.key.octets()),
        };
        if let Err(error) = written {
            remove(&made);
            return Err(format!("{}: {error}", path.display()));
        }
        made.push(path);
    }
    Ok(made)
}

/// After a failure nothing stays that was made for what failed.
fn remove(made: &[PathBuf]) {
    for path in made {
        // What cannot be removed does no harm; the failure before it is what is told.
        let _ = fs::remove_file(path);
    }
}

/// Makes a file that was not there, for its owner alone.
fn create(path: &Path, octets: &[u8]) -> io::Result<()> {
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(path)?;
    let written = file.write_all(octets).and_then(|()| file.sync_all());
    // Half of it would be in the way of the next attempt.
    written.inspect_err(|_| remove(&[path.to_owned()]))
}

fn to_file(output: &Path, imported: &Imported) -> Result<(), String> {
    if fs::symlink_metadata(output).is_ok() {
        return Err(format!("{} is there already, and is not overwritten: name another file", output.display()));
    }
    let made = write_keys(&directory_of(output), &imported.key_files)?;
    let checked = check(output, &imported.document).map_err(|error| error.to_string());
    let written = checked.and_then(|_| {
        create(output, imported.document.as_bytes()).map_err(|error| format!("{}: {error}", output.display()))
    });
    written.inspect_err(|_| remove(&made))
}

fn to_store(paths: &Paths, named: Option<&Path>, imported: &Imported) -> Result<(), String> {
    let store = Store::local(paths, named);
    let directory = directory_of(store.path());
    fs::create_dir_all(&directory).map_err(|error| format!("{}: {error}", directory.display()))?;
    let made = write_keys(&directory, &imported.key_files)?;
    let edited = store.edit(|text| append(store.path(), text, &imported.document).map(|text| (text, ())));
    edited.map_err(|error| error.to_string()).inspect_err(|_| remove(&made))
}
