//! The lives of SAs: limits, successors, deletes, and the end of everything.
use super::Endpoint;
use super::asks::Owner;
use super::negotiation::serves;
use super::tables::{IkeSa, Phase};
use super::timers::Timer;
use crate::event::negotiation::{Cause, Role};
use crate::event::{EndpointEvent, EventKind, Failure, IkeSaEvent, IpsecSaEvent};
use crate::exchange::Path;
use crate::exchange::quick::IpsecSa;
use crate::exchange::runner::Exchange;
use crate::ids::{IkeSaId, IpsecSaId, MessageId};
use crate::policy::rule::Rule;
use crate::proposal::suite::Lifetime;
use crate::sa::driver::{Expire, Mapping, SaOp};
use crate::time::Duration;
use std::net::IpAddr;
use std::sync::Arc;

/// How long packets under way may still use an SA that has a successor, seconds: on the side that made the successor,
/// and on the other, which waits for the first one's delete.
const GRACE: (u64, u64) = (5, 60);

impl Endpoint {
    pub(super) fn fire(&mut self, timer: Timer) {
        match timer {
            Timer::MainMode(id) => self.main_mode_timer(id),
            Timer::QuickMode(id, message_id) => self.quick_mode_timer(id, message_id),
            Timer::Forget(id, message_id) => self.forget_quick_mode(id, message_id),
            Timer::IkeSoft(id) => self.rekey_ike_sa(id, Cause::Rekey, false),
            Timer::IkeHard(id) => {
                let lifetime = self.ike_sas.get(&id).and_then(IkeSa::standing).map(|standing| standing.sa.lifetime);
                self.end_ike_sa(id, Failure::LifetimeEnded(lifetime.unwrap_or_default()), true);
            }
            Timer::IkeReplaced(id) => self.end_ike_sa(id, Failure::Replaced, true),
            Timer::IpsecSoft(id) => self.rekey_pair(id, Cause::Rekey),
            Timer::IpsecHard(id) => {
                let lifetime = self.pairs.get(&id).map(|pair| pair.sa.lifetime).unwrap_or_default();
                self.remove_pair(id, Failure::LifetimeEnded(lifetime), true);
            }
            Timer::IpsecReplaced(id) => self.remove_pair(id, Failure::Replaced, true),
        }
    }

    /// When a successor is due: at four fifths to nine tenths of the life, the responder later, so that both do not do
    /// it at once; the exact point is drawn, so that many SAs do not do it at once.
    fn soft_after(&mut self, seconds: u32, role: Role) -> Duration {
        let mut octets = [0; 2];
        let drawn = if self.shared.rng.fill(&mut octets).is_ok() { u16::from_be_bytes(octets) } else { 0 };
        let from = match role {
            Role::Initiator => 80,
            Role::Responder => 90,
        };
        // `drawn` spreads over 8 % of the life.
        let millis = u64::from(seconds) * (from * 10 + u64::from(drawn) * 80 / 65_536);
        Duration::from_millis(millis)
    }

    pub(super) fn schedule_ike_sa(&mut self, id: IkeSaId, lifetime: Lifetime, role: Role) {
        if lifetime.seconds == 0 {
            return;
        }
        let soft = self.soft_after(lifetime.seconds, role);
        let now = self.shared.now;
        self.timers.set(Timer::IkeSoft(id), now + soft);
        self.timers.set(Timer::IkeHard(id), now + Duration::from_secs(lifetime.seconds.into()));
    }

    pub(super) fn schedule_pair(&mut self, sa: &IpsecSa, role: Role) {
        let seconds = sa.lifetime.seconds;
        if seconds == 0 {
            return;
        }
        let soft = self.soft_after(seconds, role);
        let now = self.shared.now;
        self.timers.set(Timer::IpsecSoft(sa.id), now + soft);
        self.timers.set(Timer::IpsecHard(sa.id), now + Duration::from_secs(seconds.into()));
    }

    /// A new pair has taken over.
    pub(super) fn supersede_pair(&mut self, old: IpsecSaId, role: Role) {
        let Some(pair) = self.pairs.get_mut(&old) else { return };
        pair.replaced = true;
        let grace = if role == Role::Initiator { GRACE.0 } else { GRACE.1 };
        self.timers.cancel(Timer::IpsecSoft(old));
        self.timers.set(Timer::IpsecReplaced(old), self.shared.now + Duration::from_secs(grace));
    }

