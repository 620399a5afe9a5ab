//! IP packets as the data path needs them: what they are, whom they go to, and the headers that ESP changes.
use super::checksum::{self, internet_checksum};
use ikecore::address::Scope;
use ikecore::policy::selector::Flow;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

#[cfg(test)]
mod tests;

/// The protocol numbers that the data path knows.
pub(super) mod protocol {
    /// IPv6 hop-by-hop options.
    pub(in super::super) const HOP_BY_HOP: u8 = 0;
    /// IPv4 in IP.
    pub(in super::super) const IPV4: u8 = 4;
    /// TCP.
    pub(in super::super) const TCP: u8 = 6;
    /// UDP.
    pub(in super::super) const UDP: u8 = 17;
    /// DCCP.
    pub(in super::super) const DCCP: u8 = 33;
    /// IPv6 in IP.
    pub(in super::super) const IPV6: u8 = 41;
    /// IPv6 routing header.
    pub(in super::super) const ROUTING: u8 = 43;
    /// IPv6 fragment header.
    pub(in super::super) const FRAGMENT: u8 = 44;
    /// ESP.
    pub(in super::super) const ESP: u8 = 50;
    /// AH.
    pub(in super::super) const AH: u8 = 51;
    /// ICMP for IPv6.
    pub(in super::super) const ICMPV6: u8 = 58;
    /// No next header: in ESP, a dummy packet (RFC 4303 §2.6).
    pub(in super::super) const NONE: u8 = 59;
    /// IPv6 destination options.
    pub(in super::super) const DESTINATION_OPTIONS: u8 = 60;
    /// IPComp.
    pub(in super::super) const IPCOMP: u8 = 108;
    /// SCTP.
    pub(in super::super) const SCTP: u8 = 132;
    /// UDP-Lite.
    pub(in super::super) const UDP_LITE: u8 = 136;
}

/// Octets of an IPv4 header without options.
pub(super) const IPV4_HEADER: usize = 20;
/// Octets of the fixed IPv6 header.
pub(super) const IPV6_HEADER: usize = 40;
/// IPv4's flag "don't fragment" and "more fragments" in the 16 bits that hold the fragment offset too.
const DONT_FRAGMENT: u16 = 0x4000;
const MORE_FRAGMENTS: u16 = 0x2000;
const OFFSET: u16 = 0x1fff;
/// The hop limit of headers that this host makes.
pub(super) const HOP_LIMIT: u8 = 64;
/// The two ECN bits of a traffic class, and the value "congestion experienced" (RFC 3168 §5).
const ECN: u8 = 0b11;
const CONGESTION: u8 = 0b11;

/// Where a fragment lies in its packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Fragment {
    /// Names the packet, together with the addresses.
    pub(super) identification: u32,
    /// Octets before it.
    pub(super) offset: usize,
    /// Others follow.
    pub(super) more: bool,
}

/// An IP packet whose headers were checked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Packet<'a> {
    /// The packet, without what a link may have appended.
    pub(super) octets: &'a [u8],
    /// From.
    pub(super) source: IpAddr,
    /// To.
    pub(super) destination: IpAddr,
    /// The octet of service type or traffic class: DSCP and ECN.
    pub(super) traffic_class: u8,
    /// TTL or hop limit.
    pub(super) hop_limit: u8,
    /// Octets of the headers that stay in front of ESP in transport mode (RFC 4303 §3.1.1): IPv4's with options; IPv6's
    /// with hop-by-hop, routing and fragment headers.
    pub(super) header: usize,
    /// The protocol of what follows these headers.
    pub(super) protocol: u8,
    /// Where this protocol is named.
    protocol_at: usize,
    /// The upper-layer protocol, behind destination options too.
    pub(super) upper: u8,
    /// Where the upper-layer header begins.
    pub(super) upper_at: usize,
    /// Set if it is a fragment.
    pub(super) fragment: Option<Fragment>,
    /// Where the IPv6 fragment header begins.
    fragment_at: Option<usize>,
    /// IPv4's DF; true for IPv6, which no router fragments.
    pub(super) dont_fragment: bool,
}

fn u16_at(octets: &[u8], at: usize) -> Option<u16> {
    octets.get(at..)?.first_chunk().map(|chunk| u16::from_be_bytes(*chunk))
}

/// Writes `value` at `at`, as far as there is room.
pub(super) fn put(octets: &mut [u8], at: usize, value: &[u8]) {
    if let Some(room) = octets.get_mut(at..) {
        room.iter_mut().zip(value).for_each(|(to, from)| *to = *from);
    }
}

impl<'a> Packet<'a> {
    /// Checks and understands a packet; `None` if it is none, or cut short.
    pub(super) fn parse(octets: &'a [u8]) -> Option<Self> {
        match octets.first()? >> 4 {
            4 => Self::parse_v4(octets),
            6 => Self::parse_v6(octets),
            _ => None,
        }
    }

