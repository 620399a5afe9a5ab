//! Identities: as strongSwan and libreswan write them, and as policy documents do.
use ikecore::identity::dn;
use std::net::IpAddr;

/// What an identity is for a document.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Id {
    /// None is required.
    Any,
    /// This, as documents write it.
    Known(String),
    /// A document cannot say it: why.
    Unknown(&'static str),
}

/// strongSwan's rules of which kind an identity is (ipsec.conf(5), identity parsing).
pub(crate) fn strongswan(text: &str) -> Id {
    let text = text.trim();
    if matches!(text, "" | "%any" | "%any6" | "0.0.0.0" | "::" | "*") {
        return Id::Any;
    }
    if let Some((kind, rest)) = text.split_once(':')
        && let Some(id) = prefixed(kind, rest)
    {
        return id;
    }
    if text.contains('=') {
        return distinguished(text, &[',', '/']);
    }
    if let Some(digits) = text.strip_prefix("@#") {
        return hexadecimal(digits);
    }
    if let Some(name) = text.strip_prefix("@@") {
        return user(name);
    }
    if let Some(name) = text.strip_prefix('@') {
        return domain(name);
    }
    if text.contains('@') {
        return user(text);
    }
    address_or_domain(text)
}

/// The kinds that strongSwan's prefixes force; `None` if the text before the colon is none of them.
fn prefixed(kind: &str, rest: &str) -> Option<Id> {
    let octets = rest.strip_prefix('#');
    Some(match kind {
        "keyid" => octets.map_or_else(|| key(rest.as_bytes()), hexadecimal),
        "fqdn" | "dns" if octets.is_none() => domain(rest),
        "rfc822" | "email" | "userfqdn" if octets.is_none() => user(rest),
        "ipv4" | "ipv6" => octets.and_then(address_of).map_or(Id::Unknown("no address"), Id::Known),
        "fqdn" | "dns" | "rfc822" | "email" | "userfqdn" | "asn1dn" | "asn1gn" => {
            Id::Unknown("an identity as octets can be a key-id only")
        }
        _ => return None,
    })
}

/// libreswan's rules (ipsec.conf(5), leftid).
pub(crate) fn libreswan(text: &str) -> Id {
    let text = text.trim();
    match text {
        "" | "%any" | "%none" | "%fromcert" | "0.0.0.0" | "::" => return Id::Any,
        _ => {}
    }
    if let Some(name) = text.strip_prefix("@[").and_then(|rest| rest.strip_suffix(']')) {
        return key(name.as_bytes());
    }
    if let Some(digits) = text.strip_prefix("@#") {
        return hexadecimal(digits.strip_prefix("0x").unwrap_or(digits));
    }
    if text.starts_with("@~") {
        return Id::Unknown("a distinguished name as octets");
    }
    if let Some(name) = text.strip_prefix("@@") {
        return user(name);
    }
    if let Some(name) = text.strip_prefix('@') {
        return if name.contains('@') { user(name) } else { domain(name) };
    }
    if text.contains('=') {
        // Two commas stand for one that belongs to a value.
        return distinguished(&text.replace(",,", "\\,"), &[',']);
    }
    if text.contains('@') {
        return user(text);
    }
    if text.parse::<IpAddr>().is_ok() || text.starts_with('%') {
        return if text.starts_with('%') {
            Id::Unknown("a value that stands for another")
        } else {
            address_or_domain(text)
        };
    }
    Id::Unknown("a name without @, which libreswan looks up for its address")
}

fn address_or_domain(text: &str) -> Id {
    match text.parse::<IpAddr>() {
        Ok(address) => Id::Known(address.to_string()),
        Err(_) if text.contains('/') || text.contains('-') => {
            // A subnet or a range is an identity of its own kind, where both sides of it are addresses.
            match ikecore::identity::Identity::addresses(text) {
                Some(_) => Id::Known(text.to_owned()),
                None => domain(text),
            }
        }
        Err(_) if text.contains(':') => key(text.as_bytes()),
        Err(_) => domain(text),
    }
}

fn is_domain(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    !text.is_empty() && text.len() <= 255 && text.chars().all(allowed)
}

fn domain(text: &str) -> Id {
    match text {
        _ if text.contains('*') => Id::Unknown("a form of names, which only distinguished names have"),
        _ if is_domain(text) => Id::Known(format!("fqdn:{text}")),
        _ => Id::Unknown("no domain name"),
    }
}

fn user(text: &str) -> Id {
    match text.rsplit_once('@') {
        _ if text.contains('*') => Id::Unknown("a form of names, which only distinguished names have"),
        Some((user, name)) if !user.is_empty() && is_domain(name) => Id::Known(format!("user-fqdn:{text}")),
        _ => Id::Unknown("no user@domain"),
    }
}

fn key(octets: &[u8]) -> Id {
    let digits: String = octets.iter().map(|octet| format!("{octet:02x}")).collect();
    if digits.is_empty() { Id::Unknown("an empty name") } else { Id::Known(format!("key-id:{digits}")) }
}

fn hexadecimal(digits: &str) -> Id {
    match octets_of(digits) {
        Some(octets) => key(&octets),
        None => Id::Unknown("no hexadecimal digits, or an odd number of them"),
    }
}

/// The octets that hexadecimal digits stand for, with or without colons between them.
pub(crate) fn octets_of(digits: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = digits.bytes().filter(|c| !matches!(c, b':' | b'_')).collect();
    if digits.is_empty() || !digits.len().is_multiple_of(2) || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let octet = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    digits.chunks(2).map(octet).collect()
}

fn address_of(digits: &str) -> Option<String> {
    let octets = octets_of(digits)?;
    if let Ok(four) = <[u8; 4]>::try_from(octets.as_slice()) {
        return Some(IpAddr::from(four).to_string());
    }
    <[u8; 16]>::try_from(octets.as_slice()).ok().map(|sixteen| IpAddr::from(sixteen).to_string())
}

/// A distinguished name, in the order in which it stands; the parts are between commas, or slashes if it begins with one.
fn distinguished(text: &str, separators: &[char]) -> Id {
    let text = text.trim();
    let name = match text.strip_prefix('/') {
        Some(rest) if separators.contains(&'/') => rest.split('/').collect::<Vec<_>>().join(", "),
        _ => text.to_owned(),
    };
    // Types that strongSwan spells otherwise.
    let spelled = |part: &str| {
        let (kind, value) = part.split_once('=')?;
        let kind = match kind.trim() {
            "E" | "email" | "Email" | "emailAddress" => "emailAddress",
            "S" | "surname" => "SN",
            kind => kind,
        };
        Some(format!("{kind}={}", value.trim().trim_matches('"')))
    };
    let parts: Option<Vec<String>> = split_parts(&name).iter().map(|part| spelled(part)).collect();
    let Some(parts) = parts else { return Id::Unknown("no distinguished name") };
    let name = parts.join(", ");
    if dn::encode(&name).is_ok() || dn::Form::parse(&name).is_some() {
        return Id::Known(format!("dn:{name}"));
    }
    Id::Unknown("a distinguished name with types or values that documents do not have")
}

/// The parts between commas that no backslash is before.
fn split_parts(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut escaped = false;
    for c in text.chars() {
        if c == ',' && !escaped {
            parts.push(String::new());
        } else if let Some(last) = parts.last_mut() {
            last.push(c);
        }
        escaped = c == '\\' && !escaped;
    }
    parts.into_iter().filter(|part| !part.trim().is_empty()).collect()
}
