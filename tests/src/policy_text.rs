//! Policy files for the daemon under test: the one place that knows how they are written.

use crate::charon::Mode;
use crate::netns::Addresses;

/// The policy of one host towards the other: one rule that negotiates.
#[derive(Debug, Clone)]
pub struct Policy {
    /// This host.
    pub own: Addresses,
    /// The peer.
    pub other: Addresses,
    /// Mode of the IPsec SAs.
    pub mode: Mode,
    /// The net on this side; transport mode has the wire's addresses instead.
    pub local: String,
    /// The net on the peer's side.
    pub remote: String,
    /// Pre-shared key.
    pub psk: String,
    /// Main-mode offers in order, as strongSwan writes them: `aes256-sha256-modp2048`.
    pub main_mode: Vec<String>,
    /// Quick-mode offers in order, the same way; with a group there is PFS.
    pub quick_mode: Vec<String>,
    /// Lifetime of ISAKMP SAs, seconds.
    pub main_mode_seconds: u32,
    /// Lifetime of IPsec SAs, seconds.
    pub quick_mode_seconds: u32,
}

impl Policy {
    /// A policy of the host with the addresses `own` towards `other` that suits
    /// [`Connection::between`](crate::charon::Connection::between) at the other end.
    pub fn between(own: Addresses, other: Addresses) -> Self {
        Self {
            own,
            other,
            mode: Mode::Tunnel,
            local: own.net.to_owned(),
            remote: other.net.to_owned(),
            psk: "correct horse battery".to_owned(),
            main_mode: vec!["aes256-sha256-modp2048".to_owned()],
            quick_mode: vec!["aes256-sha256-modp2048".to_owned()],
            main_mode_seconds: 14_400,
            quick_mode_seconds: 3_600,
        }
    }

    /// The same in transport mode between the two hosts.
    #[must_use]
    pub fn transport(mut self) -> Self {
        self.mode = Mode::Transport;
        self.local = self.own.wire.to_owned();
        self.remote = self.other.wire.to_owned();
        self
    }

    /// The same with these offers of main mode and quick mode.
    #[must_use]
    pub fn proposals(mut self, main_mode: &str, quick_mode: &str) -> Self {
        self.main_mode = vec![main_mode.to_owned()];
        self.quick_mode = vec![quick_mode.to_owned()];
        self
    }

    /// The same with this pre-shared key.
    #[must_use]
    pub fn psk(mut self, psk: &str) -> Self {
        psk.clone_into(&mut self.psk);
        self
    }

    /// The file's text.
    pub fn text(&self) -> String {
        let tunnel = match self.mode {
            Mode::Tunnel => format!("tunnel = \"{}\"\n", self.other.wire),
            Mode::Transport => String::new(),
        };
        let pfs = self.quick_mode.iter().find_map(|offer| Offer::read(offer).group);
        format!(
            r#"[policy]
name = "test"

[main_mode]
offers = [{main_mode}]
lifetime_seconds = {main_mode_seconds}

[[filter_list]]
name = "traffic"
filters = [{{ source = "{local}", destination = "{remote}" }}]

[[filter_action]]
name = "protect"
action = "negotiate"
offers = [{quick_mode}]
pfs = {pfs}

[[rule]]
name = "to the peer"
filter_list = "traffic"
filter_action = "protect"
{tunnel}authentication = [{{ preshared_key = "{psk}" }}]
"#,
            main_mode = list(&self.main_mode, |offer| {
                let Offer { cipher, hash, group } = offer;
                let group = group.expect("main mode has a group");
                format!("{{ cipher = \"{cipher}\", hash = \"{hash}\", group = \"{group}\" }}")
            }),
            quick_mode = list(&self.quick_mode, |offer| {
                format!(
                    "{{ esp = {{ cipher = \"{}\", integrity = \"{}\" }}, lifetime_seconds = {} }}",
                    offer.cipher, offer.hash, self.quick_mode_seconds
                )
            }),
            main_mode_seconds = self.main_mode_seconds,
            local = self.local,
            remote = self.remote,
            psk = self.psk,
            pfs = pfs.map_or_else(|| "false".to_owned(), |group| format!("\"{group}\"")),
        )
    }
}

/// The parts of `cipher-hash[-group]`.
struct Offer<'a> {
    cipher: &'a str,
    hash: &'a str,
    group: Option<&'a str>,
}

impl<'a> Offer<'a> {
    fn read(offer: &'a str) -> Self {
        let mut parts = offer.split('-');
        let cipher = parts.next().unwrap_or_default();
        let hash = parts.next().unwrap_or_else(|| panic!("{offer}: cipher-hash[-group] is wanted"));
        Self { cipher, hash, group: parts.next() }
    }
}

fn list(offers: &[String], write: impl Fn(Offer<'_>) -> String) -> String {
    offers.iter().map(|offer| write(Offer::read(offer))).collect::<Vec<_>>().join(", ")
}
