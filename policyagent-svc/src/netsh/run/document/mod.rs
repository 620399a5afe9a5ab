//! A policy document under change: what people wrote by hand, comments too, stays as they wrote it.
mod filters;
pub(crate) mod merge;
mod rules;
pub(crate) mod values;

pub(crate) use filters::{FilterText, canonical, filter_tables, is_mirrored, port_of, protocol_of};

use core::fmt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use toml_edit::{ArrayOfTables, DocumentMut, Item, Table};
use zeroize::Zeroizing;

use self::values::{set, text_of};
use super::error::RunError;
use crate::document::{Document, DocumentError, directory_of};
use crate::guid::Guid;
use crate::model::PolicyFile;
use crate::netsh::command::{Named, OneOrAll};

/// The kinds of objects that stand at the top of a document.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// A policy.
    Policy,
    /// A filter list.
    FilterList,
    /// A filter action.
    FilterAction,
    /// A rule, which stands in its policy; for messages only.
    Rule,
    /// A policy, as the dynamic context calls it; for messages only.
    MainModePolicy,
    /// A filter action, as the dynamic context calls it; for messages only.
    QuickModePolicy,
}

impl Kind {
    /// Those at the top, in the order in which documents have them.
    pub(crate) const ALL: [Self; 3] = [Self::Policy, Self::FilterList, Self::FilterAction];

    /// The key of their list.
    pub(crate) const fn key(self) -> &'static str {
        match self {
            Self::Policy | Self::MainModePolicy => "policy",
            Self::FilterList => "filter_list",
            Self::FilterAction | Self::QuickModePolicy => "filter_action",
            Self::Rule => "rule",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Policy => "policy",
            Self::FilterList => "filter list",
            Self::FilterAction => "filter action",
            Self::Rule => "rule",
            Self::MainModePolicy => "main-mode policy",
            Self::QuickModePolicy => "quick-mode policy",
        })
    }
}

/// A document under change.
pub(crate) struct PolicyDocument {
    /// Where it is from: relative paths in it start there.
    path: PathBuf,
    document: DocumentMut,
}

impl PolicyDocument {
    /// Reads the text of a document.
    pub(crate) fn parse(path: &Path, text: &str) -> Result<Self, RunError> {
        let document: DocumentMut = text.parse().map_err(|error: toml_edit::TomlError| {
            // The error's own words only: its Display would repeat the line, which may hold a secret.
            RunError::Document(format!("{}: {}", path.display(), error.message()))
        })?;
        let mut this = Self { path: path.to_owned(), document };
        this.unfold();
        Ok(this)
    }

    /// Lists of objects that stand in brackets become `[[tables]]`, which can be added to.
    fn unfold(&mut self) {
        let root = self.document.as_table_mut();
        for kind in Kind::ALL {
            unfold(root, kind.key());
        }
        let policies = root.get_mut(Kind::Policy.key()).and_then(Item::as_array_of_tables_mut);
        for policy in policies.into_iter().flat_map(ArrayOfTables::iter_mut) {
            unfold(policy, Kind::Rule.key());
        }
    }

    /// The text.
    pub(crate) fn text(&self) -> String {
        self.document.to_string()
    }

    /// Refuses what the model does.
    pub(crate) fn check(&self) -> Result<(), RunError> {
        self.objects().map(|_| ())
    }

    /// What the document says, as the model reads it.
    pub(crate) fn objects(&self) -> Result<PolicyFile, RunError> {
        let fault = |error: DocumentError| RunError::Document(error.to_string());
        let text = Zeroizing::new(self.text());
        let document = Document::from_text(&self.path, &directory_of(&self.path), text).map_err(fault)?;
        PolicyFile::parse(&document).map_err(fault)
    }

    /// The objects of a kind, in the order of the document.
    pub(crate) fn tables(&self, kind: Kind) -> impl Iterator<Item = &Table> {
        self.list(kind.key())
    }

    /// Their names.
    pub(crate) fn names(&self, kind: Kind) -> impl Iterator<Item = &str> {
        self.tables(kind).filter_map(name_of)
    }

    /// The tables of any list at the top.
    pub(crate) fn list(&self, key: &str) -> impl Iterator<Item = &Table> {
        self.document.get(key).and_then(Item::as_array_of_tables).into_iter().flat_map(ArrayOfTables::iter)
    }

    fn list_mut(&mut self, kind: Kind) -> Option<&mut ArrayOfTables> {
        let item = self.document.entry(kind.key()).or_insert_with(|| Item::ArrayOfTables(ArrayOfTables::new()));
        item.as_array_of_tables_mut()
    }

