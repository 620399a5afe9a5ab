//! Which traffic: selectors (RFC 4301 §4.4.1.1), seen from this host.
use crate::address::{HostAddress, Scope, is_link_local};
use core::fmt;
use std::net::IpAddr;

/// A block of addresses.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Prefix {
    /// The first address; bits below the prefix are zero.
    address: IpAddr,
    /// The number of leading bits that count: 0 to 32, or 0 to 128.
    len: u8,
}

/// A prefix longer than the address.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("prefix length {len} of {address} is out of range, allowed: 0 to {max}")]
pub struct PrefixError {
    /// The address.
    pub address: IpAddr,
    /// The length given.
    pub len: u8,
    /// The longest allowed.
    pub max: u8,
}

impl Prefix {
    /// The block of `len` bits that `address` lies in; host bits are cleared.
    pub fn new(address: IpAddr, len: u8) -> Result<Self, PrefixError> {
        let max = max_len(address);
        if len > max {
            return Err(PrefixError { address, len, max });
        }
        Ok(Self { address: mask(address, len), len })
    }

    /// The block that holds only `address`.
    pub const fn host(address: IpAddr) -> Self {
        Self { address, len: max_len(address) }
    }

    /// The first address.
    pub const fn address(self) -> IpAddr {
        self.address
    }

    /// The number of leading bits that count.
    pub const fn prefix_len(self) -> u8 {
        self.len
    }

    /// True if every address of it is link-local, so that it needs a link.
    pub const fn is_link_local(self) -> bool {
        // fe80::/10 (RFC 4291 §2.5.6): of a shorter prefix some addresses are others.
        self.len >= 10 && is_link_local(self.address)
    }

    /// For people: with its link, if it is link-local.
    pub const fn on(self, scope: Scope) -> OnLink {
        OnLink(self, scope)
    }

    /// True if the block holds one address only.
    pub const fn is_host(self) -> bool {
        self.len == max_len(self.address)
    }

    /// True if `address` lies in the block.
    pub fn contains(self, address: IpAddr) -> bool {
        self.address.is_ipv4() == address.is_ipv4() && mask(address, self.len) == self.address
    }

    /// True if all of `other` lies in the block.
    pub fn covers(self, other: Self) -> bool {
        self.len <= other.len && self.contains(other.address)
    }
}

const fn max_len(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

fn mask(address: IpAddr, len: u8) -> IpAddr {
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(len)).unwrap_or(0);
            IpAddr::V4((v4.to_bits() & mask).into())
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(len)).unwrap_or(0);
            IpAddr::V6((v6.to_bits() & mask).into())
        }
    }
}

/// A block with its link, for people: `fe80::1%2`, `fe80::%2/64`, as RFC 4007 §11.7 has it.
#[derive(Clone, Copy, Debug)]
pub struct OnLink(Prefix, Scope);

impl fmt::Display for OnLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(prefix, scope) = self;
        match HostAddress::new(prefix.address, *scope) {
            host if prefix.is_host() => write!(f, "{host}"),
            first => write!(f, "{first}/{}", prefix.len),
        }
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_host() { write!(f, "{}", self.address) } else { write!(f, "{}/{}", self.address, self.len) }
    }
}

/// Which way packets go, seen from this host.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Direction {
    /// Packets that arrive.
    Inbound,
    /// Packets that leave.
    Outbound,
}

impl Direction {
    /// Both, those that leave first.
    pub const BOTH: [Self; 2] = [Self::Outbound, Self::Inbound];
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Inbound => "inbound",
            Self::Outbound => "outbound",
        })
    }
}

/// The traffic that a filter or an SA is for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Selector {
    /// Addresses on this side.
    pub local: Prefix,
    /// Addresses on the peer's side.
    pub remote: Prefix,
    /// The IP protocol number; 0 is any.
    pub protocol: u8,
    /// The port on this side; 0 is any.
    pub local_port: u16,
    /// The port on the peer's side; 0 is any.
    pub remote_port: u16,
    /// The link, where an address is link-local; else [`Scope::ANY`].
    pub scope: Scope,
    /// Only packets that go this way; `None` is both ways. SAs are always for both, as they come in pairs.
    pub direction: Option<Direction>,
}

impl Selector {
    /// All traffic between two blocks.
    pub const fn between(local: Prefix, remote: Prefix) -> Self {
        Self { local, remote, protocol: 0, local_port: 0, remote_port: 0, scope: Scope::ANY, direction: None }
    }

    /// The same for packets that go one way.
    #[must_use]
    pub const fn going(self, direction: Direction) -> Self {
        Self { direction: Some(direction), ..self }
    }

    /// The same both ways.
    #[must_use]
    pub const fn both_ways(self) -> Self {
        Self { direction: None, ..self }
    }

    /// True if packets that go this way can be of it.
    pub fn goes(&self, direction: Direction) -> bool {
        self.direction.is_none_or(|own| own == direction)
    }

