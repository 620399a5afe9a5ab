//! What is tried with libreswan on host `b`.

use std::ops::Deref;

use ikecore::testing::authority::KeyKind;

use super::bundles::long_pings_are_short_on_the_wire;
use super::control::handle;
use super::remote_access::{DNS, KEY, LEASE, PASSWORD, POOL, USER, add_user, client_policy, gateway_policy};
use super::{IMPATIENT, PATIENCE, Role, Trial};
use crate::capture::{Capture, Kind};
use crate::certificates::Certificates;
use crate::charon::{Mode, RemoteAccess};
use crate::daemon::{Daemon, Driver};
use crate::interop::Row;
use crate::netns::{A, B, World};
use crate::pluto::{Connection, IpsecSa, Pluto};
use crate::policy_text::{Policy, RULE};
use crate::process::wait_until;

/// As the table of what interoperates names it.
const PEER: &str = "libreswan";

/// Algorithms of both phases, and what pluto must say that it negotiated.
#[derive(Debug, Clone, Copy)]
pub struct Suite {
    /// For both ends' configuration of main mode.
    pub main_mode: &'static str,
    /// For both ends' configuration of quick mode.
    pub quick_mode: &'static str,
    listed: (&'static str, &'static str),
}

/// The suites: what both have with the group's several kinds, with PFS and without. pluto has no ECP group in an IKEv1
/// quick mode.
pub const SUITES: [Suite; 3] = [
    Suite {
        main_mode: "aes256-sha256-modp2048",
        quick_mode: "aes256-sha256-modp2048",
        listed: ("AES_CBC_256-HMAC_SHA2_256-MODP2048", "AES_CBC_256-HMAC_SHA2_256_128; pfsgroup=MODP2048"),
    },
    Suite {
        main_mode: "3des-sha1-modp1536",
        quick_mode: "3des-sha1-modp1536",
        listed: ("3DES_CBC_192-HMAC_SHA1-MODP1536", "3DES_CBC_192-HMAC_SHA1_96; pfsgroup=MODP1536"),
    },
    Suite {
        main_mode: "aes256-sha384-ecp384",
        quick_mode: "aes128gcm16",
        listed: ("AES_CBC_256-HMAC_SHA2_384-DH20", "AES_GCM_16_128-NONE; pfsgroup=<N/A>"),
    },
];

/// Both ends, ready to negotiate.
struct Setting<'a> {
    trial: Trial<'a>,
    pluto: Pluto<'a>,
}

impl<'a> Deref for Setting<'a> {
    type Target = Trial<'a>;

    fn deref(&self) -> &Self::Target {
        &self.trial
    }
}

impl<'a> Setting<'a> {
    fn start(world: &'a World, driver: Driver, policy: &Policy, connection: &Connection) -> Self {
        let protected = if connection.nat_traversal.is_some() { Kind::EspInUdp } else { Kind::Esp };
        let (trial, pluto) =
            Trial::start(world, driver, policy, IMPATIENT, protected, || Pluto::start(&world.b, connection));
        Self { trial, pluto }
    }

    /// Negotiates, and waits until both ends use the SAs.
    #[track_caller]
    fn negotiate(&self, role: Role) {
        match role {
            Role::Initiator => self.traffic_negotiates(|| self.pluto.log()),
            Role::Responder => {
                if let Err(error) = self.pluto.initiate() {
                    panic!("pluto: {error}\nOakley.log:\n{}", self.daemon.oakley());
                }
                self.wait_daemon_ipsec_sas(1);
            }
        }
        self.pluto.wait_sas("IPsec SAs", PATIENCE, |_, pairs| !pairs.is_empty());
        self.settle();
    }

    /// pluto's newest pair of SAs once it is not `old`.
    #[track_caller]
    fn successor(&self, old: &IpsecSa) -> IpsecSa {
        self.pluto.wait_sas("a new pair of IPsec SAs", PATIENCE, |_, pairs| {
            pairs.iter().any(|pair| pair.number > old.number)
        });
        self.pluto.newest()
    }

    /// No SA is left at either end, nor in the kernels.
    #[track_caller]
    fn wait_nothing_left(&self) {
        self.pluto.wait_sas("no SAs left", PATIENCE, |isakmp, pairs| isakmp.is_empty() && pairs.is_empty());
        self.wait_daemon_has_none();
        self.wait_kernels_empty();
    }
}

