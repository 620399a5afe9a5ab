use super::*;
use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop_assert_eq, prop_oneof, proptest};

use crate::netsh::run::document::{Kind, PolicyDocument};

fn texts(root: &Root, session: &mut Session, name: &str) -> String {
    let file = root.path().join(name);
    run(session, [Static::ExportPolicy { file: file.clone() }]);
    fs::read_to_string(file).unwrap()
}

#[test]
fn an_export_is_private_and_gets_its_extension() {
    use std::os::unix::fs::PermissionsExt as _;
    let root = Root::new();
    let mut session = root.session();
    usual(&mut session);
    run(&mut session, [Static::ExportPolicy { file: root.path().join("out") }]);
    let path = root.path().join("out.ipsec");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.starts_with("# policyagent: exported IPsec policies, format 1\n[[policy]]\n"), "{text}");
    assert!(!text.contains("assigned"), "{text}");
}

#[test]
fn what_is_no_export_is_refused() {
    let root = Root::new();
    let mut session = root.session();
    for (name, octets) in
        [("text.ipsec", b"[[policy]]\n".as_slice()), ("binary.ipsec", b"\x63\x21\x20\x22\xff\xfe".as_slice())]
    {
        let file = root.path().join(name);
        fs::write(&file, octets).unwrap();
        let error = refused(&root, &mut session, Static::ImportPolicy { file });
        assert!(matches!(error, RunError::Foreign { .. }), "{error}");
    }
    let file = root.path().join("wrong.ipsec");
    fs::write(&file, "# policyagent: exported IPsec policies, format 1\n[[policy]]\nnam = 1\n").unwrap();
    let error = refused(&root, &mut session, Static::ImportPolicy { file: file.clone() }).to_string();
    assert!(error.contains("wrong.ipsec:"), "{error}");
}

#[test]
fn an_import_overwrites_by_guid_and_refuses_by_name() {
    let root = Root::new();
    let mut session = root.session();
    usual(&mut session);
    let exported = texts(&root, &mut session, "all.ipsec");
    // The same GUID under another name: who refers to it follows.
    run(
        &mut session,
        [Static::SetFilterList {
            which: named("web"),
            new_name: Some("www".to_owned()),
            description: Some("x".to_owned()),
        }],
    );
    run(
        &mut session,
        [Static::SetPolicy {
            which: named("hosts"),
            new_name: None,
            policy: PolicySettings { assign: Some(true), ..PolicySettings::default() },
            gpo: None,
        }],
    );
    run(&mut session, [Static::ImportPolicy { file: root.path().join("all.ipsec") }]);
    assert!(!root.policy().contains("www"), "{}", root.policy());
    assert!(root.policy().contains("assigned = true"), "the assignment is the store's: {}", root.policy());
    assert_eq!(texts(&root, &mut session, "again.ipsec"), exported);
    // Another GUID under the same name.
    let other = Root::new();
    let mut there = other.session();
    run(&mut there, [list("web")]);
    let error = refused(&other, &mut there, Static::ImportPolicy { file: root.path().join("all.ipsec") });
    assert!(error.to_string().starts_with("the filter list \"web\" of the file has another GUID"), "{error}");
}

fn names() -> impl Strategy<Value = String> {
    "[A-Za-z0-9 ()'=,^%&.-]{0,12}[A-Za-z0-9\"]"
        .prop_map(|name| name.trim_start().to_owned())
        .prop_filter("all is none", |name| {
            !name.is_empty() && !name.eq_ignore_ascii_case("all") && !name.eq_ignore_ascii_case("default response")
        })
}

fn sides() -> impl Strategy<Value = (&'static str, &'static str)> {
    prop_oneof![
        Just(("me", "any")),
        Just(("any", "me")),
        Just(("10.1.2.3", "me")),
        Just(("10.0.0.0/8", "192.0.2.0/24")),
        Just(("me", "2001:db8::/32")),
        Just(("2001:db8::1", "2001:db8::2")),
    ]
}

