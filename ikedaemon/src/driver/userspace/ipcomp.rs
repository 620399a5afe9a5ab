//! IPComp (RFC 3173) with DEFLATE (RFC 2394): each packet is compressed by itself, and only if that makes it shorter.
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use ikecore::ids::Spi;

#[cfg(test)]
mod tests;

/// Octets of the header: next header, flags, CPI.
const HEADER: usize = 4;
/// Shorter payloads are not worth a try (RFC 2394 §2.3).
const SHORTEST: usize = 90;
/// No packet has more octets, whatever a peer compressed.
const LONGEST: usize = 65_535;

/// The state of both directions. It is used again for each packet, but keeps nothing of one for the next.
pub(super) struct Ipcomp {
    compress: Compress,
    decompress: Decompress,
    room: Vec<u8>,
}

impl Ipcomp {
    /// Without any memory of packets.
    pub(super) fn new() -> Self {
        // The algorithm's bare form, without header and checksum (RFC 2394 §2.1).
        Self {
            compress: Compress::new(Compression::fast(), false),
            decompress: Decompress::new(false),
            room: Vec::with_capacity(LONGEST),
        }
    }

    /// The payload behind an IPComp header; `None` if that would not be shorter (RFC 3173 §2.2): then it goes as it is.
    pub(super) fn compress(&mut self, cpi: Spi, next_header: u8, payload: &[u8]) -> Option<Vec<u8>> {
        if payload.len() < SHORTEST {
            return None;
        }
        self.compress.reset();
        let mut packet = Vec::with_capacity(payload.len() - 1);
        let [.., high, low] = cpi.0.to_be_bytes();
        packet.extend_from_slice(&[next_header, 0, high, low]);
        // It fills the capacity that is left, and is not at its end if it needs more.
        match self.compress.compress_vec(payload, &mut packet, FlushCompress::Finish) {
            Ok(Status::StreamEnd) if packet.len() < payload.len() => Some(packet),
            _ => None,
        }
    }

    /// Next header and payload of a packet from its IPComp header on, if it is one of `cpi`.
    pub(super) fn decompress(&mut self, cpi: Spi, packet: &[u8]) -> Option<(u8, Vec<u8>)> {
        let (header, compressed) = packet.split_first_chunk::<HEADER>()?;
        // RFC 3173 §3.3: the flags are ignored.
        let [next_header, _, high, low] = *header;
        if cpi != Spi(u32::from_be_bytes([0, 0, high, low])) {
            return None;
        }
        self.decompress.reset(false);
        self.room.clear();
        // Never more than the room: what is longer has not come to its end then.
        match self.decompress.decompress_vec(compressed, &mut self.room, FlushDecompress::Finish) {
            Ok(Status::StreamEnd) => Some((next_header, self.room.clone())),
            _ => None,
        }
    }
}
