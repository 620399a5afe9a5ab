//! The commands of `netsh`, with their values as they mean them: what the language is read into, and what the
//! stores and the service carry out.
//!
//! `None` is what was left out: of `add` the default, of `set` what stays as it is.
use core::fmt;
use ikecore::proposal::offer::MainModeOffer;
use std::net::IpAddr;
use std::path::PathBuf;
use zeroize::Zeroizing;

use crate::model::{Offer, Side};

/// A command.
#[derive(PartialEq, Debug)]
pub(crate) enum Command {
    /// `netsh ipsec static`: the objects of a store.
    Static(Static),
    /// `netsh ipsec dynamic`: what is in force.
    Dynamic(Dynamic),
    /// `netsh set machine`: on which machine the commands that follow are carried out.
    SetMachine(Machine),
}

/// A machine, as it is named.
#[derive(PartialEq, Eq, Debug)]
pub(crate) struct Machine {
    /// As ssh takes it; `None`: this host.
    pub(crate) name: Option<String>,
    /// Who one is there, of Windows.
    pub(crate) user: Option<String>,
    /// That a password was given, which is kept nowhere.
    pub(crate) password: bool,
}

/// A command of the static context.
#[derive(PartialEq, Debug)]
pub(crate) enum Static {
    AddFilter(AddFilter),
    AddFilterAction {
        name: String,
        action: FilterActionSettings,
    },
    AddFilterList {
        name: String,
        description: Option<String>,
    },
    AddPolicy {
        name: String,
        policy: PolicySettings,
    },
    AddRule {
        name: String,
        policy: String,
        rule: RuleSettings,
    },
    SetPolicy {
        which: Named,
        new_name: Option<String>,
        policy: PolicySettings,
        gpo: Option<String>,
    },
    SetRule {
        which: RuleNamed,
        policy: String,
        new_name: Option<String>,
        rule: RuleSettings,
    },
    SetFilterList {
        which: Named,
        new_name: Option<String>,
        description: Option<String>,
    },
    SetFilterAction {
        which: Named,
        new_name: Option<String>,
        action: FilterActionSettings,
    },
    SetDefaultRule {
        policy: String,
        rule: DefaultRuleSettings,
    },
    SetStore {
        location: StoreLocation,
    },
    SetBatch {
        enabled: bool,
    },
    DeleteAll,
    DeletePolicy(OneOrAll),
    DeleteFilterList(OneOrAll),
    DeleteFilterAction(OneOrAll),
    DeleteRule {
        which: RulesNamed,
        policy: String,
    },
    DeleteFilter {
        filter_list: String,
        filter: FilterPattern,
    },
    ExportPolicy {
        file: PathBuf,
    },
    ImportPolicy {
        file: PathBuf,
    },
    RestorePolicyExamples {
        release: Release,
    },
    /// A script that makes the store anew.
    Dump,
    Show(ShowStatic),
}

/// An object by name or GUID.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Named {
    Name(String),
    /// In braces.
    Guid(String),
}

/// A rule by name or by its number in the policy, from 1.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum RuleNamed {
    Name(String),
    Id(u32),
}

/// One rule, or all of a policy.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum RulesNamed {
    One(RuleNamed),
    All,
}

/// One object by its name, or all.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum OneOrAll {
    One(String),
    All,
}

/// `add filter`.
#[derive(PartialEq, Debug)]
pub(crate) struct AddFilter {
    pub(crate) filter_list: String,
    pub(crate) source: Address,
    pub(crate) destination: Address,
    pub(crate) description: Option<String>,
    /// 0 is any.
    pub(crate) protocol: u8,
    pub(crate) mirrored: bool,
    /// 0 is any.
    pub(crate) source_port: u16,
    /// 0 is any.
    pub(crate) destination_port: u16,
}

/// A side of a filter, as it was written with its mask.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Address {
    /// Anything but a name.
    Side(Side),
    /// A DNS name: each of its addresses becomes a filter.
    Name(String),
}

/// What a filter must be to be deleted; `None` is the default of `add filter`.
#[derive(PartialEq, Debug)]
pub(crate) struct FilterPattern {
    pub(crate) source: Address,
    pub(crate) destination: Address,
    pub(crate) protocol: Option<u8>,
    pub(crate) source_port: Option<u16>,
    pub(crate) destination_port: Option<u16>,
    pub(crate) mirrored: Option<bool>,
}

/// What is done with traffic.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Action {
    Permit,
    Block,
    Negotiate,
}

