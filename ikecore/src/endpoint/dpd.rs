//! Dead peer detection (RFC 3706): when a peer is asked whether it lives, and what becomes of the SAs with one that does
//! not.
//!
//! A peer is asked when nothing was heard of it for the delay of its rule, and somebody cares: traffic went out since the
//! last look and none came in. The driver is queried for that; an authentic message of the peer is a sign of life too.
use super::Endpoint;
use super::asks::Owner;
use super::lifecycle::retry_after;
use super::policy::allows_traffic;
use super::tables::{IkeSa, Pair};
use super::timers::Timer;
use crate::address::HostAddress;
use crate::event::negotiation::Cause;
use crate::event::{EventKind, Failure, IkeSaEvent, Reject};
use crate::exchange::dpd;
use crate::exchange::message::Incoming;
use crate::exchange::{Path, work::Ask};
use crate::identity::Identity;
use crate::ids::{IkeSaId, IpsecSaId};
use crate::policy::rule::{DeadPeerAction, DeadPeerDetection, Rule};
use crate::policy::selector::Selector;
use crate::sa::driver::{SaOp, Usage};
use crate::time::Duration;
use crate::wire::NotifyType;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The queries under way for one look at the traffic with a peer.
#[derive(Debug, Default)]
pub(super) struct Look {
    asked: BTreeSet<IpsecSaId>,
    /// Traffic went out.
    outbound: bool,
}

/// A pair that was lost with its peer and is to be negotiated anew.
#[derive(Debug)]
pub(super) struct Restart {
    rule: Arc<Rule>,
    path: Path,
    selector: Selector,
    attempts: u32,
}

impl Endpoint {
    /// How the peer of a standing SA is to be watched: as its rule says now. One that did not announce that it answers is
    /// never asked (RFC 3706 §5.1).
    fn watched(&self, id: IkeSaId) -> Option<DeadPeerDetection> {
        let sa = self.ike_sas.get(&id)?;
        sa.standing().filter(|standing| standing.sa.announced.dpd)?;
        self.shared.policy.rule(&sa.rule.name)?.dpd
    }

    /// Begins to watch the peer of a standing SA, or ends it, as the policy says now.
    pub(super) fn watch(&mut self, id: IkeSaId) {
        match self.watched(id) {
            Some(dpd) => self.timers.set(Timer::DeadPeer(id), self.shared.now + dpd.delay()),
            None => self.timers.cancel(Timer::DeadPeer(id)),
        }
    }

    /// The peer has proved that it lives.
    pub(super) fn hear(&mut self, id: IkeSaId) {
        let now = self.shared.now;
        let Some(standing) = self.ike_sas.get_mut(&id).and_then(IkeSa::standing_mut) else { return };
        let was_asked = standing.liveliness.probing().is_some();
        standing.liveliness.hear(now);
        standing.confirmed = true;
        if was_asked {
            self.watch(id);
        }
    }

    /// It is time to look whether a peer lives.
    pub(super) fn dead_peer_timer(&mut self, id: IkeSaId) {
        let Some(dpd) = self.watched(id) else { return };
        let now = self.shared.now;
        let Some(standing) = self.ike_sas.get(&id).and_then(IkeSa::standing) else { return };
        if let Some(probing) = standing.liveliness.probing() {
            if now.since(probing.since) >= dpd.timeout() {
                return self.peer_is_dead(id, dpd.action);
            }
            return self.probe(id, dpd);
        }
        let silence = standing.liveliness.silence(now);
        if silence < dpd.delay() {
            let rest = dpd.delay().saturating_sub(silence);
            return self.timers.set(Timer::DeadPeer(id), now + rest);
        }
        self.timers.set(Timer::DeadPeer(id), now + dpd.delay());
        // Of several SAs with a peer one is enough.
        if !self.speaks_for_peer(id) {
            return;
        }
        if dpd.periodic { self.probe(id, dpd) } else { self.look(id) }
    }

    fn speaks_for_peer(&self, id: IkeSaId) -> bool {
        let Some(sa) = self.ike_sas.get(&id) else { return false };
        let Some(standing) = sa.standing() else { return false };
        self.ike_sa_with(sa.path, standing.sa.peer.identity(), standing.user.as_deref()) == Some(id)
    }

