//! The two steps of an installation: no packet comes before its SA, and of what fails nothing stays at either end.
use super::*;
use crate::time::Time;

/// Longer than all retransmissions of all messages together.
const ALL_OVER: Duration = Duration::from_secs(400);

/// Fails one of the two steps at a host, in the quick mode that comes next.
fn fail_step(network: &mut Network, host: usize, step: usize) {
    let driver = &mut network.hosts[host].driver;
    (driver.fail_inbound, driver.fail_outbound) = [(1, 0), (0, 1)][step];
}

fn rekey(network: &mut Network, host: usize) {
    let pair = *network.hosts[host].endpoint.pairs.keys().next_back().expect("a pair");
    network.feed(host, Input::Command(Command::RekeyIpsecSa(pair)));
}

/// Whether what a host sends now has its SA at the other; true too if it has none to send with.
fn is_taken(network: &Network, from: usize) -> bool {
    let (sender, receiver) = (&network.hosts[from].driver, &network.hosts[1 - from].driver);
    let Some(newest) = sender.pairs.values().next_back() else { return true };
    let mut inbound = receiver.halves.values().chain(receiver.pairs.values().map(|pair| &pair.inbound));
    inbound.any(|inbound| inbound.spi == newest.outbound.spi)
}

/// True if a host has both SAs of a pair for whose packets that leave the other has both, too.
fn is_whole_at_both(network: &Network, from: usize) -> bool {
    let newest = network.hosts[from].driver.pairs.values().next_back().expect("a pair").outbound.spi;
    network.hosts[1 - from].driver.pairs.values().any(|pair| pair.inbound.spi == newest)
}

#[test]
fn every_packet_has_its_sa_at_the_other_end() {
    for seed in 0..200 {
        // Nothing is lost: after many losses in a row the old pair ends before the new one is known to be whole.
        let weather = Weather { loss: 0, duplicates: 20, reordered: 40 };
        let mut network = pair(seed, weather, |_, _| {});
        initiate(&mut network);
        for round in 0..6 {
            let until = network.now + Duration::from_secs(70);
            while network.step(until) {
                for from in 0..2 {
                    assert!(
                        is_taken(&network, from),
                        "seed {seed}, round {round}, from host {from}: {:?}",
                        network.now
                    );
                }
            }
            rekey(&mut network, round % 2);
        }
        network.run(ALL_OVER);
        network.hosts.iter().for_each(assert_settled);
        assert_eq!(network.hosts.each_ref().map(Host::failures), [vec![], vec![]], "seed {seed}");
        shut_down(&mut network);
    }
}

/// A responder may have its inbound SA only from message 3 on. So while another pair is there, its initiator uses the new
/// one a little later; if message 3 is lost, not before the peer has asked for it again.
#[test]
fn the_old_pair_carries_what_leaves_until_message_3_has_come() {
    for lose in [false, true] {
        let mut network = pair(1, Weather::default(), |_, _| {});
        initiate(&mut network);
        network.run(Duration::from_secs(1));
        let (old, start) = (*network.hosts[0].driver.pairs.keys().next().expect("a pair"), network.now);
        if lose {
            network.lost.push(network.log.len() + 2);
        }
        rekey(&mut network, 0);
        let mut switched: Option<Time> = None;
        let until = network.now + Duration::from_secs(20);
        while network.step(until) {
            if network.hosts[0].driver.pairs.contains_key(&old) {
                assert!(is_whole_at_both(&network, 0));
                if network.hosts[0].driver.pairs.len() == 2 {
                    switched.get_or_insert(network.now);
                }
            }
        }
        let after = switched.expect("a successor").since(start).as_secs();
        assert_eq!(after, if lose { 3 } else { 2 });
        assert_eq!(network.hosts.each_ref().map(Host::failures), [vec![], vec![]]);
        network.run(ALL_OVER);
        assert_eq!(twins(&network), 1);
        shut_down(&mut network);
    }
}

/// If the old pair ends meanwhile, its successor carries the traffic at once.
#[test]
fn the_end_of_the_old_pair_makes_the_new_one_carry_the_traffic() {
    let mut network = pair(2, Weather::default(), |_, _| {});
    initiate(&mut network);
    network.run(Duration::from_secs(1));
    let old = *network.hosts[0].endpoint.pairs.keys().next().expect("a pair");
    rekey(&mut network, 0);
    network.run(Duration::from_millis(500));
    assert_eq!((network.hosts[0].driver.pairs.len(), network.hosts[0].driver.halves.len()), (1, 1));
    network.feed(0, Input::Command(Command::DeleteIpsecSa(old)));
    assert_eq!((network.hosts[0].driver.pairs.len(), network.hosts[0].driver.halves.len()), (1, 0));
    network.run(ALL_OVER);
    assert_eq!(twins(&network), 1);
    network.hosts.iter().for_each(assert_settled);
    shut_down(&mut network);
}

