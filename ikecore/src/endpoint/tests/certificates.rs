//! Authentication with certificates: both roles, every kind of key, everything that can be wrong.
use super::*;
use crate::certificate::{CertificateFault, RevocationCheck, Trust};
use crate::event::{IkeSaEvent, MessageEvent};
use crate::policy::rule::{AuthMethod, CertificateMethod, OwnCertificate};
use crate::testing::authority::{Authority, Issued, KeyKind, Wish};
use crate::testing::host::DATE;
use crate::wire::chain::{Padding, parse};
use crate::wire::codes::NotifyType;
use crate::wire::{CertReq, ExchangeType, Header, PayloadType};
use std::path::PathBuf;

/// An authority, one beneath it, and a certificate of the latter for each host.
pub(super) struct World {
    root: Authority,
    middle: Authority,
    pub(super) hosts: [Issued; 2],
}

const NAMES: [&str; 2] = ["fqdn:a.example", "fqdn:b.example"];

impl World {
    pub(super) fn new(key: KeyKind) -> Self {
        Self::with(key, |_, _| {})
    }

    pub(super) fn with(key: KeyKind, change: impl Fn(usize, &mut Wish)) -> Self {
        let mut root = Authority::root("O=Example, CN=root", KeyKind::P256, DATE);
        let mut middle = root.intermediate("O=Example, CN=issuing", KeyKind::P256);
        let hosts = core::array::from_fn(|host| {
            let address = [A, B][host].to_string();
            let names = [NAMES[host], &address];
            let mut wish = Wish::new(["O=Example, CN=a", "O=Example, CN=b"][host], &names, key, DATE);
            change(host, &mut wish);
            middle.issue(&wish)
        });
        Self { root, middle, hosts }
    }

    pub(super) fn method(&self, host: usize) -> CertificateMethod {
        let own = OwnCertificate {
            certificate: self.hosts[host].certificate.clone(),
            issuers: vec![self.middle.certificate()],
            private_key: PathBuf::from("key.pem"),
        };
        let trust = Trust {
            authorities: vec![self.root.certificate()],
            revocation_lists: Vec::new(),
            revocation_check: RevocationCheck::Off,
            legacy: false,
            names_excluded: false,
        };
        CertificateMethod { own: Arc::new(own), trust: Arc::new(trust) }
    }

    /// Two hosts with these certificates, each's method changed by `change`.
    pub(super) fn network(&self, change: impl Fn(usize, &mut CertificateMethod, &mut TestPolicy)) -> Network {
        self.network_with(&Config::default(), change)
    }

    /// The same with hosts that tell all that they send.
    pub(super) fn network_telling_all(
        &self,
        change: impl Fn(usize, &mut CertificateMethod, &mut TestPolicy),
    ) -> Network {
        self.network_with(&Config { detail: crate::event::Detail::Trace, ..Config::default() }, change)
    }

    fn network_with(
        &self,
        config: &Config,
        change: impl Fn(usize, &mut CertificateMethod, &mut TestPolicy),
    ) -> Network {
        let mut network = pair_with(1, Weather::default(), config, |host, policy| {
            let mut method = self.method(host);
            change(host, &mut method, policy);
            policy.methods = vec![AuthMethod::Certificate(Arc::new(method))];
        });
        self.give_keys(&mut network);
        network
    }

    /// The revocation lists of both authorities for a host, to be renewed on a date; a host's certificate is on them.
    pub(super) fn give_lists(&self, host: &mut Host, revoked: Option<usize>, next: i64) {
        let entries: Vec<_> = revoked.iter().map(|wrong| (&self.hosts[*wrong].certificate, DATE - 5)).collect();
        let root = self.root.revocation_list(&[], DATE - 9, next);
        let middle = self.middle.revocation_list(&entries, DATE - 9, next);
        for (name, list) in [("root.crl", root), ("issuing.crl", middle)] {
            host.files.insert(PathBuf::from(name), list);
        }
    }

    /// The private key of each host.
    pub(super) fn give_keys(&self, network: &mut Network) {
        for (host, issued) in self.hosts.iter().enumerate() {
            network.hosts[host].files.insert(PathBuf::from("key.pem"), issued.key.clone());
        }
    }
}

fn identities(host: &Host) -> Vec<String> {
    let events = host.events.iter().filter_map(|event| match &event.kind {
        EventKind::IkeSa(IkeSaEvent::Established { identity, .. }) => Some(identity.to_string()),
        _ => None,
    });
    events.collect()
}

