//! Quick mode: every reason to refuse, every suite there and back.
use super::*;
use crate::crypto::esp::Integrity;
use crate::crypto::group::Group;
use crate::ids::Spi;
use crate::proposal::encode::encode_quick_mode;
use crate::proposal::offer::QuickModeOffer;
use crate::proposal::suite::{DEFAULT_LIFE_SECONDS, EspCipher, IpsecSuite, Lifetime};
use crate::wire::codes::EncapsulationMode;

const TUNNEL: EncapsulationMode = EncapsulationMode::TUNNEL;
const TRANSPORT: EncapsulationMode = EncapsulationMode::TRANSPORT;
const HOUR: Lifetime = Lifetime { seconds: 3600, kilobytes: 100_000 };
const SPI: [u8; 4] = [0xcc, 0x36, 0xd0, 0xc6];

const fn offer(suite: IpsecSuite, pfs: Option<Group>) -> QuickModeOffer {
    QuickModeOffer { suite: suite.alone(), lifetime: HOUR, pfs, extended_sequence_numbers: false }
}

const fn esp(cipher: EspCipher, integrity: Option<Integrity>) -> IpsecSuite {
    IpsecSuite::Esp { cipher, integrity }
}

const AES: IpsecSuite = esp(EspCipher::Aes128Cbc, Some(Integrity::HmacSha1_96));
const GCM: IpsecSuite = esp(EspCipher::Aes256Gcm16, None);
const AH: IpsecSuite = IpsecSuite::Ah { integrity: Integrity::HmacSha256_128 };

/// The attributes of [`AES`] in tunnel mode for an hour.
const GOOD: [(u16, u32); 7] = [(4, 1), (5, 2), (6, 128), (1, 1), (2, 3600), (1, 2), (2, 100_000)];

/// [`GOOD`] without the types in `without`, with `more`.
fn changed(without: &[u16], more: &[(u16, u32)]) -> AttributeWriter {
    let kept = GOOD.iter().filter(|(kind, _)| !without.contains(kind));
    attributes(&kept.chain(more).copied().collect::<Vec<_>>())
}

fn proposal(protocol: ProtocolId, transforms: Vec<(u8, AttributeWriter)>) -> Made<'static> {
    Made { number: 1, protocol, spi: &SPI, transforms }
}

fn one(list: AttributeWriter) -> Vec<u8> {
    made(&[proposal(ProtocolId::ESP, vec![(12, list)])])
}

fn select(octets: &[u8], suites: &[IpsecSuite]) -> Result<ChosenQuickMode, Vec<Mismatch>> {
    let offers: Vec<_> = suites.iter().map(|suite| offer(*suite, None)).collect();
    select_quick_mode(&Sa::decode(octets).expect("made by hand"), &offers, &[TUNNEL], None)
}

/// Checks the one mismatch that `octets` make against `suites`.
#[track_caller]
fn refused(octets: &[u8], suites: &[IpsecSuite], attribute: &str, received: &str, allowed: &str) {
    let refused = select(octets, suites).expect_err("refused");
    assert_eq!(told(&refused), [(attribute, received, allowed)]);
}

#[test]
fn a_transform_that_is_one_of_the_offers_is_chosen_and_echoed() {
    let octets = one(changed(&[], &[]));
    let chosen = select(&octets, &[GCM, AES]).expect("chosen");
    assert_eq!((chosen.proposal, chosen.transform, chosen.suite), (1, 1, AES.alone()));
    assert_eq!((chosen.lifetime, chosen.pfs, chosen.mode), (HOUR, None, TUNNEL));
    assert_eq!((chosen.peer_spi, chosen.notify_lifetime), (Spi(0xcc36_d0c6), None));
    assert_eq!(chosen.reply(&[(ProtocolId::ESP, Spi(0xcc36_d0c6)), (ProtocolId::AH, Spi(0xcc36_d0c6))]), octets);
    let reply = chosen.reply(&[(ProtocolId::ESP, Spi(0x0102_0304)), (ProtocolId::AH, Spi(0x0102_0304))]);
    let reply = Sa::decode(&reply).expect("encoded here");
    assert_eq!(reply.proposals[0].spi, [1, 2, 3, 4]);
    assert_eq!(reply.proposals[0].transforms, Sa::decode(&octets).expect("made").proposals[0].transforms);
}