/// The peer ends the ISAKMP SA while the outbound SA waits: what was agreed on is installed.
#[test]
fn the_end_of_the_isakmp_sa_leaves_no_half() {
    let mut network = pair(3, Weather::default(), |_, _| {});
    initiate(&mut network);
    network.run(Duration::from_secs(1));
    rekey(&mut network, 0);
    network.run(Duration::from_millis(500));
    let id = *network.hosts[1].endpoint.ike_sas.keys().next().expect("an ISAKMP SA");
    network.feed(1, Input::Command(Command::DeleteIkeSa(id)));
    network.run(ALL_OVER);
    assert_eq!(network.hosts.each_ref().map(|host| host.endpoint.ike_sas.len()), [0, 0]);
    assert_eq!(twins(&network), 1);
    assert_eq!(network.hosts.each_ref().map(Host::failures), [vec![], vec![]]);
    network.hosts.iter().for_each(assert_settled);
    shut_down(&mut network);
}

#[test]
fn what_the_driver_refuses_before_message_3_is_never_sent() {
    for host in 0..2 {
        for seed in 0..20 {
            let mut network = pair(seed, Weather::default(), |_, _| {});
            fail_step(&mut network, host, 0);
            initiate(&mut network);
            network.run(ALL_OVER);
            let failures = network.hosts.each_ref().map(Host::failures);
            let [Failure::Driver(error)] = failures[host].as_slice() else { panic!("{failures:?}") };
            assert_eq!(error.operation, "add the inbound SA");
            assert!(matches!(failures[1 - host].as_slice(), [Failure::PeerRefused { .. }]), "{failures:?}");
            // The initiator sends three messages of main mode, one of quick mode, and the notification if it fails.
            assert_eq!(network.log.iter().filter(|(from, _)| *from == 0).count(), 5 - host, "host {host}");
            network.hosts.iter().for_each(assert_settled);
            assert!(network.hosts.iter().all(|host| host.endpoint.pairs.is_empty()));
            shut_down(&mut network);
        }
    }
}

/// Message 3 is out. Whichever of it, of the delete and of the notification are lost, the peer keeps nothing; the same if
/// the delete had overtaken message 3 at a peer that does not remember it.
#[test]
fn what_the_driver_refuses_after_message_3_stays_nowhere() {
    // After six messages of main mode and two of quick mode: message 3, the delete, the notification.
    let [third, delete, notification] = [8, 9, 10];
    let cases: [&[usize]; 6] =
        [&[], &[third], &[delete], &[delete, notification], &[third, delete], &[third, delete, notification]];
    for lost in cases {
        let mut network = pair(4, Weather::default(), |_, _| {});
        fail_step(&mut network, 0, 1);
        network.lost.extend(lost);
        initiate(&mut network);
        network.run(Duration::from_millis(500));
        if lost == [delete, notification] {
            assert_eq!(network.hosts[1].driver.pairs.len(), 1, "the peer has not heard of it yet");
        }
        network.run(ALL_OVER);
        let own = network.hosts[0].failures();
        let [Failure::Driver(error)] = own.as_slice() else { panic!("{own:?}") };
        assert_eq!(error.operation, "add the outbound SA");
        network.hosts.iter().for_each(assert_settled);
        assert!(network.hosts.iter().all(|host| host.endpoint.pairs.is_empty()), "{lost:?}");
        shut_down(&mut network);
    }
}

/// As responder: the peer is done with message 3, and hears.
#[test]
fn what_the_responder_cannot_complete_stays_nowhere() {
    // The notification after the delete is the answer to nothing that the peer still waits for.
    let delete = 9;
    for lost in [vec![], vec![delete]] {
        let mut network = pair(5, Weather::default(), |_, _| {});
        fail_step(&mut network, 1, 1);
        network.lost = lost;
        initiate(&mut network);
        network.run(ALL_OVER);
        let failures = network.hosts.each_ref().map(Host::failures);
        assert!(matches!(failures[1].as_slice(), [Failure::Driver(_)]), "{failures:?}");
        network.hosts.iter().for_each(assert_settled);
        assert!(network.hosts.iter().all(|host| host.endpoint.pairs.is_empty()));
        shut_down(&mut network);
    }
}

#[test]
fn a_rekey_that_fails_at_any_step_keeps_the_old_pair() {
    for host in 0..2 {
        for step in 0..2 {
            let mut network = pair(6, Weather::default(), |_, _| {});
            initiate(&mut network);
            network.run(Duration::from_secs(1));
            let old = network.hosts.each_ref().map(|host| *host.driver.pairs.keys().next().expect("a pair"));
            fail_step(&mut network, host, step);
            rekey(&mut network, 0);
            network.run(Duration::from_secs(4));
            for (host, old) in network.hosts.iter().zip(old) {
                assert!(host.driver.pairs.contains_key(&old), "step {step}");
                assert!(host.driver.halves.is_empty());
            }
            // The next attempt succeeds.
            network.run(ALL_OVER);
            network.hosts.iter().for_each(assert_settled);
            assert_eq!(twins(&network), 1);
            shut_down(&mut network);
        }
    }
}

