//! What is tried with every driver, suite, mode and role: the daemon on host `a` against charon on host `b`.

// The cases that are tried once: by what they are about.
pub mod aggressive;
pub mod behind_nat;
pub mod boot_mode;
pub mod bundles;
pub mod certificates;
pub mod commit_bit;
pub mod control;
pub mod default_response;
pub mod driver_failure;
pub mod exempt;
pub mod fragments;
pub mod identities;
pub mod key_log;
pub mod l2tp;
pub mod libreswan;
pub mod links;
pub mod liveliness;
pub mod many;
pub mod mode_config;
pub mod moving;
pub mod moving_in;
mod named;
pub mod nat;
pub mod netsh;
pub mod recovery;
pub mod refusals;
pub mod rekeys;
pub mod remote_access;
pub mod road_warriors;
pub mod shapes;
pub mod soft_sas;
pub mod traps;
mod trial;
pub mod vpnc;

use std::ops::{Deref, DerefMut};
use std::time::Duration;

pub use trial::Trial;

use crate::capture::Kind;
use crate::charon::{Charon, ChildSa, Connection, Kernel, Mode};
use crate::daemon::Driver;
use crate::interop::Row;
use crate::netns::{A, B, World};
use crate::policy_text::{Policy, Protocol};

/// How long a negotiation, a rekey or a delete may take.
const PATIENCE: Duration = Duration::from_secs(15);

/// Which end the daemon under test is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Its traffic starts the negotiation.
    Initiator,
    /// charon starts it.
    Responder,
}

impl Role {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Initiator, Self::Responder];

    /// This one, for what is recorded of a scenario with one negotiation.
    pub const fn alone(self) -> &'static [Self] {
        match self {
            Self::Initiator => &[Self::Initiator],
            Self::Responder => &[Self::Responder],
        }
    }

    /// For the names of tests.
    pub fn name(self) -> &'static str {
        match self {
            Self::Initiator => "initiator",
            Self::Responder => "responder",
        }
    }
}

/// Algorithms of both phases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Suite {
    /// For the names of tests, and for both ends' configuration of main mode.
    pub main_mode: &'static str,
    /// For both ends' configuration of quick mode.
    pub quick_mode: &'static str,
    /// What charon must say it negotiated in main mode.
    pub main_mode_listed: &'static str,
    /// What charon must say it negotiated in quick mode.
    pub quick_mode_listed: &'static str,
}

/// The suites for kernels with ESP.
pub const SUITES: [Suite; 4] = [
    Suite {
        main_mode: "aes128-sha1-modp1024",
        quick_mode: "aes128-sha1-modp1024",
        main_mode_listed: "AES_CBC 128 PRF_HMAC_SHA1 MODP_1024",
        quick_mode_listed: "AES_CBC 128 HMAC_SHA1_96 MODP_1024",
    },
    Suite {
        main_mode: "aes256-sha256-modp2048",
        quick_mode: "aes256-sha256-modp2048",
        main_mode_listed: "AES_CBC 256 PRF_HMAC_SHA2_256 MODP_2048",
        quick_mode_listed: "AES_CBC 256 HMAC_SHA2_256_128 MODP_2048",
    },
    Suite {
        main_mode: "3des-sha1-modp1024",
        quick_mode: "3des-sha1-modp1024",
        main_mode_listed: "3DES_CBC PRF_HMAC_SHA1 MODP_1024",
        quick_mode_listed: "3DES_CBC HMAC_SHA1_96 MODP_1024",
    },
    Suite {
        main_mode: "aes256-sha512-ecp384",
        quick_mode: "aes256-sha512-ecp384",
        main_mode_listed: "AES_CBC 256 PRF_HMAC_SHA2_512 ECP_384",
        quick_mode_listed: "AES_CBC 256 HMAC_SHA2_512_256 ECP_384",
    },
];

impl Suite {
    /// The same with a quick mode that `driver` can do.
    #[must_use]
    pub fn for_driver(self, driver: Driver) -> Self {
        match driver {
            Driver::PfKey => self.for_pf_key(),
            Driver::Userspace | Driver::Xfrm | Driver::Memory => self,
        }
    }

