//! Hosts that join a network from outside: extended authentication, then Mode Config, each of both ends being the
//! daemon once.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use ikecore::testing::authority::KeyKind;

use crate::capture::{Capture, Kind};
use crate::certificates::Certificates;
use crate::charon::{Charon, Connection, Kernel, RemoteAccess};
use crate::daemon::{Daemon, Driver};
use crate::interop::Row;
use crate::netns::{A, B, World};
use crate::process::wait_until;
use crate::scratch::Scratch;

use super::{IMPATIENT, Role};

const PATIENCE: Duration = Duration::from_secs(20);

/// The client's user at both ends, and its password.
pub const USER: &str = "joe";
/// Its password.
pub const PASSWORD: &str = "foobar 12345";

/// The addresses of the pool.
pub const POOL: &str = "10.99.0.1-10.99.0.20";
/// The first of them, which a client gets.
pub const LEASE: &str = "10.99.0.1";

/// A name server behind the gateways.
pub const DNS: &str = "10.10.1.53";

/// What a rule says of a key that both ends have.
pub const KEY: &str = "authentication = [{ preshared_key = \"correct horse battery\" }]";

/// What the two ends prove before the user does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase1 {
    /// A pre-shared key.
    Key,
    /// RSA signatures of both.
    Signatures,
    /// An RSA signature of the gateway.
    Hybrid,
    /// The same in aggressive mode.
    HybridAggressive,
}

impl Phase1 {
    /// For the names of tests.
    const fn name(self) -> &'static str {
        match self {
            Self::Key => "",
            Self::Signatures => " after RSA signatures",
            Self::Hybrid => " by hybrid authentication",
            Self::HybridAggressive => " by hybrid authentication in aggressive mode",
        }
    }

    const fn is_hybrid(self) -> bool {
        matches!(self, Self::Hybrid | Self::HybridAggressive)
    }

    /// What the daemon's rule says of it, as the gateway or as the client.
    fn rule(self, certificates: &Certificates, gateway: bool) -> String {
        let (own, ca) = (certificates.own(), certificates.authorities());
        let peer = if gateway { "" } else { "\nremote_id = \"fqdn:b.example\"" };
        let mode = match self {
            Self::HybridAggressive => "\naggressive_mode = \"exposes the pre-shared key to guessing\"",
            _ => "",
        };
        match self {
            Self::Key => KEY.to_owned(),
            Self::Signatures => format!("authentication = [{{ {own}, {ca} }}]{peer}"),
            Self::Hybrid | Self::HybridAggressive => {
                let method = if gateway { own } else { ca };
                format!("authentication = [{{ hybrid = true, {method} }}]{peer}{mode}")
            }
        }
    }

    /// charon's connection to the daemon.
    fn connection(self, certificates: &Certificates, access: RemoteAccess) -> Connection {
        let plain = Connection { remote_access: Some(access), ..Connection::between(B, A) };
        let connection = if self == Self::Key { plain } else { certificates.connection(plain) };
        let connection = match access {
            RemoteAccess::Client { .. } => Connection { local_ts: Vec::new(), ..connection },
            RemoteAccess::Gateway { .. } => Connection { remote_ts: Vec::new(), ..connection },
        };
        Connection { hybrid: self.is_hybrid(), aggressive: self == Self::HybridAggressive, ..connection }.encapsulated()
    }
}

/// A policy of one rule, which every test completes: the tunnel, how the peer is authenticated and what is between phase 1
/// and quick mode, the filter.
fn policy(rule: &str, filter: &str) -> String {
    format!(
        r#"[[policy]]
name = "remote access"
assigned = true

[policy.main_mode]
offers = ["aes256-sha256-modp2048"]

[[policy.rule]]
name = "remote access"
filter_list = "traffic"
filter_action = "protect"
{rule}

[[filter_list]]
name = "traffic"
filters = [{filter}]

[[filter_action]]
name = "protect"
action = "negotiate"
offers = [{{ esp = "aes256-sha256" }}]
pfs = "modp2048"

[[pool]]
name = "office"
addresses = ["{POOL}"]
dns = ["{DNS}"]
split_networks = ["{net}"]
domain = "office.example"
banner = "Welcome"
"#,
        net = A.net
    )
}