#[test]
fn the_algorithms_are_told_with_both_values() {
    let cbc = "ESP_AES-CBC-128 (12)";
    refused(&one(changed(&[6], &[(6, 256)])), &[AES], "Transform-ID", "ESP_AES-CBC-256 (12)", cbc);
    refused(&one(changed(&[6], &[])), &[AES], "Transform-ID", "ESP_AES-CBC (12) without Key Length", cbc);
    let des = made(&[proposal(ProtocolId::ESP, vec![(2, changed(&[6], &[]))])]);
    refused(&des, &[AES], "Transform-ID", "ESP_DES (2)", cbc);
    let unknown = made(&[proposal(ProtocolId::ESP, vec![(99, changed(&[6], &[]))])]);
    refused(&unknown, &[AES], "Transform-ID", "unknown (99)", cbc);
    let sha = "HMAC-SHA (2)";
    refused(&one(changed(&[5], &[(5, 1)])), &[AES], "Authentication Algorithm", "HMAC-MD5 (1)", sha);
    refused(&one(changed(&[5], &[])), &[AES], "Authentication Algorithm", "absent", sha);
    let gcm = made(&[proposal(ProtocolId::ESP, vec![(20, changed(&[6], &[(6, 256)]))])]);
    refused(&gcm, &[GCM], "Authentication Algorithm", sha, "absent");
    refused(&one(changed(&[], &[])), &[], "Protocol-ID", "ESP (3)", "nothing");
}

#[test]
fn the_protocol_is_told_with_both_values() {
    let ah = made(&[proposal(ProtocolId::AH, vec![(3, changed(&[6], &[]))])]);
    refused(&ah, &[AES], "Protocol-ID", "AH (2)", "ESP (3)");
    let ipcomp = made(&[Made { spi: &[1, 2], ..proposal(ProtocolId::IPCOMP, vec![(2, changed(&[5, 6], &[]))]) }]);
    refused(&ipcomp, &[AES], "Protocol-ID", "IPCOMP (4)", "ESP (3)");
}

#[test]
fn transform_and_authentication_algorithm_of_ah_must_agree() {
    // RFC 2407 §4.4.3.
    let ah = |id, algorithm| made(&[proposal(ProtocolId::AH, vec![(id, changed(&[5, 6], &[(5, algorithm)]))])]);
    assert_eq!(select(&ah(5, 5), &[AES, AH]).expect("chosen").suite, AH.alone());
    refused(&ah(5, 2), &[AH], "Authentication Algorithm", "HMAC-SHA (2)", "HMAC-SHA2-256 (5)");
    refused(&ah(3, 5), &[AH], "Transform-ID", "AH_SHA (3)", "AH_SHA2-256 (5)");
    let keyed = made(&[proposal(ProtocolId::AH, vec![(5, changed(&[5], &[(5, 5)]))])]);
    refused(&keyed, &[AH], "Transform-ID", "AH_SHA2-256-128 (5)", "AH_SHA2-256 (5)");
}

#[test]
fn the_mode_must_be_acceptable() {
    refused(&one(changed(&[4], &[(4, 2)])), &[AES], "Encapsulation Mode", "Transport (2)", "Tunnel (1)");
    refused(&one(changed(&[4], &[(4, 9)])), &[AES], "Encapsulation Mode", "unknown (9)", "Tunnel (1)");
    refused(&one(changed(&[4], &[])), &[AES], "Encapsulation Mode", "absent, taken for Transport (2)", "Tunnel (1)");
    let mut long = changed(&[4], &[]);
    long.variable(4_u16, &[1; 9]);
    refused(&one(long), &[AES], "Encapsulation Mode", "9 octets", "Tunnel (1)");
    let select = |octets: &[u8], modes: &[EncapsulationMode]| {
        select_quick_mode(&Sa::decode(octets).expect("made"), &[offer(AES, None)], modes, None)
    };
    assert_eq!(select(&one(changed(&[4], &[])), &[TRANSPORT]).expect("absent is transport").mode, TRANSPORT);
    let both = [EncapsulationMode::UDP_TUNNEL, EncapsulationMode::UDP_TUNNEL_DRAFT];
    let udp = one(changed(&[4], &[(4, 61_443)]));
    assert_eq!(select(&udp, &both).expect("a draft's number").mode, EncapsulationMode::UDP_TUNNEL_DRAFT);
    let refused = select(&one(changed(&[], &[])), &both).expect_err("refused");
    let allowed = "UDP-Encapsulated-Tunnel (3), UDP-Encapsulated-Tunnel draft (61443)";
    assert_eq!(told(&refused), [("Encapsulation Mode", "Tunnel (1)", allowed)]);
}

