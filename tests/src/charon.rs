//! strongSwan's charon as a peer in a namespace, with IKEv1 and a pre-shared key or certificates.

use std::path::PathBuf;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::netns::{Addresses, Namespace};
use crate::policy_text::Protocol;
use crate::process::{Process, wait_until};
use crate::scratch::Scratch;
use crate::vici::{Section, Vici};

/// Where the distribution installs charon.
const PROGRAM: &str = "/usr/lib/ipsec/charon";

/// How long charon may take to open its control socket.
const START: Duration = Duration::from_secs(20);

/// How long an answer of charon may take: it covers a negotiation that ends in time-outs of retransmissions.
const ANSWER: Duration = Duration::from_secs(60);

/// What a test wants to read when it fails.
const LOG: &str = "default = 1\n      ike = 2\n      cfg = 2";

/// The name of the connection, and of its one child, in charon.
const CONNECTION: &str = "p";
const CHILD: &str = "c";

/// The name of its pool of addresses.
const POOL: &str = "pool";

/// What carries charon's ESP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kernel {
    /// charon's own ESP over a TUN device, for kernels without ESP. Tunnel mode and UDP encapsulation only.
    Libipsec,
    /// The kernel's ESP, by netlink.
    Netlink,
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
        /// The addresses, `FIRST-LAST`.
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
    /// Force UDP encapsulation.
    pub encap: bool,
    /// Offer IPComp.
    pub ipcomp: bool,
    /// The version of IKE, 1 or 2.
    pub version: u8,
    /// Seconds of silence after which charon asks whether the peer lives; 0 is never.
    pub dpd_delay: u32,
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
            local_ts: vec![own.net.to_owned()],
            remote_ts: vec![other.net.to_owned()],
            encap: false,
            ipcomp: false,
            version: 1,
            dpd_delay: 0,
            fragment_size: 0,
            ike_lifetime: 14_400,
            esp_lifetime: 3_600,
            aggressive: false,
            remote_access: None,
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
        // What is cut is not negotiated: charon has a setting for it beside the proposals.
        let cut = self.esp.iter().any(|proposal| proposal.contains("sha256_96"));
        let proposals: Vec<String> = self.esp.iter().map(|proposal| proposal.replace("sha256_96", "sha256")).collect();
        let child = |local: &[String], remote: &[String]| {
            let child = Section::new()
                .text("mode", self.mode.name())
                .list(&format!("{}_proposals", self.protocol.name()), &proposals)
                .text("sha256_96", if cut { "yes" } else { "no" })
                .text("rekey_time", seconds(90, self.esp_lifetime))
                .text("life_time", seconds(100, self.esp_lifetime))
                .text("rand_time", "0s")
                .text("ipcomp", if self.ipcomp { "yes" } else { "no" })
                .text("start_action", self.start_action);
            let child = if local.is_empty() { child } else { child.list("local_ts", local) };
            if remote.is_empty() { child } else { child.list("remote_ts", remote) }
        };
        let mut children = Section::new().section(CHILD, child(&self.local_ts, &self.remote_ts));
        for (number, (local, remote)) in (2..).zip(&self.also) {
            let child = child(std::slice::from_ref(local), std::slice::from_ref(remote));
            children = children.section(&format!("{CHILD}{number}"), child);
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
            None => connection,
            Some(RemoteAccess::Gateway { push, .. }) => {
                let round = ("remote-2", Section::new().text("auth", "xauth"));
                let connection = if self.hybrid { connection } else { connection.section(round.0, round.1) };
                connection.list("pools", [POOL]).text("pull", if push { "no" } else { "yes" })
            }
            Some(RemoteAccess::Client { user, push, .. }) => {
                let round = ("local-2", Section::new().text("auth", "xauth").text("xauth_id", user));
                let connection = if self.hybrid { connection } else { connection.section(round.0, round.1) };
                connection.list("vips", ["0.0.0.0"]).text("pull", if push { "no" } else { "yes" })
            }
        };
        Section::new().section(CONNECTION, connection)
    }
}

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

/// A running charon with one [`Connection`].
#[derive(Debug)]
pub struct Charon {
    process: Process,
    socket: PathBuf,
    _scratch: Scratch,
}

impl Charon {
    /// Starts charon in `namespace` and loads `connection`.
    pub fn start(namespace: &Namespace, kernel: Kernel, connection: &Connection) -> Self {
        Self::start_logging(namespace, kernel, connection, LOG)
    }

