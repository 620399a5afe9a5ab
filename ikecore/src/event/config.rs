//! What happens between phase 1 and quick mode: extended authentication and Mode Config.
use core::fmt;
use std::net::IpAddr;

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
    /// No address was left for the peer.
    PoolExhausted {
        /// Of which pool.
        pool: String,
        /// The family: `IPv4` or `IPv6`.
        family: &'static str,
    },
    /// The peer gave this host addresses and more.
    Configured {
        /// What it gave, for people.
        text: String,
        /// The gateway's words for the user.
        banner: Option<String>,
    },
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
            Self::PoolExhausted { pool, family } => write!(f, "pool {pool:?} has no {family} address left"),
            Self::Configured { text, .. } => write!(f, "given by mode config: {text}"),
            Self::AddressReturned(address) => write!(f, "address {address} is returned"),
        }
    }
}
