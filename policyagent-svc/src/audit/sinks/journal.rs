//! The journal, by its own protocol: a datagram an entry, with fields (systemd.journal-fields(7)).
use std::io;
use std::path::Path;

use super::{LogSocket, Sink};
use crate::audit::record::{Outcome, Record};

/// LOG_AUTHPRIV.
pub(super) const FACILITY: u8 = 10;

/// Priorities of syslog.
const NOTICE: u8 = 5;
const WARNING: u8 = 4;

/// The priority of an entry.
pub(super) const fn priority(record: &Record) -> u8 {
    match record.kind.outcome() {
        Outcome::Success => NOTICE,
        Outcome::Failure => WARNING,
    }
}

/// The socket of journald.
#[derive(Debug)]
pub(in crate::audit) struct Journal(LogSocket);

impl Journal {
    /// The one at `path`, which need not be there.
    pub(in crate::audit) fn new(path: &Path) -> io::Result<Self> {
        LogSocket::new(path).map(Self)
    }
}

impl Sink for Journal {
    fn name(&self) -> String {
        "the journal".to_owned()
    }

    fn write(&mut self, record: &Record) -> io::Result<()> {
        self.0.send(&datagram(record))
    }
}

/// The fields of an entry. What is the program's own begins with its name.
fn datagram(record: &Record) -> Vec<u8> {
    let mut out = Vec::new();
    let kind = record.kind;
    field(&mut out, "MESSAGE", &record.message);
    field(&mut out, "PRIORITY", &priority(record).to_string());
    field(&mut out, "SYSLOG_FACILITY", &FACILITY.to_string());
    field(&mut out, "SYSLOG_IDENTIFIER", "policyagent");
    field(&mut out, "POLICYAGENT_EVENT", &kind.number().to_string());
    field(&mut out, "POLICYAGENT_NAME", kind.name());
    field(&mut out, "POLICYAGENT_TYPE", kind.outcome().name());
    field(&mut out, "POLICYAGENT_COUNT", &record.count.to_string());
    if let Some(peer) = record.peer {
        field(&mut out, "POLICYAGENT_PEER", &peer.to_string());
    }
    for (name, value) in &record.fields {
        let name = format!("POLICYAGENT_{}", name.to_ascii_uppercase());
        match value.as_str() {
            Some(text) => field(&mut out, &name, text),
            None => field(&mut out, &name, &value.to_string()),
        }
    }
    out
}

/// `NAME=value`; a value of several lines with its length before it.
fn field(out: &mut Vec<u8>, name: &str, value: &str) {
    out.extend_from_slice(name.as_bytes());
    if value.contains('\n') {
        out.push(b'\n');
        out.extend_from_slice(&(value.len() as u64).to_le_bytes());
    } else {
        out.push(b'=');
    }
    out.extend_from_slice(value.as_bytes());
    out.push(b'\n');
}
