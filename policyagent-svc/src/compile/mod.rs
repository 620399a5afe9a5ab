//! From the policy objects to the database that the engine negotiates by, for the addresses of this machine.
mod machine;
mod names;
mod reqid;
mod sides;
mod stores;
#[cfg(test)]
mod tests;
mod tunnel;

pub(crate) use machine::{Hosts, Machine, Needs, Sources, is_me};
pub(crate) use reqid::Reqids;
pub(crate) use stores::{Part, compile, compile_all};

use ikecore::address::HostAddress;
use ikecore::policy::db::PolicyDb;
use ikecore::policy::remote_access::ModeConfig;
use ikecore::policy::rule::{AuthMethod, MainModePolicy, QuickModePolicy, Rule, RuleAction, Uniqueness};
use ikecore::policy::selector::{Prefix, Selector};
use ikecore::proposal::offer::QuickModeOffer;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sides::{PoolSide, View};
use tunnel::{Ends, Halves};

use crate::document::{Fault, Position};
use crate::model::default_response::{self, DefaultResponse};
use crate::model::{self, Action, ConnectionType, Filter, FilterAction, Method, Pfs, PolicyFile, Server, Side};

/// What a policy file is for a machine.
#[derive(Debug)]
pub(crate) struct Compiled {
    /// The database; `version` is 0 and is for the one who puts it in force.
    pub(crate) db: PolicyDb,
    /// Of which filter of its document each filter of a rule was made, in the order of the rule's filters; by the rule's name.
    pub(crate) origins: BTreeMap<String, Vec<Position>>,
    /// What is allowed, but perhaps not meant; those of the file included.
    pub(crate) warnings: Vec<Fault>,
}

impl Compiled {
    /// Where the filter of the document stands of which a filter of a rule was made.
    pub(crate) fn origin(&self, rule: &Rule, filter: &Selector) -> Option<Position> {
        let at = rule.filters.iter().position(|known| known == filter)?;
        self.origins.get(&rule.name)?.get(at).copied()
    }
}

struct Compiler<'a> {
    file: &'a PolicyFile,
    machine: &'a Machine,
    main_mode: Arc<MainModePolicy>,
    halves: Halves<'a>,
    /// By the filter action's name: rules share them.
    quick_modes: BTreeMap<&'a str, Arc<QuickModePolicy>>,
    warnings: &'a mut Vec<Fault>,
}

impl<'a> Compiler<'a> {
    /// The rule, with where each of its filters comes from, unless nothing is left of it on this machine.
    fn rule(&mut self, rule: &'a model::Rule, reqid: u32) -> Option<(Rule, Vec<Position>)> {
        let list = self.file.filter_list(&rule.filter_list)?;
        let action = self.file.filter_action(&rule.filter_action)?;
        let who = format!("rule {:?}", rule.name);
        if list.filters.is_empty() {
            self.warn(rule.filter_list.position, format!("{who}: the filter list {:?} is empty", list.name));
        }
        let Ends { tunnel, exchanged, waits } = self.tunnel(rule)?;
        let (mode_config, blocks) = self.mode_config(rule)?;
        let pool = match &mode_config {
            Some(ModeConfig::Client { .. }) => PoolSide::Local,
            _ => PoolSide::Remote(&blocks),
        };
        let view = View { machine: self.machine, connection: rule.connection_type, exchanged, pool };
        let negotiates = matches!(action.action, Action::Negotiate { .. });
        let (mut filters, mut origins, mut known) = (Vec::new(), Vec::new(), BTreeSet::new());
        for filter in &list.filters {
            let selectors = view.selectors(filter, negotiates);
            if selectors.is_empty() {
                self.warn(filter.position, format!("{who}: {}", self.why_none(rule, filter)));
            }
            for (server, address) in self.left_out(filter) {
                let address = self.machine.named(address);
                let message = format!(
                    "{who}: the filter is not for {:?} at {address}, as the SA driver does nothing for link-local addresses; \
                     allowed: the driver xfrm",
                    server.name()
                );
                self.warn(filter.position, message);
            }
            if rule.connection_type != ConnectionType::All && !filter.sides().contains(&&Side::Me) {
                let kind = rule.connection_type.name();
                let message = format!("{who}: connection_type {kind:?} is about \"me\", which the filter has not");
                self.warn(filter.position, message);
            }
            filters.extend(selectors.into_iter().filter(|selector| known.insert(*selector)));
            origins.resize(filters.len(), filter.position);
        }
        if filters.is_empty() {
            return None;
        }
        // What does not negotiate may have methods, as in Windows every rule does, and uses none.
        let methods = if negotiates { rule.authentication.as_slice() } else { &[] };
        let authentication = self.methods(&who, rule.position, methods);
        let compiled = Rule {
            name: rule.name.clone(),
            filters,
            action: self.action(&who, rule.position, action),
            main_mode: Arc::clone(&self.main_mode),
            authentication,
            tunnel,
            local_id: rule.local_id.clone(),
            remote_id: rule.remote_id.clone(),
            aggressive_mode: rule.aggressive_mode,
            xauth: rule.xauth.clone(),
            mode_config,
            dpd: rule.dpd,
            uniqueness: rule.uniqueness,
            reqid,
        };
        if !negotiates || !(waits || compiled.authentication.is_empty()) {
            if compiled.tunnel.is_some() && compiled.quick_mode().is_some_and(|policy| policy.fallback_to_clear) {
                let message = format!(
                    "{who}: fallback_to_clear of {:?} is for transport mode; in a tunnel nothing falls back",
                    action.name
                );
                self.warn(rule.position, message);
            }
            return Some((compiled, origins));
        }
        if !waits {
            self.warn(rule.position, format!("{who}: none of its methods can be used, so that its traffic is blocked"));
        }
        // In clear it must not go.
        let blocked = Rule {
            action: RuleAction::Block,
            tunnel: None,
            local_id: None,
            remote_id: None,
            aggressive_mode: false,
            xauth: None,
            mode_config: None,
            dpd: None,
            uniqueness: Uniqueness::Keep,
            ..compiled
        };
        Some((blocked, origins))
    }

