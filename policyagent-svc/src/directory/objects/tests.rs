use super::difference::{Change, DifferenceError};
use super::write::Place;
use super::*;
use crate::directory::blob::{Blob as _, FilterBlob, IsakmpBlob, NegotiationBlob, NfaBlob};

const CONTAINER: &str = "CN=IP Security,CN=System,DC=example,DC=net";
const PLACE: Place<'_> = Place { container: CONTAINER, extensions: false };
const EXTENDED: Place<'_> = Place { container: CONTAINER, extensions: true };

/// A document that objects can hold as it is.
const DOCUMENT: &str = r#"
[[policy]]
name = "servers"
description = "for the servers"
guid = "{00000000-0000-4000-8000-000000000001}"
polling_interval = 600

[policy.main_mode]
offers = ["3des-sha1-modp2048", "3des-sha1-modp1024", "des-md5-modp768"]
lifetime = { seconds = 3600, kilobytes = 5000 }
quick_mode_limit = 3

[[policy.rule]]
name = "web"
guid = "{00000000-0000-4000-8000-000000000011}"
filter_list = "web"
filter_action = "require"
authentication = [
    { kerberos = true },
    { root_ca = "C=CH, O=Example, CN=Root", certificate_mapping = true },
    { preshared_key = "schlüssel" },
]
connection_type = "lan"

[[policy.rule]]
name = "office"
guid = "{00000000-0000-4000-8000-000000000012}"
filter_list = "office"
filter_action = "require"
authentication = [{ preshared_key = "other" }]
tunnel = { remote = "192.0.2.1" }
active = false

[[policy.rule]]
name = "ping"
guid = "{00000000-0000-4000-8000-000000000013}"
filter_list = "ping"
filter_action = "permit"

[policy.default_response]
pfs = true
offers = [{ esp = "3des-sha1" }, { ah = "md5" }]
authentication = [{ kerberos = true }]

[[filter_list]]
name = "web"
guid = "{00000000-0000-4000-8000-000000000021}"
filters = [
    { guid = "{00000000-0000-4000-8000-000000000031}", source = "me", destination = "any", protocol = "tcp", destination_port = 80 },
    { guid = "{00000000-0000-4000-8000-000000000032}", source = "dns", destination = "me", description = "names" },
    { guid = "{00000000-0000-4000-8000-000000000033}", source = "me", destination = "192.0.2.80", destination_name = "host.example", protocol = 99, mirrored = false },
]

[[filter_list]]
name = "office"
guid = "{00000000-0000-4000-8000-000000000022}"
filters = [
    { guid = "{00000000-0000-4000-8000-000000000034}", source = "10.1.0.0/16", destination = "10.2.0.1-10.2.0.6" },
    { guid = "{00000000-0000-4000-8000-000000000035}", source = "2001:db8:1::/48", destination = "2001:db8:2::1", protocol = "udp", source_port = 53 },
]

[[filter_list]]
name = "ping"
guid = "{00000000-0000-4000-8000-000000000023}"
filters = []

[[filter_action]]
name = "require"
guid = "{00000000-0000-4000-8000-000000000041}"
action = "negotiate"
inbound_passthrough = true
fallback_to_clear = true
pfs = true
offers = [
    { ah = "sha1", esp = "3des-md5", lifetime = { seconds = 900, kilobytes = 0 } },
    { esp = "null-sha1" },
]

[[filter_action]]
name = "permit"
guid = "{00000000-0000-4000-8000-000000000042}"
action = "permit"
"#;

fn difference(old: &Contents, new: &Tree, place: &Place<'_>) -> Result<Vec<Change>, DifferenceError> {
    difference::difference(old, new, place).map(|difference| difference.changes)
}

fn tree(text: &str) -> Tree {
    Tree::parse(text).unwrap()
}

