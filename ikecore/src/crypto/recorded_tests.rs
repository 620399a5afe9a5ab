//! One recorded main mode and quick mode with a pre-shared key between two daemons of other authors, replayed from the
//! first datagram to the keys of both IPsec SAs.
use super::keymat::keymat;
use super::skeyid::{HashInputs, Inputs};
use super::test_vectors::{cases, cookies, load, number, octets, text};
use super::{CipherAlg, HashAlg, Iv, PrfKey, Skeyid, quick};
use crate::ids::{MessageId, Spi};

/// The length of an ISAKMP header in octets.
const HEADER: usize = 28;
/// The length of a HASH payload with HMAC-SHA-1 in octets.
const HASH_PAYLOAD: usize = 4 + 20;

#[test]
fn replays_main_mode_and_quick_mode() {
    let Some(file) = load("main_mode_psk.json") else { return };
    let (one, two) = (&file["phase1"], &file["quick"]);
    let cookies = cookies(one);
    let (hash, alg) = (HashAlg::Sha1, CipherAlg::Aes128);
    let (ni, nr, g_xy) = (octets(one, "ni_b"), octets(one, "nr_b"), octets(one, "g_xy"));
    let inputs = Inputs { cookies: &cookies, ni: &ni, nr: &nr, g_xy: &g_xy };
    let skeyid = Skeyid::pre_shared_key(hash, &octets(&file, "psk"), &inputs);
    let probe = |key: &PrfKey| key.sign(&[b"probe"]).as_ref().to_vec();
    for (key, name) in [(&skeyid.skeyid, "skeyid"), (&skeyid.d, "skeyid_d"), (&skeyid.a, "skeyid_a")] {
        assert_eq!(probe(key), probe(&PrfKey::new(hash, &octets(one, name))), "{name}");
    }
    assert_eq!(*skeyid.e.expose(), octets(one, "skeyid_e"));
    assert_eq!(*super::skeyid::stretch(hash, skeyid.e.expose(), alg.key_len()).expose(), octets(one, "ka"));

    let (g_xi, g_xr, sai_b) = (octets(one, "g_xi"), octets(one, "g_xr"), octets(one, "sai_b"));
    let (idii_b, idir_b) = (octets(one, "idii_b"), octets(one, "idir_b"));
    let covered = |id_b| HashInputs { g_xi: &g_xi, g_xr: &g_xr, cookies: &cookies, sai_b: &sai_b, id_b };
    assert_eq!(skeyid.hash_i(&covered(&idii_b)).as_ref(), octets(one, "hash_i"));
    assert_eq!(skeyid.hash_r(&covered(&idir_b)).as_ref(), octets(one, "hash_r"));

    // Every encrypted datagram, with the IVs that follow from the ones before.
    let cipher = skeyid.cipher_key(alg).unwrap();
    let message_id = MessageId(u32::from_str_radix(text(two, "message_id"), 16).unwrap());
    let mut iv = Iv::phase_1(hash, alg.block_len(), &g_xi, &g_xr);
    assert_eq!(iv.as_ref(), octets(one, "iv_phase1"));
    let mut plaintexts = Vec::new();
    for case in cases(Some(&file), "datagrams").iter().filter(|case| !case["iv"].is_null()) {
        let name = text(case, "message");
        if plaintexts.len() == 2 {
            iv = Iv::phase_2(hash, alg.block_len(), iv.as_ref(), message_id);
            assert_eq!(iv.as_ref(), octets(two, "iv"));
        }
        assert_eq!(iv.as_ref(), octets(case, "iv"), "{name}");
        let datagram = octets(case, "datagram");
        let mut data = datagram[HEADER..].to_vec();
        cipher.decrypt(iv.as_ref(), &mut data).unwrap();
        assert_eq!(data, octets(case, "plaintext"), "{name}");
        plaintexts.push(data.clone());
        cipher.encrypt(iv.as_ref(), &mut data).unwrap();
        assert_eq!(data, datagram[HEADER..], "{name} encrypted again");
        iv = iv.next(&data);
    }
    assert_eq!(plaintexts.len(), 5);

    // HASH(1) to HASH(3) over what was received, without padding.
    let (ni, nr) = (octets(two, "ni_b"), octets(two, "nr_b"));
    let rest = |message: &Vec<u8>| message[HASH_PAYLOAD..unpadded(message)].to_vec();
    let (first, second) = (rest(&plaintexts[2]), rest(&plaintexts[3]));
    let hashes = ["hash_1", "hash_2", "hash_3"].map(|name| octets(two, name));
    assert_eq!(quick::hash_1(&skeyid.a, message_id, &first).as_ref(), hashes[0]);
    assert_eq!(quick::hash_2(&skeyid.a, message_id, &ni, &second).as_ref(), hashes[1]);
    assert_eq!(quick::hash_3(&skeyid.a, message_id, &ni, &nr).as_ref(), hashes[2]);
    for (plaintext, hash) in plaintexts[2..].iter().zip(&hashes) {
        assert_eq!(plaintext[4..HASH_PAYLOAD], hash[..]);
    }
    assert!(quick::verify_hash_1(&skeyid.a, message_id, &first, &hashes[0]));
    assert!(quick::verify_hash_2(&skeyid.a, message_id, &ni, &second, &hashes[1]));
    assert!(quick::verify_hash_3(&skeyid.a, message_id, &ni, &nr, &hashes[2]));

    // The keys of the SA that an end receives on are made with the SPI that it chose.
    for (spi, expected) in [("spi_initiator", "keymat_to_initiator"), ("spi_responder", "keymat_to_responder")] {
        let spi = Spi(u32::from_str_radix(text(two, spi), 16).unwrap());
        let protocol = u8::try_from(number(two, "protocol")).unwrap();
        let keys = keymat(&skeyid.d, None, protocol, spi, &ni, &nr, octets(two, expected).len());
        assert_eq!(*keys.expose(), octets(two, expected), "{expected}");
    }
}

/// The public values of the recording are such as the group checks admit.
#[test]
fn admits_the_recorded_public_values() {
    let Some(file) = load("main_mode_psk.json") else { return };
    for name in ["g_xi", "g_xr"] {
        super::Group::Modp1024.check_public(&octets(&file["phase1"], name)).unwrap();
    }
}

/// Where the payloads of a decrypted message end and its padding begins.
fn unpadded(message: &[u8]) -> usize {
    let mut at = 0;
    loop {
        let next = message[at];
        at += usize::from(u16::from_be_bytes([message[at + 2], message[at + 3]]));
        if next == 0 {
            return at;
        }
    }
}
