//! Blanks, quotes, abbreviations, contexts.
use super::super::lexer::Word;
use super::*;

fn same(one: &str, other: &str) {
    assert_eq!(canonical(&format!("ipsec static {one}")), canonical(&format!("ipsec static {other}")), "{one}");
}

#[test]
fn blanks_round_the_equals_sign_mean_nothing() {
    for written in [
        "add filterlist name=closed",
        "add filterlist name= closed",
        "add filterlist name =closed",
        "add filterlist name = closed",
        "   add\tfilterlist   name  =  closed  ",
        "add filterlist closed",
    ] {
        same(written, "add filterlist name=closed");
    }
    same("add filteraction name=closed action =block", "add filteraction name=closed action=block");
}

#[test]
fn untagged_values_go_to_the_first_empty_parameter() {
    same(
        "add filter filterlist=F 192.0.2.1 192.0.2.45 srcmask=24",
        "add filter filterlist=F srcaddr=192.0.2.1 dstaddr=192.0.2.45 srcmask=24",
    );
    same("add filter srcaddr=any F me", "add filter filterlist=F srcaddr=any dstaddr=me");
    // Behind the last that may be repeated, all go there.
    same(
        "add rule R P F A 192.0.2.1 all yes text yes key \"CN=A\" rootca=CN=B",
        "add rule name=R policy=P filterlist=F filteraction=A tunnel=192.0.2.1 conntype=all activate=yes description=text \
         kerberos=yes psk=key rootca=CN=A rootca=CN=B",
    );
}

#[test]
fn commands_tags_and_values_can_be_abbreviated() {
    assert_eq!(canonical("ips stat sh pol"), "ipsec static show policy all");
    same("add filter filterl=F srca=me dsta=any proto=t mir=n", "add filter F me any protocol=tcp mirrored=no");
    // What is spelled in full is itself, though others begin with it.
    same("add filter F me any", "add filter filterlist=F srcaddr=me dstaddr=any");
    assert_eq!(
        error(Context::Static, "add filt F"),
        (5, "\"filt\" is ambiguous: filter or filteraction or filterlist".into())
    );
    assert_eq!(error(Context::Static, "s store"), (1, "\"s\" is ambiguous: set or show".into()));
    assert_eq!(
        error(Context::Static, "add filter src=me"),
        (12, "\"src\" is ambiguous: srcaddr or srcmask or srcport".into())
    );
    assert_eq!(
        error(Context::Static, "show rule policy=P type=t"),
        (25, "\"t\" is ambiguous: tunnel or transport".into())
    );
}

#[test]
fn case_counts_in_names_keys_and_texts_only() {
    let printed = canonical("IPSEC Static ADD Rule NAME=Ab POLICY=cD FilterList=E FilterAction=F PSK=gH CONNTYPE=LAN");
    assert_eq!(printed, "ipsec static add rule name=Ab policy=cD filterlist=E filteraction=F conntype=lan psk=gH");
}

#[test]
fn quotes_hold_blanks_and_a_quote_within_is_an_apostrophe_behind_a_backslash() {
    same("add filterlist \"a b\"", "add filterlist name=\"a b\"");
    same("add filterlist name = \"a b\"", "add filterlist name=\"a b\"");
    // Quotes around all of it are as good, and what is no tag within them is a value.
    same("add filterlist \"name=a b\"", "add filterlist name=\"a b\"");
    same("add filterlist \"x=y\"", "add filterlist name=\"x=y\"");
    same("add filterlist name= \"name=x\"", "add filterlist name=\"name=x\"");
    assert!(matches!(command("ipsec static add filterlist name=\"say \\'hi\\'\""),
        Command::Static(crate::netsh::command::Static::AddFilterList { name, .. }) if name == "say \"hi\""));
    // Outside quotes neither a backslash nor an apostrophe is special.
    assert!(matches!(command("ipsec static add filterlist name=it\\'s"),
        Command::Static(crate::netsh::command::Static::AddFilterList { name, .. }) if name == "it\\'s"));
    // A directory that ends in a backslash does not escape the quote.
    assert!(matches!(command("ipsec static add filterlist name=\"C:\\x\\\" description=d"),
        Command::Static(crate::netsh::command::Static::AddFilterList { name, .. }) if name == "C:\\x\\"));
    assert_eq!(error(Context::Static, "add filterlist name=\"open").0, 21);
}

