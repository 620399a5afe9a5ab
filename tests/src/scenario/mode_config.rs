//! Mode Config where the two ends do not mean the same, or there is no address, with charon.

use std::time::Duration;

use crate::charon::{Charon, Connection, Kernel, RemoteAccess};
use crate::daemon::{Daemon, Driver};
use crate::interop::Row;
use crate::netns::{A, B, World};
use crate::policy_text::gateway::{self, KEY, Rule};
use crate::process::wait_until;

use super::Role;
use super::remote_access::{self, DNS, LEASE, PASSWORD, POOL, USER, add_user, add_users, client_policy};
use super::road_warriors::{C, OFFICE, Road, client, connect, lease, user};

const PATIENCE: Duration = Duration::from_secs(20);

/// One address, and no more.
const ONE: &[&str] = &["10.99.0.1"];

/// charon as the client, which waits for its address or asks.
fn charon_of(world: &World, waits: bool) -> Charon {
    let access = RemoteAccess::Client { user: USER, password: PASSWORD, push: waits };
    let connection = Connection { remote_access: Some(access), ..client(B, Kernel::Libipsec) };
    Charon::start(&world.b, Kernel::Libipsec, &connection)
}

/// The gateway gives unasked and the client asks, or each waits for the other: the client has its address either way.
pub fn gateway_meets(charon_waits: bool) {
    let what = match charon_waits {
        false => "Mode Config: we give unasked, the peer asks, and each does",
        true => "Mode Config: we wait to be asked, the peer until it is given an address; we give it in the end",
    };
    let _row = Row::charon(what, Kernel::Libipsec, Driver::Userspace, Role::Responder.alone());
    let world = World::new();
    let rule = Rule { push: !charon_waits, ..Rule::new(KEY).with_users() };
    let daemon = Daemon::start(&world.a, Driver::Userspace, &gateway::text(&[rule], &[("office", ONE)]));
    add_user(&daemon, PASSWORD);
    let charon = charon_of(&world, charon_waits);
    connect(&daemon, &[&charon]);
    assert_eq!(lease(&charon), LEASE);
    assert!(world.b.ping_until_answered(LEASE, A.inside, PATIENCE), "{}\n{}", daemon.oakley(), charon.log());
    charon.terminate();
    assert!(wait_until(PATIENCE, || (daemon.isakmp_sas(), daemon.ipsec_sas()) == (0, 0)), "{}", daemon.oakley());
}

/// The same with the daemon as the client.
pub fn client_meets(waits: bool) {
    let what = match waits {
        false => "Mode Config: we ask, the peer gives unasked, and each does",
        true => "Mode Config: we wait until we are given an address, the peer to be asked; we ask in the end",
    };
    let _row = Row::charon(what, Kernel::Libipsec, Driver::Userspace, Role::Initiator.alone());
    let world = World::new();
    let charon = charon_gateway(&world, POOL, !waits);
    let policy = client_policy(remote_access::KEY, waits, PASSWORD);
    let daemon = Daemon::start(&world.a, Driver::Userspace, &policy);
    daemon.run(&["initiate", "remote access"]);
    charon.wait_installed();
    assert_eq!(charon.installed()[0].remote_ts, [format!("{LEASE}/32")]);
    assert!(world.a.ping_until_answered(LEASE, B.inside, PATIENCE), "{}\n{}", daemon.oakley(), charon.log());
}

/// charon as the gateway.
fn charon_gateway(world: &World, pool: &'static str, push: bool) -> Charon {
    let access = RemoteAccess::Gateway { user: USER, password: PASSWORD, pool, dns: DNS, push };
    let connection =
        Connection { remote_access: Some(access), remote_ts: Vec::new(), ..Connection::between(B, A) }.encapsulated();
    Charon::start(&world.b, Kernel::Libipsec, &connection)
}

/// Waits for the one reason of the daemon, and that charon has heard that its traffic is not allowed.
fn assert_refused(daemon: &Daemon<'_>, charon: &Charon, reason: &str) {
    let error = charon.initiate().expect_err("there is no address for it");
    assert!(error.contains("INVALID_ID_INFORMATION"), "{error}");
    daemon.wait_oakley("the reason", PATIENCE, |log| log.contains(reason));
    assert!(wait_until(PATIENCE, || daemon.output().contains(reason)), "{}", daemon.output());
    let failures = daemon.output().matches(" failed (").count();
    assert_eq!(failures, 1, "one reason:\n{}", daemon.output());
}

/// charon wants an address of a gateway whose rule has none.
pub fn without_pool() {
    let what = "Refused, the reason is told: the peer asks for an address, our rule has no pool";
    let _row = Row::charon(what, Kernel::Libipsec, Driver::Userspace, Role::Responder.alone());
    let world = World::new();
    let rule = Rule { pool: None, ..Rule::new(KEY).with_users() };
    let daemon = Daemon::start(&world.a, Driver::Userspace, &gateway::text(&[rule], &[]));
    add_user(&daemon, PASSWORD);
    let charon = charon_of(&world, false);
    let reason = "this host has no address for the peer: rule \"clients\" has no pool to give an IPv4 address of; \
                  the peer proposes 10.10.1.0/24 <-> 10.9.0.2";
    assert_refused(&daemon, &charon, reason);
    assert_eq!(daemon.ipsec_sas(), 0);
}

