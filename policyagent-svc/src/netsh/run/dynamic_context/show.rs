//! `show` of the dynamic context: what is in force, as the service tells it.
use serde::Serialize;
use std::net::IpAddr;

use super::{End, is_between, statistics};
use crate::control::in_force::{FilterReport, InForceReport, MainModePolicyReport, QuickModePolicyReport};
use crate::control::report::{IkeSaReport, IpsecSaReport, SoftSaReport, Status};
use crate::link::NamedSocket;
use crate::model::{Side, side_named};
use crate::netsh::command::{Action, Ends, Layout, OneOrAll, ShowDynamic, TrafficPattern};
use crate::netsh::run::document::Kind;
use crate::netsh::run::show::layout::{Lines, Table, yes_no};
use crate::netsh::run::show::{count, one_or_all, print, words};
use crate::netsh::run::{RunError, Session};

/// `show all`.
#[derive(Serialize)]
struct All {
    main_mode_policies: Vec<MainModePolicyReport>,
    quick_mode_policies: Vec<QuickModePolicyReport>,
    generic_filters: Vec<FilterReport>,
    filters: Vec<FilterReport>,
    ike_sas: Vec<IkeSaReport>,
    #[serde(flatten)]
    quick_mode_sas: QuickModeSas,
    statistics: statistics::Report,
}

/// What carries traffic: IPsec SAs, and soft SAs, under which it goes in clear.
#[derive(Serialize)]
struct QuickModeSas {
    ipsec_sas: Vec<IpsecSaReport>,
    soft_sas: Vec<SoftSaReport>,
}

impl Session {
    pub(super) fn show_dynamic(&mut self, show: &ShowDynamic) -> Result<String, RunError> {
        let format = self.format;
        match show {
            ShowDynamic::Config => self.show_config(),
            ShowDynamic::MainModePolicy(which) => {
                let all = self.service.in_force()?.main_mode_policies;
                let found = one_or_all(Kind::MainModePolicy, &all, which, |policy| Some(&policy.name))?;
                print(format, &found, |found| main_mode_policies(found))
            }
            ShowDynamic::QuickModePolicy(which) => {
                let all = self.service.in_force()?.quick_mode_policies;
                let found = one_or_all(Kind::QuickModePolicy, &all, which, |policy| Some(&policy.name))?;
                print(format, &found, |found| quick_mode_policies(found))
            }
            ShowDynamic::MainModeFilter { which, specific, ends } => {
                let filters = chosen(self.service.in_force()?, *specific, which)?;
                let pattern = Pattern::of_ends(ends)?;
                let mut found = Vec::new();
                for filter in filters.into_iter().filter(|filter| filter.action == "negotiate" && pattern.is(filter)) {
                    let pair = main_mode_filter(filter);
                    if !found.contains(&pair) {
                        found.push(pair);
                    }
                }
                print(format, &found, |found| main_mode_filters(found, ends.resolve_dns))
            }
            ShowDynamic::QuickModeFilter { which, specific, traffic } => {
                let filters = chosen(self.service.in_force()?, *specific, which)?;
                let pattern = Pattern::of(traffic)?;
                let found: Vec<_> = filters.into_iter().filter(|filter| pattern.is(filter)).collect();
                print(format, &found, |found| quick_mode_filters(found, traffic.ends.resolve_dns))
            }
            ShowDynamic::Rule { tunnel, traffic } => {
                let filters = self.service.in_force()?.generic_filters;
                let pattern = Pattern::of(traffic)?;
                let is = |filter: &FilterReport| {
                    tunnel.is_none_or(|tunnel| filter.tunnel.is_some() == tunnel) && pattern.is(filter)
                };
                let found: Vec<_> = filters.into_iter().filter(is).collect();
                print(format, &found, |found| quick_mode_filters(found, traffic.ends.resolve_dns))
            }
            ShowDynamic::MainModeSas { ends, layout } => {
                let (source, destination) = (End::of(ends.source.as_ref())?, End::of(ends.destination.as_ref())?);
                let is = |sa: &IkeSaReport| is_between(sa.local.host.ip(), sa.remote.host.ip(), &source, &destination);
                let found: Vec<_> = self.service.status()?.ike_sas.into_iter().filter(is).collect();
                print(format, &found, |found| main_mode_sas(found, *layout, ends.resolve_dns))
            }
            ShowDynamic::QuickModeSas { ends, protocol, layout } => {
                let (source, destination) = (End::of(ends.source.as_ref())?, End::of(ends.destination.as_ref())?);
                let is = |local: &NamedSocket, remote: &NamedSocket, of: u8| {
                    protocol.is_none_or(|protocol| protocol == 0 || protocol == of)
                        && is_between(local.host.ip(), remote.host.ip(), &source, &destination)
                };
                let Status { mut ipsec_sas, mut soft_sas, .. } = self.service.status()?;
                ipsec_sas.retain(|sa| is(&sa.local, &sa.remote, sa.selector.protocol));
                soft_sas.retain(|sa| is(&sa.local, &sa.remote, sa.selector.protocol));
                let found = QuickModeSas { ipsec_sas, soft_sas };
                print(format, &found, |found| quick_mode_sas(found, *layout, ends.resolve_dns))
            }
            ShowDynamic::Statistics(which) => {
                let report = statistics::Report::new(&self.service.status()?, *which);
                print(format, &report, statistics::text)
            }
            ShowDynamic::All { resolve_dns } => self.show_everything(*resolve_dns),
        }
    }

