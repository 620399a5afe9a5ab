//! What is wrong with a line: where, what was found, and what is allowed.
use crate::document::{Position, allowed, suggestion};

/// A line that is no command, and where it is not. It repeats no secret.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{problem}")]
pub(crate) struct LanguageError {
    /// Where.
    pub(crate) at: Position,
    /// What.
    pub(crate) problem: Box<Problem>,
    /// How the command is written, if it is known which it was to be.
    pub(crate) usage: Option<String>,
}

impl LanguageError {
    pub(crate) fn new(at: Position, problem: Problem) -> Self {
        Self { at, problem: Box::new(problem), usage: None }
    }

    /// True if it is of this command, whose name is written in full.
    pub(crate) fn is_of(&self, command: &str) -> bool {
        self.usage.as_ref().is_some_and(|usage| usage.starts_with(command))
    }
}

/// What is wrong.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum Problem {
    /// A quote that nothing closes.
    #[error("a quote is opened here, and not closed; allowed: \" at the end of the value, \\' for a quote within it")]
    OpenQuote,
    /// No such command.
    #[error("{found:?} is no command of {context}{}", hint(.found, .allowed))]
    UnknownCommand { found: String, context: String, allowed: Vec<&'static str> },
    /// A verb alone.
    #[error("{verb} of what? Allowed: {}", .objects.join(", "))]
    NoObject { verb: &'static str, objects: Vec<&'static str> },
    /// More than one can be meant.
    #[error("{found:?} is ambiguous: {}", .candidates.join(" or "))]
    Ambiguous { found: String, candidates: Vec<&'static str> },
    /// No such parameter.
    #[error("{command} has no parameter {found:?}{}", hint(.found, .allowed))]
    UnknownTag { found: String, command: String, allowed: Vec<&'static str> },
    /// No such parameter, beside a key, of which its name may be a part.
    #[error("{command} has a parameter that it does not know; allowed: {}, and a key with blanks in quotes", .allowed.join(", "))]
    HiddenTag { command: String, allowed: Vec<&'static str> },
    /// A value right behind a key that has no quotes.
    #[error(
        "a value without a tag stands right behind {tag}; allowed: a key with blanks in quotes, and TAG=VALUE behind it"
    )]
    BehindKey { tag: &'static str },
    /// A tag with nothing behind it.
    #[error("{tag} has no value; allowed: {allowed}, or \"\" where it may be empty")]
    NoValue { tag: &'static str, allowed: String },
    /// An equals sign with nothing before it.
    #[error("there is no parameter before the equals sign; allowed: TAG=VALUE")]
    NoTag,
    /// Given again.
    #[error("{tag} is given more than once; allowed: once (only rootca may be repeated)")]
    Twice { tag: &'static str },
    /// A value for which no parameter is left. The value is not repeated: it may be a part of a key.
    #[error("a value too many for {command}: all of its parameters have one; a value with blanks stands in quotes")]
    TooMany { command: String },
    /// Not there.
    #[error("{command} has no {tag}, which is required; allowed: {allowed}")]
    Missing { command: String, tag: &'static str, allowed: String },
    /// None of those of which one must be there.
    #[error("{command} has none of {}; allowed: one of them", .tags.join(", "))]
    MissingEither { command: String, tags: Vec<&'static str> },
    /// Two of which only one may be there.
    #[error("{command} has both {first} and {second}; allowed: one of them")]
    Both { command: String, first: &'static str, second: &'static str },
    /// A value that is not allowed.
    #[error("{tag} is {found:?}{hint} allowed: {allowed}")]
    Value { tag: &'static str, found: String, hint: String, allowed: String },
    /// A value that is not allowed, and may be a secret, or a part of one.
    #[error("{tag} is not what it must be; allowed: {allowed}")]
    Secret { tag: &'static str, allowed: String },
    /// Values that do not go together.
    #[error("{0}")]
    Together(String),
    /// `popd` without `pushd`.
    #[error("there is no context to go back to; allowed: popd after a pushd")]
    NothingPushed,
    /// Words behind what takes none.
    #[error("{0} takes no parameters")]
    Alone(&'static str),
}

/// What was probably meant by `found`, and what is allowed.
pub(crate) fn hint(found: &str, names: &[&'static str]) -> String {
    let hint = suggestion(found, names.iter().copied());
    let hint = if hint.is_empty() { ";".to_owned() } else { hint };
    format!("{hint} allowed: {}", allowed(names.iter().copied()))
}
