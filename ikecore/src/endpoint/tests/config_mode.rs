//! Extended authentication and Mode Config between two endpoints: a client, and a gateway with a pool.
use super::injection::{ALL_OVER, At, Forgery, Wire, changed, changes, nothing};
use super::*;
use crate::event::{Detail, MessageEvent, Reject};
use crate::exchange::config_mode::responder::MAX_QUESTIONS;
use crate::policy::pool::Pool;
use crate::policy::remote_access::{ModeConfig, Xauth, XauthCredentials};
use crate::policy::selector::{Prefix, Selector};
use crate::proposal::suite::Lifetime;
use crate::secret::Secret;
use crate::time::Time;
use crate::wire::{ExchangeType, Header};

pub(super) const LEASE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 99, 0, 1));

pub(super) fn prefix(text: &str) -> Prefix {
    let (address, len) = text.split_once('/').expect("a prefix");
    Prefix::new(address.parse().expect("an address"), len.parse().expect("a length")).expect("in range")
}

pub(super) fn pool(ranges: &[&str]) -> Arc<Pool> {
    Arc::new(Pool {
        name: "office".to_owned(),
        ranges: ranges.iter().map(|text| text.parse().expect("a range")).collect(),
        dns: vec![IpAddr::from([10, 10, 1, 53])],
        split_networks: vec![prefix("10.10.1.0/24")],
        domain: Some("office.example".to_owned()),
        banner: Some("Welcome".to_owned()),
    })
}

fn credentials(password: &str) -> Xauth {
    let password = Arc::new(Secret::new(password.as_bytes().to_vec()));
    Xauth::Client(XauthCredentials { user: "joe".to_owned(), password })
}

/// How a test differs from the usual: a client that pulls, a gateway that gives, both with extended authentication.
#[derive(Clone, Copy)]
pub(super) struct Case {
    pub(super) xauth: bool,
    pub(super) mode_config: bool,
    pub(super) push: bool,
    pub(super) password: &'static str,
    pub(super) ranges: &'static [&'static str],
    pub(super) networks: &'static [(&'static str, &'static str)],
    pub(super) ike_seconds: u32,
    pub(super) esp_seconds: u32,
}

pub(super) const USUAL: Case = Case {
    xauth: true,
    mode_config: true,
    push: false,
    password: "foobar",
    ranges: &["10.99.0.1-10.99.0.9"],
    networks: &[("0.0.0.0/0", "10.10.1.0/24")],
    ike_seconds: 28_800,
    esp_seconds: 3_600,
};

impl Case {
    pub(super) fn change(self, index: usize, policy: &mut TestPolicy) {
        policy.tunnel = true;
        policy.any_peer = index == 1;
        policy.ike_lifetime = Lifetime { seconds: self.ike_seconds, kilobytes: 0 };
        policy.quick_mode[0].lifetime.seconds = self.esp_seconds;
        let gateway = index == 1;
        if self.xauth {
            policy.xauth = Some(if gateway { Xauth::Server } else { credentials(self.password) });
        }
        if self.mode_config {
            policy.mode_config = Some(if gateway {
                ModeConfig::Server { pool: pool(self.ranges), push: self.push }
            } else {
                ModeConfig::Client { push: self.push }
            });
        }
        policy.filters = Vec::new();
        for (any, network) in self.networks {
            let filter = Selector::between(prefix(any), prefix(network));
            let mirrored = Selector { local: filter.remote, remote: filter.local, ..filter };
            policy.filters.push(if gateway { mirrored } else { filter });
        }
    }

    fn network(self, seed: u64) -> Network {
        let config = Config { detail: Detail::Trace, ..Config::default() };
        let mut network = pair_with(seed, Weather::default(), &config, |index, policy| self.change(index, policy));
        network.hosts[1].users.insert("joe".to_owned(), b"foobar".to_vec());
        network
    }
}

pub(super) fn said(host: &Host) -> Vec<&'static str> {
    let names = host.events.iter().filter_map(|event| match &event.kind {
        EventKind::Message(MessageEvent::Sending { name, .. }) => Some(*name),
        _ => None,
    });
    names.filter(|name| name.starts_with("ext") || name.starts_with("mode")).collect()
}

