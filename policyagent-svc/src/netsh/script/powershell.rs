//! Scripts of PowerShell, as far as they call netsh with words.
use super::super::language::lexer::{Placed, Word, placed};
use super::variables::Variables;
use super::{Statement, first_word, is_netsh, lines, names_netsh};
use crate::document::Position;

/// As many physical lines as may be joined.
const MOST_JOINED: usize = 1000;

/// Room for a word at once: what grows leaves copies behind. Longer ones are no keys.
const ROOM: usize = 1024;

pub(super) fn statements(text: &str) -> Vec<Statement> {
    let mut statements = Vec::new();
    let mut variables = Variables::none();
    let mut lines = lines(text);
    while let Some((number, line)) = lines.next() {
        let mut line = placed(line, number);
        let mut joined = 0;
        while line.last().is_some_and(|last| last.character == '`') && joined < MOST_JOINED {
            line.pop();
            let Some((number, next)) = lines.next() else { break };
            line.extend(placed(next, number));
            joined += 1;
        }
        let mut rest = line.as_slice();
        while !rest.is_empty() {
            let (command, behind) = command(rest, &variables);
            rest = behind;
            statements.extend(read(command, &mut variables));
        }
    }
    statements
}

/// The words of one command, or what is wrong with it.
struct Command {
    words: Vec<Word>,
    /// As it was written.
    text: String,
    at: Option<Position>,
    wrong: Option<(Position, String)>,
}

/// Takes a command off the line. Commands are parted by `;`, `|` and `&`.
fn command<'a>(line: &'a [Placed], variables: &Variables) -> (Command, &'a [Placed]) {
    let mut found = Command { words: Vec::new(), text: String::new(), at: None, wrong: None };
    let mut word: Option<(Vec<Placed>, Position, bool)> = None;
    let mut quote: Option<(char, Position)> = None;
    let mut at = 0;
    let finish = |word: &mut Option<(Vec<Placed>, Position, bool)>, words: &mut Vec<Word>| {
        if let Some((characters, at, quotes)) = word.take() {
            let word = Word::new(characters, at).with_escapes();
            words.push(if quotes { word.with_quotes() } else { word });
        }
    };
    while let Some(placed) = line.get(at) {
        at += 1;
        let character = placed.character;
        let next = line.get(at).map(|next| next.character);
        if quote.is_none() {
            // An ampersand at the front calls what follows.
            let calls = character == '&' && found.words.is_empty() && word.is_none();
            match character {
                _ if calls => continue,
                ';' | '|' | '&' => break,
                '#' if word.is_none() => {
                    at = line.len();
                    break;
                }
                '>' | '<' => {
                    // `2>`, `>> file`, `> $null`: nothing of it is netsh's.
                    if word
                        .as_ref()
                        .is_some_and(|(text, ..)| matches!(text.as_slice(), [one] if one.character.is_ascii_digit()))
                    {
                        word = None;
                    }
                    at += redirected(line.get(at..).unwrap_or_default());
                    continue;
                }
                _ => {}
            }
        }
        found.text.push(character);
        if character.is_whitespace() && quote.is_none() {
            finish(&mut word, &mut found.words);
            continue;
        }
        found.at = found.at.or(Some(placed.at));
        let (characters, _, quotes) =
            word.get_or_insert_with(|| (Vec::with_capacity(line.len().min(ROOM)), placed.at, false));
        let mut push = |character: char, quoted: bool| characters.push(Placed { character, quoted, ..*placed });
        match (quote.map(|(mark, _)| mark), character) {
            (None, '\'' | '"') => {
                quote = Some((character, placed.at));
                *quotes = true;
            }
            // A quote that is doubled is one.
            (Some(mark), _) if character == mark && next == Some(mark) => {
                push(character, true);
                at += 1;
            }
            (Some(mark), _) if character == mark => quote = None,
            (None | Some('"'), '`') => {
                if let Some(next) = line.get(at) {
                    push(next.character, true);
                    at += 1;
                }
            }
            (None | Some('"'), '$') => {
                let rest = line.get(at..).unwrap_or_default();
                let name: String =
                    rest.iter().map(|next| next.character).take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                let is_target = found.words.is_empty() && found.text == "$";
                match variables.get(&name) {
                    Some(value) if !is_target => {
                        value.chars().for_each(|character| push(character, quote.is_some()));
                        at += name.chars().count();
                    }
                    // What is set, and what is unknown.
                    _ => {
                        push('$', quote.is_some());
                        if !is_target {
                            found.wrong = found.wrong.or_else(|| {
                                Some((placed.at, format!("the variable ${name} is not set in this script to a text")))
                            });
                        }
                    }
                }
            }
            (Some(_), _) => push(character, true),
            // What netsh takes for a quote is, outside PowerShell's own, never one.
            (None, _) => push(character, false),
        }
    }
    if let Some((_, place)) = quote {
        found.wrong = Some((place, "a quote is opened here, and not closed".to_owned()));
    }
    finish(&mut word, &mut found.words);
    (found, line.get(at..).unwrap_or_default())
}

/// The length of what a redirection is to.
fn redirected(rest: &[Placed]) -> usize {
    let is = |index: usize, wanted: char| rest.get(index).is_some_and(|placed| placed.character == wanted);
    let mut at = usize::from(is(0, '>'));
    if is(at, '&') {
        return at + 2;
    }
    let length = |from: usize, within: fn(char) -> bool| {
        rest.iter().skip(from).take_while(|placed| within(placed.character)).count()
    };
    at += length(at, char::is_whitespace);
    at + length(at, |c| !c.is_whitespace() && c != ';')
}

fn read(command: Command, variables: &mut Variables) -> Option<Statement> {
    let Command { mut words, text, at, wrong } = command;
    let at = at?;
    let first = words.first().map(Word::text).unwrap_or_default();
    if is_netsh(&first) {
        return Some(match wrong {
            Some((at, wrong)) => Statement::wrong(at, &wrong),
            None => {
                words.remove(0);
                Statement::of_words(at, Ok(words))
            }
        });
    }
    if let Some(name) = first.strip_prefix('$') {
        return Some(assign(at, name, &words, wrong.is_some(), variables));
    }
    let is_told = ["write-host", "write-output", "echo"].iter().any(|name| first.eq_ignore_ascii_case(name));
    if names_netsh(&text) && !is_told {
        let text = format!(
            "netsh stands behind {:?}, which is not carried out; allowed: netsh as a command of its own",
            first_word(&text)
        );
        return Some(Statement::wrong(at, &text));
    }
    Some(Statement::skipped(at, format!("{:?}: only netsh is carried out", first_word(&text))))
}

/// `$name = 'text'`, and nothing more than a text.
fn assign(at: Position, name: &str, words: &[Word], wrong: bool, variables: &mut Variables) -> Statement {
    let (name, value) = match (name.split_once('='), words) {
        (Some((name, value)), [word]) if word.has_quotes() => (name.to_owned(), Some(value.to_owned())),
        (None, [_, equals, value]) if equals.is("=") && value.has_quotes() => {
            (name.to_owned(), Some(value.text().to_string()))
        }
        (found, _) => (found.map_or(name, |(name, _)| name).to_owned(), None),
    };
    let value = value.filter(|_| !wrong);
    variables.set(&name, value.as_deref().unwrap_or_default());
    match value {
        Some(_) => Statement::skipped(at, format!("the variable ${name} is set for this script")),
        None => Statement::skipped(at, format!("the variable ${name} is set to what is no text")),
    }
}
