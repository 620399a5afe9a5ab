//! What documents of other programs have: numbers of objects, servers, ranges, names, methods that are looked up.
use super::*;
use crate::model::default_response::ResponseAction;

/// GOOD with several replacements, or its faults.
fn changed(changes: &[(&str, &str)]) -> Result<PolicyFile, String> {
    let mut text = GOOD.to_owned();
    for (from, to) in changes {
        assert!(text.contains(from), "{from}");
        text = text.replacen(from, to, 1);
    }
    parse(&text).map_err(|error| error.to_string())
}

#[test]
fn objects_keep_their_numbers_and_times() {
    let guid = |digit: char| format!("guid = \"{{{digit}f91a819-7647-11d1-864d-d46a00000000}}\"");
    let stamp = |digit| format!("{}\nlast_modified = 2026-11-28T02:40:0{digit}Z", guid(digit));
    let file = changed(&[
        ("[[policy]]", "format = 1\n[[policy]]"),
        ("assigned = true", &format!("assigned = true\n{}\npolling_interval = 600", stamp('1'))),
        ("filter_list = \"b hosts\"", &format!("filter_list = \"b hosts\"\n{}", stamp('2'))),
        ("filters =", &format!("{}\nfilters =", stamp('3'))),
        ("{ source", &format!("{{ {}, source", guid('5'))),
        ("action = \"neg", &format!("{}\naction = \"neg", stamp('4'))),
    ])
    .unwrap();
    let policy = file.assigned().unwrap();
    let (list, action) = (&file.filter_lists[0], &file.filter_actions[0]);
    assert_eq!(policy.polling_interval, 600);
    let records = [policy.record, policy.rules[0].record, list.record, action.record];
    let shown = records.map(|record| format!("{} {}", record.guid.unwrap(), record.last_modified.unwrap()));
    for (digit, shown) in (1..).zip(shown) {
        let expected = format!("{{{digit}f91a819-7647-11d1-864d-d46a00000000}} 2026-11-28T02:40:0{digit}Z");
        assert_eq!(shown, expected);
    }
    assert!(list.filters[0].guid.unwrap().to_string().starts_with("{5f"));
    let plain = parse(GOOD).unwrap();
    let policy = plain.assigned().unwrap();
    assert_eq!((policy.record, policy.polling_interval), (Record::default(), 10_800));
}

#[test]
fn faults_of_numbers_and_times_name_the_value_and_what_is_allowed() {
    for (from, to, told) in [
        (
            "[[policy]]",
            "format = 2\n[[policy]]",
            "format of the file is 2, which this program does not know; allowed: 1",
        ),
        (
            "assigned = true",
            "guid = \"3f91\"",
            "guid of policy \"lab\" is \"3f91\", allowed: hexadecimal digits as in {3f91a819-7647-11d1-864d-d46a00000000}",
        ),
        (
            "assigned = true",
            "last_modified = \"now\"",
            "is the text \"now\", allowed: a date and time as in 2026-11-28T02:40:00Z",
        ),
        (
            "assigned = true",
            "last_modified = 2026-11-28",
            "is 2026-11-28, allowed: date, time and offset as in 2026-11-28T02:40:00Z",
        ),
        ("assigned = true", "polling_interval = 0", "is 0, allowed: an integer from 60 to 31536000"),
        ("filter_list = ", "connection_type = \"wan\"\nfilter_list = ", "is \"wan\"; did you mean \"lan\"?"),
        ("filter_list = ", "connection_type = \"isdn\"\nfilter_list = ", "is \"isdn\", allowed: all, lan, dialup"),
    ] {
        let found = changed(&[(from, to)]).map(|_| String::new()).unwrap_or_else(|error| error);
        assert!(found.contains(told), "{to}: {found}");
    }
    let twice =
        "\n[[filter_action]]\nname = \"NAME\"\naction = \"block\"\nguid = \"{3f91a819-7647-11d1-864d-d46a00000000}\"\n";
    let text = [GOOD, &twice.replace("NAME", "one"), &twice.replace("NAME", "two").replace("3f91a", "3F91A")].concat();
    let found = parse(&text).unwrap_err().to_string();
    assert!(found.contains("the guid {3f91a819-7647-11d1-864d-d46a00000000} is taken, by line "), "{found}");
}

#[test]
fn sides_are_ranges_servers_and_hosts_too_and_are_written_as_they_are_read() {
    for (text, written) in [
        ("10.0.0.1-10.0.0.9", "10.0.0.1-10.0.0.9"),
        ("2001:db8::1 - 2001:db8::9", "2001:db8::1-2001:db8::9"),
        ("10.0.0.1-10.0.0.1", "10.0.0.1"),
        ("dns", "dns"),
        ("wins", "wins"),
        ("dhcp", "dhcp"),
        ("gateway", "gateway"),
        ("Host-1.Example", "host-1.example"),
        ("host.example.", "host.example."),
        ("3com.example", "3com.example"),
        ("any", "any"),
        ("10.0.0.0/255.0.0.0", "10.0.0.0/8"),
        ("fe80::%eth0/64", "fe80::%eth0/64"),
    ] {
        let file = changed(&[("\"10.9.0.2\"", &format!("{text:?}"))]).unwrap_or_else(|error| panic!("{text}: {error}"));
        let destination = &file.filter_lists[0].filters[0].destination;
        assert_eq!(destination.to_string(), written);
        assert_eq!(side_named(written).as_ref(), Some(destination), "{written}");
    }
    for (text, told) in [
        (
            "10.0.0.9-10.0.0.1",
            "is from 10.0.0.9 to 10.0.0.1, allowed: two addresses of one family, the lower one first",
        ),
        ("10.0.0.1-2001:db8::1", "allowed: two addresses of one family"),
        ("fe80::1-fe80::9", "has fe80::1, which is link-local"),
        ("10.0.0.300", "is \"10.0.0.300\", allowed: \"me\", \"any\""),
        ("host", "is \"host\", allowed:"),
        ("-a.example", "is \"-a.example\", allowed:"),
        ("a..example", "is \"a..example\", allowed:"),
        ("gatway", "did you mean \"gateway\"?"),
        ("224.0.0.1-224.0.0.9", "negotiates for 224.0.0.1-224.0.0.9, but multicast"),
    ] {
        let found = changed(&[("\"10.9.0.2\"", &format!("{text:?}"))]).map(|_| String::new()).unwrap_or_else(|e| e);
        assert!(found.contains(told), "{text}: {found}");
    }
    for (sides, told) in [
        ("source = \"any\", destination = \"dns\"", "has \"dns\" without \"me\", allowed: \"me\" as its other side"),
        ("source = \"10.0.0.1-10.0.0.9\", destination = \"2001:db8::1\"", "allowed: both IPv4 or both IPv6"),
    ] {
        let found = changed(&[("source = \"me\", destination = \"10.9.0.2\"", sides)]).map(|_| String::new());
        let found = found.unwrap_or_else(|error| error);
        assert!(found.contains(told), "{sides}: {found}");
    }
}

