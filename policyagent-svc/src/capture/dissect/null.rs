//! ESP that does not encrypt, recognised without being told (RFC 5879).
//!
//! A packet shows it by what stands where the trailer would be, for each length of a check value that there is: a padding of
//! 1, 2, 3, ..., a protocol, and a payload of that protocol whose lengths and checksums are right. By chance that comes
//! about for less than one of 16 million packets that are encrypted. Once one has shown it, the others of the SA are read alike,
//! as far as their trailers are possible.
#[cfg(test)]
mod tests;

use std::net::IpAddr;

use ikedaemon::driver::userspace::checksum::{internet_checksum, pseudo_header_checksum};

use super::ip::{ICMP, ICMPV6, IPIP, IPV6, TCP, UDP};

/// How the packets of an SA are made: octets of the IV, and of the check value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Null {
    pub(super) iv: usize,
    pub(super) icv: usize,
}

/// What stands at the end of a packet, in front of the check value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Trailer {
    /// Octets of the payload.
    pub(super) payload: usize,
    /// Octets of padding.
    pub(super) padding: usize,
    /// The protocol of the payload.
    pub(super) next_header: u8,
}

/// Check values with 96, 128, 192 and 256 bits; and AES-GMAC, with an IV (RFC 4543).
const FORMS: [Null; 5] = [
    Null { iv: 0, icv: 12 },
    Null { iv: 0, icv: 16 },
    Null { iv: 0, icv: 24 },
    Null { iv: 0, icv: 32 },
    Null { iv: 8, icv: 16 },
];

impl Null {
    /// How this packet is made, if it shows that it is not encrypted. `octets` follow the sequence number.
    pub(super) fn recognise(source: IpAddr, destination: IpAddr, octets: &[u8]) -> Option<Self> {
        FORMS.into_iter().find(|form| {
            form.trailer(octets).is_some_and(|trailer| {
                let payload = octets.get(form.iv..form.iv + trailer.payload).unwrap_or_default();
                is_sound(source, destination, trailer.next_header, payload)
            })
        })
    }

    /// The trailer, if it is a possible one.
    pub(super) fn trailer(self, octets: &[u8]) -> Option<Trailer> {
        let text = octets.get(self.iv..octets.len().checked_sub(self.icv)?)?;
        let [rest @ .., padding, next_header] = text else { return None };
        // RFC 4303 §2.4: the next header ends at a multiple of four octets.
        let payload = rest.len().checked_sub(usize::from(*padding)).filter(|_| text.len().is_multiple_of(4))?;
        let numbered = rest.get(payload..)?.iter().zip(1_u8..).all(|(octet, number)| *octet == number);
        numbered.then_some(Trailer { payload, padding: usize::from(*padding), next_header: *next_header })
    }
}

/// True if these are octets of the protocol beyond doubt.
fn is_sound(source: IpAddr, destination: IpAddr, protocol: u8, payload: &[u8]) -> bool {
    let number = |at: usize| payload.get(at..at + 2).and_then(|octets| octets.try_into().ok()).map(u16::from_be_bytes);
    let length = |at: usize| number(at).map(usize::from);
    let summed = || pseudo_header_checksum(source, destination, protocol, payload) == 0;
    match protocol {
        IPIP => {
            let header = payload.first().map_or(0, |octet| usize::from(octet & 0x0f) * 4);
            let head = payload.get(..header).unwrap_or_default();
            let is_4 = payload.first().is_some_and(|octet| octet >> 4 == 4) && head.len() >= 20;
            is_4 && length(2) == Some(payload.len()) && internet_checksum(&[head]) == 0
        }
        IPV6 => {
            let is_6 = payload.first().is_some_and(|octet| octet >> 4 == 6);
            is_6 && length(4).map(|length| length + 40) == Some(payload.len())
        }
        TCP => payload.len() >= 20 && summed(),
        UDP => length(4) == Some(payload.len()) && (summed() || number(6) == Some(0)),
        ICMP => payload.len() >= 8 && internet_checksum(&[payload]) == 0,
        ICMPV6 => payload.len() >= 8 && summed(),
        _ => false,
    }
}