#[derive(PartialEq, Debug, Default)]
pub(crate) struct FilterActionSettings {
    pub(crate) description: Option<String>,
    /// A Diffie-Hellman exchange in quick mode, with the group of main mode.
    pub(crate) quick_mode_pfs: Option<bool>,
    pub(crate) inbound_passthrough: Option<bool>,
    /// Fall back to clear with peers that do not answer.
    pub(crate) soft: Option<bool>,
    pub(crate) action: Option<Action>,
    /// In order of preference.
    pub(crate) offers: Option<Vec<Offer>>,
}

#[derive(PartialEq, Debug, Default)]
pub(crate) struct PolicySettings {
    pub(crate) description: Option<String>,
    pub(crate) master_pfs: Option<bool>,
    /// Quick modes of a main mode; 0 is no limit.
    pub(crate) quick_mode_limit: Option<u32>,
    /// Seconds.
    pub(crate) main_mode_lifetime: Option<u32>,
    pub(crate) activate_default_rule: Option<bool>,
    /// Seconds.
    pub(crate) polling_interval: Option<u32>,
    pub(crate) assign: Option<bool>,
    pub(crate) offers: Option<Vec<MainModeOffer>>,
}

#[derive(PartialEq, Debug, Default)]
pub(crate) struct RuleSettings {
    pub(crate) description: Option<String>,
    pub(crate) filter_list: Option<String>,
    pub(crate) filter_action: Option<String>,
    /// The other end of the tunnel.
    pub(crate) tunnel: Option<TunnelEnd>,
    pub(crate) connection_type: Option<ConnectionType>,
    pub(crate) activate: Option<bool>,
    /// In order of preference; `None` if the command names none.
    pub(crate) authentication: Option<Vec<Method>>,
}

#[derive(PartialEq, Debug, Default)]
pub(crate) struct DefaultRuleSettings {
    pub(crate) quick_mode_pfs: Option<bool>,
    pub(crate) activate: Option<bool>,
    pub(crate) offers: Option<Vec<Offer>>,
    pub(crate) authentication: Option<Vec<Method>>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum TunnelEnd {
    Address(IpAddr),
    Name(String),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ConnectionType {
    Lan,
    Dialup,
    All,
}

/// An authentication method. `Debug` does not print a key.
#[derive(PartialEq)]
pub(crate) enum Method {
    Kerberos,
    PresharedKey(Zeroizing<String>),
    RootCa { name: String, certificate_mapping: bool, exclude_ca_name: bool },
}

impl fmt::Debug for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kerberos => f.write_str("Kerberos"),
            Self::PresharedKey(_) => f.write_str("PresharedKey(<secret>)"),
            Self::RootCa { name, certificate_mapping, exclude_ca_name } => f
                .debug_struct("RootCa")
                .field("name", name)
                .field("certificate_mapping", certificate_mapping)
                .field("exclude_ca_name", exclude_ca_name)
                .finish(),
        }
    }
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum StoreLocation {
    Local,
    Persistent,
    /// The domain's name, if it is not this host's.
    Domain(Option<String>),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Release {
    Win2k,
    Xp,
    Win2003,
}

/// How `show` prints.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Layout {
    pub(crate) verbose: bool,
    pub(crate) table: bool,
    pub(crate) wide: bool,
    pub(crate) resolve_dns: bool,
}

/// `show` of the static context.
#[derive(PartialEq, Debug)]
pub(crate) enum ShowStatic {
    All(Layout),
    Policy { which: OneOrAll, layout: Layout },
    FilterList { which: Lists, layout: Layout },
    FilterAction { which: Lists, layout: Layout },
    Rule { which: ShowRules, policy: String, tunnel: Option<bool>, layout: Layout },
    GpoAssignedPolicy { gpo: Option<String> },
    Store,
}

/// Filter lists or actions: by name, those of a rule, or all.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Lists {
    One(String),
    OfRule(String),
    All,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum ShowRules {
    One(RuleNamed),
    All,
    Default,
}

