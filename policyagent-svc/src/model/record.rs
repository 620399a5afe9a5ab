//! What tools that keep objects elsewhere need of each: its number, and when it was changed.
use core::fmt;
use toml::value::Datetime;

use crate::document::{Table, Value};

/// The number of an object, by which directories and other stores know it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Guid(u128);

impl Guid {
    /// Reads `{3f91a819-7647-11d1-864d-d46a00000000}`; the case of the digits makes no difference.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let inner = text.strip_prefix('{')?.strip_suffix('}')?;
        let mut groups = inner.split('-');
        let mut number = 0;
        for length in [8, 4, 4, 4, 12] {
            let group = groups.next().filter(|group| group.len() == length)?;
            for digit in group.chars() {
                number = number << 4 | u128::from(digit.to_digit(16)?);
            }
        }
        groups.next().is_none().then_some(Self(number))
    }
}

impl fmt::Display for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = format!("{:032x}", self.0);
        let group = |range| digits.get(range).unwrap_or_default();
        write!(f, "{{{}-{}-{}-{}-{}}}", group(0..8), group(8..12), group(12..16), group(16..20), group(20..32))
    }
}

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
    table.get("guid").map_or(Some(None), |value| value.parsed(Guid::parse, FORM).map(Some))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guid_goes_there_and_back_and_nothing_else_does() {
        let text = "{3f91a819-7647-11d1-864d-d46a00000000}";
        assert_eq!(Guid::parse(text).unwrap().to_string(), text);
        assert_eq!(Guid::parse(&text.to_uppercase()), Guid::parse(text));
        assert_eq!(Guid::parse("{00000000-0000-0000-0000-00000000000a}").unwrap().0, 10);
        for wrong in ["", "{}", &text[1..], &text.replace('-', ""), &text.replace("3f", "+f"), &text.replace("}", "-}")]
        {
            assert_eq!(Guid::parse(wrong), None, "{wrong}");
        }
    }
}
