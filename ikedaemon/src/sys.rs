//! The only `unsafe` code of the workspace: system calls that no maintained crate wraps. Each block says why it is sound.
#![allow(unsafe_code, reason = "this is the one module where it is allowed")]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

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
