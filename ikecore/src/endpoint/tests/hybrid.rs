//! Extended authentication after signatures, and hybrid authentication, in which only the gateway signs: host 0 is the client,
//! host 1 the gateway. Main mode and aggressive mode.
use super::certificates::World;
use super::config_mode::{Case, LEASE, USUAL, assert_leased};
use super::injection::{ALL_OVER, At, Forgery, Wire, changed, changes, nothing};
use super::*;
use crate::event::{Detail, MessageEvent, Reject};
use crate::exchange::auth::Proven;
use crate::exchange::info::Information;
use crate::identity::Identity;
use crate::ids::Spi;
use crate::policy::rule::{AuthMethod, HybridMethod};
use crate::proposal::encode::encode_main_mode;
use crate::proposal::select::select_main_mode;
use crate::proposal::suite::Lifetime;
use crate::testing::authority::KeyKind;
use crate::testing::policy::FAST;
use crate::wire::{AuthenticationMethod, ExchangeType, Header, Padding, PayloadType, ProtocolId, Sa, parse};

/// What the two ends prove in phase 1.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase1 {
    /// Both sign.
    Signatures,
    /// The gateway does.
    Hybrid,
}
use Phase1::{Hybrid, Signatures};

fn methods(world: &World, phase_1: Phase1, host: usize) -> Vec<AuthMethod> {
    let method = world.method(host);
    vec![match (phase_1, host) {
        (Signatures, _) => AuthMethod::Certificate(Arc::new(method)),
        (Hybrid, 0) => AuthMethod::Hybrid(HybridMethod::Client(method.trust)),
        (Hybrid, _) => AuthMethod::Hybrid(HybridMethod::Gateway(method.own)),
    }]
}

/// With a world's certificates, changed by `change`.
fn network_of(
    world: &World,
    case: Case,
    [client, gateway]: [Phase1; 2],
    aggressive: bool,
    change: impl Fn(usize, &mut TestPolicy),
) -> Network {
    let config =
        Config { detail: Detail::Trace, half_open_per_peer: 1_000, half_open_total: 1_000, ..Config::default() };
    let mut network = pair_with(1, Weather::default(), &config, |index, policy| {
        case.change(index, policy);
        policy.aggressive_mode = aggressive;
        policy.methods = methods(world, [client, gateway][index], index);
        change(index, policy);
    });
    world.give_keys(&mut network);
    network.hosts[1].users.insert("joe".to_owned(), b"foobar".to_vec());
    network
}

fn network(phase_1: Phase1, aggressive: bool) -> Network {
    network_of(&World::new(KeyKind::Rsa(2048)), USUAL, [phase_1; 2], aggressive, |_, _| {})
}

const ALL: [(Phase1, bool); 4] = [(Signatures, false), (Signatures, true), (Hybrid, false), (Hybrid, true)];

/// The payloads of the messages of phase 1 that a host sent, as they were before encryption.
fn payloads(host: &Host) -> Vec<PayloadType> {
    let mut all = Vec::new();
    for event in &host.events {
        let EventKind::Message(MessageEvent::Sending { octets, .. }) = &event.kind else { continue };
        let header = Header::decode(octets).expect("a message of this host");
        if matches!(header.exchange, ExchangeType::MAIN | ExchangeType::AGGRESSIVE) {
            let chain = parse(header.next_payload, &octets[Header::LEN..], Padding::Forbidden).expect("its payloads");
            let kinds = [PayloadType::HASH, PayloadType::SIG, PayloadType::CERT, PayloadType::CERTREQ];
            all.extend(kinds.into_iter().filter(|kind| chain.all(*kind).next().is_some()));
        }
    }
    all
}

