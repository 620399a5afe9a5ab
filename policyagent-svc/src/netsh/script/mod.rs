//! Scripts: what netsh is to do, found in netsh's own scripts, in batch files and in scripts of PowerShell.
//!
//! Nothing of a batch file is ever executed but its netsh commands; what is left out is told.
mod batch;
mod decode;
mod powershell;
#[cfg(test)]
mod tests;
mod variables;

pub(crate) use decode::decode;

use std::path::Path;

use super::language::lexer::{Placed, Word, placed, words};
use super::language::{LanguageError, Problem};
use crate::document::Position;

/// What a script is written in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Dialect {
    /// netsh's own: a command a line, the context is remembered.
    Netsh,
    /// A batch file: a netsh of its own each time.
    Batch,
    /// PowerShell: likewise.
    PowerShell,
}

impl Dialect {
    /// What a file is by its name.
    pub(crate) fn of_name(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "cmd" | "bat" => Some(Self::Batch),
            "ps1" => Some(Self::PowerShell),
            _ => None,
        }
    }

    /// What a file is, by its name, or else by what is in it.
    pub(crate) fn of(path: &Path, text: &str) -> Self {
        let by_text = || if line_for_batch(text).is_some() { Self::Batch } else { Self::Netsh };
        Self::of_name(path).unwrap_or_else(by_text)
    }

    /// True if each command is a netsh of its own.
    pub(crate) const fn starts_anew(self) -> bool {
        !matches!(self, Self::Netsh)
    }
}

/// A part of a script.
#[derive(PartialEq, Eq, Debug)]
pub(crate) struct Statement {
    /// Where it begins.
    pub(crate) at: Position,
    pub(crate) kind: StatementKind,
}

/// What a part of a script is.
#[derive(PartialEq, Eq, Debug)]
pub(crate) enum StatementKind {
    /// Words for netsh.
    Netsh(Vec<Word>),
    /// Something else, which is left out: what, and why.
    Skipped(String),
    /// What cannot be read, or must not be left out.
    Wrong(LanguageError),
}

impl Statement {
    const fn skipped(at: Position, what: String) -> Self {
        Self { at, kind: StatementKind::Skipped(what) }
    }

    fn wrong(at: Position, text: &str) -> Self {
        let error = LanguageError::new(at, Problem::Together(text.to_owned()));
        Self { at, kind: StatementKind::Wrong(error) }
    }

    /// Of netsh that may be carried out, or not.
    fn uncertain(at: Position, behind: &str) -> Self {
        let text = format!(
            "netsh stands behind {behind}, and whether it is to run cannot be known; allowed: netsh as a command of its own"
        );
        Self::wrong(at, &text)
    }

    /// Of netsh within another command.
    fn not_carried_out(at: Position, command: &str) -> Self {
        let text = format!(
            "netsh stands behind {:?}, which is not carried out; allowed: netsh as a command of its own",
            first_word(command)
        );
        Self::wrong(at, &text)
    }

    fn of_words(at: Position, words: Result<Vec<Word>, LanguageError>) -> Self {
        let kind = match words {
            Ok(words) => StatementKind::Netsh(words),
            Err(error) => StatementKind::Wrong(error),
        };
        Self { at, kind }
    }
}

/// The parts of a script, in order. Comments and empty lines are none.
pub(crate) fn statements(dialect: Dialect, text: &str) -> Vec<Statement> {
    match dialect {
        Dialect::Netsh => lines(text).filter_map(|(number, line)| plain(number, line)).collect(),
        Dialect::Batch => batch::statements(text),
        Dialect::PowerShell => powershell::statements(text),
    }
}

/// The line that only a batch file has.
fn line_for_batch(text: &str) -> Option<usize> {
    lines(text).find(|(_, line)| batch::is_for_batch(line)).map(|(number, _)| number)
}

/// The parts of a script of which only its text says what it is. One that is taken for a batch file, and of which nothing
/// would be done, is probably none.
pub(crate) fn statements_of_guess(dialect: Dialect, text: &str) -> Vec<Statement> {
    let mut statements = statements(dialect, text);
    let does_nothing = statements.iter().all(|statement| matches!(statement.kind, StatementKind::Skipped(_)));
    if let Some(line) = line_for_batch(text).filter(|_| dialect == Dialect::Batch && does_nothing) {
        let text = "by this line the script is a batch file, but it calls netsh nowhere; allowed: --dialect netsh, if its \
                    commands are netsh's own";
        statements.push(Statement::wrong(Position { line, column: 1 }, text));
    }
    statements
}

/// The lines with their numbers, whichever way they end.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().map(|(index, line)| (index + 1, line.trim_end_matches('\r')))
}

/// A line of netsh's own scripts.
fn plain(number: usize, line: &str) -> Option<Statement> {
    let trimmed = line.trim_start();
    if trimmed.is_empty() || trimmed.starts_with('#') {
        return None;
    }
    let placed = placed(line, number);
    let at = first_place(&placed)?;
    Some(Statement::of_words(at, words(&placed)))
}

/// Where the first character that is no blank stands.
fn first_place(line: &[Placed]) -> Option<Position> {
    line.iter().find(|placed| !placed.character.is_whitespace()).map(|placed| placed.at)
}

/// True if a word calls netsh, by whichever path.
fn is_netsh(word: &str) -> bool {
    let name = word.rsplit(['\\', '/']).next().unwrap_or_default().to_ascii_lowercase();
    name == "netsh" || name == "netsh.exe"
}

/// The words of a text, be they in quotes or brackets.
fn words_within(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| c.is_whitespace() || "\"'()&|;@{}=".contains(c))
}

/// True if netsh is among the words of a text.
fn names_netsh(text: &str) -> bool {
    words_within(text).any(is_netsh)
}

/// True if this word, in whatever case, is among the words of a text.
fn names(text: &str, word: &str) -> bool {
    words_within(text).any(|own| own.eq_ignore_ascii_case(word))
}

/// The beginning of a text, for messages: never more, as it may hold a key.
fn first_word(text: &str) -> String {
    let word: String = text.split_whitespace().next().unwrap_or_default().chars().take(40).collect();
    word.split('=').next().unwrap_or_default().to_owned()
}
