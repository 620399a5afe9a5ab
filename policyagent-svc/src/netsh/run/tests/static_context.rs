use super::*;

#[test]
fn what_was_made_is_in_the_file_with_guids_and_times() {
    let root = Root::new();
    usual(&mut root.session());
    let text = root.policy();
    // Two lists, two filters, two actions, a policy, two rules.
    assert_eq!(text.matches("guid = \"{").count(), 9, "{text}");
    assert_eq!(text.matches("last_modified = 20").count(), 7, "{text}");
    assert!(text.contains("{ source = \"any\", destination = \"me\", protocol = \"tcp\", destination_port = 80, guid"));
    assert!(text.contains(
        "offers = [\"3des-sha1-modp1024\", \"3des-md5-modp1024\", \"des-sha1-modp768\", \"des-md5-modp768\"]"
    ));
    assert!(text.contains("polling_interval = 10800") && text.contains("lifetime = 28800"), "{text}");
    let file = crate::model::PolicyFile::read(&Paths::new(root.path()).policy()).unwrap();
    assert_eq!(file.policies[0].rules[1].name, "branches");
    assert!(file.assigned().is_none());
}

#[test]
fn what_people_wrote_stays_with_its_comments() {
    let root = Root::new();
    let hand = "# The lab's policy.\n\n[[policy]] # ours\nname = \"hosts\"\nassigned = true # since May\n\n[policy.main_mode]\n\
                offers = [\"aes256-sha256-modp2048\"] # strong\n\n[[policy.rule]]\nname = \"x\"\nfilter_list = \"l\"\n\
                filter_action = \"a\" # see below\n\n# Everybody.\n[[filter_list]]\nname = \"l\"\nfilters = [\n    # The first.\n    \
                { source = \"me\", destination = \"10.1.0.0/255.255.0.0\" },\n]\n\n[[filter_action]]\nname = \"a\"\naction = \"permit\"\n";
    root.write(hand);
    let mut session = root.session();
    run(
        &mut session,
        [
            Static::AddFilter(filter("l", "me", "10.2.0.0/16")),
            Static::SetFilterAction {
                which: named("a"),
                new_name: Some("b".to_owned()),
                action: FilterActionSettings::default(),
            },
            Static::SetPolicy {
                which: named("hosts"),
                new_name: None,
                policy: PolicySettings {
                    assign: Some(false),
                    main_mode_lifetime: Some(600),
                    ..PolicySettings::default()
                },
                gpo: None,
            },
        ],
    );
    let text = root.policy();
    for comment in
        ["# The lab's policy.", "# ours", "# since May", "# strong", "# see below", "# Everybody.", "# The first."]
    {
        assert!(text.contains(comment), "{comment}: {text}");
    }
    assert!(text.contains("filter_action = \"b\" # see below"), "the reference follows: {text}");
    assert!(text.contains("assigned = false # since May"), "{text}");
    assert!(text.contains("lifetime = 600"), "{text}");
    // The same filter, in the form in which people wrote it, is known.
    let pattern = FilterPattern {
        source: side("me"),
        destination: side("10.1.0.0/16"),
        protocol: None,
        source_port: None,
        destination_port: None,
        mirrored: None,
    };
    run(&mut session, [Static::DeleteFilter { filter_list: "l".to_owned(), filter: pattern }]);
    assert!(!root.policy().contains("10.1.0.0"), "{}", root.policy());
    assert!(root.policy().contains("10.2.0.0/16"));
}

#[test]
fn lists_in_brackets_can_be_edited_too() {
    let root = Root::new();
    root.write(
        "filter_list = [{ name = \"l\" }]\npolicy = [{ name = \"p\", rule = [] }]\n"
            .replace(", rule = []", "")
            .as_str(),
    );
    let mut session = root.session();
    run(&mut session, [list("m"), action("a", Action::Block), rule("r", "p", "l", "a")]);
    let file = crate::model::PolicyFile::read(&Paths::new(root.path()).policy()).unwrap();
    assert_eq!(file.filter_lists.len(), 2);
    assert_eq!(file.policies[0].rules[0].filter_list.name, "l");
}

