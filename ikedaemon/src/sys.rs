//! The only `unsafe` code of the workspace: system calls that no maintained crate wraps. Each block says why it is sound.
#![allow(unsafe_code, reason = "this is the one module where it is allowed")]

use socket2::Socket;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::task::{Context, Poll};
use tokio::io::unix::{AsyncFd, AsyncFdReadyGuard};

/// An instant as the clocks of this place show it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LocalTime {
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
    /// 0 to 60.
    pub second: u8,
}

/// The local time `seconds` after 1970-01-01 00:00:00 UTC, by the variable `TZ` or the zone of the system; `None` for
/// a year that the C library cannot hold. The `time` crate refuses this in a process with several threads, because
/// one of them might change the environment; none of this daemon does.
pub fn local_time(seconds: i64) -> Option<LocalTime> {
    let mut broken = std::mem::MaybeUninit::<libc::tm>::uninit();
    // SAFETY: both pointers are valid for the call, and the result is written to before it is read: localtime_r fills
    // the whole structure unless it returns null.
    let broken = unsafe {
        if libc::localtime_r(&raw const seconds, broken.as_mut_ptr()).is_null() {
            return None;
        }
        broken.assume_init()
    };
    let small = |value: libc::c_int| u8::try_from(value).ok();
    Some(LocalTime {
        month: small(broken.tm_mon)?.checked_add(1)?,
        day: small(broken.tm_mday)?,
        hour: small(broken.tm_hour)?,
        minute: small(broken.tm_min)?,
        second: small(broken.tm_sec)?,
    })
}

/// The name of an address by the system's resolver; `None` if it has none.
pub fn host_name(address: std::net::IpAddr) -> Option<String> {
    let socket = socket2::SockAddr::from(std::net::SocketAddr::new(address, 0));
    let mut name = [0_u8; 1025];
    let room = libc::socklen_t::try_from(name.len()).ok()?;
    // SAFETY: the address is one of the length that is given; the name is written within its room, and ends with a zero.
    let failed = unsafe {
        libc::getnameinfo(
            socket.as_ptr().cast(),
            socket.len(),
            name.as_mut_ptr().cast(),
            room,
            std::ptr::null_mut(),
            0,
            libc::NI_NAMEREQD,
        )
    };
    let name = std::ffi::CStr::from_bytes_until_nul(&name).ok()?;
    (failed == 0).then(|| name.to_string_lossy().into_owned())
}

nix::ioctl_write_ptr_bad!(
    /// `TUNSETIFF`: makes the open `/dev/net/tun` a device.
    tun_set_interface,
    libc::TUNSETIFF,
    libc::ifreq
);

/// Makes `tun`, an open `/dev/net/tun`, a TUN device without packet information headers. `pattern` is a name, or one
/// with `%d` for which the kernel takes the lowest free number. Returns the device's name.
pub fn attach_tun(tun: BorrowedFd<'_>, pattern: &str) -> io::Result<String> {
    let flags = libc::c_short::try_from(libc::IFF_TUN | libc::IFF_NO_PI).unwrap_or(0);
    let mut request =
        libc::ifreq { ifr_name: [0; libc::IFNAMSIZ], ifr_ifru: libc::__c_anonymous_ifr_ifru { ifru_flags: flags } };
    // The last octet stays zero.
    let room = request.ifr_name.iter_mut().take(libc::IFNAMSIZ - 1);
    room.zip(pattern.as_bytes()).for_each(|(to, from)| *to = libc::c_char::from_ne_bytes([*from]));
    // SAFETY: the descriptor is open for the call's duration, and TUNSETIFF reads and writes one ifreq, which the kernel
    // is given a pointer to; ioctl's generated signature wants a const pointer, but the value is owned here and mutable.
    unsafe { tun_set_interface(tun.as_raw_fd(), &raw mut request) }?;
    let name = request.ifr_name.iter().take_while(|octet| **octet != 0);
    Ok(name.map(|octet| char::from(octet.to_ne_bytes()[0])).collect())
}

