//! The filters of a filter list.
use core::fmt;
use toml_edit::{Array, InlineTable, Item, Table, TableLike, Value};

use super::values::{set, set_some, text_of};
use super::{Kind, PolicyDocument, RunError, touch};
use crate::guid::Guid;
use crate::model::{Side, parse_protocol, protocol_name, side_named};
use crate::netsh::command::{Address, FilterPattern};

/// A filter as it is written into a document, or looked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct FilterText {
    pub(crate) source: Side,
    pub(crate) destination: Side,
    /// 0 is any.
    pub(crate) protocol: u8,
    /// 0 is any.
    pub(crate) source_port: u16,
    /// 0 is any.
    pub(crate) destination_port: u16,
    pub(crate) mirrored: bool,
    pub(crate) description: Option<String>,
    /// The DNS name that the source is an address of.
    pub(crate) source_name: Option<String>,
    /// The DNS name that the destination is an address of.
    pub(crate) destination_name: Option<String>,
}

impl FilterText {
    /// True if the filter in `table` is for the same traffic.
    fn is_for_same(&self, table: &dyn TableLike) -> bool {
        let side = |key: &str, side: &Side| text_of(table, key).is_some_and(|own| canonical(own) == side.to_string());
        side("source", &self.source) && side("destination", &self.destination) && self.has_same_rest(table)
    }

    /// True if all but the sides is the same.
    fn has_same_rest(&self, table: &dyn TableLike) -> bool {
        protocol_of(table) == self.protocol
            && port_of(table, "source_port") == self.source_port
            && port_of(table, "destination_port") == self.destination_port
            && is_mirrored(table) == self.mirrored
    }

    fn to_table(&self) -> Result<InlineTable, RunError> {
        let mut table = InlineTable::new();
        set(&mut table, "source", self.source.to_string().into());
        set(&mut table, "destination", self.destination.to_string().into());
        if self.protocol != 0 {
            let name = protocol_name(self.protocol);
            let number = name.parse::<i64>();
            set(&mut table, "protocol", number.map_or_else(|_| Value::from(name), Value::from));
        }
        let port = |port: u16| (port != 0).then_some(i64::from(port));
        set_some(&mut table, "source_port", port(self.source_port));
        set_some(&mut table, "destination_port", port(self.destination_port));
        set_some(&mut table, "mirrored", (!self.mirrored).then_some(false));
        set_some(&mut table, "description", self.description.as_deref().filter(|text| !text.is_empty()));
        set_some(&mut table, "source_name", self.source_name.as_deref());
        set_some(&mut table, "destination_name", self.destination_name.as_deref());
        set(&mut table, "guid", Guid::random()?.to_string().into());
        Ok(table)
    }
}

impl fmt::Display for FilterText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |name: &Option<String>, side: &Side| name.clone().unwrap_or_else(|| side.to_string());
        write!(f, "from {}", name(&self.source_name, &self.source))?;
        if self.source_port != 0 {
            write!(f, " port {}", self.source_port)?;
        }
        write!(f, " to {}", name(&self.destination_name, &self.destination))?;
        if self.destination_port != 0 {
            write!(f, " port {}", self.destination_port)?;
        }
        write!(f, ", protocol {}", protocol_name(self.protocol))?;
        f.write_str(if self.mirrored { ", mirrored" } else { ", not mirrored" })
    }
}

impl PolicyDocument {
    /// Adds filters to a list.
    pub(crate) fn add_filters(&mut self, list: &str, filters: &[FilterText]) -> Result<(), RunError> {
        let place = self.find_name(Kind::FilterList, list)?;
        let table = self.table_mut(Kind::FilterList, place)?;
        for filter in filters {
            if filter_tables(table).into_iter().any(|other| filter.is_for_same(other)) {
                return Err(RunError::FilterExists { list: list.to_owned(), filter: filter.to_string() });
            }
        }
        for filter in filters {
            push(table, filter.to_table()?);
        }
        touch(table);
        Ok(())
    }

    /// Leaves a list without filters.
    pub(crate) fn clear_filters(&mut self, list: &str) -> Result<(), RunError> {
        let place = self.find_name(Kind::FilterList, list)?;
        let table = self.table_mut(Kind::FilterList, place)?;
        table.remove("filters");
        touch(table);
        Ok(())
    }

