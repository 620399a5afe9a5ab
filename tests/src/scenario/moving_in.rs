//! The configuration of a charon in place of which the daemon comes, imported: it negotiates with the charon that the other
//! end still has.

use std::time::Duration;

use crate::charon::{Charon, Connection, Kernel, RemoteAccess};
use crate::daemon::{Daemon, Driver, program};
use crate::interop::Row;
use crate::netns::{A, B, World};
use crate::process::wait_until;
use crate::scratch::Scratch;

use super::Role;
use super::remote_access::{DNS, LEASE, PASSWORD, POOL, USER};

const PATIENCE: Duration = Duration::from_secs(20);

/// What `policyagent import` makes of a file with this text, and of one with secrets; all of it must have a counterpart.
fn imported(world: &World, from: &str, text: &str, secrets: &str) -> String {
    let scratch = Scratch::new("import");
    let path = |name: &str, text: &str| scratch.write(name, text).display().to_string();
    let (configuration, secrets) = (path("configuration", text), path("secrets", secrets));
    let mut arguments = vec!["import", &configuration, "--from", from, "--assign", "--host", A.wire];
    if from != "swanctl" {
        arguments.extend(["--secrets", &secrets]);
    }
    let output = world.a.output(&program().display().to_string(), &arguments);
    let report = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{report}\n{text}");
    String::from_utf8(output.stdout).expect("a document is UTF-8")
}

/// Negotiates the rule `p`, or has charon begin; then traffic, a rekey, and the end.
#[track_caller]
fn negotiate(world: &World, document: &str, connection: &Connection, role: Role) {
    let charon = Charon::start(&world.b, Kernel::Libipsec, connection);
    let daemon = Daemon::start(&world.a, Driver::Userspace, document);
    match role {
        Role::Initiator => drop(daemon.run(&["initiate", "p"])),
        Role::Responder => {
            if let Err(error) = charon.initiate() {
                panic!("charon: {error}\n{document}\n{}", daemon.oakley());
            }
        }
    }
    charon.wait_installed();
    let pings = |when: &str| {
        let answered = world.a.ping_until_answered(A.inside, B.inside, PATIENCE);
        assert!(answered, "{when}: {}\n{}", daemon.oakley(), charon.log());
    };
    pings("the first SAs");
    charon.rekey_child();
    pings("after a rekey");
    charon.terminate();
    assert!(wait_until(PATIENCE, || (daemon.isakmp_sas(), daemon.ipsec_sas()) == (0, 0)), "{}", daemon.oakley());
}

/// The ends of a connection with names; `own` is the one that is imported.
fn named(connection: Connection, own: &str, other: &str) -> Connection {
    Connection { local_id: own.to_owned(), remote_id: other.to_owned(), ..connection }
}

/// Two networks: swanctl.conf.
pub fn from_swanctl(role: Role) {
    let _row =
        Row::charon("swanctl.conf imported: two networks, traffic", Kernel::Libipsec, Driver::Userspace, role.alone());
    let world = World::new();
    let (own, other) = ("moon.example", "joe@sun.example");
    let text = named(Connection::between(A, B), own, other).swanctl();
    let document = imported(&world, "swanctl", &text, "");
    negotiate(&world, &document, &named(Connection::between(B, A), other, own).encapsulated(), role);
}

/// The same: ipsec.conf of strongSwan, with what holds without options (another cipher, no perfect forward secrecy).
pub fn from_ipsec_conf(role: Role) {
    let _row =
        Row::charon("ipsec.conf imported: two networks, traffic", Kernel::Libipsec, Driver::Userspace, role.alone());
    let world = World::new();
    let text = format!(
        "config setup\n\nconn %default\n\tkeyexchange=ikev1\n\tauthby=secret\n\nconn nets\n\tleftsubnet={}\n\trightsubnet={}\n\n\
         conn p\n\talso=nets\n\tleft={}\n\tright={}\n\tauto=add\n",
        A.net, B.net, A.wire, B.wire
    );
    let secrets = format!("{} %any : PSK \"correct horse battery\"\n", A.wire);
    let document = imported(&world, "ipsec.conf", &text, &secrets);
    // What strongSwan proposes by its defaults.
    let other = Connection::between(B, A).proposals("aes128-sha256-modp3072", "aes128-sha256").encapsulated();
    negotiate(&world, &document, &other, role);
}

/// The same: libreswan's ipsec.conf, whose end is `right`.
pub fn from_libreswan(role: Role) {
    let _row = Row::charon(
        "libreswan's configuration imported: two networks, traffic",
        Kernel::Libipsec,
        Driver::Userspace,
        role.alone(),
    );
    let world = World::new();
    let text = format!(
        "version 2\n\nconn p\n\tikev2=no\n\tauthby=secret\n\tauto=ondemand\n\tleft={}\n\tleftid=@[branch]\n\tleftsubnets={{{}}}\n\
         \tright={}\n\trightid=@hq\n\trightsubnet={}\n\tike=aes256-sha2_256;modp2048\n\tphase2alg=aes256-sha2_256\n",
        B.wire, B.net, A.wire, A.net
    );
    let document = imported(&world, "libreswan", &text, "@hq @[branch] : PSK \"correct horse battery\"\n");
    negotiate(&world, &document, &named(Connection::between(B, A), "keyid:branch", "hq").encapsulated(), role);
}

/// A user's host that gets an address: swanctl.conf.
pub fn client_from_swanctl() {
    let _row = Row::charon(
        "swanctl.conf imported: a client with user and address, traffic",
        Kernel::Libipsec,
        Driver::Userspace,
        Role::Initiator.alone(),
    );
    let world = World::new();
    let client = RemoteAccess::Client { user: USER, password: PASSWORD, push: false };
    let own = Connection { remote_access: Some(client), local_ts: Vec::new(), ..Connection::between(A, B) };
    let document = imported(&world, "swanctl", &own.swanctl(), "");
    let gateway = RemoteAccess::Gateway { user: USER, password: PASSWORD, pool: POOL, dns: DNS, push: false };
    let other = Connection { remote_access: Some(gateway), remote_ts: Vec::new(), ..Connection::between(B, A) };
    let charon = Charon::start(&world.b, Kernel::Libipsec, &other.encapsulated());
    let daemon = Daemon::start(&world.a, Driver::Userspace, &document);
    drop(daemon.run(&["initiate", "p"]));
    charon.wait_installed();
    let answered = world.a.ping_until_answered(LEASE, B.inside, PATIENCE);
    assert!(answered, "{document}\n{}\n{}", daemon.oakley(), charon.log());
}
