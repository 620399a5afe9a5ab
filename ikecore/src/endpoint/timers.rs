//! Timers: what is due when.
use super::tables::FirstMessage;
use crate::ids::{Cookies, IkeSaId, IpsecSaId, MessageId, NegotiationId};
use crate::time::Time;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

/// What a timer is for; each has one timer at most.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Timer {
    /// Repeat the last message of a main mode, or give up.
    MainMode(IkeSaId),
    /// Repeat the last message of a quick mode, or give up.
    QuickMode(IkeSaId, MessageId),
    /// Let traffic that leaves take the new SA of a quick mode.
    SwitchOver(IkeSaId, MessageId),
    /// Tell the peer once more that the SA of a failed quick mode is gone.
    TellAgain(IkeSaId, MessageId),
    /// Forget a finished quick mode: no duplicates come any more.
    Forget(IkeSaId, MessageId),
    /// Begin the quick modes that waited for their turn.
    Turn(IkeSaId),
    /// Repeat the last message of a transaction, or give up.
    Transaction(IkeSaId, MessageId),
    /// Forget a finished transaction.
    ForgetTransaction(IkeSaId, MessageId),
    /// The peer must have begun by now what comes between phase 1 and quick mode.
    Preparation(IkeSaId),
    /// Forget a first message that was refused.
    ForgetRefused(FirstMessage),
    /// An ISAKMP SA needs a successor.
    IkeSoft(IkeSaId),
    /// An ISAKMP SA ends.
    IkeHard(IkeSaId),
    /// An ISAKMP SA with a successor ends.
    IkeReplaced(IkeSaId),
    /// Look whether there still is one that the peer began at the same time as this host an ISAKMP SA.
    IkeCrossed(IkeSaId),
    /// Look whether the peer of an ISAKMP SA lives.
    DeadPeer(IkeSaId),
    /// A pair of IPsec SAs needs a successor.
    IpsecSoft(IpsecSaId),
    /// A pair of IPsec SAs ends.
    IpsecHard(IpsecSaId),
    /// Look whether there still is one that the peer began at the same time as this host a pair of IPsec SAs.
    IpsecCrossed(IpsecSaId),
    /// A pair of IPsec SAs with a successor ends.
    IpsecReplaced(IpsecSaId),
    /// A NAT before this host is to keep its mapping of this way: from here, to there.
    KeepAlive(SocketAddr, SocketAddr),
    /// Fragments whose message has not become whole go.
    Fragments,
    /// Repeat a delete that is not acknowledged.
    Delete(Cookies, MessageId),
    /// Forget the acknowledgement of a delete: it does not come again any more.
    ForgetAcknowledged(Cookies, MessageId),
    /// Look whether a pair of IPsec SAs carries anything.
    Idle(IpsecSaId),
    /// The peer of a negotiation has been silent for long enough that traffic may pass in clear.
    Fallback(NegotiationId),
    /// A soft SA ends.
    SoftSa(IpsecSaId),
    /// Negotiate anew what was lost with a dead peer.
    Restart(IpsecSaId),
}

/// All timers.
#[derive(Default)]
pub(super) struct Timers {
    due: BTreeMap<Timer, Time>,
    order: BTreeSet<(Time, Timer)>,
}

impl Timers {
    /// Sets a timer, or sets it anew.
    pub(super) fn set(&mut self, timer: Timer, at: Time) {
        self.cancel(timer);
        self.due.insert(timer, at);
        self.order.insert((at, timer));
    }

    /// Takes a timer away, if it is set.
    pub(super) fn cancel(&mut self, timer: Timer) {
        if let Some(at) = self.due.remove(&timer) {
            self.order.remove(&(at, timer));
        }
    }

    /// True if it is set.
    pub(super) fn is_set(&self, timer: Timer) -> bool {
        self.due.contains_key(&timer)
    }

    /// When the next is due.
    pub(super) fn next(&self) -> Option<Time> {
        self.order.first().map(|(at, _)| *at)
    }

    /// How many are set.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.due.len()
    }

    /// Takes the first that is due.
    pub(super) fn pop(&mut self, now: Time) -> Option<Timer> {
        let (at, timer) = *self.order.first()?;
        if at > now {
            return None;
        }
        self.order.remove(&(at, timer));
        self.due.remove(&timer);
        Some(timer)
    }
}
