//! What `show` prints, to the letter. `NETSH_WRITE_EXPECTED=1` writes the files anew, for a look at the difference.
use super::*;

/// Compares with `tests/expected/NAME`, where GUIDs, times and the host's name are words.
pub(super) fn expect(name: &str, text: &str) {
    let text = settled(text);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/netsh/run/tests/expected").join(name);
    if std::env::var_os("NETSH_WRITE_EXPECTED").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &text).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(text, expected, "{}", path.display());
}

fn settled(text: &str) -> String {
    let host = nix::unistd::gethostname().unwrap().to_string_lossy().into_owned();
    let mut settled = String::new();
    for line in text.replace(&format!("<{host}>"), "<HOST>").replace(&format!("\"{host}\""), "\"HOST\"").lines() {
        let mut line = line.to_owned();
        while let Some(at) = line.find('{').filter(|at| line.get(at + 37..at + 38) == Some("}")) {
            line.replace_range(at..at + 38, "{GUID}");
        }
        // 2026-11-28T02:40:00Z
        while let Some(at) = line.find("T").and_then(|_| {
            (0..line.len().saturating_sub(19)).find(|at| {
                let part = line.get(*at..at + 20).unwrap_or_default();
                part.starts_with("20") && part.ends_with('Z') && part.get(10..11) == Some("T")
            })
        }) {
            line.replace_range(at..at + 20, "TIME");
        }
        settled += &line;
        settled.push('\n');
    }
    settled
}

fn layout(verbose: bool, table: bool, wide: bool) -> Layout {
    Layout { verbose, table, wide, resolve_dns: false }
}

/// Something of each kind.
fn full(session: &mut Session) {
    usual(session);
    let offers = FilterActionSettings {
        description: Some("to sign and to seal".to_owned()),
        quick_mode_pfs: Some(true),
        inbound_passthrough: Some(true),
        soft: Some(true),
        action: Some(Action::Negotiate),
        offers: None,
    };
    let by_name = AddFilter {
        source: Address::Name("localhost".to_owned()),
        description: Some("this host".to_owned()),
        mirrored: false,
        protocol: 255,
        ..filter("branches", "me", "203.0.113.0/24")
    };
    run(
        session,
        [
            Static::AddFilterAction { name: "a filter action with quite a long name".to_owned(), action: offers },
            Static::AddFilter(by_name),
            Static::SetRule {
                which: RuleNamed::Name("branches".to_owned()),
                policy: "hosts".to_owned(),
                new_name: None,
                rule: RuleSettings {
                    description: Some("to the branches".to_owned()),
                    filter_action: Some("a filter action with quite a long name".to_owned()),
                    tunnel: Some(TunnelEnd::Address("192.0.2.9".parse().unwrap())),
                    connection_type: Some(ConnectionType::Lan),
                    authentication: Some(vec![
                        Method::Kerberos,
                        Method::RootCa {
                            name: "C=US, O=Example, CN=Root".to_owned(),
                            certificate_mapping: true,
                            exclude_ca_name: false,
                        },
                        Method::PresharedKey("never shown".to_owned().into()),
                    ]),
                    ..RuleSettings::default()
                },
            },
            Static::SetPolicy {
                which: named("hosts"),
                new_name: None,
                policy: PolicySettings {
                    description: Some("of the lab".to_owned()),
                    assign: Some(true),
                    ..PolicySettings::default()
                },
                gpo: None,
            },
        ],
    );
}

#[test]
fn the_objects_of_a_store_are_shown_as_lists_and_as_tables() {
    let root = Root::new();
    let mut session = root.session();
    full(&mut session);
    for (form, layout) in [
        ("list", layout(false, false, false)),
        ("list-verbose", layout(true, false, false)),
        ("table", layout(false, true, false)),
        ("table-verbose-wide", layout(true, true, true)),
    ] {
        let mut shown =
            |what: &str, command: ShowStatic| expect(&format!("{what}-{form}.txt"), &show(&mut session, command));
        shown("policy", ShowStatic::Policy { which: OneOrAll::All, layout });
        shown("rule", ShowStatic::Rule { which: ShowRules::All, policy: "hosts".to_owned(), tunnel: None, layout });
        shown("filterlist", ShowStatic::FilterList { which: Lists::All, layout });
        shown("filteraction", ShowStatic::FilterAction { which: Lists::All, layout });
        shown("all", ShowStatic::All(layout));
    }
    expect("gpoassignedpolicy.txt", &show(&mut session, ShowStatic::GpoAssignedPolicy { gpo: None }));
    let dump = session.carry_out(Command::Static(Static::Dump)).unwrap();
    expect("dump.txt", &dump);
}

