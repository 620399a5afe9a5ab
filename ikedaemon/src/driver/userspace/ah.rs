//! AH itself (RFC 4302): the header between an IP header and what it protects, and the check value over both.
use super::esp::Sequence;
use super::packet::{IPV4_HEADER, IPV6_HEADER, Packet, protocol, put, set_length};
use ikecore::crypto::esp::{IcvKey, Integrity};
use ikecore::ids::Spi;

#[cfg(test)]
mod tests;

/// Octets of the header in front of the check value.
const FIXED: usize = 12;
/// The options of IPv4 that nobody changes on the way (RFC 4302 Appendix A1): end, no operation, the three of security,
/// router alert, sender directed delivery.
const IMMUTABLE: [u8; 7] = [0, 1, 130, 133, 134, 148, 149];
/// The options of IPv4 that lead over several hops, the last of which is the true destination.
const SOURCE_ROUTES: [u8; 2] = [131, 137];
/// The bit of an IPv6 option's type that says that its data may change on the way (RFC 8200 §4.2).
const MAY_CHANGE: u8 = 0x20;
/// Types of IPv6 routing headers whose addresses are swapped with the destination on the way: RFC 8200 §4.4 and its
/// predecessors, RFC 6275 §6.4.
const SWAPPING: [u8; 2] = [0, 2];

/// The algorithm of one SA with its key.
#[derive(Debug)]
pub(super) struct Ah {
    key: IcvKey,
}

/// What the header of a packet says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    /// The protocol of what it protects.
    pub(super) next_header: u8,
    /// Which SA.
    pub(super) spi: Spi,
    /// The number of the packet, or its lower half.
    pub(super) sequence: u32,
    /// Where it begins.
    at: usize,
    /// Where it ends.
    end: usize,
}

impl Header {
    /// Reads the header of AH behind the IP header and its extensions; `None` if there is none, or it is cut short.
    pub(super) fn of(packet: &Packet<'_>) -> Option<Self> {
        if packet.upper != protocol::AH || packet.fragment.is_some() {
            return None;
        }
        let at = packet.upper_at;
        let [next_header, words, _, _, rest @ ..] = packet.octets.get(at..)?.first_chunk::<FIXED>()?;
        let (spi, sequence) = rest.split_first_chunk()?;
        let end = at + (usize::from(*words) + 2) * 4;
        packet.octets.get(end..)?;
        Some(Self {
            next_header: *next_header,
            spi: Spi(u32::from_be_bytes(*spi)),
            sequence: u32::from_be_bytes(*sequence.first_chunk()?),
            at,
            end,
        })
    }

    /// What is protected.
    pub(super) fn payload<'a>(&self, packet: &Packet<'a>) -> &'a [u8] {
        packet.octets.get(self.end..).unwrap_or_default()
    }
}

impl Ah {
    /// Prepares a key; the error says what does not fit.
    pub(super) fn new(integrity: Integrity, key: &[u8]) -> Result<Self, String> {
        IcvKey::new(integrity, key).map(|key| Self { key }).map_err(|error| error.to_string())
    }

    const fn icv_len(&self) -> usize {
        self.key.alg().icv_len()
    }

    /// The IP packet with AH in front of its payload. `None` if that is too long, or if its headers make no sense. A number
    /// must never come twice with one key.
    pub(super) fn seal(&self, packet: &[u8], spi: Spi, sequence: Sequence) -> Option<Vec<u8>> {
        // Fragments are made of what is protected (RFC 4302 §3.3.4), so nothing says yet that this is one.
        let whole = Packet::parse(packet)?.whole()?;
        let packet = Packet::parse(&whole)?;
        let ipv4 = packet.source.is_ipv4();
        // RFC 4302 §3.3.3.2.1: a multiple of 32 bits, in IPv6 of 64 bits.
        let length = (FIXED + self.icv_len()).next_multiple_of(if ipv4 { 4 } else { 8 });
        let mut payload = vec![packet.protocol, u8::try_from(length / 4 - 2).ok()?, 0, 0];
        payload.extend_from_slice(&spi.0.to_be_bytes());
        payload.extend_from_slice(&sequence.lower());
        payload.resize(length, 0);
        payload.extend_from_slice(packet.payload());
        let mut sealed = packet.replace_payload(protocol::AH, &payload)?;
        if ipv4 && sealed.get(4..6) == Some(&[0, 0]) {
            // The kernel would choose an identification for a packet without, after the check value was computed.
            let [.., high, low] = sequence.lower();
            put(&mut sealed, 4, &u16::from_be_bytes([high, low]).max(1).to_be_bytes());
            set_length(&mut sealed)?;
        }
        let icv = self.key.sign(&self.covered(&sealed, packet.header, sequence)?.parts());
        put(&mut sealed, packet.header + FIXED, icv.as_ref());
        Some(sealed)
    }

    /// Whether a packet with this header and this number is authentic.
    pub(super) fn verify(&self, packet: &Packet<'_>, header: &Header, sequence: Sequence) -> bool {
        let needed = FIXED + self.icv_len();
        // Some pad to 64 bits in IPv4, too.
        if !(needed..needed + 8).contains(&(header.end - header.at)) {
            return false;
        }
        let icv_at = header.at + FIXED;
        let (Some(covered), Some(icv)) =
            (self.covered(packet.octets, header.at, sequence), packet.octets.get(icv_at..icv_at + self.icv_len()))
        else {
            return false;
        };
        self.key.verify(&covered.parts(), icv)
    }

