//! What goes wrong: each negotiation ends with one reason that names the cause, and nothing half-made remains.
use super::*;
use crate::crypto::group::Group;
use crate::crypto::hash::HashAlg;
use crate::event::{EndpointEvent, MessageEvent, Phase};
use crate::identity::Identity;
use crate::policy::selector::{Prefix, Selector};
use crate::proposal::suite::{EspCipher, Integrity, IpsecSuite};
use crate::wire::NotifyType;

/// Longer than all retransmissions of all messages together.
const ALL_OVER: Duration = Duration::from_secs(400);

/// Runs to the end; gives the failures of both hosts.
fn fail(change: impl Fn(usize, &mut TestPolicy)) -> (Network, Vec<Failure>, Vec<Failure>) {
    let mut network = pair(1, Weather::default(), change);
    initiate(&mut network);
    network.run(ALL_OVER);
    network.hosts.iter().for_each(assert_settled);
    let [a, b] = network.hosts.each_ref().map(Host::failures);
    (network, a, b)
}

/// Neither host has IPsec SAs or SPIs, and both can end.
fn assert_no_pairs(mut network: Network) {
    for host in &network.hosts {
        assert!(host.driver.pairs.is_empty() && host.endpoint.pairs.is_empty());
    }
    shut_down(&mut network);
}

#[track_caller]
fn assert_says(failure: &Failure, words: &[&str]) {
    let text = failure.to_string();
    for word in words {
        assert!(text.contains(word), "{text:?} does not say {word:?}");
    }
}

fn notifications(host: &Host) -> Vec<(NotifyType, bool)> {
    let kinds = host.events.iter().filter_map(|event| match &event.kind {
        EventKind::Message(MessageEvent::Notification { notify, authenticated, .. }) => Some((*notify, *authenticated)),
        _ => None,
    });
    kinds.collect()
}

#[test]
fn different_pre_shared_keys() {
    for different in 0..2 {
        let (network, a, b) = fail(|index, policy| {
            if index == different {
                policy.psk = b"another key";
            }
        });
        let ([a], [b]) = (a.as_slice(), b.as_slice()) else { panic!("one failure each: {a:?} {b:?}") };
        // The responder sees that message 5 does not decrypt; the initiator hears of it.
        assert!(matches!(b, Failure::PreSharedKeyMismatch { .. }), "{b:?}");
        assert_says(b, &["192.0.2.1", "pre-shared key of rule \"rule\""]);
        assert!(matches!(a, Failure::PeerRefused { notify: NotifyType::AUTHENTICATION_FAILED, .. }), "{a:?}");
        assert_says(a, &["main mode message 5", "pre-shared key of rule \"rule\""]);
        assert!(network.hosts.iter().all(|host| host.endpoint.ike_sas.is_empty()));
        let last = network.log.len();
        assert!(last < 30, "{last} messages");
        assert_no_pairs(network);
    }
}

#[test]
fn different_pre_shared_keys_end_within_the_retransmissions() {
    let mut network = pair(1, Weather::default(), |index, policy| {
        if index == 1 {
            policy.psk = b"another key";
        }
    });
    initiate(&mut network);
    network.run(Duration::from_secs(64));
    network.hosts.iter().for_each(assert_settled);
}

#[test]
fn no_common_main_mode_proposal() {
    let (network, a, b) = fail(|index, policy| {
        policy.main_mode[0].hash = [HashAlg::Sha1, HashAlg::Sha256][index];
    });
    let ([a], [b]) = (a.as_slice(), b.as_slice()) else { panic!("one failure each: {a:?} {b:?}") };
    assert!(matches!(b, Failure::NoProposalChosen { phase: "main mode", .. }), "{b:?}");
    assert_says(b, &["Hash Algorithm", "SHA", "SHA2-256", "allowed"]);
    // The initiator knows what it offered, and that it was refused.
    assert!(matches!(a, Failure::PeerRefused { notify: NotifyType::NO_PROPOSAL_CHOSEN, .. }), "{a:?}");
    assert_says(a, &["main mode proposal", "NO-PROPOSAL-CHOSEN", "AES-CBC-256/SHA-1/ECP-256"]);
    assert_eq!(network.hosts[1].endpoint.snapshot().counters.main_modes_failed, 1);
    assert_no_pairs(network);
}

