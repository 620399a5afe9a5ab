//! Policies, rules, filter lists and filter actions: what `add`, `set` and `delete` make of a document.
use ikecore::crypto::cipher::CipherAlg;
use ikecore::crypto::group::Group;
use ikecore::crypto::hash::HashAlg;
use ikecore::proposal::offer::MainModeOffer;
use ikecore::proposal::suite::{EspCipher, Integrity, IpsecSuite, Lifetime};
use std::net::IpAddr;
use toml_edit::{InlineTable, Item, Table, TableLike, Value};

use crate::model::{INBOUND_ACTION, Offer};
use crate::netsh::command::{
    Action, DefaultRuleSettings, FilterActionSettings, Method, Named, PolicySettings, RuleNamed, RuleSettings,
    TunnelEnd,
};
use crate::netsh::run::document::values::{self, set, set_description, set_some, text_of};
use crate::netsh::run::document::{Kind, PolicyDocument, touch};
use crate::netsh::run::error::RunError;
use crate::netsh::run::resolve::resolve;

/// What `add policy` takes for what is left out.
pub(crate) const MAIN_MODE_LIFETIME: u32 = 28_800;
/// The same.
pub(crate) const POLLING_INTERVAL: u32 = 10_800;

/// The main-mode offers of a policy for which none are given.
pub(crate) const MAIN_MODE_OFFERS: [MainModeOffer; 4] = [
    MainModeOffer { cipher: CipherAlg::TripleDes, hash: HashAlg::Sha1, group: Group::Modp1024 },
    MainModeOffer { cipher: CipherAlg::TripleDes, hash: HashAlg::Md5, group: Group::Modp1024 },
    MainModeOffer { cipher: CipherAlg::Des, hash: HashAlg::Sha1, group: Group::Modp768 },
    MainModeOffer { cipher: CipherAlg::Des, hash: HashAlg::Md5, group: Group::Modp768 },
];

const LIFETIME: Lifetime = Lifetime { seconds: 3600, kilobytes: 100_000 };

/// An offer of ESP.
pub(crate) const fn esp(cipher: EspCipher, integrity: Integrity, lifetime: Lifetime) -> Offer {
    Offer {
        suite: IpsecSuite::Esp { cipher, integrity: Some(integrity) }.alone(),
        lifetime,
        extended_sequence_numbers: false,
    }
}

/// An offer of AH.
pub(crate) const fn ah(integrity: Integrity, lifetime: Lifetime) -> Offer {
    Offer { suite: IpsecSuite::Ah { integrity }.alone(), lifetime, extended_sequence_numbers: false }
}

/// The offers of a filter action that negotiates and has none.
pub(crate) fn action_offers() -> Vec<Offer> {
    vec![esp(EspCipher::TripleDesCbc, Integrity::HmacSha1_96, LIFETIME)]
}

/// The offers of a default response that has none.
pub(crate) fn default_response_offers() -> Vec<Offer> {
    vec![
        esp(EspCipher::TripleDesCbc, Integrity::HmacSha1_96, LIFETIME),
        esp(EspCipher::TripleDesCbc, Integrity::HmacMd5_96, LIFETIME),
        esp(EspCipher::DesCbc, Integrity::HmacSha1_96, LIFETIME),
        esp(EspCipher::DesCbc, Integrity::HmacMd5_96, LIFETIME),
        ah(Integrity::HmacSha1_96, LIFETIME),
        ah(Integrity::HmacMd5_96, LIFETIME),
    ]
}

/// `add policy`.
pub(crate) fn add_policy(
    document: &mut PolicyDocument,
    name: &str,
    settings: &PolicySettings,
    assign: bool,
) -> Result<(), RunError> {
    let mut policy = Table::new();
    set(&mut policy, "name", name.into());
    set_description(&mut policy, settings.description.as_deref());
    set(&mut policy, "assigned", false.into());
    let polling = settings.polling_interval.unwrap_or(POLLING_INTERVAL);
    set(&mut policy, "polling_interval", i64::from(polling).into());
    let mut main_mode = Table::new();
    set(&mut main_mode, "offers", values::main_mode_offers(settings.offers.as_deref().unwrap_or(&MAIN_MODE_OFFERS)));
    set(&mut main_mode, "lifetime", i64::from(settings.main_mode_lifetime.unwrap_or(MAIN_MODE_LIFETIME)).into());
    limit_quick_modes(&mut main_mode, settings);
    policy.insert("main_mode", Item::Table(main_mode));
    let mut default = Table::new();
    set(&mut default, "active", settings.activate_default_rule.unwrap_or(true).into());
    set(&mut default, "offers", values::offers(&default_response_offers()));
    set(&mut default, "authentication", values::methods(&[Method::Kerberos]));
    policy.insert("default_response", Item::Table(default));
    document.add(Kind::Policy, name, policy)?;
    if assign {
        document.assign(document.find_name(Kind::Policy, name)?, true)?;
    }
    Ok(())
}

