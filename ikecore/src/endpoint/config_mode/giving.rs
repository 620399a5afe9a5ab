//! Mode Config of the end that gives addresses.
use super::super::Endpoint;
use super::super::timers::Timer;
use super::{ADDRESS, OVERDUE};
use crate::event::{ConfigEvent, EventKind, Failure, MissingAddress};
use crate::exchange::config_mode::Asked;
use crate::exchange::config_mode::responder::to_push;
use crate::ids::IkeSaId;
use crate::policy::remote_access::ModeConfig;
use std::net::IpAddr;
use std::sync::Arc;

impl Endpoint {
    /// Gives a client its addresses without being asked. If there is none, it is refused some seconds later: many begin anew as
    /// soon as they are, as strongSwan's.
    pub(super) fn give_unasked(&mut self, id: IkeSaId) {
        let now = self.shared.now;
        let Some(sa) = self.ike_sas.get_mut(&id) else { return };
        let (rule, peer) = (Arc::clone(&sa.rule), sa.path.peer());
        let (Some(ModeConfig::Server { pool, .. }), Some(standing)) = (&rule.mode_config, sa.standing_mut()) else {
            return;
        };
        let expiry = standing.expiry(now);
        let (addresses, missing) = to_push(&rule, pool, &standing.owner(), peer, &self.shared.leases);
        if let (true, Some(first)) = (addresses.is_empty(), missing.first()) {
            let failure = Failure::NoAddressForPeer { missing: first.clone(), proposed: None };
            match &mut standing.preparation {
                Some(preparation) if preparation.overdue => return self.end_ike_sa(id, failure, true),
                Some(preparation) => {
                    preparation.overdue = true;
                    preparation.waits_for = ADDRESS;
                    self.timers.set(Timer::Preparation(id), now + OVERDUE);
                }
                None => {}
            }
            return self.give(id, pool.name.clone(), addresses, missing);
        }
        self.give(id, pool.name.clone(), addresses.clone(), missing);
        self.begin_transaction(id, Asked::Take { pool: Arc::clone(pool), addresses, expiry });
    }

    /// A client that may ask for addresses, and was ready, has neither asked nor begun anything else.
    pub(super) fn give_overdue(&mut self, id: IkeSaId) {
        let Some(sa) = self.ike_sas.get(&id) else { return };
        let Some(standing) = sa.standing() else { return };
        // Who had SAs before this ISAKMP SA has its address, too.
        let is_idle = sa.quick_modes == 0 && standing.quick_modes.is_empty();
        let (identity, user) = (standing.sa.peer.identity(), standing.user.as_deref());
        let is_new = self.pairs_with(sa.path.peer(), identity, user).is_empty();
        let untold = standing.leases.is_empty() && standing.missing.is_empty();
        if is_idle && is_new && untold && !standing.retired {
            self.focus(id);
            self.give_unasked(id);
        }
    }

    /// Addresses of a pool are the peer's from now on, and others are not.
    pub(super) fn give(&mut self, id: IkeSaId, pool: String, addresses: Vec<IpAddr>, missing: Vec<MissingAddress>) {
        let Some(sa) = self.ike_sas.get_mut(&id) else { return };
        let peer = sa.path.peer();
        let Some(standing) = sa.standing_mut() else { return };
        let owner = standing.owner();
        let mut new = false;
        for address in &addresses {
            if !standing.leases.contains(address) {
                standing.leases.push(*address);
                self.shared.leases.hold(*address, &owner, peer);
                new = true;
            }
        }
        let is_none = standing.leases.is_empty();
        standing.missing.clone_from(&missing);
        if new {
            self.tell(EventKind::Config(ConfigEvent::AddressesGiven { pool, addresses }));
        }
        for missing in missing {
            // If there is one of a family, that the pool has none of the other is nothing to complain of.
            if is_none || missing.is_exhausted() {
                self.tell(EventKind::Config(ConfigEvent::NoAddress(missing)));
            }
        }
    }

    /// The failure, if a peer that wanted an address got none, and began nothing.
    pub(in crate::endpoint) fn gave_nothing(&self, id: IkeSaId) -> Option<Failure> {
        let sa = self.ike_sas.get(&id).filter(|sa| sa.quick_modes == 0)?;
        let standing = sa.standing().filter(|standing| standing.leases.is_empty())?;
        standing.missing.first().map(|missing| Failure::NoAddressForPeer { missing: missing.clone(), proposed: None })
    }
}
