//! The indexes of the tables: whatever a message, an acquire or the driver names is found without looking at all SAs.
use super::Endpoint;
use super::tables::{IkeSa, Pair, Phase};
use crate::address::HostAddress;
use crate::event::negotiation::Role;
use crate::exchange::Path;
use crate::ids::{IkeSaId, IpsecSaId, NegotiationId};
use crate::policy::lease::Owner;
use crate::policy::selector::Selector;
use crate::sa::driver::SaName;
use std::collections::{BTreeMap, BTreeSet};

/// Several values a key.
#[derive(Debug)]
pub(super) struct Multimap<K, V> {
    sets: BTreeMap<K, BTreeSet<V>>,
    len: usize,
}

impl<K, V> Default for Multimap<K, V> {
    fn default() -> Self {
        Self { sets: BTreeMap::new(), len: 0 }
    }
}

impl<K: Ord, V: Ord + Copy> Multimap<K, V> {
    pub(super) fn insert(&mut self, key: K, value: V) {
        self.len += usize::from(self.sets.entry(key).or_default().insert(value));
    }

    pub(super) fn remove(&mut self, key: &K, value: V) {
        let Some(set) = self.sets.get_mut(key) else { return };
        self.len -= usize::from(set.remove(&value));
        if set.is_empty() {
            self.sets.remove(key);
        }
    }

    /// The values of a key, in order.
    pub(super) fn of(&self, key: &K) -> impl DoubleEndedIterator<Item = V> {
        self.sets.get(key).into_iter().flatten().copied()
    }

    /// How many values a key has.
    pub(super) fn count(&self, key: &K) -> usize {
        self.sets.get(key).map_or(0, BTreeSet::len)
    }

    /// How many values there are.
    pub(super) const fn len(&self) -> usize {
        self.len
    }
}

/// All indexes.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// ISAKMP SAs by the peer's address.
    pub(super) ike_sas: Multimap<HostAddress, IkeSaId>,
    /// Main modes under way that a peer began, by its address.
    pub(super) half_open: Multimap<HostAddress, IkeSaId>,
    /// Pairs by the peer's address.
    pub(super) pairs: Multimap<HostAddress, IpsecSaId>,
    /// Soft SAs by the peer's address.
    pub(super) soft_sas: Multimap<HostAddress, IpsecSaId>,
    /// Pairs by the SA for packets that arrive; a driver never gives an SPI twice.
    pub(super) inbound: BTreeMap<SaName, IpsecSaId>,
    /// Pairs by the SA for packets that leave. Two peers behind one NAT may choose the same SPI.
    pub(super) outbound: Multimap<SaName, IpsecSaId>,
    /// Pairs by their traffic.
    pub(super) traffic: Multimap<Selector, IpsecSaId>,
    /// What this host is negotiating: pairs for the traffic of a rule, by its number.
    pub(super) wanted: BTreeMap<(u32, Selector), NegotiationId>,
    /// What peers are negotiating with this host, in the same way.
    pub(super) offered: Multimap<(u32, Selector), NegotiationId>,
}

impl Index {
    /// True if nothing is in it.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.ike_sas.len == 0
            && self.half_open.len == 0
            && self.pairs.len == 0
            && self.soft_sas.len == 0
            && self.inbound.is_empty()
            && self.outbound.len == 0
            && self.traffic.len == 0
            && self.wanted.is_empty()
            && self.offered.len == 0
    }
}

impl Endpoint {
    /// Puts a new ISAKMP SA into the tables.
    pub(super) fn add_ike_sa(&mut self, id: IkeSaId, sa: IkeSa) {
        let peer = sa.path.peer();
        self.by_cookie.insert(sa.own_cookie(), id);
        self.index.ike_sas.insert(peer, id);
        if let Some(first) = sa.first_message {
            self.by_first_message.insert(first, id);
            self.index.half_open.insert(peer, id);
            self.unproven.insert(id, peer);
        }
        self.ike_sas.insert(id, sa);
    }

    /// Its main mode is over.
    pub(super) fn close_half_open(&mut self, id: IkeSaId) {
        self.unproven.remove(id);
        if let Some(sa) = self.ike_sas.get(&id) {
            self.index.half_open.remove(&sa.path.peer(), id);
        }
    }

