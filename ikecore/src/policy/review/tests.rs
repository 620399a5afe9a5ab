use super::*;
use crate::policy::rule::RuleAction;
use crate::policy::tests::{between, plain, prefix, transport, tunnel};

fn db(rules: Vec<Rule>) -> PolicyDb {
    PolicyDb::new(1, rules.into_iter().map(Arc::new).collect(), vec![prefix("10.9.0.1")]).expect("a policy")
}

fn shadowed(db: &PolicyDb) -> Vec<(&str, String, &str)> {
    let by = |by| match by {
        Shadow::Same(rule) => rule.name.as_str(),
        Shadow::Parts => "parts",
    };
    db.shadowed().into_iter().map(|one| (one.rule.name.as_str(), one.filter.to_string(), by(one.by))).collect()
}

#[test]
fn the_same_filter_again_never_decides() {
    let hosts = between("10.9.0.1", "10.9.0.7");
    let db = db(vec![
        plain("first", 1, RuleAction::Permit, &[hosts, between("10.9.0.1", "10.9.0.8")]),
        plain("again", 2, RuleAction::Block, &[hosts]),
        plain("larger", 3, RuleAction::Block, &[between("10.9.0.1", "10.9.0.0/24")]),
    ]);
    assert_eq!(shadowed(&db), [("again", hosts.to_string(), "first")]);
}

#[test]
fn a_filter_for_one_direction_leaves_the_other_to_a_later_one() {
    let hosts = between("10.9.0.1", "10.9.0.7");
    let [out, back] = Direction::BOTH.map(|direction| hosts.going(direction));
    let (block, permit) = (|| RuleAction::Block, || RuleAction::Permit);
    let with = |rules: Vec<Rule>| {
        let db = db(rules);
        let found = shadowed(&db).into_iter().map(|(rule, ..)| rule.to_owned()).collect::<Vec<_>>();
        (found, db.crossings().0.len())
    };
    let (first, second) =
        (|action, filter| plain("first", 1, action, &[filter]), |filter| transport("second", 2, &[filter]));
    assert_eq!(with(vec![first(block(), out), second(hosts)]), (vec![], 0), "an exception for one direction");
    assert_eq!(with(vec![second(hosts), first(block(), out)]), (vec!["first".to_owned()], 0));
    assert_eq!(with(vec![first(block(), out), plain("back", 3, permit(), &[back])]), (vec![], 0));
    let both = vec![first(block(), out), plain("back", 3, permit(), &[back]), second(hosts)];
    assert_eq!(with(both), (vec!["second".to_owned()], 0));
    // Those that cross do so only where both decide, and differ there.
    let across = between("10.9.0.0/24", "10.9.0.0/24").going(Direction::Inbound);
    let crossing = |action| {
        let one = plain("one", 4, action, &[between("10.9.0.1", "10.9.0.0/16")]);
        with(vec![one, plain("across", 5, block(), &[across])]).1
    };
    assert_eq!(crossing(permit()), 1);
    assert_eq!(crossing(RuleAction::PermitOnly(Direction::Inbound)), 1);
    assert_eq!(crossing(RuleAction::PermitOnly(Direction::Outbound)), 0);
}

#[test]
fn rules_for_peers_with_names_of_their_own_have_the_same_filter_for_good_reason() {
    let any = between("0.0.0.0/0", "0.0.0.0/0");
    let named = |name, reqid, identity: &str| Rule {
        remote_id: Some(identity.parse::<crate::identity::Identity>().unwrap().into()),
        ..transport(name, reqid, &[any])
    };
    let both = db(vec![named("a", 1, "fqdn:a.example"), named("b", 2, "fqdn:b.example")]);
    assert!(shadowed(&both).is_empty());
    let twice = db(vec![named("a", 1, "fqdn:a.example"), named("b", 2, "fqdn:a.example")]);
    assert_eq!(shadowed(&twice).len(), 1);
    let to_two = db(vec![tunnel("one", 1, &[any], None, "192.0.2.1"), tunnel("two", 2, &[any], None, "192.0.2.2")]);
    assert_eq!(shadowed(&to_two), [("two", any.to_string(), "one")]);
}

