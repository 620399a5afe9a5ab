//! The program on another machine, called by ssh.
use std::path::Path;
use std::process::Command;

use crate::format::Format;
use crate::paths::Paths;

/// The command of ssh that calls a command of policyagent on a machine, with these words behind it. `what` names what the machine
/// was given by, for the error.
pub(crate) fn ssh(
    what: &str,
    machine: &str,
    terminal: bool,
    paths: &Paths,
    format: Format,
    subcommand: &str,
    words: &[String],
) -> Result<Command, String> {
    let sound = |c: char| c.is_alphanumeric() || "-_.:@[]%".contains(c);
    if machine.is_empty() || machine.starts_with('-') || !machine.chars().all(sound) {
        return Err(format!("{what} is {machine:?}, allowed: MACHINE or USER@MACHINE, as ssh takes it"));
    }
    let mut ssh = Command::new("ssh");
    if terminal {
        ssh.arg("-t");
    }
    ssh.arg("--").arg(machine).arg(command_line(paths, format, subcommand, words));
    Ok(ssh)
}

/// The command line that the other machine's shell reads.
fn command_line(paths: &Paths, format: Format, subcommand: &str, words: &[String]) -> String {
    let mut line = vec!["policyagent".to_owned()];
    if paths.root() != Path::new("/") {
        line.extend(["--root".to_owned(), paths.root().to_string_lossy().into_owned()]);
    }
    if format == Format::Json {
        line.extend(["--format".to_owned(), "json".to_owned()]);
    }
    line.push(subcommand.to_owned());
    line.extend(words.iter().cloned());
    line.iter().map(|word| for_shell(word)).collect::<Vec<_>>().join(" ")
}

/// The word as the shell takes it for one.
fn for_shell(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}
