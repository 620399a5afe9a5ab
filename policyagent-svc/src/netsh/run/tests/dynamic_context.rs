use super::*;
use std::cell::RefCell;
use std::rc::Rc;
use zeroize::Zeroizing;

use crate::compile::Machine;
use crate::control::in_force::InForceReport;
use crate::control::report::Status;
use crate::control::request::Target;
use crate::netsh::run::document::PolicyDocument;
use crate::netsh::run::dynamic_context::service::Service;
use crate::netsh::run::store::{Change, PolicyStore};

/// The service's memory.
#[derive(Clone, Default)]
struct Memory(Rc<RefCell<String>>);

impl PolicyStore for Memory {
    fn path(&self) -> &Path {
        Path::new("/the dynamic store")
    }

    fn read(&self) -> Result<Zeroizing<String>, RunError> {
        Ok(Zeroizing::new(self.0.borrow().clone()))
    }

    fn edit(&mut self, change: Change<'_>) -> Result<(), RunError> {
        let text = change(&self.0.borrow())?;
        PolicyDocument::parse(self.path(), &text)?.check()?;
        *self.0.borrow_mut() = text;
        Ok(())
    }
}

/// A service that stands as it is told to.
#[derive(Clone, Default)]
struct Told {
    status: Option<Status>,
    in_force: InForceReport,
    ended: Rc<RefCell<Vec<Target>>>,
}

impl Service for Told {
    fn status(&self) -> Result<Status, RunError> {
        self.status.clone().ok_or_else(|| RunError::Service("no policyagent is running".to_owned()))
    }

    fn in_force(&self) -> Result<InForceReport, RunError> {
        Ok(self.in_force.clone())
    }

    fn terminate(&self, target: Target) -> Result<(), RunError> {
        self.ended.borrow_mut().push(target);
        Ok(())
    }
}

struct Run {
    root: Root,
    memory: Memory,
    session: Session,
}

impl Run {
    fn with(service: Told, format: Format) -> Self {
        let (root, memory) = (Root::new(), Memory::default());
        let paths = Paths::new(root.path());
        let session = Session::with(&paths, format, Box::new(service), Box::new(memory.clone())).unwrap();
        Self { root, memory, session }
    }

    fn new() -> Self {
        Self::with(Told::default(), Format::Text)
    }

    fn text(&self) -> String {
        self.memory.0.borrow().clone()
    }

    fn run(&mut self, commands: impl IntoIterator<Item = Dynamic>) {
        for command in commands {
            let what = format!("{command:?}");
            self.session.carry_out(Command::Dynamic(command)).unwrap_or_else(|error| panic!("{what}: {error}"));
        }
    }

    fn refused(&mut self, command: Dynamic) -> String {
        let (what, before) = (format!("{command:?}"), self.text());
        let error = self.session.carry_out(Command::Dynamic(command)).expect_err(&what);
        assert_eq!(self.text(), before, "{what}: {error}");
        error.to_string()
    }

    fn show(&mut self, show: ShowDynamic) -> String {
        self.session.carry_out(Command::Dynamic(Dynamic::Show(show))).unwrap()
    }
}

fn main_mode(name: &str) -> Dynamic {
    Dynamic::AddMainModePolicy { name: name.to_owned(), policy: MainModeSettings::default() }
}

fn quick_mode(name: &str) -> Dynamic {
    Dynamic::AddQuickModePolicy { name: name.to_owned(), policy: QuickModeSettings::default() }
}

fn key(source: &str, destination: &str) -> RuleKey {
    RuleKey {
        source: side(source),
        destination: side(destination),
        protocol: 0,
        source_port: 0,
        destination_port: 0,
        mirrored: true,
        connection_type: ConnectionType::All,
        tunnel: None,
    }
}

fn rule(key: RuleKey, actions: (Action, Action)) -> DynamicRule {
    DynamicRule {
        key,
        main_mode_policy: Some("mm".to_owned()),
        quick_mode_policy: None,
        action_inbound: Some(actions.0),
        action_outbound: Some(actions.1),
        authentication: None,
    }
}