#[test]
fn the_user_follows_the_signatures_of_both_ends_or_of_the_gateway() {
    for (phase_1, aggressive) in ALL {
        let mut network = network(phase_1, aggressive);
        initiate(&mut network);
        network.run(Duration::from_secs(5));
        assert_leased(&network, LEASE);
        let [client, gateway] = network.hosts.each_ref().map(|host| host.endpoint.snapshot().ike_sas.remove(0));
        let code = if phase_1 == Hybrid { 64_221 } else { 65_005 };
        for sa in [&client, &gateway] {
            assert_eq!(sa.suite.map(|suite| suite.authentication.0), Some(code), "{phase_1:?}");
        }
        assert_eq!(client.identity.map(|identity| identity.to_string()).as_deref(), Some("dn:O=Example, CN=b"));
        let name = (phase_1 == Signatures).then_some("dn:O=Example, CN=a");
        assert_eq!(gateway.identity.map(|identity| identity.to_string()).as_deref(), name);
        assert_eq!(gateway.user.as_deref(), Some("joe"));
        let [by_client, by_gateway] = network.hosts.each_ref().map(payloads);
        assert_eq!(by_client.contains(&PayloadType::SIG), phase_1 == Signatures);
        assert_eq!(by_client.contains(&PayloadType::CERT), phase_1 == Signatures);
        assert_eq!(by_client.contains(&PayloadType::HASH), phase_1 == Hybrid);
        assert!(by_gateway.contains(&PayloadType::SIG) && by_gateway.contains(&PayloadType::CERT));
        // Nobody's certificate is asked for where none will be checked.
        assert_eq!(by_gateway.contains(&PayloadType::CERTREQ), phase_1 == Signatures);
        let exchange = Header::decode(&network.log[0].1.octets).expect("a header").exchange;
        assert_eq!(exchange, if aggressive { ExchangeType::AGGRESSIVE } else { ExchangeType::MAIN });
        network.hosts.iter().for_each(assert_settled);
        shut_down(&mut network);
    }
}

#[test]
fn successors_are_proven_anew() {
    for (phase_1, aggressive) in ALL {
        let case = Case { ike_seconds: 100, esp_seconds: 70, ..USUAL };
        let mut network = network_of(&World::new(KeyKind::Rsa(2048)), case, [phase_1; 2], aggressive, |_, _| {});
        initiate(&mut network);
        network.run(Duration::from_secs(300));
        assert_leased(&network, LEASE);
        assert!(network.hosts.iter().all(|host| host.failures().is_empty()), "{phase_1:?} {aggressive}");
        network.hosts.iter().for_each(assert_settled);
        shut_down(&mut network);
    }
}

#[test]
fn a_wrong_password_leaves_nothing() {
    for (phase_1, aggressive) in ALL {
        let case = Case { password: "guess", ..USUAL };
        let mut network = network_of(&World::new(KeyKind::Rsa(2048)), case, [phase_1; 2], aggressive, |_, _| {});
        initiate(&mut network);
        network.run(Duration::from_secs(70));
        let [client, gateway] = network.hosts.each_ref().map(Host::failures);
        assert!(matches!(client.as_slice(), [Failure::XauthRefused { .. }]), "{client:?}");
        assert!(matches!(gateway.as_slice(), [Failure::XauthFailed { .. }]), "{gateway:?}");
        for host in &network.hosts {
            assert!(host.endpoint.ike_sas.is_empty() && host.driver.pairs.is_empty());
            assert_settled(host);
        }
    }
}

/// The reasons for which a host dropped messages of an exchange.
fn dropped(host: &Host, of: ExchangeType) -> usize {
    let reasons = host.events.iter().filter(|event| {
        matches!(
            &event.kind,
            EventKind::Message(MessageEvent::Dropped { reason: Reject::Unexpected { exchange, .. }, .. })
                if *exchange == of
        )
    });
    reasons.count()
}

