//! This machine as far as a policy goes by it: addresses, interfaces, servers, certificates.
mod certificates;
mod needs;
mod servers;
#[cfg(test)]
mod tests;

pub(crate) use certificates::Certificates;
pub(crate) use needs::Needs;

use ikecore::address::{HostAddress, Scope, is_link_local};
use nix::net::if_::InterfaceFlags;
use nix::sys::socket::SockaddrIn;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use crate::link::Interface;
use crate::model::{ConnectionType, Server};

/// What a policy is compiled for.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Machine {
    /// The addresses that `me` stands for, in order: of interfaces that are up, without loopback and link-local ones.
    pub(crate) addresses: BTreeSet<IpAddr>,
    /// The link-local addresses: `me` stands for them where the other side is link-local.
    pub(crate) on_links: BTreeSet<HostAddress>,
    /// Those of both that are on dial-up interfaces.
    pub(crate) dialup: BTreeSet<HostAddress>,
    /// The broadcast addresses of its networks.
    pub(crate) broadcasts: BTreeSet<Ipv4Addr>,
    /// The interfaces, up or not.
    pub(crate) interfaces: BTreeMap<Interface, Scope>,
    /// The servers that it was told of.
    pub(crate) servers: BTreeMap<Server, BTreeSet<HostAddress>>,
    /// Those that the SA driver can do nothing for, as they are link-local.
    pub(crate) servers_left_out: BTreeMap<Server, BTreeSet<HostAddress>>,
    /// The addresses of hosts by their names in lower case.
    pub(crate) hosts: Hosts,
    /// Its certificates, and those of the authorities that it trusts.
    pub(crate) certificates: Certificates,
}

/// The addresses of hosts by their names in lower case.
pub(crate) type Hosts = BTreeMap<String, BTreeSet<IpAddr>>;

/// Where it is written what a machine does not know by itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Sources {
    /// The root of the system's own files.
    pub(crate) system: PathBuf,
    /// The directory of the machine's certificates, `NAME.pem` beside `NAME.key`.
    pub(crate) own: PathBuf,
    /// The directory of the authorities' certificates.
    pub(crate) authorities: PathBuf,
    /// The WINS servers, if they are not to be those of Samba.
    pub(crate) wins_servers: Vec<IpAddr>,
    /// The SA driver takes policies for link-local addresses, as far as is known.
    pub(crate) link_local: bool,
}

impl Machine {
    /// This machine, as far as a policy needs it. The addresses of hosts are known already: looking them up takes time.
    pub(crate) fn this(needs: &Needs, sources: &Sources, hosts: &Hosts) -> io::Result<Self> {
        let mut machine = Self::of_interfaces()?;
        if !needs.links {
            // Other links than those of its neighbours come and go as they like.
            machine.on_links.clear();
            machine.interfaces.clear();
        }
        if !needs.connection_types {
            machine.dialup.clear();
        }
        for server in &needs.servers {
            let (servers, left_out) = sources
                .find(*server, &machine)
                .into_iter()
                .partition(|address| sources.link_local || !is_link_local(address.ip()));
            machine.servers.insert(*server, servers);
            machine.servers_left_out.insert(*server, left_out);
        }
        let needed = hosts.iter().filter(|(name, _)| needs.hosts.contains(*name));
        machine.hosts = needed.map(|(name, addresses)| (name.clone(), addresses.clone())).collect();
        if needs.certificates {
            machine.certificates = Certificates::read(&sources.own, &sources.authorities);
        }
        Ok(machine)
    }

    /// The broadcast addresses of this machine's networks.
    pub(crate) fn broadcasts() -> io::Result<BTreeSet<Ipv4Addr>> {
        Self::of_interfaces().map(|machine| machine.broadcasts)
    }

