//! Admission: which of the main modes that peers begin are taken on, and which make way when they are too many.
//!
//! A first message costs its sender nothing, and its source address may be forged. If the oldest were kept and new ones
//! refused, a few hundred forged messages would shut every true peer out until they time out, a minute later. So nobody
//! is refused as long as somebody can make way: the oldest that has not yet shown, by message 3, that it receives what is
//! sent to its address. A true peer shows it after one round trip, and from then on forgeries cannot push it out. With L
//! allowed and F forged messages a second it has L / F seconds for that.
use super::Endpoint;
use super::index::Multimap;
use super::tables::IkeSa;
use crate::address::HostAddress;
use crate::event::{Failure, Reject};
use crate::exchange::Path;
use crate::exchange::mode::Phase1;
use crate::ids::IkeSaId;
use std::collections::BTreeMap;

/// Main modes that peers began and that have proven nothing when last looked at; of a lower number is older.
#[derive(Debug, Default)]
pub(super) struct Unproven {
    peers: BTreeMap<IkeSaId, HostAddress>,
    of_peer: Multimap<HostAddress, IkeSaId>,
}

impl Unproven {
    /// A peer began a main mode.
    pub(super) fn insert(&mut self, id: IkeSaId, peer: HostAddress) {
        self.peers.insert(id, peer);
        self.of_peer.insert(peer, id);
    }

    /// It is over, or has proven its peer's address.
    pub(super) fn remove(&mut self, id: IkeSaId) {
        if let Some(peer) = self.peers.remove(&id) {
            self.of_peer.remove(&peer, id);
        }
    }

    /// The oldest, of a peer or of all.
    fn oldest(&self, peer: Option<HostAddress>) -> Option<IkeSaId> {
        match peer {
            Some(peer) => self.of_peer.of(&peer).next(),
            None => self.peers.first_key_value().map(|(id, _)| *id),
        }
    }

    /// True if nothing is in it.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.peers.is_empty() && self.of_peer.len() == 0
    }
}

impl Endpoint {
    /// Makes room for one more main mode that a peer begins.
    pub(super) fn admit(&mut self, path: Path) -> Result<(), Reject> {
        let peer = path.peer();
        let (of_peer, total) = (self.index.half_open.count(&peer), self.index.half_open.len());
        for (what, whose, count, limit) in [
            ("half-open main modes of one address", Some(peer), of_peer, self.config.half_open_per_peer),
            // One of the peer's own that made way has made room here too.
            ("half-open main modes", None, total, self.config.half_open_total),
        ] {
            if count < limit || self.index.half_open.len() < total {
                continue;
            }
            let Some(victim) = self.oldest_unproven(whose) else { return Err(Reject::TooMany { what, count, limit }) };
            self.fail_main_mode(victim, Failure::TooMany { what, count, limit });
        }
        Ok(())
    }

    /// The oldest main mode that has proven nothing yet, of a peer or of all. Each that has proven itself since is looked
    /// at once, so that a flood costs no more however many there are.
    fn oldest_unproven(&mut self, peer: Option<HostAddress>) -> Option<IkeSaId> {
        loop {
            let id = self.unproven.oldest(peer)?;
            let negotiating = self.ike_sas.get(&id).and_then(IkeSa::negotiating);
            if negotiating.and_then(|main| main.exchange.state()).is_some_and(Phase1::is_unproven) {
                return Some(id);
            }
            self.unproven.remove(id);
        }
    }
}

#[cfg(test)]
mod tests;
