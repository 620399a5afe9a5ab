//! Commands of their arguments.
pub(super) mod dynamic_context;
pub(super) mod root_context;
pub(super) mod static_context;

use super::arguments::{Arguments, Value};
use super::error::{LanguageError, Problem};
use super::values::{self, port};
use crate::model::fault_of_port;
use crate::netsh::command::{Action, ConnectionType, Layout, OneOrAll};

type Built<T> = Result<T, LanguageError>;

/// Protocol and ports, as far as they are given. Only some protocols have ports.
struct Ports {
    protocol: Option<u8>,
    source: Option<u16>,
    destination: Option<u16>,
}

fn ports(arguments: &Arguments<'_>) -> Built<Ports> {
    let protocol = arguments.read("protocol", values::protocol)?;
    let number = protocol.unwrap_or_default();
    let read = |tag: &str| {
        arguments.read(tag, |value: &Value<'_>| {
            let port = port(value)?;
            match fault_of_port(port, number) {
                None => Ok(port),
                Some(fault) => Err(value.error(Problem::Together(format!("{tag} {fault}")))),
            }
        })
    };
    let (source, destination) = (read("srcport")?, read("dstport")?);
    Ok(Ports { protocol, source, destination })
}

fn action(arguments: &Arguments<'_>, tag: &str) -> Built<Option<Action>> {
    arguments.read(tag, |value| value.keyword(&values::ACTIONS))
}

fn connection_type(arguments: &Arguments<'_>) -> Built<Option<ConnectionType>> {
    arguments.read("conntype", |value| value.keyword(&values::CONNECTION_TYPES))
}

/// What is shown of a kind: one, or all if none is named.
fn shown(arguments: &Arguments<'_>) -> Built<OneOrAll> {
    Ok(arguments.read("name", values::one_or_all)?.unwrap_or(OneOrAll::All))
}

fn is_table(arguments: &Arguments<'_>) -> Built<bool> {
    Ok(arguments.read("format", |value| value.keyword(&[("list", false), ("table", true)]))?.unwrap_or(false))
}

fn wide(arguments: &Arguments<'_>) -> Built<bool> {
    Ok(arguments.yes_no("wide")?.unwrap_or(false))
}

fn resolve_dns(arguments: &Arguments<'_>) -> Built<bool> {
    Ok(arguments.yes_no("resolvedns")?.unwrap_or(false))
}

/// `level`, `format` and `wide`.
fn layout(arguments: &Arguments<'_>) -> Built<Layout> {
    let verbose = arguments.read("level", |value| value.keyword(&[("verbose", true), ("normal", false)]))?;
    Ok(Layout {
        verbose: verbose.unwrap_or(false),
        table: is_table(arguments)?,
        wide: wide(arguments)?,
        resolve_dns: false,
    })
}
