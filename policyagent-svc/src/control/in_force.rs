//! What is in force, policy by policy and filter by filter: the shape of `--format json`.
use ikecore::policy::db::PolicyDb;
use ikecore::policy::rule::{AuthMethod, MainModePolicy, QuickModePolicy, Rule};
use ikecore::policy::selector::{Direction, Selector, weight};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use super::report::{Lifetime, SelectorReport};
use crate::compile::Part;
use crate::model::{self, PolicyFile};

/// The policies and filters that the engine negotiates by.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct InForceReport {
    /// The policies in force.
    #[serde(default)]
    pub(crate) policies: Vec<PolicyInForceReport>,
    /// Those of the policies in force, whether they have rules or not, each once.
    pub(crate) main_mode_policies: Vec<MainModePolicyReport>,
    /// Those of rules in force, and all of the dynamic store, each once.
    pub(crate) quick_mode_policies: Vec<QuickModePolicyReport>,
    /// The specific filters, seen from this host, those that decide first before others.
    pub(crate) filters: Vec<FilterReport>,
    /// The generic filters, as the stores have them.
    pub(crate) generic_filters: Vec<FilterReport>,
}

/// A policy in force.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct PolicyInForceReport {
    /// The name.
    pub(crate) name: String,
    /// The store that has it.
    pub(crate) store: String,
    /// What its author says of it.
    pub(crate) description: Option<String>,
    /// When it was last changed, if tools keep that.
    pub(crate) last_modified: Option<String>,
}

/// How main mode is negotiated.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct MainModePolicyReport {
    /// The name.
    pub(crate) name: String,
    /// In order of preference.
    pub(crate) offers: Vec<MainModeOfferReport>,
    /// The life of an ISAKMP SA.
    pub(crate) lifetime: Lifetime,
    /// Of soft SAs; 0 is no limit.
    pub(crate) soft_lifetime_seconds: u32,
    /// Of an ISAKMP SA; 0 is no limit.
    pub(crate) quick_mode_limit: u32,
}

/// An offer of main mode.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct MainModeOfferReport {
    /// The cipher.
    pub(crate) cipher: String,
    /// The hash.
    pub(crate) hash: String,
    /// The Diffie-Hellman group.
    pub(crate) group: String,
}

/// How traffic is protected.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct QuickModePolicyReport {
    /// The name.
    pub(crate) name: String,
    /// In order of preference.
    pub(crate) offers: Vec<QuickModeOfferReport>,
    /// The group of its own Diffie-Hellman exchange, if it has one.
    pub(crate) pfs: Option<String>,
    /// Clear packets that come in are accepted.
    pub(crate) inbound_passthrough: bool,
    /// With peers that do not answer, traffic goes in clear.
    pub(crate) fallback_to_clear: bool,
}

/// An offer of quick mode.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct QuickModeOfferReport {
    /// The protocols and their algorithms.
    pub(crate) suite: String,
    /// The life of the SAs.
    pub(crate) lifetime: Lifetime,
}

/// A filter. Of a specific one the source is this host's side.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct FilterReport {
    /// The rule.
    pub(crate) rule: String,
    /// How specific it is: of the specific filters that are for a packet, the one with the highest weight decides.
    pub(crate) weight: Option<u32>,
    /// The same of its two ends alone: that of the filter of main mode.
    pub(crate) ends_weight: Option<u32>,
    /// Addresses, or the words for them.
    pub(crate) source: String,
    /// The same.
    pub(crate) destination: String,
    /// The IP protocol number; 0 is any.
    pub(crate) protocol: u8,
    /// 0 is any.
    pub(crate) source_port: u16,
    /// 0 is any.
    pub(crate) destination_port: u16,
    /// Also the way back.
    pub(crate) mirrored: bool,
    /// Of a specific filter that is not mirrored, which way its packets go: `inbound` or `outbound`.
    pub(crate) direction: Option<String>,
    /// `all`, `lan`, `dialup`; of a specific filter `all`, since it is for this host's addresses as they are.
    pub(crate) connection_type: String,
    /// `permit`, `block`, `negotiate`: what becomes of packets that leave.
    pub(crate) action: String,
    /// The same of packets that arrive.
    pub(crate) inbound_action: String,
    /// The main-mode policy, if it negotiates.
    pub(crate) main_mode_policy: Option<String>,
    /// The quick-mode policy, if it negotiates.
    pub(crate) quick_mode_policy: Option<String>,
    /// Clear packets that come in are accepted.
    pub(crate) inbound_passthrough: bool,
    /// In order of preference.
    pub(crate) authentication: Vec<String>,
    /// This host's end and the peer's, in tunnel mode; an end is `any` where it is not known yet.
    pub(crate) tunnel: Option<(String, String)>,
}

