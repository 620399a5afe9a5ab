//! A peer whose messages are wrong: as if it were built by other rules. The two hosts' own messages are changed on the way.
use super::between::Of::{self, Id, Ke, Quick, Sa};
use super::between::{Between, Payloads, body, encrypted, read, write};
use super::*;
use crate::crypto::group::Group;
use crate::crypto::quick::hash_1;
use crate::event::Reject;
use crate::wire::{ExchangeType, Flags, IkeAttribute, IpsecAttribute, build_message};
use std::sync::Arc;

/// What is wrong with it.
enum Change {
    /// Octets of the header.
    Header(fn(&mut Header)),
    /// The payloads; lengths follow.
    Payloads(fn(&mut Payloads)),
}
use Change::{Header as InHeader, Payloads as InPayloads};

struct Row {
    fault: &'static str,
    of: Of,
    change: Change,
    notify: Option<NotifyType>,
    /// What the reason of the end that judges must say: the field, what stands there, what may.
    says: &'static [&'static str],
}

/// Where fields stand in the body of an SA payload with one transform (RFC 2408 §3.4 to §3.6): in front of them DOI and
/// situation, and the generic headers of the proposal and of the transform.
const SITUATION: usize = 4;
const PROPOSAL: usize = 8;
const TRANSFORMS: usize = PROPOSAL + 7;
const SPI: usize = PROPOSAL + 8;

