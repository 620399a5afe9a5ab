//! `policyagent explain` for proposals: what this host would answer.
use ikecore::address::HostAddress;
use ikecore::crypto::group::Group;
use ikecore::exchange::answer::{self, Considered};
use ikecore::policy::db::PolicyDb;
use ikecore::policy::rule::{Rule, RuleAction};
use ikecore::policy::selector::{Prefix, Selector};
use ikecore::proposal::encode::{encode_main_mode, encode_quick_mode};
use ikecore::proposal::mismatch::Mismatch;
use ikecore::proposal::select::{ChosenMainMode, ChosenQuickMode};
use ikecore::proposal::suite::{Lifetime, Mode};
use ikecore::wire::{
    AuthenticationMethod, EncapsulationMode, ExchangeType, Header, Padding, PayloadType, ProtocolId, Sa, parse,
};
use serde::Serialize;
use std::fmt::Write as _;
use std::path::Path;

use super::args::{ExplainArgs, ProposalArgs, Wrapping};
use super::style::Style;
use crate::link::named;

/// What is answered to proposals.
#[derive(Serialize)]
pub(super) struct Report {
    local: String,
    remote: String,
    main_mode: Option<Answer>,
    quick_mode: Option<Answer>,
}

/// What is answered to one.
#[derive(Serialize)]
struct Answer {
    /// What it is about, for people.
    about: String,
    /// The rules that are asked, in their order.
    rules: Vec<RuleReport>,
    /// Why no rule is asked at all.
    failure: Option<String>,
}

/// What one rule makes of it.
#[derive(Serialize)]
struct RuleReport {
    rule: String,
    chosen: Option<ChosenReport>,
    /// What it refuses before that, in the peer's order.
    refused: Vec<MismatchReport>,
}

#[derive(Serialize)]
struct ChosenReport {
    proposal: u8,
    transform: u8,
    suite: String,
    lifetime: String,
    /// The group of quick mode's own Diffie-Hellman exchange.
    pfs: Option<String>,
}

/// The first attribute that differs from the offer that is closest.
#[derive(Serialize)]
struct MismatchReport {
    proposal: u8,
    /// 0: the proposal as a whole.
    transform: u8,
    attribute: &'static str,
    received: String,
    allowed: String,
}

impl From<&Mismatch> for MismatchReport {
    fn from(mismatch: &Mismatch) -> Self {
        let Mismatch { proposal, transform, attribute, received, allowed, notify: _ } = mismatch.clone();
        Self { proposal, transform, attribute, received, allowed }
    }
}

impl RuleReport {
    fn new<C>(considered: &Considered<'_, C>, chosen: impl Fn(&C) -> ChosenReport) -> Self {
        Self {
            rule: considered.rule.name.clone(),
            chosen: considered.chosen.as_ref().map(chosen),
            refused: considered.refused.iter().map(Into::into).collect(),
        }
    }
}

fn chosen_main_mode(chosen: &ChosenMainMode) -> ChosenReport {
    let ChosenMainMode { proposal, transform, suite, lifetime, .. } = chosen;
    let (cipher, hash, group) = suite.algorithms();
    let suite = format!("{} {} {}, {}", cipher.name(), hash.name(), group.name(), suite.authentication);
    ChosenReport { proposal: *proposal, transform: *transform, suite, lifetime: lifetime.to_string(), pfs: None }
}

fn chosen_quick_mode(chosen: &ChosenQuickMode) -> ChosenReport {
    let ChosenQuickMode { proposal, transform, suite, lifetime, pfs, extended_sequence_numbers, .. } = chosen;
    let extended = if *extended_sequence_numbers { ", extended sequence numbers" } else { "" };
    ChosenReport {
        proposal: *proposal,
        transform: *transform,
        suite: format!("{suite}{extended}"),
        lifetime: lifetime.to_string(),
        pfs: pfs.map(|group| group.name().to_owned()),
    }
}

/// What the policy answers to what the command line says of the peer's proposals.
pub(super) fn report(db: &PolicyDb, arguments: &ExplainArgs) -> Result<Report, String> {
    let flow = arguments.flow()?;
    let (local, remote) = (HostAddress::new(flow.local, flow.scope), HostAddress::new(flow.remote, flow.scope));
    let proposal = &arguments.proposal;
    let main_mode = match &proposal.packet {
        Some(path) => Some(packet(db, local, remote, path)?),
        None if proposal.main_mode.is_empty() => None,
        None => {
            let body =
                encode_main_mode(&proposal.main_mode, &methods(db, local, remote, proposal), Lifetime::default());
            Some(main_mode(db, local, remote, &body)?)
        }
    };
    let quick_mode = if proposal.quick_mode.is_empty() {
        None
    } else {
        let traffic = traffic(arguments, local, remote)?;
        Some(quick_mode(db, local, remote, &traffic, proposal)?)
    };
    let shown = |host: HostAddress| named(&host.to_string(), host.scope());
    Ok(Report { local: shown(local), remote: shown(remote), main_mode, quick_mode })
}