impl InForceReport {
    /// What `parts`, which were compiled to `db`, come to.
    pub(crate) fn new(db: &PolicyDb, parts: &[Part<'_>]) -> Self {
        let mut report = Self::default();
        let (mut main, mut quick) = (BTreeSet::new(), BTreeSet::new());
        for rule in db.rules.iter().chain(db.default_response()) {
            let Some(policy) = rule.quick_mode() else { continue };
            // Policies of several stores can have the same name.
            if main.insert(Arc::as_ptr(&rule.main_mode)) {
                report.main_mode_policies.push(main_mode(&rule.main_mode));
            }
            if quick.insert(Arc::as_ptr(policy)) {
                report.quick_mode_policies.push(quick_mode(policy));
            }
        }
        for policy in parts.iter().flat_map(|part| part.policies()) {
            if let Some(policy) = policy.main_mode.as_ref().filter(|policy| main.insert(Arc::as_ptr(policy))) {
                report.main_mode_policies.push(main_mode(policy));
            }
        }
        for action in parts.iter().filter(|part| part.everything).flat_map(|part| &part.file.filter_actions) {
            let is_there = report.quick_mode_policies.iter().any(|policy| policy.name == action.name);
            report.quick_mode_policies.extend(written_quick_mode(action).filter(|_| !is_there));
        }
        let policies = parts.iter().flat_map(|part| part.policies().map(|policy| (part.file, policy)));
        report.policies = parts
            .iter()
            .flat_map(|part| part.policies().map(|policy| (part.store, policy)))
            .map(|(store, policy)| PolicyInForceReport {
                name: policy.name.clone(),
                store: store.to_owned(),
                description: policy.description.clone(),
                last_modified: policy.record.last_modified.map(|time| time.to_string()),
            })
            .collect();
        report.generic_filters = policies.flat_map(|(file, policy)| generic(file, policy)).collect();
        report.filters = db.ranked().map(|(rule, filter)| self::filter(rule, filter)).collect();
        report
    }
}

fn main_mode(policy: &MainModePolicy) -> MainModePolicyReport {
    let offers = policy.offers.iter().map(|offer| MainModeOfferReport {
        cipher: offer.cipher.name().to_owned(),
        hash: offer.hash.name().to_owned(),
        group: offer.group.name().to_owned(),
    });
    MainModePolicyReport {
        name: policy.name.clone(),
        offers: offers.collect(),
        lifetime: policy.lifetime.into(),
        soft_lifetime_seconds: policy.soft_lifetime,
        quick_mode_limit: policy.quick_mode_limit,
    }
}

fn quick_mode(policy: &QuickModePolicy) -> QuickModePolicyReport {
    let offers = policy.offers.iter();
    let offers =
        offers.map(|offer| QuickModeOfferReport { suite: offer.suite.to_string(), lifetime: offer.lifetime.into() });
    QuickModePolicyReport {
        name: policy.name.clone(),
        offers: offers.collect(),
        pfs: policy.offers.first().and_then(|offer| offer.pfs).map(|group| group.name().to_owned()),
        inbound_passthrough: policy.inbound_passthrough,
        fallback_to_clear: policy.fallback_to_clear,
    }
}

/// A filter action that negotiates, as it is written.
fn written_quick_mode(action: &model::FilterAction) -> Option<QuickModePolicyReport> {
    let model::Action::Negotiate { offers, pfs, inbound_passthrough, fallback_to_clear, .. } = &action.action else {
        return None;
    };
    let pfs = match pfs {
        model::Pfs::Off => None,
        model::Pfs::MainModeGroup => Some("that of main mode".to_owned()),
        model::Pfs::Group(group) => Some(group.name().to_owned()),
    };
    let offers = offers
        .iter()
        .map(|offer| QuickModeOfferReport { suite: offer.suite.to_string(), lifetime: offer.lifetime.into() });
    Some(QuickModePolicyReport {
        name: action.name.clone(),
        offers: offers.collect(),
        pfs,
        inbound_passthrough: *inbound_passthrough,
        fallback_to_clear: *fallback_to_clear,
    })
}

fn method_name(method: &AuthMethod) -> &'static str {
    match method {
        AuthMethod::PreSharedKey(_) => "preshared key",
        AuthMethod::Certificate(_) => "certificate",
        AuthMethod::Hybrid(_) => "hybrid",
    }
}

