//! Aggressive mode between two endpoints, with and without somebody on the way.
use super::injection::{ALL_OVER, At, Forgery, Wire, changed, changes, nothing};
use super::*;
use crate::event::{Detail, MessageEvent};
use crate::identity::Identity;
use crate::policy::rule::{AuthMethod, Rule};
use crate::policy::selector::{Prefix, Selector};
use crate::secret::Secret;
use crate::testing::network::Translation;
use crate::wire::{ExchangeType, Header};

fn name(text: &str) -> Option<Identity> {
    Some(text.parse().expect("an identity"))
}

fn both(index: usize, policy: &mut TestPolicy) {
    policy.aggressive_mode = true;
    policy.local_id = name(["fqdn:client.example", "user-fqdn:gate@way.example"][index]);
    policy.remote_id = name(["user-fqdn:gate@way.example", "fqdn:client.example"][index]);
}

fn network(seed: u64, change: impl Fn(usize, &mut TestPolicy)) -> Network {
    // Room for all forgeries at once: whoever sends more than the admission has room for pushes the true message 1 out, and
    // message 2 is the last that the initiator waits for.
    let config =
        Config { detail: Detail::Trace, half_open_per_peer: 1_000, half_open_total: 1_000, ..Config::default() };
    pair_with(seed, Weather::default(), &config, |index, policy| {
        both(index, policy);
        change(index, policy);
    })
}

fn exchanges(network: &Network) -> Vec<ExchangeType> {
    network.log.iter().map(|(_, sent)| Header::decode(&sent.octets).expect("a header").exchange).collect()
}

#[test]
fn three_messages_lead_to_an_isakmp_sa() {
    for (one, other) in [
        ("fqdn:client.example", "user-fqdn:gate@way.example"),
        ("key-id:0a0b0c", "192.0.2.2"),
        ("user-fqdn:joe@office.example", "fqdn:gateway.example"),
    ] {
        let mut network = network(1, |index, policy| {
            let ids = [name(one), name(other)];
            policy.local_id = ids[index].clone();
            policy.remote_id = ids[1 - index].clone();
        });
        initiate(&mut network);
        network.run(Duration::from_secs(5));
        assert_agree(&network);
        assert_eq!(twins(&network), 1, "{:?}", network.hosts[0].failures());
        let sent = exchanges(&network);
        assert_eq!(sent[..3], [ExchangeType::AGGRESSIVE; 3]);
        assert!(sent[3..].iter().all(|exchange| *exchange == ExchangeType::QUICK));
        let identities = network.hosts.each_ref().map(|host| host.endpoint.snapshot().ike_sas[0].identity.clone());
        assert_eq!(identities, [name(other), name(one)]);
        network.hosts.iter().for_each(assert_settled);
        shut_down(&mut network);
    }
}

#[test]
fn it_is_not_answered_where_the_policy_does_not_ask_for_it() {
    let mut network = network(2, |index, policy| policy.aggressive_mode = index == 0);
    initiate(&mut network);
    network.run(Duration::from_secs(70));
    assert!(network.log.iter().all(|(from, _)| *from == 0), "it was answered");
    let failures = network.hosts[1].failures();
    assert!(matches!(failures.as_slice(), [Failure::AggressiveMode { .. }]), "{failures:?}");
    assert!(matches!(
        network.hosts[0].failures().as_slice(),
        [Failure::TimedOut { message: "aggressive mode message 1", .. }]
    ));
}

#[test]
fn a_rule_that_allows_it_still_takes_main_mode() {
    let mut network = network(3, |index, policy| policy.aggressive_mode = index == 1);
    initiate(&mut network);
    network.run(Duration::from_secs(5));
    assert_eq!(twins(&network), 1);
    assert_eq!(exchanges(&network)[0], ExchangeType::MAIN);
}

#[test]
fn a_stranger_is_not_answered() {
    let mut network = network(4, |index, policy| {
        if index == 0 {
            policy.local_id = name("fqdn:stranger.example");
        }
    });
    initiate(&mut network);
    network.run(Duration::from_secs(70));
    assert!(network.log.iter().all(|(from, _)| *from == 0), "it was answered");
    let failures = network.hosts[1].failures();
    let [failure @ Failure::UnknownIdentity { .. }] = failures.as_slice() else { panic!("{failures:?}") };
    assert!(failure.to_string().contains("fqdn:stranger.example at 192.0.2.1"), "{failure}");
}

