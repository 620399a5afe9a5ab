//! Lines carried out, one after the other.
use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::path::Path;
use zeroize::Zeroizing;

use super::call::{Call, call};
use super::report::{Place, Reporter};
use super::source::Source;
use crate::document::Position;
use crate::netsh::arguments::NetshArgs;
use crate::netsh::language::lexer::{Word, placed, words};
use crate::netsh::language::{Context, Interpreter, LanguageError, Outcome};
use crate::netsh::run::Session;
use crate::netsh::script::StatementKind;

/// How deep scripts may call scripts: one that calls itself has gone wrong.
const MOST_DEEP: usize = 20;

/// Carries out what it is given.
pub(super) struct Runner<'a> {
    session: Session,
    arguments: &'a NetshArgs,
    reporter: &'a mut Reporter,
    depth: usize,
}

/// Whether there is more to do.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Then {
    GoOn,
    /// The script, or the prompt, ends.
    Leave,
}

impl<'a> Runner<'a> {
    /// A run of `session`; with `--atomic` all of it happens, or nothing.
    pub(super) fn new(
        mut session: Session,
        arguments: &'a NetshArgs,
        reporter: &'a mut Reporter,
    ) -> Result<Self, String> {
        if arguments.atomic {
            session.begin().map_err(|error| error.to_string())?;
        }
        Ok(Self { session, arguments, reporter, depth: 0 })
    }

    /// The run is over: what was held back is written, or in an atomic run with a failure forgotten.
    pub(super) fn finish(mut self) -> Result<(), String> {
        if !self.arguments.atomic {
            return self.session.finish().map_err(|error| error.to_string());
        }
        match self.reporter.failures() {
            0 => self.session.commit().map_err(|error| format!("{error}; nothing was changed")),
            count => {
                self.session.roll_back();
                let what = if count == 1 { "a command" } else { "commands" };
                Err(format!("{count} {what} failed; nothing was changed"))
            }
        }
    }

    /// A command of the command line.
    pub(super) fn words(&mut self, words: Vec<Word>, context: Context) {
        let read = Interpreter::new(context).interpret(words);
        self.outcome(Place::here(), context, read);
    }

    /// A script.
    pub(super) fn script(&mut self, source: &Source, context: Context) {
        let here = Place::in_script(&source.name, Position { line: 1, column: 1 });
        if let Some(warning) = &source.warning {
            self.reporter.warning(here, warning);
        }
        let mut interpreter = Interpreter::new(context);
        for statement in source.statements() {
            let place = here.at(statement.at);
            let then = match statement.kind {
                StatementKind::Skipped(why) => {
                    self.reporter.skipped(place, &why);
                    Then::GoOn
                }
                StatementKind::Wrong(error) => self.wrong(place, &error),
                StatementKind::Netsh(words) if source.dialect.starts_anew() => {
                    self.call(place, words);
                    Then::GoOn
                }
                StatementKind::Netsh(words) => {
                    let read = interpreter.interpret(words);
                    self.outcome(place, interpreter.context(), read)
                }
            };
            if then == Then::Leave {
                break;
            }
        }
    }

    /// What is typed, line by line.
    pub(super) fn prompt(&mut self, context: Context) {
        let mut interpreter = Interpreter::new(context);
        let stdin = std::io::stdin();
        loop {
            if stdin.is_terminal() {
                print!("netsh {}>", interpreter.context().name());
                // A terminal that has gone away ends the next read.
                let _ = std::io::stdout().flush();
            }
            let mut line = Zeroizing::new(String::new());
            match stdin.lock().read_line(&mut line) {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
            let read = words(&placed(line.trim_end(), 1)).and_then(|words| interpreter.interpret(words));
            if self.outcome(Place::here(), interpreter.context(), read) == Then::Leave {
                return;
            }
        }
    }

    /// A netsh of its own, as batch files call it: the store and the batch are those of a new run.
    fn call(&mut self, place: Place<'_>, words: Vec<Word>) {
        if let Err(error) = self.session.start_anew() {
            self.reporter.told(place, &error.to_string(), None);
            return;
        }
        match call(words) {
            Ok(Call::Words(context, words)) => {
                let read = Interpreter::new(context).interpret(words);
                self.outcome(place, context, read);
            }
            Ok(Call::Script(context, file)) => self.nested(place, context, Path::new(&file)),
            Err(error) => {
                self.wrong(place, &error);
            }
        }
    }

    fn outcome(&mut self, place: Place<'_>, context: Context, read: Result<Outcome, LanguageError>) -> Then {
        match read {
            Ok(Outcome::Nothing) => {}
            Ok(Outcome::Help(text)) => self.reporter.printed(&text),
            Ok(Outcome::Command(command)) => match self.session.carry_out(*command) {
                Ok(text) => self.reporter.printed(&text),
                Err(error) => self.reporter.told(place, &error.to_string(), None),
            },
            Ok(Outcome::Run(file)) => self.nested(place, context, Path::new(&file)),
            Ok(Outcome::Leave) => return Then::Leave,
            Err(error) => return self.wrong(place, &error),
        }
        Then::GoOn
    }

    fn wrong(&mut self, place: Place<'_>, error: &LanguageError) -> Then {
        self.reporter.told(place.at(error.at), &error.to_string(), error.usage.as_deref());
        Then::GoOn
    }

    fn nested(&mut self, place: Place<'_>, context: Context, file: &Path) {
        if self.depth == MOST_DEEP {
            let message = format!("{}: scripts call scripts {MOST_DEEP} deep already", file.display());
            self.reporter.told(place, &message, None);
            return;
        }
        match Source::file(file, self.arguments) {
            Ok(source) => {
                self.depth += 1;
                self.script(&source, context);
                self.depth -= 1;
            }
            Err(error) => self.reporter.told(place, &error, None),
        }
    }
}
