use super::*;
use crate::compile::{Machine, Reqids, compile};
use crate::document::Document;

/// A document in which nothing is to be found, but what pre-shared keys and offers without PFS always are.
const CLEAN: &str = "
[[policy]]
name = \"lab\"
assigned = true

[policy.main_mode]
offers = [\"aes256-sha256-modp2048\"]

[[policy.rule]]
name = \"to b\"
filter_list = \"b\"
filter_action = \"require\"
authentication = [{ preshared_key = \"Jq0v8-Hk2+Wm5z/Tn7_Xr4\" }]

[[policy.rule]]
name = \"web\"
filter_list = \"web\"
filter_action = \"pass\"

[[filter_list]]
name = \"b\"
filters = [{ source = \"me\", destination = \"10.9.0.2\" }]

[[filter_list]]
name = \"web\"
filters = [{ source = \"me\", destination = \"10.9.0.0/24\", protocol = \"tcp\", destination_port = 80 }]

[[filter_action]]
name = \"require\"
action = \"negotiate\"
offers = [{ esp = \"aes256-sha256\" }]
pfs = true

[[filter_action]]
name = \"pass\"
action = \"permit\"
";

fn check(text: &str) -> Vec<Finding> {
    let document = Document::of("/x/policy.toml", text);
    let file = PolicyFile::parse(&document).unwrap_or_else(|error| panic!("{error}"));
    let machine = Machine { addresses: ["10.9.0.1".parse().unwrap()].into(), ..Machine::default() };
    let compiled = compile(&file, &machine, &mut Reqids::default()).unwrap_or_else(|error| panic!("{error}"));
    findings(&file, &compiled.db)
}

fn with(from: &str, to: &str) -> Vec<Finding> {
    assert!(CLEAN.contains(from), "{from}");
    check(&CLEAN.replacen(from, to, 1))
}

#[test]
fn nothing_is_found_where_nothing_is() {
    assert_eq!(check(CLEAN), []);
}

#[test]
fn each_kind_of_finding_names_its_object() {
    let offer = "{ esp = \"aes256-sha256\" }";
    let web = "{ source = \"me\", destination = \"10.9.0.0/24\", protocol = \"tcp\", destination_port = 80 }";
    let key = "Jq0v8-Hk2+Wm5z/Tn7_Xr4";
    for (from, to, kind, severity, object) in [
        ("aes256-sha256-modp2048", "des-sha256-modp2048", "des", Severity::High, "main mode of policy \"lab\""),
        ("aes256-sha256-modp2048", "3des-sha256-modp2048", "3des", Severity::Low, "main mode of policy \"lab\""),
        ("aes256-sha256-modp2048", "aes256-md5-modp2048", "md5", Severity::Medium, "main mode of policy \"lab\""),
        ("aes256-sha256-modp2048", "aes256-sha1-modp2048", "sha1", Severity::Low, "main mode of policy \"lab\""),
        ("modp2048", "modp1024", "small-group", Severity::High, "main mode of policy \"lab\""),
        ("modp2048", "modp1536", "old-group", Severity::Low, "main mode of policy \"lab\""),
        ("modp2048", "modp2048s256", "unexplained-group", Severity::Medium, "main mode of policy \"lab\""),
        ("-modp2048\"]", "-modp2048\"]\nlifetime = 86401", "long-life", Severity::Low, "main mode of policy \"lab\""),
        (
            "filters = [{ source = \"me\", destination = \"10.9.0.2\" }]",
            "",
            "empty-filter-list",
            Severity::Medium,
            "rule \"to b\"",
        ),
        ("[{ preshared", "[{ kerberos = true }, { preshared", "unavailable-method", Severity::Medium, "rule \"to b\""),
        (
            "[{ preshared",
            "[{ root_ca = \"CN=a\", certificate_mapping = true }, { preshared",
            "no-certificate-mapping",
            Severity::Medium,
            "rule \"to b\"",
        ),
        (
            "[{ preshared",
            "[{ root_ca = \"CN=a\", legacy = true }, { preshared",
            "legacy-certificates",
            Severity::Medium,
            "rule \"to b\"",
        ),
        (
            "[[filter_list]]",
            "[policy.default_response]\noffers = [{ esp = \"des-sha256\" }]\nauthentication = [{ preshared_key = \"k\" }]\n\n[[filter_list]]",
            "des",
            Severity::High,
            "the default response of policy \"lab\"",
        ),
        ("pfs = true", "pfs = false", "no-pfs", Severity::Low, "filter action \"require\""),
        ("pfs = true", "pfs = \"modp768\"", "small-group", Severity::High, "filter action \"require\""),
        (
            "pfs = true",
            "pfs = true\nfallback_to_clear = true",
            "fallback-to-clear",
            Severity::Medium,
            "filter action \"require\"",
        ),
        (
            "pfs = true",
            "pfs = true\ninbound_passthrough = true",
            "inbound-passthrough",
            Severity::Low,
            "filter action \"require\"",
        ),
        (offer, "{ esp = \"null-sha256\" }", "no-confidentiality", Severity::Low, "filter action \"require\""),
        (offer, "{ ah = \"sha256\" }", "no-confidentiality", Severity::Low, "filter action \"require\""),
        (offer, "{ esp = \"aes256gcm8\" }", "short-integrity-check", Severity::Medium, "filter action \"require\""),
        (
            offer,
            "{ esp = \"3des-sha256\", lifetime = { kilobytes = 0 } }",
            "many-octets",
            Severity::Medium,
            "filter action \"require\"",
        ),
        (key, "correct horse", "short-key", Severity::Medium, "rule \"to b\""),
        (key, "0101010101010101010101010101", "short-key", Severity::Medium, "rule \"to b\""),
        ("\"10.9.0.2\"", "\"any\"", "shared-key", Severity::Medium, "rule \"to b\""),
        (web, "{ source = \"me\", destination = \"10.9.0.2\" }", "contradiction", Severity::High, "rule \"web\""),
        (web, "{ source = \"me\", destination = \"10.9.0.2\" }", "rule-never-used", Severity::High, "rule \"web\""),
        (
            web,
            "{ source = \"10.9.0.0/24\", destination = \"10.8.0.7\" }, { source = \"10.9.0.1\", destination = \"10.8.0.0/24\" }",
            "",
            Severity::Low,
            "",
        ),
        (
            "\"web\"\nfilter_action = \"pass\"",
            "\"b\"\nfilter_action = \"require\"\nauthentication = [{ preshared_key = \"Jq0v8-Hk2+Wm5z/Tn7_Xr4\" }]",
            "duplicate-filter",
            Severity::Low,
            "rule \"web\"",
        ),
        ("filter_list = \"web\"", "filter_list = \"b\"", "unused", Severity::Low, "filter list \"web\""),
        (
            "filter_action = \"pass\"",
            "filter_action = \"require\"\nauthentication = [{ preshared_key = \"Jq0v8-Hk2+Wm5z/Tn7_Xr4\" }]",
            "unused",
            Severity::Low,
            "filter action \"pass\"",
        ),
        ("assigned = true", "assigned = false", "not-assigned", Severity::Medium, "the document"),
    ] {
        let found = with(from, to);
        if kind.is_empty() {
            assert_eq!(found, [], "{to}");
            continue;
        }
        let one = found.iter().find(|finding| finding.kind == kind);
        let one = one.unwrap_or_else(|| panic!("{to}: no {kind} in {found:#?}"));
        assert_eq!((one.severity, one.object.as_str()), (severity, object), "{to}");
        assert!(!one.message.is_empty() && !one.mend.is_empty());
    }
}

#[test]
fn a_short_key_that_aggressive_mode_shows_is_worse() {
    let words = "swordfish\" }]\naggressive_mode = \"exposes the pre-shared key to guessing\"";
    let found = with("Jq0v8-Hk2+Wm5z/Tn7_Xr4\" }]", words);
    assert_eq!((found[0].kind, found[0].severity), ("guessable-key", Severity::High), "{found:#?}");
}

#[test]
fn an_assigned_policy_that_does_nothing_is_told() {
    let text = CLEAN.replace("filter_list = \"b\"", "active = false\nfilter_list = \"b\"");
    let found = check(&text.replace("filter_list = \"web\"", "active = false\nfilter_list = \"web\""));
    assert_eq!((found[0].kind, found[0].object.as_str()), ("no-active-rule", "policy \"lab\""), "{found:#?}");
}

#[test]
fn what_a_rule_is_shadowed_by_is_named() {
    let found = with(
        "{ source = \"me\", destination = \"10.9.0.0/24\", protocol = \"tcp\", destination_port = 80 }",
        "{ source = \"me\", destination = \"10.9.0.2\" }, { source = \"me\", destination = \"10.8.0.0/31\" }, \
         { source = \"me\", destination = \"10.8.0.0\" }, { source = \"me\", destination = \"10.8.0.1\" }",
    );
    let messages: Vec<&str> = found.iter().map(|finding| finding.message.as_str()).collect();
    assert_eq!(
        messages,
        [
            "its filter 10.9.0.1 <-> 10.9.0.2 is to permit, but the same filter of rule \"to b\" is to negotiate, and \
             decides: it comes first",
            "its filter 10.9.0.1 <-> 10.8.0.0/31 never decides: more specific filters are all of its traffic",
        ]
    );
    assert_eq!(found[0].line, Some(CLEAN.lines().position(|line| line == "name = \"web\"").unwrap()));
}

#[test]
fn filters_that_cross_are_told() {
    let text = CLEAN.replace("destination = \"10.9.0.2\"", "destination = \"10.8.0.0/24\"").replace(
        "{ source = \"me\", destination = \"10.9.0.0/24\", protocol = \"tcp\", destination_port = 80 }",
        "{ source = \"10.9.0.0/24\", destination = \"10.8.0.7\" }",
    );
    let found = check(&text);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!((found[0].kind, found[0].object.as_str()), ("crossing-filters", "rule \"web\""));
    assert!(found[0].message.starts_with("its filter 10.9.0.0/24 <-> 10.8.0.7 is to permit, and meets"), "{found:?}");
}

#[test]
fn a_key_is_told_in_no_way() {
    let found = with("Jq0v8-Hk2+Wm5z/Tn7_Xr4", "swordfish");
    assert!(!found.is_empty() && !format!("{found:?}").contains("swordfish"));
}

#[test]
fn the_severities_are_in_order() {
    assert!(Severity::Low < Severity::Medium && Severity::Medium < Severity::High);
    let found = with("aes256-sha256-modp2048", "3des-md5-modp1024");
    let severities: Vec<Severity> = found.iter().map(|finding| finding.severity).collect();
    assert_eq!(severities, [Severity::High, Severity::Medium, Severity::Low]);
}

#[test]
fn esp_without_integrity_is_found() {
    let kinds = |offer: &str| {
        let found = with("{ esp = \"aes256-sha256\" }", offer);
        found
            .into_iter()
            .filter(|finding| finding.kind == "no-integrity")
            .map(|finding| finding.message)
            .collect::<Vec<_>>()
    };
    let message = "it offers ESP AES-256-CBC without integrity: forged and repeated packets are taken for the peer's";
    assert_eq!(kinds("{ esp = \"aes256-none\" }"), [message]);
    assert!(kinds("{ esp = \"aes256-none\", ah = \"sha256\" }").is_empty(), "AH authenticates it");
    assert!(kinds("{ esp = \"aes256gcm16\" }").is_empty());
}
