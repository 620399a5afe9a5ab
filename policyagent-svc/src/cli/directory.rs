//! `policyagent directory`.
use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;
use zeroize::Zeroizing;

use super::args::{DirectoryBy, DirectoryCommand};
use super::{failed, print};
use crate::directory::client::assignment::Gpo;
use crate::directory::store::{By, DirectoryError, DirectoryStore};
use crate::document::{Document, DocumentError};
use crate::format::Format;
use crate::paths::Paths;
use crate::service::settings::{NoDirectory, Settings};

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Document(#[from] DocumentError),
    #[error(transparent)]
    NoDirectory(#[from] NoDirectory),
    #[error(transparent)]
    Directory(#[from] DirectoryError),
}

/// Does what the command line says.
pub(super) fn run(paths: &Paths, what: &DirectoryCommand, format: Format) -> ExitCode {
    match carry_out(paths, what, format) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(error),
    }
}

fn carry_out(paths: &Paths, what: &DirectoryCommand, format: Format) -> Result<(), Failure> {
    let settings = Settings::read(&paths.settings())?;
    let store = DirectoryStore::new(settings.directory(paths)?)?;
    let document = |text: &str| {
        print(format, &serde_json::json!({ "document": text }), || text.to_owned());
    };
    match what {
        DirectoryCommand::Show => match store.assigned()? {
            Some(text) => document(&text),
            None => document("# The directory assigns no policy to this host.\n"),
        },
        DirectoryCommand::Export => {
            let contents = store.read()?;
            document(&contents.document.text());
            contents.notes.iter().for_each(|note| eprintln!("policyagent: warning: {note}"));
        }
        DirectoryCommand::Write { file } => write(&store, file, format)?,
        DirectoryCommand::Assign { policy, by } => {
            store.assign(Some(policy), &named(by))?;
            done(format, &format!("policy {policy:?} is assigned"));
        }
        DirectoryCommand::Unassign { by } => {
            store.assign(None, &named(by))?;
            done(format, "no policy is assigned");
        }
        DirectoryCommand::Gpos { target } => {
            let gpos = store.gpos(target.as_deref())?;
            print(format, &gpos, || text(&gpos));
        }
        DirectoryCommand::Simulate { hosts } => {
            let load = store.simulate(*hosts)?;
            print(format, &load, || {
                let failure = load.failure.as_ref().map(|why| format!("; the first: {why}")).unwrap_or_default();
                format!(
                    "{} hosts at once: the first poll, with the policy, {} ms in all; a later one {} ms in all, half of the hosts \
                     within {} ms, 99 of 100 within {} ms; {} without an answer{failure}\n",
                    load.hosts,
                    load.first_poll_milliseconds,
                    load.later_poll_milliseconds,
                    load.later_median_milliseconds,
                    load.later_99th_milliseconds,
                    load.failed
                )
            });
        }
        // It is the service that does it.
        DirectoryCommand::Poll => {}
    }
    Ok(())
}

fn write(store: &DirectoryStore, file: &Path, format: Format) -> Result<(), Failure> {
    let text = Document::read(file)?.into_text();
    store.edit::<(), Failure>(|_| Ok((Zeroizing::new(text.to_string()), ())))?;
    done(format, &format!("the directory says what {} says", file.display()));
    Ok(())
}

fn named(by: &DirectoryBy) -> By {
    match (&by.gpo, &by.assignment) {
        (Some(gpo), _) => By::Gpo(gpo.clone()),
        (None, Some(dn)) => By::Object(dn.clone()),
        (None, None) => By::Settings,
    }
}

fn done(format: Format, message: &str) {
    print(format, &serde_json::json!({ "message": message }), || format!("{message}\n"));
}

fn text(gpos: &[Gpo]) -> String {
    let mut out = String::new();
    for gpo in gpos {
        let decides =
            gpo.why_not.as_deref().map_or_else(|| "decides".to_owned(), |why| format!("does not decide: {why}"));
        let enforced = if gpo.enforced { ", enforced" } else { "" };
        // Writing to a String does not fail.
        let _ = writeln!(out, "{:?}, linked to {}{enforced}: {decides}", gpo.name, gpo.linked_to);
        if let Some(policy) = &gpo.policy {
            let _ = writeln!(out, "    policy {:?}, {}", policy.name, policy.dn);
        }
    }
    if gpos.is_empty() {
        out.push_str("no group policy object is linked to it, or to what is above it\n");
    }
    out
}
