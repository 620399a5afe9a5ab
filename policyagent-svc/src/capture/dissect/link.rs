//! What stands before IP.
use super::{Facts, Fields, Place, Short, Walk};
use crate::capture::file::LinkType;

/// What may follow: types of Ethernet frames.
const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;
const VLAN: u16 = 0x8100;
const SERVICE_VLAN: u16 = 0x88a8;

/// VLAN tags that are looked behind.
const MOST_TAGS: usize = 4;

impl Walk<'_> {
    /// Takes a whole frame apart.
    pub(super) fn link(&mut self, link: LinkType, octets: &[u8]) {
        let mut fields = Fields::new(octets);
        let (name, next) = match link {
            LinkType::ETHERNET => ("Ethernet", ethernet(&mut fields)),
            LinkType::LINUX_SLL => ("Linux cooked", cooked(&mut fields)),
            LinkType::LINUX_SLL2 => ("Linux cooked v2", cooked_2(&mut fields)),
            LinkType::NULL | LinkType::LOOP => ("loopback", loopback(&mut fields, link)),
            LinkType::RAW | LinkType::RAW_12 | LinkType::IPV4 | LinkType::IPV6 => {
                return self.ip(Place { buffer: 0, base: 0 }, octets, 0);
            }
            other => {
                fields.fault(format!("frames of the link type {other} are not read"));
                ("frame", Err(Short))
            }
        };
        let at = fields.at;
        let start = Place { buffer: 0, base: 0 };
        self.push(start, Facts::Link, fields.into_node(name, ""));
        let rest = octets.get(at..).unwrap_or_default();
        match next {
            Ok(IPV4 | IPV6) => self.ip(start.after(at), rest, 0),
            Ok(other) => self.opaque(start.after(at), rest, &format!("type 0x{other:04x}")),
            Err(Short) => {}
        }
    }
}

/// A type as it is shown.
fn kind(value: u16) -> String {
    let name = match value {
        IPV4 => "IPv4",
        IPV6 => "IPv6",
        VLAN => "VLAN tag",
        SERVICE_VLAN => "service VLAN tag",
        0x0806 => "ARP",
        _ => "unknown",
    };
    format!("{name} (0x{value:04x})")
}

/// An address of a network card.
fn hardware(address: [u8; 6]) -> String {
    address.map(|octet| format!("{octet:02x}")).join(":")
}

fn ethernet(fields: &mut Fields<'_>) -> Result<u16, Short> {
    fields.field("Destination", hardware)?;
    fields.field("Source", hardware)?;
    let mut next = fields.u16("Type", kind)?;
    for _ in 0..MOST_TAGS {
        if !matches!(next, VLAN | SERVICE_VLAN) {
            break;
        }
        fields.u16("VLAN", |tag| (tag & 0x0fff).to_string())?;
        next = fields.u16("Type", kind)?;
    }
    Ok(next)
}

fn packet_type(value: u16) -> String {
    let name = match value {
        0 => "to this host",
        1 => "broadcast",
        2 => "multicast",
        3 => "between others",
        4 => "from this host",
        _ => "unknown",
    };
    format!("{name} ({value})")
}

fn cooked(fields: &mut Fields<'_>) -> Result<u16, Short> {
    fields.u16("Packet Type", packet_type)?;
    fields.u16("Hardware Type", |value| value.to_string())?;
    let length = fields.u16("Address Length", |value| value.to_string())?;
    let length = usize::from(length).min(8);
    fields.take("Address", length)?;
    fields.take("padding", 8 - length)?;
    fields.u16("Protocol", kind)
}

fn cooked_2(fields: &mut Fields<'_>) -> Result<u16, Short> {
    let next = fields.u16("Protocol", kind)?;
    fields.u16("RESERVED", |value| value.to_string())?;
    fields.u32("Interface", |value| value.to_string())?;
    fields.u16("Hardware Type", |value| value.to_string())?;
    fields.u8("Packet Type", |value| packet_type(value.into()))?;
    let length = fields.u8("Address Length", |value| value.to_string())?;
    let length = usize::from(length).min(8);
    fields.take("Address", length)?;
    fields.take("padding", 8 - length)?;
    Ok(next)
}

/// The address families of IP: 2 everywhere for IPv4; for IPv6 every system has its own.
fn loopback(fields: &mut Fields<'_>, link: LinkType) -> Result<u16, Short> {
    // In the order of the machine that captured, whichever that was: no family has a number above 255.
    let number = |value: u32| if link == LinkType::LOOP || value > 0xffff { value } else { value.swap_bytes() };
    let family = fields.u32("Family", |value| {
        let value = number(value);
        value.min(value.swap_bytes()).to_string()
    })?;
    let family = family.min(family.swap_bytes());
    match family {
        2 => Ok(IPV4),
        10 | 24 | 28 | 30 => Ok(IPV6),
        _ => {
            fields.fault(format!("the address family {family} is not IP's"));
            Err(Short)
        }
    }
}
