//! Traffic with a peer that does not answer passes in clear, where the policy allows it, and only then.
use super::*;
use crate::event::SoftSaEvent;
use crate::policy::rule::RuleAction;
use crate::sa::driver::{TrafficAction, TrafficPolicy};
use crate::wire::Header;

const DELAY: u64 = 3;

/// The first host falls back; nothing reaches either until the weather is better.
fn silent(change: impl Fn(usize, &mut TestPolicy)) -> Network {
    let mut network = pair(1, Weather { loss: 100, ..Weather::default() }, |host, policy| {
        policy.fallback_to_clear = host == 0;
        change(host, policy);
    });
    network.feed(0, acquire(0));
    network
}

/// The first host has fallen back.
fn fallen_back(change: impl Fn(usize, &mut TestPolicy)) -> Network {
    let mut network = silent(change);
    network.run(Duration::from_secs(DELAY));
    assert_eq!(softs(&network).len(), 1);
    network
}

fn softs(network: &Network) -> Vec<TrafficPolicy> {
    assert!(network.hosts[1].driver.softs.is_empty(), "the second host has no rule for it");
    network.hosts[0].driver.softs.values().copied().collect()
}

/// Why soft SAs of the first host ended.
fn ends(network: &Network) -> Vec<Failure> {
    let events = network.hosts[0].events.iter();
    let ends = events.filter_map(|event| match &event.kind {
        EventKind::SoftSa(SoftSaEvent::Ended { reason, .. }) => Some(reason.clone()),
        _ => None,
    });
    ends.collect()
}

fn set_policy(network: &mut Network, change: impl Fn(&mut TestPolicy)) {
    let mut policy = TestPolicy { version: 2, fallback_to_clear: true, ..TestPolicy::new(A, B) };
    change(&mut policy);
    network.feed(0, Input::Policy(Arc::new(policy.database())));
}

#[test]
fn a_silent_peer_gets_clear_traffic_after_the_delay_and_not_before() {
    let mut network = silent(|_, policy| policy.soft_lifetime = 600);
    network.run(Duration::from_millis(DELAY * 1_000 - 1));
    assert!(softs(&network).is_empty());
    network.run(Duration::from_millis(1));
    let [soft] = softs(&network)[..] else { panic!("one soft SA") };
    let standing = network.hosts[0].driver.policies[0];
    assert_eq!((soft.action, soft.reqid), (TrafficAction::Permit, standing.reqid));
    assert_eq!(soft.selector, Selector::between(Prefix::host(A), Prefix::host(B)));
    assert!(soft.priority < standing.priority, "{soft:?} {standing:?}");
    let snapshot = network.hosts[0].endpoint.snapshot();
    assert_eq!(snapshot.counters.soft_sas, 1);
    let [info] = &snapshot.soft_sas[..] else { panic!("one is told of") };
    assert_eq!((info.rule.as_str(), info.lifetime, info.remote.ip()), ("rule", 600, B));
    assert!(network.hosts[0].events.iter().any(|event| {
        event.context.ipsec_sa == Some(info.id)
            && matches!(&event.kind, EventKind::SoftSa(SoftSaEvent::Established { lifetime: 600, .. }))
    }));

    // The negotiation ends as ever; its failure changes nothing.
    network.run(Duration::from_secs(599));
    assert!(matches!(network.hosts[0].failures()[..], [Failure::TimedOut { .. }]));
    assert_eq!(softs(&network).len(), 1);
    network.run(Duration::from_secs(1));
    assert!(softs(&network).is_empty());
    assert!(matches!(ends(&network)[..], [Failure::LifetimeEnded(_)]));
    // The next packet has it all begin anew.
    network.feed(0, acquire(0));
    network.run(Duration::from_secs(DELAY));
    assert_eq!(softs(&network).len(), 1);
    assert_eq!(network.hosts[0].endpoint.snapshot().counters.soft_sas, 2);
    shut_down(&mut network);
}

#[test]
fn the_delay_is_set_and_a_life_without_limit_does_not_end() {
    let config = Config { fallback_delay: Duration::from_millis(500), ..Config::default() };
    let mut network = pair_with(1, Weather { loss: 100, ..Weather::default() }, &config, |_, policy| {
        (policy.fallback_to_clear, policy.soft_lifetime) = (true, 0);
    });
    network.feed(0, acquire(0));
    network.run(Duration::from_millis(499));
    assert!(softs(&network).is_empty());
    network.run(Duration::from_millis(1));
    assert_eq!(softs(&network).len(), 1);
    network.run(Duration::from_secs(1_000_000));
    assert_eq!(softs(&network).len(), 1);
    shut_down(&mut network);
}

