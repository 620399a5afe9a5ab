//! A NAT between the two hosts, before the initiator.
use super::*;
use crate::proposal::suite::IpsecSuite;
use crate::testing::network::Translation;
use crate::testing::policy::ESP;

/// The NAT's address.
const PUBLIC: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(203, 0, 113, 7));

const AH: IpsecSuite = IpsecSuite::Ah { integrity: crate::proposal::suite::Integrity::HmacSha256_128 };

struct Row {
    what: &'static str,
    /// What protects the traffic, of either host.
    suites: [IpsecSuite; 2],
    /// Who speaks NAT traversal.
    speaks: [bool; 2],
    /// The host that judges, and what the other hears.
    judge: usize,
    notify: Option<NotifyType>,
    says: &'static [&'static str],
}

const ROWS: &[Row] = &[
    Row {
        what: "AH only with the initiator",
        suites: [AH, ESP],
        speaks: [true; 2],
        judge: 0,
        notify: None,
        says: &["a NAT is between the peers", "rule \"rule\" has AH only", "allowed is ESP"],
    },
    Row {
        what: "AH only with the responder",
        suites: [ESP, AH],
        speaks: [true; 2],
        judge: 1,
        notify: Some(NotifyType::NO_PROPOSAL_CHOSEN),
        says: &["a NAT is between the peers", "rule \"rule\" has AH only", "allowed is ESP"],
    },
    // Then nobody sees the NAT, and the initiator names itself by an address that the responder does not know it by.
    Row {
        what: "NAT traversal off with the initiator",
        suites: [ESP; 2],
        speaks: [false, true],
        judge: 1,
        notify: Some(NotifyType::INVALID_ID_INFORMATION),
        says: &["the peer proposes 192.0.2.2 <-> 192.0.2.1", "allows for this peer: 192.0.2.2 <-> 203.0.113.7"],
    },
    Row {
        what: "NAT traversal off with the responder",
        suites: [ESP; 2],
        speaks: [true, false],
        judge: 1,
        notify: Some(NotifyType::INVALID_ID_INFORMATION),
        says: &["the peer proposes 192.0.2.2 <-> 192.0.2.1", "allows for this peer: 192.0.2.2 <-> 203.0.113.7"],
    },
];

impl Row {
    fn run(&self) -> String {
        let Self { what, suites, speaks, judge, notify, says } = self;
        let what = format!("through a NAT: {what}");
        let hosts = [(A, B), (B, PUBLIC)].into_iter().zip(0..).map(|((local, remote), index)| {
            let mut policy = TestPolicy::new(local, remote);
            policy.quick_mode[0].suite = suites[index].alone();
            let config = Config { detail: Detail::Trace, nat_traversal: speaks[index], ..Config::default() };
            Host::new(config, 2 + index as u64, policy.database())
        });
        let hosts: Vec<Host> = hosts.collect();
        let Ok(hosts) = <[Host; 2]>::try_from(hosts) else { panic!("two hosts") };
        let mut network = Network::new(hosts, Weather::default(), 1);
        network.nat = Some(Translation { public: PUBLIC, offset: 20_000 });
        initiate(&mut network);
        network.run(Duration::from_secs(LIMIT));
        network.hosts.iter().for_each(assert_settled);
        let (text, told) = report(&what, &network);
        let failures = network.hosts[*judge].failures();
        let [reason] = failures.as_slice() else { panic!("{what}: one reason: {failures:?}") };
        for word in *says {
            assert!(reason.to_string().contains(word), "{what}: {word:?} is not in {reason}");
        }
        let kinds: Vec<_> = told.iter().map(|told| (told.by, told.notify)).collect();
        assert_eq!(kinds, notify.map(|notify| (*judge, notify)).into_iter().collect::<Vec<_>>(), "{what}");
        assert_eq!(reasons(&network.hosts[1 - judge]).len(), usize::from(notify.is_some()), "{what}: {text}");
        assert_nothing_left(network, &what);
        text
    }
}

/// A second host behind the NAT, whose filter has the ports of the first one's.
fn same_ports() -> String {
    let what = "through a NAT: the ports of another host behind it";
    let host = |local, remote, seed, identity: Option<&str>| {
        let mut policy = TestPolicy::new(local, remote);
        policy.local_id = identity.map(|identity| identity.parse().expect("an identity"));
        Host::new(Config { detail: Detail::Trace, ..Config::default() }, seed, policy.database())
    };
    let hosts = [host(A, B, 2, None), host(B, PUBLIC, 3, None)];
    let mut network = Network::new(hosts, Weather::default(), 1);
    network.nat = Some(Translation { public: PUBLIC, offset: 20_000 });
    initiate(&mut network);
    network.run(Duration::from_secs(LIMIT));
    assert_eq!(twins(&network), 1);
    network.hosts[0] = host(A, B, 4, Some("192.0.2.77"));
    network.hosts[1].events.clear();
    network.nat = Some(Translation { public: PUBLIC, offset: 30_000 });
    initiate(&mut network);
    network.run(Duration::from_secs(LIMIT));
    network.hosts.iter().for_each(assert_settled);
    let (text, told) = report(what, &network);
    let failures = network.hosts[1].failures();
    assert!(matches!(failures.as_slice(), [Failure::SamePorts { .. }]), "{failures:?}");
    let kinds: Vec<_> = told.iter().map(|told| (told.by, told.notify)).collect();
    assert_eq!(kinds, [(1, NotifyType::INVALID_ID_INFORMATION)], "{what}");
    assert_eq!(network.hosts[1].driver.pairs.len(), 1, "the first host's pair stays");
    network.feed(1, Input::Command(Command::DeleteAll));
    network.run(Duration::from_secs(LIMIT));
    assert_nothing_left(network, what);
    text
}

#[test]
fn each_setting_of_either_host() {
    let text: Vec<String> = ROWS.iter().map(Row::run).chain([same_ports()]).collect();
    compare("misconfigured-nat", include_str!("../expected/misconfigured-nat.txt"), &text.join("\n"));
}
