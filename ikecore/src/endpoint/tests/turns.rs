//! Quick modes that one host begins take turns.
use super::*;
use crate::ids::MessageId;
use crate::wire::{ExchangeType, Header};
use std::cell::Cell;
use std::rc::Rc;

/// Longer than all retransmissions of one message.
const ALL_OVER: Duration = Duration::from_secs(100);

fn configured(at_once: usize, filters: u16) -> Network {
    let config = Config { quick_modes_at_once: at_once, ..Config::default() };
    pair_with(1, Weather::default(), &config, |_, policy| policy.filters = port_filters(policy, filters))
}

/// The message IDs of the quick mode messages of the first host, in the order in which they left.
fn quick_mode_messages(network: &Network) -> Vec<MessageId> {
    let headers = network.log.iter().filter(|(host, _)| *host == 0).map(|(_, transmit)| {
        // On the port of NAT traversal a marker stands before it.
        let octets = transmit.octets.strip_prefix(&[0; 4]).unwrap_or(&transmit.octets);
        Header::decode(octets).expect("a header")
    });
    headers.filter(|header| header.exchange == ExchangeType::QUICK).map(|header| header.message_id).collect()
}

/// The most quick modes of which message 1 has left and message 3 has not.
fn most_at_once(network: &Network) -> usize {
    let mut open = Vec::new();
    let mut most = 0;
    for id in quick_mode_messages(network) {
        match open.iter().position(|other| *other == id) {
            Some(index) => drop(open.remove(index)),
            None => open.push(id),
        }
        most = most.max(open.len());
    }
    assert!(open.is_empty(), "not all ended: {open:?}");
    most
}

#[test]
fn as_many_at_once_as_the_settings_allow() {
    for at_once in [1, 3] {
        let mut network = configured(at_once, 10);
        initiate(&mut network);
        network.run(Duration::from_secs(5));
        assert_eq!(twins(&network), 10);
        assert_eq!(most_at_once(&network), at_once);
        assert_eq!(network.hosts[0].failures(), []);
        shut_down(&mut network);
    }
}

/// One at a time means one after the other, also for a peer that takes what arrives within a moment in any order.
#[test]
fn there_is_a_pause_between_two() {
    for (at_once, pause) in [(1, Duration::from_millis(20)), (2, Duration::ZERO)] {
        let mut network = configured(at_once, 4);
        initiate(&mut network);
        let until = network.now + ALL_OVER;
        let mut closed = Vec::new();
        let mut pauses = Vec::new();
        let mut sent = 0;
        while network.step(until) {
            let ids = quick_mode_messages(&network);
            for (at, id) in ids.iter().enumerate().skip(sent) {
                if ids[..at].contains(id) {
                    closed.push(network.now);
                } else if let Some(last) = closed.last() {
                    pauses.push(network.now.since(*last));
                }
            }
            sent = ids.len();
        }
        assert_eq!((closed.len(), twins(&network)), (4, 4));
        assert!(!pauses.is_empty() && pauses.iter().all(|between| *between == pause), "{at_once}: {pauses:?}");
    }
}

/// Main mode, and then nothing: what waits ends with the first, and not by a time-out of its own.
#[test]
fn who_waits_for_a_silent_peer_does_not_ask_again() {
    let mut network = configured(1, 5);
    initiate(&mut network);
    while network.hosts[0].endpoint.snapshot().ike_sas.iter().all(|sa| sa.state != "established") {
        network.run(Duration::from_millis(1));
    }
    network.weather.loss = 100;
    network.run(ALL_OVER);
    let failures = network.hosts[0].failures();
    assert_eq!(failures.len(), 5, "{failures:?}");
    for failure in &failures {
        assert!(matches!(failure, Failure::TimedOut { message: "quick mode message 1", .. }), "{failure:?}");
    }
    assert_eq!(quick_mode_messages(&network).len(), 6, "transmissions of one message");
    assert_settled(&network.hosts[0]);
}

/// One is refused: the others have their turn.
#[test]
fn a_refusal_holds_nobody_up() {
    let config = Config::default();
    let mut network = pair_with(2, Weather::default(), &config, |host, policy| {
        policy.filters = port_filters(policy, 5);
        if host == 1 {
            policy.filters.remove(0);
        }
    });
    initiate(&mut network);
    network.run(ALL_OVER);
    assert_eq!(network.hosts[0].failures().len(), 1, "{:?}", network.hosts[0].failures());
    assert_eq!(twins(&network), 4);
    shut_down(&mut network);
}

