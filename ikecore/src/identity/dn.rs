//! Distinguished names: how people write them (after RFC 4514, but in the order of the encoding), and when two are the
//! same (RFC 5280 §7.1).
mod form;

pub use form::Form;

use core::fmt;
use std::collections::BTreeSet;
use x509_parser::asn1_rs::Any;
use x509_parser::prelude::{AttributeTypeAndValue, FromDer, X509Name};

/// The attribute types that have a short name (RFC 4514 §3, RFC 4519), in the order in which they are told of.
const TYPES: [(&str, &str); 14] = [
    ("C", "2.5.4.6"),
    ("O", "2.5.4.10"),
    ("OU", "2.5.4.11"),
    ("CN", "2.5.4.3"),
    ("L", "2.5.4.7"),
    ("ST", "2.5.4.8"),
    ("STREET", "2.5.4.9"),
    ("SN", "2.5.4.4"),
    ("GN", "2.5.4.42"),
    ("serialNumber", "2.5.4.5"),
    ("DC", "0.9.2342.19200300.100.1.25"),
    ("UID", "0.9.2342.19200300.100.1.1"),
    ("emailAddress", "1.2.840.113549.1.9.1"),
    ("E", "1.2.840.113549.1.9.1"),
];

/// Text that is no distinguished name.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DnFault {
    /// Not a list of types and values.
    #[error("the part {0:?}, allowed are TYPE=VALUE parts, separated by commas, as in C=CH, O=Example, CN=host")]
    Part(String),
    /// An unknown type.
    #[error("the type {0:?}, allowed are {types} and object identifiers as in 2.5.4.3", types = types())]
    Type(String),
    /// A value that cannot be encoded.
    #[error(
        "the value of {0}, allowed is text of 1 to {MAX_VALUE} octets, of ASCII for C, serialNumber, DC and emailAddress"
    )]
    Value(String),
    /// Too long a name.
    #[error("{0} octets, allowed are {MAX_NAME}")]
    Length(usize),
}

/// The most octets of a value: more than any certificate's (RFC 5280 Appendix A.1 sets bounds of at most 32,768, but of
/// no more than 128 for all names that are in use).
const MAX_VALUE: usize = 1_024;

/// The most octets of an encoded name.
const MAX_NAME: usize = 8_192;

fn types() -> String {
    TYPES.map(|(short, _)| short).join(", ")
}

/// The text of an encoded name: `C=CH, O=Example, CN=host`. `None` for what is no name, and for the empty one.
pub fn text(der: &[u8]) -> Option<String> {
    let name = parse(der)?;
    let mut text = String::new();
    for (at, rdn) in name.iter_rdn().enumerate() {
        if at > 0 {
            text.push_str(", ");
        }
        for (at, attribute) in rdn.iter().enumerate() {
            // RFC 4514 §2.2: several values of one RDN.
            if at > 0 {
                text.push('+');
            }
            push_attribute(&mut text, attribute)?;
        }
    }
    Some(text).filter(|text| !text.is_empty())
}

fn push_attribute(text: &mut String, attribute: &AttributeTypeAndValue<'_>) -> Option<()> {
    use fmt::Write as _;
    let oid = attribute.attr_type().to_id_string();
    let short = TYPES.iter().find(|(_, known)| *known == oid).map(|(short, _)| *short);
    write!(text, "{}=", short.unwrap_or(&oid)).ok()?;
    match value(attribute) {
        Some(value) => push_escaped(text, &value),
        // RFC 4514 §2.4: what has no text, in its encoding.
        None => {
            text.push('#');
            raw(attribute)?.iter().try_for_each(|octet| write!(text, "{octet:02x}")).ok()?;
        }
    }
    Some(())
}

/// RFC 4514 §2.4: what would be taken for something else, and what does not show.
fn push_escaped(text: &mut String, value: &str) {
    let last = value.chars().count().saturating_sub(1);
    for (at, c) in value.chars().enumerate() {
        let edge = (c == ' ' && (at == 0 || at == last)) || (c == '#' && at == 0);
        if matches!(c, ',' | '+' | '"' | '\\' | '<' | '>' | ';' | '=') || edge {
            text.push('\\');
            text.push(c);
        } else if c.is_control() || is_formatting(c) {
            let mut buffer = [0; 4];
            text.extend(c.encode_utf8(&mut buffer).bytes().map(|octet| format!("\\{octet:02x}")));
        } else {
            text.push(c);
        }
    }
}