/// Commands that make some store.
fn stores() -> impl Strategy<Value = Vec<Static>> {
    let filters = proptest::collection::vec(
        (sides(), prop_oneof![Just(0u8), Just(6), Just(17), Just(47), Just(255)], any::<bool>(), any::<u16>()),
        0..4,
    );
    let lists = proptest::collection::vec((names(), names(), filters), 1..3);
    let actions = proptest::collection::vec((names(), 0..3usize, any::<[bool; 3]>()), 1..3);
    let policies =
        proptest::collection::vec((names(), any::<[bool; 3]>(), 1..2000u32, names(), any::<[u8; 4]>()), 0..3);
    (lists, actions, policies).prop_map(|(lists, actions, policies)| {
        let mut commands = Vec::new();
        for (name, description, filters) in &lists {
            commands.push(Static::AddFilterList { name: name.clone(), description: Some(description.clone()) });
            for ((source, destination), protocol, mirrored, port) in filters {
                let has_ports = matches!(protocol, 6 | 17);
                commands.push(Static::AddFilter(AddFilter {
                    protocol: *protocol,
                    mirrored: *mirrored,
                    destination_port: if has_ports { *port } else { 0 },
                    ..filter(name, source, destination)
                }));
            }
        }
        for (name, kind, [pfs, pass, soft]) in &actions {
            let kind = [Action::Permit, Action::Block, Action::Negotiate][*kind];
            commands.push(Static::AddFilterAction {
                name: name.clone(),
                action: FilterActionSettings {
                    quick_mode_pfs: Some(*pfs),
                    inbound_passthrough: Some(*pass),
                    soft: Some(*soft),
                    action: Some(kind),
                    ..FilterActionSettings::default()
                },
            });
        }
        for (name, [master_pfs, default, assign], minutes, key, picks) in &policies {
            commands.push(Static::AddPolicy {
                name: name.clone(),
                policy: PolicySettings {
                    description: Some(key.clone()),
                    master_pfs: Some(*master_pfs),
                    main_mode_lifetime: Some(minutes * 60),
                    activate_default_rule: Some(*default),
                    assign: Some(*assign),
                    ..PolicySettings::default()
                },
            });
            let pick = |at: usize, of: usize| usize::from(picks[at]) % of;
            commands.push(Static::AddRule {
                name: key.clone(),
                policy: name.clone(),
                rule: RuleSettings {
                    filter_list: Some(lists[pick(0, lists.len())].0.clone()),
                    filter_action: Some(actions[pick(1, actions.len())].0.clone()),
                    activate: Some(picks[2] > 50),
                    connection_type: Some(
                        [ConnectionType::All, ConnectionType::Lan, ConnectionType::Dialup][pick(3, 3)],
                    ),
                    authentication: Some(vec![Method::Kerberos, Method::PresharedKey(key.clone().into())]),
                    ..RuleSettings::default()
                },
            });
        }
        commands
    })
}

/// Names may be drawn twice: what comes second is refused, and the store is what the others make.
fn fill(session: &mut Session, commands: Vec<Static>) {
    for command in commands {
        let _ = session.carry_out(Command::Static(command));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn export_import_export_is_the_identity(commands in stores()) {
        let (one, other) = (Root::new(), Root::new());
        let (mut here, mut there) = (one.session(), other.session());
        fill(&mut here, commands);
        let exported = texts(&one, &mut here, "a.ipsec");
        run(&mut there, [Static::ImportPolicy { file: one.path().join("a.ipsec") }]);
        prop_assert_eq!(&texts(&other, &mut there, "b.ipsec"), &exported);
        // Once more, over what is there.
        run(&mut there, [Static::ImportPolicy { file: one.path().join("a.ipsec") }]);
        prop_assert_eq!(&texts(&other, &mut there, "c.ipsec"), &exported);
        let dump = |session: &mut Session| session.carry_out(Command::Static(Static::Dump)).unwrap();
        let script = dump(&mut here);
        let third = Root::new();
        let mut anew = third.session();
        scripts::run_script(&mut anew, &script);
        prop_assert_eq!(dump(&mut anew), script);
        let text = exported.strip_prefix("# policyagent: exported IPsec policies, format 1\n").unwrap();
        let document = PolicyDocument::parse(one.path(), text).unwrap();
        let original = PolicyDocument::parse(one.path(), &one.policy()).unwrap();
        for kind in Kind::ALL {
            prop_assert_eq!(document.names(kind).collect::<Vec<_>>(), original.names(kind).collect::<Vec<_>>());
        }
    }
}
