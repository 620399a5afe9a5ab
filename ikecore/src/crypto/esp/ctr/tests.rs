use super::*;
use crate::crypto::test_vectors::{cases, load, octets, text};

#[test]
fn encrypts_and_decrypts_the_published_vectors() {
    let file = load("symmetric.json");
    let mut lengths = Vec::new();
    for case in cases(file.as_ref(), "cipher").iter().filter(|case| case["cipher"] == "aes-ctr") {
        let (key, nonce) = (octets(case, "key"), octets(case, "nonce").try_into().unwrap());
        let (clear, sealed) = (octets(case, "plaintext"), octets(case, "ciphertext"));
        let cipher = AesCtr::new(&key).unwrap();
        for (from, to) in [(&clear, &sealed), (&sealed, &clear)] {
            let mut data = from.clone();
            cipher.apply(&nonce, &octets(case, "iv"), &mut data).unwrap();
            assert_eq!(&data, to, "{}", text(case, "id"));
        }
        lengths.push(key.len());
    }
    if file.is_some() {
        assert_eq!(lengths, [16, 16, 16, 24, 24, 24, 32, 32, 32], "RFC 3686 §6");
    }
}

#[test]
fn refuses_other_lengths_and_shows_no_key() {
    for got in (0..40).filter(|got| ![16, 24, 32].contains(got)) {
        let error = AesCtr::new(&vec![0; got]).unwrap_err();
        assert_eq!(error, CryptoError::KeyLength { algorithm: "AES-CTR", got, allowed: vec![16, 24, 32] });
    }
    let cipher = AesCtr::new(&[9; 16]).unwrap();
    let error = cipher.apply(&[0; 4], &[0; 16], &mut [0; 3]).unwrap_err();
    assert_eq!(error, CryptoError::IvLength { algorithm: "AES-CTR", got: 16, allowed: 8 });
    assert_eq!(format!("{cipher:?}"), "AES-CTR <secret>");
}
