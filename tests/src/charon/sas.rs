//! SAs as charon lists them.

use crate::vici::Section;

/// An IKE SA as charon lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IkeSa {
    /// charon's number of it.
    pub id: u32,
    /// `ESTABLISHED`, `CONNECTING`, `DELETING`, ...
    pub state: String,
    /// Whether charon initiated it.
    pub initiator: bool,
    /// Initiator and responder cookie, hexadecimal.
    pub cookies: (String, String),
    /// Negotiated algorithms: encryption, key bits, prf, group, e.g. `AES_CBC 256 PRF_HMAC_SHA2_256 MODP_2048`.
    pub suite: String,
    /// Its IPsec SAs.
    pub children: Vec<ChildSa>,
}

/// A pair of IPsec SAs as charon lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChildSa {
    /// charon's number of it.
    pub id: u32,
    /// `INSTALLED`, `REKEYED`, `DELETING`, ...
    pub state: String,
    /// `TUNNEL` or `TRANSPORT`.
    pub mode: String,
    /// Whether it is UDP-encapsulated.
    pub encapsulated: bool,
    /// SPI of the inbound SA.
    pub spi_in: u32,
    /// SPI of the outbound SA.
    pub spi_out: u32,
    /// Packets received.
    pub packets_in: u64,
    /// Packets sent.
    pub packets_out: u64,
    /// Negotiated algorithms: encryption, key bits, integrity, group, and `esn` with extended sequence numbers.
    pub suite: String,
    /// Own traffic selectors.
    pub local_ts: Vec<String>,
    /// The peer's traffic selectors.
    pub remote_ts: Vec<String>,
}

/// Reads a section of `list-sas`.
pub(super) fn ike_sa(sa: &Section) -> IkeSa {
    let children = sa.sections().find(|(name, _)| *name == "child-sas");
    IkeSa {
        id: number(sa, "uniqueid"),
        state: sa.get("state").to_owned(),
        initiator: sa.get("initiator") == "yes",
        cookies: (sa.get("initiator-spi").to_owned(), sa.get("responder-spi").to_owned()),
        suite: words(sa, &["encr-alg", "encr-keysize", "prf-alg", "dh-group"]),
        children: children.map_or_else(Vec::new, |(_, all)| all.sections().map(|(_, child)| child_sa(child)).collect()),
    }
}

fn child_sa(child: &Section) -> ChildSa {
    let spi = |name| u32::from_str_radix(child.get(name), 16).unwrap_or_default();
    ChildSa {
        id: number(child, "uniqueid"),
        state: child.get("state").to_owned(),
        mode: child.get("mode").to_owned(),
        encapsulated: child.get("encap") == "yes",
        spi_in: spi("spi-in"),
        spi_out: spi("spi-out"),
        packets_in: number(child, "packets-in"),
        packets_out: number(child, "packets-out"),
        suite: words(child, &["encr-alg", "encr-keysize", "integ-alg", "dh-group"])
            + if child.get("esn") == "1" { " esn" } else { "" },
        local_ts: child.get_list("local-ts").to_vec(),
        remote_ts: child.get_list("remote-ts").to_vec(),
    }
}

fn number<T: std::str::FromStr + Default>(section: &Section, name: &str) -> T {
    section.get(name).parse().unwrap_or_default()
}

/// The texts `names` that are there, joined by spaces.
fn words(section: &Section, names: &[&str]) -> String {
    let all: Vec<&str> = names.iter().map(|name| section.get(name)).filter(|text| !text.is_empty()).collect();
    all.join(" ")
}