    /// The pairs with the peer of a standing SA.
    fn pairs_of_peer(&self, id: IkeSaId) -> Vec<IpsecSaId> {
        let Some(sa) = self.ike_sas.get(&id) else { return Vec::new() };
        let Some(standing) = sa.standing() else { return Vec::new() };
        self.pairs_with(sa.path.peer(), standing.sa.peer.identity(), standing.user.as_deref())
    }

    pub(super) fn pairs_with(&self, peer: HostAddress, identity: &Identity, user: Option<&str>) -> Vec<IpsecSaId> {
        let of_peer = |pair: &Pair| pair.identity == *identity && pair.user.as_deref() == user;
        let is_peers = |id: &IpsecSaId| self.pairs.get(id).is_some_and(of_peer);
        self.index.pairs.of(&peer).filter(is_peers).collect()
    }

    /// Asks the driver how much traffic there was.
    fn look(&mut self, id: IkeSaId) {
        let pairs = self.pairs_of_peer(id);
        let Some(standing) = self.ike_sas.get_mut(&id).and_then(IkeSa::standing_mut) else { return };
        // A driver that is slower than the delay says nothing about the peer.
        if !standing.look.asked.is_empty() {
            return;
        }
        standing.look = Look { asked: pairs.iter().copied().collect(), outbound: false };
        for pair in pairs {
            self.ask(Owner::Look(id, pair), Ask::Sa(SaOp::Query(pair)));
        }
    }

    /// The driver has answered: `None` if it cannot tell.
    pub(super) fn looked(&mut self, id: IkeSaId, pair: IpsecSaId, usage: Option<Usage>) {
        let before =
            self.pairs.get_mut(&pair).zip(usage).map(|(pair, usage)| core::mem::replace(&mut pair.usage, usage));
        let grown = |count: fn(&Usage) -> u64| before.zip(usage).is_some_and(|(old, new)| count(&new) > count(&old));
        let (inbound, outbound) = (grown(|usage| usage.inbound_packets), grown(|usage| usage.outbound_packets));
        if inbound {
            self.hear(id);
        }
        let now = self.shared.now;
        let Some(standing) = self.ike_sas.get_mut(&id).and_then(IkeSa::standing_mut) else { return };
        standing.look.asked.remove(&pair);
        standing.look.outbound |= outbound;
        if !standing.look.asked.is_empty() {
            return;
        }
        let (worried, silence) = (standing.look.outbound, standing.liveliness.silence(now));
        if let Some(dpd) = self.watched(id).filter(|dpd| worried && silence >= dpd.delay()) {
            self.probe(id, dpd);
        }
    }

    /// The driver that was asked is gone.
    pub(super) fn give_look_up(&mut self, id: IkeSaId) {
        if let Some(standing) = self.ike_sas.get_mut(&id).and_then(IkeSa::standing_mut) {
            standing.look = Look::default();
        }
    }

    /// Asks the peer whether it lives, for the first time or again.
    fn probe(&mut self, id: IkeSaId, dpd: DeadPeerDetection) {
        self.focus(id);
        let now = self.shared.now;
        let Some(sa) = self.ike_sas.get_mut(&id) else { return };
        let cookies = sa.cookies;
        let Some(standing) = sa.standing_mut() else { return };
        let Ok(sequence) = standing.liveliness.ask(now, self.shared.rng.as_mut()) else { return };
        let Some(probing) = standing.liveliness.probing() else { return };
        let until = probing.since + dpd.timeout();
        let next = (now + self.plan.interval(probing.sent)).min(until);
        self.timers.set(Timer::DeadPeer(id), next);
        self.shared.trace.step(|| EventKind::IkeSa(IkeSaEvent::Probing { sequence, count: probing.sent }));
        self.inform(id, &dpd::information(NotifyType::R_U_THERE, cookies, sequence));
    }

    /// An authentic R-U-THERE or R-U-THERE-ACK came.
    pub(super) fn liveliness_notified(
        &mut self,
        id: IkeSaId,
        notify: NotifyType,
        spi: &[u8],
        data: &[u8],
        message: &Incoming<'_>,
    ) -> Result<(), Reject> {
        let Some(sa) = self.ike_sas.get_mut(&id) else { return Ok(()) };
        let cookies = sa.cookies;
        let Some(standing) = sa.standing_mut() else { return Ok(()) };
        // RFC 3706 §6.1: cookies and sequence numbers are checked.
        let sequence = dpd::sequence(spi, data, cookies);
        let Some(sequence) = sequence else { return Err(message.unexpected("a sequence number of this ISAKMP SA")) };
        if notify == NotifyType::R_U_THERE {
            if !standing.liveliness.admit(sequence) {
                return Err(message.unexpected("a later sequence number"));
            }
            // RFC 3706 §5.2: whoever sent the vendor ID MUST answer.
            self.inform(id, &dpd::information(NotifyType::R_U_THERE_ACK, cookies, sequence));
        } else if !standing.liveliness.is_answer(sequence) {
            return Err(message.unexpected("the answer to an R-U-THERE"));
        }
        Ok(())
    }