/// Negotiates; the reason of failure of each host, if it failed.
fn negotiate(network: &mut Network) -> [Option<String>; 2] {
    initiate(network);
    network.run(Duration::from_secs(200));
    network.hosts.iter().for_each(assert_settled);
    core::array::from_fn(|host| network.hosts[host].failures().first().map(ToString::to_string))
}

#[test]
fn both_ends_authenticate_with_each_kind_of_key() {
    let kinds = [(KeyKind::Rsa(2048), 3), (KeyKind::P256, 9), (KeyKind::P384, 10), (KeyKind::P521, 11)];
    for ((key, code), aggressive) in kinds.into_iter().flat_map(|kind| [(kind, false), (kind, true)]) {
        let world = World::new(key);
        let mut network = world.network(|_, _, policy| policy.aggressive_mode = aggressive);
        assert_eq!(negotiate(&mut network), [None, None], "{key:?}");
        let first = Header::decode(&network.log[0].1.octets).expect("a header").exchange;
        assert_eq!(first, if aggressive { ExchangeType::AGGRESSIVE } else { ExchangeType::MAIN });
        assert_agree(&network);
        assert_eq!(network.hosts[0].driver.pairs.len(), 1);
        assert_eq!(identities(&network.hosts[0]), ["dn:O=Example, CN=b"]);
        assert_eq!(identities(&network.hosts[1]), ["dn:O=Example, CN=a"]);
        let suites = network.hosts[1].events.iter().filter_map(|event| match &event.kind {
            EventKind::IkeSa(IkeSaEvent::Established { suite, .. }) => Some(suite.authentication.0),
            _ => None,
        });
        assert_eq!(suites.collect::<Vec<_>>(), [code]);
        shut_down(&mut network);
    }
}

#[test]
fn the_configured_identity_is_sent_and_required() {
    let world = World::new(KeyKind::P256);
    for (own, peer) in [(NAMES[0], NAMES[1]), ("192.0.2.1", "192.0.2.2"), ("dn:o=example, cn=A", "dn:o=EXAMPLE, cn=B")]
    {
        let mut network = world.network(|host, _, policy| {
            let names = if host == 0 { [own, peer] } else { [peer, own] };
            let [local, remote] = names.map(|name| Some(name.parse().expect("an identity")));
            (policy.local_id, policy.remote_id) = (local, remote);
        });
        assert_eq!(negotiate(&mut network), [None, None], "{own}");
        // As the certificate has it, not as the policy does.
        let known = identities(&network.hosts[1]).remove(0);
        assert!(known.eq_ignore_ascii_case(own) && (own == known || known == "dn:O=Example, CN=a"), "{known}");
    }
}

#[test]
fn an_address_as_identity_is_that_of_the_peer_unless_the_policy_names_it() {
    let elsewhere = "198.51.100.7";
    for named in [false, true] {
        let world = World::with(KeyKind::P256, |host, wish| {
            if host == 0 {
                wish.names.push(elsewhere.to_owned());
            }
        });
        let mut network = world.network(|host, _, policy| {
            let identity = Some(elsewhere.parse().expect("an identity"));
            match host {
                0 => policy.local_id = identity,
                _ if named => policy.remote_id = identity,
                _ => {}
            }
        });
        let told = negotiate(&mut network)[1].clone();
        let expected = "ID 198.51.100.7 is not the address of the peer, 192.0.2.1";
        assert_eq!(told.is_none(), named, "{told:?}");
        assert!(told.is_none_or(|told| told.contains(expected)));
    }
}

#[test]
fn another_host_of_the_same_authority_is_not_the_peer() {
    let world = World::new(KeyKind::P256);
    for wrong in 0..2 {
        let mut network = world.network(|host, _, policy| {
            if host == wrong {
                policy.remote_id = Some("fqdn:other.example".parse().expect("an identity"));
            }
        });
        let failures = negotiate(&mut network);
        let told = failures[wrong].as_ref().expect("refused");
        assert!(told.contains("rule \"rule\" requires fqdn:other.example"), "{told}");
        assert!(network.hosts.iter().all(|host| host.driver.pairs.is_empty()));
    }
}

/// What is wrong with the peer's end, and what the one that notices tells.
type Fault = (&'static str, fn(&mut Wish), fn(&World, &mut CertificateMethod), &'static str);

