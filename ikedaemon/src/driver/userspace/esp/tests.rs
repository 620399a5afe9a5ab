use super::*;
use proptest::prelude::*;

const FIVE: Sequence = Sequence::Short(5);

fn suites() -> Vec<IpsecSuite> {
    let of = |cipher: EspCipher| -> Vec<Option<Integrity>> {
        if cipher.is_aead() { vec![None] } else { Integrity::ALL.map(Some).to_vec() }
    };
    EspCipher::ALL
        .into_iter()
        .flat_map(|cipher| of(cipher).into_iter().map(move |integrity| IpsecSuite::Esp { cipher, integrity }))
        .collect()
}

fn transform(suite: IpsecSuite) -> Transform {
    let key: Vec<u8> = (0..u8::MAX).take(suite.encryption_key_len()).collect();
    Transform::new(suite, &key, &vec![9; suite.integrity_key_len()]).expect("keys fit")
}

#[test]
fn what_is_sealed_is_opened_for_every_suite_and_length() {
    for suite in suites() {
        let transform = transform(suite);
        let iv = vec![3; transform.iv_len()];
        for length in 0..40 {
            let payload: Vec<u8> = (0..length).collect();
            let sealed = transform.seal(Spi(0x1234), FIVE, &iv, 17, &payload).expect("it is sealed");
            assert_eq!(header(&sealed), Some((Spi(0x1234), 5)));
            assert_eq!((sealed.len() - transform.icv_len()) % 4, 0, "{suite}");
            let opened = transform.open(&sealed, FIVE).unwrap_or_else(|e| panic!("{suite}: {e}"));
            assert_eq!((opened.next_header, opened.payload), (17, payload), "{suite}");
        }
    }
}

#[test]
fn every_changed_octet_is_noticed() {
    for suite in suites() {
        let transform = transform(suite);
        let sealed = transform.seal(Spi(0x1234), FIVE, &vec![3; transform.iv_len()], 17, b"payload").expect("sealed");
        for at in 0..sealed.len() {
            let mut forged = sealed.clone();
            forged[at] ^= 1;
            // The number is what the packet says it is.
            let (_, number) = header(&forged).expect("a header");
            let opened = transform.open(&forged, Sequence::Short(number));
            assert_eq!(opened.expect_err("forged"), OpenError::Integrity, "{suite} octet {at}");
        }
        for length in 0..sealed.len() {
            assert!(transform.open(&sealed[..length], FIVE).is_err(), "{suite} length {length}");
        }
    }
}

#[test]
fn the_upper_half_of_a_number_is_authenticated_but_not_sent() {
    for suite in suites() {
        let transform = transform(suite);
        let iv = vec![3; transform.iv_len()];
        let extended = Sequence::Extended(0x7_0000_0005);
        let sealed = transform.seal(Spi(0x1234), extended, &iv, 17, b"payload").expect("sealed");
        let short = transform.seal(Spi(0x1234), FIVE, &iv, 17, b"payload").expect("sealed");
        let text = ..sealed.len() - transform.icv_len();
        assert_eq!(sealed[text], short[text], "{suite}");
        assert_eq!(transform.open(&sealed, extended).expect("opened").payload, b"payload");
        for other in [FIVE, Sequence::Extended(5), Sequence::Extended(0x8_0000_0005)] {
            assert_eq!(transform.open(&sealed, other).expect_err("forged"), OpenError::Integrity, "{suite} {other:?}");
        }
        assert_eq!(transform.open(&short, Sequence::Extended(5)).expect_err("forged"), OpenError::Integrity, "{suite}");
    }
}