#[test]
fn perfect_forward_secrecy_is_told_with_both_values() {
    let select = |list, pfs, ke_len| {
        select_quick_mode(&Sa::decode(&one(list)).expect("made"), &[offer(AES, pfs)], &[TUNNEL], ke_len)
    };
    let wanted = Some(Group::Modp2048);
    let group = |id| changed(&[], &[(3, id)]);
    let why = |list, pfs, ke_len| {
        let refused: Vec<Mismatch> = select(list, pfs, ke_len).expect_err("refused");
        let [told] = refused.as_slice() else { panic!("{refused:?}") };
        (told.attribute, told.received.clone(), told.allowed.clone())
    };
    let said = |attribute, received: &str, allowed: &str| (attribute, received.to_owned(), allowed.to_owned());
    let named = "Group Description";
    assert_eq!(why(changed(&[], &[]), wanted, None), said(named, "none", "MODP-2048 (14)"));
    assert_eq!(why(group(2), wanted, Some(128)), said(named, "MODP-1024 (2)", "MODP-2048 (14)"));
    let any = "none or any group that this host runs but 22 to 24";
    assert_eq!(why(group(24), None, Some(256)), said(named, "MODP-2048-256 (24)", any));
    let by_name = Some(Group::Modp2048Order256);
    assert_eq!(select(group(24), by_name, Some(256)).expect("accepted").pfs, by_name);
    // A peer may ask for more than this host's policy does.
    assert_eq!(select(group(14), None, Some(256)).expect("accepted").pfs, wanted);
    assert_eq!(select(group(14), wanted, Some(256)).expect("accepted").pfs, wanted);
    // RFC 2409 §5.5: a Key Exchange payload if, and only if, there is a group.
    let key_exchange = "Key Exchange payload";
    assert_eq!(why(group(14), wanted, None), said(key_exchange, "absent", "256 octets for MODP-2048 (14)"));
    assert_eq!(why(group(14), wanted, Some(128)), said(key_exchange, "128 octets", "256 octets for MODP-2048 (14)"));
    let without = said(key_exchange, "128 octets", "absent without Group Description");
    assert_eq!(why(changed(&[], &[]), None, Some(128)), without);
}

#[test]
fn the_peers_group_that_fits_its_key_exchange_is_found_among_several() {
    let transforms = vec![(12, changed(&[], &[(3, 2)])), (12, changed(&[], &[(3, 14)]))];
    let octets = made(&[proposal(ProtocolId::ESP, transforms)]);
    let sa = Sa::decode(&octets).expect("made");
    let chosen = select_quick_mode(&sa, &[offer(AES, None)], &[TUNNEL], Some(256)).expect("the second");
    assert_eq!((chosen.transform, chosen.pfs), (2, Some(Group::Modp2048)));
}

