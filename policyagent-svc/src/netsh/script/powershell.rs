//! Scripts of PowerShell, as far as they call netsh with words.
//!
//! As in batch files, only what is certain to be reached is carried out: netsh within braces and brackets, behind `&&` and
//! `||`, and behind what ends a script is an error.
mod command;
mod lines;

use self::command::{Command, End, command};
use super::super::language::lexer::Word;
use super::variables::Variables;
use super::{Statement, StatementKind, first_word, is_netsh, names, names_netsh};
use crate::document::Position;

pub(super) fn statements(text: &str) -> Vec<Statement> {
    let mut reader =
        Reader { variables: Variables::none(), depth: 0, in_function: false, jump: None, statements: Vec::new() };
    let mut lines = super::lines(text);
    while let Some(line) = lines::next(&mut lines) {
        let mut rest = line.characters.as_slice();
        let mut chain = None;
        while !rest.is_empty() {
            let (command, behind) = command(rest, &reader.variables);
            rest = behind;
            let end = command.end;
            reader.command(command, chain);
            chain = match end {
                End::Nothing => None,
                End::Pipe => chain,
                End::Condition(sign) => Some(sign),
            };
        }
        if let Some((at, what)) = line.open {
            reader.open(at, what);
        }
    }
    reader.statements
}

/// Reads a script command by command.
struct Reader {
    variables: Variables,
    /// How many brackets are open.
    depth: usize,
    /// That they are those of a function.
    in_function: bool,
    /// What the rest of the script may not be reached for.
    jump: Option<String>,
    statements: Vec<Statement>,
}

impl Reader {
    /// Tells what is never closed, once.
    fn open(&mut self, at: Position, what: &str) {
        let is_told = |statement: &Statement| matches!(&statement.kind, StatementKind::Wrong(error) if error.at == at);
        if !self.statements.last().is_some_and(is_told) {
            self.statements.push(Statement::wrong(at, what));
        }
    }

    /// Reads a command; `chain` is the sign before it that makes it depend on the one before.
    fn command(&mut self, command: Command, chain: Option<&'static str>) {
        let Some(at) = command.at else { return };
        let first = command.words.first().map(|word| word.text().to_lowercase()).unwrap_or_default();
        let is_outermost = self.depth == 0;
        if is_outermost {
            self.in_function = matches!(first.as_str(), "function" | "filter" | "workflow");
        }
        let behind = match chain {
            _ if !is_outermost => Some("an open bracket".to_owned()),
            Some(sign) => Some(format!("{sign:?}")),
            None => self.jump.clone(),
        };
        let (opened, closed) = command.brackets();
        self.depth = (self.depth + opened).saturating_sub(closed);
        let statement = if let Some(index) = netsh_at(&command.words) {
            if index > 0 || first.starts_with('$') {
                self.variables.forget(name_of(&first));
            }
            netsh(command, index, behind.as_deref())
        } else if is_told(&first, &command) {
            told(at, &command.text)
        } else {
            self.other(command, at, &first, is_outermost, behind)
        };
        self.statements.push(statement);
    }

    /// What another command changes for those that follow, and what is said of it.
    fn other(
        &mut self,
        command: Command,
        at: Position,
        first: &str,
        is_outermost: bool,
        behind: Option<String>,
    ) -> Statement {
        // What is set here is known below, if it is.
        assigned(&command.bare).for_each(|name| self.variables.forget(name));
        if matches!(first, "." | "iex" | "invoke-expression") || first.ends_with("-variable") {
            self.variables.forget_all();
        }
        let ends = |word: &&str| match *word {
            "return" if self.in_function => false,
            "break" => is_outermost && first == "break",
            word => names(&command.bare, word),
        };
        if let Some(word) = ["exit", "throw", "return", "break"].into_iter().find(ends) {
            self.jump.get_or_insert_with(|| format!("the {word} of line {}", at.line));
        }
        let Command { words, text, bare, wrong, is_called, .. } = command;
        // Text that is only kept is not carried out.
        let is_kept = first.starts_with('$') && !is_called && !text.contains("$(");
        let has_netsh = if is_kept {
            names_netsh(&bare)
        } else {
            words.iter().any(|word| names_netsh(&word.text())) || names_netsh(&text)
        };
        if has_netsh {
            return Statement::not_carried_out(at, &text);
        }
        match wrong {
            // What is called by a variable may be netsh.
            Some((at, wrong)) if is_called && names(&text, "ipsec") => Statement::wrong(at, &wrong),
            wrong if first.starts_with('$') => self.assign(at, &words, wrong.is_none() && behind.is_none()),
            _ => told(at, &text),
        }
    }

