//! Filter lists: which traffic, written without regard to the host that reads it.
use core::fmt;
use ikecore::address::is_link_local;
use ikecore::policy::pool::AddressRange;
use ikecore::policy::selector::Prefix;
use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr};

use super::record::{self, Record};
use super::rule::flatten;
use crate::document::{Position, Table, Value, allowed, suggestion};
use crate::guid::Guid;
use crate::link::{self, Interface, LinkError};

/// The filters that rules refer to by the list's name.
#[derive(Debug)]
pub(crate) struct FilterList {
    /// The name, unique among filter lists.
    pub(crate) name: String,
    /// For people.
    pub(crate) description: Option<String>,
    /// What stores keep of it.
    pub(crate) record: Record,
    /// In the order of the file; perhaps none.
    pub(crate) filters: Vec<Filter>,
}

/// One side of a filter.
#[derive(Clone, PartialEq, Eq, Debug)]
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
    /// All from one address to another; of more than one address, and none link-local.
    Range(AddressRange),
    /// Servers of the machine that reads it.
    Server(Server),
    /// The addresses of a host, by its name in lower case.
    Host(String),
}

/// The servers that a machine is told of.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Server {
    /// Its name servers.
    Dns,
    /// Its WINS servers.
    Wins,
    /// Those that it has its addresses of.
    Dhcp,
    /// Its default gateways.
    Gateway,
}

impl Server {
    /// All, as documents have them.
    pub(crate) const ALL: [(&str, Self); 4] =
        [("dns", Self::Dns), ("wins", Self::Wins), ("dhcp", Self::Dhcp), ("gateway", Self::Gateway)];

    /// As documents have it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Dns => "dns",
            Self::Wins => "wins",
            Self::Dhcp => "dhcp",
            Self::Gateway => "gateway",
        }
    }
}

impl Side {
    /// True if its addresses are link-local ones of IPv6.
    pub(crate) const fn is_link_local(&self) -> bool {
        match self {
            Self::OnLink(..) => true,
            Self::Prefix(prefix) => prefix.is_link_local(),
            Self::Me | Self::Any | Self::Pool | Self::Range(_) | Self::Server(_) | Self::Host(_) => false,
        }
    }

    /// True if its addresses are groups of hosts.
    pub(super) fn is_multicast(&self) -> bool {
        match self {
            Self::Prefix(prefix) => prefix.address().is_multicast(),
            Self::Range(range) => range.first().is_multicast() || range.last().is_multicast(),
            Self::Me | Self::Any | Self::Pool | Self::OnLink(..) | Self::Server(_) | Self::Host(_) => false,
        }
    }

    /// Whether it is of IPv4, if that is certain.
    fn is_ipv4(&self) -> Option<bool> {
        match self {
            Self::Prefix(prefix) | Self::OnLink(prefix, _) => Some(prefix.address().is_ipv4()),
            Self::Range(range) => Some(range.first().is_ipv4()),
            Self::Me | Self::Any | Self::Pool | Self::Server(_) | Self::Host(_) => None,
        }
    }
}

/// As documents have it.
impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Me => f.write_str("me"),
            Self::Any => f.write_str("any"),
            Self::Pool => f.write_str("pool"),
            Self::Prefix(prefix) => write!(f, "{prefix}"),
            Self::OnLink(block, interface) if block.is_host() => write!(f, "{block}%{interface}"),
            Self::OnLink(block, interface) => write!(f, "{}%{interface}/{}", block.address(), block.prefix_len()),
            Self::Range(range) => write!(f, "{range}"),
            Self::Server(server) => f.write_str(server.name()),
            Self::Host(name) => f.write_str(name),
        }
    }
}

