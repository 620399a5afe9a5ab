//! Traffic selectors: as strongSwan and libreswan write them, and as filters do.
use ikecore::address::is_link_local;
use ikecore::policy::pool::AddressRange;
use ikecore::policy::selector::Prefix;
use std::net::IpAddr;
use std::path::Path;

use super::Context;
use super::connection::Filter;
use crate::model::parse_protocol;

/// One side of some traffic.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Side {
    /// The addresses.
    pub(crate) block: Block,
    /// The protocol; 0 is any.
    pub(crate) protocol: u8,
    /// The port; 0 is any.
    pub(crate) port: u16,
}

/// The addresses of a side.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Block {
    /// The end itself, or the address that it is given.
    Dynamic,
    /// These.
    Prefix(Prefix),
    /// All from one address to another.
    Range(AddressRange),
}

impl Side {
    /// The end itself, any protocol and port.
    pub(crate) const DYNAMIC: Self = Self { block: Block::Dynamic, protocol: 0, port: 0 };

    /// The family, if it is of one.
    fn is_ipv4(&self) -> Option<bool> {
        match &self.block {
            Block::Dynamic => None,
            Block::Prefix(prefix) => Some(prefix.address().is_ipv4()),
            Block::Range(range) => Some(range.first().is_ipv4()),
        }
    }
}

/// A prefix, an address, an address with its mask, or a range that is a prefix.
pub(crate) fn prefix(text: &str) -> Result<Prefix, &'static str> {
    const NONE: &str = "is no prefix";
    let text = text.trim();
    if let Some((first, last)) = text.split_once('-') {
        let (Ok(first), Ok(last)) = (first.trim().parse(), last.trim().parse()) else { return Err(NONE) };
        return of_range(first, last).ok_or("is a range that is no prefix");
    }
    let (address, length) = text.split_once('/').map_or((text, None), |(address, length)| (address, Some(length)));
    let address: IpAddr = address.parse().map_err(|_| NONE)?;
    let full = if address.is_ipv4() { 32 } else { 128 };
    let length = match length {
        None => full,
        Some(length) if length.contains('.') => {
            let mask = length.parse::<std::net::Ipv4Addr>().map_err(|_| NONE)?.to_bits();
            if !address.is_ipv4() || mask.leading_ones() + mask.trailing_zeros() != 32 {
                return Err(NONE);
            }
            u8::try_from(mask.leading_ones()).map_err(|_| NONE)?
        }
        Some(length) => length.parse().map_err(|_| NONE)?,
    };
    let prefix = Prefix::new(address, length).map_err(|_| NONE)?;
    if prefix.address().is_multicast() {
        return Err("is multicast, for which nothing can be negotiated");
    }
    if prefix.is_link_local() {
        return Err("is link-local: it needs the name of its interface");
    }
    Ok(prefix)
}

/// A prefix, or a range.
fn block_of(text: &str) -> Result<Block, &'static str> {
    let error = match prefix(text) {
        Ok(prefix) => return Ok(Block::Prefix(prefix)),
        Err(error) => error,
    };
    match text.parse::<AddressRange>() {
        Ok(range) if text.contains('-') && !range.first().is_multicast() && !is_link_local(range.first()) => {
            Ok(Block::Range(range))
        }
        _ => Err(error),
    }
}

/// The prefix that the range is, if it is one.
fn of_range(first: IpAddr, last: IpAddr) -> Option<Prefix> {
    let (from, to, bits) = match (first, last) {
        (IpAddr::V4(a), IpAddr::V4(b)) => (u128::from(a.to_bits()), u128::from(b.to_bits()), 32_u32),
        (IpAddr::V6(a), IpAddr::V6(b)) => (a.to_bits(), b.to_bits(), 128),
        _ => return None,
    };
    let differing = 128 - (from ^ to).leading_zeros();
    let mask = 1_u128.checked_shl(differing).map_or(u128::MAX, |bit| bit - 1);
    let is_block = from & mask == 0 && to & mask == mask;
    is_block.then(|| Prefix::new(first, u8::try_from(bits.checked_sub(differing)?).ok()?).ok()).flatten()
}

/// `dynamic`, or addresses, and in brackets a protocol and a port: `10.1.0.0/16[tcp/80]`.
pub(crate) fn traffic_selector(context: &Context<'_>, text: &str) -> Result<Side, String> {
    let (block, rest) = text.split_once('[').map_or((text, None), |(block, rest)| (block, Some(rest)));
    let block = match block.trim() {
        "dynamic" | "%dynamic" | "" => Block::Dynamic,
        text => block_of(text).map_err(|why| format!("{text} {why}"))?,
    };
    let (protocol, port) = match rest {
        None => (0, 0),
        Some(rest) => protocol_and_port(context, rest.trim().trim_end_matches(']'))?,
    };
    Ok(Side { block, protocol, port })
}