fn negotiating(key: RuleKey) -> DynamicRule {
    DynamicRule {
        quick_mode_policy: Some("qm".to_owned()),
        authentication: Some(vec![Method::PresharedKey("key".to_owned().into())]),
        ..rule(key, (Action::Negotiate, Action::Negotiate))
    }
}

const PERMIT: (Action, Action) = (Action::Permit, Action::Permit);
const BLOCK: (Action, Action) = (Action::Block, Action::Block);

#[test]
fn rules_come_change_and_go_with_all_that_was_made_for_them() {
    let mut run = Run::new();
    run.run([main_mode("mm"), main_mode("other"), quick_mode("qm")]);
    let alone = run.text();
    let passes = || DynamicRule {
        action_inbound: Some(Action::Permit),
        ..negotiating(RuleKey { protocol: 6, destination_port: 80, ..key("me", "10.0.0.2") })
    };
    run.run([
        Dynamic::AddRule(rule(key("any", "any"), BLOCK)),
        Dynamic::AddRule(rule(RuleKey { protocol: 1, ..key("any", "any") }, PERMIT)),
        Dynamic::AddRule(negotiating(key("me", "10.0.0.1"))),
        Dynamic::AddRule(passes()),
    ]);
    let text = run.text();
    for name in ["\"(block)\"", "\"(permit)\"", "\"(inbound permit) qm\"", "\"me to 10.0.0.2 port 80, tcp\""] {
        assert!(text.contains(name), "{name}: {text}");
    }
    // The twin follows its quick-mode policy.
    let offers = QuickModeSettings { soft: Some(true), pfs: Some(PfsGroup::MainMode), offers: None };
    run.run([Dynamic::SetQuickModePolicy { name: "qm".to_owned(), policy: offers }]);
    assert_eq!(run.text().matches("fallback_to_clear = true").count(), 2, "{}", run.text());
    assert_eq!(run.text().matches("pfs = true").count(), 2, "{}", run.text());
    // To another main-mode policy, and to plain negotiation.
    let changed = DynamicRule {
        main_mode_policy: Some("other".to_owned()),
        action_inbound: Some(Action::Negotiate),
        action_outbound: None,
        authentication: None,
        quick_mode_policy: None,
        ..passes()
    };
    run.run([Dynamic::SetRule(changed)]);
    let text = run.text();
    assert!(!text.contains("(inbound permit)"), "nobody needs it: {text}");
    assert!(text.contains("preshared_key = \"key\""), "the methods stay: {text}");
    let document = PolicyDocument::parse(Path::new("x"), &text).unwrap();
    let of = |policy: &str| {
        let place = document.find_name(crate::netsh::run::document::Kind::Policy, policy).unwrap();
        crate::netsh::run::document::rules_of(document.table(crate::netsh::run::document::Kind::Policy, place).unwrap())
            .count()
    };
    assert_eq!((of("mm"), of("other")), (3, 1));
    run.run([
        Dynamic::DeleteRule(key("any", "any")),
        Dynamic::DeleteRule(RuleKey { protocol: 1, ..key("any", "any") }),
        Dynamic::DeleteRule(key("me", "10.0.0.1")),
        Dynamic::DeleteRule(RuleKey { protocol: 6, destination_port: 80, ..key("me", "10.0.0.2") }),
    ]);
    assert!(!run.text().contains("[[policy.rule]]") && !run.text().contains("[[filter_list]]"), "{}", run.text());
    assert_eq!(run.text().matches("[[filter_action]]").count(), 1, "{}", run.text());
    assert_eq!(alone.matches("[[").count(), run.text().matches("[[").count());
    run.run([
        Dynamic::DeleteQuickModePolicy(OneOrAll::All),
        Dynamic::DeleteMainModePolicy(one("mm")),
        Dynamic::DeleteMainModePolicy(OneOrAll::All),
    ]);
    assert_eq!(run.text().trim(), "");
}

