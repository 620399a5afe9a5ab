use super::*;
use crate::policy::tests::between;
use proptest::prelude::*;

#[test]
fn weights_follow_the_ranking() {
    let any = between("0.0.0.0/0", "0.0.0.0/0");
    let tcp = Selector { protocol: 6, ..any };
    let from_port = Selector { local_port: 23, ..tcp };
    let ports = Selector { remote_port: 23, ..from_port };
    let subnet = between("10.9.0.1", "10.0.0.0/8");
    let small = between("10.9.0.1", "10.9.0.0/24");
    let host = between("10.9.0.1", "10.9.0.2");
    let link = Selector { scope: Scope(2), ..any };
    let ranking = [any, tcp, from_port, ports, link, subnet, small, host, Selector { protocol: 17, ..host }];
    for pair in ranking.windows(2) {
        assert!(weight(&pair[0]) < weight(&pair[1]), "{} before {}", pair[1], pair[0]);
    }
    assert_eq!(weight(&from_port), weight(&Selector { remote_port: 23, ..tcp }));
    let most = Selector { protocol: 17, local_port: 1, remote_port: 1, scope: Scope(2), ..between("::1", "::1") };
    assert_eq!(weight(&most), MAX_WEIGHT);
}

#[test]
fn a_transport_selector_is_between_the_hosts_of_the_flow() {
    let filter = Selector { protocol: 17, remote_port: 1701, ..between("0.0.0.0/0", "10.9.0.0/24") };
    let (local, remote) = ("10.8.0.1".parse().expect("address"), "10.9.0.7".parse().expect("address"));
    let flow = Flow { local, remote, protocol: 17, local_port: 1701, remote_port: 1701, scope: Scope::ANY };
    let selector = transport_selector(&filter, &flow);
    assert_eq!(selector, Selector { protocol: 17, remote_port: 1701, ..between("10.8.0.1", "10.9.0.7") });
    assert!(filter.covers(&selector) && selector.matches(&flow));
}

fn selector() -> impl Strategy<Value = Selector> {
    // Few values, so that selectors meet.
    let prefix = || {
        (0_u32..4, prop_oneof![Just(0_u8), 29_u8..=32])
            .prop_map(|(bits, len)| Prefix::new(IpAddr::V4((0x0a09_0000 | bits).into()), len).expect("in range"))
    };
    let ports = (0_u16..2, 0_u16..2);
    let direction = prop_oneof![Just(None), Just(Some(Direction::Inbound)), Just(Some(Direction::Outbound))];
    let upper = (0_u8..2, ports, 0_u32..3, direction);
    (prefix(), prefix(), upper).prop_map(|(local, remote, (protocol, ports, link, direction))| {
        let (local_port, remote_port) = ports;
        Selector { local, remote, protocol: protocol * 17, local_port, remote_port, scope: Scope(link), direction }
    })
}

proptest! {
    #[test]
    fn what_covers_another_weighs_less(one in selector(), other in selector()) {
        if one.covers(&other) {
            match one.both_ways() == other.both_ways() {
                true => prop_assert_eq!(weight(&one), weight(&other)),
                false => prop_assert!(weight(&one) < weight(&other), "{one} covers {other}"),
            }
        }
    }

    #[test]
    fn selectors_overlap_where_they_have_traffic_in_common(one in selector(), other in selector()) {
        let addresses = (0..4).map(|bits| IpAddr::V4((0x0a09_0000_u32 | bits).into()));
        let ends = addresses.clone().flat_map(|local| addresses.clone().map(move |remote| (local, remote)));
        let uppers = [6, 17].into_iter().flat_map(|protocol| (1..3).map(move |port| (protocol, port)));
        let ports = uppers.flat_map(|(protocol, local)| (1..3).map(move |remote| (protocol, local, remote)));
        let flows = ends.flat_map(|ends| ports.clone().map(move |ports| (ends, ports)));
        let common = flows.flat_map(|flow| (1..4).map(move |link| (flow, link))).any(|(flow, link)| {
            let ((local, remote), (protocol, local_port, remote_port)) = flow;
            let flow = Flow { local, remote, protocol, local_port, remote_port, scope: Scope(link) };
            let both = |way: &Direction| {
                let packet = flow.selector().going(*way);
                one.covers(&packet) && other.covers(&packet)
            };
            Direction::BOTH.iter().any(both)
        });
        prop_assert_eq!(one.overlaps(&other), common, "{} and {}", one, other);
    }
}

#[test]
fn a_direction_is_part_of_what_traffic_is() {
    let hosts = between("10.9.0.1", "10.9.0.2");
    let [out, back] = Direction::BOTH.map(|direction| hosts.going(direction));
    assert!(hosts.covers(&out) && hosts.covers(&back) && out.covers(&out));
    assert!(!out.covers(&back) && !out.covers(&hosts) && !out.overlaps(&back) && out.overlaps(&hosts));
    assert!(out.goes(Direction::Outbound) && !out.goes(Direction::Inbound) && hosts.goes(Direction::Inbound));
    assert_eq!(out.to_string(), "10.9.0.1 -> 10.9.0.2");
    assert_eq!(back.to_string(), "10.9.0.1 <- 10.9.0.2");
    assert_eq!(out.both_ways(), hosts);
}

#[test]
fn a_link_is_part_of_what_traffic_is() {
    let (one, other) = (Scope(2), Scope(3));
    let on = |scope| Selector { scope, ..between("fe80::1", "fe80::2") };
    assert!(on(Scope::ANY).covers(&on(one)) && on(one).covers(&on(one)));
    assert!(!on(one).covers(&on(other)) && !on(one).covers(&on(Scope::ANY)));
    let (local, remote) = ("fe80::1".parse().expect("address"), "fe80::2".parse().expect("address"));
    let flow = Flow { local, remote, protocol: 17, local_port: 1, remote_port: 2, scope: one };
    assert!(on(one).matches(&flow) && on(Scope::ANY).matches(&flow) && !on(other).matches(&flow));
    assert_eq!(transport_selector(&on(Scope::ANY), &flow), on(one));
    assert_eq!(on(one).to_string(), "fe80::1%2 <-> fe80::2%2");
    assert_eq!(flow.to_string(), "fe80::1%2[1] -> fe80::2%2[2] protocol 17");
    let mixed = Selector { scope: one, ..between("2001:db8::1", "fe80::/64") };
    assert_eq!(mixed.to_string(), "2001:db8::1 <-> fe80::%2/64");
}
