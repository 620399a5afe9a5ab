//! The properties of `set config`.
use core::ops::RangeInclusive;

use super::super::arguments::{Arguments, Value, decimal};
use super::super::error::LanguageError;
use super::super::grammar::PROPERTIES;
use super::super::keyword::{Match, by_prefix};
use super::{PROTOCOLS, Wrong, parts};
use crate::document::allowed;
use crate::netsh::command::{BootExemption, BootMode, Setting};

/// As many exemptions as there may be.
const MOST: usize = 1024;

/// A property with its value.
pub(in super::super) fn setting(arguments: &Arguments<'_>) -> Result<Setting, LanguageError> {
    let names: Vec<(&'static str, &'static str)> = PROPERTIES.iter().map(|name| (*name, *name)).collect();
    let property = arguments.read_required("property", |value| value.keyword(&names))?;
    arguments.read_required("value", |value| match property {
        "ipsecdiagnostics" => number(value, 0..=7).map(Setting::IpsecDiagnostics),
        "ikelogging" => number::<u8>(value, 0..=1).map(|number| Setting::IkeLogging(number == 1)),
        "strongcrlcheck" => number(value, 0..=2).map(Setting::StrongCrlCheck),
        "ipsecloginterval" => number(value, 60..=86_400).map(Setting::IpsecLogInterval),
        "ipsecexempt" => number(value, 0..=3).map(Setting::IpsecExempt),
        "bootmode" => {
            let modes = [("stateful", BootMode::Stateful), ("block", BootMode::Block), ("permit", BootMode::Permit)];
            value.keyword(&modes).map(Setting::BootMode)
        }
        _ => exemptions(value).map(Setting::BootExemptions),
    })
}

fn number<T>(value: &Value<'_>, range: RangeInclusive<T>) -> Result<T, LanguageError>
where
    T: core::str::FromStr + PartialOrd + core::fmt::Display,
{
    let text = value.plain()?;
    decimal(&text).filter(|number| range.contains(number)).ok_or_else(|| {
        let allowed = format!("a number from {} to {}", range.start(), range.end());
        value.wrong(Wrong::whole(&text).allowed(&allowed))
    })
}

fn exemptions(value: &Value<'_>) -> Result<Vec<BootExemption>, LanguageError> {
    let text = value.plain()?;
    if text.trim().eq_ignore_ascii_case("none") {
        return Ok(Vec::new());
    }
    let words = parts(&text);
    if words.is_empty() || words.len() > MOST {
        let allowed = "none, or items Protocol:SourcePort:DestinationPort:Direction with blanks between them";
        return Err(value.wrong(Wrong::whole(&text).allowed(allowed)));
    }
    words.into_iter().map(|(at, word)| exemption(word).map_err(|wrong| value.wrong(wrong.after(at)))).collect()
}

fn exemption(word: &str) -> Result<BootExemption, Wrong> {
    let wrong = || {
        let form =
            "Protocol:SourcePort:DestinationPort:Direction for tcp and udp, Protocol:Direction for other protocols";
        Wrong::whole(word).allowed(form)
    };
    let parts: Vec<&str> = word.split(':').collect();
    let (protocol, ports, direction) = match parts.as_slice() {
        [protocol, direction] => (*protocol, None, *direction),
        [protocol, source, destination, direction] => (*protocol, Some((*source, *destination)), *direction),
        _ => return Err(wrong()),
    };
    let names: Vec<&'static str> = PROTOCOLS.iter().map(|(name, _)| *name).filter(|name| *name != "any").collect();
    let number = decimal::<u8>(protocol).or_else(|| match by_prefix(protocol, &names) {
        Match::One(name) => PROTOCOLS.iter().find(|(own, _)| *own == name).map(|(_, number)| *number),
        _ => None,
    });
    let protocol = number.filter(|number| *number != 0).ok_or_else(|| {
        Wrong::whole(protocol).allowed(&format!("{}, or a number from 1 to 255", allowed(names.iter().copied())))
    })?;
    let inbound = match by_prefix(direction, &["inbound", "outbound"]) {
        Match::One(name) => name == "inbound",
        _ => return Err(wrong()),
    };
    let has_ports = matches!(protocol, 6 | 17);
    let (source_port, destination_port) = match ports {
        Some((source, destination)) if has_ports => {
            (decimal(source).ok_or_else(wrong)?, decimal(destination).ok_or_else(wrong)?)
        }
        None if !has_ports => (0, 0),
        _ => return Err(wrong()),
    };
    Ok(BootExemption { protocol, source_port, destination_port, inbound })
}