fn config_events(host: &Host) -> Vec<String> {
    let events = host.events.iter().filter_map(|event| match &event.kind {
        EventKind::Config(event) => Some(format!("{event:?}")),
        _ => None,
    });
    events.collect()
}

/// One pair at both ends, from the client's lease.
#[track_caller]
pub(super) fn assert_leased(network: &Network, lease: IpAddr) {
    assert_eq!(twins(network), 1, "{:?}", network.hosts.each_ref().map(Host::failures));
    let [client, gateway] = &network.hosts;
    let of = |host: &Host| host.driver.pairs.values().next().expect("a pair").inbound.selector;
    assert_eq!(of(client), Selector::between(Prefix::host(lease), prefix("10.10.1.0/24")));
    assert_eq!(of(gateway), Selector::between(prefix("10.10.1.0/24"), Prefix::host(lease)));
    assert_eq!(client.addresses.iter().copied().collect::<Vec<_>>(), [lease]);
    assert!(gateway.addresses.is_empty());
}

#[test]
fn a_client_pulls_its_address_after_extended_authentication() {
    let mut network = USUAL.network(1);
    initiate(&mut network);
    network.run(Duration::from_secs(5));
    assert_leased(&network, LEASE);
    let [client, gateway] = &network.hosts;
    assert_eq!(
        said(gateway),
        ["extended authentication request", "extended authentication status", "mode config reply"]
    );
    assert_eq!(
        said(client),
        ["extended authentication reply", "extended authentication acknowledgement", "mode config request"]
    );
    let snapshot = gateway.endpoint.snapshot();
    assert_eq!(
        (snapshot.ike_sas[0].user.as_deref(), snapshot.ike_sas[0].addresses.as_slice()),
        (Some("joe"), &[LEASE][..])
    );
    assert_eq!(client.endpoint.snapshot().ike_sas[0].addresses, [LEASE]);
    let told = client.events.iter().find_map(|event| match &event.kind {
        EventKind::Config(crate::event::ConfigEvent::Configured(given)) => Some(given.as_ref().clone()),
        _ => None,
    });
    let given = told.expect("configured");
    let told = format!("{given}, {:?}", given.banner);
    for part in ["10.99.0.1", "10.10.1.53", "10.10.1.0/24", "office.example", "Welcome"] {
        assert!(told.contains(part), "{told}");
    }
    assert!(!format!("{:?}{:?}", client.events, gateway.events).contains("foobar"), "the password is in the events");
    network.hosts.iter().for_each(assert_settled);
    shut_down(&mut network);
    assert!(network.hosts[0].addresses.is_empty(), "the address is taken off the host");
    assert_eq!(network.hosts[1].endpoint.shared.leases.held(), 0);
}

#[test]
fn a_gateway_pushes_an_address() {
    let mut network = Case { push: true, ..USUAL }.network(2);
    initiate(&mut network);
    network.run(Duration::from_secs(5));
    assert_leased(&network, LEASE);
    assert_eq!(said(&network.hosts[1])[2..], ["mode config order"]);
    assert!(config_events(&network.hosts[0]).join("\n").contains("office.example"));
    shut_down(&mut network);
    assert!(network.hosts[0].addresses.is_empty());
}

#[test]
fn each_of_both_goes_without_the_other() {
    let mut network = Case { xauth: false, ..USUAL }.network(3);
    initiate(&mut network);
    network.run(Duration::from_secs(5));
    assert_leased(&network, LEASE);

    let networks = &[("10.20.0.0/16", "10.10.1.0/24")];
    let mut network = Case { mode_config: false, networks, ..USUAL }.network(4);
    initiate(&mut network);
    network.run(Duration::from_secs(5));
    assert_eq!(twins(&network), 1);
    assert!(network.hosts[0].addresses.is_empty());
    shut_down(&mut network);
}

#[test]
fn a_client_of_both_families_gets_an_address_of_each() {
    let networks = &[("0.0.0.0/0", "10.10.1.0/24"), ("::/0", "2001:db8:1::/64")];
    let ranges = &["10.99.0.1", "2001:db8:99::5-2001:db8:99::6"];
    for push in [false, true] {
        let mut network = Case { ranges, networks, push, ..USUAL }.network(5);
        initiate(&mut network);
        network.run(Duration::from_secs(5));
        assert_eq!(twins(&network), 2, "{:?}", network.hosts[0].failures());
        let leases: Vec<String> = network.hosts[0].addresses.iter().map(ToString::to_string).collect();
        assert_eq!(leases, ["10.99.0.1", "2001:db8:99::5"]);
        shut_down(&mut network);
        assert!(network.hosts[0].addresses.is_empty());
    }
}

