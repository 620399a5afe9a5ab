//! The catalogue of misconfigurations: each ends at both ends within the retransmissions, with one reason that names the
//! setting and its values, and the notification that RFC 2407 and RFC 2408 have for it.
//!
//! `expected/misconfigured-*.txt` hold what administrators read in each case; `docs/failures.md` explains it. That every
//! kind of failure is among them, see `kinds`.
mod authentication;
mod between;
mod drivers;
mod ends;
mod kinds;
mod messages;
mod nat;
mod policies;

use super::*;
use crate::event::negotiation::Role;
use crate::event::{Detail, IkeSaEvent, IpsecSaEvent, MessageEvent, SoftSaEvent};
use crate::wire::{Header, Notify, NotifyType, Padding, PayloadType, parse};
use core::fmt::Write;
use kinds::kind;

/// The retransmissions of one message, and the time that its predecessors may take.
const LIMIT: u64 = 64;

/// Longer than all that remembers anything.
const ALL_OVER: Duration = Duration::from_secs(400);

/// What went over the wire to tell the other end.
#[derive(PartialEq, Eq, Debug)]
struct Told {
    by: usize,
    notify: NotifyType,
    encrypted: bool,
}

/// The notifications that the hosts sent, each once.
fn told(network: &Network) -> Vec<Told> {
    let mut all = Vec::new();
    for (by, host) in network.hosts.iter().enumerate() {
        for event in &host.events {
            let EventKind::Message(MessageEvent::Sending { octets, encrypted, .. }) = &event.kind else { continue };
            let header = Header::decode(octets).expect("a message of this host");
            let chain = parse(header.next_payload, &octets[Header::LEN..], Padding::Forbidden).expect("its payloads");
            for payload in chain.all(PayloadType::NOTIFY) {
                let notify = payload.decode(Notify::decode).expect("a notification").notify_type;
                let told = Told { by, notify, encrypted: *encrypted };
                if notify != NotifyType::INITIAL_CONTACT && !all.contains(&told) {
                    all.push(told);
                }
            }
        }
    }
    all
}

/// Each reason for which something of a host ended, with its kind and the seconds since the negotiation began; a reason is
/// told once to whoever waits for the negotiation.
fn reasons(host: &Host) -> Vec<String> {
    let mut reasons = Vec::new();
    for event in &host.events {
        match &event.kind {
            EventKind::Negotiation(NegotiationEvent::Failed { failure, seconds, phase, .. }) => {
                assert!(*seconds <= LIMIT, "{phase} ended after {seconds} s: {failure}");
                reasons.push(format!("{phase} fails after {seconds} s ({}): {failure}", kind(failure)));
            }
            EventKind::IkeSa(IkeSaEvent::Ended { established: true, reason, .. }) => {
                reasons.push(format!("the ISAKMP SA ends ({}): {reason}", kind(reason)));
            }
            EventKind::IpsecSa(IpsecSaEvent::Ended { reason, .. }) => {
                reasons.push(format!("the IPsec SAs end ({}): {reason}", kind(reason)));
            }
            EventKind::SoftSa(SoftSaEvent::Ended { reason, .. }) => {
                reasons.push(format!("the soft SA ends ({}): {reason}", kind(reason)));
            }
            _ => {}
        }
    }
    reasons
}

/// How many reasons a host has: one that ends an ISAKMP SA ends the negotiation that waits for the user, too.
fn different_reasons(host: &Host) -> usize {
    let reasons = reasons(host);
    let different: BTreeSet<_> =
        reasons.iter().filter_map(|line| line.split_once(": ")).map(|(_, reason)| reason).collect();
    different.len()
}

/// A host with the role that it has in the table.
fn role(host: usize) -> Role {
    [Role::Initiator, Role::Responder][host]
}

/// How the hosts ended, for people, and what one told the other.
fn report(title: &str, network: &Network) -> (String, Vec<Told>) {
    let mut text = format!("{title}\n");
    for (number, host) in network.hosts.iter().enumerate() {
        for reason in reasons(host) {
            let _ = writeln!(text, "  {}: {reason}", role(number));
        }
    }
    let told = told(network);
    for Told { by, notify, encrypted } in &told {
        let how = if *encrypted { "protected" } else { "in clear" };
        let _ = writeln!(text, "  told by the {}, {how}: {notify}", role(*by));
    }
    (text, told)
}

/// A pair of hosts that tell all that they send.
fn hosts(seed: u64, change: impl Fn(usize, &mut TestPolicy)) -> Network {
    pair_with(seed, Weather::default(), &Config { detail: Detail::Trace, ..Config::default() }, change)
}

/// Nothing half-made is left, and both hosts can end.
fn assert_nothing_left(mut network: Network, what: &str) {
    for host in &network.hosts {
        assert!(host.driver.pairs.is_empty() && host.endpoint.pairs.is_empty(), "{what}: SAs in spite of it");
        assert!(host.driver.halves.is_empty() && host.driver.larval.is_empty(), "{what}: half an installation");
    }
    network.run(ALL_OVER);
    network.hosts.iter().for_each(assert_settled);
    shut_down(&mut network);
}