#[test]
fn without_the_flag_or_in_a_tunnel_nothing_passes() {
    for change in
        [|policy: &mut TestPolicy| policy.fallback_to_clear = false, |policy: &mut TestPolicy| policy.tunnel = true]
    {
        let mut network = silent(|host, policy| {
            if host == 0 {
                change(policy);
            }
        });
        network.run(Duration::from_secs(100));
        assert!(softs(&network).is_empty());
        assert!(matches!(network.hosts[0].failures()[..], [Failure::TimedOut { .. }]));
        shut_down(&mut network);
    }
}

#[test]
fn a_peer_that_answers_in_time_gets_sas_and_one_that_refuses_gets_nothing() {
    // It is message 1 for the second time that arrives.
    let mut network = silent(|_, _| {});
    network.run(Duration::from_millis(900));
    network.weather.loss = 0;
    network.run(Duration::from_secs(10));
    assert_eq!((softs(&network).len(), twins(&network)), (0, 1));
    assert_eq!(network.hosts[0].endpoint.snapshot().counters.soft_sas, 0);
    shut_down(&mut network);
    // A policy that does not fit in main mode, in quick mode; another key.
    let others: [fn(&mut TestPolicy); 3] = [
        |policy| policy.main_mode[0].hash = crate::crypto::hash::HashAlg::Sha1,
        |policy| policy.quick_mode[0].pfs = Some(crate::crypto::group::Group::Ecp256),
        |policy| policy.psk = b"another key",
    ];
    for change in others {
        let mut network = pair(1, Weather::default(), |host, policy| {
            policy.fallback_to_clear = host == 0;
            if host == 1 {
                change(policy);
            }
        });
        network.feed(0, acquire(0));
        network.run(Duration::from_secs(100));
        assert_eq!((softs(&network).len(), network.hosts[0].failures().len()), (0, 1));
        // What is asked for again is refused again.
        network.feed(0, acquire(0));
        network.run(Duration::from_secs(100));
        assert_eq!((softs(&network).len(), network.hosts[0].failures().len()), (0, 2));
        shut_down(&mut network);
    }
}

#[test]
fn a_peer_that_answered_once_and_then_is_silent_gets_nothing() {
    // Message 2 arrives, and after that nothing any more.
    let mut network = pair(1, Weather::default(), |host, policy| policy.fallback_to_clear = host == 0);
    network.feed(0, acquire(0));
    let until = network.now + Duration::from_secs(1);
    while network.log.len() < 3 {
        assert!(network.step(until), "message 3");
    }
    network.weather.loss = 100;
    network.run(Duration::from_secs(60));
    assert!(softs(&network).is_empty());
    shut_down(&mut network);
    // An ISAKMP SA stands, and quick mode is not answered.
    let mut network = pair(1, Weather::default(), |host, policy| {
        policy.fallback_to_clear = host == 0;
        policy.filters = port_filters(policy, 2);
    });
    let flow = |port: u16| {
        let Input::Acquire(mut acquire) = acquire(0) else { unreachable!("an acquire") };
        let port = 10_000 + port;
        (acquire.flow.protocol, acquire.flow.local_port, acquire.flow.remote_port) = (17, port, port);
        Input::Acquire(acquire)
    };
    network.feed(0, flow(0));
    network.run(Duration::from_secs(2));
    assert_eq!(twins(&network), 1);
    network.weather.loss = 100;
    network.feed(0, flow(1));
    network.run(Duration::from_secs(100));
    assert!(softs(&network).is_empty());
    assert_eq!(network.hosts[0].failures().len(), 1);
    shut_down(&mut network);
}

#[test]
fn whatever_names_the_cookie_is_an_answer_and_what_does_not_is_none() {
    type WithCookie = fn(&[u8]) -> Vec<u8>;
    let junk: [(&str, WithCookie); 3] = [
        ("a notification of nothing", |cookie| [cookie, &[7; 8], &[0, 0x10, 5, 0, 0, 0, 0, 1, 0, 0, 0, 28]].concat()),
        ("a wrong length", |cookie| [cookie, &[7; 8], &[0, 0x10, 2, 0, 0, 0, 0, 0, 0, 0, 0, 99]].concat()),
        ("version 2", |cookie| [cookie, &[7; 8], &[0, 0x20, 34, 0x20, 0, 0, 0, 0, 0, 0, 0, 28]].concat()),
    ];
    for (what, octets) in junk {
        for own in [true, false] {
            let mut network = silent(|_, _| {});
            let message = network.log[0].1.octets.clone();
            let cookie = Header::decode(&message).expect("message 1").initiator.0;
            let named = if own { cookie } else { [9; 8] };
            network.run(Duration::from_secs(1));
            let (local, remote) = ((A, 500).into(), (B, 500).into());
            network.feed(0, Input::Datagram { local, remote, octets: &octets(&named) });
            network.run(Duration::from_millis(1_999));
            assert!(softs(&network).is_empty(), "{what}: sooner than the delay");
            network.run(Duration::from_secs(1));
            assert_eq!(softs(&network).len(), usize::from(!own), "{what}, own cookie: {own}");
            shut_down(&mut network);
        }
    }
}

