//! A PF_KEY socket: questions and the answers to them.
use super::codec::{CodecError, Extension, Header, Message, MessageType, SaType};
use crate::sys::WatchedSocket;
use nix::errno::Errno;
use socket2::{Domain, Protocol, Socket, Type};
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::AsFd;
use zeroize::{Zeroize, Zeroizing};

/// The protocol number of PF_KEY version 2 sockets (RFC 2367 §1.3).
const PF_KEY_V2: i32 = 2;

/// The largest message: an ACQUIRE that lists all combinations of algorithms exceeds 4 KB, and 16 bits of length allow
/// 512 KB; the kernel sends none above 64 KB.
const MESSAGE_LEN: usize = 65_536;

/// Octets that wait in the kernel. It drops messages silently when there are more.
const RECEIVE_BUFFER: usize = 4 << 20;

/// The first sequence number. Linux takes the sequence number of a request also as the number of an ACQUIRE that the
/// request answers, and numbers its own from 1: ours stay clear of them.
const FIRST_SEQUENCE: u32 = 0x5041_0000;

/// A request failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum LinkError {
    /// The kernel refused it.
    #[error("{0}")]
    Refused(Errno),
    /// The socket failed.
    #[error("the PF_KEY socket: {0}")]
    Socket(#[from] io::Error),
    /// The kernel's answer is no message.
    #[error("the kernel's answer is malformed: {0}")]
    Malformed(#[from] CodecError),
    /// Linux answers before the request's system call returns, unless memory is short.
    #[error("the kernel did not answer")]
    Silent,
    /// The answer lacks something.
    #[error("the kernel's answer lacks {0}")]
    Lacks(&'static str),
}

impl LinkError {
    /// True if the kernel said `errno`.
    pub(super) fn is(&self, errno: Errno) -> bool {
        matches!(self, Self::Refused(found) if *found == errno)
    }
}

/// A socket.
pub(super) struct Link {
    socket: Socket,
    process: u32,
    sequence: u32,
    /// For what arrives. It may hold keys: everyone with a PF_KEY socket is told of new SAs, keys included.
    buffer: Zeroizing<Vec<u8>>,
}

impl Link {
    /// Opens a socket that never blocks.
    pub(super) fn open() -> io::Result<Self> {
        let socket = Socket::new(Domain::from(libc::AF_KEY), Type::RAW, Some(Protocol::from(PF_KEY_V2)))?;
        socket.set_nonblocking(true)?;
        // The right to exceed the system's limit is not everyone's; the limit itself is then the next best.
        if nix::sys::socket::setsockopt(&socket.as_fd(), nix::sys::socket::sockopt::RcvBufForce, &RECEIVE_BUFFER)
            .is_err()
        {
            socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
        }
        let buffer = Zeroizing::new(vec![0; MESSAGE_LEN]);
        Ok(Self { socket, process: std::process::id(), sequence: FIRST_SEQUENCE, buffer })
    }

    /// Tells when there is something to receive.
    pub(super) fn watch(&self) -> io::Result<WatchedSocket> {
        WatchedSocket::new(self.socket.try_clone()?)
    }

    /// Sends a request and returns the answer.
    pub(super) fn ask(
        &mut self,
        kind: MessageType,
        sa_type: SaType,
        extensions: Vec<Extension>,
    ) -> Result<Message, LinkError> {
        let sequence = self.send(kind, sa_type, extensions)?;
        loop {
            let answer = self.next_answer(kind)?;
            if answer.header.sequence == sequence {
                return Ok(answer);
            }
        }
    }

    /// Asks for all SAs or policies.
    pub(super) fn dump(&mut self, kind: MessageType) -> Result<Vec<Message>, LinkError> {
        self.send(kind, SaType::UNSPECIFIED, Vec::new())?;
        let mut entries = Vec::new();
        loop {
            match self.next_answer(kind) {
                Ok(entry) => {
                    // Linux counts in the sequence number and ends with 0.
                    let last = entry.header.sequence == 0;
                    entries.push(entry);
                    if last {
                        return Ok(entries);
                    }
                }
                // There are none.
                Err(error) if error.is(Errno::ENOENT) => return Ok(entries),
                Err(error) => return Err(error),
            }
        }
    }

    /// Sends a request; returns its sequence number.
    fn send(&mut self, kind: MessageType, sa_type: SaType, extensions: Vec<Extension>) -> Result<u32, LinkError> {
        // Whatever came before is no answer to this, and must not take its place in the buffer.
        while self.receive()?.is_some() {}
        self.sequence = self.sequence.checked_add(1).unwrap_or(FIRST_SEQUENCE);
        let header = Header { kind, errno: 0, sa_type, sequence: self.sequence, process: self.process };
        let request = Message { header, extensions }.encode();
        (&self.socket).write_all(&request)?;
        Ok(self.sequence)
    }

    /// The next message of type `kind` to this process; an error if the kernel refused.
    fn next_answer(&mut self, kind: MessageType) -> Result<Message, LinkError> {
        loop {
            let message = self.receive()?.ok_or(LinkError::Silent)?;
            let Message { header, .. } = match message {
                Ok(ref message) => message,
                Err(error) => return Err(error.into()),
            };
            if header.kind != kind || header.process != self.process {
                continue;
            }
            if header.errno != 0 {
                return Err(LinkError::Refused(Errno::from_raw(header.errno.into())));
            }
            return Ok(message?);
        }
    }

    /// The next message, whatever it is; `None` if there is none.
    pub(super) fn receive(&mut self) -> io::Result<Option<Result<Message, CodecError>>> {
        loop {
            match (&self.socket).read(&mut self.buffer) {
                Ok(len) => {
                    let octets = self.buffer.get_mut(..len).unwrap_or_default();
                    let message = Message::decode(octets);
                    octets.zeroize();
                    return Ok(Some(message));
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}
