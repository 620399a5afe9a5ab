//! Dynamic policies and rules: what `add`, `set` and `delete` make of the dynamic document.
//!
//! A main-mode policy is a policy, a quick-mode policy a filter action, a rule a rule with a filter list of its own. Rules
//! have no name in commands: their traffic is what they are known by, and what they are called.
use ikecore::crypto::group::Group;
use toml_edit::{InlineTable, Item, Table, TableLike, Value};

use crate::model::{INBOUND_ACTION, Offer, Side, algorithms, protocol_name};
use crate::netsh::command::{
    Action, ConnectionType, DynamicRule, MainModeSettings, Method, OneOrAll, PfsGroup, QuickModeSettings, RuleKey,
    RuleNamed, RulesNamed, TunnelEnd,
};
use crate::netsh::run::document::values::{self, set, set_some, text_of};
use crate::netsh::run::document::{FilterText, Kind, PolicyDocument, name_of, rules_of, touch};
use crate::netsh::run::error::RunError;
use crate::netsh::run::resolve;
use crate::netsh::run::static_context::objects::{MAIN_MODE_LIFETIME, MAIN_MODE_OFFERS, action_offers, tunnel_end};

/// The life of soft SAs that `add mmpolicy` takes, in seconds.
const SOFT_LIFETIME: u32 = 28_800;

/// The filter actions that rules without a quick-mode policy have.
pub(crate) const PERMIT: &str = "(permit)";
/// The same.
pub(crate) const BLOCK: &str = "(block)";
/// The same, where what arrives is treated otherwise than what leaves.
pub(crate) const PERMIT_INBOUND: &str = "(permit inbound, block outbound)";
/// The same.
pub(crate) const PERMIT_OUTBOUND: &str = "(permit outbound, block inbound)";
/// Begins the names of filter actions that are a quick-mode policy with inbound passthrough.
pub(crate) const PASSTHROUGH: &str = "(inbound permit) ";

/// True if a filter action was made for rules, not by `add qmpolicy`.
pub(crate) fn is_made(name: &str) -> bool {
    [PERMIT, BLOCK, PERMIT_INBOUND, PERMIT_OUTBOUND].contains(&name) || name.starts_with(PASSTHROUGH)
}

/// Messages call the objects what the dynamic context does.
pub(crate) fn renamed(error: RunError) -> RunError {
    let kind = |kind| match kind {
        Kind::Policy => Kind::MainModePolicy,
        Kind::FilterAction => Kind::QuickModePolicy,
        other => other,
    };
    match error {
        RunError::Exists { kind: of, name } => RunError::Exists { kind: kind(of), name },
        RunError::NotFound { kind: of, name, hint } => RunError::NotFound { kind: kind(of), name, hint },
        RunError::InUse { kind: of, name, users } => RunError::InUse { kind: kind(of), name, users },
        RunError::Name { kind: of, name, reason } => RunError::Name { kind: kind(of), name, reason },
        other => other,
    }
}

/// `add mmpolicy`.
pub(crate) fn add_main_mode(
    document: &mut PolicyDocument,
    name: &str,
    settings: &MainModeSettings,
) -> Result<(), RunError> {
    let mut main_mode = Table::new();
    set(&mut main_mode, "offers", values::main_mode_offers(&MAIN_MODE_OFFERS));
    set(&mut main_mode, "lifetime", i64::from(MAIN_MODE_LIFETIME).into());
    set(&mut main_mode, "soft_lifetime", i64::from(SOFT_LIFETIME).into());
    change_main_mode(&mut main_mode, settings);
    let mut policy = Table::new();
    set(&mut policy, "name", name.into());
    policy.insert("main_mode", Item::Table(main_mode));
    document.add(Kind::Policy, name, policy)
}

/// `set mmpolicy`.
pub(crate) fn set_main_mode(
    document: &mut PolicyDocument,
    name: &str,
    settings: &MainModeSettings,
) -> Result<(), RunError> {
    let place = document.find_name(Kind::Policy, name)?;
    let policy = document.table_mut(Kind::Policy, place)?;
    if let Some(main_mode) = policy.get_mut("main_mode").and_then(Item::as_table_like_mut) {
        change_main_mode(main_mode, settings);
    }
    touch(policy);
    Ok(())
}

