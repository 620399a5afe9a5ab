//! ISAKMP, by the codec that negotiates.
use ikecore::ids::Spi;
use ikecore::wire::{
    Delete, Flags, Header, Notify, NotifyType, Padding, PayloadType, Sa, Vendor, chain::parse_lenient, dump,
};

use super::{Facts, Packet, Place};

/// What of a message is asked for.
#[derive(Debug, Clone)]
pub(crate) struct Isakmp {
    /// Its header.
    pub(crate) header: Header,
    /// True if its payloads can be read: they are in clear, or were decrypted.
    pub(crate) readable: bool,
    /// The payloads in their order.
    pub(crate) payloads: Vec<PayloadType>,
    /// The known vendor IDs by name.
    pub(crate) vendors: Vec<&'static str>,
    /// The notifications.
    pub(crate) notifications: Vec<NotifyType>,
    /// The SPIs of IPsec SAs that are offered, chosen, deleted or notified of.
    pub(crate) spis: Vec<Spi>,
}

impl Packet {
    /// Takes a message apart that stands in clear, or cannot be read.
    pub(super) fn isakmp(&mut self, at: Place, datagram: &[u8]) {
        let node = dump::tree_datagram(datagram);
        let facts = match Header::read(datagram) {
            Ok(header) if header.version >> 4 == Header::VERSION >> 4 => {
                let body = datagram.get(Header::LEN..).unwrap_or_default();
                let readable = !header.flags.contains(Flags::ENCRYPTION);
                let plain = if readable { body } else { &[] };
                Facts::Isakmp(Box::new(facts(header, plain, readable)))
            }
            Ok(header) => {
                Facts::Unreadable(format!("ISAKMP version {}.{}", header.version >> 4, header.version & 0x0f))
            }
            Err(_) => Facts::Unreadable("ISAKMP".to_owned()),
        };
        self.push(at, facts, node);
    }
}

/// What of a message with this plain body is asked for.
fn facts(header: Header, plain: &[u8], readable: bool) -> Isakmp {
    let mut found = Isakmp {
        header,
        readable,
        payloads: Vec::new(),
        vendors: Vec::new(),
        notifications: Vec::new(),
        spis: Vec::new(),
    };
    if !readable {
        return found;
    }
    let (chain, _) = parse_lenient(header.next_payload, plain, Padding::Allowed);
    for raw in &chain.payloads {
        found.payloads.push(raw.kind);
        let mut spi = |octets: &[u8]| {
            if let Ok(octets) = octets.try_into() {
                found.spis.push(Spi(u32::from_be_bytes(octets)));
            }
        };
        match raw.kind {
            PayloadType::SA => {
                let proposals = raw.decode(Sa::decode).map(|sa| sa.proposals).unwrap_or_default();
                proposals.iter().for_each(|proposal| spi(proposal.spi));
            }
            PayloadType::DELETE => {
                if let Ok(delete) = raw.decode(Delete::decode) {
                    delete.spis().for_each(spi);
                }
            }
            PayloadType::NOTIFY => {
                if let Ok(notify) = raw.decode(Notify::decode) {
                    spi(notify.spi);
                    found.notifications.push(notify.notify_type);
                }
            }
            PayloadType::VENDOR => {
                found.vendors.extend(raw.decode(Vendor::decode).ok().and_then(|vendor| vendor.name()));
            }
            _ => {}
        }
    }
    found
}
