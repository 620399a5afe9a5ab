//! What charon shall negotiate, and the words of its control protocol for that.

use crate::netns::Addresses;
use crate::policy_text::Protocol;
use crate::vici::Section;

/// The name of the connection, and of its one child, in charon.
pub(super) const CONNECTION: &str = "p";
pub(super) const CHILD: &str = "c";

/// Its pools of addresses, with their names.
fn pools(addresses: &'static str) -> impl Iterator<Item = (String, &'static str)> {
    addresses.split(',').enumerate().map(|(number, addresses)| (format!("pool{number}"), addresses))
}

/// Mode of the IPsec SAs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Between the two hosts.
    Transport,
    /// Between the nets behind them.
    Tunnel,
}

impl Mode {
    /// As charon spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Transport => "transport",
            Self::Tunnel => "tunnel",
        }
    }
}

/// How charon takes part in extended authentication with Mode Config.
#[derive(Debug, Clone, Copy)]
pub enum RemoteAccess {
    /// It admits one user, and gives addresses.
    Gateway {
        /// The user.
        user: &'static str,
        /// The password.
        password: &'static str,
        /// The addresses, `FIRST-LAST`; with commas between several such pools.
        pool: &'static str,
        /// A name server.
        dns: &'static str,
        /// Unasked.
        push: bool,
    },
    /// It proves to be a user, and gets an address.
    Client {
        /// The user.
        user: &'static str,
        /// The password.
        password: &'static str,
        /// Without asking.
        push: bool,
    },
}

impl RemoteAccess {
    /// Whether it admits users.
    pub const fn is_gateway(self) -> bool {
        matches!(self, Self::Gateway { .. })
    }

    const fn user(self) -> (&'static str, &'static str) {
        match self {
            Self::Gateway { user, password, .. } | Self::Client { user, password, .. } => (user, password),
        }
    }
}

/// By what charon proves who it is, and whom it trusts; all in PEM.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// Its certificate.
    pub certificate: String,
    /// Its private key.
    pub private_key: String,
    /// The authorities that it trusts; it sends those of them that its own certificate needs.
    pub authorities: Vec<String>,
    /// Revocation lists: a certificate that none of them covers is refused.
    pub revocation_lists: Vec<String>,
}

/// What charon shall negotiate. [`Connection::between`] gives tunnel mode between the protected nets, with
/// aes256-sha256-modp2048 in both phases.
#[derive(Debug, Clone)]
pub struct Connection {
    /// Own address on the wire.
    pub local: String,
    /// The peer's.
    pub remote: String,
    /// Own identity, as strongSwan writes it.
    pub local_id: String,
    /// The peer's identity.
    pub remote_id: String,
    /// Pre-shared key.
    pub psk: String,
    /// Certificates in place of the pre-shared key.
    pub certificates: Option<Credentials>,
    /// Proposals of main mode, e.g. `aes256-sha256-modp2048`.
    pub ike: Vec<String>,
    /// Proposals of quick mode; with a group there is PFS. With `sha256_96` among them, all HMAC-SHA-256 is cut to 96 bits.
    pub esp: Vec<String>,
    /// Whether the proposals of quick mode are for ESP or for AH.
    pub protocol: Protocol,
    /// Mode of the IPsec SAs.
    pub mode: Mode,
    /// Own traffic selectors, e.g. `10.10.2.0/24`; none means the address on the wire.
    pub local_ts: Vec<String>,
    /// The peer's traffic selectors.
    pub remote_ts: Vec<String>,
    /// More pairs of nets, own first: a child each, with the names `c2`, `c3`, ...
    pub also: Vec<(String, String)>,
    /// A pair of selectors, own first, whose traffic goes in clear.
    pub pass: Option<(String, String)>,
    /// Force UDP encapsulation.
    pub encap: bool,
    /// Offer IPComp.
    pub ipcomp: bool,
    /// The version of IKE, 1 or 2.
    pub version: u8,
    /// Seconds of silence after which charon asks whether the peer lives; 0 is never.
    pub dpd_delay: u32,
    /// What becomes of the SAs with a peer that does not live: `clear`, `trap` (negotiate when traffic wants it) or `restart`.
    pub dpd_action: &'static str,
    /// charon sends IKE messages in fragments if an IP datagram would have more octets than this; 0 is its default.
    pub fragment_size: u16,
    /// Lifetime of the IKE SA, seconds: charon begins anew at 90 %.
    pub ike_lifetime: u32,
    /// Lifetime of the IPsec SAs, seconds: charon rekeys at 90 %.
    pub esp_lifetime: u32,
    /// Aggressive mode.
    pub aggressive: bool,
    /// Extended authentication with Mode Config.
    pub remote_access: Option<RemoteAccess>,
    /// The addresses that it asks for by Mode Config, `0.0.0.0` and `::` for any; a client with a user asks for an IPv4
    /// address if there are none.
    pub virtual_addresses: Vec<&'static str>,
    /// With certificates and extended authentication: the client proves its user only.
    pub hybrid: bool,
    /// `none`, `trap` (negotiate when traffic wants it) or `start`.
    pub start_action: &'static str,
}

