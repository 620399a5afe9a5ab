//! Quick mode with several protocols under one number.
use super::*;
use crate::crypto::esp::Integrity;
use crate::ids::Spi;
use crate::proposal::encode::encode_quick_mode;
use crate::proposal::offer::QuickModeOffer;
use crate::proposal::suite::{EspCipher, IpsecSuite, Lifetime, ProtectionSuite};
use crate::wire::codes::EncapsulationMode;

const TUNNEL: EncapsulationMode = EncapsulationMode::TUNNEL;
const HOUR: Lifetime = Lifetime { seconds: 3600, kilobytes: 0 };
const AES: IpsecSuite = IpsecSuite::Esp { cipher: EspCipher::Aes128Cbc, integrity: Some(Integrity::HmacSha1_96) };
const TRIPLE_DES: IpsecSuite =
    IpsecSuite::Esp { cipher: EspCipher::TripleDesCbc, integrity: Some(Integrity::HmacSha1_96) };
const COMPRESSED: ProtectionSuite = ProtectionSuite { compression: true, ..AES.alone() };
const OUTER: ProtectionSuite = ProtectionSuite { outer: Some(Integrity::HmacSha1_96), ..AES.alone() };
const ALL: ProtectionSuite = ProtectionSuite { compression: true, ..OUTER };
const OWN: [(ProtocolId, Spi); 3] =
    [(ProtocolId::ESP, Spi(0x1001)), (ProtocolId::AH, Spi(0x1002)), (ProtocolId::IPCOMP, Spi(0x0203))];

fn offers(suites: &[ProtectionSuite]) -> Vec<QuickModeOffer> {
    let offer = |suite: &ProtectionSuite| QuickModeOffer {
        suite: *suite,
        lifetime: HOUR,
        pfs: None,
        extended_sequence_numbers: false,
    };
    suites.iter().map(offer).collect()
}

fn select(octets: &[u8], suites: &[ProtectionSuite]) -> Result<ChosenQuickMode, Vec<Mismatch>> {
    select_quick_mode(&Sa::decode(octets).expect("made by hand"), &offers(suites), &[TUNNEL], None)
}

fn esp(list: &[(u16, u32)]) -> Made<'static> {
    Made { number: 1, protocol: ProtocolId::ESP, spi: &[0, 0, 1, 1], transforms: vec![(12, attributes(list))] }
}

