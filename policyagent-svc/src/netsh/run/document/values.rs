//! Values of a policy document, as they are written into it.
use ikecore::proposal::offer::MainModeOffer;
use ikecore::proposal::suite::{IpsecSuite, Lifetime};
use std::time::{SystemTime, UNIX_EPOCH};
use toml_edit::{Array, Date, Datetime, InlineTable, Item, Offset, TableLike, Time, Value};

use crate::model::{Offer, algorithms};
use crate::netsh::command::{ConnectionType, Method};

/// Writes a value under a key; a comment behind the old one stays.
pub(crate) fn set(table: &mut dyn TableLike, key: &str, mut new: Value) {
    match table.get_mut(key) {
        Some(Item::Value(old)) => {
            *new.decor_mut() = old.decor().clone();
            *old = new;
        }
        _ => {
            table.insert(key, Item::Value(new));
        }
    }
}

/// Writes a value if there is one.
pub(crate) fn set_some<V: Into<Value>>(table: &mut dyn TableLike, key: &str, new: Option<V>) {
    if let Some(new) = new {
        set(table, key, new.into());
    }
}

/// A description, which is taken away by an empty one.
pub(crate) fn set_description(table: &mut dyn TableLike, description: Option<&str>) {
    match description {
        Some("") => {
            table.remove("description");
        }
        Some(text) => set(table, "description", text.into()),
        None => {}
    }
}

/// The text under a key.
pub(crate) fn text_of<'a>(table: &'a (impl TableLike + ?Sized), key: &str) -> Option<&'a str> {
    table.get(key).and_then(Item::as_str)
}

/// A time of day in UTC, to the second.
pub(crate) fn date_time(time: SystemTime) -> Datetime {
    let seconds = time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let (year, month, day) = crate::calendar::date(seconds / 86_400);
    let of_day = seconds % 86_400;
    let part = |value: u64| u8::try_from(value).unwrap_or_default();
    Datetime {
        date: Some(Date { year, month, day }),
        time: Some(Time {
            hour: part(of_day / 3600),
            minute: part(of_day / 60 % 60),
            second: Some(part(of_day % 60)),
            nanosecond: None,
        }),
        offset: Some(Offset::Z),
    }
}

/// The offers of main mode, a line each.
pub(crate) fn main_mode_offers(offers: &[MainModeOffer]) -> Value {
    Value::Array(offers.iter().map(algorithms::main_mode_offer_text).collect())
}

/// The offers of quick mode, a line each.
pub(crate) fn offers(offers: &[Offer]) -> Value {
    let mut list: Array = offers.iter().map(offer).collect();
    if offers.len() > 1 {
        a_line_each(&mut list);
    }
    Value::Array(list)
}

/// A list whose items stand on lines of their own.
pub(crate) fn a_line_each(list: &mut Array) {
    for item in list.iter_mut() {
        item.decor_mut().set_prefix("\n    ");
        item.decor_mut().set_suffix("");
    }
    list.set_trailing_comma(true);
    list.set_trailing("\n");
}

fn offer(offer: &Offer) -> Value {
    let mut table = InlineTable::new();
    if let IpsecSuite::Esp { .. } = offer.suite.main {
        set(&mut table, "esp", algorithms::suite_text(offer.suite.main).into());
        if let Some(integrity) = offer.suite.outer {
            set(&mut table, "ah", algorithms::suite_text(IpsecSuite::Ah { integrity }).into());
        }
    } else {
        set(&mut table, "ah", algorithms::suite_text(offer.suite.main).into());
    }
    if offer.suite.compression {
        set(&mut table, "compression", true.into());
    }
    if offer.extended_sequence_numbers {
        set(&mut table, "extended_sequence_numbers", true.into());
    }
    set(&mut table, "lifetime", lifetime(offer.lifetime));
    Value::InlineTable(table)
}

fn lifetime(lifetime: Lifetime) -> Value {
    let mut table = InlineTable::new();
    set(&mut table, "seconds", i64::from(lifetime.seconds).into());
    set(&mut table, "kilobytes", i64::from(lifetime.kilobytes).into());
    Value::InlineTable(table)
}

/// Authentication methods in order of preference.
pub(crate) fn methods(methods: &[Method]) -> Value {
    let method = |method: &Method| {
        let mut table = InlineTable::new();
        match method {
            Method::Kerberos => set(&mut table, "kerberos", true.into()),
            Method::PresharedKey(key) => set(&mut table, "preshared_key", key.as_str().into()),
            Method::RootCa { name, certificate_mapping, exclude_ca_name } => {
                set(&mut table, "root_ca", name.as_str().into());
                set_some(&mut table, "certificate_mapping", certificate_mapping.then_some(true));
                set_some(&mut table, "exclude_ca_name", exclude_ca_name.then_some(true));
            }
        }
        Value::InlineTable(table)
    };
    Value::Array(methods.iter().map(method).collect())
}

/// A kind of connection.
pub(crate) const fn connection_type(connection_type: ConnectionType) -> &'static str {
    match connection_type {
        ConnectionType::Lan => "lan",
        ConnectionType::Dialup => "dialup",
        ConnectionType::All => "all",
    }
}
