//! Suites of several protocols: IPComp inside ESP or AH, AH around ESP.
use super::*;
use crate::proposal::suite::{CPIS, Integrity, IpsecSuite, Mode, ProtectionSuite};
use crate::sa::driver::{SaSpec, TrafficAction};
use crate::testing::policy::ESP;
use crate::wire::codes::{NotifyType, ProtocolId};

const AH: IpsecSuite = IpsecSuite::Ah { integrity: Integrity::HmacSha256_128 };

/// Every combination of protocols that is more than one.
fn suites() -> [ProtectionSuite; 4] {
    let compressed = ProtectionSuite { compression: true, ..ESP.alone() };
    let outer = Some(Integrity::HmacSha1_96);
    [
        compressed,
        ProtectionSuite { compression: true, ..AH.alone() },
        ProtectionSuite { outer, ..ESP.alone() },
        ProtectionSuite { outer, ..compressed },
    ]
}

/// Two hosts with offers of these suites, after the first has begun.
fn negotiated(seed: u64, tunnel: bool, offers: [&[ProtectionSuite]; 2]) -> Network {
    let mut network = pair(seed, Weather::default(), |index, policy| {
        policy.tunnel = tunnel;
        let first = policy.quick_mode[0];
        policy.quick_mode = offers[index]
            .iter()
            .map(|suite| crate::proposal::offer::QuickModeOffer { suite: *suite, ..first })
            .collect();
    });
    initiate(&mut network);
    network.run(Duration::from_secs(10));
    network
}

/// What a delete of the peer names.
fn main_and_outer(spec: &SaSpec) -> usize {
    spec.names().filter(|name| name.protocol != ProtocolId::IPCOMP).count()
}

#[test]
fn every_suite_is_negotiated_with_a_spi_and_keys_for_each_protocol() {
    for (seed, suite) in (40..).zip(suites()) {
        for tunnel in [false, true] {
            let mut network = negotiated(seed, tunnel, [&[suite], &[suite]]);
            assert_agree(&network);
            let [a, b] = &network.hosts;
            let own = a.driver.pairs.values().next().expect("a pair");
            let twin = b.driver.pairs.values().next().expect("its twin");
            assert_eq!((own.inbound.protection(), own.outbound.protection()), (suite, suite));
            for (ours, theirs) in [(&own.inbound, &twin.outbound), (&own.outbound, &twin.inbound)] {
                assert!(ours.names().eq(theirs.names()), "{ours:?}\n{theirs:?}");
                assert!(ours.names().map(|name| name.protocol).eq(suite.protocols().iter()));
                assert_eq!(ours.cpi.is_some_and(|cpi| CPIS.contains(&cpi.0)), suite.compression);
                if let (Some(ours), Some(theirs)) = (&ours.outer, &theirs.outer) {
                    assert_eq!(ours.key.expose(), theirs.key.expose());
                    assert_eq!(ours.key.expose().len(), ours.integrity.key_len());
                }
            }
            if let (Some(inbound), Some(outbound)) = (&own.inbound.outer, &own.outbound.outer) {
                assert_ne!(inbound.key.expose(), outbound.key.expose());
                // KEYMAT is of each protocol and SPI, so that AH does not share its key with ESP.
                assert_ne!(inbound.key.expose().get(..16), own.inbound.integrity_key.expose().get(..16));
            }
            let modes: Vec<Mode> = own.inbound.layers().map(|layer| layer.mode).collect();
            assert_eq!(modes[0], if tunnel { Mode::Tunnel } else { Mode::Transport });
            assert!(modes[1..].iter().all(|mode| *mode == Mode::Transport));
            let TrafficAction::Protect { protocols, .. } = own.policy.action else { panic!("{:?}", own.policy) };
            assert_eq!(protocols, suite.protocols());
            shut_down(&mut network);
        }
    }
}

