//! UDP (RFC 768), with what IKE and NAT traversal carry in it (RFC 3948); a little of TCP and ICMP, to show what ESP holds.
use ikecore::wire::dump::Node;

use super::{Facts, Fields, Place, Short, Walk};

/// The port of IKE.
pub(super) const ISAKMP_PORT: u16 = 500;
/// The port of NAT traversal.
pub(super) const NAT_T_PORT: u16 = 4500;

impl Walk<'_> {
    pub(super) fn udp(&mut self, at: Place, octets: &[u8], depth: usize) {
        let mut fields = Fields::new(octets);
        let Ok((source, destination, length)) = udp(&mut fields) else {
            return self.push(at, Facts::Other("UDP".to_owned()), fields.into_node("UDP", ""));
        };
        let header = fields.at;
        let facts = Facts::Udp { source, destination };
        self.push(at, facts, fields.into_node("UDP", format!("port {source} to port {destination}")));
        let rest = octets.get(header..).unwrap_or_default();
        let data = length.checked_sub(header).and_then(|length| rest.get(..length)).unwrap_or(rest);
        let at = at.after(header);
        match (source, destination) {
            (ISAKMP_PORT, _) | (_, ISAKMP_PORT) => self.isakmp(at, data),
            (NAT_T_PORT, _) | (_, NAT_T_PORT) => self.nat_t(at, data, depth),
            _ => self.opaque(at, data, "data"),
        }
    }

    /// What the port of NAT traversal carries.
    fn nat_t(&mut self, at: Place, data: &[u8], depth: usize) {
        match data {
            // RFC 3948 §2.3.
            [0xff] => {
                let field = Node::new("NAT-keepalive", "0xff", 0..1);
                self.push(at, Facts::KeepAlive, Node::with("NAT-keepalive", "", 0..1, vec![field]));
            }
            // RFC 3948 §2.2: the non-ESP marker.
            [0, 0, 0, 0, message @ ..] => {
                let marker = Node::new("Non-ESP Marker", "00000000", 0..4);
                self.push(at, Facts::Other("non-ESP marker".to_owned()), Node::with("NAT-T", "", 0..4, vec![marker]));
                self.isakmp(at.after(4), message);
            }
            _ => self.esp(at, data, depth),
        }
    }

    pub(super) fn tcp(&mut self, at: Place, octets: &[u8]) {
        let mut fields = Fields::new(octets);
        let value = tcp(&mut fields).unwrap_or_default();
        self.push(at, Facts::Other("TCP".to_owned()), fields.into_node("TCP", value));
    }

    pub(super) fn icmp(&mut self, at: Place, octets: &[u8], protocol: u8) {
        let name = if protocol == super::ip::ICMP { "ICMP" } else { "ICMPv6" };
        let mut fields = Fields::new(octets);
        let value = icmp(&mut fields, protocol).unwrap_or_default();
        self.push(at, Facts::Other(name.to_owned()), fields.into_node(name, value));
    }
}

/// Ports and length.
fn udp(fields: &mut Fields<'_>) -> Result<(u16, u16, usize), Short> {
    let number = |value: u16| value.to_string();
    let source = fields.u16("Source Port", number)?;
    let destination = fields.u16("Destination Port", number)?;
    let length = fields.u16("Length", number)?;
    fields.u16("Checksum", |value| format!("0x{value:04x}"))?;
    let there = fields.octets.len();
    let length = usize::from(length);
    if length < fields.at || length > there {
        fields.fault(format!("Length is {length}, allowed are {} to {there} octets", fields.at));
    }
    Ok((source, destination, length))
}

fn tcp(fields: &mut Fields<'_>) -> Result<String, Short> {
    let number = |value: u16| value.to_string();
    let source = fields.u16("Source Port", number)?;
    let destination = fields.u16("Destination Port", number)?;
    fields.u32("Sequence Number", |value| value.to_string())?;
    fields.u32("Acknowledgment Number", |value| value.to_string())?;
    let words = fields.u8("Data Offset", |value| format!("{} octets", usize::from(value >> 4) * 4))?;
    fields.u8("Control Bits", |value| {
        let names = ["FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR"];
        let set = names.iter().enumerate().filter(|(bit, _)| value >> bit & 1 == 1).map(|(_, name)| *name);
        set.collect::<Vec<_>>().join(" ")
    })?;
    fields.u16("Window", number)?;
    fields.u16("Checksum", |value| format!("0x{value:04x}"))?;
    fields.u16("Urgent Pointer", number)?;
    let header = usize::from(words >> 4) * 4;
    if header < fields.at {
        fields.fault(format!("Data Offset is {header} octets, allowed are 20 to 60"));
        return Err(Short);
    }
    fields.take("Options", header - fields.at)?;
    let left = fields.octets.len().saturating_sub(fields.at);
    fields.take("data", left)?;
    Ok(format!("port {source} to port {destination}"))
}

fn icmp(fields: &mut Fields<'_>, protocol: u8) -> Result<String, Short> {
    let number = |value: u8| value.to_string();
    let name = |value: u8| match (protocol, value) {
        (super::ip::ICMP, 0) | (super::ip::ICMPV6, 129) => Some("echo reply"),
        (super::ip::ICMP, 8) | (super::ip::ICMPV6, 128) => Some("echo request"),
        (super::ip::ICMP, 3) | (super::ip::ICMPV6, 1) => Some("destination unreachable"),
        (super::ip::ICMP, 11) | (super::ip::ICMPV6, 3) => Some("time exceeded"),
        (super::ip::ICMPV6, 2) => Some("packet too big"),
        _ => None,
    };
    let shown = |value: u8| name(value).map_or_else(|| format!("type {value}"), str::to_owned);
    let kind = fields.u8("Type", |value| format!("{} ({value})", name(value).unwrap_or("unknown")))?;
    fields.u8("Code", number)?;
    fields.u16("Checksum", |value| format!("0x{value:04x}"))?;
    if shown(kind).starts_with("echo") {
        fields.u16("Identifier", |value| value.to_string())?;
        fields.u16("Sequence Number", |value| value.to_string())?;
    }
    let left = fields.octets.len().saturating_sub(fields.at);
    fields.take("data", left)?;
    Ok(shown(kind))
}
