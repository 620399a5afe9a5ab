//! Commands of `netsh ipsec static`.
use super::super::arguments::Arguments;
use super::super::error::{LanguageError, Problem};
use super::super::values::address::{sides, tunnel_end};
use super::super::values::{main_mode_offers, methods, named, offers, one_or_all};
use super::{Built, Ports, action, connection_type, is_table, layout, ports, resolve_dns, shown, wide};
use crate::netsh::command::{
    AddFilter, Command, DefaultRuleSettings, FilterActionSettings, FilterPattern, Layout, Lists, OneOrAll,
    PolicySettings, Release, RuleNamed, RuleSettings, RulesNamed, ShowRules, ShowStatic, Static, StoreLocation,
};

pub(in super::super) fn add_filter(a: &Arguments<'_>) -> Built<Command> {
    let (source, destination) = sides(a)?;
    let Ports { protocol, source: source_port, destination: destination_port } = ports(a)?;
    Ok(Command::Static(Static::AddFilter(AddFilter {
        filter_list: a.name("filterlist")?,
        source,
        destination,
        description: a.text("description")?,
        protocol: protocol.unwrap_or_default(),
        mirrored: a.yes_no("mirrored")?.unwrap_or(true),
        source_port: source_port.unwrap_or_default(),
        destination_port: destination_port.unwrap_or_default(),
    })))
}

pub(in super::super) fn delete_filter(a: &Arguments<'_>) -> Built<Command> {
    let (source, destination) = sides(a)?;
    let Ports { protocol, source: source_port, destination: destination_port } = ports(a)?;
    let mirrored = a.yes_no("mirrored")?;
    let filter = FilterPattern { source, destination, protocol, source_port, destination_port, mirrored };
    Ok(Command::Static(Static::DeleteFilter { filter_list: a.name("filterlist")?, filter }))
}

fn filter_action(a: &Arguments<'_>) -> Built<FilterActionSettings> {
    Ok(FilterActionSettings {
        description: a.text("description")?,
        quick_mode_pfs: a.yes_no("qmpfs")?,
        inbound_passthrough: a.yes_no("inpass")?,
        soft: a.yes_no("soft")?,
        action: action(a, "action")?,
        offers: a.read("qmsecmethods", offers)?,
    })
}

pub(in super::super) fn add_filter_action(a: &Arguments<'_>) -> Built<Command> {
    Ok(Command::Static(Static::AddFilterAction { name: a.name("name")?, action: filter_action(a)? }))
}

pub(in super::super) fn set_filter_action(a: &Arguments<'_>) -> Built<Command> {
    let new_name = a.name_if_any("newname")?;
    Ok(Command::Static(Static::SetFilterAction { which: named(a)?, new_name, action: filter_action(a)? }))
}

pub(in super::super) fn add_filter_list(a: &Arguments<'_>) -> Built<Command> {
    Ok(Command::Static(Static::AddFilterList { name: a.name("name")?, description: a.text("description")? }))
}

pub(in super::super) fn set_filter_list(a: &Arguments<'_>) -> Built<Command> {
    let (new_name, description) = (a.name_if_any("newname")?, a.text("description")?);
    Ok(Command::Static(Static::SetFilterList { which: named(a)?, new_name, description }))
}

fn policy(a: &Arguments<'_>) -> Built<PolicySettings> {
    let master_pfs = a.yes_no("mmpfs")?;
    let limit = a.number("qmpermm")?;
    // One quick mode of each main mode is what master key perfect forward secrecy means.
    let quick_mode_limit = match (master_pfs, limit) {
        (Some(true), _) => Some(1),
        (Some(false), Some(1)) => Some(0),
        (_, limit) => limit,
    };
    Ok(PolicySettings {
        description: a.text("description")?,
        master_pfs,
        quick_mode_limit,
        main_mode_lifetime: a.number("mmlifetime")?,
        activate_default_rule: a.yes_no("activatedefaultrule")?,
        polling_interval: a.number("pollinginterval")?,
        assign: a.yes_no("assign")?,
        offers: a.read("mmsecmethods", main_mode_offers)?,
    })
}

