mod certificates;
mod links;
mod schema;

use super::*;
use ikecore::crypto::group::Group;
use ikecore::identity::Identity;
use ikecore::policy::rule::AuthMethod;
use ikecore::policy::selector::Prefix;
use ikecore::proposal::suite::{EspCipher, Integrity, IpsecSuite, ProtectionSuite};
use std::os::unix::fs::PermissionsExt as _;

/// A small file without a fault; the tests change it.
pub(crate) const GOOD: &str = r#"[[policy]]
name = "lab"
assigned = true

[policy.main_mode]
offers = ["aes256-sha256-modp2048"]

[[policy.rule]]
name = "to b"
filter_list = "b hosts"
filter_action = "require"
authentication = [{ preshared_key = "correct horse" }]

[[filter_list]]
name = "b hosts"
filters = [{ source = "me", destination = "10.9.0.2" }]

[[filter_action]]
name = "require"
action = "negotiate"
offers = [{ esp = "aes256-sha256" }]
"#;

/// Parses text as a policy file.
pub(crate) fn parse(text: &str) -> Result<PolicyFile, DocumentError> {
    PolicyFile::parse(&Document::of("/x/policy.toml", text))
}

/// The faults of GOOD with `from` replaced by `to`, as they are printed.
fn faults(from: &str, to: &str) -> String {
    assert!(GOOD.contains(from), "{from}");
    let text = GOOD.replacen(from, to, 1);
    parse(&text).map(|file| format!("no fault, warnings {:?}", file.warnings)).unwrap_or_else(|error| error.to_string())
}

#[test]
fn the_good_file_is_read_with_its_defaults() {
    let file = parse(GOOD).unwrap();
    assert!(file.warnings.is_empty());
    let policy = file.assigned().unwrap();
    let main_mode = policy.main_mode.as_ref().unwrap();
    assert_eq!((main_mode.lifetime.seconds, main_mode.lifetime.kilobytes, main_mode.quick_mode_limit), (28800, 0, 0));
    let rule = &policy.rules[0];
    assert!(rule.active && rule.tunnel.is_none() && rule.local_id.is_none() && rule.remote_id.is_none());
    let Method::Given(AuthMethod::PreSharedKey(key)) = &rule.authentication[0] else { panic!("a certificate") };
    assert_eq!(key.expose(), b"correct horse");
    let filter = &file.filter_list(&rule.filter_list).unwrap().filters[0];
    assert_eq!((filter.source.clone(), filter.protocol, filter.mirrored), (Side::Me, 0, true));
    assert_eq!(filter.destination, Side::Prefix(Prefix::host("10.9.0.2".parse().unwrap())));
    let Action::Negotiate { offers, pfs, inbound_passthrough, fallback_to_clear, idle } =
        &file.filter_action(&rule.filter_action).unwrap().action
    else {
        panic!("negotiate");
    };
    assert_eq!((offers[0].lifetime.seconds, offers[0].lifetime.kilobytes), (3600, 100_000));
    assert_eq!((*pfs, *inbound_passthrough, *fallback_to_clear, *idle), (Pfs::Off, false, false, 0));
}

