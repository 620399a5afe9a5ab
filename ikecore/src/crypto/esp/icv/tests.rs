use super::*;
use crate::crypto::test_vectors::{cases, load, number, octets, text};

#[test]
fn signs_the_published_vectors() {
    let file = load("symmetric.json");
    let mut seen = Vec::new();
    for case in cases(file.as_ref(), "mac").iter().filter(|case| !case["icv"].is_null()) {
        let alg = Integrity::ALL.into_iter().find(|alg| {
            let name = alg.hash().map_or_else(
                || "aes-xcbc".to_owned(),
                |hash| format!("hmac-{}", hash.name().to_lowercase().replace('-', "")),
            );
            name == text(case, "mac") && alg.key_len() == octets(case, "key").len()
        });
        let Some(alg) = alg else { continue };
        if number(case, "icv_bits") != alg.icv_len() * 8 {
            continue;
        }
        let key = IcvKey::new(alg, &octets(case, "key")).unwrap();
        let (data, icv) = (octets(case, "data"), octets(case, "icv"));
        assert_eq!(key.sign(&[&data]).as_ref(), icv, "{}", text(case, "id"));
        assert!(key.verify(&[&data], &icv), "{}", text(case, "id"));
        seen.push(alg);
    }
    if file.is_some() {
        let published = |alg: &&Integrity| **alg != Integrity::HmacSha256_96;
        assert!(Integrity::ALL.iter().filter(published).all(|alg| seen.contains(alg)), "{seen:?}");
    }
}

/// Nobody published values of 96 bits; they are the first octets of those of 128.
#[test]
fn sha_256_is_cut_where_its_name_says() {
    let key = [0x0b; 32];
    let value = |alg| IcvKey::new(alg, &key).unwrap().sign(&[b"Hi There"]).as_ref().to_vec();
    let (whole, cut) = (value(Integrity::HmacSha256_128), value(Integrity::HmacSha256_96));
    // RFC 4868 §2.7.2.1, test case AUTH256-1.
    assert_eq!(whole[..4], [0x19, 0x8a, 0x60, 0x7e]);
    assert_eq!(cut, whole[..12]);
}

#[test]
fn verifies_the_truncated_value_and_no_other() {
    for alg in Integrity::ALL {
        let key = IcvKey::new(alg, &vec![7; alg.key_len()]).unwrap();
        let icv = key.sign(&[b"pack", b"et"]).as_ref().to_vec();
        assert_eq!(icv.len(), alg.icv_len());
        assert!(key.verify(&[b"packet"], &icv));
        assert!(!key.verify(&[b"packeT"], &icv));
        assert!(!key.verify(&[b"packet"], &[]));
        assert!(!key.verify(&[b"packet"], &icv[..icv.len() - 1]));
        let full = match &key.key {
            Key::Hmac(key) => key.sign(&[b"packet"]).as_ref().to_vec(),
            Key::Xcbc(key) => key.sign(&[b"packet"]).to_vec(),
        };
        assert!(full.starts_with(&icv));
        assert!(!key.verify(&[b"packet"], &full), "the whole MAC is not the value");
        for at in 0..icv.len() {
            let mut forged = icv.clone();
            forged[at] ^= 0x80;
            assert!(!key.verify(&[b"packet"], &forged), "{alg}, octet {at}");
        }
    }
}

#[test]
fn refuses_keys_of_other_lengths() {
    for alg in Integrity::ALL {
        for got in (0..80).filter(|got| *got != alg.key_len()) {
            let error = IcvKey::new(alg, &vec![0; got]).unwrap_err();
            assert_eq!(error, CryptoError::KeyLength { algorithm: alg.name(), got, allowed: vec![alg.key_len()] });
        }
    }
}
