//! Blocks of addresses as identities of phase 1, with charon in both roles.

use std::time::Duration;

use crate::charon::{Charon, Connection, Kernel};
use crate::daemon::{Daemon, Driver};
use crate::interop::Row;
use crate::netns::{A, B, World};
use crate::process::wait_until;

use super::Role;
use super::named::{negotiate, policy};

const PATIENCE: Duration = Duration::from_secs(20);

/// The daemon is `own`, charon `other`.
pub fn blocks_with_charon(role: Role, own: &str, other: &str) {
    let what = format!("Identities {own} and {other}, traffic");
    let _row = Row::charon(what, Kernel::Libipsec, Driver::Userspace, role.alone());
    let world = World::new();
    let connection = Connection {
        local_id: other.to_owned(),
        remote_id: own.to_owned(),
        ..Connection::between(B, A).encapsulated()
    };
    let charon = Charon::start(&world.b, Kernel::Libipsec, &connection);
    let daemon = Daemon::start(&world.a, Driver::Userspace, &policy(false, own, other));
    negotiate(&world, &daemon, &charon, role);
    assert_eq!(daemon.status()["ike_sas"][0]["identity"], other);
    charon.terminate();
    assert!(wait_until(PATIENCE, || (daemon.isakmp_sas(), daemon.ipsec_sas()) == (0, 0)), "{}", daemon.oakley());
}
