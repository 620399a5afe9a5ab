//! Several charons at once, each in a network of its own, with the daemon as their gateway.

use std::time::Duration;

use ikecore::testing::authority::KeyKind;

use crate::certificates::Certificates;
use crate::charon::{Charon, Connection, Kernel, RemoteAccess};
use crate::daemon::{Daemon, Driver};
use crate::interop::Row;
use crate::netns::{A, Addresses, B, Namespace, World};
use crate::policy_text::gateway::{self, KEY, Rule};
use crate::process::wait_until;

use super::Role;
use super::remote_access::{PASSWORD, add_users};

const PATIENCE: Duration = Duration::from_secs(20);

/// The second client, and its router, which is the gateway.
pub(super) const C: Addresses = Addresses { wire: "10.20.0.2", ..B };
const ROUTER: &str = "10.20.0.1";

/// A host behind the gateway, which forwards to it.
pub(super) const OFFICE: &str = "10.10.1.2";

/// Two addresses, and no more.
const TWO: &[&str] = &["10.99.0.1-10.99.0.2"];

/// The gateway `a` and the client `b` on one wire, the client `c` on another, and a host behind the gateway.
pub(super) struct Road {
    pub(super) world: World,
    pub(super) c: Namespace,
    office: Namespace,
}

impl Road {
    pub(super) fn new() -> Self {
        let (world, c, office) = (World::new(), Namespace::new("c"), Namespace::new("office"));
        world.a.ip(&[
            &format!("link add road0 type veth peer name road0 netns {}", c.path()),
            &format!("addr add {ROUTER}/24 dev road0"),
            "link set road0 up",
            &format!("link add lan0 type veth peer name lan0 netns {}", office.path()),
            // The net is on a wire now, and no more the gateway's alone.
            &format!("addr del {}/24 dev lo", A.inside),
            &format!("addr add {}/24 dev lan0", A.inside),
            "link set lan0 up",
            // As every gateway has one: without a route the kernel looks for no policy.
            &format!("route add default via {}", B.wire),
        ]);
        world.a.run("sysctl", &["-q", "-w", "net.ipv4.ip_forward=1"]);
        c.ip(&[
            &format!("addr add {}/24 dev road0", C.wire),
            "link set road0 up",
            &format!("route add {} via {ROUTER}", A.wire),
            &format!("route add {} via {ROUTER}", A.net),
        ]);
        office.ip(&[
            &format!("addr add {OFFICE}/24 dev lan0"),
            "link set lan0 up",
            &format!("route add default via {}", A.inside),
        ]);
        Self { world, c, office }
    }
}

/// A connection of the client at `own`; `kernel` cannot do without UDP encapsulation if it is charon itself.
pub(super) fn client(own: Addresses, kernel: Kernel) -> Connection {
    let connection = Connection { local_ts: Vec::new(), ..Connection::between(own, A) };
    match kernel {
        Kernel::Libipsec => connection.encapsulated(),
        Kernel::Netlink => connection,
    }
}

/// The same with a user.
pub(super) fn user(connection: Connection, user: &'static str) -> Connection {
    let access = RemoteAccess::Client { user, password: PASSWORD, push: false };
    Connection { remote_access: Some(access), ..connection }
}

/// Begins at all of them at once, and waits until each has its SAs.
pub(super) fn connect(daemon: &Daemon<'_>, charons: &[&Charon]) {
    std::thread::scope(|scope| {
        for charon in charons {
            scope.spawn(move || {
                if let Err(error) = charon.initiate() {
                    panic!("charon: {error}\nOakley.log:\n{}", daemon.oakley());
                }
                charon.wait_installed();
            });
        }
    });
}

/// The address that a charon was given.
pub(super) fn lease(charon: &Charon) -> String {
    let child = charon.installed().pop().unwrap_or_else(|| panic!("no IPsec SAs:\n{}", charon.log()));
    let [address] = child.local_ts.as_slice() else { panic!("one address: {:?}", child.local_ts) };
    address.trim_end_matches("/32").to_owned()
}

