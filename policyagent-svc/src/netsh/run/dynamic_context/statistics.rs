//! `show stats`: the counters that there are, under the names that Windows has for them. docs/netsh.md lists the others.
use serde::Serialize;

use crate::control::report::{IpsecSaReport, Status, UsageReport};
use crate::netsh::command::Statistics;
use crate::netsh::run::show::layout::Lines;

/// The statistics that were asked for.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(super) struct Report {
    ike: Option<Ike>,
    ipsec: Option<Ipsec>,
}

/// Of the negotiations, since the service began.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
struct Ike {
    main_modes: u64,
    quick_modes: u64,
    soft_sas: u64,
    authentication_failures: u64,
    /// Main modes under way that this host began.
    active_acquire: usize,
    /// Main modes under way that a peer began.
    active_receive: usize,
    negotiation_failures: u64,
    total_acquire: u64,
    /// ISAKMP SAs, those under way included.
    isadb_list_size: usize,
    /// Quick modes under way.
    connection_list_size: usize,
    invalid_packets_received: u64,
}

/// Of the IPsec SAs that stand.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
struct Ipsec {
    active_associations: usize,
    active_tunnels: usize,
    packets_not_authenticated: u64,
    packets_with_replay_detection: u64,
    confidential_bytes_sent: u64,
    confidential_bytes_received: u64,
    authenticated_bytes_sent: u64,
    authenticated_bytes_received: u64,
    transport_bytes_sent: u64,
    transport_bytes_received: u64,
    bytes_sent_in_tunnels: u64,
    bytes_received_in_tunnels: u64,
}

impl Report {
    /// What `status` tells of what was asked for.
    pub(super) fn new(status: &Status, which: Statistics) -> Self {
        Self {
            ike: (which != Statistics::Ipsec).then(|| ike(status)),
            ipsec: (which != Statistics::Ike).then(|| ipsec(&status.ipsec_sas)),
        }
    }
}

fn ike(status: &Status) -> Ike {
    let counters = &status.counters;
    let negotiating = |role: &str| {
        let under_way = status.ike_sas.iter().filter(|sa| sa.role == role);
        under_way.filter(|sa| !matches!(sa.state.as_str(), "established" | "retired")).count()
    };
    Ike {
        main_modes: counters.main_modes,
        quick_modes: counters.quick_modes,
        soft_sas: counters.soft_sas,
        authentication_failures: counters.authentication_failures,
        active_acquire: negotiating("initiator"),
        active_receive: negotiating("responder"),
        negotiation_failures: counters.main_modes_failed + counters.quick_modes_failed,
        total_acquire: counters.acquires,
        isadb_list_size: status.ike_sas.len(),
        connection_list_size: status.quick_modes.len(),
        invalid_packets_received: counters.malformed,
    }
}

fn ipsec(sas: &[IpsecSaReport]) -> Ipsec {
    let mut sums = Ipsec { active_associations: sas.len(), ..Ipsec::default() };
    for sa in sas {
        let tunnel = sa.mode == "tunnel";
        sums.active_tunnels += usize::from(tunnel);
        let Some(UsageReport { inbound_octets, outbound_octets, replays, integrity_failures, .. }) = sa.usage else {
            continue;
        };
        sums.packets_not_authenticated += integrity_failures;
        sums.packets_with_replay_detection += replays;
        if sa.suite.contains("ESP") && !sa.suite.contains("NULL") {
            sums.confidential_bytes_sent += outbound_octets;
            sums.confidential_bytes_received += inbound_octets;
        }
        sums.authenticated_bytes_sent += outbound_octets;
        sums.authenticated_bytes_received += inbound_octets;
        let (sent, received) = if tunnel {
            (&mut sums.bytes_sent_in_tunnels, &mut sums.bytes_received_in_tunnels)
        } else {
            (&mut sums.transport_bytes_sent, &mut sums.transport_bytes_received)
        };
        *sent += outbound_octets;
        *received += inbound_octets;
    }
    sums
}

/// The statistics as text.
pub(super) fn text(report: &Report) -> String {
    let mut lines = Lines::default();
    if let Some(ike) = &report.ike {
        lines.heading("IKE Statistics");
        lines.field("Main Modes", ike.main_modes.to_string());
        lines.field("Quick Modes", ike.quick_modes.to_string());
        lines.field("Soft SAs", ike.soft_sas.to_string());
        lines.field("Authentication Failures", ike.authentication_failures.to_string());
        lines.field("Active Acquire", ike.active_acquire.to_string());
        lines.field("Active Receive", ike.active_receive.to_string());
        lines.field("Negotiation Failures", ike.negotiation_failures.to_string());
        lines.field("Total Acquire", ike.total_acquire.to_string());
        lines.field("IsadbListSize", ike.isadb_list_size.to_string());
        lines.field("ConnListSize", ike.connection_list_size.to_string());
        lines.field("Invalid Packets Rcvd", ike.invalid_packets_received.to_string());
    }
    if report.ike.is_some() && report.ipsec.is_some() {
        lines.line("");
    }
    if let Some(ipsec) = &report.ipsec {
        lines.heading("IPsec Statistics");
        lines.field("Active Assoc", ipsec.active_associations.to_string());
        lines.field("Active Tunnels", ipsec.active_tunnels.to_string());
        lines.field("Pkts not Authenticated", ipsec.packets_not_authenticated.to_string());
        lines.field("Pkts with Replay Detection", ipsec.packets_with_replay_detection.to_string());
        lines.field("Confidential Bytes Sent", ipsec.confidential_bytes_sent.to_string());
        lines.field("Confidential Bytes Received", ipsec.confidential_bytes_received.to_string());
        lines.field("Authenticated Bytes Sent", ipsec.authenticated_bytes_sent.to_string());
        lines.field("Authenticated Bytes Received", ipsec.authenticated_bytes_received.to_string());
        lines.field("Transport Bytes Sent", ipsec.transport_bytes_sent.to_string());
        lines.field("Transport Bytes Received", ipsec.transport_bytes_received.to_string());
        lines.field("Bytes Sent In Tunnels", ipsec.bytes_sent_in_tunnels.to_string());
        lines.field("Bytes Received In Tunnels", ipsec.bytes_received_in_tunnels.to_string());
    }
    lines.into_text()
}