pub(in super::super) fn add_policy(a: &Arguments<'_>) -> Built<Command> {
    Ok(Command::Static(Static::AddPolicy { name: a.name("name")?, policy: policy(a)? }))
}

pub(in super::super) fn set_policy(a: &Arguments<'_>) -> Built<Command> {
    let (new_name, gpo) = (a.name_if_any("newname")?, a.text("gponame")?);
    Ok(Command::Static(Static::SetPolicy { which: named(a)?, new_name, policy: policy(a)?, gpo }))
}

fn rule(a: &Arguments<'_>) -> Built<RuleSettings> {
    Ok(RuleSettings {
        description: a.text("description")?,
        filter_list: a.name_if_any("filterlist")?,
        filter_action: a.name_if_any("filteraction")?,
        tunnel: a.read("tunnel", tunnel_end)?,
        connection_type: connection_type(a)?,
        activate: a.yes_no("activate")?,
        authentication: methods(a)?,
    })
}

pub(in super::super) fn add_rule(a: &Arguments<'_>) -> Built<Command> {
    Ok(Command::Static(Static::AddRule { name: a.name("name")?, policy: a.name("policy")?, rule: rule(a)? }))
}

fn id(a: &Arguments<'_>) -> Built<Option<RuleNamed>> {
    Ok(a.number("id")?.map(RuleNamed::Id))
}

pub(in super::super) fn set_rule(a: &Arguments<'_>) -> Built<Command> {
    let which = match id(a)? {
        Some(id) => id,
        None => RuleNamed::Name(a.name("name")?),
    };
    let new_name = a.name_if_any("newname")?;
    Ok(Command::Static(Static::SetRule { which, policy: a.name("policy")?, new_name, rule: rule(a)? }))
}

pub(in super::super) fn set_default_rule(a: &Arguments<'_>) -> Built<Command> {
    let rule = DefaultRuleSettings {
        quick_mode_pfs: a.yes_no("qmpfs")?,
        activate: a.yes_no("activate")?,
        offers: a.read("qmsecmethods", offers)?,
        authentication: methods(a)?,
    };
    Ok(Command::Static(Static::SetDefaultRule { policy: a.name("policy")?, rule }))
}

pub(in super::super) fn set_store(a: &Arguments<'_>) -> Built<Command> {
    let stores = [
        ("local", StoreLocation::Local),
        ("persistent", StoreLocation::Persistent),
        ("domain", StoreLocation::Domain(None)),
    ];
    let names = ["local", "persistent", "domain"].map(|name| (name, name));
    let name = a.read_required("location", |value| value.keyword(&names))?;
    let domain = a.name_if_any("domain")?;
    let mut stores = stores.into_iter();
    let location = stores.find(|(own, _)| *own == name).map_or(StoreLocation::Local, |(_, location)| location);
    let location = match (location, domain) {
        (StoreLocation::Domain(_), domain) => StoreLocation::Domain(domain),
        (location, None) => location,
        (_, Some(_)) => {
            let text = format!("domain is given, but the location is {name}; allowed: domain with location=domain");
            return Err(a.error(Problem::Together(text)));
        }
    };
    Ok(Command::Static(Static::SetStore { location }))
}

pub(in super::super) fn set_batch(a: &Arguments<'_>) -> Built<Command> {
    let enabled = a.read_required("mode", |value| value.keyword(&[("enable", true), ("disable", false)]))?;
    Ok(Command::Static(Static::SetBatch { enabled }))
}

pub(in super::super) fn delete_all(_: &Arguments<'_>) -> Built<Command> {
    Ok(Command::Static(Static::DeleteAll))
}

fn which(a: &Arguments<'_>) -> Built<OneOrAll> {
    a.read_required("name", one_or_all)
}

pub(in super::super) fn delete_policy(a: &Arguments<'_>) -> Built<Command> {
    Ok(Command::Static(Static::DeletePolicy(which(a)?)))
}

pub(in super::super) fn delete_filter_list(a: &Arguments<'_>) -> Built<Command> {
    Ok(Command::Static(Static::DeleteFilterList(which(a)?)))
}