    /// The object at a place that [`Self::find`] gave.
    pub(crate) fn table(&self, kind: Kind, place: usize) -> Option<&Table> {
        self.document.get(kind.key())?.as_array_of_tables()?.get(place)
    }

    /// The same, to change it.
    pub(crate) fn table_mut(&mut self, kind: Kind, place: usize) -> Result<&mut Table, RunError> {
        let table = self.list_mut(kind).and_then(|list| list.get_mut(place));
        table.ok_or_else(|| RunError::Document(format!("there is no {kind} number {}", place + 1)))
    }

    /// The place of an object.
    pub(crate) fn find(&self, kind: Kind, which: &Named) -> Result<usize, RunError> {
        let found = match which {
            Named::Name(name) => self.tables(kind).position(|table| name_of(table) == Some(name)),
            Named::Guid(guid) => self.tables(kind).position(|table| {
                let own = table.get("guid").and_then(Item::as_str);
                own.is_some_and(|own| own.eq_ignore_ascii_case(guid))
            }),
        };
        let (Named::Name(text) | Named::Guid(text)) = which;
        found.ok_or_else(|| RunError::not_found(kind, text, &self.names(kind).collect::<Vec<_>>()))
    }

    /// The place of the object of a name.
    pub(crate) fn find_name(&self, kind: Kind, name: &str) -> Result<usize, RunError> {
        self.find(kind, &Named::Name(name.to_owned()))
    }

    /// Adds an object; it gets a GUID and the time.
    pub(crate) fn add(&mut self, kind: Kind, name: &str, mut table: Table) -> Result<(), RunError> {
        self.free(kind, name)?;
        stamp_new(&mut table)?;
        let first = self.document.is_empty();
        table.decor_mut().set_prefix(if first { "" } else { "\n" });
        if let Some(list) = self.list_mut(kind) {
            list.push(table);
        }
        Ok(())
    }

    /// A name that an object can get.
    fn free(&self, kind: Kind, name: &str) -> Result<(), RunError> {
        check_name(kind, name)?;
        if self.names(kind).any(|other| other == name) {
            return Err(RunError::Exists { kind, name: name.to_owned() });
        }
        Ok(())
    }

    /// Gives an object another name; who refers to it follows.
    pub(crate) fn rename(&mut self, kind: Kind, place: usize, new: &str) -> Result<(), RunError> {
        let table = self.table_mut(kind, place)?;
        let Some(old) = name_of(table).map(str::to_owned) else { return Ok(()) };
        if old == new {
            return Ok(());
        }
        self.free(kind, new)?;
        set(self.table_mut(kind, place)?, "name", new.into());
        self.follow(kind, &old, new);
        Ok(())
    }

    /// Whoever refers to the object `old` of a kind refers to `new` from now on.
    pub(crate) fn follow(&mut self, kind: Kind, old: &str, new: &str) {
        let policies = self.document.get_mut(Kind::Policy.key()).and_then(Item::as_array_of_tables_mut);
        for policy in policies.into_iter().flat_map(ArrayOfTables::iter_mut) {
            let rules = policy.get_mut(Kind::Rule.key()).and_then(Item::as_array_of_tables_mut);
            for rule in rules.into_iter().flat_map(ArrayOfTables::iter_mut) {
                if text_of(rule, kind.key()) == Some(old) {
                    set(rule, kind.key(), new.into());
                }
            }
            let default = policy.get_mut("default_response").and_then(Item::as_table_like_mut);
            if let Some(default) = default.filter(|default| text_of(*default, kind.key()) == Some(old)) {
                set(default, kind.key(), new.into());
            }
        }
    }

    /// Who refers to an object, for people.
    pub(crate) fn users(&self, kind: Kind, name: &str) -> Vec<String> {
        let mut users = Vec::new();
        for policy in self.tables(Kind::Policy) {
            let policy_name = name_of(policy).unwrap_or_default();
            for rule in rules_of(policy).filter(|rule| text_of(*rule, kind.key()) == Some(name)) {
                users.push(format!("rule {:?} of policy {policy_name:?}", name_of(rule).unwrap_or_default()));
            }
            let default = policy.get("default_response").and_then(Item::as_table_like);
            if default.is_some_and(|default| text_of(default, kind.key()) == Some(name)) {
                users.push(format!("the default response of policy {policy_name:?}"));
            }
        }
        users
    }