    /// The peer of an SA does not answer: all SAs with it end, and it is told nothing.
    fn peer_is_dead(&mut self, id: IkeSaId, action: DeadPeerAction) {
        let now = self.shared.now;
        let Some(sa) = self.ike_sas.get(&id) else { return };
        let Some(standing) = sa.standing() else { return };
        let (remote, identity, user) = (sa.path.remote, standing.sa.peer.identity().clone(), standing.user.clone());
        let probing = standing.liveliness.probing();
        let failure = Failure::DeadPeer {
            peer: remote,
            probes: probing.map_or(0, |probing| probing.sent),
            seconds: probing.map_or(0, |probing| now.since(probing.since).as_secs()),
        };
        let pairs = self.pairs_with(remote.into(), &identity, user.as_deref());
        // A peer that begins itself will do so again.
        if action == DeadPeerAction::Restart && !sa.rule.peer_begins() {
            for pair in pairs.iter().filter_map(|pair| self.pairs.get(pair)).filter(|pair| !pair.replaced) {
                let (rule, path, selector) = (Arc::clone(&pair.sa.rule), pair.sa.path, pair.sa.selector);
                self.restarts.insert(pair.sa.id, Restart { rule, path, selector, attempts: 0 });
                self.timers.set(Timer::Restart(pair.sa.id), now);
            }
        }
        for pair in pairs {
            self.remove_pair(pair, failure.clone(), false);
        }
        let is_peers = |id: &IkeSaId| {
            let standing = self.ike_sas.get(id).and_then(IkeSa::standing);
            standing.is_some_and(|standing| *standing.sa.peer.identity() == identity && standing.user == user)
        };
        for sa in self.index.ike_sas.of(&remote.into()).filter(is_peers).collect::<Vec<_>>() {
            self.end_ike_sa(sa, failure.clone(), false);
        }
    }

    /// Negotiates anew what was lost with a dead peer, again and again until it is there or the policy does not want it.
    pub(super) fn restart_timer(&mut self, id: IpsecSaId) {
        let Some(restart) = self.restarts.get_mut(&id) else { return };
        let (then, path, selector) = (Arc::clone(&restart.rule), restart.path, restart.selector);
        restart.attempts = restart.attempts.saturating_add(1);
        let again = retry_after(restart.attempts);
        let rule = self
            .shared
            .policy
            .rule(&then.name)
            .filter(|now| allows_traffic(&self.shared.policy, now, &then, &selector))
            .map(Arc::clone);
        let is_there = self
            .index
            .traffic
            .of(&selector)
            .filter_map(|id| self.pairs.get(&id))
            .any(|pair| pair.sa.rule.name == then.name && pair.sa.path.peer() == path.peer());
        let Some(rule) = rule.filter(|_| !is_there && !self.stopping) else { return self.give_restart_up(id) };
        self.timers.set(Timer::Restart(id), self.shared.now + again);
        self.want_ipsec_sa(Cause::DeadPeer, &rule, path, selector, None);
    }

    fn give_restart_up(&mut self, id: IpsecSaId) {
        self.restarts.remove(&id);
        self.timers.cancel(Timer::Restart(id));
    }

    /// Nothing with this peer (`None`: with anybody) is to be negotiated anew.
    pub(super) fn give_restarts_up(&mut self, peer: Option<HostAddress>) {
        let concerned = |restart: &Restart| peer.is_none_or(|peer| restart.path.peer() == peer);
        let all: Vec<_> = self.restarts.iter().filter(|(_, restart)| concerned(restart)).map(|(id, _)| *id).collect();
        for id in all {
            self.give_restart_up(id);
        }
    }
}

impl DeadPeerDetection {
    const fn delay(&self) -> Duration {
        Duration::from_secs(self.delay as u64)
    }

    const fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout as u64)
    }
}