const FAULTS: [Fault; 6] = [
    (
        "expired",
        |wish| wish.not_after = DATE - 1,
        |_, _| {},
        "certificate of O=Example, CN={} expired on 2026-01-08 19:19:59 UTC",
    ),
    ("not yet valid", |wish| wish.not_before = DATE + 9, |_, _| {}, "is valid from 2026-01-08 19:20:09 UTC on only"),
    (
        "purpose",
        |wish| wish.purposes = vec!["1.3.6.1.5.5.7.3.3".to_owned()],
        |_, _| {},
        "is for 1.3.6.1.5.5.7.3.3 only",
    ),
    (
        "intermediate missing",
        |_| {},
        |_, method| Arc::make_mut(&mut method.own).issuers.clear(),
        "no certificate chain to CA O=Example, CN=root from O=Example, CN={}, issued by O=Example, CN=issuing",
    ),
    ("key usage", |wish| wish.may_sign = false, |_, _| {}, "has neither digitalSignature nor nonRepudiation"),
    (
        "short key",
        |wish| wish.key = KeyKind::Rsa(1024),
        |_, _| {},
        "has an RSA key of 1024 bits, allowed are 2048 and more",
    ),
];

#[test]
fn what_is_wrong_with_the_peers_certificate_is_told() {
    for (what, wish, change, told) in FAULTS {
        for (bad, aggressive) in [(0, false), (1, false), (0, true), (1, true)] {
            let key = if what == "short key" { KeyKind::Rsa(2048) } else { KeyKind::P256 };
            let world = World::with(key, |host, w| {
                if host == bad {
                    wish(w);
                }
            });
            let mut network = world.network(|host, method, policy| {
                policy.aggressive_mode = aggressive;
                if host == bad {
                    change(&world, method);
                }
            });
            let failures = negotiate(&mut network);
            let told = told.replace("{}", ["a", "b"][bad]);
            let judge = failures[1 - bad].as_ref().unwrap_or_else(|| panic!("{what} of host {bad} was accepted"));
            assert!(judge.contains(&told), "{what} of host {bad}: {judge}");
            assert!(network.hosts.iter().all(|host| host.driver.pairs.is_empty()), "{what}");
            // The reason shows at once, though the negotiation ends only when nothing better has come.
            let refused = |event: &&crate::event::Event| match &event.kind {
                EventKind::IkeSa(IkeSaEvent::ProofRefused(failure)) => failure.to_string().contains(&told),
                EventKind::Message(MessageEvent::Dropped { reason, .. }) => reason.to_string().contains(&told),
                _ => false,
            };
            assert!(network.hosts[1 - bad].events.iter().any(|event| refused(&event)), "{what}");
        }
    }
}

#[test]
fn the_peer_is_told_that_its_certificate_was_refused() {
    let world = World::with(KeyKind::P256, |host, wish| {
        if host == 0 {
            wish.not_after = DATE - 1;
        }
    });
    let mut network = world.network(|_, _, _| {});
    let failures = negotiate(&mut network);
    let told = network.hosts[0].events.iter().any(|event| {
        matches!(&event.kind, EventKind::Message(MessageEvent::Notification { notify, .. })
            if *notify == NotifyType::INVALID_CERTIFICATE)
    });
    assert!(told, "{failures:?}");
    assert!(failures[0].is_some());
}

#[test]
fn an_authority_that_only_one_trusts_does_not_do() {
    let world = World::new(KeyKind::P256);
    let other = Authority::root("CN=other", KeyKind::P256, DATE).certificate();
    for judge in 0..2 {
        let mut network = world.network(|host, method, _| {
            if host == judge {
                Arc::make_mut(&mut method.trust).authorities = vec![other.clone()];
            }
        });
        let told = negotiate(&mut network)[judge].clone().expect("refused");
        assert!(told.contains("no certificate chain to CA CN=other from O=Example, CN="), "{told}");
    }
}

#[test]
fn an_identity_that_the_certificate_does_not_have_is_refused() {
    let world = World::new(KeyKind::P256);
    for bad in 0..2 {
        let mut network = world.network(|host, _, policy| {
            if host == bad {
                policy.local_id = Some("fqdn:x".parse().expect("an identity"));
            }
        });
        let told = negotiate(&mut network)[1 - bad].clone().expect("refused");
        let sans = format!("SANs are {}; {}", NAMES[bad], [A, B][bad]);
        assert!(told.contains(&format!("ID fqdn:x is in no SAN; {sans}")), "{told}");
    }
}

#[test]
fn a_key_that_is_not_the_certificates_signs_nothing() {
    let world = World::new(KeyKind::P256);
    for bad in 0..2 {
        let mut network = world.network(|_, _, _| {});
        let other = world.hosts[1 - bad].key.clone();
        network.hosts[bad].files.insert(PathBuf::from("key.pem"), other);
        let told = negotiate(&mut network)[bad].clone().expect("failed");
        let name = ["a", "b"][bad];
        let reason = "the private key is not that of the certificate";
        assert!(told.contains(&format!("no private key for O=Example, CN={name}: key.pem: {reason}")), "{told}");
        let mut network = world.network(|_, _, _| {});
        network.hosts[bad].files.clear();
        let told = negotiate(&mut network)[bad].clone().expect("failed");
        assert!(told.contains("key.pem: no such file"), "{told}");
    }
}

