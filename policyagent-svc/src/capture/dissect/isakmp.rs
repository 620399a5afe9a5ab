//! ISAKMP, by the codec that negotiates.
use ikecore::ids::Spi;
use ikecore::wire::dump::Node;
use ikecore::wire::{
    Delete, Flags, Header, Notify, NotifyType, Padding, PayloadType, Sa, Vendor, chain::parse_lenient, dump,
};

use super::{Facts, Place, Walk};

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

impl Walk<'_> {
    /// Takes a message apart; if there is a key for it, also what is encrypted.
    pub(super) fn isakmp(&mut self, at: Place, datagram: &[u8]) {
        let mut node = dump::tree_datagram(datagram);
        let header = match Header::read(datagram) {
            Ok(header) if header.version >> 4 == Header::VERSION >> 4 => header,
            Ok(header) => {
                let name = format!("ISAKMP version {}.{}", header.version >> 4, header.version & 0x0f);
                return self.push(at, Facts::Unreadable(name), node);
            }
            Err(_) => return self.push(at, Facts::Unreadable("ISAKMP".to_owned()), node),
        };
        let body = datagram.get(Header::LEN..).unwrap_or_default();
        if !header.flags.contains(Flags::ENCRYPTION) {
            self.session.learn(&header, body);
            return self.push(at, Facts::Isakmp(Box::new(facts(header, body, true))), node);
        }
        match self.session.decrypt(&header, body) {
            None => self.push(at, Facts::Isakmp(Box::new(facts(header, &[], false))), node),
            Some(Err(sealed)) => {
                node.children.push(Node::new("not decrypted", sealed, Header::LEN..Header::LEN));
                self.push(at, Facts::Isakmp(Box::new(facts(header, &[], false))), node);
            }
            Some(Ok(plain)) => {
                self.push(at, Facts::Encrypted, node);
                let head = datagram.get(..Header::LEN).unwrap_or_default();
                let inside = self.buffer("decrypted message", [head, &plain].concat());
                let facts = facts(header, &plain, true);
                self.push(inside, Facts::Isakmp(Box::new(facts)), dump::tree(&header, &plain));
            }
        }
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