    /// Deletes one object of a kind, or all.
    pub(crate) fn delete(&mut self, kind: Kind, which: &OneOrAll) -> Result<(), RunError> {
        let doomed: Vec<String> = match which {
            OneOrAll::One(name) => {
                self.find_name(kind, name)?;
                vec![name.clone()]
            }
            OneOrAll::All => self.names(kind).map(str::to_owned).collect(),
        };
        for name in &doomed {
            let users = self.users(kind, name);
            if !users.is_empty() {
                return Err(RunError::InUse { kind, name: name.clone(), users });
            }
        }
        let heading = self.heading();
        if let Some(list) = self.list_mut(kind) {
            list.retain(|table| !name_of(table).is_some_and(|name| doomed.iter().any(|doomed| doomed == name)));
        }
        self.drop_empty();
        self.keep_heading(heading);
        Ok(())
    }

    /// The object that stands first in the text.
    fn first_mut(&mut self) -> Option<&mut Table> {
        let root = self.document.as_table_mut();
        let lists = root.iter_mut().filter_map(|(_, item)| item.as_array_of_tables_mut());
        lists.flat_map(ArrayOfTables::iter_mut).min_by_key(|table| table.position())
    }

    /// The comments at the head of the text that are not about its first object: a blank line parts them from it.
    fn heading(&mut self) -> Option<String> {
        let before = self.first_mut()?.decor().prefix()?.as_str()?;
        before.rfind("\n\n").and_then(|at| before.get(..at + 2)).map(str::to_owned)
    }

    /// Puts what stood at the head of the text there again, if it went with the first object.
    fn keep_heading(&mut self, heading: Option<String>) {
        let Some(heading) = heading else { return };
        let Some(first) = self.first_mut() else {
            self.document.set_trailing(heading);
            return;
        };
        let before = first.decor().prefix().and_then(|prefix| prefix.as_str()).unwrap_or_default().to_owned();
        if !before.starts_with(&heading) {
            first.decor_mut().set_prefix(heading + before.trim_start_matches('\n'));
        }
    }

    /// Deletes every policy, filter list and filter action.
    pub(crate) fn clear(&mut self) {
        let heading = self.heading();
        for kind in Kind::ALL {
            self.document.remove(kind.key());
        }
        self.keep_heading(heading);
    }

    /// An empty list of tables is nothing that can be written.
    fn drop_empty(&mut self) {
        for kind in Kind::ALL {
            let list = self.document.get(kind.key()).and_then(Item::as_array_of_tables);
            if list.is_some_and(ArrayOfTables::is_empty) {
                self.document.remove(kind.key());
            }
        }
    }
}

/// The rules of a policy.
pub(crate) fn rules_of(policy: &Table) -> impl Iterator<Item = &Table> {
    let list = policy.get(Kind::Rule.key()).and_then(Item::as_array_of_tables);
    list.into_iter().flat_map(ArrayOfTables::iter)
}

/// The name of an object.
pub(crate) fn name_of(table: &Table) -> Option<&str> {
    text_of(table, "name")
}

/// A name that an object can have.
pub(crate) fn check_name(kind: Kind, name: &str) -> Result<(), RunError> {
    let reason = if !(1..=255).contains(&name.chars().count()) {
        "allowed: 1 to 255 characters"
    } else if name.eq_ignore_ascii_case("all") {
        "it stands for every object; allowed: another word"
    } else if name.chars().any(char::is_control) {
        "allowed: text without control characters"
    } else {
        return Ok(());
    };
    Err(RunError::Name { kind, name: name.to_owned(), reason })
}

/// A new object's GUID and time.
pub(crate) fn stamp_new(table: &mut Table) -> Result<(), RunError> {
    if !table.contains_key("guid") {
        set(table, "guid", Guid::random()?.to_string().into());
    }
    touch(table);
    Ok(())
}

/// The time of a change.
pub(crate) fn touch(table: &mut Table) {
    set(table, "last_modified", values::date_time(SystemTime::now()).into());
}

fn unfold(table: &mut Table, key: &str) {
    let Some(item) = table.get_mut(key) else { return };
    if item.is_array_of_tables() {
        return;
    }
    match std::mem::take(item).into_array_of_tables() {
        Ok(list) => *item = Item::ArrayOfTables(list),
        Err(other) => *item = other,
    }
    if item.as_array_of_tables().is_some_and(ArrayOfTables::is_empty) {
        table.remove(key);
    }
}
