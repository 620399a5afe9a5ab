//! Keeps the policy to what the machine is: its addresses, interfaces and routes, and the addresses of hosts by name.
use ikedaemon::network::Changes;
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::time::Instant;

use super::answers::Service;
use super::policy::Look;
use crate::hosts;

/// A change of the network is over when nothing has happened for so long, or after the longest wait.
const QUIET: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_millis(300);

/// How often it is looked at the machine all the same: nothing tells that certificates, name servers or leases have changed.
const AGAIN: Duration = Duration::from_secs(20);

/// The same where the system does not tell of changes of the network.
const WITHOUT_NOTICE: Duration = Duration::from_secs(2);

/// How often names are looked up: if all have addresses, if one has none, and at most when this machine's addresses change.
const NAMES_AGAIN: Duration = Duration::from_secs(300);
const NAMES_MISSING: Duration = Duration::from_secs(30);
const NAMES_AT_MOST: Duration = Duration::from_secs(3);

/// How long names are looked up.
const LOOK_UP: Duration = Duration::from_secs(15);

/// Follows the machine for ever.
pub(super) async fn machine(service: &Service) {
    let mut changes = listen();
    loop {
        let every = if changes.is_some() { AGAIN } else { WITHOUT_NOTICE };
        let noticed = match &mut changes {
            Some(listening) => tokio::time::timeout(every, change(listening)).await,
            None => {
                tokio::time::sleep(every).await;
                Ok(Ok(()))
            }
        };
        if let Ok(Err(error)) = noticed {
            untold(&error);
            changes = None;
        }
        // What is wrong is told, and an engine that is gone needs no policy.
        let _ = service.follow_and_tell(Look::Machine, "the addresses of this machine have changed").await;
    }
}

fn listen() -> Option<Changes> {
    Changes::listen().map_err(|error| untold(&error)).ok()
}

fn untold(error: &std::io::Error) {
    tracing::warn!(
        target: "policyagent::service",
        "the system does not tell of changes of the network ({error}): it is looked at every {} s",
        WITHOUT_NOTICE.as_secs()
    );
}

/// Waits until something happens, and then until it is over.
async fn change(changes: &mut Changes) -> std::io::Result<()> {
    changes.next().await?;
    let latest = Instant::now() + LONGEST;
    loop {
        let until = latest.min(Instant::now() + QUIET);
        match tokio::time::timeout_at(until, changes.next()).await {
            Ok(next) => next?,
            Err(_) => return Ok(()),
        }
    }
}

/// Follows the addresses of the hosts that the policy names, for ever.
pub(super) async fn names(service: &Service) {
    let changed = service.policy.lock().await.changed();
    let mut asked = BTreeSet::new();
    let mut addresses = BTreeSet::new();
    let mut next = Instant::now();
    loop {
        let (wanted, now) = {
            let policy = service.policy.lock().await;
            (policy.hosts_wanted(), policy.addresses().clone())
        };
        if now != addresses {
            // Another network may know the names otherwise.
            next = next.min(Instant::now() + NAMES_AT_MOST);
            addresses = now;
        }
        let is_new = !wanted.is_subset(&asked);
        if !wanted.is_empty() && (is_new || next <= Instant::now()) {
            let names = wanted.clone();
            let begun = Instant::now();
            // The system's resolver blocks its thread.
            let found = tokio::task::spawn_blocking(move || hosts::look_up(&names, LOOK_UP)).await.unwrap_or_default();
            let all_found = found.len() == wanted.len();
            service.policy.lock().await.set_hosts(found);
            asked = wanted;
            next = begun + if all_found { NAMES_AGAIN } else { NAMES_MISSING };
            let _ = service.follow_and_tell(Look::Machine, "the addresses of hosts have changed").await;
        } else if wanted.is_empty() {
            next = Instant::now() + NAMES_AGAIN;
        }
        tokio::select! {
            () = tokio::time::sleep_until(next) => {}
            () = changed.notified() => {}
        }
    }
}
