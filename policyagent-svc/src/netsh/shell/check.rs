//! What lines mean, without doing it.
use serde::Serialize;
use std::path::Path;

use super::call::{self, Call, call};
use super::read;
use super::report::{Place, Reporter};
use super::source::Source;
use crate::document::Position;
use crate::format::Format;
use crate::netsh::language::lexer::Word;
use crate::netsh::language::{Context, Interpreter, LanguageError, Outcome, Secrets, line};
use crate::netsh::script::StatementKind;

/// A part of a script, for programs.
#[derive(Serialize)]
struct Checked {
    line: usize,
    column: usize,
    /// The command in full, without keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    command: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    left_out: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<String>,
}

impl Checked {
    fn new(at: Position) -> Self {
        Self { line: at.line, column: at.column, command: None, left_out: None, error: None, usage: None }
    }

    fn of(at: Position, read: Result<String, LanguageError>) -> Self {
        match read {
            Ok(command) => Self { command: Some(command), ..Self::new(at) },
            Err(error) => Self { error: Some(error.to_string()), usage: error.usage, ..Self::new(error.at) },
        }
    }
}

/// What is read, in words.
fn meaning(outcome: Outcome, context: Context) -> String {
    match outcome {
        Outcome::Command(command) => line(&command, Secrets::Hidden),
        Outcome::Nothing => format!("goes to the context {}", context.name()),
        Outcome::Help(text) => text,
        Outcome::Run(file) => format!("runs the script {file:?}"),
        Outcome::Leave => "ends".to_owned(),
    }
}

/// Checks a script.
pub(super) fn script(source: &Source, context: Context, reporter: &mut Reporter) {
    let mut interpreter = Interpreter::new(context);
    let mut checked = Vec::new();
    for statement in source.statements() {
        let at = statement.at;
        checked.push(match statement.kind {
            StatementKind::Skipped(why) => Checked { left_out: Some(why), ..Checked::new(at) },
            StatementKind::Wrong(error) => Checked::of(at, Err(error)),
            StatementKind::Netsh(words) if source.dialect.starts_anew() => Checked::of(
                at,
                call(words).and_then(|call| match call {
                    Call::Words(context, words) => {
                        call::command(context, words, at).map(|(outcome, context)| meaning(outcome, context))
                    }
                    Call::Script(context, file) => Ok(format!("runs the script {file:?} in {}", context.name())),
                }),
            ),
            StatementKind::Netsh(words) => {
                let outcome = interpreter.interpret(words);
                Checked::of(at, outcome.map(|outcome| meaning(outcome, interpreter.context())))
            }
        });
    }
    tell(Some(&source.name), source.warning.as_deref(), checked, reporter);
}

/// Checks a command of the command line.
pub(super) fn words(words: Vec<Word>, context: Context, reporter: &mut Reporter) {
    let read = read(context, words).map(|(outcome, context)| meaning(outcome, context));
    tell(None, None, vec![Checked::of(Position { line: 1, column: 1 }, read)], reporter);
}

fn tell(script: Option<&Path>, warning: Option<&str>, checked: Vec<Checked>, reporter: &mut Reporter) {
    if reporter.format() == Format::Json {
        reporter.json(&serde_json::json!({ "path": script, "warning": warning, "statements": checked }));
    }
    let here = script.map_or(Place::here(), |script| Place::in_script(script, Position { line: 1, column: 1 }));
    if let Some(warning) = warning {
        reporter.warning(here, warning);
    }
    for Checked { line, column, command, left_out, error, usage } in checked {
        let place = here.at(Position { line, column });
        if let Some(error) = error {
            reporter.told(place, &error, usage.as_deref());
        }
        if let Some(why) = left_out {
            reporter.skipped(place, &why);
        }
        if let Some(command) = command.filter(|_| reporter.format() == Format::Text) {
            reporter.printed(&if script.is_some() { format!("{line}: {command}") } else { command });
        }
    }
}
