//! What is called translated is: each such option changes what is made.
use super::super::known::{Class, Known};
use super::super::{Syntax, ipsec_conf, swanctl};
use super::imported;

/// Options that say something only together with others: the whole configurations and those with certificates have them.
const TOGETHER: [&str; 21] = [
    "also",
    "alsoflip",
    "leftcert",
    "leftrsasigkey",
    "leftdns",
    "modeconfig",
    "xauth",
    "xauth_identity",
    "leftusername",
    "leftmodecfgserver",
    "modecfgpull",
    "modecfgdns",
    "modecfgdomains",
    "modecfgbanner",
    "leftaddresspool",
    "pull",
    "round",
    "certs",
    "cacerts",
    "xauth_id",
    "revocation",
];

/// What is made of a connection with this section; nothing if it is left out.
fn document(syntax: Syntax, text: &str) -> String {
    let secrets = ": PSK secret\n";
    let more: &[&str] = if syntax == Syntax::Swanctl { &[] } else { &["/s"] };
    let imported = imported(Some(syntax), &[("/f", text), ("/s", secrets)], more).expect("it is read");
    imported.document.to_string()
}

/// Tries each option of the table's `sections` with a value of `values`, set in `text` by `set`.
fn each_has_an_effect(
    syntax: Syntax,
    options: &[Known],
    sections: &[&str],
    values: &[(&str, &str)],
    set: impl Fn(&str, &str, &str) -> String,
) {
    let plain = document(syntax, &set("", "", ""));
    assert!(plain.contains("[[policy.rule]]"), "{plain}");
    let mut tried = 0;
    for (section, name, class) in options {
        let Class::Translated(to) = class else { continue };
        if !sections.contains(section) || to.starts_with("nothing") || TOGETHER.contains(name) {
            continue;
        }
        let value = values.iter().find(|(own, _)| own == name);
        let (_, value) = value.unwrap_or_else(|| panic!("no value to try {section} {name} with"));
        assert_ne!(document(syntax, &set(section, name, value)), plain, "{section} {name} = {value}");
        tried += 1;
    }
    assert!(tried > 20, "{tried}");
}

#[test]
fn of_strongswans_ipsec_conf() {
    let base = "conn a\n\tkeyexchange=ikev1\n\tauto=route\n\tauthby=psk\n\tright=10.9.0.2\n\trightsubnet=10.2.0.0/16\n\tesp=aes256-sha256!\n\
        \tdpdaction=hold\n\trightsourceip=\n";
    let values = [
        ("aggressive", "yes"),
        ("ah", "sha256!"),
        ("authby", "rsasig"),
        ("auto", "ignore"),
        ("compress", "yes"),
        ("dpdaction", "restart"),
        ("dpddelay", "9"),
        ("dpdtimeout", "99"),
        ("esp", "3des-sha1!"),
        ("ike", "3des-sha1-modp1024!"),
        ("ikelifetime", "1h"),
        ("inactivity", "5m"),
        ("keyexchange", "ikev2"),
        ("left", "10.9.0.1"),
        ("leftauth", "xauth"),
        ("leftauth2", "xauth"),
        ("leftid", "@moon"),
        ("leftprotoport", "tcp"),
        ("leftsourceip", "%config"),
        ("leftsubnet", "10.7.0.0/16"),
        ("lifebytes", "5000"),
        ("lifetime", "2h"),
        ("sha256_96", "yes"),
        ("type", "transport"),
    ];
    let set = |_: &str, name: &str, value: &str| {
        if name.is_empty() { base.to_owned() } else { format!("{base}\t{name}={value}\n") }
    };
    each_has_an_effect(Syntax::IpsecConf, ipsec_conf::strongswan::OPTIONS, &["conn"], &values, set);
}

#[test]
fn of_libreswans_ipsec_conf() {
    let base = "conn a\n\tikev2=no\n\tauto=add\n\tauthby=secret\n\tright=10.9.0.2\n\trightsubnet=10.2.0.0/16\n\tphase2alg=aes256-sha2_256\n\
        \tdpddelay=5\n\tdpdtimeout=50\n";
    let values = [
        ("aggressive", "yes"),
        ("ah", "sha2_256"),
        ("authby", "rsasig"),
        ("auto", "ignore"),
        ("compress", "yes"),
        ("dpdaction", "restart"),
        ("dpddelay", "9"),
        ("dpdtimeout", "99"),
        ("esp", "3des-sha1"),
        ("ike", "3des-sha1;modp1536"),
        ("ikelifetime", "1h"),
        ("ikev2", "yes"),
        ("keyexchange", "ikev2"),
        ("left", "10.9.0.1"),
        ("leftauth", "rsasig"),
        ("leftid", "@moon"),
        ("leftprotoport", "tcp"),
        ("leftmodecfgclient", "yes"),
        ("leftsubnet", "10.7.0.0/16"),
        ("leftsubnets", "{10.7.0.0/16 10.8.0.0/16}"),
        ("leftxauthserver", "yes"),
        ("leftxauthclient", "yes"),
        ("ipsec-max-bytes", "5000"),
        ("salifetime", "2h"),
        ("sha2-truncbug", "yes"),
        ("type", "transport"),
        ("pfs", "no"),
        ("pfsgroup", "modp3072"),
        ("phase2", "ah"),
    ];
    let set = |_: &str, name: &str, value: &str| {
        // These two say how the other end proves itself, too.
        let base = if name == "leftauth" { base.replace("\tauthby=secret\n", "") } else { base.to_owned() };
        if name.is_empty() { base } else { format!("{base}\t{name}={value}\n") }
    };
    each_has_an_effect(Syntax::Libreswan, ipsec_conf::libreswan::OPTIONS, &["conn"], &values, set);
}

