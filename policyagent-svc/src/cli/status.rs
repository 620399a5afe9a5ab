//! Status for people.
use std::fmt::Write as _;

use super::style::Style;
use crate::control::report::{
    AuditReport, DirectoryReport, IkeSaReport, InitiateReport, IpsecSaReport, Lifetime, SelectorReport, SoftSaReport,
    Status, StoreReport, StoreState,
};
use crate::model::protocol_name;
use ikedaemon::statistics::Figure;

/// The status as text.
pub(crate) fn text(status: &Status, style: Style) -> String {
    let mut out = String::new();
    // Writing to a String does not fail.
    let _ = write(&mut out, status, style);
    out
}

fn write(out: &mut String, status: &Status, style: Style) -> std::fmt::Result {
    let Status {
        service,
        driver,
        policy,
        directory,
        settings,
        oakley,
        audit,
        ike_sas,
        quick_modes,
        ipsec_sas,
        soft_sas,
        counters,
        statistics,
    } = status;
    writeln!(out, "policyagent {}, process {}, up {}", service.version, service.pid, duration(service.uptime_seconds))?;
    let listen: Vec<String> = service.listen.iter().map(ToString::to_string).collect();
    writeln!(out, "  listens on    {}", if listen.is_empty() { "nothing".to_owned() } else { listen.join(", ") })?;
    writeln!(out, "  driver        {}: {}", driver.name, driver.why)?;
    if !driver.description.is_empty() {
        writeln!(out, "                {}", driver.description)?;
    }
    let version = policy.version;
    match &policy.name {
        Some(name) => {
            writeln!(out, "  policy        {name}, {}, version {version}", count(policy.rules.len(), "rule"))?;
        }
        None => writeln!(out, "  policy        {}, version {version}", style.warning("none assigned"))?,
    }
    policy.stores.iter().try_for_each(|store| write_store(out, store, style))?;
    for warning in &policy.warnings {
        writeln!(out, "                {} {warning}", style.warning("warning:"))?;
    }
    if let Some(report) = directory {
        write_directory(out, report, style)?;
    }
    if !settings.pending.is_empty() || settings.error.is_some() {
        let pending =
            if settings.pending.is_empty() { "as at the start".to_owned() } else { settings.pending.join("; ") };
        writeln!(out, "  settings      {}", style.warning(&pending))?;
        write_error(out, settings.error.as_deref(), style)?;
    }
    writeln!(out, "  Oakley.log    {}, {}", if oakley.enabled { "on" } else { "off" }, oakley.path.display())?;
    write_audit(out, audit, style)?;

    writeln!(out, "\n{}", style.heading(&format!("ISAKMP SAs: {}", ike_sas.len())))?;
    ike_sas.iter().try_for_each(|sa| ike_sa(out, sa, style))?;
    if !quick_modes.is_empty() {
        writeln!(out, "\n{}", style.heading(&format!("Quick modes under way: {}", quick_modes.len())))?;
        for quick_mode in quick_modes {
            let crate::control::report::QuickModeReport { negotiation, remote, role, state, rule } = quick_mode;
            writeln!(out, "  {negotiation}  with {remote}, {role}, {state}, rule {rule:?}")?;
        }
    }
    writeln!(out, "\n{}", style.heading(&format!("IPsec SAs: {}", count(ipsec_sas.len(), "pair"))))?;
    ipsec_sas.iter().try_for_each(|sa| ipsec_sa(out, sa, style))?;
    if !soft_sas.is_empty() {
        writeln!(out, "\n{}", style.heading(&format!("Soft SAs, in clear: {}", soft_sas.len())))?;
        for SoftSaReport { id, remote, selector: traffic, rule, age_seconds, lifetime_seconds, .. } in soft_sas {
            let traffic = selector(traffic);
            writeln!(
                out,
                "  {id}  {traffic}, {}, rule {rule:?}",
                style.warning(&format!("{} is silent", remote.host))
            )?;
            let lifetime = Lifetime { seconds: *lifetime_seconds, kilobytes: 0 };
            writeln!(out, "      age       {} of {}", duration(*age_seconds), life(lifetime))?;
        }
    }

    writeln!(out, "\n{}", style.heading("Counters"))?;
    let bad = |n: u64, text: String| if n == 0 { text } else { style.bad(&text) };
    writeln!(
        out,
        "  main modes    {} succeeded, {}",
        counters.main_modes,
        bad(counters.main_modes_failed, format!("{} failed", counters.main_modes_failed))
    )?;
    writeln!(
        out,
        "  quick modes   {} succeeded, {}",
        counters.quick_modes,
        bad(counters.quick_modes_failed, format!("{} failed", counters.quick_modes_failed))
    )?;
    writeln!(
        out,
        "  datagrams     {} received, {} dropped ({} malformed), {} not authentic",
        counters.datagrams, counters.dropped, counters.malformed, counters.authentication_failures
    )?;
    writeln!(
        out,
        "  repeated      {} messages for want of an answer, {} replies to duplicates",
        counters.retransmitted, counters.replies_repeated
    )?;
    writeln!(out, "  acquires      {}, {}", counters.acquires, count_soft(counters.soft_sas))?;
    let figure = |figure| statistics.text(figure);
    writeln!(
        out,
        "  pairs         {} installed, {} removed, {} rekeyed",
        figure(Figure::SasAdded),
        figure(Figure::SasDeleted),
        figure(Figure::Rekeys)
    )?;
    for (what, figure) in [
        ("bad SPI", Figure::BadSpi),
        ("not decrypted", Figure::NotDecrypted),
        ("not authentic", Figure::NotAuthenticated),
        ("replayed", Figure::Replays),
    ] {
        // That a driver cannot count them is told by `netsh ipsec dynamic show stats`.
        if let Some(count) = statistics.get(figure).filter(|count| *count > 0) {
            writeln!(out, "  packets       {}", style.bad(&format!("{count} {what}")))?;
        }
    }
    Ok(())
}

