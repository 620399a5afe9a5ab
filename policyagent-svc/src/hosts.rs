//! Hosts by name, looked up as the system does.
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, ToSocketAddrs as _};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use crate::compile::{Hosts, is_me};

/// The most names that are looked up at once.
const AT_ONCE: usize = 8;

/// Looks names up, for as long as that takes but not longer than `within`; it blocks the thread. What could not be looked up
/// in time, or has no address, is not among the result.
pub(crate) fn look_up(names: &BTreeSet<String>, within: Duration) -> Hosts {
    let until = Instant::now() + within;
    let waiting: Arc<Mutex<Vec<String>>> = Arc::new(Mutex::new(names.iter().cloned().collect()));
    let (sender, receiver) = mpsc::channel();
    for _ in 0..names.len().min(AT_ONCE) {
        let (waiting, sender) = (Arc::clone(&waiting), sender.clone());
        // The system's resolver cannot be told to stop: a thread that waits for it is left behind, and ends with it.
        let spawned = thread::Builder::new().name("hosts".to_owned()).spawn(move || {
            let next = || waiting.lock().unwrap_or_else(PoisonError::into_inner).pop();
            while let Some(name) = next() {
                let addresses = addresses(&name);
                if sender.send((name, addresses)).is_err() {
                    return;
                }
            }
        });
        if spawned.is_err() {
            break;
        }
    }
    drop(sender);
    let mut found = BTreeMap::new();
    while let Ok((name, addresses)) = receiver.recv_timeout(until.saturating_duration_since(Instant::now())) {
        if !addresses.is_empty() {
            found.insert(name, addresses);
        }
    }
    // Those who come late find nothing more to do.
    waiting.lock().unwrap_or_else(PoisonError::into_inner).clear();
    found
}

fn addresses(name: &str) -> BTreeSet<IpAddr> {
    let found = (name, 0).to_socket_addrs().map(Iterator::collect::<Vec<_>>).unwrap_or_default();
    found.into_iter().map(|socket| socket.ip()).filter(|ip| is_me(*ip) && !ip.is_multicast()).collect()
}