#[test]
fn no_common_quick_mode_proposal() {
    let (network, a, b) = fail(|index, policy| {
        let cipher = [EspCipher::Aes128Cbc, EspCipher::Aes256Cbc][index];
        policy.quick_mode[0].suite = IpsecSuite::Esp { cipher, integrity: Some(Integrity::HmacSha256_128) }.alone();
    });
    let ([a], [b]) = (a.as_slice(), b.as_slice()) else { panic!("one failure each: {a:?} {b:?}") };
    assert!(matches!(b, Failure::NoProposalChosen { phase: "quick mode", .. }), "{b:?}");
    assert_says(b, &["128", "256"]);
    assert!(matches!(a, Failure::PeerRefused { notify: NotifyType::NO_PROPOSAL_CHOSEN, .. }), "{a:?}");
    assert_says(a, &["quick mode proposal", "AES-128-CBC", "without PFS"]);
    // The ISAKMP SA is in order and stays.
    assert!(network.hosts.iter().all(|host| host.endpoint.ike_sas.len() == 1));
    assert_eq!(notifications(&network.hosts[0]), [(NotifyType::NO_PROPOSAL_CHOSEN, true)]);
    assert_no_pairs(network);
}

#[test]
fn different_perfect_forward_secrecy() {
    for (ours, theirs) in
        [(Some(Group::Ecp256), None), (None, Some(Group::Ecp256)), (Some(Group::Ecp256), Some(Group::Ecp384))]
    {
        let (network, a, b) = fail(|index, policy| policy.quick_mode[0].pfs = [ours, theirs][index]);
        // Who asks for none accepts one.
        if theirs.is_none() {
            assert_eq!((a, b), (vec![], vec![]));
            assert_eq!(twins(&network), 1);
            continue;
        }
        let ([a], [b]) = (a.as_slice(), b.as_slice()) else { panic!("one failure each: {a:?} {b:?}") };
        assert!(matches!(b, Failure::NoProposalChosen { .. }), "{b:?}");
        assert_says(b, &["Group Description"]);
        assert_says(a, &["NO-PROPOSAL-CHOSEN", "PFS"]);
        assert_no_pairs(network);
    }
}

#[test]
fn different_selectors() {
    let (network, a, b) = fail(|index, policy| {
        let host = |address| Prefix::host(address);
        let mut filter = Selector::between(host(policy.local), host(policy.remote));
        filter.protocol = [6, 17][index];
        policy.filters = vec![filter];
    });
    let ([a], [b]) = (a.as_slice(), b.as_slice()) else { panic!("one failure each: {a:?} {b:?}") };
    assert!(matches!(b, Failure::SelectorMismatch { .. }), "{b:?}");
    assert_says(b, &["192.0.2.2 <-> 192.0.2.1 protocol 6", "192.0.2.2 <-> 192.0.2.1 protocol 17"]);
    assert!(matches!(a, Failure::PeerRefused { notify: NotifyType::INVALID_ID_INFORMATION, .. }), "{a:?}");
    assert_says(a, &["protocol 6"]);
    assert_no_pairs(network);
}

#[test]
fn tunnel_against_transport() {
    for tunnel in 0..2 {
        let (network, a, b) = fail(|index, policy| policy.tunnel = index == tunnel);
        assert_eq!((a.len(), b.len()), (1, 1), "{a:?} {b:?}");
        assert_says(&a[0], &["the peer refused the quick mode proposal"]);
        assert_no_pairs(network);
    }
}

#[test]
fn another_identity_than_the_policy_wants() {
    for wants in 0..2 {
        let (mut network, a, b) = fail(|index, policy| {
            policy.remote_id = (index == wants).then(|| Identity::Fqdn("gateway.example".to_owned()));
        });
        let own = if wants == 0 { &a } else { &b };
        assert_eq!(own.len(), 1, "{a:?} {b:?}");
        assert!(matches!(own[0], Failure::IdentityMismatch { .. }), "{own:?}");
        assert_says(&own[0], &["gateway.example", "192.0.2.", "\"rule\""]);
        if wants == 1 {
            assert!(matches!(a[0], Failure::PeerRefused { notify: NotifyType::INVALID_ID_INFORMATION, .. }), "{a:?}");
        }
        // Nobody keeps an ISAKMP SA that the other does not have.
        network.run(ALL_OVER);
        assert_eq!(network.hosts.each_ref().map(|host| host.endpoint.ike_sas.len()), [0, 0]);
        assert_no_pairs(network);
    }
}

