//! Deletes towards Windows, which acknowledges them and wants its own acknowledged: they are repeated until then.
use super::Endpoint;
use super::timers::Timer;
use crate::crypto::hash::Digest;
use crate::event::{EventKind, MessageEvent, Reject};
use crate::exchange::info::acknowledged::{Question, Unacknowledged};
use crate::exchange::message::{Incoming, Outgoing};
use crate::ids::{Cookies, IkeSaId, MessageId};
use crate::time::Duration;
use crate::wire::ExchangeType;

/// Deletes that wait for their acknowledgement, and acknowledgements that are remembered; more are not waited for.
const LIMIT: usize = 1_024;

/// A delete is sent so often at most.
const TRANSMISSIONS: u32 = 7;

/// Seconds from one transmission to the next at most; the first interval is one second, each later one twice the one before.
const LONGEST: u64 = 16;

/// A delete belongs to an ISAKMP SA that may be gone already.
pub(super) type Key = (Cookies, MessageId);

/// A delete of this host, on its way.
pub(super) struct Delete {
    delete: Unacknowledged,
    message: Outgoing,
    sent: u32,
}

/// The acknowledgement of a delete of the peer, which may come again.
pub(super) struct Acknowledged {
    received: Digest,
    reply: Outgoing,
}

impl Endpoint {
    /// A delete for a peer that acknowledges: it is repeated until then.
    pub(super) fn send_until_acknowledged(&mut self, key: Key, message: Outgoing, delete: Unacknowledged) {
        self.send(&message);
        if self.deletes.len() < LIMIT && !self.stopping {
            self.deletes.insert(key, Delete { delete, message, sent: 1 });
            self.timers.set(Timer::Delete(key.0, key.1), self.shared.now + Duration::from_secs(1));
        }
    }

    /// It is time to repeat a delete, or to leave it at that.
    pub(super) fn delete_timer(&mut self, key: Key) {
        let Some(delete) = self.deletes.get_mut(&key) else { return };
        if delete.sent >= TRANSMISSIONS {
            self.deletes.remove(&key);
            return;
        }
        let interval = 1_u64.checked_shl(delete.sent).unwrap_or(u64::MAX).min(LONGEST);
        let count = delete.sent;
        delete.sent += 1;
        let message = delete.message.clone();
        self.timers.set(Timer::Delete(key.0, key.1), self.shared.now + Duration::from_secs(interval));
        self.counters.retransmitted += 1;
        self.tell(EventKind::Message(MessageEvent::Retransmitted { message: message.name, count }));
        self.transmit(&message);
    }

    /// What belongs to a delete, whose ISAKMP SA may be gone; `None`: nothing does.
    pub(super) fn about_delete(&mut self, message: &Incoming<'_>) -> Option<Result<(), Reject>> {
        if message.header.exchange != ExchangeType::INFORMATIONAL || !message.is_encrypted() {
            return None;
        }
        let key = (message.header.cookies(), message.header.message_id);
        if let Some(acknowledged) = self.acknowledged.get(&key).filter(|past| past.received == message.digest()) {
            let reply = acknowledged.reply.clone();
            self.repeat(Some(&reply));
            return Some(Ok(()));
        }
        let delete = self.deletes.get(&key)?;
        let checked = delete.delete.check(message, &mut self.shared.cx());
        if checked.is_ok() {
            self.deletes.remove(&key);
            self.timers.cancel(Timer::Delete(key.0, key.1));
        }
        Some(checked)
    }

    /// An authentic delete of a peer came that waits for its acknowledgement.
    pub(super) fn acknowledge(&mut self, id: IkeSaId, message: &Incoming<'_>, question: &Question) {
        let Some(sa) = self.ike_sas.get(&id) else { return };
        let Some(standing) = sa.standing() else { return };
        let message_id = message.header.message_id;
        let Ok(reply) = question.answer(sa.path, &standing.sa.keys, message_id, self.shared.rng.as_mut()) else {
            return;
        };
        let key = (message.header.cookies(), message_id);
        self.send(&reply);
        if self.acknowledged.len() < LIMIT {
            self.acknowledged.insert(key, Acknowledged { received: message.digest(), reply });
            self.timers.set(Timer::ForgetAcknowledged(key.0, key.1), self.shared.now + self.plan.total());
        }
    }

    pub(super) fn forget_acknowledged(&mut self, key: Key) {
        self.acknowledged.remove(&key);
    }

    /// The service ends: nothing is waited for any more.
    pub(super) fn give_deletes_up(&mut self) {
        for (cookies, message_id) in core::mem::take(&mut self.deletes).into_keys() {
            self.timers.cancel(Timer::Delete(cookies, message_id));
        }
        for (cookies, message_id) in core::mem::take(&mut self.acknowledged).into_keys() {
            self.timers.cancel(Timer::ForgetAcknowledged(cookies, message_id));
        }
    }
}