/// Gives a socket an IPsec policy of its own, `info` being a `struct xfrm_userpolicy_info` (`IP_XFRM_POLICY`,
/// `IPV6_XFRM_POLICY`).
pub fn set_socket_policy(socket: BorrowedFd<'_>, ipv6: bool, info: &[u8]) -> io::Result<()> {
    /// From `linux/in.h` and `linux/in6.h`; the libc crate has only some of them.
    const IP_XFRM_POLICY: libc::c_int = 17;
    const IPV6_XFRM_POLICY: libc::c_int = 35;
    let (level, option) = if ipv6 { (libc::SOL_IPV6, IPV6_XFRM_POLICY) } else { (libc::SOL_IP, IP_XFRM_POLICY) };
    set_socket_option(socket, level, option, info)
}

/// What the path of a connected socket takes: octets of an IP datagram (`IP_MTU`, `IPV6_MTU`).
pub fn path_mtu(socket: BorrowedFd<'_>, ipv6: bool) -> io::Result<usize> {
    let (level, option) = if ipv6 { (libc::SOL_IPV6, libc::IPV6_MTU) } else { (libc::SOL_IP, libc::IP_MTU) };
    let mut octets: libc::c_int = 0;
    let mut len = libc::socklen_t::try_from(size_of_val(&octets)).unwrap_or_default();
    let value = (&raw mut octets).cast();
    // SAFETY: the descriptor is open for the call's duration; the kernel writes at most `len` octets, one integer, to
    // `octets`, and the length to `len`; both are live.
    let result = unsafe { libc::getsockopt(socket.as_raw_fd(), level, option, value, &raw mut len) };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    usize::try_from(octets).map_err(io::Error::other)
}

/// Has the runtime that runs now tell when `fd` can be read, or has an error.
pub fn watch(fd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    let interest = tokio::io::Interest::READABLE | tokio::io::Interest::ERROR;
    // SAFETY: an OwnedFd is open until it is dropped, which the AsyncFd does after its registration ended, and always
    // gives the same number.
    let watched = unsafe { AsyncFd::register_with_interest(fd, interest) };
    Ok(watched?)
}