/// Both clients have addresses, and both reach a host behind the gateway at once; one leaves, and the other's traffic goes
/// on; the one that comes back has its address again.
fn both_come_and_one_leaves(road: &Road, daemon: &Daemon<'_>, b: &Charon, c: &Charon) -> [String; 2] {
    connect(daemon, &[b, c]);
    assert!(wait_until(PATIENCE, || daemon.ipsec_sas() == 2), "{}", daemon.oakley());
    let leases = [lease(b), lease(c)];
    let mut sorted = leases.clone();
    sorted.sort();
    assert_eq!(sorted, ["10.99.0.1", "10.99.0.2"]);
    let clients = [(&road.world.b, b, &leases[0]), (&road.c, c, &leases[1])];
    std::thread::scope(|scope| {
        for (client, charon, lease) in clients {
            scope.spawn(move || {
                assert!(client.ping_until_answered(lease, OFFICE, PATIENCE), "{}\n{}", daemon.oakley(), charon.log());
                assert_eq!(client.ping(lease, OFFICE, 10), 10, "pings through the tunnel\n{}", daemon.oakley());
            });
        }
    });
    for (_, charon, _) in clients {
        let child = charon.installed().remove(0);
        assert!(child.packets_in >= 11 && child.packets_out >= 11, "{child:?}");
    }
    // The host behind the gateway reaches each of them by its address.
    for lease in &leases {
        assert_eq!(road.office.ping(OFFICE, lease, 2), 2, "pings to {lease}\n{}", daemon.oakley());
    }

    b.terminate();
    assert!(wait_until(PATIENCE, || (daemon.isakmp_sas(), daemon.ipsec_sas()) == (1, 1)), "{}", daemon.oakley());
    assert_eq!(road.c.ping(&leases[1], OFFICE, 3), 3, "after the other has left\n{}", daemon.oakley());
    assert_eq!(road.office.ping(OFFICE, &leases[0], 1), 0, "who has left is not there");
    connect(daemon, &[b]);
    assert_eq!(lease(b), leases[0], "the address that it had");
    assert!(road.world.b.ping_until_answered(&leases[0], OFFICE, PATIENCE), "{}", daemon.oakley());
    assert_eq!(road.c.ping(&leases[1], OFFICE, 3), 3, "after the other has come back\n{}", daemon.oakley());
    leases
}

/// One key, and a user each.
pub fn with_users(driver: Driver, kernel: Kernel) {
    let what = "Two clients at once: XAuth, an address each by Mode Config (pull), traffic of both to a host behind us; one \
                leaves and comes back, then another user in its place";
    let _row = Row::charon(what, kernel, driver, Role::Responder.alone());
    let road = Road::new();
    let daemon =
        Daemon::start(&road.world.a, driver, &gateway::text(&[Rule::new(KEY).with_users()], &[("office", TWO)]));
    add_users(&daemon, &["joe", "ann", "kim"], PASSWORD);
    let b = Charon::start(&road.world.b, kernel, &user(client(B, kernel), "joe"));
    let c = Charon::start(&road.c, kernel, &user(client(C, kernel), "ann"));
    let leases = both_come_and_one_leaves(&road, &daemon, &b, &c);
    let status = daemon.status();
    let of = |name: &str| {
        let sas = status["ike_sas"].as_array().expect("a list");
        let sa = sas.iter().find(|sa| sa["user"] == name).unwrap_or_else(|| panic!("no SA of {name}: {status}"));
        sa["addresses"][0].clone()
    };
    assert_eq!([of("joe"), of("ann")], leases.clone().map(serde_json::Value::from));

    // What nobody has is given to whoever comes, though it was another's.
    b.terminate();
    assert!(wait_until(PATIENCE, || daemon.ipsec_sas() == 1), "{}", daemon.oakley());
    b.load(&user(client(B, kernel), "kim"));
    connect(&daemon, &[&b]);
    assert_eq!(lease(&b), leases[0]);
    assert!(road.world.b.ping_until_answered(&leases[0], OFFICE, PATIENCE), "{}", daemon.oakley());
    for charon in [&b, &c] {
        charon.terminate();
    }
    assert!(wait_until(PATIENCE, || (daemon.isakmp_sas(), daemon.ipsec_sas()) == (0, 0)), "{}", daemon.oakley());
}

/// A certificate each, and no users.
pub fn with_certificates(driver: Driver, kernel: Kernel) {
    let what = "Two clients at once by one rule: RSA signatures, an address each by Mode Config (pull), traffic of both to a \
                host behind us; one leaves and comes back";
    let _row = Row::charon(what, kernel, driver, Role::Responder.alone());
    let road = Road::new();
    let mut certificates = Certificates::new(KeyKind::Rsa(2048));
    let method = format!("{{ {}, {} }}", certificates.own(), certificates.authorities());
    let daemon = Daemon::start(&road.world.a, driver, &gateway::text(&[Rule::new(&method)], &[("office", TWO)]));
    let asks = |connection| Connection { virtual_addresses: vec!["0.0.0.0"], ..connection };
    let b = certificates.connection(asks(client(B, kernel)));
    let c = certificates.connection_of_another("C=CH, O=Example, CN=c", "c", asks(client(C, kernel)));
    let b = Charon::start(&road.world.b, kernel, &b);
    let c = Charon::start(&road.c, kernel, &c);
    both_come_and_one_leaves(&road, &daemon, &b, &c);
    let status = daemon.status();
    let sas = status["ike_sas"].as_array().expect("a list");
    let mut identities: Vec<&str> = sas.iter().filter_map(|sa| sa["identity"].as_str()).collect();
    identities.sort_unstable();
    assert_eq!(identities, ["fqdn:b.example", "fqdn:c.example"], "{status}");
    for charon in [&b, &c] {
        charon.terminate();
    }
    assert!(wait_until(PATIENCE, || (daemon.isakmp_sas(), daemon.ipsec_sas()) == (0, 0)), "{}", daemon.oakley());
}