fn written_method(method: &model::Method) -> &'static str {
    match method {
        model::Method::Given(method) => method_name(method),
        model::Method::Kerberos => "kerberos",
        model::Method::RootCa(_) => "certificate",
    }
}

fn end_name(end: Option<IpAddr>) -> String {
    end.map_or_else(|| "any".to_owned(), |end| end.to_string())
}

/// The filters of the active rules of a policy, as they are written.
fn generic<'a>(file: &'a PolicyFile, policy: &'a model::Policy) -> impl Iterator<Item = FilterReport> + 'a {
    policy.rules.iter().filter(|rule| rule.active).flat_map(move |rule| {
        let action = file.filter_action(&rule.filter_action);
        let passes = action
            .is_some_and(|action| matches!(action.action, model::Action::Negotiate { inbound_passthrough: true, .. }));
        let word = move |direction| action.map(|action| action.action.word(direction)).unwrap_or_default();
        let negotiates = action.filter(|action| matches!(action.action, model::Action::Negotiate { .. }));
        let filters = file.filter_list(&rule.filter_list).map(|list| list.filters.as_slice()).unwrap_or_default();
        filters.iter().map(move |filter| FilterReport {
            rule: rule.name.clone(),
            weight: None,
            ends_weight: None,
            source: filter.source.to_string(),
            destination: filter.destination.to_string(),
            protocol: filter.protocol,
            source_port: filter.source_port,
            destination_port: filter.destination_port,
            mirrored: filter.mirrored,
            direction: None,
            action: word(Direction::Outbound).to_owned(),
            inbound_action: word(Direction::Inbound).to_owned(),
            main_mode_policy: negotiates.map(|_| policy.name.clone()),
            quick_mode_policy: negotiates.map(|action| action.name.clone()),
            inbound_passthrough: passes,
            connection_type: rule.connection_type.name().to_owned(),
            authentication: rule.authentication.iter().map(|one| written_method(one).to_owned()).collect(),
            tunnel: rule.tunnel.map(|tunnel| (end_name(tunnel.local), end_name(tunnel.remote))),
        })
    })
}

fn filter(rule: &Rule, filter: &Selector) -> FilterReport {
    let quick_mode = rule.quick_mode();
    let selector = SelectorReport::from(*filter);
    FilterReport {
        rule: rule.name.clone(),
        weight: Some(weight(filter)),
        ends_weight: Some(weight(&Selector::between(filter.local, filter.remote))),
        source: selector.local,
        destination: selector.remote,
        protocol: selector.protocol,
        source_port: selector.local_port,
        destination_port: selector.remote_port,
        mirrored: filter.direction.is_none(),
        direction: filter.direction.map(|direction| direction.to_string()),
        connection_type: model::ConnectionType::All.name().to_owned(),
        action: rule.action.word(Direction::Outbound).to_owned(),
        inbound_action: rule.action.word(Direction::Inbound).to_owned(),
        main_mode_policy: quick_mode.map(|_| rule.main_mode.name.clone()),
        quick_mode_policy: quick_mode.map(|policy| policy.name.clone()),
        inbound_passthrough: quick_mode.is_some_and(|policy| policy.inbound_passthrough),
        authentication: rule.authentication.iter().map(|one| method_name(one).to_owned()).collect(),
        tunnel: rule.tunnel.map(|tunnel| (end_name(tunnel.local), end_name(tunnel.remote))),
    }
}
