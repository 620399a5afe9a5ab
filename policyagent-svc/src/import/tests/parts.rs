//! The parts: syntaxes, values, proposals, identities, selectors, secrets.
use std::path::Path;

use super::super::connection::Offer;
use super::super::files::{Memory, matching};
use super::super::identity::{self, Id};
use super::super::ledger::{At, Entry, Fate};
use super::super::proposal::{self, Reading};
use super::super::{ImportError, Syntax, secrets, selector, values};
use super::imported;

fn known(text: &str) -> Id {
    Id::Known(text.to_owned())
}

#[test]
fn strongswans_identities() {
    for (text, id) in [
        ("%any", Id::Any),
        ("10.9.0.1", known("10.9.0.1")),
        ("2001:db8::1", known("2001:db8::1")),
        ("moon.example", known("fqdn:moon.example")),
        ("@moon", known("fqdn:moon")),
        ("joe@moon.example", known("user-fqdn:joe@moon.example")),
        ("@@joe@moon.example", known("user-fqdn:joe@moon.example")),
        ("@#6b65", known("key-id:6b65")),
        ("keyid:group", known("key-id:67726f7570")),
        ("keyid:#0a0B", known("key-id:0a0b")),
        ("fqdn:10.9.0.1", known("fqdn:10.9.0.1")),
        ("email:joe@moon.example", known("user-fqdn:joe@moon.example")),
        ("ipv4:#0a090001", known("10.9.0.1")),
        ("C=CH, O=Example, CN=moon", known("dn:C=CH, O=Example, CN=moon")),
        ("/C=CH/O=Example/CN=moon", known("dn:C=CH, O=Example, CN=moon")),
        ("C=CH,O=Example,CN=*", known("dn:C=CH, O=Example, CN=*")),
        ("10.9.0.0/24", known("10.9.0.0/24")),
    ] {
        assert_eq!(identity::strongswan(text), id, "{text}");
    }
    for text in ["*.moon.example", "*@moon.example", "asn1dn:#3000", "@#6b6", "a b", "no=type"] {
        assert!(matches!(identity::strongswan(text), Id::Unknown(_)), "{text}");
    }
}

#[test]
fn libreswans_identities() {
    for (text, id) in [
        ("%fromcert", Id::Any),
        ("10.9.0.1", known("10.9.0.1")),
        ("@moon", known("fqdn:moon")),
        ("@joe@moon.example", known("user-fqdn:joe@moon.example")),
        ("@[group name]", known("key-id:67726f7570206e616d65")),
        ("C=CH, O=Foo,, Bar, CN=moon", known("dn:C=CH, O=Foo\\, Bar, CN=moon")),
    ] {
        assert_eq!(identity::libreswan(text), id, "{text}");
    }
    for text in ["moon.example", "%myid", "@~3000"] {
        assert!(matches!(identity::libreswan(text), Id::Unknown(_)), "{text}");
    }
}

fn entry(value: &str) -> std::rc::Rc<Entry> {
    Entry::new(At { file: "f".into(), line: 1 }, "conn a", "ike", value)
}

/// Main-mode offers, and the fate of the option.
fn main_mode(syntax: Syntax, value: &str) -> (Vec<String>, Fate) {
    let entry = entry(value);
    entry.translated();
    (proposal::main_mode(Some(&entry), syntax), entry.state().0)
}

