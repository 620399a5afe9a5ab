//! Requests to the kernel's XFRM, and its answers.
//!
//! A kernel carries out a request within the call that sends it, so the answer is there at once: this socket is an
//! ordinary blocking one. Requests and answers hold keys: their buffers are wiped, and nothing here prints a message.
use super::message::wipe;
use netlink_packet_core::{
    NLM_F_ACK, NLM_F_ACK_TLVS, NLM_F_CAPPED, NLM_F_DUMP, NLM_F_REQUEST, NetlinkBuffer, NetlinkMessage, NetlinkPayload,
    NlasIterator,
};
use netlink_packet_xfrm::XfrmMessage;
use netlink_sys::protocols::NETLINK_XFRM;
use netlink_sys::{Socket, SocketAddr};
use nix::errno::Errno;
use nix::sys::socket::{setsockopt, sockopt::ReceiveTimeout};
use nix::sys::time::TimeVal;
use std::fmt;
use std::io;
use zeroize::{Zeroize, Zeroizing};

/// Octets of a message's header.
const HEADER: usize = 16;
/// Message types that are netlink's own.
const NLMSG_NOOP: u16 = 1;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
/// `NLMSGERR_ATTR_MSG` of `linux/netlink.h`: the kernel's own words.
const NLMSGERR_ATTR_MSG: u16 = 1;
/// The longest answer; kernels fill dumps by at most 32 KiB.
const ANSWER: usize = 65_536;

/// Why the kernel refused.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Refusal {
    /// Its error number.
    pub(super) errno: Errno,
    /// Its words, where it has any.
    pub(super) text: Option<String>,
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Self {
        match error.raw_os_error() {
            Some(number) => Self { errno: Errno::from_raw(number), text: None },
            None => Self { errno: Errno::EIO, text: Some(error.to_string()) },
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.text {
            Some(text) => write!(f, "{text} ({})", self.errno.desc()),
            None => f.write_str(self.errno.desc()),
        }
    }
}

/// The socket for requests.
pub(super) struct Kernel {
    socket: Socket,
    sequence: u32,
    answer: Zeroizing<Vec<u8>>,
}

impl Kernel {
    /// Opens a socket in this thread's network namespace.
    pub(super) fn open() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_XFRM)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        // A refused request comes back with its header only: without this it would come back with its keys.
        socket.set_cap_ack(true)?;
        socket.set_ext_ack(true)?;
        // Never reached by a kernel that works: see above.
        setsockopt(&socket, ReceiveTimeout, &TimeVal::new(5, 0))?;
        Ok(Self { socket, sequence: 0, answer: Zeroizing::new(Vec::with_capacity(ANSWER)) })
    }

    /// Sends `request` and waits until the kernel has done it. `flags` are those of the header besides the usual.
    pub(super) fn request(&mut self, request: XfrmMessage, flags: u16) -> Result<(), Refusal> {
        self.exchange(request, flags, &mut |_, _| {})
    }

    /// Asks for a list and hands each element to `each`, with its message type.
    pub(super) fn dump(&mut self, request: XfrmMessage, each: &mut dyn FnMut(u16, &[u8])) -> Result<(), Refusal> {
        self.exchange(request, NLM_F_DUMP, each)
    }

    /// Sends `request`, hands each answer to `each` with its message type, and waits for the kernel's last word.
    pub(super) fn exchange(
        &mut self,
        request: XfrmMessage,
        flags: u16,
        each: &mut dyn FnMut(u16, &[u8]),
    ) -> Result<(), Refusal> {
        self.sequence = self.sequence.wrapping_add(1);
        let sequence = self.sequence;
        let octets = encode(request, NLM_F_REQUEST | NLM_F_ACK | flags, sequence);
        self.socket.send(&octets, 0)?;
        loop {
            self.answer.zeroize();
            match self.socket.recv(&mut *self.answer, 0) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error.into()),
            }
            if let Some(end) = read(&self.answer, sequence, each) {
                self.answer.zeroize();
                return end;
            }
        }
    }
}

/// The octets of a request, whose own copy of keys is wiped.
fn encode(request: XfrmMessage, flags: u16, sequence: u32) -> Zeroizing<Vec<u8>> {
    let mut message = NetlinkMessage::from(request);
    message.header.flags = flags;
    message.header.sequence_number = sequence;
    message.finalize();
    let mut octets = Zeroizing::new(vec![0; message.buffer_len()]);
    message.serialize(&mut octets);
    if let NetlinkPayload::InnerMessage(XfrmMessage::AddSa(sa) | XfrmMessage::UpdateSa(sa)) = &mut message.payload {
        wipe(&mut sa.nlas);
    }
    octets
}

/// The messages of one datagram: type, flags, sequence number, payload.
pub(super) fn messages(mut datagram: &[u8]) -> impl Iterator<Item = (u16, u16, u32, &[u8])> {
    std::iter::from_fn(move || {
        let message = NetlinkBuffer::new_checked(datagram).ok()?;
        let length = usize::try_from(message.length()).ok()?;
        let payload = datagram.get(HEADER..length)?;
        let item = (message.message_type(), message.flags(), message.sequence_number(), payload);
        datagram = datagram.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(item)
    })
}

/// Reads one datagram of answers; `Some` if the kernel's last word on the request is among them.
fn read(datagram: &[u8], wanted: u32, each: &mut dyn FnMut(u16, &[u8])) -> Option<Result<(), Refusal>> {
    for (message_type, flags, sequence, payload) in messages(datagram) {
        if sequence != wanted {
            continue;
        }
        match message_type {
            NLMSG_NOOP => {}
            NLMSG_DONE => return Some(Ok(())),
            NLMSG_ERROR => {
                let code = payload.first_chunk().map_or(-libc::EPROTO, |octets| i32::from_ne_bytes(*octets));
                return Some(match code {
                    0 => Ok(()),
                    code => Err(Refusal { errno: Errno::from_raw(code.wrapping_neg()), text: words(flags, payload) }),
                });
            }
            other => each(other, payload),
        }
    }
    None
}

/// The kernel's words in an error message (`nlmsgerr`, then attributes).
fn words(flags: u16, payload: &[u8]) -> Option<String> {
    /// The error number and the header of the request.
    const FIXED: usize = 4 + HEADER;
    if flags & NLM_F_ACK_TLVS == 0 {
        return None;
    }
    let echoed = if flags & NLM_F_CAPPED == 0 {
        let request = NetlinkBuffer::new_checked(payload.get(4..)?).ok()?;
        usize::try_from(request.length()).ok()?.checked_sub(HEADER)?
    } else {
        0
    };
    let attributes = payload.get(FIXED.checked_add(echoed.next_multiple_of(4))?..)?;
    let text = NlasIterator::new(attributes).filter_map(Result::ok).find(|nla| nla.kind() == NLMSGERR_ATTR_MSG)?;
    let text = String::from_utf8_lossy(text.value()).trim_end_matches('\0').to_owned();
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests;
