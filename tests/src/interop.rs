//! What has been seen to interoperate: the tests that run against peers record it, and `docs/interop.md` is written from
//! their records.
//!
//! A scenario holds a [`Row`] while it runs; when it ends, one line goes to the file that [`RECORDS`] names: passed, or
//! failed if it panicked. Inside the guest, whose writes are lost, the line goes to standard output, and the host, which
//! reads that, records it ([`pass_on`]).

pub mod table;

use std::fs::OpenOptions;
use std::io::Write as _;

use serde_json::{Value, json};

use crate::charon::Kernel;
use crate::daemon::Driver;
use crate::scenario::Role;
use crate::uml;

/// The environment variable with the path of the file of records. Where it is not set, nothing is recorded.
pub const RECORDS: &str = "POLICYAGENT_INTEROP";

/// What a line of the guest begins with if it is a record.
const MARK: &str = "interop ";

/// What is tried with a peer that is not ours. Dropped, it is recorded.
#[derive(Debug)]
#[must_use = "it records the result when it is dropped"]
pub struct Row {
    what: String,
    peer: &'static str,
    driver: Driver,
    roles: &'static [Role],
}

impl Row {
    /// Tries `what` with `peer`, over `driver`; the daemon is in each of `roles` during it.
    pub fn new(what: impl Into<String>, peer: &'static str, driver: Driver, roles: &'static [Role]) -> Self {
        Self { what: what.into(), peer, driver, roles }
    }

    /// The same with charon, whose ESP is that of `kernel`.
    pub fn charon(what: impl Into<String>, kernel: Kernel, driver: Driver, roles: &'static [Role]) -> Self {
        let peer = match kernel {
            Kernel::Netlink => "strongSwan, ESP of the kernel",
            Kernel::Libipsec => "strongSwan, ESP of its own",
        };
        Self::new(what, peer, driver, roles)
    }

    fn record(&self, passed: bool) -> Value {
        let roles: Vec<&str> = self.roles.iter().map(|role| role.name()).collect();
        json!({"what": self.what, "peer": self.peer, "driver": self.driver.name(), "roles": roles, "passed": passed})
    }
}

impl Drop for Row {
    fn drop(&mut self) {
        let record = self.record(!std::thread::panicking());
        if uml::is_guest() {
            println!("{MARK}{record}");
        } else {
            append(&record.to_string());
        }
    }
}

/// Records that the cases of a test program did not run here.
pub fn skipped(cases: usize) {
    append(&json!({"skipped": cases}).to_string());
}

/// Records a line of the guest that is a record. Otherwise false.
pub fn pass_on(line: &str) -> bool {
    let record = line.strip_prefix(MARK);
    if let Some(record) = record {
        append(record);
    }
    record.is_some()
}

/// One write a line: test programs that run at once do not mix their lines.
fn append(record: &str) {
    let Some(path) = std::env::var_os(RECORDS) else { return };
    let file = OpenOptions::new().append(true).create(true).open(&path);
    if let Err(error) = file.and_then(|mut file| file.write_all(format!("{record}\n").as_bytes())) {
        eprintln!("{}: {error}: {record} is not recorded", path.to_string_lossy());
    }
}
