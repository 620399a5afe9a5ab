//! The addresses of this machine.
use std::collections::BTreeSet;
use std::net::IpAddr;

/// The addresses that `me` stands for, in order: of interfaces that are up, without loopback and link-local ones.
pub(crate) fn local_addresses() -> std::io::Result<BTreeSet<IpAddr>> {
    let interfaces = nix::ifaddrs::getifaddrs().map_err(std::io::Error::from)?;
    let addresses = interfaces
        .filter(|interface| interface.flags.contains(nix::net::if_::InterfaceFlags::IFF_UP))
        .filter_map(|interface| {
            let address = interface.address?;
            let v4 = address.as_sockaddr_in().map(|v4| IpAddr::V4(v4.ip()));
            v4.or_else(|| address.as_sockaddr_in6().map(|v6| IpAddr::V6(v6.ip())))
        });
    Ok(addresses.filter(|address| is_me(*address)).collect())
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
        assert!(local_addresses().unwrap().iter().all(|address| !address.is_loopback()));
    }
}
