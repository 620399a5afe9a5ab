//! The sides of filters: as documents write them, and as the two versions of objects have them.
use crate::directory::blob::filter::Side2;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A side that objects can have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Side {
    /// `me`.
    Me,
    /// `any`.
    Any,
    /// A server of this host: its number in the first version.
    Server(u8),
    /// An IPv4 network.
    V4(Ipv4Addr, u8),
    /// An IPv6 network.
    V6(Ipv6Addr, u8),
    /// From one address to another, of one family.
    Range(IpAddr, IpAddr),
}

/// The servers that a side can be: name, number in the first version, number in the second.
const SERVERS: [(&str, u8, u32); 4] = [("dns", 1, 0x10), ("wins", 2, 0x20), ("dhcp", 3, 0x40), ("gateway", 4, 0x80)];

/// The mask of a prefix.
pub(super) fn mask(length: u8) -> Ipv4Addr {
    Ipv4Addr::from_bits(u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0))
}

/// The length of the prefix that is a mask.
fn length(mask: Ipv4Addr) -> Result<u8, String> {
    let ones = mask.to_bits().leading_ones();
    if ones + mask.to_bits().trailing_zeros() < 32 {
        return Err(format!("the mask {mask} has gaps, allowed: ones, then zeros"));
    }
    u8::try_from(ones).map_err(|error| error.to_string())
}

impl Side {
    /// A side as a document writes it; nothing if objects have no such side.
    pub(super) fn parse(text: &str) -> Option<Self> {
        match text {
            "me" => return Some(Self::Me),
            "any" => return Some(Self::Any),
            _ => {}
        }
        if let Some((_, number, _)) = SERVERS.iter().find(|(name, ..)| *name == text) {
            return Some(Self::Server(*number));
        }
        if let Some((from, to)) = text.split_once('-') {
            let (from, to): (IpAddr, IpAddr) = (from.trim().parse().ok()?, to.trim().parse().ok()?);
            return (from.is_ipv4() == to.is_ipv4()).then_some(Self::Range(from, to));
        }
        let (address, prefix) = text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
        match address.parse().ok()? {
            IpAddr::V4(address) => {
                let length = match prefix {
                    None => 32,
                    Some(text) if text.contains('.') => length(text.parse().ok()?).ok()?,
                    Some(text) => text.parse().ok().filter(|n| *n <= 32)?,
                };
                Some(Self::V4(address, length))
            }
            IpAddr::V6(address) => {
                let length = prefix.map_or(Some(128), |text| text.parse().ok().filter(|n| *n <= 128))?;
                // One with an interface does not parse; what every link has is no side of Windows either.
                (address.segments()[0] & 0xffc0 != 0xfe80).then_some(Self::V6(address, length))
            }
        }
    }

    /// As a document writes it.
    pub(super) fn text(self) -> String {
        match self {
            Self::Me => "me".to_owned(),
            Self::Any => "any".to_owned(),
            Self::Server(number) => {
                let found = SERVERS.iter().find(|(_, n, _)| *n == number);
                found.map_or("any", |(name, ..)| *name).to_owned()
            }
            Self::V4(address, 32) => address.to_string(),
            Self::V4(address, length) => format!("{address}/{length}"),
            Self::V6(address, 128) => address.to_string(),
            Self::V6(address, length) => format!("{address}/{length}"),
            Self::Range(from, to) => format!("{from}-{to}"),
        }
    }

    /// Of the first version.
    pub(super) fn of_first(address: Ipv4Addr, mask: Ipv4Addr) -> Result<Self, String> {
        if address.is_unspecified() {
            return Ok(if mask == Ipv4Addr::BROADCAST { Self::Me } else { Self::Any });
        }
        Ok(Self::V4(address, length(mask)?))
    }

    /// For the first version: one, or as many as make up a range; nothing if it has no such.
    pub(super) fn first(self) -> Option<Vec<(Ipv4Addr, Ipv4Addr)>> {
        const ANY: (Ipv4Addr, Ipv4Addr) = (Ipv4Addr::UNSPECIFIED, Ipv4Addr::UNSPECIFIED);
        Some(match self {
            Self::Me => vec![(Ipv4Addr::UNSPECIFIED, Ipv4Addr::BROADCAST)],
            Self::Any | Self::Server(_) => vec![ANY],
            // All addresses of 0.0.0.0 with another mask would be those of any.
            Self::V4(address, length) if address.is_unspecified() && length != 0 => return None,
            Self::V4(address, length) => vec![(address, mask(length))],
            Self::Range(IpAddr::V4(from), IpAddr::V4(to)) => subnets(from, to),
            Self::V6(..) | Self::Range(..) => return None,
        })
    }

