use super::*;
use crate::crypto::HashAlg;

const ID: MessageId = MessageId(0x0a0b_0c0d);

fn a() -> PrfKey {
    PrfKey::new(HashAlg::Sha256, b"SKEYID_a")
}

#[test]
fn follow_the_formulas() {
    let a = a();
    assert_eq!(hash_1(&a, ID, b"rest").as_ref(), a.sign(&[b"\x0a\x0b\x0c\x0drest"]).as_ref());
    assert_eq!(hash_2(&a, ID, b"Ni", b"rest").as_ref(), a.sign(&[b"\x0a\x0b\x0c\x0dNirest"]).as_ref());
    assert_eq!(hash_3(&a, ID, b"Ni", b"Nr").as_ref(), a.sign(&[b"\x00\x0a\x0b\x0c\x0dNiNr"]).as_ref());
    assert_eq!(informational(&a, ID, b"delete").as_ref(), a.sign(&[b"\x0a\x0b\x0c\x0ddelete"]).as_ref());
    assert_eq!(acknowledgement(&a, b"Ni", ID, b"NrD").as_ref(), a.sign(&[b"Ni\x0a\x0b\x0c\x0dNrD"]).as_ref());
}

#[test]
fn verify_what_was_hashed_and_nothing_else() {
    let a = a();
    let (one, two, three) = (hash_1(&a, ID, b"rest"), hash_2(&a, ID, b"Ni", b"rest"), hash_3(&a, ID, b"Ni", b"Nr"));
    let other = MessageId(ID.0 + 1);
    assert!(verify_hash_1(&a, ID, b"rest", one.as_ref()));
    assert!(!verify_hash_1(&a, other, b"rest", one.as_ref()));
    assert!(!verify_hash_1(&a, ID, b"rest\0", one.as_ref()));
    assert!(verify_hash_2(&a, ID, b"Ni", b"rest", two.as_ref()));
    assert!(!verify_hash_2(&a, ID, b"nI", b"rest", two.as_ref()));
    assert!(!verify_hash_2(&a, ID, b"Ni", b"rest", one.as_ref()));
    assert!(verify_hash_3(&a, ID, b"Ni", b"Nr", three.as_ref()));
    assert!(!verify_hash_3(&a, ID, b"Nr", b"Ni", three.as_ref()));
    assert!(!verify_hash_3(&a, ID, b"Ni", b"Nr", &three.as_ref()[..16]), "cut short");
    let info = informational(&a, ID, b"delete");
    assert!(verify_informational(&a, ID, b"delete", info.as_ref()));
    assert!(!verify_informational(&a, ID, b"deletf", info.as_ref()));
    let acknowledged = acknowledgement(&a, b"Ni", ID, b"NrD");
    assert!(verify_acknowledgement(&a, b"Ni", ID, b"NrD", acknowledged.as_ref()));
    assert!(!verify_acknowledgement(&a, b"nI", ID, b"NrD", acknowledged.as_ref()));
    assert!(!verify_acknowledgement(&a, b"Ni", other, b"NrD", acknowledged.as_ref()));
}
