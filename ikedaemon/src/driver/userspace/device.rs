//! What packets go through: the TUN device and the raw sockets.
use super::filter::exempt_socket;
use super::fragment::fragments;
use super::packet::{Packet, protocol};
use super::plane::Arrival;
use super::{DEVICE, INJECTED_MARK, MARK};
use crate::sys;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrIn6, recvmsg, setsockopt, sockopt};
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use std::fs::{File, OpenOptions};
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::os::unix::fs::OpenOptionsExt as _;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// The device node of TUN.
const NODE: &str = "/dev/net/tun";
/// Octets of the sockets' buffers; the kernel may give less.
const BUFFER: usize = 2 << 20;
/// What every path carries: IPv6's minimum, and then IPv4's.
const SMALL_MTUS: [usize; 2] = [1280, 576];

/// The TUN device; the kernel removes it when this is dropped.
pub(super) struct Tun {
    file: File,
    /// Its name.
    pub(super) name: String,
}

impl Tun {
    /// Makes the device. The error tells what to do about it.
    pub(super) fn open() -> Result<Self, String> {
        let file =
            OpenOptions::new().read(true).write(true).custom_flags(libc::O_NONBLOCK).open(NODE).map_err(|error| {
                let advice = match error.kind() {
                    io::ErrorKind::NotFound => "load the module tun, or have a container given the device",
                    io::ErrorKind::PermissionDenied => {
                        "allow this user to open it (for example chmod 0666), or be root"
                    }
                    _ => "is the module tun loaded?",
                };
                format!("open {NODE}: {error}: {advice}")
            })?;
        let name = sys::attach_tun(file.as_fd(), DEVICE).map_err(|error| {
            let advice = match error.kind() {
                io::ErrorKind::PermissionDenied => ": it needs CAP_NET_ADMIN in this network namespace",
                _ => "",
            };
            format!("make a TUN device: {error}{advice}")
        })?;
        Ok(Self { file, name })
    }
}

/// Registers with the runtime that runs now.
pub(super) struct Device {
    tun: AsyncFd<OwnedFd>,
}

impl Device {
    /// To be called inside the runtime.
    pub(super) fn new(tun: Tun) -> io::Result<Self> {
        Ok(Self { tun: sys::watch(tun.file.into())? })
    }

    /// The next packet.
    pub(super) async fn read(&self, room: &mut [u8]) -> io::Result<usize> {
        loop {
            // A device that was deleted has an error, and nothing to read.
            let mut ready = self.tun.ready(Interest::READABLE | Interest::ERROR).await?;
            if let Ok(result) = ready.try_io(|tun| nix::unistd::read(tun.get_ref(), room).map_err(io::Error::from)) {
                return result;
            }
        }
    }

    /// Another packet, if there is one now.
    pub(super) fn read_more(&self, room: &mut [u8]) -> Option<usize> {
        nix::unistd::read(self.tun.get_ref(), room).ok()
    }

    /// Gives a packet to the host; it is dropped if there is no room.
    pub(super) fn write(&self, packet: &[u8]) {
        let _ = nix::unistd::write(self.tun.get_ref(), packet);
    }
}

fn raw(domain: Domain) -> io::Result<Socket> {
    let ipv6 = domain == Domain::IPV6;
    let socket = Socket::new(domain, Type::RAW.nonblocking(), Some(Protocol::from(i32::from(protocol::ESP))))?;
    socket.set_mark(MARK)?;
    exempt_socket(socket.as_fd(), ipv6)?;
    if ipv6 {
        socket.set_header_included_v6(true)?;
        setsockopt(&socket, sockopt::Ipv6RecvPacketInfo, &true)?;
        setsockopt(&socket, sockopt::Ipv6RecvHopLimit, &true)?;
        setsockopt(&socket, sockopt::Ipv6RecvTClass, &true)?;
    } else {
        socket.set_header_included_v4(true)?;
    }
    // Smaller buffers than asked for are no failure.
    let _ = socket.set_recv_buffer_size(BUFFER);
    let _ = socket.set_send_buffer_size(BUFFER);
    Ok(socket)
}

/// The raw sockets, before there is a runtime.
pub(super) struct RawSockets {
    v4: Socket,
    /// Where there is IPv6: for ESP, and to give decrypted packets to this host.
    v6: Option<(Socket, Socket)>,
}

impl RawSockets {
    /// Opens them. The error tells what to do about it.
    pub(super) fn open() -> Result<Self, String> {
        let v4 = raw(Domain::IPV4)
            .map_err(|error| format!("open a raw socket for ESP: {error}: it needs CAP_NET_RAW and CAP_NET_ADMIN"))?;
        let v6 = || -> io::Result<_> {
            let inject = Socket::new(Domain::IPV6, Type::RAW.nonblocking(), Some(Protocol::from(libc::IPPROTO_RAW)))?;
            inject.set_header_included_v6(true)?;
            inject.set_mark(INJECTED_MARK)?;
            exempt_socket(inject.as_fd(), true)?;
            Ok((raw(Domain::IPV6)?, inject))
        };
        // IPv6 may be absent from the kernel or switched off.
        Ok(Self { v4, v6: v6().ok().filter(|_| ipv6_enabled()) })
    }

    /// True if there is IPv6.
    pub(super) const fn has_ipv6(&self) -> bool {
        self.v6.is_some()
    }
}

