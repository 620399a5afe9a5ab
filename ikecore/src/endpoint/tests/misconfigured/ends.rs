//! What the settings of the two hosts do not foretell: the administrator, time, another policy, other negotiations, users,
//! a driver that goes.
use super::super::commit_bit::set_bit;
use super::super::config_mode::USUAL;
use super::super::other_rule::ask_for_the_service;
use super::*;
use crate::endpoint::Answer;
use crate::identity::Identity;
use crate::ids::IkeSaId;
use crate::policy::db::PolicyDb;
use crate::policy::rule::{DeadPeerAction, DeadPeerDetection, Uniqueness};
use crate::policy::selector::{Prefix, Selector};
use crate::proposal::suite::{Integrity, IpsecSuite};
use crate::sa::driver::Expire;
use crate::testing::host::TestDriver;
use crate::testing::network::Translation;

/// Something that happens to one of two hosts.
struct Row {
    what: &'static str,
    /// The hosts to which it can happen.
    to: &'static [usize],
    /// Lets it happen to a host.
    run: fn(usize) -> Network,
    /// What the reason of that host must say; nothing: no end fails.
    says: &'static [&'static str],
    /// What it tells the other.
    notify: Option<NotifyType>,
}

const BOTH: &[usize] = &[0, 1];
const INITIATOR: &[usize] = &[0];
const RESPONDER: &[usize] = &[1];

/// Messages that have been sent: in the midst of main mode; with the first of quick mode, after which the responder sends the
/// second.
const MAIN_MODE: usize = 3;
const QUICK_MODE: usize = 7;

const DPD: DeadPeerDetection =
    DeadPeerDetection { delay: 30, timeout: 120, action: DeadPeerAction::Hold, periodic: true };