/// A rule and a pool for each of two names, one certificate authority.
pub fn two_pools(driver: Driver, kernel: Kernel) {
    let what = "Two clients at once, a rule and a pool for each identity, after RSA signatures; traffic of both";
    let _row = Row::charon(what, kernel, driver, Role::Responder.alone());
    let road = Road::new();
    let mut certificates = Certificates::new(KeyKind::Rsa(2048));
    let method = format!("{{ {}, {} }}", certificates.own(), certificates.authorities());
    let rule = |name, pool, identity| {
        let more = format!("remote_id = \"{identity}\"");
        Rule { name, pool: Some(pool), more, ..Rule::new(&method) }
    };
    let rules = [
        rule("sales", "sales", "fqdn:b.example"),
        rule("research", "research", "dn:C=CH, O=Example, OU=research, CN=c"),
    ];
    let pools: [(&str, &[&str]); 2] = [("sales", &["10.99.1.0/24"]), ("research", &["10.99.2.0/24"])];
    let daemon = Daemon::start(&road.world.a, driver, &gateway::text(&rules, &pools));
    let asks = |connection| Connection { virtual_addresses: vec!["0.0.0.0"], ..connection };
    let b = certificates.connection(asks(client(B, kernel)));
    let subject = "C=CH, O=Example, OU=research, CN=c";
    let c = certificates.connection_of_another(subject, "c", asks(client(C, kernel)));
    let b = Charon::start(&road.world.b, kernel, &b);
    let c = Charon::start(&road.c, kernel, &Connection { local_id: subject.to_owned(), ..c });
    connect(&daemon, &[&b, &c]);
    let leases = [lease(&b), lease(&c)];
    assert_eq!(leases, ["10.99.1.1", "10.99.2.1"]);
    assert!(road.world.b.ping_until_answered(&leases[0], OFFICE, PATIENCE), "{}\n{}", daemon.oakley(), b.log());
    assert!(road.c.ping_until_answered(&leases[1], OFFICE, PATIENCE), "{}\n{}", daemon.oakley(), c.log());
    let status = daemon.status();
    let sas = status["ike_sas"].as_array().expect("a list");
    let mut rules: Vec<&str> = sas.iter().filter_map(|sa| sa["rule"].as_str()).collect();
    rules.sort_unstable();
    assert_eq!(rules, ["research", "sales"], "{status}");
    for charon in [&b, &c] {
        charon.terminate();
    }
    assert!(wait_until(PATIENCE, || (daemon.isakmp_sas(), daemon.ipsec_sas()) == (0, 0)), "{}", daemon.oakley());
}

/// An address of each family, and a pair of IPsec SAs for each.
pub fn both_families(driver: Driver, kernel: Kernel) {
    let what = "Mode Config: the peer asks for an IPv4 and an IPv6 address at once, traffic of both";
    let _row = Row::charon(what, kernel, driver, Role::Responder.alone());
    let (v4, v6) = ("10.99.0.1", "fd99::1");
    let world = World::new();
    world.a.ip(&[&format!("route add default via {}", B.wire), &format!("route add default via {}", B.wire6)]);
    let rule = Rule { nets: vec![A.net, A.net6], ..Rule::new(KEY).with_users() };
    let pools: [(&str, &[&str]); 1] = [("office", &["10.99.0.1-10.99.0.9", "fd99::1-fd99::9"])];
    let daemon = Daemon::start(&world.a, driver, &gateway::text(&[rule], &pools));
    add_users(&daemon, &["joe"], PASSWORD);
    let connection = Connection {
        virtual_addresses: vec!["0.0.0.0", "::"],
        // Of two addresses charon itself takes the first for each child, whatever the family.
        also: vec![(format!("{v6}/128"), A.net6.to_owned())],
        ..user(client(B, kernel), "joe")
    };
    let charon = Charon::start(&world.b, kernel, &connection);
    connect(&daemon, &[&charon]);
    if let Err(error) = charon.initiate_child("c2") {
        panic!("charon: {error}\nOakley.log:\n{}", daemon.oakley());
    }
    assert!(wait_until(PATIENCE, || daemon.ipsec_sas() == 2), "{}", daemon.oakley());
    let mut own: Vec<String> = charon.installed().into_iter().flat_map(|child| child.local_ts).collect();
    own.sort();
    assert_eq!(own, [format!("{v4}/32"), format!("{v6}/128")]);
    for (lease, inside) in [(v4, A.inside), (v6, A.inside6)] {
        assert!(world.b.ping_until_answered(lease, inside, PATIENCE), "{}\n{}", daemon.oakley(), charon.log());
        assert_eq!(world.b.ping(lease, inside, 3), 3, "pings of {lease}\n{}", daemon.oakley());
    }
    let status = daemon.status();
    assert_eq!(status["ike_sas"][0]["addresses"], serde_json::json!([v4, v6]), "{status}");
    charon.terminate();
    assert!(wait_until(PATIENCE, || (daemon.isakmp_sas(), daemon.ipsec_sas()) == (0, 0)), "{}", daemon.oakley());
}
