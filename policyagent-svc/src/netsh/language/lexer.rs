//! Words of a line: blanks part them, quotes hold them together, and each character knows where it stood.
use zeroize::{Zeroize as _, Zeroizing};

use super::error::{LanguageError, Problem};
use crate::document::Position;

/// A character, and where it stands in what was written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Placed {
    pub(crate) character: char,
    pub(crate) at: Position,
    /// Within quotes, where it is itself and nothing else.
    pub(crate) quoted: bool,
}

/// A word. It may hold a secret and is wiped when dropped; `Debug` prints its place only.
#[derive(PartialEq, Eq)]
pub(crate) struct Word {
    characters: Vec<Placed>,
    at: Position,
    origin: Origin,
}

/// How a word was written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Origin {
    Bare,
    /// With quotes, which may have had nothing between them.
    WithQuotes,
    /// In a command line; the shell does not tell of quotes.
    Argument,
}

impl core::fmt::Debug for Word {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Word({}:{})", self.at.line, self.at.column)
    }
}

impl Drop for Word {
    fn drop(&mut self) {
        self.characters.iter_mut().for_each(|placed| placed.character.zeroize());
    }
}

impl Word {
    /// A word of these characters that begins at a place.
    pub(crate) const fn new(characters: Vec<Placed>, at: Position) -> Self {
        Self { characters, at, origin: Origin::Bare }
    }

    /// As if there had been quotes.
    pub(crate) const fn with_quotes(mut self) -> Self {
        self.origin = Origin::WithQuotes;
        self
    }

    /// With a double quote for each `\'`, as if netsh itself had read the quotes.
    pub(crate) fn with_escapes(mut self) -> Self {
        let mut kept = 0_usize;
        for index in 0..self.characters.len() {
            let placed = self.characters[index];
            match kept.checked_sub(1).map(|last| &mut self.characters[last]) {
                Some(last) if placed.character == '\'' && last.character == '\\' => last.character = '"',
                _ => {
                    self.characters[kept] = placed;
                    kept += 1;
                }
            }
        }
        self.characters.iter_mut().skip(kept).for_each(|placed| placed.character.zeroize());
        self.characters.truncate(kept);
        self
    }

    /// Where it begins.
    pub(crate) const fn at(&self) -> Position {
        self.at
    }

    /// Where a character of it stands, or would stand behind the last.
    pub(crate) fn place(&self, index: usize) -> Position {
        let behind = |last: &Placed| Position { column: last.at.column + 1, ..last.at };
        let found = self.characters.get(index).map(|placed| placed.at);
        found.or_else(|| self.characters.last().map(behind)).unwrap_or(self.at)
    }

