//! Aggressive mode: with charon in both roles, and who asks without being wanted.

use std::time::Duration;

use crate::charon::{Charon, Connection, Kernel};
use crate::daemon::{Daemon, Driver};
use crate::interop::Row;
use crate::netns::{A, B, World};
use crate::process::wait_until;

use super::Role;
use super::named::{negotiate, policy};

const PATIENCE: Duration = Duration::from_secs(20);

/// Whom the two ends are.
const OWN: &str = "agent.example";
const OTHER: &str = "peer.example";

fn fqdn(name: &str) -> String {
    format!("fqdn:{name}")
}

/// The daemon begins, or charon does; then traffic, and the end.
pub fn with_charon(role: Role) {
    let _row =
        Row::charon("Aggressive mode, names as identities, traffic", Kernel::Libipsec, Driver::Userspace, role.alone());
    let world = World::new();
    let connection = Connection {
        aggressive: true,
        local_id: OTHER.to_owned(),
        remote_id: OWN.to_owned(),
        ..Connection::between(B, A).encapsulated()
    };
    let charon = Charon::start(&world.b, Kernel::Libipsec, &connection);
    let daemon = Daemon::start(&world.a, Driver::Userspace, &policy(true, &fqdn(OWN), &fqdn(OTHER)));
    negotiate(&world, &daemon, &charon, role);
    let sent = match role {
        Role::Initiator => "aggressive mode message 3",
        Role::Responder => "aggressive mode message 2",
    };
    let trace = daemon.oakley();
    assert!(trace.contains(sent) && !trace.contains("main mode message"), "{trace}");
    assert_eq!(daemon.status()["ike_sas"][0]["identity"], format!("fqdn:{OTHER}"));
    charon.rekey_child();
    assert!(world.a.ping_until_answered(A.inside, B.inside, PATIENCE), "after a rekey");
    charon.terminate();
    assert!(wait_until(PATIENCE, || (daemon.isakmp_sas(), daemon.ipsec_sas()) == (0, 0)), "{}", daemon.oakley());
}

/// What `ike-scan` hears of a host with this policy when it says that it is `id`.
fn scan(world: &World, id: &str) -> String {
    let id = format!("--id={id}");
    // AES-256, SHA-256 is none of ike-scan's names: numbers of encryption/bits, hash, method, group.
    let arguments =
        ["-A", "--sport=500", "--retry=1", "--timeout=1500", "--dhgroup=14", "--trans=(1=7,14=128,2=2,3=1,4=14)"];
    let mut all = arguments.to_vec();
    all.extend(["--idtype=2", &id, A.wire]);
    world.b.run("ike-scan", &all)
}

/// `ike-scan -A` gets an answer only where the policy allows it, and under a name that the policy knows.
pub fn with_ike_scan() {
    let _row = Row::new(
        "Answers ike-scan -A only where the policy says so",
        "ike-scan",
        Driver::Memory,
        Role::Responder.alone(),
    );
    let world = World::new();
    for (aggressive, id, answered) in [(true, OTHER, true), (true, "stranger.example", false), (false, OTHER, false)] {
        let daemon = Daemon::start(&world.a, Driver::Memory, &policy(aggressive, &fqdn(OWN), &fqdn(OTHER)));
        let heard = scan(&world, id);
        assert_eq!(
            heard.contains("Aggressive Mode Handshake returned"),
            answered,
            "{id}: {heard}\n{}",
            daemon.oakley()
        );
        assert!(answered || heard.contains("0 returned handshake; 0 returned notify"), "{id}: {heard}");
    }
}
