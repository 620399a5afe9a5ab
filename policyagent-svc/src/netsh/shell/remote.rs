//! netsh on another machine, by ssh.
use std::io::{IsTerminal as _, Write as _};
use std::path::Path;
use std::process::Stdio;

use super::source::octets_of;
use crate::format::Format;
use crate::netsh::arguments::{DialectName, NetshArgs};
use crate::netsh::script::Dialect;
use crate::paths::Paths;
use crate::ssh::ssh;

/// Runs netsh there, with the same arguments; a script goes there by standard input.
pub(super) fn run(machine: &str, paths: &Paths, format: Format, arguments: &NetshArgs) -> Result<(), String> {
    if arguments.alias.is_some() {
        return Err("-a is not for -r; allowed: -f FILE".to_owned());
    }
    let script = match &arguments.file {
        Some(path) if path != Path::new("-") => Some(octets_of(path)?),
        _ => None,
    };
    // Its name says what it is, and does not come there. What its text says, it says there too.
    let by_name = || match Dialect::of_name(arguments.file.as_deref()?)? {
        Dialect::Netsh => Some(DialectName::Netsh),
        Dialect::Batch => Some(DialectName::Batch),
        Dialect::PowerShell => Some(DialectName::Powershell),
    };
    let dialect = arguments.dialect.or_else(by_name);
    let converses = script.is_none() && arguments.words.is_empty() && std::io::stdin().is_terminal();
    let mut ssh = ssh("-r", machine, converses, paths, format, "netsh", &words(arguments, dialect))?;
    if script.is_some() {
        ssh.stdin(Stdio::piped());
    }
    let failed = |error: std::io::Error| format!("ssh {machine}: {error}");
    let mut child = ssh.spawn().map_err(failed)?;
    if let (Some(mut stdin), Some(octets)) = (child.stdin.take(), script) {
        // If it reads no more, its exit status says why.
        let _ = stdin.write_all(&octets);
    }
    let status = child.wait().map_err(failed)?;
    if status.success() { Ok(()) } else { Err(format!("netsh on {machine} has failed, or ssh has: {status}")) }
}

/// The options and words that are netsh's there.
fn words(arguments: &NetshArgs, dialect: Option<DialectName>) -> Vec<String> {
    let flags = [("--check", arguments.check), ("--atomic", arguments.atomic), ("--verbose", arguments.verbose)];
    let mut words: Vec<String> =
        flags.into_iter().filter(|(_, given)| *given).map(|(flag, _)| flag.to_owned()).collect();
    let mut with = |option: &str, value: Option<&str>| {
        words.extend(value.into_iter().flat_map(|value| [option.to_owned(), value.to_owned()]));
    };
    with("-c", arguments.context.as_deref());
    with("--encoding", arguments.encoding.as_deref());
    let dialect = dialect.map(|dialect| match dialect {
        DialectName::Netsh => "netsh",
        DialectName::Batch => "batch",
        DialectName::Powershell => "powershell",
    });
    with("--dialect", dialect);
    with("-f", arguments.file.as_ref().map(|_| "-"));
    if !arguments.words.is_empty() {
        words.push("--".to_owned());
        words.extend(arguments.words.iter().cloned());
    }
    words
}
