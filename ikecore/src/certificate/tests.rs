//! Each way in which a certificate or its chain can be wrong, and that nothing else is.
use super::*;
use crate::testing::authority::{Authority, Issued, KeyKind, Wish, list_pem, pem};
use crate::testing::host::DATE as NOW;

const DAY: i64 = 86_400;

/// A root, an authority beneath it, and what the one beneath issued.
struct World {
    root: Authority,
    middle: Authority,
}

impl World {
    fn new() -> Self {
        let mut root = Authority::root("O=Example, CN=root", KeyKind::P256, NOW);
        let middle = root.intermediate("O=Example, CN=issuing", KeyKind::P384);
        Self { root, middle }
    }

    fn issue(&mut self, change: impl FnOnce(&mut Wish)) -> Issued {
        let mut wish = Wish::new("O=Example, CN=host", &["fqdn:host.example", "10.9.0.1"], KeyKind::P256, NOW);
        change(&mut wish);
        self.middle.issue(&wish)
    }

    fn trust(&self) -> Trust {
        Trust {
            authorities: vec![self.root.certificate()],
            revocation_lists: Vec::new(),
            revocation_check: RevocationCheck::Off,
            legacy: false,
            names_excluded: false,
        }
    }

    fn check(&self, trust: &Trust, leaf: &Issued, lists: &[RevocationList]) -> Result<(), String> {
        let chain = [leaf.certificate.clone(), self.middle.certificate()];
        trust.check(&chain, NOW, lists).map_err(|fault| fault.to_string())
    }
}

fn list(name: &str, der: Vec<u8>) -> RevocationList {
    RevocationList::from_der(name, der).expect("a revocation list")
}

#[test]
fn a_chain_through_an_intermediate_is_accepted_in_any_order() {
    let mut world = World::new();
    for key in [KeyKind::Rsa(2048), KeyKind::P256, KeyKind::P384, KeyKind::P521] {
        let leaf = world.issue(|wish| wish.key = key);
        assert_eq!(world.check(&world.trust(), &leaf, &[]), Ok(()), "{key:?}");
    }
    let leaf = world.issue(|_| {});
    let stranger = Authority::root("CN=stranger", KeyKind::P521, NOW);
    let chain = [leaf.certificate, stranger.certificate(), world.root.certificate(), world.middle.certificate()];
    assert_eq!(world.trust().check(&chain, NOW, &[]), Ok(()));
}

#[test]
fn authorities_with_each_kind_of_key_are_followed() {
    for key in [KeyKind::Rsa(2048), KeyKind::P256, KeyKind::P384, KeyKind::P521] {
        let mut root = Authority::root("CN=root", key, NOW);
        let leaf = root.issue(&Wish::new("CN=a", &[], KeyKind::P256, NOW));
        let trust = Trust {
            authorities: vec![Authority::root("CN=other", KeyKind::P256, NOW).certificate(), root.certificate()],
            revocation_lists: Vec::new(),
            revocation_check: RevocationCheck::Off,
            legacy: false,
            names_excluded: false,
        };
        assert_eq!(trust.check(&[leaf.certificate], NOW, &[]), Ok(()), "{key:?}");
    }
}

