//! What tells one state of a file from another.
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// A state of a file; nothing of one that is not there.
pub(crate) type Stamp = Option<(u64, u64, u64, (i64, i64), (i64, i64))>;

/// The state that a file is in. To be asked before it is read: what is written meanwhile is a change.
pub(crate) fn stamp(path: &Path) -> Stamp {
    let metadata = fs::metadata(path).ok()?;
    let (modified, changed) = ((metadata.mtime(), metadata.mtime_nsec()), (metadata.ctime(), metadata.ctime_nsec()));
    Some((metadata.dev(), metadata.ino(), metadata.size(), modified, changed))
}
