//! Identities of phase 1 that are no addresses of the hosts: names, and blocks of addresses; with charon in both roles.

use std::time::Duration;

use crate::charon::{Charon, Connection, Kernel};
use crate::daemon::{Daemon, Driver};
use crate::interop::Row;
use crate::netns::{A, B, World};
use crate::process::wait_until;

use super::Role;
use super::named::{negotiate, policy};

const PATIENCE: Duration = Duration::from_secs(20);

/// Who an end says to be.
#[derive(Debug, Clone, Copy)]
pub struct Name {
    /// As policy files write it, and the status.
    pub ours: &'static str,
    /// As strongSwan writes it.
    pub charons: &'static str,
}

/// One name of each kind.
pub const NAMES: [Name; 4] = [
    Name { ours: "fqdn:gateway.example", charons: "gateway.example" },
    Name { ours: "user-fqdn:joe@gateway.example", charons: "joe@gateway.example" },
    Name { ours: "dn:C=CH, O=Example, CN=gateway", charons: "C=CH, O=Example, CN=gateway" },
    Name { ours: "key-id:6b6579206f6e65", charons: "@#6b6579206f6e65" },
];

/// Names of two kinds: the daemon has `own`, charon `other`.
pub fn names_with_charon(role: Role, own: Name, other: Name) {
    with_charon(role, &format!("Identities {} and {}, traffic", own.ours, other.ours), own, other);
}

/// The daemon is `own`, charon `other`.
pub fn blocks_with_charon(role: Role, own: &'static str, other: &'static str) {
    let block = |block| Name { ours: block, charons: block };
    with_charon(role, &format!("Identities {own} and {other}, traffic"), block(own), block(other));
}

fn with_charon(role: Role, what: &str, own: Name, other: Name) {
    let _row = Row::charon(what, Kernel::Libipsec, Driver::Userspace, role.alone());
    let world = World::new();
    let connection = Connection {
        local_id: other.charons.to_owned(),
        remote_id: own.charons.to_owned(),
        ..Connection::between(B, A).encapsulated()
    };
    let charon = Charon::start(&world.b, Kernel::Libipsec, &connection);
    let daemon = Daemon::start(&world.a, Driver::Userspace, &policy(false, own.ours, other.ours));
    negotiate(&world, &daemon, &charon, role);
    assert_eq!(daemon.status()["ike_sas"][0]["identity"], other.ours);
    charon.terminate();
    assert!(wait_until(PATIENCE, || (daemon.isakmp_sas(), daemon.ipsec_sas()) == (0, 0)), "{}", daemon.oakley());
}