#[test]
fn a_rekey_makes_all_of_it_anew_and_a_delete_ends_all_of_it() {
    for (seed, suite) in (50..).zip(suites()) {
        let mut network = negotiated(seed, false, [&[suite], &[suite]]);
        let before: Vec<_> = network.hosts[0].driver.pairs.values().next().expect("a pair").inbound.names().collect();
        network.run(Duration::from_secs(3_500));
        let newest = network.hosts[0].driver.pairs.values().next_back().expect("a pair");
        assert!(newest.inbound.names().all(|name| !before.contains(&name)), "{suite}: {before:?}");
        assert_eq!(newest.inbound.protection(), suite);
        let deletes = main_and_outer(&newest.inbound);
        assert_eq!(deletes, 1 + usize::from(suite.outer.is_some()));
        assert_agree(&network);
        network.hosts.iter().for_each(assert_settled);
        let id = newest.id;
        network.feed(0, Input::Command(Command::DeleteIpsecSa(id)));
        network.run(Duration::from_secs(5));
        for host in &network.hosts {
            assert!(host.driver.pairs.is_empty(), "{suite}: {:?}", host.driver);
            assert!(host.endpoint.index.inbound.is_empty() && host.endpoint.index.outbound.len() == 0);
        }
    }
}

#[test]
fn of_two_lists_what_both_have_is_chosen() {
    let plain = ESP.alone();
    let compressed = ProtectionSuite { compression: true, ..plain };
    for (seed, (initiator, responder, chosen)) in (60..).zip([
        (vec![compressed, plain], vec![plain], plain),
        (vec![plain], vec![compressed, plain], plain),
        (vec![compressed, plain], vec![plain, compressed], compressed),
        (vec![plain, compressed], vec![compressed], compressed),
    ]) {
        let mut network = negotiated(seed, true, [&initiator, &responder]);
        assert_agree(&network);
        for host in &network.hosts {
            let pair = host.driver.pairs.values().next().unwrap_or_else(|| panic!("a pair: {:?}", host.failures()));
            assert_eq!(pair.inbound.protection(), chosen);
            assert_settled(host);
        }
        shut_down(&mut network);
    }
}

#[test]
fn who_insists_on_more_or_less_than_the_peer_has_is_told_so() {
    let [compressed, _, outer, _] = suites();
    let plain = ESP.alone();
    for (seed, (initiator, responder, received, allowed)) in (70..).zip([
        (compressed, plain, "ESP (3) together with IPCOMP (4)", "ESP (3)"),
        (plain, compressed, "ESP (3)", "ESP (3) together with IPCOMP (4)"),
        (outer, plain, "ESP (3) together with AH (2)", "ESP (3)"),
        (plain, outer, "ESP (3)", "ESP (3) together with AH (2)"),
        (compressed, outer, "ESP (3) together with IPCOMP (4)", "ESP (3) together with AH (2)"),
    ]) {
        let mut network = negotiated(seed, false, [&[initiator], &[responder]]);
        let [a, b] = &network.hosts;
        let failures = b.failures();
        let [Failure::NoProposalChosen { mismatches, .. }] = failures.as_slice() else { panic!("{failures:?}") };
        let told: Vec<_> =
            mismatches.iter().map(|it| (it.attribute, it.received.as_str(), it.allowed.as_str())).collect();
        assert_eq!(told, [("Protocol-ID", received, allowed)]);
        let failures = a.failures();
        let [Failure::PeerRefused { notify, text, .. }] = failures.as_slice() else { panic!("{failures:?}") };
        assert_eq!(*notify, NotifyType::NO_PROPOSAL_CHOSEN);
        assert!(text.as_ref().is_some_and(|text| text.contains(&format!("offered were {initiator}"))), "{text:?}");
        network.hosts.iter().for_each(assert_settled);
        shut_down(&mut network);
    }
}

#[test]
fn a_driver_that_refuses_a_part_leaves_nothing_of_the_whole() {
    let [.., all] = suites();
    for host in 0..2 {
        for fault in 0..3 {
            let mut network = pair(80, Weather::default(), |_, policy| policy.quick_mode[0].suite = all);
            let driver = &mut network.hosts[host].driver;
            match fault {
                0 => driver.fail_spis = 1,
                1 => driver.fail_inbound = 1,
                _ => driver.fail_outbound = 1,
            }
            initiate(&mut network);
            network.run(Duration::from_secs(100));
            for host in &network.hosts {
                assert!(host.driver.pairs.is_empty() && host.driver.halves.is_empty(), "{fault}: {:?}", host.driver);
                assert_settled(host);
            }
            assert!(!network.hosts[host].failures().is_empty(), "{fault}");
            shut_down(&mut network);
        }
    }
}
