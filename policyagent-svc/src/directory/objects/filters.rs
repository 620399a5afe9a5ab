//! The filters of a list, in the document and in the two versions of an object.
use super::sides::Side;
use super::{Table, Value, guid_of, text};
use crate::directory::blob::FilterBlob;
use crate::directory::blob::filter::{Filter1, Filter2, Names, RANGES};
use crate::guid::Guid;
use crate::model::{parse_protocol, protocol_name};
use std::collections::BTreeSet;

/// Networks that stand for the ranges of one filter in the first version, at most; of more, only the second version has it.
const MOST_NETWORKS: usize = 64;

/// The bit of the number of a server that is the destination.
const DESTINATION: u8 = 0x80;

/// The filters as a document has them, with notes; or what it cannot say.
pub(super) fn read(blob: &FilterBlob) -> Result<(Vec<Value>, Vec<String>), Vec<String>> {
    let (mut filters, mut notes, mut faults) = (Vec::new(), Vec::new(), Vec::new());
    // A filter that the second version has too stands in the first for those who know no other.
    let in_second: BTreeSet<Guid> = blob.second.iter().map(|filter| filter.names.guid).collect();
    for filter in blob.first.iter().filter(|filter| !in_second.contains(&filter.names.guid)) {
        match first(filter) {
            Ok(table) => filters.push(Value::Table(table)),
            Err(what) => faults.push(format!("filter {}: {what}", filter.names.guid)),
        }
    }
    for filter in &blob.second {
        match second(filter, &mut notes) {
            Ok(table) => filters.push(Value::Table(table)),
            Err(what) => faults.push(format!("filter {}: {what}", filter.names.guid)),
        }
    }
    if faults.is_empty() { Ok((filters, notes)) } else { Err(faults) }
}

fn first(filter: &Filter1) -> Result<Table, String> {
    let mut source = Side::of_first(filter.source.0, filter.source.1)?;
    let mut destination = Side::of_first(filter.destination.0, filter.destination.1)?;
    match filter.special {
        0 => {}
        number if number & DESTINATION == 0 => source = Side::Server(number),
        number => destination = Side::Server(number & !DESTINATION),
    }
    let ports = [filter.source_port, filter.destination_port];
    table(&filter.names, source, destination, filter.protocol, ports)
}

fn second(filter: &Filter2, notes: &mut Vec<String>) -> Result<Table, String> {
    let port = |ports: Option<(u16, u16)>| match ports {
        None | Some((0, u16::MAX)) => Ok(0),
        Some((from, to)) if from == to => Ok(from),
        Some((from, to)) => Err(format!("it is for the ports {from} to {to}, allowed: one port, or any")),
    };
    let ports = [port(filter.source_ports)?, port(filter.destination_ports)?];
    if filter.flags & !RANGES != 0 {
        notes.push(format!("filter {}: the flags {:#x} are unknown, and left out", filter.names.guid, filter.flags));
    }
    let (source, destination) = (Side::of_second(filter.source)?, Side::of_second(filter.destination)?);
    table(&filter.names, source, destination, filter.protocol, ports)
}

fn table(
    names: &Names,
    source: Side,
    destination: Side,
    protocol: u32,
    [source_port, destination_port]: [u16; 2],
) -> Result<Table, String> {
    let protocol = u8::try_from(protocol).map_err(|_| format!("the protocol is {protocol}, allowed: 0 to 255"))?;
    let mut table = Table::new();
    let mut put = |key: &str, value: Value| table.insert(key.to_owned(), value);
    put("guid", names.guid.to_string().into());
    put("source", source.text().into());
    put("destination", destination.text().into());
    for (key, name) in
        [("source_name", &names.source), ("destination_name", &names.destination), ("description", &names.description)]
    {
        if !name.is_empty() {
            put(key, name.as_str().into());
        }
    }
    if protocol != 0 {
        let name = protocol_name(protocol);
        put("protocol", name.parse::<u8>().map_or_else(|_| name.into(), Value::from));
    }
    if source_port != 0 {
        put("source_port", i64::from(source_port).into());
    }
    if destination_port != 0 {
        put("destination_port", i64::from(destination_port).into());
    }
    if !names.mirrored {
        put("mirrored", false.into());
    }
    Ok(table)
}

/// The object's filters for those of a document, and what objects cannot express.
pub(super) fn write(filters: &[Value]) -> (FilterBlob, Vec<String>) {
    let mut blob = FilterBlob { first: Vec::new(), second: Vec::new() };
    let mut missing = Vec::new();
    for (number, filter) in filters.iter().filter_map(Value::as_table).enumerate() {
        if let Err(what) = one(filter, &mut blob) {
            missing.push(format!("filter {} {what}", number + 1));
        }
    }
    (blob, missing)
}

fn one(filter: &Table, blob: &mut FilterBlob) -> Result<(), String> {
    let side = |key: &str| {
        let text = text(filter, key).unwrap_or_default();
        Side::parse(text).ok_or_else(|| format!("has {text:?} as {key}"))
    };
    let (source, destination) = (side("source")?, side("destination")?);
    let protocol = match filter.get("protocol") {
        None => 0,
        Some(Value::String(name)) => parse_protocol(name)?,
        Some(number) => number.as_integer().and_then(|number| u8::try_from(number).ok()).unwrap_or_default(),
    };
    let port = |key: &str| {
        let port =
            filter.get(key).and_then(Value::as_integer).and_then(|port| u16::try_from(port).ok()).unwrap_or_default();
        if port == 0 || matches!(protocol, 6 | 17) {
            Ok(port)
        } else {
            Err(format!("has a {key} with another protocol than tcp and udp"))
        }
    };
    let (source_port, destination_port) = (port("source_port")?, port("destination_port")?);
    let named = |key: &str| text(filter, key).unwrap_or_default().to_owned();
    let names = Names {
        source: named("source_name"),
        destination: named("destination_name"),
        description: named("description"),
        guid: guid_of(filter).ok_or("has no guid")?,
        mirrored: filter.get("mirrored").and_then(Value::as_bool).unwrap_or(true),
    };
    let special = match (source.server(), destination.server()) {
        (Some(number), _) => number,
        (None, Some(number)) => number | DESTINATION,
        (None, None) => 0,
    };
    let protocol = protocol.into();
    let pairs = source.first().zip(destination.first());
    let pairs = pairs.filter(|(sources, destinations)| sources.len() * destinations.len() <= MOST_NETWORKS);
    for source in pairs.iter().flat_map(|(sources, _)| sources) {
        for destination in pairs.iter().flat_map(|(_, destinations)| destinations) {
            blob.first.push(Filter1 {
                names: names.clone(),
                source: *source,
                destination: *destination,
                tunnel: None,
                protocol,
                source_port,
                destination_port,
                special,
            });
        }
    }
    if !(source.is_of_first() && destination.is_of_first()) {
        let ports = |port| (port != 0).then_some((port, port));
        let range = |side| matches!(side, Side::Range(..));
        blob.second.push(Filter2 {
            names,
            source: source.second(),
            destination: destination.second(),
            source_ports: ports(source_port),
            destination_ports: ports(destination_port),
            protocol,
            flags: if range(source) || range(destination) { RANGES } else { 0 },
        });
    }
    Ok(())
}
