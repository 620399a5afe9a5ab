//! Frames of this host's interfaces, as they come and go.
mod filter;

use std::collections::BTreeMap;
use std::io::{self, IoSliceMut};
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::time::{Duration, Instant};

use ikedaemon::sys;
use nix::errno::Errno;
use nix::net::if_::{if_indextoname, if_nametoindex};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::socket::{ControlMessageOwned, LinkAddr, MsgFlags, recvmsg, setsockopt, sockopt};
use nix::sys::time::{TimeSpec, TimeVal, TimeValLike as _};
use socket2::{Domain, Socket, Type};

use super::file::{Frame, LinkType, Timestamp};

/// The name for all interfaces.
pub(crate) const ANY: &str = "any";

/// How long a silent interface is waited for before it is looked whether this shall end.
const LOOK_EVERY_MILLISECONDS: i64 = 100;

/// More than any frame has, segmentation offload included.
const LARGEST: usize = 1 << 18;

/// Room for frames that are not yet read, in octets.
const ROOM: usize = 1 << 23;

/// The type of a loopback interface (`ARPHRD_LOOPBACK`), and of a frame that leaves (`PACKET_OUTGOING`).
const LOOPBACK: u16 = 772;
const OUTGOING: u8 = 4;

/// Why nothing is captured.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LiveError {
    /// There is no such interface.
    #[error("interface {0:?}: there is none of this name; `any` is all of them")]
    Interface(String),
    /// The kernel refused a packet socket.
    #[error("interface {interface:?}: {error}{}", if matches!(error.raw_os_error(), Some(1 | 13)) { ": capturing needs CAP_NET_RAW" } else { "" })]
    Socket {
        /// The interface.
        interface: String,
        /// What it said.
        error: io::Error,
    },
}

/// A running capture.
pub(crate) struct Live {
    interface: String,
    socket: Socket,
    signals: SignalFd,
    until: Option<Instant>,
    buffer: Vec<u8>,
    names: BTreeMap<u32, Option<String>>,
}

impl Live {
    /// Begins to capture; what comes or goes after the return is in it. Without `all` the kernel hands over only what may
    /// have to do with IPsec. An interrupt, SIGTERM, or the end of `duration` ends it.
    pub(crate) fn open(interface: &str, all: bool, duration: Option<Duration>) -> Result<Self, LiveError> {
        let number = match interface {
            ANY => 0,
            name => if_nametoindex(name).map_err(|_| LiveError::Interface(name.to_owned()))?,
        };
        let begin = || -> io::Result<(Socket, SignalFd)> {
            let mut signals = SigSet::empty();
            [Signal::SIGINT, Signal::SIGTERM].into_iter().for_each(|signal| signals.add(signal));
            signals.thread_block()?;
            let signals = SignalFd::with_flags(&signals, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?;
            // Without a protocol it receives nothing until it is bound, so nothing comes past the filter.
            let socket = Socket::new(Domain::PACKET, Type::DGRAM, None)?;
            if !all {
                socket.attach_filter(&filter::ipsec())?;
            }
            // The second is for those who may not go beyond the system's limit.
            if setsockopt(&socket, sockopt::RcvBufForce, &ROOM).is_err() {
                setsockopt(&socket, sockopt::RcvBuf, &ROOM)?;
            }
            setsockopt(&socket, sockopt::ReceiveTimestampns, &true)?;
            setsockopt(&socket, sockopt::ReceiveTimeout, &TimeVal::milliseconds(LOOK_EVERY_MILLISECONDS))?;
            sys::bind_packet_socket(socket.as_fd(), number)?;
            Ok((socket, signals))
        };
        let failed = |error| LiveError::Socket { interface: interface.to_owned(), error };
        let (socket, signals) = begin().map_err(failed)?;
        let until = duration.map(|duration| Instant::now() + duration);
        let interface = interface.to_owned();
        Ok(Self { interface, socket, signals, until, buffer: vec![0; LARGEST], names: BTreeMap::new() })
    }

    /// The next frame; `None` at the end.
    pub(crate) fn next(&mut self) -> Option<Result<Frame, LiveError>> {
        while !self.shall_end() {
            match self.receive() {
                Ok(Some(frame)) => return Some(Ok(frame)),
                Ok(None) | Err(Errno::EAGAIN | Errno::EINTR) => {}
                Err(error) => {
                    let interface = self.interface.clone();
                    return Some(Err(LiveError::Socket { interface, error: error.into() }));
                }
            }
        }
        None
    }

    /// How many frames the kernel had no room for.
    pub(crate) fn lost(&self) -> u32 {
        sys::lost_packets(self.socket.as_fd()).unwrap_or(0)
    }

    fn shall_end(&mut self) -> bool {
        let over = self.until.is_some_and(|until| Instant::now() >= until);
        over || matches!(self.signals.read_signal(), Ok(Some(_)))
    }

    /// One frame; `None` for one that is there twice.
    fn receive(&mut self) -> Result<Option<Frame>, Errno> {
        let mut control = nix::cmsg_space!(TimeSpec);
        let mut parts = [IoSliceMut::new(&mut self.buffer)];
        // With the flag the length is that of the whole frame.
        let flags = MsgFlags::MSG_TRUNC;
        let received = recvmsg::<LinkAddr>(self.socket.as_raw_fd(), &mut parts, Some(&mut control), flags)?;
        let Some(from) = received.address else { return Ok(None) };
        let length = received.bytes;
        let time = received.cmsgs()?.find_map(|message| match message {
            ControlMessageOwned::ScmTimestampns(time) => Some(Timestamp {
                seconds: u64::try_from(time.tv_sec()).ok()?,
                nanoseconds: u32::try_from(time.tv_nsec()).ok()?,
            }),
            _ => None,
        });
        // What goes through the loopback interface leaves and arrives.
        if from.hatype() == LOOPBACK && from.pkttype() == OUTGOING {
            return Ok(None);
        }
        let interface = u32::try_from(from.ifindex()).unwrap_or(0);
        let head = cooked(&from, interface);
        let octets = [&head[..], self.buffer.get(..length).unwrap_or(&self.buffer)].concat();
        let named = |number: &u32| if_indextoname(*number).ok().and_then(|name| name.into_string().ok());
        let name = self.names.entry(interface).or_insert_with_key(named).clone();
        Ok(Some(Frame { time, link: LinkType::LINUX_SLL2, interface: name, original: head.len() + length, octets }))
    }
}

/// What stands before a packet in captures of the type Linux cooked v2.
fn cooked(from: &LinkAddr, interface: u32) -> [u8; 20] {
    let mut head = [0; 20];
    let length = from.halen().min(6);
    let address = from.addr().unwrap_or_default();
    let fields = [
        // As it came, in network order.
        &from.protocol().to_ne_bytes()[..],
        &[0, 0],
        &interface.to_be_bytes(),
        &from.hatype().to_be_bytes(),
        &[from.pkttype(), u8::try_from(length).unwrap_or(0)],
        address.get(..length).unwrap_or_default(),
    ]
    .concat();
    head.iter_mut().zip(fields).for_each(|(to, octet)| *to = octet);
    head
}
