use super::*;
use crate::crypto::cipher::CipherAlg;
use crate::crypto::group::Group;
use crate::crypto::hash::HashAlg;
use crate::ids::Spi;
use crate::policy::rule::RuleAction;
use crate::policy::selector::Prefix;
use crate::proposal::encode::{encode_main_mode, encode_quick_mode};
use crate::proposal::offer::{MainModeOffer, QuickModeOffer};
use crate::proposal::suite::Lifetime;
use crate::testing::policy::{ESP, FAST, TestPolicy};
use crate::wire::ProtocolId;
use std::net::IpAddr;

const A: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
const B: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));
const OLD: MainModeOffer = MainModeOffer { cipher: CipherAlg::TripleDes, hash: HashAlg::Sha1, group: Group::Modp1024 };

const LIFETIME: Lifetime = Lifetime { seconds: 600, kilobytes: 0 };

/// What is refused, and which transform is chosen.
type Told = (Vec<String>, Option<u8>);

fn main_mode_of(policy: &PolicyDb, offers: &[MainModeOffer]) -> Result<Vec<Told>, Failure> {
    let body = encode_main_mode(offers, &[AuthenticationMethod::PRE_SHARED_KEY], LIFETIME);
    let considered = main_mode(policy, A.into(), B.into(), &Sa::decode(&body).expect("our own"))?;
    let told = considered.iter().map(|of| {
        let refused = of.refused.iter().map(ToString::to_string).collect();
        (refused, of.chosen.as_ref().map(|chosen| chosen.transform))
    });
    Ok(told.collect())
}

#[test]
fn main_mode_tells_what_is_chosen_and_what_was_refused_before() {
    let policy = TestPolicy::new(A, B).database();
    let refused = "proposal 1 transform 1: Encryption Algorithm is 3DES-CBC (5), allowed: AES-CBC-256 (7)";
    for (offers, expected) in [
        (&[FAST][..], (vec![], Some(1))),
        (&[OLD, FAST, OLD], (vec![refused.to_owned()], Some(2))),
        (&[OLD], (vec![refused.to_owned()], None)),
    ] {
        assert_eq!(main_mode_of(&policy, offers), Ok(vec![expected]), "{offers:?}");
    }
    let of_others = TestPolicy::new(A, A).database();
    assert_eq!(main_mode_of(&of_others, &[FAST]), Err(Failure::NoPolicyForPeer { peer: B.into() }));
}

#[test]
fn every_rule_is_asked_until_one_accepts() {
    let rule = (*TestPolicy::new(A, B).database().rules[0]).clone();
    let named = |name: &str, reqid, offer| {
        let main_mode =
            Arc::new(crate::policy::rule::MainModePolicy { offers: vec![offer], ..(*rule.main_mode).clone() });
        let filters = vec![Selector { protocol: 6, remote_port: reqid as u16, ..rule.filters[0] }];
        Arc::new(Rule { name: name.to_owned(), reqid, main_mode, filters, ..rule.clone() })
    };
    let rules = vec![named("old", 1, OLD), named("new", 2, FAST), named("never asked", 3, FAST)];
    let policy = PolicyDb::new(1, rules, vec![Prefix::host(A)]).expect("rules");
    let body = encode_main_mode(&[FAST], &[AuthenticationMethod::PRE_SHARED_KEY], LIFETIME);
    let sa = Sa::decode(&body).expect("our own");
    let considered = main_mode(&policy, A.into(), B.into(), &sa).expect("rules for it");
    let told: Vec<_> = considered.iter().map(|of| (of.rule.name.as_str(), of.chosen.is_some())).collect();
    assert_eq!(told, [("old", false), ("new", true)]);
}

#[test]
fn quick_mode_finds_the_rule_of_the_traffic() {
    let hosts = Selector::between(Prefix::host(A), Prefix::host(B));
    let policy = TestPolicy {
        exceptions: vec![(Selector { protocol: 6, remote_port: 25, ..hosts }, RuleAction::Block)],
        ..TestPolicy::new(A, B)
    };
    let policy = policy.database();
    let offer = |suite| QuickModeOffer { suite, lifetime: LIFETIME, pfs: None, extended_sequence_numbers: false };
    let ah = crate::proposal::suite::IpsecSuite::Ah { integrity: crate::proposal::suite::Integrity::HmacSha1_96 };
    let spis = [(ProtocolId::ESP, Spi(0x1000)), (ProtocolId::AH, Spi(0x1001))];
    let of = |traffic: Selector, wrapped| {
        let body = encode_quick_mode(&[offer(ah.alone()), offer(ESP.alone())], wrapped, &spis);
        let sa = Sa::decode(&body).expect("our own");
        let considered = quick_mode(&policy, A.into(), B.into(), &traffic, Mode::Transport, None, &sa);
        considered.map(|of| (of.refused.len(), of.chosen.map(|chosen| (chosen.proposal, chosen.lifetime))))
    };
    assert_eq!(
        of(hosts, EncapsulationMode::TRANSPORT),
        Ok((1, Some((2, Lifetime { kilobytes: 100_000, ..LIFETIME }))))
    );
    assert_eq!(of(hosts, EncapsulationMode::TUNNEL), Ok((2, None)));
    let blocked = of(Selector { protocol: 6, remote_port: 25, ..hosts }, EncapsulationMode::TRANSPORT);
    assert!(matches!(blocked, Err(Failure::Excepted { blocks: true, .. })), "{blocked:?}");
    let net = Selector { remote: Prefix::new(B, 24).expect("a prefix"), ..hosts };
    assert!(matches!(of(net, EncapsulationMode::TRANSPORT), Err(Failure::SelectorMismatch { .. })));
}
