//! The language: from the words of a line to a command, and back.
mod arguments;
mod bind;
mod build;
mod complete;
mod error;
mod grammar;
mod help;
mod interpreter;
mod keyword;
pub(crate) mod lexer;
mod print;
#[cfg(test)]
mod tests;
mod values;

use super::command::Command;

pub(crate) use complete::{complete, has_names_only};
pub(crate) use error::{LanguageError, Problem};
pub(crate) use grammar::Context;
pub(crate) use interpreter::{Interpreter, Outcome, context_of, is_help};
pub(crate) use print::{Secrets, line};

/// True if the text is one line, which says this command from the root context on.
pub(crate) fn says(text: &str, command: &Command) -> bool {
    let read = lexer::words(&lexer::placed(text, 1)).and_then(|words| Interpreter::new(Context::Root).interpret(words));
    !text.contains(['\n', '\r']) && matches!(read, Ok(Outcome::Command(read)) if *read == *command)
}
