//! Referrals: other servers that have what was asked for.
use crate::directory::settings::Server;

/// How often one may lead to another.
pub(super) const MOST: usize = 5;

/// Where a referral leads.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Referral {
    /// The server.
    pub(super) server: Server,
    /// Where to search there; as before if it does not say.
    pub(super) base: Option<String>,
    /// The entry itself only.
    pub(super) base_scope: bool,
}

impl Referral {
    /// The referral of a URL (RFC 4516): `ldap://host/DN??base`.
    pub(super) fn parse(url: &str) -> Option<Self> {
        let server = Server::parse(url)?;
        let rest = url.split_once("://")?.1.split_once('/').map_or("", |(_, rest)| rest);
        let mut parts = rest.split('?');
        let base = decode(parts.next()?)?;
        let base_scope = parts.nth(1).is_some_and(|scope| scope.eq_ignore_ascii_case("base"));
        Some(Self { server, base: (!base.is_empty()).then_some(base), base_scope })
    }
}

/// Percent-encoded octets, as characters.
fn decode(text: &str) -> Option<String> {
    let mut octets = Vec::new();
    let mut rest = text.bytes();
    while let Some(octet) = rest.next() {
        if octet == b'%' {
            let digit = |octet: u8| char::from(octet).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
            octets.push(digit(rest.next()?)? << 4 | digit(rest.next()?)?);
        } else {
            octets.push(octet);
        }
    }
    String::from_utf8(octets).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_says_server_place_and_scope() {
        let referral = Referral::parse("ldap://dc2.example.net:3890/CN=IP%20Security,DC=example??base").unwrap();
        assert_eq!(referral.server.url(), "ldap://dc2.example.net:3890");
        assert_eq!((referral.base.as_deref(), referral.base_scope), (Some("CN=IP Security,DC=example"), true));
        let referral = Referral::parse("ldaps://dc2.example.net").unwrap();
        assert_eq!((referral.base, referral.base_scope), (None, false));
        for wrong in ["http://x/", "ldap:///DC=x", "ldap://x/%4", "ldap://x/%zz"] {
            assert_eq!(Referral::parse(wrong), None, "{wrong}");
        }
    }
}
