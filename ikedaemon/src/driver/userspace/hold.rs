//! Packets that wait for their SAs, and how often SAs are asked for.
use ikecore::policy::selector::Flow;
use ikecore::time::Time;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

#[cfg(test)]
mod tests;

/// How long a packet waits: the time of a negotiation between hosts that answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Packets that wait, at most.
const MOST_PACKETS: usize = 64;
/// Packets of one flow, at most.
const MOST_OF_FLOW: usize = 4;
/// Octets of all of them, at most.
const MOST_OCTETS: usize = 128 * 1024;
/// One acquire for each flow and policy in this time.
const PAUSE: Duration = Duration::from_secs(1);
/// Flows whose last acquire is remembered; while they are all recent, no other flow acquires.
const MOST_FLOWS: usize = 1024;

/// A packet that waits.
#[derive(Debug)]
struct Held {
    flow: Flow,
    until: Time,
    packet: Vec<u8>,
}

/// The queue.
#[derive(Debug, Default)]
pub(super) struct Hold {
    packets: VecDeque<Held>,
    octets: usize,
    asked: BTreeMap<(Flow, u32), Time>,
}

impl Hold {
    /// Keeps a packet for which there is no SA, as long as there is room; the first packets of a flow are kept.
    pub(super) fn keep(&mut self, now: Time, flow: Flow, packet: &[u8]) {
        self.drop_old(now);
        let of_flow = self.packets.iter().filter(|held| held.flow == flow).count();
        let room = self.packets.len() < MOST_PACKETS && self.octets + packet.len() <= MOST_OCTETS;
        if room && of_flow < MOST_OF_FLOW {
            self.octets += packet.len();
            self.packets.push_back(Held { flow, until: now + PATIENCE, packet: packet.to_vec() });
        }
    }

    /// True if an SA shall be asked for now.
    pub(super) fn may_ask(&mut self, now: Time, flow: Flow, reqid: u32) -> bool {
        let recent = |asked: &Time| now.since(*asked) < PAUSE;
        if self.asked.get(&(flow, reqid)).is_some_and(recent) {
            return false;
        }
        if self.asked.len() >= MOST_FLOWS {
            self.asked.retain(|_, asked| recent(asked));
        }
        if self.asked.len() >= MOST_FLOWS {
            return false;
        }
        self.asked.insert((flow, reqid), now);
        true
    }

    /// Gives all packets out that did not wait too long.
    pub(super) fn take(&mut self, now: Time) -> Vec<Vec<u8>> {
        self.drop_old(now);
        self.octets = 0;
        std::mem::take(&mut self.packets).into_iter().map(|held| held.packet).collect()
    }

    /// Drops those that waited too long. They are in the order of their arrival.
    pub(super) fn drop_old(&mut self, now: Time) {
        while self.packets.front().is_some_and(|held| held.until <= now) {
            if let Some(held) = self.packets.pop_front() {
                self.octets = self.octets.saturating_sub(held.packet.len());
            }
        }
    }

    /// True if nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.packets.is_empty()
    }
}
