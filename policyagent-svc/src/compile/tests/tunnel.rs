//! Tunnels of Windows: two rules, one a direction.
use super::*;

/// Two networks behind two gateways, as `netsh ipsec static` makes it: each rule is for one direction and ends at the
/// receiver.
const PAIR: &str = r#"[[policy]]
name = "lab"
assigned = true

[policy.main_mode]
offers = ["aes256-sha256-modp2048"]

[[policy.rule]]
name = "1 to 2"
filter_list = "1 to 2"
filter_action = "require"
authentication = [{ preshared_key = "correct horse" }]
tunnel = { remote = "10.9.0.2" }

[[policy.rule]]
name = "2 to 1"
filter_list = "2 to 1"
filter_action = "require"
authentication = [{ preshared_key = "correct horse" }]
tunnel = { remote = "10.9.0.1" }

[[filter_list]]
name = "1 to 2"
filters = [{ source = "10.10.1.0/24", destination = "10.10.2.0/24", protocol = "tcp", destination_port = 80, mirrored = false }]

[[filter_list]]
name = "2 to 1"
filters = [{ source = "10.10.2.0/24", destination = "10.10.1.0/24", protocol = "tcp", source_port = 80, mirrored = false }]

[[filter_action]]
name = "require"
action = "negotiate"
offers = [{ esp = "aes256-sha256" }]

[[filter_action]]
name = "other"
action = "negotiate"
offers = [{ esp = "aes128-sha256" }]
"#;

/// Each rule in force with its ends and filters, and the warnings.
fn on_host(text: &str, here: &[&str]) -> (Vec<String>, Vec<String>) {
    let compiled = compile(&parse(text).unwrap_or_else(|e| panic!("{e}")), &addresses(here), &mut Reqids::default());
    let compiled = compiled.unwrap();
    let rules = compiled.db.rules.iter().map(|rule| {
        let tunnel = rule.tunnel.unwrap();
        let local = tunnel.local.map_or_else(|| "?".to_owned(), |local| local.to_string());
        let filters = rule.filters.iter().map(Selector::to_string).collect::<Vec<_>>().join(", ");
        format!("{}: {local} {} {filters}", rule.name, tunnel.remote.unwrap())
    });
    (rules.collect(), compiled.warnings.into_iter().map(|warning| warning.message).collect())
}

#[test]
fn of_two_rules_for_one_tunnel_each_host_has_the_one_that_leads_to_the_other() {
    // The first host has more addresses: that one is its end which the other rule names.
    let first = on_host(PAIR, &["10.9.0.1", "10.8.0.1", "10.10.1.1"]);
    let rule = "1 to 2: 10.9.0.1 10.9.0.2 10.10.1.0/24 <-> 10.10.2.0/24[80] protocol 6";
    assert_eq!(first, (vec![rule.to_owned()], Vec::new()));
    let second = on_host(PAIR, &["10.9.0.2", "10.10.2.1"]);
    let rule = "2 to 1: 10.9.0.2 10.9.0.1 10.10.2.0/24[80] <-> 10.10.1.0/24 protocol 6";
    assert_eq!(second, (vec![rule.to_owned()], Vec::new()));
}

#[test]
fn with_me_and_mirrored_filters_it_is_the_same() {
    let text = PAIR
        .replace("source = \"10.10.1.0/24\"", "source = \"me\"")
        .replace("destination = \"10.10.1.0/24\"", "destination = \"me\"");
    let (rules, warnings) = on_host(&text, &["10.9.0.1"]);
    assert_eq!(rules, ["1 to 2: 10.9.0.1 10.9.0.2 10.9.0.1 <-> 10.10.2.0/24[80] protocol 6"]);
    assert!(warnings.is_empty(), "{warnings:?}");
    // One mirrored list for both rules.
    let text = PAIR.replace(", mirrored = false", "").replace("filter_list = \"2 to 1\"", "filter_list = \"1 to 2\"");
    let (rules, warnings) = on_host(&text, &["10.9.0.2", "10.10.2.1"]);
    assert_eq!(rules, ["2 to 1: 10.9.0.2 10.9.0.1 10.10.2.0/24[80] <-> 10.10.1.0/24 protocol 6"]);
    assert!(warnings.is_empty(), "{warnings:?}");
}

#[test]
fn a_half_without_its_other_half_stays_and_is_warned_of() {
    for other in [
        PAIR.replace("source_port = 80", "source_port = 81"),
        PAIR.replacen("filter_list = \"1 to 2\"", "filter_list = \"1 to 2\"\nactive = false", 1),
        PAIR.replacen("tunnel = { remote = \"10.9.0.2\" }", "tunnel = { remote = \"2001:db8::2\" }", 1),
    ] {
        let (rules, warnings) = on_host(&other, &["10.9.0.1", "10.10.1.1", "2001:db8::1"]);
        assert!(rules.iter().any(|rule| rule.starts_with("2 to 1: ")), "{rules:?}");
        let told = "rule \"2 to 1\": the tunnel's remote end 10.9.0.1 is this machine";
        assert!(warnings.contains(&told.to_owned()), "{warnings:?}");
    }
}

#[test]
fn halves_that_want_different_protection_are_told_apart() {
    let at = PAIR.rfind("filter_action = \"require\"").unwrap();
    let text = [&PAIR[..at], "filter_action = \"other\"", &PAIR[at + "filter_action = \"require\"".len()..]].concat();
    let (rules, warnings) = on_host(&text, &["10.9.0.1", "10.10.1.1"]);
    assert_eq!(rules.len(), 1);
    assert_eq!(
        warnings,
        [
            "rule \"2 to 1\": rule \"1 to 2\" is the same tunnel the other way; its filter action \"require\" is in force, \
             not \"other\""
        ]
    );
}

#[test]
fn a_tunnel_without_an_address_for_its_end_blocks_until_there_is_one() {
    let text = PAIR.replace("10.9.0.2", "2001:db8::2");
    let of = |here: &[&str]| {
        let compiled = compile(&parse(&text).unwrap(), &addresses(here), &mut Reqids::default()).unwrap();
        let rule = compiled.db.rules.iter().find(|rule| rule.name == "1 to 2").unwrap().clone();
        (matches!(rule.action, RuleAction::Block), compiled.warnings)
    };
    let (blocks, warnings) = of(&["10.9.0.7"]);
    assert!(blocks);
    let told = "no address for a tunnel to 2001:db8::2: the traffic is blocked until it has one";
    assert!(warnings.iter().any(|warning| warning.message.contains(told)), "{warnings:?}");
    assert!(!of(&["10.9.0.7", "2001:db8::1"]).0);
}
