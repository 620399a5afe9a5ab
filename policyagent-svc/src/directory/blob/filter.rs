//! `ipsecFilter`: all filters of a list, in two versions. The second came with Windows Vista, stands behind the first, and has
//! IPv6 and ranges.
use super::{Blob, BlobError, Reader, Writer};
use crate::guid::Guid;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What begins the second version.
const VERSION_2: Guid = Guid::new(0x35fe_cd3d, 0xae29, 0x4373, [0x8a, 0x6a, 0xc5, 0xd8, 0xfa, 0xb2, 0xfb, 0x08]);

/// Octets that a filter has at least, by version: three empty texts and its fixed part.
const LEAST_1: usize = 12 + 52;
const LEAST_2: usize = 12 + 20 + 40 + 40 + 8 + 8 + 4 + 4;

/// The flag of a filter of the second version: it counts, and not the subnets that stand for its ranges in the first.
pub(crate) const RANGES: u32 = 8;

/// The value of an `ipsecFilter`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct FilterBlob {
    /// The filters of the first version.
    pub(crate) first: Vec<Filter1>,
    /// Those of the second.
    pub(crate) second: Vec<Filter2>,
}

/// What filters of both versions have.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Names {
    /// The DNS name of the source.
    pub(crate) source: String,
    /// The DNS name of the destination.
    pub(crate) destination: String,
    /// For people.
    pub(crate) description: String,
    /// The filter's own GUID.
    pub(crate) guid: Guid,
    /// Also the way back.
    pub(crate) mirrored: bool,
}

/// A filter of the first version.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Filter1 {
    /// What it is called.
    pub(crate) names: Names,
    /// Address and mask. Of `me` 0.0.0.0 and 255.255.255.255; of `any` both are 0.0.0.0.
    pub(crate) source: (Ipv4Addr, Ipv4Addr),
    /// The same.
    pub(crate) destination: (Ipv4Addr, Ipv4Addr),
    /// The end of a tunnel.
    pub(crate) tunnel: Option<Ipv4Addr>,
    /// 0 is any.
    pub(crate) protocol: u32,
    /// 0 is any.
    pub(crate) source_port: u16,
    /// 0 is any.
    pub(crate) destination_port: u16,
    /// 0 none, 1 DNS, 2 WINS, 3 DHCP, 4 gateway as source; the same with 0x80 as destination.
    pub(crate) special: u8,
}

/// A filter of the second version.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Filter2 {
    /// What it is called.
    pub(crate) names: Names,
    /// Where packets come from.
    pub(crate) source: Side2,
    /// Where they go.
    pub(crate) destination: Side2,
    /// None is any.
    pub(crate) source_ports: Option<(u16, u16)>,
    /// None is any.
    pub(crate) destination_ports: Option<(u16, u16)>,
    /// 0 is any.
    pub(crate) protocol: u32,
    /// [`RANGES`].
    pub(crate) flags: u32,
}

/// A side of a filter of the second version.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Side2 {
    /// What has no address: 0 any, 8 me, 0x10 DNS, 0x20 WINS, 0x40 DHCP, 0x80 gateway; and the families: 1 IPv4, 2 IPv6,
    /// 3 both.
    Named(u32, u32),
    /// One address.
    Single(IpAddr),
    /// From one to another.
    Range(IpAddr, IpAddr),
    /// An IPv4 address and its mask.
    Masked(Ipv4Addr, Ipv4Addr),
    /// An IPv6 address and the length of its prefix.
    Prefix(Ipv6Addr, u8),
}

impl Blob for FilterBlob {
    const CLASS: &'static str = "ipsecFilter";
    const GUID: Guid = Guid::new(0x80dc_20b5, 0x2ec8, 0x11d1, [0xa8, 0x9e, 0x00, 0xa0, 0x24, 0x8d, 0x30, 0x21]);

