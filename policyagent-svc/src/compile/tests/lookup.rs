//! What is looked up for the machine: servers, hosts, types of interfaces, certificates.
use super::*;
use crate::model::Server;
use ikecore::testing::authority::{Authority, KeyKind, Wish, pem};
use std::fs;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

#[test]
fn a_range_is_the_fewest_blocks() {
    assert_eq!(
        selectors("{ source = \"me\", destination = \"10.9.0.1-10.9.0.6\", protocol = \"udp\" }", &["10.0.0.1"]),
        [
            "10.0.0.1 <-> 10.9.0.1 protocol 17",
            "10.0.0.1 <-> 10.9.0.2/31 protocol 17",
            "10.0.0.1 <-> 10.9.0.4/31 protocol 17",
            "10.0.0.1 <-> 10.9.0.6 protocol 17"
        ]
    );
    // The side with an address of this machine is local.
    let filter = "{ source = \"10.9.0.0-10.9.0.255\", destination = \"10.8.0.0/24\" }";
    assert_eq!(selectors(filter, &["10.8.0.9"]), ["10.8.0.0/24 <-> 10.9.0.0/24"]);
    assert_eq!(selectors(filter, &["10.9.0.9"]), ["10.9.0.0/24 <-> 10.8.0.0/24"]);
}

#[test]
fn servers_and_hosts_are_what_the_machine_knows_of_them_and_are_waited_for() {
    let filters = "{ source = \"me\", destination = \"dns\" }, { source = \"gateway\", destination = \"me\" }, \
                   { source = \"me\", destination = \"Peer.Example\" }";
    let (selectors, warnings) = on_machine(filters, &linked());
    assert_eq!(selectors, [""; 0]);
    assert_eq!(
        warnings,
        [
            "rule \"to b\": this machine knows no server \"dns\"; the filter waits for one",
            "rule \"to b\": this machine knows no server \"gateway\"; the filter waits for one",
            "rule \"to b\": no address of \"peer.example\" was found yet; the filter waits for one"
        ]
    );
    let address = |text: &str| text.parse::<IpAddr>().unwrap();
    let router = HostAddress::new(address("fe80::1"), Scope(3));
    let machine = Machine {
        servers: [(Server::Dns, [address("10.0.0.53").into()].into()), (Server::Gateway, [router].into())].into(),
        hosts: [("peer.example".to_owned(), ["10.7.0.1", "2001:db8::7"].map(address).into())].into(),
        ..linked()
    };
    let (selectors, warnings) = on_machine(filters, &machine);
    assert_eq!(
        selectors,
        [
            "10.9.0.1 <-> 10.0.0.53",
            // A router on the link is spoken to from the link.
            "fe80::b%3 <-> fe80::1%3",
            "10.9.0.1 <-> 10.7.0.1",
            "2001:db8::1 <-> 2001:db8::7"
        ]
    );
    assert_eq!(warnings, [""; 0]);
    let left_out = Machine { servers_left_out: [(Server::Gateway, [router].into())].into(), ..linked() };
    let (selectors, warnings) = on_machine("{ source = \"me\", destination = \"gateway\" }", &left_out);
    assert_eq!((selectors.len(), warnings.len()), (0, 2));
    let told = "rule \"to b\": the filter is not for \"gateway\" at fe80::1%eth1, as the SA driver does nothing for link-local \
                addresses; allowed: the driver xfrm";
    assert_eq!(warnings[0], told);
    // Between two hosts by name the one that is this machine is local.
    let own = Machine { hosts: [("a.example".to_owned(), [address("10.9.0.1")].into())].into(), ..linked() };
    let (selectors, _) = on_machine("{ source = \"10.7.0.1\", destination = \"a.example\" }", &own);
    assert_eq!(selectors, ["10.9.0.1 <-> 10.7.0.1"]);
}

#[test]
fn with_a_connection_type_me_is_the_addresses_of_such_interfaces() {
    let here = Machine {
        dialup: ["10.0.0.2".parse::<IpAddr>().unwrap().into()].into(),
        ..addresses(&["10.0.0.1", "10.0.0.2"])
    };
    let of = |kind: &str, more: &str, machine: &Machine| {
        let text = GOOD.replace("horse\" }]", &format!("horse\" }}]\nconnection_type = {kind:?}\n{more}"));
        let compiled = compile(&parse(&text).unwrap(), machine, &mut Reqids::default()).unwrap();
        let rules = compiled.db.rules.iter();
        let filters = rules.clone().flat_map(|rule| rule.filters.iter().map(Selector::to_string)).collect::<Vec<_>>();
        let ends = rules.filter_map(|rule| rule.tunnel?.local).map(|end| end.to_string()).collect::<Vec<_>>();
        (filters, ends, compiled.warnings.into_iter().map(|warning| warning.message).collect::<Vec<_>>())
    };
    assert_eq!(of("lan", "", &here).0, ["10.0.0.1 <-> 10.9.0.2"]);
    assert_eq!(of("dialup", "", &here).0, ["10.0.0.2 <-> 10.9.0.2"]);
    assert_eq!(of("all", "", &here).0.len(), 2);
    // The tunnel begins there too.
    assert_eq!(of("dialup", "tunnel = { remote = \"10.9.0.2\" }", &here).1, ["10.0.0.2"]);
    assert_eq!(of("all", "tunnel = { remote = \"10.9.0.2\" }", &here).1, [""; 0]);
    let (filters, _, warnings) = of("dialup", "", &addresses(&["10.0.0.1"]));
    assert_eq!(filters, [""; 0]);
    assert_eq!(warnings, ["rule \"to b\": no interface of type \"dialup\" has an address; the filter waits for one"]);
    let text = GOOD
        .replace("\"me\"", "\"10.0.0.0/24\"")
        .replace("filter_list = \"b", "connection_type = \"lan\"\nfilter_list = \"b");
    let compiled = compile(&parse(&text).unwrap(), &here, &mut Reqids::default()).unwrap();
    assert!(compiled.warnings[0].message.contains("connection_type \"lan\" is about \"me\", which the filter has not"));
}

