//! What the system knows of the path to a peer.
use crate::driver::SaDriver;
use crate::sys;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd;

/// Octets of an IP datagram, header included, that the path from `local` to `remote` takes as far as the system knows: by its
/// interfaces and routes, and by what routers said of datagrams sent before. Nothing is sent for it. `driver` prepares the
/// socket like those that send, which the policies do not touch.
pub fn path_mtu(local: SocketAddr, remote: SocketAddr, driver: &mut dyn SaDriver) -> io::Result<usize> {
    let kind = Type::DGRAM.nonblocking().cloexec();
    let socket = Socket::new(Domain::for_address(remote), kind, Some(Protocol::UDP))?;
    driver.prepare_socket(socket.as_fd(), remote.is_ipv6(), false)?;
    let mut from = local;
    from.set_port(0);
    socket.bind(&from.into())?;
    socket.connect(&remote.into())?;
    sys::path_mtu(socket.as_fd(), remote.is_ipv6())
}
