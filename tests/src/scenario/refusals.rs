//! Configurations that do not suit each other: both ends end, and the daemon tells which setting differs, with both values.

use std::time::Duration;

use super::{Role, Setting};
use crate::capture::Kind;
use crate::charon::{Connection, Kernel};
use crate::daemon::Driver;
use crate::interop::Row;
use crate::netns::{A, B, World};
use crate::policy_text::{Policy, Protocol, RULE, Upper};

/// The settings of the daemon: it gives up a peer that does not answer after 3.1 s instead of 63.
const HASTY: &str = "[ike]\nretransmit_first_milliseconds = 100\ntransmissions = 5\n";

/// How long it may take until the cause is told: longer than charon repeats its messages.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long charon keeps an IKE SA whose initiator it cannot read and never hears of again, which is 30 s, and more.
const HALF_OPEN: Duration = Duration::from_secs(45);

/// How two configurations do not suit each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mismatch {
    /// The pre-shared keys.
    Key,
    /// The ciphers of main mode.
    MainMode,
    /// The lengths of their keys.
    KeyLength,
    /// The hashes.
    Hash,
    /// The groups of main mode.
    Group,
    /// Who the peer is.
    Identity,
    /// The ciphers of quick mode.
    QuickMode,
    /// The integrity algorithms.
    Integrity,
    /// The groups of perfect forward secrecy.
    PfsGroup,
    /// Perfect forward secrecy or none.
    Pfs,
    /// Extended sequence numbers or none.
    SequenceNumbers,
    /// ESP or AH.
    Protocol,
    /// Tunnel or transport mode.
    Mode,
    /// The traffic selectors.
    Selectors,
    /// Their ports.
    Ports,
}

/// What differs, in words; and what the trace must name: as responder both values, as initiator what the peer answered
/// and, unless it is a secret, what was offered.
struct Expected {
    differs: &'static str,
    responder: &'static [&'static str],
    initiator: &'static [&'static str],
}

impl Mismatch {
    /// Makes the two configurations differ.
    fn apply(self, policy: &mut Policy, connection: &mut Connection) {
        let proposals = |ours: &str| vec![ours.to_owned()];
        match self {
            Self::Key => connection.psk = "incorrect horse battery".to_owned(),
            Self::MainMode => policy.main_mode = proposals("3des-sha1-modp1024"),
            Self::KeyLength => policy.main_mode = proposals("aes128-sha256-modp2048"),
            Self::Hash => policy.main_mode = proposals("aes256-sha512-modp2048"),
            Self::Group => policy.main_mode = proposals("aes256-sha256-modp1536"),
            Self::Identity => {
                policy.identities = Some((A.wire.to_owned(), "fqdn:gateway.example".to_owned()));
            }
            Self::QuickMode => policy.quick_mode = proposals("aes128-sha1-modp2048"),
            Self::Integrity => policy.quick_mode = proposals("aes256-sha1-modp2048"),
            Self::PfsGroup => policy.quick_mode = proposals("aes256-sha256-modp1536"),
            Self::Pfs => connection.esp = proposals("aes256-sha256"),
            Self::SequenceNumbers => policy.quick_mode = proposals("aes256-sha256-modp2048-esn"),
            Self::Protocol => {
                connection.protocol = Protocol::Ah;
                connection.esp = proposals("sha256-modp2048");
            }
            Self::Mode => {
                policy.local = policy.own.wire.to_owned();
                policy.remote = policy.other.wire.to_owned();
                *connection = connection.clone().transport();
            }
            Self::Selectors => policy.remote = "10.10.3.0/24".to_owned(),
            Self::Ports => {
                policy.upper = Some(Upper::TcpPort(443));
                connection.local_ts = vec![format!("{}[tcp/80]", B.net)];
                connection.remote_ts = vec![format!("{}[tcp]", A.net)];
            }
        }
    }

    /// Whether it leaves nothing of the ISAKMP SA, too.
    const fn is_of_main_mode(self) -> bool {
        matches!(self, Self::Key | Self::MainMode | Self::KeyLength | Self::Hash | Self::Group | Self::Identity)
    }

