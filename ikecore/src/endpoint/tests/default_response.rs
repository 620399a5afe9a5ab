//! The default response: the second host has it, and the first a rule for the second.
use super::*;
use crate::policy::rule::{Rule, RuleAction};
use crate::policy::selector::{Prefix, Selector};
use crate::sa::driver::TrafficAction;
use std::sync::Arc;

/// The second host's policy: a default response that suits the first host's rule, and these rules besides.
fn answering(version: u64, rules: Vec<Rule>) -> PolicyDb {
    let mut policy = TestPolicy::new(B, A).database();
    let rule = Arc::clone(&policy.rules[0]);
    let default = Rule { name: "default".to_owned(), filters: Vec::new(), reqid: 9, ..(*rule).clone() };
    policy = PolicyDb::new(version, rules.into_iter().map(Arc::new).collect(), vec![Prefix::host(B)]).expect("rules");
    policy.with_default_response(default).expect("a default response")
}

/// A rule of the second host for all traffic with the first.
fn own_rule() -> Rule {
    (*TestPolicy::new(B, A).database().rules[0]).clone()
}

fn network(rules: Vec<Rule>, change: impl Fn(usize, &mut TestPolicy)) -> Network {
    let mut network = pair(1, Weather::default(), change);
    network.feed(1, Input::Policy(Arc::new(answering(2, rules))));
    network
}

/// The rules of the second host's pairs.
fn rules_of_pairs(network: &Network) -> Vec<String> {
    network.hosts[1].endpoint.pairs.values().map(|pair| pair.sa.rule.name.clone()).collect()
}

#[test]
fn it_answers_with_a_policy_that_comes_and_goes_with_the_pair() {
    let mut network = network(Vec::new(), |_, _| {});
    assert!(network.hosts[1].driver.policies.is_empty(), "standing policies");
    initiate(&mut network);
    network.run(Duration::from_secs(5));
    assert_agree(&network);
    assert_eq!(rules_of_pairs(&network), ["default"]);
    let [_, b] = &network.hosts;
    let pair = b.driver.pairs.values().next().expect("a pair");
    let hosts = Selector::between(Prefix::host(B), Prefix::host(A));
    assert_eq!((pair.policy.selector, pair.policy.reqid), (hosts, 9));
    assert!(matches!(pair.policy.action, TrafficAction::Protect { endpoints: None, .. }));
    assert!(b.driver.policies.is_empty(), "standing policies");

    // Either end may replace the pair, and the ISAKMP SA.
    for host in [0, 1] {
        let old = *network.hosts[host].endpoint.pairs.keys().next_back().expect("a pair");
        network.feed(host, Input::Command(Command::RekeyIpsecSa(old)));
        network.run(Duration::from_secs(60));
        assert!(!network.hosts[host].endpoint.pairs.contains_key(&old), "host {host}");
        let old = *network.hosts[host].endpoint.ike_sas.keys().next_back().expect("an ISAKMP SA");
        network.feed(host, Input::Command(Command::RekeyIkeSa(old)));
        network.run(Duration::from_secs(60));
        assert_agree(&network);
    }
    assert_eq!(rules_of_pairs(&network), ["default"]);
    assert_eq!(network.hosts.each_ref().map(Host::failures), [vec![], vec![]]);

    let last = *network.hosts[0].endpoint.pairs.keys().next().expect("a pair");
    network.feed(0, Input::Command(Command::DeleteIpsecSa(last)));
    network.run(Duration::from_secs(5));
    assert!(network.hosts[1].driver.pairs.is_empty());
    network.run(Duration::from_secs(400));
    network.hosts.iter().for_each(assert_settled);
    shut_down(&mut network);
}

#[test]
fn it_never_begins() {
    let mut network = network(Vec::new(), |_, _| {});
    network.feed(1, acquire(1));
    network.feed(1, Input::Command(Command::InitiateRule { rule: "default".to_owned(), peer: Some(A.into()) }));
    network.run(Duration::from_secs(5));
    assert!(network.log.is_empty());
    assert_eq!(network.hosts[1].failures(), [Failure::NoSuchRule("default".to_owned())]);
}

#[test]
fn a_rule_with_filters_goes_before_it() {
    let mut network = network(vec![own_rule()], |_, _| {});
    initiate(&mut network);
    network.run(Duration::from_secs(5));
    assert_agree(&network);
    assert_eq!(rules_of_pairs(&network), ["rule"]);
}

#[test]
fn what_is_permitted_or_blocked_is_not_answered() {
    for action in [RuleAction::Permit, RuleAction::Block] {
        let all = Rule { action: action.clone(), ..own_rule() };
        let tcp = Selector { protocol: 6, local_port: 80, ..all.filters[0] };
        let part = Rule { filters: vec![tcp], ..all.clone() };
        // Of all that is between the hosts not even main mode is answered; of a part, no quick mode for it.
        for (rule, main_modes) in [(all, 0), (part, 1)] {
            let mut network = network(vec![rule], |host, policy| {
                if host == 0 {
                    let hosts = Selector::between(Prefix::host(A), Prefix::host(B));
                    policy.filters = vec![Selector { protocol: 6, remote_port: 80, ..hosts }];
                }
            });
            initiate(&mut network);
            network.run(Duration::from_secs(5));
            let b = &network.hosts[1];
            assert_eq!((b.endpoint.ike_sas.len(), b.driver.pairs.len()), (main_modes, 0), "{action:?}");
            assert!(!b.failures().is_empty(), "{action:?}");
        }
    }
}

#[test]
fn a_new_policy_ends_what_it_answered_unless_it_still_would() {
    let negotiated = || {
        let mut network = network(Vec::new(), |_, _| {});
        initiate(&mut network);
        network.run(Duration::from_secs(5));
        assert_eq!(rules_of_pairs(&network), ["default"]);
        network
    };
    let standing = |network: &Network| {
        let [a, b] = &network.hosts;
        (b.endpoint.ike_sas.len(), b.driver.pairs.len(), a.endpoint.ike_sas.len())
    };
    let mut same = negotiated();
    same.feed(1, Input::Policy(Arc::new(answering(3, Vec::new()))));
    same.run(Duration::from_secs(5));
    assert_eq!(standing(&same), (1, 1, 1));
    assert_agree(&same);
    // A rule for the peer, or no default response any more: the peer hears of the end.
    let without = PolicyDb::new(3, Vec::new(), vec![Prefix::host(B)]).expect("no rules");
    for policy in [answering(3, vec![own_rule()]), without] {
        let mut network = negotiated();
        network.feed(1, Input::Policy(Arc::new(policy)));
        network.run(Duration::from_secs(5));
        assert_eq!(standing(&network), (0, 0, 0));
    }
    // A rule for other traffic with the peer, which may want other proof of who it is: the ISAKMP SA alone ends.
    let mut network = negotiated();
    let rule = own_rule();
    let tcp = Selector { protocol: 6, local_port: 80, ..rule.filters[0] };
    network.feed(1, Input::Policy(Arc::new(answering(3, vec![Rule { filters: vec![tcp], ..rule }]))));
    network.run(Duration::from_secs(5));
    assert_eq!(standing(&network), (0, 1, 0));
    assert_agree(&network);
}