/// Characters that change how text around them is shown.
const fn is_formatting(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// The encoded name that a text writes.
pub fn encode(text: &str) -> Result<Vec<u8>, DnFault> {
    let mut rdns = Vec::new();
    for part in split(text, ',') {
        let attributes = split(part, '+').into_iter().map(encode_attribute).collect::<Result<BTreeSet<_>, _>>()?;
        // DER orders the members of a set, and of encodings with a length in front that is the order of the octets.
        rdns.extend(tlv(0x31, &attributes.into_iter().flatten().collect::<Vec<u8>>()));
    }
    let name = tlv(0x30, &rdns);
    if name.len() > MAX_NAME { Err(DnFault::Length(name.len())) } else { Ok(name) }
}

/// Splits at a character that is not escaped.
fn split(text: &str, at: char) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut start, mut escaped) = (0, false);
    for (index, c) in text.char_indices() {
        if c == at && !escaped {
            parts.push(text.get(start..index).unwrap_or_default());
            start = index + c.len_utf8();
        }
        escaped = c == '\\' && !escaped;
    }
    parts.push(text.get(start..).unwrap_or_default());
    parts
}

fn encode_attribute(part: &str) -> Result<Vec<u8>, DnFault> {
    let fault = || DnFault::Part(part.trim().to_owned());
    let (kind, value) = part.split_once('=').ok_or_else(fault)?;
    let kind = kind.trim();
    let known = TYPES.iter().find(|(short, _)| short.eq_ignore_ascii_case(kind)).map(|(_, oid)| *oid);
    let oid = oid(known.unwrap_or(kind)).ok_or_else(|| DnFault::Type(kind.to_owned()))?;
    if let Some(digits) = value.trim().strip_prefix('#') {
        let value = super::hex(digits).filter(|value| is_element(value));
        let value = value.ok_or_else(|| DnFault::Value(kind.to_owned()))?;
        return Ok(tlv(0x30, &[tlv(0x06, &oid), value].concat()));
    }
    let value = unescape(value).ok_or_else(fault)?;
    let (tag, ascii) = match known {
        // RFC 5280 Appendix A.1.
        Some("2.5.4.6" | "2.5.4.5") => (0x13, true),
        Some("0.9.2342.19200300.100.1.25" | "1.2.840.113549.1.9.1") => (0x16, true),
        _ => (0x0c, false),
    };
    if value.is_empty() || value.len() > MAX_VALUE || (ascii && !value.is_ascii()) {
        return Err(DnFault::Value(kind.to_owned()));
    }
    Ok(tlv(0x30, &[tlv(0x06, &oid), tlv(tag, value.as_bytes())].concat()))
}

/// The encoding of a value.
fn raw(attribute: &AttributeTypeAndValue<'_>) -> Option<Vec<u8>> {
    let value = attribute.attr_value();
    let (number, class) = (u8::try_from(value.tag().0).ok()?, value.class() as u8);
    // Tags of more than one octet are in no name.
    (number < 31).then(|| tlv(class << 6 | u8::from(value.header.is_constructed()) << 5 | number, value.data))
}

/// True for one element of DER.
fn is_element(octets: &[u8]) -> bool {
    octets.len() <= MAX_VALUE && matches!(Any::from_der(octets), Ok((rest, _)) if rest.is_empty())
}

/// A value without its escapes and the spaces around it.
fn unescape(value: &str) -> Option<String> {
    let mut octets = Vec::new();
    // The length up to the last character that is not a plain space.
    let mut keep = 0;
    let mut chars = value.trim_start_matches(' ').chars();
    while let Some(c) = chars.next() {
        let mut buffer = [0; 4];
        if c == '\\' {
            let next = chars.next()?;
            match next.to_digit(16) {
                Some(high) => octets.push(u8::try_from(high << 4 | chars.next()?.to_digit(16)?).ok()?),
                None => octets.extend_from_slice(next.encode_utf8(&mut buffer).as_bytes()),
            }
        } else {
            octets.extend_from_slice(c.encode_utf8(&mut buffer).as_bytes());
            if c == ' ' {
                continue;
            }
        }
        keep = octets.len();
    }
    octets.truncate(keep);
    String::from_utf8(octets).ok()
}

