//! A netsh that a batch file or a script of PowerShell calls, with options of its own.
use super::read;
use crate::document::Position;
use crate::netsh::language::lexer::{Word, placed, words};
use crate::netsh::language::{Context, LanguageError, Outcome, Problem, context_of};

/// What it is to do.
pub(super) enum Call {
    /// A command in a context.
    Words(Context, Vec<Word>),
    /// A script, which begins in a context.
    Script(Context, String),
}

/// Reads the options, as far as a script may have them.
pub(super) fn call(words_of_call: Vec<Word>) -> Result<Call, LanguageError> {
    let mut context = Context::Root;
    let mut rest = words_of_call.into_iter().peekable();
    let wrong = |word: &Word, text: &str| LanguageError::new(word.at(), Problem::Together(text.to_owned()));
    while let Some(option) = rest.next_if(is_option) {
        let value = rest.next().ok_or_else(|| wrong(&option, "the option has no value"))?;
        if option.is("-c") {
            let inner = words(&placed(&value.text(), 1));
            context = inner.and_then(context_of).map_err(|error| LanguageError { at: value.at(), ..error })?;
        } else if option.is("-f") {
            if let Some(word) = rest.peek() {
                return Err(wrong(word, "-f takes the path of one script, and no command behind it"));
            }
            if value.is("-") {
                return Err(wrong(
                    &value,
                    "a script has no standard input that could be read; allowed: the path of a script",
                ));
            }
            return Ok(Call::Script(context, value.text().to_string()));
        } else {
            return Err(wrong(&option, "this option is for the command line only; allowed within scripts: -c, -f"));
        }
    }
    Ok(Call::Words(context, rest.collect()))
}

/// Reads the words of a call, which must be a command; `at` is where the call stands.
pub(super) fn command(context: Context, words: Vec<Word>, at: Position) -> Result<(Outcome, Context), LanguageError> {
    match read(context, words)? {
        (Outcome::Nothing, _) => {
            let text = "netsh has no command here, and would read commands from its standard input, which is not followed; \
                        allowed: a command, or -f FILE";
            Err(LanguageError::new(at, Problem::Together(text.to_owned())))
        }
        read => Ok(read),
    }
}

fn is_option(word: &Word) -> bool {
    ["-a", "-c", "-f", "-p", "-r", "-u"].iter().any(|option| word.is(option))
}
