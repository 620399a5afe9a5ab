//! What packets go through: the TUN device and the raw sockets.
use super::filter::exempt_socket;
use super::fragment::fragments;
use super::packet::{NewHeader, Packet, protocol};
use super::plane::Arrival;
use super::{DEVICE, INJECTED_MARK, MARK};
use crate::sys;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrIn6, UnknownCmsg, recvmsg, setsockopt, sockopt};
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use std::fs::{File, OpenOptions};
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::ops::Range;
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::os::unix::fs::OpenOptionsExt as _;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// The device node of TUN.
const NODE: &str = "/dev/net/tun";
/// Octets of the sockets' buffers; the kernel may give less.
const BUFFER: usize = 2 << 20;
/// Octets of control messages with AH: more extension headers than packets have.
const EXTENSIONS_ROOM: usize = 8192;
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

/// The IPv6 extension headers that stand in front of AH, as control messages and the headers' types (RFC 3542 §8 and §9).
const EXTENSIONS: [(libc::c_int, libc::c_int, u8); 3] = [
    (libc::IPV6_RECVHOPOPTS, libc::IPV6_HOPOPTS, protocol::HOP_BY_HOP),
    (libc::IPV6_RECVRTHDR, libc::IPV6_RTHDR, protocol::ROUTING),
    (libc::IPV6_RECVDSTOPTS, libc::IPV6_DSTOPTS, protocol::DESTINATION_OPTIONS),
];

