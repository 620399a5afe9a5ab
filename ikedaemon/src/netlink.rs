//! Netlink requests that wait for their answer: the kernel answers at once, and dropping a driver cannot be asynchronous.
use netlink_packet_core::{
    NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST, NetlinkDeserializable, NetlinkHeader, NetlinkMessage, NetlinkPayload,
    NetlinkSerializable,
};
use netlink_sys::{Socket, SocketAddr};
use std::fmt::Debug;
use std::io;

/// A socket to one part of the kernel.
pub(crate) struct Netlink {
    socket: Socket,
    sequence: u32,
}

impl Netlink {
    /// Opens a socket for `protocol`, such as `NETLINK_ROUTE`.
    pub(crate) fn open(protocol: isize) -> io::Result<Self> {
        let mut socket = Socket::new(protocol)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        // Refused requests are not echoed.
        socket.set_cap_ack(true)?;
        Ok(Self { socket, sequence: 0 })
    }

    /// Has dumps filtered by the kernel, if it can.
    pub(crate) fn filter_dumps(&self) {
        // An old kernel gives more than was asked for, which the reader of the dump sorts out.
        let _ = self.socket.set_netlink_get_strict_chk(true);
    }

    /// Does one request.
    pub(crate) fn request<M>(&mut self, message: M, flags: u16) -> io::Result<()>
    where
        M: NetlinkSerializable + NetlinkDeserializable + Debug,
    {
        self.exchange(message, NLM_F_REQUEST | NLM_F_ACK | flags).map(drop)
    }

    /// Asks for a list.
    pub(crate) fn dump<M>(&mut self, message: M) -> io::Result<Vec<M>>
    where
        M: NetlinkSerializable + NetlinkDeserializable + Debug,
    {
        self.exchange(message, NLM_F_REQUEST | NLM_F_DUMP)
    }

    fn exchange<M>(&mut self, message: M, flags: u16) -> io::Result<Vec<M>>
    where
        M: NetlinkSerializable + NetlinkDeserializable + Debug,
    {
        self.sequence = self.sequence.wrapping_add(1);
        let mut request = NetlinkMessage::new(NetlinkHeader::default(), NetlinkPayload::InnerMessage(message));
        request.header.flags = flags;
        request.header.sequence_number = self.sequence;
        request.finalize();
        let mut octets = vec![0; request.buffer_len()];
        request.serialize(&mut octets);
        self.socket.send(&octets, 0)?;
        let mut found = Vec::new();
        loop {
            let (datagram, _) = self.socket.recv_from_full()?;
            let mut rest = datagram.as_slice();
            while !rest.is_empty() {
                let length = rest.first_chunk().map_or(0, |chunk| u32::from_ne_bytes(*chunk));
                let length = usize::try_from(length).unwrap_or(0);
                let aligned = length.next_multiple_of(4).min(rest.len());
                let (Some(one), true) = (rest.get(..length), length >= 16) else {
                    return Err(io::Error::new(io::ErrorKind::InvalidData, "a netlink message is cut short"));
                };
                rest = rest.get(aligned..).unwrap_or_default();
                // What this program does not understand is none of its own.
                let Ok(reply) = NetlinkMessage::<M>::deserialize(one) else { continue };
                if reply.header.sequence_number != self.sequence {
                    continue;
                }
                match reply.payload {
                    NetlinkPayload::Error(error) if error.code.is_some() => return Err(error.to_io()),
                    NetlinkPayload::Error(_) | NetlinkPayload::Done(_) => return Ok(found),
                    NetlinkPayload::InnerMessage(inner) => found.push(inner),
                    _ => {}
                }
            }
        }
    }
}
