//! The steps of main mode and quick mode, and what becomes of the SAs.
use super::names;
use crate::sinks::audit_id;
use ikecore::crypto::group::Group;
use ikecore::event::negotiation::Role;
use ikecore::event::{Context, IkeSaEvent, IpsecSaEvent, QuickModeEvent, SoftSaEvent, Status};
use ikecore::proposal::mismatch::Mismatch;
use ikecore::proposal::suite::{IkeSuite, Lifetime, Mode};

/// The lines of one event of an ISAKMP SA.
pub(super) fn ike_sa(context: &Context, event: &IkeSaEvent, out: &mut Vec<String>) {
    let sa = names::sa(context);
    match event {
        IkeSaEvent::PolicyFound { rule, policy, offers, lifetime, quick_mode_limit, soft_lifetime, authentication } => {
            filter_to_match(context, rule, out);
            out.push(format!("MM PolicyName: {policy}"));
            out.push(format!("MMPolicy dwFlags 0 SoftSAExpireTime {soft_lifetime}"));
            for (index, offer) in offers.iter().enumerate() {
                let (seconds, group) = (lifetime.seconds, offer.group.id());
                out.push(format!("MMOffer[{index}] LifetimeSec {seconds} QMLimit {quick_mode_limit} DHGroup {group}"));
                let (cipher, hash) = (names::cipher(offer.cipher), names::hash(offer.hash));
                out.push(format!("MMOffer[{index}] Encrypt: {cipher} Hash: {hash}"));
            }
            for (index, (method, length)) in authentication.iter().enumerate() {
                let length = if *length > 0 { format!(" KeyLen {length}") } else { String::new() };
                out.push(format!("Auth[{index}]:{method}{length}"));
            }
        }
        IkeSaEvent::Created { role, cookies } => {
            let verb = if *role == Role::Responder { "Responding" } else { "Initiating" };
            out.push(format!("{verb} with new SA {sa}"));
            out.push(format!("  I-COOKIE {}", cookies.initiator));
            out.push(format!("  R-COOKIE {}", cookies.responder));
        }
        IkeSaEvent::TransformRefused(mismatch) => out.push(refused(mismatch)),
        IkeSaEvent::ProposalAccepted { transform, suite, lifetime } => {
            out.push(format!("Phase 1 SA accepted: transform={transform}"));
            out.push("SA - Oakley proposal accepted".to_owned());
            ike_suite(*suite, *lifetime, out);
        }
        IkeSaEvent::NatDetected { local, remote } => {
            if *local {
                out.push("I am behind NAT".to_owned());
            }
            if *remote {
                out.push("Peer behind NAT".to_owned());
            }
            out.push(if *local || *remote { "Port float" } else { "No NAT between the peers" }.to_owned());
        }
        IkeSaEvent::Authenticated { identity } => {
            out.push("AUTH: Phase I authentication accepted".to_owned());
            out.push(format!("  peer: {identity}"));
        }
        IkeSaEvent::ProofRefused(failure) => {
            out.push("AUTH: Phase I authentication refused".to_owned());
            out.push(format!("  {failure}"));
        }
        IkeSaEvent::Established { role, cookies, suite, lifetime, identity, rule } => {
            out.push(format!("MM established. SA: {sa}"));
            out.push(format!("  {role}, peer {} is {identity}, rule: {rule}", names::with_port(context.remote)));
            out.push(format!("  cookies {} {}", cookies.initiator, cookies.responder));
            ike_suite(*suite, *lifetime, out);
            out.push(set_status(context, Status::Success, audit_id::ESTABLISHED));
        }
        IkeSaEvent::Probing { sequence, count } => {
            out.push(format!("dead peer detection: sa:{sa} R-U-THERE {sequence}, unanswered {count}"));
        }
        IkeSaEvent::DeleteSent => out.push(format!("delete of SA {sa} sent")),
        IkeSaEvent::Ended { cookies, established, reason, quick_modes, .. } => {
            let status = reason.status();
            out.push(format!("SA Dead. sa:{sa} status:{:x}", status.code()));
            out.push(format!("  {reason}"));
            out.push(format!("  cookies {} {}, quick modes: {quick_modes}", cookies.initiator, cookies.responder));
            // One that was never established has its audit event from the negotiation that failed.
            if *established {
                out.push(set_status(context, status, audit_id::IKE_SA_ENDED));
            }
        }
    }
}

