//! The address of a host, with the link that a link-local one is on (RFC 4007).
use core::fmt;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};

/// A link: the system's index of this host's interface to it. A link-local address means a host only together with it.
/// What goes over the wire has no scope; everything that this host keeps has.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Scope(pub u32);

impl Scope {
    /// No link in particular.
    pub const ANY: Self = Self(0);

    /// The scope of what is between two addresses: the link, if one of them is link-local.
    pub const fn between(local: IpAddr, remote: IpAddr, index: u32) -> Self {
        if is_link_local(local) || is_link_local(remote) { Self(index) } else { Self::ANY }
    }

    /// True if all of `other` is within this scope.
    pub fn covers(self, other: Self) -> bool {
        self == Self::ANY || self == other
    }
}

impl fmt::Display for Scope {
    /// `%` and the index; nothing without one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::ANY { Ok(()) } else { write!(f, "%{}", self.0) }
    }
}

/// True for addresses of IPv6 that are unique on their link only.
pub const fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(_) => false,
        IpAddr::V6(address) => address.is_unicast_link_local(),
    }
}

/// The address of a host; two of the same link-local address on different links are different hosts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct HostAddress {
    ip: IpAddr,
    scope: Scope,
}

impl HostAddress {
    /// The address `ip` on a link. The scope of an address that is not link-local is [`Scope::ANY`].
    pub const fn new(ip: IpAddr, scope: Scope) -> Self {
        Self { ip, scope: if is_link_local(ip) { scope } else { Scope::ANY } }
    }

    /// The address without its link, as it is on the wire.
    pub const fn ip(self) -> IpAddr {
        self.ip
    }

    /// The link.
    pub const fn scope(self) -> Scope {
        self.scope
    }

    /// With a port.
    pub const fn with_port(self, port: u16) -> SocketAddr {
        match self.ip {
            IpAddr::V4(_) => SocketAddr::new(self.ip, port),
            IpAddr::V6(ip) => SocketAddr::V6(SocketAddrV6::new(ip, port, 0, self.scope.0)),
        }
    }
}

impl From<IpAddr> for HostAddress {
    fn from(ip: IpAddr) -> Self {
        Self::new(ip, Scope::ANY)
    }
}

impl From<SocketAddr> for HostAddress {
    fn from(address: SocketAddr) -> Self {
        match address {
            SocketAddr::V4(v4) => Self::new(IpAddr::V4(*v4.ip()), Scope::ANY),
            SocketAddr::V6(v6) => Self::new(IpAddr::V6(*v6.ip()), Scope(v6.scope_id())),
        }
    }
}

impl fmt::Display for HostAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.ip, self.scope)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_link_local_addresses_have_a_link() {
        let on = |text: &str, index| HostAddress::new(text.parse().unwrap(), Scope(index));
        assert_ne!(on("fe80::1", 2), on("fe80::1", 3));
        assert_eq!(on("2001:db8::1", 2), on("2001:db8::1", 3));
        assert_eq!(on("169.254.0.1", 2), on("169.254.0.1", 3));
        assert_eq!(on("fe80::1", 2).to_string(), "fe80::1%2");
        assert_eq!(on("2001:db8::1", 2).to_string(), "2001:db8::1");
        let socket = on("fe80::1", 2).with_port(500);
        assert_eq!((socket.to_string().as_str(), HostAddress::from(socket)), ("[fe80::1%2]:500", on("fe80::1", 2)));
        assert!(Scope::ANY.covers(Scope(2)) && Scope(2).covers(Scope(2)));
        assert!(!Scope(2).covers(Scope(3)) && !Scope(2).covers(Scope::ANY));
    }
}