const ROWS: &[Row] = &[
    Row {
        fault: "exchange type without a meaning",
        of: Sa,
        change: InHeader(|header| header.exchange = ExchangeType(17)),
        notify: Some(NotifyType::INVALID_EXCHANGE_TYPE),
        says: &["exchange type", "17"],
    },
    Row {
        fault: "exchange type that is not spoken",
        of: Sa,
        change: InHeader(|header| header.exchange = ExchangeType::BASE),
        notify: Some(NotifyType::UNSUPPORTED_EXCHANGE_TYPE),
        says: &["exchange type Base (1)", "Main Mode (2)"],
    },
    Row {
        fault: "minor version",
        of: Sa,
        change: InHeader(|header| header.version = 0x11),
        notify: Some(NotifyType::INVALID_MINOR_VERSION),
        says: &["minor version 1", "0 is"],
    },
    Row {
        fault: "flags",
        of: Sa,
        change: InHeader(|header| header.flags = Flags(0x08)),
        notify: Some(NotifyType::INVALID_FLAGS),
        says: &["flags unknown (8)", "E (1), C (2) and A (4)"],
    },
    Row {
        fault: "message ID",
        of: Sa,
        change: InHeader(|header| header.message_id = crate::ids::MessageId(7)),
        notify: Some(NotifyType::INVALID_MESSAGE_ID),
        says: &["message ID 00000007", "zero is for phase 1"],
    },
    Row {
        fault: "DOI",
        of: Sa,
        change: InPayloads(|payloads| body(payloads, PayloadType::SA)[3] = 2),
        notify: Some(NotifyType::DOI_NOT_SUPPORTED),
        says: &["DOI GDOI (2)", "IPSEC (1)"],
    },
    Row {
        fault: "situation",
        of: Sa,
        change: InPayloads(|payloads| body(payloads, PayloadType::SA)[SITUATION + 3] = 2),
        notify: Some(NotifyType::SITUATION_NOT_SUPPORTED),
        says: &["situation", "2", "SIT_IDENTITY_ONLY (1)"],
    },
    Row {
        fault: "number of transforms",
        of: Sa,
        change: InPayloads(|payloads| body(payloads, PayloadType::SA)[TRANSFORMS] = 9),
        notify: Some(NotifyType::BAD_PROPOSAL_SYNTAX),
        says: &["announces 9 transforms", "has 1"],
    },
    Row {
        fault: "authentication method",
        of: Sa,
        change: InPayloads(|payloads| attribute(payloads, IkeAttribute::AUTHENTICATION_METHOD.0, 3)),
        notify: Some(NotifyType::NO_PROPOSAL_CHOSEN),
        says: &["Authentication Method is RSA", "(3)", "allowed: ", "(1)"],
    },
    Row {
        fault: "cipher without a meaning",
        of: Sa,
        change: InPayloads(|payloads| attribute(payloads, IkeAttribute::ENCRYPTION_ALGORITHM.0, 99)),
        notify: Some(NotifyType::NO_PROPOSAL_CHOSEN),
        says: &["Encryption Algorithm is", "99", "allowed: ", "(7)"],
    },
    Row {
        fault: "unit of the lifetime",
        of: Sa,
        change: InPayloads(|payloads| attribute(payloads, IkeAttribute::LIFE_TYPE.0, 3)),
        notify: Some(NotifyType::ATTRIBUTES_NOT_SUPPORTED),
        says: &["Life Type is", "3", "seconds (1), kilobytes (2)"],
    },
    Row {
        fault: "type of a payload without a meaning",
        of: Sa,
        change: InPayloads(|payloads| payloads.push((PayloadType(99), vec![0; 8]))),
        notify: Some(NotifyType::INVALID_PAYLOAD_TYPE),
        says: &["payload type", "99", "known types and 128 to 255"],
    },
    Row {
        fault: "two SA payloads",
        of: Sa,
        change: InPayloads(|payloads| payloads.push(payloads[0].clone())),
        notify: Some(NotifyType::PAYLOAD_MALFORMED),
        says: &["2 SA (1) payloads", "at most 1"],
    },
    Row {
        fault: "no nonce",
        of: Ke,
        change: InPayloads(|payloads| payloads.retain(|(kind, _)| *kind != PayloadType::NONCE)),
        notify: Some(NotifyType::PAYLOAD_MALFORMED),
        says: &["0 NONCE (10) payloads", "at least 1"],
    },
    Row {
        fault: "nonce too short",
        of: Ke,
        change: InPayloads(|payloads| body(payloads, PayloadType::NONCE).truncate(7)),
        notify: Some(NotifyType::PAYLOAD_MALFORMED),
        says: &["Nonce Data has 7 octets", "8 to 256"],
    },
    Row {
        fault: "nonce too long",
        of: Ke,
        change: InPayloads(|payloads| body(payloads, PayloadType::NONCE).resize(257, 1)),
        notify: Some(NotifyType::PAYLOAD_MALFORMED),
        says: &["Nonce Data has 257 octets", "8 to 256"],
    },
    Row {
        fault: "public value of another length",
        of: Ke,
        change: InPayloads(|payloads| body(payloads, PayloadType::KE).push(0)),
        notify: Some(NotifyType::INVALID_KEY_INFORMATION),
        says: &["public value of 65 octets", "ECP-256 (19) takes 64"],
    },
    Row {
        fault: "public value that is not of the group",
        of: Ke,
        change: InPayloads(|payloads| body(payloads, PayloadType::KE).fill(1)),
        notify: Some(NotifyType::INVALID_KEY_INFORMATION),
        says: &["public value is not a point of ECP-256 (19)"],
    },
    Row {
        fault: "identity of a kind that names no peer",
        of: Id,
        change: InPayloads(|payloads| {
            *body(payloads, PayloadType::ID) = vec![10, 0, 0, 0, 0x82, 1, b'a'];
        }),
        notify: Some(NotifyType::INVALID_ID_INFORMATION),
        says: &["ID type ID_DER_ASN1_GN (10)", "allowed are addresses, subnets and ranges"],
    },
    Row {
        fault: "identity, a subnet with holes in its mask",
        of: Id,
        change: InPayloads(|payloads| {
            *body(payloads, PayloadType::ID) = [&[4, 0, 0, 0][..], &[10, 1, 0, 0, 255, 0, 255, 0]].concat();
        }),
        notify: Some(NotifyType::INVALID_ID_INFORMATION),
        says: &[
            "mask 255.0.255.0 of 10.1.0.0 is not contiguous",
            "allowed are masks of one bits followed by zero bits",
        ],
    },
    Row {
        fault: "identity with another port than IKE's",
        of: Id,
        change: InPayloads(|payloads| body(payloads, PayloadType::ID)[1..4].copy_from_slice(&[17, 0, 53])),
        notify: Some(NotifyType::INVALID_ID_INFORMATION),
        says: &["protocol 17 port 53", "0/0, 17/0 and 17/500"],
    },
    Row {
        fault: "DOI",
        of: Quick,
        change: InPayloads(|payloads| body(payloads, PayloadType::SA)[3] = 2),
        notify: Some(NotifyType::DOI_NOT_SUPPORTED),
        says: &["DOI GDOI (2)", "IPSEC (1)"],
    },
    Row {
        fault: "situation",
        of: Quick,
        change: InPayloads(|payloads| body(payloads, PayloadType::SA)[SITUATION + 3] = 4),
        notify: Some(NotifyType::SITUATION_NOT_SUPPORTED),
        says: &["situation", "4", "SIT_IDENTITY_ONLY (1)"],
    },
    Row {
        fault: "number of transforms",
        of: Quick,
        change: InPayloads(|payloads| body(payloads, PayloadType::SA)[TRANSFORMS] = 9),
        notify: Some(NotifyType::BAD_PROPOSAL_SYNTAX),
        says: &["announces 9 transforms", "has 1"],
    },
    Row {
        fault: "SPI zero",
        of: Quick,
        change: InPayloads(|payloads| body(payloads, PayloadType::SA)[SPI..SPI + 4].fill(0)),
        notify: Some(NotifyType::INVALID_SPI),
        says: &["SPI is 0x00000000", "from 0x00000100 on"],
    },
    Row {
        fault: "unit of the lifetime",
        of: Quick,
        change: InPayloads(|payloads| attribute(payloads, IpsecAttribute::LIFE_TYPE.0, 3)),
        notify: Some(NotifyType::ATTRIBUTES_NOT_SUPPORTED),
        says: &["Life Type is", "3", "seconds (1), kilobytes (2)"],
    },
    Row {
        fault: "integrity algorithm without a meaning",
        of: Quick,
        change: InPayloads(|payloads| attribute(payloads, IpsecAttribute::AUTHENTICATION_ALGORITHM.0, 99)),
        notify: Some(NotifyType::NO_PROPOSAL_CHOSEN),
        says: &["Authentication Algorithm is", "99", "allowed: HMAC-SHA2-256 (5)"],
    },
    Row {
        fault: "a Key Exchange payload that nobody wants",
        of: Quick,
        change: InPayloads(|payloads| payloads.insert(3, (PayloadType::KE, vec![1; 64]))),
        notify: Some(NotifyType::INVALID_KEY_INFORMATION),
        says: &["Key Exchange payload"],
    },
    Row {
        fault: "traffic of another host",
        of: Quick,
        change: InPayloads(|payloads| body(payloads, PayloadType::ID)[7] = 77),
        notify: Some(NotifyType::INVALID_ID_INFORMATION),
        says: &["192.0.2.77", "192.0.2.1"],
    },
    Row {
        fault: "no nonce",
        of: Quick,
        change: InPayloads(|payloads| payloads.retain(|(kind, _)| *kind != PayloadType::NONCE)),
        notify: Some(NotifyType::PAYLOAD_MALFORMED),
        says: &["0 NONCE (10) payloads", "at least 1"],
    },
    Row {
        fault: "nonce too short",
        of: Quick,
        change: InPayloads(|payloads| body(payloads, PayloadType::NONCE).truncate(7)),
        notify: Some(NotifyType::PAYLOAD_MALFORMED),
        says: &["Nonce Data has 7 octets", "8 to 256"],
    },
    Row {
        fault: "three identities",
        of: Quick,
        change: InPayloads(|payloads| payloads.push(payloads.last().expect("an ID").clone())),
        notify: Some(NotifyType::PAYLOAD_MALFORMED),
        says: &["3 ID (5) payloads", "at most 2"],
    },
    Row {
        fault: "identities of two protocols",
        of: Quick,
        change: InPayloads(|payloads| {
            for (id, protocol) in payloads.iter_mut().filter(|(kind, _)| *kind == PayloadType::ID).zip([6, 17]) {
                id.1[1] = protocol;
            }
        }),
        notify: Some(NotifyType::INVALID_ID_INFORMATION),
        says: &["the ID payloads name protocol", "6", "17"],
    },
    Row {
        fault: "identity of a kind that names no traffic",
        of: Quick,
        change: InPayloads(|payloads| *body(payloads, PayloadType::ID) = [&[2, 0, 0, 0][..], b"a.example"].concat()),
        notify: Some(NotifyType::INVALID_ID_INFORMATION),
        says: &["ID type ID_FQDN (2)", "allowed are addresses, subnets and ranges"],
    },
];

