//! From the policy objects to the database that the engine negotiates by, for the addresses of this machine.
mod addresses;
mod reqid;
mod sides;
#[cfg(test)]
mod tests;

pub(crate) use addresses::Machine;
pub(crate) use reqid::Reqids;

use ikecore::policy::db::PolicyDb;
use ikecore::policy::remote_access::ModeConfig;
use ikecore::policy::rule::{MainModePolicy, QuickModePolicy, Rule, RuleAction, TunnelEndpoints, Uniqueness};
use ikecore::policy::selector::Prefix;
use ikecore::proposal::offer::QuickModeOffer;
use ikecore::proposal::suite::Lifetime;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use sides::PoolSide;

use crate::document::{Fault, Position};
use crate::model::default_response::{self, DefaultResponse};
use crate::model::{self, Action, FilterAction, Pfs, PolicyFile, Side};

/// What a policy file is for a machine.
#[derive(Debug)]
pub(crate) struct Compiled {
    /// The database; `version` is 0 and is for the one who puts it in force.
    pub(crate) db: PolicyDb,
    /// What is allowed, but perhaps not meant; those of the file included.
    pub(crate) warnings: Vec<Fault>,
}

/// Compiles the assigned policy of `file` for `machine`. The fault is one that only shows when all is put
/// together.
pub(crate) fn compile(file: &PolicyFile, machine: &Machine, reqids: &mut Reqids) -> Result<Compiled, Fault> {
    let Some(policy) = file.assigned() else {
        return Ok(Compiled { db: PolicyDb::default(), warnings: file.warnings.clone() });
    };
    let active: Vec<&model::Rule> = policy.rules.iter().filter(|rule| rule.active).collect();
    let default = policy.default_response.as_ref().filter(|default| default.active);
    let names = active.iter().map(|rule| rule.name.as_str()).chain(default.map(|_| default_response::NAME));
    let numbers = reqids.assign(names).ok_or_else(|| {
        let (name, count) = (&policy.name, active.len());
        file.at(policy.position, format!("policy {name:?} has {count} active rules, allowed: {}", reqid::MAX))
    })?;
    // Permit and block need no main mode; the database wants one with each rule all the same.
    let no_main_mode = || MainModePolicy {
        name: policy.name.clone(),
        offers: Vec::new(),
        lifetime: Lifetime::default(),
        quick_mode_limit: 0,
        soft_lifetime: 0,
    };
    let main_mode = policy.main_mode.clone().unwrap_or_else(|| Arc::new(no_main_mode()));
    let mut warnings = file.warnings.clone();
    let mut compiler = Compiler { file, machine, main_mode, quick_modes: BTreeMap::new(), warnings: &mut warnings };
    let default = default.zip(numbers.last()).and_then(|(default, reqid)| compiler.default_response(default, *reqid));
    let rules = active.iter().zip(numbers).filter_map(|(rule, reqid)| compiler.rule(rule, reqid)).map(Arc::new);
    let rules = rules.collect();
    warnings.sort();
    warnings.dedup();
    let local_addresses = machine.addresses.iter().copied().map(Prefix::host).collect();
    let db = PolicyDb::new(0, rules, local_addresses).and_then(|db| match default {
        Some(default) => db.with_default_response(default),
        None => Ok(db),
    });
    let db = db.map_err(|error| {
        let rule = active.iter().find(|rule| rule.name == error.rule);
        file.at(rule.map_or(policy.position, |rule| rule.position), error.to_string())
    })?;
    Ok(Compiled { db: db.with_link_local(machine.on_links.iter().copied().collect()), warnings })
}

struct Compiler<'a> {
    file: &'a PolicyFile,
    machine: &'a Machine,
    main_mode: Arc<MainModePolicy>,
    /// By the filter action's name: rules share them.
    quick_modes: BTreeMap<&'a str, Arc<QuickModePolicy>>,
    warnings: &'a mut Vec<Fault>,
}

impl<'a> Compiler<'a> {
    /// The rule, unless nothing is left of it on this machine.
    fn rule(&mut self, rule: &'a model::Rule, reqid: u32) -> Option<Rule> {
        let list = self.file.filter_list(&rule.filter_list)?;
        let action = self.file.filter_action(&rule.filter_action)?;
        let (tunnel, exchanged) = self.tunnel(rule)?;
        let (mode_config, blocks) = self.mode_config(rule)?;
        let pool = match &mode_config {
            Some(ModeConfig::Client { .. }) => PoolSide::Local,
            _ => PoolSide::Remote(&blocks),
        };
        let negotiates = matches!(action.action, Action::Negotiate { .. });
        let mut filters = Vec::new();
        for filter in &list.filters {
            let selectors = sides::selectors(filter, self.machine, exchanged, pool);
            if selectors.is_empty() {
                let absent = [filter.source, filter.destination].into_iter().find_map(|side| match side {
                    Side::OnLink(_, interface) => Some(interface).filter(|name| self.machine.link(*name).is_none()),
                    _ => None,
                });
                let message = match absent {
                    Some(interface) => {
                        format!("rule {:?}: there is no interface {interface:?}; the filter waits for it", rule.name)
                    }
                    None => format!("rule {:?}: this machine has no address that the filter could be for", rule.name),
                };
                self.warnings.push(self.file.at(filter.position, message));
            }
            if !filter.mirrored && !negotiates {
                let message = format!(
                    "rule {:?}: the filter is not mirrored, but {:?} holds for both directions",
                    rule.name, action.name
                );
                self.warnings.push(self.file.at(filter.position, message));
            }
            for selector in selectors {
                if !filters.contains(&selector) {
                    filters.push(selector);
                }
            }
        }
        if filters.is_empty() {
            return None;
        }
        Some(Rule {
            name: rule.name.clone(),
            filters,
            action: self.action(&format!("rule {:?}", rule.name), rule.position, action),
            main_mode: Arc::clone(&self.main_mode),
            authentication: rule.authentication.clone(),
            tunnel,
            local_id: rule.local_id.clone(),
            remote_id: rule.remote_id.clone(),
            aggressive_mode: rule.aggressive_mode,
            xauth: rule.xauth.clone(),
            mode_config,
            dpd: rule.dpd,
            uniqueness: rule.uniqueness,
            reqid,
        })
    }

