//! What a document holds, as it is shown: the shape of `--format json`.
use serde::Serialize;
use toml_edit::{Array, Item, Table, TableLike, Value};

use super::words::{self, OfferView};
use crate::model::INBOUND_ACTION;
use crate::model::default_response;
use crate::netsh::run::document::values::text_of;
use crate::netsh::run::document::{Kind, PolicyDocument, filter_tables, is_mirrored, port_of, protocol_of, rules_of};

/// A policy.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub(crate) struct PolicyView {
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    pub(crate) store: String,
    pub(crate) last_modified: Option<String>,
    pub(crate) guid: Option<String>,
    pub(crate) assigned: bool,
    pub(crate) polling_interval_minutes: i64,
    pub(crate) main_mode: Option<MainModeView>,
    pub(crate) rules: Vec<RuleView>,
}

/// How main mode is negotiated.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub(crate) struct MainModeView {
    pub(crate) lifetime_minutes: i64,
    /// 0 is no limit.
    pub(crate) quick_mode_limit: i64,
    pub(crate) master_pfs: bool,
    /// Minutes.
    pub(crate) soft_lifetime_minutes: i64,
    pub(crate) offers: Vec<MainModeOfferView>,
}

/// An offer of main mode.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct MainModeOfferView {
    pub(crate) encryption: String,
    pub(crate) integrity: String,
    /// As `netsh` names groups: `Low(1)`, `Medium(2)`, `2048`, `DH15`.
    pub(crate) group: String,
}

/// A rule.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub(crate) struct RuleView {
    /// Its place in the policy, from 1.
    pub(crate) id: usize,
    pub(crate) guid: Option<String>,
    /// Nothing: the default response.
    pub(crate) name: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) last_modified: Option<String>,
    pub(crate) activated: bool,
    pub(crate) authentication: Vec<MethodView>,
    pub(crate) tunnel: Option<String>,
    pub(crate) connection_type: String,
    /// Nothing: the default response.
    pub(crate) filter_list: Option<FilterListView>,
    pub(crate) filter_action: Option<FilterActionView>,
    /// What a command line has no words for.
    pub(crate) beyond: Vec<String>,
}

/// An authentication method; never its key.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(tag = "method", rename_all = "snake_case")]
pub(crate) enum MethodView {
    Kerberos,
    PresharedKey,
    RootCa {
        name: String,
        certificate_mapping: bool,
        exclude_ca_name: bool,
    },
    /// Of files.
    Certificate {
        certificate: String,
    },
    Hybrid,
}

/// A filter list.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct FilterListView {
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    pub(crate) store: String,
    pub(crate) last_modified: Option<String>,
    pub(crate) guid: Option<String>,
    pub(crate) filters: Vec<FilterView>,
}

/// A filter.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct FilterView {
    pub(crate) description: Option<String>,
    pub(crate) mirrored: bool,
    pub(crate) source: SideView,
    pub(crate) destination: SideView,
    pub(crate) protocol: String,
    /// 0 is any.
    pub(crate) source_port: u16,
    /// 0 is any.
    pub(crate) destination_port: u16,
}

/// A side of a filter.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct SideView {
    /// An address, or `<My IP Address>` and the like.
    pub(crate) address: String,
    /// Of an IPv4 address with dots, of IPv6 the length of its prefix; of a range and of words none.
    pub(crate) mask: Option<String>,
    pub(crate) dns_name: Option<String>,
}

/// A filter action.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub(crate) struct FilterActionView {
    /// Nothing: of a default response.
    pub(crate) name: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) store: String,
    /// `permit`, `block`, `negotiate`.
    pub(crate) action: String,
    /// `permit` or `block`, where packets that arrive have an action of their own.
    pub(crate) inbound_action: Option<String>,
    pub(crate) fallback_to_clear: bool,
    pub(crate) inbound_passthrough: bool,
    /// A group, or `main mode` for that of main mode; nothing is none.
    pub(crate) quick_mode_pfs: Option<String>,
    pub(crate) offers: Vec<OfferView>,
    pub(crate) last_modified: Option<String>,
    pub(crate) guid: Option<String>,
}