    fn show_everything(&mut self, resolve_dns: bool) -> Result<String, RunError> {
        let InForceReport { main_mode_policies: main, quick_mode_policies: quick, filters, generic_filters, .. } =
            self.service.in_force()?;
        let status = self.service.status()?;
        let statistics = statistics::Report::new(&status, crate::netsh::command::Statistics::All);
        let all = All {
            main_mode_policies: main,
            quick_mode_policies: quick,
            generic_filters,
            filters,
            ike_sas: status.ike_sas,
            quick_mode_sas: QuickModeSas { ipsec_sas: status.ipsec_sas, soft_sas: status.soft_sas },
            statistics,
        };
        print(self.format, &all, |all| {
            let layout = Layout { wide: true, ..Layout::default() };
            let refs = all.main_mode_policies.iter().collect::<Vec<_>>();
            let parts = [
                ("Main-Mode Policies", main_mode_policies(&refs)),
                ("Quick-Mode Policies", quick_mode_policies(&all.quick_mode_policies.iter().collect::<Vec<_>>())),
                ("Generic Filters", quick_mode_filters(&all.generic_filters, resolve_dns)),
                ("Specific Filters", quick_mode_filters(&all.filters, resolve_dns)),
                ("Main-Mode SAs", main_mode_sas(&all.ike_sas, layout, resolve_dns)),
                ("Quick-Mode SAs", quick_mode_sas(&all.quick_mode_sas, layout, resolve_dns)),
                ("Statistics", statistics::text(&all.statistics)),
            ];
            let mut text = String::new();
            for (heading, part) in parts {
                let mut lines = Lines::default();
                lines.heading(heading);
                text += &format!("{}\n{part}\n", lines.into_text());
            }
            text
        })
    }
}

/// The filters of a rule, or of all.
fn chosen(report: InForceReport, specific: bool, which: &OneOrAll) -> Result<Vec<FilterReport>, RunError> {
    let filters = if specific { report.filters } else { report.generic_filters };
    let found = one_or_all(Kind::Rule, &filters, which, |filter| Some(&filter.rule))?;
    Ok(found.into_iter().cloned().collect())
}

/// What a soft SA offers.
const SOFT: &str = "None (soft SA: in clear)";

/// What a filter must be to be shown.
struct Pattern {
    source: Option<String>,
    destination: Option<String>,
    protocol: Option<u8>,
    source_port: Option<u16>,
    destination_port: Option<u16>,
    inbound: Option<Action>,
    outbound: Option<Action>,
}

impl Pattern {
    fn of(traffic: &TrafficPattern) -> Result<Self, RunError> {
        Ok(Self {
            protocol: traffic.protocol,
            source_port: traffic.source_port,
            destination_port: traffic.destination_port,
            inbound: traffic.action_inbound,
            outbound: traffic.action_outbound,
            ..Self::of_ends(&traffic.ends)?
        })
    }

    fn of_ends(ends: &Ends) -> Result<Self, RunError> {
        let text = |address: &Option<_>| address.as_ref().map(crate::netsh::run::resolve::text);
        Ok(Self {
            source: text(&ends.source),
            destination: text(&ends.destination),
            protocol: None,
            source_port: None,
            destination_port: None,
            inbound: None,
            outbound: None,
        })
    }

