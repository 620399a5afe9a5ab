//! The Internet checksum (RFC 1071).
use std::net::IpAddr;

/// The checksum of `parts`, as if they were one. All parts but the last have an even number of octets.
pub fn internet_checksum(parts: &[&[u8]]) -> u16 {
    let mut sum = 0_u64;
    for part in parts {
        let (words, rest) = part.as_chunks::<2>();
        sum += words.iter().map(|word| u64::from(u16::from_be_bytes(*word))).sum::<u64>();
        sum += rest.first().map_or(0, |octet| u64::from(*octet) << 8);
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    // At most 16 bits are left.
    !u16::try_from(sum).unwrap_or(0)
}

/// The checksum of `segment` of `protocol`, with the pseudo-header of the two addresses (RFC 9293 §3.1, RFC 8200 §8.1).
pub fn pseudo_header_checksum(source: IpAddr, destination: IpAddr, protocol: u8, segment: &[u8]) -> u16 {
    let length = u32::try_from(segment.len()).unwrap_or(u32::MAX).to_be_bytes();
    let protocol = [0, 0, 0, protocol];
    match (source, destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            internet_checksum(&[&source.octets(), &destination.octets(), &length, &protocol, segment])
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            internet_checksum(&[&source.octets(), &destination.octets(), &length, &protocol, segment])
        }
        _ => 0,
    }
}
