//! Which value is for which parameter.
use super::arguments::{Arguments, Given};
use super::error::{LanguageError, Problem};
use super::grammar::{Entry, Kind, Need, Parameter};
use super::keyword::{Match, by_prefix};
use super::lexer::Word;
use crate::document::Position;

/// Binds the words behind a command's name to its parameters. `at` is where the command stands.
pub(super) fn bind<'a>(entry: &'a Entry, words: Vec<Word>, at: Position) -> Result<Arguments<'a>, LanguageError> {
    let mut given: Vec<Given> = Vec::new();
    let names_key = words.iter().any(|word| is_tag_of_key(entry, word));
    // The tag of a key without quotes, while nothing else has followed it.
    let mut open_key = None;
    let mut words = words.into_iter().peekable();
    while let Some(word) = words.next() {
        let next_begins_with_equals = words.peek().is_some_and(|next| next.equals() == Some(0));
        let nothing = word.nothing();
        // Quotes around tag and value are the shell's: but only what is a tag is one.
        let in_quotes = || word.quoted_equals().filter(|equals| is_tag(entry, &word.head(*equals)));
        let equals = word.equals().or_else(|| if next_begins_with_equals { None } else { in_quotes() });
        let (tag, value) = match equals {
            Some(0) => return Err(LanguageError::new(word.at(), Problem::NoTag)),
            // `tag=value`, `tag= value`
            Some(equals) => (Some(word.head(equals)), Some(word.tail(equals + 1)).filter(|_| has_value(&word, equals))),
            // `tag =value`, `tag = value`
            None if next_begins_with_equals => {
                let next = words.next();
                let value = next.filter(|next| has_value(next, 0)).map(|next| next.tail(1));
                (Some(word), value)
            }
            None => (None, Some(word)),
        };
        let Some(tag) = tag else {
            if let (Some(tag), Some(value)) = (open_key, &value) {
                return Err(LanguageError::new(value.at(), Problem::BehindKey { tag }));
            }
            given.extend(value.map(|value| positional(entry, &given, value)).transpose()?);
            continue;
        };
        let index = tagged(entry, &tag).map_err(|error| {
            let has_key = names_key || given.iter().any(|given| is_key(&entry.parameters[given.parameter]));
            if has_key { hide(entry, error) } else { error }
        })?;
        let parameter = &entry.parameters[index];
        let value = value.or_else(|| words.next_if(|next| !is_next(entry, parameter, next))).or(nothing);
        let Some(value) = value else {
            let problem = Problem::NoValue { tag: parameter.tag, allowed: parameter.kind.allowed() };
            return Err(LanguageError::new(tag.at(), problem));
        };
        if parameter.need != Need::Repeated && given.iter().any(|given| given.parameter == index) {
            return Err(LanguageError::new(tag.at(), Problem::Twice { tag: parameter.tag }));
        }
        if let Some(other) = given.iter().map(|given| given.parameter).find(|other| exclude(entry, *other, index)) {
            let (first, second) = (entry.parameters[other].tag, parameter.tag);
            return Err(LanguageError::new(tag.at(), Problem::Both { command: entry.name(), first, second }));
        }
        open_key = Some(parameter.tag).filter(|_| is_key(parameter) && !value.has_quotes());
        given.push(Given { parameter: index, word: value, tagged: true });
    }
    complete(entry, &given, at)?;
    Ok(Arguments::new(entry, given, at))
}

/// True if something, be it quotes, follows the equals sign within the word.
fn has_value(word: &Word, equals: usize) -> bool {
    word.has_more_than(equals + 1)
}

const fn is_key(parameter: &Parameter) -> bool {
    parameter.kind.is_secret()
}

/// True if a word is, or begins with, the tag of a key.
fn is_tag_of_key(entry: &Entry, word: &Word) -> bool {
    let tag = word.equals().or_else(|| word.quoted_equals()).map(|equals| word.head(equals).text());
    match by_prefix(&tag.unwrap_or_else(|| word.text()), &entry.tags()) {
        Match::One(name) => entry.parameters.iter().any(|parameter| parameter.tag == name && is_key(parameter)),
        _ => false,
    }
}

