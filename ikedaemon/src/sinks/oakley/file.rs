//! The file: begun, filled, put aside, begun again, whatever happens to it.
use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// What the log needs of a file system.
pub(super) trait Disk: Send + 'static {
    /// An open file.
    type File: Write + Send;

    /// Opens a file at its end, and makes it, with its directories, where it is missing.
    fn append(&mut self, path: &Path) -> io::Result<Self::File>;
    /// How many lines a file has, and whether its last one lacks its end.
    fn count(&mut self, path: &Path) -> io::Result<(u64, bool)>;
    /// Gives a file another name, in place of what had it.
    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()>;
    /// Whether the open file is still the one that `path` names.
    fn is_at(&mut self, file: &Self::File, path: &Path) -> bool;
}

/// The system's files.
#[derive(Debug)]
pub(super) struct RealDisk;

impl Disk for RealDisk {
    type File = fs::File;

    fn append(&mut self, path: &Path) -> io::Result<fs::File> {
        let open = || {
            let flags = libc::O_NOFOLLOW | libc::O_CLOEXEC;
            OpenOptions::new().append(true).create(true).mode(0o640).custom_flags(flags).open(path)
        };
        match open() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                path.parent().map_or(Ok(()), fs::create_dir_all)?;
                open()
            }
            result => result,
        }
    }

    fn count(&mut self, path: &Path) -> io::Result<(u64, bool)> {
        let mut file = fs::File::open(path)?;
        let mut buffer = vec![0; 1 << 16];
        let (mut lines, mut torn) = (0, false);
        loop {
            let count = match file.read(&mut buffer) {
                Ok(0) => return Ok((lines, torn)),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let read = buffer.get(..count).unwrap_or_default();
            lines += line_ends(read);
            torn = read.last() != Some(&b'\n');
        }
    }

    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn is_at(&mut self, file: &fs::File, path: &Path) -> bool {
        let same = |open: fs::Metadata, named: fs::Metadata| (open.dev(), open.ino()) == (named.dev(), named.ino());
        file.metadata().ok().zip(fs::symlink_metadata(path).ok()).is_some_and(|(open, named)| same(open, named))
    }
}

fn line_ends(octets: &[u8]) -> u64 {
    octets.iter().filter(|octet| **octet == b'\n').count() as u64
}

/// `Oakley.log` and the files that it becomes.
#[derive(Debug)]
pub(super) struct LogFile<D: Disk> {
    disk: D,
    path: PathBuf,
    limit: u64,
    file: Option<D::File>,
    /// Lines of the present file, an unended one not counted.
    lines: u64,
    /// Whether its last line lacks its end.
    torn: bool,
    /// Where the next attempt to put a full file aside is due, after one failed.
    retry: u64,
    notes: Vec<String>,
}

impl<D: Disk> LogFile<D> {
    /// The log in `directory`; nothing is touched yet.
    pub(super) fn new(disk: D, directory: &Path, limit: u64) -> Self {
        let path = directory.join("Oakley.log");
        let limit = limit.max(1);
        Self { disk, path, limit, file: None, lines: 0, torn: false, retry: 0, notes: Vec::new() }
    }

    /// Puts the log of an earlier run aside.
    pub(super) fn save_old(&mut self) {
        match self.disk.rename(&self.path, &self.beside(".sav")) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => self.notes.push(format!("cannot put the old log aside: {error}; it is continued")),
        }
    }

    /// Appends `text`, which is lines with their ends. Gives how many of them were not written, and why.
    pub(super) fn write(&mut self, mut text: &str) -> Result<(), (u64, io::Error)> {
        if self.file.as_ref().is_some_and(|file| !self.disk.is_at(file, &self.path)) {
            // Somebody has removed or moved it: a new one is begun.
            self.close();
        }
        while !text.is_empty() {
            let lost = |text: &str, error| (line_ends(text.as_bytes()), error);
            self.open().map_err(|error| lost(text, error))?;
            // A line without its end is a line; it is ended before the next one.
            let (lines, limit) = (self.lines + u64::from(self.torn), self.limit.max(self.retry));
            if lines >= limit {
                self.rotate();
                continue;
            }
            let room = limit - lines;
            let (now, later) = text.split_at(end_of_line(text, room));
            self.append(now).map_err(|(count, error)| (count + line_ends(later.as_bytes()), error))?;
            text = later;
        }
        Ok(())
    }

    /// Closes the file; the next line opens it again.
    pub(super) fn close(&mut self) {
        self.file = None;
    }

    /// What happened that the log should tell about itself.
    pub(super) fn take_notes(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notes)
    }

    fn beside(&self, suffix: &str) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(suffix);
        name.into()
    }

    fn open(&mut self) -> io::Result<()> {
        if self.file.is_none() {
            let file = self.disk.append(&self.path)?;
            // A file that can be written and not be read counts as new.
            (self.lines, self.torn) = self.disk.count(&self.path).unwrap_or_default();
            self.retry = 0;
            self.file = Some(file);
        }
        Ok(())
    }

    /// Puts the full file aside; if that fails the log goes on in it, and tries again after some more lines.
    fn rotate(&mut self) {
        match self.disk.rename(&self.path, &self.beside(".bak")) {
            Ok(()) => self.close(),
            Err(error) => {
                if self.retry == 0 {
                    self.notes.push(format!("cannot put the full log aside: {error}; it is continued"));
                }
                self.retry = self.lines + u64::from(self.torn) + (self.limit / 50).max(1);
            }
        }
    }

    /// Appends whole lines; gives how many are not in the file, and why.
    fn append(&mut self, text: &str) -> Result<(), (u64, io::Error)> {
        let count = line_ends(text.as_bytes());
        if self.torn {
            self.append_octets(b"\n").map_err(|(_, error)| (count, error))?;
        }
        self.append_octets(text.as_bytes()).map_err(|(written, error)| (count - written, error))
    }

    /// Appends octets; on an error gives how many line ends were written before it.
    fn append_octets(&mut self, mut octets: &[u8]) -> Result<(), (u64, io::Error)> {
        let mut written = 0;
        while !octets.is_empty() {
            let result = match &mut self.file {
                Some(file) => file.write(octets),
                None => Err(io::ErrorKind::NotFound.into()),
            };
            match result {
                Ok(0) => return Err((written, io::ErrorKind::WriteZero.into())),
                Ok(count) => {
                    let (done, rest) = octets.split_at(count.min(octets.len()));
                    let ends = line_ends(done);
                    written += ends;
                    self.lines += ends;
                    self.torn = done.last() != Some(&b'\n');
                    octets = rest;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err((written, error)),
            }
        }
        Ok(())
    }
}

/// Where the first `count` lines of `text` end.
fn end_of_line(text: &str, count: u64) -> usize {
    let nth = usize::try_from(count.saturating_sub(1)).unwrap_or(usize::MAX);
    text.match_indices('\n').nth(nth).map_or(text.len(), |(at, _)| at + 1)
}
