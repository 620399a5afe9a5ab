//! `policyagent explain`.
use ikecore::policy::exempt::DefaultExemptions;
use ikecore::policy::explain::Other;
use ikecore::policy::rule::{AuthMethod, Rule};
use ikecore::policy::selector::{Direction, Flow, Selector, transport_selector, weight};
use ikecore::proposal::suite::Mode;
use serde::Serialize;
use std::fmt::Write as _;
use std::process::ExitCode;
use std::sync::Arc;

use super::args::ExplainArgs;
use super::style::Style;
use super::{failed, policy, print, proposal};
use crate::compile::{Compiled, Machine};
use crate::format::Format;
use crate::link::named;
use crate::model::{PolicyFile, protocol_name};
use crate::paths::Paths;
use crate::service::settings::Settings;

/// What becomes of the packets of a flow, and why.
#[derive(Serialize)]
struct Report {
    flow: FlowReport,
    /// The exemption from filters that it falls under.
    exempt: Option<String>,
    /// What decides about packets that leave; about those that arrive, too, unless `inbound` is there.
    decides: Option<Decision>,
    /// Whether the default response would answer if the other host began.
    default_response: bool,
    others: Vec<OtherReport>,
    /// What becomes of packets that arrive, where it is something else.
    inbound: Option<Inbound>,
}

/// What becomes of packets that arrive.
#[derive(Serialize)]
struct Inbound {
    decides: Option<Decision>,
    default_response: bool,
    others: Vec<OtherReport>,
}

#[derive(Serialize)]
struct FlowReport {
    local: String,
    remote: String,
    protocol: String,
    local_port: u16,
    remote_port: u16,
}

/// The rule and the filter that the flow falls under.
#[derive(Serialize)]
struct Decision {
    rule: String,
    filter: String,
    weight: u32,
    /// The filter as it is written, and its line.
    generic: Option<String>,
    line: Option<usize>,
    action: &'static str,
    negotiation: Option<Negotiation>,
}

/// What is negotiated for it.
#[derive(Serialize)]
struct Negotiation {
    mode: &'static str,
    /// Where SAs end; none while it is open who the peer is.
    peer: Option<String>,
    /// What the SAs are for.
    selector: String,
    main_mode_offers: Vec<String>,
    authentication: Vec<&'static str>,
    quick_mode_offers: Vec<String>,
    inbound_passthrough: bool,
    /// With a peer that does not answer it passes in clear.
    fallback_to_clear: bool,
    /// This host waits until the peer begins.
    peer_begins: bool,
}

/// A rule that does not decide.
#[derive(Serialize)]
struct OtherReport {
    rule: String,
    filter: Option<String>,
    weight: Option<u32>,
    why: String,
}

/// Explains a flow by a policy file; needs no running service.
pub(super) fn explain(paths: &Paths, arguments: &ExplainArgs, format: Format, style: Style) -> ExitCode {
    let flow = match arguments.flow() {
        Ok(flow) => flow,
        Err(error) => return failed(error),
    };
    let path = policy::path(paths, arguments.policy.as_deref());
    let compiled = path.and_then(|path| policy::compiled(paths, &path));
    let exemptions = match Settings::read(&paths.settings()) {
        Ok(settings) => settings.registry.no_default_exempt,
        // Whoever may not read the settings can have a policy of his own explained.
        Err(_) if arguments.policy.is_some() => DefaultExemptions::default(),
        Err(error) => return failed(error),
    };
    let compiled = compiled.map(|(file, Compiled { db, origins, warnings })| {
        let broadcasts: Vec<_> = Machine::broadcasts().unwrap_or_default().into_iter().collect();
        (file, Compiled { db: db.with_exempt(exemptions.traffic(&broadcasts)), origins, warnings })
    });
    match compiled {
        Ok((_, compiled)) if arguments.proposal.is_given() => match proposal::report(&compiled.db, arguments) {
            Ok(report) => {
                print(format, &report, || proposal::text(&report, style));
                ExitCode::SUCCESS
            }
            Err(error) => failed(error),
        },
        Ok((file, compiled)) => {
            let report = report(&file, &compiled, &flow);
            print(format, &report, || text(&report, style));
            ExitCode::SUCCESS
        }
        Err(error) => failed(error),
    }
}