/// A filter.
#[derive(Clone, Debug)]
pub(crate) struct Filter {
    /// For people.
    pub(crate) description: Option<String>,
    /// The number by which stores know it.
    pub(crate) guid: Option<Guid>,
    /// Where packets come from.
    pub(crate) source: Side,
    /// The name of which the source's address was found, for people.
    pub(crate) source_name: Option<String>,
    /// Where they go.
    pub(crate) destination: Side,
    /// The name of which the destination's address was found, for people.
    pub(crate) destination_name: Option<String>,
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

impl Filter {
    /// Source and destination.
    pub(crate) const fn sides(&self) -> [&Side; 2] {
        [&self.source, &self.destination]
    }
}

/// For people: `10.1.0.1[25] <-> me, tcp (mail)`, with a name behind an address that was found by it.
impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = |f: &mut fmt::Formatter<'_>, side: &Side, name: &Option<String>, port: u16| {
            write!(f, "{side}")?;
            name.as_ref().map_or(Ok(()), |name| write!(f, " ({name})"))?;
            if port == 0 { Ok(()) } else { write!(f, "[{port}]") }
        };
        side(f, &self.source, &self.source_name, self.source_port)?;
        f.write_str(if self.mirrored { " <-> " } else { " -> " })?;
        side(f, &self.destination, &self.destination_name, self.destination_port)?;
        write!(f, ", {}", protocol_name(self.protocol))?;
        self.description.as_ref().map_or(Ok(()), |text| write!(f, " ({text})"))
    }
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

/// What is wrong with the port of a filter for a protocol, of which only some have ports; 0 is any port.
pub(crate) fn fault_of_port(port: u16, protocol: u8) -> Option<String> {
    if port == 0 || WITH_PORTS.contains(&protocol) {
        return None;
    }
    let with_ports = WITH_PORTS.map(protocol_name);
    Some(format!(
        "is {port}, but the protocol {} has no ports; allowed: 0, or one of the protocols {}",
        protocol_name(protocol),
        allowed(with_ports.iter().map(String::as_str))
    ))
}

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
    let record = record::record(&table);
    let filters = table.get("filters").map_or(Some(Vec::new()), |value| value.items("filter"));
    let filters = filters.map(|values| values.iter().map(|value| filter(value)).collect::<Vec<_>>());
    table.finish();
    let filters = filters?.into_iter().collect::<Option<Vec<_>>>()?;
    Some(FilterList { name: name?, description: description?, record: record?, filters })
}

fn filter(value: &Value<'_>) -> Option<Filter> {
    let table = value.table()?;
    let description = super::description(&table);
    let guid = record::guid(&table);
    let source = table.require("source").and_then(|value| side(&value));
    let destination = table.require("destination").and_then(|value| side(&value));
    let names =
        ["source_name", "destination_name"].map(|key| table.get(key).map(|value| value.name().map(str::to_owned)));
    let protocol = table.get("protocol").map_or(Some(0), |value| protocol(&value));
    let source_port = port(&table, "source_port", protocol);
    let destination_port = port(&table, "destination_port", protocol);
    let mirrored = table.get("mirrored").map_or(Some(true), |value| value.boolean());
    table.finish();
    let [source_name, destination_name] = names.map(flatten);
    let filter = Filter {
        description: description?,
        guid: guid?,
        source: source?,
        source_name: source_name?,
        destination: destination?,
        destination_name: destination_name?,
        protocol: protocol?,
        source_port: source_port?,
        destination_port: destination_port?,
        mirrored: mirrored?,
        position: value.position(),
    };
    let fault = match (&filter.source, &filter.destination) {
        (Side::Me, Side::Me) => Some("is from me to me, allowed: one side that is me".to_owned()),
        (Side::Pool, Side::Pool | Side::Me) | (Side::Me, Side::Pool) => {
            Some("has \"pool\" and no network, allowed: \"pool\" with \"any\", an address or a prefix".to_owned())
        }
        (Side::Server(_), Side::Me) | (Side::Me, Side::Server(_)) => None,
        (Side::Server(server), _) | (_, Side::Server(server)) => {
            Some(format!("has {:?} without \"me\", allowed: \"me\" as its other side", server.name()))
        }
        (Side::OnLink(_, a), Side::OnLink(_, b)) if a != b => {
            Some(format!("is from interface {a:?} to {b:?}, allowed: the same interface on both sides"))
        }
        (a, b) => match (a.is_ipv4(), b.is_ipv4()) {
            (Some(one), Some(other)) if one != other => {
                Some(format!("is from {a} to {b}, allowed: both IPv4 or both IPv6"))
            }
            _ => None,
        },
    };
    if let Some(fault) = fault {
        value.fault(format!("{} {fault}", value.what()));
        return None;
    }
    Some(filter)
}