/// The policy of a gateway, for clients from anywhere, which `authentication` authenticates.
pub fn gateway_policy(authentication: &str, push: bool) -> String {
    let rule = format!(
        "{authentication}\ntunnel = {{ local = \"{}\", remote = \"any\" }}\nxauth = \"server\"\n\
         mode_config = {{ pool = \"office\", push = {push} }}",
        A.wire
    );
    policy(&rule, &format!("{{ source = \"{}\", destination = \"pool\" }}", A.net))
}

/// The policy of a client of a gateway on host `b`.
pub fn client_policy(authentication: &str, push: bool, password: &str) -> String {
    let how = if push { "push" } else { "pull" };
    let rule = format!(
        "{authentication}\ntunnel = {{ local = \"{}\", remote = \"{}\" }}\n\
         xauth = {{ user = \"{USER}\", password = \"{password}\" }}\nmode_config = \"{how}\"",
        A.wire, B.wire
    );
    policy(&rule, &format!("{{ source = \"pool\", destination = \"{}\" }}", B.net))
}

/// Writes the users file of a daemon: one user.
pub fn add_user(daemon: &Daemon<'_>, password: &str) {
    add_users(daemon, &[USER], password);
}

/// The same with several users, who have the same password.
pub fn add_users(daemon: &Daemon<'_>, users: &[&str], password: &str) {
    let hash = daemon.hash_password(password);
    let path = daemon.path("etc/policyagent/users");
    let lines: Vec<String> = users.iter().map(|user| format!("{user}:{hash}\n")).collect();
    std::fs::write(&path, lines.concat()).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}

/// Writes a script that can be run.
fn program(scratch: &Scratch, name: &str, text: &str) -> PathBuf {
    let text = scratch.write(&format!("{name}.text"), text);
    scratch.install(&text, name)
}

/// What is recorded.
fn row(verb: &str, phase_1: Phase1, push: bool, role: Role) -> Row {
    let how = if push { "push" } else { "pull" };
    let what = format!("XAuth{}, then {verb} an address by Mode Config ({how}), traffic, new phase 1", phase_1.name());
    Row::charon(what, Kernel::Libipsec, Driver::Userspace, role.alone())
}

/// The daemon gives charon an address.
pub fn gateway(phase_1: Phase1, push: bool) {
    let _row = row("gives", phase_1, push, Role::Responder);
    let world = World::new();
    let capture = Capture::start(&world);
    let certificates = Certificates::new(KeyKind::Rsa(2048));
    let policy = gateway_policy(&phase_1.rule(&certificates, true), push);
    let daemon = Daemon::start(&world.a, Driver::Userspace, &policy);
    add_user(&daemon, PASSWORD);
    let access = RemoteAccess::Client { user: USER, password: PASSWORD, push };
    let charon = Charon::start(&world.b, Kernel::Libipsec, &phase_1.connection(&certificates, access));
    if let Err(error) = charon.initiate() {
        panic!("charon: {error}\nOakley.log:\n{}", daemon.oakley());
    }
    charon.wait_installed();
    assert_eq!(charon.installed()[0].local_ts, [format!("{LEASE}/32")]);
    assert!(wait_until(PATIENCE, || daemon.ipsec_sas() == 1), "{}", daemon.oakley());
    let pings = || world.b.ping(LEASE, A.inside, 3);
    assert!(world.b.ping_until_answered(LEASE, A.inside, PATIENCE), "{}\n{}", daemon.oakley(), charon.log());
    assert_eq!(pings(), 3, "pings through the tunnel\n{}", daemon.oakley());
    assert!(capture.wait_count(Kind::EspInUdp, 8, PATIENCE));
    assert_eq!(capture.count(Kind::Echo), 0, "pings in clear");
    let sa = daemon.status()["ike_sas"][0].clone();
    assert_eq!((sa["user"].as_str(), sa["addresses"][0].as_str()), (Some(USER), Some(LEASE)), "{sa}");
    // A client of hybrid authentication has proven nothing but its user.
    assert_eq!(sa["identity"].is_null(), phase_1.is_hybrid(), "{sa}");
    assert!(!daemon.oakley().contains(PASSWORD), "the password is in the trace");

    // A new ISAKMP SA: the user proves itself again, and the address stays.
    let cookies = charon.list_sas()[0].cookies.clone();
    charon.rekey_ike();
    charon.wait_sas("a new IKE SA", PATIENCE, |sas| {
        sas.iter().any(|sa| sa.state == "ESTABLISHED" && sa.cookies != cookies && !sa.children.is_empty())
    });
    assert!(world.b.ping_until_answered(LEASE, A.inside, PATIENCE), "after reauthentication\n{}", daemon.oakley());
    assert_eq!(charon.installed()[0].local_ts, [format!("{LEASE}/32")]);
    charon.terminate();
    assert!(wait_until(PATIENCE, || (daemon.isakmp_sas(), daemon.ipsec_sas()) == (0, 0)), "{}", daemon.oakley());
}