/// Master PFS is a limit of one quick mode; if both are given, it counts.
fn limit_quick_modes(main_mode: &mut dyn TableLike, settings: &PolicySettings) {
    match (settings.master_pfs, settings.quick_mode_limit) {
        (Some(true), _) => {
            set(main_mode, "master_pfs", true.into());
            main_mode.remove("quick_mode_limit");
        }
        (off, Some(limit)) => {
            if off.is_some() || limit != 1 {
                main_mode.remove("master_pfs");
            }
            set(main_mode, "quick_mode_limit", i64::from(limit).into());
        }
        (Some(false), None) => {
            main_mode.remove("master_pfs");
        }
        (None, None) => {}
    }
}

/// `set policy`, but for what the directory has of its own.
pub(crate) fn set_policy(
    document: &mut PolicyDocument,
    which: &Named,
    new_name: Option<&str>,
    settings: &PolicySettings,
    assign: Option<bool>,
) -> Result<(), RunError> {
    let place = document.find(Kind::Policy, which)?;
    if let Some(new) = new_name {
        document.rename(Kind::Policy, place, new)?;
    }
    let policy = document.table_mut(Kind::Policy, place)?;
    set_description(policy, settings.description.as_deref());
    set_some(policy, "polling_interval", settings.polling_interval.map(i64::from));
    let of_main_mode = settings.master_pfs.is_some()
        || settings.quick_mode_limit.is_some()
        || settings.main_mode_lifetime.is_some()
        || settings.offers.is_some();
    if of_main_mode {
        if !policy.contains_key("main_mode") {
            let mut main_mode = Table::new();
            set(&mut main_mode, "offers", values::main_mode_offers(&MAIN_MODE_OFFERS));
            policy.insert("main_mode", Item::Table(main_mode));
        }
        let main_mode = policy.get_mut("main_mode").and_then(Item::as_table_like_mut);
        let main_mode = main_mode.ok_or_else(|| RunError::Document("main_mode is no table".to_owned()))?;
        set_some(main_mode, "offers", settings.offers.as_deref().map(values::main_mode_offers));
        set_some(main_mode, "lifetime", settings.main_mode_lifetime.map(i64::from));
        limit_quick_modes(main_mode, settings);
    }
    touch(policy);
    if let Some(on) = settings.activate_default_rule {
        let settings = DefaultRuleSettings { activate: Some(on), ..DefaultRuleSettings::default() };
        set_default_response(document, place, &settings)?;
    }
    if let Some(on) = assign {
        document.assign(place, on)?;
    }
    Ok(())
}

/// `set defaultrule`.
pub(crate) fn set_default_rule(
    document: &mut PolicyDocument,
    policy: &str,
    settings: &DefaultRuleSettings,
) -> Result<(), RunError> {
    let place = document.find_name(Kind::Policy, policy)?;
    set_default_response(document, place, settings)?;
    touch(document.table_mut(Kind::Policy, place)?);
    Ok(())
}

fn set_default_response(
    document: &mut PolicyDocument,
    place: usize,
    settings: &DefaultRuleSettings,
) -> Result<(), RunError> {
    // What a filter action says for it becomes its own, so that others who have that action keep theirs.
    let taken_over: Vec<(&str, Item)> = match document.default_filter_action(place) {
        Some(action) if settings.offers.is_some() || settings.quick_mode_pfs.is_some() => {
            ["offers", "lifetime", "pfs"].into_iter().filter_map(|key| Some((key, action.get(key)?.clone()))).collect()
        }
        _ => Vec::new(),
    };
    let (default, was_there) = document.default_response_mut(place)?;
    if !was_there {
        set(default, "active", false.into());
        set(default, "offers", values::offers(&default_response_offers()));
        set(default, "authentication", values::methods(&[Method::Kerberos]));
    }
    if !taken_over.is_empty() {
        default.remove(Kind::FilterAction.key());
        for (key, item) in taken_over {
            default.insert(key, item);
        }
    }
    set_some(default, "active", settings.activate);
    set_some(default, "pfs", settings.quick_mode_pfs);
    set_some(default, "offers", settings.offers.as_deref().map(values::offers));
    if settings.offers.is_some() {
        // Each offer has its own.
        default.remove("lifetime");
    }
    set_some(default, "authentication", settings.authentication.as_deref().map(methods_or_kerberos));
    Ok(())
}

/// Where no method is named, it is Kerberos.
pub(crate) fn methods_or_kerberos(methods: &[Method]) -> Value {
    if methods.is_empty() { values::methods(&[Method::Kerberos]) } else { values::methods(methods) }
}

/// `add filterlist`.
pub(crate) fn add_filter_list(
    document: &mut PolicyDocument,
    name: &str,
    description: Option<&str>,
) -> Result<(), RunError> {
    let mut list = Table::new();
    set(&mut list, "name", name.into());
    set_description(&mut list, description);
    document.add(Kind::FilterList, name, list)
}