    /// Of the second version.
    pub(super) fn of_second(side: Side2) -> Result<Self, String> {
        Ok(match side {
            Side2::Named(0, _) => Self::Any,
            Side2::Named(8, _) => Self::Me,
            Side2::Named(kind, _) => {
                let found = SERVERS.iter().find(|(.., number)| *number == kind);
                Self::Server(
                    found.map(|(_, number, _)| *number).ok_or_else(|| format!("the side {kind:#x} is unknown"))?,
                )
            }
            Side2::Single(IpAddr::V4(address)) => Self::V4(address, 32),
            Side2::Single(IpAddr::V6(address)) => Self::V6(address, 128),
            Side2::Range(from, to) => Self::Range(from, to),
            Side2::Masked(address, mask) => Self::V4(address, length(mask)?),
            Side2::Prefix(address, length) => Self::V6(address, length),
        })
    }

    /// For the second version.
    pub(super) fn second(self) -> Side2 {
        match self {
            Self::Any => Side2::Named(0, 3),
            Self::Me => Side2::Named(8, 3),
            Self::Server(number) => {
                let found = SERVERS.iter().find(|(_, n, _)| *n == number);
                Side2::Named(found.map_or(0, |(.., number)| *number), 3)
            }
            Self::V4(address, 32) => Side2::Single(address.into()),
            Self::V4(address, length) => Side2::Masked(address, mask(length)),
            Self::V6(address, 128) => Side2::Single(address.into()),
            Self::V6(address, length) => Side2::Prefix(address, length),
            Self::Range(from, to) => Side2::Range(from, to),
        }
    }

    /// The number of a server in the first version.
    pub(super) const fn server(self) -> Option<u8> {
        match self {
            Self::Server(number) => Some(number),
            _ => None,
        }
    }

    /// True if the first version has it as it is.
    pub(super) fn is_of_first(self) -> bool {
        match self {
            // Of `0.0.0.0/0` the first version makes any.
            Self::V4(address, _) => !address.is_unspecified(),
            Self::Me | Self::Any | Self::Server(_) => true,
            Self::V6(..) | Self::Range(..) => false,
        }
    }
}

/// The fewest networks that hold the addresses from one to another, and no others.
fn subnets(from: Ipv4Addr, to: Ipv4Addr) -> Vec<(Ipv4Addr, Ipv4Addr)> {
    let (mut at, end) = (u64::from(from.to_bits()), u64::from(to.to_bits()));
    let mut all = Vec::new();
    while at <= end {
        // The largest block that begins here and does not go beyond the end.
        let aligned = if at == 0 { 32 } else { at.trailing_zeros().min(32) };
        let fits = (end - at + 1).ilog2();
        let bits = aligned.min(fits);
        let address = Ipv4Addr::from_bits(u32::try_from(at).unwrap_or(u32::MAX));
        all.push((address, mask(32 - u8::try_from(bits).unwrap_or(32))));
        at += 1 << bits;
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_made_up_of_the_fewest_networks() {
        let of = |from: &str, to: &str| {
            let all = subnets(from.parse().unwrap(), to.parse().unwrap());
            all.iter().map(|(address, mask)| format!("{address}/{mask}")).collect::<Vec<_>>()
        };
        assert_eq!(
            of("10.0.0.1", "10.0.0.6"),
            [
                "10.0.0.1/255.255.255.255",
                "10.0.0.2/255.255.255.254",
                "10.0.0.4/255.255.255.254",
                "10.0.0.6/255.255.255.255"
            ]
        );
        assert_eq!(of("0.0.0.0", "255.255.255.255"), ["0.0.0.0/0.0.0.0"]);
        assert_eq!(of("10.0.0.9", "10.0.0.1"), [""; 0]);
        assert_eq!(of("255.255.255.255", "255.255.255.255"), ["255.255.255.255/255.255.255.255"]);
    }

    #[test]
    fn what_objects_have_no_side_for_is_none() {
        for text in
            ["pool", "host.example", "fe80::1", "fe80::%eth0/64", "10.0.0.0/33", "10.0.0.0/255.0.255.0", "10.0.0.1-::1"]
        {
            assert_eq!(Side::parse(text), None, "{text}");
        }
        for text in [
            "me",
            "any",
            "dns",
            "wins",
            "dhcp",
            "gateway",
            "10.1.0.0/16",
            "10.0.0.1",
            "2001:db8::/32",
            "::1",
            "10.0.0.1-10.0.0.9",
        ] {
            let side = Side::parse(text).unwrap();
            assert_eq!(side.text(), text);
            assert_eq!(Side::of_second(side.second()), Ok(side));
        }
        assert_eq!(Side::parse("10.1.0.0/255.255.0.0"), Some(Side::V4(Ipv4Addr::new(10, 1, 0, 0), 16)));
    }
}
