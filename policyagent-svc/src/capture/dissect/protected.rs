//! AH (RFC 4302) and ESP (RFC 4303).
use ikecore::ids::Spi;
use ikecore::wire::dump::Node;
use ikedaemon::driver::userspace::esp::Opened;

use super::ip::named;
use super::null::{Null, Trailer};
use super::{DEEPEST, Facts, Fields, Place, Short, Walk};

/// Octets of ESP's SPI and sequence number.
const HEADER: usize = 8;

impl Walk<'_> {
    pub(super) fn ah(&mut self, at: Place, octets: &[u8], depth: usize) {
        let mut fields = Fields::new(octets);
        let Ok((next, spi, sequence)) = ah(&mut fields) else {
            return self.push(at, Facts::Unreadable("AH".to_owned()), fields.into_node("AH", ""));
        };
        let header = fields.at;
        self.push(at, Facts::Ah { spi, sequence }, fields.into_node("AH", format!("SPI {spi}")));
        let rest = octets.get(header..).unwrap_or_default();
        if depth < DEEPEST {
            self.upper(at.after(header), next, rest, depth + 1);
        }
    }

    pub(super) fn esp(&mut self, at: Place, octets: &[u8], depth: usize) {
        let mut fields = Fields::new(octets);
        let Ok((spi, sequence)) = esp(&mut fields) else {
            return self.push(at, Facts::Unreadable("ESP".to_owned()), fields.into_node("ESP", ""));
        };
        let facts = Facts::Esp { spi, sequence };
        let name = format!("SPI {spi}");
        let rest = octets.get(HEADER..).unwrap_or_default();
        // The innermost addresses: those that the SA is between.
        let addresses = self.packet.layers.iter().rev().find_map(|layer| match layer.facts {
            Facts::Ip { source, destination } => Some((source, destination)),
            _ => None,
        });
        let opened = addresses.and_then(|addresses| self.session.open(addresses, spi, octets));
        match opened {
            Some(Ok((opened, iv, icv))) => {
                let text = rest.len().saturating_sub(iv + icv);
                let verified = if icv > 0 { ", decrypted, integrity verified" } else { ", decrypted" };
                // Both were found to be so short, or it had not been opened.
                let _ = fields.take("IV", iv).and_then(|_| fields.take("encrypted", text));
                let _ = fields.take("Integrity Check Value (ICV)", icv);
                self.push(at, facts, fields.into_node("ESP", name + verified));
                self.inside(opened, text, depth);
            }
            Some(Err(error)) => {
                let _ = fields.take("encrypted", rest.len());
                fields.nodes.push(Node::new("not decrypted", error, HEADER..HEADER));
                self.push(at, facts, fields.into_node("ESP", name));
            }
            None => match addresses.and_then(|addresses| self.session.null(addresses, spi, rest)) {
                Some(null) => self.unencrypted(at, facts, (fields, name), octets, null, depth),
                None => {
                    let _ = fields.take("encrypted", rest.len());
                    self.push(at, facts, fields.into_node("ESP", name));
                }
            },
        }
    }

    /// What was decrypted: payload, padding, its length, and the protocol (RFC 4303 §2).
    fn inside(&mut self, opened: Opened, text: usize, depth: usize) {
        let Opened { next_header, payload } = opened;
        // The padding was 1, 2, 3, ..., or it had not been opened.
        let padding = u8::try_from(text.saturating_sub(payload.len() + 2)).unwrap_or(0);
        let trailer: Vec<u8> = (1..=padding).chain([padding, next_header]).collect();
        let inside = self.buffer("decrypted packet", [payload.as_slice(), &trailer].concat());
        self.trailer(inside.after(payload.len()), &trailer);
        if depth < DEEPEST {
            self.upper(inside, next_header, &payload, depth + 1);
        }
    }

    /// A packet that was recognised as not encrypted.
    fn unencrypted(
        &mut self,
        at: Place,
        facts: Facts,
        (mut fields, name): (Fields<'_>, String),
        octets: &[u8],
        null: Null,
        depth: usize,
    ) {
        let rest = octets.get(HEADER..).unwrap_or_default();
        let Some(Trailer { payload, padding, next_header }) = null.trailer(rest) else { return };
        let _ = fields.take("IV", null.iv);
        let begin = fields.at;
        let end = octets.len().saturating_sub(null.icv);
        fields.nodes.push(Node::length("payload and trailer", begin..end));
        fields.at = end;
        let _ = fields.take("Integrity Check Value (ICV)", null.icv);
        self.push(at, facts, fields.into_node("ESP", name + ", not encrypted (recognised)"));
        let trailer = octets.get(begin + payload..begin + payload + padding + 2).unwrap_or_default();
        self.trailer(at.after(begin + payload), trailer);
        let payload = octets.get(begin..begin + payload).unwrap_or_default();
        if depth < DEEPEST {
            self.upper(at.after(begin), next_header, payload, depth + 1);
        }
    }

    fn trailer(&mut self, at: Place, octets: &[u8]) {
        let mut fields = Fields::new(octets);
        let read = fields.take("Padding", octets.len().saturating_sub(2)).and_then(|_| {
            fields.u8("Pad Length", |value| value.to_string())?;
            fields.u8("Next Header", named)
        });
        let value = read.map(named).unwrap_or_default();
        self.push(at, Facts::Link, fields.into_node("ESP trailer", value));
    }
}

/// The protocol of what follows, SPI and sequence number.
fn ah(fields: &mut Fields<'_>) -> Result<(u8, Spi, u32), Short> {
    let next = fields.u8("Next Header", named)?;
    // RFC 4302 §2.2: in words of four octets, less two.
    let words = fields.u8("Payload Len", |value| format!("{value}: {} octets", (usize::from(value) + 2) * 4))?;
    fields.u16("RESERVED", |value| value.to_string())?;
    let spi = Spi(fields.u32("Security Parameters Index (SPI)", |value| Spi(value).to_string())?);
    let sequence = fields.u32("Sequence Number", |value| value.to_string())?;
    let header = (usize::from(words) + 2) * 4;
    if header < fields.at {
        fields.fault(format!("Payload Len states {header} octets, the fields before the ICV have {}", fields.at));
        return Err(Short);
    }
    fields.take("Integrity Check Value (ICV)", header - fields.at)?;
    Ok((next, spi, sequence))
}

/// SPI and sequence number.
fn esp(fields: &mut Fields<'_>) -> Result<(Spi, u32), Short> {
    let spi = Spi(fields.u32("Security Parameters Index (SPI)", |value| Spi(value).to_string())?);
    let sequence = fields.u32("Sequence Number", |value| value.to_string())?;
    Ok((spi, sequence))
}
