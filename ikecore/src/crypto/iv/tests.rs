use super::*;

#[test]
fn takes_the_first_block_of_the_hash() {
    let (g_xi, g_xr) = (b"initiator's".as_slice(), b"responder's".as_slice());
    for hash in HashAlg::ALL {
        let digest = hash.digest(&[g_xi, g_xr]);
        for block_len in [8, 16] {
            let iv = Iv::phase_1(hash, block_len, g_xi, g_xr);
            assert_eq!(iv.as_ref(), &digest.as_ref()[..block_len], "{hash}");
            assert_ne!(iv, Iv::phase_1(hash, block_len, g_xr, g_xi));
        }
    }
}

#[test]
fn phase_2_depends_on_the_last_block_and_the_message_id() {
    let id = MessageId(0x0102_0304);
    let iv = Iv::phase_2(HashAlg::Sha1, 8, b"lastblok", id);
    assert_eq!(iv.as_ref(), &HashAlg::Sha1.digest(&[b"lastblok\x01\x02\x03\x04"]).as_ref()[..8]);
    assert_ne!(iv, Iv::phase_2(HashAlg::Sha1, 8, b"lastblok", MessageId(0x0403_0201)));
}

#[test]
fn the_next_iv_is_the_last_block() {
    let iv = Iv::phase_1(HashAlg::Sha256, 8, b"a", b"b");
    assert_eq!(iv.next(b"0123456789abcdef").as_ref(), b"89abcdef");
    assert_eq!(iv.next(b"01234567").as_ref(), b"01234567");
    assert_eq!(iv.next(b"0123456"), iv, "less than a block");
    assert_eq!(iv.next(b""), iv);
    assert_eq!(format!("{:?}", iv.next(b"01234567")), "3031323334353637");
}