/// What is changed, how, and what is told.
type Case = (&'static str, fn(&mut Wish), String);

#[test]
fn what_is_wrong_with_a_chain_is_told() {
    let mut world = World::new();
    let host = "O=Example, CN=host";
    let ca = "O=Example, CN=root";
    let cases: [Case; 5] = [
        (
            "expired",
            |wish| wish.not_after = NOW - 1,
            format!("certificate of {host} expired on 2026-01-08 19:19:59 UTC"),
        ),
        (
            "not yet valid",
            |wish| wish.not_before = NOW + DAY,
            format!("certificate of {host} is valid from 2026-01-09 19:20:00 UTC on only"),
        ),
        (
            "purpose",
            |wish| wish.purposes = vec!["1.3.6.1.5.5.7.3.4".to_owned()],
            format!(
                "certificate of {host} is for 1.3.6.1.5.5.7.3.4 only, allowed are ipsecIKE, iKEIntermediate, \
                 serverAuth, clientAuth, any, or no extended key usage"
            ),
        ),
        (
            "key usage",
            |wish| wish.may_sign = false,
            format!("key usage of the certificate of {host} has neither digitalSignature nor nonRepudiation"),
        ),
        (
            "short key",
            |wish| wish.key = KeyKind::Rsa(1024),
            format!("certificate of {host} has an RSA key of 1024 bits, allowed are 2048 and more"),
        ),
    ];
    for (what, change, told) in cases {
        let leaf = world.issue(change);
        assert_eq!(world.check(&world.trust(), &leaf, &[]), Err(told), "{what}");
    }
    let leaf = world.issue(|_| {});
    let other =
        Trust { authorities: vec![Authority::root("CN=other", KeyKind::P256, NOW).certificate()], ..world.trust() };
    let told = format!("no certificate chain to CA CN=other from {host}, issued by O=Example, CN=issuing");
    assert_eq!(world.check(&other, &leaf, &[]), Err(told));
    // Without the intermediate; and with a root of the same name but another key.
    let told = format!("no certificate chain to CA {ca} from {host}, issued by O=Example, CN=issuing");
    let alone = world.trust().check(core::slice::from_ref(&leaf.certificate), NOW, &[]);
    assert_eq!(alone.map_err(|fault| fault.to_string()), Err(told));
    let namesake = Authority::root("O=Example, CN=root", KeyKind::P256, NOW).certificate();
    let forged = Trust { authorities: vec![namesake], ..world.trust() };
    assert!(world.check(&forged, &leaf, &[]).is_err());
    assert_eq!(world.trust().check(&[], NOW, &[]), Err(CertificateFault::Missing));
}

#[test]
fn the_dates_of_the_authorities_count_too() {
    let mut world = World::new();
    let leaf = world.issue(|wish| wish.not_after = NOW + 20_000 * DAY);
    let chain = [leaf.certificate.clone(), world.middle.certificate()];
    let at = |now: i64| world.trust().check(&chain, now, &[]).map_err(|fault| fault.to_string());
    assert_eq!(at(NOW), Ok(()));
    let late = at(NOW + 366 * DAY).expect_err("the intermediate has expired");
    assert!(late.starts_with("certificate of O=Example, CN=issuing expired on 2027-01-08"), "{late}");
    let mut root = world.root;
    let leaf = root.issue(&Wish { not_after: NOW + 20_000 * DAY, ..Wish::new("CN=a", &[], KeyKind::P256, NOW) });
    let trust = Trust { authorities: vec![root.certificate()], ..World::new().trust() };
    let late = trust.check(&[leaf.certificate], NOW + 4_000 * DAY, &[]).expect_err("the root has expired").to_string();
    assert!(late.starts_with("certificate of O=Example, CN=root expired on"), "{late}");
}

#[test]
fn a_certificate_issued_by_a_host_is_not_accepted() {
    let mut world = World::new();
    let host = world.issue(|_| {});
    // What the host's key signs, under its name.
    let mut impostor = Authority::root("O=Example, CN=host", KeyKind::P256, NOW);
    let leaf = impostor.issue(&Wish::new("CN=victim", &["fqdn:victim.example"], KeyKind::P256, NOW));
    let chain = [leaf.certificate, host.certificate, world.middle.certificate(), impostor.certificate()];
    assert!(matches!(
        world.trust().check(&chain, NOW, &[]),
        Err(CertificateFault::NoChain { .. } | CertificateFault::Chain { .. })
    ));
}

#[test]
fn each_purpose_that_is_allowed_is_accepted() {
    let mut world = World::new();
    for purpose in PURPOSES {
        let leaf = world.issue(|wish| wish.purposes = vec!["1.3.6.1.5.5.7.3.3".to_owned(), purpose.to_owned()]);
        assert_eq!(world.check(&world.trust(), &leaf, &[]), Ok(()), "{purpose}");
    }
}

#[test]
fn old_algorithms_need_the_policys_leave() {
    let mut root = Authority::root("CN=old root", KeyKind::Rsa(2048), NOW);
    let leaf = root.issue(&Wish { sha1: true, ..Wish::new("CN=a", &[], KeyKind::Rsa(1024), NOW) });
    let mut trust = Trust {
        authorities: vec![root.certificate()],
        revocation_lists: Vec::new(),
        revocation_check: RevocationCheck::Off,
        legacy: false,
        names_excluded: false,
    };
    let chain = [leaf.certificate];
    let told = trust.check(&chain, NOW, &[]).expect_err("SHA-1").to_string();
    assert!(told.contains("SHA-1 needs legacy = true"), "{told}");
    trust.legacy = true;
    assert_eq!(trust.check(&chain, NOW, &[]), Ok(()));
}

#[test]
fn revocation_lists_decide_as_strictly_as_they_are_told() {
    let mut world = World::new();
    let (good, bad) = (world.issue(|_| {}), world.issue(|_| {}));
    let lists = |next: i64| {
        vec![
            list("root.crl", world.root.revocation_list(&[], NOW - DAY, next)),
            list("middle.crl", world.middle.revocation_list(&[(&bad.certificate, NOW - 1_000)], NOW - DAY, next)),
        ]
    };
    let trust = |revocation_check| Trust { revocation_check, ..world.trust() };
    let current = lists(NOW + DAY);
    let old = lists(NOW - 1);
    let told = Err("certificate of O=Example, CN=host was revoked on 2026-01-08 19:03:20 UTC".to_owned());
    let check = |check, leaf, lists: &[RevocationList]| world.check(&trust(check), leaf, lists);
    assert_eq!(check(RevocationCheck::Off, &bad, &current), Ok(()));
    for level in [RevocationCheck::Revoked, RevocationCheck::Strict] {
        assert_eq!(check(level, &good, &current), Ok(()), "{level:?}");
        assert_eq!(check(level, &bad, &current), told, "{level:?}");
    }
    assert_eq!(check(RevocationCheck::Revoked, &good, &[]), Ok(()));
    assert_eq!(check(RevocationCheck::Revoked, &good, &old), Ok(()));
    assert_eq!(check(RevocationCheck::Revoked, &bad, &old), told);
    let unknown = "no revocation list tells whether the certificates from O=Example, CN=host to CA O=Example, CN=root \
                   are revoked";
    assert_eq!(check(RevocationCheck::Strict, &good, &[]), Err(unknown.to_owned()));
    assert_eq!(check(RevocationCheck::Strict, &good, &current[..1]), Err(unknown.to_owned()));
    assert_eq!(check(RevocationCheck::Strict, &good, &current[1..]), Err(unknown.to_owned()));
    let late = check(RevocationCheck::Strict, &good, &old).expect_err("too old");
    assert!(late.ends_with("was to be renewed on 2026-01-08 19:19:59 UTC"), "{late}");
    // The intermediate revoked by the root.
    let of_root =
        list("root.crl", world.root.revocation_list(&[(&world.middle.certificate(), NOW - 60)], NOW, NOW + DAY));
    let revoked = check(RevocationCheck::Revoked, &good, &[of_root]).expect_err("revoked");
    assert!(revoked.starts_with("certificate of O=Example, CN=issuing was revoked on"), "{revoked}");
    // Of two lists the newer one counts.
    let newer = list("new.crl", world.middle.revocation_list(&[(&good.certificate, NOW)], NOW, NOW + DAY));
    let both = [lists(NOW + DAY).pop().expect("a list"), newer];
    assert!(check(RevocationCheck::Revoked, &good, &both).is_err());
    // A list that somebody else signed.
    let forger = Authority::root("O=Example, CN=issuing", KeyKind::P384, NOW);
    let forged = list("forged.crl", forger.revocation_list(&[], NOW, NOW + DAY));
    let root_list = lists(NOW + DAY).remove(0);
    assert!(check(RevocationCheck::Strict, &good, &[forged, root_list]).is_err());
}

#[test]
fn identities_are_the_subject_or_an_alternative_name() {
    let mut world = World::new();
    let leaf = world.issue(|wish| wish.names.push("user-fqdn:root@host.example".to_owned())).certificate;
    let name = |text: &str| leaf.name(&text.parse().expect("an identity")).map_err(|fault| fault.to_string());
    for own in [
        "fqdn:HOST.example",
        "10.9.0.1",
        "user-fqdn:root@host.example",
        "dn:O=Example, CN=host",
        "dn:o=example,cn=HOST",
    ] {
        assert!(name(own).is_ok(), "{own}");
    }
    let sans = "SANs are fqdn:host.example; 10.9.0.1; user-fqdn:root@host.example";
    for other in ["fqdn:x", "fqdn:root@host.example", "10.9.0.2", "key-id:0a"] {
        assert_eq!(name(other), Err(format!("ID {other} is in no SAN; {sans}")));
    }
    assert_eq!(
        name("dn:CN=host"),
        Err("ID dn:CN=host is not the subject of the certificate, which is O=Example, CN=host".to_owned())
    );
    assert_eq!(leaf.identity().map(|id| id.to_string()).as_deref(), Some("dn:O=Example, CN=host"));
    let nameless = world.issue(|wish| wish.subject = String::new()).certificate;
    assert_eq!(nameless.identity().map(|id| id.to_string()).as_deref(), Some("fqdn:host.example"));
    assert_eq!(nameless.to_string(), "fqdn:host.example");
    let none = world.issue(|wish| wish.names.clear()).certificate;
    let told = none.name(&"fqdn:x".parse().expect("an identity")).expect_err("no SAN").to_string();
    assert_eq!(told, "ID fqdn:x is in no SAN; SANs are none");
}

#[test]
fn files_are_pem_with_any_number_or_der_with_one() {
    let mut world = World::new();
    let leaf = world.issue(|_| {});
    let text = [b"a comment\n".to_vec(), leaf.key.clone(), leaf.pem(), pem(&world.middle.certificate())].concat();
    let read = certificates_from_file(&text).expect("two certificates");
    assert_eq!(read, [leaf.certificate.clone(), world.middle.certificate()]);
    assert_eq!(certificates_from_file(leaf.certificate.der()).expect("one"), core::slice::from_ref(&leaf.certificate));
    let told = certificates_from_file(&leaf.key).expect_err("a key").to_string();
    assert_eq!(told, "a certificate cannot be read: there is no CERTIFICATE in PEM or DER");
    let der = world.root.revocation_list(&[], NOW, NOW + DAY);
    let both = [list_pem(&der), list_pem(&der)].concat();
    assert_eq!(lists_from_file("x", &both).expect("two lists").len(), 2);
    assert_eq!(lists_from_file("x", &der).expect("a list").len(), 1);
    let told = lists_from_file("x.crl", &text).expect_err("no list").to_string();
    assert_eq!(told, "the revocation list x.crl: there is no X509 CRL in PEM or DER");
}

#[test]
fn certificates_are_taken_out_of_pkcs7() {
    use openssl::pkcs7::{Pkcs7, Pkcs7Flags};
    use openssl::pkey::PKey;
    use openssl::stack::Stack;
    use openssl::x509::X509;
    let mut world = World::new();
    let leaf = world.issue(|_| {});
    let x509 = |certificate: &Certificate| X509::from_der(certificate.der()).expect("a certificate");
    let key = PKey::private_key_from_pem(&leaf.key).expect("a key");
    let mut others = Stack::new().expect("a stack");
    others.push(x509(&world.middle.certificate())).expect("room");
    let wrapped = Pkcs7::sign(&x509(&leaf.certificate), &key, &others, b"", Pkcs7Flags::empty()).expect("signed");
    let mut read = certificates_from_pkcs7(&wrapped.to_der().expect("DER")).expect("two certificates");
    read.sort_by_key(|certificate| *certificate != leaf.certificate);
    assert_eq!(read, [leaf.certificate.clone(), world.middle.certificate()]);
    assert!(certificates_from_pkcs7(leaf.certificate.der()).is_err());
    assert!(certificates_from_pkcs7(&[]).is_err());
}

#[test]
fn changed_certificates_never_panic_and_never_pass() {
    let mut world = World::new();
    let leaf = world.issue(|_| {});
    let der = leaf.certificate.der();
    let trust = world.trust();
    for at in 0..der.len() {
        let mut changed = der.to_vec();
        changed[at] ^= 0x41;
        let Ok(certificate) = Certificate::from_der(&changed) else { continue };
        assert!(trust.check(&[certificate, world.middle.certificate()], NOW, &[]).is_err(), "octet {at}");
        let _ = Certificate::from_der(&der[..at]);
    }
    let long = vec![0x30; MAX_OCTETS + 1];
    let told = Certificate::from_der(&long).expect_err("too long").to_string();
    assert_eq!(told, "a certificate cannot be read: 16385 octets, allowed are 16384");
}
