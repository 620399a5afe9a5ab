//! Where the service listens, as the command line and the settings write it.
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

/// `ADDR` or `ADDR:PORT`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Listen {
    address: IpAddr,
    port: Option<u16>,
}

impl Listen {
    /// The addresses with ports: the one given, else those of IKE and of NAT traversal.
    pub(crate) fn sockets(self, nat_t_port: u16) -> Vec<SocketAddr> {
        let ports = self.port.map_or_else(|| vec![500, nat_t_port], |port| vec![port]);
        ports.into_iter().map(|port| SocketAddr::new(self.address, port)).collect()
    }
}

/// No place to listen.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0:?} is no place to listen, allowed: ADDRESS, ADDRESS:PORT, [IPV6-ADDRESS]:PORT")]
pub(crate) struct NoListen(String);

impl FromStr for Listen {
    type Err = NoListen;

    fn from_str(text: &str) -> Result<Self, NoListen> {
        let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
        if let Ok(address) = bare.parse() {
            return Ok(Self { address, port: None });
        }
        let socket: SocketAddr = text.parse().map_err(|_| NoListen(text.to_owned()))?;
        Ok(Self { address: socket.ip(), port: Some(socket.port()) })
    }
}
