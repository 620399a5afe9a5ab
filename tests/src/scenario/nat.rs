//! Nets that are joined through a NAT: before the end that begins, or before both.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use crate::capture::{Capture, Kind};
use crate::charon::{Charon, Connection, Kernel};
use crate::daemon::{Daemon, Driver};
use crate::interop::Row;
use crate::netns::{A, Addresses, B, Namespace, World};
use crate::policy_text::Policy;
use crate::process::wait_until;
use crate::relay::Relay;

use super::Role;

const PATIENCE: Duration = Duration::from_secs(20);

/// The client's address, and that of its router.
const CLIENT: &str = "10.20.0.2";
const ROUTER: &str = "10.20.0.1";

/// Whom the NATs hide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hidden {
    /// The client from the server.
    Client,
    /// Each from the other.
    Both,
}

impl Hidden {
    /// For the names of tests.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Client => "one end",
            Self::Both => "both ends",
        }
    }

    /// Where the client finds the server.
    const fn server(self) -> &'static str {
        match self {
            Self::Client => B.wire,
            Self::Both => ROUTER,
        }
    }
}

/// The server is host `b` of the world, host `a` the NAT's side to it; the client has `a`'s net behind it.
struct Site {
    world: World,
    router: Namespace,
    client: Namespace,
    hidden: Hidden,
    relay: RefCell<Option<Relay>>,
}

impl Site {
    fn new(hidden: Hidden) -> Self {
        let (world, router, client) = (World::new(), Namespace::new("router"), Namespace::new("client"));
        router.ip(&[
            &format!("link add lan0 type veth peer name lan0 netns {}", client.path()),
            &format!("addr add {ROUTER}/24 dev lan0"),
            // So that it takes what is for the server.
            &format!("addr add {}/32 dev lo", B.wire),
            "link set lan0 up",
        ]);
        client.ip(&[
            &format!("addr add {CLIENT}/24 dev lan0"),
            &format!("addr add {}/24 dev lo", A.inside),
            "link set lan0 up",
            &format!("route add {} via {ROUTER}", B.wire),
            &format!("route add {} via {ROUTER}", B.net),
        ]);
        let site = Self { world, router, client, hidden, relay: RefCell::default() };
        site.map();
        site
    }

    /// Gives the client ports of the NAT, others than before.
    fn map(&self) {
        drop(self.relay.take());
        let inside = (&self.router, self.hidden.server());
        self.relay.replace(Some(Relay::start(inside, (&self.world.a, A.wire), B.wire)));
    }

    /// The client, and the server as it sees it.
    const fn of_client(&self) -> (Addresses, Addresses) {
        (Addresses { wire: CLIENT, ..A }, Addresses { wire: self.hidden.server(), ..B })
    }
}

/// The client begins; traffic of both ends goes through ESP in UDP, also after the NAT has given the client other ports, and
/// after a rekey. The daemon is the client as initiator, the server as responder.
pub fn nets_through_a_nat(hidden: Hidden, role: Role) {
    let what = format!("NAT before {}, tunnel: traffic, another mapping, rekey, delete", hidden.name());
    let _row = Row::charon(what, Kernel::Libipsec, Driver::Userspace, role.alone());
    let site = Site::new(hidden);
    let (own, server) = site.of_client();
    let seen = Addresses { wire: A.wire, ..A };
    let capture = Capture::start(&site.world);
    let names = |connection: Connection| match role {
        Role::Initiator => Connection { remote_id: CLIENT.to_owned(), ..connection },
        Role::Responder => Connection { remote_id: B.wire.to_owned(), ..connection },
    };
    // A question each second shows the server where the client is.
    let watch = Some("{ delay = 1, timeout = 60, periodic = true }");
    let (ends, policy, connection) = match role {
        Role::Initiator => {
            ((&site.client, &site.world.b), Policy::between(own, server), names(Connection::between(B, seen)))
        }
        Role::Responder => {
            ((&site.world.b, &site.client), Policy::between(B, seen), names(Connection::between(own, server)))
        }
    };
    let connection = Connection { dpd_delay: 1, ..connection };
    let charon = Charon::start(ends.1, Kernel::Libipsec, &connection);
    let daemon = Daemon::start(ends.0, Driver::Userspace, &Policy { dpd: watch, ..policy }.text());
    let logs = || format!("{}\n{}", daemon.oakley(), charon.log());
    match role {
        Role::Initiator => assert!(site.client.ping_until_answered(A.inside, B.inside, PATIENCE), "{}", logs()),
        Role::Responder => {
            charon.initiate().unwrap_or_else(|error| panic!("charon: {error}\n{}", daemon.oakley()));
        }
    }
    charon.wait_installed();
    assert!(wait_until(PATIENCE, || daemon.ipsec_sas() == 1), "{}", logs());
    let settled = Instant::now();
    let exchange = |site: &Site| {
        assert!(site.client.ping_until_answered(A.inside, B.inside, PATIENCE), "{}", logs());
        assert!(site.world.b.ping_until_answered(B.inside, A.inside, PATIENCE), "{}", logs());
        assert_eq!(site.client.ping(A.inside, B.inside, 3), 3, "{}", logs());
        assert_eq!(site.world.b.ping(B.inside, A.inside, 3), 3, "{}", logs());
    };
    exchange(&site);
    let trace = daemon.oakley();
    let behind = [trace.contains("I am behind NAT"), trace.contains("Peer behind NAT")];
    let expected = match (hidden, role) {
        (Hidden::Client, Role::Responder) => [false, true],
        // charon's own ESP wants UDP, so that charon says that there is a NAT before it in any case.
        (Hidden::Client, Role::Initiator) | (Hidden::Both, _) => [true, true],
    };
    assert_eq!(behind, expected, "{trace}");
    let newest = || charon.installed().into_iter().max_by_key(|child| child.id).expect("a pair of SAs");
    let successor_of = |first: u32| {
        charon.wait_sas("a new pair of IPsec SAs", PATIENCE, |sas| {
            let mut children = sas.iter().flat_map(|sa| &sa.children);
            children.any(|child| child.state == "INSTALLED" && child.id > first)
        });
        newest()
    };
    let first = newest();

    site.map();
    exchange(&site);
    let second = match role {
        Role::Responder => newest(),
        // charon's own ESP cannot follow a peer: charon makes new SAs.
        Role::Initiator => successor_of(first.id),
    };
    assert_eq!(role == Role::Responder, second.id == first.id, "the daemon's follows: {}", logs());
    exchange(&site);

    charon.rekey_child();
    successor_of(second.id);
    exchange(&site);
    assert_eq!(capture.count(Kind::Esp), 0);
    let clear = match role {
        // While charon's own ESP makes new SAs for the client's new place, charon's end is not protected.
        Role::Initiator => capture.in_clear(&[A.inside], None),
        Role::Responder => capture.in_clear(&[A.inside, B.inside], Some(settled)),
    };
    assert_eq!(clear, [], "{}", logs());
    charon.terminate();
    charon.wait_sas("no SAs left", PATIENCE, <[_]>::is_empty);
    assert!(wait_until(PATIENCE, || (daemon.isakmp_sas(), daemon.ipsec_sas()) == (0, 0)), "{}", logs());
}
