use super::*;
use crate::policy::rule::RuleAction;
use crate::policy::tests::{address, between, plain, prefix, transport, tunnel};

fn web() -> Flow {
    Flow {
        local: address("10.9.0.1"),
        remote: address("10.9.0.7"),
        protocol: 6,
        local_port: 40_000,
        remote_port: 80,
        scope: Scope::ANY,
    }
}

fn db(rules: Vec<Rule>) -> PolicyDb {
    PolicyDb::new(1, rules.into_iter().map(Arc::new).collect(), vec![prefix("10.9.0.1")]).expect("a policy")
}

fn why_not(db: &PolicyDb) -> Vec<(&str, WhyNot)> {
    db.why_not(&web(), Direction::Outbound).into_iter().map(|other| (other.rule.name.as_str(), other.why)).collect()
}

#[test]
fn each_rule_that_does_not_decide_has_its_reason() {
    let hosts = between("10.9.0.1", "10.9.0.7");
    let db = db(vec![
        transport("all", 1, &[between("0.0.0.0/0", "0.0.0.0/0")]),
        transport("other here", 2, &[between("10.8.0.1", "10.9.0.7")]),
        transport("other there", 3, &[between("10.9.0.1", "10.9.0.8"), between("10.8.0.1", "10.9.0.7")]),
        plain("udp", 4, RuleAction::Permit, &[Selector { protocol: 17, ..hosts }]),
        plain("other port", 5, RuleAction::Permit, &[Selector { protocol: 6, remote_port: 443, ..hosts }]),
        plain("source port", 6, RuleAction::Permit, &[Selector { protocol: 6, local_port: 80, ..hosts }]),
        transport("later", 7, &[hosts]),
        transport("latest", 8, &[hosts]),
        tunnel("tunnel", 9, &[hosts], None, "192.0.2.9"),
    ]);
    let (rule, filter) = db.lookup_flow(&web(), Direction::Outbound).expect("a rule");
    assert_eq!((rule.name.as_str(), *filter), ("tunnel", hosts));
    assert_eq!(
        why_not(&db),
        [
            ("later", WhyNot::AfterTunnel),
            ("latest", WhyNot::AfterTunnel),
            ("all", WhyNot::LessSpecific(weight(&hosts), 0)),
            ("other here", WhyNot::Differs(Difference::LocalAddress)),
            ("other there", WhyNot::Differs(Difference::RemoteAddress)),
            ("udp", WhyNot::Differs(Difference::Protocol)),
            ("other port", WhyNot::Differs(Difference::RemotePort)),
            ("source port", WhyNot::Differs(Difference::LocalPort)),
        ]
    );
}

#[test]
fn of_equal_filters_the_later_rule_says_so() {
    let hosts = between("10.9.0.1", "10.9.0.7");
    let db = db(vec![transport("first", 1, &[hosts]), transport("second", 2, &[hosts, hosts])]);
    assert_eq!(why_not(&db), [("second", WhyNot::Later)]);
    assert_eq!(WhyNot::Later.to_string(), "another filter of the same weight is of an earlier rule");
}

#[test]
fn where_nothing_decides_every_rule_differs() {
    let db = db(vec![transport("other", 1, &[between("10.9.0.1", "10.9.0.8")]), transport("none", 2, &[])]);
    assert!(db.lookup_flow(&web(), Direction::Outbound).is_none());
    let others = db.why_not(&web(), Direction::Outbound);
    assert_eq!(others[0].filter, Some(&between("10.9.0.1", "10.9.0.8")));
    assert_eq!(others[0].why.to_string(), "its filter is for another address on the peer's side");
    assert_eq!((others[1].filter, others[1].why), (None, WhyNot::NoFilter));
    assert!(PolicyDb::default().why_not(&web(), Direction::Outbound).is_empty());
}

#[test]
fn a_filter_for_the_other_direction_says_so() {
    let hosts = between("10.9.0.1", "10.9.0.7");
    let db = db(vec![plain("block", 1, RuleAction::Block, &[hosts.going(Direction::Inbound)])]);
    assert_eq!(why_not(&db), [("block", WhyNot::Differs(Difference::Direction))]);
    assert_eq!(db.why_not(&web(), Direction::Inbound).len(), 0);
    assert_eq!(WhyNot::Differs(Difference::Direction).to_string(), "its filter is for the other direction");
}