#[test]
fn a_peer_that_the_policy_does_not_know() {
    let mut network = pair(2, Weather::default(), |_, _| {});
    network.feed(1, Input::Policy(Arc::default()));
    initiate(&mut network);
    network.run(ALL_OVER);
    let [a, b] = network.hosts.each_ref().map(Host::failures);
    assert_eq!(b, [Failure::NoPolicyForPeer { peer: A.into() }]);
    // It is not told whether somebody is there.
    assert!(network.log.iter().all(|(from, _)| *from == 0));
    assert!(matches!(a.as_slice(), [Failure::TimedOut { message: "main mode message 1", .. }]), "{a:?}");
    assert_no_pairs(network);
}

#[test]
fn a_silent_peer_is_called_six_times_in_63_seconds() {
    let mut network = pair(3, Weather { loss: 100, ..Weather::default() }, |_, _| {});
    let start = network.now;
    initiate(&mut network);
    let mut times = Vec::new();
    let until = start + Duration::from_secs(100);
    let mut ended = None;
    loop {
        let now = network.now;
        times.resize(network.log.len(), now.since(start).as_secs());
        if ended.is_none() && !network.hosts[0].ends().is_empty() {
            ended = Some(now.since(start).as_secs());
        }
        if !network.step(until) {
            break;
        }
    }
    assert_eq!(times, [0, 1, 3, 7, 15, 31]);
    assert_eq!(ended, Some(63));
    let failures = network.hosts[0].failures();
    let [Failure::TimedOut { message: "main mode message 1", sent: 6, seconds: 63, hint: Some(_), .. }] =
        failures.as_slice()
    else {
        panic!("{failures:?}")
    };
    assert_says(&failures[0], &["192.0.2.2:500", "6 transmissions in 63 s"]);
    assert_no_pairs(network);
}

#[test]
fn the_driver_gives_no_spi() {
    for host in 0..2 {
        let mut network = pair(4, Weather::default(), |_, _| {});
        network.hosts[host].driver.fail_spis = 1;
        initiate(&mut network);
        network.run(ALL_OVER);
        let failures = network.hosts.each_ref().map(Host::failures);
        assert!(matches!(failures[host].as_slice(), [Failure::Driver(_)]), "{failures:?}");
        assert_says(&failures[host][0], &["driver test", "allocate an SPI", "told to fail"]);
        if host == 1 {
            assert!(matches!(failures[0].as_slice(), [Failure::PeerRefused { .. }]), "{failures:?}");
        }
        network.hosts.iter().for_each(assert_settled);
        // The next attempt is not spoiled by it.
        initiate(&mut network);
        network.run(ALL_OVER);
        assert_eq!(twins(&network), 1);
        shut_down(&mut network);
    }
}

#[test]
fn a_mute_driver() {
    for host in 0..2 {
        let mut network = pair(5, Weather::default(), |_, _| {});
        network.run(Duration::from_secs(1));
        network.hosts[host].driver.mute = true;
        initiate(&mut network);
        network.run(ALL_OVER);
        let failures = network.hosts.each_ref().map(Host::failures);
        let own = failures[host].as_slice();
        assert!(matches!(own, [Failure::Stalled { what: "an SPI", seconds: 63 }]), "{failures:?}");
        assert_says(&own[0], &["63 s", "an SPI", "its own driver"]);
        let endpoint = &mut network.hosts[host].endpoint;
        assert!(endpoint.negotiations.is_empty() && endpoint.snapshot().quick_modes.is_empty());
        // What comes at last finds nobody: the SPI goes back.
        network.hosts[host].driver.mute = false;
        let late = core::mem::take(&mut network.hosts[host].unanswered);
        for id in late {
            let name = crate::sa::driver::SaName {
                protocol: crate::wire::ProtocolId::ESP,
                destination: [A, B][host],
                spi: crate::ids::Spi(0x1234),
            };
            network.hosts[host].driver.larval.insert(name);
            let answer = Answer::Sa(crate::sa::driver::SaAnswer::Spi(Ok(name.spi)));
            network.feed(host, Input::Answer(id, answer));
        }
        network.hosts.iter().for_each(assert_settled);
        assert_no_pairs(network);
    }
}

