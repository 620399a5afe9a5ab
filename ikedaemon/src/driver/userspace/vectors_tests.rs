//! ESP against the vectors of the RFCs and of captures.
use super::esp::{Sequence, Transform};
use ikecore::crypto::esp::Integrity;
use ikecore::ids::Spi;
use ikecore::proposal::suite::{EspCipher, IpsecSuite};
use serde_json::Value;

fn load(name: &str) -> Option<Value> {
    let path = format!("{}/../../shared/vectors/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let Ok(text) = std::fs::read_to_string(&path) else {
        eprintln!("skipped: no {path}");
        return None;
    };
    Some(serde_json::from_str(&text).expect("the vectors are JSON"))
}

fn hex(case: &Value, key: &str) -> Vec<u8> {
    let text = case[key].as_str().unwrap_or_else(|| panic!("{case}: no {key}"));
    let digits = text.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).expect("ASCII"));
    digits.map(|pair| u8::from_str_radix(pair, 16).expect("hexadecimal")).collect()
}

fn spi(case: &Value) -> Spi {
    Spi(u32::from_be_bytes(hex(case, "spi").try_into().expect("four octets")))
}

fn sequence(case: &Value) -> Sequence {
    Sequence::Short(u32::try_from(case["seq"].as_u64().expect("a number")).expect("32 bits"))
}

/// With an integrity key of our own: the vectors have none.
fn combined(cipher: EspCipher, key: &[u8]) -> Transform {
    let suite = IpsecSuite::Esp { cipher, integrity: Some(Integrity::HmacSha1_96) };
    Transform::new(suite, key, &[7; 20]).expect("keys fit")
}

#[test]
fn captured_triple_des() {
    let Some(vectors) = load("esp") else { return };
    let cases = vectors["cases"].as_array().expect("cases");
    for case in cases {
        let transform = combined(EspCipher::TripleDesCbc, &hex(case, "key"));
        let recorded = hex(case, "esp");
        let icv = usize::try_from(case["icv_len"].as_u64().expect("a number")).expect("a length");
        let recorded = &recorded[..recorded.len() - icv];
        let payload = hex(case, "payload");
        let sealed = transform.seal(spi(case), sequence(case), &recorded[8..16], 4, &payload).expect("it is sealed");
        assert_eq!(&sealed[..sealed.len() - 12], recorded, "{}", case["id"]);
        let opened = transform.open(&sealed, sequence(case)).expect("it is opened");
        assert_eq!((opened.next_header, opened.payload), (4, payload), "{}", case["id"]);
    }
    assert!(cases.len() >= 10);
}

#[test]
fn aes_cbc_of_rfc_3602() {
    let Some(vectors) = load("symmetric") else { return };
    let cases = vectors["esp_aes_cbc"].as_array().expect("cases");
    for case in cases {
        let transform = combined(EspCipher::Aes128Cbc, &hex(case, "key"));
        let clear = hex(case, "pre_encryption");
        let [payload @ .., length, next_header] = clear.as_slice() else { panic!("too short") };
        let payload = &payload[..payload.len() - usize::from(*length)];
        let iv = hex(case, "iv");
        let sealed = transform.seal(spi(case), sequence(case), &iv, *next_header, payload).expect("it is sealed");
        assert_eq!(sealed[24..sealed.len() - 12], hex(case, "ciphertext"), "{}", case["id"]);
        assert_eq!(transform.open(&sealed, sequence(case)).expect("it is opened").payload, payload);
    }
    assert_eq!(cases.len(), 4);
}

/// RFC 3686 §6 gives the clear text as it is encrypted; of the packet around it only the IV.
#[test]
fn aes_ctr_of_rfc_3686() {
    let Some(vectors) = load("symmetric") else { return };
    let cases = vectors["cipher"].as_array().expect("cases").iter().filter(|case| case["cipher"] == "aes-ctr");
    let mut tried = 0;
    for case in cases {
        let cipher = match hex(case, "key").len() {
            16 => EspCipher::Aes128Ctr,
            24 => EspCipher::Aes192Ctr,
            _ => EspCipher::Aes256Ctr,
        };
        let material = [hex(case, "key"), hex(case, "nonce")].concat();
        let suite = IpsecSuite::Esp { cipher, integrity: Some(Integrity::HmacSha1_96) };
        let transform = Transform::new(suite, &material, &[7; 20]).expect("keys fit");
        let clear = hex(case, "plaintext");
        let sealed =
            transform.seal(Spi(0x1234), Sequence::Short(1), &hex(case, "iv"), 4, &clear).expect("it is sealed");
        assert_eq!(sealed[8..16], hex(case, "iv"));
        assert_eq!(sealed[16..16 + clear.len()], hex(case, "ciphertext"), "{}", case["id"]);
        assert_eq!(transform.open(&sealed, Sequence::Short(1)).expect("it is opened").payload, clear);
        tried += 1;
    }
    assert_eq!(tried, 9);
}

#[test]
fn aes_gcm() {
    let Some(vectors) = load("symmetric") else { return };
    let (mut tried, mut extended) = (0, 0);
    for case in vectors["esp_aes_gcm"].as_array().expect("cases") {
        let cipher = match hex(case, "key").len() {
            16 => EspCipher::Aes128Gcm16,
            24 => EspCipher::Aes192Gcm16,
            _ => EspCipher::Aes256Gcm16,
        };
        // SPI and number; of the number's two halves the packet has the lower one.
        let aad = hex(case, "aad");
        let (spi, number) = aad.split_at(4);
        let number = match number {
            [upper @ .., _, _, _, _] if !upper.is_empty() => {
                extended += 1;
                Sequence::Extended(u64::from_be_bytes(number.try_into().expect("eight octets")))
            }
            _ => Sequence::Short(u32::from_be_bytes(number.try_into().expect("four octets"))),
        };
        let material = [hex(case, "key"), hex(case, "salt")].concat();
        let transform = Transform::new(IpsecSuite::Esp { cipher, integrity: None }, &material, &[]).expect("keys fit");
        let lower = &aad[aad.len() - 4..];
        let packet = [spi, lower, &hex(case, "iv"), &hex(case, "ciphertext"), &hex(case, "icv")].concat();
        let clear = hex(case, "plaintext");
        let [payload @ .., length, next_header] = clear.as_slice() else { panic!("too short") };
        let payload = &payload[..payload.len() - usize::from(*length)];
        let opened = transform.open(&packet, number).unwrap_or_else(|e| panic!("{}: {e}", case["id"]));
        assert_eq!((opened.next_header, opened.payload.as_slice()), (*next_header, payload), "{}", case["id"]);
        tried += 1;
        let (spi, _) = super::esp::header(&packet).expect("a header");
        let sealed = transform.seal(spi, number, &packet[8..16], *next_header, payload).expect("it is sealed");
        if sealed.len() == packet.len() {
            assert_eq!(sealed, packet, "{}", case["id"]);
        }
    }
    assert!(tried == 14 && extended >= 1, "{tried}, {extended} of them extended");
}