/// The methods that the peer is taken to propose: those it is said to, else all that rules for it have.
fn methods(
    db: &PolicyDb,
    local: HostAddress,
    remote: HostAddress,
    proposal: &ProposalArgs,
) -> Vec<AuthenticationMethod> {
    if !proposal.by.is_empty() {
        return proposal.by.iter().map(|number| AuthenticationMethod(*number)).collect();
    }
    let mut all = Vec::new();
    for method in db.main_mode_rules(local, remote).into_iter().flat_map(|rule| answer::methods(rule)) {
        if !all.contains(&method) {
            all.push(method);
        }
    }
    // Without a rule that is what is told, whatever is proposed.
    if all.is_empty() { vec![AuthenticationMethod::PRE_SHARED_KEY] } else { all }
}

fn main_mode(db: &PolicyDb, local: HostAddress, remote: HostAddress, body: &[u8]) -> Result<Answer, String> {
    let offered = Sa::decode(body).map_err(|error| format!("the SA payload: {error}"))?;
    let count: usize = offered.proposals.iter().map(|proposal| proposal.transforms.len()).sum();
    let about = format!("main mode, {count} transforms");
    Ok(match answer::main_mode(db, local, remote, &offered) {
        Ok(considered) => {
            let rules = considered.iter().map(|of| RuleReport::new(of, chosen_main_mode)).collect();
            Answer { about, rules, failure: None }
        }
        Err(failure) => Answer { about, rules: Vec::new(), failure: Some(failure.to_string()) },
    })
}

/// The answer to a first message of main mode, as it was on the wire.
fn packet(db: &PolicyDb, local: HostAddress, remote: HostAddress, path: &Path) -> Result<Answer, String> {
    let of_file = |what: &dyn std::fmt::Display| format!("{}: {what}", path.display());
    let read = std::fs::read(path).map_err(|error| of_file(&error))?;
    let octets = octets(&read);
    let header = Header::decode(&octets).map_err(|error| of_file(&error))?;
    if header.exchange != ExchangeType::MAIN || !header.responder.is_zero() {
        let what = if header.responder.is_zero() { "a" } else { "not the first" };
        return Err(of_file(&format_args!(
            "it is {what} message of the exchange {}, allowed: the first message of main mode",
            header.exchange
        )));
    }
    let payloads = octets.get(Header::LEN..).unwrap_or_default();
    let chain = parse(header.next_payload, payloads, Padding::Forbidden).map_err(|error| of_file(&error))?;
    let sa = chain.one(PayloadType::SA).ok_or_else(|| of_file(&"it has no SA payload"))?;
    main_mode(db, local, remote, sa.body).map_err(|error| of_file(&error))
}

/// The octets of a file: hexadecimal digits, in whatever groups, or the octets themselves. A non-ESP marker before them is
/// left out (RFC 3948 §2.2).
fn octets(read: &[u8]) -> Vec<u8> {
    let digits: Vec<u8> = read.iter().copied().filter(|octet| !octet.is_ascii_whitespace() && *octet != b':').collect();
    let is_hex = !digits.is_empty() && digits.len().is_multiple_of(2) && digits.iter().all(u8::is_ascii_hexdigit);
    let value = |digit: &u8| char::from(*digit).to_digit(16).and_then(|value| u8::try_from(value).ok()).unwrap_or(0);
    let octets: Vec<u8> = if is_hex {
        digits.chunks_exact(2).map(|pair| pair.iter().fold(0, |octet, digit| octet << 4 | value(digit))).collect()
    } else {
        read.to_vec()
    };
    octets.strip_prefix(&[0; 4]).map(<[u8]>::to_vec).unwrap_or(octets)
}

/// What quick mode is to be for.
fn traffic(arguments: &ExplainArgs, local: HostAddress, remote: HostAddress) -> Result<Selector, String> {
    let ProposalArgs { local_net, remote_net, .. } = &arguments.proposal;
    let block = |net: &Option<Prefix>, host: HostAddress| net.unwrap_or_else(|| Prefix::host(host.ip()));
    let (local_net, remote_net) = (block(local_net, local), block(remote_net, remote));
    if local_net.address().is_ipv4() != remote_net.address().is_ipv4() {
        return Err(format!("{local_net} and {remote_net} are not of one family"));
    }
    let has_ports = arguments.local_port != 0 || arguments.remote_port != 0;
    let protocol = match arguments.protocol {
        None if has_ports => 6,
        protocol => protocol.unwrap_or(0),
    };
    Ok(Selector {
        scope: local.scope().max(remote.scope()),
        protocol,
        local_port: arguments.local_port,
        remote_port: arguments.remote_port,
        ..Selector::between(local_net, remote_net)
    })
}

