//! What events of the engine become in the audit: those of negotiations and SAs, and what befalls the SA driver.
use ikecore::event::negotiation::Role;
use ikecore::event::{
    Context, EndpointEvent, Event, EventKind, Failure, IkeSaEvent, IpsecSaEvent, NegotiationEvent, Phase, SoftSaEvent,
};
use ikecore::policy::selector::{Prefix, Selector};
use ikecore::proposal::mismatch::Mismatch;
use ikecore::proposal::suite::{IkeSuite, IpsecSuite, Lifetime, Mode, ProtectionSuite};
use ikedaemon::sinks::audit_id;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::SystemTime;

use super::record::{Kind, Record};
use crate::link::NamedSocket;

/// True if [`record`] makes something of it.
pub(super) const fn is_audited(event: &Event) -> bool {
    matches!(
        &event.kind,
        EventKind::IkeSa(IkeSaEvent::Established { .. } | IkeSaEvent::Ended { established: true, .. })
            | EventKind::IpsecSa(IpsecSaEvent::Established { .. } | IpsecSaEvent::Ended { .. })
            | EventKind::Negotiation(NegotiationEvent::Failed { .. })
            | EventKind::SoftSa(_)
            | EventKind::Endpoint(EndpointEvent::DriverLost { .. } | EndpointEvent::DriverFailed(_))
    )
}

/// The entry of an event that is audited.
pub(super) fn record(at: SystemTime, event: &Event) -> Option<Record> {
    let context = &event.context;
    let peer = Peer(context.remote);
    Some(match &event.kind {
        EventKind::IkeSa(IkeSaEvent::Established { role, suite, lifetime, identity, rule, .. }) => {
            let message = format!("ISAKMP SA with {peer} established: {identity}, rule {rule:?}");
            let record = start(at, Kind::IkeSaEstablished, message, context, Phase::MainMode)
                .with("peer_identity", identity.to_string());
            let record = filter(record, context, None);
            ike_parameters(record, *suite, *lifetime).with("role", role.to_string()).with("rule", rule.clone())
        }
        EventKind::IkeSa(IkeSaEvent::Ended { established: true, reason, quick_modes, identity, rule, .. }) => {
            let message = format!("ISAKMP SA with {peer} ended: {reason}");
            let record = start(at, Kind::IkeSaEnded, message, context, Phase::MainMode)
                .with_some("peer_identity", identity.as_ref().map(ToString::to_string));
            let record = filter(record, context, None).with("quick_modes", *quick_modes).with("rule", rule.clone());
            ended(record, reason)
        }
        EventKind::IpsecSa(IpsecSaEvent::Established {
            inbound,
            outbound,
            suite,
            mode,
            selector,
            lifetime,
            rule,
            replaces,
        }) => {
            let message = format!("IPsec SAs with {peer} established: {selector}, {suite}, {mode} mode, rule {rule:?}");
            let record = start(at, Kind::IpsecSaEstablished, message, context, Phase::QuickMode);
            let record = ipsec_parameters(filter(record, context, Some(selector)), *suite, *mode)
                .with("inbound_spi", inbound.to_string())
                .with("outbound_spi", outbound.to_string());
            life(record, *lifetime)
                .with("rule", rule.clone())
                .with_some("replaces", replaces.map(|replaced| replaced.to_string()))
        }
        EventKind::IpsecSa(IpsecSaEvent::Ended { inbound, outbound, reason, selector, rule }) => {
            let message = format!("IPsec SAs with {peer} ended: {selector}: {reason}");
            let record = start(at, Kind::IpsecSaEnded, message, context, Phase::QuickMode);
            let record = filter(record, context, Some(selector))
                .with("inbound_spi", inbound.to_string())
                .with("outbound_spi", outbound.to_string())
                .with("rule", rule.clone());
            ended(record, reason)
        }
        EventKind::SoftSa(SoftSaEvent::Established { selector, rule, lifetime }) => {
            let message =
                format!("traffic with {peer} passes in clear, for it does not answer: {selector}, rule {rule:?}");
            let record = start(at, Kind::SoftSaEstablished, message, context, Phase::QuickMode);
            let none = ["esp_algorithm", "hmac_algorithm", "ah_algorithm"];
            let record =
                none.iter().fold(filter(record, context, Some(selector)), |record, name| record.with(name, "none"));
            record.with("lifetime_seconds", *lifetime).with("rule", rule.clone())
        }
        EventKind::SoftSa(SoftSaEvent::Ended { selector, rule, reason }) => {
            let message = format!("traffic with {peer} passes in clear no more: {selector}: {reason}");
            let record = start(at, Kind::SoftSaEnded, message, context, Phase::QuickMode);
            ended(filter(record, context, Some(selector)).with("rule", rule.clone()), reason)
        }
        EventKind::Negotiation(NegotiationEvent::Failed { role, phase, failure, seconds, rule, selector }) => {
            let message = format!("{phase} with {peer} failed: {failure}");
            let record = start(at, kind_of(failure), message, context, *phase);
            let record = filter(record.with_some("peer_identity", claimed(failure)), context, selector.as_deref());
            failed(record, failure, *role, *seconds).with_some("rule", rule.clone())
        }
        EventKind::Endpoint(EndpointEvent::DriverLost { reason }) => {
            let message = format!("the SA driver is lost: {reason}");
            Record::new(at, Kind::DriverLost, message).with("failure_reason", reason.clone())
        }
        EventKind::Endpoint(EndpointEvent::DriverFailed(error)) => {
            let record = Record::new(at, Kind::DriverFailed, error.to_string());
            record
                .with("driver", error.driver)
                .with("operation", error.operation.clone())
                .with("failure_reason", error.reason.clone())
        }
        _ => return None,
    })
}