/// GOOD with these methods, compiled.
fn with_methods(methods: &str, more: &str, machine: &Machine) -> Compiled {
    let text = GOOD.replace("{ preshared_key = \"correct horse\" }", methods) + more;
    compile(&parse(&text).unwrap(), machine, &mut Reqids::default()).unwrap()
}

fn messages(compiled: &Compiled) -> Vec<&str> {
    compiled.warnings.iter().map(|warning| warning.message.as_str()).collect()
}

#[test]
fn a_rule_without_a_usable_method_blocks_its_traffic_and_one_with_another_does_without() {
    let here = addresses(&["10.9.0.1"]);
    let left_out = "rule \"to b\": Kerberos is not available; the method is left out";
    let with_key = with_methods("{ kerberos = true }, { preshared_key = \"k\" }", "", &here);
    assert_eq!((with_key.db.rules[0].authentication.len(), messages(&with_key)), (1, vec![left_out]));
    assert!(with_key.db.rules[0].quick_mode().is_some());
    let alone = with_methods(
        "{ kerberos = true }]\ntunnel = { remote = \"10.9.0.2\" }\nlocal_id = \"fqdn:a.example\"\n#",
        "",
        &here,
    );
    let rule = &alone.db.rules[0];
    assert!(matches!(rule.action, RuleAction::Block) && rule.tunnel.is_none() && rule.local_id.is_none());
    assert_eq!(rule.filters[0].to_string(), "10.9.0.1 <-> 10.9.0.2");
    let blocked = "rule \"to b\": none of its methods can be used, so that its traffic is blocked";
    assert_eq!(messages(&alone), [left_out, blocked]);

    let text = GOOD.replacen(
        "[[filter_list]]",
        "[policy.default_response]\nfilter_action = \"require\"\nauthentication = [{ kerberos = true }]\n\n[[filter_list]]",
        1,
    );
    let compiled = compile(&parse(&text).unwrap(), &here, &mut Reqids::default()).unwrap();
    assert!(compiled.db.default_response().is_none());
    assert!(messages(&compiled).last().unwrap().contains("nobody is answered by it"), "{:?}", messages(&compiled));
}

#[test]
fn an_empty_list_is_for_nothing_and_what_falls_back_is_not_a_tunnel() {
    let here = addresses(&["10.9.0.1"]);
    let text = GOOD.replace("filters = [{ source = \"me\", destination = \"10.9.0.2\" }]", "");
    let compiled = compile(&parse(&text).unwrap(), &here, &mut Reqids::default()).unwrap();
    assert!(compiled.db.rules.is_empty());
    assert_eq!(messages(&compiled), ["rule \"to b\": the filter list \"b hosts\" is empty"]);
    let soft = GOOD.replace("offers = [{", "fallback_to_clear = true\noffers = [{");
    let compiled = compile(&parse(&soft).unwrap(), &here, &mut Reqids::default()).unwrap();
    assert!(compiled.db.rules[0].quick_mode().unwrap().fallback_to_clear && compiled.warnings.is_empty());
    let tunnel = soft.replace("horse\" }]", "horse\" }]\ntunnel = { remote = \"10.9.0.2\" }");
    let compiled = compile(&parse(&tunnel).unwrap(), &here, &mut Reqids::default()).unwrap();
    assert!(messages(&compiled)[0].contains("in a tunnel nothing falls back"), "{:?}", messages(&compiled));
}

/// Certificate directories.
struct Directories(PathBuf);