#[test]
fn each_refusal_has_its_wording_and_changes_nothing() {
    let root = Root::new();
    let mut session = root.session();
    usual(&mut session);
    let mut refusal = |command: Static| refused(&root, &mut session, command).to_string();
    assert_eq!(refusal(list("web")), "the filter list \"web\" exists already");
    assert_eq!(refusal(policy("hosts")), "the policy \"hosts\" exists already");
    assert_eq!(refusal(action("sign", Action::Block)), "the filter action \"sign\" exists already");
    assert_eq!(refusal(rule("branches", "hosts", "web", "pass")), "policy \"hosts\" has a rule \"branches\" already");
    assert_eq!(
        refusal(rule("new", "hosts", "wep", "pass")),
        "there is no filter list \"wep\"; did you mean \"web\"? there are: web, branches"
    );
    assert_eq!(
        refusal(rule("new", "hosts", "web", "drop")),
        "there is no filter action \"drop\"; there are: pass, sign"
    );
    assert_eq!(
        refusal(rule("new", "host", "web", "pass")),
        "there is no policy \"host\"; did you mean \"hosts\"? there are: hosts"
    );
    assert_eq!(
        refusal(Static::DeleteFilterList(one("web"))),
        "the filter list \"web\" is in use by rule \"web in clear\" of policy \"hosts\"; allowed: objects that nothing refers to"
    );
    assert!(
        refusal(Static::DeleteFilterAction(OneOrAll::All)).starts_with("the filter action \"pass\" is in use by rule")
    );
    for which in [RuleNamed::Name("Default Response".to_owned()), RuleNamed::Id(3)] {
        assert_eq!(
            refusal(Static::DeleteRule { which: RulesNamed::One(which), policy: "hosts".to_owned() }),
            "the default response rule of policy \"hosts\" cannot be deleted; allowed: `set defaultrule policy=... activate=no`"
        );
    }
    assert_eq!(
        refusal(Static::DeleteRule { which: RulesNamed::One(RuleNamed::Id(9)), policy: "hosts".to_owned() }),
        "policy \"hosts\" has no rule number 9; there are: web in clear, branches"
    );
    for name in ["", "ALL", &"x".repeat(256), "a\nb"] {
        assert!(refusal(list(name)).contains("is no name for a filter list"), "{name}");
    }
    assert!(refusal(rule("default response", "hosts", "web", "pass")).contains("every policy has"));
    assert_eq!(
        refusal(Static::AddFilter(filter("branches", "10.44.0.0/16", "me"))),
        "the filter list \"branches\" has this filter already: from 10.44.0.0/16 to me, protocol any, mirrored"
    );
    let pattern = FilterPattern {
        source: side("10.44.0.0/16"),
        destination: side("me"),
        protocol: Some(6),
        source_port: None,
        destination_port: Some(25),
        mirrored: Some(false),
    };
    assert_eq!(
        refusal(Static::DeleteFilter { filter_list: "branches".to_owned(), filter: pattern }),
        "the filter list \"branches\" has no filter from 10.44.0.0/16 to me port 25, protocol tcp, not mirrored; all of its \
         parts must be the same, those left out too"
    );
    let unknown = AddFilter { source: Address::Name("no-such-host.invalid".to_owned()), ..filter("web", "me", "me") };
    assert!(refusal(Static::AddFilter(unknown)).starts_with("\"no-such-host.invalid\" has no address: "));
    let unreachable = refusal(Static::SetStore { location: StoreLocation::Domain(None) });
    assert!(unreachable.starts_with("the domain store cannot be reached: "), "{unreachable}");
    assert!(unreachable.ends_with("/etc/policyagent/policyagent.toml has no table [directory]"), "{unreachable}");
    let gpo = Static::SetPolicy {
        which: named("hosts"),
        new_name: None,
        policy: PolicySettings { assign: Some(true), ..PolicySettings::default() },
        gpo: Some("Servers".to_owned()),
    };
    assert_eq!(refusal(gpo), "gponame is for the domain store only; the store is local");
    assert!(
        refusal(Static::ImportPolicy { file: "/nonexistent".into() }).starts_with("/nonexistent.ipsec: No such file")
    );
    // What the model refuses is refused as the model says it.
    let both = Static::SetPolicy {
        which: named("hosts"),
        new_name: None,
        policy: PolicySettings { quick_mode_limit: Some(5), ..PolicySettings::default() },
        gpo: None,
    };
    run(&mut session, [both]);
}