    /// The same with HMAC-SHA-256 cut to 96 bits, as Linux does for who tells it over PF_KEY.
    fn for_pf_key(self) -> Self {
        match self.main_mode {
            "aes256-sha256-modp2048" => Self { quick_mode: CUT.quick_mode, ..self },
            _ => self,
        }
    }
}

/// HMAC-SHA-256 cut to 96 bits. charon lists what was negotiated, which says nothing of it.
pub const CUT: Suite = Suite { quick_mode: "aes256-sha256_96-modp2048", ..SUITES[1] };

/// A suite of which quick mode alone is of interest.
const fn quick_mode(quick_mode: &'static str, quick_mode_listed: &'static str) -> Suite {
    Suite { quick_mode, quick_mode_listed, ..GCM }
}

/// The less common suites of ESP that PF_KEY has, too.
pub const RARE: [Suite; 7] = [
    quick_mode("3des-none", "3DES_CBC"),
    quick_mode("des-md5", "DES_CBC HMAC_MD5_96"),
    quick_mode("null-sha256_96", "NULL HMAC_SHA2_256_128"),
    quick_mode("aes128ctr-sha1", "AES_CTR 128 HMAC_SHA1_96"),
    quick_mode("aes256ctr-sha384", "AES_CTR 256 HMAC_SHA2_384_192"),
    quick_mode("aes192-aesxcbc", "AES_CBC 192 AES_XCBC_96"),
    Suite {
        main_mode: "camellia128-sha1-modp2048",
        quick_mode: "camellia256-sha512",
        main_mode_listed: "CAMELLIA_CBC 128 PRF_HMAC_SHA1 MODP_2048",
        quick_mode_listed: "CAMELLIA_CBC 256 HMAC_SHA2_512_256",
    },
];

/// The less common groups, in both phases.
pub const GROUPS: [Suite; 5] = [
    Suite {
        main_mode: "aes128-sha1-modp1024s160",
        quick_mode: "aes128-sha1-modp2048s224",
        main_mode_listed: "AES_CBC 128 PRF_HMAC_SHA1 MODP_1024_160",
        quick_mode_listed: "AES_CBC 128 HMAC_SHA1_96 MODP_2048_224",
    },
    Suite {
        main_mode: "aes256-sha256-modp2048s256",
        quick_mode: "aes256-sha256-modp2048s256",
        main_mode_listed: "AES_CBC 256 PRF_HMAC_SHA2_256 MODP_2048_256",
        quick_mode_listed: "AES_CBC 256 HMAC_SHA2_256_128 MODP_2048_256",
    },
    Suite {
        main_mode: "aes128-sha1-ecp192",
        quick_mode: "aes128-sha1-ecp224",
        main_mode_listed: "AES_CBC 128 PRF_HMAC_SHA1 ECP_192",
        quick_mode_listed: "AES_CBC 128 HMAC_SHA1_96 ECP_224",
    },
    Suite {
        main_mode: "aes128-sha256-ecp224bp",
        quick_mode: "aes128-sha256-ecp256bp",
        main_mode_listed: "AES_CBC 128 PRF_HMAC_SHA2_256 ECP_224_BP",
        quick_mode_listed: "AES_CBC 128 HMAC_SHA2_256_128 ECP_256_BP",
    },
    Suite {
        main_mode: "aes256-sha384-ecp384bp",
        quick_mode: "aes256-sha512-ecp512bp",
        main_mode_listed: "AES_CBC 256 PRF_HMAC_SHA2_384 ECP_384_BP",
        quick_mode_listed: "AES_CBC 256 HMAC_SHA2_512_256 ECP_512_BP",
    },
];

/// Extended sequence numbers, which PF_KEY has not.
pub const EXTENDED: [Suite; 3] = [
    quick_mode("aes256-sha256-modp2048-esn", "AES_CBC 256 HMAC_SHA2_256_128 MODP_2048 esn"),
    quick_mode("aes256-sha1-esn-noesn", "AES_CBC 256 HMAC_SHA1_96 esn"),
    quick_mode("aes128gcm16-esn", "AES_GCM_16 128 esn"),
];

/// AES-GCM with short integrity check values.
pub const GCM_CUT: [Suite; 3] = [
    quick_mode("aes128gcm8", "AES_GCM_8 128"),
    quick_mode("aes192gcm12", "AES_GCM_12 192"),
    quick_mode("aes256gcm12-ecp256", "AES_GCM_12 256 ECP_256"),
];

