//! The only `unsafe` code of the workspace: system calls that no maintained crate wraps. Each block says why it is sound.
#![allow(unsafe_code, reason = "this is the one module where it is allowed")]

// ---- for the userspace driver: TUN devices and per-socket policies ----

nix::ioctl_write_ptr_bad!(
    /// `TUNSETIFF`: makes the open `/dev/net/tun` a device.
    tun_set_interface,
    libc::TUNSETIFF,
    libc::ifreq
);

/// Makes `tun`, an open `/dev/net/tun`, a TUN device without packet information headers. `pattern` is a name, or one
/// with `%d` for which the kernel takes the lowest free number. Returns the device's name.
pub fn attach_tun(tun: std::os::fd::BorrowedFd<'_>, pattern: &str) -> std::io::Result<String> {
    use std::os::fd::AsRawFd as _;
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
pub fn set_socket_policy(socket: std::os::fd::BorrowedFd<'_>, ipv6: bool, info: &[u8]) -> std::io::Result<()> {
    use std::os::fd::AsRawFd as _;
    /// From `linux/in.h` and `linux/in6.h`; the libc crate has only some of them.
    const IP_XFRM_POLICY: libc::c_int = 17;
    const IPV6_XFRM_POLICY: libc::c_int = 35;
    let (level, option) = if ipv6 { (libc::SOL_IPV6, IPV6_XFRM_POLICY) } else { (libc::SOL_IP, IP_XFRM_POLICY) };
    let length = libc::socklen_t::try_from(info.len()).unwrap_or(0);
    // SAFETY: pointer and length are those of one live slice, which the kernel only reads; the descriptor is open.
    let result = unsafe { libc::setsockopt(socket.as_raw_fd(), level, option, info.as_ptr().cast(), length) };
    if result == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
}

/// Has the runtime that runs now tell when `fd` can be read, or has an error.
pub fn watch(fd: std::os::fd::OwnedFd) -> std::io::Result<tokio::io::unix::AsyncFd<std::os::fd::OwnedFd>> {
    let interest = tokio::io::Interest::READABLE | tokio::io::Interest::ERROR;
    // SAFETY: an OwnedFd is open until it is dropped, which the AsyncFd does after its registration ended, and always
    // gives the same number.
    let watched = unsafe { tokio::io::unix::AsyncFd::register_with_interest(fd, interest) };
    Ok(watched?)
}

// ---- end of the userspace driver's ----
