//! What can follow what was typed.
use super::grammar::{Context, Entry, Kind, Need};
use super::interpreter::{EVERYWHERE, names, where_known};
use super::keyword::{Match, by_prefix};
use super::lexer::{Word, placed, words};

/// The words that can stand where `line` ends, and at which octet of it the word begins that they replace. A word that
/// wants a value behind it ends in `=`.
pub(crate) fn complete(context: Context, line: &str) -> (usize, Vec<String>) {
    let start =
        line.rfind(char::is_whitespace).map_or(0, |at| at + line[at..].chars().next().map_or(1, char::len_utf8));
    let (before, begun) = line.split_at(start);
    // Within quotes there is nothing to offer.
    let Ok(before) = words(&placed(before, 1)) else { return (start, Vec::new()) };
    let offered = match begun.rsplit_once('=') {
        Some((tag, value)) => {
            let offered = command(context, &before).map_or(&[][..], |(entry, _)| of_tag(entry, tag));
            let at = start + tag.len() + 1;
            return (at, matching(offered.iter().map(|word| (*word).to_owned()), value));
        }
        None => candidates(context, &before),
    };
    (start, matching(offered.into_iter(), begun))
}

fn matching(offered: impl Iterator<Item = String>, begun: &str) -> Vec<String> {
    let begins = |word: &String| word.get(..begun.len()).is_some_and(|head| head.eq_ignore_ascii_case(begun));
    let mut matching: Vec<String> = offered.filter(begins).collect();
    matching.sort();
    matching.dedup();
    matching
}

/// The words that a tag's value can be.
fn of_tag(entry: &Entry, tag: &str) -> &'static [&'static str] {
    match by_prefix(tag, &entry.tags()) {
        Match::One(tag) => {
            entry.parameters.iter().find(|parameter| parameter.tag == tag).map_or(&[], |p| p.kind.keywords())
        }
        _ => &[],
    }
}

/// The command of the words before, and how many of them are its name.
fn command(context: Context, before: &[Word]) -> Option<(&'static Entry, usize)> {
    let (context, used) = descend(context, before);
    let verb = named(before.get(used)?, &context.verbs())?;
    let mut entries = context.entries().iter().filter(|entry| entry.verb == verb);
    if let Some(entry) = entries.clone().next().filter(|entry| entry.object.is_empty()) {
        return Some((entry, used + 1));
    }
    let objects: Vec<_> = entries.clone().map(|entry| entry.object).collect();
    let object = named(before.get(used + 1)?, &objects)?;
    entries.find(|entry| entry.object == object).map(|entry| (entry, used + 2))
}

fn named(word: &Word, names: &[&'static str]) -> Option<&'static str> {
    match by_prefix(&word.text(), names) {
        Match::One(name) => Some(name),
        _ => None,
    }
}

/// The context that words lead to, and how many they are.
fn descend(mut context: Context, before: &[Word]) -> (Context, usize) {
    context = where_known(context, before);
    let mut used = 0;
    while let Some(child) = before.get(used).and_then(|word| named(word, &names(context))) {
        match context.children().iter().find(|(name, _)| *name == child) {
            Some((_, child)) => context = *child,
            None => break,
        }
        used += 1;
    }
    (context, used)
}

/// True if a line is no more than the names of a context and of a command, with which no value can stand.
pub(crate) fn has_names_only(context: Context, words: &[Word]) -> bool {
    let used = match command(context, words) {
        Some((_, used)) => used,
        None => {
            let (inner, used) = descend(context, words);
            used + usize::from(words.get(used).is_some_and(|word| named(word, &inner.verbs()).is_some()))
        }
    };
    used == words.len()
}

fn candidates(context: Context, before: &[Word]) -> Vec<String> {
    let owned = |names: &[&'static str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    if let Some((entry, used)) = command(context, before) {
        let given = before.get(used..).unwrap_or_default();
        let is_given = |tag: &str| {
            let given_tag = |word: &Word| word.equals().map(|at| word.head(at).text());
            given
                .iter()
                .filter_map(given_tag)
                .any(|own| by_prefix(&own, &entry.tags()) == Match::One(entry_tag(entry, tag)))
        };
        let wanted = entry.parameters.iter().filter(|p| p.need == Need::Repeated || !is_given(p.tag));
        return wanted
            .flat_map(|parameter| match parameter.kind {
                Kind::All => vec!["all".to_owned()],
                Kind::OneOrAll => vec![format!("{}=", parameter.tag), "all".to_owned()],
                Kind::RuleOrAll => vec![format!("{}=", parameter.tag), "all".to_owned(), "default".to_owned()],
                _ => vec![format!("{}=", parameter.tag)],
            })
            .collect();
    }
    let (inner, used) = descend(context, before);
    match before.get(used) {
        // A verb without its object.
        Some(word) => match named(word, &inner.verbs()) {
            Some(verb) if before.len() == used + 1 => {
                let objects: Vec<_> = inner.entries().iter().filter(|e| e.verb == verb).map(|e| e.object).collect();
                owned(&objects)
            }
            _ => Vec::new(),
        },
        None if before.is_empty() => {
            let mut all = owned(&names(context));
            all.extend(owned(&EVERYWHERE));
            all
        }
        None => owned(&names(inner)),
    }
}

/// The tag as the table has it.
fn entry_tag(entry: &Entry, tag: &str) -> &'static str {
    entry.parameters.iter().find(|parameter| parameter.tag == tag).map_or("", |parameter| parameter.tag)
}
