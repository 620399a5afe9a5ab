//! Carries lines out, one after the other.
use std::path::Path;

use super::call::{self, Call, call};
use super::machine::Target;
use super::read;
use super::report::{Place, Reporter};
use super::source::Source;
use crate::netsh::arguments::NetshArgs;
use crate::netsh::command::{Command, Machine, Static};
use crate::netsh::language::lexer::Word;
use crate::netsh::language::{Context, Interpreter, LanguageError, Outcome};
use crate::netsh::run::{RunError, Session};
use crate::netsh::script::StatementKind;
use crate::paths::Paths;

/// As deep as scripts may call scripts.
const DEEPEST: usize = 20;

/// Carries out.
pub(super) struct Runner<'a> {
    /// What is carried out on this host.
    session: Session,
    target: Target,
    /// That the last `set store` has failed: what follows is not meant for the store before it.
    storeless: bool,
    paths: &'a Paths,
    arguments: &'a NetshArgs,
    reporter: &'a mut Reporter,
    /// How many scripts called each other.
    depth: usize,
    /// Commands of scripts so far.
    commands: usize,
}

/// Whether there is more to do.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    Goes,
    Ends,
}

impl<'a> Runner<'a> {
    /// A run; with `--atomic` all of it happens, or nothing.
    pub(super) fn new(
        mut session: Session,
        paths: &'a Paths,
        arguments: &'a NetshArgs,
        reporter: &'a mut Reporter,
    ) -> Result<Self, String> {
        if arguments.atomic {
            session.begin().map_err(|error| error.to_string())?;
        }
        Ok(Self { session, target: Target::Here, storeless: false, paths, arguments, reporter, depth: 0, commands: 0 })
    }

    /// Runs the alias file, if there is one.
    pub(super) fn alias(&mut self) -> Result<(), String> {
        if let Some(path) = &self.arguments.alias {
            let source = Source::file(path, self.arguments)?;
            self.script(&source, Context::Root);
        }
        Ok(())
    }

    /// The run is over: what was held back is written, or, of an atomic run in which anything failed, forgotten.
    pub(super) fn finish(mut self) -> Result<(), String> {
        if !self.arguments.atomic {
            let left = self.target.leave();
            return self.session.finish().map_err(|error| error.to_string()).and(left);
        }
        match self.reporter.failures() {
            0 => self.session.commit().map_err(|error| match error {
                error @ RunError::PartlyDone { .. } => error.to_string(),
                error => format!("{error}; nothing was changed"),
            }),
            count => {
                self.session.roll_back();
                let what = if count == 1 { "command" } else { "commands" };
                Err(format!("{count} {what} failed; nothing was changed"))
            }
        }
    }

    /// Carries a command of the command line out. If its words only lead to a context, that is the result.
    pub(super) fn command(&mut self, words: Vec<Word>, context: Context) -> Option<Context> {
        match read(context, words) {
            Ok((Outcome::Nothing, context)) => return Some(context),
            read => {
                self.outcome(read.map(|(outcome, _)| outcome), context, Place::here());
            }
        }
        None
    }

    /// Reads a line in the interpreter's context, and carries it out.
    pub(super) fn line(
        &mut self,
        interpreter: &mut Interpreter,
        words: Result<Vec<Word>, LanguageError>,
        place: Place<'_>,
    ) -> Flow {
        let outcome = words.and_then(|words| interpreter.interpret(words));
        self.outcome(outcome, interpreter.context(), place)
    }

    fn outcome(&mut self, outcome: Result<Outcome, LanguageError>, context: Context, place: Place<'_>) -> Flow {
        match outcome {
            Ok(Outcome::Nothing) => {}
            Ok(Outcome::Help(text)) => self.reporter.printed(&text),
            Ok(Outcome::Leave) => return Flow::Ends,
            Ok(Outcome::Run(file)) => self.nested(&file, context, place),
            Ok(Outcome::Command(command)) => match self.carry_out(*command) {
                Ok(text) => self.reporter.printed(&text),
                Err(error) => self.reporter.error(place, &error, None),
            },
            Err(error) => {
                self.storeless |= error.is_of("set store");
                // What follows is meant for a machine that is not known.
                if error.is_of("set machine") {
                    let left = self.target.leave();
                    self.target = Target::Nowhere(String::new());
                    if let Err(error) = left {
                        self.reporter.error(place, &error, None);
                    }
                }
                self.reporter.wrong(place, &error);
            }
        }
        Flow::Goes
    }