pub(in super::super) fn delete_filter_action(a: &Arguments<'_>) -> Built<Command> {
    Ok(Command::Static(Static::DeleteFilterAction(which(a)?)))
}

pub(in super::super) fn delete_rule(a: &Arguments<'_>) -> Built<Command> {
    let which = match (id(a)?, a.read("name", one_or_all)?) {
        (Some(id), _) => RulesNamed::One(id),
        (None, Some(OneOrAll::One(name))) => RulesNamed::One(RuleNamed::Name(name)),
        (None, _) => RulesNamed::All,
    };
    Ok(Command::Static(Static::DeleteRule { which, policy: a.name("policy")? }))
}

/// The file; `.ipsec` is put behind a name without extension.
fn file(a: &Arguments<'_>) -> Built<std::path::PathBuf> {
    let file = a.file("file")?;
    Ok(if file.extension().is_none() { file.with_extension("ipsec") } else { file })
}

pub(in super::super) fn export_policy(a: &Arguments<'_>) -> Built<Command> {
    Ok(Command::Static(Static::ExportPolicy { file: file(a)? }))
}

pub(in super::super) fn import_policy(a: &Arguments<'_>) -> Built<Command> {
    Ok(Command::Static(Static::ImportPolicy { file: file(a)? }))
}

pub(in super::super) fn restore_policy_examples(a: &Arguments<'_>) -> Built<Command> {
    let releases = [("win2k", Release::Win2k), ("xp", Release::Xp), ("win2003", Release::Win2003)];
    let release = a.read_required("release", |value| value.keyword(&releases))?;
    Ok(Command::Static(Static::RestorePolicyExamples { release }))
}

pub(in super::super) fn dump(_: &Arguments<'_>) -> Built<Command> {
    Ok(Command::Static(Static::Dump))
}

const fn show(show: ShowStatic) -> Result<Command, LanguageError> {
    Ok(Command::Static(Static::Show(show)))
}

pub(in super::super) fn show_all(a: &Arguments<'_>) -> Built<Command> {
    show(ShowStatic::All(Layout { table: is_table(a)?, wide: wide(a)?, ..Layout::default() }))
}

pub(in super::super) fn show_policy(a: &Arguments<'_>) -> Built<Command> {
    show(ShowStatic::Policy { which: shown(a)?, layout: layout(a)? })
}

fn lists(a: &Arguments<'_>) -> Built<Lists> {
    Ok(match (a.name_if_any("rule")?, shown(a)?) {
        (Some(rule), _) => Lists::OfRule(rule),
        (None, OneOrAll::One(name)) => Lists::One(name),
        (None, OneOrAll::All) => Lists::All,
    })
}

pub(in super::super) fn show_filter_list(a: &Arguments<'_>) -> Built<Command> {
    let layout = Layout { resolve_dns: resolve_dns(a)?, ..layout(a)? };
    show(ShowStatic::FilterList { which: lists(a)?, layout })
}

pub(in super::super) fn show_filter_action(a: &Arguments<'_>) -> Built<Command> {
    show(ShowStatic::FilterAction { which: lists(a)?, layout: layout(a)? })
}

pub(in super::super) fn show_rule(a: &Arguments<'_>) -> Built<Command> {
    let named = a.read("name", |value| match value {
        value if value.is("all") => Ok(ShowRules::All),
        value if value.is("default") => Ok(ShowRules::Default),
        value => value.name().map(|name| ShowRules::One(RuleNamed::Name(name))),
    })?;
    let which = id(a)?.map(ShowRules::One).or(named).unwrap_or(ShowRules::All);
    let tunnel = a.read("type", |value| value.keyword(&[("tunnel", true), ("transport", false)]))?;
    show(ShowStatic::Rule { which, policy: a.name("policy")?, tunnel, layout: layout(a)? })
}

pub(in super::super) fn show_gpo_assigned_policy(a: &Arguments<'_>) -> Built<Command> {
    show(ShowStatic::GpoAssignedPolicy { gpo: a.name_if_any("name")? })
}

pub(in super::super) fn show_store(_: &Arguments<'_>) -> Built<Command> {
    show(ShowStatic::Store)
}
