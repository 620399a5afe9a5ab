//! libreswan's pluto as a peer in a namespace, with IKEv1 and a pre-shared key or certificates, over the kernel's ESP.
//!
//! As a package libreswan conflicts with strongSwan, so `scripts/setup` only unpacks it: nothing of it is at its usual
//! place, but where pluto runs.

use std::path::PathBuf;
use std::process::Output;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::charon::{Mode, RemoteAccess};
use crate::netns::{Addresses, Namespace};
use crate::process::{Process, wait_until};
use crate::scratch::Scratch;

/// Where `scripts/setup` puts pluto and what belongs to it.
const DIRECTORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/peers/libreswan/usr/libexec/ipsec");

/// How long pluto may take to test its own algorithms and to read its configuration.
const START: Duration = Duration::from_secs(20);

/// The name of the connection in pluto.
const CONNECTION: &str = "p";

/// What it logs last before it serves.
const READY: &str = "loading secrets from";

/// What its database calls its certificate and key, and the password of the file that they come in.
pub const NICKNAME: &str = "b";
/// The password.
pub const PASSWORD: &str = "of a file";

/// Whether libreswan is here. It is not where the distribution has none.
pub fn is_unpacked() -> bool {
    PathBuf::from(DIRECTORY).join("pluto").exists()
}

/// By what pluto proves who it is, and whom it trusts.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// Its certificate [`NICKNAME`] with the key and the authorities above, under [`PASSWORD`].
    pub pkcs12: Vec<u8>,
    /// The root, in PEM.
    pub root: String,
}

/// What pluto shall negotiate. [`Connection::between`] gives tunnel mode between the protected nets, with
/// aes256-sha256-modp2048 in both phases.
#[derive(Debug, Clone)]
pub struct Connection {
    /// Own address on the wire.
    pub local: String,
    /// The peer's.
    pub remote: String,
    /// Own identity, as libreswan writes it.
    pub local_id: String,
    /// The peer's identity.
    pub remote_id: String,
    /// Pre-shared key.
    pub psk: String,
    /// Certificates in place of the pre-shared key.
    pub certificates: Option<Credentials>,
    /// Extended authentication with Mode Config.
    pub remote_access: Option<RemoteAccess>,
    /// Proposal of main mode, e.g. `aes256-sha256-modp2048`.
    pub ike: String,
    /// Proposal of quick mode; with a group there is PFS. pluto has only groups of modular exponentiation there.
    pub esp: String,
    /// Offer IPComp.
    pub compress: bool,
    /// ESP in UDP as if there were a NAT, with the payloads and numbers of `rfc` or `drafts`.
    pub nat_traversal: Option<&'static str>,
    /// Mode of the IPsec SAs.
    pub mode: Mode,
    /// Own net, for tunnel mode.
    pub local_net: String,
    /// The peer's net.
    pub remote_net: String,
    /// Lifetime of the ISAKMP SA, seconds: pluto begins anew [`MARGIN`] before its end.
    pub ike_lifetime: u32,
    /// Lifetime of the IPsec SAs, seconds, likewise.
    pub esp_lifetime: u32,
    /// Dead peer detection: `dpddelay`, `dpdtimeout` and `dpdaction`.
    pub dpd: Option<(u32, u32, &'static str)>,
}

/// How long before the end of a life pluto negotiates anew, seconds.
pub const MARGIN: u32 = 4;

impl Connection {
    /// A connection from the host with the addresses `own` to the one with `other`.
    pub fn between(own: Addresses, other: Addresses) -> Self {
        Self {
            local: own.wire.to_owned(),
            remote: other.wire.to_owned(),
            local_id: own.wire.to_owned(),
            remote_id: other.wire.to_owned(),
            certificates: None,
            remote_access: None,
            psk: "correct horse battery".to_owned(),
            ike: "aes256-sha256-modp2048".to_owned(),
            esp: "aes256-sha256-modp2048".to_owned(),
            compress: false,
            nat_traversal: None,
            mode: Mode::Tunnel,
            local_net: own.net.to_owned(),
            remote_net: other.net.to_owned(),
            ike_lifetime: 14_400,
            esp_lifetime: 3_600,
            dpd: None,
        }
    }

    /// The same in `mode`.
    #[must_use]
    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// The same with these proposals of main mode and quick mode.
    #[must_use]
    pub fn proposals(mut self, ike: &str, esp: &str) -> Self {
        ike.clone_into(&mut self.ike);
        esp.clone_into(&mut self.esp);
        self
    }