#[test]
fn proposals_of_main_mode() {
    use Syntax::{IpsecConf, Libreswan, Swanctl};
    for (syntax, value, offers, fate) in [
        (Swanctl, "aes256-sha256-modp2048", &["aes256-sha256-modp2048"][..], Fate::Translated),
        (Swanctl, "aes-sha-ecp256, 3des-md5-modp1024", &["aes128-sha1-ecp256", "3des-md5-modp1024"], Fate::Translated),
        (Swanctl, "aes256-sha2_512-prfsha512-modp4096", &["aes256-sha512-modp4096"], Fate::Translated),
        (Swanctl, "aes256-sha256-prfsha1-modp2048", &[], Fate::Lost),
        (Swanctl, "aes256-aes128-sha256-sha1-modp2048", &["aes256-sha256-modp2048"], Fate::Different),
        (Swanctl, "aes256gcm16-prfsha256-modp2048", &[], Fate::Lost),
        (Swanctl, "aes256-sha256-x25519,aes256-sha256-ecp384", &["aes256-sha256-ecp384"], Fate::Lost),
        (Swanctl, "aes256-modp2048", &[], Fate::Lost),
        (IpsecConf, "aes256-sha256-modp2048!", &["aes256-sha256-modp2048"], Fate::Translated),
        (IpsecConf, "aes256-sha256-modp2048", &["aes256-sha256-modp2048"], Fate::Different),
        (Libreswan, "aes256-sha2_256;modp2048", &["aes256-sha256-modp2048"], Fate::Translated),
        (Libreswan, "aes256-sha2;dh19", &["aes256-sha256-ecp256"], Fate::Translated),
        // As `ipsec algparse -v1` completes it.
        (Libreswan, "3des-sha1", &["3des-sha1-modp2048", "3des-sha1-modp1536"], Fate::Translated),
        (Libreswan, "aes-sha1;dh14", &["aes256-sha1-modp2048", "aes128-sha1-modp2048"], Fate::Translated),
        (Libreswan, "aes_gcm256-sha2", &[], Fate::Lost),
        (Libreswan, "aes128+aes256-sha1", &[], Fate::Lost),
    ] {
        assert_eq!(main_mode(syntax, value), (offers.iter().map(|one| (*one).to_owned()).collect(), fate), "{value}");
    }
    for syntax in [Swanctl, IpsecConf, Libreswan] {
        assert!(proposal::main_mode(None, syntax).len() > 5, "defaults are written out");
    }
}

#[test]
fn proposals_of_quick_mode() {
    let reading = Reading { syntax: Syntax::Swanctl, ah: false, sha256_96: false, compression: None };
    let libreswan = Reading { syntax: Syntax::Libreswan, ..reading };
    for (reading, value, algorithms, group, fate) in [
        (
            reading,
            "aes256-sha256-modp2048,aes128gcm64-modp2048",
            &["aes256-sha256", "aes128gcm8"][..],
            Some("modp2048"),
            Fate::Translated,
        ),
        (reading, "null-sha1", &["null-sha1"], None, Fate::Translated),
        (reading, "aes128ctr-aesxcbc", &["aes128ctr-aesxcbc"], None, Fate::Translated),
        (reading, "aes128-sha1-modp2048,aes128-sha1", &["aes128-sha1"], Some("modp2048"), Fate::Different),
        (reading, "chacha20poly1305,aes128-sha1", &["aes128-sha1"], None, Fate::Lost),
        (reading, "aes128-sha256,aes128-sha256_96", &["aes128-sha256"], None, Fate::Lost),
        (Reading { sha256_96: true, ..reading }, "aes128-sha256", &["aes128-sha256_96"], None, Fate::Translated),
        (Reading { ah: true, ..reading }, "sha256-ecp256", &["sha256"], Some("ecp256"), Fate::Translated),
        (Reading { ah: true, ..reading }, "aes128-sha256", &[], None, Fate::Lost),
        (libreswan, "aes_gcm_b", &["aes256gcm12", "aes128gcm12"], None, Fate::Translated),
        (libreswan, "aes_gcm256-null", &["aes256gcm16"], None, Fate::Translated),
        // As `ipsec algparse -v1 esp=aes256` completes it.
        (libreswan, "aes256", &["aes256-sha1"], None, Fate::Translated),
        (libreswan, "aes128-sha2_512;dh15", &["aes128-sha512"], Some("modp3072"), Fate::Translated),
    ] {
        let entry = entry(value);
        entry.translated();
        let read = proposal::quick_mode(Some(&entry), reading);
        let found: Vec<&str> = read.offers.iter().map(|offer| offer.algorithms.as_str()).collect();
        assert_eq!((found.as_slice(), read.group, entry.state().0), (algorithms, group, fate), "{value}");
    }
    let both =
        |compression| proposal::quick_mode(Some(&entry("aes128-sha1-esn-noesn")), Reading { compression, ..reading });
    let terms = |offer: &Offer| (offer.compression, offer.extended_sequence_numbers);
    assert_eq!(both(None).offers.iter().map(terms).collect::<Vec<_>>(), [(false, true), (false, false)]);
    let preferred: Vec<_> = both(Some(false)).offers.iter().map(terms).collect();
    assert_eq!(preferred, [(true, true), (true, false), (false, true), (false, false)]);
    assert!(both(Some(true)).offers.iter().all(|offer| offer.compression));
}