#[test]
fn before_its_user_the_client_of_hybrid_authentication_gets_nothing() {
    for aggressive in [false, true] {
        let mut network = network(Hybrid, aggressive);
        network.hosts[1].checks = Some(Vec::new());
        initiate(&mut network);
        network.run(Duration::from_secs(3));
        let [client, gateway] = network.hosts.each_mut().map(|host| &mut host.endpoint);
        // It counts with those that have proven nothing.
        assert_eq!((gateway.index.half_open.len(), gateway.snapshot().ike_sas[0].identity.clone()), (1, None));
        let id = *client.ike_sas.keys().next().expect("an SA");
        // Notifications and deletes of others' SAs are for those who have proven who they are.
        let spis = vec![Spi(0x1000_0001)];
        client.inform(id, &Information::DeleteIpsec { protocol: ProtocolId::ESP, spis });
        network.feed(0, Input::Timeout);
        network.run(Duration::from_millis(100));
        assert_eq!(dropped(&network.hosts[1], ExchangeType::INFORMATIONAL), 1);
        // It believes that it is admitted, asks for an address and begins a quick mode.
        let client = &mut network.hosts[0].endpoint;
        client.ike_sas.get_mut(&id).and_then(|sa| sa.standing_mut()).expect("it stands").admitted = true;
        client.prepare(id);
        network.feed(0, Input::Timeout);
        network.run(Duration::from_millis(100));
        assert!(dropped(&network.hosts[1], ExchangeType::TRANSACTION) > 0);
        let client = &mut network.hosts[0].endpoint;
        let forged = crate::exchange::config_mode::Configuration { addresses: vec![LEASE], ..Default::default() };
        let standing = client.ike_sas.get_mut(&id).and_then(|sa| sa.standing_mut()).expect("it stands");
        standing.configuration = Some(Box::new(forged));
        for negotiation in standing.preparation.take().expect("not ready").waiting {
            client.main_mode_is_there(negotiation, id);
        }
        network.feed(0, Input::Timeout);
        network.run(Duration::from_secs(1));
        assert!(dropped(&network.hosts[1], ExchangeType::QUICK) > 0);
        let gateway = &network.hosts[1];
        assert!(gateway.driver.pairs.is_empty() && gateway.endpoint.shared.leases.held() == 0);
        // It may say that it goes.
        network.feed(0, Input::Command(Command::DeleteAll));
        network.run(Duration::from_millis(100));
        assert!(network.hosts[1].endpoint.ike_sas.is_empty());
        assert_eq!(network.hosts[1].endpoint.index.half_open.len(), 0);
    }
}

#[test]
fn a_user_is_unique_whatever_its_client_says_it_is() {
    // What a client of hybrid authentication says of itself is not looked at.
    for name in [None, Some("fqdn:somebody.example"), Some("192.0.2.77")] {
        let world = World::new(KeyKind::Rsa(2048));
        let mut network = network_of(&world, USUAL, [Hybrid; 2], true, |index, policy| {
            if index == 0 {
                policy.local_id = name.map(|name| name.parse().expect("an identity"));
            }
        });
        initiate(&mut network);
        network.run(Duration::from_secs(5));
        assert_leased(&network, LEASE);
        let pair = network.hosts[1].endpoint.pairs.values().next().expect("a pair");
        assert_eq!((&pair.identity, pair.user.as_deref()), (&Identity::Nobody, Some("joe")));
    }
}

#[test]
fn the_gateway_of_hybrid_authentication_must_be_whom_the_client_wants() {
    for aggressive in [false, true] {
        let (world, other) = (World::new(KeyKind::Rsa(2048)), World::new(KeyKind::Rsa(2048)));
        let mut network = network_of(&world, USUAL, [Hybrid; 2], aggressive, |index, policy| {
            if index == 0 {
                policy.remote_id = Some("fqdn:another.example".parse().expect("an identity"));
            }
        });
        initiate(&mut network);
        network.run(Duration::from_secs(70));
        let told = network.hosts[0].failures()[0].to_string();
        assert!(told.contains("O=Example, CN=b") && told.contains("requires fqdn:another.example"), "{told}");
        let mut network = network_of(&world, USUAL, [Hybrid; 2], aggressive, |index, policy| {
            if index == 0 {
                policy.methods = methods(&other, Hybrid, 0);
            }
        });
        initiate(&mut network);
        network.run(Duration::from_secs(70));
        let failures = network.hosts[0].failures();
        assert!(matches!(failures.as_slice(), [Failure::Certificate { .. }]), "{failures:?}");
        // The password was for nobody else.
        assert!(!network.hosts[0].events.iter().any(|event| matches!(&event.kind,
            EventKind::Message(MessageEvent::Sending { name, .. }) if name.starts_with("extended"))));
    }
}

