//! tshark reads what two of our daemons say, with their key logs.

use tests::scenario::{GCM, GCM_CUT, RARE, SUITES, key_log::is_deciphered};

#[test]
fn tripledes_and_hmac_sha1() {
    is_deciphered(SUITES[2]);
}

#[test]
fn aes_cbc_and_hmac_sha256() {
    is_deciphered(SUITES[1]);
}

#[test]
fn aes_gcm() {
    is_deciphered(GCM);
}

#[test]
fn the_less_common() {
    // Of Camellia, the last, Wireshark knows nothing.
    for suite in [GCM_CUT[0], GCM_CUT[1], SUITES[3]].into_iter().chain(RARE.into_iter().take(5)) {
        is_deciphered(suite);
    }
}
