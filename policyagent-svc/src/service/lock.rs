//! One service a root.
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use std::fs::File;
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

/// Why the lock could not be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LockError {
    /// Another service has it.
    #[error("another policyagent{} serves {root} already; stop it with `policyagent --root {root} stop`, or give this one another --root",
        pid.as_ref().map(|pid| format!(", process {pid},")).unwrap_or_default())]
    Held {
        /// The root.
        root: String,
        /// The other's process ID, if it could be read.
        pid: Option<String>,
    },
    /// The system refused.
    #[error("{path}: {error}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
}

/// The lock; given back when it is dropped, or when the process ends in whatever way.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: Flock<File>,
}

impl Lock {
    /// Takes the lock of the instance below `root`. The file stays; what counts is the lock on it.
    pub(crate) fn take(path: &Path, root: &Path) -> Result<Self, LockError> {
        let io = |error| LockError::Io { path: path.to_owned(), error };
        let file = File::options().read(true).write(true).create(true).truncate(false).open(path).map_err(io)?;
        let mut file = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(file) => file,
            Err((mut file, Errno::EWOULDBLOCK)) => {
                let mut pid = String::new();
                let read = file.read_to_string(&mut pid).is_ok();
                let pid = Some(pid.trim().to_owned()).filter(|pid| read && !pid.is_empty());
                return Err(LockError::Held { root: root.display().to_string(), pid });
            }
            Err((_, error)) => return Err(io(error.into())),
        };
        let mut write = || -> io::Result<()> {
            file.set_len(0)?;
            file.rewind()?;
            writeln!(file, "{}", std::process::id())
        };
        write().map_err(io)?;
        Ok(Self { _file: file })
    }
}

/// True if no service holds the lock.
pub(crate) fn is_free(path: &Path) -> bool {
    match File::open(path) {
        Ok(file) => Flock::lock(file, FlockArg::LockSharedNonblock).is_ok(),
        Err(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_told_who_is_the_first() {
        let path = std::env::temp_dir().join(format!("policyagent-lock-{}", std::process::id()));
        let first = Lock::take(&path, Path::new("/r")).unwrap();
        assert!(!is_free(&path));
        let error = Lock::take(&path, Path::new("/r")).unwrap_err().to_string();
        let expected = format!(
            "another policyagent, process {}, serves /r already; stop it with `policyagent --root /r stop`, or give this \
             one another --root",
            std::process::id()
        );
        assert_eq!(error, expected);
        drop(first);
        assert!(is_free(&path));
        Lock::take(&path, Path::new("/r")).unwrap();
        std::fs::remove_file(&path).unwrap();
    }
}
