//! Address pools: what a gateway gives its clients by Mode Config (draft-dukes-ike-mode-cfg-02 §5.1).
use super::selector::Prefix;
use core::fmt;
use core::str::FromStr;
use std::net::IpAddr;

/// Addresses from the first to the last, both included and of one family.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct AddressRange {
    first: IpAddr,
    last: IpAddr,
}

/// Text that names no range of addresses.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "allowed are an address, a prefix such as 10.99.0.0/24, and a range FIRST-LAST of one family with FIRST not above LAST"
)]
pub struct RangeError;

impl AddressRange {
    /// The range between two addresses of one family, the lower one first.
    pub fn new(first: IpAddr, last: IpAddr) -> Result<Self, RangeError> {
        if first.is_ipv4() == last.is_ipv4() && first <= last { Ok(Self { first, last }) } else { Err(RangeError) }
    }

    /// The addresses of a block that a host may have: of IPv4 blocks neither the first, which names the network, nor the
    /// last, which is for broadcasts; of IPv6 blocks not the first (RFC 4291 §2.6.1). Blocks of one or two addresses are
    /// taken whole.
    pub fn of_hosts(block: Prefix) -> Self {
        let (first, width) = bits(block.address());
        let free = width - u32::from(block.prefix_len());
        let last = first | u128::MAX.checked_shr(128 - free).unwrap_or(0);
        let is_ipv4 = block.address().is_ipv4();
        let (first, last) = match free {
            0 | 1 => (first, last),
            _ if is_ipv4 => (first + 1, last - 1),
            _ => (first + 1, last),
        };
        Self { first: address(first, is_ipv4), last: address(last, is_ipv4) }
    }

    /// The first address.
    pub const fn first(self) -> IpAddr {
        self.first
    }

    /// The last address.
    pub const fn last(self) -> IpAddr {
        self.last
    }

    /// True if `address` lies between the two.
    pub fn contains(self, address: IpAddr) -> bool {
        address.is_ipv4() == self.first.is_ipv4() && self.first <= address && address <= self.last
    }

    /// The address after `address`, if it is in the range too.
    pub fn after(self, of: IpAddr) -> Option<IpAddr> {
        let (of, _) = bits(of);
        of.checked_add(1).map(|next| address(next, self.first.is_ipv4())).filter(|next| self.contains(*next))
    }

    /// The fewest blocks that together are the range.
    pub fn blocks(self) -> Vec<Prefix> {
        let (mut first, width) = bits(self.first);
        let (last, _) = bits(self.last);
        let mut blocks = Vec::new();
        loop {
            // The largest block that begins at `first` and does not reach beyond `last`.
            let room = last - first;
            let whole = (room.checked_add(1)).map_or(width, u128::ilog2);
            let free = first.trailing_zeros().min(width).min(whole);
            let len = u8::try_from(width - free).unwrap_or_default();
            blocks.extend(Prefix::new(address(first, self.first.is_ipv4()), len));
            let size = 1_u128.checked_shl(free);
            match size.and_then(|size| first.checked_add(size)).filter(|next| *next <= last) {
                Some(next) => first = next,
                None => return blocks,
            }
        }
    }
}

impl FromStr for AddressRange {
    type Err = RangeError;

    fn from_str(text: &str) -> Result<Self, RangeError> {
        let address = |text: &str| text.trim().parse::<IpAddr>().map_err(|_| RangeError);
        if let Some((first, last)) = text.split_once('-') {
            return Self::new(address(first)?, address(last)?);
        }
        let Some((first, len)) = text.split_once('/') else { return address(text).and_then(|one| Self::new(one, one)) };
        let block = Prefix::new(address(first)?, len.parse().map_err(|_| RangeError)?).map_err(|_| RangeError)?;
        Ok(Self::of_hosts(block))
    }
}

impl fmt::Display for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last { write!(f, "{}", self.first) } else { write!(f, "{}-{}", self.first, self.last) }
    }
}

/// The bits of an address as a number, and how many there are.
fn bits(address: IpAddr) -> (u128, u32) {
    match address {
        IpAddr::V4(address) => (address.to_bits().into(), 32),
        IpAddr::V6(address) => (address.to_bits(), 128),
    }
}

fn address(bits: u128, is_ipv4: bool) -> IpAddr {
    // Only the bits of an IPv4 address go into one.
    if is_ipv4 { IpAddr::V4((bits as u32).into()) } else { IpAddr::V6(bits.into()) }
}

/// What a gateway gives its clients.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pool {
    /// The name for people.
    pub name: String,
    /// The addresses.
    pub ranges: Vec<AddressRange>,
    /// Name servers.
    pub dns: Vec<IpAddr>,
    /// The networks behind the gateway that clients shall reach through it; none: everything.
    pub split_networks: Vec<Prefix>,
    /// The domain that names without one are completed with.
    pub domain: Option<String>,
    /// What the client shows its user.
    pub banner: Option<String>,
}

impl Pool {
    /// True if the address is one of the pool's.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.ranges.iter().any(|range| range.contains(address))
    }

    /// True if it has addresses of IPv4, or of IPv6.
    pub fn has(&self, ipv4: bool) -> bool {
        self.ranges.iter().any(|range| range.first().is_ipv4() == ipv4)
    }

    /// The fewest blocks that together are all addresses of the pool.
    pub fn blocks(&self) -> Vec<Prefix> {
        self.ranges.iter().flat_map(|range| range.blocks()).collect()
    }
}

#[cfg(test)]
mod tests;