#[test]
fn a_wrong_password_ends_the_isakmp_sa_and_nothing_else_comes_of_it() {
    let mut network = Case { password: "guess", ..USUAL }.network(6);
    initiate(&mut network);
    network.run(Duration::from_secs(70));
    let [client, gateway] = &network.hosts;
    assert_eq!(
        client.failures(),
        [Failure::XauthRefused { user: Some("joe".to_owned()), text: None }],
        "{:?}",
        client.ends()
    );
    let failures = gateway.failures();
    let [Failure::XauthFailed { user, reason, .. }] = failures.as_slice() else { panic!("{failures:?}") };
    assert_eq!((user.as_deref(), reason.as_str()), (Some("joe"), "wrong name or password"));
    for host in &network.hosts {
        assert!(host.endpoint.ike_sas.is_empty() && host.driver.pairs.is_empty());
        assert_settled(host);
    }
    assert_eq!(network.hosts[1].endpoint.shared.leases.held(), 0);
    assert_eq!(network.hosts[1].endpoint.snapshot().counters.authentication_failures, 1);
}

#[test]
fn a_client_without_a_user_is_refused() {
    // Its policy does not know of extended authentication: main mode itself does not come about.
    let mut network = pair(7, Weather::default(), |index, policy| {
        USUAL.change(index, policy);
        if index == 0 {
            policy.xauth = None;
        }
    });
    initiate(&mut network);
    network.run(Duration::from_secs(70));
    let failures = network.hosts[1].failures();
    assert!(matches!(failures.as_slice(), [Failure::NoProposalChosen { .. }]), "{failures:?}");
    let text = failures[0].to_string();
    assert!(
        text.contains("Authentication Method is pre-shared key (1)") && text.contains("XAUTHInitPreShared"),
        "{text}"
    );
}

#[test]
fn quick_mode_is_refused_until_extended_authentication_is_done() {
    let mut network = USUAL.network(8);
    network.hosts[1].checks = Some(Vec::new());
    initiate(&mut network);
    // The first request may overtake message 6, and is repeated.
    network.run(Duration::from_secs(3));
    let checks = network.hosts[1].checks.take().expect("kept");
    let [(ask, check)] = checks.try_into().unwrap_or_else(|all| panic!("one check: {all:?}"));
    assert_eq!(network.hosts[1].endpoint.snapshot().ike_sas[0].state, "the check of name and password");
    // The client believes that it is admitted, and begins a quick mode and asks for an address.
    let client = &mut network.hosts[0].endpoint;
    let id = *client.ike_sas.keys().next().expect("an SA");
    let standing = client.ike_sas.get_mut(&id).and_then(|sa| sa.standing_mut()).expect("it stands");
    standing.admitted = true;
    client.prepare(id);
    network.feed(0, Input::Timeout);
    network.run(Duration::from_secs(3));
    let refused = network.hosts[1].events.iter().filter(|event| {
        matches!(
            &event.kind,
            EventKind::Message(MessageEvent::Dropped {
                reason: Reject::Unexpected { exchange: ExchangeType::TRANSACTION, .. },
                ..
            })
        )
    });
    assert!(refused.count() > 0);
    let client = &mut network.hosts[0].endpoint;
    client.granted.insert(LEASE);
    let forged = crate::exchange::config_mode::Configuration { addresses: vec![LEASE], ..Default::default() };
    let standing = client.ike_sas.get_mut(&id).and_then(|sa| sa.standing_mut()).expect("it stands");
    standing.configuration = Some(Box::new(forged));
    let preparation = standing.preparation.take().expect("not ready");
    for negotiation in preparation.waiting {
        client.main_mode_is_there(negotiation, id);
    }
    network.feed(0, Input::Timeout);
    network.run(Duration::from_secs(1));
    let refused = network.hosts[1].events.iter().filter(|event| {
        matches!(
            &event.kind,
            EventKind::Message(MessageEvent::Dropped {
                reason: Reject::Unexpected { exchange: ExchangeType::QUICK, .. },
                ..
            })
        )
    });
    assert!(refused.count() > 0, "quick mode was not refused");
    assert!(network.hosts[1].driver.pairs.is_empty() && network.hosts[1].endpoint.snapshot().quick_modes.is_empty());
    assert_eq!(network.hosts[1].endpoint.shared.leases.held(), 0);
    // The verdict comes after all: the quick mode, repeated, is now taken on, but not with an address that it was not given.
    let answer = network.hosts[1].check(&check);
    network.feed(1, Input::Answer(ask, answer));
    network.run(Duration::from_secs(10));
    let failures = network.hosts[1].failures();
    assert!(failures.iter().any(|failure| matches!(failure, Failure::SelectorMismatch { .. })), "{failures:?}");
    assert!(network.hosts[1].driver.pairs.is_empty());
}

