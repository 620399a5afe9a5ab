//! IP: RFC 791, and RFC 8200 with its extension headers.
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ikecore::wire::dump::Node;

use super::{DEEPEST, Facts, Fields, Place, Short, Walk};
use crate::model::protocol_name;

/// Protocols.
pub(super) const HOP_BY_HOP: u8 = 0;
pub(super) const IPIP: u8 = 4;
pub(super) const TCP: u8 = 6;
pub(super) const UDP: u8 = 17;
pub(super) const IPV6: u8 = 41;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
pub(super) const ESP: u8 = 50;
pub(super) const AH: u8 = 51;
pub(super) const ICMP: u8 = 1;
pub(super) const ICMPV6: u8 = 58;
pub(super) const NOTHING: u8 = 59;
const DESTINATION: u8 = 60;

/// Extension headers that are looked behind.
const MOST_EXTENSIONS: usize = 16;

/// What an IP header says of what follows it.
struct Next {
    source: IpAddr,
    destination: IpAddr,
    /// The protocol of what follows.
    protocol: u8,
    /// Octets of what follows, by the header.
    length: usize,
    /// True for a part of a packet: only the first one begins with a header.
    later_fragment: bool,
}

/// A protocol as it is shown.
pub(super) fn named(protocol: u8) -> String {
    let name = match protocol {
        HOP_BY_HOP => "hop-by-hop options".to_owned(),
        ROUTING => "routing header".to_owned(),
        FRAGMENT => "fragment header".to_owned(),
        NOTHING => "nothing follows".to_owned(),
        DESTINATION => "destination options".to_owned(),
        108 => "ipcomp".to_owned(),
        _ => protocol_name(protocol),
    };
    if name == protocol.to_string() { format!("unknown ({protocol})") } else { format!("{name} ({protocol})") }
}

impl Walk<'_> {
    /// Takes an IP packet apart. `octets` may go on behind its end, as frames do.
    pub(super) fn ip(&mut self, at: Place, octets: &[u8], depth: usize) {
        if depth >= DEEPEST {
            return self.opaque(at, octets, "more layers");
        }
        let mut fields = Fields::new(octets);
        let (name, next) = match octets.first().map(|octet| octet >> 4) {
            Some(4) => ("IPv4", version_4(&mut fields)),
            Some(6) => ("IPv6", version_6(&mut fields)),
            Some(other) => {
                fields.fault(format!("the version is {other}, allowed are 4 and 6"));
                ("IP", Err(Short))
            }
            None => {
                fields.fault("the packet has no octet");
                ("IP", Err(Short))
            }
        };
        let next = match next {
            Ok(next) => next,
            Err(Short) => return self.push(at, Facts::Other("IP".to_owned()), fields.into_node(name, "")),
        };
        let header = fields.at;
        let there = octets.len().saturating_sub(header);
        if next.length > there {
            fields.fault(format!("the header states {} octets behind it, {there} are there", next.length));
        }
        let Next { source, destination, protocol, length, later_fragment } = next;
        let facts = Facts::Ip { source, destination };
        self.push(at, facts, fields.into_node(name, format!("{source} to {destination}")));
        let rest = octets.get(header..).unwrap_or_default();
        let rest = rest.get(..length).unwrap_or(rest);
        if later_fragment {
            return self.opaque(at.after(header), rest, &format!("a later fragment of {}", named(protocol)));
        }
        self.upper(at.after(header), protocol, rest, depth);
    }

    /// What an IP header, or AH, or ESP holds.
    pub(super) fn upper(&mut self, at: Place, protocol: u8, octets: &[u8], depth: usize) {
        match protocol {
            UDP => self.udp(at, octets, depth),
            TCP => self.tcp(at, octets),
            ICMP | ICMPV6 => self.icmp(at, octets, protocol),
            AH => self.ah(at, octets, depth),
            ESP => self.esp(at, octets, depth),
            IPIP | IPV6 => self.ip(at, octets, depth + 1),
            NOTHING if octets.is_empty() => {}
            other => self.opaque(at, octets, &named(other)),
        }
    }

    /// What is not taken apart.
    pub(super) fn opaque(&mut self, at: Place, octets: &[u8], name: &str) {
        self.push(at, Facts::Other(name.to_owned()), Node::length(name, 0..octets.len()));
    }
}

