//! A directory of a test's own, gone when the test is.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

/// A directory below the system's temporary directory, removed on drop.
///
/// With `KEEP_SCRATCH` in the environment it stays, and its path is printed.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
}

impl Scratch {
    /// Makes a fresh directory whose name starts with `purpose`.
    pub fn new(purpose: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        // Short, because the path of a Unix socket below it has room for 107 octets only.
        let path = std::env::temp_dir().join(format!("pa-{purpose}-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap_or_else(|e| panic!("cannot make {}: {e}", path.display()));
        Self { path }
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path of `name` below the directory.
    pub fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Writes `text` to the file `name` and returns its path.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let file = self.join(name);
        if let Some(parent) = file.parent() {
            std::fs::create_dir_all(parent).unwrap_or_else(|e| panic!("cannot make {}: {e}", parent.display()));
        }
        std::fs::write(&file, text).unwrap_or_else(|e| panic!("cannot write {}: {e}", file.display()));
        file
    }
}

impl Scratch {
    /// Makes the program `name`, which is the same as the file `from`, and returns its path.
    ///
    /// Another process writes it: while this one had it open, a child that another test starts at that moment would have it open,
    /// too, and what is open for writing cannot be executed.
    pub fn install(&self, from: &Path, name: &str) -> PathBuf {
        let program = self.join(name);
        let done = Command::new("install").args(["-m", "755"]).args([from, &program]).status();
        assert!(
            done.is_ok_and(|status| status.success()),
            "cannot install {} as {}",
            from.display(),
            program.display()
        );
        program
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if std::env::var_os("KEEP_SCRATCH").is_some() {
            eprintln!("kept: {}", self.path.display());
        } else {
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}
