mod commands;
mod errors;
mod lexical;
mod properties;
mod values;

use super::grammar::Context;
use super::lexer::{placed, words};
use super::{Interpreter, LanguageError, Outcome, Secrets, line};
use crate::netsh::command::Command;

/// Reads one line from a context on.
pub(crate) fn interpret(context: Context, text: &str) -> Result<Outcome, LanguageError> {
    Interpreter::new(context).interpret(words(&placed(text, 1))?)
}

/// The command of a line that must be one.
fn command(text: &str) -> Command {
    match interpret(Context::Root, text) {
        Ok(Outcome::Command(command)) => *command,
        other => panic!("{text}: {other:?}"),
    }
}

/// The line as it is printed.
fn canonical(text: &str) -> String {
    line(&command(text), Secrets::Shown)
}

/// What is wrong with a line that must be wrong: its column and the message.
fn error(context: Context, text: &str) -> (usize, String) {
    match interpret(context, text) {
        Err(error) => (error.at.column, error.to_string()),
        Ok(outcome) => panic!("{text}: {outcome:?}"),
    }
}