    fn read_body(reader: &mut Reader<'_>) -> Result<Self, BlobError> {
        let count = reader.count("the number of filters", LEAST_1)?;
        let start = reader.offset();
        let mut first = (0..count).map(|_| filter1(reader)).collect::<Result<Vec<_>, _>>()?;
        if !reader.skip_marker(VERSION_2) {
            return Ok(Self { first, second: Vec::new() });
        }
        let at = reader.offset();
        let length = reader.u32("the length of the second version")? as usize;
        if length > reader.rest().len() {
            let allowed = format!("{}, which follow", reader.rest().len());
            return Err(reader.error(at, "the length of the second version", length.to_string(), allowed));
        }
        let at = reader.offset();
        let really = reader.u32("the number of filters of the first version")? as usize;
        if really > count {
            // The body holds more than its own number says: as many as this one says, up to the marker.
            let behind = reader.offset();
            reader.go_to(start);
            if really > reader.rest().len() / LEAST_1 || really * LEAST_1 > reader.body_end() {
                let value = really.to_string();
                return Err(reader.error(at, "the number of filters of the first version", value, count.to_string()));
            }
            first = (0..really).map(|_| filter1(reader)).collect::<Result<_, _>>()?;
            reader.go_to(behind);
        } else if really != 0 {
            first.truncate(really);
        }
        let count = reader.count("the number of filters of the second version", LEAST_2)?;
        let second = (0..count).map(|_| filter2(reader)).collect::<Result<_, _>>()?;
        Ok(Self { first, second })
    }

    fn write_body(&self, writer: &mut Writer) {
        writer.length(self.first.len());
        for filter in &self.first {
            names(writer, &filter.names);
            for (address, mask) in [filter.source, filter.destination] {
                writer.bytes(&address.octets());
                writer.bytes(&mask.octets());
            }
            writer.bytes(&filter.tunnel.unwrap_or(Ipv4Addr::UNSPECIFIED).octets());
            writer.u32(filter.protocol);
            writer.u16(filter.source_port);
            writer.u16(filter.destination_port);
            writer.u8(filter.tunnel.is_some().into());
            writer.u8(filter.special);
            writer.u16(0);
        }
    }

    fn write_later(&self, writer: &mut Writer) {
        if self.second.is_empty() {
            return;
        }
        let mut part = Writer::default();
        part.length(self.first.len());
        part.length(self.second.len());
        for filter in &self.second {
            names(&mut part, &filter.names);
            side(&mut part, filter.source);
            side(&mut part, filter.destination);
            for ports in [filter.source_ports, filter.destination_ports] {
                let (kind, (from, to)) = match ports {
                    None => (0, (0, 0)),
                    Some((from, to)) => (if from == to { 1 } else { 2 }, (from, to)),
                };
                part.u32(kind);
                part.u16(from);
                part.u16(to);
            }
            part.u32(filter.protocol);
            part.u32(filter.flags);
        }
        writer.guid(VERSION_2);
        writer.length(part.octets().len());
        writer.bytes(part.octets());
    }
}

fn names(writer: &mut Writer, names: &Names) {
    writer.text(&names.source);
    writer.text(&names.destination);
    writer.text(&names.description);
    writer.guid(names.guid);
    writer.boolean(names.mirrored);
}

fn sixteen(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V6(address) => address.octets(),
        IpAddr::V4(address) => {
            let mut octets = [0; 16];
            octets[..4].copy_from_slice(&address.octets());
            octets
        }
    }
}

fn side(writer: &mut Writer, side: Side2) {
    let family = |address: IpAddr| if address.is_ipv4() { 1 } else { 2 };
    let (kind, families, first, second) = match side {
        Side2::Named(kind, families) => (kind, families, [0; 16], [0; 16]),
        Side2::Single(address) => (1, family(address), sixteen(address), [0; 16]),
        Side2::Range(from, to) => (2, family(from), sixteen(from), sixteen(to)),
        Side2::Masked(address, mask) => (4, 1, sixteen(address.into()), sixteen(mask.into())),
        Side2::Prefix(address, length) => {
            let mut second = [0; 16];
            second[0] = length;
            (4, 2, address.octets(), second)
        }
    };
    writer.u32(kind);
    writer.u32(families);
    writer.bytes(&first);
    writer.bytes(&second);
}

