//! Negotiations as the administrator sees them, and the service as a whole.
use super::names;
use crate::sinks::audit_id;
use ikecore::event::negotiation::{Cause, Role};
use ikecore::event::{Context, EndpointEvent, NegotiationEvent};
use std::net::IpAddr;

/// The lines of one event of a negotiation.
pub(super) fn negotiation(context: &Context, event: &NegotiationEvent, out: &mut Vec<String>) {
    let id = context.negotiation.map_or(0, |id| id.0);
    match event {
        NegotiationEvent::Started { role: Role::Initiator, cause, rule } => {
            let (src, dst) = (names::with_padded_port(context.local), names::with_padded_port(context.remote));
            let (protocol, from, to) = match cause {
                Cause::Acquire(flow) => (
                    flow.protocol,
                    names::padded(flow.local, flow.local_port),
                    names::padded(flow.remote, flow.remote_port),
                ),
                Cause::Command | Cause::Peer | Cause::Rekey | Cause::DeadPeer => {
                    (0, names::padded(names::ip(context.local), 0), names::padded(names::ip(context.remote), 0))
                }
            };
            out.push(format!(
                "Starting Negotiation: src = {src}, dst = {dst}, proto = {protocol:02}, context = {id:08x}, \
                 ProxySrc = {from}, ProxyDst = {to}"
            ));
            out.push(format!("  cause: {cause}, rule: {}", rule.as_deref().unwrap_or("not known yet")));
        }
        NegotiationEvent::Started { role: Role::Responder, rule, .. } => {
            let (peer, me) = (names::with_padded_port(context.remote), names::with_padded_port(context.local));
            out.push(format!("Responding to Negotiation: src = {peer}, dst = {me}, context = {id:08x}"));
            out.push(format!("  rule: {}", rule.as_deref().unwrap_or("not known yet")));
        }
        NegotiationEvent::Succeeded { role, phase } => {
            out.push(format!("Negotiation done: context = {id:08x}, {phase} as {role}, status 0 SUCCESS"));
        }
        NegotiationEvent::Failed { role, phase, failure, seconds, .. } => {
            out.push(audit_id::mode(*phase).to_owned());
            let (me, peer) = (names::ip(context.local), names::ip(context.remote));
            out.push(format!("Source IP Address {me}  Destination IP Address {peer}"));
            let (local, remote) = (names::with_port(context.local), names::with_port(context.remote));
            out.push(format!("IKE Local Addr {local}  IKE Peer Addr {remote}"));
            out.push(audit_id::point(failure).to_owned());
            out.push(failure.to_string());
            out.push("0x0 0x0".to_owned());
            let (sa, centry) = (names::sa(context), names::centry(context));
            let status = failure.status();
            out.push(format!("ProcessFailure: sa:{sa} centry:{centry} status:{:x}", status.code()));
            let audit = audit_id::failed(failure);
            out.push(format!(
                "isadb_set_status sa:{sa} centry:{centry} status {status} audit {audit} ({role}, context = {id:08x}, \
                 after {seconds} s)"
            ));
        }
    }
}

/// The lines of one event of the endpoint.
pub(super) fn endpoint(event: &EndpointEvent, out: &mut Vec<String>) {
    match event {
        EndpointEvent::PolicyInForce { version, rules } => {
            out.push("entered kill_old_policy_sas".to_owned());
            out.push(format!("policy {version} in force, rules: {rules}"));
        }
        EndpointEvent::Acquire { flow, rule } => {
            let one = if flow.local.is_ipv4() { IpAddr::from([255; 4]) } else { IpAddr::from([255; 16]) };
            out.push(format!(
                "Acquire from driver: src={}.{} dst={}.{} proto = {}, SrcMask={one}, DstMask={one}",
                flow.local, flow.local_port, flow.remote, flow.remote_port, flow.protocol
            ));
            out.push(match rule {
                Some(rule) => format!("  rule: {rule}"),
                None => "  no rule covers it, nothing is negotiated".to_owned(),
            });
        }
        EndpointEvent::Expire { sa, hard } => {
            let limit = if *hard { "hard" } else { "soft" };
            out.push(format!("Expire from driver: {limit} limit of {sa}"));
        }
        EndpointEvent::DriverLost { reason } => out.push(format!("SA driver lost: {reason}")),
        EndpointEvent::DriverFailed(error) => out.push(format!("SA driver failed: {error}")),
        EndpointEvent::ShuttingDown => out.push("Shutting down".to_owned()),
    }
}