    const fn expected(self) -> Expected {
        const NO_PROPOSAL: &[&str] = &["NO-PROPOSAL-CHOSEN", "offered were"];
        const INVALID_ID: &[&str] = &["INVALID-ID-INFORMATION", "offered were"];
        let (differs, responder, initiator): (_, &[&str], _) = match self {
            Self::Key => ("pre-shared keys", &["pre-shared key"], &["pre-shared key"] as &[&str]),
            Self::MainMode => (
                "main mode proposals",
                &["no acceptable main mode proposal", "Encryption Algorithm is AES-CBC-256 (7), allowed: 3DES-CBC (5)"],
                NO_PROPOSAL,
            ),
            Self::KeyLength => (
                "lengths of the main mode cipher's key",
                &["Encryption Algorithm is AES-CBC-256 (7), allowed: AES-CBC-128 (7)"],
                NO_PROPOSAL,
            ),
            Self::Hash => ("hashes", &["Hash Algorithm is SHA2-256 (4), allowed: SHA2-512 (6)"], NO_PROPOSAL),
            Self::Group => ("groups", &["Group Description is MODP-2048 (14), allowed: MODP-1536 (5)"], NO_PROPOSAL),
            Self::Identity => {
                const NAMES: &[&str] = &["the peer's identity is ", B.wire, "requires fqdn:gateway.example"];
                ("identities", NAMES, NAMES)
            }
            Self::QuickMode => {
                ("quick mode proposals", &["no acceptable quick mode proposal", "allowed: "], NO_PROPOSAL)
            }
            Self::Integrity => (
                "integrity algorithms",
                &["Authentication Algorithm is HMAC-SHA2-256 (5), allowed: HMAC-SHA (2)"],
                NO_PROPOSAL,
            ),
            Self::PfsGroup => (
                "groups of perfect forward secrecy",
                &["Group Description is MODP-2048 (14), allowed: MODP-1536 (5)"],
                NO_PROPOSAL,
            ),
            Self::Pfs => (
                "perfect forward secrecy and none",
                &["Group Description is none, allowed: MODP-2048 (14)"],
                NO_PROPOSAL,
            ),
            Self::SequenceNumbers => (
                "extended sequence numbers and none",
                &["Extended (64-bit) Sequence Number is absent, allowed: 64-bit (1)"],
                NO_PROPOSAL,
            ),
            Self::Protocol => ("ESP and AH", &["Protocol-ID is AH (2), allowed: ESP (3)"], NO_PROPOSAL),
            Self::Mode => (
                "tunnel and transport mode",
                &["Encapsulation Mode is UDP-Encapsulated-Transport", "allowed: UDP-Encapsulated-Tunnel"],
                // charon finds no configuration for the mode, and blames the selectors.
                &["INVALID-ID-INFORMATION", "in tunnel mode"],
            ),
            Self::Selectors => ("selectors", &["the peer proposes", B.net, "allows", "10.10.3.0/24"], INVALID_ID),
            Self::Ports => ("ports", &["the peer proposes", "[80]", "allows", "[443]"], INVALID_ID),
        };
        Expected { differs, responder, initiator }
    }
}

/// Configurations that do not suit each other: both ends end cleanly, and Oakley.log names the cause with both values
/// where there are two that may be shown.
pub fn refuses(driver: Driver, peer: Kernel, mismatch: Mismatch, role: Role) {
    let Expected { differs, responder, initiator } = mismatch.expected();
    let _row = Row::charon(
        format!("Refused, both ends end, the reason is told: {differs} differ"),
        peer,
        driver,
        role.alone(),
    );
    let world = World::new();
    let mut policy = Policy::between(A, B);
    let mut connection = Connection::between(B, A);
    mismatch.apply(&mut policy, &mut connection);
    if mismatch == Mismatch::Selectors {
        world.a.ip(&[&format!("route add 10.10.3.0/24 via {}", B.wire)]);
    }
    let setting = Setting::start_with_settings(&world, driver, peer, &policy, &connection, HASTY);
    let named = match role {
        Role::Initiator => {
            let to = if mismatch == Mismatch::Selectors { "10.10.3.1" } else { setting.ends.1 };
            match mismatch {
                // Pings are neither of the two.
                Mismatch::Ports => {
                    let output = setting.daemon.command(&["initiate", RULE]);
                    assert!(!output.status.success(), "the configurations differ");
                }
                Mismatch::Mode => assert_eq!(world.a.ping(A.wire, B.wire, 2), 0, "a ping was answered"),
                _ => assert_eq!(world.a.ping(A.inside, to, 2), 0, "a ping was answered"),
            }
            initiator
        }
        Role::Responder => {
            setting.charon.initiate().expect_err("the configurations differ");
            responder
        }
    };
    setting.daemon.wait_oakley("the cause", PATIENCE, |log| named.iter().all(|text| log.contains(text)));
    assert!(!setting.daemon.oakley().contains(&policy.psk), "the key is in the trace");
    assert!(setting.charon.installed().is_empty());
    if mismatch.is_of_main_mode() {
        setting.charon.wait_sas("nothing half-made", HALF_OPEN, <[_]>::is_empty);
        setting.wait_daemon_has_none();
    }
    assert_eq!(setting.daemon.ipsec_sas(), 0);
    let esp = setting.capture.count(Kind::Esp) + setting.capture.count(Kind::EspInUdp);
    assert_eq!((esp, setting.capture.count(Kind::Echo)), (0, 0), "neither ESP nor clear traffic");
}
