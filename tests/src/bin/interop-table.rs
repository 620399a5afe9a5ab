//! Writes the table of `docs/interop.md` from what tests recorded, or compares the two.
//!
//! ```text
//! interop-table write|check RECORDS DOCUMENT
//! ```
#![forbid(unsafe_code)]

use std::process::ExitCode;

use tests::interop::table::Records;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("interop-table: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), String> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [action, records, document] = arguments.as_slice() else {
        return Err("usage: interop-table write|check RECORDS DOCUMENT".to_owned());
    };
    let read = |path: &str| std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"));
    let records = Records::read(&read(records)?).map_err(|error| format!("{records}: {error}"))?;
    let text = read(document)?;
    match action.as_str() {
        "write" if records.skipped != 0 => {
            Err(format!("{} cases did not run here: the table would be short of them", records.skipped))
        }
        "write" => {
            let text = records.write(&text).map_err(|error| format!("{document}: {error}"))?;
            std::fs::write(document, text).map_err(|error| format!("{document}: {error}"))
        }
        "check" => {
            let complaints = records.compare(&text);
            if complaints.is_empty() {
                return Ok(());
            }
            Err(format!(
                "{document} does not say what the tests saw; `make interop` writes it\n{}",
                complaints.join("\n")
            ))
        }
        other => Err(format!("{other}: allowed are write and check")),
    }
}