    /// Takes an ISAKMP SA out of the tables.
    pub(super) fn take_ike_sa(&mut self, id: IkeSaId) -> Option<IkeSa> {
        let sa = self.ike_sas.remove(&id)?;
        let peer = sa.path.peer();
        self.by_cookie.remove(&sa.own_cookie());
        if let Some(first) = &sa.first_message {
            self.by_first_message.remove(first);
        }
        self.index.ike_sas.remove(&peer, id);
        self.index.half_open.remove(&peer, id);
        self.unproven.remove(id);
        if let Phase::Established(standing) = &sa.phase {
            self.shared.peers.remove(peer);
            let now = self.shared.now;
            standing.leases.iter().for_each(|address| self.shared.leases.release(*address, now));
        }
        self.end_keep_alive(sa.path);
        self.drop_fragments(id);
        Some(sa)
    }

    /// The peer is at another address now.
    pub(super) fn move_ike_sa(&mut self, id: IkeSaId, path: Path) {
        let Some(sa) = self.ike_sas.get_mut(&id) else { return };
        let (old, new) = (sa.path.peer(), path.peer());
        let before = core::mem::replace(&mut sa.path, path);
        if old == new {
            return self.keep_other_alive(before, path);
        }
        let established = matches!(sa.phase, Phase::Established(_));
        self.index.ike_sas.remove(&old, id);
        self.index.ike_sas.insert(new, id);
        if self.index.half_open.of(&old).any(|of| of == id) {
            self.index.half_open.remove(&old, id);
            self.index.half_open.insert(new, id);
        }
        if established {
            self.shared.peers.remove(old);
            self.shared.peers.add(new);
        }
        self.keep_other_alive(before, path);
    }

    /// Puts a pair into the tables.
    pub(super) fn add_pair(&mut self, pair: Pair) {
        let (id, peer) = (pair.sa.id, pair.sa.path.peer());
        self.index.pairs.insert(peer, id);
        self.index.inbound.extend(pair.sa.inbound_names().map(|name| (name, id)));
        pair.sa.outbound_names().for_each(|name| self.index.outbound.insert(name, id));
        self.index.traffic.insert(pair.sa.selector, id);
        self.shared.peers.add(peer);
        if pair.sa.rule.gives_addresses() {
            let owner = Owner::new(&pair.identity, pair.user.as_deref());
            self.shared.leases.hold(pair.sa.selector.remote.address(), &owner, peer);
        }
        self.pairs.insert(id, pair);
    }

    /// Takes a pair out of the tables.
    pub(super) fn take_pair(&mut self, id: IpsecSaId) -> Option<Pair> {
        let pair = self.pairs.remove(&id)?;
        let peer = pair.sa.path.peer();
        self.index.pairs.remove(&peer, id);
        for name in pair.sa.inbound_names() {
            if self.index.inbound.get(&name) == Some(&id) {
                self.index.inbound.remove(&name);
            }
        }
        pair.sa.outbound_names().for_each(|name| self.index.outbound.remove(&name, id));
        self.index.traffic.remove(&pair.sa.selector, id);
        self.shared.peers.remove(peer);
        if pair.sa.rule.gives_addresses() {
            self.shared.leases.release(pair.sa.selector.remote.address(), self.shared.now);
        }
        self.end_keep_alive(pair.sa.path);
        Some(pair)
    }

    /// The peer's packets of a pair come from another address now.
    pub(super) fn move_pair(&mut self, id: IpsecSaId, path: Path) {
        let Some(pair) = self.pairs.get_mut(&id) else { return };
        let (old, new) = (pair.sa.path.peer(), path.peer());
        let before = core::mem::replace(&mut pair.sa.path, path);
        self.index.pairs.remove(&old, id);
        self.index.pairs.insert(new, id);
        self.shared.peers.remove(old);
        self.shared.peers.add(new);
        self.keep_other_alive(before, path);
    }

    /// The pair that an SA belongs to, by either direction.
    pub(super) fn pair_of(&self, name: &SaName) -> Option<IpsecSaId> {
        self.index.inbound.get(name).copied().or_else(|| self.index.outbound.of(name).next())
    }
}

impl IkeSa {
    /// This host's cookie.
    pub(super) const fn own_cookie(&self) -> crate::ids::Cookie {
        match self.role {
            Role::Initiator => self.cookies.initiator,
            Role::Responder => self.cookies.responder,
        }
    }
}
