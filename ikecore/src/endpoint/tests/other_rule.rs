//! Two rules between the same hosts: what a peer has proven under one counts under the other only if that asks no more.
use super::*;
use crate::identity::Identity;
use crate::policy::db::PolicyDb;
use crate::policy::rule::Rule;
use crate::policy::selector::{Prefix, Selector};

/// Longer than all retransmissions of all messages together.
const ALL_OVER: Duration = Duration::from_secs(400);

/// TCP.
const TCP: u8 = 6;

/// The service that the second rule is about, at host B.
fn service(local: IpAddr, remote: IpAddr) -> Selector {
    let (own, other) = if local == B { (22, 0) } else { (0, 22) };
    Selector {
        protocol: TCP,
        local_port: own,
        remote_port: other,
        ..Selector::between(Prefix::host(local), Prefix::host(remote))
    }
}

/// A rule for all traffic, and one for the service, which `change` changes.
fn two_rules(local: IpAddr, remote: IpAddr, change: impl Fn(&mut TestPolicy)) -> PolicyDb {
    let all = TestPolicy::new(local, remote).database();
    let mut policy = TestPolicy { filters: vec![service(local, remote)], ..TestPolicy::new(local, remote) };
    change(&mut policy);
    let second = Rule { name: "service".to_owned(), reqid: 2, ..policy.database().rules[0].as_ref().clone() };
    PolicyDb::new(1, vec![Arc::clone(&all.rules[0]), Arc::new(second)], all.local_addresses).expect("a good policy")
}

/// Host A has one rule, for the service, and the first rule's key; host B has both. Gives their failures.
pub(super) fn ask_for_the_service(change: impl Fn(&mut TestPolicy)) -> (Network, [Vec<Failure>; 2]) {
    let policy = TestPolicy { filters: vec![service(A, B)], ..TestPolicy::new(A, B) };
    let config = Config { detail: crate::event::Detail::Trace, ..Config::default() };
    let hosts = [Host::new(config.clone(), 1, policy.database()), Host::new(config, 2, two_rules(B, A, change))];
    let mut network = Network::new(hosts, Weather::default(), 3);
    initiate(&mut network);
    network.run(ALL_OVER);
    network.hosts.iter().for_each(assert_settled);
    let failures = network.hosts.each_ref().map(Host::failures);
    (network, failures)
}

#[test]
fn a_rule_that_asks_the_same_serves() {
    let (network, failures) = ask_for_the_service(|policy| policy.remote_id = Some(Identity::Address(A)));
    assert_eq!(failures, [vec![], vec![]]);
    assert_eq!(network.hosts[1].driver.pairs.values().next().map(|pair| pair.policy.reqid), Some(2));
    assert_agree(&network);
}

#[test]
fn another_key_is_not_proven() {
    let (network, failures) = ask_for_the_service(|policy| policy.psk = b"the service's own");
    let expected = Failure::OtherAuthentication { rule: "service".to_owned(), under: "rule".to_owned() };
    assert_eq!(failures[1], [expected]);
    assert!(matches!(failures[0].as_slice(), [Failure::PeerRefused { .. }]), "{failures:?}");
    assert!(network.hosts.iter().all(|host| host.driver.pairs.is_empty()));
}

#[test]
fn another_identity_is_not_proven() {
    let (network, failures) =
        ask_for_the_service(|policy| policy.remote_id = Some(Identity::Fqdn("admin.example".to_owned())));
    assert!(matches!(failures[1].as_slice(), [Failure::IdentityMismatch { .. }]), "{failures:?}");
    assert!(failures[1][0].to_string().contains("service"), "{failures:?}");
    assert!(network.hosts.iter().all(|host| host.driver.pairs.is_empty()));
}