/// From nothing to SAs, traffic, a rekey of each phase begun by the daemon, and a delete of everything by the end that began.
/// Where that is pluto it makes a second pair of SAs, too.
pub fn whole_life(driver: Driver, suite: Suite, mode: Mode, role: Role) {
    let (main_mode, quick_mode, mode_name) = (suite.main_mode, suite.quick_mode, mode.name());
    let what = format!("PSK, main mode {main_mode}, ESP {quick_mode}, {mode_name}: traffic, rekeys, delete");
    let _row = Row::new(what, PEER, driver, role.alone());
    let world = World::new();
    let policy = Policy::between(A, B).proposals(main_mode, quick_mode).mode(mode);
    let connection = Connection::between(B, A).proposals(main_mode, quick_mode).mode(mode);
    let setting = Setting::start(&world, driver, &policy, &connection);
    setting.negotiate(role);
    setting.exchange_traffic();
    assert_eq!((setting.pluto.isakmp_sas().len(), setting.pluto.ipsec_sas().len()), (1, 1));
    let (isakmp, ipsec) = setting.pluto.negotiated();
    assert_eq!((isakmp.as_str(), ipsec.as_str()), suite.listed);

    let mut last = setting.pluto.newest();
    // In the other role pluto would keep up what it began once, whatever is deleted.
    if role == Role::Responder {
        setting.pluto.initiate().unwrap_or_else(|error| panic!("pluto: {error}\n{}", setting.daemon.oakley()));
        last = setting.successor(&last);
        setting.exchange_traffic();
        assert_eq!(setting.daemon.isakmp_sas(), 1);
    }

    setting.daemon.run(&["rekey", "--ipsec-sa", &handle(&setting, "ipsec_sas")]);
    let new = setting.successor(&last);
    assert_ne!((last.spi_in, last.spi_out), (new.spi_in, new.spi_out));
    setting.exchange_traffic();

    renew_and_end(&setting, role);
}

/// A new ISAKMP SA, begun by the daemon, with traffic; then the end that began (`role` is the daemon's) ends everything.
fn renew_and_end(setting: &Setting<'_>, role: Role) {
    let isakmp = setting.pluto.isakmp_sas();
    setting.daemon.run(&["rekey", "--ike-sa", &handle(setting, "ike_sas")]);
    setting.pluto.wait_sas("a new ISAKMP SA", PATIENCE, |now, _| now.iter().any(|sa| !isakmp.contains(sa)));
    setting.exchange_traffic();
    match role {
        Role::Initiator => drop(setting.daemon.run(&["terminate", "--all"])),
        Role::Responder => setting.pluto.terminate(),
    }
    setting.wait_nothing_left();
}

/// IPComp inside ESP: short and long traffic, a rekey by the daemon, delete by the end that began.
pub fn compression(driver: Driver, mode: Mode, role: Role) {
    let what = format!("IPComp in ESP, {}: traffic, rekey, delete", mode.name());
    let _row = Row::new(what, PEER, driver, role.alone());
    let world = World::new();
    let policy = Policy { compression: true, ..Policy::between(A, B).mode(mode) };
    let connection = Connection { compress: true, ..Connection::between(B, A).mode(mode) };
    let setting = Setting::start(&world, driver, &policy, &connection);
    setting.negotiate(role);
    setting.exchange_traffic();
    long_pings_are_short_on_the_wire(&setting);
    let last = setting.pluto.newest();
    setting.daemon.run(&["rekey", "--ipsec-sa", &handle(&setting, "ipsec_sas")]);
    setting.successor(&last);
    setting.exchange_traffic();
    long_pings_are_short_on_the_wire(&setting);
    match role {
        Role::Initiator => drop(setting.daemon.run(&["terminate", "--all"])),
        Role::Responder => setting.pluto.terminate(),
    }
    setting.wait_nothing_left();
}

/// Where the payloads and numbers of NAT traversal come from. As responder pluto takes those of RFC 3947 from whoever has
/// them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Numbers {
    /// RFC 3947.
    Rfc,
    /// The drafts before it.
    Drafts,
}

impl Numbers {
    /// As pluto spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rfc => "rfc",
            Self::Drafts => "drafts",
        }
    }

    /// The title, and the encapsulation modes of tunnel and transport mode, as Oakley.log tells them.
    const fn told(self) -> (&'static str, [&'static str; 2]) {
        match self {
            Self::Rfc => ("RFC 3947", ["UDP-Encapsulated-Tunnel(3)", "UDP-Encapsulated-Transport(4)"]),
            Self::Drafts => (
                "draft-ietf-ipsec-nat-t-ike",
                ["UDP-Encapsulated-Tunnel draft(61443)", "UDP-Encapsulated-Transport draft(61444)"],
            ),
        }
    }
}

