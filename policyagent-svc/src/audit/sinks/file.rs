//! The audit file: a JSON object a line, of a bounded size; full ones get a number and are kept for a while.
use std::fs::{self, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::Sink;
use crate::audit::record::Record;

/// The `number`th of the full files; the one that was full last is the first.
pub(in crate::audit) fn rotated(path: &Path, number: u32) -> PathBuf {
    let mut name = path.to_owned().into_os_string();
    name.push(format!(".{number}"));
    name.into()
}

/// What the audit needs of an open file; the tests have one whose disk is full.
pub(in crate::audit) trait Disk: Send {
    /// Opens the file at its end, and makes it, with its directories, where it is missing.
    fn open(&mut self, path: &Path) -> io::Result<fs::File>;
    /// Appends what must be there as a whole.
    fn append(&mut self, file: &mut fs::File, octets: &[u8]) -> io::Result<()>;
}

/// The system's files.
#[derive(Debug)]
pub(in crate::audit) struct RealDisk;

impl Disk for RealDisk {
    fn open(&mut self, path: &Path) -> io::Result<fs::File> {
        let open = || {
            let flags = libc_flags();
            OpenOptions::new().read(true).append(true).create(true).mode(0o640).custom_flags(flags).open(path)
        };
        match open() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                path.parent().map_or(Ok(()), fs::create_dir_all)?;
                open()
            }
            result => result,
        }
    }

    fn append(&mut self, file: &mut fs::File, octets: &[u8]) -> io::Result<()> {
        file.write_all(octets)
    }
}

/// No link in the file's place is followed.
const fn libc_flags() -> i32 {
    (nix::fcntl::OFlag::O_NOFOLLOW.bits()) | (nix::fcntl::OFlag::O_CLOEXEC.bits())
}

/// The file and what becomes of it.
#[derive(Debug)]
pub(in crate::audit) struct AuditFile<D> {
    disk: D,
    path: PathBuf,
    /// Octets of a full file.
    limit: u64,
    /// How many full ones are kept.
    kept: u32,
    file: Option<fs::File>,
    size: u64,
    /// Where the next attempt to put a full file aside is due, after one failed.
    retry: u64,
}

impl<D: Disk> AuditFile<D> {
    /// The file at `path`; nothing is touched yet.
    pub(in crate::audit) const fn new(disk: D, path: PathBuf, limit: u64, kept: u32) -> Self {
        Self { disk, path, limit, kept, file: None, size: 0, retry: 0 }
    }

    #[cfg(test)]
    pub(super) const fn disk_mut(&mut self) -> &mut D {
        &mut self.disk
    }

    /// Opens it, unless it is open and still the one that has the name.
    fn open(&mut self) -> io::Result<()> {
        let named = fs::symlink_metadata(&self.path);
        let is_same = |open: &fs::File, named: &fs::Metadata| {
            open.metadata().is_ok_and(|open| (open.dev(), open.ino()) == (named.dev(), named.ino()))
        };
        if self.file.as_ref().is_some_and(|open| named.as_ref().is_ok_and(|named| is_same(open, named))) {
            return Ok(());
        }
        self.file = None;
        let mut file = self.disk.open(&self.path)?;
        self.size = file.metadata()?.len();
        self.retry = 0;
        // A line that a crash has cut is ended, so that the next one can be read.
        if self.size > 0 && last_octet(&mut file).is_ok_and(|octet| octet != b'\n') {
            self.disk.append(&mut file, b"\n")?;
            self.size += 1;
        }
        self.file = Some(file);
        Ok(())
    }

    /// Gives the full files their next numbers and begins a new one. If that fails the present one is continued.
    fn rotate(&mut self) -> io::Result<()> {
        for number in (1..self.kept).rev() {
            match fs::rename(rotated(&self.path, number), rotated(&self.path, number + 1)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        fs::rename(&self.path, rotated(&self.path, 1))?;
        self.file = None;
        self.open()
    }
}

fn last_octet(file: &mut fs::File) -> io::Result<u8> {
    let mut octet = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut octet)?;
    let [octet] = octet;
    Ok(octet)
}

impl<D: Disk> Sink for AuditFile<D> {
    fn name(&self) -> String {
        self.path.display().to_string()
    }

    fn write(&mut self, record: &Record) -> io::Result<()> {
        let line = record.line();
        self.open()?;
        let is_full = self.size > 0 && self.size + line.len() as u64 > self.limit.max(self.retry);
        if is_full && let Err(error) = self.rotate() {
            tracing::warn!(target: "policyagent::audit", "{}: cannot be put aside: {error}", self.path.display());
            self.open()?;
            self.retry = self.size + self.limit / 16;
        }
        let Some(file) = &mut self.file else { return Err(io::ErrorKind::NotFound.into()) };
        if let Err(error) = self.disk.append(file, line.as_bytes()) {
            // Half a line would spoil the next one. If it cannot be cut off, it is ended when the file is opened again.
            if file.set_len(self.size).is_err() {
                self.file = None;
            }
            return Err(error);
        }
        self.size += line.len() as u64;
        Ok(())
    }
}
