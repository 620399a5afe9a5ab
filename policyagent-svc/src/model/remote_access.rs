//! Extended authentication, Mode Config, and the pools that gateways give addresses of.
use ikecore::policy::pool::{AddressRange, Pool};
use ikecore::policy::remote_access::{Xauth, XauthCredentials};
use ikecore::policy::selector::Prefix;
use ikecore::secret::Secret;
use std::net::IpAddr;
use std::sync::Arc;

use super::{Reference, authentication, filter, rule};
use crate::document::{Table, Value};

/// A pool, and where it stands.
#[derive(Debug)]
pub(crate) struct NamedPool {
    /// What it gives; its name is unique among pools.
    pub(crate) pool: Arc<Pool>,
    /// For people.
    pub(crate) description: Option<String>,
}

/// Mode Config of a rule.
#[derive(Debug)]
pub(crate) enum ModeConfig {
    /// This host gives addresses.
    Server {
        /// The pool's name.
        pool: Reference,
        /// Unasked.
        push: bool,
    },
    /// This host gets one.
    Client {
        /// Without asking.
        push: bool,
    },
}

/// What a banner or a domain may have at most.
const MAX_TEXT: usize = 512;

/// Reads a pool.
pub(super) fn pool(value: &Value<'_>) -> Option<NamedPool> {
    const RANGE: &str = "an address, a prefix (10.99.0.0/24), a range FIRST-LAST of one family";
    let mut table = value.table()?;
    let name = super::named(&mut table, "pool");
    let description = super::description(&table);
    let ranges = table.require("addresses").and_then(|value| value.list("range"));
    let range = |text: &str| text.parse::<AddressRange>().ok();
    let ranges = ranges.and_then(|values| all(&values, |value| value.parsed(range, RANGE)));
    if let Some(ranges) = &ranges {
        let overlap = |(at, one): (usize, &AddressRange)| {
            let others = ranges.iter().skip(at + 1);
            others
                .clone()
                .find(|other| one.contains(other.first()) || other.contains(one.first()))
                .map(|two| (*one, *two))
        };
        if let Some((one, two)) = ranges.iter().enumerate().find_map(overlap) {
            table.fault(format!("{} has {one} and {two}, which overlap; allowed: each address once", table.what()));
        }
    }
    let address = |text: &str| text.parse::<IpAddr>().ok().filter(|a| !a.is_unspecified() && !a.is_multicast());
    let dns = optional(&table, "dns", "name server", |value| value.parsed(address, "the address of a host"));
    let split_networks = optional(&table, "split_networks", "network", network);
    let domain = text(&table, "domain");
    let banner = text(&table, "banner");
    table.finish();
    let pool = Pool {
        name: name?,
        ranges: ranges?,
        dns: dns?,
        split_networks: split_networks?,
        domain: domain?,
        banner: banner?,
    };
    Some(NamedPool { pool: Arc::new(pool), description: description? })
}

/// Each is read, so that all faults are found, before the first wrong one ends it.
fn all<T>(values: &[Value<'_>], read: impl Fn(&Value<'_>) -> Option<T>) -> Option<Vec<T>> {
    let read: Vec<Option<T>> = values.iter().map(read).collect();
    read.into_iter().collect()
}

fn optional<T>(
    table: &Table<'_>,
    key: &'static str,
    item: &str,
    read: impl Fn(&Value<'_>) -> Option<T>,
) -> Option<Vec<T>> {
    let Some(value) = table.get(key) else { return Some(Vec::new()) };
    value.list(item).and_then(|values| all(&values, read))
}

fn network(value: &Value<'_>) -> Option<Prefix> {
    match filter::side(value)? {
        filter::Side::Prefix(prefix) => Some(prefix),
        _ => {
            value.fault(format!("{} names no network, allowed: a prefix (10.1.0.0/16, 2001:db8::/32)", value.what()));
            None
        }
    }
}

/// Outer: whether it is right. Inner: whether it is there.
fn text(table: &Table<'_>, key: &'static str) -> Option<Option<String>> {
    let Some(value) = table.get(key) else { return Some(None) };
    let text = value.text()?;
    if text.is_empty() || text.len() > MAX_TEXT {
        value.fault(format!("{} has {} octets, allowed: 1 to {MAX_TEXT}", value.what(), text.len()));
        return None;
    }
    Some(Some(text.to_owned()))
}

/// Reads `xauth` of a rule: `"server"`, or the client's user and password.
pub(super) fn xauth(value: &Value<'_>) -> Option<Xauth> {
    if !value.is_table() {
        return value.one_of(&[("server", ())]).map(|()| Xauth::Server);
    }
    let table = value.table()?;
    let user = table.require("user").and_then(|value| value.name());
    let password = authentication::secret(&table, "password", "password_file");
    table.finish();
    // The copy is the one that stays; the other is wiped.
    let password = Arc::new(Secret::new(password?.to_vec()));
    Some(Xauth::Client(XauthCredentials { user: user?.to_owned(), password }))
}

/// Reads `mode_config` of a rule: `"pull"` or `"push"` for a client, a pool for a gateway.
pub(super) fn mode_config(value: &Value<'_>) -> Option<ModeConfig> {
    if !value.is_table() {
        return value.one_of(&[("pull", false), ("push", true)]).map(|push| ModeConfig::Client { push });
    }
    let table = value.table()?;
    let pool = table.require("pool").and_then(|value| rule::reference(&value));
    let push = table.get("push").map_or(Some(false), |value| value.boolean());
    table.finish();
    Some(ModeConfig::Server { pool: pool?, push: push? })
}