/// The daemon wants an address of a family that charon does not have.
pub fn without_address_of_the_peer() {
    let what = "Refused, the reason is told: we ask for an IPv4 address, the peer's pool has IPv6 only";
    let _row = Row::charon(what, Kernel::Libipsec, Driver::Userspace, Role::Initiator.alone());
    let world = World::new();
    let charon = charon_gateway(&world, "fd99::1-fd99::9", false);
    let policy = client_policy(remote_access::KEY, false, PASSWORD);
    let daemon = Daemon::start(&world.a, Driver::Userspace, &policy);
    let output = daemon.command(&["initiate", "remote access"]);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains("the peer gave this host no IPv4 address by mode config"), "{told}\n{}", charon.log());
    charon.wait_sas("no SAs", PATIENCE, <[_]>::is_empty);
    assert_eq!((daemon.isakmp_sas(), daemon.ipsec_sas()), (0, 0));
}

/// The daemon gets an address of each family at once, of two pools, and has a pair of IPsec SAs for each.
pub fn client_of_both_families() {
    let what =
        "Mode Config: we ask for an IPv4 and an IPv6 address at once, the peer has a pool of each; traffic of both";
    let _row = Row::charon(what, Kernel::Libipsec, Driver::Userspace, Role::Initiator.alone());
    let v6 = "fd99::1";
    let world = World::new();
    let access = RemoteAccess::Gateway {
        user: USER,
        password: PASSWORD,
        pool: "10.99.0.1-10.99.0.9,fd99::1-fd99::9",
        dns: DNS,
        push: false,
    };
    let connection = Connection {
        remote_access: Some(access),
        local_ts: vec![B.net.to_owned(), B.net6.to_owned()],
        remote_ts: Vec::new(),
        ..Connection::between(B, A)
    };
    let charon = Charon::start(&world.b, Kernel::Libipsec, &connection.encapsulated());
    let policy = client_policy(remote_access::KEY, false, PASSWORD);
    let one = format!("{{ source = \"pool\", destination = \"{}\" }}", B.net);
    let both = format!("{one}, {{ source = \"pool\", destination = \"{}\" }}", B.net6);
    assert!(policy.contains(&one), "{policy}");
    let daemon = Daemon::start(&world.a, Driver::Userspace, &policy.replace(&one, &both));
    daemon.run(&["initiate", "remote access"]);
    for (lease, inside) in [(LEASE, B.inside), (v6, B.inside6)] {
        assert!(world.a.ping_until_answered(lease, inside, PATIENCE), "{}\n{}", daemon.oakley(), charon.log());
        assert_eq!(world.a.ping(lease, inside, 3), 3, "pings of {lease}\n{}", daemon.oakley());
    }
    assert_eq!((daemon.isakmp_sas(), daemon.ipsec_sas()), (1, 2), "{}", daemon.oakley());
    let mut peers: Vec<String> = charon.installed().into_iter().flat_map(|child| child.remote_ts).collect();
    peers.sort();
    assert_eq!(peers, [format!("{LEASE}/32"), format!("{v6}/128")]);
}

/// The second client of a pool of one address is refused; the first is served on; when it leaves, the second has its place.
pub fn exhausted(push: bool) {
    let how = if push { "unasked" } else { "asked" };
    let what =
        format!("Refused, the reason is told: a second client, the pool of one address exhausted ({how}); then served");
    let _row = Row::charon(what, Kernel::Libipsec, Driver::Userspace, Role::Responder.alone());
    let kernel = Kernel::Libipsec;
    let road = Road::new();
    let rule = Rule { push, ..Rule::new(KEY).with_users() };
    let daemon = Daemon::start(&road.world.a, Driver::Userspace, &gateway::text(&[rule], &[("office", ONE)]));
    add_users(&daemon, &[USER, "ann"], PASSWORD);
    let waiting = |connection, name| {
        let access = RemoteAccess::Client { user: name, password: PASSWORD, push };
        Connection { remote_access: Some(access), ..user(connection, name) }
    };
    let b = Charon::start(&road.world.b, kernel, &waiting(client(B, kernel), USER));
    let c = Charon::start(&road.c, kernel, &waiting(client(C, kernel), "ann"));
    connect(&daemon, &[&b]);
    assert!(road.world.b.ping_until_answered(LEASE, OFFICE, PATIENCE), "{}", daemon.oakley());
    let reason = "this host has no address for the peer: pool \"office\" (10.99.0.1) of rule \"clients\" has no IPv4 address left";
    let first_alone = || {
        assert_eq!(daemon.ipsec_sas(), 1);
        assert_eq!(road.world.b.ping(LEASE, OFFICE, 3), 3, "the first client's traffic\n{}", daemon.oakley());
        b.terminate();
    };
    if push {
        std::thread::scope(|scope| {
            // Each time that it is refused it begins anew, by itself.
            let begun = scope.spawn(|| c.initiate());
            daemon.wait_oakley("the reason", PATIENCE, |log| log.contains(&format!("{reason}\n")));
            first_alone();
            let _ = begun.join();
        });
        c.wait_installed();
    } else {
        assert_refused(&daemon, &c, &format!("{reason}; the peer proposes 10.10.1.0/24 <-> {}", C.wire));
        first_alone();
        assert!(wait_until(PATIENCE, || daemon.ipsec_sas() == 0), "{}", daemon.oakley());
        c.terminate();
        c.wait_sas("no SAs", PATIENCE, <[_]>::is_empty);
        connect(&daemon, &[&c]);
    }
    assert_eq!(lease(&c), LEASE);
    assert!(road.c.ping_until_answered(LEASE, OFFICE, PATIENCE), "{}", daemon.oakley());
}