/// The ISAKMP SA ends by command while one quick mode is under way and others wait.
#[test]
fn the_end_of_the_isakmp_sa_is_theirs() {
    let mut network = configured(1, 5);
    initiate(&mut network);
    while quick_mode_messages(&network).is_empty() {
        network.run(Duration::from_millis(1));
    }
    network.feed(0, Input::Command(Command::DeleteAll));
    network.run(ALL_OVER);
    let failures = network.hosts[0].failures();
    assert_eq!(failures.len(), 5, "{failures:?}");
    assert!(failures.iter().all(|failure| matches!(failure, Failure::IkeSaEnded(_))), "{failures:?}");
    network.hosts.iter().for_each(assert_settled);
    assert_eq!(twins(&network), 0);
}

/// With a limit of quick modes what waits goes on with the next ISAKMP SA, and none serves more.
#[test]
fn at_the_limit_they_go_on_elsewhere() {
    for (limit, main_modes) in [(1, 5), (2, 3), (5, 1)] {
        let mut network = pair(3, Weather::default(), |_, policy| {
            policy.filters = port_filters(policy, 5);
            policy.quick_mode_limit = limit;
        });
        initiate(&mut network);
        network.run(ALL_OVER);
        assert_eq!(network.hosts[0].failures(), []);
        assert_eq!(twins(&network), 5);
        let snapshot = network.hosts[0].endpoint.snapshot();
        assert!(snapshot.ike_sas.iter().all(|sa| sa.quick_modes <= limit), "{:?}", snapshot.ike_sas);
        assert_eq!(snapshot.counters.main_modes, main_modes);
        shut_down(&mut network);
    }
}

/// Message 3 of the first quick mode comes when its pair has long been replaced, and the delete of that is lost: the pair is
/// complete at last, and the one begun after it still carries the traffic.
#[test]
fn a_late_pair_does_not_replace_a_newer_one() {
    let mut network = configured(1, 1);
    let (first, open) = (Rc::new(Cell::new(None)), Rc::new(Cell::new(false)));
    let (of_first, is_open) = (Rc::clone(&first), Rc::clone(&open));
    let mut seen = 0;
    network.rewrite = Some(Box::new(move |from, octets| {
        let header = Header::decode(octets).expect("a header");
        let third = if from == 0 && header.exchange == ExchangeType::QUICK {
            let first = of_first.get().unwrap_or(header.message_id);
            of_first.set(Some(first));
            seen += usize::from(first == header.message_id);
            first == header.message_id && seen > 1
        } else {
            from == 0 && header.exchange == ExchangeType::INFORMATIONAL
        };
        // Nothing is no message.
        if third && !is_open.get() { Vec::new() } else { octets.to_vec() }
    }));
    initiate(&mut network);
    network.run(Duration::from_millis(500));
    let pair = *network.hosts[0].endpoint.pairs.keys().next().expect("a pair");
    assert!(network.hosts[1].driver.pairs.is_empty(), "message 3 is lost");
    network.feed(0, Input::Command(Command::RekeyIpsecSa(pair)));
    // The first pair and its deletes are over.
    network.run(Duration::from_secs(20));
    assert_eq!((network.hosts[0].driver.pairs.len(), twins(&network)), (1, 1));
    open.set(true);
    network.run(ALL_OVER);
    let late = network.hosts[1]
        .events
        .iter()
        .filter(|event| matches!(&event.kind, EventKind::IpsecSa(crate::event::IpsecSaEvent::Established { .. })));
    assert_eq!(late.count(), 2, "the first pair is complete after all");
    assert_eq!(twins(&network), 1);
    shut_down(&mut network);
}

/// The same in all weathers, both ends at once: everybody has a turn in the end.
#[test]
fn nobody_is_forgotten_in_a_storm() {
    let storm = Weather { loss: 20, duplicates: 20, reordered: 20 };
    for seed in 0..30 {
        let mut network = pair(seed, storm, |_, policy| policy.filters = port_filters(policy, 6));
        initiate(&mut network);
        network.feed(1, Input::Command(Command::InitiateRule { rule: "rule".to_owned(), peer: None }));
        network.run(Duration::from_secs(600));
        network.hosts.iter().for_each(assert_settled);
        for host in &network.hosts {
            outcomes(host);
        }
        assert!(twins(&network) >= 6, "seed {seed}: {:?}", network.hosts.each_ref().map(Host::failures));
    }
}
