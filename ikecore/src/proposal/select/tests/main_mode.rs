//! Main mode: every reason to refuse, every suite there and back.
#![expect(clippy::disallowed_macros, reason = "tests say what they skip")]
use super::*;
use crate::crypto::cipher::CipherAlg;
use crate::crypto::group::Group;
use crate::crypto::hash::HashAlg;
use crate::proposal::encode::encode_main_mode;
use crate::proposal::offer::MainModeOffer;
use crate::proposal::suite::{DEFAULT_LIFE_SECONDS, Lifetime};
use crate::wire::attribute::AttributeValue;
use crate::wire::codes::AuthenticationMethod;

const PSK: AuthenticationMethod = AuthenticationMethod::PRE_SHARED_KEY;
const RSA: AuthenticationMethod = AuthenticationMethod::RSA_SIGNATURES;
const HOUR: Lifetime = Lifetime { seconds: 3600, kilobytes: 0 };

const fn offer(cipher: CipherAlg, hash: HashAlg, group: Group) -> MainModeOffer {
    MainModeOffer { cipher, hash, group }
}

const AES: MainModeOffer = offer(CipherAlg::Aes128, HashAlg::Sha1, Group::Modp1024);
const OLD: MainModeOffer = offer(CipherAlg::TripleDes, HashAlg::Md5, Group::Modp768);

/// The attributes of [`AES`] with a pre-shared key and an hour, as strongSwan orders them.
const GOOD: [(u16, u32); 7] = [(1, 7), (14, 128), (2, 2), (4, 2), (3, 1), (11, 1), (12, 3600)];

/// [`GOOD`] without the types in `without`, with `more`.
fn changed(without: &[u16], more: &[(u16, u32)]) -> AttributeWriter {
    let kept = GOOD.iter().filter(|(kind, _)| !without.contains(kind));
    attributes(&kept.chain(more).copied().collect::<Vec<_>>())
}

fn one(list: AttributeWriter) -> Vec<u8> {
    made(&[Made { number: 1, protocol: ProtocolId::ISAKMP, spi: &[], transforms: vec![(1, list)] }])
}

fn select(octets: &[u8], offers: &[MainModeOffer]) -> Result<ChosenMainMode, Vec<Mismatch>> {
    select_main_mode(&Sa::decode(octets).expect("made by hand"), offers, &[PSK], HOUR)
}

/// The one mismatch that `list` makes against [`AES`] and [`OLD`].
fn refusal(list: AttributeWriter) -> Mismatch {
    let refused = select(&one(list), &[AES, OLD]).expect_err("refused");
    assert_eq!(refused.len(), 1, "{refused:?}");
    refused.into_iter().next().expect("one")
}

#[track_caller]
fn refused(list: AttributeWriter, attribute: &str, received: &str, allowed: &str) {
    let told = refusal(list);
    assert_eq!((told.proposal, told.transform), (1, 1));
    assert_eq!((told.attribute, told.received.as_str(), told.allowed.as_str()), (attribute, received, allowed));
}

#[test]
fn a_transform_that_is_one_of_the_offers_is_chosen_and_echoed() {
    let octets = one(changed(&[], &[]));
    let chosen = select(&octets, &[OLD, AES]).expect("chosen");
    assert_eq!((chosen.proposal, chosen.transform), (1, 1));
    let MainModeOffer { cipher, hash, group } = AES;
    assert_eq!((chosen.suite.cipher, chosen.suite.hash, chosen.suite.group), (cipher, hash, group));
    assert_eq!(chosen.suite.authentication, PSK);
    assert_eq!(chosen.lifetime, HOUR);
    assert_eq!(chosen.body, octets);
}

