//! Filter lists: which traffic, written without regard to the host that reads it.
use ikecore::policy::selector::Prefix;
use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr};

use crate::document::{Position, Table, Value, allowed, suggestion};
use crate::link::{self, Interface, LinkError};

/// The filters that rules refer to by the list's name.
#[derive(Debug)]
pub(crate) struct FilterList {
    /// The name, unique among filter lists.
    pub(crate) name: String,
    /// For people.
    pub(crate) description: Option<String>,
    /// At least one.
    pub(crate) filters: Vec<Filter>,
}

/// One side of a filter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Side {
    /// Each address of the host that reads it.
    Me,
    /// All of IPv4 and all of IPv6.
    Any,
    /// Where the rule's peer is given an address by Mode Config: the addresses of its pool. Where this host is given one:
    /// that one.
    Pool,
    /// A block of addresses; a link-local one is that of every link.
    Prefix(Prefix),
    /// A block of link-local addresses on one link.
    OnLink(Prefix, Interface),
}

impl Side {
    /// True if its addresses are link-local ones of IPv6.
    pub(crate) const fn is_link_local(self) -> bool {
        match self {
            Self::OnLink(..) => true,
            Self::Prefix(prefix) => prefix.is_link_local(),
            Self::Me | Self::Any | Self::Pool => false,
        }
    }
}

/// A filter.
#[derive(Clone, Debug)]
pub(crate) struct Filter {
    /// For people.
    pub(crate) description: Option<String>,
    /// Where packets come from.
    pub(crate) source: Side,
    /// Where they go.
    pub(crate) destination: Side,
    /// The IP protocol; 0 is any.
    pub(crate) protocol: u8,
    /// 0 is any.
    pub(crate) source_port: u16,
    /// 0 is any.
    pub(crate) destination_port: u16,
    /// Also the way back.
    pub(crate) mirrored: bool,
    /// Where it stands in the file.
    pub(crate) position: Position,
}

/// Protocols by name (IANA's numbers).
const PROTOCOLS: [(&str, u8); 17] = [
    ("any", 0),
    ("icmp", 1),
    ("igmp", 2),
    ("ipip", 4),
    ("tcp", 6),
    ("udp", 17),
    ("dccp", 33),
    ("ipv6", 41),
    ("rsvp", 46),
    ("gre", 47),
    ("esp", 50),
    ("ah", 51),
    ("icmpv6", 58),
    ("ospf", 89),
    ("l2tp", 115),
    ("sctp", 132),
    ("udplite", 136),
];

/// The protocols that have ports.
const WITH_PORTS: [u8; 5] = [6, 17, 33, 132, 136];

/// The protocol's name, or its number.
pub(crate) fn protocol_name(number: u8) -> String {
    let name = PROTOCOLS.iter().find(|(_, n)| *n == number).map(|(name, _)| (*name).to_owned());
    name.unwrap_or_else(|| number.to_string())
}

/// Reads a filter list.
pub(super) fn filter_list(value: &Value<'_>) -> Option<FilterList> {
    let mut table = value.table()?;
    let name = super::named(&mut table, "filter list");
    let description = super::description(&table);
    let filters = table.require("filters").and_then(|value| value.list("filter"));
    let filters = filters.map(|values| values.iter().map(|value| filter(value)).collect::<Vec<_>>());
    table.finish();
    let filters = filters?.into_iter().collect::<Option<Vec<_>>>()?;
    Some(FilterList { name: name?, description: description?, filters })
}

fn filter(value: &Value<'_>) -> Option<Filter> {
    let table = value.table()?;
    let description = super::description(&table);
    let source = table.require("source").and_then(|value| side(&value));
    let destination = table.require("destination").and_then(|value| side(&value));
    let protocol = table.get("protocol").map_or(Some(0), |value| protocol(&value));
    let source_port = port(&table, "source_port", protocol);
    let destination_port = port(&table, "destination_port", protocol);
    let mirrored = table.get("mirrored").map_or(Some(true), |value| value.boolean());
    table.finish();
    let filter = Filter {
        description: description?,
        source: source?,
        destination: destination?,
        protocol: protocol?,
        source_port: source_port?,
        destination_port: destination_port?,
        mirrored: mirrored?,
        position: value.position(),
    };
    match (filter.source, filter.destination) {
        (Side::Me, Side::Me) => {
            value.fault(format!("{} is from me to me, allowed: one side that is me", value.what()));
            None
        }
        (Side::Pool, Side::Pool | Side::Me) | (Side::Me, Side::Pool) => {
            value.fault(format!(
                "{} has \"pool\" and no network, allowed: \"pool\" with \"any\", an address or a prefix",
                value.what()
            ));
            None
        }
        (Side::Prefix(a), Side::Prefix(b)) if a.address().is_ipv4() != b.address().is_ipv4() => {
            value.fault(format!("{} is from {a} to {b}, allowed: both IPv4 or both IPv6", value.what()));
            None
        }
        (Side::OnLink(a, _), Side::Prefix(b)) | (Side::Prefix(b), Side::OnLink(a, _)) if b.address().is_ipv4() => {
            value.fault(format!("{} is for {a} and {b}, allowed: both IPv4 or both IPv6", value.what()));
            None
        }
        (Side::OnLink(_, a), Side::OnLink(_, b)) if a != b => {
            let what = value.what();
            value.fault(format!("{what} is from interface {a:?} to {b:?}, allowed: the same interface on both sides"));
            None
        }
        _ => Some(filter),
    }
}