/// `PROTOCOL/PORT`, each by name or number, or `%any`; also one of them alone.
pub(crate) fn protocol_and_port(context: &Context<'_>, text: &str) -> Result<(u8, u16), String> {
    let (protocol, port) = text.split_once('/').unwrap_or((text, ""));
    let protocol = match protocol.trim().to_ascii_lowercase().as_str() {
        "" | "%any" | "any" => 0,
        "ipv6-icmp" => 58,
        "ipencap" => 4,
        name => parse_protocol(name).map_err(|_| format!("{name} is no protocol that documents know"))?,
    };
    let port = match port.trim() {
        "" | "%any" | "any" | "0" => 0,
        "%opaque" | "opaque" => return Err("opaque ports have no counterpart".to_owned()),
        text => match text.parse::<u16>() {
            Ok(port) => port,
            Err(_) if text.contains('-') => return Err("ranges of ports have no counterpart".to_owned()),
            Err(_) => service(context, text).ok_or_else(|| format!("{text} is no port"))?,
        },
    };
    if port != 0 && !matches!(protocol, 6 | 17 | 33 | 132 | 136) {
        return Err(match protocol {
            1 | 58 => "filters do not tell apart types of ICMP".to_owned(),
            _ => "a filter has ports only with a protocol that has them".to_owned(),
        });
    }
    Ok((protocol, port))
}

/// The port of a service by its name.
fn service(context: &Context<'_>, name: &str) -> Option<u16> {
    let known = [
        ("l2tp", 1701),
        ("l2f", 1701),
        ("isakmp", 500),
        ("domain", 53),
        ("http", 80),
        ("https", 443),
        ("ssh", 22),
        ("smtp", 25),
    ];
    if let Some((_, port)) = known.iter().find(|(known, _)| *known == name) {
        return Some(*port);
    }
    let octets = context.files.read(Path::new("/etc/services")).ok()?;
    let text = String::from_utf8_lossy(&octets);
    let port = |line: &str| {
        let mut words = line.split('#').next()?.split_whitespace();
        let (own, port) = (words.next()?, words.next()?);
        (own == name || words.any(|alias| alias == name)).then(|| port.split('/').next()?.parse().ok())?
    };
    text.lines().find_map(port)
}

/// How the two ends stand in filters, where a side is the end itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ends {
    /// This host's address; none: whichever.
    pub(crate) local: Option<IpAddr>,
    /// The peer's; none: any.
    pub(crate) remote: Option<IpAddr>,
    /// This host gets an address by Mode Config.
    pub(crate) gets: bool,
    /// The peer gets one.
    pub(crate) gives: bool,
}

/// The filter for these two sides; the error says why there is none.
pub(crate) fn filter(ends: Ends, local: &Side, remote: &Side) -> Result<Filter, String> {
    let written = |side: &Side, own: String| match &side.block {
        Block::Dynamic => own,
        Block::Prefix(prefix) => prefix.to_string(),
        Block::Range(range) => range.to_string(),
    };
    let source = written(
        local,
        if ends.gets { "pool".to_owned() } else { ends.local.map_or_else(|| "me".to_owned(), |a| a.to_string()) },
    );
    let destination = written(
        remote,
        if ends.gives { "pool".to_owned() } else { ends.remote.map_or_else(|| "any".to_owned(), |a| a.to_string()) },
    );
    if source == "pool" && (destination == "pool" || remote.block == Block::Dynamic && ends.remote.is_none()) {
        return Err("both sides are addresses that are given".to_owned());
    }
    if destination == "pool" && source == "me" {
        return Err("the peer's address is given, and this host has no network that it shall reach".to_owned());
    }
    let family = |side: &Side, own: Option<IpAddr>, pool: bool| {
        side.is_ipv4().or_else(|| own.filter(|_| !pool).map(|address| address.is_ipv4()))
    };
    let (one, other) = (family(local, ends.local, ends.gets), family(remote, ends.remote, ends.gives));
    if let (Some(one), Some(other)) = (one, other)
        && one != other
    {
        return Err(format!("{source} and {destination} are not of one family"));
    }
    let protocol = match (local.protocol, remote.protocol) {
        (0, protocol) | (protocol, 0) => protocol,
        (one, other) if one == other => one,
        (one, other) => return Err(format!("protocol {one} on one side, {other} on the other: no traffic is of both")),
    };
    Ok(Filter { source, destination, protocol, source_port: local.port, destination_port: remote.port })
}