    /// ipsec.conf, with everything that pluto keeps below `directory`.
    fn configuration(&self, directory: &str) -> String {
        let near = format!("\tleftsubnet={}\n", self.local_net);
        let far = format!("\trightsubnet={}\n", self.remote_net);
        // The client's side of a tunnel is the address that it is given.
        let nets = match (self.mode, self.remote_access) {
            (Mode::Tunnel, None) => near + &far,
            (Mode::Tunnel, Some(access)) => {
                let net = if access.is_gateway() { near } else { far };
                net + &remote_access(access)
            }
            (Mode::Transport, _) => String::new(),
        };
        let method = match self.certificates {
            None => "\tauthby=secret\n".to_owned(),
            Some(_) => {
                format!("\tauthby=rsasig\n\tleftcert={NICKNAME}\n\tleftsendcert=always\n\tsendca=issuer\n")
            }
        };
        let dpd = self.dpd.map_or_else(String::new, |(delay, timeout, action)| {
            format!("\tdpddelay={delay}\n\tdpdtimeout={timeout}\n\tdpdaction={action}\n")
        });
        let nat_traversal = self
            .nat_traversal
            .map_or_else(String::new, |numbers| format!("\tencapsulation=yes\n\tnat-ikev1-method={numbers}\n"));
        let pfs = if self.esp.contains("modp") { "yes" } else { "no" };
        format!(
            "config setup
\tikev1-policy=accept
\tprotostack=xfrm
\tuniqueids=yes
\tdnssec-enable=no
\tnssdir={directory}/nss
\tipsecdir={directory}/ipsec.d
\tsecretsfile={directory}/ipsec.secrets
conn {CONNECTION}
\tikev2=no
\ttype={mode}
\tleft={local}
\tleftid=\"{local_id}\"
\tleftupdown=%disabled
\tright={remote}
\trightid=\"{remote_id}\"
{method}{nets}{dpd}{nat_traversal}\tike={ike}
\tesp={esp}
\tpfs={pfs}
\tcompress={compress}
\tikelifetime={ike_lifetime}s
\tsalifetime={esp_lifetime}s
\trekeymargin={MARGIN}s
\trekeyfuzz=0%
\tkeyingtries=1
\tretransmit-timeout=10s
\tauto=add
",
            mode = self.mode.name(),
            local = self.local,
            remote = self.remote,
            local_id = self.local_id,
            remote_id = self.remote_id,
            ike = self.ike,
            // pluto's own word for AES-GCM with 128 bits of both.
            compress = if self.compress { "yes" } else { "no" },
            esp = self.esp.replace("aes128gcm16", "aes_gcm_16_128"),
            ike_lifetime = self.ike_lifetime,
            esp_lifetime = self.esp_lifetime,
        )
    }
}

/// The lines of a connection for extended authentication and Mode Config.
fn remote_access(access: RemoteAccess) -> String {
    let (gateway, client) = if access.is_gateway() { ("left", "right") } else { ("right", "left") };
    let lines = format!(
        "\t{gateway}xauthserver=yes\n\t{client}xauthclient=yes\n\t{gateway}modecfgserver=yes\n\t{client}modecfgclient=yes\n"
    );
    lines
        + &match access {
            RemoteAccess::Gateway { pool, dns, push, .. } => format!(
                "\txauthby=file\n\trightaddresspool={pool}\n\tmodecfgdns={dns}\n\tmodecfgpull={}\n",
                if push { "no" } else { "yes" }
            ),
            RemoteAccess::Client { user, push, .. } => {
                format!("\tleftusername={user}\n\tmodecfgpull={}\n", if push { "no" } else { "yes" })
            }
        }
}

/// A pair of IPsec SAs as pluto lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IpsecSa {
    /// pluto's number of it: the higher, the later negotiated.
    pub number: u32,
    /// SPI of the outbound SA.
    pub spi_out: u32,
    /// SPI of the inbound SA.
    pub spi_in: u32,
}

/// A running pluto with one [`Connection`].
#[derive(Debug)]
pub struct Pluto<'a> {
    namespace: &'a Namespace,
    process: Process,
    socket: String,
    local: String,
    _scratch: Scratch,
}