#[test]
fn the_four_mandatory_attributes_are_told_with_both_values() {
    refused(changed(&[14], &[(14, 256)]), "Encryption Algorithm", "AES-CBC-256 (7)", "AES-CBC-128 (7)");
    refused(changed(&[14], &[]), "Encryption Algorithm", "AES-CBC (7) without Key Length", "AES-CBC-128 (7)");
    refused(changed(&[1, 14], &[(1, 6)]), "Encryption Algorithm", "CAST-CBC (6)", "AES-CBC-128 (7)");
    refused(changed(&[1, 14], &[(1, 99)]), "Encryption Algorithm", "unknown (99)", "AES-CBC-128 (7)");
    refused(changed(&[1, 14], &[]), "Encryption Algorithm", "absent", "AES-CBC-128 (7)");
    refused(changed(&[2], &[(2, 4)]), "Hash Algorithm", "SHA2-256 (4)", "SHA (2)");
    refused(changed(&[2], &[]), "Hash Algorithm", "absent", "SHA (2)");
    refused(changed(&[3], &[(3, 3)]), "Authentication Method", "RSA signatures (3)", "pre-shared key (1)");
    refused(changed(&[3], &[]), "Authentication Method", "absent", "pre-shared key (1)");
    refused(changed(&[4], &[(4, 14)]), "Group Description", "MODP-2048 (14)", "MODP-1024 (2)");
    refused(changed(&[4], &[(4, 4)]), "Group Description", "ec2n185 (4)", "MODP-1024 (2)");
    refused(changed(&[4], &[]), "Group Description", "absent", "MODP-1024 (2)");
}

#[test]
fn a_key_length_for_a_cipher_that_has_none_is_refused() {
    // RFC 2409 Appendix A: Key Length must not be used with a cipher of fixed key length.
    let list = attributes(&[(1, 5), (14, 192), (2, 1), (4, 1), (3, 1)]);
    refused(list, "Encryption Algorithm", "3DES-CBC-192 (5)", "3DES-CBC (5)");
}

#[test]
fn the_difference_is_told_against_the_closest_offer() {
    refused(attributes(&[(1, 5), (2, 1), (4, 2), (3, 1)]), "Group Description", "MODP-1024 (2)", "MODP-768 (1)");
    // Both offers agree in the method alone, and differ first in the cipher.
    let list = attributes(&[(1, 1), (2, 4), (4, 14), (3, 1)]);
    refused(list, "Encryption Algorithm", "DES-CBC (1)", "AES-CBC-128 (7), 3DES-CBC (5)");
}

#[test]
fn several_methods_are_told_together() {
    let octets = one(changed(&[3], &[(3, 65001)]));
    let sa = Sa::decode(&octets).expect("made by hand");
    let refused = select_main_mode(&sa, &[AES], &[PSK, RSA], HOUR).expect_err("refused");
    let allowed = "pre-shared key (1), RSA signatures (3)";
    assert_eq!(told(&refused), [("Authentication Method", "XAUTHInitPreShared or GSS-API (65001)", allowed)]);
    let chosen =
        select_main_mode(&Sa::decode(&one(changed(&[3], &[(3, 3)]))).expect("made"), &[AES], &[PSK, RSA], HOUR);
    assert_eq!(chosen.expect("the second method").suite.authentication, RSA);
}

#[test]
fn without_offers_nothing_is_allowed() {
    let refused = select(&one(changed(&[], &[])), &[]).expect_err("refused");
    assert_eq!(told(&refused), [("Encryption Algorithm", "AES-CBC-128 (7)", "nothing")]);
}

#[test]
fn attributes_that_say_more_than_this_host_does_are_refused() {
    refused(changed(&[], &[(13, 1)]), "PRF", "1", "absent");
    refused(changed(&[], &[(5, 1)]), "Group Type", "1", "absent");
    refused(changed(&[], &[(77, 1)]), "Attribute Type", "unknown (77)", "those of RFC 2409 Appendix A");
    refused(
        changed(&[], &[(4, 14)]),
        "Group Description",
        "MODP-2048 (14)",
        "one value, MODP-1024 (2) was given before",
    );
    let mut list = changed(&[], &[]);
    list.variable(16384_u16, b"host@EXAMPLE");
    refused(list, "GSS Identity Name", "12 octets", "absent");
}

#[test]
fn an_attribute_given_twice_alike_is_one() {
    assert!(select(&one(changed(&[], &[(4, 2)])), &[AES]).is_ok());
}

