use super::*;
use crate::crypto::test_vectors::{cases, cookies, hash, load, number, octets, text};
use crate::ids::Cookie;

const COOKIES: Cookies = Cookies { initiator: Cookie([1; 8]), responder: Cookie([2; 8]) };

#[test]
fn hashes_what_others_sent() {
    for case in cases(load("natd.json").as_ref(), "cases") {
        let addr =
            |ip, port| SocketAddr::new(text(&case, ip).parse().unwrap(), u16::try_from(number(&case, port)).unwrap());
        let of = |addr| natd_hash(hash(&case), &cookies(&case), addr);
        let sent = octets(&case, "natd");
        assert_eq!(of(addr("addr", "port")).as_ref(), sent, "{}", text(&case, "id"));
        // What the receiver saw matches exactly where there is no NAT in between.
        let seen = of(addr("wire_addr", "wire_port"));
        assert_eq!(seen.as_ref() != sent, case["nat"].as_bool().unwrap(), "{}", text(&case, "id"));
    }
}

#[test]
fn covers_every_octet_of_an_ipv6_address_and_the_port() {
    let of = |addr: &str| natd_hash(HashAlg::Sha1, &COOKIES, addr.parse().unwrap());
    let covered = [&[1; 8][..], &[2; 8], &[0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7], &[0x11, 0x94]];
    assert_eq!(of("[2001:db8::7]:4500"), HashAlg::Sha1.digest(&covered));
    assert_ne!(of("[2001:db8::7]:4500"), of("[2001:db8::7]:500"));
}

#[test]
fn an_address_of_a_dual_stack_socket_counts_as_what_was_on_the_wire() {
    let of = |addr: &str| natd_hash(HashAlg::Sha256, &COOKIES, addr.parse().unwrap());
    assert_eq!(of("[::ffff:192.0.2.1]:500"), of("192.0.2.1:500"));
    assert_ne!(of("[::1]:500"), of("0.0.0.1:500"));
}