    fn is(&self, filter: &FilterReport) -> bool {
        let side = |wanted: &Option<String>, own: &str| {
            wanted
                .as_ref()
                .is_none_or(|wanted| wanted == own || side_named(own).is_some_and(|side| covers(wanted, &side)))
        };
        let (inbound, outbound) = actions(filter);
        let action = |wanted: Option<Action>, own: &str| {
            wanted.is_none_or(|wanted| {
                own == match wanted {
                    Action::Permit => "Permit",
                    Action::Block => "Block",
                    Action::Negotiate => "Negotiate",
                }
            })
        };
        side(&self.source, &filter.source)
            && side(&self.destination, &filter.destination)
            && self.protocol.is_none_or(|protocol| protocol == filter.protocol)
            && self.source_port.is_none_or(|port| port == filter.source_port)
            && self.destination_port.is_none_or(|port| port == filter.destination_port)
            && action(self.inbound, inbound)
            && action(self.outbound, outbound)
    }
}

/// True if a block that was asked for has all of a filter's side.
fn covers(wanted: &str, own: &Side) -> bool {
    match (side_named(wanted), own) {
        (Some(Side::Any), _) => true,
        (Some(Side::Prefix(wanted)), Side::Prefix(own)) => wanted.covers(*own),
        (Some(wanted), own) => wanted == *own,
        (None, _) => false,
    }
}

fn actions(filter: &FilterReport) -> (&'static str, &'static str) {
    let word = |action: &str| match action {
        "permit" => "Permit",
        "block" => "Block",
        _ => "Negotiate",
    };
    let inbound = if filter.inbound_passthrough { "permit" } else { filter.inbound_action.as_str() };
    (word(inbound), word(&filter.action))
}

/// A filter of main mode: the two ends alone.
fn main_mode_filter(filter: FilterReport) -> FilterReport {
    FilterReport { protocol: 0, source_port: 0, destination_port: 0, weight: filter.ends_weight, ..filter }
}

fn main_mode_policies(policies: &[&MainModePolicyReport]) -> String {
    let mut lines = Lines::default();
    for policy in policies {
        lines.field("Mainmode Policy Name", &policy.name);
        lines.field("Softsa expiration time", format!("{} minutes", policy.soft_lifetime_seconds / 60));
        let mut table = Table::new(&["Encryption", "Integrity", "DH", "Lifetime (Kb:Secs)", "QM Limit per MM"]);
        for offer in &policy.offers {
            table.row(vec![
                offer.cipher.clone(),
                offer.hash.clone(),
                offer.group.clone(),
                format!("{}:{}", policy.lifetime.kilobytes, policy.lifetime.seconds),
                policy.quick_mode_limit.to_string(),
            ]);
        }
        lines.indented(|lines| lines.table(&table, true));
        lines.line("");
    }
    lines.line(count("main-mode policies", policies.len()));
    lines.into_text()
}

fn quick_mode_policies(policies: &[&QuickModePolicyReport]) -> String {
    let mut lines = Lines::default();
    for policy in policies {
        lines.field("QM Negotiation Policy Name", &policy.name);
        lines.field("AllowUnsecure(Fallback)", yes_no(policy.fallback_to_clear));
        let mut table = Table::new(&["Security Methods", "Lifetime (Kb:Secs)", "PFS DH Group"]);
        for offer in &policy.offers {
            table.row(vec![
                offer.suite.clone(),
                format!("{}:{}", offer.lifetime.kilobytes, offer.lifetime.seconds),
                policy.pfs.clone().unwrap_or_else(|| "<None>".to_owned()),
            ]);
        }
        lines.indented(|lines| lines.table(&table, true));
        lines.line("");
    }
    lines.line(count("quick-mode policies", policies.len()));
    lines.into_text()
}

/// An address with its mask, or the word for it; with its name behind it if that is wanted and there is one.
fn side(text: &str, resolve_dns: bool) -> String {
    // What is for any address has become all of a family.
    let side = words::side(if matches!(text, "0.0.0.0/0" | "::/0") { "any" } else { text }, None);
    let mut shown = match &side.mask {
        Some(mask) if !matches!(mask.as_str(), "255.255.255.255" | "128") => format!("{} ({mask})", side.address),
        _ => side.address,
    };
    if resolve_dns
        && let Ok(address) = text.parse::<IpAddr>()
        && let Some(name) = ikedaemon::sys::host_name(address)
    {
        shown += &format!(" [{name}]");
    }
    shown
}

/// A line for each direction of a specific filter, which has a weight; a generic filter is shown once.
fn directions(filter: &FilterReport) -> Vec<Option<&'static str>> {
    match filter.direction.as_deref() {
        _ if filter.weight.is_none() => vec![None],
        Some("outbound") => vec![Some("Outbound")],
        Some(_) => vec![Some("Inbound")],
        None => vec![Some("Outbound"), Some("Inbound")],
    }
}

