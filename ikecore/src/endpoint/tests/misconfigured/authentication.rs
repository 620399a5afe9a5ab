//! Two hosts that do not prove themselves to each other: certificates and revocation lists, users, addresses, modes of
//! phase 1.
use super::super::certificates::World;
use super::super::config_mode::{Case, USUAL};
use super::between::{Between, Of::Id, Payloads, body};
use super::*;
use crate::certificate::{CertificateFault, RevocationCheck};
use crate::crypto::signature::SigningKey;
use crate::policy::rule::{AuthMethod, CertificateMethod, HybridMethod};
use crate::testing::authority::{Authority, KeyKind, Wish};
use crate::testing::host::{DATE, Signer};
use std::path::PathBuf;

/// Who finds out what is wrong with a host's certificate.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Judge {
    /// The other host.
    Peer,
    /// The host itself.
    Itself,
}

/// What is wrong with a host's end, where both authenticate with certificates.
struct Row {
    fault: &'static str,
    key: KeyKind,
    wish: fn(&mut Wish),
    /// Changes the method of the host that is wrong (`true`) and of the other one.
    change: fn(&World, bool, &mut CertificateMethod, &mut TestPolicy),
    /// Changes the files of the host that judges: revocation lists of the world, where the wrong host is of this number.
    files: fn(&World, usize, &mut Host),
    /// Signs in place of the host that is wrong.
    sign: Option<Signer>,
    /// Changes the message in which it sends its certificates, as somebody who has the keys of the ISAKMP SA.
    message: Option<fn(&mut Payloads)>,
    judge: Judge,
    notify: Option<NotifyType>,
    says: &'static [&'static str],
}

/// A row of which nothing is wrong.
const RIGHT: Row = Row {
    fault: "",
    key: KeyKind::P256,
    wish: |_| {},
    change: |_, _, _, _| {},
    files: |_, _, _| {},
    sign: None,
    message: None,
    judge: Judge::Peer,
    notify: Some(NotifyType::INVALID_CERTIFICATE),
    says: &[],
};

/// The host that judges looks at the lists of the files `root.crl` and `issuing.crl`.
fn with_lists(wrong: bool, method: &mut CertificateMethod, revocation_check: RevocationCheck) {
    if !wrong {
        let trust = Arc::make_mut(&mut method.trust);
        trust.revocation_lists = ["root.crl", "issuing.crl"].map(PathBuf::from).to_vec();
        trust.revocation_check = revocation_check;
    }
}