/// ESP in UDP, which the peer wants as if there were a NAT.
pub fn nat_traversal(driver: Driver, numbers: Numbers, mode: Mode, role: Role) {
    let (title, [tunnel, transport]) = numbers.told();
    let what = format!("ESP in UDP by {title}, {}: traffic, rekeys, delete", mode.name());
    let _row = Row::new(what, PEER, driver, role.alone());
    let world = World::new();
    let policy = Policy::between(A, B).mode(mode);
    let connection = Connection { nat_traversal: Some(numbers.name()), ..Connection::between(B, A).mode(mode) };
    let setting = Setting::start(&world, driver, &policy, &connection);
    setting.negotiate(role);
    setting.exchange_traffic();
    let agreed = if mode == Mode::Tunnel { tunnel } else { transport };
    // Offered, and chosen.
    let trace = setting.daemon.oakley();
    assert!(trace.matches(&format!("tunnel mode is {agreed}\n")).count() >= 2, "{agreed}:\n{trace}");
    let last = setting.pluto.newest();
    setting.daemon.run(&["rekey", "--ipsec-sa", &handle(&setting, "ipsec_sas")]);
    setting.successor(&last);
    setting.exchange_traffic();
    assert_eq!(setting.capture.count(Kind::Esp), 0, "ESP outside UDP");
    renew_and_end(&setting, role);
}

/// pluto negotiates both phases anew before their lives end, with hardly a packet lost.
pub fn the_peer_rekeys(driver: Driver) {
    let _row =
        Row::new("Rekeys of both phases by the peer's clock, under traffic", PEER, driver, Role::Responder.alone());
    let world = World::new();
    let connection = Connection { ike_lifetime: 16, esp_lifetime: 10, ..Connection::between(B, A) };
    let setting = Setting::start(&world, driver, &Policy::between(A, B), &connection);
    setting.negotiate(Role::Responder);
    let (first, isakmp) = (setting.pluto.newest(), setting.pluto.isakmp_sas());
    let (from, to) = setting.ends;
    // 17 s at 0.2 s each: longer than both lives.
    let answered = world.a.ping(from, to, 85);
    assert!(answered >= 83, "{answered} of 85 pings answered:\n{}", setting.daemon.oakley());
    let second = setting.successor(&first);
    assert_ne!(first.spi_out, second.spi_out);
    assert!(setting.pluto.isakmp_sas().iter().any(|sa| !isakmp.contains(sa)), "{}", setting.pluto.log());
    assert!(setting.pluto.log().contains("to replace #"), "{}", setting.pluto.log());
    setting.assert_nothing_in_clear();
    setting.pluto.terminate();
    setting.wait_nothing_left();
}

/// Each end deletes a pair of IPsec SAs alone, and the other end follows; both begin quick modes on the daemon's ISAKMP SAs.
pub fn pairs_are_deleted(driver: Driver) {
    let _row = Row::new("Deletes of a pair of SAs by either end", PEER, driver, Role::Initiator.alone());
    let world = World::new();
    let (policy, connection) = (Policy::between(A, B).mode(Mode::Transport), Connection::between(B, A));
    let setting = Setting::start(&world, driver, &policy, &connection.mode(Mode::Transport));
    setting.negotiate(Role::Initiator);
    setting.exchange_traffic();
    setting.daemon.run(&["terminate", "--ipsec-sa", &handle(&setting, "ipsec_sas")]);
    // pluto keeps no ISAKMP SA whose last IPsec SAs its peer deleted: the daemon follows there.
    setting.wait_nothing_left();

    setting.daemon.run(&["initiate", RULE, "--wait", "15"]);
    setting.pluto.wait_sas("new IPsec SAs", PATIENCE, |_, pairs| pairs.len() == 1);
    setting.exchange_traffic();
    let isakmp = setting.pluto.isakmp_sas();
    setting.pluto.delete(&setting.pluto.newest());
    setting.wait_daemon_ipsec_sas(0);
    setting.wait_kernels_empty();

    setting.pluto.initiate().unwrap_or_else(|error| panic!("pluto: {error}\n{}", setting.daemon.oakley()));
    setting.wait_daemon_ipsec_sas(1);
    setting.exchange_traffic();
    assert_eq!(setting.pluto.isakmp_sas(), isakmp);
    setting.pluto.terminate();
    setting.wait_nothing_left();
}