#[test]
fn one_policy_of_a_store_is_assigned() {
    let root = Root::new();
    let mut session = root.session();
    let assigned = || {
        crate::model::PolicyFile::read(&Paths::new(root.path()).policy())
            .unwrap()
            .assigned()
            .map(|policy| policy.name.clone())
    };
    let set = |name: &str, on| Static::SetPolicy {
        which: named(name),
        new_name: None,
        policy: PolicySettings { assign: Some(on), ..PolicySettings::default() },
        gpo: None,
    };
    let first = PolicySettings { assign: Some(true), ..PolicySettings::default() };
    run(&mut session, [Static::AddPolicy { name: "one".to_owned(), policy: first }, policy("two")]);
    assert_eq!(assigned().as_deref(), Some("one"));
    run(&mut session, [set("two", true)]);
    assert_eq!(assigned().as_deref(), Some("two"));
    run(&mut session, [set("one", false)]);
    assert_eq!(assigned().as_deref(), Some("two"));
    run(&mut session, [set("two", false)]);
    assert_eq!(assigned(), None);
}

#[test]
fn master_pfs_and_the_limit_do_not_contradict() {
    let root = Root::new();
    let mut session = root.session();
    let settings =
        |master_pfs, quick_mode_limit| PolicySettings { master_pfs, quick_mode_limit, ..PolicySettings::default() };
    let limit = |root: &Root| {
        let file = crate::model::PolicyFile::read(&Paths::new(root.path()).policy()).unwrap();
        file.policies[0].main_mode.as_ref().unwrap().quick_mode_limit
    };
    let set = |settings| Static::SetPolicy { which: named("p"), new_name: None, policy: settings, gpo: None };
    run(&mut session, [Static::AddPolicy { name: "p".to_owned(), policy: settings(Some(true), Some(7)) }]);
    assert_eq!(limit(&root), 1, "master PFS wins");
    run(&mut session, [set(settings(None, Some(7)))]);
    assert_eq!(limit(&root), 7);
    run(&mut session, [set(settings(Some(true), None))]);
    assert_eq!(limit(&root), 1);
    run(&mut session, [set(settings(Some(false), None))]);
    assert_eq!(limit(&root), 0);
}

