use super::*;
use crate::policy::tests::{OFFER, address, between, plain, prefix, quick, transport, tunnel};
use crate::proposal::offer::QuickModeOffer;
use crate::proposal::suite::{IpsecSuite, Protocols};
use std::sync::Arc;

fn db(rules: Vec<Rule>) -> PolicyDb {
    let own = vec![prefix("2001:db8::1"), prefix("10.9.0.1"), prefix("192.0.2.1")];
    PolicyDb::new(1, rules.into_iter().map(Arc::new).collect(), own).expect("rules in order")
}

fn protect(mode: Mode, endpoints: Option<(&str, &str)>) -> TrafficAction {
    let endpoints = endpoints.map(|(local, remote)| (address(local), address(remote)));
    TrafficAction::Protect { protocols: Protocols::ESP, mode, endpoints, inbound_passthrough: false }
}

#[test]
fn every_filter_is_a_policy_in_the_order_of_the_ranking() {
    let (host, net) = (between("10.9.0.1", "10.9.0.2"), between("10.9.0.1", "10.9.0.0/24"));
    let (site, other) = (between("10.9.0.0/24", "10.7.0.0/16"), between("10.9.0.0/24", "10.6.0.0/16"));
    let db = db(vec![
        plain("block", 1, RuleAction::Block, &[net]),
        tunnel("site", 2, &[site, other], None, "192.0.2.9"),
        plain("permit", 3, RuleAction::Permit, &[Selector { protocol: 1, ..host }]),
        transport("host", 4, &[host]),
    ]);
    let policies = db.traffic_policies();
    let told: Vec<_> = policies.iter().map(|policy| (policy.selector, policy.action, policy.reqid)).collect();
    let tunnel = protect(Mode::Tunnel, Some(("10.9.0.1", "192.0.2.9")));
    assert_eq!(
        told,
        [
            (Selector { protocol: 1, ..host }, TrafficAction::Permit, 3),
            (host, protect(Mode::Transport, None), 4),
            (net, TrafficAction::Block, 1),
            (site, tunnel, 2),
            (other, tunnel, 2)
        ]
    );
    assert!(policies.is_sorted_by(|one, next| one.priority + 2 <= next.priority), "{policies:?}");
    assert!(policies.iter().all(|policy| policy.priority % 2 == 0));
}

#[test]
fn a_filter_given_twice_is_one_policy() {
    let host = between("10.9.0.1", "10.9.0.2");
    let db = db(vec![plain("block", 1, RuleAction::Block, &[host]), transport("host", 2, &[host])]);
    let policies = db.traffic_policies();
    assert_eq!(policies.iter().map(|policy| policy.reqid).collect::<Vec<_>>(), [1]);
}

#[test]
fn the_preferred_offer_names_the_protocol() {
    let ah = QuickModeOffer {
        suite: IpsecSuite::Ah { integrity: crate::crypto::esp::Integrity::HmacSha1_96 }.alone(),
        ..OFFER
    };
    let rule = Rule { action: quick(vec![ah, OFFER]), ..transport("ah", 1, &[between("10.9.0.1", "10.9.0.2")]) };
    let policies = db(vec![rule]).traffic_policies();
    assert!(matches!(policies[0].action, TrafficAction::Protect { protocols: Protocols::AH, .. }));
}

#[test]
fn the_pairs_policy_comes_just_before_its_filters() {
    let (net, exempt) = (between("10.9.0.1", "10.9.0.0/24"), between("10.9.0.1", "10.9.0.8/30"));
    let db = db(vec![transport("net", 1, &[net]), plain("exempt", 2, RuleAction::Permit, &[exempt])]);
    let standing = db.traffic_policies();
    let (first, second) = (standing[0], standing[1]);
    assert_eq!((first.selector, second.selector), (exempt, net));
    let rule = db.rule("net").expect("there");
    // Narrower than the exemption, and nevertheless looked at after it.
    let pair = between("10.9.0.1", "10.9.0.8");
    let policy = db.pair_policy(rule, pair, OFFER.suite, address("10.9.0.1"), address("10.9.0.8"));
    assert_eq!((policy.selector, policy.reqid), (pair, 1));
    assert_eq!(policy.action, protect(Mode::Transport, None));
    assert_eq!(policy.priority, second.priority - 1);
    assert!(policy.priority > first.priority);
}