#[test]
fn revoked_certificates_are_refused() {
    let world = World::new(KeyKind::P256);
    let lists = [
        world.root.revocation_list(&[], DATE - 9, DATE + 9),
        world.middle.revocation_list(&[(&world.hosts[0].certificate, DATE - 5)], DATE - 9, DATE + 9),
    ];
    // What the rule says, and what is set for all: the stricter counts.
    for (judge, level, for_all, refused) in [
        (1, RevocationCheck::Off, RevocationCheck::Off, false),
        (1, RevocationCheck::Revoked, RevocationCheck::Off, true),
        (1, RevocationCheck::Strict, RevocationCheck::Off, true),
        (0, RevocationCheck::Strict, RevocationCheck::Off, false),
        (1, RevocationCheck::Off, RevocationCheck::Revoked, true),
        (1, RevocationCheck::Strict, RevocationCheck::Revoked, true),
        (0, RevocationCheck::Off, RevocationCheck::Strict, false),
    ] {
        let mut network = world.network(|host, method, _| {
            if host == judge {
                Arc::make_mut(&mut method.trust).revocation_lists =
                    vec![PathBuf::from("root.crl"), PathBuf::from("issuing.crl")];
                Arc::make_mut(&mut method.trust).revocation_check = level;
            }
        });
        for (name, list) in ["root.crl", "issuing.crl"].iter().zip(&lists) {
            network.hosts[judge].files.insert(PathBuf::from(name), list.clone());
        }
        network.hosts[judge].revocation_check = for_all;
        let told = negotiate(&mut network)[judge].clone();
        assert_eq!(told.is_some(), refused, "{level:?}, {for_all:?}: {told:?}");
        if let Some(told) = told {
            assert!(told.contains("certificate of O=Example, CN=a was revoked on 2026-01-08 19:19:55 UTC"), "{told}");
        }
    }
}

#[test]
fn the_certificate_that_the_peer_asks_for_is_sent() {
    let (one, other) = (World::new(KeyKind::P256), World::new(KeyKind::P256));
    let renamed = {
        let mut root = Authority::root("CN=second root", KeyKind::P256, DATE);
        root.issue(&Wish::new("O=Second, CN=a", &[], KeyKind::P256, DATE));
        root
    };
    drop(other);
    let mut second = renamed;
    let own = second.issue(&Wish::new("O=Second, CN=a", &[], KeyKind::P256, DATE));
    for (host, peer) in [(0, 1), (1, 0)] {
        let mut network = pair(7, Weather::default(), |at, policy| {
            let mut method = one.method(at);
            if at == peer {
                Arc::make_mut(&mut method.trust).authorities = vec![second.certificate()];
                policy.methods = vec![AuthMethod::Certificate(Arc::new(method))];
            } else {
                let own = OwnCertificate {
                    certificate: own.certificate.clone(),
                    issuers: Vec::new(),
                    private_key: PathBuf::from("second.pem"),
                };
                let wanted = CertificateMethod { own: Arc::new(own), trust: Arc::clone(&method.trust) };
                policy.methods = [method, wanted].map(|method| AuthMethod::Certificate(Arc::new(method))).to_vec();
            }
        });
        one.give_keys(&mut network);
        network.hosts[host].files.insert(PathBuf::from("second.pem"), own.key.clone());
        assert_eq!(negotiate(&mut network), [None, None], "host {host}");
        assert_eq!(identities(&network.hosts[peer]), ["dn:O=Second, CN=a"]);
    }
}

#[test]
fn methods_are_offered_in_the_rules_order_and_chosen_by_both() {
    let world = World::new(KeyKind::P256);
    let key = || AuthMethod::PreSharedKey(Arc::new(crate::secret::Secret::new(b"k".to_vec())));
    for (first_has_both, certificate_first, expected) in [(true, true, 9), (true, false, 1), (false, true, 9)] {
        let mut network = pair(3, Weather::default(), |host, policy| {
            let certificate = AuthMethod::Certificate(Arc::new(world.method(host)));
            policy.methods = match (host == 0 && !first_has_both, certificate_first) {
                (true, _) => vec![certificate],
                (false, true) => vec![certificate, key()],
                (false, false) => vec![key(), certificate],
            };
        });
        world.give_keys(&mut network);
        assert_eq!(negotiate(&mut network), [None, None]);
        let suite = network.hosts[0].events.iter().find_map(|event| match &event.kind {
            EventKind::IkeSa(IkeSaEvent::Established { suite, .. }) => Some(suite.authentication.0),
            _ => None,
        });
        assert_eq!(suite, Some(expected));
    }
}

