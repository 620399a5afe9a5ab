use super::*;
use crate::policy::rule::RuleAction;
use crate::policy::tests::{address, between, plain, prefix, transport, tunnel};

fn db(rules: Vec<Rule>) -> PolicyDb {
    let own = vec![prefix("10.9.0.1"), prefix("192.0.2.1")];
    PolicyDb::new(7, rules.into_iter().map(Arc::new).collect(), own).expect("rules in order")
}

fn flow(local: &str, remote: &str) -> Flow {
    Flow {
        local: address(local),
        remote: address(remote),
        protocol: 6,
        local_port: 40_000,
        remote_port: 80,
        scope: crate::address::Scope::ANY,
    }
}

fn found<'a>(db: &'a PolicyDb, flow: &Flow) -> Option<&'a str> {
    db.lookup_flow(flow, Direction::Outbound).map(|(rule, _)| rule.name.as_str())
}

fn main_mode(db: &PolicyDb, local: &str, remote: &str) -> Vec<String> {
    db.main_mode_rules(address(local), address(remote)).into_iter().map(|rule| rule.name.clone()).collect()
}

/// The name of the rule for what the peer proposes, or what it may have.
fn quick_mode(db: &PolicyDb, peer: &str, proposed: Selector, mode: Mode) -> Result<String, Vec<Selector>> {
    let found = db.quick_mode_rule(address(peer), address("10.9.0.1"), &proposed, mode, |_| true);
    let found = found.map_err(|reason| match reason {
        NoRule::Uncovered(allowed) => allowed,
        NoRule::Excepted { .. } => panic!("{reason:?}"),
    })?;
    assert_eq!(found.1, proposed);
    Ok(found.0.name.clone())
}

#[test]
fn rules_are_found_by_name() {
    let db = db(vec![transport("a", 1, &[]), transport("b", 2, &[])]);
    assert_eq!(db.rule("b").map(|rule| rule.reqid), Some(2));
    assert!(db.rule("c").is_none());
    assert_eq!(db.version, 7);
}

#[test]
fn the_most_specific_filter_decides_about_a_packet() {
    let web = Selector { protocol: 6, remote_port: 80, ..between("10.9.0.1", "10.9.0.7") };
    let db = db(vec![
        transport("all", 1, &[between("0.0.0.0/0", "0.0.0.0/0")]),
        plain("net", 2, RuleAction::Block, &[between("10.9.0.1", "10.9.0.0/24")]),
        tunnel("site", 3, &[between("10.9.0.0/24", "10.7.0.0/16")], None, "192.0.2.9"),
        plain("web", 4, RuleAction::Permit, &[web]),
        transport("host", 5, &[between("10.9.0.1", "10.9.0.7")]),
    ]);
    assert_eq!(found(&db, &flow("10.9.0.1", "10.9.0.7")), Some("web"));
    let other_port = Flow { remote_port: 81, ..flow("10.9.0.1", "10.9.0.7") };
    assert_eq!(found(&db, &other_port), Some("host"));
    assert_eq!(found(&db, &flow("10.9.0.1", "10.9.0.8")), Some("net"));
    assert_eq!(found(&db, &flow("10.9.0.5", "10.7.1.1")), Some("site"));
    assert_eq!(found(&db, &flow("10.9.0.2", "10.9.0.8")), Some("all"));
    assert_eq!(found(&db, &flow("::1", "::1")), None);
    let (_, filter) = db.lookup_flow(&flow("10.9.0.1", "10.9.0.7"), Direction::Outbound).expect("found");
    assert_eq!(*filter, web);
}

#[test]
fn of_equal_filters_tunnels_come_first_and_then_the_older() {
    let net = [between("10.9.0.1", "10.9.0.0/24")];
    let block = || plain("block", 1, RuleAction::Block, &net);
    let site = || tunnel("site", 2, &net, None, "192.0.2.9");
    let (one, other) = (flow("10.9.0.1", "10.9.0.8"), flow("10.9.0.1", "10.8.0.8"));
    assert_eq!(found(&db(vec![block(), site()]), &one), Some("site"));
    assert_eq!(found(&db(vec![block(), transport("host", 3, &net)]), &one), Some("block"));
    assert_eq!(found(&db(vec![transport("host", 3, &net), block()]), &one), Some("host"));
    // Equal in weight, not the same: addresses of both sides count alike.
    let crossed = [between("10.9.0.0/24", "10.8.0.8")];
    let wide = [between("10.9.0.1", "10.8.0.0/24")];
    let rules = |first: &[Selector], second: &[Selector]| db(vec![transport("1", 1, first), transport("2", 2, second)]);
    assert_eq!(found(&rules(&crossed, &wide), &other), Some("1"));
    assert_eq!(found(&rules(&wide, &crossed), &other), Some("1"));
}

