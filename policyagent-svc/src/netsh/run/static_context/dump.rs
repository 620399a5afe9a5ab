//! `dump`: a script that makes the store anew.
use ikecore::policy::selector::Direction;
use toml_edit::{Item, Table};

use crate::model::default_response::ResponseAction;
use crate::model::{self, FilterList, Pfs, PolicyFile, Side};
use crate::netsh::command::{
    Action, AddFilter, Address, Command, DefaultRuleSettings, FilterActionSettings, Named, PolicySettings,
    RuleSettings, Static, TunnelEnd,
};
use crate::netsh::run::RunError;
use crate::netsh::run::document::{Kind, PolicyDocument, rules_of};
use crate::netsh::run::script::{Script, connection_type, methods};
use crate::netsh::run::show::view::BEYOND;

/// The script. It has pre-shared keys in clear, and says so.
pub(in crate::netsh::run) fn dump(document: &PolicyDocument) -> Result<String, RunError> {
    let file = document.objects()?;
    let mut script = Script::default();
    for list in &file.filter_lists {
        filter_list(&mut script, list);
    }
    for action in &file.filter_actions {
        filter_action(&mut script, action);
    }
    for (policy, table) in file.policies.iter().zip(document.tables(Kind::Policy)) {
        self::policy(&mut script, &file, policy, table);
    }
    for pool in &file.pools {
        script.note(&format!("The pool {:?} cannot be written here.", pool.pool.name));
    }
    for policy in file.policies.iter().filter(|policy| policy.assigned) {
        let settings = PolicySettings { assign: Some(true), ..PolicySettings::default() };
        let which = Named::Name(policy.name.clone());
        script.command(Static::SetPolicy { which, new_name: None, policy: settings, gpo: None });
    }
    Ok(script.into_text())
}

impl Script {
    fn command(&mut self, command: Static) {
        self.push(&Command::Static(command));
    }
}

fn filter_list(script: &mut Script, list: &FilterList) {
    script.command(Static::AddFilterList { name: list.name.clone(), description: list.description.clone() });
    for filter in &list.filters {
        if filter.sides().contains(&&Side::Pool) {
            script.note(&format!("A filter of {:?} cannot be written here: {filter}", list.name));
            continue;
        }
        let address = |side: &Side| match side {
            Side::Host(name) => Address::Name(name.clone()),
            side => Address::Side(side.clone()),
        };
        if filter.sides().iter().any(|side| matches!(side, Side::Host(_))) {
            script.note("The name in the next line is resolved when the line runs, and not followed afterwards.");
        }
        script.command(Static::AddFilter(AddFilter {
            filter_list: list.name.clone(),
            source: address(&filter.source),
            destination: address(&filter.destination),
            description: filter.description.clone(),
            protocol: filter.protocol,
            mirrored: filter.mirrored,
            source_port: filter.source_port,
            destination_port: filter.destination_port,
        }));
    }
}

fn filter_action(script: &mut Script, action: &model::FilterAction) {
    let mut settings =
        FilterActionSettings { description: action.description.clone(), ..FilterActionSettings::default() };
    settings.action = Some(match &action.action {
        model::Action::Permit => Action::Permit,
        model::Action::Block => Action::Block,
        one_way @ model::Action::PermitOnly(_) => {
            let inbound = one_way.word(Direction::Inbound);
            script.note(&format!(
                "{:?} is to {inbound} what arrives, which cannot be written here: it blocks.",
                action.name
            ));
            Action::Block
        }
        model::Action::Negotiate { offers, pfs, inbound_passthrough, fallback_to_clear, idle } => {
            settings.offers = Some(offers.clone());
            settings.quick_mode_pfs = Some(*pfs != Pfs::Off);
            settings.inbound_passthrough = Some(*inbound_passthrough);
            settings.soft = Some(*fallback_to_clear);
            if let Pfs::Group(group) = pfs {
                let name = group.name();
                script.note(&format!("{:?} has {name} for quick mode, which cannot be written here.", action.name));
            }
            if *idle != 0 {
                script.note(&format!("{:?} has idle = {idle}, which cannot be written here.", action.name));
            }
            Action::Negotiate
        }
    });
    script.command(Static::AddFilterAction { name: action.name.clone(), action: settings });
}

