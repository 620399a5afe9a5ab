//! Fragments (RFC 791 §3.2, RFC 8200 §4.5): raw sockets that are given the header do not make them.
use super::packet::{IPV4_HEADER, NewHeader, Packet, set_fragment, set_length};
use std::sync::atomic::{AtomicU16, Ordering};

#[cfg(test)]
mod tests;

/// Octets of an IPv6 fragment header.
const FRAGMENT_HEADER: usize = 8;
/// Identifications of fragmented packets.
static IDENTIFICATION: AtomicU16 = AtomicU16::new(1);

/// The fragments of a packet, each at most `mtu` octets; none if that is less than headers need. IPv4's options are not
/// copied.
pub(super) fn fragments(packet: &Packet<'_>, mtu: usize) -> Vec<Vec<u8>> {
    let identification = IDENTIFICATION.fetch_add(1, Ordering::Relaxed).max(1);
    let headers = if packet.source.is_ipv4() { IPV4_HEADER } else { packet.header + FRAGMENT_HEADER };
    let room = mtu.saturating_sub(headers) / 8 * 8;
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
        let (offset, more) = (index * room, (index + 1) * room < payload.len());
        if packet.source.is_ipv4() {
            let mut part = header.packet(piece)?;
            set_fragment(&mut part, identification, offset, more)?;
            return Some(part);
        }
        let mut part = packet.headers_with_fragment(identification.into(), offset, more)?;
        part.extend_from_slice(piece);
        set_length(&mut part)?;
        Some(part)
    });
    parts.collect()
}
