//! Interfaces by name: the links that link-local addresses are on, as people write and read them (RFC 4007 §11).
use ikecore::address::{HostAddress, Scope, is_link_local};
use nix::net::if_::{if_indextoname, if_nametoindex};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

/// The name of an interface, or its index.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Interface {
    octets: [u8; Self::MAX],
    len: usize,
}

impl Interface {
    /// Octets that a name has at most (`IFNAMSIZ` without the zero behind it).
    const MAX: usize = 15;

    /// The name.
    pub(crate) fn as_str(&self) -> &str {
        self.octets.get(..self.len).and_then(|octets| str::from_utf8(octets).ok()).unwrap_or_default()
    }

    /// The interface of this machine with that name, or, if there is none, with that index.
    pub(crate) fn scope(&self) -> Option<Scope> {
        let named = if_nametoindex(self.as_str()).ok();
        let numbered = || self.as_str().parse().ok().filter(|index| name_of(*index).is_some());
        named.or_else(numbered).map(Scope)
    }

    /// The name of a link of this machine; of one that is gone, its index. Nothing for [`Scope::ANY`].
    pub(crate) fn of(scope: Scope) -> Option<Self> {
        let name = || name_of(scope.0).unwrap_or_else(|| scope.0.to_string());
        if scope == Scope::ANY { None } else { name().parse().ok() }
    }
}

impl FromStr for Interface {
    type Err = NoInterface;

    fn from_str(text: &str) -> Result<Self, NoInterface> {
        let allowed = |octet: u8| octet.is_ascii_graphic() && !matches!(octet, b'/' | b'%' | b'[' | b']');
        let mut octets = [0; Self::MAX];
        match octets.get_mut(..text.len()) {
            Some(place) if !text.is_empty() && text.bytes().all(allowed) => place.copy_from_slice(text.as_bytes()),
            _ => return Err(NoInterface(text.to_owned())),
        }
        Ok(Self { octets, len: text.len() })
    }
}

impl fmt::Display for Interface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Interface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.as_str())
    }
}

/// Some systems answer for what is not there with an empty name.
fn name_of(index: u32) -> Option<String> {
    let name = if_indextoname(index).ok()?.into_string().ok()?;
    (!name.is_empty()).then_some(name)
}

/// No name of an interface.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0:?} is no interface, allowed: its name (1 to 15 octets) or its index")]
pub(crate) struct NoInterface(String);

/// What is wrong with an address and its interface.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum LinkError {
    /// It needs an interface.
    #[error(
        "{0} is link-local, so that every interface can have a host with it; allowed: the address and its interface, as in \
         \"{0}%eth0\""
    )]
    Missing(IpAddr),
    /// It has none.
    #[error("{0} is not link-local (fe80::/10) and has no interface; allowed: \"{0}\"")]
    Useless(IpAddr),
    /// That is none.
    #[error(transparent)]
    Interface(#[from] NoInterface),
    /// There is none of that name.
    #[error("this machine has no interface {0:?}")]
    Absent(Interface),
}

/// The address of a host as people name it: a link-local one with its interface.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct NamedAddress {
    ip: IpAddr,
    interface: Option<Interface>,
}

/// No address.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum NoAddress {
    /// It cannot be read.
    #[error(
        "{0:?} is no address, allowed: an address of IPv4 or IPv6, a link-local one with its interface (fe80::1%eth0)"
    )]
    Text(String),
    /// Its interface is wrong.
    #[error(transparent)]
    Link(#[from] LinkError),
}

impl NamedAddress {
    /// The address with the index of its interface.
    pub(crate) fn resolve(self) -> Result<HostAddress, LinkError> {
        let scope = match self.interface {
            Some(interface) => interface.scope().ok_or(LinkError::Absent(interface))?,
            None => Scope::ANY,
        };
        Ok(HostAddress::new(self.ip, scope))
    }
}

impl FromStr for NamedAddress {
    type Err = NoAddress;

    fn from_str(text: &str) -> Result<Self, NoAddress> {
        let (address, interface) = split(text);
        let ip: IpAddr = address.parse().map_err(|_| NoAddress::Text(text.to_owned()))?;
        let interface = interface.map(str::parse).transpose().map_err(LinkError::from)?;
        match interface {
            None if is_link_local(ip) => Err(LinkError::Missing(ip).into()),
            Some(_) if !is_link_local(ip) => Err(LinkError::Useless(ip).into()),
            interface => Ok(Self { ip, interface }),
        }
    }
}