#[test]
fn a_client_cannot_take_the_address_of_another() {
    let mut network = USUAL.network(9);
    initiate(&mut network);
    network.run(Duration::from_secs(5));
    let client = &mut network.hosts[0].endpoint;
    let id = *client.ike_sas.keys().next().expect("an SA");
    let other = IpAddr::from([10, 99, 0, 2]);
    let standing = client.ike_sas.get_mut(&id).and_then(|sa| sa.standing_mut()).expect("it stands");
    standing.configuration.as_mut().expect("configured").addresses = vec![other];
    let pair = *client.pairs.keys().next().expect("a pair");
    network.feed(0, Input::Command(Command::RekeyIpsecSa(pair)));
    network.run(Duration::from_secs(5));
    let failures = network.hosts[1].failures();
    let [Failure::SelectorMismatch { received, allowed }] = failures.as_slice() else { panic!("{failures:?}") };
    assert_eq!(received.remote, Prefix::host(other));
    assert_eq!(*allowed, [Selector::between(prefix("10.10.1.0/24"), Prefix::host(LEASE))]);
    assert_eq!(network.hosts[1].driver.pairs.len(), 1);
}

#[test]
fn loss_and_duplicates_and_reordering_change_nothing() {
    for seed in 0..40 {
        let push = seed % 2 == 1;
        let weather = Weather { loss: 20, duplicates: 20, reordered: 20 };
        let mut network =
            pair_with(seed, weather, &Config::default(), |index, policy| Case { push, ..USUAL }.change(index, policy));
        network.hosts[1].users.insert("joe".to_owned(), b"foobar".to_vec());
        initiate(&mut network);
        network.run(Duration::from_secs(300));
        // With a fifth of all messages lost, some negotiation may fail; none may be left half done.
        let [client, gateway] = &network.hosts;
        for host in [client, gateway] {
            assert_settled(host);
        }
        if client.failures().is_empty() {
            assert_leased(&network, LEASE);
        }
        shut_down(&mut network);
        assert!(network.hosts[0].addresses.is_empty());
        assert_eq!(network.hosts[1].endpoint.shared.leases.held(), 0);
    }
}

#[test]
fn a_lost_reply_is_sent_again_and_nothing_is_done_twice() {
    let mut wire = Wire::between(USUAL.network(10).hosts);
    // Each message comes twice.
    for number in 0..15 {
        let mut again = Wire::between(USUAL.network(10).hosts);
        again.run(ALL_OVER, At::After(number), &|octets| vec![Forgery { octets: octets.to_vec(), true_address: true }]);
        let again = again.assert_agreed(&format!("message {number} twice"));
        assert_eq!(again.hosts[1].endpoint.shared.leases.held(), 1);
    }
    wire.run(Duration::from_secs(1), At::Never, &nothing);
    assert_eq!(wire.log.len(), 15, "six of main mode, four of XAuth, two of Mode Config, three of quick mode");
    // After the end too the reply that it had goes out again, the same octets; later it is forgotten.
    let ((from, request), (_, reply)) = (wire.log[10].clone(), wire.log[11].clone());
    assert_eq!(Header::decode(&request.octets).expect("a header").exchange, ExchangeType::TRANSACTION);
    let host = &mut wire.hosts[1 - from];
    host.receive(Time::from_secs(20), request.remote, request.local, &request.octets);
    assert_eq!(host.sent.pop_front().map(|sent| sent.octets), Some(reply.octets));
    host.feed(Time::from_secs(80), Input::Timeout);
    host.sent.clear();
    host.receive(Time::from_secs(80), request.remote, request.local, &request.octets);
    assert!(host.sent.is_empty());
}