#[test]
fn attributes_that_say_more_than_this_host_does_are_refused() {
    let extended = "Extended (64-bit) Sequence Number";
    refused(&one(changed(&[], &[(11, 1)])), &[AES], extended, "64-bit (1)", "absent, 32-bit (0)");
    let either = |id| select(&one(changed(&[], id)), &[AES]).map(|chosen| chosen.extended_sequence_numbers);
    assert_eq!((either(&[]), either(&[(11, 0)])), (Ok(false), Ok(false)));
    let wanted = [QuickModeOffer { extended_sequence_numbers: true, ..offer(AES, None) }];
    let select_of = |list: &[(u16, u32)], offers: &[QuickModeOffer]| {
        let octets = one(changed(&[], list));
        select_quick_mode(&Sa::decode(&octets).expect("made"), offers, &[TUNNEL], None)
    };
    assert!(select_of(&[(11, 1)], &wanted).expect("wanted").extended_sequence_numbers);
    for (list, received) in [(&[][..], "absent"), (&[(11, 0)][..], "32-bit (0)")] {
        let refused = select_of(list, &wanted).expect_err("not wanted");
        assert_eq!(told(&refused), [(extended, received, "64-bit (1)")]);
    }
    // Both are acceptable with an offer for each; the peer's order decides.
    let both = [offer(AES, None), wanted[0]];
    assert!(select_of(&[(11, 1)], &both).expect("the second offer").extended_sequence_numbers);
    assert!(!select_of(&[], &both).expect("the first offer").extended_sequence_numbers);
    let offered = encode_quick_mode(&both, TUNNEL, &[(ProtocolId::ESP, Spi(0x1000))]);
    for (own, extended) in [(both[0], false), (both[1], true)] {
        let chosen = select_quick_mode(&Sa::decode(&offered).expect("encoded here"), &[own], &[TUNNEL], None);
        let reply =
            chosen.expect("one of both").reply(&[(ProtocolId::ESP, Spi(0x2000)), (ProtocolId::AH, Spi(0x2000))]);
        let verified = verify_quick_mode_reply(&Sa::decode(&reply).expect("encoded here"), &both, &offered);
        assert_eq!(verified.expect("what was offered").extended_sequence_numbers, extended);
    }
    refused(&one(changed(&[], &[(7, 8)])), &[AES], "Key Rounds", "8", "absent");
    refused(&one(changed(&[], &[(10, 1)])), &[AES], "ECN Tunnel", "1", "absent");
    let known = "those of RFC 2407 §4.5 and RFC 4304";
    refused(&one(changed(&[], &[(32_001, 1)])), &[AES], "Attribute Type", "unknown (32001)", known);
    refused(&one(changed(&[1], &[])), &[AES], "Life Type", "absent", "a Life Type before each Life Duration");
}

#[test]
fn an_spi_has_four_octets_and_is_not_reserved() {
    let with = |spi| made(&[Made { spi, ..proposal(ProtocolId::ESP, vec![(12, changed(&[], &[]))]) }]);
    let allowed = "4 octets, from 0x00000100 on";
    refused(&with(&[]), &[AES], "SPI", "0 octets", allowed);
    refused(&with(&[1, 2]), &[AES], "SPI", "2 octets", allowed);
    refused(&with(&[0, 0, 0, 255]), &[AES], "SPI", "0x000000ff", allowed);
    assert_eq!(select(&with(&[0, 0, 1, 0]), &[AES]).expect("the first").peer_spi, Spi(256));
}

#[test]
fn protocols_that_belong_together_are_refused_as_a_whole() {
    let ah = proposal(ProtocolId::AH, vec![(3, changed(&[6], &[]))]);
    let together = proposal(ProtocolId::ESP, vec![(12, changed(&[], &[]))]);
    let alone = Made { number: 2, ..proposal(ProtocolId::ESP, vec![(12, changed(&[], &[]))]) };
    let octets = made(&[ah, together]);
    let refused = select(&octets, &[AES]).expect_err("refused");
    let bundle = ("Protocol-ID", "ESP (3) together with AH (2)", "ESP (3)");
    assert_eq!(told(&refused), [bundle]);
    assert_eq!((refused[0].proposal, refused[0].transform), (1, 1));
    let ah = proposal(ProtocolId::AH, vec![(3, changed(&[6], &[]))]);
    let together = proposal(ProtocolId::ESP, vec![(12, changed(&[], &[]))]);
    let chosen = select(&made(&[ah, together, alone]), &[AES]).expect("the alternative");
    assert_eq!(chosen.proposal, 2);
}