#[test]
fn times_and_octets() {
    for (text, seconds) in [("90", 90), ("3m", 180), ("1.5h", 5_400), ("2d", 172_800), (" 4h ", 14_400)] {
        assert_eq!(values::seconds(text), Some(seconds), "{text}");
    }
    for (text, octets) in [("1000000", 1_000_000), ("2KiB", 2_048), ("1GiB", 1 << 30)] {
        assert_eq!(values::octets(text), Some(octets), "{text}");
    }
    for text in ["", "h", "-1", "1x", "99999999999999999999", "1.h", "18446744073709551615d"] {
        assert_eq!(values::seconds(text), None, "{text}");
    }
}

#[test]
fn selectors() {
    for (text, prefix) in [
        ("10.1.0.0/16", "10.1.0.0/16"),
        ("10.1.0.0/255.255.0.0", "10.1.0.0/16"),
        ("10.9.0.1", "10.9.0.1"),
        ("10.1.0.0-10.1.255.255", "10.1.0.0/16"),
        ("2001:db8::/32", "2001:db8::/32"),
        ("0.0.0.0-255.255.255.255", "0.0.0.0/0"),
        ("::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "::/0"),
    ] {
        assert_eq!(selector::prefix(text).map(|prefix| prefix.to_string()).as_deref(), Ok(prefix), "{text}");
    }
    for text in
        ["10.1.0.0/33", "10.1.0.0/255.0.255.0", "10.1.0.1-10.1.0.9", "224.0.0.1", "fe80::1", "net", "10.1.0.9-10.1.0.1"]
    {
        assert!(selector::prefix(text).is_err(), "{text}");
    }
}

#[test]
fn ranges_and_ports_stand_in_filters() {
    let text = "connections { a {\n version = 1\n remote_addrs = 10.9.0.2\n local { auth = psk }\n remote { auth = psk }\n children { c {\n\
        local_ts = 10.1.0.1-10.1.0.9[udp/l2tp]\n remote_ts = LIST } } } }\nsecrets { ike { secret = x } }\n";
    let filters = |list: &str| {
        let imported =
            imported(None, &[("/f", &text.replace("LIST", list)), ("/etc/services", "nfs 2049/tcp nfsd\n")], &[]);
        let document = imported.expect("it is read").document;
        document.lines().filter(|line| line.contains("source =")).map(|line| line.trim().to_owned()).collect::<Vec<_>>()
    };
    let side = "{ source = \"10.1.0.1-10.1.0.9\", destination = ";
    for (list, rest) in [
        ("10.2.0.0/16[17]", "\"10.2.0.0/16\", protocol = \"udp\", source_port = 1701 },"),
        ("dynamic[/nfsd]", "none"),
        (
            "10.2.0.0/16[udp/nfsd]",
            "\"10.2.0.0/16\", protocol = \"udp\", source_port = 1701, destination_port = 2049 },",
        ),
        ("10.2.0.0/16[tcp]", "none"),
        ("2001:db8::/32", "none"),
        ("10.2.0.0/16[udp/1-9]", "none"),
    ] {
        let wanted: Vec<String> = if rest == "none" { Vec::new() } else { vec![format!("{side}{rest}")] };
        assert_eq!(filters(list), wanted, "{list}");
    }
}

#[test]
fn names_of_included_files() {
    let files =
        Memory::new(&[("/d/a.conf", ""), ("/d/b.conf", ""), ("/d/.c.conf", ""), ("/d/b.txt", ""), ("/e/f/x", "")]);
    let found = |pattern: &str| -> Vec<String> {
        matching(&files, Path::new(pattern)).iter().map(|path| path.display().to_string()).collect()
    };
    assert_eq!(found("/d/*.conf"), ["/d/a.conf", "/d/b.conf"]);
    assert_eq!(found("/d/[!a].*"), ["/d/b.conf", "/d/b.txt"]);
    assert_eq!(found("/?/f/*"), ["/e/f/x"]);
    assert_eq!(found("/d/[a-b].conf"), ["/d/a.conf", "/d/b.conf"]);
    assert_eq!(found("/d/none"), ["/d/none"]);
    assert_eq!(found("/d/**********z"), Vec::<String>::new());
}

#[test]
fn keys_as_they_are_written() {
    let octets = |text: &str| secrets::octets(text, Syntax::Libreswan).map(|octets| octets.to_vec());
    assert_eq!(octets("0x00ff_0a"), Ok(vec![0, 255, 10]));
    assert_eq!(octets("0sAP8K"), Ok(vec![0, 255, 10]));
    assert_eq!(octets("0sAP8="), Ok(vec![0, 255]));
    assert_eq!(octets("0ttext"), Ok(b"text".to_vec()));
    assert_eq!(octets("text"), Ok(b"text".to_vec()));
    for text in ["0x0", "0xzz", "0s*"] {
        assert!(octets(text).is_err(), "{text}");
    }
}

/// The fault that a text has.
fn fault(syntax: Syntax, text: &str) -> String {
    match imported(Some(syntax), &[("/f", text), ("/self", "include self\n")], &["/f"]) {
        Ok(_) => "none".to_owned(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn faults_of_syntax_have_a_line() {
    for (text, wanted) in [
        ("a {\n b = 1\n", "/f:3: the section of line 1 has no end"),
        ("a = \"x\n", "/f:2: the quote of line 1 has no end"),
        ("}\n", "/f:1: } stands where a name is allowed"),
        ("a : {\n}\n", "/f:1: the section names nothing to build on"),
        ("a b\n", "/f:1: a word follows a name, allowed: = or {"),
        ("\na : nothing {\n}\n", "/f:2: builds on section \"nothing\", which is not there"),
        ("include /self\n", "/self:1: files are included more than"),
        ("include /none\n", "/none: entity not found"),
    ] {
        let found = fault(Syntax::Swanctl, text);
        assert!(found.starts_with(wanted), "{text:?}: {found}");
    }
    for (text, wanted) in [
        ("\tleft=1\n", "/f:1: option \"left\" is in no section"),
        ("conn a\n\tleft\n", "/f:2: \"left\" is no section"),
        ("conn a\n\tleft=\"x\n", "/f:2: a quote has no end"),
        ("conn a\n\talso=b\n", "/f:2: also=b names a section that is not there"),
    ] {
        let found = match imported(Some(Syntax::IpsecConf), &[("/f", text)], &[]) {
            Ok(_) => "none".to_owned(),
            Err(error) => error.to_string(),
        };
        assert!(found.starts_with(wanted), "{text:?}: {found}");
    }
    let secrets = |text: &str| match imported(Some(Syntax::IpsecConf), &[("/f", "conn a\n"), ("/s", text)], &["/s"]) {
        Ok(_) => "none".to_owned(),
        Err(error) => error.to_string(),
    };
    assert!(secrets("a b\n").starts_with("/s:1: has no colon"), "{}", secrets("a b\n"));
    assert!(secrets("\n: PSK \"x\n").starts_with("/s:2: a quote has no end"));
}

#[test]
fn sections_that_build_on_themselves_or_on_too_many_end() {
    let circle = "a : b {\n x = 1\n}\nb : a {\n y = 1\n}\nconnections : a {\n c : connections {\n }\n}\n";
    assert_eq!(fault(Syntax::Swanctl, circle), "none");
    let mut many = String::from("s0 {\n x = 1\n}\n");
    for number in 1..20 {
        let before = number - 1;
        many += &format!("s{number} {{\n a : s{before} {{\n }}\n b : s{before} {{\n }}\n c : s{before} {{\n }}\n}}\n");
    }
    assert!(fault(Syntax::Swanctl, &many).contains("more than 100000 options"), "{}", fault(Syntax::Swanctl, &many));
    let also = "conn a\n\talso=b\n\tleft=10.9.0.1\nconn b\n\talso=a\n\tright=10.9.0.2\n";
    assert!(imported(Some(Syntax::IpsecConf), &[("/f", also)], &[]).is_ok());
}

#[test]
fn whose_a_file_is_shows_or_is_asked() {
    let syntax = |text: &str| match imported(None, &[("/f", text)], &[]) {
        Ok(imported) => imported.report.from,
        Err(ImportError::Unclear { .. }) => "unclear",
        Err(error) => panic!("{error}"),
    };
    assert_eq!(syntax("# x\nconnections {\n}\n"), Syntax::Swanctl.name());
    assert_eq!(syntax("conn a\n\tkeyexchange=ikev1\n"), Syntax::IpsecConf.name());
    assert_eq!(syntax("conn a\n\tikev2=no\n"), Syntax::Libreswan.name());
    assert_eq!(syntax("version 2\nconn a\n\tleft=10.9.0.1\n"), Syntax::Libreswan.name());
    assert_eq!(syntax("conn a\n\tleft=10.9.0.1\n"), "unclear");
    assert_eq!(syntax("hello\n"), "unclear");
    assert_eq!(syntax("include conf.d/*.conf\n"), "unclear");
    let by_name = imported(None, &[("/etc/swanctl/swanctl.conf", "include conf.d/*.conf\n")], &[]).expect("it is read");
    assert_eq!(by_name.report.from, Syntax::Swanctl.name());
}

#[test]
fn no_secret_is_in_the_report() {
    let swanctl = "connections { a {\n version = 1\n remote_addrs = 10.9.0.2\n local { auth = psk }\n remote { auth = psk }\n children { c {} } } }\n\
        secrets { ike { secret = hidden } token { pin = hidden } }\n";
    let conf = "conn a\n\tkeyexchange=ikev1\n\tauto=add\n\tleft=10.9.0.1\n\tright=10.9.0.2\n\tauthby=psk\n";
    for (syntax, text) in [(Syntax::Swanctl, swanctl), (Syntax::IpsecConf, conf)] {
        let secrets = ": PSK hidden\njoe : XAUTH hidden\n: RSA key.pem hidden\n";
        let secrets_file: &[&str] = if syntax == Syntax::Swanctl { &[] } else { &["/s"] };
        let imported =
            imported(Some(syntax), &[("/f", text), ("/s", secrets)], secrets_file).expect("it is translated");
        assert!(imported.document.contains("preshared_key = \"hidden\""), "{}", *imported.document);
        let json = serde_json::to_string(&imported.report).expect("JSON");
        assert!(!imported.report.text().contains("hidden") && !json.contains("hidden"), "{json}");
    }
}

#[test]
fn what_is_badly_written_among_secrets_is_not_repeated() {
    for text in [
        "secrets { ike { secret \"hidden\" } }\n",
        "secrets { ike { secret =\n \"hidden\" } }\n",
        "secrets { ike { hidden hidden } }\n",
    ] {
        let error = imported(Some(Syntax::Swanctl), &[("/f", text)], &[]).map(|_| ()).expect_err("a fault");
        assert!(!error.to_string().contains("hidden"), "{error}");
    }
    let swanctl = "connections { a {\n version = 1\n remote_addrs = 10.9.0.2\n local { auth = psk }\n remote { auth = psk }\n children { c {} } } }\n\
        secrets { ike { secret = k\n Secret = hidden\n passphrase = hidden } }\n";
    let conf = "conn a\n\tkeyexchange=ikev1\n\tauto=add\n\tleft=10.9.0.1\n\tright=10.9.0.2\n\tauthby=psk\n";
    let secrets = ": PSK k\nA B : \"hidden\"\nC D PSK \"hidden:\" : PSK y\n";
    for (syntax, text, files) in [(Syntax::Swanctl, swanctl, &[][..]), (Syntax::IpsecConf, conf, &["/s"][..])] {
        let imported = imported(Some(syntax), &[("/f", text), ("/s", secrets)], files).expect("it is read");
        let report = imported.report.text();
        assert!(!report.to_ascii_lowercase().contains("= hidden") && !report.contains("HIDDEN"), "{report}");
    }
}

#[test]
fn the_key_that_fits_best_is_taken() {
    let conf = "conn a\n\tkeyexchange=ikev1\n\tauto=add\n\tleft=10.9.0.1\n\tleftid=@moon\n\tright=10.9.0.2\n\trightid=@sun\n\tauthby=psk\n";
    for (secrets, key) in [
        (": PSK all\n@moon @sun : PSK both\n", Some("both")),
        (": PSK all\n%any @sun : PSK any\n", Some("any")),
        ("10.9.0.2 : PSK address\n: PSK all\n", Some("address")),
        ("@other @third : PSK other\n", None),
        ("@moon @sun : PSK first\n@sun @moon : PSK second\n", Some("first")),
    ] {
        let imported =
            imported(Some(Syntax::IpsecConf), &[("/f", conf), ("/s", secrets)], &["/s"]).expect("it is read");
        let written =
            imported.document.lines().find_map(|line| line.strip_prefix("authentication = [{ preshared_key = "));
        assert_eq!(written.map(str::to_owned), key.map(|key| format!("\"{key}\" }}]")), "{secrets}");
    }
}

#[test]
fn what_stands_in_a_store_stays_and_names_are_not_taken_twice() {
    let conf = "conn a\n\tkeyexchange=ikev1\n\tauto=add\n\tleft=10.9.0.1\n\tright=10.9.0.2\n\tauthby=psk\n";
    let made =
        imported(Some(Syntax::IpsecConf), &[("/f", conf), ("/s", ": PSK x\n")], &["/s"]).expect("it is translated");
    let path = Path::new("/policy.toml");
    let append = |text: &str| super::super::append(path, text, &made.document);
    assert_eq!(append(""), Ok(made.document.to_string()));
    let held = "# mine\n[[policy]]\nname = \"lab\"";
    let both = append(held).expect("no name is taken");
    assert!(both.starts_with(held) && both.ends_with(made.document.as_str()), "{both}");
    assert!(super::super::check(path, &both).is_ok(), "{both}");
    let error = append(&both).expect_err("all names are taken");
    assert_eq!(
        error,
        "/policy.toml has these already, and they are not overwritten: policy \"imported\", filter list \"a\", filter action \"a\""
    );
}

#[test]
fn the_seeds_are_survived() {
    for (name, octets) in crate::fuzzing::import_seeds() {
        crate::fuzzing::import(&octets);
        assert!(std::str::from_utf8(&octets).is_ok(), "{name}");
    }
}
