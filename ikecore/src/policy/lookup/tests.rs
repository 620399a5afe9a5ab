use crate::address::{HostAddress, Scope};
use crate::policy::db::{PolicyDb, between};
use crate::policy::rule::{Rule, RuleAction, TunnelEndpoints};
use crate::policy::selector::{Direction, Flow, Prefix, Selector, weight};
use crate::policy::tests::{plain, transport};
use crate::rng::SecureRandom as _;
use crate::testing::SeededRandom;
use core::cmp::Reverse;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

/// The addresses of this host.
const OWN: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)), IpAddr::V4(Ipv4Addr::new(10, 9, 0, 1))];

/// Draws from few values, so that filters meet.
struct Draw(SeededRandom);

impl Draw {
    fn below(&mut self, count: u32) -> u32 {
        let mut octets = [0; 4];
        self.0.fill(&mut octets).expect("seeded");
        u32::from_be_bytes(octets) % count
    }

    fn of<T: Copy>(&mut self, values: &[T]) -> T {
        let at = usize::try_from(self.below(u32::try_from(values.len()).expect("few"))).expect("few");
        *values.get(at).expect("in range")
    }

    fn address(&mut self, v4: bool) -> IpAddr {
        let host = self.below(4);
        if v4 {
            Ipv4Addr::from_bits(0x0a00_0000 | self.below(3) << 8 | host).into()
        } else {
            Ipv6Addr::from_bits(0xfe80 << 112 | u128::from(host)).into()
        }
    }

    fn prefix(&mut self, v4: bool) -> Prefix {
        let len = if v4 { self.of(&[0, 8, 24, 30, 32]) } else { self.of(&[0, 64, 126, 128]) };
        Prefix::new(self.address(v4), len).expect("in range")
    }

    fn filter(&mut self) -> Selector {
        let v4 = self.below(4) != 0;
        let protocol = self.of(&[0, 0, 1, 6, 17]);
        let has_ports = protocol > 1;
        let mut port = || if has_ports { self.of(&[0, 0, 80, 500]) } else { 0 };
        let (local_port, remote_port) = (port(), port());
        let scope = if v4 { Scope::ANY } else { self.of(&[Scope::ANY, Scope(1), Scope(2)]) };
        Selector { protocol, local_port, remote_port, scope, ..Selector::between(self.prefix(v4), self.prefix(v4)) }
    }

    fn direction(&mut self) -> Option<Direction> {
        self.of(&[None, Some(Direction::Inbound), Some(Direction::Outbound)])
    }

    fn flow(&mut self) -> Flow {
        let v4 = self.below(4) != 0;
        Flow {
            local: self.address(v4),
            remote: self.address(v4),
            protocol: self.of(&[1, 6, 17, 50]),
            local_port: self.of(&[0, 80, 500]),
            remote_port: self.of(&[0, 80, 500]),
            scope: if v4 { Scope::ANY } else { self.of(&[Scope(1), Scope(2)]) },
        }
    }

    fn rule(&mut self, number: u32) -> Rule {
        let filters: Vec<Selector> = (0..=self.below(5)).map(|_| self.filter()).collect();
        let name = number.to_string();
        match self.below(4) {
            0 => {
                let one_way = |filter| Selector { direction: self.direction(), ..filter };
                let filters: Vec<Selector> = filters.into_iter().map(one_way).collect();
                plain(&name, number, RuleAction::Block, &filters)
            }
            1 => {
                let tunnel = TunnelEndpoints {
                    local: (self.below(3) != 0).then(|| self.of(&OWN)),
                    remote: (self.below(4) != 0).then(|| self.address(true)),
                };
                Rule { tunnel: Some(tunnel), ..transport(&name, number, &filters) }
            }
            _ => transport(&name, number, &filters),
        }
    }
}

/// How specifically a rule names the two ends of a main mode, if it negotiates between them: found filter by filter.
fn specificity(rule: &Rule, local: HostAddress, remote: HostAddress) -> Option<u32> {
    rule.quick_mode()?;
    let Some(tunnel) = rule.tunnel else {
        let hosts = between(local, remote);
        let ends = rule
            .filters
            .iter()
            .map(|filter| Selector { scope: filter.scope, ..Selector::between(filter.local, filter.remote) });
        let weights =
            ends.filter(|ends| ends.covers(&hosts)).map(|ends| weight(&Selector { scope: Scope::ANY, ..ends }));
        return weights.max();
    };
    let end = tunnel.remote.map_or_else(|| Prefix::new(remote.ip(), 0).expect("in range"), Prefix::host);
    let ends_here = end.contains(remote.ip()) && tunnel.local.is_none_or(|own| own == local.ip());
    ends_here.then(|| weight(&Selector::between(Prefix::host(remote.ip()), end)))
}

fn names<'a>(found: impl Iterator<Item = (&'a Arc<Rule>, &'a Selector)>) -> Vec<(String, Selector)> {
    found.map(|(rule, filter)| (rule.name.clone(), *filter)).collect()
}

/// What the index finds is what one finds who looks at everything.
#[test]
fn nothing_is_missed_and_nothing_is_found_besides() {
    let mut found = [0; 4];
    for seed in 0..300 {
        let mut draw = Draw(SeededRandom::new(seed));
        let rules: Vec<Arc<Rule>> = (1..=1 + draw.below(12)).map(|number| Arc::new(draw.rule(number))).collect();
        let own = OWN.map(Prefix::host).to_vec();
        let db = PolicyDb::new(1, rules, own).expect("a policy");
        for _ in 0..30 {
            let flow = draw.flow();
            for direction in Direction::BOTH {
                let first = db.ranked().find(|(_, filter)| filter.covers(&flow.selector().going(direction)));
                let indexed = db.lookup_flow(&flow, direction);
                assert_eq!(names(indexed.into_iter()), names(first.into_iter()), "seed {seed}: {flow} {direction}");
                found[0] += usize::from(first.is_some());
                found[3] += usize::from(first.is_some_and(|(_, filter)| filter.direction.is_some()));
            }

            let traffic = Selector { direction: draw.direction(), ..draw.filter() };
            let covering = names(db.ranked().filter(|(_, filter)| filter.covers(&traffic)));
            assert_eq!(names(db.covering(&traffic)), covering, "seed {seed}: {traffic}");
            found[1] += covering.len();

            let (local, remote) = (HostAddress::new(flow.local, flow.scope), HostAddress::new(flow.remote, flow.scope));
            let mut near: Vec<_> =
                db.rules.iter().filter_map(|rule| Some((specificity(rule, local, remote)?, &rule.name))).collect();
            near.sort_by_key(|(specificity, _)| Reverse(*specificity));
            let near: Vec<&String> = near.into_iter().map(|(_, name)| name).collect();
            let indexed: Vec<&String> = db.main_mode_rules(local, remote).into_iter().map(|rule| &rule.name).collect();
            assert_eq!(indexed, near, "seed {seed}: {flow}");
            found[2] += near.len();
        }
    }
    // Otherwise it would have compared nothing with nothing.
    assert!(found.iter().all(|count| *count > 1_000), "{found:?}");
}