#[test]
fn changed_and_cut_copies_of_any_message_change_nothing() {
    let lengths: Vec<usize> = {
        let mut wire = Wire::between(USUAL.network(11).hosts);
        wire.run(ALL_OVER, At::Never, &nothing);
        wire.log.iter().map(|(_, message)| message.octets.len()).collect()
    };
    for (number, len) in lengths.into_iter().enumerate().skip(6) {
        for at in [At::Before(number), At::After(number)] {
            let mut wire = Wire::between(USUAL.network(11).hosts);
            wire.run(ALL_OVER, at, &|octets| {
                let forge = |octets| Forgery { octets, true_address: true };
                let cut = (Header::LEN..len).map(|cut| {
                    let mut octets = octets[..cut].to_vec();
                    octets[24..28].copy_from_slice(&u32::try_from(cut).expect("short").to_be_bytes());
                    octets
                });
                changes(len).into_iter().map(|change| changed(octets, change)).chain(cut).map(forge).collect()
            });
            let wire = wire.assert_agreed(&format!("{at:?}"));
            assert_eq!(wire.hosts[0].addresses.len(), 1);
            assert_eq!(wire.hosts[1].endpoint.shared.leases.held(), 1);
            let dropped = wire.hosts.iter().map(|host| host.endpoint.counters.dropped).sum::<u64>();
            assert!(dropped > 20, "{at:?}: only {dropped} were dropped");
        }
    }
}

#[test]
fn recorded_messages_do_nothing_after_the_end() {
    let mut wire = Wire::between(USUAL.network(12).hosts);
    wire.run(ALL_OVER, At::Never, &nothing);
    let record = wire.log.clone();
    let events = config_events(&wire.hosts[0]).len() + config_events(&wire.hosts[1]).len();
    for (from, old) in &record {
        wire.hosts[1 - from].receive(wire.now, old.remote, old.local, &old.octets);
        wire.hosts[*from].receive(wire.now, old.local, old.remote, &old.octets);
    }
    wire.hosts.iter_mut().for_each(|host| host.sent.clear());
    wire.run(ALL_OVER, At::Never, &nothing);
    assert_eq!(config_events(&wire.hosts[0]).len() + config_events(&wire.hosts[1]).len(), events);
    wire.assert_agreed("replays");
}

#[test]
fn a_successor_of_the_isakmp_sa_is_authenticated_anew_and_keeps_the_address() {
    let mut network = Case { ike_seconds: 100, esp_seconds: 70, ..USUAL }.network(13);
    initiate(&mut network);
    network.run(Duration::from_secs(600));
    assert_leased(&network, LEASE);
    let [client, gateway] = &network.hosts;
    assert_eq!(client.failures(), []);
    assert_eq!(gateway.failures(), []);
    let admitted = config_events(gateway).iter().filter(|event| event.starts_with("UserAdmitted")).count();
    assert!(admitted >= 5, "{admitted}");
    let returned = config_events(client).iter().filter(|event| event.starts_with("AddressReturned")).count();
    assert_eq!(returned, 0, "the address never left the host");
    network.hosts.iter().for_each(assert_settled);
    shut_down(&mut network);
}

#[test]
fn an_address_that_cannot_be_added_ends_the_negotiation() {
    let mut network = USUAL.network(15);
    network.hosts[0].no_addresses = true;
    initiate(&mut network);
    network.run(Duration::from_secs(70));
    let reason = "told to fail".to_owned();
    assert_eq!(network.hosts[0].failures(), [Failure::AddressNotAdded { address: LEASE, reason }]);
    assert!(network.hosts[0].endpoint.granted.is_empty());
    network.hosts.iter().for_each(assert_settled);
}

