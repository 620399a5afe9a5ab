//! Commands of `netsh ipsec dynamic`.
use super::super::arguments::Arguments;
use super::super::error::{LanguageError, Problem};
use super::super::values::address::{address, sides, tunnel_end};
use super::super::values::{self, main_mode_offers, methods, offers, one_or_all, pfs_group};
use super::{Built, Ports, action, connection_type, is_table, ports, resolve_dns, shown};
use crate::netsh::command::{
    Action, Command, ConnectionType, Dynamic, DynamicRule, Ends, Layout, MainModeSettings, OneOrAll, QuickModeSettings,
    RuleKey, ShowDynamic, Statistics, TrafficPattern,
};

fn main_mode(a: &Arguments<'_>) -> Built<MainModeSettings> {
    Ok(MainModeSettings {
        quick_mode_limit: a.number("qmpermm")?,
        lifetime: a.number("mmlifetime")?,
        soft_sa_lifetime: a.number("softsaexpirationtime")?,
        offers: a.read("mmsecmethods", main_mode_offers)?,
    })
}

pub(in super::super) fn add_mm_policy(a: &Arguments<'_>) -> Built<Command> {
    Ok(Command::Dynamic(Dynamic::AddMainModePolicy { name: a.name("name")?, policy: main_mode(a)? }))
}

pub(in super::super) fn set_mm_policy(a: &Arguments<'_>) -> Built<Command> {
    Ok(Command::Dynamic(Dynamic::SetMainModePolicy { name: a.name("name")?, policy: main_mode(a)? }))
}

fn quick_mode(a: &Arguments<'_>) -> Built<QuickModeSettings> {
    Ok(QuickModeSettings {
        soft: a.yes_no("soft")?,
        pfs: a.read("pfsgroup", pfs_group)?,
        offers: a.read("qmsecmethods", offers)?,
    })
}

pub(in super::super) fn add_qm_policy(a: &Arguments<'_>) -> Built<Command> {
    Ok(Command::Dynamic(Dynamic::AddQuickModePolicy { name: a.name("name")?, policy: quick_mode(a)? }))
}

pub(in super::super) fn set_qm_policy(a: &Arguments<'_>) -> Built<Command> {
    Ok(Command::Dynamic(Dynamic::SetQuickModePolicy { name: a.name("name")?, policy: quick_mode(a)? }))
}

fn key(a: &Arguments<'_>) -> Built<RuleKey> {
    let (source, destination) = sides(a)?;
    let Ports { protocol, source: source_port, destination: destination_port } = ports(a)?;
    Ok(RuleKey {
        source,
        destination,
        protocol: protocol.unwrap_or_default(),
        source_port: source_port.unwrap_or_default(),
        destination_port: destination_port.unwrap_or_default(),
        mirrored: a.yes_no("mirrored")?.unwrap_or(true),
        connection_type: connection_type(a)?.unwrap_or(ConnectionType::All),
        tunnel: a.read("tunneldstaddress", tunnel_end)?,
    })
}

fn rule(a: &Arguments<'_>) -> Built<DynamicRule> {
    Ok(DynamicRule {
        key: key(a)?,
        main_mode_policy: a.name_if_any("mmpolicy")?,
        quick_mode_policy: a.name_if_any("qmpolicy")?,
        action_inbound: action(a, "actioninbound")?,
        action_outbound: action(a, "actionoutbound")?,
        authentication: methods(a)?,
    })
}

pub(in super::super) fn add_rule(a: &Arguments<'_>) -> Built<Command> {
    let rule = rule(a)?;
    let negotiates = |action: Option<Action>| action.unwrap_or(Action::Negotiate) == Action::Negotiate;
    if rule.quick_mode_policy.is_none() && (negotiates(rule.action_inbound) || negotiates(rule.action_outbound)) {
        let text = "add rule has no qmpolicy, which is required unless actioninbound and actionoutbound are permit or block; \
                    left out they are negotiate";
        return Err(a.error(Problem::Together(text.to_owned())));
    }
    Ok(Command::Dynamic(Dynamic::AddRule(rule)))
}

pub(in super::super) fn set_rule(a: &Arguments<'_>) -> Built<Command> {
    Ok(Command::Dynamic(Dynamic::SetRule(rule(a)?)))
}

pub(in super::super) fn set_config(a: &Arguments<'_>) -> Built<Command> {
    Ok(Command::Dynamic(Dynamic::SetConfig(values::setting(a)?)))
}

pub(in super::super) fn delete_all(_: &Arguments<'_>) -> Built<Command> {
    Ok(Command::Dynamic(Dynamic::DeleteAll))
}

pub(in super::super) fn delete_mm_policy(a: &Arguments<'_>) -> Built<Command> {
    Ok(Command::Dynamic(Dynamic::DeleteMainModePolicy(a.read_required("name", one_or_all)?)))
}

