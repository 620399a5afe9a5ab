mod lookup;
mod tunnel;

use super::*;
use crate::model::tests::{GOOD, parse};
use ikecore::address::{HostAddress, Scope};
use ikecore::crypto::group::Group;
use ikecore::policy::selector::Selector;

fn addresses(list: &[&str]) -> Machine {
    Machine { addresses: list.iter().map(|address| address.parse().unwrap()).collect(), ..Machine::default() }
}

/// GOOD with other filters, and more lines in its rule, compiled for a machine with these addresses.
fn compiled(filters: &str, rule: &str, here: &[&str]) -> Compiled {
    let text = GOOD
        .replace("{ source = \"me\", destination = \"10.9.0.2\" }", filters)
        .replace("horse\" }]", &format!("horse\" }}]\n{rule}"));
    let file = parse(&text).unwrap_or_else(|error| panic!("{error}"));
    compile(&file, &addresses(here), &mut Reqids::default()).unwrap()
}

/// The selectors of the one rule, as they are printed.
fn selectors(filters: &str, here: &[&str]) -> Vec<String> {
    let compiled = compiled(filters, "", here);
    compiled.db.rules.iter().flat_map(|rule| rule.filters.iter().map(Selector::to_string)).collect()
}

#[test]
fn me_is_each_address_of_its_family_and_any_is_both_families() {
    let here = ["10.0.0.1", "10.0.0.2", "2001:db8::1"];
    assert_eq!(
        selectors("{ source = \"me\", destination = \"10.9.0.2\" }", &here),
        ["10.0.0.1 <-> 10.9.0.2", "10.0.0.2 <-> 10.9.0.2"]
    );
    assert_eq!(
        selectors("{ source = \"any\", destination = \"me\", protocol = \"tcp\", destination_port = 22 }", &here),
        [
            "10.0.0.1[22] <-> 0.0.0.0/0 protocol 6",
            "10.0.0.2[22] <-> 0.0.0.0/0 protocol 6",
            "2001:db8::1[22] <-> ::/0 protocol 6"
        ]
    );
}

#[test]
fn the_side_that_holds_an_address_of_this_host_is_local() {
    let filter = "{ source = \"10.1.0.0/16\", destination = \"10.2.0.0/16\", protocol = \"udp\", source_port = 5 }";
    assert_eq!(selectors(filter, &["10.1.0.1"]), ["10.1.0.0/16[5] <-> 10.2.0.0/16 protocol 17"]);
    assert_eq!(selectors(filter, &["10.2.0.1"]), ["10.2.0.0/16 <-> 10.1.0.0/16[5] protocol 17"]);
    // Neither: as written.
    assert_eq!(selectors(filter, &["10.3.0.1"]), ["10.1.0.0/16[5] <-> 10.2.0.0/16 protocol 17"]);
    // Both: both ways, unless it is not mirrored.
    assert_eq!(
        selectors(filter, &["10.1.0.1", "10.2.0.1"]),
        ["10.1.0.0/16[5] <-> 10.2.0.0/16 protocol 17", "10.2.0.0/16 <-> 10.1.0.0/16[5] protocol 17"]
    );
    let one_way = filter.replace(" }", ", mirrored = false }");
    assert_eq!(selectors(&one_way, &["10.1.0.1", "10.2.0.1"]).len(), 1);
    // The same from both sides: once.
    assert_eq!(selectors("{ source = \"10.0.0.0/8\", destination = \"10.0.0.0/8\" }", &["10.1.0.1"]).len(), 1);
}

#[test]
fn a_tunnel_is_seen_from_this_host_and_takes_the_filter_with_it() {
    let filter = "{ source = \"10.10.1.0/24\", destination = \"10.10.2.0/24\" }";
    let tunnel = "tunnel = { local = \"10.9.0.1\", remote = \"10.9.0.2\" }";
    let ends = |compiled: &Compiled| {
        let rule = &compiled.db.rules[0];
        let tunnel = rule.tunnel.unwrap();
        format!("{:?} {} {}", tunnel.local, tunnel.remote.unwrap(), rule.filters[0])
    };
    let a = compiled(filter, tunnel, &["10.9.0.1"]);
    assert_eq!(ends(&a), "Some(10.9.0.1) 10.9.0.2 10.10.1.0/24 <-> 10.10.2.0/24");
    let b = compiled(filter, tunnel, &["10.9.0.2"]);
    assert_eq!(ends(&b), "Some(10.9.0.2) 10.9.0.1 10.10.2.0/24 <-> 10.10.1.0/24");
    assert!(a.warnings.is_empty() && b.warnings.is_empty());
    let stranger = compiled(filter, tunnel, &["10.9.0.3"]);
    assert!(stranger.warnings[0].message.contains("neither end of the tunnel"), "{:?}", stranger.warnings);
}

