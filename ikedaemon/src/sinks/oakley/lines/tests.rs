//! What each event becomes, word by word.
mod packets;

use super::of;
use ikecore::certificate::CertificateFault;
use ikecore::crypto::cipher::CipherAlg;
use ikecore::crypto::group::Group;
use ikecore::crypto::hash::HashAlg;
use ikecore::event::negotiation::{Cause, Role};
use ikecore::event::{
    Context, EndpointEvent, Event, EventKind, Failure, IkeSaEvent, IpsecSaEvent, MessageEvent, NegotiationEvent, Phase,
    QuickModeEvent, Reject,
};
use ikecore::fuzzing::seeds;
use ikecore::identity::Identity;
use ikecore::ids::{Cookie, Cookies, IkeSaId, IpsecSaId, MessageId, NegotiationId, Spi};
use ikecore::policy::selector::{Flow, Prefix, Selector};
use ikecore::proposal::mismatch::Mismatch;
use ikecore::proposal::offer::{MainModeOffer, QuickModeOffer};
use ikecore::proposal::suite::{EspCipher, IkeSuite, Integrity, IpsecSuite, Lifetime, Mode};
use ikecore::sa::driver::DriverError;
use ikecore::wire::{AuthenticationMethod, NotifyType};
use std::net::{IpAddr, Ipv4Addr};

const ME: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
const PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2));

/// The lines of an event of SA 12fd20, quick mode 7, negotiation 5.
fn text(kind: EventKind) -> String {
    let context = Context {
        negotiation: Some(NegotiationId(5)),
        ike_sa: Some(IkeSaId(0x12_fd20)),
        ipsec_sa: Some(IpsecSaId(7)),
        local: Some((ME, 500).into()),
        remote: Some((PEER, 500).into()),
    };
    of(&Event { context, kind }).join("\n")
}

fn seed(name: &str) -> bytes::Bytes {
    seeds().into_iter().find(|seed| seed.name == name).expect("a seed").datagram.into()
}

fn received(name: &str) -> String {
    text(EventKind::Message(MessageEvent::Received { octets: seed(name) }))
}

fn decrypted(name: &str) -> String {
    text(EventKind::Message(MessageEvent::Decrypted { octets: seed(name) }))
}

fn sending(name: &str, encrypted: bool) -> String {
    text(EventKind::Message(MessageEvent::Sending { octets: seed(name), encrypted, name: "main mode message 5" }))
}

fn cookies() -> Cookies {
    Cookies { initiator: Cookie([0xab; 8]), responder: Cookie([0xcd; 8]) }
}

fn lifetime() -> Lifetime {
    Lifetime { seconds: 3600, kilobytes: 100_000 }
}

fn esp() -> IpsecSuite {
    IpsecSuite::Esp { cipher: EspCipher::TripleDesCbc, integrity: Some(Integrity::HmacSha1_96) }
}

fn ike() -> IkeSuite {
    IkeSuite {
        cipher: CipherAlg::TripleDes,
        hash: HashAlg::Sha1,
        group: Group::Modp1024,
        authentication: AuthenticationMethod::PRE_SHARED_KEY,
    }
}

fn selector() -> Selector {
    let subnet = |last| Prefix::new(Ipv4Addr::new(192, 168, last, 0).into(), 24).expect("a prefix");
    Selector { protocol: 6, remote_port: 445, ..Selector::between(subnet(1), subnet(2)) }
}

fn mismatch(attribute: &'static str, received: &str, allowed: &str) -> Mismatch {
    let (received, allowed) = (received.into(), allowed.into());
    Mismatch { proposal: 1, transform: 2, attribute, received, allowed, notify: NotifyType::NO_PROPOSAL_CHOSEN }
}