const ROWS: &[Row] = &[
    Row {
        what: "a rule that is not there is to begin",
        to: INITIATOR,
        run: |_| commanded(|_| {}, Command::InitiateRule { rule: "no such".to_owned(), peer: None }),
        says: &["no rule \"no such\""],
        notify: None,
    },
    Row {
        what: "a rule for many peers is to begin, and none is named",
        to: INITIATOR,
        run: |_| {
            let many = |policy: &mut TestPolicy| {
                policy.filters = vec![Selector::between(Prefix::host(A), net("192.0.2.0"))];
            };
            commanded(many, Command::InitiateRule { rule: "rule".to_owned(), peer: None })
        },
        says: &["192.0.2.1 <-> 192.0.2.0/24", "rule \"rule\"", "does not name one peer"],
        notify: None,
    },
    Row {
        what: "a gateway is to begin with clients at any address",
        to: INITIATOR,
        run: |_| {
            let gateway = |policy: &mut TestPolicy| (policy.tunnel, policy.any_peer) = (true, true);
            commanded(gateway, Command::InitiateRule { rule: "rule".to_owned(), peer: None })
        },
        says: &["rule \"rule\" is for peers that begin themselves"],
        notify: None,
    },
    Row {
        what: "the traffic falls under a rule with another key",
        to: RESPONDER,
        run: |_| ask_for_the_service(|policy| policy.psk = b"the service's own").0,
        says: &["rule \"service\"", "other authentication methods than rule \"rule\""],
        notify: Some(NotifyType::INVALID_ID_INFORMATION),
    },
    Row {
        what: "the user had too many failures of late",
        to: RESPONDER,
        run: |_| {
            let mut network = hosts(1, |host, policy| USUAL.change(host, policy));
            network.hosts[1].checks = Some(Vec::new());
            initiate(&mut network);
            let until = network.now + Duration::from_secs(LIMIT);
            while network.hosts[1].checks.as_ref().is_some_and(Vec::is_empty) {
                assert!(network.step(until), "no user is asked for");
            }
            let (id, _) = network.hosts[1].checks.take().expect("checks are kept back").remove(0);
            let refused = "5 failures with this name; nothing is looked at for another 599 s".to_owned();
            network.feed(1, Input::Answer(id, Answer::Xauth(Err(refused))));
            network
        },
        says: &["user \"joe\" at 192.0.2.1", "5 failures with this name", "599 s"],
        notify: None,
    },
    Row {
        what: "the address that the gateway gave cannot be added",
        to: INITIATOR,
        run: |_| {
            let mut network = hosts(1, |host, policy| USUAL.change(host, policy));
            network.hosts[1].users.insert("joe".to_owned(), b"foobar".to_vec());
            network.hosts[0].no_addresses = true;
            initiate(&mut network);
            network
        },
        says: &["the address 10.99.0.1 that the peer gave", "told to fail"],
        notify: None,
    },
    Row {
        what: "the peer sets the commit bit and never says CONNECTED",
        to: INITIATOR,
        run: peer_sets_commit_bit,
        says: &[],
        notify: None,
    },
    Row {
        what: "the peer sets the commit bit",
        to: RESPONDER,
        run: peer_sets_commit_bit,
        says: &[],
        notify: Some(NotifyType::CONNECTED),
    },
    Row {
        what: "SAs are to be replaced, and at the peer's address is somebody else",
        to: INITIATOR,
        run: |_| {
            let mut network = negotiated(|_, _| {});
            network.weather.loss = 100;
            other_policy(&mut network, 1, |policy| policy.local_id = Some(Identity::Fqdn("somebody.example".into())));
            let old = ike_sa(&network, 0);
            network.feed(0, Input::Command(Command::DeleteIkeSa(old)));
            network.run(Duration::from_secs(1));
            network.weather.loss = 0;
            let pair = *network.hosts[0].endpoint.pairs.keys().next().expect("a pair");
            network.feed(0, Input::Command(Command::RekeyIpsecSa(pair)));
            network
        },
        says: &["the peer at 192.0.2.2:500 is fqdn:somebody.example", "are of 192.0.2.2"],
        notify: None,
    },
    Row {
        what: "another policy in main mode, with another key",
        to: BOTH,
        run: |to| {
            let mut network = begun(MAIN_MODE + to);
            other_policy(&mut network, to, |policy| policy.psk = b"a new key");
            network
        },
        says: &["the policy has changed"],
        notify: Some(NotifyType::NO_PROPOSAL_CHOSEN),
    },
    Row {
        what: "another policy in main mode, with other algorithms for quick mode",
        to: INITIATOR,
        run: |to| {
            let mut network = begun(MAIN_MODE);
            other_policy(&mut network, to, other_algorithms);
            network
        },
        says: &["the policy has changed"],
        notify: None,
    },
    Row {
        what: "another policy in quick mode, with other algorithms",
        to: BOTH,
        run: |to| {
            let mut network = begun(QUICK_MODE + to);
            other_policy(&mut network, to, other_algorithms);
            network
        },
        says: &["the policy has changed"],
        notify: Some(NotifyType::NO_PROPOSAL_CHOSEN),
    },
    Row {
        what: "another policy for SAs that stand, with another key",
        to: BOTH,
        run: |to| {
            let mut network = negotiated(|_, _| {});
            other_policy(&mut network, to, |policy| policy.psk = b"a new key");
            network
        },
        says: &["the policy has changed"],
        notify: None,
    },
    Row {
        what: "the administrator ends main mode",
        to: BOTH,
        run: |to| {
            let mut network = begun(MAIN_MODE + to);
            let id = ike_sa(&network, to);
            network.feed(to, Input::Command(Command::DeleteIkeSa(id)));
            network
        },
        says: &["ended by the administrator"],
        notify: None,
    },
    Row {
        what: "the administrator ends the ISAKMP SA in quick mode",
        to: BOTH,
        run: |to| {
            let mut network = begun(QUICK_MODE + to);
            let id = ike_sa(&network, to);
            network.feed(to, Input::Command(Command::DeleteIkeSa(id)));
            network
        },
        says: &["its ISAKMP SA ended", "the administrator"],
        notify: None,
    },
    Row {
        what: "the driver goes in quick mode",
        to: BOTH,
        run: |to| {
            let mut network = begun(QUICK_MODE + to);
            network.feed(to, Input::DriverLost("the kernel module went away".to_owned()));
            network.hosts[to].driver = TestDriver::default();
            network
        },
        says: &["the SA driver is gone", "the kernel module went away"],
        notify: Some(NotifyType::NO_PROPOSAL_CHOSEN),
    },
    Row {
        what: "a main mode more than a peer may have that has proven nothing",
        to: RESPONDER,
        run: |_| {
            let config = Config { detail: Detail::Trace, half_open_per_peer: 1, ..Config::default() };
            let mut network = pair_with(1, Weather::default(), &config, |_, _| {});
            initiate(&mut network);
            run_until_sent(&mut network, 2);
            network.hosts[0] = Host::new(config, 99, TestPolicy::new(A, B).database());
            initiate(&mut network);
            network
        },
        says: &["half-open main modes of one address: 1 at once, allowed: 1"],
        notify: None,
    },
    Row {
        what: "the identity is in use at another address",
        to: RESPONDER,
        run: |_| {
            let mut network = hosts(1, |host, policy| {
                if host == 1 {
                    policy.uniqueness = Uniqueness::Refuse;
                    policy.filters = vec![Selector::between(Prefix::host(B), net("203.0.113.0"))];
                }
            });
            let at = |host| Some(Translation { public: IpAddr::from([203, 0, 113, host]), offset: 20_000 });
            network.nat = at(7);
            initiate(&mut network);
            network.run(Duration::from_secs(10));
            let config = Config { detail: Detail::Trace, initial_contact: false, ..Config::default() };
            network.hosts[0] = Host::new(config, 99, TestPolicy::new(A, B).database());
            network.nat = at(99);
            initiate(&mut network);
            network
        },
        says: &["the identity 192.0.2.1 is in use by the peer at 203.0.113.7", "refuses a second"],
        notify: None,
    },
    Row {
        what: "the peer begins anew and announces it",
        to: BOTH,
        run: |to| {
            let mut network = negotiated(|_, _| {});
            let peer = 1 - to;
            let (local, remote) = if peer == 0 { (A, B) } else { (B, A) };
            network.hosts[peer] = Host::new(telling_all(), 99, TestPolicy::new(local, remote).database());
            network.feed(peer, acquire(peer));
            network
        },
        says: &["INITIAL-CONTACT", "no earlier SA"],
        notify: None,
    },
    Row {
        what: "the driver says that the life of the SAs is over",
        to: BOTH,
        run: |to| {
            let mut network = negotiated(|_, _| {});
            let pair = network.hosts[to].driver.pairs.values().next().expect("a pair");
            let sa = pair.inbound.names().next().expect("a name");
            network.feed(to, Input::Expire(Expire { sa, hard: true }));
            network
        },
        says: &["its lifetime of 3600 s, 100000 kB ended"],
        notify: None,
    },
    Row {
        what: "a successor of the SAs",
        to: BOTH,
        run: |to| {
            let mut network = negotiated(|_, _| {});
            let id = *network.hosts[to].driver.pairs.keys().next().expect("a pair");
            network.feed(to, Input::Command(Command::RekeyIpsecSa(id)));
            network
        },
        says: &["replaced by a newer SA"],
        notify: None,
    },
    Row {
        what: "no packet for as long as the policy allows",
        to: BOTH,
        run: |to| {
            let mut network = negotiated(|host, policy| policy.idle = if host == to { 300 } else { 0 });
            network.run(Duration::from_secs(300));
            network
        },
        says: &["no packet in 300 s"],
        notify: None,
    },
    Row {
        what: "the peer is dead",
        to: BOTH,
        run: |to| {
            let mut network = negotiated(|host, policy| policy.dpd = (host == to).then_some(DPD));
            network.weather.loss = 100;
            network.run(Duration::from_secs(120));
            network
        },
        says: &["is dead: no answer to", "R-U-THERE in 120 s"],
        notify: Some(NotifyType::R_U_THERE),
    },
    Row {
        what: "a peer without IKE, with which traffic passed in clear, speaks it after all",
        to: BOTH,
        run: |to| {
            let mut network = hosts(1, |host, policy| policy.fallback_to_clear = host == to);
            network.weather.loss = 100;
            network.feed(to, acquire(to));
            network.run(Duration::from_secs(4));
            network.weather.loss = 0;
            network
        },
        says: &["the peer speaks IKE after all"],
        notify: None,
    },
];

