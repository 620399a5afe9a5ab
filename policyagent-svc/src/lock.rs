//! Locks on files: a lock ends with the process that holds it, in whatever way that ends.
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use std::fs::File;
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How often it is looked whether a lock is free.
const STEP: Duration = Duration::from_millis(20);

/// Why a lock could not be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileLockError {
    /// Somebody else has it.
    #[error("{path} is locked by {}", holder(*pid))]
    Held {
        /// The file.
        path: PathBuf,
        /// The holder's process ID, if it has left it there.
        pid: Option<u32>,
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

fn holder(pid: Option<u32>) -> String {
    pid.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"))
}

/// A lock; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct FileLock {
    file: Flock<File>,
}

impl FileLock {
    /// Takes the lock, and waits for it as long as `patience`. The file stays when the lock is given back; what counts is
    /// the lock on it. It holds the process ID of who has the lock.
    pub(crate) fn take(path: &Path, patience: Duration) -> Result<Self, FileLockError> {
        let io = |error| FileLockError::Io { path: path.to_owned(), error };
        // Whoever can open the file can lock it, and keep others out.
        let mut options = File::options();
        let options = options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let end = Instant::now() + patience;
        let mut open = options.open(path).map_err(io)?;
        let file = loop {
            open = match Flock::lock(open, FlockArg::LockExclusiveNonblock) {
                Ok(file) => break file,
                Err((file, Errno::EWOULDBLOCK)) if Instant::now() < end => file,
                Err((mut file, Errno::EWOULDBLOCK)) => {
                    return Err(FileLockError::Held { path: path.to_owned(), pid: left_pid(&mut file) });
                }
                Err((_, error)) => return Err(io(error.into())),
            };
            std::thread::sleep(STEP);
        };
        let mut lock = Self { file };
        lock.leave(&format!("{}\n", std::process::id())).map_err(io)?;
        Ok(lock)
    }

    fn leave(&mut self, text: &str) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.rewind()?;
        self.file.write_all(text.as_bytes())
    }
}

impl Drop for FileLock {
    fn drop(&mut self) {
        // So that nobody is named who has it no more.
        let _ = self.leave("");
    }
}

/// The process that the file names, if it is there.
fn left_pid(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.read_to_string(&mut text).ok()?;
    let pid = text.trim().parse().ok()?;
    // A process that was killed leaves its number behind.
    Path::new("/proc").join(u32::to_string(&pid)).exists().then_some(pid)
}

/// True if nobody holds the lock.
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
    fn a_lock_is_waited_for_and_its_holder_named() {
        let path = std::env::temp_dir().join(format!("policyagent-file-lock-{}", std::process::id()));
        let first = FileLock::take(&path, Duration::ZERO).unwrap();
        let error = FileLock::take(&path, Duration::from_millis(50)).unwrap_err().to_string();
        assert_eq!(error, format!("{} is locked by process {}", path.display(), std::process::id()));
        std::thread::scope(|scope| {
            let second = scope.spawn(|| FileLock::take(&path, Duration::from_secs(20)));
            std::thread::sleep(Duration::from_millis(50));
            assert!(!second.is_finished());
            drop(first);
            drop(second.join().unwrap().unwrap());
        });
        // Somebody who leaves no number, and a number that is nobody's.
        for left in ["", "4194999\n"] {
            std::fs::write(&path, left).unwrap();
            let other = Flock::lock(File::open(&path).unwrap(), FlockArg::LockExclusiveNonblock).unwrap();
            let error = FileLock::take(&path, Duration::ZERO).unwrap_err().to_string();
            assert!(error.ends_with("is locked by another process"), "{error}");
            drop(other);
        }
        std::fs::remove_file(&path).unwrap();
    }
}