    /// What the check value covers of a packet whose AH begins at `at` (RFC 4302 §3.3.3).
    fn covered<'a>(&self, packet: &'a [u8], at: usize, sequence: Sequence) -> Option<Covered<'a>> {
        let (headers, rest) = packet.split_at_checked(at)?;
        let (fixed, rest) = rest.split_at_checked(FIXED)?;
        let (_, payload) = rest.split_at_checked(self.icv_len())?;
        let headers = if headers.first()? >> 4 == 4 { unchanged_v4(headers)? } else { unchanged_v6(headers)? };
        // The check value itself counts as zero.
        Some(Covered { headers, fixed, zeros: vec![0; self.icv_len()], payload, upper: sequence.upper() })
    }
}

struct Covered<'a> {
    headers: Vec<u8>,
    fixed: &'a [u8],
    zeros: Vec<u8>,
    payload: &'a [u8],
    upper: Vec<u8>,
}

impl Covered<'_> {
    fn parts(&self) -> [&[u8]; 5] {
        [&self.headers, self.fixed, &self.zeros, self.payload, &self.upper]
    }
}

fn zero(octets: &mut [u8], at: usize, length: usize) -> Option<()> {
    octets.get_mut(at..at.checked_add(length)?)?.fill(0);
    Some(())
}

/// An IPv4 header with zeroes for what may change on the way (RFC 4302 §3.3.3.1.1), and the destination that it has in the
/// end. `None` if its options make no sense.
fn unchanged_v4(header: &[u8]) -> Option<Vec<u8>> {
    let mut header = header.to_vec();
    // Service type; flags and fragment offset; time to live; checksum.
    for (at, length) in [(1, 1), (6, 2), (8, 1), (10, 2)] {
        zero(&mut header, at, length)?;
    }
    let mut at = IPV4_HEADER;
    while let Some(&kind) = header.get(at) {
        match kind {
            0 => break,
            1 => at += 1,
            _ => {
                let length = usize::from(*header.get(at + 1)?);
                let option = header.get(at..at + length).filter(|option| option.len() >= 2)?.to_vec();
                if let Some(last) = final_destination(&option) {
                    put(&mut header, 16, last);
                }
                if !IMMUTABLE.contains(&kind) {
                    zero(&mut header, at, length)?;
                }
                at += length;
            }
        }
    }
    Some(header)
}

/// The last address of a source route that has hops left.
fn final_destination(option: &[u8]) -> Option<&[u8; 4]> {
    let [kind, length, pointer, hops @ ..] = option else { return None };
    let left = SOURCE_ROUTES.contains(kind) && pointer < length;
    hops.last_chunk().filter(|_| left)
}

/// The same of IPv6 (RFC 4302 §3.3.3.1.2), with the extension headers in front of AH.
fn unchanged_v6(headers: &[u8]) -> Option<Vec<u8>> {
    let mut headers = headers.to_vec();
    // Traffic class and flow label; hop limit.
    put(&mut headers, 0, &[0x60, 0, 0, 0]);
    put(&mut headers, 7, &[0]);
    let (mut kind, mut at) = (*headers.get(6)?, IPV6_HEADER);
    while at < headers.len() {
        let length = (usize::from(*headers.get(at + 1)?) + 1) * 8;
        let end = at + length;
        headers.get(at..end)?;
        match kind {
            protocol::HOP_BY_HOP | protocol::DESTINATION_OPTIONS => zero_options(&mut headers, at + 2, end)?,
            protocol::ROUTING => arrive(&mut headers, at, end)?,
            _ => return None,
        }
        kind = *headers.get(at)?;
        at = end;
    }
    Some(headers)
}

/// Zeroes the data of the options that may change.
fn zero_options(headers: &mut [u8], mut at: usize, end: usize) -> Option<()> {
    while at < end {
        let kind = *headers.get(at)?;
        if kind == 0 {
            at += 1;
            continue;
        }
        let length = usize::from(*headers.get(at + 1)?);
        if at + 2 + length > end {
            return None;
        }
        if kind & MAY_CHANGE != 0 {
            zero(headers, at + 2, length)?;
        }
        at += 2 + length;
    }
    Some(())
}

/// Makes a routing header and the destination what they are when the packet arrives.
fn arrive(headers: &mut [u8], at: usize, end: usize) -> Option<()> {
    let [_, _, kind, left] = *headers.get(at..)?.first_chunk()?;
    if left == 0 {
        return Some(());
    }
    let hops = headers.get(at + 8..end)?.as_chunks::<16>().0.to_vec();
    let next = hops.len().checked_sub(left.into())?;
    if !SWAPPING.contains(&kind) {
        return None;
    }
    let destination: [u8; 16] = *headers.get(24..)?.first_chunk()?;
    let (visited, to_visit) = hops.split_at_checked(next)?;
    let (last, between) = to_visit.split_last()?;
    let then = visited.iter().chain([&destination]).chain(between);
    let then: Vec<u8> = then.flatten().copied().collect();
    put(headers, at + 8, &then);
    put(headers, at + 3, &[0]);
    put(headers, 24, last);
    Some(())
}
