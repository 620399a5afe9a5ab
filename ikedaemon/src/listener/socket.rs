//! One socket: datagrams with the address that they were sent to, and ICMP errors that stop nothing.
use nix::errno::Errno;
use nix::sys::socket::{ControlMessage, ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, sendmsg};
use std::io::{self, IoSlice, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::AsRawFd;
use std::task::{Context, Poll};
use tokio::io::Interest;
use tokio::net::UdpSocket;

/// ICMP errors taken off a socket at once.
const MAX_ICMP: u64 = 64;

/// A socket that is bound.
#[derive(Debug)]
pub(super) struct Socket {
    pub(super) socket: UdpSocket,
    /// Its address, unspecified for all, and its port.
    pub(super) bound: SocketAddr,
    /// Whether it is of the NAT-T port.
    pub(super) encapsulation: bool,
}

/// What reading gave.
#[derive(Debug)]
pub(super) enum Taken {
    Datagram {
        local: SocketAddr,
        remote: SocketAddr,
        length: usize,
    },
    NotUnicast,
    /// That many ICMP errors.
    Icmp(u64),
    Error(io::Error),
}

impl Socket {
    pub(super) fn poll_receive(&self, context: &mut Context<'_>, buffer: &mut [u8]) -> Poll<Taken> {
        loop {
            match self.socket.poll_recv_ready(context) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Taken::Error(error)),
                Poll::Pending => return Poll::Pending,
            }
            match self.socket.try_io(Interest::READABLE, || self.receive(buffer).map_err(io::Error::from)) {
                Ok(taken) => return Poll::Ready(taken),
                // Not ready after all: the next turn of the loop registers for when it is.
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
                // With IP_RECVERR an ICMP error about an earlier datagram comes as the error of the next call.
                Err(error) => {
                    let count = self.take_icmp();
                    return Poll::Ready(if count > 0 { Taken::Icmp(count) } else { Taken::Error(error) });
                }
            }
        }
    }

    fn receive(&self, buffer: &mut [u8]) -> nix::Result<Taken> {
        let mut parts = [IoSliceMut::new(buffer)];
        let mut control = nix::cmsg_space!(libc::in6_pktinfo, libc::in_pktinfo);
        let fd = self.socket.as_raw_fd();
        let message = recvmsg::<SockaddrStorage>(fd, &mut parts, Some(&mut control), MsgFlags::empty())?;
        let Some(remote) = message.address.as_ref().and_then(socket_address) else { return Err(Errno::EAFNOSUPPORT) };
        let mut local = None;
        for control in message.cmsgs()? {
            local = match control {
                ControlMessageOwned::Ipv4PacketInfo(info) => self.addressed_v4(&info),
                ControlMessageOwned::Ipv6PacketInfo(info) => self.addressed_v6(&info),
                _ => continue,
            };
        }
        Ok(local.map_or(Taken::NotUnicast, |local| Taken::Datagram { local, remote, length: message.bytes }))
    }

    /// The address that a datagram was sent to, unless that was a broadcast or multicast address: then the one that
    /// the system would answer from differs from it.
    fn addressed_v4(&self, info: &libc::in_pktinfo) -> Option<SocketAddr> {
        (info.ipi_addr.s_addr == info.ipi_spec_dst.s_addr).then(|| {
            let address = Ipv4Addr::from(u32::from_be(info.ipi_addr.s_addr));
            SocketAddr::from((address, self.bound.port()))
        })
    }

    fn addressed_v6(&self, info: &libc::in6_pktinfo) -> Option<SocketAddr> {
        let address = Ipv6Addr::from(info.ipi6_addr.s6_addr);
        let scope = if address.is_unicast_link_local() { info.ipi6_ifindex } else { 0 };
        (!address.is_multicast()).then(|| SocketAddrV6::new(address, self.bound.port(), 0, scope).into())
    }

    /// Sends `head` and `octets` as one datagram; also gives how many ICMP errors were found on the way.
    pub(super) fn send(
        &self,
        local: SocketAddr,
        remote: SocketAddr,
        head: &[u8],
        octets: &[u8],
    ) -> (io::Result<()>, u64) {
        let parts = [IoSlice::new(head), IoSlice::new(octets)];
        let mut result = self.send_once(local, remote, &parts);
        let mut icmp = 0;
        // The error may be that of an earlier datagram, to whomever; then it is on the socket's queue, and the call
        // has sent nothing.
        if result.is_err_and(|errno| errno != Errno::EAGAIN) {
            icmp = self.take_icmp();
            result = self.send_once(local, remote, &parts);
        }
        (result.map_err(io::Error::from), icmp)
    }

    fn send_once(&self, local: SocketAddr, remote: SocketAddr, parts: &[IoSlice<'_>]) -> nix::Result<()> {
        let (v4, v6);
        let control = match local.ip() {
            address if address.is_unspecified() => None,
            IpAddr::V4(address) => {
                let address = libc::in_addr { s_addr: u32::from(address).to_be() };
                v4 = libc::in_pktinfo { ipi_ifindex: 0, ipi_spec_dst: address, ipi_addr: address };
                Some(ControlMessage::Ipv4PacketInfo(&v4))
            }
            IpAddr::V6(address) => {
                let scope = if let SocketAddr::V6(local) = local { local.scope_id() } else { 0 };
                v6 = libc::in6_pktinfo { ipi6_addr: libc::in6_addr { s6_addr: address.octets() }, ipi6_ifindex: scope };
                Some(ControlMessage::Ipv6PacketInfo(&v6))
            }
        };
        let to = SockaddrStorage::from(remote);
        let fd = self.socket.as_raw_fd();
        sendmsg(fd, parts, control.as_slice(), MsgFlags::MSG_NOSIGNAL, Some(&to)).map(|_| ())
    }

    /// Takes ICMP errors off the socket's queue and tells them; they are hints only, since anybody can forge them.
    fn take_icmp(&self) -> u64 {
        let mut count = 0;
        while count < MAX_ICMP {
            let mut octets = [0; 0];
            let mut parts = [IoSliceMut::new(&mut octets)];
            let mut control =
                nix::cmsg_space!(libc::sock_extended_err, libc::sockaddr_in6, libc::in6_pktinfo, libc::in_pktinfo);
            let flags = MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT;
            let fd = self.socket.as_raw_fd();
            let Ok(message) = recvmsg::<SockaddrStorage>(fd, &mut parts, Some(&mut control), flags) else { break };
            count += 1;
            // The address of an error's message is where the datagram was sent to.
            let to = message.address.as_ref().and_then(socket_address);
            let errors = message.cmsgs().into_iter().flatten();
            for (error, by) in errors.filter_map(extended_error) {
                let error = Errno::from_raw(i32::try_from(error.ee_errno).unwrap_or_default());
                let show = |address: Option<String>| address.unwrap_or_else(|| "unknown".to_owned());
                tracing::debug!(
                    target: "policyagent::listener",
                    "a datagram to {} was not delivered, says {}: {}",
                    show(to.map(|to| to.to_string())),
                    show(by.map(|by| by.to_string())),
                    error.desc()
                );
            }
        }
        count
    }
}

fn extended_error(control: ControlMessageOwned) -> Option<(libc::sock_extended_err, Option<IpAddr>)> {
    match control {
        ControlMessageOwned::Ipv4RecvErr(error, by) => {
            Some((error, by.map(|by| Ipv4Addr::from(u32::from_be(by.sin_addr.s_addr)).into())))
        }
        ControlMessageOwned::Ipv6RecvErr(error, by) => {
            Some((error, by.map(|by| Ipv6Addr::from(by.sin6_addr.s6_addr).into())))
        }
        _ => None,
    }
}

fn socket_address(address: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = address.as_sockaddr_in().map(|v4| SocketAddr::V4(SocketAddrV4::from(*v4)));
    v4.or_else(|| address.as_sockaddr_in6().map(|v6| SocketAddr::V6(SocketAddrV6::from(*v6))))
}