#[test]
fn a_rule_without_a_filter_for_this_machine_is_left_out_with_a_warning() {
    let compiled = compiled("{ source = \"me\", destination = \"2001:db8::2\" }", "", &["10.0.0.1"]);
    assert!(compiled.db.rules.is_empty());
    assert_eq!(
        compiled.warnings[0].to_string(),
        "/x/policy.toml:17:12: rule \"to b\": this machine has no address that the filter could be for"
    );
}

#[test]
fn inactive_rules_and_unassigned_policies_are_not_in_force() {
    let inactive = compiled("{ source = \"me\", destination = \"10.9.0.2\" }", "active = false", &["10.9.0.1"]);
    assert!(inactive.db.rules.is_empty() && inactive.warnings.is_empty());
    let file = parse(&GOOD.replace("assigned = true", "assigned = false")).unwrap();
    assert!(compile(&file, &addresses(&["10.9.0.1"]), &mut Reqids::default()).unwrap().db.rules.is_empty());
}

#[test]
fn a_rule_is_compiled_whole() {
    let file =
        parse(&GOOD.replace("sha256\" }]", "sha256\" }, { ah = \"sha1\", lifetime = 60 }]\npfs = true")).unwrap();
    let compiled = compile(&file, &addresses(&["10.9.0.1", "2001:db8::1"]), &mut Reqids::default()).unwrap();
    assert!(compiled.warnings.is_empty(), "{:?}", compiled.warnings);
    assert_eq!(compiled.db.local_addresses.len(), 2);
    let rule = &compiled.db.rules[0];
    assert_eq!((rule.name.as_str(), rule.authentication.len(), rule.main_mode.offers.len()), ("to b", 1, 1));
    assert!((1..=0x3fff).contains(&rule.reqid));
    let quick_mode = rule.quick_mode().unwrap();
    assert_eq!(quick_mode.name, "require");
    assert!(quick_mode.offers.iter().all(|offer| offer.pfs == Some(Group::Modp2048)), "{quick_mode:?}");
    assert_eq!((quick_mode.offers[1].lifetime.seconds, quick_mode.offers[1].lifetime.kilobytes), (60, 100_000));
}

#[test]
fn pfs_with_the_main_mode_group_is_warned_of_when_there_are_several() {
    let text = GOOD
        .replace("\"aes256-sha256-modp2048\"", "\"aes256-sha256-ecp256\", \"aes256-sha256-modp2048\"")
        .replace("sha256\" }]", "sha256\" }]\npfs = true");
    let compiled = compile(&parse(&text).unwrap(), &addresses(&["10.9.0.1"]), &mut Reqids::default()).unwrap();
    assert_eq!(compiled.db.rules[0].quick_mode().unwrap().offers[0].pfs, Some(Group::Ecp256));
    assert!(compiled.warnings[0].message.contains("quick mode takes ECP-256 (19)"), "{:?}", compiled.warnings);
}

/// GOOD with this action in place of its own, and other filters, compiled for a machine with these addresses.
fn in_clear(action: &str, filters: &str, here: &[&str]) -> Compiled {
    let text = GOOD
        .replace("action = \"negotiate\"\noffers = [{ esp = \"aes256-sha256\" }]", action)
        .replace("{ source = \"me\", destination = \"10.9.0.2\" }", filters);
    let file = parse(&text).unwrap_or_else(|error| panic!("{error}"));
    compile(&file, &addresses(here), &mut Reqids::default()).unwrap()
}

