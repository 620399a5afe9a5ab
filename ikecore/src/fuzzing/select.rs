//! The choice among a peer's proposals.
use crate::crypto::cipher::CipherAlg;
use crate::crypto::group::Group;
use crate::crypto::hash::HashAlg;
use crate::ids::Spi;
use crate::proposal::encode::{encode_main_mode, encode_quick_mode};
use crate::proposal::offer::{MainModeOffer, QuickModeOffer};
use crate::proposal::select::{select_main_mode, select_quick_mode, verify_main_mode_reply, verify_quick_mode_reply};
use crate::proposal::suite::{Integrity, IpsecSuite, Lifetime, ProtectionSuite};
use crate::wire::codes::{AuthenticationMethod, EncapsulationMode, ProtocolId};
use crate::wire::payload::Sa;

const LIFETIME: Lifetime = Lifetime { seconds: 3600, kilobytes: 100_000 };
const METHOD: AuthenticationMethod = AuthenticationMethod::PRE_SHARED_KEY;

/// Bodies of SA payloads for the corpus, each with its file name: what this host sends when it offers all it can run.
pub fn select_seeds() -> [(&'static str, Vec<u8>); 2] {
    let own = [(ProtocolId::ESP, Spi(256)), (ProtocolId::AH, Spi(257)), (ProtocolId::IPCOMP, Spi(258))];
    [
        ("main-mode", encode_main_mode(&main_mode_offers(), &[METHOD], LIFETIME)),
        ("quick-mode", encode_quick_mode(&quick_mode_offers(Some(Group::Modp1024)), EncapsulationMode::TUNNEL, &own)),
    ]
}

fn main_mode_offers() -> Vec<MainModeOffer> {
    let parts = CipherAlg::ALL.into_iter().zip(HashAlg::ALL).zip(Group::ALL);
    parts.map(|((cipher, hash), group)| MainModeOffer { cipher, hash, group }).collect()
}

fn quick_mode_offers(pfs: Option<Group>) -> Vec<QuickModeOffer> {
    let alone = || IpsecSuite::all().map(IpsecSuite::alone);
    let compressed = alone().map(|suite| ProtectionSuite { compression: true, ..suite });
    let outer = alone().map(|suite| ProtectionSuite { outer: Some(Integrity::HmacSha1_96), ..suite });
    let suites = alone().chain(compressed).chain(outer).filter(|suite| suite.is_sound());
    suites.map(|suite| QuickModeOffer { suite, lifetime: LIFETIME, pfs, extended_sequence_numbers: false }).collect()
}

/// Any octets as the body of an SA payload, to a host that accepts everything it can run: nothing panics, a refusal says
/// why, and a choice is one of the peer's transforms.
///
/// # Panics
/// If it is not so.
pub fn fuzz_select(octets: &[u8]) {
    let Ok(sa) = Sa::decode(octets) else { return };
    main_mode(&sa, octets);
    quick_mode(&sa, octets, None);
    quick_mode(&sa, octets, Some(Group::Modp1024.public_len()));
}

fn main_mode(sa: &Sa<'_>, octets: &[u8]) {
    let offers = main_mode_offers();
    match select_main_mode(sa, &offers, &[METHOD], LIFETIME) {
        Ok(chosen) => {
            let reply = Sa::decode(&chosen.body).expect("a reply decodes");
            let verified = verify_main_mode_reply(&reply, octets).expect("a reply is one of the peer's transforms");
            assert_eq!((verified.suite, verified.transform), (chosen.suite, chosen.transform));
        }
        Err(mismatches) => assert!(!mismatches.is_empty(), "a refusal says why"),
    }
    let _ = verify_main_mode_reply(sa, octets);
    for (_, offered) in select_seeds() {
        let _ = verify_main_mode_reply(sa, &offered);
    }
}

fn quick_mode(sa: &Sa<'_>, octets: &[u8], ke_len: Option<usize>) {
    let offers = quick_mode_offers(None);
    let modes = [EncapsulationMode::TUNNEL, EncapsulationMode::TRANSPORT];
    match select_quick_mode(sa, &offers, &modes, ke_len) {
        Ok(chosen) => {
            let spi = Spi(0x0102_0304);
            let main = chosen.suite.main.protocol();
            let reply = chosen.reply(&[(main, spi), (ProtocolId::AH, spi), (ProtocolId::IPCOMP, Spi(0x0102))]);
            let reply = Sa::decode(&reply).expect("a reply decodes");
            let verified =
                verify_quick_mode_reply(&reply, &offers, octets).expect("a reply is one of the peer's transforms");
            assert_eq!((verified.suite, verified.pfs, verified.peer_spi), (chosen.suite, chosen.pfs, spi));
        }
        Err(mismatches) => assert!(!mismatches.is_empty(), "a refusal says why"),
    }
    let _ = verify_quick_mode_reply(sa, &offers, octets);
    for (_, offered) in select_seeds() {
        let _ = verify_quick_mode_reply(sa, &offers, &offered);
    }
}