#[test]
fn only_the_first_equals_sign_separates() {
    same("set defaultrule policy=P psk=a=b=", "set defaultrule policy=P psk=\"a=b=\"");
    assert_eq!(
        error(Context::Static, "add filterlist descripton=x"),
        (
            16,
            "add filterlist has no parameter \"descripton\"; did you mean \"description\"? allowed: name, description"
                .into()
        )
    );
}

#[test]
fn a_value_behind_a_blank_may_have_an_equals_sign() {
    same("set defaultrule policy=P psk= YWJj==", "set defaultrule policy=P psk=\"YWJj==\"");
    same("set defaultrule policy=P psk = YWJj==", "set defaultrule policy=P psk=\"YWJj==\"");
    same("add filterlist name= x=y description= a=b=c", "add filterlist name=\"x=y\" description=\"a=b=c\"");
    same("add rule R P F A rootca= C=US,O=X conntype=lan", "add rule R P F A conntype=lan rootca=\"C=US,O=X\"");
    same("add rule R P F A rootca= \"C=US,O=X certmap:yes\"", "add rule R P F A rootca=\"C=US,O=X certmap:yes\"");
    // What begins with a tag, or for all but authorities with the beginning of one, is the next parameter.
    for line in
        ["add rule R P F A psk= conn=lan", "add rule R P F A rootca= conntype=lan", "add filterlist name= desc=x"]
    {
        assert!(error(Context::Static, line).1.contains(" has no value"), "{line}");
    }
}

#[test]
fn arguments_of_a_command_line_are_words_as_they_are() {
    let read = |arguments: &[&str]| {
        let words = arguments.iter().map(|argument| Word::of_argument(argument, 1)).collect();
        match Interpreter::new(Context::Root).interpret(words) {
            Ok(Outcome::Command(command)) => line(&command, Secrets::Shown),
            other => panic!("{other:?}"),
        }
    };
    let start = ["ipsec", "static", "add", "filterlist"];
    assert_eq!(read(&[&start[..], &["name=a b"]].concat()), "ipsec static add filterlist name=\"a b\"");
    assert_eq!(read(&[&start[..], &["name", "=", "a b"]].concat()), "ipsec static add filterlist name=\"a b\"");
    assert_eq!(read(&[&start[..], &["name=\"a b\""]].concat()), "ipsec static add filterlist name=\"a b\"");
    assert_eq!(read(&[&start[..], &["name=\\'a\\'"]].concat()), "ipsec static add filterlist name=\"\\'a\\'\"");
    let rule = ["ipsec", "static", "add", "rule", "R", "P", "F", "A"];
    let authority = "ipsec static add rule name=R policy=P filterlist=F filteraction=A rootca=\"C=US,O=X certmap:no excludecaname:no\"";
    assert_eq!(read(&[&rule[..], &["rootca=", "C=US,O=X"]].concat()), authority);
    assert_eq!(read(&[&rule[..], &["rootca", "=", "C=US,O=X"]].concat()), authority);
    assert!(read(&[&rule[..], &["psk=", "YWJj=="]].concat()).ends_with(" psk=\"YWJj==\""));
    // The shell does not tell `description=""` from `description=`.
    assert_eq!(
        read(&[&start[..], &["description=", "name=x"]].concat()),
        "ipsec static add filterlist name=x description=\"\""
    );
}