    fn warn(&mut self, position: Position, message: String) {
        self.warnings.push(self.file.at(position, message));
    }

    /// The servers that a filter names and cannot be for.
    fn left_out(&self, filter: &Filter) -> Vec<(Server, HostAddress)> {
        let servers = filter.sides().into_iter().filter_map(|side| match side {
            Side::Server(server) => Some(*server),
            _ => None,
        });
        let left_out =
            |server| self.machine.servers_left_out.get(&server).into_iter().flatten().map(move |at| (server, *at));
        servers.flat_map(left_out).collect()
    }

    /// Why a filter is for nothing on this machine.
    fn why_none(&self, rule: &model::Rule, filter: &Filter) -> String {
        let missing = filter.sides().into_iter().find_map(|side| match side {
            Side::OnLink(_, interface) if self.machine.link(*interface).is_none() => {
                Some(format!("there is no interface {interface:?}; the filter waits for it"))
            }
            Side::Server(server) if self.machine.servers.get(server).is_none_or(BTreeSet::is_empty) => {
                Some(format!("this machine knows no server {:?}; the filter waits for one", server.name()))
            }
            Side::Host(name) if self.machine.hosts.get(name).is_none_or(BTreeSet::is_empty) => {
                Some(format!("no address of {name:?} was found yet; the filter waits for one"))
            }
            Side::Me if self.machine.addresses_of(rule.connection_type).next().is_none() => {
                let of = match rule.connection_type {
                    ConnectionType::All => return None,
                    other => other.name(),
                };
                Some(format!("no interface of type {of:?} has an address; the filter waits for one"))
            }
            _ => None,
        });
        missing.unwrap_or_else(|| "this machine has no address that the filter could be for".to_owned())
    }

    /// The methods that this machine can use.
    fn methods(&mut self, who: &str, position: Position, methods: &[Method]) -> Vec<AuthMethod> {
        let mut usable = Vec::new();
        for method in methods {
            match method {
                Method::Given(method) => usable.push(method.clone()),
                Method::Kerberos => {
                    self.warn(position, format!("{who}: Kerberos is not available; the method is left out"));
                }
                Method::RootCa(wanted) => match self.machine.certificates.method(wanted) {
                    Ok(method) => {
                        if wanted.certificate_mapping {
                            let message = format!(
                                "{who}: certificate_mapping is not available: any certificate of {:?} will do",
                                wanted.text
                            );
                            self.warn(wanted.position, message);
                        }
                        if let Some(warning) = self.machine.certificates.warning(&method) {
                            self.warn(wanted.position, format!("{who}: {warning}"));
                        }
                        usable.push(method);
                    }
                    Err(why) => self.warn(wanted.position, format!("{who}: the method is left out: {why}")),
                },
            }
        }
        usable
    }

    /// The rule of the default response: its filters are made of what peers propose.
    fn default_response(&mut self, default: &'a DefaultResponse, reqid: u32) -> Option<Rule> {
        let action = self.file.response_action(default)?;
        let authentication = self.methods("the default response", default.position, &default.authentication);
        if authentication.is_empty() {
            let message = "the default response: none of its methods can be used, so that nobody is answered by it";
            self.warn(default.position, message.to_owned());
            return None;
        }
        Some(Rule {
            name: default_response::NAME.to_owned(),
            filters: Vec::new(),
            action: self.action("the default response", default.position, action),
            main_mode: Arc::clone(&self.main_mode),
            authentication,
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

    fn action(&mut self, who: &str, position: Position, action: &'a FilterAction) -> RuleAction {
        let Action::Negotiate { offers, pfs, inbound_passthrough, fallback_to_clear, idle } = &action.action else {
            return match action.action {
                Action::Permit => RuleAction::Permit,
                Action::PermitOnly(direction) => RuleAction::PermitOnly(direction),
                _ => RuleAction::Block,
            };
        };
        if let Some(policy) = self.quick_modes.get(action.name.as_str()) {
            return RuleAction::Negotiate(Arc::clone(policy));
        }
        let group = match *pfs {
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
            inbound_passthrough: *inbound_passthrough,
            fallback_to_clear: *fallback_to_clear,
            idle: *idle,
        });
        self.quick_modes.insert(&action.name, Arc::clone(&policy));
        RuleAction::Negotiate(policy)
    }
}