/// The rule of the responder's ISAKMP SA, and the failures of both ends; the initiator says that it is `a.example`. The
/// responder's first rule wants `first`, its second, for the service, `second` and the key `psk`.
fn rule_for_a(first: Option<&str>, second: Option<&str>, psk: &'static [u8]) -> (Option<String>, [Vec<Failure>; 2]) {
    let identity = |name: &str| Identity::Fqdn(format!("{name}.example"));
    let policy = TestPolicy { local_id: Some(identity("a")), filters: vec![service(A, B)], ..TestPolicy::new(A, B) };
    let mut database = two_rules(B, A, |policy| {
        policy.psk = psk;
        policy.remote_id = second.map(identity);
    });
    let rule = Rule { remote_id: first.map(identity), ..database.rules[0].as_ref().clone() };
    database.rules[0] = Arc::new(rule);
    let hosts = [Host::new(Config::default(), 1, policy.database()), Host::new(Config::default(), 2, database)];
    let mut network = Network::new(hosts, Weather::default(), 3);
    initiate(&mut network);
    network.run(Duration::from_secs(5));
    let snapshot = network.hosts[1].endpoint.snapshot();
    let rule = snapshot.ike_sas.iter().find(|sa| sa.identity.is_some()).map(|sa| sa.rule.clone());
    network.run(ALL_OVER);
    network.hosts.iter().for_each(assert_settled);
    (rule, network.hosts.each_ref().map(Host::failures))
}

#[test]
fn the_rule_for_an_identity_is_found_when_the_peer_has_proven_it() {
    const KEY: &[u8] = b"correct horse battery";
    let rule_for_a = |first, second| {
        let (rule, failures) = rule_for_a(first, second, KEY);
        assert_eq!(failures, [vec![], vec![]], "{first:?}, {second:?}");
        rule.expect("an ISAKMP SA")
    };
    // Main mode begins by the first for the address; of both it is the second that is nearer.
    for (first, second, expected) in [
        (Some("b"), Some("a"), "service"),
        (None, Some("a"), "service"),
        (Some("a"), None, "rule"),
        (Some("b"), None, "service"),
    ] {
        assert_eq!(rule_for_a(first, second), expected, "{first:?}, {second:?}");
    }
}

#[test]
fn a_rule_for_the_identity_that_asks_for_another_proof_is_none() {
    let (rule, failures) = rule_for_a(Some("b"), Some("a"), b"the service's own");
    assert_eq!(rule, None);
    let [Failure::IdentityMismatch { rule, .. }] = failures[1].as_slice() else { panic!("{failures:?}") };
    assert_eq!(rule, "rule", "the rule whose key was used");
}

/// This host too proves itself for each rule as that rule says.
#[test]
fn rules_with_different_keys_have_an_isakmp_sa_each() {
    for (key, sas) in [(&b"correct horse battery"[..], 1), (b"the service's own", 2)] {
        let database = |local, remote| two_rules(local, remote, |policy| policy.psk = key);
        let mut responder = database(B, A);
        // Which of the two keys the peer has nothing says before it is needed: here the first rule comes to see only its own
        // traffic, as its peer begins with the other.
        if sas == 2 {
            responder = PolicyDb::new(1, responder.rules.into_iter().rev().collect(), responder.local_addresses)
                .expect("a good policy");
        }
        let hosts = [Host::new(Config::default(), 1, database(A, B)), Host::new(Config::default(), 2, responder)];
        let mut network = Network::new(hosts, Weather::default(), 3);
        network.feed(0, Input::Command(Command::InitiateRule { rule: "service".to_owned(), peer: None }));
        network.run(Duration::from_secs(5));
        network.feed(0, Input::Command(Command::InitiateRule { rule: "rule".to_owned(), peer: None }));
        network.run(Duration::from_secs(5));
        let begun = network.hosts[0]
            .events
            .iter()
            .filter(|event| matches!(event.kind, EventKind::IkeSa(crate::event::IkeSaEvent::Created { .. })));
        assert_eq!(begun.count(), sas);
    }
}