    fn of_interfaces() -> io::Result<Self> {
        let mut machine = Self::default();
        for interface in nix::ifaddrs::getifaddrs().map_err(io::Error::from)? {
            let name: Option<Interface> = interface.interface_name.parse().ok();
            if let Some((name, scope)) = name.and_then(|name| Some((name, name.scope()?))) {
                machine.interfaces.insert(name, scope);
            }
            let Some(address) = interface.address else { continue };
            if !interface.flags.contains(InterfaceFlags::IFF_UP) {
                continue;
            }
            let mask = interface.netmask.filter(|_| interface.flags.contains(InterfaceFlags::IFF_BROADCAST));
            let mask = mask.and_then(|mask| mask.as_sockaddr_in().map(SockaddrIn::ip));
            let network = address.as_sockaddr_in().map(SockaddrIn::ip).zip(mask);
            machine.broadcasts.extend(network.and_then(|(address, mask)| broadcast(address, mask)));
            let dialup = is_dialup(&interface.interface_name, interface.flags);
            if let Some(v4) = address.as_sockaddr_in() {
                machine.add(IpAddr::V4(v4.ip()).into(), dialup);
            }
            if let Some(v6) = address.as_sockaddr_in6() {
                machine.add(HostAddress::new(IpAddr::V6(v6.ip()), Scope(v6.scope_id())), dialup);
            }
        }
        Ok(machine)
    }

    fn add(&mut self, address: HostAddress, dialup: bool) {
        if is_me(address.ip()) {
            self.addresses.insert(address.ip());
        } else if is_link_local(address.ip()) {
            self.on_links.insert(address);
        } else {
            return;
        }
        if dialup {
            self.dialup.insert(address);
        }
    }

    /// The link of an interface that is named, or numbered; none if it is not there.
    pub(crate) fn link(&self, interface: Interface) -> Option<Scope> {
        let numbered = || {
            let scope = Scope(interface.as_str().parse().ok()?);
            self.interfaces.values().any(|known| *known == scope).then_some(scope)
        };
        self.interfaces.get(&interface).copied().or_else(numbered)
    }

    /// The address with the name of its interface, for people.
    pub(crate) fn named(&self, address: HostAddress) -> String {
        let named = self.interfaces.iter().find(|(_, scope)| **scope == address.scope());
        named.map_or_else(|| address.to_string(), |(name, _)| format!("{}%{name}", address.ip()))
    }

    /// The addresses of interfaces of a type that are not link-local.
    pub(crate) fn addresses_of(&self, connection: ConnectionType) -> impl Iterator<Item = IpAddr> {
        self.addresses.iter().copied().filter(move |address| self.is_of((*address).into(), connection))
    }

    /// The link-local addresses of interfaces of a type.
    pub(crate) fn on_links_of(&self, connection: ConnectionType) -> impl Iterator<Item = HostAddress> {
        self.on_links.iter().copied().filter(move |address| self.is_of(*address, connection))
    }

    fn is_of(&self, address: HostAddress, connection: ConnectionType) -> bool {
        match connection {
            ConnectionType::All => true,
            ConnectionType::Lan => !self.dialup.contains(&address),
            ConnectionType::Dialup => self.dialup.contains(&address),
        }
    }
}

/// The address of all hosts of a network; networks of one or two have none (RFC 3021).
const fn broadcast(address: Ipv4Addr, mask: Ipv4Addr) -> Option<Ipv4Addr> {
    let hosts = !mask.to_bits();
    if hosts > 1 { Some(Ipv4Addr::from_bits(address.to_bits() | hosts)) } else { None }
}

/// Loopback traffic does not leave the machine, and a link-local address means nothing without its link.
pub(crate) fn is_me(address: IpAddr) -> bool {
    let link_local = match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    };
    !address.is_loopback() && !address.is_unspecified() && !link_local
}

/// What has one peer at its other end is dialled, as PPP and tunnels. Modems of mobile networks may say otherwise.
fn is_dialup(name: &str, flags: InterfaceFlags) -> bool {
    flags.contains(InterfaceFlags::IFF_POINTOPOINT) || ["ppp", "wwan"].iter().any(|prefix| name.starts_with(prefix))
}
