//! Batch files of cmd.exe.
//!
//! Only what is certain to be reached, once, is carried out: netsh in a block, behind a condition, behind `&&` and `||`, and
//! behind a jump is an error.
mod assignment;
mod conditions;

use self::assignment::set;
use self::conditions::{Targets, before_body, is_before_list, opens};
use super::super::language::lexer::{Placed, placed, words};
use super::variables::{Filled, Variables};
use super::{Statement, first_place, first_word, is_netsh, lines, names, names_netsh};
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
    let mut reader = Reader {
        targets: Targets::of(text),
        variables: Variables::of_windows(),
        delays: false,
        depth: 0,
        behind: None,
        jump: None,
        statements: Vec::new(),
    };
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
        match bare.strip_prefix(':') {
            Some(label) => reader.label(at, label),
            None => reader.line(&reader.variables.fill(&line)),
        }
    }
    reader.statements
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

/// True for what stands before a command and means nothing.
fn is_blank(placed: &Placed) -> bool {
    !placed.quoted && (placed.character.is_whitespace() || placed.character == '@')
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
    while let Some(placed) = rest.get(at).filter(|placed| {
        quoted || placed.quoted || !(placed.character.is_whitespace() || "&|<>()".contains(placed.character))
    }) {
        quoted ^= placed.character == '"' && !placed.quoted;
        at += 1;
    }
    at
}

/// The length of the brackets that a line begins with, up to where they close.
fn bracketed(line: &[Placed]) -> Option<usize> {
    let (mut depth, mut quoted) = (0_usize, false);
    let closes = |placed: &Placed| {
        match placed.character {
            _ if placed.quoted => {}
            '"' => quoted = !quoted,
            '(' if !quoted => depth += 1,
            ')' if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0
    };
    line.iter().position(closes).map(|last| last + 1)
}

/// Reads a batch file line by line.
struct Reader {
    targets: Targets,
    variables: Variables,
    /// That `!NAME!` is a variable too.
    delays: bool,
    /// How many brackets are open.
    depth: usize,
    /// What the rest of the line depends on.
    behind: Option<&'static str>,
    /// What the rest of the script may not be reached for, or be reached again.
    jump: Option<String>,
    statements: Vec<Statement>,
}

/// What a command says, and what stands before it.
struct Body<'a> {
    characters: &'a [Placed],
    text: String,
    at: Position,
    /// What it depends on.
    behind: Option<String>,
}

impl Reader {
    fn label(&mut self, at: Position, name: &str) {
        if self.targets.has(name) {
            self.jump.get_or_insert_with(|| format!("the label of line {}, to which the script jumps,", at.line));
        }
        self.statements.push(Statement::skipped(at, "a label: there are no jumps".to_owned()));
    }

