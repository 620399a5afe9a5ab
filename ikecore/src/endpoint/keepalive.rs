//! NAT keep-alives (RFC 3948 §2.3, §4): a datagram of one octet, so that a NAT before this host keeps its mapping. The peer
//! does nothing with it. Only the end that is behind a NAT sends them.
use super::Endpoint;
use super::io::{Output, Transmit};
use super::timers::Timer;
use crate::exchange::Path;
use bytes::Bytes;

/// RFC 3948 §2.3: the octet.
const KEEP_ALIVE: Bytes = Bytes::from_static(&[0xff]);

impl Endpoint {
    /// SAs of this host, which is behind a NAT, go this way from now on.
    pub(super) fn keep_alive(&mut self, path: Path) {
        let timer = Timer::KeepAlive(path.local, path.remote);
        let interval = self.config.nat_keep_alive;
        if !interval.is_zero() && path.local.port() == self.config.nat_t_port && !self.timers.is_set(timer) {
            self.timers.set(timer, self.shared.now + interval);
        }
    }

    /// An SA that went one way goes another from now on.
    pub(super) fn keep_other_alive(&mut self, old: Path, new: Path) {
        if self.timers.is_set(Timer::KeepAlive(old.local, old.remote)) {
            self.keep_alive(new);
            self.end_keep_alive(old);
        }
    }

    /// An SA is gone: without another nothing is to be kept alive (RFC 3948 §4).
    pub(super) fn end_keep_alive(&mut self, path: Path) {
        let timer = Timer::KeepAlive(path.local, path.remote);
        if !self.timers.is_set(timer) {
            return;
        }
        let peer = path.peer();
        let of_ike_sas = self.index.ike_sas.of(&peer).filter_map(|id| self.ike_sas.get(&id)).map(|sa| sa.path);
        let of_pairs = self.index.pairs.of(&peer).filter_map(|id| self.pairs.get(&id)).map(|pair| pair.sa.path);
        if !of_ike_sas.chain(of_pairs).any(|used| used == path) {
            self.timers.cancel(timer);
        }
    }

    /// It is time for the next one. That other messages went the same way in between makes no difference: they are few,
    /// and what the driver sends is not known here.
    pub(super) fn keep_alive_timer(&mut self, path: Path) {
        let Path { local, remote } = path;
        self.timers.set(Timer::KeepAlive(local, remote), self.shared.now + self.config.nat_keep_alive);
        self.flush();
        // Without the marker: it is told from IKE and ESP by its length.
        self.outputs.push_back(Output::Transmit(Transmit { local, remote, octets: KEEP_ALIVE, marker: false }));
    }
}
