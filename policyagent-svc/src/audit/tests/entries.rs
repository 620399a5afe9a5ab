//! The entry of each event.
use ikecore::certificate::CertificateFault;
use ikecore::crypto::cipher::CipherAlg;
use ikecore::crypto::group::Group;
use ikecore::crypto::hash::HashAlg;
use ikecore::event::negotiation::Role;
use ikecore::event::{
    Context, EndpointEvent, Event, EventKind, Failure, IkeSaEvent, IpsecSaEvent, NegotiationEvent, Phase, SoftSaEvent,
};
use ikecore::identity::Identity;
use ikecore::ids::{Cookie, Cookies, IkeSaId, IpsecSaId, NegotiationId, Spi};
use ikecore::policy::selector::{Prefix, Selector};
use ikecore::proposal::mismatch::Mismatch;
use ikecore::proposal::suite::{EspCipher, IkeSuite, Integrity, IpsecSuite, Lifetime, Mode};
use ikecore::sa::driver::DriverError;
use ikecore::wire::{AuthenticationMethod, NotifyType};
use serde_json::{Value, json};
use std::net::IpAddr;

use super::super::ike;
use super::*;

const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 9, 0, 2));

fn of(kind: EventKind) -> Event {
    let context = Context {
        negotiation: Some(NegotiationId(5)),
        ike_sa: Some(IkeSaId(0x12)),
        ipsec_sa: Some(IpsecSaId(7)),
        local: Some("10.9.0.1:500".parse().unwrap()),
        remote: Some("10.9.0.2:4500".parse().unwrap()),
    };
    Event { context, kind }
}

fn identity() -> Identity {
    Identity::Fqdn("b.example".to_owned())
}

fn selector() -> Selector {
    let prefix = |text: &str| Prefix::new(text.parse().unwrap(), 24).unwrap();
    let between = Selector::between(prefix("10.10.1.0"), prefix("10.10.2.0"));
    Selector { protocol: 6, remote_port: 445, ..between }
}

fn cookies() -> Cookies {
    Cookies { initiator: Cookie([1; 8]), responder: Cookie([2; 8]) }
}

pub(super) fn established() -> Event {
    let suite = IkeSuite {
        cipher: CipherAlg::Aes256,
        hash: HashAlg::Sha256,
        group: Group::Modp2048,
        authentication: AuthenticationMethod::PRE_SHARED_KEY,
    };
    let lifetime = Lifetime { seconds: 28_800, kilobytes: 0 };
    let (role, rule, cookies, identity) = (Role::Responder, "servers".to_owned(), cookies(), identity());
    of(EventKind::IkeSa(IkeSaEvent::Established { role, cookies, suite, lifetime, identity, rule }))
}

pub(super) fn failed(failure: Failure) -> Event {
    let (role, phase, rule) = (Role::Initiator, Phase::QuickMode, Some("servers".to_owned()));
    let selector = Some(Box::new(selector()));
    of(EventKind::Negotiation(NegotiationEvent::Failed { role, phase, failure, seconds: 63, rule, selector }))
}

pub(super) fn wrong_key() -> Failure {
    Failure::PreSharedKeyMismatch { peer: PEER.into(), detail: "HASH_I is wrong", rule: "servers".to_owned() }
}

/// The line of an event, read again.
fn entry(event: &Event) -> Value {
    assert!(ike::is_audited(event), "{event:?}");
    let record = ike::record(at(0), event).expect("an entry");
    serde_json::from_str(&record.line()).unwrap()
}

#[track_caller]
fn assert_fields(entry: &Value, expected: &Value) {
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&entry["fields"][name], value, "{name} of {entry}");
    }
}

