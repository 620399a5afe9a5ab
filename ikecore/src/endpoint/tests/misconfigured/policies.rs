//! Two policies that are alike but for one setting.
use super::*;
use crate::crypto::cipher::CipherAlg;
use crate::crypto::group::Group;
use crate::crypto::hash::HashAlg;
use crate::identity::Identity;
use crate::policy::rule::RuleAction;
use crate::policy::selector::{Flow, Prefix, Selector};
use crate::proposal::suite::{EspCipher, Integrity, IpsecSuite, Lifetime};

/// What becomes of it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// The responder judges, and tells the initiator.
    Refused(NotifyType),
    /// The initiator judges, and tells the responder.
    RefusedByInitiator(NotifyType),
    /// The responder does not even tell that it is there.
    Silence,
    /// The initiator finds out before anything is sent.
    NotBegun,
    /// One end can do with the other's value: SAs come of it.
    Agreed,
}
use End::{Agreed, NotBegun, Refused, RefusedByInitiator, Silence};

/// A setting that the two policies do not have alike.
struct Row {
    setting: &'static str,
    values: [&'static str; 2],
    /// Gives a policy the first or the second value.
    set: fn(usize, &mut TestPolicy),
    /// The end if the initiator has the first value and the responder the second; and the reverse.
    ends: [End; 2],
    /// What the reason of the end that judges must say: the setting and both values, as they are shown.
    says: &'static [&'static str],
}

const NO_PROPOSAL: End = Refused(NotifyType::NO_PROPOSAL_CHOSEN);
const INVALID_ID: End = Refused(NotifyType::INVALID_ID_INFORMATION);
/// The first value is a name that an end has, the second one that the other end requires.
const WRONG_NAME: [End; 2] = [INVALID_ID, RefusedByInitiator(NotifyType::INVALID_ID_INFORMATION)];