#[test]
fn each_fault_names_its_place_the_value_and_what_is_allowed() {
    let cases = [
        (
            "assigned = true",
            "assigned = \"yes\"",
            "/x/policy.toml:3:12: assigned of policy \"lab\" is the text \"yes\", allowed: true or false",
        ),
        (
            "assigned = true",
            "asigned = true",
            "/x/policy.toml:3:1: policy \"lab\" has no key \"asigned\"; did you mean \"assigned\"? allowed: name, \
             description, guid, last_modified, polling_interval, assigned, main_mode, rule, default_response",
        ),
        (
            "aes256-sha256-modp2048",
            "aes256-sha265-modp2049",
            "/x/policy.toml:6:11: the hash of offer 1 in offers of the main mode of policy \"lab\" is \"sha265\"; did you \
             mean \"sha256\"? allowed: sha512, sha384, sha256, sha1, md5",
        ),
        (
            "aes256-sha256-modp2048",
            "aes256-sha256",
            "/x/policy.toml:6:11: offer 1 in offers of the main mode of policy \"lab\" is \"aes256-sha256\", allowed: \
             cipher-hash-group, as in \"aes256-sha256-modp2048\"",
        ),
        (
            "offers = [\"aes256-sha256-modp2048\"]",
            "offers = []",
            "/x/policy.toml:6:10: offers of the main mode of policy \"lab\" is empty, allowed: at least one offer",
        ),
        (
            "filter_list = \"b hosts\"",
            "filter_list = \"b host\"",
            "/x/policy.toml:10:15: rule \"to b\" names the filter list \"b host\", which the file does not have; did you \
             mean \"b hosts\"? allowed: b hosts",
        ),
        (
            "filter_action = \"require\"",
            "filter_action = \"nothing\"",
            "/x/policy.toml:11:17: rule \"to b\" names the filter action \"nothing\", which the file does not have, \
             allowed: require",
        ),
        (
            "authentication = [{ preshared_key = \"correct horse\" }]\n",
            "",
            "/x/policy.toml:8:1: rule \"to b\" has no authentication, which is required: its filter action \"require\" \
             negotiates",
        ),
        (
            "\"10.9.0.2\"",
            "\"10.9.0.256\"",
            "/x/policy.toml:16:43: destination of filter 1 in filters of filter list \"b hosts\" is \"10.9.0.256\", \
             allowed: \"me\", \"any\", \"pool\", \"dns\", \"wins\", \"dhcp\", \"gateway\", an address, a prefix (10.1.0.0/16, 2001:db8::/32), an address and its mask \
             (10.1.0.0/255.255.0.0), a link-local address and its interface (fe80::1%eth0, fe80::%eth0/64), a range (10.0.0.1-10.0.0.9), the name of a \
             host with a dot (host.example)",
        ),
        (
            "\"10.9.0.2\"",
            "\"10.9.0.0/33\"",
            "/x/policy.toml:16:43: destination of filter 1 in filters of filter list \"b hosts\": prefix length 33 of \
             10.9.0.0 is out of range, allowed: 0 to 32",
        ),
        (
            "action = \"negotiate\"",
            "action = \"negociate\"",
            "/x/policy.toml:20:10: action of filter action \"require\" is \"negociate\"; did you mean \"negotiate\"? \
             allowed: permit, block, negotiate",
        ),
        (
            "aes256-sha256\" }",
            "aes256\" }",
            "/x/policy.toml:21:19: esp of offer 1 in offers of filter action \"require\" is \"aes256\" without an \
             integrity algorithm; allowed: aes256- followed by one of sha512, sha384, sha256, sha256_96, sha1, md5, aesxcbc, \
             or none if nobody shall know whether packets are forged",
        ),
        (
            "aes256-sha256\" }",
            "null-none\" }",
            "/x/policy.toml:21:19: esp of offer 1 in offers of filter action \"require\" is \"null-none\", which protects nothing; \
             allowed: an integrity algorithm with NULL",
        ),
        (
            "aes256-sha256\" }",
            "3des-none\", extended_sequence_numbers = true }",
            "/x/policy.toml:21:11: offer 1 in offers of filter action \"require\" is for extended sequence numbers, allowed only \
             with an integrity algorithm",
        ),
        (
            "aes256-sha256\" }",
            "aes256-sha256\", lifetime = 0 }",
            "/x/policy.toml:21:47: lifetime of offer 1 in offers of filter action \"require\" is 0, allowed: an integer \
             from 1 to 31536000",
        ),
        (
            "name = \"require\"\n",
            "",
            "/x/policy.toml:18:1: filter_action 1 in filter_action of the file has no name, which is required",
        ),
    ];
    for (from, to, expected) in cases {
        let found = faults(from, to);
        assert!(found.lines().any(|line| line == expected), "{to}\nfound:    {found}\nexpected: {expected}");
    }
}