#[test]
fn the_pairs_policy_has_the_ends_of_its_sas() {
    let site = between("10.9.0.0/24", "10.7.0.0/16");
    let db = db(vec![tunnel("site", 1, &[site], None, "192.0.2.9")]);
    let rule = db.rule("site").expect("there");
    let policy = db.pair_policy(rule, site, OFFER.suite, address("192.0.2.1"), address("192.0.2.9"));
    assert_eq!(policy.action, protect(Mode::Tunnel, Some(("192.0.2.1", "192.0.2.9"))));
}

#[test]
fn a_pair_of_a_rule_that_is_gone_still_has_a_policy() {
    let host = between("10.9.0.1", "10.9.0.2");
    let gone = transport("gone", 9, &[host]);
    let db = db(vec![transport("host", 1, &[host])]);
    let policy = db.pair_policy(&gone, host, OFFER.suite, address("10.9.0.1"), address("10.9.0.2"));
    assert_eq!(policy.reqid, 9);
    assert!(policy.priority < db.traffic_policies()[0].priority);
}

#[test]
fn priorities_stay_when_other_filters_come() {
    let (host, net) = (between("10.9.0.1", "10.9.0.2"), between("10.9.0.1", "10.9.0.0/24"));
    let before = db(vec![transport("net", 1, &[net])]).traffic_policies();
    let after = db(vec![transport("host", 2, &[host]), transport("net", 1, &[net])]).traffic_policies();
    assert_eq!(before[0], after[1]);
}

#[test]
fn what_is_exempt_comes_first_where_a_filter_restricts_it() {
    use crate::policy::exempt::DefaultExemptions;
    let (all, host) = (between("0.0.0.0/0", "0.0.0.0/0"), between("10.9.0.1", "10.9.0.2"));
    let exempt = DefaultExemptions::Multicast.traffic(&[]);
    let of = |rules: Vec<Rule>| {
        let policies = db(rules).with_exempt(exempt.clone()).traffic_policies();
        let count = policies.iter().take_while(|policy| policy.priority == 0).count();
        assert!(policies.iter().skip(count).all(|policy| policy.priority > 1 && policy.reqid != 0), "{policies:?}");
        policies.into_iter().take(count).collect::<Vec<_>>()
    };
    assert_eq!(of(vec![transport("host", 1, &[host])]), []);
    assert_eq!(of(vec![plain("permit", 1, RuleAction::Permit, &[all])]), []);
    let policies = of(vec![plain("block", 1, RuleAction::Block, &[all])]);
    let selectors: Vec<Selector> = policies.iter().map(|policy| policy.selector).collect();
    let ipv4: Vec<Selector> = exempt.iter().filter(|of| of.local.address().is_ipv4()).copied().collect();
    assert_eq!((selectors.len(), selectors), (4, ipv4));
    assert!(policies.iter().all(|policy| policy.action == TrafficAction::Permit));
}

#[test]
fn what_differs_by_direction_is_a_policy_for_each() {
    let (host, other) = (between("10.9.0.1", "10.9.0.2"), between("10.9.0.1", "10.9.0.3"));
    let policies = db(vec![
        plain("block", 1, RuleAction::Block, &[host.going(Direction::Inbound)]),
        plain("only", 2, RuleAction::PermitOnly(Direction::Outbound), &[other]),
    ])
    .traffic_policies();
    let told: Vec<_> = policies.iter().map(|policy| (policy.selector, policy.action, policy.reqid)).collect();
    assert_eq!(
        told,
        [
            (host.going(Direction::Inbound), TrafficAction::Block, 1),
            (other.going(Direction::Outbound), TrafficAction::Permit, 2),
            (other.going(Direction::Inbound), TrafficAction::Block, 2),
        ]
    );
}