/// In main mode, with a group of integers: what RFC 2412 appendix B warns of, and cookies of another negotiation.
const MAIN_MODE: &[Row] = &[
    Row {
        fault: "public value 0",
        of: Ke,
        change: InPayloads(|payloads| body(payloads, PayloadType::KE).fill(0)),
        notify: Some(NotifyType::INVALID_KEY_INFORMATION),
        says: &["public value is outside of 2 to p-2 of MODP-1024 (2)"],
    },
    Row {
        fault: "public value 1",
        of: Ke,
        change: InPayloads(|payloads| {
            let value = body(payloads, PayloadType::KE);
            value.fill(0);
            *value.last_mut().expect("octets") = 1;
        }),
        notify: Some(NotifyType::INVALID_KEY_INFORMATION),
        says: &["public value is outside of 2 to p-2 of MODP-1024 (2)"],
    },
    Row {
        fault: "public value p - 1",
        of: Ke,
        change: InPayloads(|payloads| {
            let mut prime = openssl::bn::BigNum::get_rfc2409_prime_1024().expect("a prime");
            prime.sub_word(1).expect("more than 1");
            *body(payloads, PayloadType::KE) = prime.to_vec();
        }),
        notify: Some(NotifyType::INVALID_KEY_INFORMATION),
        says: &["public value is outside of 2 to p-2 of MODP-1024 (2)"],
    },
    Row {
        fault: "responder's cookie of another negotiation",
        of: Ke,
        change: InHeader(|header| header.responder.0[7] ^= 1),
        notify: None,
        says: &["no answer from 192.0.2.", "to main mode message"],
    },
    Row {
        fault: "initiator's cookie of another negotiation",
        of: Ke,
        change: InHeader(|header| header.initiator.0[7] ^= 1),
        notify: None,
        says: &["no answer from 192.0.2.", "to main mode message"],
    },
];

