//! The events of a negotiation that succeeds, and of the main failures, as text: what changes in them shows.
use super::*;
use crate::crypto::hash::HashAlg;
use crate::event::{Detail, EndpointEvent, IkeSaEvent, IpsecSaEvent, MessageEvent, QuickModeEvent};
use core::fmt::Write;

/// One line an event: the host, where it belongs, and what it says.
fn transcript(network: &Network) -> String {
    let mut text = String::new();
    for (host, name) in network.hosts.iter().zip(["A", "B"]) {
        for event in &host.events {
            let context = event.context;
            let mut line = name.to_owned();
            for (key, handle) in [
                ("n", context.negotiation.map(|id| id.0)),
                ("ike", context.ike_sa.map(|id| id.0)),
                ("ipsec", context.ipsec_sa.map(|id| id.0)),
            ] {
                if let Some(handle) = handle {
                    let _ = write!(line, " {key}{handle}");
                }
            }
            let _ = writeln!(text, "{line}: {}", say(&event.kind));
        }
    }
    text
}

fn say(kind: &EventKind) -> String {
    match kind {
        EventKind::Message(kind) => match kind {
            MessageEvent::Received { octets } => format!("received {} octets", octets.len()),
            MessageEvent::Decrypted { octets } => format!("decrypted {} octets", octets.len()),
            MessageEvent::Sending { octets, encrypted, name } => {
                format!("sending {name}, {} octets{}", octets.len(), if *encrypted { ", encrypted" } else { "" })
            }
            MessageEvent::Retransmitted { message, count } => format!("repeats {message}, {count}"),
            MessageEvent::ReplyRepeated { message } => format!("repeats its reply {message}"),
            MessageEvent::Dropped { reason, len, .. } => format!("dropped {len} octets: {reason}"),
            MessageEvent::Notification { notify, authenticated, text } => {
                format!("notified of {notify}, {} {text:?}", if *authenticated { "protected" } else { "in clear" })
            }
            MessageEvent::VendorId { name, .. } => format!("vendor ID {name:?}"),
        },
        EventKind::Negotiation(kind) => match kind {
            NegotiationEvent::Started { role, cause, rule } => {
                format!("negotiation began as {role} because of {cause}, rule {rule:?}")
            }
            NegotiationEvent::Succeeded { role, phase } => format!("negotiation succeeded as {role} in {phase}"),
            NegotiationEvent::Failed { role, phase, failure, seconds, .. } => {
                format!("negotiation failed as {role} in {phase} after {seconds} s: {failure} [{}]", failure.status())
            }
        },
        EventKind::IkeSa(kind) => match kind {
            IkeSaEvent::Created { role, cookies } => format!("main mode as {role}, CKY-I {}", cookies.initiator),
            IkeSaEvent::Established { role, lifetime, identity, rule, .. } => {
                format!("ISAKMP SA established as {role} with {identity}, rule {rule:?}, life {lifetime}")
            }
            IkeSaEvent::Ended { established, reason, quick_modes, .. } => {
                format!("ISAKMP SA ended (established: {established}, quick modes: {quick_modes}): {reason}")
            }
            IkeSaEvent::TransformRefused(mismatch) => format!("refused: {mismatch}"),
            IkeSaEvent::Authenticated { identity } => format!("authenticated {identity}"),
            other => variant(&format!("{other:?}")),
        },
        EventKind::Config(kind) => format!("{kind:?}"),
        EventKind::QuickMode(kind) => match kind {
            QuickModeEvent::Created { role, message_id, rule, selector } => {
                format!("quick mode {message_id} as {role} for {selector}, rule {rule:?}")
            }
            QuickModeEvent::TransformRefused(mismatch) => format!("refused: {mismatch}"),
            QuickModeEvent::ProposalAccepted { suite, mode, lifetime, .. } => {
                format!("accepted {suite}, {mode}, life {lifetime}")
            }
            QuickModeEvent::Failed(failure) => format!("quick mode failed: {failure}"),
            other => variant(&format!("{other:?}")),
        },
        EventKind::IpsecSa(kind) => match kind {
            IpsecSaEvent::Established { inbound, outbound, suite, mode, selector, lifetime, replaces, .. } => format!(
                "IPsec SAs {inbound} in, {outbound} out: {suite}, {mode}, {selector}, life {lifetime}, replaces {replaces:?}"
            ),
            IpsecSaEvent::DeleteSent(spi) => format!("delete of {spi} sent"),
            IpsecSaEvent::Ended { inbound, outbound, reason, .. } => {
                format!("IPsec SAs {inbound} in, {outbound} out ended: {reason}")
            }
        },
        EventKind::SoftSa(kind) => format!("{kind:?}"),
        EventKind::Endpoint(EndpointEvent::PolicyInForce { version, rules }) => {
            format!("policy {version} in force, rules: {rules}")
        }
        EventKind::Endpoint(other) => variant(&format!("{other:?}")),
    }
}

/// The name alone, of what is told in detail elsewhere.
fn variant(debug: &str) -> String {
    debug.split([' ', '(', '{']).next().unwrap_or_default().to_owned()
}

fn run(duration: u64, weather: Weather, change: impl Fn(usize, &mut TestPolicy)) -> Network {
    let config = Config { detail: Detail::Trace, ..Config::default() };
    let mut network = pair_with(1, weather, &config, change);
    initiate(&mut network);
    network.run(Duration::from_secs(duration));
    network
}

#[test]
fn a_success() {
    let network = run(5, Weather::default(), |_, _| {});
    compare("success", include_str!("expected/success.txt"), &transcript(&network));
}

#[test]
fn a_wrong_key() {
    let network = run(100, Weather::default(), |index, policy| {
        if index == 1 {
            policy.psk = b"another key";
        }
    });
    compare("wrong-key", include_str!("expected/wrong-key.txt"), &transcript(&network));
}

#[test]
fn no_proposal() {
    let network = run(100, Weather::default(), |index, policy| {
        policy.main_mode[0].hash = [HashAlg::Sha1, HashAlg::Sha256][index];
    });
    let expected = include_str!("expected/no-main-mode-proposal.txt");
    compare("no-main-mode-proposal", expected, &transcript(&network));
    let network = run(100, Weather::default(), |index, policy| {
        policy.quick_mode[0].pfs = [None, Some(crate::crypto::group::Group::Ecp256)][index];
    });
    let expected = include_str!("expected/no-quick-mode-proposal.txt");
    compare("no-quick-mode-proposal", expected, &transcript(&network));
}

#[test]
fn a_silent_peer() {
    let network = run(100, Weather { loss: 100, ..Weather::default() }, |_, _| {});
    compare("silent", include_str!("expected/silent.txt"), &transcript(&network));
}

#[test]
fn a_rekey_and_the_end() {
    let mut network = run(5, Weather::default(), |_, _| {});
    network.hosts.iter_mut().for_each(|host| host.events.clear());
    let id = *network.hosts[1].endpoint.pairs.keys().next().expect("a pair");
    network.feed(1, Input::Command(Command::RekeyIpsecSa(id)));
    network.run(Duration::from_secs(20));
    network.feed(0, Input::Command(Command::Shutdown));
    network.run(Duration::from_secs(1));
    compare("rekey", include_str!("expected/rekey.txt"), &transcript(&network));
}