#[test]
fn main_mode_step_by_step() {
    let shown = text(EventKind::IkeSa(IkeSaEvent::PolicyFound {
        rule: "servers".into(),
        policy: "4".into(),
        offers: vec![
            MainModeOffer { cipher: CipherAlg::TripleDes, hash: HashAlg::Sha1, group: Group::Modp1024 },
            MainModeOffer { cipher: CipherAlg::Des, hash: HashAlg::Md5, group: Group::Modp768 },
        ],
        lifetime: Lifetime { seconds: 28_800, kilobytes: 0 },
        quick_mode_limit: 3,
        soft_lifetime: 28_800,
        authentication: vec![],
    }));
    let expected = "\
Filter to match: Src 10.0.0.2 Dst 10.0.0.1
  rule: servers
MM PolicyName: 4
MMPolicy dwFlags 0 SoftSAExpireTime 28800
MMOffer[0] LifetimeSec 28800 QMLimit 3 DHGroup 2
MMOffer[0] Encrypt: Triple DES CBC Hash: SHA
MMOffer[1] LifetimeSec 28800 QMLimit 3 DHGroup 1
MMOffer[1] Encrypt: DES CBC Hash: MD5";
    assert_eq!(shown, expected);

    let shown = text(EventKind::IkeSa(IkeSaEvent::Created { role: Role::Responder, cookies: cookies() }));
    let expected = "Responding with new SA 12fd20\n  I-COOKIE abababababababab\n  R-COOKIE cdcdcdcdcdcdcdcd";
    assert_eq!(shown, expected);

    let shown = text(EventKind::IkeSa(IkeSaEvent::ProposalAccepted {
        transform: 1,
        suite: ike(),
        lifetime: Lifetime { seconds: 28_800, kilobytes: 0 },
    }));
    let expected = "\
Phase 1 SA accepted: transform=1
SA - Oakley proposal accepted
  Encrypt: Triple DES CBC Hash: SHA DHGroup 2 Auth: Preshared Key(1)
  Lifetime: 28800 s";
    assert_eq!(shown, expected);

    let nat = |local, remote| text(EventKind::IkeSa(IkeSaEvent::NatDetected { local, remote }));
    assert_eq!(nat(false, true), "Peer behind NAT\nPort float");
    assert_eq!(nat(true, true), "I am behind NAT\nPeer behind NAT\nPort float");
    assert_eq!(nat(false, false), "No NAT between the peers");

    let shown = text(EventKind::IkeSa(IkeSaEvent::Authenticated { identity: Identity::Address(PEER) }));
    assert_eq!(shown, "AUTH: Phase I authentication accepted\n  peer: 10.0.0.2");

    let failure = Failure::Certificate { fault: CertificateFault::Missing, rule: "servers".into() };
    let shown = text(EventKind::IkeSa(IkeSaEvent::ProofRefused(failure)));
    let reason = "authentication with certificates (rule \"servers\") failed: the peer sent no certificate";
    assert_eq!(shown, format!("AUTH: Phase I authentication refused\n  {reason}"));

    let shown = text(EventKind::IkeSa(IkeSaEvent::Established {
        role: Role::Initiator,
        cookies: cookies(),
        suite: ike(),
        lifetime: Lifetime { seconds: 28_800, kilobytes: 0 },
        identity: Identity::Fqdn("host.example".into()),
        rule: "servers".into(),
    }));
    let expected = "\
MM established. SA: 12fd20
  initiator, peer 10.0.0.2.500 is fqdn:host.example, rule: servers
  cookies abababababababab cdcdcdcdcdcdcdcd
  Encrypt: Triple DES CBC Hash: SHA DHGroup 2 Auth: Preshared Key(1)
  Lifetime: 28800 s
isadb_set_status sa:12fd20 centry:7 status 0 SUCCESS audit 541";
    assert_eq!(shown, expected);

    let ended = |established| {
        let reason = Failure::DeletedByPeer("ISAKMP");
        let (identity, rule) = (None, "servers".to_owned());
        text(EventKind::IkeSa(IkeSaEvent::Ended {
            cookies: cookies(),
            established,
            reason,
            quick_modes: 2,
            identity,
            rule,
        }))
    };
    let expected = "\
SA Dead. sa:12fd20 status:35ef
  the peer deleted the ISAKMP SA
  cookies abababababababab cdcdcdcdcdcdcdcd, quick modes: 2
isadb_set_status sa:12fd20 centry:7 status 35ef SA_DELETED audit 543";
    assert_eq!(ended(true), expected);
    assert!(!ended(false).contains("audit"), "its failure has the audit event");
}