    /// `$name = 'text'`, and nothing more than a text.
    fn assign(&mut self, at: Position, words: &[Word], certain: bool) -> Statement {
        let first = words.first().map(Word::text).unwrap_or_default();
        let name = name_of(&first);
        if name.is_empty() {
            return Statement::skipped(at, "an expression: only netsh is carried out".to_owned());
        }
        let value = match (first.split_once('='), words) {
            (Some((before, value)), [word]) if word.has_quotes() && before.len() == name.len() + 1 => {
                Some(value.to_owned())
            }
            (None, [_, equals, value]) if equals.is("=") && value.has_quotes() => Some(value.text().to_string()),
            _ => None,
        };
        match value.filter(|_| certain) {
            Some(value) => {
                self.variables.set(name, &value);
                Statement::skipped(at, format!("the variable ${name} is set for this script"))
            }
            None => {
                self.variables.forget(name);
                Statement::skipped(at, format!("the variable ${name} is set to what is no text"))
            }
        }
    }
}

/// The name of the variable that a word begins with.
fn name_of(word: &str) -> &str {
    let name = word.trim_start_matches('$');
    name.split(|c: char| !(c.is_alphanumeric() || c == '_')).next().unwrap_or_default()
}

fn told(at: Position, text: &str) -> Statement {
    Statement::skipped(at, format!("{:?}: only netsh is carried out", first_word(text)))
}

/// Which word is netsh: the first one, or what a variable is set to by it.
fn netsh_at(words: &[Word]) -> Option<usize> {
    if words.first().is_some_and(|word| is_netsh(&word.text())) {
        return Some(0);
    }
    // In quotes it is a text.
    let is = |index: usize| words.get(index).is_some_and(|word| !word.has_quotes() && is_netsh(&word.text()));
    let first = words.first()?.text();
    let (_, value) = first.strip_prefix('$')?.split_once('=').unwrap_or((&first, ""));
    let equals = words.get(1).is_some_and(|word| word.is("="));
    match () {
        () if is_netsh(value) && words.first().is_some_and(|word| !word.has_quotes()) => Some(0),
        () if first.ends_with('=') && is(1) => Some(1),
        () if equals && is(2) => Some(2),
        () => None,
    }
}

fn netsh(command: Command, index: usize, behind: Option<&str>) -> Statement {
    let (opened, closed) = command.brackets();
    let Command { mut words, wrong, .. } = command;
    let at = words.get(index).map_or(Position { line: 1, column: 1 }, Word::at);
    words.drain(..=index);
    match (behind, wrong) {
        (Some(behind), _) => Statement::uncertain(at, behind),
        (None, Some((at, wrong))) => Statement::wrong(at, &wrong),
        (None, None) if opened + closed > 0 => Statement::wrong(
            at,
            "brackets outside quotes are PowerShell's own; allowed: values with brackets in quotes",
        ),
        (None, None) => Statement::of_words(at, Ok(words)),
    }
}

/// True for what only prints.
fn is_told(first: &str, command: &Command) -> bool {
    // What stands in brackets is carried out before it is printed.
    let carries_out = command.bare.contains(['(', '{']) || command.text.contains("$(");
    matches!(first, "write-host" | "write-output" | "echo") && !carries_out
}

/// The variables to which a command gives another value: `$name =`, `$name +=`, `$name++`, `foreach ($name in ...)`.
fn assigned(bare: &str) -> impl Iterator<Item = &str> {
    bare.match_indices('$').filter_map(|(at, _)| {
        let rest = bare.get(at + 1..)?;
        let rest = rest.strip_prefix('{').unwrap_or(rest);
        let length = rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':')).unwrap_or(rest.len());
        let (name, behind) = rest.split_at(length);
        let behind = behind.trim_start_matches('}').trim_start();
        let assigns = ["+=", "-=", "*=", "/=", "%=", "??=", "++", "--", ",", "in "].iter();
        let before = bare.get(..at).unwrap_or_default().trim_end();
        let is_changed = assigns.clone().any(|sign| behind.starts_with(sign))
            || behind.starts_with('=')
            || ["++", "--", "[ref]", ","].iter().any(|sign| before.ends_with(sign));
        is_changed.then(|| name.rsplit(':').next().unwrap_or_default())
    })
}
