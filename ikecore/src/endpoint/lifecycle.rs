//! The lives of SAs: limits, successors, deletes, and the end of everything.
use super::Endpoint;
use super::asks::Owner;
use super::negotiation::serves;
use super::tables::{IkeSa, Pair, Phase, Standing};
use super::timers::Timer;
use crate::address::HostAddress;
use crate::event::negotiation::{Cause, Role};
use crate::event::{EndpointEvent, EventKind, Failure, IkeSaEvent, IpsecSaEvent};
use crate::exchange::Path;
use crate::exchange::quick::IpsecSa;
use crate::exchange::runner::Exchange;
use crate::ids::{IkeSaId, IpsecSaId, MessageId, NegotiationId};
use crate::policy::rule::Rule;
use crate::proposal::suite::Lifetime;
use crate::sa::driver::{Expire, Mapping, SaOp};
use crate::time::{Duration, Time};
use std::sync::Arc;

/// How long packets under way may still use an SA that has a successor, seconds: on the side that made the successor,
/// and on the other, which waits for the first one's delete.
const GRACE: (u64, u64) = (5, 60);

/// Packets that were under way when the peer was told that an SA is gone come within this.
const LINGER: Duration = Duration::from_secs(1);

/// Of two SAs that the two ends began at once, the peer may end one within the first of these times; if both still stand at
/// a time drawn between the two, they get a successor. Seconds. strongSwan ends its ISAKMP SA after 10.
const CROSSED: (u64, u64) = (12, 22);

/// A successor that could not be negotiated is tried again after this, seconds; after that twice the interval, and so on
/// to the longest.
const RETRY: (u64, u64) = (5, 300);

pub(super) fn retry_after(attempts: u32) -> Duration {
    let factor = 1_u64.checked_shl(attempts.saturating_sub(1)).unwrap_or(u64::MAX);
    Duration::from_secs(RETRY.0.saturating_mul(factor).min(RETRY.1))
}

impl Endpoint {
    pub(super) fn fire(&mut self, timer: Timer) {
        match timer {
            Timer::MainMode(id) => self.main_mode_timer(id),
            Timer::QuickMode(id, message_id) => self.quick_mode_timer(id, message_id),
            Timer::SwitchOver(id, message_id) => self.switch_over(id, message_id),
            Timer::TellAgain(id, message_id) => self.tell_again(id, message_id),
            Timer::Forget(id, message_id) => self.forget_quick_mode(id, message_id),
            Timer::Transaction(id, message_id) => self.transaction_timer(id, message_id),
            Timer::ForgetTransaction(id, message_id) => self.forget_transaction(id, message_id),
            Timer::Preparation(id) => self.preparation_timer(id),
            Timer::Turn(id) => self.next_turn(id),
            Timer::IkeSoft(id) => self.rekey_ike_sa(id, Cause::Rekey, false),
            Timer::IkeHard(id) => {
                let lifetime = self.ike_sas.get(&id).and_then(IkeSa::standing).map(|standing| standing.sa.lifetime);
                self.end_ike_sa(id, Failure::LifetimeEnded(lifetime.unwrap_or_default()), true);
            }
            Timer::ForgetRefused(first) => {
                self.refused.remove(&first);
            }
            Timer::IkeReplaced(id) => self.end_replaced_ike_sa(id),
            Timer::IkeCrossed(id) => self.end_crossing_of_ike_sas(id),
            Timer::IpsecSoft(id) => self.rekey_pair(id, Cause::Rekey),
            Timer::IpsecHard(id) => {
                let lifetime = self.pairs.get(&id).map(|pair| pair.sa.lifetime).unwrap_or_default();
                self.remove_pair(id, Failure::LifetimeEnded(lifetime), true);
            }
            Timer::IpsecReplaced(id) => self.end_replaced_pair(id),
            Timer::IpsecCrossed(id) => self.end_crossing_of_pairs(id),
            Timer::DeadPeer(id) => self.dead_peer_timer(id),
            Timer::Restart(id) => self.restart_timer(id),
            Timer::Delete(cookies, message_id) => self.delete_timer((cookies, message_id)),
            Timer::ForgetAcknowledged(cookies, message_id) => self.forget_acknowledged((cookies, message_id)),
            Timer::Idle(id) => self.idle_timer(id),
            Timer::Fallback(id) => self.fall_back(id),
            Timer::SoftSa(id) => self.soft_sa_timer(id),
            Timer::Fragments => self.fragments_timer(),
            Timer::KeepAlive(local, remote) => self.keep_alive_timer(Path { local, remote }),
        }
    }

