//! Several hosts behind one NAT, in transport mode: whose traffic would be another's is refused.
use super::Endpoint;
use super::tables::Goal;
use crate::event::Failure;
use crate::exchange::quick::Plan;
use crate::identity::Identity;
use crate::proposal::suite::Mode;
use std::net::SocketAddr;

impl Endpoint {
    /// The failure, if another host behind the peer's NAT, or the NAT itself, has some of the traffic or negotiates for it
    /// (RFC 3948 §5.2). What this host sends in transport mode names the NAT and a port: of two hosts with the same port
    /// one would get what is for the other, and any port is the same as each. The peer itself may come again from another
    /// port of the NAT.
    pub(super) fn same_ports(&self, plan: &Plan, identity: &Identity, user: Option<&str>) -> Option<Failure> {
        if plan.mode() != Mode::Transport {
            return None;
        }
        let is_other = |at: SocketAddr, of: (&Identity, Option<&str>)| {
            at.port() != plan.path.remote.port() && of != (identity, user)
        };
        let address = plan.path.peer();
        let pairs = self.index.pairs.of(&address).filter_map(|id| self.pairs.get(&id)).filter(|pair| {
            let translated = pair.sa.encapsulated || plan.encapsulation.is_some();
            let other = is_other(pair.sa.path.remote, (&pair.identity, pair.user.as_deref()));
            !pair.replaced && pair.sa.mode == Mode::Transport && translated && other
        });
        let installed = pairs.map(|pair| (pair.sa.selector, &pair.identity, pair.sa.path.remote));
        let ike_sas = self.index.ike_sas.of(&address).filter_map(|id| self.ike_sas.get(&id));
        let standing = ike_sas.filter_map(|sa| Some((sa.path.remote, sa.standing()?))).filter(|(at, standing)| {
            let translated = standing.sa.revision.is_some() || plan.encapsulation.is_some();
            translated && is_other(*at, (standing.sa.peer.identity(), standing.user.as_deref()))
        });
        let under_way = standing.flat_map(|(at, standing)| {
            let negotiations = standing.quick_modes.values().map(|running| &running.negotiation);
            let negotiations = negotiations
                .filter_map(|id| self.negotiations.get(id))
                .filter(|negotiation| negotiation.rule.as_ref().is_some_and(|rule| rule.mode() == Mode::Transport));
            negotiations.filter_map(move |negotiation| match negotiation.goal {
                Goal::IpsecSa { selector, .. } => Some((selector, standing.sa.peer.identity(), at)),
                Goal::IkeSa { .. } => None,
            })
        });
        let (selector, identity, peer) =
            installed.chain(under_way).find(|(selector, ..)| selector.overlaps(&plan.selector))?;
        Some(Failure::SamePorts { selector, identity: identity.clone(), peer })
    }
}