/// The content of an object identifier in dotted decimals.
fn oid(text: &str) -> Option<Vec<u8>> {
    let arcs: Vec<u32> = text.split('.').map(|arc| arc.parse().ok()).collect::<Option<_>>()?;
    let (&[first, second], rest) = arcs.split_first_chunk::<2>()?;
    if first > 2 || (first < 2 && second > 39) || rest.is_empty() {
        return None;
    }
    let mut octets = Vec::new();
    for arc in core::iter::once(first.checked_mul(40)?.checked_add(second)?).chain(rest.iter().copied()) {
        let groups = (0..5_u32).rev().map(|group| arc >> (7 * group)).skip_while(|rest| *rest == 0);
        let mut groups: Vec<u8> = groups.map(|rest| u8::try_from(rest & 0x7f | 0x80).unwrap_or(0x80)).collect();
        if groups.is_empty() {
            groups.push(0x80);
        }
        if let Some(last) = groups.last_mut() {
            *last &= 0x7f;
        }
        octets.extend(groups);
    }
    Some(octets)
}

/// One element of DER.
fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut octets = vec![tag];
    match u8::try_from(content.len()) {
        Ok(length @ ..0x80) => octets.push(length),
        _ => {
            let length: Vec<u8> = content.len().to_be_bytes().into_iter().skip_while(|octet| *octet == 0).collect();
            octets.push(0x80 | u8::try_from(length.len()).unwrap_or(0));
            octets.extend(length);
        }
    }
    octets.extend_from_slice(content);
    octets
}

/// True if two encoded names are the same: the same attributes in the same order, whatever the kind of string, the case
/// and the number of spaces (RFC 5280 §7.1). What is no name equals only its own octets.
pub fn same(one: &[u8], other: &[u8]) -> bool {
    one == other || matches!((comparable(one), comparable(other)), (Some(one), Some(other)) if one == other)
}

/// True if two encoded names are the same, or one is the other read backwards: some write the most general part first, some
/// the most specific one (RFC 4514 §2.1).
pub fn same_either_way(one: &[u8], other: &[u8]) -> bool {
    let backwards = || {
        let mut one = comparable(one)?;
        one.reverse();
        Some(one == comparable(other)?)
    };
    same(one, other) || backwards() == Some(true)
}

/// What is compared of an RDN: its types with their values.
type Comparable = BTreeSet<(String, Vec<u8>)>;

/// What is compared of a name.
fn comparable(der: &[u8]) -> Option<Vec<Comparable>> {
    let attribute = |attribute: &AttributeTypeAndValue<'_>| {
        let value = match value(attribute) {
            Some(text) => text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase().into_bytes(),
            None => attribute.attr_value().data.to_vec(),
        };
        (attribute.attr_type().to_id_string(), value)
    };
    Some(parse(der)?.iter_rdn().map(|rdn| rdn.iter().map(attribute).collect()).collect())
}

fn parse(der: &[u8]) -> Option<X509Name<'_>> {
    if der.len() > MAX_NAME {
        return None;
    }
    X509Name::from_der(der).ok().filter(|(rest, _)| rest.is_empty()).map(|(_, name)| name)
}

/// The text of a value.
fn value(attribute: &AttributeTypeAndValue<'_>) -> Option<String> {
    let value = attribute.attr_value();
    let data = value.data;
    match value.tag().0 {
        // UTF8String; NumericString, PrintableString, IA5String, VisibleString.
        12 => core::str::from_utf8(data).ok().map(str::to_owned),
        18 | 19 | 22 | 26 => data.is_ascii().then(|| data.iter().copied().map(char::from).collect()),
        // TeletexString: all that is in use is Latin-1.
        20 => Some(data.iter().copied().map(char::from).collect()),
        // BMPString.
        30 => {
            let (units, rest) = data.as_chunks::<2>();
            let units: Vec<u16> = units.iter().map(|unit| u16::from_be_bytes(*unit)).collect();
            rest.is_empty().then(|| String::from_utf16(&units).ok()).flatten()
        }
        // UniversalString.
        28 => {
            let (units, rest) = data.as_chunks::<4>();
            let text = units.iter().map(|unit| char::from_u32(u32::from_be_bytes(*unit))).collect();
            if rest.is_empty() { text } else { None }
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