    /// When a successor is due: at four fifths to nine tenths of the life, the responder later, so that both do not do
    /// it at once; the exact point is drawn, so that many SAs do not do it at once.
    fn soft_after(&mut self, seconds: u32, role: Role) -> Duration {
        let from = match role {
            Role::Initiator => 80,
            Role::Responder => 90,
        };
        let percent = Duration::from_millis(u64::from(seconds) * 10);
        percent * from + self.drawn(percent * 8)
    }

    /// A time below `limit`, drawn at random.
    fn drawn(&mut self, limit: Duration) -> Duration {
        let mut octets = [0; 2];
        let drawn = if self.shared.rng.fill(&mut octets).is_ok() { u16::from_be_bytes(octets) } else { 0 };
        limit * u32::from(drawn) / 65_536
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

    /// A pair with a successor ends. The peer may send with it until it hears so: what is under way then is still taken.
    /// This host no longer does, as the peer no longer takes it.
    fn end_replaced_pair(&mut self, id: IpsecSaId) {
        let Some(pair) = self.pairs.get_mut(&id) else { return };
        if !core::mem::replace(&mut pair.told, true) {
            self.timers.set(Timer::IpsecReplaced(id), self.shared.now + LINGER);
            self.tell_driver(SaOp::DeleteOutbound(id));
            return self.tell_peers_deleted(&[id]);
        }
        let Some(pair) = self.pairs.get(&id) else { return };
        if let Some(ike_sa) = self.ike_sa_with(pair.sa.path, &pair.identity, pair.user.as_deref()) {
            self.focus(ike_sa);
        }
        self.remove_pair(id, Failure::Replaced, false);
    }

    /// A new pair takes over from others for the same traffic, whether or not a quick mode said so; the newest of them.
    ///
    /// Of two that both ends began at once the peer may count either as replaced, as it saw them end, and send nothing with
    /// that one any more: so both stay, and a successor of both, begun later, takes over. Where one end began both, and the end
    /// of the first quick mode was late, the second is the newer pair.
    pub(super) fn supersede_twins(&mut self, newest: IpsecSaId) -> Option<IpsecSaId> {
        let Pair { role, began, .. } = *self.pairs.get(&newest)?;
        let twins = self.twins(newest);
        let is_newer = |twin: &Pair| twin.role == role && twin.began > began;
        if twins.iter().filter_map(|id| self.pairs.get(id)).any(is_newer) {
            self.supersede_pair(newest, role);
            return None;
        }
        let mut replaced = None;
        for id in twins {
            let Some(twin) = self.pairs.get(&id) else { continue };
            if twin.role != role && began <= twin.since {
                let own = if role == Role::Initiator { newest } else { id };
                let wait = self.until_crossed_end();
                self.timers.set(Timer::IpsecCrossed(own), self.shared.now + wait);
            } else {
                self.supersede_pair(id, role);
                replaced = replaced.or(Some(id));
            }
        }
        replaced
    }

    /// The other pairs with the same peer for the same traffic that have no successor, the newest first.
    fn twins(&self, id: IpsecSaId) -> Vec<IpsecSaId> {
        let Some(of) = self.pairs.get(&id) else { return Vec::new() };
        let pairs = self.index.traffic.of(&of.sa.selector).rev().filter_map(|id| self.pairs.get(&id));
        let twins = pairs.filter(|twin| {
            twin.sa.id != id
                && !twin.replaced
                && twin.sa.rule.name == of.sa.rule.name
                && twin.identity == of.identity
                && twin.user == of.user
                && twin.sa.path.peer() == of.sa.path.peer()
        });
        twins.map(|twin| twin.sa.id).collect()
    }

    /// Both this pair, begun here, and one that the peer began at the same time may still stand.
    fn end_crossing_of_pairs(&mut self, own: IpsecSaId) {
        if !self.twins(own).is_empty() {
            self.rekey_pair(own, Cause::Rekey);
        }
    }

    /// How long both of what the two ends began at once may stand: drawn, so that the two do not end it at once.
    fn until_crossed_end(&mut self) -> Duration {
        Duration::from_secs(CROSSED.0) + self.drawn(Duration::from_secs(CROSSED.1 - CROSSED.0))
    }

    /// A new ISAKMP SA has taken over from those that served the same rule and peer. Where both ends began one at once, both
    /// stay for now: for some peers, as strongSwan, the end of an ISAKMP SA is that of the IPsec SAs which they count as its
    /// own, and they do not tell which of the two that is. Such a peer ends the other one itself, or leaves both; then a
    /// successor of both, begun at a time that is drawn so that the other end does not do the same, takes over all.
    pub(super) fn retire_older(&mut self, newest: IkeSaId, rule: &Arc<Rule>, path: Path, role: Role) {
        let peers: Vec<IkeSaId> = self.index.ike_sas.of(&path.peer()).filter(|id| *id != newest).collect();
        for id in peers {
            let Some(new) = self.ike_sas.get(&newest) else { return };
            let same_peer = |old: &&Standing| {
                // Behind one NAT may be several.
                new.standing().is_some_and(|new| new.is_with_peer_of(old))
            };
            // With the same CKY-I it comes from another copy of the same message 1, and the peer knows only one of them.
            let other = |old: &&IkeSa| serves(old, rule, path) && old.cookies.initiator != new.cookies.initiator;
            let Some(old) = self.ike_sas.get(&id).filter(other) else { continue };
            let Some(standing) = old.standing().filter(same_peer) else { continue };
            // Begun when the other one already stood, it is meant to be its successor.
            if old.role == role || new.began > standing.since {
                self.retire_ike_sa(id, role);
                continue;
            }
            let (own, other) = if role == Role::Initiator { (newest, id) } else { (id, newest) };
            if let Some(standing) = self.ike_sas.get_mut(&other).and_then(IkeSa::standing_mut) {
                standing.crosses = Some(own);
            }
            let wait = self.until_crossed_end();
            self.timers.set(Timer::IkeCrossed(own), self.shared.now + wait);
        }
    }

    /// Both this ISAKMP SA, begun here, and one that the peer began at the same time may still stand.
    fn end_crossing_of_ike_sas(&mut self, own: IkeSaId) {
        let crosses = |sa: &IkeSa| sa.standing().is_some_and(|other| other.crosses == Some(own) && !other.retired);
        let Some(peer) = self.ike_sas.get(&own).map(|sa| sa.path.peer()) else { return };
        if self.index.ike_sas.of(&peer).any(|id| self.ike_sas.get(&id).is_some_and(crosses)) {
            self.rekey_ike_sa(own, Cause::Rekey, true);
        }
    }

    pub(super) fn retire_ike_sa(&mut self, id: IkeSaId, role: Role) {
        let grace = if role == Role::Initiator { GRACE.0 } else { GRACE.1 };
        if let Some(standing) = self.ike_sas.get_mut(&id).and_then(IkeSa::standing_mut) {
            standing.retired = true;
            self.timers.cancel(Timer::IkeSoft(id));
            self.timers.set(Timer::IkeReplaced(id), self.shared.now + Duration::from_secs(grace));
        }
    }

    /// An ISAKMP SA with a successor ends, once the quick modes under way with it have ended.
    fn end_replaced_ike_sa(&mut self, id: IkeSaId) {
        let standing = self.ike_sas.get(&id).and_then(IkeSa::standing);
        let busy = standing.is_some_and(|standing| standing.quick_modes.values().any(|one| one.exchange.is_some()));
        if busy {
            self.timers.set(Timer::IkeReplaced(id), self.shared.now + Duration::from_secs(GRACE.0));
        } else {
            self.end_ike_sa(id, Failure::Replaced, true);
        }
    }

    /// Begins a successor of an ISAKMP SA; `always`: also if nothing would use it.
    pub(super) fn rekey_ike_sa(&mut self, id: IkeSaId, cause: Cause, always: bool) {
        let Some(sa) = self.ike_sas.get(&id) else { return };
        let Some(standing) = sa.standing() else { return };
        let used = self.index.pairs.count(&sa.path.peer()) > 0;
        // A client of this host renews it itself.
        if standing.retired || !(used || always) || (sa.rule.peer_begins() && !always) {
            return;
        }
        let path = sa.path;
        // The policy allows it as it was negotiated, or it would be gone; the rule's newest version counts.
        let rule = self.shared.policy.rule(&sa.rule.name).map_or_else(|| Arc::clone(&sa.rule), Arc::clone);
        if !self.want_ike_sa(cause, &rule, path, id) && !self.stopping {
            self.timers.set(Timer::IkeSoft(id), self.shared.now + retry_after(1));
        }
    }

    /// A successor of an ISAKMP SA could not be negotiated.
    pub(super) fn retry_rekey_of_ike_sa(&mut self, id: IkeSaId) {
        let Some(standing) = self.ike_sas.get_mut(&id).and_then(IkeSa::standing_mut) else { return };
        if standing.retired {
            return;
        }
        standing.attempts = standing.attempts.saturating_add(1);
        self.timers.set(Timer::IkeSoft(id), self.shared.now + retry_after(standing.attempts));
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
        if !self.want_ipsec_sa(cause, &rule, path, selector, Some(id)) && !self.stopping {
            // Something for the same traffic is under way; if it comes to nothing, this pair still needs a successor.
            if let Some(pair) = self.pairs.get_mut(&id) {
                pair.rekeying = false;
                self.timers.set(Timer::IpsecSoft(id), self.shared.now + retry_after(1));
            }
        }
    }

    /// A successor of a pair could not be negotiated: it lives on to its end, and until then it is tried again.
    pub(super) fn retry_rekey_of_pair(&mut self, id: IpsecSaId) {
        let Some(pair) = self.pairs.get_mut(&id) else { return };
        pair.rekeying = false;
        if pair.replaced {
            return;
        }
        pair.attempts = pair.attempts.saturating_add(1);
        self.timers.set(Timer::IpsecSoft(id), self.shared.now + retry_after(pair.attempts));
    }

    /// The driver says that an SA reached a limit.
    pub(super) fn expire(&mut self, expire: Expire) {
        let Expire { sa, hard } = expire;
        self.tell(EventKind::Endpoint(EndpointEvent::Expire { sa, hard }));
        let pair = self.pair_of(&sa).and_then(|id| self.pairs.get(&id));
        let Some((id, lifetime)) = pair.map(|pair| (pair.sa.id, pair.sa.lifetime)) else { return };
        if hard {
            self.remove_pair(id, Failure::LifetimeEnded(lifetime), true);
        } else {
            self.rekey_pair(id, Cause::Rekey);
        }
    }

    /// The driver saw packets of a peer come from elsewhere; their integrity was checked.
    pub(super) fn mapping(&mut self, mapping: Mapping) {
        let pair = self.index.inbound.get(&mapping.sa).and_then(|id| self.pairs.get(id));
        let Some(pair) = pair.filter(|pair| pair.sa.encapsulated && !pair.told) else { return };
        let (id, before, remote) = (pair.sa.id, pair.sa.path, mapping.remote);
        let local = before.local;
        self.move_pair(id, Path { local, remote });
        // ESP and IKE share the mapping (RFC 3948 §1): what this host has to say goes there too.
        let shares = |id: &IkeSaId| {
            let ike_sa = self.ike_sas.get(id).filter(|ike_sa| ike_sa.path == before);
            ike_sa.and_then(IkeSa::standing).is_some_and(Standing::is_behind_nat)
        };
        for ike_sa in self.index.ike_sas.of(&before.peer()).filter(shares).collect::<Vec<_>>() {
            self.move_ike_sa(ike_sa, Path { local, remote });
        }
        self.tell_driver(SaOp::Update { id, local, remote });
    }

    /// Removes a pair; `tell_peer`: with a delete.
    pub(super) fn remove_pair(&mut self, id: IpsecSaId, reason: Failure, tell_peer: bool) {
        if tell_peer {
            self.tell_peers_deleted(&[id]);
        }
        let Some(pair) = self.take_pair(id) else { return };
        let all = [Timer::IpsecSoft(id), Timer::IpsecHard(id), Timer::IpsecReplaced(id), Timer::IpsecCrossed(id)];
        for timer in all.into_iter().chain([Timer::Idle(id)]) {
            self.timers.cancel(timer);
        }
        self.tell_driver(pair.sa.removal());
        let context = &mut self.shared.trace.context;
        context.ipsec_sa = Some(id);
        context.local = Some(pair.sa.path.local);
        context.remote = Some(pair.sa.path.remote);
        let (inbound, outbound) = (pair.sa.inbound.spi, pair.sa.outbound.spi);
        let (selector, rule) = (pair.sa.selector, pair.sa.rule.name.clone());
        self.tell(EventKind::IpsecSa(IpsecSaEvent::Ended { inbound, outbound, reason, selector, rule }));
        self.return_addresses();
        self.hasten_successor(pair.sa.path.peer(), &pair.sa.selector);
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
        let waiting = self.take_waiting(id);
        for (message_id, cleanup) in open {
            let failure = Failure::IkeSaEnded(reason.to_string());
            self.fail_quick_mode(id, message_id, failure, cleanup, false);
        }
        self.focus(id);
        if tell_peer {
            self.tell_peer_ike_deleted(id);
        }
        let Some(sa) = self.ike_sas.get_mut(&id) else { return };
        let (cookies, quick_modes, negotiation) = (sa.cookies, sa.quick_modes, sa.negotiation);
        let identity = sa.standing().map(|standing| standing.sa.peer.identity().clone());
        let rule = sa.rule.name.clone();
        let preparation = sa.standing_mut().and_then(|standing| standing.preparation.take());
        self.remove_ike_sa(id);
        self.tell(EventKind::IkeSa(IkeSaEvent::Ended {
            cookies,
            established: true,
            reason: reason.clone(),
            quick_modes,
            identity,
            rule,
        }));
        self.hand_on(waiting, &reason);
        if let Some(preparation) = preparation {
            self.fail_negotiation(negotiation, reason.clone());
            for negotiation in preparation.waiting {
                self.fail_negotiation(negotiation, reason.clone());
            }
        }
        self.return_addresses();
    }

    /// Takes an ISAKMP SA out of all tables.
    pub(super) fn remove_ike_sa(&mut self, id: IkeSaId) {
        let Some(sa) = self.take_ike_sa(id) else { return };
        let all = [Timer::IkeSoft(id), Timer::IkeHard(id), Timer::IkeReplaced(id), Timer::IkeCrossed(id)];
        let more = [Timer::DeadPeer(id), Timer::MainMode(id), Timer::Preparation(id), Timer::Turn(id)];
        for timer in all.into_iter().chain(more) {
            self.timers.cancel(timer);
        }
        if let Some(standing) = sa.standing() {
            for message_id in standing.quick_modes.keys() {
                for timer in [Timer::QuickMode, Timer::SwitchOver, Timer::TellAgain, Timer::Forget] {
                    self.timers.cancel(timer(id, *message_id));
                }
            }
            for message_id in standing.transactions.keys() {
                self.timers.cancel(Timer::ForgetTransaction(id, *message_id));
                self.timers.cancel(Timer::Transaction(id, *message_id));
            }
        }
        self.disown_main_mode(id);
        self.disown(Owner::QuickMode(id, MessageId(0), 0), Owner::QuickMode(id, MessageId(u32::MAX), u32::MAX));
        self.disown(Owner::Transaction(id, MessageId(0), 0), Owner::Transaction(id, MessageId(u32::MAX), u32::MAX));
        self.disown(Owner::Address(id), Owner::Address(id));
    }

    /// The peer has restarted: ends what stood with it before it began the main mode `except`. Nothing is told: the peer
    /// knows nothing of it. Another peer behind the same NAT has another identity.
    pub(super) fn forget_peer(&mut self, except: IkeSaId, began: Time) {
        let Some(sa) = self.ike_sas.get(&except) else { return };
        let peer = sa.path.peer();
        let Some(standing) = sa.standing() else { return };
        let (identity, user) = (standing.sa.peer.identity().clone(), standing.user.clone());
        let pairs: Vec<IpsecSaId> = self.index.pairs.of(&peer).collect();
        for id in pairs {
            let is_of_peer = |pair: &Pair| pair.identity == identity && pair.user == user && pair.since < began;
            if self.pairs.get(&id).is_some_and(is_of_peer) {
                self.remove_pair(id, Failure::InitialContact, false);
            }
        }
        let sas: Vec<IkeSaId> = self.index.ike_sas.of(&peer).filter(|id| *id != except).collect();
        for id in sas {
            let standing = self.ike_sas.get(&id).and_then(IkeSa::standing);
            let is_of_peer = |old: &Standing| *old.sa.peer.identity() == identity && old.user == user;
            if standing.is_some_and(|old| is_of_peer(old) && old.since < began) {
                self.end_ike_sa(id, Failure::InitialContact, false);
            }
        }
        self.focus(except);
    }

    /// Ends all with a peer (`None`: with everybody), and tells them.
    pub(super) fn delete_peer(&mut self, peer: Option<HostAddress>, by: &'static str) {
        self.give_restarts_up(peer);
        self.end_soft_sas(peer, &Failure::Ended(by));
        let concerns = |path: &Path| peer.is_none_or(|peer| path.peer() == peer);
        let pairs: Vec<IpsecSaId> =
            self.pairs.iter().filter(|(_, pair)| concerns(&pair.sa.path)).map(|(id, _)| *id).collect();
        self.tell_peers_deleted(&pairs);
        for id in pairs {
            self.remove_pair(id, Failure::Ended(by), false);
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
        for first in core::mem::take(&mut self.refused).into_keys() {
            self.timers.cancel(Timer::ForgetRefused(first));
        }
        self.tell_driver(SaOp::SetPolicies(Vec::new()));
        self.stopping = true;
        self.give_deletes_up();
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
        for owner in self.asks.drop_driver() {
            if let Owner::Look(id, _) = owner {
                self.give_look_up(id);
            }
        }
        self.driver_lost = Some(reason.clone());
        // All of them need it, also those that wait for their peer at the moment.
        let sas = self.ike_sas.iter().filter_map(|(id, sa)| Some((*id, sa.standing()?)));
        let running = sas.flat_map(|(id, standing)| {
            let open = standing.quick_modes.iter().filter(|(_, running)| running.exchange.is_some());
            open.map(move |(message_id, _)| (id, *message_id))
        });
        for (ike_sa, message_id) in running.collect::<Vec<_>>() {
            self.fail_quick_mode(ike_sa, message_id, Failure::DriverLost(reason.clone()), Vec::new(), true);
        }
        let wanted: Vec<NegotiationId> = self.index.wanted.values().copied().collect();
        for id in wanted {
            self.fail_negotiation(id, Failure::DriverLost(reason.clone()));
        }
        self.end_soft_sas(None, &Failure::DriverLost(reason.clone()));
        let pairs: Vec<IpsecSaId> = self.pairs.keys().copied().collect();
        self.tell_peers_deleted(&pairs);
        for id in pairs {
            self.remove_pair(id, Failure::DriverLost(reason.clone()), false);
        }
    }
}
