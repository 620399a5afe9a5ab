//! Recordings of the wire between two hosts, made by tcpdump.

use std::cell::RefCell;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{Namespace, WIRE};

thread_local! {
    /// Where the next world of this thread is recorded.
    static WANTED: RefCell<Option<PathBuf>> = const { RefCell::new(None) };
}

/// Runs `scenario`, and records the wire of the world that it makes into `file`, from before there is anybody on it.
pub fn recorded(file: &Path, scenario: impl FnOnce()) {
    WANTED.with_borrow_mut(|wanted| *wanted = Some(file.to_owned()));
    scenario();
    let left = WANTED.with_borrow_mut(Option::take);
    assert!(left.is_none(), "the scenario has made no world");
}

/// A running tcpdump; when it is dropped, the file is whole.
#[derive(Debug)]
pub(super) struct Recorder(Child);

impl Recorder {
    /// One in `namespace`, if [`recorded`] wants it.
    pub(super) fn wanted(namespace: &Namespace) -> Option<Self> {
        let file = WANTED.with_borrow_mut(Option::take)?;
        let start = move || {
            let mut command = Command::new("tcpdump");
            // Each packet takes as much of tcpdump's buffer as the longest one may: by default it has room for eight.
            command
                .args(["-i", WIRE, "-Z", "root", "-U", "--immediate-mode", "-s", "9000", "-B", "16384", "-w"])
                .arg(&file);
            command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn()
        };
        let mut child = namespace.within(start).unwrap_or_else(|error| panic!("tcpdump: {error}"));
        let output = child.stderr.take().expect("a pipe");
        let mut lines = BufReader::new(output).lines().map_while(Result::ok);
        assert!(lines.any(|line| line.contains("listening on")), "tcpdump ended");
        // What it says at its end has nobody to read it, and must not stop it.
        std::thread::spawn(move || lines.for_each(drop));
        Some(Self(child))
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        let id = Pid::from_raw(self.0.id().cast_signed());
        let _ = kill(id, Signal::SIGINT);
        let _ = self.0.wait();
    }
}
