//! What keeps a flood out of the audit: of failures that are the same the first is told at once, the others are counted, and
//! after each interval one entry says how many there were.
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, Instant, SystemTime};

use super::record::{Kind, Outcome, Record};

/// Failures that are told one by one: of all peers, and of one.
const MOST: usize = 1024;
const MOST_OF_PEER: usize = 16;

/// What makes failures the same: the kind, the peer, and the reason; without a reason whatever is one too many.
type Key = (Kind, Option<IpAddr>, Option<String>);

/// The failures of late.
#[derive(Debug)]
pub(super) struct Repeats {
    interval: Duration,
    entries: BTreeMap<Key, Entry>,
    /// How many of them each peer has.
    peers: BTreeMap<Option<IpAddr>, usize>,
}

#[derive(Debug)]
struct Entry {
    /// When its interval began.
    since: Instant,
    /// What has been counted in it, and not told.
    untold: u64,
    /// When the first of those was.
    first: Option<SystemTime>,
    /// The last.
    last: Record,
}

impl Repeats {
    /// None yet; a summary comes after each interval.
    pub(super) const fn new(interval: Duration) -> Self {
        Self { interval, entries: BTreeMap::new(), peers: BTreeMap::new() }
    }

    /// The entry, if it is to be told now; else it is counted.
    pub(super) fn admit(&mut self, now: Instant, record: Record) -> Option<Record> {
        if record.kind.outcome() == Outcome::Success {
            return Some(record);
        }
        let mut key = (record.kind, record.peer, Some(reason(&record)));
        if let Some(entry) = self.entries.get_mut(&key) {
            entry.count(record);
            return None;
        }
        let is_of_many = self.peers.get(&record.peer).is_some_and(|count| *count >= MOST_OF_PEER);
        if self.entries.len() < MOST && !is_of_many {
            *self.peers.entry(record.peer).or_default() += 1;
            self.entries.insert(key, Entry { since: now, untold: 0, first: None, last: record.clone() });
            return Some(record);
        }
        // Peers that nothing is known of yet share one.
        key = (record.kind, record.peer.filter(|_| is_of_many), None);
        let empty = Entry { since: now, untold: 0, first: None, last: record.clone() };
        self.entries.entry(key).or_insert(empty).count(record);
        None
    }

    /// When there will be a summary, or an end of the counting.
    pub(super) fn next(&self) -> Option<Instant> {
        self.entries.values().map(|entry| entry.since + self.interval).min()
    }

    /// The summaries of the intervals that are over.
    pub(super) fn due(&mut self, now: Instant) -> Vec<Record> {
        let (interval, peers) = (self.interval, &mut self.peers);
        let mut due = Vec::new();
        self.entries.retain(|(_, peer, reason), entry| {
            if now.saturating_duration_since(entry.since) < interval {
                return true;
            }
            if entry.untold > 0 {
                due.push(entry.summary(reason.is_some()));
                entry.since = now;
                return true;
            }
            // It is over: the next one is told at once.
            if reason.is_some()
                && let Some(count) = peers.get_mut(peer)
            {
                *count -= 1;
                if *count == 0 {
                    peers.remove(peer);
                }
            }
            false
        });
        due.sort_by_key(|record| record.first);
        due
    }

    /// All that has been counted and not told.
    pub(super) fn rest(&mut self) -> Vec<Record> {
        let untold = self.entries.iter_mut().filter(|(_, entry)| entry.untold > 0);
        let mut rest: Vec<Record> = untold.map(|((.., reason), entry)| entry.summary(reason.is_some())).collect();
        rest.sort_by_key(|record| record.first);
        rest
    }
}

impl Entry {
    fn count(&mut self, record: Record) {
        self.untold += record.count;
        self.first.get_or_insert(record.at);
        self.last = record;
    }

    fn summary(&mut self, is_one_reason: bool) -> Record {
        let count = std::mem::take(&mut self.untold);
        let first = self.first.take().unwrap_or(self.last.at);
        let message = if is_one_reason {
            format!("{} ({count} more of these)", self.last.message)
        } else {
            format!("{} (the last of {count} more, of many peers or for many reasons)", self.last.message)
        };
        Record { message, count, first: Some(first), ..self.last.clone() }
    }
}

/// Why it failed, without what differs each time, as the peer's port.
fn reason(record: &Record) -> String {
    let reason = record.fields.iter().find(|(name, _)| *name == "failure_reason").and_then(|(_, value)| value.as_str());
    reason.unwrap_or(&record.message).to_owned()
}