    /// The rule of the default response: its filters are made of what peers propose.
    fn default_response(&mut self, default: &DefaultResponse, reqid: u32) -> Option<Rule> {
        let action = self.file.filter_action(&default.filter_action)?;
        Some(Rule {
            name: default_response::NAME.to_owned(),
            filters: Vec::new(),
            action: self.action("the default response", default.position, action),
            main_mode: Arc::clone(&self.main_mode),
            authentication: default.authentication.clone(),
            tunnel: None,
            local_id: default.local_id.clone(),
            remote_id: None,
            aggressive_mode: false,
            xauth: None,
            mode_config: None,
            dpd: None,
            uniqueness: Uniqueness::Keep,
            reqid,
        })
    }

    /// Mode Config, and the blocks of the pool that it gives addresses of.
    fn mode_config(&self, rule: &model::Rule) -> Option<(Option<ModeConfig>, Vec<Prefix>)> {
        Some(match &rule.mode_config {
            None => (None, Vec::new()),
            Some(model::ModeConfig::Client { push }) => (Some(ModeConfig::Client { push: *push }), Vec::new()),
            Some(model::ModeConfig::Server { pool, push }) => {
                let pool = Arc::clone(&self.file.pool(pool)?.pool);
                let blocks = pool.blocks();
                (Some(ModeConfig::Server { pool, push: *push }), blocks)
            }
        })
    }

    /// The tunnel's endpoints seen from this machine, and whether they had to be exchanged for that; nothing if this
    /// machine can have no tunnel to there.
    fn tunnel(&mut self, rule: &model::Rule) -> Option<(Option<TunnelEndpoints>, bool)> {
        let Some(tunnel) = rule.tunnel else { return Some((None, false)) };
        let Some(remote) = tunnel.remote else {
            if let Some(local) = tunnel.local.filter(|local| !self.machine.addresses.contains(local)) {
                let message = format!("rule {:?}: the tunnel's end {local} is no address of this machine", rule.name);
                self.warnings.push(self.file.at(rule.position, message));
            }
            return Some((Some(tunnel), false));
        };
        let family = |address: &IpAddr| address.is_ipv4() == remote.is_ipv4();
        if tunnel.local.is_none() && !self.machine.addresses.iter().any(family) {
            let message = format!("rule {:?}: this machine has no address for a tunnel to {remote}", rule.name);
            self.warnings.push(self.file.at(rule.position, message));
            return None;
        }
        let is_here = |address: IpAddr| self.machine.addresses.contains(&address);
        match tunnel.local {
            Some(local) if is_here(remote) && !is_here(local) => {
                Some((Some(TunnelEndpoints { local: Some(remote), remote: Some(local) }), true))
            }
            local => {
                let stranger = local.filter(|local| !is_here(*local));
                if let Some(local) = stranger {
                    let message = format!(
                        "rule {:?}: neither end of the tunnel, {local} and {remote}, is an address of this machine",
                        rule.name
                    );
                    self.warnings.push(self.file.at(rule.position, message));
                } else if is_here(remote) {
                    let message = format!("rule {:?}: the tunnel's remote end {remote} is this machine", rule.name);
                    self.warnings.push(self.file.at(rule.position, message));
                }
                Some((Some(tunnel), false))
            }
        }
    }

    fn action(&mut self, who: &str, position: Position, action: &'a FilterAction) -> RuleAction {
        let (offers, pfs, inbound_passthrough, idle) = match &action.action {
            Action::Permit => return RuleAction::Permit,
            Action::Block => return RuleAction::Block,
            Action::Negotiate { offers, pfs, inbound_passthrough, idle } => (offers, *pfs, *inbound_passthrough, *idle),
        };
        if let Some(policy) = self.quick_modes.get(action.name.as_str()) {
            return RuleAction::Negotiate(Arc::clone(policy));
        }
        let group = match pfs {
            Pfs::Off => None,
            Pfs::Group(group) => Some(group),
            Pfs::MainModeGroup => {
                // What the peers will agree on is not known yet, and RFC 2409 §5.5 allows one group in a quick mode.
                let mut groups = self.main_mode.offers.iter().map(|offer| offer.group);
                let first = groups.next();
                if let Some(group) = first
                    && groups.any(|other| other != group)
                {
                    let message = format!(
                        "{who}: pfs of filter action {:?} is true and main mode offers several groups: quick mode takes {}",
                        action.name,
                        group.name()
                    );
                    self.warnings.push(self.file.at(position, message));
                }
                first
            }
        };
        let offer = |offer: &model::Offer| QuickModeOffer {
            suite: offer.suite,
            lifetime: offer.lifetime,
            pfs: group,
            extended_sequence_numbers: offer.extended_sequence_numbers,
        };
        let policy = Arc::new(QuickModePolicy {
            name: action.name.clone(),
            offers: offers.iter().map(offer).collect(),
            inbound_passthrough,
            fallback_to_clear: false,
            idle,
        });
        self.quick_modes.insert(&action.name, Arc::clone(&policy));
        RuleAction::Negotiate(policy)
    }
}
