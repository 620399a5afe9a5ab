use super::*;

#[test]
fn lines_with_keys_are_not_kept() {
    for line in [
        "ipsec static",
        "show store",
        "add filterlist name=psk",
        "?",
        "..",
        "help",
        "ipsec static ?",
        "help add rule",
        "add ?",
        "add rule ?",
        "set machine gate",
        "set machine ?",
        "dynamic add rule /?",
    ] {
        assert!(may_be_kept(Context::Static, line), "{line}");
    }
    for line in [
        "set defaultrule P psk=sesame",
        "add rule R P F A none all yes text no sesame",
        "add rule R P F A psk=sesame x",
        "set defaultrule P psk=\"open",
        "add rule R P F A psk=\"x\" ?",
        "add rule R P F A none all yes text no sesame ?",
        "help add rule psk=x",
        "help sesame",
        "set machine gate pwd=sesame",
        "set machine gate joe sesame",
        "add sesame ?",
    ] {
        assert!(!may_be_kept(Context::Static, line), "{line}");
    }
}

#[test]
fn the_last_lines_are_kept_and_one_after_itself_once() {
    let directory = std::env::temp_dir().join(format!("policyagent-history-{}", std::process::id()));
    let _ = fs::remove_dir_all(&directory);
    let file = directory.join("a/history");
    for count in 0..REMEMBERED + 5 {
        keep(&file, &format!("show policy name={count}")).unwrap();
        keep(&file, &format!("show policy name={count}")).unwrap();
    }
    let text = fs::read_to_string(&file).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&file).unwrap().permissions());
    fs::remove_dir_all(&directory).unwrap();
    assert_eq!(text.lines().count(), REMEMBERED);
    assert_eq!(text.lines().next(), Some("show policy name=5"));
    assert_eq!(mode & 0o777, 0o600);
}