/// `isadb_set_status sa:<S> centry:<C> status 35ed TIMED_OUT audit 547`.
fn set_status(context: &Context, status: Status, audit: u16) -> String {
    format!(
        "isadb_set_status sa:{} centry:{} status {status} audit {audit}",
        names::sa(context),
        names::centry(context)
    )
}

fn filter_to_match(context: &Context, rule: &str, out: &mut Vec<String>) {
    out.push(format!("Filter to match: Src {} Dst {}", names::ip(context.remote), names::ip(context.local)));
    out.push(format!("  rule: {rule}"));
}

fn ike_suite(suite: IkeSuite, lifetime: Lifetime, out: &mut Vec<String>) {
    let IkeSuite { cipher, hash, group, authentication } = suite;
    out.push(format!(
        "  Encrypt: {} Hash: {} DHGroup {} Auth: {}",
        names::cipher(cipher),
        names::hash(hash),
        group.id(),
        names::authentication(authentication)
    ));
    out.push(format!("  Lifetime: {lifetime}"));
}

/// The refusal of one transform, opened by words that people search for.
fn refused(mismatch: &Mismatch) -> String {
    let words = match mismatch.attribute {
        "Group Description" => "Oakley Group Not Acceptable",
        "Hash Algorithm" => "Hash alg mismatch",
        "Encryption Algorithm" => "Encryption alg mismatch",
        "Authentication Method" => "Auth method mismatch",
        _ => "Received Invalid Transform",
    };
    format!("{words}: {mismatch}")
}

/// The lines of one event of a quick mode.
pub(super) fn quick_mode(context: &Context, event: &QuickModeEvent, out: &mut Vec<String>) {
    let (sa, centry) = (names::sa(context), names::centry(context));
    match event {
        QuickModeEvent::Created { role, message_id, rule, selector } => {
            let verb = if *role == Role::Responder { "Responding with" } else { "Initiating" };
            out.push(format!("{verb} new QM: sa = {sa} centry {centry} message ID {message_id}"));
            out.push(format!("  Find Policy: {selector}, rule: {rule}"));
        }
        QuickModeEvent::PolicyFound { rule, policy, offers } => {
            out.push(format!("QM PolicyName: {policy} dwFlags 0"));
            out.push(format!("  rule: {rule}"));
            for (index, offer) in offers.iter().enumerate() {
                let Lifetime { seconds, kilobytes } = offer.lifetime;
                out.push(format!("QMOffer[{index}] LifetimeKBytes {kilobytes} LifetimeSec {seconds}"));
                let group = offer.pfs.map_or(0, Group::id);
                out.push(format!("QMOffer[{index}] dwFlags 0 dwPFSGroup {group}"));
                out.push(names::operation(offer.suite));
            }
        }
        QuickModeEvent::SpiAllocated(spi) => {
            let (me, peer) = (names::padded(names::ip(context.local), 0), names::padded(names::ip(context.remote), 0));
            out.push(format!("GetSpi: src = {peer}, dst = {me}, proto = 00, context = {centry}"));
            out.push(format!("Setting SPI {}", spi.0));
        }
        QuickModeEvent::TransformRefused(mismatch) => out.push(refused(mismatch)),
        QuickModeEvent::ProposalAccepted { proposal, transform, suite, mode, lifetime, pfs } => {
            out.push(format!("Phase 2 SA accepted: proposal={proposal} transform={transform}"));
            out.push(names::operation(*suite));
            let group = pfs.map_or(0, Group::id);
            out.push(format!("  {mode} mode, Lifetime: {lifetime}, PFSGroup {group}"));
        }
        QuickModeEvent::ResponderLifetime(lifetime) => out.push(format!("RESPONDER-LIFETIME: {lifetime}")),
        QuickModeEvent::CommitBit => out.push("Commit bit: waiting for CONNECTED".to_owned()),
        QuickModeEvent::NotConnected => out.push("No CONNECTED of the peer: going on without it".to_owned()),
        QuickModeEvent::Installing { local, remote, inbound, outbound, suite, mode, selector, lifetime } => {
            let any = "0.0.0.0".to_owned();
            let (my, peer) = match mode {
                Mode::Tunnel => (local.to_string(), remote.to_string()),
                Mode::Transport => (any.clone(), any),
            };
            let src = names::padded(selector.local.address(), selector.local_port);
            let dst = names::padded(selector.remote.address(), selector.remote_port);
            out.push(format!(
                "Adding QMs: src = {src}, dst = {dst}, proto = {:02}, context = {centry}, my tunnel = {my}, \
                 peer tunnel = {peer}, SrcMask = {}, DestMask = {} Lifetime = {} LifetimeKBytes {} dwFlags 0 \
                 Direction 2 EncapType 1",
                selector.protocol,
                names::mask(selector.local),
                names::mask(selector.remote),
                lifetime.seconds,
                lifetime.kilobytes
            ));
            out.push(names::operation(*suite));
            out.push(format!(" Algo[0] MySpi: {} PeerSpi: {}", inbound.0, outbound.0));
            let port = |address: Option<std::net::SocketAddr>| address.map_or(0, |address| address.port());
            out.push(format!("Encap Ports Src {} Dst {}", port(context.local), port(context.remote)));
        }
        QuickModeEvent::Failed(failure) => {
            out.push(format!("CE Dead. sa:{sa} ce:{centry} status:{:x}", failure.status().code()));
            out.push(format!("  {failure}"));
        }
    }
}

