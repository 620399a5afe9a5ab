//! What tools that keep objects elsewhere need of each: its number, and when it was changed.
use toml::value::Datetime;

use crate::document::{Table, Value};
use crate::guid::Guid;

/// What stores keep of an object.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub(crate) struct Record {
    /// Its number.
    pub(crate) guid: Option<Guid>,
    /// When it was last changed; with an offset from UTC.
    pub(crate) last_modified: Option<Datetime>,
}

/// Reads `guid`. Outer: whether it is right. Inner: whether it is there.
pub(super) fn guid(table: &Table<'_>) -> Option<Option<Guid>> {
    const FORM: &str = "hexadecimal digits as in {3f91a819-7647-11d1-864d-d46a00000000}";
    table.get("guid").map_or(Some(None), |value| value.parsed(|text| text.parse().ok(), FORM).map(Some))
}

/// Reads `guid` and `last_modified`.
pub(super) fn record(table: &Table<'_>) -> Option<Record> {
    let guid = guid(table);
    let last_modified = table.get("last_modified").map_or(Some(None), |value| time(&value).map(Some));
    Some(Record { guid: guid?, last_modified: last_modified? })
}

fn time(value: &Value<'_>) -> Option<Datetime> {
    let found = value.datetime()?;
    if found.date.is_none() || found.time.is_none() || found.offset.is_none() {
        let what = value.what();
        value.fault(format!("{what} is {found}, allowed: date, time and offset as in 2026-11-28T02:40:00Z"));
        return None;
    }
    Some(found)
}