impl Directories {
    /// A root, an authority beneath it, and this machine's certificates below each of them and of a stranger.
    fn new(name: &str) -> Self {
        let place = Self(std::env::temp_dir().join(format!("policyagent-directories-{name}-{}", std::process::id())));
        let _ = fs::remove_dir_all(&place.0);
        fs::create_dir_all(place.0.join("own")).unwrap();
        fs::create_dir_all(place.0.join("authorities")).unwrap();
        let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap();
        let mut stranger = Authority::root("C=CH, CN=stranger", KeyKind::P256, now);
        let mut root = Authority::root("C=CH, O=Example, CN=root", KeyKind::P256, now);
        let mut middle = root.intermediate("CN=issuing", KeyKind::P256);
        let write = |name: &str, authority: &mut Authority, chain: Vec<u8>, not_after: i64| {
            let subject = format!("CN={name}");
            let issued = authority.issue(&Wish { not_after, ..Wish::new(&subject, &[], KeyKind::P256, now) });
            fs::write(place.0.join(format!("own/{name}.pem")), [issued.pem(), chain].concat()).unwrap();
            let key = place.0.join(format!("own/{name}.key"));
            fs::write(&key, issued.key).unwrap();
            fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
        };
        write("a-stranger", &mut stranger, Vec::new(), now + 9999);
        let chain = pem(&middle.certificate());
        write("b-old", &mut middle, chain.clone(), now - 9);
        write("c-host", &mut middle, chain, now + 9999);
        fs::write(place.0.join("authorities/root.pem"), pem(&root.certificate())).unwrap();
        fs::write(place.0.join("authorities/README"), "not a certificate").unwrap();
        place
    }

    fn machine(&self) -> Machine {
        let needs = Needs { certificates: true, ..Needs::default() };
        let sources = Sources {
            system: self.0.clone(),
            own: self.0.join("own"),
            authorities: self.0.join("authorities"),
            wins_servers: Vec::new(),
            link_local: true,
        };
        let machine = Machine::this(&needs, &sources, &Hosts::new()).unwrap();
        Machine { certificates: machine.certificates, ..addresses(&["10.9.0.1"]) }
    }

    fn messages(&self, compiled: &Compiled) -> Vec<String> {
        messages(compiled).iter().map(|message| message.replace(&format!("{}/", self.0.display()), "")).collect()
    }
}

impl Drop for Directories {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn an_authority_by_its_name_stands_for_the_machines_certificate_below_it() {
    let place = Directories::new("found");
    let machine = place.machine();
    // However the name is turned, and written.
    for name in ["C=CH, O=Example, CN=root", "CN=Root, O=example, C=CH"] {
        let compiled = with_methods(&format!("{{ root_ca = {name:?} }}"), "", &machine);
        assert_eq!(messages(&compiled), [""; 0]);
        let AuthMethod::Certificate(method) = &compiled.db.rules[0].authentication[0] else { panic!("a certificate") };
        assert_eq!(method.own.certificate.to_string(), "CN=c-host");
        assert_eq!(method.own.issuers.len(), 1);
        assert_eq!(method.own.private_key, place.0.join("own/c-host.key"));
        let authorities: Vec<String> = method.trust.authorities.iter().map(ToString::to_string).collect();
        assert_eq!((authorities, method.trust.names_excluded), (vec!["C=CH, O=Example, CN=root".to_owned()], false));
    }
    let flags = "{ root_ca = \"C=CH, O=Example, CN=root\", exclude_ca_name = true, certificate_mapping = true }";
    let compiled = with_methods(flags, "", &machine);
    let AuthMethod::Certificate(method) = &compiled.db.rules[0].authentication[0] else { panic!("a certificate") };
    assert!(method.trust.names_excluded);
    assert!(messages(&compiled)[0].contains("certificate_mapping is not available"), "{:?}", messages(&compiled));
    fs::set_permissions(place.0.join("own/c-host.key"), fs::Permissions::from_mode(0o644)).unwrap();
    let open = with_methods("{ root_ca = \"C=CH, O=Example, CN=root\" }", "", &place.machine());
    let told = "rule \"to b\": its private key is own/c-host.key, which others can read (mode 644); it should be 600";
    assert_eq!(place.messages(&open), [told]);
}

#[test]
fn an_authority_without_certificates_leaves_the_method_out_and_says_what_is_missing() {
    let place = Directories::new("missing");
    let blocked = "rule \"to b\": none of its methods can be used, so that its traffic is blocked".to_owned();
    let unknown = with_methods("{ root_ca = \"CN=nobody\" }", "", &place.machine());
    let found = place.messages(&unknown);
    assert!(
        found.iter().any(|told| told.starts_with(
            "rule \"to b\": the method is left out: authorities has no certificate of the authority \"CN=nobody\"; not used: own/b-old.pem: "
        )),
        "{found:?}"
    );
    assert!(found.contains(&blocked) && matches!(unknown.db.rules[0].action, RuleAction::Block));
    fs::remove_file(place.0.join("own/c-host.key")).unwrap();
    let keyless = with_methods("{ root_ca = \"C=CH, O=Example, CN=root\" }", "", &place.machine());
    let found = place.messages(&keyless);
    assert!(
        found
            .iter()
            .any(|told| told.contains("own has no certificate below the authority \"C=CH, O=Example, CN=root\"")
                && told.contains("own/c-host.key: No such file")),
        "{found:?}"
    );
}