#[test]
fn names_stand_beside_addresses_and_lists_may_be_empty() {
    let file =
        changed(&[("destination = \"10.9.0.2\"", "destination = \"10.9.0.2\", destination_name = \"b.example\"")]);
    let file = file.unwrap();
    let filter = &file.filter_lists[0].filters[0];
    assert_eq!((filter.source_name.as_deref(), filter.destination_name.as_deref()), (None, Some("b.example")));
    assert_eq!(filter.to_string(), "me <-> 10.9.0.2 (b.example), any");
    let filters = "filters = [{ source = \"me\", destination = \"10.9.0.2\" }]";
    for empty in ["filters = []", ""] {
        assert!(changed(&[(filters, empty)]).unwrap().filter_lists[0].filters.is_empty());
    }
    let found = changed(&[(filters, "filters = 1")]).unwrap_err();
    assert!(found.contains("allowed: a list in brackets"), "{found}");
}

#[test]
fn methods_that_are_looked_up_are_kept_as_they_are_written() {
    let key = "{ preshared_key = \"correct horse\" }";
    let methods = "{ kerberos = true }, { root_ca = \"C=CH, O=Example, CN=root\", certificate_mapping = true, \
                   exclude_ca_name = true, legacy = true }, { root_ca = \"CN=other\" }";
    let file = changed(&[(key, methods)]).unwrap();
    let [Method::Kerberos, Method::RootCa(full), Method::RootCa(plain)] = &file.policies[0].rules[0].authentication[..]
    else {
        panic!("others");
    };
    assert_eq!(full.text, "C=CH, O=Example, CN=root");
    assert!(full.certificate_mapping && full.exclude_ca_name && !plain.certificate_mapping && !plain.exclude_ca_name);
    let (full, plain) = [full, plain].map(|ca| ca.strictness.clone().trust(Vec::new(), ca.exclude_ca_name)).into();
    assert!(full.legacy && full.names_excluded && !plain.legacy && !plain.names_excluded);
    for (method, told) in [
        ("{ kerberos = false }", "is false, allowed: true, or no such key"),
        ("{ kerberos = true, preshared_key = \"k\" }", "has both preshared_key and kerberos, allowed: one"),
        ("{ kerberos = true, hybrid = true }", "has both hybrid and kerberos, allowed: one"),
        ("{ root_ca = \"root\" }", "has the part \"root\", allowed are TYPE=VALUE parts"),
        (
            "{ root_ca = \"CN=root\", ca = \"root.pem\" }",
            "stands beside root_ca, allowed with root_ca: crl, crl_check, legacy",
        ),
        ("{ preshared_key = \"k\", exclude_ca_name = true }", "stands without root_ca, allowed: both, or neither"),
    ] {
        let found = changed(&[(key, method)]).map(|_| String::new()).unwrap_or_else(|error| error);
        assert!(found.contains(told), "{method}: {found}");
    }
}

#[test]
fn a_default_response_can_have_offers_of_its_own() {
    let with = |lines: &str| {
        let table = format!(
            "[policy.default_response]\n{lines}\nauthentication = [{{ preshared_key = \"k\" }}]\n\n[[filter_list]]\n"
        );
        changed(&[("[[filter_list]]\n", &table)])
    };
    let file = with("offers = [{ esp = \"aes128-sha1\" }]\nlifetime = 60\npfs = \"modp2048\"").unwrap();
    let default = file.assigned().unwrap().default_response.as_ref().unwrap();
    assert!(matches!(default.action, ResponseAction::Own(_)));
    let action = file.response_action(default).unwrap();
    let Action::Negotiate { offers, pfs, fallback_to_clear, .. } = &action.action else { panic!("negotiate") };
    assert_eq!((offers[0].lifetime.seconds, *pfs, *fallback_to_clear), (60, Pfs::Group(Group::Modp2048), false));
    for (lines, told) in [
        ("", "has neither filter_action nor offers, allowed: one of them"),
        (
            "filter_action = \"require\"\npfs = true",
            "stands beside filter_action, which has its own; allowed: one of them",
        ),
        ("pfs = true", "has no offers, which is required"),
    ] {
        let found = with(lines).map(|_| String::new()).unwrap_or_else(|error| error);
        assert!(found.contains(told), "{lines}: {found}");
    }
}
