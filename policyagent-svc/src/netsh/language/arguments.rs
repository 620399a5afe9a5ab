//! The values of a command, read as what its parameters say that they are.
use core::cell::Cell;
use std::path::PathBuf;
use zeroize::Zeroizing;

use super::error::{LanguageError, Problem};
use super::grammar::{Entry, Kind, Parameter};
use super::keyword::{Match, by_prefix};
use super::lexer::Word;
use super::values::Wrong;
use crate::document::{Position, allowed, suggestion};

/// A value, and for which parameter it is.
pub(super) struct Given {
    /// Its index.
    pub(super) parameter: usize,
    pub(super) word: Word,
    pub(super) tagged: bool,
}

/// The values of a command, in the order of the line.
pub(crate) struct Arguments<'a> {
    entry: &'a Entry,
    given: Vec<Given>,
    at: Position,
    /// The parameters that were asked for, a bit each.
    asked: Cell<u32>,
}

/// A value with its parameter.
pub(super) struct Value<'a> {
    pub(super) parameter: &'a Parameter,
    word: &'a Word,
    tagged: bool,
    /// That it may be a part of a key that has lost its quotes, and is repeated nowhere.
    hidden: bool,
}

impl<'a> Arguments<'a> {
    pub(super) const fn new(entry: &'a Entry, given: Vec<Given>, at: Position) -> Self {
        Self { entry, given, at, asked: Cell::new(0) }
    }

    /// The command's name.
    pub(super) fn command(&self) -> String {
        self.entry.name()
    }

    /// An error of the command as a whole.
    pub(super) fn error(&self, problem: Problem) -> LanguageError {
        LanguageError::new(self.at, problem)
    }

