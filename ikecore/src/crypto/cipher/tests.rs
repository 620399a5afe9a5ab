use super::*;
use crate::crypto::test_vectors::{cases, load, octets, text};

fn alg_of(name: &str, key: &[u8]) -> Option<CipherAlg> {
    CipherAlg::ALL.into_iter().find(|alg| {
        let family = match alg {
            CipherAlg::Des => "des-cbc",
            CipherAlg::TripleDes => "3des-cbc",
            CipherAlg::Aes128 | CipherAlg::Aes192 | CipherAlg::Aes256 => "aes-cbc",
            CipherAlg::Camellia128 | CipherAlg::Camellia192 | CipherAlg::Camellia256 => "camellia-cbc",
        };
        family == name && alg.key_len() == key.len()
    })
}

#[test]
fn encrypts_and_decrypts_the_published_vectors() {
    let file = load("symmetric.json");
    let mut seen = Vec::new();
    for (list, plaintext) in [("cipher", "plaintext"), ("esp_aes_cbc", "pre_encryption")] {
        for case in cases(file.as_ref(), list) {
            if case["key"].is_null() {
                continue;
            }
            let (id, key, iv) = (text(&case, "id"), octets(&case, "key"), octets(&case, "iv"));
            let Some(alg) = alg_of(text(&case, "cipher"), &key) else {
                assert_eq!(text(&case, "cipher"), "aes-ctr", "{id}");
                continue;
            };
            let cipher = CipherKey::new(alg, &key).unwrap();
            let mut data = octets(&case, plaintext);
            cipher.encrypt(&iv, &mut data).unwrap();
            assert_eq!(data, octets(&case, "ciphertext"), "{id}");
            cipher.decrypt(&iv, &mut data).unwrap();
            assert_eq!(data, octets(&case, plaintext), "{id}");
            seen.push(alg);
        }
    }
    if file.is_some() {
        for alg in [CipherAlg::Des, CipherAlg::TripleDes, CipherAlg::Aes128] {
            assert!(seen.contains(&alg), "no case for {alg}");
        }
    }
}

/// RFC 3713 Appendix A: one block, which CBC with an IV of zeros leaves as it is.
#[test]
fn encrypts_what_rfc_3713_prints_for_camellia() {
    use crate::crypto::test_vectors::hex;
    let whole = "0123456789abcdeffedcba987654321000112233445566778899aabbccddeeff";
    for (alg, expected) in [
        (CipherAlg::Camellia128, "67673138549669730857065648eabe43"),
        (CipherAlg::Camellia192, "b4993401b3e996f84ee5cee7d79b09b9"),
        (CipherAlg::Camellia256, "9acc237dff16d76c20ef7c919e3a7509"),
    ] {
        assert!(alg.is_available());
        let cipher = CipherKey::new(alg, &hex(whole)[..alg.key_len()]).unwrap();
        let mut data = hex(&whole[..32]);
        cipher.encrypt(&[0; 16], &mut data).unwrap();
        assert_eq!(data, hex(expected), "{alg}");
        cipher.decrypt(&[0; 16], &mut data).unwrap();
        assert_eq!(data, hex(&whole[..32]), "{alg}");
    }
}

/// NIST SP 800-38A §F.2.3 and §F.2.5.
#[test]
fn encrypts_what_nist_prints_for_the_longer_keys() {
    use crate::crypto::test_vectors::hex;
    let iv = hex("000102030405060708090a0b0c0d0e0f");
    for (alg, key, expected) in [
        (
            CipherAlg::Aes192,
            "8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b",
            "4f021db243bc633d7178183a9fa071e8b4d9ada9ad7dedf4e5e738763f69145a",
        ),
        (
            CipherAlg::Aes256,
            "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
            "f58c4c04d6e5f1ba779eabfb5f7bfbd69cfc4e967edb808d679f777bc6702c7d",
        ),
    ] {
        let mut data = hex("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51");
        CipherKey::new(alg, &hex(key)).unwrap().encrypt(&iv, &mut data).unwrap();
        assert_eq!(data, hex(expected), "{alg}");
    }
}

#[test]
fn one_key_serves_many_messages_in_any_order() {
    for alg in CipherAlg::ALL {
        let key: Vec<u8> = (1..).take(alg.key_len()).collect();
        let cipher = CipherKey::new(alg, &key).unwrap();
        let ivs = [vec![7; alg.block_len()], vec![9; alg.block_len()]];
        for blocks in 0..6 {
            let plain: Vec<u8> = (0..).take(blocks * alg.block_len()).collect();
            let mut messages = [plain.clone(), plain.clone()];
            for (iv, message) in ivs.iter().zip(&mut messages) {
                cipher.encrypt(iv, message).unwrap();
                assert_eq!(message.len(), plain.len());
                assert!(blocks == 0 || *message != plain);
            }
            assert!(blocks == 0 || messages[0] != messages[1], "the IV counts");
            for (iv, message) in ivs.iter().zip(&mut messages).rev() {
                cipher.decrypt(iv, message).unwrap();
                assert_eq!(*message, plain, "{alg}, {blocks} blocks");
            }
        }
    }
}