fn main_mode_filters(filters: &[FilterReport], resolve_dns: bool) -> String {
    let mut lines = Lines::default();
    for filter in filters {
        for direction in directions(filter) {
            lines.field("Mainmode Filter Name", &filter.rule);
            lines.field("Connection Type", filter.connection_type.to_uppercase());
            let (mut source, mut destination) = (&filter.source, &filter.destination);
            if direction == Some("Inbound") {
                std::mem::swap(&mut source, &mut destination);
            }
            lines.field("Source Address", side(source, resolve_dns));
            lines.field("Destination Address", side(destination, resolve_dns));
            lines.field("Mirrored", yes_no(direction.is_none() && filter.mirrored));
            lines.optional("Mainmode Policy", filter.main_mode_policy.as_deref());
            lines.field("Authentication Methods", filter.authentication.join(", "));
            if let (Some(direction), Some(weight)) = (direction, filter.weight) {
                lines.field("Direction", direction);
                lines.field("Weight", weight.to_string());
            }
            lines.line("");
        }
    }
    lines.line(count("main-mode filters", filters.iter().map(|filter| directions(filter).len()).sum()));
    lines.into_text()
}

fn quick_mode_filters(filters: &[FilterReport], resolve_dns: bool) -> String {
    let mut lines = Lines::default();
    let port = |port: u16| if port == 0 { "ANY".to_owned() } else { port.to_string() };
    for filter in filters {
        for direction in directions(filter) {
            let (mut source, mut destination) =
                ((&filter.source, filter.source_port), (&filter.destination, filter.destination_port));
            if direction == Some("Inbound") {
                std::mem::swap(&mut source, &mut destination);
            }
            lines.field("Rule Name", &filter.rule);
            lines.field("Connection Type", filter.connection_type.to_uppercase());
            if let (Some(direction), Some(weight)) = (direction, filter.weight) {
                lines.field("Weight", weight.to_string());
                lines.field("Direction", direction);
            }
            lines.field("Source", side(source.0, resolve_dns));
            lines.field("Destination", side(destination.0, resolve_dns));
            lines.field("Protocol", words::protocol(filter.protocol));
            lines.field("Src Port", port(source.1));
            lines.field("Dest Port", port(destination.1));
            lines.field("Mirrored", yes_no(direction.is_none() && filter.mirrored));
            lines.optional("Quick Mode Policy", filter.quick_mode_policy.as_deref());
            let (inbound, outbound) = actions(filter);
            lines.field("Inbound Action", inbound);
            lines.field("Outbound Action", outbound);
            if let Some((local, remote)) = &filter.tunnel {
                let (from, to) = if direction == Some("Inbound") { (remote, local) } else { (local, remote) };
                lines.field("Tunnel Source", from);
                lines.field("Tunnel Destination", to);
            }
            lines.line("");
        }
    }
    lines.line(count("filters", filters.iter().map(|filter| directions(filter).len()).sum()));
    lines.into_text()
}

fn main_mode_sas(sas: &[IkeSaReport], layout: Layout, resolve_dns: bool) -> String {
    let methods = |sa: &IkeSaReport| {
        let suite = sa.suite.as_ref();
        suite.map_or_else(
            || "NONE".to_owned(),
            |suite| format!("{}/{}/{}/{}", suite.cipher, suite.hash, suite.group, sa.lifetime.seconds),
        )
    };
    let proof =
        |sa: &IkeSaReport| sa.suite.as_ref().map_or_else(|| "NONE".to_owned(), |suite| suite.authentication.clone());
    let identity = |sa: &IkeSaReport| sa.identity.clone().unwrap_or_else(|| "NONE".to_owned());
    if layout.table {
        let headings = ["Cookie Pair", "Source", "Destination", "Sec Methods", "Auth Mode", "Peer ID", "State"];
        let mut table = Table::new(&headings);
        for sa in sas {
            table.row(vec![
                format!("{}:{}", sa.initiator_cookie, sa.responder_cookie),
                sa.local.to_string(),
                sa.remote.to_string(),
                methods(sa),
                proof(sa),
                identity(sa),
                sa.state.clone(),
            ]);
        }
        return table.text(layout.wide);
    }
    let mut lines = Lines::default();
    for sa in sas {
        lines.field("Cookie Pair", format!("{}:{}", sa.initiator_cookie, sa.responder_cookie));
        lines.field("Sec Methods", methods(sa));
        lines.field("Auth Mode", proof(sa));
        lines.field("Source", socket(&sa.local.to_string(), sa.local.host.ip(), resolve_dns));
        lines.field("Destination", socket(&sa.remote.to_string(), sa.remote.host.ip(), resolve_dns));
        lines.field("Peer ID", identity(sa));
        lines.optional("User", sa.user.as_deref());
        lines.field("State", &sa.state);
        lines.field("Age", format!("{} seconds", sa.age_seconds));
        lines.field("Quick Modes", sa.quick_modes.to_string());
        lines.line("");
    }
    lines.line(count("main-mode SAs", sas.len()));
    lines.into_text()
}

