//! A netsh that carries out the commands of another one, which has `set machine` to it: each a line of standard input, in full
//! and from the root context on, and an answer to each, a line of JSON.
use serde::{Deserialize, Serialize};
use std::io::{BufRead, Write};
use zeroize::Zeroizing;

use crate::netsh::language::lexer::{placed, words};
use crate::netsh::language::{Context, Interpreter, Outcome};
use crate::netsh::run::Session;

/// What this is, in [`Answer::Ready`].
pub(super) const VERSION: u32 = 1;

/// What is answered.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Answer {
    /// Before all others: commands are waited for.
    Ready(u32),
    /// It is done, and has printed this.
    Done(String),
    /// It was not done, and why.
    Failed(String),
}

/// Answers until the lines end; the last answer says whether all of it could be written.
pub(super) fn serve(session: &mut Session, mut from: impl BufRead, mut to: impl Write) -> Result<(), String> {
    let mut tell = |answer: &Answer| {
        let line = serde_json::to_string(answer).map_err(|error| error.to_string())?;
        writeln!(to, "{line}").and_then(|()| to.flush()).map_err(|error| format!("standard output: {error}"))
    };
    tell(&Answer::Ready(VERSION))?;
    loop {
        let mut line = Zeroizing::new(String::new());
        match from.read_line(&mut line) {
            Ok(0) => break,
            Ok(_) => tell(&answer(session, line.trim_end_matches('\n')))?,
            Err(error) => return Err(format!("standard input: {error}")),
        }
    }
    let end = session.finish();
    tell(&end.map_or_else(|error| Answer::Failed(error.to_string()), |()| Answer::Done(String::new())))
}

fn answer(session: &mut Session, line: &str) -> Answer {
    let outcome = words(&placed(line, 1)).and_then(|words| Interpreter::new(Context::Root).interpret(words));
    match outcome {
        Ok(Outcome::Command(command)) => match session.carry_out(*command) {
            Ok(text) => Answer::Done(text),
            Err(error) => Answer::Failed(error.to_string()),
        },
        Ok(_) => Answer::Failed("this is no command in full; allowed: a command from the root context on".to_owned()),
        Err(error) => Answer::Failed(error.to_string()),
    }
}
