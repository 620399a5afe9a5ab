//! Certificates: the private key is found by the certificate, what cannot be used leaves the connection out.
use ikecore::testing::authority::{Authority, KeyKind, Wish, pem};
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use super::super::files::System;
use super::super::{Context, Imported, Request, Syntax, import};
use std::collections::BTreeSet;

/// A directory with the files of both of strongSwan's configurations.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let directory = std::env::temp_dir().join(format!("policyagent-import-{name}-{}", std::process::id()));
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time").as_secs();
        let now = i64::try_from(now).expect("a time");
        let mut root = Authority::root("CN=root", KeyKind::P256, now);
        let own = root.issue(&Wish::new("O=Example, CN=moon", &["fqdn:moon.example"], KeyKind::P256, now));
        let other = root.issue(&Wish::new("O=Example, CN=other", &[], KeyKind::P256, now));
        let place = Self(directory);
        for (certificates, keys, authorities) in [
            ("x509", "private", "x509ca"),
            ("ipsec.d/certs", "ipsec.d/private", "ipsec.d/cacerts"),
            ("agent", "agent", "authorities"),
        ] {
            place.write(&format!("{certificates}/moon.pem"), &own.pem());
            place.write(&format!("{keys}/a-other.key"), &other.key);
            place.write(&format!("{keys}/moon.key"), &own.key);
            place.write(&format!("{authorities}/root.pem"), &pem(&root.certificate()));
            place.write(&format!("{authorities}/README"), b"no certificate");
        }
        place
    }

    fn write(&self, name: &str, octets: &[u8]) {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.0.join(name);
        std::fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
        std::fs::write(&path, octets).expect("a file");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("a mode");
    }

    fn imported(&self, syntax: Syntax, text: &str, secrets: &str) -> Imported {
        self.write("conf", text.as_bytes());
        self.write("secrets", secrets.as_bytes());
        let (certificates, authorities) = (self.0.join("agent"), self.0.join("authorities"));
        let addresses = BTreeSet::new();
        let context = Context::new(&System, &|_| None, &addresses, &certificates, &authorities);
        let (files, secrets) = ([self.0.join("conf")], [self.0.join("secrets")]);
        let secrets = if syntax == Syntax::Swanctl { &[][..] } else { &secrets[..] };
        let request = Request { syntax: Some(syntax), files: &files, secrets, policy: "imported", assign: true };
        import(&context, &request).expect("it is translated")
    }

    /// The lines of the document that begin so, without the directory.
    fn lines(&self, imported: &Imported, begin: &str) -> Vec<String> {
        let place = format!("{}/", self.0.display());
        imported.document.lines().filter(|line| line.starts_with(begin)).map(|line| line.replace(&place, "")).collect()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // What stays does no harm.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

const SWANCTL: &str = "connections { a {\n version = 1\n remote_addrs = 10.9.0.2\n local { auth = pubkey\n certs = moon.pem\n id = moon.example }\n\
    remote { auth = pubkey\n id = \"O=Example, CN=*\"\n REMOTE }\n children { c { remote_ts = 10.2.0.0/16 } } } }\n";

#[test]
fn swanctls_key_is_the_one_of_the_certificate() {
    let place = Place::new("swanctl");
    let imported = place.imported(Syntax::Swanctl, &SWANCTL.replace("REMOTE", ""), "");
    assert_eq!(
        place.lines(&imported, "authentication"),
        [
            "authentication = [{ certificate = \"x509/moon.pem\", private_key = \"private/moon.key\", ca = [\"x509ca/root.pem\"] }]"
        ]
    );
    assert_eq!(place.lines(&imported, "remote_id"), ["remote_id = \"dn:O=Example, CN=*\""]);
    assert_eq!(place.lines(&imported, "active"), Vec::<String>::new());
}

#[test]
fn what_narrows_the_peer_down_and_is_lost_makes_the_rule_inactive() {
    let place = Place::new("narrow");
    for lost in ["groups = sales", "cert_policy = 1.2.3", "ca_id = \"CN=root\"", "revocation = strict"] {
        let imported = place.imported(Syntax::Swanctl, &SWANCTL.replace("REMOTE", lost), "");
        assert_eq!(place.lines(&imported, "active"), ["active = false"], "{lost}");
        assert!(!imported.report.is_complete());
    }
}

#[test]
fn a_peers_certificate_by_name_makes_the_rule_inactive() {
    let place = Place::new("rightcert");
    let conf = CONF.replace("\trightid=\"O=Example, CN=sun\"\n", "\trightcert=sun.pem\n");
    let imported = place.imported(Syntax::IpsecConf, &conf, "");
    assert_eq!(place.lines(&imported, "active"), ["active = false"], "{}", *imported.document);
    assert!(imported.report.text().contains("NOT ACTIVE: any certificate of the authorities would do for the peer"));
}

#[test]
fn a_fault_of_the_model_leaves_out_its_connection_alone() {
    let place = Place::new("fault");
    let swanctl = SWANCTL.replace("REMOTE", "");
    let text = swanctl.replace("id = moon.example", "id = sun.example") + &swanctl.replace(" a {", " b {");
    let imported = place.imported(Syntax::Swanctl, &text, "");
    assert_eq!(place.lines(&imported, "name"), ["name = \"imported\"", "name = \"b\"", "name = \"b\"", "name = \"b\""]);
    let report = imported.report.text();
    assert!(
        report.contains("connection \"a\" LEFT OUT: local_id of rule") && report.contains("not in the certificate"),
        "{report}"
    );
}

const CONF: &str = "config setup\n\tstrictcrlpolicy=no\nconn a\n\tkeyexchange=ikev1\n\tauto=route\n\tleft=10.9.0.1\n\tleftcert=moon.pem\n\
    \tright=10.9.0.2\n\trightid=\"O=Example, CN=sun\"\n";

#[test]
fn ipsec_confs_key_is_named_by_the_secrets_or_found() {
    let place = Place::new("ipsec");
    for secrets in ["", ": RSA a-other.key\n: ECDSA moon.key\n"] {
        let imported = place.imported(Syntax::IpsecConf, CONF, secrets);
        let method = place.lines(&imported, "authentication");
        let wanted = "authentication = [{ certificate = \"ipsec.d/certs/moon.pem\", private_key = \"ipsec.d/private/moon.key\", ca = [\"ipsec.d/cacerts/root.pem\"] }]";
        assert_eq!(method, [wanted], "{secrets}");
    }
}

#[test]
fn hybrid_has_a_certificate_at_one_end_and_a_user_at_the_other() {
    let place = Place::new("hybrid");
    // The keys of these certificates are not RSA: the model refuses them, by name.
    let gateway = CONF.to_owned() + "\tleftauth=pubkey\n\trightauth=xauth\n";
    let report = place.imported(Syntax::IpsecConf, &gateway, "").report.text();
    assert!(report.contains("connection \"a\" -> \"a\""), "{report}");
    let client = CONF.to_owned() + "\tleftauth=xauth\n\trightauth=pubkey\n\txauth_identity=joe\n";
    let imported = place.imported(Syntax::IpsecConf, &client, "joe : XAUTH \"secret\"\n");
    assert_eq!(
        place.lines(&imported, "authentication"),
        ["authentication = [{ hybrid = true, ca = [\"ipsec.d/cacerts/root.pem\"] }]"]
    );
    assert_eq!(place.lines(&imported, "xauth"), ["xauth = { user = \"joe\", password = \"secret\" }"]);
}

#[test]
fn libreswans_certificate_is_looked_for_by_its_nickname() {
    let place = Place::new("libreswan");
    let text = "conn a\n\tikev2=no\n\tauto=add\n\tleft=10.9.0.1\n\tleftcert=NICK\n\tright=10.9.0.2\n\trightid=\"O=Example, CN=sun\"\n\trightca=%same\n";
    let imported = place.imported(Syntax::Libreswan, &text.replace("NICK", "moon"), "");
    assert_eq!(
        place.lines(&imported, "authentication"),
        [
            "authentication = [{ certificate = \"agent/moon.pem\", private_key = \"agent/moon.key\", ca = [\"authorities/root.pem\"] }]"
        ]
    );
    let imported = place.imported(Syntax::Libreswan, &text.replace("NICK", "sun"), "");
    assert!(imported.report.text().contains("pk12util"), "{}", imported.report.text());
}