#[test]
fn each_refusal_has_its_wording_and_changes_nothing() {
    let mut run = Run::new();
    run.run([main_mode("mm"), quick_mode("qm"), Dynamic::AddRule(negotiating(key("me", "10.0.0.1")))]);
    assert_eq!(run.refused(main_mode("mm")), "the main-mode policy \"mm\" exists already");
    assert_eq!(run.refused(quick_mode("qm")), "the quick-mode policy \"qm\" exists already");
    assert!(run.refused(quick_mode("(permit)")).contains("is no name for a quick-mode policy"));
    assert!(run.refused(main_mode("all")).contains("is no name for a main-mode policy"));
    assert_eq!(
        run.refused(Dynamic::AddRule(negotiating(key("me", "10.0.0.1")))),
        "the rule \"me to 10.0.0.1, any\" exists already"
    );
    let unknown = DynamicRule { main_mode_policy: Some("mn".to_owned()), ..negotiating(key("me", "10.0.0.2")) };
    assert_eq!(
        run.refused(Dynamic::AddRule(unknown)),
        "there is no main-mode policy \"mn\"; did you mean \"mm\"? there are: mm"
    );
    let unknown = DynamicRule { quick_mode_policy: Some("x".to_owned()), ..negotiating(key("me", "10.0.0.2")) };
    assert_eq!(run.refused(Dynamic::AddRule(unknown)), "there is no quick-mode policy \"x\"; there are: qm");
    let without = DynamicRule { quick_mode_policy: None, ..negotiating(key("me", "10.0.0.2")) };
    assert!(run.refused(Dynamic::AddRule(without)).contains("has no qmpolicy"));
    for (inbound, outbound) in
        [(Action::Negotiate, Action::Permit), (Action::Negotiate, Action::Block), (Action::Block, Action::Negotiate)]
    {
        let error = run.refused(Dynamic::AddRule(rule(key("me", "10.0.0.3"), (inbound, outbound))));
        assert!(error.contains("SAs come in pairs"), "{error}");
    }
    assert_eq!(
        run.refused(Dynamic::DeleteMainModePolicy(one("mm"))),
        "the main-mode policy \"mm\" is in use by the rule \"me to 10.0.0.1, any\"; allowed: objects that nothing refers to"
    );
    assert!(run.refused(Dynamic::DeleteQuickModePolicy(OneOrAll::All)).contains("is in use by rule"));
    assert_eq!(
        run.refused(Dynamic::DeleteRule(key("me", "10.0.0.9"))),
        "there is no rule \"me to 10.0.0.9, any\"; did you mean \"me to 10.0.0.1, any\"? there are: me to 10.0.0.1, any"
    );
    assert!(run.refused(Dynamic::SetRule(negotiating(key("me", "any")))).starts_with("there is no rule"));
    let set = Dynamic::SetMainModePolicy { name: "x".to_owned(), policy: MainModeSettings::default() };
    assert!(run.refused(set).starts_with("there is no main-mode policy \"x\""));
    let set = Dynamic::SetQuickModePolicy { name: "x".to_owned(), policy: QuickModeSettings::default() };
    assert!(run.refused(set).starts_with("there is no quick-mode policy \"x\""));
    run.run([Dynamic::DeleteAll]);
    assert_eq!(run.text(), "");
}

#[test]
fn a_rule_may_permit_one_way_and_block_the_other() {
    let mut run = Run::new();
    let with = |inbound, outbound| DynamicRule {
        action_inbound: inbound,
        action_outbound: outbound,
        ..rule(key("me", "10.0.0.3"), BLOCK)
    };
    let (permit, block) = (Some(Action::Permit), Some(Action::Block));
    run.run([main_mode("mm"), Dynamic::AddRule(with(block, permit))]);
    let made = "name = \"(permit outbound, block inbound)\"\naction = \"permit\"\ninbound_action = \"block\"\n";
    assert!(run.text().contains(made), "{}", run.text());
    // Only what the command names changes.
    run.run([Dynamic::SetRule(with(permit, None))]);
    assert!(run.text().contains("\"(permit)\"") && !run.text().contains("inbound_action"), "{}", run.text());
    run.run([Dynamic::SetRule(with(None, block))]);
    let made = "name = \"(permit inbound, block outbound)\"\naction = \"block\"\ninbound_action = \"permit\"\n";
    assert!(run.text().contains(made), "{}", run.text());
    // The service has it as the rule says, and shows it so.
    let document = PolicyDocument::parse(Path::new("/dynamic"), &run.text()).unwrap();
    let file = document.objects().unwrap();
    let machine = Machine { addresses: ["10.0.0.1".parse().unwrap()].into(), ..Machine::default() };
    let part = crate::compile::Part { store: "dynamic", file: &file, everything: true };
    let compiled = crate::compile::compile_all(&[part], &machine, &mut crate::compile::Reqids::default()).unwrap();
    let in_force = InForceReport::new(&compiled.db, &[part]);
    let told = Told { in_force, ..Told::default() };
    let mut shown = Run::with(told, Format::Text);
    let all = || TrafficPattern::default();
    let filters = |specific, traffic| ShowDynamic::QuickModeFilter { which: OneOrAll::All, specific, traffic };
    for specific in [false, true] {
        let filters = shown.show(filters(specific, all()));
        let lines: Vec<Vec<&str>> = filters.lines().map(|line| line.split_whitespace().collect()).collect();
        let has = |way: &str, action: &str| {
            lines.iter().any(|line| line.starts_with(&[way, "Action"]) && line.last() == Some(&action))
        };
        assert!(has("Inbound", "Permit") && has("Outbound", "Block"), "{filters}");
    }
    let blocked = shown.show(filters(false, TrafficPattern { action_inbound: block, ..all() }));
    assert!(!blocked.contains("Inbound Action"), "{blocked}");
}