    /// Carries a command out on the machine that it is for.
    fn carry_out(&mut self, command: Command) -> Result<String, String> {
        if let Command::SetMachine(machine) = command {
            return self.set_machine(machine).map(|()| String::new());
        }
        let chooses = matches!(command, Command::Static(Static::SetStore { .. }));
        if self.storeless && !chooses && matches!(command, Command::Static(_)) {
            let text = "not carried out, as the last set store has failed; allowed: set store with a store that can be reached";
            return Err(text.to_owned());
        }
        let done = match self.target.carry_out(&command) {
            Some(done) => done,
            None => self.session.carry_out(command).map_err(|error| error.to_string()),
        };
        if chooses {
            self.storeless = done.is_err();
        }
        done
    }

    /// The machine from now on. On each a run begins anew, on this host too.
    fn set_machine(&mut self, machine: Machine) -> Result<(), String> {
        if self.arguments.atomic {
            return Err(RunError::NotHeldBack { what: "what is done on another machine" }.to_string());
        }
        let left = self.target.leave();
        let begun = self.start_anew();
        let (target, reached) = Target::of(machine, self.paths, self.reporter.format());
        self.target = target;
        // Who is not reached is told before what was left.
        reached.and(left).and(begun)
    }

    /// As a new run begins, on this host.
    fn start_anew(&mut self) -> Result<(), String> {
        self.storeless = false;
        self.session.start_anew().map_err(|error| error.to_string())
    }

    /// The machine on which commands are carried out; nothing for this host.
    pub(super) fn machine(&self) -> Option<&str> {
        self.target.name()
    }

    /// A script that a line calls.
    fn nested(&mut self, file: &str, context: Context, place: Place<'_>) {
        if self.depth >= DEEPEST {
            let message = format!("{file:?} is not run: scripts call scripts {DEEPEST} deep already");
            self.reporter.error(place, &message, None);
            return;
        }
        match Source::file(Path::new(file), self.arguments) {
            Ok(source) => {
                self.depth += 1;
                self.script(&source, context);
                self.depth -= 1;
            }
            Err(error) => self.reporter.error(place, &error, None),
        }
    }

    /// Runs a script.
    pub(super) fn script(&mut self, source: &Source, context: Context) {
        let script = source.name.as_path();
        let begin = crate::document::Position { line: 1, column: 1 };
        if let Some(warning) = &source.warning {
            self.reporter.warning(Place::in_script(script, begin), warning);
        }
        let mut interpreter = Interpreter::new(context);
        let (commands, failures) = (self.commands, self.reporter.failures());
        for statement in source.statements() {
            let place = Place::in_script(script, statement.at);
            let words = match statement.kind {
                StatementKind::Skipped(why) => {
                    self.reporter.skipped(place, &why);
                    continue;
                }
                StatementKind::Netsh(words) => Ok(words),
                StatementKind::Wrong(error) => Err(error),
            };
            self.commands += 1;
            let flow = if source.dialect.starts_anew() {
                self.call(words, place);
                Flow::Goes
            } else {
                self.line(&mut interpreter, words, place)
            };
            if flow == Flow::Ends {
                break;
            }
        }
        let (commands, failures) = (self.commands - commands, self.reporter.failures() - failures);
        // Of scripts within scripts the outermost tells; an atomic run does so at its end.
        if failures > 0 && self.depth == 0 && !self.arguments.atomic {
            eprintln!("policyagent: {}: {failures} of {commands} commands failed", script.display());
        }
    }

    /// Does what a netsh that is called does. It begins at the local store, without batch mode.
    fn call(&mut self, words: Result<Vec<Word>, LanguageError>, place: Place<'_>) {
        let left = self.target.leave();
        let begun = self.start_anew();
        if let Err(error) = left.and(begun) {
            self.reporter.error(place, &error, None);
            return;
        }
        match words.and_then(call) {
            Err(error) => self.reporter.wrong(place, &error),
            Ok(Call::Script(context, file)) => self.nested(&file, context, place),
            Ok(Call::Words(context, words)) => {
                let outcome = call::command(context, words, place.position()).map(|(outcome, _)| outcome);
                if matches!(&outcome, Ok(Outcome::Command(command)) if is_of_session(command)) {
                    let text = "this holds for this call of netsh only, and the next one begins at the local store of this host, \
                                without batch mode; allowed: a script of netsh's own, run by netsh -f";
                    self.reporter.warning(place, text);
                }
                self.outcome(outcome, context, place);
            }
        }
    }
}

/// True for what lasts as long as netsh runs.
const fn is_of_session(command: &Command) -> bool {
    matches!(command, Command::Static(Static::SetStore { .. } | Static::SetBatch { .. }) | Command::SetMachine(_))
}