fn version_4(fields: &mut Fields<'_>) -> Result<Next, Short> {
    let number = |value: u16| value.to_string();
    let [first] = fields.field("Version, Internet Header Length", |[value]| {
        format!("{}, {} octets", value >> 4, usize::from(value & 0x0f) * 4)
    })?;
    let header = usize::from(first & 0x0f) * 4;
    if header < 20 {
        fields.fault(format!("Internet Header Length is {header} octets, allowed are 20 to 60"));
        return Err(Short);
    }
    fields.u8("Type of Service", |value| format!("0x{value:02x}"))?;
    let total = fields.u16("Total Length", number)?;
    fields.u16("Identification", |value| format!("0x{value:04x}"))?;
    let fragment = fields.u16("Flags, Fragment Offset", |value| {
        let flags = [(0x4000, "don't fragment"), (0x2000, "more fragments")];
        let set: Vec<_> = flags.iter().filter(|(bit, _)| value & bit != 0).map(|(_, name)| *name).collect();
        let offset = format!("{} octets", usize::from(value & 0x1fff) * 8);
        [&set[..], &[&offset]].concat().join(", ")
    })?;
    fields.u8("Time to Live", |value| value.to_string())?;
    let protocol = fields.u8("Protocol", named)?;
    fields.u16("Header Checksum", |value| format!("0x{value:04x}"))?;
    let source = fields.field("Source Address", |value: [u8; 4]| Ipv4Addr::from(value).to_string())?;
    let destination = fields.field("Destination Address", |value: [u8; 4]| Ipv4Addr::from(value).to_string())?;
    fields.take("Options", header - 20)?;
    let length = match usize::from(total) {
        // The sender left it to the network card, which splits what is too large.
        0 => fields.octets.len().saturating_sub(header),
        total => total.checked_sub(header).ok_or_else(|| {
            fields.fault(format!("Total Length is {total}, the header alone has {header} octets"));
            Short
        })?,
    };
    Ok(Next {
        source: Ipv4Addr::from(source).into(),
        destination: Ipv4Addr::from(destination).into(),
        protocol,
        length,
        later_fragment: fragment & 0x1fff != 0,
    })
}

fn version_6(fields: &mut Fields<'_>) -> Result<Next, Short> {
    fields.u32("Version, Traffic Class, Flow Label", |value| {
        format!("{}, 0x{:02x}, 0x{:05x}", value >> 28, value >> 20 & 0xff, value & 0x000f_ffff)
    })?;
    let payload = fields.u16("Payload Length", |value| value.to_string())?;
    let mut protocol = fields.u8("Next Header", named)?;
    fields.u8("Hop Limit", |value| value.to_string())?;
    let source = fields.field("Source Address", |value: [u8; 16]| Ipv6Addr::from(value).to_string())?;
    let destination = fields.field("Destination Address", |value: [u8; 16]| Ipv6Addr::from(value).to_string())?;
    let end = match usize::from(payload) {
        // A jumbogram, or left to the network card.
        0 => fields.octets.len(),
        payload => fields.at + payload,
    };
    let mut later_fragment = false;
    for _ in 0..MOST_EXTENSIONS {
        if later_fragment || !matches!(protocol, HOP_BY_HOP | ROUTING | FRAGMENT | DESTINATION) {
            break;
        }
        let header = protocol;
        protocol = fields.u8("Next Header", named)?;
        let units = fields.u8("Hdr Ext Len", |value| value.to_string())?;
        if header == FRAGMENT {
            let offset = fields.u16("Fragment Offset", |value| {
                let more = if value & 1 == 1 { ", more fragments" } else { "" };
                format!("{} octets{more}", value & 0xfff8)
            })?;
            fields.u32("Identification", |value| format!("0x{value:08x}"))?;
            later_fragment = offset & 0xfff8 != 0;
        } else {
            fields.take(&named(header), 6 + usize::from(units) * 8)?;
        }
    }
    Ok(Next {
        source: Ipv6Addr::from(source).into(),
        destination: Ipv6Addr::from(destination).into(),
        protocol,
        length: end.saturating_sub(fields.at),
        later_fragment,
    })
}