fn raw(domain: Domain, number: u8) -> io::Result<Socket> {
    let ipv6 = domain == Domain::IPV6;
    let socket = Socket::new(domain, Type::RAW.nonblocking(), Some(Protocol::from(i32::from(number))))?;
    socket.set_mark(MARK)?;
    exempt_socket(socket.as_fd(), ipv6)?;
    if ipv6 {
        socket.set_header_included_v6(true)?;
        setsockopt(&socket, sockopt::Ipv6RecvPacketInfo, &true)?;
        setsockopt(&socket, sockopt::Ipv6RecvHopLimit, &true)?;
        setsockopt(&socket, sockopt::Ipv6RecvTClass, &true)?;
        if number == protocol::AH {
            for (receive, ..) in EXTENSIONS {
                sys::set_socket_option(socket.as_fd(), libc::IPPROTO_IPV6, receive, &1_i32.to_ne_bytes())?;
            }
        }
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
    /// For ESP, and for AH.
    v4: [Socket; 2],
    /// Where there is IPv6: the same, and one to give decrypted packets to this host.
    v6: Option<([Socket; 2], Socket)>,
}

impl RawSockets {
    /// Opens them. The error tells what to do about it.
    pub(super) fn open() -> Result<Self, String> {
        let both = |domain| -> io::Result<_> { Ok([raw(domain, protocol::ESP)?, raw(domain, protocol::AH)?]) };
        let v4 = both(Domain::IPV4).map_err(|error| {
            format!("open raw sockets for ESP and AH: {error}: they need CAP_NET_RAW and CAP_NET_ADMIN")
        })?;
        let v6 = || -> io::Result<_> {
            let inject = Socket::new(Domain::IPV6, Type::RAW.nonblocking(), Some(Protocol::from(libc::IPPROTO_RAW)))?;
            inject.set_header_included_v6(true)?;
            inject.set_mark(INJECTED_MARK)?;
            exempt_socket(inject.as_fd(), true)?;
            Ok((both(Domain::IPV6)?, inject))
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
    v4: [AsyncFd<OwnedFd>; 2],
    v6: Option<([AsyncFd<OwnedFd>; 2], Socket)>,
}

/// One of the sockets: a family and a protocol.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Line {
    /// ESP over IPv4.
    EspV4,
    /// AH over IPv4.
    AhV4,
    /// ESP over IPv6.
    EspV6,
    /// AH over IPv6.
    AhV6,
}

/// A protected packet that came.
pub(super) enum Received {
    /// ESP.
    Esp {
        /// How.
        arrival: Arrival,
        /// Where in the buffer it is, from its SPI on.
        range: Range<usize>,
    },
    /// AH.
    Ah {
        /// How.
        arrival: Arrival,
        /// The IP packet.
        packet: Vec<u8>,
    },
}

impl Wires {
    /// To be called inside the runtime.
    pub(super) fn new(sockets: RawSockets) -> io::Result<Self> {
        let watch = |[esp, ah]: [Socket; 2]| -> io::Result<_> { Ok([sys::watch(esp.into())?, sys::watch(ah.into())?]) };
        let v6 = match sockets.v6 {
            Some((both, inject)) => Some((watch(both)?, inject)),
            None => None,
        };
        Ok(Self { v4: watch(sockets.v4)?, v6 })
    }

    fn socket(&self, line: Line) -> Option<&AsyncFd<OwnedFd>> {
        let [esp4, ah4] = &self.v4;
        let v6 = self.v6.as_ref().map(|(both, _)| both);
        match line {
            Line::EspV4 => Some(esp4),
            Line::AhV4 => Some(ah4),
            Line::EspV6 => v6.map(|[esp, _]| esp),
            Line::AhV6 => v6.map(|[_, ah]| ah),
        }
    }

    /// Waits for packets; for ever, if there is no such socket.
    async fn wait(&self, line: Line) -> io::Result<()> {
        match self.socket(line) {
            // Readiness stays noted until a read finds nothing.
            Some(socket) => socket.readable().await.map(|mut ready| ready.retain_ready()),
            None => std::future::pending().await,
        }
    }

    /// Waits for packets of any kind.
    pub(super) async fn wait_any(&self) -> io::Result<Line> {
        tokio::select! {
            ready = self.wait(Line::EspV4) => ready.map(|()| Line::EspV4),
            ready = self.wait(Line::AhV4) => ready.map(|()| Line::AhV4),
            ready = self.wait(Line::EspV6) => ready.map(|()| Line::EspV6),
            ready = self.wait(Line::AhV6) => ready.map(|()| Line::AhV6),
        }
    }

    /// The next packet, if there is one now. `Ok(None)`: something came that is no packet.
    pub(super) fn receive(&self, line: Line, room: &mut [u8]) -> io::Result<Option<Received>> {
        let Some(socket) = self.socket(line) else { return Err(io::ErrorKind::WouldBlock.into()) };
        socket.try_io(Interest::READABLE, |socket| match line {
            Line::EspV4 | Line::AhV4 => receive_v4(socket, room),
            Line::EspV6 | Line::AhV6 => receive_v6(socket, line == Line::AhV6, room),
        })
    }

    /// Sends an IP packet past our own table. A protected packet that its link cannot carry is fragmented.
    pub(super) fn send(&self, octets: &[u8]) {
        let Some(packet) = Packet::parse(octets) else { return };
        let result = self.send_one(packet.destination, octets);
        let too_long = result.is_err_and(|error| error.raw_os_error() == Some(libc::EMSGSIZE));
        let may_fragment = matches!(packet.protocol, protocol::ESP | protocol::AH) || !packet.dont_fragment;
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
        let [socket, _] = match (destination, &self.v6) {
            (IpAddr::V4(_), _) => &self.v4,
            (IpAddr::V6(_), Some((both, _))) => both,
            (IpAddr::V6(_), None) => return Ok(()),
        };
        SockRef::from(socket.get_ref()).send_to(octets, &address).map(drop)
    }

    /// Gives this host a decrypted IPv6 packet for one of its own addresses, marked as such.
    pub(super) fn inject(&self, destination: IpAddr, octets: &[u8]) {
        if let Some((_, inject)) = &self.v6 {
            let _ = inject.send_to(octets, &SocketAddr::new(destination, 0).into());
        }
    }
}

fn receive_v4(socket: &OwnedFd, room: &mut [u8]) -> io::Result<Option<Received>> {
    let read = nix::sys::socket::recv(socket.as_raw_fd(), room, MsgFlags::empty())?;
    let received = Packet::parse(room.get(..read).unwrap_or_default()).map(|packet| {
        let arrival = Arrival::raw(packet.source, packet.destination, packet.traffic_class, packet.hop_limit);
        match packet.protocol {
            protocol::AH => Received::Ah { arrival, packet: packet.octets.to_vec() },
            _ => Received::Esp { arrival, range: packet.header..packet.octets.len() },
        }
    });
    Ok(received)
}

/// The kernel keeps IPv6's header to itself: of AH, which covers it, it is made again from what the control messages tell.
/// What they do not tell may change on the way.
fn receive_v6(socket: &OwnedFd, ah: bool, room: &mut [u8]) -> io::Result<Option<Received>> {
    let mut control = nix::cmsg_space!(libc::in6_pktinfo, i32, i32);
    if ah {
        control.resize(EXTENSIONS_ROOM, 0);
    }
    let mut parts = [io::IoSliceMut::new(room)];
    let message = recvmsg::<SockaddrIn6>(socket.as_raw_fd(), &mut parts, Some(&mut control), MsgFlags::empty())?;
    let Some(source) = message.address.map(|address| IpAddr::V6(address.ip())) else { return Ok(None) };
    let (mut destination, mut hop_limit, mut class) = (None, super::packet::HOP_LIMIT, 0);
    let mut extensions = Vec::new();
    let mut first = protocol::AH;
    for item in message.cmsgs()? {
        match item {
            ControlMessageOwned::Ipv6PacketInfo(info) => {
                destination = Some(IpAddr::V6(Ipv6Addr::from(info.ipi6_addr.s6_addr)));
            }
            ControlMessageOwned::Ipv6HopLimit(value) => hop_limit = u8::try_from(value).unwrap_or(hop_limit),
            ControlMessageOwned::Ipv6TClass(value) => class = u8::try_from(value).unwrap_or(0),
            ControlMessageOwned::Unknown(UnknownCmsg { cmsg_header: header, data_bytes }) => {
                let kind = EXTENSIONS.into_iter().find(|(_, message, _)| *message == header.cmsg_type);
                if let Some((.., kind)) = kind.filter(|_| header.cmsg_level == libc::IPPROTO_IPV6) {
                    // They come in the order of the packet, each with the kind of the next.
                    if extensions.is_empty() {
                        first = kind;
                    }
                    extensions.extend_from_slice(&data_bytes);
                }
            }
            _ => {}
        }
    }
    let bytes = message.bytes;
    let Some(destination) = destination else { return Ok(None) };
    let arrival = Arrival::raw(source, destination, class, hop_limit);
    if !ah {
        return Ok(Some(Received::Esp { arrival, range: 0..bytes }));
    }
    let header =
        NewHeader { source, destination, traffic_class: class, hop_limit, dont_fragment: false, protocol: first };
    extensions.extend_from_slice(room.get(..bytes).unwrap_or_default());
    Ok(header.packet(&extensions).map(|packet| Received::Ah { arrival, packet }))
}