/// charon gives the daemon an address.
pub fn client(phase_1: Phase1, push: bool) {
    let _row = row("gets", phase_1, push, Role::Initiator);
    let world = World::new();
    let capture = Capture::start(&world);
    let certificates = Certificates::new(KeyKind::Rsa(2048));
    let access = RemoteAccess::Gateway { user: USER, password: PASSWORD, pool: POOL, dns: DNS, push };
    let charon = Charon::start(&world.b, Kernel::Libipsec, &phase_1.connection(&certificates, access));
    let scratch = Scratch::new("script");
    let told = scratch.join("told");
    // What the script that comes with the daemon tells resolvconf.
    let resolvconf =
        format!("#!/bin/sh\necho \"$@\" >>{told}\n[ \"$1\" = -d ] || cat >>{told}\n", told = told.display());
    program(&scratch, "resolvconf", &resolvconf);
    let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/../dist/mode-config-resolvconf");
    let path = format!("#!/bin/sh\nPATH={}:$PATH exec {shipped} \"$1\"\n", scratch.path().display());
    let script = program(&scratch, "script", &path);
    let settings = format!("mode_config_script = \"{}\"\n", script.display());
    let policy = client_policy(&phase_1.rule(&certificates, false), push, PASSWORD);
    let mut daemon = Daemon::start_with_settings(&world.a, Driver::Userspace, &policy, &settings);
    let (up, down) = (format!("-a policyagent.{LEASE}\nnameserver {DNS}\n"), format!("-d policyagent.{LEASE}\n"));
    let wait_told = |expected: String| {
        let read = || std::fs::read_to_string(&told).unwrap_or_default();
        assert!(wait_until(PATIENCE, || read() == expected), "expected {expected:?}, not {:?}", read());
    };
    let has_address = || world.a.run("ip", &["-o", "addr", "show", "dev", "lo"]).contains(LEASE);
    assert!(!has_address());
    daemon.run(&["initiate", "remote access"]);
    assert!(has_address(), "{}", world.a.run("ip", &["addr"]));
    charon.wait_installed();
    assert_eq!(charon.installed()[0].remote_ts, [format!("{LEASE}/32")]);
    assert!(world.a.ping_until_answered(LEASE, B.inside, PATIENCE), "{}\n{}", daemon.oakley(), charon.log());
    assert_eq!(world.a.ping(LEASE, B.inside, 3), 3, "pings through the tunnel\n{}", daemon.oakley());
    // The kernel itself takes the new address for traffic through the tunnel.
    let route = world.a.run("ip", &["route", "get", B.inside]);
    assert!(route.contains(&format!("src {LEASE}")), "{route}");
    assert!(capture.wait_count(Kind::EspInUdp, 8, PATIENCE));
    assert_eq!(capture.count(Kind::Echo), 0, "pings in clear");
    assert!(daemon.oakley().contains(DNS), "{}", daemon.oakley());
    wait_told(up.clone());
    assert!(!daemon.oakley().contains(PASSWORD), "the password is in the trace");

    // A crash leaves the address; the next start takes it off.
    daemon.kill_and_restart();
    assert!(wait_until(PATIENCE, || !has_address()), "the address is still there");
    daemon.run(&["initiate", "remote access"]);
    assert!(has_address());
    daemon.stop();
    assert!(!has_address(), "the address is still there after the end");
    // Of the service that was killed there was no second word.
    wait_told(format!("{up}{up}{down}"));
    charon.wait_sas("no SAs after the daemon's deletes", PATIENCE, <[_]>::is_empty);
}