#[test]
fn halves_and_their_halves_are_all_of_a_filter() {
    let whole = between("10.9.0.1", "10.8.0.0/24");
    let quarters = ["10.8.0.0/26", "10.8.0.64/26"].map(|quarter| between("10.9.0.1", quarter));
    let half = between("10.9.0.1", "10.8.0.128/25");
    let parts = |filters: &[Selector]| {
        let db =
            db(vec![plain("whole", 1, RuleAction::Block, &[whole]), plain("parts", 2, RuleAction::Permit, filters)]);
        shadowed(&db).into_iter().map(|(rule, filter, by)| (rule.to_owned(), filter, by.to_owned())).collect::<Vec<_>>()
    };
    let [a, b] = quarters;
    assert_eq!(parts(&[a, b, half]), [("whole".to_owned(), whole.to_string(), "parts".to_owned())]);
    assert!(parts(&[a, half]).is_empty(), "a quarter is missing");
    assert!(parts(&[a, b, Selector { protocol: 6, ..half }]).is_empty(), "TCP is not all");
    // All addresses, by the two halves of this side.
    let any = between("0.0.0.0/0", "10.8.0.0/24");
    let halves = ["0.0.0.0/1", "128.0.0.0/1"].map(|half| between(half, "10.8.0.0/24"));
    let db = db(vec![plain("any", 1, RuleAction::Block, &[any]), plain("halves", 2, RuleAction::Permit, &halves)]);
    assert_eq!(shadowed(&db), [("any", any.to_string(), "parts")]);
}

#[test]
fn filters_that_cross_are_found_where_their_actions_differ() {
    let one = between("10.9.0.1", "10.8.0.0/24");
    let other = between("10.9.0.0/24", "10.8.0.7");
    let apart = between("10.9.0.0/24", "10.7.0.7");
    let crossing = |actions: [RuleAction; 2]| {
        let [first, second] = actions;
        let db = db(vec![plain("one", 1, first, &[one]), plain("other", 2, second, &[other, apart])]);
        let (crossings, too_many) = db.crossings();
        assert!(!too_many);
        crossings.iter().map(|crossing| (*crossing.decides.1, *crossing.other.1)).collect::<Vec<_>>()
    };
    assert_eq!(crossing([RuleAction::Block, RuleAction::Permit]), [(one, other)]);
    assert!(crossing([RuleAction::Block, RuleAction::Block]).is_empty());
}

proptest::proptest! {
    #[test]
    fn what_is_said_to_be_shadowed_decides_about_no_packet(
        filters in proptest::collection::vec((0_u8..8, 29_u8..=32, 0_u8..8, 29_u8..=32, 0_usize..5), 1..40)
    ) {
        let block = |address: u8, len| Prefix::new(IpAddr::from([10, 0, 0, address]), len).unwrap();
        let rules = filters.into_iter().enumerate().map(|(at, (local, local_len, remote, remote_len, action))| {
            let filter = Selector::between(block(local, local_len), block(remote, remote_len));
            let (name, reqid) = (format!("rule {at}"), u32::try_from(at + 1).unwrap());
            match action {
                0 => plain(&name, reqid, RuleAction::Permit, &[filter]),
                1 => plain(&name, reqid, RuleAction::Block, &[filter]),
                2 => plain(&name, reqid, RuleAction::Block, &[filter.going(Direction::Inbound)]),
                3 => plain(&name, reqid, RuleAction::Permit, &[filter.going(Direction::Outbound)]),
                _ => transport(&name, reqid, &[filter]),
            }
        });
        let db = db(rules.collect());
        let shadowed: BTreeSet<&str> = db.shadowed().iter().map(|one| one.rule.name.as_str()).collect();
        for (local, remote) in (0..8).flat_map(|local| (0..8).map(move |remote| (local, remote))) {
            let [local, remote] = [local, remote].map(|address| IpAddr::from([10, 0, 0, address]));
            let flow = crate::policy::selector::Flow {
                local, remote, protocol: 6, local_port: 1, remote_port: 2, scope: crate::address::Scope::ANY,
            };
            for (rule, _) in Direction::BOTH.iter().filter_map(|direction| db.lookup_flow(&flow, *direction)) {
                proptest::prop_assert!(!shadowed.contains(rule.name.as_str()), "{} decides about {flow}", rule.name);
            }
        }
    }
}