/// All that a document holds.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub(crate) struct StoreView {
    pub(crate) policies: Vec<PolicyView>,
    pub(crate) filter_lists: Vec<FilterListView>,
    pub(crate) filter_actions: Vec<FilterActionView>,
}

/// Keys of a rule for which `netsh` has no words.
pub(crate) const BEYOND: [&str; 7] =
    ["local_id", "remote_id", "aggressive_mode", "xauth", "mode_config", "dpd", "unique"];

impl StoreView {
    /// What a document of the store `store` holds.
    pub(crate) fn of(document: &PolicyDocument, store: &str) -> Self {
        let filter_lists: Vec<_> = document.tables(Kind::FilterList).map(|list| filter_list(list, store)).collect();
        let filter_actions: Vec<_> =
            document.tables(Kind::FilterAction).map(|action| filter_action(action, store)).collect();
        let policies = document.tables(Kind::Policy);
        let policies = policies.map(|policy| self::policy(policy, store, &filter_lists, &filter_actions)).collect();
        Self { policies, filter_lists, filter_actions }
    }
}

fn owned(table: &dyn TableLike, key: &str) -> Option<String> {
    text_of(table, key).map(str::to_owned)
}

fn flag(table: &dyn TableLike, key: &str, default: bool) -> bool {
    table.get(key).and_then(Item::as_bool).unwrap_or(default)
}

fn integer(table: &dyn TableLike, key: &str, default: i64) -> i64 {
    table.get(key).and_then(Item::as_integer).unwrap_or(default)
}

fn modified(table: &dyn TableLike) -> Option<String> {
    table.get("last_modified").and_then(Item::as_datetime).map(ToString::to_string)
}

/// The items of a list.
fn items<'a>(table: &'a dyn TableLike, key: &str) -> impl Iterator<Item = &'a Value> {
    table.get(key).and_then(Item::as_array).into_iter().flat_map(Array::iter)
}

/// The tables of a list, in either form.
fn tables<'a>(table: &'a dyn TableLike, key: &str) -> Vec<&'a dyn TableLike> {
    match table.get(key) {
        Some(Item::ArrayOfTables(tables)) => tables.iter().map(|table| -> &dyn TableLike { table }).collect(),
        _ => items(table, key).filter_map(Value::as_inline_table).map(|table| -> &dyn TableLike { table }).collect(),
    }
}

fn policy(table: &Table, store: &str, lists: &[FilterListView], actions: &[FilterActionView]) -> PolicyView {
    let mut rules: Vec<RuleView> =
        rules_of(table).enumerate().map(|(at, table)| rule(at + 1, table, lists, actions)).collect();
    if let Some(default) = table.get("default_response").and_then(Item::as_table_like) {
        rules.push(default_rule(rules.len() + 1, default, store, actions));
    }
    PolicyView {
        name: owned(table, "name").unwrap_or_default(),
        description: owned(table, "description"),
        store: store.to_owned(),
        last_modified: modified(table),
        guid: owned(table, "guid"),
        assigned: flag(table, "assigned", false),
        polling_interval_minutes: integer(table, "polling_interval", 10_800) / 60,
        main_mode: table.get("main_mode").and_then(Item::as_table_like).map(main_mode),
        rules,
    }
}

fn main_mode(table: &dyn TableLike) -> MainModeView {
    let lifetime = match table.get("lifetime").and_then(Item::as_table_like) {
        Some(lifetime) => integer(lifetime, "seconds", 28_800),
        None => integer(table, "lifetime", 28_800),
    };
    let master_pfs = flag(table, "master_pfs", false);
    MainModeView {
        lifetime_minutes: lifetime / 60,
        quick_mode_limit: if master_pfs { 1 } else { integer(table, "quick_mode_limit", 0) },
        master_pfs,
        soft_lifetime_minutes: integer(table, "soft_lifetime", 28_800) / 60,
        offers: items(table, "offers").filter_map(Value::as_str).map(words::main_mode_offer).collect(),
    }
}