fn ipv6_enabled() -> bool {
    std::fs::read_to_string("/proc/sys/net/ipv6/conf/all/disable_ipv6").is_ok_and(|value| value.trim() == "0")
}

/// The raw sockets at work.
pub(super) struct Wires {
    v4: AsyncFd<OwnedFd>,
    v6: Option<(AsyncFd<OwnedFd>, Socket)>,
}

/// An ESP packet that came.
pub(super) struct Received {
    /// How.
    pub(super) arrival: Arrival,
    /// Where in the buffer it begins, from its SPI on.
    pub(super) start: usize,
    /// Where it ends.
    pub(super) end: usize,
}

impl Wires {
    /// To be called inside the runtime.
    pub(super) fn new(sockets: RawSockets) -> io::Result<Self> {
        let v6 = match sockets.v6 {
            Some((esp, inject)) => Some((sys::watch(esp.into())?, inject)),
            None => None,
        };
        Ok(Self { v4: sys::watch(sockets.v4.into())?, v6 })
    }

    /// Waits for packets of IPv4.
    pub(super) async fn wait_v4(&self) -> io::Result<()> {
        // Readiness stays noted until a read finds nothing.
        self.v4.readable().await.map(|mut ready| ready.retain_ready())
    }

    /// Waits for packets of IPv6; for ever, if there is none.
    pub(super) async fn wait_v6(&self) -> io::Result<()> {
        match &self.v6 {
            Some((socket, _)) => socket.readable().await.map(|mut ready| ready.retain_ready()),
            None => std::future::pending().await,
        }
    }

    /// The next packet of IPv4, if there is one now. `Ok(None)`: something came that is no packet.
    pub(super) fn receive_v4(&self, room: &mut [u8]) -> io::Result<Option<Received>> {
        let read = self.v4.try_io(Interest::READABLE, |socket| {
            nix::sys::socket::recv(socket.as_raw_fd(), room, MsgFlags::empty()).map_err(io::Error::from)
        })?;
        let received = Packet::parse(room.get(..read).unwrap_or_default()).map(|packet| Received {
            arrival: Arrival::raw(packet.source, packet.destination, packet.traffic_class, packet.hop_limit),
            start: packet.header,
            end: packet.octets.len(),
        });
        Ok(received)
    }

    /// The next packet of IPv6, if there is one now.
    pub(super) fn receive_v6(&self, room: &mut [u8]) -> io::Result<Option<Received>> {
        let Some((socket, _)) = &self.v6 else { return Err(io::ErrorKind::WouldBlock.into()) };
        let mut control = nix::cmsg_space!(libc::in6_pktinfo, i32, i32);
        socket.try_io(Interest::READABLE, |socket| {
            let mut parts = [io::IoSliceMut::new(room)];
            let flags = MsgFlags::empty();
            let message = recvmsg::<SockaddrIn6>(socket.as_raw_fd(), &mut parts, Some(&mut control), flags)?;
            let Some(source) = message.address.map(|address| IpAddr::V6(address.ip())) else { return Ok(None) };
            let (mut destination, mut hop_limit, mut class) = (None, super::packet::HOP_LIMIT, 0);
            for item in message.cmsgs()? {
                match item {
                    ControlMessageOwned::Ipv6PacketInfo(info) => {
                        destination = Some(IpAddr::V6(Ipv6Addr::from(info.ipi6_addr.s6_addr)));
                    }
                    ControlMessageOwned::Ipv6HopLimit(value) => hop_limit = u8::try_from(value).unwrap_or(hop_limit),
                    ControlMessageOwned::Ipv6TClass(value) => class = u8::try_from(value).unwrap_or(0),
                    _ => {}
                }
            }
            Ok(destination.map(|destination| Received {
                arrival: Arrival::raw(source, destination, class, hop_limit),
                start: 0,
                end: message.bytes,
            }))
        })
    }

    /// Sends an IP packet past our own table. An ESP packet that its link cannot carry is fragmented.
    pub(super) fn send(&self, octets: &[u8]) {
        let Some(packet) = Packet::parse(octets) else { return };
        let result = self.send_one(packet.destination, octets);
        let too_long = result.is_err_and(|error| error.raw_os_error() == Some(libc::EMSGSIZE));
        let may_fragment = packet.protocol == protocol::ESP || !packet.dont_fragment;
        if !too_long || !may_fragment {
            return;
        }
        for mtu in SMALL_MTUS {
            let mut parts = fragments(&packet, mtu).into_iter();
            if parts.all(|part| self.send_one(packet.destination, &part).is_ok()) {
                return;
            }
        }
    }

    fn send_one(&self, destination: IpAddr, octets: &[u8]) -> io::Result<()> {
        let address = SocketAddr::new(destination, 0).into();
        match (destination, &self.v6) {
            (IpAddr::V4(_), _) => SockRef::from(self.v4.get_ref()).send_to(octets, &address).map(drop),
            (IpAddr::V6(_), Some((socket, _))) => SockRef::from(socket.get_ref()).send_to(octets, &address).map(drop),
            (IpAddr::V6(_), None) => Ok(()),
        }
    }

    /// Gives this host a decrypted IPv6 packet for one of its own addresses, marked as such.
    pub(super) fn inject(&self, destination: IpAddr, octets: &[u8]) {
        if let Some((_, inject)) = &self.v6 {
            let _ = inject.send_to(octets, &SocketAddr::new(destination, 0).into());
        }
    }
}
