//! Messages: the block of each packet, with its payloads in wire order.
use super::{names, proposal};
use ikecore::event::{Context, MessageEvent};
use ikecore::wire::{
    Cert, CertReq, Chain, Delete, ExchangeType, Flags, Fragment, Header, Id, IdType, NatOa, Notify, NotifyType,
    Padding, PayloadType, ProtocolId, RawPayload, Sa, Vendor, WireError, dump, parse,
};
use std::net::{Ipv4Addr, Ipv6Addr};

/// The lines of one event.
pub(super) fn lines(context: &Context, event: &MessageEvent, out: &mut Vec<String>) {
    match event {
        MessageEvent::Received { octets } => received(context, octets, out),
        MessageEvent::Decrypted { octets } => payloads(octets, Padding::Allowed, &mut processing, out),
        MessageEvent::Sending { octets, encrypted, name } => sending(context, octets, *encrypted, name, out),
        MessageEvent::Retransmitted { message, count } => {
            let (sa, centry) = (names::sa(context), names::centry(context));
            out.push(format!("retransmit: sa = {sa} centry {centry} , count = {count}"));
            out.push(format!("  {message} to {}", names::with_port(context.remote)));
        }
        MessageEvent::ReplyRepeated { message } => {
            let peer = names::with_port(context.remote);
            out.push(format!("duplicate from {peer}: sa = {}, {message} is sent again", names::sa(context)));
        }
        MessageEvent::Dropped { cookies, reason, len } => {
            out.push(format!("Dropping packet of {len} octets from {}: {reason}", names::with_port(context.remote)));
            if let Some(cookies) = cookies {
                out.push(format!("  I-COOKIE {}", cookies.initiator));
                out.push(format!("  R-COOKIE {}", cookies.responder));
            }
        }
        MessageEvent::Notification { notify, authenticated, text } => {
            let proven = if *authenticated { "authenticated" } else { "not authenticated, only a hint" };
            let text = text.as_ref().map(|text| format!(": {text}")).unwrap_or_default();
            out.push(format!("notify from {}: {notify}, {proven}{text}", names::with_port(context.remote)));
        }
        // Its line stands in the packet's block.
        MessageEvent::VendorId { .. } => {}
    }
}

fn received(context: &Context, octets: &[u8], out: &mut Vec<String>) {
    out.push(String::new());
    let (sa, peer) = (names::packet_sa(context), names::with_port(context.remote));
    out.push(format!("Receive: (get) SA = {sa} from {peer}"));
    match Header::read(octets) {
        Ok(header) => {
            head(&header, header.flags, out);
            if !header.flags.contains(Flags::ENCRYPTION) {
                payloads(octets, Padding::Forbidden, &mut processing, out);
            }
        }
        Err(error) => out.push(format!("Invalid header: {error}")),
    }
}

fn sending(context: &Context, octets: &[u8], encrypted: bool, name: &str, out: &mut Vec<String>) {
    out.push("constructing ISAKMP Header".to_owned());
    let mut construct = |kind, raw: &RawPayload<'_>, out: &mut Vec<String>| constructing(context, kind, raw, out);
    payloads(octets, Padding::Allowed, &mut construct, out);
    out.push(String::new());
    let (sa, peer) = (names::packet_sa(context), names::with_port(context.remote));
    match Header::read(octets) {
        Ok(header) => {
            out.push(format!("Sending: SA = {sa} to {}", typed(&peer, header.exchange)));
            out.push(format!("  {name}"));
            let flags = if encrypted { header.flags.union(Flags::ENCRYPTION) } else { header.flags };
            head(&header, flags, out);
        }
        Err(error) => out.push(format!("Invalid header: {error}")),
    }
}

/// `B:Type 2.500`: the exchange stands between address and port.
fn typed(peer: &str, exchange: ExchangeType) -> String {
    let (address, port) = peer.rsplit_once('.').unwrap_or((peer, "0"));
    format!("{address}:Type {}.{port}", exchange.0)
}

fn head(header: &Header, flags: Flags, out: &mut Vec<String>) {
    let (major, minor) = (header.version >> 4, header.version & 0x0f);
    out.push(format!("ISAKMP Header: (V{major}.{minor}), len = {}", header.length));
    out.push(format!("  I-COOKIE {}", header.initiator));
    out.push(format!("  R-COOKIE {}", header.responder));
    out.push(format!("  exchange: {}", names::exchange(header.exchange)));
    let word = if flags.contains(Flags::ENCRYPTION) { " ( encrypted )" } else { "" };
    out.push(format!("  flags: {}{word}", flags.0));
    out.push(format!("  next payload: {}", names::payload(header.next_payload)));
    out.push(format!("  message ID: {}", header.message_id));
}