#[test]
fn one_kind_of_key_on_each_side_agrees_on_nothing() {
    let (rsa, ecdsa) = (World::new(KeyKind::Rsa(2048)), World::new(KeyKind::P256));
    let mut network = pair(3, Weather::default(), |host, policy| {
        let world = if host == 0 { &rsa } else { &ecdsa };
        policy.methods = vec![AuthMethod::Certificate(Arc::new(world.method(host)))];
    });
    let told = negotiate(&mut network)[1].clone().expect("refused");
    assert!(told.contains("RSA signatures") && told.contains("ECDSA with SHA-256 on P-256"), "{told}");
}

/// What the workers of each host do in main mode: the key pair, the shared secret, a signature and a check each. In
/// aggressive mode the initiator's key pair is made at the very beginning.
const WORK: [usize; 2] = [4, 3];

#[test]
fn slow_signatures_and_checks_only_take_longer() {
    let world = World::new(KeyKind::P256);
    for (host, count, aggressive) in [(0, WORK[0], false), (1, WORK[1], false), (0, 3, true), (1, 3, true)] {
        for nth in 1..=count {
            let mut network = world.network(|_, _, policy| policy.aggressive_mode = aggressive);
            initiate(&mut network);
            suspended::until_held(&mut network, host, nth);
            // Not longer than the peer waits for message 2 of aggressive mode, after which its own is repeated no more.
            network.run(Duration::from_secs(6));
            // What the peer repeats in the meantime is not worked on again.
            assert_eq!(network.hosts[host].held.len(), 1, "host {host}, work {nth}");
            let now = network.now;
            network.hosts[host].release(now);
            network.run(Duration::from_secs(200));
            assert_agree(&network);
            assert_eq!(network.hosts[host].driver.pairs.len(), 1, "host {host}, work {nth}");
            network.hosts.iter().for_each(assert_settled);
        }
    }
}

#[test]
fn work_that_nobody_waits_for_any_more_is_cancelled() {
    let world = World::new(KeyKind::P256);
    for (host, count) in WORK.into_iter().enumerate() {
        for nth in 1..=count {
            let mut network = world.network(|_, _, _| {});
            initiate(&mut network);
            suspended::until_held(&mut network, host, nth);
            network.feed(host, Input::Command(Command::Shutdown));
            assert!(network.hosts[host].held.is_empty(), "host {host}, work {nth}");
            assert_gone(&network.hosts[host]);
        }
    }
}

#[test]
fn a_busy_worker_is_no_fault_of_the_peer() {
    let fault = CertificateFault::Aborted("signature");
    let failure = Failure::Certificate { fault, rule: "rule".to_owned() };
    assert_eq!(failure.notify(), Some(NotifyType::AUTHENTICATION_FAILED));
}

/// The authorities that a host names in its certificate requests of phase 1.
fn requested(host: &Host) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for event in &host.events {
        let EventKind::Message(MessageEvent::Sending { octets, .. }) = &event.kind else { continue };
        let header = Header::decode(octets).expect("a message of this host");
        if header.exchange == ExchangeType::MAIN {
            let chain = parse(header.next_payload, &octets[Header::LEN..], Padding::Forbidden).expect("its payloads");
            let requests = chain.all(PayloadType::CERTREQ).map(|payload| payload.decode(CertReq::decode).expect("one"));
            all.extend(requests.map(|request| request.authority.to_vec()));
        }
    }
    all
}

#[test]
fn an_authority_that_is_not_to_be_named_is_asked_for_without_a_name() {
    let world = World::new(KeyKind::P256);
    let mut network = world.network_telling_all(|host, method, _| {
        let trust = Trust { names_excluded: host == 0, ..method.trust.as_ref().clone() };
        method.trust = Arc::new(trust);
    });
    assert_eq!(negotiate(&mut network), [None, None]);
    let root = world.root.certificate().subject().to_vec();
    assert_eq!(network.hosts.each_ref().map(requested), [vec![Vec::new()], vec![root]]);
    let trust = world.method(0).trust.as_ref().clone();
    let unnamed = Trust { names_excluded: true, ..trust.clone() };
    assert!(trust.takes_the_same(&unnamed) && trust != unnamed);
    assert!(!trust.takes_the_same(&Trust { legacy: true, ..trust.clone() }));
    shut_down(&mut network);
}