/// Where the audit is written, and what is missing in it.
fn write_audit(out: &mut String, report: &AuditReport, style: Style) -> std::fmt::Result {
    let AuditReport { negotiations, file, journal, syslog, not_written, not_queued, .. } = report;
    let places = [file, journal, syslog].into_iter().flatten().map(|path| path.display().to_string());
    let places = places.collect::<Vec<_>>().join(", ");
    let places = if places.is_empty() { style.warning("written nowhere") } else { places };
    let without = if *negotiations { String::new() } else { style.warning(", without negotiations") };
    let missing = not_written + not_queued;
    let missing = if missing == 0 { String::new() } else { style.bad(&format!(", {missing} entries missing")) };
    writeln!(out, "  audit         {places}{without}{missing}")
}

/// A store, unless there is nothing to say of it.
fn write_store(out: &mut String, report: &StoreReport, style: Style) -> std::fmt::Result {
    let StoreReport { store, path, state, why, policies, version, age_seconds, error } = report;
    let names = policies.join(", ");
    let state = match state {
        StoreState::Absent if error.is_none() && store != "local" => return Ok(()),
        // What is in memory is there.
        StoreState::NotAssigned if path.is_none() => return Ok(()),
        StoreState::Absent => style.warning("no file"),
        StoreState::NotAssigned => style.warning("no policy assigned"),
        StoreState::InForce => format!("{names}, version {version} since {}", duration(*age_seconds)),
        StoreState::Overridden => style.warning(&format!("{names}, not in force: {why}")),
        StoreState::LastGood => format!("{names}, {}", style.warning("the last good version")),
        StoreState::Failed => style.bad("no good version is known"),
    };
    let path = path.as_ref().map(|path| format!(", {}", path.display())).unwrap_or_default();
    writeln!(out, "    {store:<11} {state}{path}")?;
    write_error(out, error.as_deref(), style)
}

/// Why a file, as it is now, is not in force.
fn write_error(out: &mut String, error: Option<&str>, style: Style) -> std::fmt::Result {
    let Some(error) = error else { return Ok(()) };
    writeln!(out, "                {}", style.bad("the file as it is now is not in force:"))?;
    error.lines().try_for_each(|line| writeln!(out, "                {line}"))
}

fn write_directory(out: &mut String, report: &DirectoryReport, style: Style) -> std::fmt::Result {
    let server = report.server.as_deref().map_or_else(|| report.servers.join(", "), str::to_owned);
    let contact = match report.contact_age_seconds {
        Some(seconds) => format!("answered {} ago", duration(seconds)),
        None => style.warning("not reached yet"),
    };
    let next =
        report.next_poll_seconds.map(|seconds| format!(", asked again in {}", duration(seconds))).unwrap_or_default();
    writeln!(out, "  directory     {server}: {contact}{next}")?;
    match (&report.policy, &report.policy_dn) {
        (Some(name), Some(dn)) => writeln!(out, "                policy {name:?}, {dn}")?,
        _ if report.contact_age_seconds.is_some() => writeln!(out, "                assigns no policy to this host")?,
        _ => {}
    }
    if let Some(error) = &report.error {
        let failures = count(report.failures as usize, "failure");
        writeln!(out, "                {} {error}", style.bad(&format!("{failures}:")))?;
    }
    report.notes.iter().try_for_each(|note| writeln!(out, "                {} {note}", style.warning("warning:")))
}