fn report(file: &PolicyFile, compiled: &Compiled, flow: &Flow) -> Report {
    let db = &compiled.db;
    let exempt = db.exemption(flow);
    let shown = |selector: &Selector| named(&selector.to_string(), selector.scope);
    let written = |rule: &Rule, filter: &Selector| {
        let position = compiled.origin(rule, filter)?;
        file.filter_lists.iter().flat_map(|list| &list.filters).find(|written| written.position == position)
    };
    let found = |direction| db.lookup_flow(flow, direction).filter(|_| exempt.is_none());
    let decision = |direction| {
        found(direction).map(|(rule, filter)| Decision {
            rule: rule.name.clone(),
            filter: shown(filter),
            weight: weight(filter),
            generic: written(rule, filter).map(ToString::to_string),
            line: written(rule, filter).map(|written| written.position.line),
            action: rule.action.word(direction),
            negotiation: negotiation(rule, filter, flow),
        })
    };
    let other = |Other { rule, filter, why }: Other<'_>| OtherReport {
        rule: rule.name.clone(),
        filter: filter.map(shown),
        weight: filter.map(weight),
        why: why.to_string(),
    };
    let others = |direction| {
        let others = if exempt.is_none() { db.why_not(flow, direction) } else { Vec::new() };
        others.into_iter().map(other).collect()
    };
    let answers = |direction| found(direction).is_none() && exempt.is_none() && db.default_response().is_some();
    let [leaving, arriving] = Direction::BOTH
        .map(|direction| found(direction).map(|(rule, filter)| (&rule.name, filter, rule.action.word(direction))));
    Report {
        flow: FlowReport {
            local: named(&ikecore::address::HostAddress::new(flow.local, flow.scope).to_string(), flow.scope),
            remote: named(&ikecore::address::HostAddress::new(flow.remote, flow.scope).to_string(), flow.scope),
            protocol: protocol_name(flow.protocol),
            local_port: flow.local_port,
            remote_port: flow.remote_port,
        },
        exempt: exempt.map(shown),
        default_response: answers(Direction::Outbound),
        decides: decision(Direction::Outbound),
        others: others(Direction::Outbound),
        inbound: (leaving != arriving).then(|| Inbound {
            decides: decision(Direction::Inbound),
            default_response: answers(Direction::Inbound),
            others: others(Direction::Inbound),
        }),
    }
}

fn negotiation(rule: &Arc<Rule>, filter: &Selector, flow: &Flow) -> Option<Negotiation> {
    let quick_mode = rule.quick_mode()?;
    let (mode, peer, selector) = match rule.tunnel {
        Some(tunnel) => (Mode::Tunnel, tunnel.remote, *filter),
        None => (Mode::Transport, Some(flow.remote), transport_selector(filter, flow)),
    };
    let main_mode = rule.main_mode.offers.iter();
    let main_mode =
        main_mode.map(|offer| format!("{} {} {}", offer.cipher.name(), offer.hash.name(), offer.group.name()));
    Some(Negotiation {
        mode: match mode {
            Mode::Tunnel => "tunnel",
            Mode::Transport => "transport",
        },
        peer: peer.map(|peer| peer.to_string()),
        selector: named(&selector.to_string(), selector.scope),
        main_mode_offers: main_mode.collect(),
        authentication: rule.authentication.iter().map(method).collect(),
        quick_mode_offers: quick_mode
            .offers
            .iter()
            .map(|offer| {
                let pfs = offer.pfs.map(|group| format!(", PFS {}", group.name())).unwrap_or_default();
                let extended = if offer.extended_sequence_numbers { ", extended sequence numbers" } else { "" };
                format!("{}{pfs}{extended}", offer.suite)
            })
            .collect(),
        inbound_passthrough: quick_mode.inbound_passthrough,
        fallback_to_clear: rule.falls_back(),
        peer_begins: rule.peer_begins(),
    })
}