    /// Takes the filters that a pattern is for out of a list: of a DNS name each of those that were made of it.
    pub(crate) fn delete_filters(&mut self, list: &str, pattern: &FilterPattern) -> Result<(), RunError> {
        let place = self.find_name(Kind::FilterList, list)?;
        let table = self.table_mut(Kind::FilterList, place)?;
        let wanted = wanted(pattern);
        let filters = filter_tables(table).into_iter().enumerate();
        let doomed: Vec<usize> =
            filters.filter(|(_, table)| is_of(pattern, &wanted, *table)).map(|(at, _)| at).collect();
        if doomed.is_empty() {
            return Err(RunError::NoFilter { list: list.to_owned(), filter: wanted.to_string() });
        }
        let mut at = 0;
        let mut keep = || {
            at += 1;
            !doomed.contains(&(at - 1))
        };
        match table.get_mut("filters") {
            Some(Item::Value(Value::Array(filters))) => filters.retain(|_| keep()),
            Some(Item::ArrayOfTables(filters)) => {
                filters.retain(|_| keep());
                if filters.is_empty() {
                    table.remove("filters");
                }
            }
            _ => {}
        }
        touch(table);
        Ok(())
    }
}

fn is_of(pattern: &FilterPattern, wanted: &FilterText, table: &dyn TableLike) -> bool {
    let is = |address: &Address, key: &str, name_key: &str| match address {
        Address::Side(side) => text_of(table, key).is_some_and(|own| canonical(own) == side.to_string()),
        Address::Name(name) => text_of(table, name_key).is_some_and(|own| own.eq_ignore_ascii_case(name)),
    };
    is(&pattern.source, "source", "source_name")
        && is(&pattern.destination, "destination", "destination_name")
        && wanted.has_same_rest(table)
}

/// What is left out of a pattern is what `add filter` takes for it.
fn wanted(pattern: &FilterPattern) -> FilterText {
    let name = |address: &Address| match address {
        Address::Side(_) => None,
        Address::Name(name) => Some(name.clone()),
    };
    let side = |address: &Address| match address {
        Address::Side(side) => side.clone(),
        Address::Name(_) => Side::Any,
    };
    FilterText {
        source: side(&pattern.source),
        destination: side(&pattern.destination),
        protocol: pattern.protocol.unwrap_or(0),
        source_port: pattern.source_port.unwrap_or(0),
        destination_port: pattern.destination_port.unwrap_or(0),
        mirrored: pattern.mirrored.unwrap_or(true),
        description: None,
        source_name: name(&pattern.source),
        destination_name: name(&pattern.destination),
    }
}

/// A side in the one form in which it is written here.
pub(crate) fn canonical(text: &str) -> String {
    side_named(text).map_or_else(|| text.to_owned(), |side| side.to_string())
}

/// The protocol of a filter; 0 is any.
pub(crate) fn protocol_of(filter: &dyn TableLike) -> u8 {
    let number = filter.get("protocol").and_then(Item::as_integer).and_then(|number| u8::try_from(number).ok());
    number.or_else(|| parse_protocol(text_of(filter, "protocol")?).ok()).unwrap_or(0)
}

/// A port of a filter; 0 is any.
pub(crate) fn port_of(filter: &dyn TableLike, key: &str) -> u16 {
    let number = filter.get(key).and_then(Item::as_integer);
    number.and_then(|number| u16::try_from(number).ok()).unwrap_or(0)
}

/// True if a filter is for the way back, too.
pub(crate) fn is_mirrored(filter: &dyn TableLike) -> bool {
    filter.get("mirrored").and_then(Item::as_bool).unwrap_or(true)
}

/// The filters of a list, in either form.
pub(crate) fn filter_tables(list: &Table) -> Vec<&dyn TableLike> {
    match list.get("filters") {
        Some(Item::Value(Value::Array(filters))) => {
            filters.iter().filter_map(Value::as_inline_table).map(|table| -> &dyn TableLike { table }).collect()
        }
        Some(Item::ArrayOfTables(filters)) => filters.iter().map(|table| -> &dyn TableLike { table }).collect(),
        _ => Vec::new(),
    }
}

fn push(list: &mut Table, filter: InlineTable) {
    if let Some(filters) = list.get_mut("filters").and_then(Item::as_array_of_tables_mut) {
        let mut table = filter.into_table();
        table.decor_mut().set_prefix("\n");
        filters.push(table);
        return;
    }
    let filters = list.entry("filters").or_insert_with(|| Item::Value(Value::Array(Array::new())));
    let Some(filters) = filters.as_array_mut() else { return };
    let mut filter = Value::InlineTable(filter);
    filter.decor_mut().set_prefix("\n    ");
    if filters.is_empty() {
        filters.set_trailing_comma(true);
        filters.set_trailing("\n");
    }
    filters.push_formatted(filter);
}