/// The error about a tag without the tag.
fn hide(entry: &Entry, error: LanguageError) -> LanguageError {
    LanguageError::new(error.at, Problem::HiddenTag { command: entry.name(), allowed: entry.tags() })
}

/// True if a word behind a parameter's equals sign is the next parameter, not this one's value: what stands before its
/// own equals sign is a tag. The name of an authority is full of equals signs and abbreviations, as `C=US`.
fn is_next(entry: &Entry, parameter: &Parameter, word: &Word) -> bool {
    let Some(equals) = word.equals() else { return false };
    let tag = word.head(equals).text();
    match parameter.kind {
        Kind::RootCa => entry.tags().iter().any(|own| own.eq_ignore_ascii_case(&tag)) || equals == 0,
        _ => equals == 0 || by_prefix(&tag, &entry.tags()) != Match::None,
    }
}

/// True if a word is a tag, or the beginning of one.
fn is_tag(entry: &Entry, word: &Word) -> bool {
    matches!(by_prefix(&word.text(), &entry.tags()), Match::One(_))
}

/// The parameter that a tag, or the beginning of one, names.
fn tagged(entry: &Entry, tag: &Word) -> Result<usize, LanguageError> {
    let text = tag.text();
    let tags = entry.tags();
    let name = match by_prefix(&text, &tags) {
        Match::One(name) => name,
        Match::Several(candidates) => {
            return Err(LanguageError::new(tag.at(), Problem::Ambiguous { found: text.to_string(), candidates }));
        }
        Match::None => {
            let problem = Problem::UnknownTag { found: text.to_string(), command: entry.name(), allowed: tags };
            return Err(LanguageError::new(tag.at(), problem));
        }
    };
    Ok(entry.parameters.iter().position(|parameter| parameter.tag == name).unwrap_or_default())
}

/// The first parameter that is still empty.
fn positional(entry: &Entry, given: &[Given], word: Word) -> Result<Given, LanguageError> {
    let taken =
        |index: usize| given.iter().any(|given| given.parameter == index || exclude(entry, given.parameter, index));
    let takes = |(index, parameter): &(usize, &Parameter)| {
        let fits = match (&parameter.kind, parameter.need) {
            (Kind::All, _) => word.is("all"),
            (_, Need::Or) => false,
            _ => true,
        };
        fits && (!taken(*index) || parameter.need == Need::Repeated)
    };
    match entry.parameters.iter().enumerate().find(takes) {
        Some((index, _)) => Ok(Given { parameter: index, word, tagged: false }),
        None => Err(LanguageError::new(word.at(), Problem::TooMany { command: entry.name() })),
    }
}

/// True if two parameters are alternatives.
fn exclude(entry: &Entry, one: usize, other: usize) -> bool {
    let (first, last) = (one.min(other), one.max(other));
    let leads = matches!(entry.parameters[first].need, Need::Either | Need::EitherOrNone | Need::Or);
    let between = entry.parameters.get(first + 1..=last).unwrap_or_default();
    first != last && leads && between.iter().all(|parameter| parameter.need == Need::Or)
}

/// What must be there, is.
fn complete(entry: &Entry, given: &[Given], at: Position) -> Result<(), LanguageError> {
    let is_given = |index: usize| given.iter().any(|given| given.parameter == index);
    for (index, parameter) in entry.parameters.iter().enumerate() {
        let problem = match parameter.need {
            Need::Required if !is_given(index) => {
                Problem::Missing { command: entry.name(), tag: parameter.tag, allowed: parameter.kind.allowed() }
            }
            Need::Either
                if !(0..entry.parameters.len()).any(|i| is_given(i) && (i == index || exclude(entry, i, index))) =>
            {
                let alternatives = entry.parameters.iter().enumerate();
                let tags = alternatives.filter(|(i, _)| *i == index || exclude(entry, *i, index));
                Problem::MissingEither { command: entry.name(), tags: tags.map(|(_, p)| p.tag).collect() }
            }
            _ => continue,
        };
        return Err(LanguageError::new(at, problem));
    }
    Ok(())
}
