//! Batch files of cmd.exe.
use super::super::language::lexer::{Placed, placed, words};
use super::variables::{NotFilled, Variables};
use super::{Statement, first_place, first_word, is_netsh, lines, names_netsh};
use crate::document::Position;

/// True for a line that only a batch file has.
pub(super) fn is_for_batch(line: &str) -> bool {
    let line = line.trim().trim_start_matches('@').trim_start().to_ascii_lowercase();
    let first = line.split(char::is_whitespace).next().unwrap_or_default().trim_matches('"');
    is_netsh(first) || first == "rem" || line.starts_with("::") || line.starts_with("echo off")
}

/// As many physical lines as may be joined.
const MOST_JOINED: usize = 1000;

pub(super) fn statements(text: &str) -> Vec<Statement> {
    let mut statements = Vec::new();
    let mut variables = Variables::of_windows();
    let mut lines = lines(text);
    while let Some((number, line)) = lines.next() {
        let bare = line.trim_start().trim_start_matches('@').trim_start();
        // Neither remarks nor labels are joined with what follows, nor has what is in them a meaning.
        if bare.is_empty() || is_remark(bare) {
            continue;
        }
        let mut line = placed(line, number);
        let mut joined = 0;
        while ends_in_caret(&line) && joined < MOST_JOINED {
            line.pop();
            let Some((number, next)) = lines.next() else { break };
            line.extend(placed(next, number));
            joined += 1;
        }
        let Some(at) = first_place(&line) else { continue };
        if bare.starts_with(':') {
            statements.push(Statement::skipped(at, "a label: there are no jumps".to_owned()));
            continue;
        }
        match variables.fill(&line) {
            Ok(line) => commands(&line, &mut variables, &mut statements),
            // Only for netsh does it matter what is missing.
            Err(error) if names_netsh(&text_of(&line)) && !is_told(bare) => {
                statements.push(match error {
                    NotFilled::Unknown(at, name) => Statement::wrong(
                        at,
                        &format!("the variable {name:?} is not set in this script; allowed: set NAME=VALUE before it"),
                    ),
                    NotFilled::TooLong(at) => Statement::wrong(at, "the line becomes too long by its variables"),
                });
            }
            Err(_) => statements.push(Statement::skipped(at, told(&text_of(&line)))),
        }
    }
    statements
}

fn is_remark(line: &str) -> bool {
    let rest = line.get(..3).filter(|head| head.eq_ignore_ascii_case("rem")).map(|_| line.get(3..).unwrap_or_default());
    line.starts_with("::")
        || rest.is_some_and(|rest| rest.chars().next().is_none_or(|c| !c.is_alphanumeric() && c != '.'))
}

/// True for what only prints.
fn is_told(line: &str) -> bool {
    line.get(..4).is_some_and(|head| head.eq_ignore_ascii_case("echo"))
        && line.get(4..).is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric()))
}

/// A caret that is not itself escaped joins the next line.
fn ends_in_caret(line: &[Placed]) -> bool {
    line.iter().rev().take_while(|placed| placed.character == '^').count() % 2 == 1
}

fn text_of(line: &[Placed]) -> String {
    line.iter().map(|placed| placed.character).collect()
}

/// The commands of a line: parted by `&`, `&&`, `|` and `||` outside quotes; redirections are left out, and carets that
/// escape.
fn split(line: &[Placed]) -> Vec<Vec<Placed>> {
    let mut commands = Vec::new();
    let mut command: Vec<Placed> = Vec::new();
    let mut quoted = false;
    let mut at = 0;
    while let Some(placed) = line.get(at) {
        at += 1;
        match placed.character {
            '"' => {
                quoted = !quoted;
                command.push(*placed);
            }
            '^' if !quoted => {
                command.extend(line.get(at).copied());
                at += 1;
            }
            '&' | '|' if !quoted => {
                commands.push(std::mem::take(&mut command));
            }
            '>' | '<' if !quoted => {
                // The handle before it, as in `2>`, if it stands alone.
                let handle = command.last().filter(|last| last.character.is_ascii_digit()).is_some();
                let before = command.len().checked_sub(2).and_then(|index| command.get(index));
                if handle && before.is_none_or(|before| before.character.is_whitespace()) {
                    command.pop();
                }
                at += target(line.get(at..).unwrap_or_default());
            }
            _ => command.push(*placed),
        }
    }
    commands.push(command);
    commands
}