#[test]
fn all_faults_of_a_file_come_at_once_in_the_order_of_lines() {
    let text =
        GOOD.replace("assigned = true", "assigned = 1").replace("\"me\"", "\"my\"").replace("negotiate", "allow");
    let DocumentError::Faults(faults) = parse(&text).unwrap_err() else { panic!("faults") };
    assert_eq!(faults.iter().map(|fault| fault.position.line).collect::<Vec<_>>(), vec![3, 16, 20]);
}

#[test]
fn a_syntax_error_has_a_place_and_does_not_repeat_the_line() {
    let found = faults("\"correct horse\" }", "\"correct horse }");
    assert!(found.starts_with("/x/policy.toml:12:"), "{found}");
    assert!(!found.contains("horse"), "{found}");
}

#[test]
fn no_fault_of_a_key_repeats_it() {
    for (from, to) in [
        ("[{ preshared_key = \"correct horse\" }]", "\"correct horse\""),
        ("{ preshared_key = \"correct horse\" }", "\"correct horse\""),
        ("preshared_key = \"correct horse\"", "preshared_key = [\"correct horse\"]"),
        ("preshared_key = \"correct horse\"", "presharedkey = \"correct horse\""),
        ("preshared_key = \"correct horse\"", "preshared_key = \"correct horse\", preshared_key_file = \"/x\""),
    ] {
        let found = faults(from, to);
        assert!(found.starts_with("/x/policy.toml:12:"), "{to}: {found}");
        assert!(!found.contains("horse"), "{to}: {found}");
    }
}

#[test]
fn names_are_unique() {
    let twice = format!(
        "{GOOD}\n[[filter_list]]\nname = \"b hosts\"\nfilters = [{{ source = \"me\", destination = \"any\" }}]\n"
    );
    let error = parse(&twice).unwrap_err().to_string();
    assert_eq!(error, "/x/policy.toml:23:1: the name \"b hosts\" is taken, by line 14; allowed: another name");
    let two = GOOD.replace("[[filter_list]]", "[[policy]]\nname = \"other\"\nassigned = true\n[[filter_list]]");
    let error = parse(&two).unwrap_err().to_string();
    assert_eq!(error, "/x/policy.toml:14:1: policy \"other\" is assigned, but \"lab\" is too; allowed: one");
}

#[test]
fn what_does_not_go_together_is_a_fault() {
    let cases = [
        ("\"10.9.0.2\" }", "\"10.9.0.2\", source_port = 80 }", "the protocol any has no ports"),
        (
            "\"10.9.0.2\" }",
            "\"10.9.0.2\", protocol = \"icmp\", destination_port = 80 }",
            "the protocol icmp has no ports",
        ),
        ("\"me\"", "\"2001:db8::1\"", "allowed: both IPv4 or both IPv6"),
        ("\"10.9.0.2\"", "\"me\"", "from me to me"),
        ("\"10.9.0.2\"", "\"224.0.0.0/4\"", "multicast can be permitted or blocked only"),
        ("action = \"negotiate\"", "action = \"permit\"", "offers of filter action \"require\" is for the action"),
        ("esp = \"aes256-sha256\"", "compression = true", "names no algorithms, allowed: esp, ah or both"),
        ("esp = \"aes256-sha256\"", "esp = \"aes256-sha256\", compression = 1", "compression"),
        ("esp = \"aes256-sha256\"", "esp = \"aes256gcm16-sha1\"", "authenticates by itself"),
        (
            "{ esp = \"aes256-sha256\" }",
            "{ ah = \"sha256\" }, { esp = \"aes256-sha256_96\" }, { esp = \"aes256-sha256\" }",
            "offer 3 in offers of filter action \"require\" is ESP AES-256-CBC HMAC-SHA-256-128, which peers cannot tell \
             from ESP AES-256-CBC HMAC-SHA-256-96 of an earlier offer",
        ),
        ("[policy.main_mode]\noffers = [\"aes256-sha256-modp2048\"]", "", "policy \"lab\" has no main_mode"),
        ("sha256-modp2048\"]", "sha256-modp2048\"]\nmaster_pfs = true\nquick_mode_limit = 5", "quick_mode_limit is 5"),
        ("horse\" }]", "horse\" }]\ntunnel = { local = \"10.0.0.1\", remote = \"10.0.0.1\" }", "to itself"),
        ("horse\" }]", "horse\" }]\ntunnel = { remote = \"ff02::1\" }", "allowed: the address of a host"),
        (
            "horse\" }]",
            "horse\" }]\ndpd = { action = \"restrat\" }",
            "/x/policy.toml:13:18: action of dpd of rule \"to b\" is \"restrat\"; did you mean \"restart\"? allowed: hold, \
             clear, restart",
        ),
        (
            "horse\" }]",
            "horse\" }]\ndpd = { delay = 0 }",
            "dpd of rule \"to b\" is 0, allowed: an integer from 1 to 86400",
        ),
        ("horse\" }]", "horse\" }]\nunique = true", "unique of rule \"to b\" is"),
        ("horse\" }]", "horse\" }]\nremote_id = \"host.example\"", "allowed: an address, a subnet \"10.9.0.0/24\","),
    ];
    for (from, to, expected) in cases {
        let found = faults(from, to);
        assert!(found.contains(expected), "{to}: {found}");
    }
}

