//! `policyagent log`.
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use super::args::LogArgs;
use super::failed;
use crate::format::Format;
use crate::paths::Paths;

/// How often a log that is followed is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Prints the log.
pub(super) fn show(paths: &Paths, arguments: &LogArgs, format: Format) -> ExitCode {
    let path = if arguments.previous { paths.log().join("Oakley.log.sav") } else { paths.oakley() };
    match print(&path, arguments, format) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads has read enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            failed(format!("{}: {error}; `policyagent log --switch on` has it written", path.display()))
        }
        Err(error) => failed(format!("{}: {error}", path.display())),
    }
}

fn print(path: &Path, arguments: &LogArgs, format: Format) -> io::Result<()> {
    let mut log = BufReader::new(File::open(path)?);
    let mut lines = Vec::new();
    let mut line = Vec::new();
    let mut partial = Vec::new();
    while log.read_until(b'\n', &mut line)? > 0 {
        match line.pop() {
            Some(b'\n') => lines.push(std::mem::take(&mut line)),
            Some(octet) => {
                line.push(octet);
                partial = std::mem::take(&mut line);
            }
            None => {}
        }
        if let Some(most) = arguments.lines
            && lines.len() > 2 * most + 1024
        {
            lines.drain(..lines.len() - most);
        }
    }
    let skip = arguments.lines.map_or(0, |most| lines.len().saturating_sub(most));
    lines.iter().skip(skip).try_for_each(|line| out(line, format))?;
    if !arguments.follow {
        return if partial.is_empty() { Ok(()) } else { out(&partial, format) };
    }
    loop {
        if log.read_until(b'\n', &mut partial)? > 0 {
            if partial.last() == Some(&b'\n') {
                partial.pop();
                out(&partial, format)?;
                partial.clear();
            }
            continue;
        }
        // A full log is put aside and a new one begun; what is in the old one has just been read.
        if std::fs::metadata(path).is_ok_and(|now| log.get_ref().metadata().is_ok_and(|old| now.ino() != old.ino())) {
            log = BufReader::new(File::open(path)?);
            continue;
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

fn out(line: &[u8], format: Format) -> io::Result<()> {
    let line = String::from_utf8_lossy(line);
    let mut stdout = io::stdout().lock();
    match format {
        Format::Text => writeln!(stdout, "{line}"),
        Format::Json => writeln!(stdout, "{}", serde_json::json!({ "line": line })),
    }
}
