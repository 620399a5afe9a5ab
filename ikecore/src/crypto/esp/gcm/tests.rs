use super::*;
use crate::crypto::test_vectors::{cases, load, octets, text};

#[test]
fn seals_and_opens_the_published_vectors() {
    let mut lengths = Vec::new();
    let file = load("symmetric.json");
    for case in cases(file.as_ref(), "esp_aes_gcm") {
        let id = text(&case, "id");
        assert_eq!(text(&case, "cipher"), "aes-gcm-16", "{id}");
        let key = AesGcm::new(&octets(&case, "key"), GcmIcvLen::Sixteen).unwrap();
        let nonce = [octets(&case, "salt"), octets(&case, "iv")].concat().try_into().unwrap();
        let aad = octets(&case, "aad");
        let mut data = octets(&case, "plaintext");
        let icv = key.seal(&nonce, &aad, &mut data).unwrap();
        assert_eq!(data, octets(&case, "ciphertext"), "{id}");
        assert_eq!(icv.as_ref(), octets(&case, "icv"), "{id}");
        key.open(&nonce, &aad, &mut data, icv.as_ref()).unwrap();
        assert_eq!(data, octets(&case, "plaintext"), "{id}");
        // RFC 4106 §6: the shorter values are the first octets of the whole one.
        for length in [GcmIcvLen::Eight, GcmIcvLen::Twelve] {
            let key = AesGcm::new(&octets(&case, "key"), length).unwrap();
            let cut = key.seal(&nonce, &aad, &mut data).unwrap();
            assert_eq!(data, octets(&case, "ciphertext"), "{id}");
            assert_eq!(cut.as_ref(), &octets(&case, "icv")[..length.octets()], "{id}");
            key.open(&nonce, &aad, &mut data, cut.as_ref()).unwrap();
            assert_eq!(data, octets(&case, "plaintext"), "{id}");
        }
        lengths.push(octets(&case, "key").len());
    }
    if file.is_some() {
        assert!([16, 24, 32].iter().all(|len| lengths.contains(len)), "{lengths:?}");
    }
}

#[test]
fn opens_only_what_was_sealed() {
    let lengths = [GcmIcvLen::Eight, GcmIcvLen::Twelve, GcmIcvLen::Sixteen];
    for (len, icv_len) in [16, 24, 32].into_iter().flat_map(|len| lengths.map(|icv_len| (len, icv_len))) {
        let key = AesGcm::new(&vec![7; len], icv_len).unwrap();
        let nonce = [3; AesGcm::NONCE_LEN];
        for plain in [&b""[..], b"a", b"exactly 16 octet", b"more than one block of octets"] {
            let mut sealed = plain.to_vec();
            let icv = key.seal(&nonce, b"aad", &mut sealed).unwrap().as_ref().to_vec();
            assert_eq!(icv.len(), icv_len.octets());
            let open =
                |nonce, aad: &[u8], mut data: Vec<u8>, icv: &[u8]| key.open(nonce, aad, &mut data, icv).map(|()| data);
            assert_eq!(open(&nonce, b"aad", sealed.clone(), &icv).as_deref(), Ok(plain));
            let refused = Err(CryptoError::Integrity { algorithm: icv_len.name() });
            assert_eq!(open(&[4; 12], b"aad", sealed.clone(), &icv), refused);
            assert_eq!(open(&nonce, b"aaD", sealed.clone(), &icv), refused);
            assert_eq!(open(&nonce, b"aad", sealed.clone(), &icv[..icv.len() - 1]), refused);
            assert_eq!(open(&nonce, b"aad", sealed.clone(), &[]), refused);
            assert_eq!(open(&nonce, b"aad", sealed.clone(), &[icv.as_slice(), &[0]].concat()), refused);
            for at in 0..sealed.len() {
                let mut forged = sealed.clone();
                forged[at] ^= 1;
                assert_eq!(open(&nonce, b"aad", forged, &icv), refused);
            }
            for at in 0..icv.len() {
                let mut forged = icv.clone();
                forged[at] ^= 1;
                assert_eq!(open(&nonce, b"aad", sealed.clone(), &forged), refused);
            }
        }
    }
}

#[test]
fn refuses_keys_of_other_lengths_and_shows_none() {
    for got in (0..40).filter(|got| ![16, 24, 32].contains(got)) {
        let error = AesGcm::new(&vec![0; got], GcmIcvLen::Sixteen).unwrap_err();
        assert_eq!(error, CryptoError::KeyLength { algorithm: "AES-GCM-16", got, allowed: vec![16, 24, 32] });
    }
    assert_eq!(format!("{:?}", AesGcm::new(&[9; 24], GcmIcvLen::Twelve).unwrap()), "AES-GCM-12 <secret>");
}