#[test]
fn a_gateway_that_says_nothing_is_not_waited_for_for_ever() {
    let mut network = USUAL.network(16);
    // What the gateway asks never comes: it waits for the check of somebody who does not answer, and the client for it.
    network.meddle = Some(|octets| {
        if octets.get(18) == Some(&ExchangeType::TRANSACTION.0) {
            octets[24] = 0xff;
        }
    });
    initiate(&mut network);
    network.run(Duration::from_secs(200));
    let failures = network.hosts[0].failures();
    let [failure] = failures.as_slice() else { panic!("{failures:?}") };
    // Whichever end gives up first tells the other.
    let known =
        matches!(failure, Failure::PeerSilent { what: "extended authentication", .. } | Failure::DeletedByPeer(_));
    assert!(known, "{failure}");
    let failures = network.hosts[1].failures();
    assert!(
        matches!(
            failures.as_slice(),
            [Failure::TimedOut { message: "extended authentication request", .. } | Failure::DeletedByPeer(_)]
        ),
        "{failures:?}"
    );
    network.hosts.iter().for_each(assert_settled);
}

#[test]
fn a_gateway_cannot_begin() {
    let mut network = USUAL.network(17);
    network.feed(1, Input::Command(Command::InitiateRule { rule: "rule".to_owned(), peer: None }));
    network.run(Duration::from_secs(1));
    assert_eq!(network.hosts[1].failures(), [Failure::PeerBegins { rule: "rule".to_owned() }]);
    assert!(network.log.is_empty());
}

#[test]
fn a_gateway_that_asks_too_often_is_not_told_the_password_any_more() {
    let mut network = USUAL.network(18);
    network.hosts[1].checks = Some(Vec::new());
    initiate(&mut network);
    // The first request may overtake message 6, and is repeated.
    network.run(Duration::from_secs(3));
    for _ in 0..MAX_QUESTIONS {
        let gateway = &mut network.hosts[1].endpoint;
        let id = *gateway.ike_sas.keys().next().expect("an SA");
        gateway.prepare(id);
        network.feed(1, Input::Timeout);
        network.run(Duration::from_millis(100));
    }
    let checks = network.hosts[1].checks.take().expect("kept");
    assert_eq!(checks.len(), usize::try_from(MAX_QUESTIONS).expect("few"));
}

/// What the rule is now must have been asked of the peer.
#[test]
fn a_policy_that_asks_for_more_ends_what_was_let_in_with_less() {
    let case = Case { xauth: false, mode_config: false, networks: &[("10.20.0.0/16", "10.10.1.0/24")], ..USUAL };
    let mut network = case.network(19);
    initiate(&mut network);
    network.run(Duration::from_secs(5));
    assert_eq!(twins(&network), 1);
    let mut policy = TestPolicy::new(B, A);
    Case { xauth: true, ..case }.change(1, &mut policy);
    policy.version = 2;
    network.feed(1, Input::Policy(Arc::new(policy.database())));
    let gateway = &network.hosts[1];
    assert!(gateway.driver.pairs.is_empty() && gateway.endpoint.ike_sas.is_empty());
}

#[test]
fn nothing_goes_in_clear_before_the_peer_is_there() {
    let network = USUAL.network(20);
    let [client, gateway] = &network.hosts;
    let action = |host: &Host| host.driver.policies[0].action;
    assert_eq!(action(gateway), crate::sa::driver::TrafficAction::Block);
    assert!(matches!(action(client), crate::sa::driver::TrafficAction::Protect { endpoints: Some((A, B)), .. }));
}

#[test]
fn traffic_from_another_address_begins_no_second_quick_mode() {
    let mut network = USUAL.network(21);
    let flow = |local| crate::policy::selector::Flow {
        local,
        remote: IpAddr::from([10, 10, 1, 1]),
        protocol: 1,
        local_port: 0,
        remote_port: 0,
        scope: crate::address::Scope::ANY,
    };
    let acquire = |local| Input::Acquire(crate::sa::driver::Acquire { flow: flow(local), reqid: 1 });
    network.feed(0, acquire(A));
    network.run(Duration::from_secs(5));
    assert_leased(&network, LEASE);
    let sent = network.log.len();
    network.feed(0, acquire(A));
    network.run(Duration::from_secs(5));
    assert_eq!(network.log.len(), sent);
}