/// The mode in which the policy has the traffic; if it has it in none, transport mode.
fn usual_mode(db: &PolicyDb, traffic: &Selector) -> Mode {
    let negotiates = |rule: &Rule| matches!(rule.action, RuleAction::Negotiate(_));
    let found = db.covering(traffic).map(|(rule, _)| rule).find(|rule| negotiates(rule));
    found.map_or(Mode::Transport, |rule| rule.mode())
}

fn quick_mode(
    db: &PolicyDb,
    local: HostAddress,
    remote: HostAddress,
    traffic: &Selector,
    proposal: &ProposalArgs,
) -> Result<Answer, String> {
    let mode = match proposal.mode {
        Some(Wrapping::Transport) => Mode::Transport,
        Some(Wrapping::Tunnel) => Mode::Tunnel,
        None => usual_mode(db, traffic),
    };
    let wrapped = match mode {
        Mode::Transport => EncapsulationMode::TRANSPORT,
        Mode::Tunnel => EncapsulationMode::TUNNEL,
    };
    // RFC 2409 §5.5: there is one Key Exchange payload, so one group.
    let mut groups = proposal.quick_mode.iter().map(|offer| offer.pfs);
    let pfs = groups.next().flatten();
    if groups.any(|other| other != pfs) {
        return Err("quick mode has one group in all its proposals, or none in all of them (RFC 2409 §5.5)".to_owned());
    }
    // Any that are none of the reserved ones (RFC 4303 §2.1).
    let spis = [ProtocolId::ESP, ProtocolId::AH].map(|protocol| (protocol, ikecore::ids::Spi(0x1000)));
    let body = encode_quick_mode(&proposal.quick_mode, wrapped, &spis);
    let offered = Sa::decode(&body).map_err(|error| format!("the SA payload: {error}"))?;
    let about = format!("quick mode for {}, {mode} mode", named(&traffic.to_string(), traffic.scope));
    let length = pfs.map(Group::public_len);
    Ok(match answer::quick_mode(db, local, remote, traffic, mode, length, &offered) {
        Ok(considered) => Answer { about, rules: vec![RuleReport::new(&considered, chosen_quick_mode)], failure: None },
        Err(failure) => Answer { about, rules: Vec::new(), failure: Some(failure.to_string()) },
    })
}

/// For people.
pub(super) fn text(report: &Report, style: Style) -> String {
    let mut out = String::new();
    // Writing to a String does not fail.
    let _ = write(&mut out, report, style);
    out
}

fn write(out: &mut String, report: &Report, style: Style) -> std::fmt::Result {
    let Report { local, remote, main_mode, quick_mode } = report;
    writeln!(out, "{}", style.heading(&format!("from {remote} to {local}")))?;
    for Answer { about, rules, failure } in main_mode.iter().chain(quick_mode) {
        writeln!(out, "  {about}")?;
        if let Some(failure) = failure {
            writeln!(out, "    {} {failure}", style.bad("refused:"))?;
        }
        for RuleReport { rule, chosen, refused } in rules {
            for MismatchReport { proposal, transform, attribute, received, allowed } in refused {
                let which = if *transform == 0 { String::new() } else { format!(" transform {transform}") };
                writeln!(
                    out,
                    "    {} rule {rule:?}: proposal {proposal}{which}: {attribute} is {received}, allowed: {allowed}",
                    style.warning("refused:")
                )?;
            }
            if let Some(ChosenReport { proposal, transform, suite, lifetime, pfs }) = chosen {
                let pfs = pfs.as_ref().map(|group| format!(", PFS {group}")).unwrap_or_default();
                writeln!(
                    out,
                    "    {} rule {rule:?}: proposal {proposal} transform {transform}: {suite}{pfs}, life {lifetime}",
                    style.good("chosen:")
                )?;
            }
        }
        if rules.iter().all(|rule| rule.chosen.is_none()) && failure.is_none() {
            writeln!(out, "    {} nothing is acceptable to any rule for the peer", style.bad("refused:"))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::octets;

    #[test]
    fn a_packet_is_octets_or_their_digits() {
        assert_eq!(octets(b"01 02:0a\nFF"), [1, 2, 10, 255]);
        assert_eq!(octets(&[1, 2, 0xff]), [1, 2, 0xff]);
        assert_eq!(octets(b"00000000 0102"), [1, 2]);
        assert_eq!(octets(b"012"), *b"012", "half an octet is none");
    }
}