const MAIN_MODE: &[Row] = &[
    Row {
        setting: "main mode, cipher",
        values: ["AES-256", "3DES"],
        set: |value, policy| policy.main_mode[0].cipher = [CipherAlg::Aes256, CipherAlg::TripleDes][value],
        ends: [NO_PROPOSAL; 2],
        says: &["main mode", "Encryption Algorithm", "AES-CBC-256 (7)", "3DES-CBC (5)"],
    },
    Row {
        setting: "main mode, length of the cipher's key",
        values: ["256 bits", "128 bits"],
        set: |value, policy| policy.main_mode[0].cipher = [CipherAlg::Aes256, CipherAlg::Aes128][value],
        ends: [NO_PROPOSAL; 2],
        says: &["main mode", "Encryption Algorithm", "AES-CBC-256 (7)", "AES-CBC-128 (7)"],
    },
    Row {
        setting: "main mode, hash",
        values: ["SHA-1", "SHA-256"],
        set: |value, policy| policy.main_mode[0].hash = [HashAlg::Sha1, HashAlg::Sha256][value],
        ends: [NO_PROPOSAL; 2],
        says: &["main mode", "Hash Algorithm", "SHA (2)", "SHA2-256 (4)"],
    },
    Row {
        setting: "main mode, group",
        values: ["ecp256", "modp2048"],
        set: |value, policy| policy.main_mode[0].group = [Group::Ecp256, Group::Modp2048][value],
        ends: [NO_PROPOSAL; 2],
        says: &["main mode", "Group Description", "(19)", "(14)"],
    },
    Row {
        setting: "main mode, no cipher of two in common",
        values: ["AES-256 and AES-192", "3DES and DES"],
        set: |value, policy| {
            let first = policy.main_mode[0];
            let ciphers = [[CipherAlg::Aes256, CipherAlg::Aes192], [CipherAlg::TripleDes, CipherAlg::Des]][value];
            policy.main_mode = ciphers.map(|cipher| crate::proposal::offer::MainModeOffer { cipher, ..first }).to_vec();
        },
        ends: [NO_PROPOSAL; 2],
        says: &["main mode", "AES-CBC-256 (7)", "AES-CBC-192 (7)", "3DES-CBC (5)", "DES-CBC (1)"],
    },
    Row {
        setting: "main mode, lifetime",
        values: ["8 hours", "1 hour"],
        set: |value, policy| policy.ike_lifetime = Lifetime { seconds: [28_800, 3_600][value], kilobytes: 0 },
        ends: [Agreed; 2],
        says: &[],
    },
    Row {
        setting: "quick modes of an ISAKMP SA",
        values: ["no limit", "1"],
        set: |value, policy| policy.quick_mode_limit = [0, 1][value],
        ends: [Agreed; 2],
        says: &[],
    },
    Row {
        setting: "pre-shared key",
        values: ["one", "another"],
        set: |value, policy| policy.psk = [b"correct horse battery" as &[u8], b"incorrect horse"][value],
        ends: [Refused(NotifyType::AUTHENTICATION_FAILED); 2],
        // The values are nobody's business.
        says: &["authentication of 192.0.2.1 failed", "pre-shared key of rule \"rule\""],
    },
    Row {
        setting: "the peer",
        values: ["the other host", "somebody else"],
        set: |value, policy| {
            if value == 1 {
                policy.remote = "192.0.2.99".parse().expect("an address");
            }
        },
        ends: [Silence, NotBegun],
        says: &["no rule of the policy", "192.0.2."],
    },
    Row {
        setting: "identity, addresses",
        values: ["sent: none, so the address", "required: 192.0.2.99"],
        set: |value, policy| {
            if value == 1 {
                policy.remote_id = Some(Identity::Address("192.0.2.99".parse().expect("an address")));
            }
        },
        ends: WRONG_NAME,
        says: &["identity is 192.0.2.", "requires 192.0.2.99", "rule \"rule\""],
    },
    Row {
        setting: "identity, a domain name for an address",
        values: ["sent: none, so the address", "required: fqdn:gateway.example"],
        set: |value, policy| {
            if value == 1 {
                policy.remote_id = Some(Identity::Fqdn("gateway.example".to_owned()));
            }
        },
        ends: WRONG_NAME,
        says: &["identity is 192.0.2.", "requires fqdn:gateway.example", "rule \"rule\""],
    },
    Row {
        setting: "identity, domain names",
        values: ["sent: fqdn:a.example", "required: fqdn:b.example"],
        set: |value, policy| name(value, policy, || ["a.example", "b.example"].map(|it| Identity::Fqdn(it.to_owned()))),
        ends: WRONG_NAME,
        says: &["identity is fqdn:a.example", "requires fqdn:b.example", "rule \"rule\""],
    },
    Row {
        setting: "identity, subnets",
        values: ["sent: 10.9.0.0/24", "required: 10.9.0.0/25"],
        set: |value, policy| {
            name(value, policy, || ["10.9.0.0/24", "10.9.0.0/25"].map(|it| it.parse().expect("an identity")));
        },
        ends: WRONG_NAME,
        says: &["identity is 10.9.0.0/24", "requires 10.9.0.0/25", "rule \"rule\""],
    },
    Row {
        setting: "identity, an address for a range around it",
        values: ["sent: none, so the address", "required: 192.0.2.0-192.0.2.255"],
        set: |value, policy| {
            if value == 1 {
                policy.remote_id = Some("192.0.2.0-192.0.2.255".parse().expect("an identity"));
            }
        },
        ends: WRONG_NAME,
        says: &["identity is 192.0.2.", "requires 192.0.2.0-192.0.2.255", "rule \"rule\""],
    },
    Row {
        setting: "identity, users",
        values: ["sent: user-fqdn:ada@a.example", "required: user-fqdn:bob@a.example"],
        set: |value, policy| {
            name(value, policy, || ["ada@a.example", "bob@a.example"].map(|it| Identity::UserFqdn(it.to_owned())));
        },
        ends: WRONG_NAME,
        says: &["identity is user-fqdn:ada@a.example", "requires user-fqdn:bob@a.example", "rule \"rule\""],
    },
    Row {
        setting: "identity, its kind",
        values: ["sent: fqdn:a.example", "required: key-id:61"],
        set: |value, policy| {
            name(value, policy, || [Identity::Fqdn("a.example".to_owned()), Identity::KeyId(b"a".to_vec())]);
        },
        ends: WRONG_NAME,
        says: &["identity is fqdn:a.example", "requires key-id:61", "rule \"rule\""],
    },
];

