//! The key log: files with the keys of all that is negotiated, in the forms that Wireshark reads, so that a recording of
//! the traffic can be looked into.
//!
//! Who reads these files reads the traffic. The log is off unless the administrator switches it on; its directory and
//! files are for the user alone that the service runs as. It is a tool for finding faults: each key is written at once,
//! and negotiations wait for it.
mod lines;
pub mod read;
#[cfg(test)]
mod tests;

use ikecore::endpoint::LoggedKey;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// The name, among Wireshark's files, of the table of keys of ISAKMP SAs.
pub const ISAKMP_TABLE: &str = "ikev1_decryption_table";

/// The name of the table of ESP SAs.
pub const ESP_TABLE: &str = "esp_sa";

/// What a new table begins with.
const WARNING: &str = "# Keys of policyagent. Who reads this file reads the traffic that they protect.\n";

/// The modes of the directory and of a table.
const DIRECTORY_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;

/// The key log cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum KeyLogError {
    /// The system refused.
    #[error("key log {path}: {error}")]
    File {
        /// The directory or file.
        path: PathBuf,
        /// What it said.
        error: io::Error,
    },
    /// It is there already, and others could read it.
    #[error("key log {path}: its mode is {mode:04o}, allowed is {allowed:04o}, so that nobody else reads the keys")]
    Mode {
        /// The directory or file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
        /// What it may be at most.
        allowed: u32,
    },
}

/// The key log of one service.
#[derive(Debug)]
pub struct KeyLog {
    directory: PathBuf,
}

impl KeyLog {
    /// A key log in `directory`, which is made if it is missing. What is in its tables stays.
    pub fn open(directory: PathBuf) -> Result<Self, KeyLogError> {
        let made = DirBuilder::new().recursive(true).mode(DIRECTORY_MODE).create(&directory);
        made.map_err(|error| KeyLogError::File { path: directory.clone(), error })?;
        let log = Self { directory };
        for name in [ISAKMP_TABLE, ESP_TABLE] {
            log.append(name, "")?;
        }
        Ok(log)
    }

    /// Where it is.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Writes a key, if Wireshark has a form for it.
    pub fn write(&self, key: &LoggedKey) -> Result<(), KeyLogError> {
        let (name, line) = match key {
            LoggedKey::Isakmp { initiator, key } => (ISAKMP_TABLE, Some(lines::isakmp(*initiator, key))),
            LoggedKey::Esp(key) => (ESP_TABLE, lines::esp(key)),
        };
        line.map_or(Ok(()), |line| self.append(name, &line))
    }

    /// Appends to a table, which is made, or made again, if it is not there.
    fn append(&self, name: &str, line: &str) -> Result<(), KeyLogError> {
        check_mode(&self.directory, fs::symlink_metadata(&self.directory), DIRECTORY_MODE)?;
        let path = self.directory.join(name);
        let failed = |error| KeyLogError::File { path: path.clone(), error };
        let flags = libc::O_NOFOLLOW | libc::O_CLOEXEC;
        let open = OpenOptions::new().append(true).create(true).mode(FILE_MODE).custom_flags(flags).open(&path);
        let mut file = open.map_err(failed)?;
        let metadata = file.metadata();
        let is_new = metadata.as_ref().is_ok_and(|metadata| metadata.len() == 0);
        check_mode(&path, metadata, FILE_MODE)?;
        if is_new {
            file.write_all(WARNING.as_bytes()).map_err(failed)?;
        }
        file.write_all(line.as_bytes()).map_err(failed)
    }
}

fn check_mode(path: &Path, metadata: io::Result<fs::Metadata>, allowed: u32) -> Result<(), KeyLogError> {
    let metadata = metadata.map_err(|error| KeyLogError::File { path: path.to_owned(), error })?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & !allowed == 0 { Ok(()) } else { Err(KeyLogError::Mode { path: path.to_owned(), mode, allowed }) }
}