impl<'a> Pluto<'a> {
    /// Starts pluto in `namespace` with `connection`, and waits until it serves.
    #[track_caller]
    pub fn start(namespace: &'a Namespace, connection: &Connection) -> Self {
        let scratch = Scratch::new("pluto");
        let directory = scratch.path().display().to_string();
        for name in ["run", "nss", "ipsec.d"] {
            std::fs::create_dir(scratch.join(name)).expect("a fresh directory");
        }
        let configuration = scratch.write("ipsec.conf", &connection.configuration(&directory));
        let mut secrets = format!("{} {} : PSK \"{}\"\n", connection.local, connection.remote, connection.psk);
        match connection.remote_access {
            Some(RemoteAccess::Client { user, password, .. }) => {
                secrets += &format!("@{user} : XAUTH \"{password}\"\n");
            }
            Some(RemoteAccess::Gateway { user, password, .. }) => {
                let hash = namespace.run("perl", &["-e", "print crypt($ARGV[0], '$6$salt$')", password]);
                scratch.write("ipsec.d/passwd", &format!("{user}:{hash}:{CONNECTION}\n"));
            }
            None => {}
        }
        scratch.write("ipsec.secrets", &secrets);
        // What `ipsec initnss` does.
        let database = format!("sql:{directory}/nss");
        namespace.run("certutil", &["-N", "-d", &database, "--empty-password"]);
        if let Some(credentials) = &connection.certificates {
            let file = scratch.join("own.p12");
            std::fs::write(&file, &credentials.pkcs12).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
            let file = file.display().to_string();
            namespace.run("pk12util", &["-i", &file, "-d", &database, "-K", "", "-W", PASSWORD]);
            let root = scratch.write("root.pem", &credentials.root).display().to_string();
            namespace.run("certutil", &["-A", "-d", &database, "-n", "root", "-t", "CT,,", "-a", "-i", &root]);
        }
        // pluto looks for its programs where it was compiled for. The file system there and /run are its own.
        let script = format!(
            "mount -t tmpfs tmpfs /run && mount -t tmpfs tmpfs /usr/libexec && mkdir /usr/libexec/ipsec && \
             mount --bind {DIRECTORY} /usr/libexec/ipsec && exec /usr/libexec/ipsec/pluto --nofork --stderrlog \
             --config {} --rundir {directory}/run --nssdir {directory}/nss --ipsecdir {directory}/ipsec.d \
             --secretsfile {directory}/ipsec.secrets --no-dnssec --nhelpers 0",
            configuration.display()
        );
        let mut process = Process::start(namespace, &scratch, "pluto.log", "unshare", &["-m", "sh", "-c", &script]);
        // It loads the connection and listens by a program of its own, which it starts.
        process.wait_for("the connection", START, |log| log.contains("added IKEv1 connection") && log.contains(READY));
        let socket = format!("{directory}/run/pluto.ctl");
        Self { namespace, process, socket, local: connection.local.clone(), _scratch: scratch }
    }

    /// Runs `whack`, pluto's command.
    fn whack(&self, arguments: &[&str]) -> Output {
        let mut all = vec!["--ctlsocket", &self.socket];
        all.extend(arguments);
        self.namespace.output(&format!("{DIRECTORY}/whack"), &all)
    }

