use super::*;
use crate::crypto::esp::Integrity;
use crate::policy::db::PolicyDb;
use crate::policy::rule::TunnelEndpoints;
use crate::policy::tests::{MAIN, OFFER, address, main, quick, rule};
use crate::proposal::offer::QuickModeOffer;
use crate::proposal::suite::EspCipher;

fn filter(local: &str, remote: &str) -> Selector {
    Selector::between(Prefix::host(address(local)), Prefix::host(address(remote)))
}

fn check_all(rules: Vec<Rule>, local_addresses: &[Prefix]) -> Result<(), PolicyError> {
    PolicyDb::new(1, rules.into_iter().map(Arc::new).collect(), local_addresses.to_vec()).map(|_| ())
}

/// What the rule `a` is refused for, as text.
#[track_caller]
fn refused(rule: Rule, text: &str) {
    let told = check_all(vec![rule], &[]).expect_err("refused").to_string();
    assert_eq!(told, format!("rule \"a\": {text}"));
}

#[test]
fn rules_in_order_are_accepted() {
    assert_eq!(check_all(vec![rule("a", 1), rule("b", 2)], &[]), Ok(()));
    assert_eq!(check_all(Vec::new(), &[]), Ok(()));
}

#[test]
fn names_and_reqids_are_unique() {
    let told = |rules| check_all(rules, &[]).expect_err("refused").to_string();
    let name = "the name is empty or an earlier rule's, allowed are names of their own";
    assert_eq!(told(vec![rule("a", 1), rule("a", 2)]), format!("rule \"a\": {name}"));
    assert_eq!(told(vec![rule("", 1)]), format!("rule \"\": {name}"));
    let reqid = "allowed are numbers from 1 on, each once";
    assert_eq!(told(vec![rule("a", 7), rule("b", 7)]), format!("rule \"b\": reqid 7 is that of rule \"a\", {reqid}"));
    assert_eq!(told(vec![rule("a", 0)]), format!("rule \"a\": reqid 0 is not a number for a rule, {reqid}"));
}

#[test]
fn filters_are_of_one_family_and_have_ports_only_with_a_protocol() {
    let with = |filter| Rule { filters: vec![filter], ..rule("a", 1) };
    refused(
        with(filter("10.9.0.1", "::1")),
        "filter 10.9.0.1 <-> ::1 is between IPv4 and IPv6, allowed are addresses of one family",
    );
    let port = Selector { protocol: 1, remote_port: 8, ..filter("10.9.0.1", "10.9.0.2") };
    refused(
        with(port),
        "filter 10.9.0.1 <-> 10.9.0.2[8] protocol 1 has a port, allowed with protocols 6, 17, 33, 132 and 136 only",
    );
    assert!(check_all(vec![with(Selector { protocol: 17, ..port })], &[]).is_ok());
}

#[test]
fn multicast_is_not_negotiated() {
    let group = filter("10.9.0.1", "224.0.0.18");
    let text = "filter 10.9.0.1 <-> 224.0.0.18 is for multicast, which can be permitted or blocked, not negotiated";
    refused(Rule { filters: vec![group], ..rule("a", 1) }, text);
    let permit = Rule { filters: vec![group], action: RuleAction::Permit, ..rule("a", 1) };
    assert_eq!(check_all(vec![permit], &[]), Ok(()));
    let any = Prefix::new(address("0.0.0.0"), 0).expect("any");
    let all = Rule { filters: vec![Selector::between(any, any)], ..rule("a", 1) };
    assert_eq!(check_all(vec![all], &[]), Ok(()));
    let upper = Prefix::new(address("224.0.0.0"), 3).expect("more than multicast");
    let more = Rule { filters: vec![Selector::between(any, upper)], ..rule("a", 1) };
    assert_eq!(check_all(vec![more], &[]), Ok(()));
}

#[test]
fn a_tunnel_has_two_ends_of_one_family() {
    let with = |local: Option<&str>, remote: &str| Rule {
        tunnel: Some(TunnelEndpoints { local: local.map(address), remote: Some(address(remote)) }),
        ..rule("a", 1)
    };
    let families = "the tunnel from 10.9.0.1 to ::1 is between IPv4 and IPv6, allowed are addresses of one family";
    refused(with(Some("10.9.0.1"), "::1"), families);
    let local = "the tunnel to 10.9.0.2 has no local address and this host none of its family";
    refused(with(None, "10.9.0.2"), local);
    let own = [Prefix::host(address("::1")), Prefix::host(address("10.9.0.1"))];
    assert_eq!(check_all(vec![with(None, "10.9.0.2")], &own), Ok(()));
    refused(
        Rule { action: RuleAction::Block, ..with(Some("10.9.0.1"), "10.9.0.2") },
        "it has a tunnel, allowed only with the action to negotiate",
    );
}