    /// The same, with a log of `levels` in the words of strongswan.conf.
    pub fn start_logging(namespace: &Namespace, kernel: Kernel, connection: &Connection, levels: &str) -> Self {
        let scratch = Scratch::new("charon");
        let socket = scratch.join("vici");
        let configuration = scratch.write(
            "strongswan.conf",
            &configuration(kernel, &socket.display().to_string(), levels, connection.fragment_size),
        );
        // A copy, because where AppArmor is active its profile is bound to the path and would deny our directory.
        let program = scratch.join("charon");
        std::fs::copy(PROGRAM, &program)
            .unwrap_or_else(|e| panic!("cannot copy {PROGRAM}: {e}: install strongswan-charon (scripts/setup --test)"));
        // Each charon writes a pid file in /run: give each a /run of its own.
        let script = format!(
            "mount -t tmpfs tmpfs /run && STRONGSWAN_CONF={} exec {}",
            configuration.display(),
            program.display()
        );
        let mut process = Process::start(namespace, &scratch, "charon.log", "unshare", &["-m", "sh", "-c", &script]);
        process.wait_until("the control socket", START, || Vici::connect(&socket, ANSWER).is_ok());
        let charon = Self { process, socket, _scratch: scratch };
        charon.load(connection);
        charon
    }

    /// Loads `connection` in place of the one before; SAs that exist stay.
    #[track_caller]
    pub fn load(&self, connection: &Connection) {
        let mut messages = Vec::new();
        match &connection.certificates {
            Some(certificates) => {
                let load = |kind: &str, flag: &str, data: &String| {
                    let message = Section::new().text("type", kind).text("flag", flag).text("data", data);
                    ("load-cert", message)
                };
                messages.extend(certificates.authorities.iter().map(|data| load("X509", "CA", data)));
                messages.extend(certificates.revocation_lists.iter().map(|data| load("X509_CRL", "NONE", data)));
                if !(connection.hybrid && matches!(connection.remote_access, Some(RemoteAccess::Client { .. }))) {
                    let key = Section::new().text("type", "any").text("data", &certificates.private_key);
                    messages.push(("load-key", key));
                }
            }
            None => {
                let secret = Section::new()
                    .text("id", "psk")
                    .text("type", "IKE")
                    .text("data", &connection.psk)
                    .list("owners", [&connection.local_id, &connection.remote_id]);
                messages.push(("load-shared", secret));
            }
        }
        if let Some(access) = connection.remote_access {
            let (user, password) = access.user();
            let secret = Section::new().text("id", "xauth").text("type", "XAUTH").text("data", password);
            messages.push(("load-shared", secret.list("owners", [user])));
        }
        if let Some(RemoteAccess::Gateway { pool, dns, .. }) = connection.remote_access {
            let pool = Section::new().text("addrs", pool).list("dns", [dns]);
            messages.push(("load-pool", Section::new().section(POOL, pool)));
        }
        messages.push(("load-conn", connection.section()));
        for (command, message) in messages {
            let answer = self.request(command, &message);
            assert_eq!(answer.get("success"), "yes", "{command} of {connection:?}: {}", answer.get("errmsg"));
        }
    }

    /// Negotiates the IPsec SAs and waits for the outcome; the error is charon's reason and its log of it.
    pub fn initiate(&self) -> Result<(), String> {
        self.initiate_child(CHILD)
    }

    /// The same for the child `name`.
    pub fn initiate_child(&self, name: &str) -> Result<(), String> {
        let message = Section::new()
            .text("child", name)
            .text("ike", CONNECTION)
            .text("timeout", ANSWER.as_millis().to_string())
            .text("loglevel", "1");
        let answer =
            self.vici().stream("initiate", "control-log", &message).unwrap_or_else(|e| panic!("initiate: {e}"));
        if answer.message.get("success") == "yes" {
            return Ok(());
        }
        let log: Vec<&str> = answer.events.iter().map(|event| event.get("msg")).collect();
        Err(format!("{}\n{}", answer.message.get("errmsg"), log.join("\n")))
    }

    /// Deletes the IPsec SAs only.
    #[track_caller]
    pub fn terminate_child(&self) {
        self.command("terminate", &Section::new().text("child", CHILD));
    }

    /// Deletes the IKE SA with everything under it.
    #[track_caller]
    pub fn terminate(&self) {
        self.command("terminate", &Section::new().text("ike", CONNECTION));
    }

    /// Begins a quick mode that replaces the IPsec SAs.
    #[track_caller]
    pub fn rekey_child(&self) {
        self.command("rekey", &Section::new().text("child", CHILD));
    }

