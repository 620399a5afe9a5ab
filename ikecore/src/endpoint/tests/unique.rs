//! Two ISAKMP SAs of one identity from two addresses.
use super::*;
use crate::event::IkeSaEvent;
use crate::policy::rule::Uniqueness;
use crate::policy::selector::{Prefix, Selector};
use crate::testing::network::Translation;

const HOME: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(203, 0, 113, 7));
const AWAY: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(203, 0, 113, 99));

/// A client has SAs, and then there is another one with the same identity at another address.
fn twice(uniqueness: Uniqueness) -> Network {
    let mut network = pair(1, Weather::default(), |index, policy| {
        if index == 1 {
            policy.uniqueness = uniqueness;
            let clients = Prefix::new("203.0.113.0".parse().expect("an address"), 24).expect("a prefix");
            policy.filters = vec![Selector::between(Prefix::host(B), clients)];
        }
    });
    network.nat = Some(Translation { public: HOME, offset: 20_000 });
    initiate(&mut network);
    network.run(Duration::from_secs(10));
    assert_eq!(twins(&network), 1, "{:?}", network.hosts.each_ref().map(Host::failures));
    network.log.clear();
    network.hosts[0] =
        Host::new(Config { initial_contact: false, ..Config::default() }, 99, TestPolicy::new(A, B).database());
    network.nat = Some(Translation { public: AWAY, offset: 20_000 });
    initiate(&mut network);
    network.run(Duration::from_secs(10));
    network
}

fn peers(network: &Network) -> (Vec<IpAddr>, Vec<IpAddr>) {
    let snapshot = network.hosts[1].endpoint.snapshot();
    (
        snapshot.ike_sas.iter().map(|sa| sa.remote.ip()).collect(),
        snapshot.ipsec_sas.iter().map(|sa| sa.remote.ip()).collect(),
    )
}

#[test]
fn kept_both_serve() {
    let mut network = twice(Uniqueness::Keep);
    assert_eq!(peers(&network), (vec![HOME, AWAY], vec![HOME, AWAY]));
    assert_eq!(twins(&network), 1);
    shut_down(&mut network);
}

#[test]
fn replaced_the_older_ends_with_its_pairs_and_is_told() {
    let mut network = twice(Uniqueness::Replace);
    assert_eq!(peers(&network), (vec![AWAY], vec![AWAY]));
    assert_eq!(twins(&network), 1);
    let deletes = network.log.iter().filter(|(from, sent)| *from == 1 && sent.remote.ip() == HOME);
    assert_eq!(deletes.count(), 2, "of the pair and of the ISAKMP SA");
    // A new main mode from the same address replaces nothing but its forerunner.
    let sa = *network.hosts[0].endpoint.ike_sas.keys().next().expect("an SA");
    network.feed(0, Input::Command(Command::RekeyIkeSa(sa)));
    network.run(Duration::from_secs(100));
    assert_eq!((peers(&network), twins(&network)), ((vec![AWAY], vec![AWAY]), 1));
    shut_down(&mut network);
}

#[test]
fn refused_the_newer_ends_and_the_older_serves_on() {
    let mut network = twice(Uniqueness::Refuse);
    assert_eq!(peers(&network), (vec![HOME], vec![HOME]));
    assert!(network.hosts[0].driver.pairs.is_empty() && network.hosts[0].endpoint.ike_sas.is_empty());
    let refused = |failure: &Failure| matches!(failure, Failure::IdentityInUse { peer, .. } if *peer == HOME.into());
    assert!(network.hosts[1].failures().iter().any(refused), "{:?}", network.hosts[1].failures());
    assert!(network.hosts[1].events.iter().any(|event| matches!(
        &event.kind,
        EventKind::IkeSa(IkeSaEvent::Ended { reason, .. }) if refused(reason)
    )));
    network.hosts.iter().for_each(assert_settled_without_refused);
    shut_down(&mut network);
}

/// What was refused is remembered for a while.
fn assert_settled_without_refused(host: &Host) {
    outcomes(host);
    assert!(host.endpoint.negotiations.is_empty() && host.driver.larval.is_empty());
}

/// A peer at a link-local address is answered through the interface that it came from.
#[test]
fn a_link_local_peer_is_answered_on_its_own_link() {
    let address = |text: &str| text.parse::<std::net::SocketAddrV6>().expect("an address");
    let (a, b) = (address("[fe80::1%3]:500"), address("[fe80::2%3]:500"));
    let policy = |local: &std::net::SocketAddrV6, remote: &std::net::SocketAddrV6| {
        TestPolicy::new(IpAddr::V6(*local.ip()), IpAddr::V6(*remote.ip())).database()
    };
    let mut hosts = [Host::new(Config::default(), 1, policy(&a, &b)), Host::new(Config::default(), 2, policy(&b, &a))];
    let mut now = Time::from_secs(1);
    hosts[0].command(now, Command::InitiateRule { rule: "rule".to_owned(), peer: None });
    let mut answers = 0;
    for _ in 0..40 {
        for host in 0..2 {
            while let Some(sent) = hosts[host].sent.pop_front() {
                if host == 1 {
                    let std::net::SocketAddr::V6(to) = sent.remote else { panic!("IPv6") };
                    let std::net::SocketAddr::V6(from) = sent.local else { panic!("IPv6") };
                    assert_eq!((to, from), (a, b));
                    answers += 1;
                }
                // The first host knows one link only; the second has several.
                let (local, remote) =
                    if host == 0 { (b, a) } else { (address("[fe80::1]:500"), address("[fe80::2]:500")) };
                hosts[1 - host].receive(now, local.into(), remote.into(), &sent.octets);
            }
        }
        now = now + Duration::from_millis(50);
    }
    assert_eq!((answers, hosts[1].driver.pairs.len()), (4, 1), "messages 2, 4, 6, and 2 of quick mode");
    assert_eq!(hosts[0].failures(), []);
}
