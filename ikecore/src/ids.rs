//! Identifiers: those of the protocol (cookies, message IDs, SPIs) and the core's own handles.
use core::fmt;

/// An ISAKMP cookie, 8 octets (RFC 2408 §2.5.3). All zero: not yet chosen.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Cookie(pub [u8; 8]);

impl Cookie {
    /// The cookie of a responder that has not answered yet.
    pub const ZERO: Self = Self([0; 8]);

    /// True if every octet is zero.
    pub fn is_zero(self) -> bool {
        self == Self::ZERO
    }
}

impl fmt::Display for Cookie {
    /// 16 lower-case hexadecimal digits without separator.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

impl fmt::Debug for Cookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The cookies that name an ISAKMP SA: the initiator's and the responder's (RFC 2408 §2.5.3).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Cookies {
    /// CKY-I.
    pub initiator: Cookie,
    /// CKY-R.
    pub responder: Cookie,
}

/// The message ID of an exchange in phase 2; zero in phase 1 (RFC 2408 §3.1).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct MessageId(pub u32);

impl MessageId {
    /// The message ID of phase 1.
    pub const PHASE_1: Self = Self(0);
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

impl fmt::Debug for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The security parameters index of an ESP or AH SA (RFC 4301 §4.1). Values 0 to 255 are never negotiated.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Spi(pub u32);

impl fmt::Display for Spi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:08x}", self.0)
    }
}

impl fmt::Debug for Spi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

macro_rules! handle {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:x}", self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({:x})"), self.0)
            }
        }
    };
}

handle! {
    /// The handle of an ISAKMP SA (the `sa:` of the trace). Never reused within one endpoint.
    IkeSaId
}
handle! {
    /// The handle of one quick-mode result: the pair of inbound and outbound IPsec SAs (the `centry:` of the trace).
    IpsecSaId
}
handle! {
    /// What an administrator sees: from an acquire, a command or a peer's first message to SAs or to one failure.
    NegotiationId
}
handle! {
    /// A piece of work that left the core and whose [`crate::endpoint::Answer`] must come back.
    AskId
}