const ROWS: &[Row] = &[
    Row {
        fault: "certificate expired",
        wish: |wish| wish.not_after = DATE - 1,
        says: &["certificate of O=Example, CN=", "expired on 2026-01-08 19:19:59 UTC"],
        ..RIGHT
    },
    Row {
        fault: "certificate not yet valid",
        wish: |wish| wish.not_before = DATE + 90,
        says: &["certificate of O=Example, CN=", "valid from 2026-01-08 19:21:30 UTC on only"],
        ..RIGHT
    },
    Row {
        fault: "certificate of an authority that the other does not know",
        change: |_, wrong, method, _| {
            if !wrong {
                let other = Authority::root("CN=other", KeyKind::P256, DATE).certificate();
                Arc::make_mut(&mut method.trust).authorities = vec![other];
            }
        },
        notify: Some(NotifyType::INVALID_CERT_AUTHORITY),
        says: &["no certificate chain to CA CN=other from O=Example, CN=", "issued by O=Example, CN=issuing"],
        ..RIGHT
    },
    Row {
        fault: "certificate without that of its issuer",
        change: |_, wrong, method, _| {
            if wrong {
                Arc::make_mut(&mut method.own).issuers.clear();
            }
        },
        notify: Some(NotifyType::INVALID_CERT_AUTHORITY),
        says: &["no certificate chain to CA O=Example, CN=root", "issued by O=Example, CN=issuing"],
        ..RIGHT
    },
    Row {
        fault: "certificate revoked",
        change: |_, wrong, method, _| with_lists(wrong, method, RevocationCheck::Revoked),
        files: |world, wrong, host| world.give_lists(host, Some(wrong), DATE + 9),
        says: &["certificate of O=Example, CN=", "was revoked on 2026-01-08 19:19:55 UTC"],
        ..RIGHT
    },
    Row {
        fault: "no revocation list, where one is wanted",
        change: |_, wrong, method, _| {
            with_lists(wrong, method, RevocationCheck::Strict);
            Arc::make_mut(&mut method.trust).revocation_lists.truncate(1);
        },
        files: |world, _, host| world.give_lists(host, None, DATE + 9),
        says: &["no revocation list tells whether the certificates from O=Example, CN="],
        ..RIGHT
    },
    Row {
        fault: "revocation list that was to be renewed",
        change: |_, wrong, method, _| with_lists(wrong, method, RevocationCheck::Strict),
        files: |world, _, host| world.give_lists(host, None, DATE - 2),
        says: &["the revocation list for the certificate of O=Example, CN=", "renewed on 2026-01-08 19:19:58 UTC"],
        ..RIGHT
    },
    Row {
        fault: "revocation list that is not there",
        change: |_, wrong, method, _| with_lists(wrong, method, RevocationCheck::Revoked),
        says: &["the revocation list root.crl: no such file"],
        ..RIGHT
    },
    Row {
        fault: "identity that is not in the certificate",
        change: |_, wrong, _, policy| {
            if wrong {
                policy.local_id = Some("fqdn:x.example".parse().expect("an identity"));
            }
        },
        notify: Some(NotifyType::INVALID_ID_INFORMATION),
        says: &["ID fqdn:x.example is in no SAN; SANs are fqdn:"],
        ..RIGHT
    },
    Row {
        fault: "certificate of another host of the authority",
        change: |_, wrong, _, policy| {
            if !wrong {
                policy.remote_id = Some("fqdn:other.example".parse().expect("an identity"));
            }
        },
        notify: Some(NotifyType::INVALID_ID_INFORMATION),
        says: &["the peer's identity is dn:O=Example, CN=", "requires fqdn:other.example"],
        ..RIGHT
    },
    Row {
        fault: "key usage",
        wish: |wish| wish.may_sign = false,
        says: &["key usage of the certificate of O=Example, CN=", "neither digitalSignature nor nonRepudiation"],
        ..RIGHT
    },
    Row {
        fault: "extended key usage",
        wish: |wish| wish.purposes = vec!["1.3.6.1.5.5.7.3.3".to_owned()],
        says: &["is for 1.3.6.1.5.5.7.3.3 only", "allowed are ipsecIKE"],
        ..RIGHT
    },
    Row {
        fault: "RSA key that is too short",
        key: KeyKind::Rsa(2048),
        wish: |wish| wish.key = KeyKind::Rsa(1024),
        says: &["has an RSA key of 1024 bits, allowed are 2048 and more"],
        ..RIGHT
    },
    Row {
        fault: "signature of another key",
        sign: Some(|_, _| Ok(vec![1; 64])),
        notify: Some(NotifyType::INVALID_SIGNATURE),
        says: &["the signature is not of the key of O=Example, CN="],
        ..RIGHT
    },
    Row {
        fault: "private key of another certificate",
        judge: Judge::Itself,
        notify: Some(NotifyType::AUTHENTICATION_FAILED),
        says: &["no private key for O=Example, CN=", "key.pem: the private key is not that of the certificate"],
        ..RIGHT
    },
    Row {
        fault: "busy with other signatures",
        sign: Some(|_, _| Err(CertificateFault::Aborted("signature"))),
        judge: Judge::Itself,
        notify: Some(NotifyType::AUTHENTICATION_FAILED),
        says: &["the signature was not made: too many are wanted at once"],
        ..RIGHT
    },
    Row {
        fault: "signature of another kind than was agreed on",
        key: KeyKind::Rsa(2048),
        wish: |wish| wish.key = KeyKind::P256,
        change: |world, wrong, method, _| {
            // What is offered is that of the first certificate, and the second has the key.
            if wrong {
                let own = Arc::make_mut(&mut method.own);
                let [a, b] = world.hosts.each_ref().map(|host| host.certificate.clone());
                let (rsa, ecdsa) = if own.certificate == a { (b, a) } else { (a, b) };
                own.certificate = rsa;
                own.issuers.insert(0, ecdsa);
            }
        },
        sign: Some(|sign, host| {
            let key = SigningKey::from_file(&host.files[&PathBuf::from("key.pem")]).expect("a key");
            Ok(key.sign(&sign.hash).expect("a signature"))
        }),
        says: &["certificate of O=Example, CN=", "has a key for ECDSA P-256, agreed was RSA"],
        ..RIGHT
    },
    Row {
        fault: "no certificate",
        message: Some(|payloads| payloads.retain(|(kind, _)| *kind != PayloadType::CERT)),
        notify: Some(NotifyType::CERTIFICATE_UNAVAILABLE),
        says: &["the peer sent no certificate"],
        ..RIGHT
    },
    Row {
        fault: "certificate that cannot be read",
        message: Some(|payloads| body(payloads, PayloadType::CERT).truncate(99)),
        says: &["a certificate cannot be read: "],
        ..RIGHT
    },
    Row {
        fault: "certificate with a key of an unknown kind",
        message: Some(|payloads| {
            // id-ecPublicKey, 1.2.840.10045.2.1, becomes 1.2.840.10045.2.9.
            let certificate = body(payloads, PayloadType::CERT);
            let algorithm = [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
            let at =
                certificate.windows(algorithm.len()).position(|octets| octets == algorithm).expect("its algorithm");
            certificate[at + algorithm.len() - 1] = 9;
        }),
        says: &["certificate of O=Example, CN=", "key"],
        ..RIGHT
    },
    Row {
        fault: "identity that is not the subject",
        change: |_, wrong, _, policy| {
            if wrong {
                policy.local_id = Some("dn:O=Example, CN=x".parse().expect("an identity"));
            }
        },
        notify: Some(NotifyType::INVALID_ID_INFORMATION),
        says: &["ID dn:O=Example, CN=x is not the subject of the certificate, which is O=Example, CN="],
        ..RIGHT
    },
    Row {
        fault: "identity that is another host's address",
        wish: |wish| wish.names.push("192.0.2.99".to_owned()),
        change: |_, wrong, _, policy| {
            if wrong {
                policy.local_id = Some("192.0.2.99".parse().expect("an identity"));
            }
        },
        notify: Some(NotifyType::INVALID_ID_INFORMATION),
        says: &["ID 192.0.2.99 is not the address of the peer, 192.0.2.", "allowed if remote_id says so"],
        ..RIGHT
    },
    Row {
        fault: "certificate that is signed with SHA-1",
        wish: |wish| wish.sha1 = true,
        says: &["the certificate chain from O=Example, CN=", "SHA-1 needs legacy = true"],
        ..RIGHT
    },
];

impl Row {
    /// The host of this number is wrong.
    fn run(&self, wrong: usize) -> String {
        let Self { fault, key, wish, change, files, sign, message, judge, notify, says } = self;
        let what = format!("the {}: {fault}", role(wrong));
        let world = World::with(*key, |host, all| {
            if host == wrong {
                wish(all);
            }
        });
        let hosts = || world.network_telling_all(|host, method, policy| change(&world, host == wrong, method, policy));
        let mut network = hosts();
        let judge = match judge {
            Judge::Peer => 1 - wrong,
            Judge::Itself => wrong,
        };
        files(&world, wrong, &mut network.hosts[1 - wrong]);
        if judge == wrong && sign.is_none() {
            let other = network.hosts[1 - wrong].files[&PathBuf::from("key.pem")].clone();
            network.hosts[wrong].files.insert(PathBuf::from("key.pem"), other);
        }
        if let Some(message) = *message {
            let mut between = Between::observing(hosts(), Id);
            // Fragments would pass as they are.
            network.hosts[wrong].endpoint.config.fragmentation = false;
            network.rewrite = Some(Box::new(move |from, octets| between.pass(Id, wrong, message, from, octets)));
        }
        network.hosts[wrong].sign = *sign;
        initiate(&mut network);
        network.run(Duration::from_secs(2 * LIMIT));
        network.hosts.iter().for_each(assert_settled);
        network.rewrite = None;
        let (text, told) = report(&what, &network);
        let failures = network.hosts[judge].failures();
        let [reason] = failures.as_slice() else { panic!("{what}: one reason: {failures:?}") };
        for word in *says {
            assert!(reason.to_string().contains(word), "{what}: {word:?} is not in {reason}");
        }
        assert_eq!(reason.notify(), *notify, "{what}");
        assert!(told.iter().all(|told| told.by == judge && Some(told.notify) == *notify), "{what}: {told:?}");
        // Who has sent message 6 is content: what it has leads nowhere, and ends with its life. If the initiator cannot even
        // sign, it tells nothing before the end.
        assert!(different_reasons(&network.hosts[1 - judge]) <= 1, "{what}: {text}");
        assert_nothing_left(network, &what);
        text
    }
}

#[test]
fn each_fault_of_a_certificate_in_both_roles() {
    let text: Vec<String> = ROWS.iter().flat_map(|row| [0, 1].map(|wrong| row.run(wrong))).collect();
    compare("misconfigured-certificates", include_str!("../expected/misconfigured-certificates.txt"), &text.join("\n"));
}

/// A client and a gateway that do not fit, or one host that authenticates in another way than the other.
struct Unlike {
    setting: &'static str,
    /// Changes the two policies: of the world, the number of the host.
    set: fn(&World, usize, &mut TestPolicy),
    /// The host that has the reason.
    judge: usize,
    notify: Option<NotifyType>,
    says: &'static [&'static str],
}