/// AES-GCM, which the driver of PF_KEY has not.
pub const GCM: Suite = Suite {
    main_mode: "aes128-sha256-ecp256",
    quick_mode: "aes128gcm16-ecp256",
    main_mode_listed: "AES_CBC 128 PRF_HMAC_SHA2_256 ECP_256",
    quick_mode_listed: "AES_GCM_16 128 ECP_256",
};

/// The settings of daemons that shall soon give up peers which do not answer: after 6.2 s instead of 63.
pub const IMPATIENT: &str = "[ike]\nretransmit_first_milliseconds = 200\ntransmissions = 5\n";

/// Both ends, ready to negotiate. What does not depend on the peer is in [`Trial`].
pub struct Setting<'a> {
    trial: Trial<'a>,
    /// The peer, on host `b`.
    pub charon: Charon,
}

impl<'a> Deref for Setting<'a> {
    type Target = Trial<'a>;

    fn deref(&self) -> &Self::Target {
        &self.trial
    }
}

impl DerefMut for Setting<'_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.trial
    }
}

impl<'a> Setting<'a> {
    /// Starts both. charon's own ESP, where the kernel has none, wants UDP encapsulation.
    pub fn start(world: &'a World, driver: Driver, peer: Kernel, policy: &Policy, connection: &Connection) -> Self {
        Self::start_with_settings(world, driver, peer, policy, connection, "")
    }

    /// The same with `settings`, the text of the daemon's settings file.
    pub fn start_with_settings(
        world: &'a World,
        driver: Driver,
        peer: Kernel,
        policy: &Policy,
        connection: &Connection,
        settings: &str,
    ) -> Self {
        let mut connection = connection.clone();
        connection.encap |= peer == Kernel::Libipsec;
        let protected = match (policy.protocol, connection.encap) {
            (Protocol::Ah, _) => Kind::Ah,
            (Protocol::Esp, true) => Kind::EspInUdp,
            (Protocol::Esp, false) => Kind::Esp,
        };
        let (trial, charon) =
            Trial::start(world, driver, policy, settings, protected, || Charon::start(&world.b, peer, &connection));
        Self { trial, charon }
    }

    /// Starts both with configurations that suit each other.
    pub fn matching(world: &'a World, driver: Driver, peer: Kernel, suite: Suite, mode: Mode) -> Self {
        let policy = Policy::between(A, B).proposals(suite.main_mode, suite.quick_mode);
        let connection = Connection::between(B, A).proposals(suite.main_mode, suite.quick_mode);
        Self::start(world, driver, peer, &policy.mode(mode), &connection.mode(mode))
    }

    /// Negotiates, and waits until both ends use the SAs.
    #[track_caller]
    pub fn negotiate(&self, role: Role) {
        match role {
            Role::Initiator => self.traffic_negotiates(|| self.charon.log()),
            Role::Responder => {
                if let Err(error) = self.charon.initiate() {
                    panic!("charon: {error}\nOakley.log:\n{}", self.daemon.oakley());
                }
                // charon is done when it has sent the third message; traffic before the daemon has it would have the
                // daemon begin a quick mode of its own.
                self.wait_daemon_ipsec_sas(1);
            }
        }
        self.charon.wait_installed();
        self.settle();
    }

    /// charon's one pair of SAs in use that is not `old`; waits for it.
    #[track_caller]
    pub fn successor(&self, old: &ChildSa) -> ChildSa {
        self.charon.wait_sas("a new pair of IPsec SAs", PATIENCE, |_| self.newest(old).is_some());
        self.newest(old).expect("it was there a moment ago")
    }

    fn newest(&self, old: &ChildSa) -> Option<ChildSa> {
        self.charon.installed().into_iter().filter(|child| child.spi_in != old.spi_in).max_by_key(|child| child.id)
    }

    /// No SA is left at either end.
    #[track_caller]
    pub fn wait_nothing_left(&self) {
        self.charon.wait_sas("no SAs left", PATIENCE, <[_]>::is_empty);
        self.wait_daemon_has_none();
    }

