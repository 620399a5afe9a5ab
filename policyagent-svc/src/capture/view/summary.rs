//! A packet in one line.
use super::Seen;
use crate::capture::dissect::{Facts, Isakmp, Packet};
use crate::capture::file::Timestamp;
use ikecore::wire::Flags;

/// Number, seconds since the first frame, source, destination, protocol, and what it is about.
pub(crate) fn summary(seen: &Seen<'_>) -> String {
    let time = match (seen.start, seen.frame.time) {
        (Some(start), Some(time)) => relative(start, time),
        _ => "-".to_owned(),
    };
    let (source, destination) = match seen.packet.addresses() {
        Some((source, destination)) => (source.to_string(), destination.to_string()),
        None => ("-".to_owned(), "-".to_owned()),
    };
    let (protocol, about) = about(seen.packet);
    let mut line = format!("{:>5} {time:>12}  {source:<15} > {destination:<15}  {protocol:<9} {about}", seen.number);
    let faults = seen.packet.faults();
    if let Some(first) = faults.first() {
        line += &format!("  FAULT: {first}");
    }
    line.truncate(line.trim_end().len());
    line
}

/// The innermost protocol of a packet, and what it says: what ESP or AH holds, if that can be read, stands behind these.
pub(super) fn about(packet: &Packet) -> (String, String) {
    let mut said = Vec::new();
    let mut protocol = "-".to_owned();
    let mut fresh = true;
    for layer in &packet.layers {
        let (name, text) = match &layer.facts {
            Facts::Link | Facts::Udp { .. } | Facts::Encrypted | Facts::Fault => continue,
            // Of the outer header the addresses are shown already.
            Facts::Ip { .. } if fresh => {
                fresh = false;
                continue;
            }
            Facts::Ip { .. } => ("IP".to_owned(), layer.node.value.clone()),
            Facts::Isakmp(message) => ("ISAKMP".to_owned(), isakmp(message)),
            Facts::KeepAlive => ("NAT-T".to_owned(), "keep-alive".to_owned()),
            Facts::Ah { spi, sequence } => ("AH".to_owned(), format!("SPI {spi}, number {sequence}")),
            Facts::Esp { spi, sequence } => ("ESP".to_owned(), format!("SPI {spi}, number {sequence}")),
            Facts::Other(name) if name == "non-ESP marker" => continue,
            Facts::Unreadable(name) | Facts::Other(name) => (name.clone(), layer.node.value.clone()),
        };
        if said.is_empty() {
            protocol.clone_from(&name);
            said.push(text);
        } else {
            said.push(format!("{name} {text}").trim_end().to_owned());
        }
    }
    (protocol, said.join(" | "))
}

fn isakmp(message: &Isakmp) -> String {
    let header = &message.header;
    let name = header.exchange.name().map_or_else(|| format!("exchange {}", header.exchange.0), str::to_owned);
    let mut text = format!("{name} {}:{} id {}", header.initiator, header.responder, header.message_id);
    if !message.readable {
        return text + " encrypted";
    }
    if header.flags.contains(Flags::ENCRYPTION) {
        text += " decrypted";
    }
    let mut payloads: Vec<(String, usize)> = Vec::new();
    for kind in &message.payloads {
        let name = kind.name().map_or_else(|| kind.0.to_string(), str::to_owned);
        match payloads.last_mut() {
            Some((last, count)) if *last == name => *count += 1,
            _ => payloads.push((name, 1)),
        }
    }
    for (name, count) in payloads {
        text += &if count == 1 { format!(" {name}") } else { format!(" {name}*{count}") };
    }
    for kind in &message.notifications {
        text += &format!(" {kind}");
    }
    text
}

/// Seconds between two times, with six digits behind the point; a capture need not be in order.
fn relative(start: Timestamp, time: Timestamp) -> String {
    let units = |time: Timestamp| i128::from(time.seconds) * 1_000_000_000 + i128::from(time.nanoseconds);
    let difference = units(time) - units(start);
    let sign = if difference < 0 { "-" } else { "" };
    let microseconds = difference.unsigned_abs() / 1000;
    format!("{sign}{}.{:06}", microseconds / 1_000_000, microseconds % 1_000_000)
}