impl Connection {
    /// A connection from the host with the addresses `own` to the one with `other`.
    pub fn between(own: Addresses, other: Addresses) -> Self {
        Self {
            local: own.wire.to_owned(),
            remote: other.wire.to_owned(),
            local_id: own.wire.to_owned(),
            remote_id: other.wire.to_owned(),
            psk: "correct horse battery".to_owned(),
            certificates: None,
            ike: vec!["aes256-sha256-modp2048".to_owned()],
            esp: vec!["aes256-sha256-modp2048".to_owned()],
            protocol: Protocol::Esp,
            mode: Mode::Tunnel,
            also: Vec::new(),
            pass: None,
            local_ts: vec![own.net.to_owned()],
            remote_ts: vec![other.net.to_owned()],
            encap: false,
            ipcomp: false,
            version: 1,
            dpd_delay: 0,
            dpd_action: "clear",
            fragment_size: 0,
            ike_lifetime: 14_400,
            esp_lifetime: 3_600,
            aggressive: false,
            remote_access: None,
            virtual_addresses: Vec::new(),
            hybrid: false,
            start_action: "none",
        }
    }

    /// The same in transport mode between the two hosts.
    #[must_use]
    pub fn transport(mut self) -> Self {
        self.mode = Mode::Transport;
        self.local_ts.clear();
        self.remote_ts.clear();
        self
    }

    /// The same in `mode`.
    #[must_use]
    pub fn mode(self, mode: Mode) -> Self {
        match mode {
            Mode::Tunnel => self,
            Mode::Transport => self.transport(),
        }
    }

    /// The same with these proposals of main mode and quick mode.
    #[must_use]
    pub fn proposals(mut self, ike: &str, esp: &str) -> Self {
        self.ike = vec![ike.to_owned()];
        self.esp = vec![esp.to_owned()];
        self
    }

    /// The same with UDP encapsulation forced.
    #[must_use]
    pub fn encapsulated(mut self) -> Self {
        self.encap = true;
        self
    }

    /// The same with this pre-shared key.
    #[must_use]
    pub fn psk(mut self, psk: &str) -> Self {
        psk.clone_into(&mut self.psk);
        self
    }

    /// The commands that tell charon of it, with the secrets, certificates and addresses that it needs.
    pub(super) fn messages(&self) -> Vec<(&'static str, Section)> {
        let mut messages = Vec::new();
        match &self.certificates {
            Some(certificates) => {
                let load = |kind: &str, flag: &str, data: &String| {
                    let message = Section::new().text("type", kind).text("flag", flag).text("data", data);
                    ("load-cert", message)
                };
                messages.extend(certificates.authorities.iter().map(|data| load("X509", "CA", data)));
                messages.extend(certificates.revocation_lists.iter().map(|data| load("X509_CRL", "NONE", data)));
                if !(self.hybrid && matches!(self.remote_access, Some(RemoteAccess::Client { .. }))) {
                    let key = Section::new().text("type", "any").text("data", &certificates.private_key);
                    messages.push(("load-key", key));
                }
            }
            None => {
                let secret = Section::new()
                    .text("id", "psk")
                    .text("type", "IKE")
                    .text("data", &self.psk)
                    .list("owners", [&self.local_id, &self.remote_id]);
                messages.push(("load-shared", secret));
            }
        }
        if let Some(access) = self.remote_access {
            let (user, password) = access.user();
            let secret = Section::new().text("id", "xauth").text("type", "XAUTH").text("data", password);
            messages.push(("load-shared", secret.list("owners", [user])));
        }
        if let Some(RemoteAccess::Gateway { pool, dns, .. }) = self.remote_access {
            for (name, addresses) in pools(pool) {
                let pool = Section::new().text("addrs", addresses);
                // A name server is of one family; whoever asks for that one's addresses hears of it.
                let same = dns.contains(':') == addresses.contains(':');
                let pool = if same { pool.list("dns", [dns]) } else { pool };
                messages.push(("load-pool", Section::new().section(&name, pool)));
            }
        }
        messages.push(("load-conn", self.section()));
        messages
    }

