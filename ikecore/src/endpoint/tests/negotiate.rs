//! Main mode and quick mode between two endpoints when all goes well.
use super::*;
use crate::crypto::cipher::CipherAlg;
use crate::crypto::group::Group;
use crate::crypto::hash::HashAlg;
use crate::proposal::offer::{MainModeOffer, QuickModeOffer};
use crate::time::Duration;

#[test]
fn a_command_leads_to_sas_with_equal_keys() {
    let mut network = pair(1, Weather::default(), |_, _| {});
    initiate(&mut network);
    network.run(Duration::from_secs(5));
    assert_agree(&network);
    for host in &network.hosts {
        assert_eq!(host.driver.pairs.len(), 1);
        assert_eq!(host.failures(), []);
        let snapshot = host.endpoint.snapshot();
        assert_eq!((snapshot.ike_sas.len(), snapshot.ipsec_sas.len(), snapshot.quick_modes.len()), (1, 1, 0));
        assert_eq!(snapshot.ike_sas[0].state, "established");
    }
    // Six messages of main mode, three of quick mode.
    assert_eq!(network.log.len(), 9);
}

#[test]
fn every_suite_of_main_mode_negotiates() {
    for cipher in CipherAlg::ALL {
        for hash in HashAlg::ALL {
            let mut network = pair(2, Weather::default(), |_, policy| {
                policy.main_mode = vec![MainModeOffer { cipher, hash, group: Group::Ecp256 }];
            });
            initiate(&mut network);
            network.run(Duration::from_secs(5));
            assert_eq!(network.hosts[1].driver.pairs.len(), 1, "{cipher} {hash}");
            assert_agree(&network);
        }
    }
}

#[test]
fn every_group_negotiates_with_and_without_pfs() {
    for group in Group::ALL {
        if group.public_len() > 512 && cfg!(debug_assertions) && group.id() < 19 {
            continue; // The two largest take seconds; their arithmetic is tested with the vectors.
        }
        for pfs in [None, Some(group)] {
            let mut network = pair(3, Weather::default(), |_, policy| {
                policy.main_mode[0].group = group;
                policy.quick_mode[0].pfs = pfs;
            });
            initiate(&mut network);
            network.run(Duration::from_secs(5));
            assert_eq!(network.hosts[1].driver.pairs.len(), 1, "{group:?} {pfs:?} {:?}", network.hosts[0].failures());
            assert_agree(&network);
        }
    }
}

#[test]
fn the_kind_of_sequence_numbers_that_both_have_is_negotiated() {
    for (kinds, agreed) in [
        ([&[true][..], &[true]], Some(true)),
        ([&[true, false], &[false]], Some(false)),
        ([&[false], &[true, false]], Some(false)),
        ([&[false], &[true]], None),
    ] {
        let mut network = pair(4, Weather::default(), |index, policy| {
            let offer = policy.quick_mode[0];
            let offers = kinds[index].iter().map(|kind| QuickModeOffer { extended_sequence_numbers: *kind, ..offer });
            policy.quick_mode = offers.collect();
        });
        initiate(&mut network);
        network.run(Duration::from_secs(5));
        let installed =
            network.hosts[0].driver.pairs.values().next().map(|pair| pair.inbound.extended_sequence_numbers);
        assert_eq!(installed, agreed, "{kinds:?}");
        assert_agree(&network);
    }
}
