//! Help, from the grammar's tables.
use core::fmt::Write as _;

use super::grammar::{Context, Entry, Kind, Need};
use super::interpreter::EVERYWHERE;

/// What a context knows.
pub(super) fn context(context: Context) -> String {
    let mut out = format!("Commands of {}:\n\n", context.name());
    for (name, child) in context.children() {
        row(&mut out, name, &format!("goes to the context {}", child.name()));
    }
    for entry in context.entries() {
        row(&mut out, &entry.name(), entry.about);
    }
    out.push_str("\nEverywhere: ");
    out.push_str(&EVERYWHERE.join(", "));
    out.push_str(
        ".\nWords may be abbreviated as long as only one can be meant. Behind a command, ? says more of it.\n",
    );
    out
}

/// The commands that begin with a verb.
pub(super) fn verb(context: Context, verb: &str) -> String {
    let mut out = format!("Commands of {} that begin with {verb}:\n\n", context.name());
    for entry in context.entries().iter().filter(|entry| entry.verb == verb) {
        row(&mut out, &entry.name(), entry.about);
    }
    out
}

/// All about a command.
pub(super) fn entry(context: Context, entry: &Entry) -> String {
    let mut out = format!("{} {}: {}\n\n  {}\n", context.name(), entry.name(), entry.about, entry.usage());
    if !entry.parameters.is_empty() {
        out.push_str("\nParameters; values without a tag fill them in this order:\n\n");
    }
    for parameter in entry.parameters {
        let need = match parameter.need {
            Need::Required => "; required",
            Need::Either => "; this or the next is required",
            Need::EitherOrNone | Need::Optional | Need::Or => "",
            Need::Repeated => "; may be repeated",
            Need::Side => "; required, unless the other side is a server",
        };
        let default = if parameter.default.is_empty() { String::new() } else { format!(" [{}]", parameter.default) };
        let allowed = match &parameter.kind {
            Kind::Text | Kind::Setting | Kind::All => String::new(),
            kind => format!(": {}", kind.allowed()),
        };
        row(&mut out, parameter.tag, &format!("{}{allowed}{need}{default}", parameter.help));
    }
    for remark in entry.remarks {
        // Writing to a String does not fail.
        let _ = write!(out, "\n{remark}");
    }
    if !entry.remarks.is_empty() {
        out.push('\n');
    }
    let _ = writeln!(out, "\nExample: {}", entry.example);
    out
}

/// Columns of a terminal.
const WIDTH: usize = 100;
/// Where the right column begins.
const INDENT: usize = 26;

/// A name and what it is, the latter on as many lines as it takes.
fn row(out: &mut String, name: &str, text: &str) {
    let mut line = format!("  {name:<width$}", width = INDENT - 2);
    let mut empty = true;
    for word in text.split(' ') {
        if !empty && line.chars().count() + 1 + word.chars().count() > WIDTH {
            out.push_str(line.trim_end());
            out.push('\n');
            line = " ".repeat(INDENT);
            empty = true;
        }
        if !empty {
            line.push(' ');
        }
        line.push_str(word);
        empty = false;
    }
    out.push_str(line.trim_end());
    out.push('\n');
}