#[test]
fn what_is_permitted_or_blocked_and_not_mirrored_is_so_one_way() {
    let one_way = |source: &str, destination: &str, here: &[&str]| {
        let filter = format!("{{ source = \"{source}\", destination = \"{destination}\", mirrored = false }}");
        let compiled = in_clear("action = \"block\"", &filter, here);
        assert!(compiled.warnings.is_empty(), "{:?}", compiled.warnings);
        let rule = &compiled.db.rules[0];
        assert!(matches!(rule.action, RuleAction::Block));
        rule.filters.iter().map(Selector::to_string).collect::<Vec<_>>()
    };
    let here = ["10.9.0.1"];
    assert_eq!(one_way("me", "10.9.0.2", &here), ["10.9.0.1 -> 10.9.0.2"]);
    assert_eq!(one_way("10.9.0.2", "me", &here), ["10.9.0.1 <- 10.9.0.2"]);
    assert_eq!(one_way("10.9.0.0/24", "10.8.0.0/24", &here), ["10.9.0.0/24 -> 10.8.0.0/24"]);
    assert_eq!(one_way("10.8.0.0/24", "10.9.0.0/24", &here), ["10.9.0.0/24 <- 10.8.0.0/24"]);
    // Both sides are this host's: what it sends, and what it receives.
    assert_eq!(one_way("10.9.0.0/24", "10.0.0.0/8", &here), ["10.9.0.0/24 -> 10.0.0.0/8", "10.0.0.0/8 <- 10.9.0.0/24"]);
    // A gateway's: it forwards them.
    assert_eq!(one_way("10.7.0.0/24", "10.8.0.0/24", &here), ["10.7.0.0/24 -> 10.8.0.0/24"]);
    // SAs come in pairs.
    let negotiates = "{ source = \"me\", destination = \"10.9.0.2\", mirrored = false }";
    assert_eq!(selectors(negotiates, &here), ["10.9.0.1 <-> 10.9.0.2"]);
}

#[test]
fn an_action_may_be_another_one_for_what_arrives() {
    let filter = "{ source = \"me\", destination = \"10.9.0.2\" }";
    let words = |action: &str, filter: &str| {
        let compiled = in_clear(action, filter, &["10.9.0.1"]);
        let rule = &compiled.db.rules[0];
        (rule.filters[0].to_string(), rule.action.words(rule.filters[0].direction))
    };
    let both = "10.9.0.1 <-> 10.9.0.2".to_owned();
    assert_eq!(
        words("action = \"permit\"\ninbound_action = \"block\"", filter),
        (both.clone(), "permit outbound, block inbound")
    );
    assert_eq!(
        words("action = \"block\"\ninbound_action = \"permit\"", filter),
        (both.clone(), "permit inbound, block outbound")
    );
    assert_eq!(words("action = \"block\"\ninbound_action = \"block\"", filter), (both, "block"));
    let arriving = "{ source = \"10.9.0.2\", destination = \"me\", mirrored = false }";
    assert_eq!(
        words("action = \"permit\"\ninbound_action = \"block\"", arriving),
        ("10.9.0.1 <- 10.9.0.2".to_owned(), "block")
    );
    let text = GOOD.replace("action = \"negotiate\"", "action = \"negotiate\"\ninbound_action = \"block\"");
    let error = parse(&text).unwrap_err().to_string();
    assert!(error.contains("is for the actions \"permit\" and \"block\" only"), "{error}");
}

/// Filters with the side `pool`, for a gateway and for a client.
fn with_pool(filters: &str, mode_config: &str, remote: &str) -> Vec<String> {
    let text = GOOD.replace("{ source = \"me\", destination = \"10.9.0.2\" }", filters).replace(
        "horse\" }]",
        &format!(
            "horse\" }}]\nmode_config = {mode_config}\ntunnel = {{ local = \"10.9.0.1\", remote = \"{remote}\" }}"
        ),
    ) + "\n[[pool]]\nname = \"office\"\naddresses = [\"10.99.0.4-10.99.0.9\", \"2001:db8::/126\"]\n";
    let file = parse(&text).unwrap_or_else(|error| panic!("{error}"));
    let compiled = compile(&file, &addresses(&["10.9.0.1"]), &mut Reqids::default()).unwrap_or_else(|e| panic!("{e}"));
    compiled.db.rules.iter().flat_map(|rule| rule.filters.iter().map(Selector::to_string)).collect()
}