type EachPayload<'f> = dyn FnMut(ExchangeType, &RawPayload<'_>, &mut Vec<String>) -> Result<(), WireError> + 'f;

/// The lines of each payload behind the header; of a damaged message all that can be read, and where it is damaged.
fn payloads(octets: &[u8], padding: Padding, each: &mut EachPayload<'_>, out: &mut Vec<String>) {
    let Ok(header) = Header::read(octets) else { return };
    let body = octets.get(Header::LEN..).unwrap_or_default();
    match parse(header.next_payload, body, padding) {
        Ok(Chain { payloads, .. }) => {
            for raw in &payloads {
                if let Err(error) = each(header.exchange, raw, out) {
                    out.push(format!("Invalid payload: {error}"));
                }
            }
        }
        Err(error) => {
            out.push(format!("Invalid payload: {error}"));
            let shown = dump::lines(&header, body);
            out.extend(shown.iter().map(|line| format!("{}{}", "  ".repeat(line.depth + 1), line.text)));
        }
    }
}

fn processing(exchange: ExchangeType, raw: &RawPayload<'_>, out: &mut Vec<String>) -> Result<(), WireError> {
    match (exchange, raw.kind) {
        (ExchangeType::QUICK | ExchangeType::INFORMATIONAL, PayloadType::HASH) => {
            out.push("processing HASH (QM)".to_owned());
        }
        (_, kind) => out.push(format!("processing payload {}", names::payload(kind))),
    }
    match raw.kind {
        PayloadType::SA => proposal::lines(&raw.decode(Sa::decode)?, proposal::Side::Peer, out),
        PayloadType::VENDOR => {
            let vendor = raw.decode(Vendor::decode)?;
            match vendor.name() {
                Some(name) => out.push(format!("Received VendorId {}", name.trim_end_matches("\\n"))),
                None => out.push(format!("Received VendorId unknown {}", names::hex(vendor.data))),
            }
        }
        PayloadType::NAT_D | PayloadType::NAT_D_DRAFT => {
            out.push("Processing NatHash".to_owned());
            out.push(format!("Nat hash {}", names::hex(raw.body)));
        }
        PayloadType::NAT_OA | PayloadType::NAT_OA_DRAFT => {
            out.push(format!("  original address {}", raw.decode(NatOa::decode)?.address));
        }
        PayloadType::ID => identity(&raw.decode(Id::decode)?, out),
        PayloadType::NOTIFY => notify(&raw.decode(Notify::decode)?, out),
        PayloadType::DELETE => {
            let delete = raw.decode(Delete::decode)?;
            for spi in delete.spis() {
                out.push(match (delete.protocol, <[u8; 4]>::try_from(spi)) {
                    (_, Ok(spi)) => format!("Deleting SPI {}", u32::from_be_bytes(spi)),
                    (protocol, Err(_)) => format!("Deleting {protocol} SPI {}", names::hex(spi)),
                });
            }
        }
        PayloadType::FRAGMENT => {
            let fragment = raw.decode(Fragment::decode)?;
            out.push("Received fragment".to_owned());
            let last = if fragment.is_last() { " last" } else { "" };
            out.push(format!(
                "  Frag id {} num {}{last}, {} octets",
                fragment.id,
                fragment.number,
                fragment.data.len()
            ));
        }
        PayloadType::CERT => {
            let cert = raw.decode(Cert::decode)?;
            out.push(format!("  {}, {} octets", cert.encoding, cert.data.len()));
        }
        PayloadType::CERTREQ => {
            let request = raw.decode(CertReq::decode)?;
            out.push(format!("  {}, authority of {} octets", request.encoding, request.authority.len()));
        }
        // Of what may help to attack the SA, or belongs to a user, the length is all that is written.
        _ => out.push(format!("  {} octets", raw.body.len())),
    }
    Ok(())
}

fn identity(id: &Id<'_>, out: &mut Vec<String>) {
    let data = match id.data.len() {
        0..=64 => names::hex(id.data),
        length => format!("{length} octets"),
    };
    out.push(format!("  ID Type {}, protocol {}, port {}", id.id_type, id.protocol, id.port));
    out.push(format!("  ID {data}{}", readable(id).map(|text| format!(" ({text})")).unwrap_or_default()));
}

