use super::*;
use crate::crypto::HashAlg;
use crate::crypto::test_vectors::{cases, hash, load, number, octets, text};

#[test]
fn expands_the_published_vectors() {
    for case in cases(load("ikev1_keymat.json").as_ref(), "quick_mode") {
        let d = PrfKey::new(hash(&case), &octets(&case, "skeyid_d"));
        let seed = [&octets(&case, "g_qm_xy")[..], &octets(&case, "seed")];
        let keymat = expand(&d, &seed, number(&case, "length"));
        assert_eq!(*keymat.expose(), octets(&case, "keymat"), "{}", text(&case, "id"));
    }
}

#[test]
fn follows_the_formula() {
    let d = PrfKey::new(HashAlg::Sha1, b"SKEYID_d");
    for shared in [None, Some(b"the second shared secret".as_slice())] {
        let seed = [shared.unwrap_or_default(), b"\x03\x00\x00\x10\x01", b"initiator's nonce", b"responder's"].concat();
        let k1 = d.sign(&[&seed]);
        let k2 = d.sign(&[k1.as_ref(), &seed]);
        let k3 = d.sign(&[k2.as_ref(), &seed]);
        let all = [k1.as_ref(), k2.as_ref(), k3.as_ref()].concat();
        for len in [0, 1, 19, 20, 21, 40, 41, 60] {
            let keymat = keymat(&d, shared, 3, Spi(0x1001), b"initiator's nonce", b"responder's", len);
            assert_eq!(keymat.expose(), &all[..len], "{len} octets");
        }
    }
}