    /// A new charon in place of one that has ended.
    pub fn restart_charon(&mut self, peer: Kernel, connection: &Connection) {
        self.charon = Charon::start(&self.world.b, peer, connection);
    }
}

/// Configurations of both ends that suit each other and `driver`, in `mode`.
pub fn suiting(driver: Driver, mode: Mode) -> (Policy, Connection) {
    let suite = SUITES[1].for_driver(driver);
    let policy = Policy::between(A, B).proposals(suite.main_mode, suite.quick_mode);
    let connection = Connection::between(B, A).proposals(suite.main_mode, suite.quick_mode);
    (policy.mode(mode), connection.mode(mode))
}

/// From nothing to SAs, traffic, a rekey of each phase begun by charon, and charon's delete.
pub fn whole_life(driver: Driver, peer: Kernel, suite: Suite, mode: Mode, role: Role) {
    let (main_mode, quick_mode, mode_name) = (suite.main_mode, suite.quick_mode, mode.name());
    let what =
        format!("PSK, main mode {main_mode}, ESP {quick_mode}, {mode_name}: traffic, rekeys, delete by the peer");
    let _row = Row::charon(what, peer, driver, role.alone());
    let world = World::new();
    let setting = Setting::matching(&world, driver, peer, suite, mode);
    let status = setting.daemon.status();
    let warnings = status["policy"]["warnings"].as_array().expect("a list");
    let unsupported = warnings.iter().find(|warning| warning.as_str().is_some_and(|text| text.contains("the offer")));
    assert_eq!(unsupported, None, "the driver can run what it is asked for");
    setting.negotiate(role);
    setting.exchange_traffic();
    let sas = setting.charon.list_sas();
    assert_eq!(sas.len(), 1, "{sas:#?}");
    assert_eq!((sas[0].state.as_str(), sas[0].suite.as_str()), ("ESTABLISHED", suite.main_mode_listed));
    assert_eq!(sas[0].initiator, role == Role::Responder);
    let first = setting.charon.installed().remove(0);
    assert_eq!(first.suite, suite.quick_mode_listed);
    assert_eq!(first.mode, mode.name().to_uppercase());
    assert!(first.packets_in >= 4 && first.packets_out >= 4, "{first:?}");

    setting.charon.rekey_child();
    let second = setting.successor(&first);
    setting.exchange_traffic();

    setting.charon.rekey_ike();
    setting.charon.wait_sas("a new IKE SA", PATIENCE, |now| {
        now.iter().any(|sa| sa.state == "ESTABLISHED" && sa.cookies != sas[0].cookies)
    });
    setting.exchange_traffic();
    assert_ne!(first.spi_in, second.spi_in);

    setting.charon.terminate();
    setting.wait_nothing_left();
}

/// The daemon rekeys both phases by itself before their short lives end, without losing traffic, and deletes what it
/// has when it ends.
pub fn rekeys_and_deletes(driver: Driver, peer: Kernel, mode: Mode) {
    let what = format!("Rekeys of both phases under traffic, delete by us, {}", mode.name());
    let _row = Row::charon(what, peer, driver, Role::Initiator.alone());
    let world = World::new();
    let (policy, connection) = suiting(driver, mode);
    let policy = Policy { main_mode_seconds: 20, quick_mode_seconds: 10, ..policy };
    let mut setting = Setting::start(&world, driver, peer, &policy, &connection);
    setting.negotiate(Role::Initiator);
    let first = setting.charon.installed().remove(0);
    let cookies = setting.charon.list_sas()[0].cookies.clone();
    let (from, to) = setting.ends;
    // 22 s at 0.2 s each: longer than both lives.
    let answered = world.a.ping(from, to, 110);
    assert!(answered >= 108, "{answered} of 110 pings answered:\n{}", setting.daemon.oakley());
    let second = setting.successor(&first);
    assert_ne!(first.spi_out, second.spi_out);
    let sas = setting.charon.list_sas();
    assert!(sas.iter().any(|sa| sa.state == "ESTABLISHED" && sa.cookies != cookies), "{sas:#?}");
    setting.assert_nothing_in_clear();

    setting.daemon.stop();
    setting.charon.wait_sas("no SAs after the daemon's deletes", PATIENCE, <[_]>::is_empty);
}