fn ipcomp(spi: &'static [u8], transforms: &[(u8, &[(u16, u32)])]) -> Made<'static> {
    let transforms = transforms.iter().map(|(id, list)| (*id, attributes(list))).collect();
    Made { number: 1, protocol: ProtocolId::IPCOMP, spi, transforms }
}

const GOOD: [(u16, u32); 5] = [(4, 1), (5, 2), (6, 128), (1, 1), (2, 3600)];

#[test]
fn offers_of_several_protocols_share_a_number_in_which_they_belong_together() {
    let third = ProtectionSuite { main: TRIPLE_DES, ..COMPRESSED };
    let octets = encode_quick_mode(&offers(&[COMPRESSED, third, AES.alone(), OUTER, ALL]), TUNNEL, &OWN);
    let sa = Sa::decode(&octets).expect("encoded here");
    let seen: Vec<_> = sa
        .proposals
        .iter()
        .map(|proposal| (proposal.number, proposal.protocol, proposal.spi.to_vec(), proposal.transforms.len()))
        .collect();
    let spi = |last| vec![0, 0, 0x10, last];
    let cpi = || vec![2, 3];
    assert_eq!(
        seen,
        [
            (1, ProtocolId::ESP, spi(1), 2),
            (1, ProtocolId::IPCOMP, cpi(), 1),
            (2, ProtocolId::ESP, spi(1), 1),
            (3, ProtocolId::AH, spi(2), 1),
            (3, ProtocolId::ESP, spi(1), 1),
            (4, ProtocolId::AH, spi(2), 1),
            (4, ProtocolId::ESP, spi(1), 1),
            (4, ProtocolId::IPCOMP, cpi(), 1),
        ]
    );
    // Without a CPI, what needs none is left.
    let octets = encode_quick_mode(&offers(&[COMPRESSED, AES.alone()]), TUNNEL, &OWN[..2]);
    let left = Sa::decode(&octets).expect("encoded here").proposals;
    assert_eq!(left.iter().map(|proposal| proposal.protocol).collect::<Vec<_>>(), [ProtocolId::ESP]);
}

#[test]
fn every_suite_there_and_back() {
    let mine = [(ProtocolId::ESP, Spi(0x2001)), (ProtocolId::AH, Spi(0x2002)), (ProtocolId::IPCOMP, Spi(0x0304))];
    let plain =
        ProtectionSuite { compression: true, ..IpsecSuite::Ah { integrity: Integrity::HmacSha256_128 }.alone() };
    for suite in [AES.alone(), COMPRESSED, OUTER, ALL, plain] {
        let list = offers(&[suite]);
        let offered = encode_quick_mode(&list, TUNNEL, &OWN);
        let chosen = select(&offered, &[TRIPLE_DES.alone(), COMPRESSED, suite]).expect("chosen");
        assert_eq!((chosen.suite, chosen.lifetime), (suite, HOUR));
        let spi = |of, spis: &[(ProtocolId, Spi)]| spis.iter().find(|(found, _)| *found == of).map(|(_, spi)| *spi);
        assert_eq!(Some(chosen.peer_spi), spi(suite.main.protocol(), &OWN));
        assert!(chosen.companions.iter().all(|(of, own)| spi(*of, &OWN) == Some(*own)), "{chosen:?}");
        assert_eq!(chosen.companions.len() + 1, suite.protocols().iter().count());
        let reply = chosen.reply(&mine);
        let verified =
            verify_quick_mode_reply(&Sa::decode(&reply).expect("encoded"), &list, &offered).expect("offered");
        assert_eq!((verified.suite, verified.proposal), (suite, 1));
        assert_eq!(Some(verified.peer_spi), spi(suite.main.protocol(), &mine));
        assert!(verified.companions.iter().all(|(of, own)| spi(*of, &mine) == Some(*own)), "{verified:?}");
    }
}

#[test]
fn a_cpi_has_two_octets_or_four_of_which_two_are_zero() {
    let with = |spi| select(&made(&[esp(&GOOD), ipcomp(spi, &[(2, &[(4, 1)])])]), &[COMPRESSED]);
    for (spi, cpi) in [(&[1_u8, 0] as &[u8], 256), (&[0, 0, 1, 0], 256), (&[0xef, 0xff], 61_439)] {
        assert_eq!(with(spi).expect("chosen").companions, [(ProtocolId::IPCOMP, Spi(cpi))]);
    }
    let allowed = "2 octets, or 4, from 256 to 61439";
    for (spi, received) in [
        (&[0_u8, 2] as &[u8], "0x00000002"),
        (&[0xf0, 0], "0x0000f000"),
        (&[0, 1, 1, 0], "0x00010100"),
        (&[1, 2, 3], "3 octets"),
        (&[], "0 octets"),
    ] {
        assert_eq!(told(&with(spi).expect_err("refused")), [("SPI", received, allowed)]);
    }
}

#[test]
fn what_goes_with_esp_must_be_acceptable_too() {
    let with =
        |transforms: &[(u8, &[(u16, u32)])]| select(&made(&[esp(&GOOD), ipcomp(&[1, 0], transforms)]), &[COMPRESSED]);
    // LZS is not run; the alternative is. Mode and group need not be said again.
    let chosen = with(&[(3, &[(4, 1)]), (2, &[])]).expect("the second");
    let reply = chosen.reply(&OWN);
    let reply = Sa::decode(&reply).expect("encoded");
    let seen: Vec<_> =
        reply.proposals.iter().map(|it| (it.protocol, it.transforms[0].id, it.transforms.len())).collect();
    assert_eq!(seen, [(ProtocolId::ESP, 12, 1), (ProtocolId::IPCOMP, 2, 1)]);
    let any = "none or any group that this host runs but 22 to 24";
    for (id, pair, attribute, received, allowed) in [
        (3, (4, 1), "Transform-ID", "IPCOMP_LZS (3) with IPCOMP (4)", "IPCOMP_DEFLATE (2)"),
        (2, (4, 2), "Encapsulation Mode", "Transport (2) with IPCOMP (4)", "Tunnel (1)"),
        (2, (3, 14), "Group Description", "MODP-2048 (14) with IPCOMP (4)", any),
        (2, (8, 1), "Compress Dictionary Size", "1", "absent"),
    ] {
        assert_eq!(told(&with(&[(id, &[pair])]).expect_err("refused")), [(attribute, received, allowed)]);
    }
}

#[test]
fn more_or_less_than_was_asked_for_is_refused() {
    let compressed = || made(&[esp(&GOOD), ipcomp(&[1, 0], &[(2, &[])])]);
    let both = ("Protocol-ID", "ESP (3) together with IPCOMP (4)", "ESP (3)");
    assert_eq!(told(&select(&compressed(), &[AES.alone()]).expect_err("refused")), [both]);
    let alone = ("Protocol-ID", "ESP (3)", "ESP (3) together with IPCOMP (4)");
    assert_eq!(told(&select(&made(&[esp(&GOOD)]), &[COMPRESSED]).expect_err("refused")), [alone]);
    let twice = made(&[esp(&GOOD), esp(&GOOD)]);
    let allowed = "each protocol once under a proposal number";
    let refused = select(&twice, &[AES.alone()]).expect_err("refused");
    assert_eq!(told(&refused), [("Protocol-ID", "ESP (3) together with ESP (3)", allowed)]);
    // An initiator that lists both has what the responder has.
    let second = Made { number: 2, ..esp(&GOOD) };
    let list = made(&[esp(&GOOD), ipcomp(&[1, 0], &[(2, &[])]), second]);
    assert_eq!(select(&list, &[AES.alone()]).expect("the second").proposal, 2);
}

#[test]
fn a_reply_must_have_all_that_belongs_together_and_nothing_else() {
    let list = offers(&[COMPRESSED, ProtectionSuite { main: TRIPLE_DES, ..OUTER }]);
    let offered = encode_quick_mode(&list, TUNNEL, &OWN);
    let verify = |octets: &[u8]| verify_quick_mode_reply(&Sa::decode(octets).expect("made"), &list, &offered);
    let compressed = [esp(&GOOD), ipcomp(&[1, 0], &[(2, &[(4, 1)])])];
    assert_eq!(verify(&made(&compressed)).expect("offered").suite, COMPRESSED);
    let all = "ESP (3) together with IPCOMP (4), AH (2) together with ESP (3)";
    let alone = verify(&made(&[esp(&GOOD)])).expect_err("half of it");
    assert_eq!(told(&[alone]), [("Protocol-ID", "ESP (3)", all)]);
    let ah = Made { number: 1, protocol: ProtocolId::AH, spi: &[0, 0, 2, 2], transforms: vec![(3, attributes(&GOOD))] };
    // What was offered under two numbers is not mixed.
    let mixed = verify(&made(&[ah, esp(&GOOD)])).expect_err("of another number");
    assert_eq!(mixed.attribute, "Key Length");
    let apart = made(&[esp(&GOOD), Made { number: 2, ..ipcomp(&[1, 0], &[(2, &[(4, 1)])]) }]);
    let apart = verify(&apart).expect_err("alternatives");
    assert_eq!(told(&[apart]), [("number of proposals", "2", "1")]);
    // strongSwan says again under another number what is left without IPComp.
    let again = Made { number: 2, ..esp(&GOOD) };
    assert_eq!(verify(&made(&[esp(&GOOD), ipcomp(&[1, 0], &[(2, &[])]), again])).expect("once").suite, COMPRESSED);
    let other = Made { number: 2, spi: &[9, 9, 9, 9], ..esp(&GOOD) };
    let other = verify(&made(&[esp(&GOOD), ipcomp(&[1, 0], &[(2, &[])]), other])).expect_err("another SPI");
    assert_eq!(told(&[other]), [("number of proposals", "2", "1")]);
}