#[test]
fn each_refusal_names_what_was_refused() {
    for (attribute, words) in [
        ("Group Description", "Oakley Group Not Acceptable"),
        ("Hash Algorithm", "Hash alg mismatch"),
        ("Encryption Algorithm", "Encryption alg mismatch"),
        ("Authentication Method", "Auth method mismatch"),
        ("Key Length", "Received Invalid Transform"),
    ] {
        let mismatch = mismatch(attribute, "the one", "the other");
        let expected = format!("{words}: proposal 1 transform 2: {attribute} is the one, allowed: the other");
        assert_eq!(text(EventKind::IkeSa(IkeSaEvent::TransformRefused(mismatch.clone()))), expected);
        assert_eq!(text(EventKind::QuickMode(QuickModeEvent::TransformRefused(mismatch))), expected);
    }
}

#[test]
fn quick_mode_step_by_step() {
    let quick = |event| text(EventKind::QuickMode(event));
    let shown = quick(QuickModeEvent::Created {
        role: Role::Initiator,
        message_id: MessageId(0x1a2b),
        rule: "servers".into(),
        selector: selector(),
    });
    let expected = "\
Initiating new QM: sa = 12fd20 centry 7 message ID 00001a2b
  Find Policy: 192.168.1.0/24 <-> 192.168.2.0/24[445] protocol 6, rule: servers";
    assert_eq!(shown, expected);

    let ah = IpsecSuite::Ah { integrity: Integrity::HmacMd5_96 };
    let offer = |suite: IpsecSuite, pfs| QuickModeOffer {
        suite: suite.alone(),
        lifetime: lifetime(),
        pfs,
        extended_sequence_numbers: false,
    };
    let offers = vec![offer(esp(), None), offer(ah, Some(Group::Modp1024))];
    let shown = quick(QuickModeEvent::PolicyFound { rule: "servers".into(), policy: "secure".into(), offers });
    let expected = "\
QM PolicyName: secure dwFlags 0
  rule: servers
QMOffer[0] LifetimeKBytes 100000 LifetimeSec 3600
QMOffer[0] dwFlags 0 dwPFSGroup 0
 Algo[0] Operation: ESP Algo: Triple DES CBC HMAC: SHA
QMOffer[1] LifetimeKBytes 100000 LifetimeSec 3600
QMOffer[1] dwFlags 0 dwPFSGroup 2
 Algo[0] Operation: AH Algo: MD5";
    assert_eq!(shown, expected);

    let shown = quick(QuickModeEvent::SpiAllocated(Spi(1234)));
    let expected = "GetSpi: src = 10.0.0.2.0000, dst = 10.0.0.1.0000, proto = 00, context = 7\nSetting SPI 1234";
    assert_eq!(shown, expected);

    let shown = quick(QuickModeEvent::ProposalAccepted {
        proposal: 1,
        transform: 3,
        suite: IpsecSuite::Esp { cipher: EspCipher::Aes256Gcm16, integrity: None }.alone(),
        mode: Mode::Tunnel,
        lifetime: lifetime(),
        pfs: Some(Group::Modp2048),
    });
    let expected = "\
Phase 2 SA accepted: proposal=1 transform=3
 Algo[0] Operation: ESP Algo: AES GCM 256 HMAC: none
  tunnel mode, Lifetime: 3600 s, 100000 kB, PFSGroup 14";
    assert_eq!(shown, expected);

    let installing = |mode| {
        quick(QuickModeEvent::Installing {
            local: ME,
            remote: PEER,
            inbound: Spi(1234),
            outbound: Spi(5678),
            suite: esp().alone(),
            mode,
            selector: selector(),
            lifetime: lifetime(),
        })
    };
    let expected = "\
Adding QMs: src = 192.168.1.0.0000, dst = 192.168.2.0.0445, proto = 06, context = 7, my tunnel = 10.0.0.1, \
peer tunnel = 10.0.0.2, SrcMask = 255.255.255.0, DestMask = 255.255.255.0 Lifetime = 3600 LifetimeKBytes 100000 \
dwFlags 0 Direction 2 EncapType 1
 Algo[0] Operation: ESP Algo: Triple DES CBC HMAC: SHA
 Algo[0] MySpi: 1234 PeerSpi: 5678
Encap Ports Src 500 Dst 500";
    assert_eq!(installing(Mode::Tunnel), expected);
    assert!(installing(Mode::Transport).contains("my tunnel = 0.0.0.0, peer tunnel = 0.0.0.0"));

    let failure = Failure::SelectorMismatch { received: selector(), allowed: vec![] };
    let shown = quick(QuickModeEvent::Failed(failure));
    assert!(shown.starts_with("CE Dead. sa:12fd20 ce:7 status:3622\n  the peer proposes 192.168.1.0/24"), "{shown}");
}

