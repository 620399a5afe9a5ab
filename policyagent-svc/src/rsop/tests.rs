use super::*;
use crate::directory::client::assignment::GpoPolicy;
use crate::model::tests::GOOD;

fn file(name: &str, assigned: bool) -> PolicyFile {
    let text = GOOD.replace("name = \"lab\"", &format!("name = {name:?}\ndescription = \"that of {name}\""));
    let text = text.replace("assigned = true", &format!("assigned = {assigned}"));
    PolicyFile::parse(&Document::of("/x/policy.toml", &text)).unwrap_or_else(|error| panic!("{error}"))
}

fn store(source: &str, file: Option<PolicyFile>, error: Option<&str>) -> Found {
    Found { source: source.to_owned(), file, error: error.map(str::to_owned) }
}

fn gpo(name: &str, policy: Option<&str>, why_not: Option<&str>) -> Gpo {
    Gpo {
        dn: format!("CN={name}"),
        name: name.to_owned(),
        linked_to: "OU=servers".to_owned(),
        enforced: false,
        policy: policy.map(|name| GpoPolicy {
            dn: format!("CN=ipsecPolicy {name}"),
            name: name.to_owned(),
            description: None,
            changed: Some("20261128024000.0Z".to_owned()),
        }),
        why_not: why_not.map(str::to_owned),
    }
}

/// Store, policy, precedence and whether it applies, of each.
fn told(set: &ResultantSet) -> Vec<(&str, Option<&str>, Option<u32>, bool)> {
    set.policies.iter().map(|one| (one.store, one.name.as_deref(), one.precedence, one.applies)).collect()
}

#[test]
fn without_a_directory_the_local_policy_applies_beside_the_persistent_one() {
    let found = [
        store("/p", Some(file("base", true)), None),
        store("/d", None, None),
        store("/l", Some(file("lab", true)), None),
        store("memory", None, None),
    ];
    let set = set(Mode::Logging, "host".to_owned(), Some(true), &found, &[]);
    assert_eq!(
        told(&set),
        [
            ("persistent", Some("base"), None, true),
            ("directory", None, None, false),
            ("local", Some("lab"), Some(1), true),
            ("dynamic", None, None, false),
        ]
    );
    let applied: Vec<&str> = set.applied.iter().map(|applied| applied.policy.name.as_str()).collect();
    assert_eq!(applied, ["base", "lab"]);
    assert_eq!(set.policies[2].description.as_deref(), Some("that of lab"));
}

#[test]
fn of_group_policy_objects_each_loser_says_why() {
    let gpos = [
        gpo("inner", Some("strict"), None),
        gpo("outer", Some("loose"), Some("\"inner\" has the last word")),
        gpo("empty", None, Some("it assigns no IPsec policy")),
    ];
    let found = [
        store("/p", None, None),
        store("/d", Some(file("strict", true)), None),
        store("/l", Some(file("lab", true)), None),
        store("memory", None, None),
    ];
    let set = set(Mode::Logging, "host".to_owned(), Some(true), &found, &gpos);
    assert_eq!(
        told(&set)[1..5],
        [
            ("directory", Some("strict"), Some(1), true),
            ("directory", Some("loose"), Some(2), false),
            ("directory", None, None, false),
            ("local", Some("lab"), Some(3), false),
        ]
    );
    assert_eq!(set.policies[2].why, "\"inner\" has the last word");
    assert_eq!(set.policies[4].why, "the directory assigns strict to this computer, which goes before it");
    assert_eq!(set.policies[1].source, "\"inner\", linked to OU=servers");
    assert_eq!(set.applied.len(), 1);
}

#[test]
fn what_a_store_has_in_force_of_an_earlier_time_is_told_with_its_fault() {
    let found = [
        store("/p", None, Some("/p:1:1: wrong")),
        store("/d", None, None),
        store("/l", Some(file("lab", true)), Some("/l:3:1: wrong")),
        store("memory", None, None),
    ];
    let set = set(Mode::Logging, "host".to_owned(), Some(false), &found, &[]);
    assert_eq!(set.policies[0].error.as_deref(), Some("/p:1:1: wrong"));
    assert_eq!(set.policies[2].error.as_deref(), Some("/l:3:1: wrong"));
    // The persistent store has no good version: nothing applies.
    assert!(set.policies.iter().all(|policy| !policy.applies) && set.applied.is_empty(), "{set:#?}");
    assert!(set.policies[2].why.ends_with("block mode"), "{}", set.policies[2].why);
}

#[test]
fn an_applied_policy_is_told_in_full_and_without_its_secrets() {
    let found = [
        store("/p", None, None),
        store("/d", None, None),
        store("/l", Some(file("lab", true)), None),
        store("memory", None, None),
    ];
    let set = set(Mode::Logging, "host".to_owned(), Some(true), &found, &[]);
    let json = serde_json::to_value(&set).unwrap();
    let rule = &json["applied"][0]["policy"]["rules"][0];
    assert_eq!(rule["name"], "to b");
    assert_eq!(rule["filters"][0], "me <-> 10.9.0.2, any");
    assert_eq!(rule["filter_action"]["action"], "negotiate");
    assert!(rule["filter_action"]["offers"][0].as_str().unwrap().ends_with(", 3600 s, 100000 kB"), "{rule}");
    assert_eq!((&rule["authentication"][0], &rule["tunnel"]), (&"pre-shared key".into(), &serde_json::Value::Null));
    assert_eq!(rule["connection_type"], "all");
    assert_eq!(json["applied"][0]["policy"]["main_mode"]["quick_mode_limit"], 0);
    assert!(!json.to_string().contains("correct horse"));
}
