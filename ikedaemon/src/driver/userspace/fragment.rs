//! Fragments (RFC 791 §3.2, RFC 8200 §4.5): raw sockets that are given the header do not make them.
use super::packet::{NewHeader, Packet, set_fragment, set_length};
use std::sync::atomic::{AtomicU16, Ordering};

#[cfg(test)]
mod tests;

/// Octets of an IPv6 fragment header.
const FRAGMENT_HEADER: usize = 8;
/// Identifications of fragmented packets.
static IDENTIFICATION: AtomicU16 = AtomicU16::new(1);

/// The fragments of a packet, each at most `mtu` octets; none if that is less than headers need. The first has IPv4's options,
/// the others do without. An identification that the packet has stays: AH covers it.
pub(super) fn fragments(packet: &Packet<'_>, mtu: usize) -> Vec<Vec<u8>> {
    let ipv4 = packet.source.is_ipv4();
    let own = packet.identification().filter(|own| *own != 0);
    let identification = own.unwrap_or_else(|| IDENTIFICATION.fetch_add(1, Ordering::Relaxed).max(1));
    let headers = if ipv4 { packet.header } else { packet.header + FRAGMENT_HEADER };
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
        if ipv4 {
            let mut part = match index {
                0 => [packet.headers(), piece].concat(),
                _ => header.packet(piece)?,
            };
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
