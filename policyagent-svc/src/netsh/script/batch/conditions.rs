//! What stands before a command and says whether, and how often, it is carried out; and where a script jumps to.
use std::collections::BTreeSet;

use super::super::super::language::lexer::Placed;
use super::{is_blank, is_remark, text_of};

/// How many characters of a command are before what it carries out, as `if not exist FILE`, and the word that makes it
/// depend on something. Without such a word they are none.
pub(super) fn before_body(command: &[Placed]) -> (usize, Option<&'static str>) {
    let mut at = 0;
    let mut behind = None;
    loop {
        let begin = at + blanks(command, at);
        let end = begin + word(command, begin);
        let found = text_of(command.get(begin..end).unwrap_or_default()).to_ascii_lowercase();
        let (name, length) = match found.as_str() {
            "if" => ("if", condition(command, end)),
            "for" => ("for", list(command, end)),
            "else" => ("else", end),
            "do" => ("do", end),
            _ => return (at, behind),
        };
        behind = behind.or(Some(name));
        at = length;
    }
}

/// True if what is read of a command so far is a condition or a loop: a bracket then opens a block.
pub(super) fn opens(command: &[Placed]) -> bool {
    let name =
        command.iter().skip_while(|placed| is_blank(placed)).take_while(|placed| !placed.character.is_whitespace());
    // No more than is needed to know.
    let name: String = name.take(5).map(|placed| placed.character.to_ascii_lowercase()).collect();
    matches!(name.as_str(), "if" | "for" | "else" | "do")
}

/// True if the bracket behind this has what a loop goes through.
pub(super) fn is_before_list(command: &[Placed]) -> bool {
    let is_in = |text: String| text.split_whitespace().next_back().is_some_and(|last| last.eq_ignore_ascii_case("in"));
    opens(command) && is_in(text_of(command))
}

fn blanks(command: &[Placed], from: usize) -> usize {
    command.iter().skip(from).take_while(|placed| is_blank(placed)).count()
}

/// The length of a word; quotes hold it together.
fn word(command: &[Placed], from: usize) -> usize {
    let mut quoted = false;
    let within = |placed: &&Placed| {
        quoted ^= placed.character == '"' && !placed.quoted;
        quoted || placed.quoted || !placed.character.is_whitespace()
    };
    command.iter().skip(from).take_while(within).count()
}

/// Where the condition of `if` ends.
fn condition(command: &[Placed], from: usize) -> usize {
    let mut at = from;
    let mut next = || {
        let begin = at + blanks(command, at);
        at = begin + word(command, begin);
        (text_of(command.get(begin..at).unwrap_or_default()).to_ascii_lowercase(), at)
    };
    let (mut first, mut end) = next();
    while matches!(first.as_str(), "/i" | "not") {
        (first, end) = next();
    }
    if matches!(first.as_str(), "exist" | "defined" | "errorlevel" | "cmdextversion") {
        return next().1;
    }
    // `A==B`, `A== B`, `A ==B`, `A == B`, `A equ B`.
    if first.contains("==") {
        return if first.ends_with("==") { next().1 } else { end };
    }
    let (operator, end) = next();
    if operator.starts_with("==") && operator.len() > 2 { end } else { next().1 }
}

/// Where the list of `for` ends. What stands behind it begins with `do`.
fn list(command: &[Placed], from: usize) -> usize {
    let mut at = from;
    loop {
        let begin = at + blanks(command, at);
        let end = begin + word(command, begin);
        let found = text_of(command.get(begin..end).unwrap_or_default());
        if end == begin || found.eq_ignore_ascii_case("do") {
            return begin;
        }
        at = end;
    }
}

/// The labels to which a script jumps.
pub(super) struct Targets {
    names: BTreeSet<String>,
    /// That some are in variables.
    any: bool,
}

impl Targets {
    /// Those that a script names. What only looks like a jump counts too.
    pub(super) fn of(text: &str) -> Self {
        let mut targets = Self { names: BTreeSet::new(), any: false };
        for line in text.lines().filter(|line| !is_remark(line.trim_start().trim_start_matches('@').trim_start())) {
            let mut words = line.split(|c: char| c.is_whitespace() || "()&|@,;=".contains(c)).filter(|w| !w.is_empty());
            while let Some(word) = words.next() {
                let word = word.to_ascii_lowercase();
                let target = match word.strip_prefix("goto:").or_else(|| word.strip_prefix("call:")) {
                    Some(target) => target.to_owned(),
                    None if word == "goto" => words.next().unwrap_or_default().to_ascii_lowercase(),
                    None if word == "call" => match words.next() {
                        Some(target) if target.starts_with(':') => target.to_ascii_lowercase(),
                        _ => continue,
                    },
                    None => continue,
                };
                targets.any |= target.contains(['%', '!']);
                targets.names.insert(target.trim_start_matches(':').to_owned());
            }
        }
        targets
    }

    /// True if the script may jump to this label.
    pub(super) fn has(&self, label: &str) -> bool {
        let name = label.trim_start().split(|c: char| c.is_whitespace() || ":+,;=&|<>".contains(c)).next();
        self.any || self.names.contains(&name.unwrap_or_default().to_ascii_lowercase())
    }
}
