//! xl2tpd with pppd: the L2TP that IPsec carries, as the server and as its clients.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use crate::netns::Namespace;
use crate::process::Process;
use crate::scratch::Scratch;

/// How long xl2tpd may take until it serves.
const START: Duration = Duration::from_secs(10);

/// The server's address inside its PPP links.
pub const SERVER: &str = "10.98.0.1";

/// The addresses that it gives to clients, of which the first is [`FIRST_CLIENT`].
const CLIENTS: &str = "10.98.0.2-10.98.0.9";

/// What the first client gets.
pub const FIRST_CLIENT: &str = "10.98.0.2";

/// What the second client gets.
pub const SECOND_CLIENT: &str = "10.98.0.3";

/// pppd's side of the link. Who the user is, is no question here: IPsec has asked. xl2tpd ends its tunnel before pppd has
/// said its last word, for whose answer pppd then waits in vain: one second, once.
const PPP: &str = "noauth\nnoccp\nnodefaultroute\nmtu 1280\nmru 1280\nlcp-restart 1\nlcp-max-terminate 1\ndebug\n";

/// Where the distribution installs pppd, and xl2tpd looks for it.
const PPPD: &str = "/usr/sbin/pppd";

/// Modules of the kernel: L2TP and PPP over it.
pub const MODULES: [&str; 2] = ["ppp_generic", "l2tp_ppp"];

/// A running xl2tpd.
#[derive(Debug)]
pub struct Xl2tpd {
    process: Process,
    ppp_log: PathBuf,
    _scratch: Scratch,
}

impl Xl2tpd {
    /// The server, at `address`.
    pub fn server(namespace: &Namespace, address: &str) -> Self {
        let section = format!("[lns default]\nip range = {CLIENTS}\nlocal ip = {SERVER}\n");
        Self::start(namespace, &format!("listen-addr = {address}\n"), &section)
    }

    /// A client of the server at `server`, from UDP port `port`. It connects at once.
    pub fn client(namespace: &Namespace, server: &str, port: u16) -> Self {
        let section = format!("[lac server]\nlns = {server}\nautodial = yes\n");
        Self::start(namespace, &format!("port = {port}\n"), &section)
    }

    fn start(namespace: &Namespace, global: &str, section: &str) -> Self {
        let scratch = Scratch::new("xl2tpd");
        let ppp_log = scratch.join("pppd.log");
        let options = scratch.write("ppp", &format!("{PPP}logfile {}\n", ppp_log.display()));
        let configuration = format!(
            "[global]\n{global}{section}require authentication = no\nlength bit = yes\npppoptfile = {}\n",
            options.display()
        );
        let configuration = scratch.write("xl2tpd.conf", &configuration).display().to_string();
        let [pid, control] = ["pid", "control"].map(|name| scratch.join(name).display().to_string());
        // A copy, because the guest has the host's files with the rights of the host's user, and distributions let only root
        // and a group run pppd.
        let pppd = scratch.install(PPPD.as_ref(), "pppd");
        let script = format!(
            "mount --bind {} {PPPD} && exec xl2tpd -D -c {configuration} -p {pid} -C {control}",
            pppd.display()
        );
        let mut process = Process::start(namespace, &scratch, "xl2tpd.log", "unshare", &["-m", "sh", "-c", &script]);
        process.wait_for("its port", START, |log| log.contains("Listening on IP address"));
        Self { process, ppp_log, _scratch: scratch }
    }

    /// What xl2tpd and its pppd have logged.
    pub fn log(&self) -> String {
        self.process.log() + &fs::read_to_string(&self.ppp_log).unwrap_or_default()
    }

    /// Ends xl2tpd, and with it its links: it tells its peers.
    pub fn stop(&mut self) {
        self.process.stop();
    }
}
