//! Values that all three syntaxes have: times, numbers of octets, lists, hosts.
use ikecore::address::is_link_local;
use std::net::IpAddr;
use std::rc::Rc;

use super::Context;
use super::ledger::Entry;

/// True as strongSwan and libreswan understand it.
pub(crate) fn is_yes(text: &str) -> bool {
    ["yes", "true", "1", "enabled", "on"].iter().any(|yes| text.eq_ignore_ascii_case(yes))
}

/// The parts of a list, between commas.
pub(crate) fn list(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|part| !part.is_empty())
}

/// A time in seconds: a number, then `s`, `m`, `h` or `d`.
pub(crate) fn seconds(text: &str) -> Option<u64> {
    scaled(text, &[("s", 1), ("m", 60), ("h", 3_600), ("d", 86_400), ("w", 604_800)])
}

/// A number of octets.
pub(crate) fn octets(text: &str) -> Option<u64> {
    const K: u64 = 1024;
    let units = [
        ("kib", K),
        ("mib", K * K),
        ("gib", K * K * K),
        ("tib", K * K * K * K),
        ("k", K),
        ("m", K * K),
        ("g", K * K * K),
    ];
    scaled(&text.to_ascii_lowercase(), &units)
}

fn scaled(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let text = text.trim();
    let unit = units.iter().find_map(|(name, factor)| Some((text.strip_suffix(name)?, *factor)));
    let (number, factor) = unit.unwrap_or((text, 1));
    let number = number.trim();
    if let Some((whole, part)) = number.split_once('.') {
        // libreswan takes decimal numbers of hours.
        let tenths: u64 = format!("{whole}{}", part.get(..1)?).parse().ok()?;
        return tenths.checked_mul(factor).map(|product| product / 10);
    }
    number.parse::<u64>().ok()?.checked_mul(factor)
}

/// The time of an option, or `default`; a value that is none is told and is the default.
pub(crate) fn time(entry: Option<&Rc<Entry>>, default: u64) -> u64 {
    let Some(entry) = entry.filter(|entry| !entry.value.is_empty()) else { return default };
    seconds(&entry.value).unwrap_or_else(|| {
        entry.lost(format!("is no time; {default} s are taken, which hold without it"), "write seconds");
        default
    })
}

/// An end of a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Host {
    /// Whichever.
    Any,
    /// This one.
    Address(IpAddr),
    /// Told in the report; as it stands, it would be too many.
    Lost,
}

impl Host {
    /// The address, if there is one.
    pub(crate) const fn address(self) -> Option<IpAddr> {
        match self {
            Self::Address(address) => Some(address),
            Self::Any | Self::Lost => None,
        }
    }
}

/// An end as it is written: an address, a name, `%any`, a list of them. What is lost of it is told.
pub(crate) fn host(context: &Context<'_>, entry: Option<&Rc<Entry>>) -> Host {
    let Some(entry) = entry else { return Host::Any };
    let mut parts = list(&entry.value);
    let Some(first) = parts.next() else { return Host::Any };
    if let Some(second) = parts.next() {
        entry.lost(
            format!("only {first} is taken, {second} and what follows are not: a rule has one peer"),
            "write a rule for each of the others",
        );
    }
    let bare = first.strip_prefix('%').filter(|rest| rest.contains('.') || rest.contains(':'));
    if bare.is_some() {
        entry.differs("only this address is served, not any, which the % before it allows");
    }
    match bare.unwrap_or(first) {
        "%any" | "%any4" | "%any6" | "0.0.0.0" | "::" | "%any/0" | "%dynamic" => Host::Any,
        "%defaultroute" => {
            entry.differs("this host has its first address of the peer's family, not that of the default route");
            Host::Any
        }
        text => match text.parse::<IpAddr>() {
            Ok(address) if address.is_multicast() || address.is_unspecified() || is_link_local(address) => {
                entry.lost("is no address that the end of a tunnel can have", "write the rule by hand");
                Host::Lost
            }
            Ok(address) => Host::Address(address),
            Err(_) if text.starts_with('%') || text.contains('/') || is_range(text) => {
                entry.lost(
                    "an end is one address, or any",
                    "say whom the rule is for by local_id, remote_id and filters",
                );
                Host::Lost
            }
            Err(_) => match (context.resolve)(text) {
                Some(address) => {
                    entry.lost(
                        format!("the name is {address} now, which is what the rule has; it is not looked up again"),
                        "import again when the address changes",
                    );
                    Host::Address(address)
                }
                None => {
                    entry.lost("the name has no address now", "write the peer's address, and import again");
                    Host::Lost
                }
            },
        },
    }
}

fn is_range(text: &str) -> bool {
    text.split_once('-').is_some_and(|(first, _)| first.parse::<IpAddr>().is_ok())
}
