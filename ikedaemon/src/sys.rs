//! The only `unsafe` code of the workspace: system calls that no maintained crate wraps. Each block says why it is sound.
#![allow(unsafe_code, reason = "this is the one module where it is allowed")]

use socket2::Socket;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::task::{Context, Poll};
use tokio::io::unix::{AsyncFd, AsyncFdReadyGuard};

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