#[test]
fn ipsec_sas_come_and_go() {
    let shown = text(EventKind::IpsecSa(IpsecSaEvent::Established {
        inbound: Spi(1234),
        outbound: Spi(5678),
        suite: esp().alone(),
        mode: Mode::Transport,
        selector: selector(),
        lifetime: lifetime(),
        rule: "servers".into(),
        replaces: Some(IpsecSaId(3)),
    }));
    let expected = "\
QM established. sa:12fd20 centry:7
  192.168.1.0/24 <-> 192.168.2.0/24[445] protocol 6, transport mode, rule: servers
 Algo[0] Operation: ESP Algo: Triple DES CBC HMAC: SHA
 Algo[0] MySpi: 1234 PeerSpi: 5678
  Lifetime: 3600 s, 100000 kB
  takes over from centry:3
isadb_set_status sa:12fd20 centry:7 status 0 SUCCESS audit 541";
    assert_eq!(shown, expected);
    let reason = Failure::Replaced;
    let shown = text(EventKind::IpsecSa(IpsecSaEvent::Ended {
        inbound: Spi(1234),
        outbound: Spi(5678),
        reason,
        selector: selector(),
        rule: "servers".to_owned(),
    }));
    let expected = "\
CE Dead. sa:12fd20 ce:7 status:35f0
  replaced by a newer SA
 Algo[0] MySpi: 1234 PeerSpi: 5678
isadb_set_status sa:12fd20 centry:7 status 35f0 SA_REAPED audit 542";
    assert_eq!(shown, expected);
}