/// PAM knows the user of charon: a wrong password is refused, the right one admitted.
pub fn gateway_with_pam() {
    let what = "XAuth with users of PAM: a wrong password, then the right one, traffic";
    let _row = Row::charon(what, Kernel::Libipsec, Driver::Userspace, Role::Responder.alone());
    let world = World::new();
    let scratch = Scratch::new("pam");
    // What a module may rely on: the rights of root, the name, the password, and where the peer is.
    let script = program(
        &scratch,
        "check",
        &format!(
            "#!/bin/sh\nread -r password\n[ \"$(id -u)\" = 0 ] && [ \"$PAM_USER\" = {USER} ] && [ \"$PAM_RHOST\" = {} ] &&\n\
             [ \"$password\" = '{PASSWORD}' ]\n",
            B.wire
        ),
    );
    let pam = format!(
        "auth required pam_exec.so expose_authtok quiet {}\naccount required pam_permit.so\n",
        script.display()
    );
    let mut daemon = Daemon::start_with_pam(&world.a, Driver::Userspace, &gateway_policy(KEY, false), &pam);
    let charon = |password| {
        let access = RemoteAccess::Client { user: USER, password, push: false };
        let connection = Connection { remote_access: Some(access), local_ts: Vec::new(), ..Connection::between(B, A) };
        Charon::start(&world.b, Kernel::Libipsec, &connection.encapsulated())
    };
    charon("guess").initiate().expect_err("the password is wrong");
    daemon.wait_oakley("the cause", PATIENCE, |log| {
        log.contains("failed: PAM service \"test\" refuses the user or the password: ")
    });
    let charon = charon(PASSWORD);
    if let Err(error) = charon.initiate() {
        panic!("charon: {error}\nOakley.log:\n{}", daemon.oakley());
    }
    charon.wait_installed();
    assert!(wait_until(PATIENCE, || daemon.ipsec_sas() == 1), "{}", daemon.oakley());
    assert!(world.b.ping_until_answered(LEASE, A.inside, PATIENCE), "{}\n{}", daemon.oakley(), charon.log());
    assert!(!daemon.oakley().contains(PASSWORD), "the password is in the trace");
    // The daemon has given up what its helper kept.
    let capabilities = |pid: u32| {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        status.lines().find_map(|line| line.strip_prefix("CapEff:")).map(|set| set.trim().to_owned())
    };
    let pid = daemon.process().id();
    let children = Command::new("pgrep").args(["-P", &pid.to_string()]).output().expect("pgrep runs");
    let children = String::from_utf8_lossy(&children.stdout).into_owned();
    let helper = children.trim().parse().unwrap_or_else(|_| panic!("one helper: {children:?}"));
    assert_ne!(capabilities(helper), capabilities(pid));
    daemon.stop();
    assert!(wait_until(PATIENCE, || capabilities(helper).is_none()), "the helper lives on");
}

/// A wrong password: nothing comes of it, and both ends say why.
pub fn wrong_password(phase_1: Phase1) {
    let what = format!("Refused: the password of XAuth{}", phase_1.name());
    let _row = Row::charon(what, Kernel::Libipsec, Driver::Userspace, &Role::ALL);
    let world = World::new();
    let certificates = Certificates::new(KeyKind::Rsa(2048));
    let daemon = Daemon::start(&world.a, Driver::Userspace, &gateway_policy(&phase_1.rule(&certificates, true), false));
    add_user(&daemon, "another password");
    let access = RemoteAccess::Client { user: USER, password: PASSWORD, push: false };
    let charon = Charon::start(&world.b, Kernel::Libipsec, &phase_1.connection(&certificates, access));
    charon.initiate().expect_err("the password is wrong");
    daemon.wait_oakley("the cause", PATIENCE, |log| {
        log.contains("extended authentication of user \"joe\" at 10.9.0.2 failed: the password is wrong")
    });
    assert!(!daemon.oakley().contains(PASSWORD), "the password is in the trace");
    assert!(wait_until(PATIENCE, || (daemon.isakmp_sas(), daemon.ipsec_sas()) == (0, 0)), "{}", daemon.oakley());

    drop(charon);
    drop(daemon);
    let access = RemoteAccess::Gateway { user: USER, password: PASSWORD, pool: POOL, dns: DNS, push: false };
    let charon = Charon::start(&world.b, Kernel::Libipsec, &phase_1.connection(&certificates, access));
    let policy = client_policy(&phase_1.rule(&certificates, false), false, "guess");
    let daemon = Daemon::start(&world.a, Driver::Userspace, &policy);
    let output = daemon.command(&["initiate", "remote access"]);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains("the peer refused user \"joe\" in extended authentication"), "{told}\n{}", charon.log());
    assert_eq!(daemon.ipsec_sas(), 0);
}

