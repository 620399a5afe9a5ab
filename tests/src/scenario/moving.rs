//! charon at an address that the daemon's policy does not know, and at another one later.

use std::time::Duration;

use crate::charon::{Charon, Connection, Kernel};
use crate::daemon::{Daemon, Driver};
use crate::interop::Row;
use crate::netns::{A, Addresses, B, WIRE, World};
use crate::policy_text::gateway::{self, KEY, Rule};
use crate::process::wait_until;

use super::Role;

const PATIENCE: Duration = Duration::from_secs(30);

/// Where the peer comes back.
const MOVED: Addresses = Addresses { wire: "10.9.0.7", ..B };

/// What the rule says of an identity at two addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unique {
    /// Both have SAs.
    Keep,
    /// The older SAs end.
    Replace,
    /// The newer end, for as long as the older peer is not known to be dead.
    Refuse,
}

impl Unique {
    const fn setting(self) -> &'static str {
        match self {
            Self::Keep => "unique = \"keep\"",
            Self::Replace => "unique = \"replace\"",
            Self::Refuse => "unique = \"refuse\"\ndpd = { delay = 2, timeout = 4, periodic = true }",
        }
    }

    const fn outcome(self) -> &'static str {
        match self {
            Self::Keep => "keep: old and new SAs stand side by side",
            Self::Replace => "replace: the old SAs end",
            Self::Refuse => "refuse: it waits until dead peer detection has ended the old SAs",
        }
    }
}

/// charon behind its net at the address `own`, with a name.
fn named(own: Addresses, kernel: Kernel) -> Connection {
    let connection = Connection { local_id: "b.example".to_owned(), ..Connection::between(own, A) };
    match kernel {
        Kernel::Libipsec => connection.encapsulated(),
        Kernel::Netlink => connection,
    }
}

/// The peer dies without a word, and comes back at another address.
pub fn comes_back_elsewhere(driver: Driver, kernel: Kernel, unique: Unique) {
    let what = format!(
        "A peer with a name (FQDN, pre-shared key) at any address, which comes back at another one; {}",
        unique.outcome()
    );
    let _row = Row::charon(what, kernel, driver, Role::Responder.alone());
    let world = World::new();
    let more = format!("remote_id = \"fqdn:b.example\"\n{}", unique.setting());
    let rule = Rule { pool: None, far: B.net, more, ..Rule::new(KEY) };
    let daemon = Daemon::start(&world.a, driver, &gateway::text(&[rule], &[]));
    let traffic = |charon: &Charon| {
        charon.wait_installed();
        assert!(world.b.ping_until_answered(B.inside, A.inside, PATIENCE), "{}\n{}", daemon.oakley(), charon.log());
        assert_eq!(world.b.ping(B.inside, A.inside, 3), 3, "{}", daemon.oakley());
        assert!(world.a.ping_until_answered(A.inside, B.inside, PATIENCE), "{}\n{}", daemon.oakley(), charon.log());
    };
    // With whom there are IPsec SAs.
    let peers = || {
        let status = daemon.status();
        let sas = status["ipsec_sas"].as_array().expect("a list");
        let mut peers: Vec<String> = sas.iter().filter_map(|sa| sa["remote"].as_str()).map(str::to_owned).collect();
        peers.iter_mut().for_each(|peer| peer.truncate(peer.find(':').unwrap_or(peer.len())));
        peers.sort();
        peers.dedup();
        peers
    };
    let mut charon = Charon::start(&world.b, kernel, &named(B, kernel));
    if let Err(error) = charon.initiate() {
        panic!("charon: {error}\nOakley.log:\n{}", daemon.oakley());
    }
    traffic(&charon);
    assert_eq!(peers(), [B.wire], "{}", daemon.status());

    charon.kill();
    drop(charon);
    world.b.ip(&[
        &format!("addr del {}/24 dev {WIRE}", B.wire),
        &format!("addr add {}/24 dev {WIRE}", MOVED.wire),
        // Its own route has gone with the address.
        &format!("route replace {} via {}", A.net, A.wire),
    ]);
    if kernel == Kernel::Netlink {
        world.b.run("ip", &["xfrm", "state", "flush"]);
        world.b.run("ip", &["xfrm", "policy", "flush"]);
    }
    world.a.ip(&[&format!("route replace {} via {}", B.net, MOVED.wire)]);
    let charon = Charon::start(&world.b, kernel, &named(MOVED, kernel));
    if unique == Unique::Refuse {
        // Each time that it is refused it begins anew, by itself.
        let _ = charon.initiate();
        let reason =
            format!("the identity fqdn:b.example is in use by the peer at {}, and the rule refuses a second", B.wire);
        daemon.wait_oakley("the reason", PATIENCE, |log| log.contains(&reason));
        let dead = [500, 4500].map(|port| format!("the peer {}:{port} is dead", B.wire));
        daemon.wait_oakley("the end of the old SAs", PATIENCE, |log| dead.iter().any(|dead| log.contains(dead)));
        let served = wait_until(PATIENCE, || !charon.installed().is_empty() || charon.initiate().is_ok());
        assert!(served, "{}\n{}", daemon.oakley(), charon.log());
    } else if let Err(error) = charon.initiate() {
        panic!("charon: {error}\nOakley.log:\n{}", daemon.oakley());
    }
    traffic(&charon);
    let expected: &[&str] = if unique == Unique::Keep { &[B.wire, MOVED.wire] } else { &[MOVED.wire] };
    assert_eq!(peers(), expected, "{}", daemon.status());
}