#[test]
fn a_late_answer_and_a_peer_that_begins_take_its_place() {
    for begins in [false, true] {
        let mut network = fallen_back(|_, _| {});
        network.weather.loss = 0;
        if begins {
            network.feed(1, acquire(1));
        }
        network.run(Duration::from_secs(20));
        assert!(softs(&network).is_empty());
        assert_eq!(ends(&network), [Failure::PeerProven], "the peer begins: {begins}");
        assert!(twins(&network) >= 1);
        shut_down(&mut network);
    }
}

#[test]
fn a_peer_that_only_claims_to_begin_changes_nothing() {
    let mut network = fallen_back(|_, _| {});
    // Main mode with another key never proves anybody.
    let mut policy = TestPolicy { psk: b"another key", version: 2, ..TestPolicy::new(B, A) };
    policy.fallback_to_clear = false;
    network.feed(1, Input::Policy(Arc::new(policy.database())));
    network.weather.loss = 0;
    network.feed(1, acquire(1));
    network.run(Duration::from_secs(100));
    assert_eq!(softs(&network).len(), 1);
    assert!(ends(&network).is_empty());
    shut_down(&mut network);
}

#[test]
fn while_the_peer_begins_nothing_passes() {
    let mut network = pair(1, Weather::default(), |host, policy| policy.fallback_to_clear = host == 0);
    // Message 1 of the peer has come, the answer is lost, and so is all that this host begins.
    network.feed(1, acquire(1));
    let until = network.now + Duration::from_secs(1);
    while network.log.len() < 2 {
        assert!(network.step(until), "message 2");
    }
    network.weather.loss = 100;
    network.feed(0, Input::Command(Command::InitiateRule { rule: "rule".to_owned(), peer: None }));
    network.run(Duration::from_secs(10));
    assert!(softs(&network).is_empty());
    shut_down(&mut network);
}

#[test]
fn it_ends_with_the_policy_that_made_it_and_stays_with_one_that_would() {
    let hosts = Selector::between(Prefix::host(A), Prefix::host(B));
    let mut network = fallen_back(|_, _| {});
    set_policy(&mut network, |_| {});
    set_policy(&mut network, |policy| policy.psk = b"another key");
    set_policy(&mut network, |policy| {
        policy.exceptions = vec![(Selector { protocol: 6, remote_port: 25, ..hosts }, RuleAction::Block)];
    });
    assert_eq!(softs(&network).len(), 1);
    assert!(ends(&network).is_empty());
    let changes: [fn(&mut TestPolicy); 4] = [
        |policy| policy.fallback_to_clear = false,
        |policy| policy.tunnel = true,
        |policy| policy.filters = port_filters(policy, 1),
        |policy| {
            let hosts = Selector::between(Prefix::host(A), Prefix::host(B));
            policy.filters = vec![Selector { remote: Prefix::new(B, 24).expect("a prefix"), ..hosts }];
            policy.exceptions = vec![(hosts, RuleAction::Block)];
        },
    ];
    for change in changes {
        let mut network = fallen_back(|_, _| {});
        set_policy(&mut network, change);
        assert!(softs(&network).is_empty());
        assert_eq!(ends(&network), [Failure::PolicyChange]);
        network.run(Duration::from_secs(100));
        assert!(softs(&network).is_empty(), "nor is it made again");
        shut_down(&mut network);
    }
    // A policy that comes before the delay is over.
    let mut network = silent(|_, _| {});
    network.run(Duration::from_secs(1));
    set_policy(&mut network, |policy| policy.fallback_to_clear = false);
    network.run(Duration::from_secs(100));
    assert!(softs(&network).is_empty());
}

#[test]
fn the_administrator_ends_it() {
    for all in [0, 1, 2] {
        let mut network = fallen_back(|_, _| {});
        let id = *network.hosts[0].driver.softs.keys().next().expect("a soft SA");
        let command = match all {
            0 => Command::DeleteIpsecSa(id),
            1 => Command::DeletePeer(B.into()),
            _ => Command::DeleteAll,
        };
        network.feed(0, Input::Command(Command::DeletePeer(A.into())));
        assert_eq!(softs(&network).len(), 1, "another peer");
        network.feed(0, Input::Command(command));
        assert!(softs(&network).is_empty());
        assert_eq!(ends(&network), [Failure::Ended("the administrator")]);
        shut_down(&mut network);
    }
}

