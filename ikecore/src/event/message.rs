//! Datagrams: what came, what went, what was dropped.
use super::failure::Reject;
use crate::ids::Cookies;
use bytes::Bytes;

/// A datagram came, went, or was dropped. The peer's address is in the event's context.
#[derive(Clone, Debug)]
pub enum MessageEvent {
    /// An ISAKMP message came (trace).
    Received {
        /// The header and, unless it is encrypted, the payloads.
        octets: Bytes,
    },
    /// The message just received was decrypted (trace).
    Decrypted {
        /// The header and the payloads in clear, padding included.
        octets: Bytes,
    },
    /// A message goes out for the first time (trace). A resent one is [`Self::Retransmitted`] or [`Self::ReplyRepeated`].
    Sending {
        /// The header and the payloads in clear.
        octets: Bytes,
        /// Whether it goes out encrypted.
        encrypted: bool,
        /// What it is: `main mode message 1`.
        name: &'static str,
    },
    /// No answer came in time: the message goes out again.
    Retransmitted {
        /// The message: `main mode message 1`.
        message: &'static str,
        /// 1 for the first repetition.
        count: u32,
    },
    /// A duplicate came, and the reply that it had gets goes out again.
    ReplyRepeated {
        /// The reply: `main mode message 2`.
        message: &'static str,
    },
    /// A datagram was dropped.
    Dropped {
        /// The cookies of its header, if it had one.
        cookies: Option<Cookies>,
        /// Why.
        reason: Reject,
        /// Octets.
        len: usize,
    },
    /// A notification of the peer that changes nothing by itself.
    Notification {
        /// Its type.
        notify: crate::wire::codes::NotifyType,
        /// True if it was protected by an ISAKMP SA.
        authenticated: bool,
        /// What its data says, for people.
        text: Option<String>,
    },
    /// A vendor ID of the peer.
    VendorId {
        /// The name, if it is known.
        name: Option<&'static str>,
        /// The octets.
        octets: Bytes,
    },
}