/// The objects that `changes` make of nothing, or of `objects`.
fn make(mut objects: Vec<Object>, changes: &[Change]) -> Vec<Object> {
    let values = |values: &[Vec<u8>]| values.iter().map(|v| String::from_utf8(v.clone()).unwrap()).collect::<Vec<_>>();
    for change in changes {
        match change {
            Change::Add(object) => {
                assert!(objects.iter().all(|other| other.dn != object.dn), "{} twice", object.dn);
                // An object comes without references.
                let bare = Object {
                    owners: vec![],
                    isakmp: None,
                    nfas: vec![],
                    negotiation: None,
                    filter: None,
                    ..(**object).clone()
                };
                objects.push(bare);
            }
            Change::Delete { dn, class } => {
                let referred = |object: &&Object| {
                    let mut all =
                        object.nfas.iter().chain(&object.isakmp).chain(&object.negotiation).chain(&object.filter);
                    all.any(|other| other == dn)
                };
                assert_eq!(objects.iter().find(referred), None, "{dn} is still in use");
                let before = objects.len();
                objects.retain(|object| object.dn != *dn || object.class != *class);
                assert_eq!(objects.len(), before - 1);
            }
            Change::Replace { dn, attributes } => {
                let object = objects.iter_mut().find(|object| object.dn == *dn).unwrap();
                for (name, new) in attributes {
                    let one = || values(new).first().cloned();
                    match *name {
                        "ipsecName" => object.name = one().unwrap_or_default(),
                        "description" => object.description = one(),
                        "ipsecData" => object.data = Data(Zeroizing::new(new[0].clone())),
                        "ipsecOwnersReference" => object.owners = values(new),
                        "ipsecISAKMPReference" => object.isakmp = one(),
                        "ipsecNFAReference" => object.nfas = values(new),
                        "ipsecNegotiationPolicyReference" => object.negotiation = one(),
                        "ipsecFilterReference" => object.filter = one(),
                        "ipsecNegotiationPolicyAction" => object.action = one().and_then(|text| text.parse().ok()),
                        other => panic!("{other}"),
                    }
                }
            }
        }
    }
    objects
}

fn created(text: &str, place: &Place<'_>) -> Vec<Object> {
    make(Vec::new(), &difference(&Contents::default(), &tree(text), place).unwrap())
}

#[test]
fn a_document_comes_back_from_its_objects() {
    let objects = created(DOCUMENT, &PLACE);
    let contents = read(&objects).unwrap();
    assert_eq!(contents.notes, []);
    assert!(contents.document == tree(DOCUMENT), "{}", *contents.document.text());
    assert_eq!(contents.unnamed.isakmp.len(), 1);
    assert_eq!(contents.unnamed.default_actions.len(), 1);
}

#[test]
fn objects_are_named_and_tied_together_as_published() {
    let objects = created(DOCUMENT, &PLACE);
    let of = |class| objects.iter().filter(move |object| object.class == class).collect::<Vec<_>>();
    let count = Class::ALL.map(|class| of(class).len());
    assert_eq!(count, [1, 1, 4, 3, 3]);
    let policy = of(Class::Policy)[0];
    assert_eq!(policy.dn, format!("CN=ipsecPolicy{{00000000-0000-4000-8000-000000000001}},{CONTAINER}"));
    assert_eq!(policy.nfas.len(), 4);
    assert_eq!(policy.isakmp.as_ref(), Some(&of(Class::Isakmp)[0].dn));
    assert!(of(Class::Nfa).iter().all(|nfa| nfa.owners == [policy.dn.clone()] && nfa.negotiation.is_some()));
    assert_eq!(of(Class::Nfa).iter().filter(|nfa| nfa.filter.is_none()).count(), 1, "the default response");
    let require = of(Class::Negotiation).into_iter().find(|object| object.name == "require").unwrap();
    assert_eq!(require.owners.len(), 2);
    assert_eq!(require.action.unwrap().to_string(), "{3f91a81a-7647-11d1-864d-d46a00000000}");
    assert_eq!(require.kind.unwrap().to_string(), "{62f49e10-6c37-11d1-864c-14a300000000}");
    let default = of(Class::Negotiation).into_iter().find(|object| object.name.is_empty()).unwrap();
    assert_eq!(default.kind.unwrap().to_string(), "{62f49e13-6c37-11d1-864c-14a300000000}");
    assert_eq!(default.action.unwrap().to_string(), "{8a171dd3-77e3-11d1-8659-a04f00000000}");
}

