//! One command of PowerShell: its words, and what of it cannot be known.
use super::super::super::language::lexer::{Placed, Word};
use super::super::variables::Variables;
use crate::document::Position;

/// Room for a word at once: what grows leaves copies behind. Longer ones are no keys.
const ROOM: usize = 1024;

/// The words of one command, or what is wrong with it.
pub(super) struct Command {
    pub(super) words: Vec<Word>,
    /// As it was written.
    pub(super) text: String,
    /// What of that stands outside quotes.
    pub(super) bare: String,
    pub(super) at: Option<Position>,
    /// That an ampersand stands before it: the first word is called, be it in a variable.
    pub(super) is_called: bool,
    pub(super) wrong: Option<(Position, String)>,
    /// What parts it from the next.
    pub(super) end: End,
}

/// What stands behind a command.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The end of the line, `;` or `&`.
    Nothing,
    /// `|`.
    Pipe,
    /// `&&` or `||`.
    Condition(&'static str),
}

impl Command {
    /// How many brackets it opens and closes.
    pub(super) fn brackets(&self) -> (usize, usize) {
        let count = |signs: &str| self.bare.chars().filter(|c| signs.contains(*c)).count();
        (count("({"), count(")}"))
    }

    fn wrong(&mut self, at: Position, why: impl FnOnce() -> String) {
        if self.wrong.is_none() {
            self.wrong = Some((at, why()));
        }
    }
}

/// A word that is being read: its characters, where it begins, and whether it has quotes.
type Begun = Option<(Vec<Placed>, Position, bool)>;

fn finish(word: &mut Begun, words: &mut Vec<Word>) {
    if let Some((characters, at, quotes)) = word.take() {
        let word = Word::new(characters, at).with_escapes();
        words.push(if quotes { word.with_quotes() } else { word });
    }
}

/// Takes a command off the line. Commands are parted by `;`, `|` and `&`.
pub(super) fn command<'a>(line: &'a [Placed], variables: &Variables) -> (Command, &'a [Placed]) {
    let mut found = Command {
        words: Vec::new(),
        text: String::new(),
        bare: String::new(),
        at: None,
        is_called: false,
        wrong: None,
        end: End::Nothing,
    };
    let mut word: Begun = None;
    let mut quote: Option<(char, Position)> = None;
    let mut at = 0;
    while let Some(placed) = line.get(at) {
        at += 1;
        let character = placed.character;
        let next = line.get(at).map(|next| next.character);
        if placed.quoted {
            found.wrong(placed.at, || "this text goes over several lines; allowed: text in one".to_owned());
            continue;
        }
        if quote.is_none() {
            // An ampersand at the front calls what follows.
            let calls = character == '&' && next != Some('&') && found.words.is_empty() && word.is_none();
            match character {
                _ if calls => {
                    found.is_called = true;
                    continue;
                }
                '&' | '|' if next == Some(character) => {
                    at += 1;
                    found.end = End::Condition(if character == '&' { "&&" } else { "||" });
                    break;
                }
                '|' => {
                    found.end = End::Pipe;
                    break;
                }
                ';' | '&' => break,
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
            found.bare.push(character);
        }
        found.text.push(character);
        if character.is_whitespace() && quote.is_none() {
            finish(&mut word, &mut found.words);
            continue;
        }
        found.at = found.at.or(Some(placed.at));
        let begins_word = word.is_none();
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
                let length = name.chars().count();
                let behind = rest.get(length).map(|next| next.character);
                // `$env:NAME`, and what is within a value, as `$value.Length`.
                let is_part = behind == Some(':') || begins_word && matches!(behind, Some('.' | '['));
                let is_target = found.words.is_empty() && begins_word && !found.is_called;
                match variables.get(&name).filter(|_| !is_target && !is_part) {
                    Some(value) => {
                        value.chars().for_each(|character| push(character, quote.is_some()));
                        // What is outside quotes is part of no name.
                        if quote.is_none() {
                            found.bare.push_str(&name);
                        }
                        at += length;
                    }
                    // What is set, and what is unknown.
                    None => {
                        push('$', quote.is_some());
                        if !is_target {
                            let told = variables.names(&name).then(|| format!("the variable ${name}"));
                            found.wrong(placed.at, || {
                                let told = told.as_deref().unwrap_or("this variable");
                                format!("{told} is not set in this script to a text")
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
