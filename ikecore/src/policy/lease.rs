//! Leases: who has which address of the pools.
//!
//! An address is held as long as an ISAKMP SA or a pair of IPsec SAs stands that it was given under. Afterwards it is
//! remembered for its owner until no other is left to give.
use super::pool::Pool;
use crate::address::HostAddress;
use crate::identity::Identity;
use crate::time::Time;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// The most leases that are remembered without a holder.
const REMEMBERED: usize = 65_536;

/// For whom a lease is: who the peer has proven to be.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Owner {
    identity: String,
    user: Option<String>,
}

impl Owner {
    /// The owner with this identity of phase 1 and, after extended authentication, this name.
    pub fn new(identity: &Identity, user: Option<&str>) -> Self {
        Self { identity: identity.to_string(), user: user.map(str::to_owned) }
    }
}

#[derive(Debug)]
struct Lease {
    owner: Owner,
    /// Where the owner is.
    peer: HostAddress,
    /// SAs that it is held by.
    holders: usize,
    /// When the last one let it go.
    released: Time,
}

/// All leases.
#[derive(Debug, Default)]
pub struct Leases {
    all: BTreeMap<IpAddr, Lease>,
    /// How many have no holder.
    free: usize,
    /// The last address that each owner was given, of either family.
    of_owner: BTreeMap<(Owner, bool), IpAddr>,
}

impl Leases {
    /// The address of `pool`, of IPv4 or IPv6, that the owner at `peer` gets: the one it had, else the one it wants, else
    /// one that nobody had, else the one that has been without a holder for longest. Nothing is changed by asking.
    pub fn choose(
        &self,
        pool: &Pool,
        owner: &Owner,
        peer: HostAddress,
        ipv4: bool,
        wanted: Option<IpAddr>,
    ) -> Option<IpAddr> {
        let had = self.of_owner.get(&(owner.clone(), ipv4)).copied();
        let is_own = |address: &IpAddr| {
            // Held by an SA from elsewhere: two hosts cannot have one address.
            let own = |lease: &Lease| lease.owner == *owner && (lease.holders == 0 || lease.peer == peer);
            self.all.get(address).is_none_or(own)
        };
        let usable = |address: &IpAddr| address.is_ipv4() == ipv4 && pool.contains(*address);
        had.filter(usable)
            .filter(is_own)
            .or_else(|| wanted.filter(usable).filter(is_own))
            .or_else(|| self.untouched(pool, ipv4))
            .or_else(|| self.longest_free(pool, ipv4))
    }

    /// The first address of the pool that nobody had.
    fn untouched(&self, pool: &Pool, ipv4: bool) -> Option<IpAddr> {
        pool.ranges.iter().filter(|range| range.first().is_ipv4() == ipv4).find_map(|range| {
            let mut candidate = range.first();
            for (taken, _) in self.all.range(range.first()..=range.last()) {
                if *taken != candidate {
                    break;
                }
                candidate = range.after(candidate)?;
            }
            Some(candidate)
        })
    }

    fn longest_free(&self, pool: &Pool, ipv4: bool) -> Option<IpAddr> {
        let ranges = pool.ranges.iter().filter(|range| range.first().is_ipv4() == ipv4);
        let leases = ranges.flat_map(|range| self.all.range(range.first()..=range.last()));
        let free = leases.filter(|(_, lease)| lease.holders == 0);
        free.min_by_key(|(_, lease)| lease.released).map(|(address, _)| *address)
    }

    /// One more SA of the owner at `peer` holds the address.
    pub fn hold(&mut self, address: IpAddr, owner: &Owner, peer: HostAddress) {
        let ipv4 = address.is_ipv4();
        match self.all.get_mut(&address) {
            Some(lease) => {
                self.free -= usize::from(lease.holders == 0);
                lease.holders += 1;
                lease.peer = peer;
                if lease.owner != *owner {
                    let before = core::mem::replace(&mut lease.owner, owner.clone());
                    self.forget_owner(before, address);
                }
            }
            None => {
                self.all.insert(address, Lease { owner: owner.clone(), peer, holders: 1, released: Time::ZERO });
            }
        }
        self.of_owner.insert((owner.clone(), ipv4), address);
    }

    /// One SA less holds the address.
    pub fn release(&mut self, address: IpAddr, now: Time) {
        let Some(lease) = self.all.get_mut(&address).filter(|lease| lease.holders > 0) else { return };
        lease.holders -= 1;
        if lease.holders > 0 {
            return;
        }
        lease.released = now;
        self.free += 1;
        if self.free > REMEMBERED {
            let free = self.all.iter().filter(|(_, lease)| lease.holders == 0);
            let Some(oldest) = free.min_by_key(|(_, lease)| lease.released).map(|(address, _)| *address) else {
                return;
            };
            if let Some(lease) = self.all.remove(&oldest) {
                self.free -= 1;
                self.forget_owner(lease.owner, oldest);
            }
        }
    }

    fn forget_owner(&mut self, owner: Owner, address: IpAddr) {
        let key = (owner, address.is_ipv4());
        if self.of_owner.get(&key) == Some(&address) {
            self.of_owner.remove(&key);
        }
    }

    /// Addresses that are held at the moment.
    pub fn held(&self) -> usize {
        self.all.len() - self.free
    }
}

#[cfg(test)]
mod tests;
