//! Main mode of the policy: all connections have one list of offers and one life.
use super::super::connection::{Connection, What};

/// What a policy has for all of its connections.
pub(super) struct MainMode {
    /// In order of preference.
    pub(super) offers: Vec<String>,
    /// Seconds.
    pub(super) lifetime: u64,
}

/// The offers and the life that serve all; none if nothing is negotiated. The offers of aggressive mode come first, since
/// all of a message's offers have the group of the first.
pub(super) fn of<'a>(connections: impl Iterator<Item = &'a Connection>) -> Option<MainMode> {
    let negotiates =
        |connection: &&Connection| connection.children.iter().any(|child| matches!(child.what, What::Protect(_)));
    let mut connections: Vec<&Connection> = connections.filter(negotiates).collect();
    connections.sort_by_key(|connection| !connection.aggressive);
    let lifetime = connections.iter().map(|connection| connection.lifetime).min()?;
    let mut offers: Vec<String> = Vec::new();
    for offer in connections.iter().flat_map(|connection| &connection.offers) {
        if !offers.contains(offer) {
            offers.push(offer.clone());
        }
    }
    Some(MainMode { offers, lifetime })
}

fn group(offer: &str) -> Option<&str> {
    offer.rsplit('-').next()
}

/// Has each connection say what the list and the life that it shares change of it.
pub(super) fn agree(connections: &mut [Connection]) {
    const LIST: &str = "A policy has one list of main-mode offers";
    const LIFE: &str = "A policy has one life of ISAKMP SAs";
    const GROUP: &str = "Aggressive mode has the group of the policy's first offer";
    let Some(MainMode { offers, lifetime }) = of(connections.iter()) else { return };
    for connection in connections.iter_mut() {
        connection.notes.retain(|note| ![LIST, LIFE, GROUP].iter().any(|begin| note.starts_with(begin)));
        if !connection.children.iter().any(|child| matches!(child.what, What::Protect(_))) {
            continue;
        }
        let more: Vec<&str> =
            offers.iter().filter(|offer| !connection.offers.contains(offer)).map(String::as_str).collect();
        if !more.is_empty() {
            connection.notes.push(format!("{LIST}: this one is offered, and takes, also {}", more.join(", ")));
        }
        if connection.lifetime != lifetime {
            connection.notes.push(format!("{LIFE}: {lifetime} s, where this one had {} s", connection.lifetime));
        }
        let first = offers.first().and_then(|offer| group(offer));
        if connection.aggressive && !connection.offers.iter().any(|offer| group(offer) == first) {
            connection.notes.push(format!("{GROUP}, {}, which this one did not have", first.unwrap_or_default()));
        }
    }
}