/// pluto asks whether the daemon lives, which answers each time; then the daemon dies, and pluto finds out.
pub fn the_peer_asks(driver: Driver) {
    let _row = Row::new("Dead peer detection: the peer asks, and the daemon dies", PEER, driver, &[Role::Responder]);
    let world = World::new();
    let connection = Connection { dpd: Some((1, 5, "clear")), ..Connection::between(B, A) };
    let mut setting = Setting::start(&world, driver, &Policy::between(A, B), &connection);
    setting.negotiate(Role::Responder);
    let answers = |trace: &str| trace.matches("informational (R-U-THERE-ACK)").count();
    setting.daemon.wait_oakley("several answers", 2 * PATIENCE, |trace| answers(trace) >= 4);
    setting.exchange_traffic();
    assert_eq!((setting.pluto.isakmp_sas().len(), setting.pluto.ipsec_sas().len()), (1, 1));
    setting.trial.daemon.process().signal(nix::sys::signal::Signal::SIGKILL);
    setting.pluto.wait_for("a dead peer", 2 * PATIENCE, |log| log.contains("DPD action"));
    setting.pluto.wait_sas("no SAs with the dead", PATIENCE, |isakmp, pairs| isakmp.is_empty() && pairs.is_empty());
}

/// The daemon asks whether pluto lives, which answers each time; then pluto dies, the daemon finds out, and negotiates
/// anew when there is a pluto again.
pub fn the_daemon_asks(driver: Driver) {
    let _row = Row::new("Dead peer detection: the daemon asks, and the peer dies", PEER, driver, &[Role::Initiator]);
    let world = World::new();
    let dpd = "{ delay = 1, timeout = 5, action = \"restart\", periodic = true }";
    let (policy, connection) = (Policy { dpd: Some(dpd), ..Policy::between(A, B) }, Connection::between(B, A));
    let mut setting = Setting::start(&world, driver, &policy, &connection);
    setting.negotiate(Role::Initiator);
    let questions = |trace: &str| trace.matches("informational (R-U-THERE)").count();
    setting.daemon.wait_oakley("several questions", 2 * PATIENCE, |trace| questions(trace) >= 4);
    assert!(!setting.daemon.oakley().contains("is dead"), "{}", setting.daemon.oakley());
    setting.exchange_traffic();

    setting.pluto.kill();
    world.b.ip(&["xfrm state flush", "xfrm policy flush"]);
    setting.daemon.wait_oakley("a dead peer", 2 * PATIENCE, |trace| trace.contains("is dead: no answer to"));
    setting.pluto = Pluto::start(&world.b, &connection);
    setting.pluto.wait_sas("SAs anew", 4 * PATIENCE, |_, pairs| !pairs.is_empty());
    setting.wait_daemon_ipsec_sas(1);
    setting.exchange_traffic();
    assert!(setting.daemon.oakley().contains("cause: dead peer"), "{}", setting.daemon.oakley());
}

/// What both ends' configurations do not have in common is refused, in either role, with the reason told at both ends.
pub fn refuses(driver: Driver, role: Role) {
    let what = "Refused, the reason is told: main mode proposals differ";
    let _row = Row::new(what, PEER, driver, role.alone());
    let world = World::new();
    let connection = Connection::between(B, A).proposals("3des-sha1-modp1536", "3des-sha1-modp1536");
    let mut setting = Setting::start(&world, driver, &Policy::between(A, B), &connection);
    let (own, peer) = match role {
        Role::Initiator => {
            assert_eq!(world.a.ping(A.inside, B.inside, 1), 0, "a ping was answered");
            ("NO-PROPOSAL-CHOSEN", "no acceptable Oakley Transform")
        }
        Role::Responder => {
            setting.pluto.begin();
            ("no acceptable main mode proposal", "NO_PROPOSAL_CHOSEN")
        }
    };
    setting.daemon.wait_oakley("the cause", PATIENCE, |log| log.contains(own));
    setting.pluto.wait_for("the cause", PATIENCE, |log| log.contains(peer));
    assert_eq!((setting.daemon.ipsec_sas(), setting.pluto.ipsec_sas().len()), (0, 0));
    assert_eq!((setting.capture.count(Kind::Esp), setting.capture.count(Kind::Echo)), (0, 0), "neither ESP nor clear");
}