#[test]
fn set_changes_what_is_named_and_nothing_else() {
    let root = Root::new();
    let mut session = root.session();
    usual(&mut session);
    let rule = RuleSettings {
        description: Some("to the branches".to_owned()),
        tunnel: Some(TunnelEnd::Address("192.0.2.9".parse().unwrap())),
        connection_type: Some(ConnectionType::Lan),
        activate: Some(false),
        authentication: Some(vec![
            Method::Kerberos,
            Method::RootCa {
                name: "C=US, O=Example, CN=Root".to_owned(),
                certificate_mapping: true,
                exclude_ca_name: false,
            },
        ]),
        ..RuleSettings::default()
    };
    run(
        &mut session,
        [Static::SetRule { which: RuleNamed::Id(2), policy: "hosts".to_owned(), new_name: Some("b".to_owned()), rule }],
    );
    let text = root.policy();
    assert!(text.contains("tunnel = { remote = \"192.0.2.9\" }"), "{text}");
    assert!(
        text.contains("{ kerberos = true }, { root_ca = \"C=US, O=Example, CN=Root\", certificate_mapping = true }")
    );
    assert!(text.contains("filter_list = \"branches\""), "{text}");
    assert!(text.contains("connection_type = \"lan\"") && text.contains("description = \"to the branches\""));

    let permit = FilterActionSettings {
        action: Some(Action::Permit),
        quick_mode_pfs: Some(true),
        ..FilterActionSettings::default()
    };
    run(
        &mut session,
        [Static::SetRule {
            which: RuleNamed::Name("b".to_owned()),
            policy: "hosts".to_owned(),
            new_name: None,
            rule: RuleSettings { filter_action: Some("pass".to_owned()), ..RuleSettings::default() },
        }]
        .into_iter()
        .take(0),
    );
    run(
        &mut session,
        [Static::AddFilterAction {
            name: "soft".to_owned(),
            action: FilterActionSettings {
                soft: Some(true),
                inbound_passthrough: Some(true),
                quick_mode_pfs: Some(true),
                ..FilterActionSettings::default()
            },
        }],
    );
    assert!(root.policy().contains("fallback_to_clear = true"));
    run(&mut session, [Static::SetFilterAction { which: named("soft"), new_name: None, action: permit }]);
    let text = root.policy();
    assert!(!text.contains("fallback_to_clear") && !text.contains("pfs = true"), "permit has no such keys: {text}");
    let back = FilterActionSettings { action: Some(Action::Negotiate), ..FilterActionSettings::default() };
    run(&mut session, [Static::SetFilterAction { which: named("soft"), new_name: None, action: back }]);
    assert_eq!(
        root.policy().matches("esp = \"3des-sha1\", lifetime = { seconds = 3600, kilobytes = 100000 }").count(),
        3,
        "two actions and a default response: {}",
        root.policy()
    );
}

#[test]
fn what_arrives_keeps_an_action_of_its_own_until_a_command_names_one() {
    let root = Root::new();
    root.write("[[filter_action]]\nname = \"out\"\naction = \"permit\"\ninbound_action = \"block\"\n");
    let mut session = root.session();
    let set = |action| Static::SetFilterAction {
        which: named("out"),
        new_name: None,
        action: FilterActionSettings { action, description: Some("x".to_owned()), ..FilterActionSettings::default() },
    };
    let all = ShowStatic::FilterAction { which: Lists::All, layout: Layout::default() };
    assert!(show(&mut session, all).contains("BLOCK"));
    run(&mut session, [set(None)]);
    assert!(root.policy().contains("inbound_action = \"block\""), "{}", root.policy());
    let dump = session.carry_out(Command::Static(Static::Dump)).unwrap();
    assert!(dump.contains("# \"out\" is to block what arrives, which cannot be written here: it blocks.\n"), "{dump}");
    assert!(dump.contains("add filteraction name=out description=x action=block"), "{dump}");
    run(&mut session, [set(Some(Action::Permit))]);
    assert!(!root.policy().contains("inbound_action"), "{}", root.policy());
}