    /// A new ISAKMP SA has taken over from those that served the same rule and peer.
    pub(super) fn retire_older(&mut self, newest: IkeSaId, rule: &Arc<Rule>, path: Path, role: Role) {
        let grace = if role == Role::Initiator { GRACE.0 } else { GRACE.1 };
        let at = self.shared.now + Duration::from_secs(grace);
        for (id, sa) in self.ike_sas.range_mut(..newest) {
            let fits = serves(sa, rule, path);
            if let Some(standing) = sa.standing_mut().filter(|_| fits) {
                standing.retired = true;
                self.timers.cancel(Timer::IkeSoft(*id));
                self.timers.set(Timer::IkeReplaced(*id), at);
            }
        }
    }

    /// Begins a successor of an ISAKMP SA; `always`: also if nothing would use it.
    pub(super) fn rekey_ike_sa(&mut self, id: IkeSaId, cause: Cause, always: bool) {
        let Some(sa) = self.ike_sas.get(&id) else { return };
        let Some(standing) = sa.standing() else { return };
        let peer = sa.path.remote.ip();
        let used = self.pairs.values().any(|pair| pair.sa.path.remote.ip() == peer && !pair.replaced);
        if standing.retired || !(used || always) {
            return;
        }
        let (rule, path) = (Arc::clone(&sa.rule), sa.path);
        self.want_ike_sa(cause, &rule, path);
    }

    /// Begins a successor of a pair.
    pub(super) fn rekey_pair(&mut self, id: IpsecSaId, cause: Cause) {
        let Some(pair) = self.pairs.get_mut(&id) else { return };
        if pair.rekeying || pair.replaced {
            return;
        }
        let (name, path, selector) = (pair.sa.rule.name.clone(), pair.sa.path, pair.sa.selector);
        let Some(rule) = self.shared.policy.rule(&name).map(Arc::clone) else { return };
        pair.rekeying = true;
        self.want_ipsec_sa(cause, &rule, path, selector, Some(id));
    }

    /// The driver says that an SA reached a limit.
    pub(super) fn expire(&mut self, expire: Expire) {
        let Expire { sa, hard } = expire;
        self.tell(EventKind::Endpoint(EndpointEvent::Expire { sa, hard }));
        let pair = self.pairs.values().find(|pair| pair.sa.inbound == sa || pair.sa.outbound == sa);
        let Some((id, lifetime)) = pair.map(|pair| (pair.sa.id, pair.sa.lifetime)) else { return };
        if hard {
            self.remove_pair(id, Failure::LifetimeEnded(lifetime), true);
        } else {
            self.rekey_pair(id, Cause::Rekey);
        }
    }

    /// The driver saw packets of a peer come from elsewhere; their integrity was checked.
    pub(super) fn mapping(&mut self, mapping: Mapping) {
        let pair = self.pairs.values_mut().find(|pair| pair.sa.inbound == mapping.sa);
        let Some(pair) = pair.filter(|pair| pair.sa.encapsulated) else { return };
        pair.sa.path.remote = mapping.remote;
        let (id, local) = (pair.sa.id, pair.sa.path.local);
        self.tell_driver(SaOp::Update { id, local, remote: mapping.remote });
    }

    /// Removes a pair; `tell_peer`: with a delete.
    pub(super) fn remove_pair(&mut self, id: IpsecSaId, reason: Failure, tell_peer: bool) {
        if tell_peer {
            self.tell_peer_pair_deleted(id);
        }
        let Some(pair) = self.pairs.remove(&id) else { return };
        for timer in [Timer::IpsecSoft(id), Timer::IpsecHard(id), Timer::IpsecReplaced(id)] {
            self.timers.cancel(timer);
        }
        self.tell_driver(pair.sa.removal());
        let context = &mut self.shared.trace.context;
        context.ipsec_sa = Some(id);
        context.local = Some(pair.sa.path.local);
        context.remote = Some(pair.sa.path.remote);
        let (inbound, outbound) = (pair.sa.inbound.spi, pair.sa.outbound.spi);
        self.tell(EventKind::IpsecSa(IpsecSaEvent::Ended { inbound, outbound, reason }));
    }

    /// Ends an ISAKMP SA, and the quick modes under way with it; its IPsec SAs live on.
    pub(super) fn end_ike_sa(&mut self, id: IkeSaId, reason: Failure, tell_peer: bool) {
        self.focus(id);
        let Some(sa) = self.ike_sas.get(&id) else { return };
        if matches!(sa.phase, Phase::Negotiating(_)) {
            return self.fail_main_mode(id, reason);
        }
        let open: Vec<(MessageId, Vec<SaOp>)> = sa.standing().map_or_else(Vec::new, |standing| {
            let exchanges = standing.quick_modes.iter();
            exchanges
                .filter_map(|(id, running)| Some((*id, running.exchange.as_ref().map(Exchange::cleanup)?)))
                .collect()
        });
        for (message_id, cleanup) in open {
            let failure = Failure::IkeSaEnded(reason.to_string());
            self.fail_quick_mode(id, message_id, failure, cleanup, false);
        }
        self.focus(id);
        if tell_peer {
            self.tell_peer_ike_deleted(id);
        }
        let Some(sa) = self.ike_sas.get(&id) else { return };
        let (cookies, quick_modes) = (sa.cookies, sa.quick_modes);
        self.remove_ike_sa(id);
        self.tell(EventKind::IkeSa(IkeSaEvent::Ended { cookies, established: true, reason, quick_modes }));
    }