#[test]
fn the_shorter_life_is_agreed_on_and_the_initiator_told() {
    let life = |list: &[(u16, u32)]| {
        let chosen = select(&one(changed(&[1, 2], list)), &[AES]).expect("chosen");
        (chosen.lifetime, chosen.notify_lifetime)
    };
    let shorter = Lifetime { seconds: 600, kilobytes: 5 };
    assert_eq!(life(&[(1, 1), (2, 600), (1, 2), (2, 5)]), (shorter, None));
    assert_eq!(life(&[(1, 1), (2, 7200), (1, 2), (2, 200_000)]), (HOUR, Some(HOUR)));
    // No limit, or none named, is a longer one than ours: RFC 2407 §4.5 has 28800 s for it.
    assert_eq!(life(&[]), (HOUR, Some(HOUR)));
    let mixed = Lifetime { seconds: 600, kilobytes: 100_000 };
    assert_eq!(life(&[(1, 1), (2, 600)]), (mixed, Some(mixed)));
    let unlimited = QuickModeOffer { lifetime: Lifetime::default(), ..offer(AES, None) };
    let octets = one(changed(&[1, 2], &[]));
    let chosen = select_quick_mode(&Sa::decode(&octets).expect("made"), &[unlimited], &[TUNNEL], None);
    let chosen = chosen.expect("chosen");
    let default = Lifetime { seconds: DEFAULT_LIFE_SECONDS, kilobytes: 0 };
    assert_eq!((chosen.lifetime, chosen.notify_lifetime), (default, None));
}

#[test]
fn the_life_of_the_offer_that_accepts_counts() {
    let short = QuickModeOffer { lifetime: Lifetime { seconds: 60, kilobytes: 0 }, ..offer(GCM, None) };
    let octets = one(changed(&[], &[]));
    let sa = Sa::decode(&octets).expect("made");
    let chosen = select_quick_mode(&sa, &[short, offer(AES, None)], &[TUNNEL], None).expect("chosen");
    assert_eq!(chosen.lifetime, HOUR);
}

#[test]
fn every_suite_goes_there_and_back() {
    assert_eq!(IpsecSuite::all().count(), (21 - 9) * 7 + (21 - 4) + 7);
    let spis = [(ProtocolId::ESP, Spi(0x1000)), (ProtocolId::AH, Spi(0x2000))];
    for suite in IpsecSuite::all() {
        for pfs in [None, Some(Group::Ecp256)] {
            let offers = [offer(suite, pfs)];
            let offered = encode_quick_mode(&offers, TUNNEL, &spis);
            let sa = Sa::decode(&offered).expect("encoded here");
            let chosen = select_quick_mode(&sa, &offers, &[TUNNEL], pfs.map(Group::public_len)).expect("the same");
            assert_eq!((chosen.suite, chosen.pfs, chosen.lifetime), (suite.alone(), pfs, HOUR));
            assert_eq!(Some(chosen.peer_spi), spis.iter().find(|(of, _)| *of == suite.protocol()).map(|(_, spi)| *spi));
            let reply = chosen.reply(&[(ProtocolId::ESP, Spi(0xabcd_ef01)), (ProtocolId::AH, Spi(0xabcd_ef01))]);
            let verified = verify_quick_mode_reply(&Sa::decode(&reply).expect("encoded here"), &offers, &offered);
            let verified = verified.expect("what was offered");
            assert_eq!((verified.suite, verified.pfs, verified.mode), (suite.alone(), pfs, TUNNEL));
            assert_eq!((verified.peer_spi, verified.lifetime), (Spi(0xabcd_ef01), HOUR));
        }
    }
}

#[test]
fn how_far_the_check_value_is_cut_is_each_sides_own_policy() {
    let [whole, cut] = [Integrity::HmacSha256_128, Integrity::HmacSha256_96].map(|integrity| {
        let cipher = EspCipher::Aes256Cbc;
        [offer(IpsecSuite::Esp { cipher, integrity: Some(integrity) }, None)]
    });
    let spis = [(ProtocolId::ESP, Spi(0x1000))];
    let offered = encode_quick_mode(&cut, TUNNEL, &spis);
    assert_eq!(offered, encode_quick_mode(&whole, TUNNEL, &spis), "not negotiated");
    assert!(cut[0].suite.looks_like(whole[0].suite));
    assert!(!cut[0].suite.looks_like(GCM.alone()) && !cut[0].suite.looks_like(AES.alone()));
    for own in [whole, cut] {
        let chosen = select_quick_mode(&Sa::decode(&offered).expect("encoded here"), &own, &[TUNNEL], None);
        let chosen = chosen.expect("the numbers agree");
        assert_eq!(chosen.suite, own[0].suite);
        let reply = chosen.reply(&[(ProtocolId::ESP, Spi(0x2000)), (ProtocolId::AH, Spi(0x2000))]);
        let verified = verify_quick_mode_reply(&Sa::decode(&reply).expect("encoded here"), &own, &offered);
        assert_eq!(verified.expect("what was offered").suite, own[0].suite);
    }
}

