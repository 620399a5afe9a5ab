//! What runs netsh: its command line, scripts, and lines typed at its prompt.
mod call;
mod check;
mod interactive;
mod machine;
mod remote;
mod report;
mod run;
mod serve;
mod source;
#[cfg(test)]
mod tests;

use std::io::IsTerminal as _;
use std::process::ExitCode;

use self::report::Reporter;
use self::run::Runner;
use self::source::Source;
use super::arguments::NetshArgs;
use super::language::lexer::{Word, placed, words};
use super::language::{Context, Interpreter, LanguageError, context_of};
use super::run::Session;
use crate::format::Format;
use crate::paths::Paths;

/// Does what the command line says.
pub(crate) fn main(paths: &Paths, format: Format, arguments: &NetshArgs) -> ExitCode {
    let mut reporter = Reporter::new(format, arguments.verbose);
    match netsh(paths, format, arguments, &mut reporter) {
        Ok(()) if reporter.failures() == 0 => ExitCode::SUCCESS,
        Ok(()) => ExitCode::FAILURE,
        Err(error) => {
            reporter.failed(&error);
            ExitCode::FAILURE
        }
    }
}

fn netsh(paths: &Paths, format: Format, arguments: &NetshArgs, reporter: &mut Reporter) -> Result<(), String> {
    if arguments.user.is_some() || arguments.password.is_some() {
        return Err(
            "-u and -p are not for this netsh: ssh says who you are on another machine; allowed: -r USER@MACHINE, \
                    with ssh set up for it"
                .to_owned(),
        );
    }
    if let Some(machine) = &arguments.remote {
        return remote::run(machine, paths, format, arguments);
    }
    if arguments.serve {
        let mut session = Session::new(paths, format).map_err(|error| error.to_string())?;
        return serve::serve(&mut session, std::io::stdin().lock(), std::io::stdout().lock());
    }
    let context = start(arguments.context.as_deref())?;
    let source = match (&arguments.file, arguments.words.is_empty()) {
        (Some(path), _) => Some(Source::file(path, arguments)?),
        (None, false) => None,
        // No words lead to the context itself, and to a conversation in it.
        (None, true) if std::io::stdin().is_terminal() && !arguments.check => None,
        (None, true) => Some(Source::standard_input(arguments)?),
    };
    let words = of_arguments(&arguments.words);
    if arguments.check {
        match source {
            Some(source) => check::script(&source, context, reporter),
            None => check::words(words, context, reporter),
        }
        return Ok(());
    }
    let session = Session::new(paths, format).map_err(|error| error.to_string())?;
    let mut runner = Runner::new(session, paths, arguments, reporter)?;
    runner.alias()?;
    let talked = match source {
        Some(source) => {
            runner.script(&source, context);
            Ok(())
        }
        None => match runner.command(words, context) {
            // As Windows has it: the words of a context begin a conversation in it.
            Some(context) if std::io::stdin().is_terminal() => interactive::converse(&mut runner, context),
            Some(context) => Source::standard_input(arguments).map(|source| runner.script(&source, context)),
            None => Ok(()),
        },
    };
    // What was done is written, also if the terminal has gone away.
    runner.finish()?;
    talked
}

/// The context to begin in.
fn start(context: Option<&str>) -> Result<Context, String> {
    let Some(context) = context else { return Ok(Context::Root) };
    let read = words(&placed(context, 1)).and_then(context_of);
    read.map_err(|error| format!("-c {context:?}: {error}"))
}

/// The words of a command line, in the columns that they have with one blank between them.
fn of_arguments(arguments: &[String]) -> Vec<Word> {
    let mut column = 1;
    let word = |argument: &String| {
        let word = Word::of_argument(argument, column);
        column += argument.chars().count() + 1;
        word
    };
    arguments.iter().map(word).collect()
}

/// Reads words in a context, each time as if nothing had been before.
fn read(context: Context, words: Vec<Word>) -> Result<(super::language::Outcome, Context), LanguageError> {
    let mut interpreter = Interpreter::new(context);
    let outcome = interpreter.interpret(words)?;
    Ok((outcome, interpreter.context()))
}
