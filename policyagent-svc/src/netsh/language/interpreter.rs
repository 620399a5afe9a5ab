//! Lines one after the other: contexts, help, and what ends a run.
use super::bind::bind;
use super::error::{LanguageError, Problem};
use super::grammar::{Context, Entry};
use super::help;
use super::keyword::{Match, by_prefix};
use super::lexer::Word;
use crate::netsh::command::Command;

/// What a line is.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// Nothing more to do: it changed the context, or was empty.
    Nothing,
    /// Something to read.
    Help(String),
    /// A command.
    Command(Box<Command>),
    /// A script to run.
    Run(String),
    /// The end.
    Leave,
}

/// Words that are understood in every context, if they are written in full.
pub(super) const EVERYWHERE: [&str; 9] = ["..", "?", "bye", "exec", "exit", "help", "popd", "pushd", "quit"];

/// Remembers in which context lines are read.
#[derive(Clone, Debug)]
pub(crate) struct Interpreter {
    context: Context,
    pushed: Vec<Context>,
}

/// As many contexts as can be pushed; a script that pushes more has gone wrong.
const MOST_PUSHED: usize = 1000;

impl Interpreter {
    /// Begins in a context.
    pub(crate) const fn new(context: Context) -> Self {
        Self { context, pushed: Vec::new() }
    }

    /// Where it is.
    pub(crate) const fn context(&self) -> Context {
        self.context
    }

    /// Reads a line. After an error the context is what it was.
    pub(crate) fn interpret(&mut self, mut words: Vec<Word>) -> Result<Outcome, LanguageError> {
        let Some(first) = words.first() else { return Ok(Outcome::Nothing) };
        let alone = |name: &'static str| match words.get(1) {
            Some(second) => Err(LanguageError::new(second.at(), Problem::Alone(name))),
            None => Ok(()),
        };
        if first.is("..") {
            alone("..")?;
            self.context = self.context.parent().unwrap_or(self.context);
        } else if first.is("bye") || first.is("exit") || first.is("quit") {
            alone("bye")?;
            return Ok(Outcome::Leave);
        } else if first.is("popd") {
            alone("popd")?;
            let at = first.at();
            self.context = self.pushed.pop().ok_or_else(|| LanguageError::new(at, Problem::NothingPushed))?;
        } else if first.is("pushd") {
            let (at, before) = (first.at(), self.context);
            if self.pushed.len() >= MOST_PUSHED {
                let text = format!("{MOST_PUSHED} contexts are pushed already; allowed: popd");
                return Err(LanguageError::new(at, Problem::Together(text)));
            }
            words.remove(0);
            if !words.is_empty() {
                match self.within(words)? {
                    Outcome::Nothing => {}
                    _ => {
                        self.context = before;
                        let text = "pushd goes to a context, not to a command; allowed: pushd ipsec static";
                        return Err(LanguageError::new(at, Problem::Together(text.to_owned())));
                    }
                }
            }
            self.pushed.push(before);
        } else if first.is("exec") {
            let file = match (words.get(1), words.get(2)) {
                (Some(file), None) => file.text().to_string(),
                _ => {
                    let text = "exec takes the path of one script";
                    return Err(LanguageError::new(first.at(), Problem::Together(text.to_owned())));
                }
            };
            return Ok(Outcome::Run(file));
        } else {
            return self.within(words);
        }
        Ok(Outcome::Nothing)
    }

    /// Reads words from the context, or the next one above that knows the first.
    fn within(&mut self, words: Vec<Word>) -> Result<Outcome, LanguageError> {
        self.descend(where_known(self.context, &words), words)
    }

    /// Reads words from a context on.
    fn descend(&mut self, mut context: Context, words: Vec<Word>) -> Result<Outcome, LanguageError> {
        let mut words = words.into_iter();
        while let Some(word) = words.next() {
            if is_help(&word) {
                return Ok(Outcome::Help(help::context(context)));
            }
            let text = word.text();
            let name = unambiguous(&word, by_prefix(&text, &names(context)))?.ok_or_else(|| {
                let (found, allowed) = (text.to_string(), names(context));
                let problem = Problem::UnknownCommand { found, context: context.name().to_owned(), allowed };
                LanguageError::new(word.at(), problem)
            })?;
            match context.children().iter().find(|(child, _)| *child == name) {
                Some((_, child)) => context = *child,
                None => return verb(context, name, &word, words.collect()),
            }
        }
        self.context = context;
        Ok(Outcome::Nothing)
    }
}

