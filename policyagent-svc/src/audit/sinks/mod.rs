//! Where entries go.
mod file;
mod journal;
mod syslog;

pub(super) use file::{AuditFile, RealDisk, rotated};
pub(super) use journal::Journal;
pub(super) use syslog::{Syslog, SyslogFormat};

use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

use super::record::Record;

/// Takes entries.
pub(super) trait Sink: Send {
    /// Its name, for people.
    fn name(&self) -> String;
    /// Writes one. The error says why it was not.
    fn write(&mut self, record: &Record) -> io::Result<()>;
}

/// A datagram socket of a log service. That it is not there is no error until it has been.
#[derive(Debug)]
struct LogSocket {
    path: PathBuf,
    socket: UnixDatagram,
    was_there: bool,
}

impl LogSocket {
    fn new(path: &Path) -> io::Result<Self> {
        let socket = UnixDatagram::unbound()?;
        // Who does not read must not hold up the others.
        socket.set_nonblocking(true)?;
        Ok(Self { path: path.to_owned(), socket, was_there: false })
    }

    fn send(&mut self, datagram: &[u8]) -> io::Result<()> {
        match self.socket.send_to(datagram, &self.path) {
            Ok(_) => {
                self.was_there = true;
                Ok(())
            }
            Err(error) if !self.was_there && is_absence(&error) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

fn is_absence(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused)
}

#[cfg(test)]
mod tests;
