mod batch;
mod powershell;

use super::super::language::{Context, Interpreter, Outcome, Secrets, line};
use super::decode::DecodeError;
use super::*;

/// What each part of a script comes to: `LINE:COLUMN ...`, with the command, `skipped` and why, or `wrong` and why.
fn outcomes(dialect: Dialect, text: &str) -> Vec<String> {
    let mut interpreter = Interpreter::new(Context::Root);
    let outcome = |statement: Statement| {
        let at = format!("{}:{}", statement.at.line, statement.at.column);
        if dialect.starts_anew() {
            interpreter = Interpreter::new(Context::Root);
        }
        let wrong = |error: LanguageError| format!("{}:{} wrong {error}", error.at.line, error.at.column);
        match statement.kind {
            StatementKind::Skipped(why) => format!("{at} skipped {why}"),
            StatementKind::Wrong(error) => wrong(error),
            StatementKind::Netsh(words) => match interpreter.interpret(words) {
                Ok(Outcome::Command(command)) => format!("{at} {}", line(&command, Secrets::Shown)),
                Ok(other) => format!("{at} {other:?}"),
                Err(error) => wrong(error),
            },
        }
    };
    statements(dialect, text).into_iter().map(outcome).collect()
}

/// Without what is skipped.
fn carried_out(dialect: Dialect, text: &str) -> Vec<String> {
    let all = outcomes(dialect, text).into_iter();
    all.filter(|outcome| !outcome.contains(" skipped "))
        .map(|outcome| outcome.split_once(' ').unwrap().1.to_owned())
        .collect()
}

/// True if this is of netsh that may be reached, or not.
fn is_uncertain(outcome: &str) -> bool {
    outcome.starts_with("wrong netsh stands behind")
}

#[test]
fn scripts_of_netsh_remember_their_context_and_have_comments() {
    let text = "# all of it\n\n  # more\r\nipsec static\nadd filterlist name=A\r\n  add filterlist name = B # no comment\n..\ndynamic show config\n";
    assert_eq!(
        outcomes(Dialect::Netsh, text),
        [
            "4:1 Nothing",
            "5:1 ipsec static add filterlist name=A",
            "6:29 wrong a value too many for add filterlist: all of its parameters have one; a value with blanks stands in quotes",
            "7:1 Nothing",
            "8:1 ipsec dynamic show config",
        ]
    );
    // Carets and percent signs are ordinary characters here, and an apostrophe is one everywhere.
    assert_eq!(
        carried_out(Dialect::Netsh, "ipsec static add filterlist name=it's^50%"),
        ["ipsec static add filterlist name=\"it's^50%\""]
    );
}

#[test]
fn batch_files_are_told_by_name_or_by_what_is_in_them() {
    let of = |path: &str, text: &str| Dialect::of(Path::new(path), text);
    assert_eq!(of("x.CMD", ""), Dialect::Batch);
    assert_eq!(of("x.bat", ""), Dialect::Batch);
    assert_eq!(of("x.ps1", ""), Dialect::PowerShell);
    assert_eq!(of("x.txt", "ipsec static\nadd filterlist name=rem"), Dialect::Netsh);
    for line in [
        "@echo off",
        "REM x",
        ":: x",
        "netsh ipsec static",
        "@netsh.exe ipsec",
        "\"C:\\Windows\\System32\\netsh.exe\" ipsec",
    ] {
        assert_eq!(of("x", line), Dialect::Batch, "{line}");
    }
}

#[test]
fn a_script_that_is_taken_for_a_batch_file_and_calls_no_netsh_is_none() {
    let last = |dialect, text: &str| {
        statements_of_guess(dialect, text).pop().map(|statement| match statement.kind {
            StatementKind::Wrong(error) => error.to_string(),
            other => format!("{other:?}"),
        })
    };
    let text = "ipsec static\nrem the list\nadd filterlist name=A\n";
    let told = last(Dialect::Batch, text).unwrap();
    assert!(told.starts_with("by this line the script is a batch file") && told.contains("--dialect netsh"), "{told}");
    assert_eq!(statements_of_guess(Dialect::Batch, text).last().unwrap().at.line, 2);
    for text in ["rem\nnetsh ipsec static dump", "rem\nif a==b netsh ipsec static dump\n"] {
        assert!(!last(Dialect::Batch, text).unwrap().starts_with("by this line"), "{text}");
    }
    assert_eq!(last(Dialect::Netsh, "# nothing\n"), None);
}

