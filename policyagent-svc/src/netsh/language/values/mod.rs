//! The grammars of values.
pub(crate) mod address;
pub(crate) mod algorithms;
mod authentication;
mod offers;
mod settings;

pub(super) use authentication::methods;
pub(super) use offers::{main_mode_offers, offers, pfs_group};
pub(super) use settings::setting;

use crate::document::Position;
use crate::model::parse_protocol;

use super::arguments::{Arguments, Value, decimal};
use super::error::LanguageError;
use crate::netsh::command::{Action, ConnectionType, Named, OneOrAll};

/// What is wrong with a value, or with a part of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Wrong {
    /// The character of the value at which the part begins.
    pub(crate) index: usize,
    /// The part.
    pub(crate) found: String,
    /// What was probably meant, as [`crate::document::suggestion`] says it.
    pub(crate) hint: String,
    /// If it is not what the parameter allows.
    pub(crate) allowed: Option<String>,
}

impl Wrong {
    /// All of it is wrong.
    pub(crate) fn whole(text: &str) -> Self {
        Self { index: 0, found: text.to_owned(), hint: String::new(), allowed: None }
    }

    /// With what is allowed.
    pub(crate) fn allowed(self, allowed: &str) -> Self {
        Self { allowed: Some(allowed.to_owned()), ..self }
    }

    /// The part begins so many characters later.
    pub(crate) fn after(self, characters: usize) -> Self {
        Self { index: self.index + characters, ..self }
    }
}

/// The words of a value that has several, each with the character at which it begins.
pub(super) fn parts(text: &str) -> Vec<(usize, &str)> {
    let mut parts = Vec::new();
    let mut begin = None;
    for (count, (at, character)) in text.char_indices().enumerate() {
        match (character.is_whitespace(), begin) {
            (false, None) => begin = Some((count, at)),
            (true, Some((first, from))) => {
                parts.push((first, &text[from..at]));
                begin = None;
            }
            _ => {}
        }
    }
    parts.extend(begin.map(|(first, from)| (first, &text[from..])));
    parts
}

/// IANA's number of RAW.
pub(crate) const RAW: u8 = 255;

/// The protocols that the language has names for of its own.
pub(crate) const PROTOCOLS: [(&str, u8); 5] = [("any", 0), ("icmp", 1), ("tcp", 6), ("udp", 17), ("raw", RAW)];

/// The number of a protocol; 0 is any.
pub(super) fn protocol(value: &Value<'_>) -> Result<u8, LanguageError> {
    let text = value.plain()?;
    if let Some(number) = decimal(&text) {
        return Ok(number);
    }
    // The names of policy files besides, if they are written in full.
    match parse_protocol(&text) {
        Ok(number) if !text.starts_with(['+', '-']) => Ok(number),
        _ => value.keyword(&PROTOCOLS).map_err(|error| match *error.problem {
            super::error::Problem::Value { hint, .. } => {
                value.wrong(Wrong { hint: if hint == "," { String::new() } else { hint }, ..Wrong::whole(&text) })
            }
            _ => error,
        }),
    }
}

/// A port; 0 is any.
pub(super) fn port(value: &Value<'_>) -> Result<u16, LanguageError> {
    let text = value.plain()?;
    decimal(&text).ok_or_else(|| value.wrong(Wrong::whole(&text)))
}

/// The names of actions.
pub(crate) const ACTIONS: [(&str, Action); 3] =
    [("permit", Action::Permit), ("block", Action::Block), ("negotiate", Action::Negotiate)];

/// The names of connection types.
pub(crate) const CONNECTION_TYPES: [(&str, ConnectionType); 3] =
    [("lan", ConnectionType::Lan), ("dialup", ConnectionType::Dialup), ("all", ConnectionType::All)];

/// A name, or all.
pub(super) fn one_or_all(value: &Value<'_>) -> Result<OneOrAll, LanguageError> {
    if value.is("all") { Ok(OneOrAll::All) } else { value.name().map(OneOrAll::One) }
}

/// An object by its name or its GUID.
pub(super) fn named(arguments: &Arguments<'_>) -> Result<Named, LanguageError> {
    if let Some(guid) = arguments.read("guid", guid)? {
        return Ok(Named::Guid(guid));
    }
    // A GUID without a tag is one, too.
    arguments.read_required("name", |value| match guid(value) {
        Ok(guid) if !value.tagged() => Ok(Named::Guid(guid)),
        _ => value.name().map(Named::Name),
    })
}

/// A GUID in braces and small letters.
fn guid(value: &Value<'_>) -> Result<String, LanguageError> {
    let text = value.plain()?;
    let inner = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap_or(&text);
    let groups: Vec<&str> = inner.split('-').collect();
    let is_group =
        |(group, length): (&&str, usize)| group.len() == length && group.bytes().all(|octet| octet.is_ascii_hexdigit());
    let lengths = [8, 4, 4, 4, 12];
    if groups.len() != lengths.len() || !groups.iter().zip(lengths).all(is_group) {
        return Err(value.wrong(Wrong::whole(&text)));
    }
    Ok(format!("{{{}}}", inner.to_ascii_lowercase()))
}

/// Where a value stands, for an error about two of them.
pub(super) fn place(value: Option<&Value<'_>>, otherwise: Position) -> Position {
    value.map_or(otherwise, Value::at)
}
