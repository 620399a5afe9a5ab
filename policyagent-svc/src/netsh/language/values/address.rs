//! Addresses and their masks: the sides of filters.
use ikecore::address::is_link_local;
use ikecore::policy::pool::AddressRange;
use ikecore::policy::selector::Prefix;
use std::net::{IpAddr, Ipv4Addr};

use super::super::arguments::{Arguments, Value, decimal};
use super::super::error::{LanguageError, Problem};
use super::{Wrong, place};
use crate::document::suggestion;
use crate::link::{LinkError, NamedAddress};
use crate::model::{Server, Side};
use crate::netsh::command::{Address, TunnelEnd};

/// The words that an address can be.
const WORDS: [&str; 6] = ["me", "any", "dns", "wins", "dhcp", "gateway"];

/// The two sides of a filter. One that is a server has the other side be me.
pub(in super::super) fn sides(arguments: &Arguments<'_>) -> Result<(Address, Address), LanguageError> {
    let source = address(arguments, "srcaddr", "srcmask")?;
    let destination = address(arguments, "dstaddr", "dstmask")?;
    let me = Address::Side(Side::Me);
    let missing = |tag| {
        let allowed = "an address; it may be left out where the other side is dns, wins, dhcp or gateway".to_owned();
        arguments.error(Problem::Missing { command: arguments.command(), tag, allowed })
    };
    let (source, destination) = match (source, destination) {
        (Some(source), Some(destination)) => (source, destination),
        (Some(source), None) if is_server(&source) => (source, me),
        (None, Some(destination)) if is_server(&destination) => (me, destination),
        (None, _) => return Err(missing("srcaddr")),
        (_, None) => return Err(missing("dstaddr")),
    };
    let at = |tag| place(arguments.get(tag).as_ref(), arguments.error(Problem::NoTag).at);
    let together = |tag, text: String| LanguageError::new(at(tag), Problem::Together(text));
    match (&source, &destination) {
        (Address::Side(Side::Me), Address::Side(Side::Me)) => {
            Err(together("dstaddr", "srcaddr and dstaddr are both me; allowed: one of them".to_owned()))
        }
        (server, other) if is_server(server) && !is_me(other) => {
            Err(together("dstaddr", "srcaddr is a server of this host, so that dstaddr must be me".to_owned()))
        }
        (other, server) if is_server(server) && !is_me(other) => {
            Err(together("srcaddr", "dstaddr is a server of this host, so that srcaddr must be me".to_owned()))
        }
        _ => match (family(&source), family(&destination)) {
            (Some(one), Some(other)) if one != other => {
                let text = "srcaddr and dstaddr are not of one family; allowed: both IPv4 or both IPv6";
                Err(together("dstaddr", text.to_owned()))
            }
            _ => Ok((source, destination)),
        },
    }
}

const fn is_server(address: &Address) -> bool {
    matches!(address, Address::Side(Side::Server(_)))
}

const fn is_me(address: &Address) -> bool {
    matches!(address, Address::Side(Side::Me))
}

/// True for IPv4; nothing if it is for both.
const fn family(address: &Address) -> Option<bool> {
    match address {
        Address::Side(Side::Prefix(prefix) | Side::OnLink(prefix, _)) => Some(prefix.address().is_ipv4()),
        Address::Side(Side::Range(range)) => Some(range.first().is_ipv4()),
        _ => None,
    }
}

