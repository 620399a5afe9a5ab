//! Two peers with the same link-local address on two links, and one host that is on both.
use super::*;
use crate::address::{HostAddress, Scope};
use crate::policy::rule::{DeadPeerAction, DeadPeerDetection};
use crate::policy::selector::{Flow, Prefix, Selector};
use crate::sa::driver::Acquire;
use std::net::{Ipv6Addr, SocketAddr};

const HUB: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1));
const PEER: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 2));
/// The links as the hub numbers them.
const LINKS: [Scope; 2] = [Scope(2), Scope(3)];
/// The link as each peer numbers it.
const ONLY: Scope = Scope(7);
const RULES: [&str; 2] = ["left", "right"];

/// The hub, and the peer on each link. The peers draw the same random numbers, so they choose the same SPIs.
struct Links {
    hub: Host,
    peers: [Host; 2],
    now: Time,
    /// Peers that hear and say nothing.
    silent: [bool; 2],
}

fn policy(local: IpAddr, remote: IpAddr, link: Scope) -> TestPolicy {
    let dpd = DeadPeerDetection { delay: 10, timeout: 30, action: DeadPeerAction::Hold, periodic: true };
    let filter = Selector { scope: link, ..Selector::between(Prefix::host(local), Prefix::host(remote)) };
    TestPolicy { filters: vec![filter], dpd: Some(dpd), ..TestPolicy::new(local, remote) }
}

fn peer(seed: u64) -> Host {
    Host::new(Config::default(), seed, policy(PEER, HUB, ONLY).database())
}

impl Links {
    fn new() -> Self {
        let rules = (1..).zip(RULES.iter().zip(LINKS)).map(|(reqid, (name, link))| {
            let rule = crate::policy::rule::Rule::clone(&policy(HUB, PEER, link).database().rules[0]);
            Arc::new(crate::policy::rule::Rule { name: (*name).to_owned(), reqid, ..rule })
        });
        let database = PolicyDb::new(1, rules.collect(), vec![]).expect("a good policy");
        let hub = Host::new(Config::default(), 1, database);
        Self { hub, peers: [peer(2), peer(2)], now: Time::from_secs(1), silent: [false; 2] }
    }

    /// Delivers until nothing is under way.
    fn deliver(&mut self) {
        let end = |address: HostAddress, port: u16| address.with_port(port);
        let at = |address: SocketAddr, link| end(HostAddress::new(address.ip(), link), address.port());
        loop {
            let mut moved = false;
            while let Some(sent) = self.hub.sent.pop_front() {
                moved = true;
                let (from, to) = (HostAddress::from(sent.local), HostAddress::from(sent.remote));
                assert_eq!((from.ip(), to.ip(), from.scope()), (HUB, PEER, to.scope()));
                let link = LINKS.iter().position(|link| *link == to.scope()).expect("one of its links");
                if !self.silent[link] {
                    self.peers[link].receive(self.now, at(sent.remote, ONLY), at(sent.local, ONLY), &sent.octets);
                }
            }
            for (link, scope) in LINKS.into_iter().enumerate() {
                while let Some(sent) = self.peers[link].sent.pop_front() {
                    moved = true;
                    assert_eq!(HostAddress::from(sent.remote), HostAddress::new(HUB, ONLY));
                    if !self.silent[link] {
                        let (to, from) = (at(sent.remote, scope), at(sent.local, scope));
                        self.hub.receive(self.now, to, from, &sent.octets);
                    }
                }
            }
            if !moved {
                return;
            }
        }
    }

    fn run(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.now = self.now + Duration::from_secs(1);
            for host in [&mut self.hub].into_iter().chain(&mut self.peers) {
                if host.wake.is_some_and(|wake| wake <= self.now) {
                    host.feed(self.now, Input::Timeout);
                }
            }
            self.deliver();
        }
    }

    fn command(&mut self, command: Command) {
        self.hub.command(self.now, command);
        self.deliver();
    }

    /// The pairs of the hub with the peer on a link.
    fn pairs(&self, link: usize) -> Vec<IpsecSaId> {
        self.hub.endpoint.index.pairs.of(&HostAddress::new(PEER, LINKS[link])).collect()
    }

    fn ike_sas(&self, link: usize) -> usize {
        self.hub.endpoint.index.ike_sas.count(&HostAddress::new(PEER, LINKS[link]))
    }

    /// Both peers have one pair and one ISAKMP SA with the hub.
    fn standing() -> Self {
        let mut links = Self::new();
        for rule in RULES {
            links.command(Command::InitiateRule { rule: rule.to_owned(), peer: None });
        }
        assert_eq!(links.hub.failures(), []);
        for link in 0..2 {
            assert_eq!((links.pairs(link).len(), links.ike_sas(link), links.peers[link].driver.pairs.len()), (1, 1, 1));
        }
        links
    }
}

