//! What scenarios have in common in which the two ends say by configured identities who they are.

use std::time::Duration;

use crate::charon::Charon;
use crate::daemon::Daemon;
use crate::netns::{A, B, World};

use super::Role;

const PATIENCE: Duration = Duration::from_secs(20);

/// A policy with the peer, in which these are the identities of the two ends.
pub(super) fn policy(aggressive: bool, own: &str, other: &str) -> String {
    let mode = if aggressive { "aggressive_mode = \"exposes the pre-shared key to guessing\"" } else { "" };
    format!(
        r#"[[policy]]
name = "named"
assigned = true

[policy.main_mode]
offers = ["aes256-sha256-modp2048", "aes128-sha1-modp2048"]

[[policy.rule]]
name = "to the peer"
filter_list = "nets"
filter_action = "protect"
authentication = [{{ preshared_key = "correct horse battery" }}]
tunnel = {{ local = "{}", remote = "{}" }}
local_id = "{own}"
remote_id = "{other}"
{mode}

[[filter_list]]
name = "nets"
filters = [{{ source = "{}", destination = "{}" }}]

[[filter_action]]
name = "protect"
action = "negotiate"
offers = [{{ esp = "aes256-sha256" }}]
pfs = "modp2048"
"#,
        A.wire, B.wire, A.net, B.net
    )
}

/// The daemon begins, or charon does; then there is traffic.
#[track_caller]
pub(super) fn negotiate(world: &World, daemon: &Daemon<'_>, charon: &Charon, role: Role) {
    match role {
        Role::Initiator => drop(daemon.run(&["initiate", "to the peer"])),
        Role::Responder => {
            if let Err(error) = charon.initiate() {
                panic!("charon: {error}\n{}", daemon.oakley());
            }
        }
    }
    charon.wait_installed();
    assert!(world.a.ping_until_answered(A.inside, B.inside, PATIENCE), "{}\n{}", daemon.oakley(), charon.log());
}