    fn parse_v4(octets: &'a [u8]) -> Option<Self> {
        let header = usize::from(octets.first()? & 0x0f) * 4;
        let total = usize::from(u16_at(octets, 2)?);
        let octets = octets.get(..total)?;
        if header < IPV4_HEADER || header > total {
            return None;
        }
        let flags = u16_at(octets, 6)?;
        let address = |at: usize| octets.get(at..)?.first_chunk::<4>().map(|chunk| Ipv4Addr::from(*chunk).into());
        let protocol = *octets.get(9)?;
        let fragment = Fragment {
            identification: u16_at(octets, 4)?.into(),
            offset: usize::from(flags & OFFSET) * 8,
            more: flags & MORE_FRAGMENTS != 0,
        };
        Some(Self {
            octets,
            source: address(12)?,
            destination: address(16)?,
            traffic_class: *octets.get(1)?,
            hop_limit: *octets.get(8)?,
            header,
            protocol,
            protocol_at: 9,
            upper: protocol,
            upper_at: header,
            fragment: (fragment.more || fragment.offset > 0).then_some(fragment),
            fragment_at: None,
            dont_fragment: flags & DONT_FRAGMENT != 0,
        })
    }

    fn parse_v6(octets: &'a [u8]) -> Option<Self> {
        let total = IPV6_HEADER + usize::from(u16_at(octets, 4)?);
        let octets = octets.get(..total)?;
        let address = |at: usize| octets.get(at..)?.first_chunk::<16>().map(|chunk| Ipv6Addr::from(*chunk).into());
        let class = u16_at(octets, 0)? >> 4;
        let mut packet = Self {
            octets,
            source: address(8)?,
            destination: address(24)?,
            traffic_class: u8::try_from(class & 0xff).ok()?,
            hop_limit: *octets.get(7)?,
            header: IPV6_HEADER,
            protocol: *octets.get(6)?,
            protocol_at: 6,
            upper: *octets.get(6)?,
            upper_at: IPV6_HEADER,
            fragment: None,
            fragment_at: None,
            dont_fragment: true,
        };
        // Each turn moves at least 8 octets on, so that this ends.
        let mut options = false;
        loop {
            let at = packet.upper_at;
            let length = match packet.upper {
                protocol::HOP_BY_HOP | protocol::ROUTING | protocol::DESTINATION_OPTIONS => {
                    (usize::from(*octets.get(at + 1)?) + 1) * 8
                }
                // Whoever fragments does it in front of the options for the destination.
                protocol::FRAGMENT if options => return None,
                protocol::FRAGMENT => {
                    let bits = u16_at(octets, at + 2)?;
                    let identification = octets.get(at + 4..)?.first_chunk().map(|chunk| u32::from_be_bytes(*chunk))?;
                    let fragment = Fragment { identification, offset: usize::from(bits & 0xfff8), more: bits & 1 != 0 };
                    packet.fragment = (fragment.more || fragment.offset > 0).then_some(fragment);
                    packet.fragment_at = Some(at);
                    8
                }
                _ => return Some(packet),
            };
            // What follows destination options is protected with them.
            options |= packet.upper == protocol::DESTINATION_OPTIONS;
            packet.upper = *octets.get(at)?;
            packet.upper_at = at + length;
            octets.get(packet.upper_at..)?;
            if !options {
                (packet.protocol, packet.protocol_at, packet.header) = (packet.upper, at, packet.upper_at);
            }
            if packet.fragment.is_some_and(|fragment| fragment.offset > 0) {
                return Some(packet);
            }
        }
    }

    /// The two ports; zeroes where there are none or where another fragment holds them.
    fn ports(&self) -> (u16, u16) {
        let ported =
            matches!(self.upper, protocol::TCP | protocol::UDP | protocol::DCCP | protocol::SCTP | protocol::UDP_LITE);
        if !ported || self.fragment.is_some_and(|fragment| fragment.offset > 0) {
            return (0, 0);
        }
        let port = |at| u16_at(self.octets, at).unwrap_or(0);
        (port(self.upper_at), port(self.upper_at.saturating_add(2)))
    }

    /// The flow of a packet that leaves.
    pub(super) fn outbound_flow(&self) -> Flow {
        let (local_port, remote_port) = self.ports();
        Flow {
            local: self.source,
            remote: self.destination,
            protocol: self.upper,
            local_port,
            remote_port,
            scope: Scope::ANY,
        }
    }

    /// The flow of a packet that arrives.
    pub(super) fn inbound_flow(&self) -> Flow {
        let (remote_port, local_port) = self.ports();
        Flow {
            local: self.destination,
            remote: self.source,
            protocol: self.upper,
            local_port,
            remote_port,
            scope: Scope::ANY,
        }
    }

