//! A netsh that a batch file or a script of PowerShell calls, with options of its own.
use crate::netsh::language::lexer::{Word, placed, words};
use crate::netsh::language::{Context, LanguageError, Problem, context_of};

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
            return Ok(Call::Script(context, value.text().to_string()));
        } else {
            return Err(wrong(&option, "this option is for the command line only; allowed within scripts: -c, -f"));
        }
    }
    Ok(Call::Words(context, rest.collect()))
}

fn is_option(word: &Word) -> bool {
    ["-a", "-c", "-f", "-p", "-r", "-u"].iter().any(|option| word.is(option))
}
