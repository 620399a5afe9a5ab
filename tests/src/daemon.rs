//! The daemon under test: `policyagent` in a namespace, with a root directory of its own.

use std::io::Write as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::netns::Namespace;
use crate::process::{Process, wait_until};
use crate::scratch::Scratch;

/// How long it may take until the daemon serves.
const START: Duration = Duration::from_secs(20);

/// The driver that installs the daemon's SAs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Driver {
    /// The kernel's ESP by netlink.
    Xfrm,
    /// The kernel's ESP by PF_KEY.
    PfKey,
    /// The daemon's own ESP over a TUN device.
    Userspace,
    /// None: SAs are only remembered.
    Memory,
}

impl Driver {
    /// As the command line spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Xfrm => "xfrm",
            Self::PfKey => "pfkey",
            Self::Userspace => "userspace",
            Self::Memory => "memory",
        }
    }
}

/// A running `policyagent`.
#[derive(Debug)]
pub struct Daemon<'a> {
    namespace: &'a Namespace,
    process: Process,
    root: Scratch,
    driver: Driver,
    trace: bool,
}

/// The program: `POLICYAGENT_BIN`, or the one that cargo built beside this test.
pub fn program() -> PathBuf {
    if let Some(path) = std::env::var_os("POLICYAGENT_BIN") {
        return path.into();
    }
    let test = std::env::current_exe().expect("a program knows its own path");
    // target/debug/deps/NAME-HASH -> target/debug/policyagent
    let path = test.parent().and_then(Path::parent).unwrap_or_else(|| Path::new(".")).join("policyagent");
    assert!(path.exists(), "{} is not built: cargo build -p policyagent-svc", path.display());
    path
}

/// Starts the program with the files below `root`.
fn launch(namespace: &Namespace, root: &Scratch, driver: Driver, trace: bool) -> Process {
    let trace = if trace { "on" } else { "off" };
    let file = root.join("policy.toml").display().to_string();
    let directory = root.path().display().to_string();
    let arguments = ["--root", &directory, "run", "--driver", driver.name(), "--policy", &file, "--oakley-log", trace];
    let program = program().display().to_string();
    let own = [("pam.d", "/etc/pam.d"), ("hosts", "/etc/hosts")].map(|(name, of)| (root.join(name), of));
    let mounts: Vec<String> = own
        .iter()
        .filter(|(path, _)| path.exists())
        .map(|(path, of)| format!("mount --bind {} {of} && ", path.display()))
        .collect();
    if mounts.is_empty() {
        return Process::start(namespace, root, "policyagent", &program, &arguments);
    }
    let script = format!("{}exec \"$0\" \"$@\"", mounts.concat());
    let wrapped: Vec<&str> = ["-m", "sh", "-c", &script, &program].into_iter().chain(arguments).collect();
    Process::start(namespace, root, "policyagent", "unshare", &wrapped)
}

impl<'a> Daemon<'a> {
    /// Starts the daemon in `namespace` with `policy`, the text of a policy file, and waits until it serves.
    #[track_caller]
    pub fn start(namespace: &'a Namespace, driver: Driver, policy: &str) -> Self {
        Self::launched(namespace, driver, policy, "", true)
    }

    /// The same without the trace in Oakley.log: as the daemon runs by default.
    #[track_caller]
    pub fn start_quiet(namespace: &'a Namespace, driver: Driver, policy: &str) -> Self {
        Self::launched(namespace, driver, policy, "", false)
    }

    /// The same with the users of the PAM service `test`, whose file has the text `pam`. The daemon alone sees it.
    #[track_caller]
    pub fn start_with_pam(namespace: &'a Namespace, driver: Driver, policy: &str, pam: &str) -> Self {
        let root = Scratch::new("root");
        root.write("policy.toml", policy);
        root.write("etc/policyagent/policyagent.toml", "pam_service = \"test\"\n");
        root.write("pam.d/test", pam);
        let trace = true;
        let process = launch(namespace, &root, driver, trace);
        let mut daemon = Self { namespace, process, root, driver, trace };
        daemon.wait_serves();
        daemon
    }

    /// The same with a file of hosts for the daemon alone, `hosts` below its root, as /etc/hosts. It can be changed in place.
    #[track_caller]
    pub fn start_with_hosts(namespace: &'a Namespace, driver: Driver, policy: &str, hosts: &str) -> Self {
        let root = Scratch::new("root");
        root.write("policy.toml", policy);
        root.write("hosts", hosts);
        let trace = true;
        let process = launch(namespace, &root, driver, trace);
        let mut daemon = Self { namespace, process, root, driver, trace };
        daemon.wait_serves();
        daemon
    }

    /// The same with `settings`, the text of the settings file.
    #[track_caller]
    pub fn start_with_settings(namespace: &'a Namespace, driver: Driver, policy: &str, settings: &str) -> Self {
        Self::launched(namespace, driver, policy, settings, true)
    }

    #[track_caller]
    fn launched(namespace: &'a Namespace, driver: Driver, policy: &str, settings: &str, trace: bool) -> Self {
        let root = Scratch::new("root");
        root.write("policy.toml", policy);
        root.write("etc/policyagent/policyagent.toml", settings);
        let process = launch(namespace, &root, driver, trace);
        let mut daemon = Self { namespace, process, root, driver, trace };
        daemon.wait_serves();
        daemon
    }