#[test]
fn isakmp_sas() {
    let shown = entry(&established());
    assert_eq!(shown["time"], "2026-11-28T08:15:00.000Z");
    assert_eq!((&shown["event"], &shown["type"], &shown["peer"]), (&json!(541), &json!("success"), &json!("10.9.0.2")));
    assert_eq!(shown["message"], "ISAKMP SA with 10.9.0.2:4500 established: fqdn:b.example, rule \"servers\"");
    assert_fields(
        &shown,
        &json!({
            "mode": "Key Exchange Mode (Main Mode)", "peer_identity": "fqdn:b.example",
            "source_address": "10.9.0.1", "source_mask": "255.255.255.255", "destination_address": "10.9.0.2",
            "protocol": 0, "ike_local_address": "10.9.0.1", "ike_peer_address": "10.9.0.2", "ike_source_port": 500,
            "ike_destination_port": 4500, "lifetime_seconds": 28800, "role": "responder", "rule": "servers",
            "ike_sa": "12", "negotiation": "5"
        }),
    );
    for name in ["encryption_algorithm", "hash_algorithm", "diffie_hellman_group", "authentication_method"] {
        assert!(shown["fields"][name].is_string(), "{name} of {shown}");
    }
    let ended = |established| {
        of(EventKind::IkeSa(IkeSaEvent::Ended {
            cookies: cookies(),
            established,
            reason: Failure::DeletedByPeer("ISAKMP"),
            quick_modes: 2,
            identity: Some(identity()),
            rule: "servers".to_owned(),
        }))
    };
    let shown = entry(&ended(true));
    assert_eq!((&shown["event"], &shown["name"]), (&json!(543), &json!("ike_sa_ended")));
    assert_fields(
        &shown,
        &json!({
            "reason": "the peer deleted the ISAKMP SA", "status_code": 13807, "status_name": "SA_DELETED",
            "peer_identity": "fqdn:b.example", "quick_modes": 2, "rule": "servers"
        }),
    );
    // Its negotiation tells why.
    assert!(!ike::is_audited(&ended(false)));
}

#[test]
fn ipsec_sas() {
    let suite = IpsecSuite::Esp { cipher: EspCipher::TripleDesCbc, integrity: Some(Integrity::HmacSha1_96) };
    let shown = entry(&of(EventKind::IpsecSa(IpsecSaEvent::Established {
        inbound: Spi(0x1234),
        outbound: Spi(0x5678),
        suite: suite.alone(),
        mode: Mode::Tunnel,
        selector: selector(),
        lifetime: Lifetime { seconds: 3600, kilobytes: 100_000 },
        rule: "servers".to_owned(),
        replaces: Some(IpsecSaId(3)),
    })));
    assert_eq!((&shown["event"], &shown["name"]), (&json!(541), &json!("ipsec_sa_established")));
    assert_fields(
        &shown,
        &json!({
            "mode": "Data Protection Mode (Quick Mode)", "source_address": "10.10.1.0", "source_mask": "255.255.255.0",
            "destination_address": "10.10.2.0", "destination_mask": "255.255.255.0", "protocol": 6, "source_port": 0,
            "destination_port": 445, "inbound_spi": "0x00001234", "outbound_spi": "0x00005678", "ah_algorithm": "none",
            "encapsulation": "Tunnel Mode", "lifetime_seconds": 3600, "lifetime_kilobytes": 100000, "replaces": "3"
        }),
    );
    let ended = IpsecSaEvent::Ended {
        inbound: Spi(0x1234),
        outbound: Spi(0x5678),
        reason: Failure::Replaced,
        selector: selector(),
        rule: "servers".to_owned(),
    };
    let shown = entry(&of(EventKind::IpsecSa(ended)));
    assert_eq!((&shown["event"], &shown["name"]), (&json!(542), &json!("ipsec_sa_ended")));
    assert_fields(&shown, &json!({ "inbound_spi": "0x00001234", "destination_port": 445, "status_name": "SA_REAPED" }));
    let rule = "servers".to_owned();
    let shown = entry(&of(EventKind::SoftSa(SoftSaEvent::Established { selector: selector(), rule, lifetime: 300 })));
    assert_eq!((&shown["event"], &shown["name"]), (&json!(541), &json!("soft_sa_established")));
    assert_fields(&shown, &json!({ "esp_algorithm": "none", "lifetime_seconds": 300 }));
    let (rule, reason) = ("servers".to_owned(), Failure::PeerProven);
    let shown = entry(&of(EventKind::SoftSa(SoftSaEvent::Ended { selector: selector(), rule, reason })));
    assert_eq!((&shown["event"], &shown["name"]), (&json!(542), &json!("soft_sa_ended")));
}