/// `AES-128-GCM-8` is `aes128gcm8`; CBC has no name of its own.
#[test]
fn every_suite_has_a_name_and_either_kind_of_sequence_numbers() {
    let suite = |offer: &str| {
        let file = parse(&GOOD.replace("esp = \"aes256-sha256\"", offer)).unwrap_or_else(|e| panic!("{offer}: {e:?}"));
        match &file.filter_actions[0].action {
            Action::Negotiate { offers, .. } => offers[0].suite,
            other => panic!("{other:?}"),
        }
    };
    let extended = |text: &str| {
        let file = parse(&GOOD.replace("\"aes256-sha256\" }", text)).unwrap();
        match &file.filter_actions[0].action {
            Action::Negotiate { offers, .. } => {
                offers.iter().map(|offer| offer.extended_sequence_numbers).collect::<Vec<_>>()
            }
            other => panic!("{other:?}"),
        }
    };
    let both = "\"aes256-sha256\", extended_sequence_numbers = true }, { esp = \"aes256-sha256\" }";
    assert_eq!(extended(both), [true, false]);
    for cipher in EspCipher::ALL {
        let name = cipher.name().to_lowercase().replace('-', "").replace("cbc", "");
        let integrity = (!cipher.is_aead()).then_some(Integrity::HmacSha1_96);
        let suffix = if cipher.is_aead() { "" } else { "-sha1" };
        assert_eq!(suite(&format!("esp = \"{name}{suffix}\"")), IpsecSuite::Esp { cipher, integrity }.alone());
    }
    let bare = IpsecSuite::Esp { cipher: EspCipher::TripleDesCbc, integrity: None };
    assert_eq!(suite("esp = \"3des-none\""), bare.alone());
    assert_eq!(algorithms::suite_text(bare), "3des-none");
    let names = ["md5", "sha1", "sha256", "sha256_96", "sha384", "sha512", "aesxcbc"];
    for (name, integrity) in names.into_iter().zip(Integrity::ALL) {
        assert_eq!(suite(&format!("ah = \"{name}\"")), IpsecSuite::Ah { integrity }.alone());
    }
    let esp = IpsecSuite::Esp { cipher: EspCipher::Aes128Cbc, integrity: Some(Integrity::HmacSha1_96) }.alone();
    let compressed = ProtectionSuite { compression: true, ..esp };
    assert_eq!(suite("esp = \"aes128-sha1\", compression = true"), compressed);
    let outer = Some(Integrity::HmacSha512_256);
    assert_eq!(suite("esp = \"aes128-sha1\", ah = \"sha512\""), ProtectionSuite { outer, ..esp });
    let all = "esp = \"aes128-sha1\", ah = \"sha512\", compression = true";
    assert_eq!(suite(all), ProtectionSuite { outer, ..compressed });
    assert_eq!(
        suite("ah = \"sha1\", compression = false"),
        IpsecSuite::Ah { integrity: Integrity::HmacSha1_96 }.alone()
    );
}

