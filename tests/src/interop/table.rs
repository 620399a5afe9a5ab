//! The table of `docs/interop.md`: written from the records of tests, and compared with them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// What stands above the table, and below the text that is written by hand.
const BEGIN: &str = "<!-- The table is written by `make interop`, from what the tests saw. -->\n";

/// What tells one line of the table from another.
type Key = (String, String, String);

/// What is known of one role: nothing, or whether every record of it passed.
type Cells = [Option<bool>; 2];

/// The roles, in the order of their columns.
const ROLES: [&str; 2] = ["initiator", "responder"];

/// What tests recorded.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Records {
    rows: BTreeMap<Key, Cells>,
    /// Cases that did not run, for want of what they need.
    pub skipped: u64,
}

impl Records {
    /// Reads records, a line each.
    pub fn read(text: &str) -> Result<Self, String> {
        let mut records = Self::default();
        for line in text.lines() {
            let value: Value = serde_json::from_str(line).map_err(|error| format!("{line}: {error}"))?;
            if let Some(skipped) = value["skipped"].as_u64() {
                records.skipped += skipped;
                continue;
            }
            let name = |name: &str| value[name].as_str().map(str::to_owned).ok_or_else(|| format!("{line}: no {name}"));
            let cells = records.rows.entry((name("what")?, name("peer")?, name("driver")?)).or_default();
            let passed = value["passed"].as_bool().ok_or_else(|| format!("{line}: no passed"))?;
            for role in value["roles"].as_array().into_iter().flatten() {
                let column =
                    ROLES.iter().position(|name| role == name).ok_or_else(|| format!("{line}: role {role}"))?;
                cells[column] = Some(passed && cells[column].unwrap_or(true));
            }
        }
        Ok(records)
    }

    /// The lines of the table.
    fn lines(&self) -> Vec<String> {
        let cell = |cell: &Option<bool>| match cell {
            None => "",
            Some(true) => "passed",
            Some(false) => "FAILED",
        };
        let rows = self.rows.iter();
        rows.map(|((what, peer, driver), cells)| {
            format!("| {what} | {peer} | {driver} | {} | {} |", cell(&cells[0]), cell(&cells[1]))
        })
        .collect()
    }

    /// The document `text` with the table of these records in place of the one that it has.
    pub fn write(&self, text: &str) -> Result<String, String> {
        let (introduction, _) = text.split_once(BEGIN).ok_or_else(|| format!("there is no line {BEGIN:?}"))?;
        let mut text =
            format!("{introduction}{BEGIN}\n| what | peer | driver | initiator | responder |\n|---|---|---|---|---|\n");
        for line in self.lines() {
            text.push_str(&line);
            text.push('\n');
        }
        Ok(text)
    }

    /// What of the document `text` is not so by these records; lines that were not tried count only if nothing was
    /// skipped.
    pub fn compare(&self, text: &str) -> Vec<String> {
        let table = text.split_once(BEGIN).map_or("", |(_, table)| table);
        let written: BTreeSet<&str> = table.lines().filter(|line| line.starts_with("| ")).skip(1).collect();
        let recorded = self.lines();
        let recorded: BTreeSet<&str> = recorded.iter().map(String::as_str).collect();
        let mut complaints: Vec<String> =
            recorded.difference(&written).map(|line| format!("seen, but not in the document: {line}")).collect();
        if self.skipped == 0 {
            complaints
                .extend(written.difference(&recorded).map(|line| format!("in the document, but not seen: {line}")));
        }
        complaints.extend(recorded.iter().filter(|line| line.contains("FAILED")).map(|line| format!("failed: {line}")));
        complaints
    }
}

#[cfg(test)]
mod tests {
    use super::{BEGIN, Records};

    const SEEN: &str = r#"{"what":"tunnel","peer":"p","driver":"xfrm","roles":["responder"],"passed":true}
{"what":"tunnel","peer":"p","driver":"xfrm","roles":["initiator"],"passed":true}
{"what":"delete","peer":"p","driver":"xfrm","roles":["initiator"],"passed":true}
"#;

    fn document() -> String {
        Records::read(SEEN).unwrap().write(&format!("By hand.\n\n{BEGIN}old")).unwrap()
    }

    #[test]
    fn the_table_has_what_was_seen_and_nothing_else() {
        let text = document();
        assert!(text.starts_with("By hand.\n\n") && !text.contains("old"), "{text}");
        let lines = "| delete | p | xfrm | passed |  |\n| tunnel | p | xfrm | passed | passed |\n";
        assert!(text.ends_with(lines), "{text}");
        assert_eq!(Records::read(SEEN).unwrap().compare(&text), Vec::<String>::new());
        assert_eq!(Records::read(SEEN).unwrap().write(&text).unwrap(), text);
    }

    #[test]
    fn what_differs_is_told() {
        let compare = |seen: &str| Records::read(seen).unwrap().compare(&document()).join("\n");
        let fewer = compare(SEEN.split_once('\n').unwrap().1);
        assert!(fewer.contains("in the document, but not seen: | tunnel | p | xfrm | passed | passed |"), "{fewer}");
        assert!(fewer.contains("seen, but not in the document: | tunnel | p | xfrm | passed |  |"), "{fewer}");
        let failed = compare(&SEEN.replacen("true", "false", 1));
        assert!(failed.contains("failed: | tunnel | p | xfrm | passed | FAILED |"), "{failed}");
        let skipped = compare("{\"skipped\":7}\n");
        assert_eq!(skipped, "");
    }

    #[test]
    fn one_failure_of_a_role_counts_more_than_many_passes() {
        let all = format!("{SEEN}{}{SEEN}", SEEN.replace("true", "false"));
        let text = Records::read(&all).unwrap().write(BEGIN).unwrap();
        assert!(!text.contains("passed"), "{text}");
    }
}
