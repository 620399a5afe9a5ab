//! Blocks of addresses as ID payloads name them (RFC 2407 §4.6.2.5 to §4.6.2.10).
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An IPv4 address.
pub fn v4(octets: [u8; 4]) -> IpAddr {
    Ipv4Addr::from(octets).into()
}

/// An IPv6 address.
pub fn v6(octets: [u8; 16]) -> IpAddr {
    Ipv6Addr::from(octets).into()
}

/// The two addresses of `N` octets that are all of the data.
pub fn pair<const N: usize>(data: &[u8], address: fn([u8; N]) -> IpAddr) -> Option<[IpAddr; 2]> {
    match data.as_chunks::<N>() {
        ([first, second], []) => Some([address(*first), address(*second)]),
        _ => None,
    }
}

/// The octets of an address.
pub fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

/// The mask with `len` one bits of the family of `address`.
pub fn mask(address: IpAddr, len: u8) -> IpAddr {
    match address {
        IpAddr::V4(_) => Ipv4Addr::from(u32::MAX.checked_shl(32 - u32::from(len)).unwrap_or(0)).into(),
        IpAddr::V6(_) => Ipv6Addr::from(u128::MAX.checked_shl(128 - u32::from(len)).unwrap_or(0)).into(),
    }
}

/// The one bits of a mask, if none comes after a zero bit.
pub fn prefix_len(mask: IpAddr) -> Option<u8> {
    let (bits, _) = bits(mask);
    let ones = bits.leading_ones();
    (ones + bits.trailing_zeros() == u128::BITS).then(|| u8::try_from(ones).ok()).flatten()
}

/// The address without what its mask does not cover.
pub fn masked(address: IpAddr, len: u8) -> IpAddr {
    match (address, mask(address, len)) {
        (IpAddr::V4(address), IpAddr::V4(mask)) => (address & mask).into(),
        (IpAddr::V6(address), IpAddr::V6(mask)) => (address & mask).into(),
        (address, _) => address,
    }
}

/// The bits of an address, the first one highest, and how many there are.
pub fn bits(address: IpAddr) -> (u128, u32) {
    match address {
        IpAddr::V4(address) => (u128::from(address.to_bits()) << 96, 32),
        IpAddr::V6(address) => (address.to_bits(), 128),
    }
}
