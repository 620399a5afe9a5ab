//! Dead peer detection (RFC 3706): what one ISAKMP SA knows of its peer's liveliness.
use super::info::Information;
use crate::ids::Cookies;
use crate::rng::{RngError, SecureRandom};
use crate::time::{Duration, Time};
use crate::wire::{NotifyType, ProtocolId};

#[cfg(test)]
mod tests;

/// The state of dead peer detection of an ISAKMP SA.
#[derive(Clone, Debug)]
pub struct Liveliness {
    /// When the peer last proved that it lives.
    heard: Time,
    /// The sequence number of this host's last R-U-THERE.
    sequence: Option<u32>,
    /// That of the peer's last one.
    peer_sequence: Option<u32>,
    probing: Option<Probing>,
}

/// R-U-THEREs that are not answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Probing {
    /// When the first of them was sent.
    pub since: Time,
    /// How many.
    pub sent: u32,
}

impl Liveliness {
    /// The peer has just proved that it lives.
    pub const fn new(now: Time) -> Self {
        Self { heard: now, sequence: None, peer_sequence: None, probing: None }
    }

    /// An authentic message of the peer came, or protected traffic: it lives, whatever was asked.
    pub const fn hear(&mut self, now: Time) {
        self.heard = now;
        self.probing = None;
    }

    /// How long nothing was heard of the peer.
    pub const fn silence(&self, now: Time) -> Duration {
        now.since(self.heard)
    }

    /// What is being asked.
    pub const fn probing(&self) -> Option<Probing> {
        self.probing
    }

    /// Asks, for the first time or again: the sequence number.
    pub fn ask(&mut self, now: Time, rng: &mut dyn SecureRandom) -> Result<u32, RngError> {
        let sequence = match self.sequence {
            // RFC 3706 §6.2: each message increments it by one.
            Some(last) => last.wrapping_add(1),
            None => {
                let mut octets = [0; 4];
                rng.fill(&mut octets)?;
                // RFC 3706 §6.2: at first it is random, with the highest bit zero.
                u32::from_be_bytes(octets) >> 1
            }
        };
        self.sequence = Some(sequence);
        let probing = self.probing.get_or_insert(Probing { since: now, sent: 0 });
        probing.sent = probing.sent.saturating_add(1);
        Ok(sequence)
    }

    /// Whether an R-U-THERE-ACK answers one that waits for it (RFC 3706 §6.1): also one that was asked again since.
    pub fn is_answer(&self, sequence: u32) -> bool {
        self.sequence.zip(self.probing).is_some_and(|(last, probing)| last.wrapping_sub(sequence) < probing.sent)
    }

    /// Whether an R-U-THERE of the peer is to be answered: not if it is older than one that came (RFC 3706 §6.2). One of
    /// the same number is: some repeat themselves in a new message. Numbers may be left out: messages are lost.
    pub const fn admit(&mut self, sequence: u32) -> bool {
        if let Some(last) = self.peer_sequence
            && sequence.wrapping_sub(last) > u32::MAX / 2
        {
            return false;
        }
        self.peer_sequence = Some(sequence);
        true
    }
}

/// An R-U-THERE or R-U-THERE-ACK (RFC 3706 §5.3).
pub fn information(notify: NotifyType, cookies: Cookies, sequence: u32) -> Information {
    Information::Notify {
        protocol: ProtocolId::ISAKMP,
        spi: [cookies.initiator.0, cookies.responder.0].concat(),
        notify,
        data: sequence.to_be_bytes().to_vec(),
    }
}

/// The sequence number of one, if it is about this ISAKMP SA. Some leave the SPI out.
pub fn sequence(spi: &[u8], data: &[u8], cookies: Cookies) -> Option<u32> {
    let named = spi.is_empty() || *spi == [cookies.initiator.0, cookies.responder.0].concat();
    named.then(|| data.try_into().ok().map(u32::from_be_bytes)).flatten()
}