    /// The parameters of which values were given, in the order of the line.
    #[cfg(test)]
    pub(super) fn tags(&self) -> Vec<&'static str> {
        self.given.iter().filter_map(|given| self.entry.parameters.get(given.parameter)).map(|p| p.tag).collect()
    }

    /// True if each value was asked for.
    pub(super) fn all_asked(&self) -> bool {
        self.given.iter().all(|given| self.asked.get() & (1 << given.parameter) != 0)
    }

    /// The values of those parameters, in the order of the line.
    pub(super) fn all_of(&self, tags: &[&str]) -> Vec<Value<'_>> {
        let parameter = |index: usize| self.entry.parameters.get(index);
        for (index, parameter) in self.entry.parameters.iter().enumerate() {
            if tags.contains(&parameter.tag) {
                self.asked.set(self.asked.get() | 1 << index);
            }
        }
        let value = |given: &'_ Given| {
            let parameter = parameter(given.parameter).filter(|parameter| tags.contains(&parameter.tag))?;
            Some((parameter, given.tagged))
        };
        let has_key = self.given.iter().filter_map(|given| parameter(given.parameter)).any(|p| p.kind.is_secret());
        let with_word = |given| {
            value(given).map(|(parameter, tagged)| Value {
                parameter,
                word: &given.word,
                tagged,
                hidden: has_key && !tagged,
            })
        };
        self.given.iter().filter_map(with_word).collect()
    }

    /// The value of a parameter.
    pub(super) fn get(&self, tag: &str) -> Option<Value<'_>> {
        debug_assert!(self.entry.parameters.iter().any(|p| p.tag == tag), "{} has no {tag}", self.entry.name());
        self.all_of(&[tag]).pop()
    }

    /// The value of a parameter that is required, which the binding has seen to.
    fn required(&self, tag: &'static str) -> Result<Value<'_>, LanguageError> {
        self.get(tag).ok_or_else(|| {
            let parameter = self.entry.parameters.iter().find(|parameter| parameter.tag == tag);
            let allowed = parameter.map_or_else(String::new, |parameter| parameter.kind.allowed());
            self.error(Problem::Missing { command: self.entry.name(), tag, allowed })
        })
    }

    /// What `read` makes of the value of a parameter.
    pub(super) fn read<T>(
        &self,
        tag: &str,
        read: impl FnOnce(&Value<'_>) -> Result<T, LanguageError>,
    ) -> Result<Option<T>, LanguageError> {
        self.get(tag).as_ref().map(read).transpose()
    }

    /// What `read` makes of the value of a parameter that is required.
    pub(super) fn read_required<T>(
        &self,
        tag: &'static str,
        read: impl FnOnce(&Value<'_>) -> Result<T, LanguageError>,
    ) -> Result<T, LanguageError> {
        read(&self.required(tag)?)
    }

    pub(super) fn name(&self, tag: &'static str) -> Result<String, LanguageError> {
        self.read_required(tag, as_name)
    }

    pub(super) fn name_if_any(&self, tag: &str) -> Result<Option<String>, LanguageError> {
        self.read(tag, as_name)
    }

    pub(super) fn text(&self, tag: &str) -> Result<Option<String>, LanguageError> {
        self.read(tag, as_text)
    }

    pub(super) fn yes_no(&self, tag: &str) -> Result<Option<bool>, LanguageError> {
        self.read(tag, |value| value.keyword(&[("yes", true), ("no", false)]))
    }

    /// A number; minutes as seconds.
    pub(super) fn number(&self, tag: &str) -> Result<Option<u32>, LanguageError> {
        self.read(tag, as_number)
    }

    pub(super) fn file(&self, tag: &'static str) -> Result<PathBuf, LanguageError> {
        self.read_required(tag, |value| match value.plain()? {
            path if path.is_empty() => Err(value.wrong(Wrong::whole(""))),
            path => Ok(path.into()),
        })
    }
}

// Functions, as the methods are not for values of any life.

fn as_name(value: &Value<'_>) -> Result<String, LanguageError> {
    value.name()
}

fn as_text(value: &Value<'_>) -> Result<String, LanguageError> {
    value.plain()
}

fn as_number(value: &Value<'_>) -> Result<u32, LanguageError> {
    value.number()
}

impl Value<'_> {
    /// False if it stood there without its tag.
    pub(super) const fn tagged(&self) -> bool {
        self.tagged
    }

    /// Where it stands.
    pub(super) const fn at(&self) -> Position {
        self.word.at()
    }

    /// True if it is this word without quotes.
    pub(super) fn is(&self, word: &str) -> bool {
        self.word.is(word)
    }

    /// What it says, be it a secret.
    pub(super) fn secret(&self) -> Zeroizing<String> {
        self.word.text()
    }

    /// What it says, which is one line.
    pub(super) fn plain(&self) -> Result<String, LanguageError> {
        let text = self.word.text();
        match text.chars().position(char::is_control) {
            Some(index) => Err(self.wrong(Wrong { index, ..Wrong::whole(&text) }.allowed("no control characters"))),
            None => Ok(text.to_string()),
        }
    }

    /// An error at its place. What `problem` says is said only if it can be no part of a key.
    pub(super) fn error(&self, problem: Problem) -> LanguageError {
        if self.hidden {
            let problem = Problem::Secret { tag: self.parameter.tag, allowed: self.parameter.kind.allowed() };
            return LanguageError::new(self.at(), problem);
        }
        LanguageError::new(self.at(), problem)
    }

    /// The error that says what is wrong with it.
    pub(super) fn wrong(&self, wrong: Wrong) -> LanguageError {
        let Wrong { index, found, hint, allowed } = wrong;
        let hint = if hint.is_empty() { ",".to_owned() } else { hint };
        let allowed = allowed.unwrap_or_else(|| self.parameter.kind.allowed());
        let error = self.error(Problem::Value { tag: self.parameter.tag, found, hint, allowed });
        LanguageError { at: self.word.place(index), ..error }
    }

    /// A name.
    pub(super) fn name(&self) -> Result<String, LanguageError> {
        let name = self.plain()?;
        let forbidden = self.parameter.kind == Kind::NewName && name.eq_ignore_ascii_case("all");
        if forbidden || !(1..=255).contains(&name.chars().count()) {
            return Err(self.wrong(Wrong::whole(&name)));
        }
        Ok(name)
    }

    /// What `pairs` has for the word, which may be abbreviated.
    pub(super) fn keyword<T: Copy>(&self, pairs: &[(&'static str, T)]) -> Result<T, LanguageError> {
        let text = self.word.text();
        let names: Vec<&'static str> = pairs.iter().map(|(name, _)| *name).collect();
        match by_prefix(&text, &names) {
            Match::One(name) => pairs.iter().find(|(own, _)| *own == name).map(|(_, value)| *value),
            Match::Several(candidates) => {
                return Err(self.error(Problem::Ambiguous { found: text.to_string(), candidates }));
            }
            Match::None => None,
        }
        .ok_or_else(|| {
            let hint = suggestion(&text, names.iter().copied());
            self.wrong(Wrong { hint, ..Wrong::whole(&text) }.allowed(&allowed(names)))
        })
    }

    fn number(&self) -> Result<u32, LanguageError> {
        let (range, factor) = match &self.parameter.kind {
            Kind::Number(range) => (range, 1),
            Kind::Minutes(range) => (range, 60),
            other => unreachable_kind(self.parameter.tag, other),
        };
        let text = self.word.text();
        let number = decimal(&text).filter(|number| range.contains(number));
        number.map(|number| number * factor).ok_or_else(|| self.wrong(Wrong::whole(&text)))
    }
}

/// What the tables and their readers disagree on. Nothing that is read leads here: a test reads every parameter.
fn unreachable_kind(tag: &str, kind: &Kind) -> ! {
    unreachable!("{tag} is read as a number, the table has {kind:?}")
}

/// A number of digits only: `parse` would take a sign too.
pub(super) fn decimal<T: core::str::FromStr>(text: &str) -> Option<T> {
    let digits = !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_digit());
    digits.then(|| text.parse().ok())?
}