/// With perfect forward secrecy.
const KEY_EXCHANGE: &[Row] = &[
    Row {
        fault: "no Key Exchange payload",
        of: Quick,
        change: InPayloads(|payloads| payloads.retain(|(kind, _)| *kind != PayloadType::KE)),
        notify: Some(NotifyType::INVALID_KEY_INFORMATION),
        says: &["Key Exchange payload is absent"],
    },
    Row {
        fault: "public value of another length",
        of: Quick,
        change: InPayloads(|payloads| body(payloads, PayloadType::KE).push(0)),
        notify: Some(NotifyType::INVALID_KEY_INFORMATION),
        says: &["65", "64", "ECP-256 (19)"],
    },
    Row {
        fault: "public value that is not of the group",
        of: Quick,
        change: InPayloads(|payloads| body(payloads, PayloadType::KE).fill(1)),
        notify: Some(NotifyType::INVALID_KEY_INFORMATION),
        says: &["public value is not a point of ECP-256 (19)"],
    },
];

/// Gives an attribute of the one transform of an SA payload another value of 16 bits.
fn attribute(payloads: &mut Payloads, kind: u16, value: u16) {
    let sa = body(payloads, PayloadType::SA);
    // Behind the SPI: the transform's generic header, its number, its ID and two octets that are reserved.
    let mut at = SPI + usize::from(sa[PROPOSAL + 6]) + 8;
    while sa[at..at + 2] != (0x8000 | kind).to_be_bytes() {
        let basic = sa[at] & 0x80 != 0;
        at += 4 + if basic { 0 } else { usize::from(u16::from_be_bytes([sa[at + 2], sa[at + 3]])) };
    }
    sa[at + 2..at + 4].copy_from_slice(&value.to_be_bytes());
}