#[test]
fn a_negotiation_needs_offers_and_a_method() {
    let missing = |what| format!("it has no {what}, at least one of them is needed to negotiate");
    refused(Rule { main_mode: main(Vec::new()), ..rule("a", 1) }, &missing("main mode offers"));
    refused(Rule { authentication: Vec::new(), ..rule("a", 1) }, &missing("authentication methods"));
    refused(Rule { action: quick(Vec::new()), ..rule("a", 1) }, &missing("quick mode offers"));
    let many = Rule { main_mode: main(vec![MAIN; 128]), ..rule("a", 1) };
    assert_eq!(check_all(vec![many.clone()], &[]), Ok(()));
    let twice = [many.authentication.clone(), many.authentication.clone()].concat();
    let limit = "it has 256 main mode offers times authentication methods, allowed are 255";
    refused(Rule { authentication: twice, ..many }, limit);
    refused(Rule { action: quick(vec![OFFER; 65]), ..rule("a", 1) }, "it has 65 quick mode offers, allowed are 64");
    // What negotiates nothing needs nothing.
    let block =
        Rule { action: RuleAction::Block, main_mode: main(Vec::new()), authentication: Vec::new(), ..rule("a", 1) };
    assert_eq!(check_all(vec![block], &[]), Ok(()));
}

#[test]
fn offers_of_one_policy_have_one_group_and_make_sense() {
    let pfs = |pfs| QuickModeOffer { pfs, ..OFFER };
    refused(
        Rule { action: quick(vec![pfs(Some(Group::Modp2048)), pfs(None)]), ..rule("a", 1) },
        "quick mode policy \"protect\" offers PFS with MODP-2048 (14) and no group, allowed is one group for all offers \
         (RFC 2409 §5.5)",
    );
    let nothing =
        QuickModeOffer { suite: IpsecSuite::Esp { cipher: EspCipher::Null, integrity: None }.alone(), ..OFFER };
    refused(
        Rule { action: quick(vec![OFFER, nothing]), ..rule("a", 1) },
        "quick mode policy \"protect\" offers ESP NULL without integrity: it neither encrypts nor authenticates, allowed is NULL with an \
         integrity algorithm",
    );
    let counter =
        QuickModeOffer { suite: IpsecSuite::Esp { cipher: EspCipher::Aes128Ctr, integrity: None }.alone(), ..OFFER };
    refused(
        Rule { action: quick(vec![counter]), ..rule("a", 1) },
        "quick mode policy \"protect\" offers ESP AES-128-CTR without integrity: counter mode alone is no protection (RFC 3686 §3.3), allowed \
         is an integrity algorithm with it",
    );
    let [whole, cut] = [Integrity::HmacSha256_128, Integrity::HmacSha256_96].map(|integrity| {
        let cipher = EspCipher::Aes256Cbc;
        QuickModeOffer { suite: IpsecSuite::Esp { cipher, integrity: Some(integrity) }.alone(), ..OFFER }
    });
    refused(
        Rule { action: quick(vec![cut, cut, whole]), ..rule("a", 1) },
        "quick mode policy \"protect\" offers ESP AES-256-CBC HMAC-SHA-256-96 and ESP AES-256-CBC HMAC-SHA-256-128, which \
         peers cannot tell apart, as both have the same numbers; allowed is one of them",
    );
    assert_eq!(check_all(vec![Rule { action: quick(vec![cut, cut]), ..rule("a", 1) }], &[]), Ok(()));
    let integrity = Some(Integrity::HmacSha1_96);
    let double =
        QuickModeOffer { suite: IpsecSuite::Esp { cipher: EspCipher::Aes128Gcm16, integrity }.alone(), ..OFFER };
    let told = check_all(vec![Rule { action: quick(vec![double]), ..rule("a", 1) }], &[]).expect_err("refused");
    assert!(told.to_string().ends_with("the cipher authenticates by itself, allowed is no integrity"), "{told}");
}

