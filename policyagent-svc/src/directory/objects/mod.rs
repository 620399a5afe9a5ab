//! The objects of a directory, and the policy document that says the same.
//!
//! A document is kept as its tree: what is not said keeps its default, what somebody wrote stays as it was written, and
//! whether two objects are the same is whether their tables are.
pub(crate) mod difference;
mod filters;
mod names;
mod numbers;
mod read;
mod sides;
#[cfg(test)]
mod tests;
mod write;

pub(crate) use names::{guid_in, normal, parent};
pub(crate) use read::{moment, read};
pub(crate) use write::Place;

use crate::guid::Guid;
use core::fmt;
use std::collections::BTreeMap;
use toml::{Table, Value};
use zeroize::{Zeroize as _, Zeroizing};

/// The classes of objects.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) enum Class {
    /// A policy.
    Policy,
    /// Its main-mode settings.
    Isakmp,
    /// A rule.
    Nfa,
    /// A filter action.
    Negotiation,
    /// A filter list.
    Filter,
}

impl Class {
    /// All of them, in the order in which objects are created.
    pub(crate) const ALL: [Self; 5] = [Self::Policy, Self::Isakmp, Self::Nfa, Self::Negotiation, Self::Filter];

    /// Its name, which also begins the names of its objects.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Policy => "ipsecPolicy",
            Self::Isakmp => "ipsecISAKMPPolicy",
            Self::Nfa => "ipsecNFA",
            Self::Negotiation => "ipsecNegotiationPolicy",
            Self::Filter => "ipsecFilter",
        }
    }

    /// The name of an object below the container of the store.
    pub(crate) fn dn(self, guid: Guid, container: &str) -> String {
        format!("CN={}{guid},{container}", self.name())
    }
}

/// An object of a directory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Object {
    /// Its distinguished name.
    pub(crate) dn: String,
    /// Its class.
    pub(crate) class: Class,
    /// What it is, whatever it is called.
    pub(crate) guid: Guid,
    /// What people call it.
    pub(crate) name: String,
    /// For people.
    pub(crate) description: Option<String>,
    /// When it was last changed, as the directory says it.
    pub(crate) changed: Option<String>,
    /// Its binary value.
    pub(crate) data: Data,
    /// To whom it belongs: of a rule and of main-mode settings the policy, of others the rules.
    pub(crate) owners: Vec<String>,
    /// Of a policy, its main-mode settings.
    pub(crate) isakmp: Option<String>,
    /// Of a policy, its rules.
    pub(crate) nfas: Vec<String>,
    /// Of a rule, its filter action.
    pub(crate) negotiation: Option<String>,
    /// Of a rule, its filter list.
    pub(crate) filter: Option<String>,
    /// Of a filter action, what it does.
    pub(crate) action: Option<Guid>,
    /// Of a filter action, for what.
    pub(crate) kind: Option<Guid>,
}

/// A binary value, which may hold keys.
#[derive(Clone, PartialEq, Eq, Default)]
pub(crate) struct Data(pub(crate) Zeroizing<Vec<u8>>);

impl fmt::Debug for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} octets", self.0.len())
    }
}

/// Something about an object.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Remark {
    /// The object, by its distinguished name or by its name in the document.
    pub(crate) object: String,
    /// What.
    pub(crate) message: String,
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.object, self.message)
    }
}

/// Why objects and a document cannot be made of each other; at least one.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub(crate) struct ObjectFaults(pub(crate) Vec<Remark>);

/// The objects of a store as a policy document.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    /// The document.
    pub(crate) document: Tree,
    /// The objects that the document does not name.
    pub(crate) unnamed: Unnamed,
    /// What the document cannot say, and does without.
    pub(crate) notes: Vec<Remark>,
}

/// Objects that have no table of their own in a document, by the GUID of their policy.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(crate) struct Unnamed {
    /// Main-mode settings.
    pub(crate) isakmp: BTreeMap<Guid, Guid>,
    /// The rules of the default response.
    pub(crate) default_rules: BTreeMap<Guid, Guid>,
    /// Their filter actions, where they have one of their own.
    pub(crate) default_actions: BTreeMap<Guid, Guid>,
}

/// The tree of a document. It may hold keys: it is not printed, and wiped when dropped.
#[derive(Clone, PartialEq, Default)]
pub(crate) struct Tree(pub(crate) Table);

impl fmt::Debug for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tree")
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        self.0.iter_mut().for_each(|(_, value)| wipe(value));
    }
}

fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(values) => values.iter_mut().for_each(wipe),
        Value::Table(table) => table.iter_mut().for_each(|(_, value)| wipe(value)),
        _ => {}
    }
}

impl Tree {
    /// The tree of a text. It must be one that the model takes: of another the reason may repeat a key, and is not told.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        text.parse().map(Self).ok()
    }

    /// How often the one policy says that the directory is to be asked, in seconds.
    pub(crate) fn polling_interval(&self) -> Option<u64> {
        let policy = tables(&self.0, "policy").next()?;
        policy.get("polling_interval").and_then(Value::as_integer).and_then(|seconds| u64::try_from(seconds).ok())
    }

    /// The document of the one policy with its assignment; nothing if there is none.
    pub(crate) fn assigned_text(&self) -> Option<Zeroizing<String>> {
        let mut tree = self.clone();
        let policy = tree.0.get_mut("policy")?.as_array_mut()?.first_mut()?.as_table_mut()?;
        policy.insert("assigned".to_owned(), true.into());
        Some(tree.text())
    }

    /// The names of its policies.
    pub(crate) fn policies(&self) -> Vec<&str> {
        tables(&self.0, "policy").filter_map(|policy| text(policy, "name")).collect()
    }

    /// GUID and description of a policy.
    pub(crate) fn policy(&self, name: &str) -> Option<(Guid, Option<String>)> {
        let policy = tables(&self.0, "policy").find(|policy| text(policy, "name") == Some(name))?;
        Some((guid_of(policy)?, text(policy, "description").map(str::to_owned)))
    }

    /// The document.
    pub(crate) fn text(&self) -> Zeroizing<String> {
        // Only what TOML does not know fails to become text, and nothing of it is ever put in.
        Zeroizing::new(toml::to_string(&self.0).unwrap_or_default())
    }
}

/// The tables of a list of tables.
fn tables<'a>(table: &'a Table, key: &str) -> impl Iterator<Item = &'a Table> {
    table.get(key).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_table)
}

/// The text under a key.
fn text<'a>(table: &'a Table, key: &str) -> Option<&'a str> {
    table.get(key).and_then(Value::as_str)
}

/// The GUID of a table.
fn guid_of(table: &Table) -> Option<Guid> {
    text(table, "guid")?.parse().ok()
}
