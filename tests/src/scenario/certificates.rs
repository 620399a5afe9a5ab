//! Authentication with certificates: the daemon on host `a`, charon on host `b`, each with an intermediate authority of
//! its own beneath one root.

use ikecore::testing::authority::KeyKind;

use super::{IMPATIENT, PATIENCE, Role, Setting};
use crate::certificates::Certificates;
use crate::charon::{Connection, Kernel, Mode};
use crate::daemon::Driver;
use crate::interop::Row;
use crate::netns::{A, B, World};
use crate::policy_text::Policy;

/// For people, and the names of tests.
const fn name(key: KeyKind) -> &'static str {
    match key {
        KeyKind::Rsa(_) => "RSA",
        KeyKind::P256 => "ECDSA P-256",
        KeyKind::P384 => "ECDSA P-384",
        KeyKind::P521 => "ECDSA P-521",
    }
}

/// How charon logs that it has authenticated the peer by a signature.
const AUTHENTICATED: &str = "authentication of 'C=CH, O=Example, CN=a' with";

/// How charon logs which authority it is asked for.
const ASKED: &str = "received cert request for 'C=CH, O=Example, CN=root'";

/// From nothing to SAs with signatures of `key`, a new main mode begun by charon, and its delete. Each end gets the
/// other's intermediate from the other, and looks at revocation lists.
pub fn signatures(driver: Driver, peer: Kernel, key: KeyKind, main_mode: &str, role: Role) {
    let what = format!("Certificates with an intermediate and revocation lists, {} signatures, {main_mode}", name(key));
    let _row = Row::charon(what, peer, driver, role.alone());
    let world = World::new();
    let certificates = Certificates::new(key);
    let lists = certificates.list_file(&certificates.lists(false));
    let more = format!(", crl = \"{lists}\", crl_check = \"strict\"");
    let policy = Policy {
        identities: Some(("dn:C=CH, O=Example, CN=a".to_owned(), "fqdn:B.example".to_owned())),
        ..Policy::between(A, B)
    };
    let quick_mode = "aes256-sha256-modp2048";
    let policy = certificates.policy(policy, &more).proposals(main_mode, quick_mode);
    let connection = certificates.connection(Connection::between(B, A)).proposals(main_mode, quick_mode);
    let setting = Setting::start(&world, driver, peer, &policy.mode(Mode::Tunnel), &connection);
    setting.negotiate(role);
    setting.exchange_traffic();
    let sas = setting.charon.list_sas();
    assert_eq!((sas.len(), sas[0].state.as_str()), (1, "ESTABLISHED"));
    assert_eq!(sas[0].initiator, role == Role::Responder);
    assert!(setting.charon.log().contains(AUTHENTICATED), "{}", setting.charon.log());
    assert!(setting.daemon.oakley().contains("fqdn:b.example"), "{}", setting.daemon.oakley());

    setting.charon.rekey_ike();
    setting.charon.wait_sas("a new IKE SA", PATIENCE, |now| {
        now.iter().any(|sa| sa.state == "ESTABLISHED" && sa.cookies != sas[0].cookies)
    });
    setting.exchange_traffic();
    setting.charon.terminate();
    setting.wait_nothing_left();
}

/// The same in aggressive mode, without lists and rekeys: traffic, and the peer's delete.
pub fn aggressive(driver: Driver, peer: Kernel, key: KeyKind, role: Role) {
    let what = format!("Certificates with an intermediate, {} signatures, aggressive mode: traffic", name(key));
    let _row = Row::charon(what, peer, driver, role.alone());
    let world = World::new();
    let certificates = Certificates::new(key);
    let policy = Policy {
        aggressive: true,
        identities: Some(("dn:C=CH, O=Example, CN=a".to_owned(), "fqdn:B.example".to_owned())),
        ..Policy::between(A, B)
    };
    let policy = certificates.policy(policy, "");
    let connection = Connection { aggressive: true, ..certificates.connection(Connection::between(B, A)) };
    let setting = Setting::start(&world, driver, peer, &policy, &connection);
    setting.negotiate(role);
    setting.exchange_traffic();
    assert!(setting.charon.log().contains(AUTHENTICATED), "{}", setting.charon.log());
    assert!(setting.daemon.oakley().contains("fqdn:b.example"), "{}", setting.daemon.oakley());
    assert!(setting.charon.log().contains(" AGGRESSIVE "), "{}", setting.charon.log());
    setting.charon.terminate();
    setting.wait_nothing_left();
}

