//! Pairs of IPsec SAs that carry nothing end before their time, if the policy says so.
use super::Endpoint;
use super::asks::Owner;
use super::timers::Timer;
use crate::event::Failure;
use crate::exchange::work::Ask;
use crate::ids::IpsecSaId;
use crate::sa::driver::{SaOp, Usage};
use crate::time::Duration;

/// A member of a cluster is to be left after this, seconds, so that the cluster may choose another member.
const OF_CLUSTER: u32 = 60;

impl Endpoint {
    /// A pair is to end when it carries nothing for so many seconds; 0: whatever it carries. `cluster`: the peer is a member
    /// of one.
    pub(super) fn watch_traffic(&mut self, id: IpsecSaId, seconds: u32, cluster: bool) {
        let seconds = if cluster { seconds.min(OF_CLUSTER) } else { seconds };
        let Some(pair) = self.pairs.get_mut(&id).filter(|_| seconds > 0) else { return };
        pair.idle = seconds;
        self.timers.set(Timer::Idle(id), self.shared.now + Duration::from_secs(seconds.into()));
    }

    /// It is time to ask the driver.
    pub(super) fn idle_timer(&mut self, id: IpsecSaId) {
        let Some(pair) = self.pairs.get(&id) else { return };
        // Also if the driver does not answer.
        self.timers.set(Timer::Idle(id), self.shared.now + Duration::from_secs(pair.idle.into()));
        self.ask(Owner::Idle(id), Ask::Sa(SaOp::Query(id)));
    }

    /// The driver has answered: a pair whose counters are as they were when last looked at ends.
    pub(super) fn idle_looked(&mut self, id: IpsecSaId, usage: Usage) {
        let Some(pair) = self.pairs.get_mut(&id) else { return };
        let packets = (usage.inbound_packets, usage.outbound_packets);
        if pair.carried != packets {
            pair.carried = packets;
            return;
        }
        let seconds = pair.idle;
        self.remove_pair(id, Failure::Idle { seconds }, true);
    }
}
