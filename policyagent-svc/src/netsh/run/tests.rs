//! Whole runs against stores on disk.
mod dynamic_context;
mod round_trips;
mod scripts;
mod shown;
mod static_context;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use super::{RunError, Session};
use crate::format::Format;
use crate::model::side_named;
use crate::netsh::command::*;
use crate::paths::Paths;

/// An instance's files in a directory that goes with it.
pub(super) struct Root(PathBuf);

impl Root {
    pub(super) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("policyagent-netsh-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    pub(super) fn session(&self) -> Session {
        Session::new(&Paths::new(&self.0), Format::Text).unwrap()
    }

    pub(super) fn policy(&self) -> String {
        fs::read_to_string(Paths::new(&self.0).policy()).unwrap_or_default()
    }

    pub(super) fn write(&self, text: &str) {
        let path = Paths::new(&self.0).policy();
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

impl Drop for Root {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Carries commands of the static context out, each of which must succeed.
pub(super) fn run(session: &mut Session, commands: impl IntoIterator<Item = Static>) {
    for command in commands {
        let what = format!("{command:?}");
        session.carry_out(Command::Static(command)).unwrap_or_else(|error| panic!("{what}: {error}"));
    }
}

/// What a command of the static context prints.
pub(super) fn show(session: &mut Session, command: ShowStatic) -> String {
    session.carry_out(Command::Static(Static::Show(command))).unwrap()
}

/// Why a command fails, which must change nothing.
pub(super) fn refused(root: &Root, session: &mut Session, command: Static) -> RunError {
    let what = format!("{command:?}");
    let before = root.policy();
    let error = session.carry_out(Command::Static(command)).expect_err(&what);
    assert_eq!(root.policy(), before, "{what}: {error}");
    error
}

pub(super) fn side(text: &str) -> Address {
    Address::Side(side_named(text).unwrap())
}

pub(super) fn list(name: &str) -> Static {
    Static::AddFilterList { name: name.to_owned(), description: None }
}

pub(super) fn filter(list: &str, source: &str, destination: &str) -> AddFilter {
    AddFilter {
        filter_list: list.to_owned(),
        source: side(source),
        destination: side(destination),
        description: None,
        protocol: 0,
        mirrored: true,
        source_port: 0,
        destination_port: 0,
    }
}

pub(super) fn action(name: &str, action: Action) -> Static {
    let settings = FilterActionSettings { action: Some(action), ..FilterActionSettings::default() };
    Static::AddFilterAction { name: name.to_owned(), action: settings }
}

pub(super) fn policy(name: &str) -> Static {
    Static::AddPolicy { name: name.to_owned(), policy: PolicySettings::default() }
}

pub(super) fn rule(name: &str, policy: &str, list: &str, action: &str) -> Static {
    let rule = RuleSettings {
        filter_list: Some(list.to_owned()),
        filter_action: Some(action.to_owned()),
        authentication: Some(vec![Method::PresharedKey("teal Heron \"58\"".to_owned().into())]),
        ..RuleSettings::default()
    };
    Static::AddRule { name: name.to_owned(), policy: policy.to_owned(), rule }
}

pub(super) fn one(name: &str) -> OneOrAll {
    OneOrAll::One(name.to_owned())
}

pub(super) fn named(name: &str) -> Named {
    Named::Name(name.to_owned())
}

/// The small policy that most tests begin with.
pub(super) fn usual(session: &mut Session) {
    run(
        session,
        [
            list("web"),
            Static::AddFilter(AddFilter { protocol: 6, destination_port: 80, ..filter("web", "any", "me") }),
            Static::AddFilter(filter("branches", "10.44.0.0/16", "me")),
            action("pass", Action::Permit),
            action("sign", Action::Negotiate),
            policy("hosts"),
            rule("web in clear", "hosts", "web", "pass"),
            rule("branches", "hosts", "branches", "sign"),
        ],
    );
}