#[test]
fn values_are_those_that_windows_would_read() {
    let objects = created(DOCUMENT, &PLACE);
    let data =
        |name: &str, class| &objects.iter().find(|object| object.name == name && object.class == class).unwrap().data.0;
    let main_mode = IsakmpBlob::read(data("servers", Class::Isakmp)).unwrap().blob;
    assert_eq!((main_mode.new_groups, main_mode.methods.len(), main_mode.options), ([4, 0, 0, 0], 2, 1));
    assert_eq!((main_mode.seconds, main_mode.methods[0].kilobytes, main_mode.quick_mode_limit), (3600, 5000, 3));
    let offers = NegotiationBlob::read(data("require", Class::Negotiation)).unwrap().blob.offers;
    assert_eq!(offers.len(), 3, "the last one is for falling back");
    assert_eq!((offers[0].seconds, offers[0].kilobytes, offers[0].algorithms.len()), (900, u32::MAX, 2));
    assert!(offers[2].algorithms.is_empty());
    let rule = NfaBlob::read(data("office", Class::Nfa)).unwrap().blob;
    assert!(!rule.is_active && rule.tunnel == Some("192.0.2.1".parse().unwrap()));
    // A range is there in both versions, what is IPv6 in the second only.
    let filters = FilterBlob::read(data("office", Class::Filter)).unwrap().blob;
    assert_eq!((filters.first.len(), filters.second.len()), (4, 2));
    assert!(filters.first.iter().all(|filter| filter.names.guid == filters.second[0].names.guid));
    let web = FilterBlob::read(data("web", Class::Filter)).unwrap().blob;
    assert_eq!(web.first.iter().map(|filter| filter.special).collect::<Vec<_>>(), [0, 1, 0]);
    assert_eq!(web.first[0].source, (std::net::Ipv4Addr::UNSPECIFIED, std::net::Ipv4Addr::BROADCAST));
}

#[test]
fn only_what_differs_is_changed() {
    let objects = created(DOCUMENT, &PLACE);
    let contents = read(&objects).unwrap();
    assert_eq!(difference(&contents, &contents.document, &PLACE).unwrap(), []);
    // Another name of a filter list, a rule less, a port more.
    let mut text = DOCUMENT
        .replace("filter_list = \"web\"", "filter_list = \"shops\"")
        .replace("[[filter_list]]\nname = \"web\"", "[[filter_list]]\nname = \"shops\"");
    let rule = text.find("[[policy.rule]]\nname = \"office\"").unwrap();
    let next = text.find("[[policy.rule]]\nname = \"ping\"").unwrap();
    text.replace_range(rule..next, "");
    let changes = difference(&contents, &tree(&text), &PLACE).unwrap();
    let told: Vec<String> = changes
        .iter()
        .map(|change| match change {
            Change::Add(object) => format!("add {}", object.dn),
            Change::Replace { dn, attributes } => {
                let names: Vec<&str> = attributes.iter().map(|(name, _)| *name).collect();
                format!("replace {} {}", dn.split('{').next().unwrap(), names.join(" "))
            }
            Change::Delete { dn, .. } => format!("delete {}", dn.split('{').next().unwrap()),
        })
        .collect();
    assert_eq!(
        told,
        [
            "replace CN=ipsecFilter ipsecName",
            "replace CN=ipsecPolicy ipsecNFAReference",
            "replace CN=ipsecNegotiationPolicy ipsecOwnersReference",
            "replace CN=ipsecFilter ipsecOwnersReference",
            "delete CN=ipsecNFA",
            "replace CN=ipsecPolicy ipsecData",
        ]
    );
    let after = read(&make(objects, &changes)).unwrap();
    assert!(after.document == tree(&text), "{}", *after.document.text());
    // And all of it.
    let gone = difference(&after, &Tree::default(), &PLACE).unwrap();
    assert_eq!(make(created(&text, &PLACE), &[]).len(), 11);
    assert!(gone.iter().filter(|change| matches!(change, Change::Delete { .. })).count() >= 11);
}

