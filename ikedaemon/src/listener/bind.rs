//! Opening the sockets.
use super::Config;
use super::socket::Socket;
use crate::driver::SaDriver;
use nix::sys::socket::{setsockopt, sockopt};
use socket2::{Domain, Protocol, Type};
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd};
use tokio::net::UdpSocket;

/// Octets of a socket's receive buffer, as far as the system allows: room for a burst of a thousand peers.
const RECEIVE_BUFFER: usize = 1 << 20;

/// A socket could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Nothing was named.
    #[error("no address to listen on is given; the default is 0.0.0.0 and [::], ports 500 and 4500")]
    NoAddress,
    /// The system refused.
    #[error("cannot {step} on UDP {address}: {error}{}", mend(error, *address))]
    System {
        /// What was tried: `listen`, `receive destination addresses`.
        step: &'static str,
        /// Where.
        address: SocketAddr,
        /// Why not.
        error: io::Error,
    },
    /// The driver refused.
    #[error("the SA driver {driver} cannot prepare the socket on UDP {address}: {error}")]
    Driver {
        /// The driver.
        driver: &'static str,
        /// The socket.
        address: SocketAddr,
        /// Why not.
        error: io::Error,
    },
}

/// What helps.
fn mend(error: &io::Error, address: SocketAddr) -> String {
    let port = address.port();
    match error.kind() {
        io::ErrorKind::AddrInUse => format!(
            "; another program, most likely another IKE daemon, has it: `ss -ulpn sport = :{port}` shows which; stop it, \
             or listen on another address"
        ),
        io::ErrorKind::PermissionDenied if port < 1024 => {
            "; ports below 1024 need root or CAP_NET_BIND_SERVICE, or listen on a higher port".to_owned()
        }
        io::ErrorKind::AddrNotAvailable => {
            "; no interface of this host has that address: `ip address` lists them; a link-local address needs its \
             interface: [fe80::1%eth0]"
                .to_owned()
        }
        _ => String::new(),
    }
}

/// Opens every socket of `config`.
pub(super) fn all(config: &Config, driver: &mut dyn SaDriver) -> Result<Vec<Socket>, BindError> {
    let mut sockets = Vec::new();
    for address in &config.addresses {
        match one(*address, address.port() == config.nat_t_port, driver) {
            Ok(socket) => sockets.push(socket),
            Err(error) if is_without_ipv6(&error) && config.addresses.iter().any(SocketAddr::is_ipv4) => {
                tracing::warn!(target: "policyagent::listener", "IPv6 is left out: {error}");
            }
            Err(error) => return Err(error),
        }
    }
    if sockets.is_empty() { Err(BindError::NoAddress) } else { Ok(sockets) }
}

/// True if every address of IPv6 was wanted and the system has none.
fn is_without_ipv6(error: &BindError) -> bool {
    let BindError::System { address, error, .. } = error else { return false };
    let missing = matches!(error.raw_os_error(), Some(libc::EAFNOSUPPORT | libc::EADDRNOTAVAIL));
    missing && address.is_ipv6() && address.ip().is_unspecified()
}

fn one(address: SocketAddr, encapsulation: bool, driver: &mut dyn SaDriver) -> Result<Socket, BindError> {
    let failed = |step| move |error: io::Error| BindError::System { step, address, error };
    let domain = Domain::for_address(address);
    let socket = socket2::Socket::new(domain, Type::DGRAM.nonblocking().cloexec(), Some(Protocol::UDP))
        .map_err(failed("open a socket"))?;
    // SO_REUSEADDR is not set: a second daemon on the same port must fail, not share it.
    let told = match address {
        SocketAddr::V4(_) => setsockopt(&socket, sockopt::Ipv4PacketInfo, &true)
            .and_then(|()| setsockopt(&socket, sockopt::Ipv4RecvErr, &true)),
        SocketAddr::V6(_) => setsockopt(&socket, sockopt::Ipv6V6Only, &true)
            .and_then(|()| setsockopt(&socket, sockopt::Ipv6RecvPacketInfo, &true))
            .and_then(|()| setsockopt(&socket, sockopt::Ipv6RecvErr, &true)),
    };
    told.map_err(|errno| failed("receive destination addresses")(errno.into()))?;
    // What the system allows is enough; the default is 208 kB.
    let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
    prepare_descriptor(socket.as_fd(), address, encapsulation, driver)?;
    socket.bind(&address.into()).map_err(failed("listen"))?;
    let bound = socket.local_addr().map_err(failed("learn the port"))?.as_socket().unwrap_or(address);
    let socket = UdpSocket::from_std(socket.into()).map_err(failed("wait for datagrams"))?;
    Ok(Socket { socket, bound, encapsulation })
}

/// Has the driver prepare an open socket.
pub(super) fn prepare(socket: &Socket, driver: &mut dyn SaDriver) -> Result<(), BindError> {
    prepare_descriptor(socket.socket.as_fd(), socket.bound, socket.encapsulation, driver)
}

fn prepare_descriptor(
    socket: BorrowedFd<'_>,
    address: SocketAddr,
    encapsulation: bool,
    driver: &mut dyn SaDriver,
) -> Result<(), BindError> {
    driver.prepare_socket(socket, address.is_ipv6(), encapsulation).map_err(|error| BindError::Driver {
        driver: driver.capabilities().name,
        address,
        error,
    })
}