impl Row {
    /// The messages of one side are wrong, the other judges.
    fn run(&'static self, side: usize, [main_mode, pfs]: [Option<Group>; 2]) -> String {
        let Self { fault, of, change, notify, says } = self;
        let what = format!("{}: {fault}", of.name(side));
        let hosts = || {
            hosts(1, |_, policy| {
                policy.main_mode[0].group = main_mode.unwrap_or(policy.main_mode[0].group);
                policy.quick_mode[0].pfs = pfs;
            })
        };
        let mut between = matches!(of, Id | Quick).then(|| Between::observing(hosts(), *of));
        let mut network = hosts();
        network.rewrite = Some(Box::new(move |from, octets| {
            let Some(mut header) = Header::decode(octets).ok().filter(|header| of.fits(header)) else {
                return octets.to_vec();
            };
            match (change, &mut between) {
                (InPayloads(change), Some(between)) => between.pass(*of, side, *change, from, octets),
                _ if from != side => octets.to_vec(),
                (InHeader(change), _) => {
                    change(&mut header);
                    build_message(&header, header.next_payload, &octets[Header::LEN..])
                }
                (InPayloads(change), None) => {
                    let mut payloads = read(header.next_payload, &octets[Header::LEN..]);
                    change(&mut payloads);
                    let (first, body) = write(&payloads);
                    build_message(&header, first, &body)
                }
            }
        }));
        initiate(&mut network);
        network.run(Duration::from_secs(LIMIT));
        network.hosts.iter().for_each(assert_settled);
        let (text, told) = report(&what, &network);
        let judge = 1 - side;
        let failures = network.hosts[judge].failures();
        let [reason] = failures.as_slice() else { panic!("{what}: one reason: {failures:?}") };
        for word in *says {
            assert!(reason.to_string().contains(word), "{what}: {word:?} is not in {reason}");
        }
        let kinds: Vec<_> = told.iter().map(|told| (told.by, told.notify)).collect();
        assert_eq!(kinds, notify.map(|notify| (judge, notify)).into_iter().collect::<Vec<_>>(), "{what}");
        // Who has sent message 6 has an SA. It could not read a delete, whose IV follows from that message as it came here:
        // changed. Nothing of the SA leads anywhere, and it ends with its life.
        let other = reasons(&network.hosts[side]).len();
        assert_eq!(other, usize::from((*of, side) != (Id, 1)), "{what}: {text}");
        network.rewrite = None;
        assert_nothing_left(network, &what);
        text
    }
}

/// A host begins a quick mode with the message ID of one that is over. The IV follows from it (RFC 2409 appendix B), so that
/// it must not come twice; and the message may be a recorded one. So nobody answers.
fn message_id_again(by: usize) -> String {
    let mut network = hosts(1, |_, _| {});
    initiate(&mut network);
    network.run(Duration::from_secs(2));
    let sa = network.hosts[by].endpoint.ike_sas.values().next().expect("an ISAKMP SA");
    let keys = Arc::clone(&sa.standing().expect("standing").sa.keys);
    let used = Header::decode(&network.log[6].1.octets).expect("a message of a host").message_id;
    network.rewrite = Some(Box::new(move |from, octets| {
        let header = Header::decode(octets).expect("a message of a host");
        if from != by || header.exchange != ExchangeType::QUICK {
            return octets.to_vec();
        }
        let mut plain = octets[Header::LEN..].to_vec();
        keys.cipher.decrypt(keys.first_iv(header.message_id).as_ref(), &mut plain).expect("whole blocks");
        let mut payloads = read(header.next_payload, &plain);
        let (_, rest) = write(&payloads[1..].to_vec());
        payloads[0].1 = hash_1(keys.a(), used, &rest).as_ref().to_vec();
        encrypted(&keys, &keys.first_iv(used), &Header { message_id: used, ..header }, &payloads)
    }));
    network.feed(by, Input::Command(Command::InitiateRule { rule: "rule".to_owned(), peer: None }));
    network.run(Duration::from_secs(LIMIT));
    network.hosts.iter().for_each(assert_settled);
    let what = format!("quick mode message 1 of the {}: message ID of an earlier quick mode", role(by));
    let (text, told) = report(&what, &network);
    let failures = network.hosts.each_ref().map(Host::failures);
    assert!(matches!(failures[by].as_slice(), [Failure::TimedOut { message: "quick mode message 1", .. }]), "{text}");
    assert!(failures[1 - by].is_empty() && told.is_empty(), "{text}");
    let finished = network.hosts[1 - by].events.iter().filter(|event| {
        let EventKind::Message(MessageEvent::Dropped { reason, .. }) = &event.kind else { return false };
        matches!(reason, Reject::Unexpected { state: "finished", .. })
    });
    assert_eq!(finished.count(), 6, "each transmission is dropped");
    // What stood before stands.
    network.rewrite = None;
    assert_eq!(twins(&network), 1);
    shut_down(&mut network);
    text
}

#[test]
fn each_fault_in_both_roles() {
    let main_mode = MAIN_MODE.iter().map(|row| (row, [Some(Group::Modp1024), None]));
    let with_pfs = KEY_EXCHANGE.iter().map(|row| (row, [None, Some(Group::Ecp256)]));
    let rows = ROWS.iter().map(|row| (row, [None; 2])).chain(main_mode).chain(with_pfs);
    let texts = rows.flat_map(|(row, groups)| [0, 1].map(|side| row.run(side, groups)));
    let text: Vec<String> = texts.chain([0, 1].map(message_id_again)).collect();
    compare("misconfigured-messages", include_str!("../expected/misconfigured-messages.txt"), &text.join("\n"));
}