#[test]
fn each_name_has_its_own_key() {
    // The gateway has two rules for anybody; their keys differ, and the peer's name decides.
    let seen = ["fqdn:one.example", "fqdn:two.example"].map(|own| {
        let mut network = network(5, |index, policy| {
            if index == 0 {
                policy.local_id = name(own);
                policy.psk = if own.contains("one") { b"key of one" } else { b"key of two" };
            }
        });
        let base = TestPolicy::new(B, A);
        let mut rules = Vec::new();
        for (number, (peer, key)) in
            [("fqdn:one.example", "key of one"), ("fqdn:two.example", "key of two")].into_iter().enumerate()
        {
            let mut policy = base.clone();
            both(1, &mut policy);
            let db = policy.database();
            let rule = Rule {
                name: peer.to_owned(),
                remote_id: name(peer).map(Into::into),
                authentication: vec![AuthMethod::PreSharedKey(Arc::new(Secret::new(key.as_bytes().to_vec())))],
                reqid: number as u32 + 1,
                filters: vec![Selector::between(Prefix::host(B), Prefix::host(A))],
                ..db.rules[0].as_ref().clone()
            };
            rules.push(Arc::new(rule));
        }
        let db = PolicyDb::new(2, rules, vec![Prefix::host(B)]).expect("a policy");
        network.feed(1, Input::Policy(Arc::new(db)));
        initiate(&mut network);
        network.run(Duration::from_secs(5));
        assert_eq!(network.hosts[0].failures(), []);
        let sas = network.hosts[1].endpoint.snapshot().ike_sas;
        assert_eq!(sas.len(), 1);
        sas[0].rule.clone()
    });
    assert_eq!(seen, ["fqdn:one.example", "fqdn:two.example"]);
}

#[test]
fn a_wrong_key_is_told_as_such_at_the_initiator() {
    let mut network = network(6, |index, policy| {
        if index == 0 {
            policy.psk = b"another key";
        }
    });
    initiate(&mut network);
    network.run(Duration::from_secs(70));
    let failures = network.hosts[0].failures();
    assert!(
        matches!(failures.as_slice(), [Failure::PreSharedKeyMismatch { detail: "its HASH_R is wrong", .. }]),
        "{failures:?}"
    );
    assert!(network.hosts.iter().all(|host| host.endpoint.ike_sas.is_empty()));
    network.hosts.iter().for_each(assert_settled);
}

#[test]
fn a_peer_that_is_somebody_else_hears_that_the_sa_is_gone() {
    let mut network = network(7, |index, policy| {
        if index == 0 {
            policy.remote_id = name("fqdn:another.example");
        }
    });
    initiate(&mut network);
    network.run(Duration::from_secs(70));
    let failures = network.hosts[0].failures();
    assert!(matches!(failures.as_slice(), [Failure::IdentityMismatch { .. }]), "{failures:?}");
    assert!(network.hosts.iter().all(|host| host.driver.pairs.is_empty()));
}

#[test]
fn behind_a_nat_the_port_changes_with_message_3() {
    let public = IpAddr::V4(std::net::Ipv4Addr::new(203, 0, 113, 7));
    let mut network = network(8, |index, policy| {
        if index == 1 {
            policy.remote = public;
        }
    });
    network.nat = Some(Translation { public, offset: 20_000 });
    initiate(&mut network);
    network.run(Duration::from_secs(5));
    assert_eq!(twins(&network), 1, "{:?}", network.hosts.each_ref().map(Host::failures));
    let ports: Vec<u16> = network.log.iter().map(|(_, sent)| sent.local.port()).collect();
    assert_eq!(ports[..3], [500, 500, 4500]);
    let [a, b] = network.hosts.each_ref().map(|host| host.endpoint.snapshot().ike_sas[0].nat);
    assert_eq!((a, b), ((true, false), (false, true)));
}

#[test]
fn loss_and_duplicates_and_reordering_change_nothing() {
    let mut succeeded = 0;
    for seed in 0..40 {
        let weather = Weather { loss: 20, duplicates: 20, reordered: 20 };
        let mut network = pair_with(seed, weather, &Config::default(), both);
        initiate(&mut network);
        network.run(Duration::from_secs(200));
        network.hosts.iter().for_each(assert_settled);
        succeeded += usize::from(network.hosts[0].failures().is_empty());
        shut_down(&mut network);
    }
    assert!(succeeded > 30, "{succeeded} of 40");
}