/// Addresses and names as people write them.
fn readable(id: &Id<'_>) -> Option<String> {
    let v4 = || id.data.as_chunks::<4>().0.iter().map(|octets| Ipv4Addr::from(*octets).to_string()).collect::<Vec<_>>();
    let v6 =
        || id.data.as_chunks::<16>().0.iter().map(|octets| Ipv6Addr::from(*octets).to_string()).collect::<Vec<_>>();
    match id.id_type {
        IdType::IPV4_ADDR => Some(v4().join("")),
        IdType::IPV6_ADDR => Some(v6().join("")),
        IdType::IPV4_ADDR_SUBNET => Some(v4().join("/")),
        IdType::IPV6_ADDR_SUBNET => Some(v6().join("/")),
        IdType::IPV4_ADDR_RANGE => Some(v4().join("-")),
        IdType::IPV6_ADDR_RANGE => Some(v6().join("-")),
        IdType::FQDN | IdType::USER_FQDN => Some(String::from_utf8_lossy(id.data.get(..64).unwrap_or(id.data)).into()),
        _ => None,
    }
}

fn notify(notify: &Notify<'_>, out: &mut Vec<String>) {
    match notify.notify_type.name() {
        Some(name) => out.push(format!("notify: {name}")),
        None => out.push(format!("Unknown notify {}", notify.notify_type.0)),
    }
    if !notify.spi.is_empty() {
        out.push(format!("  {} SPI {}", notify.protocol, names::hex(notify.spi)));
    }
}

fn constructing(
    context: &Context,
    exchange: ExchangeType,
    raw: &RawPayload<'_>,
    out: &mut Vec<String>,
) -> Result<(), WireError> {
    let quick = exchange == ExchangeType::QUICK;
    let named = |main: &str, in_quick: &str| format!("constructing {}", if quick { in_quick } else { main });
    match raw.kind {
        PayloadType::SA => {
            out.push(named("SA (ISAKMP)", "SA (IPSEC)"));
            proposal::lines(&raw.decode(Sa::decode)?, proposal::Side::Own, out);
        }
        PayloadType::KE => out.push(named("KE", "QM KE")),
        PayloadType::NONCE => out.push(named("NONCE (ISAKMP)", "NONCE (IPSEC)")),
        PayloadType::ID if quick => {
            out.push("constructing ID (proxy)".to_owned());
            identity(&raw.decode(Id::decode)?, out);
        }
        PayloadType::ID => {
            let id = raw.decode(Id::decode)?;
            out.push("constructing ID".to_owned());
            out.push(format!("MM ID Type {}", id.id_type.0));
            out.push(format!("MM ID {}", names::hex(id.data)));
        }
        PayloadType::HASH => {
            let in_phase_2 = quick || exchange == ExchangeType::INFORMATIONAL;
            out.push(format!("constructing HASH{}", if in_phase_2 { " (QM)" } else { "" }));
        }
        PayloadType::CERTREQ => out.push("Construct CERTREQ".to_owned()),
        PayloadType::VENDOR => {
            let vendor = raw.decode(Vendor::decode)?;
            match vendor.name() {
                Some(name) => out.push(format!("Constructing Vendor {}", name.trim_end_matches("\\n"))),
                None => out.push(format!("Constructing Vendor {}", names::hex(vendor.data))),
            }
        }
        PayloadType::NAT_D | PayloadType::NAT_D_DRAFT => out.push("Constructing NatDisc".to_owned()),
        PayloadType::NOTIFY => {
            let notify = raw.decode(Notify::decode)?;
            let name = NotifyType::name(notify.notify_type).unwrap_or("unknown");
            out.push(format!("constructing NOTIFY {} {name}", notify.notify_type.0));
        }
        PayloadType::DELETE => {
            let delete = raw.decode(Delete::decode)?;
            if delete.protocol == ProtocolId::ISAKMP {
                out.push(format!("constructing DELETE. MM {}", names::sa(context)));
            } else {
                let line =
                    |spi| format!("constructing DELETE. Protocol {}, SPI {}", delete.protocol.0, names::hex(spi));
                out.extend(delete.spis().map(line));
            }
        }
        other => out.push(format!("constructing {}", names::payload(other))),
    }
    Ok(())
}