/// The length of what a redirection is to: `> nul`, `>> "a file"`, `>&1`.
fn target(rest: &[Placed]) -> usize {
    let is = |index: usize, wanted: fn(char) -> bool| rest.get(index).is_some_and(|placed| wanted(placed.character));
    let mut at = usize::from(is(0, |c| c == '>'));
    if is(at, |c| c == '&') {
        return at + 2;
    }
    while is(at, char::is_whitespace) {
        at += 1;
    }
    let mut quoted = false;
    while let Some(placed) =
        rest.get(at).filter(|placed| quoted || !(placed.character.is_whitespace() || "&|<>".contains(placed.character)))
    {
        quoted ^= placed.character == '"';
        at += 1;
    }
    at
}

fn commands(line: &[Placed], variables: &mut Variables, statements: &mut Vec<Statement>) {
    for command in split(line) {
        let Some(at) = first_place(&command) else { continue };
        statements.extend(read(&command, at, variables));
    }
}

/// What is said of what is left out.
fn told(text: &str) -> String {
    format!("{:?}: only netsh is carried out", first_word(text))
}

fn read(command: &[Placed], at: Position, variables: &mut Variables) -> Option<Statement> {
    let blank = |placed: &&Placed| placed.character.is_whitespace() || placed.character == '@';
    let leading = command.iter().take_while(blank).count();
    let characters = command.get(leading..).unwrap_or_default();
    let text = text_of(characters);
    let first = text.split(|c: char| c.is_whitespace() || matches!(c, '(' | ',' | ';')).next().unwrap_or_default();
    if is_remark(&text) {
        return None;
    }
    if is_told(&text) {
        return Some(Statement::skipped(at, "echo prints only".to_owned()));
    }
    if first.eq_ignore_ascii_case("set") {
        return Some(set(at, text.get(3..).unwrap_or_default(), variables));
    }
    // The name may stand in quotes, and the rest is netsh's.
    let name_length = name_length(characters);
    let name: String =
        characters.iter().take(name_length).map(|placed| placed.character).filter(|c| *c != '"').collect();
    if is_netsh(&name) {
        let rest = characters.get(name_length..).unwrap_or_default();
        return Some(Statement::of_words(at, words(rest)));
    }
    let reason = match first.to_ascii_lowercase().as_str() {
        "pause" => "pause: nobody waits".to_owned(),
        "cls" => "cls: the screen stays".to_owned(),
        "exit" => "exit: the lines that follow are read all the same".to_owned(),
        _ if names_netsh(&text) => {
            let text = format!(
                "netsh stands behind {:?}, which is not carried out; allowed: netsh as a command of its own",
                first_word(&text)
            );
            return Some(Statement::wrong(at, &text));
        }
        "goto" | "if" | "for" | "call" => format!("{first}: there are no conditions, loops and jumps"),
        _ => told(&text),
    };
    Some(Statement::skipped(at, reason))
}

/// The characters of a command's name, quotes included.
fn name_length(characters: &[Placed]) -> usize {
    let mut quoted = false;
    let in_name = |placed: &&Placed| {
        quoted ^= placed.character == '"';
        quoted || !placed.character.is_whitespace()
    };
    characters.iter().take_while(in_name).count()
}

/// `set NAME=VALUE` and `set "NAME=VALUE"`.
fn set(at: Position, rest: &str, variables: &mut Variables) -> Statement {
    let rest = rest.trim_start();
    let inner = rest.strip_prefix('"').and_then(|rest| rest.rsplit_once('"')).map_or(rest, |(inner, _)| inner);
    match inner.split_once('=') {
        Some((name, _)) if name.trim_start().starts_with('/') => {
            // What it would be is not known: it must not be what it was.
            let name = name.split_whitespace().last().unwrap_or_default();
            variables.set(name, "");
            Statement::skipped(at, "set with an option".to_owned())
        }
        Some((name, value)) => {
            variables.set(name, value);
            Statement::skipped(at, format!("the variable {:?} is set for this script", name.trim()))
        }
        None => Statement::skipped(at, "set without a value".to_owned()),
    }
}