#[test]
fn text_is_decoded_whatever_it_was_written_in() {
    let text = "name=Bürö";
    let utf16 = |order: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(order).collect::<Vec<u8>>();
    let marked = |mark: &[u8], octets: Vec<u8>| [mark, &octets].concat();
    for octets in [
        text.as_bytes().to_vec(),
        marked(b"\xef\xbb\xbf", text.as_bytes().to_vec()),
        marked(b"\xff\xfe", utf16(u16::to_le_bytes)),
        marked(b"\xfe\xff", utf16(u16::to_be_bytes)),
        utf16(u16::to_le_bytes),
        utf16(u16::to_be_bytes),
    ] {
        let (decoded, warning) = decode(&octets, None).unwrap();
        assert_eq!((decoded.as_str(), warning), (text, None), "{octets:?}");
    }
    let (decoded, warning) = decode(b"name=B\xfcr\xf6", None).unwrap();
    assert_eq!(decoded.as_str(), text);
    assert!(warning.unwrap().contains("Windows-1252"));
    let (decoded, warning) = decode(b"name=\xd6\xd0", Some("GB18030")).unwrap();
    assert_eq!((decoded.as_str(), warning), ("name=中", None));
    assert_eq!(decode(b"", Some("klingon")), Err(DecodeError::Unknown("klingon".to_owned())));
    assert_eq!(decode(b"\xff", Some("gb18030")), Err(DecodeError::Malformed { encoding: "gb18030" }));
    assert_eq!(decode(b"a\nb\0c", None), Err(DecodeError::Binary { line: 2 }));
}

/// The samples, if they are there: scripts as they are found in the field.
fn sample(name: &str) -> Option<Vec<String>> {
    let path: std::path::PathBuf =
        [env!("CARGO_MANIFEST_DIR"), "..", "..", "shared", "netsh-samples", name].iter().collect();
    let Ok(octets) = std::fs::read(&path) else {
        eprintln!("skipped: there is no {}", path.display());
        return None;
    };
    let (text, warning) = decode(&octets, None).unwrap();
    assert_eq!(warning, None);
    Some(carried_out(Dialect::of(&path, &text), &text))
}

#[test]
fn sample_1_is_a_static_policy_with_methods_in_order() {
    let Some(outcomes) = sample("01-static-negotiate-psk.cmd") else { return };
    let filter = |list: &str, source: &str, text: &str, protocol: &str, port: u16| {
        format!(
            "ipsec static add filter filterlist={list} srcaddr={source} dstaddr=me description=\"{text}\" protocol={protocol} mirrored=yes srcport=0 dstport={port}"
        )
    };
    let expected = [
        "ipsec static add policy name=Ledger_Hosts assign=no".to_owned(),
        "ipsec static add filterlist name=Ledger_Web".to_owned(),
        filter("Ledger_Web", "any", "Intranet pages", "tcp", 8080),
        filter("Ledger_Web", "any", "Reports", "tcp", 8443).replace("\"Reports\"", "Reports"),
        "ipsec static add filterlist name=Everything".to_owned(),
        filter("Everything", "any", "Whatever is left", "any", 0),
        "ipsec static add filterlist name=Branch_Net".to_owned(),
        filter("Branch_Net", "10.44.0.0 srcmask=255.255.0.0", "Branch offices", "any", 0),
        "ipsec static add filteraction name=Pass action=permit".to_owned(),
        "ipsec static add filteraction name=Drop action=block".to_owned(),
        "ipsec static add filteraction name=Sign_Traffic qmpfs=yes inpass=yes soft=no action=negotiate qmsecmethods=\"AH[SHA1]:50000k/900s AH[MD5]:50000k/900s\"".to_owned(),
        "ipsec static add rule name=\"Web in clear\" policy=Ledger_Hosts filterlist=Ledger_Web filteraction=Pass kerberos=yes".to_owned(),
        "ipsec static add rule name=\"Drop the rest\" policy=Ledger_Hosts filterlist=Everything filteraction=Drop kerberos=yes".to_owned(),
        "ipsec static add rule name=\"Signed for branches\" policy=Ledger_Hosts filterlist=Branch_Net filteraction=Sign_Traffic psk=teal-Heron-58".to_owned(),
        "ipsec static set defaultrule policy=Ledger_Hosts activate=no".to_owned(),
    ];
    assert_eq!(outcomes, expected);
}

#[test]
fn sample_2_has_single_quotes_and_a_list_of_another_name() {
    let Some(outcomes) = sample("02-trust-single-quotes.ps1") else { return };
    let filter = |text: &str, source: &str, destination: &str| {
        format!(
            "ipsec static add filter filterlist=PartnerServers srcaddr={source} dstaddr={destination} description={text} protocol=any mirrored=yes srcport=0 dstport=0"
        )
    };
    let expected = [
        "ipsec static add policy name=\"Partner Link\" description=\"Traffic between the two forests\" mmpfs=no mmlifetime=12 activatedefaultrule=no pollinginterval=6 assign=no mmsecmethods=3DES-SHA1-2".to_owned(),
        "ipsec static add filteraction name=ESP-3DES-SHA1-0-2700 description=\"ESP 3DES/SHA1 only, nothing inbound in clear, no fallback, no PFS\" qmpfs=no inpass=no soft=no action=negotiate qmsecmethods=\"ESP[3DES,SHA1]:100000k/2700s\"".to_owned(),
        "ipsec static add filterlist name=PartnerServers".to_owned(),
        filter("ourdc1-theirdc1", "10.62.7.21", "192.0.2.135"),
        filter("ourdc1-theirdc2", "10.62.7.21", "192.0.2.136"),
        filter("ourdc2-theirdc1", "10.62.7.22", "192.0.2.135"),
        "ipsec static add rule name=Server-Server policy=\"Partner Link\" filterlist=\"Partner Servers\" filteraction=ESP-3DES-SHA1-0-2700 psk=\"seven blue kettles\"".to_owned(),
    ];
    assert_eq!(outcomes, expected);
}