#[test]
fn lives_that_make_no_sense_are_refused() {
    refused(changed(&[11], &[]), "Life Type", "absent", "a Life Type before each Life Duration");
    let left = "a duration after each Life Type, also after seconds (1)";
    refused(changed(&[12], &[]), "Life Duration", "absent", left);
    refused(changed(&[11, 12], &[(11, 9), (12, 1)]), "Life Type", "unknown (9)", "seconds (1), kilobytes (2)");
    let twice = "one duration of each kind, 3600 was given before";
    refused(changed(&[], &[(11, 1), (12, 7200)]), "Life Duration", "7200", twice);
    let mut list = changed(&[11, 12], &[(11, 1)]);
    list.variable(12_u16, &[]);
    refused(list, "Life Duration", "0 octets", "1 octet or more");
}

#[test]
fn the_shorter_life_is_agreed_on() {
    let life = |list: &[(u16, u32)], ours: Lifetime| {
        let octets = one(changed(&[11, 12], list));
        select_main_mode(&Sa::decode(&octets).expect("made"), &[AES], &[PSK], ours).expect("chosen").lifetime
    };
    assert_eq!(life(&[(11, 1), (12, 600)], HOUR).seconds, 600);
    assert_eq!(life(&[(11, 1), (12, 86_400)], HOUR).seconds, 3600);
    assert_eq!(life(&[(11, 1), (12, 600), (11, 2), (12, 500)], HOUR), Lifetime { seconds: 600, kilobytes: 500 });
    // RFC 2407 §4.5: 28800 seconds where nothing is said.
    assert_eq!(life(&[], Lifetime { seconds: 86_400, kilobytes: 0 }).seconds, DEFAULT_LIFE_SECONDS);
    assert_eq!(life(&[], Lifetime::default()).seconds, DEFAULT_LIFE_SECONDS);
    assert_eq!(life(&[], HOUR).seconds, 3600);
    let own = Lifetime { seconds: 0, kilobytes: 10 };
    assert_eq!(life(&[(11, 1), (12, 600)], own), Lifetime { seconds: 600, kilobytes: 10 });
}

#[test]
fn a_duration_of_any_length_is_read() {
    for (octets, seconds) in [
        (&[0x0e, 0x10][..], 3600),
        (&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0x0e, 0x10][..], 3600),
        (&[1, 0, 0, 0, 0][..], u32::MAX),
        (&[0xff; 40][..], u32::MAX),
    ] {
        let mut list = changed(&[11, 12], &[(11, 1)]);
        list.variable(12_u16, octets);
        let octets = one(list);
        let unlimited = Lifetime::default();
        let chosen = select_main_mode(&Sa::decode(&octets).expect("made"), &[AES], &[PSK], unlimited).expect("chosen");
        assert_eq!(chosen.lifetime.seconds, seconds);
    }
}

#[test]
fn the_peer_prefers_and_the_unknown_spoils_nothing() {
    let unknown = changed(&[1, 14], &[(1, 65_000), (14, 1)]);
    let old = attributes(&[(1, 5), (2, 1), (4, 1), (3, 1)]);
    let transforms = vec![(1, unknown), (7, changed(&[], &[])), (1, old), (1, changed(&[], &[]))];
    let octets = made(&[Made { number: 1, protocol: ProtocolId::ISAKMP, spi: &[], transforms }]);
    let chosen = select(&octets, &[AES, OLD]).expect("chosen");
    assert_eq!((chosen.transform, chosen.suite.cipher), (3, CipherAlg::TripleDes));
    let refused = select(&octets, &[offer(CipherAlg::Aes256, HashAlg::Sha512, Group::Ecp521)]).expect_err("refused");
    assert_eq!(refused.iter().map(|told| told.transform).collect::<Vec<_>>(), [1, 2, 3, 4]);
    assert_eq!(told(&refused)[1], ("Transform-ID", "unknown (7)", "KEY_IKE (1)"));
}