    /// Reads the commands of a line: parted by `&`, `&&`, `|`, `||` and brackets outside quotes; redirections are left out,
    /// and carets that escape.
    fn line(&mut self, filled: &Filled) {
        let line = filled.characters.as_slice();
        if self.depth == 0 {
            self.behind = None;
        }
        let mut command: Vec<Placed> = Vec::new();
        let mut chain = None;
        let mut quoted = false;
        let mut begins = true;
        let mut at = 0;
        while let Some(placed) = line.get(at) {
            let rest = line.get(at..).unwrap_or_default();
            at += 1;
            begins = command.last().is_none_or(|last| begins && is_blank(last));
            if placed.quoted {
                command.push(*placed);
                continue;
            }
            if begins && is_remark(&text_of(rest.get(..4).unwrap_or(rest))) {
                break;
            }
            match placed.character {
                '"' => {
                    quoted = !quoted;
                    command.push(*placed);
                }
                _ if quoted => command.push(*placed),
                '^' => {
                    command.extend(line.get(at).copied());
                    at += 1;
                }
                sign @ ('&' | '|') => {
                    self.command(std::mem::take(&mut command), chain, filled);
                    let twice = line.get(at).is_some_and(|next| next.character == sign && !next.quoted);
                    at += usize::from(twice);
                    chain = match (sign, twice) {
                        // Within brackets nothing is carried out; behind them, what stands before them counts.
                        _ if self.depth > 0 => chain,
                        ('&', true) => Some("&&"),
                        ('|', true) => Some("||"),
                        ('&', false) => None,
                        _ => chain,
                    };
                }
                '(' if is_before_list(&command) => {
                    let list = bracketed(rest).unwrap_or(rest.len());
                    // What a loop goes through is one word, and no command.
                    let list = rest.get(..list).unwrap_or_default();
                    command.extend(list.iter().map(|placed| Placed { quoted: true, ..*placed }));
                    at += list.len() - 1;
                }
                '(' if is_echo(&command) => command.push(*placed),
                '(' if self.depth > 0 || begins || self.behind.is_some() || opens(&command) => {
                    self.command(std::mem::take(&mut command), chain, filled);
                    self.depth += 1;
                }
                ')' if self.depth > 0 => {
                    self.command(std::mem::take(&mut command), chain, filled);
                    self.depth -= 1;
                }
                '>' | '<' => {
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
        self.command(command, chain, filled);
    }

    /// Reads a command.
    fn command(&mut self, command: Vec<Placed>, chain: Option<&'static str>, filled: &Filled) {
        let Some(at) = first_place(&command) else { return };
        let (length, condition) = before_body(&command);
        self.behind = self.behind.or(condition);
        let (before, body) = command.split_at(length);
        let body = body.get(body.iter().take_while(|placed| is_blank(placed)).count()..).unwrap_or_default();
        if names_netsh(&text_of(before)) {
            self.statements.push(Statement::not_carried_out(at, &text_of(&command)));
            return;
        }
        if let Some(condition) = condition {
            let what = format!("{condition}: there are no conditions, loops and jumps");
            self.statements.push(Statement::skipped(at, what));
        }
        let Some(first) = body.first() else { return };
        let at = if condition.is_some() { first.at } else { at };
        let in_block = (self.depth > 0).then_some("(");
        let quoted = |sign: &str| format!("{sign:?}");
        let behind = in_block.or(chain).or(self.behind).map(quoted).or_else(|| self.jump.clone());
        let body = Body { characters: body, text: text_of(body), at, behind };
        let statement = self.body(&body, filled);
        self.statements.extend(statement);
    }

    fn body(&mut self, body: &Body<'_>, filled: &Filled) -> Option<Statement> {
        let Body { characters, text, at, behind } = body;
        let at = *at;
        let first = text.split(|c: char| c.is_whitespace() || "(,;=/:".contains(c)).next().unwrap_or_default();
        let first = first.to_ascii_lowercase();
        if is_remark(text) {
            return None;
        }
        if is_told(text) {
            return Some(Statement::skipped(at, "echo prints only".to_owned()));
        }
        let has_delayed = self.delays && text.contains('!');
        if first == "set" {
            let certain = behind.is_none() && !has_delayed;
            return Some(Statement::skipped(
                at,
                set(characters.get(3..).unwrap_or_default(), certain, &mut self.variables),
            ));
        }
        // The name may stand in quotes, and the rest is netsh's.
        let name_length = name_length(characters);
        let name: String =
            characters.iter().take(name_length).map(|placed| placed.character).filter(|c| *c != '"').collect();
        if is_netsh(&name) {
            return Some(match (behind, missing(characters, filled)) {
                (Some(behind), _) => Statement::uncertain(at, behind),
                (None, Some((at, why))) => Statement::wrong(*at, why),
                (None, None) if has_delayed => Statement::wrong(
                    at,
                    "delayed expansion takes what stands between exclamation marks for variables, which are not followed; \
                     allowed: %NAME%",
                ),
                (None, None) => Statement::of_words(at, words(characters.get(name_length..).unwrap_or_default())),
            });
        }
        // What is called by a variable may be netsh.
        let is_unknown = characters.iter().take(name_length).any(|placed| placed.quoted);
        if names_netsh(text) || is_unknown && names(text, "ipsec") {
            return Some(match missing(characters, filled) {
                Some((at, why)) => Statement::wrong(*at, why),
                None => Statement::not_carried_out(at, text),
            });
        }
        Some(Statement::skipped(at, self.other(&first, &name, text, at)))
    }

    /// What another command changes for those that follow, and what is said of it.
    fn other(&mut self, first: &str, name: &str, text: &str, at: Position) -> String {
        let name = name.to_ascii_lowercase();
        let is_script = [".cmd", ".bat"].iter().any(|end| name.ends_with(end));
        match first {
            "pause" => "pause: nobody waits".to_owned(),
            "cls" => "cls: the screen stays".to_owned(),
            "exit" | "goto" => {
                self.jump.get_or_insert_with(|| format!("the {first} of line {}", at.line));
                format!("{first}: there are no jumps, and what follows may not be reached")
            }
            _ if is_script => {
                self.jump
                    .get_or_insert_with(|| format!("the batch file of line {}, which does not come back,", at.line));
                told(text)
            }
            "call" => {
                // What is called has the same variables.
                self.variables.forget_all();
                "call: there are no conditions, loops and jumps".to_owned()
            }
            "setlocal" => {
                self.delays |= text.to_ascii_lowercase().contains("enabledelayedexpansion");
                told(text)
            }
            "endlocal" => {
                self.variables.forget_all();
                told(text)
            }
            _ => told(text),
        }
    }
}

/// What is said of what is left out.
fn told(text: &str) -> String {
    format!("{:?}: only netsh is carried out", first_word(text))
}

/// Why the first variable of a command that has no value has none.
fn missing<'a>(characters: &[Placed], filled: &'a Filled) -> Option<&'a (Position, String)> {
    filled.missing.iter().find(|(at, _)| characters.iter().any(|placed| placed.quoted && placed.at == *at))
}

/// True for `echo` to which a bracket is joined, as in `echo(`.
fn is_echo(command: &[Placed]) -> bool {
    let name = command.iter().skip_while(|placed| is_blank(placed)).map(|placed| placed.character.to_ascii_lowercase());
    name.eq("echo".chars())
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
