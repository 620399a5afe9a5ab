//! Lines of `netsh ipsec dynamic`.
use super::super::values::PROTOCOLS;
use super::super::values::algorithms::{name_of, pfs_name};
use super::{Line, Secrets};
use crate::netsh::command::{
    BootExemption, BootMode, Dynamic, DynamicRule, Ends, MainModeSettings, QuickModeSettings, RuleKey, Setting,
    ShowDynamic, Statistics, TrafficPattern,
};

fn start(command: &str) -> Line {
    Line::new(&format!("ipsec dynamic {command}"))
}

impl Line {
    fn main_mode(self, policy: &MainModeSettings) -> Self {
        self.number("qmpermm", policy.quick_mode_limit)
            .minutes("mmlifetime", policy.lifetime)
            .minutes("softsaexpirationtime", policy.soft_sa_lifetime)
            .main_mode_offers(policy.offers.as_deref())
    }

    fn quick_mode(self, policy: &QuickModeSettings) -> Self {
        self.yes_no("soft", policy.soft)
            .with_some("pfsgroup", policy.pfs.map(pfs_name).as_deref())
            .offers(policy.offers.as_deref())
    }

    fn key(self, key: &RuleKey) -> Self {
        self.address("srcaddr", "srcmask", Some(&key.source))
            .address("dstaddr", "dstmask", Some(&key.destination))
            .protocol(Some(key.protocol))
            .port("srcport", Some(key.source_port))
            .port("dstport", Some(key.destination_port))
            .yes_no("mirrored", Some(key.mirrored))
            .connection_type(Some(key.connection_type))
            .tunnel("tunneldstaddress", key.tunnel.as_ref())
    }

    fn dynamic_rule(self, rule: &DynamicRule, secrets: Secrets) -> Self {
        self.key(&rule.key)
            .with_some("mmpolicy", rule.main_mode_policy.as_deref())
            .with_some("qmpolicy", rule.quick_mode_policy.as_deref())
            .action("actioninbound", rule.action_inbound)
            .action("actionoutbound", rule.action_outbound)
            .methods(rule.authentication.as_deref(), secrets)
    }

    fn ends(self, ends: &Ends) -> Self {
        self.address("srcaddr", "srcmask", ends.source.as_ref())
            .address("dstaddr", "dstmask", ends.destination.as_ref())
            .resolve_dns(ends.resolve_dns)
    }

    fn traffic(self, traffic: &TrafficPattern) -> Self {
        self.ends(&traffic.ends)
            .protocol(traffic.protocol)
            .port("srcport", traffic.source_port)
            .port("dstport", traffic.destination_port)
            .action("actioninbound", traffic.action_inbound)
            .action("actionoutbound", traffic.action_outbound)
    }

    fn specific(self, specific: bool) -> Self {
        if specific { self.with("type", "specific") } else { self }
    }
}

pub(super) fn line(command: &Dynamic, secrets: Secrets) -> Line {
    match command {
        Dynamic::AddMainModePolicy { name, policy } => start("add mmpolicy").with("name", name).main_mode(policy),
        Dynamic::AddQuickModePolicy { name, policy } => start("add qmpolicy").with("name", name).quick_mode(policy),
        Dynamic::AddRule(rule) => start("add rule").dynamic_rule(rule, secrets),
        Dynamic::SetMainModePolicy { name, policy } => start("set mmpolicy").with("name", name).main_mode(policy),
        Dynamic::SetQuickModePolicy { name, policy } => start("set qmpolicy").with("name", name).quick_mode(policy),
        Dynamic::SetRule(rule) => start("set rule").dynamic_rule(rule, secrets),
        Dynamic::SetConfig(setting) => {
            let (property, value) = config(setting);
            start("set config").with("property", property).with("value", &value)
        }
        Dynamic::DeleteAll => start("delete all"),
        Dynamic::DeleteMainModePolicy(which) => start("delete mmpolicy").one_or_all(which),
        Dynamic::DeleteQuickModePolicy(which) => start("delete qmpolicy").one_or_all(which),
        Dynamic::DeleteRule(key) => start("delete rule").key(key),
        Dynamic::DeleteSa { source, destination } => start("delete sa")
            .address("srcaddr", "srcmask", source.as_ref())
            .address("dstaddr", "dstmask", destination.as_ref()),
        Dynamic::Dump => start("dump"),
        Dynamic::Show(which) => show(which),
    }
}

/// A property, and its value.
fn config(setting: &Setting) -> (&'static str, String) {
    match setting {
        Setting::IpsecDiagnostics(level) => ("ipsecdiagnostics", level.to_string()),
        Setting::IkeLogging(on) => ("ikelogging", u8::from(*on).to_string()),
        Setting::StrongCrlCheck(level) => ("strongcrlcheck", level.to_string()),
        Setting::IpsecLogInterval(seconds) => ("ipsecloginterval", seconds.to_string()),
        Setting::IpsecExempt(level) => ("ipsecexempt", level.to_string()),
        Setting::BootMode(mode) => {
            let mode = match mode {
                BootMode::Stateful => "stateful",
                BootMode::Block => "block",
                BootMode::Permit => "permit",
            };
            ("bootmode", mode.to_owned())
        }
        Setting::BootExemptions(list) if list.is_empty() => ("bootexemptions", "none".to_owned()),
        Setting::BootExemptions(list) => ("bootexemptions", list.iter().map(exemption).collect::<Vec<_>>().join(" ")),
    }
}

fn exemption(exemption: &BootExemption) -> String {
    let BootExemption { protocol, source_port, destination_port, inbound } = *exemption;
    let name = match name_of(&protocol, &PROTOCOLS) {
        "" => protocol.to_string(),
        name => name.to_ascii_uppercase(),
    };
    let ports = if matches!(protocol, 6 | 17) { format!(":{source_port}:{destination_port}") } else { String::new() };
    format!("{name}{ports}:{}", if inbound { "inbound" } else { "outbound" })
}

fn show(which: &ShowDynamic) -> Line {
    match which {
        ShowDynamic::All { resolve_dns } => start("show all").resolve_dns(*resolve_dns),
        ShowDynamic::Config => start("show config"),
        ShowDynamic::MainModePolicy(which) => start("show mmpolicy").one_or_all(which),
        ShowDynamic::QuickModePolicy(which) => start("show qmpolicy").one_or_all(which),
        ShowDynamic::MainModeFilter { which, specific, ends } => {
            start("show mmfilter").one_or_all(which).specific(*specific).ends(ends)
        }
        ShowDynamic::QuickModeFilter { which, specific, traffic } => {
            start("show qmfilter").one_or_all(which).specific(*specific).traffic(traffic)
        }
        ShowDynamic::Rule { tunnel, traffic } => {
            let kind = tunnel.map(|tunnel| if tunnel { "tunnel" } else { "transport" });
            start("show rule").with_some("type", kind).traffic(traffic)
        }
        ShowDynamic::MainModeSas { ends, layout } => start("show mmsas").ends(ends).table(layout.table),
        ShowDynamic::QuickModeSas { ends, protocol, layout } => {
            start("show qmsas").ends(ends).protocol(*protocol).table(layout.table)
        }
        ShowDynamic::Statistics(which) => start("show stats").with(
            "type",
            match which {
                Statistics::All => "all",
                Statistics::Ike => "ike",
                Statistics::Ipsec => "ipsec",
            },
        ),
    }
}
