//! strongSwan's charon as a peer in a namespace, with IKEv1 and a pre-shared key or certificates.

mod connection;
mod sas;
mod swanctl;

use std::path::PathBuf;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::netns::Namespace;
use crate::process::{Process, wait_until};
use crate::scratch::Scratch;
use crate::vici::{Section, Vici};

use connection::{CHILD, CONNECTION};
use sas::ike_sa;

pub use connection::{Connection, Credentials, Mode, RemoteAccess};
pub use sas::{ChildSa, IkeSa};

/// Where the distribution installs charon.
const PROGRAM: &str = "/usr/lib/ipsec/charon";

/// How long charon may take to open its control socket.
const START: Duration = Duration::from_secs(20);

/// How long an answer of charon may take: it covers a negotiation that ends in time-outs of retransmissions.
const ANSWER: Duration = Duration::from_secs(60);

/// What a test wants to read when it fails.
const LOG: &str = "default = 1\n      ike = 2\n      cfg = 2";

/// What carries charon's ESP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kernel {
    /// charon's own ESP over a TUN device, for kernels without ESP. Tunnel mode and UDP encapsulation only.
    Libipsec,
    /// The kernel's ESP, by netlink.
    Netlink,
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
        for (command, message) in connection.messages() {
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