#[test]
fn a_negotiation_begins_and_ends() {
    let negotiation = |event| text(EventKind::Negotiation(event));
    let flow = Flow {
        local: Ipv4Addr::new(192, 168, 1, 5).into(),
        remote: Ipv4Addr::new(192, 168, 2, 6).into(),
        protocol: 6,
        local_port: 40_000,
        remote_port: 445,
        scope: ikecore::address::Scope::ANY,
    };
    let cause = Cause::Acquire(flow);
    let shown =
        negotiation(NegotiationEvent::Started { role: Role::Initiator, cause, rule: Some("servers".to_owned()) });
    let expected = "\
Starting Negotiation: src = 10.0.0.1.0500, dst = 10.0.0.2.0500, proto = 06, context = 00000005, \
ProxySrc = 192.168.1.5.40000, ProxyDst = 192.168.2.6.0445
  cause: traffic 192.168.1.5[40000] -> 192.168.2.6[445] protocol 6, rule: servers";
    assert_eq!(shown, expected);
    let shown = negotiation(NegotiationEvent::Succeeded { role: Role::Initiator, phase: Phase::QuickMode });
    assert_eq!(shown, "Negotiation done: context = 00000005, quick mode as initiator, status 0 SUCCESS");

    let failed = |phase, failure| {
        let (role, seconds, rule, selector) = (Role::Responder, 63, None, None);
        negotiation(NegotiationEvent::Failed { role, phase, failure, seconds, rule, selector })
    };
    let timed_out = Failure::TimedOut {
        peer: (PEER, 500).into(),
        message: "main mode message 1",
        sent: 7,
        seconds: 63,
        hint: Some("nothing listens there"),
    };
    let expected = "\
Key Exchange Mode (Main Mode)
Source IP Address 10.0.0.1  Destination IP Address 10.0.0.2
IKE Local Addr 10.0.0.1.500  IKE Peer Addr 10.0.0.2.500
Me
no answer from 10.0.0.2:500 to main mode message 1 after 7 transmissions in 63 s; nothing listens there
0x0 0x0
ProcessFailure: sa:12fd20 centry:7 status:35ed
isadb_set_status sa:12fd20 centry:7 status 35ed TIMED_OUT audit 547 (responder, context = 00000005, after 63 s)";
    assert_eq!(failed(Phase::MainMode, timed_out.clone()), expected);
    assert_eq!(
        failed(Phase::AggressiveMode, timed_out),
        expected.replace("Key Exchange Mode (Main Mode)", "Key Exchange Mode (Aggressive Mode)")
    );

    let refused =
        Failure::PeerRefused { what: "the quick mode proposal", notify: NotifyType::NO_PROPOSAL_CHOSEN, text: None };
    let shown = failed(Phase::QuickMode, refused);
    assert!(shown.starts_with("Data Protection Mode (Quick Mode)\n") && shown.contains("\nPeer\n"), "{shown}");
    assert!(shown.contains(" status 362c POLICY_MATCH audit 547 "), "{shown}");

    let detail = "HASH_I is wrong";
    let wrong_key = Failure::PreSharedKeyMismatch { peer: PEER.into(), detail, rule: "servers".into() };
    assert!(failed(Phase::MainMode, wrong_key).contains(" status 35e9 AUTH_FAIL audit 545 "));
    let certificate = |fault| failed(Phase::MainMode, Failure::Certificate { fault, rule: "servers".into() });
    let malformed = CertificateFault::Malformed { reason: "no ASN.1".into() };
    assert!(certificate(malformed).contains(" audit 544 "));
    assert!(certificate(CertificateFault::Missing).contains(" audit 545 "));
    assert!(certificate(CertificateFault::Aborted("signature")).contains(" audit 547 "));
    let choice = Failure::ChoiceNotOffered(mismatch("Key Length", "128 bits", "256 bits"));
    let shown = failed(Phase::MainMode, choice);
    assert!(
        shown.contains(" audit 546 ") && shown.contains(": Key Length is 128 bits, allowed: 256 bits\n"),
        "{shown}"
    );
}

#[test]
fn the_service_itself() {
    let endpoint = |event| text(EventKind::Endpoint(event));
    let shown = endpoint(EndpointEvent::PolicyInForce { version: 3, rules: 2 });
    assert_eq!(shown, "entered kill_old_policy_sas\npolicy 3 in force, rules: 2");
    let flow = Flow {
        local: ME,
        remote: PEER,
        protocol: 1,
        local_port: 0,
        remote_port: 0,
        scope: ikecore::address::Scope::ANY,
    };
    let shown = endpoint(EndpointEvent::Acquire { flow, rule: None });
    let expected = "\
Acquire from driver: src=10.0.0.1.0 dst=10.0.0.2.0 proto = 1, SrcMask=255.255.255.255, DstMask=255.255.255.255
  no rule covers it, nothing is negotiated";
    assert_eq!(shown, expected);
    let error = DriverError { driver: "xfrm", operation: "delete SA".into(), reason: "No such process".into() };
    assert_eq!(
        endpoint(EndpointEvent::DriverFailed(error)),
        "SA driver failed: driver xfrm: delete SA: No such process"
    );
    assert_eq!(endpoint(EndpointEvent::DriverLost { reason: "closed".into() }), "SA driver lost: closed");
    assert_eq!(endpoint(EndpointEvent::ShuttingDown), "Shutting down");
}
