use super::*;

#[test]
fn what_was_probably_meant_is_near_what_was_found() {
    assert_eq!(suggestion("lifetme", ["name", "lifetime"]), "; did you mean \"lifetime\"?");
    assert_eq!(suggestion("PFS", ["pfs"]), "; did you mean \"pfs\"?");
    assert_eq!(suggestion("colour", ["name", "lifetime"]), "");
    assert_eq!(allowed([]), "none");
}

#[test]
fn columns_count_characters_and_lines_count_from_one() {
    let document = Document::of("f", "\"schlüssel\" = 1\n\"ü\" = 2 # x\n");
    let error = document.parse("it", |table| {
        table.finish();
        Some(())
    });
    let DocumentError::Faults(faults) = error.unwrap_err() else { panic!("faults") };
    assert_eq!(faults[0].to_string(), "f:1:1: it has no key \"schlüssel\"; allowed: none");
    assert_eq!(faults[1].position, Position { line: 2, column: 1 });
    let document = Document::of("f", "a = \"ä\" b");
    let DocumentError::Faults(faults) = document.parse("it", |_| Some(())).unwrap_err() else { panic!("faults") };
    assert_eq!(faults[0].position.column, 9, "{faults:?}");
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let error = Document::read(Path::new("/nonexistent/policy.toml")).err().unwrap().to_string();
    assert!(error.starts_with("/nonexistent/policy.toml: No such file"), "{error}");
}

#[test]
fn integers_of_any_base_are_checked_for_their_range() {
    let read = |text: &str| Document::of("f", text).parse("it", |table| table.get("a")?.integer(0..=16));
    assert_eq!(read("a = 0x10").unwrap().0, 16);
    for text in ["a = 17", "a = -1", "a = 99999999999999999999999999", "a = 1.0"] {
        let error = read(text).unwrap_err().to_string();
        assert!(error.ends_with("allowed: an integer from 0 to 16"), "{text}: {error}");
    }
}
