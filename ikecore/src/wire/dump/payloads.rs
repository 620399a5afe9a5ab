//! The fields of each payload but the SA's.
use super::super::codes::{ConfigAttribute, ConfigType, Doi, IdType, NotifyType, PayloadType, ProtocolId};
use super::super::error::{Fault, Part, WireError};
use super::super::payload::{
    Cert, CertReq, Delete, Fragment, Hash, Id, KeyExchange, NatD, NatOa, Nonce, Notify, Signature, Vendor,
};
use super::super::reader::Reader;
use super::attributes::{self, Kinds};
use super::{Node, hex, octets, sa, text};
use core::net::{Ipv4Addr, Ipv6Addr};
use core::ops::Range;

/// Adds the fields of the payload with this body to `out`, as far as they go. The body stands at `base` in the chain.
pub(super) fn fields(kind: PayloadType, body: &[u8], base: usize, out: &mut Vec<Node>) -> Result<(), WireError> {
    let all = base..base + body.len();
    match kind {
        PayloadType::SA => sa::fields(body, base, out)?,
        PayloadType::KE => hidden("Key Exchange Data", KeyExchange::decode(body)?.data, all, out),
        PayloadType::ID => id(&Id::decode(body)?, base, out),
        PayloadType::CERT => {
            let cert = Cert::decode(body)?;
            out.push(Node::new("Cert Encoding", cert.encoding, base..base + 1));
            hidden("Certificate Data", cert.data, base + 1..all.end, out);
        }
        PayloadType::CERTREQ => {
            let request = CertReq::decode(body)?;
            out.push(Node::new("Cert. Type", request.encoding, base..base + 1));
            out.push(Node::new("Certificate Authority", hex(request.authority), base + 1..all.end));
        }
        PayloadType::HASH => hidden("Hash Data", Hash::decode(body)?.data, all, out),
        PayloadType::SIG => hidden("Signature Data", Signature::decode(body)?.data, all, out),
        PayloadType::NONCE => hidden("Nonce Data", Nonce::decode(body)?.data, all, out),
        PayloadType::NOTIFY => notify(&Notify::decode(body)?, base, out)?,
        PayloadType::DELETE => delete(&Delete::decode(body)?, base, out),
        PayloadType::VENDOR => {
            let vendor = Vendor::decode(body)?;
            let name = vendor.name().unwrap_or("unknown");
            out.push(Node::new("Vendor ID", format!("{name} ({})", hex(vendor.data)), all));
        }
        PayloadType::ATTRIBUTES => config(body, base, out)?,
        PayloadType::NAT_D | PayloadType::NAT_D_DRAFT => {
            out.push(Node::new("HASH", hex(NatD::decode(body)?.data), all));
        }
        PayloadType::NAT_OA | PayloadType::NAT_OA_DRAFT => {
            let address = NatOa::decode(body)?.address;
            out.push(Node::new("ID Type", IdType(body.first().copied().unwrap_or_default()), base..base + 1));
            out.push(Node::new("original address", address, base + 4..all.end));
        }
        PayloadType::FRAGMENT => fragment(&Fragment::decode(body)?, base, out),
        _ => hidden("data", body, all, out),
    }
    Ok(())
}

/// A field of which only the length is shown.
fn hidden(name: &str, data: &[u8], at: Range<usize>, out: &mut Vec<Node>) {
    debug_assert_eq!(data.len(), at.len(), "{name} stands elsewhere");
    out.push(Node::length(name, at));
}

fn id(id: &Id<'_>, base: usize, out: &mut Vec<Node>) {
    out.push(Node::new("ID Type", id.id_type, base..base + 1));
    out.push(Node::new("Protocol ID", id.protocol, base + 1..base + 2));
    out.push(Node::new("Port", id.port, base + 2..base + 4));
    out.push(Node::new("Identification Data", id_data(id), base + 4..base + 4 + id.data.len()));
}

fn id_data(id: &Id<'_>) -> String {
    let separator = match id.id_type {
        IdType::IPV4_ADDR_SUBNET | IdType::IPV6_ADDR_SUBNET => "/",
        IdType::IPV4_ADDR_RANGE | IdType::IPV6_ADDR_RANGE => "-",
        _ => "",
    };
    match id.id_type {
        IdType::IPV4_ADDR | IdType::IPV4_ADDR_SUBNET | IdType::IPV4_ADDR_RANGE => {
            let address = |octets: &[u8; 4]| Ipv4Addr::from(*octets).to_string();
            id.data.as_chunks::<4>().0.iter().map(address).collect::<Vec<_>>().join(separator)
        }
        IdType::IPV6_ADDR | IdType::IPV6_ADDR_SUBNET | IdType::IPV6_ADDR_RANGE => {
            let address = |octets: &[u8; 16]| Ipv6Addr::from(*octets).to_string();
            id.data.as_chunks::<16>().0.iter().map(address).collect::<Vec<_>>().join(separator)
        }
        IdType::DER_ASN1_DN | IdType::DER_ASN1_GN => hex(id.data),
        _ => text(id.data),
    }
}