/// `set filterlist`.
pub(crate) fn set_filter_list(
    document: &mut PolicyDocument,
    which: &Named,
    new_name: Option<&str>,
    description: Option<&str>,
) -> Result<(), RunError> {
    let place = document.find(Kind::FilterList, which)?;
    if let Some(new) = new_name {
        document.rename(Kind::FilterList, place, new)?;
    }
    let list = document.table_mut(Kind::FilterList, place)?;
    set_description(list, description);
    touch(list);
    Ok(())
}

/// `add filteraction`.
pub(crate) fn add_filter_action(
    document: &mut PolicyDocument,
    name: &str,
    settings: &FilterActionSettings,
) -> Result<(), RunError> {
    let mut action = Table::new();
    set(&mut action, "name", name.into());
    change_filter_action(&mut action, settings, settings.action.unwrap_or(Action::Negotiate));
    document.add(Kind::FilterAction, name, action)
}

/// `set filteraction`.
pub(crate) fn set_filter_action(
    document: &mut PolicyDocument,
    which: &Named,
    new_name: Option<&str>,
    settings: &FilterActionSettings,
) -> Result<(), RunError> {
    let place = document.find(Kind::FilterAction, which)?;
    if let Some(new) = new_name {
        document.rename(Kind::FilterAction, place, new)?;
    }
    let action = document.table_mut(Kind::FilterAction, place)?;
    let present = match text_of(&*action, "action") {
        Some("permit") => Action::Permit,
        Some("block") => Action::Block,
        _ => Action::Negotiate,
    };
    change_filter_action(action, settings, settings.action.unwrap_or(present));
    touch(action);
    Ok(())
}

fn change_filter_action(action: &mut Table, settings: &FilterActionSettings, kind: Action) {
    set_description(action, settings.description.as_deref());
    let word = match kind {
        Action::Permit => "permit",
        Action::Block => "block",
        Action::Negotiate => "negotiate",
    };
    set(action, "action", word.into());
    if settings.action.is_some() {
        // The word is for both directions.
        action.remove(INBOUND_ACTION);
    }
    if kind != Action::Negotiate {
        // What only a negotiation has is no part of it.
        for key in ["offers", "lifetime", "pfs", "inbound_passthrough", "fallback_to_clear", "idle"] {
            action.remove(key);
        }
        return;
    }
    if let Some(offers) = &settings.offers {
        set(action, "offers", values::offers(offers));
        action.remove("lifetime");
    } else if !action.contains_key("offers") {
        set(action, "offers", values::offers(&action_offers()));
    }
    set_some(action, "pfs", settings.quick_mode_pfs);
    set_some(action, "inbound_passthrough", settings.inbound_passthrough);
    set_some(action, "fallback_to_clear", settings.soft);
}

/// `add rule`.
pub(crate) fn add_rule(
    document: &mut PolicyDocument,
    name: &str,
    policy: &str,
    settings: &RuleSettings,
) -> Result<(), RunError> {
    let mut rule = Table::new();
    set(&mut rule, "name", name.into());
    change_rule(document, &mut rule, settings)?;
    if !rule.contains_key("authentication") {
        set(&mut rule, "authentication", values::methods(&[Method::Kerberos]));
    }
    document.add_rule(policy, name, rule)
}

/// `set rule`.
pub(crate) fn set_rule(
    document: &mut PolicyDocument,
    which: &RuleNamed,
    policy: &str,
    new_name: Option<&str>,
    settings: &RuleSettings,
) -> Result<(), RunError> {
    let place = document.find_rule(policy, which)?;
    if let Some(new) = new_name {
        document.rename_rule(policy, place, new)?;
    }
    let mut rule = document.rule_mut(place)?.clone();
    change_rule(document, &mut rule, settings)?;
    touch(&mut rule);
    *document.rule_mut(place)? = rule;
    Ok(())
}

fn change_rule(document: &PolicyDocument, rule: &mut Table, settings: &RuleSettings) -> Result<(), RunError> {
    set_description(rule, settings.description.as_deref());
    for (kind, name) in [(Kind::FilterList, &settings.filter_list), (Kind::FilterAction, &settings.filter_action)] {
        if let Some(name) = name {
            document.find_name(kind, name)?;
            set(rule, kind.key(), name.as_str().into());
        }
    }
    if let Some(end) = &settings.tunnel {
        let mut tunnel = InlineTable::new();
        set(&mut tunnel, "remote", tunnel_end(end)?.to_string().into());
        set(rule, "tunnel", Value::InlineTable(tunnel));
    }
    set_some(rule, "connection_type", settings.connection_type.map(values::connection_type));
    set_some(rule, "active", settings.activate);
    set_some(rule, "authentication", settings.authentication.as_deref().map(methods_or_kerberos));
    Ok(())
}

/// The address of a tunnel's end: of a name's the first.
pub(crate) fn tunnel_end(end: &TunnelEnd) -> Result<IpAddr, RunError> {
    match end {
        TunnelEnd::Address(address) => Ok(*address),
        TunnelEnd::Name(name) => {
            let first = resolve(name)?.into_iter().next();
            first.ok_or_else(|| RunError::Resolve { name: name.clone(), reason: "no answer".to_owned() })
        }
    }
}