#[test]
fn the_pool_is_the_peers_side_at_the_gateway_and_this_hosts_at_the_client() {
    let gateway = "{ pool = \"office\" }";
    let blocks = ["10.10.1.0/24 <-> 10.99.0.4/30", "10.10.1.0/24 <-> 10.99.0.8/31"];
    for filter in [
        "{ source = \"10.10.1.0/24\", destination = \"pool\" }",
        "{ source = \"pool\", destination = \"10.10.1.0/24\" }",
    ] {
        assert_eq!(with_pool(filter, gateway, "any"), blocks);
        assert_eq!(with_pool(filter, "\"pull\"", "10.9.0.2"), ["0.0.0.0/0 <-> 10.10.1.0/24"]);
    }
    let all = "{ source = \"any\", destination = \"pool\", protocol = \"tcp\", source_port = 80 }";
    assert_eq!(
        with_pool(all, gateway, "any"),
        [
            "0.0.0.0/0[80] <-> 10.99.0.4/30 protocol 6",
            "0.0.0.0/0[80] <-> 10.99.0.8/31 protocol 6",
            "::/0[80] <-> 2001:db8::1 protocol 6",
            "::/0[80] <-> 2001:db8::2/127 protocol 6"
        ]
    );
}

#[test]
fn a_client_of_nobody_is_refused() {
    let text = GOOD
        .replace(
            "{ source = \"me\", destination = \"10.9.0.2\" }",
            "{ source = \"pool\", destination = \"10.1.0.0/16\" }",
        )
        .replace("horse\" }]", "horse\" }]\nmode_config = \"pull\"\ntunnel = { remote = \"any\" }");
    let file = parse(&text).unwrap_or_else(|error| panic!("{error}"));
    let fault = compile(&file, &addresses(&["10.9.0.1"]), &mut Reqids::default()).unwrap_err().to_string();
    assert!(fault.contains("its tunnel names no peer: allowed is a tunnel with a remote address"), "{fault}");
}

/// GOOD with a default response, and with `line` in its table.
fn with_default_response(line: &str) -> Compiled {
    let table = format!(
        "[policy.default_response]\nfilter_action = \"require\"\n\
         authentication = [{{ preshared_key = \"for strangers\" }}]\n{line}\n\n[[filter_list]]"
    );
    let file = parse(&GOOD.replacen("[[filter_list]]", &table, 1)).unwrap_or_else(|error| panic!("{error}"));
    compile(&file, &addresses(&["10.9.0.1"]), &mut Reqids::default()).unwrap()
}

#[test]
fn the_default_response_is_a_rule_without_filters_beside_the_others() {
    let db = with_default_response("local_id = \"fqdn:a.example\"").db;
    let default = db.default_response().expect("a default response");
    assert_eq!((default.name.as_str(), default.filters.len()), ("default response", 0));
    assert_eq!(default.local_id, Some(ikecore::identity::Identity::Fqdn("a.example".to_owned())));
    let rule = &db.rules[0];
    assert_eq!(default.main_mode, rule.main_mode);
    assert_eq!(default.quick_mode().map(|policy| &policy.name), rule.quick_mode().map(|policy| &policy.name));
    assert!(default.reqid != 0 && default.reqid != rule.reqid);
    assert!(!default.authentication[0].is_same(&rule.authentication[0]));
    assert_eq!(db.rules.len(), 1);
    assert!(with_default_response("active = false").db.default_response().is_none());
}

/// A machine with two links, 2 and 3, and link-local addresses on both.
fn linked() -> Machine {
    let on = |text: &str, index| HostAddress::new(text.parse().unwrap(), Scope(index));
    Machine {
        on_links: [on("fe80::a", 2), on("fe80::b", 3)].into(),
        interfaces: [("eth0".parse().unwrap(), Scope(2)), ("eth1".parse().unwrap(), Scope(3))].into(),
        ..addresses(&["10.9.0.1", "2001:db8::1"])
    }
}

fn on_machine(filter: &str, machine: &Machine) -> (Vec<String>, Vec<String>) {
    let text = GOOD.replace("{ source = \"me\", destination = \"10.9.0.2\" }", filter);
    let file = parse(&text).unwrap_or_else(|error| panic!("{error}"));
    let compiled = compile(&file, machine, &mut Reqids::default()).unwrap();
    let selectors = compiled.db.rules.iter().flat_map(|rule| rule.filters.iter().map(Selector::to_string)).collect();
    (selectors, compiled.warnings.into_iter().map(|warning| warning.message).collect())
}

