//! Certificate methods: what is read from the files, and each fault.
use super::*;
use ikecore::certificate::RevocationCheck;
use ikecore::policy::rule::CertificateMethod;
use ikecore::testing::authority::{Authority, KeyKind, Wish, list_pem, pem};
use std::fs;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

const METHOD: &str = "certificate = \"host.pem\", private_key = \"host.key\", ca = \"root.pem\"";

/// A directory with certificates and a policy file.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let directory = std::env::temp_dir().join(format!("policyagent-certificates-{name}-{}", std::process::id()));
        fs::create_dir_all(directory.join("many")).unwrap();
        let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap();
        let mut root = Authority::root("CN=root", KeyKind::P256, now);
        let mut middle = root.intermediate("CN=issuing", KeyKind::P256);
        let host = middle.issue(&Wish::new("O=Example, CN=host", &["fqdn:host.example"], KeyKind::P256, now));
        let old = middle.issue(&Wish { not_after: now - 9, ..Wish::new("CN=old", &[], KeyKind::P256, now) });
        let mail = middle.issue(&Wish { may_sign: false, ..Wish::new("CN=mail", &[], KeyKind::P256, now) });
        let chain = [host.pem(), pem(&middle.certificate()), pem(&root.certificate())].concat();
        let list = list_pem(&root.revocation_list(&[], now, now + 9));
        let files: [(&str, Vec<u8>); 11] = [
            ("host.pem", chain),
            ("host.key", host.key),
            ("root.pem", pem(&root.certificate())),
            ("many/a.pem", pem(&root.certificate())),
            ("many/b.crt", middle.certificate().der().to_vec()),
            ("many/README", b"not a certificate".to_vec()),
            ("root.crl", list),
            ("old.pem", old.pem()),
            ("old.key", old.key),
            ("mail.pem", mail.pem()),
            ("mail.key", mail.key),
        ];
        for (name, octets) in files {
            let path = directory.join(name);
            fs::write(&path, octets).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        }
        Self(directory)
    }

    fn read(&self, method: &str, more: &str) -> Result<PolicyFile, String> {
        let policy = self.0.join("policy.toml");
        let text = GOOD.replace(
            "authentication = [{ preshared_key = \"correct horse\" }]",
            &format!("authentication = [{{ {method} }}]{more}"),
        );
        fs::write(&policy, text).unwrap();
        PolicyFile::read(&policy).map_err(|error| error.to_string().replace(&format!("{}/", self.0.display()), ""))
    }

    fn method(&self, method: &str) -> CertificateMethod {
        let file = self.read(method, "").unwrap();
        assert!(file.warnings.is_empty(), "{:?}", file.warnings);
        let Method::Given(AuthMethod::Certificate(method)) = &file.policies[0].rules[0].authentication[0] else {
            panic!("a key")
        };
        method.as_ref().clone()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The example of the documentation, beside files as it names them.
pub(super) fn check_example(text: &str) {
    let place = Place::new("example");
    for (directory, file) in [("authorities", "root.pem"), ("lists", "root.crl")] {
        fs::create_dir_all(place.0.join(directory)).unwrap();
        fs::copy(place.0.join(file), place.0.join(directory).join(file)).unwrap();
    }
    let policy = place.0.join("certificates.toml");
    fs::write(&policy, text).unwrap();
    let file = PolicyFile::read(&policy).unwrap_or_else(|error| panic!("{error}"));
    assert!(file.assigned().is_some() && file.warnings.is_empty(), "{:?}", file.warnings);
}

#[test]
fn a_certificate_method_is_read_with_its_defaults_and_without_them() {
    let place = Place::new("read");
    let plain = place.method(METHOD);
    assert_eq!(plain.own.certificate.to_string(), "O=Example, CN=host");
    // The root is not sent: whoever trusts it has it.
    assert_eq!(plain.own.issuers.iter().map(ToString::to_string).collect::<Vec<_>>(), ["CN=issuing"]);
    assert_eq!(plain.own.private_key, place.0.join("host.key"));
    assert_eq!(plain.trust.authorities.len(), 1);
    assert_eq!((plain.trust.revocation_check, plain.trust.legacy), (RevocationCheck::Off, false));
    let full = place.method(
        "certificate = \"host.pem\", private_key = \"host.key\", ca = [\"many\", \"root.pem\"], crl = [\"root.crl\"], \
         crl_check = \"strict\", legacy = true",
    );
    let names: Vec<String> = full.trust.authorities.iter().map(ToString::to_string).collect();
    assert_eq!(names, ["CN=root", "CN=issuing"]);
    assert_eq!(full.trust.revocation_lists, [place.0.join("root.crl")]);
    assert_eq!((full.trust.revocation_check, full.trust.legacy), (RevocationCheck::Strict, true));
    let lists = place.method(&format!("{METHOD}, crl = \"root.crl\""));
    assert_eq!(lists.trust.revocation_check, RevocationCheck::Revoked);
}

#[test]
fn each_fault_of_a_certificate_method_names_the_file_and_what_is_allowed() {
    let place = Place::new("faults");
    let method = "method 1 in authentication of rule \"to b\"";
    let cases: [(&str, &str); 13] = [
        (
            "certificate = \"host.pem\", ca = \"root.pem\"",
            "has certificate without private_key, allowed: certificate, private_key and ca together",
        ),
        (
            "certificate = \"host.pem\", private_key = \"host.key\"",
            "has certificate without ca, allowed: certificate, private_key and ca together",
        ),
        ("preshared_key = \"k\", ca = \"root.pem\"", "has ca without certificate, allowed: both, or neither"),
        ("preshared_key = \"k\", certificate = \"host.pem\"", "has both preshared_key and certificate, allowed: one"),
        (
            "certificate = \"old.pem\", private_key = \"host.key\", ca = \"root.pem\"",
            "is host.key: the private key is not that of the certificate",
        ),
        (
            "certificate = \"host.pem\", private_key = \"root.pem\", ca = \"root.pem\"",
            "is root.pem: there is no unencrypted private key in PEM or DER (PKCS #8, PKCS #1 or SEC 1)",
        ),
        (
            "certificate = \"host.key\", private_key = \"host.key\", ca = \"root.pem\"",
            "is host.key: a certificate cannot be read: there is no CERTIFICATE in PEM or DER",
        ),
        (
            "certificate = \"mail.pem\", private_key = \"mail.key\", ca = \"root.pem\"",
            "is mail.pem: key usage of the certificate of CN=mail has neither digitalSignature nor nonRepudiation",
        ),
        (
            "certificate = \"no.pem\", private_key = \"host.key\", ca = \"root.pem\"",
            "is no.pem: No such file or directory",
        ),
        ("certificate = \"host.pem\", private_key = \"host.key\", ca = \"no\"", "is no: No such file or directory"),
        (
            "certificate = \"host.pem\", private_key = \"host.key\", ca = \"root.pem\", crl = \"no.crl\"",
            "is no.crl: No such file or directory",
        ),
        (
            "certificate = \"host.pem\", private_key = \"host.key\", ca = \"root.pem\", crl_check = \"strict\"",
            "needs crl, allowed without it: off",
        ),
        (
            "certificate = \"host.pem\", private_key = \"host.key\", ca = \"root.pem\", crl_check = \"hard\"",
            "is \"hard\", allowed: off, revoked, strict",
        ),
    ];
    for (text, expected) in cases {
        let told = place.read(text, "").expect_err(text);
        assert!(told.contains(expected) && told.contains(method), "{text}\nfound:    {told}\nexpected: {expected}");
    }
    let told = place.read("legacy = true", "").expect_err("nothing to prove with");
    assert!(told.contains("has legacy without certificate"), "{told}");
}

#[test]
fn what_is_no_fault_but_perhaps_not_meant_is_warned_of() {
    let place = Place::new("warnings");
    fs::set_permissions(place.0.join("host.key"), fs::Permissions::from_mode(0o640)).unwrap();
    let warnings = place.read(METHOD, "").unwrap().warnings;
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].message.contains("host.key, which others can read (mode 640); it should be 600"));
    let old = "certificate = \"old.pem\", private_key = \"old.key\", ca = \"root.pem\"";
    let warnings = place.read(old, "").unwrap().warnings;
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].message.contains("certificate of CN=old expired on"), "{}", warnings[0]);
}