pub(in super::super) fn delete_qm_policy(a: &Arguments<'_>) -> Built<Command> {
    Ok(Command::Dynamic(Dynamic::DeleteQuickModePolicy(a.read_required("name", one_or_all)?)))
}

pub(in super::super) fn delete_rule(a: &Arguments<'_>) -> Built<Command> {
    Ok(Command::Dynamic(Dynamic::DeleteRule(key(a)?)))
}

pub(in super::super) fn delete_sa(a: &Arguments<'_>) -> Built<Command> {
    let Ends { source, destination, .. } = addresses(a)?;
    Ok(Command::Dynamic(Dynamic::DeleteSa { source, destination }))
}

pub(in super::super) fn dump(_: &Arguments<'_>) -> Built<Command> {
    Ok(Command::Dynamic(Dynamic::Dump))
}

fn addresses(a: &Arguments<'_>) -> Built<Ends> {
    let source = address(a, "srcaddr", "srcmask")?;
    let destination = address(a, "dstaddr", "dstmask")?;
    Ok(Ends { source, destination, resolve_dns: false })
}

fn ends(a: &Arguments<'_>) -> Built<Ends> {
    Ok(Ends { resolve_dns: resolve_dns(a)?, ..addresses(a)? })
}

fn traffic(a: &Arguments<'_>) -> Built<TrafficPattern> {
    // A port may be looked for without its protocol.
    let wanted = |tag: &str| a.read(tag, values::port);
    Ok(TrafficPattern {
        ends: ends(a)?,
        protocol: a.read("protocol", values::protocol)?,
        source_port: wanted("srcport")?,
        destination_port: wanted("dstport")?,
        action_inbound: action(a, "actioninbound")?,
        action_outbound: action(a, "actionoutbound")?,
    })
}

const fn show(show: ShowDynamic) -> Result<Command, LanguageError> {
    Ok(Command::Dynamic(Dynamic::Show(show)))
}

pub(in super::super) fn show_all(a: &Arguments<'_>) -> Built<Command> {
    show(ShowDynamic::All { resolve_dns: resolve_dns(a)? })
}

pub(in super::super) fn show_config(_: &Arguments<'_>) -> Built<Command> {
    show(ShowDynamic::Config)
}

pub(in super::super) fn show_mm_policy(a: &Arguments<'_>) -> Built<Command> {
    show(ShowDynamic::MainModePolicy(shown(a)?))
}

pub(in super::super) fn show_qm_policy(a: &Arguments<'_>) -> Built<Command> {
    show(ShowDynamic::QuickModePolicy(shown(a)?))
}

fn is_specific(a: &Arguments<'_>) -> Built<bool> {
    Ok(a.read("type", |value| value.keyword(&[("generic", false), ("specific", true)]))?.unwrap_or(false))
}

pub(in super::super) fn show_mm_filter(a: &Arguments<'_>) -> Built<Command> {
    show(ShowDynamic::MainModeFilter { which: shown(a)?, specific: is_specific(a)?, ends: ends(a)? })
}

pub(in super::super) fn show_qm_filter(a: &Arguments<'_>) -> Built<Command> {
    show(ShowDynamic::QuickModeFilter { which: shown(a)?, specific: is_specific(a)?, traffic: traffic(a)? })
}

pub(in super::super) fn show_rule(a: &Arguments<'_>) -> Built<Command> {
    let tunnel = a.read("type", |value| value.keyword(&[("transport", false), ("tunnel", true)]))?;
    show(ShowDynamic::Rule { tunnel, traffic: traffic(a)? })
}

/// `all` says no more than its absence, but does not go with an address.
fn sas(a: &Arguments<'_>) -> Built<(Ends, Layout)> {
    let all = a.read("all", one_or_all)?;
    let ends = ends(a)?;
    if all == Some(OneOrAll::All) && (ends.source.is_some() || ends.destination.is_some()) {
        return Err(a.error(Problem::Together("all is given with an address; allowed: one of them".to_owned())));
    }
    Ok((ends, Layout { table: is_table(a)?, ..Layout::default() }))
}

pub(in super::super) fn show_mm_sas(a: &Arguments<'_>) -> Built<Command> {
    let (ends, layout) = sas(a)?;
    show(ShowDynamic::MainModeSas { ends, layout })
}

pub(in super::super) fn show_qm_sas(a: &Arguments<'_>) -> Built<Command> {
    let (ends, layout) = sas(a)?;
    show(ShowDynamic::QuickModeSas { ends, protocol: a.read("protocol", values::protocol)?, layout })
}

pub(in super::super) fn show_stats(a: &Arguments<'_>) -> Built<Command> {
    let kinds = [("all", Statistics::All), ("ike", Statistics::Ike), ("ipsec", Statistics::Ipsec)];
    show(ShowDynamic::Statistics(a.read("type", |value| value.keyword(&kinds))?.unwrap_or(Statistics::All)))
}