/// The addresses from this one on that a 24-bit prefix covers.
fn net(address: &str) -> Prefix {
    Prefix::new(address.parse().expect("an address"), 24).expect("a prefix")
}

fn telling_all() -> Config {
    Config { detail: Detail::Trace, ..Config::default() }
}

/// The first host with another policy, and a command for it.
fn commanded(change: fn(&mut TestPolicy), command: Command) -> Network {
    let mut network = hosts(1, |host, policy| {
        if host == 0 {
            change(policy);
        }
    });
    network.feed(0, Input::Command(command));
    network
}

fn run_until_sent(network: &mut Network, messages: usize) {
    let until = network.now + Duration::from_secs(LIMIT);
    while network.log.len() < messages {
        assert!(network.step(until), "no message {messages}");
    }
}

/// A negotiation in the midst of it.
fn begun(messages: usize) -> Network {
    let mut network = hosts(1, |_, _| {});
    initiate(&mut network);
    run_until_sent(&mut network, messages);
    network
}

fn negotiated(change: impl Fn(usize, &mut TestPolicy)) -> Network {
    let mut network = hosts(1, change);
    initiate(&mut network);
    network.run(Duration::from_secs(2));
    assert_eq!(twins(&network), 1);
    network
}

fn peer_sets_commit_bit(to: usize) -> Network {
    let mut network = hosts(1, |_, _| {});
    network.rewrite = set_bit(1 - to, |_| true);
    initiate(&mut network);
    network
}

