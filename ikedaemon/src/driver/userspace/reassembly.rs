//! Puts fragments together: transport mode protects whole packets only (RFC 4303 §3.3.4), and the kernel may have
//! fragmented a packet before it came here.
use super::packet::{Fragment, Packet, set_length};
use ikecore::time::Time;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

#[cfg(test)]
mod tests;

/// How long the fragments of a packet are waited for; they come from this host, one right after the other.
const PATIENCE: Duration = Duration::from_secs(2);
/// Packets that are put together at one time.
const MOST_PACKETS: usize = 16;
/// The longest payload.
const LONGEST: usize = 65_535;

type Key = (IpAddr, IpAddr, u8, u32);

/// A packet of which fragments came.
#[derive(Debug)]
struct Partial {
    until: Time,
    /// The headers, once the first fragment came.
    headers: Option<Vec<u8>>,
    /// Payloads by offset.
    pieces: BTreeMap<usize, Vec<u8>>,
    /// Octets of all pieces.
    octets: usize,
    /// Where the payload ends, once the last fragment came.
    end: Option<usize>,
}

/// Packets in parts.
#[derive(Debug, Default)]
pub(super) struct Reassembly {
    partial: BTreeMap<Key, Partial>,
}

impl Reassembly {
    /// Takes a fragment; gives the packet when it is whole.
    pub(super) fn add(&mut self, now: Time, packet: &Packet<'_>) -> Option<Vec<u8>> {
        let Fragment { identification, offset, more } = packet.fragment?;
        let key = (packet.source, packet.destination, packet.protocol, identification);
        if !self.partial.contains_key(&key) && self.partial.len() >= MOST_PACKETS {
            return None;
        }
        let partial = self.partial.entry(key).or_insert_with(|| Partial {
            until: now + PATIENCE,
            headers: None,
            pieces: BTreeMap::new(),
            octets: 0,
            end: None,
        });
        let payload = packet.payload();
        if offset + payload.len() > LONGEST || partial.pieces.contains_key(&offset) {
            return None;
        }
        if offset == 0 {
            partial.headers = Some(packet.whole_headers());
        }
        if !more {
            partial.end = Some(offset + payload.len());
        }
        partial.octets += payload.len();
        partial.pieces.insert(offset, payload.to_vec());
        // Pieces that overlap or leave holes never add up to the end exactly in their order: see below.
        if partial.end != Some(partial.octets) || partial.headers.is_none() {
            return None;
        }
        let partial = self.partial.remove(&key)?;
        let mut whole = partial.headers?;
        let start = whole.len();
        for (offset, piece) in partial.pieces {
            if whole.len() - start != offset {
                return None;
            }
            whole.extend_from_slice(&piece);
        }
        set_length(&mut whole)?;
        Some(whole)
    }

    /// Forgets what stays incomplete.
    pub(super) fn drop_old(&mut self, now: Time) {
        self.partial.retain(|_, partial| partial.until > now);
    }

    /// True if nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.partial.is_empty()
    }
}
