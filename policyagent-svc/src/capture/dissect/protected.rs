//! AH (RFC 4302) and ESP (RFC 4303).
use ikecore::ids::Spi;

use super::ip::named;
use super::{DEEPEST, Facts, Fields, Packet, Place, Short};

impl Packet {
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

    pub(super) fn esp(&mut self, at: Place, octets: &[u8]) {
        let mut fields = Fields::new(octets);
        let Ok((spi, sequence)) = esp(&mut fields) else {
            return self.push(at, Facts::Unreadable("ESP".to_owned()), fields.into_node("ESP", ""));
        };
        self.push(at, Facts::Esp { spi, sequence }, fields.into_node("ESP", format!("SPI {spi}")));
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
    let left = fields.octets.len().saturating_sub(fields.at);
    fields.take("encrypted", left)?;
    Ok((spi, sequence))
}
