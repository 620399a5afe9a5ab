//! The SAs of the data path: keys, numbers, limits and counters of one pair.
use super::ah::Ah;
use super::esp::{Sequence, Transform};
use super::replay::ReplayWindow;
use ikecore::ids::Spi;
use ikecore::policy::selector::Selector;
use ikecore::proposal::suite::{IpsecSuite, Lifetime, Mode, Protocols};
use ikecore::sa::driver::{SaName, SaSpec, UdpEncapsulation};
use ikecore::time::Time;
use ikecore::wire::codes::ProtocolId;
use std::net::IpAddr;

/// The last sequence number, and the last extended one.
const LAST: u64 = 0xffff_ffff;
const LAST_EXTENDED: u64 = u64::MAX;

/// How far an SA's life went.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Age {
    /// No limit reached, or none that was not reached before.
    Same,
    /// Time for a new one.
    Soft,
    /// It has ended.
    Hard,
}

/// What protects: the protocol that the SA is named by.
#[derive(Debug)]
pub(super) enum Main {
    /// ESP.
    Esp(Transform),
    /// AH.
    Ah(Ah),
}

/// What both directions have.
#[derive(Debug)]
pub(super) struct Sa {
    /// Its name; the destination moves with [`Self::destination`].
    pub(super) name: SaName,
    /// What is applied.
    pub(super) protocols: Protocols,
    /// The mode.
    pub(super) mode: Mode,
    /// The outer source.
    pub(super) source: IpAddr,
    /// Which traffic.
    pub(super) selector: Selector,
    /// ESP in UDP.
    pub(super) encapsulation: Option<UdpEncapsulation>,
    /// Ties it to policies.
    pub(super) reqid: u32,
    /// Sequence numbers have 64 bits.
    pub(super) extended: bool,
    /// The keys.
    pub(super) main: Main,
    /// AH around ESP.
    pub(super) outer: Option<(Spi, Ah)>,
    /// IPComp inside.
    pub(super) cpi: Option<Spi>,
    /// Octets of packets before protection.
    pub(super) octets: u64,
    /// Packets.
    pub(super) packets: u64,
    /// Set for ever when the hard limit is reached.
    pub(super) ended: bool,
    soft_told: bool,
    soft: Lifetime,
    hard: Lifetime,
    born: Time,
}

impl Sa {
    /// Prepares an SA; the error says what does not fit.
    pub(super) fn new(spec: &SaSpec, now: Time) -> Result<Self, String> {
        let main = match spec.suite {
            IpsecSuite::Esp { .. } => {
                Main::Esp(Transform::new(spec.suite, spec.encryption_key.expose(), spec.integrity_key.expose())?)
            }
            IpsecSuite::Ah { integrity } => Main::Ah(Ah::new(integrity, spec.integrity_key.expose())?),
        };
        let outer = match &spec.outer {
            Some(outer) => Some((outer.spi, Ah::new(outer.integrity, outer.key.expose())?)),
            None => None,
        };
        if spec.encapsulation.is_some() && spec.protection().protocols().ah {
            return Err("AH does not travel in UDP".to_owned());
        }
        if spec.source.is_ipv4() != spec.destination.is_ipv4() {
            return Err(format!("the addresses {} and {} are of two families", spec.source, spec.destination));
        }
        if spec.selector.local.address().is_ipv4() != spec.selector.remote.address().is_ipv4() {
            return Err(format!("the selector {} has two families", spec.selector));
        }
        Ok(Self {
            name: spec.name(),
            protocols: spec.protection().protocols(),
            mode: spec.mode,
            source: spec.source,
            selector: spec.selector,
            encapsulation: spec.encapsulation,
            reqid: spec.reqid,
            extended: spec.extended_sequence_numbers,
            main,
            outer,
            cpi: spec.cpi,
            octets: 0,
            packets: 0,
            ended: false,
            soft_told: false,
            soft: spec.soft,
            hard: spec.hard,
            born: now,
        })
    }

    /// The names by which its packets come.
    pub(super) fn names(&self) -> impl Iterator<Item = SaName> + use<> {
        let outer = self.outer.as_ref().map(|(spi, _)| SaName { protocol: ProtocolId::AH, spi: *spi, ..self.name });
        core::iter::once(self.name).chain(outer)
    }

    /// Counts one packet.
    pub(super) fn count(&mut self, octets: usize) {
        self.octets = self.octets.saturating_add(u64::try_from(octets).unwrap_or(u64::MAX));
        self.packets = self.packets.saturating_add(1);
    }

    /// The last number of a packet.
    pub(super) const fn last_sequence(&self) -> u64 {
        if self.extended { LAST_EXTENDED } else { LAST }
    }

    /// Looks whether a limit was reached; each is told once.
    pub(super) fn age(&mut self, now: Time, sequence: u64) -> Age {
        let lived = now.since(self.born).as_secs();
        let reached = |limit: Lifetime| {
            (limit.seconds != 0 && lived >= u64::from(limit.seconds))
                || (limit.kilobytes != 0 && self.octets >= u64::from(limit.kilobytes) * 1024)
        };
        if self.ended {
            return Age::Same;
        }
        // RFC 4303 §3.3.3: the sequence number never cycles.
        if reached(self.hard) || sequence == self.last_sequence() {
            self.ended = true;
            return Age::Hard;
        }
        // A new SA is asked for when a sixteenth of the numbers is left.
        if !self.soft_told && (reached(self.soft) || sequence >= self.last_sequence() - self.last_sequence() / 16) {
            self.soft_told = true;
            return Age::Soft;
        }
        Age::Same
    }
}

/// A pair of SAs.
#[derive(Debug)]
pub(super) struct Pair {
    /// For packets that arrive.
    pub(super) inbound: Sa,
    /// For packets that leave, once the pair is whole.
    pub(super) outbound: Option<Sa>,
    /// The number of the last packet that left; 0: none.
    pub(super) sequence: u64,
    /// What arrived.
    pub(super) window: ReplayWindow,
    /// What arrived of AH around ESP.
    pub(super) outer_window: ReplayWindow,
    /// Packets dropped as replays.
    pub(super) replays: u64,
    /// Packets dropped as forged.
    pub(super) integrity_failures: u64,
    /// The mapping last told.
    pub(super) mapping: Option<std::net::SocketAddr>,
    /// The place in the order of installations.
    pub(super) serial: u64,
}

/// The number of a packet that has `received` of it, if the window does not know it. RFC 4303 §3.4.3, RFC 4302 §3.4.3: that is
/// looked at before the check value, and the window is moved after it.
pub(super) fn new_number(window: &ReplayWindow, sa: &Sa, received: u32) -> Option<(u64, Sequence)> {
    let number = if sa.extended { window.infer(received) } else { Some(received.into()) };
    let sequence = number.filter(|number| window.is_new(*number))?;
    Some((sequence, if sa.extended { Sequence::Extended(sequence) } else { Sequence::Short(received) }))
}