/// An address with its mask, if there is one.
pub(in super::super) fn address(
    arguments: &Arguments<'_>,
    tag: &'static str,
    mask_tag: &'static str,
) -> Result<Option<Address>, LanguageError> {
    let mask = arguments.get(mask_tag);
    let Some(value) = arguments.get(tag) else {
        return match mask {
            Some(mask) => {
                let text = format!("{mask_tag} is given without {tag}; allowed: both");
                Err(LanguageError::new(mask.at(), Problem::Together(text)))
            }
            None => Ok(None),
        };
    };
    let text = value.plain()?;
    if let Some(side) = word(&text) {
        // Scripts have masks beside `any` and `me`, which mean nothing. They must be masks all the same.
        mask.map(|mask| mask_length(&mask, None)).transpose()?;
        return Ok(Some(Address::Side(side)));
    }
    let no_mask = |what: &str| match &mask {
        Some(mask) => {
            let text = format!("{mask_tag} is given, but {tag} is {what}, which has no mask");
            Err(LanguageError::new(mask.at(), Problem::Together(text)))
        }
        None => Ok(()),
    };
    if let Some(range) = range(&value, &text)? {
        no_mask("a range")?;
        return Ok(Some(Address::Side(range)));
    }
    if let Some((address, length)) = text.split_once('/') {
        no_mask("a prefix with its length")?;
        let wrong = || value.wrong(Wrong::whole(&text));
        let ip: IpAddr = address.parse().map_err(|_| wrong())?;
        let length = length_of(length, ip).ok_or_else(wrong)?;
        return block(ip, length).map(|side| Some(Address::Side(side))).ok_or_else(wrong);
    }
    if let Some(side) = linked(&value, &text)? {
        no_mask("an address of one link")?;
        return Ok(Some(Address::Side(side)));
    }
    match text.parse::<IpAddr>() {
        Ok(ip) => {
            let length = match &mask {
                Some(mask) => mask_length(mask, Some(ip))?,
                None if ip.is_unspecified() => {
                    let wrong = Wrong::whole(&text).allowed("any, me, or the address with its mask");
                    return Err(value.wrong(wrong));
                }
                None => {
                    if ip.is_ipv4() {
                        32
                    } else {
                        128
                    }
                }
            };
            let side = block(ip, length).ok_or_else(|| value.wrong(Wrong::whole(&text)))?;
            Ok(Some(Address::Side(side)))
        }
        Err(_) => {
            let name = host_name(&text).ok_or_else(|| value.wrong(not_a_host(&text)))?;
            // The mask of one host is what a name has anyway.
            match &mask {
                Some(mask) if mask_length(mask, None)? != 32 => no_mask("a name")?,
                _ => {}
            }
            Ok(Some(Address::Name(name)))
        }
    }
}

fn word(text: &str) -> Option<Side> {
    match text {
        _ if text.eq_ignore_ascii_case("me") => Some(Side::Me),
        _ if text.eq_ignore_ascii_case("any") => Some(Side::Any),
        _ => Server::ALL
            .iter()
            .find(|(name, _)| text.eq_ignore_ascii_case(name))
            .map(|(_, server)| Side::Server(*server)),
    }
}

/// `FIRST-LAST`, if there are addresses on both sides of a hyphen.
fn range(value: &Value<'_>, text: &str) -> Result<Option<Side>, LanguageError> {
    let Some((first, last)) = text.split_once('-') else { return Ok(None) };
    let (Ok(first), Ok(last)) = (first.parse::<IpAddr>(), last.parse::<IpAddr>()) else { return Ok(None) };
    match AddressRange::new(first, last) {
        Ok(_) if is_link_local(first) || is_link_local(last) => {
            Err(value.wrong(Wrong::whole(text).allowed("a range of addresses that are not link-local")))
        }
        Ok(_) if first == last => Ok(Some(Side::Prefix(Prefix::host(first)))),
        Ok(range) => Ok(Some(Side::Range(range))),
        Err(_) => {
            let allowed = "two addresses of one family, the lower one first";
            Err(value.wrong(Wrong::whole(text).allowed(allowed)))
        }
    }
}

