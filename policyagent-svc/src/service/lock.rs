//! One service a root.
use std::path::Path;
use std::time::Duration;

use crate::lock::{FileLock, FileLockError};

/// Why the service cannot be the one of its root.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LockError {
    /// Another service has the lock.
    #[error("another policyagent{} serves {root} already; stop it with `policyagent --root {root} stop`, or give this one another --root",
        pid.as_ref().map(|pid| format!(", process {pid},")).unwrap_or_default())]
    Held {
        /// The root.
        root: String,
        /// The other's process ID, if it could be read.
        pid: Option<u32>,
    },
    /// It could not be had for another reason.
    #[error(transparent)]
    Other(FileLockError),
}

/// Takes the lock of the instance below `root`.
pub(crate) fn take(path: &Path, root: &Path) -> Result<FileLock, LockError> {
    FileLock::take(path, Duration::ZERO).map_err(|error| match error {
        FileLockError::Held { pid, .. } => LockError::Held { root: root.display().to_string(), pid },
        other => LockError::Other(other),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lock::is_free;

    #[test]
    fn the_second_is_told_who_is_the_first() {
        let path = std::env::temp_dir().join(format!("policyagent-lock-{}", std::process::id()));
        let first = take(&path, Path::new("/r")).unwrap();
        assert!(!is_free(&path));
        let error = take(&path, Path::new("/r")).unwrap_err().to_string();
        let expected = format!(
            "another policyagent, process {}, serves /r already; stop it with `policyagent --root /r stop`, or give this \
             one another --root",
            std::process::id()
        );
        assert_eq!(error, expected);
        drop(first);
        assert!(is_free(&path));
        take(&path, Path::new("/r")).unwrap();
        std::fs::remove_file(&path).unwrap();
    }
}
