//! Tables and values of a document, read with a fault for everything that is not as it must be.
use super::{Faults, Position, allowed, suggestion};
use crate::stamp::stamp;
use std::cell::RefCell;
use std::ops::{Range, RangeInclusive};
use std::path::{Path, PathBuf};
use toml::Spanned;
use toml::de::{DeTable, DeValue};
use toml::value::Datetime;
use zeroize::Zeroizing;

/// A table. Each key that is asked for is thereby known; [`Table::finish`] faults the others.
pub(crate) struct Table<'a> {
    faults: &'a Faults<'a>,
    entries: &'a DeTable<'a>,
    span: Range<usize>,
    what: String,
    known: RefCell<Vec<&'static str>>,
}

impl<'a> Table<'a> {
    pub(super) fn new(faults: &'a Faults<'a>, entries: &'a DeTable<'a>, span: Range<usize>, what: String) -> Self {
        Self { faults, entries, span, what, known: RefCell::default() }
    }

    /// From now on messages call the table so.
    pub(crate) fn rename(&mut self, what: String) {
        self.what = what;
    }

    /// What messages call the table.
    pub(crate) fn what(&self) -> &str {
        &self.what
    }

    /// The value of `key`, if it is there.
    pub(crate) fn get(&self, key: &'static str) -> Option<Value<'a>> {
        self.known.borrow_mut().push(key);
        let (_, value) = self.entries.get_key_value(key)?;
        Some(Value { faults: self.faults, value, what: format!("{key} of {}", self.what) })
    }

    /// The value of `key`; a fault if it is not there.
    pub(crate) fn require(&self, key: &'static str) -> Option<Value<'a>> {
        let value = self.get(key);
        if value.is_none() {
            self.fault(format!("{} has no {key}, which is required", self.what));
        }
        value
    }

    /// A fault of the table as a whole.
    pub(crate) fn fault(&self, message: impl Into<String>) {
        self.faults.fault(&self.span, message);
    }

    /// Faults every key that was not asked for.
    pub(crate) fn finish(&self) {
        let known = self.known.borrow();
        for (key, _) in self.entries {
            let name: &str = key.get_ref();
            if !known.contains(&name) {
                let hint = suggestion(name, known.iter().copied());
                let hint = if hint.is_empty() { ";".to_owned() } else { hint };
                let message =
                    format!("{} has no key {name:?}{hint} allowed: {}", self.what, allowed(known.iter().copied()));
                self.faults.fault(&key.span(), message);
            }
        }
    }
}

/// A value, and what messages call it.
pub(crate) struct Value<'a> {
    faults: &'a Faults<'a>,
    value: &'a Spanned<DeValue<'a>>,
    what: String,
}

impl<'a> Value<'a> {
    /// What messages call it.
    pub(crate) fn what(&self) -> &str {
        &self.what
    }

    /// Where it stands.
    pub(crate) fn position(&self) -> Position {
        self.faults.position(&self.value.span())
    }

    /// A fault of this value.
    pub(crate) fn fault(&self, message: impl Into<String>) {
        self.faults.fault(&self.value.span(), message);
    }

    /// A warning about this value.
    pub(crate) fn warn(&self, message: impl Into<String>) {
        self.faults.warn(&self.value.span(), message);
    }

    /// Text.
    pub(crate) fn text(&self) -> Option<&'a str> {
        match self.value.get_ref() {
            DeValue::String(text) => Some(text),
            _ => self.wrong("text in quotes"),
        }
    }