#[test]
fn contexts_are_remembered() {
    let mut interpreter = Interpreter::new(Context::Root);
    let mut read = |text: &str, context: Context| {
        let outcome = interpreter.interpret(words(&placed(text, 1)).unwrap());
        assert_eq!(interpreter.context(), context, "{text}");
        outcome
    };
    read("ipsec", Context::Ipsec).unwrap();
    read("static", Context::Static).unwrap();
    assert!(matches!(read("show store", Context::Static), Ok(Outcome::Command(_))));
    // What the context does not know, those above it do.
    assert!(matches!(read("dynamic show config", Context::Static), Ok(Outcome::Command(_))));
    assert!(matches!(read("ipsec dynamic show config", Context::Static), Ok(Outcome::Command(_))));
    read("pushd ipsec dynamic", Context::Dynamic).unwrap();
    read("..", Context::Ipsec).unwrap();
    read("pushd", Context::Ipsec).unwrap();
    read("..", Context::Root).unwrap();
    read("..", Context::Root).unwrap();
    read("popd", Context::Ipsec).unwrap();
    read("popd", Context::Static).unwrap();
    read("popd", Context::Static).unwrap_err();
    read("pushd show store", Context::Static).unwrap_err();
    read("nonsense", Context::Static).unwrap_err();
    assert!(matches!(read("exec \"a b.txt\"", Context::Static), Ok(Outcome::Run(file)) if file == "a b.txt"));
    for word in ["bye", "EXIT", "quit"] {
        assert!(matches!(read(word, Context::Static), Ok(Outcome::Leave)));
    }
}

#[test]
fn a_verb_is_read_where_what_it_is_about_is_known() {
    let read = |context, text: &str| match interpret(context, text) {
        Ok(Outcome::Command(command)) => line(&command, Secrets::Hidden),
        other => panic!("{text}: {other:?}"),
    };
    for context in [Context::Root, Context::Ipsec, Context::Static, Context::Dynamic] {
        assert_eq!(read(context, "set machine gate.example"), "set machine name=gate.example");
        assert_eq!(read(context, "SET MACH"), "set machine");
    }
    assert_eq!(read(Context::Static, "set store local"), "ipsec static set store location=local");
    // What the context itself may mean goes before those above.
    assert_eq!(read(Context::Dynamic, "set m name=x qmpermm=1"), "ipsec dynamic set mmpolicy name=x qmpermm=1");
    assert!(
        error(Context::Static, "set machines").1.starts_with("\"machines\" is no command of netsh ipsec static set")
    );
    assert_eq!(super::super::complete::complete(Context::Static, "set machine na").1, ["name="]);
}

#[test]
fn help_is_there_at_every_level() {
    let help = |context, text: &str| match interpret(context, text) {
        Ok(Outcome::Help(text)) => text,
        other => panic!("{text}: {other:?}"),
    };
    for ask in ["?", "/?", "help", "ipsec ?", "ipsec static ?", "ipsec static add ?", "ipsec static add help"] {
        assert!(help(Context::Root, ask).starts_with("Commands of netsh"), "{ask}");
    }
    for context in [Context::Root, Context::Static, Context::Dynamic] {
        for entry in context.entries() {
            let text = help(context, &format!("{} ?", entry.name()));
            assert!(text.contains(&entry.usage()) && text.contains(entry.example), "{text}");
            assert!(entry.parameters.iter().all(|parameter| text.contains(parameter.tag)), "{text}");
            assert!(
                text.lines().all(|line| line.chars().count() <= 100
                    || !line.starts_with("  ")
                    || line.contains(&entry.usage())),
                "{text}"
            );
            assert_eq!(help(context, &format!("{} /?", entry.name())), text);
        }
    }
    // `help` behind a command may be a value.
    same("add filterlist help", "add filterlist name=help");
}

#[test]
fn what_can_follow_is_offered() {
    use super::super::complete::complete;
    let offered = |context, text: &str| complete(context, text).1;
    assert!(offered(Context::Root, "").contains(&"ipsec".to_owned()));
    assert_eq!(offered(Context::Root, "ipsec s"), ["static"]);
    assert_eq!(offered(Context::Static, "add filter"), ["filter", "filteraction", "filterlist"]);
    assert_eq!(offered(Context::Static, "add filterlist "), ["description=", "name="]);
    assert_eq!(offered(Context::Static, "add filterlist name=x "), ["description="]);
    assert_eq!(complete(Context::Static, "add policy assign=y"), (18, vec!["yes".to_owned()]));
    assert_eq!(offered(Context::Static, "add filter F srcaddr=d"), ["dhcp", "dns"]);
    assert_eq!(offered(Context::Static, "dynamic set config property=boot"), ["bootexemptions", "bootmode"]);
    assert_eq!(offered(Context::Static, "delete policy "), ["all", "name="]);
    assert!(offered(Context::Static, "add filterlist name=\"a ").is_empty());
}
