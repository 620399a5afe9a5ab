//! The catalogue for administrators, `docs/failures.md`, against the reasons that the tables of misconfigurations record.
use std::path::PathBuf;

fn read(path: &[&str]) -> String {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), ".."].iter().chain(path).collect();
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn catalogue() -> String {
    read(&["docs", "failures.md"])
}

/// What stands in the tables: a line each.
fn recorded() -> Vec<String> {
    let names = ["policies", "certificates", "authentication", "messages", "nat", "drivers", "ends"]
        .map(|name| format!("misconfigured-{name}.txt"));
    let texts = names.map(|name| read(&["ikecore", "src", "endpoint", "tests", "expected", &name]));
    texts.iter().flat_map(|text| text.lines()).map(|line| line.trim().to_owned()).collect()
}

/// The reasons among them, without who has them and when.
fn reasons() -> Vec<String> {
    let lines = recorded();
    let roles = lines.iter().filter_map(|line| {
        line.strip_prefix("initiator: ").or_else(|| line.strip_prefix("responder: "))?.split_once(": ")
    });
    let reasons: Vec<String> = roles.map(|(_, reason)| reason.to_owned()).collect();
    assert!(reasons.len() > 150, "{} reasons", reasons.len());
    reasons
}

/// The reasons that the catalogue explains: its headings.
fn explained(catalogue: &str) -> Vec<&str> {
    let headings = catalogue.lines().filter_map(|line| line.strip_prefix("### `")?.strip_suffix('`'));
    headings.collect()
}

/// Whether a reason is as a heading says, where `<...>` stands for any text but none.
fn fits(heading: &str, reason: &str) -> bool {
    let mut pieces = heading.split('<').map(|piece| piece.split_once('>').map_or(piece, |(_, text)| text));
    let Some(mut rest) = pieces.next().and_then(|first| reason.strip_prefix(first)) else { return false };
    let mut open = false;
    for piece in pieces {
        open = piece.is_empty();
        let Some(at) = rest.char_indices().skip(1).map(|(at, _)| at).find(|at| rest[*at..].starts_with(piece)) else {
            return open && !rest.is_empty();
        };
        rest = &rest[at + piece.len()..];
    }
    open || rest.is_empty()
}

#[test]
fn headings_are_patterns() {
    for (heading, reason, expected) in [
        ("no answer from <peer> to <message>", "no answer from 10.9.0.1 to message 1", true),
        ("no answer from <peer>", "no answer from ", false),
        ("<a> is <b>, not <c>: why", "one is two, not three: why", true),
        ("<a> is <b>, not <c>: why", "one is two, not three: who", false),
        ("the end", "the end of it", false),
        ("the end", "the end", true),
    ] {
        assert_eq!(fits(heading, reason), expected, "{heading:?} {reason:?}");
    }
}

#[test]
fn every_reason_is_explained() {
    let catalogue = catalogue();
    let headings = explained(&catalogue);
    for reason in reasons() {
        assert!(headings.iter().any(|heading| fits(heading, &reason)), "docs/failures.md does not explain {reason:?}");
    }
}

#[test]
fn nothing_is_explained_that_does_not_come() {
    let reasons = reasons();
    for heading in explained(&catalogue()) {
        assert!(reasons.iter().any(|reason| fits(heading, reason)), "no reason is like {heading:?}");
    }
}

#[test]
fn every_attribute_that_differs_is_explained() {
    let catalogue = catalogue();
    for reason in reasons().iter().filter(|reason| reason.contains(", allowed: ")) {
        for difference in reason.split("proposal 1").skip(1) {
            let attribute = difference.split_once(": ").and_then(|(_, text)| text.split_once(" is "));
            let (attribute, _) = attribute.unwrap_or_else(|| panic!("no attribute in {reason:?}"));
            assert!(
                catalogue.contains(&format!("| `{attribute}` |")),
                "docs/failures.md does not explain {attribute:?}"
            );
        }
    }
}

/// What is wrong with certificates: the first column of the table, whose cells have alternatives in which `...` stands for
/// any text.
fn faults(catalogue: &str) -> Vec<Vec<&str>> {
    let table = catalogue.split_once("| the fault says |").expect("a table of faults").1;
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    let cells = rows.map(|line| line.split('|').nth(1).expect("a first column").trim());
    cells
        .flat_map(|cell| cell.split(", "))
        .map(|alternative| alternative.split("...").map(str::trim).collect())
        .collect()
}

/// Whether a fault has these pieces one after the other.
fn has(fault: &str, pieces: &[&str]) -> bool {
    let mut rest = Some(fault);
    for piece in pieces {
        rest = rest.and_then(|rest| rest.split_once(piece)).map(|(_, after)| after);
    }
    rest.is_some()
}

#[test]
fn every_fault_of_a_certificate_is_explained_and_comes() {
    let (catalogue, reasons) = (catalogue(), reasons());
    let explained = faults(&catalogue);
    let recorded: Vec<_> = reasons
        .iter()
        .filter_map(|reason| reason.strip_prefix("authentication with certificates (")?.split_once(") failed: "))
        .map(|(_, fault)| fault)
        .collect();
    assert!(recorded.len() > 40, "{} faults", recorded.len());
    for fault in &recorded {
        assert!(explained.iter().any(|pieces| has(fault, pieces)), "docs/failures.md does not explain {fault:?}");
    }
    for pieces in explained {
        assert!(recorded.iter().any(|fault| has(fault, &pieces)), "no fault is like {pieces:?}");
    }
}

#[test]
fn every_notification_is_named() {
    let catalogue = catalogue();
    let lines = recorded();
    let told = lines.iter().filter(|line| line.starts_with("told by "));
    let notifications: Vec<_> = told.filter_map(|line| line.rsplit_once(": ")?.1.split_once(" (")).collect();
    assert!(notifications.len() > 80, "{} notifications", notifications.len());
    for (notification, _) in notifications {
        assert!(catalogue.contains(notification), "docs/failures.md does not name {notification}");
    }
}
