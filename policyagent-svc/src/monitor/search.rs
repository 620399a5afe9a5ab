//! Which filters and SAs are shown: by their source and destination.
use ikecore::policy::selector::Prefix;
use std::net::IpAddr;

/// What one side must be.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) enum Side {
    /// Whatever.
    #[default]
    Whatever,
    /// Every address.
    Any,
    /// An address of this computer.
    Me,
    /// This address is among it.
    Address(IpAddr),
}

impl std::str::FromStr for Side {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.trim() {
            "" | "*" => Ok(Self::Whatever),
            "any" => Ok(Self::Any),
            "me" => Ok(Self::Me),
            text => text
                .parse()
                .map(Self::Address)
                .map_err(|_| format!("{text:?} is no address; allowed: nothing, any, me, an address")),
        }
    }
}

impl std::fmt::Display for Side {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Whatever => f.write_str("*"),
            Self::Any => f.write_str("any"),
            Self::Me => f.write_str("me"),
            Self::Address(address) => write!(f, "{address}"),
        }
    }
}

/// What is searched for.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Search {
    /// Of the source, or of this computer's side of an SA.
    pub(super) source: Side,
    /// Of the destination, or of the peer's side.
    pub(super) destination: Side,
}

impl Search {
    /// True if everything is shown.
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// True if what has these two sides is shown. `own` are the addresses of this computer.
    pub(super) fn finds(&self, source: &str, destination: &str, own: &[IpAddr]) -> bool {
        is(&self.source, source, own) && is(&self.destination, destination, own)
    }
}

/// The words for every address, as they stand in specific filters.
fn is_any(text: &str) -> bool {
    matches!(text, "any" | "0.0.0.0/0" | "::/0")
}

fn is(wanted: &Side, text: &str, own: &[IpAddr]) -> bool {
    // The link of an address does not matter here.
    let text = text.split('%').next().unwrap_or(text);
    let covers = |address: &IpAddr| {
        let (base, len) = text.split_once('/').unwrap_or((text, ""));
        let prefix = base.parse::<IpAddr>().ok().and_then(|base| match len.parse() {
            Ok(len) => Prefix::new(base, len).ok(),
            Err(_) => Some(Prefix::host(base)),
        });
        prefix.is_some_and(|prefix| prefix.covers(Prefix::host(*address)))
    };
    match wanted {
        Side::Whatever => true,
        Side::Any => is_any(text),
        Side::Me => text == "me" || (!is_any(text) && own.iter().any(covers)),
        Side::Address(address) => is_any(text) || covers(address) || (text == "me" && own.contains(address)),
    }
}

/// The addresses of this computer.
pub(super) fn own_addresses() -> Vec<IpAddr> {
    let of = |interface: nix::ifaddrs::InterfaceAddress| {
        let address = interface.address?;
        let v4 = address.as_sockaddr_in().map(|address| IpAddr::V4(address.ip()));
        v4.or_else(|| address.as_sockaddr_in6().map(|address| IpAddr::V6(address.ip())))
    };
    nix::ifaddrs::getifaddrs().map(|all| all.filter_map(of).collect()).unwrap_or_default()
}
