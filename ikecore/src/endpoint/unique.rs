//! A second ISAKMP SA of the same identity: a client that came back at another address, or two who claim to be one.
use super::Endpoint;
use super::tables::{IkeSa, Standing};
use crate::address::HostAddress;
use crate::event::Failure;
use crate::ids::IkeSaId;
use crate::policy::rule::Uniqueness;

impl Endpoint {
    /// Does what its rule says about others of the identity that an ISAKMP SA has just proven; the failure with which the
    /// new one is refused. An SA with the same address is its forerunner, and no second one.
    pub(super) fn unite(&mut self, id: IkeSaId) -> Result<(), Failure> {
        let Some(sa) = self.ike_sas.get(&id) else { return Ok(()) };
        let Some(standing) = sa.standing() else { return Ok(()) };
        let (identity, user) = (standing.sa.peer.identity().clone(), standing.user.clone());
        let (rule, peer, uniqueness) = (sa.rule.name.clone(), sa.path.peer(), sa.rule.uniqueness);
        if uniqueness == Uniqueness::Keep {
            return Ok(());
        }
        let is_other = |sa: &IkeSa| {
            let of_peer = |of: &Standing| *of.sa.peer.identity() == identity && of.user == user;
            let same = sa.standing().is_some_and(of_peer);
            same && sa.rule.name == rule && sa.path.peer() != peer
        };
        let others: Vec<(IkeSaId, HostAddress)> =
            self.ike_sas.iter().filter(|(_, sa)| is_other(sa)).map(|(id, sa)| (*id, sa.path.peer())).collect();
        match (uniqueness, others.first()) {
            (Uniqueness::Refuse, Some((_, other))) => {
                return Err(Failure::IdentityInUse { identity, peer: *other });
            }
            (Uniqueness::Replace, _) => {
                for (other, address) in others {
                    let pairs = self.pairs_with(address, &identity, user.as_deref());
                    self.tell_peers_deleted(&pairs);
                    for pair in pairs {
                        self.remove_pair(pair, Failure::Replaced, false);
                    }
                    self.end_ike_sa(other, Failure::Replaced, true);
                }
                self.focus(id);
            }
            (Uniqueness::Keep | Uniqueness::Refuse, _) => {}
        }
        Ok(())
    }
}