#[test]
fn failures() {
    let mismatch = |attribute, received: &str, allowed: &str| Mismatch {
        proposal: 1,
        transform: 1,
        attribute,
        received: received.to_owned(),
        allowed: allowed.to_owned(),
        notify: NotifyType::NO_PROPOSAL_CHOSEN,
    };
    let rule = || "servers".to_owned();
    let fault = CertificateFault::NoChain {
        subject: "CN=b".to_owned(),
        issuer: "CN=other".to_owned(),
        authorities: vec!["CN=root".to_owned()],
    };
    let shown = entry(&failed(Failure::Certificate { fault, rule: rule() }));
    assert_eq!((&shown["event"], &shown["type"]), (&json!(544), &json!("failure")));
    assert!(shown["fields"]["failure_reason"].as_str().unwrap().contains("CN=other"), "{shown}");

    let shown = entry(&failed(wrong_key()));
    assert_eq!(shown["event"], 545);
    assert_fields(
        &shown,
        &json!({
            "mode": "Data Protection Mode (Quick Mode)", "failure_point": "Me", "status_code": 13801,
            "status_name": "AUTH_FAIL", "role": "initiator", "delta_time": 63, "rule": "servers",
            "destination_address": "10.10.2.0"
        }),
    );
    let required = identity().into();
    let claimed =
        Failure::IdentityMismatch { received: Identity::Fqdn("c".to_owned()), allowed: required, rule: rule() };
    assert_fields(&entry(&failed(claimed)), &json!({ "peer_identity": "fqdn:c" }));

    let shown = entry(&failed(Failure::ChoiceNotOffered(mismatch("Key Length", "128 bits", "256 bits"))));
    assert_eq!(shown["event"], 546);
    assert_fields(
        &shown,
        &json!({ "attribute": "Key Length", "expected_value": "256 bits", "received_value": "128 bits" }),
    );

    let mismatches = vec![mismatch("Hash Algorithm", "MD5 (1)", "SHA (2)")];
    let shown = entry(&failed(Failure::NoProposalChosen { phase: "quick mode", mismatches }));
    assert_eq!(shown["event"], 547);
    assert_fields(&shown, &json!({ "status_name": "POLICY_MATCH", "attribute": "Hash Algorithm" }));
    let text = Some("no such".to_owned());
    let refused = Failure::PeerRefused { what: "message 5", notify: NotifyType::INVALID_COOKIE, text };
    assert_fields(&entry(&failed(refused)), &json!({ "failure_point": "Peer" }));
}

#[test]
fn the_driver_and_the_agent() {
    let lost = EventKind::Endpoint(EndpointEvent::DriverLost { reason: "closed".to_owned() });
    let shown = entry(&of(lost));
    assert_eq!((&shown["event"], &shown["name"]), (&json!(616), &json!("driver_lost")));
    let error = DriverError { driver: "xfrm", operation: "delete SA".into(), reason: "No such process".into() };
    let shown = entry(&of(EventKind::Endpoint(EndpointEvent::DriverFailed(error))));
    assert_fields(&shown, &json!({ "driver": "xfrm", "operation": "delete SA", "failure_reason": "No such process" }));
    assert!(!ike::is_audited(&of(EventKind::Endpoint(EndpointEvent::ShuttingDown))));

    let fault = AgentEvent::StoreFault {
        store: "local".to_owned(),
        path: Some("/p.toml".into()),
        error: "/p.toml:1:1: wrong".to_owned(),
    };
    let shown: Value = serde_json::from_str(&fault.record(at(0)).line()).unwrap();
    assert_eq!((&shown["event"], &shown["name"], &shown["peer"]), (&json!(616), &json!("store_fault"), &Value::Null));
    assert_fields(&shown, &json!({ "store": "local", "path": "/p.toml", "failure_reason": "/p.toml:1:1: wrong" }));
}