fn ike_sa(network: &Network, host: usize) -> IkeSaId {
    *network.hosts[host].endpoint.ike_sas.keys().next().expect("an ISAKMP SA")
}

fn other_policy(network: &mut Network, host: usize, change: fn(&mut TestPolicy)) {
    let (local, remote) = if host == 0 { (A, B) } else { (B, A) };
    let mut policy = TestPolicy { version: 2, ..TestPolicy::new(local, remote) };
    change(&mut policy);
    let database: PolicyDb = policy.database();
    network.feed(host, Input::Policy(Arc::new(database)));
}

fn other_algorithms(policy: &mut TestPolicy) {
    policy.quick_mode[0].suite = IpsecSuite::Ah { integrity: Integrity::HmacSha1_96 }.alone();
}

impl Row {
    fn run(&self, to: usize) -> String {
        let Self { what, run, says, notify, .. } = self;
        let what = format!("the {}: {what}", role(to));
        let mut network = run(to);
        network.run(Duration::from_secs(LIMIT));
        network.hosts.iter().for_each(assert_settled);
        let (text, told) = report(&what, &network);
        let told: Vec<_> = told.iter().map(|told| (told.by, told.notify)).collect();
        assert_eq!(told, notify.map(|notify| (to, notify)).into_iter().collect::<Vec<_>>(), "{text}");
        let own = reasons(&network.hosts[to]);
        if says.is_empty() {
            assert!(network.hosts.iter().all(|host| reasons(host).is_empty()), "{text}");
            assert_eq!(twins(&network), 1, "{text}");
        } else {
            assert!(own.iter().any(|reason| says.iter().all(|word| reason.contains(word))), "{says:?}: {text}");
            assert!(network.hosts.iter().all(|host| different_reasons(host) <= 2), "{text}");
        }
        network.rewrite = None;
        network.weather = Weather::default();
        shut_down(&mut network);
        text
    }
}

#[test]
fn each_end_at_either_host() {
    let text: Vec<String> = ROWS.iter().flat_map(|row| row.to.iter().map(|to| row.run(*to))).collect();
    compare("misconfigured-ends", include_str!("../expected/misconfigured-ends.txt"), &text.join("\n"));
}