#[test]
fn the_identity_that_is_sent_must_be_in_the_certificate() {
    let place = Place::new("identity");
    for own in ["fqdn:host.example", "dn:O=Example, CN=host", "dn:cn=HOST"] {
        let read = place.read(METHOD, &format!("\nlocal_id = \"{own}\"\nremote_id = \"dn:C=CH, CN=b\""));
        assert_eq!(read.is_ok(), own != "dn:cn=HOST", "{own}: {:?}", read.err());
    }
    let told = place.read(METHOD, "\nlocal_id = \"fqdn:x.example\"").expect_err("another name");
    let reason = "local_id of rule \"to b\" is not in the certificate of O=Example, CN=host: ID fqdn:x.example is in no \
                  SAN; SANs are fqdn:host.example";
    assert!(told.contains(reason), "{told}");
    let told = place.read(METHOD, "\nremote_id = \"dn:X=1\"").expect_err("no name");
    assert!(told.contains("\"dn:\" and a distinguished name as in C=CH, O=Example, CN=host"), "{told}");
}

#[test]
fn hybrid_authentication_has_one_half_of_a_certificate_method_at_each_end() {
    let place = Place::new("hybrid");
    let read = |method: &str, more: &str| place.read(method, more);
    let gateway = "hybrid = true, certificate = \"host.pem\", private_key = \"host.key\"";
    let client = "hybrid = true, ca = \"root.pem\"";
    for (method, trusts) in [(gateway, false), (client, true)] {
        let file = read(method, "").unwrap();
        let method = &file.policies[0].rules[0].authentication[0];
        let Some(method @ AuthMethod::Hybrid(_)) = method.given() else { panic!("not hybrid") };
        assert_eq!((method.trust().is_some(), method.own().is_some()), (trusts, !trusts));
    }
    for (method, told) in [
        (&format!("{METHOD}, hybrid = true"), "is hybrid, allowed: certificate and private_key, of the gateway, or ca"),
        (&format!("{client}, private_key = \"host.key\""), "is hybrid, allowed: "),
        (&format!("{gateway}, legacy = true"), "is hybrid, allowed: "),
        (&"hybrid = true".to_owned(), "is hybrid, allowed: "),
        (&"hybrid = true, preshared_key = \"k\"".to_owned(), "has both hybrid and preshared_key, allowed: one"),
        (&"hybrid = 1".to_owned(), "hybrid"),
    ] {
        let found = read(method, "").expect_err(method);
        assert!(found.contains(told), "{method}: {found}");
    }
}

#[test]
fn aggressive_mode_is_warned_of_by_what_it_shows() {
    let place = Place::new("aggressive");
    let aggressive = "\naggressive_mode = \"exposes the pre-shared key to guessing\"";
    for (method, shows) in
        [(METHOD, "shows the identities of both ends"), ("preshared_key = \"k\"", "shows a hash of the pre-shared key")]
    {
        let warnings = place.read(method, aggressive).unwrap().warnings;
        assert!(warnings.len() == 1 && warnings[0].message.contains(shows), "{warnings:?}");
    }
}