/// The kind of a failed negotiation.
const fn kind_of(failure: &Failure) -> Kind {
    match audit_id::failed(failure) {
        audit_id::NO_TRUST => Kind::CertificateNotTrusted,
        audit_id::AUTHENTICATION_FAILED => Kind::AuthenticationFailed,
        audit_id::INVALID_PROPOSAL => Kind::ProposalInvalid,
        _ => Kind::NegotiationFailed,
    }
}

/// Who the peer says it is, where that is the matter; nothing is proven.
fn claimed(failure: &Failure) -> Option<String> {
    match failure {
        Failure::IdentityMismatch { received: identity, .. }
        | Failure::UnknownIdentity { identity, .. }
        | Failure::IdentityInUse { identity, .. } => Some(identity.to_string()),
        Failure::XauthFailed { user, .. } => user.clone(),
        _ => None,
    }
}

/// What every entry about a peer begins with.
fn start(at: SystemTime, kind: Kind, message: String, context: &Context, phase: Phase) -> Record {
    let mut record = Record::new(at, kind, message).with("mode", audit_id::mode(phase));
    record.peer = context.remote.map(|remote| remote.ip());
    record
}

/// The block Filter, seen from this host. Main mode is for all traffic of the two hosts.
fn filter(record: Record, context: &Context, selector: Option<&Selector>) -> Record {
    let host = |address: Option<SocketAddr>| address.map(|address| Prefix::host(address.ip()));
    let source = selector.map(|selector| selector.local).or_else(|| host(context.local));
    let destination = selector.map(|selector| selector.remote).or_else(|| host(context.remote));
    let (protocol, from, to) =
        selector.map_or((0, 0, 0), |selector| (selector.protocol, selector.local_port, selector.remote_port));
    let address = |prefix: Option<Prefix>| prefix.map(|prefix| prefix.address().to_string());
    let ike = |address: Option<SocketAddr>| address.map(|address| NamedSocket::from(address).host.to_string());
    let port = |address: Option<SocketAddr>| address.map(|address| address.port());
    record
        .with_some("source_address", address(source))
        .with_some("source_mask", source.map(mask))
        .with_some("destination_address", address(destination))
        .with_some("destination_mask", destination.map(mask))
        .with("protocol", protocol)
        .with("source_port", from)
        .with("destination_port", to)
        .with_some("ike_local_address", ike(context.local))
        .with_some("ike_peer_address", ike(context.remote))
        .with_some("ike_source_port", port(context.local))
        .with_some("ike_destination_port", port(context.remote))
        .with_some("negotiation", context.negotiation.map(|id| id.to_string()))
        .with_some("ike_sa", context.ike_sa.map(|id| id.to_string()))
        .with_some("ipsec_sa", context.ipsec_sa.map(|id| id.to_string()))
}