/// A rule names the authority alone: the machine has a certificate of it, and one of another. Whether charon is told which
/// authority is asked for is as the rule says.
pub fn by_root_ca(driver: Driver, peer: Kernel, excluded: bool, role: Role) {
    let named = if excluded { "its name excluded" } else { "named to the peer" };
    let what = format!("Certificates of this machine's by the name of the authority, {named}: traffic");
    let _row = Row::charon(what, peer, driver, role.alone());
    let world = World::new();
    let certificates = Certificates::new(KeyKind::P256);
    // As Windows writes names: from the most specific part on.
    let method = format!("{{ root_ca = \"CN=root, O=Example, C=CH\", exclude_ca_name = {excluded} }}");
    let policy = Policy { authentication: Some(method), ..Policy::between(A, B) };
    let connection = certificates.connection(Connection::between(B, A));
    let settings = certificates.directories();
    let setting = Setting::start_with_settings(&world, driver, peer, &policy, &connection, &settings);
    setting.negotiate(role);
    setting.exchange_traffic();
    let log = setting.charon.log();
    assert!(log.contains(AUTHENTICATED), "{log}");
    assert_eq!(log.contains(ASKED), !excluded, "{log}");
    setting.charon.terminate();
    setting.wait_nothing_left();
}

/// What is wrong with a certificate, or what the two ends have of different kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// charon's was revoked.
    Revoked,
    /// No revocation list tells of charon's, and one must.
    NoList,
    /// The revocation lists were to be renewed.
    StaleLists,
    /// charon's has expired; charon sends it all the same.
    Expired,
    /// charon's is not valid yet.
    NotYetValid,
    /// charon's is of an authority that the daemon does not know.
    UnknownAuthority,
    /// charon's key is not for signatures.
    KeyUsage,
    /// charon's certificate is for something else.
    Purpose,
    /// charon is somebody else than the policy wants.
    OtherPeer,
    /// The daemon's has expired.
    OwnExpired,
    /// The daemon has a pre-shared key, charon a certificate.
    OneHasKey,
    /// The daemon has an ECDSA key, charon an RSA key.
    OtherKind,
}

impl Fault {
    /// For the names of tests.
    const fn name(self) -> &'static str {
        match self {
            Self::Revoked => "the peer's certificate was revoked",
            Self::NoList => "no revocation list for the peer's certificate",
            Self::StaleLists => "revocation lists that were to be renewed",
            Self::Expired => "the peer's certificate has expired",
            Self::NotYetValid => "the peer's certificate is not valid yet",
            Self::UnknownAuthority => "the peer's certificate is of an unknown authority",
            Self::KeyUsage => "the peer's key is not for signatures",
            Self::Purpose => "the peer's certificate is for something else",
            Self::OtherPeer => "the peer's certificate has another name",
            Self::OwnExpired => "our certificate has expired",
            Self::OneHasKey => "we have a pre-shared key, the peer a certificate",
            Self::OtherKind => "we have an ECDSA key, the peer an RSA key",
        }
    }

    /// What the trace must say. charon tells its refusal under keys of an ISAKMP SA that does not stand.
    const fn told(self, role: Role) -> &'static [&'static str] {
        match (self, role) {
            (Self::Revoked, _) => &["certificate of C=CH, O=Example, CN=b was revoked on "],
            (Self::NoList, _) => &["no revocation list tells whether the certificates from C=CH, O=Example, CN=b"],
            (Self::StaleLists, _) => &["the revocation list for the certificate of ", "was to be renewed on "],
            (Self::Expired, _) => &["certificate of C=CH, O=Example, CN=b expired on "],
            (Self::NotYetValid, _) => &["certificate of C=CH, O=Example, CN=b is valid from "],
            (Self::UnknownAuthority, _) => &["no certificate chain to CA CN=somebody else from C=CH, O=Example, CN=b"],
            (Self::KeyUsage, _) => &["certificate of C=CH, O=Example, CN=b has neither digitalSignature"],
            (Self::Purpose, _) => &["certificate of C=CH, O=Example, CN=b is for 1.3.6.1.5.5.7.3.3 only"],
            (Self::OtherPeer, _) => &["fqdn:b.example", "requires fqdn:c.example"],
            // Of another kind than its own charon notices no sooner.
            (Self::OwnExpired, _) | (Self::OtherKind, Role::Initiator) => {
                &["the peer probably refuses our certificate or our identity, or has another kind of authentication"]
            }
            // It has no key for the second half of main mode.
            (Self::OneHasKey, Role::Initiator) => {
                &["the peer refused main mode message 3 with INVALID-KEY-INFORMATION"]
            }
            (Self::OneHasKey, Role::Responder) => {
                &["Authentication Method is ECDSA with SHA-256 on P-256 (9), allowed: pre-shared key (1)"]
            }
            (Self::OtherKind, Role::Responder) => {
                &["Authentication Method is RSA signatures (3), allowed: ECDSA with SHA-256 on P-256 (9)"]
            }
        }
    }
}