    /// Begins a main mode that replaces the IKE SA.
    #[track_caller]
    pub fn rekey_ike(&self) {
        self.command("rekey", &Section::new().text("ike", CONNECTION));
    }

    /// The same for the IKE SA with the number `id` alone.
    #[track_caller]
    pub fn rekey_ike_sa(&self, id: u32) {
        self.command("rekey", &Section::new().text("ike-id", id.to_string()));
    }

    /// The IKE SAs with their IPsec SAs.
    pub fn list_sas(&self) -> Vec<IkeSa> {
        let answer = self
            .vici()
            .stream("list-sas", "list-sa", &Section::new())
            .unwrap_or_else(|e| panic!("list-sas: {e}; charon's log:\n{}", self.log()));
        answer.events.iter().flat_map(|event| event.sections().map(|(_, sa)| ike_sa(sa)).collect::<Vec<_>>()).collect()
    }

    /// The IPsec SAs in state `INSTALLED`.
    pub fn installed(&self) -> Vec<ChildSa> {
        let children = self.list_sas().into_iter().flat_map(|sa| sa.children);
        children.filter(|child| child.state == "INSTALLED").collect()
    }

    /// Waits until there is an IKE SA with at least one pair of IPsec SAs in use.
    ///
    /// To be called at the responder before traffic: a packet that overtakes the third message of quick mode is lost.
    #[track_caller]
    pub fn wait_installed(&self) {
        self.wait_sas("IPsec SAs", Duration::from_secs(10), |sas| {
            sas.iter().any(|sa| sa.children.iter().any(|child| child.state == "INSTALLED"))
        });
    }

    /// Waits until `condition` holds of the IKE SAs; panics with them and the log when it does not within `patience`.
    #[track_caller]
    pub fn wait_sas(&self, what: &str, patience: Duration, condition: impl Fn(&[IkeSa]) -> bool) {
        let mut last = Vec::new();
        let held = wait_until(patience, || {
            last = self.list_sas();
            condition(&last)
        });
        assert!(held, "charon: {what}: not within {patience:?}: {last:#?}\n{}", self.log());
    }

    /// Its process.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// What charon has logged.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// Waits until the log satisfies `condition`.
    #[track_caller]
    pub fn wait_for(&mut self, what: &str, patience: Duration, condition: impl Fn(&str) -> bool) {
        self.process.wait_for(what, patience, condition);
    }

    /// Ends charon: it sends its peer deletes, as at any regular end.
    pub fn stop(&mut self) {
        self.process.stop();
    }

    /// Kills charon: its peer learns nothing, and what it has in the kernel stays there.
    pub fn kill(&mut self) {
        self.process.signal(Signal::SIGKILL);
        assert!(self.process.wait_end(START).is_some(), "SIGKILL ends every process");
    }

    /// Sends charon a signal.
    pub fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    fn vici(&self) -> Vici {
        Vici::connect(&self.socket, ANSWER)
            .unwrap_or_else(|e| panic!("charon's control socket: {e}; its log:\n{}", self.log()))
    }

    fn request(&self, command: &str, message: &Section) -> Section {
        self.vici()
            .request(command, message)
            .unwrap_or_else(|e| panic!("charon: {command}: {e}; its log:\n{}", self.log()))
    }

    #[track_caller]
    fn command(&self, command: &str, message: &Section) {
        let answer = self.request(command, message);
        assert_eq!(answer.get("success"), "yes", "charon: {command}: {answer:?}; its log:\n{}", self.log());
    }
}

/// strongswan.conf. The plugins are named because loading all of them costs seconds in the guest.
fn configuration(kernel: Kernel, socket: &str, levels: &str, fragment_size: u16) -> String {
    let libipsec = match kernel {
        Kernel::Libipsec => "kernel-libipsec ",
        Kernel::Netlink => "",
    };
    format!(
        "charon {{
  load = random nonce openssl pem pkcs1 pkcs8 x509 revocation constraints pubkey hmac kdf {libipsec}kernel-netlink socket-default vici updown xauth-generic
  install_virtual_ip = yes
  i_dont_care_about_security_and_use_aggressive_mode_psk = yes
  fragment_size = {fragment_size}
  retransmit_timeout = 1.0
  retransmit_base = 1.2
  retransmit_tries = 4
  plugins {{
    vici {{
      socket = unix://{socket}
    }}
  }}
  filelog {{
    stderr {{
      {levels}
      flush_line = yes
    }}
  }}
}}
"
    )
}

fn ike_sa(sa: &Section) -> IkeSa {
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