const fn method(method: &AuthMethod) -> &'static str {
    match method {
        AuthMethod::PreSharedKey(_) => "pre-shared key",
        AuthMethod::Certificate(_) => "certificate",
        AuthMethod::Hybrid(_) => "hybrid",
    }
}

fn text(report: &Report, style: Style) -> String {
    let mut out = String::new();
    // Writing to a String does not fail.
    let _ = write(&mut out, report, style);
    out
}

fn write(out: &mut String, report: &Report, style: Style) -> std::fmt::Result {
    let Report { flow, exempt, decides, default_response, others, inbound } = report;
    let end = |address: &str, port: u16| if port == 0 { address.to_owned() } else { format!("{address}[{port}]") };
    let (local, remote) = (end(&flow.local, flow.local_port), end(&flow.remote, flow.remote_port));
    let arrow = if inbound.is_some() { "->" } else { "<->" };
    writeln!(out, "{}", style.heading(&format!("{local} {arrow} {remote}, {}", flow.protocol)))?;
    if let Some(exempt) = exempt {
        let why = "NoDefaultExempt of the settings exempts it from filters";
        return writeln!(out, "  {} {why}: {exempt}", style.warning("in clear:"));
    }
    write_decision(out, decides.as_ref(), *default_response, style)?;
    write_others(out, others, style)?;
    if let Some(Inbound { decides, default_response, others }) = inbound {
        writeln!(out, "{}", style.heading(&format!("{local} <- {remote}, {}", flow.protocol)))?;
        write_decision(out, decides.as_ref(), *default_response, style)?;
        write_others(out, others, style)?;
    }
    Ok(())
}

fn write_decision(
    out: &mut String,
    decides: Option<&Decision>,
    default_response: bool,
    style: Style,
) -> std::fmt::Result {
    match decides {
        None if default_response => writeln!(
            out,
            "  {} no filter is for it; if the other host begins a negotiation, the default response answers",
            style.warning("in clear:")
        ),
        None => writeln!(out, "  {} no filter is for it", style.warning("in clear:")),
        Some(Decision { rule, filter, weight, generic, line, action, negotiation }) => {
            let action = match *action {
                "negotiate" => style.good("negotiate"),
                "block" => style.bad("block"),
                other => style.warning(other),
            };
            writeln!(out, "  {action}: rule {rule:?}, filter {filter}, weight {weight}")?;
            if let (Some(generic), Some(line)) = (generic, line) {
                writeln!(out, "  written as  {generic} (line {line})")?;
            }
            negotiation.as_ref().map_or(Ok(()), |negotiation| write_negotiation(out, negotiation))
        }
    }
}

fn write_others(out: &mut String, others: &[OtherReport], style: Style) -> std::fmt::Result {
    if !others.is_empty() {
        writeln!(out, "{}", style.heading("Why not the others"))?;
    }
    for OtherReport { rule, filter, weight, why } in others {
        let filter = filter.as_ref().map(|filter| format!(", {filter}")).unwrap_or_default();
        let weight = weight.map(|weight| format!(", weight {weight}")).unwrap_or_default();
        writeln!(out, "  rule {rule:?}{filter}{weight}: {why}")?;
    }
    Ok(())
}

fn write_negotiation(out: &mut String, negotiation: &Negotiation) -> std::fmt::Result {
    let peer = negotiation.peer.as_deref().unwrap_or("whoever proves who it is");
    writeln!(out, "  {} mode with {peer}, SAs for {}", negotiation.mode, negotiation.selector)?;
    writeln!(out, "  main mode   {}", negotiation.main_mode_offers.join(", or "))?;
    writeln!(out, "  by          {}", negotiation.authentication.join(", or "))?;
    writeln!(out, "  quick mode  {}", negotiation.quick_mode_offers.join(", or "))?;
    if negotiation.inbound_passthrough {
        writeln!(out, "  what comes in may be in clear")?;
    }
    if negotiation.fallback_to_clear {
        writeln!(out, "  if the peer does not answer, it passes in clear")?;
    }
    if negotiation.peer_begins {
        writeln!(out, "  the peer begins; until then it is blocked")?;
    }
    Ok(())
}
