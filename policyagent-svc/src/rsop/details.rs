//! A policy in full, for people and programs; no secret is among it.
use ikecore::policy::rule::{AuthMethod, HybridMethod, OwnCertificate};
use ikecore::policy::selector::Direction;
use serde::Serialize;

use crate::model::{Action, FilterAction, Method, ModeConfig, Pfs, Policy, PolicyFile, Rule};

/// A policy.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct PolicyDetails {
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    pub(crate) guid: Option<String>,
    pub(crate) last_modified: Option<String>,
    /// Seconds.
    pub(crate) polling_interval: u32,
    pub(crate) main_mode: Option<MainModeDetails>,
    pub(crate) rules: Vec<RuleDetails>,
    pub(crate) default_response: Option<DefaultResponseDetails>,
}

/// How main mode is negotiated.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct MainModeDetails {
    /// In order of preference.
    pub(crate) offers: Vec<String>,
    /// Seconds.
    pub(crate) lifetime: u32,
    /// 0 is no limit; 1 is master PFS.
    pub(crate) quick_mode_limit: u32,
}

/// A rule with all that it names.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct RuleDetails {
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    pub(crate) active: bool,
    pub(crate) filter_list: String,
    /// As they are written.
    pub(crate) filters: Vec<String>,
    pub(crate) filter_action: ActionDetails,
    /// In order of preference.
    pub(crate) authentication: Vec<String>,
    /// The ends; nothing is transport mode.
    pub(crate) tunnel: Option<TunnelDetails>,
    pub(crate) connection_type: &'static str,
    pub(crate) mode_config: Option<String>,
}

/// The ends of a tunnel; nothing is whichever.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct TunnelDetails {
    pub(crate) local: Option<std::net::IpAddr>,
    pub(crate) remote: Option<std::net::IpAddr>,
}

/// A filter action.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct ActionDetails {
    pub(crate) name: String,
    /// `permit`, `block` or `negotiate`.
    pub(crate) action: &'static str,
    /// In order of preference.
    pub(crate) offers: Vec<String>,
    /// `none`, `main mode group`, or a group.
    pub(crate) pfs: &'static str,
    pub(crate) inbound_passthrough: bool,
    pub(crate) fallback_to_clear: bool,
}

/// The default response.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct DefaultResponseDetails {
    pub(crate) active: bool,
    pub(crate) filter_action: Option<ActionDetails>,
    /// In order of preference.
    pub(crate) authentication: Vec<String>,
}

/// A policy of a document in full.
pub(super) fn policy(file: &PolicyFile, policy: &Policy) -> PolicyDetails {
    let main_mode = policy.main_mode.as_ref().map(|main_mode| MainModeDetails {
        offers: main_mode
            .offers
            .iter()
            .map(|offer| format!("{}-{}-{}", offer.cipher.name(), offer.hash.name(), offer.group.name()))
            .collect(),
        lifetime: main_mode.lifetime.seconds,
        quick_mode_limit: main_mode.quick_mode_limit,
    });
    let default_response = policy.default_response.as_ref().map(|default| DefaultResponseDetails {
        active: default.active,
        filter_action: file.response_action(default).map(action),
        authentication: default.authentication.iter().map(method).collect(),
    });
    PolicyDetails {
        name: policy.name.clone(),
        description: policy.description.clone(),
        guid: policy.record.guid.map(|guid| guid.to_string()),
        last_modified: policy.record.last_modified.map(|time| time.to_string()),
        polling_interval: policy.polling_interval,
        main_mode,
        rules: policy.rules.iter().filter_map(|of| rule(file, of)).collect(),
        default_response,
    }
}

fn rule(file: &PolicyFile, rule: &Rule) -> Option<RuleDetails> {
    // The model has seen that both are there.
    let list = file.filter_list(&rule.filter_list)?;
    let of = file.filter_action(&rule.filter_action)?;
    Some(RuleDetails {
        name: rule.name.clone(),
        description: rule.description.clone(),
        active: rule.active,
        filter_list: list.name.clone(),
        filters: list.filters.iter().map(ToString::to_string).collect(),
        filter_action: action(of),
        authentication: rule.authentication.iter().map(method).collect(),
        tunnel: rule.tunnel.map(|tunnel| TunnelDetails { local: tunnel.local, remote: tunnel.remote }),
        connection_type: rule.connection_type.name(),
        mode_config: rule.mode_config.as_ref().map(|mode_config| match mode_config {
            ModeConfig::Server { pool, .. } => format!("gives addresses of pool {:?}", pool.name),
            ModeConfig::Client { .. } => "gets an address".to_owned(),
        }),
    })
}

fn action(action: &FilterAction) -> ActionDetails {
    let plain = |what| ActionDetails {
        name: action.name.clone(),
        action: what,
        offers: Vec::new(),
        pfs: "none",
        inbound_passthrough: false,
        fallback_to_clear: false,
    };
    match &action.action {
        Action::Permit => plain("permit"),
        Action::Block => plain("block"),
        Action::PermitOnly(Direction::Outbound) => plain("permit outbound, block inbound"),
        Action::PermitOnly(Direction::Inbound) => plain("permit inbound, block outbound"),
        Action::Negotiate { offers, pfs, inbound_passthrough, fallback_to_clear, .. } => ActionDetails {
            offers: offers
                .iter()
                .map(|offer| {
                    let life = offer.lifetime;
                    format!("{}, {} s, {} kB", offer.suite, life.seconds, life.kilobytes)
                })
                .collect(),
            pfs: match pfs {
                Pfs::Off => "none",
                Pfs::MainModeGroup => "main mode group",
                Pfs::Group(group) => group.name(),
            },
            inbound_passthrough: *inbound_passthrough,
            fallback_to_clear: *fallback_to_clear,
            ..plain("negotiate")
        },
    }
}

fn method(method: &Method) -> String {
    let own = |own: &OwnCertificate| own.certificate.to_string();
    match method {
        Method::Kerberos => "Kerberos, which is not available".to_owned(),
        Method::RootCa(root) => {
            let mapping = if root.certificate_mapping { ", mapped to accounts" } else { "" };
            let exclude = if root.exclude_ca_name { ", the authority's name is not told" } else { "" };
            format!("certificate below {}{mapping}{exclude}", root.text)
        }
        Method::Given(AuthMethod::PreSharedKey(_)) => "pre-shared key".to_owned(),
        Method::Given(AuthMethod::Certificate(method)) => {
            let authorities: Vec<String> = method.trust.authorities.iter().map(ToString::to_string).collect();
            format!("certificate {}, the peer's below {}", own(&method.own), authorities.join(" or "))
        }
        Method::Given(AuthMethod::Hybrid(HybridMethod::Gateway(of))) => format!("hybrid, certificate {}", own(of)),
        Method::Given(AuthMethod::Hybrid(HybridMethod::Client(trust))) => {
            let authorities: Vec<String> = trust.authorities.iter().map(ToString::to_string).collect();
            format!("hybrid, the gateway's certificate below {}", authorities.join(" or "))
        }
    }
}