fn policy(script: &mut Script, file: &PolicyFile, policy: &model::Policy, table: &Table) {
    let main_mode = policy.main_mode.as_deref();
    let default = policy.default_response.as_ref();
    // To the model it is a limit of one.
    let main_mode_table = table.get("main_mode").and_then(Item::as_table_like);
    let master_pfs = main_mode_table.and_then(|table| table.get("master_pfs")).and_then(Item::as_bool).unwrap_or(false);
    let settings = PolicySettings {
        description: policy.description.clone(),
        master_pfs: Some(master_pfs),
        quick_mode_limit: main_mode.map(|main_mode| main_mode.quick_mode_limit),
        main_mode_lifetime: main_mode.map(|main_mode| main_mode.lifetime.seconds),
        activate_default_rule: Some(default.is_some_and(|default| default.active)),
        polling_interval: Some(policy.polling_interval),
        assign: None,
        offers: main_mode.map(|main_mode| main_mode.offers.clone()),
    };
    script.command(Static::AddPolicy { name: policy.name.clone(), policy: settings });
    let default_table = table.get("default_response").and_then(Item::as_table_like);
    if let (Some(default), Some(table)) = (default, default_table) {
        let (authentication, all) = methods(table);
        script.note_unless(all, "default response");
        if matches!(default.action, ResponseAction::Named(_)) {
            script.note("The default response shares a filter action, which cannot be written here: it gets its own.");
        }
        let action = file.response_action(default).map(|action| &action.action);
        let rule = match action {
            Some(model::Action::Negotiate { offers, pfs, .. }) => DefaultRuleSettings {
                quick_mode_pfs: Some(*pfs != Pfs::Off),
                activate: (!all).then_some(false),
                offers: Some(offers.clone()),
                authentication: Some(authentication),
            },
            _ => DefaultRuleSettings {
                activate: (!all).then_some(false),
                authentication: Some(authentication),
                ..DefaultRuleSettings::default()
            },
        };
        script.command(Static::SetDefaultRule { policy: policy.name.clone(), rule });
    }
    for (rule, table) in policy.rules.iter().zip(rules_of(table)) {
        self::rule(script, policy, rule, table);
    }
}

/// What a rule may have besides, without which it takes more peers.
const NARROWS: [&str; 2] = ["remote_id", "xauth"];

fn rule(script: &mut Script, policy: &model::Policy, rule: &model::Rule, table: &Table) {
    let (authentication, all) = methods(table);
    script.note_unless(all, &rule.name);
    let beyond: Vec<&str> = BEYOND.into_iter().filter(|key| table.contains_key(key)).collect();
    if !beyond.is_empty() {
        script.note(&format!("The rule {:?} has also {}, which cannot be written here.", rule.name, beyond.join(", ")));
    }
    let remote = rule.tunnel.and_then(|tunnel| tunnel.remote);
    let lacks_an_end = rule.tunnel.is_some_and(|tunnel| tunnel.remote.is_none());
    if rule.tunnel.is_some_and(|tunnel| tunnel.remote.is_none() || tunnel.local.is_some()) {
        script.note(&format!("Of the ends of the tunnel of {:?} only one address can be written here.", rule.name));
    }
    let takes_more = !all || lacks_an_end || beyond.iter().any(|key| NARROWS.contains(key));
    if rule.active && takes_more {
        script.note(&format!(
            "The rule {:?} is not active here: without that it would take peers that it did not.",
            rule.name
        ));
    }
    let settings = RuleSettings {
        description: rule.description.clone(),
        filter_list: Some(rule.filter_list.name.clone()),
        filter_action: Some(rule.filter_action.name.clone()),
        tunnel: remote.map(TunnelEnd::Address),
        connection_type: Some(connection_type(rule.connection_type)),
        activate: Some(rule.active && !takes_more),
        authentication: Some(authentication),
    };
    script.command(Static::AddRule { name: rule.name.clone(), policy: policy.name.clone(), rule: settings });
}
