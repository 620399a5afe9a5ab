use super::*;
use crate::control::report::StoreState;
use crate::model::tests::GOOD;
use crate::service::settings::Settings;
use ikecore::address::Scope;
use ikecore::policy::rule::RuleAction;
use ikecore::policy::selector::{Direction, Flow};
use std::fs;

/// An instance's files; each service of it begins anew.
struct Host(PathBuf);

impl Host {
    fn new(name: &str) -> Self {
        let root = std::env::temp_dir().join(format!("policyagent-in-force-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&root);
        let host = Self(root);
        fs::create_dir_all(host.paths().state()).unwrap();
        fs::create_dir_all(host.paths().policy().parent().unwrap()).unwrap();
        host
    }

    fn paths(&self) -> Paths {
        Paths::new(&self.0)
    }

    fn write(&self, store: &Store, text: &str) {
        fs::write(store.path(), text).unwrap();
    }

    fn local(&self) -> Store {
        Store::local(&self.paths(), None)
    }

    fn persistent(&self) -> Store {
        Store::persistent(&self.paths())
    }

    fn directory(&self) -> Store {
        Store::directory(&self.paths())
    }

    /// The policy of a service that starts; its driver takes everything.
    fn started(&self, named: Option<&Path>) -> Result<InForce, String> {
        let sources = Settings::default().sources(&self.paths());
        let mut policy = InForce::new(&self.paths(), named, sources, DefaultExemptions::default()).unwrap();
        let first = policy.start()?;
        policy.put_in_force(first);
        Ok(policy)
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A document whose policy has one rule with this name, for all traffic with an address; this machine's do not matter.
fn document(policy: &str, rule: &str, peer: &str) -> String {
    GOOD.replace("\"lab\"", &format!("{policy:?}")).replace("\"to b\"", &format!("{rule:?}")).replace(
        "source = \"me\", destination = \"10.9.0.2\"",
        &format!("source = \"10.9.0.1\", destination = {peer:?}"),
    )
}

/// A version of the policy after a look; nothing if it stays as it is.
fn look(policy: &mut InForce, look: Look) -> Option<u64> {
    let attempt = policy.attempt(look).unwrap()?;
    policy.put_in_force(attempt);
    Some(policy.report().version)
}

fn dynamic(text: &str) -> Look {
    Look::Dynamic(Document::of("/etc/policyagent/dynamic", text))
}

fn states(policy: &InForce) -> [StoreState; STORES] {
    policy.report().stores.iter().map(|store| store.state).collect::<Vec<_>>().try_into().unwrap()
}

const ABSENT: StoreState = StoreState::Absent;
const IN_FORCE: StoreState = StoreState::InForce;

#[test]
fn a_file_with_a_fault_changes_nothing_and_the_report_says_why() {
    let host = Host::new("fault");
    let store = host.local();
    let good = document("lab", "to b", "any");
    host.write(&store, &good);
    let mut policy = host.started(Some(store.path())).unwrap();
    assert_eq!((policy.report().version, policy.report().rules), (1, vec!["to b".to_owned()]));

    host.write(&store, &good.replace("negotiate", "negociate"));
    assert_eq!(look(&mut policy, Look::Changed), None);
    let error = policy.report().error.unwrap();
    assert!(error.contains("policy.toml:20:10: action of filter action"), "{error}");
    assert_eq!((policy.report().version, policy.db().version, policy.db().rules.len()), (1, 1, 1));
    assert_eq!(policy.report().stores[LOCAL].error, Some(error));

    host.write(&store, &good.replace("\"to b\"", "\"to c\""));
    assert_eq!(look(&mut policy, Look::Changed), Some(2));
    assert_eq!((policy.report().error, policy.report().rules), (None, vec!["to c".to_owned()]));
    assert_eq!(policy.report().stores[LOCAL].version, 2);

    fs::remove_file(store.path()).unwrap();
    assert_eq!(look(&mut policy, Look::All), None);
    assert!(policy.report().error.unwrap().contains("No such file"), "it was named");
    drop(policy);
    let mut usual = host.started(None).unwrap();
    assert_eq!((usual.db().rules.len(), usual.report().name), (0, None));
    assert!(store.last_good().is_none(), "that there is none is meant");
    assert!(!usual.has_changed());
    host.write(&store, &good);
    assert!(usual.has_changed());
    assert_eq!(look(&mut usual, Look::Changed), Some(2));
}

#[test]
fn what_is_as_it_was_is_no_version() {
    let host = Host::new("same");
    let (store, key) = (host.local(), host.paths().policy().with_file_name("b.psk"));
    fs::write(&key, "one").unwrap();
    let text =
        document("lab", "to b", "any").replace("preshared_key = \"correct horse\"", "preshared_key_file = \"b.psk\"");
    host.write(&store, &text);
    let mut policy = host.started(None).unwrap();
    for which in [Look::All, Look::Changed, Look::Machine] {
        assert_eq!(look(&mut policy, which), None);
    }
    // The same text in another file.
    fs::remove_file(store.path()).unwrap();
    host.write(&store, &text);
    assert!(policy.has_changed());
    assert_eq!(look(&mut policy, Look::Changed), None);
    assert!(!policy.has_changed());

    // A key that it names.
    fs::write(&key, "another").unwrap();
    assert!(policy.has_changed());
    assert_eq!(look(&mut policy, Look::Changed), Some(2));
    fs::remove_file(&key).unwrap();
    assert_eq!(look(&mut policy, Look::Changed), None);
    assert!(policy.report().error.unwrap().contains("b.psk: No such file"));
    fs::write(&key, "a third").unwrap();
    assert!(policy.has_changed(), "the file that is missing is waited for");
    assert_eq!(look(&mut policy, Look::Changed), Some(3));

    policy.machine.addresses.insert("192.0.2.99".parse().unwrap());
    assert_eq!(look(&mut policy, Look::Machine), Some(4));
}

#[test]
fn the_stores_are_in_force_together() {
    let host = Host::new("together");
    host.write(&host.local(), &document("lab", "to b", "any"));
    let mut policy = host.started(None).unwrap();
    assert_eq!(states(&policy), [ABSENT, ABSENT, IN_FORCE, StoreState::NotAssigned]);
    let reqid = |policy: &InForce, name: &str| policy.db().rule(name).map(|rule| rule.reqid);
    let before = reqid(&policy, "to b");

    host.write(&host.persistent(), &document("base", "to b", "any"));
    assert_eq!(look(&mut policy, Look::Changed), Some(2));
    let two = document("one", "to b", "any").replace("assigned = true", "assigned = false")
        + "[[policy]]\nname = \"two\"\n[[policy.rule]]\nname = \"drop\"\nfilter_list = \"b hosts\"\nfilter_action = \"block\"\n\
           [[filter_action]]\nname = \"block\"\naction = \"block\"\n";
    assert_eq!(look(&mut policy, dynamic(&two)), Some(3));
    let report = policy.report();
    assert_eq!(report.name.as_deref(), Some("base, lab, one, two"));
    assert_eq!(report.rules, ["to b (persistent)", "to b", "to b (dynamic)", "drop"]);
    assert_eq!(reqid(&policy, "to b"), before, "its SAs are its own");
    // All four have the same filter, the persistent one goes before the others.
    let flow = Flow {
        local: "10.9.0.2".parse().unwrap(),
        remote: "10.9.0.1".parse().unwrap(),
        protocol: 1,
        local_port: 0,
        remote_port: 0,
        scope: Scope::ANY,
    };
    let decides = |policy: &InForce| policy.db().lookup_flow(&flow, Direction::Outbound).unwrap().0.name.clone();
    assert_eq!(decides(&policy), "to b (persistent)");

    // The directory takes the place of the local store, if it assigns a policy.
    host.write(&host.directory(), &document("domain", "to b", "any").replace("assigned = true", "assigned = false"));
    assert_eq!(look(&mut policy, Look::Changed), Some(4));
    assert_eq!(states(&policy), [IN_FORCE, StoreState::NotAssigned, IN_FORCE, IN_FORCE]);
    host.write(&host.directory(), &document("domain", "to d", "any"));
    assert_eq!(look(&mut policy, Look::Changed), Some(5));
    assert_eq!(states(&policy), [IN_FORCE, IN_FORCE, StoreState::Overridden, IN_FORCE]);
    assert_eq!(policy.report().rules, ["to b (persistent)", "to d", "to b (dynamic)", "drop"]);

    // A fault in one leaves the others; that of the dynamic one is for who asks.
    let error = policy.attempt(dynamic("[[policy]]\n")).unwrap_err();
    assert!(error.contains("/etc/policyagent/dynamic:1:1: policy 1 in policy of the file has no name"), "{error}");
    fs::remove_file(host.persistent().path()).unwrap();
    host.write(&host.directory(), "=");
    assert_eq!(look(&mut policy, Look::Changed), Some(6));
    assert_eq!(policy.report().rules, ["to d", "to b (dynamic)", "drop"]);
    assert_eq!(decides(&policy), "to d");

    // A restart has what is in files, and what was good of them.
    drop(policy);
    let policy = host.started(None).unwrap();
    assert_eq!(states(&policy), [ABSENT, StoreState::LastGood, StoreState::Overridden, StoreState::NotAssigned]);
    assert_eq!(policy.report().rules, ["to d"]);
    assert!(policy.report().error.unwrap().contains("directory.toml:1:1"));
}

/// A packet of UDP.
const ALL_OF_UDP: Flow = Flow {
    local: IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED),
    remote: IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED),
    protocol: 17,
    local_port: 88,
    remote_port: 88,
    scope: Scope::ANY,
};

/// A rule that only shows as wrong when it is compiled.
fn client_of_nobody() -> String {
    document("base", "to c", "pool")
        .replace("horse\" }]", "horse\" }]\nmode_config = \"pull\"\ntunnel = { remote = \"any\" }")
}

#[test]
fn a_fault_that_shows_late_is_that_of_one_store_too() {
    let host = Host::new("late");
    host.write(&host.local(), &document("lab", "to b", "any"));
    host.write(&host.persistent(), &document("base", "to c", "any"));
    let mut policy = host.started(None).unwrap();
    host.write(&host.persistent(), &client_of_nobody());
    host.write(&host.local(), &document("lab", "to d", "any"));
    assert_eq!(look(&mut policy, Look::Changed), Some(2));
    assert_eq!(policy.report().rules, ["to c", "to d"]);
    let error = policy.report().stores[PERSISTENT].error.clone().unwrap();
    assert!(error.contains("persistent.toml:8:1: rule \"to c\"") && error.contains("names no peer"), "{error}");
    // And the same at a start.
    drop(policy);
    let policy = host.started(None).unwrap();
    assert_eq!(
        (policy.report().rules, states(&policy)[PERSISTENT]),
        (vec!["to c".into(), "to d".into()], StoreState::LastGood)
    );
}

#[test]
fn a_persistent_store_of_which_nothing_good_is_known_blocks_everything() {
    let host = Host::new("block");
    host.write(&host.local(), &document("lab", "to b", "any"));
    for (fault, rule) in [("=", "to c"), (&client_of_nobody(), "to e")] {
        host.write(&host.persistent(), fault);
        let mut policy = host.started(None).unwrap();
        assert_eq!(policy.report().name.as_deref(), Some("block mode"));
        assert_eq!(states(&policy)[..3], [StoreState::Failed, ABSENT, StoreState::Overridden]);
        assert!(policy.report().stores[PERSISTENT].error.is_some());
        let action = |protocol, local_port, remote_port| {
            let (local, remote) = ("10.9.0.1".parse().unwrap(), "10.9.0.2".parse().unwrap());
            let flow = Flow { local, remote, protocol, local_port, remote_port, scope: Scope::ANY };
            policy
                .db()
                .lookup_flow(&flow, Direction::Outbound)
                .map(|(rule, _)| matches!(rule.action, RuleAction::Permit))
        };
        assert_eq!((action(6, 22, 1024), action(1, 0, 0), action(17, 68, 67)), (Some(false), Some(false), Some(true)));
        let many = Flow { remote: "224.0.0.251".parse().unwrap(), local: "10.9.0.1".parse().unwrap(), ..ALL_OF_UDP };
        assert_eq!(policy.db().exemption(&many), None, "what is exempt otherwise is not here");
        // Whatever else changes: it lasts until the persistent store is repaired.
        host.write(&host.local(), &document("lab", rule, "any"));
        assert!(look(&mut policy, Look::Changed).is_some());
        assert_eq!(policy.report().name.as_deref(), Some("block mode"));
        host.write(&host.persistent(), "");
        assert!(look(&mut policy, Look::Changed).is_some());
        assert_eq!(policy.report().rules, [rule]);
        fs::remove_file(host.persistent().path()).unwrap();
        assert!(look(&mut policy, Look::Changed).is_some());
    }
    // While the service runs, a store that was not there stays what it was.
    let mut policy = host.started(None).unwrap();
    host.write(&host.persistent(), "=");
    assert_eq!(look(&mut policy, Look::Changed), None);
    assert_eq!((policy.report().rules, states(&policy)[PERSISTENT]), (vec!["to e".into()], ABSENT));
}

#[test]
fn a_local_store_that_never_was_good_ends_the_start_unless_there_is_another_policy() {
    let host = Host::new("never");
    host.write(&host.local(), "=");
    assert!(host.started(None).unwrap_err().contains("policy.toml:1:1"));
    host.write(&host.persistent(), &document("base", "to b", "any"));
    let policy = host.started(None).unwrap();
    assert_eq!(states(&policy)[..3], [IN_FORCE, ABSENT, StoreState::Failed]);
    assert!(host.started(Some(host.local().path())).unwrap_err().contains("policy.toml:1:1"), "somebody named it");
    // What assigns nothing, or is faulty itself, puts nothing in force.
    for other in [host.persistent(), host.directory()] {
        let _ = fs::remove_dir_all(host.paths().last_good());
        let _ = fs::remove_file(host.persistent().path());
        host.write(&other, &document("base", "to b", "any").replace("assigned = true", "assigned = false"));
        assert!(host.started(None).unwrap_err().contains("policy.toml:1:1"), "{}", other.path().display());
    }
    host.write(&host.directory(), "=");
    assert!(host.started(None).unwrap_err().contains("policy.toml:1:1"));
}

#[test]
fn what_is_not_in_force_is_refused_by_itself() {
    let host = Host::new("waits");
    let (local, directory) = (host.local(), host.directory());
    host.write(&local, &document("lab", "to b", "any"));
    host.write(&directory, &document("domain", "to d", "any"));
    let mut policy = host.started(None).unwrap();
    assert_eq!(policy.report().rules, ["to d"]);
    // Its fault shows when it is compiled, and is its own although another is in force.
    host.write(&local, &client_of_nobody());
    assert_eq!(look(&mut policy, Look::Changed), None);
    assert!(policy.report().stores[LOCAL].error.as_ref().unwrap().contains("names no peer"));
    assert_eq!(local.last_good().unwrap().text(), document("lab", "to b", "any"));
    // The directory assigns nothing any more: what was good of the local store is in force.
    host.write(&directory, "");
    assert!(look(&mut policy, Look::Changed).is_some());
    assert_eq!(
        (policy.report().rules, policy.report().stores[DIRECTORY].error.clone()),
        (vec!["to b".to_owned()], None)
    );
}

/// A policy with so many rules.
fn crowd(policy: &str, rules: usize) -> String {
    let (head, tail) = document(policy, "to b", "any")
        .split_once("[[filter_list]]")
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .unwrap();
    let rule = |number| {
        format!("[[policy.rule]]\nname = \"{policy} {number}\"\nfilter_list = \"b hosts\"\nfilter_action = \"block\"\n")
    };
    let rules: String = (1..rules).map(rule).collect();
    format!("{head}{rules}[[filter_list]]{tail}[[filter_action]]\nname = \"block\"\naction = \"block\"\n")
}

#[test]
fn what_is_refused_for_another_store_is_taken_once_that_one_changes() {
    let host = Host::new("another");
    let (persistent, local) = (host.persistent(), host.local());
    host.write(&persistent, &document("base", "to p", "any"));
    host.write(&local, &crowd("lab", 9_000));
    let mut policy = host.started(None).unwrap();
    assert_eq!(policy.report().rules.len(), 9_001);
    // Each is good by itself; together they are too many.
    host.write(&persistent, &crowd("base", 8_000));
    assert_eq!(look(&mut policy, Look::Changed), None);
    assert!(policy.report().stores[PERSISTENT].error.as_ref().unwrap().contains("active rules, allowed: "));
    // Nobody looks at it for ever.
    assert!(!policy.has_changed());
    assert_eq!(look(&mut policy, Look::Changed), None);
    host.write(&local, &document("lab", "to b", "any"));
    assert!(look(&mut policy, Look::Changed).is_some());
    assert_eq!((policy.report().rules.len(), policy.report().error), (8_001, None));
}

#[test]
fn a_default_response_leaves_its_name_to_nobody() {
    let host = Host::new("default");
    host.write(&host.persistent(), &document("base", "default response", "any"));
    let default = "horse\" }]\n[policy.default_response]\nfilter_action = \"require\"\nauthentication = [{ preshared_key = \"k\" }]";
    host.write(&host.local(), &document("lab", "to b", "any").replace("horse\" }]", default));
    let policy = host.started(None).unwrap();
    assert_eq!(states(&policy)[..3], [IN_FORCE, ABSENT, IN_FORCE]);
    assert_eq!(policy.report().rules, ["default response (persistent)", "to b", "default response"]);
}

#[test]
fn what_the_driver_does_not_hold_to_is_told_of_the_stores_that_are_new() {
    let host = Host::new("driver");
    host.write(&host.local(), &document("lab", "to b", "any"));
    let mut policy = host.started(None).unwrap();
    host.write(&host.local(), &document("lab", "to c", "any"));
    let attempt = policy.attempt(Look::Changed).unwrap().unwrap();
    policy.refuse(&attempt, "too much");
    assert_eq!((policy.report().version, policy.report().rules), (1, vec!["to b".to_owned()]));
    assert_eq!(policy.report().stores[LOCAL].error.as_deref(), Some("too much"));
    assert_eq!(policy.report().stores[DIRECTORY].error, None);
    // It is tried again when somebody asks.
    assert_eq!(look(&mut policy, Look::All), Some(2));
}

#[test]
fn a_file_that_an_editor_has_emptied_is_waited_for() {
    let host = Host::new("emptied");
    let local = host.local();
    host.write(&local, &document("lab", "to b", "10.9.0.2"));
    let mut policy = host.started(None).unwrap();
    // As many editors do: emptied first, then written.
    host.write(&local, "");
    let path = local.path().to_owned();
    let editor = std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_millis(50));
        fs::write(path, document("lab", "to c", "10.9.0.2")).unwrap();
    });
    assert_eq!(look(&mut policy, Look::Changed), Some(2));
    editor.join().unwrap();
    assert_eq!(policy.report().rules, ["to c"]);
    // What stays empty is meant so.
    host.write(&local, "");
    assert_eq!(look(&mut policy, Look::Changed), Some(3));
    assert_eq!(policy.report().rules, [""; 0]);
}