#[test]
fn of_swanctl_conf() {
    use swanctl::options::{CHILD, CONNECTION, LOCAL, REMOTE};
    let values = [
        ("version", "2"),
        ("local_addrs", "10.9.0.1"),
        ("remote_addrs", "10.9.0.3"),
        ("proposals", "3des-sha1-modp1024"),
        ("vips", "0.0.0.0"),
        ("aggressive", "yes"),
        ("dpd_delay", "9s"),
        ("dpd_timeout", "99s"),
        ("unique", "keep"),
        ("reauth_time", "1h"),
        ("rekey_time", "2h"),
        ("over_time", "1m"),
        ("pools", "none"),
        ("auth", "pubkey"),
        ("id", "moon"),
        ("ah_proposals", "sha256"),
        ("esp_proposals", "3des-sha1"),
        ("sha256_96", "yes"),
        ("local_ts", "10.7.0.0/16"),
        ("remote_ts", "10.8.0.0/16"),
        ("life_time", "3h"),
        ("rekey_bytes", "5000"),
        ("life_bytes", "6000"),
        ("mode", "transport"),
        ("dpd_action", "restart"),
        ("ipcomp", "yes"),
        ("inactivity", "5m"),
    ];
    let set = |section: &str, name: &str, value: &str| {
        let line = |own: &str| if own == section { format!("{name} = {value}\n") } else { String::new() };
        format!(
            "connections {{ a {{\nversion = 1\nremote_addrs = 10.9.0.2\ndpd_delay = 5s\n{}local {{\nauth = psk\n{}}}\nremote {{\nauth = psk\n{}}}\n\
             children {{ c {{\nremote_ts = 10.2.0.0/16\nesp_proposals = aes256-sha256\n{}}} }} }} }}\nsecrets {{ ike {{ secret = x\n }} }}\n",
            line(CONNECTION),
            line(LOCAL),
            line(REMOTE),
            line(CHILD)
        )
    };
    each_has_an_effect(Syntax::Swanctl, swanctl::options::OPTIONS, &[CONNECTION, LOCAL, REMOTE, CHILD], &values, set);
}

/// The rules of an ipsec.conf with one connection, whose lines are given: whether each is active.
fn active(syntax: Syntax, lines: &[&str]) -> Vec<bool> {
    let conf =
        format!("conn a\n\tkeyexchange=ikev1\n\tikev2=no\n\tauto=add\n\tleft=10.9.0.1\n\t{}\n", lines.join("\n\t"));
    let secrets = ": PSK x\n";
    let imported = imported(Some(syntax), &[("/f", &conf), ("/s", secrets)], &["/s"]).expect("it is translated");
    let document: toml::Table = imported.document.parse().expect("a document");
    let rules = document["policy"][0].get("rule").and_then(|rules| rules.as_array()).cloned().unwrap_or_default();
    rules.iter().map(|rule| rule.get("active").is_none_or(|active| active.as_bool() == Some(true))).collect()
}

#[test]
fn what_would_take_more_than_was_meant_is_not_active() {
    let strongswan = |lines: &[&str]| active(Syntax::IpsecConf, lines);
    let libreswan = |lines: &[&str]| active(Syntax::Libreswan, lines);
    assert_eq!(strongswan(&["right=10.9.0.2", "authby=psk"]), [true]);
    // Whoever the peer is, it negotiates nothing: the traffic would be that with anybody.
    assert_eq!(libreswan(&["right=nosuch.invalid", "type=passthrough"]), [false]);
    assert_eq!(libreswan(&["right=10.9.0.2", "type=passthrough"]), [true]);
    // Groups are those of users, too.
    let users = ["right=%any", "rightsourceip=10.99.0.0/24", "leftsubnet=10.1.0.0/16"];
    let with = |more: &[&str]| strongswan(&[&users, more].concat());
    assert_eq!(with(&["rightauth=psk", "leftauth=psk", "rightauth2=xauth", "rightgroups2=staff"]), [false]);
    assert_eq!(with(&["rightauth=psk", "leftauth=psk", "rightauth2=xauth"]), [true]);
    assert_eq!(libreswan(&["right=10.9.0.2", "authby=secret", "dns-match-id=yes"]), [false]);
}

#[test]
fn of_a_peer_without_identity_it_is_the_address_whatever_else_is_wrong() {
    let conf = "conn a\n\tkeyexchange=ikev1\n\tauto=add\n\tleft=10.9.0.1\n\tleftid=*.moon.example\n\tright=10.9.0.2\n\tauthby=psk\n";
    let imported =
        imported(Some(Syntax::IpsecConf), &[("/f", conf), ("/s", ": PSK x\n")], &["/s"]).expect("it is translated");
    assert!(imported.document.contains("remote_id = \"10.9.0.2\""), "{}", *imported.document);
}

#[test]
fn zero_is_no_limit() {
    let conf = "conn a\n\tkeyexchange=ikev1\n\tauto=add\n\tleft=10.9.0.1\n\tright=10.9.0.2\n\tauthby=psk\n\tlifetime=0\n\tikelifetime=0s\n\t\
                dpddelay=0s\n\tdpdaction=clear\n";
    let imported =
        imported(Some(Syntax::IpsecConf), &[("/f", conf), ("/s", ": PSK x\n")], &["/s"]).expect("it is translated");
    assert!(!imported.document.contains("dpd") && !imported.document.contains("= 1\n"), "{}", *imported.document);
    assert!(!imported.document.contains("seconds = 1,"), "{}", *imported.document);
}