#[test]
fn objects_keep_their_identity_when_they_are_told_without_it() {
    let objects = created(DOCUMENT, &PLACE);
    let contents = read(&objects).unwrap();
    let without: String =
        DOCUMENT.lines().filter(|line| !line.starts_with("guid")).map(|line| format!("{line}\n")).collect();
    assert_eq!(difference(&contents, &tree(&without), &PLACE).unwrap(), []);
    let twice = DOCUMENT.replace("000000000022", "000000000021");
    let error = difference(&contents, &tree(&twice), &PLACE).unwrap_err().to_string();
    assert_eq!(
        error,
        "\"office\": its guid {00000000-0000-4000-8000-000000000021} is that of another object; allowed: another, or none"
    );
}

/// A document with what only this project knows.
fn modern() -> String {
    DOCUMENT
        .replace("\"3des-sha1-modp1024\", ", "\"3des-sha1-modp1024\", \"aes256-sha256-ecp384\", ")
        .replace("esp = \"null-sha1\"", "esp = \"aes256gcm16\"")
        .replace("pfs = true\noffers = [\n", "pfs = \"modp2048\"\noffers = [\n")
        .replace(
            "tunnel = { remote = \"192.0.2.1\" }",
            "tunnel = { remote = \"2001:db8::9\" }\nremote_id = \"fqdn:gate.example\"",
        )
        .replace("destination = \"2001:db8:2::1\"", "destination = \"host.example\"")
}

#[test]
fn an_action_for_what_arrives_alone_has_no_place_in_objects() {
    let text = DOCUMENT.replace("action = \"permit\"", "action = \"permit\"\ninbound_action = \"block\"");
    for place in [PLACE, EXTENDED] {
        let error = difference(&Contents::default(), &tree(&text), &place).unwrap_err().to_string();
        let told =
            "filter action \"permit\": has inbound_action = \"block\", which objects of a directory have no place for";
        assert!(error.contains(told), "{error}");
    }
}

#[test]
fn what_objects_cannot_express_is_named_or_kept_in_an_extension() {
    let text = modern();
    let error = difference(&Contents::default(), &tree(&text), &PLACE).unwrap_err();
    let DifferenceError::Faults(ObjectFaults(faults)) = &error else { panic!("{error}") };
    let faults: Vec<String> =
        faults.iter().map(|fault| fault.to_string().split(", which objects").next().unwrap().to_owned()).collect();
    assert_eq!(
        faults,
        [
            "rule \"office\" of policy \"servers\": has remote_id",
            "rule \"office\" of policy \"servers\": has a tunnel to 2001:db8::9",
            "the main mode of policy \"servers\": offers aes256-sha256-ecp384",
            "filter list \"office\": filter 2 has \"host.example\" as destination",
            "filter action \"require\": has a group for pfs that need not be that of main mode",
            "filter action \"require\": has esp aes256gcm16 in offer 2",
        ]
    );
    assert!(error.to_string().contains("allowed: something else, or extensions = true in [directory]"), "{error}");
    let objects = created(&text, &EXTENDED);
    let contents = read(&objects).unwrap();
    assert_eq!(contents.notes, []);
    assert!(contents.document == tree(&text), "{}", *contents.document.text());
    assert_eq!(difference(&contents, &tree(&text), &EXTENDED).unwrap(), []);
    // Hosts that read no further still see what they can do.
    let require = objects.iter().find(|object| object.name == "require").unwrap();
    assert_eq!(NegotiationBlob::read(&require.data.0).unwrap().blob.offers.len(), 2);
    // What has no place in objects at all.
    let pools = format!("{text}\n[[pool]]\nname = \"p\"\naddresses = [\"10.9.0.0/24\"]\n");
    let error = difference(&Contents::default(), &tree(&pools), &EXTENDED).unwrap_err();
    assert_eq!(error.to_string(), "the document: has pool, which objects of a directory have no place for");
}