const QUICK_MODE: &[Row] = &[
    Row {
        setting: "quick mode, protocol",
        values: ["ESP", "AH"],
        set: |value, policy| {
            policy.quick_mode[0].suite = match value {
                0 => crate::testing::policy::ESP.alone(),
                _ => IpsecSuite::Ah { integrity: Integrity::HmacSha256_128 }.alone(),
            };
        },
        ends: [NO_PROPOSAL; 2],
        says: &["quick mode", "Protocol-ID", "ESP (3)", "AH (2)"],
    },
    Row {
        setting: "quick mode, cipher",
        values: ["AES-256", "3DES"],
        set: |value, policy| {
            esp(policy, [EspCipher::Aes256Cbc, EspCipher::TripleDesCbc][value], Integrity::HmacSha256_128);
        },
        ends: [NO_PROPOSAL; 2],
        says: &["quick mode", "Transform-ID", "AES-CBC-256 (12)", "3DES (3)"],
    },
    Row {
        setting: "quick mode, length of the cipher's key",
        values: ["256 bits", "128 bits"],
        set: |value, policy| {
            esp(policy, [EspCipher::Aes256Cbc, EspCipher::Aes128Cbc][value], Integrity::HmacSha256_128);
        },
        ends: [NO_PROPOSAL; 2],
        says: &["quick mode", "Transform-ID", "AES-CBC-256 (12)", "AES-CBC-128 (12)"],
    },
    Row {
        setting: "quick mode, kind of cipher",
        values: ["AES-256 in CBC mode with an integrity algorithm", "AES-256-GCM, which needs none"],
        set: |value, policy| {
            if value == 1 {
                policy.quick_mode[0].suite =
                    IpsecSuite::Esp { cipher: EspCipher::Aes256Gcm16, integrity: None }.alone();
            }
        },
        ends: [NO_PROPOSAL; 2],
        says: &["quick mode", "Transform-ID", "AES-CBC-256 (12)", "AES-GCM"],
    },
    Row {
        setting: "quick mode, integrity",
        values: ["SHA-1", "SHA-256"],
        set: |value, policy| {
            esp(policy, EspCipher::Aes256Cbc, [Integrity::HmacSha1_96, Integrity::HmacSha256_128][value]);
        },
        ends: [NO_PROPOSAL; 2],
        says: &["quick mode", "Authentication Algorithm", "HMAC-SHA (2)", "HMAC-SHA2-256 (5)"],
    },
    Row {
        // Both have the same number: nobody can see it before packets come.
        setting: "quick mode, length of the check values of SHA-256",
        values: ["128 bits", "96 bits"],
        set: |value, policy| {
            esp(policy, EspCipher::Aes256Cbc, [Integrity::HmacSha256_128, Integrity::HmacSha256_96][value]);
        },
        ends: [Agreed; 2],
        says: &[],
    },
    Row {
        setting: "quick mode, integrity of AH",
        values: ["SHA-1", "SHA-256"],
        set: |value, policy| {
            let integrity = [Integrity::HmacSha1_96, Integrity::HmacSha256_128][value];
            policy.quick_mode[0].suite = IpsecSuite::Ah { integrity }.alone();
        },
        ends: [NO_PROPOSAL; 2],
        says: &["quick mode", "Transform-ID", "SHA", "SHA2-256"],
    },
    Row {
        setting: "quick mode, group of perfect forward secrecy",
        values: ["ecp256", "ecp384"],
        set: |value, policy| policy.quick_mode[0].pfs = Some([Group::Ecp256, Group::Ecp384][value]),
        ends: [NO_PROPOSAL; 2],
        says: &["quick mode", "Group Description", "(19)", "(20)"],
    },
    Row {
        // Who asks for none accepts one.
        setting: "quick mode, perfect forward secrecy",
        values: ["none", "ecp256"],
        set: |value, policy| policy.quick_mode[0].pfs = [None, Some(Group::Ecp256)][value],
        ends: [NO_PROPOSAL, Agreed],
        says: &["quick mode", "Group Description", "none", "(19)"],
    },
    Row {
        setting: "quick mode, extended sequence numbers",
        values: ["without", "with"],
        set: |value, policy| policy.quick_mode[0].extended_sequence_numbers = value == 1,
        ends: [NO_PROPOSAL; 2],
        says: &["quick mode", "Extended (64-bit) Sequence Number", "64-bit", "absent"],
    },
    Row {
        setting: "quick mode, lifetime",
        values: ["1 hour", "10 minutes"],
        set: |value, policy| policy.quick_mode[0].lifetime.seconds = [3_600, 600][value],
        ends: [Agreed; 2],
        says: &[],
    },
    Row {
        setting: "quick mode, kilobytes",
        values: ["100000", "50000"],
        set: |value, policy| policy.quick_mode[0].lifetime.kilobytes = [100_000, 50_000][value],
        ends: [Agreed; 2],
        says: &[],
    },
    Row {
        setting: "mode of the SAs",
        values: ["transport", "tunnel"],
        set: |value, policy| policy.tunnel = value == 1,
        ends: [NO_PROPOSAL; 2],
        says: &["quick mode", "Encapsulation Mode", "Tunnel (1)", "Transport (2)"],
    },
];