/// RSA signatures with certificates of an intermediate authority at each end, which each sends to the other; traffic, and
/// a new main mode begun by the daemon.
pub fn certificates(driver: Driver, role: Role) {
    let what = "Certificates with an intermediate, RSA signatures: traffic, new main mode, delete";
    let _row = Row::new(what, PEER, driver, role.alone());
    let world = World::new();
    let certificates = Certificates::new(KeyKind::Rsa(2048));
    let identities = Some(("dn:C=CH, O=Example, CN=a".to_owned(), "fqdn:b.example".to_owned()));
    let policy = certificates.policy(Policy { identities, ..Policy::between(A, B) }, "");
    let connection = certificates.pluto(Connection::between(B, A));
    let setting = Setting::start(&world, driver, &policy, &connection);
    setting.negotiate(role);
    setting.exchange_traffic();
    assert!(setting.daemon.oakley().contains("fqdn:b.example"), "{}", setting.daemon.oakley());
    let states = setting.pluto.log();
    assert!(states.contains("RSA") && states.contains("CN=a"), "{states}");

    renew_and_end(&setting, role);
}

/// The daemon admits pluto's user and gives it an address.
pub fn gives_an_address(driver: Driver, push: bool) {
    let _row = row_of_remote_access("gives", push, driver, Role::Responder);
    let world = World::new();
    let capture = Capture::start(&world);
    let daemon = Daemon::start(&world.a, driver, &gateway_policy(KEY, push));
    add_user(&daemon, PASSWORD);
    let access = RemoteAccess::Client { user: USER, password: PASSWORD, push };
    let pluto = Pluto::start(&world.b, &Connection { remote_access: Some(access), ..Connection::between(B, A) });
    // pluto leaves the address to a script of its package, which is not there.
    world.b.ip(&[&format!("addr add {LEASE}/32 dev lo")]);
    world.a.ip(&[&format!("route add {LEASE} via {}", B.wire)]);
    if let Err(error) = pluto.initiate() {
        panic!("pluto: {error}\n{}\nOakley.log:\n{}", pluto.log(), daemon.oakley());
    }
    assert!(wait_until(PATIENCE, || daemon.ipsec_sas() == 1), "{}", daemon.oakley());
    assert!(world.b.ping_until_answered(LEASE, A.inside, PATIENCE), "{}\n{}", daemon.oakley(), pluto.log());
    assert_eq!(world.b.ping(LEASE, A.inside, 3), 3, "{}", daemon.oakley());
    assert!(capture.wait_count(Kind::Esp, 8, PATIENCE));
    assert_eq!(capture.count(Kind::Echo), 0, "pings in clear");
    let sa = daemon.status()["ike_sas"][0].clone();
    assert_eq!((sa["user"].as_str(), sa["addresses"][0].as_str()), (Some(USER), Some(LEASE)), "{sa}");
    pluto.terminate();
    assert!(wait_until(PATIENCE, || (daemon.isakmp_sas(), daemon.ipsec_sas()) == (0, 0)), "{}", daemon.oakley());
}

/// pluto admits the daemon's user and gives it an address.
pub fn gets_an_address(driver: Driver, push: bool) {
    let _row = row_of_remote_access("gets", push, driver, Role::Initiator);
    let world = World::new();
    let capture = Capture::start(&world);
    let access = RemoteAccess::Gateway { user: USER, password: PASSWORD, pool: POOL, dns: DNS, push };
    world.b.ip(&[&format!("route add {LEASE} via {}", A.wire)]);
    let pluto = Pluto::start(&world.b, &Connection { remote_access: Some(access), ..Connection::between(B, A) });
    let mut daemon = Daemon::start(&world.a, driver, &client_policy(KEY, push, PASSWORD));
    daemon.run(&["initiate", "remote access"]);
    pluto.wait_sas("IPsec SAs", PATIENCE, |_, pairs| pairs.len() == 1);
    assert!(world.a.ping_until_answered(LEASE, B.inside, PATIENCE), "{}\n{}", daemon.oakley(), pluto.log());
    assert_eq!(world.a.ping(LEASE, B.inside, 3), 3, "{}", daemon.oakley());
    assert!(capture.wait_count(Kind::Esp, 8, PATIENCE));
    assert_eq!(capture.count(Kind::Echo), 0, "pings in clear");
    assert!(daemon.oakley().contains(DNS), "{}", daemon.oakley());
    daemon.stop();
    pluto.wait_sas("no SAs", PATIENCE, |isakmp, pairs| isakmp.is_empty() && pairs.is_empty());
}

fn row_of_remote_access(verb: &str, push: bool, driver: Driver, role: Role) -> Row {
    let how = if push { "push" } else { "pull" };
    let what = format!("XAuth, then {verb} an address by Mode Config ({how}), traffic, delete");
    Row::new(what, PEER, driver, role.alone())
}