#[test]
fn main_mode_is_for_tunnel_ends_and_for_peers_of_transport_filters() {
    let db = db(vec![
        transport("any", 1, &[between("10.9.0.1", "0.0.0.0/0")]),
        plain("block", 2, RuleAction::Block, &[between("10.9.0.1", "10.9.0.2")]),
        transport("net", 3, &[between("10.9.0.1", "10.9.0.0/24"), between("10.9.0.1", "10.9.1.0/30")]),
        tunnel("site", 4, &[between("10.9.0.0/24", "10.7.0.0/16")], None, "10.9.0.2"),
        tunnel("bound", 5, &[between("10.9.0.0/24", "10.6.0.0/16")], Some("192.0.2.1"), "10.9.0.2"),
        transport("host", 6, &[between("10.9.0.1", "10.9.0.2")]),
    ]);
    assert_eq!(main_mode(&db, "10.9.0.1", "10.9.0.2"), ["site", "host", "net", "any"]);
    assert_eq!(main_mode(&db, "192.0.2.1", "10.9.0.2"), ["site", "bound"]);
    assert_eq!(main_mode(&db, "10.9.0.1", "10.9.1.1"), ["net", "any"]);
    // What is behind a tunnel is no peer.
    assert_eq!(main_mode(&db, "10.9.0.1", "10.7.0.1"), ["any"]);
    assert!(main_mode(&db, "10.9.0.3", "10.9.0.9").is_empty());
    assert!(main_mode(&db, "::1", "::2").is_empty());
}

#[test]
fn the_ports_of_a_filter_do_not_make_its_peer_more_specific() {
    let port = Selector { protocol: 17, remote_port: 1701, ..between("10.9.0.1", "10.9.0.0/24") };
    let db = db(vec![transport("net", 1, &[between("10.9.0.1", "10.9.0.0/24")]), transport("port", 2, &[port])]);
    assert_eq!(main_mode(&db, "10.9.0.1", "10.9.0.2"), ["net", "port"]);
}

#[test]
fn a_peer_gets_a_filter_of_its_tunnel_or_a_part_of_one() {
    let (wide, narrow) = (between("10.9.0.0/24", "10.7.0.0/16"), between("10.9.0.0/24", "10.7.1.0/24"));
    let db = db(vec![
        tunnel("wide", 1, &[wide], None, "192.0.2.9"),
        tunnel("narrow", 2, &[narrow], None, "192.0.2.9"),
        tunnel("other", 3, &[between("10.9.0.0/24", "10.6.0.0/16")], None, "192.0.2.8"),
    ]);
    let ask = |proposed| quick_mode(&db, "192.0.2.9", proposed, Mode::Tunnel);
    assert_eq!(ask(wide).as_deref(), Ok("wide"));
    assert_eq!(ask(narrow).as_deref(), Ok("narrow"));
    assert_eq!(ask(between("10.9.0.5", "10.7.1.4")).as_deref(), Ok("narrow"));
    assert_eq!(ask(between("10.9.0.5", "10.7.2.4")).as_deref(), Ok("wide"));
    let allowed = vec![narrow, wide];
    assert_eq!(ask(between("10.9.0.0/24", "10.6.0.0/16")), Err(allowed.clone()));
    assert_eq!(ask(between("10.9.0.0/24", "10.0.0.0/8")), Err(allowed.clone()));
    assert_eq!(ask(between("10.9.0.0/23", "10.7.0.0/16")), Err(allowed));
    assert_eq!(quick_mode(&db, "192.0.2.7", wide, Mode::Tunnel), Err(Vec::new()));
    assert_eq!(quick_mode(&db, "192.0.2.9", wide, Mode::Transport), Err(Vec::new()));
}

#[test]
fn in_transport_mode_a_peer_gets_its_own_traffic_only() {
    let filter = Selector { protocol: 17, local_port: 1701, ..between("10.9.0.1", "10.9.0.0/24") };
    let db = db(vec![transport("l2tp", 1, &[filter]), transport("v6", 2, &[between("2001:db8::1", "::/0")])]);
    let ask = |proposed| quick_mode(&db, "10.9.0.2", proposed, Mode::Transport);
    let hosts = Selector { protocol: 17, local_port: 1701, ..between("10.9.0.1", "10.9.0.2") };
    assert_eq!(ask(hosts).as_deref(), Ok("l2tp"));
    assert_eq!(ask(Selector { remote_port: 1701, ..hosts }).as_deref(), Ok("l2tp"));
    let allowed = Err(vec![filter]);
    assert_eq!(ask(between("10.9.0.1", "10.9.0.2")), allowed);
    assert_eq!(ask(Selector { protocol: 6, ..hosts }), allowed);
    // Another host's traffic, and a whole subnet's.
    assert_eq!(ask(Selector { remote: prefix("10.9.0.3"), ..hosts }), allowed);
    assert_eq!(ask(filter), allowed);
}

