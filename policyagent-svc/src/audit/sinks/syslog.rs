//! Syslog, by the local socket of its service.
use std::io;
use std::path::Path;
use std::time::UNIX_EPOCH;

use super::journal::{FACILITY, priority};
use super::{LogSocket, Sink};
use crate::audit::record::Record;
use crate::calendar;

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// How messages are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum SyslogFormat {
    /// As programs write to the local socket: the form of RFC 3164 without the host's name.
    #[default]
    Rfc3164,
    /// RFC 5424.
    Rfc5424,
}

/// The socket of the syslog service.
#[derive(Debug)]
pub(in crate::audit) struct Syslog {
    socket: LogSocket,
    format: SyslogFormat,
    host: String,
}

impl Syslog {
    /// The one at `path`, which need not be there.
    pub(in crate::audit) fn new(path: &Path, format: SyslogFormat) -> io::Result<Self> {
        let host = nix::unistd::gethostname()?.to_string_lossy().into_owned();
        Ok(Self { socket: LogSocket::new(path)?, format, host: if host.is_empty() { "-".to_owned() } else { host } })
    }
}

impl Sink for Syslog {
    fn name(&self) -> String {
        "syslog".to_owned()
    }

    fn write(&mut self, record: &Record) -> io::Result<()> {
        let message = message(record, self.format, &self.host, std::process::id());
        self.socket.send(message.as_bytes())
    }
}

/// The message of an entry.
pub(super) fn message(record: &Record, format: SyslogFormat, host: &str, process: u32) -> String {
    let priority = FACILITY * 8 + priority(record);
    let kind = record.kind;
    let number = kind.number();
    let mut text = format!("event {number} ({}), {}: ", kind.name(), kind.outcome().name());
    // A message is one line.
    text.extend(record.message.chars().map(|c| if c.is_control() { ' ' } else { c }));
    match format {
        SyslogFormat::Rfc3164 => {
            let seconds = record.at.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
            let local = i64::try_from(seconds).ok().and_then(ikedaemon::sys::local_time);
            let stamp = local.map_or_else(String::new, |local| {
                let month = MONTHS.get(usize::from(local.month) - 1).unwrap_or(&"Jan");
                format!("{month} {:2} {:02}:{:02}:{:02} ", local.day, local.hour, local.minute, local.second)
            });
            format!("<{priority}>{stamp}policyagent[{process}]: {text}")
        }
        SyslogFormat::Rfc5424 => {
            format!("<{priority}>1 {} {host} policyagent {process} {number} - {text}", calendar::rfc3339(record.at))
        }
    }
}
