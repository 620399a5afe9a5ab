//! Values as they stand in a line.
use ikecore::proposal::offer::MainModeOffer;
use ikecore::proposal::suite::{Integrity, IpsecSuite};
use std::net::{IpAddr, Ipv4Addr};

use super::super::values::algorithms::{CIPHERS, ESP_CIPHERS, HASHES, INTEGRITIES, group_name, name_of};
use super::super::values::{ACTIONS, CONNECTION_TYPES, PROTOCOLS};
use super::{Line, Secrets};
use crate::model::{Offer, Side};
use crate::netsh::command::{Action, Address, ConnectionType, Method, TunnelEnd};

/// A side of a filter, and its mask.
fn address(address: &Address) -> (String, Option<String>) {
    match address {
        Address::Name(name) => (name.clone(), None),
        Address::Side(side) => match side {
            Side::Any => ("any".to_owned(), None),
            Side::Range(range) => (format!("{}-{}", range.first(), range.last()), None),
            Side::Server(server) => (server.name().to_owned(), None),
            Side::Prefix(prefix) if prefix.is_host() => (prefix.address().to_string(), None),
            Side::Prefix(prefix) => match prefix.address() {
                IpAddr::V4(ip) => {
                    let mask = u32::MAX.checked_shl(32 - u32::from(prefix.prefix_len())).unwrap_or(0);
                    (ip.to_string(), Some(Ipv4Addr::from_bits(mask).to_string()))
                }
                IpAddr::V6(ip) => (ip.to_string(), Some(prefix.prefix_len().to_string())),
            },
            Side::OnLink(prefix, interface) => (format!("{}%{interface}", prefix.address()), None),
            Side::Me | Side::Pool | Side::Host(_) => (side.to_string(), None),
        },
    }
}

impl Line {
    pub(super) fn address(self, tag: &str, mask_tag: &str, side: Option<&Address>) -> Self {
        let Some(side) = side else { return self };
        let (address, mask) = address(side);
        self.with(tag, &address).with_some(mask_tag, mask.as_deref())
    }

    pub(super) fn protocol(self, protocol: Option<u8>) -> Self {
        let named = |number: u8| match name_of(&number, &PROTOCOLS) {
            "" => number.to_string(),
            name => name.to_owned(),
        };
        self.with_some("protocol", protocol.map(named).as_deref())
    }

    pub(super) fn port(self, tag: &str, port: Option<u16>) -> Self {
        self.number(tag, port.map(u32::from))
    }

    pub(super) fn action(self, tag: &str, action: Option<Action>) -> Self {
        self.with_some(tag, action.map(|action| name_of(&action, &ACTIONS)))
    }

    pub(super) fn connection_type(self, connection_type: Option<ConnectionType>) -> Self {
        self.with_some("conntype", connection_type.map(|kind| name_of(&kind, &CONNECTION_TYPES)))
    }

    pub(super) fn tunnel(self, tag: &str, tunnel: Option<&TunnelEnd>) -> Self {
        let end = tunnel.map(|end| match end {
            TunnelEnd::Address(address) => address.to_string(),
            TunnelEnd::Name(name) => name.clone(),
        });
        self.with_some(tag, end.as_deref())
    }

    pub(super) fn main_mode_offers(self, offers: Option<&[MainModeOffer]>) -> Self {
        let one = |offer: &MainModeOffer| {
            let (cipher, hash) = (name_of(&offer.cipher, &CIPHERS), name_of(&offer.hash, &HASHES));
            format!("{cipher}-{hash}-{}", group_name(offer.group))
        };
        let all = offers.map(|offers| offers.iter().map(one).collect::<Vec<_>>().join(" "));
        self.with_some("mmsecmethods", all.as_deref())
    }

    pub(super) fn offers(self, offers: Option<&[Offer]>) -> Self {
        let all = offers.map(|offers| offers.iter().map(offer).collect::<Vec<_>>().join(" "));
        self.with_some("qmsecmethods", all.as_deref())
    }

    pub(super) fn methods(self, methods: Option<&[Method]>, secrets: Secrets) -> Self {
        methods.unwrap_or_default().iter().fold(self, |line, method| match method {
            Method::Kerberos => line.with("kerberos", "yes"),
            Method::PresharedKey(key) => match secrets {
                Secrets::Shown => line.with("psk", key),
                Secrets::Hidden => line.with("psk", "(not shown)"),
            },
            Method::RootCa { name, certificate_mapping, exclude_ca_name } => {
                let answer = |yes: bool| if yes { "yes" } else { "no" };
                let (mapping, exclude) = (answer(*certificate_mapping), answer(*exclude_ca_name));
                line.with("rootca", &format!("{name} certmap:{mapping} excludecaname:{exclude}"))
            }
        })
    }
}

fn offer(offer: &Offer) -> String {
    let ah = |integrity: &Integrity| format!("AH[{}]", name_of(integrity, &INTEGRITIES));
    let main = match offer.suite.main {
        IpsecSuite::Ah { integrity } => ah(&integrity),
        IpsecSuite::Esp { cipher, integrity } => {
            let integrity = integrity.map_or("None", |integrity| name_of(&integrity, &INTEGRITIES));
            format!("ESP[{},{integrity}]", name_of(&cipher, &ESP_CIPHERS))
        }
    };
    let outer = offer.suite.outer.as_ref().map_or_else(String::new, |integrity| ah(integrity) + "+");
    let compression = if offer.suite.compression { "+IPCOMP" } else { "" };
    let numbers = if offer.extended_sequence_numbers { "+ESN" } else { "" };
    format!("{outer}{main}{compression}{numbers}:{}k/{}s", offer.lifetime.kilobytes, offer.lifetime.seconds)
}