#[test]
fn what_is_dumped_makes_the_same_rules_again() {
    let mut run = Run::new();
    let tunnel = |tunnel: &str| RuleKey {
        tunnel: Some(TunnelEnd::Address(tunnel.parse().unwrap())),
        mirrored: false,
        ..key("10.1.0.0/16", "10.2.0.0/16")
    };
    run.run([
        main_mode("mm"),
        quick_mode("qm"),
        Dynamic::AddRule(negotiating(tunnel("192.0.2.2"))),
        Dynamic::AddRule(rule(RuleKey { connection_type: ConnectionType::Lan, ..key("any", "me") }, BLOCK)),
        Dynamic::AddRule(rule(key("me", "10.0.0.3"), (Action::Block, Action::Permit))),
    ]);
    let dump = run.session.carry_out(Command::Dynamic(Dynamic::Dump)).unwrap();
    let rules = "ipsec dynamic add rule srcaddr=10.1.0.0 srcmask=255.255.0.0 dstaddr=10.2.0.0 dstmask=255.255.0.0 protocol=any \
        srcport=0 dstport=0 mirrored=no conntype=all tunneldstaddress=192.0.2.2 mmpolicy=mm qmpolicy=qm actioninbound=negotiate \
        actionoutbound=negotiate psk=key\n\
        ipsec dynamic add rule srcaddr=any dstaddr=me protocol=any srcport=0 dstport=0 mirrored=yes conntype=lan mmpolicy=mm \
        actioninbound=block actionoutbound=block kerberos=yes\n\
        ipsec dynamic add rule srcaddr=me dstaddr=10.0.0.3 protocol=any srcport=0 dstport=0 mirrored=yes conntype=all mmpolicy=mm \
        actioninbound=block actionoutbound=permit kerberos=yes\n";
    assert!(dump.ends_with(rules), "{dump}");
    let mut again = Run::new();
    scripts::run_script(&mut again.session, &dump);
    assert_eq!(again.session.carry_out(Command::Dynamic(Dynamic::Dump)).unwrap(), dump);
}

