//! The machine on which commands are carried out: this host, or one that `set machine` has named.
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use zeroize::Zeroizing;

use super::serve::{Answer, VERSION};
use crate::format::Format;
use crate::netsh::command::{Command, Machine};
use crate::netsh::language::{Secrets, line};
use crate::paths::Paths;
use crate::ssh::ssh;

/// As much as another machine may print before netsh there is ready.
const MOST_BEFORE: u64 = 1 << 16;

/// Where commands are carried out.
pub(super) enum Target {
    Here,
    There(Connection),
    /// Nowhere: on a machine that was not reached, or is no longer. What follows is not meant for this host.
    Nowhere(String),
}

impl Target {
    /// What a command names; to another machine this connects.
    pub(super) fn of(machine: Machine, paths: &Paths, format: Format) -> (Self, Result<(), String>) {
        let Machine { name, user, password } = machine;
        let is_refused = user.is_some() || password;
        let Some(name) = name.or_else(|| is_refused.then(String::new)) else { return (Self::Here, Ok(())) };
        let connected = if is_refused {
            Err("user and pwd are not for this netsh: ssh says who you are on another machine; allowed: set machine \
                 USER@MACHINE, with ssh set up for it"
                .to_owned())
        } else {
            Connection::new(&name, paths, format)
        };
        match connected {
            Ok(connection) => (Self::There(connection), Ok(())),
            Err(error) => (Self::Nowhere(name), Err(error)),
        }
    }

    /// The machine's name; nothing for this host.
    pub(super) fn name(&self) -> Option<&str> {
        match self {
            Self::Here => None,
            Self::There(connection) => Some(&connection.machine),
            Self::Nowhere(machine) => Some(machine),
        }
    }

    /// Carries a command out on another machine, and gives what it prints; nothing for this host.
    pub(super) fn carry_out(&mut self, command: &Command) -> Option<Result<String, String>> {
        let answer = match self {
            Self::Here => return None,
            Self::Nowhere(_) => {
                let text = "not carried out, as the machine of the last set machine was not reached; allowed: set machine \
                            NAME, or set machine alone for this host";
                return Some(Err(text.to_owned()));
            }
            Self::There(connection) => connection.ask(&Zeroizing::new(line(command, Secrets::Shown))),
        };
        Some(match answer {
            Some(Answer::Done(text)) => Ok(text),
            Some(Answer::Failed(error)) => Err(error),
            Some(Answer::Ready(_)) | None => Err(self.lose()),
        })
    }

    /// Ends what was begun on another machine; what follows is for this host.
    pub(super) fn leave(&mut self) -> Result<(), String> {
        match std::mem::replace(self, Self::Here) {
            Self::Here | Self::Nowhere(_) => Ok(()),
            Self::There(connection) => connection.end(),
        }
    }

    /// The other machine no longer answers.
    fn lose(&mut self) -> String {
        let machine = self.name().unwrap_or_default().to_owned();
        match std::mem::replace(self, Self::Nowhere(machine)) {
            Self::There(connection) => {
                let machine = connection.machine.clone();
                format!("netsh on {machine} answers no more; {}", connection.give_up())
            }
            Self::Here | Self::Nowhere(_) => String::new(),
        }
    }
}

/// A netsh on another machine that waits for commands.
pub(super) struct Connection {
    machine: String,
    child: Child,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Connection {
    fn new(machine: &str, paths: &Paths, format: Format) -> Result<Self, String> {
        let mut ssh = ssh("the machine", machine, false, paths, format, "netsh", &["--serve".to_owned()])?;
        let failed = |error: std::io::Error| format!("ssh {machine}: {error}");
        let mut child = ssh.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().map_err(failed)?;
        let (Some(commands), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(format!("ssh {machine}: no pipes"));
        };
        let mut connection = Self { machine: machine.to_owned(), child, commands, answers: BufReader::new(answers) };
        match connection.wait_until_ready() {
            Ok(()) => Ok(connection),
            Err(error) => Err(format!("{machine} was not reached: {error}; {}", connection.give_up())),
        }
    }

    /// Reads on to where netsh is ready: the other machine's shell may have printed something before.
    fn wait_until_ready(&mut self) -> Result<(), String> {
        let mut left = MOST_BEFORE;
        loop {
            let mut text = Vec::new();
            let read = (&mut self.answers).take(left).read_until(b'\n', &mut text);
            match read.map_err(|error| error.to_string())? as u64 {
                0 => return Err("no netsh is ready there".to_owned()),
                length => left -= length,
            }
            match serde_json::from_slice(&text) {
                Ok(Answer::Ready(VERSION)) => return Ok(()),
                Ok(Answer::Ready(other)) => {
                    return Err(format!("its netsh is of another release: it speaks {other}, allowed: {VERSION}"));
                }
                _ => {}
            }
        }
    }

    /// The answer to a command; nothing if there is none.
    fn ask(&mut self, line: &str) -> Option<Answer> {
        let line = Zeroizing::new(format!("{line}\n"));
        self.commands.write_all(line.as_bytes()).and_then(|()| self.commands.flush()).ok()?;
        let mut text = Zeroizing::new(String::new());
        self.answers.read_line(&mut text).ok()?;
        serde_json::from_str(&text).ok()
    }

    /// How ssh has ended, to which nothing more is said, and nothing heard.
    fn give_up(self) -> String {
        let Self { mut child, commands, answers, .. } = self;
        drop((commands, answers));
        child.wait().map_or_else(|error| error.to_string(), |status| format!("ssh: {status}"))
    }

    /// There is nothing more to do: what is held back there is written.
    fn end(self) -> Result<(), String> {
        let Self { machine, mut child, commands, mut answers } = self;
        drop(commands);
        let mut text = String::new();
        let read = answers.read_line(&mut text);
        let ended = child.wait();
        match read.map(|_| serde_json::from_str(&text)) {
            Ok(Ok(Answer::Done(_))) => Ok(()),
            Ok(Ok(Answer::Failed(error))) => Err(format!("netsh on {machine}: {error}")),
            _ => Err(format!("netsh on {machine} has ended before it said that all is done: {ended:?}")),
        }
    }
}
