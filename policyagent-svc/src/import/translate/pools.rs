//! What pools hold.
use ikecore::policy::pool::AddressRange;
use std::net::IpAddr;

use super::super::ledger::Entry;
use super::super::selector;
use super::super::values::list;

/// The addresses of a pool, as documents write them; what is none is told.
pub(crate) fn pool_addresses(entry: &Entry) -> Vec<String> {
    let mut addresses: Vec<String> = Vec::new();
    for text in list(&entry.value) {
        let Some(written) = addresses_of(text) else {
            entry.lost(format!("{text:?} is no address, prefix or range"), "write the pool's addresses");
            continue;
        };
        if !addresses.contains(&written) {
            addresses.push(written);
        }
    }
    addresses
}

fn addresses_of(text: &str) -> Option<String> {
    let text: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    if text.parse::<AddressRange>().is_err() {
        return None;
    }
    let Some((first, _)) = text.split_once('/') else { return Some(text) };
    let prefix = selector::prefix(&text).ok()?;
    let first: IpAddr = first.parse().ok()?;
    if first == prefix.address() {
        return Some(prefix.to_string());
    }
    // An address in a network is the first of those that are given.
    let IpAddr::V4(network) = prefix.address() else { return Some(prefix.to_string()) };
    let hosts = u32::MAX.checked_shr(u32::from(prefix.prefix_len())).unwrap_or(0);
    let last = std::net::Ipv4Addr::from_bits((network.to_bits() | hosts).saturating_sub(1));
    let range = format!("{first}-{last}");
    range.parse::<AddressRange>().is_ok().then_some(range)
}

/// Name servers.
pub(crate) fn servers(entry: &std::rc::Rc<Entry>) -> Vec<String> {
    let mut servers = Vec::new();
    for text in entry.value.split([',', ' ']).map(str::trim).filter(|text| !text.is_empty()) {
        match text.parse::<IpAddr>() {
            Ok(address) if !address.is_unspecified() && !address.is_multicast() => servers.push(address.to_string()),
            _ => entry.lost(format!("{text:?} is no address of a name server"), "write its address"),
        }
    }
    servers
}

/// Networks.
pub(crate) fn networks(entry: &Entry) -> Vec<String> {
    let mut networks = Vec::new();
    for text in list(&entry.value) {
        match selector::prefix(text) {
            Ok(prefix) => networks.push(prefix.to_string()),
            Err(why) => entry.lost(format!("{text:?} {why}"), "write the network as a prefix"),
        }
    }
    networks
}
