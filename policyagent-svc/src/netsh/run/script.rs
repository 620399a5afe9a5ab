//! Scripts that make a store anew.
use toml_edit::{Array, ArrayOfTables, Item, TableLike, Value};
use zeroize::Zeroizing;

use super::document::values::text_of;
use crate::model;
use crate::netsh::command::{Command, ConnectionType, Method};
use crate::netsh::language::{Secrets, line, says};

/// A script, line by line.
pub(super) struct Script {
    text: String,
}

impl Default for Script {
    fn default() -> Self {
        let mut script = Self { text: String::new() };
        script.note("This script makes the store anew. It holds the pre-shared keys: keep it as you keep them.");
        script
    }
}

impl Script {
    /// All of it.
    pub(super) fn into_text(self) -> String {
        self.text
    }

    /// A command. A document may say what the language has no words for, as the name `all`.
    pub(super) fn push(&mut self, command: &Command) {
        let text = Zeroizing::new(line(command, Secrets::Shown));
        if says(&text, command) {
            self.text.push_str(&text);
            self.text.push('\n');
        } else {
            self.note(&format!("This cannot be written here: {:?}", line(command, Secrets::Hidden)));
        }
    }

    /// A line for people: what cannot be written. It stays one line, whatever is in the text.
    pub(super) fn note(&mut self, text: &str) {
        let text = text.replace(char::is_control, " ");
        self.text.push_str(&format!("# {text}\n"));
    }

    /// Says of a rule that not all of its authentication methods are there.
    pub(super) fn note_unless(&mut self, all: bool, rule: &str) {
        if !all {
            self.note(&format!("Some authentication methods of the rule {rule:?} cannot be written here."));
        }
    }
}

/// What commands can say of a method.
const KEYS: [&str; 5] = ["kerberos", "preshared_key", "root_ca", "certificate_mapping", "exclude_ca_name"];

/// The authentication methods of a rule's table; false if some cannot be written in commands.
pub(super) fn methods(table: &dyn TableLike) -> (Vec<Method>, bool) {
    let inline = table.get("authentication").and_then(Item::as_array).into_iter().flat_map(Array::iter);
    let inline = inline.filter_map(Value::as_inline_table).map(|table| -> &dyn TableLike { table });
    let long = table.get("authentication").and_then(Item::as_array_of_tables).into_iter();
    let long = long.flat_map(ArrayOfTables::iter).map(|table| -> &dyn TableLike { table });
    let tables: Vec<&dyn TableLike> = inline.chain(long).collect();
    let all: Vec<Option<Method>> = tables.iter().map(|table| method(*table)).collect();
    // What stands beside a method, as how strict it is with certificates.
    let only = |table: &&dyn TableLike| table.iter().all(|(key, _)| KEYS.contains(&key));
    let known = all.iter().all(Option::is_some) && tables.iter().all(only);
    (all.into_iter().flatten().collect(), known)
}

fn method(table: &dyn TableLike) -> Option<Method> {
    let flag = |key: &str| table.get(key).and_then(Item::as_bool).unwrap_or(false);
    if let Some(key) = text_of(table, "preshared_key") {
        return Some(Method::PresharedKey(Zeroizing::new(key.to_owned())));
    }
    if let Some(name) = text_of(table, "root_ca") {
        let (certificate_mapping, exclude_ca_name) = (flag("certificate_mapping"), flag("exclude_ca_name"));
        return Some(Method::RootCa { name: name.to_owned(), certificate_mapping, exclude_ca_name });
    }
    flag("kerberos").then_some(Method::Kerberos)
}

/// A kind of connection, as commands have it.
pub(super) const fn connection_type(connection_type: model::ConnectionType) -> ConnectionType {
    match connection_type {
        model::ConnectionType::All => ConnectionType::All,
        model::ConnectionType::Lan => ConnectionType::Lan,
        model::ConnectionType::Dialup => ConnectionType::Dialup,
    }
}
