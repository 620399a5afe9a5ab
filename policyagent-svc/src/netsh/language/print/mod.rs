//! Commands as lines, which read as the same commands.
mod dynamic_context;
mod static_context;
mod values;

use crate::netsh::command::{Command, Machine};

/// Whether keys are printed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Secrets {
    /// As they are.
    Shown,
    /// A placeholder instead.
    Hidden,
}

/// The line of a command, from the root context on. With keys it is a secret.
pub(crate) fn line(command: &Command, secrets: Secrets) -> String {
    let line = match command {
        Command::Static(command) => static_context::line(command, secrets),
        Command::Dynamic(command) => dynamic_context::line(command, secrets),
        Command::SetMachine(Machine { name, user, password }) => {
            let password = password.then_some(if secrets == Secrets::Hidden { "(not shown)" } else { "*" });
            let line = Line::new("set machine").with_some("name", name.as_deref());
            line.with_some("user", user.as_deref()).with_some("pwd", password)
        }
    };
    line.text
}

/// A line that grows.
struct Line {
    text: String,
}

impl Line {
    fn new(command: &str) -> Self {
        Self { text: command.to_owned() }
    }

    /// A word by itself.
    fn word(mut self, word: &str) -> Self {
        self.text.push(' ');
        self.text.push_str(word);
        self
    }

    /// A parameter.
    fn with(self, tag: &str, value: &str) -> Self {
        let value = quoted(value);
        self.word(&format!("{tag}={value}"))
    }

    /// A name where words without quotes mean more than themselves.
    fn with_name(self, name: &str) -> Self {
        let is_word = ["all", "default"].iter().any(|word| name.eq_ignore_ascii_case(word));
        if is_word { self.word(&format!("name=\"{name}\"")) } else { self.with("name", name) }
    }

    /// A parameter, if there is a value.
    fn with_some(self, tag: &str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.with(tag, value),
            None => self,
        }
    }

    fn yes_no(self, tag: &str, value: Option<bool>) -> Self {
        self.with_some(tag, value.map(|value| if value { "yes" } else { "no" }))
    }

    fn number(self, tag: &str, value: Option<u32>) -> Self {
        self.with_some(tag, value.map(|value| value.to_string()).as_deref())
    }

    /// Minutes of seconds.
    fn minutes(self, tag: &str, seconds: Option<u32>) -> Self {
        self.number(tag, seconds.map(|seconds| seconds / 60))
    }
}

/// The value as it stands in a line. What would be read otherwise stands in quotes; a double quote within them is `\'`,
/// and so what is `\'` itself stands outside.
fn quoted(value: &str) -> String {
    let bare = |character: char| character.is_alphanumeric() || "_.:/[]+-{}%".contains(character);
    if !value.is_empty() && value.chars().all(bare) {
        return value.to_owned();
    }
    let inner = value.split("\\'").map(|part| part.replace('"', "\\'")).collect::<Vec<_>>();
    format!("\"{}\"", inner.join("\"\\'\""))
}