#[test]
fn each_peer_has_sas_of_its_own() {
    let links = Links::standing();
    let installed = |link: usize| &links.hub.driver.pairs[&links.pairs(link)[0]];
    assert_eq!(installed(0).outbound.spi, installed(1).outbound.spi, "the peers draw the same numbers");
    assert_ne!(installed(0).inbound.spi, installed(1).inbound.spi);
    for (link, scope) in LINKS.into_iter().enumerate() {
        let pair = installed(link);
        assert_eq!((pair.outbound.scope, pair.outbound.selector.scope), (scope, scope));
        assert_eq!((pair.policy.selector.scope, pair.policy.reqid), (scope, 1 + link as u32));
        let twin = links.peers[link].driver.pairs.values().next().unwrap();
        assert_eq!(twin.inbound.encryption_key.expose(), pair.outbound.encryption_key.expose());
        assert_eq!(twin.inbound.scope, ONLY);
    }
}

#[test]
fn ends_that_number_the_link_differently_agree() {
    let links = Links::standing();
    let selector = |host: &Host| host.driver.pairs.values().next().expect("a pair").inbound.selector;
    let (hub, peer) = (selector(&links.hub), selector(&links.peers[0]));
    assert_eq!((hub.local, hub.remote, hub.scope), (peer.remote, peer.local, LINKS[0]));
}

#[test]
fn an_acquire_is_for_the_peer_on_its_link() {
    let mut links = Links::new();
    let flow = |scope| Flow { local: HUB, remote: PEER, protocol: 58, local_port: 0, remote_port: 0, scope };
    links.hub.feed(links.now, Input::Acquire(Acquire { flow: flow(LINKS[1]), reqid: 2 }));
    links.deliver();
    assert_eq!((links.pairs(0).len(), links.pairs(1).len()), (0, 1));
    // A link that no rule names.
    links.hub.feed(links.now, Input::Acquire(Acquire { flow: flow(Scope(4)), reqid: 2 }));
    assert!(links.hub.sent.is_empty());
    links.command(Command::InitiateFlow(flow(Scope(4))));
    assert_eq!(links.hub.failures(), [Failure::NoPolicyForFlow(flow(Scope(4)))]);
}

#[test]
fn either_peer_can_begin() {
    let mut links = Links::new();
    for link in [1, 0] {
        let now = links.now;
        links.peers[link].command(now, Command::InitiateRule { rule: "rule".to_owned(), peer: None });
        links.deliver();
        assert_eq!(links.peers[link].failures(), []);
        assert_eq!(links.hub.driver.pairs[&links.pairs(link)[0]].policy.reqid, 1 + link as u32);
    }
}

#[test]
fn a_peer_deletes_its_own_sas_only() {
    for link in 0..2 {
        let mut links = Links::standing();
        let other = links.pairs(1 - link);
        let (id, now) = (*links.peers[link].driver.pairs.keys().next().unwrap(), links.now);
        // Its SPI is that of the other peer, too, and so is its identity.
        links.peers[link].command(now, Command::DeleteIpsecSa(id));
        links.deliver();
        assert_eq!((links.pairs(link), links.pairs(1 - link)), (vec![], other.clone()));
        assert_eq!(links.hub.driver.pairs.keys().copied().collect::<Vec<_>>(), other);
        links.peers[link].command(now, Command::DeleteAll);
        links.deliver();
        assert_eq!((links.ike_sas(link), links.ike_sas(1 - link)), (0, 1));
    }
}

#[test]
fn the_administrator_ends_what_is_with_one_of_them() {
    for (link, scope) in LINKS.into_iter().enumerate() {
        let mut links = Links::standing();
        let other = links.pairs(1 - link);
        links.command(Command::DeletePeer(HostAddress::new(PEER, scope)));
        assert_eq!((links.pairs(link), links.pairs(1 - link)), (vec![], other));
        assert_eq!((links.ike_sas(link), links.ike_sas(1 - link)), (0, 1));
        assert_eq!((links.peers[link].driver.pairs.len(), links.peers[1 - link].driver.pairs.len()), (0, 1));
    }
}

#[test]
fn initial_contact_of_one_leaves_the_other_alone() {
    for link in 0..2 {
        let mut links = Links::standing();
        let (old, other) = (links.pairs(link), links.pairs(1 - link));
        links.peers[link] = peer(9);
        links.run(1);
        let now = links.now;
        links.peers[link].command(now, Command::InitiateRule { rule: "rule".to_owned(), peer: None });
        links.deliver();
        let new = links.pairs(link);
        assert_eq!((new.len(), links.ike_sas(link)), (1, 1));
        assert_ne!(new, old);
        assert_eq!((links.pairs(1 - link), links.ike_sas(1 - link)), (other, 1));
    }
}

#[test]
fn a_dead_peer_does_not_take_the_other_with_it() {
    for link in 0..2 {
        let mut links = Links::standing();
        let other = links.pairs(1 - link);
        links.silent[link] = true;
        links.run(60);
        assert_eq!((links.pairs(link), links.ike_sas(link)), (vec![], 0));
        assert_eq!((links.pairs(1 - link), links.ike_sas(1 - link)), (other, 1));
    }
}