/// A command of the dynamic context.
#[derive(PartialEq, Debug)]
pub(crate) enum Dynamic {
    AddMainModePolicy {
        name: String,
        policy: MainModeSettings,
    },
    AddQuickModePolicy {
        name: String,
        policy: QuickModeSettings,
    },
    AddRule(DynamicRule),
    SetMainModePolicy {
        name: String,
        policy: MainModeSettings,
    },
    SetQuickModePolicy {
        name: String,
        policy: QuickModeSettings,
    },
    SetRule(DynamicRule),
    SetConfig(Setting),
    DeleteAll,
    DeleteMainModePolicy(OneOrAll),
    DeleteQuickModePolicy(OneOrAll),
    DeleteRule(RuleKey),
    /// SAs, by the addresses of their ends.
    DeleteSa {
        source: Option<Address>,
        destination: Option<Address>,
    },
    Dump,
    Show(ShowDynamic),
}

#[derive(PartialEq, Debug, Default)]
pub(crate) struct MainModeSettings {
    pub(crate) quick_mode_limit: Option<u32>,
    /// Seconds.
    pub(crate) lifetime: Option<u32>,
    /// Seconds.
    pub(crate) soft_sa_lifetime: Option<u32>,
    pub(crate) offers: Option<Vec<MainModeOffer>>,
}

#[derive(PartialEq, Debug, Default)]
pub(crate) struct QuickModeSettings {
    pub(crate) soft: Option<bool>,
    pub(crate) pfs: Option<PfsGroup>,
    pub(crate) offers: Option<Vec<Offer>>,
}

/// `pfsgroup`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum PfsGroup {
    None,
    MainMode,
    Group(ikecore::crypto::group::Group),
}

/// What identifies a dynamic rule.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct RuleKey {
    pub(crate) source: Address,
    pub(crate) destination: Address,
    pub(crate) protocol: u8,
    pub(crate) source_port: u16,
    pub(crate) destination_port: u16,
    pub(crate) mirrored: bool,
    pub(crate) connection_type: ConnectionType,
    pub(crate) tunnel: Option<TunnelEnd>,
}

/// `add rule` and `set rule` of the dynamic context.
#[derive(PartialEq, Debug)]
pub(crate) struct DynamicRule {
    pub(crate) key: RuleKey,
    pub(crate) main_mode_policy: Option<String>,
    pub(crate) quick_mode_policy: Option<String>,
    pub(crate) action_inbound: Option<Action>,
    pub(crate) action_outbound: Option<Action>,
    pub(crate) authentication: Option<Vec<Method>>,
}

/// `set config property=... value=...`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Setting {
    /// 0 to 7.
    IpsecDiagnostics(u8),
    IkeLogging(bool),
    /// 0 to 2.
    StrongCrlCheck(u8),
    /// Seconds, 60 to 86400.
    IpsecLogInterval(u32),
    /// 0 to 3.
    IpsecExempt(u8),
    BootMode(BootMode),
    BootExemptions(Vec<BootExemption>),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum BootMode {
    Stateful,
    Block,
    Permit,
}

/// Traffic that passes while the boot mode is in force.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct BootExemption {
    pub(crate) protocol: u8,
    /// 0 is any.
    pub(crate) source_port: u16,
    /// 0 is any.
    pub(crate) destination_port: u16,
    pub(crate) inbound: bool,
}

/// `show` of the dynamic context.
#[derive(PartialEq, Debug)]
pub(crate) enum ShowDynamic {
    All { resolve_dns: bool },
    Config,
    MainModePolicy(OneOrAll),
    QuickModePolicy(OneOrAll),
    MainModeFilter { which: OneOrAll, specific: bool, ends: Ends },
    QuickModeFilter { which: OneOrAll, specific: bool, traffic: TrafficPattern },
    Rule { tunnel: Option<bool>, traffic: TrafficPattern },
    MainModeSas { ends: Ends, layout: Layout },
    QuickModeSas { ends: Ends, protocol: Option<u8>, layout: Layout },
    Statistics(Statistics),
}

/// What the two ends must be to be shown; `None` is whatever.
#[derive(PartialEq, Debug, Default)]
pub(crate) struct Ends {
    pub(crate) source: Option<Address>,
    pub(crate) destination: Option<Address>,
    pub(crate) resolve_dns: bool,
}

/// What traffic a filter must be for to be shown; `None` is whatever.
#[derive(PartialEq, Debug, Default)]
pub(crate) struct TrafficPattern {
    pub(crate) ends: Ends,
    pub(crate) protocol: Option<u8>,
    pub(crate) source_port: Option<u16>,
    pub(crate) destination_port: Option<u16>,
    pub(crate) action_inbound: Option<Action>,
    pub(crate) action_outbound: Option<Action>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Statistics {
    All,
    Ike,
    Ipsec,
}