#[test]
fn proposals_of_other_protocols_and_bundles_are_refused_as_a_whole() {
    let good = || vec![(1, changed(&[], &[]))];
    let esp = Made { number: 1, protocol: ProtocolId::ESP, spi: &[], transforms: good() };
    let long = Made { number: 2, protocol: ProtocolId::ISAKMP, spi: &[0; 17], transforms: good() };
    let twice = |protocol| Made { number: 3, protocol, spi: &[], transforms: good() };
    let octets = made(&[esp, long, twice(ProtocolId::ISAKMP), twice(ProtocolId::AH)]);
    let refused = select(&octets, &[AES]).expect_err("refused");
    let places: Vec<_> = refused.iter().map(|told| (told.proposal, told.transform)).collect();
    assert_eq!(places, [(1, 0), (2, 0), (3, 0)]);
    let bundle = "ISAKMP (1) together with AH (2)";
    assert_eq!(
        told(&refused),
        [
            ("Protocol-ID", "ESP (3)", "ISAKMP (1)"),
            ("SPI Size", "17", "0 to 16"),
            ("Protocol-ID", bundle, "one protocol under each proposal number")
        ]
    );
}

#[test]
fn no_more_than_255_transforms_are_looked_at() {
    let bad = || (1, changed(&[2], &[(2, 3)]));
    let full = Made {
        number: 1,
        protocol: ProtocolId::ISAKMP,
        spi: &[],
        transforms: core::iter::repeat_with(bad).take(255).collect(),
    };
    let next =
        || Made { number: 2, protocol: ProtocolId::ISAKMP, spi: &[], transforms: vec![bad(), (1, changed(&[], &[]))] };
    assert!(select(&made(&[next()]), &[AES]).is_ok());
    assert_eq!(select(&made(&[full, next()]), &[AES]).expect_err("refused").len(), 255);
}

#[test]
fn cookies_as_spi_are_ignored_and_not_sent_back() {
    let transforms = vec![(1, changed(&[], &[]))];
    let octets = made(&[Made { number: 5, protocol: ProtocolId::ISAKMP, spi: &[1; 16], transforms }]);
    let chosen = select(&octets, &[AES]).expect("chosen");
    let reply = Sa::decode(&chosen.body).expect("encoded here");
    assert_eq!((reply.proposals[0].number, reply.proposals[0].spi), (5, &[][..]));
}

#[test]
fn every_suite_goes_there_and_back() {
    for cipher in CipherAlg::ALL {
        for hash in HashAlg::ALL {
            for group in Group::ALL {
                let offers = [offer(cipher, hash, group)];
                let offered = encode_main_mode(&offers, &[RSA, PSK], HOUR);
                let chosen = select(&offered, &offers).expect("the same offer");
                assert_eq!(chosen.transform, 2);
                let suite = chosen.suite;
                assert_eq!((suite.cipher, suite.hash, suite.group, suite.authentication), (cipher, hash, group, PSK));
                let reply = Sa::decode(&chosen.body).expect("encoded here");
                assert_eq!(verify_main_mode_reply(&reply, &offered), Ok(chosen.clone()));
            }
        }
    }
}

/// What the initiator says to a reply with the transform `list`, after offering [`AES`] and [`OLD`].
fn verify(list: AttributeWriter) -> Result<ChosenMainMode, Mismatch> {
    let offered = encode_main_mode(&[AES, OLD], &[PSK], HOUR);
    verify_main_mode_reply(&Sa::decode(&one(list)).expect("made by hand"), &offered)
}

#[test]
fn a_reply_may_change_order_and_form_and_shorten_the_life() {
    let mut list = AttributeWriter::new();
    list.variable(14_u16, &[0, 0, 0, 128]).number(3_u16, 1).number(4_u16, 2).number(2_u16, 2).number(1_u16, 7);
    list.number(11_u16, 1).number(12_u16, 600);
    let chosen = verify(list).expect("the same transform");
    assert_eq!((chosen.suite.cipher, chosen.lifetime.seconds), (CipherAlg::Aes128, 600));
    // A life that is left out is this host's.
    assert_eq!(verify(changed(&[11, 12], &[])).expect("no life").lifetime, HOUR);
}

#[track_caller]
fn changed_reply(list: AttributeWriter, attribute: &str, received: &str, allowed: &str) {
    let told = verify(list).expect_err("refused");
    assert_eq!((told.attribute, told.received.as_str(), told.allowed.as_str()), (attribute, received, allowed));
}