    /// What it says.
    pub(crate) fn text(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(self.characters.len() * 4));
        text.extend(self.characters.iter().map(|placed| placed.character));
        text
    }

    /// True if it is this word, in whatever case and without quotes.
    pub(crate) fn is(&self, word: &str) -> bool {
        let bare = |placed: &Placed| (!placed.quoted).then_some(placed.character.to_ascii_lowercase());
        self.characters.iter().map(bare).eq(word.chars().map(Some))
    }

    /// Where the first `=` outside quotes stands.
    pub(crate) fn equals(&self) -> Option<usize> {
        self.characters.iter().position(|placed| placed.character == '=' && !placed.quoted)
    }

    /// Where the first `=` stands, be it within quotes.
    pub(crate) fn quoted_equals(&self) -> Option<usize> {
        self.characters.iter().position(|placed| placed.character == '=')
    }

    /// True if it was written with quotes.
    pub(crate) fn has_quotes(&self) -> bool {
        self.origin == Origin::WithQuotes
    }

    /// True if more than its first `length` characters stand in it, be it no more than quotes.
    pub(crate) fn has_more_than(&self, length: usize) -> bool {
        self.characters.len() > length || self.origin == Origin::WithQuotes
    }

    /// Nothing, in the place of this word; only if this is an argument of a command line, where it could be meant.
    pub(crate) fn nothing(&self) -> Option<Self> {
        (self.origin == Origin::Argument).then(|| self.head(0))
    }

    /// The characters from `from` on, as a word.
    pub(crate) fn tail(&self, from: usize) -> Self {
        let characters = self.characters.get(from..).unwrap_or_default().to_vec();
        let at = characters.first().map_or(self.at, |placed| placed.at);
        Self { characters, at, origin: self.origin }
    }

    /// The characters before `to`, as a word.
    pub(crate) fn head(&self, to: usize) -> Self {
        Self { characters: self.characters.get(..to).unwrap_or_default().to_vec(), at: self.at, origin: self.origin }
    }

    /// An argument of a command line, whose quotes the shell has taken off, in column `column` of the whole. Quotes around
    /// a whole value were meant for netsh and are taken off too; `\'` is a double quote.
    pub(crate) fn of_argument(argument: &str, column: usize) -> Self {
        let text = match argument.split_once('=') {
            Some((tag, value)) => Zeroizing::new(format!("{tag}={}", unquoted(value))),
            None => Zeroizing::new(unquoted(argument).to_owned()),
        };
        let text = Zeroizing::new(text.replace("\\'", "\""));
        let placed = |(index, character)| {
            let at = Position { line: 1, column: column + index };
            Placed { character, at, quoted: false }
        };
        let characters = text.chars().enumerate().map(placed).collect();
        Self { characters, at: Position { line: 1, column }, origin: Origin::Argument }
    }
}

/// The text without quotes around it, if there are none within.
fn unquoted(text: &str) -> &str {
    let inner = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    inner.filter(|inner| !inner.contains('"')).unwrap_or(text)
}

/// The characters of one line of text.
pub(crate) fn placed(text: &str, line: usize) -> Vec<Placed> {
    let each = text.chars().enumerate();
    each.map(|(index, character)| Placed { character, at: Position { line, column: index + 1 }, quoted: false })
        .collect()
}

/// The words of a line. Quotes may stand anywhere in a word; within them `\'` is a double quote.
pub(crate) fn words(line: &[Placed]) -> Result<Vec<Word>, LanguageError> {
    let mut words = Vec::new();
    let mut rest = line;
    loop {
        let blanks = rest.iter().take_while(|placed| placed.character.is_whitespace()).count();
        rest = rest.get(blanks..).unwrap_or_default();
        if rest.is_empty() {
            return Ok(words);
        }
        let (whole, behind) = rest.split_at(word_length(rest));
        words.push(word(whole)?);
        rest = behind;
    }
}

/// The length of the word that a line begins with, quotes included.
fn word_length(line: &[Placed]) -> usize {
    let mut quoted = false;
    let within = |placed: &&Placed| {
        quoted ^= placed.character == '"';
        quoted || !placed.character.is_whitespace()
    };
    line.iter().take_while(within).count()
}

fn word(whole: &[Placed]) -> Result<Word, LanguageError> {
    let at = whole.first().map_or(Position { line: 1, column: 1 }, |first| first.at);
    // Room for all of it at once: what grows leaves copies behind.
    let mut word = Word::new(Vec::with_capacity(whole.len()), at);
    let mut quote = None;
    let mut rest = whole.iter().peekable();
    while let Some(placed) = rest.next() {
        match (placed.character, quote) {
            ('"', None) => {
                quote = Some(placed.at);
                word.origin = Origin::WithQuotes;
            }
            ('"', Some(_)) => quote = None,
            ('\\', Some(_)) if rest.next_if(|next| next.character == '\'').is_some() => {
                word.characters.push(Placed { character: '"', quoted: true, ..*placed });
            }
            (_, quote) => word.characters.push(Placed { quoted: quote.is_some(), ..*placed }),
        }
    }
    match quote {
        Some(at) => Err(LanguageError::new(at, Problem::OpenQuote)),
        None => Ok(word),
    }
}