/// A link-local address, which must say of which link it is.
fn linked(value: &Value<'_>, text: &str) -> Result<Option<Side>, LanguageError> {
    let is_address = text.split('%').next().is_some_and(|address| address.parse::<IpAddr>().is_ok());
    if !is_address || (!text.contains('%') && !text.parse().is_ok_and(is_link_local)) {
        return Ok(None);
    }
    let wrong = |error: &LinkError| value.wrong(Wrong::whole(text).allowed(&error.to_string()));
    let (address, interface) = crate::link::split(text);
    match text.parse::<NamedAddress>() {
        Ok(_) => {}
        Err(crate::link::NoAddress::Link(error)) => return Err(wrong(&error)),
        Err(crate::link::NoAddress::Text(_)) => return Err(value.wrong(Wrong::whole(text))),
    }
    let interface = interface.and_then(|interface| interface.parse().ok());
    let address = address.parse().ok();
    Ok(address.zip(interface).map(|(address, interface)| Side::OnLink(Prefix::host(address), interface)))
}

/// A block as a side. The forms in which Windows stores `me` and `any` are these.
fn block(ip: IpAddr, length: u8) -> Option<Side> {
    match (ip, length) {
        (IpAddr::V4(Ipv4Addr::UNSPECIFIED), 32) => Some(Side::Me),
        (IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0) => Some(Side::Any),
        _ => Prefix::new(ip, length).ok().map(Side::Prefix),
    }
}

/// The length of the prefix that a mask is of; `ip` is what it is for.
fn mask_length(mask: &Value<'_>, ip: Option<IpAddr>) -> Result<u8, LanguageError> {
    let text = mask.plain()?;
    let length = length_of(&text, ip.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)));
    length.ok_or_else(|| {
        let allowed = match ip {
            Some(IpAddr::V6(_)) => "the length of the prefix, 0 to 128",
            _ => "a mask whose ones come first, as 255.255.255.0, or the length of the prefix, 0 to 32",
        };
        mask.wrong(Wrong::whole(&text).allowed(allowed))
    })
}

fn length_of(text: &str, ip: IpAddr) -> Option<u8> {
    let most = if ip.is_ipv4() { 32 } else { 128 };
    if let Some(length) = decimal(text) {
        return (length <= most).then_some(length);
    }
    let mask = text.parse::<Ipv4Addr>().ok().filter(|_| ip.is_ipv4())?.to_bits();
    // A mask is ones, then zeros.
    let is_mask = mask.leading_ones() + mask.trailing_zeros() >= 32;
    is_mask.then(|| u8::try_from(mask.leading_ones()).ok())?
}

/// The name of a host. What looks like an address, or like a word of the language, is none.
fn host_name(text: &str) -> Option<String> {
    let bare = text.strip_suffix('.').unwrap_or(text);
    let is_label = |label: &str| {
        let allowed = |octet: u8| octet.is_ascii_alphanumeric() || octet == b'-' || octet == b'_';
        (1..=63).contains(&label.len())
            && label.bytes().all(allowed)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let is_number = |label: &str| label.bytes().all(|octet| octet.is_ascii_digit());
    let last = bare.rsplit('.').next().unwrap_or_default();
    let misspelt = !text.contains('.') && !suggestion(text, WORDS).is_empty();
    let is_name = text.len() <= 253 && bare.split('.').all(is_label) && !is_number(last) && !misspelt;
    is_name.then(|| text.to_ascii_lowercase())
}

/// The end of a tunnel.
pub(in super::super) fn tunnel_end(value: &Value<'_>) -> Result<TunnelEnd, LanguageError> {
    let text = value.plain()?;
    match text.parse::<IpAddr>() {
        Ok(ip) if ip.is_unspecified() || ip.is_multicast() => Err(value.wrong(Wrong::whole(&text))),
        Ok(ip) => Ok(TunnelEnd::Address(ip)),
        Err(_) => match host_name(&text) {
            Some(name) if word(&name).is_none() => Ok(TunnelEnd::Name(name)),
            _ => Err(value.wrong(not_a_host(&text))),
        },
    }
}

fn not_a_host(text: &str) -> Wrong {
    Wrong { hint: suggestion(text, WORDS), ..Wrong::whole(text) }
}
