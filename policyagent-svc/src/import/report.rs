//! What became of everything, for people and for programs.
use serde::Serialize;
use std::fmt::Write as _;

use super::Syntax;
use super::connection::Everything;
use super::ledger::{Fate, Ledger, Note};
use super::translate::Made;

/// What became of a configuration.
#[derive(Serialize, Debug)]
pub(crate) struct Report {
    /// Whose configuration it was.
    pub(crate) from: &'static str,
    /// The connections that have rules.
    pub(crate) connections: Vec<ConnectionReport>,
    /// Those that have none.
    pub(crate) left_out: Vec<LeftOutReport>,
    /// Every option that was read.
    pub(crate) options: Vec<OptionReport>,
    /// What was lost, with the connections that were.
    pub(crate) losses: usize,
}

/// A connection that has rules.
#[derive(Serialize, Debug)]
pub(crate) struct ConnectionReport {
    name: String,
    file: String,
    line: usize,
    rules: Vec<String>,
    /// Why rules of it are not active.
    not_active: Vec<String>,
    notes: Vec<String>,
}

/// A connection that has none.
#[derive(Serialize, Debug)]
pub(crate) struct LeftOutReport {
    name: String,
    file: String,
    line: usize,
    why: String,
    /// It was not in force before either.
    expected: bool,
}

/// An option.
#[derive(Serialize, Debug)]
pub(crate) struct OptionReport {
    pub(crate) file: String,
    pub(crate) line: usize,
    pub(crate) section: String,
    pub(crate) option: String,
    pub(crate) value: String,
    pub(crate) fate: Fate,
    pub(crate) notes: Vec<Note>,
}

impl Report {
    /// Whether anything that matters has no counterpart.
    pub(crate) const fn is_complete(&self) -> bool {
        self.losses == 0
    }

    /// The report for people. Without `all`, only what they must know.
    pub(crate) fn text(&self) -> String {
        let mut out = String::new();
        // Writing to a String does not fail.
        let _ = self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        writeln!(out, "From {}:", self.from)?;
        for connection in &self.connections {
            let rules: Vec<String> = connection.rules.iter().map(|rule| format!("{rule:?}")).collect();
            let ConnectionReport { name, file, line, .. } = connection;
            writeln!(out, "{file}:{line}: connection {name:?} -> {}", rules.join(", "))?;
            connection.notes.iter().try_for_each(|note| writeln!(out, "    {note}"))?;
            connection.not_active.iter().try_for_each(|doubt| writeln!(out, "    NOT ACTIVE: {doubt}"))?;
        }
        for left in &self.left_out {
            let LeftOutReport { name, file, line, why, expected } = left;
            let how = if *expected { "left out" } else { "LEFT OUT" };
            writeln!(out, "{file}:{line}: connection {name:?} {how}: {why}")?;
        }
        for fate in Fate::ALL {
            let options: Vec<&OptionReport> = self.options.iter().filter(|option| option.fate == fate).collect();
            if options.is_empty() {
                continue;
            }
            writeln!(out, "\n{} ({}):", fate.heading(), options.len())?;
            for option in options {
                let OptionReport { file, line, section, option: name, value, notes, .. } = option;
                writeln!(out, "  {file}:{line}: {section}: {name} = {value}")?;
                for Note { why, instead } in notes {
                    let instead = if instead.is_empty() { String::new() } else { format!("; to do: {instead}") };
                    writeln!(out, "      {why}{instead}")?;
                }
            }
        }
        writeln!(out)?;
        match self.losses {
            0 => writeln!(out, "Nothing that matters is without a counterpart."),
            1 => writeln!(out, "1 thing has no counterpart: see above."),
            count => writeln!(out, "{count} things have no counterpart: see above."),
        }
    }
}

/// Makes the report.
pub(crate) fn report(syntax: Syntax, everything: &Everything, made: &Made, ledger: &Ledger) -> Report {
    let connection = |(index, connection): (usize, &super::connection::Connection)| {
        let rules = made.rules.iter().filter(|rule| rule.connection == index);
        let mut not_active: Vec<String> = rules.clone().flat_map(|rule| rule.doubts.iter().cloned()).collect();
        not_active.sort();
        not_active.dedup();
        ConnectionReport {
            name: connection.name.clone(),
            file: connection.at.file.to_string(),
            line: connection.at.line,
            rules: rules.map(|rule| rule.name.clone()).collect(),
            not_active,
            notes: connection.notes.clone(),
        }
    };
    let connections: Vec<ConnectionReport> = everything.connections.iter().enumerate().map(connection).collect();
    let left_out = everything.left_out.iter().map(|left| LeftOutReport {
        name: left.name.clone(),
        file: left.at.file.to_string(),
        line: left.at.line,
        why: left.why.clone(),
        expected: left.expected,
    });
    let left_out: Vec<LeftOutReport> = left_out.collect();
    let option = |entry: &std::rc::Rc<super::ledger::Entry>| {
        let (fate, notes) = entry.state();
        OptionReport {
            file: entry.at.file.to_string(),
            line: entry.at.line,
            section: entry.section.clone(),
            option: entry.option.clone(),
            value: entry.shown().to_owned(),
            fate,
            notes,
        }
    };
    let options: Vec<OptionReport> = ledger.entries.iter().map(option).collect();
    let lost = options.iter().filter(|option| option.fate == Fate::Lost).count();
    let missing = left_out.iter().filter(|left| !left.expected).count();
    let doubtful = connections.iter().filter(|connection| !connection.not_active.is_empty()).count();
    Report { from: syntax.name(), connections, left_out, options, losses: lost + missing + doubtful }
}