impl NamedAddress {
    /// The address without its interface.
    pub(crate) const fn ip(&self) -> IpAddr {
        self.ip
    }
}

impl fmt::Display for NamedAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.ip)?;
        self.interface.map_or(Ok(()), |interface| write!(f, "%{interface}"))
    }
}

impl fmt::Debug for NamedAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// An address and a port, as the service tells them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct NamedSocket {
    /// The address.
    pub(crate) host: NamedAddress,
    port: u16,
}

impl NamedSocket {
    /// The port.
    pub(crate) const fn port(&self) -> u16 {
        self.port
    }
}

impl From<SocketAddr> for NamedSocket {
    fn from(socket: SocketAddr) -> Self {
        let host = HostAddress::from(socket);
        let host = NamedAddress { ip: host.ip(), interface: Interface::of(host.scope()) };
        Self { host, port: socket.port() }
    }
}

impl fmt::Display for NamedSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.ip.is_ipv4() { write!(f, "{host}:{port}") } else { write!(f, "[{host}]:{port}") }
    }
}

impl FromStr for NamedSocket {
    type Err = NoAddress;

    fn from_str(text: &str) -> Result<Self, NoAddress> {
        let wrong = || NoAddress::Text(text.to_owned());
        let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        Ok(Self { host: bare.parse()?, port: port.parse().map_err(|_| wrong())? })
    }
}

impl TryFrom<String> for NamedAddress {
    type Error = NoAddress;

    fn try_from(text: String) -> Result<Self, NoAddress> {
        text.parse()
    }
}

impl From<NamedAddress> for String {
    fn from(address: NamedAddress) -> Self {
        address.to_string()
    }
}

impl TryFrom<String> for NamedSocket {
    type Error = NoAddress;

    fn try_from(text: String) -> Result<Self, NoAddress> {
        text.parse()
    }
}

impl From<NamedSocket> for String {
    fn from(socket: NamedSocket) -> Self {
        socket.to_string()
    }
}

/// The address, and what stands behind its `%`.
pub(crate) fn split(text: &str) -> (&str, Option<&str>) {
    text.split_once('%').map_or((text, None), |(address, interface)| (address, Some(interface)))
}

/// A text of the core's, in which the link `scope` is its index, with the interface's name in its place.
pub(crate) fn named(text: &str, scope: Scope) -> String {
    match Interface::of(scope) {
        Some(interface) => text.replace(&scope.to_string(), &format!("%{interface}")),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_written_with_their_interface() {
        for text in ["10.0.0.1", "2001:db8::1", "fe80::1%eth0", "fe80::1%7"] {
            assert_eq!(text.parse::<NamedAddress>().unwrap().to_string(), text);
        }
        for text in ["10.0.0.1:500", "[2001:db8::1]:500", "[fe80::1%eth0]:4500"] {
            assert_eq!(text.parse::<NamedSocket>().unwrap().to_string(), text);
        }
        let error = |text: &str| text.parse::<NamedAddress>().unwrap_err().to_string();
        assert!(error("fe80::1").contains("\"fe80::1%eth0\""), "{}", error("fe80::1"));
        assert!(error("2001:db8::1%eth0").contains("is not link-local"));
        assert!(error("10.0.0.1%eth0").contains("is not link-local"));
        assert!(error("fe80::1%").contains("\"\" is no interface"));
        assert!(error("fe80::1%a-name-too-long-for-it").contains("1 to 15 octets"));
        assert!(error("host%eth0").contains("is no address"));
    }

    #[test]
    fn interfaces_have_a_name_and_an_index() {
        let lo: Interface = "lo".parse().unwrap();
        let scope = lo.scope().expect("every machine has it");
        assert_eq!(Interface::of(scope), Some(lo));
        assert_eq!(scope.0.to_string().parse::<Interface>().unwrap().scope(), Some(scope));
        assert_eq!("no-such-link".parse::<Interface>().unwrap().scope(), None);
        assert_eq!(Interface::of(Scope::ANY), None);
        assert_eq!(Interface::of(Scope(4_000_000)).unwrap().to_string(), "4000000");
        assert_eq!(named(&format!("fe80::1{scope} <-> fe80::2{scope}"), scope), "fe80::1%lo <-> fe80::2%lo");
        let absent = "fe80::1%no-such-link".parse::<NamedAddress>().unwrap().resolve();
        assert_eq!(absent.unwrap_err().to_string(), "this machine has no interface \"no-such-link\"");
    }
}