#[test]
fn a_default_response_takes_over_what_its_filter_action_said() {
    let root = Root::new();
    root.write(
        "[[policy]]\nname = \"p\"\n[policy.main_mode]\noffers = [\"aes256-sha256-modp2048\"]\n[policy.default_response]\n\
         filter_action = \"a\"\nauthentication = [{ preshared_key = \"k\" }]\n[[filter_action]]\nname = \"a\"\naction = \"negotiate\"\n\
         offers = [{ esp = \"aes256-sha256\" }]\n",
    );
    let mut session = root.session();
    let off = DefaultRuleSettings { activate: Some(false), ..DefaultRuleSettings::default() };
    run(&mut session, [Static::SetDefaultRule { policy: "p".to_owned(), rule: off }]);
    assert!(root.policy().contains("filter_action = \"a\""));
    let pfs = DefaultRuleSettings { quick_mode_pfs: Some(true), ..DefaultRuleSettings::default() };
    run(&mut session, [Static::SetDefaultRule { policy: "p".to_owned(), rule: pfs }]);
    let text = root.policy();
    assert!(!text.contains("filter_action = \"a\""), "{text}");
    assert_eq!(text.matches("aes256-sha256\"").count(), 2, "{text}");
    // Nothing refers to it any more.
    run(&mut session, [Static::DeleteFilterAction(one("a"))]);
}

#[test]
fn a_name_is_each_of_its_addresses() {
    let root = Root::new();
    let mut session = root.session();
    let by_name = || AddFilter { source: Address::Name("localhost".to_owned()), ..filter("l", "any", "any") };
    run(&mut session, [Static::AddFilter(by_name())]);
    let text = root.policy();
    assert!(text.contains("source = \"127.0.0.1\"") && text.contains("source_name = \"localhost\""), "{text}");
    let pattern = FilterPattern {
        source: Address::Name("LOCALHOST".to_owned()),
        destination: side("any"),
        protocol: None,
        source_port: None,
        destination_port: None,
        mirrored: None,
    };
    run(&mut session, [Static::DeleteFilter { filter_list: "l".to_owned(), filter: pattern }]);
    assert!(!root.policy().contains("localhost"), "{}", root.policy());
}

#[test]
fn a_batch_is_written_in_one_go() {
    let root = Root::new();
    let mut session = root.session();
    run(
        &mut session,
        [Static::SetBatch { enabled: true }, list("l"), Static::AddFilter(filter("l", "me", "10.0.0.1"))],
    );
    assert_eq!(root.policy(), "");
    assert!(refused(&root, &mut session, list("l")).to_string().contains("exists already"), "what is held counts");
    run(&mut session, [Static::SetBatch { enabled: false }]);
    assert!(root.policy().contains("10.0.0.1"));

    // Another command writes what is held, and so does the end of the run.
    run(&mut session, [Static::SetBatch { enabled: true }, list("m"), policy("p")]);
    assert!(root.policy().contains("\"m\"") && root.policy().contains("\"p\""));
    run(&mut session, [list("n")]);
    assert!(!root.policy().contains("\"n\""));
    session.finish().unwrap();
    assert!(root.policy().contains("\"n\""));

    // Somebody else's change is not overwritten.
    run(&mut session, [list("o")]);
    root.write("");
    let error = session.finish().unwrap_err();
    assert!(matches!(error, RunError::Overtaken), "{error}");
    assert_eq!(root.policy(), "");
}

#[test]
fn each_store_has_its_own_objects() {
    let root = Root::new();
    let mut session = root.session();
    run(&mut session, [list("of this host"), Static::SetStore { location: StoreLocation::Persistent }, list("kept")]);
    assert!(show(&mut session, ShowStatic::Store).contains("Persistent Store"));
    let lists =
        |session: &mut Session| show(session, ShowStatic::FilterList { which: Lists::All, layout: Layout::default() });
    assert!(lists(&mut session).contains("kept") && !lists(&mut session).contains("of this host"));
    let persistent = fs::read_to_string(Paths::new(root.path()).persistent()).unwrap();
    assert!(persistent.contains("kept"), "{persistent}");
    let examples = session.carry_out(Command::Static(Static::RestorePolicyExamples { release: Release::Xp }));
    assert_eq!(
        examples.unwrap_err().to_string(),
        "restorepolicyexamples is for the local store only; the store is persistent"
    );
    run(&mut session, [Static::SetStore { location: StoreLocation::Local }, Static::DeleteAll]);
    assert_eq!(root.policy().trim(), "");
    assert!(root.session().carry_out(Command::Static(list("x"))).is_ok(), "a new run is at the local store");
    assert!(root.policy().contains("\"x\""));
}