#[test]
fn what_a_document_cannot_say_is_a_note_or_a_fault() {
    let mut objects = created(DOCUMENT, &PLACE);
    let change = |objects: &mut Vec<Object>, name: &str, class, at: usize, to: u8| {
        let object = objects.iter_mut().find(|object| object.name == name && object.class == class).unwrap();
        object.data.0[at] = to;
    };
    // The second offer with NULL and no integrity: left out, there is another.
    change(&mut objects, "require", Class::Negotiation, 24 + 80 + 20 + 4, 0);
    // An interface type that nobody knows.
    let unknown = objects.iter().position(|object| object.name == "ping" && object.class == Class::Nfa).unwrap();
    objects[unknown].data.0[24] = 0x77;
    let contents = read(&objects).unwrap();
    let notes: Vec<&str> = contents.notes.iter().map(|note| note.message.as_str()).collect();
    assert_eq!(
        notes,
        [
            "offer 2 is left out: ESP with neither cipher nor integrity algorithm protects nobody",
            "the interface type 0xffffff77 is unknown, and taken as all",
        ]
    );
    // A mask with gaps: which traffic it is cannot be said, so nothing is.
    let web = objects.iter().position(|object| object.name == "web" && object.class == Class::Filter).unwrap();
    let mut filters = FilterBlob::read(&objects[web].data.0).unwrap().blob;
    filters.first[2].destination.1 = "255.0.255.0".parse().unwrap();
    objects[web].data = Data(filters.write(None));
    objects.retain(|object| object.name != "permit");
    let error = read(&objects).unwrap_err().to_string();
    assert!(error.contains("the mask 255.0.255.0 has gaps, allowed: ones, then zeros"), "{error}");
    assert!(error.contains("it refers to the ipsecNegotiationPolicy CN="), "{error}");
}

#[test]
fn names_of_a_directory_become_names_of_a_document() {
    let mut objects = created(DOCUMENT, &PLACE);
    for object in &mut objects {
        match object.class {
            Class::Filter => object.name = "the\nsame".to_owned(),
            Class::Nfa => object.name = String::new(),
            _ => object.changed = Some("20261128024001.0Z".to_owned()),
        }
    }
    let contents = read(&objects).unwrap();
    let names =
        |key: &str| tables(&contents.document.0, key).map(|t| text(t, "name").unwrap().to_owned()).collect::<Vec<_>>();
    assert_eq!(names("filter_list"), ["thesame", "thesame (2)", "thesame (3)"]);
    let policy = tables(&contents.document.0, "policy").next().unwrap();
    let rules: Vec<&str> = tables(policy, "rule").map(|rule| text(rule, "name").unwrap()).collect();
    assert_eq!(rules, ["thesame", "thesame (2)", "thesame (3)"]);
    assert_eq!(policy.get("last_modified").unwrap().to_string(), "2026-11-28T02:40:01Z");
    assert_eq!(normal("CN=X, DC=Example"), "cn=x,dc=example");
    assert_eq!(guid_in("CN=ipsecNFA{00000000-0000-4000-8000-000000000013},CN=x").unwrap().0[15], 0x13);
    assert_eq!(guid_in("CN=ipsecNFA"), None);
    assert_eq!(parent(r"CN=a\,b, DC=c"), Some("DC=c"));
    assert_eq!(parent("DC=c"), None);
}

#[test]
fn keys_are_not_printed() {
    let objects = created(DOCUMENT, &PLACE);
    let contents = read(&objects).unwrap();
    assert!(!format!("{objects:?}{contents:?}").contains("schl"));
}
