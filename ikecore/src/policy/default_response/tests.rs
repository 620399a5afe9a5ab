use super::*;
use crate::policy::rule::RuleAction;
use crate::testing::policy::TestPolicy;
use std::net::IpAddr;

const ME: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

/// The rule of a test policy under another name and number, with these filters.
fn rule(name: &str, reqid: u32, filters: &[Selector]) -> Rule {
    let rule = Arc::clone(&TestPolicy::new(ME, PEER).database().rules[0]);
    Rule { name: name.to_owned(), reqid, filters: filters.to_vec(), ..(*rule).clone() }
}

fn database(rules: Vec<Rule>) -> PolicyDb {
    let rules = rules.into_iter().map(Arc::new).collect();
    let database = PolicyDb::new(1, rules, vec![Prefix::host(ME)]).unwrap();
    database.with_default_response(rule("default", 9, &[])).unwrap()
}

fn hosts() -> Selector {
    Selector::between(Prefix::host(ME), Prefix::host(PEER))
}

fn tcp(port: u16) -> Selector {
    Selector { protocol: 6, local_port: port, ..hosts() }
}

fn main_mode(database: &PolicyDb) -> Vec<String> {
    database.main_mode_rules(ME, PEER).into_iter().map(|rule| rule.name.clone()).collect()
}

fn quick_mode(database: &PolicyDb, proposed: Selector, mode: Mode) -> Option<String> {
    let found = database.quick_mode_rule(PEER, ME, &proposed, mode, |_| true).ok();
    found.map(|(rule, selector)| {
        assert_eq!(selector, proposed);
        rule.name.clone()
    })
}

#[test]
fn it_answers_whom_no_rule_names_between_the_two_hosts() {
    let database = database(Vec::new());
    assert_eq!(main_mode(&database), ["default"]);
    for proposed in [hosts(), tcp(80)] {
        assert_eq!(quick_mode(&database, proposed, Mode::Transport).as_deref(), Some("default"));
        assert_eq!(quick_mode(&database, proposed, Mode::Tunnel), None);
        assert!(database.is_for(database.default_response().unwrap(), &proposed));
    }
    let net = Selector { remote: Prefix::new(PEER, 24).unwrap(), ..hosts() };
    let stranger = Selector { remote: Prefix::host("192.0.2.3".parse().unwrap()), ..hosts() };
    for proposed in [net, stranger] {
        assert_eq!(quick_mode(&database, proposed, Mode::Transport), None);
    }
    assert!(database.traffic_policies().is_empty());
    assert_eq!(database.rule("default").map(|rule| rule.reqid), Some(9));
}

#[test]
fn every_other_rule_goes_before_it() {
    let some = database(vec![rule("some", 1, &[tcp(80)])]);
    // Another rule may want other proof of who the peer is.
    assert_eq!(main_mode(&some), ["some"]);
    let default = some.default_response().unwrap();
    assert!(!some.is_between(default, ME.into(), PEER.into()));
    assert!(some.is_between(default, ME.into(), IpAddr::from([192, 0, 2, 3]).into()));
    assert_eq!(quick_mode(&some, tcp(80), Mode::Transport).as_deref(), Some("some"));
    assert_eq!(quick_mode(&some, tcp(81), Mode::Transport).as_deref(), Some("default"));
    assert!(!some.is_for(default, &tcp(80)) && some.is_for(default, &tcp(81)));
    for action in [RuleAction::Permit, RuleAction::Block] {
        let part = database(vec![Rule { action: action.clone(), ..rule("part", 1, &[tcp(80)]) }]);
        assert_eq!(main_mode(&part), ["default"]);
        assert_eq!(quick_mode(&part, tcp(80), Mode::Transport), None);
        assert_eq!(quick_mode(&part, hosts(), Mode::Transport).as_deref(), Some("default"));
        let net = Selector { remote: Prefix::new(PEER, 8).unwrap(), ..hosts() };
        let all = database(vec![Rule { action, ..rule("all", 1, &[net]) }]);
        assert_eq!(main_mode(&all), Vec::<String>::new());
        assert_eq!(quick_mode(&all, tcp(80), Mode::Transport), None);
    }
}

#[test]
fn it_must_be_a_rule_of_its_own_kind() {
    let refused = |change: &dyn Fn(&mut Rule)| {
        let mut default = rule("default", 9, &[]);
        change(&mut default);
        let database = PolicyDb::new(1, vec![Arc::new(rule("some", 1, &[tcp(80)]))], vec![Prefix::host(ME)]).unwrap();
        database.with_default_response(default).unwrap_err().fault
    };
    assert_eq!(refused(&|rule| rule.filters.push(hosts())), PolicyFault::DefaultResponse);
    assert_eq!(refused(&|rule| rule.action = RuleAction::Block), PolicyFault::DefaultResponse);
    assert_eq!(refused(&|rule| rule.name = "some".to_owned()), PolicyFault::Name);
    assert!(matches!(refused(&|rule| rule.reqid = 1), PolicyFault::Reqid { reqid: 1, .. }));
    assert!(matches!(refused(&|rule| rule.authentication.clear()), PolicyFault::Missing(_)));
}
