//! The words of `netsh` for what a document says.
use serde::Serialize;
use std::net::{IpAddr, Ipv4Addr};
use toml_edit::{Item, TableLike};

use super::view::{MainModeOfferView, SideView};
use crate::model::algorithms;
use crate::model::protocol_name;
use crate::netsh::run::document::canonical;
use crate::netsh::run::document::values::text_of;

/// What stands for the group of main mode.
pub(crate) const MAIN_MODE_GROUP: &str = "main mode";

/// An offer of quick mode.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct OfferView {
    /// The integrity algorithm of AH.
    pub(crate) ah: Option<String>,
    pub(crate) esp: Option<EspView>,
    pub(crate) lifetime_seconds: i64,
    pub(crate) lifetime_kilobytes: i64,
    pub(crate) compression: bool,
    pub(crate) extended_sequence_numbers: bool,
}

/// The algorithms of ESP.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct EspView {
    pub(crate) confidentiality: String,
    pub(crate) integrity: String,
}

/// An offer of main mode: `aes256-sha256-modp2048`.
pub(crate) fn main_mode_offer(text: &str) -> MainModeOfferView {
    let text = text.to_ascii_lowercase();
    let mut words = text.splitn(3, '-');
    let mut word = || words.next().unwrap_or_default();
    let (encryption, integrity, group_name) = (word().to_uppercase(), word().to_uppercase(), word());
    MainModeOfferView { encryption, integrity, group: group(group_name) }
}

/// A group for people.
pub(crate) fn group(name: &str) -> String {
    match algorithms::group_named(name).map(ikecore::crypto::group::Group::id) {
        Some(1) => "Low(1)".to_owned(),
        Some(2) => "Medium(2)".to_owned(),
        Some(14) => "2048".to_owned(),
        Some(number) => format!("DH{number}"),
        None => name.to_owned(),
    }
}

/// Seconds and kilobytes of a lifetime; what it does not say is of `default`.
pub(crate) fn lifetime(item: Option<&Item>, default: (i64, i64)) -> (i64, i64) {
    let Some(item) = item else { return default };
    if let Some(seconds) = item.as_integer() {
        return (seconds, default.1);
    }
    let part = |key: &str| item.as_table_like().and_then(|table| table.get(key)).and_then(Item::as_integer);
    (part("seconds").unwrap_or(default.0), part("kilobytes").unwrap_or(default.1))
}

/// An offer of quick mode.
pub(crate) fn offer(table: &dyn TableLike, default: (i64, i64)) -> OfferView {
    let (lifetime_seconds, lifetime_kilobytes) = lifetime(table.get("lifetime"), default);
    let flag = |key: &str| table.get(key).and_then(Item::as_bool).unwrap_or(false);
    OfferView {
        ah: text_of(table, "ah").map(str::to_uppercase),
        esp: text_of(table, "esp").map(|text| esp(&text.to_ascii_lowercase())),
        lifetime_seconds,
        lifetime_kilobytes,
        compression: flag("compression"),
        extended_sequence_numbers: flag("extended_sequence_numbers"),
    }
}

fn esp(text: &str) -> EspView {
    let (cipher, integrity) = text.split_once('-').unwrap_or((text, "none"));
    let word = |word: &str| if word == "null" || word == "none" { "None".to_owned() } else { word.to_uppercase() };
    EspView { confidentiality: word(cipher), integrity: word(integrity) }
}

/// A protocol.
pub(crate) fn protocol(number: u8) -> String {
    match number {
        255 => "RAW".to_owned(),
        number => protocol_name(number).to_uppercase(),
    }
}

/// A side of a filter.
pub(crate) fn side(text: &str, dns_name: Option<&str>) -> SideView {
    let word = match text {
        "me" => Some("<My IP Address>"),
        "any" => Some("<Any IP Address>"),
        "dns" => Some("<DNS Server>"),
        "wins" => Some("<WINS Server>"),
        "dhcp" => Some("<DHCP Server>"),
        "gateway" => Some("<Default Gateway>"),
        "pool" => Some("<Pool>"),
        _ => None,
    };
    let (address, mask) = match word {
        Some(word) => (word.to_owned(), None),
        None => address_and_mask(&canonical(text)),
    };
    let dns_name = dns_name.map(str::to_owned);
    SideView { address, mask, dns_name }
}

fn address_and_mask(text: &str) -> (String, Option<String>) {
    let (address, length) = text.split_once('/').map_or((text, None), |(address, length)| (address, Some(length)));
    let Ok(ip) = address.parse::<IpAddr>() else { return (address.to_owned(), length.map(str::to_owned)) };
    let most = if ip.is_ipv4() { 32 } else { 128 };
    let length = length.and_then(|length| length.parse::<u32>().ok()).unwrap_or(most);
    let mask = if ip.is_ipv4() {
        Ipv4Addr::from_bits(u32::MAX.checked_shl(32 - length).unwrap_or(0)).to_string()
    } else {
        length.to_string()
    };
    (address.to_owned(), Some(mask))
}
