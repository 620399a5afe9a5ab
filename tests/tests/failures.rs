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
    let names = ["policies", "certificates", "authentication", "messages", "nat", "drivers"]
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
