use super::*;
use crate::crypto::test_vectors::{cases, cookies, hash, load, number, octets, text};
use crate::ids::Cookie;

const COOKIES: Cookies = Cookies { initiator: Cookie([1; 8]), responder: Cookie([2; 8]) };

/// Two prepared keys are equal if they sign alike.
fn same(key: &PrfKey, octets: &[u8]) -> bool {
    key.verify(&[b"probe"], PrfKey::new(key.hash(), octets).sign(&[b"probe"]).as_ref())
}

#[test]
fn derives_the_published_vectors() {
    for case in cases(load("ikev1_skeyid.json").as_ref(), "cases") {
        let (cookies, ni, nr, g_xy) = (cookies(&case), octets(&case, "ni"), octets(&case, "nr"), octets(&case, "g_xy"));
        let inputs = Inputs { cookies: &cookies, ni: &ni, nr: &nr, g_xy: &g_xy };
        let skeyid = match text(&case, "auth") {
            "psk" => Skeyid::pre_shared_key(hash(&case), &octets(&case, "psk"), &inputs),
            "sig" => Skeyid::signature(hash(&case), hash(&case), &inputs),
            "pke" => Skeyid::public_key_encryption(hash(&case), &inputs),
            auth => panic!("unknown method {auth}"),
        };
        let id = text(&case, "id");
        assert!(same(&skeyid.skeyid, &octets(&case, "skeyid")), "{id}: SKEYID");
        assert!(same(&skeyid.d, &octets(&case, "skeyid_d")), "{id}: SKEYID_d");
        assert!(same(&skeyid.a, &octets(&case, "skeyid_a")), "{id}: SKEYID_a");
        assert_eq!(*skeyid.e.expose(), octets(&case, "skeyid_e"), "{id}: SKEYID_e");
        assert_eq!(skeyid.hash(), hash(&case));
    }
}

#[test]
fn stretches_the_published_vectors() {
    for case in cases(load("ikev1_keymat.json").as_ref(), "appendix_b") {
        let key = stretch(hash(&case), &octets(&case, "skeyid_e"), number(&case, "length"));
        assert_eq!(*key.expose(), octets(&case, "key"), "{}", text(&case, "id"));
    }
}

#[test]
fn stretches_only_what_is_too_short() {
    let e = [0x5a; 20];
    assert_eq!(stretch(HashAlg::Sha1, &e, 20).expose(), &e);
    let prf = PrfKey::new(HashAlg::Sha1, &e);
    let k1 = prf.sign(&[&[0]]);
    let k2 = prf.sign(&[k1.as_ref()]);
    let both = [k1.as_ref(), k2.as_ref()].concat();
    assert_eq!(stretch(HashAlg::Sha1, &e, 21).expose(), &both[..21]);
    assert_eq!(stretch(HashAlg::Sha1, &e, 24).expose(), &both[..24]);
}

fn with_e(e: &[u8]) -> Skeyid {
    let inputs = Inputs { cookies: &COOKIES, ni: b"ni", nr: b"nr", g_xy: b"g_xy" };
    Skeyid { e: Secret::new(e.to_vec()), ..Skeyid::pre_shared_key(HashAlg::Sha1, b"psk", &inputs) }
}

#[test]
fn the_cipher_key_is_what_appendix_b_says() {
    let e: Vec<u8> = (0..20).collect();
    for alg in CipherAlg::ALL {
        let (mut ours, mut theirs) = ([9; 32], [9; 32]);
        let iv = vec![0; alg.block_len()];
        with_e(&e).cipher_key(alg).unwrap().encrypt(&iv, &mut ours).unwrap();
        let key = stretch(HashAlg::Sha1, &e, alg.key_len());
        CipherKey::new(alg, key.expose()).unwrap().encrypt(&iv, &mut theirs).unwrap();
        assert_eq!(ours, theirs, "{alg}");
    }
}

#[test]
fn a_weak_des_key_is_no_cipher_key() {
    let mut e = [0x77; 20];
    e[..8].copy_from_slice(&[0x01, 0xfe, 0x01, 0xfe, 0x01, 0xfe, 0x01, 0xfe]);
    let error = with_e(&e).cipher_key(CipherAlg::Des).unwrap_err();
    assert_eq!(error, CryptoError::WeakKey { algorithm: "DES-CBC" });
    assert!(with_e(&e).cipher_key(CipherAlg::Aes128).is_ok());
}

#[test]
fn the_hashes_of_the_two_ends_differ_in_order() {
    let skeyid = with_e(&[0; 20]);
    let inputs = HashInputs { g_xi: b"I", g_xr: b"R", cookies: &COOKIES, sai_b: b"SA", id_b: b"ID" };
    let (i, r) = ([1; 8], [2; 8]);
    assert!(skeyid.skeyid.verify(&[b"IR", &i, &r, b"SAID"], skeyid.hash_i(&inputs).as_ref()));
    assert!(skeyid.skeyid.verify(&[b"RI", &r, &i, b"SAID"], skeyid.hash_r(&inputs).as_ref()));
}

#[test]
fn a_signature_that_is_tied_to_a_hash_has_it_in_the_hashes_of_the_ends_only() {
    let inputs = Inputs { cookies: &COOKIES, ni: b"Ni", nr: b"Nr", g_xy: b"secret" };
    let usual = Skeyid::signature(HashAlg::Sha1, HashAlg::Sha1, &inputs);
    let tied = Skeyid::signature(HashAlg::Sha1, HashAlg::Sha384, &inputs);
    assert_eq!(usual.e.expose(), tied.e.expose());
    assert_eq!(tied.hash(), HashAlg::Sha1);
    // prf(Ni_b | Nr_b, g^xy), by hand.
    let skeyid = PrfKey::new(HashAlg::Sha1, b"NiNr").sign(&[b"secret"]);
    let covered = HashInputs { g_xi: b"I", g_xr: b"R", cookies: &COOKIES, sai_b: b"SA", id_b: b"ID" };
    let (i, r) = ([1; 8], [2; 8]);
    let by_hand = PrfKey::new(HashAlg::Sha384, skeyid.as_ref()).sign(&[b"IR", &i, &r, b"SAID"]);
    assert_eq!(tied.hash_i(&covered).as_ref(), by_hand.as_ref());
    assert_eq!(usual.hash_i(&covered).as_ref().len(), 20);
}

#[test]
fn shows_no_secret() {
    let shown = format!("{:?}", with_e(&[0x5a; 20]));
    assert_eq!(shown.matches("<secret>").count(), 5, "{shown}");
    assert!(!shown.contains("90") && !shown.to_lowercase().contains("5a"), "{shown}");
    let inputs = Inputs { cookies: &COOKIES, ni: b"ni", nr: b"nr", g_xy: &[0xa5; 4] };
    assert!(!format!("{inputs:?}").contains("165"));
}