/// The usual client or gateway.
fn usual(case: Case, host: usize, policy: &mut TestPolicy) {
    case.change(host, policy);
}

fn signs(world: &World, host: usize, policy: &mut TestPolicy) {
    policy.methods = vec![AuthMethod::Certificate(Arc::new(world.method(host)))];
}

fn hybrid(world: &World, host: usize, policy: &mut TestPolicy) {
    usual(USUAL, host, policy);
    let method = world.method(host);
    let hybrid = if host == 0 { HybridMethod::Client(method.trust) } else { HybridMethod::Gateway(method.own) };
    policy.methods = vec![AuthMethod::Hybrid(hybrid)];
}

const NO_PROPOSAL: Option<NotifyType> = Some(NotifyType::NO_PROPOSAL_CHOSEN);

const UNLIKE: &[Unlike] = &[
    Unlike {
        setting: "the initiator has a pre-shared key, the responder certificates",
        set: |world, host, policy| {
            if host == 1 {
                signs(world, host, policy);
            }
        },
        judge: 1,
        notify: NO_PROPOSAL,
        says: &["Authentication Method is pre-shared key (1), allowed: RSA signatures (3)"],
    },
    Unlike {
        setting: "the initiator has certificates, the responder a pre-shared key",
        set: |world, host, policy| {
            if host == 0 {
                signs(world, host, policy);
            }
        },
        judge: 1,
        notify: NO_PROPOSAL,
        says: &["Authentication Method is RSA signatures (3), allowed: pre-shared key (1)"],
    },
    Unlike {
        setting: "the initiator has an RSA key, the responder an ECDSA key",
        set: |world, host, policy| {
            let other = World::new(KeyKind::P256);
            signs(if host == 0 { world } else { &other }, host, policy);
        },
        judge: 1,
        notify: NO_PROPOSAL,
        says: &["Authentication Method is RSA signatures (3), allowed: ECDSA with SHA-256 on P-256 (9)"],
    },
    Unlike {
        setting: "the initiator has an ECDSA key, the responder an RSA key",
        set: |world, host, policy| {
            let other = World::new(KeyKind::P256);
            signs(if host == 1 { world } else { &other }, host, policy);
        },
        judge: 1,
        notify: NO_PROPOSAL,
        says: &["Authentication Method is ECDSA with SHA-256 on P-256 (9), allowed: RSA signatures (3)"],
    },
    Unlike {
        setting: "the client has hybrid authentication, the gateway certificates of both",
        set: |world, host, policy| {
            hybrid(world, host, policy);
            if host == 1 {
                signs(world, host, policy);
            }
        },
        judge: 1,
        notify: NO_PROPOSAL,
        says: &["Authentication Method is HybridInitRSA (64221), allowed: XAUTHInitRSA (65005)"],
    },
    Unlike {
        setting: "the client has certificates of both, the gateway hybrid authentication",
        set: |world, host, policy| {
            hybrid(world, host, policy);
            if host == 0 {
                signs(world, host, policy);
            }
        },
        judge: 1,
        notify: NO_PROPOSAL,
        says: &["Authentication Method is XAUTHInitRSA (65005), allowed: HybridInitRSA (64221)"],
    },
    Unlike {
        setting: "the client wants another gateway of hybrid authentication",
        set: |world, host, policy| {
            hybrid(world, host, policy);
            if host == 0 {
                policy.remote_id = Some("fqdn:other.example".parse().expect("an identity"));
            }
        },
        judge: 0,
        notify: Some(NotifyType::INVALID_ID_INFORMATION),
        says: &["the peer's identity is dn:O=Example, CN=b", "requires fqdn:other.example"],
    },
    Unlike {
        setting: "the initiator has aggressive mode, the responder main mode only",
        set: |_, host, policy| policy.aggressive_mode = host == 0,
        judge: 1,
        notify: None,
        says: &["no rule of the policy allows aggressive mode with 192.0.2.1"],
    },
    Unlike {
        setting: "aggressive mode, of a peer with another name",
        set: |_, host, policy| {
            policy.aggressive_mode = true;
            let name = ["fqdn:a.example", "fqdn:b.example"][host].parse().expect("an identity");
            *(if host == 0 { &mut policy.local_id } else { &mut policy.remote_id }) = Some(name);
        },
        judge: 1,
        notify: None,
        says: &["no rule of the policy that allows aggressive mode is for fqdn:a.example at 192.0.2.1"],
    },
    Unlike {
        setting: "aggressive mode, pre-shared key",
        set: |_, host, policy| {
            policy.aggressive_mode = true;
            policy.psk = [b"correct horse battery" as &[u8], b"incorrect horse"][host];
        },
        judge: 0,
        notify: Some(NotifyType::AUTHENTICATION_FAILED),
        says: &["its HASH_R is wrong (pre-shared key of rule \"rule\" differs from the peer's)"],
    },
    Unlike {
        setting: "the client does not expect the question for its user",
        set: |_, host, policy| {
            usual(USUAL, host, policy);
            if host == 0 {
                policy.xauth = None;
            }
        },
        judge: 1,
        notify: NO_PROPOSAL,
        says: &["Authentication Method is pre-shared key (1), allowed: XAUTHInitPreShared"],
    },
    Unlike {
        setting: "the gateway does not ask for the user",
        set: |_, host, policy| {
            usual(USUAL, host, policy);
            if host == 1 {
                policy.xauth = None;
            }
        },
        judge: 1,
        notify: NO_PROPOSAL,
        says: &["Authentication Method is XAUTHInitPreShared", "allowed: pre-shared key (1)"],
    },
    Unlike {
        setting: "the password, after a pre-shared key",
        set: |_, host, policy| usual(Case { password: "guess", ..USUAL }, host, policy),
        judge: 1,
        notify: None,
        says: &["extended authentication of user \"joe\" at 192.0.2.1 failed: wrong name or password"],
    },
    Unlike {
        setting: "the password, after hybrid authentication",
        set: |world, host, policy| {
            let methods = {
                hybrid(world, host, policy);
                core::mem::take(&mut policy.methods)
            };
            usual(Case { password: "guess", ..USUAL }, host, policy);
            policy.methods = methods;
        },
        judge: 1,
        notify: None,
        says: &["extended authentication of user \"joe\" at 192.0.2.1 failed: wrong name or password"],
    },
    Unlike {
        setting: "the client asks for an address, the gateway has none to give",
        set: |_, host, policy| {
            usual(Case { xauth: false, ..USUAL }, host, policy);
            if host == 1 {
                policy.mode_config = None;
            }
        },
        judge: 0,
        notify: None,
        says: &["the peer gave this host no IPv4 address by mode config"],
    },
    Unlike {
        setting: "the pool has no address of the client's family",
        set: |_, host, policy| usual(Case { xauth: false, ranges: &["2001:db8::1"], ..USUAL }, host, policy),
        judge: 0,
        notify: None,
        says: &["the peer gave this host no IPv4 address by mode config"],
    },
];