/// The first negotiation is still under way when its soft SA ends.
#[test]
fn the_next_packet_begins_anew_even_so_soon() {
    let mut network = fallen_back(|_, policy| policy.soft_lifetime = 10);
    network.run(Duration::from_secs(10));
    assert!(softs(&network).is_empty());
    network.run(Duration::from_secs(1));
    network.feed(0, acquire(0));
    network.run(Duration::from_secs(2));
    network.feed(0, acquire(0));
    assert!(softs(&network).is_empty());
    network.run(Duration::from_secs(1));
    assert_eq!(softs(&network).len(), 1);
    // A packet that was under way then has no second one made.
    network.feed(0, acquire(0));
    network.run(Duration::from_secs(DELAY));
    assert_eq!(softs(&network).len(), 1);
    assert!(network.hosts[0].failures().is_empty());
    network.run(Duration::from_secs(100));
    shut_down(&mut network);
}

#[test]
fn more_specific_filters_count_as_before() {
    let hosts = Selector::between(Prefix::host(A), Prefix::host(B));
    let net = Selector { remote: Prefix::new(B, 24).expect("a prefix"), ..hosts };
    let network = fallen_back(|host, policy| {
        if host == 0 {
            policy.filters = vec![net];
            policy.exceptions = vec![
                (Selector { protocol: 6, remote_port: 23, ..net }, RuleAction::Block),
                (Selector { remote: Prefix::new(B, 16).expect("a prefix"), ..hosts }, RuleAction::Permit),
            ];
        }
    });
    let [soft] = softs(&network)[..] else { panic!("one soft SA") };
    assert_eq!(soft.selector, hosts, "these two hosts only");
    let priorities: Vec<u32> = network.hosts[0].driver.policies.iter().map(|policy| policy.priority).collect();
    assert!(priorities[0] < soft.priority && soft.priority < priorities[1], "{soft:?}, {priorities:?}");
}

#[test]
fn a_driver_that_refuses_or_is_lost_leaves_nothing_behind() {
    let mut network = silent(|_, _| {});
    network.hosts[0].driver.fail_softs = 1;
    network.run(Duration::from_secs(100));
    assert!(softs(&network).is_empty());
    assert_eq!(network.hosts[0].endpoint.snapshot().counters.soft_sas, 0);
    let told = |event: &crate::event::Event| matches!(&event.kind, EventKind::Endpoint(EndpointEvent::DriverFailed(_)));
    assert!(network.hosts[0].events.iter().any(told));
    network.feed(0, acquire(0));
    network.run(Duration::from_secs(DELAY));
    assert_eq!(softs(&network).len(), 1);
    network.feed(0, Input::DriverLost("gone".to_owned()));
    assert_eq!(ends(&network), [Failure::DriverLost("gone".to_owned())]);
    assert!(network.hosts[0].endpoint.soft_sas.is_empty());
}

#[test]
fn an_answer_of_the_driver_that_comes_too_late_is_of_no_consequence() {
    let mut network = silent(|_, _| {});
    network.hosts[0].driver.mute = true;
    network.run(Duration::from_secs(DELAY));
    assert_eq!(network.hosts[0].endpoint.soft_sas.len(), 1);
    assert!(network.hosts[0].endpoint.snapshot().soft_sas.is_empty(), "it is not there yet");
    let [ask] = network.hosts[0].unanswered[..] else { panic!("one ask") };
    network.hosts[0].driver.mute = false;
    network.feed(0, Input::Command(Command::DeleteAll));
    network.feed(0, Input::Answer(ask, Answer::Sa(crate::sa::driver::SaAnswer::Done(Ok(())))));
    assert!(network.hosts[0].endpoint.soft_sas.is_empty() && ends(&network).is_empty());
    shut_down(&mut network);
}

#[test]
fn their_number_is_bounded_and_the_oldest_makes_way() {
    let most = soft_sa::MOST;
    let (mut network, net) = (silent(|_, _| {}), Prefix::new("198.18.0.0".parse().expect("an address"), 16));
    network.run(Duration::from_secs(100));
    set_policy(&mut network, |policy| {
        policy.filters = vec![Selector::between(Prefix::host(A), net.expect("a prefix"))];
    });
    assert!(softs(&network).is_empty());
    for peer in 0..=most {
        if peer == most {
            network.run(Duration::from_secs(DELAY));
        }
        let Input::Acquire(mut acquire) = acquire(0) else { unreachable!("an acquire") };
        let number = u32::try_from(peer).expect("a small number");
        acquire.flow.remote = std::net::Ipv4Addr::from_bits(0xc612_0000 + number).into();
        network.feed(0, Input::Acquire(acquire));
    }
    network.run(Duration::from_secs(DELAY));
    assert_eq!(softs(&network).len(), most);
    let ends = ends(&network);
    assert!(matches!(ends[..], [Failure::PolicyChange, Failure::TooMany { .. }]), "{ends:?}");
    network.run(Duration::from_secs(100));
    shut_down(&mut network);
}
