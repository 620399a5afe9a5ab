//! Fragments of IPv4 packets (RFC 791 §3.2): raw sockets that are given the header do not make them.
use super::packet::{IPV4_HEADER, NewHeader, Packet, set_fragment};
use std::sync::atomic::{AtomicU16, Ordering};

#[cfg(test)]
mod tests;

/// Identifications of fragmented packets.
static IDENTIFICATION: AtomicU16 = AtomicU16::new(1);

/// The fragments of a packet of IPv4, each at most `mtu` octets. Options are not copied.
pub(super) fn fragments(packet: &Packet<'_>, mtu: usize) -> Vec<Vec<u8>> {
    let identification = IDENTIFICATION.fetch_add(1, Ordering::Relaxed).max(1);
    let room = mtu.saturating_sub(IPV4_HEADER) / 8 * 8;
    if room == 0 {
        return Vec::new();
    }
    let header = NewHeader {
        source: packet.source,
        destination: packet.destination,
        traffic_class: packet.traffic_class,
        hop_limit: packet.hop_limit,
        dont_fragment: false,
        protocol: packet.protocol,
    };
    let payload = packet.payload();
    let pieces = payload.chunks(room).enumerate();
    let parts = pieces.filter_map(|(index, piece)| {
        let mut part = header.packet(piece)?;
        let more = (index + 1) * room < payload.len();
        set_fragment(&mut part, identification, index * room, more)?;
        Some(part)
    });
    parts.collect()
}
