//! The addresses and interfaces of this machine.
use ikecore::address::{HostAddress, Scope, is_link_local};
use nix::net::if_::InterfaceFlags;
use nix::sys::socket::SockaddrIn;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use crate::link::Interface;

/// What a policy is compiled for.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Machine {
    /// The addresses that `me` stands for, in order: of interfaces that are up, without loopback and link-local ones.
    pub(crate) addresses: BTreeSet<IpAddr>,
    /// The link-local addresses: `me` stands for them where the other side is link-local.
    pub(crate) on_links: BTreeSet<HostAddress>,
    /// The broadcast addresses of its networks.
    pub(crate) broadcasts: BTreeSet<Ipv4Addr>,
    /// The interfaces, up or not.
    pub(crate) interfaces: BTreeMap<Interface, Scope>,
}

impl Machine {
    /// This machine.
    pub(crate) fn this() -> std::io::Result<Self> {
        let mut machine = Self::default();
        for interface in nix::ifaddrs::getifaddrs().map_err(std::io::Error::from)? {
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
            if let Some(v4) = address.as_sockaddr_in() {
                machine.add(IpAddr::V4(v4.ip()).into());
            }
            if let Some(v6) = address.as_sockaddr_in6() {
                machine.add(HostAddress::new(IpAddr::V6(v6.ip()), Scope(v6.scope_id())));
            }
        }
        Ok(machine)
    }

    fn add(&mut self, address: HostAddress) {
        if is_me(address.ip()) {
            self.addresses.insert(address.ip());
        } else if is_link_local(address.ip()) {
            self.on_links.insert(address);
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
}

/// The address of all hosts of a network; networks of one or two have none (RFC 3021).
const fn broadcast(address: Ipv4Addr, mask: Ipv4Addr) -> Option<Ipv4Addr> {
    let hosts = !mask.to_bits();
    if hosts > 1 { Some(Ipv4Addr::from_bits(address.to_bits() | hosts)) } else { None }
}

/// Loopback traffic does not leave the machine, and a link-local address means nothing without its link.
fn is_me(address: IpAddr) -> bool {
    let link_local = match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    };
    !address.is_loopback() && !address.is_unspecified() && !link_local
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn me_is_no_loopback_and_no_link_local_address() {
        for address in ["127.0.0.1", "::1", "169.254.1.1", "fe80::1", "0.0.0.0"] {
            assert!(!is_me(address.parse().unwrap()), "{address}");
        }
        for address in ["10.0.0.1", "2001:db8::1", "fd00::1"] {
            assert!(is_me(address.parse().unwrap()), "{address}");
        }
        let machine = Machine::this().unwrap();
        assert!(machine.addresses.iter().all(|address| !address.is_loopback()));
        let lo = machine.link("lo".parse().unwrap()).expect("every machine has it");
        assert_eq!(machine.link(lo.0.to_string().parse().unwrap()), Some(lo));
        assert_eq!(machine.link("no-such-link".parse().unwrap()), None);
    }

    #[test]
    fn link_local_addresses_are_kept_with_their_links() {
        let mut machine = Machine::default();
        let on = |index| HostAddress::new("fe80::1".parse().unwrap(), Scope(index));
        [on(2), on(3), "10.0.0.1".parse::<IpAddr>().unwrap().into()].into_iter().for_each(|one| machine.add(one));
        assert_eq!((machine.addresses.len(), machine.on_links), (1, [on(2), on(3)].into()));
    }

    #[test]
    fn a_network_has_a_broadcast_address_unless_it_is_a_link() {
        let of = |mask: [u8; 4]| broadcast(Ipv4Addr::new(10, 9, 1, 4), mask.into());
        assert_eq!(of([255, 255, 255, 0]), Some(Ipv4Addr::new(10, 9, 1, 255)));
        assert_eq!(of([255, 255, 255, 252]), Some(Ipv4Addr::new(10, 9, 1, 7)));
        assert_eq!((of([255, 255, 255, 254]), of([255; 4])), (None, None));
    }
}