#[test]
fn in_a_storm_a_failing_driver_leaves_no_half() {
    let mut alone = 0;
    for seed in 0..1_000 {
        let mut network = pair(seed, Weather { loss: 30, duplicates: 20, reordered: 30 }, |_, _| {});
        fail_step(&mut network, seed as usize % 2, seed as usize / 2 % 2);
        initiate(&mut network);
        network.run(ALL_OVER);
        network.hosts.iter().for_each(assert_settled);
        alone += usize::from(network.hosts.iter().any(|host| !host.driver.pairs.is_empty()) && twins(&network) == 0);
        shut_down(&mut network);
    }
    // Both deletes, and all that would say the same, were lost.
    assert!(alone <= 40, "{alone} of 1000 ends have a pair that nobody serves");
}

/// Message 3 never comes: after the last repetition of message 2 the inbound SA goes.
#[test]
fn a_responder_without_message_3_keeps_nothing() {
    let mut network = pair(7, Weather::default(), |_, _| {});
    initiate(&mut network);
    while network.hosts[1].driver.halves.is_empty() {
        assert!(network.step(Time::from_secs(10)));
    }
    network.hosts[0].sent.clear();
    network.lost.extend(network.log.len()..1_000);
    network.run(Duration::from_secs(60));
    assert_eq!(network.hosts[1].driver.halves.len(), 1, "it waits");
    network.run(ALL_OVER);
    let failures = network.hosts[1].failures();
    assert!(matches!(failures.as_slice(), [Failure::TimedOut { message: "quick mode message 2", .. }]), "{failures:?}");
    assert!(network.hosts[1].driver.halves.is_empty() && network.hosts[1].driver.pairs.is_empty());
}

/// The driver answers nothing any more: at each step the negotiation ends, and the peer keeps nothing.
#[test]
fn a_driver_that_falls_silent_at_any_step_ends_the_negotiation() {
    for host in 0..2 {
        for (answered, waits_for) in ["an SPI", "the inbound SA", "the outbound SA"].into_iter().enumerate() {
            let mut network = pair(8, Weather::default(), |_, _| {});
            network.hosts[host].driver.mute_after = Some(answered);
            initiate(&mut network);
            network.run(ALL_OVER);
            let failures = network.hosts[host].failures();
            let [Failure::Stalled { what, .. }] = failures.as_slice() else { panic!("{failures:?}") };
            assert_eq!(*what, waits_for);
            let (own, peer) = (&network.hosts[host], &network.hosts[1 - host]);
            assert!(own.endpoint.negotiations.is_empty() && own.endpoint.pairs.is_empty());
            assert_settled(peer);
            assert!(peer.endpoint.pairs.is_empty(), "host {host} without {waits_for}");
        }
    }
}

/// A packet of this host needs what the peer is negotiating: it waits for that.
#[test]
fn an_acquire_joins_what_the_peer_began() {
    for steps in 0..14 {
        let mut network = pair(9, Weather::default(), |_, _| {});
        initiate(&mut network);
        let until = network.now + Duration::from_secs(1);
        while network.hosts[1].endpoint.snapshot().quick_modes.is_empty() {
            assert!(network.step(until));
        }
        for _ in 0..steps {
            network.step(until);
        }
        if network.hosts[1].endpoint.snapshot().quick_modes.is_empty() {
            assert!(steps > 0);
            continue;
        }
        network.feed(1, acquire(1));
        network.run(ALL_OVER);
        assert_eq!(network.hosts.each_ref().map(|host| host.driver.pairs.len()), [1, 1]);
        let begun = outcomes(&network.hosts[1]).len();
        assert_eq!(begun, 2, "the peer's main mode and quick mode only");
        network.hosts.iter().for_each(assert_settled);
        shut_down(&mut network);
    }
}

/// If that comes to nothing, this host begins.
#[test]
fn an_acquire_outlives_what_the_peer_began() {
    let mut network = pair(10, Weather::default(), |_, _| {});
    initiate(&mut network);
    while network.hosts[1].endpoint.snapshot().quick_modes.is_empty() {
        assert!(network.step(Time::from_secs(10)));
    }
    fail_step(&mut network, 0, 0);
    network.feed(1, acquire(1));
    network.run(ALL_OVER);
    let failures = network.hosts.each_ref().map(Host::failures);
    assert!(matches!(failures[1].as_slice(), [Failure::PeerRefused { .. }]), "{failures:?}");
    assert_eq!(twins(&network), 1);
    network.hosts.iter().for_each(assert_settled);
    shut_down(&mut network);
}
