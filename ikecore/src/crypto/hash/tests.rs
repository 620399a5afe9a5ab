use super::*;
use crate::crypto::test_vectors::hex;

/// RFC 1321 §A.5 and the examples of FIPS 180-4.
const ABC: [(HashAlg, &str); 5] = [
    (HashAlg::Md5, "900150983cd24fb0d6963f7d28e17f72"),
    (HashAlg::Sha1, "a9993e364706816aba3e25717850c26c9cd0d89d"),
    (HashAlg::Sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    (
        HashAlg::Sha384,
        "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7",
    ),
    (
        HashAlg::Sha512,
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd\
         454d4423643ce80e2a9ac94fa54ca49f",
    ),
];

#[test]
fn digests_what_the_standards_print() {
    for (hash, expected) in ABC {
        assert!(hash.is_available());
        assert_eq!(hash.digest(&[b"abc"]).as_ref(), hex(expected), "{hash}");
        assert_eq!(hash.output_len() * 2, expected.len(), "{hash}");
        assert_eq!(format!("{:?}", hash.digest(&[b"abc"])), expected);
    }
}

#[test]
fn joins_the_parts() {
    for hash in HashAlg::ALL {
        let whole = hash.digest(&[b"abc"]);
        assert_eq!(hash.digest(&[b"", b"a", b"", b"bc"]), whole, "{hash}");
        assert_ne!(hash.digest(&[b"ab", b"d"]), whole, "{hash}");
        assert_eq!(hash.digest(&[]), hash.digest(&[b""]), "{hash}");
    }
}
