use super::*;
use crate::crypto::test_vectors::{cases, hash_named, hex, load, octets, text};

#[test]
fn signs_what_rfc_2202_prints() {
    let data = b"what do ya want for nothing?";
    for (hash, expected) in [
        (HashAlg::Md5, "750c783e6ab0b503eaa86e310a5db738"),
        (HashAlg::Sha1, "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"),
    ] {
        let key = PrfKey::new(hash, b"Jefe");
        assert_eq!(key.sign(&[data]).as_ref(), hex(expected), "{hash}");
        assert_eq!(key.sign(&[&data[..5], b"", &data[5..]]).as_ref(), hex(expected), "{hash} in parts");
        assert_eq!(key.sign(&[data]).as_ref(), hex(expected), "{hash} again with the same key");
    }
}

#[test]
fn signs_the_published_vectors() {
    let mut seen = Vec::new();
    for case in cases(load("symmetric.json").as_ref(), "mac") {
        let Some(hash) = text(&case, "mac").strip_prefix("hmac-").and_then(hash_named) else {
            continue;
        };
        let mac = PrfKey::new(hash, &octets(&case, "key")).sign(&[&octets(&case, "data")]);
        let (key, printed) = if case["full"].is_null() { ("icv", mac.as_ref()) } else { ("full", mac.as_ref()) };
        let expected = octets(&case, key);
        assert_eq!(&printed[..expected.len()], expected, "{}", text(&case, "id"));
        seen.push(hash);
    }
    if !seen.is_empty() {
        assert!(HashAlg::ALL.iter().all(|hash| seen.contains(hash)), "{seen:?}");
    }
}

#[test]
fn verifies_only_the_whole_mac() {
    for hash in HashAlg::ALL {
        let key = PrfKey::new(hash, b"key");
        let mac = key.sign(&[b"some", b"data"]).as_ref().to_vec();
        assert_eq!(mac.len(), hash.output_len());
        assert!(key.verify(&[b"somedata"], &mac));
        assert!(!key.verify(&[b"somedatA"], &mac));
        assert!(!PrfKey::new(hash, b"other").verify(&[b"somedata"], &mac));
        assert!(!key.verify(&[b"somedata"], &[]));
        assert!(!key.verify(&[b"somedata"], &mac[..mac.len() - 1]));
        assert!(!key.verify(&[b"somedata"], &[&mac[..], &[0]].concat()));
        for at in 0..mac.len() {
            let mut forged = mac.clone();
            forged[at] ^= 1;
            assert!(!key.verify(&[b"somedata"], &forged), "{hash}, octet {at}");
        }
    }
}

#[test]
fn shows_no_secret_and_travels_between_threads() {
    const fn travels<T: Send + Sync>() {}
    const { travels::<PrfKey>() };
    for hash in HashAlg::ALL {
        let key = PrfKey::new(hash, b"Wollowitz");
        assert_eq!(format!("{key:?}"), format!("HMAC-{hash} <secret>"));
        assert_eq!(format!("{:?}", key.sign(&[])), "<secret>");
    }
}