#[test]
fn an_atomic_run_makes_all_of_its_edits_or_none() {
    let mut run = Run::new();
    let both = |run: &mut Run| {
        run.session.carry_out(Command::Static(list("l"))).unwrap();
        let persistent = Static::SetStore { location: StoreLocation::Persistent };
        run.session.carry_out(Command::Static(persistent)).unwrap();
        run.session.carry_out(Command::Static(list("kept"))).unwrap();
        run.session.carry_out(Command::Static(Static::SetStore { location: StoreLocation::Local })).unwrap();
        run.session.carry_out(Command::Static(Static::AddFilter(filter("l", "me", "10.0.0.1")))).unwrap();
        run.run([main_mode("mm")]);
    };
    let persistent = Paths::new(run.root.path()).persistent();
    run.session.begin().unwrap();
    both(&mut run);
    assert_eq!((run.root.policy().as_str(), run.text().as_str(), persistent.exists()), ("", "", false));
    let export = Static::ExportPolicy { file: run.root.path().join("x") };
    let error = run.session.carry_out(Command::Static(export)).unwrap_err();
    assert_eq!(error.to_string(), "an export cannot be held back; allowed: a run that is not atomic");
    run.session.roll_back();
    assert_eq!((run.root.policy().as_str(), run.text().as_str(), persistent.exists()), ("", "", false));

    run.session.begin().unwrap();
    both(&mut run);
    run.session.commit().unwrap();
    assert!(run.root.policy().contains("10.0.0.1") && run.text().contains("mm") && persistent.exists());

    // What one store refuses at the end, none keeps.
    run.session.begin().unwrap();
    run.run([main_mode("second")]);
    run.session.carry_out(Command::Static(list("second"))).unwrap();
    let before = run.root.policy();
    *run.memory.0.borrow_mut() = String::new();
    let error = run.session.commit().unwrap_err();
    assert!(matches!(error, RunError::Overtaken), "{error}");
    assert_eq!((run.root.policy(), run.text()), (before, String::new()));
}

/// What two documents come to on a machine.
fn in_force(text: &str) -> InForceReport {
    let file = crate::model::tests::parse(text).unwrap();
    let machine = Machine { addresses: ["10.9.0.1".parse().unwrap()].into_iter().collect(), ..Machine::default() };
    let compiled = crate::compile::compile(&file, &machine, &mut crate::compile::Reqids::default()).unwrap();
    let part = crate::compile::Part { store: "local", file: &file, everything: false };
    InForceReport::new(&compiled.db, &[part])
}

const POLICY: &str = "[[policy]]\nname = \"lab\"\nassigned = true\n[policy.main_mode]\noffers = [\"aes256-sha256-modp2048\"]\n\
    soft_lifetime = 600\n[[policy.rule]]\nname = \"to b\"\nfilter_list = \"b\"\nfilter_action = \"require\"\n\
    authentication = [{ preshared_key = \"never shown\" }]\ntunnel = { local = \"10.9.0.1\", remote = \"10.9.0.2\" }\n\
    [[policy.rule]]\nname = \"pings\"\nfilter_list = \"pings\"\nfilter_action = \"pass\"\n\
    [[filter_list]]\nname = \"b\"\nfilters = [{ source = \"me\", destination = \"10.10.2.0/24\", protocol = \"tcp\", destination_port = 80 }, \
    { source = \"me\", destination = \"10.10.2.0/24\", protocol = \"udp\" }]\n\
    [[filter_list]]\nname = \"pings\"\nfilters = [{ source = \"me\", destination = \"any\", protocol = \"icmp\" }]\n\
    [[filter_action]]\nname = \"pass\"\naction = \"permit\"\n\
    [[filter_action]]\nname = \"require\"\naction = \"negotiate\"\noffers = [{ esp = \"aes256gcm16\" }, { ah = \"sha1\" }]\n\
    pfs = \"modp2048\"\ninbound_passthrough = true\nfallback_to_clear = true\n";

fn told() -> Told {
    Told { status: Some(crate::control::example::example()), in_force: in_force(POLICY), ended: Rc::default() }
}

fn filters(specific: bool) -> ShowDynamic {
    ShowDynamic::QuickModeFilter { which: OneOrAll::All, specific, traffic: TrafficPattern::default() }
}

fn ends(source: Option<&str>, destination: Option<&str>) -> Ends {
    Ends { source: source.map(side), destination: destination.map(side), resolve_dns: false }
}