    fn section(&self) -> Section {
        let method = if self.certificates.is_some() { "pubkey" } else { "psk" };
        let peer = |id: &str| Section::new().text("auth", method).text("id", id);
        let (own, other) = match &self.certificates {
            Some(certificates) => (
                peer(&self.local_id).list("certs", [&certificates.certificate]),
                peer(&self.remote_id).text("revocation", "strict"),
            ),
            None => (peer(&self.local_id), peer(&self.remote_id)),
        };
        // Of hybrid authentication one end's round is the user's alone.
        let (own, other) = match self.remote_access.filter(|_| self.hybrid) {
            None => (own, other),
            Some(RemoteAccess::Gateway { .. }) => (own, Section::new().text("auth", "xauth").text("id", "%any")),
            Some(RemoteAccess::Client { user, .. }) => {
                (Section::new().text("auth", "xauth").text("xauth_id", user), other)
            }
        };
        let seconds = |share: u32, whole: u32| format!("{}s", u64::from(whole) * u64::from(share) / 100);
        // A cipher alone is without integrity there.
        let words = |proposal: &String| proposal.replace("sha256_96", "sha256").replace("-none", "");
        // What is cut is not negotiated: charon has a setting for it beside the proposals.
        let cut = self.esp.iter().any(|proposal| proposal.contains("sha256_96"));
        let proposals: Vec<String> = self.esp.iter().map(words).collect();
        let child = |local: &[String], remote: &[String]| {
            let child = Section::new()
                .text("mode", self.mode.name())
                .list(&format!("{}_proposals", self.protocol.name()), &proposals)
                .text("sha256_96", if cut { "yes" } else { "no" })
                .text("rekey_time", seconds(90, self.esp_lifetime))
                .text("life_time", seconds(100, self.esp_lifetime))
                .text("rand_time", "0s")
                .text("ipcomp", if self.ipcomp { "yes" } else { "no" })
                .text("dpd_action", self.dpd_action)
                .text("start_action", self.start_action);
            let child = if local.is_empty() { child } else { child.list("local_ts", local) };
            if remote.is_empty() { child } else { child.list("remote_ts", remote) }
        };
        let mut children = Section::new().section(CHILD, child(&self.local_ts, &self.remote_ts));
        for (number, (local, remote)) in (2..).zip(&self.also) {
            let child = child(std::slice::from_ref(local), std::slice::from_ref(remote));
            children = children.section(&format!("{CHILD}{number}"), child);
        }
        if let Some((local, remote)) = &self.pass {
            let child = Section::new().text("mode", "pass").text("start_action", "trap");
            children = children.section("pass", child.list("local_ts", [local]).list("remote_ts", [remote]));
        }
        let connection = Section::new()
            .text("version", self.version.to_string())
            .text("aggressive", if self.aggressive { "yes" } else { "no" })
            .list("local_addrs", [&self.local])
            .list("remote_addrs", [&self.remote])
            .list("proposals", &self.ike)
            .text("encap", if self.encap { "yes" } else { "no" })
            .text("reauth_time", seconds(90, self.ike_lifetime))
            .text("over_time", seconds(10, self.ike_lifetime))
            .text("rand_time", "0s")
            .text("dpd_delay", format!("{}s", self.dpd_delay))
            .text("dpd_timeout", "10s")
            .section("local-1", own)
            .section("remote-1", other)
            .section("children", children);
        let connection = match self.remote_access {
            None if self.virtual_addresses.is_empty() => connection,
            None => connection.list("vips", self.virtual_addresses.iter().copied()),
            Some(RemoteAccess::Gateway { pool, push, .. }) => {
                let round = ("remote-2", Section::new().text("auth", "xauth"));
                let connection = if self.hybrid { connection } else { connection.section(round.0, round.1) };
                connection
                    .list("pools", pools(pool).map(|(name, _)| name))
                    .text("pull", if push { "no" } else { "yes" })
            }
            Some(RemoteAccess::Client { user, push, .. }) => {
                let round = ("local-2", Section::new().text("auth", "xauth").text("xauth_id", user));
                let connection = if self.hybrid { connection } else { connection.section(round.0, round.1) };
                let any = ["0.0.0.0"].as_slice();
                let wanted = if self.virtual_addresses.is_empty() { any } else { &self.virtual_addresses };
                connection.list("vips", wanted.iter().copied()).text("pull", if push { "no" } else { "yes" })
            }
        };
        Section::new().section(CONNECTION, connection)
    }
}
