//! Traffic that no filter is for, whatever it says: the default exemptions, with the values that `NoDefaultExempt` has on Windows.
//!
//! IKE itself is exempt with any value, by the sockets that it uses; so it is not among what follows.
use super::selector::{Flow, Prefix, Selector};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

#[cfg(test)]
mod tests;

/// The protocol of resource reservations (RFC 2205).
const RSVP: u8 = 46;
/// TCP and UDP.
const WITH_PORTS: [u8; 2] = [6, 17];
/// The port of Kerberos (RFC 4120 §7.2).
const KERBEROS: u16 = 88;

/// What is exempt.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum DefaultExemptions {
    /// 0: multicast and broadcast, RSVP, and Kerberos.
    All,
    /// 1: multicast and broadcast.
    Multicast,
    /// 2: RSVP and Kerberos.
    Services,
    /// 3: nothing that leaves. Multicast and broadcast that arrive are exempt all the same.
    #[default]
    Least,
}

impl DefaultExemptions {
    /// By its number.
    pub const fn from_number(number: u32) -> Option<Self> {
        match number {
            0 => Some(Self::All),
            1 => Some(Self::Multicast),
            2 => Some(Self::Services),
            3 => Some(Self::Least),
            _ => None,
        }
    }

    /// The traffic, where `broadcasts` are the addresses by which this host's networks are meant as a whole.
    pub fn traffic(self, broadcasts: &[Ipv4Addr]) -> Vec<Selector> {
        let any = [IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::UNSPECIFIED)].map(whole);
        let mut traffic = Vec::new();
        let groups =
            [block(Ipv4Addr::new(224, 0, 0, 0).into(), 4), block(Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0).into(), 8)];
        let networks = [Ipv4Addr::BROADCAST].iter().chain(broadcasts).map(|address| Prefix::host((*address).into()));
        for many in groups.into_iter().flatten().chain(networks) {
            let any = if many.address().is_ipv4() { any[0] } else { any[1] };
            // What arrives has the group on this side.
            traffic.push(Selector::between(many, any));
            if matches!(self, Self::All | Self::Multicast) {
                traffic.push(Selector::between(any, many));
            }
        }
        if matches!(self, Self::All | Self::Services) {
            for any in any {
                let all = Selector::between(any, any);
                traffic.push(Selector { protocol: RSVP, ..all });
                for protocol in WITH_PORTS {
                    traffic.push(Selector { protocol, local_port: KERBEROS, ..all });
                    traffic.push(Selector { protocol, remote_port: KERBEROS, ..all });
                }
            }
        }
        traffic.sort_unstable();
        traffic.dedup();
        traffic
    }
}

impl super::db::PolicyDb {
    /// The same policy with other exempt traffic.
    #[must_use]
    pub fn with_exempt(mut self, exempt: Vec<Selector>) -> Self {
        self.exempt = exempt;
        self
    }

    /// The exemption that a packet falls under, if one does: then no filter decides.
    pub fn exemption(&self, flow: &Flow) -> Option<&Selector> {
        self.exempt.iter().find(|exempt| exempt.matches(flow))
    }
}

fn whole(address: IpAddr) -> Prefix {
    block(address, 0).unwrap_or_else(|| Prefix::host(address))
}

fn block(address: IpAddr, len: u8) -> Option<Prefix> {
    Prefix::new(address, len).ok()
}