fn read_names(reader: &mut Reader<'_>) -> Result<Names, BlobError> {
    let text = |reader: &mut Reader<'_>, what| reader.text(what).map(|text| String::clone(&*text));
    Ok(Names {
        source: text(reader, "the DNS name of the source")?,
        destination: text(reader, "the DNS name of the destination")?,
        description: text(reader, "the description of a filter")?,
        guid: reader.guid("the GUID of a filter")?,
        mirrored: reader.boolean("the mirroring of a filter")?,
    })
}

fn filter1(reader: &mut Reader<'_>) -> Result<Filter1, BlobError> {
    let names = read_names(reader)?;
    let source = (reader.address("the source address")?, reader.address("the source mask")?);
    let destination = (reader.address("the destination address")?, reader.address("the destination mask")?);
    let tunnel = reader.address("the tunnel's address")?;
    let protocol = reader.u32("the protocol")?;
    let (source_port, destination_port) = (reader.u16("the source port")?, reader.u16("the destination port")?);
    let is_tunnel = reader.u8("the mark of a tunnel")? != 0;
    let at = reader.offset();
    let special = reader.u8("the special side")?;
    if special & 0x7f > 4 || special == 0x80 {
        let allowed = "0 to 4, 0x81 to 0x84".to_owned();
        return Err(reader.error(at, "the special side", format!("{special:#x}"), allowed));
    }
    reader.bytes(2, "the field behind the special side")?;
    let tunnel = is_tunnel.then_some(tunnel);
    Ok(Filter1 { names, source, destination, tunnel, protocol, source_port, destination_port, special })
}

fn filter2(reader: &mut Reader<'_>) -> Result<Filter2, BlobError> {
    Ok(Filter2 {
        names: read_names(reader)?,
        source: read_side(reader)?,
        destination: read_side(reader)?,
        source_ports: ports(reader)?,
        destination_ports: ports(reader)?,
        protocol: reader.u32("the protocol")?,
        flags: reader.u32("the flags of a filter")?,
    })
}

fn ports(reader: &mut Reader<'_>) -> Result<Option<(u16, u16)>, BlobError> {
    let at = reader.offset();
    let kind = reader.u32("the type of a port")?;
    let (from, to) = (reader.u16("a port")?, reader.u16("the end of a range of ports")?);
    match kind {
        0 => Ok(None),
        1 => Ok(Some((from, from))),
        2 => Ok(Some((from, to))),
        other => Err(reader.error(at, "the type of a port", other.to_string(), "0 to 2".to_owned())),
    }
}

fn read_side(reader: &mut Reader<'_>) -> Result<Side2, BlobError> {
    let at = reader.offset();
    let kind = reader.u32("the type of an address")?;
    let families = reader.u32("the version of an address")?;
    let first = reader.sixteen("an address")?;
    let second = reader.sixteen("the end of a range, or a mask")?;
    let v4 = |octets: [u8; 16]| Ipv4Addr::new(octets[0], octets[1], octets[2], octets[3]);
    let address = |octets| if families == 1 { IpAddr::V4(v4(octets)) } else { IpAddr::V6(Ipv6Addr::from(octets)) };
    let has_address = matches!(kind, 1 | 2 | 4);
    if has_address && !matches!(families, 1 | 2) {
        let allowed = "1 (IPv4) or 2 (IPv6)".to_owned();
        return Err(reader.error(at + 4, "the version of an address", families.to_string(), allowed));
    }
    Ok(match kind {
        0 | 8 | 0x10 | 0x20 | 0x40 | 0x80 => Side2::Named(kind, families),
        1 => Side2::Single(address(first)),
        2 => Side2::Range(address(first), address(second)),
        4 if families == 1 => Side2::Masked(v4(first), v4(second)),
        4 if second[0] <= 128 => Side2::Prefix(first.into(), second[0]),
        4 => {
            let value = second[0].to_string();
            return Err(reader.error(at + 24, "the length of a prefix", value, "0 to 128".to_owned()));
        }
        other => {
            let allowed = "0, 1, 2, 4, 8, 0x10, 0x20, 0x40, 0x80".to_owned();
            return Err(reader.error(at, "the type of an address", format!("{other:#x}"), allowed));
        }
    })
}