fn notify(notify: &Notify<'_>, base: usize, out: &mut Vec<Node>) -> Result<(), WireError> {
    out.push(Node::new("DOI", notify.doi, base..base + 4));
    out.push(Node::new("Protocol-ID", notify.protocol, base + 4..base + 5));
    out.push(Node::new("SPI Size", notify.spi.len(), base + 5..base + 6));
    out.push(Node::new("Notify Message Type", notify.notify_type, base + 6..base + 8));
    // The offset at which the data stands in the body.
    let before = 8 + notify.spi.len();
    if !notify.spi.is_empty() {
        out.push(Node::new("SPI", hex(notify.spi), base + 8..base + before));
    }
    if notify.data.is_empty() {
        return Ok(());
    }
    let at = base + before..base + before + notify.data.len();
    let mut reader = Reader::new(Part::Payload(PayloadType::NOTIFY), notify.data);
    reader.field("Notification Data");
    let number = |reader: Reader<'_>| number(reader).map_err(|error| error.moved(before));
    let data = match notify.notify_type {
        // RFC 2407 §4.6.3.1: attributes of the SA whose life is meant.
        NotifyType::RESPONDER_LIFETIME if notify.doi == Doi::IPSEC => {
            let kinds = if notify.protocol == ProtocolId::ISAKMP { Kinds::Ike } else { Kinds::Ipsec };
            let mut children = Vec::new();
            let result = attributes::list(kinds, notify.data, at.start, &mut children);
            out.push(Node::with("Notification Data", "", at, children));
            return result.map_err(|error| error.moved(before));
        }
        // RFC 2407 §4.6.3.2.
        NotifyType::REPLAY_STATUS => match number(reader)? {
            0 => "replay detection disabled (0)".to_owned(),
            1 => "replay detection enabled (1)".to_owned(),
            other => format!("unknown ({other})"),
        },
        // RFC 3706 §5.3.
        NotifyType::R_U_THERE | NotifyType::R_U_THERE_ACK => format!("sequence number {}", number(reader)?),
        _ => text(notify.data),
    };
    out.push(Node::new("Notification Data", data, at));
    Ok(())
}

/// The four octets that are all there is to read.
fn number(mut reader: Reader<'_>) -> Result<u32, WireError> {
    let value = reader.u32()?;
    reader.finish()?;
    Ok(value)
}

fn delete(delete: &Delete<'_>, base: usize, out: &mut Vec<Node>) {
    out.push(Node::new("DOI", delete.doi, base..base + 4));
    out.push(Node::new("Protocol-Id", delete.protocol, base + 4..base + 5));
    out.push(Node::new("SPI Size", delete.spi_size, base + 5..base + 6));
    out.push(Node::new("# of SPIs", delete.spis().len(), base + 6..base + 8));
    let mut at = base + 8;
    for spi in delete.spis() {
        out.push(Node::new("SPI", hex(spi), at..at + spi.len()));
        at += spi.len();
    }
}

fn fragment(fragment: &Fragment<'_>, base: usize, out: &mut Vec<Node>) {
    out.push(Node::new("fragment id", fragment.id, base..base + 2));
    out.push(Node::new("fragment number", fragment.number, base + 2..base + 3));
    out.push(Node::new("last", if fragment.is_last() { "yes" } else { "no" }, base + 3..base + 4));
    hidden("fragment data", fragment.data, base + 4..base + 4 + fragment.data.len(), out);
}

/// Attributes of a transaction exchange, as far as they go.
fn config(body: &[u8], base: usize, out: &mut Vec<Node>) -> Result<(), WireError> {
    let mut reader = Reader::new(Part::Payload(PayloadType::ATTRIBUTES), body);
    out.push(Node::new("Type", ConfigType(reader.field("Type").u8()?), base..base + 1));
    let reserved = reader.field("RESERVED").u8()?;
    if reserved != 0 {
        return Err(reader.fault_at(1, Fault::Reserved(reserved.into())));
    }
    out.push(Node::new("Identifier", reader.field("Identifier").u16()?, base + 2..base + 4));
    let before = reader.offset();
    attributes::list(Kinds::Config, reader.rest(), base + before, out).map_err(|error| error.moved(before))
}

/// The value of a variable attribute of the transaction exchange.
pub(super) fn config_value(kind: ConfigAttribute, data: &[u8]) -> String {
    match (kind, data.len()) {
        _ if kind.is_secret() => format!("{}, not shown", octets(data.len())),
        (_, 0) => "empty".to_owned(),
        (
            ConfigAttribute::INTERNAL_IP4_ADDRESS
            | ConfigAttribute::INTERNAL_IP4_NETMASK
            | ConfigAttribute::INTERNAL_IP4_DNS
            | ConfigAttribute::INTERNAL_IP4_NBNS
            | ConfigAttribute::INTERNAL_IP4_DHCP
            | ConfigAttribute::INTERNAL_IP4_SUBNET,
            4 | 8,
        ) => {
            let address = |octets: &[u8; 4]| Ipv4Addr::from(*octets).to_string();
            data.as_chunks::<4>().0.iter().map(address).collect::<Vec<_>>().join("/")
        }
        (
            ConfigAttribute::INTERNAL_IP6_ADDRESS
            | ConfigAttribute::INTERNAL_IP6_NETMASK
            | ConfigAttribute::INTERNAL_IP6_DNS
            | ConfigAttribute::INTERNAL_IP6_NBNS
            | ConfigAttribute::INTERNAL_IP6_DHCP
            | ConfigAttribute::INTERNAL_IP6_SUBNET,
            16 | 17,
        ) => {
            let address = |octets: &[u8; 16]| Ipv6Addr::from(*octets).to_string();
            let (addresses, prefix) = data.as_chunks::<16>();
            let prefix = prefix.iter().map(u8::to_string);
            addresses.iter().map(address).chain(prefix).collect::<Vec<_>>().join("/")
        }
        (ConfigAttribute::INTERNAL_ADDRESS_EXPIRY, 4) => {
            let seconds = data.iter().fold(0_u32, |value, octet| value << 8 | u32::from(*octet));
            format!("{seconds} seconds")
        }
        _ => text(data),
    }
}
