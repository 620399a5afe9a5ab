//! What every message does in every state: a table.
use super::injection::Wire;
use super::*;
use crate::event::MessageEvent;
use core::fmt::Write;

const NAMES: [&str; 10] = [
    "main mode message 1",
    "main mode message 2",
    "main mode message 3",
    "main mode message 4",
    "main mode message 5",
    "main mode message 6",
    "quick mode message 1",
    "quick mode message 2",
    "quick mode message 3",
    "informational (delete)",
];

/// Two hosts of which so many messages have been delivered; those that are on their way are lost.
fn after(delivered: usize) -> Wire {
    let mut wire = Wire::new(20);
    while wire.log.len() < delivered {
        let next = (0..2).find_map(|host| Some((host, wire.hosts[host].sent.pop_front()?)));
        let Some((from, transmit)) = next else {
            // The negotiation is over: a delete is the last message.
            let id = *wire.hosts[0].endpoint.pairs.keys().next().expect("a pair");
            wire.hosts[0].command(wire.now, Command::DeleteIpsecSa(id));
            continue;
        };
        wire.hosts[1 - from].receive(wire.now, transmit.remote, transmit.local, &transmit.octets);
        wire.log.push((from, transmit));
    }
    wire.hosts.iter_mut().for_each(|host| host.sent.clear());
    wire
}

/// The state of the exchange that a host is in.
fn state(host: &Host) -> String {
    let snapshot = host.endpoint.snapshot();
    let ike = snapshot.ike_sas.first().map_or("nothing", |sa| sa.state);
    match snapshot.quick_modes.first() {
        Some(quick) => format!("quick mode: {}", quick.state),
        None if ike != "established" => format!("main mode: {ike}"),
        None => format!("{ike}, {} pair(s)", snapshot.ipsec_sas.len()),
    }
}

#[test]
fn every_message_in_every_state() {
    let record = after(NAMES.len()).log;
    let mut table = String::new();
    for delivered in 0..=NAMES.len() {
        for (host, role) in ["initiator", "responder"].into_iter().enumerate() {
            let _ = writeln!(
                table,
                "{role} after {delivered} messages, waits for or has: {}",
                state(&after(delivered).hosts[host])
            );
            for (name, (from, message)) in NAMES.iter().zip(&record) {
                if *from == host {
                    continue;
                }
                let mut wire = after(delivered);
                let receiver = &mut wire.hosts[host];
                let seen = receiver.events.len();
                let before = state(receiver);
                receiver.receive(wire.now, message.remote, message.local, &message.octets);
                let after = state(receiver);
                let mut outcome = Vec::new();
                for event in &receiver.events[seen..] {
                    match &event.kind {
                        EventKind::Message(MessageEvent::Dropped { reason, .. }) => {
                            outcome.push(format!("dropped: {reason}"));
                        }
                        EventKind::Message(MessageEvent::ReplyRepeated { message }) => {
                            outcome.push(format!("repeats {message}"));
                        }
                        EventKind::Negotiation(NegotiationEvent::Succeeded { phase, .. }) => {
                            outcome.push(format!("{phase} succeeds"));
                        }
                        EventKind::Negotiation(NegotiationEvent::Failed { failure, .. }) => {
                            outcome.push(failure.to_string());
                        }
                        _ => {}
                    }
                }
                if after != before {
                    outcome.push(format!("becomes {after}"));
                }
                if !receiver.sent.is_empty() && outcome.iter().all(|line| !line.starts_with("repeats")) {
                    outcome.push(format!("sends {} message(s)", receiver.sent.len()));
                }
                if outcome.is_empty() {
                    outcome.push("nothing".to_owned());
                }
                let _ = writeln!(table, "  {name}: {}", outcome.join("; "));
            }
        }
    }
    compare("transitions", include_str!("expected/transitions.txt"), &table);
}