fn socket(text: &str, address: IpAddr, resolve_dns: bool) -> String {
    let name = if resolve_dns { ikedaemon::sys::host_name(address) } else { None };
    name.map_or_else(|| text.to_owned(), |name| format!("{text} [{name}]"))
}

fn quick_mode_sas(sas: &QuickModeSas, layout: Layout, resolve_dns: bool) -> String {
    let QuickModeSas { ipsec_sas: sas, soft_sas } = sas;
    let pfs = |sa: &IpsecSaReport| sa.pfs.clone().unwrap_or_else(|| "<None>".to_owned());
    let life = |sa: &IpsecSaReport| format!("{}:{}", sa.lifetime.kilobytes, sa.lifetime.seconds);
    if layout.table {
        let headings =
            ["Policy Name", "Source", "Destination", "Protocol", "Offer Used", "Inbound SPI", "Outbound SPI"];
        let mut table = Table::new(&headings);
        for sa in sas {
            table.row(vec![
                sa.policy.clone(),
                sa.selector.local.clone(),
                sa.selector.remote.clone(),
                words::protocol(sa.selector.protocol),
                sa.suite.clone(),
                sa.inbound_spi.clone(),
                sa.outbound_spi.clone(),
            ]);
        }
        for soft in soft_sas {
            table.row(vec![
                soft.rule.clone(),
                soft.selector.local.clone(),
                soft.selector.remote.clone(),
                words::protocol(soft.selector.protocol),
                SOFT.to_owned(),
                String::new(),
                String::new(),
            ]);
        }
        return table.text(layout.wide);
    }
    let port = |port: u16| if port == 0 { "ANY".to_owned() } else { port.to_string() };
    let mut lines = Lines::default();
    for sa in sas {
        lines.field("Policy Name", &sa.policy);
        lines.field("Source Address", side(&sa.selector.local, resolve_dns));
        lines.field("Destination Address", side(&sa.selector.remote, resolve_dns));
        lines.field("Protocol", words::protocol(sa.selector.protocol));
        lines.field("Source Port", port(sa.selector.local_port));
        lines.field("Destination Port", port(sa.selector.remote_port));
        lines.field("Direction", "Both");
        lines.field("Encapsulation Type", if sa.mode == "tunnel" { "Tunnel" } else { "Transport" });
        if sa.mode == "tunnel" {
            lines.field("Tunnel Source", socket(&sa.local.host.to_string(), sa.local.host.ip(), resolve_dns));
            lines.field("Tunnel Destination", socket(&sa.remote.host.to_string(), sa.remote.host.ip(), resolve_dns));
        }
        if sa.encapsulated {
            lines.field("Source UDP-Encap port", sa.local.port().to_string());
            lines.field("Dest UDP-Encap port", sa.remote.port().to_string());
        }
        lines.field("Offer Used", &sa.suite);
        lines.field("PFS DH Group", pfs(sa));
        lines.field("Lifetime (Kb:Secs)", life(sa));
        lines.field("Inbound SPI", &sa.inbound_spi);
        lines.field("Outbound SPI", &sa.outbound_spi);
        lines.line("");
    }
    for soft in soft_sas {
        lines.field("Rule Name", &soft.rule);
        lines.field("Source Address", side(&soft.selector.local, resolve_dns));
        lines.field("Destination Address", side(&soft.selector.remote, resolve_dns));
        lines.field("Protocol", words::protocol(soft.selector.protocol));
        lines.field("Source Port", port(soft.selector.local_port));
        lines.field("Destination Port", port(soft.selector.remote_port));
        lines.field("Offer Used", SOFT);
        lines.field("Lifetime (Kb:Secs)", format!("0:{}", soft.lifetime_seconds));
        lines.line("");
    }
    lines.line(count("quick-mode SAs", sas.len() + soft_sas.len()));
    lines.into_text()
}