#[test]
fn sample_3_is_dynamic_and_does_not_run_what_it_echoes() {
    let Some(outcomes) = sample("03-dynamic-rules.cmd") else { return };
    let rule = |protocol: &str, port: u16, action: &str| {
        format!(
            "ipsec dynamic add rule srcaddr=any dstaddr=any protocol={protocol} srcport=0 dstport={port} mirrored=yes conntype=all mmpolicy=WalkMM actioninbound={action} actionoutbound={action}"
        )
    };
    let expected = [
        "ipsec dynamic delete all".to_owned(),
        "ipsec dynamic add mmpolicy name=WalkMM".to_owned(),
        rule("any", 0, "block"),
        rule("icmp", 0, "permit"),
        rule("tcp", 2049, "permit"),
        "ipsec dynamic delete all".to_owned(),
    ];
    assert_eq!(outcomes, expected);
}

#[test]
fn sample_4_has_blanks_round_equals_signs_and_values_without_tags() {
    let Some(outcomes) = sample("04-spaces-and-positional.cmd") else { return };
    let filter = |port: u16| {
        format!(
            "ipsec static add filter filterlist=closed srcaddr=any dstaddr=me description={port} protocol=tcp mirrored=yes srcport=0 dstport={port}"
        )
    };
    let expected = [
        "ipsec static add policy name=shutports".to_owned(),
        "ipsec static add filterlist name=closed".to_owned(),
        "ipsec static add filteraction name=closed action=block".to_owned(),
        filter(111),
        filter(2375),
        filter(5900),
        "ipsec static add rule name=closed policy=shutports filterlist=closed filteraction=closed".to_owned(),
        "ipsec static set policy name=shutports assign=yes".to_owned(),
    ];
    assert_eq!(outcomes, expected);
}

#[test]
fn sample_5_joins_lines_in_the_middle_of_commands() {
    let Some(outcomes) = sample("05-caret-continuation.cmd") else { return };
    let filter = |list: &str, source: &str, destination: &str, protocol: &str, port: u16| {
        format!(
            "ipsec static add filter filterlist={list} srcaddr={source} dstaddr={destination} protocol={protocol} mirrored=yes srcport=0 dstport={port}"
        )
    };
    let expected = [
        "ipsec static delete policy name=Lighthouse".to_owned(),
        "ipsec static add policy name=Lighthouse".to_owned(),
        "ipsec static add filteraction name=Let action=permit".to_owned(),
        "ipsec static add filteraction name=Stop action=block".to_owned(),
        "ipsec static add filterlist name=Whole".to_owned(),
        filter("Whole", "me", "any", "any", 0),
        "ipsec static add rule name=StopWhole policy=Lighthouse filterlist=Whole filteraction=Stop".to_owned(),
        "ipsec static add filterlist name=FreeHosts".to_owned(),
        filter("FreeHosts", "198.51.100.41", "me", "any", 0),
        filter("FreeHosts", "198.51.100.42", "me", "any", 0),
        "ipsec static add rule name=LetFreeHosts policy=Lighthouse filterlist=FreeHosts filteraction=Letin".to_owned(),
        "ipsec static add filterlist name=Services".to_owned(),
        filter("Services", "any", "me", "tcp", 25),
        filter("Services", "any", "me", "tcp", 993),
        filter("Services", "me", "any", "udp", 53),
        "ipsec static add rule name=LetServices policy=Lighthouse filterlist=Services filteraction=Letin".to_owned(),
    ];
    assert_eq!(outcomes, expected);
}

#[test]
fn sample_6_is_the_shortest_form() {
    let Some(outcomes) = sample("06-short-block.cmd") else { return };
    let filter = |protocol: &str| {
        format!(
            "ipsec static add filter filterlist=SHUT srcaddr=any dstaddr=me protocol={protocol} mirrored=yes srcport=0 dstport=3702"
        )
    };
    let expected = [
        "ipsec static delete all".to_owned(),
        "ipsec static add filterlist name=SHUT".to_owned(),
        filter("tcp"),
        filter("udp"),
        "ipsec static add filteraction name=DO_SHUT action=block".to_owned(),
        "ipsec static add policy name=PLAN_SHUT assign=yes".to_owned(),
        "ipsec static add rule name=WHEN_SHUT policy=PLAN_SHUT filterlist=SHUT filteraction=DO_SHUT".to_owned(),
    ];
    assert_eq!(outcomes, expected);
}