#[test]
fn both_ends_must_mean_the_same_authentication() {
    let world = World::new(KeyKind::Rsa(2048));
    for (client, gateway, says) in [
        (Hybrid, Signatures, ["Authentication Method is HybridInitRSA (64221)", "XAUTHInitRSA (65005)"]),
        (Signatures, Hybrid, ["Authentication Method is XAUTHInitRSA (65005)", "HybridInitRSA (64221)"]),
    ] {
        for aggressive in [false, true] {
            let mut network = network_of(&world, USUAL, [client, gateway], aggressive, |_, _| {});
            initiate(&mut network);
            network.run(Duration::from_secs(70));
            let told = network.hosts[1].failures()[0].to_string();
            assert!(says.iter().all(|part| told.contains(part)), "{told}");
        }
    }
}

#[test]
fn dss_is_refused_by_name() {
    for dss in [AuthenticationMethod::HYBRID_INIT_DSS, AuthenticationMethod::HYBRID_RESP_DSS] {
        let lifetime = Lifetime { seconds: 60, kilobytes: 0 };
        let offer = encode_main_mode(&[FAST], &[dss], lifetime);
        let offered = Sa::decode(&offer).expect("an SA payload");
        let own = [AuthenticationMethod::HYBRID_INIT_RSA];
        let refused = select_main_mode(&offered, &[FAST], &own, lifetime).expect_err("no RSA");
        let told = refused[0].to_string();
        assert!(told.contains("Authentication Method is Hybrid") && told.contains("DSS"), "{told}");
        assert!(told.contains("allowed: HybridInitRSA (64221)"), "{told}");
    }
}

#[test]
fn a_client_of_hybrid_authentication_has_proven_nothing_to_other_rules() {
    let world = World::new(KeyKind::Rsa(2048));
    let rule = |phase_1: Option<Phase1>, remote_id: Option<Identity>| {
        let mut policy = TestPolicy::new(B, A);
        if let Some(phase_1) = phase_1 {
            USUAL.change(1, &mut policy);
            policy.methods = methods(&world, phase_1, 1);
        }
        policy.remote_id = remote_id;
        let rule = policy.database().rules[0].as_ref().clone();
        crate::policy::rule::Rule { name: format!("{phase_1:?}"), ..rule }
    };
    let under = rule(Some(Hybrid), None);
    let proven = Proven {
        under: &under,
        method: AuthenticationMethod::HYBRID_INIT_RSA,
        role: crate::event::negotiation::Role::Responder,
        identity: &Identity::Nobody,
        peer: A.into(),
        behind_nat: false,
    };
    assert_eq!(proven.satisfies(&under), Ok(()));
    for other in [rule(None, None), rule(Some(Signatures), None), rule(None, Some(Identity::Address(A)))] {
        let refused = proven.satisfies(&other);
        assert!(matches!(refused, Err(Failure::OtherAuthentication { .. })), "{refused:?}");
    }
}

#[test]
fn changed_copies_of_any_message_change_nothing() {
    for (phase_1, aggressive) in ALL {
        let world = World::new(KeyKind::Rsa(2048));
        let fresh = || Wire::between(network_of(&world, USUAL, [phase_1; 2], aggressive, |_, _| {}).hosts);
        let mut wire = fresh();
        wire.run(ALL_OVER, At::Never, &nothing);
        // Message 2 of aggressive mode is long, and goes out in fragments.
        let of_phase_1 = wire.log.iter().map(|(_, message)| &message.octets[..]).take_while(|octets| {
            let exchange = Header::decode(octets).expect("a header").exchange;
            matches!(exchange, ExchangeType::MAIN | ExchangeType::AGGRESSIVE)
        });
        let lengths: Vec<usize> = of_phase_1.map(<[u8]>::len).collect();
        assert_eq!(lengths.len() + 9, wire.log.len(), "four of XAuth, two of Mode Config, three of quick mode");
        for (number, len) in lengths.into_iter().enumerate() {
            for at in [At::Before(number), At::After(number)] {
                // HASH_R does not cover the initiator's ID: a message 1 with another one, if it comes first, has a message 2
                // that is as good as the true one, and message 3 then goes astray. Main mode is not like that.
                if aggressive && at == At::Before(0) {
                    continue;
                }
                let mut wire = fresh();
                wire.run(Duration::from_secs(600), at, &|octets| {
                    let all = changes(len).into_iter().map(|change| changed(octets, change));
                    all.map(|octets| Forgery { octets, true_address: true }).collect()
                });
                wire.assert_agreed(&format!("{phase_1:?} {aggressive} {at:?}"));
            }
        }
    }
}