#[test]
fn the_examples_are_there_again_and_keep_what_uses_their_parts() {
    let root = Root::new();
    let mut session = root.session();
    run(&mut session, [Static::RestorePolicyExamples { release: Release::Win2003 }]);
    let file = crate::model::PolicyFile::read(&Paths::new(root.path()).policy()).unwrap();
    let names: Vec<&str> = file.policies.iter().map(|policy| policy.name.as_str()).collect();
    assert_eq!(names, ["Client (Respond Only)", "Server (Request Security)", "Secure Server (Require Security)"]);
    assert!(file.policies.iter().all(|policy| !policy.assigned && policy.default_response.is_some()));
    assert_eq!(file.policies.iter().map(|policy| policy.rules.len()).collect::<Vec<_>>(), [0, 2, 2]);
    run(
        &mut session,
        [
            Static::DeletePolicy(one("Client (Respond Only)")),
            policy("mine"),
            rule("r", "mine", "All IP Traffic", "Permit"),
            Static::RestorePolicyExamples { release: Release::Win2003 },
        ],
    );
    let file = crate::model::PolicyFile::read(&Paths::new(root.path()).policy()).unwrap();
    assert_eq!((file.policies.len(), file.filter_lists.len(), file.filter_actions.len()), (4, 2, 3));
}

#[test]
fn times_are_those_of_the_calendar() {
    use std::time::{Duration, UNIX_EPOCH};
    let at =
        |seconds| crate::netsh::run::document::values::date_time(UNIX_EPOCH + Duration::from_secs(seconds)).to_string();
    assert_eq!(at(0), "1970-01-01T00:00:00Z");
    assert_eq!(at(951_782_400), "2000-02-29T00:00:00Z");
    assert_eq!(at(951_868_799), "2000-02-29T23:59:59Z");
    assert_eq!(at(1_795_833_600), "2026-11-28T02:40:00Z");
    assert_eq!(at(4_107_542_400), "2100-03-01T00:00:00Z", "1900 and 2100 have no leap day");
}

#[test]
fn the_heading_of_a_file_outlives_its_first_object() {
    let root = Root::new();
    let heading = "# Managed by the network team.\n\n";
    root.write(&format!(
        "{heading}# Of the lab.\n[[policy]]\nname = \"p\"\n\n# Everybody.\n[[filter_list]]\nname = \"l\"\n"
    ));
    let mut session = root.session();
    run(&mut session, [Static::DeletePolicy(one("p"))]);
    assert_eq!(root.policy(), format!("{heading}# Everybody.\n[[filter_list]]\nname = \"l\"\n"));
    run(&mut session, [Static::DeleteFilterList(OneOrAll::All)]);
    assert_eq!(root.policy(), heading);
    run(&mut session, [list("m")]);
    assert!(root.policy().contains("network team"), "{}", root.policy());
}

#[test]
fn a_dump_has_a_remark_for_what_the_language_cannot_say() {
    let root = Root::new();
    let path = Paths::new(root.path()).policy();
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let text = "[[filter_list]]\nname = \"all\"\n\n[[filter_list]]\nname = \"web\"\n\
                description = \"two\\nipsec static delete all\"\n";
    fs::write(&path, text).unwrap();
    let mut session = Session::new(&Paths::new(root.path()), Format::Text).unwrap();
    let dump = session.carry_out(Command::Static(Static::Dump)).unwrap();
    let lines: Vec<&str> = dump.lines().skip(1).collect();
    assert_eq!(
        lines,
        [
            "# This cannot be written here: \"ipsec static add filterlist name=all\"",
            "# This cannot be written here: \"ipsec static add filterlist name=web description=\\\"two\\nipsec static delete \
             all\\\"\"",
        ]
    );
}