fn ike_sa(out: &mut String, sa: &IkeSaReport, style: Style) -> std::fmt::Result {
    let state = if sa.state == "established" { style.good(&sa.state) } else { style.warning(&sa.state) };
    writeln!(out, "  {}  {} <-> {}, {}, {state}, rule {:?}", sa.id, sa.local, sa.remote, sa.role, sa.rule)?;
    writeln!(out, "      cookies   {}/{}", sa.initiator_cookie, sa.responder_cookie)?;
    if let Some(suite) = &sa.suite {
        let (cipher, hash, group) = (&suite.cipher, &suite.hash, &suite.group);
        writeln!(out, "      suite     {cipher}, {hash}, {group}, {}", suite.authentication)?;
    }
    if let Some(identity) = &sa.identity {
        writeln!(out, "      peer is   {identity}")?;
    }
    if let Some(user) = &sa.user {
        writeln!(out, "      user      {user:?}")?;
    }
    if !sa.addresses.is_empty() {
        let addresses: Vec<String> = sa.addresses.iter().map(ToString::to_string).collect();
        writeln!(out, "      given     {}", addresses.join(", "))?;
    }
    let nat = match (sa.nat_local, sa.nat_remote) {
        (false, false) => "",
        (true, false) => ", NAT before this host",
        (false, true) => ", NAT before the peer",
        (true, true) => ", NAT before both",
    };
    let modes = count(sa.quick_modes as usize, "quick mode");
    writeln!(out, "      age       {} of {}, {modes}{nat}", duration(sa.age_seconds), life(sa.lifetime))
}

fn ipsec_sa(out: &mut String, sa: &IpsecSaReport, style: Style) -> std::fmt::Result {
    let udp = if sa.encapsulated { ", in UDP" } else { "" };
    let replaced = if sa.replaced { format!(", {}", style.warning("replaced")) } else { String::new() };
    writeln!(out, "  {}  {}, rule {:?}{replaced}", sa.id, selector(&sa.selector), sa.rule)?;
    let numbers = if sa.extended_sequence_numbers { ", extended sequence numbers" } else { "" };
    writeln!(out, "      suite     {}, {} mode{udp}{numbers}", sa.suite, sa.mode)?;
    let (local, remote) = (sa.local.host, sa.remote.host);
    writeln!(out, "      SPIs      in {} to {local}, out {} to {remote}", sa.inbound_spi, sa.outbound_spi)?;
    match (&sa.usage, &sa.usage_error) {
        (Some(usage), _) => {
            let (packets_in, packets_out) = (usage.inbound_packets, usage.outbound_packets);
            let packets = |n: u64| count(usize::try_from(n).unwrap_or(usize::MAX), "packet");
            writeln!(
                out,
                "      traffic   in {} ({} octets), out {} ({} octets)",
                packets(packets_in),
                usage.inbound_octets,
                packets(packets_out),
                usage.outbound_octets
            )?;
            let (replays, failures) = (usage.replays.unwrap_or(0), usage.integrity_failures.unwrap_or(0));
            if replays + failures > 0 {
                let text = format!("{replays} replays, {failures} not authentic");
                writeln!(out, "      dropped   {}", style.bad(&text))?;
            }
        }
        (None, Some(error)) => writeln!(out, "      traffic   unknown: {error}")?,
        (None, None) => {}
    }
    writeln!(out, "      age       {} of {}", duration(sa.age_seconds), life(sa.lifetime))
}

/// What became of an `initiate`, as text.
pub(crate) fn initiated(report: &InitiateReport, style: Style) -> String {
    let mut out = format!("{}: rule {:?}\n", style.good("established"), report.rule);
    for sa in &report.ipsec_sas {
        // Writing to a String does not fail.
        let _ = ipsec_sa(&mut out, sa, style);
    }
    out
}

fn selector(selector: &SelectorReport) -> String {
    let end = |address: &str, port: u16| if port == 0 { address.to_owned() } else { format!("{address}[{port}]") };
    let protocol = match selector.protocol {
        0 => String::new(),
        number => format!(", {}", protocol_name(number)),
    };
    let local = end(&selector.local, selector.local_port);
    format!("{local} <-> {}{protocol}", end(&selector.remote, selector.remote_port))
}

fn life(lifetime: Lifetime) -> String {
    match (lifetime.seconds, lifetime.kilobytes) {
        (0, 0) => "no limit".to_owned(),
        (seconds, 0) => duration(seconds.into()),
        (0, kilobytes) => format!("{kilobytes} kB"),
        (seconds, kilobytes) => format!("{} or {kilobytes} kB", duration(seconds.into())),
    }
}

/// `1 rule`, `2 rules`.
pub(crate) fn count(n: usize, one: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{n} {one}s") }
}

fn count_soft(n: u64) -> String {
    count(usize::try_from(n).unwrap_or(usize::MAX), "soft SA")
}

fn duration(seconds: u64) -> String {
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes) {
        (0, 0) => format!("{rest} s"),
        (0, minutes) => format!("{minutes} min {rest} s"),
        (hours, minutes) => format!("{hours} h {minutes} min"),
    }
}
