//! Where the service listens, as the command line and the settings write it.
use ikecore::address::HostAddress;
use std::net::SocketAddr;
use std::str::FromStr;

use crate::link::{LinkError, NamedAddress, NoAddress};

/// `ADDR` or `ADDR:PORT`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Listen {
    address: HostAddress,
    port: Option<u16>,
}

impl Listen {
    /// The addresses with ports: the one given, else those of IKE and of NAT traversal.
    pub(crate) fn sockets(self, nat_t_port: u16) -> Vec<SocketAddr> {
        let ports = self.port.map_or_else(|| vec![500, nat_t_port], |port| vec![port]);
        ports.into_iter().map(|port| self.address.with_port(port)).collect()
    }
}

/// No place to listen.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum NoListen {
    /// It cannot be read.
    #[error(
        "{0:?} is no place to listen, allowed: ADDRESS, ADDRESS:PORT, [IPV6-ADDRESS]:PORT, with %INTERFACE behind a \
         link-local address"
    )]
    Text(String),
    /// Its interface is wrong.
    #[error(transparent)]
    Link(#[from] LinkError),
}

impl FromStr for Listen {
    type Err = NoListen;

    fn from_str(text: &str) -> Result<Self, NoListen> {
        let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
        let read = |text: &str| match text.parse::<NamedAddress>() {
            Ok(address) => Ok(Some(address.resolve()?)),
            Err(NoAddress::Link(error)) => Err(NoListen::from(error)),
            Err(NoAddress::Text(_)) => Ok(None),
        };
        if let Some(address) = read(bare)? {
            return Ok(Self { address, port: None });
        }
        let wrong = || NoListen::Text(text.to_owned());
        let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
        let host = match host.strip_prefix('[') {
            Some(host) => host.strip_suffix(']').filter(|host| host.contains(':')),
            None => Some(host).filter(|host| !host.contains(':')),
        };
        let address = read(host.ok_or_else(wrong)?)?.ok_or_else(wrong)?;
        Ok(Self { address, port: Some(port.parse().map_err(|_| wrong())?) })
    }
}