const TRAFFIC: &[Row] = &[
    Row {
        setting: "filter, net of the first host",
        values: ["10.1.0.0/24", "10.1.5.0/24"],
        set: |value, policy| nets(policy, [[0, 0], [5, 0]][value], 24),
        ends: [INVALID_ID; 2],
        says: &["proposes", "10.1.0.0/24", "allows", "10.1.5.0/24"],
    },
    Row {
        setting: "filter, net of the second host",
        values: ["10.2.0.0/24", "10.2.5.0/24"],
        set: |value, policy| nets(policy, [[0, 0], [0, 5]][value], 24),
        ends: [INVALID_ID; 2],
        says: &["proposes", "10.2.0.0/24", "allows", "10.2.5.0/24"],
    },
    Row {
        // What lies within the filter of the responder is in order.
        setting: "filter, width of the nets",
        values: ["10.1.0.0/24 and 10.2.0.0/24", "10.1.0.0/16 and 10.2.0.0/16"],
        set: |value, policy| nets(policy, [0, 0], [24, 16][value]),
        ends: [Agreed, INVALID_ID],
        says: &["proposes", "10.1.0.0/16", "allows", "10.1.0.0/24"],
    },
    Row {
        setting: "filter, protocol",
        values: ["TCP", "UDP"],
        set: |value, policy| filter(policy, |filter| filter.protocol = [6, 17][value]),
        ends: [INVALID_ID; 2],
        says: &["proposes", "protocol 6", "allows", "protocol 17"],
    },
    Row {
        setting: "filter, any protocol or one",
        values: ["TCP", "any"],
        set: |value, policy| filter(policy, |filter| filter.protocol = [6, 0][value]),
        ends: [Agreed, INVALID_ID],
        says: &["proposes 192.0.2.", "allows", "protocol 6"],
    },
    Row {
        setting: "filter, port of the first host",
        values: ["80", "8080"],
        set: |value, policy| {
            let own = policy.local == A;
            filter(policy, |filter| {
                filter.protocol = 6;
                *(if own { &mut filter.local_port } else { &mut filter.remote_port }) = [80, 8080][value];
            });
        },
        ends: [INVALID_ID; 2],
        says: &["proposes", "192.0.2.1[80]", "allows", "192.0.2.1[8080]"],
    },
    Row {
        setting: "filter, whose port it is",
        values: ["the first host's", "the second host's"],
        set: |value, policy| {
            let own = (policy.local == A) == (value == 0);
            filter(policy, |filter| {
                filter.protocol = 6;
                *(if own { &mut filter.local_port } else { &mut filter.remote_port }) = 80;
            });
        },
        ends: [INVALID_ID; 2],
        says: &["proposes", "192.0.2.1[80]", "allows", "192.0.2.2[80]"],
    },
    Row {
        setting: "filter, family of the nets",
        values: ["IPv4", "IPv6"],
        set: |value, policy| {
            nets(policy, [0, 0], 24);
            if value == 1 {
                let net = |own: bool| {
                    Prefix::new(if own { "2001:db8:1::" } else { "2001:db8:2::" }.parse().expect("an address"), 48)
                };
                let own = policy.local == A;
                policy.filters = vec![Selector::between(net(own).expect("a prefix"), net(!own).expect("a prefix"))];
            }
        },
        ends: [INVALID_ID; 2],
        says: &["proposes", "10.1.0.0/24", "allows", "2001:db8:1::/48"],
    },
    Row {
        setting: "a filter of a rule that blocks",
        values: ["none", "for the same nets"],
        set: |value, policy| exception(value, policy, RuleAction::Block),
        ends: [INVALID_ID; 2],
        says: &["proposes", "10.1.0.0/", "10.1.0.0/24"],
    },
    Row {
        setting: "a filter of a rule that permits",
        values: ["none", "for the same nets"],
        set: |value, policy| exception(value, policy, RuleAction::Permit),
        ends: [INVALID_ID; 2],
        says: &["proposes", "10.1.0.0/", "10.1.0.0/24"],
    },
    Row {
        setting: "tunnel, the other end",
        values: ["the other host", "somebody else"],
        set: |value, policy| {
            nets(policy, [0, 0], 24);
            if value == 1 {
                policy.remote = "192.0.2.99".parse().expect("an address");
            }
        },
        ends: [Silence; 2],
        says: &["no rule of the policy", "192.0.2.1"],
    },
];