#[test]
fn changed_and_cut_copies_of_any_message_change_nothing() {
    let lengths: Vec<usize> = {
        let mut wire = Wire::between(network(9, |_, _| {}).hosts);
        wire.run(ALL_OVER, At::Never, &nothing);
        wire.log.iter().map(|(_, message)| message.octets.len()).collect()
    };
    assert_eq!(lengths.len(), 6, "three of aggressive mode, three of quick mode");
    for (number, len) in lengths.into_iter().enumerate() {
        for change in changes(len) {
            for at in [At::Before(number), At::After(number)] {
                let mut wire = Wire::between(network(9, |_, _| {}).hosts);
                wire.run(ALL_OVER, at, &|octets| vec![Forgery { octets: changed(octets, change), true_address: true }]);
                wire.assert_agreed(&format!("{change:?} {at:?}"));
            }
        }
        for at in [At::Before(number), At::After(number)] {
            let mut wire = Wire::between(network(9, |_, _| {}).hosts);
            wire.run(Duration::from_secs(600), at, &|octets| {
                let cut = (Header::LEN..len).map(|cut| {
                    let mut octets = octets[..cut].to_vec();
                    octets[24..28].copy_from_slice(&u32::try_from(cut).expect("short").to_be_bytes());
                    octets
                });
                let all = changes(len).into_iter().map(|change| changed(octets, change)).chain(cut);
                all.map(|octets| Forgery { octets, true_address: true }).collect()
            });
            wire.assert_agreed(&format!("many {at:?}"));
        }
    }
}

#[test]
fn message_3_may_come_in_clear() {
    // What RFC 2409 §5 allows; this host always encrypts it. HASH_I is taken out of the encrypted one, as its sender
    // could have sent it.
    let mut wire = Wire::between(network(10, |_, _| {}).hosts);
    let mut last = None;
    while last.is_none() {
        let (from, transmit) =
            (0..2).find_map(|host| Some((host, wire.hosts[host].sent.pop_front()?))).expect("a message");
        let header = Header::decode(&transmit.octets).expect("a header");
        if header.exchange == ExchangeType::AGGRESSIVE && header.flags.0 != 0 {
            last = Some(transmit);
        } else {
            wire.hosts[1 - from].receive(wire.now, transmit.remote, transmit.local, &transmit.octets);
        }
    }
    let sent = wire.hosts[0].events.iter().find_map(|event| match &event.kind {
        EventKind::Message(MessageEvent::Sending { name: "aggressive mode message 3", octets, .. }) => {
            Some(octets.clone())
        }
        _ => None,
    });
    let (transmit, plain) = (last.expect("message 3"), sent.expect("told"));
    wire.hosts[1].receive(wire.now, transmit.remote, transmit.local, &plain);
    let sa = &wire.hosts[1].endpoint.snapshot().ike_sas[0];
    assert_eq!(sa.state, "established");
}

#[test]
fn an_isakmp_sa_that_the_peer_does_not_know_is_not_used_again() {
    let mut network = network(11, |_, _| {});
    // Message 3 never arrives.
    network.meddle = Some(|octets| {
        if octets.get(18) == Some(&ExchangeType::AGGRESSIVE.0) && octets.get(19) == Some(&1) {
            octets[24] = 0xff;
        }
    });
    initiate(&mut network);
    network.run(Duration::from_secs(200));
    let failures = network.hosts[0].failures();
    assert!(matches!(failures.as_slice(), [Failure::TimedOut { message: "quick mode message 1", .. }]), "{failures:?}");
    assert!(network.hosts[0].endpoint.ike_sas.is_empty());
    network.meddle = None;
    initiate(&mut network);
    network.run(Duration::from_secs(5));
    assert_eq!(twins(&network), 1);
}

#[test]
fn a_lost_message_3_is_sent_again() {
    let mut wire = Wire::between(network(12, |_, _| {}).hosts);
    let mut lost = false;
    for _ in 0..40 {
        let Some((from, transmit)) = (0..2).find_map(|host| Some((host, wire.hosts[host].sent.pop_front()?))) else {
            wire.now = wire.hosts.iter().filter_map(|host| host.wake).min().expect("something to do");
            let now = wire.now;
            wire.hosts.iter_mut().for_each(|host| host.feed(now, Input::Timeout));
            continue;
        };
        let header = Header::decode(&transmit.octets).expect("a header");
        if !lost && header.exchange == ExchangeType::AGGRESSIVE && header.flags.0 != 0 {
            lost = true;
            continue;
        }
        wire.hosts[1 - from].receive(wire.now, transmit.remote, transmit.local, &transmit.octets);
        if wire.hosts.iter().all(|host| host.driver.pairs.len() == 1) {
            break;
        }
    }
    assert!(lost);
    assert!(wire.hosts.iter().all(|host| host.driver.pairs.len() == 1), "no pair after a lost message 3");
    assert!(wire.now < Time::from_secs(10), "{:?}", wire.now);
}