impl Unlike {
    fn run(&self) -> String {
        let Self { setting, set, judge, notify, says } = self;
        let world = World::new(KeyKind::Rsa(2048));
        let mut network = hosts(1, |host, policy| set(&world, host, policy));
        world.give_keys(&mut network);
        network.hosts[1].users.insert("joe".to_owned(), b"foobar".to_vec());
        initiate(&mut network);
        network.run(Duration::from_secs(2 * LIMIT));
        let (text, told) = report(setting, &network);
        let failures = network.hosts[*judge].failures();
        let [reason] = failures.as_slice() else { panic!("{setting}: one reason: {failures:?}") };
        for word in *says {
            assert!(reason.to_string().contains(word), "{setting}: {word:?} is not in {reason}");
        }
        assert_eq!(reason.notify().filter(|_| notify.is_some()), *notify, "{setting}");
        assert!(told.iter().all(|told| told.by == *judge && Some(told.notify) == *notify), "{setting}: {told:?}");
        assert!(different_reasons(&network.hosts[1 - judge]) <= 1, "{setting}: {text}");
        assert_nothing_left(network, setting);
        text
    }
}

#[test]
fn each_way_to_authenticate_that_does_not_fit() {
    let text: Vec<String> = UNLIKE.iter().map(Unlike::run).collect();
    compare(
        "misconfigured-authentication",
        include_str!("../expected/misconfigured-authentication.txt"),
        &text.join("\n"),
    );
}