#[test]
fn what_a_more_specific_filter_permits_or_blocks_is_not_negotiated() {
    let wide = between("10.9.0.0/24", "10.7.0.0/16");
    for (action, blocks) in [(RuleAction::Permit, false), (RuleAction::Block, true)] {
        let filter = between("10.9.0.0/24", "10.7.1.0/24");
        let db = db(vec![tunnel("wide", 1, &[wide], None, "192.0.2.9"), plain("exempt", 2, action, &[filter])]);
        let proposed = between("10.9.0.5", "10.7.1.4");
        let found = db.quick_mode_rule(address("192.0.2.9"), address("10.9.0.1"), &proposed, Mode::Tunnel, |_| true);
        let reason = found.expect_err("it is exempt");
        assert_eq!(reason, NoRule::Excepted { rule: "exempt".to_owned(), filter, blocks });
    }
    let db = db(vec![
        tunnel("wide", 1, &[wide], None, "192.0.2.9"),
        plain("exempt", 2, RuleAction::Permit, &[between("10.9.0.0/24", "10.7.1.0/24")]),
    ]);
    let ask = |proposed| quick_mode(&db, "192.0.2.9", proposed, Mode::Tunnel);
    assert_eq!(ask(between("10.9.0.5", "10.7.2.4")).as_deref(), Ok("wide"));
    // A part of it is exempt, the rest is not.
    assert_eq!(ask(wide).as_deref(), Ok("wide"));
}

#[test]
fn an_acquire_in_transport_mode_is_for_two_hosts_and_in_tunnel_mode_for_the_filter() {
    let filter = between("0.0.0.0/0", "10.9.0.0/24");
    let flow = flow("10.9.0.1", "10.9.0.7");
    assert_eq!(transport("t", 1, &[]).sa_selector(&filter, &flow), between("10.9.0.1", "10.9.0.7"));
    assert_eq!(tunnel("t", 1, &[], None, "192.0.2.9").sa_selector(&filter, &flow), filter);
}

#[test]
fn of_rules_with_the_same_filter_the_peer_gets_the_one_it_has_proven_itself_for() {
    let (net, wider) = (between("10.1.0.0/16", "10.2.0.0/16"), between("10.0.0.0/8", "10.2.0.0/16"));
    let rule = |name, reqid, filter| tunnel(name, reqid, &[filter], None, "10.9.0.2");
    let db = db(vec![rule("one", 1, net), rule("two", 2, net), rule("wide", 3, wider)]);
    let given = |proven: &str| {
        let is_proven = |rule: &Rule| rule.name == proven;
        let found = db.quick_mode_rule(address("10.9.0.2"), address("10.9.0.1"), &net, Mode::Tunnel, is_proven);
        found.map(|(rule, _)| rule.name.clone()).expect("a rule")
    };
    assert_eq!(given("one"), "one");
    assert_eq!(given("two"), "two");
    // What a more specific filter is for, a wider one does not give: the caller refuses.
    assert_eq!(given("wide"), "one");
}

#[test]
fn filters_for_one_direction_compete_with_those_for_both() {
    let hosts = between("10.9.0.1", "10.9.0.2");
    let block = plain("block", 1, RuleAction::Block, &[hosts.going(Direction::Inbound)]);
    let db = db(vec![block, transport("negotiate", 2, &[hosts])]);
    let decides = |direction| {
        let (rule, _) = db.lookup_flow(&flow("10.9.0.1", "10.9.0.2"), direction).expect("a filter is for it");
        (rule.name.as_str(), rule.action.word(direction))
    };
    assert_eq!(decides(Direction::Inbound), ("block", "block"));
    assert_eq!(decides(Direction::Outbound), ("negotiate", "negotiate"));
    // SAs are for both directions: what is blocked one way is negotiated all the same, for the other.
    assert_eq!(quick_mode(&db, "10.9.0.2", hosts, Mode::Transport), Ok("negotiate".to_owned()));
}

#[test]
fn what_passes_one_way_only_is_not_negotiated() {
    let hosts = between("10.9.0.1", "10.9.0.2");
    let only = plain("only", 1, RuleAction::PermitOnly(Direction::Outbound), &[hosts]);
    let action = &only.action;
    assert_eq!(Direction::BOTH.map(|direction| action.word(direction)), ["permit", "block"]);
    assert_eq!(action.words(None), "permit outbound, block inbound");
    let db = db(vec![only, transport("negotiate", 2, &[between("10.9.0.0/24", "10.9.0.0/24")])]);
    let found = db.quick_mode_rule(address("10.9.0.2"), address("10.9.0.1"), &hosts, Mode::Transport, |_| true);
    assert!(matches!(found, Err(NoRule::Excepted { blocks: true, .. })), "{found:?}");
}