#[test]
fn what_is_in_force_is_shown() {
    use super::shown::expect;
    let mut run = Run::with(told(), Format::Text);
    let layout = Layout::default();
    let table = Layout { table: true, ..layout };
    for (name, show) in [
        ("mmpolicy", ShowDynamic::MainModePolicy(OneOrAll::All)),
        ("qmpolicy", ShowDynamic::QuickModePolicy(OneOrAll::All)),
        (
            "mmfilter-generic",
            ShowDynamic::MainModeFilter { which: OneOrAll::All, specific: false, ends: Ends::default() },
        ),
        (
            "mmfilter-specific",
            ShowDynamic::MainModeFilter { which: OneOrAll::All, specific: true, ends: Ends::default() },
        ),
        ("qmfilter-generic", filters(false)),
        ("qmfilter-specific", filters(true)),
        ("rule", ShowDynamic::Rule { tunnel: None, traffic: TrafficPattern::default() }),
        ("mmsas-list", ShowDynamic::MainModeSas { ends: Ends::default(), layout }),
        ("mmsas-table", ShowDynamic::MainModeSas { ends: Ends::default(), layout: table }),
        ("qmsas-list", ShowDynamic::QuickModeSas { ends: Ends::default(), protocol: None, layout }),
        ("qmsas-table", ShowDynamic::QuickModeSas { ends: Ends::default(), protocol: None, layout: table }),
        ("stats", ShowDynamic::Statistics(Statistics::All)),
        ("all", ShowDynamic::All { resolve_dns: false }),
    ] {
        let text = run.show(show);
        assert!(!text.contains("never shown"));
        expect(&format!("dynamic-{name}.txt"), &text);
    }
    let mut run = Run::with(told(), Format::Json);
    let text = run.show(ShowDynamic::All { resolve_dns: false });
    assert!(!text.contains("never shown"));
    expect("dynamic-all.json", &text);
}

#[test]
fn filters_and_sas_are_chosen_by_their_ends() {
    let mut run = Run::with(told(), Format::Json);
    let mut count = |show: ShowDynamic| {
        let shown: serde_json::Value = serde_json::from_str(&run.show(show)).unwrap();
        shown.as_array().or_else(|| shown["ipsec_sas"].as_array()).unwrap().len()
    };
    let traffic = |ends: Ends, protocol| TrafficPattern { ends, protocol, ..TrafficPattern::default() };
    let rules = |tunnel, traffic| ShowDynamic::Rule { tunnel, traffic };
    assert_eq!(count(rules(None, TrafficPattern::default())), 3);
    assert_eq!(count(rules(Some(true), TrafficPattern::default())), 2);
    assert_eq!(count(rules(None, traffic(ends(Some("me"), Some("10.10.0.0/16")), None))), 2);
    assert_eq!(count(rules(None, traffic(Ends::default(), Some(17)))), 1);
    let permits = TrafficPattern { action_outbound: Some(Action::Permit), ..TrafficPattern::default() };
    assert_eq!(count(rules(None, permits)), 1);
    let port = TrafficPattern { destination_port: Some(80), ..TrafficPattern::default() };
    assert_eq!(count(rules(None, port)), 1);
    // Of several filters between the same ends main mode has one.
    let main = |ends| ShowDynamic::MainModeFilter { which: OneOrAll::All, specific: true, ends };
    assert_eq!(count(main(Ends::default())), 1);
    assert_eq!(count(main(ends(Some("192.0.2.0/24"), None))), 0);
    let sas = |ends, protocol| ShowDynamic::QuickModeSas { ends, protocol, layout: Layout::default() };
    assert_eq!(count(sas(ends(Some("me"), Some("10.9.0.2")), None)), 1);
    assert_eq!(count(sas(ends(Some("10.9.0.2"), Some("me")), None)), 1);
    assert_eq!(count(sas(ends(None, Some("10.9.0.7")), None)), 0);
    assert_eq!(count(sas(Ends::default(), Some(17))), 0);
    let main = |ends| ShowDynamic::MainModeSas { ends, layout: Layout::default() };
    assert_eq!((count(main(ends(None, Some("10.9.0.0/24")))), count(main(ends(None, Some("10.8.0.0/24"))))), (1, 0));
}

#[test]
fn sas_are_deleted_by_their_ends() {
    let service = told();
    let mut run = Run::with(service.clone(), Format::Text);
    run.run([Dynamic::DeleteSa { source: None, destination: Some(side("10.9.0.2")) }]);
    assert_eq!(
        service.ended.take(),
        [Target::IpsecSa(crate::control::request::Handle(3)), Target::IkeSa(crate::control::request::Handle(2))]
    );
    run.run([Dynamic::DeleteSa { source: Some(side("10.9.0.3")), destination: None }]);
    assert_eq!(service.ended.take(), [Target::IpsecSa(crate::control::request::Handle(4))]);
    run.run([Dynamic::DeleteSa { source: None, destination: None }]);
    assert_eq!(service.ended.take(), [Target::All]);
    let error = run.refused(Dynamic::DeleteSa { source: Some(side("pool")), destination: None });
    assert!(error.contains("not pool"), "{error}");
}

