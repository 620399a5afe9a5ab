//! What the kernel hands over: a program of the classic packet filter, which sees packets from their IP header on.
use socket2::SockFilter;

/// Where a step goes on.
#[derive(Clone, Copy)]
enum To {
    /// At the next step.
    Next,
    /// So many steps farther than the next.
    Skip(u8),
    /// The packet is handed over.
    Accept,
    /// It is not.
    Reject,
}

use To::{Accept, Next, Reject, Skip};

/// Operations: the accumulator from the packet (an octet, two), the same from behind the header whose length X is, X from the
/// length of an IPv4 header, jumps, the end.
const LOAD_OCTET: u16 = 0x30;
const LOAD_HALF: u16 = 0x28;
const LOAD_HALF_BEHIND: u16 = 0x48;
const X_HEADER: u16 = 0xb1;
const IF_EQUAL: u16 = 0x15;
const IF_BITS: u16 = 0x45;
const RETURN: u16 = 0x06;

/// The place of the protocol behind the link layer (`SKF_AD_OFF + SKF_AD_PROTOCOL`).
const PROTOCOL: u32 = 0xffff_f000;

/// IPv4 and IPv6 with ESP, AH, UDP from or to the ports of IKE and NAT traversal, later fragments of these; of IPv6 also
/// whatever has extension headers.
const IPSEC: [(u16, u32, To, To); 30] = [
    (LOAD_HALF, PROTOCOL, Next, Next),
    (IF_EQUAL, 0x0800, Next, Skip(13)),
    (LOAD_OCTET, 9, Next, Next),
    (IF_EQUAL, 50, Accept, Next),
    (IF_EQUAL, 51, Accept, Next),
    (IF_EQUAL, 17, Next, Reject),
    (LOAD_HALF, 6, Next, Next),
    (IF_BITS, 0x1fff, Accept, Next),
    (X_HEADER, 0, Next, Next),
    (LOAD_HALF_BEHIND, 0, Next, Next),
    (IF_EQUAL, 500, Accept, Next),
    (IF_EQUAL, 4500, Accept, Next),
    (LOAD_HALF_BEHIND, 2, Next, Next),
    (IF_EQUAL, 500, Accept, Next),
    (IF_EQUAL, 4500, Accept, Reject),
    (IF_EQUAL, 0x86dd, Next, Reject),
    (LOAD_OCTET, 6, Next, Next),
    (IF_EQUAL, 50, Accept, Next),
    (IF_EQUAL, 51, Accept, Next),
    (IF_EQUAL, 0, Accept, Next),
    (IF_EQUAL, 43, Accept, Next),
    (IF_EQUAL, 44, Accept, Next),
    (IF_EQUAL, 60, Accept, Next),
    (IF_EQUAL, 17, Next, Reject),
    (LOAD_HALF, 40, Next, Next),
    (IF_EQUAL, 500, Accept, Next),
    (IF_EQUAL, 4500, Accept, Next),
    (LOAD_HALF, 42, Next, Next),
    (IF_EQUAL, 500, Accept, Next),
    (IF_EQUAL, 4500, Accept, Reject),
];

/// The program.
pub(super) fn ipsec() -> Vec<SockFilter> {
    let last = IPSEC.len();
    let steps = IPSEC.iter().enumerate().map(|(at, (code, value, yes, no))| {
        let left = u8::try_from(last - at - 1).unwrap_or(u8::MAX);
        let to = |to: To| match to {
            Next => 0,
            Skip(count) => count,
            Accept => left,
            Reject => left + 1,
        };
        SockFilter::new(*code, to(*yes), to(*no), *value)
    });
    steps.chain([SockFilter::new(RETURN, 0, 0, u32::MAX), SockFilter::new(RETURN, 0, 0, 0)]).collect()
}