#[test]
fn sides_protocols_identities_and_groups_in_all_their_forms() {
    let text = GOOD
        .replace(
            "filters = [{ source = \"me\", destination = \"10.9.0.2\" }]",
            "filters = [\n{ source = \"10.1.2.3/255.255.0.0\", destination = \"any\", protocol = 6, destination_port = 22 },\n\
             { source = \"2001:db8::/32\", destination = \"me\", protocol = \"icmpv6\", mirrored = false },\n]",
        )
        .replace("horse\" }]", "horse\" }]\nlocal_id = \"user-fqdn:me@host.example\"\nremote_id = \"key-id:00ff\"")
        .replace("{ esp = \"aes256-sha256\" }]", "{ ah = \"SHA1\", lifetime = { kilobytes = 0 } }]\npfs = \"ecp384\"\nidle = 300");
    let file = parse(&text).unwrap();
    assert_eq!(file.warnings.len(), 1, "host bits: {:?}", file.warnings);
    let filters = &file.filter_lists[0].filters;
    let net = Prefix::new("10.1.0.0".parse().unwrap(), 16).unwrap();
    assert_eq!((filters[0].source.clone(), filters[0].destination_port), (Side::Prefix(net), 22));
    assert_eq!((filters[1].protocol, filters[1].mirrored, filters[1].position.line), (58, false, 20));
    let rule = &file.policies[0].rules[0];
    assert_eq!(rule.local_id, Some(Identity::UserFqdn("me@host.example".into())));
    assert_eq!(rule.remote_id, Some(Identity::KeyId(vec![0, 0xff]).into()));
    let form = parse(&text.replace("key-id:00ff", "dn:C=CH, CN=*")).unwrap();
    let required = form.policies[0].rules[0].remote_id.clone().unwrap();
    assert!(!required.is_one() && required.matches(&"dn:C=CH, CN=host".parse().unwrap()));
    let Action::Negotiate { offers, pfs, idle, .. } = &file.filter_actions[0].action else { panic!("negotiate") };
    assert_eq!(*idle, 300);
    assert_eq!((offers[0].lifetime.seconds, offers[0].lifetime.kilobytes), (3600, 0));
    assert_eq!(offers[0].suite.to_string(), "AH HMAC-SHA-1-96");
    assert_eq!(*pfs, Pfs::Group(Group::Ecp384));
    assert!(faults("\"10.9.0.2\"", "\"10.9.0.0/255.0.255.0\"").contains("allowed: \"me\""), "a mask with holes");
}

#[test]
fn a_rule_says_whether_an_identity_may_be_at_several_addresses() {
    use ikecore::policy::rule::Uniqueness;
    for (text, expected) in [
        ("", Uniqueness::Keep),
        ("unique = \"keep\"", Uniqueness::Keep),
        ("unique = \"replace\"", Uniqueness::Replace),
        ("unique = \"refuse\"", Uniqueness::Refuse),
    ] {
        let file = parse(&GOOD.replace("horse\" }]", &format!("horse\" }}]\n{text}"))).unwrap();
        assert_eq!(file.policies[0].rules[0].uniqueness, expected, "{text}");
    }
}