#[test]
fn without_a_service_there_is_nothing_dynamic() {
    let root = Root::new();
    let mut session = root.session();
    for command in [main_mode("mm"), Dynamic::Dump, Dynamic::Show(ShowDynamic::Statistics(Statistics::All))] {
        let what = format!("{command:?}");
        let error = session.carry_out(Command::Dynamic(command)).expect_err(&what).to_string();
        assert!(error.contains("no policyagent is running"), "{error}");
    }
}

#[test]
fn settings_are_written_into_their_file_and_shown() {
    use super::shown::expect;
    let mut run = Run::new();
    let paths = Paths::new(run.root.path());
    fs::create_dir_all(paths.settings().parent().unwrap()).unwrap();
    fs::write(paths.settings(), "# Ours.\n[oakley]\nEnableLogging = 0 # quiet\n").unwrap();
    let mut set = |setting: Setting| run.session.carry_out(Command::Dynamic(Dynamic::SetConfig(setting))).unwrap();
    assert_eq!(set(Setting::IkeLogging(true)), "");
    assert_eq!(set(Setting::StrongCrlCheck(2)), "");
    assert_eq!(set(Setting::IpsecExempt(1)), "The change takes effect when the service is started again.\n");
    for setting in [
        Setting::IpsecDiagnostics(7),
        Setting::IpsecLogInterval(60),
        Setting::BootMode(BootMode::Block),
        Setting::BootExemptions(vec![
            BootExemption { protocol: 6, source_port: 0, destination_port: 22, inbound: true },
            BootExemption { protocol: 1, source_port: 0, destination_port: 0, inbound: false },
        ]),
    ] {
        assert_eq!(set(setting), "The change takes effect when this host is started again.\n");
    }
    let text = fs::read_to_string(paths.settings()).unwrap();
    assert!(text.starts_with("# Ours.\n[oakley]\nEnableLogging = true # quiet\nStrongCRLCheck = 2\n"), "{text}");
    let shown = run.show(ShowDynamic::Config);
    expect("dynamic-config.txt", &shown);
    run.run([Dynamic::SetConfig(Setting::BootExemptions(Vec::new()))]);
    assert!(run.show(ShowDynamic::Config).contains("Boot Mode Exemptions          : NONE"));
    // What the file must not say is not written.
    fs::write(paths.settings(), "wrong = 1\n").unwrap();
    let error = run.refused(Dynamic::SetConfig(Setting::IkeLogging(true)));
    assert!(error.contains("has no key \"wrong\""), "{error}");
    assert_eq!(fs::read_to_string(paths.settings()).unwrap(), "wrong = 1\n");
}

#[test]
fn dynamic_policies_without_rules_are_shown_too() {
    let mut run = Run::new();
    let group = QuickModeSettings { pfs: Some(PfsGroup::MainMode), ..QuickModeSettings::default() };
    run.run([main_mode("mm"), Dynamic::AddQuickModePolicy { name: "qm".to_owned(), policy: group }]);
    run.run([Dynamic::AddRule(rule(key("10.9.0.1", "any"), PERMIT))]);
    let file = crate::model::tests::parse(&run.text()).unwrap();
    let machine = Machine { addresses: ["10.9.0.1".parse().unwrap()].into_iter().collect(), ..Machine::default() };
    let part = crate::compile::Part { store: "dynamic", file: &file, everything: true };
    let compiled = crate::compile::compile_all(&[part], &machine, &mut crate::compile::Reqids::default()).unwrap();
    assert_eq!(compiled.warnings, [], "nobody asks a rule that permits for its Kerberos");
    let report = InForceReport::new(&compiled.db, &[part]);
    assert_eq!(report.main_mode_policies.iter().map(|policy| policy.name.as_str()).collect::<Vec<_>>(), ["mm"]);
    let quick = &report.quick_mode_policies;
    assert_eq!((quick.len(), quick[0].name.as_str(), quick[0].pfs.as_deref()), (1, "qm", Some("that of main mode")));
}
