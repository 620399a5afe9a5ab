//! Hosts that join a network from outside: extended authentication, then Mode Config, each of both ends being the
//! daemon once.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::capture::{Capture, Kind};
use crate::charon::{Charon, Connection, Kernel, RemoteAccess};
use crate::daemon::{Daemon, Driver};
use crate::interop::Row;
use crate::netns::{A, Addresses, B, World};
use crate::process::wait_until;
use crate::scratch::Scratch;

use super::Role;

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

/// A policy of one rule, which every test completes: the tunnel, what is between phase 1 and quick mode, the filter.
fn policy(rule: &str, filter: &str, main_mode: &str) -> String {
    format!(
        r#"[[policy]]
name = "remote access"
assigned = true

[policy.main_mode]
offers = ["aes256-sha256-modp2048"]
{main_mode}

[[policy.rule]]
name = "remote access"
filter_list = "traffic"
filter_action = "protect"
authentication = [{{ preshared_key = "correct horse battery" }}]
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

/// The policy of a gateway at `own`, for clients from anywhere.
pub fn gateway_policy(own: Addresses, push: bool, more: &str) -> String {
    let rule = format!(
        "tunnel = {{ local = \"{}\", remote = \"any\" }}\nxauth = \"server\"\nmode_config = {{ pool = \"office\", push = {push} }}\n{more}",
        own.wire
    );
    policy(&rule, &format!("{{ source = \"{}\", destination = \"pool\" }}", own.net), "")
}

/// The policy of a client at `own` of the gateway at `other`.
pub fn client_policy(own: Addresses, other: Addresses, push: bool, password: &str) -> String {
    let how = if push { "push" } else { "pull" };
    let rule = format!(
        "tunnel = {{ local = \"{}\", remote = \"{}\" }}\nxauth = {{ user = \"{USER}\", password = \"{password}\" }}\n\
         mode_config = \"{how}\"",
        own.wire, other.wire
    );
    policy(&rule, &format!("{{ source = \"pool\", destination = \"{}\" }}", other.net), "")
}

/// Writes the users file of a daemon: one user.
pub fn add_user(daemon: &Daemon<'_>, password: &str) {
    let hash = daemon.hash_password(password);
    let path = daemon.path("etc/policyagent/users");
    std::fs::write(&path, format!("{USER}:{hash}\n")).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}

/// Writes a script that can be run.
fn program(scratch: &Scratch, name: &str, text: &str) -> PathBuf {
    let path = scratch.write(name, text);
    let mode = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(&path, mode).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    path
}

/// What is recorded.
fn row(verb: &str, push: bool, role: Role) -> Row {
    let how = if push { "push" } else { "pull" };
    let what = format!("XAuth, then {verb} an address by Mode Config ({how}), traffic, new phase 1");
    Row::charon(what, Kernel::Libipsec, Driver::Userspace, role.alone())
}

/// The daemon gives charon an address.
pub fn gateway(push: bool) {
    let _row = row("gives", push, Role::Responder);
    let world = World::new();
    let capture = Capture::start(&world);
    let daemon = Daemon::start(&world.a, Driver::Userspace, &gateway_policy(A, push, ""));
    add_user(&daemon, PASSWORD);
    let access = RemoteAccess::Client { user: USER, password: PASSWORD, push };
    let connection = Connection { remote_access: Some(access), local_ts: Vec::new(), ..Connection::between(B, A) };
    let charon = Charon::start(&world.b, Kernel::Libipsec, &connection.encapsulated());
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
pub fn client(push: bool) {
    let _row = row("gets", push, Role::Initiator);
    let world = World::new();
    let capture = Capture::start(&world);
    let access = RemoteAccess::Gateway { user: USER, password: PASSWORD, pool: POOL, dns: DNS, push };
    let connection = Connection { remote_access: Some(access), remote_ts: Vec::new(), ..Connection::between(B, A) };
    let charon = Charon::start(&world.b, Kernel::Libipsec, &connection.encapsulated());
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
    let policy = client_policy(A, B, push, PASSWORD);
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
    let mut daemon = Daemon::start_with_pam(&world.a, Driver::Userspace, &gateway_policy(A, false, ""), &pam);
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
pub fn wrong_password() {
    let _row = Row::charon("refused: the password of XAuth", Kernel::Libipsec, Driver::Userspace, &Role::ALL);
    let world = World::new();
    let daemon = Daemon::start(&world.a, Driver::Userspace, &gateway_policy(A, false, ""));
    add_user(&daemon, "another password");
    let access = RemoteAccess::Client { user: USER, password: PASSWORD, push: false };
    let connection = Connection { remote_access: Some(access), local_ts: Vec::new(), ..Connection::between(B, A) };
    let charon = Charon::start(&world.b, Kernel::Libipsec, &connection.encapsulated());
    charon.initiate().expect_err("the password is wrong");
    daemon.wait_oakley("the cause", PATIENCE, |log| {
        log.contains("extended authentication of user \"joe\" at 10.9.0.2 failed: the password is wrong")
    });
    assert!(!daemon.oakley().contains(PASSWORD), "the password is in the trace");
    assert!(wait_until(PATIENCE, || (daemon.isakmp_sas(), daemon.ipsec_sas()) == (0, 0)), "{}", daemon.oakley());

    drop(charon);
    drop(daemon);
    let access = RemoteAccess::Gateway { user: USER, password: PASSWORD, pool: POOL, dns: DNS, push: false };
    let connection = Connection { remote_access: Some(access), remote_ts: Vec::new(), ..Connection::between(B, A) };
    let charon = Charon::start(&world.b, Kernel::Libipsec, &connection.encapsulated());
    let daemon = Daemon::start(&world.a, Driver::Userspace, &client_policy(A, B, false, "guess"));
    let output = daemon.command(&["initiate", "remote access"]);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains("the peer refused user \"joe\" in extended authentication"), "{told}\n{}", charon.log());
    assert_eq!(daemon.ipsec_sas(), 0);
}
