//! The commit bit with a peer that does not know of it.

use std::time::Duration;

use crate::charon::{Charon, Connection, Kernel};
use crate::daemon::{Daemon, Driver};
use crate::interop::Row;
use crate::netns::{A, B, World};
use crate::process::wait_until;

use super::Role;
use super::named::{negotiate, policy};

const PATIENCE: Duration = Duration::from_secs(20);

/// charon begins, and is asked to wait for CONNECTED.
pub fn charon_passes_it_over() {
    let what = "Commit bit set by the responder, which the peer passes over";
    let _row = Row::charon(what, Kernel::Libipsec, Driver::Userspace, Role::Responder.alone());
    let world = World::new();
    let connection = Connection {
        local_id: "peer.example".to_owned(),
        remote_id: "agent.example".to_owned(),
        ..Connection::between(B, A).encapsulated()
    };
    let charon = Charon::start(&world.b, Kernel::Libipsec, &connection);
    let policy = policy(false, "fqdn:agent.example", "fqdn:peer.example");
    let settings = "[ike]\ncommit_bit = true\n";
    let daemon = Daemon::start_with_settings(&world.a, Driver::Userspace, &policy, settings);
    negotiate(&world, &daemon, &charon, Role::Responder);
    assert!(daemon.oakley().contains("quick mode message 4"), "{}", daemon.oakley());
    charon.rekey_child();
    assert!(world.a.ping_until_answered(A.inside, B.inside, PATIENCE), "after a rekey\n{}", charon.log());
    charon.terminate();
    assert!(wait_until(PATIENCE, || (daemon.isakmp_sas(), daemon.ipsec_sas()) == (0, 0)), "{}", daemon.oakley());
}