#[test]
fn wrong_padding_is_refused() {
    let suite = IpsecSuite::Esp { cipher: EspCipher::Null, integrity: Some(Integrity::HmacSha1_96) };
    let transform = transform(suite);
    let Transform::Combined { integrity: Some(integrity), .. } = &transform else { panic!("NULL is no AEAD") };
    let open = |text: &[u8]| {
        let mut packet = [&[0, 0, 0x12, 0x34, 0, 0, 0, 1], text].concat();
        let icv = integrity.sign(&[&packet]).as_ref().to_vec();
        packet.extend(icv);
        transform.open(&packet, Sequence::Short(1)).map(|opened| opened.payload)
    };
    assert_eq!(open(&[9, 9, 9, 9, 1, 2, 2, 4]), Ok(vec![9; 4]));
    assert_eq!(open(&[9, 9, 9, 9, 1, 1, 2, 4]), Err(OpenError::Padding));
    assert_eq!(open(&[9, 9, 9, 9, 0, 1, 2, 4]), Err(OpenError::Padding));
    assert_eq!(open(&[9, 9, 9, 9, 9, 9, 7, 4]), Err(OpenError::Padding));
    // More padding than needed is allowed (RFC 4303 §2.4).
    assert_eq!(open(&[1, 2, 3, 4, 5, 6, 6, 4]), Ok(vec![]));
}

#[test]
fn without_integrity_nothing_is_added_and_nothing_is_noticed() {
    for cipher in [EspCipher::TripleDesCbc, EspCipher::DesCbc, EspCipher::Aes256Cbc] {
        let transform = transform(IpsecSuite::Esp { cipher, integrity: None });
        assert_eq!(transform.icv_len(), 0);
        let iv = vec![3; transform.iv_len()];
        let mut sealed = transform.seal(Spi(0x1234), FIVE, &iv, 17, b"payload").expect("sealed");
        assert_eq!((sealed.len() - HEADER) % iv.len(), 0, "whole blocks and no more");
        let opened = transform.open(&sealed, FIVE).expect("opened");
        assert_eq!((opened.next_header, opened.payload.as_slice()), (17, b"payload".as_slice()));
        // A bit of the IV is a bit of the first block.
        sealed[HEADER] ^= 1;
        assert_eq!(transform.open(&sealed, FIVE).expect("opened").payload[0], b'p' ^ 1);
    }
}

#[test]
fn keys_that_do_not_fit_are_refused() {
    let refused = |cipher, integrity, key: usize, integrity_key: usize| {
        let suite = IpsecSuite::Esp { cipher, integrity };
        Transform::new(suite, &vec![1; key], &vec![1; integrity_key]).expect_err("it does not fit")
    };
    let sha1 = Some(Integrity::HmacSha1_96);
    assert!(refused(EspCipher::Aes128Cbc, sha1, 24, 20).contains("not of 24"));
    assert!(refused(EspCipher::Aes128Cbc, sha1, 16, 16).contains("not of 16"));
    assert!(refused(EspCipher::Null, None, 0, 0).contains("NULL without an integrity algorithm protects nothing"));
    assert!(refused(EspCipher::Aes128Cbc, None, 16, 20).contains("there is no key"));
    assert!(refused(EspCipher::Null, sha1, 1, 20).contains("NULL takes no key"));
    assert!(refused(EspCipher::Aes128Gcm16, None, 16, 0).contains("20 octets of key and salt"));
    assert!(refused(EspCipher::Aes256Ctr, sha1, 32, 20).contains("36 octets of key and nonce, not 32"));
    assert!(refused(EspCipher::Aes256Ctr, None, 36, 0).contains("without an integrity algorithm"));
    assert!(refused(EspCipher::Aes128Gcm16, sha1, 20, 20).contains("takes no integrity algorithm"));
    let ah = IpsecSuite::Ah { integrity: Integrity::HmacSha1_96 };
    assert!(Transform::new(ah, &[], &[1; 20]).expect_err("AH").contains("is not ESP"));
}

proptest! {
    #[test]
    fn any_octets_are_refused_without_panic(packet in proptest::collection::vec(any::<u8>(), 0..200)) {
        for suite in suites() {
            prop_assert!(transform(suite).open(&packet, FIVE).is_err());
        }
    }
}