fn rule(id: usize, table: &Table, lists: &[FilterListView], actions: &[FilterActionView]) -> RuleView {
    let list = text_of(table, Kind::FilterList.key());
    let action = text_of(table, Kind::FilterAction.key());
    RuleView {
        id,
        guid: owned(table, "guid"),
        name: owned(table, "name"),
        description: owned(table, "description"),
        last_modified: modified(table),
        activated: flag(table, "active", true),
        authentication: authentication(table),
        tunnel: table.get("tunnel").and_then(Item::as_table_like).and_then(|tunnel| owned(tunnel, "remote")),
        connection_type: owned(table, "connection_type").unwrap_or_else(|| "all".to_owned()),
        filter_list: lists.iter().find(|other| Some(other.name.as_str()) == list).cloned(),
        filter_action: actions.iter().find(|other| other.name.as_deref() == action).cloned(),
        beyond: BEYOND.into_iter().filter(|key| table.contains_key(key)).map(str::to_owned).collect(),
    }
}

fn default_rule(id: usize, table: &dyn TableLike, store: &str, actions: &[FilterActionView]) -> RuleView {
    let named = text_of(table, Kind::FilterAction.key());
    let named = actions.iter().find(|action| action.name.as_deref() == named && named.is_some());
    let own = || FilterActionView { name: None, action: "negotiate".to_owned(), ..filter_action(table, store) };
    RuleView {
        id,
        guid: owned(table, "guid"),
        name: None,
        description: Some(default_response::NAME.to_owned()),
        last_modified: modified(table),
        activated: flag(table, "active", true),
        authentication: authentication(table),
        tunnel: None,
        connection_type: "all".to_owned(),
        filter_list: None,
        filter_action: Some(named.cloned().unwrap_or_else(own)),
        beyond: BEYOND.into_iter().filter(|key| table.contains_key(key)).map(str::to_owned).collect(),
    }
}

fn authentication(table: &dyn TableLike) -> Vec<MethodView> {
    let method = |table: &dyn TableLike| {
        if flag(table, "hybrid", false) {
            MethodView::Hybrid
        } else if let Some(name) = owned(table, "root_ca") {
            let certificate_mapping = flag(table, "certificate_mapping", false);
            MethodView::RootCa { name, certificate_mapping, exclude_ca_name: flag(table, "exclude_ca_name", false) }
        } else if let Some(certificate) = owned(table, "certificate") {
            MethodView::Certificate { certificate }
        } else if flag(table, "kerberos", false) {
            MethodView::Kerberos
        } else {
            MethodView::PresharedKey
        }
    };
    tables(table, "authentication").into_iter().map(method).collect()
}

fn filter_list(table: &Table, store: &str) -> FilterListView {
    FilterListView {
        name: owned(table, "name").unwrap_or_default(),
        description: owned(table, "description"),
        store: store.to_owned(),
        last_modified: modified(table),
        guid: owned(table, "guid"),
        filters: filter_tables(table).into_iter().map(filter).collect(),
    }
}

fn filter(table: &dyn TableLike) -> FilterView {
    let side =
        |key: &str, name_key: &str| words::side(text_of(table, key).unwrap_or_default(), text_of(table, name_key));
    FilterView {
        description: owned(table, "description"),
        mirrored: is_mirrored(table),
        source: side("source", "source_name"),
        destination: side("destination", "destination_name"),
        protocol: words::protocol(protocol_of(table)),
        source_port: port_of(table, "source_port"),
        destination_port: port_of(table, "destination_port"),
    }
}

fn filter_action(table: &dyn TableLike, store: &str) -> FilterActionView {
    let lifetime = words::lifetime(table.get("lifetime"), (3600, 100_000));
    let pfs = match table.get("pfs") {
        Some(item) if item.as_bool() == Some(true) => Some(words::MAIN_MODE_GROUP.to_owned()),
        Some(item) => item.as_str().map(words::group),
        None => None,
    };
    FilterActionView {
        name: owned(table, "name"),
        description: owned(table, "description"),
        store: store.to_owned(),
        action: owned(table, "action").unwrap_or_default(),
        inbound_action: owned(table, INBOUND_ACTION),
        fallback_to_clear: flag(table, "fallback_to_clear", false),
        inbound_passthrough: flag(table, "inbound_passthrough", false),
        quick_mode_pfs: pfs,
        offers: tables(table, "offers").into_iter().map(|offer| words::offer(offer, lifetime)).collect(),
        last_modified: modified(table),
        guid: owned(table, "guid"),
    }
}