    /// Takes an ISAKMP SA out of all tables.
    pub(super) fn remove_ike_sa(&mut self, id: IkeSaId) {
        let Some(sa) = self.ike_sas.remove(&id) else { return };
        self.by_cookie.retain(|_, of| *of != id);
        self.by_first_message.retain(|_, of| *of != id);
        for timer in [Timer::MainMode(id), Timer::IkeSoft(id), Timer::IkeHard(id), Timer::IkeReplaced(id)] {
            self.timers.cancel(timer);
        }
        if let Some(standing) = sa.standing() {
            for message_id in standing.quick_modes.keys() {
                self.timers.cancel(Timer::Forget(id, *message_id));
                self.timers.cancel(Timer::QuickMode(id, *message_id));
            }
        }
        self.disown(|owner| match owner {
            Owner::MainMode(of, _) | Owner::QuickMode(of, _, _) => *of == id,
            Owner::Nobody => false,
        });
    }

    /// Ends all with a peer, except one ISAKMP SA. Nothing is told: the peer knows nothing of them.
    pub(super) fn forget_peer(&mut self, peer: IpAddr, except: Option<IkeSaId>, reason: &Failure) {
        let pairs: Vec<IpsecSaId> =
            self.pairs.iter().filter(|(_, pair)| pair.sa.path.remote.ip() == peer).map(|(id, _)| *id).collect();
        for id in pairs {
            self.remove_pair(id, reason.clone(), false);
        }
        let sas: Vec<IkeSaId> = self
            .ike_sas
            .iter()
            .filter(|(id, sa)| sa.path.remote.ip() == peer && Some(**id) != except && sa.standing().is_some())
            .map(|(id, _)| *id)
            .collect();
        for id in sas {
            self.end_ike_sa(id, reason.clone(), false);
        }
        if let Some(id) = except {
            self.focus(id);
        }
    }

    /// Ends all with a peer (`None`: with everybody), and tells them.
    pub(super) fn delete_peer(&mut self, peer: Option<IpAddr>, by: &'static str) {
        let concerns = |path: &Path| peer.is_none_or(|peer| path.remote.ip() == peer);
        let pairs: Vec<IpsecSaId> =
            self.pairs.iter().filter(|(_, pair)| concerns(&pair.sa.path)).map(|(id, _)| *id).collect();
        for id in pairs {
            self.remove_pair(id, Failure::Ended(by), true);
        }
        let sas: Vec<IkeSaId> = self.ike_sas.iter().filter(|(_, sa)| concerns(&sa.path)).map(|(id, _)| *id).collect();
        for id in sas {
            self.end_ike_sa(id, Failure::Ended(by), true);
        }
    }

    pub(super) fn shut_down(&mut self) {
        if self.stopping {
            return;
        }
        self.tell(EventKind::Endpoint(EndpointEvent::ShuttingDown));
        self.delete_peer(None, "the end of the service");
        self.tell_driver(SaOp::SetPolicies(Vec::new()));
        self.stopping = true;
    }

    /// A new driver takes the place of the one that was lost; the standing policies are all that it needs to know.
    pub(super) fn replace_driver(&mut self) {
        self.driver_lost = None;
        if !self.stopping {
            let policies = self.shared.policy.traffic_policies();
            self.tell_driver(SaOp::SetPolicies(policies));
        }
    }

    /// Nothing is installed any more, and nothing can be.
    pub(super) fn lose_driver(&mut self, reason: String) {
        self.tell(EventKind::Endpoint(EndpointEvent::DriverLost { reason: reason.clone() }));
        let owners = self.asks.drop_driver();
        self.driver_lost = Some(reason.clone());
        for owner in owners {
            if let Owner::QuickMode(ike_sa, message_id, _) = owner {
                let failure = Failure::DriverLost(reason.clone());
                self.fail_quick_mode(ike_sa, message_id, failure, Vec::new(), true);
            }
        }
        let pairs: Vec<IpsecSaId> = self.pairs.keys().copied().collect();
        for id in pairs {
            self.remove_pair(id, Failure::DriverLost(reason.clone()), true);
        }
    }
}