    /// IPv4's identification.
    pub(super) fn identification(&self) -> Option<u16> {
        if self.source.is_ipv4() { u16_at(self.octets, 4) } else { None }
    }

    /// What follows the headers that stay in front of ESP.
    pub(super) fn payload(&self) -> &'a [u8] {
        self.octets.get(self.header..).unwrap_or_default()
    }

    /// The headers that stay in front.
    pub(super) fn headers(&self) -> &'a [u8] {
        self.octets.get(..self.header).unwrap_or_default()
    }

    /// True if it belongs to one link or host: multicast, broadcast, link-local, loopback.
    pub(super) fn is_link_scoped(&self) -> bool {
        let local = |address: IpAddr| match address {
            IpAddr::V4(v4) => {
                v4.is_multicast() || v4.is_broadcast() || v4.is_link_local() || v4.is_unspecified() || v4.is_loopback()
            }
            IpAddr::V6(v6) => {
                v6.is_multicast() || v6.is_unicast_link_local() || v6.is_unspecified() || v6.is_loopback()
            }
        };
        local(self.source) || local(self.destination)
    }

    /// The packet with `payload` of `protocol` in place of its own: its headers stay, but for what tells the length and
    /// the protocol. `None` if that is too long for a packet.
    pub(super) fn replace_payload(&self, protocol: u8, payload: &[u8]) -> Option<Vec<u8>> {
        let mut packet = Vec::with_capacity(self.header + payload.len());
        packet.extend_from_slice(self.headers());
        packet.extend_from_slice(payload);
        put(&mut packet, self.protocol_at, &[protocol]);
        set_length(&mut packet)?;
        Some(packet)
    }

    /// The packet without any sign of fragments; `None` if its length makes no sense.
    pub(super) fn whole(&self) -> Option<Vec<u8>> {
        let mut packet = self.whole_headers();
        packet.extend_from_slice(self.payload());
        set_length(&mut packet)?;
        Some(packet)
    }

    /// The headers of an IPv6 packet and a fragment header behind them, which names its protocol.
    pub(super) fn headers_with_fragment(&self, identification: u32, offset: usize, more: bool) -> Option<Vec<u8>> {
        let mut headers = self.headers().to_vec();
        put(&mut headers, self.protocol_at, &[protocol::FRAGMENT]);
        let bits = u16::try_from(offset).ok()? & 0xfff8 | u16::from(more);
        headers.extend_from_slice(&[self.protocol, 0]);
        headers.extend_from_slice(&bits.to_be_bytes());
        headers.extend_from_slice(&identification.to_be_bytes());
        Some(headers)
    }

    /// The headers of a whole packet of which this is the first fragment: without any sign of fragments.
    pub(super) fn whole_headers(&self) -> Vec<u8> {
        let mut headers = self.headers().to_vec();
        match self.fragment_at {
            // The fragment header is the last of those in front: cut it out, and let the one before it name what follows.
            Some(at) => {
                headers.truncate(at);
                let mut named_at = 6;
                let mut position = IPV6_HEADER;
                while position < at {
                    named_at = position;
                    let length = headers.get(position + 1).map_or(1, |units| usize::from(*units) + 1) * 8;
                    position += length;
                }
                put(&mut headers, named_at, &[self.protocol]);
            }
            None => {
                let flags = u16_at(&headers, 6).unwrap_or(0) & DONT_FRAGMENT;
                if self.source.is_ipv4() {
                    put(&mut headers, 6, &flags.to_be_bytes());
                }
            }
        }
        headers
    }
}

/// Writes the length of `packet` into its header, and for IPv4 the header checksum. `None` if it is too long.
pub(super) fn set_length(packet: &mut [u8]) -> Option<()> {
    let len = packet.len();
    let first = *packet.first()?;
    if first >> 4 == 4 {
        put(packet, 2, &u16::try_from(len).ok()?.to_be_bytes());
        put(packet, 10, &[0, 0]);
        let header = usize::from(first & 0x0f) * 4;
        let sum = internet_checksum(&[packet.get(..header)?]);
        put(packet, 10, &sum.to_be_bytes());
    } else {
        put(packet, 4, &u16::try_from(len.checked_sub(IPV6_HEADER)?).ok()?.to_be_bytes());
    }
    Some(())
}

/// Makes an IPv4 packet a fragment; `offset` is a multiple of 8.
pub(super) fn set_fragment(packet: &mut [u8], identification: u16, offset: usize, more: bool) -> Option<()> {
    let bits = u16::try_from(offset / 8).ok()? & OFFSET | if more { MORE_FRAGMENTS } else { 0 };
    put(packet, 4, &identification.to_be_bytes());
    put(packet, 6, &bits.to_be_bytes());
    set_length(packet)
}