    /// Kills the daemon, which can clean up nothing, and starts it again with the same files.
    #[track_caller]
    pub fn kill_and_restart(&mut self) {
        self.process.signal(Signal::SIGKILL);
        assert!(self.process.wait_end(START).is_some(), "SIGKILL ends every process");
        self.process = launch(self.namespace, &self.root, self.driver, self.trace);
        self.wait_serves();
    }

    #[track_caller]
    fn wait_serves(&mut self) {
        // The socket first: asking by a process each time would be dear.
        let socket = self.path("run/policyagent/control.sock");
        self.process.wait_until("the control socket", START, || UnixStream::connect(&socket).is_ok());
        let status = self.command(&["status"]);
        assert!(status.status.success(), "status: {status:?}; the daemon:\n{}", self.output());
    }

    /// The hash of a password, for the users file.
    #[track_caller]
    pub fn hash_password(&self, password: &str) -> String {
        let mut command = Command::new(program());
        let mut child = command
            .arg("hash-password")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("policyagent hash-password: {error}"));
        if let Some(mut input) = child.stdin.take() {
            input.write_all(password.as_bytes()).expect("it reads the password");
        }
        let output = child.wait_with_output().expect("it ends");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Runs `policyagent` with `arguments` for this daemon.
    pub fn command(&self, arguments: &[&str]) -> Output {
        let directory = self.root.path().display().to_string();
        let mut all = vec!["--root", &directory];
        all.extend(arguments);
        self.namespace.output(&program().display().to_string(), &all)
    }

    /// Runs `policyagent` with `arguments`, which must succeed, and returns its output.
    #[track_caller]
    pub fn run(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            output.status.success(),
            "policyagent {arguments:?}: {}\n{text}{}\nthe daemon:\n{}",
            output.status,
            String::from_utf8_lossy(&output.stderr),
            self.output()
        );
        text
    }

    /// The status as JSON.
    #[track_caller]
    pub fn status(&self) -> serde_json::Value {
        let text = self.run(&["status", "--format", "json"]);
        serde_json::from_str(&text).unwrap_or_else(|e| panic!("status is no JSON: {e}: {text}"))
    }

    /// How many ISAKMP SAs it has.
    #[track_caller]
    pub fn isakmp_sas(&self) -> usize {
        self.listed("ike_sas")
    }

    /// How many pairs of IPsec SAs it has.
    #[track_caller]
    pub fn ipsec_sas(&self) -> usize {
        self.listed("ipsec_sas")
    }

    #[track_caller]
    fn listed(&self, name: &str) -> usize {
        let status = self.status();
        status[name].as_array().unwrap_or_else(|| panic!("the status has no list {name}: {status}")).len()
    }

    /// The trace: what Oakley.log holds so far.
    pub fn oakley(&self) -> String {
        std::fs::read_to_string(self.root.join("var/log/policyagent/Oakley.log")).unwrap_or_default()
    }

    /// Waits until the trace satisfies `condition`; panics with it when it does not within `patience`.
    #[track_caller]
    pub fn wait_oakley(&self, what: &str, patience: Duration, condition: impl Fn(&str) -> bool) {
        let held = wait_until(patience, || condition(&self.oakley()));
        assert!(held, "Oakley.log: {what}: not within {patience:?}:\n{}", self.oakley());
    }

    /// The audit: the entries of its file so far.
    #[track_caller]
    pub fn audit(&self) -> Vec<serde_json::Value> {
        let text = std::fs::read_to_string(self.root.join("var/log/policyagent/audit.jsonl")).unwrap_or_default();
        let entry = |line: &str| serde_json::from_str(line).unwrap_or_else(|e| panic!("no entry ({e}): {line}"));
        // A line without its end is being written.
        text.split_inclusive('\n').filter(|line| line.ends_with('\n')).map(entry).collect()
    }

    /// Waits until the audit has an entry that satisfies `condition`, and gives it; panics with all when it does not within
    /// `patience`.
    #[track_caller]
    pub fn wait_audit(
        &self,
        what: &str,
        patience: Duration,
        condition: impl Fn(&serde_json::Value) -> bool,
    ) -> serde_json::Value {
        let mut found = None;
        let held = wait_until(patience, || {
            found = self.audit().into_iter().find(|entry| condition(entry));
            found.is_some()
        });
        assert!(held, "audit: {what}: not within {patience:?}:\n{:#?}\n{}", self.audit(), self.output());
        found.unwrap_or_default()
    }

    /// What the daemon itself has written to its standard output and error.
    pub fn output(&self) -> String {
        self.process.log()
    }

    /// The daemon's process.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// A path below its root directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// Ends it in the regular way; panics when that fails.
    #[track_caller]
    pub fn stop(&mut self) {
        let status = self.process.stop();
        assert!(status.is_some_and(|status| status.success()), "the daemon ended badly: {status:?}\n{}", self.output());
    }
}

impl Drop for Daemon<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!(
                "--- Oakley.log in {} ---\n{}\n---",
                self.namespace.name(),
                crate::process::tail(&self.oakley(), 120)
            );
        }
    }
}