#[test]
fn dead_peer_detection_with_its_defaults_and_in_full() {
    use ikecore::policy::rule::{DeadPeerAction, DeadPeerDetection};
    let dpd = |text: &str| {
        let file = parse(&GOOD.replace("horse\" }]", &format!("horse\" }}]\n{text}"))).unwrap();
        file.policies[0].rules[0].dpd
    };
    assert_eq!(dpd(""), None);
    let expected = DeadPeerDetection { delay: 30, timeout: 120, action: DeadPeerAction::Hold, periodic: false };
    assert_eq!(dpd("dpd = {}"), Some(expected));
    assert_eq!(dpd("dpd = { action = \"clear\" }"), Some(expected));
    let expected = DeadPeerDetection { delay: 5, timeout: 20, action: DeadPeerAction::Restart, periodic: true };
    assert_eq!(dpd("dpd = { delay = 5, timeout = 20, action = \"restart\", periodic = true }"), Some(expected));
}

#[test]
fn a_key_file_is_read_without_its_line_end_and_warned_of_when_others_can_read_it() {
    let directory = std::env::temp_dir().join(format!("policyagent-model-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let key = directory.join("peer.psk");
    std::fs::write(&key, b"\x00octets\xff\r\n").unwrap();
    let policy = directory.join("policy.toml");
    std::fs::write(&policy, GOOD.replace("preshared_key = \"correct horse\"", "preshared_key_file = \"peer.psk\""))
        .unwrap();

    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    let file = PolicyFile::read(&policy).unwrap();
    let Method::Given(AuthMethod::PreSharedKey(octets)) = &file.policies[0].rules[0].authentication[0] else {
        panic!("a certificate")
    };
    assert_eq!(octets.expose(), b"\x00octets\xff");
    assert_eq!(file.warnings.len(), 1);
    assert!(file.warnings[0].message.contains("which others can read (mode 644)"), "{}", file.warnings[0]);

    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    assert!(PolicyFile::read(&policy).unwrap().warnings.is_empty());

    std::fs::write(&key, "\n").unwrap();
    assert!(PolicyFile::read(&policy).unwrap_err().to_string().contains("which is empty"));
    std::fs::remove_file(&key).unwrap();
    let error = PolicyFile::read(&policy).unwrap_err().to_string();
    assert!(error.contains("policy.toml:12:") && error.contains("No such file"), "{error}");
    std::fs::remove_dir_all(&directory).unwrap();
}

#[test]
fn the_examples_of_the_documentation_have_no_fault() {
    let examples = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/examples");
    let mut found = 0;
    for entry in std::fs::read_dir(examples).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        // The files of keys are not part of the examples.
        let text = ["berlin-lisbon.psk", "clients.psk"].iter().fold(text, |text, file| {
            text.replace(&format!("preshared_key_file = \"{file}\""), "preshared_key = \"k\"")
        });
        let text = text.replace("password_file = \"joe.password\"", "password = \"p\"");
        // Nor are the files of certificates; theirs is read where they are.
        if path.ends_with("certificates.toml") {
            certificates::check_example(&text);
            found += 1;
            continue;
        }
        let file = parse(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert!(file.assigned().is_some() && file.warnings.is_empty(), "{}: {:?}", path.display(), file.warnings);
        found += 1;
    }
    assert_eq!(found, 6);
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/policy.md")).unwrap();
    let example = page.split("```toml").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    parse(example).unwrap_or_else(|error| panic!("docs/policy.md: {error}"));
}

/// A gateway's rule and its pool, in place of GOOD's rule.
const GATEWAY: (&str, &str) = (
    "authentication = [{ preshared_key = \"correct horse\" }]",
    "authentication = [{ preshared_key = \"correct horse\" }]\ntunnel = { remote = \"any\" }\nxauth = \"server\"\n\
     mode_config = { pool = \"office\", push = true }",
);

const POOL: &str = "\n[[pool]]\nname = \"office\"\naddresses = [\"10.99.0.0/24\", \"2001:db8::1-2001:db8::9\"]\n\
                    dns = [\"10.10.1.53\"]\nsplit_networks = [\"10.10.1.0/24\"]\ndomain = \"office.example\"\n\
                    banner = \"Welcome\"\n";

fn remote_access(changes: &[(&str, &str)]) -> String {
    let mut text = GOOD.replace(GATEWAY.0, GATEWAY.1) + POOL;
    text = text
        .replace("source = \"me\", destination = \"10.9.0.2\"", "source = \"10.10.1.0/24\", destination = \"pool\"");
    for (from, to) in changes {
        assert!(text.contains(from), "{from}");
        text = text.replacen(from, to, 1);
    }
    text
}

fn faults_of(changes: &[(&str, &str)]) -> String {
    let parsed = parse(&remote_access(changes));
    parsed.map(|file| format!("no fault, warnings {:?}", file.warnings)).unwrap_or_else(|error| error.to_string())
}

#[test]
fn a_gateway_and_a_client_are_read() {
    let file = parse(&remote_access(&[])).unwrap();
    let rule = &file.assigned().unwrap().rules[0];
    assert!(matches!(rule.xauth, Some(ikecore::policy::remote_access::Xauth::Server)));
    assert_eq!(rule.tunnel.unwrap().remote, None);
    let Some(ModeConfig::Server { pool, push: true }) = &rule.mode_config else { panic!("{rule:?}") };
    let pool = &file.pool(pool).unwrap().pool;
    let ranges: Vec<String> = pool.ranges.iter().map(ToString::to_string).collect();
    assert_eq!(ranges, ["10.99.0.1-10.99.0.254", "2001:db8::1-2001:db8::9"]);
    assert_eq!((pool.dns.len(), pool.split_networks.len()), (1, 1));
    assert_eq!((pool.domain.as_deref(), pool.banner.as_deref()), (Some("office.example"), Some("Welcome")));

    let client = [
        ("remote = \"any\"", "remote = \"10.9.0.2\""),
        ("xauth = \"server\"", "xauth = { user = \"joe\", password = \"secret words\" }"),
        ("mode_config = { pool = \"office\", push = true }", "mode_config = \"pull\""),
    ];
    let file = parse(&remote_access(&client)).unwrap();
    let rule = &file.assigned().unwrap().rules[0];
    assert!(matches!(rule.mode_config, Some(ModeConfig::Client { push: false })));
    let Some(ikecore::policy::remote_access::Xauth::Client(credentials)) = &rule.xauth else { panic!("{rule:?}") };
    assert_eq!(
        (credentials.user.as_str(), credentials.password.expose().as_slice()),
        ("joe", b"secret words".as_slice())
    );
    assert!(!format!("{file:?}").contains("secret words"));
}

#[test]
fn faults_of_remote_access_name_the_value_and_what_is_allowed() {
    for (change, told) in [
        (("xauth = \"server\"", "xauth = \"client\""), "xauth of rule \"to b\" is \"client\", allowed: server"),
        (("xauth = \"server\"", "xauth = { user = \"joe\" }"), "names no key, allowed: password or password_file"),
        (
            ("\"office\", push", "\"offices\", push"),
            "rule \"to b\" names the pool \"offices\", which the file does not have; did you mean \"office\"? allowed: office",
        ),
        (
            ("{ pool = \"office\", push = true }", "\"both\""),
            "mode_config of rule \"to b\" is \"both\", allowed: pull, push",
        ),
        (
            ("\"10.99.0.0/24\"", "\"10.99.0.9-10.99.0.1\""),
            "range 1 in addresses of pool \"office\" is \"10.99.0.9-10.99.0.1\", allowed: an address, a prefix (10.99.0.0/24), a range FIRST-LAST of one family",
        ),
        (
            ("\"10.99.0.0/24\"", "\"10.99.0.0/24\", \"10.99.0.7\""),
            "pool \"office\" has 10.99.0.1-10.99.0.254 and 10.99.0.7, which overlap; allowed: each address once",
        ),
        (("split_networks = [\"10.10.1.0/24\"]", "split_networks = [\"any\"]"), "names no network, allowed: a prefix"),
        (
            ("destination = \"pool\"", "destination = \"10.9.0.2\""),
            "rule \"to b\" has mode_config, but no filter of its list has \"pool\"",
        ),
        (
            ("mode_config = { pool = \"office\", push = true }", ""),
            "the filter has \"pool\", but rule \"to b\" has no mode_config",
        ),
        (
            ("source = \"10.10.1.0/24\", destination", "source = \"me\", destination"),
            "has \"pool\" and no network, allowed: \"pool\" with \"any\", an address or a prefix",
        ),
        (("banner = \"Welcome\"", "banner = \"\""), "banner of pool \"office\" has 0 octets, allowed: 1 to 512"),
    ] {
        let all = faults_of(&[change]);
        assert!(all.contains(told), "{change:?}:\n{all}");
    }
    let secret = faults_of(&[("xauth = \"server\"", "xauth = { user = \"\", password = \"secret words\" }")]);
    assert!(!secret.contains("secret words"), "{secret}");
}

#[test]
fn aggressive_mode_takes_so_many_words_and_is_warned_of() {
    let words = "horse\" }]\naggressive_mode = \"exposes the pre-shared key to guessing\"";
    let file = parse(&GOOD.replace("horse\" }]", words)).unwrap();
    assert!(file.assigned().unwrap().rules[0].aggressive_mode);
    let warnings: Vec<String> = file.warnings.iter().map(ToString::to_string).collect();
    assert!(
        matches!(warnings.as_slice(), [one] if one.starts_with("/x/policy.toml:13:19: aggressive_mode of rule \"to b\": it shows a hash")),
        "{warnings:?}"
    );
    assert!(!parse(GOOD).unwrap().assigned().unwrap().rules[0].aggressive_mode);
    assert!(faults("horse\" }]", "horse\" }]\naggressive_mode = true").contains("is true, allowed: text in quotes"));
    let told = faults("horse\" }]", "horse\" }]\naggressive_mode = \"on\"");
    assert!(told.ends_with("is \"on\", allowed: exposes the pre-shared key to guessing"), "{told}");
}

#[test]
fn a_default_response_is_held_to_what_it_can_be() {
    let table = "[policy.default_response]\nfilter_action = \"require\"\nauthentication = [{ preshared_key = \"k\" }]\n\n\
                 [[filter_list]]\n";
    let file = parse(&GOOD.replacen("[[filter_list]]\n", table, 1)).unwrap();
    let default = file.assigned().unwrap().default_response.as_ref().unwrap();
    assert!(default.active && default.local_id.is_none());
    let default_response::ResponseAction::Named(action) = &default.action else { panic!("an action of its own") };
    assert_eq!((action.name.as_str(), default.authentication.len()), ("require", 1));
    let what = "the default response of policy \"lab\"";
    for (from, to, expected) in [
        (
            "\"require\"\nauthentication = [{ preshared_key = \"k\" }]",
            "\"require\"",
            format!("{what} has no authentication"),
        ),
        (
            "filter_action = \"require\"\nauth",
            "filter_action = \"requires\"\nauth",
            format!(
                "{what} names the filter action \"requires\", which the file does not have; did you mean \"require\"?"
            ),
        ),
        ("active", "activ", format!("{what} has no key \"activ\"; did you mean \"active\"?")),
        ("name = \"to b\"", "name = \"default response\"", format!("is that of {what}; allowed: another name")),
        (
            "action = \"negotiate\"\noffers = [{ esp = \"aes256-sha256\" }]",
            "action = \"block\"",
            format!("{what} has the filter action \"require\"; allowed: one that negotiates"),
        ),
    ] {
        let text = GOOD.replacen("[[filter_list]]\n", &table.replacen("\n\n", "\nactive = true\n\n", 1), 1);
        let at = text.rfind(from).unwrap_or_else(|| panic!("{from}"));
        let text = [&text[..at], to, &text[at + from.len()..]].concat();
        let error = parse(&text).map(|_| String::new()).unwrap_or_else(|error| error.to_string());
        assert!(error.contains(&expected), "{to}: {error}");
    }
}
