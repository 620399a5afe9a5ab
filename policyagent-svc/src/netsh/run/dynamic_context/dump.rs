//! `dump`: a script that makes the dynamic policies and rules anew.
use super::objects::{actions_of, is_made};
use crate::model::{self, Pfs, Side};
use crate::netsh::command::{
    Address, Command, Dynamic, DynamicRule, MainModeSettings, PfsGroup, QuickModeSettings, RuleKey, TunnelEnd,
};
use crate::netsh::run::RunError;
use crate::netsh::run::document::{Kind, PolicyDocument, rules_of};
use crate::netsh::run::script::{Script, connection_type, methods};

/// The script. It has pre-shared keys in clear, and says so.
pub(super) fn dump(document: &PolicyDocument) -> Result<String, RunError> {
    let file = document.objects()?;
    let mut script = Script::default();
    for policy in &file.policies {
        let Some(main_mode) = &policy.main_mode else { continue };
        let settings = MainModeSettings {
            quick_mode_limit: Some(main_mode.quick_mode_limit),
            lifetime: Some(main_mode.lifetime.seconds),
            soft_sa_lifetime: Some(main_mode.soft_lifetime),
            offers: Some(main_mode.offers.clone()),
        };
        script.push(&Command::Dynamic(Dynamic::AddMainModePolicy { name: policy.name.clone(), policy: settings }));
    }
    for action in file.filter_actions.iter().filter(|action| !is_made(&action.name)) {
        let model::Action::Negotiate { offers, pfs, fallback_to_clear, .. } = &action.action else { continue };
        let pfs = match pfs {
            Pfs::Off => PfsGroup::None,
            Pfs::MainModeGroup => PfsGroup::MainMode,
            Pfs::Group(group) => PfsGroup::Group(*group),
        };
        let settings =
            QuickModeSettings { soft: Some(*fallback_to_clear), pfs: Some(pfs), offers: Some(offers.clone()) };
        script.push(&Command::Dynamic(Dynamic::AddQuickModePolicy { name: action.name.clone(), policy: settings }));
    }
    for (policy, table) in file.policies.iter().zip(document.tables(Kind::Policy)) {
        for (rule, table) in policy.rules.iter().zip(rules_of(table)) {
            // A rule that is for a name has a filter for each of its addresses.
            let Some(filter) = file.filter_list(&rule.filter_list).and_then(|list| list.filters.first()) else {
                continue;
            };
            let address = |side: &Side, name: &Option<String>| match name {
                Some(name) => Address::Name(name.clone()),
                None => Address::Side(side.clone()),
            };
            let key = RuleKey {
                source: address(&filter.source, &filter.source_name),
                destination: address(&filter.destination, &filter.destination_name),
                protocol: filter.protocol,
                source_port: filter.source_port,
                destination_port: filter.destination_port,
                mirrored: filter.mirrored,
                connection_type: connection_type(rule.connection_type),
                tunnel: rule.tunnel.and_then(|tunnel| tunnel.remote).map(TunnelEnd::Address),
            };
            let (both, quick_mode) = actions_of(table);
            let (authentication, all) = methods(table);
            script.note_unless(all, &rule.name);
            script.push(&Command::Dynamic(Dynamic::AddRule(DynamicRule {
                key,
                main_mode_policy: Some(policy.name.clone()),
                quick_mode_policy: quick_mode.map(str::to_owned),
                action_inbound: Some(both.0),
                action_outbound: Some(both.1),
                authentication: Some(authentication),
            })));
        }
    }
    Ok(script.into_text())
}