/// What only one end has, or has of another kind: the daemon first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unlike {
    /// Extended authentication, and none.
    Xauth,
    /// None, and extended authentication.
    NoXauth,
    /// Hybrid authentication, and signatures of both ends.
    Hybrid,
    /// Signatures of both ends, and hybrid authentication.
    NoHybrid,
    /// Main mode, and aggressive mode.
    Aggressive,
}

impl Unlike {
    /// For the names of tests.
    const fn name(self) -> &'static str {
        match self {
            Self::Xauth => "we want XAuth, the peer has none",
            Self::NoXauth => "the peer has XAuth, we have none",
            Self::Hybrid => "we have hybrid authentication, the peer RSA signatures of both",
            Self::NoHybrid => "we have RSA signatures of both, the peer hybrid authentication",
            Self::Aggressive => "we have main mode, the peer aggressive mode",
        }
    }

    /// What the trace of a gateway must say.
    const fn told(self) -> &'static [&'static str] {
        match self {
            Self::Xauth => &["Authentication Method is RSA signatures (3), allowed: XAUTHInitRSA (65005)"],
            Self::NoXauth => &["Authentication Method is XAUTHInitRSA (65005), allowed: RSA signatures (3)"],
            Self::Hybrid => &["Authentication Method is XAUTHInitRSA (65005), allowed: HybridInitRSA (64221)"],
            Self::NoHybrid => &["Authentication Method is HybridInitRSA (64221), allowed: XAUTHInitRSA (65005)"],
            Self::Aggressive => &["no rule of the policy allows aggressive mode with 10.9.0.2"],
        }
    }

    /// What each end proves before the user does: the daemon, charon.
    const fn phase_1(self) -> [Phase1; 2] {
        match self {
            Self::Xauth | Self::NoXauth => [Phase1::Signatures; 2],
            Self::Hybrid => [Phase1::Hybrid, Phase1::Signatures],
            Self::NoHybrid => [Phase1::Signatures, Phase1::Hybrid],
            Self::Aggressive => [Phase1::Hybrid, Phase1::HybridAggressive],
        }
    }
}

/// Two ends that do not mean the same authentication: nothing comes of it, and the one that judges says why.
pub fn unlike(unlike: Unlike, role: Role) {
    let what = format!("Refused, both ends end, the reason is told: {}", unlike.name());
    let _row = Row::charon(what, Kernel::Libipsec, Driver::Userspace, role.alone());
    let world = World::new();
    let certificates = Certificates::new(KeyKind::Rsa(2048));
    let [own, other] = unlike.phase_1();
    let access = match role {
        Role::Responder => RemoteAccess::Client { user: USER, password: PASSWORD, push: false },
        Role::Initiator => RemoteAccess::Gateway { user: USER, password: PASSWORD, pool: POOL, dns: DNS, push: false },
    };
    let mut connection = other.connection(&certificates, access);
    if unlike == Unlike::Xauth {
        connection.remote_access = None;
    }
    let method = own.rule(&certificates, role == Role::Responder);
    let policy = match role {
        Role::Responder => gateway_policy(&method, false),
        Role::Initiator => client_policy(&method, false, PASSWORD),
    };
    let without_users = |line: &&str| unlike != Unlike::NoXauth || !line.starts_with("xauth");
    let policy = policy.lines().filter(without_users).collect::<Vec<_>>().join("\n");
    let daemon = Daemon::start_with_settings(&world.a, Driver::Userspace, &policy, IMPATIENT);
    add_user(&daemon, PASSWORD);
    let charon = Charon::start(&world.b, Kernel::Libipsec, &connection);
    match role {
        Role::Responder => {
            charon.initiate().expect_err("the ends do not fit");
            let told = unlike.told();
            daemon.wait_oakley("the cause", PATIENCE, |log| told.iter().all(|text| log.contains(text)));
        }
        Role::Initiator => {
            let output = daemon.command(&["initiate", "remote access"]);
            let told = String::from_utf8_lossy(&output.stderr).into_owned();
            // charon takes any method until it must check what message 5 proves, which it then leaves without an answer.
            assert!(told.contains("main mode message 5"), "{told}\n{}", charon.log());
            assert!(told.contains("or has another kind of authentication"), "{told}\n{}", charon.log());
        }
    }
    assert!(wait_until(PATIENCE, || (daemon.isakmp_sas(), daemon.ipsec_sas()) == (0, 0)), "{}", daemon.oakley());
    charon.wait_sas("no SAs", PATIENCE, <[_]>::is_empty);
}