fn port(table: &Table<'_>, key: &'static str, protocol: Option<u8>) -> Option<u16> {
    let Some(value) = table.get(key) else { return Some(0) };
    let port = u16::try_from(value.integer(0..=65535)?).ok()?;
    if let Some(fault) = protocol.and_then(|protocol| fault_of_port(port, protocol)) {
        value.fault(format!("{} {fault}", value.what()));
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
const SIDES: &str = "\"me\", \"any\", \"pool\", \"dns\", \"wins\", \"dhcp\", \"gateway\", an address, a prefix (10.1.0.0/16, 2001:db8::/32), an address and its mask \
                     (10.1.0.0/255.255.0.0), a link-local address and its interface (fe80::1%eth0, fe80::%eth0/64), a range (10.0.0.1-10.0.0.9), the name of a \
                     host with a dot (host.example)";

pub(super) fn side(value: &Value<'_>) -> Option<Side> {
    let text = value.text()?;
    match read_side(text) {
        Ok((side, None)) => Some(side),
        Ok((side, Some(warning))) => {
            value.warn(format!("{}{warning}", value.what()));
            Some(side)
        }
        Err(fault) => {
            value.fault(format!("{}{fault}", value.what()));
            None
        }
    }
}

/// The side that a text names, as documents have it.
pub(crate) fn side_named(text: &str) -> Option<Side> {
    read_side(text).ok().map(|(side, _)| side)
}

/// A side, and what is allowed of it but perhaps not meant; else what is wrong. Both stand behind what the value is called.
fn read_side(text: &str) -> Result<(Side, Option<String>), String> {
    let word = match text {
        "me" => Some(Side::Me),
        "any" => Some(Side::Any),
        "pool" => Some(Side::Pool),
        _ => Server::ALL.iter().find(|(name, _)| *name == text).map(|(_, server)| Side::Server(*server)),
    };
    if let Some(side) = word {
        return Ok((side, None));
    }
    if let Some((first, last)) = text.split_once('-')
        && let (Ok(first), Ok(last)) = (first.trim().parse(), last.trim().parse())
    {
        return Ok((range(first, last)?, None));
    }
    let (bare, interface) = without_interface(text);
    let Some((address, length)) = block(&bare) else {
        if is_host_name(text) {
            return Ok((Side::Host(text.to_ascii_lowercase()), None));
        }
        let words = ["me", "any", "pool"].into_iter().chain(Server::ALL.map(|(name, _)| name));
        let hint = suggestion(text, words);
        let hint = if hint.is_empty() { ",".to_owned() } else { hint };
        return Err(format!(" is {text:?}{hint} allowed: {SIDES}"));
    };
    let prefix = Prefix::new(address, length).map_err(|error| format!(": {error}"))?;
    let warning = (prefix.address() != address).then(|| format!(" is {text:?}, which is taken as {prefix}"));
    on_link(prefix, interface).map(|side| (side, warning)).map_err(|error| format!(": {error}"))
}

/// A range is one of addresses that need no link.
fn range(first: IpAddr, last: IpAddr) -> Result<Side, String> {
    if let Some(on_link) = [first, last].into_iter().find(|address| is_link_local(*address)) {
        return Err(format!(" has {on_link}, which is link-local; allowed: a range of addresses that are not"));
    }
    match AddressRange::new(first, last) {
        Ok(range) if first == last => Ok(Side::Prefix(Prefix::host(range.first()))),
        Ok(range) => Ok(Side::Range(range)),
        Err(_) => Err(format!(" is from {first} to {last}, allowed: two addresses of one family, the lower one first")),
    }
}

/// A name with a dot whose last part is no number, which an address would have.
fn is_host_name(text: &str) -> bool {
    let name = text.strip_suffix('.').unwrap_or(text);
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let last = name.rsplit('.').next().unwrap_or_default();
    name.contains('.')
        && name.len() <= 253
        && name.split('.').all(label)
        && last.chars().any(|c| c.is_ascii_alphabetic())
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