/// What a new IP header says.
#[derive(Clone, Copy, Debug)]
pub(super) struct NewHeader {
    /// From.
    pub(super) source: IpAddr,
    /// To; of the same family.
    pub(super) destination: IpAddr,
    /// DSCP and ECN.
    pub(super) traffic_class: u8,
    /// TTL or hop limit.
    pub(super) hop_limit: u8,
    /// IPv4's DF.
    pub(super) dont_fragment: bool,
    /// What the payload is.
    pub(super) protocol: u8,
}

impl NewHeader {
    /// A packet with this header, without options. `None` if the families differ or the payload is too long.
    pub(super) fn packet(&self, payload: &[u8]) -> Option<Vec<u8>> {
        let mut packet = Vec::with_capacity(IPV6_HEADER + payload.len());
        match (self.source, self.destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                let flags = if self.dont_fragment { DONT_FRAGMENT } else { 0 };
                packet.extend_from_slice(&[0x45, self.traffic_class, 0, 0]);
                // The identification is zero: the sending socket chooses one.
                packet.extend_from_slice(&[0, 0]);
                packet.extend_from_slice(&flags.to_be_bytes());
                packet.extend_from_slice(&[self.hop_limit, self.protocol, 0, 0]);
                packet.extend_from_slice(&source.octets());
                packet.extend_from_slice(&destination.octets());
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                packet.extend_from_slice(&(0x6000_0000 | u32::from(self.traffic_class) << 20).to_be_bytes());
                packet.extend_from_slice(&[0, 0, self.protocol, self.hop_limit]);
                packet.extend_from_slice(&source.octets());
                packet.extend_from_slice(&destination.octets());
            }
            _ => return None,
        }
        packet.extend_from_slice(payload);
        set_length(&mut packet)?;
        Some(packet)
    }
}

/// The header of the packet in which `inner`, protected as `protocol`, travels through a tunnel from `source` to
/// `destination`.
pub(super) fn tunnel_header(inner: &Packet<'_>, source: IpAddr, destination: IpAddr, protocol: u8) -> NewHeader {
    NewHeader {
        source,
        destination,
        // RFC 4301 §5.1.2.1 notes 5 and 6: DSCP and ECN are copied.
        traffic_class: inner.traffic_class,
        // Note 2: the outer TTL is this host's. The inner one was decremented by the kernel where it forwards.
        hop_limit: HOP_LIMIT,
        // Note 3: DF is copied; an IPv6 packet is never fragmented on its way.
        dont_fragment: inner.dont_fragment,
        protocol,
    }
}

/// What a tunnel does to a packet that it gives out: congestion that the outer header met is told to the inner one
/// (RFC 4301 §5.1.2.1 note 6, RFC 6040 §4.2). `None` if the packet must be dropped, since its sender does not know ECN.
pub(super) fn leave_tunnel(mut inner: Vec<u8>, outer_class: u8) -> Option<Vec<u8>> {
    let packet = Packet::parse(&inner)?;
    let (class, v4, total) = (packet.traffic_class, packet.source.is_ipv4(), packet.octets.len());
    // What traffic flow confidentiality appended (RFC 4303 §2.7) is no part of the packet.
    inner.truncate(total);
    if outer_class & ECN != CONGESTION || class & ECN == CONGESTION {
        return Some(inner);
    }
    if class & ECN == 0 {
        return None;
    }
    let class = class | CONGESTION;
    if v4 {
        put(&mut inner, 1, &[class]);
        set_length(&mut inner)?;
    } else {
        let low = u16_at(&inner, 0)? & 0xf00f;
        put(&mut inner, 0, &(low | u16::from(class) << 4).to_be_bytes());
    }
    Some(inner)
}

/// Computes the checksum of TCP or UDP anew, in a packet whose addresses a NAT changed (RFC 3948 §3.1.2 (a)).
pub(super) fn renew_upper_checksum(octets: &mut [u8]) {
    let Some(packet) = Packet::parse(octets) else { return };
    if packet.fragment.is_some() {
        return;
    }
    let at = match packet.upper {
        protocol::TCP => packet.upper_at + 16,
        protocol::UDP => packet.upper_at + 6,
        _ => return,
    };
    // Zero is "no checksum" in UDP over IPv4.
    match u16_at(octets, at) {
        None => return,
        Some(0) if packet.upper == protocol::UDP && packet.source.is_ipv4() => return,
        Some(_) => {}
    }
    let (source, destination, upper, upper_at) = (packet.source, packet.destination, packet.upper, packet.upper_at);
    put(octets, at, &[0, 0]);
    let segment = octets.get(upper_at..).unwrap_or_default();
    let sum = checksum::pseudo_header_checksum(source, destination, upper, segment);
    let sum = if sum == 0 && upper == protocol::UDP { u16::MAX } else { sum };
    put(octets, at, &sum.to_be_bytes());
}