fn change_main_mode(main_mode: &mut dyn TableLike, settings: &MainModeSettings) {
    set_some(main_mode, "offers", settings.offers.as_deref().map(values::main_mode_offers));
    set_some(main_mode, "lifetime", settings.lifetime.map(i64::from));
    set_some(main_mode, "soft_lifetime", settings.soft_sa_lifetime.map(i64::from));
    set_some(main_mode, "quick_mode_limit", settings.quick_mode_limit.map(i64::from));
}

/// `add qmpolicy`.
pub(crate) fn add_quick_mode(
    document: &mut PolicyDocument,
    name: &str,
    settings: &QuickModeSettings,
) -> Result<(), RunError> {
    if is_made(name) {
        let reason = "such names are those of what rules need besides; allowed: another name";
        return Err(RunError::Name { kind: Kind::QuickModePolicy, name: name.to_owned(), reason });
    }
    let mut action = Table::new();
    set(&mut action, "name", name.into());
    set(&mut action, "action", "negotiate".into());
    set(&mut action, "offers", values::offers(&action_offers()));
    change_quick_mode(&mut action, settings);
    document.add(Kind::FilterAction, name, action)
}

/// `set qmpolicy`.
pub(crate) fn set_quick_mode(
    document: &mut PolicyDocument,
    name: &str,
    settings: &QuickModeSettings,
) -> Result<(), RunError> {
    let place = document.find_name(Kind::FilterAction, name)?;
    change_quick_mode(document.table_mut(Kind::FilterAction, place)?, settings);
    touch(document.table_mut(Kind::FilterAction, place)?);
    let twin = format!("{PASSTHROUGH}{name}");
    if let Ok(place) = document.find_name(Kind::FilterAction, &twin) {
        let twin = document.table_mut(Kind::FilterAction, place)?;
        change_quick_mode(twin, settings);
        touch(twin);
    }
    Ok(())
}

fn change_quick_mode(action: &mut Table, settings: &QuickModeSettings) {
    let offers = settings.offers.as_deref();
    set_some(action, "offers", offers.map(|offers: &[Offer]| values::offers(offers)));
    set_some(action, "fallback_to_clear", settings.soft);
    match settings.pfs {
        Some(PfsGroup::None) => set(action, "pfs", false.into()),
        Some(PfsGroup::MainMode) => set(action, "pfs", true.into()),
        Some(PfsGroup::Group(group)) => set(action, "pfs", pfs_group(group).into()),
        None => {}
    }
}

fn pfs_group(group: Group) -> &'static str {
    algorithms::group_text(group)
}

/// What a rule is called: its traffic.
pub(crate) fn rule_name(key: &RuleKey) -> String {
    let end = |address, port: u16| match port {
        0 => resolve::text(address),
        port => format!("{} port {port}", resolve::text(address)),
    };
    let (source, destination) = (end(&key.source, key.source_port), end(&key.destination, key.destination_port));
    let mut name = format!("{source} to {destination}, {}", protocol_name(key.protocol));
    if !key.mirrored {
        name += ", one way";
    }
    if key.connection_type != ConnectionType::All {
        name += &format!(", {}", values::connection_type(key.connection_type));
    }
    match &key.tunnel {
        None => {}
        Some(TunnelEnd::Address(address)) => name += &format!(", tunnel to {address}"),
        Some(TunnelEnd::Name(host)) => name += &format!(", tunnel to {host}"),
    }
    name
}

/// Where the rule of a name is: the place of its policy, and its own.
fn find_rule(document: &PolicyDocument, name: &str) -> Result<(String, (usize, usize)), RunError> {
    for (place, policy) in document.tables(Kind::Policy).enumerate() {
        if let Some(rule) = rules_of(policy).position(|rule| name_of(rule) == Some(name)) {
            return Ok((name_of(policy).unwrap_or_default().to_owned(), (place, rule)));
        }
    }
    let names: Vec<&str> = document.tables(Kind::Policy).flat_map(rules_of).filter_map(name_of).collect();
    Err(RunError::not_found(Kind::Rule, name, &names))
}

