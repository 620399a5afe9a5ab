//! What happens between phase 1 and quick mode: extended authentication and Mode Config.
use crate::policy::pool::Pool;
use crate::policy::selector::Prefix;
use core::fmt;
use std::net::IpAddr;
use std::sync::Arc;

/// A step of extended authentication or Mode Config.
#[derive(Clone, Debug)]
pub enum ConfigEvent {
    /// The peer's user has proven by name and password who it is.
    UserAdmitted {
        /// The name.
        user: String,
    },
    /// The peer has admitted this host's user.
    AdmittedByPeer {
        /// What it said besides.
        message: Option<String>,
    },
    /// The peer was given addresses.
    AddressesGiven {
        /// Of which pool.
        pool: String,
        /// The addresses.
        addresses: Vec<IpAddr>,
    },
    /// There is no address for the peer.
    NoAddress(MissingAddress),
    /// The peer gave this host addresses and more.
    Configured(Box<Configuration>),
    /// An address that the peer had given is this host's no more.
    AddressReturned(IpAddr),
}

impl fmt::Display for ConfigEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UserAdmitted { user } => write!(f, "user {user:?} is admitted by extended authentication"),
            Self::AdmittedByPeer { message: Some(message) } => {
                write!(f, "the peer admits this host's user: {message}")
            }
            Self::AdmittedByPeer { message: None } => f.write_str("the peer admits this host's user"),
            Self::AddressesGiven { pool, addresses } => {
                let list: Vec<String> = addresses.iter().map(ToString::to_string).collect();
                write!(f, "{} of pool {pool:?} given by mode config", list.join(", "))
            }
            Self::NoAddress(missing) => write!(f, "{missing}"),
            Self::Configured(configuration) => write!(f, "given by mode config: {configuration}"),
            Self::AddressReturned(address) => write!(f, "address {address} is returned"),
        }
    }
}

/// An address that the peer wants by Mode Config and does not get, and why.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MissingAddress {
    /// It is one of IPv4.
    pub ipv4: bool,
    /// The rule of the ISAKMP SA.
    pub rule: String,
    /// The rule's pool, if it has one.
    pub pool: Option<Arc<Pool>>,
}

impl MissingAddress {
    /// True if the pool has addresses of the family, and they are all held.
    pub fn is_exhausted(&self) -> bool {
        self.pool.as_ref().is_some_and(|pool| pool.has(self.ipv4))
    }
}

impl fmt::Display for MissingAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { ipv4, rule, pool } = self;
        let family = if *ipv4 { "IPv4" } else { "IPv6" };
        let Some(pool) = pool else { return write!(f, "rule {rule:?} has no pool to give an {family} address of") };
        let ranges: Vec<String> = pool.ranges.iter().map(ToString::to_string).collect();
        write!(f, "pool {:?} ({}) of rule {rule:?} has no {family} ", pool.name, ranges.join(", "))?;
        f.write_str(if self.is_exhausted() { "address left" } else { "addresses" })
    }
}

/// What a host is given.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Configuration {
    /// Its addresses, of each family at most one.
    pub addresses: Vec<IpAddr>,
    /// Name servers.
    pub dns: Vec<IpAddr>,
    /// The networks behind the gateway; none: everything.
    pub split_networks: Vec<Prefix>,
    /// The domain that names without one are completed with.
    pub domain: Option<String>,
    /// What the gateway wants shown.
    pub banner: Option<String>,
}

impl fmt::Display for Configuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |items: &[String]| if items.is_empty() { "none".to_owned() } else { items.join(", ") };
        let text = |addresses: &[IpAddr]| list(&addresses.iter().map(ToString::to_string).collect::<Vec<_>>());
        write!(f, "address {}, name servers {}", text(&self.addresses), text(&self.dns))?;
        if !self.split_networks.is_empty() {
            write!(f, ", networks {}", list(&self.split_networks.iter().map(ToString::to_string).collect::<Vec<_>>()))?;
        }
        if let Some(domain) = &self.domain {
            write!(f, ", domain {domain:?}")?;
        }
        Ok(())
    }
}

impl Configuration {
    /// The address of a family.
    pub fn address(&self, ipv4: bool) -> Option<IpAddr> {
        self.addresses.iter().copied().find(|address| address.is_ipv4() == ipv4)
    }
}