#[test]
fn chains_over_messages() {
    // Two messages, the second under the last block of the first, are one long message.
    for alg in CipherAlg::ALL {
        let block = alg.block_len();
        let key: Vec<u8> = (1..).take(alg.key_len()).collect();
        let cipher = CipherKey::new(alg, &key).unwrap();
        let mut whole: Vec<u8> = (0..).take(5 * block).collect();
        let mut halves = whole.clone();
        cipher.encrypt(&vec![3; block], &mut whole).unwrap();
        let (first, second) = halves.split_at_mut(2 * block);
        cipher.encrypt(&vec![3; block], first).unwrap();
        cipher.encrypt(&first[block..], second).unwrap();
        assert_eq!(whole, halves, "{alg}");
    }
}

#[test]
fn refuses_wrong_lengths() {
    for alg in CipherAlg::ALL {
        let algorithm = alg.name();
        let (len, block) = (alg.key_len(), alg.block_len());
        for got in (0..40).filter(|got| *got != len) {
            let error = CryptoError::KeyLength { algorithm, got, allowed: vec![len] };
            assert_eq!(CipherKey::new(alg, &vec![1; got]).unwrap_err(), error);
            assert_eq!(alg.check_key(&vec![1; got]).unwrap_err(), error);
        }
        let cipher = CipherKey::new(alg, &vec![1; len]).unwrap();
        for got in (0..40).filter(|got| *got != block) {
            let mut data = vec![5; block];
            let error = CryptoError::IvLength { algorithm, got, allowed: block };
            assert_eq!(cipher.encrypt(&vec![0; got], &mut data).unwrap_err(), error);
            assert_eq!(cipher.decrypt(&vec![0; got], &mut data).unwrap_err(), error);
            assert_eq!(data, vec![5; block]);
        }
        for got in (0..40).filter(|got| got % block != 0) {
            let mut data = vec![5; got];
            let error = CryptoError::PartialBlock { algorithm, got, block };
            assert_eq!(cipher.encrypt(&vec![0; block], &mut data).unwrap_err(), error);
            assert_eq!(cipher.decrypt(&vec![0; block], &mut data).unwrap_err(), error);
            assert_eq!(data, vec![5; got]);
        }
    }
}

#[test]
fn weak_keys_are_weak_and_are_refused() {
    let crypt = |key: u64, data: &mut [u8]| {
        CipherKey::new(CipherAlg::Des, &key.to_be_bytes()).unwrap().encrypt(&[0; 8], data).unwrap();
    };
    let undone = |first, second| {
        let mut data = *b"plain-8 ";
        crypt(first, &mut data);
        crypt(second, &mut data);
        data == *b"plain-8 "
    };
    // The first four undo themselves, the next twelve undo one another: so the list has no slip of the pen.
    let (weak, rest) = DES_WEAK_KEYS.split_at(4);
    assert!(weak.iter().all(|key| undone(*key, *key)));
    let (pairs, _) = rest[..12].as_chunks::<2>();
    assert!(pairs.iter().all(|[one, other]| undone(*one, *other) && !undone(*one, *one)));
    assert!(!undone(0x0123_4567_89ab_cdef, 0x0123_4567_89ab_cdef));

    let refused = Err(CryptoError::WeakKey { algorithm: "DES-CBC" });
    for key in DES_WEAK_KEYS {
        assert_eq!(CipherAlg::Des.check_key(&key.to_be_bytes()), refused);
        // Parity does not make another key of it.
        assert_eq!(CipherAlg::Des.check_key(&(key ^ 0x0100_0001_0001_0100).to_be_bytes()), refused);
        assert_eq!(CipherAlg::Des.check_key(&(key ^ 0x0200).to_be_bytes()), Ok(()));
    }
}

#[test]
fn triple_des_keys_that_make_it_des_are_refused() {
    let key = |a: u8, b: u8, c: u8| [[a; 8], [b; 8], [c; 8]].concat();
    let refused = Err(CryptoError::WeakKey { algorithm: "3DES-CBC" });
    assert_eq!(CipherAlg::TripleDes.check_key(&key(2, 4, 6)), Ok(()));
    assert_eq!(CipherAlg::TripleDes.check_key(&key(2, 4, 2)), Ok(()));
    assert_eq!(CipherAlg::TripleDes.check_key(&key(2, 2, 6)), refused);
    assert_eq!(CipherAlg::TripleDes.check_key(&key(2, 3, 6)), refused, "parity");
    assert_eq!(CipherAlg::TripleDes.check_key(&key(2, 6, 6)), refused);
    // AES has no weak keys.
    assert_eq!(CipherAlg::Aes192.check_key(&[1; 24]), Ok(()));
}

#[test]
fn shows_no_secret_and_travels_between_threads() {
    const fn travels<T: Send + Sync>() {}
    const { travels::<CipherKey>() };
    let cipher = CipherKey::new(CipherAlg::Aes128, &[0x5a; 16]).unwrap();
    assert_eq!(format!("{cipher:?}"), "AES-CBC-128 <secret>");
}