/// Sets the socket option `name` of `level` to the octets of `value`.
pub(crate) fn set_socket_option(
    socket: BorrowedFd<'_>,
    level: libc::c_int,
    name: libc::c_int,
    value: &[u8],
) -> io::Result<()> {
    let length = libc::socklen_t::try_from(value.len()).map_err(io::Error::other)?;
    // SAFETY: the descriptor is open as long as it is borrowed; the kernel reads `length` octets of `value` and keeps no
    // reference to them.
    let result = unsafe { libc::setsockopt(socket.as_raw_fd(), level, name, value.as_ptr().cast(), length) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// A socket watched by tokio.
#[derive(Debug)]
pub(crate) struct WatchedSocket(AsyncFd<Socket>);

impl WatchedSocket {
    /// Has tokio watch `socket`, which must not block.
    pub(crate) fn new(socket: Socket) -> io::Result<Self> {
        // SAFETY: a `Socket` owns one descriptor, always gives that same one, and closes it only when dropped; nobody
        // else reaches it here.
        unsafe { AsyncFd::register(socket) }.map(Self).map_err(io::Error::from)
    }

    /// Waits until there is something to receive.
    pub(crate) fn poll_read_ready(&self, context: &mut Context<'_>) -> Poll<io::Result<AsyncFdReadyGuard<'_, Socket>>> {
        self.0.poll_read_ready(context)
    }
}

/// Gives up every capability of this process but CAP_NET_ADMIN, CAP_NET_RAW and CAP_NET_BIND_SERVICE, for good: also
/// what it executes gets no others. To be called before there is a second thread: capabilities belong to threads.
/// A capability of the three that the process does not have is not gained.
pub fn drop_capabilities() -> io::Result<()> {
    /// From `linux/capability.h`; the libc crate does not have them.
    #[repr(C)]
    struct Header {
        version: u32,
        pid: libc::c_int,
    }
    #[repr(C)]
    #[derive(Clone, Copy, Default)]
    struct Data {
        effective: u32,
        permitted: u32,
        inheritable: u32,
    }
    const VERSION_3: u32 = 0x2008_0522;
    /// CAP_NET_BIND_SERVICE, CAP_NET_ADMIN, CAP_NET_RAW.
    const KEPT: [u32; 3] = [10, 12, 13];
    let kept = KEPT.iter().fold(0, |set, capability| set | 1u32 << capability);

    let done = |result: libc::c_long| if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) };
    let mut header = Header { version: VERSION_3, pid: 0 };
    // Two sets of 32 bits each.
    let mut data = [Data::default(); 2];
    // SAFETY: version 3 reads one header and writes two data structures; both are live and laid out as the kernel's.
    done(unsafe { libc::syscall(libc::SYS_capget, &raw mut header, data.as_mut_ptr()) })?;
    // Dropping from the bounding set needs CAP_SETPCAP; who does not have it cannot gain anything by executing either,
    // as of the flag below.
    let [low, _] = data;
    if low.effective & 1 << 8 != 0 {
        for capability in (0..64).filter(|capability| !KEPT.contains(capability)) {
            // SAFETY: takes integers only.
            let result = unsafe { libc::prctl(libc::PR_CAPBSET_DROP, libc::c_ulong::from(capability), 0, 0, 0) };
            if result != 0 {
                let error = io::Error::last_os_error();
                // This kernel has no more capabilities.
                if error.raw_os_error() == Some(libc::EINVAL) {
                    break;
                }
                return Err(error);
            }
        }
    }
    // SAFETY: takes integers only.
    done(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }.into())?;
    let narrowed = Data { effective: low.permitted & kept, permitted: low.permitted & kept, inheritable: 0 };
    let data = [narrowed, Data::default()];
    // SAFETY: version 3 reads one header and two data structures; both are live and laid out as the kernel's.
    done(unsafe { libc::syscall(libc::SYS_capset, &raw mut header, data.as_ptr()) })
}

/// Has a packet socket receive the frames of the interface with this number, or of all interfaces for 0: every protocol,
/// in both directions.
pub fn bind_packet_socket(socket: BorrowedFd<'_>, interface: u32) -> io::Result<()> {
    let every_protocol = u16::try_from(libc::ETH_P_ALL).map_err(io::Error::other)?;
    let address = libc::sockaddr_ll {
        sll_family: libc::sa_family_t::try_from(libc::AF_PACKET).map_err(io::Error::other)?,
        sll_protocol: every_protocol.to_be(),
        sll_ifindex: libc::c_int::try_from(interface).map_err(io::Error::other)?,
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: 0,
        sll_addr: [0; 8],
    };
    let length = libc::socklen_t::try_from(size_of_val(&address)).map_err(io::Error::other)?;
    // SAFETY: the descriptor is open as long as it is borrowed; the kernel reads the address, which has the length that is
    // given, and keeps no reference to it.
    let result = unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), length) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// How many frames a packet socket had no room for since this was asked last (`PACKET_STATISTICS`).
pub fn lost_packets(socket: BorrowedFd<'_>) -> io::Result<u32> {
    let mut statistics = libc::tpacket_stats { tp_packets: 0, tp_drops: 0 };
    let mut length = libc::socklen_t::try_from(size_of_val(&statistics)).map_err(io::Error::other)?;
    let value = (&raw mut statistics).cast();
    let (level, name) = (libc::SOL_PACKET, libc::PACKET_STATISTICS);
    // SAFETY: the descriptor is open as long as it is borrowed; the kernel writes at most `length` octets, those of the
    // structure, and the length; both are live.
    let result = unsafe { libc::getsockopt(socket.as_raw_fd(), level, name, value, &raw mut length) };
    if result == 0 { Ok(statistics.tp_drops) } else { Err(io::Error::last_os_error()) }
}