#[test]
fn the_driver_is_lost_at_any_step() {
    for host in 0..2 {
        for step in 0..14 {
            let mut network = pair(6, Weather::default(), |_, _| {});
            initiate(&mut network);
            let until = network.now + Duration::from_secs(60);
            for _ in 0..step {
                network.step(until);
            }
            network.feed(host, Input::DriverLost("the kernel module went away".to_owned()));
            network.hosts[host].driver.pairs.clear();
            network.hosts[host].driver.halves.clear();
            network.hosts[host].driver.larval.clear();
            network.run(ALL_OVER);
            network.hosts.iter().for_each(assert_settled);
            let failures = network.hosts.each_ref().map(Host::failures);
            for failure in &failures[host] {
                assert_eq!(*failure, Failure::DriverLost("the kernel module went away".to_owned()), "step {step}");
            }
            // The peer has nothing that leads nowhere.
            for host in &network.hosts {
                assert!(host.endpoint.pairs.is_empty(), "step {step}: {failures:?}");
            }
            // And nothing new begins.
            let before = network.hosts[host].failures().len();
            network.feed(host, acquire(host));
            assert_eq!(network.hosts[host].failures().len(), before + 1);
            network.run(ALL_OVER);
            network.hosts.iter().for_each(assert_settled);
        }
    }
}

/// The first proposal is turned down, and the initiator is not confused: the second is chosen.
#[test]
fn the_second_offer_is_chosen() {
    let (network, a, b) = fail(|index, policy| {
        let other = crate::proposal::offer::MainModeOffer { hash: HashAlg::Sha1, ..policy.main_mode[0] };
        let ah = crate::proposal::offer::QuickModeOffer {
            suite: IpsecSuite::Ah { integrity: Integrity::HmacSha1_96 }.alone(),
            ..policy.quick_mode[0]
        };
        if index == 0 {
            policy.main_mode.insert(0, other);
            policy.quick_mode.insert(0, ah);
        }
    });
    assert_eq!((a, b), (vec![], vec![]));
    assert_eq!(twins(&network), 1);
    // The SPI of the proposal that was not chosen went back.
    network.hosts.iter().for_each(assert_settled);
    assert_agree(&network);
}

/// The messages that say by vendor ID that no SA stood before.
fn of_first_contact(network: &Network) -> usize {
    let id = crate::wire::payload::vendor::INITIAL_CONTACT;
    network.log.iter().filter(|(_, sent)| sent.octets.windows(id.len()).any(|window| window == id)).count()
}

/// A second main mode with the same peer does not announce INITIAL-CONTACT, which would end what the first one made.
#[test]
fn a_second_main_mode_ends_nothing() {
    let (mut network, ..) = fail(|_, _| {});
    assert_eq!(of_first_contact(&network), 2, "both ends say in clear, too, that there was none before");
    network.log.clear();
    let id = *network.hosts[0].endpoint.ike_sas.keys().next().expect("an SA");
    network.feed(0, Input::Command(Command::RekeyIkeSa(id)));
    network.run(Duration::from_secs(2));
    assert_eq!(twins(&network), 1);
    // Also when the ISAKMP SA is gone and only IPsec SAs stand.
    network.run(ALL_OVER);
    let id = *network.hosts[0].endpoint.ike_sas.keys().next().expect("an SA");
    network.feed(0, Input::Command(Command::DeleteIkeSa(id)));
    network.run(Duration::from_secs(2));
    assert_eq!(network.hosts.each_ref().map(|host| host.endpoint.ike_sas.len()), [0, 0]);
    assert_eq!(twins(&network), 1);
    let pair = *network.hosts[0].endpoint.pairs.keys().next().expect("a pair");
    network.feed(0, Input::Command(Command::RekeyIpsecSa(pair)));
    network.run(Duration::from_secs(3));
    assert_eq!(twins(&network), 2, "the old pair has its grace");
    network.run(ALL_OVER);
    assert_eq!(twins(&network), 1);
    let ended = network.hosts.iter().flat_map(|host| &host.events).filter(|event| {
        matches!(
            &event.kind,
            EventKind::IpsecSa(crate::event::IpsecSaEvent::Ended { reason: Failure::InitialContact, .. })
        )
    });
    assert_eq!(ended.count(), 0);
    assert_eq!(of_first_contact(&network), 0);
    shut_down(&mut network);
}