/// From where words are read: the context, or the next one above it that knows the first. Where both know a verb, it is
/// the one that knows what the verb is about.
pub(super) fn where_known(context: Context, words: &[Word]) -> Context {
    let Some(first) = words.first().filter(|word| !is_help(word)) else { return context };
    let verb = first.text();
    let above = || core::iter::successors(Some(context), |context| context.parent());
    let begins = |name: &'static str, text: &str| by_prefix(text, &[name]) != Match::None;
    let knows_object = |context: &Context| {
        words.get(1).map(Word::text).is_some_and(|object| {
            context.entries().iter().any(|entry| begins(entry.verb, &verb) && begins(entry.object, &object))
        })
    };
    let knows = |context: &Context| by_prefix(&verb, &names(*context)) != Match::None;
    above().find(knows_object).or_else(|| above().find(knows)).unwrap_or(context)
}

/// The words that a context knows of its own.
pub(super) fn names(context: Context) -> Vec<&'static str> {
    let mut names: Vec<_> = context.children().iter().map(|(name, _)| *name).collect();
    names.extend(context.verbs());
    names
}

/// True if the word asks for help.
pub(crate) fn is_help(word: &Word) -> bool {
    word.is("?") || word.is("/?") || word.is("help")
}

/// True if the word, where others are values, asks for help.
fn is_question(word: &Word) -> bool {
    word.is("?") || word.is("/?")
}

fn unambiguous(word: &Word, found: Match<&'static str>) -> Result<Option<&'static str>, LanguageError> {
    match found {
        Match::One(name) => Ok(Some(name)),
        Match::None => Ok(None),
        Match::Several(candidates) => {
            let problem = Problem::Ambiguous { found: word.text().to_string(), candidates };
            Err(LanguageError::new(word.at(), problem))
        }
    }
}

/// Reads what stands behind a verb.
fn verb(context: Context, verb: &'static str, at: &Word, words: Vec<Word>) -> Result<Outcome, LanguageError> {
    let entries: Vec<&'static Entry> = context.entries().iter().filter(|entry| entry.verb == verb).collect();
    let mut words = words.into_iter();
    let entry = match entries.as_slice() {
        [entry] if entry.object.is_empty() => *entry,
        entries => {
            let objects: Vec<_> = entries.iter().map(|entry| entry.object).collect();
            let Some(word) = words.next() else {
                return Err(LanguageError::new(at.at(), Problem::NoObject { verb, objects }));
            };
            if is_help(&word) {
                return Ok(Outcome::Help(help::verb(context, verb)));
            }
            let text = word.text();
            let object = unambiguous(&word, by_prefix(&text, &objects))?;
            let entry = object.and_then(|object| entries.iter().find(|entry| entry.object == object));
            let Some(entry) = entry else {
                let context = format!("{} {verb}", context.name());
                let problem = Problem::UnknownCommand { found: text.to_string(), context, allowed: objects };
                return Err(LanguageError::new(word.at(), problem));
            };
            *entry
        }
    };
    let words: Vec<Word> = words.collect();
    if words.iter().any(is_question) {
        return Ok(Outcome::Help(help::entry(context, entry)));
    }
    let command = bind(entry, words, at.at()).and_then(|arguments| {
        let command = (entry.build)(&arguments)?;
        debug_assert!(arguments.all_asked(), "{} does not look at all of its parameters", entry.name());
        Ok(command)
    });
    let command = command.map_err(|error| LanguageError { usage: Some(entry.usage()), ..error })?;
    Ok(Outcome::Command(Box::new(command)))
}

/// The context that words, as of `-c`, name.
pub(crate) fn context_of(words: Vec<Word>) -> Result<Context, LanguageError> {
    let at = words.first().map(Word::at);
    let mut interpreter = Interpreter::new(Context::Root);
    match (interpreter.interpret(words)?, at) {
        (Outcome::Nothing, _) => Ok(interpreter.context()),
        (_, at) => {
            let text = "this is no context; allowed: ipsec, \"ipsec static\", \"ipsec dynamic\"".to_owned();
            Err(LanguageError::new(
                at.unwrap_or(crate::document::Position { line: 1, column: 1 }),
                Problem::Together(text),
            ))
        }
    }
}