#[test]
fn hybrid_authentication_needs_the_extended_one_of_its_end_and_rsa() {
    use crate::certificate::{RevocationCheck, Trust};
    use crate::policy::rule::{AuthMethod, HybridMethod, OwnCertificate};
    use crate::testing::authority::{Authority, KeyKind, Wish};
    let mut root = Authority::root("CN=root", KeyKind::P256, 0);
    let mut own = |key| {
        let certificate = root.issue(&Wish::new("CN=host", &[], key, 0)).certificate;
        Arc::new(OwnCertificate { certificate, issuers: Vec::new(), private_key: "key.pem".into() })
    };
    let (rsa, ecdsa) = (own(KeyKind::Rsa(2048)), own(KeyKind::P256));
    let trust = Arc::new(Trust {
        authorities: vec![root.certificate()],
        revocation_lists: Vec::new(),
        revocation_check: RevocationCheck::Off,
        legacy: false,
        names_excluded: false,
    });
    let with = |method, xauth| Rule { authentication: vec![AuthMethod::Hybrid(method)], xauth, ..rule("a", 1) };
    let user = || {
        let password = Arc::new(crate::secret::Secret::new(b"foobar".to_vec()));
        Some(Xauth::Client(crate::policy::remote_access::XauthCredentials { user: "joe".to_owned(), password }))
    };
    let tunnel = || Some(TunnelEndpoints { local: Some(address("10.9.0.1")), remote: Some(address("10.9.0.2")) });
    let gateway = || HybridMethod::Gateway(Arc::clone(&rsa));
    let client = || HybridMethod::Client(Arc::clone(&trust));
    for good in [with(gateway(), Some(Xauth::Server)), Rule { tunnel: tunnel(), ..with(client(), user()) }] {
        assert_eq!(check_all(vec![good], &[]), Ok(()));
    }
    for xauth in [None, user()] {
        let told =
            "its hybrid authentication is that of the gateway, allowed only with extended authentication as its server";
        refused(with(gateway(), xauth), told);
    }
    for xauth in [None, Some(Xauth::Server)] {
        let told =
            "its hybrid authentication is that of the client, allowed only with extended authentication as its client";
        refused(with(client(), xauth), told);
    }
    refused(
        with(HybridMethod::Gateway(ecdsa), Some(Xauth::Server)),
        "its certificate CN=host is for ECDSA P-256, allowed with extended authentication is RSA",
    );
    let named = Some(crate::identity::Identity::Fqdn("a.example".to_owned()).into());
    refused(
        Rule { remote_id: named, ..with(gateway(), Some(Xauth::Server)) },
        "it wants the peer's identity fqdn:a.example, which nobody proves in hybrid authentication; allowed is none, since \
         the user is what counts",
    );
}

#[test]
fn what_negotiates_does_so_both_ways() {
    let one_way = filter("10.9.0.1", "10.9.0.2").going(crate::policy::selector::Direction::Outbound);
    let text = "filter 10.9.0.1 -> 10.9.0.2 is for one direction, which can be permitted or blocked; SAs come in pairs, for both";
    refused(Rule { filters: vec![one_way], ..rule("a", 1) }, text);
    let block = Rule { filters: vec![one_way], action: RuleAction::Block, ..rule("a", 1) };
    assert_eq!(check_all(vec![block], &[]), Ok(()));
}

#[test]
fn the_upper_half_of_a_number_needs_an_integrity_algorithm() {
    let suite = IpsecSuite::Esp { cipher: EspCipher::TripleDesCbc, integrity: None }.alone();
    let offering = |suite, extended_sequence_numbers| {
        let offer = QuickModeOffer { suite, extended_sequence_numbers, ..OFFER };
        Rule { action: quick(vec![offer]), ..rule("a", 1) }
    };
    assert_eq!(check_all(vec![offering(suite, false)], &[]), Ok(()), "whoever wants it gets it");
    refused(
        offering(suite, true),
        "quick mode policy \"protect\" offers ESP 3DES-CBC without integrity with extended sequence numbers, allowed only with \
         an integrity algorithm, which checks their upper half (RFC 4303 §2.2.1)",
    );
    let around = ProtectionSuite { outer: Some(Integrity::HmacSha1_96), ..suite };
    assert_eq!(check_all(vec![offering(around, true)], &[]), Ok(()), "AH authenticates it");
}