/// `add rule`.
pub(crate) fn add_rule(document: &mut PolicyDocument, rule: &DynamicRule) -> Result<(), RunError> {
    let key = &rule.key;
    let name = rule_name(key);
    if find_rule(document, &name).is_ok() {
        return Err(RunError::Exists { kind: Kind::Rule, name });
    }
    let policy = rule.main_mode_policy.as_deref().unwrap_or_default();
    document.find_name(Kind::Policy, policy)?;
    let both = (rule.action_inbound.unwrap_or(Action::Negotiate), rule.action_outbound.unwrap_or(Action::Negotiate));
    let action = filter_action(document, both, rule.quick_mode_policy.as_deref())?;
    add_filters(document, &name, key)?;
    let mut table = Table::new();
    set(&mut table, "name", name.as_str().into());
    set(&mut table, "filter_list", name.as_str().into());
    set(&mut table, "filter_action", action.into());
    set(&mut table, "connection_type", values::connection_type(key.connection_type).into());
    if let Some(end) = &key.tunnel {
        let mut tunnel = InlineTable::new();
        set(&mut tunnel, "remote", tunnel_end(end)?.to_string().into());
        set(&mut table, "tunnel", Value::InlineTable(tunnel));
    }
    let methods = rule.authentication.as_deref().filter(|methods| !methods.is_empty());
    set(&mut table, "authentication", values::methods(methods.unwrap_or(&[Method::Kerberos])));
    document.add_rule(policy, &name, table)
}

fn add_filters(document: &mut PolicyDocument, name: &str, key: &RuleKey) -> Result<(), RunError> {
    let like = FilterText {
        source: Side::Any,
        destination: Side::Any,
        protocol: key.protocol,
        source_port: key.source_port,
        destination_port: key.destination_port,
        mirrored: key.mirrored,
        description: None,
        source_name: None,
        destination_name: None,
    };
    let filters = resolve::filters(&key.source, &key.destination, &like)?;
    let mut list = Table::new();
    set(&mut list, "name", name.into());
    document.add(Kind::FilterList, name, list)?;
    document.add_filters(name, &filters)
}

/// The filter action for what is done inbound and outbound; it is made if it is not there.
fn filter_action(
    document: &mut PolicyDocument,
    both: (Action, Action),
    quick_mode: Option<&str>,
) -> Result<String, RunError> {
    let made = match both {
        (Action::Permit, Action::Permit) => (PERMIT, "permit", None),
        (Action::Block, Action::Block) => (BLOCK, "block", None),
        (Action::Permit, Action::Block) => (PERMIT_INBOUND, "block", Some("permit")),
        (Action::Block, Action::Permit) => (PERMIT_OUTBOUND, "permit", Some("block")),
        (Action::Negotiate | Action::Permit, Action::Negotiate) => {
            let name = quick_mode.ok_or_else(|| {
                RunError::Unsupported("a rule that negotiates has no qmpolicy; allowed: the name of one".to_owned())
            })?;
            let place = document.find_name(Kind::FilterAction, name)?;
            if both.0 == Action::Negotiate {
                return Ok(name.to_owned());
            }
            let twin = format!("{PASSTHROUGH}{name}");
            if document.find_name(Kind::FilterAction, &twin).is_err() {
                let mut table = document.table_mut(Kind::FilterAction, place)?.clone();
                table.remove("guid");
                set(&mut table, "name", twin.as_str().into());
                set(&mut table, "inbound_passthrough", true.into());
                table.set_position(None);
                document.add(Kind::FilterAction, &twin, table)?;
            }
            return Ok(twin);
        }
        (inbound, outbound) => {
            let word = |action| match action {
                Action::Permit => "permit",
                Action::Block => "block",
                Action::Negotiate => "negotiate",
            };
            return Err(RunError::Unsupported(format!(
                "actioninbound={} with actionoutbound={}: SAs come in pairs, so that what is negotiated for one direction is \
                 for the other too; allowed: negotiate for both, actioninbound=permit with actionoutbound=negotiate, and any pair \
                 of permit and block",
                word(inbound),
                word(outbound)
            )));
        }
    };
    let (name, action, inbound) = made;
    if document.find_name(Kind::FilterAction, name).is_err() {
        let mut table = Table::new();
        set(&mut table, "name", name.into());
        set(&mut table, "action", action.into());
        set_some(&mut table, INBOUND_ACTION, inbound);
        document.add(Kind::FilterAction, name, table)?;
    }
    Ok(name.to_owned())
}

