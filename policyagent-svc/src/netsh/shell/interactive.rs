//! The prompt.
use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::history::{History as _, MemHistory};
use rustyline::{Config, Editor, Helper};
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use super::report::Place;
use super::run::{Flow, Runner};
use crate::netsh::language::lexer::{placed, words};
use crate::netsh::language::{Context, Interpreter, Outcome, Secrets, complete, has_names_only, is_help, line};

/// Lines that are remembered.
const REMEMBERED: usize = 1000;

/// Offers what can follow, in the context that the prompt is in.
struct Words(Context);

impl Completer for Words {
    type Candidate = String;

    fn complete(&self, line: &str, at: usize, _: &rustyline::Context<'_>) -> rustyline::Result<(usize, Vec<String>)> {
        Ok(complete(self.0, line.get(..at).unwrap_or_default()))
    }
}

impl rustyline::hint::Hinter for Words {
    type Hint = String;
}
impl rustyline::highlight::Highlighter for Words {}
impl rustyline::validate::Validator for Words {}
impl Helper for Words {}

/// Reads lines until the end of them, and carries each out.
pub(super) fn converse(runner: &mut Runner<'_>, context: Context) -> Result<(), String> {
    let failed = |error: ReadlineError| format!("the terminal cannot be read: {error}");
    let config = Config::builder().max_history_size(REMEMBERED).map_err(failed)?.build();
    let history = MemHistory::with_config(&config);
    let mut editor: Editor<Words, MemHistory> = Editor::with_history(config, history).map_err(failed)?;
    let file = history_file();
    for line in file.as_ref().and_then(|file| fs::read_to_string(file).ok()).unwrap_or_default().lines() {
        // What cannot be remembered is forgotten.
        let _ = editor.history_mut().add(line);
    }
    let mut interpreter = Interpreter::new(context);
    loop {
        editor.set_helper(Some(Words(interpreter.context())));
        let machine = runner.machine().map(|machine| format!("[{machine}] ")).unwrap_or_default();
        let text = match editor.readline(&format!("{machine}{}>", interpreter.context().name())) {
            Ok(text) => zeroize::Zeroizing::new(text),
            Err(ReadlineError::Interrupted) => continue,
            Err(ReadlineError::Eof) => return Ok(()),
            Err(error) => return Err(failed(error)),
        };
        // What is pasted may be several lines.
        for text in text.lines().filter(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#')) {
            let _ = editor.history_mut().add(text);
            if may_be_kept(interpreter.context(), text)
                && let Some(file) = &file
            {
                // The next conversation goes without it.
                let _ = keep(file, text);
            }
            if runner.line(&mut interpreter, words(&placed(text, 1)), Place::here()) == Flow::Ends {
                return Ok(());
            }
        }
    }
}

/// True if a line has no key in it. Where that is not known, it may have one.
fn may_be_kept(context: Context, text: &str) -> bool {
    let read = |text| words(&placed(text, 1));
    let outcome = read(text).and_then(|words| Interpreter::new(context).interpret(words));
    match outcome {
        Ok(Outcome::Command(command)) => line(&command, Secrets::Shown) == line(&command, Secrets::Hidden),
        // What stands before or behind the question was not read.
        Ok(Outcome::Help(_)) => {
            let named: Vec<_> = read(text).into_iter().flatten().filter(|word| !is_help(word)).collect();
            has_names_only(context, &named)
        }
        Ok(Outcome::Nothing | Outcome::Run(_) | Outcome::Leave) => true,
        Err(_) => false,
    }
}

/// Where lines are remembered.
fn history_file() -> Option<PathBuf> {
    let directory = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let state = directory("XDG_STATE_HOME").or_else(|| directory("HOME").map(|home| home.join(".local/state")))?;
    Some(state.join("policyagent/netsh-history"))
}

/// Puts a line behind the others, of which not too many are kept.
fn keep(file: &PathBuf, line: &str) -> std::io::Result<()> {
    let mut lines: Vec<String> = fs::read_to_string(file).unwrap_or_default().lines().map(str::to_owned).collect();
    if lines.last().is_some_and(|last| last == line) {
        return Ok(());
    }
    lines.push(line.to_owned());
    let kept = lines.split_off(lines.len().saturating_sub(REMEMBERED));
    if let Some(directory) = file.parent() {
        fs::create_dir_all(directory)?;
    }
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(file)?;
    file.write_all((kept.join("\n") + "\n").as_bytes())
}

#[cfg(test)]
mod tests;
