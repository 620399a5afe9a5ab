//! What is wrong is named once, with its place, and nothing secret.
use super::super::values::Wrong;
use super::*;

#[test]
fn errors_name_the_place_the_value_and_what_is_allowed() {
    for (written, column, message) in [
        ("ad filter", 1, None),
        (
            "adf filter",
            1,
            Some(
                "\"adf\" is no command of netsh ipsec static; did you mean \"add\"? allowed: add, delete, dump, exportpolicy, importpolicy, restorepolicyexamples, set, show",
            ),
        ),
        ("add", 1, Some("add of what? Allowed: filter, filteraction, filterlist, policy, rule")),
        (
            "add filters",
            5,
            Some(
                "\"filters\" is no command of netsh ipsec static add; did you mean \"filter\"? allowed: filter, filteraction, filterlist, policy, rule",
            ),
        ),
        (
            "add filterlist",
            1,
            Some(
                "add filterlist has no name, which is required; allowed: a name of 1 to 255 characters other than all",
            ),
        ),
        ("add filterlist =x", 16, Some("there is no parameter before the equals sign; allowed: TAG=VALUE")),
        (
            "add filterlist name=x name=y",
            23,
            Some("name is given more than once; allowed: once (only rootca may be repeated)"),
        ),
        (
            "add filterlist a b c",
            20,
            Some(
                "a value too many for add filterlist: all of its parameters have one; a value with blanks stands in quotes",
            ),
        ),
        (
            "add filterlist name= description=x",
            16,
            Some(
                "name has no value; allowed: a name of 1 to 255 characters other than all, or \"\" where it may be empty",
            ),
        ),
        ("add filterlist name", 16, None),
        ("set policy assign=yes", 1, Some("set policy has none of name, guid; allowed: one of them")),
        ("set rule id=1 name=R policy=P", 15, Some("set rule has both id and name; allowed: one of them")),
        ("set policy P mmpfs=maybe", 20, Some("mmpfs is \"maybe\", allowed: yes, no")),
        (
            "add filteraction A action=blok",
            27,
            Some("action is \"blok\"; did you mean \"block\"? allowed: permit, block, negotiate"),
        ),
        (
            "set store local domain=x",
            1,
            Some("domain is given, but the location is local; allowed: domain with location=domain"),
        ),
        ("exec", 1, Some("exec takes the path of one script")),
        (".. x", 4, Some(".. takes no parameters")),
        ("popd", 1, Some("there is no context to go back to; allowed: popd after a pushd")),
    ] {
        match message {
            Some(message) => assert_eq!(error(Context::Static, written), (column, message.to_owned()), "{written}"),
            // These are right: an abbreviation that wants its parameters, a list that is called `name`.
            None => {
                let _ = interpret(Context::Static, written);
            }
        }
    }
}

#[test]
fn an_error_has_the_usage_of_its_command() {
    let error = interpret(Context::Static, "add filterlist").unwrap_err();
    assert_eq!(error.usage.as_deref(), Some("add filterlist [name=]NAME [[description=]TEXT]"));
    let usage = |line: &str| interpret(Context::Static, line).unwrap_err().usage.unwrap();
    assert_eq!(
        usage("show rule"),
        "show rule [[name=]NAME|all|default] | [id=]NUMBER [policy=]NAME [[type=]tunnel|transport] \
                                    [[level=]verbose|normal] [[format=]list|table] [[wide=]yes|no]"
    );
    assert!(usage("add rule").ends_with("[[kerberos=]yes|no] [[psk=]KEY] [[rootca=]\"AUTHORITY\"]..."));
}

#[test]
fn no_message_and_no_debug_print_has_a_key() {
    let rule = "add rule R P F A";
    for line in [
        format!("{rule} psk=\"open sesame\" activate=maybe"),
        // A key that lost its quotes.
        format!("{rule} psk=open sesame 1 2 3 4 5 6 7 8 9 sesame=1"),
        format!("{rule} psk=open sesame=1"),
        format!("{rule} psk=\"x\" open sesame 1 2 3 4 5 6"),
        format!("{rule} sesame=open psk=x"),
        format!("{rule} sesame=open \"psk=x\""),
        format!("{rule} sesame=open psk =x"),
        format!("{rule} none lan yes text no open sesame"),
        format!("{rule} none lan yes text no open sesame=x"),
        format!("{rule} none lan maybe-sesame text no open CN=x"),
        "add rule R P F A sesame/open psk=x".to_owned(),
        "dynamic add rule me any M Q tcp sesame psk=open".to_owned(),
        "dynamic add rule me any M Q icmp 4711 psk=sesame".to_owned(),
        "dynamic add rule me any M Q tcp 1 1 yes lan psk=x actioni=p sesame".to_owned(),
        format!("{rule} psk=open psk=sesame"),
        format!("{rule} psk=\"open\u{1}sesame\""),
        format!("{rule} psk=\"\""),
    ] {
        let error = interpret(Context::Static, &line).unwrap_err();
        let all = format!("{error} {error:?}");
        assert!(!["open", "sesame", "4711"].iter().any(|part| all.contains(part)), "{line}: {all}");
    }
    // What is tagged is told, and without a key so is the rest.
    let told = |line: &str| interpret(Context::Static, line).unwrap_err().to_string();
    assert_eq!(told("add rule R P F A psk=x activate=maybe"), "activate is \"maybe\", allowed: yes, no");
    assert!(told("add rule R P F A none lan maybe").starts_with("activate is \"maybe\""));
    assert!(told("add rule R P F A bogus=x").starts_with("add rule has no parameter \"bogus\""));
    assert_eq!(
        error(Context::Static, "add rule R P psk=open F A"),
        (
            23,
            "a value without a tag stands right behind psk; allowed: a key with blanks in quotes, and TAG=VALUE behind it"
                .to_owned()
        )
    );
    // Behind quotes, and behind another tag, it is what it is anywhere.
    command("ipsec static add rule R P psk=\"open\" F A");
    command("ipsec static add rule R P psk=open kerberos=no F A");
    let command = command("ipsec static add rule R P F A psk=\"open sesame\"");
    assert!(!format!("{command:?}").contains("sesame"));
    let machine = super::command("set machine gate joe sesame");
    assert!(!format!("{machine:?} {}", line(&machine, Secrets::Shown)).contains("sesame"));
    let error = interpret(Context::Root, "set machine gate pwd=open sesame x=y").unwrap_err();
    assert!(!format!("{error} {error:?}").contains("sesame"), "{error}");
    let hidden = line(&command, Secrets::Hidden);
    assert!(hidden.ends_with("psk=\"(not shown)\""), "{hidden}");
    let words = words(&placed("psk=sesame", 1)).unwrap();
    assert!(!format!("{words:?}").contains("sesame"));
}

#[test]
fn parts_of_values_keep_their_place() {
    let wrong = Wrong::whole("x").after(3).after(2);
    assert_eq!(wrong.index, 5);
    assert_eq!(super::super::values::parts("  ab c\td "), [(2, "ab"), (5, "c"), (7, "d")]);
    assert_eq!(super::super::values::parts("ää b"), [(0, "ää"), (3, "b")]);
}