/// What a rule does inbound and outbound, and by which quick-mode policy.
pub(crate) fn actions_of(rule: &Table) -> ((Action, Action), Option<&str>) {
    match text_of(rule, Kind::FilterAction.key()) {
        Some(PERMIT) => ((Action::Permit, Action::Permit), None),
        Some(BLOCK) => ((Action::Block, Action::Block), None),
        Some(PERMIT_INBOUND) => ((Action::Permit, Action::Block), None),
        Some(PERMIT_OUTBOUND) => ((Action::Block, Action::Permit), None),
        Some(name) => match name.strip_prefix(PASSTHROUGH) {
            Some(name) => ((Action::Permit, Action::Negotiate), Some(name)),
            None => ((Action::Negotiate, Action::Negotiate), Some(name)),
        },
        None => ((Action::Negotiate, Action::Negotiate), None),
    }
}

/// `set rule`.
pub(crate) fn set_rule(document: &mut PolicyDocument, rule: &DynamicRule) -> Result<(), RunError> {
    let name = rule_name(&rule.key);
    let (policy, place) = find_rule(document, &name)?;
    let mut table = document.rule_mut(place)?.clone();
    let (present, quick_mode) = actions_of(&table);
    let both = (rule.action_inbound.unwrap_or(present.0), rule.action_outbound.unwrap_or(present.1));
    let quick_mode = rule.quick_mode_policy.as_deref().or(quick_mode).map(str::to_owned);
    let action = filter_action(document, both, quick_mode.as_deref())?;
    set(&mut table, "filter_action", action.into());
    let methods = rule.authentication.as_deref().filter(|methods| !methods.is_empty());
    set_some(&mut table, "authentication", methods.map(values::methods));
    touch(&mut table);
    match rule.main_mode_policy.as_deref().filter(|new| *new != policy) {
        Some(new) => {
            document.find_name(Kind::Policy, new)?;
            document.delete_rules(&policy, &RulesNamed::One(RuleNamed::Name(name.clone())))?;
            table.set_position(None);
            document.add_rule(new, &name, table)?;
        }
        None => *document.rule_mut(place)? = table,
    }
    forget_made(document)
}

/// `delete rule`.
pub(crate) fn delete_rule(document: &mut PolicyDocument, key: &RuleKey) -> Result<(), RunError> {
    let name = rule_name(key);
    let (policy, _) = find_rule(document, &name)?;
    document.delete_rules(&policy, &RulesNamed::One(RuleNamed::Name(name.clone())))?;
    document.delete(Kind::FilterList, &OneOrAll::One(name))?;
    forget_made(document)
}

/// `delete qmpolicy`.
pub(crate) fn delete_quick_mode(document: &mut PolicyDocument, which: &OneOrAll) -> Result<(), RunError> {
    let doomed: Vec<String> = match which {
        OneOrAll::One(name) => vec![name.clone()],
        OneOrAll::All => document.names(Kind::FilterAction).filter(|name| !is_made(name)).map(str::to_owned).collect(),
    };
    for name in doomed {
        let twin = format!("{PASSTHROUGH}{name}");
        let users = document.users(Kind::FilterAction, &twin);
        if !users.is_empty() {
            return Err(RunError::InUse { kind: Kind::FilterAction, name, users });
        }
        document.delete(Kind::FilterAction, &OneOrAll::One(name))?;
    }
    Ok(())
}

/// `delete mmpolicy`: not while it has rules.
pub(crate) fn delete_main_mode(document: &mut PolicyDocument, which: &OneOrAll) -> Result<(), RunError> {
    for policy in document.tables(Kind::Policy) {
        let name = name_of(policy).unwrap_or_default();
        let meant = match which {
            OneOrAll::One(wanted) => wanted == name,
            OneOrAll::All => true,
        };
        let users: Vec<String> =
            rules_of(policy).filter_map(name_of).map(|rule| format!("the rule {rule:?}")).collect();
        if meant && !users.is_empty() {
            return Err(RunError::InUse { kind: Kind::Policy, name: name.to_owned(), users });
        }
    }
    document.delete(Kind::Policy, which)
}

/// Filter actions that were made for rules go with the last of them.
fn forget_made(document: &mut PolicyDocument) -> Result<(), RunError> {
    let made: Vec<String> =
        document.names(Kind::FilterAction).filter(|name| is_made(name)).map(str::to_owned).collect();
    for name in made {
        if document.users(Kind::FilterAction, &name).is_empty() {
            document.delete(Kind::FilterAction, &OneOrAll::One(name))?;
        }
    }
    Ok(())
}