/// The lines of one event of an IPsec SA pair.
pub(super) fn ipsec_sa(context: &Context, event: &IpsecSaEvent, out: &mut Vec<String>) {
    let (sa, centry) = (names::sa(context), names::centry(context));
    match event {
        IpsecSaEvent::Established { inbound, outbound, suite, mode, selector, lifetime, rule, replaces } => {
            out.push(format!("QM established. sa:{sa} centry:{centry}"));
            out.push(format!("  {selector}, {mode} mode, rule: {rule}"));
            out.push(names::operation(*suite));
            out.push(format!(" Algo[0] MySpi: {} PeerSpi: {}", inbound.0, outbound.0));
            out.push(format!("  Lifetime: {lifetime}"));
            if let Some(replaces) = replaces {
                out.push(format!("  takes over from centry:{replaces}"));
            }
            out.push(set_status(context, Status::Success, audit_id::ESTABLISHED));
        }
        IpsecSaEvent::DeleteSent(spi) => out.push(format!("delete of SPI {} sent, centry:{centry}", spi.0)),
        IpsecSaEvent::Ended { inbound, outbound, reason, .. } => {
            let status = reason.status();
            out.push(format!("CE Dead. sa:{sa} ce:{centry} status:{:x}", status.code()));
            out.push(format!("  {reason}"));
            out.push(format!(" Algo[0] MySpi: {} PeerSpi: {}", inbound.0, outbound.0));
            out.push(set_status(context, status, audit_id::IPSEC_SA_ENDED));
        }
    }
}

/// The lines of one event of a soft SA.
pub(super) fn soft_sa(context: &Context, event: &SoftSaEvent, out: &mut Vec<String>) {
    let centry = names::centry(context);
    match event {
        SoftSaEvent::Established { selector, rule, lifetime } => {
            out.push(format!("Loading soft SA. centry:{centry}"));
            out.push(format!("  {selector}, in clear, rule: {rule}"));
            out.push(format!("  SoftSAExpireTime {lifetime}"));
        }
        SoftSaEvent::Ended { selector, rule, reason } => {
            out.push(format!("Soft SA torn down. centry:{centry} status:{:x}", Status::SoftSaTornDown.code()));
            out.push(format!("  {selector}, rule: {rule}: {reason}"));
        }
    }
}