    /// True if all traffic of `other` is traffic of this selector.
    pub fn covers(&self, other: &Self) -> bool {
        self.local.covers(other.local)
            && self.remote.covers(other.remote)
            && self.scope.covers(other.scope)
            && (self.protocol == 0 || self.protocol == other.protocol)
            && (self.local_port == 0 || self.local_port == other.local_port)
            && (self.remote_port == 0 || self.remote_port == other.remote_port)
            && (self.direction.is_none() || self.direction == other.direction)
    }

    /// True if there is traffic of both.
    pub fn overlaps(&self, other: &Self) -> bool {
        let meet = |one: Prefix, other: Prefix| one.covers(other) || other.covers(one);
        let same = |one: u16, other: u16| one == 0 || other == 0 || one == other;
        meet(self.local, other.local)
            && meet(self.remote, other.remote)
            && (self.scope.covers(other.scope) || other.scope.covers(self.scope))
            && same(self.protocol.into(), other.protocol.into())
            && same(self.local_port, other.local_port)
            && same(self.remote_port, other.remote_port)
            && self.direction.is_none_or(|direction| other.goes(direction))
    }

    /// True if the packets of `flow`, both those that leave and those that arrive, are traffic of this selector.
    pub fn matches(&self, flow: &Flow) -> bool {
        self.covers(&flow.selector())
    }
}

/// The traffic between the two hosts of `flow` that falls under `filter`: what a transport-mode SA for the flow is for
/// where the filter is for more than two hosts. Protocol and ports are the filter's.
pub const fn transport_selector(filter: &Selector, flow: &Flow) -> Selector {
    Selector { local: Prefix::host(flow.local), remote: Prefix::host(flow.remote), scope: flow.scope, ..*filter }
}

/// The highest [`weight`].
pub const MAX_WEIGHT: u32 = 256 << ADDRESSES | LINK | 3;

/// How specific a filter is: the filter with the highest weight decides about a packet.
///
/// First count the addresses: the lengths of both prefixes, added, so that a single address comes before a subnet, a
/// small subnet before a large one, and any address last. Among filters that are equal in this one for a link counts more
/// than one for any link, then a protocol more than any protocol, and then each port more than any port. A filter that covers another one and is not the same as it
/// has the lower weight, unless all that it has more is the other direction: one for both ways is as specific as the two that
/// it stands for. Weights of IPv4 and IPv6 filters do not compare, and never meet.
pub fn weight(selector: &Selector) -> u32 {
    let addresses = u32::from(selector.local.len) + u32::from(selector.remote.len);
    let link = if selector.scope == Scope::ANY { 0 } else { LINK };
    // Ports are there with a protocol only.
    let upper = [selector.protocol != 0, selector.local_port != 0, selector.remote_port != 0].map(u32::from);
    addresses << ADDRESSES | link | upper.iter().sum::<u32>()
}

/// Bits of a weight below the addresses.
const ADDRESSES: u32 = 3;

/// What a link weighs: more than a protocol and both ports.
const LINK: u32 = 4;

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = |f: &mut fmt::Formatter<'_>, prefix: Prefix, port: u16| {
            write!(f, "{}", prefix.on(self.scope))?;
            if port == 0 { Ok(()) } else { write!(f, "[{port}]") }
        };
        end(f, self.local, self.local_port)?;
        f.write_str(match self.direction {
            None => " <-> ",
            Some(Direction::Outbound) => " -> ",
            Some(Direction::Inbound) => " <- ",
        })?;
        end(f, self.remote, self.remote_port)?;
        match self.protocol {
            0 => Ok(()),
            protocol => write!(f, " protocol {protocol}"),
        }
    }
}

/// One stream of packets, seen from this host.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Flow {
    /// The address on this side.
    pub local: IpAddr,
    /// The address on the peer's side.
    pub remote: IpAddr,
    /// The IP protocol number.
    pub protocol: u8,
    /// The port on this side; 0 where the protocol has none.
    pub local_port: u16,
    /// The port on the peer's side.
    pub remote_port: u16,
    /// The link, where an address is link-local; else [`Scope::ANY`].
    pub scope: Scope,
}

impl Flow {
    /// The flow alone, both ways.
    pub const fn selector(&self) -> Selector {
        let Self { local, remote, protocol, local_port, remote_port, scope } = *self;
        let hosts = Selector::between(Prefix::host(local), Prefix::host(remote));
        Selector { protocol, local_port, remote_port, scope, ..hosts }
    }
}

impl fmt::Display for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}[{}] -> {}[{}] protocol {}",
            HostAddress::new(self.local, self.scope),
            self.local_port,
            HostAddress::new(self.remote, self.scope),
            self.remote_port,
            self.protocol
        )
    }
}

#[cfg(test)]
mod tests;