#[test]
fn one_object_or_those_of_a_rule_are_shown() {
    let root = Root::new();
    let mut session = root.session();
    full(&mut session);
    let layout = layout(false, true, false);
    let mut lines = |command: ShowStatic| {
        let text = show(&mut session, command);
        let first: Vec<String> =
            text.lines().skip(2).map(|line| line.split("  ").next().unwrap_or_default().to_owned()).collect();
        first.join(", ")
    };
    assert_eq!(lines(ShowStatic::FilterList { which: Lists::One("web".to_owned()), layout }), "web");
    assert_eq!(lines(ShowStatic::FilterList { which: Lists::OfRule("branches".to_owned()), layout }), "branches");
    assert_eq!(lines(ShowStatic::FilterAction { which: Lists::OfRule("web in clear".to_owned()), layout }), "pass");
    assert_eq!(lines(ShowStatic::FilterAction { which: Lists::One("sign".to_owned()), layout }), "sign");
    assert_eq!(lines(ShowStatic::Policy { which: one("hosts"), layout }), "hosts");
    let mut rules =
        |which: ShowRules, tunnel| lines(ShowStatic::Rule { which, policy: "hosts".to_owned(), tunnel, layout });
    assert_eq!(rules(ShowRules::All, None), "1, 2, 3");
    assert_eq!(rules(ShowRules::All, Some(true)), "2");
    assert_eq!(rules(ShowRules::All, Some(false)), "1, 3");
    assert_eq!(rules(ShowRules::Default, None), "3");
    assert_eq!(rules(ShowRules::One(RuleNamed::Id(2)), None), "2");
    assert_eq!(rules(ShowRules::One(RuleNamed::Name("branches".to_owned())), None), "2");

    let mut refusal = |command: ShowStatic| refused(&root, &mut session, Static::Show(command)).to_string();
    assert_eq!(
        refusal(ShowStatic::Policy { which: one("host"), layout }),
        "there is no policy \"host\"; did you mean \"hosts\"? there are: hosts"
    );
    assert!(
        refusal(ShowStatic::FilterList { which: Lists::OfRule("x".to_owned()), layout })
            .starts_with("there is no rule \"x\"")
    );
    assert!(
        refusal(ShowStatic::FilterAction { which: Lists::One("x".to_owned()), layout })
            .starts_with("there is no filter action")
    );
    let id = ShowRules::One(RuleNamed::Id(4));
    assert_eq!(
        refusal(ShowStatic::Rule { which: id, policy: "hosts".to_owned(), tunnel: None, layout }),
        "policy \"hosts\" has no rule number 4; there are: web in clear, branches"
    );
    assert_eq!(
        refusal(ShowStatic::GpoAssignedPolicy { gpo: Some("x".to_owned()) }),
        "show gpoassignedpolicy name= is for the domain store only; the store is local"
    );
}

#[test]
fn names_of_addresses_are_looked_up_where_that_is_wanted() {
    let root = Root::new();
    let mut session = root.session();
    run(&mut session, [Static::AddFilter(filter("l", "127.0.0.1", "any"))]);
    let mut names = |resolve_dns| {
        let layout = Layout { verbose: true, resolve_dns, ..Layout::default() };
        show(&mut session, ShowStatic::FilterList { which: Lists::All, layout })
    };
    assert!(names(false).contains("Source DNS Name               : NONE"), "{}", names(false));
    let known = ikedaemon::sys::host_name("127.0.0.1".parse().unwrap()).expect("every machine knows itself");
    assert!(names(true).contains(&format!("Source DNS Name               : {known}\n")), "{}", names(true));
}

#[test]
fn everything_is_shown_as_json_and_no_key_anywhere() {
    let root = Root::new();
    full(&mut root.session());
    let mut session = Session::new(&Paths::new(root.path()), Format::Json).unwrap();
    let layout = Layout::default();
    let text = show(&mut session, ShowStatic::All(layout));
    expect("all.json", &text);
    let all: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(all["policies"][0]["rules"][1]["tunnel"], "192.0.2.9");
    assert_eq!(all["policies"][0]["rules"][1]["authentication"][2]["method"], "preshared_key");
    assert!(!text.contains("never shown"));
    for command in [
        ShowStatic::Store,
        ShowStatic::GpoAssignedPolicy { gpo: None },
        ShowStatic::Policy { which: OneOrAll::All, layout },
        ShowStatic::FilterList { which: Lists::All, layout },
        ShowStatic::FilterAction { which: Lists::All, layout },
        ShowStatic::Rule { which: ShowRules::All, policy: "hosts".to_owned(), tunnel: None, layout },
    ] {
        let text = show(&mut session, command);
        assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok() && !text.contains("never shown"), "{text}");
    }
}
