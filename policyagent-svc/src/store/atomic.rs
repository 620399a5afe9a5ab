//! Files that are replaced as a whole: at every moment the old or the new one is there, whatever breaks.
use std::fs::{self, DirBuilder, File};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use crate::document::directory_of;

/// The file whose name has `before` and `after` around that of `path`.
pub(super) fn beside(path: &Path, before: &str, after: &str) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!("{before}{name}{after}"))
}

/// Makes a directory with those above it, if it is not there.
pub(super) fn make_directory(path: &Path, mode: u32) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(mode).create(path)
}

/// Replaces the file, which its owner alone may read. When it returns, the new one is on the disk. The caller holds a lock
/// on the file.
pub(super) fn write(path: &Path, octets: &[u8]) -> io::Result<()> {
    let directory = directory_of(path);
    let new = beside(path, ".", ".new");
    // What a crash has left: nobody else writes it.
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let write = || -> io::Result<()> {
        let mut file = File::options().write(true).create_new(true).mode(0o600).open(&new)?;
        // The service may run as another user than the administrator who edits.
        let owner = fs::metadata(path).or_else(|_| fs::metadata(&directory))?;
        let made = file.metadata()?;
        if (owner.uid(), owner.gid()) != (made.uid(), made.gid()) && nix::unistd::geteuid().is_root() {
            std::os::unix::fs::fchown(&file, Some(owner.uid()), Some(owner.gid()))?;
        }
        file.write_all(octets)?;
        file.sync_all()?;
        fs::rename(&new, path)
    };
    let written = write();
    if written.is_err() {
        // It is of no use; what counts is the error.
        let _ = fs::remove_file(&new);
    }
    written?;
    // So that the new name survives a loss of power, too.
    File::open(&directory)?.sync_all()
}