#[test]
fn a_reply_with_other_attributes_is_refused() {
    changed_reply(changed(&[14], &[(14, 256)]), "Key Length", "256", "128");
    changed_reply(changed(&[14], &[]), "Key Length", "absent", "128");
    changed_reply(changed(&[1], &[(1, 5)]), "Encryption Algorithm", "3DES-CBC (5)", "AES-CBC (7)");
    changed_reply(changed(&[2], &[(2, 1)]), "Hash Algorithm", "MD5 (1)", "SHA (2)");
    changed_reply(changed(&[3], &[(3, 3)]), "Authentication Method", "RSA signatures (3)", "pre-shared key (1)");
    changed_reply(changed(&[4], &[(4, 1)]), "Group Description", "MODP-768 (1)", "MODP-1024 (2)");
    changed_reply(changed(&[], &[(13, 1)]), "PRF", "1", "absent");
    changed_reply(changed(&[11], &[]), "Life Type", "absent", "a Life Type before each Life Duration");
    changed_reply(changed(&[11, 12], &[(11, 1), (12, 3601)]), "Life Duration", "3601 s", "at most 3600 s");
}

#[test]
fn a_reply_has_one_proposal_with_one_transform() {
    let offered = encode_main_mode(&[AES, OLD], &[PSK], HOUR);
    let told = |octets: &[u8]| {
        let told = verify_main_mode_reply(&Sa::decode(octets).expect("made"), &offered).expect_err("refused");
        (told.attribute, told.received)
    };
    assert_eq!(told(&offered), ("number of transforms", "2".to_owned()));
    let good =
        |number| Made { number, protocol: ProtocolId::ISAKMP, spi: &[], transforms: vec![(1, changed(&[], &[]))] };
    assert_eq!(told(&made(&[good(1), good(2)])), ("number of proposals", "2".to_owned()));
    let esp = Made { protocol: ProtocolId::ESP, ..good(1) };
    assert_eq!(told(&made(&[esp])), ("Protocol-ID", "ESP (3)".to_owned()));
    let id = Made { transforms: vec![(2, changed(&[], &[]))], ..good(1) };
    assert_eq!(told(&made(&[id])), ("Transform-ID", "unknown (2)".to_owned()));
    let long = Made { spi: &[0; 17], ..good(1) };
    assert_eq!(told(&made(&[long])), ("SPI Size", "17".to_owned()));
}

#[test]
fn a_reply_that_renumbers_what_was_offered_is_accepted() {
    // RFC 2408 §4.2: the responder should retain the numbers; it need not.
    let octets = made(&[Made {
        number: 9,
        protocol: ProtocolId::ISAKMP,
        spi: &[],
        transforms: vec![(1, attributes(&[(1, 5), (2, 1), (4, 1), (3, 1), (11, 1), (12, 3600)]))],
    }]);
    let offered = encode_main_mode(&[AES, OLD], &[PSK], HOUR);
    let chosen = verify_main_mode_reply(&Sa::decode(&octets).expect("made"), &offered).expect("the second transform");
    assert_eq!((chosen.proposal, chosen.suite.cipher), (9, CipherAlg::TripleDes));
}

#[test]
fn the_sa_payloads_of_a_recorded_main_mode_are_accepted() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/vectors/main_mode_psk.json");
    let Ok(text) = std::fs::read_to_string(path) else {
        eprintln!("skipped: {path} is not there");
        return;
    };
    let vectors: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let hex = vectors["phase1"]["sai_b"].as_str().expect("text");
    let digit = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect("hexadecimal");
    let octets: Vec<u8> = (0..hex.len()).step_by(2).map(digit).collect();
    let sa = Sa::decode(&octets).expect("recorded");
    assert!(
        sa.proposals
            .iter()
            .all(|proposal| matches!(proposal.transforms[0].attributes[0].value, AttributeValue::Basic(7)))
    );
    let chosen =
        select_main_mode(&sa, &[OLD, AES], &[PSK], Lifetime { seconds: 28_800, kilobytes: 0 }).expect("chosen");
    assert_eq!((chosen.suite.cipher, chosen.suite.group), (CipherAlg::Aes128, Group::Modp1024));
    assert_eq!(chosen.lifetime, HOUR);
    // The responder's reply was the same octets.
    assert_eq!(chosen.body, octets);
    assert_eq!(verify_main_mode_reply(&Sa::decode(&chosen.body).expect("encoded"), &octets), Ok(chosen));
}