    /// Text that is a name: not empty, not too long, printable.
    pub(crate) fn name(&self) -> Option<&'a str> {
        let text = self.text()?;
        let length = text.chars().count();
        if !(1..=255).contains(&length) {
            self.fault(format!("{} is {length} characters long, allowed: 1 to 255", self.what));
            return None;
        }
        if text.chars().any(char::is_control) {
            self.fault(format!("{} is {text:?}, allowed: text without control characters", self.what));
            return None;
        }
        Some(text)
    }

    /// The text under `key`, if the value is a table that has it.
    pub(crate) fn text_inside(&self, key: &str) -> Option<&'a str> {
        match self.value.get_ref() {
            DeValue::Table(entries) => match entries.get_key_value(key)?.1.get_ref() {
                DeValue::String(text) => Some(text),
                _ => None,
            },
            _ => None,
        }
    }

    /// Text that no message may repeat; not empty.
    pub(crate) fn secret(&self) -> Option<Zeroizing<Vec<u8>>> {
        match self.value.get_ref() {
            DeValue::String(text) if text.is_empty() => {
                self.fault(format!("{} is empty, allowed: at least one character", self.what));
                None
            }
            DeValue::String(text) => Some(Zeroizing::new(text.as_bytes().to_vec())),
            _ => self.wrong_kind("text in quotes"),
        }
    }

    /// `true` or `false`.
    pub(crate) fn boolean(&self) -> Option<bool> {
        match self.value.get_ref() {
            DeValue::Boolean(value) => Some(*value),
            _ => self.wrong("true or false"),
        }
    }

    /// True if it is a boolean.
    pub(crate) fn is_boolean(&self) -> bool {
        matches!(self.value.get_ref(), DeValue::Boolean(_))
    }

    /// True if it is an integer.
    pub(crate) fn is_integer(&self) -> bool {
        matches!(self.value.get_ref(), DeValue::Integer(_))
    }

    /// True if it is a list.
    pub(crate) fn is_list(&self) -> bool {
        matches!(self.value.get_ref(), DeValue::Array(_))
    }

    /// True if it is a table.
    pub(crate) fn is_table(&self) -> bool {
        matches!(self.value.get_ref(), DeValue::Table(_))
    }

    /// An integer of a range.
    pub(crate) fn integer(&self, range: RangeInclusive<u32>) -> Option<u32> {
        let want = format!("an integer from {} to {}", range.start(), range.end());
        match self.value.get_ref() {
            DeValue::Integer(integer) => match i128::from_str_radix(integer.as_str(), integer.radix()) {
                Ok(value) if u32::try_from(value).is_ok_and(|value| range.contains(&value)) => {
                    u32::try_from(value).ok()
                }
                _ => self.wrong(&want),
            },
            _ => self.wrong(&want),
        }
    }

    /// A date, a time, or both.
    pub(crate) fn datetime(&self) -> Option<Datetime> {
        match self.value.get_ref() {
            DeValue::Datetime(found) => Some(*found),
            _ => self.wrong("a date and time as in 2026-11-28T02:40:00Z"),
        }
    }

    /// A list with at least one item; `item` is what messages call one.
    pub(crate) fn list(&self, item: &str) -> Option<Vec<Self>> {
        let items = self.items(item)?;
        if items.is_empty() {
            self.fault(format!("{} is empty, allowed: at least one {item}", self.what));
            return None;
        }
        Some(items)
    }

    /// A list, which may be empty.
    pub(crate) fn items(&self, item: &str) -> Option<Vec<Self>> {
        let DeValue::Array(array) = self.value.get_ref() else {
            return self.wrong_kind("a list in brackets");
        };
        let each = array.iter().enumerate();
        let value =
            |(n, value)| Self { faults: self.faults, value, what: format!("{item} {} in {}", n + 1, self.what) };
        Some(each.map(value).collect())
    }

    /// A table; messages call it as they call the value.
    pub(crate) fn table(&self) -> Option<Table<'a>> {
        match self.value.get_ref() {
            DeValue::Table(entries) => Some(Table::new(self.faults, entries, self.value.span(), self.what.clone())),
            _ => self.wrong_kind("a table in braces"),
        }
    }

    /// The path that the text names; a relative one starts at the document's directory.
    pub(crate) fn path(&self) -> Option<PathBuf> {
        let text = self.name()?;
        Some(self.faults.directory().join(text))
    }

    /// Notes that the file is about to be read for this value: who follows the document follows it, too.
    pub(crate) fn reads(&self, path: &Path) {
        self.faults.document.files.borrow_mut().entry(path.to_owned()).or_insert_with(|| stamp(path));
    }

    /// What `parse` makes of the text; `None` of it is a fault that says what is `allowed`.
    pub(crate) fn parsed<T>(&self, parse: impl FnOnce(&str) -> Option<T>, allowed: &str) -> Option<T> {
        let text = self.text()?;
        let parsed = parse(text);
        if parsed.is_none() {
            self.fault(format!("{} is {text:?}, allowed: {allowed}", self.what));
        }
        parsed
    }

    /// What `pairs` says for the text; a fault that names all of them if it says nothing.
    pub(crate) fn one_of<T: Copy>(&self, pairs: &[(&'static str, T)]) -> Option<T> {
        let text = self.text()?;
        let found = pairs.iter().find(|(name, _)| *name == text).map(|(_, value)| *value);
        if found.is_none() {
            let names = || pairs.iter().map(|(name, _)| *name);
            let hint = suggestion(text, names());
            let hint = if hint.is_empty() { ",".to_owned() } else { hint };
            self.fault(format!("{} is {text:?}{hint} allowed: {}", self.what, allowed(names())));
        }
        found
    }

    /// As [`Self::wrong`], without the value: where something with a secret in it belongs, anything may be one.
    fn wrong_kind<T>(&self, want: &str) -> Option<T> {
        self.fault(format!("{} is {}, allowed: {want}", self.what, kind(self.value.get_ref())));
        None
    }

    fn wrong<T>(&self, want: &str) -> Option<T> {
        let found = match self.value.get_ref() {
            DeValue::String(text) => format!("the text {text:?}"),
            DeValue::Integer(integer) => format!("{integer}"),
            DeValue::Boolean(value) => format!("{value}"),
            other => kind(other).to_owned(),
        };
        self.fault(format!("{} is {found}, allowed: {want}", self.what));
        None
    }
}

const fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "text",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