/// The mask of a block of addresses.
fn mask(prefix: Prefix) -> String {
    let len = u32::from(prefix.prefix_len());
    let mask: IpAddr = match prefix.address() {
        IpAddr::V4(_) => Ipv4Addr::from(!u32::MAX.checked_shr(len).unwrap_or(0)).into(),
        IpAddr::V6(_) => Ipv6Addr::from(!u128::MAX.checked_shr(len).unwrap_or(0)).into(),
    };
    mask.to_string()
}

fn ike_parameters(record: Record, suite: IkeSuite, lifetime: Lifetime) -> Record {
    let record = record
        .with("encryption_algorithm", suite.cipher.to_string())
        .with("hash_algorithm", suite.hash.to_string())
        .with("diffie_hellman_group", suite.group.name())
        .with("authentication_method", suite.authentication.to_string());
    life(record, lifetime)
}

fn ipsec_parameters(record: Record, suite: ProtectionSuite, mode: Mode) -> Record {
    let (esp, hmac, ah) = match suite.main {
        IpsecSuite::Esp { cipher, integrity } => (Some(cipher), integrity, suite.outer),
        IpsecSuite::Ah { integrity } => (None, None, Some(integrity)),
    };
    record
        .with("esp_algorithm", esp.map_or("none", |cipher| cipher.name()))
        .with("hmac_algorithm", hmac.map_or("none", |hmac| hmac.name()))
        .with("ah_algorithm", ah.map_or("none", |ah| ah.name()))
        .with("compression", if suite.compression { "DEFLATE" } else { "none" })
        .with("encapsulation", if mode == Mode::Tunnel { "Tunnel Mode" } else { "Transport Mode" })
}

fn life(record: Record, lifetime: Lifetime) -> Record {
    record.with("lifetime_seconds", lifetime.seconds).with("lifetime_kilobytes", lifetime.kilobytes)
}

/// Why an SA ended.
fn ended(record: Record, reason: &Failure) -> Record {
    let status = reason.status();
    record.with("reason", reason.to_string()).with("status_code", status.code()).with("status_name", status.name())
}

/// The fields of 544 to 547.
fn failed(record: Record, failure: &Failure, role: Role, seconds: u64) -> Record {
    let status = failure.status();
    let record = match difference(failure) {
        Some(Mismatch { attribute, received, allowed, .. }) => record
            .with("attribute", *attribute)
            .with("expected_value", allowed.clone())
            .with("received_value", received.clone()),
        None => record,
    };
    record
        .with("failure_point", audit_id::point(failure))
        .with("failure_reason", failure.to_string())
        .with("status_code", status.code())
        .with("status_name", status.name())
        .with("role", role.to_string())
        .with("delta_time", seconds)
}

/// The attribute on which a proposal failed; of several transforms that of the first.
fn difference(failure: &Failure) -> Option<&Mismatch> {
    match failure {
        Failure::ChoiceNotOffered(mismatch) => Some(mismatch),
        Failure::NoProposalChosen { mismatches, .. } => mismatches.first(),
        _ => None,
    }
}

/// The peer, in words.
struct Peer(Option<SocketAddr>);

impl std::fmt::Display for Peer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(remote) => write!(f, "{}", NamedSocket::from(remote)),
            None => f.write_str("an unknown peer"),
        }
    }
}
