//! The daemon under test on host `a` and what is seen of it, whoever the peer on host `b` is.

use std::sync::Mutex;
use std::time::Instant;

use super::PATIENCE;
use crate::capture::{Capture, Kind};
use crate::charon::Mode;
use crate::daemon::{Daemon, Driver};
use crate::netns::{A, World};
use crate::policy_text::Policy;
use crate::process::wait_until;

/// The daemon under test, its host, and the wire to its peer.
pub struct Trial<'a> {
    /// The hosts.
    pub world: &'a World,
    /// The daemon under test, on host `a`.
    pub daemon: Daemon<'a>,
    /// Of the wire between them.
    pub capture: Capture,
    /// The two addresses between which traffic is protected, ours first.
    pub ends: (&'static str, &'static str),
    /// The packets in which protected traffic travels.
    pub protected: Kind,
    /// Since when the peer has protected its side, too.
    settled: Mutex<Option<Instant>>,
}

impl<'a> Trial<'a> {
    /// Starts the capture, then the peer by `start_peer`, then the daemon with `policy` and `settings`, the text of its
    /// settings file.
    pub fn start<P>(
        world: &'a World,
        driver: Driver,
        policy: &Policy,
        settings: &str,
        protected: Kind,
        start_peer: impl FnOnce() -> P,
    ) -> (Self, P) {
        let capture = Capture::start(world);
        let peer = start_peer();
        let daemon = Daemon::start_with_settings(&world.a, driver, &policy.text(), settings);
        let ends = match policy.mode {
            Mode::Tunnel => (policy.own.inside, policy.other.inside),
            Mode::Transport => (policy.own.wire, policy.other.wire),
        };
        (Self { world, daemon, capture, ends, protected, settled: Mutex::new(None) }, peer)
    }

    /// Sends traffic until the daemon has negotiated for it; `peer` is what the peer logged, to be shown if that fails.
    #[track_caller]
    pub fn traffic_negotiates(&self, peer: impl FnOnce() -> String) {
        let (from, to) = self.ends;
        assert!(
            self.world.a.ping_until_answered(from, to, PATIENCE),
            "no ping was answered; the daemon:\n{}\nOakley.log:\n{}\nthe peer:\n{}",
            self.daemon.output(),
            self.daemon.oakley(),
            peer()
        );
    }

    /// From now on the peer protects its side, too.
    pub fn settle(&self) {
        *self.settled.lock().expect("no thread panics with the lock") = Some(Instant::now());
    }

    /// Pings three times: all must be answered, by ESP on the wire and nothing in clear.
    #[track_caller]
    pub fn exchange_traffic(&self) {
        let (from, to) = self.ends;
        let before = self.capture.count(self.protected);
        // As responder of a rekey the daemon installs when it has the third message, which may still be under way.
        assert!(self.world.a.ping_until_answered(from, to, PATIENCE), "{}", self.daemon.oakley());
        assert_eq!(self.world.a.ping(from, to, 3), 3, "pings through ESP:\n{}", self.daemon.oakley());
        assert!(self.capture.wait_count(self.protected, before + 8, PATIENCE), "4 pings and 4 replies protected");
        self.assert_nothing_in_clear();
    }

    /// No ping crossed the wire in clear.
    #[track_caller]
    pub fn assert_nothing_in_clear(&self) {
        let settled = *self.settled.lock().expect("no thread panics with the lock");
        let (on_link, _) = A.on_link.split_once('%').expect("a constant address with its link");
        let clear = self.capture.in_clear(&[A.wire, A.wire6, on_link, A.inside, A.inside6], settled);
        assert!(clear.is_empty(), "pings in clear: {clear:#?}\n{}", self.daemon.oakley());
    }

    /// Waits until the daemon has `count` pairs of IPsec SAs.
    #[track_caller]
    pub fn wait_daemon_ipsec_sas(&self, count: usize) {
        let held = wait_until(PATIENCE, || self.daemon.ipsec_sas() == count);
        assert!(held, "{} pairs, not {count}:\n{}", self.daemon.ipsec_sas(), self.daemon.oakley());
    }

    /// Neither host's kernel has an SA, not even one that is half installed.
    #[track_caller]
    pub fn wait_kernels_empty(&self) {
        for host in [&self.world.a, &self.world.b] {
            let states = || host.run("ip", &["xfrm", "state"]);
            let empty = wait_until(PATIENCE, || states().is_empty());
            assert!(empty, "{}: SAs left in the kernel:\n{}", host.name(), states());
        }
    }

    /// Waits until the daemon has neither an ISAKMP SA nor IPsec SAs.
    #[track_caller]
    pub fn wait_daemon_has_none(&self) {
        let left = || (self.daemon.isakmp_sas(), self.daemon.ipsec_sas());
        let gone = wait_until(PATIENCE, || left() == (0, 0));
        assert!(gone, "ISAKMP SAs and IPsec SAs left: {:?}\n{}", left(), self.daemon.oakley());
    }
}