/// A filter between the two hosts of a policy, changed.
fn filter(policy: &mut TestPolicy, change: impl Fn(&mut Selector)) {
    let mut filter = Selector::between(Prefix::host(policy.local), Prefix::host(policy.remote));
    change(&mut filter);
    policy.filters = vec![filter];
}

/// A tunnel between 10.1.x.0 behind the first host and 10.2.y.0 behind the second.
fn nets(policy: &mut TestPolicy, [first, second]: [u8; 2], len: u8) {
    let net = |host, third| Prefix::new(IpAddr::from([10, host, third, 0]), len).expect("a prefix");
    let ends = [net(1, first), net(2, second)];
    let [local, remote] = if policy.local == A { ends } else { [ends[1], ends[0]] };
    policy.tunnel = true;
    policy.filters = vec![Selector::between(local, remote)];
}

/// With the second value, a wide filter and a narrower one that excepts from it what the other host has.
fn exception(value: usize, policy: &mut TestPolicy, action: RuleAction) {
    nets(policy, [0, 0], 24);
    if value == 1 {
        policy.exceptions = vec![(policy.filters[0], action)];
        nets(policy, [0, 0], 16);
    }
}

fn esp(policy: &mut TestPolicy, cipher: EspCipher, integrity: Integrity) {
    policy.quick_mode[0].suite = IpsecSuite::Esp { cipher, integrity: Some(integrity) }.alone();
}

/// One end has a name, the other requires another.
fn name(value: usize, policy: &mut TestPolicy, names: fn() -> [Identity; 2]) {
    let [sent, required] = names();
    match value {
        0 => policy.local_id = Some(sent),
        _ => policy.remote_id = Some(required),
    }
}

impl Row {
    /// One of the two directions: which value the initiator has.
    fn run(&self, first: usize) -> String {
        let Self { setting, values, set, ends, says } = self;
        let mut network = hosts(1, |host, policy| set(if host == 0 { first } else { 1 - first }, policy));
        let what = format!("{setting}: {} with the initiator, {} with the responder", values[first], values[1 - first]);
        if ends[first] == NotBegun {
            let flow = Flow {
                local: A,
                remote: B,
                protocol: 6,
                local_port: 1,
                remote_port: 2,
                scope: crate::address::Scope::ANY,
            };
            network.feed(0, Input::Command(Command::InitiateFlow(flow)));
        } else {
            initiate(&mut network);
        }
        network.run(Duration::from_secs(LIMIT));
        network.hosts.iter().for_each(assert_settled);
        let (text, told) = report(&what, &network);
        let failures = network.hosts.each_ref().map(Host::failures);
        let judge = match ends[first] {
            Refused(notify) => Some((1, Some(notify))),
            RefusedByInitiator(notify) => Some((0, Some(notify))),
            Silence => Some((1, None)),
            NotBegun => Some((0, None)),
            Agreed => None,
        };
        let Some((judge, notify)) = judge else {
            assert_eq!(failures, [vec![], vec![]], "{what}");
            for host in &network.hosts {
                assert_eq!(host.driver.pairs.len(), 1, "{what}");
            }
            shut_down(&mut network);
            return text;
        };
        let [reason] = failures[judge].as_slice() else { panic!("{what}: one reason: {failures:?}") };
        for word in *says {
            assert!(reason.to_string().contains(word), "{what}: {word:?} is not in {reason}");
        }
        assert_eq!(reason.notify().filter(|_| notify.is_some()), notify, "{what}");
        let kinds: Vec<_> = told.iter().map(|told| (told.by, told.notify)).collect();
        assert_eq!(kinds, notify.map(|notify| (judge, notify)).into_iter().collect::<Vec<_>>(), "{what}");
        // The other end has one reason too: its negotiation fails, or what came of it ends.
        if ends[first] != NotBegun {
            assert_eq!(reasons(&network.hosts[1 - judge]).len(), 1, "{what}: {text}");
        }
        assert_nothing_left(network, &what);
        text
    }
}

#[test]
fn each_setting_in_both_roles() {
    let rows = [MAIN_MODE, QUICK_MODE, TRAFFIC].into_iter().flatten();
    let text: Vec<String> = rows.flat_map(|row| [0, 1].map(|first| row.run(first))).collect();
    compare("misconfigured-policies", include_str!("../expected/misconfigured-policies.txt"), &text.join("\n"));
}