/// What the initiator says to a reply with the transform `list`, after offering [`AES`].
fn verify(id: u8, list: AttributeWriter) -> Result<ChosenQuickMode, Mismatch> {
    let offers = [offer(AES, None)];
    let offered = encode_quick_mode(&offers, TUNNEL, &[(ProtocolId::ESP, Spi(0x1000))]);
    let octets = made(&[proposal(ProtocolId::ESP, vec![(id, list)])]);
    verify_quick_mode_reply(&Sa::decode(&octets).expect("made by hand"), &offers, &offered)
}

#[track_caller]
fn changed_reply(id: u8, list: AttributeWriter, attribute: &str, received: &str, allowed: &str) {
    let told = verify(id, list).expect_err("refused");
    assert_eq!((told.attribute, told.received.as_str(), told.allowed.as_str()), (attribute, received, allowed));
}

#[test]
fn a_reply_with_other_attributes_is_refused() {
    assert_eq!(verify(12, changed(&[], &[])).expect("what was offered").peer_spi, Spi(0xcc36_d0c6));
    changed_reply(3, changed(&[], &[]), "Transform-ID", "ESP_3DES (3)", "ESP_AES-CBC (12)");
    changed_reply(12, changed(&[6], &[(6, 192)]), "Key Length", "192", "128");
    changed_reply(12, changed(&[5], &[(5, 1)]), "Authentication Algorithm", "HMAC-MD5 (1)", "HMAC-SHA (2)");
    changed_reply(12, changed(&[5], &[]), "Authentication Algorithm", "absent", "HMAC-SHA (2)");
    changed_reply(12, changed(&[4], &[(4, 2)]), "Encapsulation Mode", "Transport (2)", "Tunnel (1)");
    changed_reply(12, changed(&[], &[(3, 14)]), "Group Description", "MODP-2048 (14)", "absent");
    changed_reply(12, changed(&[], &[(11, 1)]), "Extended (64-bit) Sequence Number", "64-bit (1)", "absent");
    let longer = changed(&[1, 2], &[(1, 1), (2, 3600), (1, 2), (2, 100_001)]);
    changed_reply(12, longer, "Life Duration", "100001 kB", "at most 100000 kB");
}

#[test]
fn a_reply_may_shorten_the_life_or_leave_it_out() {
    let shorter = changed(&[1, 2], &[(1, 1), (2, 60)]);
    assert_eq!(verify(12, shorter).expect("shorter").lifetime, Lifetime { seconds: 60, kilobytes: 100_000 });
    assert_eq!(verify(12, changed(&[1, 2], &[])).expect("left out").lifetime, HOUR);
}

#[test]
fn a_reply_has_an_spi_of_the_protocol() {
    let offers = [offer(AES, None)];
    let offered = encode_quick_mode(&offers, TUNNEL, &[(ProtocolId::ESP, Spi(0x1000))]);
    let with = |made_by_hand: Made<'_>| {
        let octets = made(&[made_by_hand]);
        let told =
            verify_quick_mode_reply(&Sa::decode(&octets).expect("made"), &offers, &offered).expect_err("refused");
        (told.attribute, told.received)
    };
    let good = || proposal(ProtocolId::ESP, vec![(12, changed(&[], &[]))]);
    assert_eq!(with(Made { spi: &[0, 0, 0, 9], ..good() }), ("SPI", "0x00000009".to_owned()));
    assert_eq!(with(Made { spi: &[], ..good() }), ("SPI", "0 octets".to_owned()));
    assert_eq!(with(Made { protocol: ProtocolId::AH, ..good() }), ("Protocol-ID", "AH (2)".to_owned()));
}