/// A quick mode that fails again and again does not go on by itself, and leaves nothing.
#[test]
fn a_failing_quick_mode_does_not_loop() {
    let (mut network, ..) = fail(|index, policy| policy.quick_mode[0].pfs = [None, Some(Group::Ecp256)][index]);
    for round in 2..20 {
        network.feed(0, acquire(0));
        network.run(Duration::from_secs(2));
        assert_eq!(network.hosts[0].failures().len(), round);
        assert_eq!(network.hosts[1].failures().len(), round);
    }
    network.run(ALL_OVER);
    assert_eq!(network.hosts[0].failures().len(), 19);
    network.hosts.iter().for_each(assert_settled);
    let sa = network.hosts[0].endpoint.ike_sas.values().next().expect("one ISAKMP SA for all");
    assert!(sa.standing().expect("standing").quick_modes.is_empty(), "finished quick modes are forgotten");
    assert_no_pairs(network);
}

/// An end in the middle leaves no exchange: at each step of the negotiation.
#[test]
fn an_end_at_any_step_leaves_nothing() {
    for host in 0..2 {
        for step in 0..14 {
            let mut network = pair(7, Weather::default(), |_, policy| policy.quick_mode[0].pfs = Some(Group::Ecp256));
            initiate(&mut network);
            let until = network.now + Duration::from_secs(60);
            for _ in 0..step {
                network.step(until);
            }
            network.feed(host, Input::Command(Command::Shutdown));
            assert_gone(&network.hosts[host]);
            network.run(ALL_OVER);
            assert_settled(&network.hosts[1 - host]);
            assert!(network.hosts[1 - host].endpoint.pairs.is_empty(), "step {step}");
            shut_down(&mut network);
        }
    }
}

#[test]
fn what_cannot_begin_fails_at_once() {
    let mut network = pair(8, Weather::default(), |_, _| {});
    network.feed(0, Input::Command(Command::InitiateRule { rule: "no such".to_owned(), peer: None }));
    assert_eq!(network.hosts[0].failures(), [Failure::NoSuchRule("no such".to_owned())]);
    let flow = crate::policy::selector::Flow {
        local: A,
        remote: "198.51.100.1".parse().expect("an address"),
        protocol: 6,
        local_port: 1,
        remote_port: 2,
        scope: crate::address::Scope::ANY,
    };
    network.feed(0, Input::Command(Command::InitiateFlow(flow)));
    assert_eq!(network.hosts[0].failures()[1], Failure::NoPolicyForFlow(flow));
    // A packet that no rule protects begins nothing.
    network.feed(0, Input::Acquire(crate::sa::driver::Acquire { flow, reqid: 1 }));
    assert!(matches!(
        network.hosts[0].events.last().map(|event| &event.kind),
        Some(EventKind::Endpoint(EndpointEvent::Acquire { rule: None, .. }))
    ));
    outcomes(&network.hosts[0]);
    assert_no_pairs(network);
}

#[test]
fn a_failure_says_how_far_it_came() {
    for phase in [Phase::MainMode, Phase::AggressiveMode, Phase::QuickMode] {
        let (network, ..) = fail(|index, policy| match phase {
            Phase::MainMode | Phase::AggressiveMode => {
                policy.main_mode[0].hash = [HashAlg::Sha1, HashAlg::Sha256][index];
                policy.aggressive_mode = phase == Phase::AggressiveMode;
            }
            Phase::QuickMode => policy.quick_mode[0].pfs = [None, Some(Group::Ecp256)][index],
        });
        for host in &network.hosts {
            let phases: Vec<_> = host
                .events
                .iter()
                .filter_map(|event| match &event.kind {
                    EventKind::Negotiation(NegotiationEvent::Failed { phase, .. }) => Some(*phase),
                    _ => None,
                })
                .collect();
            assert_eq!(phases, [phase]);
        }
    }
}