fn port(table: &Table<'_>, key: &'static str, protocol: Option<u8>) -> Option<u16> {
    let Some(value) = table.get(key) else { return Some(0) };
    let port = u16::try_from(value.integer(0..=65535)?).ok()?;
    if let Some(number) = protocol
        && port != 0
        && !WITH_PORTS.contains(&number)
    {
        let with_ports = WITH_PORTS.map(protocol_name);
        value.fault(format!(
            "{} is {port}, but the protocol {} has no ports; allowed: 0, or one of the protocols {}",
            value.what(),
            protocol_name(number),
            allowed(with_ports.iter().map(String::as_str))
        ));
        return None;
    }
    Some(port)
}

fn protocol(value: &Value<'_>) -> Option<u8> {
    if value.is_integer() {
        return u8::try_from(value.integer(0..=255)?).ok();
    }
    let found = protocol_named(value.text()?);
    found.map_err(|error| value.fault(format!("{} is {error}", value.what()))).ok()
}

/// The number of the protocol with a name; the error names it, and what is allowed.
fn protocol_named(text: &str) -> Result<u8, String> {
    let lower = text.to_ascii_lowercase();
    let found = PROTOCOLS.iter().find(|(name, _)| *name == lower).map(|(_, number)| *number);
    found.ok_or_else(|| {
        let names = || PROTOCOLS.iter().map(|(name, _)| *name);
        let hint = suggestion(text, names());
        let hint = if hint.is_empty() { ",".to_owned() } else { hint };
        format!("{text:?}{hint} allowed: {}, or a number from 0 to 255", allowed(names()))
    })
}

/// The number of a protocol by name or number, as the command line has it.
pub(crate) fn parse_protocol(text: &str) -> Result<u8, String> {
    text.parse().or_else(|_| protocol_named(text))
}

/// What the two sides of a filter can be.
const SIDES: &str = "\"me\", \"any\", \"pool\", an address, a prefix (10.1.0.0/16, 2001:db8::/32), an address and its mask \
                     (10.1.0.0/255.255.0.0), a link-local address and its interface (fe80::1%eth0, fe80::%eth0/64)";

pub(super) fn side(value: &Value<'_>) -> Option<Side> {
    let text = value.text()?;
    match text {
        "me" => return Some(Side::Me),
        "any" => return Some(Side::Any),
        "pool" => return Some(Side::Pool),
        _ => {}
    }
    let (bare, interface) = without_interface(text);
    let Some((address, length)) = block(&bare) else {
        let hint = suggestion(text, ["me", "any", "pool"]);
        let hint = if hint.is_empty() { ",".to_owned() } else { hint };
        value.fault(format!("{} is {text:?}{hint} allowed: {SIDES}", value.what()));
        return None;
    };
    match Prefix::new(address, length) {
        Ok(prefix) => {
            if prefix.address() != address {
                value.warn(format!("{} is {text:?}, which is taken as {prefix}", value.what()));
            }
            on_link(prefix, interface).map_err(|error| value.fault(format!("{}: {error}", value.what()))).ok()
        }
        Err(error) => {
            value.fault(format!("{}: {error}", value.what()));
            None
        }
    }
}

/// The text without `%INTERFACE`, which stands behind the address and before the length: `fe80::%eth0/64`.
fn without_interface(text: &str) -> (Cow<'_, str>, Option<&str>) {
    let (address, Some(rest)) = link::split(text) else { return (Cow::Borrowed(text), None) };
    if address.contains('/') {
        return (Cow::Borrowed(text), None);
    }
    let (interface, length) = rest.split_once('/').map_or((rest, None), |(name, length)| (name, Some(length)));
    let bare = length.map_or(Cow::Borrowed(address), |length| Cow::Owned(format!("{address}/{length}")));
    (bare, Some(interface))
}

/// One link-local address is one of some link, and must say of which; a block can be for all links.
fn on_link(prefix: Prefix, interface: Option<&str>) -> Result<Side, LinkError> {
    match interface {
        Some(_) if !prefix.is_link_local() => Err(LinkError::Useless(prefix.address())),
        Some(interface) => Ok(Side::OnLink(prefix, interface.parse()?)),
        None if prefix.is_link_local() && prefix.is_host() => Err(LinkError::Missing(prefix.address())),
        None => Ok(Side::Prefix(prefix)),
    }
}

/// `ADDRESS`, `ADDRESS/LENGTH` or `ADDRESS/MASK`.
fn block(text: &str) -> Option<(IpAddr, u8)> {
    let Some((address, block)) = text.split_once('/') else {
        let address: IpAddr = text.parse().ok()?;
        return Some((address, if address.is_ipv4() { 32 } else { 128 }));
    };
    let address: IpAddr = address.parse().ok()?;
    // Digits only: `parse` would take a sign too.
    if block.chars().all(|c| c.is_ascii_digit()) {
        return Some((address, block.parse().ok()?));
    }
    let mask = block.parse::<Ipv4Addr>().ok().filter(|_| address.is_ipv4())?.to_bits();
    // A mask is ones, then zeros.
    (mask.leading_ones() + mask.trailing_zeros() == 32)
        .then(|| u8::try_from(mask.leading_ones()).ok())?
        .map(|length| (address, length))
}