#[test]
fn a_link_local_peer_is_one_of_its_link() {
    let selectors = |filter: &str| {
        let (selectors, warnings) = on_machine(filter, &linked());
        assert_eq!(warnings, [""; 0]);
        selectors
    };
    // Me is the address on that link, and no other.
    let to_peer = "{ source = \"me\", destination = \"fe80::1%eth1\" }";
    assert_eq!(selectors(to_peer), ["fe80::b%3 <-> fe80::1%3"]);
    assert_eq!(selectors(&to_peer.replace("eth1", "3")), ["fe80::b%3 <-> fe80::1%3"]);
    assert_eq!(selectors("{ source = \"fe80::1%eth0\", destination = \"me\" }"), ["fe80::a%2 <-> fe80::1%2"]);
    // The side that holds an address of this host on that link is local.
    let both = "{ source = \"fe80::1%eth0\", destination = \"fe80::a%eth0\" }";
    assert_eq!(selectors(both), ["fe80::a%2 <-> fe80::1%2"]);
    assert_eq!(selectors(&both.replace("eth0", "eth1")), ["fe80::1%3 <-> fe80::a%3"]);
    assert_eq!(selectors("{ source = \"any\", destination = \"fe80::1%eth0\" }"), ["::/0 <-> fe80::1%2"]);
    assert_eq!(selectors("{ source = \"me\", destination = \"fe80::%eth0/64\" }"), ["fe80::a%2 <-> fe80::%2/64"]);
    // A block without interface is that of every link.
    assert_eq!(
        selectors("{ source = \"me\", destination = \"fe80::/10\" }"),
        ["fe80::a%2 <-> fe80::%2/10", "fe80::b%3 <-> fe80::%3/10"]
    );
    // Where nothing is link-local, `me` is as ever.
    assert_eq!(selectors("{ source = \"me\", destination = \"2001:db8::2\" }"), ["2001:db8::1 <-> 2001:db8::2"]);
}

#[test]
fn a_filter_waits_for_its_interface() {
    let filter = "{ source = \"me\", destination = \"fe80::1%ppp0\" }, { source = \"me\", destination = \"10.9.0.2\" }";
    let (selectors, warnings) = on_machine(filter, &linked());
    assert_eq!(selectors, ["10.9.0.1 <-> 10.9.0.2"]);
    assert_eq!(warnings, ["rule \"to b\": there is no interface \"ppp0\"; the filter waits for it"]);
    let mut machine = linked();
    machine.interfaces.insert("ppp0".parse().unwrap(), Scope(9));
    // It is there, but not up.
    let (selectors, warnings) = on_machine(filter, &machine);
    assert_eq!(selectors, ["10.9.0.1 <-> 10.9.0.2"]);
    assert!(warnings[0].contains("no address that the filter could be for"), "{warnings:?}");
    machine.on_links.insert(HostAddress::new("fe80::c".parse().unwrap(), Scope(9)));
    let (selectors, warnings) = on_machine(filter, &machine);
    assert_eq!(selectors, ["fe80::c%9 <-> fe80::1%9", "10.9.0.1 <-> 10.9.0.2"]);
    assert!(warnings.is_empty(), "{warnings:?}");
}

#[test]
fn clear_traffic_with_silent_peers_and_its_life_are_of_the_policy() {
    for (action, main_mode, expected) in [
        ("", "", (false, 28_800)),
        ("fallback_to_clear = true\n", "soft_lifetime = 600\n", (true, 600)),
        ("fallback_to_clear = false\n", "", (false, 28_800)),
    ] {
        let text = GOOD
            .replace("action = \"negotiate\"\n", &format!("action = \"negotiate\"\n{action}"))
            .replace("[policy.main_mode]\n", &format!("[policy.main_mode]\n{main_mode}"));
        let file = parse(&text).unwrap_or_else(|error| panic!("{error}"));
        let compiled = compile(&file, &addresses(&["10.9.0.1"]), &mut Reqids::default()).unwrap();
        let rule = &compiled.db.rules[0];
        let quick_mode = rule.quick_mode().expect("it negotiates");
        assert_eq!((quick_mode.fallback_to_clear, rule.main_mode.soft_lifetime), expected);
    }
}