/// A fault that ends in no SAs at either end, and the trace says why.
pub fn refuses_certificate(driver: Driver, peer: Kernel, fault: Fault, role: Role) {
    let what = format!("Refused, both ends end, the reason is told: {}", fault.name());
    let _row = Row::charon(what, peer, driver, role.alone());
    let world = World::new();
    let certificates = Certificates::with(KeyKind::P256, |host, wish, now| match (fault, host) {
        (Fault::Expired, 1) | (Fault::OwnExpired, 0) => wish.not_after = now - 60,
        (Fault::NotYetValid, 1) => wish.not_before = now + 3_600,
        (Fault::KeyUsage, 1) => wish.may_sign = false,
        (Fault::Purpose, 1) => wish.purposes = vec!["1.3.6.1.5.5.7.3.3".to_owned()],
        (Fault::OtherKind, 1) => wish.key = KeyKind::Rsa(2048),
        _ => {}
    });
    let lists = |lists: &[String], check: &str| {
        format!(", crl = \"{}\", crl_check = \"{check}\"", certificates.list_file(lists))
    };
    let more = match fault {
        Fault::Revoked => lists(&certificates.lists(true), "revoked"),
        Fault::NoList => lists(&certificates.lists(false)[..1], "strict"),
        Fault::StaleLists => lists(&certificates.stale_lists(), "strict"),
        _ => String::new(),
    };
    let mut policy = certificates.policy(Policy::between(A, B), &more);
    let mut connection = certificates.connection(Connection::between(B, A));
    match fault {
        Fault::OtherPeer => {
            policy.identities = Some(("fqdn:a.example".to_owned(), "fqdn:c.example".to_owned()));
            connection.remote_id = "a.example".to_owned();
        }
        Fault::UnknownAuthority => {
            let method = format!("{{ {}, {} }}", certificates.own(), certificates.other_authority());
            policy.authentication = Some(method);
        }
        Fault::OneHasKey => policy.authentication = None,
        _ => {}
    }
    let setting = Setting::start_with_settings(&world, driver, peer, &policy, &connection, IMPATIENT);
    match role {
        Role::Initiator => assert_eq!(world.a.ping(A.inside, B.inside, 2), 0, "a ping was answered"),
        Role::Responder => {
            setting.charon.initiate().expect_err("a certificate is wrong");
        }
    }
    let patience = std::time::Duration::from_secs(30);
    let told = fault.told(role);
    setting.daemon.wait_oakley("the cause", patience, |log| told.iter().all(|text| log.contains(text)));
    assert!(setting.charon.installed().is_empty());
    assert_eq!(setting.daemon.ipsec_sas(), 0);
    // Also where charon had sent message 6 and was content: the daemon deletes its ISAKMP SA.
    setting.wait_nothing_left();
}