    #[track_caller]
    fn command(&self, arguments: &[&str]) -> String {
        let output = self.whack(arguments);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "whack {arguments:?}: {output:?}; pluto's log:\n{}", self.log());
        text
    }

    /// Negotiates IPsec SAs, and before that an ISAKMP SA if there is none, and waits for the outcome; the error is what
    /// pluto tells of it.
    pub fn initiate(&self) -> Result<(), String> {
        let output = self.whack(&["--name", CONNECTION, "--initiate"]);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        if output.status.success() && text.contains("IPsec SA established") { Ok(()) } else { Err(text) }
    }

    /// Begins to negotiate, and does not wait for what becomes of it.
    #[track_caller]
    pub fn begin(&self) {
        self.command(&["--name", CONNECTION, "--initiate", "--asynchronous"]);
    }

    /// Deletes one pair of IPsec SAs.
    #[track_caller]
    pub fn delete(&self, pair: &IpsecSa) {
        self.command(&["--deletestate", &pair.number.to_string()]);
    }

    /// Deletes all SAs of the connection.
    #[track_caller]
    pub fn terminate(&self) {
        self.command(&["--name", CONNECTION, "--terminate"]);
    }

    /// The SAs and what is becoming one, a line or two each, in pluto's own words.
    #[track_caller]
    pub fn states(&self) -> String {
        self.command(&["--showstates"])
    }

    /// The numbers of the ISAKMP SAs.
    #[track_caller]
    pub fn isakmp_sas(&self) -> Vec<u32> {
        self.states().lines().filter(|line| line.contains("(IKE SA established)")).filter_map(number).collect()
    }

    /// The pairs of IPsec SAs.
    #[track_caller]
    pub fn ipsec_sas(&self) -> Vec<IpsecSa> {
        self.states().lines().filter_map(|line| ipsec_sa(line, &self.local)).collect()
    }

    /// The newest pair of IPsec SAs.
    #[track_caller]
    pub fn newest(&self) -> IpsecSa {
        let all = self.ipsec_sas();
        all.into_iter().max_by_key(|pair| pair.number).unwrap_or_else(|| panic!("no IPsec SAs; pluto:\n{}", self.log()))
    }

    /// What was negotiated last: main mode's and quick mode's algorithms, e.g. `AES_CBC_256-HMAC_SHA2_256-MODP2048` and
    /// `AES_CBC_256-HMAC_SHA2_256_128; pfsgroup=MODP2048`.
    #[track_caller]
    pub fn negotiated(&self) -> (String, String) {
        let status = self.command(&["--status"]);
        let after = |mark: &str| {
            let found = status.lines().find_map(|line| line.split_once(mark).map(|(_, rest)| rest.trim().to_owned()));
            found.unwrap_or_else(|| panic!("no {mark} in pluto's status:\n{status}"))
        };
        (after("IKEv1 algorithm newest: "), after("ESP algorithm newest: "))
    }

    /// Waits until `condition` holds of the ISAKMP SAs' numbers and the pairs of IPsec SAs; panics with the states and
    /// the log when it does not within `patience`.
    #[track_caller]
    pub fn wait_sas(&self, what: &str, patience: Duration, condition: impl Fn(&[u32], &[IpsecSa]) -> bool) {
        let held = wait_until(patience, || condition(&self.isakmp_sas(), &self.ipsec_sas()));
        assert!(held, "pluto: {what}: not within {patience:?}:\n{}\n{}", self.states(), self.log());
    }

    /// What pluto has logged since it serves.
    pub fn log(&self) -> String {
        let log = self.process.log();
        log.split_once(READY).map_or(log.as_str(), |(_, rest)| rest).to_owned()
    }

    /// Waits until the log satisfies `condition`.
    #[track_caller]
    pub fn wait_for(&mut self, what: &str, patience: Duration, condition: impl Fn(&str) -> bool) {
        self.process.wait_for(what, patience, condition);
    }

    /// Kills pluto: its peer learns nothing, and what it has in the kernel stays there.
    pub fn kill(&mut self) {
        self.process.signal(Signal::SIGKILL);
        assert!(self.process.wait_end(START).is_some(), "SIGKILL ends every process");
    }
}

/// The number of a line of states: `000 #2: ...`.
fn number(line: &str) -> Option<u32> {
    line.split_once('#')?.1.split_once(':')?.0.parse().ok()
}

/// The pair of a line that tells SPIs: `000 #2: "p" esp.ae831171@10.9.0.2 esp.c67245b5@10.9.0.1 ...`, each at the
/// address where it arrives.
fn ipsec_sa(line: &str, local: &str) -> Option<IpsecSa> {
    let mut spis = (None, None);
    for word in line.split_whitespace() {
        let Some((spi, at)) = word.strip_prefix("esp.").and_then(|word| word.split_once('@')) else { continue };
        let spi = u32::from_str_radix(spi, 16).ok()?;
        if at == local { spis.1 = Some(spi) } else { spis.0 = Some(spi) }
    }
    Some(IpsecSa { number: number(line)?, spi_out: spis.0?, spi_in: spis.1? })
}

#[cfg(test)]
mod tests {
    use super::{IpsecSa, ipsec_sa, number};

    #[test]
    fn states_are_read() {
        let line = "000 #2: \"p\" esp.ae831171@10.9.0.2 esp.c67245b5@10.9.0.1 tun.0@10.9.0.2 Traffic: ESPin=252B";
        let pair = IpsecSa { number: 2, spi_out: 0xae83_1171, spi_in: 0xc672_45b5 };
        assert_eq!(ipsec_sa(line, "10.9.0.1"), Some(pair));
        let state = "000 #12: \"p\":500 STATE_QUICK_I2 (IPsec SA established); REPLACE in 27973s";
        assert_eq!((ipsec_sa(state, "10.9.0.1"), number(state)), (None, Some(12)));
    }
}
